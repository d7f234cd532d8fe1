"""Whether a straight line is enough: a linear model beside one that can bend."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.neighbours import columns_of

Array = npt.NDArray[Any]

ROWS = 450
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
WIDTHS = (0.5, 1.0, 2.0)
"""Of the kernel, times the typical distance of two rows."""


def bend(features: Array, labels: Array, *, classes: bool) -> tuple[float, float, float] | None:
    """Errors on held rows of ridge regression, and of ridge regression with a Gaussian kernel; and
    the standard error of their difference.

    Errors are shares of the variance of the (one-hot) targets: 1 for their mean, 0 at best.
    """
    chosen = np.unique(np.linspace(0, len(features) - 1, min(len(features), ROWS)).astype(int))
    x = columns_of(features[chosen])
    if x is None or len(x) < 80:
        return None
    y = labels[chosen]
    wanted = (y[:, None] == np.unique(y)).astype(float) if classes else y[:, None].astype(float)
    wanted = wanted - wanted.mean(axis=0)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    fit, held = order[: 2 * len(x) // 3], order[2 * len(x) // 3 :]
    total = float((wanted[held] ** 2).sum(axis=1).mean())
    if total <= 0:
        return None
    products = x @ x.T
    squares = np.diag(products)
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    typical = float(np.median(distance))
    straight = [products / x.shape[1] + 1]
    bent = [np.exp(-distance / (2 * typical * w * w)) + 0.1 for w in WIDTHS]
    bent += [(products / x.shape[1] + 1) ** 2]
    errors = [_error(kernels, wanted, fit, held) / total for kernels in (straight, bent)]
    difference = errors[0] - errors[1]
    noise = float(difference.std() / np.sqrt(len(held)))
    return float(errors[0].mean()), float(errors[1].mean()), noise


def _error(kernels: list[Array], wanted: Array, fit: Array, held: Array) -> Array:
    """Squared errors of held rows, kernel and penalty chosen on a part of the others."""
    part = len(fit) * 3 // 4
    learn, check = fit[:part], fit[part:]
    choices = [
        (float(((_answers(k, wanted, learn, check, p) - wanted[check]) ** 2).mean()), i, p)
        for i, k in enumerate(kernels)
        for p in PENALTIES
    ]
    _, best, penalty = min(choices)
    found: Array = ((_answers(kernels[best], wanted, fit, held, penalty) - wanted[held]) ** 2).sum(
        1
    )
    return found


def _answers(kernel: Array, wanted: Array, fit: Array, held: Array, penalty: float) -> Array:
    inner = kernel[np.ix_(fit, fit)] + penalty * np.eye(len(fit))
    return np.asarray(kernel[np.ix_(held, fit)] @ np.linalg.solve(inner, wanted[fit]))
