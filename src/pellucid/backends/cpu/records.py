"""The records that Python writes and the native driver reads: what stands where.

Each is defined once, by the names of its fields; :mod:`.runtime` writes rows by these names, and
:mod:`.runtime_ir` has ``{REGION_CHUNKS}`` and the like in its text for their offsets.
"""

from __future__ import annotations

from pellucid.base.errors import ArgumentError

FIELD_BYTES = 8
"""Every field is one word: an int64, or an address."""


class Record:
    """A row of fields, one word each, in this order."""

    def __init__(self, name: str, *fields: str) -> None:
        self.name, self.fields = name, fields
        self.bytes = FIELD_BYTES * len(fields)

    def place(self, field: str) -> int:
        """Which word a field is."""
        return self.fields.index(field)

    def row(self, **values: int) -> tuple[int, ...]:
        """The values in the order of the fields; each must be given, and no others."""
        if values.keys() != set(self.fields):
            raise ArgumentError(
                f"a {self.name} got the fields {', '.join(values)}",
                f"it has exactly {', '.join(self.fields)}",
            )
        return tuple(values[field] for field in self.fields)

    def offsets(self) -> dict[str, int]:
        """``NAME_FIELD`` → offset in bytes, and ``NAME_BYTES``, for the driver's text."""
        prefix = self.name.upper()
        found = {f"{prefix}_{f.upper()}": FIELD_BYTES * i for i, f in enumerate(self.fields)}
        return {**found, f"{prefix}_BYTES": self.bytes}


PROGRAM = Record(
    "program", "table", "region_count", "regions", "strided_count", "strided", "profile", "flush"
)
"""A program's header."""

REGION = Record("region", "kind", "first", "task_count", "chunks", "ends")
"""``kind`` is 0, or 1 if threads share the region; ``first`` is the address of its first task,
``chunks`` their total, ``ends`` the address of the ends of the threads' ranges.  Of kind 2 and 3,
the begin and the end of a loop, ``first`` is the address of the loop's record and the rest is 0;
of kind 4, a call of the host, that of the call's record."""

LOOP = Record("loop", "left", "iterations", "first_region", "move_count")
"""A loop; ``left`` counts down.  Its moves follow."""

MOVE = Record("move", "entry", "base", "offset", "step")
"""A table entry that a loop moves: it begins ``offset`` bytes after what the entry ``base`` points
to and goes on by ``step`` bytes after each iteration."""

TASK = Record("task", "kernel", "slots", "chunks", "before", "first")
"""A run of chunks of one kernel: its address, the address of its slots (int32), how many chunks,
the chunks of the records before it, and the kernel's own number of its first chunk."""

STRAND = Record(
    "strand", "iterations", "entry_count", "task_count", "whole", "threads", "chunks", "used"
)
"""A strand; its entries follow, then its tasks.  ``whole`` says whether a chunk is some iterations
of whole tasks (else it is, in all iterations, this chunk of each task); ``threads`` is 0 if it has
no local values; ``used`` has a bit for each place of local values that is in use."""

ENTRY = Record("entry", "entry", "step", "shift", "local", "round")
"""An entry of a strand's own table: the entry of the program's table that it begins from, bytes on
after each iteration, bytes on for each chunk, the bytes of a chunk if it is local, and bytes on
for each round of a series."""

STRAND_TASK = Record("strand_task", "kernel", "slots", "chunks")
"""A task of a strand; its slots count in the strand's own table."""

SERIES = Record("series", "count", "rounds", "threads", "chunks", "used")
"""Strands that run one after the other for each chunk, and this so many rounds: how many strands,
and as for a strand the places of local values, which they share; the addresses of their records
follow."""

CALL = Record("call", "callback", "number")
"""A call of the host: ``i64 callback(i64 number)``, which returns 0, or 1 to end the run."""

ALL = (PROGRAM, REGION, LOOP, MOVE, CALL, TASK, STRAND, ENTRY, STRAND_TASK, SERIES)
