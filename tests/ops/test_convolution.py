"""The convolution primitive: its sum written out, its errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.ops.convolution import CONVOLUTION, convolution, framed


def by_the_formula(x, w, stride, low, out, dilation, groups) -> np.ndarray:
    """y[n, o, p] = Σ x[n, c, s·p + d·k − low] · w[o, c, k], one product at a time."""
    y = np.zeros((x.shape[0], w.shape[0], *out))
    per_group = w.shape[0] // groups
    for n, o, *p in np.ndindex(*y.shape):
        for c, *k in np.ndindex(*w.shape[1:]):
            place = [
                s * i + d * j - a for s, i, d, j, a in zip(stride, p, dilation, k, low, strict=True)
            ]
            if all(0 <= i < m for i, m in zip(place, x.shape[2:], strict=True)):
                channel = o // per_group * w.shape[1] + c
                y[(n, o, *p)] += x[(n, channel, *place)] * w[(o, c, *k)]
    return y


@pytest.mark.parametrize(
    ("stride", "low", "high", "dilation", "groups"),
    [
        ((1, 1), (0, 0), (0, 0), (1, 1), 1),
        ((2, 3), (1, 0), (0, 2), (1, 2), 2),
        ((1, 1), (-1, 2), (3, -2), (2, 1), 1),
        ((4, 4), (7, 0), (0, 7), (1, 1), 2),
    ],
)
def test_values(stride, low, high, dilation, groups, rng) -> None:
    x, w = rng.normal(size=(2, 4, 5, 6)), rng.normal(size=(4, 4 // groups, 2, 2))
    settings = {"stride": stride, "low": low, "high": high, "dilation": dilation, "groups": groups}
    y = convolution(pellucid.tensor(x), pellucid.tensor(w), **settings).numpy()
    expected = by_the_formula(x, w, stride, low, y.shape[2:], dilation, groups)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("low", [-7, -2, 0, 3])
def test_framing_is_a_view_of_an_endless_line(low: int) -> None:
    x = np.arange(1.0, 6.0).reshape(1, 1, 5)
    for extent in range(1, 12):
        found = framed(x, [low], [extent - 5 - low])[0, 0]
        endless = [x[0, 0, i - low] if 0 <= i - low < 5 else 0.0 for i in range(extent)]
        np.testing.assert_array_equal(found, endless)


PLAIN = {"stride": (1,), "low": (0,), "high": (0,), "dilation": (1,), "groups": 1}


@pytest.mark.parametrize(
    ("x", "w", "change", "error", "text"),
    [
        ((2, 3), (4, 3, 2), {}, ShapeError, "spatial"),
        ((2, 3, 5), (4, 2, 2), {}, ShapeError, r"make axis 1 of the input 2 long"),
        ((2, 3, 5), (4, 3, 6), {}, ShapeError, "reaches over"),
        ((2, 3, 0), (4, 3, 2), {}, ShapeError, "reaches over"),
        ((2, 3, 5), (4, 3, 0), {}, ShapeError, "kernel is empty"),
        ((2, 4, 5), (3, 2, 2), {"groups": 2}, ArgumentError, "multiple of groups"),
        ((2, 3, 5), (4, 3, 2), {"stride": (0,)}, ArgumentError, "stride"),
        ((2, 3, 5), (4, 3, 2), {"dilation": (1, 1)}, ArgumentError, "dilation"),
    ],
)
def test_errors_say_what_to_do(x, w, change, error, text) -> None:
    with pytest.raises(error, match=text):
        convolution(pellucid.zeros(*x), pellucid.zeros(*w), **{**PLAIN, **change})


def test_whole_numbers_are_refused() -> None:
    ones = pellucid.ones(1, 1, 3, dtype=pellucid.int64)
    with pytest.raises(DTypeError, match="floating-point"):
        convolution(ones, ones, **PLAIN)


def test_samples_cover_the_options() -> None:
    params = [s.params for s in CONVOLUTION.samples()]
    for name in ("stride", "dilation", "groups"):
        values = list(itertools.chain(*(np.atleast_1d(p[name]) for p in params)))
        assert max(values) > 1
