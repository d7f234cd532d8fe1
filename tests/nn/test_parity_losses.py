"""Losses against PyTorch: values and gradients over reductions, weights and the other options."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

import torch.nn.functional as TF  # noqa: E402, N812

import pellucid  # noqa: E402
import pellucid.nn.functional as F  # noqa: E402, N812
from nn.parity import compare  # noqa: E402
from pellucid import nn  # noqa: E402

pytestmark = [
    pytest.mark.parity,
    # PyTorch advises against kl_div's default reduction; here the documentation does.
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides"),
]

REDUCTIONS = ["mean", "sum", "none"]


def draw(rng: np.random.Generator, *shape: int, low: float = 0, high: float = 0) -> np.ndarray:
    """Normal, or uniform in [low, high), float32."""
    values = rng.uniform(low, high, shape) if high > low else rng.normal(size=shape) * 2
    return values.astype(np.float32)


def check(name: str, arrays: list, frozen: tuple = (), **options: Any) -> None:
    compare(
        lambda *a: getattr(F, name)(*a, **_as(pellucid.tensor, options)),
        lambda *a: getattr(TF, name)(*a, **_as(torch.tensor, options)),
        arrays,
        frozen=frozen,
    )


def _as(tensor: Any, options: dict) -> dict:
    return {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("l1_loss", {}),
        ("mse_loss", {}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.3}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 2.5}),
        ("smooth_l1_loss", {"beta": 0.0}),
    ],
)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 2)])
def test_regression_loss(name: str, options: dict, reduction: str, shape: tuple, rng) -> None:
    x, y = draw(rng, *shape), draw(rng, *shape)
    y.flat[0] = x.flat[0]  # a tie
    check(name, [x, y], reduction=reduction, **options)


@pytest.mark.parametrize("name", ["l1_loss", "mse_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weighted_regression_loss(name: str, reduction: str, rng) -> None:
    weight = draw(rng, 3, 4, low=0.1, high=2)
    check(name, [draw(rng, 3, 4), draw(rng, 3, 4)], reduction=reduction, weight=weight)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("log_input", "full"), list(itertools.product([True, False], repeat=2)))
def test_poisson_nll(log_input: bool, full: bool, reduction: str, rng) -> None:
    x = draw(rng, 4, 5, low=0.1, high=3)
    counts = rng.integers(0, 6, (4, 5)).astype(np.float32)
    check(
        "poisson_nll_loss", [x, counts], (1,), log_input=log_input, full=full, reduction=reduction
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (4, 1), (4,)])
def test_gaussian_nll(shape: tuple, full: bool, reduction: str, rng) -> None:
    var = draw(rng, *shape, low=0.1, high=2)
    var.flat[0] = 0.0  # clamped
    check(
        "gaussian_nll_loss",
        [draw(rng, 4, 5), draw(rng, 4, 5), var],
        full=full,
        eps=0.05,
        reduction=reduction,
    )


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("log_target", [True, False])
def test_kl_div(log_target: bool, reduction: str, rng) -> None:
    log_p = draw(rng, 4, 5)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    target = draw(rng, 4, 5, low=0.01, high=1)
    target /= target.sum(-1, keepdims=True)
    if log_target:
        target = np.log(target)
    check("kl_div", [log_p, target], reduction=reduction, log_target=log_target)


def test_kl_div_with_zero_probabilities(rng) -> None:
    target = np.array([[0.0, 1.0], [0.5, 0.5]], np.float32)
    check("kl_div", [draw(rng, 2, 2), target], (1,), reduction="sum")


# ---- classification --------------------------------------------------------------------------

CLASS_SHAPES = [((6, 5), (6,)), ((5,), ()), ((3, 5, 4), (3, 4)), ((2, 5, 3, 2), (2, 3, 2))]


@pytest.mark.parametrize(("shape", "target_shape"), CLASS_SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_cross_entropy_with_class_ids(
    shape: tuple,
    target_shape: tuple,
    reduction: str,
    weighted: bool,
    smoothing: float,
    ignore: int,
    rng,
) -> None:
    target = rng.integers(0, 5, target_shape)
    target = np.asarray(target, np.int64)
    if target.ndim == 0 and ignore == 2:
        target = np.asarray(3, np.int64)
    elif target.ndim:
        target.flat[:2] = ignore if ignore >= 0 else -100
    options: dict = {"weight": draw(rng, 5, low=0.2, high=2)} if weighted else {}
    check(
        "cross_entropy",
        [draw(rng, *shape), target],
        ignore_index=ignore,
        reduction=reduction,
        label_smoothing=smoothing,
        **options,
    )


@pytest.mark.parametrize("shape", [(6, 5), (3, 5, 4)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
def test_cross_entropy_with_probabilities(
    shape: tuple, reduction: str, weighted: bool, smoothing: float, rng
) -> None:
    target = draw(rng, *shape, low=0.01, high=1)
    target /= target.sum(1, keepdims=True)
    options: dict = {"weight": draw(rng, 5, low=0.2, high=2)} if weighted else {}
    check(
        "cross_entropy",
        [draw(rng, *shape), target],
        reduction=reduction,
        label_smoothing=smoothing,
        **options,
    )


def test_cross_entropy_at_extremes() -> None:
    x = np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 999.0]], np.float32)
    check("cross_entropy", [x, np.array([1, 2])], reduction="none")


@pytest.mark.parametrize(("shape", "target_shape"), CLASS_SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [-100, 2])
def test_nll(
    shape: tuple, target_shape: tuple, reduction: str, weighted: bool, ignore: int, rng
) -> None:
    target = np.asarray(rng.integers(0, 5, target_shape), np.int64)
    if target.ndim == 0:
        target = np.asarray(3, np.int64)
    options: dict = {"weight": draw(rng, 5, low=0.2, high=2)} if weighted else {}
    check(
        "nll_loss", [draw(rng, *shape), target], ignore_index=ignore, reduction=reduction, **options
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction: str, weighted: bool, rng) -> None:
    options: dict = {"weight": draw(rng, 4, 3, low=0.2, high=2)} if weighted else {}
    p, y = draw(rng, 4, 3, low=0.02, high=0.98), draw(rng, 4, 3, low=0.01, high=0.99)
    check("binary_cross_entropy", [p, y], (1,), reduction=reduction, **options)


def test_binary_cross_entropy_at_the_ends() -> None:
    p = np.array([0.0, 1.0, 1.0, 0.0, 1e-20], np.float32)
    y = np.array([1.0, 0.0, 1.0, 0.0, 1.0], np.float32)
    ours = F.binary_cross_entropy(pellucid.tensor(p), pellucid.tensor(y), reduction="none")
    theirs = TF.binary_cross_entropy(torch.tensor(p), torch.tensor(y), reduction="none")
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_binary_cross_entropy_with_logits(
    reduction: str, weighted: bool, positive: bool, rng
) -> None:
    options: dict = {"weight": draw(rng, 4, 3, low=0.2, high=2)} if weighted else {}
    if positive:
        options["pos_weight"] = draw(rng, 3, low=0.5, high=3)
    x, y = draw(rng, 4, 3), draw(rng, 4, 3, low=0, high=1)
    x.flat[:4] = [1000, -1000, 50, -50]
    y.flat[:4] = [0, 1, 1, 0]
    check("binary_cross_entropy_with_logits", [x, y], (1,), reduction=reduction, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel_soft_margin(reduction: str, weighted: bool, rng) -> None:
    options: dict = {"weight": draw(rng, 5, low=0.2, high=2)} if weighted else {}
    y = rng.integers(0, 2, (4, 5)).astype(np.float32)
    check("multilabel_soft_margin_loss", [draw(rng, 4, 5), y], (1,), reduction=reduction, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_soft_margin(reduction: str, rng) -> None:
    y = rng.choice([-1.0, 1.0], (4, 5)).astype(np.float32)
    check("soft_margin_loss", [draw(rng, 4, 5) * 5, y], (1,), reduction=reduction)


# ---- margins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
def test_margin_losses_of_pairs(reduction: str, margin: float, rng) -> None:
    y = rng.choice([-1.0, 1.0], (6,)).astype(np.float32)
    check("hinge_embedding_loss", [draw(rng, 6), y], (1,), margin=margin, reduction=reduction)
    pair = [draw(rng, 6), draw(rng, 6), y]
    check("margin_ranking_loss", pair, (2,), margin=margin, reduction=reduction)
    vectors = [draw(rng, 6, 4), draw(rng, 6, 4), y]
    check("cosine_embedding_loss", vectors, (2,), margin=margin / 4, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_triplet_margin(reduction: str, swap: bool, p: float, rng) -> None:
    triple = [draw(rng, 6, 4) for _ in range(3)]
    check("triplet_margin_loss", triple, margin=2.0, p=p, swap=swap, reduction=reduction)
    check("triplet_margin_with_distance_loss", triple, margin=2.0, swap=swap, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("shape", [(6, 5), (5,)])
def test_multi_margin(reduction: str, weighted: bool, p: int, shape: tuple, rng) -> None:
    options: dict = {"weight": draw(rng, 5, low=0.2, high=2)} if weighted else {}
    target = np.asarray(rng.integers(0, 5, shape[:-1]), np.int64)
    x = draw(rng, *shape)
    check("multi_margin_loss", [x, target], p=p, margin=0.7, reduction=reduction, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_multilabel_margin(reduction: str, rng) -> None:
    target = np.array([[3, 0, -1, 1, 2], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [2, -1, 2, -1, 0]])
    check("multilabel_margin_loss", [draw(rng, 4, 5), target], reduction=reduction)
    check("multilabel_margin_loss", [draw(rng, 5), target[0]], reduction=reduction)


# ---- modules ---------------------------------------------------------------------------------

X, P = "normal", "probability"
MODULES = [
    ("L1Loss()", [X, X]),
    ("MSELoss(reduction='sum')", [X, X]),
    ("HuberLoss()", [X, X]),
    ("HuberLoss('none', 0.4)", [X, X]),
    ("SmoothL1Loss(reduction='sum', beta=0.5)", [X, X]),
    ("CrossEntropyLoss()", [X, "ids"]),
    ("CrossEntropyLoss(tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)", [X, "ids"]),
    ("NLLLoss(ignore_index=1)", [X, "ids"]),
    ("NLLLoss(tensor([1.0, 2.0, 0.5]))", [X, "ids"]),
    ("BCELoss()", [P, P]),
    ("BCEWithLogitsLoss(pos_weight=tensor([1.0, 2.0, 0.5]))", [X, P]),
    ("KLDivLoss(reduction='batchmean')", [X, P]),
    ("KLDivLoss(log_target=True)", [X, X]),
    ("PoissonNLLLoss()", [X, P]),
    ("PoissonNLLLoss(False, True)", [P, P]),
    ("GaussianNLLLoss(full=True)", [X, X, P]),
    ("SoftMarginLoss()", [X, "sign"]),
    ("HingeEmbeddingLoss(2.0)", [X, "sign"]),
    ("MarginRankingLoss(0.5)", [X, X, "sign"]),
    ("CosineEmbeddingLoss(0.2)", [X, X, "signs of rows"]),
    ("TripletMarginLoss(2.0, 1.0, swap=True)", [X, X, X]),
    ("TripletMarginWithDistanceLoss(margin=2.0)", [X, X, X]),
    ("MultiMarginLoss()", [X, "ids"]),
    ("MultiMarginLoss(2, 0.5, tensor([1.0, 2.0, 0.5]))", [X, "ids"]),
    ("MultiLabelMarginLoss()", [X, "lists"]),
    ("MultiLabelSoftMarginLoss()", [X, P]),
    ("MultiLabelSoftMarginLoss(tensor([1.0, 2.0, 0.5]))", [X, P]),
    ("CosineSimilarity()", [X, X]),
    ("CosineSimilarity(0)", [X, X]),
    ("PairwiseDistance()", [X, X]),
    ("PairwiseDistance(1, keepdim=True)", [X, X]),
]


@pytest.mark.parametrize(("text", "kinds"), MODULES)
def test_loss_module(text: str, kinds: list, rng) -> None:
    """Built by the same text in both libraries, with the same state."""
    make = {
        X: lambda: draw(rng, 4, 3),
        P: lambda: draw(rng, 4, 3, low=0.05, high=0.95),
        "ids": lambda: np.array([0, 2, 1, 2]),
        "sign": lambda: rng.choice([-1.0, 1.0], (4, 3)).astype(np.float32),
        "signs of rows": lambda: rng.choice([-1.0, 1.0], 4).astype(np.float32),
        "lists": lambda: np.array([[2, 0, -1], [1, -1, 0], [-1, 0, 0], [0, 1, 2]]),
    }
    ours = eval("nn." + text, {"nn": nn, "tensor": pellucid.tensor})
    theirs = eval("nn." + text, {"nn": torch.nn, "tensor": torch.tensor})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    labels = {"sign", "signs of rows"}
    targets = [i for i, k in enumerate(kinds) if k in labels or (i == 1 and k == P)]
    compare(ours, theirs, [make[k]() for k in kinds], frozen=targets)
