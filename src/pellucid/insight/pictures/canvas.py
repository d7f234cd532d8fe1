"""What all pictures share: axes to draw into, words in the user's language, fonts, files.

A picture goes, in this order of what is given, into the axes ``ax``, into the file ``path``, or
into a new figure: one of ``matplotlib.pyplot`` (so that a notebook shows it, and ``plt.show()`` a
window) where the program uses pyplot, one without a window elsewhere.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, FileError
from pellucid.base.extras import needs
from pellucid.base.language import translated
from pellucid.base.notebooks import is_notebook

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png")
BLUE, ORANGE, GREY, LIGHT = "#2b6cb0", "#dd6b20", "#888888", "#cbd5e0"
SERIES = (BLUE, ORANGE, "#2f855a", "#b83280", "#6b46c1", "#975a16", "#0987a0", "#c53030")
"""Colours of lines beside each other, in their order; told apart also by the colour-blind."""

Path_ = str | os.PathLike[str] | None

_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
_EAST_ASIAN = ("CJK", "Hei", "Song", "Ming", "Kai", "Fang", "Gothic", "Mincho", "Han", "Unicode")
"""Parts of the names of fonts that may have Chinese characters."""


def new_figure(width: float, height: float) -> Figure:
    """A figure of matplotlib of this size in inches, without a window."""
    with needs("plot", "Drawing"):
        from matplotlib import figure

    return figure.Figure(figsize=(width, height), layout="constrained")


def axes_for(
    ax: Axes | None,
    path: Path_ = None,
    width: float = 6.0,
    height: float = 4.0,
    projection: str | None = None,
) -> Axes:
    """The axes to draw into: ``ax``, or those of a new figure of this size in inches.

    ``ArgumentError`` for a ``path`` that is no picture's name, before anything is drawn, and for
    axes of another projection.
    """
    if path is not None:
        _checked(path)
    if ax is not None:
        if getattr(ax, "name", "") != (projection or "rectilinear"):
            raise ArgumentError(
                f"The picture needs {projection or 'plane'} axes and got {type(ax).__name__}",
                f'Make them with figure.add_subplot(projection="{projection}").'
                if projection
                else "Make them with figure.subplots().",
            )
        return ax
    if path is None and _uses_pyplot():
        with needs("plot", "Drawing"):
            from matplotlib import pyplot

        figure = pyplot.figure(figsize=(width, height), layout="constrained")
    else:
        figure = new_figure(width, height)
    made: Axes = figure.add_subplot(1, 1, 1, projection=projection)
    return made


def _uses_pyplot() -> bool:
    """Whether pyplot runs already, or a notebook would show its figures."""
    if is_notebook() and "matplotlib.pyplot" not in sys.modules:
        with needs("plot", "Drawing"):
            import matplotlib.pyplot  # noqa: F401
    return "matplotlib.pyplot" in sys.modules


def finished(ax: Axes, path: Path_ = None) -> Axes:
    """The axes with fonts for all their characters, written to ``path`` where it is given."""
    give_fonts(ax.figure)
    if path is not None:
        save_figure(ax.figure, path)
    return ax


def frame(ax: Axes, x: str = "", y: str = "", title: str = "") -> None:
    """Names of the axes in the user's language, a title as it was given, no box around."""
    if x:
        ax.set_xlabel(words(x))
    if y:
        ax.set_ylabel(words(y))
    if title:
        ax.set_title(title)
    ax.spines[["top", "right"]].set_visible(False)


def legend(ax: Axes, **settings: Any) -> None:
    """A legend without a frame."""
    ax.legend(**{"frameon": False, "fontsize": "small", **settings})


# ---- words and fonts ---------------------------------------------------------------------------


def words(text: str) -> str:
    """A text in the user's language; English where no font has the characters."""
    told = translated(text)
    return told if told.isascii() or _font_for(told) else text


def give_fonts(figure: Any) -> None:
    """Every text of a figure gets a second font where the first lacks some of its characters.

    Warns once a figure (``UserWarning``) where no installed font has them.
    """
    with needs("plot", "Drawing"):
        from matplotlib.text import Text

    missing = ""
    for text in figure.findobj(Text):
        content = text.get_text()
        if not content or content.isascii() or "$" in content:
            continue
        strange = "".join(c for c in content if _is_east_asian(c))
        if not strange:
            continue
        font = _font_for(strange)
        if font:
            families = [f for f in text.get_fontfamily() if f != font]
            text.set_fontfamily([*families, font])
        else:
            missing = missing or content
    if missing:
        warnings.warn(
            f"No installed font has the characters of {missing!r}: they will be boxes. "
            "Install one, for example Noto Sans CJK (Debian: fonts-noto-cjk), and start again.",
            UserWarning,
            stacklevel=4,
        )


def _is_east_asian(character: str) -> bool:
    return "\u2e80" <= character <= "\uffef" or "\U00020000" <= character <= "\U0003ffff"


def chinese_font() -> str:
    """The family of an installed font with Chinese characters; "" where there is none."""
    return _font_for("中文")


def _font_for(text: str) -> str:
    """The family of an installed font with the characters of ``text``; "" where there is none."""
    with needs("plot", "Drawing"):
        from matplotlib import font_manager

    found = _known_font(text, font_manager)
    if not found and _add_new_fonts(font_manager):
        found = _known_font(text, font_manager)
    return found


def _known_font(text: str, font_manager: Any) -> str:
    known = set(font_manager.get_font_names())
    for name in _CHINESE_FONTS:
        if name in known:
            return name
    wanted = {ord(c) for c in text if _is_east_asian(c)}
    for entry in font_manager.fontManager.ttflist:
        if _may_be_east_asian(entry.name) and wanted <= _characters(entry.fname):
            return str(entry.name)
    return ""


def _add_new_fonts(font_manager: Any) -> bool:
    """Fonts installed since matplotlib made its list, which it never does again by itself."""
    listed = {entry.fname for entry in font_manager.fontManager.ttflist}
    added = False
    for file in font_manager.findSystemFonts():
        if file not in listed:
            try:
                font_manager.fontManager.addfont(file)
                added = True
            except (OSError, RuntimeError):
                continue
    return added


def _may_be_east_asian(name: str) -> bool:
    """Whether a font is worth opening: reading all of them takes seconds."""
    return any(mark in name for mark in _EAST_ASIAN)


def _characters(file: str) -> set[int]:
    with needs("plot", "Drawing"):
        from matplotlib.ft2font import FT2Font

    try:
        return set(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return set()


# ---- files -------------------------------------------------------------------------------------


def _checked(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"{file.name!r} does not end in one of {', '.join(SUFFIXES)}", "Name the file so."
        )
    return file


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure as SVG or PNG, by the name's ending.

    Raises ``ArgumentError`` for another ending, ``FileError`` where it cannot be written.
    """
    file = _checked(path)
    give_fonts(figure)
    try:
        figure.savefig(file, dpi=120, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as error:
        raise FileError(
            f"The picture cannot be written to {file}: {error.strerror or error}",
            "Choose a folder that exists and may be written to.",
        ) from None


# ---- pictures made of pictures -----------------------------------------------------------------


def mosaic(
    tiles: Iterable[npt.NDArray[Any]], columns: int, gap: int = 1, background: float = 1.0
) -> npt.NDArray[np.float64]:
    """Equally large pictures (height, width) or (height, width, 3), ``columns`` beside each
    other, with ``gap`` pixels of ``background`` between them."""
    shown = [np.asarray(tile, np.float64) for tile in tiles]
    height, width, *colours = shown[0].shape
    lines = -(-len(shown) // columns)
    size = (lines * (height + gap) - gap, columns * (width + gap) - gap, *colours)
    whole = np.full(size, background)
    for place, tile in enumerate(shown):
        top = place // columns * (height + gap)
        left = place % columns * (width + gap)
        whole[top : top + height, left : left + width] = tile
    return whole


def numbers(values: Any) -> npt.NDArray[np.float64]:
    """A tensor or anything like an array, as float64 without its history."""
    if hasattr(values, "detach"):
        values = values.detach().numpy()
    return np.asarray(values, np.float64)
