"""Whole training runs, compiled: equal to eager ones, and the same bits on one and two threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn, optim
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.nn import functional as F

STEPS = 12
BATCH = 20


def batches(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (steps, batch, 10) and classes (steps, batch) that a linear rule separates."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((STEPS, BATCH, 10)).astype(np.float32)
    return x, (x @ rng.standard_normal((10, 4))).argmax(-1)


def fill(model: nn.Module, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    with pl.no_grad():
        for name, p in model.named_parameters():
            spread = 0.3 if p.dim() > 1 or "bias" in name else 1.0
            values = rng.uniform(-spread, spread, p.shape) + (1.0 if "norm" in name else 0.0)
            p.copy_(pl.tensor(values.astype(np.float32)))


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 24), nn.GELU(), nn.Linear(24, 4)
    )


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 24), nn.SiLU(), nn.Dropout(0.4), nn.Linear(24, 4))


def with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 24), nn.BatchNorm1d(24), nn.Tanh(), nn.Linear(24, 4))


def with_layer_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 24), nn.LayerNorm(24), nn.Softplus(), nn.Linear(24, 4))


class WithEmbedding(nn.Module):
    """Classes of the signs of the inputs, looked up and averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 16)
        self.last = nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        words = (x > 0).long() + 2 * pl.arange(10)
        return self.last(self.table(words).mean(1).tanh())


class WithAttention(nn.Module):
    """Ten positions that attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(1, 12)
        self.queries, self.keys, self.values = (nn.Linear(12, 12) for _ in range(3))
        self.last = nn.Linear(12, 4)

    def forward(self, x: Any) -> Any:
        h = self.inner(x.unsqueeze(-1))  # (batch, 10) -> (batch, 10, 12)
        q, k, v = (
            part(h).unflatten(-1, (3, 4)).transpose(1, 2)
            for part in (self.queries, self.keys, self.values)
        )
        weights = (q @ k.transpose(-1, -2) / 2.0).softmax(-1)  # (batch, 3, 10, 10)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return self.last((h + mixed).amax(1))


MODELS: list[Callable[[], nn.Module]] = [
    plain,
    with_dropout,
    with_batch_norm,
    with_layer_norm,
    WithEmbedding,
    WithAttention,
]
OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("Lion", {"lr": 0.003}),
    ("Muon", {"lr": 0.02}),
]


class Run:
    """A model, its optimizer and one training step."""

    def __init__(self, make: Callable[[], nn.Module], name: str, options: dict[str, Any]) -> None:
        pl.manual_seed(5)
        self.model = make()
        fill(self.model)
        parameters = list(self.model.parameters())
        if name == "Muon":
            parameters = [p for p in parameters if p.dim() == 2]
        self.optimizer = getattr(optim, name)(parameters, **options)

    def step(self, x: Any, target: Any) -> tuple[Any, Any]:
        self.optimizer.zero_grad()
        scores = self.model(x)
        loss = F.cross_entropy(scores, target)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss, (scores.argmax(1) == target).float().mean()

    def train(self, step: Callable[..., Any]) -> np.ndarray:
        """Losses and accuracies of all steps, then all parameters and buffers."""
        x, target = batches()
        pl.manual_seed(9)
        found = []
        for i in range(STEPS):
            count = BATCH - 7 * (i % 5 == 4)  # now and then a ragged batch
            found += [v.item() for v in step(pl.tensor(x[i][:count]), pl.tensor(target[i][:count]))]
        state = [np.ravel(v.numpy()) for v in self.model.state_dict().values()]
        return np.concatenate([np.array(found), *state])


@pytest.fixture
def threads() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_models_train_as_eagerly(make: Callable[[], nn.Module]) -> None:
    options = {"lr": 0.05, "momentum": 0.9}
    eager, native = Run(make, "SGD", options), Run(make, "SGD", options)
    expected = eager.train(eager.step)
    function = pl.compile(native.step)
    assert_close(native.train(function), expected, 2e-3, 2e-4)
    assert sum(map(len, function._programs.values())) == 2


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[n for n, _ in OPTIMIZERS])
def test_optimizers_train_as_eagerly(name: str, options: dict[str, Any]) -> None:
    eager, native = Run(plain, name, options), Run(plain, name, options)
    expected = eager.train(eager.step)
    assert_close(native.train(pl.compile(native.step)), expected, 2e-3, 2e-4)


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_one_and_two_threads_give_the_same_bits(
    make: Callable[[], nn.Module], threads: None
) -> None:
    found = []
    for count in (1, 2, 2):
        set_num_threads(count)
        run = Run(make, "AdamW", {"lr": 0.01})
        found.append(run.train(pl.compile(run.step)))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[1], found[2])


def test_wide_layers_give_the_same_bits_on_one_and_two_threads(threads: None) -> None:
    rng = np.random.default_rng(0)
    x = pl.tensor(rng.standard_normal((256, 300)).astype(np.float32))
    target = pl.tensor(rng.integers(0, 10, 256))
    found = []
    for count in (1, 2, 2):
        set_num_threads(count)
        pl.manual_seed(2)
        model = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Dropout(0.2), nn.Linear(200, 10))
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        def step(model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), target)
            loss.backward()
            optimizer.step()
            return loss

        function = pl.compile(step)
        losses = [function().item() for _ in range(6)]
        found.append(
            np.concatenate([losses, *(p.detach().numpy().ravel() for p in model.parameters())])
        )
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[1], found[2])


def test_batch_norm_statistics_of_compiled_training_and_evaluation() -> None:
    results = []
    for compiled in (False, True):
        model = with_batch_norm()
        fill(model)
        function = pl.compile(lambda x, m=model: m(x)) if compiled else model
        x, _ = batches()
        outputs = []
        for i in range(4):
            model.train(i % 2 == 0)
            outputs.append(function(pl.tensor(x[i])).detach().numpy())
        outputs += [np.ravel(v.numpy()) for v in model.buffers()]
        results.append(np.concatenate([np.ravel(o) for o in outputs]))
    assert_close(results[1], results[0], 1e-4, 1e-5)


def test_a_module_compiled_by_itself() -> None:
    model = plain()
    function = pl.compile(model)
    x = pl.tensor(batches()[0][0])
    assert_close(function(x), model(x), 1e-4, 1e-5)
    assert len(list(function.parameters())) == 6


def test_double_precision_training() -> None:
    found = []
    for compiled in (False, True):
        run = Run(with_layer_norm, "SGD", {"lr": 0.1})
        run.model.double()
        run.optimizer = optim.Adam(run.model.parameters(), lr=0.01)
        x, target = batches()
        step = pl.compile(run.step) if compiled else run.step
        losses = [
            step(pl.tensor(x[i]).double(), pl.tensor(target[i]))[0].item() for i in range(STEPS)
        ]
        weights = [p.detach().numpy().ravel() for p in run.model.parameters()]
        found.append(np.concatenate([losses, *weights]))
    assert_close(found[1], found[0], 1e-9, 1e-10)
