"""The functions of the top-level namespace that are methods called from outside.

``pellucid.sum(x, dim=1)`` is ``x.sum(dim=1)`` for every method that :mod:`.vocabulary` lists as a
function.  To type checkers and editors each is written out in ``method_functions.pyi``, which
``tools/write_stubs.py`` makes from the signatures that these functions have.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pellucid.base.boundary import UNFORESEEN, understood
from pellucid.tensor.out import takes_out, with_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.signatures import as_function, present_as
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.vocabulary import FORMS, IN_PLACE_FUNCTIONS, names_with

REFLECTED = {
    "add": "add",
    "mul": "mul",
    "multiply": "mul",
    "sub": "__rsub__",
    "subtract": "__rsub__",
    "mm": "__rmatmul__",
    "matmul": "__rmatmul__",
}
"""Function → the method of a second operand that has an answer of its own."""


def _free(name: str) -> Callable[..., Any]:
    """The function that calls a method of its first argument."""
    method, reflected = getattr(Tensor, name), REFLECTED.get(name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            operand = as_operand(input)
            if operand.answers_functions:
                return getattr(operand, name)(*args, **kwargs)
            if reflected and args and getattr(args[0], "answers_functions", False):
                return getattr(args[0], reflected)(operand, **kwargs)
            return method(operand, *args, **kwargs)
        except UNFORESEEN as error:
            raise understood(error, name, (input, *args), kwargs) from error

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    signature = as_function(inspect.signature(method))
    if "out" in FORMS.get(name, ()):
        present_as(function, method, signature)
        function, signature = takes_out(function), with_out(signature)
    present_as(function, method, signature)
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: _free(name) for name in [*names_with("function"), *IN_PLACE_FUNCTIONS]
}
"""Name → function."""

globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS]
