"""Picture files of any size, colour and orientation as arrays of one form.

Decoding is Pillow's, which gives the lock of the interpreter back while it works, so that threads
decode side by side.  A JPEG that is much larger than what is wanted is decoded at a half, a quarter
or an eighth of its size (the format allows that), which costs a fraction of the time.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import DataError
from pellucid.base.extras import needs
from pellucid.data.resampling import resample

Bytes = npt.NDArray[np.uint8]
ENDINGS = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
DEFAULT_SIDE = 64
MAX_PIXELS = 100_000_000
_MATTE = 255  # what shows through where a picture is transparent
_GREY = ("1", "L", "I;16", "I", "F", "I;16B", "I;16L", "LA", "La")
_LOOKED_AT = 400


@dataclass(frozen=True)
class PictureForm:
    """What all pictures become: (height, width), with three channels where ``colour``."""

    height: int
    width: int
    colour: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one picture: (height, width) or (height, width, 3)."""
        return (self.height, self.width, 3) if self.colour else (self.height, self.width)


@dataclass(frozen=True)
class Head:
    """What the first bytes of a picture tell: its size as it is looked at, and whether it has
    colours."""

    height: int
    width: int
    colour: bool


def is_picture(path: Path) -> bool:
    """Whether a file is named as pictures are."""
    return path.name.lower().endswith(ENDINGS) and path.name[0] != "."


def picture_head(path: Path) -> Head:
    """Size and colour of a picture, without decoding it; ``DataError`` where it is none."""
    with _opened(path) as image:
        height, width = image.height, image.width
        if image.getexif().get(0x0112, 1) >= 5:  # turned by a quarter
            height, width = width, height
        return Head(height, width, _is_coloured(image))


def _is_coloured(image: Any) -> bool:
    if image.mode in _GREY:
        return False
    if image.mode in ("P", "PA"):
        palette = image.getpalette() or []
        return any(
            not palette[i] == palette[i + 1] == palette[i + 2]
            for i in range(0, len(palette) - 2, 3)
        )
    return True


def read_picture(path: Path | io.BytesIO, form: PictureForm) -> Bytes:
    """A picture as uint8 of ``form.shape``: turned as its EXIF data say, transparent parts on
    white, the first one of an animation, scaled to the form's size whatever its proportions.

    Raises ``DataError`` with the file's name where it is damaged, cut off or no picture.
    """
    return scaled(decoded(path, form), form)


def decoded(path: Path | io.BytesIO, form: PictureForm, least: float = 1.0) -> Bytes:
    """A picture upright in its own size, or in a smaller one of which each part with ``least`` of
    its extent still has more pixels than ``form``: uint8 (height, width) or (height, width, 3)."""
    mode = "RGB" if form.colour else "L"
    with _opened(path) as image, _damage(path):
        turned = image.getexif().get(0x0112, 1)
        if image.format == "JPEG":
            wanted = (form.height, form.width) if turned >= 5 else (form.width, form.height)
            _draft(image, mode, (wanted[0] / least, wanted[1] / least), quick=least < 1)
        plain = _flat(image, mode)
        return np.asarray(_turned(plain, turned) if turned > 1 else plain, np.uint8)


def scaled(
    picture: Bytes,
    form: PictureForm,
    box: tuple[float, float, float, float] | None = None,
    mirrored: bool = False,
) -> Bytes:
    """A decoded picture, or the part ``box`` of it (left, upper, right, lower), in a form's size,
    perhaps ``mirrored``: each pixel is the average of what it covers, weighted by a triangle."""
    size = (form.height, form.width)
    if box is None and not mirrored and picture.shape[:2] == size:
        return picture
    return resample(picture, size, box, mirrored)


def _draft(image: Any, mode: str, wanted: tuple[float, float], quick: bool) -> None:
    """Lets a JPEG be decoded at a half, a quarter or an eighth of its size where that is at least
    5/4 of what is wanted, so that scaling down still averages over pixels; what is averaged (or cut
    at random, ``quick``) is decoded by the quicker one of the library's methods, whose error is
    about one level."""
    most = (round(wanted[0] * 5 / 4), round(wanted[1] * 5 / 4))
    if (
        image.draft(mode, most)
        and min(image.size[0] / wanted[0], image.size[1] / wanted[1]) >= 5 / 4
    ):
        image.decoderconfig = (image.decoderconfig[0], 1)


def _turned(image: Any, orientation: int) -> Any:
    """Upright, from EXIF's number of how the camera was held."""
    steps = {2: (0,), 3: (3,), 4: (1,), 5: (5,), 6: (4,), 7: (6,), 8: (2,)}
    for method in steps.get(orientation, ()):  # Pillow's numbers of flips and turns
        image = image.transpose(method)
    return image


def _flat(image: Any, mode: str) -> Any:
    """The picture in ``mode``, of eight bits, transparent parts on white."""
    with needs("vision", "Reading pictures"):
        from PIL import Image

    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(image, np.float64)
        wide = image.mode != "F" and values.max(initial=0) > 255
        values = values / 257.0 if wide else values
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    clear = image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info
    if clear:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (_MATTE,) * 4)
        image = Image.alpha_composite(ground, image)
    return image if image.mode == mode else image.convert(mode)


class _Quiet:
    """While somebody is inside, Pillow's warnings about damaged metadata are silent.  Filters of
    warnings belong to the whole process, so the first one in sets them and the last one out takes
    them back."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module="PIL")

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(None, None, None)


quiet = _Quiet()


@contextlib.contextmanager
def _opened(path: Path | io.BytesIO) -> Iterator[Any]:
    with needs("vision", "Reading pictures"):
        from PIL import Image

    with quiet, _damage(path), Image.open(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise DataError(
                f"{_name(path)} declares {image.width:,} × {image.height:,} pixels",
                f"Pictures may have up to {MAX_PIXELS:,}.",
            )
        yield image


@contextlib.contextmanager
def _damage(path: Path | io.BytesIO) -> Iterator[None]:
    """Errors of Pillow as ``DataError`` with the file's name."""
    with needs("vision", "Reading pictures"):
        from PIL import Image

    try:
        yield
    except (DataError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{_name(path)} declares too many pixels", "Scale it down.") from None
    except Exception as error:  # Pillow's readers raise errors of many kinds on damaged files
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        what = what.replace(f" {str(path)!r}", "").replace(f" {os.fspath(str(path))}", "")
        raise DataError(
            f"{_name(path)} is no picture that can be read: {what}", "Mend or remove the file."
        ) from None


def _name(path: Path | io.BytesIO) -> str:
    return str(path) if isinstance(path, Path) else "the picture"


def choose_form(
    paths: Sequence[Path], side: int | None, notes: list[str], workers: int | None = None
) -> PictureForm:
    """The form for these pictures: their own size where all have one of at most 64 × 64, else
    ``side`` × ``side`` (64 unless given); with colours where one of them has some.

    Looks at the heads of up to 400 of them, evenly taken.  What was decided is told.
    """
    looked = paths[:: max(1, -(-len(paths) // _LOOKED_AT))]
    heads = []
    for path in looked:
        with contextlib.suppress(DataError):
            heads.append(picture_head(path))
    if not heads:
        with contextlib.suppress(StopIteration):
            picture_head(next(iter(looked)))  # says what is wrong with it
        raise DataError("There is no picture", "Give PNG, JPEG or WebP files.")
    colour = any(head.colour for head in heads)
    sizes = {(head.height, head.width) for head in heads}
    height, width = (side, side) if side else (DEFAULT_SIDE, DEFAULT_SIDE)
    one = next(iter(sizes))
    if len(sizes) == 1 and not side and max(one) <= DEFAULT_SIDE:
        height, width = one
    form = PictureForm(height, width, colour)
    kind = "colour" if colour else "grey"
    if sizes == {(height, width)}:
        notes.append(f"Pictures are {height} × {width}, {kind}.")
    else:
        low, high = min(sizes), max(sizes)
        were = f"{low[0]} × {low[1]}" + (f" to {high[0]} × {high[1]}" if len(sizes) > 1 else "")
        notes.append(f"Pictures are scaled to {height} × {width} (they are {were}), {kind}.")
    return form


def read_pictures(
    paths: Sequence[Path], form: PictureForm, workers: int | None = None
) -> tuple[Bytes, dict[int, str]]:
    """Pictures (n, *form.shape) uint8, and for those that cannot be read what is wrong, by
    position; their pixels are 0.  ``workers`` threads decode, as many as there are processors
    unless given."""
    pictures = np.zeros((len(paths), *form.shape), np.uint8)
    broken: dict[int, str] = {}

    def read(place: int) -> None:
        try:
            pictures[place] = read_picture(paths[place], form)
        except DataError as error:
            broken[place] = str(error.message)

    with quiet, ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        list(pool.map(read, range(len(paths))))
    return pictures, dict(sorted(broken.items()))
