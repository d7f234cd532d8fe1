"""Batches of pictures in files, decoded by threads while the steps before are computed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.augmentation import Change, Mix, soft_labels
from pellucid.data.files import available_memory
from pellucid.data.picture_files import (
    Bytes,
    PictureForm,
    choose_form,
    is_picture,
    quiet,
    read_picture,
)
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

_AHEAD = 4
_CACHE_SHARE = 4


class PictureBatches:
    """Batches (pictures, labels) of files; what ``Trainer.fit`` takes, also for more pictures than
    the memory holds.

    ``source`` is a folder with a folder for each class, or a sequence of files with ``labels``
    (class numbers, or numbers) beside it.  Pictures become float32 (rows, channels, side, side)
    from 0 to 1, less ``mean`` and divided by ``std`` (one number, or one for each channel).
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
        self.paths, numbers, self.classes = _files(source, labels)
        self.notes: list[str] = []
        self.form: PictureForm = choose_form(self.paths, side, self.notes)
        self.batch_size, self.shuffle = batch_size, shuffle
        self.random = np.random.default_rng(seed)
        self.changes: list[Change] = [changes] if callable(changes) else list(changes)
        self.mix = mix
        self.labels = numbers if mix is None else soft_labels(numbers, len(self.classes) or None)
        self.mean, self.std = (
            np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (mean, std)
        )
        self.workers = workers or os.cpu_count() or 1
        size = len(self.paths) * int(np.prod(self.form.shape))
        keep = size <= available_memory() // _CACHE_SHARE if cache is None else cache
        self._pixels = np.empty((len(self.paths), *self.form.shape), np.uint8) if keep else None
        self._known = np.zeros(len(self.paths), np.bool_)

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(pictures, labels) as tensors."""
        random = self.random  # kept as it stands: a Trainer can go on in the middle of a pass
        count = len(self.paths)
        order = random.permutation(count) if self.shuffle else np.arange(count)
        batches = [order[at : at + self.batch_size] for at in range(0, count, self.batch_size)]
        with ThreadPoolExecutor(self.workers, thread_name_prefix="pictures") as pool:
            ahead: deque[list[Future[Bytes]]] = deque()
            try:
                for number, rows in enumerate(batches):
                    while len(ahead) < min(_AHEAD, len(batches) - number):
                        wanted = batches[number + len(ahead)]
                        ahead.append([pool.submit(self._block, b) for b in self._cut(wanted)])
                    pixels = np.concatenate([block.result() for block in ahead.popleft()])
                    yield self._batch(pixels, rows, random)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _cut(self, rows: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """The rows of a batch in as many blocks as there are threads."""
        return np.array_split(rows, min(self.workers, len(rows)))

    def _block(self, rows: npt.NDArray[Any]) -> Bytes:
        """The pixels of some files, from memory where they are there."""
        if self._pixels is not None and bool(self._known[rows].all()):
            return np.asarray(self._pixels[rows])
        with quiet:
            found = np.stack([read_picture(self.paths[row], self.form) for row in rows])
        if self._pixels is not None:
            self._pixels[rows] = found
            self._known[rows] = True
        return found

    def _batch(
        self, pixels: Bytes, rows: npt.NDArray[Any], random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        images = pixels[..., None] if pixels.ndim == 3 else pixels
        values = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
        values *= np.float32(1 / 255)
        if self.mean.any() or (self.std != 1).any():
            values -= self.mean
            values /= self.std
        for change in self.changes:
            values = change(values, random)
        labels = self.labels[rows]
        if self.mix is not None:
            values, labels = self.mix(values, labels, random)
        return as_tensor(np.ascontiguousarray(values, np.float32)), as_tensor(labels)


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
