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
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.errors import (
    ArgumentError,
    CompilationError,
    GraphError,
    PellucidError,
    TraceError,
)
from pellucid.base.shapes import size_of
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
from pellucid.tensor.core import Record, TensorCore, changed_since
from pellucid.tensor.native import Layout, NativeFunction, layout_of, stored_array, stored_input
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import Trace
from pellucid.transforms.differentiate import apply_rule

SIGNATURES_OF_ONE_KIND = 24
"""Kernels for calls that differ in the first operand's shape only, such as sequences of many
lengths; further shapes are left to NumPy, because compiling for each would cost more."""
SIGNATURES_OF_ONE_UNIT = 256
KEPT_KERNELS = 1024
"""Kernels kept in this process; older ones are loaded again when they are needed."""


# ---- a function as graphs -------------------------------------------------------------------


@contextmanager
def _tracing() -> Iterator[Trace]:
    before, state.trace = state.trace, Trace()
    try:
        yield state.trace
    finally:
        state.trace = before


class Kernel:
    """A function of tensors at one signature: native programs for its value and its gradient.

    ``function(*tensors)`` is the composition of primitives that defines it; a result that is a
    tuple has its gradient in the first entry, the others count as constants.
    """

    __slots__ = ("_backward", "_dtypes", "_forward", "_function", "_layouts", "_several", "_specs")

    def __init__(
        self,
        function: Callable[..., Any],
        specs: Sequence[Spec],
        layouts: Sequence[Layout | None],
    ) -> None:
        self._function = function
        self._specs = specs
        self._layouts = layouts
        self._backward: dict[Any, tuple[NativeFunction, list[int], list[int | None]]] = {}
        with _tracing() as trace, set_grad_enabled(False):
            stored, arguments = self._arguments(trace)
            result = function(*arguments)
            self._several = isinstance(result, tuple)
            nodes = tuple(_pure(trace, t) for t in (result if self._several else (result,)))
        self._dtypes = [node.dtype for node in nodes]
        self._forward = NativeFunction(Graph(tuple(stored), nodes))

    def _arguments(self, trace: Trace) -> tuple[list[Node], list[TensorCore]]:
        """Input nodes for the stored arrays, and the symbolic tensors that stand for them."""
        stored, arguments = [], []
        for spec, layout in zip(self._specs, self._layouts, strict=True):
            node, seen = stored_input(spec, layout)
            stored.append(node)
            arguments.append(TensorCore.make(Cell(None, node=seen, trace=trace)))
        return stored, arguments

    def run(self, tensors: Sequence[TensorCore]) -> Any:
        """The value, not recorded yet; None if an index is out of range: NumPy says where."""
        held = [tensor.array() for tensor in tensors]  # alive until the call is over
        layouts = self._layouts
        addresses = [
            tensor._cell._pointer or _address(held[i], layouts[i], held)
            for i, tensor in enumerate(tensors)
        ]
        try:
            arrays = self._forward(addresses)
        except ArgumentError:
            return None
        if not self._several:
            return TensorCore.make(Cell(arrays[0], self._dtypes[0]))
        return tuple(TensorCore.make(Cell(a, d)) for a, d in zip(arrays, self._dtypes, strict=True))

    def cotangents(self, record: Record, cotangent: TensorCore, value: TensorCore) -> Sequence[Any]:
        """Cotangents of the inputs from that of the value."""
        inputs = record.inputs
        watched = state.watcher is not None and not state.watcher.takes_units
        if not (watched or state.trace or state.grad_enabled) and state.eager_kernels:
            found = self._pull(record, inputs, cotangent, value)
            if found is not None:
                return found
        if record.op.gradient is not None:
            return apply_rule(record, cotangent, value)
        with set_grad_enabled(True):
            again = self._function(*inputs)
        return gradients_at(again[0] if self._several else again, cotangent, inputs)

    def _pull(
        self,
        record: Record,
        inputs: Sequence[TensorCore],
        cotangent: TensorCore,
        value: TensorCore,
    ) -> list[Any] | None:
        """The same by the native program; None if an index is out of range."""
        needs = tuple([t._requires_grad for t in inputs])
        cell = cotangent._cell
        layout = None if cell.pointer else layout_of(cotangent.array())
        key = (needs, layout)
        found = self._backward.get(key)
        if found is None:
            found = self._backward[key] = self._differentiated(needs, value._cell, layout)
        program, operands, places = found
        if len(inputs) in operands and value._cell.age != record.result_age:
            raise changed_since(value._cell, record)
        tensors = [*inputs, value, cotangent]
        layouts = [*self._layouts, None, layout]
        held = [tensors[i].array() for i in operands]
        addresses = [
            tensors[i]._cell._pointer or _address(held[k], layouts[i], held)
            for k, i in enumerate(operands)
        ]
        try:
            arrays = program(addresses)
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
        with _tracing() as trace:
            stored, arguments = self._arguments(trace)
            for argument, needed in zip(arguments, needs, strict=True):
                argument._requires_grad = needed
            known, out = stored_input(spec, None)
            given, seen = stored_input(spec, layout)
            cotangent: TensorCore = TensorCore.make(Cell(None, node=seen, trace=trace))
            with set_grad_enabled(True):
                result = self._function(*arguments)
            result = result[0] if self._several else result
            with set_grad_enabled(False):
                found = gradients_at(result, cotangent, arguments)
            nodes = [None if t is None else _pure(trace, t) for t in found]
            made = _pure(trace, result)
        inputs = [*stored, known, given]
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


def _address(array: np.ndarray, layout: Layout | None, held: list[np.ndarray]) -> int:
    """Address of the stored array of an operand, which is added to ``held``."""
    stored = stored_array(array, layout)
    held.append(stored)
    return int(stored.__array_interface__["data"][0])


def _pure(trace: Trace, tensor: TensorCore) -> Node:
    """The node of a traced value; raises if the trace read anything but its arguments."""
    if trace.cells or trace.hosts or trace.current or trace.gradients:
        raise TraceError(
            "a unit of eager mode reads more than its arguments or changes something",
            "leave out its decorator",
        )
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

    def keep(self, key: Any, kernel: Kernel | None) -> None:
        """Remember a kernel, or that there is none; the oldest is forgotten when there are many."""
        self.kernels[key] = kernel
        while len(self.kernels) > KEPT_KERNELS:
            del self.kernels[next(iter(self.kernels))]

    def clear(self) -> None:
        """Forget all kernels, and what was admitted."""
        with self.lock:
            self.kernels.clear()
            self.admitted.clear()


_table = _Table()
register_cache("eager kernels", _table.clear)


def _after_fork_in_child() -> None:
    _table.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _kernel(
    name: str,
    settings: tuple[Any, ...],
    tensors: Sequence[TensorCore],
    function: Callable[[], Callable[..., Any]],
) -> Kernel | None:
    """The kernel for this call, made if it is new; None where NumPy has to do."""
    parts: list[Any] = [name, settings]
    for tensor in tensors:
        cell = tensor._cell
        parts.append(cell.shape)
        parts.append(cell.dtype)
        if not cell._pointer and not cell.pointer:
            parts.append(layout_of(tensor.array()))
    key = tuple(parts)
    try:
        return _table.kernels[key]
    except KeyError:
        pass
    except TypeError:  # a setting without a hash
        return None
    with _table.lock:
        if key not in _table.kernels:
            # Those of one kind differ in the first operand's shape.
            kind = (*key[:2], *key[3:], len(tensors[0]._cell.shape))
            found = _made(name, tensors, function()) if _table.admits(name, kind, key) else None
            _table.keep(key, found)
        return _table.kernels[key]


def _made(name: str, tensors: Sequence[TensorCore], function: Callable[..., Any]) -> Kernel | None:
    """A new kernel; None where the definition has to say what is wrong."""
    specs = [Spec(t._cell.shape, t._cell.dtype) for t in tensors]
    layouts = [None if t._cell.pointer else layout_of(t.array()) for t in tensors]
    try:
        return Kernel(function, specs, layouts)
    except CompilationError as error:
        warnings.warn(
            f"{name} could not be compiled and runs by its NumPy definition: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
    except PellucidError:
        pass
    return None


# ---- primitives -----------------------------------------------------------------------------

Worth = Callable[[Sequence[Any], Mapping[str, Any]], bool]
"""Whether a primitive with these operands and parameters is heavy."""


def elements(least: int) -> Worth:
    """Heavy when an operand has at least so many elements."""

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        for tensor in tensors:
            if tensor.array().size >= least:
                return True
        return False

    return is_heavy


def products(least: int, columns: int = -1) -> Worth:
    """Heavy when a matrix product has at least so many multiplications.

    The second operand's axis ``columns`` is that of the result's columns.
    """

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        first, second = tensors[0].array(), tensors[1].array()
        return second.ndim > 1 and bool(first.size * second.shape[columns] >= least)

    return is_heavy


def convolutions(least: int) -> Worth:
    """Heavy when elements of input and weight multiply to so many."""

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        return bool(tensors[0].array().size * tensors[1].array().size >= least)

    return is_heavy


def _drawn(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
    return size_of(params["shape"]) >= 1 << 13


core.HEAVY["matmul"] = products(1 << 20)
core.HEAVY["convolution"] = convolutions(1 << 18)
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

    return _kernel(primitive.name, tuple(params.items()), inputs, lambda: function)


def _run_results(
    primitive: Primitive,
    inputs: Sequence[TensorCore],
    params: Mapping[str, Any],
    outputs: Sequence[int] | None,
) -> dict[int, Cell] | None:
    """Results of a loop by its kernel; None if there is none."""
    body = params["body"]
    numbers = tuple(range(body.carries + len(body.outputs)) if outputs is None else outputs)

    def function(*tensors: TensorCore) -> Any:
        return tuple(tensors[0].apply_results(primitive, tensors, params, numbers))

    settings = (numbers, *params.items())
    kernel = _kernel(primitive.name, settings, inputs, lambda: function)
    made = None if kernel is None else kernel.run(inputs)
    return None if made is None else {k: t._cell for k, t in zip(numbers, made, strict=True)}


def _looped(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
    return bool(sum(tensor.array().size for tensor in tensors) >= 1 << 13)


core.HEAVY["scan"] = _looped
TensorCore.kernel_of = staticmethod(_kernel_of)
TensorCore.run_results = staticmethod(_run_results)


# ---- functions of several operations --------------------------------------------------------

Function = TypeVar("Function", bound=Callable[..., Any])
_TENSOR = object()
"""Stands for a tensor in the settings of a call."""


def unit(worth: Worth) -> Callable[[Function], Function]:
    """Let a function of tensors run as one kernel where ``worth`` says that it is heavy.

    The function does nothing but compose operations: no random numbers, no changes in place,
    nothing read from elsewhere, no decision on a value.  Arguments that are not tensors must
    have a hash; lists are taken as tuples.  The function stays the definition: small operands,
    traced ones, wrong ones and gradients of gradients run through it.  If it returns a tuple,
    gradients flow into the first entry only; let the others be detached.
    """

    def decorate(function: Function) -> Function:
        name = function.__name__.strip("_")
        op = Primitive(name, "composite", name, _no_rule, _no_rule, None, tuple, "")

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            watcher = state.watcher
            usable = state.eager_kernels and state.trace is None and state.autocast is None
            if usable and (watcher is None or watcher.takes_units):
                result = _run_unit(op, worth, function, args, kwargs)
                if result is not None:
                    return result
            return function(*args, **kwargs)

        return cast(Function, run)

    return decorate


def _no_rule(*_: Any, **__: Any) -> Any:
    raise GraphError("a unit of eager mode is no primitive", "call the function that it is")


def _filled(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[..., Any]:
    """``function`` of its tensors alone; does not keep those of this call alive."""
    positional = [_TENSOR if isinstance(a, TensorCore) else a for a in args]
    named = {n: _TENSOR if isinstance(a, TensorCore) else a for n, a in kwargs.items()}

    def composed(*tensors: TensorCore) -> Any:
        values = iter(tensors)
        filled = [next(values) if a is _TENSOR else a for a in positional]
        return function(
            *filled, **{n: next(values) if a is _TENSOR else a for n, a in named.items()}
        )

    return composed


def _run_unit(
    op: Primitive,
    worth: Worth,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The recorded result of a unit's kernel; None if there is none."""
    tensors = [a for a in args if isinstance(a, TensorCore)]
    if kwargs:
        tensors += [a for a in kwargs.values() if isinstance(a, TensorCore)]
    if not tensors or not worth(tensors, kwargs):
        return None
    settings: list[Any] = [*kwargs]
    for value in (*args, *kwargs.values()):
        if isinstance(value, TensorCore):
            settings.append(_TENSOR)
        else:
            settings.append(value.__class__)
            settings.append(tuple(value) if isinstance(value, list) else value)

    kernel = _kernel(op.name, tuple(settings), tensors, lambda: _filled(function, args, kwargs))
    result = None if kernel is None else kernel.run(tensors)
    if result is None:
        return None
    first = result[0] if isinstance(result, tuple) else result
    if state.grad_enabled:
        _record(first, op, tensors, kernel)
    if state.watcher is not None:
        for made in result if isinstance(result, tuple) else (result,):
            state.watcher.operation(op, tensors, {}, made)
    return result


def _record(
    first: TensorCore, op: Primitive, tensors: Sequence[TensorCore], kernel: Kernel | None
) -> None:
    """Put the first result of a unit on the tape, if an input requires gradients."""
    for tensor in tensors:
        if tensor._requires_grad:
            first._requires_grad = True
            first._record = Record(op, tensors, {}, kernel, first._cell)
            break
