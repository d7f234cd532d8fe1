"""The functions of the top-level namespace that are methods called from outside.

``pellucid.sum(x, dim=1)`` is ``x.sum(dim=1)`` for every method that :mod:`.vocabulary` lists as a
function.  To type checkers and editors each is written out in ``method_functions.pyi``, which
``tools/write_stubs.py`` makes from the signatures that these functions have.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pellucid.tensor.out import takes_out, with_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.signatures import as_function, present_as
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.vocabulary import FORMS, names_with


def _free(name: str) -> Callable[..., Any]:
    """The function that calls a method of its first argument."""
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(as_operand(input), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    signature = as_function(inspect.signature(method))
    if "out" in FORMS.get(name, ()):
        present_as(function, method, signature)
        function, signature = takes_out(function), with_out(signature)
    present_as(function, method, signature)
    return function


_IN_PLACE = """
abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_
atanh_
ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_
exp_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_
nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_
square_ tan_ tanh_ trunc_ xlogy_ zero_
""".split()
"""The methods that change their tensor and are functions of PyTorch's top level too."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: _free(name) for name in sorted([*names_with("function"), *_IN_PLACE])
}
"""Name → function."""

globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS]
