"""Devices and keywords that do not exist are refused by every layer, and by ``Module.to``."""

from __future__ import annotations

import inspect

import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import DeviceError

FURTHER = {
    "AdaptiveLogSoftmaxWithLoss": {"in_features": 8, "n_classes": 10, "cutoffs": [3]},
    "RNNBase": {"mode": "LSTM"},
}
"""Arguments that 2 does not do for."""


def _with_device() -> dict[str, type[nn.Module]]:
    found = {}
    for name, kind in vars(nn).items():
        if inspect.isclass(kind) and issubclass(kind, nn.Module):
            if "device" in inspect.signature(kind).parameters:
                found[name] = kind
    return found


LAYERS = _with_device()


def test_layers_that_take_a_device_are_found() -> None:
    assert len(LAYERS) > 40 and {"Linear", "LSTM", "Conv2d", "LazyLinear", "Transformer"} <= set(
        LAYERS
    )


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_lives_on_the_cpu(name: str) -> None:
    parameters = inspect.signature(LAYERS[name]).parameters.values()
    needed = {p.name: 2 for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
    given = {**needed, **FURTHER.get(name, {})}
    LAYERS[name](**given, device="cpu")
    for place in ("cuda", "banana", "meta"):
        with pytest.raises(RuntimeError, match=f"there is no device '{place}': only the CPU"):
            LAYERS[name](**given, device=place)


def test_modules_are_converted_as_tensors_are() -> None:
    double = pellucid.float64
    forms = [
        lambda m: m.to(double),
        lambda m: m.to("cpu", double),
        lambda m: m.to(device="cpu", dtype=double),
        lambda m: m.to(pellucid.zeros(1, dtype=double)),
        lambda m: m.to(tensor=pellucid.zeros(1, dtype=double)),
    ]
    for form in forms:
        layer = nn.Linear(2, 2)
        assert form(layer) is layer and layer.weight.dtype is double


def test_wrong_conversions_are_refused() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dtypo'"):
        layer.to(dtypo=pellucid.float64)
    with pytest.raises(RuntimeError, match="for the dtype pass pellucid.float64"):
        layer.to("float64")
    with pytest.raises(DeviceError, match="only the CPU exists here"):
        layer.cuda()
    assert layer.weight.dtype is pellucid.float32


def test_lazy_layers_show_what_they_take() -> None:
    assert list(inspect.signature(nn.LazyLinear).parameters) == [
        "out_features",
        "bias",
        "device",
        "dtype",
    ]
