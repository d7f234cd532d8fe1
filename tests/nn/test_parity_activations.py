"""Activations against PyTorch: values and gradients over option grids, at kinks and extremes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import torch.nn.functional as TF  # noqa: E402, N812

import pellucid.nn.functional as F  # noqa: E402, N812
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

pytestmark = pytest.mark.parity

CASES = [
    ("sigmoid", {}),
    ("tanh", {}),
    ("relu", {}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("rrelu", {}),
    ("rrelu", {"lower": 0.2, "upper": 0.6}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("selu", {}),
    ("celu", {}),
    ("celu", {"alpha": 2.5}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("silu", {}),
    ("mish", {}),
    ("softplus", {}),
    ("softplus", {"beta": 3.0}),
    ("softplus", {"beta": 0.5, "threshold": 2.0}),
    ("softsign", {}),
    ("softshrink", {}),
    ("softshrink", {"lambd": 1.5}),
    ("hardshrink", {}),
    ("hardshrink", {"lambd": 1.5}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("logsigmoid", {}),
    ("tanhshrink", {}),
    ("threshold", {"threshold": 0.1, "value": 20.0}),
    ("glu", {}),
    ("glu", {"dim": 0}),
    ("softmax", {"dim": -1}),
    ("softmax", {"dim": 0}),
    ("softmin", {"dim": 1}),
    ("log_softmax", {"dim": -1}),
]
KINKS = np.array([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, -2.0, 2.0, 0.1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_activation_equals_pytorch(name: str, options: dict, dtype: type, rng) -> None:
    x = rng.normal(size=(6, 8)).astype(dtype) * 4
    tight = (2e-5, 2e-6) if dtype is np.float32 else (1e-9, 1e-9)
    if name == "hardsigmoid" and dtype is np.float64:
        tight = (1e-7, 1e-7)  # PyTorch's 1/6 has float32's digits in the gradient
    compare(
        lambda x: getattr(F, name)(x, **options),
        lambda x: getattr(TF, name)(x, **options),
        [x],
        rtol=tight[0],
        atol=tight[1],
    )


@pytest.mark.parametrize(("name", "options"), CASES)
def test_activation_equals_pytorch_at_kinks(name: str, options: dict) -> None:
    compare(
        lambda x: getattr(F, name)(x, **options),
        lambda x: getattr(TF, name)(x, **options),
        [KINKS.astype(np.float32).reshape(2, 6)],
    )


@pytest.mark.parametrize(("name", "options"), CASES)
def test_activation_equals_pytorch_at_extremes(name: str, options: dict) -> None:
    x = np.array([[-1000.0, -100.0, -30.0, 30.0], [1000.0, 100.0, 20.0, -20.0]], np.float32)
    compare(
        lambda x: getattr(F, name)(x, **options), lambda x: getattr(TF, name)(x, **options), [x]
    )


@pytest.mark.parametrize("slopes", [1, 5])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (5,)])
def test_prelu_equals_pytorch(slopes: int, shape: tuple, rng) -> None:
    if shape == (5,) and slopes > 1:
        slopes = 1
    x = rng.normal(size=shape).astype(np.float32)
    a = rng.uniform(0.1, 0.5, slopes).astype(np.float32)
    compare(F.prelu, TF.prelu, [x, a])


MODULES = [
    "Sigmoid()",
    "Tanh()",
    "ReLU()",
    "ReLU(inplace=True)",
    "ReLU6()",
    "LeakyReLU()",
    "LeakyReLU(0.2)",
    "PReLU()",
    "PReLU(8)",
    "RReLU()",
    "ELU()",
    "ELU(0.5)",
    "SELU()",
    "CELU()",
    "CELU(2.0)",
    "GELU()",
    "GELU('tanh')",
    "SiLU()",
    "Mish()",
    "Softplus()",
    "Softplus(2.0, 5.0)",
    "Softsign()",
    "Softshrink()",
    "Softshrink(0.2)",
    "Hardshrink()",
    "Hardshrink(0.2)",
    "Hardtanh()",
    "Hardtanh(-2.0, 2.0)",
    "Hardsigmoid()",
    "Hardswish()",
    "LogSigmoid()",
    "Tanhshrink()",
    "Threshold(0.1, 20.0)",
    "GLU()",
    "GLU(0)",
    "Softmax(dim=1)",
    "Softmin(dim=0)",
    "LogSoftmax(dim=-1)",
    "Identity()",
    "Flatten()",
    "Flatten(0)",
    "Unflatten(1, (2, 4))",
]


@pytest.mark.parametrize("text", MODULES)
def test_module_equals_pytorch(text: str, rng) -> None:
    """Same text, same state, same values and gradients."""
    ours = eval("nn." + text, {"nn": nn}).eval()
    theirs = eval("nn." + text, {"nn": torch.nn}).eval()
    if "Unflatten" not in text:
        assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = rng.normal(size=(6, 8)).astype(np.float32)
    if "inplace" in text:
        compare(lambda x: ours(x * 1), lambda x: theirs(x * 1), [x])
    else:
        compare(ours, theirs, [x])


def test_softmax2d_equals_pytorch(rng) -> None:
    compare(
        nn.Softmax2d(), torch.nn.Softmax2d(), [rng.normal(size=(2, 3, 4, 5)).astype(np.float32)]
    )
