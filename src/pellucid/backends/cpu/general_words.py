"""What the general kernels have in common: their words, and loops over vectors with a rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from pellucid.backends.cpu.contraction import operand
from pellucid.backends.cpu.ir import Function, Value, vector
from pellucid.base.errors import CompilationError

_PLANE = ("size", "first", "place", "rows", "width", "pitch", "step", "columns")
_X = tuple(f"x_{word}" for word in _PLANE)
_G = tuple(f"g_{word}" for word in _PLANE)
_OUT = ("out_size", "out_rows", "out_columns", "row_step", "column_step")
_CHUNK = ("together", "scratch", "buffer", "taps")

WORDS: dict[str, tuple[str, ...]] = {
    "depthwise": (*_CHUNK, "planes", "channels", "positions", *_X, *_OUT),
    "depthwise_weight": (*_CHUNK, "given", "images", "channels", "positions", *_X, *_G),
    "unfold": (*_CHUNK, "planes", *_X, *_OUT),
    "fold": (*_CHUNK, "planes", *_X, *_OUT),
    "image_products": (
        *("together", "scratch", "groups", "images", "rows", "depth", "length", "vectors"),
        *("row_step", "row_depth"),
    ),
    "summed_products": (
        *("together", "scratch", "block", "images", "rows", "columns", "length"),
        *("row_step", "row_depth"),
    ),
    "patch_sums": (
        *("together", "scratch", "block", "parts", "images", "rows", "columns", "length"),
        *("row_step", "row_depth", "a_patch", "a_image", "b_patch", "b_image", "out_patch"),
    ),
    "batch_normalized": ("together", "images", "channels", "extent", "count", "eps"),
    "batch_pulled": ("together", "images", "channels", "extent", "count", "eps"),
}
"""The numbers that each kernel receives, in their order.

``together`` planes or channels are a chunk, which has ``scratch`` elements of memory: ``buffer``
for a plane with its frame (and ``given`` for one of cotangents), of which ``positions`` are
computed.  ``taps`` is the number of the window's elements; their offsets follow the words.

Of a plane (``x`` or ``g``): its elements; the first that is copied and its place in the buffer; how
many rows, with what distance in the array (``width``) and in the buffer (``pitch``); in each so
many ``columns``, ``step`` apart in the buffer.  A result (``out``) has ``out_rows`` rows, which
begin ``row_step`` positions after each other, of elements ``column_step`` apart.

Of a product: the extents, how many ``vectors`` the columns of an image are and into how many
``groups`` those of all are divided, of how many images a ``block`` is; ``row_step`` and
``row_depth`` lie between the rows and between the elements of the operand that is not packed.  Sums
over patches have ``together`` of their columns in each of ``parts``; ``a_patch``, ``a_image``,
``b_patch`` and ``b_image`` lie between the patches and between the images of both operands,
``out_patch`` between the patches of the result.

``count`` (of the values of a channel) and ``eps`` are the bits of a double.
"""


class Writer:
    """A kernel under construction: its function, its words, its vectors."""

    def __init__(
        self, f: Function, words: Sequence[str], scalar: str, lanes: int, tile_rows: int
    ) -> None:
        self.f, self.scalar, self.lanes, self.tile_rows = f, scalar, lanes, tile_rows
        self.type = vector(lanes, scalar)
        self._pointer = operand(f, 0)
        self._names = words
        self._words = {
            word: f.load("i64", f.gep(self._pointer, i, "i64")) for i, word in enumerate(words)
        }
        self._chunk: Value | None = None

    def __getitem__(self, word: str) -> Value:
        return self._words[word]

    def words_from(self, what: str) -> Value:
        """The address of what follows the words."""
        return self.f.gep(self._pointer, len(self._names), "i64", hint=what)

    def real(self, word: str) -> Value:
        """A word that is a real number, in the kernel's type."""
        value = self.f.bitcast(self._words[word], "double")
        return value if self.scalar == "double" else self.f.cast("fptrunc", value, "float")

    @property
    def chunk(self) -> Value:
        """The number of the chunk that is being computed."""
        if self._chunk is None:
            raise CompilationError("there is no chunk here", "ask inside of the loop over chunks")
        return self._chunk

    @contextlib.contextmanager
    def chunks(self) -> Iterator[None]:
        """The loop over the chunks that the kernel was called for."""
        f = self.f
        with f.loop(f.argument("begin"), f.argument("end"), hint="chunk") as loop:
            self._chunk = loop.index
            yield
            self._chunk = None

    def sum_of(self, value: Value) -> Value:
        """The sum of a vector's lanes, from the first to the last."""
        zero = self.f.constant(self.scalar, 0.0)
        return self.f.intrinsic(
            "llvm.vector.reduce.fadd", self.scalar, zero, value, overload=_suffix(self)
        )


def _suffix(w: Writer) -> str:
    return f"v{w.lanes}{'f32' if w.scalar == 'float' else 'f64'}"


def vectors(w: Writer, count: Value) -> Iterator[tuple[str, Value]]:
    """Types and positions of two loops over ``count`` elements: whole vectors, then the rest."""
    f = w.f
    rest = f.binary("urem", count, f.i64(w.lanes))
    whole = f.binary("sub", count, rest)
    with f.loop(0, whole, w.lanes, hint="vector") as loop:
        yield w.type, loop.index
    with f.loop(whole, count, hint="rest") as loop:
        yield w.scalar, loop.index
