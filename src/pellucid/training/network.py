"""From settings and a task to the parts of a training run: network, loss, optimizer, schedule,
and the head that turns outputs into predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn, optim
from pellucid.data.tasks import Task, TaskKind
from pellucid.nn import functional
from pellucid.training.config import ACTIVATIONS, OPTIMIZERS, TrainingConfig

# The gain by which an initialization allows for the activation after it (He and others, 2015;
# Klambauer and others, 2017, for SELU). Smooth relatives of ReLU take ReLU's gain.
_GAIN_NAMES = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "selu": "selu",
    "leaky_relu": "leaky_relu",
    "identity": "linear",
}


def build_mlp(inputs: int, config: TrainingConfig, outputs: int) -> Any:
    """A multi-layer perceptron: Linear, activation and dropout for each hidden layer, and a
    Linear output layer.

    Input (rows, inputs), output (rows, outputs): scores before sigmoid or softmax (see
    ``apply_head``).  Depth and widths are ``config.widths``; weights start by
    ``config.initialization`` from the default generator, biases at zero.
    """
    layers: list[Any] = []
    before = inputs
    for width in config.widths:
        linear = nn.Linear(before, width)
        initialize(linear, config.initialization, config.activation)
        layers += [linear, getattr(nn, ACTIVATIONS[config.activation])()]
        if config.dropout:
            layers.append(nn.Dropout(config.dropout))
        before = width
    output = nn.Linear(before, outputs)
    initialize(output, config.initialization, "identity")
    return nn.Sequential(*layers, output)


def initialize(linear: Any, method: str, activation: str) -> None:
    """Sets the weight of a Linear layer by ``method`` for the activation that follows it, and
    its bias to zero.

    He: variance gain²/inputs; Xavier: gain² · 2/(inputs + outputs); LeCun: 1/inputs;
    orthogonal: gain times a matrix with orthogonal rows or columns; normal: deviation 0.01.
    """
    name = _GAIN_NAMES.get(activation, "relu")
    gain = nn.init.calculate_gain(name)
    weight = linear.weight
    if method in ("he_normal", "he_uniform"):
        fill = nn.init.kaiming_normal_ if method == "he_normal" else nn.init.kaiming_uniform_
        fill(weight, a=0.01 if name == "leaky_relu" else 0, nonlinearity=name)
    elif method in ("xavier_normal", "xavier_uniform"):
        fill = nn.init.xavier_normal_ if method == "xavier_normal" else nn.init.xavier_uniform_
        fill(weight, gain=gain)
    elif method == "lecun_normal":
        nn.init.normal_(weight, 0.0, weight.shape[1] ** -0.5)
    elif method == "orthogonal":
        nn.init.orthogonal_(weight, gain=gain)
    elif method == "normal":
        nn.init.normal_(weight, 0.0, 0.01)
    else:
        nn.init.zeros_(weight)
    nn.init.zeros_(linear.bias)


def build_loss(name: str) -> Callable[[Any, Any], Any]:
    """The loss ``(scores, targets) → mean`` by its name in ``pellucid.nn.functional``; targets
    are what ``target_array`` gives."""
    if name == "soft_margin_loss":
        return lambda scores, targets: functional.soft_margin_loss(scores, targets * 2 - 1)
    found: Callable[[Any, Any], Any] = getattr(functional, name)
    return found


def build_optimizer(model: Any, config: TrainingConfig) -> Any:
    """The optimizer of ``config``; weight decay and L1 act on weights, not on biases."""
    make = getattr(optim, OPTIMIZERS[config.optimizer])
    named = list(model.named_parameters())
    weights = [parameter for name, parameter in named if name.endswith("weight")]
    others = [parameter for name, parameter in named if not name.endswith("weight")]
    penalties = {"weight_decay": config.weight_decay, "l1": config.l1}
    groups: list[dict[str, Any]] = [{"params": weights, **penalties}]
    if any(penalties.values()):
        groups.append({"params": others, "weight_decay": 0.0, "l1": 0.0})
    else:
        groups[0]["params"] = [parameter for _, parameter in named]
    extra = {"momentum": config.momentum} if config.optimizer in ("sgd", "rmsprop") else {}
    return make(groups, lr=config.learning_rate, **extra)


def build_schedule(optimizer: Any, config: TrainingConfig) -> Any:
    """The learning-rate schedule of ``config``, one step an epoch, or None for ``constant``.

    ``linear``, ``cosine`` and ``exponential`` fall to a hundredth over ``config.epochs``; ``step``
    divides by 10 after each third; ``plateau`` halves when the validation loss stops falling for
    half of the patience.
    """
    schedules = optim.lr_scheduler
    rate, epochs = config.learning_rate, config.epochs
    if config.schedule == "linear":
        return schedules.LinearLR(optimizer, 1.0, 0.01, total_iters=epochs)
    if config.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, epochs, eta_min=rate / 100)
    if config.schedule == "exponential":
        return schedules.ExponentialLR(optimizer, 0.01 ** (1 / epochs))
    if config.schedule == "step":
        return schedules.StepLR(optimizer, max(1, -(-epochs // 3)))
    if config.schedule == "plateau":
        wait = max(1, config.patience // 2)
        return schedules.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait)
    return None


def target_array(kind: TaskKind, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Targets as the losses take them: class numbers int64 (rows,) for multi-class, float32
    (rows, units) for everything else."""
    if kind == "multiclass":
        return np.ascontiguousarray(targets, np.int64)
    return np.ascontiguousarray(targets.reshape(len(targets), -1), np.float32)


def apply_head(kind: TaskKind, scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Predictions (rows, units) from the output layer's scores.

    Binary and multi-label: sigmoid, 1/(1 + exp(-s)), of each unit; multi-class: softmax over the
    units; regression: the scores themselves.  float64, and stable for scores of any size.
    """
    s = np.asarray(scores, np.float64)
    if kind == "regression":
        return s
    if kind == "multiclass":
        powers = np.exp(s - s.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    small = np.exp(-np.abs(s))
    return np.asarray(np.where(s >= 0, 1.0, small) / (1.0 + small))


def predictions_of(task: Task, scores: npt.NDArray[Any], scaler: Any) -> npt.NDArray[np.float64]:
    """What ``metrics`` takes: probabilities, or for regression numbers in the data's units."""
    values = apply_head(task.kind, scores)
    return np.asarray(scaler.inverse(values)) if scaler is not None else values


def describe_layers(inputs: int, config: TrainingConfig, task: Task) -> str:
    """One line: units of every layer, activation and head."""
    units = " → ".join(str(n) for n in (inputs, *config.widths, task.output_units))
    activation = f", {ACTIVATIONS[config.activation]}" if config.widths else ""
    return f"{units}{activation}, output: {task.output_layer}"
