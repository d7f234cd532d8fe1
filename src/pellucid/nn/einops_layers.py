"""The layers of einops (Rogozhnikov, 2022) for our networks.

``einops.layers.torch`` defines them for PyTorch's modules.  Where PyTorch is not installed, that
module has these layers instead (:mod:`pellucid.tensor.neighbours`); where it is, a module that is
given one of PyTorch's takes the one of the same settings from here (:func:`adopted`).
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from pellucid.nn.module import FOREIGN, Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import tensor, zeros
from pellucid.tensor.linear import einsum

HOME = "einops.layers.torch"
"""The module whose layers have counterparts here."""


@functools.cache
def layers() -> dict[str, type[Module]]:
    """``Rearrange``, ``Reduce`` and ``EinMix`` by name; einops is imported."""
    mixins: Any = importlib.import_module("einops.layers")
    mixing: Any = importlib.import_module("einops.layers._einmix")
    base: Any = Module  # whose attributes are those of the mixins

    class Rearrange(mixins.RearrangeMixin, base):  # type: ignore[misc]
        """``einops.rearrange`` with a fixed pattern."""

        def forward(self, input: Any) -> Any:
            """The input with its axes rearranged."""
            return self._apply_recipe(input)

    class Reduce(mixins.ReduceMixin, base):  # type: ignore[misc]
        """``einops.reduce`` with a fixed pattern and reduction."""

        def forward(self, input: Any) -> Any:
            """The input with axes reduced."""
            return self._apply_recipe(input)

    class EinMix(mixing._EinmixMixin, base):  # type: ignore[misc]
        """A product with learned weights along named axes, and a bias."""

        def _create_parameters(
            self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float
        ) -> None:
            self.weight = Parameter(zeros(weight_shape).uniform_(-weight_bound, weight_bound))
            self.bias = (
                None
                if bias_shape is None
                else Parameter(zeros(bias_shape).uniform_(-bias_bound, bias_bound))
            )

        def _create_rearrange_layers(
            self, before: str | None, before_lengths: Any, after: str | None, after_lengths: Any
        ) -> None:
            self.pre_rearrange = None if before is None else Rearrange(before, **before_lengths)
            self.post_rearrange = None if after is None else Rearrange(after, **after_lengths)

        def forward(self, input: Any) -> Any:
            """The product, rearranged before and after as the pattern says."""
            x = input if self.pre_rearrange is None else self.pre_rearrange(input)
            x = einsum(self.einsum_pattern, x, self.weight)
            x = x if self.bias is None else x + self.bias
            return x if self.post_rearrange is None else self.post_rearrange(x)

    made: dict[str, type[Module]] = {"Rearrange": Rearrange, "Reduce": Reduce, "EinMix": EinMix}
    for name, kind in made.items():
        kind.__module__, kind.__qualname__ = __name__, name
    return made


def adopted(layer: Any) -> Module | None:
    """Our layer with the settings of one of einops for PyTorch, or None for other objects."""
    kind: Any = layers().get(type(layer).__name__)
    if kind is None:
        return None
    settings: dict[str, Any] = dict(layer.axes_lengths)
    if hasattr(layer, "reduction"):
        settings["reduction"] = layer.reduction
    if hasattr(layer, "weight_shape"):
        settings |= {"weight_shape": layer.weight_shape, "bias_shape": layer.bias_shape}
    made: Module = kind(layer.pattern, **settings)
    with no_grad():
        for name, value in made.named_parameters(recurse=False):
            value.copy_(tensor(getattr(layer, name).detach().numpy()))
    return made


def __getattr__(name: str) -> Any:
    # Copies and pickles look the classes up by name.
    if name in ("Rearrange", "Reduce", "EinMix"):
        return layers()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


FOREIGN[HOME] = adopted
