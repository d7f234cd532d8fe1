"""Formulas become MathML when the site is built: browsers draw it without script or font file."""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

_NAMES = re.compile(r"<mi>(ln|log|exp|sin|cos|tan|tanh|max|min|det|arg|sign)</mi>")
_SPACED = r'<mo lspace="0.17em" rspace="0.17em">\1</mo>'  # the converter sets "ln p" as "lnp"
_log = logging.getLogger(__name__)


def mathml(latex: str, display: str) -> str:
    """The formula as MathML; where it cannot be read, its LaTeX, with a warning of the build."""
    try:
        return _NAMES.sub(_SPACED, convert(latex.strip(), display=display))
    except Exception as error:  # of any kind: the converter has no class of its own for them
        _log.warning("a formula could not be read (%s): %s", error, latex)
        return f"<code>{html.escape(latex)}</code>"


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
