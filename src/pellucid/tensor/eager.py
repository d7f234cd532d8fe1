"""Eager mode's native kernels: heavy operations outside of ``compile`` as cached programs.

Every operation has its NumPy definition, and small work is best done by it at once.  Heavy work
goes to a *kernel*: the operation, or a function of several operations marked with :func:`unit`, as
one compiled graph for these shapes, with another one for its gradient, or without a graph by what
serves every shape (:mod:`pellucid.tensor.general`).  Nothing changes but speed and the last digits:
values exist at once, hooks, layer names and second derivatives work as ever.

Whether a kernel is used follows from shapes, dtypes and settings alone, never from how often
something ran, what ran before it or what the disk's cache holds, so that equal programs give equal
bits.  Kernels are found by the operation itself, not by its name: two functions that share a name
share nothing else.
"""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.dtypes import DType, as_dtype
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
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.general import General
from pellucid.tensor.native import Layout, NativeFunction, layout_of, stored_array, stored_input
from pellucid.tensor.state import Cell, state
from pellucid.tensor.trace import Trace
from pellucid.transforms.differentiate import apply_rule

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


Made = TensorCore | tuple[TensorCore, ...] | None
"""What a kernel makes."""


class Kernel:
    """A function of tensors at one signature, its value and its gradient computed at once.

    ``function(*tensors)`` is the composition of primitives that defines it; a result that is a
    tuple has its gradient in the first entry, the others count as constants.
    """

    __slots__ = ("_function", "_several")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._several = False

    def run(self, tensors: Sequence[TensorCore]) -> Made:
        """The value, not recorded yet; None if an index is out of range: NumPy says where."""
        raise NotImplementedError

    def pull(
        self,
        record: Record,
        inputs: Sequence[TensorCore],
        cotangent: TensorCore,
        value: TensorCore,
    ) -> Sequence[Any] | None:
        """Cotangents of the inputs; None if an index is out of range."""
        raise NotImplementedError

    def cotangents(self, record: Record, cotangent: TensorCore, value: TensorCore) -> Sequence[Any]:
        """Cotangents of the inputs from that of the value."""
        inputs = record.inputs
        watched = state.watcher is not None and not state.watcher.takes_units
        if not (watched or state.trace or state.grad_enabled) and state.eager_kernels:
            found = self.pull(record, inputs, cotangent, value)
            if found is not None:
                return found
        if record.op.gradient is not None:
            record.check_rule(value)
            return apply_rule(record, cotangent, value)
        record.check_inputs_unchanged(value)
        with set_grad_enabled(True):
            again = self._function(*inputs)
        return gradients_at(again[0] if self._several else again, cotangent, inputs)


class CompiledKernel(Kernel):
    """A function as native programs made for this signature."""

    __slots__ = ("_backward", "_dtypes", "_forward", "_layouts", "_specs")

    def __init__(
        self,
        function: Callable[..., Any],
        specs: Sequence[Spec],
        layouts: Sequence[Layout | None],
    ) -> None:
        super().__init__(function)
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

    def run(self, tensors: Sequence[TensorCore]) -> Made:
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

    def pull(
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
        record.check_read(inputs, value, operands)
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


class GeneralKernel(Kernel):
    """A function that what serves every shape computes (:mod:`pellucid.tensor.general`)."""

    __slots__ = ("_general",)

    def __init__(self, function: Callable[..., Any], general: General) -> None:
        super().__init__(function)
        self._general = general

    def run(self, tensors: Sequence[TensorCore]) -> Made:
        """The value, not recorded yet."""
        results = self._general.forward([t.array() for t in tensors])
        made = tuple(TensorCore.make(Cell(a, as_dtype(a.dtype))) for a in results)
        self._several = len(made) > 1
        return made if self._several else made[0]

    def pull(
        self,
        record: Record,
        inputs: Sequence[TensorCore],
        cotangent: TensorCore,
        value: TensorCore,
    ) -> Sequence[Any]:
        """Cotangents of the inputs."""
        needs = [t._requires_grad for t in inputs]
        record.check_read(inputs, value, self._general.operands(needs))
        arrays = [t.array() for t in inputs]
        found = self._general.backward(arrays, cotangent.array(), needs)
        return [
            None if array is None else TensorCore.make(Cell(array, t._cell.dtype))
            for array, t in zip(found, inputs, strict=True)
        ]


# ---- the table ------------------------------------------------------------------------------


class _Table:
    """Kernels by signature."""

    def __init__(self) -> None:
        self.kernels: dict[Any, Kernel | None] = {}
        self.lock = threading.RLock()

    def keep(self, key: Any, kernel: Kernel | None) -> None:
        """Remember a kernel, or that there is none; the oldest is forgotten when there are many."""
        with self.lock:
            self.kernels[key] = kernel
            while len(self.kernels) > KEPT_KERNELS:
                del self.kernels[next(iter(self.kernels))]

    def clear(self) -> None:
        """Forget all kernels; they are made again when they are needed."""
        with self.lock:
            self.kernels.clear()


_table = _Table()
register_cache("eager kernels", _table.clear)


def _after_fork_in_child() -> None:
    _table.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def exact(value: Any) -> Any:
    """A key for a setting: equal only for values of one class that no operation can tell apart.

    Python's equality takes 1, 1.0 and True for one key, and 0.0 and −0.0; NaN equals nothing.
    """
    kind = value.__class__
    if kind is tuple or kind is list:
        return (tuple, *map(exact, value))
    if isinstance(value, (float, np.floating)) and (not value or value != value):
        return (kind, repr(value))
    return (kind, value)


def _kernel(
    op: Primitive,
    settings: tuple[Any, ...],
    tensors: Sequence[TensorCore],
    function: Callable[[], Callable[..., Any]],
    general: Callable[[], General | None] = lambda: None,
) -> Kernel | None:
    """The kernel for this call, made if it is new; None where NumPy has to do.

    ``general()`` says whether what serves every shape computes it.
    """
    parts: list[Any] = [op, settings]
    for tensor in tensors:
        cell = tensor._cell
        if cell.dtype.is_complex:  # which NumPy computes
            return None
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
            found = general()
            if found is not None:
                _table.keep(key, GeneralKernel(function(), found))
            else:
                _table.keep(key, _made(op.name, tensors, function()))
        return _table.kernels[key]


def _made(name: str, tensors: Sequence[TensorCore], function: Callable[..., Any]) -> Kernel | None:
    """A new kernel; None where the definition has to say what is wrong."""
    specs = [Spec(t._cell.shape, t._cell.dtype) for t in tensors]
    layouts = [None if t._cell.pointer else layout_of(t.array()) for t in tensors]
    try:
        return CompiledKernel(function, specs, layouts)
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


def is_regular(extent: int) -> bool:
    """Whether an axis has one of the extents that get kernels of their own: those that need at
    most 8 binary digits in front of zeros, so all up to 256, even ones up to 512, and so on.

    Sequences and images of ever-changing sizes would otherwise have native code made for each.
    """
    return extent <= 256 or extent // (extent & -extent) < 256


def elements(least: int) -> Worth:
    """Heavy when an operand has at least so many elements.

    For functions whose native code is one text for all extents, so that a new one costs little.
    """

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        for tensor in tensors:
            if tensor.array().size >= least:
                return True
        return False

    return is_heavy


def rows(least: int, much: int = 1 << 20) -> Worth:
    """Heavy when an operand has at least so many elements, for loops over whole rows.

    Their code depends on the inner extents: if those of the first operand are not regular it
    takes ``much``, so many elements that a kernel is worth having for one shape.
    """
    many = elements(least)

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        if not many(tensors, params):
            return False
        first = tensors[0].array()
        return bool(first.size >= much or all(map(is_regular, first.shape[1:])))

    return is_heavy


def products(least: int, columns: int = -1, much: int = 1 << 26) -> Worth:
    """Heavy when a matrix product has at least so many multiplications.

    The second operand's axis ``columns`` is that of the result's columns.  Products of an
    irregular number of rows are left to NumPy's library up to ``much``: it is nearly as fast.
    """

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        first, second = tensors[0].array(), tensors[1].array()
        if second.ndim < 2:
            return False
        work = first.size * second.shape[columns]
        return bool(work >= much or (work >= least and all(map(is_regular, first.shape[:-1]))))

    return is_heavy


def convolutions(least: int, much: int = 1 << 20) -> Worth:
    """Heavy when elements of input and weight multiply to so many; ``much`` if the input has
    irregular extents."""

    def is_heavy(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
        first = tensors[0].array()
        work = first.size * tensors[1].array().size
        return bool(work >= much or (work >= least and all(map(is_regular, first.shape))))

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

    settings = tuple([(name, exact(value)) for name, value in params.items()])
    return _kernel(primitive, settings, inputs, lambda: function)


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
    kernel = _kernel(primitive, settings, inputs, lambda: function)
    made = None if kernel is None else kernel.run(inputs)
    if not isinstance(made, tuple):
        return None
    return {k: t._cell for k, t in zip(numbers, made, strict=True)}


def _looped(tensors: Sequence[Any], params: Mapping[str, Any]) -> bool:
    return bool(sum(tensor.array().size for tensor in tensors) >= 1 << 13)


core.HEAVY["scan"] = _looped
TensorCore.kernel_of = staticmethod(_kernel_of)
TensorCore.run_results = staticmethod(_run_results)


# ---- functions of several operations --------------------------------------------------------

Function = TypeVar("Function", bound=Callable[..., Any])
_TENSOR = object()
"""Stands for a tensor in the settings of a call."""


def unit(
    worth: Worth, general: Callable[..., General | None] | None = None
) -> Callable[[Function], Function]:
    """Let a function of tensors run as one kernel where ``worth`` says that it is heavy.

    The function does nothing but compose operations: no random numbers, no changes in place,
    nothing read from elsewhere, no decision on a value.  Arguments that are not tensors must
    have a hash; lists are taken as tuples.  The function stays the definition: small operands,
    traced ones, wrong ones and gradients of gradients run through it.  If it returns a tuple,
    gradients flow into the first entry only; let the others be detached.

    ``general``, called with the same arguments, says from shapes, dtypes and settings alone whether
    the call needs no kernel of its own (:mod:`pellucid.tensor.general`); what it returns gets the
    arrays of the tensor arguments in their order.

    What the function takes from a function around it may be numbers, text, None and tuples of
    these: they belong to the signature.  Raises ``ArgumentError`` for anything else.
    """

    def decorate(function: Function) -> Function:
        name = function.__name__.strip("_")
        op = Primitive(name, "composite", name, _no_rule, _no_rule, None, tuple, "")
        _refuse_objects(function)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            watcher = state.watcher
            usable = state.eager_kernels and state.trace is None and state.autocast is None
            if usable and (watcher is None or watcher.takes_units):
                result = _run_unit(op, worth, function, general, args, kwargs)
                if result is not None:
                    return result
            return function(*args, **kwargs)

        run.__dict__["unit"] = op
        return cast(Function, run)

    return decorate


_PLAIN = (bool, int, float, str, bytes, type(None), DType)


def _is_plain(value: Any) -> bool:
    """Whether a value can never change, so that it can be part of a signature."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _captured(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Names and values of what a function takes from the functions around it."""
    found = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not assigned yet
            found.append((name, cell.cell_contents))
    return found


def _refuse_objects(function: Callable[..., Any]) -> None:
    """Raise where a unit reads an object that may change behind its kernel."""
    for name, value in _captured(function):
        if not _is_plain(value):
            raise ArgumentError(
                f"a unit of eager mode, {function.__name__}, reads {name} from outside, a "
                f"{type(value).__name__}",
                "pass it as an argument; from outside may come numbers, text and tuples of them",
            )


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
    general: Callable[..., General | None] | None,
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
        settings.append(_TENSOR if isinstance(value, TensorCore) else exact(value))
    if function.__closure__:
        outside = _captured(function)
        if not all(_is_plain(value) for _, value in outside):
            return None
        settings.extend((name, exact(value)) for name, value in outside)

    kernel = _kernel(
        op,
        tuple(settings),
        tensors,
        lambda: _filled(function, args, kwargs),
        lambda: None if general is None else general(*args, **kwargs),
    )
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
        if tensor.requires_grad:
            first._requires_grad = True
            first._record = Record(op, tensors, {}, first._cell, kernel)
            break
