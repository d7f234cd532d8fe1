"""Losses as modules; formulas and sources are in ``nn.functional``.

Each gives one number by default (``reduction="mean"``); ``"sum"`` adds, ``"none"`` keeps the
single losses.  The older ``size_average`` and ``reduce`` say the same and warn.  Class weights are
buffers, so they are saved with a model that owns the loss.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.nn import functional as F  # noqa: N812  (the customary name)
from pellucid.nn.distance import PairwiseDistance
from pellucid.nn.functional.loss import check_reduction, chosen_reduction
from pellucid.nn.linear import Linear
from pellucid.nn.module import Module
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class _Loss(Module):
    """A loss with a reduction."""

    input_kind: str = ""
    """What the first argument has to be: "scores", "probabilities" or "log-probabilities"."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        reduction = chosen_reduction(reduction, size_average, reduce)
        if not (reduction == "batchmean" and isinstance(self, KLDivLoss)):
            check_reduction(reduction)
        self.reduction = reduction


class _WeightedLoss(_Loss):
    """A loss with weights for classes or elements."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """|x − y|.  Shapes: (*), (*) → () or (*).  The gradient is ±1, and 0 where x = y.

    Not differentiable at 0, which training tolerates; less drawn to outliers than the square.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of predictions ``input``."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """(x − y)², averaged over all elements by default.  Shapes: (*), (*) → () or (*).

    "Mean squared error" also names the sum, or half of it, in texts: here
    ``reduction="sum"`` is Σ(x − y)².
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of predictions ``input``."""
        return F.mse_loss(input, target, reduction=self.reduction)


class HuberLoss(_Loss):
    """½ d² for |d| < δ, else δ (|d| − ½ δ); δ = 1.  Shapes: (*), (*) → () or (*)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of predictions ``input``."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """½ d² / β for |d| < β, else |d| − ½ β; β = 1.  Shapes: (*), (*) → () or (*)."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of predictions ``input``."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class CrossEntropyLoss(_WeightedLoss):
    """−ln softmax(x)[y] from raw scores x: for one of several classes.

    Shapes: x (N, C, d…) or (C,); y class ids (N, d…) or probabilities like x → () or (N, d…).
    Do not put a softmax before it: it is contained, in a form that is stable for any score.
    ``weight`` (C,), ``ignore_index`` (−100), ``label_smoothing`` (0).
    """

    input_kind = "scores"

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """Cross-entropy of the scores x Wᵀ + b of a linear layer that belongs to the loss.

    Shapes: x (N, in_features) or (in_features,); class ids (N, d…), or probabilities
    (N, num_classes, d…), with ``out_features`` (d…), () by default → () or (N, d…).
    ``linear.weight`` is (num_classes · Π d, in_features), ``linear.bias`` there with
    ``bias=True``; ``weight``, ``ignore_index``, ``label_smoothing`` as in
    :class:`CrossEntropyLoss`.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: None = None,
    ) -> None:
        check_device(device)
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.options = options
        scores = math.prod(self.out_features, start=num_classes)
        self.linear = Linear(in_features, scores, bias=bias, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of the features ``input``."""
        extents = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*extents, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(*extents),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


class NLLLoss(_WeightedLoss):
    """−x[y] for log-probabilities x, such as :class:`LogSoftmax` gives.

    Shapes: x (N, C, d…) or (C,), class ids y (N, d…) → () or (N, d…).
    """

    input_kind = "log-probabilities"

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of log-probabilities ``input``."""
        return F.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class NLLLoss2d(NLLLoss):
    """The old name of :class:`NLLLoss` for pictures, with a ``FutureWarning``."""

    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        warnings.warn("NLLLoss2d is called NLLLoss now", FutureWarning, stacklevel=2)
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction)


class BCELoss(_WeightedLoss):
    """−(y ln p + (1 − y) ln(1 − p)) for probabilities p: two classes, or several labels.

    Shapes: (*), (*) → () or (*).  Finite at p = 0 and p = 1 (logarithms not below −100).
    """

    input_kind = "probabilities"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of probabilities ``input``."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of σ(x), stable for any score x: two classes, or several labels.

    Shapes: (*), (*) → () or (*).  ``weight`` weighs elements, ``pos_weight`` the positive
    class, for example negatives / positives where they are unequal.
    """

    input_kind = "scores"

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """y (ln y − x) for log-probabilities x and probabilities y; use ``reduction="batchmean"``.

    Only "batchmean" is the divergence of Kullback and Leibler; "mean" (default, as PyTorch)
    also divides by the number of classes.  Shapes: (*), (*) → () or (*).
    """

    input_kind = "log-probabilities"

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of log-probabilities ``input``."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(_Loss):
    """e^x − y x for counts y, x the log of the rate (or the rate: ``log_input=False``)."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """The loss of (logs of) rates."""
        return F.poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """½ (ln v + (x − y)² / v): the network predicts the mean x and the variance v."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        """The loss of means ``input`` and variances ``var``."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class SoftMarginLoss(_Loss):
    """ln(1 + e^(−y x)) for y = ±1.  Shapes: (*), (*) → () or (*)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class HingeEmbeddingLoss(_Loss):
    """x where y = 1, max(0, margin − x) where y = −1.  Shapes: (*), (*) → () or (*)."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of distances ``input``."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, −y (x₁ − x₂) + margin).  Shapes: (*), (*), (*) → () or (*)."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss of pairs of scores."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 − cos(x₁, x₂) where y = 1, max(0, cos − margin) where y = −1.

    Shapes: (N, D), (N, D), (N,) → () or (N,).
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """The loss of pairs of vectors."""
        return F.cosine_embedding_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class TripletMarginLoss(_Loss):
    """max(0, d(a, p) − d(a, n) + margin): near to the positive, far from the negative.

    Shapes: (N, D) three times → () or (N,).
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of triplets of vectors."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """:class:`TripletMarginLoss` with any ``distance_function(x, y)``; Euclidean by default."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.distance_function = distance_function or PairwiseDistance()
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of triplets."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class MultiMarginLoss(_WeightedLoss):
    """Σ_{j ≠ y} w[y] max(0, margin − x[y] + x[j])^p / C.  Shapes: (N, C), (N,) → () or (N,)."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(_Loss):
    """Σ max(0, 1 − (x[true] − x[not true])) / C.  Shapes: (N, C), (N, C) → () or (N,).

    Each row of the target lists the ids of the true classes, ended by −1.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Binary cross-entropy with logits, averaged over the labels: (N, C), (N, C) → () or (N,)."""

    input_kind = "scores"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of scores ``input``."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class CTCLoss(_Loss):
    """−ln p(target | input) over all alignments of a target to a longer input.

    Shapes: log-probabilities (T, N, C) or (T, C), targets (N, S) or joined (Σ S,), lengths (N,)
    → () or (N,).  Class ``blank`` (0) stands between labels; ``zero_infinity`` makes losses of
    targets that cannot be aligned 0.  (Graves et al., 2006.)
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor
    ) -> Tensor:
        """The loss of log-probabilities."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
