"""A watch sees what a loop does, changes no bit of it, and can repeat its steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor import Watch, watch
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.loop_bench import LoopBench
from pellucid.insight.doctor.observing import glance, newest_record, numbers_of
from pellucid.nn import functional as F

Loop = Callable[[Any], tuple[list[Any], Any]]
"""A loop of its own: given what makes a watch (or None) → parameters afterwards, the watch."""


def classifier(begin: Any, loss: Any = F.cross_entropy, steps: int = 12) -> Any:
    """Dropout, running statistics, and an order that repeats."""
    model = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.BatchNorm1d(8), nn.Linear(8, 3)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x = pellucid.randn(64, 4)
    y = (x[:, 0] > 0).long()
    seen = begin(model, optimizer)
    for step in range(steps):
        rows = slice(step % 4 * 16, step % 4 * 16 + 16)
        optimizer.zero_grad()
        loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
    return [model], seen


def adversaries(begin: Any) -> Any:
    maker = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    judge = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    by_maker = optim.Adam(maker.parameters(), lr=0.01)
    by_judge = optim.Adam(judge.parameters(), lr=0.01)
    seen = begin([maker, judge], [by_maker, by_judge])
    loss = nn.BCEWithLogitsLoss()
    for _ in range(8):
        real, fake = pellucid.randn(16, 2) + 3, maker(pellucid.randn(16, 2))
        by_judge.zero_grad()
        told = loss(judge(real), pellucid.ones(16, 1))
        (told + loss(judge(fake.detach()), pellucid.zeros(16, 1))).backward()
        by_judge.step()
        by_maker.zero_grad()
        loss(judge(fake), pellucid.ones(16, 1)).backward()
        by_maker.step()
    return [maker, judge], seen


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(3, 5)
        self.out = nn.Linear(5, 1)

    def forward(self, x: Any, state: Any) -> Any:
        state = self.cell(x, state)
        return self.out(state), state


def over_time(begin: Any) -> Any:
    """A loop over time in the user's hands, and gradients that are clipped."""
    model = Cell()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    seen = begin(model, optimizer)
    for _ in range(8):
        x, state, loss = pellucid.randn(6, 4, 3), pellucid.zeros(4, 5), pellucid.zeros(())
        optimizer.zero_grad()
        for step in range(6):
            answer, state = model(x[step], state)
            loss = loss + F.mse_loss(answer[:, 0], x[step, :, 0])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    return [model], seen


def language(begin: Any) -> Any:
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 10))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    seen = begin(model, optimizer)
    for _ in range(8):
        x = pellucid.randint(0, 10, (4, 7))
        y = (x + 1) % 10
        optimizer.zero_grad()
        F.cross_entropy(model(x).view(-1, 10), y.view(-1)).backward()
        optimizer.step()
    return [model], seen


def compiled(begin: Any) -> Any:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    x = pellucid.randn(64, 4)
    y = (x[:, 0] > 0).long()
    seen = begin(model, optimizer)

    @pellucid.compile
    def step(features: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(features), targets)
        loss.backward()
        optimizer.step()
        return loss

    for number in range(12):
        rows = slice(number % 4 * 16, number % 4 * 16 + 16)
        step(x[rows], y[rows])
    step.many(4, x.reshape(4, 16, 4), y.reshape(4, 16))
    return [model], seen


def values(models: list[Any]) -> list[Any]:
    return [np.array(v.array()) for model in models for v in model.state_dict().values()]


@pytest.mark.parametrize("loop", [classifier, adversaries, over_time, language, compiled])
def test_watching_changes_no_bit(loop: Any) -> None:
    pellucid.manual_seed(3)
    alone = values(loop(lambda *_: None)[0])
    pellucid.manual_seed(3)
    models, seen = loop(watch)
    seen.close()
    assert seen.schedule.looks >= 2
    for mine, other in zip(values(models), alone, strict=True):
        np.testing.assert_array_equal(mine, other)
    after = pellucid.rand(1).item()
    pellucid.manual_seed(3)
    loop(lambda *_: None)
    assert pellucid.rand(1).item() == after


def own(out: Any, target: Any) -> Any:
    return ((out - F.one_hot(target, 3).float()) ** 2).mean()


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (F.cross_entropy, "cross_entropy"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss"),
        (own, "own"),
        (lambda o, t: F.nll_loss(F.log_softmax(o, 1), t), "<lambda>"),
        (lambda o, t: F.cross_entropy(o, t, reduction="sum"), "cross_entropy"),
    ],
)
def test_the_loss_is_found_as_the_function_that_it_is(loss: Any, name: str) -> None:
    """For other rows than those of the loop as well."""
    models, seen = classifier(watch, loss)
    seen.close()
    case = seen.case()
    assert case.notes["loss name"] == name
    assert isinstance(case.bench, ModelBench)
    assert case.settings["batch_size"] == 16
    x, y = pellucid.randn(5, 4), pellucid.randint(0, 3, (5,))
    out = models[0].eval()(x)
    assert case.loss(out, y).item() == loss(out, y).item()
    assert tuple(case.train.features.shape[1:]) == (4,)
    assert case.train.targets.dtype == pellucid.int64
    assert case.line.split(":")[0].endswith("test_watching.py")


@pytest.mark.parametrize("loop", [classifier, compiled])
def test_weights_before_the_first_step_are_kept(loop: Any) -> None:
    first: dict[str, Any] = {}

    def begin(model: Any, optimizer: Any) -> Any:
        first.update({n: np.array(p.detach().array()) for n, p in model.named_parameters()})
        return watch(model, optimizer)

    _, seen = loop(begin)
    seen.close()
    kept = seen.case().notes["first weights"]
    assert kept.keys() == first.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(kept[name], value)


def test_losses_are_those_of_the_loop() -> None:
    told: list[float] = []

    def loss(out: Any, target: Any) -> Any:
        value = F.cross_entropy(out, target)
        told.append(value.item())
        return value

    _, seen = classifier(watch, loss)
    seen.close()
    assert seen.case().losses == told[:12]


@pytest.mark.parametrize("loop", [adversaries, over_time, language])
def test_steps_are_repeated(loop: Any) -> None:
    """Their gradients are those that the loop had: a step lowers the loss as there."""
    _, seen = loop(watch)
    seen.close()
    for case in seen.cases():
        bench, batch = case.bench, case.bench.batches[-1]
        before = [np.array(p.array()) for p in case.model.parameters()]
        found = bench.gradients(batch)
        with bench.trial():
            first, then = bench.step(batch, scale=0.1), bench.step(batch, scale=0.1)
        assert then < first == pytest.approx(bench.loss(batch), rel=1e-6)
        for mine, parameter in zip(before, case.model.parameters(), strict=True):
            np.testing.assert_array_equal(mine, parameter.array())
        name, gradient = next(iter(found.items()))
        parameter = dict(case.model.named_parameters())[name]
        number = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        step, array = 1e-2, parameter.array()
        ends = []
        for sign in (1, -1):
            array[number] += sign * step
            ends.append(bench.loss(batch))
            array[number] -= sign * step
        slope = (ends[0] - ends[1]) / (2 * step)
        assert slope == pytest.approx(float(gradient[number]), rel=0.05, abs=1e-3)


def test_each_call_has_its_rows() -> None:
    """What a judge sees are real and made rows, with ones and zeros as targets."""
    _, seen = adversaries(watch)
    seen.close()
    judge = next(c for c in seen.cases() if c.model is seen.models[1])
    features, targets = judge.train.features.array(), judge.train.targets.array()
    assert features[targets[:, 0] == 1].mean() > 2 > features[targets[:, 0] == 0].mean()
    assert isinstance(judge.bench, LoopBench)
    _, seen = language(watch)
    seen.close()
    case = seen.case()
    assert case.train.targets.shape == case.train.features.shape
    np.testing.assert_array_equal(
        case.train.targets.array(), (case.train.features.array() + 1) % 10
    )
    out = seen.models[0](case.train.features)
    expected = F.cross_entropy(out.reshape(-1, 10), case.train.targets.reshape(-1))
    assert case.loss(out, case.train.targets).item() == expected.item()


def test_clipping_is_seen() -> None:
    _, seen = over_time(watch)
    seen.close()
    assert seen.case().settings["clip_norm"] == pytest.approx(0.5, rel=1e-3)
    _, seen = classifier(watch)
    seen.close()
    assert seen.case().settings["clip_norm"] == 0


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("how", "forgotten"), [("none", True), ("zeros", False), ("drop", False)])
def test_gradients_that_were_not_reset(native: bool, how: str, forgotten: bool) -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    x = pellucid.randn(8, 3)

    def step(features: Any) -> Any:
        if how != "none":
            optimizer.zero_grad(set_to_none=how == "drop")
        loss = model(features).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    function = pellucid.compile(step) if native else step
    with watch(model, optimizer) as seen:
        for _ in range(8):
            function(x)
    assert seen.case().notes["gradients never reset"] is forgotten


def test_gradients_of_several_batches_are_meant() -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    with watch(model, optimizer) as seen:
        for _ in range(6):
            optimizer.zero_grad()
            for _ in range(3):
                (model(pellucid.randn(8, 3)).square().mean() / 3).backward()
            optimizer.step()
    case = seen.case()
    assert case.settings["accumulate"] == 3
    assert not case.notes["gradients never reset"]


def test_programs_without_modules_and_without_optimizers() -> None:
    weight = pellucid.randn(3, 1, requires_grad=True)
    x = pellucid.randn(32, 3)
    with watch() as seen:
        for _ in range(6):
            ((x @ weight - x.sum(1, keepdim=True)) ** 2).mean().backward()
            with pellucid.no_grad():
                weight -= 0.1 * weight.grad  # type: ignore[operator]
                weight.grad = None
    assert len(seen.tracks[0].losses) >= 5
    optimizer = optim.SGD([weight], lr=0.1)
    with watch(None, optimizer) as seen:
        for _ in range(6):
            optimizer.zero_grad()
            ((x @ weight - x.sum(1, keepdim=True)) ** 2).mean().backward()
            optimizer.step()
    bench = seen.case().bench
    with bench.trial():
        first = bench.step(bench.batches[-1])
        assert bench.step(bench.batches[-1]) < first
    assert seen.case().records[-1]["parameter_gradient"]


def test_statistics_are_those_of_observe() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 3), nn.ReLU())
    x = pellucid.randn(50, 4) * 20
    records = []
    for begin in (
        glance,
        lambda m: m.observe(of=("output", "gradient", "parameter", "parameter_gradient")),
    ):
        seen = begin(model)
        model.zero_grad()
        model(x).sum().backward()
        records.append(newest_record(seen))
        seen.remove()
    mine, other = records
    for kind in ("output", "gradient", "parameter", "parameter_gradient"):
        assert mine[kind].keys() == other[kind].keys()
        for name, found in mine[kind].items():
            for statistic, value in found.items():
                assert value == pytest.approx(other[kind][name][statistic], rel=1e-5, abs=1e-7)
    assert mine["output"]["1"]["saturated_fraction"] > 0.3
    assert np.isnan(numbers_of(np.array([1.0, np.nan]))["mean"])
    assert numbers_of(np.array([0.0, np.inf]))["nonfinite_fraction"] == 0.5


def test_changes_of_weights_are_measured() -> None:
    model = nn.Linear(4, 4)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    before = np.zeros(0)
    with watch(model, optimizer) as seen:
        for _ in range(2):
            optimizer.zero_grad()
            model(pellucid.ones(2, 4)).square().mean().backward()
            before = np.array(model.weight.array())
            optimizer.step()
    change = np.linalg.norm(model.weight.array() - before)
    told = seen.case().records[-1]["update"]["weight"]
    assert told["norm"] == pytest.approx(change, rel=1e-5)
    assert told["ratio"] == pytest.approx(change / np.linalg.norm(before), rel=1e-5)


@pytest.mark.parametrize("native", [False, True])
def test_where_a_value_that_is_not_finite_came_from(native: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x = pellucid.randn(8, 3)
    shift = pellucid.zeros(())

    def step(features: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(features) + shift).log().mean()
        loss.backward()
        optimizer.step()
        return loss

    function = pellucid.compile(step) if native else step
    with watch(model, optimizer) as seen:
        for number in range(4):
            with pellucid.no_grad():
                shift.fill_(-5.0 if number == 2 else 5.0)
            function(x)
    found = seen.case().failure
    assert (found.phase, found.operation, found.value) == ("forward", "log", "NaN")
    assert found.count == found.size == 32
    assert found.operands[0].high < 0
    assert list(found.rows) == list(range(8))


def test_a_watch_of_a_compiled_step_alone() -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @pellucid.compile(doctor=True)
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    told = [step(pellucid.randn(8, 3), pellucid.randint(0, 2, (8,))).item() for _ in range(6)]
    case = step.watch.case()
    assert isinstance(step.watch, Watch)
    assert case.model is model
    assert case.optimizer is optimizer
    assert case.losses == told
    assert case.loss is F.cross_entropy
    assert isinstance(case.bench, ModelBench)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ArgumentError, match="level"):
        watch(level="heavy")
    with pytest.raises(ArgumentError, match="model"):
        watch(3)
    with pytest.raises(ArgumentError, match="optimizer"):
        watch(nn.Linear(2, 1), 3)
