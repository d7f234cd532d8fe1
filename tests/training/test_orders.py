"""Orders of rows: many at once are those of NumPy's generators one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.training.orders import order_of, orders_of


@pytest.mark.parametrize("rows", [0, 1, 2, 15, 398, 70_001])
def test_many_orders_are_those_of_single_generators(rows: int) -> None:
    seeds = [0, 1, 5, 2**32 - 1, 2**32, 2**40 + 3, 2**63 - 1]
    epochs = [0, 1, 2, 77, 10**6]
    found = orders_of(seeds, epochs, rows)
    assert found.shape == (7, 5, rows)
    for seed, own in zip(seeds, found, strict=True):
        for epoch, order in zip(epochs, own, strict=True):
            generator = np.random.default_rng([seed, epoch])
            np.testing.assert_array_equal(order, generator.permutation(rows))
            np.testing.assert_array_equal(order, order_of(seed, epoch, rows))


def test_no_seeds_or_epochs_have_no_orders() -> None:
    assert orders_of([], [1], 4).shape == (0, 1, 4)
    assert orders_of([1], [], 4).shape == (1, 0, 4)
