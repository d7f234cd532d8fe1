"""Low-rank adapters: what they add, what is learned, merging, and taking them away."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.nn.utils import lora


def network() -> nn.Sequential:
    pellucid.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))


def trained(model: nn.Module, compiled: bool, steps: int = 150) -> list[float]:
    """Losses of a task that the network did not start from."""
    pellucid.manual_seed(1)
    x, goal = pellucid.randn(64, 6), pellucid.randn(6, 3)
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = optim.Adam(learned, lr=1e-2)

    def step(x: pellucid.Tensor) -> pellucid.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), (x @ goal).tanh())
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = pellucid.compile(step) if compiled else step
    return [run(x).item() for _ in range(steps)]


@pytest.mark.parametrize("compiled", [False, True])
def test_adapters_learn_while_the_network_stays(compiled: bool) -> None:
    model = network()
    before = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    x = pellucid.randn(5, 6)
    given = model(x).detach().numpy()
    assert lora.add_lora(model, rank=2, alpha=4) == ["0", "2"]
    assert np.array_equal(model(x).detach().numpy(), given)  # B is zero
    learned = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    assert sum(learned.values()) == 2 * (6 + 32) + 2 * (32 + 3)
    losses = trained(model, compiled)
    assert losses[-1] < 0.5 * losses[0]
    state = {n: t.detach().numpy() for n, t in model.state_dict().items()}
    for layer in ("0", "2"):
        place = f"{layer}.parametrizations.weight"
        assert np.array_equal(state[f"{place}.original"], before[f"{layer}.weight"])
        a, b = state[f"{place}.0.lora_A"], state[f"{place}.0.lora_B"]
        expected = before[f"{layer}.weight"] + 2.0 * (b @ a)
        assert_close(model[int(layer)].weight, expected, 1e-5, 1e-6)


def test_merged_weights_compute_the_same_and_removed_ones_are_the_old_bits() -> None:
    model = network()
    before = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    x = pellucid.randn(5, 6)
    lora.add_lora(model, rank=2)
    trained(model, compiled=False, steps=5)
    adapted = model(x).detach().numpy()
    kept = {n: t.detach().clone() for n, t in lora.lora_state_dict(model).items()}
    assert len(kept) == 4 and all("lora_" in name for name in kept)
    assert lora.remove_lora(model) == ["0", "2"]
    assert set(model.state_dict()) == set(before)
    for name, parameter in model.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), before[name])
    lora.add_lora(model, rank=2)
    lora.load_lora(model, kept)
    assert np.array_equal(model(x).detach().numpy(), adapted)
    assert lora.merge_lora(model) == ["0", "2"]
    assert set(model.state_dict()) == set(before)
    assert_close(model(x), adapted, 1e-5, 1e-6)
    assert lora.merge_lora(model) == []


def test_attention_embeddings_and_chosen_layers() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(10, 16)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, x: pellucid.Tensor) -> pellucid.Tensor:
            return self.layer(self.words(x))

    model = Reader().eval()
    ids = pellucid.randint(0, 10, (2, 5))
    before = model(ids).detach().numpy()
    paths = lora.add_lora(model, rank=2, names=["*attn*", "words"])
    assert paths == ["words", "layer.self_attn", "layer.self_attn.out_proj"]
    assert_close(model(ids), before, 1e-6, 1e-6)
    model(ids).square().sum().backward()
    grads = [p.grad is not None for p in model.parameters() if p.requires_grad]
    assert len(grads) == 6 and all(grads)
    with pellucid.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1
    adapted = model(ids).detach().numpy()
    assert np.abs(adapted - before).max() > 1e-2
    lora.merge_lora(model)
    assert_close(model(ids), adapted, 1e-4, 1e-5)


def test_what_does_not_fit_is_refused() -> None:
    model = network()
    with pytest.raises(ArgumentError, match="rank=0"):
        lora.add_lora(model, rank=0)
    with pytest.raises(ArgumentError, match=r"found no layer for names='attn'\n  there are: 0, 2"):
        lora.add_lora(model, names="attn")
    assert all(p.requires_grad for p in model.parameters())
    lora.add_lora(model, rank=2, names="0")
    with pytest.raises(ArgumentError, match="'0' has an adapter already"):
        lora.add_lora(model, rank=2)
    state = lora.lora_state_dict(model)
    with pytest.raises(ArgumentError, match="differ from those of the model"):
        lora.load_lora(model, {n: t[:1] for n, t in state.items()})
