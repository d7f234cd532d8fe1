"""What a convolutional network looks for, what it finds, and where it looks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ShapeError
from pellucid.insight.features import feature_maps, filters, maximized, strongest_patches
from pellucid.insight.pictures.canvas import Path_, axes_for, finished, mosaic, numbers
from pellucid.nn.module import Module
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]


def draw_filters(
    model: Module,
    path: Path_ = None,
    layer: str | None = None,
    most: int = 64,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The filters of a convolution: the model's first, or the one at ``layer``.

    A filter with three inputs is drawn in colour, one with another number as the mean over its
    inputs: white counts for what it looks for, black against it.
    """
    shown = filters(model, layer)[:most]
    ax = axes_for(ax, path, 6.0, 0.3 + 0.75 * -(-len(shown) // 8))
    shown = 0.5 + 0.5 * shown / (float(np.abs(shown).max()) or 1.0)
    colour = shown.shape[1] == 3
    tiles = [p.transpose(1, 2, 0) if colour else p.mean(axis=0) for p in shown]
    return _show(ax, mosaic(tiles, 8), path)


def draw_feature_maps(
    model: Module,
    image: npt.ArrayLike | Tensor,
    path: Path_ = None,
    most: int = 8,
    *,
    ax: Axes | None = None,
) -> Axes:
    """What each convolution makes of an image, one row a layer (see
    ``pellucid.insight.features.feature_maps``).

    ``image`` is one input without its batch axis.  A row shows the ``most`` channels that answer
    most; light is where a channel found what it looks for.
    """
    maps = feature_maps(model, image)
    ax = axes_for(ax, path, 7.0, 0.2 + 0.85 * len(maps))
    side = max(max(channels.shape[1:]) for channels in maps.values())
    tiles = []
    for channels in maps.values():
        answer = np.argsort(-channels.clip(0).mean(axis=(1, 2)), kind="stable")[:most]
        top = float(channels.max()) or 1.0
        row = [_enlarged(channels[i] / top, side).clip(0, 1) for i in sorted(answer.tolist())]
        tiles += row + [np.ones((side, side))] * (most - len(row))
    middles = [line * (side + 1) + (side - 1) / 2 for line in range(len(maps))]
    ax.set_yticks(middles, list(maps))
    return _show(ax, mosaic(tiles, most), path, keep_rows=True)


def draw_what_it_looks_for(
    model: Module,
    images: npt.ArrayLike | Tensor,
    path: Path_ = None,
    channels: int = 8,
    patches: int = 4,
    *,
    ax: Axes | None = None,
) -> Axes:
    """For each convolution, the parts of ``images`` that excite its channels most: from edges, by
    parts, to wholes.

    One row a layer with a block for each of ``channels``, of its ``patches`` strongest patches (see
    ``pellucid.insight.features.strongest_patches``); deeper layers see larger patches, all are
    drawn equally large.  ``images`` (rows, channels, height, width).
    """
    found = strongest_patches(model, images, channels, patches)
    across = math.ceil(math.sqrt(patches))
    ax = axes_for(ax, path, 1 + 0.45 * across * channels, 0.4 + 0.5 * across * len(found))
    side = max(p.shape[-1] for p in found.values())
    lines = []
    for parts in found.values():
        tiles = [[_tile(patch, side) for patch in group] for group in parts]
        blocks = [mosaic(group, across, background=0.7) for group in tiles]
        blocks += [np.ones_like(blocks[0])] * (channels - len(blocks))
        lines.append(mosaic(blocks, channels, gap=max(3, side // 3)))
    height = len(lines[0])
    middles = [line * (height + 3) + (height - 1) / 2 for line in range(len(lines))]
    ax.set_yticks(middles, list(found))
    return _show(ax, mosaic(lines, 1, gap=3), path, keep_rows=True)


def draw_maximized(
    model: Module,
    shape: tuple[int, int, int],
    layer: str,
    path: Path_ = None,
    channels: int = 16,
    *,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Inputs made by gradient ascent so that one channel each of ``layer`` answers most (see
    ``pellucid.insight.features.maximized``).

    ``shape`` (channels, height, width) of the input.  (Erhan and others, 2009.)
    """
    pictures = maximized(model, shape, layer, range(channels), seed=seed)
    ax = axes_for(ax, path, 6.0, 0.3 + 0.75 * -(-len(pictures) // 8))
    tiles = [_scaled(p.transpose(1, 2, 0) if len(p) == 3 else p.mean(axis=0)) for p in pictures]
    return _show(ax, mosaic(tiles, 8), path)


def draw_heat(
    image: npt.ArrayLike | Tensor,
    heat: npt.ArrayLike | Tensor,
    path: Path_ = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A map of evidence over the picture it belongs to: Grad-CAM, saliency, occlusion.

    ``image`` (height, width), (1 or 3, height, width) or (height, width, 3); ``heat`` (h, w) of
    any size, stretched over it; only values above 0 are shown, the strongest red.
    """
    picture, above = numbers(image), numbers(heat)
    if picture.ndim == 3 and picture.shape[0] in (1, 3):
        picture = picture.transpose(1, 2, 0) if picture.shape[0] == 3 else picture[0]
    if picture.ndim not in (2, 3) or above.ndim != 2:
        raise ShapeError(
            f"draw_heat got a picture {picture.shape} and a map {above.shape}",
            "Give a picture (height, width) or (3, height, width), and a map (height, width).",
        )
    ax = axes_for(ax, path, 4.0, 4.0)
    height, width = picture.shape[:2]
    extent = (0.0, float(width), float(height), 0.0)
    ax.imshow(_scaled(picture), cmap="gray", vmin=0, vmax=1, extent=extent)
    above = above.clip(0) / (float(above.max()) if above.max() > 0 else 1.0)
    ax.imshow(above, cmap="inferno", alpha=0.65 * above, extent=extent, interpolation="bilinear")
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return finished(ax, path)


def draw_images(
    images: npt.ArrayLike | Tensor,
    path: Path_ = None,
    columns: int = 10,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Pictures beside each other: digits of a set, what a generator made, a manifold.

    ``images`` (rows, height, width) or (rows, 1 or 3, height, width); all on one scale from the
    smallest value, black, to the largest, white.
    """
    shown = numbers(images)
    if shown.ndim == 4 and shown.shape[1] in (1, 3):
        shown = shown[:, 0] if shown.shape[1] == 1 else shown.transpose(0, 2, 3, 1)
    elif shown.ndim != 3:
        raise ShapeError(
            f"draw_images got {shown.shape}",
            "Give (rows, height, width) or (rows, 1 or 3, height, width).",
        )
    lines = -(-len(shown) // columns)
    ax = axes_for(ax, path, 0.7 * min(columns, len(shown)) + 0.2, 0.7 * lines + 0.3)
    if title:
        ax.set_title(title)
    return _show(ax, mosaic(_scaled(shown), min(columns, len(shown))), path)


def _show(ax: Axes, picture: Floats, path: Path_, keep_rows: bool = False) -> Axes:
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    if keep_rows:
        ax.set_xticks([])
        ax.tick_params(length=0, labelsize="small")
        ax.spines[:].set_visible(False)
    else:
        ax.set_axis_off()
    return finished(ax, path)


def _scaled(picture: Floats) -> Floats:
    low, high = float(picture.min()), float(picture.max())
    return (picture - low) / ((high - low) or 1.0)


def _tile(patch: Floats, side: int) -> Floats:
    """A patch (channels, height, width) in grey and of this size."""
    return _enlarged(_scaled(patch.mean(axis=0)), side)


def _enlarged(picture: Floats, side: int) -> Floats:
    """A picture on ``side`` by ``side`` pixels, by its nearest ones."""
    rows = (np.arange(side) * picture.shape[0]) // side
    columns = (np.arange(side) * picture.shape[1]) // side
    enlarged: Floats = picture[rows[:, None], columns[None, :]]
    return enlarged
