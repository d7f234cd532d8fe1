"""A traced function as an executable, bound to the memory of the tensors it reads and changes."""

from __future__ import annotations

import functools
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from pellucid import backends
from pellucid.base.errors import AutogradError, OutOfRangeError, PellucidError, TraceError
from pellucid.base.shapes import size_of
from pellucid.graph.node import Graph, Node, Spec, set_line_source
from pellucid.ops.views import is_stretched_view, stretched
from pellucid.tensor.core import TensorCore
from pellucid.tensor.guards import PythonState, Walk
from pellucid.tensor.late import explanation, with_places
from pellucid.tensor.observe import Binding
from pellucid.tensor.outer_gradient import outer_gradient
from pellucid.tensor.overlap import Overlaps
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import (
    FusedGradient,
    Guard,
    Trace,
    kind_of_gradient,
    real_tensor,
    user_line,
)
from pellucid.tensor.trees import LEAF, flatten, map_tensors, rebuild, repeats
from pellucid.tensor.validity import Validity
from pellucid.tensor.validity import changed as tell_of_change

SMALL_RESULT = 4096
"""Results of up to so many bytes are copied out of a fixed buffer; larger ones written in place."""


class Owner(Protocol):
    """What a program asks of the compiled function that it belongs to."""

    function: Callable[..., Any]
    backend: str
    keep_gradients: bool
    by_identity: bool
    """Whether arguments that are leaves and require gradients are recognized by identity."""

    def keep_from_now_on(self) -> None:
        """Gradients are wanted after the step: compile again with them as outputs."""


def _spec_of(cell: Cell) -> Spec:
    return Spec(cell.shape, cell.dtype)


def _bytes(spec: Spec) -> int:
    return size_of(spec.shape) * spec.dtype.itemsize


def _own_leaves(
    trace: Trace, results: list[TensorCore], given: Sequence[TensorCore]
) -> list[tuple[int, int | None]]:
    """Results that are leaves which the function made itself, and where their gradients stand.

    Those are added to ``results``.
    """
    found: list[tuple[int, int | None]] = []
    for number, tensor in enumerate(tuple(results)):
        if not trace.made_leaf(tensor, given):
            continue
        change = trace.gradients.get(id(tensor))
        if change is None or change.value is None:
            found.append((number, None))
        else:
            found.append((number, len(results)))
            results.append(change.value.detach())
    return found


def _now(read: Callable[[], object]) -> tuple[Callable[[], object], object]:
    """How to read something, and what it is now."""
    return read, read()


class Program:
    """One traced signature: the executable and what it is bound to."""

    def __init__(self, owner: Owner, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.owner = owner
        self.grad_enabled = state.grad_enabled
        self.autocast = state.autocast
        self.validity = Validity()
        """Whether everything that says when it changes is as it was when the program was bound."""
        self.changed_gradients = False
        self.repeats = False
        """Whether a tensor was passed in several places, so that only such calls fit."""
        self._strided: list[tuple[np.ndarray, np.ndarray, bool]] = []
        """State that is not contiguous, its contiguous copy for kernels, and whether it changes."""
        self.runs = [0]
        self.lock = threading.RLock()
        """One program has one set of buffers: calls from several threads take turns."""
        self.needs_identity = False
        """Whether this is no program, because arguments have to be recognized by identity."""
        self._keep: list[Any] = []
        self._borrowed: list[tuple[np.ndarray, np.ndarray]] = []
        began = time.perf_counter()
        trace = Trace()
        results: list[TensorCore] = []
        self.given: list[TensorCore] = []
        try:
            self.structure = flatten(self._trace(trace, args, kwargs), results)
            self.outer = None
            if self.needs_identity:
                return  # to be traced again, with such arguments recognized by identity
            self._own_leaves = _own_leaves(trace, results, self.given)
            if self.grad_enabled and not trace.rewritten(self.given):
                self.outer = outer_gradient(trace, results, self.given, owner.backend)
        finally:
            self._rewritten = trace.rewritten(self.given)
            trace.give_back()
        saved = [] if self.outer is None else self.outer.saved
        self.graph = self._graph(trace, [*(trace.node_of(t._cell) for t in results), *saved])
        self._shown = [
            (k, *found)
            for k, found in enumerate(trace.shown_argument(t, self.given) for t in results)
            if found is not None
        ]
        """Results that show an argument: their number, the argument's, and by which views."""
        self.late = trace.late
        self.guards = [*trace.guards, *self._facts(trace)]
        self.validity.watch(self._subjects(trace))
        self.executable = backends.load(self.graph, owner.backend)
        self._prepare_buffers()
        self.made_in = time.perf_counter() - began
        """Seconds that tracing and compiling took."""

    def _graph(self, trace: Trace, outputs: list[Node]) -> Graph:
        """The traced graph: arguments, host values and cells in; results and new values out."""
        self.argument_specs = [n.spec for n in trace.argument_nodes]
        self.result_specs = [n.spec for n in outputs]
        self.hosts = [read for _, read in trace.hosts]
        self.first_host = len(trace.argument_nodes)
        self.first_cell = self.first_host + len(self.hosts)
        aliases: dict[int, int] = {}
        for position, node in trace.changed_arguments():
            aliases[len(outputs)] = position
            outputs.append(node)
        self.written = list(aliases.values())
        """Positions of arguments that are changed in place."""
        self.writes_arguments = bool(aliases)
        for change in trace.gradients.values():
            if change.replaces():  # added up in place, as the next call will read it there
                trace.node_of(change.before._cell)
                trace.current[change.before._cell] = trace.node_of(change.value._cell)
        changed = trace.changed_cells()
        self.gradients = self._gradient_outputs(trace, outputs)
        self.cells = list(trace.cells)
        place = {cell: i for i, cell in enumerate(self.cells)}
        self.gradient_places = [
            (change.tensor, place[change.before._cell])
            for change in trace.gradients.values()
            if isinstance(change.before, TensorCore) and change.before._cell in place
        ]
        for cell, node in changed:
            aliases[len(outputs)] = self.first_cell + place[cell]
            outputs.append(node)
        self.changed = [cell for cell, _ in changed]
        self._needs_order = trace.reshapes_arguments and bool(aliases)
        self._overlaps: Overlaps | None = None
        self._sizes = [_bytes(spec) for spec in self.argument_specs]
        self.bindings = [
            Binding(observation, _add_outputs(trace, seen, outputs))
            for observation, seen in trace.watched.items()
        ]
        hosts = [node for node, _ in trace.hosts]
        inputs = (*trace.argument_nodes, *hosts, *(trace.cells[cell] for cell in self.cells))
        return Graph(inputs, tuple(outputs), aliases)

    def _facts(self, trace: Trace) -> list[Guard]:
        """What must stay as it was: shapes of cells, and which leaves require gradients."""
        leaves = list(trace.leaves.values())
        facts = [
            Guard(*_now(lambda: [t._requires_grad for t in leaves]), "requires_grad of a tensor"),
            Guard(*_now(lambda: [[*(t._hooks or ())] for t in leaves]), "hooks of a tensor"),
        ]
        for cell in self.cells:
            read = functools.partial(_spec_of, cell)
            facts.append(Guard(*_now(read), "the shape or dtype of a tensor"))
        return facts

    def _subjects(self, trace: Trace) -> list[object]:
        """What says when it changes, and is read by guards, host values or this program."""
        gradients = [change.tensor for change in trace.gradients.values()]
        return [*trace.subjects, *trace.leaves.values(), *gradients, *self.cells]

    def _prepare_buffers(self) -> None:
        """Buffers of host values and of small results, bound once."""
        self.host_buffer = np.zeros(max(len(self.hosts), 1), np.float64)
        for i in range(len(self.hosts)):
            self.executable.bind_input(self.first_host + i, self.host_buffer.ctypes.data + 8 * i)
        self.small_results = [
            np.zeros(s.shape, s.dtype.numpy) if _bytes(s) <= SMALL_RESULT else None
            for s in self.result_specs
        ]
        self.large_results = [
            (i, s) for i, s in enumerate(self.result_specs) if self.small_results[i] is None
        ]
        special = self.outer is not None or self._shown or self._own_leaves
        plain = self.structure is LEAF and not special
        self.single = self.small_results[0] if plain else None
        self.single_dtype = self.result_specs[0].dtype if self.result_specs else None
        self.pointers = self.executable.pointers
        self.first_output = len(self.graph.inputs)
        self._bind_fixed()

    # ---- tracing -----------------------------------------------------------------------------

    def _python_state(self, walk: Walk, trace: Trace) -> PythonState | None:
        """The Python values that were read, without those that the function itself replaced."""

        def is_result(value: object) -> bool:
            leaves: list[TensorCore] = []
            if isinstance(value, TensorCore):
                flatten(value, leaves)
            return any(leaf._cell.trace is trace for leaf in leaves)

        for name, before in walk.found.drop_results(is_result):
            held: list[TensorCore] = []
            if isinstance(before, TensorCore):
                flatten(before, held)
            if any(leaf._cell in trace.cells for leaf in held):
                raise TraceError(
                    f"a compiled function reads {name} and puts a value of its own there, which "
                    "the next call could not read",
                    "write it in place: .copy_(...), or make it a buffer of a module",
                )
        return walk.found.sealed()

    def _trace(self, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        before = state.trace
        state.trace = trace
        set_line_source(user_line)
        try:
            walk = Walk.of(self.owner.function, (args, kwargs))
            for name, read in walk.guards:
                trace.guard(read, name)
            known: dict[int, TensorCore] = {}

            def replace(value: Any) -> Any:
                # The same tensor in two places is one value that stands in two places.
                name = f"argument{len(trace.arguments)}"
                made = trace.add_argument(Spec(value.shape, value.dtype), name)
                made._requires_grad = self.grad_enabled and value._requires_grad
                self.given.append(made)
                originals.append(value)
                if value._record is not None:
                    trace.inner.add(id(made))
                self.repeats = self.repeats or id(value._cell) in known
                return known.setdefault(id(value._cell), made)

            by_identity = self.owner.by_identity
            originals: list[TensorCore] = []
            new_args, new_kwargs = map_tensors((args, kwargs), replace, by_identity)
            self.needs = [t._requires_grad for t in self.given]
            found = self.owner.function(*new_args, **new_kwargs)
            self.needs_identity = _needs_identity(trace, self.given, originals)
            for call in walk.later:
                call()
            self.python = self._python_state(walk, trace)
            return found
        except RecursionError:
            raise TraceError(
                f"{getattr(self.owner.function, '__name__', 'a function')} calls itself, or others "
                f"in turn, too deeply to be compiled{trace.where()}",
                "a recursion has to end by Python values, such as a depth that counts down, within "
                "sys.getrecursionlimit(); for many steps use pellucid.scan",
            ) from None
        finally:
            state.trace = before
            set_line_source(None)

    def _gradient_outputs(
        self, trace: Trace, outputs: list[Node]
    ) -> list[tuple[TensorCore, int | None]]:
        """Which gradients are stored (their output), fused (None) or cleared (-1)."""
        updated = {cell for cell, _ in trace.changed_cells()}
        result: list[tuple[TensorCore, int | None]] = []
        for change in trace.gradients.values():
            if change.tensor._cell.trace is trace:
                continue  # a leaf of the program's own, which nobody sees afterwards
            if change.value is None:
                result.append((change.tensor, -1))
                continue
            if change.replaces() or change.value is change.before:
                continue  # its cell is bound like any other
            used_up = change.tensor._cell in updated and not change.accumulates
            if not used_up or self.owner.keep_gradients:
                result.append((change.tensor, len(outputs)))
                outputs.append(trace.node_of(change.value._cell))
            else:
                result.append((change.tensor, None))
        return result

    # ---- running -----------------------------------------------------------------------------

    def difference(self) -> str | None:
        """The first thing that was read while tracing and is another one now; None if none is."""
        if self.grad_enabled != state.grad_enabled:
            return "gradient mode"
        if self.autocast is not state.autocast:
            return "autocast"
        found = next((g.name for g in self.guards if not g.holds()), None)
        if found is not None or self.python is None:
            return found
        return None if self.python.holds() else self.python.changed()

    def rebind(self) -> None:
        """Take up what changed since the last call: arrays of cells, host values, gradients."""
        with self.lock:
            self._rebind()

    def _rebind(self) -> None:
        self.validity.fresh = True  # before reading: a change from now on makes it look again
        for tensor, place in self.gradient_places:
            before, now = self.cells[place], tensor._grad._cell
            self.cells[place] = now
            self.changed = [now if cell is before else cell for cell in self.changed]
        self._strided = []
        if (self.changed or self.written) and not (
            self._overlaps is not None and self._overlaps.is_of(self.cells)
        ):
            self._overlaps = Overlaps(self.cells, self.changed, self.written)
        for i, cell in enumerate(self.cells):
            array = cell.array
            if array is not None and cell in self.changed and is_stretched_view(cell.base, array):
                raise stretched(array.shape)
            if array is not None and cell in self.changed and not array.flags.writeable:
                cell.replace(array.copy())
            elif array is not None and not array.flags.c_contiguous:
                copied = np.ascontiguousarray(array)
                self._strided.append((array, copied, cell in self.changed))
                self.executable.bind_input(self.first_cell + i, copied.ctypes.data)
                continue
            self.executable.bind_input(self.first_cell + i, cell.pointer)
        for cell in self.changed:
            cell.written_by(self.runs)
        for i, read in enumerate(self.hosts):
            self.host_buffer[i] = read()
        self._keep = []
        before_ = [tensor._grad for tensor, _ in self.gradients]
        for tensor, output in self.gradients:
            if output == -1:
                tensor._grad = None
            elif output is None:
                tensor._grad = FusedGradient(self.owner.keep_from_now_on)
            else:
                node = self.graph.outputs[output]
                stored = real_tensor(np.zeros(node.shape, node.dtype.numpy))
                self._keep.append(stored)
                self.executable.bind_output(output, stored._cell.pointer)
                tensor._grad = stored
        for (tensor, _), gradient in zip(self.gradients, before_, strict=True):
            if tensor._grad is not gradient:
                tell_of_change(tensor)  # other programs read or write it as well
        self.changed_gradients = any(
            kind_of_gradient(tensor._grad) != kind_of_gradient(gradient)
            for (tensor, _), gradient in zip(self.gradients, before_, strict=True)
        )
        # If so, what was read before is no longer so, for this program too.
        self.validity.fresh = not self.changed_gradients

    def shares_memory(self, leaves: Sequence[TensorCore]) -> bool:
        """Whether only eager mode gets a call with these arguments right.

        That is so if the call writes memory that another argument or other state shows, or gives
        an argument a history.
        """
        if self._rewritten:
            return True
        if self._overlaps is None:
            return False
        if self._needs_order and not all(t.array().flags.c_contiguous for t in leaves):
            return True
        return self._overlaps.is_torn or self._overlaps.among(leaves)

    def stand_aside(self) -> None:
        """A call runs eagerly: gradients are where eager mode looks for them."""
        for tensor, _ in self.gradients:
            if isinstance(tensor._grad, FusedGradient):
                tensor._grad = None
        self.validity.fresh = False

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
        needs, overlaps = self.needs, self._overlaps
        is_near = self._rewritten or self.writes_arguments
        position = 0
        for value in args:
            if not isinstance(value, TensorCore):
                return False
            cell = value._cell
            shape, dtype = specs[position]
            if cell.shape != shape or cell.dtype is not dtype:
                return False
            if value._requires_grad is not needs[position] and self.grad_enabled:
                return False
            if overlaps is not None:  # addresses first: a look at each array would cost calls
                start = cell._pointer or cell.pointer
                behind = bisect_left(overlaps.starts, start + self._sizes[position])
                if not start or (behind and overlaps.reach[behind - 1] > start):
                    is_near = True
            position += 1
        if self.repeats:
            return False
        return not is_near or not (
            self.shares_memory(args) or (self.writes_arguments and repeats(args) is not None)
        )

    def run(self, leaves: Sequence[TensorCore]) -> Any:
        """Run once on tensors."""
        with self.lock:
            try:
                if not self.bindings:
                    return self._run(leaves)
                return self._observed(1, lambda: self._run(leaves))
            except OutOfRangeError as error:
                arrays = [leaf.array() for leaf in leaves]
                raise self._explained(error, [arrays]) from None

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
        for original, copied, _ in self._strided:
            np.copyto(copied, original)
        try:
            self.executable.run()
        finally:
            self.runs[0] += 1
            if self._borrowed or self._strided:
                self._give_back()
        if self.single is not None:
            return TensorCore.make(Cell(self.single.copy(), self.single_dtype))
        arrays = iter(large)
        made = [
            TensorCore.make(Cell(next(arrays) if small is None else small.copy(), spec.dtype))
            for small, spec in zip(self.small_results, self.result_specs, strict=True)
        ]
        if self.outer is not None:
            self.outer.attach(made, leaves, self)
        for number, gradient in self._own_leaves:
            made[number]._requires_grad = True
            made[number]._grad = None if gradient is None else made[gradient]
        for number, position, is_itself, views in self._shown:
            shown: Any = leaves[position]
            if not is_itself or (views and shown.requires_grad):
                shown = shown.detach()
            for primitive, params in views:
                shown = shown.apply_primitive(primitive, (shown,), params)
            made[number] = shown
        return rebuild(self.structure, iter(made))

    def run_many(self, leaves: Sequence[TensorCore], steps: int) -> Any:
        """Run ``steps`` times on stacks of tensors, one slice a step."""
        with self.lock:
            try:
                if not self.bindings:
                    return self._run_many(leaves, steps)
                return self._observed(steps, lambda: self._run_many(leaves, steps))
            except OutOfRangeError as error:
                stacks = [leaf.array() for leaf in leaves]
                slices = [[stack[step] for stack in stacks] for step in range(steps)]
                raise self._explained(error, slices) from None

    def _explained(
        self, error: OutOfRangeError, calls: Sequence[Sequence[np.ndarray]]
    ) -> PellucidError:
        """The error of a position out of range, told by the check that knows what it means."""
        changed = set(self.changed)
        inputs = self.graph.inputs
        kept = {
            inputs[self.first_cell + i]: cell.array
            for i, cell in enumerate(self.cells)
            if cell not in changed and cell.array is not None
        }
        for arrays in calls:
            arguments = () if self.writes_arguments else arrays
            known = {**kept, **dict(zip(inputs, arguments, strict=False))}
            found = explanation(self.late, known)
            if found is not None:
                return found
        return with_places(error, self.graph)

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
        for original, copied, _ in self._strided:
            np.copyto(copied, original)
        try:
            executable.run(steps)
        finally:
            self.runs[0] += 1
            self._give_back()
            self._bind_fixed()
        return rebuild(self.structure, iter(stacks))

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
        """Drop copies of arguments; what the program wrote into copies goes to the originals."""
        for original, copied, changes in self._strided:
            if changes:
                np.copyto(original, copied)
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


def _needs_identity(
    trace: Trace, given: Sequence[TensorCore], originals: Sequence[TensorCore]
) -> bool:
    """Whether the function reads or writes the gradient of an argument that is a leaf, which has
    to be the caller's tensor itself then."""
    for made, original in zip(given, originals, strict=True):
        if id(made) in trace.gradients and original._record is not None:
            raise AutogradError(
                f"a backward pass inside of a compiled function{trace.where()} reached an argument "
                f"of shape {tuple(made.shape)} that has a history outside",
                "call backward() outside on what the function returns, or pass x.detach()",
            )
        is_leaf = original._requires_grad and original._record is None
        if id(made) in trace.gradients or (is_leaf and original._cell in trace.cells):
            return True
    return False


def _add_outputs(
    trace: Trace, seen: Sequence[tuple[bool, Any, TensorCore]], outputs: list[Node]
) -> list[tuple[bool, Any, int]]:
    """Append what an observation saw to the outputs: (training mode, column, position)."""
    result = []
    for training, column, value in seen:
        result.append((training, column, len(outputs)))
        outputs.append(trace.node_of(value._cell))
    return result
