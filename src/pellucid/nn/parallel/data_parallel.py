"""One batch on several devices: there is one, so the module runs as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.nn.module import Module
from pellucid.tensor.device import Device
from pellucid.tensor.tensor import Tensor

Devices = Sequence[int | str | Device] | None


class DataParallel(Module):
    """``module`` applied to the batch: the one device gets all of it.

    The wrapped network is the attribute ``module``, so names in ``state_dict`` begin with
    ``module.``, and files from such wrappers fit.  ``device_ids`` and ``output_device`` name
    graphics processors, ``dim`` the axis that would be divided among them: accepted, without
    effect (``device_ids`` is then empty).
    """

    def __init__(
        self,
        module: Module,
        device_ids: Devices = None,
        output_device: int | str | Device | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.dim = dim
        self.device_ids: list[int] = []
        self.output_device = None

    def forward(self, *inputs: Any, **kwargs: Any) -> Tensor:
        """What the wrapped module gives."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Devices = None,
    output_device: int | str | Device | None = None,
    dim: int = 0,
    module_kwargs: Mapping[str, Any] | None = None,
) -> Tensor:
    """``module(*inputs, **module_kwargs)``, as :class:`DataParallel` would compute it."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*given, **(module_kwargs or {}))
