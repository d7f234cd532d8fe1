"""Functions of layers in the top-level namespace: values and order of arguments are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

CALLS: dict[str, Callable[[Any, Callable[..., Any]], Any]] = {
    "conv1d": lambda t, r: t.conv1d(r(2, 3, 8), r(4, 3, 3), r(4), 1, 1),
    "conv2d": lambda t, r: t.conv2d(r(1, 2, 5, 5), r(3, 2, 3, 3), padding=1),
    "conv3d": lambda t, r: t.conv3d(r(1, 2, 4, 4, 4), r(3, 2, 3, 3, 3)),
    "conv_transpose2d": lambda t, r: t.conv_transpose2d(r(1, 2, 5, 5), r(2, 3, 3, 3), stride=2),
    "embedding": lambda t, r: t.embedding(r(5, 3), t.tensor([[0, 4], [1, 1]])),
    "dropout": lambda t, r: t.dropout(r(3), 0.5, train=False),
    "layer_norm": lambda t, r: t.layer_norm(r(2, 4), (4,), r(4), r(4)),
    "batch_norm": lambda t, r: t.batch_norm(
        r(4, 3), r(3), r(3), r(3), r(3).abs(), False, 0.1, 1e-5, False
    ),
    "instance_norm": lambda t, r: t.instance_norm(
        r(2, 3, 4), r(3), r(3), None, None, True, 0.1, 1e-5, False
    ),
    "group_norm": lambda t, r: t.group_norm(r(2, 4, 3), 2, r(4), r(4)),
    "cosine_similarity": lambda t, r: t.cosine_similarity(r(3, 4), r(3, 4), dim=1),
    "pairwise_distance": lambda t, r: t.pairwise_distance(r(3, 4), r(3, 4)),
    "pixel_shuffle": lambda t, r: t.pixel_shuffle(r(1, 4, 2, 2), 2),
    "max_pool2d": lambda t, r: t.max_pool2d(r(1, 1, 4, 4), 2),
    "avg_pool1d": lambda t, r: t.avg_pool1d(r(1, 1, 4), 2),
    "adaptive_avg_pool1d": lambda t, r: t.adaptive_avg_pool1d(r(1, 1, 6), 2),
    "prelu": lambda t, r: t.prelu(r(3), r(1)),
    "selu": lambda t, r: t.selu(r(3)),
    "celu": lambda t, r: t.celu(r(3)),
    "rrelu": lambda t, r: t.rrelu(r(3)),
    "threshold": lambda t, r: t.threshold(r(3), 0.1, 2.0),
    "bilinear": lambda t, r: t.bilinear(r(2, 3), r(2, 4), r(5, 3, 4), r(5)),
    "bce": lambda t, r: t.binary_cross_entropy_with_logits(r(3), r(3).sigmoid(), None, r(3).exp()),
    "kl_div": lambda t, r: t.kl_div(r(3), r(3).exp(), 2),
    "hinge": lambda t, r: t.hinge_embedding_loss(r(3), r(3).sign(), 0.5, 2),
    "ranking": lambda t, r: t.margin_ranking_loss(r(3), r(3), r(3).sign(), reduction=0),
    "cosine": lambda t, r: t.cosine_embedding_loss(r(2, 3), r(2, 3), r(2).sign()),
    "triplet": lambda t, r: t.triplet_margin_loss(r(2, 3), r(2, 3), r(2, 3), reduction=2),
    "poisson": lambda t, r: t.poisson_nll_loss(r(3), r(3).exp(), True, True, 1e-8, 1),
    "ctc": lambda t, r: t.ctc_loss(
        r(4, 2, 3).log_softmax(-1), t.tensor([[1, 2], [2, 1]]), [4, 4], [2, 1], 0, 2
    ),
    "pdist": lambda t, r: t.pdist(r(3, 4)),
    "channel_shuffle": lambda t, r: t.channel_shuffle(r(1, 4, 2, 2), 2),
    "in place": lambda t, r: t.sqrt_(t.abs_(r(3))),
    "relu_": lambda t, r: t.relu_(r(3)),
    "clamp_": lambda t, r: t.clamp_(r(3), -0.1, 0.1),
    "zero_": lambda t, r: t.zero_(r(3)),
}


@pytest.mark.parametrize("name", CALLS)
def test_values(name: str) -> None:
    found = []
    for t in (pellucid, torch):
        random = np.random.default_rng(9)

        def r(*shape: int, t: Any = t, random: Any = random) -> Any:
            return t.tensor(random.standard_normal(shape))

        found.append(CALLS[name](t, r).numpy())
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-9)


def test_in_place_functions_return_their_tensor() -> None:
    x = pellucid.tensor([-4.0, 9.0])
    assert pellucid.sqrt_(pellucid.abs_(x)) is x and x.tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="no reduction 3"):
        pellucid.kl_div(x, x, 3)
