"""Programs on many copies of their state: each copy gets what it gets alone, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, OutOfRangeError
from pellucid.tensor.crowd import Argument, Crowd, Part, can_be_crowd
from pellucid.tensor.random import default_generator

MEMBERS, ROUNDS, STEPS = 7, 3, 4


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Any:
    before = pellucid.get_num_threads()
    pellucid.set_num_threads(request.param)
    yield request.param
    pellucid.set_num_threads(before)


def network(seed: int) -> tuple[nn.Module, optim.Optimizer]:
    pellucid.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 2))
    return model, optim.AdamW(model.parameters(), lr=0.01 * (1 + seed))


def step_of(model: nn.Module, optimizer: optim.Optimizer, x: Any, y: Any) -> Any:
    def step(rows: Any) -> Any:
        scores = model(x.index_select(0, rows))
        loss = nn.functional.cross_entropy(scores, y.index_select(0, rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return pellucid.compile(step)


def test_members_get_what_they_get_alone_bit_by_bit(threads: int) -> None:
    rng = np.random.default_rng(0)
    x = pellucid.tensor(rng.normal(size=(40, 5)).astype(np.float32))
    y = pellucid.tensor(rng.integers(0, 2, 40))
    rows = rng.integers(0, 40, (MEMBERS, ROUNDS, STEPS, 8))

    model, optimizer = network(0)
    program = step_of(model, optimizer, x, y).program_for(pellucid.tensor(rows[0, 0, 0]))
    assert can_be_crowd(program)
    state = default_generator.state
    crowd = Crowd(MEMBERS, [program], [*model.parameters(), state])
    part = Part(program, MEMBERS, ROUNDS, STEPS, [Argument(rows, "mrs")])
    alone = []
    for member in range(MEMBERS):
        own, its = network(member)
        for tensor, value in zip(model.parameters(), own.parameters(), strict=True):
            crowd.values(tensor)[member] = value.detach().numpy()
        crowd.values(state)[member] = default_generator.state.numpy()
        optimizer.param_groups[0]["lr"] = its.param_groups[0]["lr"]
        part.read_hosts(member)
        step = step_of(own, its, x, y)
        losses = [[step(pellucid.tensor(line)).item() for line in lines] for lines in rows[member]]
        alone.append((losses, [p.detach().numpy() for p in own.parameters()]))

    run = crowd.load([part], MEMBERS, ROUNDS)
    run.run()
    for member, (losses, weights) in enumerate(alone):
        np.testing.assert_array_equal(part.results[0][member], np.array(losses, np.float32))
        for tensor, values in zip(model.parameters(), weights, strict=True):
            np.testing.assert_array_equal(crowd.values(tensor)[member], values)


def test_parts_follow_one_another_and_begin_where_they_are_told() -> None:
    total, seen = pellucid.zeros(3), pellucid.zeros(3)

    def add(x: Any) -> None:
        total.add_(x)

    def look(scale: Any) -> Any:
        seen.copy_(total)
        return (total * scale).sum()

    adding = pellucid.compile(add).program_for(pellucid.zeros(3))
    looking = pellucid.compile(look).program_for(pellucid.zeros(()))
    crowd = Crowd(MEMBERS, [adding, looking])
    x = np.random.default_rng(1).integers(0, 9, (MEMBERS, ROUNDS, STEPS, 3)).astype(np.float32)
    scales = np.arange(1, MEMBERS + 1, dtype=np.float32)
    parts = [
        Part(adding, MEMBERS, ROUNDS, STEPS, [Argument(x, "mrs")]),
        Part(looking, MEMBERS, ROUNDS, 1, [Argument(scales, "m")]),
    ]
    run = crowd.load(parts, 5, ROUNDS)  # the last two members rest
    run.run()
    sums = x.sum(2).cumsum(1)
    wanted = (sums * scales[:, None, None]).sum(-1)
    np.testing.assert_array_equal(parts[1].results[0][:5, :, 0], wanted[:5])
    assert not crowd.values(total)[5:].any()
    np.testing.assert_array_equal(crowd.values(seen)[:5], sums[:5, -1])
    crowd.begin(run, 0, parts[0], 2, 2)
    run.set_rounds(1)
    run.run()
    np.testing.assert_array_equal(crowd.values(total)[:5], sums[:5, -1] + x[:5, 0, 2:].sum(1))
    assert not total.numpy().any()


def test_what_does_not_fit_is_told() -> None:
    table = pellucid.arange(4.0)
    program = pellucid.compile(lambda rows: table.index_select(0, rows)).program_for(
        pellucid.zeros(2, dtype=pellucid.int64)
    )
    with pytest.raises(ArgumentError, match="an argument of shape"):
        Part(program, 2, 1, 1, [Argument(np.zeros((2, 2), np.int32), "m")])
    rows = np.array([[0, 3], [1, 4]])
    crowd = Crowd(2, [program])
    run = crowd.load([Part(program, 2, 1, 1, [Argument(rows, "m")])])
    with pytest.raises(OutOfRangeError, match="out of range"):
        run.run()
    rows[1, 1] = 2
    run.run()

    def looped(x: Any) -> Any:
        return pellucid.scan(lambda c, x: (c + x, None), pellucid.zeros(()), x)[0]

    loop = pellucid.compile(looped).program_for(pellucid.zeros(50))
    assert not can_be_crowd(loop)
