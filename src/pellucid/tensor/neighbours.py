"""Libraries that take tensors of known kinds only: they are told of ours when they are imported.

einops finds its backends among the classes that derive from its own; TensorBoard's writers ask a
function for an array.  Neither is imported for that: whoever imports it, before or after this
package, gets it with our tensors known.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any

import numpy as np

from pellucid.base.dtypes import int64
from pellucid.base.errors import ArgumentError
from pellucid.tensor.creation import arange, from_numpy
from pellucid.tensor.linear import einsum
from pellucid.tensor.shaping import cat, stack
from pellucid.tensor.tensor import Tensor

_kept: list[object] = []
"""Classes that their base remembers by a weak reference only."""


def to_einops(module: ModuleType) -> None:
    """Define einops' backend for our tensors; ``module`` is ``einops._backends``."""

    class PellucidBackend(_EinopsMethods, module.AbstractBackend):  # type: ignore[name-defined, misc]
        pass

    _kept.append(PellucidBackend)


class _EinopsMethods:
    """What einops asks of a backend, in our operations, so that programs can be compiled."""

    framework_name = "pellucid"

    def is_appropriate_type(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: np.ndarray) -> Tensor:
        made: Tensor = from_numpy(x)
        return made.requires_grad_() if self.is_float_type(made) else made

    def to_numpy(self, x: Tensor) -> np.ndarray:
        array: np.ndarray = x.detach().numpy()
        return array

    def arange(self, start: int, stop: int) -> Tensor:
        made: Tensor = arange(start, stop, dtype=int64)
        return made

    def reduce(self, x: Any, operation: str, reduced_axes: Sequence[int]) -> Any:
        if operation in ("min", "max"):
            return getattr(x, f"a{operation}")(dim=tuple(reduced_axes))
        if operation in ("sum", "mean"):
            return getattr(x, operation)(dim=tuple(reduced_axes))
        if operation not in ("any", "all", "prod"):
            raise ArgumentError(
                f"einops asked for the reduction {operation!r}",
                "use min, max, sum, mean, prod, any, all or a function",
            )
        for axis in sorted(reduced_axes, reverse=True):
            x = getattr(x, operation)(dim=axis)
        return x

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        return x.permute(tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: Sequence[Any]) -> Any:
        return stack(tensors)

    def add_axis(self, x: Any, new_position: int) -> Any:
        return x.unsqueeze(new_position)

    def add_axes(self, x: Any, n_axes: int, pos2len: dict[int, int]) -> Any:
        repeats = [-1] * n_axes
        for position, length in pos2len.items():
            x = x.unsqueeze(position)
            repeats[position] = length
        return x.expand(repeats)

    def tile(self, x: Any, repeats: Sequence[int]) -> Any:
        return x.repeat(tuple(repeats))

    def concat(self, tensors: Sequence[Any], axis: int) -> Any:
        return cat(tensors, dim=axis)

    def is_float_type(self, x: Any) -> bool:
        return bool(x.dtype.is_floating_point)

    def einsum(self, pattern: str, *x: Any) -> Any:
        return einsum(pattern, *x)


def to_writers(module: ModuleType) -> None:
    """Let a TensorBoard writer's ``make_np`` take our tensors; ``module`` defines it."""
    original = module.make_np

    def make_np(x: Any) -> Any:
        if isinstance(x, Tensor):
            value = x.detach()
            x = (value.float() if value.dtype.is_narrow else value).numpy()
        return original(x)

    package = module.__name__.rpartition(".")[0]
    for name, other in list(sys.modules.items()):
        if name.startswith(package) and getattr(other, "make_np", None) is original:
            other.make_np = make_np  # type: ignore[attr-defined]


INTRODUCTIONS: dict[str, Callable[[ModuleType], None]] = {
    "einops._backends": to_einops,
    "tensorboardX.x2num": to_writers,
    "torch.utils.tensorboard._convert_np": to_writers,
}
"""Module of another library → what is done once it is imported."""


class _Introducer(MetaPathFinder):
    """Stands first in the search for modules and adds a step to the import of those above."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as the others find it, with its introduction after its execution."""
        introduce = INTRODUCTIONS.get(fullname)
        if introduce is None:
            if fullname == "einops.layers.torch" and find_spec("torch") is None:
                return spec_from_loader(fullname, _LayersWithoutPyTorch())
            return None
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(fullname, path, target)
            if found is not None:
                _after_execution(found.loader, introduce)
                return found
        return None


class _LayersWithoutPyTorch(Loader):
    """Gives ``einops.layers.torch`` our layers where there is no PyTorch to define its own."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        ours = importlib.import_module("pellucid.nn.einops_layers")
        vars(module).update(ours.layers())


def _after_execution(loader: Any, introduce: Callable[[ModuleType], None]) -> None:
    """Make a loader call ``introduce`` with the module it has executed."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        introduce(module)

    loader.exec_module = exec_module


def introduce_tensors() -> None:
    """Tell the libraries that are there already, and those that come later."""
    for name, introduce in INTRODUCTIONS.items():
        if name in sys.modules:
            introduce(sys.modules[name])
    sys.meta_path.insert(0, _Introducer())
