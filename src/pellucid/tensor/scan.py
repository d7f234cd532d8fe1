"""``scan``: a loop over time with a state that each step passes to the next."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from pellucid.graph.node import Node, Spec
from pellucid.ops import elementwise
from pellucid.ops import scan_body as graphs
from pellucid.ops.scan_body import history_rows, make_body, rows
from pellucid.ops.scan_gradient import with_residuals
from pellucid.ops.scan_split import split_scan
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import from_numpy
from pellucid.tensor.scan_trace import BodyTrace
from pellucid.tensor.state import state
from pellucid.tensor.trees import flatten, rebuild
from pellucid.transforms.differentiate import vector_jacobian

Body = Callable[[Any, Any], tuple[Any, Any]]


def scan(
    body: Body,
    initial: Any,
    inputs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Run ``body`` once for each time step, each step starting from the state the last one left.

    .. code-block:: python

        carry = initial
        for t in range(T):                     # from T - 1 down to 0 with reverse=True
            carry, y[t] = body(carry, inputs[t])
        return carry, y

    ``body(carry, x)`` returns the pair ``(next carry, y)``.  ``carry``, ``x`` and ``y`` are trees
    of tensors: a tensor, ``None``, or tuples, lists and dicts of such.

    Args:
        body: one step. It sees tensors, may use any tensor from outside (parameters get their
            gradients), and must not change tensors from outside in place.
        initial: the carry before the first step. Each step must return a carry of the same
            tree, shapes and dtypes.
        inputs: tree of tensors of shape (T, ...), time first; step ``t`` gets each one's slice
            (...) at ``t``. Without inputs ``x`` is ``None`` and ``length`` gives T.
        length: T, if there are no inputs to tell it; otherwise it must agree with them.
        reverse: start at the last step and end at the first; ``y`` stays in the order of the
            inputs.

    Returns:
        ``(final carry, ys)``: the carry after the last step, and the ``y`` of all steps stacked
        along a new first axis: shapes (T, ...).

    The function is that of ``jax.lax.scan`` (Bradbury et al., 2018).  Recurrent layers are built
    on it; an exponential moving average in it is

    >>> import pellucid
    >>> def smooth(mean, x):
    ...     mean = 0.5 * mean + 0.5 * x
    ...     return mean, mean
    >>> last, means = pellucid.scan(smooth, pellucid.zeros(()), pellucid.tensor([4.0, 2.0, 8.0]))
    >>> means
    tensor([2., 2., 5.])

    Raises:
        ShapeError: inputs of unequal lengths, no steps at all, or a carry whose shape changes.
        DTypeError: a carry whose dtype changes.
        ArgumentError: a body that returns no pair, a carry whose tree changes, or leaves that
            are no tensors.
    """
    carry_tree, carry = _leaves(initial, "the initial carry")
    input_tree, columns = _leaves(inputs, "inputs")
    steps = _steps(columns, length)
    step = _Step(body, (carry_tree, carry), (input_tree, columns))
    return step.loop(steps, bool(reverse))


def scan_again(
    key: Hashable,
    body: Body,
    initial: Any,
    inputs: Any,
    captured: Sequence[TensorCore],
    reverse: bool = False,
) -> tuple[Any, Any]:
    """As :func:`scan`, for a body that is traced once for all calls that look alike.

    For layers, whose body is the same function whenever ``key``, shapes, dtypes and modes are.  It
    may read the tensors ``captured`` and nothing else from outside, and change nothing there.
    """
    carry_tree, carry = _leaves(initial, "the initial carry")
    input_tree, columns = _leaves(inputs, "inputs")
    steps = _steps(columns, None)
    step = _known_step(key, body, (carry_tree, carry), (input_tree, columns), captured)
    return step.loop(steps, bool(reverse))


KNOWN_STEPS = 64
_known: dict[Hashable, tuple[_Step, list[int]]] = {}
"""Steps of layers that were traced outside of programs, and which captured tensors they read."""
register_cache("steps of recurrent layers", _known.clear)


def _known_step(
    key: Hashable,
    body: Body,
    initial: tuple[Any, list[TensorCore]],
    inputs: tuple[Any, list[TensorCore]],
    captured: Sequence[TensorCore],
) -> _Step:
    """A step traced before, with the tensors of this call, or one that is traced now."""
    if state.trace is not None or state.watcher is not None:
        return _Step(body, initial, inputs)
    first = [next(j for j, c in enumerate(captured) if c is t) for t in captured]
    specs = [(tuple(t.shape), t.dtype) for t in (*initial[1], *inputs[1], *captured)]
    modes = (state.grad_enabled, state.autocast, tuple(t.requires_grad for t in captured))
    look = (key, len(initial[1]), len(inputs[1]), tuple(specs), tuple(first), modes)
    known = _known.get(look)
    if known is not None:
        step, places = known
        return step.again(initial[1], inputs[1], [captured[p] for p in places])
    step = _Step(body, initial, inputs)
    read = [tensor for tensor, _ in step.captured]
    if not step.changed and not step.seen and all(any(t is c for c in captured) for t in read):
        places = [next(j for j, c in enumerate(captured) if c is t) for t in read]
        _known[look] = step.again([], [], [None] * len(read)), places
        while len(_known) > KNOWN_STEPS:
            _known.pop(next(iter(_known)), None)
    return step


class _Step:
    """One step of a loop, traced: the graph of it, and what stands for its operands."""

    def __init__(
        self,
        body: Body,
        initial: tuple[Any, list[TensorCore]],
        inputs: tuple[Any, list[TensorCore]],
    ) -> None:
        self.carry_tree, self.carry = initial
        self.columns = inputs[1]
        trace = BodyTrace(state.trace)
        h = [trace.add_argument(Spec(t.shape, t.dtype), "carry") for t in self.carry]
        x = [trace.add_argument(Spec(tuple(t.shape[1:]), t.dtype), "x") for t in self.columns]
        self.h = [trace.node_of_tensor(t) for t in h]
        self.x = [trace.node_of_tensor(t) for t in x]
        arguments = rebuild(self.carry_tree, iter(h)), rebuild(inputs[0], iter(x))
        following, self.y_tree, y = trace.run(
            lambda *a: _checked_step(body, initial, *a), *arguments
        )
        self.following = [trace.node_of_tensor(t) for t in following]
        self.y = [trace.node_of_tensor(t) for t in y]
        self.seen = [(show, trace.node_of_tensor(t)) for show, t in trace.seen]
        self.changed = trace.changed_outside()
        self.functions = trace.functions
        carried = {node for _, node, _ in self.changed}
        self.captured = [pair for pair in trace.captured.values() if pair[1] not in carried]

    def again(
        self, carry: list[TensorCore], columns: list[TensorCore], captured: Sequence[Any]
    ) -> _Step:
        """The same step for other tensors."""
        other = copy.copy(self)
        other.carry, other.columns = carry, columns
        nodes = [node for _, node in self.captured]
        other.captured = list(zip(captured, nodes, strict=True))
        return other

    def loop(self, steps: int, reverse: bool) -> tuple[Any, Any]:
        """The loop over so many steps: (final carry, stacked outputs)."""
        n = len(self.carry)
        # Copies, because the loop writes back what the gradient may still read.
        hidden = [elementwise.copy(TensorCore.make(cell)) for cell, _, _ in self.changed]
        before = [*self.h, *(node for _, node, _ in self.changed)]
        after = [*self.following, *(node for _, _, node in self.changed)]
        wanted = [*self.y, *(node for _, node in self.seen)]
        own = [y for y in dict.fromkeys(wanted) if y not in {*after, *before, *self.x}]
        inputs = [*before, *self.x, *(node for _, node in self.captured)]
        body = make_body(len(before), len(self.x), inputs, [*after, *own])
        operands = [*self.carry, *hidden, *self.columns, *(tensor for tensor, _ in self.captured)]
        recorded = state.grad_enabled and any(t.requires_grad for t in operands)
        if recorded and self.functions:
            raise AutogradError(
                f"the body of a scan applies {self.functions[0]}, an autograd.Function: a loop is "
                "differentiated as a graph, which does not know its backward",
                "write the loop in Python, or apply it to the inputs or results of all steps",
            )
        first, last, _ = history_rows(reverse, steps)
        places = {node: (2 * len(before) + j, 0) for j, node in enumerate(own)}
        for node, row in (*((h, first) for h in before), *((h, last) for h in after)):
            k = (before if row == first else after).index(node)
            places.setdefault(node, (len(before) + k, row))
        asked = list(dict.fromkeys(places[y][0] for y in wanted if y not in self.x))
        numbers = [*range(len(before)), *asked]
        found = split_scan(body, operands, steps, reverse, numbers, _residuals(steps, recorded))
        for cell, value in zip((cell for cell, _, _ in self.changed), found[n:], strict=False):
            TensorCore.make(cell).assign(value)
        stacked = dict(zip(numbers, found, strict=True))

        def output(y: Node) -> TensorCore:
            if y in self.x:
                return self.columns[self.x.index(y)]
            number, row = places[y]
            made: TensorCore = rows(stacked[number], row, steps)
            return made

        for show, node in self.seen:
            show(output(node))
        ys = rebuild(self.y_tree, iter([output(y) for y in self.y]))
        return rebuild(self.carry_tree, iter(found[:n])), ys


def _residuals(steps: int, recorded: bool) -> Callable[[graphs.Body], graphs.Body] | None:
    """What adds the values that the gradient needs to a body's outputs."""
    if not recorded:
        return None
    return lambda body: with_residuals(body, steps, vector_jacobian)


def _checked_step(
    body: Body, initial: tuple[Any, list[TensorCore]], carry: Any, x: Any
) -> tuple[list[TensorCore], Any, list[TensorCore]]:
    """One call of the body: (leaves of the next carry, tree of y, leaves of y), all checked."""
    carry_tree, leaves = initial
    result = body(carry, x)
    if not isinstance(result, tuple) or len(result) != 2:
        received = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
        raise ArgumentError(
            f"the body of a scan returned {received} instead of a pair",
            "return (next carry, y); y may be None",
        )
    next_tree, following = _leaves(result[0], "the carry that the body of a scan returned")
    y_tree, y = _leaves(result[1], "the output of the body of a scan")
    if next_tree != carry_tree or len(following) != len(leaves):
        raise ArgumentError(
            f"the body of a scan got a carry of {_listed(leaves)} and returned one of "
            f"{_listed(following)} in another tree",
            "return the next carry in the tree of the initial one",
        )
    for position, (before, after) in enumerate(zip(leaves, following, strict=True)):
        _check_kept(position, before, after)
    return following, y_tree, y


def _check_kept(position: int, before: TensorCore, after: TensorCore) -> None:
    """Raise unless a carry keeps its shape and dtype."""
    if tuple(before.shape) != tuple(after.shape):
        raise ShapeError(
            f"carry {position} of a scan has shape {tuple(before.shape)} before a step and "
            f"{tuple(after.shape)} after it",
            "the carry must keep its shape; start with one of the final shape",
        )
    if before.dtype is not after.dtype:
        raise DTypeError(
            f"carry {position} of a scan is {before.dtype.name} before a step and "
            f"{after.dtype.name} after it",
            "the carry must keep its dtype; convert the initial carry or the result with .to()",
        )


def _leaves(tree: Any, what: str) -> tuple[Any, list[TensorCore]]:
    """The tree without its tensors, and the tensors; raises if a leaf is something else."""
    leaves: list[TensorCore] = []
    bare = flatten(_checked(tree, what), leaves)
    return bare, leaves


def _checked(tree: Any, what: str) -> Any:
    """The tree with NumPy arrays as tensors."""
    if tree is None or isinstance(tree, TensorCore):
        return tree
    if isinstance(tree, np.ndarray):
        return from_numpy(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_checked(v, what) for v in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_checked(v, what) for v in tree)
    if isinstance(tree, dict):
        return {k: _checked(v, what) for k, v in tree.items()}
    raise ArgumentError(
        f"{what} holds {tree!r}, a {type(tree).__name__}",
        "use tensors, for instance pellucid.tensor(0.0), in tuples, lists or dicts",
    )


def _steps(columns: Sequence[TensorCore], length: int | None) -> int:
    """The number of steps, from the inputs or from ``length``."""
    lengths = []
    for position, column in enumerate(columns):
        if not column.shape:
            raise ShapeError(
                f"input {position} of a scan has no axes", "inputs have time as their first axis"
            )
        lengths.append(column.shape[0])
    if len(set(lengths)) > 1:
        raise ShapeError(
            f"the inputs of a scan have unequal lengths {lengths} along their first axis",
            "give every input the same number of time steps",
        )
    if length is not None and (isinstance(length, bool) or not isinstance(length, int)):
        raise ArgumentError(f"the length of a scan is {length!r}", "give a whole number of steps")
    if lengths and length is not None and length != lengths[0]:
        raise ShapeError(
            f"a scan over inputs of {lengths[0]} steps was given length={length}",
            "leave length out, or give the length of the inputs",
        )
    if not lengths and length is None:
        raise ArgumentError(
            "a scan got neither inputs nor a length", "pass inputs of shape (T, ...), or length=T"
        )
    steps = lengths[0] if lengths else int(length or 0)
    if steps < 1:
        raise ShapeError(f"a scan over {steps} steps has no result", "give at least one step")
    return steps


def _listed(leaves: Sequence[TensorCore]) -> str:
    """Dtypes and shapes, for messages."""
    return ", ".join(f"{t.dtype.name}{list(t.shape)}" for t in leaves) or "no tensors"
