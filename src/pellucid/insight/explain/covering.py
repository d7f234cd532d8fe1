"""What a score rests on, seen by taking parts of the input away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.explain.coalitions import Coalitions, again_of, coalitions_of
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, plain
from pellucid.insight.explain.players import Groups

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def feature_ablation(
    model: Any,
    inputs: Any,
    target: Any = None,
    *,
    baselines: Any = None,
    background: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    extra: Any = (),
    compile: bool = True,
) -> Explanation:
    """How much the score falls when a player alone is taken away: score − score without it.

    What stands for a player that is absent is ``baselines`` (None is 0), or each row of
    ``background``, over which the fall is averaged, with the standard error that they leave.
    ``groups`` says which elements belong together; all arguments are as for
    :func:`~pellucid.insight.explain.shapley.exact_shapley`.  The falls do not sum to anything
    where players work together; ``settings["missed"]`` says which share of the change to the
    baseline they miss.  In ``shares`` (rows, players) stands the fall that belongs to a player, as
    Captum gives it to each of its elements; ``values`` divide it among them.
    """
    again = again_of(feature_ablation, locals())
    game = coalitions_of(
        model, inputs, target, background=background, baselines=baselines, groups=groups,
        names=names, extra=extra, compile=compile,
    )  # fmt: skip
    count = game.players.count
    without = np.concatenate([~np.eye(count, dtype=np.bool_), np.zeros((1, count), np.bool_)])
    return _of_falls(game, "feature_ablation", without, again)


def _of_falls(
    game: Coalitions, method: str, without: npt.NDArray[np.bool_], again: Any
) -> Explanation:
    """Falls of the score for masks of one absent player each, the last with nobody."""
    shares, errors, bases = [], [], []
    for row, scores in enumerate(game.scores_of_all(without)):
        falls = game.forward.output[row] - scores[:-1]
        shares.append(falls.mean(axis=1))
        spread = falls.std(axis=1, ddof=1) if game.backgrounds > 1 else np.zeros(len(falls))
        errors.append(spread / np.sqrt(game.backgrounds))
        bases.append(scores[-1].mean())
    base, found = np.array(bases), np.stack(shares)
    change = game.forward.output - base
    missed = np.abs(change - found.sum(axis=1)) / np.maximum(
        np.maximum(np.abs(change), 0.1 * np.abs(found).sum(axis=1)), 1e-300
    )
    return game.explanation(
        method, found, np.stack(errors), base=base, is_complete=False,
        settings={"missed": float(missed.max())}, again=again,
    )  # fmt: skip


def occlusion(
    model: Any,
    inputs: Any,
    target: Any = None,
    size: int | Sequence[int] = 5,
    stride: int | Sequence[int] = 2,
    fill: Any = None,
    *,
    window: Sequence[int] | None = None,
    extra: Any = (),
    output: Any = None,
    compile: bool = True,
) -> Explanation:
    """How much a score falls when a window of each input is covered.

    Of pictures (rows, channels, height, width) a square of ``size`` × ``size`` pixels (or (height,
    width)) moves in steps of ``stride`` and is filled with ``fill``, by default each channel's
    mean.  The values are a map (rows, ⌊(height − size) / stride⌋ + 1, ⌊(width − size) / stride⌋ +
    1): score − score with the square covered; what is large held evidence for the score.  (Zeiler
    and Fergus, "Visualizing and understanding convolutional networks", 2013, section 4.2.)

    With ``window``, extents along every axis of a row, such as (3,) of columns, (5, 8) of a series
    (times, columns) or (1, 4, 4) of pictures, inputs of any shape are covered, from the start in
    steps of ``stride`` (by default the window) up to the end, and the values have the shape of
    the inputs: each element has the mean fall over the windows that cover it, as Captum's
    ``Occlusion``; ``fill`` is 0 then.  ``target`` (``output`` is its older name) is as for every
    method.
    """
    forward = Forward(model, inputs, target if output is None else output, extra, compiled=compile)
    if len(forward.tensors) > 1:
        raise ArgumentError(
            f"occlusion got {len(forward.tensors)} inputs",
            "Use feature_ablation with groups, or give the others as extra.",
        )
    x = plain(forward.tensors[0])
    if window is not None:
        return _everywhere(forward, x, window, stride if stride != 2 else window, fill)
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    down, right = (stride, stride) if isinstance(stride, int) else tuple(stride)
    fits = x.ndim == 4 and 0 < height <= x.shape[2] and 0 < width <= x.shape[3]
    if not fits or min(down, right) < 1:
        told = height if height == width else (height, width)
        raise ShapeError(
            f"occlusion got images {x.shape} and a square of {told} in steps of {stride}",
            "Give (rows, channels, height, width) and a square that fits into them, or window.",
        )
    lines = range(0, x.shape[2] - height + 1, down)
    columns = range(0, x.shape[3] - width + 1, right)
    covers = [
        (slice(None), slice(top, top + height), slice(left, left + width))
        for top in lines
        for left in columns
    ]
    standing = x.mean(axis=(2, 3), keepdims=True) if fill is None else np.asarray(fill, x.dtype)
    falls = _covered(forward, x, covers, np.broadcast_to(standing, x.shape))
    return forward.explanation(
        "occlusion", (falls.reshape(len(x), len(lines), len(columns)),), kind="map",
        settings={"size": (height, width), "stride": (down, right)},
    )  # fmt: skip


def _everywhere(forward: Forward, x: Array, window: Any, stride: Any, fill: Any) -> Explanation:
    """The mean fall over the windows that cover each element."""
    shape = x.shape[1:]
    sizes = (window,) if isinstance(window, int) else tuple(window)
    steps = (stride,) * len(shape) if isinstance(stride, int) else tuple(stride)
    if len(sizes) != len(shape) or len(steps) != len(shape) or min(*sizes, *steps, 1) < 1:
        raise ShapeError(
            f"occlusion got windows {sizes} in steps of {steps} for inputs {x.shape}",
            "Give an extent, and a step, for each axis of a row.",
        )
    if any(size > extent for size, extent in zip(sizes, shape, strict=True)):
        raise ShapeError(
            f"occlusion got windows {sizes} for rows {shape}", "Give windows that fit into a row."
        )
    if any(step > size for step, size in zip(steps, sizes, strict=True)):
        raise ArgumentError(
            f"Windows {sizes} in steps of {steps} leave elements uncovered", "Use smaller steps."
        )
    starts = [
        range(-(-max(extent - size, 0) // step) + 1)
        for extent, size, step in zip(shape, sizes, steps, strict=True)
    ]
    covers = [
        tuple(
            slice(k * step, min(k * step + size, extent))
            for k, step, size, extent in zip(place, steps, sizes, shape, strict=True)
        )
        for place in itertools.product(*starts)
    ]
    standing = np.broadcast_to(np.asarray(0 if fill is None else plain(fill), x.dtype), x.shape)
    falls = _covered(forward, x, covers, standing)
    total, times = np.zeros(x.shape), np.zeros(shape)
    for place, cover in enumerate(covers):
        total[(slice(None), *cover)] += falls[:, place].reshape(-1, *[1] * len(shape))
        times[cover] += 1
    return forward.explanation(
        "occlusion", (total / times,), kind="map", settings={"size": sizes, "stride": steps}
    )


def _covered(forward: Forward, x: Array, covers: list[Any], standing: Array) -> Floats:
    """score − score with each cover, (rows, covers)."""
    found = np.empty((len(x), len(covers)))
    size = int(np.prod(x.shape[1:], dtype=int)) * len(x)
    block = int(np.clip((1 << 21) // max(1, size), 1, len(covers)))
    for start in range(0, len(covers), block):
        here = covers[start : start + block]
        made = np.repeat(x[:, None], block, axis=1)  # a short last block is filled up
        for place, cover in enumerate(here):
            made[(slice(None), place, *cover)] = standing[(slice(None), *cover)]
        scores = forward(made.reshape(-1, *x.shape[1:]), copies=block).reshape(len(x), block)
        found[:, start : start + len(here)] = forward.output[:, None] - scores[:, : len(here)]
    return found
