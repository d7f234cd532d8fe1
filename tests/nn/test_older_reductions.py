"""size_average= and reduce= of losses, and softmax without an axis, held against PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

LOSSES: dict[str, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    "l1_loss": ("L1Loss", lambda r: (r((3, 4)), r((3, 4)))),
    "mse_loss": ("MSELoss", lambda r: (r((3, 4)), r((3, 4)))),
    "smooth_l1_loss": ("SmoothL1Loss", lambda r: (r((3, 4)), r((3, 4)))),
    "kl_div": ("KLDivLoss", lambda r: (r((3, 4)), np.abs(r((3, 4))))),
    "soft_margin_loss": ("SoftMarginLoss", lambda r: (r((3, 4)), np.sign(r((3, 4))))),
    "multilabel_margin_loss": ("MultiLabelMarginLoss", lambda r: (r((2, 4)), IDS)),
    "nll_loss": ("NLLLoss", lambda r: (r((3, 4)), np.array([0, 3, 1]))),
    "cross_entropy": ("CrossEntropyLoss", lambda r: (r((3, 4)), np.array([0, 3, 1]))),
    "binary_cross_entropy": ("BCELoss", lambda r: (PART, PART[::-1].copy())),
    "binary_cross_entropy_with_logits": ("BCEWithLogitsLoss", lambda r: (r((3, 2)), PART)),
    "hinge_embedding_loss": ("HingeEmbeddingLoss", lambda r: (r((3, 4)), np.sign(r((3, 4))))),
    "poisson_nll_loss": ("PoissonNLLLoss", lambda r: (r((3, 4)), np.abs(r((3, 4))))),
    "margin_ranking_loss": (
        "MarginRankingLoss",
        lambda r: (r((3,)), r((3,)), np.sign(r((3,)))),
    ),
    "cosine_embedding_loss": (
        "CosineEmbeddingLoss",
        lambda r: (r((3, 4)), r((3, 4)), np.sign(r((3,)))),
    ),
    "triplet_margin_loss": ("TripletMarginLoss", lambda r: (r((3, 4)), r((3, 4)), r((3, 4)))),
    "multi_margin_loss": ("MultiMarginLoss", lambda r: (r((3, 4)), np.array([0, 3, 1]))),
    "multilabel_soft_margin_loss": (
        "MultiLabelSoftMarginLoss",
        lambda r: (r((3, 4)), np.sign(r((3, 4))) > 0),
    ),
}
IDS = np.array([[3, 0, -1, 1], [0, 1, 2, -1]])
PART = np.array([[0.1, 0.9], [0.4, 0.3], [0.7, 0.5]])
OLDER = [
    {"size_average": False},
    {"size_average": True},
    {"reduce": False},
    {"reduce": False, "size_average": False},
    {"reduce": True, "size_average": False},
    {"size_average": False, "reduction": "none"},
]


def both(call: Callable[[Any, Callable[[Any], Any]], Any]) -> tuple[Any, Any]:
    """The same with our tensors and with PyTorch's, which both have to warn."""
    with pytest.warns(UserWarning, match="reduction=|Implicit dimension choice"):
        ours = call(pellucid, pellucid.tensor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = call(torch, torch.tensor)
    return ours, theirs


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("older", OLDER, ids=str)
def test_older_names_of_reductions(name: str, older: dict[str, Any]) -> None:
    kind, make = LOSSES[name]
    random = np.random.default_rng(3)
    data = make(random.standard_normal)
    data = tuple(a.astype(np.float64) if a.dtype == bool else a for a in data)
    for call in (
        lambda t, to: getattr(t.nn.functional, name)(*map(to, data), **older),
        lambda t, to: getattr(t.nn, kind)(**older)(*map(to, data)),
    ):
        ours, theirs = both(call)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


def test_older_names_by_position() -> None:
    x, y = np.arange(3.0), np.ones(3)
    for call in (
        lambda t, to: t.nn.functional.mse_loss(to(x), to(y), False),
        lambda t, to: t.nn.MSELoss(False)(to(x), to(y)),
        lambda t, to: t.nn.functional.cross_entropy(to(x), to(1), None, False),
        lambda t, to: t.nn.CrossEntropyLoss(None, False)(to(x), to(1)),
        lambda t, to: t.nn.BCEWithLogitsLoss(None, False)(to(x), to(y)),
    ):
        ours, theirs = both(call)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_softmax_without_an_axis(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(5).standard_normal(shape)
    for call in (
        lambda t, to: t.nn.functional.softmax(to(x)),
        lambda t, to: t.nn.functional.log_softmax(to(x)),
        lambda t, to: t.nn.functional.softmin(to(x)),
        lambda t, to: t.nn.Softmax()(to(x)),
        lambda t, to: t.nn.LogSoftmax()(to(x)),
        lambda t, to: t.nn.Softmin()(to(x)),
    ):
        ours, theirs = both(call)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = pellucid.compile(lambda t: pellucid.nn.Softmax()(t))(pellucid.tensor(x))
        wanted = torch.nn.Softmax()(torch.tensor(x))
    np.testing.assert_allclose(compiled.numpy(), wanted.numpy(), rtol=1e-6)
