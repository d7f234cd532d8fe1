"""What a convolutional network looks for, and where it finds it: filters and feature maps.

The first layer's filters answer to edges and spots; each later layer combines what the one before
it found, over a larger part of the image.  (Zeiler and Fergus, 2013.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[np.float64]


def convolutions(model: Module) -> list[tuple[str, Any]]:
    """Paths and layers of the two-dimensional convolutions, in the order of the model."""
    return [(path, m) for path, m in model.named_modules() if isinstance(m, nn.Conv2d)]


def filters(model: Module, layer: str | None = None) -> Array:
    """The filters (outputs, inputs, height, width) of the convolution ``layer``, or of the first.

    ``ArgumentError`` for a model without convolutions and for a path that leads to none.
    """
    found = _found(model)
    path = found[0][0] if layer is None else layer
    for name, module in found:
        if name == path:
            return np.array(module.weight.detach().numpy(), np.float64)
    raise ArgumentError(
        f"{path!r} is no convolution of the model",
        "Choose one of: " + ", ".join(name for name, _ in found) + ".",
    )


def feature_maps(model: Module, image: npt.ArrayLike | Tensor) -> dict[str, Array]:
    """What each convolution makes of an image, by its path: (channels, height, width).

    ``image`` is one input of the model without its batch axis.  A ReLU module that follows is
    included, so that what is shown is what goes on to the next layer; other activations are not.
    Runs in evaluation mode.
    """
    found = dict(_found(model))
    maps: dict[str, Array] = {}
    last = ""

    def look(path: str, module: Any, output: Any) -> None:
        nonlocal last
        if path in found:
            maps[path], last = np.array(output.detach().numpy()[0], np.float64), path
        elif last and isinstance(module, nn.ReLU) and output.shape[1:] == maps[last].shape:
            maps[last], last = np.array(output.detach().numpy()[0], np.float64), ""
        elif not isinstance(module, nn.BatchNorm2d):
            last = ""

    handles = [
        module.register_forward_hook(lambda m, args, output, path=path: look(path, m, output))
        for path, module in model.named_modules()
        if next(module.children(), None) is None
    ]
    try:
        with evaluation(model), no_grad():
            model(as_tensor(image).unsqueeze(0))
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _found(model: Any) -> list[tuple[str, Any]]:
    found = convolutions(model)
    if not found:
        raise ArgumentError(
            f"{type(model).__name__} has no Conv2d, whose filters could be shown",
            "Give a convolutional network.",
        )
    return found
