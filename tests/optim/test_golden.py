"""Golden numbers of classic little problems, reached to all digits in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import optim


def line_data() -> tuple[np.ndarray, np.ndarray]:
    """100 points of y = 5 + 2x + noise from NumPy's seed 0."""
    state = np.random.RandomState(0)
    x = state.rand(100, 1)
    return x, 5 + 2 * x + state.rand(100, 1)


def fit_line(make: Callable[[list[Any]], Any], iterations: int) -> tuple[list[float], float, float]:
    """Losses, slope and intercept of a line fitted from zero by least squares."""
    x, y = (pellucid.tensor(a) for a in line_data())
    slope = pellucid.zeros(1, 1, dtype=pellucid.float64, requires_grad=True)
    intercept = pellucid.zeros(1, dtype=pellucid.float64, requires_grad=True)
    optimizer = make([slope, intercept])
    losses = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((x @ slope + intercept - y) ** 2).sum() / len(x)
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(iterations):
        optimizer.step(closure)
    return losses, slope.item(), intercept.item()


def test_line_fit_by_gradient_descent_to_all_digits() -> None:
    losses, slope, intercept = fit_line(lambda p: optim.SGD(p, lr=0.1), 100)
    assert losses[0] == pytest.approx(42.296340129442335, rel=1e-15)
    assert losses[90] == pytest.approx(0.07987086218625004, rel=1e-14)
    assert slope == pytest.approx(2.11807369, abs=5e-9)
    assert intercept == pytest.approx(5.46608905, abs=5e-9)


def test_A15_gradient_descent_finds_the_least_squares_line() -> None:
    x, y = line_data()
    exact, *_ = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), y, rcond=None)
    assert exact.ravel() == pytest.approx([1.93655, 5.55808], abs=5e-6)
    _, slope, intercept = fit_line(lambda p: optim.SGD(p, lr=0.5), 400)
    assert [slope, intercept] == pytest.approx(exact.ravel().tolist(), rel=1e-9)
    _, slope, intercept = fit_line(
        lambda p: optim.LBFGS(p, line_search_fn="strong_wolfe", tolerance_change=0), 3
    )
    assert [slope, intercept] == pytest.approx(exact.ravel().tolist(), rel=1e-7)


def test_A14_training_lowers_the_loss() -> None:
    losses, _, _ = fit_line(lambda p: optim.AdamW(p, lr=0.1), 60)
    assert losses[-1] < losses[30] < losses[0]


def rosenbrock(x0: Any, x1: Any) -> Any:
    return 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2


@pytest.mark.parametrize(
    ("iterations", "expected", "digits"),
    [
        (1000, (0.683712, 0.465953), 1e-6),
        (10_000, (0.9944984367782456, 0.9890050527419593), 1e-13),
    ],
)
def test_rosenbrock_by_gradient_descent(
    iterations: int, expected: tuple[float, float], digits: float
) -> None:
    x0, x1 = (pellucid.tensor(np.array(v), requires_grad=True) for v in (0.0, 2.0))
    optimizer = optim.SGD([x0, x1], lr=0.001)
    for _ in range(iterations):
        optimizer.zero_grad()
        rosenbrock(x0, x1).backward()
        optimizer.step()
    assert (x0.item(), x1.item()) == pytest.approx(expected, abs=digits)


def test_rosenbrock_by_lbfgs() -> None:
    x = pellucid.tensor(np.array([0.0, 2.0]), requires_grad=True)
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=60, tolerance_change=1e-14)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = rosenbrock(x[0], x[1])
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert first.item() == pytest.approx(401.0)
    np.testing.assert_allclose(x.detach().numpy(), [1, 1], atol=1e-6)


def test_newton_through_second_derivatives() -> None:
    x = pellucid.tensor(np.array(2.0), requires_grad=True)
    path = [x.item()]
    for _ in range(6):
        y = x**4 - 2 * x**2
        (slope,) = pellucid.grad(y, x, create_graph=True)
        (curvature,) = pellucid.grad(slope, x)
        with pellucid.no_grad():
            x.copy_(x - slope / curvature)
        path.append(x.item())
    assert path[:5] == pytest.approx([2, 1.4545, 1.1510, 1.0253, 1.0009], abs=5e-5)
    assert path[5] == pytest.approx(1.0000012, abs=5e-8)
    assert path[6] == pytest.approx(1.0, abs=1e-11)


def descend(make: Callable[[list[Any]], Any], steps: int = 30) -> np.ndarray:
    """The path on x²/20 + y² from (−7, 2), shape (steps + 1, 2)."""
    x, y = (pellucid.tensor(np.array(v), requires_grad=True) for v in (-7.0, 2.0))
    optimizer = make([x, y])
    path = [(x.item(), y.item())]
    for _ in range(steps):
        optimizer.zero_grad()
        (x**2 / 20 + y**2).backward()
        optimizer.step()
        path.append((x.item(), y.item()))
    return np.array(path)


def sign_changes(values: np.ndarray) -> int:
    return int((np.sign(values[1:]) != np.sign(values[:-1])).sum())


def test_D45_momentum_swings_less_than_plain_descent() -> None:
    plain = descend(lambda p: optim.SGD(p, lr=0.95))
    momentum = descend(lambda p: optim.SGD(p, lr=0.1, momentum=0.9))
    np.testing.assert_allclose(plain[:, 1], 2 * (-0.9) ** np.arange(31), rtol=1e-12)
    np.testing.assert_allclose(plain[:, 0], -7 * 0.905 ** np.arange(31), rtol=1e-12)
    assert sign_changes(plain[:, 1]) == 30
    assert sign_changes(momentum[:, 1]) < 15


def test_paths_in_the_elongated_bowl() -> None:
    position, velocity, expected = np.array([-7.0, 2.0]), np.zeros(2), []
    for _ in range(30):
        velocity = 0.9 * velocity - 0.1 * position * [0.1, 2.0]
        position = position + velocity
        expected.append(position)
    momentum = descend(lambda p: optim.SGD(p, lr=0.1, momentum=0.9))
    np.testing.assert_allclose(momentum[1:], expected, rtol=1e-11)
    adagrad = descend(lambda p: optim.Adagrad(p, lr=1.5))
    adam = descend(lambda p: optim.Adam(p, lr=0.3))
    for path in (momentum, adagrad, adam):
        height = path[:, 0] ** 2 / 20 + path[:, 1] ** 2
        assert height[-1] < 0.1 * height[0]
    # Adaptive rates walk nearly straight to the minimum: y never leaves [−2, 2] nor swings.
    assert sign_changes(adagrad[:, 1]) <= 1


def test_A20_gradient_descent_reaches_the_minimum() -> None:
    x = pellucid.tensor(np.array([-3.0, 4.0]), requires_grad=True)
    optimizer = optim.SGD([x], lr=0.1)
    for step in range(1, 101):
        optimizer.zero_grad()
        (x**2).sum().backward()
        optimizer.step()
        np.testing.assert_allclose(x.detach().numpy(), np.array([-3, 4]) * 0.8**step, rtol=1e-12)
    np.testing.assert_allclose(x.detach().numpy(), [0, 0], atol=1e-8)
