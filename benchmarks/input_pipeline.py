"""What a training waits for its data: pictures in files, and arrays in memory.

    python benchmarks/input_pipeline.py [--pictures 600] [--side 224] [--markdown] [--arrays]

Pictures: ``PictureBatches`` beside PyTorch's DataLoader with two worker processes, on a generated
folder of JPEG photographs of 500 × 375 pixels (smooth noise, so that their files have the size of
real ones).  PyTorch's data set is as people write it: Pillow's open, convert and resize, of the
whole picture or of a random part (torchvision's RandomResizedCrop), a mirror by chance, a tensor of
floats, normalized.  Ours gives the same.  Both give shuffled batches of 64.  "first" is the first
pass over the files, "later" the median of further passes, "ten" a training of ten passes: PyTorch
decodes in every pass, ours holds what it has decoded unless ``--no-cache``.

Arrays (``--arrays``): what share of a step is not the step.  The same training with and without
augmentation in the compiled step, and the time between two calls of the step; tables with the
default network, pictures of 28 × 28 with the default one for images.
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

BATCH = 64
LEAST = 0.08
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def generate(root: Path, count: int) -> None:
    from PIL import Image

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


def torch_loader(root: Path, side: int, parts: bool) -> Any:
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    from pellucid.data.picture_batches import random_part

    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))

    class Pictures(Dataset):
        def __init__(self) -> None:
            self.paths = sorted(root.glob("*/*.jpg"))
            names = sorted({path.parent.name for path in self.paths})
            self.labels = [names.index(path.parent.name) for path in self.paths]

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, place: int) -> tuple[Any, int]:
            with Image.open(self.paths[place]) as image:
                whole = image.convert("RGB")
            draws = torch.rand(22).numpy()
            box = random_part(draws, whole.height, whole.width, LEAST, 1.0) if parts else None
            array = np.array(whole.resize((side, side), 2, box=box))
            picture = torch.from_numpy(array).permute(2, 0, 1).contiguous()
            picture = picture.to(torch.float32).div(255)
            if torch.rand(()) < 0.5:
                picture = picture.flip(2)
            return picture.sub_(mean).div_(std), self.labels[place]

    return DataLoader(
        Pictures(), BATCH, shuffle=True, num_workers=2, persistent_workers=True, prefetch_factor=4
    )


def pictures(given: argparse.Namespace) -> list[list[str]]:
    from pellucid.data.augmentation import RandomFlip
    from pellucid.data.picture_batches import PictureBatches

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generate(root, given.pictures)
        for what, parts in (("whole", False), ("random part", True)):
            ours = PictureBatches(
                root, side=given.side, batch_size=BATCH, changes=RandomFlip(), mean=MEAN, std=STD,
                crop=(LEAST, 1.0) if parts else None, cache=not given.no_cache,
            )  # fmt: skip
            speeds = []
            for name, batches in (
                ("PyTorch, 2 workers", torch_loader(root, given.side, parts)),
                ("Pellucid", ours),
            ):
                first, *later = seconds(batches, given.passes)
                each = statistics.median(later)
                speeds.append([given.pictures / t for t in (first, each, (first + 9 * each) / 10)])
                rows.append([f"{what}: {name}", *(f"{speed:,.0f}" for speed in speeds[-1])])
            ratios = [f"{b / a:.1f} ×" for a, b in zip(*speeds, strict=True)]
            rows.append([f"{what}: ratio", *ratios])
    return rows


def arrays(given: argparse.Namespace) -> list[list[str]]:
    """Rows of the second table."""
    from pellucid.data.sources import load_source
    from pellucid.training.config import TrainingConfig
    from pellucid.training.job import part_rows, run_trainer, untrained_network

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12_000, 28, 28)).astype(np.uint8), np.arange(12_000) % 10
    numbers = rng.normal(size=(50_000, 20)).astype(np.float32), np.arange(50_000) % 2
    photos = rng.integers(0, 256, (3_000, 32, 32, 3)).astype(np.uint8), np.arange(3_000) % 10
    rows = []
    for name, data, changes in (
        ("cnn, 28 × 28 grey", images, {"shift": 2, "rotate": 10.0, "scale": 0.1}),
        ("cnn, 28 × 28 grey, mixed", images, {"mixup": 0.2, "cutout": 0.25}),
        ("cnn, 32 × 32 colour", photos, {"flip": "horizontal", "crop": 0.7, "colour": 0.2}),
        ("mlp, table of 20", numbers, {"noise": 0.1}),
        ("mlp, table of 20, mixed", numbers, {"noise": 0.1, "mixup": 0.2}),
    ):
        prepared = load_source(data)
        took = []
        for changed in ({}, changes):
            plain = {"shift": 0} if len(prepared.row_shape) > 1 else {"start": "random"}
            config = TrainingConfig.suited_to(
                prepared.row_shape, epochs=1, patience=0, **{**plain, **changed}
            )
            trainer = run_trainer(prepared, config, untrained_network(prepared, config)[0])
            trainer.metric = None
            took.append(_steps(trainer, part_rows(prepared, prepared.train), config.batch_size))
        (base, _), (step, between) = took
        rows.append(
            [name, f"{step * 1e3:.3f} ms", f"{100 * between / step:.2f} %",
             f"{100 * (step / base - 1):.1f} %"]
        )  # fmt: skip
    return rows


def _steps(trainer: Any, rows: Any, size: int) -> tuple[float, float]:
    """Seconds of a step, best of some epochs, and of it those in which no step is computed."""
    source = trainer._source(rows, size, True, None)
    trainer.model.train()
    best = (float("inf"), 0.0)
    for epoch in range(1, 8):
        inside, steps, start = 0.0, 0, time.perf_counter()
        for unit, _ in source.units(epoch, False):
            before = time.perf_counter()
            source.run(unit)
            inside += time.perf_counter() - before
            steps += len(unit)
        whole = time.perf_counter() - start
        if epoch > 2:
            best = min(best, (whole / steps, (whole - inside) / steps))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--arrays", action="store_true", help="arrays in memory alone")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if not given.arrays:
        heads = ["pictures a second", "first", "later", "ten"]
        print(table(heads, pictures(given), given.markdown), flush=True)
    heads = ["arrays in memory", "step", "waiting", "augmentation"]
    print(table(heads, arrays(given), given.markdown))


if __name__ == "__main__":
    main()
