"""What a trial does is taken back bit for bit, and its steps are the program's own."""

from __future__ import annotations

import random

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.bench import ModelBench
from pellucid.training.capture import random_state

RNG = np.random.default_rng(3)
X = RNG.standard_normal((48, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 48)


def network() -> nn.Module:
    pellucid.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.4), nn.Linear(16, 3)
    )


OPTIMIZERS = {
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True),
}


def everything(model, optimizer):
    """All that a training goes on from, as plain values."""
    values = {name: np.array(v.numpy()) for name, v in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [None if p._grad is None else np.array(p._grad.numpy()) for p in model.parameters()]
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    slots = {
        (number, name): np.array(v.numpy()) if hasattr(v, "numpy") else v
        for number, p in enumerate(model.parameters())
        for name, v in optimizer.state.get(p, {}).items()
    }
    numbers = random_state()
    return values, modes, gradients, groups, slots, numbers


def same(a, b):
    """Whether two nested structures hold the same bits."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("begun", [False, True])
def test_a_trial_leaves_no_trace(name, compiled, begun):
    model = network()
    model[1].eval()
    optimizer = OPTIMIZERS[name](model.parameters())
    if begun:
        pellucid.nn.functional.cross_entropy(
            model(pellucid.tensor(X)), pellucid.tensor(Y)
        ).backward()
        optimizer.step()
    bench = ModelBench(model, "cross_entropy", optimizer, [(X, Y)])
    bench._spent = 10.0 if compiled else 0.0
    bench.compile = compiled
    before = everything(model, optimizer)
    for _ in range(2):
        with bench.trial():
            for scale in (1.0, 10.0, 0.1):
                bench.step((X, Y), scale=scale)
            random.random(), np.random.random(), pellucid.rand(3)
            model[3].p, model[4] = 0.0, nn.Identity()
            optimizer.param_groups[0]["lr"] = 7.0
            model.note = [1, 2]
            model.eval()
            for parameter in model.parameters():
                parameter.requires_grad_(False)
    assert same(before, everything(model, optimizer))
    assert not hasattr(model, "note")
    assert all(p.requires_grad for p in model.parameters())


def test_steps_are_those_of_the_trainer_bit_for_bit():
    model, twin = network(), network()
    trainer = Trainer(model, "cross_entropy", OPTIMIZERS["adam"](model.parameters()), clip_norm=0.5)
    trainer.fit((X, Y), epochs=3, batch_size=48, shuffle=False, progress=False)
    bench = ModelBench(
        twin, "cross_entropy", OPTIMIZERS["adam"](twin.parameters()), [(X, Y)], clip_norm=0.5
    )
    bench._spent = 10.0
    pellucid.manual_seed(1)
    network()
    with bench.trial():
        for _ in range(3):
            bench.step((X, Y))
        for a, b in zip(model.parameters(), twin.parameters(), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_what_is_observed_does_not_see_trials():
    model = network()
    bench = ModelBench(model, "cross_entropy", None, [(X, Y)])
    with model.observe() as seen:
        model(pellucid.tensor(X))
        with bench.trial():
            bench.step((X, Y))
        assert len(seen.records) == 1
        model(pellucid.tensor(X))
        assert len(seen.records) == 2


def test_programs_are_kept_over_trials(recwarn):
    model = network()
    bench = ModelBench(model, "cross_entropy", optim.Adam(model.parameters()), [(X, Y)])
    bench._spent = 10.0
    ends = set()
    for _ in range(12):
        with bench.trial():
            bench.step((X, Y))
            ends.add(bench.step((X, Y)))
    assert len(ends) == 1
    assert not recwarn.list


def test_measuring_leaves_no_trace_and_agrees_with_a_definition():
    model = network()
    bench = ModelBench(model, "cross_entropy", None, [(X, Y)])
    before = everything(model, bench.optimizer)
    scores = bench.outputs((X, Y))
    chosen = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    expected = -chosen[np.arange(48), Y].mean()
    assert bench.loss((X, Y), training=False) == pytest.approx(expected, rel=1e-5)
    found = bench.gradients((X, Y))
    assert found.keys() == dict(model.named_parameters()).keys()
    assert bench.loss((X, Y)) == bench.loss((X, Y))
    assert same(before, everything(model, bench.optimizer))


def test_steps_outside_of_a_trial_are_refused():
    model = network()
    with pytest.raises(ArgumentError, match="outside of a trial"):
        ModelBench(model, "cross_entropy", None, [(X, Y)]).step((X, Y))
