"""What an input is measured against: zeros, means, blurred pictures, noise, rows of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.explain.forward import Forward, plain
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]

NAMES = ("zero", "mean", "blur", "uniform", "permuted")


def baselines_of(forward: Forward, given: Any, seed: int = 0) -> tuple[Array, ...]:
    """One array for each input, in its shape and dtype.

    ``given`` is None for zeros, a number, one of ``"zero"``, ``"mean"`` (over the rows),
    ``"blur"`` (pictures, by a Gaussian), ``"uniform"`` (noise between the smallest and the largest
    value), ``"permuted"`` (another row of the inputs), an array that spreads over the input, or a
    tuple (for dictionaries: a dictionary) with one of these for each input.
    """
    parts = _for_inputs(forward, given)
    random = np.random.default_rng(seed)
    return tuple(
        _one(name, plain(tensor), part, random)
        for name, tensor, part in zip(forward.names, forward.tensors, parts, strict=True)
    )


def several(forward: Forward, given: Any, seed: int = 0) -> list[tuple[Array, ...]]:
    """A list of baselines: each entry of a list is one."""
    listed = given if isinstance(given, list) and not _is_numbers(given) else [given]
    return [baselines_of(forward, entry, seed + k) for k, entry in enumerate(listed)]


def background_of(forward: Forward, given: Any) -> tuple[Array, ...]:
    """Rows of data for each input, (count, …): what inputs are measured against on average."""
    parts = _for_inputs(forward, given)
    found = []
    for name, tensor, part in zip(forward.names, forward.tensors, parts, strict=True):
        if part is None or isinstance(part, str):
            found.append(baselines_of(forward, part)[forward.names.index(name)])
            continue
        array = np.asarray(plain(part)).astype(plain(tensor).dtype)
        if array.ndim == tensor.dim() - 1 or array.ndim == 0:
            array = np.broadcast_to(array, (1, *tensor.shape[1:]))
        if array.shape[1:] != tuple(tensor.shape[1:]) or len(array) == 0:
            raise ShapeError(
                f"the background of {name} has shape {array.shape}, the input "
                f"{tuple(tensor.shape)}",
                "give (count, …) with the input's axes after the first",
            )
        found.append(array)
    counts = {len(a) for a in found}
    if len(counts) > 1:
        raise ShapeError(f"the backgrounds have {sorted(counts)} rows", "give as many of each")
    return tuple(found)


def _for_inputs(forward: Forward, given: Any) -> Sequence[Any]:
    count = len(forward.tensors)
    if isinstance(given, dict):
        unknown = [k for k in given if k not in forward.names]
        if unknown:
            raise ArgumentError(
                f"baselines name {unknown[0]!r}", f"name inputs: {', '.join(forward.names)}"
            )
        return [given.get(name) for name in forward.names]
    if isinstance(given, tuple):
        if len(given) != count:
            raise ArgumentError(
                f"baselines has {len(given)} entries for {count} inputs", "give one for each input"
            )
        return given
    return [given] * count


def _is_numbers(given: Any) -> bool:
    try:
        return np.asarray(given).dtype.kind in "iufb"
    except (ValueError, TypeError):
        return False


def _one(name: str, x: Array, given: Any, random: np.random.Generator) -> Array:
    if given is None:
        return np.zeros_like(x)
    if isinstance(given, str):
        return _named(x, given, random).astype(x.dtype)
    array = np.asarray(plain(given) if isinstance(given, Tensor) else given)
    if array.dtype.kind not in "iufb":
        raise ArgumentError(f"the baseline of {name} is {given!r}", f"use {', '.join(NAMES)}")
    try:
        return np.array(np.broadcast_to(array.astype(x.dtype), x.shape))
    except ValueError:
        raise ShapeError(
            f"the baseline of {name} has shape {array.shape}, the input {x.shape}",
            "give one number, one row, or as many rows as the input has",
        ) from None


def _named(x: Array, name: str, random: np.random.Generator) -> Array:
    if name == "zero":
        return np.zeros_like(x)
    if name == "mean":
        return np.broadcast_to(x.mean(0, keepdims=True), x.shape)
    if name == "permuted":
        return x[random.permutation(len(x))]
    if name == "uniform":
        return random.uniform(x.min(), x.max(), x.shape)
    if name == "blur":
        return blurred(x)
    raise ArgumentError(f"there is no baseline {name!r}", f"use one of {', '.join(NAMES)}")


def blurred(pictures: Array, width: float | None = None) -> Array:
    """Pictures (…, height, width) under a Gaussian of a standard deviation of ``width`` pixels, by
    default a tenth of the smaller side."""
    if pictures.ndim < 3:
        raise ShapeError(
            f"blurring needs pictures and got {pictures.shape}", "give (rows, …, height, width)"
        )
    sigma = width or min(pictures.shape[-2:]) / 10
    reach = max(1, int(np.ceil(3 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    found = np.asarray(pictures, np.float64)
    for axis in (-2, -1):
        padding = [(0, 0)] * found.ndim
        padding[axis] = (reach, reach)
        wide = np.moveaxis(np.pad(found, padding, mode="edge"), axis, -1)
        windows = np.lib.stride_tricks.sliding_window_view(wide, len(weights), -1)
        found = np.moveaxis(windows @ weights, -1, axis)
    return found
