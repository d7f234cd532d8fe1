"""The likely fix of a shape that does not fit, in numbers: from the shapes alone.

Each function gets what an operation received and needed and returns a sentence.  They run when an
error is about to be raised, so they may look at every usual mistake in turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
"""Names of the positions' axes by their number."""


def linear_hint(shape: Sequence[int], features: int, outputs: int) -> str:
    """For an input of a linear layer whose last axis is not ``features`` long."""
    if not shape:
        return f"a single number has no axis of features: give a tensor (…, {features})"
    for axis in range(1, len(shape) - 1):
        if math.prod(shape[axis:]) == features:
            layer = "nn.Flatten()" if axis == 1 else f"nn.Flatten({axis})"
            return f"flatten it first: put {layer} before, or x.flatten({axis})"
    if len(shape) > 1 and math.prod(shape) == features:
        return f"this is one sample without a batch: x.reshape(1, {features})"
    if len(shape) == 2 and shape[0] == features:
        return f"rows and columns are exchanged: pass x.T, which is ({shape[1]}, {shape[0]})"
    if len(shape) > 2 and shape[1] == features:
        return "the features are on axis 1: bring them to the end with x.movedim(1, -1)"
    if len(shape) > 3:
        size = math.prod(shape[1:])
        return (
            f"a flattened sample has {' · '.join(map(str, shape[1:]))} = {size} numbers: put "
            f"nn.Flatten() before and use nn.Linear({size}, {outputs}) here"
        )
    return (
        f"use nn.Linear({shape[-1]}, {outputs}) here, or let the layer before give "
        f"{features} features"
    )


def layer_of(name: str) -> str:
    """``conv_transpose2d`` → ``nn.ConvTranspose2d``."""
    return "nn." + "".join(part.capitalize() for part in name.split("_"))


def channels_hint(shape: Sequence[int], channels: int, rank: int, layer: str) -> str:
    """For an input (N, C, …) or (C, …) of ``rank`` positions' axes with the wrong C.

    ``layer`` is the call that would fit.
    """
    axis = len(shape) - rank - 1
    if shape[axis] == 0:
        return "the axis of channels is empty: look at what made this input"
    if shape[-1] == channels:
        order = ", ".join(map(str, (*range(axis), len(shape) - 1, *range(axis, len(shape) - 1))))
        kind = {1: "sequences", 2: "images", 3: "volumes"}[rank]
        return (
            f"the channels are on the last axis; {kind} are (N, C, {AXES[rank]}): "
            f"x.permute({order})"
        )
    if axis == 1 and shape[0] == channels:
        return f"batch and channels are exchanged, or it is one sample: {_exchanged(shape)}"
    if axis == 0 and channels == 1:
        return (
            f"three axes are one sample (C, {AXES[rank]}); for a batch of {shape[0]} with one "
            "channel add its axis: x.unsqueeze(1)"
            if rank == 2
            else "for a batch with one channel add its axis: x.unsqueeze(1)"
        )
    return f"use {layer} here, or let the layer before give {channels} channels"


def _exchanged(shape: Sequence[int]) -> str:
    swapped = (shape[1], shape[0], *shape[2:])
    return f"x.transpose(0, 1) is {swapped}"


def rank_hint(shape: Sequence[int], rank: int, channels: int | None = None) -> str:
    """For an input that is neither (N, C, …) nor (C, …) with ``rank`` positions' axes.

    ``channels`` is the C it should have, where that is known.
    """
    wanted = f"it needs (N, C, {AXES[rank]}) or (C, {AXES[rank]})"
    known = channels is not None and channels > 0
    if len(shape) > rank + 2:
        ones = [i for i, n in enumerate(shape) if n == 1]
        if len(shape) == rank + 3 and ones:
            return f"{wanted}: x.squeeze({ones[-1]}) removes an axis of extent 1"
        extra = len(shape) - rank - 2
        return f"{wanted}: merge the leading axes into one batch with x.flatten(0, {extra})"
    if len(shape) == 2 and known and channels and shape[1] in _samples(channels, rank):
        extents = _square(shape[1] // channels, rank)
        return f"{wanted}: unflatten it, x.reshape({shape[0]}, {channels}, {extents})"
    if len(shape) == rank and (channels == 1 or not known):
        return f"{wanted}: add the axis of one channel with x.unsqueeze(0)"
    return f"{wanted}: add the missing axes with unsqueeze or reshape"


def _samples(channels: int, rank: int) -> set[int]:
    """Sizes of flattened samples with ``channels`` channels and equal extents from 8 on."""
    return {channels * side**rank for side in range(8, 1025)} if rank > 1 else set()


def _square(size: int, rank: int) -> str:
    """Equal extents with this product."""
    return ", ".join([str(round(size ** (1 / rank)))] * rank)


def window_hint(extents: Sequence[int], reach: Sequence[int], padded: Sequence[int]) -> str:
    """For windows that reach over more than the ``padded`` extents."""
    if 0 in extents:
        return "an axis is empty: look at what made this input"
    tight = min(n for n, r in zip(padded, reach, strict=True) if n < r)
    more = max(-(-(r - n) // 2) for n, r in zip(padded, reach, strict=True))
    return (
        f"the windows may reach over at most {tight} here: use a smaller kernel_size or dilation, "
        f"{more} more padding, larger inputs, or fewer strides and poolings before"
    )


def bilinear_hint(first: Sequence[int], second: Sequence[int], weight: Sequence[int]) -> str:
    """For inputs (…, in1) and (…, in2) of a weight (out, in1, in2) that do not fit."""
    out, in1, in2 = weight
    if not first or not second:
        return f"they are (…, {in1}) and (…, {in2})"
    if (first[-1], second[-1]) == (in1, in2):
        return "all axes but the last must agree: expand one of them"
    if (first[-1], second[-1]) == (in2, in1):
        return "the two inputs are exchanged"
    return f"use nn.Bilinear({first[-1]}, {second[-1]}, {out}) here, or change the inputs"


def last_axes_hint(name: str, shape: Sequence[int], wanted: Sequence[int]) -> str:
    """For an input of ``layer_norm`` or ``rms_norm`` that does not end in ``wanted``."""
    count = len(wanted)
    if len(shape) < max(count, 1):
        return f"the input needs at least {count} axes, the last of them {tuple(wanted)}"
    if count == 1 and len(shape) > 2 and shape[1] == wanted[0]:
        return (
            f"the {wanted[0]} features are on axis 1: x.movedim(1, -1), or nn.GroupNorm(1, "
            f"{wanted[0]}) for (N, C, *)"
        )
    if count == 1 and len(shape) == 2 and shape[0] == wanted[0]:
        return "rows and columns are exchanged: pass x.T"
    layer = "nn.LayerNorm" if name == "layer_norm" else "nn.RMSNorm"
    own = tuple(shape[len(shape) - count :])
    return (
        f"use {layer}({own[0] if count == 1 else own}) here, or let the layer before end in "
        f"{tuple(wanted)}"
    )


def group_hint(shape: Sequence[int], groups: int, channels: int | None) -> str:
    """For an input (N, C, …) of a group norm whose C is not ``channels``, or not divisible."""
    if len(shape) < 2:
        return "it needs (N, C, *): add the batch with x.unsqueeze(0)"
    if channels is not None and channels != shape[1] and shape[-1] == channels:
        return "the channels are on the last axis; it needs (N, C, *): x.movedim(-1, 1)"
    if channels is not None and shape[0] == channels and shape[1] != channels:
        return "it needs (N, C, *): add the batch with x.unsqueeze(0)"
    if shape[1] % groups == 0:
        return (
            f"use nn.GroupNorm({groups}, {shape[1]}) here, or let the layer before give "
            f"{channels} channels"
        )
    fits = [g for g in range(1, shape[1] + 1) if shape[1] % g == 0]
    return f"axis 1 holds {shape[1]} channels: num_groups can be {', '.join(map(str, fits[:8]))}"


def batch_norm_hint(shape: Sequence[int], name: str, ranks: Sequence[int], channels: int) -> str:
    """For an input of a batch or instance norm of ``channels`` channels on axis 1 of ``ranks``."""
    rank = max(ranks) - 2
    if len(shape) not in ranks:
        if len(shape) == max(ranks) - 1 and rank > 1:
            return f"it needs (N, C, {AXES[rank]}): add the batch with x.unsqueeze(0)"
        other = {2: 1, 3: 1, 4: 2, 5: 3}.get(len(shape))
        if other is not None and other != rank:
            kind = name.rstrip("123d")
            return f"use nn.{kind}{other}d for inputs with {len(shape)} axes"
        listed = "(N, C) or (N, C, L)" if rank == 1 else f"(N, C, {AXES[rank]})"
        return f"it needs {listed}"
    axis = 1 if len(shape) == 2 else len(shape) - rank - 1
    if shape[axis] == 0:
        return "the axis of channels is empty: look at what made this input"
    if len(shape) > 2 and shape[-1] == channels:
        return (
            f"the channels are on the last axis; it needs (N, C, {AXES[rank]}): "
            f"x.movedim(-1, {axis})"
        )
    return f"use nn.{name}({shape[axis]}) here, or let the layer before give {channels} channels"


# ---- losses ---------------------------------------------------------------------------------


def _batches(first: int, second: int) -> str:
    """For predictions of one number of samples and targets of another."""
    low, high = sorted((first, second))
    if low and high % low == 0 and first > 1:
        return (
            f"the batches differ, {first} and {second}: did a reshape with -1 move features into "
            "the batch? x.flatten(1) keeps it"
        )
    return f"the batches differ, {first} and {second}: take both from the same batch"


def pair_hint(input: Sequence[int], target: Sequence[int]) -> str:
    """For predictions and targets that should have one shape."""
    if tuple(input) == (*target, 1):
        return "use input.squeeze(-1), or target.unsqueeze(-1)"
    if tuple(target) == (*input, 1):
        return "use target.squeeze(-1), or input.unsqueeze(-1)"
    if len(input) == 2 and tuple(target) == (input[0],):
        return (
            f"one class of {input[1]} for each row is for nn.CrossEntropyLoss; for a number for "
            f"each row make the last layer nn.Linear(…, 1) and use input.squeeze(-1)"
        )
    if input and target and input[0] != target[0] and tuple(input[1:]) == tuple(target[1:]):
        return _batches(input[0], target[0])
    if len(input) == len(target) and tuple(input[:-1]) == tuple(target[:-1]):
        return f"the last layer gives {input[-1]} numbers, the targets have {target[-1]} a row"
    return "both need the same shape: reshape one"


def classes_hint(input: Sequence[int], target: Sequence[int]) -> str:
    """For scores (N, C, d…) and class ids that are not (N, d…)."""
    scores, ids = tuple(input), tuple(target)
    wanted = (scores[0], *scores[2:]) if len(scores) > 1 else ()
    if scores == ids:
        return "one-hot rows? use target.argmax(1) as class ids, or target.float() as probabilities"
    if ids == (*wanted, 1):
        return "one class id a position, not a column: target.squeeze(-1)"
    if len(scores) == 3 and ids == scores[:-1]:
        return (
            "the classes belong on axis 1: use input.flatten(0, 1) with target.flatten(), or "
            "input.movedim(-1, 1)"
        )
    if len(scores) > 3 and ids == scores[:-1]:
        return "the classes belong on axis 1, not last: input.movedim(-1, 1)"
    if len(ids) == len(wanted) and ids and ids[0] != wanted[0] and ids[1:] == wanted[1:]:
        return _batches(wanted[0], ids[0])
    return f"input (N, C, d…) needs targets (N, d…), here {wanted}: one class id a position"
