"""Remedies: constructors of patches.

``apply`` of each gets a *trial*: a :class:`.case.Case` whose model, optimizer and rows are copies,
and changes it; whoever makes the trial trains it afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import nn, optim
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.patches import Patch
from pellucid.nn import functional, init
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor
from pellucid.training.batches import mapped

Trial = Case


def advice(text: str) -> Patch:
    """What only the user can do, in the program."""
    return Patch("code", text)


# ---- settings ------------------------------------------------------------------------------------


def setting(text: str, name: str, old: Any, new: Any) -> Patch:
    """Another value of a setting of the training (``batch_size``, ``epochs``, ``clip_norm`` …)."""

    def apply(trial: Trial) -> None:
        trial.settings[name] = new

    return Patch("setting", text, name, old, new, apply)


def optimizer_setting(text: str, name: str, old: Any, new: Any) -> Patch:
    """Another value of a number of the optimizer, in all groups."""

    def apply(trial: Trial) -> None:
        for group in trial.optimizer.param_groups:
            if name in group:
                group[name] = new

    return Patch("setting", text, name, old, new, apply)


def learning_rate(text: str, old: float, factor: float) -> Patch:
    """All learning rates times a factor."""

    def apply(trial: Trial) -> None:
        for group in trial.optimizer.param_groups:
            group["lr"] = group["lr"] * factor

    return Patch("setting", text, "lr", old, float(f"{old * factor:.3g}"), apply)


def optimizer(text: str, old: Any, name: str, **settings: Any) -> Patch:
    """Another optimizer, by the name of its class."""

    def apply(trial: Trial) -> None:
        model: Any = trial.model
        trial.optimizer = getattr(optim, name)(model.parameters(), **settings)

    shown = ", ".join(f"{k}={v}" for k, v in settings.items())
    return Patch("setting", text, "optimizer", type(old).__name__, f"{name}({shown})", apply)


# ---- the network ---------------------------------------------------------------------------------


class Through(Module):
    """A network whose answers go through a function."""

    def __init__(self, model: Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The function of the network's answer, of any shape."""
        return self.function(self.model(*args, **kwargs))


def layer(text: str, path: str, model: Module, new: Module) -> Patch:
    """Another layer at a path."""
    old = dict(model.named_modules()).get(path)

    def apply(trial: Trial) -> None:
        _put(trial, path, copy.deepcopy(new))  # each trial learns for itself

    return Patch("layer", text, path, repr(old), repr(new), apply)


def layers(text: str, paths: tuple[str, ...], old: str, make: Callable[[], Module]) -> Patch:
    """The same new layer at each of several paths."""

    def apply(trial: Trial) -> None:
        for path in paths:
            _put(trial, path, make())

    return Patch("layer", text, ", ".join(paths), old, repr(make()), apply)


def activations(text: str, paths: tuple[str, ...]) -> Patch:
    """A ReLU in front of each of these layers."""

    def apply(trial: Trial) -> None:
        model: Any = trial.model
        found = dict(model.named_modules())
        for path in paths:
            _put(trial, path, nn.Sequential(nn.ReLU(), found[path]))

    if not paths:
        return advice(text)
    return Patch("layer", text, ", ".join(paths), "no activation before it", "ReLU()", apply)


def _put(trial: Trial, path: str, new: Module) -> None:
    if not path:
        trial.model = new
        return
    parent, _, name = path.rpartition(".")
    model: Any = trial.model
    setattr(model.get_submodule(parent) if parent else model, name, new)


def answers(text: str, name: str, old: str, new: str, function: Callable[[Any], Any]) -> Patch:
    """The network's answers through a function."""

    def apply(trial: Trial) -> None:
        trial.model = Through(trial.model, function)

    return Patch("layer", text, name, old, new, apply)


def without_end(text: str, case: Any, path: str, kind: str) -> Patch:
    """The network without its last activation: the layer is left out or, where it is no layer of
    its own, its inverse follows it."""
    layers = dict(case.model.named_modules())
    found = layers.get(path)
    if found is not None and path and not [*found.children(), *found.parameters()]:
        return layer(text, path, case.model, nn.Identity())
    inverse = _INVERSES.get(kind)
    if inverse is None:
        return advice(text)
    return answers(text, "the last activation", kind, "none", inverse)


def _log(p: Any) -> Any:
    return p.clamp(min=1e-12).log()


def _logit(p: Any) -> Any:
    q = p.clamp(1e-6, 1 - 1e-6)
    return (q / (1 - q)).log()


_INVERSES: dict[str, Callable[[Any], Any]] = {"softmax": _log, "sigmoid": _logit}


def initialize(text: str, paths: tuple[str, ...], nonlinearity: str = "relu") -> Patch:
    """He's (or Glorot's) start for the weights of these layers, biases 0."""

    def apply(trial: Trial) -> None:
        layers = dict(trial.model.named_modules())
        with no_grad():
            for path in paths:
                _start(layers.get(path), nonlinearity)

    old, new = "as given", "kaiming_normal_" if nonlinearity == "relu" else "xavier_normal_"
    return Patch("layer", text, ", ".join(paths), old, new, apply)


def _start(found: Module | None, nonlinearity: str) -> None:
    own = {} if found is None else dict(found.named_parameters(recurse=False))
    for name, parameter in own.items():
        if parameter.dim() < 2:
            init.zeros_(parameter)
        elif nonlinearity == "relu" and "hh" not in name:
            init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            init.xavier_normal_(parameter)


# ---- the loss ------------------------------------------------------------------------------------


def loss(text: str, old: str, name: str, function: Any = None) -> Patch:
    """Another loss, by its name in ``nn.functional`` or as a function."""

    def apply(trial: Trial) -> None:
        trial.loss = function or getattr(functional, name)

    return Patch("loss", text, "loss", old, name, apply)


# ---- the data ------------------------------------------------------------------------------------


def _changed(rows: Rows | None, features: Any, targets: Any) -> Rows | None:
    if rows is None:
        return None
    return Rows(
        mapped(rows.features, features) if features else rows.features,
        targets(rows.targets) if targets and rows.targets is not None else rows.targets,
        rows.number,
    )


def standardized(text: str, old: str) -> Patch:
    """Every column of the features standardized with the training rows' mean and deviation."""

    def apply(trial: Trial) -> None:
        if trial.train is None:
            return
        known: dict[tuple[int, ...], tuple[Any, Any]] = {}

        def learn(tensor: Any) -> Any:
            array = tensor.detach().array()
            if array.dtype.kind == "f":
                axes = 0 if array.ndim < 3 else None
                known[array.shape[1:]] = (array.mean(axes), array.std(axes) + 1e-7)
            return tensor

        mapped(trial.train.features, learn)

        def scale(tensor: Any) -> Any:
            array = tensor.detach().array()
            if array.shape[1:] not in known:
                return tensor
            mean, deviation = known[array.shape[1:]]
            return as_tensor(((array - mean) / deviation).astype(array.dtype))

        trial.train = _changed(trial.train, scale, None)
        trial.validation = _changed(trial.validation, scale, None)

    return Patch("data", text, "features", old, "mean 0, deviation 1", apply)


def standardized_targets(text: str, old: str) -> Patch:
    """The targets standardized with the training rows' mean and deviation."""

    def apply(trial: Trial) -> None:
        if trial.train is None or not isinstance(trial.train.targets, Tensor):
            return
        array = trial.train.targets.detach().array().astype(np.float64)
        mean, deviation = array.mean(0), array.std(0) + 1e-12

        def scale(tensor: Any) -> Any:
            return as_tensor(((tensor.detach().array() - mean) / deviation).astype(np.float32))

        trial.train = _changed(trial.train, None, scale)
        trial.validation = _changed(trial.validation, None, scale)

    return Patch("data", text, "targets", old, "mean 0, deviation 1", apply)


def targets(text: str, old: str, new: str, function: Callable[[Any], Any]) -> Patch:
    """The targets changed by a function of their array."""

    def apply(trial: Trial) -> None:
        def change(tensor: Any) -> Any:
            return as_tensor(function(tensor.detach().array()))

        trial.train = _changed(trial.train, None, change)
        trial.validation = _changed(trial.validation, None, change)

    return Patch("data", text, "targets", old, new, apply)
