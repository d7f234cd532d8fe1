"""Accumulated gradients, frozen parts and groups with their own learning rates, in plain loops and
in compiled steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim

RNG = np.random.default_rng(8)
X = RNG.standard_normal((24, 6)).astype(np.float32)
Y = RNG.standard_normal((24, 3)).astype(np.float32)


def network() -> Any:
    pellucid.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3))


def loss_of(model: Any, x: Any, y: Any) -> Any:
    return (model(x) - y).square().mean()


def tensors(*parts: np.ndarray) -> list[Any]:
    return [pellucid.from_numpy(np.ascontiguousarray(p)) for p in parts]


def weights(model: Any) -> dict[str, np.ndarray]:
    return {k: p.detach().numpy().copy() for k, p in model.named_parameters()}


def assert_alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for key, value in one.items():
        np.testing.assert_allclose(value, other[key], rtol=2e-5, atol=1e-6, err_msg=key)


def products(step: Any) -> int:
    """Matrix products in the compiled program."""
    return sum(node.op.name == "matmul" for node in step.executable.graph.nodes())


# ---- accumulation ------------------------------------------------------------------------------


def large_batch(optimizer: Any, steps: int = 3) -> dict[str, np.ndarray]:
    model = network()
    descent = optimizer(model.parameters())
    for _ in range(steps):
        descent.zero_grad()
        loss_of(model, *tensors(X, Y)).backward()
        descent.step()
    return weights(model)


OPTIMIZERS = [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.AdamW(p, lr=0.01),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("native", [False, True])
def test_a_loop_over_parts_inside_of_the_step(optimizer: Any, native: bool) -> None:
    model = network()
    descent = optimizer(model.parameters())

    def step(x: Any, y: Any) -> None:
        descent.zero_grad()
        for xs, ys in zip(x.chunk(3), y.chunk(3), strict=True):
            (loss_of(model, xs, ys) / 3).backward()
        descent.step()

    call = pellucid.compile(step) if native else step
    for _ in range(3):
        call(*tensors(X, Y))
    assert_alike(weights(model), large_batch(optimizer))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_programs_that_collect_and_one_that_updates(optimizer: Any) -> None:
    model = network()
    descent = optimizer(model.parameters())

    @pellucid.compile(keep_gradients=True)
    def collect(x: Any, y: Any) -> Any:
        loss = loss_of(model, x, y) / 3
        loss.backward()
        return loss.detach()

    @pellucid.compile
    def update() -> None:
        descent.step()
        descent.zero_grad()

    for _ in range(3):
        for xs, ys in zip(np.split(X, 3), np.split(Y, 3), strict=True):
            collect(*tensors(xs, ys))
        update()
    assert_alike(weights(model), large_batch(optimizer))
    assert all(p.grad is None for p in model.parameters())


# ---- freezing ----------------------------------------------------------------------------------


def trained(native: bool, frozen: list[int], given: str = "all") -> tuple[Any, Any]:
    model = network()
    for index in frozen:
        model[index].requires_grad_(False)
    chosen = [p for p in model.parameters() if given == "all" or p.requires_grad]
    descent = optim.AdamW(chosen, lr=0.05)

    def step(x: Any, y: Any) -> Any:
        descent.zero_grad()
        loss = loss_of(model, x, y)
        loss.backward()
        descent.step()
        return loss

    call = pellucid.compile(step) if native else step
    for _ in range(3):
        call(*tensors(X, Y))
    return model, call


@pytest.mark.parametrize("frozen", [[0], [0, 2], [2], [4]])
@pytest.mark.parametrize("given", ["all", "trainable"])
def test_frozen_parts_stay_and_the_others_learn(frozen: list[int], given: str) -> None:
    start = weights(network())
    eager, native = trained(False, frozen, given)[0], trained(True, frozen, given)[0]
    assert_alike(weights(eager), weights(native))
    for key, value in weights(native).items():
        same = (value == start[key]).all()
        assert same == (int(key.split(".")[0]) in frozen), key
    for index in frozen:
        assert eager[index].weight.grad is None


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ([], 3 + 3 + 2),  # forward; gradients of three weights; of two inputs
        ([0], 3 + 2 + 1),
        ([0, 2], 3 + 1),  # the gradient of the last weight is all that is left
        ([2], 3 + 2 + 2),  # it must pass through the frozen layer to the first
        ([4], 3 + 2 + 2),
    ],
)
def test_nothing_is_computed_for_frozen_parts(frozen: list[int], expected: int) -> None:
    _, step = trained(True, frozen)
    assert products(step) == expected


def test_a_frozen_trunk_keeps_no_values_for_backward() -> None:
    full, part = (trained(True, f)[1].executable.plan.arena_bytes for f in ([], [0, 2]))
    assert part < full


def test_thawing_makes_another_program() -> None:
    model, step = trained(True, [0, 2])
    before = weights(model)
    model[2].requires_grad_(True)
    step(*tensors(X, Y))
    after = weights(model)
    # The optimizer was given all parameters, so the thawed layer learns from now on.
    assert (before["2.weight"] != after["2.weight"]).any()
    assert (before["0.weight"] == after["0.weight"]).all()
    assert products(step) == 3 + 2 + 1


# ---- groups --------------------------------------------------------------------------------------


def grouped(library: Any, model: Any) -> Any:
    return library.optim.SGD(
        [
            {"params": model[0].parameters(), "lr": 0.01},
            {"params": model[2].parameters(), "lr": 0.1, "weight_decay": 0.1},
            {"params": model[4].parameters(), "momentum": 0.9},
        ],
        lr=0.05,
    )


@pytest.mark.parametrize("native", [False, True])
def test_each_group_has_its_own_learning_rate(native: bool) -> None:
    model, start = network(), weights(network())
    loss_of(model, *tensors(X, Y)).backward()
    gradients = {k: p.grad.numpy().copy() for k, p in model.named_parameters()}
    descent = grouped(pellucid, model)

    def step(x: Any, y: Any) -> None:
        descent.zero_grad()
        loss_of(model, x, y).backward()
        descent.step()

    call = pellucid.compile(step) if native else step
    call(*tensors(X, Y))
    for key, value in weights(model).items():
        group = descent.param_groups[int(key.split(".")[0]) // 2]
        slope = gradients[key] + group["weight_decay"] * start[key]
        np.testing.assert_allclose(value, start[key] - group["lr"] * slope, rtol=1e-5, atol=1e-7)
    before = weights(model)
    descent.param_groups[1]["lr"] = 0.0  # seen by the compiled step without compiling again
    call(*tensors(X, Y))
    after = weights(model)
    assert (after["2.weight"] == before["2.weight"]).all()
    assert (after["0.weight"] != before["0.weight"]).all()
    if native:
        assert len(call.signatures) == 1


@pytest.mark.parity
@pytest.mark.parametrize("native", [False, True])
def test_groups_and_schedules_are_pytorchs(native: bool) -> None:
    torch = pytest.importorskip("torch")
    start = {k: v.numpy() for k, v in network().state_dict().items()}
    results = []
    for library in (pellucid, torch):
        layer = library.nn
        model = layer.Sequential(
            layer.Linear(6, 8), layer.Tanh(), layer.Linear(8, 7), layer.ReLU(), layer.Linear(7, 3)
        )
        model.load_state_dict({k: library.tensor(v) for k, v in start.items()})
        descent = grouped(library, model)
        schedule = library.optim.lr_scheduler.LambdaLR(
            descent, [lambda t: 1.0, lambda t: 0.5**t, lambda t: 1 / (1 + t)]
        )

        def step(x: Any, y: Any, model: Any = model, descent: Any = descent) -> None:
            descent.zero_grad()
            loss_of(model, x, y).backward()
            descent.step()

        call = pellucid.compile(step) if native and library is pellucid else step
        for _ in range(5):
            call(library.tensor(X), library.tensor(Y))
            schedule.step()
        results.append(weights(model))
    assert_alike(*results)
