"""Texts of ids as batches: streams of one long text, and rows of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError

Ids = npt.NDArray[np.int64]


def streams(ids: Any, batch: int, length: int) -> tuple[Ids, Ids]:
    """One long text as (inputs, targets), int64 (parts, batch, length) both.

    The text is cut into ``batch`` streams that are read side by side, ``length`` tokens at a time:
    row b of part p + 1 goes on where row b of part p ended, so that a state can be carried over
    (truncated back-propagation through time).  Targets are the inputs one token later.  What is
    left over at the end, fewer than batch · length tokens, is not used.

    >>> inputs, targets = streams(range(9), batch=2, length=2)
    >>> inputs.tolist(), targets[0].tolist()
    ([[[0, 1], [4, 5]], [[2, 3], [6, 7]]], [[1, 2], [5, 6]])
    """
    text = _text(ids, "streams")
    if batch < 1 or length < 1:
        raise ArgumentError(f"streams got batch={batch}, length={length}", "Use 1 or more.")
    parts = (len(text) - 1) // (batch * length)
    if parts < 1:
        raise DataError(
            f"a text of {len(text)} tokens is too short for {batch} streams of {length}",
            "Use fewer or shorter streams, or a longer text.",
        )
    used = parts * batch * length

    def cut(part: Ids) -> Ids:
        found = part.reshape(batch, parts, length).transpose(1, 0, 2)  # -> (parts, batch, length)
        return np.ascontiguousarray(found)

    return cut(text[:used]), cut(text[1 : used + 1])


def windows_of(ids: Any, length: int) -> tuple[Ids, Ids]:
    """Every run of ``length`` tokens of a text, and the same one token later: (n − length, length)
    both, views of the text."""
    text = _text(ids, "windows_of")
    if not 1 <= length < len(text):
        raise DataError(
            f"a text of {len(text)} tokens has no runs of {length} and one more",
            "Use a shorter context, or a longer text.",
        )
    runs = np.lib.stride_tricks.sliding_window_view(text, length)
    return runs[:-1], runs[1:]


def by_length(
    lengths: Sequence[int] | npt.NDArray[Any], batch_size: int, seed: int | None = None
) -> Iterator[Ids]:
    """Rows in batches of similar length, so that little is filled up; int64 arrays of row numbers.

    With ``seed`` rows of equal length and the batches come in a random order, otherwise the short
    rows come first.
    """
    sizes = np.asarray(lengths, np.int64)
    if sizes.ndim != 1 or batch_size < 1:
        raise ArgumentError(
            f"by_length got lengths of shape {sizes.shape}, batch_size={batch_size}",
            "Give a length for each row, and a batch size of at least 1.",
        )
    drawn = None if seed is None else np.random.default_rng(seed)
    rows = np.arange(len(sizes)) if drawn is None else drawn.permutation(len(sizes))
    rows = rows[np.argsort(sizes[rows], kind="stable")]
    batches = [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    order = range(len(batches)) if drawn is None else drawn.permutation(len(batches))
    for place in order:
        yield batches[int(place)]


def _text(ids: Any, name: str) -> Ids:
    text = np.asarray(ids, np.int64)
    if text.ndim != 1:
        raise ArgumentError(f"{name} got ids of shape {text.shape}", "Give one text (n,).")
    return text
