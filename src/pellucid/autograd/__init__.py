"""Gradients under the name PyTorch's users look for: ``pellucid.autograd``."""

from pellucid.autograd import forward_ad, functional, graph
from pellucid.tensor.anomaly import detect_anomaly, set_detect_anomaly
from pellucid.tensor.autograd import (
    backward,
    enable_grad,
    grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from pellucid.tensor.function import Function, FunctionCtx, once_differentiable
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck, numerical_grad

__all__ = [
    "Function",
    "FunctionCtx",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "numerical_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def __dir__() -> list[str]:
    return sorted(__all__)
