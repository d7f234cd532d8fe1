"""Fine-tuning: a network that begins with the layers of a run's network.

Layers are matched by their kind, in their order from the input, and taken where their shapes agree.
The last layer is taken where the same is predicted, and is new where classes or targets are others.
Layers that read columns are taken where the columns mean the same (Yosinski, Clune, Bengio and
Lipson, "How transferable are features in deep neural networks?", 2014).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import nn
from pellucid.data.preprocessing import Preprocessor
from pellucid.data.sources import PreparedData
from pellucid.data.tasks import Task
from pellucid.nn import functional
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor
from pellucid.training.config import TrainingConfig
from pellucid.training.network import kept_tensors, parameter_shapes
from pellucid.training.run_folder import load_model, load_run
from pellucid.training.saved_model import SavedModel

ARCHITECTURE = ("model", "channels", "normalization", "text", "widths", "activation")
"""Settings of a network that one which begins with its layers has unless given."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Taken:
    """What a network takes from a run's: ``layers`` by their names, in their order, with the names
    there; ``new`` are the others, of which ``frozen`` say which of the taken stay as they are."""

    layers: Mapping[str, str]
    new: tuple[str, ...]
    frozen: tuple[str, ...]


def settings_from(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The architecture of a run's network, as settings; raises as ``load_run``."""
    config = load_model(folder).config
    return {name: getattr(config, name) for name in ARCHITECTURE}


def picture_side(folder: str | os.PathLike[str]) -> int | None:
    """The side of the square pictures that a run's network sees; None where it sees others."""
    shape = load_model(folder).row_shape
    square = len(shape) in (2, 3) and shape[0] == shape[1]
    return int(shape[0]) if square else None


def taken_layers(prepared: PreparedData, config: TrainingConfig) -> Taken:
    """What the network of ``config`` takes from the run ``config.base``; raises as ``load_run``."""
    return _matched(load_model(config.base), prepared, replace(config, ensemble=1))


def begin_from_run(network: Any, prepared: PreparedData, config: TrainingConfig) -> Taken:
    """Gives ``network``, one that ``build_network`` has built, the layers of the run
    ``config.base``, and freezes those that ``config.freeze`` names: they are not trained, and their
    normalizations keep the means and deviations of then.

    Raises as ``load_run``.
    """
    saved, weights = load_run(config.base)
    found = _matched(saved, prepared, config)
    own = kept_tensors(network)
    with no_grad():
        for name, source in found.layers.items():
            for leaf in _leaves(own, name):
                np.copyto(own[f"{name}.{leaf}"].detach().numpy(), weights[f"{source}.{leaf}"])
    for name in found.frozen:
        layer = network.get_submodule(name)
        layer.requires_grad_(False)
        if isinstance(layer, nn.BatchNorm2d):
            parent, _, place = name.rpartition(".")
            setattr(network.get_submodule(parent), place, SettledNorm.of(layer))
    network.taken = frozenset(
        f"{name}.{leaf}" for name in found.layers for leaf in _leaves(own, name)
    )
    return found


class SettledNorm(nn.BatchNorm2d):
    """A batch normalization whose running means and deviations are used in training as well."""

    @classmethod
    def of(cls, layer: nn.BatchNorm2d) -> SettledNorm:
        """One with the values of ``layer``, which learns nothing."""
        made = cls(layer.num_features, layer.eps)
        made.load_state_dict(layer.state_dict())
        made.requires_grad_(False)
        return made

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) → the same shape."""
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )


def _matched(saved: SavedModel, prepared: PreparedData, config: TrainingConfig) -> Taken:
    shapes = parameter_shapes(prepared.row_shape, config, prepared.task.output_units)
    theirs = _grouped(_single(saved.shapes))
    ours = _grouped(shapes)
    same_columns = _reads_alike(saved, prepared)
    heads = list(ours)[-1], list(theirs)[-1]
    candidates: dict[tuple[Any, ...], list[str]] = {}
    for name, leaves in theirs.items():
        if name != heads[1]:
            candidates.setdefault(_kind(leaves), []).append(name)
    layers: dict[str, str] = {}
    reading = _reading(ours)
    for name, leaves in ours.items():
        if name == heads[0]:
            if _same_task(saved.task, prepared.task) and theirs[heads[1]] == leaves:
                layers[name] = heads[1]
            continue
        left = candidates.get(_kind(leaves), [])
        source = left.pop(0) if left else None
        usable = source is not None and theirs[source] == leaves
        if source is not None and usable and (same_columns or name not in reading):
            layers[name] = source
    new = tuple(name for name in ours if name not in layers)
    body = [name for name in layers if name != heads[0]]
    frozen = {"none": [], "half": body[: -(-len(body) // 2)], "body": body}[config.freeze]
    return Taken(layers, new, tuple(frozen))


def _single(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The tensors of a network, or of the first of an ensemble."""
    first = {name: shape for name, shape in shapes.items() if name.startswith("networks.0.")}
    return first or dict(shapes)


def _grouped(shapes: Shapes) -> dict[str, dict[str, tuple[int, ...]]]:
    """The tensors of each layer by their last names."""
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        layer, _, leaf = name.rpartition(".")
        layers.setdefault(layer, {})[leaf] = shape
    return layers


def _kind(leaves: Mapping[str, tuple[int, ...]]) -> tuple[Any, ...]:
    """Equal for layers of one kind: convolutions with biases, normalizations and so on."""
    return tuple(sorted((leaf, len(shape)) for leaf, shape in leaves.items()))


def _leaves(tensors: Mapping[str, Any], layer: str) -> list[str]:
    start = layer + "."
    return [n[len(start) :] for n in tensors if n.startswith(start) and "." not in n[len(start) :]]


def _reading(layers: Mapping[str, Any]) -> set[str]:
    """The layers of a table's network that read columns: all that look something up, and the
    first of the others."""
    lookups = {name for name in layers if name.startswith("0.")}
    rest = [name for name in layers if name not in lookups]
    return lookups | set(rest[:1])


def _reads_alike(saved: SavedModel, prepared: PreparedData) -> bool:
    """Whether inputs at equal places mean the same; pixels always do."""
    one, other = saved.preprocessor, prepared.preprocessor
    if not isinstance(one, Preprocessor) or not isinstance(other, Preprocessor):
        return type(one) is type(other)

    def meaning(of: Preprocessor) -> list[Any]:
        return [(p.column, p.kind, p.categories, p.feature_names) for p in of.ordered]

    return meaning(one) == meaning(other)


def _same_task(one: Task, other: Task) -> bool:
    return (one.kind, one.targets, one.classes) == (other.kind, other.targets, other.classes)


def base_folder(place: str) -> str:
    """Where a run is, from anywhere."""
    return str(Path(os.path.abspath(place)))
