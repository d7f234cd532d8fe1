"""What a model consists of: shapes, parameters, work, memory and time, layer by layer."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.base.language import Shown, columns_of, padded, translated
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.nn.recurrent import RNNBase
from pellucid.nn.recurrent_cells import RNNCellBase
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import as_tensor, zeros
from pellucid.tensor.tensor import Tensor
from pellucid.training.showing import table_html

_REPEATS = 5


@dataclass(frozen=True)
class LayerSummary:
    """One layer: ``input`` and ``output`` are shapes, ``parameters`` counts trainable numbers
    (those that the layer shares with an earlier one are not counted again), ``flop`` counts
    multiplications and additions of its products for this input, ``bytes`` is the size of its
    parameters and output, ``seconds`` the shortest eager forward pass."""

    path: str
    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    flop: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """All layers of a model for one input; ``print`` shows a table.

    ``parameters`` and ``trainable`` count all parameters of the model; the input's sizes (batch,
    sequence length) do not change them.
    """

    model: str
    input: tuple[int, ...]
    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int

    @property
    def flop(self) -> int:
        """Multiplications and additions of all products in one forward pass."""
        return sum(layer.flop for layer in self.layers)

    @property
    def bytes(self) -> int:
        """Size of all parameters and outputs."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def seconds(self) -> float:
        """Time of all layers' eager forward passes."""
        return sum(layer.seconds for layer in self.layers)

    def __str__(self) -> str:
        heads, *rows = self._cells()
        lines = text_table([heads, *rows], left=4, rule=True)
        title, end = self._around()
        return Shown(f"{title}\n{lines}\n{end}")

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        heads, *rows = self._cells()
        title, end = self._around()
        return f"{table_html(heads, rows, title)}<div>{html.escape(end)}</div>"

    def _around(self) -> tuple[str, str]:
        """What stands above the table and below it."""
        title = translated(f"{self.model}, input {_shape(self.input)}")
        return title, translated(f"{self.parameters:,} parameters, {self.trainable:,} trainable")

    def _cells(self) -> list[list[str]]:
        """The table: heads, layers, and all together."""
        heads = ("layer", "kind", "input", "output", "parameters", "FLOP", "memory", "time")
        rows = [
            [
                layer.path,
                layer.kind,
                _shape(layer.input),
                _shape(layer.output),
                f"{layer.parameters:,}" if layer.parameters else "–",
                f"{layer.flop:,}" if layer.flop else "–",
                _size(layer.bytes),
                f"{layer.seconds * 1e6:,.0f} µs",
            ]
            for layer in self.layers
        ]
        time_text = f"{self.seconds * 1e6:,.0f} µs"
        count = f"{self.parameters:,}"
        size = _size(self.bytes)
        last = [translated("all"), "", "", "", count, f"{self.flop:,}", size, time_text]
        return [[*map(translated, heads)], *rows, last]


def summary(model: Module, input: Tensor | np.ndarray | Sequence[Any]) -> Summary:
    """Runs ``model`` eagerly on ``input`` (in evaluation mode) and describes every layer.

    ``input`` is a tensor or array, or a shape such as ``(1, 784)`` for float32 zeros.  Layers are
    modules without children, in the order in which they ran; a layer that runs twice is listed
    twice.  FLOP are counted for layers with a weight matrix, 2·inputs·outputs for each row, bias
    and activations not included.
    """
    x = zeros(*input) if _is_shape(input) else as_tensor(input)
    layers: list[LayerSummary] = []
    counted: set[int] = set()
    handles = []
    busy: list[bool] = []
    for path, layer in model.named_modules():
        if next(layer.children(), None) is None:
            hook = _observer(path or type(layer).__name__, layers, counted, busy)
            handles.append(layer.register_forward_hook(hook))
    try:
        with evaluation(model), no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    every = list(model.parameters())
    return Summary(
        model=type(model).__name__,
        input=tuple(x.shape),
        layers=tuple(layers),
        parameters=sum(int(p.numel()) for p in every),
        trainable=sum(int(p.numel()) for p in every if p.requires_grad),
    )


def _observer(path: str, layers: list[LayerSummary], counted: set[int], busy: list[bool]) -> Any:
    def observe(module: Any, args: tuple[Any, ...], output: Any) -> None:
        if busy:
            return
        busy.append(True)
        try:
            layers.append(_describe(path, module, args, output, counted))
        finally:
            busy.pop()

    return observe


def _describe(
    path: str, module: Any, args: tuple[Any, ...], output: Any, counted: set[int]
) -> LayerSummary:
    own = list(module.parameters())
    fresh = [p for p in own if id(p) not in counted]
    counted.update(id(p) for p in own)
    parameters = sum(int(p.numel()) for p in fresh)
    result = _first(output)
    best = math.inf
    for _ in range(_REPEATS):
        start = time.perf_counter()
        module.forward(*args)
        best = min(best, time.perf_counter() - start)
    given = _first(args)
    given = given if isinstance(given, TensorCore) else result
    size = sum(int(p.numel()) * p.dtype.itemsize for p in fresh)
    return LayerSummary(
        path=path,
        kind=type(module).__name__,
        input=tuple(given.shape),
        output=tuple(result.shape),
        parameters=parameters,
        flop=_flop(module, given, result),
        bytes=size + math.prod(result.shape) * result.dtype.itemsize,
        seconds=best,
    )


def _first(value: Any) -> Any:
    """The first tensor of nested tuples, as recurrent layers return (output, state)."""
    while isinstance(value, tuple) and value:
        value = value[0]
    return value


def _flop(module: Any, given: Any, result: Any) -> int:
    """2·inputs·outputs a row for layers with a weight matrix; a layer that looks rows up
    (embedding) multiplies nothing, a recurrent one uses all its matrices for every step."""
    if isinstance(module, (RNNBase, RNNCellBase)):
        matrices = sum(int(p.numel()) for p in module.parameters() if p.dim() == 2)
        return 2 * matrices * int(math.prod(result.shape[:-1]))
    weight = getattr(module, "weight", None)
    if weight is None or len(weight.shape) < 2 or given.dtype.kind != "float":
        return 0
    each = math.prod(weight.shape[1:])
    return int(2 * each * math.prod(result.shape))


def text_table(rows: Sequence[Sequence[str]], *, left: int = 1, rule: bool = False) -> str:
    """Cells in aligned columns; the first ``left`` columns to the left, the others to the right.
    The first line is underlined, and with ``rule`` the last one has a line above it."""
    widths = [max(columns_of(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        sized = enumerate(zip(row, widths, strict=True))
        cells = [padded(cell, width, right=i >= left) for i, (cell, width) in sized]
        lines.append("  ".join(cells).rstrip())
    line = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines.insert(1, line)
    if rule:
        lines.insert(len(lines) - 1, line)
    return Shown("\n".join(lines))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(n, int | np.integer) for n in value)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def _size(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.2f} GiB"
