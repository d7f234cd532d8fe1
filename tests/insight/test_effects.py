"""Effects of columns and what a model's quality rests on, held against their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, NamingError, NonFiniteError, ShapeError
from pellucid.insight.effects.columns import ArrayColumns, columns_of
from pellucid.insight.effects.levels import levels_by_likeness
from pellucid.insight.effects.subject import subject_of
from pellucid.insight.effects.uncertainty import Interval, t_quantile
from pellucid.insight.explain import (
    accumulated_local_effects,
    individual_conditional_expectation,
    interaction,
    partial_dependence,
    permutation_importance,
)


def product(x: Any) -> Any:
    return x[:, 0] * x[:, 1] + 3 * x[:, 2]


def test_partial_dependence_is_the_mean_with_the_column_set(rng: np.random.Generator) -> None:
    x = rng.normal(size=(40, 3))
    effect = partial_dependence(product, x, 2, grid_resolution=7)
    grid = effect.grid[0]
    wanted = np.array([product(np.c_[x[:, :2], np.full(40, v)]) for v in grid]).T  # (rows, points)
    assert effect.individual is not None
    assert_close(effect.individual[0], wanted, 1e-12)
    assert_close(effect.average[0], wanted.mean(axis=0), 1e-12)
    error = t_quantile(0.95, 39) * wanted.std(axis=0, ddof=1) / np.sqrt(40)
    assert_close(effect.interval.high[0] - effect.average[0], error, 1e-9)
    assert effect.verdict.trusted
    pair = partial_dependence(product, x, (0, 2), grid_resolution=3)
    first, second = pair.grid
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            mean = product(np.c_[np.full(40, a), x[:, 1], np.full(40, b)]).mean()
            assert pair.average[0, i, j] == pytest.approx(mean)


def test_rows_that_differ_are_not_hidden_by_their_mean(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 3))
    effect = partial_dependence(product, x, 0, grid_resolution=10)
    assert not effect.verdict.trusted and "rows differ" in effect.verdict
    centred = individual_conditional_expectation(product, x, 0, grid_resolution=10)
    assert centred.individual is not None
    slopes = centred.individual[0][:, -1] / (centred.grid[0][-1] - centred.grid[0][0])
    assert_close(slopes, x[:, 1], 1e-9, 1e-12)


def test_values_that_never_occur_together_are_named_and_left_out(rng: np.random.Generator) -> None:
    """Two columns that are nearly one: f = x0 where they agree, and nonsense elsewhere."""
    a = rng.uniform(-1, 1, 500)
    x = np.stack([a, a + 0.01 * rng.normal(size=500)], 1)

    def model(rows: Any) -> Any:
        return rows[:, 0] + 100 * (np.abs(rows[:, 0] - rows[:, 1]) > 0.2)

    partial = partial_dependence(model, x, 0)
    assert "x0 goes with x1" in partial.verdict and partial.average.min() > 50
    local = accumulated_local_effects(model, x, 0, bins=20)
    line = local.grid[0] - local.grid[0].mean()
    assert np.abs(local.average[0] - local.average[0].mean() - line).max() < 0.05


def test_accumulated_local_effects_of_a_sum_are_its_parts(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 3))
    effect = accumulated_local_effects(product, x, 2, bins=10)
    edges = effect.grid[0]
    assert_close(np.diff(effect.average[0]), 3 * np.diff(edges), 1e-9)
    steps = np.clip(np.searchsorted(edges, x[:, 2], "left") - 1, 0, len(edges) - 2)
    middle = (effect.average[0][:-1] + effect.average[0][1:]) / 2
    assert abs(middle[steps].mean()) < 1e-12  # the mean over the rows is 0


def test_the_interval_of_local_effects_holds_the_truth(rng: np.random.Generator) -> None:
    """x0 · x1 with E x1 = 0.5 has the effect 0.5 · x0: inside of nearly all 95 % intervals."""
    inside = []
    for _ in range(40):
        x = np.stack([rng.uniform(-1, 1, 120), 0.5 + rng.normal(size=120)], 1)
        effect = accumulated_local_effects(lambda r: r[:, 0] * r[:, 1], x, 0, bins=4)
        grid = effect.grid[0]
        ends = effect.average[0][-1] - effect.average[0][0]
        wanted = 0.5 * (grid[-1] - grid[0])
        width = effect.interval.radius[0]
        inside.append(abs(ends - wanted) <= width[0] + width[-1])
    assert np.mean(inside) >= 0.85


def test_categories_stay_categories(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "size": np.repeat(["small", "middle", "large"], 40),
            "weight": np.repeat([1.0, 2.0, 3.0], 40) + 0.1 * rng.normal(size=120),
            "n": rng.integers(0, 5, 120),
        }
    )
    value = {"small": 0.0, "middle": 5.0, "large": 6.0}

    def model(rows: Any) -> Any:
        return np.array([value[v] for v in rows["size"]]) + rows["n"].to_numpy()

    partial = partial_dependence(model, frame, "size")
    assert partial.grid[0].tolist() == ["large", "middle", "small"]
    mean = frame["n"].mean()
    assert_close(partial.average[0], np.array([6, 5, 0]) + mean, 1e-12)
    local = accumulated_local_effects(model, frame, "size")
    order = local.grid[0].tolist()
    assert order in (["small", "middle", "large"], ["large", "middle", "small"])  # by weight
    steps = dict(zip(order, local.average[0], strict=True))
    assert steps["middle"] - steps["small"] == pytest.approx(5)
    assert steps["large"] - steps["middle"] == pytest.approx(1)
    assert_close(local.average[0].mean(), 0.0, atol=1e-12)
    subject = subject_of(model)
    assert list(levels_by_likeness(columns_of(subject, frame), "size")) == order


def test_how_far_columns_act_together(rng: np.random.Generator) -> None:
    x = rng.normal(size=(60, 3))
    joint = interaction(product, x, (0, 1), rows=40)
    assert joint.strength[0] > 0.9 and joint.interval.low[0] > 0.7
    assert interaction(product, x, (0, 2), rows=40).strength[0] < 0.3
    assert interaction(lambda r: r[:, 0] + r[:, 2] ** 2, x, (0, 2)).strength[0] < 1e-9


def test_networks_have_effects_on_each_output(rng: np.random.Generator) -> None:
    pellucid.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    x = rng.normal(size=(30, 3)).astype(np.float32)
    both = partial_dependence(net, x, 0, grid_resolution=6)
    assert both.average.shape == (2, 6)
    one = partial_dependence(net, x, 0, grid_resolution=6, target=1, compile=False)
    assert_close(one.average[0], both.average[1], 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda x: partial_dependence(product, x, 5), ArgumentError, "Column 5 of 3"),
        (lambda x: partial_dependence(product, x, "y"), NamingError, "no column 'y'"),
        (lambda x: partial_dependence(product, x[0], 0), ShapeError, "no columns"),
        (lambda x: partial_dependence(product, x * 0, 0), ArgumentError, "a single value"),
        (lambda x: accumulated_local_effects(product, x * 0, 0), ArgumentError, "a single value"),
        (lambda x: partial_dependence(lambda r: r[:, 0] * np.nan, x, 0), NonFiniteError, "NaN"),
        (lambda x: partial_dependence(lambda r: r.sum(), x, 0), ShapeError, "answers of shape"),
        (lambda x: partial_dependence(product, x, 0, target=2), ArgumentError, "target=2"),
        (lambda x: permutation_importance(product, x, x[:, 0], "r3"), ArgumentError, "score='r3'"),
        (lambda x: permutation_importance(product, x, x[:3, 0]), ShapeError, "3 targets"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    call: Any, kind: Any, text: str, rng: np.random.Generator
) -> None:
    with pytest.raises(kind, match=text):
        call(rng.normal(size=(10, 3)))


# ---- importance ---------------------------------------------------------------------------------


def test_importance_of_a_linear_model_is_known(rng: np.random.Generator) -> None:
    """Shuffling column j of y = w·x costs 2 w_j² in mean squared error (unit variance)."""
    x = rng.normal(size=(4000, 3))
    w = np.array([1.0, 2.0, 0.0])
    found = permutation_importance(lambda r: r @ w, x, x @ w, "mse", repeats=10)
    assert_close(found.means, 2 * w**2, 0.1, 1e-9)
    assert ((found.interval.low <= 2 * w**2) & (found.interval.high >= 2 * w**2)).all()
    assert found.order == [1, 0, 2] and found.shape == (3, 10)
    r2 = permutation_importance(lambda r: r @ w, x, x @ w)
    assert r2.metric == "r2" and r2.score == 1.0


def test_columns_that_say_the_same_are_shuffled_together(rng: np.random.Generator) -> None:
    a = rng.normal(size=600)
    x = np.stack([a, a + 1e-3 * rng.normal(size=600), rng.normal(size=600)], 1)

    def model(rows: Any) -> Any:
        return (rows[:, 0] + rows[:, 1] > 0).astype(int)

    y = (a > 0).astype(int)
    alone = permutation_importance(model, x, y, "accuracy")
    assert "x0 and x1 say nearly the same" in alone.verdict
    group = permutation_importance(model, x, y, "accuracy", groups={"both": ["x0", 1]})
    assert group.features == ("both", "x2")
    assert group.means[0] > 1.5 * alone.means[0] and group.means[1] == 0
    assert group.means[0] == pytest.approx(0.5, abs=0.05)
    assert group.verdict.trusted


def test_scores_suit_the_targets(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2)).astype(np.float32)
    classes = (x[:, 0] > 0).astype(int)
    two = nn.Linear(2, 2, bias=False)
    with pellucid.no_grad():
        two.weight.copy_(pellucid.tensor([[-1.0, 0], [1, 0]]))
    found = permutation_importance(two, x, classes)
    assert (found.metric, found.score) == ("accuracy", 1.0)
    assert found.means[0] > 0.4 and found.means[1] == 0
    one = nn.Linear(2, 1, bias=False)
    with pellucid.no_grad():
        one.weight.copy_(pellucid.tensor([[1.0, 0]]))
    assert permutation_importance(one, x, classes).score == 1.0  # above 0 is class 1
    assert permutation_importance(one, x, x[:, 0]).metric == "r2"
    useless = permutation_importance(lambda r: r[:, 1], x, -x[:, 1].astype(float))
    assert "the model itself is useless" in useless.verdict


# ---- intervals ----------------------------------------------------------------------------------


def test_quantiles_of_t_are_those_of_tables() -> None:
    """Student's table, as printed in textbooks."""
    for freedom, value in ((1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042), (1000, 1.962)):
        assert t_quantile(0.95, freedom) == pytest.approx(value, abs=6e-4)
    assert t_quantile(0.99, 10) == pytest.approx(3.169, abs=6e-4)
    assert t_quantile(0.95, 0) == np.inf


def test_the_interval_of_a_mean_covers_as_it_says(rng: np.random.Generator) -> None:
    samples = rng.exponential(size=(12, 4000))
    found = Interval.of_mean(samples, level=0.9)
    covered = ((found.low <= 1) & (found.high >= 1)).mean()
    assert 0.8 < covered < 0.93
    assert isinstance(columns_of(subject_of(product), np.ones((2, 3))), ArrayColumns)
