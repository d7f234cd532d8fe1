"""Tests of explanations against the model: do the values say what the model does?

================= ===============================================================================
``rows``          whether a row's score depends on the other rows, which no explanation of single
                  rows can say.
``faithfulness``  groups of inputs drawn at random are set to the baseline, and the fall of the
                  score is compared with the sum of their values (Bhatt, Weller and Moura, 2020);
                  for slopes the inputs are moved a little instead.  The correlation must be higher
                  than that of the same values in another order.
``deletion``      inputs are set to the baseline, those with the largest values first, and the score
                  must fall faster than in orders drawn at random (Petsiuk, Das and Saenko, 2018).
``insertion``     the same the other way round: inputs are put into the baseline.
``infidelity``    the mean squared difference between what the values say of groups that are taken
                  away and what happens, as a share of what happens (Yeh and others, 2019).
``sensitivity``   how much the values change when the inputs are moved a little (Yeh and others,
                  2019).
``randomization`` how alike the values are for the same model with random weights; what does not
                  depend on the weights explains nothing (Adebayo and others, 2018).
``seeds``         how alike the values are with other random numbers.
``baselines``     how alike they are against other baselines.
``agreement``     how alike they are to explanations by other methods (``others=[…]``).
================= ===============================================================================

The first three need nothing but answers of the model, and are what :meth:`Explanation.verdict`
asks for by itself; ``check("all")`` makes all that apply.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.insight.explain.verdicts import Check, Explained, rank_correlation
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

LEAST_CORRELATION = 0.6
"""Below this the values do not say what the model does, even where they are better than chance."""
ORDERS = 40
"""Orders drawn at random that an explanation's is held against."""
LEAST_ALIKE, LEAST_ALIKE_BASELINES = 0.8, 0.4
"""Rank correlations from which on explanations count as the same, and as similar."""
MOST_ALIKE = 0.6
"""Rank correlation up to which the explanation of a random model counts as another."""
MOST_SENSITIVE = 0.5
MOST_GROUPS = 49
MOST_ROWS = 8
"""So many rows are tested, spread over all; the others are taken to be alike."""


class Groups:
    """The elements of the inputs in at most 49 groups: single ones, stretches, or squares.

    ``sums`` float64 (rows, groups) is what the explanation says of each; ``rows`` which of the
    explained rows are tested.  None from :meth:`of` where the values belong to no elements of the
    inputs, as those of a layer inside.
    """

    def __init__(
        self,
        forward: Any,
        rows: npt.NDArray[np.int64],
        inputs: Sequence[Array],
        baselines: Sequence[Array],
        labels: Sequence[npt.NDArray[np.int64]],
        values: Sequence[Floats],
    ) -> None:
        self.forward, self.rows = forward, rows
        self.inputs, self.baselines, self.labels, self.values = inputs, baselines, labels, values
        self.count = 1 + max(int(part.max()) for part in labels)
        self.sums = np.zeros((len(rows), self.count))
        for part, found in zip(labels, values, strict=True):
            for row in range(len(rows)):
                self.sums[row] += np.bincount(part.ravel(), found[row].ravel(), self.count)

    @staticmethod
    def of(explanation: Explained) -> Groups | None:
        """The groups of an explanation's inputs."""
        forward, inputs = explanation.forward, explanation.inputs
        if forward is None or inputs is None or len(inputs) != len(explanation.values):
            return None
        rows = np.unique(np.linspace(0, len(inputs[0]) - 1, MOST_ROWS).astype(np.int64))
        values, labels, start = [], [], 0
        own = _labels_of_players(explanation)
        for place, (x, found) in enumerate(zip(inputs, explanation.values, strict=True)):
            spread = spread_over(found, x.shape)
            if spread is None:
                return None
            values.append(np.asarray(spread[rows], np.float64))
            if own is not None:
                labels.append(own[place])
                continue
            labels.append(start + _labels(x.shape[1:], max(1, MOST_GROUPS // len(inputs))))
            start = 1 + int(labels[-1].max())
        baselines = [b[rows] for b in _baselines(explanation)]
        return Groups(forward, rows, [x[rows] for x in inputs], baselines, labels, values)

    def scores(self, masks: npt.NDArray[np.bool_]) -> Floats:
        """Scores with the masked groups at the baseline: (rows, masks) of (rows, masks, groups)."""
        copies = masks.shape[1]
        given = []
        for x, baseline, part in zip(self.inputs, self.baselines, self.labels, strict=True):
            hidden = masks[:, :, part.ravel()].reshape(len(x), copies, *x.shape[1:])
            mixed = np.where(hidden, baseline[:, None], x[:, None]).astype(x.dtype)
            given.append(mixed.reshape(len(x) * copies, *x.shape[1:]))
        return self._asked(given, copies)

    def moved(self, steps: Sequence[Floats]) -> Floats:
        """Scores with each input moved: (rows, copies) of steps (rows, copies, …)."""
        copies = steps[0].shape[1]
        given = [
            (x[:, None] + step).astype(x.dtype).reshape(len(x) * copies, *x.shape[1:])
            for x, step in zip(self.inputs, steps, strict=True)
        ]
        return self._asked(given, copies)

    def _asked(self, given: Sequence[Array], copies: int) -> Floats:
        found = self.forward.of_rows(self.rows)(*given, copies=copies)
        return np.asarray(found.reshape(-1, copies))


def spread_over(values: Array, shape: tuple[int, ...]) -> Array | None:
    """Values in the shape of the inputs: maps (rows, h, w) stretched over pictures (rows, c, H, W),
    divided among what they cover; None where neither fits."""
    if values.shape == shape:
        return values
    if len(shape) == 4 and values.ndim == 3 and len(values) == shape[0]:
        lines = np.arange(shape[2]) * values.shape[1] // shape[2]
        columns = np.arange(shape[3]) * values.shape[2] // shape[3]
        stretched = values[:, lines][:, :, columns]
        share = values.shape[1] * values.shape[2] / (shape[1] * shape[2] * shape[3])
        return np.broadcast_to((stretched * share)[:, None], shape)
    if values.ndim > len(shape) and values.shape[: len(shape)] == shape:
        return np.asarray(values.reshape(*shape, -1).sum(-1))
    if values.ndim < len(shape) and values.shape == shape[: values.ndim]:
        return np.broadcast_to(values.reshape(*values.shape, *(1,) * (len(shape) - values.ndim)),
                               shape) / np.prod(shape[values.ndim :])  # fmt: skip
    return None


def _labels_of_players(explanation: Explained) -> list[npt.NDArray[np.int64]] | None:
    """The groups that an explanation is made of itself, if all rows have the same few."""
    players = getattr(explanation, "players", None)
    if players is None or players.count > MOST_GROUPS:
        return None
    parts = [part[0] for part in players.labels if (part == part[:1]).all()]
    return parts if len(parts) == len(players.labels) else None


def _labels(shape: tuple[int, ...], most: int) -> npt.NDArray[np.int64]:
    """The group of each element of one row's input: int64 of its shape."""
    size = int(np.prod(shape, dtype=int))
    if size <= most:
        return np.arange(size).reshape(shape)
    if len(shape) == 3 or (len(shape) == 2 and min(shape) > 7):
        side = max(1, int(np.sqrt(most)))
        lines = np.arange(shape[-2]) * min(side, shape[-2]) // shape[-2]
        columns = np.arange(shape[-1]) * min(side, shape[-1]) // shape[-1]
        square = lines[:, None] * min(side, shape[-1]) + columns
        return np.ascontiguousarray(np.broadcast_to(square, shape))
    if len(shape) == 2 and shape[0] <= most:  # positions of a sequence
        return np.ascontiguousarray(np.broadcast_to(np.arange(shape[0])[:, None], shape))
    return (np.arange(size) * most // size).reshape(shape)


def _baselines(explanation: Explained) -> list[Array]:
    """What stands for absent inputs: the explanation's baseline, the first of several; else 0."""
    given, inputs = explanation.baseline, explanation.inputs or ()
    if isinstance(given, tuple) and given and isinstance(given[0], tuple):  # several
        given = given[0]
    if isinstance(given, tuple) and len(given) == len(inputs):
        found = [np.asarray(b) for b in given]
        if all(b.shape == x.shape for b, x in zip(found, inputs, strict=True)):
            return found
    return [np.zeros_like(x) for x in inputs]


# ---- tests -------------------------------------------------------------------------------------


def faithfulness(explanation: Explained, seed: int = 0, samples: int = 100) -> Check | None:
    """Whether the values say how the score changes: see the module's text; None where they belong
    to no elements of the inputs."""
    groups = Groups.of(explanation)
    if groups is None or explanation.kind == "map":
        return None
    random = np.random.default_rng(seed)
    if explanation.kind == "slope":
        if not all(np.issubdtype(x.dtype, np.floating) for x in groups.inputs):
            return None
        told, seen = _of_small_steps(groups, random, samples)
    else:
        masks = random.random((len(groups.rows), samples, groups.count)) < 0.5
        seen = groups.forward.output[groups.rows][:, None] - groups.scores(masks)
        told = (masks * groups.sums[:, None]).sum(2)
        shuffled = [_shuffled(groups.sums, random) for _ in range(ORDERS)]
        chance = [_agreement((masks * s[:, None]).sum(2), seen) for s in shuffled]
        return _judged(_agreement(told, seen), chance, explanation)
    chance = [_agreement(random.permuted(told, axis=1), seen) for _ in range(ORDERS)]
    return _judged(_agreement(told, seen), chance, explanation)


def _judged(found: float, chance: Sequence[float], explanation: Explained) -> Check:
    limit = LEAST_CORRELATION
    if not _are_few(explanation):
        limit = max(limit, float(np.quantile(chance, 0.95)))
    passed = found > limit
    how = "moved a little" if explanation.kind == "slope" else "taken away"
    text = (
        f"its values {'predict' if passed else 'do not predict'} how the score changes when inputs "
        f"are {how} (correlation {found:.2f}, {limit:.2f} needed)"
    )
    return Check("faithfulness", passed, found, limit, text, faithful=True)


def _are_few(explanation: Explained) -> bool:
    """Whether there are so few values that another order of them is often as good by chance."""
    if explanation.inputs is None:
        return False
    players = getattr(explanation, "players", None)
    count = sum(int(np.prod(x.shape[1:], dtype=int)) for x in explanation.inputs)
    return (players.count if players is not None else count) < 4


def _of_small_steps(
    groups: Groups, random: np.random.Generator, samples: int
) -> tuple[Floats, Floats]:
    """Changes of the score told by slopes, and seen, for small steps in random directions."""
    steps = []
    for x in groups.inputs:
        size = float(x.std()) or float(np.abs(x).max()) or 1.0
        steps.append(random.normal(0, 0.01 * size, (len(x), samples, *x.shape[1:])))
    told = np.sum(
        [
            (step * v[:, None]).reshape(len(v), samples, -1).sum(2)
            for step, v in zip(steps, groups.values, strict=True)
        ],
        axis=0,
    )
    seen = groups.moved(steps) - groups.forward.output[groups.rows][:, None]
    return told, seen


def _shuffled(sums: Floats, random: np.random.Generator) -> Floats:
    return random.permuted(sums, axis=1)


def _agreement(told: Floats, seen: Floats) -> float:
    """The mean over rows of the correlation along the second axis; 0 where a row is constant."""
    a = told - told.mean(1, keepdims=True)
    b = seen - seen.mean(1, keepdims=True)
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(((a * b).sum(1) / np.where(size > 0, size, 1)).mean())


def curves(explanation: Explained, seed: int = 0) -> tuple[Floats, Floats, Floats] | None:
    """Scores while inputs are taken away, strongest first: (rows, groups + 1); while they are put
    in, strongest first; and, of orders drawn at random, while they are taken away:
    (orders, rows, groups + 1).  None where the values belong to no elements of the inputs.
    """
    groups = Groups.of(explanation)
    if groups is None:
        return None
    random = np.random.default_rng(seed)
    strength = np.abs(groups.sums) if explanation.kind == "slope" else groups.sums
    order = np.argsort(-strength, axis=1, kind="stable")
    place = np.argsort(order, axis=1)
    steps = np.arange(groups.count + 1)[None, :, None]
    away = groups.scores(place[:, None] < steps)
    put = groups.scores(place[:, None] >= steps)
    by_chance = []
    for _ in range(ORDERS):
        drawn = random.permuted(place, axis=1)
        by_chance.append(groups.scores(drawn[:, None] < steps))
    return away, put, np.array(by_chance)


def _area(explanation: Explained, seed: int, name: str) -> Check | None:
    if explanation.kind == "slope" or _are_few(explanation):
        return None
    found = curves(explanation, seed)
    if found is None:
        return None
    away, put, chance = found
    if name == "insertion":  # put in by chance is taken away by chance, backwards
        away, chance = -put, -chance[:, :, ::-1]
    ends = np.abs(away[:, :1] - away[:, -1:])
    scale = np.where(ends > 0, ends, 1)
    area = float((away / scale).mean())
    limit = float(np.quantile((chance / scale).mean((1, 2)), 0.05))
    passed = area < limit
    how, when = ("rises", "put in") if name == "insertion" else ("falls", "taken away")
    than = "faster than" if passed else "no faster than"
    text = f"the score {how} {than} by chance when inputs are {when} in the order of its values"
    return Check(name, passed, area, limit, text, faithful=True)


def deletion(explanation: Explained, seed: int = 0) -> Check | None:
    """Whether the score falls faster than by chance when inputs are taken away, strongest first.

    The measure is the mean score on the way, over all rows; it must be below that of 95 % of the
    orders drawn at random.
    """
    return _area(explanation, seed, "deletion")


def insertion(explanation: Explained, seed: int = 0) -> Check | None:
    """Whether the score rises faster than by chance when inputs are put in, strongest first."""
    return _area(explanation, seed, "insertion")


def rows_apart(explanation: Explained, seed: int = 0) -> Check | None:
    """Whether a row's score is its own: the first row alone must have the score it has among the
    others.  None of a single row, or where it is so."""
    forward = explanation.forward
    if forward.rows < 2:
        return None
    alone = forward.of_rows(np.array([0]))
    found = float(alone(*alone.tensors)[0])
    away = abs(found - forward.output[0]) / max(abs(forward.output[0]), 1e-3)
    if away <= 1e-2:
        return None
    text = f"a row's score depends on the other rows ({found:.4g} alone, {forward.output[0]:.4g})"
    return Check("rows", False, away, 1e-2, text)


def infidelity(explanation: Explained, seed: int = 0, samples: int = 100) -> Check | None:
    """``E (Σ_S values − (score − score without S))² / E (score − score without S)²`` over random
    groups S: 0 where the values say exactly what happens, 1 where they are no better than 0."""
    groups = Groups.of(explanation)
    if groups is None or explanation.kind != "contribution":
        return None
    random = np.random.default_rng(seed)
    masks = random.random((len(groups.rows), samples, groups.count)) < 0.5
    seen = groups.forward.output[groups.rows][:, None] - groups.scores(masks)
    told = (masks * groups.sums[:, None]).sum(2)
    size = float((seen**2).mean())
    if not size:
        return None
    value = float(((told - seen) ** 2).mean()) / size
    text = f"its values miss {value:.0%} of what happens when inputs are taken away (squared)"
    return Check("infidelity", value < 0.5, value, 0.5, text, faithful=True)


def alike(a: Explained, b: Explained) -> float:
    """How alike two explanations of the same inputs are: the mean over rows of the rank
    correlation of their values, of maps and slopes of the values' sizes."""
    found = []
    for row in range(len(a.values[0])):
        x, y = (np.concatenate([v[row].ravel() for v in e.values]) for e in (a, b))
        if x.size != y.size:
            raise ShapeError(
                f"explanations of {x.size} and {y.size} values a row", "compare those of one kind"
            )
        signed = a.kind == b.kind == "contribution"
        found.append(rank_correlation(x, y) if signed else rank_correlation(np.abs(x), np.abs(y)))
    return float(np.mean(found))


def agreement(*explanations: Explained) -> Floats:
    """How alike explanations are, each with each: rank correlations, (n, n)."""
    count = len(explanations)
    found = np.eye(count)
    for i in range(count):
        for j in range(i):
            found[i, j] = found[j, i] = alike(explanations[i], explanations[j])
    return found


def randomization(explanation: Explained, seed: int = 0, repeats: int = 3) -> Check | None:
    """Whether other weights give another explanation: each parameter's numbers are shuffled; the
    mean over so many models."""
    module = explanation.forward.module
    if module is None or explanation.again is None:
        return None
    random = np.random.default_rng(seed)
    target = explanation.forward.repeated_target(1)
    found = []
    for _ in range(repeats):
        other = copy.deepcopy(module)
        with no_grad():
            for parameter in other.parameters():
                flat = random.permutation(np.array(parameter.detach().numpy()).ravel())
                parameter.copy_(as_tensor(flat.reshape(tuple(parameter.shape))))
        changed = explanation.again(model=other, target=target, **_others(explanation))
        found.append(alike(explanation, changed))
    value = float(np.mean(found))
    passed = value < MOST_ALIKE
    text = (
        f"models with random weights have {'another' if passed else 'nearly the same'} explanation "
        f"(rank correlation {value:.2f})"
    )
    return Check("randomization", passed, value, MOST_ALIKE, text)


def _others(explanation: Explained) -> dict[str, Any]:
    """The older name of the target is given up where it was used."""
    return {"output": None} if "output" in explanation.varies else {}


def seeds(explanation: Explained, seed: int = 0, repeats: int = 3) -> Check | None:
    """Whether other random numbers give the same explanation: the least rank correlation."""
    if explanation.again is None or "seed" not in explanation.varies or not explanation.seeds:
        return None
    if explanation.standard_error is None:
        return None
    found = [explanation.again(seed=seed + 1 + k) for k in range(repeats)]
    value = min(alike(explanation, other) for other in found)
    passed = value >= LEAST_ALIKE
    text = (
        f"other random numbers give {'the same' if passed else 'another'} order of its values "
        f"(rank correlation {value:.2f})"
    )
    return Check("seeds", passed, value, LEAST_ALIKE, text)


def against_baselines(
    explanation: Explained, seed: int = 0, others: Sequence[Any] = ("mean", "permuted")
) -> Check | None:
    """Whether other baselines give a similar explanation: the least rank correlation."""
    if explanation.again is None or "baselines" not in explanation.varies:
        return None
    inputs = explanation.inputs or ()
    if len(inputs[0]) < 2 or not all(np.issubdtype(x.dtype, np.floating) for x in inputs):
        return None
    found = [explanation.again(baselines=other) for other in others]
    value = min(alike(explanation, other) for other in found)
    passed = value >= LEAST_ALIKE_BASELINES
    text = (
        f"against other baselines its values are {'similar' if passed else 'others'} "
        f"(rank correlation {value:.2f})"
    )
    return Check("baselines", passed, value, LEAST_ALIKE_BASELINES, text)


def agrees(explanation: Explained, seed: int = 0, others: Sequence[Explained] = ()) -> Check | None:
    """Whether explanations by other methods are similar: the mean rank correlation."""
    if not others:
        return None
    value = float(np.mean([alike(explanation, other) for other in others]))
    passed = value >= LEAST_ALIKE_BASELINES
    text = (
        f"other methods {'agree' if passed else 'disagree'} with it (rank correlation {value:.2f})"
    )
    return Check("agreement", passed, value, LEAST_ALIKE_BASELINES, text)


def sensitivity(
    explanation: Explained, seed: int = 0, radius: float = 0.02, samples: int = 5
) -> Check | None:
    """``max ‖values(x + δ) − values(x)‖ / ‖values(x)‖`` over δ of at most ``radius`` times the
    inputs' standard deviation, the largest of all rows."""
    inputs = explanation.inputs or ()
    if explanation.again is None or not inputs:
        return None
    if not all(np.issubdtype(x.dtype, np.floating) for x in inputs):
        return None
    random = np.random.default_rng(seed)
    forward = explanation.forward
    target = forward.repeated_target(1)
    worst = 0.0
    for _ in range(samples):
        moved = [
            x + (radius * (float(x.std()) or 1.0) * random.uniform(-1, 1, x.shape)).astype(x.dtype)
            for x in inputs
        ]
        changes: dict[str, Any] = {"target": target, **_others(explanation)}
        key = "images" if "images" in explanation.varies else "inputs"
        other = explanation.again(**{key: forward.rebuilt(moved)}, **changes)
        for row in range(forward.rows):
            x, y = (
                np.concatenate([v[row].ravel() for v in e.values]) for e in (explanation, other)
            )
            size = float(np.linalg.norm(x))
            worst = max(worst, float(np.linalg.norm(y - x)) / size if size else 0.0)
    passed = worst < MOST_SENSITIVE
    text = f"moving the inputs by {radius:.0%} of their spread changes its values by {worst:.0%}"
    return Check("sensitivity", passed, worst, MOST_SENSITIVE, text)


TESTS: dict[str, Callable[..., Check | None]] = {
    "rows": rows_apart,
    "faithfulness": faithfulness,
    "deletion": deletion,
    "insertion": insertion,
    "infidelity": infidelity,
    "sensitivity": sensitivity,
    "randomization": randomization,
    "seeds": seeds,
    "baselines": against_baselines,
    "agreement": agrees,
}
"""Name → test; each returns None where it says nothing about this explanation."""
DEFAULT = ("rows", "faithfulness", "deletion")


def check(
    explanation: Explained, names: Sequence[str] = (), seed: int = 0, **settings: Any
) -> None:
    """Enter the results of the named tests, by default of those that need the model's answers
    alone, into ``explanation.checks``; ``"all"`` stands for all."""
    if explanation.forward is None:
        raise ArgumentError(
            "this explanation does not know its model", "check it where it was made"
        )
    chosen = tuple(TESTS) if "all" in names else tuple(names) or DEFAULT
    for name in chosen:
        if name not in TESTS:
            raise ArgumentError(f"there is no test {name!r}", f"use one of {', '.join(TESTS)}")
        taken = inspect.signature(TESTS[name]).parameters
        found = TESTS[name](
            explanation, seed=seed, **{k: v for k, v in settings.items() if k in taken}
        )
        if found is not None:
            explanation.checks[name] = found
