"""Batch normalization whose mean and variance are those of all processes' batches."""

from __future__ import annotations

from typing import Any

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ShapeError
from pellucid.distributed.group import ProcessGroup
from pellucid.nn.module import Module
from pellucid.nn.normalization import _BatchNorm
from pellucid.tensor.device import DeviceLike
from pellucid.tensor.tensor import Tensor


class SyncBatchNorm(_BatchNorm):
    """:class:`BatchNorm1d` for inputs of any number of axes, over the batches of all processes.

    There is one process, whose batch is all of them: the values are those of batch
    normalization.  ``process_group`` is accepted, without effect.
    Shapes: (N, C, …) → the same, C = ``num_features``.
    """

    ranks = (2, 3, 4, 5, 6, 7, 8)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: ProcessGroup | None = None,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def forward(self, input: Tensor) -> Tensor:
        """The standardized input, of the same shape."""
        if isinstance(input, Tensor) and not 2 <= input.dim() <= self.ranks[-1]:
            raise ShapeError(
                f"SyncBatchNorm expected at least 2D input and got shape {tuple(input.shape)}",
                "Give (N, C) or (N, C, …).",
            )
        return super().forward(input)

    @classmethod
    def convert_sync_batchnorm(
        cls, module: Module, process_group: ProcessGroup | None = None
    ) -> Module:
        """The module with a layer of this class in place of every batch normalization in it.

        The new layers have the settings, the parameters and the running statistics of the old
        ones (the same tensors).  Returns ``module`` itself, unless it is such a layer.
        """
        if isinstance(module, _BatchNorm):
            return cls._converted(module, process_group)
        for name, child in list(module.named_children()):
            module.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return module

    @classmethod
    def _converted(cls, layer: _BatchNorm, process_group: ProcessGroup | None) -> Module:
        made: Any = cls(
            layer.num_features,
            layer.eps,
            layer.momentum,
            layer.affine,
            layer.track_running_stats,
            process_group,
            bias=layer.bias is not None,
        )
        made.weight, made.bias = layer.weight, layer.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(made, name, getattr(layer, name))
        made.train(layer.training)
        converted: Module = made
        return converted
