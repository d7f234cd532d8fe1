"""Low-rank adaptation: a trained network learns something new by a few numbers a layer.

The weight W of a layer stays as it is, and B A is added to it, with A (rank, inputs) and B
(outputs, rank): rank · (inputs + outputs) numbers to learn in place of inputs · outputs.  B starts
at zero, so that nothing changes at first.  (Hu and others, "LoRA: Low-Rank Adaptation of Large
Language Models", 2021.)

>>> from pellucid import nn
>>> from pellucid.nn.utils import lora
>>> model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
>>> lora.add_lora(model, rank=4)
['0', '2']
>>> sum(p.numel() for p in model.parameters() if p.requires_grad)
800
>>> lora.merge_lora(model)  # now part of the weights, and the layers are what they were
['0', '2']
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pellucid.base.errors import ArgumentError
from pellucid.nn import init
from pellucid.nn.attention import MultiheadAttention
from pellucid.nn.embedding import Embedding
from pellucid.nn.linear import Linear
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.nn.utils import parametrize
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import empty, zeros
from pellucid.tensor.tensor import Tensor


class LoRA(Module):
    """W → W + (alpha / rank) · B A, for a matrix W (outputs, inputs); made by :func:`add_lora`.

    A starts as a linear layer's weight does, B at zero.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.lora_A = Parameter(empty(rank, inputs, dtype=weight.dtype))
        self.lora_B = Parameter(zeros(outputs, rank, dtype=weight.dtype))
        init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """(outputs, inputs) → the same."""
        return weight + (self.lora_B @ self.lora_A) * self.scaling

    def extra_repr(self) -> str:
        """Rank and scale."""
        return f"rank={self.lora_A.shape[0]}, scaling={self.scaling:g}"


def add_lora(
    model: Module,
    rank: int = 8,
    alpha: float = 16.0,
    names: str | Sequence[str] = "*",
    freeze: bool = True,
) -> list[str]:
    """Gives the layers of ``model`` adapters, and returns the layers' paths.

    Adapted are the weights of ``nn.Linear`` and ``nn.Embedding``, and the projections of attention,
    whose path fits one of the patterns ``names`` (``"*attn*"``).  All other parameters no longer
    require gradients, unless ``freeze=False``: pass those that do to the optimizer.  Raises
    ``ArgumentError`` for a rank below 1, for layers that have an adapter, and where nothing fits.
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise ArgumentError(f"add_lora got rank={rank!r}", "give a whole number from 1 up")
    patterns = [names] if isinstance(names, str) else list(names)
    chosen = [
        (path, layer, weight)
        for path, layer, weight in _weights(model)
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
    ]
    if not chosen:
        known = ", ".join(path or "the model itself" for path, _, _ in _weights(model))
        raise ArgumentError(
            f"add_lora found no layer for names={names!r}", f"there are: {known or 'none'}"
        )
    for path, layer, weight in chosen:
        if _adapter(layer, weight) is not None:
            raise ArgumentError(
                f"layer {path!r} has an adapter already", "merge or remove it before adding another"
            )
    if freeze:
        model.requires_grad_(False)
    for _, layer, weight in chosen:
        adapter = LoRA(getattr(layer, weight), rank, alpha)
        parametrize.register_parametrization(layer, weight, adapter)
    return list(dict.fromkeys(path for path, _, _ in chosen))


def merge_lora(model: Module) -> list[str]:
    """Adds what the adapters learned to the weights and takes the adapters away; returns the paths
    of the layers.  The model computes the same as before, in its old form and at its old speed."""
    return _taken_away(model, keep=True)


def remove_lora(model: Module) -> list[str]:
    """Takes the adapters away without a trace: the weights are those from before, bit by bit."""
    return _taken_away(model, keep=False)


def lora_state_dict(model: Module) -> dict[str, Tensor]:
    """The adapters' parameters alone, by their names in ``model.state_dict()``: a small file for
    each task, beside one file of the network.  ``load_state_dict(…, strict=False)`` reads them, or
    :func:`load_lora`."""
    state = model.state_dict()
    return {n: t for n, t in state.items() if n.rpartition(".")[2] in ("lora_A", "lora_B")}


def load_lora(model: Module, state: Mapping[str, Tensor]) -> None:
    """Loads ``lora_state_dict``'s parameters into a model with the same adapters; raises
    ``ArgumentError`` where names or shapes differ."""
    own = lora_state_dict(model)
    wrong = sorted(set(own) ^ set(state)) or [
        name for name in own if tuple(own[name].shape) != tuple(state[name].shape)
    ]
    if wrong:
        raise ArgumentError(
            f"the adapters differ from those of the model in {', '.join(wrong[:4])}",
            "call add_lora with the rank and the names that they were made with",
        )
    with no_grad():
        for name, parameter in own.items():
            parameter.copy_(state[name])


def _weights(model: Module) -> Iterator[tuple[str, Module, str]]:
    """The matrices that can be adapted: path of the layer, the layer, name of the parameter."""
    for path, layer in model.named_modules():
        if isinstance(layer, Linear | Embedding):
            yield path, layer, "weight"
        elif isinstance(layer, MultiheadAttention) and layer.in_proj_weight is not None:
            yield path, layer, "in_proj_weight"


def _made_by(layer: Module, weight: str) -> Any:
    """The list of parametrizations of a weight."""
    return cast(Any, layer.parametrizations)[weight]


def _adapter(layer: Module, weight: str) -> LoRA | None:
    """The adapter of a weight, if it has one."""
    if not parametrize.is_parametrized(layer, weight):
        return None
    return next((one for one in _made_by(layer, weight) if isinstance(one, LoRA)), None)


def _taken_away(model: Module, keep: bool) -> list[str]:
    found = []
    for path, layer in list(model.named_modules()):
        for weight in ("weight", "in_proj_weight"):
            if _adapter(layer, weight) is None:
                continue
            made = _made_by(layer, weight)
            if len(made) > 1:
                raise ArgumentError(
                    f"{weight} of layer {path!r} has other parametrizations beside its adapter",
                    "remove these first: parametrize.remove_parametrizations",
                )
            learned = bool(made.original.requires_grad)
            original = made.original.detach().clone()
            parametrize.remove_parametrizations(layer, weight, leave_parametrized=True)
            parameter = getattr(layer, weight)
            if not keep:
                with no_grad():
                    parameter.copy_(original)
            parameter.requires_grad_(learned)
            found.append(path)
    return list(dict.fromkeys(found))
