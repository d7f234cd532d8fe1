"""Softmax over very many classes of which few are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pellucid.base.dtypes import DTypeLike, int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.containers import ModuleList, Sequential
from pellucid.nn.functional.checks import check_values, has_values, need_tensor
from pellucid.nn.linear import Linear, check_sizes
from pellucid.nn.module import Module
from pellucid.tensor.creation import as_tensor, zeros
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.functions import where
from pellucid.tensor.shaping import cat
from pellucid.tensor.tensor import Tensor


class AdaptiveOutput(NamedTuple):
    """What :class:`AdaptiveLogSoftmaxWithLoss` returns."""

    output: Any
    """log P(target) of each row: (N,)."""
    loss: Any
    """Its negative mean."""


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax and its loss over n_classes sorted by frequency, class 0 the most frequent.

    The head decides between the first ``cutoffs[0]`` classes and the clusters that hold the
    others, cluster i the classes from ``cutoffs[i]`` up to the next cutoff.  Within cluster i
    the scores come from in_features // div_value^(i+1) features only.  log P(class) is the sum
    of both decisions.  (Grave, Joulin, Cissé, Grangier and Jégou, 2017.)

    Rare classes cost little because only rows with such a target visit their cluster; inside
    ``pellucid.compile``, where targets are not known, all rows visit every cluster.

    Shapes: input (N, in_features), target int64 (N,), or (in_features,) and () → output (N,) or
    (), and the loss ().  Parameters: ``head`` a linear layer (with a bias if ``head_bias``),
    ``tail`` one pair of linear layers without biases for each cluster, as in ``nn.Linear``.
    Raises ``ArgumentError`` for cutoffs that do not rise from 1 to n_classes − 1.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        check_sizes("nn.AdaptiveLogSoftmaxWithLoss", in_features=in_features, n_classes=n_classes)
        edges = list(cutoffs)
        rising = all(a < b for a, b in zip([0, *edges], [*edges, n_classes], strict=True))
        if not edges or not rising or any(int(c) != c for c in edges):
            raise ArgumentError(
                f"nn.AdaptiveLogSoftmaxWithLoss got cutoffs={edges} for {n_classes} classes",
                f"give rising whole numbers from 1 to {n_classes - 1}",
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*edges, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = edges[0]
        self.n_clusters = len(edges)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, dtype=dtype)
        self.tail: ModuleList[Sequential] = ModuleList()
        for i in range(self.n_clusters):
            width = int(in_features // div_value ** (i + 1))
            classes = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, dtype=dtype),
                    Linear(width, classes, bias=False, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw all parameters again."""
        self.head.reset_parameters()
        for projection in self.tail:
            for layer in projection:
                if isinstance(layer, Linear):
                    layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> AdaptiveOutput:
        """(log P(target) of each row, its negative mean)."""
        self._check(input, target)
        batched = target.dim() == 1
        x, wanted = (input, target) if batched else (input.unsqueeze(0), target.unsqueeze(0))
        wanted = wanted.to(dtype=int64)
        place = wanted  # the column of the head that the target belongs to
        output = zeros(x.shape[0], dtype=x.dtype)
        for i, cluster in enumerate(self.tail):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            inside = wanted.ge(low).logical_and(wanted.lt(high))
            place = where(inside, self.shortlist_size + i, place)
            if has_values(wanted):
                rows = as_tensor(np.flatnonzero(inside.array()))
                if rows.shape[0]:
                    within = wanted.index_select(0, rows) - low
                    found = _chosen(cluster(x.index_select(0, rows)), within)
                    output = output.index_add(0, rows, found)
            else:
                found = _chosen(cluster(x), (wanted - low).clamp(0, high - low - 1))
                output = output + where(inside, found, zeros((), dtype=x.dtype))
        output = output + _chosen(self.head(x), place)
        loss = -output.mean()
        return AdaptiveOutput(output if batched else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities of all classes: (N, in_features) → (N, n_classes)."""
        head = self.head(input).log_softmax(1)
        parts = [head.narrow(1, 0, self.shortlist_size)]
        for i, cluster in enumerate(self.tail):
            chosen = head.narrow(1, self.shortlist_size + i, 1)
            parts.append(cluster(input).log_softmax(1) + chosen)
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row, int64 (N,)."""
        return self.log_prob(input).argmax(1)

    def _check(self, input: Any, target: Any) -> None:
        name = "nn.AdaptiveLogSoftmaxWithLoss"
        need_tensor(name, input)
        need_tensor(name, target)
        expected = (*target.shape, self.in_features)
        if target.dim() > 1 or tuple(input.shape) != expected:
            raise ShapeError(
                f"{name} got an input of shape {tuple(input.shape)} and a target of shape "
                f"{tuple(target.shape)}",
                f"they are (N, {self.in_features}) and (N,): flatten time and batch into one axis",
            )
        if target.dtype.kind != "int":
            raise DTypeError(
                f"{name} got a target of {target.dtype.name}", "targets are class ids: use .long()"
            )

        def check(ids: np.ndarray) -> None:
            low, high = int(ids.min()), int(ids.max())
            if low < 0 or high >= self.n_classes:
                raise ArgumentError(
                    f"{name} got targets from {low} to {high}",
                    f"class ids are 0 to {self.n_classes - 1}",
                )

        check_values(check, target)


def _chosen(scores: Any, classes: Any) -> Any:
    """Log-softmax of each row (N, C) at its class (N,)."""
    return scores.log_softmax(1).gather(1, classes.unsqueeze(1)).squeeze(1)
