"""Eager mode's native kernels: heavy operations outside of ``compile`` as cached programs.

Every operation has its NumPy definition, and small work is best done by it at once.  Heavy work
goes to a *kernel*: the operation, or a function of several operations marked with :func:`unit`, as
one compiled graph for these shapes, with another one for its gradient.  Nothing changes but speed
and the last digits: values exist at once, hooks, layer names and second derivatives work as ever.

Whether a kernel is used follows from shapes, dtypes and settings alone, never from how often
something ran or what the disk's cache holds, so that equal programs give equal bits.
"""

from __future__ import annotations

import functools
import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast

from pellucid.base.errors import ArgumentError, CompilationError, PellucidError
from pellucid.graph.node import (
    CONSTANT,
    INPUT,
    Graph,
    Node,
    Primitive,
    Spec,
    make_node,
    topological,
)
from pellucid.tensor import core
from pellucid.tensor.autograd import gradients_at, set_grad_enabled
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.native import Layout, NativeFunction, layout_of, stored_array, stored_input
from pellucid.tensor.state import Cell, ThreadState, state
from pellucid.tensor.trace import Trace

SIGNATURES_OF_ONE_KIND = 24
"""Kernels for calls that differ in the first operand's shape only, such as sequences of many
lengths; further shapes are left to NumPy, because compiling for each would cost more."""
SIGNATURES_OF_ONE_UNIT = 256
KEPT_KERNELS = 1024
"""Kernels kept in this process; older ones are loaded again when they are needed."""


# ---- the switch -----------------------------------------------------------------------------


def set_eager_kernels(enabled: bool) -> None:
    """Let heavy operations outside of ``compile`` run as native kernels, on all threads.

    On by default; the environment variable ``PELLUCID_EAGER_KERNELS=0`` starts with it off.  Off,
    every operation is its NumPy definition.  The two differ by rounding.  See
    :class:`eager_kernels` for a part of a program.
    """
    ThreadState.eager_kernels = bool(enabled)
    state.__dict__.pop("eager_kernels", None)


class eager_kernels:  # noqa: N801  (a mode, as no_grad is)
    """Context manager: inside, on this thread, heavy operations may be native kernels, or not."""

    def __init__(self, enabled: bool = True) -> None:
        self._mode = bool(enabled)

    def __enter__(self) -> None:
        self._before = state.eager_kernels
        state.eager_kernels = self._mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.eager_kernels = self._before


def are_eager_kernels_enabled() -> bool:
    """Whether heavy operations outside of ``compile`` may run as native kernels."""
    return state.eager_kernels


ThreadState.eager_kernels = os.environ.get("PELLUCID_EAGER_KERNELS", "1") not in ("0", "off", "")


# ---- a function as graphs -------------------------------------------------------------------


@contextmanager
def _tracing() -> Iterator[Trace]:
    before, state.trace = state.trace, Trace()
    try:
        yield state.trace
    finally:
        state.trace = before


class NotPure(Exception):
    """A function read something beyond its arguments, so that it is no kernel."""


class Kernel:
    """A function of tensors at one signature: native programs for its value and its gradient.

    ``function(*tensors)`` is the composition of primitives that defines it; a result that is a
    tuple has its gradient in the first entry, the others count as constants.
    """

    __slots__ = (
        "_backward",
        "_dtypes",
        "_forward",
        "_function",
        "_layouts",
        "_several",
        "_specs",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        specs: Sequence[Spec | None],
        layouts: Sequence[Layout | None],
    ) -> None:
        self._function = function
        self._specs = specs
        self._layouts = layouts
        self._backward: dict[Any, tuple[NativeFunction, list[int], list[int | None]]] = {}
        with _tracing() as trace, set_grad_enabled(False):
            stored, arguments = self._arguments(trace, ())
            result = function(*arguments)
            self._several = isinstance(result, tuple)
            outputs = result if isinstance(result, tuple) else (result,)
            nodes = tuple(_pure(trace, t) for t in outputs)
        self._dtypes = [node.dtype for node in nodes]
        self._forward = NativeFunction(Graph(tuple(n for n in stored if n is not None), nodes))

    def _arguments(
        self, trace: Trace, needs: Sequence[bool]
    ) -> tuple[list[Node | None], list[TensorCore | None]]:
        """Input nodes for the stored arrays, and the symbolic tensors that stand for them."""
        stored: list[Node | None] = []
        arguments: list[TensorCore | None] = []
        for position, spec in enumerate(self._specs):
            if spec is None:
                stored.append(None)
                arguments.append(None)
                continue
            node, seen = stored_input(spec, self._layouts[position])
            made: TensorCore = TensorCore.make(Cell(None, node=seen, trace=trace))
            made._requires_grad = bool(needs) and needs[position]
            stored.append(node)
            arguments.append(made)
        return stored, arguments

    def run(self, tensors: Sequence[TensorCore | None]) -> Any:
        """The value, recorded if an input requires gradients; None if it has to be NumPy's."""
        present = [t for t in tensors if t is not None]
        held: list[Any] = []
        layouts = (x for x, s in zip(self._layouts, self._specs, strict=True) if s is not None)
        addresses = [_address(t._cell, x, held) for t, x in zip(present, layouts, strict=True)]
        try:
            arrays = self._forward(addresses)
        except ArgumentError:  # an index out of range: NumPy's definition says where
            return None
        made = [TensorCore.make(Cell(a, d)) for a, d in zip(arrays, self._dtypes, strict=True)]
        return tuple(made) if self._several else made[0]

    def cotangents(self, record: Record, cotangent: TensorCore, value: TensorCore) -> Sequence[Any]:
        """Cotangents of the inputs from that of the value."""
        inputs = record.inputs
        if state.eager_kernels and not state.grad_enabled:
            if state.trace is None and state.watcher is None:
                found = self._pull(inputs, cotangent, value)
                if found is not None:
                    return found
        if record.op.gradient is not None:
            return record.op.gradient(cotangent, value, *inputs, **record.settings)
        rest = iter(inputs)
        with set_grad_enabled(True):
            again = self._function(*(None if s is None else next(rest) for s in self._specs))
        return gradients_at(again[0] if self._several else again, cotangent, inputs)

    def _pull(
        self, inputs: Sequence[TensorCore], cotangent: TensorCore, value: TensorCore
    ) -> list[Any] | None:
        """The same by the native program; None if an index is out of range."""
        needs = tuple(t._requires_grad for t in inputs)
        cell = cotangent._cell
        layout = None if cell.pointer else layout_of(cotangent.array())
        key = (needs, layout)
        found = self._backward.get(key)
        if found is None:
            found = self._backward[key] = self._differentiated(needs, value._cell, layout)
        program, operands, places = found
        cells = [*(t._cell for t in inputs), value._cell, cell]
        layouts = [
            *(x for x, s in zip(self._layouts, self._specs, strict=True) if s is not None),
            None,
            layout,
        ]
        held: list[Any] = []
        try:
            arrays = program([_address(cells[i], layouts[i], held) for i in operands])
        except ArgumentError:
            return None
        return [
            None
            if place is None
            else cotangent
            if place < 0
            else TensorCore.make(Cell(arrays[place], t._cell.dtype))
            for place, t in zip(places, inputs, strict=True)
        ]

    def _differentiated(
        self, needs: tuple[bool, ...], value: Cell, layout: Layout | None
    ) -> tuple[NativeFunction, list[int], list[int | None]]:
        """The program of the gradient, its operands (inputs, value, cotangent) and results."""
        spec = Spec(value.shape, value.dtype)
        wanted = iter(needs)
        full = [s is not None and next(wanted) for s in self._specs]
        with _tracing() as trace:
            stored, arguments = self._arguments(trace, full)
            known, out = stored_input(spec, None)
            given, seen = stored_input(spec, layout)
            cotangent: TensorCore = TensorCore.make(Cell(None, node=seen, trace=trace))
            with set_grad_enabled(True):
                result = self._function(*arguments)
            result = result[0] if isinstance(result, tuple) else result
            found = gradients_at(result, cotangent, [a for a in arguments if a is not None])
            nodes = [None if t is None else _pure(trace, t) for t in found]
            made = _pure(trace, result)
        inputs = [*(n for n in stored if n is not None), known, given]
        # What the gradient says about the value itself is read, not computed again.
        replaced = _substitute([n for n in nodes if n is not None], {made: out})
        outputs: list[Node] = []
        places: list[int | None] = []
        for node in nodes:
            new = None if node is None else replaced[node]
            if new is given and layout is None:
                places.append(-1)
            elif new is None:
                places.append(None)
            else:
                places.append(len(outputs))
                outputs.append(new)
        read = set(topological(outputs))
        operands = [i for i, node in enumerate(inputs) if node in read]
        graph = Graph(tuple(inputs[i] for i in operands), tuple(outputs))
        return NativeFunction(graph), operands, places


def _address(cell: Cell, layout: Layout | None, held: list[Any]) -> int:
    """Address of the stored array of a cell; ``held`` keeps what must live through the call."""
    if layout is None and cell.pointer:
        return cell.pointer
    array = cell.array
    if array is None:
        raise AssertionError("a traced value reached an eager kernel")
    stored = stored_array(array, layout)
    held.append(stored)
    return int(stored.__array_interface__["data"][0])


def _pure(trace: Trace, tensor: TensorCore) -> Node:
    """The node of a traced value; raises if the trace read anything but its arguments."""
    if trace.cells or trace.hosts or trace.current or trace.gradients:
        raise NotPure
    return trace.node_of(tensor._cell)


def _substitute(outputs: Sequence[Node], replaced: dict[Node, Node]) -> dict[Node, Node]:
    """The nodes that ``outputs`` need, rebuilt with some of them replaced."""
    for node in topological(outputs):
        if node in replaced:
            continue
        operands = [replaced[n] for n in node.inputs]
        same = node.op in (INPUT, CONSTANT) or tuple(operands) == node.inputs
        replaced[node] = node if same else make_node(node.op, operands, node.settings)
    return replaced


# ---- the table ------------------------------------------------------------------------------


class _Table:
    """Kernels by signature, and which signatures have one."""

    def __init__(self) -> None:
        self.kernels: dict[Any, Kernel | None] = {}
        self.admitted: dict[Any, set[Any]] = {}
        self.lock = threading.RLock()

    def admits(self, unit: Any, kind: Any, key: Any) -> bool:
        """Whether this signature gets a kernel; once said, the answer stays."""
        for group, limit in ((kind, SIGNATURES_OF_ONE_KIND), (unit, SIGNATURES_OF_ONE_UNIT)):
            known = self.admitted.setdefault(group, set())
            if key not in known and len(known) >= limit:
                return False
        self.admitted[kind].add(key)
        self.admitted[unit].add(key)
        return True

    def clear(self) -> None:
        """Forget all kernels, and what was admitted."""
        self.kernels.clear()
        self.admitted.clear()


_table = _Table()


def _after_fork_in_child() -> None:
    _table.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _signature(name: str, settings: Any, tensors: Sequence[TensorCore | None]) -> tuple[Any, ...]:
    """What decides about a kernel: the operation, its settings, shapes, dtypes and layouts."""
    parts: list[Any] = [name, settings]
    for tensor in tensors:
        if tensor is None:
            parts.append(None)
            continue
        cell = tensor._cell
        parts.append(cell.shape)
        parts.append(cell.dtype)
        if not cell.pointer:
            parts.append(layout_of(tensor.array()))
    return tuple(parts)


def _kernel(
    op: Primitive,
    settings: Any,
    tensors: Sequence[TensorCore | None],
    function: Callable[..., Any],
) -> Kernel | None:
    """The kernel for this call, made if it is new; None where NumPy has to do."""
    key = _signature(op.name, settings, tensors)
    try:
        return _table.kernels[key]
    except KeyError:
        pass
    with _table.lock:
        if key not in _table.kernels:
            kind = (*key[:2], *key[3:])
            admitted = _table.admits(op.name, kind, key)
            made = _made(op, tensors, function) if admitted else None
            _table.kernels[key] = made
            while len(_table.kernels) > KEPT_KERNELS:
                del _table.kernels[next(iter(_table.kernels))]
        return _table.kernels[key]


def _made(
    op: Primitive, tensors: Sequence[TensorCore | None], function: Callable[..., Any]
) -> Kernel | None:
    specs = [None if t is None else Spec(t._cell.shape, t._cell.dtype) for t in tensors]
    layouts = [None if t is None or t._cell.pointer else layout_of(t.array()) for t in tensors]
    try:
        return Kernel(function, specs, layouts)
    except CompilationError as error:
        warnings.warn(
            f"{op.name} could not be compiled and runs by its NumPy definition: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
    except (PellucidError, NotPure):  # wrong arguments: the definition says so in its own words
        pass
    return None


# ---- primitives -----------------------------------------------------------------------------

Worth = Callable[[Sequence[Any], Mapping[str, Any]], bool]
"""Whether a call with these operands and settings is heavy."""


def elements(least: int) -> Worth:
    """Heavy when an operand has at least so many elements."""

    def is_heavy(tensors: Sequence[Any], settings: Mapping[str, Any]) -> bool:
        for tensor in tensors:
            array = None if tensor is None else tensor._cell.array
            if array is not None and array.size >= least:
                return True
        return False

    return is_heavy


def products(least: int) -> Worth:
    """Heavy when a matrix product has at least so many multiplications."""

    def is_heavy(tensors: Sequence[Any], settings: Mapping[str, Any]) -> bool:
        first, second = tensors[0]._cell.array, tensors[1]._cell.array
        if first is None or second is None or not second.size:
            return False
        return bool(max(first.size * second.shape[-1], second.size) >= least)

    return is_heavy


def _convolved(tensors: Sequence[Any], settings: Mapping[str, Any]) -> bool:
    x, w = tensors[0]._cell.array, tensors[1]._cell.array
    return x is not None and w is not None and x.size and x.size * w.size >= 1 << 18


def _drawn(tensors: Sequence[Any], settings: Mapping[str, Any]) -> bool:
    return bool(math.prod(settings["shape"]) >= 1 << 13)


core.HEAVY.update({"matmul": products(1 << 20), "convolution": _convolved})
core.HEAVY["random_uniform"] = _drawn
for _name in "erf erfc erfinv lgamma digamma".split():  # element by element in the definition
    core.HEAVY[_name] = elements(1 << 11)
for _name in (
    "exp expm1 log log1p log2 log10 pow sin cos tan asin acos atan sinh cosh tanh asinh acosh "
    "atanh atan2 sigmoid floor_divide remainder fmod where"
).split():
    core.HEAVY[_name] = elements(1 << 15)


def _kernel_of(
    primitive: Primitive, inputs: Sequence[TensorCore], params: Mapping[str, Any]
) -> Kernel | None:
    """The kernel of a primitive for these inputs."""

    def function(*tensors: TensorCore) -> Any:
        return tensors[0].apply_primitive(primitive, tensors, params)

    return _kernel(primitive, tuple(params.items()), inputs, function)


TensorCore.kernel_of = staticmethod(_kernel_of)


# ---- functions of several operations --------------------------------------------------------


def unit(worth: Worth) -> Callable[[Function], Function]:
    """Let a function of tensors run as one kernel where ``worth`` says that it is heavy.

    The function takes tensors or None by position and plain settings by name, and does nothing
    but compose operations: no random numbers, no changes in place, nothing read from elsewhere.
    It stays the definition: small operands, traced ones and gradients of gradients run through
    it.  If it returns a tuple, gradients flow into the first entry only; let the others be
    detached.
    """

    def decorate(function: Function) -> Function:
        name = function.__name__.strip("_")
        op = Primitive(name, "composite", name, _no_rule, _no_rule, None, tuple, "")

        @functools.wraps(function)
        def run(*tensors: Any, **settings: Any) -> Any:
            if (
                state.eager_kernels
                and state.trace is None
                and state.watcher is None
                and worth(tensors, settings)
            ):
                result = _run_unit(op, function, tensors, settings)
                if result is not None:
                    return result
            return function(*tensors, **settings)

        return cast(Function, run)

    return decorate


Function = TypeVar("Function", bound=Callable[..., Any])


def _no_rule(*_: Any, **__: Any) -> Any:
    raise AssertionError("a composite is defined by its function")


def _run_unit(
    op: Primitive,
    function: Callable[..., Any],
    tensors: Sequence[TensorCore | None],
    settings: Mapping[str, Any],
) -> Any:
    """The recorded result of a unit's kernel; None if there is none."""
    composed = functools.partial(function, **settings) if settings else function
    kernel = _kernel(op, tuple(settings.items()), tensors, composed)
    result = None if kernel is None else kernel.run(tensors)
    if result is None or not state.grad_enabled:
        return result
    first = result[0] if isinstance(result, tuple) else result
    for tensor in tensors:
        if tensor is not None and tensor._requires_grad:
            first._requires_grad = True
            inputs = [t for t in tensors if t is not None]
            first._record = Record(op, inputs, settings, kernel)
            break
    return result
