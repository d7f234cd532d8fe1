"""Parts of inputs that are present or absent together: elements, columns, tokens, regions.

A *player* is one of them; what a group of players contributes is found by replacing the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.explain.segments import segments

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
Groups = Any
"""How elements belong together.

None: each alone.  ``"positions"``: each position along the first axis of a row (tokens, times) with
all it holds.  ``"columns"``: each position along the last axis.  ``"pixels"``: all channels of each
place of a picture (channels, height, width).  ``("regions", size)``: squares of ``size`` × ``size``
pixels.  ``("segments", count)``: about so many connected patches of like colour, of each picture
its own.  An array of whole numbers shaped as a row (or as the rows): equal numbers belong together,
as Captum's ``feature_mask``.  A mapping from names to positions in a row of numbers; what is in
none stays alone.  For several inputs a tuple with one for each.
"""
KINDS = ("elements", "positions", "columns", "pixels", "regions", "segments")


@dataclass(frozen=True, eq=False)
class Players:
    """The player that each element of each input belongs to.

    ``labels``: int64 of the input's shape with 1 or all rows in front; players are numbered over
    all inputs.  ``names`` (players,).
    """

    labels: tuple[Labels, ...]
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of players."""
        return len(self.names)

    def of_row(self, row: int) -> list[Labels]:
        """The labels of one row, (1, …) for each input."""
        return [np.asarray(part[min(row, len(part) - 1)])[None] for part in self.labels]

    def spread(self, shares: Array, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Shares (rows, players) divided equally among each player's elements, as the inputs."""
        found = []
        rows = range(len(shares))
        sizes = np.zeros((len(shares), self.count))
        for part in self.labels:
            for row in rows:
                own = part[min(int(row), len(part) - 1)]
                sizes[row] += np.bincount(own.ravel(), minlength=self.count)
        each = shares / np.maximum(sizes, 1)
        for part, x in zip(self.labels, inputs, strict=True):
            index = np.broadcast_to(part, x.shape).reshape(len(x), -1)
            found.append(np.take_along_axis(each, index, axis=1).reshape(x.shape))
        return tuple(found)


def players_of(
    inputs: Sequence[Array],
    groups: Groups,
    input_names: Sequence[str],
    names: Sequence[str] | None = None,
) -> Players:
    """The players of inputs (rows, …); ``names`` are those of the elements (or groups) of a single
    input."""
    several = len(inputs) > 1
    given = groups if several and isinstance(groups, tuple | list) else [groups] * len(inputs)
    if isinstance(groups, Mapping) and several:
        given = [groups.get(name) for name in input_names]
    if len(given) != len(inputs):
        raise ArgumentError(
            f"groups has {len(given)} entries for {len(inputs)} inputs", "Give one for each."
        )
    labels: list[Labels] = []
    told: list[str] = []
    start = 0
    for x, how, own in zip(inputs, given, input_names, strict=True):
        part, part_names = _labels(x, how, names if not several else None)
        prefix = f"{own} " if several else ""
        told += [f"{prefix}{name}" for name in part_names]
        labels.append(part + start)
        start += len(part_names)
    return Players(tuple(labels), tuple(told))


def _labels(x: Array, how: Any, names: Sequence[str] | None) -> tuple[Labels, list[str]]:
    shape = x.shape[1:]
    if isinstance(how, Mapping):
        return _named(shape, how, names)
    if isinstance(how, str) or (isinstance(how, tuple) and how and isinstance(how[0], str)):
        kind, size = (how, 0) if isinstance(how, str) else (how[0], int(how[1]))
        part = _kind(x, kind, size)
    elif how is None:
        part = np.arange(int(np.prod(shape, dtype=int))).reshape(1, *shape)
    else:
        part = np.asarray(how.detach().numpy() if hasattr(how, "detach") else how)
        part = part[None] if part.shape == shape else part
        if part.shape[1:] != shape or len(part) not in (1, len(x)) or part.dtype.kind not in "iu":
            raise ShapeError(
                f"groups of shape {part.shape} ({part.dtype}) for an input {x.shape}",
                "Give whole numbers shaped as one row, or as all rows.",
            )
    found, codes = np.unique(part, return_inverse=True)
    whole = codes.reshape(part.shape).astype(np.int64)
    listed = list(names) if names is not None else []
    if listed and len(listed) == len(found):
        return whole, [str(name) for name in listed]
    return whole, [_name(how, int(i), shape) for i in range(len(found))]


def _name(how: Any, index: int, shape: tuple[int, ...]) -> str:
    if how is None and len(shape) > 1:
        return str(tuple(int(i) for i in np.unravel_index(index, shape)))
    if isinstance(how, str) and how == "pixels":
        return str(tuple(int(i) for i in np.unravel_index(index, shape[1:])))
    return f"x{index}" if how is None else str(index)


def _named(
    shape: tuple[int, ...], how: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[Labels, list[str]]:
    if len(shape) != 1:
        raise ShapeError(
            f"groups by name for rows of shape {shape}",
            "Names group rows of numbers; give an array of labels for others.",
        )
    known = list(names) if names is not None else [f"x{i}" for i in range(shape[0])]
    part = np.full(shape[0], -1, np.int64)
    for code, members in enumerate(how.values()):
        for member in members:
            place = known.index(member) if isinstance(member, str) and member in known else member
            if not isinstance(place, int | np.integer) or not 0 <= place < shape[0]:
                raise ArgumentError(
                    f"groups names {member!r}, which is no column", f"There are {shape[0]}."
                )
            part[place] = code
    told = [str(name) for name in how]
    for place in np.flatnonzero(part < 0):
        part[place] = len(told)
        told.append(known[place])
    return part[None], told


def _kind(x: Array, kind: str, size: int) -> Labels:
    shape = x.shape[1:]
    if kind not in KINDS:
        raise ArgumentError(f"groups={kind!r}", f"Use one of {', '.join(KINDS)}, or an array.")
    pictures = kind in ("pixels", "regions", "segments")
    if (pictures and len(shape) != 3) or not shape:
        raise ShapeError(
            f"groups={kind!r} for an input {x.shape}",
            "Pictures are (rows, channels, height, width)." if pictures else "A row has no axes.",
        )
    if kind == "segments":
        found = [segments(row, size or 50) for row in x]
        return np.stack([np.broadcast_to(f, shape) for f in found]).astype(np.int64)
    if kind == "elements":
        found_all: Any = np.arange(int(np.prod(shape))).reshape(shape)
    elif kind == "positions":
        found_all = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    elif kind == "columns":
        found_all = np.arange(shape[-1])
    else:
        side = 1 if kind == "pixels" else (size or max(1, min(shape[1:]) // 7))
        lines, columns = np.arange(shape[1]) // side, np.arange(shape[2]) // side
        found_all = lines[:, None] * (int(columns[-1]) + 1) + columns
    return np.broadcast_to(found_all, shape)[None].astype(np.int64)
