"""Pellucid: a deep-learning framework you can see through.

Models are written in PyTorch's language; the whole training step is compiled to native code
for the CPU at hand; everything inside is open to look at.

>>> import pellucid
>>> x = pellucid.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

import importlib as _importlib
from typing import Any as _Any

from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.caches import clear_caches
from pellucid.base.dtypes import (
    DType as dtype,
)
from pellucid.base.dtypes import (
    bfloat16,
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
from pellucid.tensor import linalg
from pellucid.tensor.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from pellucid.tensor.autograd import (
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from pellucid.tensor.compile import compile
from pellucid.tensor.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
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
from pellucid.tensor.functions import FUNCTIONS as _FUNCTIONS
from pellucid.tensor.functions import equal, is_tensor, promote_types, where
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck, numerical_grad
from pellucid.tensor.linear import einsum, tensordot
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
from pellucid.tensor.scan import scan
from pellucid.tensor.shaping import broadcast_tensors, cat, meshgrid, stack
from pellucid.tensor.state import (
    are_eager_kernels_enabled,
    eager_kernels,
    set_eager_kernels,
)
from pellucid.tensor.tensor import Tensor

__version__ = "0.1.0"

float = float32
double = float64
half = float16
long = int64
int = int32
concat = concatenate = cat
contiguous_format = preserve_format = channels_last = None
"""Memory formats of PyTorch: accepted, and without effect, for layouts are the compiler's."""
globals().update(_FUNCTIONS)

_LAZY = {
    "nn": "pellucid.nn",
    "optim": "pellucid.optim",
    "data": "pellucid.data",
    "autograd": "pellucid.autograd",
    "cuda": "pellucid.cuda",
    "insight": "pellucid.insight",
    "models": "pellucid.models",
    "text": "pellucid.text",
    "rl": "pellucid.rl",
    "training": "pellucid.training",
    "utils": "pellucid.utils",
}
"""Parts of the package that are loaded when they are first used."""
_LAZY_NAMES = {"Trainer": "pellucid.training.trainer", "summary": "pellucid.training.summary"}


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        return _importlib.import_module(_LAZY[name])
    if name in _LAZY_NAMES:
        return getattr(_importlib.import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
