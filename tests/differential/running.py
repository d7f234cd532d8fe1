"""Runs a program in several ways and compares what comes out.

``eager`` is the ground: the same operations one by one.  ``compiled`` differentiates inside of the
compiled function, ``outside`` compiles the function and differentiates its result, ``reference``
runs the program by its NumPy definition, ``again`` is a second call, on other numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

import pellucid
from differential.programs import Program, tensor
from differential.vocabulary import ELIMINATION, ORDINARY_ONLY, OURS_ONLY
from pellucid.base.errors import PellucidError, TraceError

Outcome = dict[str, np.ndarray | None]
TOLERANCES = {"float64": (1e-6, 1e-9), "float32": (2e-3, 2e-4)}
REFUSED = ("modified by an inplace operation", "in-place", "inplace", "view")
"""PyTorch's words for programs that it does not differentiate because of a write."""


KEPT_RESULTS = ("sqrt", "standardize", "exp", "scaled_dot_product_attention", "pow")
"""Operations whose gradient is made of their result, or of more operands, where PyTorch's for a
function that is written with them is not: ``x ** 0.5``, ``layer_norm`` without weights."""
PARTS = "a tensor stretched to"
"""Compiled programs refuse to write to a part of a stretched tensor, which eager mode does."""


class Difference(AssertionError):
    """Two ways of running a program disagree."""


@dataclass
class Failure:
    """A program that ended in an error."""

    error: BaseException


@dataclass
class Tally:
    """How often what was compared, and what was refused."""

    compared: dict[str, int] = field(default_factory=dict)

    def add(self, what: str) -> None:
        self.compared[what] = self.compared.get(what, 0) + 1


def function_of(
    program: Program, library: ModuleType, gradients: bool
) -> tuple[Any, dict[str, Any]]:
    """The program's function in the library, and the names that it sees."""
    space: dict[str, Any] = {"L": library, "F": library.nn.functional}
    exec(program.source(gradients), space)  # text of our own making
    return space["f"], space


def run(
    program: Program,
    library: ModuleType,
    compile: Callable[[Any], Any] = lambda f: f,
    inside: bool = True,
    change: Callable[[np.ndarray], np.ndarray] = lambda a: a,
    first: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Outcome | Failure:
    """What the program gives; with ``first``, at a second call, after one on other numbers."""
    function, space = function_of(program, library, inside)
    called = compile(function)
    outcome: Outcome | Failure = {}
    for transform in [first, change] if first is not None else [change]:
        for i in program.inputs:
            value = tensor(library, transform(i.array), i.grad)
            if i.captured and i.name in space and space[i.name].shape == value.shape:
                with library.no_grad():
                    space[i.name].copy_(value)  # the same tensor, other numbers
            else:
                space[i.name] = value
        arguments = [eval(a.text, space) for a in program.arguments]  # text of our own making
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = collect(program, called(*arguments), library, inside, space)
        except Exception as error:
            outcome = Failure(error)
    return outcome


def collect(
    program: Program, given: Any, library: ModuleType, inside: bool, space: dict[str, Any]
) -> Outcome:
    """What a call gave, by name."""
    results, *rest = given if program.loss else (given,)
    outcome: Outcome = {}
    if program.loss:
        outcome["loss"] = array(rest[0])
        slopes = rest[1] if inside else library.autograd.grad(
            rest[0], [space[name] for name in program.leaves], allow_unused=True
        )  # fmt: skip
        for name, slope in zip(program.leaves, slopes, strict=True):
            outcome[f"d loss / d {name}"] = None if slope is None else array(slope)
    for name, value in zip(program.results, results, strict=True):
        outcome[name] = array(value)
    for i in program.inputs:
        outcome[f"{i.name} afterwards"] = array(space[i.name])
    return outcome


def array(value: Any) -> np.ndarray:
    """A tensor's elements."""
    return np.array(value.detach().numpy())


def compare(program: Program, left: Outcome, right: Outcome, ways: str) -> None:
    """Raise :class:`Difference` where two outcomes differ beyond rounding."""
    rtol, atol = TOLERANCES[program.dtype]
    for name, expected in right.items():
        actual = left[name]
        if actual is None or expected is None:
            # Zero and "does not depend on it" are the same statement.
            other = actual if expected is None else expected
            if other is None or not np.any(other):
                continue
            raise Difference(f"{ways}: {name} is {actual}, expected {expected}")
        if actual.shape != expected.shape or actual.dtype != expected.dtype:
            raise Difference(
                f"{ways}: {name} is {actual.dtype}{actual.shape}, "
                f"expected {expected.dtype}{expected.shape}"
            )
        if actual.dtype.kind != "f":
            good = actual == expected
        else:
            finite = np.abs(expected[np.isfinite(expected)])
            scale = float(finite.max()) if finite.size else 0.0
            with np.errstate(all="ignore"):
                good = np.isclose(
                    actual, expected, rtol=rtol, atol=atol * max(1.0, scale), equal_nan=True
                )
        if not np.all(good):
            raise Difference(f"{ways}: {name} is\n{actual}\nexpected\n{expected}")


def well_conditioned(program: Program, library: ModuleType, ground: Outcome) -> bool:
    """Whether inputs that differ by rounding alone give results that do, too."""
    rounding = 1e-10 if program.dtype == "float64" else 1e-6

    def change(values: np.ndarray) -> np.ndarray:
        if values.dtype.kind != "f":
            return values
        noise = np.random.default_rng(0).uniform(-1, 1, values.shape)
        return np.asarray(values * (1 + rounding * noise), values.dtype)

    near = run(program, library, change=change)
    if isinstance(near, Failure):
        return False
    near = {name: value for name, value in near.items() if name in ground}
    try:
        compare(program, near, ground, "")
    except Difference:
        return False
    return True


def check(
    program: Program, torch: ModuleType | None, tally: Tally, leave_out: tuple[str, ...] = ()
) -> None:
    """Run the program in every way and compare; raises :class:`Difference`."""
    eager = run(program, pellucid)
    if isinstance(eager, Failure):
        if not isinstance(eager.error, PellucidError):
            raise Difference(f"eager: {type(eager.error).__name__}: {eager.error}") from eager.error
        if any(f" {name} needs for its gradient" in str(eager.error) for name in KEPT_RESULTS):
            tally.add("a write refused by eager, as the gradient is made of the result")
            return
        known = torch is not None and comparable(program)
        if known and not isinstance(run(program, torch), Failure):
            raise Difference(f"eager refuses what PyTorch takes: {eager.error}") from eager.error
        tally.add("refused by eager")
        return
    if not well_conditioned(program, pellucid, eager):
        tally.add("ill-conditioned")
        return
    if not comparable(program, eager) and any(
        ORDINARY_ONLY.get(r) == ELIMINATION for r in program.rows
    ):
        tally.add(ELIMINATION)
        return
    if torch is not None and comparable(program, eager):
        _with_torch(program, eager, torch, tally)
    ways: dict[str, dict[str, Any]] = {
        "compiled": {"compile": pellucid.compile},
        "reference": {"compile": lambda f: pellucid.compile(f, backend="reference")},
        "again": {"compile": pellucid.compile, "first": _other},
    }
    if program.loss:
        ways["outside"] = {"compile": pellucid.compile, "inside": False}
    for way, settings in ways.items():
        if way in leave_out:
            continue
        outcome = run(program, pellucid, **settings)
        if isinstance(outcome, Failure):
            if isinstance(outcome.error, TraceError):
                tally.add(f"{way} refused: {str(outcome.error).splitlines()[0]}"[:100])
                continue
            if PARTS in str(outcome.error) and program.writes:
                tally.add(f"{way} refused: a write to a part of a stretched tensor")
                continue
            if torch is not None and _both_refuse(program, outcome.error, torch):
                tally.add("a write refused by PyTorch and compiled, not by eager")
                continue
            raise Difference(
                f"{way}: {type(outcome.error).__name__}: {outcome.error}"
            ) from outcome.error
        compare(program, outcome, eager, f"{way} against eager")
        tally.add(way)


def _both_refuse(program: Program, error: BaseException, torch: ModuleType) -> bool:
    """Whether PyTorch, too, refuses a program because of a write."""
    if not (program.writes and isinstance(error, PellucidError)):
        return False
    theirs = run(program, torch)
    return isinstance(theirs, Failure) and any(word in str(theirs.error) for word in REFUSED)


def comparable(program: Program, eager: Outcome | None = None) -> bool:
    """Whether PyTorch is expected to agree; see the two tables of :mod:`.vocabulary`.

    ``eager`` has the values that came out: numbers may also become infinite on the way.
    """
    arrays = [i.array for i in program.inputs]
    arrays += [a for n, a in (eager or {}).items() if a is not None and not n.startswith("d loss")]
    ordinary = all(
        a.size and (a.dtype.kind != "f" or np.isfinite(a).all()) for a in map(np.asarray, arrays)
    )
    return not any(r in OURS_ONLY or (r in ORDINARY_ONLY and not ordinary) for r in program.rows)


def _with_torch(program: Program, eager: Outcome, torch: ModuleType, tally: Tally) -> None:
    theirs = run(program, torch)
    if isinstance(theirs, Failure):
        text = str(theirs.error)
        if program.writes and any(word in text for word in REFUSED):
            tally.add("refused by PyTorch, as a write would change what a gradient needs")
            _with_differences(program, eager, tally)
            return
        raise Difference(f"PyTorch refuses: {type(theirs.error).__name__}: {text}")
    compare(program, eager, theirs, "eager against PyTorch")
    tally.add("PyTorch")


def _with_differences(program: Program, eager: Outcome, tally: Tally) -> None:
    """The gradient of the loss along a direction against differences of the loss itself.

    Only where the loss is smooth there: steps to both sides and of two sizes tell the same slope.
    """
    smooth = not any(w in line for line in program.lines for w in (".detach()", ".data"))
    if not program.loss or program.dtype != "float64" or not smooth:
        return
    rng = np.random.default_rng(0)
    ways = {i.name: rng.normal(size=i.array.shape) for i in program.inputs if i.grad}
    found = 0.0
    for name in program.leaves:
        slope = eager[f"d loss / d {name}"]
        found += 0.0 if slope is None else float((slope * ways[name]).sum())

    def loss(step: float) -> float:
        moved = [replace(i, array=i.array + step * ways[i.name]) if i.grad else i
                 for i in program.inputs]  # fmt: skip
        outcome = run(replace(program, inputs=moved), pellucid, inside=False)
        value = None if isinstance(outcome, Failure) else outcome["loss"]
        return np.nan if value is None else float(value)

    here = loss(0.0)
    slopes = [(loss(h) - here) / h for h in (1e-5, -1e-5, 1e-6, -1e-6)]
    if not np.isfinite([found, here, *slopes]).all() or abs(here) > 1e3:
        return
    if np.ptp(slopes) > 1e-3 * max(1.0, abs(slopes[0])):
        return
    tally.add("differences")
    if abs(found - slopes[0]) > 1e-2 * max(1.0, abs(slopes[0])):
        raise Difference(
            f"PyTorch refuses, and the slope of the loss is {found}, {slopes[0]} by differences"
        )


def _other(values: np.ndarray) -> np.ndarray:
    """Other numbers of the same kind, for the call before the one that is compared."""
    return values[::-1].copy() if values.ndim else np.ones_like(values)
