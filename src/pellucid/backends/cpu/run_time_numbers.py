"""Numbers that a kernel receives instead of having them in its text.

The stages of a deep network differ in extents: the same loops run over 32 × 32 × 64 and over
4 × 4 × 512.  What depends on such a number in the instructions (strides of rows, numbers of rows,
divisors of a mean) is read from a table of the kernel's own instead, so that one text, compiled
once, serves all of them.  What LLVM's vectorizer must know, how an element's position depends on
the innermost loop, stays in the text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from pellucid.backends.cpu.ir import Function, Value

LARGEST_IN_TEXT = 2
"""Integers up to this size mean something else than an extent, and stay."""
LEAST_EXTENT = 64
"""Kernels of shorter rows have all numbers in their text: they would take a fifth longer."""
LARGEST_MULTIPLE, LEAST_MULTIPLE = 64, 32
"""What an extent is divisible by stays known, so that vectors need no rest."""
POSITIVE = ", !range !5"
"""Says that a number is from 1 to 2⁴⁰ − 1: then LLVM knows that vectors leave no rest."""
DIVISIBLE = 1 << 32
"""Below this, a quotient is the upper half of a product (see :meth:`RunTimeNumbers.quotient`)."""


class RunTimeNumbers:
    """Writes where a kernel's numbers come from: its text if they are ``fixed``, or its table."""

    def __init__(
        self,
        function: Function,
        words: list[int],
        table: Callable[[], Value],
        entry: Callable[[], list[str]],
        fixed: bool,
        piece: bool = False,
    ) -> None:
        """``words`` is the table's content so far, ``table()`` its address, ``entry()`` the block
        that runs once per call.

        Of a ``piece`` of a long chain all real numbers are handed over: others may share it.
        """
        self.f, self.words, self.table, self.entry = function, words, table, entry
        self.fixed, self.piece = fixed, piece

    def _word(self, type_: str, word: int, known: str = "") -> Value:
        """The next word of the table, read once per call.

        Equal numbers have words of their own: they may differ in a kernel that shares the text.
        """
        f, words, pointer = self.f, self.words, self.table()
        words.append(word)
        with f.into(self.entry()):
            return f.load(type_, f.gep(pointer, len(words) - 1, "i64"), 8, known)

    def integer(self, value: int) -> Value:
        """``value`` as an i64."""
        if self.fixed or abs(value) <= LARGEST_IN_TEXT:
            return self.f.i64(value)
        return self._word("i64", value)

    def real(self, type_: str, value: float) -> Value:
        """``value`` as a ``float`` or ``double``; only what looks like an extent or 1/extent."""
        size = abs(float(value))
        of_extent = not self.fixed and (32 < size or 0 < size < 1 / 32)
        if type_ not in ("float", "double") or not (of_extent or self.piece):
            return self.f.constant(type_, value)
        bits = struct.pack("<fxxxx" if type_ == "float" else "<d", value)
        return self._word(type_, struct.unpack("<q", bits)[0])

    def extent(self, count: int) -> Value:
        """How often an inner loop runs."""
        multiple = min(count & -count, LARGEST_MULTIPLE)
        if self.fixed or count < LEAST_EXTENT or multiple < LEAST_MULTIPLE:
            return self.f.i64(count)
        times = self._word("i64", count // multiple, POSITIVE)
        with self.f.into(self.entry()):
            return self.f.binary("mul nuw nsw", times, self.f.i64(multiple))

    def quotient(self, value: Value, divisor: int) -> Value:
        """⌊value / divisor⌋ for 0 ≤ value < 2³², 1 < divisor < 2³².

        With m = ⌊2⁶⁴ / divisor⌋ + 1 it is ⌊value · m / 2⁶⁴⌋ (Granlund and Montgomery, 1994): a
        product, where dividing by a number unknown to LLVM would take many times as long.
        """
        f = self.f
        if self.fixed or divisor <= LARGEST_IN_TEXT:
            return f.binary("udiv", value, f.i64(divisor))
        factor = self._word("i64", (1 << 64) // divisor + 1)
        wide = [f.cast("zext", v, "i128") for v in (value, factor)]
        product = f.binary("mul nuw", *wide)
        upper = f.assign("i128", f"lshr {product}, 64")
        return f.cast("trunc", upper, "i64")

    def remainder(self, value: Value, quotient: Value, divisor: int) -> Value:
        """What is left of a value after its quotient."""
        f = self.f
        if self.fixed or divisor <= LARGEST_IN_TEXT:
            return f.binary("urem", value, f.i64(divisor))
        return f.binary("sub nsw", value, f.binary("mul nsw", quotient, self.integer(divisor)))
