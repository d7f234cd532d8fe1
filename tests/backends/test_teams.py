"""Whether more than one thread pays: tried with a clock that the test moves."""

from __future__ import annotations

import pytest

from pellucid.backends.cpu.teams import BLOCKS, MEASURED, RETRY_SECONDS, SKIPPED, TeamChoice

TRIED = 2 * BLOCKS * (SKIPPED + MEASURED)


class Clock:
    """Time passes only when a program runs: ``seconds`` by the way it runs, longer right after
    the way has changed."""

    def __init__(self, shared: float, alone: float) -> None:
        self.seconds = {False: shared, True: alone}
        self.now, self.last = 0.0, False
        self.choice = TeamChoice(lambda: self.now)
        self.ways: list[bool] = []

    def call(self, steps: int = 1) -> None:
        def go() -> None:
            way = self.choice.alone
            self.ways.append(way)
            self.now += steps * self.seconds[way] * (1 if way == self.last else 50)
            self.last = way

        self.choice.run(go, steps)


@pytest.mark.parametrize(("shared", "alone"), [(60e-6, 90e-6), (110e-6, 62e-6), (60e-6, 60e-6)])
def test_the_faster_way_is_kept_and_one_thread_only_if_it_is_faster(
    shared: float, alone: float
) -> None:
    clock = Clock(shared, alone)
    for _ in range(TRIED):
        assert clock.choice.tries
        clock.call()
    assert not clock.choice.tries
    assert set(clock.ways) == {False, True}, "both ways are tried"
    for _ in range(100):
        clock.call()
    assert clock.ways[TRIED:] == [alone < shared] * 100


def test_it_looks_again_when_the_threads_may_have_moved() -> None:
    clock = Clock(110e-6, 62e-6)
    for _ in range(TRIED):
        clock.call(4)
    assert clock.choice.alone
    clock.seconds = {False: 30e-6, True: 62e-6}
    calls = 0
    while not clock.choice.tries:
        clock.call(1000)
        calls += 1
    assert calls == -(-int(RETRY_SECONDS / 62e-6) // 1000)
    for _ in range(TRIED):
        clock.call()
    assert not clock.choice.alone


def test_a_program_that_chooses_gives_the_same_bits() -> None:
    import pellucid
    from pellucid import nn

    def trained(calls: list[int]) -> list[bytes]:
        pellucid.manual_seed(0)
        model = nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 2))
        optimizer = pellucid.optim.Adam(model.parameters())
        x, y = pellucid.randn(64, 30), pellucid.randint(0, 2, (64,))

        @pellucid.compile
        def step(x, y):  # type: ignore[no-untyped-def]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        for count in calls:
            step.many(count, pellucid.stack([x] * count), pellucid.stack([y] * count))
        program = step.executable.program
        assert program._choice is not None and not program._choice.tries
        return [p.detach().numpy().tobytes() for p in model.parameters()]

    before = pellucid.get_num_threads()
    try:
        pellucid.set_num_threads(2)
        chosen = trained([200]), trained([1] * 200)
        pellucid.set_num_threads(1)
        assert chosen == (trained([200]), trained([1] * 200))
    finally:
        pellucid.set_num_threads(before)
