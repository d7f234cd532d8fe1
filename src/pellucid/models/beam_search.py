"""Writing a sequence with several beginnings in mind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError

Ids = npt.NDArray[np.int64]
Scores = Callable[[Ids, Ids], npt.NDArray[np.float64]]


def beam_search(
    log_probabilities: Scores, rows: int, start: int, end: int, length: int, beams: int = 4
) -> tuple[Ids, npt.NDArray[np.float64]]:
    """For each of ``rows`` sources the likeliest of the sequences found, int64 (rows, length)
    after ``start``, and its log-probability (rows,); what follows ``end`` is ``end``.

    At each step the ``beams`` likeliest beginnings of each row are kept (Lowerre, 1976; for
    networks Graves, 2012).  ``log_probabilities(numbers, ids)`` gives, for beginnings ``ids``
    (n, t) of the sources ``numbers`` (n,), ln P (n, tokens) of each token after them.  With one
    beam each token is the likeliest in its turn.
    """
    if beams < 1 or length < 1:
        raise ArgumentError(
            f"beam_search got beams={beams}, length={length}", "Use at least 1 of both."
        )
    ids = np.full((rows, 1, 1), start, np.int64)  # (rows, beams so far, tokens so far)
    totals = np.zeros((rows, 1))
    for step in range(length):
        kept = ids.shape[1]
        numbers = np.repeat(np.arange(rows), kept)
        logs = log_probabilities(numbers, ids.reshape(rows * kept, -1)).astype(np.float64)
        tokens = logs.shape[1]
        logs = logs.reshape(rows, kept, tokens)
        if step:
            done = ids[:, :, -1] == end
            stay = np.full(tokens, -np.inf)
            stay[end] = 0.0  # a sequence that has ended goes on with its end alone
            logs = np.where(done[:, :, None], stay, logs)
        sums = (totals[:, :, None] + logs).reshape(rows, kept * tokens)
        count = min(beams, kept * tokens)
        best = np.argsort(-sums, axis=1, kind="stable")[:, :count]
        totals = np.take_along_axis(sums, best, 1)
        before = np.take_along_axis(ids, (best // tokens)[:, :, None], 1)
        ids = np.concatenate([before, (best % tokens)[:, :, None]], 2)
        if (ids[:, :, -1] == end).all():
            break
    found = np.full((rows, length), end, np.int64)
    found[:, : ids.shape[2] - 1] = ids[:, 0, 1:]
    return found, totals[:, 0]
