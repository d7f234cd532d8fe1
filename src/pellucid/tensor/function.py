"""Operations with a derivative of your own: ``pellucid.autograd.Function``, as in PyTorch.

For what the chain rule does not give, or gives badly: a quantizer whose gradient passes straight
through (Bengio, Léonard and Courville, "Estimating or Propagating Gradients Through Stochastic
Neurons", 2013), a gradient that is turned around between two networks (Ganin and Lempitsky,
"Unsupervised Domain Adaptation by Backpropagation", 2015), a formula that is stable where the
derivative of the straightforward one is not.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pellucid.base.errors import ArgumentError, AutogradError, ShapeError
from pellucid.graph.node import Primitive, make_node
from pellucid.ops import elementwise, structure
from pellucid.ops.rows import Rows, moved
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import Record, TensorCore, changed_since, lift, second_time
from pellucid.tensor.scan_trace import BodyTrace
from pellucid.tensor.state import Cell, state
from pellucid.tensor.vmap import RowTrace, vmap


def _as_it_is(tensor: TensorCore) -> TensorCore:
    return tensor


class FunctionCtx:
    """What a :class:`Function` remembers from its forward pass for its backward pass.

    Anything may be set as an attribute; tensors go through :meth:`save_for_backward`, which
    notices when they are changed in place before they are needed.
    """

    needs_input_grad: tuple[bool, ...] = ()
    """For each argument of ``forward``, whether it is a tensor that requires a gradient."""

    def __init__(self) -> None:
        self._saved: list[tuple[TensorCore | None, tuple[int, int] | None]] = []
        self._saved_forward: list[tuple[TensorCore | None, tuple[int, int] | None]] = []
        self._plain: set[int] = set()
        self._materialize = True
        self._with_history: Callable[[TensorCore], TensorCore] = _as_it_is
        self._record: Record | None = None

    def save_for_backward(self, *tensors: TensorCore | None) -> None:
        """Keep tensors (arguments, results or others; None is kept as None) for ``backward``."""
        self._saved = _with_ages("save_for_backward", tensors)

    def save_for_forward(self, *tensors: TensorCore | None) -> None:
        """Keep tensors for ``jvp``, where they are ``ctx.saved_tensors``."""
        self._saved_forward = _with_ages("save_for_forward", tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What :meth:`save_for_backward` kept, with the history that second derivatives need."""
        found: list[TensorCore | None] = []
        if self._saved and self._record is not None and self._record.spent:
            raise second_time(self._record)
        for tensor, age in self._saved:
            if tensor is not None and not tensor.answers_functions:  # a sparse one as it is
                if tensor._cell.age != age and self._record is not None:
                    raise changed_since(tensor._cell, self._record)
                tensor = self._with_history(tensor)
            found.append(tensor)
        return tuple(found)

    def mark_non_differentiable(self, *results: TensorCore) -> None:
        """These results of ``forward`` have no gradient, as positions and other whole numbers."""
        self._plain |= {id(r._cell) for r in results}

    def mark_dirty(self, *arguments: TensorCore) -> None:
        """PyTorch's way to change an argument in place, which there is not here: raises."""
        raise AutogradError(
            "mark_dirty was called: a Function cannot change its arguments in place",
            "return a new tensor instead",
        )

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros (as it does by default) or None for results that nothing
        depends on."""
        self._materialize = bool(value)


def _with_ages(
    name: str, tensors: Sequence[TensorCore | None]
) -> list[tuple[TensorCore | None, tuple[int, int] | None]]:
    for tensor in tensors:
        if tensor is not None and not isinstance(tensor, TensorCore):
            raise ArgumentError(
                f"{name} got a {type(tensor).__name__}",
                "it keeps tensors; set other values as attributes: ctx.scale = 2.0",
            )
    return [(t, None if t is None or t.answers_functions else t._cell.age) for t in tensors]


class VmapInfo(NamedTuple):
    """What :meth:`Function.vmap` is told: how many rows there are, and vmap's ``randomness``."""

    batch_size: int
    randomness: str


class Function:
    """Base class of an operation whose derivative is written by hand.

    Write two static methods, and call the class's ``apply``, never ``forward``::

        class Round(pellucid.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.round()

            @staticmethod
            def backward(ctx, gradient):
                return gradient          # straight through

        y = Round.apply(x)

    ``forward(ctx, *args, **kwargs)`` returns a tensor or a tuple of tensors; nothing in it is
    recorded.  ``backward(ctx, *gradients)`` gets a gradient for each result, of its shape, and
    returns one for each argument that ``forward`` was given, those by keyword last: None for those
    that are no tensors or need none.  Written with tensor operations, it has derivatives itself.
    Alternatively ``forward(*args)`` goes without ``ctx``, and
    ``setup_context(ctx, inputs, output)`` fills it.

    Both run while a function is compiled as they do outside of it.

    Under forward mode (``func.jvp``) ``jvp(ctx, *tangents)`` is asked for the tangents of the
    results.  Under ``vmap`` a Function has a ``setup_context``, and either
    ``generate_vmap_rule = True``, when its methods do for each row what they are written to do,
    or a static method ``vmap(info, in_dims, *args)`` that returns results and their axes of rows.
    """

    generate_vmap_rule: ClassVar[bool] = False
    """Whether ``vmap`` may do each row by these methods."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The value; to be written."""
        raise AutogradError(
            "a Function without forward was applied",
            "write a static method forward(ctx, *args)",
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill ``ctx`` after a ``forward`` without it."""
        raise AutogradError("setup_context is not written", "give forward a first argument ctx")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradients of the arguments, from those of the results; to be written."""
        raise AutogradError(
            "backward was called through a Function that has none",
            "write a static method backward(ctx, *gradients)",
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The tangents of the results, from those of the arguments; to be written."""
        raise AutogradError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD.",
            "write a static method jvp(ctx, *tangents)",
        )

    @staticmethod
    def vmap(info: VmapInfo, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """``(results, out_dims)`` for arguments with rows along ``in_dims``; to be written."""
        raise AutogradError("vmap is not written", "set generate_vmap_rule = True instead")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The results of ``forward``, as part of what gradients flow through.

        Raises :class:`~pellucid.base.errors.AutogradError` if ``forward`` returns anything but
        tensors.
        """
        ctx = FunctionCtx()
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        given = (*args, *kwargs.values())
        in_rows = isinstance(state.trace, RowTrace)
        if in_rows:
            _check_rows(cls, separate, kwargs)
        elif isinstance(state.trace, BodyTrace):
            state.trace.functions.append(cls.__name__)
        needs = tuple(isinstance(a, TensorCore) and a.requires_grad for a in given)
        ctx.needs_input_grad = needs
        recorded = state.grad_enabled and any(needs)
        with no_grad():
            if separate:
                output = _in_rows(cls, args) if in_rows else cls.forward(*args, **kwargs)
                cls.setup_context(ctx, given, output)
            else:
                output = cls.forward(ctx, *args, **kwargs)
        results = output if isinstance(output, tuple) else (output,)
        if not all(isinstance(r, TensorCore) for r in results):
            names = ", ".join(type(r).__name__ for r in results)
            raise AutogradError(
                f"{cls.__name__}.forward returned {names}",
                "return a tensor or a tuple of tensors",
            )
        made = _recorded(cls, ctx, given, results) if recorded else [_alias(r) for r in results]
        return tuple(made) if isinstance(output, tuple) else made[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a ``backward`` that has no derivative itself: nothing in it is recorded."""

    @functools.wraps(backward)
    def wrapped(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            return backward(ctx, *gradients)

    return wrapped


def _alias(tensor: TensorCore) -> Any:
    """The same value as a tensor of its own, without history."""
    return TensorCore.make(tensor._cell)


def _recorded(
    function: type[Function], ctx: FunctionCtx, args: Sequence[Any], results: Sequence[TensorCore]
) -> list[Any]:
    """The results with a record of this application, so that gradients come to ``backward``."""
    operands = tuple(a for a in args if isinstance(a, TensorCore))
    cells: dict[int, Cell] = {k: r._cell for k, r in enumerate(results)}
    op = _operation(function, ctx, args, [r.shape for r in results])
    made = []
    for k, result in enumerate(results):
        tensor: TensorCore = _alias(result)
        if result.dtype.is_differentiable and id(result._cell) not in ctx._plain:
            tensor._requires_grad = True
            tensor._record = Record(op, operands, {"output": k}, tensor._cell)
            tensor._record.join(cells)
        made.append(tensor)
    return made


def _operation(
    function: type[Function], ctx: FunctionCtx, args: Sequence[Any], shapes: Sequence[Any]
) -> Primitive:
    """One application as an operation with several results, whose rule asks ``backward``."""
    count = len(shapes)

    def gradient(
        cotangents: Mapping[int, Any],
        result: Callable[[int], Any],
        inputs: Sequence[Any],
        wanted: Sequence[bool],
        vector_jacobian: Callable[..., Any],
    ) -> list[Any]:
        whole = [result(k) for k in range(count)]
        numbers = {id(t._cell): k for k, t in enumerate(whole) if id(t._cell) not in ctx._plain}

        def with_history(tensor: TensorCore) -> TensorCore:
            number = numbers.get(id(tensor._cell))
            return tensor if number is None or tensor._record is not None else result(number)

        given = [cotangents.get(k) for k in range(count)]
        if ctx._materialize:
            given = [_zeros(t) if g is None else g for t, g in zip(whole, given, strict=True)]
        # The results know this rule: knowing them in turn would keep both alive.
        ctx._with_history = with_history
        ctx._record = next((t._record for t in whole if t._record is not None), None)
        try:
            returned = function.backward(ctx, *given)
        finally:
            ctx._with_history, ctx._record = _as_it_is, None
        return _checked(function, args, returned)

    def tangent(
        given: Sequence[Any],
        result: Callable[[int], Any],
        inputs: Sequence[Any],
        numbers: Sequence[int],
        jacobian_vector: Callable[..., Any],
    ) -> dict[int, Any]:
        along = iter(zip(inputs, given, strict=True))
        tangents: list[Any] = []
        for argument in args:
            x, t = next(along) if isinstance(argument, TensorCore) else (None, None)
            zeros = t is None and x is not None and ctx._materialize and x.dtype.is_differentiable
            tangents.append(_zeros(x) if zeros and x is not None else t)
        before, ctx._saved = ctx._saved, ctx._saved_forward or ctx._saved
        try:
            returned = function.jvp(ctx, *tangents)
        finally:
            ctx._saved = before
        found = returned if isinstance(returned, tuple) else (returned,)
        if len(found) != count:
            raise AutogradError(
                f"{function.__name__}.jvp returned {len(found)} tangents for {count} results",
                "return one for each result of forward",
            )
        return {k: found[k] for k in numbers if found[k] is not None}

    return Primitive(
        function.__name__,
        "custom",
        "",
        _nothing,
        _nothing,
        gradient,
        tuple,
        "",
        _nothing,
        tangent=tangent,
    )


# ---- in the rows of vmap ----------------------------------------------------------------------


def _check_rows(function: type[Function], separate: bool, kwargs: Mapping[str, Any]) -> None:
    """Raise unless a Function can be done for many rows."""
    name = function.__name__
    own = function.vmap is not Function.vmap
    if not separate:
        raise AutogradError(
            f"In order to use an autograd.Function ({name}) with functorch transforms (vmap, grad, "
            "jvp, jacrev, ...), it must override the setup_context staticmethod.",
            "write forward(*args) without ctx and setup_context(ctx, inputs, output)",
        )
    if own and function.generate_vmap_rule:
        raise AutogradError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an "
            "overriden vmap staticmethod.",
            "keep one of them",
        )
    if not own and not function.generate_vmap_rule:
        raise AutogradError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override "
            "and implement the vmap staticmethod or set generate_vmap_rule=True.",
            "the second is enough where its methods use tensor operations alone",
        )


def _in_rows(function: type[Function], args: Sequence[Any]) -> Any:
    """The results for one row as nodes of their own, which keep what is written by hand.

    What they are is found by tracing ``forward`` aside; it is run in the world of the caller, for
    all rows.
    """
    trace = state.trace
    if not isinstance(trace, RowTrace):
        raise AutogradError("no row is being traced", "call apply under vmap")
    aside = RowTrace(trace)
    trial = aside.run(function.forward, *args)
    results = trial if isinstance(trial, tuple) else (trial,)
    if not all(isinstance(r, TensorCore) for r in results):
        return trial  # which apply refuses
    specs = [aside.node_of_tensor(r).spec for r in results]
    operands = [a for a in args if isinstance(a, TensorCore)]
    op = Primitive(
        function.__name__,
        "custom",
        "",
        _nothing,
        _nothing,
        None,
        tuple,
        "",
        _nothing,
        batch=functools.partial(_all_rows, function, args),
    )
    made = []
    for number, spec in enumerate(specs):
        node = make_node(op, [trace.node_of_tensor(t) for t in operands], {"output": number}, spec)
        made.append(TensorCore.make(Cell(None, node=node, trace=trace)))
    return tuple(made) if isinstance(trial, tuple) else made[0]


def _all_rows(
    function: type[Function],
    args: Sequence[Any],
    inputs: Sequence[Any],
    batched: Sequence[bool],
    rows: Rows,
    numbers: Sequence[int],
    batch: Callable[..., Any],
) -> list[tuple[Any, bool]]:
    """The batch rule of an application: results by number, and whether they have rows."""
    values = iter(inputs)
    filled = [next(values) if isinstance(a, TensorCore) else a for a in args]
    flags = iter(batched)
    dims = tuple(0 if isinstance(a, TensorCore) and next(flags) else None for a in args)
    if not any(batched):
        output = function.apply(*filled)
        found = output if isinstance(output, tuple) else (output,)
        return [(found[k], False) for k in numbers]
    if function.vmap is not Function.vmap:
        output, places = function.vmap(VmapInfo(rows.count, rows.randomness), dims, *filled)
        found = output if isinstance(output, tuple) else (output,)
        spots = places if isinstance(places, tuple) else (places,) * len(found)
        return [
            (found[k], False) if spots[k] is None else (_to_front(found[k], spots[k]), True)
            for k in numbers
        ]
    output = _generated(function, dims, rows).apply(*filled)
    found = output if isinstance(output, tuple) else (output,)
    return [(found[k], True) for k in numbers]


def _to_front(tensor: TensorCore, axis: int) -> Any:
    return moved(tensor, axis % len(tensor.shape), 0)


def _generated(
    function: type[Function], dims: tuple[int | None, ...], rows: Rows
) -> type[Function]:
    """A Function that does for all rows what ``function`` does for one."""

    def in_all(method: Callable[..., Any], in_dims: Any, *values: Any) -> list[Any]:
        """What a method returns for each row; None where it returned none."""
        absent: list[bool] = []

        def one(*row: Any) -> list[Any]:
            found = method(*row)
            listed = list(found) if isinstance(found, (tuple, list)) else [found]
            absent[:] = [part is None for part in listed]
            return [part for part in listed if part is not None]

        made = iter(vmap(one, in_dims, 0, rows.randomness)(*values))
        return [None if gone else next(made) for gone in absent]

    def context(ctx: Any, saved: Sequence[Any]) -> FunctionCtx:
        """The context of a row."""
        own = FunctionCtx()
        own.__dict__.update(ctx.attributes)
        own.needs_input_grad = ctx.needs_input_grad
        own._saved = own._saved_forward = [(t, None if t is None else t._cell.age) for t in saved]
        return own

    class InRows(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*args: Any) -> Any:
            several: list[bool] = []

            def one(*row: Any) -> Any:
                found = function.forward(*row)
                several[:] = [isinstance(found, tuple)]
                return found

            made = vmap(one, dims, 0, rows.randomness)(*args)
            return tuple(made) if several[0] else made

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            count = len(inputs)
            outputs = output if isinstance(output, tuple) else (output,)

            def one(*row: Any) -> list[Any]:
                own = FunctionCtx()
                own.needs_input_grad = ctx.needs_input_grad
                results = row[count:] if isinstance(output, tuple) else row[count]
                function.setup_context(own, row[:count], results)
                plain = {id(r._cell) for r in row[count:]} & own._plain
                places = [k for k, r in enumerate(row[count:]) if id(r._cell) in plain]
                kept = {k: v for k, v in own.__dict__.items() if k not in _INNER}
                ctx.attributes, ctx.places = kept, places
                ctx.split = len(own._saved)
                return [t for t, _ in (*own._saved, *own._saved_forward)]

            saved = in_all(one, (*dims, *(0,) * len(outputs)), *inputs, *outputs)
            ctx.save_for_backward(*saved[: ctx.split])
            ctx.save_for_forward(*saved[ctx.split :])
            ctx._materialize = ctx.attributes.get("_materialize", True)
            ctx.mark_non_differentiable(*(outputs[k] for k in ctx.places))

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            def one(saved: Any, cotangents: Any) -> Any:
                return function.backward(context(ctx, saved), *cotangents)

            found = in_all(
                one,
                (_dims_of(ctx.saved_tensors), _dims_of(gradients)),
                ctx.saved_tensors,
                gradients,
            )
            return tuple(
                g if g is None or d == 0 else structure.sum(g, (0,))
                for g, d in zip(found, dims, strict=True)
            )

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            def one(saved: Any, along: Any) -> Any:
                return function.jvp(context(ctx, saved), *along)

            own = tuple(None if t is None else d for t, d in zip(tangents, dims, strict=True))
            saved = ctx.saved_tensors
            return tuple(in_all(one, (_dims_of(saved), own), saved, tangents))

    InRows.__name__ = function.__name__
    return InRows


_INNER = frozenset(("_saved", "_saved_forward", "_plain", "_with_history", "_record"))
"""What a context knows for itself, beside the attributes that a Function sets."""


def _dims_of(tensors: Sequence[Any]) -> tuple[int | None, ...]:
    return tuple(None if t is None else 0 for t in tensors)


def _nothing(*operands: Any, **params: Any) -> Any:
    raise AutogradError("a Function has no definition as a primitive", "call its apply")


def _zeros(like: TensorCore) -> Any:
    return structure.broadcast_to(lift(np.zeros((), like.dtype.numpy)), like.shape)


def _checked(function: type[Function], args: Sequence[Any], returned: Any) -> list[Any]:
    """What ``backward`` returned for the tensors among the arguments, checked."""
    found = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    name = f"{function.__name__}.backward"
    if len(found) < len(args) or any(g is not None for g in found[len(args) :]):
        raise AutogradError(
            f"{name} returned {len(found)} gradients for {len(args)} arguments of forward",
            "return one for each argument, those by keyword last, None where there is none",
        )
    result = []
    for position, (argument, part) in enumerate(zip(args, found, strict=False)):
        if not isinstance(argument, TensorCore):
            if part is not None:
                raise AutogradError(
                    f"{name} returned a gradient for argument {position}, "
                    f"a {type(argument).__name__}",
                    "return None for what is no tensor",
                )
            continue
        if part is not None and not isinstance(part, TensorCore):
            raise AutogradError(
                f"{name} returned a {type(part).__name__} for argument {position}",
                "return a tensor or None",
            )
        if part is not None and tuple(part.shape) != tuple(argument.shape):
            raise ShapeError(
                f"{name} returned a gradient of shape {tuple(part.shape)} for argument {position} "
                f"of shape {tuple(argument.shape)}",
                "a gradient has the shape of what it is the gradient of",
            )
        result.append(None if part is None else elementwise.cast(part, argument.dtype))
    return result
