"""A model of how chunks are claimed, tried in every order in which threads can take turns.

The native driver's argument (:mod:`pellucid.backends.cpu.runtime_ir`) is prose; here its steps are
a small machine whose every interleaving is walked through.  A step is one access to shared memory.
The driver publishes regions: the region's description, then a counter of unclaimed chunks for each
thread's range.  Everybody claims by subtracting from a counter, and reads the description only
after a claim succeeded.  Workers may come late, with whatever they saw before.

Checked in every state: a chunk that runs belongs to the region that is open; no chunk runs twice;
and in the end every chunk of every region has run.  Plain stores may become visible in any order
unless release order holds them back, which the model tries too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

Ranges = tuple[int, ...]


@dataclass(frozen=True)
class Thread:
    """Where a thread is: what it does next, on which range, and what it holds."""

    at: str
    range: int = 0
    left: int = 0
    old: int = 0
    grain: int = 0
    ran: int = 0
    """Chunks run and not yet told."""


@dataclass(frozen=True)
class State:
    """Shared memory, the threads, and what has run so far."""

    region: int
    """The description that claims read: the number of the region it belongs to."""
    counters: tuple[int, ...]
    done: int
    open: int
    """The region that the driver is in, -1 before the first."""
    stores: tuple[tuple[str, int, int], ...]
    """The driver's stores that are not visible yet, in program order."""
    own: int
    """Chunks that the driver itself ran in this region."""
    threads: tuple[Thread, ...]
    log: frozenset[tuple[int, int, int]]
    """(region, range, chunk) that ran."""


class Broken(AssertionError):
    """A rule that a state breaks."""


@dataclass(frozen=True)
class Model:
    """Chunks of each thread's range for each region; what may be weakened to see it fail."""

    regions: tuple[Ranges, ...]
    early_read: bool = False
    """Workers read the description before they claim."""
    release: bool = True
    """Counters become visible after the description."""
    waits: bool = True
    """The driver waits until all chunks are done."""

    @property
    def count(self) -> int:
        """Number of threads, the driver among them."""
        return len(self.regions[0])

    def start(self) -> State:
        """Nothing published; workers are looking for work."""
        idle = Thread("look")
        threads = (Thread("publish"), *(replace(idle, range=t) for t in range(1, self.count)))
        return State(-1, (0,) * self.count, 0, -1, (), 0, threads, frozenset())

    def steps(self, s: State) -> Iterator[State]:
        """Every state that one step of one thread, or a store becoming visible, leads to."""
        for number, (kind, place, value) in enumerate(s.stores):
            if self.release and number and kind == "counter":
                continue  # release order: all stores before it are visible first
            stores = s.stores[:number] + s.stores[number + 1 :]
            yield self._visible(replace(s, stores=stores), kind, place, value)
        for me in range(self.count):
            yield from self._thread(s, me)

    def _visible(self, s: State, kind: str, place: int, value: int) -> State:
        if kind == "region":
            return replace(s, region=value)
        if kind == "done":
            return replace(s, done=value)
        counters = (*s.counters[:place], value, *s.counters[place + 1 :])
        return replace(s, counters=counters)

    def _with(self, s: State, me: int, thread: Thread) -> State:
        return replace(s, threads=(*s.threads[:me], thread, *s.threads[me + 1 :]))

    def _thread(self, s: State, me: int) -> Iterator[State]:
        t = s.threads[me]
        if t.at == "publish":
            yield from self._publish(s)
        elif t.at == "wait":
            total = sum(self.regions[s.open])
            # The driver sees its own stores, and waits for the chunks of the others.
            pending = any(kind == "done" for kind, _, _ in s.stores)
            if not self.waits or (not pending and s.done == total - s.own):
                yield self._with(replace(s, own=0), me, Thread("publish"))
        elif t.at == "look":
            yield self._look(s, me, t)
        elif t.at == "claim":
            yield self._claim(s, me, t)
        elif t.at == "run":
            yield self._run(s, me, t)

    def _publish(self, s: State) -> Iterator[State]:
        following = s.open + 1
        if following == len(self.regions):
            yield self._with(s, 0, Thread("end"))
            return
        stores = [("region", 0, following), ("done", 0, 0)]
        stores += [("counter", t, n) for t, n in enumerate(self.regions[following])]
        yield self._with(
            replace(s, open=following, stores=(*s.stores, *stores)), 0, Thread("look", 0)
        )

    def _seen(self, s: State, me: int, place: int) -> int:
        """What a thread reads of a counter; the driver reads its own stores at once."""
        if me == 0:
            for kind, at, value in reversed(s.stores):
                if kind == "counter" and at == place:
                    return value
        return s.counters[place]

    def _look(self, s: State, me: int, t: Thread) -> State:
        left = self._seen(s, me, t.range)
        if left > 0:
            seen = s.region if self.early_read else 0
            return self._with(s, me, replace(t, at="claim", left=left, old=seen))
        return self._next_range(s, me, t)

    def _next_range(self, s: State, me: int, t: Thread) -> State:
        """Tell what was run, and go on to the next range; in the end the driver waits."""
        if t.ran and me:
            s = replace(s, done=s.done + t.ran)
        elif t.ran:
            s = replace(s, own=s.own + t.ran)
        following = (t.range + 1) % self.count
        if following == me:
            return self._with(s, me, Thread("wait" if me == 0 else "look", me))
        return self._with(s, me, Thread("look", following))

    def _claim(self, s: State, me: int, t: Thread) -> State:
        grain = max(1, t.left // 4)
        # An atomic subtraction works on the newest value: the driver's stores are made visible.
        for kind, place, value in s.stores if me == 0 else ():
            s = self._visible(s, kind, place, value)
        s = replace(s, stores=()) if me == 0 else s
        old = s.counters[t.range]
        counters = (*s.counters[: t.range], old - grain, *s.counters[t.range + 1 :])
        s = replace(s, counters=counters)
        if old <= 0:
            return self._next_range(s, me, t)
        region = t.old if self.early_read else s.region
        return self._with(s, me, replace(t, at="run", left=old, old=region, grain=grain))

    def _run(self, s: State, me: int, t: Thread) -> State:
        size = min(t.left, t.grain)
        end = self.regions[t.old][t.range] if t.old >= 0 else 0
        chunks = range(end - t.left, end - t.left + size)
        if t.old != s.open:
            raise Broken(f"a chunk of region {t.old} runs while region {s.open} is open")
        for chunk in chunks:
            if (t.old, t.range, chunk) in s.log or not 0 <= chunk < end:
                raise Broken(f"chunk {chunk} of range {t.range} runs twice, or does not exist")
        log = s.log | {(t.old, t.range, chunk) for chunk in chunks}
        return self._with(replace(s, log=log), me, Thread("look", t.range, ran=t.ran + size))

    def walk(self) -> int:
        """Go through every state that can be reached; returns how many there are."""
        start = self.start()
        seen, stack = {start}, [start]
        everything = {
            (r, t, c)
            for r, ranges in enumerate(self.regions)
            for t, chunks in enumerate(ranges)
            for c in range(chunks)
        }
        ended = False
        while stack:
            state = stack.pop()
            if state.threads[0].at == "end":
                ended = True
                if state.log != everything:
                    raise Broken(f"{len(everything) - len(state.log)} chunks never ran")
                continue
            for following in self.steps(state):
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
        if not ended:
            raise Broken("the driver never ends")
        return len(seen)


@pytest.mark.parametrize(
    "regions",
    [
        ((1, 1), (1, 1)),
        ((2, 1), (1, 2)),
        ((5, 0), (0, 3), (1, 1)),
        ((0, 2), (2, 0)),
        ((1, 0, 1), (0, 1, 0)),
    ],
)
def test_each_chunk_runs_once_and_in_its_region(regions: tuple[Ranges, ...]) -> None:
    assert Model(regions).walk() > 100


@pytest.mark.parametrize(
    ("weakened", "message"),
    [
        ({"early_read": True}, "runs while region|runs twice"),
        ({"release": False}, "runs while region|runs twice"),
        ({"waits": False}, "runs while region|never ran|runs twice"),
    ],
    ids=("description read before the claim", "no release order", "nobody waits"),
)
def test_the_model_finds_what_each_rule_is_for(weakened: dict[str, bool], message: str) -> None:
    with pytest.raises(Broken, match=message):
        Model(((1, 1), (2, 1), (1, 1)), **weakened).walk()
