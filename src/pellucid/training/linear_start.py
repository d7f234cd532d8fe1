"""Weights with which a network begins as the linear model.

A ReLU network of a few hundred rows does not find a linear relation as exactly as a linear model
does.  It can hold one, though: of two units, relu(z) and relu(-z), the difference is z.  So a pair
of units in each hidden layer carries every output of the linear model through, the output layer
takes it, and starts from zero for all other units.  Training then begins at the linear model's
solution and only adds what it misses.  (That networks should be able to start from the best linear
solution: Cheng and others, "Wide & Deep Learning", 2016, who use a path of its own.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.data.input_layout import InputLayout
from pellucid.data.sources import PreparedData
from pellucid.tensor.autograd import no_grad
from pellucid.training.config import TrainingConfig
from pellucid.training.linear_models import logistic_regression, ridge

# f(z) - f(-z) = factor · z
_FACTORS = {
    "relu": 1.0,
    "leaky_relu": 1.01,
    "gelu": 1.0,
    "silu": 1.0,
    "softplus": 1.0,
    "identity": 2.0,
}
MAX_CELLS = 4_000_000
Floats = npt.NDArray[np.float64]


def starts_linear(prepared: PreparedData, config: TrainingConfig) -> bool:
    """Whether a network for these data begins as the linear model.

    ``config.start`` decides; ``auto`` means so for tables of up to 4 million numbers (larger ones
    teach a network the same from their rows) with the default initialization and no dropout, where
    the network can hold a linear model: an activation with f(z) - f(-z) proportional to z and at
    least four units for each output in every hidden layer.
    """
    if config.start == "random" or config.base or not config.widths or config.model != "mlp":
        return False
    if prepared.image_shape is not None or config.activation not in _FACTORS:
        return False
    if isinstance(prepared.row_shape, InputLayout):
        return False  # a linear model of its codes is none of their vectors
    asked = config.start == "linear"
    least = (2 if asked else 4) * prepared.task.output_units
    if min(config.widths) < least or (config.dropout and not asked):
        return False
    small = prepared.train.features.size <= MAX_CELLS
    return asked or (small and config.initialization == "he_normal" and config.loss == "auto")


def linear_solution(prepared: PreparedData) -> tuple[Floats, Floats]:
    """Weights (features, outputs) and intercepts (outputs,) of the linear model's scores."""
    task, features, targets = prepared.task, prepared.train.features, prepared.train.targets
    weights = prepared.train.weights
    if task.kind == "regression":
        return ridge(features, targets, row_weights=weights)
    if task.kind == "multiclass":
        return _logistic(features, targets, len(task.classes), weights)
    columns = targets[:, None] if task.kind == "binary" else targets
    pairs = [
        _logistic(features, columns[:, i].astype(np.int64), 2, weights)
        for i in range(columns.shape[1])
    ]
    slopes = np.stack([w[:, 1] - w[:, 0] for w, _ in pairs], axis=1)
    return slopes, np.array([b[1] - b[0] for _, b in pairs])


def _logistic(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[Any],
    classes: int,
    weights: npt.NDArray[np.float64] | None,
) -> tuple[Floats, Floats]:
    if np.unique(labels).size < 2:
        return np.zeros((features.shape[1], classes)), np.zeros(classes)
    return logistic_regression(features, labels.astype(np.int64), classes, row_weights=weights)


def start_at_linear(model: Any, weights: Floats, bias: Floats, activation: str) -> None:
    """Sets the weights of ``build_mlp``'s network so that it computes ``x @ weights + bias``.

    The first 2·outputs units of every hidden layer carry the result; the other units keep their
    weights, and the output layer gives them none.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    outputs = weights.shape[1]
    factor = 1.0 / _FACTORS[activation]
    identity = np.eye(outputs)
    both = np.concatenate([identity, -identity])
    carry = factor * both.T
    with no_grad():
        for position, layer in enumerate(layers):
            matrix, offset = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            if position == 0:
                matrix[: 2 * outputs] = both @ weights.T
                offset[: 2 * outputs] = both @ bias
            elif position < len(layers) - 1:
                matrix[: 2 * outputs] = 0.0
                matrix[: 2 * outputs, : 2 * outputs] = both @ carry
                offset[: 2 * outputs] = 0.0
            else:
                matrix[:] = 0.0
                matrix[:, : 2 * outputs] = carry
                offset[:] = 0.0
