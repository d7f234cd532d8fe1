"""Looking at a network without changing it: its modes come back layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.nn.module import Module


@contextmanager
def evaluation(model: Module) -> Iterator[None]:
    """Evaluation mode inside a ``with`` block; then every layer has the mode it had before.

    ``model.train()`` at the end would also thaw layers that were put in evaluation mode on
    purpose, such as batch normalization with frozen statistics.
    """
    with _mode(model, False):
        yield


@contextmanager
def training(model: Module) -> Iterator[None]:
    """Training mode inside a ``with`` block; then every layer has the mode it had before."""
    with _mode(model, True):
        yield


@contextmanager
def _mode(model: Module, mode: bool) -> Iterator[None]:
    before = [(layer, layer.training) for layer in model.modules()]
    if any(was is not mode for _, was in before):
        model.train(mode)
    try:
        yield
    finally:
        if type(model).train is not Module.train:
            model.train(before[0][1])  # the class may do more than set modes
        for layer, was in before:
            if layer.training is not was:
                layer.training = was
