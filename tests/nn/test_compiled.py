"""Layers, activations and losses inside ``pellucid.compile`` give what they give eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import as_array, assert_close
from pellucid import nn
from pellucid.base.errors import ShapeError

BACKENDS = ["reference", "cpu"]
X, P, IDS, SIGN = "x", "p", "ids", "sign"

ACTIVATIONS = [
    nn.Sigmoid(),
    nn.Tanh(),
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.LeakyReLU(),
    nn.PReLU(),
    nn.PReLU(6),
    nn.RReLU(),
    nn.ELU(),
    nn.SELU(),
    nn.CELU(0.5),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Mish(),
    nn.Softplus(),
    nn.Softsign(),
    nn.Softshrink(),
    nn.Hardshrink(),
    nn.Hardtanh(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.LogSigmoid(),
    nn.Tanhshrink(),
    nn.Threshold(0.1, 20.0),
    nn.GLU(),
    nn.Softmax(dim=-1),
    nn.Softmax(dim=0),
    nn.Softmin(dim=1),
    nn.LogSoftmax(dim=-1),
]
LAYERS = [
    nn.Linear(6, 4),
    nn.Linear(6, 4, bias=False),
    nn.Dropout(0.4),
    nn.AlphaDropout(0.4),
    nn.BatchNorm1d(6),
    nn.BatchNorm1d(6, momentum=None),
    nn.BatchNorm1d(6, affine=False, track_running_stats=False),
    nn.LayerNorm(6),
    nn.RMSNorm(6),
    nn.GroupNorm(2, 6),
    nn.Flatten(0),
    nn.Unflatten(1, (2, 3)),
]
LOSSES = [
    ("l1_loss", [X, X], {}),
    ("mse_loss", [X, X], {}),
    ("huber_loss", [X, X], {}),
    ("smooth_l1_loss", [X, X], {"beta": 0.5}),
    ("cross_entropy", [X, IDS], {}),
    ("cross_entropy", [X, IDS], {"label_smoothing": 0.1, "ignore_index": 1}),
    ("cross_entropy", [X, P], {}),
    ("nll_loss", [X, IDS], {}),
    ("binary_cross_entropy", [P, P], {}),
    ("binary_cross_entropy_with_logits", [X, P], {}),
    ("kl_div", [X, P], {"reduction": "batchmean"}),
    ("poisson_nll_loss", [X, P], {"full": True}),
    ("gaussian_nll_loss", [X, X, P], {}),
    ("soft_margin_loss", [X, SIGN], {}),
    ("hinge_embedding_loss", [X, SIGN], {}),
    ("margin_ranking_loss", [X, P, SIGN], {}),
    ("triplet_margin_loss", [X, P, SIGN], {"swap": True}),
    ("multi_margin_loss", [X, IDS], {}),
    ("multilabel_soft_margin_loss", [X, P], {}),
    ("cosine_similarity", [X, P], {}),
    ("pairwise_distance", [X, P], {}),
]


def values(kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == X:
        return (rng.normal(size=(8, 6)) * 2).astype(np.float32)
    if kind == P:
        return rng.uniform(0.05, 0.95, (8, 6)).astype(np.float32)
    if kind == SIGN:
        return rng.choice([-1.0, 1.0], (8, 6)).astype(np.float32)
    return rng.integers(0, 6, 8)


def agree(function: Any, arguments: list, backend: str, reset: Any = None) -> None:
    """Eager and compiled calls give the same results, twice (state moves on alike)."""
    found = []
    for run in (function, pellucid.compile(function, backend=backend)):
        if reset is not None:
            reset()
        pellucid.manual_seed(11)
        found.append([[as_array(v).copy() for v in run(*arguments)] for _ in range(2)])
    tolerance = (0, 0) if backend == "reference" else (1e-5, 2e-6)
    for eager, compiled in zip(found[0], found[1], strict=True):
        for position, (a, b) in enumerate(zip(eager, compiled, strict=True)):
            assert_close(b, a, *tolerance, what=f"result {position}")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layer", [*ACTIVATIONS, *LAYERS], ids=str)
def test_layer(layer: nn.Module, backend: str, rng) -> None:
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    parameters = list(layer.parameters())

    def run(x: Any, weights: Any) -> tuple:
        leaf = x * 1
        y = layer(leaf)
        return (y, *pellucid.grad((y * weights).sum(), [x, *parameters]), *layer.buffers())

    x = pellucid.tensor(values(X, rng), requires_grad=True)
    weights = pellucid.tensor(rng.normal(size=layer(x.detach()).shape).astype(np.float32))
    agree(run, [x, weights], backend, lambda: layer.load_state_dict(state))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "kinds", "options"), LOSSES)
def test_loss(name: str, kinds: list, options: dict, backend: str, rng) -> None:
    def run(*arguments: Any) -> tuple:
        loss = getattr(F, name)(*arguments, **options)
        return (loss, *pellucid.grad(loss.sum(), [arguments[0]]))

    arguments = [pellucid.tensor(values(kind, rng)) for kind in kinds]
    arguments[0].requires_grad_()
    agree(run, arguments, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 2}, {"max_norm": 1.0}, {"scale_grad_by_freq": True}], ids=str
)
def test_embedding(options: dict, backend: str) -> None:
    table = nn.Embedding(5, 3, **options)
    state = {name: value.clone() for name, value in table.state_dict().items()}

    def run(ids: Any) -> tuple:
        y = table(ids)
        (slope,) = pellucid.grad(y.square().sum(), [table.weight])
        return y, slope, table.weight * 1

    agree(
        run,
        [pellucid.tensor([[1, 2, 2], [4, 2, 0]])],
        backend,
        lambda: table.load_state_dict(state),
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_multilabel_margin(backend: str, rng) -> None:
    def run(x: Any, lists: Any) -> tuple:
        loss = F.multilabel_margin_loss(x, lists)
        return (loss, *pellucid.grad(loss, [x]))

    x = pellucid.tensor(values(X, rng)[:2], requires_grad=True)
    agree(run, [x, pellucid.tensor([[3, 1, -1, 0, 0, 0], [-1, 0, 0, 0, 0, 0]])], backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_mode_is_noticed_by_compiled_programs(backend: str, rng) -> None:
    layer = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.5))
    run = pellucid.compile(lambda x: layer(x), backend=backend)
    x = pellucid.tensor(values(X, rng))
    assert (run(x) == 0).any().item() and layer[0].num_batches_tracked.item() == 1
    layer.eval()
    assert_close(run(x), layer(x), 1e-5, 1e-6)
    assert layer[0].num_batches_tracked.item() == 1
    layer.train()
    assert (run(x) == 0).any().item() and layer[0].num_batches_tracked.item() == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_hooks_are_noticed_by_compiled_programs(backend: str) -> None:
    layer = nn.Linear(2, 2)
    run = pellucid.compile(lambda x: layer(x), backend=backend)
    x = pellucid.ones(1, 2)
    plain = run(x).detach().numpy().copy()
    with layer.register_forward_hook(lambda m, args, out: out + 1):
        assert_close(run(x), plain + 1, 1e-6)
    assert_close(run(x), plain, 1e-6)


def test_settings_and_parts_are_noticed_by_compiled_programs() -> None:
    net = nn.Sequential(nn.LeakyReLU(0.1), nn.Identity())
    run = pellucid.compile(lambda x: net(x), backend="reference")
    x = -pellucid.ones(2)
    assert_close(run(x), [-0.1, -0.1], 1e-6)
    net[0].negative_slope = 0.5
    assert_close(run(x), [-0.5, -0.5], 1e-6)
    net[1] = nn.ReLU()
    assert_close(run(x), [0, 0])
    layer = nn.Linear(1, 1, bias=False)
    run = pellucid.compile(lambda x: layer(x), backend="reference")
    run(pellucid.ones(1))
    layer.weight = nn.Parameter(pellucid.full((1, 1), 3.0))
    assert run(pellucid.ones(1)).item() == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_buffers_assigned_in_forward_are_updated(backend: str) -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", pellucid.zeros(1))

        def forward(self, x: Any) -> Any:
            self.calls = self.calls + 1
            return x * self.calls

    layer = Counter()
    run = pellucid.compile(lambda x: layer(x), backend=backend)
    assert [run(pellucid.ones(1)).item() for _ in range(3)] == [1, 2, 3]
    assert layer.calls.item() == 3


def test_errors_while_tracing_name_the_layer() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))
    with pytest.raises(ShapeError, match=r"in layer 1 \(Linear\(in_features=4"):
        pellucid.compile(lambda x: net(x), backend="reference")(pellucid.ones(5, 2))
