"""Formulas become MathML when the site is built: browsers draw it without script or font file."""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from pellucid.course import reading

_log = logging.getLogger(__name__)


def mathml(latex: str, display: str) -> str:
    """The formula as MathML; where it cannot be read, its LaTeX, with a warning of the build."""
    try:
        return reading.mathml(latex, block=display == "block")
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
