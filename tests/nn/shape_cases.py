"""Wrong inputs of every layer, and what the error must say: the table of test_shape_errors.py.

A case is (layer, wrong arguments, what happened, the likely fix).  ``layer`` and the arguments are
functions of a library's ``nn`` and of the library itself, so that PyTorch gets the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One mistake."""

    make: Callable[[Any], Any]
    """nn → the layer."""
    inputs: Callable[[Any], tuple[Any, ...]]
    """library → the arguments of the call."""
    says: str
    """Part of the first line: what happened, with the shapes received."""
    fix: str
    """Part of the last line."""


def f(*shape: int) -> Callable[[Any], tuple[Any, ...]]:
    """One argument: float32 of this shape."""
    return lambda t: (t.ones(*shape) * 0.5,)


def ff(*shapes: tuple[int, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Several of them."""
    return lambda t: tuple(t.ones(*shape) * 0.5 for shape in shapes)


def scores(shape: tuple[int, ...], ids: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Scores of a shape, and class ids: their shape (all 0), or a list."""
    if isinstance(ids, list):
        return lambda t: (t.ones(*shape), t.tensor(ids))
    return lambda t: (t.ones(*shape), t.zeros(*ids, dtype=t.int64))


IMAGE = "x.permute(0, 3, 1, 2)"
EMPTY = "look at what made this input"

CASES: dict[str, list[Case]] = {
    "Linear": [
        Case(
            lambda nn: nn.Linear(10, 2),
            f(32, 8),
            "expects 10 features on the last axis and got an input of shape (32, 8)",
            "use nn.Linear(8, 2) here",
        ),
        Case(
            lambda nn: nn.Linear(784, 10),
            f(32, 1, 28, 28),
            "input of shape (32, 1, 28, 28)",
            "put nn.Flatten() before",
        ),
        Case(lambda nn: nn.Linear(784, 10), f(28, 28), "(28, 28)", "x.reshape(1, 784)"),
        Case(
            lambda nn: nn.Linear(100, 10),
            f(32, 8, 13, 13),
            "(32, 8, 13, 13)",
            "8 · 13 · 13 = 1352 numbers: put nn.Flatten() before and use nn.Linear(1352, 10)",
        ),
        Case(lambda nn: nn.Linear(100, 10), f(32, 1352), "(32, 1352)", "use nn.Linear(1352, 10)"),
        Case(lambda nn: nn.Linear(4, 3), f(4, 7), "(4, 7)", "pass x.T, which is (7, 4)"),
        Case(lambda nn: nn.Linear(4, 3), f(2, 4, 7), "(2, 4, 7)", "x.movedim(1, -1)"),
        Case(lambda nn: nn.Linear(4, 3), f(), "shape ()", "(…, 4)"),
    ],
    "Bilinear": [
        Case(lambda nn: nn.Bilinear(4, 3, 2), ff((5, 3), (5, 4)), "(5, 3) and (5, 4)", "exchanged"),
        Case(
            lambda nn: nn.Bilinear(4, 3, 2),
            ff((5, 4), (5, 6)),
            "4 and 3 features",
            "use nn.Bilinear(4, 6, 2) here",
        ),
        Case(
            lambda nn: nn.Bilinear(4, 3, 2),
            ff((5, 4), (1, 3)),
            "(5, 4) and (1, 3)",
            "all axes but the last must agree",
        ),
        Case(lambda nn: nn.Bilinear(4, 3, 2), ff((), (5, 3)), "() and (5, 3)", "(…, 4) and (…, 3)"),
    ],
    "Conv1d": [
        Case(
            lambda nn: nn.Conv1d(3, 4, 3),
            f(2, 7, 3),
            "expects 3 channels on axis 1",
            "x.permute(0, 2, 1)",
        ),
        Case(lambda nn: nn.Conv1d(3, 4, 3), f(2, 5, 9), "(2, 5, 9)", "use nn.Conv1d(5, 4, 3) here"),
        Case(lambda nn: nn.Conv1d(3, 4, 3), f(7), "shape (7,)", "it needs (N, C, L) or (C, L)"),
        Case(
            lambda nn: nn.Conv1d(3, 4, 3),
            f(2, 3, 2),
            "the kernel reaches over (3,) elements",
            "at most 2 here: use a smaller kernel_size or dilation, 1 more padding",
        ),
        Case(
            lambda nn: nn.Conv1d(3, 4, 3, padding=5, padding_mode="circular"),
            f(2, 3, 4),
            "(5, 5) for axis 2 of an input of shape (2, 3, 4)",
            "at most 4",
        ),
    ],
    "Conv2d": [
        Case(lambda nn: nn.Conv2d(1, 8, 3), f(32, 28, 28, 1), "(32, 28, 28, 1)", IMAGE),
        Case(
            lambda nn: nn.Conv2d(3, 8, 3),
            f(32, 1, 28, 28),
            "expects 3 channels on axis 1",
            "use nn.Conv2d(1, 8, 3) here, or let the layer before give 3 channels",
        ),
        Case(lambda nn: nn.Conv2d(1, 8, 3), f(28, 28), "shape (28, 28)", "x.unsqueeze(0)"),
        Case(
            lambda nn: nn.Conv2d(1, 8, 3), f(32, 784), "shape (32, 784)", "x.reshape(32, 1, 28, 28)"
        ),
        Case(
            lambda nn: nn.Conv2d(1, 8, 3),
            f(32, 28, 28),
            "expects 1 channels on axis 0",
            "x.unsqueeze(1)",
        ),
        Case(lambda nn: nn.Conv2d(3, 8, 3), f(1, 2, 3, 9, 9), "(1, 2, 3, 9, 9)", "x.squeeze(0)"),
        Case(lambda nn: nn.Conv2d(3, 8, 3), f(5, 2, 3, 9, 9), "(5, 2, 3, 9, 9)", "x.flatten(0, 1)"),
        Case(
            lambda nn: nn.Conv2d(3, 8, 5, padding=1),
            f(2, 3, 2, 9),
            "has (4, 11) with its padding",
            "at most 4 here",
        ),
        Case(lambda nn: nn.Conv2d(3, 8, 3), f(2, 3, 0, 9), "(2, 3, 0, 9)", EMPTY),
        Case(
            lambda nn: nn.Conv2d(4, 8, 3, groups=2),
            f(2, 6, 9, 9),
            "expects 4 channels",
            "nn.Conv2d(6, 8, 3, groups=2)",
        ),
        Case(lambda nn: nn.Conv2d(3, 8, 3), f(3, 2, 9, 9), "(3, 2, 9, 9)", "x.transpose(0, 1)"),
        Case(lambda nn: nn.Conv2d(3, 8, 3), f(2, 0, 9, 9), "(2, 0, 9, 9)", EMPTY),
    ],
    "Conv3d": [
        Case(
            lambda nn: nn.Conv3d(1, 4, 3),
            lambda t: (t.zeros(1, 1, 4, 4, 4, dtype=t.uint8),),
            "float32 weights and got an input of uint8",
            "divide pixels by 255",
        ),
        Case(
            lambda nn: nn.Conv3d(3, 4, 3),
            f(2, 5, 6, 7, 3),
            "(2, 5, 6, 7, 3)",
            "x.permute(0, 4, 1, 2, 3)",
        ),
        Case(lambda nn: nn.Conv3d(3, 4, 3), f(2, 4, 5), "(2, 4, 5)", "(N, C, D, H, W)"),
        Case(lambda nn: nn.Conv3d(3, 4, 3), f(2, 3, 2, 5, 5), "has (2, 5, 5)", "1 more padding"),
    ],
    "ConvTranspose1d": [
        Case(
            lambda nn: nn.ConvTranspose1d(3, 4, 3),
            f(2, 5, 9),
            "expects 3 channels on axis 1",
            "use nn.ConvTranspose1d(5, 4, 3) here",
        ),
        Case(
            lambda nn: nn.ConvTranspose1d(3, 4, 3, padding=2),
            f(2, 3, 1),
            "would have spatial extents (-1,)",
            "use a larger input, or less padding than (2,)",
        ),
        Case(lambda nn: nn.ConvTranspose1d(3, 4, 3), f(2, 3, 0), "(2, 3, 0)", EMPTY),
    ],
    "ConvTranspose2d": [
        Case(lambda nn: nn.ConvTranspose2d(16, 8, 3), f(4, 16), "(4, 16)", "(N, C, H, W)"),
        Case(lambda nn: nn.ConvTranspose2d(16, 8, 3), f(4, 5, 5, 16), "(4, 5, 5, 16)", IMAGE),
        Case(
            lambda nn: nn.ConvTranspose2d(16, 8, 3, groups=2),
            f(4, 8, 5, 5),
            "16 channels",
            "nn.ConvTranspose2d(8, 8, 3, groups=2)",
        ),
    ],
    "ConvTranspose3d": [
        Case(
            lambda nn: nn.ConvTranspose3d(3, 4, 3),
            f(2, 4, 5, 5, 5),
            "expects 3 channels",
            "nn.ConvTranspose3d(4, 4, 3)",
        ),
        Case(lambda nn: nn.ConvTranspose3d(3, 4, 3), f(5, 5, 5), "(5, 5, 5)", "(N, C, D, H, W)"),
    ],
    "BatchNorm1d": [
        Case(
            lambda nn: nn.BatchNorm1d(3),
            f(5, 4),
            "expects 3 channels on axis 1 and got shape (5, 4)",
            "use nn.BatchNorm1d(4) here",
        ),
        Case(lambda nn: nn.BatchNorm1d(3), f(5, 7, 3), "(5, 7, 3)", "x.movedim(-1, 1)"),
        Case(
            lambda nn: nn.BatchNorm1d(3),
            f(2, 3, 4, 4),
            "4 axes, shape (2, 3, 4, 4)",
            "use nn.BatchNorm2d",
        ),
        Case(lambda nn: nn.BatchNorm1d(3), f(3), "shape (3,)", "(N, C) or (N, C, L)"),
        Case(
            lambda nn: nn.BatchNorm1d(3),
            f(1, 3),
            "1 value per channel, input shape (1, 3)",
            "use a larger batch in training (drop_last=True",
        ),
    ],
    "BatchNorm2d": [
        Case(lambda nn: nn.BatchNorm2d(3), f(3, 8, 8), "3 axes, shape (3, 8, 8)", "x.unsqueeze(0)"),
        Case(lambda nn: nn.BatchNorm2d(3), f(2, 8, 8, 3), "(2, 8, 8, 3)", "x.movedim(-1, 1)"),
        Case(lambda nn: nn.BatchNorm2d(3), f(2, 4, 8, 8), "(2, 4, 8, 8)", "nn.BatchNorm2d(4)"),
        Case(lambda nn: nn.BatchNorm2d(3), f(5, 3), "(5, 3)", "use nn.BatchNorm1d"),
    ],
    "BatchNorm3d": [
        Case(lambda nn: nn.BatchNorm3d(3), f(2, 3, 8, 8), "(2, 3, 8, 8)", "x.unsqueeze(0)"),
        Case(lambda nn: nn.BatchNorm3d(3), f(2, 4, 5, 5, 5), "expects 3", "nn.BatchNorm3d(4)"),
    ],
    "InstanceNorm1d": [
        Case(
            lambda nn: nn.InstanceNorm1d(3, affine=True),
            f(2, 5, 7),
            "expects 3 channels",
            "use nn.InstanceNorm1d(5) here",
        ),
        Case(lambda nn: nn.InstanceNorm1d(3), f(2, 3, 1), "one value per channel", "larger images"),
        Case(lambda nn: nn.InstanceNorm1d(3), f(3), "shape (3,)", "(N, C, L) or (C, L)"),
    ],
    "InstanceNorm2d": [
        Case(
            lambda nn: nn.InstanceNorm2d(3, affine=True),
            f(2, 8, 8, 3),
            "(2, 8, 8, 3)",
            "x.movedim(-1, 1)",
        ),
        Case(lambda nn: nn.InstanceNorm2d(3), f(2, 3), "(2, 3)", "(N, C, H, W) or (C, H, W)"),
    ],
    "InstanceNorm3d": [
        Case(lambda nn: nn.InstanceNorm3d(3), f(2, 3, 4), "(2, 3, 4)", "(N, C, D, H, W)"),
        Case(
            lambda nn: nn.InstanceNorm3d(3, affine=True),
            f(2, 4, 3, 4, 5),
            "expects 3 channels",
            "nn.InstanceNorm3d(4)",
        ),
    ],
    "LayerNorm": [
        Case(
            lambda nn: nn.LayerNorm(4),
            f(2, 5, 6),
            "normalizes the axes (4,) and got an input of shape (2, 5, 6)",
            "use nn.LayerNorm(6) here",
        ),
        Case(lambda nn: nn.LayerNorm(4), f(2, 4, 5), "(2, 4, 5)", "x.movedim(1, -1)"),
        Case(lambda nn: nn.LayerNorm((5, 4)), f(4), "(4,)", "at least 2 axes"),
        Case(lambda nn: nn.LayerNorm((5, 4)), f(2, 6, 4), "(2, 6, 4)", "nn.LayerNorm((6, 4))"),
    ],
    "RMSNorm": [
        Case(
            lambda nn: nn.RMSNorm(4),
            f(2, 5, 6),
            "rms_norm normalizes the axes (4,)",
            "use nn.RMSNorm(6) here",
        ),
        Case(lambda nn: nn.RMSNorm(4), f(4, 6), "(4, 6)", "pass x.T"),
    ],
    "GroupNorm": [
        Case(lambda nn: nn.GroupNorm(2, 4), f(2, 5, 5, 4), "(2, 5, 5, 4)", "x.movedim(-1, 1)"),
        Case(
            lambda nn: nn.GroupNorm(2, 4),
            f(2, 6, 5),
            "4 channels for an input of shape (2, 6, 5)",
            "use nn.GroupNorm(2, 6) here",
        ),
        Case(lambda nn: nn.GroupNorm(2, 4), f(4), "(4,)", "x.unsqueeze(0)"),
        Case(
            lambda nn: nn.GroupNorm(3, 6, affine=False),
            f(2, 8, 5),
            "num_groups=3",
            "8 channels: num_groups can be 1, 2, 4, 8",
        ),
    ],
    "LocalResponseNorm": [
        Case(lambda nn: nn.LocalResponseNorm(2), f(2, 3), "(2, 3)", "(N, C, *)"),
    ],
    "Dropout1d": [
        Case(lambda nn: nn.Dropout1d(), f(2, 3, 4, 5), "(2, 3, 4, 5)", "2 or 3 axes"),
    ],
    "Dropout2d": [Case(lambda nn: nn.Dropout2d(), f(5), "(5,)", "4 axes")],
    "Dropout3d": [Case(lambda nn: nn.Dropout3d(), f(), "()", "4 or 5 axes")],
    "FeatureAlphaDropout": [
        Case(lambda nn: nn.FeatureAlphaDropout(), f(5), "(5,)", "(N, C, *)"),
    ],
    "PReLU": [Case(lambda nn: nn.PReLU(3), f(2, 4), "3 slopes for 4 channels", "nn.PReLU(4)")],
    "GLU": [
        Case(lambda nn: nn.GLU(), f(2, 5), "extent 5 on axis -1 (shape (2, 5))", "such as 6"),
        Case(lambda nn: nn.GLU(2), f(2, 4), "axis 2 does not exist", "from -2 to 1"),
    ],
    "Softmax": [Case(lambda nn: nn.Softmax(2), f(2, 4), "axis 2 does not exist", "from -2 to 1")],
    "LogSoftmax": [Case(lambda nn: nn.LogSoftmax(2), f(2, 4), "axis 2", "from -2 to 1")],
    "Softmin": [Case(lambda nn: nn.Softmin(2), f(2, 4), "axis 2", "from -2 to 1")],
    "Softmax2d": [Case(lambda nn: nn.Softmax2d(), f(2, 4), "(2, 4)", "nn.Softmax(dim)")],
    "Flatten": [
        Case(lambda nn: nn.Flatten(1, 3), f(2, 4), "axis 3 does not exist", "from -2 to 1")
    ],
    "Unflatten": [
        Case(
            lambda nn: nn.Unflatten(1, (2, 3)),
            f(4, 8),
            "axis 1 of shape (4, 8) into (2, 3): its extent is 8, their product 6",
            "give 6 features",
        ),
    ],
    "Embedding": [
        Case(lambda nn: nn.Embedding(5, 3), f(2, 4), "ids of float32", ".long()"),
        Case(
            lambda nn: nn.Embedding(5, 3),
            lambda t: (t.tensor([[1, 7]]),),
            "the id 7 for 5 rows",
            "ids are 0 to 4: check num_embeddings (at least 8 for these ids)",
        ),
        Case(
            lambda nn: nn.Embedding(5, 3),
            lambda t: (t.tensor([-1]),),
            "the id -1 for 5 rows",
            "ids are 0 to 4",
        ),
    ],
    "EmbeddingBag": [
        Case(
            lambda nn: nn.EmbeddingBag(5, 3),
            lambda t: (t.tensor([1, 2]),),
            "(2,) without offsets",
            "input.unsqueeze(0)",
        ),
        Case(
            lambda nn: nn.EmbeddingBag(5, 3),
            lambda t: (t.tensor([[1, 9]]),),
            "id 9 for 5 rows",
            "0 to 4",
        ),
        Case(
            lambda nn: nn.EmbeddingBag(5, 3),
            lambda t: (t.tensor([1, 2]), t.tensor([[0]])),
            "offsets of shape (1, 1)",
            "(B,)",
        ),
        Case(
            lambda nn: nn.EmbeddingBag(5, 3, mode="sum"),
            lambda t: (t.tensor([[1, 2]]), None, t.ones(1, 3)),
            "per_sample_weights of shape (1, 3)",
            "same shape",
        ),
    ],
    "PairwiseDistance": [
        Case(
            lambda nn: nn.PairwiseDistance(),
            ff((5, 4), (5, 3)),
            "(5, 4) and (5, 3)",
            "the last axis holds the features",
        ),
    ],
    "CosineSimilarity": [
        Case(
            lambda nn: nn.CosineSimilarity(),
            ff((5, 4), (5, 3)),
            "(5, 4) and (5, 3)",
            "both need the same shape",
        ),
        Case(lambda nn: nn.CosineSimilarity(), ff((4,), (4,)), "axis 1", "from -1 to 0"),
    ],
}
