"""The perceptron: a weighted sum, a threshold, and Rosenblatt's rule that finds the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid import nn
from pellucid.base.errors import ShapeError
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor, tensor, zeros
from pellucid.tensor.tensor import Tensor


class Perceptron(nn.Module):
    """One unit that fires (1) where w·x + b > 0 and rests (0) elsewhere.  (Rosenblatt, 1958.)

    ``weight`` holds one number for each input, ``bias`` is minus the threshold; both are 0 unless
    given.  Input (…, inputs), output float32 (…).  The step has slope 0 wherever it has one, so
    gradient descent cannot train it: :meth:`learn` has a rule of its own.

    >>> both = Perceptron(2, [0.5, 0.5], -0.7)
    >>> both(tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """

    def __init__(
        self, inputs: int, weight: Sequence[float] | None = None, bias: float = 0.0
    ) -> None:
        super().__init__()
        start = zeros(inputs) if weight is None else tensor([float(w) for w in weight])
        if tuple(start.shape) != (inputs,):
            raise ShapeError(
                f"Perceptron got {start.shape[0]} weights for {inputs} inputs",
                "Give one weight for each input.",
            )
        self.register_buffer("weight", start)
        self.register_buffer("bias", tensor(float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        """1 where the weighted sum plus bias is positive, else 0."""
        result: Tensor = ((x * self.weight).sum(-1) + self.bias > 0).float()
        return result

    def learn(self, features: Any, targets: Any, epochs: int = 100) -> int:
        """Adds (target − output)·x to the weights, and that without x to the bias, row by row.

        ``features`` (rows, inputs), ``targets`` 0/1 (rows,).  Returns the number of passes until
        one without a mistake; where a line (plane) separates the classes there is such a pass
        (Novikoff, 1962).  Where none does, the rule never ends by itself: after ``epochs``
        passes it stops and returns ``epochs + 1``.
        """
        rows, wanted = as_tensor(features).float(), as_tensor(targets).float()
        with no_grad():
            for epoch in range(1, epochs + 1):
                mistakes = 0
                for x, y in zip(rows, wanted, strict=True):
                    error = (y - self(x)).item()
                    mistakes += error != 0
                    self.weight += error * x
                    self.bias += error
                if not mistakes:
                    return epoch
        return epochs + 1
