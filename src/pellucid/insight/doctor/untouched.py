"""Looking at a training without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.tensor.core import lift
from pellucid.tensor.tensor import Tensor
from pellucid.training.capture import random_state, restore_random

_PLAIN = (bool, int, float, str, type(None))
"""Values of attributes that a forward pass may count or note something in."""


@contextmanager
def untouched(*modules: Any) -> Iterator[None]:
    """Whatever runs inside, these networks are as before at its end, bit for bit.

    That is: parameters, buffers, gradients, the mode of every layer, plain attributes (counters),
    and the random numbers of Pellucid, Python and NumPy.
    """
    layers = [layer for module in modules for layer in module.modules()]
    tensors = [t for m in modules for t in (*m.parameters(), *m.buffers())]
    values = [np.array(t.detach().array()) for t in tensors]
    gradients = [t._grad for t in tensors]
    attributes = [
        {k: v for k, v in vars(layer).items() if isinstance(v, _PLAIN)} for layer in layers
    ]
    random = random_state()
    try:
        yield
    finally:
        restore_random(random)
        for layer, plain in zip(layers, attributes, strict=True):
            _restore_attributes(layer, plain)
        for tensor, value, gradient in zip(tensors, values, gradients, strict=True):
            _restore(tensor, value, gradient)


def _restore_attributes(layer: Any, plain: dict[str, Any]) -> None:
    now = vars(layer)
    for name, value in plain.items():
        if name not in now or now[name] is not value and now[name] != value:
            setattr(layer, name, value)


def _restore(tensor: Tensor, value: np.ndarray, gradient: Any) -> None:
    array = tensor.detach().array()
    if array.shape != value.shape or array.tobytes() != value.tobytes():
        tensor.detach().assign(lift(value))
    if tensor._grad is not gradient:
        tensor._grad = gradient
