"""Words and what connects them: attention, alignment, and maps of vectors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.base.extras import needs
from pellucid.insight.pictures.canvas import (
    BLUE,
    SERIES,
    Path_,
    axes_for,
    finished,
    frame,
    legend,
    numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
METHODS = ("pca", "tsne", "umap")


def draw_attention(
    weights: Any,
    to: Sequence[str] = (),
    of: Sequence[str] = (),
    path: Path_ = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What each place looks at: a line for each of ``of`` (queries, what is being written), a
    column for each of ``to`` (keys, what is read); dark is much.

    ``weights`` (queries, keys), each line from 0 to 1 with sum 1, as attention layers give them.
    ``ShapeError`` for another number of axes or of words, ``ArgumentError`` for lines that are no
    shares: those would be scores from before the softmax.
    """
    shares = numbers(weights)
    if shares.ndim != 2:
        raise ShapeError(
            f"draw_attention got weights {shares.shape}",
            "Give those of one head and one sequence: (queries, keys).",
        )
    if shares.min() < -1e-6 or np.abs(shares.sum(axis=1) - 1).max() > 1e-3:
        raise ArgumentError(
            "The weights are no shares: lines do not sum to 1, or hold values below 0",
            "Give the weights after the softmax; leave out lines of padding.",
        )
    for names, extent in ((of, shares.shape[0]), (to, shares.shape[1])):
        if names and len(names) != extent:
            raise ShapeError(
                f"There are {len(names)} words for an axis of {extent} weights",
                "Give one for each.",
            )
    width, height = 1.2 + 0.32 * shares.shape[1], 1.0 + 0.3 * shares.shape[0]
    ax = axes_for(ax, path, width, height)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if to:
        upright = max(map(len, to)) <= 2
        ax.set_xticks(range(len(to)), list(to), rotation=0 if upright else 60)
    if of:
        ax.set_yticks(range(len(of)), list(of))
    frame(ax, "", "", title)
    ax.tick_params(length=0)
    return finished(ax, path)


def project(vectors: npt.ArrayLike, method: str = "pca", seed: int = 0) -> Floats:
    """Vectors (rows, size) as points in the plane, float64 (rows, 2).

    ``"pca"``: the two directions of largest variance (Pearson, 1901), each with the sign that
    makes its largest coefficient positive; distances keep their meaning.  ``"tsne"``: neighbours
    stay neighbours (van der Maaten and Hinton, 2008), by scikit-learn; distances between groups
    and their sizes mean nothing.  ``"umap"``: the same aim, faster on many rows, and more of how
    groups lie to each other is kept (McInnes, Healy and Melville, 2018), by umap-learn.
    """
    rows = numbers(vectors)
    if rows.ndim != 2 or len(rows) < 3 or rows.shape[1] < 2:
        raise ShapeError(
            f"project got vectors {rows.shape}", "Give (rows, size): 3 rows of 2 or more numbers."
        )
    if method not in METHODS:
        raise ArgumentError(f"project got method={method!r}", f"Use one of {', '.join(METHODS)}.")
    if method == "tsne":
        with needs("sklearn", "t-SNE"):
            from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(rows) - 1) / 3)
        found = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
        return np.asarray(found, np.float64)
    if method == "umap":
        return _by_umap(rows, seed)
    centred = rows - rows.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(2), largest])[:, None]
    return np.asarray(centred @ directions.T)


def _by_umap(rows: Floats, seed: int) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a package of its other half is not installed
        with needs("umap", "UMAP"):
            from umap import UMAP
        near = min(15, len(rows) - 1)
        start = "spectral" if len(rows) > 10 else "random"
        made = UMAP(n_neighbors=near, init=start, random_state=seed, n_jobs=1)
        return np.asarray(made.fit_transform(rows), np.float64)


def draw_embeddings(
    vectors: npt.ArrayLike,
    names: Sequence[str] = (),
    path: Path_ = None,
    *,
    groups: npt.ArrayLike | None = None,
    method: str = "pca",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Vectors as points in the plane (:func:`project`), with their names and in the colours of
    their ``groups`` (class names or numbers, one for each)."""
    places = project(vectors, method)
    ax = axes_for(ax, path, 6.5, 5.5)
    if names and len(names) != len(places):
        raise ShapeError(
            f"There are {len(places)} vectors and {len(names)} names", "Give one for each."
        )
    if groups is None:
        ax.scatter(places[:, 0], places[:, 1], s=8 if names else 12, color=BLUE)
    else:
        listed = np.asarray(groups).ravel()
        if len(listed) != len(places):
            raise ShapeError(
                f"There are {len(places)} vectors and {len(listed)} groups", "Give one for each."
            )
        for number, group in enumerate(np.unique(listed)):
            inside = places[listed == group]
            colour = SERIES[number % len(SERIES)]
            mark = "os^D"[number // len(SERIES) % 4]
            ax.scatter(
                inside[:, 0], inside[:, 1], s=10, color=colour, marker=mark, label=str(group)
            )
        legend(ax)
    for name, place in zip(names, places, strict=False):
        ax.annotate(name, place, fontsize="small", xytext=(3, 2), textcoords="offset points")
    ax.set_xticks([])
    ax.set_yticks([])
    frame(ax, "", "", title)
    return finished(ax, path)
