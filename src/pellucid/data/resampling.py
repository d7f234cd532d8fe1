"""Pictures of bytes scaled to another size, by native code of our own.

Scaling is most of what a picture costs beside decoding it.  Both passes are one here: a row of the
result is the weighted sum of some rows of the picture, and each of its pixels a weighted sum of
pixels of that row, kept in float32 and rounded once.  The filter is the triangle (bilinear), as
wide as a pixel of the result, so that scaling down averages over all pixels; as in Pillow, which
rounds twice and differs by one at most.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.engine import load_kernels
from pellucid.backends.cpu.ir import Function, Value, module_text, vector
from pellucid.backends.cpu.target import host_target

Bytes = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
_PARAMETERS = (
    "source", "stride", "width", "line", "row_starts", "row_weights", "row_taps",
    "column_starts", "column_weights", "column_taps", "height_out", "width_out", "result",
)  # fmt: skip
_POINTERS = ("source", "line", "row_starts", "row_weights", "column_starts", "column_weights",
             "result")  # fmt: skip


def resample(
    picture: Bytes, size: tuple[int, int], box: Box | None = None, mirrored: bool = False
) -> Bytes:
    """``picture`` uint8 (height, width) or (height, width, 3) scaled to ``size`` (height, width).

    ``box`` (left, upper, right, lower) is the part that is scaled, the whole picture unless given;
    ``mirrored`` turns left and right.
    """
    height, width = picture.shape[:2]
    channels = picture.shape[2] if picture.ndim == 3 else 1
    left, upper, right, lower = box or (0.0, 0.0, float(width), float(height))
    picture = np.ascontiguousarray(picture)
    rows, row_weights = taps(upper, lower, height, size[0])
    columns, column_weights = taps(left, right, width, size[1])
    if mirrored:
        columns, column_weights = columns[::-1].copy(), column_weights[::-1].copy()
    first = int(columns.min())
    used = int(columns.max()) + column_weights.shape[1] - first
    line = np.empty(used * channels + 4, np.float32)
    found = np.empty((*size, *picture.shape[2:]), np.uint8)
    arrays = picture, line, rows, row_weights, columns - first, column_weights, found
    source, *others = (array.ctypes.data for array in arrays)
    _kernel(channels)(
        source + first * channels, width * channels, used * channels, *others[:3],
        row_weights.shape[1], *others[3:5], column_weights.shape[1], *size, others[5],
    )  # fmt: skip
    return found


def as_numbers(
    pictures: Bytes,
    factor: npt.NDArray[np.float32],
    offset: npt.NDArray[np.float32],
    result: npt.NDArray[np.float32],
) -> None:
    """Writes pictures uint8 (n, height, width) or (n, height, width, 3) as float32 ``result``
    (n, channels, height, width): byte · factor + offset, one pair for each channel."""
    channels = result.shape[1]
    pictures, pixels = np.ascontiguousarray(pictures), result.shape[2] * result.shape[3]
    scale, zero = (np.ascontiguousarray(part, np.float32) for part in (factor, offset))
    addresses = (array.ctypes.data for array in (pictures, scale, zero, result))
    _numbers_kernel(channels)(*addresses, len(pictures), pixels)


@functools.lru_cache(maxsize=256)
def taps(
    low: float, high: float, extent: int, wanted: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """For each of ``wanted`` pixels of the result the first of its pixels (wanted,), and their
    weights (wanted, taps), which sum to 1, when the part from ``low`` to ``high`` of ``extent``
    pixels is scaled."""
    step = (high - low) / wanted
    reach = max(step, 1.0)
    centre = low + (np.arange(wanted) + 0.5) * step
    begin = np.clip(np.floor(centre - reach + 0.5), 0, extent - 1).astype(np.int64)
    end = np.clip(np.floor(centre + reach + 0.5), begin + 1, extent).astype(np.int64)
    most = int((end - begin).max())
    start = np.minimum(begin, extent - most)
    place = start[:, None] + np.arange(most)
    weight = np.maximum(1 - np.abs(place + 0.5 - centre[:, None]) / reach, 0)
    weight *= (place >= begin[:, None]) & (place < end[:, None])
    weight /= weight.sum(1, keepdims=True)
    return start, np.ascontiguousarray(weight, np.float32)


@functools.cache
def _kernel(channels: int) -> Any:
    """The native function for pictures of so many channels; it runs without Python's lock."""
    kinds = [ctypes.c_void_p if p in _POINTERS else ctypes.c_int64 for p in _PARAMETERS]
    return _loaded(f"resample{channels}", _text, channels, kinds)


@functools.cache
def _numbers_kernel(channels: int) -> Any:
    """The native function of ``as_numbers``."""
    kinds = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2
    return _loaded(f"numbers{channels}", _numbers_text, channels, kinds)


def _loaded(name: str, text: Callable[[str, int, int], str], channels: int, kinds: Any) -> Any:
    target = host_target()
    address = load_kernels({name: text(name, channels, target.lanes("float32"))}, target)[name]
    call: Any = ctypes.CFUNCTYPE(None, *kinds)(address)
    call.address = address  # keeps the code loaded
    return call


def _numbers_text(name: str, channels: int, lanes: int) -> str:
    """IR of ``as_numbers``: of some pixels at a time the bytes of each channel are picked out."""
    pointers = [("ptr noalias", p) for p in ("source", "factor", "offset", "result")]
    f = Function(name, [*pointers, ("i64", "count"), ("i64", "pixels")])
    pixels, every = f.argument("pixels"), f.i64(lanes)
    whole = f.binary("mul", f.binary("sdiv", pixels, every), every)
    scales, zeros = (
        [f.load("float", f.gep(f.argument(part), c, "float")) for c in range(channels)]
        for part in ("factor", "offset")
    )
    with f.loop(0, f.argument("count"), hint="picture") as picture:
        start = f.binary("mul", picture.index, f.binary("mul", pixels, f.i64(channels)))
        source = f.gep(f.argument("source"), start)
        result = f.gep(f.argument("result"), start, "float")
        for begin, end, step in ((f.i64(0), whole, lanes), (whole, pixels, 1)):
            with f.loop(begin, end, step, hint="pixel") as pixel:
                packed = f"<{step * channels} x i8>"
                at = f.binary("mul", pixel.index, f.i64(channels))
                bytes_ = f.load(packed, f.gep(source, at))
                for c in range(channels):
                    places = ", ".join(f"i32 {c + channels * lane}" for lane in range(step))
                    one = f.assign(
                        f"<{step} x i8>",
                        f"shufflevector {bytes_}, {packed} poison, <{step} x i32> <{places}>",
                    )
                    kind = f"<{step} x float>"
                    value = f.cast("uitofp", one, kind)
                    found = f.fma(value, _wide(f, scales[c], step), _wide(f, zeros[c], step))
                    place = f.binary("add", pixel.index, f.binary("mul", pixels, f.i64(c)))
                    f.store(found, f.gep(result, place, "float"))
    f.ret()
    return module_text([f])


def _wide(f: Function, value: Value, lanes: int) -> Value:
    """A number in each of ``lanes`` lanes, also of one."""
    if lanes > 1:
        return f.splat(value, lanes)
    return f.assign("<1 x float>", f"insertelement <1 x float> poison, {value}, i32 0")


def _text(name: str, channels: int, lanes: int) -> str:
    """IR of the function."""
    kinds = [("ptr noalias" if p in _POINTERS else "i64", p) for p in _PARAMETERS]
    f = Function(name, kinds)
    a = {p: f.argument(p) for p in _PARAMETERS}
    taken = f.binary("mul", a["width_out"], f.i64(channels))
    with f.loop(0, a["height_out"], hint="row") as row:
        start = f.load("i64", f.gep(a["row_starts"], row.index, "i64"))
        above = f.gep(a["source"], f.binary("mul", start, a["stride"]))
        weights = f.gep(a["row_weights"], f.binary("mul", row.index, a["row_taps"]), "float")
        _sum_rows(f, a, above, weights, lanes)
        result = f.gep(a["result"], f.binary("mul", row.index, taken))
        _sum_columns(f, a, result, channels)
    f.ret()
    return module_text([f])


def _sum_rows(f: Function, a: dict[str, Value], above: Value, weights: Value, lanes: int) -> None:
    """``line`` = the weighted sum of rows of the picture, ``lanes`` bytes at a time."""
    count = f.i64(lanes)
    whole = f.binary("mul", f.binary("sdiv", a["width"], count), count)
    for begin, end, step in ((f.i64(0), whole, lanes), (whole, a["width"], 1)):
        kind = vector(step, "float") if step > 1 else "float"
        with f.loop(begin, end, step, hint="x") as x:
            with f.loop(0, a["row_taps"], carried=[f.constant(kind, 0.0)], hint="tap") as tap:
                place = f.binary("add", f.binary("mul", tap.index, a["stride"]), x.index)
                pixels = f.load(vector(step, "i8") if step > 1 else "i8", f.gep(above, place))
                weight = f.load("float", f.gep(weights, tap.index, "float"))
                value = f.cast("uitofp", pixels, kind)
                tap.next = [f.fma(value, f.splat(weight, step), tap.values[0])]
            f.store(tap.results[0], f.gep(a["line"], x.index, "float"))


def _sum_columns(f: Function, a: dict[str, Value], result: Value, channels: int) -> None:
    """A row of the result: weighted sums of pixels of ``line``, rounded."""
    kind = "<4 x float>" if channels > 1 else "float"  # of three channels, the fourth is no one's
    with f.loop(0, a["width_out"], hint="column") as column:
        start = f.load("i64", f.gep(a["column_starts"], column.index, "i64"))
        weights = f.gep(
            a["column_weights"], f.binary("mul", column.index, a["column_taps"]), "float"
        )
        with f.loop(0, a["column_taps"], carried=[f.constant(kind, 0.5)], hint="tap") as tap:
            place = f.binary("mul", f.binary("add", start, tap.index), f.i64(channels))
            pixel = f.load(kind, f.gep(a["line"], place, "float"))
            weight = f.load("float", f.gep(weights, tap.index, "float"))
            wide = f.splat(weight, 4) if channels > 1 else weight
            tap.next = [f.fma(pixel, wide, tap.values[0])]
        most = f.constant(kind, 255.5)
        value = f.intrinsic("llvm.minnum", kind, tap.results[0], most)
        number = f.cast("fptoui", value, "<4 x i32>" if channels > 1 else "i32")
        target = f.gep(result, f.binary("mul", column.index, f.i64(channels)))
        for channel in range(channels):
            one = number
            if channels > 1:
                one = f.assign("i32", f"extractelement {number}, i32 {channel}")
            f.store(f.cast("trunc", one, "i8"), f.gep(target, channel))
