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


def _free(name: str) -> Callable[..., Any]:
    """The function that calls a method of its first argument."""
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(as_operand(input), *args, **kwargs)
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
