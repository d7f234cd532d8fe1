"""What would change a score: its gradient to the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model
from pellucid.tensor.autograd import enable_grad, grad


def saliency(
    model: Model, inputs: Inputs, target: Any = None, *, output: Any = None
) -> Explanation:
    """∂ score / ∂ input for each row: how much a small change of each input changes the score.

    ``inputs`` (rows, …) float, a tuple or a dictionary of them; ``target`` is the position of the
    score (with several axes a tuple of positions), one for all rows or a sequence with one for
    each row, a function, or None for the largest score of each row (``output`` is its older name).
    Returns the gradients, with
    the shapes of the inputs, in evaluation mode.  Raises ``OutOfRangeError`` and ``ShapeError``
    for positions that do not fit.  (Simonyan, Vedaldi and Zisserman, 2013; they draw the absolute
    values.)
    """
    forward = Forward(model, inputs, target if output is None else output)
    with forward.looking(), enable_grad():
        leaves = [t.clone().requires_grad_() for t in forward.tensors]
        found = grad(forward.score(leaves).sum(), leaves)
    values = tuple(np.array(g.detach().numpy()) for g in found)
    return forward.explanation("saliency", values, kind="slope")
