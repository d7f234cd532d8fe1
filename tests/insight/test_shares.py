"""Shares, falls and local lines by perturbation, held against definitions and known answers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, NonFiniteError, ShapeError
from pellucid.insight.explain import (
    exact_shapley,
    explain_rows,
    feature_ablation,
    kernel_shap,
    lime,
    lime_tabular,
    occlusion,
    shapley_sampling,
)
from pellucid.insight.explain.segments import segments


def small(inputs: int = 5, outputs: int = 2) -> Any:
    pellucid.manual_seed(3)
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


def by_definition(score: Any, x: Any, background: Any) -> np.ndarray:
    """The mean over all orders of what a player changes."""
    count = len(x)

    def value(present: tuple[int, ...]) -> float:
        mixed = background.copy()
        mixed[:, list(present)] = x[list(present)]
        return float(score(mixed).mean())

    shares = np.zeros(count)
    for order in itertools.permutations(range(count)):
        for place, player in enumerate(order):
            shares[player] += value(order[: place + 1]) - value(order[:place])
    return shares / math.factorial(count)


def score_of(model: Any, target: int) -> Any:
    return lambda rows: model(pellucid.tensor(rows.astype(np.float32))).detach().numpy()[:, target]


@pytest.mark.parametrize("compile", [True, False])
def test_exact_values_are_the_mean_over_all_orders(compile: bool, rng: np.random.Generator) -> None:
    model = small()
    x = rng.normal(size=(2, 5)).astype(np.float32)
    background = rng.normal(size=(6, 5)).astype(np.float32)
    found = exact_shapley(model, x, background, 1, compile=compile)
    for row in range(2):
        wanted = by_definition(score_of(model, 1), x[row], background)
        assert_close(found.values[0][row], wanted, 1e-4, 1e-6)
    assert found.relative_gap is not None and found.relative_gap < 1e-5
    # the error is that of the background as a sample
    single = [exact_shapley(model, x, background[[b]], 1).values[0] for b in range(6)]
    assert_close(found.share_errors, np.std(single, axis=0, ddof=1) / np.sqrt(6), 1e-3, 1e-6)


@pytest.mark.parametrize("method", [kernel_shap, shapley_sampling])
def test_samples_are_within_their_error_of_the_exact_values(
    method: Any, rng: np.random.Generator
) -> None:
    model = small(8)
    x = rng.normal(size=(6, 8)).astype(np.float32)
    exact = exact_shapley(model, x, target=0)
    found = method(model, x, target=0, samples=60, seed=1)
    assert found.share_errors is not None
    sizes = np.abs(found.shares - exact.shares) / found.share_errors
    assert (sizes < 1.96).mean() > 0.8 and sizes.max() < 6
    assert found.share_errors.max() < 0.5 * np.abs(exact.shares).max()
    assert found.relative_gap is not None and found.relative_gap < 1e-4
    again = method(model, x, target=0, samples=60, seed=1)
    assert (again.shares == found.shares).all()
    assert (method(model, x, target=0, samples=60, seed=2).shares != found.shares).any()


def test_all_coalitions_make_the_regression_exact(rng: np.random.Generator) -> None:
    model = small(6)
    x = rng.normal(size=(2, 6)).astype(np.float32)
    background = rng.normal(size=(4, 6)).astype(np.float32)
    exact = exact_shapley(model, x, background, 0)
    found = kernel_shap(model, x, background, 0, samples=64)
    assert_close(found.shares, exact.shares, 1e-4, 1e-5)
    assert_close(found.share_errors, exact.share_errors, 1e-3, 1e-5)
    alone = kernel_shap(nn.Linear(1, 1), np.ones((1, 1), np.float32))
    assert alone.shares.shape == (1, 1) and alone.relative_gap < 1e-6


def test_groups_come_and_go_together(rng: np.random.Generator) -> None:
    model = small(6)
    x = rng.normal(size=(3, 6)).astype(np.float32)
    found = exact_shapley(model, x, target=0, groups={"first": [0, 1], "last": [4, 5]})
    assert found.players is not None and found.players.names == ("first", "last", "x2", "x3")
    labels = np.array([0, 0, 2, 3, 1, 1])

    def score(present: np.ndarray) -> np.ndarray:
        return score_of(model, 0)(x[:1] * present[:, labels])

    wanted = by_definition(lambda rows: score(rows), np.ones(4), np.zeros((1, 4)))
    assert_close(found.shares[0], wanted, 1e-4, 1e-6)
    assert_close(found.values[0][0], wanted[labels] / np.array([2, 2, 1, 1, 2, 2]), 1e-4, 1e-6)
    by_label = exact_shapley(model, x, target=0, groups=labels)
    assert_close(by_label.shares, found.shares[:, [0, 1, 2, 3]], 1e-6, 1e-7)


def test_several_inputs_integers_and_positions(rng: np.random.Generator) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.end = nn.Embedding(20, 4), nn.Linear(6, 2)

        def forward(self, tokens: Any, numbers: Any) -> Any:
            return self.end(pellucid.cat([self.words(tokens).mean(1), numbers], 1))

    pellucid.manual_seed(0)
    model = Reader()
    tokens = rng.integers(1, 20, (2, 3))
    numbers = rng.normal(size=(2, 2)).astype(np.float32)
    found = exact_shapley(model, (tokens, numbers), target=1)
    assert [v.shape for v in found.values] == [(2, 3), (2, 2)]
    weight = model.end.weight.detach().numpy()[1]
    table = model.words.weight.detach().numpy()
    each = (table[tokens] - table[0]) @ weight[:4] / 3  # the model is linear in each
    assert_close(found.values[0], each, 1e-4, 1e-6)
    assert_close(found.values[1], numbers * weight[4:], 1e-4, 1e-6)
    falls = feature_ablation(model, (tokens, numbers), 1, groups=(None, "columns"))
    assert_close(falls.values[0], each, 1e-4, 1e-6)
    series = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    x = rng.normal(size=(2, 4, 3)).astype(np.float32)
    times = exact_shapley(series, x, groups="positions")
    whole = (x.reshape(2, 12) * series[1].weight.detach().numpy()).reshape(2, 4, 3)
    assert_close(times.shares, whole.sum(2), 1e-4, 1e-6)
    columns = exact_shapley(series, x, groups="columns")
    assert_close(columns.shares, whole.sum(1), 1e-4, 1e-6)


def test_falls_of_regions_and_windows_of_a_linear_model(rng: np.random.Generator) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 36, 2, bias=False))
    w = model[1].weight.detach().numpy()[1].reshape(2, 6, 6)
    x = rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    found = feature_ablation(model, x, 1, groups=("regions", 3))
    blocks = (x * w).sum(1).reshape(2, 2, 3, 2, 3).sum((2, 4)).reshape(2, 4)
    assert_close(found.shares, blocks, 1e-4, 1e-5)
    pixels = feature_ablation(model, x, 1, groups="pixels")
    assert_close(pixels.shares, (x * w).sum(1).reshape(2, 36), 1e-4, 1e-5)
    windows = occlusion(model, x, 1, window=(2, 3, 3), stride=(2, 3, 3))
    assert_close(windows.values[0][:, 0, ::3, ::3].reshape(2, 4), blocks, 1e-4, 1e-5)
    assert windows.shape == x.shape
    line = occlusion(nn.Linear(5, 1), np.ones((1, 5), np.float32), window=2, stride=2)
    assert line.shape == (1, 5)  # the last window is cut


def test_lime_of_a_linear_model_is_its_weights(rng: np.random.Generator) -> None:
    model = nn.Linear(4, 2)
    w = model.weight.detach().numpy()[1]
    x = rng.normal(size=(2, 4)).astype(np.float32)
    found = lime(model, x, 1, samples=200, alpha=0)
    assert_close(found.shares, x * w, 1e-4, 1e-5)
    slopes = lime_tabular(model, x, np.array([1.0, 2, 3, 4]), 1, samples=500, alpha=0)
    assert_close(slopes.values[0], np.tile(w, (2, 1)), 1e-4, 1e-5)
    assert slopes.checks["local fit"].passed


def test_a_line_that_explains_nothing_is_not_trusted(rng: np.random.Generator) -> None:
    def parity(x: Any) -> Any:
        return (x > 0.5).sum(1).to(pellucid.float32) % 2

    found = lime(parity, np.ones((1, 8), np.float32), samples=2000)
    assert found.checks["local fit"].value < 0.1
    assert not found.verdict().trusted and "the linear model explains" in found.verdict()


def test_patches_follow_edges_and_are_connected() -> None:
    picture = np.zeros((1, 24, 32))
    picture[0, 6:18, 8:24] = 1
    found = segments(picture, 12)
    assert 6 <= found.max() + 1 <= 20
    for label in range(found.max() + 1):
        inside = picture[0][found == label]
        assert inside.min() == inside.max()  # no patch crosses the edge
    x = np.repeat(picture[None], 2, axis=0).astype(np.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(24 * 32, 1))
    shares = kernel_shap(model, x, groups=("segments", 12), samples=100)
    assert shares.values[0].shape == x.shape and shares.relative_gap < 1e-4


def test_rows_of_tables_are_explained_by_column(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"colour": ["red", "blue", "green"] * 10, "n": rng.normal(size=30), "idle": 1.0}
    )
    value = {"red": 3.0, "blue": 0.0, "green": 0.0}

    def model(rows: Any) -> Any:
        return np.array([value[c] for c in rows["colour"]]) + 2 * rows["n"].to_numpy()

    found = explain_rows(model, frame, [0, 1])
    wanted = np.stack(
        [[3 - 1, 0 - 1], 2 * (frame["n"].to_numpy()[:2] - frame["n"].mean()), [0, 0]], 1
    )
    assert_close(found.shares, wanted, 1e-9, 1e-9)
    assert found.cells[0][0] == "red" and found.strongest(0, 3)[-1][0] == "idle = 1"


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda m, x: exact_shapley(m, np.ones((1, 16), np.float32)), ArgumentError, "16 players"),
        (lambda m, x: exact_shapley(m, x, x[:, :3]), ShapeError, "background of shape"),
        (lambda m, x: exact_shapley(m, x, x, baselines=0), ArgumentError, "both given"),
        (lambda m, x: exact_shapley(m, x, baselines=np.zeros(3)), ShapeError, "baselines of"),
        (lambda m, x: exact_shapley(m, x, x * np.nan), NonFiniteError, "parts of row 0"),
        (lambda m, x: exact_shapley(m, x, groups="tokens"), ArgumentError, "groups='tokens'"),
        (lambda m, x: exact_shapley(m, x, groups="regions"), ShapeError, "Pictures are"),
        (lambda m, x: exact_shapley(m, x, groups=np.zeros(3, int)), ShapeError, "groups of shape"),
        (lambda m, x: kernel_shap(m, x, samples=3), ArgumentError, "samples=3"),
        (lambda m, x: shapley_sampling(m, x, samples=1), ArgumentError, "at least 2 orders"),
        (lambda m, x: lime(m, x, samples=2), ArgumentError, "at least 10"),
        (lambda m, x: lime_tabular(m, x, np.zeros(5)), ArgumentError, "scale 0"),
        (lambda m, x: occlusion(m, x, window=9), ShapeError, "windows that fit"),
        (lambda m, x: occlusion(m, x, window=1, stride=3), ArgumentError, "uncovered"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    call: Any, kind: Any, text: str, rng: np.random.Generator
) -> None:
    model = small(5) if "16" not in text else small(16)
    with pytest.raises(kind, match=text):
        call(model, rng.normal(size=(2, 5)).astype(np.float32))
