"""Shares of the inputs in one answer that sum to it (Shapley, "A value for n-person games", 1953).

What the score is when some players are present is the mean over the background rows that stand for
the absent ones.  ``exact_shapley`` tries all coalitions, ``kernel_shap`` fits a weighted regression
to a sample of them, ``shapley_sampling`` lets the players come in orders drawn at random.  All give
the same values, up to an error that they tell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, OutOfRangeError
from pellucid.insight.explain.coalitions import Coalitions, again_of, coalitions_of
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.players import Groups

Predict = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]

MAX_SHAPLEY_INPUTS = 15
_BLOCK = 1 << 12


def exact_shapley(
    model: Any,
    inputs: Any,
    background: Any = None,
    target: Any = None,
    *,
    baselines: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    extra: Any = (),
    compile: bool = True,
) -> Explanation:
    """The exact Shapley values of up to 15 players: all 2^players coalitions are asked.

    ``inputs`` (rows, …), a tuple or a dictionary of them, ``target`` and ``extra`` are as for
    every method (``Forward``).  What stands for an absent player is either every row of
    ``background`` (backgrounds, …), over which the score is averaged, as in SHAP, or ``baselines``,
    as in Captum: None (0), a number, a row, a row for each row, ``"mean"`` (each row's own mean).
    ``groups`` says which elements belong together (``players.Groups``);
    ``names`` are those of the columns.

    The values are exact for this background; where it has several rows, the standard error tells
    how far they may be off because it is a sample.  Mixing, model and the mean run in one compiled
    program for a block of coalitions.  Raises ``ArgumentError`` for more players.
    (Lundberg and Lee, "A unified approach to interpreting model predictions", 2017.)
    """
    again = again_of(exact_shapley, locals())
    game = coalitions_of(
        model, inputs, target, background=background, baselines=baselines, groups=groups,
        names=names, extra=extra, compile=compile,
    )  # fmt: skip
    count = game.players.count
    if count > MAX_SHAPLEY_INPUTS:
        raise ArgumentError(
            f"exact_shapley got {count} players, and {2**count:,} coalitions would be asked",
            f"Group them to at most {MAX_SHAPLEY_INPUTS}, or use kernel_shap or shapley_sampling.",
        )
    masks = _all_coalitions(count)
    weights = _exact_weights(masks)
    found, bases = [], []
    for row in range(game.rows):
        shares, base = _weighted(game, row, masks, weights)
        found.append(shares)
        bases.append(base)
    return _explained(
        game, "exact_shapley", found, bases, settings={"coalitions": len(masks)}, again=again
    )


def _explained(
    game: Coalitions,
    method: str,
    found: list[Floats],
    bases: list[Floats],
    further: list[Floats] | None = None,
    **facts: Any,
) -> Explanation:
    """Shares of each background (players, backgrounds) as an explanation; ``further`` are variances
    (players,) that come on top."""
    shares = np.stack([one.mean(axis=1) for one in found])
    errors = np.zeros_like(shares)
    if game.backgrounds > 1:
        errors = np.stack([one.var(axis=1, ddof=1) / game.backgrounds for one in found])
    if further is not None:
        errors = errors + np.stack(further)
    return game.explanation(
        method, shares, np.sqrt(errors), base=np.array([one.mean() for one in bases]), **facts
    )


def _all_coalitions(count: int) -> Masks:
    """All sets of players, (2^count, count), the empty one first and the whole one last."""
    codes = np.arange(1 << count)
    return np.asarray((codes[:, None] >> np.arange(count)) & 1 == 1)


def _exact_weights(masks: Masks) -> Floats:
    """Shares = weights · scores: (players, coalitions)."""
    count = masks.shape[1]
    sizes = masks.sum(axis=1)
    of_size = [
        math.factorial(s) * math.factorial(count - s - 1) / math.factorial(count)
        for s in range(count)
    ]
    joined = np.append(of_size, 0.0)  # weight of a coalition that a player joins, by its size
    left = np.append(0.0, of_size)
    return np.asarray(np.where(masks, left[sizes][:, None], -joined[sizes][:, None]).T)


def _weighted(game: Coalitions, row: int, masks: Masks, weights: Floats) -> tuple[Floats, Floats]:
    """weights · scores for each background, (players, backgrounds), and the scores of nobody."""
    total = np.zeros((game.players.count, game.backgrounds))
    base = np.zeros(game.backgrounds)
    block = max(1, min(len(masks), _BLOCK))
    for start in range(0, len(masks), block):
        part = slice(start, start + block)
        scores = game.scores(row, masks[part])
        if start == 0:
            base = scores[0]
        # Not @: a library of matrix products may wait for the threads that ran the model.
        total += np.einsum("pm,mb->pb", weights[:, part], scores)
    return total, base


# ---- orders ------------------------------------------------------------------------------------


def shapley_sampling(
    model: Any,
    inputs: Any,
    background: Any = None,
    target: Any = None,
    *,
    samples: int = 50,
    baselines: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    extra: Any = (),
    seed: int = 0,
    compile: bool = True,
) -> Explanation:
    """Shapley values from orders drawn at random: a player's share is the mean of what the score
    changes by when it comes.

    ``samples`` pairs of an order and the same backwards are drawn for each row, each with one row
    of the background, all of which are used equally often; a pair costs 2·(players + 1) answers.
    The values of a row always sum to its score less the mean score of the background rows that were
    used; the standard error is that of the mean over pairs, so that it covers both the orders and
    the background.  Other arguments as for :func:`exact_shapley`.  (Castro, Gómez and Tejada, 2009;
    Mitchell, Cooper, Frank and Holmes, 2022, for the pairs.)
    """
    if samples < 2:
        raise ArgumentError(f"samples={samples}", "Draw at least 2 orders.")
    again = again_of(shapley_sampling, locals())
    game = coalitions_of(
        model, inputs, target, background=background, baselines=baselines, groups=groups,
        names=names, extra=extra, compile=compile,
    )  # fmt: skip
    random = np.random.default_rng(seed)
    shares, errors, bases = [], [], []
    for row in range(game.rows):
        each, base = _in_orders(game, row, samples, random)
        shares.append(each.mean(axis=0))
        errors.append(each.std(axis=0, ddof=1) / math.sqrt(samples))
        bases.append(base)
    return game.explanation(
        "shapley_sampling", np.stack(shares), np.stack(errors), base=np.array(bases),
        seeds=(seed,), settings={"samples": samples}, again=again,
    )  # fmt: skip


def _in_orders(
    game: Coalitions, row: int, samples: int, random: np.random.Generator
) -> tuple[Floats, float]:
    """What each player changed in each pair of orders, (samples, players), and the mean score of
    nobody."""
    count = game.players.count
    which = np.concatenate(
        [random.permutation(game.backgrounds) for _ in range(-(-samples // game.backgrounds))]
    )[:samples]
    each = np.empty((samples, count))
    bases = np.empty(samples)
    block = max(1, _BLOCK // (2 * (count + 1)))
    for start in range(0, samples, block):
        here = range(start, min(start + block, samples))
        orders = np.stack([random.permutation(count) for _ in here])
        both = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, count)
        place = np.argsort(both, axis=1)
        masks = place[:, None] < np.arange(count + 1)[:, None]  # (orders, steps, players)
        owners = np.repeat(which[here.start : here.stop], 2 * (count + 1))
        scores = game.scores(row, masks.reshape(-1, count), owners)[:, 0]
        steps = scores.reshape(-1, count + 1)
        gains = np.take_along_axis(np.diff(steps, axis=1), place, axis=1)
        each[here.start : here.stop] = gains.reshape(-1, 2, count).mean(axis=1)
        bases[here.start : here.stop] = steps[::2, 0]
    return each, float(bases.mean())


# ---- regression --------------------------------------------------------------------------------


def kernel_shap(
    model: Any,
    inputs: Any,
    background: Any = None,
    target: Any = None,
    *,
    samples: int | None = None,
    baselines: Any = None,
    groups: Groups = None,
    names: Sequence[str] | None = None,
    extra: Any = (),
    seed: int = 0,
    compile: bool = True,
) -> Explanation:
    """Shapley values as the weighted least squares of a sample of coalitions (KernelSHAP).

    Of ``samples`` coalitions (by default 2·players + 2048, all of them if they are no more), whole
    sizes are taken first, the smallest and the largest, and the rest drawn in pairs of a coalition
    and its complement; the values sum exactly to the score less the background's.  The standard
    error is that of the regression (the sandwich estimate over pairs, of those drawn) and of the
    background together; it is exact, and 0 for one baseline, where all coalitions fit in.  Other
    arguments as for :func:`exact_shapley`.  (Lundberg and Lee, 2017; Covert and Lee, "Improving
    KernelSHAP", 2021.)
    """
    again = again_of(kernel_shap, locals())
    game = coalitions_of(
        model, inputs, target, background=background, baselines=baselines, groups=groups,
        names=names, extra=extra, compile=compile,
    )  # fmt: skip
    count = game.players.count
    wanted = 2 * count + 2048 if samples is None else samples
    if wanted < 2 * count:
        raise ArgumentError(
            f"samples={wanted} coalitions for {count} players", f"Ask for at least {2 * count}."
        )
    random = np.random.default_rng(seed)
    found, bases, noises = [], [], []
    for row in range(game.rows):
        masks, weights, drawn = _coalitions(count, wanted, random)
        scores = game.scores(row, np.concatenate([np.zeros((1, count), np.bool_), masks,
                                                  np.ones((1, count), np.bool_)]))  # fmt: skip
        shares, noise = _regression(masks, weights, drawn, scores)
        found.append(shares)
        bases.append(scores[0])
        noises.append(noise)
    return _explained(
        game, "kernel_shap", found, bases, noises, seeds=(seed,), again=again,
        settings={"samples": wanted},
    )  # fmt: skip


def _coalitions(
    count: int, wanted: int, random: np.random.Generator
) -> tuple[Masks, Floats, Masks]:
    """Coalitions (n, players) without the empty and the whole one, their weights, and which of
    them were drawn; a coalition that was drawn is followed by its complement."""
    if count < 2:
        return np.zeros((0, count), np.bool_), np.zeros(0), np.zeros(0, np.bool_)
    halves = range(1, count // 2 + 1)
    mass = {s: (count - 1) / (s * (count - s)) * (1 if 2 * s == count else 2) for s in halves}
    masks, weights, left = [], [], wanted
    sizes = list(halves)
    while sizes:
        size = sizes[0]
        number = math.comb(count, size) * (1 if 2 * size == count else 2)
        if number > left * mass[size] / sum(mass[s] for s in sizes) and number > left:
            break
        whole = _of_size(count, size)
        whole = whole if 2 * size == count else np.concatenate([whole, ~whole])
        masks.append(whole)
        weights.append(np.full(number, mass[size] / number))
        left -= number
        sizes = sizes[1:]
    drawn = [np.zeros(sum(map(len, masks)), np.bool_)]
    pairs = left // 2
    if sizes and pairs:
        shares = np.array([mass[s] for s in sizes])
        chosen = random.choice(sizes, pairs, p=shares / shares.sum())
        keys = random.random((pairs, count)).argsort(axis=1).argsort(axis=1)
        some = keys < chosen[:, None]
        masks.append(np.stack([some, ~some], axis=1).reshape(-1, count))
        weights.append(np.full(2 * pairs, shares.sum() / (2 * pairs)))
        drawn.append(np.ones(2 * pairs, np.bool_))
    return np.concatenate(masks), np.concatenate(weights), np.concatenate(drawn)


def _of_size(count: int, size: int) -> Masks:
    """All coalitions of a size."""
    members = np.array(list(itertools.combinations(range(count), size)))
    found = np.zeros((len(members), count), np.bool_)
    np.put_along_axis(found, members, True, axis=1)
    return found


def _regression(
    masks: Masks, weights: Floats, drawn: Masks, scores: Floats
) -> tuple[Floats, Floats]:
    """The shares for each background (players, backgrounds) that fit best and sum to the whole
    change, and the variance (players,) that comes from drawing."""
    count = masks.shape[1]
    base, whole = scores[0], scores[-1]
    change = whole - base
    if count == 1:
        return change[None], np.zeros(1)
    z = masks[:, :-1].astype(np.float64) - masks[:, -1:]  # the last share is what is left over
    wanted = scores[1:-1] - base - masks[:, -1:] * change
    heavy = z * weights[:, None]
    solve = np.linalg.pinv(np.einsum("np,nq->pq", heavy, z))
    first = solve @ np.einsum("np,nb->pb", heavy, wanted)
    shares = np.concatenate([first, (change - first.sum(axis=0))[None]])
    if not drawn.any():
        return shares, np.zeros(count)
    rest = ((wanted - z @ first).mean(axis=1) * weights)[:, None] * z
    pairs = rest[drawn].reshape(-1, 2, count - 1).sum(axis=1)
    pairs = pairs - pairs.mean(axis=0)
    middle = pairs.T @ pairs * len(pairs) / max(1, len(pairs) - 1)
    spread = solve @ middle @ solve
    last = max(0.0, float(spread.sum()))
    return shares, np.append(np.maximum(np.diagonal(spread), 0.0), last)


# ---- one row -----------------------------------------------------------------------------------


def shapley_values(
    predict: Any,
    row: npt.ArrayLike,
    background: npt.ArrayLike,
    output: int | None = None,
) -> Floats:
    """The exact shares of the inputs in one answer of a function of arrays.

    ``row`` (inputs,), ``background`` (rows, inputs): an input that is "absent" takes the values of
    the background, over which the answer is averaged.  ``predict`` takes an array (n, inputs) and
    gives (n,) or (n, outputs), of which ``output`` is explained.  Returns (inputs,); they sum to
    the answer minus the background's mean answer.  ``exact_shapley`` does the same for networks,
    many rows and inputs of any shape, and tells its error.  Exact, so 2^inputs sets are tried: at
    most 15 inputs.  Raises ``ArgumentError`` for several outputs without a choice,
    ``NonFiniteError`` for answers that are NaN or infinite.  (Shapley, 1953; Lundberg and Lee,
    2017.)
    """
    x, others = np.asarray(row), np.asarray(background)
    count = x.shape[0]
    if count > MAX_SHAPLEY_INPUTS or others.ndim != 2 or others.shape[1] != count:
        raise ArgumentError(
            f"shapley_values got {count} inputs and a background {others.shape}",
            f"Use at most {MAX_SHAPLEY_INPUTS} inputs and background rows of as many.",
        )
    masks = _all_coalitions(count)
    weights = _exact_weights(masks)
    shares = np.zeros(count)
    block = max(1, _BLOCK // len(others))
    for start in range(0, len(masks), block):
        part = masks[start : start + block]
        mixed = np.where(part[:, None], x, others).reshape(-1, count)
        answers = _answers(plain(predict(mixed)), len(mixed), output)
        shares += weights[:, start : start + block] @ answers.reshape(len(part), -1).mean(axis=1)
    return shares


def _answers(answers: npt.NDArray[Any], rows: int, output: int | None) -> Floats:
    """The answer that is explained, (rows,)."""
    table = np.asarray(answers, np.float64).reshape(rows, -1)
    if output is None and table.shape[1] > 1:
        raise ArgumentError(
            f"shapley_values got a predict with {table.shape[1]} outputs",
            "Choose one of them: output=0, for the first class.",
        )
    column = 0 if output is None else output
    if not -table.shape[1] <= column < table.shape[1]:
        raise OutOfRangeError(
            f"shapley_values got output={output} for {table.shape[1]} outputs",
            f"Use 0 to {table.shape[1] - 1}.",
        )
    if not np.isfinite(table[:, column]).all():
        raise NonFiniteError(
            "predict gave NaN or infinity", "Look at the features and the weights of the model."
        )
    return np.asarray(table[:, column])
