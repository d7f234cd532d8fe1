"""CIFAR-10 and CIFAR-100: 32 × 32 colour pictures, in pickles, which are read as data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pellucid.base.errors import DataError
from pellucid.interop.pytorch.names import find, set_state
from pellucid.interop.pytorch.pickles import Bounded, Reader, refuse
from pellucid.vision.datasets._download import fetch, md5, unpack
from pellucid.vision.datasets.base import Change, VisionDataset, not_there
from pellucid.vision.images import image_of

_ROW = 3 * 32 * 32


class CIFAR10(VisionDataset):
    """Pictures of ten kinds of things (Krizhevsky, 2009): 50,000 for training, 10,000 for tests.

    The files are looked for in ``root/cifar-10-batches-py``; ``download=True`` fetches them where
    they are missing.  ``data`` is an array uint8 (N, 32, 32, 3), ``targets`` a list of numbers.  A
    row is a Pillow image, changed by ``transform``, and a number.
    """

    base_folder: ClassVar[str] = "cifar-10-batches-py"
    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename: ClassVar[str] = "cifar-10-python.tar.gz"
    tgz_md5: ClassVar[str] = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar[Mapping[str, str]] = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    }
    test_list: ClassVar[Mapping[str, str]] = {"test_batch": "40351d587109b95175f43aff81a1287e"}
    names: ClassVar[tuple[str, str]] = ("batches.meta", "label_names")
    labels: ClassVar[str] = "labels"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Change | None = None,
        target_transform: Change | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self._folder = self.root / self.base_folder
        files = self.train_list if train else self.test_list
        if download and not self._is_complete():
            self.download()
        if not all((self._folder / name).is_file() for name in files):
            raise not_there(type(self).__name__, self._folder)
        pictures = []
        self.targets: list[int] = []
        for name in files:
            rows, labels = self._batch(self._folder / name)
            pictures.append(rows)
            self.targets += labels
        self.data = np.concatenate(pictures).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.classes = self._class_names()

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class → number."""
        return {name: number for number, name in enumerate(self.classes)}

    def _is_complete(self) -> bool:
        known = {**self.train_list, **self.test_list}
        places = {self._folder / name: checksum for name, checksum in known.items()}
        return all(place.is_file() and md5(place) == sum_ for place, sum_ in places.items())

    def download(self) -> None:
        """Fetch and unpack the files."""
        archive = self.root / self.filename
        fetch([self.url], archive, self.tgz_md5)
        unpack(archive, self.root)

    def _batch(self, file: Path) -> tuple[np.ndarray, list[int]]:
        found = _read(file)
        rows, labels = found.get("data"), found.get(self.labels)
        if isinstance(rows, np.ndarray) and isinstance(labels, list):
            if rows.dtype == np.uint8 and rows.shape == (len(labels), _ROW):
                return rows, [int(label) for label in labels]
        raise DataError(f"{file} is no batch of {type(self).__name__}", "Fetch it again.")

    def _class_names(self) -> Sequence[str]:
        file, key = self.names
        place = self._folder / file
        found = _read(place).get(key) if place.is_file() else None
        if isinstance(found, list):
            return [str(name) for name in found]
        return [str(number) for number in range(max(self.targets, default=-1) + 1)]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.changed(image_of(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)


class CIFAR100(CIFAR10):
    """The same with a hundred kinds of things, in ``root/cifar-100-python``."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: ClassVar[Mapping[str, str]] = {"train": "16019d7e3df5f24257cddd939b257f8d"}
    test_list: ClassVar[Mapping[str, str]] = {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}
    names = ("meta", "fine_label_names")
    labels = "fine_labels"


def _read(file: Path) -> dict[str, Any]:
    """A dict in a pickle, whose names are not executed."""

    def refer(reference: object) -> object:
        refuse("it refers to something outside of it")

    with file.open("rb") as stream:
        try:
            found = Reader(Bounded(stream), find, refer, set_state, "latin-1").load()
        except DataError as error:
            raise DataError(f"{file} cannot be read: {error.message}", "Fetch it again.") from None
    if not isinstance(found, dict):
        raise DataError(f"{file} holds no dict", "Fetch it again.")
    return found
