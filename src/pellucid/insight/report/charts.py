"""Charts as SVG, drawn by hand: no library, colours from the page's style.

Each is complete as it stands, so that it prints and can be read by any browser; those in a
``figure`` carry their values for the page's script, which shows them under the pointer and zooms.
"""

from __future__ import annotations

import base64
import html
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.language import translated
from pellucid.insight.report.markup import number, plain, said

WIDTH, HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 34
MAX_POINTS, MOST_DOTS, FEW_POINTS = 400, 1500, 30

Line = tuple[str, str, Sequence[float], Sequence[float]]
"""Label, CSS class, x values, y values."""


# ---- scales ------------------------------------------------------------------------------------


def nice_ticks(low: float, high: float, count: int = 7) -> list[float]:
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


def interactive(
    frame: Frame,
    lines: Sequence[Mapping[str, Any]],
    picture: str,
    titles: tuple[str, str],
    *,
    whole: bool = False,
    points: bool = False,
) -> str:
    """A picture with what it was drawn from, for the page's script.

    ``lines`` have ``name``, ``css``, ``x``, ``y`` and perhaps ``labels``, one for each point.
    """
    chart = {
        "w": frame.width,
        "h": frame.height,
        "pad": [_LEFT, _RIGHT, _TOP, _BOTTOM],
        "x": [frame.x_low, frame.x_high],
        "y": [frame.y_low, frame.y_high],
        "log": frame.log,
        "whole": whole,
        "points": points,
        "xname": plain(titles[0]),
        "yname": plain(titles[1]),
        "reset": translated("Whole chart"),
        "lines": lines,
    }
    text = html.escape(json.dumps(chart, ensure_ascii=False, separators=(",", ":")), quote=True)
    return f'<figure class="chart" data-chart="{text}">{picture}</figure>'


def _finite(values: Sequence[float]) -> list[float | None]:
    """Values for JSON with seven digits, None where they are not finite."""
    return [float(f"{v:.7g}") if math.isfinite(v) else None for v in values]


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
    shares: bool = False,
) -> str:
    """Curves with a legend; ``best`` marks one x value.  The y axis is logarithmic where positive
    values differ by more than thirty times, unless they are ``shares``; ``whole`` x values are
    whole numbers."""
    finite = [y for _, _, _, ys in lines for y in ys if math.isfinite(y)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    log = low > 0 and high / low > 30 and not shares
    margin = 0.0 if log else (high - low) * 0.06
    xs = [x for _, _, values, _ in lines for x in values]
    top = high * 1.15 if log else high + margin
    bottom = low / 1.15 if log else (max(0.0, low - margin) if low >= 0 else low - margin)
    frame = Frame((min(xs), max(xs)), (bottom, top), log=log)
    axis = f"{y_title} (logarithmic)" if log else y_title
    parts = [_mark(frame, best)] if best is not None else []
    shown = []
    for place, (name, css, values, ys) in enumerate(lines):
        kept = thin(ys)
        shown.append(_line(name, css, [values[i] for i in kept], [ys[i] for i in kept]))
        parts.append(_curve(frame, place, shown[-1]))
    body = f'<g class="axes">{frame.axes(x_title, axis, whole=whole)}</g>'
    body += f'<g class="plot">{"".join(parts)}</g>'
    picture = svg(frame.width, frame.height, body, f"{y_title} over {x_title}")
    entries = [(name, css) for name, css, _, _ in lines]
    if best is not None:
        entries.append((f"best epoch ({number(best)})", "mark"))
    return legend(entries) + interactive(frame, shown, picture, (x_title, y_title), whole=whole)


def _line(name: str, css: str, xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """A line for the script."""
    return {"name": plain(name), "css": css, "x": _finite(xs), "y": _finite(ys)}


def _mark(frame: Frame, best: float) -> str:
    at = frame.x(best)
    return (
        f'<line class="mark" data-v="{best:.7g}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" '
        f'y2="{frame.height - _BOTTOM}"><title>best epoch {number(best)}</title></line>'
    )


def _curve(frame: Frame, place: int, line: Mapping[str, Any]) -> str:
    """A curve, with its points where they are few."""
    pairs = [(x, y) for x, y in zip(line["x"], line["y"], strict=True) if None not in (x, y)]
    points = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in pairs)
    drawn = f'<polyline class="curve {line["css"]}" data-i="{place}" points="{points}"/>'
    if 2 < len(pairs) <= FEW_POINTS or len(pairs) == 1:
        drawn += "".join(
            f'<circle class="dot {line["css"]}" data-v="{x:.7g} {y:.7g}" '
            f'cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3"/>'
            for x, y in pairs
        )
    return drawn


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
) -> str:
    """Bars, with another histogram as an outline behind them (its own counts and range).

    Heights are square roots of densities, so that small bars beside a tall one can be seen.
    """
    width, height, base = 260, 96, 80
    left, right = low, high
    if outline is not None:
        left, right = min(low, outline[1]), max(high, outline[2])
    if not right > left:
        left, right = _around(left)
    bars = _densities(counts, low, high)
    other = _densities(*outline) if outline is not None else []
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


def _densities(counts: Sequence[int], low: float, high: float) -> list[tuple[float, float, float]]:
    """(start, end, height) of each bar: the square root of its density."""
    if not high > low:
        low, high = _around(low)
    step = (high - low) / len(counts)
    total = max(sum(counts), 1)
    heights = [count / total / step for count in counts]
    return [
        (low + i * step, low + (i + 1) * step, math.sqrt(height))
        for i, height in enumerate(heights)
    ]


def bars(
    counts: Sequence[int], low: float, high: float, x_title: str, y_title: str, label: str
) -> str:
    """A histogram whose heights are numbers of rows, with both axes."""
    left, right = (low, high) if high > low else _around(low)
    step = (right - left) / len(counts)
    frame = Frame((left, right), (0.0, max(max(counts), 1) * 1.08))
    drawn = "".join(
        f'<rect class="bar" x="{frame.x(left + i * step) + 0.5:.1f}" y="{frame.y(count):.1f}" '
        f'width="{max(frame.x(step) - frame.x(0.0) - 1, 0.8):.1f}" '
        f'height="{frame.y(0.0) - frame.y(count):.1f}"><title>{number(left + i * step, 3)} – '
        f"{number(left + (i + 1) * step, 3)}: {count:,}</title></rect>"
        for i, count in enumerate(counts)
        if count
    )
    if left < 0 < right:
        at = frame.x(0.0)
        drawn += f'<line class="zero" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{frame.y(0)}"/>'
    return svg(frame.width, frame.height, frame.axes(x_title, y_title) + drawn, label)


Level = tuple[str, float, float, float, str]
"""Label, middle, low end, high end, and a text for under the pointer."""


def levels_chart(levels: Sequence[Level], y_title: str, reference: float | None = None) -> str:
    """A point with its interval for each level, side by side; ``reference`` is a line across."""
    ends = [v for _, *values, _ in levels for v in values if math.isfinite(v)]
    if reference is not None:
        ends.append(reference)
    width, height = 260, 150
    frame = Frame((0.0, float(len(levels))), _wider(min(ends), max(ends)), width=width,
                  height=height)  # fmt: skip
    parts = []
    for tick in nice_ticks(frame.y_low, frame.y_high, 4):
        at = frame.y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at:.1f}" '
                     f'y2="{at:.1f}"/><text class="tick" x="{_LEFT - 6}" y="{at + 3.5:.1f}" '
                     f'text-anchor="end">{number(tick, 3)}</text>')  # fmt: skip
    if reference is not None:
        at = frame.y(reference)
        parts.append(f'<line class="mark" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at:.1f}" '
                     f'y2="{at:.1f}"/>')  # fmt: skip
    points = []
    for place, (label, middle, low, high, told) in enumerate(levels):
        x = frame.x(place + 0.5)
        points.append(f"{x:.1f},{frame.y(middle):.1f}")
        parts.append(
            f'<g><line class="range" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y(low):.1f}" '
            f'y2="{frame.y(high):.1f}"/><circle class="dot a" cx="{x:.1f}" '
            f'cy="{frame.y(middle):.1f}" r="3"/><title>{told}</title></g>'
        )
        if len(levels) <= 6 or place % 2 == 0:
            shift = height - _BOTTOM + 13
            parts.append(f'<text class="tick" x="{x:.1f}" y="{shift}" text-anchor="middle">'
                         f"{label}</text>")  # fmt: skip
    parts.append(f'<text class="title" transform="translate(9 {height / 2 - 10:.0f}) '
                 f'rotate(-90)" text-anchor="middle">{said(y_title)}</text>')  # fmt: skip
    return svg(width, height, "".join(parts), y_title)


# ---- predictions -------------------------------------------------------------------------------


def scatter(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    x_title: str,
    y_title: str,
    *,
    labels: Sequence[str] = (),
    guide: str = "",
    square: bool = False,
) -> str:
    """Points; ``labels`` name them under the pointer.  ``guide`` is ``"diagonal"``, on which both
    are equal, ``"zero"`` for a line at 0, or empty; ``square`` gives both axes one range."""
    chosen = thin(x.tolist(), MOST_DOTS)
    x, y = x[chosen], y[chosen]
    ranges = [(float(v.min()), float(v.max())) for v in (x, y)]
    if square:
        both = (min(r[0] for r in ranges), max(r[1] for r in ranges))
        ranges = [both, both]
    wider = [_wider(*ends) for ends in ranges]
    side = WIDTH - _LEFT - _RIGHT + _TOP + _BOTTOM
    frame = Frame(wider[0], wider[1], height=side if square else HEIGHT + 30)
    drawn = _guide(frame, guide)
    size = 2.6 if len(chosen) < 500 else 1.8
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        drawn += (
            f'<circle class="point" data-v="{a:.7g} {b:.7g}" '
            f'cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="{size}"/>'
        )
    body = f'<g class="axes">{frame.axes(x_title, y_title)}</g><g class="plot">{drawn}</g>'
    picture = svg(frame.width, frame.height, body, f"{y_title} against {x_title}")
    line = _line("", "a", x.tolist(), y.tolist())
    if labels:
        line["labels"] = [plain(labels[i]) for i in chosen]
    return interactive(frame, [line], picture, (x_title, y_title), points=True)


def _wider(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.03 or 0.5
    return low - margin, high + margin


def _guide(frame: Frame, guide: str) -> str:
    if not guide:
        return ""
    low, high = max(frame.x_low, frame.y_low), min(frame.x_high, frame.y_high)
    ends = (low, low, high, high)
    if guide == "zero":
        ends = (frame.x_low, 0.0, frame.x_high, 0.0)
    return (
        f'<line class="mark" data-v="{" ".join(f"{v:.7g}" for v in ends)}" '
        f'x1="{frame.x(ends[0]):.1f}" y1="{frame.y(ends[1]):.1f}" '
        f'x2="{frame.x(ends[2]):.1f}" y2="{frame.y(ends[3]):.1f}"/>'
    )


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
