"""Scores of a model for many rows, in blocks of one size, so that one native program serves all."""

from __future__ import annotations

import functools
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
from pellucid.training.batches import applied, arrays_of, leaves, mapped

MAX_BLOCK = 1024
_MIN_BLOCK = 64


def one_half(model: Module, loss: object, features: Any) -> float:
    """The output at which the probability of class 1 is one half: 0 for a score, 1/2 for a
    probability, ln 1/2 for its logarithm."""
    rows = None
    if not isinstance(features, tuple | dict):
        rows = features.detach() if isinstance(features, Tensor) else as_tensor(features)
    last = last_layer(model, rows[:1] if rows is not None and len(rows) else None)
    given = last.output_kind if last is not None and last.output_kind else taken_by(loss)
    return {"probabilities": 0.5, "log-probabilities": math.log(0.5)}.get(given, 0.0)


class Scorer:
    """Runs ``model`` in evaluation mode.

    ``scorer(features)``: array or tensor (rows, …), or several in a tuple or dictionary as the
    model takes them → float array (rows, outputs).  Rows are processed in blocks of ``block``, or
    of a size that suits the first call; the last one is filled up with copies of its first row,
    which changes nothing for the others because rows do not see each other in evaluation mode.
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
        rows = arrays_of(features)
        with evaluation(self.model), no_grad():
            return self._scores(rows)

    def _scores(self, rows: Any) -> npt.NDArray[Any]:
        count = len(next(leaves(rows)))
        if not self.compile or not count:
            return np.array(applied(self.model, mapped(rows, as_tensor)).detach().numpy())
        self._block = self._block or block_for(count)
        size = self._block
        results = []
        for start in range(0, count, size):
            here = min(size, count - start)
            scores = self._run(mapped(rows, functools.partial(_block, start=start, size=size)))
            results.append(np.array(scores.detach().numpy()[:here]))
        return results[0] if len(results) == 1 else np.concatenate(results)

    def _run(self, block: Any) -> Any:
        if self._program is None:
            model = self.model
            self._program = compile_function(lambda x: applied(model, x))
        return self._program(block)


def block_for(count: int) -> int:
    """The size of blocks that suits so many rows."""
    return min(MAX_BLOCK, max(_MIN_BLOCK, 1 << max(0, count - 1).bit_length()))


def _block(array: npt.NDArray[Any], start: int, size: int) -> Tensor:
    """``size`` rows from ``start`` on; those that are missing are copies of the first of them."""
    block = array[start : start + size]
    if len(block) < size:
        block = np.concatenate([block, np.repeat(block[:1], size - len(block), axis=0)])
    return as_tensor(np.ascontiguousarray(block))
