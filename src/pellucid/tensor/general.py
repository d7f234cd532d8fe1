"""Heavy operations of eager mode that need no kernel made for their shapes.

A deep network applies a few operations at many shapes.  Those here run on what serves every shape:
matrix products of NumPy's library, and the kernels of :mod:`pellucid.backends.cpu.general`, whose
extents are numbers that they are handed.  The first step of a network, and the first step with
another batch size, then plans and compiles nothing for them.

Each class has the value (``forward``) and the gradient (``backward``) of one operation at one
signature; both say what its composition says, up to rounding.  Which operations come here follows
from shapes, dtypes and settings, as everything that decides between kernels does.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pellucid.backends import SharingExecutable
from pellucid.base.dtypes import as_dtype
from pellucid.base.shapes import Shape
from pellucid.tensor.core import no_memory
from pellucid.tensor.native import with_workspace

CHUNKS = 16
"""Into so many parts work is cut for the threads."""
LARGEST_STRIDE = 2
"""Depthwise kernels compute all positions of a row, of which a stride keeps some."""
LARGEST_BUFFER = 1 << 20
"""Elements of a plane with its frame that are held in a buffer."""
FEW_COLUMNS = 256
"""A product of a weight with fewer columns (positions of an image) takes all images at once."""
COLUMN_ELEMENTS = 1 << 21
"""Unfolded windows are made for so many elements of images at a time."""
LONGEST_DEPTH = 64
"""Convolutions that sum over so many products are unfolded; longer ones have kernels of their own,
which need fewer multiplications and no copies."""


class General(Protocol):
    """An operation at one signature, on NumPy arrays."""

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The results; the first is the one that gradients flow through."""

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of the inputs that need one."""

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """Which inputs ``backward`` reads."""


class Program:
    """A general kernel at given numbers; several threads may call it at once."""

    __slots__ = ("_free", "_settings")

    def __init__(self, *settings: Any) -> None:
        self._settings = settings
        self._free = [self._made()]

    def _made(self) -> SharingExecutable:
        from pellucid.backends.cpu.general import GeneralProgram

        made: SharingExecutable = GeneralProgram(*self._settings)
        return made

    def __call__(self, *arrays: np.ndarray) -> None:
        """Run on contiguous arrays, inputs first, then results."""
        try:
            program = self._free.pop()
        except IndexError:
            program = self._made()
        pointers = program.pointers
        for i, array in enumerate(arrays):
            pointers[i] = array.__array_interface__["data"][0]
        if program.memory_bytes:
            with_workspace(program)
        else:
            program.run()
        self._free.append(program)


def new(shape: Shape, dtype: np.dtype[Any]) -> np.ndarray:
    """An array without values."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError):  # ValueError: more bytes than addresses
        raise no_memory(shape, as_dtype(dtype)) from None


def _rounded_up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _chunks(count: int) -> tuple[int, int]:
    """How many planes or channels a chunk has, and how many chunks there are."""
    together = -(-count // CHUNKS)
    return together, -(-count // together)


# ---- geometry --------------------------------------------------------------------------------


class Window:
    """How a window moves over planes: extents (h, w), and settings for both axes."""

    def __init__(
        self, extents: Shape, kernel: Shape, stride: Shape, low: Shape, dilation: Shape, out: Shape
    ) -> None:
        self.extents, self.kernel, self.stride = extents, kernel, stride
        self.low, self.dilation, self.out = low, dilation, out
        reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        self.framed = [(m - 1) * s + r for m, s, r in zip(out, stride, reach, strict=True)]
        self.pitch = self.framed[1]
        self.positions = (out[0] - 1) * stride[0] * self.pitch + (out[1] - 1) * stride[1] + 1
        self.offsets = [
            i * dilation[0] * self.pitch + j * dilation[1]
            for i in range(kernel[0])
            for j in range(kernel[1])
        ]

    @property
    def taps(self) -> int:
        """Elements of the window."""
        return len(self.offsets)

    @property
    def size(self) -> int:
        """Elements of a plane with its frame, as far as the window reads it."""
        return self.framed[0] * self.pitch

    @property
    def reads_all(self) -> bool:
        """Whether each element of the input is read by some window's frame."""
        words = self.words_of_input()
        return words["x_rows"] * words["x_columns"] == words["x_size"]

    def words_of_output(self) -> dict[str, int]:
        """The words of a result that has a position in each place of the window."""
        return {
            "out_size": math.prod(self.out),
            "out_rows": self.out[0],
            "out_columns": self.out[1],
            "row_step": self.stride[0] * self.pitch,
            "column_step": self.stride[1],
        }

    def words_of_input(self) -> dict[str, int]:
        """The words of a plane that the window reads."""
        return _plane("x", self.extents, self.low, (1, 1), (self.framed[0], self.pitch))

    def words_of_cotangent(self) -> dict[str, int]:
        """The words of a plane of cotangents that lies where the windows begin."""
        return _plane("g", self.out, (0, 0), self.stride, (self.framed[0], self.pitch))


def _plane(of: str, extents: Shape, start: Shape, step: Shape, framed: Shape) -> dict[str, int]:
    """Words of a plane whose element (r, c) lies at start + step · (r, c) of its buffer; what
    would lie outside of it is left away."""
    first, count = [], []
    for n, a, s, size in zip(extents, start, step, framed, strict=True):
        begin = min(n, max(0, -(a // s)))
        end = min(n, max(0, -(-(size - a) // s)))
        first.append(begin)
        count.append(max(0, end - begin))
    empty = not all(count)
    place = [a + s * b for a, s, b in zip(start, step, first, strict=True)]
    return {
        f"{of}_size": math.prod(extents),
        f"{of}_first": 0 if empty else first[0] * extents[1] + first[1],
        f"{of}_place": 0 if empty else place[0] * framed[1] + place[1],
        f"{of}_rows": 0 if empty else count[0],
        f"{of}_width": extents[1],
        f"{of}_pitch": step[0] * framed[1],
        f"{of}_step": step[1],
        f"{of}_columns": 0 if empty else count[1],
    }


def _in_two_axes(values: Shape, otherwise: int) -> Shape:
    """Settings of one axis as those of two, the first of extent 1."""
    return values if len(values) == 2 else (otherwise, *values)


def window_of(
    extents: Shape, kernel: Shape, stride: Shape, low: Shape, dilation: Shape, out: Shape
) -> Window:
    """The window of a convolution over one or two axes."""
    return Window(
        _in_two_axes(extents, 1),
        _in_two_axes(kernel, 1),
        _in_two_axes(stride, 1),
        _in_two_axes(low, 0),
        _in_two_axes(dilation, 1),
        _in_two_axes(out, 1),
    )


# ---- programs --------------------------------------------------------------------------------

NANOSECONDS = 0.1
"""Estimated time of an element that is multiplied or moved."""


def _line() -> int:
    """Elements that lengths of buffers are multiples of: whole vectors, whole groups of them."""
    return 64


def _buffer(window: Window) -> int:
    """Elements of a plane's buffer: loops over positions end with whole groups of vectors."""
    most = window.offsets[-1] + _rounded_up(window.positions, _line())
    return _rounded_up(max(most, window.size), _line())


def depthwise_program(window: Window, dtype: str, planes: int, channels: int) -> Program:
    """Operands x (planes), weight (channels, taps), the result (planes)."""
    together, chunks = _chunks(planes)
    positions = _rounded_up(window.positions, _line())
    words = {
        "together": together,
        "scratch": _buffer(window) + positions,
        "buffer": _buffer(window),
        "taps": window.taps,
        "planes": planes,
        "channels": channels,
        "positions": positions,
        **window.words_of_input(),
        **window.words_of_output(),
    }
    cost = planes * (window.positions * window.taps * NANOSECONDS / 2 + window.size * NANOSECONDS)
    return Program("depthwise", dtype, words, chunks, cost, tuple(window.offsets))


def depthwise_pull_program(window: Window, dtype: str, planes: int, channels: int) -> Program:
    """The gradient for x: operands g, weight, the result.

    It is a convolution of the cotangents, spread by the stride, with the window turned around.
    """
    reach = [d * (k - 1) for k, d in zip(window.kernel, window.dilation, strict=True)]
    low = tuple(r - a for r, a in zip(reach, window.low, strict=True))
    back = Window(window.out, window.kernel, (1, 1), low, window.dilation, window.extents)
    together, chunks = _chunks(planes)
    positions = _rounded_up(back.positions, _line())
    framed = (back.framed[0], back.pitch)
    words = {
        "together": together,
        "scratch": _buffer(back) + positions,
        "buffer": _buffer(back),
        "taps": back.taps,
        "planes": planes,
        "channels": channels,
        "positions": positions,
        **_plane("x", window.out, low, window.stride, framed),
        **back.words_of_output(),
    }
    cost = planes * (back.positions * back.taps * NANOSECONDS / 2 + back.size * NANOSECONDS)
    return Program("depthwise", dtype, words, chunks, cost, tuple(reversed(back.offsets)))


def depthwise_weight_program(window: Window, dtype: str, images: int, channels: int) -> Program:
    """The gradient for the weight: operands x, g, the result (channels, taps)."""
    together, chunks = _chunks(channels)
    positions = _rounded_up(window.positions, _line())
    buffer = _buffer(window)
    given = max(_rounded_up(window.size, _line()), positions)
    words = {
        "together": together,
        "scratch": buffer + given + _rounded_up(window.taps * 64, _line()),
        "buffer": buffer,
        "taps": window.taps,
        "given": given,
        "images": images,
        "channels": channels,
        "positions": positions,
        **window.words_of_input(),
        **window.words_of_cotangent(),
    }
    work = window.positions * window.taps / 2 + 2 * window.size
    cost = images * channels * work * NANOSECONDS
    return Program("depthwise_weight", dtype, words, chunks, cost, tuple(window.offsets))


def unfold_program(window: Window, dtype: str, planes: int, kind: str = "unfold") -> Program:
    """Operands x (planes), columns (planes, taps, positions); of ``fold`` the other way round."""
    together, chunks = _chunks(planes)
    words = {
        "together": together,
        "scratch": _buffer(window),
        "buffer": _buffer(window),
        "taps": window.taps,
        "planes": planes,
        **window.words_of_input(),
        **window.words_of_output(),
    }
    cost = planes * window.taps * math.prod(window.out) * NANOSECONDS * 4
    return Program(kind, dtype, words, chunks, cost, tuple(window.offsets))


# ---- convolutions ----------------------------------------------------------------------------


class _Convolution:
    """What all convolutions have in common; inputs x, weight and perhaps a bias."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any], weight: Shape, out: Shape) -> None:
        self.batch, self.channels = shape[0], shape[1]
        self.shape, self.dtype, self.weight, self.out = shape, dtype, weight, out
        self.filters = weight[0]
        self.batched = True
        """Whether the result has a batch axis."""

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The result without the bias."""
        raise NotImplementedError

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The gradient for x."""
        raise NotImplementedError

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The gradient for the weight."""
        raise NotImplementedError

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The convolution."""
        x, w = (np.ascontiguousarray(a) for a in arrays[:2])
        result = self.convolved(x.reshape(self.shape), w)
        if len(arrays) > 2:
            result += arrays[2].reshape(-1, *(1,) * (len(self.shape) - 2))
        return (result if self.batched else result[0],)

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of x, weight and bias, where they are needed."""
        g = np.ascontiguousarray(cotangent).reshape(self.batch, self.filters, *self.out)
        found: list[np.ndarray | None] = [None] * len(arrays)
        if needs[0]:
            w = np.ascontiguousarray(arrays[1])
            found[0] = self.to_input(g, w).reshape(arrays[0].shape)
        if needs[1]:
            x = np.ascontiguousarray(arrays[0]).reshape(self.shape)
            found[1] = self.to_weight(g, x).reshape(self.weight)
        if len(arrays) > 2 and needs[2]:
            found[2] = g.reshape(self.batch, self.filters, -1).sum(2).sum(0)
        return found

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """The gradient for x reads the weight, and the other way round."""
        return [1] * bool(needs[0]) + [0] * bool(needs[1])


class Pointwise(_Convolution):
    """A convolution of windows of one element, all channels with all: matrix products."""

    def __init__(
        self, shape: Shape, dtype: np.dtype[Any], weight: Shape, out: Shape, stride: Shape
    ) -> None:
        super().__init__(shape, dtype, weight, out)
        self._stride = stride
        self._kept = (..., *(slice(None, None, s) for s in stride))
        self._length = math.prod(out)
        self._apart = self._length >= FEW_COLUMNS

    def _read(self, x: np.ndarray) -> np.ndarray:
        """The elements that are read, (N, C, positions)."""
        x = x if max(self._stride) == 1 else x[self._kept]
        return x.reshape(self.batch, self.channels, self._length)

    def _product(self, matrix: np.ndarray, x: np.ndarray, shape: Shape) -> np.ndarray:
        """(M, C) · (N, C, positions) → (N, M, positions)."""
        rows = len(matrix)
        result = new(shape, self.dtype)
        images = result.reshape(self.batch, rows, self._length)
        if self._apart:
            np.matmul(matrix, x, out=images)
        else:
            product = matrix @ _together(x)
            parts = product.reshape(rows, self.batch, self._length)
            np.copyto(images, parts.transpose(1, 0, 2))
        return result

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """W · x of each image."""
        matrix = w.reshape(self.filters, self.channels)
        return self._product(matrix, self._read(x), (self.batch, self.filters, *self.out))

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Wᵀ · g; zero where no window begins."""
        flat = g.reshape(self.batch, self.filters, self._length)
        matrix = w.reshape(self.filters, self.channels).T
        made = self._product(matrix, flat, (self.batch, self.channels, *self.out))
        if max(self._stride) == 1:
            return made
        result = new(self.shape, self.dtype)
        result.fill(0)
        result[self._kept] = made
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images of g · xᵀ."""
        flat = g.reshape(self.batch, self.filters, self._length)
        return _summed_products(flat, self._read(x))


def _together(x: np.ndarray) -> np.ndarray:
    """(N, C, positions) → (C, N · positions)."""
    return np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(x.shape[1], -1)


def _summed_products(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Σ over n of g[n] · x[n]ᵀ."""
    result: np.ndarray = _together(g) @ _together(x).T
    return result


class Depthwise(_Convolution):
    """A convolution of each channel with a window of its own, over one or two axes."""

    def __init__(
        self, shape: Shape, dtype: np.dtype[Any], weight: Shape, out: Shape, window: Window
    ) -> None:
        super().__init__(shape, dtype, weight, out)
        self._window, self._programs = window, dict[str, Program]()

    def _program(self, kind: str) -> Program:
        found = self._programs.get(kind)
        if found is None:
            name, planes = str(self.dtype), self.batch * self.channels
            if kind == "weight":
                found = depthwise_weight_program(self._window, name, self.batch, self.channels)
            elif kind == "pull":
                found = depthwise_pull_program(self._window, name, planes, self.channels)
            else:
                found = depthwise_program(self._window, name, planes, self.channels)
            self._programs[kind] = found
        return found

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Window by window."""
        result = new((self.batch, self.filters, *self.out), self.dtype)
        self._program("value")(x, w, result)
        return result

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The windows turned around, over the cotangents."""
        result = new(self.shape, self.dtype)
        self._program("pull")(g, w, result)
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images and positions."""
        result = new(self.weight, self.dtype)
        self._program("weight")(x, g, result)
        return result


class Unfolded(_Convolution):
    """A convolution as products of the weight with its windows as columns (im2col).

    The columns are made for some images at a time, so that they stay in cache.
    """

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype[Any],
        weight: Shape,
        out: Shape,
        window: Window,
        groups: int,
    ) -> None:
        super().__init__(shape, dtype, weight, out)
        self._window, self._groups = window, groups
        self._length, self._depth = math.prod(out), window.taps * weight[1]
        lines = window.taps * self.channels
        self._images = max(1, min(self.batch, COLUMN_ELEMENTS // (lines * self._length)))
        self._programs: dict[tuple[str, int], Program] = {}

    def _program(self, kind: str, images: int) -> Program:
        found = self._programs.get((kind, images))
        if found is None:
            planes = images * self.channels
            found = unfold_program(self._window, str(self.dtype), planes, kind)
            self._programs[kind, images] = found
        return found

    def _blocks(self) -> list[slice]:
        return [slice(i, i + self._images) for i in range(0, self.batch, self._images)]

    def _columns(self, x: np.ndarray) -> np.ndarray:
        """(n, groups, C / groups · taps, positions)."""
        columns = new((len(x), self._groups, self._depth, self._length), self.dtype)
        self._program("unfold", len(x))(x, columns)
        return columns

    def _matrices(self, w: np.ndarray) -> np.ndarray:
        return w.reshape(self._groups, self.filters // self._groups, self._depth)

    def _grouped(self, g: np.ndarray) -> np.ndarray:
        return g.reshape(len(g), self._groups, self.filters // self._groups, self._length)

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """W · columns."""
        result = new((self.batch, self.filters, *self.out), self.dtype)
        matrices, parts = self._matrices(w), self._grouped(result)
        for block in self._blocks():
            np.matmul(matrices, self._columns(x[block]), out=parts[block])
        return result

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Wᵀ · g, each column added to where it came from."""
        result = new(self.shape, self.dtype)
        if not self._window.reads_all:
            result.fill(0)
        matrices, parts = self._matrices(w).swapaxes(1, 2), self._grouped(g)
        for block in self._blocks():
            columns = matrices @ parts[block]
            self._program("fold", len(columns))(columns, result[block])
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images of g · columnsᵀ."""
        parts, result = self._grouped(g), np.zeros(self._matrices_shape(), self.dtype)
        for block in self._blocks():
            columns = self._columns(x[block])
            for group in range(self._groups):
                result[group] += _summed_products(parts[block, group], columns[:, group])
        return result

    def _matrices_shape(self) -> Shape:
        return self._groups, self.filters // self._groups, self._depth


def general_convolution(
    shape: Shape,
    dtype: np.dtype[Any],
    weight: Shape,
    *,
    stride: Shape,
    low: Shape,
    high: Shape,
    dilation: Shape,
    groups: int,
    batched: bool = True,
) -> General | None:
    """How a convolution runs without a kernel of its own; None where it gets one.

    ``shape`` is the input's with a batch axis, which the result has only if it is ``batched``.
    """
    found = _convolution(shape, dtype, weight, stride, low, high, dilation, groups)
    if found is not None:
        found.batched = batched
    return found


def _convolution(
    shape: Shape,
    dtype: np.dtype[Any],
    weight: Shape,
    stride: Shape,
    low: Shape,
    high: Shape,
    dilation: Shape,
    groups: int,
) -> _Convolution | None:
    rank, kernel = len(shape) - 2, weight[2:]
    out = tuple(
        (n + a + b - d * (k - 1) - 1) // s + 1
        for n, a, b, d, k, s in zip(shape[2:], low, high, dilation, kernel, stride, strict=True)
    )
    fits = shape[1] == weight[1] * groups and weight[0] % groups == 0
    if not fits or min(out) < 1 or not all(shape) or not all(weight):
        return None
    if groups == 1 and max(kernel) == 1 and not any(low) and not any(high):
        return Pointwise(shape, dtype, weight, out, stride)
    if rank > 2:
        return None
    window = window_of(shape[2:], kernel, stride, low, dilation, out)
    if window.size > LARGEST_BUFFER or math.prod(shape[2:]) > LARGEST_BUFFER:
        return None
    if groups == shape[1] == weight[0]:
        if max(stride) > LARGEST_STRIDE:
            return None
        return Depthwise(shape, dtype, weight, out, window)
    if weight[1] * window.taps <= LONGEST_DEPTH:
        return Unfolded(shape, dtype, weight, out, window, groups)
    return None


# ---- normalization ---------------------------------------------------------------------------


class BatchNormalized:
    """Normalization by the statistics of the batch; inputs x and perhaps γ and β.

    Results: the normalized x, the mean and the variance of each channel.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], given: Sequence[bool], eps: float):
        self._shape, self._dtype, self._given, self._eps = shape, dtype, tuple(given), eps
        self._programs: dict[str, Program] = {}

    def _program(self, kind: str) -> Program:
        found = self._programs.get(kind)
        if found is None:
            images, channels, *spatial = self._shape
            extent = math.prod(spatial)
            together, chunks = _chunks(channels)
            words = {
                "together": together,
                "images": images,
                "channels": channels,
                "extent": extent,
                "count": _bits(images * extent),
                "eps": _bits(self._eps),
            }
            cost = math.prod(self._shape) * NANOSECONDS * 5
            found = Program(kind, str(self._dtype), words, chunks, cost)
            self._programs[kind] = found
        return found

    def _vectors(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """γ and β, as far as they are given, else 1 and 0."""
        rest = iter(arrays[1:])
        channels = self._shape[1]
        return [
            np.ascontiguousarray(next(rest)) if given else np.full(channels, value, self._dtype)
            for given, value in zip(self._given, (1.0, 0.0), strict=True)
        ]

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The normalized x, mean, variance."""
        channels = self._shape[1]
        result = new(self._shape, self._dtype)
        mean, variance = (np.empty(channels, self._dtype) for _ in range(2))
        x = np.ascontiguousarray(arrays[0])
        gamma, beta = self._vectors(arrays)
        self._program("batch_normalized")(x, gamma, beta, result, mean, variance)
        return result, mean, variance

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of x, and of γ and β where they are given."""
        channels = self._shape[1]
        to_x = new(self._shape, self._dtype)
        to_gamma, to_beta = (np.empty(channels, self._dtype) for _ in range(2))
        x, g = np.ascontiguousarray(arrays[0]), np.ascontiguousarray(cotangent)
        gamma, _ = self._vectors(arrays)
        self._program("batch_pulled")(x, gamma, g, to_x, to_gamma, to_beta)
        vectors = [v for v, given in zip((to_gamma, to_beta), self._given, strict=True) if given]
        return [v if n else None for v, n in zip((to_x, *vectors), needs, strict=True)]

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """x, and γ for the gradient of x; that for β alone reads nothing."""
        gamma = [1] if self._given[0] and needs[0] else []
        return [0] * any(needs[: 1 + self._given[0]]) + gamma


def _bits(value: float) -> int:
    """The bits of a double."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


LEAST_PLANE = 4
"""Elements of a plane from which on loops over planes are worth it."""


def general_batch_norm(
    shape: Shape, dtype: np.dtype[Any], given: Sequence[bool], eps: float
) -> General | None:
    """How a batch norm runs without a kernel of its own; None where it gets one."""
    if len(shape) < 3 or math.prod(shape[2:]) < LEAST_PLANE or not all(shape):
        return None
    return BatchNormalized(shape, dtype, given, eps)
