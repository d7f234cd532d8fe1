"""The functions of the top-level namespace that are methods called from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.base.dtypes import DType, as_dtype, promote
from pellucid.ops import elementwise
from pellucid.tensor.promotion import as_operand, together
from pellucid.tensor.tensor import Tensor

METHODS = (
    "abs absolute acos acosh add addcdiv addcmul all allclose amax amin any argmax argmin "
    "argsort asin asinh atan atan2 atanh bmm broadcast_to ceil chunk clamp clamp_max "
    "clamp_min clip cos cosh count_nonzero cumprod cumsum diag diagonal digamma div dot eq "
    "erf erfc erfinv exp expm1 flatten flip floor floor_divide fmod frac gather ge gt hypot "
    "index_add index_copy index_fill index_select isclose isfinite isinf isnan kthvalue le "
    "lerp lgamma log log10 log1p log2 log_softmax logical_and logical_not logical_or "
    "logical_xor logit logsumexp lt masked_fill masked_select matmul max maximum mean median "
    "min minimum mm movedim mul mv narrow ne neg nonzero norm numel outer permute pow prod "
    "reciprocal relu remainder repeat_interleave reshape roll round rsqrt scatter scatter_add "
    "select sigmoid sign sin sinh softmax sort split sqrt square squeeze std sub sum swapaxes "
    "t take tan tanh tile topk trace transpose tril triu trunc unbind unflatten unsqueeze var "
    "xlogy"
).split()


def _free(name: str) -> Callable[..., Any]:
    """The function that calls a method of its first argument."""
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(as_operand(input), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {name: _free(name) for name in METHODS}
"""Name → function; the package's namespace takes them from here."""


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """``input`` where the condition holds, else ``other``; with one argument, where it is true."""
    if input is None and other is None:
        return as_operand(condition).nonzero(as_tuple=True)
    if isinstance(input, Tensor):
        return input.where(condition, other)
    x, y = together(input, other)
    return elementwise.where(as_operand(condition).bool_(), x, y)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return tuple(input.shape) == tuple(other.shape) and bool(input.eq(other).array().all())


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a tensor."""
    return isinstance(value, Tensor)


def promote_types(a: Any, b: Any) -> DType:
    """The dtype in which ``a`` and ``b`` combine."""
    return promote(as_dtype(a), as_dtype(b))


def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()
