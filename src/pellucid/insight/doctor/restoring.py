"""Everything that an experiment may change, kept at one moment and put back bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.nn.calling import structure_changed
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.random import Generator
from pellucid.tensor.validity import everything_changed
from pellucid.training.capture import (
    generator_state,
    random_state,
    restore_generator,
    restore_random,
)

_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_WATCHERS = "pellucid.nn.observing"
_RECORDS = "pellucid.tensor.observe"


class Kept:
    """What model and optimizer are now, for :meth:`restore`.

    Kept are the values of parameters and buffers, what modules hold (their parts, modes, hooks,
    settings, also lists and dictionaries of theirs), gradients, which parameters are frozen, the
    optimizer's groups and slots, and the random numbers of Pellucid, NumPy and Python and of
    generators that modules hold.  Objects stay who they are, so that programs compiled before stay
    valid.

    >>> kept = Kept(model, optimizer)                                           # doctest: +SKIP
    >>> loss(model(x), y).backward(); optimizer.step(); kept.restore()          # doctest: +SKIP
    """

    def __init__(self, model: Any, optimizer: Any = None) -> None:
        self.optimizer = optimizer
        modules = list(model.modules()) if isinstance(model, Module) else []
        self._modules = [_Attributes(module) for module in modules]
        self._tensors = [_Values(tensor) for tensor in _tensors_of(model, optimizer)]
        self._groups = [dict(group) for group in _groups(optimizer)]
        self._listed = [list(group["params"]) for group in _groups(optimizer)]
        self._slots = _slots_of(optimizer)
        self._rest = {} if optimizer is None else dict(vars(optimizer))
        self._random = random_state()
        held = [v for module in modules for v in vars(module).values()]
        self._generators = [
            (each, generator_state(each))
            for each in {id(v): v for v in held if isinstance(v, (Generator, np.random.Generator))}
            .values()
        ]  # fmt: skip

    def silence(self) -> None:
        """Take away what observes the model, so that experiments leave no records;
        :meth:`restore` brings it back."""
        for kept in self._modules:
            for name in _HOOKS:
                table = vars(kept.module)[name]
                for key in [key for key, hook in table.items() if _is_watcher(hook)]:
                    del table[key]
                    structure_changed(table)
        for values in self._tensors:
            values.without_hooks()
        everything_changed()

    def restore(self) -> None:
        """Put everything back."""
        for kept in self._modules:
            kept.restore()
        self._restore_optimizer()
        for values in self._tensors:
            values.restore()
        restore_random(self._random)
        for generator, before in self._generators:
            restore_generator(generator, before)
        everything_changed()

    def _restore_optimizer(self) -> None:
        if self.optimizer is None:
            return
        kept = vars(self.optimizer)
        for name in [name for name in kept if name not in self._rest]:
            del kept[name]
        kept.update(self._rest)
        groups = self.optimizer.param_groups
        if len(groups) > len(self._groups):
            del groups[len(self._groups) :]
        for group, before, listed in zip(groups, self._groups, self._listed, strict=True):
            _same_items(group, before)
            if len(group["params"]) != len(listed):
                group["params"][:] = listed
        table = self.optimizer.state
        for key in [key for key in table if key not in self._slots]:
            del table[key]
        for key, (slots, held, lists) in self._slots.items():
            if table.get(key) is not slots:
                table[key] = slots
            _same_items(table[key], held)
            for name, entries in lists.items():
                _refill(held[name], entries)


def _is_watcher(hook: Any) -> bool:
    function = hook[0] if isinstance(hook, tuple) else hook
    return getattr(function, "__module__", "") == _WATCHERS


def _groups(optimizer: Any) -> list[Any]:
    return [] if optimizer is None else list(optimizer.param_groups)


def _slots_of(optimizer: Any) -> dict[Any, tuple[Any, dict[str, Any], dict[str, list[Any]]]]:
    """Parameter → (its slots, what they hold, what lists among it hold)."""
    if optimizer is None:
        return {}
    return {
        key: (slots, dict(slots), {n: list(v) for n, v in slots.items() if isinstance(v, list)})
        for key, slots in optimizer.state.items()
    }


def _tensors_of(model: Any, optimizer: Any) -> list[Any]:
    """Parameters, buffers, slots and rates that are tensors, each once."""
    found: dict[int, Any] = {}
    if isinstance(model, Module):
        for tensor in (*model.parameters(), *model.buffers()):
            found[id(tensor)] = tensor
    for group in _groups(optimizer):
        for value in (*group["params"], *group.values()):
            if isinstance(value, TensorCore):
                found[id(value)] = value
    for slots in () if optimizer is None else optimizer.state.values():
        for value in slots.values():
            if isinstance(value, TensorCore):
                found[id(value)] = value
    return list(found.values())


def _same_items(mapping: Any, before: dict[Any, Any]) -> None:
    """The mapping holds what it held before; nothing is touched that is the same."""
    for name in [name for name in mapping if name not in before]:
        del mapping[name]
    for name, value in before.items():
        if name not in mapping or mapping[name] is not value:
            mapping[name] = value


class _Values:
    """A tensor's numbers, whether it wants a gradient, and the gradient it has."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        self.cell = tensor._cell
        self.array: npt.NDArray[Any] = tensor.detach().array()
        self.copy = self.array.copy()
        self.wanted = tensor.requires_grad
        self.gradient = tensor._grad
        held: Any = self.gradient if isinstance(self.gradient, TensorCore) else None
        self.gradient_copy = None if held is None else held.detach().array().copy()
        self.hooks = list(getattr(tensor, "_hooks", None) or [])

    def without_hooks(self) -> None:
        """Hooks of observations are taken off the tensor."""
        hooks = getattr(self.tensor, "_hooks", None)
        if hooks:
            hooks[:] = [
                h for h in hooks if getattr(h, "__module__", "") != "pellucid.tensor.observe"
            ]

    def restore(self) -> None:
        """Everything as it was, in the same memory."""
        tensor = self.tensor
        with no_grad():
            if tensor._cell is not self.cell:
                tensor._cell = self.cell
            array = tensor.detach().array()
            if array.shape == self.copy.shape:
                np.copyto(array, self.copy)
            else:
                tensor.data = type(tensor)(self.copy)
            if tensor.requires_grad != self.wanted:
                tensor.requires_grad_(self.wanted)
            if self.gradient_copy is not None:
                np.copyto(self.gradient.detach().array(), self.gradient_copy)
            if tensor._grad is not self.gradient:
                tensor._grad = self.gradient
        hooks = getattr(tensor, "_hooks", None)
        if hooks is not None and hooks != self.hooks:
            hooks[:] = self.hooks


class _Attributes:
    """What one module holds; lists, dictionaries and sets of it with what is in them."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.held = dict(vars(module))
        self.inside: dict[str, Any] = {
            name: value.copy()
            for name, value in self.held.items()
            if isinstance(value, (list, dict, set)) and hasattr(value, "copy")
        }
        self.arrays = {n: v.copy() for n, v in self.held.items() if isinstance(v, np.ndarray)}

    def restore(self) -> None:
        """The module holds what it held."""
        held = vars(self.module)
        changed = False
        for name in [name for name in held if name not in self.held]:
            del held[name]
            changed = True
        for name, value in self.held.items():
            if name not in held or held[name] is not value:
                held[name] = value
                changed = True
        for name, before in self.inside.items():
            changed |= _refill(held[name], before)
        for name, before in self.arrays.items():
            np.copyto(held[name], before)
        if changed:
            structure_changed(self.module)


def _refill(container: Any, before: Any) -> bool:
    """Give a container what it held; whether that was anything else."""
    if isinstance(container, dict):
        same = list(container) == list(before) and all(container[k] is before[k] for k in before)
    elif isinstance(container, list):
        same = len(container) == len(before) and all(
            a is b for a, b in zip(container, before, strict=True)
        )
    else:
        same = container == before
    if same:
        return False
    container.clear()
    (container.extend if isinstance(container, list) else container.update)(before)
    return True
