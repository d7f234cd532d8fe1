"""MNIST and data sets in its form: 28 × 28 grey pictures of ten classes, in idx files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pellucid.base.errors import FileError
from pellucid.data.idx import read_mnist_folder
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.tensor import Tensor
from pellucid.vision.datasets._download import fetch
from pellucid.vision.datasets.base import Change, VisionDataset, not_there
from pellucid.vision.images import image_of


class MNIST(VisionDataset):
    """Handwritten digits (LeCun, Cortes, Burges, 1998): 60,000 for training, 10,000 for tests.

    The idx files, packed or not, are looked for in ``root/MNIST/raw`` and in ``root``;
    ``download=True`` fetches them where they are missing.  ``data`` is uint8 (N, 28, 28),
    ``targets`` int64 (N,).  A row is a Pillow image, changed by ``transform``, and a number.
    """

    mirrors: ClassVar[Sequence[str]] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    resources: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    classes: ClassVar[Sequence[str]] = (
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    )

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
        if download and not self._check_exists():
            self.download()
        if not self._check_exists():
            raise not_there(type(self).__name__, self.raw_folder)
        folder = read_mnist_folder(self._folder())
        images = folder.train_images if train else folder.test_images
        labels = folder.train_labels if train else folder.test_labels
        if images is None or labels is None:
            raise FileError(f"{self._folder()} holds no test files", "Put them there.")
        self.data: Tensor = from_numpy(images)
        self.targets: Tensor = from_numpy(labels)

    @property
    def raw_folder(self) -> Path:
        """Where the files are put: ``root/NAME/raw``."""
        return self.root / type(self).__name__ / "raw"

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class → number."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def train_data(self) -> Tensor:
        """An older name of ``data``; so are ``test_data``, and ``train_labels`` and ``test_labels``
        of ``targets``."""
        return self.data

    @property
    def train_labels(self) -> Tensor:
        """An older name of ``targets``."""
        return self.targets

    test_data = train_data
    test_labels = train_labels

    def _folder(self) -> Path:
        """Where the files are."""
        return next((f for f in (self.raw_folder, self.root) if self._complete(f)), self.raw_folder)

    def _complete(self, folder: Path) -> bool:
        names = [name.removesuffix(".gz") for name in self.resources]
        return all((folder / n).is_file() or (folder / f"{n}.gz").is_file() for n in names)

    def _check_exists(self) -> bool:
        return self._complete(self.raw_folder) or self._complete(self.root)

    def download(self) -> None:
        """Fetch the files that are missing."""
        for name, checksum in self.resources.items():
            fetch([mirror + name for mirror in self.mirrors], self.raw_folder / name, checksum)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture, target = image_of(self.data[index].numpy(), "L"), int(self.targets[index])
        return self.changed(picture, target)

    def __len__(self) -> int:
        return int(self.data.shape[0])


class FashionMNIST(MNIST):
    """Pictures of clothes (Xiao, Rasul, Vollgraf, 2017), in MNIST's form."""

    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    resources: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


class KMNIST(MNIST):
    """Japanese characters (Clanuwat and others, 2018), in MNIST's form."""

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    resources: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
    }
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
