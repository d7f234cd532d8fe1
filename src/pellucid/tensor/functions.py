"""The functions of the top-level namespace that are methods called from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.base.dtypes import DType, as_dtype, float32, promote
from pellucid.base.shapes import broadcast_shapes
from pellucid.ops import elementwise
from pellucid.tensor import assembling, limits, linalg, statistics
from pellucid.tensor.promotion import as_operand, common_dtype, together
from pellucid.tensor.tensor import Device, Tensor

METHODS = (
    "abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr all allclose amax "
    "amin aminmax any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin "
    "argsort argwhere asin asinh atan atan2 atanh baddbmm bincount bitwise_and bitwise_not "
    "bitwise_or bitwise_xor bmm broadcast_to bucketize ceil chunk clamp clamp_max clamp_min "
    "clip clone copysign corrcoef cos cosh count_nonzero cov cross cummax cummin cumprod "
    "cumsum deg2rad detach diag diag_embed diagflat diagonal diff digamma dist div divide dot "
    "eq erf erfc erfinv exp exp2 expm1 fix flatten flip fliplr flipud float_power floor "
    "floor_divide fmax fmin fmod frac gather ge ger greater greater_equal gt heaviside histc "
    "hypot index_add index_copy index_fill index_put index_select inner is_floating_point "
    "isclose isfinite isin isinf isnan isneginf isposinf kron kthvalue ldexp le lerp less "
    "less_equal lgamma log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp "
    "logical_and logical_not logical_or logical_xor logit logsumexp lt masked_fill "
    "masked_scatter masked_select matmul matrix_power max maximum mean median min minimum mm "
    "mode moveaxis movedim mul multiply mv nan_to_num nanmean nansum narrow ne neg negative "
    "nonzero norm not_equal numel outer permute positive pow prod quantile rad2deg ravel "
    "reciprocal relu remainder renorm repeat_interleave reshape roll rot90 round rsqrt rsub "
    "scatter scatter_add scatter_reduce select sgn sigmoid sign signbit sin sinc sinh softmax "
    "sort split sqrt square squeeze std std_mean sub subtract sum swapaxes swapdims t take "
    "take_along_dim tan tanh tensor_split tile topk trace transpose tril triu true_divide "
    "trunc unbind unflatten unique unique_consecutive unsqueeze var var_mean vdot xlogy hsplit "
    "vsplit dsplit split_with_sizes msort slice_scatter select_scatter diagonal_scatter "
    "bitwise_left_shift bitwise_right_shift mvlgamma hardshrink prelu isreal is_nonzero "
    "is_same_size is_signed is_complex gcd lcm frexp nextafter i0 angle conj conj_physical "
    "adjoint resolve_conj resolve_neg is_conj is_neg nanmedian nanquantile histogram "
    "index_reduce put nonzero_static igamma igammac "
    "inverse pinverse det slogdet logdet matrix_exp cholesky cholesky_inverse cholesky_solve "
    "triangular_solve"
).split()


def _free(name: str) -> Callable[..., Any]:
    """The function that calls a method of its first argument."""
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(as_operand(input), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


def scalar_tensor(value: Any, *, dtype: Any = float32) -> Any:
    """A tensor without axes, float32 by default."""
    return as_operand(value, as_dtype(dtype))


def polygamma(n: int, input: Any) -> Any:
    """The n-th derivative of the digamma function; see :meth:`Tensor.polygamma`."""
    return as_operand(input).polygamma(n)


def get_default_dtype() -> DType:
    """The dtype of numbers with a point where none is given: float32."""
    return float32


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype in which two tensors or numbers combine."""
    return common_dtype([tensor1, tensor2])


def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The integral of samples ``y`` along ``dim`` by the trapezoidal rule.

    ``x`` holds their places, otherwise they stand ``dx`` apart.
    """
    n = y.shape[dim]
    middle = (y.narrow(dim, 1, n - 1) + y.narrow(dim, 0, n - 1)) / 2
    if x is None:
        return (middle * dx).sum(dim)
    steps = x.diff(dim=dim if len(x.shape) > 1 else 0)
    if len(steps.shape) == 1 and len(y.shape) > 1:
        steps = steps.reshape([-1 if i == dim % len(y.shape) else 1 for i in range(len(y.shape))])
    return (middle * steps).sum(dim)


FUNCTIONS: dict[str, Any] = {name: _free(name) for name in METHODS} | {
    function.__name__: function
    for function in (
        limits.finfo,
        limits.iinfo,
        get_default_dtype,
        polygamma,
        result_type,
        scalar_tensor,
        trapezoid,
        assembling.atleast_1d,
        assembling.atleast_2d,
        assembling.atleast_3d,
        assembling.block_diag,
        assembling.cartesian_prod,
        assembling.column_stack,
        assembling.combinations,
        assembling.dstack,
        assembling.hstack,
        assembling.tril_indices,
        assembling.triu_indices,
        assembling.vstack,
        broadcast_shapes,
        linalg.cdist,
        linalg.vander,
        statistics.searchsorted,
    )
}
FUNCTIONS |= limits.CONSTANTS | {"device": Device}
"""Name → function or constant; the package's namespace takes them from here."""


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
