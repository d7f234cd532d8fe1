"""The records that Python writes are those that the native driver reads."""

from __future__ import annotations

import re

import pytest

from pellucid.backends.cpu import records, runtime_ir, strand_ir
from pellucid.backends.cpu.records import LOOP, MOVE, Record
from pellucid.base.errors import ArgumentError


def written() -> str:
    """The driver's text before offsets are filled in."""
    parts = [v for n, v in vars(runtime_ir).items() if re.fullmatch("_[A-Z_]+", n)]
    parts += [strand_ir.CHUNK, strand_ir.STRAND, strand_ir.SERIES]
    return "\n".join(p for p in parts if isinstance(p, str))


@pytest.mark.parametrize("record", records.ALL, ids=lambda r: r.name)
def test_the_driver_reads_every_field_by_name(record: Record) -> None:
    """Each but the first, which stands at the record's own address."""
    text = written()
    for field in record.fields[1:]:
        assert f"{{{record.name}_{field}}}".upper() in text


def test_offsets_are_words_in_order() -> None:
    assert MOVE.offsets() == {
        "MOVE_ENTRY": 0, "MOVE_BASE": 8, "MOVE_OFFSET": 16, "MOVE_STEP": 24, "MOVE_BYTES": 32,
    }  # fmt: skip
    # The moves of a loop follow its head as rows of one array.
    assert LOOP.bytes == MOVE.bytes


def test_a_row_has_exactly_the_fields() -> None:
    row = MOVE.row(step=4, base=2, offset=3, entry=1)
    assert row == (1, 2, 3, 4) and row[MOVE.place("offset")] == 3
    with pytest.raises(
        ArgumentError, match="a move got the fields entry\n.*entry, base, offset, step"
    ):
        MOVE.row(entry=1)
