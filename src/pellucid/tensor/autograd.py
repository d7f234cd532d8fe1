"""Gradients of tensors: ``backward``, ``grad``, and the modes that switch recording off."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np

from pellucid.base.errors import AutogradError, ShapeError
from pellucid.ops import elementwise
from pellucid.tensor.core import Record, TensorCore, lift
from pellucid.tensor.interface import Tensor
from pellucid.tensor.rematerialize import release
from pellucid.tensor.state import state
from pellucid.transforms.differentiate import apply_rule, ordered_history, reverse

Function = TypeVar("Function", bound=Callable[..., Any])


class set_grad_enabled:  # noqa: N801  (PyTorch's name)
    """Record operations for backward, or not; context manager, decorator, or plain call."""

    def __init__(self, mode: bool) -> None:
        self._before = state.grad_enabled
        self._mode = bool(mode)
        state.grad_enabled = self._mode

    def __call__(self, function: Function) -> Function:
        """As a decorator: every call of ``function`` runs so; nothing else is set."""
        state.grad_enabled = self._before
        return GradMode(self._mode)(function)

    def __enter__(self) -> None:
        state.grad_enabled = self._mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.grad_enabled = self._before


class GradMode:
    """Context manager and decorator that records operations, or not, while it is active.

    What :func:`no_grad`, :func:`enable_grad` and :func:`inference_mode` return.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)

    def __enter__(self) -> None:
        self._before = state.grad_enabled
        state.grad_enabled = self.mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.grad_enabled = self._before

    def __call__(self, function: Function) -> Function:
        """As a decorator: every call of ``function`` runs inside."""
        mode = self.mode

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with GradMode(mode):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


@overload
def no_grad() -> GradMode: ...
@overload
def no_grad(function: Function) -> Function: ...
def no_grad(function: Function | None = None) -> GradMode | Function:
    """Inside, nothing is recorded: no history, no memory for it.  For inference and updates.

    A context manager, ``with no_grad():``, or a decorator, with parentheses or without.
    """
    mode = GradMode(False)
    return mode if function is None else mode(function)


@overload
def enable_grad() -> GradMode: ...
@overload
def enable_grad(function: Function) -> Function: ...
def enable_grad(function: Function | None = None) -> GradMode | Function:
    """Inside, operations are recorded again, also within :func:`no_grad`; used as that is."""
    mode = GradMode(True)
    return mode if function is None else mode(function)


@overload
def inference_mode(mode: bool = True) -> GradMode: ...
@overload
def inference_mode(mode: Function) -> Function: ...
def inference_mode(mode: bool | Function = True) -> GradMode | Function:
    """:func:`no_grad` under PyTorch's other name; ``inference_mode(False)`` records operations."""
    return GradMode(not mode) if isinstance(mode, bool) else GradMode(False)(mode)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded."""
    return state.grad_enabled


def _record_of(tensor: TensorCore) -> Record | None:
    """The tape entry, checked; tensors that need no gradient end the walk."""
    record = tensor._record
    if record is not None and record.op.results is not None:
        record.check_unspent(tensor)
        record.check_unchanged(tensor)
    return record


class AfterGradient:
    """A hook that wants the leaf whose gradient has been added up, not the gradient."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function

    def __call__(self, leaf: Any) -> Any:
        """Tell the hook."""
        self.function(leaf)


def key_of(tensor: TensorCore) -> int:
    """What identifies a value in the walk: the record that made it, or the leaf itself."""
    return id(tensor._record or tensor)


def _seed(outputs: Sequence[TensorCore], cotangents: Sequence[TensorCore | None]) -> list[Any]:
    """The cotangents to start from; 1 for a single number."""
    seeds = []
    for output, given in zip(outputs, cotangents, strict=True):
        if not output.requires_grad:  # a view takes over its base's history here
            raise AutogradError(
                "backward was called on a tensor that does not depend on anything that "
                "requires gradients",
                "set requires_grad=True on an input, or call it outside of no_grad",
            )
        if given is None and output.shape not in ((), (1,)):
            raise AutogradError(
                f"backward needs a gradient argument for an output of shape {tuple(output.shape)}",
                "reduce it to one number first: loss.mean().backward()",
            )
        if given is None and output.dtype.is_complex:
            raise AutogradError(
                "grad can be implicitly created only for real scalar outputs but got "
                f"{output.dtype.name}",
                "make a real number of it first, as by x.abs(), or pass the gradient",
            )
        if given is not None and given.dtype.is_complex and not output.dtype.is_complex:
            raise AutogradError(
                f"the gradient argument is {given.dtype.name}, the output {output.dtype.name}",
                "the gradient of a real value is real",
            )
        if given is not None and tuple(given.shape) != tuple(output.shape):
            raise ShapeError(
                f"the gradient argument has shape {tuple(given.shape)}, "
                f"the output {tuple(output.shape)}",
                "both need the same shape",
            )
        if given is None:
            seeds.append(lift(output.dtype.array(np.ones(output.shape))))
        else:
            seeds.append(elementwise.cast(given, output.dtype))
    return seeds


def _walk(
    outputs: Sequence[TensorCore],
    cotangents: Sequence[TensorCore | None],
    create_graph: bool,
    wanted: Callable[[TensorCore], bool],
    retain_graph: bool | None = None,
    asked: Collection[int] | None = None,
) -> dict[int, tuple[Any, Any]]:
    """Cotangents by :func:`key_of` the tensor; of intermediate tensors only the wanted ones.

    With ``asked``, keys of tensors, only operations on the way to these are differentiated.
    """
    seeds = _seed(outputs, cotangents)
    if state.follower is not None:
        state.follower.backward(outputs, cotangents)
    record_of, needs = _ways(outputs, asked)
    trace = state.trace
    keeps = create_graph if retain_graph is None else retain_graph
    used: list[Record] = []

    def visit(tensor: TensorCore, cotangent: Any) -> Any:
        record = tensor._record
        for hook in (tensor._hooks if record is None else record.hooks) or ():
            replaced = None if isinstance(hook, AfterGradient) else hook(cotangent)
            cotangent = cotangent if replaced is None else replaced
        if record is not None and not keeps:
            used.append(record)
        if trace is not None:
            trace.cotangent = trace.node_of(cotangent._cell)
            if record is not None and not (retain_graph or create_graph):
                trace.consumed[id(record)] = record
        return cotangent

    before = None if trace is None else trace.cotangent
    autocast, state.autocast = state.autocast, None  # backward keeps the forward pass's dtypes
    try:
        with set_grad_enabled(create_graph):
            return reverse(
                outputs,
                seeds,
                record_of,
                key_of,
                visit,
                needs,
                wanted,
                _pulled,
                state.anomaly,
            )
    finally:
        for record in used:
            record.spent = True
        state.autocast = autocast
        if trace is not None:
            trace.cotangent = before
        release()


def _ways(
    outputs: Sequence[TensorCore], asked: Collection[int] | None
) -> tuple[Callable[[TensorCore], Record | None], Callable[[TensorCore], bool]]:
    """``record_of`` and ``needs`` for a walk that goes nowhere but to the tensors asked for; None
    asks for all leaves."""
    if asked is None:
        return _record_of, _needs_gradient
    leads: set[int] = set(asked)
    for tensor in ordered_history(outputs, _record_of, key_of):
        record = _record_of(tensor)
        if record is not None and any(key_of(operand) in leads for operand in record.inputs):
            leads.add(key_of(tensor))

    def record_of(tensor: TensorCore) -> Record | None:
        record = _record_of(tensor)
        if record is None or any(key_of(operand) in leads for operand in record.inputs):
            return record
        return None

    def needs(tensor: TensorCore) -> bool:
        return tensor._requires_grad and key_of(tensor) in leads

    return record_of, needs


def _collects(tensor: TensorCore) -> bool:
    """Whether an intermediate tensor collects its gradient (retain_grad)."""
    return tensor._record is not None and tensor._record.owner is not None


def _needs_gradient(tensor: TensorCore) -> bool:
    return tensor._requires_grad


def _pulled(record: Record, cotangent: Any, value: Any) -> Sequence[Any]:
    """Cotangents of a recorded operation's inputs, which must be as they were."""
    if record.spent:
        record.check_unspent(value)
    if record.packed is not None:
        unpacked: Sequence[Any] = record.packed.pull(record, cotangent, value)
        return unpacked
    record.check_unchanged(value)
    if record.kernel is not None:
        found: Sequence[Any] = record.kernel.cotangents(record, cotangent, value)
        return found
    return apply_rule(record, cotangent, value)


def gradients_at(
    output: TensorCore, cotangent: TensorCore, inputs: Sequence[TensorCore]
) -> list[Any]:
    """Cotangents of ``inputs`` alone: the walk ends there, and hooks are left to a walk around it.

    A tensor that occurs twice has its cotangent in the first place.  Recorded if gradients are.
    """
    stops = {key_of(tensor): None for tensor in inputs}

    def record_of(tensor: TensorCore) -> Record | None:
        return None if key_of(tensor) in stops else _record_of(tensor)

    found: dict[int, tuple[Any, Any]] = reverse(
        [output], [cotangent], record_of, key_of, None, _needs_gradient, None, _pulled
    )
    return [found.pop(key_of(tensor), (None, None))[1] for tensor in inputs]


def backward(
    tensors: TensorCore | Sequence[TensorCore],
    grad_tensors: TensorCore | Sequence[TensorCore | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: TensorCore | Sequence[TensorCore | None] | None = None,
    inputs: TensorCore | Sequence[TensorCore] | None = None,
) -> None:
    """Add d(tensors)/d(leaf) to ``leaf.grad`` of every leaf that requires gradients.

    ``grad_tensors`` is the cotangent of each tensor, needed unless that is a single number
    (``grad_variables`` is its older name).  With ``inputs`` only their gradients are collected,
    also where they are no leaves.  A second walk through operations whose gradient reads values
    raises ``AutogradError`` unless the first had ``retain_graph=True`` (by default it has the
    value of ``create_graph``).
    """
    outputs = [tensors] if isinstance(tensors, TensorCore) else list(tensors)
    given = grad_variables if grad_tensors is None else grad_tensors
    if given is None:
        given = [None] * len(outputs)
    cotangents = [given] if isinstance(given, TensorCore) else list(given)
    asked = None if inputs is None else _asked(inputs)
    wanted = _collects if asked is None else lambda t: key_of(t) in asked
    taken = {id(cotangent._cell) for cotangent in cotangents if cotangent is not None}
    reached = []
    walked = _walk(outputs, cotangents, create_graph, wanted, retain_graph, asked)
    for key, (tensor, cotangent) in walked.items():
        target: TensorCore | None = tensor
        if asked is not None:
            target = asked.get(key)
        elif tensor._record is not None:
            target = tensor._record.owner() if tensor._record.owner is not None else None
        if target is None or not tensor._requires_grad:
            continue
        reached.append(id(target))
        _collect(target, cotangent, create_graph, taken, tensor)
    state.gradient_order = tuple(reached)
    if state.follower is not None:
        state.follower.differentiated()


def _asked(inputs: TensorCore | Sequence[TensorCore]) -> dict[int, TensorCore]:
    """The tensors whose gradients are wanted, by what identifies them in the walk."""
    listed = [inputs] if isinstance(inputs, TensorCore) else list(inputs)
    if not listed:
        raise AutogradError(
            "backward got inputs=[]: it cannot be empty", "leave it out, or name tensors"
        )
    for tensor in listed:
        tensor.follow()
    return {key_of(tensor): tensor for tensor in listed}


def _collect(
    target: Any, cotangent: Any, create_graph: bool, taken: set[int], tensor: TensorCore
) -> None:
    """Add a cotangent to ``target.grad`` and tell the hooks that wait for it.

    A gradient that a compiled step used up without storing it stays so: what it would be with the
    cotangent added is not known, and whoever reads it is told.
    """
    known = target._grad if state.trace is None else state.trace.read_grad(target)
    if known is not None and not isinstance(known, TensorCore):
        return
    if known is None:
        target.grad = cotangent if create_graph else _own(cotangent, taken, tensor)
    else:
        with set_grad_enabled(create_graph):
            target.grad = elementwise.add(known, cotangent)
    for hook in (tensor._hooks if tensor._record is None else None) or ():
        if isinstance(hook, AfterGradient):
            hook(target)


def stored_gradient(tensor: TensorCore) -> Any:
    """``tensor.grad`` if it is in memory; None if there is none, or if a compiled step used it up
    without storing it, where reading ``.grad`` raises."""
    if state.trace is not None:
        return tensor.grad
    return tensor._grad if isinstance(tensor._grad, TensorCore) else None


def has_gradient(tensor: TensorCore) -> bool:
    """Whether ``tensor.grad`` is not None, also where a compiled step did not store it."""
    return tensor.grad is not None if state.trace is not None else tensor._grad is not None


def _own(cotangent: Any, taken: set[int], tensor: TensorCore) -> Any:
    """The cotangent as a tensor whose memory nobody else has, so that it may be changed in place.

    One cotangent may belong to several tensors (both terms of a sum), be a view of another's,
    or come from a hook.
    """
    cell = cotangent._cell
    array = cell.array
    hooks = tensor._hooks if tensor._record is None else tensor._record.hooks
    # A hook that may keep what it is shown has to get memory of its own.
    shared = id(cell) in taken or any(not hasattr(hook, "only_looks") for hook in hooks or ())
    if array is not None:
        shared = shared or array.base is not None or not array.flags.writeable
    taken.add(id(cell))
    if state.trace is not None:
        return (
            elementwise.copy(cotangent) if shared or cell.base is not None else cotangent.detach()
        )
    if not shared:
        return cotangent.detach()
    made = lift(np.array(array, order="C"))
    if state.watcher is not None:
        state.watcher.assignment(made._cell, cotangent)
    return made


def _no_rows(*_: Any) -> list[Any]:
    raise AutogradError("gradients in rows need pellucid.vmap", "import pellucid first")


batched_grad: Callable[..., list[Any]] = _no_rows
"""Gradients for many rows of cotangents; set by :mod:`.vmap`, which stands above."""


def grad(
    outputs: TensorCore | Sequence[TensorCore],
    inputs: TensorCore | Sequence[TensorCore],
    grad_outputs: TensorCore | Sequence[TensorCore | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Gradients of ``outputs`` to ``inputs``, returned instead of collected in ``.grad``.

    ``create_graph=True`` records the computation of the gradients, for gradients of gradients.
    An input that does not take part raises unless ``allow_unused`` (then None) or
    ``materialize_grads`` (then zeros).  With ``is_grads_batched`` each of ``grad_outputs`` has one
    more axis in front, and so have the gradients: one for each row.  ``only_inputs=False`` is of
    older versions; it warns and changes nothing.
    """
    if not only_inputs:
        warnings.warn(
            "only_inputs is ignored: gradients are computed for the inputs alone",
            FutureWarning,
            stacklevel=2,
        )
    if materialize_grads and allow_unused is False:
        raise AutogradError(
            "grad got materialize_grads=True and allow_unused=False",
            "leave allow_unused out: inputs that take no part get zeros",
        )
    if is_grads_batched:
        settings = (retain_graph, create_graph, allow_unused, materialize_grads)
        return tuple(batched_grad(outputs, inputs, grad_outputs, *settings))
    out = [outputs] if isinstance(outputs, TensorCore) else list(outputs)
    wrt = [inputs] if isinstance(inputs, TensorCore) else list(inputs)
    seeds = [grad_outputs] if isinstance(grad_outputs, TensorCore) else grad_outputs
    given: list[TensorCore | None] = [None] * len(out) if seeds is None else list(seeds)
    for tensor in wrt:
        tensor.follow()
    asked = {key_of(tensor) for tensor in wrt}
    found = _walk(out, given, create_graph, lambda t: key_of(t) in asked, retain_graph, asked)
    result = []
    for position, tensor in enumerate(wrt):
        known = found.get(key_of(tensor))
        if known is not None:
            result.append(known[1] if create_graph else known[1].detach())
        elif materialize_grads:
            result.append(lift(np.zeros(tensor.shape, tensor.dtype.numpy)))
        elif allow_unused:
            result.append(None)
        else:
            raise AutogradError(
                f"input {position} (shape {tuple(tensor.shape)}) takes no part in the outputs",
                "pass allow_unused=True to get None for it, or check that it is used and "
                "requires gradients",
            )
    return tuple(result)
