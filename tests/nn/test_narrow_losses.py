"""Losses and other functions of layers in bfloat16 and float16, with every option they have.

Each is held against itself in float32, on the same (rounded) numbers: rounded once, it agrees to
the precision of the narrow type, and comes in that type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812  (its usual name)
from helpers import assert_close

RNG = np.random.default_rng(7)
SCORES, OTHER = RNG.normal(size=(2, 4, 3))
SHARES = RNG.uniform(0.1, 0.9, (4, 3))
POSITIVE = RNG.uniform(0.5, 2.0, (4, 3))
SIGNS = np.where(RNG.normal(size=(4, 3)) > 0, 1.0, -1.0)
IMAGE = RNG.normal(size=(1, 2, 5, 5))
WEIGHTS = np.array([1.0, 2.0, 0.5])
IDS = pellucid.tensor([0, 2, 1, 1])
Call = Callable[[Callable[[Any], Any]], Any]

CALLS: dict[str, list[Call]] = {
    "cross_entropy": [
        lambda t: F.cross_entropy(t(SCORES), IDS, t(WEIGHTS), ignore_index=1, label_smoothing=0.1),
        lambda t: F.cross_entropy(t(SCORES), IDS, t(WEIGHTS), reduction="none"),
        lambda t: F.cross_entropy(t(SCORES), t(SHARES), t(WEIGHTS), label_smoothing=0.2),
        lambda t: F.nll_loss(t(SCORES), IDS, t(WEIGHTS), ignore_index=2),
        lambda t: F.linear_cross_entropy(
            t(SCORES), t(np.eye(3)), IDS, linear_bias=t(WEIGHTS), weight=t(WEIGHTS)
        ),
    ],
    "regression": [
        lambda t: F.l1_loss(t(SCORES), t(OTHER), weight=t(POSITIVE)),
        lambda t: F.mse_loss(t(SCORES), t(OTHER), reduction="sum", weight=t(POSITIVE)),
        lambda t: F.huber_loss(t(SCORES), t(OTHER), "none", 0.7, t(POSITIVE)),
        lambda t: F.smooth_l1_loss(t(SCORES), t(OTHER), beta=0.3),
        lambda t: F.poisson_nll_loss(t(POSITIVE), t(POSITIVE * 3), full=True),
        lambda t: F.poisson_nll_loss(t(POSITIVE), t(POSITIVE * 3), False, True, reduction="none"),
        lambda t: F.gaussian_nll_loss(t(SCORES), t(OTHER), t(POSITIVE), full=True),
        lambda t: F.gaussian_nll_loss(t(SCORES), t(OTHER), t(POSITIVE[:, :1]), reduction="none"),
        lambda t: F.kl_div(t(SCORES), t(SHARES), reduction="batchmean"),
        lambda t: F.kl_div(t(SCORES), t(SCORES), reduction="sum", log_target=True),
    ],
    "two classes": [
        lambda t: F.binary_cross_entropy(t(SHARES), t(1 - SHARES), t(POSITIVE)),
        lambda t: F.binary_cross_entropy_with_logits(
            t(SCORES), t(SHARES), t(POSITIVE), pos_weight=t(WEIGHTS)
        ),
        lambda t: F.multilabel_soft_margin_loss(t(SCORES), t(np.rint(SHARES)), t(WEIGHTS)),
        lambda t: F.soft_margin_loss(t(SCORES), t(SIGNS)),
        lambda t: F.hinge_embedding_loss(t(POSITIVE), t(SIGNS), 0.8, reduction="none"),
    ],
    "margins": [
        lambda t: F.margin_ranking_loss(t(SCORES), t(OTHER), t(SIGNS), 0.3),
        lambda t: F.cosine_embedding_loss(t(SCORES), t(OTHER), t(SIGNS[:, 0]), 0.1),
        lambda t: F.triplet_margin_loss(t(SCORES), t(OTHER), t(POSITIVE), swap=True),
        lambda t: F.multi_margin_loss(t(SCORES), IDS, 2, 0.7, t(WEIGHTS)),
        lambda t: F.multilabel_margin_loss(t(SCORES), pellucid.tensor([[1, -1, 0]] * 4)),
    ],
    "layers": [
        lambda t: F.interpolate(t(IMAGE), (3, 7), mode="bilinear"),
        lambda t: F.interpolate(t(IMAGE), scale_factor=1.5, mode="bicubic", antialias=True),
        lambda t: F.embedding(IDS, t(SCORES), max_norm=0.8),
        lambda t: F.embedding_bag(IDS[None], t(SCORES), max_norm=0.8),
        lambda t: F.batch_norm(t(SCORES), t(WEIGHTS), t(WEIGHTS), t(WEIGHTS), t(WEIGHTS)),
        lambda t: F.local_response_norm(t(IMAGE), 2),
        lambda t: F.avg_pool2d(t(IMAGE), 3, 2, 1, count_include_pad=False),
        lambda t: F.normalize(t(SCORES), 3.0),
        lambda t: F.bilinear(t(SCORES), t(OTHER), t(np.ones((2, 3, 3))), t(WEIGHTS[:2])),
    ],
}

CASES = [(kind, i) for kind, calls in CALLS.items() for i in range(len(calls))]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("kind", "place"), CASES)
def test_as_in_float32(kind: str, place: int, dtype: str) -> None:
    narrow = getattr(pellucid, dtype)

    def rounded(array: Any) -> Any:
        return pellucid.tensor(np.asarray(array, np.float32)).to(narrow)

    call = CALLS[kind][place]
    got, exact = call(rounded), call(lambda array: rounded(array).float())
    assert got.dtype is narrow
    assert_close(got.float(), exact, *((2e-2, 2e-2) if dtype == "bfloat16" else (3e-3, 3e-3)))
