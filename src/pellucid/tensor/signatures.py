"""Real signatures for functions that are made in a loop, so that help() and editors name them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def present_as(
    function: Callable[..., Any], original: Callable[..., Any], signature: inspect.Signature
) -> None:
    """Show ``signature`` for a function that hands its arguments to ``original``.

    ``inspect.signature``, ``help`` and ``typing.get_type_hints`` see it; calls are as before.
    """
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__wrapped__ = original  # type: ignore[attr-defined]
    hints = {n: p.annotation for n, p in signature.parameters.items()}
    hints["return"] = signature.return_annotation
    function.__annotations__ = {n: a for n, a in hints.items() if a is not inspect.Signature.empty}


def as_function(signature: inspect.Signature) -> inspect.Signature:
    """The signature of a method as that of a function whose first argument is ``input``."""
    first, *others = signature.parameters.values()
    taken = {p.name for p in others}
    name = "input" if "input" not in taken else "self"
    given = first.replace(name=name, annotation="Operand")
    return signature.replace(parameters=[given, *others])


def takes_dim(function: object) -> bool:
    """Whether it is a Python function with an argument ``dim``."""
    if not inspect.isfunction(function):
        return False
    code = inspect.unwrap(function).__code__
    return "dim" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def with_numpy_names(function: Function) -> Function:
    """The function, also taking NumPy's ``axis`` for ``dim`` and ``keepdims`` for ``keepdim``."""

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if "axis" in kwargs:
                kwargs["dim"] = kwargs.pop("axis")
                if kwargs.get("out", kwargs) is None:  # np.mean(x) asks so
                    del kwargs["out"]
            if "keepdims" in kwargs:
                kwargs["keepdim"] = kwargs.pop("keepdims")
        return function(*args, **kwargs)

    return renamed  # type: ignore[return-value]
