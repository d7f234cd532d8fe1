"""``pellucid.compile``: a Python function over tensors as one native program.

The function runs once per signature on symbolic tensors (:mod:`pellucid.tensor.trace`); what it
reads and assigns becomes a graph; the graph becomes a program that updates the tensors' memory
in place (:mod:`pellucid.tensor.program`).  Later calls with the same signature only run it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

from pellucid.backends import Executable
from pellucid.base.errors import ArgumentError, TraceError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.program import Program
from pellucid.tensor.state import Cell, state, version
from pellucid.tensor.trees import flatten, map_tensors, rebuild, repeats, signature

Taken = ParamSpec("Taken")
Returned = TypeVar("Returned")

RETRACES_BEFORE_WARNING = 8
"""So many signatures of one function before the user is told which argument keeps changing."""


class CompiledFunction(Generic[Taken, Returned]):
    """A function that is compiled per signature; what :func:`compile` returns.

    ``explain()`` shows what the last used program became.
    """

    def __init__(
        self, function: Callable[Taken, Returned], backend: str, keep_gradients: bool
    ) -> None:
        self.function = function
        self.backend = backend
        self.keep_gradients = keep_gradients
        self._programs: dict[Any, list[Program]] = {}
        self._last: Program | None = None
        """The program to try first: the newest, if its arguments can be recognized quickly."""
        self._recent: Program | None = None
        self.signatures: list[Any] = []
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Taken.args, **kwargs: Taken.kwargs) -> Returned:
        """What the function returns for these arguments, by its program for their signature."""
        last = self._last
        if (
            last is not None
            and last.version == version.number
            and not kwargs
            and state.trace is None
            and last.grad_enabled == state.grad_enabled
            and last.accepts(args)
        ):
            return last.run(args)  # type: ignore[arg-type]  # accepts() looked
        if state.trace is not None:
            return self.function(*args, **kwargs)
        leaves: list[TensorCore] = []
        args, kwargs = map_tensors((args, kwargs), lambda t: _collect(t, leaves))
        return self._program(args, kwargs, leaves).run(leaves)

    def __getattr__(self, name: str) -> Any:
        # What was compiled keeps its own attributes: a module's parameters(), train(), …
        if name.startswith("__") or "function" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.function, name)

    def many(self, steps: int, *args: TensorCore | np.ndarray) -> Returned:
        """Run ``steps`` times in one native call.

        Each tensor argument has a leading axis of extent ``steps``, one slice for each step;
        results come back stacked the same way.
        """
        if state.trace is not None:
            raise TraceError(
                "many() was called inside a compiled function", "call it from plain Python"
            )
        leaves: list[TensorCore] = []
        tensors = [from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
        for tensor in tensors:
            if not isinstance(tensor, TensorCore) or not tensor.shape or tensor.shape[0] != steps:
                raise ArgumentError(
                    f"many({steps}, …) got an argument of shape "
                    f"{getattr(tensor, 'shape', type(tensor))}",
                    "each argument needs a leading axis with one entry for each step",
                )
            leaves.append(tensor)
        if steps == 0:
            raise ArgumentError("many() got 0 steps", "run at least one step")
        parts: list[Any] = []
        done = 0
        while done < steps:  # once, unless an observation changes the program on the way
            first = tuple(TensorCore.make(Cell(np.asarray(t.array()[done]))) for t in leaves)
            last = self._last
            program = (
                last
                if last is not None
                and last.version == version.number
                and last.accepts(first)
                and last.grad_enabled == state.grad_enabled
                else self._program(first, {}, list(first))
            )
            count = min([steps - done, *(b.span for b in program.bindings)])
            count = 1 if program.changed_gradients else count
            part = leaves if count == steps else [_slices(t, done, done + count) for t in leaves]
            parts.append(program.run_many(part, count))
            done += count
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _program(self, args: Any, kwargs: Any, leaves: Sequence[TensorCore]) -> Program:
        key = (signature((args, kwargs)), state.grad_enabled, repeats(leaves))
        known = self._programs.setdefault(key, [])
        found = next((p for p in known if p.holds()), None)
        if found is None:
            found = Program(self, args, kwargs)
            known.append(found)
            self._notesignature(key)
        if found.version != version.number:
            found.rebind()
        # Only flat positional tensors can be recognized without building the signature.
        flat = not kwargs and all(isinstance(a, TensorCore) for a in args)
        self._last = found if flat and len(args) == len(leaves) else None
        self._recent = found
        return found

    def _notesignature(self, key: Any) -> None:
        self.signatures.append(key)
        if len(self.signatures) == RETRACES_BEFORE_WARNING:
            changing = _what_changes([k[0] for k in self.signatures])
            warnings.warn(
                f"{getattr(self.function, '__name__', 'a function')} was compiled "
                f"{RETRACES_BEFORE_WARNING} times because {changing} keeps changing; "
                "pass equal shapes, or make a changing number a tensor",
                RuntimeWarning,
                stacklevel=4,
            )

    def keep_from_now_on(self) -> None:
        """Gradients are wanted after the step: compile again with them as outputs."""
        self.keep_gradients = True
        self._programs.clear()
        self._last = None

    @property
    def executable(self) -> Executable:
        """The executable of the program that ran last."""
        if self._recent is None:
            raise ArgumentError("nothing has been compiled yet", "call the function once first")
        return self._recent.executable

    def explain(self, calls: int = 20) -> Any:
        """What the last used program became: kernels, their layers, work, times, memory.

        ``print`` the result, or see its ``to_svg()``.  Times are means of ``calls`` runs on
        copies of the state and on random arguments, so nothing changes; 0 leaves them out.
        """
        executable = self.executable
        if not hasattr(executable, "explain"):
            raise ArgumentError(
                f"the {self.backend} backend has no programs to explain",
                'compile with backend="cpu"',
            )
        inputs = self._recent.example_inputs() if calls and self._recent is not None else None
        return executable.explain(inputs, calls)


@overload
def compile(
    function: Callable[Taken, Returned], *, backend: str = "cpu", keep_gradients: bool = False
) -> CompiledFunction[Taken, Returned]: ...
@overload
def compile(
    function: None = None, *, backend: str = "cpu", keep_gradients: bool = False
) -> Callable[[Callable[Taken, Returned]], CompiledFunction[Taken, Returned]]: ...
def compile(
    function: Callable[Taken, Returned] | None = None,
    *,
    backend: str = "cpu",
    keep_gradients: bool = False,
) -> Any:
    """Compile a function over tensors into one native program per signature.

    Works on any Python function, on a ``Module`` (its forward pass), and on a whole training
    step with backward and optimizer.  ``backend="reference"`` runs the same program by its
    NumPy definition.  ``keep_gradients`` stores ``.grad`` after each call; without it gradients
    that only the optimizer needs are fused into its update.
    """
    if function is None:
        return lambda f: compile(f, backend=backend, keep_gradients=keep_gradients)
    return CompiledFunction(function, backend, keep_gradients)


# ---- hidden outputs and parts of a run ---------------------------------------------------------


def _slices(tensor: TensorCore, first: int, last: int) -> TensorCore:
    """Entries ``first`` ≤ i < ``last`` of the leading axis."""
    part: TensorCore = TensorCore.make(Cell(tensor.array()[first:last]))
    return part


def _joined(parts: Sequence[Any]) -> Any:
    """Results of consecutive parts of a run, stacked as one run would give them."""
    listed: list[list[TensorCore]] = [[] for _ in parts]
    structures = [flatten(part, leaves) for part, leaves in zip(parts, listed, strict=True)]
    together = [np.concatenate([t.array() for t in same]) for same in zip(*listed, strict=True)]
    return rebuild(structures[0], iter([TensorCore.make(Cell(a)) for a in together]))


def _what_changes(signatures: Sequence[Any]) -> str:
    """Which argument differs between signatures, for the warning."""
    positional = [s[1][1:] for s in signatures]
    if len({len(p) for p in positional}) > 1:
        return "the number of arguments"
    for place, values in enumerate(zip(*positional, strict=True)):
        if len(set(values)) > 1:
            shown = ", ".join(
                str(v[0]) if isinstance(v, tuple) and v else str(v) for v in values[-3:]
            )
            return f"argument {place} ({shown}, …)"
    return "a setting that the function reads (training mode, requires_grad, gradients)"


def _collect(tensor: TensorCore, leaves: list[TensorCore]) -> TensorCore:
    leaves.append(tensor)
    return tensor
