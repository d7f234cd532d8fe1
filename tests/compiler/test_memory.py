"""The memory planner: properties over random lifetimes."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

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


def alive_together(a: Lifetime, b: Lifetime) -> bool:
    return a.first <= b.last and b.first <= a.last


@settings(max_examples=300, deadline=None, derandomize=True)
@given(lifetimes=LIFETIMES)
def test_buffers_alive_together_do_not_overlap(lifetimes: list[Lifetime]) -> None:
    offsets, total = plan_memory(lifetimes)
    assert len(offsets) == len(lifetimes)
    for (a, at), (b, bt) in itertools.combinations(zip(lifetimes, offsets, strict=True), 2):
        if alive_together(a, b):
            assert at + a.size <= bt or bt + b.size <= at, (a, at, b, bt)
    for lifetime, offset in zip(lifetimes, offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert 0 <= offset and offset + lifetime.size <= total
    assert total % ALIGNMENT == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lifetimes=LIFETIMES)
def test_never_more_than_side_by_side_and_never_less_than_the_peak(
    lifetimes: list[Lifetime],
) -> None:
    _, total = plan_memory(lifetimes)
    rounded = [-(-b.size // ALIGNMENT) * ALIGNMENT for b in lifetimes]
    assert total <= sum(rounded)
    steps = range(max((b.last for b in lifetimes), default=-1) + 1)
    peak = max((sum(b.size for b in lifetimes if b.first <= s <= b.last) for s in steps), default=0)
    assert total >= peak


def test_buffers_after_one_another_share_memory() -> None:
    chain = [Lifetime(1000, i, i) for i in range(10)]
    assert plan_memory(chain)[1] == 1024


def test_no_buffers_need_no_memory() -> None:
    assert plan_memory([]) == ([], 0)
