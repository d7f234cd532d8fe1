"""Where in pictures the evidence for a score lies, read off a convolution's channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ShapeError
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.guided import guided_backprop
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.slopes import path_average
from pellucid.insight.explain.starts import layer_of

Array = npt.NDArray[Any]


def _channels(name: str, forward: Forward, layer: Any) -> tuple[Array, Array]:
    """∂ score / ∂ A and A for what a layer makes, (rows, channels, height, width)."""
    baselines = [np.zeros_like(plain(t)) for t in forward.tensors]
    asked = layer_of(forward.module, layer)
    found = path_average(forward, baselines, np.ones(1), np.ones(1), asked)
    slopes, made = found.slopes[0][0], found.here[0][0]
    if made.ndim != 4:
        raise ShapeError(
            f"{name}'s layer made {made.shape}, not (rows, channels, height, width)",
            "Choose a convolution (or the activation after it) that the model runs.",
        )
    return slopes, made


def _scaled(maps: Array) -> Array:
    """What is above 0, divided by the largest value of each picture."""
    maps = np.maximum(maps, 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(highest > 0, highest, 1))


@method
def grad_cam(
    model: Model,
    layer: Any,
    images: Inputs,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    output: Any = None,
) -> Explanation:
    """Where in the pictures the evidence for a score lies: one map a picture, 0 … 1.

    ``layer`` is a module of ``model``, or its path, whose output is (rows, channels, height,
    width); the map is ReLU(Σ_c w_c A_c) with A the layer's output and w_c the mean over places of
    ∂ score / ∂ A_c, divided by its largest value; ``target`` is as for :func:`.saliency`
    (``output`` its older name).  A map of zeros means that nothing speaks for the score.  Returns
    (rows, height, width) of that layer.  (Selvaraju and others, 2017.)  Raises ``ShapeError`` for
    layers whose output has other axes.
    """
    forward = Forward(model, images, target if output is None else output, additional_forward_args)
    slopes, made = _channels("grad_cam", forward, layer)
    maps = (slopes.mean(axis=(2, 3), keepdims=True) * made).sum(axis=1)
    return forward.explanation("grad_cam", (_scaled(maps),), kind="map")


@method
def grad_cam_plus_plus(
    model: Model, layer: Any, images: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> Explanation:
    """Grad-CAM with channels weighted by where their slopes are positive: several objects of one
    class all show.

    w_c = Σ α_c ReLU(∂ score / ∂ A_c) over places, α_c = g² / (2 g² + g³ Σ A_c) with the slopes g.
    Arguments and result as of :func:`grad_cam`.  (Chattopadhay, Sarkar, Howlader and
    Balasubramanian, 2018, with the exponential of the score as they take it.)
    """
    forward = Forward(model, images, target, additional_forward_args)
    slopes, made = _channels("grad_cam_plus_plus", forward, layer)
    below = 2 * slopes**2 + slopes**3 * made.sum(axis=(2, 3), keepdims=True)
    alphas = slopes**2 / np.where(below != 0, below, 1)
    weights = (alphas * np.maximum(slopes, 0)).sum(axis=(2, 3), keepdims=True)
    maps = (weights * made).sum(axis=1)
    return forward.explanation("grad_cam_plus_plus", (_scaled(maps),), kind="map")


@method
def layer_grad_cam(
    model: Model,
    inputs: Inputs,
    layer: Any,
    target: Any = None,
    additional_forward_args: Any = (),
    attribute_to_layer_input: bool = False,
    relu_attributions: bool = False,
) -> Explanation:
    """Σ_c w_c A_c as it is, with what speaks against the score below 0: (rows, 1, …) of the layer.

    For layers of any number of axes, (rows, channels, …); with ``relu_attributions`` only what is
    above 0.  (Captum's LayerGradCam.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    baselines = [np.zeros_like(plain(t)) for t in forward.tensors]
    asked = layer_of(forward.module, layer, attribute_to_layer_input)
    found = path_average(forward, baselines, np.ones(1), np.ones(1), asked)
    slopes, made = found.slopes[0][0], found.here[0][0]
    weights = slopes.mean(axis=tuple(range(2, slopes.ndim)), keepdims=True)
    maps = (weights * made).sum(axis=1, keepdims=True)
    values = np.maximum(maps, 0) if relu_attributions else maps
    return forward.explanation("layer_grad_cam", (values,), ("layer",), kind="map")


@method
def guided_grad_cam(
    model: Model, layer: Any, images: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> Explanation:
    """Guided back-propagation where Grad-CAM sees evidence: their product, shaped as the images.

    The map, ReLU(Σ_c w_c A_c), is stretched over the picture by nearest neighbours and not scaled
    (as Captum's GuidedGradCam).  (Selvaraju and others, 2017.)
    """
    forward = Forward(model, images, target, additional_forward_args)
    slopes, made = _channels("guided_grad_cam", forward, layer)
    maps = np.maximum((slopes.mean(axis=(2, 3), keepdims=True) * made).sum(axis=1), 0)
    guided = guided_backprop(model, images, target, additional_forward_args)
    height, width = guided.array.shape[-2:]
    lines = np.arange(height) * maps.shape[1] // height
    columns = np.arange(width) * maps.shape[2] // width
    stretched = maps[:, lines][:, :, columns]
    return forward.explanation("guided_grad_cam", (guided.array * stretched[:, None],), kind="map")
