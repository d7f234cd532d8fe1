"""Real signatures for functions that are made in a loop, so that help() and editors name them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


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
