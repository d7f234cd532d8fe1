"""Convolutions that need no kernel made for their shapes (see :mod:`.general`)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import as_dtype
from pellucid.base.shapes import Shape
from pellucid.graph.node import Spec
from pellucid.tensor.general import NANOSECONDS, General, Program, chunks_of, new, rounded_up
from pellucid.tensor.general_blocks import (
    BlockMap,
    Sum,
    block_sum,
    gradient_graph,
    images_of_block,
    value_graph,
)
from pellucid.tensor.general_products import Products

LARGEST_STRIDE = 2
"""Depthwise kernels compute all positions of a row, of which a stride keeps some."""
LARGEST_BUFFER = 1 << 20
"""Elements of a plane with its frame that are held in a buffer."""
COLUMN_ELEMENTS = 1 << 21
"""Unfolded windows are made for so many elements of images at a time."""
LONGEST_DEPTH = 64
"""Convolutions that sum over so many products are unfolded; longer ones have kernels of their own,
which need fewer multiplications and no copies."""


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


def _line() -> int:
    """Elements that lengths of buffers are multiples of: whole vectors, whole groups of them."""
    return 64


def _buffer(window: Window) -> int:
    """Elements of a plane's buffer: loops over positions end with whole groups of vectors."""
    most = window.offsets[-1] + rounded_up(window.positions, _line())
    return rounded_up(max(most, window.size), _line())


def depthwise_program(window: Window, dtype: str, planes: int, channels: int) -> Program:
    """Operands x (planes), weight (channels, taps), the result (planes)."""
    together, chunks = chunks_of(planes)
    positions = rounded_up(window.positions, _line())
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
    together, chunks = chunks_of(planes)
    positions = rounded_up(back.positions, _line())
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
    together, chunks = chunks_of(channels)
    positions = rounded_up(window.positions, _line())
    buffer = _buffer(window)
    given = max(rounded_up(window.size, _line()), positions)
    words = {
        "together": together,
        "scratch": buffer + given + rounded_up(window.taps * 64, _line()),
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
    together, chunks = chunks_of(planes)
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
        self._kept: Any = (..., *(slice(None, None, s) for s in stride))
        length = math.prod(out)
        self._products = Products(self.batch, self.filters, self.channels, length, dtype)

    def _read(self, x: np.ndarray) -> np.ndarray:
        """The elements that are read."""
        return x if max(self._stride) == 1 else np.ascontiguousarray(x[self._kept])

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """W · x of each image."""
        result = new((self.batch, self.filters, *self.out), self.dtype)
        self._products.multiply(w, self._read(x), result)
        return result

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Wᵀ · g; zero where no window begins."""
        made = new((self.batch, self.channels, *self.out), self.dtype)
        self._products.multiply_transposed(w, g, made)
        if max(self._stride) == 1:
            return made
        result = new(self.shape, self.dtype)
        result.fill(0)
        result[self._kept] = made
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images of g · xᵀ."""
        return self._products.summed(g, self._read(x))


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
        self._products: dict[int, Products] = {}

    def _products_of(self, images: int) -> Products:
        """The products of so many images, where all channels meet."""
        found = self._products.get(images)
        if found is None:
            extents = images, self.filters, self._depth, self._length
            found = self._products[images] = Products(*extents, self.dtype)
        return found

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
            columns = self._columns(x[block])
            if self._groups == 1:
                self._products_of(len(columns)).multiply(w, columns, result[block])
            else:
                np.matmul(matrices, columns, out=parts[block])
        return result

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Wᵀ · g, each column added to where it came from."""
        result = new(self.shape, self.dtype)
        if not self._window.reads_all:
            result.fill(0)
        matrices, parts = self._matrices(w).swapaxes(1, 2), self._grouped(g)
        for block in self._blocks():
            images = len(g[block])
            columns = new((images, self._groups, self._depth, self._length), self.dtype)
            if self._groups == 1:
                self._products_of(images).multiply_transposed(w, g[block], columns)
            else:
                np.matmul(matrices, parts[block], out=columns)
            self._program("fold", images)(columns, result[block])
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ over images of g · columnsᵀ."""
        total: Any = 0
        parts = self._grouped(g)
        for block in self._blocks():
            columns = self._columns(x[block])
            if self._groups == 1:
                total = total + self._products_of(len(columns)).summed(g[block], columns)
            else:
                total = total + np.matmul(parts[block], columns.swapaxes(2, 3)).sum(0)
        result: np.ndarray = total
        return result


class Blockwise(_Convolution):
    """A convolution by kernels that are made for its windows and a few images."""

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype[Any],
        weight: Shape,
        out: Shape,
        settings: dict[str, Any],
    ) -> None:
        super().__init__(shape, dtype, weight, out)
        positions = math.prod(out)
        flop = 2 * positions * math.prod(weight)
        images = images_of_block(self.batch, positions, flop)
        kind = as_dtype(dtype)
        self._graphs = Spec((images, *shape[1:]), kind), Spec(weight, kind), settings

    @functools.cached_property
    def _value(self) -> BlockMap:
        return BlockMap(value_graph(*self._graphs))

    @functools.cached_property
    def _to_input(self) -> BlockMap:
        return BlockMap(gradient_graph(*self._graphs, of=0))

    @functools.cached_property
    def _to_weight(self) -> Sum:
        return block_sum(gradient_graph(*self._graphs, of=1))

    def convolved(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Block by block."""
        result = new((self.batch, self.filters, *self.out), self.dtype)
        self._value(x, w, result)
        return result

    def to_input(self, g: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Block by block."""
        result = new(self.shape, self.dtype)
        self._to_input(g, w, result)
        return result

    def to_weight(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The sum over all blocks."""
        return self._to_weight(x, g)


class Transposed:
    """A transposed convolution: the gradient for the input of the convolution it is the transpose
    of; inputs x, weight and perhaps a bias."""

    def __init__(self, of: _Convolution, batched: bool) -> None:
        self._of, self._batched = of, batched

    def forward(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The transposed convolution."""
        x, w = (np.ascontiguousarray(a) for a in arrays[:2])
        of = self._of
        result = of.to_input(x.reshape(of.batch, of.filters, *of.out), w)
        if len(arrays) > 2:
            result += arrays[2].reshape(-1, *(1,) * (len(of.shape) - 2))
        return (result if self._batched else result[0],)

    def backward(
        self, arrays: Sequence[np.ndarray], cotangent: np.ndarray, needs: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Cotangents of x, weight and bias, where they are needed."""
        of = self._of
        g = np.ascontiguousarray(cotangent).reshape(of.shape)
        found: list[np.ndarray | None] = [None] * len(arrays)
        if needs[0]:
            w = np.ascontiguousarray(arrays[1])
            found[0] = of.convolved(g, w).reshape(arrays[0].shape)
        if needs[1]:
            x = np.ascontiguousarray(arrays[0]).reshape(of.batch, of.filters, *of.out)
            found[1] = of.to_weight(x, g).reshape(of.weight)
        if len(arrays) > 2 and needs[2]:
            found[2] = g.reshape(of.batch, of.channels, -1).sum(2).sum(0)
        return found

    def operands(self, needs: Sequence[bool]) -> list[int]:
        """The gradient for x reads the weight, and the other way round."""
        return self._of.operands(needs)


def general_transposed_convolution(
    shape: Shape,
    dtype: np.dtype[Any],
    weight: Shape,
    *,
    stride: Shape,
    low: Shape,
    extents: Shape,
    dilation: Shape,
    groups: int,
    batched: bool = True,
) -> General | None:
    """How a transposed convolution with a result of these ``extents`` runs without a kernel of its
    own; None where it gets one.

    ``shape`` is the input's with a batch axis, which the result has only if it is ``batched``.
    """
    if shape[1] != weight[0] or not all(shape):
        return None
    high = tuple(
        (m - 1) * s + d * (k - 1) + 1 - n - a
        for m, s, d, k, n, a in zip(
            shape[2:], stride, dilation, weight[2:], extents, low, strict=True
        )
    )
    image = (shape[0], weight[1] * groups, *extents)
    found = _convolution(image, dtype, weight, stride, low, high, dilation, groups)
    if found is None or found.out != shape[2:]:
        return None
    return Transposed(found, batched)


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
    kernel = weight[2:]
    out = tuple(
        (n + a + b - d * (k - 1) - 1) // s + 1
        for n, a, b, d, k, s in zip(shape[2:], low, high, dilation, kernel, stride, strict=True)
    )
    fits = shape[1] == weight[1] * groups and weight[0] % groups == 0
    if not fits or min(out) < 1 or not all(shape) or not all(weight):
        return None
    if groups == 1 and max(kernel) == 1 and not any(low) and not any(high):
        return Pointwise(shape, dtype, weight, out, stride)
    if len(shape) <= 4 and math.prod(shape[2:]) <= LARGEST_BUFFER:
        window = window_of(shape[2:], kernel, stride, low, dilation, out)
        if window.size <= LARGEST_BUFFER:
            if groups == shape[1] == weight[0]:
                if max(stride) <= LARGEST_STRIDE:
                    return Depthwise(shape, dtype, weight, out, window)
            elif weight[1] * window.taps <= LONGEST_DEPTH:
                return Unfolded(shape, dtype, weight, out, window, groups)
    settings = {"stride": stride, "low": low, "high": high, "dilation": dilation, "groups": groups}
    return Blockwise(shape, dtype, weight, out, settings)
