"""Scores of a model for many rows, in blocks of one size, so that one native program serves all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.nn.ends import last_layer, taken_by
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

MAX_BLOCK = 1024
_MIN_BLOCK = 64


def one_half(model: Module, loss: object, features: Any) -> float:
    """The output at which the probability of class 1 is one half: 0 for a score, 1/2 for a
    probability, ln 1/2 for its logarithm."""
    rows = features.detach() if isinstance(features, Tensor) else as_tensor(np.asarray(features))
    last = last_layer(model, rows[:1] if len(rows) else None)
    given = last.output_kind if last is not None and last.output_kind else taken_by(loss)
    return {"probabilities": 0.5, "log-probabilities": math.log(0.5)}.get(given, 0.0)


class Scorer:
    """Runs ``model`` in evaluation mode.

    ``scorer(features)``: array or tensor (rows, …) → float array (rows, outputs).  Rows are
    processed in blocks of ``block``, or of a size that suits the first call; the last one is filled
    up with copies of its first row, which changes nothing for the others because rows do not see
    each other in evaluation mode.
    """

    def __init__(self, model: Any, *, compile: bool = True, block: int = 0) -> None:
        self.model = model
        self.compile = compile
        self._program: Any = None
        self._block = block

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_program": None}  # copies and pickles compile anew

    def __call__(self, features: Any) -> npt.NDArray[Any]:
        """The scores of all rows; the mode of every layer is as before afterwards."""
        rows = np.asarray(features.detach().numpy() if hasattr(features, "detach") else features)
        with evaluation(self.model), no_grad():
            return self._scores(rows)

    def _scores(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.compile or not len(rows):
            return np.array(self.model(as_tensor(rows)).detach().numpy())
        if not self._block:
            wanted = 1 << max(0, len(rows) - 1).bit_length()
            self._block = min(MAX_BLOCK, max(_MIN_BLOCK, wanted))
        size = self._block
        results = []
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            count = len(block)
            if count < size:
                block = np.concatenate([block, np.repeat(block[:1], size - count, axis=0)])
            scores = self._run(as_tensor(np.ascontiguousarray(block)))
            results.append(np.array(scores.detach().numpy()[:count]))
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _run(self, block: Any) -> Any:
        if self._program is None:
            model = self.model
            self._program = compile_function(lambda x: model(x))
        return self._program(block)
