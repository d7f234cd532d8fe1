"""Random programs over the public vocabulary, as text that runs in ours and in PyTorch.

A program is a Python function written line by line.  While it grows, each line is run on the
values so far, so that shapes are known and lines that no library accepts are left out.  What is
drawn comes from hypothesis, so that a failing program shrinks to a short one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from differential.vocabulary import OVERLAPPING, VALUES, VIEWS, WRITES, Row

EXTENTS = (1, 2, 3, 3, 4, 5, 0)
LARGE = (130, 140)
"""Extents whose product is beyond the size from which operations run by native kernels."""
AUGMENTED = re.compile(r"(\w+) \S+= ")
LOSSES = (
    "{v}.sum()",
    "{v}.mean()",
    "({v} * {w}).sum()",
    "{v}.square().sum()",
    "({v} * 0.5).mean()",
)
MOST_ELEMENTS = 20_000
PLACEHOLDER = re.compile(r"\b([xyzsicdek])\b")


@dataclass(frozen=True)
class Input:
    """A tensor that the program is given: ``array`` is its value, ``grad`` whether it is a leaf
    that requires gradients, ``captured`` whether the function reads it as a global."""

    name: str
    array: np.ndarray
    grad: bool
    captured: bool


@dataclass(frozen=True)
class Argument:
    """What is handed to the function: an expression over the inputs, such as ``t0[1:]``."""

    name: str
    text: str


@dataclass
class Program:
    """A function as text, and what it is called with."""

    inputs: list[Input] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    loss: str = ""
    leaves: list[str] = field(default_factory=list)
    """Names, inside the function, of what gradients are taken for."""
    dtype: str = "float64"
    writes: bool = False
    rows: list[str] = field(default_factory=list)
    """The rows it was made of."""

    def source(self, gradients: bool) -> str:
        """The function's text; with ``gradients`` it differentiates its loss itself."""
        head = ", ".join(a.name for a in self.arguments)
        body = [*self.lines]
        results = "[" + ", ".join(self.results) + "]"
        if self.loss:
            body.append(f"loss = {self.loss}")
            results += ", loss"
            if gradients:
                names = ", ".join(self.leaves)
                body.append(f"slopes = L.autograd.grad(loss, [{names}], allow_unused=True)")
                results += ", slopes"
        return "\n".join(
            [f"def f({head}):", *(f"    {line}" for line in body), f"    return {results}"]
        )

    def __str__(self) -> str:
        given = [
            f"{i.name} = L.tensor({np.array2string(i.array, separator=', ', threshold=60)}, "
            f"dtype=L.{i.array.dtype}{', requires_grad=True' if i.grad else ''})"
            for i in self.inputs
        ]
        call = ", ".join(a.text for a in self.arguments)
        text = "\n".join([*given, self.source(True), f"f({call})"])
        return re.sub(r"\b(nan|inf)\b(?!')", r"float('\1')", text)


class Builder:
    """Grows one program; ``integer(low, high)`` answers each choice."""

    grad = True
    """Whether gradients are taken."""
    losses = LOSSES

    def __init__(self, integer: Callable[[int, int], int], libraries: Sequence[ModuleType]) -> None:
        self.integer = integer
        self.libraries = libraries
        self.program = Program()
        self.spaces: list[dict[str, Any]] = [
            {"L": library, "F": library.nn.functional} for library in libraries
        ]
        self.plain: set[str] = set()
        """Names whose elements every library holds with the same bits."""
        self.floats: list[str] = []
        self.count = 0

    # ---- choices -----------------------------------------------------------------------------

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.integer(0, 99) >= 100 - percent

    def shape(self, least: int = 0) -> tuple[int, ...]:
        if self.chance(3):
            return LARGE
        return tuple(self.pick(EXTENTS) for _ in range(self.integer(least, 4)))

    # ---- inputs ------------------------------------------------------------------------------

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of one of several kinds, the awkward ones among them."""
        rng = np.random.default_rng(self.integer(0, 9))
        values = rng.normal(size=shape)
        kind = self.integer(0, 9)
        if kind == 6:
            values = np.round(values * 2) / 2  # ties, zeros
        elif kind == 7:
            values = np.where(rng.random(shape) < 0.5, 0.0, values)
        elif kind == 8:
            values = np.where(rng.random(shape) < 0.3, np.nan, values)
        elif kind == 9:
            values = np.where(rng.random(shape) < 0.3, rng.choice([np.inf, -np.inf], shape), values)
        return np.asarray(values, self.program.dtype)

    def input(self, array: np.ndarray, grad: bool) -> str:
        name = f"t{len(self.program.inputs)}"
        grad = grad and self.grad and array.dtype.kind == "f"
        captured = self.chance(20)
        self.program.inputs.append(Input(name, array, grad, captured))
        for space, library in zip(self.spaces, self.libraries, strict=True):
            space[name] = tensor(library, array, grad)
        if not captured:
            self.program.arguments.append(Argument(name, name))
        self.plain.add(name)
        if array.dtype.kind == "f":
            self.floats.append(name)
        return name

    def operand(self, kind: str, like: tuple[int, ...]) -> str:
        """A tensor for one placeholder, known or new, that fits ``like``."""
        if kind in "yzs":
            known = [v for v in self.floats if tuple(self.spaces[0][v].shape) == like]
            if known and self.chance(70):
                return str(self.pick(known))
            shape = like
            if kind != "s" and self.chance(40):
                shape = like[self.integer(0, len(like)) :] if like else ()
            return self.input(self.array(shape), self.chance(50) and self.grad)
        rng = np.random.default_rng(self.integer(0, 9))
        if kind == "i":
            return self.input(rng.integers(-3, 4, like), False)
        return self.input(rng.random(like) < 0.5, False)

    # ---- lines -------------------------------------------------------------------------------

    def line(self, row: Row, target: str) -> str | None:
        """The row's text with the placeholders filled in, or None where it does not fit."""
        shape = tuple(self.spaces[0][target].shape)
        if not row.least <= len(shape) <= row.most:
            return None
        if row.square and (len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] > 6):
            return None
        chosen: dict[str, str] = {"x": target}

        def fill(match: re.Match[str]) -> str:
            name = match.group(1)
            if name not in chosen:
                axes = len(shape)
                if name == "d":
                    chosen[name] = str(self.integer(0, axes - 1) if axes else 0)
                elif name == "e":
                    first = int(chosen.get("d", "0"))
                    chosen[name] = str(
                        (first + 1 + self.integer(0, max(axes - 2, 0))) % max(axes, 1)
                    )
                elif name == "k":
                    chosen[name] = str(self.pick((2, 0, 1, 3, 0.5, -1, -1.5)))
                else:
                    chosen[name] = self.operand(name, shape)
            return chosen[name]

        return PLACEHOLDER.sub(fill, row.text)

    def run(self, text: str) -> bool:
        """Run a line everywhere; whether every library takes it."""
        for space in self.spaces:
            try:
                with np.errstate(all="ignore"):
                    exec(text, space)  # text of our own making
            except Exception:
                return False
        return True

    def value(self, row: Row, target: str) -> str | None:
        """A new name for what the row gives for ``target``."""
        if row.exact and target not in self.plain:
            return None
        before = len(self.program.inputs)
        text = self.line(row, target)
        name = f"v{self.count}"
        if text is None or not self.run(f"{name} = {text}"):
            return self.undo(before)
        result = self.spaces[0][name]
        if not hasattr(result, "shape") or result.numel() > MOST_ELEMENTS:
            return self.undo(before)
        self.count += 1
        self.program.rows.append(row.text)
        self.program.lines.append(f"{name} = {text}")
        if result.dtype.is_floating_point:
            self.floats.append(name)
        if row in VIEWS and target in self.plain:
            self.plain.add(name)
        return name

    def undo(self, inputs: int) -> None:
        """Forget inputs that were made for a line that is not taken."""
        for gone in self.program.inputs[inputs:]:
            self.program.arguments = [a for a in self.program.arguments if a.name != gone.name]
            if gone.name in self.floats:
                self.floats.remove(gone.name)
        del self.program.inputs[inputs:]

    # ---- whole programs ----------------------------------------------------------------------

    def build(self, writes: bool, overlap: bool) -> Program:
        """A program; ``writes`` mixes views and changes in place into it, ``overlap`` hands it
        arguments that share memory (it then takes no gradients)."""
        self.grad = not overlap
        self.program.dtype = self.pick(("float64", "float64", "float32"))
        self.program.writes = writes
        first = self.input(self.array(self.shape()), True)
        if self.grad and not self.program.inputs[0].grad:
            return self.program
        current = first
        if writes and self.grad:  # a leaf cannot be changed in place
            current = self.value(Row("x * 1"), first) or first
        if overlap:
            current = self.overlapping(first)
        for _ in range(self.integer(1, 6)):
            target = current if self.chance(60) else str(self.pick(self.floats))
            current = self.step(target, writes) or current
        self.finish(current)
        return self.program

    def alone(self, row: Row) -> Program | None:
        """A program of one row, or None where the inputs that were drawn do not fit it."""
        self.program.dtype = self.pick(("float64", "float32"))
        axes = self.integer(max(row.least, 0), min(row.most, 4))
        extents = [self.pick(EXTENTS) for _ in range(axes)]
        if row.square and axes > 1:
            extents[-1] = extents[-2]
        first = self.input(self.array(tuple(extents)), True)
        name = self.value(row, first)
        if name is None:
            return None
        self.finish(name)
        return self.program

    def many(self, rows: Sequence[Row], values: Sequence[float]) -> Program:
        """A program that applies each row to one tensor that is drawn from ``values``."""
        self.grad = False
        self.program.dtype = self.pick(("float64", "float32"))
        shape = tuple(self.pick((3, 8, 40, 1, 0)) for _ in range(self.integer(1, 2)))
        rng = np.random.default_rng(self.integer(0, 99))
        first = self.input(np.asarray(rng.choice(values, shape), self.program.dtype), False)
        names = [self.value(row, first) for row in rows]
        self.program.results = [name for name in names if name is not None]
        return self.program

    def step(self, target: str, writes: bool) -> str | None:
        choice = self.integer(0, 9)
        if writes and choice >= 7:
            return self.value(self.pick(VIEWS), target)
        if writes and choice >= 4:
            before = len(self.program.inputs)
            text = self.line(self.pick(WRITES), target)
            if text is not None and not self.binds_global(text) and self.run(text):
                self.program.lines.append(text)
                self.plain.clear()
            else:
                self.undo(before)
            return None
        for _ in range(4):
            name = self.value(self.pick(VALUES), target)
            if name is not None:
                return name if name in self.floats else None
        return None

    def binds_global(self, text: str) -> bool:
        """Whether ``t0 *= 2`` names a global, which Python would take for an unbound local."""
        found = AUGMENTED.match(text)
        return bool(found) and any(i.captured for i in self.program.inputs if i.name == found[1])

    def overlapping(self, first: str) -> str:
        """Another argument over the memory of the first."""
        text = None
        for _ in range(4):
            text = self.line(self.pick(OVERLAPPING), first)
            if text and self.run(f"a1 = {text}"):
                break
            text = None
        if text is None or first not in [a.name for a in self.program.arguments]:
            return first
        self.program.arguments.append(Argument("a1", text))
        self.floats.append("a1")
        return str(self.pick((first, "a1")))

    def finish(self, last: str) -> None:
        """Results, and a loss of the last value."""
        program = self.program
        made = [line.split(" = ")[0] for line in program.lines if re.match(r"v\d+ = ", line)]
        program.results = [*dict.fromkeys([*made[-3:], last])]
        leaves = [i.name for i in program.inputs if i.grad]
        value = self.spaces[0][last]
        if not (self.grad and leaves and self.run(f"{last}.requires_grad")):
            return  # a view whose history nobody knows any more says so when it is asked
        if not (value.requires_grad and value.numel()):
            return
        text = str(self.pick(self.losses))
        weight = self.operand("s", tuple(value.shape)) if "{w}" in text else ""
        program.loss = text.format(v=last, w=weight)
        program.leaves = [i.name for i in program.inputs if i.grad]


def tensor(library: ModuleType, array: np.ndarray, grad: bool) -> Any:
    """The array as a tensor of the library, of the same element type."""
    made = library.tensor(array.tolist(), dtype=getattr(library, str(array.dtype)))
    made = made.reshape(array.shape)
    return made.requires_grad_() if grad else made


@st.composite
def programs(
    draw: Any, libraries: Sequence[ModuleType], writes: bool = False, overlap: bool = False
) -> Program:
    """Programs whose lines every one of ``libraries`` takes."""
    return Builder(lambda low, high: draw(st.integers(low, high)), libraries).build(writes, overlap)
