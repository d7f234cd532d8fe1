"""One step of a program with a loop of its own, remembered so that its loss can be computed again.

What is remembered are calls of modules, as calls, with what they were given; and the operations
around them, as the tape and the watcher show them.  Parameters stay references, so the loss can be
had with other values of theirs, in another mode, and with gradients; everything else that goes in
is copied.  Nothing changes for the program: the same operations run, in the same kernels.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.base.notebooks import cell_of
from pellucid.graph.node import Primitive
from pellucid.nn import functional
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.core import Record, TensorCore
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.state import state
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.trace import is_own_file, is_user_file, user_line
from pellucid.tensor.trees import flatten, rebuild

MOST_BYTES = 64 * 2**20
"""A step that was given more than this is not remembered."""
MOST_OPERATIONS = 50_000
"""Nor is what follows so many operations outside of modules."""


@dataclass(frozen=True)
class Constant:
    """A copy of a value that does not depend on parameters (or what stands in its place)."""

    value: Any


@dataclass(frozen=True)
class Leaf:
    """A tensor that requires gradients and is not made by an operation: a parameter."""

    tensor: Any


@dataclass(frozen=True)
class Result:
    """The ``number``-th tensor in what a call gave."""

    call: int
    number: int


@dataclass(frozen=True)
class Made:
    """What an operation gave."""

    operation: int


Source = Constant | Leaf | Result | Made


@dataclass(frozen=True)
class Call:
    """A call of a module, or of a compiled function: its arguments as a tree and its leaves."""

    function: Any
    tree: Any
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Operation:
    """An operation outside of all calls.

    ``function`` of tensors stands for operations that ran as one kernel.  ``name`` is that of the
    library's function that the program called, ``line`` where.
    """

    primitive: Primitive
    settings: Mapping[str, Any]
    function: Callable[..., Any] | None
    sources: tuple[Source, ...]
    name: str = ""
    line: str = ""


class NotRepeatable(PellucidError):
    """A step holds something that cannot be computed again."""


@dataclass
class RecordedStep:
    """A loss as calls and operations in the order in which they ran.

    ``steps`` are those, ``outputs`` what ``backward()`` was called on, with cotangents (None: 1).
    ``value`` is the loss that the program had, ``training`` the mode of the modules called.
    """

    steps: list[Call | Operation] = field(default_factory=list)
    outputs: list[tuple[Source, np.ndarray | None]] = field(default_factory=list)
    value: float = math.nan
    line: str = ""
    bytes: int = 0
    forms: list[Form] = field(default_factory=list)
    """Functions that gave the loss, the library's before the program's own."""
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Number of a call → shape of the tensor that it gave, if that was one."""

    # ---- computing it again --------------------------------------------------------------------

    def loss(self, replaced: Mapping[int, Any] | None = None) -> Tensor:
        """The loss with the parameters' values of now, a tensor with its history.

        ``replaced`` gives results of calls (number of the call → result) in place of calling.
        Raises :class:`NotRepeatable` for operations that cannot be computed again.
        """
        values = self._values(len(self.steps), replaced or {})
        total: Any = None
        for source, cotangent in self.outputs:
            value = self._at(source, values)
            if cotangent is not None:
                value = (value * as_tensor(cotangent)).sum()
            elif value.ndim:
                value = value.sum()
            total = value if total is None else total + value
        found: Tensor = total
        return found

    def result_of(self, call: int) -> object:
        """What a call gives with the parameters' values of now."""
        return self._values(call + 1, {})[call]

    def _values(self, count: int, replaced: Mapping[int, Any]) -> list[Any]:
        before, state.inline = state.inline, True
        follower, state.follower = state.follower, None
        values: list[Any] = []
        try:
            for number, step in enumerate(self.steps[:count]):
                if number in replaced:
                    values.append(replaced[number])
                elif isinstance(step, Call):
                    values.append(self._call(step, values))
                else:
                    values.append(self._operation(step, values))
        finally:
            state.inline, state.follower = before, follower
        return values

    def _call(self, call: Call, values: list[Any]) -> Any:
        tensors = [self._at(source, values) for source in call.sources]
        args, kwargs = rebuild(call.tree, iter(tensors))
        return plain(call.function)(*args, **kwargs)

    def _operation(self, operation: Operation, values: list[Any]) -> Any:
        operands = [self._at(source, values) for source in operation.sources]
        if operation.function is not None:
            made = operation.function(*operands)
            return made[0] if isinstance(made, tuple) else made
        if operation.primitive.family in ("custom", "composite"):
            raise NotRepeatable(
                f"{operation.primitive.name} cannot be computed again", "put it into a module"
            )
        like: Any = operands[0] if operands else as_tensor(0.0)
        return like.apply_primitive(operation.primitive, operands, operation.settings)

    def _at(self, source: Source, values: list[Any]) -> Any:
        if isinstance(source, Constant):
            return as_tensor(source.value)
        if isinstance(source, Leaf):
            return source.tensor
        if isinstance(source, Made):
            return values[source.operation]
        leaves: list[TensorCore] = []
        flatten(values[source.call], leaves)
        return leaves[source.number]

    # ---- what it is made of --------------------------------------------------------------------

    def calls_of(self, model: Any) -> list[int]:
        """The calls of ``model`` on which the loss depends; where there are none, those of a module
        that holds it or is part of it, or of a compiled function."""
        parts = set() if model is None else {id(part) for part in model.modules()}
        needed = self._needed()
        own: list[int] = []
        near: list[int] = []
        other: list[int] = []
        for number, step in enumerate(self.steps):
            if not isinstance(step, Call) or number not in needed:
                continue
            function = plain(step.function)
            if not isinstance(function, Module):
                other.append(number)
            elif function is model:
                own.append(number)
            elif id(function) in parts or any(part is model for part in function.modules()):
                near.append(number)
            elif model is None and any(True for _ in function.parameters()):
                near.append(number)
        return own or near[-1:] or other[-1:]

    def main_call(self, model: Any) -> int | None:
        """The last of :meth:`calls_of`, None if there is none."""
        calls = self.calls_of(model)
        return calls[-1] if calls else None

    def _needed(self) -> set[int]:
        """Steps on which the loss depends."""
        needed: set[int] = set()
        stack = [source for source, _ in self.outputs]
        while stack:
            source = stack.pop()
            number = getattr(source, "call", getattr(source, "operation", None))
            if number is not None and number not in needed:
                needed.add(number)
                stack.extend(self.steps[number].sources)
        return needed

    def inputs_of(self, call: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of a call, tensors without a history; those that were computed by the step
        are computed again."""
        step = self.steps[call]
        with no_grad():
            values = (
                self._values(call, {})
                if any(not isinstance(source, Constant) for source in step.sources)
                else []
            )
            tensors = [self._at(source, values).detach() for source in step.sources]
        args, kwargs = rebuild(step.tree, iter(tensors))  # type: ignore[union-attr]
        return args, kwargs

    def targets_after(self, calls: Sequence[int]) -> list[np.ndarray]:
        """What enters the loss after these calls, is neither a parameter nor a lone number, and
        does not come out of a call: the targets, in the order of their use."""
        needed = self._needed().difference(calls)
        single = (self.shape_of(max(calls)) or (0,))[:1] == (1,)
        found: dict[int, np.ndarray] = {}
        for number in range(min(calls) + 1, len(self.steps)):
            for source in self.steps[number].sources if number in needed else ():
                if isinstance(source, Constant) and _has_rows(source.value, single):
                    found.setdefault(id(source.value), source.value)
        return list(found.values())

    def with_constants(self, replaced: Mapping[int, Any]) -> RecordedStep:
        """The same step on other values: id of a constant's array → value."""

        def changed(source: Source) -> Source:
            if isinstance(source, Constant) and id(source.value) in replaced:
                return Constant(replaced[id(source.value)])
            return source

        steps = [
            replace(step, sources=tuple(changed(source) for source in step.sources))
            for step in self.steps
        ]
        return replace(self, steps=steps)

    def shape_of(self, call: int) -> tuple[int, ...] | None:
        """The shape of what a call gave, None where it gave several tensors."""
        return self.shapes.get(call)

    def loss_after(self, calls: Sequence[int]) -> RecordedLoss:
        """What the program makes of the last call's result and the targets, as a function of
        both."""
        return RecordedLoss(self, calls)


class RecordedLoss:
    """A program's own loss as a function ``loss(outputs, targets)``.

    ``function`` is what the program called: a function of ``nn.functional``, a loss module, or a
    function of its own; then rows may be any.  Where the loss stands in the loop itself (None),
    its operations are done again, for as many rows as there were.  ``__name__`` is that of the
    library's function or of the module.  ``targets`` are as the program gave them, several in a
    tuple.
    """

    def __init__(self, step: RecordedStep, calls: Sequence[int]) -> None:
        self.step = step
        self.calls = list(calls)
        self.call = call = self.calls[-1]
        self.form = next((f for f in step.forms if f.takes(call)), None)
        self.lead: tuple[int, ...] = ()
        """Axes of the outputs that the program made one of before it called its loss."""
        if self.form is None:
            self.form, self.lead = _folded(step, call)
        self.given = [id(array) for array in self._targets()]
        self.function = None if self.form is None else self.form.function
        self.__name__ = self._name()

    def _targets(self) -> list[np.ndarray]:
        if self.form is None or len(self.calls) > 1:
            found = self.step.targets_after(self.calls)
        else:
            values = self.form.values()
            single = (self.step.shape_of(self.call) or (0,))[:1] == (1,)
            given = [s.value for s in values if isinstance(s, Constant)]
            found = [array for array in given if _has_rows(array, single)]
        if len(found) < 2 or len(self.calls) > 1:
            return found
        # Weights of classes, levels of quantiles and the like are no targets: they have no rows.
        rows = (self.step.shape_of(self.call) or (0,))[0]
        counts = {rows, math.prod(self.lead or (rows,))}
        return [array for array in found if array.shape[:1] and len(array) in counts] or found

    @property
    def targets(self) -> np.ndarray | tuple[np.ndarray, ...] | None:
        """The targets of the recorded step: an array, several in a tuple, or None."""
        found = tuple(self._unfolded(target) for target in self._targets())
        return found[0] if len(found) == 1 else found or None

    def _unfolded(self, target: np.ndarray) -> np.ndarray:
        if self.lead and target.shape[:1] == (math.prod(self.lead),):
            return target.reshape(*self.lead, *target.shape[1:])
        return target

    def _name(self) -> str:
        if self.form is not None and not isinstance(self.function, Module):
            return str(getattr(self.function, "__name__", ""))
        if self.function is not None:
            return type(self.function).__name__
        needed = self.step._needed()
        after = [s for n, s in enumerate(self.step.steps) if n > self.call and n in needed]
        names = dict.fromkeys(s.name for s in after if isinstance(s, Operation))
        known = [name for name in names if is_loss_name(name)]
        return "+".join(known or names)

    def __call__(self, outputs: Any, targets: Any = None) -> Any:
        """The loss of other outputs, and of other targets where they are given."""
        several = targets if isinstance(targets, (tuple, list)) else (targets,)
        if self.lead:
            axes = len(self.lead)
            outputs = outputs.flatten(0, axes - 1)
            if targets is not None:
                several = [as_tensor(target).flatten(0, axes - 1) for target in several]
        replaced = {} if targets is None else dict(zip(self.given, several, strict=False))
        if self.form is not None:
            return self.form(outputs, self.call, replaced)
        known = self.step.shape_of(self.call)
        if known is not None and tuple(getattr(outputs, "shape", ())) != known:
            raise NotRepeatable(
                f"the loss was computed in the loop, for outputs of shape {known}",
                "give watch() the loss as a function",
            )
        return self.step.with_constants(replaced).loss({self.call: outputs})

    def __repr__(self) -> str:
        return f"<loss of the program: {self.__name__ or 'operations'}>"


def _has_rows(array: np.ndarray, single: bool) -> bool:
    """Whether a value may be targets: several numbers; of a batch of a single row, also one."""
    return array.size > 1 or (single and array.ndim > 0 and array.size == 1)


def _folded(step: RecordedStep, call: int) -> tuple[Form | None, tuple[int, ...]]:
    """A form that takes the result of a call with its leading axes made one, and these axes."""
    shape = step.shape_of(call)
    if shape is None or len(shape) < 3:
        return None, ()
    for form in step.forms:
        for value in form.values():
            made = step.steps[value.operation] if isinstance(value, Made) else None
            if not isinstance(made, Operation) or made.primitive.name != "reshape":
                continue
            whole = (math.prod(shape[:-1]), shape[-1])
            if made.sources == (Result(call, 0),) and tuple(made.settings["shape"]) == whole:
                return form.with_argument(value, Result(call, 0)), shape[:-1]
    return None, ()


def is_loss_name(name: str) -> bool:
    """Whether a function of this name computes a loss."""
    return name.endswith(("loss", "entropy", "kl_div", "with_logits"))


@dataclass(frozen=True)
class Form:
    """A function that gave the loss, and where its arguments came from."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def values(self) -> list[Any]:
        """All arguments."""
        return [*self.args, *self.kwargs.values()]

    def takes(self, call: int) -> bool:
        """Whether the result of a call is an argument as it is."""
        return any(isinstance(s, Result) and s.call == call for s in self.values())

    def with_argument(self, old: Any, new: Any) -> Form:
        """The form with another source in place of one."""
        args = tuple(new if value is old else value for value in self.args)
        kwargs = {n: new if value is old else value for n, value in self.kwargs.items()}
        return Form(self.function, args, kwargs)

    def is_repeatable(self, call: int) -> bool:
        """Whether it reads nothing but the result of a call, values and parameters."""
        sources = [v for v in self.values() if isinstance(v, (Result, Made))]
        return all(isinstance(s, Result) and s.call == call for s in sources)

    def is_bare(self, call: int) -> bool:
        """Whether calling the function with outputs and targets is the same."""
        if len(self.args) < 2 or not self.is_repeatable(call) or self.args[0] != Result(call, 0):
            return False
        if not isinstance(self.args[1], Constant):
            return False
        try:
            bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
            parameters = bound.signature.parameters
        except (TypeError, ValueError):
            return len(self.args) == 2 and not self.kwargs
        rest = list(bound.arguments.items())[2:]
        return all(not isinstance(v, Source) and v == parameters[n].default for n, v in rest)

    def __call__(self, outputs: Any, call: int, replaced: Mapping[int, Any]) -> Any:
        """The loss with ``outputs`` as the result of a call, and with other constants."""
        leaves: list[TensorCore] = []
        flatten(outputs, leaves)

        def filled(value: Any) -> Any:
            if isinstance(value, Result) and value.call == call:
                return leaves[value.number]
            if isinstance(value, Constant):
                return as_tensor(replaced.get(id(value.value), value.value))
            if isinstance(value, Leaf):
                return value.tensor
            if isinstance(value, (Result, Made)):
                raise NotRepeatable("the loss reads more than outputs and targets", "")
            return value

        args = [filled(value) for value in self.args]
        return self.function(*args, **{name: filled(v) for name, v in self.kwargs.items()})


def plain(function: Any) -> Callable[..., Any]:
    """The Python of a function that may be compiled."""
    while isinstance(function, CompiledFunction):
        function = function.function
    found: Callable[..., Any] = function
    return found


# ---- remembering a step --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """An operation as the watcher saw it, with the frame of the library's function around it."""

    primitive: Primitive
    inputs: tuple[Any, ...]
    settings: Mapping[str, Any]
    site: FrameType | None
    user: FrameType | None
    name: str
    line: str
    cell: Any
    """Kept, so that its id stays its own."""


class StepRecorder:
    """Remembers the step that runs now: the watcher of operations outside of calls."""

    takes_units = True
    """Kernels of several operations run as ever."""

    def __init__(self) -> None:
        self.steps: list[Call | Operation] = []
        self.outputs: list[tuple[Source, np.ndarray | None]] = []
        self.value = 0.0
        self.line = ""
        self.bytes = 0
        self._seen: dict[int, _Seen] = {}
        self._places: dict[Any, tuple[Any, Source]] = {}
        """What identifies a value → what keeps its id its own, and where it comes from."""
        self._open: list[tuple[Any, tuple[Source, ...]] | None] = []
        self._arguments: dict[int, tuple[FrameType, tuple[list[Any], dict[str, Any]]]] = {}
        """id of a frame → it, and what its function was given."""
        self._forms: list[Form] = []
        self._shapes: dict[int, tuple[int, ...]] = {}

    @property
    def is_too_large(self) -> bool:
        """Whether the step was given more than is remembered."""
        return self.bytes > MOST_BYTES

    # ---- the watcher ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Watch operations from now on, unless somebody else does."""
        if state.watcher is None and state.trace is None:
            state.watcher = self

    def end(self) -> None:
        """Watch no more."""
        if state.watcher is self:
            state.watcher = None

    def operation(
        self,
        primitive: Primitive,
        inputs: Sequence[TensorCore],
        params: Mapping[str, Any],
        result: TensorCore,
    ) -> None:
        """``result`` was just computed."""
        cell = result._cell
        if not state.grad_enabled or len(self._seen) > MOST_OPERATIONS:
            return
        site, user = _frames()
        line = "" if user is None else _line_of(user)
        for frame in (site, user):
            if frame is not None and id(frame) not in self._arguments:
                self._arguments[id(frame)] = (frame, _arguments(frame))
        self._seen[id(cell)] = _Seen(
            primitive, tuple(inputs), dict(params), site, user, _name_of(site), line, cell
        )

    def assignment(self, cell: Any, value: TensorCore) -> None:
        """A tensor is overwritten: what was computed into it before does not tell its value."""
        self._seen.pop(id(cell), None)

    # ---- calls ---------------------------------------------------------------------------------

    def entered(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A call begins: what it is given is as it is now."""
        self.end()
        if not state.grad_enabled:  # what it gives is a value like any other
            self._open.append(None)
            return
        leaves: list[TensorCore] = []
        tree = flatten((args, kwargs), leaves)
        self._open.append((tree, tuple(self.source(leaf) for leaf in leaves)))

    def called(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        """It is over.  A compiled function is not seen to begin."""
        if isinstance(function, CompiledFunction):
            self.entered(args, kwargs)
        opened = self._open.pop() if self._open else None
        if opened is not None:
            self.steps.append(Call(function, *opened))
            leaves: list[TensorCore] = []
            flatten(result, leaves)
            if len(leaves) == 1:
                self._shapes[len(self.steps) - 1] = tuple(leaves[0].shape)
            for number, leaf in enumerate(leaves):
                if leaf._record is not None:
                    source = Result(len(self.steps) - 1, number)
                    self._places.setdefault(_key(leaf), (leaf._record, source))
        if not self._open:
            self.begin()

    def backward(self, outputs: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Gradients of these tensors are about to be computed."""
        self.end()
        for output, cotangent in zip(outputs, cotangents, strict=True):
            given = None if cotangent is None else np.array(cotangent.array())
            self._forms += self._forms_of(output)
            self.outputs.append((self.source(output), given))
            value = output.array()
            self.value += float((value if given is None else value * given).sum())
        self.line = self.line or user_line()

    def leaves(self) -> list[Any]:
        """The parameters that the loss was computed from, as far as it was followed."""
        sources = [source for _, source in self._places.values()]
        return [source.tensor for source in sources if isinstance(source, Leaf)]

    def finished(self) -> RecordedStep:
        """What led to the gradients since the last call; the step may go on."""
        found = RecordedStep(list(self.steps), self.outputs, self.value, self.line)
        found.bytes, found.forms, found.shapes = self.bytes, self._forms, dict(self._shapes)
        self._forms = []
        self.outputs, self.value, self.line = [], 0.0, ""
        return found

    def _forms_of(self, loss: Any) -> list[Form]:
        """The functions around the operation that gave the loss: the library's, where it is one
        of losses, and the program's own, unless that is the one that asks for gradients."""
        place = self._places.get(_key(loss))
        if place is not None and isinstance(place[1], Result):
            step = self.steps[place[1].call]
            plain_call = isinstance(step, Call) and isinstance(step.tree, tuple)
            return [self._form_of_call(step)] if plain_call else []
        seen = self._seen.get(id(loss._cell))
        if seen is None:
            return []
        found = []
        if seen.site is not None and is_loss_name(seen.name):
            found.append(self._form(seen.site, getattr(functional, seen.name, None)))
        if seen.user is not None and seen.user is not _frames()[1]:
            found.append(self._form(seen.user, _function_of(seen.user)))
        return [form for form in found if form is not None]

    def _form_of_call(self, step: Any) -> Form:
        args, kwargs = rebuild(step.tree, iter(step.sources))
        return Form(plain(step.function), tuple(args), kwargs)

    def _form(self, frame: FrameType, function: Any) -> Form | None:
        if function is None or id(frame) not in self._arguments:
            return None
        args, kwargs = self._arguments[id(frame)][1]
        given = [*args, *kwargs.values()]
        if any(isinstance(v, (list, tuple, dict)) for v in given if not isinstance(v, TensorCore)):
            return None
        args = [self.source(v) if isinstance(v, TensorCore) else v for v in args]
        named = {n: self.source(v) if isinstance(v, TensorCore) else v for n, v in kwargs.items()}
        return Form(function, tuple(args), named)

    # ---- where values come from ----------------------------------------------------------------

    def source(self, tensor: Any) -> Source:
        """Where a tensor's value comes from."""
        tensor.follow()
        stack: list[tuple[Any, FrameType | None, bool]] = [(tensor, None, False)]
        while stack:
            current, site, is_ready = stack.pop()
            key = _key(current)
            if key in self._places:
                continue
            record, seen = current._record, self._seen.get(id(current._cell))
            operands = self._operands(current, seen, site)
            if operands is None:
                self._places[key] = (current._cell, self._end(current))
            elif not is_ready:
                stack.append((current, site, True))
                inside = None if seen is None else seen.site
                stack.extend((operand, inside, False) for operand in operands)
            else:
                self._places[key] = (record or current._cell, Made(len(self.steps)))
                sources = tuple(self._places[_key(operand)][1] for operand in operands)
                self.steps.append(_operation(record, seen, sources))
        return self._places[_key(tensor)][1]

    def _operands(
        self, tensor: Any, seen: _Seen | None, site: FrameType | None
    ) -> Sequence[Any] | None:
        """What a tensor was computed from, as far as that is followed: along the tape; and, of
        what has no history, where the same function of the library made and uses it, so that a
        program's own values stay values."""
        if tensor._record is not None:
            inputs: Sequence[Any] = tensor._record.inputs
            return inputs
        if tensor._requires_grad or seen is None or seen.primitive.family == "composite":
            return None
        return seen.inputs if site is not None and seen.site is site else None

    def _end(self, tensor: Any) -> Source:
        if tensor._requires_grad:
            return Leaf(tensor)
        array = np.array(tensor.array())
        self.bytes += array.nbytes
        return Constant(array)


def _key(tensor: Any) -> Any:
    """What identifies a value: the record that made it, or its place in memory and its age."""
    if tensor._record is not None:
        return id(tensor._record)
    return id(tensor._cell), None if tensor._requires_grad else tensor._cell.age


def _operation(record: Record | None, seen: _Seen | None, sources: Any) -> Operation:
    name, line = ("", "") if seen is None else (seen.name, seen.line)
    if record is None:
        if seen is None:
            raise NotRepeatable("a value has no known origin", "run the step again")
        return Operation(seen.primitive, seen.settings, None, sources, name, line)
    function = None if record.kernel is None else record.kernel._function
    return Operation(record.op, dict(record.settings), function, sources, name, line)


def _name_of(site: FrameType | None) -> str:
    """The name of a library's function; of a wrapper around one, that one's."""
    if site is None:
        return ""
    inner = site.f_locals.get("function") if "function" in site.f_code.co_freevars else None
    return str(getattr(inner, "__name__", site.f_code.co_name))


def _frames() -> tuple[FrameType | None, FrameType | None]:
    """The frame of the library's function that the user's code called, and that of this code."""
    site, frame = None, sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_file(file):
            return site, frame
        if is_own_file(file):
            site = frame
        frame = frame.f_back  # type: ignore[assignment]
    return site, None


def _line_of(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    return f"{cell_of(file) or file}:{frame.f_lineno}"


def _arguments(frame: FrameType) -> tuple[list[Any], dict[str, Any]]:
    """What a function was given, as its variables hold it now."""
    code, held = frame.f_code, frame.f_locals
    if "function" in code.co_freevars and {"args", "kwargs"} <= held.keys():
        return list(held["args"]), dict(held["kwargs"])
    count = code.co_argcount
    args = [held.get(name) for name in code.co_varnames[:count]]
    named = code.co_varnames[count : count + code.co_kwonlyargcount]
    return args, {name: held.get(name) for name in named}


def _function_of(frame: FrameType) -> Any:
    """The function whose code a frame runs, found among what its caller and its module hold."""
    code, caller = frame.f_code, frame.f_back
    places = [frame.f_globals] if caller is None else [caller.f_locals, frame.f_globals]
    for held in places:
        for value in list(held.values()):
            if getattr(value, "__code__", None) is code:
                return value
    return None
