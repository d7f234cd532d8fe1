"""Chinese words in the pictures of a program."""

from __future__ import annotations

import warnings

from pellucid.base.extras import needs
from pellucid.insight.pictures.canvas import chinese_font

__all__ = ["chinese_labels"]


def chinese_labels() -> str:
    """Lets matplotlib write Chinese in all pictures that the program draws from here on.

    The first installed font of those with Chinese characters stands in where matplotlib's own font
    lacks a character.  Returns its name; warns (``UserWarning``) and returns "" where there is
    none.
    """
    with needs("plot", "Drawing"):
        import matplotlib

    font = chinese_font()
    if not font:
        warnings.warn(
            "No installed font has Chinese characters: they will be boxes. Install one, for "
            "example Noto Sans CJK (Debian: fonts-noto-cjk), and start again.",
            UserWarning,
            stacklevel=2,
        )
        return ""
    family = matplotlib.rcParamsDefault["font.sans-serif"][0]
    matplotlib.rcParams["font.family"] = [family, font]
    return font
