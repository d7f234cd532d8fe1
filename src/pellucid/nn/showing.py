"""A module in a notebook: the tree of its layers, each with its settings and parameters."""

from __future__ import annotations

import html

from pellucid.nn.tree import ModuleTree

OPEN_DEPTH = 2
"""Levels of the tree that are open at first."""
WIDEST = 200
"""Characters of a layer's settings that are shown."""


def module_html(module: ModuleTree, name: str = "", depth: int = 0) -> str:
    """The module as HTML: collapsible where it holds others or parameters; all text escaped."""
    own = [(n, p) for n, p in module.named_parameters(recurse=False)]
    buffers = [(n, b) for n, b in module.named_buffers(recurse=False)]
    total = sum(int(p.numel()) for p in module.parameters())
    title = f"{name}: " if name else ""
    title += type(module).__name__
    settings = _settings(module)
    head = f"<b>{html.escape(title)}</b>"
    if settings:
        head += f" <code>{html.escape(settings)}</code>"
    if total:
        head += f" {total:,} parameter" + "s" * (total != 1)
    inner = "".join(
        module_html(child, child_name, depth + 1) for child_name, child in module.named_children()
    )
    rows = [(n, p.shape, p.dtype.name, _state(p.requires_grad)) for n, p in own]
    rows += [(n, b.shape, b.dtype.name, "buffer") for n, b in buffers if b is not None]
    table = "".join(
        f"<tr><td>{html.escape(n)}</td><td>{tuple(shape)}</td><td>{dtype}</td><td>{kind}</td></tr>"
        for n, shape, dtype, kind in rows
    )
    if table:
        table = f"<table>{table}</table>"
    if not (inner or table):
        return f'<div style="margin-left:1em">{head}</div>'
    opened = " open" if depth < OPEN_DEPTH and inner else ""
    return (
        f'<details style="margin-left:1em"{opened}><summary>{head}</summary>{table}{inner}'
        "</details>"
    )


def _state(requires_grad: bool) -> str:
    return "learned" if requires_grad else "frozen"


def _settings(module: ModuleTree) -> str:
    """The settings in a layer's text, cut where they are long."""
    try:
        text = " ".join(module.extra_repr().split())
    except Exception:  # a user's extra_repr must not keep the others from being shown
        return ""
    return text if len(text) <= WIDEST else text[:WIDEST] + "…"
