"""Gradient clipping, bounds on weights, parameters as one vector, normed, parametrized and pruned
weights, low-rank adapters (``lora``), fused layers, and sequences (``rnn``)."""

from pellucid.nn.utils import (
    clip_grad,
    convert_parameters,
    fusion,
    init,
    lora,
    memory_format,
    parametrizations,
    parametrize,
    prune,
    quantization,
    rnn,
    stateless,
)
from pellucid.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from pellucid.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from pellucid.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from pellucid.nn.utils.hooked_norms import (
    remove_spectral_norm,
    remove_weight_norm,
    spectral_norm,
    weight_norm,
)
from pellucid.nn.utils.init import skip_init
from pellucid.nn.utils.max_norm import max_norm_
from pellucid.nn.utils.memory_format import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)
from pellucid.nn.utils.quantization import QuantizedLinear, quantize_weights

__all__ = [
    "QuantizedLinear",
    "clip_grad",
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
    "convert_parameters",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "init",
    "lora",
    "max_norm_",
    "memory_format",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "quantization",
    "quantize_weights",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]


def __dir__() -> list[str]:
    return sorted(__all__)
