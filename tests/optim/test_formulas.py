"""Each optimizer against its formula, written with NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from helpers import assert_same
from pellucid import optim

Formula = Callable[[np.ndarray, Iterator[np.ndarray]], Iterator[np.ndarray]]


def sgd(theta, gradients, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    velocity = None
    for g in gradients:
        g = g + weight_decay * theta
        velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
        theta = theta - lr * (g + momentum * velocity if nesterov else velocity)
        yield theta


def adagrad(theta, gradients, lr=1e-2, lr_decay=0.0, eps=1e-10, initial_accumulator_value=0.0):
    total = np.full_like(theta, initial_accumulator_value)
    for t, g in enumerate(gradients, 1):
        total = total + g**2
        theta = theta - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps)
        yield theta


def rmsprop(theta, gradients, lr=1e-2, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    square, mean, velocity = (np.zeros_like(theta) for _ in range(3))
    for g in gradients:
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        spread = square - mean**2 if centered else square
        velocity = momentum * velocity + g / (np.sqrt(spread) + eps)
        theta = theta - lr * velocity
        yield theta


def adadelta(theta, gradients, lr=1.0, rho=0.9, eps=1e-6):
    square, moved = np.zeros_like(theta), np.zeros_like(theta)
    for g in gradients:
        square = rho * square + (1 - rho) * g**2
        delta = np.sqrt(moved + eps) / np.sqrt(square + eps) * g
        moved = rho * moved + (1 - rho) * delta**2
        theta = theta - lr * delta
        yield theta


def adam(theta, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, amsgrad=False, weight_decay=0.0):
    m, v, largest = (np.zeros_like(theta) for _ in range(3))
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * theta
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = np.maximum(largest, v)
        second = (largest if amsgrad else v) / (1 - betas[1] ** t)
        theta = theta - lr * m / (1 - betas[0] ** t) / (np.sqrt(second) + eps)
        yield theta


def adamw(theta, gradients, lr=1e-3, weight_decay=1e-2):
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        theta = theta - lr * weight_decay * theta - lr * step
        yield theta


def adamax(theta, gradients, lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
    m, u = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, np.abs(g) + eps)
        theta = theta - lr / (1 - betas[0] ** t) * m / u
        yield theta


def nadam(theta, gradients, lr=2e-3, momentum_decay=4e-3):
    m, v, product = np.zeros_like(theta), np.zeros_like(theta), 1.0
    for t, g in enumerate(gradients, 1):
        mu = 0.9 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        later = 0.9 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = later * m / (1 - product * later) + (1 - mu) * g / (1 - product)
        theta = theta - lr * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield theta


def radam(theta, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    final = 2 / (1 - betas[1]) - 1
    for t, g in enumerate(gradients, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        bias = 1 - betas[1] ** t
        rho = final - 2 * t * betas[1] ** t / bias
        step = m / (1 - betas[0] ** t)
        if rho > 5:
            step = step * np.sqrt(bias) / (np.sqrt(v) + eps)
            step = step * np.sqrt((rho - 4) * (rho - 2) * final / ((final - 4) * (final - 2) * rho))
        theta = theta - lr * step
        yield theta


def lion(theta, gradients, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
    m = np.zeros_like(theta)
    for g in gradients:
        update = np.sign(betas[0] * m + (1 - betas[0]) * g)
        theta = theta - lr * (update + weight_decay * theta)
        m = betas[1] * m + (1 - betas[1]) * g
        yield theta


def muon(theta, gradients, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True):
    b = np.zeros_like(theta)
    for g in gradients:
        b = momentum * b + (1 - momentum) * g
        x = (1 - momentum) * g + momentum * b if nesterov else b
        x = x / np.sqrt((x**2).sum())
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
        theta = theta - lr * weight_decay * theta
        theta = theta - lr * max(1, theta.shape[0] / theta.shape[1]) ** 0.5 * x
        yield theta


CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("SGD", sgd, {}),
    ("SGD", sgd, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    ("SGD", sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", adagrad, {}),
    ("Adagrad", adagrad, {"lr": 0.3, "lr_decay": 0.2, "initial_accumulator_value": 0.5}),
    ("RMSprop", rmsprop, {}),
    ("RMSprop", rmsprop, {"momentum": 0.8, "centered": True, "alpha": 0.9}),
    ("Adadelta", adadelta, {}),
    ("Adadelta", adadelta, {"lr": 0.3, "rho": 0.7, "eps": 1e-4}),
    ("Adam", adam, {}),
    ("Adam", adam, {"lr": 0.1, "betas": (0.6, 0.8), "eps": 1e-2, "weight_decay": 0.2}),
    ("Adam", adam, {"lr": 0.1, "betas": (0.6, 0.8), "amsgrad": True}),
    ("AdamW", adamw, {}),
    ("AdamW", adamw, {"lr": 0.1, "weight_decay": 0.5}),
    ("Adamax", adamax, {"lr": 0.1}),
    ("NAdam", nadam, {"lr": 0.1, "momentum_decay": 0.02}),
    ("RAdam", radam, {}),
    ("RAdam", radam, {"lr": 0.1, "betas": (0.9, 0.9)}),
    ("Lion", lion, {}),
    ("Lion", lion, {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.3}),
    ("Muon", muon, {"lr": 0.1}),
    ("Muon", muon, {"lr": 0.1, "nesterov": False, "weight_decay": 0.0}),
]


def run(name: str, options: dict[str, Any], start: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """The parameter after each of the given gradients."""
    parameter = pellucid.tensor(start, requires_grad=True)
    optimizer = getattr(optim, name)([parameter], **options)
    path = []
    for gradient in gradients:
        parameter.grad = pellucid.tensor(gradient)
        optimizer.step()
        path.append(parameter.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize(
    ("name", "formula", "options"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES]
)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_optimizer_equals_its_formula(
    name: str, formula: Formula, options: dict[str, Any], shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(17)
    start, gradients = rng.normal(size=shape), rng.normal(size=(30, *shape))
    expected = np.array(list(formula(start, iter(gradients), **options)))
    # NAdam's product of momenta is kept in float32.
    tolerance = 1e-6 if name == "NAdam" else 1e-10
    found = run(name, options, start, gradients)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


ALL = "SGD Adagrad RMSprop Adadelta Adam AdamW Adamax NAdam RAdam Lion Muon".split()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (0, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_awkward_shapes_follow_the_formula_in_their_dtype(
    name: str, shape: Any, dtype: Any
) -> None:
    rng = np.random.default_rng(2)
    gradients = rng.normal(size=(3, *shape)).astype(dtype)
    path = run(name, {}, np.ones(shape, dtype), gradients)
    formula = next(formula for known, formula, _ in CASES if known == name)
    with np.errstate(invalid="ignore"):  # Muon's norm of nothing
        expected = np.array(list(formula(np.ones(shape), iter(gradients.astype(np.float64)))))
    tolerance = 1e-5 if dtype is np.float32 or name == "NAdam" else 1e-10
    assert_same(path, expected.astype(dtype), tolerance, tolerance)


@pytest.mark.parametrize("name", [n for n in ALL if n != "Muon"])
def test_zero_dimensional_parameters(name: str) -> None:
    gradients = np.array([0.5, -0.25, 1.0])
    scalar = run(name, {"lr": 0.1}, np.array(2.0), gradients)
    vector = run(name, {"lr": 0.1}, np.array([2.0]), gradients[:, None])
    np.testing.assert_array_equal(scalar, vector[:, 0])


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([n for n in ALL if n not in ("Muon", "SGD", "Adadelta")]),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32 - 1),
)
def test_adaptive_steps_do_not_depend_on_the_scale_of_the_loss(
    name: str, scale: float, seed: int
) -> None:
    if name == "RAdam":
        return  # its first steps are those of momentum
    rng = np.random.default_rng(seed)
    gradients = rng.choice([-1.0, 1.0], size=(6, 4)) * rng.uniform(0.5, 2, size=(6, 4))
    options = {} if name == "Lion" else {"eps": 0.0}
    one = run(name, options, np.zeros(4), gradients)
    other = run(name, options, np.zeros(4), gradients * scale)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(ALL), st.integers(0, 2**32 - 1))
def test_maximize_is_descent_of_the_negative(name: str, seed: int) -> None:
    if name == "Muon":
        return  # as in PyTorch it has no maximize
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3))
    up = run(name, {"maximize": True}, start, gradients)
    down = run(name, {}, start, -gradients)
    np.testing.assert_array_equal(up, down)


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_muon_update_is_nearly_orthogonal(adjust: str) -> None:
    rng = np.random.default_rng(5)
    gradient = rng.normal(size=(6, 20)) * 0.01
    options = {"lr": 1.0, "weight_decay": 0.0, "adjust_lr_fn": adjust}
    moved = -run("Muon", options, np.zeros((6, 20)), gradient[None])[0]
    factor = 1.0 if adjust == "original" else 0.2 * np.sqrt(20)
    singular = np.linalg.svd(moved / factor, compute_uv=False)
    assert singular.min() > 0.6 and singular.max() < 1.3
    # The directions of the gradient stay: U·Vᵀ of the gradient is its best orthogonal partner.
    u, _, vt = np.linalg.svd(gradient, full_matrices=False)
    assert (u @ vt * moved).sum() / np.linalg.norm(moved) / np.sqrt(6) > 0.97


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.Adam(p, lr=1e-3, betas=(0.9, 0.8)),
        lambda p: optim.AdamW(p, lr=1e-3, betas=(0.9, 0.8)),
        lambda p: optim.SGD(p, lr=1e-3, momentum=0.9),
        lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9, alpha=0.8),
    ],
)
def test_means_of_gradients_that_have_ended_reach_zero(make: Any, compiled: bool) -> None:
    """They stop at 1e-30, before the subnormal numbers, on which processors are slow."""
    theta = pellucid.tensor([1.0, 2.0, float("nan")], requires_grad=True)
    optimizer = make([theta])

    def step(weight: Any) -> None:
        optimizer.zero_grad()
        (theta * weight).sum().backward()
        optimizer.step()

    run = pellucid.compile(step) if compiled else step
    name = "exp_avg" if "Adam" in type(optimizer).__name__ else "momentum_buffer"
    smallest = float(np.finfo(np.float32).tiny)
    run(pellucid.tensor([1.0, 1.0, 1.0]))
    seen = []
    for _ in range(900):
        run(pellucid.tensor([0.0, 1.0, float("nan")]))
        seen.append(optimizer.state[theta][name].numpy().copy())
    ended, alive, broken = np.abs(np.array(seen)).T
    assert ended[0] > 0.01
    assert np.all((ended == 0) | (ended >= 1e-30))
    assert np.all(np.diff(ended) <= 0)
    assert ended[-1] == 0
    assert np.all(alive > smallest)
    assert np.all(np.isnan(broken))
    squares = [v for k, v in optimizer.state[theta].items() if k in ("exp_avg_sq", "square_avg")]
    for square in squares:
        assert square.numpy()[0] == 0
        assert square.numpy()[1] > smallest
        assert np.isnan(square.numpy()[2])
    assert bool(np.isfinite(theta.detach().numpy()[:2]).all())
