"""Gradient clipping, parameters as one vector, parametrizations, and sequences (``rnn``)."""

from pellucid.nn import parametrizations as parametrizations
from pellucid.nn.utils import rnn as rnn
from pellucid.nn.utils.gradients import clip_grad_norm_ as clip_grad_norm_
from pellucid.nn.utils.gradients import clip_grad_value_ as clip_grad_value_
from pellucid.nn.utils.gradients import clip_grads_with_norm_ as clip_grads_with_norm_
from pellucid.nn.utils.gradients import get_total_norm as get_total_norm
from pellucid.nn.utils.gradients import parameters_to_vector as parameters_to_vector
from pellucid.nn.utils.gradients import vector_to_parameters as vector_to_parameters

parametrize = parametrizations
"""PyTorch's other name of the place where parametrizations are registered."""

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "rnn",
    "vector_to_parameters",
]


def __dir__() -> list[str]:
    return sorted(__all__)
