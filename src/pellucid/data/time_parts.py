"""Numbers that describe times: where they stand on the line of days, and in their cycles.

The last day of a year and the first of the next are neighbours, as 23 and 0 o'clock are: so a cycle
is two numbers, sine and cosine of the share of the turn that is over.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from pellucid.data.columns import SECONDS_PER_DAY

Floats = npt.NDArray[np.float64]

_CYCLES = ("time of year", "day of month", "weekday", "hour")
TIME_PARTS = ("days", *(f"{cycle} {wave}" for cycle in _CYCLES for wave in ("sin", "cos")))
"""The numbers that describe a time: the trend, and where it stands in its cycles."""
FORMER_TIME_PARTS = ("year", "month", "day", "weekday", "hour")
"""Parts that models of earlier versions have."""


def time_parts(seconds: Floats, wanted: Collection[str] = TIME_PARTS) -> dict[str, Floats]:
    """Numbers that describe times, NaN where missing: float64 (rows,) for each part ``wanted``."""
    missing = np.isnan(seconds)
    moments = np.where(missing, 0, seconds).astype(np.int64).astype("datetime64[s]")
    months = moments.astype("datetime64[M]").astype(np.int64)
    days = moments.astype("datetime64[D]").astype(np.int64)
    first_of_month = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    last_of_month = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    years = moments.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    hour = (seconds % SECONDS_PER_DAY) / 3600
    day = hour / 24
    # Shares of a turn, from 0 to 1.
    turns = {
        "time of year": (days - years + day) / 365.2425,
        "day of month": (days - first_of_month) / (last_of_month - first_of_month),
        "weekday": ((days + 3) % 7) / 7,  # 1970-01-01 was a Thursday
        "hour": day,
    }
    parts = {
        "days": seconds / SECONDS_PER_DAY,
        "year": np.floor_divide(months, 12) + 1970,
        "month": months % 12 + 1,
        "day": days - first_of_month + 1,
        "weekday": (days + 3) % 7,
        "hour": hour,
    }
    for name, turn in turns.items():
        parts |= {f"{name} sin": np.sin(2 * np.pi * turn), f"{name} cos": np.cos(2 * np.pi * turn)}
    return {part: np.where(missing, np.nan, parts[part]) for part in wanted}
