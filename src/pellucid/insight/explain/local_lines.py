"""A linear model of the score near one row, fitted to changed rows (LIME)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, ShapeError
from pellucid.insight.explain.coalitions import again_of, coalitions_of
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, plain
from pellucid.insight.explain.players import Groups
from pellucid.insight.explain.verdicts import Check

Floats = npt.NDArray[np.float64]
_FIT = 0.5
"""The local model must explain this share of the weighted variance to be trusted."""


def lime(
    model: Any,
    inputs: Any,
    target: Any = None,
    *,
    samples: int = 1000,
    baselines: Any = None,
    background: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    width: float = 0.25,
    alpha: float = 1.0,
    extra: Any = (),
    seed: int = 0,
    compile: bool = True,
) -> Explanation:
    """The coefficients of players being present in a linear model of the score near each row.

    ``samples`` sets of present players are drawn, each player with a chance of one half, the first
    with all; weights are √exp(−d² / width²) with d the cosine distance to "all present", and ridge
    regression with ``alpha`` is fitted, as the lime package does for images and texts.  Absent
    players take ``baselines`` (None is 0), or a row of ``background`` drawn for each sample.
    ``groups`` says which elements belong together: for pictures ``("segments", 50)``.  The
    standard error is the sandwich estimate of the regression; the check ``local fit`` holds R², the
    weighted share of variance that the linear model explains, without which it says nothing.
    (Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016.)
    """
    again = again_of(lime, locals())
    _check(samples, width, alpha)
    game = coalitions_of(
        model, inputs, target, background=background, baselines=baselines, groups=groups,
        names=names, extra=extra, compile=compile,
    )  # fmt: skip
    random = np.random.default_rng(seed)
    count = game.players.count
    shares, errors, fits, bases = [], [], [], []
    for row in range(game.rows):
        masks = random.random((samples, count)) < 0.5
        masks[0] = True
        which = random.integers(0, game.backgrounds, samples)
        scores = game.scores(row, masks, which)[:, 0]
        present = masks.sum(axis=1)
        distance = 1 - np.sqrt(present / count)
        weights = np.sqrt(np.exp(-(distance**2) / width**2))
        line = local_line(masks.astype(np.float64), scores, weights, alpha)
        shares.append(line[0])
        bases.append(line[1])
        errors.append(line[2])
        fits.append(line[3])
    found = game.explanation(
        "lime", np.stack(shares), np.stack(errors), base=np.array(bases), is_complete=False,
        seeds=(seed,), settings={"samples": samples, "r2": fits, "width": width}, again=again,
    )  # fmt: skip
    found.checks["local fit"] = _fit_check(fits)
    return found


def lime_tabular(
    model: Any,
    inputs: Any,
    scale: Any,
    target: Any = None,
    *,
    samples: int = 5000,
    names: Sequence[str] | None = None,
    width: float | None = None,
    alpha: float = 1.0,
    extra: Any = (),
    seed: int = 0,
    compile: bool = True,
) -> Explanation:
    """The slopes of the score around each row of numbers, over steps of the size of the data.

    ``inputs`` (rows, columns); ``scale`` (columns,) are the columns' standard deviations, or the
    data (rows, columns) themselves.  Rows x + scale · N(0, 1) are drawn, weighted by √exp(−d² /
    width²) with d the distance in scales and ``width`` 0.75·√columns, and ridge regression with
    ``alpha`` is fitted on the scaled differences: the lime package without discretized columns and
    with samples around the instance.  Values are slopes in the units of the columns; their
    standard error is the sandwich estimate, and the check ``local fit`` the weighted R².
    """
    again = again_of(lime_tabular, locals())
    _check(samples, 1.0 if width is None else width, alpha)
    forward = Forward(model, inputs, target, extra, compiled=compile)
    x = plain(forward.tensors[0])
    given = np.asarray(plain(scale), np.float64)
    sizes = given.std(axis=0) if given.ndim == 2 else given
    if len(forward.tensors) > 1 or x.ndim != 2 or sizes.shape != x.shape[1:]:
        raise ShapeError(
            f"lime_tabular got inputs {x.shape} and scales {given.shape}",
            "Give rows of numbers (rows, columns), and a scale for each column or the data.",
        )
    if not (sizes > 0).all():
        raise ArgumentError(
            f"Column {int(np.argmin(sizes))} has the scale {sizes.min():.3g}",
            "Leave constant columns out, or give scales above 0.",
        )
    reach = 0.75 * math.sqrt(x.shape[1]) if width is None else width
    random = np.random.default_rng(seed)
    steps = random.normal(size=(len(x), samples, x.shape[1]))
    steps[:, 0] = 0
    moved = (x[:, None] + steps * sizes).astype(x.dtype).reshape(-1, x.shape[1])
    scores = forward(moved, copies=samples).reshape(len(x), samples)
    if not np.isfinite(scores).all():
        raise NonFiniteError(
            "The model gives NaN or infinity near a row", "Look at the weights of the model."
        )
    slopes, errors, fits = [], [], []
    for row in range(len(x)):
        distance = np.sqrt((steps[row] ** 2).sum(axis=1))
        weights = np.sqrt(np.exp(-(distance**2) / reach**2))
        slope, _, error, fit = local_line(steps[row], scores[row], weights, alpha)
        slopes.append(slope / sizes)
        errors.append(error / sizes)
        fits.append(fit)
    found = forward.explanation(
        "lime_tabular", (np.stack(slopes),), kind="slope", standard_error=(np.stack(errors),),
        seeds=(seed,), settings={"samples": samples, "r2": fits, "width": reach}, again=again,
        labels=None if names is None else list(names),
    )  # fmt: skip
    found.checks["local fit"] = _fit_check(fits)
    return found


def local_line(
    features: Floats, scores: Floats, weights: Floats, alpha: float
) -> tuple[Floats, float, Floats, float]:
    """Weighted ridge regression: coefficients, intercept, standard errors of the coefficients, R².

    The least Σ w (y − b − z·c)² + alpha·‖c‖²; the errors are those of misspecified linear models
    (White, 1980), R² is weighted.
    """
    total = weights.sum()
    middle, mean = weights @ features / total, float(weights @ scores / total)
    z, y = features - middle, scores - mean
    inner = (z * weights[:, None]).T @ z + alpha * np.eye(z.shape[1])
    solve = np.linalg.pinv(inner)
    coefficients = solve @ (z.T @ (weights * y))
    rest = y - z @ coefficients
    each = (weights * rest)[:, None] * z
    spread = solve @ (each.T @ each) @ solve
    whole = float(weights @ y**2)
    fit = 1 - float(weights @ rest**2) / whole if whole > 0 else 1.0
    errors = np.sqrt(np.maximum(np.diagonal(spread), 0))
    return coefficients, mean - float(middle @ coefficients), errors, fit


def _fit_check(fits: Sequence[float]) -> Check:
    worst = min(fits)
    text = f"the linear model explains {worst:.0%} of what the score does nearby"
    return Check("local fit", worst >= _FIT, worst, _FIT, text)


def _check(samples: int, width: float, alpha: float) -> None:
    if samples < 10 or width <= 0 or alpha < 0:
        raise ArgumentError(
            f"samples={samples}, width={width}, alpha={alpha}",
            "Draw at least 10 samples, with a width above 0 and alpha from 0 up.",
        )
