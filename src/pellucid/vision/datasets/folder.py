"""Pictures in folders, one folder a class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.vision.datasets.base import Change, VisionDataset
from pellucid.vision.images import pillow

if TYPE_CHECKING:
    from PIL.Image import Image

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)


def default_loader(path: str | os.PathLike[str]) -> Image:
    """A picture file as a Pillow image in RGB.

    Raises :class:`DataError` for one that cannot be read, or whose size is that of a bomb.
    """
    images = pillow()
    try:
        with open(path, "rb") as file:
            return images.open(file).convert("RGB")
    except (images.DecompressionBombError, images.UnidentifiedImageError, SyntaxError) as error:
        raise DataError(
            f"{os.fspath(path)} cannot be read as a picture: {error}", "Remove or mend it."
        ) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise DataError(
            f"{os.fspath(path)} is a damaged picture: {error}", "Remove or mend it."
        ) from None


class DatasetFolder(VisionDataset):
    """Files in folders: ``root/CLASS/…/FILE``, classes in alphabetical order.

    ``loader`` makes a row of a path; files count by their ending (``extensions``) or by
    ``is_valid_file``.  A class without files is an error, unless ``allow_empty``.
    ``samples`` lists (path, class number), ``targets`` the numbers.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Change | None = None,
        target_transform: Change | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ArgumentError(
                "DatasetFolder needs extensions or is_valid_file, and not both", "give one of them"
            )
        endings = tuple(ending.lower() for ending in extensions or ())
        valid = is_valid_file or (lambda path: path.lower().endswith(endings))
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self._samples(valid, allow_empty)
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The folders in ``directory``, and their numbers."""
        try:
            names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        except OSError as error:
            raise FileError(
                f"The folder {directory} cannot be read: {error.strerror}", "Check the path."
            ) from None
        if not names:
            raise FileError(
                f"There is no folder of a class in {directory}",
                "Put one folder for each class there.",
            )
        return names, {name: number for number, name in enumerate(names)}

    def _samples(self, valid: Callable[[str], bool], allow_empty: bool) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        empty = []
        for name, number in self.class_to_idx.items():
            before = len(found)
            for folder, _, files in sorted(os.walk(self.root / name, followlinks=True)):
                paths = [str(Path(folder) / file) for file in sorted(files)]
                found += [(path, number) for path in paths if valid(path)]
            if len(found) == before:
                empty.append(name)
        if empty and not allow_empty:
            endings = f" ({', '.join(self.extensions)})" if self.extensions else ""
            raise FileError(
                f"There is no file of the classes {', '.join(empty)} in {self.root}",
                f"Put files there{endings}, or pass allow_empty=True.",
            )
        return found

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self.changed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in folders: ``root/CLASS/…/FILE.png``; a row is a Pillow image in RGB, changed by
    ``transform``, and the number of its class."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Change | None = None,
        target_transform: Change | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        endings = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, endings, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
