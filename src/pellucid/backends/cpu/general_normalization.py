"""Batch normalization and its gradient for every extent (see :mod:`.general`).

A chunk is a range of channels; a channel's values stay in cache between the passes over them.
Sums are of each image first, then of the images, so that long ones lose few digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.backends.cpu.contraction import operand
from pellucid.backends.cpu.contraction_tiles import multiply_add
from pellucid.backends.cpu.general_words import Writer
from pellucid.backends.cpu.ir import Value

SIDE_BY_SIDE = 2
"""Vectors of partial sums that do not wait for each other."""

Terms = Callable[[Value], Sequence[Value]]
"""From the position of elements to what is summed over them, vectors or numbers."""


def _images(w: Writer, channel: Value, body: Callable[[Value], None]) -> None:
    """Call ``body`` with the first element of the channel in each image, in a loop over images."""
    f = w.f
    with f.loop(0, w["images"], hint="image") as image:
        plane = f.binary("add", f.binary("mul", image.index, w["channels"]), channel)
        body(f.binary("mul", plane, w["extent"]))


def _sums(
    w: Writer, channel: Value, terms: Callable[[Value, str], Sequence[Value]], results: int
) -> list[Value]:
    """Sums over all elements of a channel."""
    f = w.f
    zeros = [f.constant(w.scalar, 0.0)] * results
    with f.loop(0, w["images"], carried=zeros, hint="image") as image:
        plane = f.binary("add", f.binary("mul", image.index, w["channels"]), channel)
        first = f.binary("mul", plane, w["extent"])
        found = _sums_of_image(w, first, terms, results)
        image.next = [f.fadd(a, b, flags="") for a, b in zip(image.values, found, strict=True)]
    return image.results


def _sums_of_image(
    w: Writer, first: Value, terms: Callable[[Value, str], Sequence[Value]], results: int
) -> list[Value]:
    f, step = w.f, SIDE_BY_SIDE * w.lanes
    rest = f.binary("urem", w["extent"], f.i64(step))
    whole = f.binary("sub", w["extent"], rest)
    zeros = [f.constant(w.type, 0.0)] * (results * SIDE_BY_SIDE)
    with f.loop(0, whole, step, carried=zeros, hint="vector") as loop:
        for k in range(SIDE_BY_SIDE):
            at = f.binary("add", f.binary("add", first, loop.index), f.i64(k * w.lanes))
            before = loop.values[k * results : (k + 1) * results]
            loop.next += [
                f.fadd(a, b, flags="") for a, b in zip(before, terms(at, w.type), strict=True)
            ]
    found = []
    for number in range(results):
        parts = loop.results[number::results]
        total = parts[0]
        for part in parts[1:]:
            total = f.fadd(total, part, flags="")
        found.append(w.sum_of(total))
    with f.loop(whole, w["extent"], carried=found, hint="rest") as loop:
        made = terms(f.binary("add", first, loop.index), w.scalar)
        loop.next = [f.fadd(a, b, flags="") for a, b in zip(loop.values, made, strict=True)]
    return loop.results


def _everywhere(w: Writer, channel: Value, body: Callable[[Value, str], None]) -> None:
    """``body`` for all elements of a channel, in vectors and one by one."""
    f = w.f
    rest = f.binary("urem", w["extent"], f.i64(w.lanes))
    whole = f.binary("sub", w["extent"], rest)

    def image(first: Value) -> None:
        with f.loop(0, whole, w.lanes, hint="vector") as loop:
            body(f.binary("add", first, loop.index), w.type)
        with f.loop(whole, w["extent"], hint="rest") as loop:
            body(f.binary("add", first, loop.index), w.scalar)

    _images(w, channel, image)


def _as(w: Writer, value: Value, type_: str) -> Value:
    """A number of the kernel, in as many lanes as the type has."""
    return value if type_ == w.scalar else w.f.splat(value, w.lanes)


def _statistics(w: Writer, channel: Value, x: Value) -> tuple[Value, Value]:
    """Mean of a channel, and the mean of the squares of its deviations."""
    f, count = w.f, w.real("count")

    def values(at: Value, type_: str) -> list[Value]:
        return [f.load(type_, f.gep(x, at, w.scalar))]

    mean = f.fdiv(_sums(w, channel, values, 1)[0], count)
    means = {w.type: f.splat(mean, w.lanes), w.scalar: mean}

    def squares(at: Value, type_: str) -> list[Value]:
        off = f.fsub(values(at, type_)[0], means[type_], flags="")
        return [f.fmul(off, off, flags="")]

    return mean, f.fdiv(_sums(w, channel, squares, 1)[0], count)


def _reciprocal(w: Writer, variance: Value) -> Value:
    """1 / √(var + ε)."""
    f = w.f
    deviation = f.intrinsic("llvm.sqrt", w.scalar, f.fadd(variance, w.real("eps"), flags=""))
    return f.fdiv(f.constant(w.scalar, 1.0), deviation)


def _share(w: Writer) -> tuple[Value, Value]:
    f = w.f
    begin = f.binary("mul", w.chunk, w["together"])
    end = f.binary("add", begin, w["together"])
    return begin, f.intrinsic("llvm.smin", "i64", end, w["channels"])


def batch_normalized(w: Writer) -> None:
    """(x − mean) · r · γ + β; operands x, γ, β, the result, mean, variance."""
    f = w.f
    x, gamma, beta, out, means, variances = (operand(f, k) for k in range(1, 7))
    with w.chunks(), f.loop(*_share(w), hint="channel") as channel:
        c = channel.index
        mean, variance = _statistics(w, c, x)
        f.store(mean, f.gep(means, c, w.scalar))
        f.store(variance, f.gep(variances, c, w.scalar))
        scale = f.load(w.scalar, f.gep(gamma, c, w.scalar))
        scale = f.fmul(_reciprocal(w, variance), scale, flags="")
        shift = f.load(w.scalar, f.gep(beta, c, w.scalar))
        known = {t: [_as(w, v, t) for v in (mean, scale, shift)] for t in (w.type, w.scalar)}

        def element(at: Value, type_: str) -> None:
            middle, factor, offset = known[type_]
            off = f.fsub(f.load(type_, f.gep(x, at, w.scalar)), middle, flags="")
            f.store(multiply_add(f, off, factor, offset), f.gep(out, at, w.scalar))

        _everywhere(w, c, element)


def batch_pulled(w: Writer) -> None:
    """The gradient for x, γ and β; operands x, γ, the cotangent g, and the three results.

    With s the standardized x: β's is Σ g, γ's is Σ g·s, and x's is
    γ · r · (g − mean(g) − s · mean(g·s)) (Ioffe and Szegedy, 2015).
    """
    f = w.f
    x, gamma, given, to_x, to_gamma, to_beta = (operand(f, k) for k in range(1, 7))
    with w.chunks(), f.loop(*_share(w), hint="channel") as channel:
        c = channel.index
        mean, variance = _statistics(w, c, x)
        reciprocal = _reciprocal(w, variance)
        means = {t: _as(w, mean, t) for t in (w.type, w.scalar)}

        def deviation(at: Value, type_: str) -> tuple[Value, Value]:
            off = f.fsub(f.load(type_, f.gep(x, at, w.scalar)), means[type_], flags="")
            return f.load(type_, f.gep(given, at, w.scalar)), off

        def products(at: Value, type_: str) -> list[Value]:
            g, off = deviation(at, type_)
            return [g, f.fmul(g, off, flags="")]

        total, along = _sums(w, c, products, 2)
        along = f.fmul(along, reciprocal, flags="")
        f.store(along, f.gep(to_gamma, c, w.scalar))
        f.store(total, f.gep(to_beta, c, w.scalar))
        count = w.real("count")
        scale = f.fmul(f.load(w.scalar, f.gep(gamma, c, w.scalar)), reciprocal, flags="")
        share = f.fmul(f.fdiv(along, count), reciprocal, flags="")
        parts = (f.fdiv(total, count), share, scale)
        known = {t: [_as(w, v, t) for v in parts] for t in (w.type, w.scalar)}

        def element(at: Value, type_: str) -> None:
            middle, slope, factor = known[type_]
            g, off = deviation(at, type_)
            left = f.fsub(f.fsub(g, middle, flags=""), f.fmul(off, slope, flags=""), flags="")
            f.store(f.fmul(left, factor, flags=""), f.gep(to_x, at, w.scalar))

        _everywhere(w, c, element)
