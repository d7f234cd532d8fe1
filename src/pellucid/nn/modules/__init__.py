"""Layers by the paths of PyTorch's files: ``from pellucid.nn.modules.rnn import LSTM``.

Programs import them so, and ask ``isinstance(layer, nn.modules.batchnorm._BatchNorm)``.  The layers
are those of :mod:`pellucid.nn`.
"""

from __future__ import annotations

import sys
from itertools import repeat
from types import ModuleType
from typing import Any

from pellucid import nn
from pellucid.nn.convolution import _Convolution, _Transposed
from pellucid.nn.dropout import _Dropout
from pellucid.nn.losses import _Loss, _WeightedLoss
from pellucid.nn.normalization import _BatchNorm, _InstanceNorm
from pellucid.nn.pooling import (
    _AdaptiveAvgPool,
    _AdaptiveMaxPool,
    _AvgPool,
    _LPPool,
    _MaxPool,
    _MaxUnpool,
)

_FILES = """
activation       Threshold ReLU RReLU Hardtanh ReLU6 Sigmoid Hardsigmoid Tanh SiLU Mish Hardswish
activation       ELU CELU SELU GLU GELU Hardshrink LeakyReLU LogSigmoid Softplus Softshrink
activation       MultiheadAttention PReLU Softsign Tanhshrink Softmin Softmax Softmax2d LogSoftmax
adaptive         AdaptiveLogSoftmaxWithLoss
batchnorm        BatchNorm1d LazyBatchNorm1d BatchNorm2d LazyBatchNorm2d BatchNorm3d LazyBatchNorm3d
channelshuffle   ChannelShuffle
container        Sequential ModuleList ModuleDict ParameterList ParameterDict
conv             Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d
conv             LazyConv1d LazyConv2d LazyConv3d
conv             LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
distance         PairwiseDistance CosineSimilarity
dropout          Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout
flatten          Flatten Unflatten
fold             Fold Unfold
instancenorm     InstanceNorm1d InstanceNorm2d InstanceNorm3d
instancenorm     LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d
linear           Identity Linear Bilinear LazyLinear
loss             L1Loss NLLLoss PoissonNLLLoss GaussianNLLLoss KLDivLoss MSELoss BCELoss
loss             BCEWithLogitsLoss HingeEmbeddingLoss MultiLabelMarginLoss SmoothL1Loss HuberLoss
loss             SoftMarginLoss CrossEntropyLoss LinearCrossEntropyLoss MultiLabelSoftMarginLoss
loss             CosineEmbeddingLoss MarginRankingLoss MultiMarginLoss TripletMarginLoss
loss             TripletMarginWithDistanceLoss CTCLoss
module           Module
normalization    LocalResponseNorm LayerNorm GroupNorm RMSNorm
padding          CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
padding          ReflectionPad1d ReflectionPad2d ReflectionPad3d
padding          ReplicationPad1d ReplicationPad2d ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d
pixelshuffle     PixelShuffle PixelUnshuffle
pooling          MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d
pooling          AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d FractionalMaxPool3d
pooling          LPPool1d LPPool2d LPPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
pooling          AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
rnn              RNNBase RNN LSTM GRU RNNCellBase RNNCell LSTMCell GRUCell
sparse           Embedding EmbeddingBag
transformer      Transformer TransformerEncoder TransformerDecoder
transformer      TransformerEncoderLayer TransformerDecoderLayer
upsampling       Upsample UpsamplingNearest2d UpsamplingBilinear2d
"""
"""PyTorch's file → the layers that it defines."""


def _ntuple(n: int, name: str = "parse") -> Any:
    """A function that repeats a number ``n`` times and makes tuples of sequences."""

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if hasattr(x, "__iter__") else tuple(repeat(x, n))

    parse.__name__ = name
    return parse


_BASES: dict[str, dict[str, Any]] = {
    "batchnorm": {"_BatchNorm": _BatchNorm, "_NormBase": _BatchNorm},
    "conv": {"_ConvNd": _Convolution, "_ConvTransposeNd": _Transposed},
    "dropout": {"_DropoutNd": _Dropout},
    "instancenorm": {"_InstanceNorm": _InstanceNorm},
    "linear": {"NonDynamicallyQuantizableLinear": nn.Linear},  # the projection of an attention
    "loss": {"_Loss": _Loss, "_WeightedLoss": _WeightedLoss},
    "pooling": {
        "_AdaptiveAvgPoolNd": _AdaptiveAvgPool,
        "_AdaptiveMaxPoolNd": _AdaptiveMaxPool,
        "_AvgPoolNd": _AvgPool,
        "_LPPoolNd": _LPPool,
        "_MaxPoolNd": _MaxPool,
        "_MaxUnpoolNd": _MaxUnpool,
    },
    "utils": {
        "_ntuple": _ntuple,
        "_single": _ntuple(1, "_single"),
        "_pair": _ntuple(2, "_pair"),
        "_triple": _ntuple(3, "_triple"),
        "_quadruple": _ntuple(4, "_quadruple"),
    },
}
"""PyTorch's file → names in it that programs use although they begin with an underscore."""


def _fill() -> list[str]:
    """Make the modules, known to ``import`` and as attributes here; returns the layers' names."""
    held: dict[str, dict[str, Any]] = {file: dict(names) for file, names in _BASES.items()}
    listed = []
    for line in _FILES.strip().splitlines():
        file, *layers = line.split()
        held.setdefault(file, {}).update({name: getattr(nn, name) for name in layers})
        listed += layers
    for file, names in held.items():
        made = ModuleType(f"{__name__}.{file}", f"Layers of PyTorch's file {file}.py.")
        made.__dict__.update(names, __all__=[n for n in names if not n.startswith("_")])
        sys.modules[made.__name__] = made
        globals()[file] = made
        globals().update({n: v for n, v in names.items() if not n.startswith("_")})
    return listed


__all__ = _fill()


def __dir__() -> list[str]:
    return sorted(__all__)
