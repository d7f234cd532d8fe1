"""Pictures a second from a folder of JPEG files: ``PictureBatches`` beside PyTorch's DataLoader.

    python benchmarks/input_pipeline.py [--pictures 1000] [--side 128] [--markdown]

The folder is generated: photographs of 500 × 375 pixels (smooth noise, so that their files have
the size of real ones).  PyTorch's loader has two worker processes and a data set as people write
it: Pillow's open, convert and resize, a mirror by chance, and a tensor of floats.  Both give
batches of 64 that are shuffled and mirrored.  "first" is the first pass over the files, "later" the
median of further passes: in these PyTorch decodes again, ours are in memory unless ``--no-cache``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import table
from PIL import Image

BATCH = 64


def generate(root: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        picture = np.asarray(Image.fromarray(coarse).resize((500, 375), 3), np.int16)
        noisy = (picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)
        folder = root / f"class {number % 4}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(noisy).save(folder / f"{number}.jpg", quality=90)


def seconds(batches: Iterable[Any], passes: int) -> list[float]:
    found = []
    for _ in range(passes):
        start = time.perf_counter()
        total = 0.0
        for pictures, _ in batches:
            total += float(pictures[0, 0, 0, 0])
        found.append(time.perf_counter() - start)
    return found


def torch_loader(root: Path, side: int) -> Any:
    import torch
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        def __init__(self) -> None:
            self.paths = sorted(root.glob("*/*.jpg"))
            names = sorted({path.parent.name for path in self.paths})
            self.labels = [names.index(path.parent.name) for path in self.paths]

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, place: int) -> tuple[Any, int]:
            with Image.open(self.paths[place]) as image:
                array = np.asarray(image.convert("RGB").resize((side, side), 2), np.float32)
            picture = torch.from_numpy(array.transpose(2, 0, 1).copy()) / 255
            if torch.rand(()) < 0.5:
                picture = picture.flip(2)
            return picture, self.labels[place]

    return DataLoader(
        Pictures(), BATCH, shuffle=True, num_workers=2, persistent_workers=True, prefetch_factor=4
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    from pellucid.data.augmentation import RandomFlip
    from pellucid.data.picture_batches import PictureBatches

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generate(root, given.pictures)
        ours = PictureBatches(
            root, side=given.side, batch_size=BATCH, changes=RandomFlip(),
            cache=not given.no_cache,
        )  # fmt: skip
        rows = []
        speeds = {}
        for name, batches in (
            ("PyTorch, 2 workers", torch_loader(root, given.side)),
            ("Pellucid", ours),
        ):
            first, *later = seconds(batches, given.passes)
            speeds[name] = [given.pictures / first, given.pictures / statistics.median(later)]
            rows.append([name, *(f"{speed:,.0f}" for speed in speeds[name])])
        base, own = speeds.values()
        rows.append(["ratio", *(f"{b / a:.1f} ×" for a, b in zip(base, own, strict=True))])
    print(table(["pictures a second", "first", "later"], rows, given.markdown))


if __name__ == "__main__":
    main()
