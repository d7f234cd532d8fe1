"""Arguments and results as trees: tuples, lists and dicts with tensors at the leaves.

A sparse tensor is a branch with two leaves: its places and its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.guards import Identity, exact


def map_tensors(tree: Any, change: Callable[[TensorCore], Any], by_identity: bool = True) -> Any:
    """The tree with every tensor (and NumPy array) replaced by ``change`` of it.

    With ``by_identity`` leaves that require gradients stay as they are; see :func:`is_state`.
    """
    if isinstance(tree, TensorCore):
        if tree.answers_functions:
            return _branched(tree, lambda part: map_tensors(part, change, by_identity))
        return tree if by_identity and is_state(tree) else change(tree)
    if isinstance(tree, np.ndarray):
        return change(from_numpy(tree))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tensors(v, change, by_identity) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_tensors(v, change, by_identity) for v in tree)
    if isinstance(tree, dict):
        return {k: map_tensors(v, change, by_identity) for k, v in tree.items()}
    return tree


def _branched(sparse: Any, change: Callable[[Any], Any]) -> Any:
    """A sparse tensor with ``change`` of its parts."""
    return sparse.with_parts(*map(change, sparse.parts()))


def is_state(tensor: TensorCore) -> bool:
    """Whether an argument is a leaf that requires gradients.

    Such a one is recognized by identity and not passed where the function collects its gradient.
    """
    return tensor.requires_grad and tensor._record is None


def repeats(leaves: Sequence[TensorCore]) -> tuple[int, ...] | None:
    """For each leaf the first place with the same memory, or None if all are different tensors."""
    first: dict[int, int] = {}
    places = tuple(first.setdefault(id(t._cell), i) for i, t in enumerate(leaves))
    return None if len(first) == len(places) else places


def signature(tree: Any, by_identity: bool = True, recorded: bool = False) -> Any:
    """What a call is recognized by: shapes and dtypes of tensors, values of everything else.

    ``recorded``: also which tensors require gradients.
    """
    if isinstance(tree, TensorCore):
        if tree.answers_functions:
            sparse: Any = tree
            parts = (signature(part, by_identity, recorded) for part in sparse.parts())
            return (sparse.shape, sparse.layout, sparse.is_coalesced(), *parts)
        if by_identity and is_state(tree):
            return ("state", Identity(tree))
        return (tree.shape, tree.dtype, recorded and tree._requires_grad)
    if isinstance(tree, (list, tuple)):
        return (type(tree), *(signature(v, by_identity, recorded) for v in tree))
    if isinstance(tree, dict):
        return (dict, *((k, signature(v, by_identity, recorded)) for k, v in tree.items()))
    found = exact(tree)
    if not isinstance(found, Identity):
        return found
    try:
        hash(tree)
    except TypeError:
        return found
    return (type(tree), tree)


def flatten(tree: Any, leaves: list[TensorCore]) -> Any:
    """The tree with tensors replaced by a marker; the tensors go to ``leaves``."""
    if isinstance(tree, TensorCore):
        if tree.answers_functions:
            return _branched(tree, lambda part: flatten(part, leaves))
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
    if isinstance(tree, TensorCore):
        return _branched(tree, lambda part: rebuild(part, leaves))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(rebuild(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: rebuild(v, leaves) for k, v in tree.items()}
    return tree
