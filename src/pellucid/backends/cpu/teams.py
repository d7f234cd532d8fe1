"""Whether a small program runs on all threads or on the calling one: found out by trying.

A region's fork and join cost a microsecond or two, but what one core wrote and another reads has to
travel between their caches, and how long that takes depends on where the system has put the
threads: between hyperthreads of one core next to nothing, between sockets (or the processors that
a host lends out) several microseconds for 16 KiB.  No estimate from shapes can know it.  Results
do not depend on the number of threads, so a program may simply try both ways on its first calls,
keep the faster one, and look again now and then, because threads move.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LARGEST_COST = 300_000.0
"""Programs with more work than this (nanoseconds on one thread) always use all threads."""
BLOCKS = 3
"""Each way is tried in so many blocks of calls, alternately."""
SKIPPED, MEASURED = 2, 4
"""Calls of a block: the first ones bring the data into the caches of who works on them."""
STEPS_A_CALL = 4
"""Runs of many steps are cut into calls of so many while the ways are tried."""
ADVANTAGE = 0.97
"""One thread has to be faster by this factor: it is chosen for good reason, not by noise."""
RETRY_SECONDS = 3.0
"""After about so long in the program the ways are tried again."""


class TeamChoice:
    """Chooses between all threads and one for the calls of one program.

    ``alone`` says how the next call runs.  Each way's time is the shortest of its measured calls,
    which noise cannot make shorter.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._left = 0
        self._begin()

    @property
    def tries(self) -> bool:
        """Whether the ways are being tried now."""
        return self._left <= 0

    def run(self, go: Callable[[], None], steps: int) -> None:
        """Call ``go``, which runs ``steps`` steps as ``alone`` says, and learn from it."""
        if self._left > 0:
            self._left -= steps
            if self._left <= 0:
                self._begin()
            go()
            return
        start = self._clock()
        go()
        self._note((self._clock() - start) / steps)

    def _begin(self) -> None:
        self._call = 0
        self._fastest = {False: float("inf"), True: float("inf")}
        self.alone = False

    def _note(self, seconds: float) -> None:
        """Keep the time of a call, and take the next way when its block is over."""
        block = SKIPPED + MEASURED
        if self._call % block >= SKIPPED:
            self._fastest[self.alone] = min(self._fastest[self.alone], seconds)
        self._call += 1
        self.alone = self._call // block % 2 == 1
        if self._call == 2 * BLOCKS * block:
            shared, alone = self._fastest[False], self._fastest[True]
            self.alone = alone < ADVANTAGE * shared
            self._left = max(1, int(RETRY_SECONDS / max(min(shared, alone), 1e-7)))
