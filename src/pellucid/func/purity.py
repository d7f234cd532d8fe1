"""Functions without changes in place, and tensors without wrappers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.tensor.core import TensorCore

REMOVALS = ("mutations", "mutations_and_views")


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """``func`` itself: graphs here hold no changes in place and no views to be removed.

    Whatever traces a function (``compile``, ``vmap``) turns a change in place into a new value,
    and a view into an operation.  ``remove`` is checked as in PyTorch: ``"mutations"`` or
    ``"mutations_and_views"``.
    """
    if remove not in REMOVALS:
        raise ArgumentError(
            "functionalize(f, remove='mutations'): Valid options for inputs are: "
            f"remove='mutations', remove='mutations_and_views'. Got remove={remove}",
            "use one of these",
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped


def debug_unwrap(tensor: TensorCore, *, recurse: bool = True) -> TensorCore:
    """The tensor: no transformation wraps tensors here.

    Under ``vmap`` it is one row, whose value is not known.
    """
    return tensor
