"""``out=``: a result that is written into a tensor the caller already has.

One mechanism for every function that takes the argument.  The function computes its result as
always; then the result is converted to the dtype of ``out`` and written into its memory, so that
views of it, NumPy arrays that share it and compiled programs see the new values.  ``out`` itself is
what the call returns.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid.base.boundary import UNFORESEEN, understood
from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import (
    ArgumentTypeError,
    AutogradError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TraceError,
)
from pellucid.base.shapes import size_of
from pellucid.ops import elementwise
from pellucid.ops.views import is_stretched_view
from pellucid.tensor.core import TensorCore
from pellucid.tensor.inplace import check_result_type
from pellucid.tensor.overlap import shares
from pellucid.tensor.state import state
from pellucid.tensor.validity import changed

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_out(function: Function) -> Function:
    """Let a function take ``out``, which its own signature names and its body never sees.

    ``out`` is a tensor, or a tuple of them where there are several results.  A function with an
    argument ``dtype`` computes in that of ``out`` unless one is given.  Raises ``DTypeError`` or
    ``InPlaceError`` where the result does not fit the dtype of ``out`` (float into int, anything
    into bool), ``AutogradError`` where a gradient would have to flow, ``ArgumentTypeError`` for
    what is no tensor.  An ``out`` of another shape is resized, with a warning unless it is empty.
    """
    name = function.__name__
    taken = inspect.signature(function).parameters
    typed = "dtype" in taken
    by_place = typed and taken["dtype"].kind is not inspect.Parameter.KEYWORD_ONLY
    place = list(taken).index("dtype") if by_place else None

    @functools.wraps(function)
    def run(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        try:
            if out is None:
                return function(*args, **kwargs)
            if name in _PLACED:
                _check_apart(name, out, (*args, *kwargs.values()))
            if typed and isinstance(out, TensorCore):
                kwargs = _computed_in(name, out, place, args, kwargs)
            return _write_all(name, out, function(*args, **kwargs))
        except UNFORESEEN as error:
            raise understood(error, name, args, kwargs) from error

    return run  # type: ignore[return-value]


_PLACED = frozenset(
    "cat cross dstack gather hstack index_select kron kthvalue masked_select outer stack take "
    "take_along_dim vstack".split()
)
"""Functions that write other places than they read: PyTorch refuses operands as their out."""
_OF_THEIR_DTYPE = frozenset("aminmax gather index_select masked_select multinomial take".split())
"""Functions that convert nothing for their out."""


def _check_apart(name: str, out: Any, args: tuple[Any, ...]) -> None:
    """Raise if a result would be written into memory of an operand."""
    read = [array for x in args for array in _arrays(x)]
    for target in _arrays(out):
        if any(array is target or shares(target, array) for array in read):
            raise InPlaceError(
                f"{name}(): unsupported operation: out shares memory with an operand",
                "clone() one of them",
            )


def _arrays(value: Any) -> list[Any]:
    """The known arrays of a tensor, or of several."""
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in _arrays(part)]
    return (
        [value.array()] if isinstance(value, TensorCore) and value._cell.array is not None else []
    )


def with_out(signature: inspect.Signature) -> inspect.Signature:
    """The signature with a last argument ``out``, as its result is one tensor or several."""
    returned = str(signature.return_annotation)
    several = not {part.strip() for part in returned.split("|")} & {"Tensor", "Any"}
    kind = "tuple[Tensor, ...] | None" if several else "Tensor | None"
    if "|" in returned:
        kind = "Tensor | tuple[Tensor, ...] | None"
    out = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    return signature.replace(parameters=[*signature.parameters.values(), out])


def _computed_in(
    name: str, out: Any, place: int | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The keywords with the dtype of ``out``; one that was given must be the same."""
    given = args[place] if place is not None and len(args) > place else kwargs.get("dtype")
    if given is not None:
        if as_dtype(given) is not out.dtype:
            raise DTypeError(
                f"{name} got dtype={as_dtype(given).name} and an out of {out.dtype.name}: dtype "
                f"{as_dtype(given).name} does not match dtype of out parameter",
                "give one of them",
            )
        return kwargs
    if any(isinstance(a, TensorCore) and a.dtype is out.dtype for a in args):
        return kwargs
    return {**kwargs, "dtype": out.dtype}


def _write_all(name: str, out: Any, result: Any) -> Any:
    """The result, or each of several, written into ``out``; returns what the function would."""
    if isinstance(result, TensorCore):
        if not isinstance(out, TensorCore):
            raise ArgumentTypeError(
                f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}",
                "give a tensor to write the result into",
            )
        _check_history(name, out, result)
        _check_dtype(name, out, result)
        return _write(out, result)
    if not isinstance(out, (tuple, list)) or not all(isinstance(t, TensorCore) for t in out):
        raise ArgumentTypeError(
            f"{name}(): argument 'out' must be tuple of Tensors, not {type(out).__name__}",
            f"give {len(result)} tensors, one for each result",
        )
    if len(out) != len(result):
        raise ArgumentTypeError(
            f"{name}(): expected tuple of {len(result)} elements but got {len(out)}",
            "give one tensor for each result",
        )
    for target, value in zip(out, result, strict=True):
        _check_history(name, target, value)
        _check_dtype(name, target, value)
    written = [_write(target, value) for target, value in zip(out, result, strict=True)]
    return type(result)(*written) if hasattr(result, "_fields") else tuple(written)


def _check_history(name: str, out: Any, value: Any) -> None:
    if state.grad_enabled and (out.requires_grad or value.requires_grad):
        raise AutogradError(
            f"{name}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad",
            "leave out= away, or wrap the call in pellucid.no_grad()",
        )


def _check_dtype(name: str, out: Any, value: Any) -> None:
    if name in _OF_THEIR_DTYPE and value.dtype is not out.dtype:
        raise DTypeError(
            f"{name}(): expected out tensor to have dtype {value.dtype.name}, but got "
            f"{out.dtype.name} instead",
            "give an out of that dtype",
        )
    check_result_type(value.dtype, out.dtype)


def _write(out: Any, value: Any) -> Any:
    cell = out._cell
    if cell.array is not None and is_stretched_view(cell.base, cell.array):
        raise ShapeError(
            f"an out of shape {tuple(out.shape)} shows one element in several places: more than "
            "one element of the written-to tensor refers to a single memory location",
            "give a tensor with memory of its own: out.clone()",
        )
    if tuple(out.shape) == tuple(value.shape):
        return out.copy_(value)
    if size_of(out.shape):
        warnings.warn(
            f"An output with one or more elements was resized since it had shape "
            f"{list(out.shape)}, which does not match the required output shape "
            f"{list(value.shape)}. Give an out of that shape, or an empty one.",
            UserWarning,
            stacklevel=4,
        )
    return _resized(out, value)


def _resized(out: Any, value: Any) -> Any:
    """``out`` with memory of another size, that of ``value``."""
    trace = state.trace
    if trace is not None and not trace.resize(out._cell):
        raise TraceError(
            f"an out of shape {tuple(out.shape)} from outside would have to become one of shape "
            f"{tuple(value.shape)} in a compiled function{trace.where()}",
            "give an out of the result's shape, or make it inside",
        )
    made = elementwise.copy(elementwise.cast(value, out.dtype))
    out._cell, out._record, out._view = made._cell, None, None
    changed(out)
    return out
