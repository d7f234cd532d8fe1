"""Losses against their formulas in NumPy, difference quotients, and golden values."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.tensor.gradcheck import gradcheck


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_A11_absolute_loss() -> None:
    x = pellucid.tensor([1.0, 2.0, 4.0], requires_grad=True)
    y = pellucid.tensor([0.0, 2.0, 6.0])
    assert F.l1_loss(x, y, reduction="sum").item() == 3
    loss = nn.L1Loss()(x, y)
    assert loss.item() == 1
    loss.backward()
    assert_close(x.grad, np.array([1, 0, -1]) / 3)


def test_A12_squared_loss_and_its_reductions() -> None:
    x, y = pellucid.tensor([1.0, 2.0, 4.0]), pellucid.tensor([0.0, 2.0, 6.0])
    assert nn.MSELoss(reduction="sum")(x, y).item() == 5
    assert nn.MSELoss(reduction="none")(x, y).tolist() == [1, 0, 4]
    assert nn.MSELoss()(x, y).item() == pytest.approx(5 / 3)
    assert "reduction" in nn.MSELoss.__doc__


def test_E4_mean_squared_error() -> None:
    assert F.mse_loss(pellucid.tensor([1.0, 3.0]), pellucid.tensor([0.0, 1.0])).item() == 2.5


@pytest.mark.parametrize("loss", [nn.L1Loss(), nn.MSELoss()])
def test_A13_both_train_a_line(loss: nn.Module, rng) -> None:
    assert "0 where x = y" in nn.L1Loss.__doc__
    x = pellucid.tensor(rng.uniform(-1, 1, (64, 1)).astype(np.float32))
    y = x * 2 - 0.5
    line = nn.Linear(1, 1)
    for step in range(400):
        line.zero_grad()
        loss(line(x), y).backward()
        with pellucid.no_grad():
            for p in line.parameters():
                p -= 0.3 * 0.99**step * p.grad
    assert line.weight.item() == pytest.approx(2, abs=0.03)
    assert line.bias.item() == pytest.approx(-0.5, abs=0.03)


def test_B49_cross_entropy_gradient_is_probability_minus_target(rng) -> None:
    x = rng.normal(size=(6, 4)) * 3
    ids = rng.integers(0, 4, 6)
    logits = pellucid.tensor(x, requires_grad=True)
    loss = nn.CrossEntropyLoss()(logits, pellucid.tensor(ids))
    loss.backward()
    p = softmax(x)
    assert loss.item() == pytest.approx(-np.log(p[np.arange(6), ids]).mean(), rel=1e-12)
    assert_close(logits.grad, (p - np.eye(4)[ids]) / 6, 1e-9, 1e-15)
    far = pellucid.tensor([[1000.0, 0.0], [-1000.0, 1000.0]], requires_grad=True)
    loss = F.cross_entropy(far, pellucid.tensor([1, 1]), reduction="sum")
    loss.backward()
    assert loss.item() == 1000 and far.grad.tolist() == [[1, -1], [0, 0]]


def test_cross_entropy_of_uniform_scores_is_the_logarithm_of_the_classes() -> None:
    loss = F.cross_entropy(pellucid.zeros(5, 10), pellucid.arange(5))
    assert loss.item() == pytest.approx(math.log(10), rel=1e-6)


def test_E5_binary_cross_entropy_is_finite_at_the_ends() -> None:
    p = pellucid.tensor([0.2, 0.9])
    y = pellucid.tensor([0.0, 1.0])
    expected = -(math.log(0.8) + math.log(0.9)) / 2
    assert nn.BCELoss()(p, y).item() == pytest.approx(expected, rel=1e-5)
    logits = (p / (1 - p)).log()
    assert nn.BCEWithLogitsLoss()(logits, y).item() == pytest.approx(expected, rel=1e-5)
    ends = pellucid.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(ends, pellucid.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0, 0, 100, 100]
    loss.sum().backward()
    assert np.isfinite(ends.grad.numpy()).all()
    assert ends.grad[2].item() < 0 < ends.grad[3].item(), "wrong certainty is pushed back"
    far = pellucid.tensor([1000.0, -1000.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(far, pellucid.tensor([0.0, 1.0]), reduction="sum")
    loss.backward()
    assert loss.item() == 2000 and far.grad.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("task", "head", "loss", "target"),
    [
        ("two classes", nn.Sigmoid(), nn.BCEWithLogitsLoss(), [[1.0], [0.0]]),
        ("several classes", nn.Softmax(dim=-1), nn.CrossEntropyLoss(), [2, 0]),
        ("regression", nn.Identity(), nn.MSELoss(), [[0.3], [-2.0]]),
        (
            "several labels",
            nn.Sigmoid(),
            nn.BCEWithLogitsLoss(),
            [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
        ),
    ],
)
def test_B58_D41_each_task_has_its_head_and_loss(task: str, head, loss, target) -> None:
    """A few steps on two samples: the head's output becomes what the target says."""
    target = pellucid.tensor(target)
    width = 3 if task.startswith("several") else 1
    net = nn.Linear(4, width)
    x = pellucid.randn(2, 4)
    for _ in range(400):
        net.zero_grad()
        loss(net(x), target).backward()
        with pellucid.no_grad():
            for p in net.parameters():
                p -= 0.3 * p.grad
    out = head(net(x)).detach().numpy()
    if task == "several classes":
        assert out.argmax(-1).tolist() == [2, 0] and np.allclose(out.sum(-1), 1)
    elif task == "regression":
        assert_close(out, target, 0.01, 0.01)
    else:
        assert ((out > 0.5) == (target.numpy() > 0.5)).all(), "labels are independent"


# ---- formulas ----------------------------------------------------------------------------------


def test_remaining_losses_equal_their_formulas(rng) -> None:
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    d = x - y
    a, b = pellucid.tensor(x), pellucid.tensor(y)
    huber = np.where(np.abs(d) < 0.7, d**2 / 2, 0.7 * (np.abs(d) - 0.35))
    assert_close(F.huber_loss(a, b, "none", 0.7), huber, 1e-10)
    assert_close(F.smooth_l1_loss(a, b, reduction="none", beta=0.7), huber / 0.7, 1e-10)
    p = softmax(y)
    log_q = np.log(softmax(x))
    kl = (p * (np.log(p) - log_q)).sum() / 5
    tensor = pellucid.tensor
    assert F.kl_div(tensor(log_q), tensor(p), reduction="batchmean").item() == pytest.approx(
        kl, rel=1e-10
    )
    assert F.kl_div(
        tensor(log_q), tensor(np.log(p)), reduction="batchmean", log_target=True
    ).item() == pytest.approx(kl)
    assert kl > 0 == F.kl_div(tensor(np.log(p)), tensor(p), reduction="sum").item() < 1e-12
    assert_close(F.poisson_nll_loss(a, tensor(p), reduction="none"), np.exp(x) - p * x, 1e-10)
    var = rng.uniform(0.5, 2, (5, 4))
    gauss = 0.5 * (np.log(var) + d**2 / var)
    assert_close(F.gaussian_nll_loss(a, b, tensor(var), reduction="none"), gauss, 1e-10)
    s = np.sign(y)
    assert_close(
        F.soft_margin_loss(a, tensor(s), reduction="none"), np.log1p(np.exp(-s * x)), 1e-10
    )
    hinge = np.where(s > 0, x, np.maximum(0, 1 - x))
    assert_close(F.hinge_embedding_loss(a, tensor(s), reduction="none"), hinge, 1e-10)
    rank = np.maximum(0, -s * d + 0.3)
    assert_close(F.margin_ranking_loss(a, b, tensor(s), 0.3, reduction="none"), rank, 1e-10)
    cos = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    cosine = np.where(s[:, 0] > 0, 1 - cos, np.maximum(0, cos - 0.1))
    assert_close(
        F.cosine_embedding_loss(a, b, tensor(s[:, 0]), 0.1, reduction="none"), cosine, 1e-9
    )
    assert_close(F.cosine_similarity(a, b), cos, 1e-10)
    distance = np.linalg.norm(d + 1e-6, axis=1)
    assert_close(F.pairwise_distance(a, b), distance, 1e-10)
    triple = np.maximum(0, distance - np.linalg.norm(x - 2 * y + 1e-6, axis=1) + 1)
    assert_close(F.triplet_margin_loss(a, b, b * 2, reduction="none"), triple, 1e-10)


def test_margin_losses_equal_their_sums(rng) -> None:
    x = rng.normal(size=(3, 4))
    ids = [1, 0, 3]
    single = [
        sum(max(0, 1 - row[t] + row[j]) for j in range(4) if j != t) / 4
        for row, t in zip(x, ids, strict=True)
    ]
    loss = F.multi_margin_loss(pellucid.tensor(x), pellucid.tensor(ids), reduction="none")
    assert_close(loss, single, 1e-10)
    lists = [[1, 3, -1, 0], [-1, 0, 0, 0], [0, 1, 2, 3]]
    expected = []
    for row, listed in zip(x, lists, strict=True):
        true = listed[: listed.index(-1)] if -1 in listed else listed
        others = [i for i in range(4) if i not in true]
        expected.append(sum(max(0, 1 - (row[t] - row[i])) for t in true for i in others) / 4)
    loss = F.multilabel_margin_loss(pellucid.tensor(x), pellucid.tensor(lists), reduction="none")
    assert_close(loss, expected, 1e-10)
    labels = (x > 0).astype(float)
    bce = np.logaddexp(0, x) - labels * x
    loss = F.multilabel_soft_margin_loss(
        pellucid.tensor(x), pellucid.tensor(labels), reduction="none"
    )
    assert_close(loss, bce.mean(1), 1e-9)


X, Y, P, S, IDS = "x", "y", "p", "sign", "ids"
DIFFERENTIABLE = [
    ("mse_loss", [X, Y], {}),
    ("l1_loss", [X, Y], {}),
    ("huber_loss", [X, Y], {"delta": 0.6}),
    ("smooth_l1_loss", [X, Y], {"beta": 0.6}),
    ("cross_entropy", [X, IDS], {}),
    ("cross_entropy", [X, IDS], {"label_smoothing": 0.2, "ignore_index": 1}),
    ("cross_entropy", [X, P], {}),
    ("nll_loss", [X, IDS], {}),
    ("binary_cross_entropy", [P, P], {}),
    ("binary_cross_entropy_with_logits", [X, P], {}),
    ("kl_div", [X, P], {}),
    ("kl_div", [X, Y], {"log_target": True}),
    ("poisson_nll_loss", [X, P], {}),
    ("gaussian_nll_loss", [X, Y, P], {}),
    ("soft_margin_loss", [X, S], {}),
    ("hinge_embedding_loss", [X, S], {}),
    ("margin_ranking_loss", [X, Y, S], {"margin": 0.1}),
    ("triplet_margin_loss", [X, Y, P], {}),
    ("multi_margin_loss", [X, IDS], {"p": 2}),
    ("multilabel_soft_margin_loss", [X, P], {}),
    ("cosine_similarity", [X, Y], {}),
]


@pytest.mark.parametrize(("name", "kinds", "options"), DIFFERENTIABLE)
def test_gradients_equal_difference_quotients(name: str, kinds: list, options: dict, rng) -> None:
    values = {
        X: rng.normal(size=(4, 3)),
        Y: rng.normal(size=(4, 3)),
        P: rng.uniform(0.1, 0.9, (4, 3)),
        S: rng.choice([-1.0, 1.0], (4, 3)),
        IDS: np.array([0, 2, 1, 2]),
    }
    learned = [k in (X, Y) or (k == P and i != 1) for i, k in enumerate(kinds)]
    tensors = [
        pellucid.tensor(values[k], requires_grad=wanted)
        for k, wanted in zip(kinds, learned, strict=True)
    ]
    assert gradcheck(lambda *a: getattr(F, name)(*a, **options), tensors)


# ---- misuse --------------------------------------------------------------------------------------


def test_targets_that_do_not_fit() -> None:
    x = pellucid.zeros(4, 3)
    with pytest.raises(
        ArgumentError, match=r"class id 3 for 3 classes\n.*0 to 2 \(or ignore_index"
    ):
        F.cross_entropy(x, pellucid.tensor([0, 1, 2, 3]))
    with pytest.raises(ArgumentError, match="nll_loss got the class id -1"):
        F.nll_loss(x, pellucid.tensor([0, 1, 2, -1]))
    with pytest.raises(ShapeError, match=r"class ids of shape \(4, 1\)(.|\n)*squeeze"):
        F.cross_entropy(x, pellucid.zeros(4, 1, dtype=pellucid.int64))
    with pytest.raises(ShapeError, match=r"shape \(4, 3\)\n.*one-hot rows"):
        F.cross_entropy(x, pellucid.zeros(4, 3, dtype=pellucid.int64))
    with pytest.raises(ShapeError, match="cross_entropy with probabilities"):
        F.cross_entropy(x, pellucid.zeros(4, 2))
    with pytest.raises(DTypeError, match=r"targets of float32\n.*convert with .long"):
        F.cross_entropy(x, pellucid.zeros(4))
    with pytest.raises(DTypeError, match="mse_loss's target got a list"):
        F.mse_loss(x, [1.0])
    with pytest.raises(DTypeError, match="cross_entropy got a ndarray as input"):
        F.cross_entropy(x.numpy(), pellucid.zeros(4))
    with pytest.raises(DTypeError, match="targets of float32"):
        F.nll_loss(x, pellucid.zeros(4))
    with pytest.raises(ShapeError, match=r"input of shape \(4, 1\) and a target of shape \(4,\)"):
        F.binary_cross_entropy_with_logits(pellucid.zeros(4, 1), pellucid.zeros(4))
    with pytest.raises(ArgumentError, match=r"probabilities from 0 to 2"):
        F.binary_cross_entropy(pellucid.tensor([0.0, 2.0]), pellucid.zeros(2))
    with pytest.raises(ShapeError, match="0-dimensional"):
        F.cross_entropy(pellucid.tensor(1.0), pellucid.tensor(0))
    with pytest.raises(ShapeError, match="the batches differ, 3 and 4"):
        F.mse_loss(pellucid.zeros(3), pellucid.zeros(4))
    with pytest.warns(UserWarning, match=r"shape \(4, 1\) and the target \(4,\).*broadcast"):
        F.mse_loss(pellucid.zeros(4, 1), pellucid.zeros(4))


def test_settings_that_make_no_sense() -> None:
    x = pellucid.zeros(2, 2)
    with pytest.raises(ArgumentError, match="no reduction 'average'"):
        nn.MSELoss(reduction="average")
    with pytest.raises(ArgumentError, match="no reduction 'batchmean'"):
        F.mse_loss(x, x, reduction="batchmean")
    with pytest.raises(ArgumentError, match="label_smoothing=2"):
        F.cross_entropy(x, pellucid.tensor([0, 1]), label_smoothing=2)
    with pytest.raises(ArgumentError, match="delta=0"):
        F.huber_loss(x, x, delta=0)
    with pytest.raises(ArgumentError, match="beta=-1"):
        F.smooth_l1_loss(x, x, beta=-1)
    with pytest.raises(ArgumentError, match="negative variance"):
        F.gaussian_nll_loss(x, x, x - 1)
    with pytest.raises(ShapeError, match="variance of shape"):
        F.gaussian_nll_loss(x, x, pellucid.ones(3))
    with pytest.raises(ArgumentError, match="p=3"):
        F.multi_margin_loss(x, pellucid.tensor([0, 1]), p=3)
    with pytest.raises(ArgumentError, match="margin=0"):
        F.triplet_margin_loss(x, x, x, margin=0)
    with pytest.raises(ShapeError, match="target of shape"):
        F.cosine_embedding_loss(x, x, pellucid.ones(3))
    with pytest.raises(ShapeError, match="class ids of shape"):
        F.multi_margin_loss(x, pellucid.tensor([0]))


def test_empty_batches_follow_numpy() -> None:
    """A sum of nothing is 0, a mean of nothing NaN, and the single losses are none."""
    scores, ids = pellucid.zeros(0, 3), pellucid.zeros(0, dtype=pellucid.int64)
    assert F.cross_entropy(scores, ids, reduction="sum").item() == 0
    assert math.isnan(F.cross_entropy(scores, ids).item())
    assert F.cross_entropy(scores, ids, reduction="none").shape == (0,)
    assert math.isnan(F.mse_loss(scores, scores).item())
    assert F.binary_cross_entropy(scores, scores, reduction="sum").item() == 0


def test_shifting_all_scores_changes_nothing(rng) -> None:
    x = rng.normal(size=(20, 5))
    ids = pellucid.tensor(rng.integers(0, 5, 20))
    loss = F.cross_entropy(pellucid.tensor(x), ids, reduction="none")
    shifted = F.cross_entropy(pellucid.tensor(x + 512.0), ids, reduction="none")
    assert_close(shifted, loss, 1e-9)
    logits = pellucid.tensor(x, requires_grad=True)
    F.cross_entropy(logits, ids, label_smoothing=0.1).backward()
    assert_close(logits.grad.sum(1), np.zeros(20), 0, 1e-12)


def test_ignored_positions_count_nowhere() -> None:
    x = pellucid.randn(4, 3, requires_grad=True)
    loss = F.cross_entropy(x, pellucid.tensor([0, -100, 2, -100]))
    kept = F.cross_entropy(x.detach()[pellucid.tensor([0, 2])], pellucid.tensor([0, 2]))
    assert loss.item() == pytest.approx(kept.item(), rel=1e-6)
    loss.backward()
    assert x.grad[1].abs().sum().item() == x.grad[3].abs().sum().item() == 0
    assert math.isnan(F.cross_entropy(x, pellucid.full((4,), -100)).item()), "a mean of nothing"
