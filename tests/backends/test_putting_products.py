"""Rows that a program computes while it adds them to others: outer products, never stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import set_num_threads
from pellucid.backends.cpu.threads import get_num_threads

WIDTHS = (1, 5, 64, 100, 130)


def operands(width: int, dtype: Any = np.float32) -> tuple[Any, ...]:
    """A table (40, width), ids (6, 7), factors (6, 7), and rows (6, width)."""
    rng = np.random.default_rng(width)
    parts = (rng.standard_normal(shape).astype(dtype) for shape in ((40, width), (6, 7)))
    table, factors = parts
    return table, rng.integers(0, 40, (6, 7)), factors, rng.standard_normal((6, width), dtype)


def added(table: Any, ids: Any, factors: Any, rows: Any) -> Any:
    """NumPy's definition."""
    result = table.astype(np.float64)
    outer = factors.astype(np.float64)[:, :, None] * rows.astype(np.float64)[:, None, :]
    np.add.at(result, ids.ravel(), outer.reshape(-1, table.shape[1]))
    return result


def add(table: Any, ids: Any, factors: Any, rows: Any) -> Any:
    outer = factors.unsqueeze(2) * rows.unsqueeze(1)
    return table.index_add_(0, ids.reshape(-1), outer.reshape(-1, rows.shape[1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", WIDTHS)
def test_outer_products_are_added_to_rows(width: int, dtype: Any) -> None:
    parts = operands(width, dtype)
    given = [pellucid.tensor(part) for part in parts]
    table = given[0]

    @pellucid.compile
    def step(ids: Any, factors: Any, rows: Any) -> Any:
        add(table, ids, factors, rows)
        return rows.sum()

    with pellucid.no_grad():
        step(*given[1:])
    close = 1e-5 if dtype is np.float32 else 1e-13
    np.testing.assert_allclose(table.numpy(), added(*parts), atol=close)
    if width >= 5:
        product = 6 * 7 * width * given[0].numpy().itemsize
        assert all(buffer.size < product for buffer in step.explain(0).buffers)


def test_the_last_of_several_products_stays() -> None:
    table, ids, factors, rows = operands(20)
    given = [pellucid.tensor(part) for part in (table, ids, factors, rows)]

    @pellucid.compile
    def put(table: Any, ids: Any, factors: Any, rows: Any) -> Any:
        outer = (factors.unsqueeze(2) * rows.unsqueeze(1)).reshape(-1, 20)
        return table.index_copy(0, ids.reshape(-1), outer)

    wanted = table.copy()
    outer = (factors[:, :, None] * rows[:, None, :]).reshape(-1, 20)
    for place, row in zip(ids.ravel(), outer, strict=True):
        wanted[place] = row
    np.testing.assert_allclose(put(*given).numpy(), wanted, rtol=1e-6)


def test_along_a_later_axis() -> None:
    rng = np.random.default_rng(0)
    table, ids = rng.standard_normal((3, 10, 24)), rng.integers(0, 10, 8)
    factors, rows = rng.standard_normal((3, 8)), rng.standard_normal((3, 24))

    @pellucid.compile
    def put(table: Any, ids: Any, factors: Any, rows: Any) -> Any:
        return table.index_add(1, ids, factors.unsqueeze(2) * rows.unsqueeze(1))

    found = put(*(pellucid.tensor(part) for part in (table, ids, factors, rows)))
    wanted = table.copy()
    for place, number in enumerate(ids):
        wanted[:, number] += factors[:, place, None] * rows
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-13)


def test_what_is_read_from_the_changed_rows_are_the_old_ones() -> None:
    """Changes that are made of the rows themselves are computed before any row changes."""
    table, ids, factors, _ = operands(16)
    state = pellucid.tensor(table)

    @pellucid.compile
    def step(ids: Any, factors: Any) -> Any:
        add(state, ids, factors, state[:6])
        return factors.sum()

    with pellucid.no_grad():
        step(pellucid.tensor(ids), pellucid.tensor(factors))
    np.testing.assert_allclose(state.numpy(), added(table, ids, factors, table[:6]), atol=1e-5)


def test_functions_of_factors_and_the_same_bits_on_any_number_of_threads() -> None:
    parts = operands(100)
    before, found = get_num_threads(), []

    @pellucid.compile
    def put(table: Any, ids: Any, factors: Any, rows: Any) -> Any:
        return add(table.clone(), ids, 1 - factors.sigmoid() * 0.5, rows)

    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            found.append(put(*(pellucid.tensor(part) for part in parts)).numpy().copy())
    finally:
        set_num_threads(before)
    assert all(np.array_equal(found[0], other) for other in found[1:])
    table, ids, factors, rows = parts
    wanted = added(table, ids, 1 - 0.5 / (1 + np.exp(-factors)), rows)
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)


def test_ids_out_of_range_are_an_error() -> None:
    table, ids, factors, rows = operands(12)
    ids[2, 3] = 40
    given = [pellucid.tensor(part) for part in (table, ids, factors, rows)]
    with pytest.raises(IndexError, match="out of range in put"):
        pellucid.compile(lambda *parts: add(parts[0].clone(), *parts[1:]))(*given)
