"""Watching a model: which values, in which steps, eagerly and in compiled programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError

EVERYTHING = ("output", "gradient", "parameter", "parameter_gradient")
MEASURED = ("mean", "std", "min", "max", "norm", "zero_fraction", "nonfinite_fraction")


class Tail(nn.Module):
    """A layer with two outputs and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(pellucid.ones(3))
        self.squash = nn.Tanh()

    def forward(self, x: Any) -> Any:
        y = self.squash(x * self.scale)
        return y, (y * 2,)


class Net(nn.Module):
    """Two outputs of the tail are joined to one number a row."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.tail = Tail()

    def forward(self, x: Any) -> Any:
        y, (z,) = self.tail(self.body(x))
        return (y + z).sum(-1)


def mlp() -> Any:
    pellucid.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def training_step(model: Any, compile: bool = True, backend: str = "cpu") -> Any:
    optimizer = optim.Adam(model.parameters(), lr=0.05)

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return pellucid.compile(step, backend=backend) if compile else step


def batches(rng: np.random.Generator, count: int, rows: int = 6) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(count, rows, 4)).astype(np.float32)
    return x, rng.integers(0, 3, (count, rows))


def run(step: Any, x: np.ndarray, y: np.ndarray) -> None:
    for a, b in zip(x, y, strict=True):
        step(pellucid.tensor(a), pellucid.tensor(b))


def assert_records_close(left: list[Any], right: list[Any]) -> None:
    assert [r["step"] for r in left] == [r["step"] for r in right]
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for kind in ("output", "gradient", "parameter", "parameter_gradient"):
            found, expected = a.get(kind, {}), b.get(kind, {})
            assert found.keys() == expected.keys()
            for name in found:
                assert found[name].keys() == expected[name].keys()
                for statistic, value in found[name].items():
                    assert value == pytest.approx(expected[name][statistic], rel=1e-3, abs=2e-6), (
                        kind,
                        name,
                        statistic,
                    )


# ---- the values --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["eager", "reference", "cpu"])
def test_every_kind_of_value_is_seen(way: str, rng: np.random.Generator) -> None:
    model = mlp()
    step = training_step(model, way != "eager", "cpu" if way == "eager" else way)
    observation = model.observe("*", of=EVERYTHING, statistics=MEASURED)
    x, y = batches(rng, 1)
    before = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}
    # By hand: what PyTorch calls retain_grad shows the gradients of the outputs.
    with pellucid.no_grad():
        first = x[0] @ before["0.weight"].T + before["0.bias"]
    hidden = np.maximum(first, 0)
    scores = hidden @ before["2.weight"].T + before["2.bias"]
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    to_scores = (shares - np.eye(3)[y[0]]) / len(y[0])
    to_hidden = to_scores @ before["2.weight"]
    to_first = to_hidden * (first > 0)
    run(step, x, y)
    record = observation.latest()
    expected = {
        "output": {"0": first, "1": hidden, "2": scores},
        "gradient": {"0": to_first, "1": to_hidden, "2": to_scores},
        "parameter": before,
        "parameter_gradient": {
            "0.weight": to_first.T @ x[0],
            "0.bias": to_first.sum(0),
            "2.weight": to_scores.T @ hidden,
            "2.bias": to_scores.sum(0),
        },
    }
    assert record["step"] == 0 and record["training"] is True
    for kind, values in expected.items():
        assert record[kind].keys() == values.keys()
        for name, value in values.items():
            found = record[kind][name]
            assert tuple(found) == MEASURED
            close = {"rel": 1e-4, "abs": 1e-6}
            assert found["mean"] == pytest.approx(float(value.mean()), **close)
            assert found["std"] == pytest.approx(float(value.std()), **close)
            assert found["min"] == pytest.approx(float(value.min()), **close)
            assert found["max"] == pytest.approx(float(value.max()), **close)
            assert found["norm"] == pytest.approx(float(np.linalg.norm(value)), **close)
            assert found["zero_fraction"] == pytest.approx(float((value == 0).mean()))
            assert found["nonfinite_fraction"] == 0


def test_compiled_and_eager_steps_leave_the_same_records(rng: np.random.Generator) -> None:
    x, y = batches(rng, 4)
    records = []
    for compile in (False, True):
        model = mlp()
        observation = model.observe("*", of=EVERYTHING, statistics=MEASURED)
        run(training_step(model, compile), x, y)
        records.append(observation.records)
    assert [r["step"] for r in records[0]] == [0, 1, 2, 3]
    assert_records_close(records[1], records[0])


def test_histograms_and_slices_in_a_program(rng: np.random.Generator) -> None:
    model = mlp()
    x, y = batches(rng, 2)
    observation = model.observe("1", of=["output"], statistics=["histogram", "slice"], bins=4)
    run(training_step(model), x, y)
    found = observation.latest()["output"]["1"]
    assert found["histogram"].counts.sum() == 6 * 16
    assert len(found["histogram"].counts) == 4
    assert found["slice"].shape == (8,)
    assert (found["slice"] >= 0).all()


def test_saturation_belongs_to_layers_with_bounds() -> None:
    model = nn.Sequential(nn.Identity(), nn.Sigmoid(), nn.Hardtanh(0.0, 0.5))
    observation = model.observe("*", of=["output"], statistics=["saturated_fraction", "max"])
    model(pellucid.tensor([[-20.0, -10.0, 0.0, 9.0]]))
    outputs = observation.latest()["output"]
    assert "saturated_fraction" not in outputs["0"]
    assert outputs["1"]["saturated_fraction"] == 0.75
    assert outputs["2"]["saturated_fraction"] == 1.0


def test_the_records_of_integers_and_empty_tensors_are_left_out() -> None:
    model = nn.Sequential(nn.Identity(), nn.Identity())
    observation = model.observe("*", of=["output"])
    model(pellucid.arange(3))
    assert observation.records == []
    model(pellucid.zeros(0, 2))
    assert observation.records == []


# ---- names -------------------------------------------------------------------------------------


def test_names_follow_the_layer_paths(rng: np.random.Generator) -> None:
    model = Net()
    observation = model.observe("*", of=EVERYTHING, statistics=["mean"])
    model(pellucid.tensor(rng.normal(size=(2, 4)))).sum().backward()
    record = observation.latest()
    outputs = ["body.0", "body.1", "body.2", "body", "tail.squash", "tail[0]", "tail[1]"]
    assert list(record["output"]) == outputs
    assert set(record["gradient"]) == set(outputs)
    assert "tail.scale" in record["parameter"]
    assert "body.0.weight" in record["parameter_gradient"]


@pytest.mark.parametrize(
    ("names", "outputs", "parameters"),
    [
        (["body.*"], ["body.0", "body.1", "body.2"], 4),
        (["tail"], ["tail[0]", "tail[1]"], 1),
        (["*.bias"], [], 2),
        ("body.0", ["body.0"], 2),
        (["Net"], ["Net"], 0),
        (["body.0", "body.2.weight"], ["body.0"], 3),
    ],
)
def test_patterns_choose(names: Any, outputs: list[str], parameters: int) -> None:
    model = Net()
    observation = model.observe(names, of=["output", "parameter"], statistics=["mean"])
    model(pellucid.ones(2, 4))
    record = observation.latest()
    assert list(record.get("output", {})) == outputs
    assert len(record.get("parameter", {})) == parameters


def test_a_layer_that_runs_twice_has_two_entries() -> None:
    layer = nn.Linear(3, 3)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return self.layer(self.layer(x))

    model = Twice()
    observation = model.observe("layer", of=EVERYTHING, statistics=["mean"])
    for function in (model, pellucid.compile(lambda x: model(x))):
        function(pellucid.ones(1, 3)).sum()
        record = observation.latest()
        assert list(record["output"]) == ["layer", "layer#2"]
        assert list(record["parameter"]) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("compile", [False, True])
def test_training_and_evaluation_are_told_apart(compile: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    forward = pellucid.compile(lambda x: model(x)) if compile else model
    observation = model.observe("1", of=["output"], statistics=["zero_fraction"])
    x = pellucid.ones(40, 3)
    forward(x)
    model.eval()
    forward(x)
    model.train()
    forward(x)
    assert [r["training"] for r in observation.records] == [True, False, True]
    zero = [r["output"]["1"]["zero_fraction"] for r in observation.records]
    assert zero[1] == 0 and zero[0] > 0.2 and zero[2] > 0.2


# ---- which steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("compile", [False, True])
def test_every_third_step(compile: bool, rng: np.random.Generator) -> None:
    x, y = batches(rng, 8)
    full, thinned = mlp(), mlp()
    everything = full.observe("*", of=EVERYTHING, statistics=MEASURED)
    some = thinned.observe("*", of=EVERYTHING, statistics=MEASURED, every=3)
    run(training_step(full, compile), x, y)
    step = training_step(thinned, compile)
    run(step, x, y)
    assert [r["step"] for r in some.records] == [0, 3, 6]
    assert_records_close(some.records, [r for r in everything.records if r["step"] % 3 == 0])
    assert some.steps == 8
    for a, b in zip(full.parameters(), thinned.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=1e-6)
    if compile:
        assert sum(len(p) for p in step._programs.values()) == 2, "one with, one without"


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_many_steps_in_one_call_are_recorded_each(
    every: int, backend: str, rng: np.random.Generator
) -> None:
    x, y = batches(rng, 11)
    one, other = mlp(), mlp()
    single = one.observe("*", of=EVERYTHING, statistics=MEASURED, every=every)
    many = other.observe("*", of=EVERYTHING, statistics=MEASURED, every=every)
    run(training_step(one, backend=backend), x, y)
    losses = training_step(other, backend=backend).many(11, x, y)
    assert losses.shape == (11,)
    assert [r["step"] for r in many.records] == list(range(0, 11, every))
    assert_records_close(many.records, single.records)


def test_the_ring_keeps_the_newest(rng: np.random.Generator) -> None:
    x, y = batches(rng, 10)
    one, other = mlp(), mlp()
    whole = one.observe("0", of=["output"], statistics=["mean", "max"])
    ring = other.observe("0", of=["output"], statistics=["mean", "max"], capacity=4)
    losses = training_step(one).many(10, x, y)
    step = training_step(other)
    run(step, x[:3], y[:3])
    assert [r["step"] for r in ring.records] == [0, 1, 2]
    rest = step.many(7, x[3:], y[3:])
    assert [r["step"] for r in ring.records] == [6, 7, 8, 9]
    assert_records_close(ring.records, whole.records[6:])
    np.testing.assert_allclose(rest.numpy(), losses.numpy()[3:], rtol=1e-4)
    run(step, x[:2], y[:2])
    assert [r["step"] for r in ring.records] == [8, 9, 10, 11]


def test_programs_of_several_shapes_share_the_ring(rng: np.random.Generator) -> None:
    model = mlp()
    step = training_step(model)
    observation = model.observe("2", of=["output"], statistics=["max"], capacity=3)
    for rows in (6, 6, 2, 6, 2, 2, 6):
        x, y = batches(rng, 1, rows)
        run(step, x, y)
    assert [r["step"] for r in observation.records] == [4, 5, 6]


def test_reading_in_the_middle_of_an_eager_step(rng: np.random.Generator) -> None:
    model = mlp()
    observation = model.observe("2", of=["output", "gradient"], statistics=["norm"])
    loss = model(pellucid.tensor(rng.normal(size=(2, 4)))).sum()
    assert "gradient" not in observation.latest()
    loss.backward()
    assert observation.latest()["gradient"]["2"]["norm"] == pytest.approx(np.sqrt(6))
    assert len(observation.records) == 1
    model(pellucid.ones(2, 4))
    assert [sorted(r) for r in observation.records] == [
        ["gradient", "output", "step", "training"],
        ["output", "step", "training"],
    ]


# ---- off ---------------------------------------------------------------------------------------


def kernels(step: Any) -> list[tuple[str, int]]:
    return [(u.name, u.kernel.chunks) for uses in step.executable.region_uses for u in uses]


def test_without_observation_the_program_is_identical(rng: np.random.Generator) -> None:
    x, y = batches(rng, 2)
    plain, watched = training_step(mlp()), mlp()
    run(plain, x, y)
    step = training_step(watched)
    observation = watched.observe("*", of=EVERYTHING)
    run(step, x, y)
    assert len(kernels(step)) > len(kernels(plain))
    observation.remove()
    run(step, x, y)
    assert kernels(step) == kernels(plain)
    assert step._recent.bindings == []
    assert len(step.executable.graph.outputs) == len(plain.executable.graph.outputs)
    assert len(step.executable.graph.nodes()) == len(plain.executable.graph.nodes())
    assert [r["step"] for r in observation.records] == [0, 1]


def test_a_program_from_before_is_taken_up_again(rng: np.random.Generator) -> None:
    x, y = batches(rng, 1)
    model = mlp()
    step = training_step(model)
    run(step, x, y)
    program = step._recent
    with model.observe("*", of=EVERYTHING) as observation:
        run(step, x, y)
        assert step._recent is not program
    run(step, x, y)
    assert step._recent is program
    assert len(observation.records) == 1


@pytest.mark.parametrize("compile", [False, True])
def test_two_observations_do_not_disturb_each_other(
    compile: bool, rng: np.random.Generator
) -> None:
    x, y = batches(rng, 6)
    model = mlp()
    step = training_step(model, compile)
    often = model.observe("0", of=["output"], statistics=["mean"], every=2)
    seldom = model.observe("2", of=["gradient"], statistics=["norm"], every=3)
    run(step, x, y)
    assert [r["step"] for r in often.records] == [0, 2, 4]
    assert [r["step"] for r in seldom.records] == [0, 3]
    often.remove()
    run(step, x[:1], y[:1])
    assert [r["step"] for r in seldom.records] == [0, 3, 6]
    assert len(often.records) == 3


@pytest.mark.parametrize("compile", [False, True])
def test_watching_changes_no_value(compile: bool, rng: np.random.Generator) -> None:
    x, y = batches(rng, 5)
    plain, watched = mlp(), mlp()
    watched.observe("*", of=EVERYTHING)
    run(training_step(plain, compile), x, y)
    run(training_step(watched, compile), x, y)
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-4, atol=1e-6)


def test_hooks_are_gone_after_remove(rng: np.random.Generator) -> None:
    model = mlp()
    observation = model.observe("*", of=EVERYTHING)
    model(pellucid.ones(2, 4)).sum().backward()
    observation.remove()
    observation.remove()
    assert not any(p._hooks for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    model(pellucid.ones(2, 4)).sum().backward()
    assert len(observation.records) == 1
    assert "removed" in repr(observation)


def test_clear_forgets_and_goes_on(rng: np.random.Generator) -> None:
    x, y = batches(rng, 3)
    model = mlp()
    step = training_step(model)
    observation = model.observe("0", of=["output"])
    run(step, x, y)
    observation.clear()
    assert observation.records == []
    run(step, x[:1], y[:1])
    assert [r["step"] for r in observation.records] == [3]


# ---- what is refused ---------------------------------------------------------------------------


def test_arguments_are_checked() -> None:
    model = Net()
    with pytest.raises(ArgumentError, match=r"no layer or parameter of Net matches 'bdoy\.0'"):
        model.observe(["bdoy.0"])
    with pytest.raises(ArgumentError, match="a path such as 'body.0'"):
        model.observe(["bdoy.0"])
    with pytest.raises(ArgumentError, match="'weights' cannot be observed\n  choose from output"):
        model.observe(of=["weights"])
    with pytest.raises(ArgumentError, match="every=0\n  it must be at least 1"):
        model.observe(every=0)
    with pytest.raises(ArgumentError, match="no statistic 'median'"):
        model.observe(statistics=["median"])
    with pytest.raises(ArgumentError, match="bins=1\n  a histogram needs at least 2"):
        model.observe(bins=1)
    with pytest.raises(ArgumentError, match="nothing was recorded yet"):
        model.observe().latest()


class InLoop(nn.Module):
    """A cell of layers in the body of a scan; with ``deep`` in that of a scan inside of it."""

    def __init__(self, deep: bool) -> None:
        super().__init__()
        self.deep = deep
        self.mix = nn.Linear(3, 3)
        self.squash = nn.Tanh()
        self.scores = nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        def cell(h: Any, x: Any) -> Any:
            h = self.squash(x + self.mix(h))
            return h, h

        def several(h: Any, x: Any) -> Any:
            return pellucid.scan(cell, h, x)

        h, states = pellucid.scan(several if self.deep else cell, pellucid.zeros(2, 3), x)
        return self.scores(states)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("compile", [False, True])
def test_layers_in_the_body_of_a_loop_are_seen_over_all_steps(compile: bool, deep: bool) -> None:
    pellucid.manual_seed(7)
    model = InLoop(deep)
    weight, bias = (p.detach().numpy().copy() for p in model.mix.parameters())
    seen = model.observe(of=EVERYTHING, statistics=("mean", "max", "saturated_fraction"))
    values = np.random.default_rng(8).standard_normal((6, 2, 3)).astype(np.float32)
    x = pellucid.tensor(values.reshape(3, 2, 2, 3) if deep else values)

    def step(x: Any) -> Any:
        model.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss.detach()

    (pellucid.compile(step) if compile else step)(x)
    h, mixed, states = np.zeros((2, 3), np.float32), [], []
    for row in values:
        mixed.append(h @ weight.T + bias)
        h = np.tanh(row + mixed[-1])
        states.append(h)
    record = seen.latest()
    assert set(record["output"]) == {"mix", "squash", "scores"}
    for name, expected in (("mix", np.stack(mixed)), ("squash", np.stack(states))):
        assert record["output"][name]["mean"] == pytest.approx(expected.mean(), abs=1e-6)
        assert record["output"][name]["max"] == pytest.approx(expected.max(), rel=1e-5)
    assert record["output"]["squash"]["saturated_fraction"] >= 0
    names = {"mix.weight", "mix.bias", "scores.weight", "scores.bias"}
    assert set(record["parameter"]) == set(record["parameter_gradient"]) == names
    assert record["parameter"]["mix.weight"]["mean"] == pytest.approx(weight.mean(), rel=1e-5)
    assert set(record["gradient"]) == {"scores"}  # those in the body are not recorded


@pytest.mark.parametrize("compile", [False, True])
def test_recurrent_layers_show_outputs_and_gradients(compile: bool) -> None:
    pellucid.manual_seed(9)
    model = nn.Sequential(nn.LSTM(3, 4, 2), pellucid.nn.Identity())
    seen = model.observe("0", of=("output", "gradient"), statistics=("mean", "norm"))
    x = pellucid.tensor(np.random.default_rng(3).standard_normal((5, 2, 3)).astype(np.float32))

    def step(x: Any) -> Any:
        output, (h, _) = model(x)
        (output * output + h[1]).sum().backward()
        return output.detach(), h.detach()

    output, h = (t.numpy() for t in (pellucid.compile(step) if compile else step)(x))
    record = seen.latest()
    assert set(record["output"]) == {"0[0]", "0[1]", "0[2]"}
    assert record["output"]["0[0]"]["norm"] == pytest.approx(np.linalg.norm(output), rel=1e-5)
    assert record["output"]["0[1]"]["mean"] == pytest.approx(h.mean(), rel=1e-4)
    gradient = 2 * output  # h[1] is added to all steps' squares by broadcasting
    assert record["gradient"]["0[0]"]["norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert record["gradient"]["0[1]"]["norm"] == pytest.approx(5 * np.sqrt(8), rel=1e-5)
