"""Whether a score rests on a concept that people have a word for: concept vectors, TCAV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.slopes import path_average
from pellucid.insight.explain.starts import layer_of
from pellucid.insight.explain.verdicts import Verdict

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

LEVEL = 0.05
"""Level of the test, divided by the number of scores tested at once (Bonferroni)."""


def _activations(model: Model, layer: Any, inputs: Inputs, extra: Any) -> tuple[Floats, Floats]:
    """What the layer makes of each row, in one line, and the slopes of the largest score there."""
    forward = Forward(model, inputs, None, extra)
    return _lines(forward, layer)


def _lines(forward: Forward, layer: Any) -> tuple[Floats, Floats]:
    asked = layer_of(forward.module, layer)
    baselines = [np.zeros_like(plain(t)) for t in forward.tensors]
    found = path_average(forward, baselines, np.ones(1), np.ones(1), asked)
    made = found.here[0][0].reshape(forward.rows, -1).astype(np.float64)
    return made, found.slopes[0][0].reshape(forward.rows, -1).astype(np.float64)


def concept_vector(
    model: Model,
    layer: Any,
    concept: Inputs,
    others: Inputs,
    additional_forward_args: Any = (),
    penalty: float = 1.0,
) -> tuple[Floats, float]:
    """The direction in a layer from other inputs to those that show a concept, and how well it
    tells them apart.

    A linear classifier (ridge regression to ±1) on what the layer makes of both.  Its ``penalty``
    is in units of the mean squared length of the activations: the larger, the nearer its direction
    is to the difference of the means.  Returns the weights as a unit vector over the layer's
    elements in one line, and the accuracy on rows that it did not see: the mean over two halves,
    each tested on the other.  (Kim and others, 2018.)
    """
    first, _ = _activations(model, layer, concept, additional_forward_args)
    second, _ = _activations(model, layer, others, additional_forward_args)
    return _direction(first, second, penalty)


def _direction(first: Floats, second: Floats, penalty: float) -> tuple[Floats, float]:
    if first.shape[1] != second.shape[1] or min(len(first), len(second)) < 4:
        raise ShapeError(
            f"a concept of {first.shape} against {second.shape} activations",
            "give at least 4 rows of each, of the same size",
        )
    weights, _ = _separated(first, second, penalty)
    right = []
    for part in (0, 1):
        w, b = _separated(first[part::2], second[part::2], penalty)
        seen = np.r_[first[1 - part :: 2] @ w + b > 0, second[1 - part :: 2] @ w + b < 0]
        right.append(float(seen.mean()))
    size = float(np.linalg.norm(weights))
    return weights / (size or 1.0), float(np.mean(right))


def _separated(first: Floats, second: Floats, penalty: float) -> tuple[Floats, float]:
    """Weights and offset of ridge regression to ±1, in the space of the rows."""
    x = np.concatenate([first, second])
    y = np.r_[np.ones(len(first)), -np.ones(len(second))]
    mean = (first.mean(0) + second.mean(0)) / 2
    centred = x - mean
    gram = centred @ centred.T
    ridge = penalty * max(float(np.trace(gram)) / len(x), 1e-12)
    weights = centred.T @ np.linalg.solve(gram + ridge * np.eye(len(x)), y)
    return weights, float(-mean @ weights)


@dataclass
class ConceptTest:
    """What came out of :func:`tcav`.

    ``score`` is the share of rows whose score would rise if the layer showed more of the concept,
    the mean over the random sets, of which ``scores`` has each; ``by_chance`` those of random sets
    in the concept's place; ``p`` the probability of such a difference by chance (Welch's test,
    two-sided); ``accuracy`` how well the layer tells the concept from random rows.
    """

    score: float
    scores: Floats
    by_chance: Floats
    p: float
    accuracy: float
    comparisons: int = 1
    """How many concepts are tested at once; whoever tests several sets it."""

    def verdict(self) -> Verdict:
        """Whether the concept's score means anything: a plain sentence."""
        level = LEVEL / self.comparisons
        told = f"its score is {self.score:.2f} against {self.by_chance.mean():.2f} by chance"
        if self.accuracy < 0.65:
            return Verdict(
                False, [f"the layer does not tell the concept apart ({self.accuracy:.0%} right)"]
            )
        if self.p > level:
            return Verdict(False, [f"{told}, which chance does as well (p = {self.p:.2g})"])
        return Verdict(True, [f"{told} (p = {self.p:.2g})"])


def tcav(
    model: Model,
    layer: Any,
    inputs: Inputs,
    concept: Inputs,
    random_sets: Sequence[Inputs],
    target: Any = None,
    additional_forward_args: Any = (),
    penalty: float = 1.0,
) -> ConceptTest:
    """Whether a score rests on a concept: testing with concept activation vectors.

    Args:
        layer: a module of the model, or its path, whose space the concept is looked for in.
        inputs: rows of the class that is asked about, and ``target`` their score.
        concept: rows that show the concept.
        random_sets: at least 4 sets of random rows. Each stands against the concept in turn, and,
            for comparison, against the next set in the concept's place.

    The derivative of each row's score along the concept's direction is positive or not; the score
    is the share of positive ones.  (Kim, Wattenberg, Gilmer, Cai, Wexler, Viegas and Sayres, 2018.)
    """
    if len(random_sets) < 4:
        raise ArgumentError(
            f"tcav got {len(random_sets)} sets of random rows", "give at least 4, better 10 or more"
        )
    forward = Forward(model, inputs, target, additional_forward_args)
    _, slopes = _lines(forward, layer)
    shown, _ = _activations(model, layer, concept, additional_forward_args)
    drawn = [_activations(model, layer, r, additional_forward_args)[0] for r in random_sets]
    scores, rights, chance = [], [], []
    for place, rows in enumerate(drawn):
        direction, right = _direction(shown, rows, penalty)
        scores.append(_share(slopes, direction))
        rights.append(right)
        other = drawn[(place + 1) % len(drawn)]
        chance.append(_share(slopes, _direction(other, rows, penalty)[0]))
    return ConceptTest(
        float(np.mean(scores)),
        np.array(scores),
        np.array(chance),
        welch(np.array(scores), np.array(chance)),
        float(np.mean(rights)),
    )


def _share(slopes: Floats, direction: Floats) -> float:
    return float((slopes @ direction > 0).mean())


def welch(a: Floats, b: Floats) -> float:
    """Two-sided p of Welch's t-test that two samples have the same mean."""
    spread = a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)
    if spread == 0:
        return 1.0 if a.mean() == b.mean() else 0.0
    t = float((a.mean() - b.mean()) / np.sqrt(spread))
    parts = (
        (a.var(ddof=1) / len(a)) ** 2 / (len(a) - 1),
        (b.var(ddof=1) / len(b)) ** 2 / (len(b) - 1),
    )
    freedom = float(spread**2 / sum(parts))
    return two_sided(t, freedom)


def two_sided(t: float, freedom: float) -> float:
    """P(|T| > |t|) of Student's distribution, by its density summed up (Simpson's rule)."""
    if not math.isfinite(t):
        return 0.0
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    # With t = tan(u) √ν the density is a power of a cosine on a finite stretch.
    end = math.atan(abs(t) / math.sqrt(freedom))
    u = np.linspace(0, end, 2001)
    density = np.cos(u) ** (freedom - 1) * math.exp(log_scale) / math.sqrt(math.pi)
    weights = np.ones(2001)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float(max(0.0, 1 - 2 * (density * weights).sum() * end / 6000))
