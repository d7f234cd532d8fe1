"""What a program became, for people: kernels with their layers and lines, work, time, memory."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from pellucid.compiler.clusters import REDUCTIONS, Cluster
from pellucid.graph.node import CONSTANT, INPUT, Node

QUIET = frozenset(("copy", "cast", "reshape", "broadcast_to", "transpose", "iota"))
"""Operations without arithmetic, and those that every table would be full of."""
WIDTH = 100
"""Columns of the printed table."""
CHART_WIDTH = 60
CHART_HEIGHT = 8


@dataclass(frozen=True)
class KernelFacts:
    """One kernel of a program.

    ``operations`` are the fused operations in the order of the computation, with repetitions;
    ``layers`` and ``lines`` (``file:line``) where they come from; ``flop`` counts one for each
    arithmetic operation on an element, two for each multiply-add of a product; ``read_bytes`` and
    ``written_bytes`` count each buffer once; ``chunks`` is into how many pieces threads may share
    the work; ``seconds`` its mean measured time, None if it was not measured.  A kernel of a loop
    runs ``turns`` times; work, bytes and seconds are those of all iterations.  ``arithmetic`` says
    how a product of bfloat16 operands is computed, and is empty for everything else; ``host`` says
    that there is no kernel, and Python computes it.  ``parts`` shares work and time out among the
    layers: (layer, whether it is of the layer's gradient, share).
    """

    name: str
    region: int
    operations: tuple[str, ...]
    layers: tuple[str, ...]
    lines: tuple[str, ...]
    flop: int
    read_bytes: int
    written_bytes: int
    chunks: int
    seconds: float | None = None
    turns: int = 1
    arithmetic: str = ""
    host: bool = False
    parts: tuple[tuple[str, bool, float], ...] = ()

    @property
    def fused(self) -> str:
        """The operations in words: ``matmul``, ``add relu``, ``add mul×3 sqrt``.

        A kernel of a loop says how often it runs: ``35 times: matmul tanh``.
        """
        counts: dict[str, int] = {}
        for name in self.operations:
            counts[name] = counts.get(name, 0) + 1
        loud = {n: c for n, c in counts.items() if n not in QUIET} or counts
        words = " ".join(n if c == 1 else f"{n}×{c}" for n, c in loud.items())
        return words if self.turns == 1 else f"{self.turns} times: {words}"


@dataclass(frozen=True)
class BufferFacts:
    """An intermediate value in the arena: what it is, and the steps at which it is alive."""

    label: str
    offset: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Explanation:
    """A compiled program; ``print`` it, or see :meth:`to_svg`.

    ``regions`` counts the stretches of the program after which threads wait for each other,
    ``steps`` the times at which buffers begin and end to live, ``threads`` how many run it: one
    where more do not pay.  ``seconds`` is the mean time of
    the whole program over ``calls`` runs, None if it was not measured.
    """

    kernels: tuple[KernelFacts, ...]
    buffers: tuple[BufferFacts, ...]
    regions: int
    steps: int
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    threads: int
    seconds: float | None = None
    calls: int = 0

    # ---- totals ------------------------------------------------------------------------------

    @property
    def flop(self) -> int:
        """Arithmetic operations of all kernels."""
        return sum(k.flop for k in self.kernels)

    @property
    def bytes_moved(self) -> int:
        """Bytes that kernels read and write, each operand of each kernel once."""
        return sum(k.read_bytes + k.written_bytes for k in self.kernels)

    @property
    def live_bytes(self) -> tuple[int, ...]:
        """Bytes of intermediate values alive at each step."""
        return tuple(
            sum(b.size for b in self.buffers if b.first <= step <= b.last)
            for step in range(self.steps)
        )

    def share(self, kernel: KernelFacts) -> float | None:
        """The kernel's share of the time of all kernels, 0 to 1."""
        total = sum(k.seconds or 0.0 for k in self.kernels)
        return None if kernel.seconds is None or not total else kernel.seconds / total

    # ---- as text -----------------------------------------------------------------------------

    def __str__(self) -> str:
        return "\n".join([*self._table(), "", *self._summary(), "", *self._chart()])

    def _repr_html_(self) -> str:
        """The text in a notebook, as wide as it is."""
        return f'<pre style="line-height:1.2;overflow-x:auto">{html.escape(str(self))}</pre>'

    def _table(self) -> list[str]:
        # region, time, share, GFLOP/s, bytes, chunks, layer, what is fused: 100 columns
        head = (
            f"{'#':>3} {'time':>8} {'share':>5} {'FLOP':>8} {'FLOP/s':>7} {'bytes':>8} {'cut':>4}"
        )
        lines = [f"{head}  {'layer':<18} fused operations (line)"]
        previous = -1
        for kernel in self.kernels:
            number = "" if kernel.region == previous else str(kernel.region)
            previous = kernel.region
            share = self.share(kernel)
            rate = kernel.flop / kernel.seconds if kernel.seconds else None
            row = (
                f"{number:>3} {_time(kernel.seconds):>8} "
                f"{'' if share is None else f'{100 * share:.0f} %':>5} {_count(kernel.flop):>8} "
                f"{'' if rate is None else _count(rate):>7} "
                f"{_bytes(kernel.read_bytes + kernel.written_bytes):>8} {kernel.chunks:>4}"
            )
            where = _short_line(kernel.lines[-1]) if kernel.lines else ""
            what = f"{kernel.fused} ({where})" if where else kernel.fused
            lines.append(f"{row}  {_cut(', '.join(kernel.layers), 18):<18} ".rstrip())
            lines[-1] = f"{lines[-1]:<{len(row) + 21}}{_cut(what, WIDTH - len(row) - 21)}"
        return lines

    def _summary(self) -> list[str]:
        kernels = f"{len(self.kernels)} kernels in {self.regions} regions on {self.threads} "
        kernels += "thread" if self.threads == 1 else "threads"
        work = f"{_count(self.flop)}FLOP, {_bytes(self.bytes_moved)} moved"
        lines = [f"{kernels}: {work}"]
        if self.seconds:
            rate = _count(self.flop / self.seconds)
            took = _time(self.seconds)
            lines.append(f"one run takes {took} (mean of {self.calls}), {rate}FLOP/s")
        found: dict[str, int] = {}
        for kernel in self.kernels:
            if kernel.arithmetic:
                found[kernel.arithmetic] = found.get(kernel.arithmetic, 0) + 1
        lines += [f"{count} products in {words}" for words, count in found.items()]
        called = dict.fromkeys(name for k in self.kernels if k.host for name in k.operations)
        if called:
            lines.append(f"computed in Python: {', '.join(called)}")
        lines.append(
            f"memory: {_bytes(self.arena_bytes)} for {len(self.buffers)} intermediate values, "
            f"{_bytes(self.input_bytes)} inputs and state, {_bytes(self.output_bytes)} results"
        )
        return lines

    def _chart(self) -> list[str]:
        """Live bytes over the steps as columns of blocks."""
        live = self.live_bytes
        if not live or not max(live):
            return ["no intermediate values in memory"]
        columns = _resample(live, CHART_WIDTH)
        top = max(columns)
        lines = [
            f"live intermediate values over the {len(live)} steps, at most {_bytes(max(live))}"
        ]
        for level in range(CHART_HEIGHT, 0, -1):
            cells = "".join(_block(value / top * CHART_HEIGHT - level + 1) for value in columns)
            label = _bytes(top * level / CHART_HEIGHT)
            lines.append(f"{label:>9} ┤{cells}".rstrip())
        return [*lines, f"{'0':>9} └{'─' * len(columns)}"]

    # ---- as a picture ------------------------------------------------------------------------

    def to_svg(self) -> str:
        """A picture of the program, a complete SVG document.

        Above: the time (or, unmeasured, the work) of each kernel.  Below: the arena, time from
        left to right, addresses from top to bottom; each rectangle is a value while it lives.
        """
        width, bar, arena = 960, 16, 260
        weights = [k.seconds if k.seconds is not None else float(k.flop) for k in self.kernels]
        largest = max(weights, default=0.0) or 1.0
        parts = []
        y = 0.0
        for row, (kernel, weight) in enumerate(zip(self.kernels, weights, strict=True)):
            y = 40 + row * bar
            layer = _cut(", ".join(kernel.layers) or kernel.name, 34)
            length = 420 * weight / largest
            note = f"{_time(kernel.seconds)} {_cut(kernel.fused, 40)}".strip()
            parts.append(_text(190, y + 11, layer, "end"))
            parts.append(_box(200, y, max(length, 1), bar - 3, _color(row), _tip(kernel)))
            parts.append(_text(206 + max(length, 1), y + 11, note))
        top = 40 + len(self.kernels) * bar + 40
        parts.append(_text(20, top - 12, f"memory plan: {_bytes(self.arena_bytes)}", weight="bold"))
        across, down = 900 / max(self.steps, 1), arena / max(self.arena_bytes, 1)
        for row, buffer in enumerate(self.buffers):
            x = 20 + buffer.first * across
            size = (buffer.last - buffer.first + 1) * across
            tip = f"{buffer.label}: {_bytes(buffer.size)}, steps {buffer.first} to {buffer.last}"
            y = top + buffer.offset * down
            parts.append(_box(x, y, size, max(buffer.size * down, 0.5), _color(row), tip))
        height = top + arena + 30
        title = _text(20, 22, self._summary()[0], weight="bold")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="11">'
            f'<rect width="{width}" height="{height}" fill="white"/>{title}{"".join(parts)}</svg>'
        )


# ---- facts from clusters -----------------------------------------------------------------------


def computed_nodes(cluster: Cluster, stored: set[Node]) -> list[Node]:
    """The nodes a kernel computes: its anchors and, below them, all that is not stored."""
    found: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(a, False) for a in reversed(cluster.anchors)]
    members = set(cluster.anchors)
    while stack:
        node, ready = stack.pop()
        if ready:
            found[node] = None
        elif node not in found:
            stack.append((node, True))
            stack.extend(
                (n, False)
                for n in reversed(node.inputs)
                if n not in found and (n in members or _is_inside(n, stored, cluster))
            )
    return list(found)


def _is_inside(node: Node, stored: set[Node], cluster: Cluster) -> bool:
    return node.op is not INPUT and node.op is not CONSTANT and node not in stored


def flop_of(nodes: Iterable[Node]) -> int:
    """One for each arithmetic operation on an element; 2·M·N·K for products."""
    total = 0
    for node in nodes:
        if node.op.name == "matmul":
            total += 2 * node.size * node.inputs[0].shape[-1]
        elif node.op.name in REDUCTIONS:
            total += node.inputs[0].size
        elif node.op.name not in QUIET and node.op.family not in ("movement", "leaf", "indexing"):
            total += node.size
    return total


def layers_of(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Layer paths of the nodes, in order of the computation, each once."""
    return tuple(dict.fromkeys(n.origin.layer for n in nodes if n.origin.layer))


def parts_of(nodes: Sequence[Node]) -> tuple[tuple[str, bool, float], ...]:
    """What share of a kernel belongs to each layer and to its gradient: by arithmetic, or by
    elements where there is none."""
    amounts = [flop_of([node]) for node in nodes]
    if not any(amounts):
        amounts = [max(node.size, 1) for node in nodes]
    found: dict[tuple[str, bool], int] = {}
    for node, amount in zip(nodes, amounts, strict=True):
        key = (node.origin.layer, node.origin.backward)
        found[key] = found.get(key, 0) + amount
    total = sum(found.values())
    return tuple((*key, amount / total) for key, amount in found.items() if amount)


def lines_of(nodes: Iterable[Node]) -> tuple[str, ...]:
    """User's source lines of the nodes, each once."""
    return tuple(dict.fromkeys(n.origin.line for n in nodes if n.origin.line))


# ---- words and numbers -------------------------------------------------------------------------


def _count(value: float) -> str:
    """1234567 → ``1.23 M``."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g} "


def _bytes(value: float) -> str:
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= factor:
            return (
                f"{value / factor:.3g} {unit}"
                if value < 999.5 * factor
                else f"{value / factor:.0f} {unit}"
            )
    return f"{value:.0f} B"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _short_line(line: str) -> str:
    """``/a/b/train.py:12`` → ``train.py:12``."""
    return line.replace("\\", "/").rsplit("/", 1)[-1]


def _block(height: float) -> str:
    """A character filled from below by ``height`` (0 to 1)."""
    return " ▁▂▃▄▅▆▇█"[round(min(max(height, 0.0), 1.0) * 8)]


def _resample(values: Sequence[int], width: int) -> list[int]:
    """At most ``width`` columns; a column shows the largest of its values."""
    if len(values) <= width:
        stretch = max(1, width // len(values))
        return [v for v in values for _ in range(stretch)]
    edges = [i * len(values) // width for i in range(width + 1)]
    return [max(values[a:b]) for a, b in zip(edges, edges[1:], strict=False)]


def _color(number: int) -> str:
    """Neighbours differ: hues a golden angle apart."""
    return f"hsl({number * 137.508 % 360:.0f},55%,62%)"


def _tip(kernel: KernelFacts) -> str:
    lines = ", ".join(_short_line(line) for line in kernel.lines)
    return f"{kernel.name}: {' '.join(kernel.operations)}; {lines}"


def _box(x: float, y: float, width: float, height: float, color: str, tip: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{color}" stroke="white" stroke-width="0.5"><title>{escape(tip)}</title></rect>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
