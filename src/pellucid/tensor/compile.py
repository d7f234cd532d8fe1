"""``pellucid.compile``: a Python function over tensors as one native program.

The function runs once per signature on symbolic tensors (:mod:`pellucid.tensor.trace`); what it
reads and assigns becomes a graph; the graph becomes a program that updates the tensors' memory
in place.  Later calls with the same signature only run the program.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import backends
from pellucid.base.errors import ArgumentError, TraceError
from pellucid.base.shapes import size_of
from pellucid.graph.node import Graph, Node, Spec, set_line_source
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.observe import Binding
from pellucid.tensor.state import Cell, state, version
from pellucid.tensor.trace import FusedGradient, Trace, kind_of_gradient, real_tensor, user_line
from pellucid.transforms.simplify import simplify

SMALL_RESULT = 4096
"""Results of up to so many bytes are copied out of a fixed buffer; larger ones written in place."""
RETRACES_BEFORE_WARNING = 8
"""So many signatures of one function before the user is told which argument keeps changing."""


def _spec_of(cell: Cell) -> Spec:
    return Spec(cell.shape, cell.dtype)


def _bytes(spec: Spec) -> int:
    return size_of(spec.shape) * spec.dtype.itemsize


class _Program:
    """One traced signature: the executable and what it is bound to."""

    def __init__(
        self, owner: CompiledFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.owner = owner
        self.grad_enabled = state.grad_enabled
        trace = Trace()
        result = self._trace(trace, args, kwargs)
        self.results: list[TensorCore] = []
        self.structure = _flatten(result, self.results)
        outputs: list[Node] = [trace.node_of(t._cell) for t in self.results]
        self.result_specs = [n.spec for n in outputs]
        self.result_requires_grad = False
        inputs = [*trace.argument_nodes]
        self.hosts = [read for _, read in trace.hosts]
        self.first_host = len(inputs)
        inputs += [node for node, _ in trace.hosts]
        self.first_cell = len(inputs)
        aliases: dict[int, int] = {}
        for position, node in trace.changed_arguments():
            aliases[len(outputs)] = position
            outputs.append(node)
        for change in trace.gradients.values():
            if change.replaces():  # added up in place, as the next call will read it there
                trace.node_of(change.before._cell)
                trace.current[change.before._cell] = trace.node_of(change.value._cell)
        changed = trace.changed_cells()
        self.gradients = self._gradient_outputs(trace, outputs)
        self.cells = list(trace.cells)
        self.gradient_places = [
            (change.tensor, self.cells.index(change.before._cell))
            for change in trace.gradients.values()
            if isinstance(change.before, TensorCore) and change.before._cell in trace.cells
        ]
        place = {cell: self.first_cell + i for i, cell in enumerate(self.cells)}
        inputs += [trace.cells[cell] for cell in self.cells]
        for cell, node in changed:
            aliases[len(outputs)] = place[cell]
            outputs.append(node)
        self.changed = [cell for cell, _ in changed]
        self.bindings = [
            Binding(observation, _add_outputs(trace, seen, outputs))
            for observation, seen in trace.watched.items()
        ]
        self.guards = trace.guards
        leaves = list(trace.leaves.values())
        self.guards.append(
            (lambda: [t._requires_grad for t in leaves], [t._requires_grad for t in leaves])
        )
        for tensor_cell in self.cells:
            self.guards.append((functools.partial(_spec_of, tensor_cell), _spec_of(tensor_cell)))
        self.graph = simplify(Graph(tuple(inputs), tuple(outputs), aliases))
        self.executable = backends.load(self.graph, owner.backend)
        self.host_buffer = np.zeros(max(len(self.hosts), 1), np.float64)
        for i in range(len(self.hosts)):
            self.executable.bind_input(self.first_host + i, self.host_buffer.ctypes.data + 8 * i)
        self.version = -1
        self.changed_gradients = False
        self.argument_specs = [Spec(n.shape, n.dtype) for n in trace.argument_nodes]
        self._keep: list[Any] = []
        self._borrowed: list[tuple[np.ndarray, np.ndarray]] = []
        self.writes_arguments = bool(trace.changed_arguments())
        self.runs = [0]
        self.lock = threading.RLock()
        """One program has one set of buffers: calls from several threads take turns."""
        self.results = []
        self.small_results = [
            np.zeros(s.shape, s.dtype.numpy) if _bytes(s) <= SMALL_RESULT else None
            for s in self.result_specs
        ]
        self.large_results = [
            (i, s) for i, s in enumerate(self.result_specs) if self.small_results[i] is None
        ]
        self.single = self.small_results[0] if self.structure is _LEAF else None
        self.single_dtype = self.result_specs[0].dtype if self.result_specs else None
        self.pointers = self.executable.pointers
        self.first_output = len(self.graph.inputs)
        self._bind_fixed()

    # ---- tracing -----------------------------------------------------------------------------

    def _trace(self, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        before = state.trace
        state.trace = trace
        set_line_source(user_line)
        try:

            def replace(value: Any) -> Any:
                # The same tensor in two places is two arguments: the next call may pass two.
                name = f"argument{len(trace.arguments)}"
                return trace.add_argument(Spec(value.shape, value.dtype), name)

            new_args, new_kwargs = _map_arguments((args, kwargs), replace)
            return self.owner.function(*new_args, **new_kwargs)
        finally:
            state.trace = before
            set_line_source(None)

    def _gradient_outputs(
        self, trace: Trace, outputs: list[Node]
    ) -> list[tuple[TensorCore, int | None]]:
        """Which gradients are stored (their output), fused (None) or cleared (-1)."""
        result: list[tuple[TensorCore, int | None]] = []
        for change in trace.gradients.values():
            if change.value is None:
                result.append((change.tensor, -1))
                continue
            if change.replaces() or change.value is change.before:
                continue  # its cell is bound like any other
            if change.accumulates or self.owner.keep_gradients:
                result.append((change.tensor, len(outputs)))
                outputs.append(trace.node_of(change.value._cell))
            else:
                result.append((change.tensor, None))
        return result

    # ---- running -----------------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether everything that was read while tracing is still as it was."""
        return self.grad_enabled == state.grad_enabled and all(
            read() == value for read, value in self.guards
        )

    def rebind(self) -> None:
        """Take up what changed since the last call: arrays of cells, host values, gradients."""
        for tensor, place in self.gradient_places:
            before, now = self.cells[place], tensor._grad._cell
            self.cells[place] = now
            self.changed = [now if cell is before else cell for cell in self.changed]
        for i, cell in enumerate(self.cells):
            if cell.array is not None and not cell.array.flags.c_contiguous:
                cell.replace(np.ascontiguousarray(cell.array))
            if cell in self.changed and cell.array is not None and not cell.array.flags.writeable:
                cell.replace(cell.array.copy())
            self.executable.bind_input(self.first_cell + i, cell.pointer)
        for cell in self.changed:
            cell.written_by(self.runs)
        for i, read in enumerate(self.hosts):
            self.host_buffer[i] = read()
        self._keep = []
        kinds = [kind_of_gradient(tensor._grad) for tensor, _ in self.gradients]
        for tensor, output in self.gradients:
            if output == -1:
                tensor._grad = None
            elif output is None:
                tensor._grad = FusedGradient(self.owner._keep_from_now_on)
            else:
                node = self.graph.outputs[output]
                stored = real_tensor(np.zeros(node.shape, node.dtype.numpy))
                self._keep.append(stored)
                self.executable.bind_output(output, stored._cell.pointer)
                tensor._grad = stored
        self.version = version.number
        self.changed_gradients = kinds != [
            kind_of_gradient(tensor._grad) for tensor, _ in self.gradients
        ]
        if self.changed_gradients:  # what was read before is no longer so, for this program too
            version.bump()

    def example_inputs(self) -> list[np.ndarray]:
        """Arrays for every input: normal numbers and zeros for arguments, copies of the state."""
        rng = np.random.default_rng(0)
        arrays = []
        for shape, dtype in self.argument_specs:
            floats = dtype.kind == "float"
            example = rng.standard_normal(shape) if floats else np.zeros(shape)
            arrays.append(np.asarray(example).astype(dtype.numpy))
        arrays += [self.host_buffer[i : i + 1].copy() for i in range(len(self.hosts))]
        for cell in self.cells:
            array = cell.array
            spec_array = np.zeros(cell.shape, cell.dtype.numpy) if array is None else array
            arrays.append(np.array(spec_array, order="C"))
        return arrays

    def accepts(self, args: Sequence[Any]) -> bool:
        """Whether these positional arguments are the tensors this program was traced for."""
        specs = self.argument_specs
        if len(args) != len(specs):
            return False
        position = 0
        for value in args:
            if not isinstance(value, TensorCore):
                return False
            cell = value._cell
            shape, dtype = specs[position]
            if cell.shape != shape or cell.dtype is not dtype or value._requires_grad:
                return False
            position += 1
        return True

    def run(self, leaves: Sequence[TensorCore]) -> Any:
        """Run once on tensors."""
        with self.lock:
            if not self.bindings:
                return self._run(leaves)
            return self._observed(1, lambda: self._run(leaves))

    def _observed(self, steps: int, run: Callable[[], Any]) -> Any:
        """``run`` with the hidden outputs written to the observations' rings."""
        for binding in self.bindings:
            binding.before(self.executable)
        result = run()
        for binding in self.bindings:
            binding.after(steps)
        return result

    def _run(self, leaves: Sequence[TensorCore]) -> Any:
        pointers = self.pointers
        position = 0
        for tensor in leaves:
            pointers[position] = tensor._cell._pointer or self._address(tensor)
            position += 1
        large = []
        for position, (shape, dtype) in self.large_results:
            out = np.empty(shape, dtype.numpy)
            pointers[self.first_output + position] = out.__array_interface__["data"][0]
            large.append(out)
        self.executable.run()
        self.runs[0] += 1
        if self._borrowed:
            self._give_back()
        if self.single is not None:
            return TensorCore.make(Cell(self.single.copy(), self.single_dtype))
        arrays = iter(large)
        made = [
            TensorCore.make(Cell(next(arrays) if small is None else small.copy(), spec.dtype))
            for small, spec in zip(self.small_results, self.result_specs, strict=True)
        ]
        return _rebuild(self.structure, iter(made))

    def run_many(self, leaves: Sequence[TensorCore], steps: int) -> Any:
        """Run ``steps`` times on stacks of tensors, one slice a step."""
        with self.lock:
            if not self.bindings:
                return self._run_many(leaves, steps)
            return self._observed(steps, lambda: self._run_many(leaves, steps))

    def _run_many(self, leaves: Sequence[TensorCore], steps: int) -> Any:
        executable = self.executable
        for position, tensor in enumerate(leaves):
            address = tensor._cell.pointer or self._address(tensor)
            executable.bind_input(position, address, tensor.array().nbytes // steps)
        stacks = []
        for position, (shape, dtype) in enumerate(self.result_specs):
            out = np.empty((steps, *shape), dtype.numpy)
            executable.bind_output(position, out.ctypes.data, out.nbytes // steps)
            stacks.append(TensorCore.make(Cell(out, dtype)))
        executable.run(steps)
        self.runs[0] += 1
        self._give_back()
        self._bind_fixed()
        return _rebuild(self.structure, iter(stacks))

    def _address(self, tensor: TensorCore) -> int:
        """Address of an argument; of a contiguous copy, kept until the call ends, if need be."""
        array = tensor.array()
        address = tensor._cell.pointer
        if not address:
            copied = np.ascontiguousarray(array)
            self._borrowed.append((copied, array))
            address = int(copied.ctypes.data)
        return address

    def _give_back(self) -> None:
        """Drop copies of arguments; what the program wrote into them goes to the originals."""
        if self.writes_arguments:
            for copied, original in self._borrowed:
                np.copyto(original, copied)
        self._borrowed.clear()

    def _bind_fixed(self) -> None:
        """No strides, and results that are small in buffers of their own."""
        for position in range(len(self.argument_specs)):
            self.executable.bind_input(position, 0)
        for position, small in enumerate(self.small_results):
            self.executable.bind_output(position, 0 if small is None else small.ctypes.data)


class CompiledFunction:
    """A function that is compiled per signature; what :func:`compile` returns.

    ``explain()`` shows what the last used program became.
    """

    def __init__(self, function: Callable[..., Any], backend: str, keep_gradients: bool) -> None:
        self.function = function
        self.backend = backend
        self.keep_gradients = keep_gradients
        self._programs: dict[Any, list[_Program]] = {}
        self._last: _Program | None = None
        """The program to try first: the newest, if its arguments can be recognized quickly."""
        self._recent: _Program | None = None
        self._signatures: list[Any] = []
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
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
            return last.run(args)
        if state.trace is not None:
            return self.function(*args, **kwargs)
        leaves: list[TensorCore] = []
        args, kwargs = _map_arguments((args, kwargs), lambda t: _collect(t, leaves))
        return self._program(args, kwargs, leaves).run(leaves)

    def __getattr__(self, name: str) -> Any:
        # What was compiled keeps its own attributes: a module's parameters(), train(), …
        if name.startswith("__") or "function" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.function, name)

    def many(self, steps: int, *args: Any) -> Any:
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

    def _program(self, args: Any, kwargs: Any, leaves: Sequence[TensorCore]) -> _Program:
        key = (_signature((args, kwargs)), state.grad_enabled)
        known = self._programs.setdefault(key, [])
        found = next((p for p in known if p.holds()), None)
        if found is None:
            found = _Program(self, args, kwargs)
            known.append(found)
            self._note_signature(key)
        if found.version != version.number:
            found.rebind()
        # Only flat positional tensors can be recognized without building the signature.
        flat = not kwargs and all(isinstance(a, TensorCore) for a in args)
        self._last = found if flat and len(args) == len(leaves) else None
        self._recent = found
        return found

    def _note_signature(self, key: Any) -> None:
        self._signatures.append(key)
        if len(self._signatures) == RETRACES_BEFORE_WARNING:
            changing = _what_changes([k[0] for k in self._signatures])
            warnings.warn(
                f"{getattr(self.function, '__name__', 'a function')} was compiled "
                f"{RETRACES_BEFORE_WARNING} times because {changing} keeps changing; "
                "pass equal shapes, or make a changing number a tensor",
                RuntimeWarning,
                stacklevel=4,
            )

    def _keep_from_now_on(self) -> None:
        """Gradients are wanted after the step: compile again with them as outputs."""
        self.keep_gradients = True
        self._programs.clear()
        self._last = None

    @property
    def executable(self) -> Any:
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


def compile(
    function: Callable[..., Any] | None = None,
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


def _add_outputs(
    trace: Trace, seen: Sequence[tuple[bool, Any, TensorCore]], outputs: list[Node]
) -> list[tuple[bool, Any, int]]:
    """Append what an observation saw to the outputs: (training mode, column, position)."""
    result = []
    for training, column, value in seen:
        result.append((training, column, len(outputs)))
        outputs.append(trace.node_of(value._cell))
    return result


def _slices(tensor: TensorCore, first: int, last: int) -> TensorCore:
    """Entries ``first`` ≤ i < ``last`` of the leading axis."""
    part: TensorCore = TensorCore.make(Cell(tensor.array()[first:last]))
    return part


def _joined(parts: Sequence[Any]) -> Any:
    """Results of consecutive parts of a run, stacked as one run would give them."""
    listed: list[list[TensorCore]] = [[] for _ in parts]
    structures = [_flatten(part, leaves) for part, leaves in zip(parts, listed, strict=True)]
    together = [np.concatenate([t.array() for t in same]) for same in zip(*listed, strict=True)]
    return _rebuild(structures[0], iter([TensorCore.make(Cell(a)) for a in together]))


# ---- arguments and results as trees ----------------------------------------------------------


def _map_arguments(tree: Any, change: Callable[[TensorCore], Any]) -> Any:
    """The tree with every tensor (and NumPy array) replaced by ``change`` of it."""
    if isinstance(tree, TensorCore):
        # Leaves that require gradients are state: they are recognized by identity, not passed.
        return tree if tree._requires_grad else change(tree)
    if isinstance(tree, np.ndarray):
        return change(from_numpy(tree))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_map_arguments(v, change) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map_arguments(v, change) for v in tree)
    if isinstance(tree, dict):
        return {k: _map_arguments(v, change) for k, v in tree.items()}
    return tree


def _collect(tensor: TensorCore, leaves: list[TensorCore]) -> TensorCore:
    leaves.append(tensor)
    return tensor


def _signature(tree: Any) -> Any:
    """What a call is recognized by: shapes and dtypes of tensors, values of everything else."""
    if isinstance(tree, TensorCore):
        return ("state", id(tree)) if tree._requires_grad else (tree.shape, tree.dtype)
    if isinstance(tree, (list, tuple)):
        return (type(tree), *(_signature(v) for v in tree))
    if isinstance(tree, dict):
        return (dict, *((k, _signature(v)) for k, v in tree.items()))
    try:
        hash(tree)
    except TypeError:
        return id(tree)
    return (type(tree), tree)


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


def _flatten(tree: Any, leaves: list[TensorCore]) -> Any:
    """The tree with tensors replaced by a marker; the tensors go to ``leaves``."""
    if isinstance(tree, TensorCore):
        leaves.append(tree)
        return _LEAF
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_flatten(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_flatten(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: _flatten(v, leaves) for k, v in tree.items()}
    return tree


_LEAF = type("Leaf", (), {"__slots__": ()})()


def _rebuild(tree: Any, leaves: Any) -> Any:
    """The reverse of :func:`_flatten`."""
    if tree is _LEAF:
        return next(leaves)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_rebuild(v, leaves) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_rebuild(v, leaves) for v in tree)
    if isinstance(tree, dict):
        return {k: _rebuild(v, leaves) for k, v in tree.items()}
    return tree
