"""Gradients compared with difference quotients.

A derivative rule is right when (f(x + h·v) − f(x − h·v)) / 2h agrees with the gradient along v.
Everything here computes in float64: with h = 1e-6 the quotient of a smooth function is then good
to about nine digits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import complex128, float64
from pellucid.base.errors import ArgumentError, AutogradError
from pellucid.tensor.autograd import backward, enable_grad, no_grad
from pellucid.tensor.autograd import grad as autograd_grad
from pellucid.tensor.complex import view_as_complex, view_as_real
from pellucid.tensor.core import TensorCore, lift
from pellucid.tensor.interface import Tensor

LARGEST_FULL = 256
"""Inputs with more elements are checked along random directions instead of element by element."""

DIRECTIONS = 4
"""Random directions per large input."""

SEED = 20170
"""Fixes the random directions and cotangents, so that a failure can be seen again."""


def numerical_grad(function: Callable[[Tensor], object], x: Tensor, eps: float = 1e-6) -> Tensor:
    """The gradient of a function of one tensor, from 2 · numel(x) evaluations.

    ``function`` takes a float64 tensor of x's shape and gives a tensor; where that has several
    elements their sum is differentiated.  Returns a float64 tensor of x's shape with
    (f(x + eps · e_i) − f(x − eps · e_i)) / (2 · eps) at position i.  ``x`` is not changed.  For a
    complex ``x`` both parts are moved, and the result is complex128.
    """
    if not eps > 0:
        raise ArgumentError(f"numerical_grad got eps={eps}", "use a small positive step")
    if isinstance(x, TensorCore) and x.dtype.is_complex:
        moved, (pairs,) = _in_parts(function, [x.detach().requires_grad_()])
        return view_as_complex(numerical_grad(lambda p: moved(p)[0], pairs.detach(), eps))
    point = _plain(x)
    result = np.empty(point.shape)
    for position in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[position] = eps
        high, low = (_sum_of(function(lift(moved))) for moved in (point + step, point - step))
        result[position] = (high - low) / (2 * eps)
    return lift(result)


def _sum_of(value: Any) -> float:
    return float(value.array().sum(dtype=np.float64))


def _plain(value: Any) -> np.ndarray:
    """The values as a float64 array that nobody else holds."""
    return np.array(value.array() if isinstance(value, TensorCore) else value, np.float64)


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[object],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    masked: bool | None = None,
) -> bool:
    """Whether backward's gradients of ``function`` agree with difference quotients.

    ``inputs`` is a tensor or a sequence of arguments; those that are tensors with
    ``requires_grad`` are checked, in float64.  The outputs (one tensor or several) are projected
    on fixed random cotangents.  Agreement means |analytic − numeric| ≤ atol + rtol · |numeric|
    for each element, or, for inputs of more than 256 elements and with ``fast_mode`` for all, for
    the derivative along random directions (as JAX's check_vjp does).  Complex values are checked as
    their real and imaginary parts, a last axis of extent 2.  PyTorch's further settings,
    of undefined gradients, batches, forward mode and repeated results, are accepted; what they ask
    for is not checked, and with ``check_backward_ad=False`` nothing is.  Raises
    :class:`AutogradError` that names input, position and both values, or returns False if
    ``raise_exception`` is false.

    >>> import pellucid
    >>> x = pellucid.tensor([0.5, 2.0], dtype=pellucid.float64, requires_grad=True)
    >>> gradcheck(lambda x: x.log() * x, (x,))
    True
    """
    if not (check_backward_ad or check_forward_ad):
        raise ArgumentError(
            "gradcheck was to check neither backward nor forward mode", "leave one of them on"
        )
    function, inputs = _in_parts(function, inputs)
    arguments = _doubled(inputs)
    checked = [i for i, a in enumerate(arguments) if _is_variable(a)]
    if not checked:
        raise ArgumentError(
            "gradcheck got no input that requires gradients", "set requires_grad=True on one"
        )
    if not check_backward_ad:
        return True
    random = np.random.default_rng(SEED)
    with enable_grad():
        outputs = _outputs(function(*arguments))
        cotangents = [random.uniform(0.5, 1.5, tuple(o.shape)) for o in outputs]
        analytic = _analytic(arguments, checked, outputs, cotangents)

    def value(changed: int, array: np.ndarray) -> float:
        moved = [lift(array) if i == changed else a for i, a in enumerate(arguments)]
        with no_grad():
            found = _outputs(function(*moved))
        return float(sum((o.array() * c).sum() for o, c in zip(found, cotangents, strict=True)))

    for position, gradient in zip(checked, analytic, strict=True):
        point = arguments[position].array()
        full = point.size <= LARGEST_FULL and not fast_mode
        message = _compare(position, point, gradient, value, eps, atol, rtol, random, full)
        if message and raise_exception:
            raise AutogradError(message, "check the operation's gradient rule, or the step eps")
        if message:
            return False
    return True


def _in_parts(function: Callable[..., Any], inputs: Any) -> tuple[Callable[..., Any], list[Any]]:
    """The same function of real numbers alone: complex inputs and outputs as pairs of parts."""
    listed: list[Any] = [inputs] if isinstance(inputs, TensorCore) else list(inputs)
    places = {i for i, a in enumerate(listed) if _is_variable(a) and a.dtype.is_complex}
    for i in places:
        listed[i] = view_as_real(listed[i].detach().to(complex128)).requires_grad_()

    def of_parts(*arguments: Any) -> Any:
        filled = [view_as_complex(a) if i in places else a for i, a in enumerate(arguments)]
        result = function(*filled)
        several: list[Any] = [result] if isinstance(result, TensorCore) else list(result)
        return [
            view_as_real(o) if isinstance(o, Tensor) and o.dtype.is_complex else o for o in several
        ]

    return of_parts, listed


def _doubled(inputs: Any) -> list[Any]:
    """Float64 leaves in place of the tensors that require gradients, anything else as it is."""
    listed = [inputs] if isinstance(inputs, TensorCore) else list(inputs)
    return [lift(_plain(a)).requires_grad_() if _is_variable(a) else a for a in listed]


def _is_variable(value: Any) -> bool:
    return isinstance(value, TensorCore) and value.requires_grad


def _outputs(result: Any) -> list[Any]:
    """The float outputs: the others have no gradients."""
    listed = [result] if isinstance(result, TensorCore) else list(result)
    return [o for o in listed if isinstance(o, TensorCore) and o.dtype.is_floating_point]


def _analytic(
    arguments: Sequence[Any], checked: Sequence[int], outputs: Sequence[Any], cotangents: Any
) -> list[np.ndarray]:
    """Gradients by backward; zeros where an input takes no part."""
    total = None
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if output.dtype is not float64:
            raise ArgumentError(
                f"gradcheck needs a function that keeps float64 and got {output.dtype.name}",
                "do not convert to float32 inside the function",
            )
        part = (output * lift(cotangent)).sum()
        total = part if total is None else total + part
    if total is not None and total.requires_grad:
        backward(total)
    leaves = [arguments[i] for i in checked]
    return [np.zeros(t.shape) if t.grad is None else t.grad.array() for t in leaves]


def _compare(
    position: int,
    point: np.ndarray,
    gradient: np.ndarray,
    value: Callable[[int, np.ndarray], float],
    eps: float,
    atol: float,
    rtol: float,
    random: np.random.Generator,
    whole: bool,
) -> str:
    """What is wrong with the gradient of one input; empty if nothing.

    ``whole``: at every element, otherwise along random directions.
    """
    names: list[Any] = list(np.ndindex(point.shape)) if whole else list(range(DIRECTIONS))
    analytic, numeric = np.empty(len(names)), np.empty(len(names))
    for row, name in enumerate(names):
        if whole:
            direction = np.zeros(point.shape)
            direction[name] = 1.0
        else:
            direction = random.standard_normal(point.shape)
        analytic[row] = float((gradient * direction).sum())
        high = value(position, point + eps * direction)
        low = value(position, point - eps * direction)
        numeric[row] = (high - low) / (2 * eps)
    error = np.abs(analytic - numeric)
    good = (error <= atol + rtol * np.abs(numeric)) | (np.isnan(analytic) & np.isnan(numeric))
    if good.all():
        return ""
    worst = int(np.argmax(np.where(good, -1.0, np.nan_to_num(error, nan=np.inf))))
    place = f"position {names[worst]}" if whole else f"along random direction {worst}"
    return (
        f"gradient of input {position} (shape {point.shape}) is wrong at {place}: "
        f"analytic {analytic[worst]:.9g}, numeric {numeric[worst]:.9g}, "
        f"difference {error[worst]:.3g}; {int((~good).sum())} of {len(names)} disagree"
    )


def gradgradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[object],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
    gen_non_contig_grad_outputs: bool = False,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    masked: bool = False,
) -> bool:
    """Whether gradients of gradients agree with difference quotients of the gradients.

    Arguments and errors as for :func:`gradcheck`, which is applied to the map from the inputs
    to their gradients; inputs that take no part in the outputs count as gradient 0.
    """
    function, inputs = _in_parts(function, inputs)
    arguments = _doubled(inputs)
    checked = [i for i, a in enumerate(arguments) if _is_variable(a)]
    random = np.random.default_rng(SEED)
    weights: list[np.ndarray] = []

    def gradient(*moved: Any) -> list[Any]:
        with enable_grad():
            leaves = [
                moved[i] if moved[i].requires_grad else moved[i].requires_grad_() for i in checked
            ]
            outputs = [o for o in _outputs(function(*moved)) if o.requires_grad]
            while len(weights) < len(outputs):
                weights.append(random.uniform(0.5, 1.5, tuple(outputs[len(weights)].shape)))
            if not outputs:
                return []
            cotangents = [lift(w) for w in weights]
            return list(
                autograd_grad(
                    outputs, leaves, cotangents, create_graph=True, materialize_grads=True
                )
            )

    return gradcheck(gradient, arguments, eps, atol, rtol, raise_exception, fast_mode=fast_mode)
