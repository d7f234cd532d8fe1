"""What a convolutional network looks for, and where it finds it: filters and feature maps.

The first layer's filters answer to edges and spots; each later layer combines what the one before
it found, over a larger part of the image.  (Zeiler and Fergus, 2013.)
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad, no_grad
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
    maps = _maps(model, as_tensor(image).unsqueeze(0))
    return {path: found[0] for path, found in maps.items()}


def _maps(model: Module, images: Any) -> dict[str, Array]:
    """What each convolution makes of images: (rows, channels, height, width) by its path."""
    found = dict(_found(model))
    maps: dict[str, Array] = {}
    last = ""

    def look(path: str, module: Any, output: Any) -> None:
        nonlocal last
        if path in found:
            maps[path], last = np.array(output.detach().numpy(), np.float64), path
        elif last and isinstance(module, nn.ReLU) and output.shape == maps[last].shape:
            maps[last], last = np.array(output.detach().numpy(), np.float64), ""
        elif not isinstance(module, nn.BatchNorm2d):
            last = ""

    handles = [
        module.register_forward_hook(lambda m, args, output, path=path: look(path, m, output))
        for path, module in model.named_modules()
        if next(module.children(), None) is None
    ]
    try:
        with evaluation(model), no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def strongest_patches(
    model: Module, images: npt.ArrayLike | Tensor, channels: int = 8, patches: int = 4
) -> dict[str, Array]:
    """For each convolution, by its path, the parts of ``images`` to which its channels answer most:
    (channels, patches, image channels, height, width), with the height and width that a unit of
    this layer sees.

    ``images`` (rows, channels, height, width).  The channels are the first ``channels`` of those
    that answer at all, strongest first; a channel's patches come from different images.  Where a
    unit sees beyond the border the patch holds zeros.  (Zeiler and Fergus, 2013, section 4.)
    """
    given = np.asarray(as_tensor(images).detach().numpy(), np.float64)
    if given.ndim != 4 or len(given) < patches:
        raise ShapeError(
            f"strongest_patches got images {given.shape}",
            f"Give (rows, channels, height, width) with at least {patches} rows.",
        )
    maps = _maps(model, as_tensor(images))
    seen = _windows_of(model, given.shape[1:], list(maps))
    return {
        path: _patches(given, found, seen[path], channels, patches) for path, found in maps.items()
    }


def _patches(
    images: Array, maps: Array, windows: tuple[Window, Window], channels: int, patches: int
) -> Array:
    places = maps.reshape(*maps.shape[:2], -1)
    highest = places.max(axis=2)  # of each image and channel
    strength = np.sort(highest, axis=0)[-patches:].mean(axis=0)
    chosen = np.argsort(-strength, kind="stable")[:channels]
    result = []
    for channel in chosen:
        best = np.argsort(-highest[:, channel], kind="stable")[:patches]
        where = places[best, channel].argmax(axis=1)
        corners = [np.unravel_index(place, maps.shape[2:]) for place in where]
        result.append(
            [
                _cut(images[image], windows, (int(top), int(left)))
                for image, (top, left) in zip(best, corners, strict=True)
            ]
        )
    return np.array(result)


class Window(NamedTuple):
    """What a unit sees along one axis: unit i sees ``size`` pixels from ``first + step · i`` on."""

    first: int
    step: int
    size: int


def _cut(image: Array, windows: tuple[Window, Window], unit: tuple[int, int]) -> Array:
    """The part of an image that a unit sees, zeros beyond the border."""
    part = np.zeros((len(image), windows[0].size, windows[1].size))
    starts = [w.first + w.step * i for w, i in zip(windows, unit, strict=True)]
    low = [max(0, start) for start in starts]
    high = [
        min(end, start + w.size)
        for start, w, end in zip(starts, windows, image.shape[1:], strict=True)
    ]
    inside = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, starts, strict=True))
    part[:, inside[0], inside[1]] = image[:, low[0] : high[0], low[1] : high[1]]
    return part


def _windows_of(
    model: Module, shape: tuple[int, ...], paths: list[str]
) -> dict[str, tuple[Window, Window]]:
    """What the units of each convolution see: where the gradient of a unit reaches the input.

    Measured on a copy with positive weights and on positive inputs, so that no ReLU is closed;
    on several inputs, since of the places that a maximum looks at only one has a gradient.
    """
    probe = copy.deepcopy(model)
    with no_grad():
        for parameter in probe.parameters():
            parameter.copy_(parameter.abs() + 0.01)
    random = np.random.default_rng(0)
    x = as_tensor(random.uniform(0.5, 1.5, (16, *shape)).astype(np.float32)).requires_grad_()
    kept: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(lambda m, args, out, path=path: kept.update({path: out}))
        for path, module in probe.named_modules()
        if path in paths
    ]
    try:
        with evaluation(probe), enable_grad():
            probe(x)
            return {path: _measured(kept[path], x) for path in paths}
    finally:
        for handle in handles:
            handle.remove()


def _measured(output: Any, x: Any) -> tuple[Window, Window]:
    """The windows along both axes, from a unit in the middle and the one before it."""
    middle = [int(extent) // 2 for extent in output.shape[2:]]
    boxes = []
    for back in (0, 1):
        unit = [max(0, place - back) for place in middle]
        slope = grad(output[:, :, unit[0], unit[1]].sum(), x, retain_graph=True)[0]
        reached = np.abs(slope.detach().numpy()).sum(axis=(0, 1)) > 0
        boxes.append([np.flatnonzero(reached.any(axis=1 - axis)) for axis in (0, 1)])
    windows = []
    for axis in (0, 1):
        here, before = boxes[0][axis], boxes[1][axis]
        size = max(int(b[-1] - b[0]) + 1 for b in (here, before))
        step = int(here[-1] - before[-1]) or int(here[0] - before[0])
        if size == x.shape[2 + axis]:
            windows.append(Window(0, 0, size))  # every unit sees the whole image
        else:
            windows.append(Window(int(here[0]) - step * middle[axis], step, size))
    return windows[0], windows[1]


def maximized(
    model: Module,
    shape: tuple[int, ...],
    layer: str,
    channels: Iterable[int],
    steps: int = 60,
    seed: int = 0,
) -> Array:
    """Inputs (channels, *shape) made so that one channel each of ``layer`` answers as much as it
    can: gradient ascent from grey noise on the channel's answer in the middle.

    ``layer`` is the path of a module whose output is (rows, channels, …); ``shape`` that of one
    input.  Each step goes along the gradient divided by its root mean square, on an input shifted
    at random by a pixel, and shrinks the input a little, which keeps noise down.  (Erhan, Bengio,
    Courville and Vincent, 2009; shrinking and shifting: Yosinski and others, 2015.)
    """
    modules = dict(model.named_modules())
    wanted = list(channels)
    if layer not in modules:
        raise ArgumentError(
            f"The model has no layer {layer!r}",
            "Choose one of: " + ", ".join(path for path in modules if path) + ".",
        )
    kept: list[Any] = []
    handle = modules[layer].register_forward_hook(lambda m, args, result: kept.append(result))
    random = np.random.default_rng(seed)
    picture = random.normal(0, 0.1, (len(wanted), *shape)).astype(np.float32)
    try:
        with evaluation(model), enable_grad():
            for _ in range(steps):
                shift = random.integers(-1, 2, 2) if len(shape) == 3 else (0, 0)
                moved = np.roll(picture, shift, axis=(-2, -1)) if len(shape) == 3 else picture
                slope = _ascent(model, moved, kept, wanted)
                scale = np.sqrt((slope**2).mean(axis=tuple(range(1, slope.ndim)), keepdims=True))
                moved = 0.98 * moved + 0.1 * slope / (scale + 1e-12)
                back = (-shift[0], -shift[1])
                picture = np.roll(moved, back, axis=(-2, -1)) if len(shape) == 3 else moved
    finally:
        handle.remove()
    return np.asarray(picture, np.float64)


def _ascent(model: Module, picture: Any, kept: list[Any], wanted: list[int]) -> Array:
    """The gradient of each channel's answer in the middle to its picture."""
    x = as_tensor(picture.astype(np.float32)).requires_grad_()
    kept.clear()
    model(x)
    answer = kept[-1]
    if max(wanted) >= answer.shape[1]:
        raise ArgumentError(
            f"The layer has {answer.shape[1]} channels and {max(wanted)} was asked for",
            f"Ask for channels from 0 to {answer.shape[1] - 1}.",
        )
    middle = tuple(int(extent) // 2 for extent in answer.shape[2:])
    total = sum(
        (answer[(row, channel, *middle)] for row, channel in enumerate(wanted)), x.sum() * 0
    )
    return np.asarray(grad(total, x)[0].detach().numpy(), np.float64)


def oriented_edges(kernels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How much each filter is an edge of one direction: a share from 0 to 1, float64 (filters,).

    ``kernels`` (filters, inputs, height, width), averaged over inputs.  It is the share of a
    filter's energy Σw² that w ≈ a·t + b·(t² − mean t²) explains, for the best direction along
    which t runs from −1 to 1: a step or slope, a bar, or both in one direction.  The mean of a
    filter, to which even grey answers, counts as energy and is not explained, so blurs score low.
    """
    found = np.asarray(kernels, np.float64).mean(axis=1)
    height, width = found.shape[1:]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    energy = (found**2).sum(axis=(1, 2))
    best = np.zeros(len(found))
    for angle in np.linspace(0, np.pi, 16, endpoint=False):
        along = np.cos(angle) * x + np.sin(angle) * y
        bar = along**2 - (along**2).mean()
        basis = [w / np.sqrt((w**2).sum()) for w in (along, bar)]
        parts = np.array([(found * w).sum(axis=(1, 2)) for w in basis])
        best = np.maximum(best, (parts**2).sum(axis=0))
    return np.asarray(best / np.where(energy > 0, energy, 1))


def _found(model: Any) -> list[tuple[str, Any]]:
    found = convolutions(model)
    if not found:
        raise ArgumentError(
            f"{type(model).__name__} has no Conv2d, whose filters could be shown",
            "Give a convolutional network.",
        )
    return found
