"""What surrounds a module's ``forward``: its path, its hooks, and which layers ran before it.

A module is reached by a dotted path of attribute names (``encoder.fc1``).  The path belongs to
the place from which the outermost call started, so it is looked up in a table that is made once
for each outermost module and made again when any module anywhere gains or loses a child.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from pellucid.base.caches import register_cache
from pellucid.base.errors import AutogradError
from pellucid.nn.tree import ModuleTree
from pellucid.tensor.guards import Walk, exact, is_user_class
from pellucid.tensor.state import state
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.validity import changed


class _Changes:
    """Counts changes of modules: of the trees (a path table is valid for one count), and of
    anything that compiled programs depend on."""

    structure = 0
    facts = 0


changes = _Changes()


def facts_changed(subject: object) -> None:
    """A setting, parameter or buffer of a module, or its table of hooks, changed: the programs
    that watch it must look again."""
    changes.facts += 1
    changed(subject)


def mode_changed(subject: object) -> None:
    """A module went into training mode or out of it, and nothing else: programs look again, but
    compare the mode alone."""
    changed(subject)


def structure_changed(subject: object) -> None:
    """A module gained or lost a child: paths and compiled programs may be out of date."""
    changes.structure += 1
    facts_changed(subject)


class FactsGuard:
    """Whether what a traced call of a module depends on is still so.

    Looks only when some module has changed since it last looked: programs ask often, for
    example at every step of a learning rate's schedule.  Modes come and go (an evaluation after
    each epoch, each explanation of a network in training) and are compared by themselves.
    """

    __slots__ = ("_module", "_facts", "_seen", "_valid", "_training")

    def __init__(self, module: ModuleTree) -> None:
        self._module = module
        self._facts = module._facts()
        self._seen = changes.facts
        self._valid = True
        self._training = module.training

    def __call__(self) -> bool:
        """True while the module is as it was."""
        if self._module.training != self._training:
            return False
        if self._seen != changes.facts:
            self._seen = changes.facts
            self._valid = self._module._facts() == self._facts
        return self._valid


def is_setting(value: object) -> bool:
    """Whether an attribute may decide what a forward does and is compared by value or identity."""
    plain = isinstance(value, (bool, int, float, str, tuple))
    return plain or (callable(value) and not isinstance(value, Tensor))


_INTERNAL = frozenset(
    "training _parameters _buffers _modules _non_persistent _forward_pre_hooks _forward_hooks "
    "_backward_hooks _computed".split()
)


def guard_module(module: ModuleTree) -> None:
    """Let the running trace depend on what a module and all below it are now."""
    trace: Any = state.trace
    while trace is not None and trace.is_body:
        trace = trace.outer
    if trace is None or id(module) in trace.modules:
        return
    for part in module.modules():
        if id(part) not in trace.modules:
            trace.modules[id(part)] = part
            trace.guard(FactsGuard(part), f"a setting, parameter or part of {type(part).__name__}")
            for subject in (
                part,
                part._forward_pre_hooks,
                part._forward_hooks,
                part._backward_hooks,
            ):
                trace.watch(subject)


def read_module(walk: Walk, module: ModuleTree, name: str) -> None:
    """What Python code may read of a module and those below it; see :mod:`pellucid.tensor.guards`.

    Parameters, parts, flags and numbers are left to :func:`guard_module`.
    """
    walk.later.append(partial(guard_module, module))
    for path, part in module.named_modules():
        place = f"{name}.{path}" if path else name
        own, cls = vars(part), type(part)
        if is_user_class(cls):
            walk.kind(cls)
        else:
            definer = next(c for c in cls.__mro__ if "forward" in vars(c))
            walk.once(vars(definer), "forward", f"{definer.__name__}.forward")
        for key, value in own.items():
            if key in _INTERNAL:
                continue
            if is_user_class(cls) and walk.reads(key, value):
                if is_setting(value) or value is None:
                    walk.guards.append((f"{place}.{key}", partial(_setting, own, key)))
                else:
                    walk.place(own, key, f"{place}.{key}")
            if callable(value):
                walk.value(value, f"{place}.{key}")
        for hook, _ in (*part._forward_pre_hooks.values(), *part._forward_hooks.values()):
            walk.value(hook, f"a hook of {place}")
        for hook in part._backward_hooks.values():
            walk.value(hook, f"a hook of {place}")


def _setting(own: dict[str, Any], key: str) -> object:
    return exact(own.get(key))


STEPS = 64
"""How many layers back an outermost call remembers the shapes of what they gave."""


class Pass:
    """One outermost call of a module: whose paths hold, what it got, which layers have run.

    Only shapes are kept of what the layers gave, and only of the last ones, so that nothing
    lives longer and a loop over many time steps does not grow.
    """

    __slots__ = ("root", "paths", "args", "kwargs", "steps")

    def __init__(self, root: ModuleTree, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.root = root
        self.paths = paths_from(root)
        self.args = args
        self.kwargs = kwargs
        self.steps: deque[tuple[str, ModuleTree, Any]] = deque(maxlen=STEPS)


class _Calls(threading.local):
    """The outermost call of this thread: None outside of any."""

    running: Pass | None = None


calls = _Calls()
_tables: weakref.WeakKeyDictionary[ModuleTree, tuple[int, dict[int, str]]] = (
    weakref.WeakKeyDictionary()
)
register_cache("paths of modules", _tables.clear)


def paths_from(root: ModuleTree) -> dict[int, str]:
    """id(module) → dotted path of every module under ``root``; ``root`` has its class name."""
    known = _tables.get(root)
    if known is not None and known[0] == changes.structure:
        return known[1]
    table = {id(module): path for path, module in root.named_modules()}
    table[id(root)] = type(root).__name__
    _tables[root] = (changes.structure, table)
    return table


def path_outside(module: ModuleTree, outer: str) -> str:
    """The path of a module that no parent owns: named by its class, inside of ``outer``."""
    return f"{outer}.{type(module).__name__}" if outer else type(module).__name__


def shapes_in(value: Any) -> Any:
    """The shape of a tensor; of several, in a list; None for anything else."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if not isinstance(value, (tuple, list)):
        return None
    if hasattr(type(value), "batch_sizes"):  # packed sequences: what one step of one of them is
        packed: Any = value
        padded = getattr(packed, "padded", None)
        return "packed" + str(tuple(packed.data.shape[1:] if padded is None else padded.shape[2:]))
    shapes = [shapes_in(part) for part in value]
    return [shape for shape in shapes if shape is not None]


_hook_numbers = count()


class RemovableHandle:
    """Takes a hook away again: ``handle.remove()``, or at the end of ``with handle:``."""

    def __init__(self, hooks: dict[int, Any], hook: Any, *, first: bool = False) -> None:
        self.id = next(_hook_numbers)
        self._hooks = hooks
        later = dict(hooks) if first else {}
        if first:
            hooks.clear()
        hooks[self.id] = hook
        hooks.update(later)
        facts_changed(hooks)

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        if self._hooks.pop(self.id, None) is not None:
            facts_changed(self._hooks)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class BackwardWatch:
    """Feeds ``hook(module, grad_input, grad_output)`` during the backward pass of one call.

    Inputs and outputs of the call are passed through a copy each, whose gradients belong to
    this call alone even if the same tensor is used elsewhere too.
    """

    def __init__(self, module: ModuleTree, hooks: tuple[Callable[..., Any], ...]) -> None:
        self._module = module
        self._hooks = hooks
        self._grad_input: list[Any] = []
        self._grad_output: list[Any] = []
        self._waiting_inputs = 0
        self._waiting_outputs = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, tensors that require gradients replaced by watched copies."""
        self._grad_input = [None] * len(args)
        watched = []
        for position, value in enumerate(args):
            if isinstance(value, Tensor) and value.requires_grad:
                value = value.clone()
                value.register_hook(self._input_hook(position))
                self._waiting_inputs += 1
            watched.append(value)
        return tuple(watched)

    def watch_outputs(self, output: Any) -> Any:
        """The output, tensors that require gradients replaced by watched copies."""
        several = isinstance(output, (tuple, list))
        listed = list(output) if several else [output]
        self._grad_output = [None] * len(listed)
        for position, value in enumerate(listed):
            if isinstance(value, Tensor) and value.requires_grad:
                listed[position] = value = value.clone()
                value.register_hook(self._output_hook(position))
                self._waiting_outputs += 1
        return type(output)(listed) if several else listed[0]

    def _output_hook(self, position: int) -> Callable[[Any], Any]:
        def hook(gradient: Any) -> None:
            self._grad_output[position] = gradient
            self._waiting_outputs -= 1
            if self._waiting_outputs == 0 and not any(self._inputs_watched()):
                self._run()

        return hook

    def _inputs_watched(self) -> list[bool]:
        return [True] * self._waiting_inputs

    def _input_hook(self, position: int) -> Callable[[Any], Any]:
        def hook(gradient: Any) -> Any:
            self._grad_input[position] = gradient
            self._waiting_inputs -= 1
            if self._waiting_inputs:
                return None
            replaced = self._run()
            return None if replaced is None else replaced[position]

        return hook

    def _run(self) -> tuple[Any, ...] | None:
        """Call the hooks; what they return replaces the gradient of the input."""
        changed: tuple[Any, ...] | None = None
        for hook in self._hooks:
            current = tuple(self._grad_input) if changed is None else changed
            result = hook(self._module, current, tuple(self._grad_output))
            if result is not None:
                changed = result if isinstance(result, tuple) else (result,)
        if changed is not None and sum(g is not None for g in self._grad_input) > 1:
            raise AutogradError(
                f"a backward hook of {type(self._module).__name__} replaced the gradients of "
                "several inputs",
                "a hook can replace the gradient of a module with one differentiable input; "
                "use tensor.register_hook for others",
            )
        return changed
