"""The graph language: primitives, nodes, graphs.

A :class:`Node` is an immutable application of a :class:`Primitive` to other nodes.  Nodes are
interned: building the same application twice gives the same object, so common subexpressions
are shared for free and structural equality is ``is``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from pellucid.base.dtypes import DType, as_dtype
from pellucid.base.errors import GraphError
from pellucid.base.shapes import Shape, size_of


class Spec(NamedTuple):
    """What is known of a value before it exists: shape and dtype."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}"


class Sample(NamedTuple):
    """One example application of a primitive: input arrays (float64 where real) and parameters."""

    inputs: tuple[np.ndarray, ...]
    params: dict[str, Any] = {}
    second_order: bool = True
    """Whether second derivatives exist at this point (false at kinks)."""


class Applicable(Protocol):
    """What the gradient rules work on: nodes, and the tensors of floor 6."""

    @property
    def shape(self) -> Shape:
        """Extents of the axes."""

    @property
    def dtype(self) -> DType:
        """Element type."""

    def apply_primitive(
        self, primitive: Primitive, inputs: Sequence[Any], params: Mapping[str, Any]
    ) -> Any:
        """The value of ``primitive`` applied to ``inputs``."""

    def apply_results(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        params: Mapping[str, Any],
        outputs: Sequence[int],
    ) -> list[Any]:
        """Those results, by number, of a ``primitive`` with several."""

    def lift(self, array: np.ndarray) -> Any:
        """A constant in the same world."""


@dataclass(frozen=True, eq=False)
class Primitive:
    """Everything about one operation of the graph language, in one place.

    ``infer(*specs, **params) -> Spec`` is the shape and dtype rule and raises on bad input;
    ``evaluate(*arrays, **params) -> array`` the meaning, in NumPy;
    ``gradient(cotangent, output, *inputs, **params)`` returns one cotangent per input (None
    where none flows), written with other operations so that gradients have gradients;
    ``tangent`` says how a tangent is pushed forward (:mod:`pellucid.transforms.forward`) and
    ``batch`` how the operation is done for many rows at once (:mod:`pellucid.transforms.batch`),
    each by the name of a general rule or as a function;
    ``samples()`` gives inputs on which tests hold all of these against each other.
    """

    name: str
    family: str
    formula: str
    infer: Callable[..., Spec]
    evaluate: Callable[..., np.ndarray]
    gradient: Callable[..., Sequence[Any]] | None
    samples: Callable[[], Iterable[Sample]]
    reason: str = ""
    """Why this is a primitive and not composed of others."""
    results: Callable[..., dict[int, np.ndarray]] | None = None
    """Of an operation with several results, each a node of its own with the parameter ``output``:
    ``results(*arrays, outputs=numbers, **params)`` computes those asked for (None: all).  Its
    ``gradient`` is asked once for all results; see :mod:`pellucid.transforms.differentiate`."""
    host: bool = False
    """Whether compiled programs call its NumPy meaning back, since it has no native code.  It may
    raise errors of :mod:`pellucid.base.errors`, which then end the step."""
    tangent: str | Callable[..., Any] | None = None
    batch: str | Callable[..., Any] | None = None
    is_holomorphic: bool = False
    """Takes complex operands, and has a complex derivative, for which ``gradient`` is the rule as
    for real numbers: differentiation conjugates around it.  Operations that only move or add
    elements need no conjugates, and others that take complex operands have a rule of their own."""

    def __repr__(self) -> str:
        return f"Primitive({self.name})"


class Origin(NamedTuple):
    """Where a node came from: the path of the layer that made it, the user's source line, and
    whether it belongs to the layer's gradient."""

    layer: str = ""
    line: str = ""
    backward: bool = False

    @property
    def text(self) -> str:
        """``layer at line``; empty where nothing is known."""
        return " at ".join(filter(None, (self.layer, self.line)))


class _Origins(threading.local):
    """The layer path that nodes made now belong to, per thread."""

    layer: str = ""
    backward: bool = False
    line: Callable[[], str] | None = None
    inherited: Origin | None = None


_origins = _Origins()


def enter_layer(path: str) -> str:
    """Nodes made from now on belong to the layer ``path``; returns the one before, to go back."""
    before, _origins.layer = _origins.layer, path
    return before


@contextlib.contextmanager
def layer_scope(path: str) -> Iterator[None]:
    """Nodes made inside belong to the layer ``path``."""
    before = enter_layer(path)
    try:
        yield
    finally:
        enter_layer(before)


@contextlib.contextmanager
def backward_scope() -> Iterator[None]:
    """Nodes made inside belong to gradients."""
    before, _origins.backward = _origins.backward, True
    try:
        yield
    finally:
        _origins.backward = before


def current_layer() -> str:
    """Path of the layer whose code runs now, empty outside of any."""
    return _origins.layer


@contextlib.contextmanager
def inheriting() -> Iterator[Callable[[Node], None]]:
    """Inside, nodes made after ``inherit(node)`` get the origin of ``node``: they replace it."""

    def inherit(node: Node) -> None:
        _origins.inherited = node.origin

    before = _origins.inherited
    try:
        yield inherit
    finally:
        _origins.inherited = before


def set_line_source(source: Callable[[], str] | None) -> None:
    """Install the function that finds the user's source line for new nodes of this thread."""
    _origins.line = source


class Node:
    """One operation applied to other nodes; see the module's text.

    ``op`` is the primitive, ``inputs`` the nodes it is applied to, ``params`` its settings as a
    sorted tuple of pairs, ``shape``/``dtype`` what it gives.  ``origin`` takes no part in
    equality: the first place that built a node gives its name.
    """

    __slots__ = ("op", "inputs", "params", "shape", "dtype", "origin", "_key", "__weakref__")

    op: Primitive
    inputs: tuple[Node, ...]
    params: tuple[tuple[str, Hashable], ...]
    shape: Shape
    dtype: DType
    origin: Origin
    _key: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.spec}>"

    @property
    def spec(self) -> Spec:
        """Shape and dtype together."""
        return Spec(self.shape, self.dtype)

    @property
    def size(self) -> int:
        """Number of elements."""
        return size_of(self.shape)

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters as a dictionary."""
        return dict(self.params)

    def apply_primitive(
        self, primitive: Primitive, inputs: Sequence[Node], params: Mapping[str, Any]
    ) -> Node:
        """The node for ``primitive`` applied to ``inputs``; part of :class:`Applicable`."""
        return make_node(primitive, inputs, params)

    def apply_results(
        self,
        primitive: Primitive,
        inputs: Sequence[Node],
        params: Mapping[str, Any],
        outputs: Sequence[int],
    ) -> list[Node]:
        """The nodes for several results of one application."""
        return [make_node(primitive, inputs, {**params, "output": k}) for k in outputs]

    @property
    def group(self) -> Hashable:
        """The same for all results of one application; None for operations with one result."""
        if self.op.results is None:
            return None
        shared = tuple(p for p in self.params if p[0] != "output")
        return (self.op, shared, tuple(id(n) for n in self.inputs))

    def result(self, number: int) -> Node:
        """Another result of the same application."""
        return make_node(self.op, self.inputs, {**self.settings, "output": number})

    def lift(self, array: np.ndarray) -> Node:
        """A constant node with this value."""
        return constant(array)


_interned: weakref.WeakValueDictionary[tuple[Any, ...], Node] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _kind(value: Any) -> Any:
    """What tells apart settings that Python takes for equal: 1, 1.0 and True, 0.0 and −0.0."""
    return value.hex() if value.__class__ is float and not value else value.__class__


def make_node(
    op: Primitive, inputs: Sequence[Node], params: Mapping[str, Any], spec: Spec | None = None
) -> Node:
    """The interned node for ``op`` applied to ``inputs`` with ``params``.

    Shape and dtype come from the primitive's rule, which raises on bad input.
    """
    settings = tuple(sorted(params.items()))
    kinds = tuple([_kind(value) for _, value in settings])
    key = (op, settings, kinds, tuple(id(n) for n in inputs))
    with _lock:
        found = _interned.get(key)
    if found is not None:
        return found
    result = spec or op.infer(*(n.spec for n in inputs), **params)
    node = Node.__new__(Node)
    node.op, node.inputs, node.params = op, tuple(inputs), settings
    node.shape, node.dtype = result.shape, result.dtype
    node.origin = _origins.inherited or Origin(
        _origins.layer, _origins.line() if _origins.line else "", _origins.backward
    )
    node._key = key
    with _lock:
        return _interned.setdefault(key, node)


def with_operands(node: Node, operands: Sequence[Node]) -> Node:
    """The node's operation applied to other operands."""
    before = zip(node.inputs, operands, strict=True)
    if all(a.shape == b.shape and a.dtype is b.dtype for a, b in before):
        return make_node(node.op, operands, node.settings, node.spec)
    return make_node(node.op, operands, node.settings)


def unshared(node: Node) -> Node:
    """The same application as a node of its own, which nothing else refers to."""
    twin = Node.__new__(Node)
    for name in ("op", "inputs", "params", "shape", "dtype", "origin", "_key"):
        setattr(twin, name, getattr(node, name))
    return twin


def _no_samples() -> Iterable[Sample]:
    return ()


def _infer_leaf(*, shape: Shape, dtype: DType, **_: Any) -> Spec:
    return Spec(shape, dtype)


def _evaluate_input(**_: Any) -> np.ndarray:
    raise GraphError(
        "an input has no value of its own", "pass a value for every input of the graph"
    )


def _evaluate_constant(*, data: bytes, shape: Shape, dtype: DType) -> np.ndarray:
    return np.frombuffer(data, dtype.numpy).reshape(shape)


INPUT = Primitive(
    "input", "leaf", "x", _infer_leaf, _evaluate_input, None, _no_samples, "values from outside"
)
CONSTANT = Primitive(
    "constant",
    "leaf",
    "c",
    _infer_leaf,
    _evaluate_constant,
    None,
    _no_samples,
    "values known early",
)

_serial = iter(range(1 << 62))


def new_input(spec: Spec, name: str = "") -> Node:
    """A fresh input, different from every other node."""
    params = {"shape": spec.shape, "dtype": spec.dtype, "name": name, "serial": next(_serial)}
    return make_node(INPUT, (), params, spec)


def placeholder(spec: Spec, position: int) -> Node:
    """The input that stands at ``position`` in every body of a loop: equal ones are one node."""
    params = {"shape": spec.shape, "dtype": spec.dtype, "name": f"x{position}", "serial": -1}
    return make_node(INPUT, (), params, spec)


def constant(array: np.ndarray) -> Node:
    """A node with a value that is part of the program; meant for numbers and small tables."""
    params = {"data": array.tobytes(), "shape": tuple(array.shape), "dtype": as_dtype(array.dtype)}
    return make_node(CONSTANT, (), params)


def constant_value(node: Node) -> np.ndarray:
    """The array of a constant node."""
    return _evaluate_constant(**node.settings)


@dataclass(frozen=True)
class Graph:
    """Inputs, outputs and, through them, every node between.

    ``aliases`` says which output is written over which input in place: the new value of a
    parameter over the old one.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    aliases: Mapping[int, int] = field(default_factory=dict)
    """Output position → input position."""

    def nodes(self) -> list[Node]:
        """All nodes that the outputs need, operands before users."""
        return list(self._nodes)

    @functools.cached_property
    def _nodes(self) -> list[Node]:
        return topological(self.outputs)


def topological(outputs: Iterable[Node]) -> list[Node]:
    """Nodes reachable from ``outputs``, operands first; iterative, so depth is no limit."""
    order: list[Node] = []
    done: set[int] = set()
    stack: list[tuple[Node, Iterator[Node]]] = []
    for output in outputs:
        if id(output) in done:
            continue
        done.add(id(output))
        stack.append((output, iter(output.inputs)))
        while stack:
            node, waiting = stack[-1]
            for operand in waiting:
                if id(operand) not in done:
                    done.add(id(operand))
                    stack.append((operand, iter(operand.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def consumers(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node the nodes that use it, in order (a user twice if it uses it twice)."""
    listed = list(nodes)
    users: dict[Node, list[Node]] = {node: [] for node in listed}
    for node in listed:
        for operand in node.inputs:
            users[operand].append(node)
    return users
