"""What all optimizers share: parameter groups, state, gradients, saving and loading.

An optimizer is a *rule*: a pure function of (parameter, gradient, slots, numbers) that returns
new values.  :meth:`Optimizer.step` reads every gradient, applies the rule to every parameter, and
only then writes, so that all parameters move in unison.  The rules consist of tensor operations
without decisions about values; traced by :func:`pellucid.compile` they become one pass over the
memory of each parameter.

Four kinds of hyperparameters meet in a compiled step:

* numbers that schedules change (learning rate, momentum, decay) are inputs of the program;
* switches (is there any momentum, any decay) choose the program; flipping one retraces;
* constants (eps, amsgrad) are part of the program; changing one retraces;
* the count of steps lives in memory and is advanced by the program.
"""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar, TypeAlias, TypedDict, TypeVar, overload

import numpy as np

from pellucid.base.boundary import ClearlyMade
from pellucid.base.caches import register_cache
from pellucid.base.dtypes import DType, float32
from pellucid.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    NamingError,
    unknown_keyword,
)
from pellucid.graph.node import layer_scope
from pellucid.optim.hooks import Hooked, hooked_load, hooked_state, hooked_step
from pellucid.optim.hooks import (
    register_optimizer_step_post_hook as register_optimizer_step_post_hook,
)
from pellucid.optim.hooks import (
    register_optimizer_step_pre_hook as register_optimizer_step_pre_hook,
)
from pellucid.optim.watched import ParameterGroup as ParameterGroup
from pellucid.optim.watched import StateTable, WatchedDict, WatchedList
from pellucid.tensor.autograd import enable_grad, has_gradient, no_grad
from pellucid.tensor.complex import view_as_complex, view_as_real
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import full_like, tensor, zeros_like
from pellucid.tensor.functions import where
from pellucid.tensor.guards import Identity
from pellucid.tensor.state import (
    are_eager_kernels_enabled,
    concrete,
    guard,
    host_value,
    is_tracing,
    is_watched,
    watch,
)
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.updating import NativeUpdate
from pellucid.tensor.validity import changed

required: Any = type("_Required", (), {"__repr__": lambda self: "<required parameter>"})()
"""The default of a hyperparameter that groups must give: older programs that derive their own
optimizer write ``lr=required``."""

Numbers = dict[str, Any]
"""Name → Python number, or 0-dimensional tensor where it depends on the step or a trace runs."""

Slots = dict[str, Any]
"""Name → tensor in the shape of its parameter: what the optimizer remembers about it."""

Bunch = tuple["ParameterGroup", Slots, list[Any]]
"""Parameters of a group that are updated together, with the slots (their count) that they share."""

NEGLIGIBLE = 1e-30
"""A running mean of gradients that is smaller is zero."""
NEGLIGIBLE_SQUARE = 1e-37
"""So is a running mean of their squares."""
NATIVE_ELEMENTS = 1 << 14
"""Parameters of so many numbers together are updated by a native program, also eagerly."""
NATIVE_PROGRAMS = 4
"""Such programs kept for each optimizer: for different sets of parameters with a gradient."""

Interval = tuple[float, float, str]
"""Lowest value, highest value, and which of them are allowed: ``"[]"``, ``"[)"``, …"""

NOT_NEGATIVE: Interval = (0.0, math.inf, "[)")
FRACTION: Interval = (0.0, 1.0, "[)")
PROPORTION: Interval = (0.0, 1.0, "[]")


class FurtherExecution(TypedDict, total=False):
    """:class:`Execution` without ``foreach``, where that is a parameter of its own."""

    fused: bool | None
    capturable: bool
    differentiable: bool


class Execution(FurtherExecution, total=False):
    """PyTorch's keywords about how an update is run; see :func:`execution_settings`."""

    foreach: bool | None


Parameters: TypeAlias = (
    Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Mapping[str, Any]]
)
"""What an optimizer is given: tensors, (name, tensor) pairs, or groups of these."""

Loss = TypeVar("Loss")

_EXECUTION = {"foreach": None, "fused": None, "capturable": False, "differentiable": False}


class Optimizer(Hooked, ClearlyMade):
    """Base of all optimizers.

    ``params`` is an iterable of tensors, of ``(name, tensor)`` pairs, or of dictionaries
    ``{"params": tensors, "lr": 0.1, …}`` (parameter groups) whose entries override ``defaults``.

    ``param_groups`` is the list of groups, ``state[parameter]`` the dictionary of what is
    remembered about a parameter (PyTorch's names: ``step``, ``exp_avg``, …).  Parameters of a
    group that are updated together share one ``step`` tensor.

    Raises :class:`ArgumentError` for an empty list, one tensor instead of a list, something that
    is no tensor, a tensor that is no leaf, a parameter given twice, and hyperparameters out of
    range.
    """

    ranges: ClassVar[Mapping[str, Interval]] = {}
    """Hyperparameter → allowed interval; for tuples it holds for each element."""
    switches: ClassVar[tuple[str, ...]] = ("weight_decay", "l1")
    """Hyperparameters that choose the program by being zero or not."""
    takes_complex: ClassVar[bool] = True
    """Whether complex parameters are updated, as pairs of real ones."""
    constants: ClassVar[tuple[str, ...]] = ()
    """Hyperparameters that are built into the program."""
    unsaved: ClassVar[tuple[str, ...]] = ()
    """Names of a parameter's state that :meth:`state_dict` leaves out."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class with a :meth:`step` of its own calls the hooks around it, too."""
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            setattr(cls, "step", hooked_step(vars(cls)["step"]))  # noqa: B010

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        if isinstance(params, TensorCore):
            raise ArgumentTypeError(
                f"{type(self).__name__} got one tensor of shape {tuple(params.shape)} as params",
                "pass a list, [tensor], or model.parameters()",
            )
        self.defaults = defaults
        self.state: StateTable = StateTable(WatchedDict)
        self.param_groups: list[ParameterGroup] = WatchedList()
        self._layout = 0
        self._stepped = False
        groups: list[Any] = list(params)
        if not groups:
            raise ArgumentError(
                f"{type(self).__name__} got an empty list of parameters",
                "pass model.parameters(); layers that a model keeps in a plain list or dict are "
                "not found: use nn.ModuleList or nn.ModuleDict; and a generator that was used up "
                "gives nothing: make a list of it first",
            )
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    _skip: Tensor | None = None
    """Where it is true, the step that is being made changes nothing; see :meth:`step_unless`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state" and not isinstance(value, StateTable):
            table = StateTable(WatchedDict)
            table.update(value)
            value = table
        elif name == "param_groups" and not isinstance(value, WatchedList):
            value = WatchedList(value)
        super().__setattr__(name, value)
        if name in ("state", "param_groups"):
            changed(self)

    # ---- parameter groups ------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add ``{"params": tensors, …}``; what it does not name is taken from the defaults."""
        given = param_group.get("params") if isinstance(param_group, Mapping) else None
        if given is None:
            kind = NamingError if isinstance(param_group, Mapping) else ArgumentTypeError
            raise kind(
                f"a parameter group needs params and is a {type(param_group).__name__} without",
                'use {"params": tensors, "lr": 0.1}',
            )
        if isinstance(given, (set, frozenset)):
            raise ArgumentError("params is a set, whose order changes between runs", "use a list")
        listed = [given] if isinstance(given, TensorCore) else list(given)
        names = [entry[0] for entry in listed if isinstance(entry, tuple)]
        tensors = [entry[1] if isinstance(entry, tuple) else entry for entry in listed]
        others = bool(self.param_groups) and ("param_names" in self.param_groups[0]) != bool(names)
        if (names and len(names) != len(tensors)) or others:
            raise ArgumentError("some parameters have a name and some do not", "name all or none")
        group = ParameterGroup({**self.defaults, **param_group, "params": WatchedList(tensors)})
        lacking = [name for name, value in group.items() if value is required]
        if lacking:
            raise ArgumentError(
                f"a parameter group says nothing of {', '.join(lacking)}, which it must give",
                f'use {{"params": tensors, "{lacking[0]}": …}}, or give it to the optimizer',
            )
        if names:
            group["param_names"] = names
        self._check_tensors(tensors)
        self._check_ranges(group)
        self.param_groups.append(group)
        self._changed()

    def _check_tensors(self, tensors: list[Any]) -> None:
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for position, parameter in enumerate(tensors):
            if not isinstance(parameter, TensorCore):
                raise ArgumentTypeError(
                    f"parameter {position} is a {type(parameter).__name__}, not a tensor",
                    "pass tensors, (name, tensor) pairs or groups",
                )
            if parameter.dtype.is_complex and not self.takes_complex:
                raise ArgumentError(
                    f"{type(self).__name__} does not support complex parameters",
                    "give it the real ones and the rest to another optimizer",
                )
            if not parameter.is_leaf:
                raise ArgumentError(
                    f"parameter {position} of shape {tuple(parameter.shape)} is not a leaf: it is "
                    "the result of a recorded operation",
                    "optimize the tensor it was computed from, or x.detach().requires_grad_()",
                )
            if id(parameter) in known:
                raise ArgumentError(
                    f"parameter {position} of shape {tuple(parameter.shape)} was given twice",
                    "each parameter belongs to one group, once",
                )
            known.add(id(parameter))

    def _check_ranges(self, group: Mapping[str, Any]) -> None:
        for name, interval in {"l1": NOT_NEGATIVE, **self.ranges}.items():
            value = group.get(name, 0.0)
            for element in value if isinstance(value, (tuple, list)) else (value,):
                check_number(type(self).__name__, name, element, interval)

    def _changed(self) -> None:
        """Groups or slots are others than before: programs that use them are no longer valid."""
        self._layout += 1
        changed(self)

    # ---- the step --------------------------------------------------------------------------

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with ``set_to_none=False`` fill them with zeros instead.

        Without it the next ``backward()`` adds to them: that is how gradients of several batches
        are accumulated.
        """
        for group in self.param_groups:
            for parameter in group["params"]:
                # Not read when it is dropped: a compiled step need not store what nobody reads.
                if set_to_none:
                    parameter.grad = None
                elif has_gradient(parameter):
                    parameter.grad = zeros_like(parameter)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    @hooked_step
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """Move every parameter that has a gradient; returns the closure's loss, if one is given.

        ``closure`` computes the loss and its gradients anew and returns the loss.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad(), layer_scope(type(self).__name__):
            bunches: list[Bunch] = [
                (group, *b) for group in self.param_groups for b in self._bunches(group)
            ]
            if not self._update_natively(bunches):
                self._update(bunches)
            if is_tracing():
                self._guard()
        return loss

    def step_unless(self, skip: Tensor) -> None:
        """:meth:`step`, but all stays as it is, also what is counted, where ``skip`` is true.

        For compiled functions, where ``skip``, a bool tensor without axes, is not known yet.
        """
        self._skip = skip
        try:
            self.step()
        finally:
            self._skip = None

    def _guard(self) -> None:
        """What a compiled step relies on: the groups, what of them is built in, and the slots."""
        kind = type(self).__name__
        for subject in (self, self.param_groups, self.state, *self.state.values()):
            watch(subject)
        for group in self.param_groups:
            watch(group)
            watch(group["params"])
        guard(lambda: self._layout, f"the groups of {kind}")
        guard(
            lambda: [
                (Identity(g), self._structure(g), [*map(id, g["params"])])
                for g in self.param_groups
            ],
            f"a setting or the parameters of {kind}",
        )
        held = [
            (slots, name, value)
            for slots in self.state.values()
            for name, value in slots.items()
            if isinstance(value, TensorCore)
        ]
        table, listed = self.state, list(self.state.items())
        guard(
            lambda: (
                self.state is table
                and all(table.get(p) is slots for p, slots in listed)
                and all(slots.get(name) is value for slots, name, value in held)
            ),
            f"the state of {kind}",
        )

    def _update(self, bunches: list[Bunch]) -> None:
        """Compute all new values, then write them."""
        changes: list[tuple[Any, Any]] = []
        for group, shared, parameters in bunches:
            changes += self._changes(group, shared, parameters)
        skip = self._skip
        for target, value in changes:
            target.copy_(value if skip is None else where(skip, target, value))

    def _update_natively(self, bunches: list[Bunch]) -> bool:
        """The same as one native program, outside of ``compile`` and where it is worth it."""
        if is_tracing() or is_watched() or not are_eager_kernels_enabled():
            return False
        parameters = [p for _, _, listed in bunches for p in listed]
        if sum(p._cell.array.size for p in parameters) < NATIVE_ELEMENTS:
            return False
        key = (
            self._layout,
            tuple(self._structure(group) for group in self.param_groups),
            tuple(map(id, parameters)),
        )
        known = _updates.setdefault(self, {})
        found = known.get(key)
        if found is None or not found.holds():
            gradients = {p._grad._cell for p in parameters}
            if len(gradients) < len(parameters):
                return False  # several parameters have one tensor as their gradient
            self._slots_exist(bunches)
            found = known[key] = _Update(self, lambda: self._update(bunches), parameters)
            while len(known) > NATIVE_PROGRAMS:
                del known[next(iter(known))]
        return found.run()

    def _slots_exist(self, bunches: list[Bunch]) -> None:
        """Make the slots of all parameters that have none yet."""
        for group, _, parameters in bunches:
            for parameter in parameters:
                self._slots_of(group, parameter)

    def _structure(self, group: ParameterGroup) -> tuple[Any, ...]:
        """What of the group is built into a compiled step."""
        return (
            *(group.get(name, 0) != 0 for name in self.switches),
            *(group.get(name) for name in self.constants),
            id(group["lr"]._cell) if isinstance(group["lr"], Tensor) else None,
        )

    def _bunches(self, group: ParameterGroup) -> list[tuple[Slots, list[Any]]]:
        """Parameters with a gradient, by the shared slots (``step``) that count for them."""
        ready: list[Any] = []
        waiting: list[Any] = []
        for parameter in group["params"]:
            (waiting if parameter.grad is None else ready).append(parameter)
        fresh: dict[tuple[tuple[str, float], ...], Slots] = {}
        bunches: dict[tuple[int, ...], tuple[Slots, list[Any]]] = {}
        for parameter in ready:
            state = self.state[parameter]
            initial = self._shared(group, state)
            if not initial.keys() <= state.keys():
                key = tuple(initial.items())
                if key not in fresh:
                    with concrete():
                        fresh[key] = {n: tensor(v, dtype=float32) for n, v in initial.items()}
                state.update(fresh[key])
            shared = {name: state[name] for name in initial}
            bunch = bunches.setdefault(tuple(map(id, shared.values())), (shared, []))
            bunch[1].append(parameter)
        counted = {id(self.state[p]["step"]) for p in waiting if "step" in self.state.get(p, ())}
        return [
            self._part(shared, parameters) if counted & set(map(id, shared.values())) else bunch
            for bunch in bunches.values()
            for shared, parameters in [bunch]
        ]

    def _part(self, shared: Slots, parameters: list[Any]) -> tuple[Slots, list[Any]]:
        """Give these parameters a count of their own: others that shared it stand still."""
        with concrete():
            own = {name: value.clone() for name, value in shared.items()}
        for parameter in parameters:
            self.state[parameter].update(own)
        self._changed()
        return own, parameters

    def _changes(
        self, group: ParameterGroup, shared: Slots, parameters: list[Any]
    ) -> list[tuple[Any, Any]]:
        """(tensor, its new value) for these parameters, their slots and their count."""
        if not parameters:
            return []
        numbers, advanced = self._numbers(group, shared)
        numbers |= self._decay(group)
        by_dtype: dict[DType, Numbers] = {}
        changes = [(shared[name], value) for name, value in advanced.items()]
        for parameter in parameters:
            dtype = parameter.dtype.to_real()
            if dtype not in by_dtype:
                by_dtype[dtype] = {name: _in_dtype(n, dtype) for name, n in numbers.items()}
            slots = self._slots_of(group, parameter)
            value, gradient = as_real(parameter), as_real(parameter.grad)
            seen = {name: as_real(slot) for name, slot in slots.items()}
            start, gradient = penalized(value, gradient, group, by_dtype[dtype])
            new, new_slots = self._rule(start, gradient, seen, by_dtype[dtype], group)
            changes.append((parameter, as_its_kind(parameter, new)))
            changes += [(slots[name], as_its_kind(slots[name], v)) for name, v in new_slots.items()]
        return changes

    def _slots_of(self, group: ParameterGroup, parameter: Any) -> Slots:
        state = self.state[parameter]
        for name, value in self._slots(group).items():
            if name not in state:
                complex_too = 1 + 1j if parameter.dtype.is_complex else 1
                with concrete():
                    state[name] = full_like(parameter, value * complex_too)
        return {name: state[name] for name in self._slots(group)}

    def _decay(self, group: ParameterGroup) -> Numbers:
        """Numbers of the penalties on large parameters; absent where they are zero."""
        numbers: Numbers = {}
        direct = self._decays_directly(group)
        if group.get("weight_decay", 0) != 0:
            if direct:
                numbers["keep"] = _product(group, "weight_decay", lambda product: 1 - product)
            else:
                numbers["weight_decay"] = host_value(lambda: group["weight_decay"])
        if group.get("l1", 0) != 0:
            if direct:
                numbers["shrink"] = _product(group, "l1", lambda product: product)
            else:
                numbers["l1"] = host_value(lambda: group["l1"])
        return numbers

    # ---- what a subclass says --------------------------------------------------------------

    def _slot_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the slot ``name`` of a parameter of this shape."""
        return shape

    def _decays_directly(self, group: ParameterGroup) -> bool:
        """Whether decay shrinks the parameter instead of joining the gradient."""
        return False

    def _shared(self, group: ParameterGroup, state: Slots) -> dict[str, float]:
        """Name → initial value of the numbers that count the steps."""
        return {"step": 0.0}

    def _slots(self, group: ParameterGroup) -> dict[str, float]:
        """Name → initial value of the slots of each parameter."""
        return {}

    def _numbers(self, group: ParameterGroup, shared: Slots) -> tuple[Numbers, Slots]:
        """The numbers of this step, computed once a group, and the advanced shared slots."""
        raise NotImplementedError

    def _rule(
        self, param: Any, grad: Any, slots: Slots, numbers: Numbers, group: ParameterGroup
    ) -> tuple[Any, Slots]:
        """The new parameter and its new slots."""
        raise NotImplementedError

    # ---- saving and loading ----------------------------------------------------------------

    @hooked_state
    def state_dict(self) -> dict[str, Any]:
        """``{"state": {index: slots}, "param_groups": [{…, "params": [indices]}]}``.

        PyTorch's layout.  Tensors are the optimizer's own, not copies.
        """
        index: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                index[id(parameter)] = len(index)
            packed = {key: value for key, value in group.items() if key != "params"}
            if not packed.get("l1", 1):
                del packed["l1"]  # PyTorch's groups have none
            groups.append({**packed, "params": [index[id(p)] for p in group["params"]]})
        state = {
            index[id(p)]: {k: v for k, v in slots.items() if k not in self.unsaved}
            for p, slots in self.state.items()
            if id(p) in index
        }
        return {"state": state, "param_groups": groups}

    @hooked_load
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned, here or in PyTorch; tensors are copied.

        Parameters are matched by position.  Raises :class:`ArgumentError`, and changes nothing,
        if groups, their sizes or the shapes of slots differ.
        """
        saved = self._check_saved(state_dict)
        loaded = StateTable(WatchedDict)
        for group, other in zip(self.param_groups, saved, strict=True):
            counters: dict[tuple[str, float], Any] = {}
            for parameter, index in zip(group["params"], other["params"], strict=True):
                slots = state_dict["state"].get(index, state_dict["state"].get(str(index)))
                if slots is not None:
                    loaded[parameter] = self._load_slots(parameter, index, slots, counters)
        for group, other in zip(self.param_groups, saved, strict=True):
            entries = {k: copy.deepcopy(v) for k, v in other.items() if k != "params"}
            if "l1" in group:
                entries.setdefault("l1", 0)
            if isinstance(entries.get("betas"), list):
                entries["betas"] = tuple(entries["betas"])
            group.update(entries)
        self.state = loaded
        self._changed()

    def _check_saved(self, state_dict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        if (
            not isinstance(state_dict, Mapping)
            or not {"state", "param_groups"} <= state_dict.keys()
        ):
            kind = NamingError if isinstance(state_dict, Mapping) else ArgumentTypeError
            raise kind(
                "load_state_dict needs a dictionary with state and param_groups",
                "pass what optimizer.state_dict() returned",
            )
        saved = list(state_dict["param_groups"])
        sizes = [len(group["params"]) for group in self.param_groups]
        found = [len(group["params"]) for group in saved]
        if sizes != found:
            raise ArgumentError(
                f"the saved parameter groups have {found} parameters, this optimizer {sizes}",
                "build it with the same groups as the one that was saved",
            )
        for group in saved:
            self._check_ranges({**self.defaults, **group})
        return saved

    def _load_slots(
        self, parameter: Any, index: Any, slots: Mapping[str, Any], counters: dict[Any, Any]
    ) -> dict[str, Any]:
        """Copies of saved slots; equal counts become one tensor again."""
        result: dict[str, Any] = {}
        for name, value in slots.items():
            array = _as_array(value)
            if array is None:
                result[name] = copy.deepcopy(value)
            elif array.ndim == 0 and name in ("step", "mu_product", "eta", "mu"):
                key = (name, float(array))
                result[name] = counters.setdefault(key, tensor(float(array), dtype=float32))
            elif array.shape != self._slot_shape(name, tuple(parameter.shape)):
                raise ArgumentError(
                    f"the saved {name} of parameter {index} has shape {array.shape}, the parameter "
                    f"{tuple(parameter.shape)}",
                    "load the state of an optimizer for the same model",
                )
            else:
                result[name] = tensor(np.array(array), dtype=parameter.dtype)
        return result

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def as_real(value: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, each of which is a number of its own to an update."""
    return view_as_real(value) if value.dtype.is_complex else value


def as_its_kind(target: Tensor, value: Tensor) -> Tensor:
    """What :func:`as_real` made of complex numbers as these again."""
    return view_as_complex(value) if target.dtype.is_complex else value


class _Update:
    """One optimizer's step for one set of parameters as a native program."""

    def __init__(
        self, optimizer: Optimizer, update: Callable[[], None], parameters: list[Any]
    ) -> None:
        self._program = NativeUpdate(update)
        place = {cell: i for i, cell in enumerate(self._program.cells)}
        self._gradients = [(p, place[p._grad._cell]) for p in parameters if p._grad._cell in place]
        self._slots = [
            (slots, name, value, value._cell)
            for slots in (optimizer.state[p] for p in parameters)
            for name, value in slots.items()
            if isinstance(value, TensorCore)
        ]
        self._known = [(p, p._cell) for p in parameters]

    def holds(self) -> bool:
        """Whether parameters and slots are the tensors that the program was made for."""
        return all(p._cell is cell for p, cell in self._known) and all(
            slots.get(name) is value and value._cell is cell
            for slots, name, value, cell in self._slots
        )

    def run(self) -> bool:
        """Update all parameters and slots; False if their memory does not allow it."""
        cells = list(self._program.cells)
        for parameter, position in self._gradients:
            cells[position] = parameter._grad._cell
        return self._program.run(cells)


_updates: weakref.WeakKeyDictionary[Optimizer, dict[Any, _Update]] = weakref.WeakKeyDictionary()
"""Programs of optimizers; not their attribute, because optimizers are copied and pickled."""
register_cache("updates of optimizers", _updates.clear)


def penalized(param: Any, grad: Any, group: Mapping[str, Any], numbers: Numbers) -> tuple[Any, Any]:
    """Parameter and gradient after the penalties.

    Coupled (``weight_decay`` λ, ``l1`` κ): g ← g + λθ + κ·sign θ.  Direct: θ ← (1 − ηλ)·θ and
    then ηκ closer to zero, but not past it, with the learning rate η; the gradient stays.
    ``maximize`` turns g around first.
    """
    if group.get("maximize"):
        grad = -grad
    if "weight_decay" in numbers:
        grad = grad + param * numbers["weight_decay"]
    if "l1" in numbers:
        grad = grad + param.sign() * numbers["l1"]
    start = param * numbers["keep"] if "keep" in numbers else param
    if "shrink" in numbers:
        start = start - start.clamp(-numbers["shrink"], numbers["shrink"])
    return start, grad


def check_number(owner: str, name: str, value: Any, interval: Interval) -> None:
    """Raise :class:`ArgumentError` unless ``value`` is a number in the interval."""
    low, high, ends = interval
    if isinstance(value, Tensor) and name == "lr":
        if value.numel() != 1:
            raise ArgumentError(
                f"{owner} got {name} as a tensor of shape {tuple(value.shape)}",
                "a learning rate has one element",
            )
        with concrete():
            value = value.item()
    if not isinstance(value, Real):
        raise ArgumentError(
            f"{owner} got {name}={value!r}, a {type(value).__name__}", "pass a Python number"
        )
    number = float(value)
    above = number >= low if ends[0] == "[" else number > low
    below = number <= high if ends[1] == "]" else number < high
    if not (above and below):
        allowed = f"{ends[0]}{low:g}, {high:g}{ends[1]}".replace("inf", "∞")
        raise ArgumentError(f"{owner} got {name}={value}", f"{name} must be in {allowed}")


def execution_settings(owner: str, names: str, given: Mapping[str, object]) -> dict[str, object]:
    """Accept PyTorch's keywords about *how* to run, which change no result here.

    ``foreach``, ``fused`` and ``capturable`` are not needed: compiled steps are fused anyway.
    ``differentiable=True`` does not exist.  Returns those of ``names``, as given or with PyTorch's
    defaults, for the parameter groups: programs look for them there.
    """
    for name in given:
        if name not in _EXECUTION:
            raise unknown_keyword(owner, name, _EXECUTION)
    if given.get("differentiable"):
        raise ArgumentError(
            f"{owner} got differentiable=True, which does not exist here",
            "differentiate through updates you write yourself, with create_graph=True",
        )
    return {name: given.get(name, _EXECUTION[name]) for name in names.split()}


def _product(group: ParameterGroup, name: str, use: Callable[[Any], Any]) -> Any:
    """``use`` of the learning rate times another number of the group."""
    if isinstance(group["lr"], Tensor):
        return use(rate_of(group) * host_value(lambda: group[name]))
    return host_value(lambda: use(group["lr"] * group[name]))


def rate_of(group: ParameterGroup) -> float | Tensor:
    """The learning rate of this step: an input of a compiled program.

    A number from the group, or, where that holds a tensor, the tensor's element in float64.  A
    tensor of several is one rate for each network of a stack, and broadcasts against the stacked
    parameters.
    """
    rate = group["lr"]
    if isinstance(rate, Tensor) and rate.numel() > 1:
        return rate.detach()
    if isinstance(rate, Tensor):
        return rate.detach().double().reshape(())
    number: float | Tensor = host_value(lambda: group["lr"])
    return number


def fading(mean: Tensor) -> Tensor:
    """A running mean of gradients, 0 where it is negligible (below 1e-30); same shape and dtype.

    Where a unit is dead, or a pixel always black, β·m reaches the subnormal numbers after some 700
    steps.  Processors compute with them many times more slowly, and there m would stay,
    since 0.9 times the smallest of them is rounded back to itself.  No step of this size changes a
    parameter.
    """
    return where(mean.abs() < NEGLIGIBLE, 0.0, mean)


def fading_square(square: Tensor, eps: float) -> Tensor:
    """The same for a running mean of squares v that stands in √v + ε: 0 below 1e-37.

    Without ``eps`` the root divides alone, and v stays as it is.
    """
    return square if eps == 0 else where(square < NEGLIGIBLE_SQUARE, 0.0, square)


def log_of(beta: float) -> float:
    """ln β, −∞ for β = 0."""
    return math.log(beta) if beta > 0 else -math.inf


def one_minus_power(log_beta: float | Tensor, step: Tensor) -> Tensor:
    """1 − β^t as −expm1(t·ln β), in float64: accurate also where β^t is close to 1."""
    return -(step.double() * log_beta).expm1()


def _in_dtype(number: Any, dtype: DType) -> Any:
    """A tensor in the parameters' dtype; Python numbers take it by themselves."""
    return number.to(dtype) if isinstance(number, Tensor) else number


def _as_array(value: Any) -> np.ndarray | None:
    """A saved slot as an array: from a tensor of any library, or a number; else None."""
    if isinstance(value, TensorCore):
        return value.detach().array()  # type: ignore[attr-defined, no-any-return]
    if isinstance(value, (int, float)) or hasattr(value, "__array__"):
        return np.asarray(value)
    return None
