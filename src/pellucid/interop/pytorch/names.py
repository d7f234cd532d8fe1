"""What names may stand in a file of PyTorch, and what they mean here.

This list is what makes reading safe: a name that is not in it is refused, by name.  Nothing is
imported and no function of another package is called on behalf of a file, unless the program
itself vouches for it with :func:`add_safe_globals`.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import pathlib
import re
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, as_dtype
from pellucid.base.errors import ArgumentTypeError, DataError, DTypeError
from pellucid.interop.pytorch.pickles import Global, refuse
from pellucid.interop.pytorch.storages import (
    rebuild_parameter,
    rebuild_sparse,
    rebuild_tensor,
    rebuild_tensor_with_dtype,
    storage_kind,
)
from pellucid.tensor.tensor import Tensor

# ---- calls that a file may ask for ---------------------------------------------------------------


def _ordered(items: Any = ()) -> collections.OrderedDict[Any, Any]:
    return collections.OrderedDict(items)


def _default_dict(factory: Any = None, items: Any = ()) -> collections.defaultdict[Any, Any]:
    if factory not in (None, list, dict, set, int, float, str, collections.OrderedDict):
        refuse("a defaultdict has another factory than a plain container or number")
    return collections.defaultdict(factory, items)


def _counter(items: Any = ()) -> collections.Counter[Any]:
    return collections.Counter(dict(items))


def _size(numbers: Any = ()) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers)


def _device(kind: Any = "cpu", index: Any = None) -> str:
    """Places of the machine that wrote the file; as texts, since none of them need exist here."""
    return str(kind) if index is None else f"{kind}:{int(index)}"


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How pickles of old protocols write bytes."""
    if encoding not in ("latin1", "latin-1"):
        refuse(f"bytes are encoded as {encoding!r}")
    return str(text).encode("latin-1")


def _bytes(items: Any = b"", encoding: Any = "latin1") -> bytes:
    return _encode(items, encoding) if isinstance(items, str) else bytes(_byte_values(items))


def _bytearray(items: Any = b"", encoding: Any = "latin1") -> bytearray:
    if isinstance(items, str):
        return bytearray(_encode(items, encoding))
    return bytearray(_byte_values(items))


def _byte_values(items: Any) -> Any:
    if not isinstance(items, bytes | bytearray | list | tuple):
        refuse("bytes are made of something else than bytes or numbers")  # bytes(10**12) is long
    return items


def _rebuild_from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor with attributes, or one of a class of its own: the tensor alone."""
    makers = {rebuild_tensor, rebuild_tensor_with_dtype, rebuild_parameter}
    if function not in makers:
        refuse("a tensor is made by an unknown function")
    made: Tensor = function(*arguments)
    return made


# ---- arrays of NumPy -----------------------------------------------------------------------------

_PLAIN_DTYPE = re.compile(r"[<>=|]?[?biufcSUV?][0-9]*")


def _numpy_dtype(name: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    """An element type without Python objects and without fields."""
    if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
        refuse(f"an array has the element type {name!r}")
    return np.dtype(name, copy=True)


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """An array that gets its content later."""
    if kind is not np.ndarray:
        refuse("an array is of a class of its own")
    return np.empty(0, np.uint8)


def _numpy_scalar(dtype: Any, content: Any = None) -> Any:
    """A number of NumPy from its bytes."""
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes):
        refuse("a number of NumPy is not made of bytes")
    if dtype.hasobject or dtype.itemsize != len(content):
        refuse(f"a number of NumPy has {len(content)} bytes")
    return np.frombuffer(content, dtype)[0]


def fill_array(array: np.ndarray, state: Any) -> None:
    """Give an array the shape, element type and content that the file states."""
    _, shape, dtype, fortran, content = state
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(content, bytes):
        refuse("an array holds Python objects")
    if not all(type(extent) is int and extent >= 0 for extent in shape):
        refuse(f"an array has the shape {shape}")
    count = 1
    for extent in shape:
        count *= extent
    if count * dtype.itemsize != len(content) or len(shape) > 32:
        refuse(f"an array of shape {shape} has {len(content)} bytes")
    filling: Any = array.__setstate__
    filling((1, tuple(shape), dtype, bool(fortran), content))


def order_bytes(dtype: np.dtype[Any], state: Any) -> None:
    """Give an element type its byte order."""
    version, order, *rest = state
    if dtype.hasobject or order not in ("<", ">", "=", "|") or any(x is not None for x in rest[:3]):
        refuse("an element type has fields")
    numbers = [int(number) for number in rest[3:5]]
    dtype.__setstate__((3, order, None, None, None, *numbers, 0))  # type: ignore[attr-defined]


# ---- the table -----------------------------------------------------------------------------------


def _plain(call: Callable[..., Any]) -> Global:
    return Global(call, call)


_ALLOWED: dict[str, Global] = {
    "collections.OrderedDict": Global(collections.OrderedDict, _ordered, _ordered),
    "collections.defaultdict": Global(collections.defaultdict, _default_dict),
    "collections.Counter": Global(collections.Counter, _counter),
    "builtins.set": Global(set, set),
    "builtins.frozenset": Global(frozenset, frozenset),
    "builtins.complex": Global(complex, complex),
    "builtins.bytes": Global(bytes, _bytes),
    "builtins.bytearray": Global(bytearray, _bytearray),
    "builtins.slice": Global(slice, slice),
    "builtins.range": Global(range, range),
    "builtins.int": Global(int),
    "builtins.float": Global(float),
    "builtins.bool": Global(bool),
    "builtins.str": Global(str),
    "builtins.list": Global(list, list),
    "builtins.dict": Global(dict, dict),
    "builtins.tuple": Global(tuple, tuple),
    "argparse.Namespace": Global(
        argparse.Namespace, argparse.Namespace, lambda: argparse.Namespace()
    ),
    "types.SimpleNamespace": Global(types.SimpleNamespace, types.SimpleNamespace),
    "datetime.date": Global(datetime.date, datetime.date),
    "datetime.datetime": Global(datetime.datetime, datetime.datetime),
    "datetime.timedelta": Global(datetime.timedelta, datetime.timedelta),
    "pathlib.PosixPath": Global(pathlib.PurePosixPath, pathlib.PurePosixPath),
    "pathlib.WindowsPath": Global(pathlib.PureWindowsPath, pathlib.PureWindowsPath),
    "_codecs.encode": _plain(_encode),
    "torch.Size": Global(tuple, _size),
    "torch.device": _plain(_device),
    "torch.Tensor": Global(Tensor),
    "torch.torch_version.TorchVersion": Global(str, str, str),
    "torch.serialization._get_layout": _plain(str),
    "torch._utils._rebuild_tensor": _plain(rebuild_tensor),
    "torch._utils._rebuild_tensor_v2": Global(rebuild_tensor, rebuild_tensor),
    "torch._utils._rebuild_tensor_v3": _plain(rebuild_tensor_with_dtype),
    "torch._utils._rebuild_parameter": _plain(rebuild_parameter),
    "torch._utils._rebuild_parameter_with_state": Global(rebuild_parameter, rebuild_parameter),
    "torch._utils._rebuild_sparse_tensor": _plain(rebuild_sparse),
    "torch._tensor._rebuild_from_type_v2": _plain(_rebuild_from_type),
    "numpy.dtype": _plain(_numpy_dtype),
    "numpy.ndarray": Global(np.ndarray),
    "numpy.core.multiarray._reconstruct": _plain(_empty_array),
    "numpy._core.multiarray._reconstruct": _plain(_empty_array),
    "numpy.core.multiarray.scalar": _plain(_numpy_scalar),
    "numpy._core.multiarray.scalar": _plain(_numpy_scalar),
}
for _old in ("set", "frozenset", "complex", "bytearray", "slice", "range", "int", "float", "bool"):
    _ALLOWED[f"__builtin__.{_old}"] = _ALLOWED[f"builtins.{_old}"]
for _kind in ("list", "dict", "tuple"):
    _ALLOWED[f"__builtin__.{_kind}"] = _ALLOWED[f"builtins.{_kind}"]
_ALLOWED["__builtin__.unicode"] = _ALLOWED["builtins.str"]
_ALLOWED["torch.nn.parameter.Parameter"] = Global(Tensor, rebuild_parameter)

_vouched: dict[str, Global] = {}
"""What the program itself has allowed."""


def find(module: str, name: str) -> Global:
    """What a name in a file stands for.  Raises :class:`DataError` for one that is not allowed."""
    full = f"{module}.{name}"
    found = _vouched.get(full) or _ALLOWED.get(full)
    if found is not None:
        return found
    if module in ("torch", "torch.storage", "torch.cuda"):
        kind = storage_kind(name)
        if kind is not None:
            return Global(kind)
    if module == "torch":
        try:
            return Global(as_dtype(name))
        except DTypeError:
            pass
    raise refused(full)


def refused(full: str) -> DataError:
    """The error for a name that is not allowed."""
    return DataError(
        f"The file names {full}, which is not on the list of what a file of weights may hold; "
        "nothing was executed",
        "Save the state_dict() of the model instead of the model, or, if you trust the file and "
        "the name is a class of yours, allow it: pellucid.serialization.add_safe_globals([...]).",
    )


def set_state(made: Any, state: Any) -> None:
    """Give a made object the state that the file holds."""
    if isinstance(made, np.ndarray):
        fill_array(made, state)
    elif isinstance(made, np.dtype):
        order_bytes(made, state)
    elif isinstance(made, Tensor):
        pass  # attributes of tensors and names of axes are not kept here
    elif isinstance(made, collections.OrderedDict | argparse.Namespace | types.SimpleNamespace):
        _set_attributes(made, state)
    elif any(type(made) is found.value for found in _vouched.values()):
        _set_vouched(made, state)
    else:
        refuse(f"a {type(made).__name__} gets a state")


def _set_attributes(made: Any, state: Any) -> None:
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        refuse("the attributes of an object have no names")
    made.__dict__.update(state)


def _set_vouched(made: Any, state: Any) -> None:
    """State of a class of the program: as Python's own unpickler gives it."""
    setter = getattr(made, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for name, value in {**(attributes or {}), **(slots or {})}.items():
        object.__setattr__(made, name, value)


# ---- what the program allows ---------------------------------------------------------------------


def add_safe_globals(safe_globals: Sequence[Any]) -> None:
    """Allow classes and functions of your own in files that are read from now on.

    Entries are classes or functions, or pairs ``(object, "module.name")`` where the file knows it
    under another name.  Objects of such classes are made and functions called as a pickle says, so
    allow only what is harmless with any arguments.
    """
    for entry in safe_globals:
        value, full = entry if isinstance(entry, tuple) else (entry, "")
        if not callable(value) and not isinstance(value, DType):
            raise ArgumentTypeError(
                f"add_safe_globals got a {type(value).__name__}", "give classes or functions"
            )
        full = full or f"{value.__module__}.{value.__qualname__}"
        create = value.__new__ if isinstance(value, type) else None
        making = None if create is None else (lambda *a, _c=create, _v=value, **k: _c(_v, *a, **k))
        _vouched[full] = Global(value, value, making)


def get_safe_globals() -> list[Any]:
    """What :func:`add_safe_globals` has allowed."""
    return [found.value for found in _vouched.values()]


def clear_safe_globals() -> None:
    """Allow nothing of your own any more."""
    _vouched.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: Sequence[Any]) -> Iterator[None]:
    """As :func:`add_safe_globals`, for the time of a ``with`` block."""
    before = dict(_vouched)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _vouched.clear()
        _vouched.update(before)
