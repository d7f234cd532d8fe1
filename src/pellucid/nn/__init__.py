"""Layers, activations, losses and initializers, in PyTorch's language.

Formulas stand in the documentation of each class; ``nn.functional`` has the same as functions,
``nn.init`` the initializers, ``nn.utils`` gradient clipping, ``nn.utils.rnn`` sequences.
"""

from pellucid.base.faces import lazy_face
from pellucid.nn import einops_layers as einops_layers
from pellucid.nn import functional as functional
from pellucid.nn import init as init
from pellucid.nn import parallel as parallel
from pellucid.nn import utils as utils
from pellucid.nn.activations import CELU as CELU
from pellucid.nn.activations import ELU as ELU
from pellucid.nn.activations import GELU as GELU
from pellucid.nn.activations import GLU as GLU
from pellucid.nn.activations import SELU as SELU
from pellucid.nn.activations import Hardshrink as Hardshrink
from pellucid.nn.activations import Hardsigmoid as Hardsigmoid
from pellucid.nn.activations import Hardswish as Hardswish
from pellucid.nn.activations import Hardtanh as Hardtanh
from pellucid.nn.activations import LeakyReLU as LeakyReLU
from pellucid.nn.activations import LogSigmoid as LogSigmoid
from pellucid.nn.activations import LogSoftmax as LogSoftmax
from pellucid.nn.activations import Mish as Mish
from pellucid.nn.activations import PReLU as PReLU
from pellucid.nn.activations import ReLU as ReLU
from pellucid.nn.activations import ReLU6 as ReLU6
from pellucid.nn.activations import RReLU as RReLU
from pellucid.nn.activations import Sigmoid as Sigmoid
from pellucid.nn.activations import SiLU as SiLU
from pellucid.nn.activations import Softmax as Softmax
from pellucid.nn.activations import Softmax2d as Softmax2d
from pellucid.nn.activations import Softmin as Softmin
from pellucid.nn.activations import Softplus as Softplus
from pellucid.nn.activations import Softshrink as Softshrink
from pellucid.nn.activations import Softsign as Softsign
from pellucid.nn.activations import Tanh as Tanh
from pellucid.nn.activations import Tanhshrink as Tanhshrink
from pellucid.nn.activations import Threshold as Threshold
from pellucid.nn.adaptive import AdaptiveLogSoftmaxWithLoss as AdaptiveLogSoftmaxWithLoss
from pellucid.nn.attention import MultiheadAttention as MultiheadAttention
from pellucid.nn.containers import Container as Container
from pellucid.nn.containers import ModuleDict as ModuleDict
from pellucid.nn.containers import ModuleList as ModuleList
from pellucid.nn.containers import ParameterDict as ParameterDict
from pellucid.nn.containers import ParameterList as ParameterList
from pellucid.nn.containers import Sequential as Sequential
from pellucid.nn.convolution import Conv1d as Conv1d
from pellucid.nn.convolution import Conv2d as Conv2d
from pellucid.nn.convolution import Conv3d as Conv3d
from pellucid.nn.convolution import ConvTranspose1d as ConvTranspose1d
from pellucid.nn.convolution import ConvTranspose2d as ConvTranspose2d
from pellucid.nn.convolution import ConvTranspose3d as ConvTranspose3d
from pellucid.nn.distance import CosineSimilarity as CosineSimilarity
from pellucid.nn.distance import PairwiseDistance as PairwiseDistance
from pellucid.nn.dropout import AlphaDropout as AlphaDropout
from pellucid.nn.dropout import Dropout as Dropout
from pellucid.nn.dropout import Dropout1d as Dropout1d
from pellucid.nn.dropout import Dropout2d as Dropout2d
from pellucid.nn.dropout import Dropout3d as Dropout3d
from pellucid.nn.dropout import FeatureAlphaDropout as FeatureAlphaDropout
from pellucid.nn.dropout import StochasticDepth as StochasticDepth
from pellucid.nn.embedding import Embedding as Embedding
from pellucid.nn.embedding import EmbeddingBag as EmbeddingBag
from pellucid.nn.flatten import Flatten as Flatten
from pellucid.nn.flatten import Identity as Identity
from pellucid.nn.flatten import Unflatten as Unflatten
from pellucid.nn.folding import Fold as Fold
from pellucid.nn.folding import Unfold as Unfold
from pellucid.nn.lazy import LazyBatchNorm1d as LazyBatchNorm1d
from pellucid.nn.lazy import LazyBatchNorm2d as LazyBatchNorm2d
from pellucid.nn.lazy import LazyBatchNorm3d as LazyBatchNorm3d
from pellucid.nn.lazy import LazyConv1d as LazyConv1d
from pellucid.nn.lazy import LazyConv2d as LazyConv2d
from pellucid.nn.lazy import LazyConv3d as LazyConv3d
from pellucid.nn.lazy import LazyConvTranspose1d as LazyConvTranspose1d
from pellucid.nn.lazy import LazyConvTranspose2d as LazyConvTranspose2d
from pellucid.nn.lazy import LazyConvTranspose3d as LazyConvTranspose3d
from pellucid.nn.lazy import LazyInstanceNorm1d as LazyInstanceNorm1d
from pellucid.nn.lazy import LazyInstanceNorm2d as LazyInstanceNorm2d
from pellucid.nn.lazy import LazyInstanceNorm3d as LazyInstanceNorm3d
from pellucid.nn.lazy import LazyLinear as LazyLinear
from pellucid.nn.linear import Bilinear as Bilinear
from pellucid.nn.linear import Linear as Linear
from pellucid.nn.losses import BCELoss as BCELoss
from pellucid.nn.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from pellucid.nn.losses import CosineEmbeddingLoss as CosineEmbeddingLoss
from pellucid.nn.losses import CrossEntropyLoss as CrossEntropyLoss
from pellucid.nn.losses import CTCLoss as CTCLoss
from pellucid.nn.losses import GaussianNLLLoss as GaussianNLLLoss
from pellucid.nn.losses import HingeEmbeddingLoss as HingeEmbeddingLoss
from pellucid.nn.losses import HuberLoss as HuberLoss
from pellucid.nn.losses import KLDivLoss as KLDivLoss
from pellucid.nn.losses import L1Loss as L1Loss
from pellucid.nn.losses import LinearCrossEntropyLoss as LinearCrossEntropyLoss
from pellucid.nn.losses import MarginRankingLoss as MarginRankingLoss
from pellucid.nn.losses import MSELoss as MSELoss
from pellucid.nn.losses import MultiLabelMarginLoss as MultiLabelMarginLoss
from pellucid.nn.losses import MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss
from pellucid.nn.losses import MultiMarginLoss as MultiMarginLoss
from pellucid.nn.losses import NLLLoss as NLLLoss
from pellucid.nn.losses import NLLLoss2d as NLLLoss2d
from pellucid.nn.losses import PoissonNLLLoss as PoissonNLLLoss
from pellucid.nn.losses import SmoothL1Loss as SmoothL1Loss
from pellucid.nn.losses import SoftMarginLoss as SoftMarginLoss
from pellucid.nn.losses import TripletMarginLoss as TripletMarginLoss
from pellucid.nn.losses import TripletMarginWithDistanceLoss as TripletMarginWithDistanceLoss
from pellucid.nn.module import Module as Module
from pellucid.nn.normalization import BatchNorm1d as BatchNorm1d
from pellucid.nn.normalization import BatchNorm2d as BatchNorm2d
from pellucid.nn.normalization import BatchNorm3d as BatchNorm3d
from pellucid.nn.normalization import GroupNorm as GroupNorm
from pellucid.nn.normalization import InstanceNorm1d as InstanceNorm1d
from pellucid.nn.normalization import InstanceNorm2d as InstanceNorm2d
from pellucid.nn.normalization import InstanceNorm3d as InstanceNorm3d
from pellucid.nn.normalization import LayerNorm as LayerNorm
from pellucid.nn.normalization import LocalResponseNorm as LocalResponseNorm
from pellucid.nn.normalization import RMSNorm as RMSNorm
from pellucid.nn.padding import CircularPad1d as CircularPad1d
from pellucid.nn.padding import CircularPad2d as CircularPad2d
from pellucid.nn.padding import CircularPad3d as CircularPad3d
from pellucid.nn.padding import ConstantPad1d as ConstantPad1d
from pellucid.nn.padding import ConstantPad2d as ConstantPad2d
from pellucid.nn.padding import ConstantPad3d as ConstantPad3d
from pellucid.nn.padding import ReflectionPad1d as ReflectionPad1d
from pellucid.nn.padding import ReflectionPad2d as ReflectionPad2d
from pellucid.nn.padding import ReflectionPad3d as ReflectionPad3d
from pellucid.nn.padding import ReplicationPad1d as ReplicationPad1d
from pellucid.nn.padding import ReplicationPad2d as ReplicationPad2d
from pellucid.nn.padding import ReplicationPad3d as ReplicationPad3d
from pellucid.nn.padding import ZeroPad1d as ZeroPad1d
from pellucid.nn.padding import ZeroPad2d as ZeroPad2d
from pellucid.nn.padding import ZeroPad3d as ZeroPad3d
from pellucid.nn.parallel import DataParallel as DataParallel
from pellucid.nn.parameter import Buffer as Buffer
from pellucid.nn.parameter import Parameter as Parameter
from pellucid.nn.parameter import UninitializedBuffer as UninitializedBuffer
from pellucid.nn.parameter import UninitializedParameter as UninitializedParameter
from pellucid.nn.pooling import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from pellucid.nn.pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from pellucid.nn.pooling import AdaptiveAvgPool3d as AdaptiveAvgPool3d
from pellucid.nn.pooling import AdaptiveMaxPool1d as AdaptiveMaxPool1d
from pellucid.nn.pooling import AdaptiveMaxPool2d as AdaptiveMaxPool2d
from pellucid.nn.pooling import AdaptiveMaxPool3d as AdaptiveMaxPool3d
from pellucid.nn.pooling import AvgPool1d as AvgPool1d
from pellucid.nn.pooling import AvgPool2d as AvgPool2d
from pellucid.nn.pooling import AvgPool3d as AvgPool3d
from pellucid.nn.pooling import FractionalMaxPool2d as FractionalMaxPool2d
from pellucid.nn.pooling import FractionalMaxPool3d as FractionalMaxPool3d
from pellucid.nn.pooling import LPPool1d as LPPool1d
from pellucid.nn.pooling import LPPool2d as LPPool2d
from pellucid.nn.pooling import LPPool3d as LPPool3d
from pellucid.nn.pooling import MaxPool1d as MaxPool1d
from pellucid.nn.pooling import MaxPool2d as MaxPool2d
from pellucid.nn.pooling import MaxPool3d as MaxPool3d
from pellucid.nn.pooling import MaxUnpool1d as MaxUnpool1d
from pellucid.nn.pooling import MaxUnpool2d as MaxUnpool2d
from pellucid.nn.pooling import MaxUnpool3d as MaxUnpool3d
from pellucid.nn.positions import LearnedPositions as LearnedPositions
from pellucid.nn.positions import RotaryPositions as RotaryPositions
from pellucid.nn.positions import SinusoidalPositions as SinusoidalPositions
from pellucid.nn.recurrent import GRU as GRU
from pellucid.nn.recurrent import LSTM as LSTM
from pellucid.nn.recurrent import RNN as RNN
from pellucid.nn.recurrent import RNNBase as RNNBase
from pellucid.nn.recurrent_cells import GRUCell as GRUCell
from pellucid.nn.recurrent_cells import LSTMCell as LSTMCell
from pellucid.nn.recurrent_cells import RNNCell as RNNCell
from pellucid.nn.recurrent_cells import RNNCellBase as RNNCellBase
from pellucid.nn.resizing import ChannelShuffle as ChannelShuffle
from pellucid.nn.resizing import PixelShuffle as PixelShuffle
from pellucid.nn.resizing import PixelUnshuffle as PixelUnshuffle
from pellucid.nn.resizing import Upsample as Upsample
from pellucid.nn.resizing import UpsamplingBilinear2d as UpsamplingBilinear2d
from pellucid.nn.resizing import UpsamplingNearest2d as UpsamplingNearest2d
from pellucid.nn.synchronized import SyncBatchNorm as SyncBatchNorm
from pellucid.nn.transformer import Transformer as Transformer
from pellucid.nn.transformer import TransformerDecoder as TransformerDecoder
from pellucid.nn.transformer import TransformerDecoderLayer as TransformerDecoderLayer
from pellucid.nn.transformer import TransformerEncoder as TransformerEncoder
from pellucid.nn.transformer import TransformerEncoderLayer as TransformerEncoderLayer

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveLogSoftmaxWithLoss",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "Buffer",
    "CELU",
    "CTCLoss",
    "ChannelShuffle",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "Container",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DataParallel",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "ELU",
    "Embedding",
    "EmbeddingBag",
    "FeatureAlphaDropout",
    "Flatten",
    "Fold",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "GELU",
    "GLU",
    "GRU",
    "GRUCell",
    "GaussianNLLLoss",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "KLDivLoss",
    "L1Loss",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "LSTM",
    "LSTMCell",
    "LayerNorm",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "LeakyReLU",
    "LearnedPositions",
    "Linear",
    "LinearCrossEntropyLoss",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "NLLLoss2d",
    "PReLU",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "PixelShuffle",
    "PixelUnshuffle",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNN",
    "RNNBase",
    "RNNCell",
    "RNNCellBase",
    "RReLU",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "RotaryPositions",
    "SELU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositions",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "StochasticDepth",
    "SyncBatchNorm",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "Unflatten",
    "Unfold",
    "UninitializedBuffer",
    "UninitializedParameter",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "functional",
    "init",
    "parallel",
    "utils",
]


__getattr__, _ = lazy_face(__name__, {"modules": "pellucid.nn.modules"})


def __dir__() -> list[str]:
    return sorted(__all__)
