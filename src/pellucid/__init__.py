"""Pellucid: a deep-learning framework you can see through.

Models are written in PyTorch's language; the whole training step is compiled to native code
for the CPU at hand; everything inside is open to look at.

>>> import pellucid
>>> x = pellucid.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

import pellucid._starting as _starting  # before anything that takes time

# isort: split
from pellucid.backends.cpu.subnormals import set_flush_denormal
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.caches import clear_caches
from pellucid.base.dtypes import (
    DType as dtype,
)
from pellucid.base.dtypes import (
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from pellucid.base.dtypes import (
    bool_ as bool,
)
from pellucid.base.errors import PellucidError
from pellucid.base.faces import lazy_face as _lazy_face
from pellucid.base.shapes import broadcast_shapes
from pellucid.tensor import method_functions as _method_functions
from pellucid.tensor import neighbours as _neighbours
from pellucid.tensor.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled
from pellucid.tensor.assembling import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    cartesian_prod,
    column_stack,
    combinations,
    dstack,
    hstack,
    tril_indices,
    triu_indices,
    vstack,
)
from pellucid.tensor.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from pellucid.tensor.autograd import (
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from pellucid.tensor.calculus import (
    cumulative_trapezoid,
    gradient,
)
from pellucid.tensor.compile import compile
from pellucid.tensor.complex import (
    complex,
    imag,
    polar,
    real,
    view_as_complex,
    view_as_real,
)
from pellucid.tensor.copies import (
    alias_copy,
    as_strided_copy,
    detach_copy,
    diagonal_copy,
    expand_copy,
    permute_copy,
    select_copy,
    slice_copy,
    split_copy,
    split_with_sizes_copy,
    squeeze_copy,
    t_copy,
    transpose_copy,
    unbind_copy,
    unfold_copy,
    unsqueeze_copy,
    view_copy,
)
from pellucid.tensor.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from pellucid.tensor.device import Device as device
from pellucid.tensor.factoring import lu_unpack
from pellucid.tensor.functions import (
    equal,
    get_default_dtype,
    is_tensor,
    polygamma,
    promote_types,
    result_type,
    scalar_tensor,
    trapezoid,
    where,
)
from pellucid.tensor.further import (
    can_cast,
    empty_permuted,
    empty_strided,
    fill,
    fill_,
    histogramdd,
    resize_as_,
    segment_reduce,
    unravel_index,
    zero_,
)
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck, numerical_grad
from pellucid.tensor.least_squares import lobpcg, pca_lowrank, svd_lowrank
from pellucid.tensor.limits import e, finfo, iinfo, inf, nan, pi
from pellucid.tensor.linalg import chain_matmul
from pellucid.tensor.linalg import descending_vander as vander
from pellucid.tensor.linear import einsum, tensordot
from pellucid.tensor.method_functions import *
from pellucid.tensor.norms import cdist, nuclear_norm
from pellucid.tensor.printing import get_printoptions, printoptions, set_printoptions
from pellucid.tensor.random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    set_rng_state,
)
from pellucid.tensor.sampling import binomial, poisson
from pellucid.tensor.scan import scan
from pellucid.tensor.shaping import broadcast_tensors, cat, meshgrid, stack
from pellucid.tensor.state import (
    are_eager_kernels_enabled,
    eager_kernels,
    set_eager_kernels,
)
from pellucid.tensor.statistics import searchsorted
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.vmap import vmap
from pellucid.tensor.windows import (
    bartlett_window,
    blackman_window,
    hamming_window,
    hann_window,
    kaiser_window,
)

__version__ = "0.1.0"

float = float32
double = float64
cfloat = complex64
cdouble = complex128
half = float16
long = int64
int = int32
concat = concatenate = cat
trapz = trapezoid
row_stack = vstack
contiguous_format = preserve_format = channels_last = None
"""Memory formats of PyTorch: accepted, and without effect, for layouts are the compiler's."""

__all__ = [
    "Generator",
    "PellucidError",
    "Tensor",
    "Trainer",
    "__version__",
    "alias_copy",
    "arange",
    "are_eager_kernels_enabled",
    "as_strided_copy",
    "as_tensor",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "autocast",
    "autograd",
    "bartlett_window",
    "bernoulli",
    "bfloat16",
    "binomial",
    "blackman_window",
    "block_diag",
    "bool",
    "broadcast_shapes",
    "broadcast_tensors",
    "can_cast",
    "cartesian_prod",
    "cat",
    "cdist",
    "cdouble",
    "cfloat",
    "chain_matmul",
    "channels_last",
    "clear_caches",
    "column_stack",
    "combinations",
    "compile",
    "complex",
    "complex64",
    "complex128",
    "concat",
    "concatenate",
    "constant_pad_nd",
    "contiguous_format",
    "cuda",
    "cumulative_trapezoid",
    "data",
    "default_generator",
    "detach_copy",
    "device",
    "diagonal_copy",
    "distributed",
    "distributions",
    "double",
    "dstack",
    "dtype",
    "e",
    "eager_kernels",
    "einsum",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "enable_grad",
    "equal",
    "expand_copy",
    "eye",
    "fft",
    "fill",
    "fill_",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "func",
    "get_autocast_dtype",
    "get_default_dtype",
    "get_num_threads",
    "get_printoptions",
    "get_rng_state",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "gradient",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "half",
    "hamming_window",
    "hann_window",
    "histogramdd",
    "hstack",
    "iinfo",
    "imag",
    "inf",
    "inference_mode",
    "initial_seed",
    "insight",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "interop",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "kaiser_window",
    "is_autocast_enabled",
    "is_grad_enabled",
    "is_tensor",
    "kaiser_window",
    "linalg",
    "linspace",
    "load",
    "lobpcg",
    "logspace",
    "long",
    "lu_unpack",
    "manual_seed",
    "masked",
    "meshgrid",
    "models",
    "multinomial",
    "multiprocessing",
    "nan",
    "native_batch_norm",
    "native_dropout",
    "native_group_norm",
    "native_layer_norm",
    "nn",
    "no_grad",
    "normal",
    "nuclear_norm",
    "numerical_grad",
    "ones",
    "ones_like",
    "optim",
    "pca_lowrank",
    "permute_copy",
    "pi",
    "poisson",
    "polar",
    "polygamma",
    "preserve_format",
    "printoptions",
    "promote_types",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "real",
    "resize_as_",
    "result_type",
    "rl",
    "row_stack",
    "save",
    "scalar_tensor",
    "scan",
    "searchsorted",
    "segment_reduce",
    "select_copy",
    "serialization",
    "set_eager_kernels",
    "set_flush_denormal",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "signal",
    "slice_copy",
    "special",
    "split_copy",
    "split_with_sizes_copy",
    "squeeze_copy",
    "stack",
    "summary",
    "svd_lowrank",
    "t_copy",
    "tensor",
    "tensordot",
    "text",
    "training",
    "transpose_copy",
    "trapezoid",
    "trapz",
    "tril_indices",
    "triu_indices",
    "uint8",
    "unbind_copy",
    "unfold_copy",
    "unravel_index",
    "unsqueeze_copy",
    "utils",
    "vander",
    "view_as_complex",
    "view_as_real",
    "view_copy",
    "vision",
    "vmap",
    "vstack",
    "where",
    "zero_",
    "zeros",
    "zeros_like",
]
__all__ += _method_functions.__all__

_PARTS = """
    autograd cuda data distributed distributions fft func insight interop linalg masked models
    multiprocessing nn optim rl serialization signal special text training utils vision
""".split()
_PLACES = {name: f"pellucid.{name}" for name in _PARTS} | {
    "Trainer": "pellucid.training.trainer",
    "load": "pellucid.serialization",
    "save": "pellucid.serialization",
    "summary": "pellucid.training.summary",
}
_PLACES |= dict.fromkeys(
    (
        "constant_pad_nd grid_sampler grid_sampler_2d grid_sampler_3d native_batch_norm "
        "native_dropout native_group_norm native_layer_norm"
    ).split(),
    "pellucid.nn.functional.native",
)
"""Parts of the package that are loaded when they are first used, and where they are."""

_neighbours.introduce_tensors()

__getattr__, _ = _lazy_face(__name__, _PLACES)


def __dir__() -> list[str]:
    return sorted(__all__)
