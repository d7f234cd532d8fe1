"""Layers, activations and losses as functions of tensors, with PyTorch's names and defaults.

Usually imported as ``import pellucid.nn.functional as F``.
"""

import inspect

from pellucid.base.boundary import clear
from pellucid.nn.functional.activation import celu as celu
from pellucid.nn.functional.activation import celu_ as celu_
from pellucid.nn.functional.activation import elu as elu
from pellucid.nn.functional.activation import elu_ as elu_
from pellucid.nn.functional.activation import gelu as gelu
from pellucid.nn.functional.activation import glu as glu
from pellucid.nn.functional.activation import gumbel_softmax as gumbel_softmax
from pellucid.nn.functional.activation import hardshrink as hardshrink
from pellucid.nn.functional.activation import hardsigmoid as hardsigmoid
from pellucid.nn.functional.activation import hardswish as hardswish
from pellucid.nn.functional.activation import hardtanh as hardtanh
from pellucid.nn.functional.activation import hardtanh_ as hardtanh_
from pellucid.nn.functional.activation import leaky_relu as leaky_relu
from pellucid.nn.functional.activation import leaky_relu_ as leaky_relu_
from pellucid.nn.functional.activation import log_softmax as log_softmax
from pellucid.nn.functional.activation import logsigmoid as logsigmoid
from pellucid.nn.functional.activation import mish as mish
from pellucid.nn.functional.activation import prelu as prelu
from pellucid.nn.functional.activation import relu as relu
from pellucid.nn.functional.activation import relu6 as relu6
from pellucid.nn.functional.activation import relu_ as relu_
from pellucid.nn.functional.activation import rrelu as rrelu
from pellucid.nn.functional.activation import rrelu_ as rrelu_
from pellucid.nn.functional.activation import selu as selu
from pellucid.nn.functional.activation import selu_ as selu_
from pellucid.nn.functional.activation import sigmoid as sigmoid
from pellucid.nn.functional.activation import silu as silu
from pellucid.nn.functional.activation import softmax as softmax
from pellucid.nn.functional.activation import softmin as softmin
from pellucid.nn.functional.activation import softplus as softplus
from pellucid.nn.functional.activation import softshrink as softshrink
from pellucid.nn.functional.activation import softsign as softsign
from pellucid.nn.functional.activation import tanh as tanh
from pellucid.nn.functional.activation import tanhshrink as tanhshrink
from pellucid.nn.functional.activation import threshold as threshold
from pellucid.nn.functional.activation import threshold_ as threshold_
from pellucid.nn.functional.attention import (
    scaled_dot_product_attention as scaled_dot_product_attention,
)
from pellucid.nn.functional.channels import dropout1d as dropout1d
from pellucid.nn.functional.channels import dropout2d as dropout2d
from pellucid.nn.functional.channels import dropout3d as dropout3d
from pellucid.nn.functional.channels import embedding_bag as embedding_bag
from pellucid.nn.functional.channels import feature_alpha_dropout as feature_alpha_dropout
from pellucid.nn.functional.channels import instance_norm as instance_norm
from pellucid.nn.functional.channels import local_response_norm as local_response_norm
from pellucid.nn.functional.common import alpha_dropout as alpha_dropout
from pellucid.nn.functional.common import batch_norm as batch_norm
from pellucid.nn.functional.common import bilinear as bilinear
from pellucid.nn.functional.common import cosine_similarity as cosine_similarity
from pellucid.nn.functional.common import dropout as dropout
from pellucid.nn.functional.common import embedding as embedding
from pellucid.nn.functional.common import group_norm as group_norm
from pellucid.nn.functional.common import layer_norm as layer_norm
from pellucid.nn.functional.common import linear as linear
from pellucid.nn.functional.common import normalize as normalize
from pellucid.nn.functional.common import one_hot as one_hot
from pellucid.nn.functional.common import pairwise_distance as pairwise_distance
from pellucid.nn.functional.common import pdist as pdist
from pellucid.nn.functional.common import rms_norm as rms_norm
from pellucid.nn.functional.convolution import conv1d as conv1d
from pellucid.nn.functional.convolution import conv2d as conv2d
from pellucid.nn.functional.convolution import conv3d as conv3d
from pellucid.nn.functional.convolution import conv_tbc as conv_tbc
from pellucid.nn.functional.convolution import conv_transpose1d as conv_transpose1d
from pellucid.nn.functional.convolution import conv_transpose2d as conv_transpose2d
from pellucid.nn.functional.convolution import conv_transpose3d as conv_transpose3d
from pellucid.nn.functional.folding import fold as fold
from pellucid.nn.functional.folding import unfold as unfold
from pellucid.nn.functional.fractional_pooling import fractional_max_pool2d as fractional_max_pool2d
from pellucid.nn.functional.fractional_pooling import (
    fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices,
)
from pellucid.nn.functional.fractional_pooling import fractional_max_pool3d as fractional_max_pool3d
from pellucid.nn.functional.fractional_pooling import (
    fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices,
)
from pellucid.nn.functional.grouped import grouped_mm as grouped_mm
from pellucid.nn.functional.loss import binary_cross_entropy as binary_cross_entropy
from pellucid.nn.functional.loss import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from pellucid.nn.functional.loss import cross_entropy as cross_entropy
from pellucid.nn.functional.loss import gaussian_nll_loss as gaussian_nll_loss
from pellucid.nn.functional.loss import huber_loss as huber_loss
from pellucid.nn.functional.loss import kl_div as kl_div
from pellucid.nn.functional.loss import l1_loss as l1_loss
from pellucid.nn.functional.loss import linear_cross_entropy as linear_cross_entropy
from pellucid.nn.functional.loss import mse_loss as mse_loss
from pellucid.nn.functional.loss import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from pellucid.nn.functional.loss import nll_loss as nll_loss
from pellucid.nn.functional.loss import poisson_nll_loss as poisson_nll_loss
from pellucid.nn.functional.loss import smooth_l1_loss as smooth_l1_loss
from pellucid.nn.functional.margin_loss import cosine_embedding_loss as cosine_embedding_loss
from pellucid.nn.functional.margin_loss import hinge_embedding_loss as hinge_embedding_loss
from pellucid.nn.functional.margin_loss import margin_ranking_loss as margin_ranking_loss
from pellucid.nn.functional.margin_loss import multi_margin_loss as multi_margin_loss
from pellucid.nn.functional.margin_loss import multilabel_margin_loss as multilabel_margin_loss
from pellucid.nn.functional.margin_loss import soft_margin_loss as soft_margin_loss
from pellucid.nn.functional.margin_loss import triplet_margin_loss as triplet_margin_loss
from pellucid.nn.functional.margin_loss import (
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from pellucid.nn.functional.multihead import (
    multi_head_attention_forward as multi_head_attention_forward,
)
from pellucid.nn.functional.padding import pad as pad
from pellucid.nn.functional.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from pellucid.nn.functional.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from pellucid.nn.functional.pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from pellucid.nn.functional.pooling import adaptive_max_pool1d as adaptive_max_pool1d
from pellucid.nn.functional.pooling import (
    adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices,
)
from pellucid.nn.functional.pooling import adaptive_max_pool2d as adaptive_max_pool2d
from pellucid.nn.functional.pooling import (
    adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices,
)
from pellucid.nn.functional.pooling import adaptive_max_pool3d as adaptive_max_pool3d
from pellucid.nn.functional.pooling import (
    adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices,
)
from pellucid.nn.functional.pooling import avg_pool1d as avg_pool1d
from pellucid.nn.functional.pooling import avg_pool2d as avg_pool2d
from pellucid.nn.functional.pooling import avg_pool3d as avg_pool3d
from pellucid.nn.functional.pooling import lp_pool1d as lp_pool1d
from pellucid.nn.functional.pooling import lp_pool2d as lp_pool2d
from pellucid.nn.functional.pooling import lp_pool3d as lp_pool3d
from pellucid.nn.functional.pooling import max_pool1d as max_pool1d
from pellucid.nn.functional.pooling import max_pool1d_with_indices as max_pool1d_with_indices
from pellucid.nn.functional.pooling import max_pool2d as max_pool2d
from pellucid.nn.functional.pooling import max_pool2d_with_indices as max_pool2d_with_indices
from pellucid.nn.functional.pooling import max_pool3d as max_pool3d
from pellucid.nn.functional.pooling import max_pool3d_with_indices as max_pool3d_with_indices
from pellucid.nn.functional.pooling import max_unpool1d as max_unpool1d
from pellucid.nn.functional.pooling import max_unpool2d as max_unpool2d
from pellucid.nn.functional.pooling import max_unpool3d as max_unpool3d
from pellucid.nn.functional.resizing import affine_grid as affine_grid
from pellucid.nn.functional.resizing import channel_shuffle as channel_shuffle
from pellucid.nn.functional.resizing import grid_sample as grid_sample
from pellucid.nn.functional.resizing import interpolate as interpolate
from pellucid.nn.functional.resizing import pixel_shuffle as pixel_shuffle
from pellucid.nn.functional.resizing import pixel_unshuffle as pixel_unshuffle
from pellucid.nn.functional.resizing import upsample as upsample
from pellucid.nn.functional.resizing import upsample_bilinear as upsample_bilinear
from pellucid.nn.functional.resizing import upsample_nearest as upsample_nearest
from pellucid.nn.functional.sampled_loss import NegativeSampler as NegativeSampler
from pellucid.nn.functional.sampled_loss import negative_sampling_loss as negative_sampling_loss
from pellucid.nn.functional.sequence_loss import ctc_loss as ctc_loss

swish = silu

__all__ = [
    "NegativeSampler",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "grouped_mm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "linear_cross_entropy",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "negative_sampling_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu_",
    "relu6",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "swish",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


def _with_clear_errors() -> None:
    """Let these names raise errors of ours only; see :mod:`pellucid.base.boundary`.

    Functions that call the caller's own are left as they are.
    """
    for name in __all__:
        function = globals()[name]
        if inspect.isfunction(function) and name != "triplet_margin_with_distance_loss":
            guarded = clear(function)
            guarded.__module__ = __name__  # where pickle finds it
            globals()[name] = guarded


_with_clear_errors()


def __dir__() -> list[str]:
    return sorted(__all__)
