"""Derivatives of functions of tensors at a point: ``torch.autograd.functional``.

Inputs are a tensor or a tuple of them, and so are outputs; results are nested as these are.
:mod:`pellucid.func` has the same as transformations of functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    AutogradError,
    ShapeError,
    UnsupportedError,
)
from pellucid.ops.rows import moved, reshaped
from pellucid.tensor.autograd import grad, set_grad_enabled
from pellucid.tensor.basis import row_parts, unit_vectors
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import Variables, in_body, ones_of, recording, zeros_of
from pellucid.tensor.interface import Tensor
from pellucid.tensor.shaping import stack
from pellucid.tensor.vmap import vmap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]
STRATEGIES = ("forward-mode", "reverse-mode")


def _as_tuple(value: Any, what: str, name: str) -> tuple[tuple[TensorCore, ...], bool]:
    """A tensor or tuple of tensors as a tuple, and whether it was one."""
    parts = value if isinstance(value, tuple) else (value,)
    for part in parts:
        if not isinstance(part, TensorCore):
            kind = type(value if not isinstance(value, tuple) else part).__name__
            raise ArgumentTypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                f"the given {what} has type {kind}.",
                "use a tensor, or a tuple of tensors",
            )
    return parts, isinstance(value, tuple)


class _Run:
    """One run of the function, its inputs as variables."""

    def __init__(
        self, func: Function, inputs: Any, name: str, create_graph: bool, forwards: bool = False
    ) -> None:
        self.name = name
        self.inputs, self.several_inputs = _as_tuple(inputs, "inputs", name)
        with set_grad_enabled(True):
            self.variables = Variables(self.inputs)
        with recording(forwards):
            result = func(*self.variables.tensors)
        what = "outputs of the user-provided function"
        self.outputs, self.several_outputs = _as_tuple(result, what, name)
        self.keeps = create_graph or in_body()

    def check_differentiable(self) -> None:
        """Raise where an output has no history (``strict``)."""
        for i, output in enumerate(self.outputs):
            if not output.requires_grad:
                raise AutogradError(
                    f"Output {i} of the user-provided function does not require gradients. The "
                    "outputs must be computed in a differentiable manner from the input when "
                    "running in strict mode.",
                    "compute it from the inputs, or pass strict=False",
                )

    def released(self) -> Any:
        """The outputs as the caller sees them."""
        found = tuple(self.variables.released(y, self.keeps) for y in self.outputs)
        return found if self.several_outputs else found[0]

    def slopes(
        self, outputs: Sequence[TensorCore], cotangents: Sequence[Any], create_graph: bool
    ) -> list[Any]:
        """Gradients of the inputs, None where none arrives."""
        pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not pairs:
            return [None] * len(self.inputs)
        ends, seeds = [y for y, _ in pairs], [g for _, g in pairs]
        again = create_graph or in_body()
        return list(grad(ends, self.variables.tensors, seeds, True, again, allow_unused=True))

    def filled(self, found: Sequence[Any], strict: bool, message: str) -> list[Any]:
        """Zeros for None, or an error (``strict``)."""
        if strict and any(part is None for part in found):
            number = next(i for i, part in enumerate(found) if part is None)
            raise AutogradError(message.format(number), "pass strict=False to get zeros")
        return [
            zeros_of(x) if part is None else part
            for part, x in zip(found, self.inputs, strict=True)
        ]

    def of_inputs(self, parts: Sequence[Any]) -> Any:
        """One value for each input, as the inputs were given."""
        return tuple(parts) if self.several_inputs else parts[0]

    def scalar_output(self) -> TensorCore:
        """The only number that the function gave; raises if it gave anything else."""
        if self.several_outputs or len(self.outputs) != 1:
            raise AutogradError(
                f"The function given to {self.name} should return a single Tensor",
                "return one tensor",
            )
        if self.outputs[0].numel() != 1:  # type: ignore[attr-defined]
            raise AutogradError(
                f"The Tensor returned by the function given to {self.name} should contain a "
                "single element",
                "reduce it to one number: .sum()",
            )
        return self.outputs[0]


_INDEPENDENT = (
    "The output of the user-provided function is independent of input {}. This is not allowed in "
    "strict mode."
)
_TWICE = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian of the "
    "function depends on the input."
)


def _vector(v: Any, like: Sequence[TensorCore], several: bool, name: str) -> tuple[Any, ...]:
    """The vector of a product, checked."""
    given, _ = _as_tuple(v, "v", name)
    if len(given) != len(like):
        if several:
            raise AutogradError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}.",
                "give one tensor for each",
            )
        raise AutogradError("The given v should contain a single Tensor.", "pass a tensor")
    for i, (part, x) in enumerate(zip(given, like, strict=True)):
        if tuple(part.shape) != tuple(x.shape):
            prefix = f"Entry {i} in " if several else ""
            raise ShapeError(
                f"{prefix}v has invalid size: should be {tuple(x.shape)} but got "
                f"{tuple(part.shape)}.",
                "give it the shape of what it is multiplied with",
            )
    return given


def _default_vector(like: Sequence[TensorCore], what: str) -> tuple[Any, ...]:
    if len(like) != 1 or like[0].numel() != 1:  # type: ignore[attr-defined]
        raise AutogradError(
            f"The vector v can only be None if {what} a single Tensor with a single element.",
            "pass v, of that shape",
        )
    return (ones_of(like[0]),)


_RETURNS = "the user-provided function returns"
_TAKES = "the input to the user-provided function is"


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """``(func(*inputs), vᵀ J)``: the product of a vector with the Jacobian.

    ``v`` has the shapes of the outputs; it may be left out for one number.  ``create_graph`` keeps
    the history of both results; ``strict`` raises where an output does not depend on an input,
    instead of a product of 0.

    >>> import pellucid
    >>> from pellucid.autograd.functional import vjp
    >>> vjp(lambda x: x**2, pellucid.tensor([1.0, 2.0]), pellucid.ones(2))[1]
    tensor([2., 4.])
    """
    run = _Run(func, inputs, "vjp", create_graph)
    if strict:
        run.check_differentiable()
    if v is None:
        vector = _default_vector(run.outputs, _RETURNS)
    else:
        vector = _vector(v, run.outputs, run.several_outputs, "vjp")
    found = run.slopes(run.outputs, vector, create_graph)
    return run.released(), run.of_inputs(run.filled(found, strict, _INDEPENDENT))


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """``(func(*inputs), J v)``: the product of the Jacobian with a vector, in forward mode.

    ``v`` has the shapes of the inputs; otherwise as :func:`vjp`.
    """
    run = _Run(func, inputs, "jvp", create_graph, forwards=True)
    if strict:
        run.check_differentiable()
    if v is None:
        vector = _default_vector(run.inputs, _TAKES)
    else:
        vector = _vector(v, run.inputs, run.several_inputs, "jvp")
    found = run.variables.push(run.outputs, vector, run.keeps)
    pushed = [zeros_of(y) if t is None else t for y, t in zip(run.outputs, found, strict=True)]
    return run.released(), tuple(pushed) if run.several_outputs else pushed[0]


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """``(func(*inputs), vᵀ H)`` of a function that returns one number, by reverse mode twice."""
    run, gradients, vector = _first_slopes(func, inputs, v, "vhp", create_graph, strict, False)
    found = run.slopes(gradients, vector, create_graph)
    return run.released(), run.of_inputs(run.filled(found, strict, _TWICE))


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """``(func(*inputs), H v)`` of a function that returns one number, by forward over reverse mode.

    >>> import pellucid
    >>> from pellucid.autograd.functional import hvp
    >>> hvp(lambda x: (x**3).sum(), pellucid.tensor([1.0, 2.0]), pellucid.ones(2))[1]
    tensor([ 6., 12.])
    """
    run, gradients, vector = _first_slopes(func, inputs, v, "hvp", create_graph, strict, True)
    found = run.variables.push(gradients, vector, run.keeps)
    return run.released(), run.of_inputs(run.filled(found, strict, _TWICE))


def _first_slopes(
    func: Function,
    inputs: Any,
    v: Any,
    name: str,
    create_graph: bool,
    strict: bool,
    forwards: bool,
) -> tuple[_Run, list[Any], tuple[Any, ...]]:
    """The run, its gradient with a history, and the vector."""
    run = _Run(func, inputs, name, create_graph, forwards)
    output = run.scalar_output()
    if v is None:
        vector = _default_vector(run.inputs, _TAKES)
    else:
        vector = _vector(v, run.inputs, run.several_inputs, name)
    if strict:
        run.check_differentiable()
    with recording(forwards):
        found = run.slopes([output], [ones_of(output)], True)
        return run, run.filled(found, strict, _INDEPENDENT), vector


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Tensor | tuple[Any, ...]:
    """The Jacobian of ``func`` at ``inputs``: of shape (output..., input...) for each pair.

    Nested by outputs, then inputs, where these are tuples.  ``vectorize`` computes all rows at
    once by ``vmap``; ``strategy="forward-mode"`` needs it.  ``create_graph`` and ``strict`` as in
    :func:`vjp`.

    >>> import pellucid
    >>> from pellucid.autograd.functional import jacobian
    >>> jacobian(lambda x: x**2, pellucid.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _check_strategy(strategy, create_graph, strict, vectorize)
    forwards = strategy == "forward-mode"
    run = _Run(func, inputs, "jacobian", create_graph, forwards)
    if strict:
        run.check_differentiable()
    if forwards:
        table = _by_columns(run)
    elif vectorize:
        table = _by_rows(run)
    else:
        table = [_row_by_row(run, i, y, create_graph, strict) for i, y in enumerate(run.outputs)]
    found = [run.of_inputs(row) for row in table]
    whole: Tensor | tuple[Any, ...] = tuple(found) if run.several_outputs else found[0]
    return whole


def _check_strategy(strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    if strategy not in STRATEGIES:
        raise ArgumentError(
            'Expected strategy to be either "forward-mode" or "reverse-mode", got '
            f'{strategy!r}. Hint: If your function has more outputs than inputs, "forward-mode" '
            'tends to be more performant. Otherwise, prefer to use "reverse-mode".',
            "use one of these",
        )
    if strategy == "forward-mode":
        if create_graph or not vectorize:
            what = "create_graph=True" if create_graph else "vectorize=False"
            raise UnsupportedError(
                f'jacobian: {what} and strategy="forward-mode" are not supported together: forward '
                "mode is only implemented for `vectorize=True` and without a graph",
                'use strategy="reverse-mode", or func.jacfwd',
            )
        if strict:
            raise AutogradError(
                'jacobian: `strict=True` and `strategy="forward-mode"` are not supported together',
                'use strategy="reverse-mode"',
            )
    if strict and vectorize:
        raise AutogradError(
            "jacobian: `strict=True` and `vectorized=True` are not supported together. Please "
            "either set `strict=False` or `vectorize=False`.",
            "rows that are done at once do not say what they depend on",
        )


def _row_by_row(
    run: _Run, number: int, output: TensorCore, create_graph: bool, strict: bool
) -> list[Any]:
    """One pass backwards for each element of an output."""
    rows: list[list[Any]] = [[] for _ in run.inputs]
    message = f"Output {number} of the user-provided function is independent of input {{}}. This "
    message += "is not allowed in strict mode."
    for vector in unit_vectors([output])[0]:
        found = run.slopes([output], [vector], create_graph)
        for own, part in zip(rows, run.filled(found, strict, message), strict=True):
            own.append(part)
    shapes = [(*output.shape, *x.shape) for x in run.inputs]
    return [
        reshaped(stack(own), shape) if own else _zeros_with(x, shape)
        for own, shape, x in zip(rows, shapes, run.inputs, strict=True)
    ]


def _zeros_with(like: TensorCore, shape: Sequence[int]) -> Any:
    """Zeros of a tensor's dtype and another shape."""
    return like.new_zeros(tuple(shape))  # type: ignore[attr-defined]


def _by_rows(run: _Run) -> list[list[Any]]:
    """All passes backwards at once."""

    def pull(*cotangents: Any) -> tuple[Any, ...]:
        return tuple(run.filled(run.slopes(run.outputs, cotangents, True), False, ""))

    with set_grad_enabled(run.keeps):
        columns = vmap(pull)(*unit_vectors(run.outputs))
    parts = [row_parts(column, run.outputs) for column in columns]
    return [
        [reshaped(own[i], (*y.shape, *x.shape)) for own, x in zip(parts, run.inputs, strict=True)]
        for i, y in enumerate(run.outputs)
    ]


def _by_columns(run: _Run) -> list[list[Any]]:
    """All passes forwards at once."""

    def push(*tangents: Any) -> tuple[Any, ...]:
        found = run.variables.push(run.outputs, tangents, run.keeps)
        return tuple(
            zeros_of(y) if t is None else t for y, t in zip(run.outputs, found, strict=True)
        )

    with set_grad_enabled(run.keeps):
        columns = vmap(push)(*unit_vectors(run.inputs))
    return [
        [
            reshaped(moved(part, 0, len(part.shape) - 1), (*column.shape[1:], *x.shape))
            for part, x in zip(row_parts(column, run.inputs), run.inputs, strict=True)
        ]
        for column in columns
    ]


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Tensor | tuple[Any, ...]:
    """The second derivatives of a function that returns one number, nested by inputs twice.

    >>> import pellucid
    >>> from pellucid.autograd.functional import hessian
    >>> hessian(lambda x: (x**3).sum(), pellucid.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    given, several = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in STRATEGIES:
        _check_strategy(outer_jacobian_strategy, False, False, True)

    def slopes(*variables: TensorCore) -> tuple[Any, ...]:
        run = _Run(func, variables, "hessian", True)
        output = run.scalar_output()
        if strict:
            run.check_differentiable()
        found = run.filled(run.slopes([output], [ones_of(output)], True), strict, _INDEPENDENT)
        if strict and not all(part.requires_grad for part in found):
            number = next(i for i, part in enumerate(found) if not part.requires_grad)
            raise AutogradError(_TWICE.format(number), "pass strict=False to get zeros")
        return tuple(found)

    table: Any = jacobian(slopes, given, create_graph, strict, vectorize, outer_jacobian_strategy)
    second: Tensor | tuple[Any, ...] = table if several else table[0][0]
    return second


def __dir__() -> list[str]:
    return sorted(__all__)
