"""Networks under autocast as native programs: products of bfloat16, weights in float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from native_graphs import forget_plans
from pellucid import nn, optim
from pellucid.backends.cpu import executable as cpu
from pellucid.backends.cpu.target import host_target
from pellucid.compiler.passes import prepare
from pellucid.models.gpt import GPT, GPTConfig

PLAIN = dataclasses.replace(
    host_target(), features=host_target().features.replace("+avx512bf16", "-avx512bf16")
)
PAIRS = dataclasses.replace(PLAIN, emulate_pairs=True)
RNG = np.random.default_rng(11)
F = nn.functional


@pytest.fixture(params=[PLAIN, PAIRS], ids=["plain", "pairs"])
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The processor as it multiplies here, and as one that multiplies pairs."""
    forget_plans(monkeypatch)
    monkeypatch.setattr(cpu, "host_target", lambda: request.param)
    return request.param


class Recurrent(nn.Module):
    """The last state of an LSTM, classified."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 10, batch_first=True)
        self.head = nn.Linear(10, 4)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][:, -1])


class Attending(nn.Module):
    """Attention with a mask, averaged over time."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Any) -> Any:
        return self.head(self.attention(x, x, x)[0].float().mean(1))


def convolutional() -> nn.Module:
    """Plain, strided and pointwise convolutions."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 7, 1), nn.ReLU(),
        nn.Conv2d(7, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 4),
    )  # fmt: skip


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(9, 33), nn.GELU(), nn.Linear(33, 4)), (13, 9)),
    "deep": (lambda: nn.Sequential(*[nn.Linear(8, 8) for _ in range(3)], nn.Linear(8, 4)), (6, 8)),
    "convolutions": (convolutional, (4, 3, 7, 7)),
    "lstm": (Recurrent, (9, 5, 6)),
    "attention": (Attending, (3, 7, 12)),
}


def losses(build: Callable[[], nn.Module], x: np.ndarray, backend: str, steps: int) -> list[float]:
    pellucid.manual_seed(2)
    model = build()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    labels = pellucid.tensor(np.arange(len(x)) % 4)

    @pellucid.compile(backend=backend)
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        with pellucid.autocast("cpu", dtype=pellucid.bfloat16):
            loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return [step(pellucid.tensor(x)).item() for _ in range(steps)]


@pytest.mark.parametrize("name", CASES)
def test_training_is_that_of_the_reference(name: str, target: Any) -> None:
    build, shape = CASES[name]
    x = RNG.standard_normal(shape).astype(np.float32)
    found, expected = (losses(build, x, backend, 4) for backend in ("cpu", "reference"))
    # A sum in another order may round to the other neighbour, half a percent away.
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    assert found[-1] < found[0]


def gpt_curve(narrow: bool) -> list[float]:
    pellucid.manual_seed(5)
    model = GPT(GPTConfig(vocab_size=11, n_embd=24, n_layer=2, n_head=3, block_size=16))
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    tokens = pellucid.tensor((np.arange(17)[None, :] * 3 + np.arange(6)[:, None]) % 11)

    @pellucid.compile
    def step(tokens: Any) -> Any:
        optimizer.zero_grad()
        with pellucid.autocast("cpu", dtype=pellucid.bfloat16, enabled=narrow):
            loss = model.loss(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        optimizer.step()
        return loss.detach()

    found = [step(tokens).item() for _ in range(40)]
    assert model.parameters().__next__().dtype is pellucid.float32
    return found


def test_a_language_model_learns_as_in_float32(target: Any) -> None:
    narrow, whole = np.array(gpt_curve(True)), np.array(gpt_curve(False))
    assert narrow[-1] < 0.7 * narrow[0]
    assert not np.array_equal(narrow, whole)
    np.testing.assert_allclose(narrow, whole, rtol=0.03)


def test_operands_are_rounded_while_they_are_packed(target: Any) -> None:
    """One kernel: no pass over memory rounds the input or the weights."""
    layer = nn.Linear(40, 24, bias=False)

    @pellucid.compile
    def product(x: Any) -> Any:
        with pellucid.autocast("cpu"):
            return layer(x)

    result = product(pellucid.randn(17, 40))
    assert result.dtype is pellucid.bfloat16
    explanation = product.explain()
    assert len(explanation.kernels) == 1
    way = "bfloat16 pairs by emulated" if target is PAIRS else "bfloat16 widened to float32"
    assert explanation.kernels[0].arithmetic == way
    assert f"1 products in {way}" in str(explanation)


def test_products_of_float32_say_nothing_of_bfloat16() -> None:
    product = pellucid.compile(lambda x: x @ x)
    product(pellucid.randn(9, 9))
    assert "bfloat16" not in str(product.explain())


def test_padded_parts_of_a_narrow_sum_are_joined() -> None:
    """The gradient of a split: no element asks each part whether it lies inside."""

    @pellucid.compile(keep_gradients=True)
    def step(x: Any) -> Any:
        with pellucid.autocast("cpu"):
            a, b, c = (x @ x).split(8, dim=-1)
            loss = (a.float() * b.float() - c.float()).sum()
        loss.backward()
        return loss

    x = pellucid.randn(24, 24, requires_grad=True)
    step(x)
    graph = step.executable.graph
    names = [n.op.name for n in prepare(graph).nodes()]
    assert "pad" not in names and "assembly" in names
    expected = x.grad.numpy().copy()
    x.grad = None
    with pellucid.autocast("cpu"):
        a, b, c = (x @ x).split(8, dim=-1)
        loss = (a.float() * b.float() - c.float()).sum()
    loss.backward()
    np.testing.assert_allclose(expected, x.grad.numpy(), atol=0.05)
