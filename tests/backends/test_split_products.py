"""Long sums in compiled programs: the parts of a split product meet in one scratch buffer."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid


@pytest.mark.parametrize(("depth", "rows", "columns"), [(4096, 16, 16), (8192, 16, 9)])
def test_products_with_long_sums(depth: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(8)
    arrays = [random.normal(size=(depth, n)).astype(np.float32) for n in (rows, columns, rows)]
    a, b, c = (pellucid.tensor(x) for x in arrays)
    # Two split products in one program must not share their scratch.
    first, second = pellucid.compile(lambda a, b, c: (a.T @ b, c.T @ a))(a, b, c)
    wide = [x.astype(np.float64) for x in arrays]
    np.testing.assert_allclose(first.numpy(), wide[0].T @ wide[1], atol=2e-3)
    np.testing.assert_allclose(second.numpy(), wide[2].T @ wide[0], atol=2e-3)
