"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError


def pad_sequences(
    sequences: Sequence[Sequence[int]],
    max_len: int | None = None,
    value: int = 0,
    keep: str = "start",
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Sequences of ids, filled up with ``value`` or cut to ``max_len`` (default: the longest).

    Returns ids int64 (sequences, max_len) and a mask, True where an id is real.  ``keep`` says
    which end of a sequence that is too long stays: ``start`` or ``end``.  Use ``value=-100`` for
    targets: ``cross_entropy`` leaves that out; where the mask is False, attention scores are set
    to −∞ before softmax.  Raises ``ArgumentError`` for no sequences and a ``max_len`` below 1.

    >>> pad_sequences([[5, 6, 7], [8]], max_len=2)[0].tolist()
    [[5, 6], [8, 0]]
    """
    longest = max((len(s) for s in sequences), default=0) if max_len is None else max_len
    if longest < 1:
        raise ArgumentError(
            f"pad_sequences got {len(sequences)} sequences and max_len={max_len}",
            "Give at least one id, and max_len from 1 up.",
        )
    if keep not in ("start", "end"):
        raise ArgumentError(f"pad_sequences got keep={keep!r}", "Use 'start' or 'end'.")
    ids = np.full((len(sequences), longest), value, np.int64)
    mask = np.zeros(ids.shape, np.bool_)
    for row, sequence in enumerate(sequences):
        kept = sequence[:longest] if keep == "start" else sequence[-longest:]
        ids[row, : len(kept)] = kept
        mask[row, : len(kept)] = True
    return ids, mask
