"""Outside of ``compile`` large parameters are updated by a native program; small ones, and what
does not fit, by the same operations one by one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import optim
from pellucid.optim import optimizer as base

SETTINGS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {"l1": 0.01},
    "Adamax": {},
    "SparseAdam": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adagrad": {},
    "Adadelta": {},
    "Lion": {},
}
SHAPES = [(97, 101), (101,), (3, 7, 5, 11), (80, 101)]


def _parameters(rng: Any) -> list[Any]:
    return [pellucid.tensor(rng.standard_normal(s).astype(np.float32)) for s in SHAPES]


def _run(name: str, start: list[Any], gradients: list[list[np.ndarray]]) -> tuple[Any, list[Any]]:
    parameters = [p.clone().requires_grad_() for p in start]
    groups = [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.02}]
    made = getattr(optim, name)(groups, lr=0.01, **SETTINGS.get(name, {}))
    for step, given in enumerate(gradients):
        for parameter, gradient in zip(parameters, given, strict=True):
            parameter.grad = pellucid.tensor(gradient)
        if step == 2:
            made.param_groups[0]["lr"] = 0.005
        made.step()
    return made, parameters


@pytest.mark.parametrize("name", SETTINGS)
def test_updates_agree_with_their_definition(name: str, rng: Any) -> None:
    start = _parameters(rng)
    gradients = [[rng.standard_normal(s).astype(np.float32) for s in SHAPES] for _ in range(4)]
    native, found = _run(name, start, gradients)
    assert base._updates[native]
    with pellucid.eager_kernels(False):
        defined, expected = _run(name, start, gradients)
    assert defined not in base._updates
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, 1e-5, 1e-5)
        for slot, value in defined.state[b].items():
            assert_close(native.state[a][slot], value, 1e-4, 1e-5, slot)


def _large(rng: Any, **settings: Any) -> tuple[Any, Any, np.ndarray]:
    x = rng.standard_normal((200, 100)).astype(np.float32)
    parameter = pellucid.tensor(x).requires_grad_()
    return optim.SGD([parameter], lr=0.5, **settings), parameter, x


def test_gradients_that_appear_and_change(rng: Any) -> None:
    """Parameters without a gradient stay; gradients may be new tensors or views."""
    first, second = (pellucid.zeros(200, 100, requires_grad=True) for _ in range(2))
    made = optim.SGD([first, second], lr=1.0)
    first.grad = pellucid.ones(200, 100)
    made.step()
    second.grad = pellucid.ones(200, 100)
    made.step()
    first.grad = None
    second.grad = pellucid.full((100, 200), 2.0).t()
    made.step()
    assert_close(first, np.full((200, 100), -2.0))
    assert_close(second, np.full((200, 100), -3.0))
    assert len(base._updates[made]) <= base.NATIVE_PROGRAMS


def test_memory_that_is_shared_or_must_not_be_written(rng: Any) -> None:
    made, parameter, x = _large(rng, momentum=0.9)
    parameter.grad = parameter.detach()
    made.step()
    assert_close(parameter, x * 0.5)
    frozen = x.copy()
    frozen.flags.writeable = False
    parameter = pellucid.from_numpy(frozen).requires_grad_()
    made = optim.SGD([parameter], lr=0.5)
    parameter.grad = pellucid.ones(200, 100)
    made.step()
    assert_close(parameter, x - 0.5)
    assert_close(frozen, x)
    turned = pellucid.from_numpy(x.copy().T).requires_grad_()
    made = optim.SGD([turned], lr=0.5)
    turned.grad = pellucid.ones(100, 200)
    made.step()
    assert_close(turned, x.T - 0.5)


def test_one_gradient_for_two_parameters(rng: Any) -> None:
    parameters = [pellucid.zeros(200, 100, requires_grad=True) for _ in range(2)]
    gradient = pellucid.ones(200, 100)
    made = optim.SGD(parameters, lr=1.0)
    for count in range(2):
        parameters[0].grad = gradient
        parameters[1].grad = gradient if count == 0 else gradient * 3
        made.step()
    assert_close(parameters[0], np.full((200, 100), -2.0))
    assert_close(parameters[1], np.full((200, 100), -4.0))


def test_state_that_is_replaced(rng: Any) -> None:
    made, parameter, x = _large(rng, momentum=1.0)
    for _ in range(2):
        parameter.grad = pellucid.ones(200, 100)
        made.step()
    assert_close(parameter, x - 1.5, atol=1e-5)
    made.state[parameter]["momentum_buffer"] = pellucid.zeros(200, 100)
    made.step()
    assert_close(parameter, x - 2.0, atol=1e-5)
    made.load_state_dict(made.state_dict())
    parameter.data = pellucid.zeros(200, 100)
    made.step()
    assert_close(parameter, np.full((200, 100), -1.0))
    twin = copy.deepcopy(made)
    assert twin.state_dict()["param_groups"] == made.state_dict()["param_groups"]


def test_backward_notices_the_update(rng: Any) -> None:
    made, parameter, _ = _large(rng)
    loss = (parameter * parameter).sum()
    parameter.grad = pellucid.ones(200, 100)
    made.step()
    with pytest.raises(pellucid.PellucidError, match="modified in place after the forward pass"):
        loss.backward()
