"""Groups with bad figures: those that were planted are found, and chance is not."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.data.columns import as_table
from pellucid.insight.segments import welch, worst_segments


def table(rng: np.random.Generator, rows: int = 600) -> dict[str, np.ndarray]:
    return {
        "age": rng.uniform(18, 80, rows),
        "city": rng.choice(["Rome", "Oslo", "Lima", "Kyiv"], rows),
        "plan": rng.choice(["basic", "full"], rows),
        "noise": rng.normal(size=rows),
    }


def test_a_category_in_which_half_is_wrong_is_the_first() -> None:
    rng = np.random.default_rng(1)
    columns = table(rng)
    wrong = rng.random(600) < np.where(columns["city"] == "Oslo", 0.5, 0.1)
    first = worst_segments(as_table(columns), wrong.astype(float))[0]
    assert first.conditions == ("city = Oslo",)
    assert first.error == pytest.approx(wrong[columns["city"] == "Oslo"].mean())
    assert first.others == pytest.approx(wrong[columns["city"] != "Oslo"].mean())
    assert first.rows == (columns["city"] == "Oslo").sum() and first.p < 1e-6


def test_two_columns_together_are_found_where_neither_alone_says_it() -> None:
    rng = np.random.default_rng(2)
    columns = table(rng, 1200)
    inside = (columns["city"] == "Lima") & (columns["plan"] == "full")
    other = (columns["city"] != "Lima") & (columns["plan"] == "basic")
    size = np.abs(rng.normal(size=1200)) + 2.0 * inside + 0.5 * other
    first = worst_segments(as_table(columns), size)[0]
    assert set(first.conditions) == {"city = Lima", "plan = full"}
    np.testing.assert_array_equal(first.mask, inside)


def test_ranges_of_numbers_and_missing_cells_are_groups() -> None:
    rng = np.random.default_rng(3)
    columns = table(rng)
    age = columns["age"]
    oldest = age >= np.quantile(age, 0.75)
    found = worst_segments(as_table(columns), np.abs(rng.normal(size=600)) + 1.5 * oldest)
    assert found[0].conditions[0].startswith("age ≥ ") and found[0].mask[oldest].mean() > 0.98
    holes = rng.random(600) < 0.2
    columns["age"] = np.where(holes, np.nan, age)
    found = worst_segments(as_table(columns), np.abs(rng.normal(size=600)) + 1.5 * holes)
    assert found[0].conditions == ("age is missing",)


def test_chance_is_not_reported() -> None:
    """Of sixty tables without any group, at most three may name one (5 %, and some luck)."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        wrong = (rng.random(400) < 0.15).astype(float)
        alarms += bool(worst_segments(as_table(table(rng, 400)), wrong))
    assert alarms <= 3


def test_the_p_value_is_that_of_welchs_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(4)
    first, second = rng.normal(0.2, 1, 400), rng.normal(0, 2, 700)
    expected = stats.ttest_ind(first, second, equal_var=False, alternative="greater").pvalue
    assert welch(first, second) == pytest.approx(expected, rel=0.05)


def test_few_rows_and_equal_errors_have_no_groups() -> None:
    rng = np.random.default_rng(5)
    assert worst_segments(as_table(table(rng, 20)), rng.random(20)) == []
    assert worst_segments(as_table(table(rng, 100)), np.ones(100)) == []
    with pytest.raises(ArgumentError, match=r"\(3,\) errors for 100 rows"):
        worst_segments(as_table(table(rng, 100)), np.ones(3))
