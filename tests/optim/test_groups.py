"""What stands in parameter groups and saved states, and learning rates that are tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.optim.lr_scheduler import _LRScheduler
from pellucid.optim.optimizer import Optimizer, required

NAMES = (
    "SGD Adam AdamW Adamax NAdam RAdam Adagrad Adadelta Adafactor RMSprop Rprop ASGD LBFGS "
    "SparseAdam Muon"
).split()


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
def test_saved_groups_have_pytorchs_entries(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    ours = getattr(optim, name)([nn.Parameter(pellucid.ones(2, 2))])
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(2, 2))])
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "settings"),
    [("SGD", {"momentum": 0.9, "dampening": 0.5}), ("LBFGS", {"history_size": 3})],
)
def test_saved_states_have_pytorchs_names(name: str, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

    def trained(library: Any) -> Any:
        weight = library.nn.Parameter(library.tensor([1.0, -2.0, 3.0]))
        made = getattr(library.optim, name)([weight], lr=0.1, **settings)

        def closure() -> Any:
            made.zero_grad()
            loss = (weight.square() * library.tensor([1.0, 2.0, 3.0])).sum() + weight.exp().sum()
            loss.backward()
            return loss

        for _ in range(3):
            made.step(closure)
        return made, weight

    (ours, mine), (theirs, other) = trained(pellucid), trained(torch)
    assert_close(mine, other, 1e-4, 1e-5)
    state, expected = ours.state_dict()["state"][0], theirs.state_dict()["state"][0]
    assert sorted(state) == sorted(expected)
    if name == "LBFGS":
        assert len(state["al"]) == 3
        for a, b in zip(state["al"], expected["al"], strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                assert_close(np.float32(a), b, 1e-3, 1e-4)


def test_a_penalty_of_ours_is_saved_where_there_is_one() -> None:
    weight = nn.Parameter(pellucid.ones(2))
    made = optim.SGD([weight], lr=0.1, l1=0.5)
    assert made.state_dict()["param_groups"][0]["l1"] == 0.5
    other = optim.SGD([weight], lr=0.1)
    assert "l1" not in other.state_dict()["param_groups"][0]
    other.load_state_dict(made.state_dict())
    assert other.param_groups[0]["l1"] == 0.5
    made.load_state_dict(optim.SGD([weight], lr=0.1).state_dict())
    assert made.param_groups[0]["l1"] == 0


def test_how_to_run_stands_in_the_groups() -> None:
    made = optim.Adam([nn.Parameter(pellucid.ones(2))], foreach=False, fused=True)
    group = made.param_groups[0]
    assert (group["foreach"], group["fused"], group["capturable"]) == (False, True, False)


def test_groups_with_and_without_names_do_not_mix() -> None:
    a, b = (nn.Parameter(pellucid.ones(2)) for _ in range(2))
    with pytest.raises(ArgumentError, match="name all or none"):
        optim.SGD([{"params": [a]}, {"params": [("b", b)]}], lr=0.1)
    with pytest.raises(ArgumentError, match="name all or none"):
        optim.SGD([{"params": [("a", a)]}, {"params": [b]}], lr=0.1)
    made = optim.SGD([{"params": [("a", a)]}, {"params": [("b", b)]}], lr=0.1)
    assert [g["param_names"] for g in made.param_groups] == [["a"], ["b"]]


WITH_RATES = "SGD Adam AdamW Adamax NAdam RAdam Adagrad Adadelta Adafactor RMSprop ASGD".split()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", [*WITH_RATES, "Rprop", "Muon"])
def test_a_learning_rate_may_be_a_tensor(name: str, compiled: bool) -> None:
    """The same trajectory as with a number, also when its element changes on the way."""

    def trajectory(rate: Any) -> list[Any]:
        weight = nn.Parameter(pellucid.tensor([[1.0, -2.0], [0.5, 3.0]]))
        decay = {} if name == "Rprop" else {"weight_decay": 0.1}
        made = getattr(optim, name)([weight], lr=rate, **decay)

        def step() -> None:
            made.zero_grad()
            (weight.square() * weight.exp()).sum().backward()
            made.step()

        run = pellucid.compile(step) if compiled else step
        seen = []
        for number in range(4):
            if number == 2:
                made.param_groups[0].set_rate(0.0625)
            run()
            seen.append(weight.detach().clone().numpy())
        return seen

    for a, b in zip(trajectory(pellucid.tensor(0.25)), trajectory(0.25), strict=True):
        assert_close(a, b, 1e-6, 1e-7)


def test_schedules_fill_a_rate_that_is_a_tensor() -> None:
    rate = pellucid.tensor(0.5)
    weight = nn.Parameter(pellucid.ones(2))
    made = optim.SGD([weight], lr=rate)
    schedule = optim.lr_scheduler.StepLR(made, 1, gamma=0.5)
    weight.sum().backward()
    made.step()
    schedule.step()
    assert made.param_groups[0]["lr"] is rate and rate.item() == 0.25
    assert schedule.get_last_lr() == [0.25]
    made.step()
    assert_close(weight, np.full(2, 1 - 0.5 - 0.25, np.float32))


def test_a_rate_of_several_elements_is_refused() -> None:
    with pytest.raises(ArgumentError, match="one element"):
        optim.SGD([nn.Parameter(pellucid.ones(2))], lr=pellucid.ones(2))
    with pytest.raises(ArgumentError, match="lr must be in"):
        optim.SGD([nn.Parameter(pellucid.ones(2))], lr=pellucid.tensor(-1.0))
    with pytest.raises(ArgumentError, match="capturable=True"):
        optim.Adam([nn.Parameter(pellucid.ones(2))], lr=pellucid.tensor(0.1), foreach=True)


def test_own_optimizers_and_schedules_written_with_the_older_names() -> None:
    class Plain(Optimizer):
        def __init__(self, params: Any, lr: Any = required, decay: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "decay": decay})

        def step(self) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(p.grad, alpha=-group["lr"])

    class Halving(_LRScheduler):
        def get_lr(self) -> list[float]:
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    weight = nn.Parameter(pellucid.ones(2))
    with pytest.raises(ValueError, match="says nothing of lr"):
        Plain([weight])
    with pytest.raises(ValueError, match="says nothing of lr"):
        Plain([{"params": [weight], "lr": 0.1}, {"params": [nn.Parameter(pellucid.ones(1))]}])
    optimizer = Plain([{"params": [weight], "lr": 0.5}])
    schedule = Halving(optimizer)
    for _ in range(2):
        weight.grad = pellucid.ones(2)
        optimizer.step()
        schedule.step()
    assert weight.tolist() == [1 - 0.5 - 0.25] * 2 and schedule.get_last_lr() == [0.125]
