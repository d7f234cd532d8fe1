"""Everything that a training step changes, at one moment: to look at a step and take it back, to
step back in time, and to go on elsewhere from there."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.nn.module import Module
from pellucid.tensor.core import TensorCore
from pellucid.tensor.validity import changed
from pellucid.training.capture import named_tensors, random_state, restore_random


def tensors_of(models: Iterable[Any], optimizers: Iterable[Any]) -> list[Any]:
    """Parameters and buffers of models, and what optimizers change, each once."""
    found: dict[int, Any] = {}
    for model in models:
        for _, tensor in named_tensors(model):
            found[id(tensor)] = tensor
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for tensor in group["params"]:
                found[id(tensor)] = tensor
    return list(found.values())


class Moment:
    """Models, optimizers and random numbers as they were when this was made.

    Values are restored in place, so that tensors, optimizers and compiled programs stay the same
    objects; ``with_gradients`` keeps what stands in ``.grad`` as well.
    """

    def __init__(
        self, models: Sequence[Any], optimizers: Sequence[Any], with_gradients: bool = True
    ) -> None:
        self._models = list(models)
        self._optimizers = list(optimizers)
        self._tensors = tensors_of(models, optimizers)
        self._copies = [np.array(tensor._cell.array) for tensor in self._tensors]
        self._needs = [tensor._requires_grad for tensor in self._tensors]
        self._gradients = [_gradient(t) for t in self._tensors] if with_gradients else None
        self._modes = [(m, m.training) for model in models for m in _modules(model)]
        self._settings = [_settings(optimizer) for optimizer in optimizers]
        self._slots = [_slots(optimizer) for optimizer in optimizers]
        self._random = random_state()

    @property
    def bytes(self) -> int:
        """Size of the copied arrays."""
        arrays = [*self._copies]
        arrays += [a for slots in self._slots for each in slots for a in each.arrays.values()]
        arrays += [g[1] for g in self._gradients or () if g[1] is not None]
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

    def restore(self) -> None:
        """Go back to that moment."""
        for tensor, array, needs in zip(self._tensors, self._copies, self._needs, strict=True):
            _put(tensor, array)
            if tensor._requires_grad is not needs:
                tensor.requires_grad_(needs)
        for module, training in self._modes:
            if module.training is not training:
                module.training = training
        for optimizer, settings in zip(self._optimizers, self._settings, strict=True):
            _put_settings(optimizer, settings)
        for optimizer, slots in zip(self._optimizers, self._slots, strict=True):
            _put_slots(optimizer, slots)
        for tensor, (gradient, value) in zip(self._tensors, self._gradients or (), strict=False):
            if tensor._grad is not gradient:
                tensor._grad = gradient
                changed(tensor)
            if value is not None:
                _put(gradient, value)
        restore_random(self._random)


@contextmanager
def undone(models: Sequence[Any], optimizers: Sequence[Any]) -> Iterator[None]:
    """Whatever the block does to models, optimizers, gradients and random numbers is taken back,
    bit by bit."""
    moment = Moment(models, optimizers)
    try:
        yield
    finally:
        moment.restore()


def _modules(model: Any) -> list[Any]:
    return list(model.modules()) if isinstance(model, Module) else []


def _put(tensor: Any, array: np.ndarray) -> None:
    """Write a value in place."""
    cell = tensor._cell
    known = cell.array
    if known is None or known.shape != array.shape or not known.flags.writeable:
        cell.replace(np.array(array))
    else:
        np.copyto(known, array)


def _gradient(tensor: Any) -> tuple[Any, np.ndarray | None]:
    """What stands in ``.grad``, and a copy of its value if it has one."""
    known = tensor._grad
    return known, np.array(known._cell.array) if isinstance(known, TensorCore) else None


def _settings(optimizer: Any) -> list[dict[str, Any]]:
    """The settings of an optimizer's groups; a rate that is a tensor as its value."""
    return [
        {
            name: np.array(value.array()) if isinstance(value, TensorCore) else copy.copy(value)
            for name, value in group.items()
            if name != "params"
        }
        for group in optimizer.param_groups
    ]


def _put_settings(optimizer: Any, saved: list[dict[str, Any]]) -> None:
    for group, settings in zip(optimizer.param_groups, saved, strict=False):
        for name, value in settings.items():
            known = group.get(name)
            if isinstance(known, TensorCore):
                _put(known, np.asarray(value))
            elif known is not value and (type(known) is not type(value) or known != value):
                group[name] = value


@dataclass
class _Slots:
    """What an optimizer remembers about a parameter: the objects, and copies of their arrays."""

    parameter: Any
    table: dict[str, Any]
    held: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def restore(self, optimizer: Any) -> None:
        """The same objects with the values of then."""
        if optimizer.state.get(self.parameter) is not self.table:
            optimizer.state[self.parameter] = self.table
        for name in [name for name in self.table if name not in self.held]:
            del self.table[name]
        for name, value in self.held.items():
            if self.table.get(name) is not value:
                self.table[name] = value
        for name, array in self.arrays.items():
            _put(self.held[name], array)


def _slots(optimizer: Any) -> list[_Slots]:
    found = []
    for parameter, table in optimizer.state.items():
        tensors = {n: v for n, v in table.items() if isinstance(v, TensorCore)}
        arrays = {name: np.array(value._cell.array) for name, value in tensors.items()}
        found.append(_Slots(parameter, table, dict(table), arrays))
    return found


def _put_slots(optimizer: Any, saved: list[_Slots]) -> None:
    known = {id(slots.parameter) for slots in saved}
    for parameter in [p for p in optimizer.state if id(p) not in known]:
        del optimizer.state[parameter]
    for slots in saved:
        slots.restore(optimizer)
