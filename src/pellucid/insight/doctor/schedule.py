"""Which steps are looked at: many at first, then as many as a share of the time allows."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

DENSE = 4
"""So many first steps are looked at one after the other, where they are cheap."""
CREDIT = 0.1
"""Seconds that may be spent before any time has passed."""
SLOWER = 6.0
"""A row that is looked at, by NumPy and with all layers observed, takes so many times as long."""
LOOK_SECONDS = 0.03
LEAST_SECONDS = 0.008
MOST_ROWS = 32
LONG_STEP, FIRST_ROWS = 0.005, 4
"""Of steps that take longer the first look has few rows."""
SAVED = 0.5
"""The share of what time allows that can be set aside."""
GROWTH = 1.3
"""Steps between looks grow by this factor, until time decides."""


class Schedule:
    """Looks at steps 0, 1, 2, 3, 5, 7, 10 …, each the next but for time: what looking has cost so
    far stays below ``share`` of the time since the first step.

    ``steps`` is how many are done.  ``share`` 0 looks at nothing, 1 at as many as the row allows.
    """

    def __init__(self, share: float, credit: float = CREDIT) -> None:
        self.share = share
        self.credit = credit
        self.spent = 0.0
        """Seconds that looking has cost."""
        self.steps = 0
        self.looks = 0
        self.next_step = 0
        """The step from which on the next look may be."""
        self._predicted = 0.0
        self._begun = time.perf_counter()
        self._plain: deque[float] = deque(maxlen=15)
        """What the last steps that nobody looked at took."""
        self._costs: deque[float] = deque(maxlen=5)
        self._saving_since: float | None = None
        self._rows = self._looked_rows = 0
        """Rows of the look that is thought of, and of the last one."""
        self._per_row = 0.0
        """Seconds that each of those took."""
        self._is_made = False
        """Whether looks are runs of a program now, at whole batches."""
        self._apart = 0.0
        """Seconds of the look that is going on which are counted already."""

    @property
    def elapsed(self) -> float:
        """Seconds since the first step."""
        return time.perf_counter() - self._begun

    @property
    def left(self) -> float:
        """Seconds that may be spent now."""
        return self.credit + self.share * self.elapsed - self.spent

    @property
    def _saved(self) -> float:
        """Seconds of them that are set aside."""
        since = self._saving_since
        return 0.0 if since is None else SAVED * self.share * max(0.0, self.elapsed - since)

    def save(self) -> None:
        """From now on a part of what time allows is kept from looks, for something that costs
        more than one."""
        if self._saving_since is None:
            self._saving_since = self.elapsed

    def made(self, seconds: float, steps: float) -> None:
        """It has cost so much; looks from now on take about ``steps`` times as long as a step."""
        self.spent += seconds
        self._apart += seconds
        self._is_made, self._looked_rows = True, 0
        self._saving_since = None
        self._costs.clear()
        self._costs.append(steps * (median(self._plain) if self._plain else 0.0))

    def rows_to_look_at(self, batch: int) -> int:
        """How many rows of a batch a look may have, so that it takes about 30 ms: a row costs a
        few times what it costs in a step.  What it will take is what the first look is weighed by.
        """
        usual = median(self._plain) if self._plain else 0.0
        per_row = max(SLOWER * usual / max(1, batch), self._per_row)
        rows = int(max(2.0, min(MOST_ROWS, LOOK_SECONDS / max(per_row, 1e-9))))
        if not self.looks and usual > LONG_STEP:
            rows = min(rows, FIRST_ROWS)  # what a row of it costs is hard to say beforehand
        self._predicted = per_row * min(rows, batch) + LEAST_SECONDS
        self._rows = min(rows, batch)
        return rows

    @property
    def is_due(self) -> bool:
        """Whether the step that begins now is to be looked at."""
        if self.share <= 0 or self.steps < self.next_step:
            return False
        expected = median(self._costs) if self._costs else self._predicted
        if self._looked_rows > self._rows:
            expected = min(expected, self._predicted)
        return self.left - self._saved >= expected

    def pause(self, seconds: float) -> None:
        """So many seconds belong to something else and do not count."""
        self._begun += seconds

    def looked(self, seconds: float) -> None:
        """A look is over; it has cost so much, and what was made in it apart."""
        seconds, self._apart = seconds - self._apart, 0.0
        self.spent += max(0.0, seconds)
        self._costs.append(max(0.0, seconds))
        if self._rows and not self._is_made:
            self._per_row = max(0.0, seconds - LEAST_SECONDS) / self._rows
            self._looked_rows = self._rows
        self.looks += 1
        gap = 1 if self.looks < DENSE else max(1, int((self.steps + 1) * (GROWTH - 1)))
        self.next_step = self.steps + min(gap, 1000)

    def stepped(self, seconds: float, looked_at: bool, count: int = 1) -> None:
        """Steps are over that took so long, all together; of one that was looked at, what it took
        longer than others counts as the cost of looking."""
        if looked_at:
            usual = median(self._plain) if self._plain else seconds
            self.looked(seconds - usual)
        elif count:
            self._plain.append(seconds / count)
        self.steps += count
