"""Where in pictures the evidence for a score lies, read off a convolution's channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.base.errors import ShapeError
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model
from pellucid.tensor.autograd import enable_grad, grad


def grad_cam(
    model: Model, layer: Any, images: Inputs, target: Any = None, *, output: Any = None
) -> Explanation:
    """Where in the pictures the evidence for a score lies: one map a picture, 0 … 1.

    ``layer`` is a module of ``model`` whose output is (rows, channels, height, width); the map is
    ReLU(Σ_c w_c A_c) with A the layer's output and w_c the mean over places of ∂ score / ∂ A_c,
    divided by its largest value; ``target`` is as for :func:`.saliency`.  A map of zeros means
    that nothing speaks for the score.  Returns (rows, height, width) of that layer.  (Selvaraju
    and others, 2017.)  Raises ``ShapeError`` for layers whose output has other axes.
    """
    forward = Forward(model, images, target if output is None else output)
    kept: list[Any] = []
    handle = layer.register_forward_hook(lambda module, args, result: kept.append(result))
    try:
        with forward.looking(), enable_grad():
            score = forward.score([t.clone().requires_grad_() for t in forward.tensors])
            if not kept or kept[-1].dim() != 4:
                shape = tuple(kept[-1].shape) if kept else "nothing"
                raise ShapeError(
                    f"grad_cam's layer made {shape}, not (rows, channels, height, width)",
                    "Choose a convolution (or the activation after it) that the model runs.",
                )
            slopes = grad(score.sum(), kept[-1])[0].detach().numpy()
    finally:
        handle.remove()
    maps = (slopes.mean(axis=(2, 3), keepdims=True) * kept[-1].detach().numpy()).sum(axis=1)
    maps = np.maximum(maps, 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    values = np.asarray(maps / np.where(highest > 0, highest, 1))
    return forward.explanation("grad_cam", (values,), kind="map")
