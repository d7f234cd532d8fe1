"""Layers that learn their input's size from the first input.

``nn.LazyLinear(10)`` becomes an ``nn.Linear(n, 10)`` when it is called for the first time, n being
the extent of the input's feature or channel axis.  Until then it has no parameters: call the
network once on a batch before its parameters are given to an optimizer, counted or loaded.
"""

from __future__ import annotations

import inspect
from typing import Any

from pellucid.base.errors import DTypeError, ShapeError
from pellucid.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.linear import Linear
from pellucid.nn.module import Module
from pellucid.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from pellucid.tensor.device import check_device
from pellucid.tensor.state import concrete
from pellucid.tensor.tensor import Tensor

_KEPT = ("training", "_forward_pre_hooks", "_forward_hooks", "_backward_hooks")


class LazyModule(Module):
    """Base of the lazy layers: settings now, parameters with the first input."""

    becomes: type[Module]
    """The layer it turns into."""
    axis: int
    """Where the input's size stands in its shape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        given = inspect.signature(self.becomes).bind(0, *args, **kwargs)  # wrong ones show at once
        check_device(given.arguments.get("device"))
        self._given = (args, kwargs)

    def has_uninitialized_params(self) -> bool:
        """Whether the size of the input is still unknown."""
        return True

    def forward(self, input: Tensor) -> Tensor:
        """Become the layer that fits ``input``, and apply it."""
        need_tensor(type(self).__name__, input)
        if len(input.shape) < max(self.axis + 1, -self.axis):
            raise ShapeError(
                f"{type(self).__name__} got an input of shape {tuple(input.shape)}, which has no "
                f"axis {self.axis}",
                "give it a batch with a feature or channel axis",
            )
        args, kwargs = self._given
        with concrete():
            make: Any = self.becomes
            made: Module = make(int(input.shape[self.axis]), *args, **kwargs)
        before = dict(self.__dict__)
        for name, value in made.__dict__.items():
            if name not in _KEPT:
                self.__dict__[name] = value
        del self.__dict__["_given"]
        lazy, self.__class__ = type(self), self.becomes  # type: ignore[assignment]
        try:
            result: Tensor = self.forward(input)
            return result
        except (ShapeError, DTypeError):  # an input that did not fit must not fix the sizes
            self.__dict__.clear()
            self.__dict__.update(before)
            self.__class__ = lazy
            raise

    def extra_repr(self) -> str:
        """The settings it was given."""
        args, kwargs = self._given
        return ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])


def _lazy(kind: type[Module], axis: int) -> type[LazyModule]:
    """The lazy form of a layer."""
    name = kind.__name__
    text = f"""A :class:`{name}` without its first argument, which the first input tells.

    Its remaining arguments are those of ``{name}``; ``input.shape[{axis}]`` is the missing one."""
    signature = inspect.signature(kind)
    names = {
        "becomes": kind,
        "axis": axis,
        "__doc__": text,
        "__module__": __name__,
        "__signature__": signature.replace(parameters=[*signature.parameters.values()][1:]),
    }
    return type(f"Lazy{name}", (LazyModule,), names)


LazyLinear = _lazy(Linear, -1)
LazyConv1d = _lazy(Conv1d, -2)
LazyConv2d = _lazy(Conv2d, -3)
LazyConv3d = _lazy(Conv3d, -4)
LazyConvTranspose1d = _lazy(ConvTranspose1d, -2)
LazyConvTranspose2d = _lazy(ConvTranspose2d, -3)
LazyConvTranspose3d = _lazy(ConvTranspose3d, -4)
LazyBatchNorm1d = _lazy(BatchNorm1d, 1)
LazyBatchNorm2d = _lazy(BatchNorm2d, 1)
LazyBatchNorm3d = _lazy(BatchNorm3d, 1)
LazyInstanceNorm1d = _lazy(InstanceNorm1d, -2)
LazyInstanceNorm2d = _lazy(InstanceNorm2d, -3)
LazyInstanceNorm3d = _lazy(InstanceNorm3d, -4)
