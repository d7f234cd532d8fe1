"""The memory planner: properties over random lifetimes."""

from __future__ import annotations

import itertools
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.compiler import memory
from pellucid.compiler.memory import ALIGNMENT, Lifetime, plan_memory

LIFETIMES = st.lists(
    st.builds(
        lambda size, first, length: Lifetime(size, first, first + length),
        st.one_of(st.integers(1, 300), st.sampled_from((64, 128, 4096))),
        st.integers(0, 20),
        st.integers(0, 8),
    ),
    max_size=40,
)


ORDERS = pytest.mark.parametrize("most_compared", [0, memory.MOST_COMPARED])
"""Placed by the time at which they are needed, as very many buffers are, and by their size."""


def planned(lifetimes: list[Lifetime], most_compared: int) -> tuple[list[int], int]:
    with mock.patch.object(memory, "MOST_COMPARED", most_compared):
        return plan_memory(lifetimes)


def alive_together(a: Lifetime, b: Lifetime) -> bool:
    return a.first <= b.last and b.first <= a.last


@ORDERS
@settings(max_examples=300, deadline=None, derandomize=True)
@given(lifetimes=LIFETIMES)
def test_buffers_alive_together_do_not_overlap(
    lifetimes: list[Lifetime], most_compared: int
) -> None:
    offsets, total = planned(lifetimes, most_compared)
    assert len(offsets) == len(lifetimes)
    for (a, at), (b, bt) in itertools.combinations(zip(lifetimes, offsets, strict=True), 2):
        if alive_together(a, b):
            assert at + a.size <= bt or bt + b.size <= at, (a, at, b, bt)
    for lifetime, offset in zip(lifetimes, offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert 0 <= offset and offset + lifetime.size <= total
    assert total % ALIGNMENT == 0


@ORDERS
@settings(max_examples=100, deadline=None, derandomize=True)
@given(lifetimes=LIFETIMES)
def test_never_more_than_side_by_side_and_never_less_than_the_peak(
    lifetimes: list[Lifetime], most_compared: int
) -> None:
    _, total = planned(lifetimes, most_compared)
    rounded = [-(-b.size // ALIGNMENT) * ALIGNMENT for b in lifetimes]
    assert total <= sum(rounded)
    steps = range(max((b.last for b in lifetimes), default=-1) + 1)
    peak = max((sum(b.size for b in lifetimes if b.first <= s <= b.last) for s in steps), default=0)
    assert total >= peak


@ORDERS
def test_buffers_after_one_another_share_memory(most_compared: int) -> None:
    chain = [Lifetime(1000, i, i) for i in range(10)]
    assert planned(chain, most_compared)[1] == 1024


@ORDERS
def test_no_buffers_need_no_memory(most_compared: int) -> None:
    assert planned([], most_compared) == ([], 0)


@ORDERS
def test_a_chain_and_its_gradient_need_their_peak(most_compared: int) -> None:
    """Each result stays until the gradient passes it, on the way back one more is there."""
    count = 50
    forward = [Lifetime(256, i, 2 * count - i) for i in range(count)]
    back = [Lifetime(256, 2 * count - i, 2 * count - i + 1) for i in range(count)]
    peak = max(
        sum(b.size for b in (*forward, *back) if b.first <= step <= b.last)
        for step in range(2 * count + 2)
    )
    assert planned([*forward, *back], most_compared)[1] == peak
