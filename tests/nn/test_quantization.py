"""Linear layers with weights of 8 bits: how far off they are, what they save, what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.interop.safetensors import load_file, save_file
from pellucid.nn.utils import QuantizedLinear, quantize_weights


@pytest.mark.parametrize("compiled", [False, True])
def test_no_weight_is_off_by_more_than_half_a_step(compiled: bool) -> None:
    pellucid.manual_seed(0)
    layer = nn.Linear(40, 7)
    with pellucid.no_grad():
        layer.weight[2] = 0.0  # a unit without weights
        layer.weight[3] *= 1000
    small = QuantizedLinear.of(layer)
    weight = layer.weight.detach().numpy().astype(np.float64)
    scale = np.abs(weight).max(axis=1, keepdims=True) / 127
    whole = small.weight.numpy().astype(np.float64)
    assert small.weight.dtype == pellucid.int8 and np.abs(whole).max() == 127
    assert (np.abs(whole * small.scale.numpy() - weight) <= 0.5001 * scale + 1e-30).all()
    x = pellucid.randn(9, 40)
    call = pellucid.compile(lambda t: small(t)) if compiled else small
    expected = x.numpy() @ (whole * small.scale.numpy()).T + layer.bias.detach().numpy()
    assert np.allclose(call(x).numpy(), expected, rtol=1e-5, atol=1e-4)
    assert not list(small.parameters())


def test_a_trained_network_answers_the_same_in_a_quarter_of_the_bytes(tmp_path: Path) -> None:
    pellucid.manual_seed(0)
    x = pellucid.randn(600, 8)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    model.append(nn.Linear(256, 2))
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)

    @pellucid.compile
    def step(x: pellucid.Tensor, y: pellucid.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    for _ in range(80):
        step(x, y)
    small = quantize_weights(model.eval())
    assert type(model[0]) is nn.Linear  # the model itself is left alone
    given, found = model(x).detach().numpy(), small(x).detach().numpy()
    assert np.abs(found - given).max() < 0.03 * given.std()
    assert (found.argmax(1) == given.argmax(1)).mean() > 0.99
    for name, state in (("whole", model.state_dict()), ("small", small.state_dict())):
        save_file({n: t.detach() for n, t in state.items()}, tmp_path / name)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "small")]
    assert sizes[1] < 0.3 * sizes[0]
    other = quantize_weights(nn.Sequential(*(type(m)(*_sizes(m)) for m in model)))
    other.load_state_dict(load_file(tmp_path / "small"))
    assert np.array_equal(other(x).detach().numpy(), found)


def _sizes(layer: nn.Module) -> tuple[int, ...]:
    return (layer.in_features, layer.out_features) if isinstance(layer, nn.Linear) else ()


def test_attention_and_chosen_layers() -> None:
    pellucid.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x = pellucid.randn(2, 5, 16)
    small = quantize_weights(layer)
    kinds = {n: type(m).__name__ for n, m in small.named_modules() if "Linear" in type(m).__name__}
    assert kinds["linear1"] == kinds["linear2"] == "QuantizedLinear"
    assert kinds["self_attn.out_proj"] != "QuantizedLinear"
    assert (small(x) - layer(x)).abs().max() < 0.05
    quantize_weights(layer, names="linear1", inplace=True)
    assert type(layer.linear1) is QuantizedLinear and type(layer.linear2) is nn.Linear
    with pytest.raises(ArgumentError, match="no nn.Linear for names='conv'"):
        quantize_weights(layer, names="conv")
    assert isinstance(quantize_weights(nn.Linear(3, 2)), QuantizedLinear)
