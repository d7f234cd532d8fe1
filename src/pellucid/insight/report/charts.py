"""Charts as SVG, drawn by hand: no library, no script, colours from the page's style."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.insight.report.markup import number, said

WIDTH, HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 34
MAX_POINTS = 400

Line = tuple[str, str, Sequence[float], Sequence[float]]
"""Label, CSS class, x values, y values."""


# ---- scales ------------------------------------------------------------------------------------


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between ``low`` and ``high``, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between ``low`` and ``high``; powers only for wide ranges."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if math.log10(high / low) > 3 else (1, 2, 5)
    ticks = [f * 10.0**p for p in powers for f in factors]
    return [t for t in ticks if low * 0.999 <= t <= high * 1.001]


class Frame:
    """A plot area with axes: ``x`` and ``y`` turn values into positions."""

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        log: bool = False,
        width: int = WIDTH,
        height: int = HEIGHT,
    ) -> None:
        self.width, self.height, self.log = width, height, log
        self.x_low, self.x_high = x_range if x_range[1] > x_range[0] else _around(x_range[0])
        low, high = y_range if y_range[1] > y_range[0] else _around(y_range[0])
        self.y_low, self.y_high = low, high

    def x(self, value: float) -> float:
        """Horizontal position."""
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Vertical position."""
        low, high = self.y_low, self.y_high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        share = (value - low) / (high - low)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)

    def axes(self, x_title: str, y_title: str, whole: bool = False) -> str:
        """Grid lines, tick labels and titles."""
        ticks = log_ticks if self.log else nice_ticks
        parts = []
        for tick in ticks(self.y_low, self.y_high):
            at = self.y(tick)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{self.width - _RIGHT}" '
                f'y1="{at:.1f}" y2="{at:.1f}"/>'
            )
            parts.append(
                f'<text class="tick" x="{_LEFT - 6}" y="{at + 3.5:.1f}" '
                f'text-anchor="end">{number(tick, 3)}</text>'
            )
        base = self.height - _BOTTOM
        for tick in nice_ticks(self.x_low, self.x_high, 6):
            if whole and tick != int(tick):
                continue
            parts.append(
                f'<text class="tick" x="{self.x(tick):.1f}" y="{base + 15}" '
                f'text-anchor="middle">{number(tick, 4)}</text>'
            )
        parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{self.width - _RIGHT}" y1="{base}" y2="{base}"/>'
        )
        middle = (_LEFT + self.width - _RIGHT) / 2
        parts.append(
            f'<text class="title" x="{middle:.0f}" y="{self.height - 4}" '
            f'text-anchor="middle">{said(x_title)}</text>'
        )
        parts.append(
            f'<text class="title" transform="translate(11 {base / 2 + 6:.0f}) '
            f'rotate(-90)" text-anchor="middle">{said(y_title)}</text>'
        )
        return "".join(parts)


def _around(value: float) -> tuple[float, float]:
    reach = abs(value) * 0.5 or 0.5
    return value - reach, value + reach


def svg(width: int, height: int, body: str, label: str) -> str:
    """An SVG picture that scales with the page; ``label`` is read to those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{said(label, 200)}">'
        f"{body}</svg>"
    )


def thin(values: Sequence[Any], most: int = MAX_POINTS) -> list[int]:
    """Positions of at most about ``most`` entries, evenly spaced, first and last included."""
    count = len(values)
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


# ---- curves ------------------------------------------------------------------------------------


def line_chart(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    best: float | None = None,
    *,
    whole: bool = True,
) -> str:
    """Curves with a legend; ``best`` marks one x value.  The y axis is logarithmic where positive
    values differ by more than thirty times; ``whole`` x values are whole numbers."""
    finite = [y for _, _, _, ys in lines for y in ys if math.isfinite(y)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    log = low > 0 and high / low > 30
    margin = 0.0 if log else (high - low) * 0.06
    xs = [x for _, _, values, _ in lines for x in values]
    top = high * 1.15 if log else high + margin
    bottom = low / 1.15 if log else (max(0.0, low - margin) if low >= 0 else low - margin)
    frame = Frame((min(xs), max(xs)), (bottom, top), log=log)
    parts = [frame.axes(x_title, y_title, whole=whole)]
    if best is not None:
        at = frame.x(best)
        parts.append(
            f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" '
            f'y2="{HEIGHT - _BOTTOM}"><title>best epoch {number(best)}</title></line>'
        )
    for name, css, values, ys in lines:
        points = [
            f"{frame.x(values[i]):.1f},{frame.y(ys[i]):.1f}"
            for i in thin(ys)
            if math.isfinite(ys[i])
        ]
        if len(points) == 1:
            cx, cy = points[0].split(",")
            parts.append(f'<circle class="dot {css}" cx="{cx}" cy="{cy}" r="3"/>')
        parts.append(
            f'<polyline class="curve {css}" points="{" ".join(points)}">'
            f"<title>{said(name)}</title></polyline>"
        )
    picture = svg(WIDTH, HEIGHT, "".join(parts), f"{y_title} over {x_title}")
    entries = [(name, css) for name, css, _, _ in lines]
    if best is not None:
        entries.append((f"best epoch ({number(best)})", "mark"))
    return legend(entries) + picture


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names beside their colours."""
    keys = "".join(f'<span><i class="key {css}"></i>{said(name)}</span>' for name, css in entries)
    return f'<div class="legend">{keys}</div>'


# ---- distributions -----------------------------------------------------------------------------


def histogram(
    counts: Sequence[int],
    low: float,
    high: float,
    outline: tuple[Sequence[int], float, float] | None = None,
    label: str = "",
    *,
    roots: bool = True,
) -> str:
    """Bars, with another histogram as an outline behind them (its own counts and range).

    Heights are square roots of densities, so that small bars beside a tall one can be seen, or
    with ``roots=False`` in proportion to the counts.
    """
    width, height, base = 260, 96, 80
    left, right = low, high
    if outline is not None:
        left, right = min(low, outline[1]), max(high, outline[2])
    if not right > left:
        left, right = _around(left)
    bars = _densities(counts, low, high, roots)
    other = _densities(*outline, roots) if outline is not None else []
    top = max([h for _, _, h in bars] + [h for _, _, h in other] + [1e-300])

    def place(value: float) -> float:
        return 6 + (value - left) / (right - left) * (width - 12)

    parts = []
    for start, end, level in bars:
        tall = level / top * (base - 6)
        if tall > 0:
            wide = max(place(end) - place(start) - 0.6, 0.8)
            parts.append(
                f'<rect class="bar" x="{place(start):.1f}" y="{base - tall:.1f}" '
                f'width="{wide:.1f}" height="{max(tall, 0.6):.1f}"/>'
            )
    if other:
        corners = [f"{place(other[0][0]):.1f},{base}"]
        for start, end, level in other:
            y = base - level / top * (base - 6)
            corners += [f"{place(start):.1f},{y:.1f}", f"{place(end):.1f},{y:.1f}"]
        corners.append(f"{place(other[-1][1]):.1f},{base}")
        parts.append(f'<polyline class="outline" points="{" ".join(corners)}"/>')
    parts.append(f'<line class="axis" x1="6" x2="{width - 6}" y1="{base}" y2="{base}"/>')
    if left < 0 < right:
        parts.append(
            f'<line class="zero" x1="{place(0):.1f}" x2="{place(0):.1f}" y1="4" y2="{base}"/>'
        )
    parts.append(f'<text class="tick" x="6" y="93">{number(left, 3)}</text>')
    parts.append(
        f'<text class="tick" x="{width - 6}" y="93" text-anchor="end">{number(right, 3)}</text>'
    )
    return svg(width, height, "".join(parts), label or "histogram")


def _densities(
    counts: Sequence[int], low: float, high: float, roots: bool
) -> list[tuple[float, float, float]]:
    """(start, end, height) of each bar: its density, or the square root of it."""
    if not high > low:
        low, high = _around(low)
    step = (high - low) / len(counts)
    total = max(sum(counts), 1)
    heights = [count / total / step for count in counts]
    return [
        (low + i * step, low + (i + 1) * step, math.sqrt(height) if roots else height)
        for i, height in enumerate(heights)
    ]


# ---- predictions -------------------------------------------------------------------------------


def scatter(true: npt.NDArray[Any], predicted: npt.NDArray[Any], unit: str) -> str:
    """Predicted against true values with the diagonal on which both are equal."""
    chosen = thin(true.tolist(), 1500)
    x, y = true[chosen], predicted[chosen]
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    margin = (high - low) * 0.03 or 0.5
    frame = Frame((low - margin, high + margin), (low - margin, high + margin), height=420)
    size = 2.6 if len(chosen) < 500 else 1.8
    parts = [frame.axes(f"true {unit}", f"predicted {unit}")]
    parts.append(
        f'<line class="mark" x1="{frame.x(low):.1f}" y1="{frame.y(low):.1f}" '
        f'x2="{frame.x(high):.1f}" y2="{frame.y(high):.1f}"/>'
    )
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        parts.append(
            f'<circle class="point" cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="{size}"/>'
        )
    return svg(WIDTH, 420, "".join(parts), f"predicted against true {unit}")


def stacked_bar(parts: Sequence[tuple[str, float, str]]) -> str:
    """One bar cut into named shares: (label for people, size, CSS class)."""
    total = sum(size for _, size, _ in parts) or 1.0
    cells = "".join(
        f'<i class="{css}" style="width:{100 * size / total:.2f}%" title="{said(label)}"></i>'
        for label, size, css in parts
        if size > 0
    )
    return f'<div class="stack">{cells}</div>' + legend([(label, css) for label, _, css in parts])


# ---- images ------------------------------------------------------------------------------------


def image_uri(pixels: npt.NDArray[Any]) -> str:
    """A PNG as a data URI from pixels between 0 and 1: (height, width) or (height, width, 3)."""
    values = (np.clip(np.nan_to_num(pixels), 0, 1) * 255).round().astype(np.uint8)
    colour = values.ndim == 3 and values.shape[2] == 3
    if values.ndim == 3 and not colour:
        values = values[:, :, 0]
    height, width = values.shape[:2]
    lines = np.concatenate([np.zeros((height, 1), np.uint8), values.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if colour else 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(lines.tobytes(), 9)),
            (b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(content).decode()
