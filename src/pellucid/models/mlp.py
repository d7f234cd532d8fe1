"""The multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.base.errors import ArgumentError
from pellucid.nn.containers import Sequential
from pellucid.training.config import TrainingConfig
from pellucid.training.network import build_mlp


def mlp(
    inputs: int,
    widths: Sequence[int],
    outputs: int,
    activation: str = "relu",
    initialization: str = "he_normal",
    dropout: float = 0.0,
) -> Sequential:
    """A multi-layer perceptron of any depth: one hidden layer for each entry of ``widths``.

    Input (rows, inputs), output (rows, outputs): scores, to which the loss adds sigmoid or
    softmax.  No widths make a linear model.  The input layer only passes the features on: it has
    no parameters and is no module.  Weights come from the default generator
    (``pellucid.manual_seed``), biases are 0.  Names of activations and initializations are those
    of ``TrainingConfig``.  Raises ``ArgumentError`` for sizes below 1 and unknown names.

    >>> [type(layer).__name__ for layer in mlp(4, (8, 8), 3)]
    ['Linear', 'ReLU', 'Linear', 'ReLU', 'Linear']
    """
    for name, size in (("inputs", inputs), ("outputs", outputs)):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ArgumentError(f"mlp got {name}={size!r}", "Give a whole number from 1 up.")
    config = TrainingConfig(
        widths=tuple(widths), activation=activation, initialization=initialization, dropout=dropout
    )
    return build_mlp(inputs, config, outputs)
