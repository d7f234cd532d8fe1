"""Functions called around the steps and the state of an optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentTypeError
from pellucid.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


def told(engine: Any) -> list[Any]:
    """What hooks see, in order, with either engine."""
    weight = engine.nn.Parameter(engine.ones(2))
    optimizer = engine.optim.SGD([weight], lr=0.5)
    seen: list[Any] = []
    handles = [
        optimizer.register_step_pre_hook(lambda o, a, k: seen.append(("pre", o is optimizer, a))),
        optimizer.register_step_post_hook(lambda o, a, k: seen.append(("post", weight.tolist()))),
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("before the state")),
        optimizer.register_state_dict_post_hook(lambda o, s: {**s, "more": 1}),
        optimizer.register_state_dict_post_hook(lambda o, s: seen.append(sorted(s)), prepend=True),
        optimizer.register_load_state_dict_pre_hook(lambda o, s: s.pop("more")),
        optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append(sorted(s))),
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded")),
    ]
    weight.grad = engine.ones(2)
    optimizer.step()
    handles[5].remove()
    state = optimizer.state_dict()
    seen.append(sorted(state))
    optimizer.load_state_dict(state)
    for handle in handles:
        handle.remove()
    optimizer.step()
    return seen


def test_hooks_are_called_in_order() -> None:
    assert told(pellucid) == [
        ("pre", True, ()),
        ("post", [0.5, 0.5]),
        "before the state",
        ["param_groups", "state"],
        ["more", "param_groups", "state"],
        ["more", "param_groups", "state"],
        "loaded",
    ]


@pytest.mark.parity
def test_hooks_see_what_pytorchs_see() -> None:
    theirs = told(pytest.importorskip("torch"))
    assert [s if s[0] != "pre" else s[:2] for s in theirs] == [
        s if s[0] != "pre" else s[:2] for s in told(pellucid)
    ]


def test_hooks_of_all_optimizers_and_of_classes_that_call_their_parent() -> None:
    class Twice(pellucid.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    weight = pellucid.nn.Parameter(pellucid.ones(2))
    optimizer, calls = Twice([weight], lr=0.1), []
    handles = [
        register_optimizer_step_pre_hook(lambda o, a, k: calls.append("pre")),
        register_optimizer_step_post_hook(lambda o, a, k: calls.append("post")),
    ]
    optimizer.step()
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert calls == ["pre", "post"]


def test_a_hook_may_change_the_arguments_and_nothing_else() -> None:
    weight = pellucid.nn.Parameter(pellucid.ones(2))
    optimizer = pellucid.optim.SGD([weight], lr=0.1)
    handle = optimizer.register_step_pre_hook(lambda o, a, k: ((lambda: 7.0,), {}))
    assert optimizer.step() == 7.0
    handle.remove()
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(ArgumentTypeError, match="return None or the tuple"):
        optimizer.step()


def test_hooks_take_part_in_compiled_steps() -> None:
    def run(compiled: bool) -> Any:
        weight = pellucid.nn.Parameter(pellucid.tensor([1.0, -2.0]))
        optimizer = pellucid.optim.Adam([weight], lr=0.1)
        optimizer.register_step_post_hook(lambda o, a, k: weight.data.clamp_(min=0))

        def step() -> Any:
            optimizer.zero_grad()
            weight.pow(2).sum().backward()
            optimizer.step()

        run = pellucid.compile(step) if compiled else step
        for _ in range(3):
            run()
        return weight.detach().numpy()

    assert_close(run(True), run(False), 1e-6)
    assert np.all(run(False) >= 0)
