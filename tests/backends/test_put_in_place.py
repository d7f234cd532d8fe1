"""Rows written into state: in its place where nobody else needs the old values, else on a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid


def state() -> tuple[Any, np.ndarray]:
    values = np.random.default_rng(0).standard_normal((3, 40, 5)).astype("float32")
    return pellucid.tensor(values), values.copy()


@pytest.mark.parametrize("mode", ["set", "add"])
def test_rows_are_written_and_read_back(mode: str) -> None:
    store, expected = state()

    @pellucid.compile
    def write(place: Any, rows: Any) -> Any:
        change = store.index_copy if mode == "set" else store.index_add
        store.copy_(change(1, place, rows))
        return store.sum(1)

    for place in (0, 39, 7, 7):
        rows = np.full((3, 1, 5), place + 0.5, "float32")
        found = write(pellucid.tensor([place]), pellucid.tensor(rows))
        expected[:, place] = rows[:, 0] + (expected[:, place] if mode == "add" else 0)
        np.testing.assert_array_equal(store.numpy(), expected)
        np.testing.assert_allclose(found.numpy(), expected.sum(1), 1e-5, 1e-5)
    assert all("copy" not in k.operations for k in write.explain().kernels)


def test_readers_of_the_old_values_see_them() -> None:
    store, expected = state()

    @pellucid.compile
    def write(place: Any) -> Any:
        before = store.square().sum()
        store.copy_(store.index_copy(1, place, store.narrow(1, 0, 1) * 2))
        return before, store.square().sum()

    for place in (3, 0, 0):
        before, after = write(pellucid.tensor([place]))
        assert float(before) == pytest.approx(float(np.square(expected).sum()), rel=1e-5)
        expected[:, place] = expected[:, 0] * 2
        assert float(after) == pytest.approx(float(np.square(expected).sum()), rel=1e-5)
        np.testing.assert_array_equal(store.numpy(), expected)


def test_scatter_writes_in_place_too() -> None:
    store, expected = state()
    index = np.asarray([[[4, 1, 0, 39, 4]], [[0, 0, 0, 0, 0]], [[9, 8, 7, 6, 5]]])
    values = np.random.default_rng(1).standard_normal(index.shape).astype("float32")

    @pellucid.compile
    def write(places: Any, given: Any) -> Any:
        store.copy_(store.scatter(1, places, given))

    write(pellucid.tensor(index), pellucid.tensor(values))
    np.put_along_axis(expected, index, values, 1)
    np.testing.assert_array_equal(store.numpy(), expected)


@pytest.mark.parametrize("kept", [False, True])
def test_a_gradient_step_of_an_embedding_touches_its_rows_only(kept: bool) -> None:
    from pellucid import nn, optim

    pellucid.manual_seed(3)
    table = nn.Embedding(500, 6)
    optimizer = optim.SGD(table.parameters(), lr=0.25)
    expected = table.weight.detach().numpy().copy()
    weights = np.random.default_rng(2).standard_normal((7, 6)).astype("float32")

    @pellucid.compile(keep_gradients=kept)
    def step(ids: Any) -> Any:
        optimizer.zero_grad()
        loss = (table(ids) * pellucid.tensor(weights)).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    ids = np.asarray([4, 499, 4, 0, 17, 4, 17])
    for _ in range(3):
        loss = step(pellucid.tensor(ids))
        assert float(loss) == pytest.approx(float((expected[ids] * weights).sum()), rel=1e-4)
        np.add.at(expected, ids, np.float32(-0.25) * weights)
        np.testing.assert_allclose(table.weight.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    zeros = [k for k in step.explain().kernels if "broadcast_to" in k.operations]
    assert bool(zeros) == kept
    if kept:
        full = np.zeros((500, 6), "float32")
        np.add.at(full, ids, weights)
        np.testing.assert_allclose(table.weight.grad.numpy(), full, rtol=1e-5)
