"""Where an error arose: the layer, the shapes of the layers before it, and the user's line.

Layers and operations say what they received and what to do.  This file adds, to an error on its
way out of a module's call, what the operation cannot know::

    linear expects 10 features on the last axis and got an input of shape (32, 8), in layer net.2
    (Linear(in_features=10, out_features=2, bias=True))
      shapes: input (32, 4) → net.0 Linear (32, 8) → net.1 ReLU (32, 8) → net.2 Linear
      at model.py:14: return self.net(x)
      The layer before gives 8 features: use nn.Linear(8, 2) here.

Nothing is computed for this before there is an error: calls keep the shapes of the last layers'
results, and no more.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple

from pellucid.base.errors import ArgumentError, DTypeError, PellucidError, ShapeError
from pellucid.base.notebooks import cell_of
from pellucid.nn.calling import STEPS, Pass, shapes_in
from pellucid.nn.tree import ModuleTree
from pellucid.tensor.trace import is_own_file

LOCATED = (ShapeError, DTypeError, ArgumentError)
"""Errors that are told where they arose, in their text."""
NOTED = (ValueError, IndexError, TypeError, AttributeError)
"""Python's own errors, which get it as a note under their text."""
_CALLS = "pellucid.nn.module"
"""Where modules are called."""
SHOWN = 10
"""Steps of the chain of shapes that are shown, besides the input."""
WIDEST = 160
"""Characters of a layer's description; a longer one is its class alone."""


class Failure(NamedTuple):
    """A call of a module out of which an error came."""

    module: ModuleTree
    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    running: Pass


def locate(error: Exception, failure: Failure) -> None:
    """Add to an error where it arose: as text to ours, as a note to Python's own.

    Only the innermost layer does.  The attributes ``layer`` and ``shapes`` hold path and chain.
    """
    if getattr(error, "layer", None) is not None:
        return
    if isinstance(error, LOCATED):
        tell(error, place_of(failure, error.__traceback__))
    elif isinstance(error, NOTED) and not isinstance(error, PellucidError):
        place = place_of(failure, error.__traceback__)
        error.layer, error.shapes = place.layer, place.shapes  # type: ignore[union-attr]
        error.add_note(place.where + place.chain + place.line)


class Place(NamedTuple):
    """Where something happened, as texts; ``chain`` and ``line`` each on a line of their own."""

    layer: str
    shapes: list[str]
    where: str
    chain: str
    line: str


def place_of(failure: Failure, traceback: TracebackType | None) -> Place:
    """The layer of a call, the shapes on the way there, and the user's line."""
    shapes, line = chain_of(failure), user_line(traceback)
    return Place(
        failure.path,
        shapes,
        f"in layer {failure.path} ({described_module(failure.module)})",
        f"\n  shapes: {' → '.join(shapes)}",
        f"\n  at {line}" if line else "",
    )


def place_now() -> Place | None:
    """Where the program is now: for an error that will be known later.  None outside of layers.

    The innermost call of a module is found among the frames, so that calls keep no list of them.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__call__" and frame.f_globals["__name__"] == _CALLS:
            found = frame.f_locals
            names = ("self", "path", "args", "kwargs", "running")
            return place_of(Failure(*(found[name] for name in names)), None)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def tell(error: Any, place: Place) -> None:
    """Add the place to one of our errors."""
    error.layer, error.shapes = place.layer, place.shapes
    error.message += f", {place.where}{place.chain}{place.line}"
    error.args = (f"{error.message}\n  {error.hint}" if error.hint else error.message,)


def described_module(module: ModuleTree) -> str:
    """A layer with its settings; a module that holds others by its class."""
    name = type(module).__name__
    if module._modules:
        return name
    try:
        text = " ".join(repr(module).split())
    except Exception:  # a user's extra_repr must not hide the error that is being told
        return name
    return text if len(text) <= WIDEST else name


# ---- the chain of shapes --------------------------------------------------------------------


def chain_of(failure: Failure) -> list[str]:
    """``["input (32, 4)", "net.0 Linear (32, 8)", …, "net.2 Linear"]``, long ones without middle.

    A step that no module made (a reshape in a forward) is ``your code (…)``.
    """
    running, module, path = failure.running, failure.module, failure.path
    steps = list(_visible(running.steps))
    first = shape_text(_arguments(running.args, running.kwargs))
    chain = [f"input {first}"] + [f"{p} {type(m).__name__} {shape_text(s)}" for p, m, s in steps]
    last = shape_text(steps[-1][2]) if steps else first
    given = shape_text(_arguments(failure.args, failure.kwargs))
    begun = module is running.root or (steps and steps[-1][0].startswith(f"{path}."))
    if given != last and given not in last and not begun:
        chain.append(f"your code {given}")
    if len(chain) > SHOWN + 1:
        left = "…" if len(running.steps) == STEPS else f"… {len(chain) - SHOWN - 1} more …"
        chain = [chain[0], left, *chain[-SHOWN:]]
    same = path == type(module).__name__
    return [*chain, path if same else f"{path} {type(module).__name__}"]


def _visible(steps: Any) -> Iterator[tuple[str, ModuleTree, Any]]:
    """The steps worth showing: layers, and modules that changed the shape after their last layer.

    A composite layer of ours, such as attention, hides what ran inside of it.
    """
    shown: list[tuple[str, ModuleTree, Any]] = []
    for path, module, shape in steps:
        if module._modules:
            if _is_own(module):
                while shown and shown[-1][0].startswith(f"{path}."):
                    shown.pop()
            elif shown and shown[-1][2] == shape:
                continue
        shown.append((path, module, shape))
    yield from shown


def _is_own(module: ModuleTree) -> bool:
    """Whether it is a layer of ours made of others, and not a container."""
    source = type(module).__module__
    return source.startswith("pellucid.nn.") and source != "pellucid.nn.containers"


def _arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Shapes of the tensors among a call's arguments: one alone, several in a list."""
    found = shapes_in((*args, *kwargs.values()))
    return found[0] if len(found) == 1 else found


def shape_text(shape: Any) -> str:
    """``(2, 3)``; several as ``[(2, 3), (4,)]``; ``none`` where there was no tensor."""
    if isinstance(shape, list):
        return f"[{', '.join(map(shape_text, shape))}]" if shape else "none"
    return "none" if shape is None else str(tuple(shape) if isinstance(shape, tuple) else shape)


# ---- the user's line ------------------------------------------------------------------------


def user_line(traceback: TracebackType | None) -> str:
    """``file:line: code`` of the innermost frame of the user's own code, empty if there is none.

    That is a line of a ``forward``, or the one that called the model.
    """
    found: tuple[str, int] | None = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not _is_library(file):
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    frame = sys._getframe(1)
    while found is None and frame is not None:
        if not _is_library(frame.f_code.co_filename):
            found = frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    if found is None:
        return ""
    code = linecache.getline(*found).strip()
    place = cell_of(found[0]) or _near(found[0])
    return f"{place}:{found[1]}" + (f": {code}" if code else "")


_LIBRARIES = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))


def _is_library(file: str) -> bool:
    """Whether code is this package's, Python's or an installed package's."""
    return is_own_file(file) or file.startswith(_LIBRARIES)


def _near(file: str) -> str:
    """A path as seen from the working folder, if it is inside of it."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):  # another drive, or the folder is gone
        return file
    return file if relative.startswith("..") or not os.path.isabs(file) else relative
