"""Sequences of different lengths in one batch: padded to one length, or packed without padding.

A padded batch is an array (T, B, ...) that holds sequence b in its first lengths[b] steps.  A
packed one holds the same elements without the padding, step by step: first the first elements of
all sequences, then the second ones of those that have a second, and so on, longest sequence
first.  Names, arguments and the packed data are PyTorch's (``torch.nn.utils.rnn``).

Inside ``pellucid.compile`` lengths are usually values that the program gets when it runs, and the
size of packed data would depend on them.  There a packed sequence keeps its padded data beside
the lengths; recurrent layers and :func:`pad_packed_sequence` take it and give the same results,
only its packed ``data`` does not exist.  One program then serves all lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError, TraceError
from pellucid.tensor.creation import arange, as_tensor, full
from pellucid.tensor.functions import where
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor


class _Fields(NamedTuple):
    """The four parts of a packed sequence."""

    data: Tensor
    """The elements, step by step: (Σ lengths, ...)."""
    batch_sizes: Tensor
    """How many sequences have a step t: int64 (T,), falling."""
    sorted_indices: Tensor | None
    """Numbers of the sequences, longest first: int64 (B,); None if they came in that order."""
    unsorted_indices: Tensor | None
    """Places of the sequences in that order: int64 (B,), or None."""


class PackedSequence(_Fields):
    """A batch of sequences without padding; recurrent layers take and return it.

    Made by :func:`pack_padded_sequence` and :func:`pack_sequence` rather than by hand.  It is a
    named tuple ``(data, batch_sizes, sorted_indices, unsorted_indices)``.

    >>> import pellucid
    >>> pack_sequence([pellucid.tensor([1, 2, 3]), pellucid.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        """From the four parts, or from the pair (data, batch_sizes)."""
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise ArgumentError(
                    "PackedSequence got no batch_sizes",
                    "make packed sequences with pack_padded_sequence or pack_sequence",
                )
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With the data in another dtype; the arguments are those of ``Tensor.to``."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def cpu(self) -> PackedSequence:
        """Itself: everything lives on the CPU."""
        return self

    def double(self) -> PackedSequence:
        """With float64 data."""
        return self.to(dtype="float64")

    def float(self) -> PackedSequence:
        """With float32 data."""
        return self.to(dtype="float32")

    def long(self) -> PackedSequence:
        """With int64 data."""
        return self.to(dtype="int64")

    def int(self) -> PackedSequence:
        """With int32 data."""
        return self.to(dtype="int32")

    def short(self) -> PackedSequence:
        """With int16 data."""
        return self.to(dtype="int16")

    def char(self) -> PackedSequence:
        """With int8 data."""
        return self.to(dtype="int8")

    def byte(self) -> PackedSequence:
        """With uint8 data."""
        return self.to(dtype="uint8")

    @property
    def is_cuda(self) -> bool:
        """False: everything lives on the CPU."""
        return False

    def is_pinned(self) -> bool:
        """False: memory is never pinned."""
        return False


class MaskedSequence(PackedSequence):
    """A packed sequence whose lengths are known only when the compiled program runs.

    It keeps the padded data (T, B, ...), zero beyond each length, and the lengths (B,).
    """

    padded: Any
    lengths: Any

    def __new__(cls, padded: Tensor, lengths: Tensor) -> MaskedSequence:
        """From data that are zero beyond each length."""
        made: MaskedSequence = tuple.__new__(cls, (None, None, None, None))
        made.padded, made.lengths = padded, lengths
        return made

    def _refuse(self, *_: Any) -> NoReturn:
        raise TraceError(
            "the packed data of a sequence were asked for inside a compiled function, where its "
            "lengths are known only when it runs",
            "turn it back with pad_packed_sequence, or pass lengths as a list of numbers "
            "(compiled anew for other lengths)",
        )

    data = property(_refuse)
    batch_sizes = property(_refuse)
    sorted_indices = property(_refuse)
    unsorted_indices = property(_refuse)
    __iter__ = _refuse
    __getitem__ = _refuse

    def to(self, *args: Any, **kwargs: Any) -> MaskedSequence:
        """With the data in another dtype."""
        return MaskedSequence(self.padded.to(*args, **kwargs), self.lengths)

    def __repr__(self) -> str:
        return f"MaskedSequence(padded={self.padded}, lengths={self.lengths})"


@clear
def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation (B,) that undoes ``permutation``; None for None."""
    return None if permutation is None else permutation.argsort(0)


# ---- packing and padding -----------------------------------------------------------------------


@clear
def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch.

    Args:
        input: (T, B, ...), or (B, T, ...) with ``batch_first``; any dtype.
        lengths: B whole numbers from 1 to T, as a list or an integer tensor: the steps of each
            sequence that are real. Everything after them is left out.
        enforce_sorted: raise unless the longest sequence comes first; with False they are
            sorted here, and come back in their own order from :func:`pad_packed_sequence`.

    Inside ``pellucid.compile`` lengths given as a tensor cannot be checked, and the result has
    no packed ``data`` (see the module).  Raises ``ShapeError`` and ``ArgumentError`` for lengths
    that do not fit.

    >>> import pellucid
    >>> x = pellucid.tensor([[1, 2, 0], [3, 4, 5]])
    >>> pack_padded_sequence(x, [2, 3], batch_first=True, enforce_sorted=False).batch_sizes
    tensor([2, 2, 1])
    """
    _need("pack_padded_sequence", input, 2)
    padded = input.transpose(0, 1) if batch_first else input
    steps, batch = padded.shape[:2]
    known = _known_lengths(lengths)
    count = known.shape if known is not None else tuple(as_operand(lengths).shape)
    if count != (batch,):
        raise ShapeError(
            f"pack_padded_sequence got lengths of shape {tuple(count)} for an input of shape "
            f"{tuple(input.shape)}",
            f"give one length for each of the {batch} sequences; they are on axis "
            f"{0 if batch_first else 1} with batch_first={batch_first}",
        )
    if known is None:
        counts = as_operand(lengths).to(dtype=int64)
        inside = arange(steps).unsqueeze(1) < counts  # (T, B)
        return MaskedSequence(_where_real(inside, padded, 0), counts)
    _check_lengths(known, steps, enforce_sorted)
    order = None
    if not enforce_sorted:
        order = np.argsort(-known, kind="stable")
        known = known[order]
        padded = padded.index_select(1, as_tensor(order))
    real = np.arange(int(known[0]))[:, None] < known  # (longest, B)
    rows = np.flatnonzero(real)
    flat = padded.reshape(steps * batch, *padded.shape[2:])
    return PackedSequence(
        flat.index_select(0, as_tensor(rows)),
        as_tensor(real.sum(1)),
        None if order is None else as_tensor(order),
    )


def _known_lengths(lengths: Any) -> np.ndarray | None:
    """Lengths as int64, or None while they are a value of a program being compiled."""
    if not isinstance(lengths, Tensor):
        return np.asarray(lengths).astype(np.int64)
    try:
        return np.asarray(lengths.array()).astype(np.int64)
    except TraceError:
        return None


def _check_lengths(lengths: np.ndarray, steps: int, enforce_sorted: bool) -> None:
    if lengths.size == 0:
        raise ShapeError(
            "pack_padded_sequence got a batch of no sequences", "pack at least one sequence"
        )
    if lengths.min() < 1 or lengths.max() > steps:
        wrong = int(lengths.min()) if lengths.min() < 1 else int(lengths.max())
        raise ArgumentError(
            f"pack_padded_sequence got the length {wrong} for sequences of {steps} steps",
            f"lengths are 1 to {steps}: leave empty sequences out; with batches on the first axis "
            "set batch_first=True",
        )
    if enforce_sorted and (np.diff(lengths) > 0).any():
        raise ArgumentError(
            f"pack_padded_sequence got lengths that grow: {lengths.tolist()}",
            "sort the sequences, longest first, or pass enforce_sorted=False",
        )


@clear
def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(padded, lengths) of a packed sequence, in the order of the sequences before packing.

    ``padded`` is (T, B, ...), or (B, T, ...) with ``batch_first``, with ``padding_value`` beyond
    each length; ``lengths`` int64 (B,).  T is the longest length, or ``total_length``, which must
    not be smaller.  A sequence packed inside ``pellucid.compile`` keeps the T that it had.
    """
    if not isinstance(sequence, PackedSequence):
        raise DTypeError(
            f"pad_packed_sequence got a {type(sequence).__name__}", "pass a PackedSequence"
        )
    padded, real = padded_and_mask(sequence)
    if isinstance(sequence, MaskedSequence):
        lengths = sequence.lengths
    else:
        lengths = real.long().sum(0)
    padded = _where_real(real, padded, padding_value)
    steps = padded.shape[0]
    if total_length is not None and total_length < steps:
        raise ArgumentError(
            f"pad_packed_sequence got total_length={total_length} for sequences of up to {steps} "
            "steps",
            f"use at least {steps}",
        )
    if total_length is not None and total_length > steps:
        shape = (total_length - steps, *padded.shape[1:])
        padded = cat([padded, full(shape, padding_value, dtype=padded.dtype)], 0)
    if not isinstance(sequence, MaskedSequence) and sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths.index_select(0, sequence.unsorted_indices)
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def padded_and_mask(sequence: PackedSequence) -> tuple[Tensor, Tensor]:
    """The data as (T, B, ...), longest sequence first, 0 beyond each length, and a mask (T, B).

    The mask is True where an element is real.  A :class:`MaskedSequence` keeps its order.
    """
    if isinstance(sequence, MaskedSequence):
        steps = sequence.padded.shape[0]
        return sequence.padded, arange(steps).unsqueeze(1) < sequence.lengths
    sizes = sequence.batch_sizes
    batch = arange(batch_of(sequence))
    real = batch < sizes.unsqueeze(1)  # (T, B)
    places = (sizes.cumsum(0) - sizes).unsqueeze(1) + batch  # (T, B): row of the packed data
    places = where(real, places, 0).reshape(-1)
    found = sequence.data.index_select(0, places)
    found = found.reshape(*real.shape, *sequence.data.shape[1:])
    return _where_real(real, found, 0), real


def packed_like(sequence: PackedSequence, padded: Tensor) -> PackedSequence:
    """Padded data (T, B, ...) packed as ``sequence`` is, with its lengths and order."""
    if isinstance(sequence, MaskedSequence):
        real = arange(padded.shape[0]).unsqueeze(1) < sequence.lengths
        return MaskedSequence(_where_real(real, padded, 0), sequence.lengths)
    real = arange(batch_of(sequence)) < sequence.batch_sizes.unsqueeze(1)
    # Real places first, in their order; their number is known also where they are not.
    rows = real.reshape(-1).logical_not().int().argsort(0)
    rows = rows.narrow(0, 0, sequence.data.shape[0])
    flat = padded.reshape(-1, *padded.shape[2:])
    return PackedSequence(
        flat.index_select(0, rows),
        sequence.batch_sizes,
        sequence.sorted_indices,
        sequence.unsorted_indices,
    )


def batch_of(sequence: PackedSequence) -> int:
    """Number of sequences."""
    if isinstance(sequence, MaskedSequence):
        return int(sequence.padded.shape[1])
    if sequence.sorted_indices is not None:
        return int(sequence.sorted_indices.shape[0])
    try:
        return int(sequence.batch_sizes.array()[0])
    except TraceError as error:
        raise TraceError(
            "a packed sequence that a compiled function got as an argument does not tell how "
            "many sequences it holds",
            "pass the padded batch and its lengths and pack them inside the function, which also "
            "saves compiling for each set of lengths; or pack with enforce_sorted=False",
        ) from error


def _where_real(real: Any, padded: Any, value: float) -> Any:
    """``padded`` (T, B, ...) with ``value`` where ``real`` (T, B) is False."""
    wide = real.reshape(*real.shape, *[1] * (padded.dim() - 2))
    return where(wide, padded, full((), value, dtype=padded.dtype))


# ---- lists of sequences ------------------------------------------------------------------------


@clear
def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack tensors (L_i, ...) of different lengths, filled up with ``padding_value``.

    Result (T, B, ...), or (B, T, ...) with ``batch_first``, T the longest length, in the dtype
    of the first.  ``padding_side`` "left" puts the padding in front.

    >>> import pellucid
    >>> pad_sequence([pellucid.tensor([1, 2, 3]), pellucid.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise DTypeError(f"pad_sequence got a {type(sequences).__name__}", "pass a list of tensors")
    listed = list(sequences)
    if padding_side not in ("left", "right"):
        raise ArgumentError(
            f"pad_sequence got padding_side={padding_side!r}", "use 'right' or 'left'"
        )
    _check_list("pad_sequence", listed)
    longest = max(s.shape[0] for s in listed)
    rows = []
    for sequence in listed:
        sequence = sequence.to(dtype=listed[0].dtype)
        missing = longest - sequence.shape[0]
        if missing:
            shape = (missing, *sequence.shape[1:])
            padding = full(shape, padding_value, dtype=sequence.dtype)
            parts = [sequence, padding] if padding_side == "right" else [padding, sequence]
            sequence = cat(parts, 0)
        rows.append(sequence)
    return stack(rows, 0 if batch_first else 1)


def _check_list(name: str, listed: Sequence[Any]) -> None:
    if not listed:
        raise ArgumentError(f"{name} got an empty list", "give at least one sequence")
    for position, sequence in enumerate(listed):
        _need(f"{name}, sequence {position},", sequence, 1)
        if sequence.shape[1:] != listed[0].shape[1:]:
            raise ShapeError(
                f"{name} got sequences of shapes {tuple(listed[0].shape)} and "
                f"{tuple(sequence.shape)}",
                "they may differ only in the first axis, their length",
            )


@clear
def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch as a list of tensors (L_i, ...): undoes padding.

    Input (T, B, ...), or (B, T, ...) with ``batch_first``; B lengths as a list or tensor.
    """
    _need("unpad_sequence", padded_sequences, 2)
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    counts = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    if len(counts) != rows.shape[0]:
        raise ShapeError(
            f"unpad_sequence got {len(counts)} lengths for {rows.shape[0]} sequences",
            f"give one length for each; batch_first={batch_first}",
        )
    kept = [max(0, min(n, rows.shape[1])) for n in counts]
    return [rows.select(0, i).narrow(0, 0, n) for i, n in enumerate(kept)]


@clear
def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of tensors (L_i, ...); see :func:`pack_padded_sequence`."""
    listed = list(sequences)
    _check_list("pack_sequence", listed)
    lengths = [s.shape[0] for s in listed]
    return pack_padded_sequence(pad_sequence(listed), lengths, enforce_sorted=enforce_sorted)


@clear
def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch as a list of tensors (L_i, ...), in their first order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def sequence_mask(lengths: Tensor | Sequence[int], max_len: int | None = None) -> Tensor:
    """bool (..., max_len): True at the first ``lengths`` places, False where there is padding.

    ``lengths`` (...) is a tensor or list of whole numbers; ``max_len`` the longest by default,
    which must be given inside ``pellucid.compile``.  Negated it is the ``key_padding_mask`` of
    attention; with it a loss can leave padding out.

    >>> sequence_mask([1, 3])
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    counts = as_tensor(lengths)
    if max_len is None:
        known = _known_lengths(counts)
        if known is None:
            raise ArgumentError(
                "sequence_mask got no max_len inside a compiled function",
                "give it: the number of steps of the padded data, x.shape[1]",
            )
        max_len = int(known.max(initial=0))
    return arange(max_len) < counts.unsqueeze(-1)


def _need(name: str, tensor: Any, axes: int) -> None:
    """Raise unless the argument is a tensor with at least this many axes."""
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"{name} got a {type(tensor).__name__}", "pass a tensor")
    if tensor.dim() < axes:
        raise ShapeError(
            f"{name} got shape {tuple(tensor.shape)}",
            f"it needs at least {axes} {'axes: time and batch' if axes == 2 else 'axis: time'}",
        )


__all__ = [
    "MaskedSequence",
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "sequence_mask",
    "unpack_sequence",
    "unpad_sequence",
]


def __dir__() -> list[str]:
    return sorted(__all__)
