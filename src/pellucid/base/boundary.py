"""What a caller sees of arguments that no check foresaw: an error of ours, not one of Python's.

Functions check what is likely to go wrong and say what to do.  What nobody thought of ends
somewhere inside in a ``TypeError`` of Python or a ``ValueError`` of NumPy, which names neither the
function that was called nor what it was given.  At the boundary, where a user's call enters, such
an error becomes one that does, of the class that programs written for PyTorch catch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid.base.errors import (
    AllocationError,
    ArgumentError,
    ArgumentTypeError,
    MissingAttributeError,
    NumberRangeError,
    OutOfRangeError,
    PellucidError,
    UnsupportedError,
)

Function = TypeVar("Function", bound=Callable[..., Any])

_KINDS: tuple[tuple[type[Exception], type[PellucidError]], ...] = (
    (IndexError, OutOfRangeError),
    (OverflowError, NumberRangeError),
    (NotImplementedError, UnsupportedError),
    (MemoryError, AllocationError),
    (TypeError, ArgumentTypeError),
    (AttributeError, ArgumentTypeError),
    (Exception, ArgumentError),
)
"""Python's and NumPy's errors → what they mean for a caller; the first that fits."""

UNFORESEEN = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
    UnboundLocalError,
    MemoryError,
)
"""What is taken for the trace of bad arguments; warnings and a user's own errors are not."""


def clear(function: Function) -> Function:
    """Let a function raise nothing but errors of ours.

    Calls that do not fit the signature stay Python's own ``TypeError``, which says all.  Not for
    functions that call back into the caller's code: its errors are its own.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UNFORESEEN as error:
            raise understood(error, function.__name__, args, kwargs) from error

    return call  # type: ignore[return-value]


class ClearlyMade:
    """Base of classes of ours that are made of a user's arguments: making one raises errors of ours
    only.  Classes that users derive from them stay as they are.
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        made = vars(cls).get("__init__")
        if made is not None and cls.__module__.startswith("pellucid."):
            type.__setattr__(cls, "__init__", _constructor(cls.__name__, made))


def _constructor(name: str, made: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(made)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            made(self, *args, **kwargs)
        except UNFORESEEN as error:
            raise understood(error, name, args, kwargs) from error

    return construct


def understood(error: Exception, name: str, args: Any, kwargs: Any) -> Exception:
    """The error itself if it speaks for itself, else one that says who got what."""
    trace = error.__traceback__
    if isinstance(error, (PellucidError, MissingAttributeError)):
        return error
    if trace is not None and trace.tb_next is None:  # the call did not fit the signature
        return error
    kind = next(ours for theirs, ours in _KINDS if isinstance(error, theirs))
    given = ", ".join([*map(described, args), *(f"{k}={described(v)}" for k, v in kwargs.items())])
    return kind(
        f"{name}({given}) makes no sense of its arguments: {error or type(error).__name__}",
        f"see help({name}) for what it takes",
    )


def described(value: Any) -> str:
    """A value in a few words: tensors by dtype and shape."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{getattr(dtype, 'name', dtype)} tensor of shape {tuple(shape)}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(described, value[:4])) + (", …" if len(value) > 4 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    text = repr(value)
    return text if len(text) < 40 else f"{text[:36]}…"
