"""Arguments and results as trees: tuples, lists and dicts with tensors at the leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy


def map_tensors(tree: Any, change: Callable[[TensorCore], Any]) -> Any:
    """The tree with every tensor (and NumPy array) replaced by ``change`` of it."""
    if isinstance(tree, TensorCore):
        return tree if is_state(tree) else change(tree)
    if isinstance(tree, np.ndarray):
        return change(from_numpy(tree))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tensors(v, change) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_tensors(v, change) for v in tree)
    if isinstance(tree, dict):
        return {k: map_tensors(v, change) for k, v in tree.items()}
    return tree


def is_state(tensor: TensorCore) -> bool:
    """Whether an argument is a leaf that requires gradients: recognized by identity, not passed."""
    return tensor.requires_grad and tensor._record is None


def repeats(leaves: Sequence[TensorCore]) -> tuple[int, ...] | None:
    """For each leaf the first place with the same memory, or None if all are different tensors."""
    first: dict[int, int] = {}
    places = tuple(first.setdefault(id(t._cell), i) for i, t in enumerate(leaves))
    return None if len(first) == len(places) else places


class _Identity:
    """Stands for an argument that has no hash: equal only to itself, and kept alive, so that no
    later object can be taken for it."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value


def signature(tree: Any) -> Any:
    """What a call is recognized by: shapes and dtypes of tensors, values of everything else."""
    if isinstance(tree, TensorCore):
        return ("state", id(tree)) if is_state(tree) else (tree.shape, tree.dtype)
    if isinstance(tree, (list, tuple)):
        return (type(tree), *(signature(v) for v in tree))
    if isinstance(tree, dict):
        return (dict, *((k, signature(v)) for k, v in tree.items()))
    try:
        hash(tree)
    except TypeError:
        return _Identity(tree)
    return (type(tree), tree)


def flatten(tree: Any, leaves: list[TensorCore]) -> Any:
    """The tree with tensors replaced by a marker; the tensors go to ``leaves``."""
    if isinstance(tree, TensorCore):
        leaves.append(tree)
        return LEAF
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(flatten(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(flatten(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: flatten(v, leaves) for k, v in tree.items()}
    return tree


LEAF = type("Leaf", (), {"__slots__": ()})()


def rebuild(tree: Any, leaves: Any) -> Any:
    """The reverse of :func:`flatten`."""
    if tree is LEAF:
        return next(leaves)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(rebuild(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: rebuild(v, leaves) for k, v in tree.items()}
    return tree
