"""What data sets of pictures share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, FileError
from pellucid.utils.data.dataset import Dataset

Change = Callable[..., Any]


class VisionDataset(Dataset):
    """Pictures with targets in a folder ``root``.

    ``transform`` changes the picture, ``target_transform`` the target; ``transforms`` takes and
    gives both, in place of the two.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = "",
        transforms: Change | None = None,
        transform: Change | None = None,
        target_transform: Change | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ArgumentError(
                f"{type(self).__name__} got transforms and transform or target_transform",
                "give either transforms or the two others",
            )
        self.root = Path(root).expanduser()
        self.transforms = transforms
        self.transform = transform
        self.target_transform = target_transform

    def changed(self, picture: Any, target: Any) -> tuple[Any, Any]:
        """Picture and target after the transforms."""
        if self.transforms is not None:
            made = self.transforms(picture, target)
            return made[0], made[1]
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if str(self.root) not in ("", "."):
            lines.append(f"    Root location: {self.root}")
        if self.transform is not None:
            text = repr(self.transform).replace("\n", "\n           ")
            lines.append(f"    Transform: {text}")
        return "\n".join(lines)


def not_there(name: str, folder: Path) -> FileError:
    """The error where the files of a data set are missing."""
    return FileError(
        f"{name} is not in {folder}", "Put its files there, or pass download=True to fetch them."
    )
