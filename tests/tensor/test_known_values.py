"""Values that a program does not need its inputs for: Python may use them while it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import pellucid
from helpers import assert_same
from pellucid.base.errors import ArgumentError, OutOfRangeError, TraceError

X = pellucid.arange(12.0).reshape(3, 4)


def _changed(x: Any) -> Any:
    """A number that was changed in place before it is read."""
    counts = pellucid.tensor([1, 2])
    counts.add_(1)
    first = counts[:1]
    first.mul_(5)
    return x * counts.tolist()[0] * first.item()


def _changed_before_a_loop(x: Any) -> Any:
    factor = pellucid.tensor([1.0, 2.0, 3.0, 4.0])
    factor.add_(1)
    return pellucid.scan(lambda c, v: (c + v * factor, c), pellucid.zeros(4), x)[0]


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "a condition": lambda x: x if pellucid.tensor(x.shape).prod() > 4 else -x,
    "a size": lambda x: x[0] + pellucid.arange(pellucid.tensor([2, 2]).sum()),
    "positions": lambda x: x[pellucid.nonzero(pellucid.tensor([1, 0, 1]))[:, 0]],
    "a mask": lambda x: x[pellucid.tensor([0.5, 2.0, 3.0]) > 1],
    "selected": lambda x: pellucid.masked_select(x, pellucid.arange(4) % 2 == 0),
    "split": lambda x: pellucid.tensor_split(x.reshape(-1), pellucid.tensor([2, 5]) + 1),
    "a part": lambda x: x.narrow(0, pellucid.tensor(1), pellucid.tensor(2)),
    "equal": lambda x: x if pellucid.equal(pellucid.ones(2), pellucid.ones(2)) else -x,
    "counted": lambda x: pellucid.bincount(pellucid.tensor([1, 3, 1])) * x[0, 1],
    "rolled": lambda x: x.roll(pellucid.tensor(1), 0),
    "a line": lambda x: pellucid.linspace(x[0, 1], x[1, 1], pellucid.tensor(5)),
    "changed": _changed,
    "changed before a loop": _changed_before_a_loop,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_that_follow_from_constants(name: str) -> None:
    eager = PROGRAMS[name](X)
    compiled = pellucid.compile(PROGRAMS[name])(X)
    pair = [r if isinstance(r, tuple) else (r,) for r in (compiled, eager)]
    for mine, theirs in zip(*pair, strict=True):
        assert_same(mine, theirs)


def test_shapes_that_arguments_decide() -> None:
    x = pellucid.tensor([5.0, 6.0, 7.0], requires_grad=True)

    def repeated(x: Any, counts: Any) -> Any:
        return pellucid.repeat_interleave(x, counts, dim=0, output_size=4)

    step = pellucid.compile(repeated)
    for counts in ([1, 2, 1], [0, 4, 0], [2, 0, 2]):
        given = pellucid.tensor(counts)
        assert step(x, given).tolist() == repeated(x, given).tolist()
        (slope,) = pellucid.grad(step(x, given).sum(), [x])
        assert slope.tolist() == counts
    for counts in ([1, 1, 1], [9, 0, 0]):
        with pytest.raises(ArgumentError, match="does not match required size"):
            repeated(x, pellucid.tensor(counts))
        with pytest.raises(OutOfRangeError):
            step(x, pellucid.tensor(counts))

    single = pellucid.compile(lambda x: pellucid.unique(x, True, True, True))
    for value in (pellucid.tensor(3.0), pellucid.ones(1, 1), pellucid.zeros(0)):
        found = single(value), pellucid.unique(value, True, True, True)
        for mine, theirs in zip(*found, strict=True):
            assert_same(mine, theirs)
    selected = pellucid.compile(lambda x, i: x.select(0, i))
    assert selected(X, pellucid.tensor(2)).tolist() == [8, 9, 10, 11]
    with pytest.raises(OutOfRangeError):
        selected(X, pellucid.tensor(3))


def test_values_that_depend_on_arguments_stay_unknown() -> None:
    for function in (
        lambda x: x if x.sum() > 0 else -x,
        lambda x: pellucid.nonzero(x * pellucid.tensor(0.0)),
        lambda x: X[x[0].long() :],
    ):
        with pytest.raises(TraceError, match="is not known"):
            pellucid.compile(function)(pellucid.ones(2))
