"""Wrong inputs of pools, frames, recurrent layers, attention and losses; see shape_cases.py."""

from __future__ import annotations

from typing import Any

from nn.shape_cases import EMPTY, IMAGE, Case, f, ff, scores


def pools(name: str, **settings: Any) -> dict[str, list[Case]]:
    """The cases that pools of 1 to 3 axes share."""
    found = {}
    sizes = {1: (7,), 2: (7, 8), 3: (5, 6, 7)}
    axes = {1: "L", 2: "H, W", 3: "D, H, W"}
    for rank, size in sizes.items():
        layer = f"{name}{rank}d"
        rest = dict(settings)

        def make(nn: Any, layer: str = layer, rest: dict[str, Any] = rest) -> Any:
            return getattr(nn, layer)(**rest)

        wanted = f"it needs (N, C, {axes[rank]}) or (C, {axes[rank]})"
        found[layer] = [
            Case(make, f(2, 2, 2, *size), f"{rank + 3} axes, shape", wanted),
            Case(make, f(*size), f"{rank} axes, shape", wanted + ": add the axis of one channel"),
            Case(make, f(2, 3, *size[1:], 0), ", 0)", EMPTY),
        ]
        if "kernel_size" in settings:
            found[layer].append(
                Case(
                    make,
                    f(2, 3, *size[1:], 2),
                    "a window of 3 does not fit on an axis of 2",
                    "at most 2 here: use a smaller kernel_size",
                )
            )
    return found


def frames(name: str, fix: str) -> dict[str, list[Case]]:
    """The cases of paddings that continue the image."""
    found = {}
    for rank, size in {1: (4,), 2: (4, 5), 3: (4, 5, 6)}.items():
        layer = f"{name}{rank}d"

        def make(nn: Any, layer: str = layer) -> Any:
            return getattr(nn, layer)(6)

        found[layer] = [
            Case(
                make,
                f(2, 2, 2, *size),
                f"pad got {rank} padded axes for an input of shape",
                "(N, C",
            ),
        ]
        if fix:
            found[layer].append(Case(make, f(2, 3, *size), "pad got (6, 6) for axis", fix))
    return found


def constant(name: str, *value: float) -> dict[str, list[Case]]:
    """Paddings with a number: any number of axes, but not fewer than are padded."""
    found = {}
    for rank in (1, 2, 3):

        def make(nn: Any, layer: str = f"{name}{rank}d") -> Any:
            return getattr(nn, layer)(1, *value)

        def crop(nn: Any, layer: str = f"{name}{rank}d") -> Any:
            return getattr(nn, layer)(-3, *value)

        few = f(*[3] * (rank - 1))
        found[f"{name}{rank}d"] = [
            Case(make, few, f"for an input of shape ({'3' * (rank == 2)}", f"has {rank - 1} axes"),
            Case(crop, f(2, *[5] * rank), "takes 6 of 5 elements away", "crop less"),
        ]
    return found


def state(*shapes: Any) -> Any:
    """An input, and a state: a tensor, or the pair of an LSTM."""

    def arguments(t: Any) -> tuple[Any, ...]:
        first, *rest = (t.ones(*s) for s in shapes)
        return (first, rest[0] if len(rest) == 1 else tuple(rest))

    return arguments


def masked(query: Any, *masks: Any) -> Any:
    """Query, key and value alike, key_padding_mask, need_weights, attn_mask."""

    def arguments(t: Any) -> tuple[Any, ...]:
        x = t.ones(*query)
        pad, mask = (None if m is None else t.zeros(*m, dtype=t.bool) for m in masks)
        return (x, x, x, pad, True, mask)

    return arguments


def lengths(targets: tuple[int, ...], given: Any, goal: Any, steps: int = 7) -> Any:
    """The arguments of the CTC loss for a batch of 2 and 5 classes."""
    return lambda t: (
        t.zeros(steps, 2, 5),
        t.ones(*targets, dtype=t.int64),
        t.tensor(given),
        t.tensor(goal),
    )


def alike(name: str) -> list[Case]:
    """The cases of losses of numbers: predictions and targets of one shape."""

    def make(nn: Any) -> Any:
        return getattr(nn, name)()

    return [
        Case(
            make,
            ff((8, 3), (6, 3)),
            "an input of shape (8, 3) and a target of shape (6, 3)",
            "the batches differ, 8 and 6",
        ),
        Case(
            make,
            ff((8, 3), (8, 2)),
            "(8, 3) and a target of shape (8, 2)",
            "the last layer gives 3 numbers, the targets have 2 a row",
        ),
    ]


MORE: dict[str, list[Case]] = {
    **pools("MaxPool", kernel_size=3),
    **pools("AvgPool", kernel_size=3),
    **pools("LPPool", kernel_size=3, norm_type=2),
    **pools("AdaptiveAvgPool", output_size=2),
    **pools("AdaptiveMaxPool", output_size=2),
    **frames("ReflectionPad", "needs amounts of at most"),
    **frames("CircularPad", "needs amounts of at most"),
    **frames("ReplicationPad", ""),
    **constant("ZeroPad"),
    **constant("ConstantPad", 1.0),
    **{
        f"MaxUnpool{rank}d": [
            Case(
                lambda nn, rank=rank: getattr(nn, f"MaxUnpool{rank}d")(2),
                lambda t, rank=rank: (
                    t.ones(2, 3, *[4] * rank),
                    t.zeros(2, 3, *[4] * (rank - 1), 3, dtype=t.int64),
                ),
                "indices of shape (2, 3, ",
                "values, indices = pool(x)",
            ),
            Case(
                lambda nn, rank=rank: getattr(nn, f"MaxUnpool{rank}d")(2),
                lambda t, rank=rank: (
                    t.ones(2, 3, *[4] * rank),
                    t.zeros(2, 3, *[4] * rank, dtype=t.int64) + 4096,
                ),
                "the index 4096 for an output of [8",
                "output_size=x.shape",
            ),
        ]
        for rank in (1, 2, 3)
    },
    "FractionalMaxPool2d": [
        Case(
            lambda nn: nn.FractionalMaxPool2d(3, output_size=4),
            f(2, 3, 5, 9),
            "(2, 3, 5, 9)",
            "need an axis of 6",
        ),
        Case(
            lambda nn: nn.FractionalMaxPool2d(3, output_size=4), f(9, 9), "(9, 9)", "(N, C, H, W)"
        ),
    ],
    "FractionalMaxPool3d": [
        Case(
            lambda nn: nn.FractionalMaxPool3d(3, output_size=4),
            f(2, 3, 5, 9, 9),
            "(2, 3, 5, 9, 9)",
            "need an axis of 6",
        ),
    ],
    "Upsample": [
        Case(
            lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
            f(3, 8, 8),
            "(3, 8, 8)",
            "x.unsqueeze(0)",
        ),
        Case(
            lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
            f(2, 3, 4, 8, 8),
            "(2, 3, 4, 8, 8)",
            "mode='trilinear'",
        ),
        Case(lambda nn: nn.Upsample(scale_factor=2), f(8, 8), "(8, 8)", "(N, C, H, W)"),
        Case(lambda nn: nn.Upsample(scale_factor=2), f(2, 0, 8, 8), "it has no channels", EMPTY),
    ],
    "UpsamplingNearest2d": [
        Case(lambda nn: nn.UpsamplingNearest2d(scale_factor=2), f(8, 8), "(8, 8)", "(N, C, H, W)"),
    ],
    "UpsamplingBilinear2d": [
        Case(
            lambda nn: nn.UpsamplingBilinear2d(scale_factor=2),
            f(3, 8, 8),
            "(3, 8, 8)",
            "x.unsqueeze(0)",
        ),
    ],
    "PixelShuffle": [
        Case(
            lambda nn: nn.PixelShuffle(2),
            f(2, 6, 4, 4),
            "upscale_factor=2 for an input of shape (2, 6, 4, 4)",
            "a multiple of 4",
        ),
    ],
    "PixelUnshuffle": [
        Case(lambda nn: nn.PixelUnshuffle(2), f(2, 3, 5, 4), "(2, 3, 5, 4)", "multiples of 2"),
    ],
    "ChannelShuffle": [
        Case(lambda nn: nn.ChannelShuffle(2), f(2, 5, 4, 4), "(2, 5, 4, 4)", "a multiple of 2"),
    ],
    "Fold": [
        Case(
            lambda nn: nn.Fold((4, 5), 2),
            f(2, 12, 10),
            "(2, 12, 10)",
            "it needs (N, C · 4, 12): 4 numbers a window and channel, 3 · 4 windows",
        ),
        Case(lambda nn: nn.Fold((4, 5), 2), f(2, 10, 12), "(2, 10, 12)", "(N, C · 4, 12)"),
    ],
    "Unfold": [
        Case(lambda nn: nn.Unfold(2), f(5, 5), "(5, 5)", "(N, C, H, W)"),
        Case(
            lambda nn: nn.Unfold(4),
            f(2, 3, 3, 5),
            "do not fit in an image of [3, 5]",
            "a smaller kernel_size",
        ),
    ],
    "RNN": [
        Case(
            lambda nn: nn.RNN(10, 20),
            f(5, 3, 8),
            "expects 10 features on the last axis and got an input of shape (5, 3, 8)",
            "input_size=8",
        ),
        Case(
            lambda nn: nn.RNN(10, 20),
            state((5, 3, 10), (3, 1, 20)),
            "h_0 of shape (1, 3, 20)",
            "(layers · directions, batch, features)",
        ),
        Case(lambda nn: nn.RNN(1, 4), f(5), "shape (5,)", "x.unsqueeze(-1)"),
    ],
    "GRU": [
        Case(
            lambda nn: nn.GRU(10, 20, 2, bidirectional=True),
            state((5, 3, 10), (2, 3, 20)),
            "h_0 of shape (4, 3, 20)",
            "num_layers · directions = 2 · 2",
        ),
        Case(
            lambda nn: nn.GRU(10, 20, batch_first=True),
            state((3, 5, 10), (1, 5, 20)),
            "h_0 of shape (1, 3, 20)",
            "batch_first=False",
        ),
        Case(lambda nn: nn.GRU(10, 20), f(10, 5, 3), "(10, 5, 3)", "move it to the end"),
    ],
    "LSTM": [
        Case(lambda nn: nn.LSTM(10, 20), f(2, 5, 3, 10), "(2, 5, 3, 10)", "x.flatten(2)"),
        Case(
            lambda nn: nn.LSTM(10, 20),
            state((5, 3, 10), (1, 3, 20), (1, 3, 10)),
            "c_0 of shape (1, 3, 20)",
            "hidden_size = 20",
        ),
        Case(
            lambda nn: nn.LSTM(10, 20),
            state((5, 3, 10), (1, 3, 20)),
            "got a Tensor as its state",
            "a pair (h_0, c_0)",
        ),
        Case(
            lambda nn: nn.LSTM(10, 20),
            lambda t: (t.zeros(5, 3, 10, dtype=t.int64),),
            "int64",
            "nn.Embedding",
        ),
    ],
    "RNNCell": [
        Case(lambda nn: nn.RNNCell(4, 3), f(2, 5), "expects an input (B, 4)", "input_size"),
        Case(lambda nn: nn.RNNCell(4, 3), f(7, 2, 4), "(7, 2, 4)", "call it for each x[t]"),
    ],
    "GRUCell": [
        Case(
            lambda nn: nn.GRUCell(4, 3),
            state((2, 4), (5, 3)),
            "h of shape (2, 3)",
            "input and state have the same batch",
        ),
    ],
    "LSTMCell": [
        Case(
            lambda nn: nn.LSTMCell(4, 3),
            state((2, 4), (2, 3), (2, 4)),
            "c of shape (2, 3)",
            "hidden_size",
        ),
        Case(
            lambda nn: nn.LSTMCell(4, 3),
            state((2, 4), (2, 3)),
            "a Tensor as its state",
            "a pair (h, c)",
        ),
    ],
    "MultiheadAttention": [
        Case(
            lambda nn: nn.MultiheadAttention(8, 2),
            ff((5, 3, 6), (5, 3, 6), (5, 3, 6)),
            "expects 8 features in the query and got 6",
            "embed_dim=6",
        ),
        Case(
            lambda nn: nn.MultiheadAttention(8, 2),
            ff((5, 3, 8), (4, 2, 8), (4, 2, 8)),
            "(3, 5), (2, 4), (2, 4)",
            "batches must agree",
        ),
        Case(
            lambda nn: nn.MultiheadAttention(8, 2),
            ff((5, 3, 8), (4, 3, 6), (4, 3, 8)),
            "8 features in the key and got 6",
            "kdim=6",
        ),
        Case(
            lambda nn: nn.MultiheadAttention(8, 2, batch_first=True),
            masked((3, 5, 8), (5, 3), None),
            "key_padding_mask of shape (5, 3)",
            "(3, 5)",
        ),
        Case(
            lambda nn: nn.MultiheadAttention(8, 2, batch_first=True),
            masked((3, 5, 8), None, (3, 5, 5)),
            "attn_mask of shape (3, 5, 5)",
            "(5, 5) or (6, 5, 5)",
        ),
        Case(
            lambda nn: nn.MultiheadAttention(8, 2),
            lambda t: (t.zeros(5, 3, 8, dtype=t.int64),) * 3,
            "query of int64",
            "nn.Embedding",
        ),
    ],
    "TransformerEncoderLayer": [
        Case(
            lambda nn: nn.TransformerEncoderLayer(8, 2, 16),
            f(5, 3, 6),
            "8 features in the query",
            "embed_dim=6",
        ),
        Case(
            lambda nn: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            lambda t: (t.ones(3, 5, 8), t.zeros(3, 3, dtype=t.bool)),
            "attn_mask of shape (3, 3)",
            "(5, 5)",
        ),
    ],
    "TransformerDecoderLayer": [
        Case(
            lambda nn: nn.TransformerDecoderLayer(8, 2, 16),
            ff((5, 3, 8), (4, 2, 8)),
            "(3, 5), (2, 4), (2, 4)",
            "batches must agree",
        ),
    ],
    "TransformerEncoder": [
        Case(
            lambda nn: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2),
            f(5, 3, 6),
            "8 features in the query and got 6",
            "embed_dim=6",
        ),
    ],
    "TransformerDecoder": [
        Case(
            lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2),
            ff((5, 3, 8), (4, 3, 6)),
            "8 features in the key and got 6",
            "kdim=6",
        ),
    ],
    "Transformer": [
        Case(
            lambda nn: nn.Transformer(8, 2, 1, 1, 16),
            ff((5, 3, 8), (4, 2, 8)),
            "(5, 3, 8)",
            "batch",
        ),
        Case(lambda nn: nn.Transformer(8, 2, 1, 1, 16), ff((5, 3, 6), (4, 3, 6)), "6", "d_model"),
    ],
    "AdaptiveLogSoftmaxWithLoss": [
        Case(
            lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6]),
            scores((5, 7), (5,)),
            "(5, 7) and a target of shape (5,)",
            "(N, 4) and (N,)",
        ),
        Case(
            lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6]),
            scores((2, 4), [1, 10]),
            "targets from 1 to 10",
            "0 to 9",
        ),
    ],
    **{
        name: alike(name)
        for name in (
            "L1Loss",
            "MSELoss",
            "HuberLoss",
            "SmoothL1Loss",
            "BCELoss",
            "BCEWithLogitsLoss",
            "KLDivLoss",
            "PoissonNLLLoss",
            "SoftMarginLoss",
            "HingeEmbeddingLoss",
            "MultiLabelSoftMarginLoss",
        )
    },
    "GaussianNLLLoss": [
        Case(
            lambda nn: nn.GaussianNLLLoss(),
            ff((8, 3), (8, 3), (6, 3)),
            "variance of shape (6, 3)",
            "one for each element, or one for each row",
        ),
        Case(
            lambda nn: nn.GaussianNLLLoss(),
            ff((8, 3), (6, 3), (8, 3)),
            "target of shape (6, 3)",
            "the batches differ",
        ),
    ],
    "CrossEntropyLoss": [
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((4, 3), (4, 3)),
            "scores of shape (4, 3) and class ids of shape (4, 3)",
            "target.argmax(1)",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((4, 3), (4, 1)),
            "ids of shape (4, 1)",
            "target.squeeze(-1)",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((4, 3), (6,)),
            "ids of shape (6,)",
            "the batches differ, 4 and 6",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((4, 7, 30), (4, 7)),
            "(4, 7, 30)",
            "input.flatten(0, 1) with target.flatten()",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((4, 8, 8, 3), (4, 8, 8)),
            "(4, 8, 8, 3)",
            "input.movedim(-1, 1)",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((3, 3), [1, 2, 3]),
            "the class id 3 for 3",
            "these count from 1: use target - 1",
        ),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            scores((3, 3), [0, 2, 4]),
            "the class id 4 for 3",
            "for 5 classes make the last layer that wide",
        ),
        Case(lambda nn: nn.CrossEntropyLoss(), ff((4, 3), (4,)), "targets of float32", ".long()"),
        Case(
            lambda nn: nn.CrossEntropyLoss(),
            ff((4, 3), (4, 2)),
            "(4, 3) and a target of shape (4, 2)",
            "3 numbers, the targets have 2",
        ),
    ],
    "LinearCrossEntropyLoss": [
        Case(
            lambda nn: nn.LinearCrossEntropyLoss(4, 5),
            scores((2, 3), (2,)),
            "(2, 3)",
            "I is 4 and the input has 3",
        ),
    ],
    "NLLLoss": [
        Case(lambda nn: nn.NLLLoss(), scores((4, 3), (4, 3)), "ids of shape (4, 3)", "argmax(1)"),
        Case(lambda nn: nn.NLLLoss(), scores((2, 3), [0, -1]), "the class id -1", "0 to 2"),
    ],
    "MultiMarginLoss": [
        Case(
            lambda nn: nn.MultiMarginLoss(),
            scores((4, 3), (5,)),
            "ids of shape (5,)",
            "the batches differ, 4 and 5",
        ),
        Case(lambda nn: nn.MultiMarginLoss(), scores((2, 3), [0, 3]), "the class id 3", "0 to 2"),
    ],
    "MultiLabelMarginLoss": [
        Case(
            lambda nn: nn.MultiLabelMarginLoss(),
            scores((4, 3), (4, 2)),
            "(4, 3) and a target of shape (4, 2)",
            "3 numbers, the targets have 2",
        ),
        Case(
            lambda nn: nn.MultiLabelMarginLoss(),
            scores((1, 3), [[0, 5, -1]]),
            "the class id 5",
            "0 to 2",
        ),
    ],
    "MarginRankingLoss": [
        Case(
            lambda nn: nn.MarginRankingLoss(),
            ff((4,), (4,), (4, 1)),
            "(4,), (4,), (4, 1)",
            "the same number of axes",
        ),
        Case(
            lambda nn: nn.MarginRankingLoss(),
            ff((4,), (5,), (4,)),
            "(4,), (5,), (4,)",
            "the same shape",
        ),
    ],
    "CosineEmbeddingLoss": [
        Case(
            lambda nn: nn.CosineEmbeddingLoss(),
            ff((4, 3), (4, 3), (5,)),
            "target of shape (5,)",
            "for each row: (4,)",
        ),
        Case(
            lambda nn: nn.CosineEmbeddingLoss(), ff((4, 3), (4, 2), (4,)), "(4, 3) and", "3 numbers"
        ),
    ],
    "TripletMarginLoss": [
        Case(
            lambda nn: nn.TripletMarginLoss(),
            ff((4, 3), (4, 3), (3,)),
            "(4, 3), (4, 3), (3,)",
            "the same number of axes",
        ),
    ],
    "TripletMarginWithDistanceLoss": [
        Case(
            lambda nn: nn.TripletMarginWithDistanceLoss(),
            ff((4, 3), (4, 3), (5, 3)),
            "(4, 3), (4, 3), (5, 3)",
            "the same shape",
        ),
    ],
    "CTCLoss": [
        Case(
            lambda nn: nn.CTCLoss(),
            lengths((2, 3), [7, 7, 7], [3, 3]),
            "input_lengths of shape (3,)",
            "one for each sequence: (2,)",
        ),
        Case(
            lambda nn: nn.CTCLoss(),
            lengths((3, 3), [7, 7], [3, 3]),
            "targets of shape (3, 3) for a batch of 2",
            "(2, S)",
        ),
        Case(
            lambda nn: nn.CTCLoss(),
            lengths((2, 2), [7, 7], [3, 2]),
            "target_lengths with the maximum 3",
            "S ≥ 3",
        ),
    ],
    "LazyLinear": [Case(lambda nn: nn.LazyLinear(3), f(), "shape ()", "a batch")],
    **{
        f"Lazy{kind}{rank}d": [
            Case(
                lambda nn, kind=kind, rank=rank: getattr(nn, f"Lazy{kind}{rank}d")(4, 3),
                f(2, 3, *[2] * (rank - 1), 0),
                ", 0)",
                EMPTY,
            ),
            Case(
                lambda nn, kind=kind, rank=rank: getattr(nn, f"Lazy{kind}{rank}d")(4, 3),
                f(2, 2, 3, *[4] * rank),
                f"shape (2, 2, 3{', 4' * rank})",
                "x.flatten(0, 1)",
            ),
        ]
        for kind in ("Conv", "ConvTranspose")
        for rank in (1, 2, 3)
    },
    **{
        f"LazyBatchNorm{rank}d": [
            Case(
                lambda nn, rank=rank: getattr(nn, f"LazyBatchNorm{rank}d")(),
                f(2, 3, *[4] * (rank + 1)),
                f"{rank + 3} axes",
                "nn.BatchNorm" if rank < 3 else "(N, C",
            ),
        ]
        for rank in (1, 2, 3)
    },
    **{
        f"LazyInstanceNorm{rank}d": [
            Case(
                lambda nn, rank=rank: getattr(nn, f"LazyInstanceNorm{rank}d")(),
                f(2, 3, *[4] * (rank + 1)),
                f"{rank + 3} axes",
                "x.flatten(0, 1)",
            ),
        ]
        for rank in (1, 2, 3)
    },
}

__all__ = ["IMAGE", "MORE"]
