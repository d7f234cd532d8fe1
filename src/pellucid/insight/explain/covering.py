"""What a score rests on, seen by covering parts of the input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ShapeError
from pellucid.insight.explain.forward import Target, chosen
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor


def occlusion(
    model: Module,
    images: npt.ArrayLike | Tensor,
    output: Target = None,
    size: int = 5,
    stride: int = 2,
    fill: float | None = None,
) -> npt.NDArray[np.float64]:
    """How much a score falls when a square of each picture is covered: one map a picture.

    ``images`` (rows, channels, height, width); a square of ``size`` pixels moves in steps of
    ``stride`` and is filled with ``fill``, by default each picture's mean.  Returns float64 (rows,
    ⌊(height − size) / stride⌋ + 1, ⌊(width − size) / stride⌋ + 1): score − score with the square
    covered; what is large held evidence for the score.  ``output`` is as for :func:`saliency`.
    (Zeiler and Fergus, 2013, section 4.2.)
    """
    pictures = np.array(as_tensor(images).detach().numpy())
    if pictures.ndim != 4 or min(pictures.shape[2:]) < size or size < 1 or stride < 1:
        raise ShapeError(
            f"occlusion got images {pictures.shape} and a square of {size} in steps of {stride}",
            "Give (rows, channels, height, width) and a square that fits into them.",
        )
    fills = pictures.mean(axis=(2, 3)) if fill is None else np.full(pictures.shape[:2], fill)
    lines = range(0, pictures.shape[2] - size + 1, stride)
    columns = range(0, pictures.shape[3] - size + 1, stride)
    with evaluation(model), no_grad():
        scores = model(as_tensor(pictures))
        if output is None:
            flat = scores.reshape(len(pictures), -1)
            output = [int(place) for place in np.asarray(flat.numpy()).argmax(axis=1)]
            scores = flat
        whole = np.asarray(chosen(scores, output).numpy(), np.float64)
        drops = np.zeros((len(pictures), len(lines), len(columns)))
        for i, top in enumerate(lines):
            for j, left in enumerate(columns):
                covered = pictures.copy()
                covered[:, :, top : top + size, left : left + size] = fills[:, :, None, None]
                found = model(as_tensor(covered)).reshape(*scores.shape)
                drops[:, i, j] = whole - np.asarray(chosen(found, output).numpy(), np.float64)
    return drops
