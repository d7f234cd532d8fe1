"""Gradients under the name PyTorch's users look for: ``pellucid.autograd``."""

import importlib

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
from pellucid.tensor.variable import Variable

__all__ = [
    "Function",
    "FunctionCtx",
    "Variable",
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


def __getattr__(name: str) -> object:
    if name == "profiler":  # stands above, and is loaded when somebody measures
        return importlib.import_module("pellucid.profiler")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
