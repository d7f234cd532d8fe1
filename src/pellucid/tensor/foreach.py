"""One operation on each of a list of tensors, by PyTorch's names: ``pellucid._foreach_add``.

Optimizers written by hand use them.  Here each is its operation, tensor by tensor; in a compiled
function the updates of all tensors are fused anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.linalg import vector_norm

UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 "
    "neg reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
BINARY = "add sub mul div maximum minimum clamp_max clamp_min pow".split()
TERNARY = "addcdiv addcmul lerp".split()

Operands = Sequence[Any]


def _each(value: Any, count: int, name: str) -> list[Any]:
    """One operand for each tensor: a list as it is, a number or a tensor for all."""
    if isinstance(value, (list, tuple)):
        if len(value) != count:
            raise ArgumentError(
                f"{name} got lists of {count} and {len(value)}", "give equally many of each"
            )
        return list(value)
    return [value] * count


def _unary(name: str, in_place: bool) -> Callable[..., Any]:
    method = f"{name}_" if in_place else name

    def function(self: Operands) -> list[Any] | None:
        results = [getattr(tensor, method)() for tensor in self]
        return None if in_place else results

    return _named(function, name, in_place)


def _binary(name: str, in_place: bool) -> Callable[..., Any]:
    full = f"_foreach_{name}{'_' if in_place else ''}"
    method = f"{name}_" if in_place else name

    def function(self: Any, other: Any, **options: Any) -> list[Any] | None:
        if not isinstance(self, (list, tuple)):  # a number to the power of each tensor
            return [self**exponent for exponent in other]
        if name in ("maximum", "minimum") and not isinstance(_first(other), TensorCore):
            return _binary("clamp_min" if name == "maximum" else "clamp_max", in_place)(self, other)
        others = _each(other, len(self), full)
        pairs = zip(self, others, strict=True)
        if in_place and name in ("maximum", "minimum"):  # which tensors have out of place alone
            for tensor, value in pairs:
                tensor.copy_(getattr(tensor, name)(value))
            return None
        results = [getattr(tensor, method)(value, **options) for tensor, value in pairs]
        return None if in_place else results

    return _named(function, name, in_place)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else value


def _ternary(name: str, in_place: bool) -> Callable[..., Any]:
    full = f"_foreach_{name}{'_' if in_place else ''}"
    method = f"{name}_" if in_place else name

    def function(
        self: Operands, tensors1: Operands, tensors2: Any, *scalars: Any, value: Any = 1
    ) -> list[Any] | None:
        weights = scalars[0] if scalars else value
        if isinstance(weights, TensorCore):
            weights = weights.tolist()  # type: ignore[attr-defined]
        seconds = _each(tensors2, len(self), full)
        scales = _each(weights, len(self), full)
        rows = zip(self, _each(tensors1, len(self), full), seconds, scales, strict=True)
        results = [
            getattr(a, method)(b, c) if name == "lerp" else getattr(a, method)(b, c, value=scale)
            for a, b, c, scale in rows
        ]
        return None if in_place else results

    return _named(function, name, in_place)


def _named(function: Any, name: str, in_place: bool) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = f"_foreach_{name}{'_' if in_place else ''}"
    where = "in place" if in_place else "as a list of results"
    function.__doc__ = f"``{name}`` of each tensor of a list, {where}."
    found: Callable[..., Any] = function
    return found


def _foreach_norm(self: Operands, ord: float = 2, dtype: Any = None) -> list[Any]:
    """The norm of each tensor of a list, over all its elements."""
    return [vector_norm(tensor, ord, dtype=dtype) for tensor in self]


def _foreach_max(self: Operands) -> list[Any]:
    """The largest element of each tensor of a list."""
    return [tensor.max() for tensor in self]


def _foreach_clone(self: Operands) -> list[Any]:
    """A copy of each tensor of a list."""
    return [tensor.clone() for tensor in self]


def _foreach_copy_(self: Operands, src: Operands, non_blocking: bool = False) -> None:
    """Overwrite each tensor of a list with the one at its place in ``src``."""
    for tensor, source in zip(self, _each(src, len(self), "_foreach_copy_"), strict=True):
        tensor.copy_(source)


def _foreach_zero_(self: Operands) -> None:
    """Overwrite each tensor of a list with zeros."""
    for tensor in self:
        tensor.zero_()


FUNCTIONS: dict[str, Callable[..., Any]] = {}
for _make, _names in ((_unary, UNARY), (_binary, BINARY), (_ternary, TERNARY)):
    for _name in _names:
        FUNCTIONS[f"_foreach_{_name}"] = _make(_name, False)
        FUNCTIONS[f"_foreach_{_name}_"] = _make(_name, True)
for _function in (_foreach_norm, _foreach_max, _foreach_clone, _foreach_copy_, _foreach_zero_):
    FUNCTIONS[_function.__name__] = _function
"""Name → function."""
