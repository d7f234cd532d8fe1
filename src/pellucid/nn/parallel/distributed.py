"""One network in several processes: there is one, so nothing is exchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.distributed.group import ProcessGroup, member_of
from pellucid.nn.module import Module
from pellucid.nn.parallel.data_parallel import Devices
from pellucid.tensor.device import Device
from pellucid.tensor.tensor import Tensor

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """``module`` whose gradients are averaged over the processes of a group: those of the one.

    The wrapped network is the attribute ``module``, so names in ``state_dict`` begin with
    ``module.``.  A process group must exist (``distributed.init_process_group``) and the network
    must have a parameter that requires gradients.  The other arguments say how processes would
    exchange gradients and buffers: accepted, without effect.

    Raises ``GroupError`` (a ``ValueError``) without a group, ``ArgumentError`` (a
    ``RuntimeError``) without such a parameter.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Devices = None,
        output_device: int | str | Device | None = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: ProcessGroup | None = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        delay_all_reduce_named_params: Any = None,
        param_to_hook_all_reduce: Any = None,
        mixed_precision: Any = None,
        device_mesh: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise ArgumentTypeError(
                f"DistributedDataParallel got a {type(module).__name__}", "Give an nn.Module."
            )
        self.process_group = member_of(process_group)
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ArgumentError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient",
                "Use the module itself.",
            )
        self.module = module
        self.dim = dim
        self.device_ids = None
        self.output_device = None
        self.broadcast_buffers = broadcast_buffers is not False
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.static_graph = static_graph
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Tensor:
        """What the wrapped module gives."""
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, gradients collect in this process alone, as they do anyway."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextlib.contextmanager
    def join(
        self,
        divide_by_initial_world_size: bool = True,
        enable: bool = True,
        throw_on_early_termination: bool = False,
    ) -> Iterator[None]:
        """Inside, processes may have different numbers of batches; there is one."""
        yield

    def register_comm_hook(self, state: object, hook: Callable[..., Any]) -> None:
        """Accepted: a hook changes what processes send to each other, and nothing is sent."""
        if not callable(hook):
            raise ArgumentTypeError(
                f"register_comm_hook got a {type(hook).__name__}", "Give a function."
            )
