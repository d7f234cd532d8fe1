# Written by tools/write_stubs.py from the running package; do not edit.

from pellucid.backends.cpu.subnormals import set_flush_denormal as set_flush_denormal
from pellucid.backends.cpu.threads import get_num_threads as get_num_threads
from pellucid.backends.cpu.threads import set_num_threads as set_num_threads
from pellucid.base.caches import clear_caches as clear_caches
from pellucid.base.dtypes import DType as dtype
from pellucid.base.dtypes import bfloat16 as bfloat16
from pellucid.base.dtypes import complex64 as complex64
from pellucid.base.dtypes import complex128 as complex128
from pellucid.base.dtypes import float16 as float16
from pellucid.base.dtypes import float32 as float32
from pellucid.base.dtypes import float64 as float64
from pellucid.base.dtypes import int8 as int8
from pellucid.base.dtypes import int16 as int16
from pellucid.base.dtypes import int32 as int32
from pellucid.base.dtypes import int64 as int64
from pellucid.base.dtypes import uint8 as uint8
from pellucid.base.dtypes import bool_ as bool
from pellucid.base.errors import PellucidError as PellucidError
from pellucid.base.shapes import Size as Size
from pellucid.base.shapes import broadcast_shapes as broadcast_shapes
from pellucid.base.version import __version__ as __version__
from pellucid.tensor.anomaly import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from pellucid.tensor.anomaly import is_anomaly_enabled as is_anomaly_enabled
from pellucid.tensor.assembling import atleast_1d as atleast_1d
from pellucid.tensor.assembling import atleast_2d as atleast_2d
from pellucid.tensor.assembling import atleast_3d as atleast_3d
from pellucid.tensor.assembling import block_diag as block_diag
from pellucid.tensor.assembling import cartesian_prod as cartesian_prod
from pellucid.tensor.assembling import column_stack as column_stack
from pellucid.tensor.assembling import combinations as combinations
from pellucid.tensor.assembling import dstack as dstack
from pellucid.tensor.assembling import hstack as hstack
from pellucid.tensor.assembling import tril_indices as tril_indices
from pellucid.tensor.assembling import triu_indices as triu_indices
from pellucid.tensor.assembling import vstack as vstack
from pellucid.tensor.autocast import autocast as autocast
from pellucid.tensor.autocast import clear_autocast_cache as clear_autocast_cache
from pellucid.tensor.autocast import get_autocast_dtype as get_autocast_dtype
from pellucid.tensor.autocast import is_autocast_cache_enabled as is_autocast_cache_enabled
from pellucid.tensor.autocast import is_autocast_enabled as is_autocast_enabled
from pellucid.tensor.autograd import enable_grad as enable_grad
from pellucid.tensor.autograd import grad as grad
from pellucid.tensor.autograd import inference_mode as inference_mode
from pellucid.tensor.autograd import is_grad_enabled as is_grad_enabled
from pellucid.tensor.autograd import no_grad as no_grad
from pellucid.tensor.autograd import set_grad_enabled as set_grad_enabled
from pellucid.tensor.calculus import cumulative_trapezoid as cumulative_trapezoid
from pellucid.tensor.calculus import gradient as gradient
from pellucid.tensor.compile import compile as compile
from pellucid.tensor.complex import complex as complex
from pellucid.tensor.complex import imag as imag
from pellucid.tensor.complex import polar as polar
from pellucid.tensor.complex import real as real
from pellucid.tensor.complex import view_as_complex as view_as_complex
from pellucid.tensor.complex import view_as_real as view_as_real
from pellucid.tensor.copies import alias_copy as alias_copy
from pellucid.tensor.copies import as_strided_copy as as_strided_copy
from pellucid.tensor.copies import detach_copy as detach_copy
from pellucid.tensor.copies import diagonal_copy as diagonal_copy
from pellucid.tensor.copies import expand_copy as expand_copy
from pellucid.tensor.copies import permute_copy as permute_copy
from pellucid.tensor.copies import select_copy as select_copy
from pellucid.tensor.copies import slice_copy as slice_copy
from pellucid.tensor.copies import split_copy as split_copy
from pellucid.tensor.copies import split_with_sizes_copy as split_with_sizes_copy
from pellucid.tensor.copies import squeeze_copy as squeeze_copy
from pellucid.tensor.copies import t_copy as t_copy
from pellucid.tensor.copies import transpose_copy as transpose_copy
from pellucid.tensor.copies import unbind_copy as unbind_copy
from pellucid.tensor.copies import unfold_copy as unfold_copy
from pellucid.tensor.copies import unsqueeze_copy as unsqueeze_copy
from pellucid.tensor.copies import view_copy as view_copy
from pellucid.tensor.creation import arange as arange
from pellucid.tensor.creation import as_tensor as as_tensor
from pellucid.tensor.creation import empty as empty
from pellucid.tensor.creation import empty_like as empty_like
from pellucid.tensor.creation import eye as eye
from pellucid.tensor.creation import from_dlpack as from_dlpack
from pellucid.tensor.creation import from_numpy as from_numpy
from pellucid.tensor.creation import full as full
from pellucid.tensor.creation import full_like as full_like
from pellucid.tensor.creation import linspace as linspace
from pellucid.tensor.creation import logspace as logspace
from pellucid.tensor.creation import ones as ones
from pellucid.tensor.creation import ones_like as ones_like
from pellucid.tensor.creation import tensor as tensor
from pellucid.tensor.creation import zeros as zeros
from pellucid.tensor.creation import zeros_like as zeros_like
from pellucid.tensor.defaults import get_default_dtype as get_default_dtype
from pellucid.tensor.defaults import set_default_dtype as set_default_dtype
from pellucid.tensor.device import Device as device
from pellucid.tensor.device import get_default_device as get_default_device
from pellucid.tensor.device import set_default_device as set_default_device
from pellucid.tensor.factoring import lu_unpack as lu_unpack
from pellucid.tensor.functions import asarray as asarray
from pellucid.tensor.functions import can_cast as can_cast
from pellucid.tensor.functions import equal as equal
from pellucid.tensor.functions import get_device as get_device
from pellucid.tensor.functions import is_storage as is_storage
from pellucid.tensor.functions import is_tensor as is_tensor
from pellucid.tensor.functions import polygamma as polygamma
from pellucid.tensor.functions import promote_types as promote_types
from pellucid.tensor.functions import result_type as result_type
from pellucid.tensor.functions import scalar_tensor as scalar_tensor
from pellucid.tensor.functions import trapezoid as trapezoid
from pellucid.tensor.functions import typename as typename
from pellucid.tensor.functions import where as where
from pellucid.tensor.functions import range_ as range
from pellucid.tensor.further import empty_permuted as empty_permuted
from pellucid.tensor.further import empty_strided as empty_strided
from pellucid.tensor.further import fill as fill
from pellucid.tensor.further import fill_ as fill_
from pellucid.tensor.further import histogramdd as histogramdd
from pellucid.tensor.further import resize_as_ as resize_as_
from pellucid.tensor.further import segment_reduce as segment_reduce
from pellucid.tensor.further import unravel_index as unravel_index
from pellucid.tensor.further import zero_ as zero_
from pellucid.tensor.gradcheck import gradcheck as gradcheck
from pellucid.tensor.gradcheck import gradgradcheck as gradgradcheck
from pellucid.tensor.gradcheck import numerical_grad as numerical_grad
from pellucid.tensor.layout import Layout as layout
from pellucid.tensor.layout import MemoryFormat as memory_format
from pellucid.tensor.layout import channels_last as channels_last
from pellucid.tensor.layout import channels_last_3d as channels_last_3d
from pellucid.tensor.layout import contiguous_format as contiguous_format
from pellucid.tensor.layout import preserve_format as preserve_format
from pellucid.tensor.layout import sparse_bsc as sparse_bsc
from pellucid.tensor.layout import sparse_bsr as sparse_bsr
from pellucid.tensor.layout import sparse_coo as sparse_coo
from pellucid.tensor.layout import sparse_csc as sparse_csc
from pellucid.tensor.layout import sparse_csr as sparse_csr
from pellucid.tensor.layout import strided as strided
from pellucid.tensor.least_squares import lobpcg as lobpcg
from pellucid.tensor.least_squares import pca_lowrank as pca_lowrank
from pellucid.tensor.least_squares import svd_lowrank as svd_lowrank
from pellucid.tensor.limits import e as e
from pellucid.tensor.limits import finfo as finfo
from pellucid.tensor.limits import iinfo as iinfo
from pellucid.tensor.limits import inf as inf
from pellucid.tensor.limits import nan as nan
from pellucid.tensor.limits import pi as pi
from pellucid.tensor.linalg import chain_matmul as chain_matmul
from pellucid.tensor.linalg import descending_vander as vander
from pellucid.tensor.linear import einsum as einsum
from pellucid.tensor.linear import tensordot as tensordot
from pellucid.tensor.method_functions import *
from pellucid.tensor.norms import cdist as cdist
from pellucid.tensor.norms import nuclear_norm as nuclear_norm
from pellucid.tensor.printing import get_printoptions as get_printoptions
from pellucid.tensor.printing import printoptions as printoptions
from pellucid.tensor.printing import set_printoptions as set_printoptions
from pellucid.tensor.random import Generator as Generator
from pellucid.tensor.random import bernoulli as bernoulli
from pellucid.tensor.random import default_generator as default_generator
from pellucid.tensor.random import get_rng_state as get_rng_state
from pellucid.tensor.random import initial_seed as initial_seed
from pellucid.tensor.random import manual_seed as manual_seed
from pellucid.tensor.random import multinomial as multinomial
from pellucid.tensor.random import normal as normal
from pellucid.tensor.random import rand as rand
from pellucid.tensor.random import rand_like as rand_like
from pellucid.tensor.random import randint as randint
from pellucid.tensor.random import randint_like as randint_like
from pellucid.tensor.random import randn as randn
from pellucid.tensor.random import randn_like as randn_like
from pellucid.tensor.random import randperm as randperm
from pellucid.tensor.random import seed as seed
from pellucid.tensor.random import set_rng_state as set_rng_state
from pellucid.tensor.sampling import binomial as binomial
from pellucid.tensor.sampling import poisson as poisson
from pellucid.tensor.scan import scan as scan
from pellucid.tensor.settings import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from pellucid.tensor.settings import get_deterministic_debug_mode as get_deterministic_debug_mode
from pellucid.tensor.settings import get_float32_matmul_precision as get_float32_matmul_precision
from pellucid.tensor.settings import get_num_interop_threads as get_num_interop_threads
from pellucid.tensor.settings import is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled
from pellucid.tensor.settings import is_warn_always_enabled as is_warn_always_enabled
from pellucid.tensor.settings import set_deterministic_debug_mode as set_deterministic_debug_mode
from pellucid.tensor.settings import set_float32_matmul_precision as set_float32_matmul_precision
from pellucid.tensor.settings import set_num_interop_threads as set_num_interop_threads
from pellucid.tensor.settings import set_warn_always as set_warn_always
from pellucid.tensor.settings import use_deterministic_algorithms as use_deterministic_algorithms
from pellucid.tensor.shaping import broadcast_tensors as broadcast_tensors
from pellucid.tensor.shaping import cat as cat
from pellucid.tensor.shaping import meshgrid as meshgrid
from pellucid.tensor.shaping import stack as stack
from pellucid.tensor.sparse_making import sparse_compressed_tensor as sparse_compressed_tensor
from pellucid.tensor.sparse_making import sparse_coo_tensor as sparse_coo_tensor
from pellucid.tensor.sparse_making import sparse_csc_tensor as sparse_csc_tensor
from pellucid.tensor.sparse_making import sparse_csr_tensor as sparse_csr_tensor
from pellucid.tensor.state import are_eager_kernels_enabled as are_eager_kernels_enabled
from pellucid.tensor.state import eager_kernels as eager_kernels
from pellucid.tensor.state import set_eager_kernels as set_eager_kernels
from pellucid.tensor.statistics import searchsorted as searchsorted
from pellucid.tensor.tensor import Tensor as Tensor
from pellucid.tensor.tensor_types import BFloat16Tensor as BFloat16Tensor
from pellucid.tensor.tensor_types import BoolTensor as BoolTensor
from pellucid.tensor.tensor_types import ByteTensor as ByteTensor
from pellucid.tensor.tensor_types import CharTensor as CharTensor
from pellucid.tensor.tensor_types import DoubleTensor as DoubleTensor
from pellucid.tensor.tensor_types import FloatTensor as FloatTensor
from pellucid.tensor.tensor_types import HalfTensor as HalfTensor
from pellucid.tensor.tensor_types import IntTensor as IntTensor
from pellucid.tensor.tensor_types import LongTensor as LongTensor
from pellucid.tensor.tensor_types import ShortTensor as ShortTensor
from pellucid.tensor.tensor_types import set_default_tensor_type as set_default_tensor_type
from pellucid.tensor.vmap import vmap as vmap
from pellucid.tensor.windows import bartlett_window as bartlett_window
from pellucid.tensor.windows import blackman_window as blackman_window
from pellucid.tensor.windows import hamming_window as hamming_window
from pellucid.tensor.windows import hann_window as hann_window
from pellucid.tensor.windows import kaiser_window as kaiser_window
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
from pellucid.training.trainer import Trainer as Trainer
from pellucid import accelerator as accelerator
from pellucid.nn.functional import adaptive_avg_pool1d as adaptive_avg_pool1d
from pellucid.nn.functional import adaptive_max_pool1d as adaptive_max_pool1d
from pellucid.nn.functional.namesakes import alpha_dropout as alpha_dropout
from pellucid import amp as amp
from pellucid import autograd as autograd
from pellucid.nn.functional import avg_pool1d as avg_pool1d
from pellucid import backends as backends
from pellucid.nn.functional.namesakes import batch_norm as batch_norm
from pellucid.nn.functional import bilinear as bilinear
from pellucid.nn.functional.namesakes import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from pellucid.nn.functional import celu as celu
from pellucid.nn.functional import channel_shuffle as channel_shuffle
from pellucid import compiler as compiler
from pellucid.nn.functional.native import constant_pad_nd as constant_pad_nd
from pellucid.nn.functional import conv1d as conv1d
from pellucid.nn.functional import conv2d as conv2d
from pellucid.nn.functional import conv3d as conv3d
from pellucid.nn.functional import conv_tbc as conv_tbc
from pellucid.nn.functional import conv_transpose1d as conv_transpose1d
from pellucid.nn.functional import conv_transpose2d as conv_transpose2d
from pellucid.nn.functional import conv_transpose3d as conv_transpose3d
from pellucid.nn.functional.namesakes import cosine_embedding_loss as cosine_embedding_loss
from pellucid.nn.functional import cosine_similarity as cosine_similarity
from pellucid import cpu as cpu
from pellucid.nn.functional.namesakes import ctc_loss as ctc_loss
from pellucid import cuda as cuda
from pellucid import data as data
from pellucid import distributed as distributed
from pellucid import distributions as distributions
from pellucid import doctor as doctor
from pellucid.nn.functional.namesakes import dropout as dropout
from pellucid.nn.functional.namesakes import dropout_ as dropout_
from pellucid.nn.functional.namesakes import embedding as embedding
from pellucid import estimators as estimators
from pellucid.nn.functional.namesakes import feature_alpha_dropout as feature_alpha_dropout
from pellucid import fft as fft
from pellucid import func as func
from pellucid.nn.functional.native import grid_sampler as grid_sampler
from pellucid.nn.functional.native import grid_sampler_2d as grid_sampler_2d
from pellucid.nn.functional.native import grid_sampler_3d as grid_sampler_3d
from pellucid.nn.functional.namesakes import group_norm as group_norm
from pellucid.nn.functional.namesakes import hinge_embedding_loss as hinge_embedding_loss
from pellucid import hub as hub
from pellucid import insight as insight
from pellucid.nn.functional.namesakes import instance_norm as instance_norm
from pellucid import interop as interop
from pellucid import jit as jit
from pellucid.nn.functional.namesakes import kl_div as kl_div
from pellucid.nn.functional.namesakes import layer_norm as layer_norm
from pellucid import linalg as linalg
from pellucid.serialization import load as load
from pellucid.nn.functional.namesakes import margin_ranking_loss as margin_ranking_loss
from pellucid import masked as masked
from pellucid.nn.functional import max_pool1d as max_pool1d
from pellucid.nn.functional import max_pool1d_with_indices as max_pool1d_with_indices
from pellucid.nn.functional import max_pool2d as max_pool2d
from pellucid.nn.functional import max_pool3d as max_pool3d
from pellucid import models as models
from pellucid import mps as mps
from pellucid import multiprocessing as multiprocessing
from pellucid.nn.functional.native import native_batch_norm as native_batch_norm
from pellucid.nn.functional.native import native_dropout as native_dropout
from pellucid.nn.functional.native import native_group_norm as native_group_norm
from pellucid.nn.functional.native import native_layer_norm as native_layer_norm
from pellucid import nn as nn
from pellucid import onnx as onnx
from pellucid import optim as optim
from pellucid.nn.functional import pairwise_distance as pairwise_distance
from pellucid.nn.functional import pdist as pdist
from pellucid.nn.functional import pixel_shuffle as pixel_shuffle
from pellucid.nn.functional import pixel_unshuffle as pixel_unshuffle
from pellucid.nn.functional.namesakes import poisson_nll_loss as poisson_nll_loss
from pellucid import profiler as profiler
from pellucid import random as random
from pellucid.insight.report.shown import report as report
from pellucid import rl as rl
from pellucid.nn.functional import rms_norm as rms_norm
from pellucid.nn.functional import rrelu as rrelu
from pellucid.serialization import save as save
from pellucid.nn.functional import selu as selu
from pellucid import serialization as serialization
from pellucid import signal as signal
from pellucid.sparse import smm as smm
from pellucid import sparse as sparse
from pellucid import special as special
from pellucid.sparse import spmm as spmm
from pellucid.training.summary import summary as summary
from pellucid import testing as testing
from pellucid import text as text
from pellucid.nn.functional import threshold as threshold
from pellucid import training as training
from pellucid.nn.functional.namesakes import triplet_margin_loss as triplet_margin_loss
from pellucid import utils as utils
from pellucid import version as version
from pellucid import vision as vision
from pellucid import xpu as xpu

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
    "abs",
    "abs_",
    "absolute",
    "accelerator",
    "acos",
    "acos_",
    "acosh",
    "acosh_",
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addmv_",
    "addr",
    "adjoint",
    "alias_copy",
    "all",
    "allclose",
    "alpha_dropout",
    "amax",
    "amin",
    "aminmax",
    "amp",
    "angle",
    "any",
    "arange",
    "arccos",
    "arccos_",
    "arccosh",
    "arccosh_",
    "arcsin",
    "arcsin_",
    "arcsinh",
    "arcsinh_",
    "arctan",
    "arctan2",
    "arctan_",
    "arctanh",
    "arctanh_",
    "are_deterministic_algorithms_enabled",
    "are_eager_kernels_enabled",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "as_strided",
    "as_strided_",
    "as_strided_copy",
    "as_strided_scatter",
    "as_tensor",
    "asarray",
    "asin",
    "asin_",
    "asinh",
    "asinh_",
    "atan",
    "atan2",
    "atan_",
    "atanh",
    "atanh_",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "autocast",
    "autograd",
    "avg_pool1d",
    "backends",
    "baddbmm",
    "bartlett_window",
    "batch_norm",
    "bernoulli",
    "bfloat16",
    "bilinear",
    "binary_cross_entropy_with_logits",
    "bincount",
    "binomial",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "blackman_window",
    "block_diag",
    "bmm",
    "bool",
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "bucketize",
    "can_cast",
    "cartesian_prod",
    "cat",
    "cdist",
    "cdouble",
    "ceil",
    "ceil_",
    "celu",
    "cfloat",
    "chain_matmul",
    "channel_shuffle",
    "channels_last",
    "channels_last_3d",
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "chunk",
    "clamp",
    "clamp_",
    "clamp_max",
    "clamp_max_",
    "clamp_min",
    "clamp_min_",
    "clear_autocast_cache",
    "clear_caches",
    "clip",
    "clip_",
    "clone",
    "column_stack",
    "combinations",
    "compile",
    "compiler",
    "complex",
    "complex128",
    "complex64",
    "concat",
    "concatenate",
    "conj",
    "conj_physical",
    "conj_physical_",
    "constant_pad_nd",
    "contiguous_format",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "copysign",
    "corrcoef",
    "cos",
    "cos_",
    "cosh",
    "cosh_",
    "cosine_embedding_loss",
    "cosine_similarity",
    "count_nonzero",
    "cov",
    "cpu",
    "cross",
    "ctc_loss",
    "cuda",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_trapezoid",
    "data",
    "default_generator",
    "deg2rad",
    "deg2rad_",
    "det",
    "detach",
    "detach_",
    "detach_copy",
    "device",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_copy",
    "diagonal_scatter",
    "diff",
    "digamma",
    "dist",
    "distributed",
    "distributions",
    "div",
    "divide",
    "doctor",
    "dot",
    "double",
    "dropout",
    "dropout_",
    "dsplit",
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
    "eq",
    "equal",
    "erf",
    "erf_",
    "erfc",
    "erfc_",
    "erfinv",
    "estimators",
    "exp",
    "exp2",
    "exp2_",
    "exp_",
    "expand_copy",
    "expm1",
    "expm1_",
    "eye",
    "feature_alpha_dropout",
    "fft",
    "fill",
    "fill_",
    "finfo",
    "fix",
    "fix_",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "float",
    "float16",
    "float32",
    "float64",
    "float_power",
    "floor",
    "floor_",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "frac_",
    "frexp",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "func",
    "gather",
    "gcd",
    "gcd_",
    "ge",
    "geqrf",
    "ger",
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
    "greater",
    "greater_equal",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "group_norm",
    "gt",
    "half",
    "hamming_window",
    "hann_window",
    "hardshrink",
    "heaviside",
    "hinge_embedding_loss",
    "histc",
    "histogram",
    "histogramdd",
    "hsplit",
    "hstack",
    "hub",
    "hypot",
    "i0",
    "i0_",
    "igamma",
    "igammac",
    "iinfo",
    "imag",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_put_",
    "index_reduce",
    "index_select",
    "inf",
    "inference_mode",
    "initial_seed",
    "inner",
    "insight",
    "instance_norm",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "interop",
    "inverse",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_autocast_cache_enabled",
    "is_autocast_enabled",
    "is_complex",
    "is_conj",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_floating_point",
    "is_grad_enabled",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "is_tensor",
    "is_warn_always_enabled",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "istft",
    "jit",
    "kaiser_window",
    "kl_div",
    "kron",
    "kthvalue",
    "layer_norm",
    "layout",
    "lcm",
    "lcm_",
    "ldexp",
    "ldexp_",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "linalg",
    "linspace",
    "load",
    "lobpcg",
    "log",
    "log10",
    "log10_",
    "log1p",
    "log1p_",
    "log2",
    "log2_",
    "log_",
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
    "logit_",
    "logspace",
    "logsumexp",
    "long",
    "lt",
    "lu",
    "lu_solve",
    "lu_unpack",
    "manual_seed",
    "margin_ranking_loss",
    "masked",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "matrix_exp",
    "matrix_power",
    "max",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "median",
    "memory_format",
    "meshgrid",
    "min",
    "minimum",
    "mm",
    "mode",
    "models",
    "moveaxis",
    "movedim",
    "mps",
    "msort",
    "mul",
    "multinomial",
    "multiply",
    "multiprocessing",
    "mv",
    "mvlgamma",
    "nan",
    "nan_to_num",
    "nan_to_num_",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "narrow",
    "narrow_copy",
    "native_batch_norm",
    "native_dropout",
    "native_group_norm",
    "native_layer_norm",
    "ne",
    "neg",
    "neg_",
    "negative",
    "negative_",
    "newaxis",
    "nextafter",
    "nn",
    "no_grad",
    "nonzero",
    "nonzero_static",
    "norm",
    "normal",
    "not_equal",
    "nuclear_norm",
    "numel",
    "numerical_grad",
    "ones",
    "ones_like",
    "onnx",
    "optim",
    "orgqr",
    "ormqr",
    "outer",
    "pairwise_distance",
    "pca_lowrank",
    "pdist",
    "permute",
    "permute_copy",
    "pi",
    "pinverse",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson",
    "poisson_nll_loss",
    "polar",
    "polygamma",
    "positive",
    "pow",
    "prelu",
    "preserve_format",
    "printoptions",
    "prod",
    "profiler",
    "promote_types",
    "put",
    "qr",
    "quantile",
    "rad2deg",
    "rad2deg_",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "random",
    "randperm",
    "range",
    "ravel",
    "real",
    "reciprocal",
    "reciprocal_",
    "relu",
    "relu_",
    "remainder",
    "renorm",
    "repeat_interleave",
    "report",
    "reshape",
    "resize_as_",
    "resolve_conj",
    "resolve_neg",
    "result_type",
    "rl",
    "rms_norm",
    "roll",
    "rot90",
    "round",
    "round_",
    "row_stack",
    "rrelu",
    "rsqrt",
    "rsqrt_",
    "rsub",
    "save",
    "scalar_tensor",
    "scan",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "seed",
    "segment_reduce",
    "select",
    "select_copy",
    "select_scatter",
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
    "sgn",
    "short",
    "sigmoid",
    "sigmoid_",
    "sign",
    "signal",
    "signbit",
    "sin",
    "sin_",
    "sinc",
    "sinc_",
    "sinh",
    "sinh_",
    "slice_copy",
    "slice_scatter",
    "slogdet",
    "smm",
    "softmax",
    "sort",
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
    "split",
    "split_copy",
    "split_with_sizes",
    "split_with_sizes_copy",
    "spmm",
    "sqrt",
    "sqrt_",
    "square",
    "square_",
    "squeeze",
    "squeeze_copy",
    "stack",
    "std",
    "std_mean",
    "stft",
    "strided",
    "sub",
    "subtract",
    "sum",
    "summary",
    "svd",
    "svd_lowrank",
    "swapaxes",
    "swapdims",
    "t",
    "t_copy",
    "take",
    "take_along_dim",
    "tan",
    "tan_",
    "tanh",
    "tanh_",
    "tensor",
    "tensor_split",
    "tensordot",
    "testing",
    "text",
    "threshold",
    "tile",
    "topk",
    "trace",
    "training",
    "transpose",
    "transpose_copy",
    "trapezoid",
    "trapz",
    "triangular_solve",
    "tril",
    "tril_indices",
    "triplet_margin_loss",
    "triu",
    "triu_indices",
    "true_divide",
    "trunc",
    "trunc_",
    "typename",
    "uint8",
    "unbind",
    "unbind_copy",
    "unflatten",
    "unfold_copy",
    "unique",
    "unique_consecutive",
    "unravel_index",
    "unsqueeze",
    "unsqueeze_copy",
    "use_deterministic_algorithms",
    "utils",
    "vander",
    "var",
    "var_mean",
    "vdot",
    "version",
    "view_as_complex",
    "view_as_real",
    "view_copy",
    "vision",
    "vmap",
    "vsplit",
    "vstack",
    "where",
    "xlogy",
    "xlogy_",
    "xpu",
    "zero_",
    "zeros",
    "zeros_like",
]
