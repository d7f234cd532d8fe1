"""Pictures of noise, for trying a program without data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import OutOfRangeError
from pellucid.tensor.random import Generator, randint, randn
from pellucid.vision.datasets.base import Change, VisionDataset
from pellucid.vision.transforms.functional import to_pil_image


class FakeData(VisionDataset):
    """``size`` random pictures (C, H, W) with random classes; the same ones at every look."""

    def __init__(
        self,
        size: int = 1000,
        image_size: Sequence[int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Change | None = None,
        target_transform: Change | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__("", transform=transform, target_transform=target_transform)
        self.size, self.image_size = size, tuple(image_size)
        self.num_classes, self.random_offset = num_classes, random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < self.size:
            raise OutOfRangeError(f"there is no row {index} of {self.size}", "rows begin at 0")
        generator = Generator().manual_seed(index + self.random_offset)
        picture = randn(*self.image_size, generator=generator)
        target = int(randint(0, self.num_classes, (1,), generator=generator).item())
        return self.changed(to_pil_image(picture.clamp(0, 1)), target)

    def __len__(self) -> int:
        return self.size
