"""Sphinx's settings for one language of the site; ``build.py`` says which, by the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(os.environ["PELLUCID_SITE"])
sys.path.insert(0, str(HERE))

from build import GUIDES  # noqa: E402

import pellucid  # noqa: E402

CHINESE = os.environ["PELLUCID_SITE_LANGUAGE"] == "zh"

project = "Pellucid"
author = "The Pellucid authors"
version = release = pellucid.__version__
copyright = author
language = "zh_CN" if CHINESE else "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "formulas",
    "docstrings",
    "chinese",
]
root_doc = "contents"
templates_path = [str(HERE / "templates")]
default_role = "code"
suppress_warnings = [
    "myst.header",
    "misc.highlighting_failure",
    "ref.python",  # names of built-in types that attributes have, too
    "ref.ref",  # labels and terms in what is inherited from other libraries
    "ref.term",
]
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 76
python_use_unqualified_type_names = True
add_module_names = False

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shapes"]

html_theme = "furo"
html_title = "Pellucid"
html_static_path = [str(HERE / "static")]
html_css_files = ["pages.css"]
html_js_files = [("pages.js", {"defer": "defer"})]
html_additional_pages = {"index": "title.html"}
html_math_renderer = "mathml"
html_search_language = "zh"  # splits Chinese by pairs of characters, stems English
html_copy_source = False
html_show_search_summary = False  # a page opened as a file may not read others
html_show_sphinx = False
html_context = {"chinese": CHINESE}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#2b6cb0",
        "color-brand-content": "#2b6cb0",
        "color-brand-visited": "#6b46c1",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7db8f0",
        "color-brand-content": "#7db8f0",
        "color-brand-visited": "#b9a3f5",
    },
}


def _pages(app, page, template, context, doctree):  # type: ignore[no-untyped-def]
    """What the templates ask of a page: its other language, and what there is beside it."""
    other = "en" if CHINESE else "zh"
    up = "../" * (page.count("/") + 1)
    name = page.removesuffix(".zh-CN") if CHINESE else page
    if not CHINESE and name in GUIDES:
        name += ".zh-CN"
    context["counterpart"] = f"{up}{other}/{name}.html"
    context["has_reference"] = "reference/index" in app.env.found_docs
    lessons = sorted(x for x in app.env.found_docs if x.startswith("lessons/0"))
    context["first_lesson"] = lessons[0].removeprefix("lessons/") if lessons else None


def setup(app):  # type: ignore[no-untyped-def]
    """Sphinx calls it with itself."""
    app.connect("html-page-context", _pages)
