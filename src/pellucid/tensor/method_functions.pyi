# Written by tools/write_stubs.py from the running package; do not edit.

from collections.abc import Callable
from typing import Any
import builtins
import numpy as np
from collections.abc import Sequence as Sequence
from pellucid.base.dtypes import DTypeLike as DTypeLike
from pellucid.tensor.arguments import Axes as Axes
from pellucid.tensor.arguments import Extents as Extents
from pellucid.tensor.arguments import Operand as Operand
from pellucid.tensor.interface import Tensor as Tensor
from pellucid.tensor.results import Extremes as Extremes
from pellucid.tensor.results import Fraction as Fraction
from pellucid.tensor.results import Histogram as Histogram
from pellucid.tensor.results import OrthogonalTriangular as OrthogonalTriangular
from pellucid.tensor.results import Reflectors as Reflectors
from pellucid.tensor.results import SignLog as SignLog
from pellucid.tensor.results import SingularFactors as SingularFactors
from pellucid.tensor.results import TriangularSolution as TriangularSolution
from pellucid.tensor.results import ValuesIndices as ValuesIndices
from typing import Literal as Literal
from typing import overload as overload

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addr",
    "adjoint",
    "all",
    "allclose",
    "amax",
    "amin",
    "aminmax",
    "angle",
    "any",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "as_strided",
    "as_strided_scatter",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "baddbmm",
    "bincount",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bmm",
    "broadcast_to",
    "bucketize",
    "ceil",
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "chunk",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "clone",
    "conj",
    "conj_physical",
    "copysign",
    "corrcoef",
    "cos",
    "cosh",
    "count_nonzero",
    "cov",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "deg2rad",
    "det",
    "detach",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "diff",
    "digamma",
    "dist",
    "div",
    "divide",
    "dot",
    "dsplit",
    "eq",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "frexp",
    "gather",
    "gcd",
    "ge",
    "geqrf",
    "ger",
    "greater",
    "greater_equal",
    "gt",
    "hardshrink",
    "heaviside",
    "histc",
    "histogram",
    "hsplit",
    "hypot",
    "i0",
    "igamma",
    "igammac",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "index_select",
    "inner",
    "inverse",
    "is_complex",
    "is_conj",
    "is_floating_point",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "istft",
    "kron",
    "kthvalue",
    "lcm",
    "ldexp",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logdet",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsumexp",
    "lt",
    "lu",
    "lu_solve",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "matrix_exp",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "mm",
    "mode",
    "moveaxis",
    "movedim",
    "msort",
    "mul",
    "multiply",
    "mv",
    "mvlgamma",
    "nan_to_num",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "narrow",
    "narrow_copy",
    "ne",
    "neg",
    "negative",
    "nextafter",
    "nonzero",
    "nonzero_static",
    "norm",
    "not_equal",
    "numel",
    "orgqr",
    "ormqr",
    "outer",
    "permute",
    "pinverse",
    "positive",
    "pow",
    "prelu",
    "prod",
    "put",
    "qr",
    "quantile",
    "rad2deg",
    "ravel",
    "reciprocal",
    "relu",
    "remainder",
    "renorm",
    "repeat_interleave",
    "reshape",
    "resolve_conj",
    "resolve_neg",
    "roll",
    "rot90",
    "round",
    "rsqrt",
    "rsub",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "select",
    "select_scatter",
    "sgn",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "slice_scatter",
    "slogdet",
    "softmax",
    "sort",
    "split",
    "split_with_sizes",
    "sqrt",
    "square",
    "squeeze",
    "std",
    "std_mean",
    "stft",
    "sub",
    "subtract",
    "sum",
    "svd",
    "swapaxes",
    "swapdims",
    "t",
    "take",
    "take_along_dim",
    "tan",
    "tanh",
    "tensor_split",
    "tile",
    "topk",
    "trace",
    "transpose",
    "triangular_solve",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "unbind",
    "unflatten",
    "unique",
    "unique_consecutive",
    "unsqueeze",
    "var",
    "var_mean",
    "vdot",
    "vsplit",
    "xlogy",
    "abs_",
    "acos_",
    "acosh_",
    "addmv_",
    "arccos_",
    "arccosh_",
    "arcsin_",
    "arcsinh_",
    "arctan_",
    "arctanh_",
    "as_strided_",
    "asin_",
    "asinh_",
    "atan_",
    "atanh_",
    "ceil_",
    "clamp_",
    "clamp_max_",
    "clamp_min_",
    "clip_",
    "conj_physical_",
    "cos_",
    "cosh_",
    "deg2rad_",
    "detach_",
    "erf_",
    "erfc_",
    "exp2_",
    "exp_",
    "expm1_",
    "fix_",
    "floor_",
    "frac_",
    "gcd_",
    "i0_",
    "index_put_",
    "lcm_",
    "ldexp_",
    "log10_",
    "log1p_",
    "log2_",
    "log_",
    "logit_",
    "nan_to_num_",
    "neg_",
    "negative_",
    "rad2deg_",
    "reciprocal_",
    "relu_",
    "round_",
    "rsqrt_",
    "sigmoid_",
    "sin_",
    "sinc_",
    "sinh_",
    "sqrt_",
    "square_",
    "tan_",
    "tanh_",
    "trunc_",
    "xlogy_",
]

FUNCTIONS: dict[str, Callable[..., Any]]

def abs(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """|x|, element by element. Shape and dtype stay."""
    ...

def absolute(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """|x|, element by element. Shape and dtype stay."""
    ...

def acos(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arccos x, element by element. Shape stays; integers become float32."""
    ...

def acosh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arcosh x, element by element. Shape stays; integers become float32."""
    ...

def add(
    input: Operand,
    other: Operand,
    *older: Operand,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """self + alpha · other, element by element; shapes broadcast, dtypes are promoted."""
    ...

def addbmm(
    input: Operand,
    batch1: Tensor,
    batch2: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta · self + alpha · Σ over the batch of batch1 @ batch2."""
    ...

def addcdiv(
    input: Operand,
    tensor1: Tensor,
    tensor2: Tensor,
    *older: Tensor,
    value: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """self + value · tensor1 / tensor2, element by element; shapes broadcast."""
    ...

def addcmul(
    input: Operand,
    tensor1: Tensor,
    tensor2: Tensor,
    *older: Tensor,
    value: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """self + value · tensor1 · tensor2, element by element; shapes broadcast."""
    ...

def addmm(
    input: Operand,
    mat1: Tensor,
    mat2: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta · self + alpha · (mat1 @ mat2); ``self`` broadcasts."""
    ...

def addmv(
    input: Operand,
    mat: Tensor,
    vec: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n)."""
    ...

def addr(
    input: Operand,
    vec1: Tensor,
    vec2: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta · self + alpha · outer(vec1, vec2)."""
    ...

def adjoint(input: Operand) -> Tensor:
    """The last two axes exchanged, and conjugated: Aᴴ of each matrix."""
    ...

def all(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Whether every element over ``dim`` is nonzero (true for none); dtype as :meth:`any`."""
    ...

def allclose(
    input: Operand,
    other: Operand,
    rtol: builtins.float = ...,
    atol: builtins.float = ...,
    equal_nan: builtins.bool = False,
) -> builtins.bool:
    """Whether every element :meth:`isclose` to the other's: a Python bool."""
    ...

def amax(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Largest element over ``dim``; equal ones share the gradient evenly."""
    ...

def amin(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Smallest element over ``dim``; equal ones share the gradient evenly."""
    ...

def aminmax(
    input: Operand,
    *,
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> Extremes:
    """(smallest, largest) over ``dim`` (all axes by default)."""
    ...

def angle(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The angle φ in (−π, π] of |z| e^iφ; of real numbers 0 or, if negative, π; NaN for NaN."""
    ...

def any(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Whether any element over ``dim`` is nonzero: bool, of uint8 as uint8."""
    ...

def arccos(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arccos x, element by element. Shape stays; integers become float32."""
    ...

def arccosh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arcosh x, element by element. Shape stays; integers become float32."""
    ...

def arcsin(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arcsin x, element by element. Shape stays; integers become float32."""
    ...

def arcsinh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arsinh x, element by element. Shape stays; integers become float32."""
    ...

def arctan(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arctan x, element by element. Shape stays; integers become float32."""
    ...

def arctan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Angle of the point (x = other, y = self) in (−π, π]."""
    ...

def arctanh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """artanh x, element by element. Shape stays; integers become float32."""
    ...

def argmax(
    input: Operand,
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Position of the first largest element, in the flattened tensor or along ``dim``."""
    ...

def argmin(
    input: Operand,
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Position of the first smallest element, in the flattened tensor or along ``dim``."""
    ...

def argsort(
    input: Operand,
    dim: builtins.int = -1,
    descending: builtins.bool = False,
    stable: builtins.bool = True,
) -> Tensor:
    """Positions that sort along ``dim``; equal elements keep their order."""
    ...

def argwhere(input: Operand) -> Tensor:
    """Positions of the nonzero elements: (count, axes); values must be known."""
    ...

def as_strided(
    input: Operand,
    size: Sequence[builtins.int],
    stride: Sequence[builtins.int],
    storage_offset: builtins.int | None = None,
) -> Tensor:
    """A view in which neighbours along axis i are ``stride[i]`` elements of memory apart.

    ``storage_offset`` is where in the memory of the tensor (or of what it is a view of) it
    begins, by default where the tensor does.  Elements may be shown more than once; their
    gradients add up, and such a view cannot be written.  Raises ``ShapeError`` where it would
    leave the memory, ``ArgumentError`` for negative numbers.

    >>> import pellucid
    >>> pellucid.arange(6).as_strided((4, 3), (1, 1))
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4],
            [3, 4, 5]])
    """
    ...

def as_strided_scatter(
    input: Operand,
    src: Tensor,
    size: Sequence[builtins.int],
    stride: Sequence[builtins.int],
    storage_offset: builtins.int | None = None,
) -> Tensor:
    """A copy with ``src`` in the places that :meth:`as_strided` shows; shape as before."""
    ...

def asin(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arcsin x, element by element. Shape stays; integers become float32."""
    ...

def asinh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arsinh x, element by element. Shape stays; integers become float32."""
    ...

def atan(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """arctan x, element by element. Shape stays; integers become float32."""
    ...

def atan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Angle of the point (x = other, y = self) in (−π, π]."""
    ...

def atanh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """artanh x, element by element. Shape stays; integers become float32."""
    ...

def baddbmm(
    input: Operand,
    batch1: Tensor,
    batch2: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """beta · self + alpha · (batch1 @ batch2), matrix by matrix."""
    ...

def bincount(
    input: Operand,
    weights: Tensor | None = None,
    minlength: builtins.int = 0,
) -> Tensor:
    """How often 0, 1, 2, … occur (or the sums of their ``weights``); values must be known."""
    ...

def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bits set in both, element by element; for integers and bool, shapes broadcast."""
    ...

def bitwise_left_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self · 2^other, for integers; 0 where all bits leave.  ``self << other``."""
    ...

def bitwise_not(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Every bit turned; for integers and bool, where it is logical not."""
    ...

def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bits set in at least one; integers and bool."""
    ...

def bitwise_right_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """⌊self / 2^other⌋, for integers; 0 or −1 where all bits leave.  ``self >> other``."""
    ...

def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bits set in exactly one; integers and bool."""
    ...

def bmm(input: Operand, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of two batches of matrices: (B, M, K) · (B, K, N) → (B, M, N)."""
    ...

def broadcast_to(input: Operand, shape: Sequence[builtins.int]) -> Tensor:
    """Stretched to ``shape`` by NumPy's rule, without a copy."""
    ...

def bucketize(
    input: Operand,
    boundaries: Tensor,
    *,
    out_int32: builtins.bool = False,
    right: builtins.bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Number of the interval between ``boundaries`` (ascending) each element falls in.

    boundaries[i − 1] < x ≤ boundaries[i] gives i; with ``right``, the left end counts in.
    """
    ...

def ceil(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smallest integer ≥ x, element by element; shape and dtype stay."""
    ...

def cholesky(
    input: Operand,
    upper: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The factor L of a symmetric positive definite matrix L Lᵀ, or Lᵀ with ``upper``."""
    ...

def cholesky_inverse(
    input: Operand,
    upper: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The inverse of the matrix whose Cholesky factor this is."""
    ...

def cholesky_solve(
    input: Operand,
    input2: Tensor,
    upper: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = self, A the matrix whose Cholesky factor ``input2`` is."""
    ...

def chunk(
    input: Operand,
    chunks: builtins.int,
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """At most ``chunks`` pieces of equal size (the last may be smaller)."""
    ...

def clamp(
    input: Operand,
    min: Operand | None = None,
    max: Operand | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """min(max(x, min), max), NaN where one of them is.

    The gradient is 1 inside and at the bounds, 0 outside.
    """
    ...

def clamp_max(input: Operand, max: Operand, *, out: Tensor | None = None) -> Tensor:
    """min(x, max), element by element; ``max`` broadcasts."""
    ...

def clamp_min(input: Operand, min: Operand, *, out: Tensor | None = None) -> Tensor:
    """max(x, min), element by element; ``min`` broadcasts."""
    ...

def clip(
    input: Operand,
    min: Operand | None = None,
    max: Operand | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """min(max(x, min), max), NaN where one of them is.

    The gradient is 1 inside and at the bounds, 0 outside.
    """
    ...

def clone(input: Operand, *, memory_format: builtins.object = None) -> Tensor:
    """A copy with its own memory; gradients flow through."""
    ...

def conj(input: Operand) -> Tensor:
    """The conjugate re − i im, in memory of its own; of a real tensor itself."""
    ...

def conj_physical(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The conjugate re − i im, in memory of its own; of a real tensor itself."""
    ...

def copysign(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """|self| with the sign of ``other``; a zero's sign counts too."""
    ...

def corrcoef(input: Operand) -> Tensor:
    """Pearson's correlation coefficients of the rows, or their parts, in [−1, 1]."""
    ...

def cos(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """cos x, element by element. Shape stays; integers become float32."""
    ...

def cosh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """cosh x, element by element. Shape stays; integers become float32."""
    ...

def count_nonzero(input: Operand, dim: Axes = None) -> Tensor:
    """Number of nonzero elements over ``dim`` (int64)."""
    ...

def cov(
    input: Operand,
    *,
    correction: builtins.int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Covariances of the rows (variables) over the columns (observations).

    (V, N) → (V, V); of one variable, (N,) or (1, N), its variance as a number, shape ().
    ``fweights`` (N,), integers, say how often each observation was made, ``aweights`` (N,) how
    much it counts.  With w their product, divided by Σw − correction · Σ(w · a) / Σw.
    """
    ...

def cross(
    input: Operand,
    other: Tensor,
    dim: builtins.int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The vector product along ``dim``, by default the first axis of extent 3."""
    ...

def cummax(
    input: Operand,
    dim: builtins.int,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """(largest so far, its last position) along ``dim``."""
    ...

def cummin(
    input: Operand,
    dim: builtins.int,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """(smallest so far, its last position) along ``dim``."""
    ...

def cumprod(
    input: Operand,
    dim: builtins.int,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Running product along ``dim``: y_i = x_1 · … · x_i; the shape stays."""
    ...

def cumsum(
    input: Operand,
    dim: builtins.int,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Running sum along ``dim``: y_i = x_1 + … + x_i; the shape stays."""
    ...

def deg2rad(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Degrees as radians: x · π / 180, element by element."""
    ...

def det(input: Operand) -> Tensor:
    """The determinant of square matrices: (…, n, n) → (…)."""
    ...

def detach(input: Operand) -> Tensor:
    """The same storage without history: gradients do not flow through."""
    ...

def diag(input: Operand, diagonal: builtins.int = 0, *, out: Tensor | None = None) -> Tensor:
    """A matrix's diagonal, or a vector as the diagonal of a square matrix."""
    ...

def diag_embed(
    input: Operand,
    offset: builtins.int = 0,
    dim1: builtins.int = -2,
    dim2: builtins.int = -1,
) -> Tensor:
    """The last axis as a diagonal of new axes ``dim1`` and ``dim2``, zeros around it."""
    ...

def diagflat(input: Operand, offset: builtins.int = 0) -> Tensor:
    """All elements as the diagonal of a square matrix."""
    ...

def diagonal(
    input: Operand,
    offset: builtins.int = 0,
    dim1: builtins.int = 0,
    dim2: builtins.int = 1,
) -> Tensor:
    """Elements on a diagonal of axes ``dim1`` and ``dim2``, as a last axis."""
    ...

def diagonal_scatter(
    input: Operand,
    src: Tensor,
    offset: builtins.int = 0,
    dim1: builtins.int = 0,
    dim2: builtins.int = 1,
) -> Tensor:
    """A copy with ``src`` on the ``offset``-th diagonal of axes ``dim1`` and ``dim2``."""
    ...

def diff(
    input: Operand,
    n: builtins.int = 1,
    dim: builtins.int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x[i + 1] − x[i] along ``dim``, ``n`` times; ``prepend``/``append`` are joined first."""
    ...

def digamma(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """the derivative of ln Γ(x), element by element. Shape stays; integers become float32."""
    ...

def dist(input: Operand, other: Operand, p: builtins.float = 2) -> Tensor:
    """The p-norm of self − other over all elements, one number."""
    ...

def div(
    input: Operand,
    other: Operand,
    *,
    rounding_mode: builtins.str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

    Without rounding the result is floating point also for integers.
    """
    ...

def divide(
    input: Operand,
    other: Operand,
    *,
    rounding_mode: builtins.str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

    Without rounding the result is floating point also for integers.
    """
    ...

def dot(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sum of the products of two vectors of equal length."""
    ...

def dsplit(
    input: Operand,
    sections: builtins.int | Sequence[builtins.int],
) -> builtins.tuple[Tensor, ...]:
    """Parts along axis 2: equal ones, or cut at these positions."""
    ...

def eq(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self = other, element by element, as a bool tensor; shapes broadcast."""
    ...

def erf(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """the error function, element by element. Shape stays; integers become float32."""
    ...

def erfc(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """1 − erf(x), accurate for large x, element by element. Shape stays; integers become float32."""
    ...

def erfinv(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """the inverse of erf, element by element. Shape stays; integers become float32."""
    ...

def exp(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^x, element by element. Shape stays; integers become float32."""
    ...

def exp2(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """2^x, element by element; integers become float32."""
    ...

def expm1(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """e^x − 1, accurate near 0, element by element. Shape stays; integers become float32."""
    ...

def fix(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """x without its fraction, rounded towards zero; shape and dtype stay."""
    ...

def flatten(input: Operand, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
    """Axes ``start_dim`` to ``end_dim`` merged into one."""
    ...

def flip(input: Operand, *axes: Extents, dims: Axes = None) -> Tensor:
    """Read backwards along each of ``dims``; the shape stays."""
    ...

def fliplr(input: Operand) -> Tensor:
    """Axis 1 read backwards: the columns of a matrix in reverse order."""
    ...

def flipud(input: Operand) -> Tensor:
    """Axis 0 read backwards: the rows of a matrix in reverse order."""
    ...

def float_power(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ^ exponent, computed in float64, or complex128, whatever came."""
    ...

def floor(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The largest integer ≤ x, element by element; shape and dtype stay."""
    ...

def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """floor(self / other), element by element; shapes broadcast."""
    ...

def fmax(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of each pair; a NaN loses against a number.  Ties give self the gradient."""
    ...

def fmin(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of each pair; a NaN loses against a number.  Ties give self the gradient."""
    ...

def fmod(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self − trunc(self / other) · other: the sign of the dividend, as C's fmod."""
    ...

def frac(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The fraction with the sign of x: x − trunc(x)."""
    ...

def frexp(input: Operand, *, out: builtins.tuple[Tensor, ...] | None = None) -> Fraction:
    """(m, e) with x = m · 2^e and ½ ≤ |m| < 1, e int32; 0, ∞ and NaN have e = 0.

    The gradient of m is that of x / 2^e.
    """
    ...

def gather(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """y[i][j] = x[index[i][j]][j] for dim 0, and likewise for other axes.

    A number counts as a vector of one element, for the tensor and the index.
    """
    ...

def gcd(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The greatest common divisor of integers, 0 or more."""
    ...

def ge(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def geqrf(input: Operand, *, out: builtins.tuple[Tensor, ...] | None = None) -> Reflectors:
    """QR as LAPACK keeps it: (a, tau); see ``geqrf``."""
    ...

def ger(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of two vectors' elements: (N,), (M,) → (N, M)."""
    ...

def greater(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self > other, element by element, as a bool tensor; shapes broadcast."""
    ...

def greater_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≥ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def gt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self > other, element by element, as a bool tensor; shapes broadcast."""
    ...

def hardshrink(
    input: Operand,
    lambd: builtins.float = ...,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x where |x| > λ, else 0, element by element."""
    ...

def heaviside(input: Operand, values: Operand, *, out: Tensor | None = None) -> Tensor:
    """0 where self < 0 or NaN, 1 where it is > 0, ``values`` at 0."""
    ...

def histc(
    input: Operand,
    bins: builtins.int = 100,
    min: builtins.float = 0,
    max: builtins.float = 0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Counts in ``bins`` equal parts of [min, max] (of the data's range when both are 0)."""
    ...

def histogram(
    input: Operand,
    bins: builtins.int | Tensor,
    *,
    range: builtins.tuple[builtins.float, builtins.float] | None = None,
    weight: Tensor | None = None,
    density: builtins.bool = False,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> Histogram:
    """(counts, edges) of ``bins`` equal parts of ``range``, or of parts between given edges.

    ``range`` is (low, high), by default the data's.  ``weight``, shaped like the tensor, adds
    weights instead of ones; ``density`` scales so that the integral is 1.  Both results have
    the tensor's dtype.
    """
    ...

def hsplit(
    input: Operand,
    sections: builtins.int | Sequence[builtins.int],
) -> builtins.tuple[Tensor, ...]:
    """Parts along axis 1 (along axis 0 of a vector): equal ones, or cut at these positions."""
    ...

def hypot(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """√(self² + other²), without overflow in between."""
    ...

def i0(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """I₀(x) = 1/π ∫₀^π e^(x cos t) dt, the modified Bessel function of order 0.

    Relative error up to 3e-14 in float64.  By Chebyshev series of e^−|x| I₀ in |x| up to 8
    and of √|x| e^−|x| I₀ in 1/|x| beyond (Clenshaw, 1962).
    """
    ...

def igamma(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """P(a, x) = 1/Γ(a) ∫₀^x t^(a−1) e^−t dt for a = self, x = ``other``; from 0 to 1.

    The gradient goes to x alone.
    """
    ...

def igammac(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Q(a, x) = 1 − P(a, x), accurate where it is small; see :meth:`igamma`."""
    ...

def index_add(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    source: Tensor,
    *,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with ``alpha · source`` added to the slices at ``index`` along ``dim``."""
    ...

def index_copy(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    source: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy in which the slices at ``index`` along ``dim`` are ``source``."""
    ...

def index_fill(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    value: builtins.float,
) -> Tensor:
    """A copy in which the slices at ``index`` along ``dim`` are ``value``."""
    ...

def index_put(
    input: Operand,
    indices: Sequence[Tensor],
    values: Operand,
    accumulate: builtins.bool = False,
) -> Tensor:
    """A copy with ``values`` written (or added) at ``self[indices]``."""
    ...

def index_reduce(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    source: Tensor,
    reduce: builtins.str,
    *,
    include_self: builtins.bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with the slices of ``source`` combined at ``index`` along ``dim``.

    ``reduce``: "prod", "mean", "amax" or "amin"; see :meth:`scatter_reduce`.
    """
    ...

def index_select(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The slices of the tensor at ``index`` along ``dim``."""
    ...

def inner(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sums of products over the last axis of both: (..., K), (..., K) → (..., ...)."""
    ...

def inverse(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The inverse of square matrices (…, n, n); see ``linalg.inv``."""
    ...

def is_complex(input: Operand) -> builtins.bool:
    """Whether the dtype is complex64 or complex128."""
    ...

def is_conj(input: Operand) -> builtins.bool:
    """Whether a conjugation is pending: no."""
    ...

def is_floating_point(input: Operand) -> builtins.bool:
    """Whether the dtype is float32, float64, bfloat16 or float16."""
    ...

def is_neg(input: Operand) -> builtins.bool:
    """Whether a change of sign is pending: no."""
    ...

def is_nonzero(input: Operand) -> builtins.bool:
    """Whether the single element of the tensor is not zero."""
    ...

def is_same_size(input: Operand, other: Tensor) -> builtins.bool:
    """Whether both tensors have the same shape."""
    ...

def is_signed(input: Operand) -> builtins.bool:
    """Whether the dtype has negative numbers: all but uint8 and bool."""
    ...

def isclose(
    input: Operand,
    other: Operand,
    rtol: builtins.float = ...,
    atol: builtins.float = ...,
    equal_nan: builtins.bool = False,
) -> Tensor:
    """|self − other| ≤ atol + rtol · |other|, element by element, as a bool tensor."""
    ...

def isfinite(input: Operand) -> Tensor:
    """True where the element is neither infinite nor NaN."""
    ...

def isin(
    input: Operand,
    test_elements: Operand,
    *,
    invert: builtins.bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """True where the element occurs in ``test_elements`` (false there with ``invert``)."""
    ...

def isinf(input: Operand) -> Tensor:
    """True where the element is +∞ or −∞, or a part of it, as a bool tensor."""
    ...

def isnan(input: Operand) -> Tensor:
    """True where the element is not a number, as a bool tensor."""
    ...

def isneginf(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where the element is −∞, as a bool tensor."""
    ...

def isposinf(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where the element is +∞, as a bool tensor."""
    ...

def isreal(input: Operand) -> Tensor:
    """True where the imaginary part is 0: everywhere in a real tensor."""
    ...

def istft(
    input: Operand,
    n_fft: builtins.int,
    hop_length: builtins.int | None = None,
    win_length: builtins.int | None = None,
    window: Tensor | None = None,
    center: builtins.bool = True,
    normalized: builtins.bool = False,
    onesided: builtins.bool | None = None,
    length: builtins.int | None = None,
    return_complex: builtins.bool = False,
) -> Tensor:
    """The signal of these spectra: (B?, frequencies, frames) → (B?, L); inverse of ``stft``.

    Σ_t w · frame_t / Σ_t w², which is the signal whose spectra come closest to the given ones.
    ``length`` cuts the signal, or continues it by zeros; with ``center`` the n_fft // 2
    samples that were added at both ends go.  ``return_complex`` gives complex samples, for
    spectra that are not one-sided.  Raises ``ArgumentError`` (a ``RuntimeError``) where the
    windows leave a gap.  (Griffin and Lim, 1984.)
    """
    ...

def kron(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Every element times the whole of ``other``, as blocks."""
    ...

def kthvalue(
    input: Operand,
    k: builtins.int,
    dim: builtins.int = -1,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """The k-th smallest (k counts from 1) along ``dim``: (value, position)."""
    ...

def lcm(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The least common multiple of integers, 0 or more."""
    ...

def ldexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self · 2^other, element by element; shapes broadcast."""
    ...

def le(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def lerp(input: Operand, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """self + weight · (end − self): from self (weight 0) to ``end`` (weight 1).

    From a weight of ½ on computed from the other end, which is reached exactly.
    """
    ...

def less(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self < other, element by element, as a bool tensor; shapes broadcast."""
    ...

def less_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≤ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def lgamma(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """ln |Γ(x)|, element by element. Shape stays; integers become float32."""
    ...

def log(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """ln x, element by element. Shape stays; integers become float32."""
    ...

def log10(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """log₁₀ x, element by element. Shape stays; integers become float32."""
    ...

def log1p(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """ln(1 + x), accurate near 0, element by element. Shape stays; integers become float32."""
    ...

def log2(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """log₂ x, element by element. Shape stays; integers become float32."""
    ...

def log_softmax(
    input: Operand,
    dim: builtins.int,
    dtype: DTypeLike | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """x − ln Σ e^x along ``dim``, stable for any finite input."""
    ...

def logaddexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """ln(e^self + e^other), element by element, without overflow."""
    ...

def logaddexp2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """log₂(2^self + 2^other) without overflow."""
    ...

def logcumsumexp(input: Operand, dim: builtins.int, *, out: Tensor | None = None) -> Tensor:
    """ln Σ_{j≤i} e^{x_j} along ``dim``, without overflow or underflow anywhere on the way."""
    ...

def logdet(input: Operand) -> Tensor:
    """ln det of square matrices, NaN where that is negative: (…, n, n) → (…)."""
    ...

def logical_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where both are nonzero, as a bool tensor; shapes broadcast."""
    ...

def logical_not(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where the element is zero, as a bool tensor."""
    ...

def logical_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where at least one is nonzero, as a bool tensor; shapes broadcast."""
    ...

def logical_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where exactly one is nonzero, as a bool tensor; shapes broadcast."""
    ...

def logit(
    input: Operand,
    eps: builtins.float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """ln(x / (1 − x)), the inverse of the sigmoid; ``eps`` clamps x to [eps, 1 − eps]."""
    ...

def logsumexp(
    input: Operand,
    dim: Axes,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """ln Σ e^x without overflow: m + ln Σ e^(x − m) with m the largest element."""
    ...

def lt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self < other, element by element, as a bool tensor; shapes broadcast."""
    ...

def lu(
    input: Operand,
    pivot: builtins.bool = True,
    get_infos: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> builtins.tuple[Tensor, ...]:
    """(LU, pivots), and with ``get_infos`` info; see ``linalg.lu_factor_ex``."""
    ...

def lu_solve(
    input: Operand,
    LU_data: Tensor,
    LU_pivots: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """X with A X = self, A given by what ``linalg.lu_factor`` returns of it."""
    ...

def masked_fill(input: Operand, mask: Tensor, value: Operand) -> Tensor:
    """``value`` where ``mask`` is true, else self."""
    ...

def masked_scatter(input: Operand, mask: Tensor, source: Tensor) -> Tensor:
    """A copy in which the elements where ``mask`` is true come, in order, from ``source``."""
    ...

def masked_select(input: Operand, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where ``mask`` is true, in a line; the mask's values must be known."""
    ...

def matmul(input: Operand, other: Tensor | np.ndarray, *, out: Tensor | None = None) -> Tensor:
    """Matrix product; vectors count as a row on the left and a column on the right.

    Shapes: (..., M, K) · (..., K, N) → (..., M, N); (K,) · (K,) → (); leading axes broadcast.
    """
    ...

def matrix_exp(input: Operand) -> Tensor:
    """e^A = Σ Aᵏ / k! of square matrices (…, n, n)."""
    ...

def matrix_power(input: Operand, n: builtins.int, *, out: Tensor | None = None) -> Tensor:
    """Square matrices (…, n, n) multiplied ``n`` times with themselves."""
    ...

@overload
def max(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Without ``dim`` the largest element; with it (values, positions) along the axis.

    Another tensor as ``dim`` gives :meth:`maximum`.
    """
    ...
@overload
def max(
    input: Operand,
    dim: builtins.int,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """Without ``dim`` the largest element; with it (values, positions) along the axis.

    Another tensor as ``dim`` gives :meth:`maximum`.
    """
    ...
@overload
def max(input: Operand, dim: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Without ``dim`` the largest element; with it (values, positions) along the axis.

    Another tensor as ``dim`` gives :meth:`maximum`.
    """
    ...

def maximum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of each pair; NaN if one is. At ties each side gets half the gradient."""
    ...

def mean(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum divided by the number of elements; NaN for none.

    Raises ``DTypeError`` for integers and bool where no ``dtype`` is given.
    """
    ...

@overload
def median(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """The lower median: of all elements, or (values, positions) along ``dim``.

    NaN where there is one, and where there is no element (in whole numbers what NaN becomes);
    see :meth:`nanmedian`.
    """
    ...
@overload
def median(
    input: Operand,
    dim: builtins.int,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """The lower median: of all elements, or (values, positions) along ``dim``.

    NaN where there is one, and where there is no element (in whole numbers what NaN becomes);
    see :meth:`nanmedian`.
    """
    ...

@overload
def min(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
    ...
@overload
def min(
    input: Operand,
    dim: builtins.int,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
    ...
@overload
def min(input: Operand, dim: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Without ``dim`` the smallest element; with it (values, positions) along the axis."""
    ...

def minimum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of each pair; NaN if one is. At ties each side gets half the gradient."""
    ...

def mm(input: Operand, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices: (M, K) · (K, N) → (M, N); nothing broadcasts."""
    ...

def mode(
    input: Operand,
    dim: builtins.int = -1,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """(most frequent element, its last position) along ``dim``; of several the smallest."""
    ...

def moveaxis(
    input: Operand,
    source: builtins.int | Sequence[builtins.int],
    destination: builtins.int | Sequence[builtins.int],
) -> Tensor:
    """Axes ``source`` moved to places ``destination``, the others in their order."""
    ...

def movedim(
    input: Operand,
    source: builtins.int | Sequence[builtins.int],
    destination: builtins.int | Sequence[builtins.int],
) -> Tensor:
    """Axes ``source`` moved to places ``destination``, the others in their order."""
    ...

def msort(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Sorted along the first axis, smallest first."""
    ...

def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self · other, element by element; shapes broadcast."""
    ...

def multiply(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self · other, element by element; shapes broadcast."""
    ...

def mv(input: Operand, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of a matrix and a vector: (M, K) · (K,) → (M,)."""
    ...

def mvlgamma(input: Operand, p: builtins.int, *, out: Tensor | None = None) -> Tensor:
    """ln Γ_p(x) = p(p − 1)/4 · ln π + Σ_{j<p} ln Γ(x − j/2)."""
    ...

def nan_to_num(
    input: Operand,
    nan: builtins.float = ...,
    posinf: builtins.float | None = None,
    neginf: builtins.float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default."""
    ...

def nanmean(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Mean over ``dim`` of the elements that are numbers; NaN where there is none."""
    ...

@overload
def nanmedian(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """:meth:`median` of the elements that are numbers; NaN where there is none."""
    ...
@overload
def nanmedian(
    input: Operand,
    dim: builtins.int,
    keepdim: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """:meth:`median` of the elements that are numbers; NaN where there is none."""
    ...

def nanquantile(
    input: Operand,
    q: Tensor | builtins.float | Sequence[builtins.float],
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    interpolation: builtins.str = 'linear',
    out: Tensor | None = None,
) -> Tensor:
    """:meth:`quantile` of the elements that are numbers; NaN where there is none."""
    ...

def nansum(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum over ``dim`` (all axes by default), NaN counted as 0."""
    ...

def narrow(
    input: Operand,
    dim: builtins.int,
    start: builtins.int | Tensor,
    length: builtins.int,
) -> Tensor:
    """``length`` elements from ``start`` along ``dim``.

    ``start`` may be an integer tensor of one element, in compiled programs of any value.
    """
    ...

def narrow_copy(
    input: Operand,
    dim: builtins.int,
    start: builtins.int,
    length: builtins.int,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """As :meth:`narrow`, in memory of its own."""
    ...

def ne(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≠ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def neg(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool."""
    ...

def negative(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool."""
    ...

def nextafter(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The number next to self in the direction of ``other``.

    The gradient goes to self, whole: the next number moves as it does.
    """
    ...

@overload
def nonzero(
    input: Operand,
    as_tuple: Literal[False] = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Positions of the nonzero elements: (count, axes), or a tuple of one vector per axis."""
    ...
@overload
def nonzero(
    input: Operand,
    as_tuple: Literal[True],
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> builtins.tuple[Tensor, ...]:
    """Positions of the nonzero elements: (count, axes), or a tuple of one vector per axis."""
    ...

def nonzero_static(
    input: Operand,
    *,
    size: builtins.int,
    fill_value: builtins.int = -1,
    out: Tensor | None = None,
) -> Tensor:
    """The first ``size`` positions of nonzero elements: (size, axes), filled up if fewer."""
    ...

def norm(
    input: Operand,
    p: builtins.float | builtins.str = 2,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """(Σ|x|^p)^(1/p); p = inf, −inf: largest, smallest |x|; p = 0: number of nonzeros;
    "fro": p = 2; "nuc", over two axes: sum of the singular values.

    The gradient where the norm is 0, and for p < 1 that of elements that are 0, is 0 (a
    subgradient).
    """
    ...

def not_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ≠ other, element by element, as a bool tensor; shapes broadcast."""
    ...

def numel(input: Operand) -> builtins.int:
    """Number of elements: the product of the extents."""
    ...

def orgqr(input: Operand, input2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Q of what ``geqrf`` gives, ``input2`` being tau; see ``linalg.householder_product``."""
    ...

def ormqr(
    input: Operand,
    input2: Tensor,
    input3: Tensor,
    left: builtins.bool = True,
    transpose: builtins.bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Q · input3 (or input3 · Q) for the Q of what ``geqrf`` gives; see ``ormqr``."""
    ...

def outer(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of two vectors' elements: (N,), (M,) → (N, M)."""
    ...

def permute(input: Operand, *dims: Extents) -> Tensor:
    """Axis i of the result is axis ``dims[i]``."""
    ...

def pinverse(input: Operand, rcond: builtins.float = ...) -> Tensor:
    """The pseudoinverse: (…, m, n) → (…, n, m); see ``linalg.pinv``."""
    ...

def positive(input: Operand) -> Tensor:
    """The tensor itself: +x."""
    ...

def pow(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """self ^ exponent; small whole exponents become products."""
    ...

def prelu(input: Operand, weight: Tensor) -> Tensor:
    """x where positive, else weight · x; one weight, or one for each entry of axis 1."""
    ...

def prod(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Product over ``dim`` (all axes by default)."""
    ...

def put(
    input: Operand,
    index: Tensor,
    source: Tensor,
    accumulate: builtins.bool = False,
) -> Tensor:
    """A copy with ``source`` written (or added) at positions of the flattened tensor.

    ``index`` and ``source`` have equally many elements; negative positions count from the
    back.
    """
    ...

def qr(
    input: Operand,
    some: builtins.bool = True,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> OrthogonalTriangular:
    """A = Q R of matrices (…, m, n); see ``linalg.qr``, whose mode is "reduced" with ``some``
    and otherwise "complete".
    """
    ...

def quantile(
    input: Operand,
    q: Tensor | builtins.float | Sequence[builtins.float],
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    interpolation: builtins.str = 'linear',
    out: Tensor | None = None,
) -> Tensor:
    """The q-quantiles (0 ≤ q ≤ 1) along ``dim``, by default of all elements.

    ``q`` is a number, or a vector whose axis comes first in the result.  Between two
    elements ``interpolation`` takes "linear", "lower", "higher", "nearest" or "midpoint".
    Where there is a NaN the result is NaN.
    """
    ...

def rad2deg(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """Radians as degrees: x · 180 / π, element by element."""
    ...

def ravel(input: Operand) -> Tensor:
    """All elements in one line, in the order of their indices."""
    ...

def reciprocal(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """1 / x, element by element; integers become float32."""
    ...

def relu(input: Operand) -> Tensor:
    """max(0, x), NaN for NaN; the gradient at 0 is 0."""
    ...

def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self − floor(self / other) · other: the sign of the divisor, as Python's %."""
    ...

def renorm(
    input: Operand,
    p: builtins.float,
    dim: builtins.int,
    maxnorm: builtins.float,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Slices along ``dim`` scaled down to a p-norm of at most ``maxnorm``."""
    ...

def repeat_interleave(
    input: Operand,
    repeats: builtins.int | Tensor,
    dim: builtins.int | None = None,
    *,
    output_size: builtins.int | None = None,
) -> Tensor:
    """Each element repeated ``repeats`` times in place along ``dim`` (flattened by default).

    ``repeats`` is a number, or a vector with one for each element.  ``output_size`` is the sum
    of them; compiled programs need it, where the vector's values are not known.
    """
    ...

def reshape(input: Operand, *shape: Extents) -> Tensor:
    """The same elements in the same order under ``shape``; one extent may be −1."""
    ...

def resolve_conj(input: Operand) -> Tensor:
    """The tensor itself: no conjugation is ever pending."""
    ...

def resolve_neg(input: Operand) -> Tensor:
    """The tensor itself: no change of sign is ever pending."""
    ...

def roll(
    input: Operand,
    shifts: builtins.int | Sequence[builtins.int],
    dims: builtins.int | Sequence[builtins.int] | None = None,
) -> Tensor:
    """Shifted by ``shifts`` along ``dims``; what falls out comes in on the other side."""
    ...

def rot90(input: Operand, k: builtins.int = 1, dims: Sequence[builtins.int] = ...) -> Tensor:
    """Turned by k quarter turns from axis ``dims[0]`` towards ``dims[1]``."""
    ...

def round(input: Operand, *, decimals: builtins.int = 0, out: Tensor | None = None) -> Tensor:
    """x rounded to ``decimals`` places, ties to the even neighbour."""
    ...

def rsqrt(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """1 / √x, element by element; integers become float32."""
    ...

def rsub(input: Operand, other: Operand, *, alpha: builtins.float = 1) -> Tensor:
    """other − alpha · self, element by element; shapes broadcast."""
    ...

def scatter(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    src: Operand | None = None,
    *,
    reduce: builtins.str | None = None,
    value: builtins.float | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with ``src`` (or the number ``value``) written at ``index`` along ``dim``.

    ``reduce="add"`` adds it to what is there, ``"multiply"`` multiplies.
    """
    ...

def scatter_add(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    src: Tensor,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with ``src`` added at ``index`` along ``dim``."""
    ...

def scatter_reduce(
    input: Operand,
    dim: builtins.int,
    index: Tensor,
    src: Tensor,
    reduce: builtins.str,
    *,
    include_self: builtins.bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with ``src`` combined at ``index`` along ``dim``.

    ``reduce``: "sum", "mean", "prod", "amax" or "amin", of them and (``include_self``) what
    was there.  Places that are not hit stay.  Of equal extremes each gets an equal share of
    the gradient.  Shapes: ``index`` and at least so much of ``src`` like self, ``dim`` aside.
    """
    ...

def select(input: Operand, dim: builtins.int, index: builtins.int) -> Tensor:
    """The slice at ``index`` along ``dim``, without that axis."""
    ...

def select_scatter(
    input: Operand,
    src: Tensor,
    dim: builtins.int,
    index: builtins.int,
) -> Tensor:
    """A copy with ``src`` in place of the entry ``index`` along ``dim``."""
    ...

def sgn(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sign(x): −1, 0 or 1, element by element; z / |z| of complex numbers, 0 for 0."""
    ...

def sigmoid(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """1 / (1 + e^−x), element by element. Shape stays; integers become float32."""
    ...

def sign(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sign(x): −1, 0 or 1, element by element. Shape and dtype stay."""
    ...

def signbit(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """True where the sign bit is set: x < 0 or x = −0."""
    ...

def sin(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sin x, element by element. Shape stays; integers become float32."""
    ...

def sinc(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sin(πx) / (πx), 1 at 0; integers become float32."""
    ...

def sinh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """sinh x, element by element. Shape stays; integers become float32."""
    ...

def slice_scatter(
    input: Operand,
    src: Tensor,
    dim: builtins.int = 0,
    start: builtins.int | None = None,
    end: builtins.int | None = None,
    step: builtins.int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with ``src`` in place of ``self[start:end:step]`` along ``dim``."""
    ...

def slogdet(input: Operand, *, out: builtins.tuple[Tensor, ...] | None = None) -> SignLog:
    """(sign, ln |det|) of square matrices: (…, n, n) → (…)."""
    ...

def softmax(
    input: Operand,
    dim: builtins.int,
    dtype: DTypeLike | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """e^x / Σ e^x along ``dim``, shifted by the largest element so that nothing overflows."""
    ...

def sort(
    input: Operand,
    dim: builtins.int = -1,
    descending: builtins.bool = False,
    stable: builtins.bool = True,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """(values, positions) sorted along ``dim``; NaN counts as largest."""
    ...

def split(
    input: Operand,
    split_size: builtins.int | Sequence[builtins.int],
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """Pieces of ``split_size`` (the last may be smaller), or of the sizes in a list."""
    ...

def split_with_sizes(
    input: Operand,
    split_sizes: Sequence[builtins.int],
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """Parts of these extents along ``dim``, which must add up to its extent."""
    ...

def sqrt(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """√x, element by element. Shape stays; integers become float32."""
    ...

def square(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """x², element by element; shape and dtype stay, but bool becomes int64."""
    ...

def squeeze(input: Operand, dim: builtins.int | Sequence[builtins.int] | None = None) -> Tensor:
    """Without axes of extent 1: all of them, or those of ``dim`` that have extent 1."""
    ...

def std(
    input: Operand,
    dim: Axes = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = 1,
    out: Tensor | None = None,
) -> Tensor:
    """√var.  The gradient where all elements are equal is 0 (a subgradient)."""
    ...

def std_mean(
    input: Operand,
    dim: Axes = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = 1,
) -> builtins.tuple[Tensor, Tensor]:
    """(standard deviation, mean) over ``dim``, as :meth:`std` and :meth:`mean` give them."""
    ...

def stft(
    input: Operand,
    n_fft: builtins.int,
    hop_length: builtins.int | None = None,
    win_length: builtins.int | None = None,
    window: Tensor | None = None,
    center: builtins.bool = True,
    pad_mode: builtins.str = 'reflect',
    normalized: builtins.bool = False,
    onesided: builtins.bool | None = None,
    return_complex: builtins.bool | None = None,
    align_to_window: builtins.bool | None = None,
) -> Tensor:
    """Spectra of the frames of a signal: (B?, L) → (B?, frequencies, frames), complex.

    X[k, t] = Σ_n w[n] x[t · hop_length + n] e^(−2πikn / n_fft), times n_fft^(−½) if
    ``normalized``.  ``window`` has ``win_length`` (n_fft) samples, set in the middle of a
    frame; None means ones, with a warning.  ``hop_length`` is n_fft // 4 by default.  With
    ``center`` frames are centred at their time: the signal is continued by n_fft // 2 samples
    at both ends, "reflect"ed or by another mode of ``pad``.  Otherwise ``align_to_window``
    lets the first window, not the first frame, begin with the signal.

    ``onesided`` gives the n_fft // 2 + 1 frequencies that a real signal needs (the default
    for one), else n_fft.  ``return_complex`` must be given for real input; False gives real
    and imaginary parts as a last axis.  Raises ``ArgumentError`` (a ``RuntimeError``) for
    lengths that do not fit each other.  (Allen and Rabiner, 1977.)
    """
    ...

def sub(
    input: Operand,
    other: Operand,
    *older: Operand,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """self − alpha · other, element by element; shapes broadcast, dtypes are promoted."""
    ...

def subtract(
    input: Operand,
    other: Operand,
    *older: Operand,
    alpha: builtins.float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """self − alpha · other, element by element; shapes broadcast, dtypes are promoted."""
    ...

def sum(
    input: Operand,
    dim: Axes = None,
    keepdim: builtins.bool = False,
    *,
    dtype: DTypeLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum over ``dim`` (all axes by default). Integers and bool sum to int64."""
    ...

def svd(
    input: Operand,
    some: builtins.bool = True,
    compute_uv: builtins.bool = True,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> SingularFactors:
    """A = U diag(S) Vᴴ of matrices (…, m, n) as (U, S, V); see ``linalg.svd``.

    ``some`` leaves out the columns beyond min(m, n); without ``compute_uv`` U and V are 0.
    """
    ...

def swapaxes(
    input: Operand,
    dim0: builtins.int | Sequence[builtins.int],
    dim1: builtins.int | None = None,
) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
    ...

def swapdims(
    input: Operand,
    dim0: builtins.int | Sequence[builtins.int],
    dim1: builtins.int | None = None,
) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
    ...

def t(input: Operand) -> Tensor:
    """The transposed matrix; vectors and scalars stay."""
    ...

def take(input: Operand, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements at positions of the flattened tensor (negative: from the back)."""
    ...

def take_along_dim(
    input: Operand,
    indices: Tensor,
    dim: builtins.int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """:meth:`gather` whose other axes broadcast; without ``dim`` from the flattened tensor."""
    ...

def tan(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """tan x, element by element. Shape stays; integers become float32."""
    ...

def tanh(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """tanh x, element by element. Shape stays; integers become float32."""
    ...

def tensor_split(
    input: Operand,
    indices_or_sections: builtins.int | Sequence[builtins.int] | Tensor,
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """In n parts whose sizes differ by at most one, or cut at the given positions."""
    ...

def tile(input: Operand, *dims: Extents) -> Tensor:
    """:meth:`repeat` that fills up missing counts with ones in front."""
    ...

def topk(
    input: Operand,
    k: builtins.int,
    dim: builtins.int = -1,
    largest: builtins.bool = True,
    sorted: builtins.bool = True,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> ValuesIndices:
    """The ``k`` largest (or smallest) along ``dim``, in order: (values, positions)."""
    ...

def trace(input: Operand) -> Tensor:
    """Sum of a matrix's diagonal: Σ x_ii, a tensor without axes."""
    ...

def transpose(
    input: Operand,
    dim0: builtins.int | Sequence[builtins.int],
    dim1: builtins.int | None = None,
) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged; or, as in NumPy, all axes in a given order."""
    ...

def triangular_solve(
    input: Operand,
    A: Tensor,
    upper: builtins.bool = True,
    transpose: builtins.bool = False,
    unitriangular: builtins.bool = False,
    *,
    out: builtins.tuple[Tensor, ...] | None = None,
) -> TriangularSolution:
    """(X, A) with A X = self, of A only the ``upper`` or lower triangle being read.

    ``transpose`` takes Aᵀ, ``unitriangular`` ones on the diagonal.  The leading axes broadcast.
    """
    ...

def tril(input: Operand, diagonal: builtins.int = 0, *, out: Tensor | None = None) -> Tensor:
    """Zeros above the ``diagonal``-th diagonal of the last two axes."""
    ...

def triu(input: Operand, diagonal: builtins.int = 0, *, out: Tensor | None = None) -> Tensor:
    """Zeros below the ``diagonal``-th diagonal of the last two axes."""
    ...

def true_divide(
    input: Operand,
    other: Operand,
    *,
    rounding_mode: builtins.str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """self / other; ``rounding_mode`` "floor" or "trunc" rounds the quotient.

    Without rounding the result is floating point also for integers.
    """
    ...

def trunc(input: Operand, *, out: Tensor | None = None) -> Tensor:
    """x without its fraction, rounded towards zero; shape and dtype stay."""
    ...

def unbind(input: Operand, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
    """The slices along ``dim``, each without that axis."""
    ...

def unflatten(input: Operand, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor:
    """Axis ``dim`` split into axes of extents ``sizes`` (one may be −1)."""
    ...

@overload
def unique(
    input: Operand,
    sorted: builtins.bool = True,
    return_inverse: Literal[False] = False,
    return_counts: Literal[False] = False,
    dim: builtins.int | None = None,
) -> Tensor:
    """The distinct elements in order (or slices along ``dim``); values must be known.

    With ``return_inverse`` also the place of each element among them, with
    ``return_counts`` also how often each comes.
    """
    ...
@overload
def unique(
    input: Operand,
    sorted: builtins.bool = True,
    return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False,
    dim: builtins.int | None = None,
) -> builtins.tuple[Tensor, ...]:
    """The distinct elements in order (or slices along ``dim``); values must be known.

    With ``return_inverse`` also the place of each element among them, with
    ``return_counts`` also how often each comes.
    """
    ...

@overload
def unique_consecutive(
    input: Operand,
    return_inverse: Literal[False] = False,
    return_counts: Literal[False] = False,
    dim: builtins.int | None = None,
) -> Tensor:
    """The flattened elements (or slices along ``dim``) without repeated neighbours.

    Values must be known; the other results as in :meth:`unique`.
    """
    ...
@overload
def unique_consecutive(
    input: Operand,
    return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False,
    dim: builtins.int | None = None,
) -> builtins.tuple[Tensor, ...]:
    """The flattened elements (or slices along ``dim``) without repeated neighbours.

    Values must be known; the other results as in :meth:`unique`.
    """
    ...

def unsqueeze(input: Operand, dim: builtins.int) -> Tensor:
    """With a new axis of extent 1 at position ``dim`` of the result."""
    ...

def var(
    input: Operand,
    dim: Axes = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Σ|x − mean|² / (n − correction) over ``dim``; ``correction=0`` is the population's."""
    ...

def var_mean(
    input: Operand,
    dim: Axes = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = 1,
) -> builtins.tuple[Tensor, Tensor]:
    """(variance, mean) over ``dim``, as :meth:`var` and :meth:`mean` give them."""
    ...

def vdot(input: Operand, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sum of the products of two vectors of equal length, the first one conjugated."""
    ...

def vsplit(
    input: Operand,
    sections: builtins.int | Sequence[builtins.int],
) -> builtins.tuple[Tensor, ...]:
    """Parts along axis 0: equal ones, or cut at these positions."""
    ...

def xlogy(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """self · ln(other), element by element, with 0 · ln(0) = 0."""
    ...

def abs_(input: Operand) -> Tensor:
    """|x|, element by element. Shape and dtype stay.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def acos_(input: Operand) -> Tensor:
    """arccos x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def acosh_(input: Operand) -> Tensor:
    """arcosh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def addmv_(
    input: Operand,
    mat: Tensor,
    vec: Tensor,
    *older: Tensor,
    beta: builtins.float = 1,
    alpha: builtins.float = 1,
) -> Tensor:
    """beta · self + alpha · (mat @ vec): (n) or broadcast to it, (n, m), (m) → (n).

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arccos_(input: Operand) -> Tensor:
    """arccos x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arccosh_(input: Operand) -> Tensor:
    """arcosh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arcsin_(input: Operand) -> Tensor:
    """arcsin x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arcsinh_(input: Operand) -> Tensor:
    """arsinh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arctan_(input: Operand) -> Tensor:
    """arctan x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def arctanh_(input: Operand) -> Tensor:
    """artanh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def as_strided_(
    input: Operand,
    size: Sequence[builtins.int],
    stride: Sequence[builtins.int],
    storage_offset: builtins.int | None = None,
) -> Tensor:
    """:meth:`as_strided` in place: the tensor itself shows its memory so; returns it.

    Raises ``AutogradError`` for tensors that require gradients, and ``TraceError`` inside of
    ``compile`` for tensors from outside that are no arguments.  A call that changes the shape
    of an argument runs eagerly.
    """
    ...

def asin_(input: Operand) -> Tensor:
    """arcsin x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def asinh_(input: Operand) -> Tensor:
    """arsinh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def atan_(input: Operand) -> Tensor:
    """arctan x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def atanh_(input: Operand) -> Tensor:
    """artanh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def ceil_(input: Operand) -> Tensor:
    """The smallest integer ≥ x, element by element; shape and dtype stay.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def clamp_(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """min(max(x, min), max), NaN where one of them is.

    The gradient is 1 inside and at the bounds, 0 outside.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def clamp_max_(input: Operand, max: Operand) -> Tensor:
    """min(x, max), element by element; ``max`` broadcasts.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def clamp_min_(input: Operand, min: Operand) -> Tensor:
    """max(x, min), element by element; ``min`` broadcasts.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def clip_(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """min(max(x, min), max), NaN where one of them is.

    The gradient is 1 inside and at the bounds, 0 outside.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def conj_physical_(input: Operand) -> Tensor:
    """The conjugate re − i im, in memory of its own; of a real tensor itself.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def cos_(input: Operand) -> Tensor:
    """cos x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def cosh_(input: Operand) -> Tensor:
    """cosh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def deg2rad_(input: Operand) -> Tensor:
    """Degrees as radians: x · π / 180, element by element.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def detach_(input: Operand) -> Tensor:
    """Forget the history in place; not for views, whose history is that of their base."""
    ...

def erf_(input: Operand) -> Tensor:
    """the error function, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def erfc_(input: Operand) -> Tensor:
    """1 − erf(x), accurate for large x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def exp2_(input: Operand) -> Tensor:
    """2^x, element by element; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def exp_(input: Operand) -> Tensor:
    """e^x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def expm1_(input: Operand) -> Tensor:
    """e^x − 1, accurate near 0, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def fix_(input: Operand) -> Tensor:
    """x without its fraction, rounded towards zero; shape and dtype stay.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def floor_(input: Operand) -> Tensor:
    """The largest integer ≤ x, element by element; shape and dtype stay.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def frac_(input: Operand) -> Tensor:
    """The fraction with the sign of x: x − trunc(x).

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def gcd_(input: Operand, other: Operand) -> Tensor:
    """The greatest common divisor of integers, 0 or more.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def i0_(input: Operand) -> Tensor:
    """I₀(x) = 1/π ∫₀^π e^(x cos t) dt, the modified Bessel function of order 0.

    Relative error up to 3e-14 in float64.  By Chebyshev series of e^−|x| I₀ in |x| up to 8
    and of √|x| e^−|x| I₀ in 1/|x| beyond (Clenshaw, 1962).

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def index_put_(
    input: Operand,
    indices: Sequence[Tensor],
    values: Operand,
    accumulate: builtins.bool = False,
) -> Tensor:
    """A copy with ``values`` written (or added) at ``self[indices]``.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def lcm_(input: Operand, other: Operand) -> Tensor:
    """The least common multiple of integers, 0 or more.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def ldexp_(input: Operand, other: Operand) -> Tensor:
    """self · 2^other, element by element; shapes broadcast.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def log10_(input: Operand) -> Tensor:
    """log₁₀ x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def log1p_(input: Operand) -> Tensor:
    """ln(1 + x), accurate near 0, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def log2_(input: Operand) -> Tensor:
    """log₂ x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def log_(input: Operand) -> Tensor:
    """ln x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def logit_(input: Operand, eps: builtins.float | None = None) -> Tensor:
    """ln(x / (1 − x)), the inverse of the sigmoid; ``eps`` clamps x to [eps, 1 − eps].

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def nan_to_num_(
    input: Operand,
    nan: builtins.float = ...,
    posinf: builtins.float | None = None,
    neginf: builtins.float | None = None,
) -> Tensor:
    """Finite numbers only: NaN → ``nan``, +∞ and −∞ → the largest and smallest by default.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def neg_(input: Operand) -> Tensor:
    """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def negative_(input: Operand) -> Tensor:
    """−x, element by element. Shape and dtype stay; raises ``DTypeError`` for bool.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def rad2deg_(input: Operand) -> Tensor:
    """Radians as degrees: x · 180 / π, element by element.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def reciprocal_(input: Operand) -> Tensor:
    """1 / x, element by element; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def relu_(input: Operand) -> Tensor:
    """max(0, x), NaN for NaN; the gradient at 0 is 0.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def round_(input: Operand, *, decimals: builtins.int = 0) -> Tensor:
    """x rounded to ``decimals`` places, ties to the even neighbour.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def rsqrt_(input: Operand) -> Tensor:
    """1 / √x, element by element; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def sigmoid_(input: Operand) -> Tensor:
    """1 / (1 + e^−x), element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def sin_(input: Operand) -> Tensor:
    """sin x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def sinc_(input: Operand) -> Tensor:
    """sin(πx) / (πx), 1 at 0; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def sinh_(input: Operand) -> Tensor:
    """sinh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def sqrt_(input: Operand) -> Tensor:
    """√x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def square_(input: Operand) -> Tensor:
    """x², element by element; shape and dtype stay, but bool becomes int64.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def tan_(input: Operand) -> Tensor:
    """tan x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def tanh_(input: Operand) -> Tensor:
    """tanh x, element by element. Shape stays; integers become float32.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def trunc_(input: Operand) -> Tensor:
    """x without its fraction, rounded towards zero; shape and dtype stay.

    In place: overwrites the tensor with the result and returns it.
    """
    ...

def xlogy_(input: Operand, other: Operand) -> Tensor:
    """self · ln(other), element by element, with 0 · ln(0) = 0.

    In place: overwrites the tensor with the result and returns it.
    """
    ...
