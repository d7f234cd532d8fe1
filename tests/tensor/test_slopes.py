"""Values and gradients at zeros, kinks, ties and infinities, eager and compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F

INF, NAN = math.inf, math.nan
ZEROS = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 0.0, -3.0]])
CONSTANT = np.array([[0.1, 2.0], [0.1, 5.0], [0.1, -4.0]])
TIES = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [0.0, -1.0, -1.0]])


def _line(*values: float) -> np.ndarray:
    return np.array(values)


Case = tuple[Callable[..., Any], list[np.ndarray]]


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def _norms() -> dict[str, Case]:
    """Norms of zeros, of columns of zeros, and distances of equal rows, for every p."""
    cases: dict[str, Case] = {}
    for p in (0, 0.5, 1, 1.5, 2, 2.5, 3, 4, -1, -2, INF, -INF):
        cases[f"norm {p} of zeros"] = (lambda t, f, x, p=p: x.norm(p), [_line(0, 0, 0)])
        cases[f"norm {p} of columns"] = (
            lambda t, f, x, p=p: t.linalg.vector_norm(x, p, 0),
            [ZEROS],
        )
        cases[f"normalize {p}"] = (lambda t, f, x, p=p: f.normalize(x, p, 0), [ZEROS])
        if p > 0:
            cases[f"renorm {p}"] = (lambda t, f, x, p=p: x.renorm(p, 0, 0.5), [ZEROS])
        if p >= 0:
            moved = ZEROS + np.array([[0.0], [0.0], [1.0]])
            cases[f"cdist {p}"] = (lambda t, f, x, y, p=p: t.cdist(x, y, p), [ZEROS, moved])
            pairs = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]])
            cases[f"pdist {p}"] = (lambda t, f, x, p=p: f.pdist(x, p), [pairs])
            cases[f"pairwise_distance {p}"] = (
                lambda t, f, x, y, p=p: f.pairwise_distance(x, y, p, 0.0),
                [ZEROS, moved],
            )
    return cases


def _powers() -> dict[str, Case]:
    cases: dict[str, Case] = {
        f"power {e}": (lambda t, f, x, e=e: x**e, [_line(0, 0, 2, 0.5)])
        for e in (0, 0.0, 0.5, 1, 2, 3, 9, 1.5, 2.5, -1, -2, -0.5, -1.5)
    }
    cases["power of tensors"] = (
        lambda t, f, x, y: x**y,
        [_line(0, 0, 0, 0, 2, 0, 0), _line(0, 1, 2, 0.5, 0, -1, -0.5)],
    )
    cases["xlogy"] = (lambda t, f, x, y: t.xlogy(x, y), [_line(0, 0, 0, 2), _line(3, 0.5, 1, 2)])
    cases["xlogy where nothing counts"] = (
        lambda t, f, x, y: t.xlogy(x, y).detach() + y,
        [_line(0, 0, 0), _line(0, INF, -1)],
    )
    for name in ("smooth_l1_loss", "huber_loss"):
        cases[f"{name} of infinite differences"] = (
            lambda t, f, x, y, name=name: getattr(f, name)(x, y, reduction="none"),
            [_line(INF, -INF, 0.5, 3, 1), _line(0, 1, 0, 1, -INF)],
        )
    cases["hardswish of infinity"] = (lambda t, f, x: f.hardswish(x), [_line(INF, 3, -3, 1)])
    cases["power whose result has an infinite slope"] = (
        lambda t, f, x, y: t.where(x**y > 0, (x**y).sqrt(), 0.0),
        [_line(0, 4), _line(0.5, 2)],
    )
    cases["covariance of one variable"] = (lambda t, f, x: t.cov(x), [_line(1, 2, 4)[None]])
    cases["sqrt"] = (lambda t, f, x: x.sqrt(), [_line(0, 1, 4)])
    cases["rsqrt"] = (lambda t, f, x: x.rsqrt(), [_line(0, 1, 4)])
    cases["atan2"] = (lambda t, f, x, y: t.atan2(x, y), [_line(0, 0, 1), _line(0, 1, 0)])
    cases["logit"] = (lambda t, f, x: x.logit(), [_line(0, 1, 0.5)])
    cases["acos"] = (lambda t, f, x: x.acos(), [_line(1, -1, 0)])
    cases["asin"] = (lambda t, f, x: x.asin(), [_line(1, -1, 0)])
    cases["prod"] = (lambda t, f, x: x.prod(0), [ZEROS])
    cases["cumprod"] = (lambda t, f, x: x.cumprod(0), [_line(1, 0, 2, 0, 3)])
    return cases


def _spreads() -> dict[str, Case]:
    return {
        f"{name}, correction {c}": (
            lambda t, f, x, n=name, c=c: _first(getattr(t, n)(x, dim=0, correction=c)),
            [CONSTANT],
        )
        for name in ("std", "var", "std_mean", "var_mean")
        for c in (0, 1)
    }


def _choices() -> dict[str, Case]:
    cases: dict[str, Case] = {
        f"{name} of ties": (lambda t, f, x, n=name: _first(getattr(x, n)(1)), [TIES])
        for name in ("max", "min", "amax", "amin", "cummax", "mode")
    }
    for name in ("max", "min", "amax", "amin", "median", "nanmedian"):
        cases[f"{name} of all"] = (lambda t, f, x, n=name: getattr(x, n)(), [TIES])
    pair = [_line(1, 2, 3, NAN, 1), _line(1, 3, 2, 1, NAN)]
    for name in ("fmax", "fmin"):
        cases[name] = (lambda t, f, x, y, n=name: getattr(t, n)(x, y), pair)
    for name in ("maximum", "minimum"):
        cases[name] = (
            lambda t, f, x, y, n=name: getattr(t, n)(x, y),
            [a[:3] for a in pair],
        )
    rows = np.array([[0.0, -INF], [1.0, 2.0]])
    for name in ("logsumexp", "softmax", "log_softmax", "logcumsumexp"):
        cases[name] = (lambda t, f, x, n=name: getattr(x, n)(1), [rows])
    cases["logcumsumexp over a wide range"] = (
        lambda t, f, x: x.logcumsumexp(0),
        [_line(-1000, 0, 1000, -5)],
    )
    cases["multi_margin_loss"] = (
        lambda t, f, x: f.multi_margin_loss(x, t.tensor([0, 1])),
        [np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])],
    )
    cases["binary_cross_entropy"] = (
        lambda t, f, x: f.binary_cross_entropy(x, t.tensor([0, 1, 0.5, 1, 0], dtype=t.float64)),
        [_line(0, 1, 0.5, 0.2, 0.7)],
    )
    return cases


CASES = {**_norms(), **_powers(), **_spreads(), **_choices()}


def _ours(function: Callable[..., Any], arrays: list[np.ndarray], compiled: bool) -> list[Any]:
    def run(*inputs: Any) -> tuple[Any, ...]:
        value = function(pellucid, F, *inputs)
        return value, *pellucid.autograd.grad(value.sum(), list(inputs), allow_unused=True)

    inputs = [pellucid.tensor(a, dtype=pellucid.float64, requires_grad=True) for a in arrays]
    found = (pellucid.compile(run) if compiled else run)(*inputs)
    return [None if t is None else t.detach().numpy() for t in found]


@pytest.mark.parity
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", CASES)
def test_slopes_are_those_of_pytorch(name: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    function, arrays = CASES[name]
    inputs = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    value = function(torch, torch.nn.functional, *inputs)
    slopes = [None] * len(inputs)
    if value.requires_grad:
        slopes = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    expected = [value, *slopes]
    for i, (a, b) in enumerate(zip(_ours(function, arrays, compiled), expected, strict=True)):
        want = np.zeros_like(arrays[i - 1]) if b is None else b.detach().numpy()
        got = np.zeros_like(want) if a is None else a
        what = f"gradient {i - 1}" if i else "value"
        np.testing.assert_allclose(got, want, 1e-9, 1e-12, err_msg=f"{name}: {what}")


# ---- without PyTorch ------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("entry", [0.1, -7.3, 1e6, 1e-30])
def test_a_constant_column_has_no_slope(entry: float, compiled: bool) -> None:
    column = np.full((10, 1), entry)
    for name in ("std", "var"):
        value, slope = _ours(lambda t, f, x, n=name: getattr(x, n)(0), [column], compiled)
        assert value == 0 and not slope.any()


@pytest.mark.parametrize("p", [0.5, 1.5, 3.0, -1.0])
def test_a_norm_away_from_zero_has_the_slope_of_its_formula(p: float) -> None:
    x = np.array([0.5, -2.0, 3.0])
    value, slope = _ours(lambda t, f, x: x.norm(p), [x], False)
    total = (np.abs(x) ** p).sum()
    np.testing.assert_allclose(value, total ** (1 / p), 1e-12)
    expected = np.sign(x) * np.abs(x) ** (p - 1) * total ** (1 / p - 1)
    np.testing.assert_allclose(slope, expected, 1e-12)


def test_second_derivatives_where_first_ones_are_guarded() -> None:
    """Of var Hessian (2/(n − 1)) (1 − 1/n), of (1/x)² 6/x⁴, of logaddexp at a tie −1/4."""
    x = pellucid.tensor([1.0, 1.0, 4.0], dtype=pellucid.float64, requires_grad=True)
    (slope,) = pellucid.autograd.grad(x.var(), [x], create_graph=True)
    rows = [pellucid.autograd.grad(slope[i], [x], retain_graph=True)[0].numpy() for i in range(3)]
    np.testing.assert_allclose(rows, np.eye(3) - 1 / 3, atol=1e-12)
    y = pellucid.tensor([2.0], dtype=pellucid.float64, requires_grad=True)
    (slope,) = pellucid.autograd.grad((y**-2).sum(), [y], create_graph=True)
    assert pellucid.autograd.grad(slope.sum(), [y])[0].item() == pytest.approx(6 / 16)
    a, b = (pellucid.tensor([1.0], requires_grad=True) for _ in range(2))
    (slope,) = pellucid.autograd.grad(a.logaddexp(b).sum(), [a], create_graph=True)
    found = pellucid.autograd.grad(slope.sum(), [a, b])
    assert [g.item() for g in found] == pytest.approx([0.25, -0.25])


def test_a_power_of_zero_is_one_everywhere() -> None:
    x = pellucid.tensor([0.0, INF, NAN, -1.0], requires_grad=True)
    y = x**0
    assert y.tolist() == [1.0] * 4
    (slope,) = pellucid.autograd.grad(y.sum(), [x])
    assert slope.tolist() == [0.0] * 4


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lerp_reaches_both_ends_exactly(weight: float) -> None:
    """A step from a large number to a small one would lose the small one in rounding."""
    start, end = pellucid.tensor([1e17, 3.0, INF]), pellucid.tensor([1.5, -1.0, 2.0])
    start, end = start.double(), end.double()
    for share in (weight, pellucid.tensor(weight, dtype=pellucid.float64)):
        found = start.lerp(end, share).tolist()
        assert found[1] == 3.0 - 4.0 * weight
        assert found[0] == 1.5 if weight == 1 else found[0] == pytest.approx(1e17 * (1 - weight))
        assert found[2] == INF if 0.5 <= weight < 1 else math.isnan(found[2])  # as PyTorch


def test_windows_of_nothing_are_written_by_definition_too() -> None:
    def double(x: Any) -> Any:
        y = x * 1
        y.unfold(0, 1, 1).mul_(2)
        return y

    for backend in ("cpu", "reference"):
        found = pellucid.compile(double, backend=backend)(pellucid.zeros(3, 0))
        assert found.shape == (3, 0)
