"""Training steps compiled together with their optimizer give what they give eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from optim.parity_cases import start_values
from pellucid import optim
from pellucid.tensor.compile import CompiledFunction, compile

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "l1": 0.01}),
    ("Adagrad", {"lr_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adadelta", {}),
    ("Adam", {"weight_decay": 0.1}),
    ("AdamW", {"amsgrad": True, "l1": 0.1}),
    ("Adamax", {}),
    ("SparseAdam", {}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {}),
    ("Lion", {"lr": 0.02, "weight_decay": 0.1}),
]


class Training:
    """A two-layer net and one training step on it."""

    def __init__(self, name: str, options: dict[str, Any], dtype: Any = None) -> None:
        weights, inputs, targets = start_values(21)
        dtype = dtype or pellucid.float32
        self.parameters = [pellucid.tensor(w, dtype=dtype, requires_grad=True) for w in weights]
        self.x = pellucid.tensor(inputs, dtype=dtype)
        self.y = pellucid.tensor(targets, dtype=dtype)
        self.optimizer = getattr(optim, name)(self.parameters, **options)

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        first, bias, second = self.parameters
        loss = (((x @ first.T + bias).tanh() @ second.T - y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def values(self) -> np.ndarray:
        return np.concatenate([p.detach().numpy().ravel() for p in self.parameters])


def compiled(training: Training, backend: str) -> CompiledFunction:
    return compile(training.step, backend=backend)  # type: ignore[no-any-return]


def programs(function: CompiledFunction) -> int:
    return sum(len(known) for known in function._programs.values())


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])
def test_compiled_trajectory_equals_eager(name: str, options: dict[str, Any], backend: str) -> None:
    eager, native = Training(name, options), Training(name, options)
    function = compiled(native, backend)
    for training in (eager, native):
        training.schedule = optim.lr_scheduler.ExponentialLR(training.optimizer, 0.9)
    for _ in range(12):
        eager.step(eager.x, eager.y)
        function(native.x, native.y)
        eager.schedule.step()
        native.schedule.step()
        np.testing.assert_allclose(native.values(), eager.values(), rtol=2e-5, atol=2e-6)
    assert programs(function) == 1  # a changed learning rate needs no new program
    for p, q in zip(eager.parameters, native.parameters, strict=True):
        for slot, value in eager.optimizer.state[p].items():
            found = native.optimizer.state[q][slot].numpy()
            np.testing.assert_allclose(found, value.numpy(), rtol=2e-4, atol=1e-6, err_msg=slot)


def test_switches_and_constants_compile_anew(backend: str) -> None:
    eager, native = (Training("Adam", {"lr": 0.05}) for _ in range(2))
    function = compiled(native, backend)
    changes: list[dict[str, Any]] = [
        {},
        {"weight_decay": 0.1},
        {"weight_decay": 0.3},
        {"eps": 1e-3},
        {"betas": (0.8, 0.999)},
        {"betas": (0.8, 0.9)},
    ]
    counts = []
    for change in changes:
        for training in (eager, native):
            training.optimizer.param_groups[0].update(change)
        for _ in range(2):
            eager.step(eager.x, eager.y)
            function(native.x, native.y)
        counts.append(programs(function))
        np.testing.assert_allclose(native.values(), eager.values(), rtol=2e-5, atol=2e-6)
    assert counts == [1, 2, 2, 3, 3, 4]


def test_eager_and_compiled_steps_alternate(backend: str) -> None:
    eager, mixed = (Training("AdamW", {"lr": 0.05}) for _ in range(2))
    function = compiled(mixed, backend)
    for step in range(8):
        eager.step(eager.x, eager.y)
        (function if step % 3 else mixed.step)(mixed.x, mixed.y)
    np.testing.assert_allclose(mixed.values(), eager.values(), rtol=2e-5, atol=2e-6)
    assert mixed.optimizer.state[mixed.parameters[0]]["step"].item() == 8


def test_loaded_state_is_used_by_the_compiled_step(backend: str) -> None:
    eager, native = (Training("Adam", {"lr": 0.05}) for _ in range(2))
    function = compiled(native, backend)
    for _ in range(5):
        eager.step(eager.x, eager.y)
        function(native.x, native.y)
    fresh = Training("Adam", {"lr": 0.2})
    for _ in range(3):
        fresh.step(fresh.x, fresh.y)
    for training in (eager, native):
        training.optimizer.load_state_dict(fresh.optimizer.state_dict())
        training.step(training.x, training.y) if training is eager else function(native.x, native.y)
    np.testing.assert_allclose(native.values(), eager.values(), rtol=2e-5, atol=2e-6)
    assert native.optimizer.state[native.parameters[0]]["step"].item() == 4


def test_added_group_is_trained_by_the_compiled_step(backend: str) -> None:
    training = Training("SGD", {"lr": 0.1})
    late = training.parameters.pop()
    training.optimizer = optim.SGD(training.parameters, lr=0.1)
    training.parameters.append(late)
    function = compiled(training, backend)
    function(training.x, training.y)
    before = late.detach().numpy().copy()
    late.grad = None
    function(training.x, training.y)
    np.testing.assert_array_equal(late.detach().numpy(), before)
    late.grad = None
    training.optimizer.add_param_group({"params": [late]})
    function(training.x, training.y)
    assert (late.detach().numpy() != before).all()


def test_muon_compiled_equals_eager(backend: str) -> None:
    rng = np.random.default_rng(8)
    start, target = rng.normal(size=(2, 4, 6)).astype(np.float32)
    results = []
    for use in (False, True):
        w = pellucid.tensor(start, requires_grad=True)
        optimizer = optim.Muon([w], lr=0.1)

        def step(goal: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = ((w - goal) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss

        function = compile(step, backend=backend) if use else step
        for _ in range(6):
            function(pellucid.tensor(target))
        results.append(w.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)


def test_many_steps_in_one_call_equal_single_steps(backend: str) -> None:
    eager, native = (Training("Adam", {"lr": 0.05}) for _ in range(2))
    function = compiled(native, backend)
    for _ in range(7):
        eager.step(eager.x, eager.y)
    function.many(7, pellucid.stack([native.x] * 7), pellucid.stack([native.y] * 7))
    np.testing.assert_allclose(native.values(), eager.values(), rtol=2e-5, atol=2e-6)
    assert native.optimizer.state[native.parameters[0]]["step"].item() == 7
