"""Which inputs an answer rests on: saliency, Grad-CAM, permutation importance, Shapley values.

They answer different questions.  Saliency and Grad-CAM look at one answer: what would change it.
Permutation importance looks at a whole data set: what the model's quality rests on.  Shapley
values share one answer out among the inputs so that the shares sum to it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.creation import as_tensor

Predict = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]

MAX_SHAPLEY_INPUTS = 10


def saliency(model: Any, features: Any, output: int | None = None) -> npt.NDArray[Any]:
    """∂ score / ∂ input for each row: how much a small change of each input changes the score.

    ``features`` (rows, …) float; ``output`` is the position of the score, or None for the largest
    of each row.  Returns the gradients, with the shape of ``features``, in evaluation mode.
    (Simonyan, Vedaldi and Zisserman, 2013; they draw the absolute values.)
    """
    x = as_tensor(features).detach().clone().requires_grad_()
    with _Evaluation(model), enable_grad():
        scores = model(x)
        result = grad(_chosen(scores, output).sum(), x)[0]
    return np.array(result.detach().numpy())


def grad_cam(model: Any, layer: Any, images: Any, output: int | None = None) -> npt.NDArray[Any]:
    """Where in the pictures the evidence for a score lies: one map a picture, 0 … 1.

    ``layer`` is a module of ``model`` whose output is (rows, channels, height, width); the map is
    ReLU(Σ_c w_c A_c) with A the layer's output and w_c the mean over places of ∂ score / ∂ A_c,
    divided by its largest value.  Returns (rows, height, width) of that layer.  (Selvaraju and
    others, 2017.)  Raises ``ShapeError`` for layers whose output has other axes.
    """
    kept: list[Any] = []
    handle = layer.register_forward_hook(lambda module, args, result: kept.append(result))
    try:
        with _Evaluation(model), enable_grad():
            scores = model(as_tensor(images).detach().clone().requires_grad_())
            if not kept or kept[-1].dim() != 4:
                shape = tuple(kept[-1].shape) if kept else "nothing"
                raise ShapeError(
                    f"grad_cam's layer made {shape}, not (rows, channels, height, width)",
                    "Choose a convolution (or the activation after it) that the model runs.",
                )
            slopes = grad(_chosen(scores, output).sum(), kept[-1])[0].detach().numpy()
    finally:
        handle.remove()
    maps = (slopes.mean(axis=(2, 3), keepdims=True) * kept[-1].detach().numpy()).sum(axis=1)
    maps = np.maximum(maps, 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(highest > 0, highest, 1))


def permutation_importance(
    predict: Predict,
    features: npt.ArrayLike,
    targets: npt.ArrayLike,
    score: Callable[[Any, Any], float],
    repeats: int = 5,
    seed: int = 0,
) -> Floats:
    """How much worse the answers get when one column is shuffled, for each column.

    ``predict`` takes an array (rows, columns); ``score(targets, predictions)`` is higher for
    better answers.  Returns the score lost, (columns, repeats); near 0 means that the model does
    without the column (or has another one that says the same).  (Breiman, 2001.)
    """
    x, y = np.array(features), np.asarray(targets)
    if x.ndim != 2 or len(x) != len(y) or len(x) < 2:
        raise ShapeError(
            f"permutation_importance got features {x.shape} and targets {y.shape}",
            "Give (rows, columns) and one target for each of at least 2 rows.",
        )
    random = np.random.default_rng(seed)
    before = score(y, _plain(predict(x)))
    lost = np.empty((x.shape[1], repeats))
    for column, repeat in itertools.product(range(x.shape[1]), range(repeats)):
        shuffled = x.copy()
        shuffled[:, column] = random.permutation(x[:, column])
        lost[column, repeat] = before - score(y, _plain(predict(shuffled)))
    return lost


def shapley_values(predict: Predict, row: npt.ArrayLike, background: npt.ArrayLike) -> Floats:
    """The exact shares of the inputs in one answer.

    ``row`` (inputs,), ``background`` (rows, inputs): an input that is "absent" takes the values of
    the background, over which the answer is averaged.  ``predict`` takes (n, inputs) and gives
    (n,) or (n, 1).  Returns (inputs,); they sum to the answer minus the background's mean answer.
    Exact, so 2^inputs sets are tried: at most 10 inputs.  (Shapley, 1953; Lundberg and Lee, 2017.)
    """
    x, others = np.asarray(row), np.asarray(background)
    count = x.shape[0]
    if count > MAX_SHAPLEY_INPUTS or others.ndim != 2 or others.shape[1] != count:
        raise ArgumentError(
            f"shapley_values got {count} inputs and a background {others.shape}",
            f"Use at most {MAX_SHAPLEY_INPUTS} inputs and background rows of as many.",
        )
    answers = {}
    for present in itertools.product((False, True), repeat=count):
        mixed = np.where(np.array(present), x, others)
        answers[present] = float(_plain(predict(mixed)).reshape(len(others), -1)[:, 0].mean())
    shares = np.zeros(count)
    for present, answer in answers.items():
        size = sum(present)
        for position in range(count):
            if not present[position]:
                weight = math.factorial(size) * math.factorial(count - size - 1)
                with_it = (*present[:position], True, *present[position + 1 :])
                shares[position] += weight / math.factorial(count) * (answers[with_it] - answer)
    return shares


class _Evaluation:
    """Evaluation mode inside a with block; the mode before comes back."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.training = self.model.training
        self.model.eval()

    def __exit__(self, *error: object) -> None:
        if self.training:
            self.model.train()


def _chosen(scores: Any, output: int | None) -> Any:
    """The score of each row that is explained, (rows,)."""
    flat = scores.reshape(scores.shape[0], -1)
    return flat.amax(1) if output is None else flat[:, output]


def _plain(value: Any) -> npt.NDArray[Any]:
    with no_grad():
        return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)
