"""Pictures with labels from wherever they come: digits, idx files, folders, arrays, columns of
paths."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.array_files import image_arrays, is_array_file, read_arrays
from pellucid.data.columns import Column, Rows, Table, array_column, joined, text_column
from pellucid.data.cuts import part_named
from pellucid.data.files import available_memory, read_bytes
from pellucid.data.idx import holds_idx, read_idx, read_mnist_folder
from pellucid.data.picture_files import (
    ENDINGS,
    PictureForm,
    choose_form,
    is_picture,
    read_pictures,
)

Pixels = npt.NDArray[Any]
LABEL = "label"
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures (n, height, width) or (n, height, width, channels) with a label each.

    ``labels`` is a column, or None where there are none.  ``part`` says of each picture whether it
    is for training (0), validation (1) or test (2) where the data say so, -1 elsewhere.
    ``maximum`` is the largest value a pixel can have.  ``names`` are those of the files, ``rows``
    the positions in the source where not all of it is here.
    """

    name: str
    images: Pixels
    labels: Column | None
    part: npt.NDArray[np.int8]
    maximum: float
    fingerprint: str
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    rows: Rows | None = None

    def __len__(self) -> int:
        return len(self.images)

    def positions(self) -> Rows:
        """Where each picture stands in the source, counted from 0."""
        return np.arange(len(self)) if self.rows is None else self.rows


def pictures_of(
    source: object, side: int | None = None, form: PictureForm | None = None
) -> Pictures | None:
    """The pictures that ``source`` names or is, or None where it is a table.

    ``side`` is the height and width that pictures in files are scaled to, ``form`` their form
    where a network knows one.
    """
    if isinstance(source, Pictures):
        return source
    if isinstance(source, str) and source == "digits":
        return _digits()
    if not isinstance(source, str | os.PathLike):
        return None
    path = Path(source)
    if path.is_dir():
        if holds_idx(path):
            return _idx_folder(path)
        return _picture_folder(path, side, form)
    if path.is_file() and is_picture(path):
        return _files(path.stem, [path], None, np.array([-1], np.int8), [path.name], side, form)
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except (OSError, ValueError):
        return None  # whoever reads it as a table tells what is wrong
    if head[:3] in (b"\0\0\x08", b"\0\0\x0d") or (head[:2] == b"\x1f\x8b" and ".idx" in path.name):
        return _unlabelled(path.stem, read_idx(path))
    if is_array_file(head):
        return _arrays(read_arrays(path, read_bytes(path)), path.stem)
    return None


def _unlabelled(name: str, images: Pixels) -> Pictures:
    part = np.full(len(images), -1, np.int8)
    return Pictures(name, images, None, part, pixel_maximum(images), fingerprint_of(images))


def _digits() -> Pictures:
    """1,797 handwritten digits: images float64 (n, 8, 8) from 0 to 16, labels (n,) int64.

    From the Optical Recognition of Handwritten Digits data (Alpaydin and Kaynak, 1998; UCI machine
    learning repository, CC BY 4.0): its test part, in the order in which scikit-learn carries it.
    """
    folder = Path(__file__).parent / "digits"
    images, labels = (read_idx(folder / f"{name}.idx.gz") for name in ("images", "labels"))
    images, labels = images.astype(np.float64), labels.astype(np.int64)
    part = np.full(len(images), -1, np.int8)
    fingerprint = fingerprint_of(images, labels)
    return Pictures("digits", images, array_column(LABEL, labels), part, 16.0, fingerprint)


def _idx_folder(path: Path) -> Pictures:
    folder = read_mnist_folder(path)
    arrays = {"images": folder.train_images, "labels": folder.train_labels}
    if folder.test_images is not None and folder.test_labels is not None:
        arrays |= {"test_images": folder.test_images, "test_labels": folder.test_labels}
    return _labelled(path.resolve().name, arrays)


def _arrays(arrays: dict[str, Pixels], name: str) -> Pictures | None:
    """Pictures of an array file; None where it holds a table."""
    found = image_arrays(arrays)
    if found is None:
        return None
    return _labelled(name, found) if "labels" in found else _unlabelled(name, found["images"])


def _labelled(name: str, arrays: dict[str, Pixels]) -> Pictures:
    """From ``images`` and ``labels``, and the same with ``test_`` before them."""
    images, labels = arrays["images"], arrays["labels"].reshape(-1)
    if len(images) != len(labels):
        raise DataError(
            f"{name} holds {len(images)} images and {len(labels)} labels",
            "Use arrays that belong together.",
        )
    part = np.full(len(images), -1, np.int8)
    notes: tuple[str, ...] = ()
    maximum, fingerprint = pixel_maximum(images), fingerprint_of(images, labels)
    if "test_images" in arrays and "test_labels" in arrays:
        test, answers = arrays["test_images"], arrays["test_labels"].reshape(-1)
        if test.shape[1:] != images.shape[1:] or len(test) != len(answers):
            raise DataError(
                f"The test images of {name} have shape {test.shape}, their labels "
                f"{answers.shape}; training images are {images.shape[1:]}",
                "Use arrays of one data set.",
            )
        fingerprint = fingerprint_of(images, labels, test, answers)
        part = np.append(part, np.full(len(test), 2, np.int8))
        images, labels = np.concatenate([images, test]), np.append(labels, answers)
        notes = (
            f"The test part is the data set's own ({len(test)} images); "
            "validation is split off from its training images.",
        )
    column = array_column(LABEL, labels)
    return Pictures(name, images, column, part, maximum, fingerprint, notes)


# ---- folders of files ------------------------------------------------------------------------


def _picture_folder(root: Path, side: int | None, form: PictureForm | None) -> Pictures | None:
    """Pictures in folders, a class a folder, perhaps below ``train``, ``validation`` and
    ``test``; pictures that lie in ``root`` itself have no class."""
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    parts = {folder: part_named(folder.name) for folder in folders}
    if folders and 0 in parts.values() and all(part >= 0 for part in parts.values()):
        found = [
            (file, folder.name, part)
            for place, part in parts.items()
            for folder in sorted(entry for entry in place.iterdir() if entry.is_dir())
            for file in _inside(folder)
        ]
    else:
        found = [(file, folder.name, -1) for folder in folders for file in _inside(folder)]
    labels: list[str] | None = [label for _, label, _ in found]
    if not found:
        found = [(file, "", -1) for file in sorted(root.iterdir()) if is_picture(file)]
        labels = None
    if not found:
        return None
    paths = [file for file, _, _ in found]
    part = np.array([part for _, _, part in found], np.int8)
    names = [str(file.relative_to(root)) for file in paths]
    return _files(root.resolve().name, paths, labels, part, names, side, form)


def _inside(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if is_picture(file) and file.is_file()]


def _files(
    name: str,
    paths: Sequence[Path],
    labels: Sequence[str] | None,
    part: npt.NDArray[np.int8],
    names: Sequence[str],
    side: int | None,
    form: PictureForm | None,
) -> Pictures:
    """Pictures in files; those that cannot be read are left out and told by name, or an error
    where a network is to predict (``form``), which gives a prediction for every file."""
    notes: list[str] = []
    chosen = form or choose_form(paths, side, notes)
    check_memory(len(paths), chosen)
    pixels, broken = read_pictures(paths, chosen)
    if broken:
        listed = "; ".join(list(broken.values())[:_SHOWN])
        listed += f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        many = "1 picture" if len(broken) == 1 else f"{len(broken)} pictures"
        if form is not None or len(broken) == len(paths):
            raise DataError(
                f"{many} of {len(paths)} cannot be read: {listed}", "Mend or remove the files."
            )
        notes.append(f"{many} of {len(paths)} left out, being damaged: {listed}.")
    if set(part.tolist()) - {-1}:
        counts = [int((part == number).sum()) for number in range(3)]
        notes.append(
            "Training / validation / test are the folder's own: "
            f"{counts[0]} / {counts[1] or 'split off'} / {counts[2] or 'split off'} pictures."
        )
    column = None if labels is None else text_column(LABEL, labels)
    found = Pictures(
        name, pixels, column, part, 255.0, fingerprint_of(pixels), tuple(notes), tuple(names)
    )
    if not broken:
        return found
    kept = np.setdiff1d(np.arange(len(paths)), list(broken))
    return replace(
        found,
        images=pixels[kept],
        labels=None if column is None else column.take(kept),
        part=part[kept],
        names=tuple(names[row] for row in kept),
        rows=kept,
    )


def check_memory(count: int, form: PictureForm) -> None:
    """Pixels are held as bytes and as numbers of four bytes, in one copy and in parts;
    ``DataError`` where there is no memory for that."""
    needed = 9 * count * int(np.prod(form.shape))
    if needed > available_memory():
        raise DataError(
            f"{count:,} pictures of {form.height} × {form.width} need {needed / 2**30:.1f} GiB, "
            f"{available_memory() / 2**30:.1f} GiB are available",
            "Scale them down further, give fewer, or train in batches in Python: "
            "pellucid.data.PictureBatches.",
        )


def path_columns(table: Table, base: Path | None, others: Sequence[str]) -> tuple[str, ...]:
    """The columns, without ``others``, that name a picture file in nearly every row."""
    found = []
    for column in table.columns.values():
        if column.kind != "text" or column.name in others or not column.categories:
            continue
        sample = column.categories[:: max(1, len(column.categories) // 50)]
        if not all(text.lower().endswith(ENDINGS) for text in sample):
            continue
        if sum(_is_file(resolved(text, base)) for text in sample) >= 0.5 * len(sample):
            found.append(column.name)
    return tuple(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no path on this system
        return False


def resolved(text: str, base: Path | None) -> Path:
    """The path that a cell of a table in the folder ``base`` names."""
    path = Path(text)
    return path if path.is_absolute() or base is None else base / path


def pictures_of_column(
    table: Table,
    name: str,
    base: Path | None,
    target: str,
    side: int | None = None,
    form: PictureForm | None = None,
) -> Pictures:
    """The pictures that column ``name`` of a table names, relative to the folder of its file, with
    the column ``target`` as labels."""
    texts = table[name].texts()
    if form is not None and None in texts:
        raise DataError(
            f"Column {name!r} is empty in {table.place(texts.index(None))}",
            "Name a picture in every row.",
        )
    rows = np.array([row for row, text in enumerate(texts) if text is not None], np.int64)
    named = [texts[row] or "" for row in rows]
    paths = [resolved(text, base) for text in named]
    part = np.full(len(paths), -1, np.int8)
    found = _files(Path(table.name).stem, paths, None, part, named, side, form)
    kept = rows[found.positions()]
    labels = table[target].take(kept) if target in table.columns else None
    return replace(found, labels=labels, fingerprint=table.fingerprint, rows=kept)


def join_pictures(found: Pictures, more: Pictures, part: int) -> Pictures:
    """The pictures with others after them, which are for one part."""
    if found.labels is None or more.labels is None:
        raise DataError(f"{more.name} holds images without labels", "Give labels for each part.")
    if found.images.shape[1:] != more.images.shape[1:]:
        raise DataError(
            f"Images of {more.name} have shape {more.images.shape[1:]}, those of {found.name} "
            f"{found.images.shape[1:]}",
            "Give images of one shape.",
        )
    first = Table(found.name, {LABEL: replace(found.labels, name=LABEL)})
    labels = joined(first, Table(more.name, {LABEL: replace(more.labels, name=LABEL)}))[LABEL]
    return replace(
        found,
        images=np.concatenate([found.images, more.images]),
        labels=replace(labels, name=found.labels.name),
        part=np.append(found.part, np.full(len(more), part, np.int8)),
        notes=(*found.notes, *more.notes),
        names=(*found.names, *more.names) if found.names and more.names else (),
        rows=None,
    )


def form_of(shape: tuple[int, ...]) -> PictureForm | None:
    """The form of picture files that give arrays of this shape, None where none does."""
    if len(shape) not in (2, 3) or shape[2:] not in ((), (3,)):
        return None
    return PictureForm(shape[0], shape[1], len(shape) == 3)


# ---- pixels ----------------------------------------------------------------------------------


def pixel_maximum(images: Pixels) -> float:
    """255 for bytes; otherwise the greatest magnitude, because the format does not say."""
    if images.dtype == np.uint8:
        return 255.0
    return float(np.abs(images).max()) or 1.0


def fingerprint_of(*arrays: Pixels | None) -> str:
    """SHA-256 over shapes, types and values."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_is_pictures(found: Pictures | None, source: object) -> Pictures:
    """The pictures, or ``ArgumentError`` where there are none."""
    if found is None:
        raise ArgumentError(
            f"Images were expected, {source if isinstance(source, str) else type(source).__name__} "
            "was received",
            "Give a folder of pictures or of idx files, a file of images, or an array "
            "(n, height, width).",
        )
    return found
