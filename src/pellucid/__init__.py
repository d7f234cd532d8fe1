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
from pellucid.base.shapes import Size, broadcast_shapes
from pellucid.base.version import __version__
from pellucid.tensor import foreach as _lists
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
from pellucid.tensor.autocast import (
    autocast,
    clear_autocast_cache,
    get_autocast_dtype,
    is_autocast_cache_enabled,
    is_autocast_enabled,
)
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
from pellucid.tensor.defaults import get_default_dtype, set_default_dtype
from pellucid.tensor.device import Device as device
from pellucid.tensor.device import get_default_device, set_default_device
from pellucid.tensor.factoring import lu_unpack
from pellucid.tensor.functions import (
    asarray,
    can_cast,
    equal,
    get_device,
    is_storage,
    is_tensor,
    polygamma,
    promote_types,
    result_type,
    scalar_tensor,
    trapezoid,
    typename,
    where,
)
from pellucid.tensor.functions import range_ as range
from pellucid.tensor.further import (
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
from pellucid.tensor.layout import Layout as layout
from pellucid.tensor.layout import MemoryFormat as memory_format
from pellucid.tensor.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
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
    seed,
    set_rng_state,
)
from pellucid.tensor.sampling import binomial, poisson
from pellucid.tensor.scan import scan
from pellucid.tensor.settings import (
    are_deterministic_algorithms_enabled,
    get_deterministic_debug_mode,
    get_float32_matmul_precision,
    get_num_interop_threads,
    is_deterministic_algorithms_warn_only_enabled,
    is_warn_always_enabled,
    set_deterministic_debug_mode,
    set_float32_matmul_precision,
    set_num_interop_threads,
    set_warn_always,
    use_deterministic_algorithms,
)
from pellucid.tensor.shaping import broadcast_tensors, cat, meshgrid, stack
from pellucid.tensor.sparse_making import (
    sparse_compressed_tensor,
    sparse_coo_tensor,
    sparse_csc_tensor,
    sparse_csr_tensor,
)
from pellucid.tensor.state import (
    are_eager_kernels_enabled,
    eager_kernels,
    set_eager_kernels,
)
from pellucid.tensor.statistics import searchsorted
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.tensor_types import (
    BFloat16Tensor,
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    set_default_tensor_type,
)
from pellucid.tensor.vmap import vmap
from pellucid.tensor.windows import (
    bartlett_window,
    blackman_window,
    hamming_window,
    hann_window,
    kaiser_window,
)

float = float32
double = float64
cfloat = complex64
cdouble = complex128
half = float16
long = int64
int = int32
short = int16
newaxis = None
concat = concatenate = cat
trapz = trapezoid
row_stack = vstack
__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "Generator",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "PellucidError",
    "ShortTensor",
    "Size",
    "Tensor",
    "Trainer",
    "__version__",
    "accelerator",
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "alias_copy",
    "alpha_dropout",
    "amp",
    "arange",
    "are_deterministic_algorithms_enabled",
    "are_eager_kernels_enabled",
    "as_strided_copy",
    "as_tensor",
    "asarray",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "autocast",
    "autograd",
    "avg_pool1d",
    "backends",
    "bartlett_window",
    "batch_norm",
    "bernoulli",
    "bfloat16",
    "bilinear",
    "binary_cross_entropy_with_logits",
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
    "celu",
    "cfloat",
    "chain_matmul",
    "channel_shuffle",
    "channels_last",
    "channels_last_3d",
    "clear_autocast_cache",
    "clear_caches",
    "column_stack",
    "combinations",
    "compile",
    "compiler",
    "complex",
    "complex128",
    "complex64",
    "concat",
    "concatenate",
    "constant_pad_nd",
    "contiguous_format",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cpu",
    "ctc_loss",
    "cuda",
    "cumulative_trapezoid",
    "data",
    "default_generator",
    "detach_copy",
    "device",
    "diagonal_copy",
    "distributed",
    "distributions",
    "doctor",
    "estimators",
    "double",
    "dropout",
    "dropout_",
    "dstack",
    "dtype",
    "e",
    "eager_kernels",
    "einsum",
    "embedding",
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    "enable_grad",
    "equal",
    "expand_copy",
    "eye",
    "feature_alpha_dropout",
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
    "get_default_device",
    "get_default_dtype",
    "get_deterministic_debug_mode",
    "get_device",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
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
    "group_norm",
    "half",
    "hamming_window",
    "hann_window",
    "hinge_embedding_loss",
    "histogramdd",
    "hstack",
    "hub",
    "iinfo",
    "imag",
    "inf",
    "inference_mode",
    "initial_seed",
    "insight",
    "instance_norm",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "interop",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_autocast_cache_enabled",
    "is_autocast_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_grad_enabled",
    "is_storage",
    "is_tensor",
    "is_warn_always_enabled",
    "jit",
    "kaiser_window",
    "kl_div",
    "layer_norm",
    "layout",
    "linalg",
    "linspace",
    "load",
    "lobpcg",
    "logspace",
    "long",
    "lu_unpack",
    "manual_seed",
    "margin_ranking_loss",
    "masked",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "memory_format",
    "meshgrid",
    "models",
    "mps",
    "multinomial",
    "multiprocessing",
    "nan",
    "native_batch_norm",
    "native_dropout",
    "native_group_norm",
    "native_layer_norm",
    "newaxis",
    "nn",
    "no_grad",
    "normal",
    "nuclear_norm",
    "numerical_grad",
    "ones",
    "ones_like",
    "onnx",
    "optim",
    "pairwise_distance",
    "pca_lowrank",
    "pdist",
    "permute_copy",
    "pi",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson",
    "poisson_nll_loss",
    "polar",
    "polygamma",
    "preserve_format",
    "printoptions",
    "profiler",
    "promote_types",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "random",
    "randperm",
    "range",
    "real",
    "report",
    "resize_as_",
    "result_type",
    "rl",
    "rms_norm",
    "row_stack",
    "rrelu",
    "save",
    "scalar_tensor",
    "scan",
    "searchsorted",
    "seed",
    "segment_reduce",
    "select_copy",
    "selu",
    "serialization",
    "set_default_device",
    "set_default_dtype",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_eager_kernels",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_grad_enabled",
    "set_num_interop_threads",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "set_warn_always",
    "short",
    "signal",
    "slice_copy",
    "smm",
    "sparse",
    "sparse_bsc",
    "sparse_bsr",
    "sparse_compressed_tensor",
    "sparse_coo",
    "sparse_coo_tensor",
    "sparse_csc",
    "sparse_csc_tensor",
    "sparse_csr",
    "sparse_csr_tensor",
    "special",
    "split_copy",
    "split_with_sizes_copy",
    "spmm",
    "squeeze_copy",
    "stack",
    "strided",
    "summary",
    "svd_lowrank",
    "t_copy",
    "tensor",
    "tensordot",
    "testing",
    "text",
    "threshold",
    "training",
    "transpose_copy",
    "trapezoid",
    "trapz",
    "tril_indices",
    "triplet_margin_loss",
    "triu_indices",
    "typename",
    "uint8",
    "unbind_copy",
    "unfold_copy",
    "unravel_index",
    "unsqueeze_copy",
    "use_deterministic_algorithms",
    "utils",
    "vander",
    "version",
    "view_as_complex",
    "view_as_real",
    "view_copy",
    "vision",
    "vmap",
    "vstack",
    "where",
    "xpu",
    "zero_",
    "zeros",
    "zeros_like",
]
__all__ += _method_functions.__all__

_PARTS = """
    accelerator amp autograd backends compiler cpu cuda data distributed distributions doctor
    estimators fft func hub insight interop jit linalg masked models mps multiprocessing nn onnx
    optim profiler random rl serialization signal sparse special testing text training utils version
    vision xpu
""".split()
_PLACES = {name: f"pellucid.{name}" for name in _PARTS} | {
    "Trainer": "pellucid.training.trainer",
    "load": "pellucid.serialization",
    "report": "pellucid.insight.report.shown",
    "save": "pellucid.serialization",
    "smm": "pellucid.sparse",
    "spmm": "pellucid.sparse",
    "summary": "pellucid.training.summary",
}
_PLACES |= dict.fromkeys(
    (
        "constant_pad_nd grid_sampler grid_sampler_2d grid_sampler_3d native_batch_norm "
        "native_dropout native_group_norm native_layer_norm"
    ).split(),
    "pellucid.nn.functional.native",
)
_PLACES |= {
    name: "pellucid.nn.functional"
    for name in """
    adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d bilinear celu channel_shuffle conv1d conv2d
    conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity max_pool1d
    max_pool1d_with_indices max_pool2d max_pool3d pairwise_distance pdist pixel_shuffle
    pixel_unshuffle rms_norm rrelu selu threshold
    """.split()
}
_PLACES |= {
    name: "pellucid.nn.functional.namesakes"
    for name in """
    alpha_dropout batch_norm binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss dropout
    dropout_ embedding feature_alpha_dropout group_norm hinge_embedding_loss instance_norm kl_div
    layer_norm margin_ranking_loss poisson_nll_loss triplet_margin_loss
    """.split()
}
"""Parts of the package that are loaded when they are first used, and where they are."""

_neighbours.introduce_tensors()

_part, _ = _lazy_face(__name__, _PLACES)


def __getattr__(name: str) -> object:
    if name.startswith("_foreach_"):
        found = _lists.FUNCTIONS.get(name)
        if found is not None:
            return found
    return _part(name)


def __dir__() -> list[str]:
    return sorted(__all__)
