"""The computation graph of a function, with the values that flow down it and the gradients that
flow back, as an SVG that needs no other program.

>>> steps = computation_steps(lambda x, y: (x + y) * y, 3.0, -2.0)
>>> [(s.operation, s.name, s.value.item(), s.gradient.item()) for s in steps]
[('', 'x', 3.0, -2.0), ('', 'y', -2.0, -1.0), ('add', '', 1.0, -2.0), ('mul', '', -2.0, 1.0)]
>>> draw_graph(lambda x, y: (x + y) * y, 3.0, -2.0).save("graph.svg")               # doctest: +SKIP
"""

from __future__ import annotations

import html
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, FileError
from pellucid.insight.pictures.canvas import BLUE, ORANGE
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad, key_of, no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor
from pellucid.transforms.differentiate import apply_rule, ordered_history

MOST_STEPS = 400
_SYMBOLS = {
    "add": "+",
    "sub": "−",
    "mul": "×",
    "div": "÷",
    "neg": "−",
    "matmul": "@",
    "pow": "^",
    "sum": "Σ",
    "exp": "exp",
    "reshape": "reshape",
    "broadcast_to": "expand",
}
_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 96, 30, 90, 66, 60


@dataclass(frozen=True, eq=False)
class Step:
    """One value in a computation.

    ``operation`` made it ("" for an input or constant) of the values at ``operands`` in the list;
    ``name`` is that of an argument or parameter; ``layer`` the path of the layer it belongs to;
    ``gradient`` is that of the result to this value, None where none flows; ``parts`` are the
    parts of the operands' gradients that came through this operation, None where none did.
    """

    operation: str
    name: str
    layer: str
    operands: tuple[int, ...]
    value: npt.NDArray[Any]
    gradient: npt.NDArray[Any] | None
    parts: tuple[npt.NDArray[Any] | None, ...] = ()


def computation_steps(
    function: Callable[..., Any], *arguments: Any, names: Sequence[str] = ()
) -> list[Step]:
    """Every value in ``function(*arguments)``, operands first, the result last, each with the
    gradient of the result (of its sum, where it has several elements).

    Arguments are tensors or what makes them; real ones get a gradient.  They are named by
    ``names``, by default as in the function's signature; parameters of a module, of the one a
    method belongs to and of those a function refers to have their own names.  ``ArgumentError``
    for a result that is no tensor or depends on nothing that has a gradient, and beyond 400
    values.
    """
    given = [as_tensor(a).detach().clone() for a in arguments]
    for tensor in given:
        if tensor.dtype.is_differentiable:
            tensor.requires_grad_()
    known = {key_of(t): name for t, name in zip(given, _names(function, given, names), strict=True)}
    for module in _modules(function):
        known |= {key_of(p): name for name, p in module.named_parameters()}
    with enable_grad():
        result = function(*given)
        if not isinstance(result, Tensor) or not result.requires_grad:
            raise ArgumentError(
                f"The function made {type(result).__name__}, with no way back to its arguments",
                "Return one tensor that is computed from a real argument or parameter.",
            )
        return _steps(result, known)


def _names(function: Any, given: list[Any], names: Sequence[str]) -> list[str]:
    if names:
        if len(names) != len(given):
            raise ArgumentError(
                f"There are {len(given)} arguments and {len(names)} names", "Give one for each."
            )
        return list(names)
    target: Any = function.forward if isinstance(function, Module) else function
    try:
        found = list(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        found = []
    return [found[i] if i < len(found) else f"in{i}" for i in range(len(given))]


def _modules(function: Any) -> list[Module]:
    """The modules whose parameters a function may use: itself, its owner, what it refers to."""
    cells = getattr(function, "__closure__", None) or ()
    code = getattr(function, "__code__", None)
    world = getattr(function, "__globals__", {})
    mentioned = [world.get(name) for name in code.co_names] if code is not None else []
    seen = [function, getattr(function, "__self__", None), *(c.cell_contents for c in cells)]
    return [thing for thing in [*seen, *mentioned] if isinstance(thing, Module)]


def _steps(result: Any, known: Mapping[int, str]) -> list[Step]:
    values = ordered_history([result], lambda t: t.grad_fn, key_of)
    if len(values) > MOST_STEPS:
        raise ArgumentError(
            f"The graph has {len(values):,} values: nobody could read the picture",
            f"Draw a part of it, of at most {MOST_STEPS}.",
        )
    smooth = [t for t in values if t.requires_grad]
    found = grad(result.sum(), smooth, allow_unused=True, retain_graph=True)
    slopes = {key_of(t): slope for t, slope in zip(smooth, found, strict=True)}
    places = {key_of(t): i for i, t in enumerate(values)}
    steps = []
    for tensor in values:
        record, slope = tensor.grad_fn, slopes.get(key_of(tensor))
        inputs = () if record is None else record.inputs
        steps.append(
            Step(
                operation="" if record is None else record.op.name,
                name=known.get(key_of(tensor), ""),
                layer="" if record is None else record.layer,
                operands=tuple(places[key_of(t)] for t in inputs),
                value=np.array(tensor.detach().numpy()),
                gradient=None if slope is None else np.array(slope.detach().numpy()),
                parts=_parts(record, slope, tensor, inputs),
            )
        )
    return steps


def _parts(
    record: Any, slope: Any, tensor: Any, inputs: Sequence[Any]
) -> tuple[npt.NDArray[Any] | None, ...]:
    """What flows back to each operand through one operation."""
    if record is None or slope is None or record.op.results is not None:
        return (None,) * len(inputs)
    with no_grad():
        parts = apply_rule(record, slope, tensor)
    return tuple(
        None if part is None or not operand.requires_grad else np.array(part.detach().numpy())
        for part, operand in zip(parts, inputs, strict=True)
    )


# ---- the picture -------------------------------------------------------------------------------


@dataclass(frozen=True)
class GraphPicture:
    """A drawn graph: ``svg`` is its text; a notebook shows it, :meth:`save` writes it."""

    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture; ``ArgumentError`` unless the name ends in ``.svg``."""
        file = Path(path)
        if file.suffix.lower() != ".svg":
            raise ArgumentError(f"{file.name!r} does not end in .svg", "Name the file so.")
        try:
            file.write_text(self.svg + "\n", encoding="utf-8")
        except OSError as error:
            raise FileError(
                f"The picture cannot be written to {file}: {error.strerror or error}",
                "Choose a folder that exists and may be written to.",
            ) from None


def draw_graph(
    function: Callable[..., Any], *arguments: Any, names: Sequence[str] = ()
) -> GraphPicture:
    """The graph of ``function(*arguments)`` from top to bottom: a box for each operation, inputs
    and parameters rounded; on each line the value that flows down (blue) and the gradient that
    flows back along it (orange).  Of arrays the shape, mean and deviation are written.

    Where a value is used twice, the gradients on its lines add up to its own: the chain rule.
    See :func:`computation_steps` for the arguments and errors.
    """
    steps = computation_steps(function, *arguments, names=names)
    lines = _ordered(_ranked(steps), steps)
    places = _placed(lines)
    width = max(len(line) for line in lines) * (_WIDTH + _ACROSS) + 2 * _MARGIN
    height = len(lines) * (_HEIGHT + _DOWN) + 2 * _MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, step in enumerate(steps):
        for slot, operand in enumerate(step.operands):
            part = step.parts[slot] if step.parts else None
            drawn.append(_line(places[operand], places[number], steps[operand], part, slot, step))
    drawn += [_box(places[i], step, i == len(steps) - 1) for i, step in enumerate(steps)]
    return GraphPicture("\n".join([*drawn, "</svg>"]))


def _ranked(steps: Sequence[Step]) -> list[int]:
    """The line each value stands on: below its operands, and right above its first use."""
    rank = [0] * len(steps)
    for number, step in enumerate(steps):
        if step.operands:
            rank[number] = 1 + max(rank[i] for i in step.operands)
    first_use = [len(steps)] * len(steps)
    for number in range(len(steps) - 1, -1, -1):
        if first_use[number] < len(steps):
            rank[number] = first_use[number] - 1
        for operand in steps[number].operands:
            first_use[operand] = min(first_use[operand], rank[number])
    return rank


def _ordered(rank: Sequence[int], steps: Sequence[Step]) -> list[list[int]]:
    """The values of each line from left to right, by the mean place of what they hang on, so that
    few lines cross (the barycentre rule of Sugiyama, Tagawa and Toda, 1981)."""
    lines: list[list[int]] = [[] for _ in range(max(rank) + 1)]
    for number, line in enumerate(rank):
        lines[line].append(number)
    users: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        for operand in step.operands:
            users.setdefault(operand, []).append(number)
    above = {i: list(step.operands) for i, step in enumerate(steps)}
    for turn in range(6):
        neighbours = above if turn % 2 == 0 else users
        place = {n: (i + 0.5) / len(line) for line in lines for i, n in enumerate(line)}
        for row in lines if turn % 2 == 0 else reversed(lines):
            mean = {
                n: float(np.mean([place[m] for m in neighbours[n]]))
                if neighbours.get(n)
                else place[n]
                for n in row
            }
            row.sort(key=mean.__getitem__)
            place.update({n: (i + 0.5) / len(row) for i, n in enumerate(row)})
    return lines


def _placed(lines: Sequence[Sequence[int]]) -> dict[int, tuple[float, float]]:
    """The middle of each box; lines are centred."""
    widest = max(len(line) for line in lines)
    places = {}
    for depth, line in enumerate(lines):
        left = (widest - len(line)) / 2
        for position, number in enumerate(line):
            x = _MARGIN + (left + position + 0.5) * (_WIDTH + _ACROSS)
            places[number] = (x, _MARGIN + depth * (_HEIGHT + _DOWN) + _HEIGHT / 2)
    return places


def _line(
    start: tuple[float, float],
    end: tuple[float, float],
    source: Step,
    part: npt.NDArray[Any] | None,
    slot: int,
    step: Step,
) -> str:
    """A line from a value to the operation that uses it, with what flows both ways."""
    spread = (slot - (len(step.operands) - 1) / 2) * 22
    x1, y1, x2, y2 = start[0], start[1] + _HEIGHT / 2, end[0] + spread, end[1] - _HEIGHT / 2
    middle = (y1 + y2) / 2
    path = f"M{x1:.0f},{y1:.0f} C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2:.0f}"
    drawn = [f'<path d="{path}" fill="none" stroke="#999999"/>']
    anchor, shift = ("end", -5) if spread < 0 else ("start", 5)
    x, y = x2, y2 - 18  # right above the operation, where lines of one value have parted
    drawn.append(_text(x + shift, y, _shown(source.value), BLUE, anchor))
    if part is not None:
        drawn.append(_text(x + shift, y + 12, _shown(part), ORANGE, anchor))
    return "".join(drawn)


def _box(place: tuple[float, float], step: Step, last: bool) -> str:
    """A box with the operation, or with the name (or number) of an input."""
    x, y = place
    round_, fill = (4, "#edf2f7") if step.operation else (_HEIGHT / 2, "#ffffff")
    title = _SYMBOLS.get(step.operation, step.operation) or step.name
    if not title:
        title = _shown(step.value) if step.value.size == 1 else f"constant {_shape(step.value)}"
    told = [f"{step.operation or 'input'} {step.name}".strip(), _shown(step.value)]
    if step.gradient is not None:
        told.append(f"gradient {_shown(step.gradient)}")
    if step.layer:
        told.append(step.layer)
    drawn = [
        f"<g><title>{html.escape('; '.join(told))}</title>"
        f'<rect x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="{round_:.0f}" fill="{fill}" stroke="#4a5568"/>',
        _text(x, y + 4, title, "#1a202c", "middle"),
    ]
    if last:
        drawn.append(_text(x, y + _HEIGHT / 2 + 13, _shown(step.value), BLUE, "middle"))
        if step.gradient is not None:
            gradient = _shown(step.gradient)
            drawn.append(_text(x, y + _HEIGHT / 2 + 26, gradient, ORANGE, "middle"))
    return "".join([*drawn, "</g>"])


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )


def _shape(value: npt.NDArray[Any]) -> str:
    return "×".join(map(str, value.shape)) or "1"


def _shown(value: npt.NDArray[Any]) -> str:
    """A number, or shape, mean and deviation of an array."""
    if value.size == 1:
        return f"{value.item():.4g}"
    if value.dtype.kind == "b":
        return f"{_shape(value)}: {value.mean():.0%} true"
    if value.dtype.kind not in "fiu" or not value.size:
        return f"{_shape(value)} {value.dtype.name}"
    return f"{_shape(value)}: {value.mean():.3g} ± {value.std():.2g}"
