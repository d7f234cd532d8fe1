"""Statistics compiled into a step: the numbers are those of NumPy, and nothing of it remains."""

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.insight.doctor import watch
from pellucid.insight.doctor.fits import FitDoctor
from pellucid.insight.doctor.observed_steps import LOOKS_BEFORE, ObservedStep
from pellucid.insight.doctor.observing import numbers_of
from pellucid.insight.doctor.schedule import Schedule
from pellucid.nn import functional as F


class Net(nn.Module):
    """Everything that a step may change beside weights: dropout, averages of a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.drop(self.norm(self.first(x)).tanh()))


def training(count: int, begin: Any = None, rows: int = 32) -> tuple[Any, Any, Any, Any]:
    pellucid.manual_seed(5)
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x = pellucid.randn(count, rows, 6)
    y = (x[:, :, 0] > 0).long()
    seen = None if begin is None else begin(model, optimizer)

    @pellucid.compile
    def step(features: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(features), targets)
        loss.backward()
        optimizer.step()
        return loss

    for number in range(count):
        step(x[number], y[number])
    return model, optimizer, seen, (step, x, y)


def state_of(model: Any, optimizer: Any) -> list[Any]:
    held = [v for slots in optimizer.state.values() for v in slots.values()]
    tensors = [*model.state_dict().values(), *(v for v in held if isinstance(v, pellucid.Tensor))]
    return [np.array(t.detach().numpy()) for t in tensors]


def test_statistics_are_those_of_the_step_and_nothing_remains() -> None:
    model, optimizer, _, (step, x, y) = training(3)
    model.drop.p = 0.0
    before = state_of(model, optimizer)
    programs = len(step._order)
    observed = ObservedStep(step.function, [model], [optimizer])
    for number in (0, 1):
        drawn = pellucid.get_rng_state().numpy().copy()
        ((found, record),) = observed.records((x[number], y[number]), {}) or []
        assert found is model
        assert np.array_equal(pellucid.get_rng_state().numpy(), drawn)
        twin = Net()
        twin.load_state_dict(model.state_dict())
        twin.drop.p = 0.0
        F.cross_entropy(twin(x[number]), y[number]).backward()
        for name, parameter in twin.named_parameters():
            expected = numbers_of(parameter.grad.numpy())
            for statistic, value in record["parameter_gradient"][name].items():
                assert value == pytest.approx(expected[statistic], rel=1e-3, abs=1e-6)
            expected = numbers_of(parameter.detach().numpy())
            assert record["parameter"][name]["norm"] == pytest.approx(expected["norm"], rel=1e-5)
    for mine, other in zip(state_of(model, optimizer), before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(p._hooks for p in model.parameters())
    assert len(step._order) == programs


def test_a_program_of_statistics_changes_no_bit() -> None:
    model, optimizer, _, _ = training(30)
    alone = state_of(model, optimizer)
    after = pellucid.rand(1).item()

    def begin(model: Any, optimizer: Any) -> Any:
        seen = watch(model, optimizer)
        seen.schedule = Schedule(1.0, 1e6)
        return seen

    model, optimizer, seen, (step, x, y) = training(30, begin)
    assert pellucid.rand(1).item() == after
    seen.close()
    assert seen.trouble is None
    (known,) = seen._compiled.values()
    assert known._statistics.seconds > 0
    assert seen.schedule.looks > LOOKS_BEFORE + 1
    newest = seen.tracks[0].records[-2]
    assert set(newest["output"]) == {"first", "norm", "drop", "out"}
    assert newest["update"]["first.weight"]["norm"] > 0
    for mine, other in zip(state_of(model, optimizer), alone, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_other_shapes_and_settings_do_not_make_programs_beside_the_budget() -> None:
    model, optimizer, _, (step, x, y) = training(2)
    observed = ObservedStep(step.function, [model], [optimizer])
    assert observed.records((x[0], y[0]), {}, may_make=False) is None
    assert observed.records((x[0], y[0]), {})
    assert observed.records((x[1], y[1]), {}, may_make=False)
    assert observed.records((x[0][:7], y[0][:7]), {}, may_make=False) is None
    model.eval()
    assert observed.records((x[0], y[0]), {}, may_make=False) is None
    model.train()
    step(x[0], y[0])
    assert observed.records((x[0], y[0]), {}, may_make=False)


def test_a_program_is_made_when_enough_time_was_saved() -> None:
    schedule = Schedule(0.01, 0.1)
    schedule.pause(-100.0)  # a hundred seconds later
    schedule.spent = 0.6
    assert schedule.left == pytest.approx(0.5, abs=0.01)
    schedule.looked(0.01)
    schedule.save()
    schedule.pause(-60.0)
    schedule.steps = schedule.next_step
    assert schedule.left == pytest.approx(1.09, abs=0.01)
    schedule.looked(0.6)  # looks may have the other half
    schedule.steps = schedule.next_step
    assert schedule.left == pytest.approx(0.49, abs=0.01)
    assert schedule.is_due is False
    schedule.made(0.3, 1.3)
    assert schedule.left == pytest.approx(0.19, abs=0.01)
    assert schedule.is_due is True


@pytest.mark.parametrize("rows", [64, 70])
def test_fits_of_a_trainer_are_the_same_bits(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.insight.doctor.fits.Schedule", lambda *_: Schedule(1.0, 1e6))
    found = []
    for doctor in (False, "full"):
        pellucid.manual_seed(1)
        model = Net()
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), doctor=doctor)
        x = np.random.default_rng(0).standard_normal((rows, 6)).astype(np.float32)
        trainer.fit((x, (x[:, 0] > 0).astype(np.int64)), epochs=30, batch_size=16, progress=False)
        found.append([np.array(v.numpy()) for v in model.state_dict().values()])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, other)
    seen: FitDoctor = trainer.fitted.doctor
    assert trainer.fitted.trouble is None
    assert seen._statistics is not None and seen._statistics.seconds > 0
    assert "out" in seen.records[-1]["gradient"]
