"""Copies of everything a step changes, to go back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.tensor.autograd import no_grad
from pellucid.tensor.random import default_generator
from pellucid.training.capture import named_tensors


class Weights:
    """A copy of the parameters and buffers of models that can be taken again and again.

    The memory is used again, so that a copy costs no more than its bytes.
    """

    def __init__(self, *models: Any) -> None:
        named = [pair for model in models for pair in named_tensors(model)]
        self._names = [name for name, _ in named]
        self._tensors = [tensor for _, tensor in named]
        self._copies = [np.empty_like(t.detach().array()) for t in self._tensors]

    @property
    def bytes(self) -> int:
        """Size of the copy."""
        return sum(copy.nbytes for copy in self._copies)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The copied values by name, of one model."""
        return dict(zip(self._names, self._copies, strict=True))

    def put(self, arrays: Mapping[str, Any]) -> None:
        """Values as :meth:`arrays` gave them become the copied ones."""
        for name, copy in zip(self._names, self._copies, strict=True):
            np.copyto(copy, arrays[name])

    def take(self) -> None:
        """Copy the values of now."""
        for tensor, copy in zip(self._tensors, self._copies, strict=True):
            np.copyto(copy, tensor.detach().array())

    def restore(self) -> None:
        """Give the model the copied values back."""
        with no_grad():
            for tensor, copy in zip(self._tensors, self._copies, strict=True):
                np.copyto(tensor.detach().array(), copy)

    def finite(self) -> bool:
        """Whether the model's values of now are all finite."""
        return all(is_finite(tensor.detach().array()) for tensor in self._tensors)


def is_finite(array: npt.NDArray[Any]) -> bool:
    """Whether an array holds neither NaN nor infinity."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


class Snapshot:
    """Model, average, optimizer and random numbers at one moment, to repeat a step bit by bit."""

    def __init__(self, model: Any, optimizer: Any, average: Any = None) -> None:
        self.weights = Weights(model) if average is None else Weights(model, average)
        self._optimizer = optimizer
        self._slots: list[tuple[Any, str, npt.NDArray[Any]]] = []
        self._random = np.zeros(2, np.int64)

    def take(self) -> bool:
        """Copy everything; False, and nothing is copied, where the weights are not finite."""
        if not self.weights.finite():
            return False
        self.weights.take()
        known = {(id(p), name): copy for p, name, copy in self._slots}
        slots = []
        for parameter, values in self._optimizer.state.items():
            for name, value in values.items():
                if not hasattr(value, "detach"):
                    continue
                array = value.detach().array()
                copy = known.get((id(parameter), name))
                if copy is None or copy.shape != array.shape:
                    copy = np.empty_like(array)
                np.copyto(copy, array)
                slots.append((parameter, name, copy))
        self._slots = slots
        np.copyto(self._random, default_generator.state.detach().array())
        return True

    def restore(self) -> None:
        """Go back to the moment of the last ``take``."""
        self.weights.restore()
        np.copyto(default_generator.state.detach().array(), self._random)
        saved = {(id(p), name): copy for p, name, copy in self._slots}
        if not saved:
            # Before the first step there are no slots yet; the next step makes them anew.
            groups = self._optimizer.state_dict()["param_groups"]
            self._optimizer.load_state_dict({"state": {}, "param_groups": groups})
            return
        for parameter, values in self._optimizer.state.items():
            for name, value in values.items():
                copy = saved.get((id(parameter), name))
                if copy is not None:
                    np.copyto(value.detach().array(), copy)
