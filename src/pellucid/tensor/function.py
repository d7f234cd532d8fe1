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
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, AutogradError, ShapeError
from pellucid.graph.node import Primitive
from pellucid.ops import elementwise, structure
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import Record, TensorCore, changed_since, lift, second_time
from pellucid.tensor.state import Cell, state


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
        self._plain: set[int] = set()
        self._materialize = True
        self._with_history: Callable[[TensorCore], TensorCore] = _as_it_is
        self._record: Record | None = None

    def save_for_backward(self, *tensors: TensorCore | None) -> None:
        """Keep tensors (arguments, results or others; None is kept as None) for ``backward``."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, TensorCore):
                raise ArgumentError(
                    f"save_for_backward got a {type(tensor).__name__}",
                    "it keeps tensors; set other values as attributes: ctx.scale = 2.0",
                )
        self._saved = [(t, None if t is None else t._cell.age) for t in tensors]

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What :meth:`save_for_backward` kept, with the history that second derivatives need."""
        found: list[TensorCore | None] = []
        if self._saved and self._record is not None and self._record.spent:
            raise second_time(self._record)
        for tensor, age in self._saved:
            if tensor is not None:
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
    """

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
        needs = tuple(isinstance(a, TensorCore) and a.requires_grad for a in given)
        ctx.needs_input_grad = needs
        recorded = state.grad_enabled and any(needs)
        with no_grad():
            if separate:
                output = cls.forward(*args, **kwargs)
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
        if result.dtype.kind == "float" and id(result._cell) not in ctx._plain:
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

    return Primitive(
        function.__name__, "custom", "", _nothing, _nothing, gradient, tuple, "", _nothing
    )


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
