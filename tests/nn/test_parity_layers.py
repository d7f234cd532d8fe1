"""Layers, initializers and utilities against PyTorch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import torch.nn.functional as TF  # noqa: E402, N812

import pellucid  # noqa: E402
import pellucid.nn.functional as F  # noqa: E402, N812
from helpers import assert_close, assert_same  # noqa: E402
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

pytestmark = pytest.mark.parity


def pair(text: str):
    """The same layer in both libraries, with PyTorch's values loaded here."""
    torch.manual_seed(3)
    theirs = eval("nn." + text, {"nn": torch.nn})
    ours = eval("nn." + text, {"nn": nn})
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    result = ours.load_state_dict(theirs.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    return ours, theirs


def compare_layers(text: str, arrays: list, train: bool = True, calls: int = 1) -> None:
    """Outputs, gradients of inputs and parameters, and buffers after some calls."""
    ours, theirs = pair(text)
    ours.train(train)
    theirs.train(train)
    for _ in range(calls):
        compare(ours, theirs, arrays, rtol=1e-4, atol=1e-5)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if b.grad is not None:
            assert_same(a.grad, b.grad, 1e-4, 1e-5, f"gradient of {name}")
    for (name, a), (_, b) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert_same(a, b, 1e-5, 1e-6, f"buffer {name}")


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.normal(size=shape) * 2 + 1).astype(np.float32)


@pytest.mark.parametrize("text", ["Linear(4, 3)", "Linear(4, 3, bias=False)", "Linear(4, 1)"])
@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
def test_linear(text: str, shape: tuple, rng) -> None:
    compare_layers(text, [normal(rng, *shape)])


@pytest.mark.parametrize("text", ["Bilinear(4, 3, 5)", "Bilinear(4, 3, 5, bias=False)"])
@pytest.mark.parametrize("lead", [(6,), (2, 3)])
def test_bilinear(text: str, lead: tuple, rng) -> None:
    compare_layers(text, [normal(rng, *lead, 4), normal(rng, *lead, 3)])


@pytest.mark.parametrize(
    "text",
    [
        "Embedding(7, 3)",
        "Embedding(7, 3, padding_idx=2)",
        "Embedding(7, 3, padding_idx=-1)",
        "Embedding(7, 3, max_norm=1.0)",
        "Embedding(7, 3, max_norm=1.5, norm_type=1.0)",
        "Embedding(7, 3, scale_grad_by_freq=True)",
    ],
)
@pytest.mark.parametrize("ids", [[1, 2, 2, 6], [[0, 1, 2], [2, 2, 6]], 3])
def test_embedding(text: str, ids: list, rng) -> None:
    compare_layers(text, [np.asarray(ids, np.int64)])
    ours, theirs = pair(text)
    ours(pellucid.tensor(ids))
    theirs(torch.tensor(ids))
    assert_close(ours.weight, theirs.weight, 1e-5, 1e-6)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
@pytest.mark.parametrize(
    "options",
    [
        "",
        ", momentum=None",
        ", momentum=0.7",
        ", affine=False",
        ", track_running_stats=False",
        ", eps=0.1",
    ],
)
def test_batch_norm(options: str, shape: tuple, train: bool, rng) -> None:
    compare_layers(f"BatchNorm1d(5{options})", [normal(rng, *shape)], train, calls=3)


def test_batch_norm_of_images(rng) -> None:
    compare_layers("BatchNorm2d(3)", [normal(rng, 4, 3, 2, 2)], calls=2)
    compare_layers("BatchNorm3d(3)", [normal(rng, 4, 3, 2, 2, 2)], calls=2)


@pytest.mark.parametrize(
    "text",
    [
        "LayerNorm(5)",
        "LayerNorm((4, 5))",
        "LayerNorm(5, eps=0.1)",
        "LayerNorm(5, elementwise_affine=False)",
        "LayerNorm(5, bias=False)",
        "RMSNorm(5)",
        "RMSNorm((4, 5), eps=0.1)",
        "RMSNorm(5, elementwise_affine=False)",
        "GroupNorm(2, 4)",
        "GroupNorm(4, 4, affine=False)",
        "GroupNorm(1, 4, eps=0.1)",
    ],
)
def test_other_norms(text: str, rng) -> None:
    compare_layers(text, [normal(rng, 3, 4, 5)])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_normalize_and_distances(p: float, rng) -> None:
    x, y = normal(rng, 4, 5), normal(rng, 4, 5)
    compare(lambda x: F.normalize(x, p), lambda x: TF.normalize(x, p), [x])
    compare(
        lambda x, y: F.pairwise_distance(x, y, p),
        lambda x, y: TF.pairwise_distance(x, y, p),
        [x, y],
    )
    compare(F.cosine_similarity, TF.cosine_similarity, [x, y])


def test_one_hot() -> None:
    ids = [[0, 2], [1, 2]]
    assert_same(F.one_hot(pellucid.tensor(ids)), TF.one_hot(torch.tensor(ids)))
    assert_same(F.one_hot(pellucid.tensor(ids), 5), TF.one_hot(torch.tensor(ids), 5))


def test_a_whole_network_gives_the_same_steps(rng) -> None:
    """Same start, same data: losses and parameters agree over ten steps of gradient descent."""
    text = (
        "Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.GELU(), nn.LayerNorm(16), "
        "nn.Linear(16, 3))"
    )
    ours, theirs = pair(text)
    x = normal(rng, 32, 6)
    y = rng.integers(0, 3, 32)
    for _ in range(10):
        a = nn.CrossEntropyLoss()(ours(pellucid.tensor(x)), pellucid.tensor(y))
        b = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(y))
        assert_close(a, b, 1e-4, what="loss")
        for model, loss, library in ((ours, a, pellucid), (theirs, b, torch)):
            model.zero_grad()
            loss.backward()
            with library.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert_close(a, b, 1e-3, 1e-5, name)


# ---- defaults of new layers ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Linear(300, 200)", "Bilinear(30, 20, 40)", "Embedding(300, 200)"]
)
def test_default_values_have_the_same_distribution(text: str) -> None:
    """Bounds, mean and deviation as PyTorch's, within the sampling error."""
    ours = eval("nn." + text, {"nn": nn})
    theirs = eval("nn." + text, {"nn": torch.nn})
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        a, b = a.detach().numpy().ravel(), b.detach().numpy().ravel()
        error = 5 * b.std() / math.sqrt(b.size)
        assert abs(a.mean() - b.mean()) < 2 * error, name
        assert abs(a.std() - b.std()) < 2 * error, name
        if "Embedding" not in text:
            bound = 1 / math.sqrt({"Linear(300, 200)": 300}.get(text, 30))
            assert np.abs(a).max() <= bound
            assert np.abs(a).max() > bound * (0.95 if a.size < 1000 else 0.99)


INITIALIZERS = [
    ("uniform_", {}),
    ("uniform_", {"a": -2.0, "b": 3.0}),
    ("normal_", {"mean": 4.0, "std": 2.0}),
    ("trunc_normal_", {}),
    ("trunc_normal_", {"mean": 1.0, "std": 2.0, "a": 0.0, "b": 2.0}),
    ("constant_", {"val": 0.54}),
    ("ones_", {}),
    ("zeros_", {}),
    ("eye_", {}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 5 / 3}),
    ("xavier_normal_", {"gain": 2.0}),
    *(
        (f"kaiming_{kind}_", {"a": a, "mode": mode, "nonlinearity": function})
        for kind, a, mode, function in itertools.product(
            ("uniform", "normal"), (0, 0.3), ("fan_in", "fan_out"), ("leaky_relu", "relu", "tanh")
        )
    ),
    ("sparse_", {"sparsity": 0.3}),
    ("sparse_", {"sparsity": 0.9, "std": 2.0}),
]


@pytest.mark.parametrize(("name", "options"), INITIALIZERS)
def test_initializer_has_the_same_moments(name: str, options: dict) -> None:
    mine = pellucid.empty(150, 80)
    other = torch.empty(150, 80)
    assert getattr(nn.init, name)(mine, **options) is mine
    getattr(torch.nn.init, name)(other, **options)
    a, b = mine.numpy().astype(np.float64), other.numpy().astype(np.float64)
    error = 5 * b.std() / math.sqrt(b.size) + 1e-7
    for moment in (np.mean, np.std, lambda v: np.abs(v).mean()):
        assert abs(moment(a) - moment(b)) < 2 * error
    if name != "normal_" and "kaiming_normal" not in name and "xavier_normal" not in name:
        assert a.max() <= b.max() + max(0.02 * abs(b.max()), 20 * error)
    np.testing.assert_array_equal((a == 0).sum(0), (b == 0).sum(0))


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 2, 3, 5), (6, 3, 2, 2, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(shape: tuple, groups: int) -> None:
    mine, other = pellucid.empty(*shape), torch.empty(*shape)
    nn.init.dirac_(mine, groups)
    torch.nn.init.dirac_(other, groups)
    assert_same(mine, other)


@pytest.mark.parametrize(
    ("name", "param"),
    [("linear", None), ("conv2d", None), ("sigmoid", None), ("tanh", None), ("relu", None),
     ("leaky_relu", None), ("leaky_relu", 0.2), ("selu", None)],
)  # fmt: skip
def test_gain(name: str, param: float | None) -> None:
    assert nn.init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping(norm_type: float, limit: float, rng) -> None:
    ours, theirs = pair("Linear(4, 3)")
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        gradient = normal(rng, *p.shape)
        p.grad, q.grad = pellucid.tensor(gradient), torch.tensor(gradient)
    a = nn.utils.clip_grad_norm_(ours.parameters(), limit, norm_type)
    b = torch.nn.utils.clip_grad_norm_(theirs.parameters(), limit, norm_type)
    assert_close(a, b)
    nn.utils.clip_grad_value_(ours.parameters(), 0.2)
    torch.nn.utils.clip_grad_value_(theirs.parameters(), 0.2)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad, q.grad)
