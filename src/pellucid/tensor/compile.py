"""``pellucid.compile``: a Python function over tensors as one native program.

The function runs once per signature on symbolic tensors (:mod:`pellucid.tensor.trace`); what it
reads and assigns becomes a graph; the graph becomes a program that updates the tensors' memory
in place (:mod:`pellucid.tensor.program`).  Later calls with the same signature only run it.
"""

from __future__ import annotations

import functools
import importlib
import os
import threading
import warnings
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

import numpy as np

from pellucid.backends import Executable
from pellucid.base.caches import register_cache
from pellucid.base.errors import ArgumentError, TraceError
from pellucid.graph.node import Graph
from pellucid.graph.show import to_dot
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.guards import READERS, Walk
from pellucid.tensor.program import Program
from pellucid.tensor.state import Cell, Follower, state
from pellucid.tensor.trees import flatten, map_tensors, rebuild, repeats, signature

Taken = ParamSpec("Taken")
Returned = TypeVar("Returned")
Result = TypeVar("Result", covariant=True)

RETRACES_BEFORE_WARNING = 8
"""So many programs of one function before the user is told what keeps changing."""

KEPT_PROGRAMS = 64
"""Programs of one function that are kept; the one that was not used for longest goes first."""


class HasForward(Protocol[Taken, Result]):
    """A module with a ``forward`` of its own: calling the module takes and returns the same."""

    def forward(self, *args: Taken.args, **kwargs: Taken.kwargs) -> Result:
        """What the module computes."""


class CompiledFunction(Generic[Taken, Returned]):
    """A function that is compiled per signature; what :func:`compile` returns.

    ``explain()`` shows what the last used program became, ``graph()`` and ``draw()`` the graph
    that it was made from.
    """

    def __init__(
        self, function: Callable[Taken, Returned], backend: str, keep_gradients: bool
    ) -> None:
        self.function = function
        self.backend = backend
        self.keep_gradients = keep_gradients
        self.by_identity = False
        self.follower: Follower | None = None
        """Who follows this function alone, wherever it is called."""
        self.watch: Any = None
        """The doctor's watch, with ``compile(doctor=…)``."""
        self._programs: dict[Any, list[Program]] = {}
        self._order: OrderedDict[Program, Any] = OrderedDict()
        """Programs and their signatures, the one that was used last at the end."""
        self._last: Program | None = None
        """The program to try first: the newest, if its arguments can be recognized quickly."""
        self._recent: Program | None = None
        self._lock = threading.RLock()
        self._making: dict[Any, threading.RLock] = {}
        """Signature → lock: threads that meet it first at the same time make one program."""
        self.signatures: list[Any] = []
        self._reasons: list[str] = []
        """Why each program after the first one of its signature was made."""
        functools.update_wrapper(self, function, updated=())
        _functions.add(self)

    def __call__(self, *args: Taken.args, **kwargs: Taken.kwargs) -> Returned:
        """What the function returns for these arguments, by its program for their signature."""
        last = self._last
        if (
            last is not None
            and last.validity.fresh
            and not kwargs
            and state.trace is None
            and not state.inline
            and not state.uncompiled
            and last.grad_enabled == state.grad_enabled
            and last.autocast is state.autocast
            and (last.python is None or last.python.holds())
            and last.accepts(args)
        ):
            result = last.run(args)  # type: ignore[arg-type]
            if self.follower is not None or state.follower is not None:
                self._tell(last, args, {}, result)
            return result
        if state.trace is not None or state.inline or state.uncompiled:
            return self.function(*args, **kwargs)
        program, leaves = self._program(args, kwargs)
        if program.shares_memory(leaves):
            program.stand_aside()
            args, kwargs = map_tensors((args, kwargs), lambda tensor: tensor)
            return self.function(*args, **kwargs)
        result = program.run(leaves)
        self._tell(program, args, kwargs, result)
        return result

    def _tell(self, program: Program, args: Any, kwargs: Any, result: Any) -> None:
        """Tells whoever follows the loop of a result."""
        follower = self.follower or state.follower
        if follower is not None:
            follower.ran(self, program, args, kwargs, result)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", None) or type(self.function).__name__
        count = sum(len(programs) for programs in self._programs.values())
        made = f"{count} program{'' if count == 1 else 's'}"
        return f"CompiledFunction({name}, backend={self.backend!r}, {made})"

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles hold what was compiled; programs hold addresses and are made anew.
        kept = ("function", "backend", "keep_gradients")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        # What was compiled keeps its own attributes: a module's parameters(), train(), …
        if name.startswith("__") or "function" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.function, name)

    def many(self, steps: int, *args: TensorCore | np.ndarray) -> Returned:
        """Run ``steps`` times in one native call.

        Each tensor argument has a leading axis of extent ``steps``, one slice for each step;
        results come back stacked the same way, without history.
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
            program = self._ready(first) or self._program(first, {})[0]
            if program.shares_memory(first) or program.shares_memory(leaves):
                raise TraceError(
                    "many() got arguments that share memory with each other or with the state of "
                    "the function, which writes it",
                    "call the function step by step, or pass copies: x.clone()",
                )
            count = min([steps - done, *(b.span for b in program.bindings)])
            count = 1 if program.changed_gradients else count
            part = leaves if count == steps else [_slices(t, done, done + count) for t in leaves]
            parts.append(program.run_many(part, count))
            done += count
        whole = parts[0] if len(parts) == 1 else _joined(parts)
        follower = self.follower or state.follower
        if follower is not None:
            follower.ran(self, program, tuple(leaves), {}, whole, steps)
        return whole

    # ---- programs ----------------------------------------------------------------------------

    def program_for(self, *args: TensorCore) -> Program:
        """The program that a call with these tensors would run, without running it."""
        return self._program(args, {})[0]

    def _ready(self, args: Sequence[TensorCore]) -> Program | None:
        """The program that ran last, if it can be seen at once that it serves these as well."""
        last = self._last
        if (
            last is not None
            and last.validity.fresh
            and not state.inline
            and not state.uncompiled
            and last.grad_enabled == state.grad_enabled
            and last.autocast is state.autocast
            and (last.python is None or last.python.holds())
            and last.accepts(args)
        ):
            return last
        return None

    def _program(self, args: Any, kwargs: Any) -> tuple[Program, list[TensorCore]]:
        """The program for these arguments, ready to run, and the tensors to run it on."""
        before = state.follower
        state.follower = self.follower or before  # who sees the function while it is traced
        try:
            return self._found(args, kwargs)
        finally:
            state.follower = before

    def _found(self, args: Any, kwargs: Any) -> tuple[Program, list[TensorCore]]:
        leaves: list[TensorCore] = []
        args, kwargs = map_tensors((args, kwargs), lambda t: _collect(t, leaves), self.by_identity)
        key = (
            signature((args, kwargs), self.by_identity, state.grad_enabled),
            state.grad_enabled,
            repeats(leaves),
        )
        with self._lock:
            making = self._making.setdefault(key, threading.RLock())
        with making:
            found, differences = None, []
            for program in reversed(self._programs.get(key, ())):
                difference = program.difference()
                if difference is None:
                    found = program
                    break
                differences.append(difference)
            if found is None:
                found = Program(self, args, kwargs)
                if not found.needs_identity:
                    self._note(key, differences)
            if found.needs_identity:
                self.by_identity = True
                self.clear()
                return self._found(args, kwargs)
            if not found.validity.fresh:
                found.rebind()
            self._used(key, found)
        # Only flat positional tensors can be recognized without building the signature.
        flat = not kwargs and all(isinstance(a, TensorCore) for a in args)
        self._last = found if flat and len(args) == len(leaves) else None
        self._recent = found
        return found, leaves

    def _used(self, key: Any, program: Program) -> None:
        """Keep a program, and forget the one that was not used for longest if there are many."""
        with self._lock:
            if program not in self._order:
                self._programs.setdefault(key, []).append(program)
            self._order[program] = key
            self._order.move_to_end(program)
            while len(self._order) > KEPT_PROGRAMS:
                oldest, old_key = self._order.popitem(last=False)
                known = self._programs[old_key]
                known.remove(oldest)
                if not known:
                    del self._programs[old_key]
                    self._making.pop(old_key, None)

    def clear(self) -> None:
        """Forget all programs; the next call compiles again."""
        with self._lock:
            self._programs.clear()
            self._order.clear()
            self._making.clear()
            self._last = self._recent = None

    def _note(self, key: Any, differences: list[str]) -> None:
        """Remember why a program was made; tell the user once when there are many."""
        with self._lock:
            self.signatures.append(key)
            if differences:
                self._reasons.append(differences[0])
            if len(self.signatures) != RETRACES_BEFORE_WARNING:
                return
            few = len(self._reasons) < RETRACES_BEFORE_WARNING // 2
            changing = _what_changes(self.signatures) if few else _most_common(self._reasons)
        warnings.warn(
            f"{getattr(self.function, '__name__', 'a function')} was compiled "
            f"{RETRACES_BEFORE_WARNING} times because {changing} keeps changing; "
            "pass equal shapes, or make a changing number a tensor",
            RuntimeWarning,
            stacklevel=5,
        )

    def keep_from_now_on(self) -> None:
        """Gradients are wanted after the step: compile again with them as outputs."""
        self.keep_gradients = True
        self.clear()

    @property
    def executable(self) -> Executable:
        """The executable of the program that ran last."""
        return self._used_last().executable

    def _used_last(self) -> Program:
        if self._recent is None:
            raise ArgumentError("nothing has been compiled yet", "call the function once first")
        return self._recent

    def graph(self) -> Graph:
        """The graph of the last used program, as it was traced: backward pass and updates of the
        optimizer included, before anything is fused or left out.

        ``inputs``, ``outputs`` and ``nodes()`` of it are nodes with their operation (``op.name``),
        operands (``inputs``), shape, dtype and ``origin`` (layer and source line).

        Raises ``ArgumentError`` (a ``ValueError``) before the first call.
        """
        return self._used_last().graph

    def draw(self, path: str | os.PathLike[str]) -> str:
        """Writes the graph of the last used program to ``path`` in the DOT language, and returns
        the text.  Data flow from top to bottom; a box for each operation, with its shape.

        ``dot -Tsvg step.dot > step.svg`` (Graphviz) makes a picture of it.

        Raises ``ArgumentError`` before the first call, and for a ``path`` that does not end in
        ``.dot`` or ``.gv``.
        """
        name = os.fspath(path)
        if not name.endswith((".dot", ".gv")):
            raise ArgumentError(
                f"draw got {name!r}, and writes the DOT language only",
                "give a name that ends in .dot; Graphviz makes a picture of the file: "
                "dot -Tsvg step.dot > step.svg",
            )
        text = to_dot(self._used_last().graph)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        return text

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


_functions: weakref.WeakSet[CompiledFunction[..., Any]] = weakref.WeakSet()


def _clear_programs() -> None:
    for function in list(_functions):
        function.clear()


def _after_fork_in_child() -> None:
    """Another thread may have held a lock while the process was copied."""
    for function in list(_functions):
        function._lock = threading.RLock()
        function._making = {}
        for program in function._order:
            program.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

register_cache("programs of compiled functions", _clear_programs)


def _read_compiled(walk: Walk, function: Any, name: str) -> None:
    walk.value(function.function, name)


READERS.append((CompiledFunction, _read_compiled))

_COMPILERS = ("inductor", "cudagraphs", "onnxrt", "openxla", "tvm")
_UNCOMPILED = ("eager", "aot_eager", "aot_eager_decomp_partition")
"""Names of PyTorch's backends: those that compile, and those that do not."""

_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


@overload
def compile(
    function: HasForward[Taken, Returned],
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "cpu",
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    disable: bool = False,
    keep_gradients: bool = False,
    doctor: Any = None,
) -> CompiledFunction[Taken, Returned]: ...
@overload
def compile(
    function: Callable[Taken, Returned],
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "cpu",
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    disable: bool = False,
    keep_gradients: bool = False,
    doctor: Any = None,
) -> CompiledFunction[Taken, Returned]: ...
@overload
def compile(
    function: None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "cpu",
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    disable: bool = False,
    keep_gradients: bool = False,
    doctor: Any = None,
) -> Callable[[Callable[Taken, Returned]], CompiledFunction[Taken, Returned]]: ...
def compile(
    function: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "cpu",
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    disable: bool = False,
    keep_gradients: bool = False,
    doctor: Any = None,
) -> Any:
    """Compile a function over tensors into one native program per signature.

    Works on any Python function, on a ``Module`` (its forward pass), and on a whole training
    step with backward and optimizer.  Results that depend on something that requires gradients
    carry a history, so ``loss(compiled(x)).backward()`` works; a step that calls ``backward()``
    itself returns its loss without one.  Second derivatives have to be taken inside.

    ``backend="reference"`` runs the same program by its NumPy definition.  ``keep_gradients``
    stores ``.grad`` after each call; without it gradients that only the optimizer needs are fused
    into its update.  ``doctor`` watches a training step: True for a watch of its own, which is then
    ``step.watch`` (``print(step.watch.report())``), or one that ``doctor.watch`` gave.
    ``disable=True`` returns the function as it is.  PyTorch's ``fullgraph``,
    ``mode``, ``dynamic`` and ``options`` are accepted and change nothing: the whole function is
    always one program, and each new shape has one of its own.  Of PyTorch's backends "inductor" is
    "cpu" here, and "eager" and "aot_eager" are ``disable=True``.

    The function's Python runs once per signature.  When something that it read is another value
    at a later call (a global, a variable of a closure, an attribute, a hook, …), it is traced
    again; see "What compile relies on" in the guide.

    Raises :class:`ArgumentError` for an unknown ``mode`` or backend.
    """
    if mode is not None and mode not in _MODES:
        raise ArgumentError(
            f"compile got mode={mode!r}", f"leave it out, or use one of {', '.join(_MODES)}"
        )
    disable = disable or backend in _UNCOMPILED
    backend = "cpu" if backend in _COMPILERS else backend
    if function is None:
        return functools.partial(
            compile,
            backend=backend,
            disable=disable,
            keep_gradients=keep_gradients,
            doctor=doctor,
        )
    if disable:
        return function
    if not callable(function):
        raise ArgumentError(
            f"compile got a {type(function).__name__}", "pass a function or a module"
        )
    made: CompiledFunction[Any, Any] = CompiledFunction(function, backend, keep_gradients)
    if doctor is not None and doctor is not False:
        made.follower = made.watch = _watch(doctor)
    return made


def _watch(doctor: Any) -> Any:
    """The watch that is asked for; the doctor stands above and is found by its name."""
    if doctor is not True:
        return doctor
    return importlib.import_module("pellucid.insight.doctor.watching").Watch()


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


def _most_common(reasons: Sequence[str]) -> str:
    """The reasons that come most often, up to three, with the newest values of each."""
    newest = {reason.split(" (")[0]: reason for reason in reasons}
    counts = Counter(reason.split(" (")[0] for reason in reasons).most_common(3)
    if counts[0][1] * 2 > len(reasons):
        counts = counts[:1]
    return " or ".join(newest[name] for name, _ in counts)


def _what_changes(signatures: Sequence[Any]) -> str:
    """Which argument differs between signatures, for the warning."""
    positional = [s[0][1][1:] for s in signatures]
    if len({len(p) for p in positional}) > 1:
        return "the number of arguments"
    for place, values in enumerate(zip(*positional, strict=True)):
        if len(set(values)) > 1:
            return f"argument {place} ({_last_values(values)}, …)"
    keywords = [dict(s[0][2][1:]) for s in signatures]
    for name in dict.fromkeys(name for known in keywords for name in known):
        values = tuple(known.get(name) for known in keywords)
        if len(set(values)) > 1:
            return f"argument {name!r} ({_last_values(values)}, …)"
    if len({s[1] for s in signatures}) > 1:
        return "gradient mode"
    return "which arguments are one tensor"


def _last_values(values: Sequence[Any]) -> str:
    """The last three distinct values of an argument: shapes of tensors, values of others."""
    return ", ".join(_shown(v) for v in list(dict.fromkeys(values))[-3:])


def _shown(part: Any) -> str:
    if isinstance(part, tuple) and len(part) == 2 and part[0] is float:
        return str(float.fromhex(part[1]))
    if isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], type):
        return repr(part[1])
    return str(part[0]) if isinstance(part, tuple) and part else str(part)


def _collect(tensor: TensorCore, leaves: list[TensorCore]) -> TensorCore:
    leaves.append(tensor)
    return tensor
