"""Which inputs an answer rests on: saliency, Grad-CAM, permutation importance, Shapley values.

They answer different questions.  Saliency and Grad-CAM look at one answer: what would change it.
Permutation importance looks at a whole data set: what the model's quality rests on.  Shapley
values share one answer out among the inputs so that the shares sum to it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, OutOfRangeError, ShapeError
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import enable_grad, grad, no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

Predict = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]

Output = int | tuple[int, ...] | Sequence[Any] | npt.NDArray[Any] | None
"""Which score is explained: a position (with several axes a tuple), one for each row, or None."""

MAX_SHAPLEY_INPUTS = 10


def saliency(
    model: Module, features: npt.ArrayLike | Tensor, output: Output = None
) -> npt.NDArray[Any]:
    """∂ score / ∂ input for each row: how much a small change of each input changes the score.

    ``features`` (rows, …) float; ``output`` is the position of the score (with several axes a
    tuple of positions), one for all rows or a sequence with one for each row, or None for the
    largest score of each row.  Returns the gradients, with the shape of ``features``, in
    evaluation mode.  Raises ``OutOfRangeError`` and ``ShapeError`` for positions that do not fit.
    (Simonyan, Vedaldi and Zisserman, 2013; they draw the absolute values.)
    """
    x = as_tensor(features).detach().clone().requires_grad_()
    with evaluation(model), enable_grad():
        scores = model(x)
        result = grad(_chosen(scores, output).sum(), x)[0]
    return np.array(result.detach().numpy())


def grad_cam(
    model: Module, layer: Any, images: npt.ArrayLike | Tensor, output: Output = None
) -> npt.NDArray[Any]:
    """Where in the pictures the evidence for a score lies: one map a picture, 0 … 1.

    ``layer`` is a module of ``model`` whose output is (rows, channels, height, width); the map is
    ReLU(Σ_c w_c A_c) with A the layer's output and w_c the mean over places of ∂ score / ∂ A_c,
    divided by its largest value; ``output`` is as for :func:`saliency`.  A map of zeros means that
    nothing speaks for the score.  Returns (rows, height, width) of that layer.  (Selvaraju and
    others, 2017.)  Raises ``ShapeError`` for layers whose output has other axes.
    """
    kept: list[Any] = []
    handle = layer.register_forward_hook(lambda module, args, result: kept.append(result))
    try:
        with evaluation(model), enable_grad():
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


def occlusion(
    model: Module,
    images: npt.ArrayLike | Tensor,
    output: Output = None,
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
        whole = np.asarray(_chosen(scores, output).numpy(), np.float64)
        drops = np.zeros((len(pictures), len(lines), len(columns)))
        for i, top in enumerate(lines):
            for j, left in enumerate(columns):
                covered = pictures.copy()
                covered[:, :, top : top + size, left : left + size] = fills[:, :, None, None]
                found = model(as_tensor(covered)).reshape(*scores.shape)
                drops[:, i, j] = whole - np.asarray(_chosen(found, output).numpy(), np.float64)
    return drops


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
    if not math.isfinite(before):
        raise NonFiniteError(
            f"The score of the model is {before}", "Look at the predictions: np.isfinite(...)."
        )
    lost = np.empty((x.shape[1], repeats))
    for column, repeat in itertools.product(range(x.shape[1]), range(repeats)):
        shuffled = x.copy()
        shuffled[:, column] = random.permutation(x[:, column])
        lost[column, repeat] = before - score(y, _plain(predict(shuffled)))
    return lost


def shapley_values(
    predict: Predict,
    row: npt.ArrayLike,
    background: npt.ArrayLike,
    output: int | None = None,
) -> Floats:
    """The exact shares of the inputs in one answer.

    ``row`` (inputs,), ``background`` (rows, inputs): an input that is "absent" takes the values of
    the background, over which the answer is averaged.  ``predict`` takes (n, inputs) and gives
    (n,) or (n, outputs), of which ``output`` is explained.  Returns (inputs,); they sum to the
    answer minus the background's mean answer.
    Exact, so 2^inputs sets are tried: at most 10 inputs.  Raises ``ArgumentError`` for several
    outputs without a choice, ``NonFiniteError`` for answers that are NaN or infinite.
    (Shapley, 1953; Lundberg and Lee, 2017.)
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
        answers[present] = _mean_answer(_plain(predict(mixed)), len(others), output)
    shares = np.zeros(count)
    for present, answer in answers.items():
        size = sum(present)
        for position in range(count):
            if not present[position]:
                weight = math.factorial(size) * math.factorial(count - size - 1)
                with_it = (*present[:position], True, *present[position + 1 :])
                shares[position] += weight / math.factorial(count) * (answers[with_it] - answer)
    return shares


def _mean_answer(answers: npt.NDArray[Any], rows: int, output: int | None) -> float:
    """The mean over the background of the answer that is explained."""
    table = answers.reshape(rows, -1)
    if output is None and table.shape[1] > 1:
        raise ArgumentError(
            f"shapley_values got a predict with {table.shape[1]} outputs",
            "Choose one of them: output=0, for the first class.",
        )
    column = 0 if output is None else output
    if not -table.shape[1] <= column < table.shape[1]:
        raise OutOfRangeError(
            f"shapley_values got output={output} for {table.shape[1]} outputs",
            f"Use 0 to {table.shape[1] - 1}.",
        )
    mean = float(table[:, column].mean())
    if not math.isfinite(mean):
        raise NonFiniteError(
            "predict gave NaN or infinity", "Look at the features and the weights of the model."
        )
    return mean


def _chosen(scores: Any, output: Output) -> Any:
    """The score of each row that is explained, (rows,)."""
    rows, shape = scores.shape[0], tuple(scores.shape[1:])
    flat = scores.reshape(rows, -1)
    if output is None:
        return flat.amax(1)
    if isinstance(output, (int, tuple, np.integer)):
        return flat[:, _position(output, shape)]
    listed = np.asarray(_plain(output)).tolist()
    if not isinstance(listed, list):  # an array without axes
        return flat[:, _position(listed, shape)]
    if len(listed) != rows:
        raise ShapeError(
            f"output has {len(listed)} positions for {rows} rows",
            "Give one position, or one for each row.",
        )
    places = [_position(tuple(p) if isinstance(p, list) else p, shape) for p in listed]
    return flat.gather(1, as_tensor(np.array(places, np.int64)[:, None]))[:, 0]


def _position(output: Any, shape: tuple[int, ...]) -> int:
    """The place of a score among a row's scores of this shape, laid out in one line."""
    place = output if isinstance(output, tuple) else (output,)
    whole = all(isinstance(p, (int, np.integer)) and not isinstance(p, bool) for p in place)
    if not whole or (len(place) != len(shape) and not (len(place) == 1 and not shape)):
        raise ShapeError(
            f"output={output!r} is no position among scores of shape {shape} for each row",
            "Give one whole number for each axis after the rows: output=2, or output=(2, 0, 5).",
        )
    extents = shape or (1,)
    for index, extent in zip(place, extents, strict=True):
        if not -extent <= index < extent:
            raise OutOfRangeError(
                f"output={output!r} for scores of shape {shape} for each row",
                f"Use positions from 0 to {extent - 1}.",
            )
    inside = tuple(i % n for i, n in zip(place, extents, strict=True))
    return int(np.ravel_multi_index(inside, extents))


def _plain(value: Any) -> npt.NDArray[Any]:
    with no_grad():
        return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)
