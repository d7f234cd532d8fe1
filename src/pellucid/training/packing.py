"""Values of Python as JSON and arrays, and back: what stands in a file and executes nothing.

Numbers, texts, lists, tuples, dictionaries, arrays and tensors, nested in any way, come back as
they were, bit by bit.  Nothing else is taken: a value that cannot come back is refused when it is
packed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.tensor.core import lift
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]
_FINITE = (int, str, bool, type(None))
_DEEPEST = 100


def pack(value: Any, arrays: dict[str, Array], name: str) -> object:
    """``value`` as JSON; arrays and tensors in it are put into ``arrays``, under names that begin
    with ``name``.  They are not copied.

    ``ArgumentError`` for a value that cannot be packed; ``name`` says in it where it stands.
    """
    if type(value) in _FINITE:
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Tensor):
        return {"tensor": _put(arrays, name, value.detach().array())}
    if isinstance(value, np.ndarray | np.generic):
        if np.asarray(value).dtype.kind not in "biufc":
            raise _unpackable(value, name)
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {kind: _put(arrays, name, np.asarray(value))}
    if isinstance(value, Mapping):
        entries = [
            [pack(key, arrays, f"{name}/key {n}"), pack(entry, arrays, f"{name}/{key}")]
            for n, (key, entry) in enumerate(value.items())
        ]
        return {"dict": entries}
    if type(value) in (list, tuple):
        listed = [pack(entry, arrays, f"{name}/{n}") for n, entry in enumerate(value)]
        return listed if isinstance(value, list) else {"tuple": listed}
    raise _unpackable(value, name)


def _put(arrays: dict[str, Array], name: str, array: Array) -> str:
    """Enters an array under a name that nothing else has, which is returned."""
    while name in arrays:  # the keys 1 and "1" of one dictionary
        name += "'"
    arrays[name] = array
    return name


def _unpackable(value: Any, name: str) -> ArgumentError:
    return ArgumentError(
        f"{name} holds a {type(value).__name__}, which cannot be saved",
        "Numbers, texts, lists, tuples, dictionaries, arrays and tensors can be.",
    )


def unpack(packed: Any, arrays: Mapping[str, Array], where: str, depth: int = 0) -> Any:
    """What :func:`pack` took.  ``DataError`` for anything that it does not make."""
    if depth > _DEEPEST:
        raise _damaged(where, "is nested too deeply")
    if type(packed) in _FINITE or isinstance(packed, float):
        return packed
    if isinstance(packed, list):
        return [unpack(entry, arrays, where, depth + 1) for entry in packed]
    if not isinstance(packed, dict) or len(packed) != 1:
        raise _damaged(where, f"holds {str(packed)[:60]!r}")
    kind, content = next(iter(packed.items()))
    if kind == "float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if kind in ("tensor", "array", "number"):
        if content not in arrays:
            raise _damaged(where, f"lacks the array {str(content)[:60]!r}")
        found = arrays[content]
        if kind == "tensor":
            return lift(found)
        return found if kind == "array" else found[()]
    if kind == "tuple" and isinstance(content, list):
        return tuple(unpack(entry, arrays, where, depth + 1) for entry in content)
    if kind == "dict" and isinstance(content, list):
        return _unpacked_dict(content, arrays, where, depth + 1)
    raise _damaged(where, f"holds a {str(kind)[:60]!r}")


def _unpacked_dict(
    entries: list[Any], arrays: Mapping[str, Array], where: str, depth: int
) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2:
            raise _damaged(where, "holds a dictionary that is none")
        key = unpack(entry[0], arrays, where, depth)
        try:
            made[key] = unpack(entry[1], arrays, where, depth)
        except TypeError:
            raise _damaged(where, "holds a key that cannot be one") from None
    return made


def _damaged(where: str, what: str) -> DataError:
    return DataError(f"{where} {what}", "The file is damaged, or of another kind: use another.")
