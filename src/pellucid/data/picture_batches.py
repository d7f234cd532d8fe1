"""Batches of pictures in files, decoded by threads while the steps before are computed."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.augmentation import Change, Images, Mix, RandomFlip, soft_labels
from pellucid.data.files import available_memory
from pellucid.data.picture_files import (
    Bytes,
    PictureForm,
    choose_form,
    decoded,
    is_picture,
    quiet,
    read_picture,
    scaled,
)
from pellucid.data.resampling import as_numbers
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

_AHEAD = 4
_CACHE_SHARE = 4
_DRAWS = 23  # one for a mirror, two for the place of a part, ten pairs for its area and shape


class PictureBatches:
    """Batches (pictures, labels) of files; what ``Trainer.fit`` takes, also for more pictures than
    the memory holds.

    ``source`` is a folder with a folder for each class, or a sequence of files with ``labels``
    (class numbers, or numbers) beside it.  Pictures become float32 (rows, channels, side, side)
    from 0 to 1, less ``mean`` and divided by ``std`` (one number, or one for each channel).
    ``crop`` (least, most) cuts a part out of each picture, anew in each pass, whose share of the
    area is uniform between the two and whose sides are 3:4 to 4:3, and scales that (Szegedy and
    others, "Going Deeper with Convolutions", 2015; PyTorch's programs use (0.08, 1)).
    ``changes`` and ``mix`` are those of ``AugmentedBatches``.  A few batches are decoded ahead, by
    ``workers`` threads (as many as there are processors unless given); decoded pictures stay in
    memory, as bytes, where a quarter of what is available holds all of them (``cache`` says
    otherwise).  Order and changes follow from ``seed`` and the passes before, not from the
    threads.

    ``classes`` names the folders in order.  Raises ``DataError`` with the file's name for one that
    cannot be read, when its batch is asked for.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        labels: npt.ArrayLike | None = None,
        *,
        side: int | None = None,
        batch_size: int = 64,
        shuffle: bool = True,
        crop: tuple[float, float] | None = None,
        changes: Change | Sequence[Change] = (),
        mix: Mix | None = None,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        workers: int | None = None,
        cache: bool | None = None,
        seed: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError(f"batch_size={batch_size}", "Give a whole number from 1 up.")
        if crop is not None and not 0 < crop[0] <= crop[1] <= 1:
            raise ArgumentError(f"crop={crop}", "Give two shares with 0 < least ≤ most ≤ 1.")
        self.crop = crop
        self.paths, numbers, self.classes = _files(source, labels)
        self.notes: list[str] = []
        self.form: PictureForm = choose_form(self.paths, side, self.notes)
        self.batch_size, self.shuffle = batch_size, shuffle
        self.random = np.random.default_rng(seed)
        self.changes: list[Change] = [changes] if callable(changes) else list(changes)
        self._mirrored = 0.0
        first = self.changes[0] if self.changes else None
        if isinstance(first, RandomFlip) and not first.vertical:  # done on bytes, by the threads
            self._mirrored, self.changes = first.share, self.changes[1:]
        self.mix = mix
        self.labels = numbers if mix is None else soft_labels(numbers, len(self.classes) or None)
        channels = 3 if self.form.colour else 1
        spread = np.broadcast_to(np.asarray(std, np.float32), channels)
        self._factor = (1 / (255 * spread)).astype(np.float32)
        self._offset = np.asarray(-np.asarray(mean, np.float32) / spread, np.float32)
        self.workers = workers or os.cpu_count() or 1
        size = len(self.paths) * int(np.prod(self.form.shape))
        room = available_memory() // _CACHE_SHARE
        keep = (size <= room or crop is not None) if cache is None else cache
        self._pixels: Bytes | None = None
        if keep and crop is None:
            self._pixels = np.empty((len(self.paths), *self.form.shape), np.uint8)
        self._known = np.zeros(len(self.paths), np.bool_)
        self._whole: dict[int, Bytes] = {}
        """Decoded pictures that parts are cut out of, as long as there is room."""
        self._room = room if keep and crop is not None else 0

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(pictures, labels) as tensors."""
        random = self.random  # kept as it stands: a Trainer can go on in the middle of a pass
        count = len(self.paths)
        order = random.permutation(count) if self.shuffle else np.arange(count)
        batches = [order[at : at + self.batch_size] for at in range(0, count, self.batch_size)]
        numbers = random.integers(0, 2**63, 2)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="pictures") as pool:
            ahead: deque[tuple[Images, list[Future[None]]]] = deque()
            try:
                for number, rows in enumerate(batches):
                    while len(ahead) < min(_AHEAD, len(batches) - number):
                        later = number + len(ahead)
                        ahead.append(self._begin(pool, batches[later], numbers, later))
                    values, blocks = ahead.popleft()
                    for block in blocks:
                        block.result()
                    yield self._batch(values, rows, random)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _begin(
        self,
        pool: ThreadPoolExecutor,
        rows: npt.NDArray[Any],
        numbers: npt.NDArray[Any],
        batch: int,
    ) -> tuple[Images, list[Future[None]]]:
        """Lets threads fill a batch (rows, channels, side, side), a part of it each."""
        channels = 3 if self.form.colour else 1
        values = np.empty((len(rows), channels, self.form.height, self.form.width), np.float32)
        # Random numbers of the batch alone, whichever thread is first.
        draws = np.random.default_rng([*numbers.tolist(), batch]).random((len(rows), _DRAWS))
        cuts = np.array_split(np.arange(len(rows)), min(self.workers, len(rows)))
        return values, [
            pool.submit(self._fill, rows[cut], values[cut[0] : cut[-1] + 1], draws[cut])
            for cut in cuts
        ]  # fmt: skip

    def _fill(self, rows: npt.NDArray[Any], values: Images, draws: npt.NDArray[Any]) -> None:
        """Pictures as numbers; ``draws`` choose which are mirrored, and the part of each."""
        mirrored = draws[:, 0] < self._mirrored
        if self.crop is None:
            pixels = self._scaled(rows)
            if mirrored.any():
                pixels[mirrored] = pixels[mirrored, :, ::-1]
        else:
            parts = zip(rows.tolist(), draws[:, 1:], mirrored.tolist(), strict=True)
            pixels = np.stack([self._part(*part) for part in parts])
        as_numbers(pixels, self._factor, self._offset, values)

    def _scaled(self, rows: npt.NDArray[Any]) -> Bytes:
        """The pixels of some files, from memory where they are there."""
        if self._pixels is not None and bool(self._known[rows].all()):
            return np.asarray(self._pixels[rows])
        with quiet:
            found = np.stack([read_picture(self.paths[row], self.form) for row in rows])
        if self._pixels is not None:
            self._pixels[rows] = found
            self._known[rows] = True
        return found

    def _part(self, row: int, draws: npt.NDArray[Any], mirrored: bool) -> Bytes:
        """The pixels of a part of a file, which ``draws`` choose."""
        least, most = self.crop or (1.0, 1.0)
        picture = self._whole.get(row)
        if picture is None:
            with quiet:
                # The same whatever is in memory, also for the smallest and narrowest part.
                picture = decoded(self.paths[row], self.form, least=math.sqrt(least * 3 / 4))
            if picture.nbytes <= self._room:
                self._room -= picture.nbytes
                self._whole[row] = picture
        height, width = picture.shape[:2]
        return scaled(picture, self.form, random_part(draws, height, width, least, most), mirrored)

    def _batch(
        self, values: Images, rows: npt.NDArray[Any], random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        for change in self.changes:
            values = change(values, random)
        labels = self.labels[rows]
        if self.mix is not None:
            values, labels = self.mix(values, labels, random)
        return as_tensor(np.ascontiguousarray(values, np.float32)), as_tensor(labels)


def random_part(
    draws: npt.NDArray[Any], height: int, width: int, least: float, most: float
) -> tuple[float, float, float, float]:
    """(left, upper, right, lower) of a part of a picture, in whole pixels, from uniform numbers.

    Ten pairs of area and shape are tried; where none of them fits into the picture, the part is the
    largest one of an allowed shape in the middle.
    """
    low, high = math.log(3 / 4), math.log(4 / 3)
    for area, shape in draws[2:].reshape(-1, 2).tolist():
        pixels = height * width * (least + (most - least) * area)
        ratio = math.exp(low + (high - low) * shape)
        wide, tall = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            upper, left = int(draws[0] * (height - tall + 1)), int(draws[1] * (width - wide + 1))
            return left, upper, left + wide, upper + tall
    wide = min(width, round(height * 4 / 3)) or 1
    tall = min(height, round(width * 4 / 3)) or 1
    left, upper = (width - wide) // 2, (height - tall) // 2
    return left, upper, left + wide, upper + tall


def _files(
    source: Any, labels: npt.ArrayLike | None
) -> tuple[list[Path], npt.NDArray[Any], tuple[str, ...]]:
    """Files, their labels, and the names of the classes."""
    if isinstance(source, str | os.PathLike):
        root = Path(source)
        folders = (
            sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
        )
        found = [
            (file, number)
            for number, folder in enumerate(folders)
            for file in sorted(folder.rglob("*"))
            if is_picture(file)
        ]
        if not found:
            raise DataError(
                f"{root} holds no pictures in folders", "Put those of each class in one folder."
            )
        numbers = np.array([number for _, number in found], np.int64)
        return [file for file, _ in found], numbers, tuple(folder.name for folder in folders)
    paths = [Path(path) for path in source]
    values = np.asarray([] if labels is None else labels)
    if len(paths) != len(values) or not paths:
        raise ArgumentError(
            f"{len(paths)} files and {len(values)} labels", "Give one label for each file."
        )
    values = values.astype(np.int64) if values.dtype.kind in "iu" else values.astype(np.float32)
    return paths, values, ()
