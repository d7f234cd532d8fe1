"""A product that is a part of a joined value: its kernel and the work after it store elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close

WORK = {
    "product": lambda w, o: w @ o,
    "product, relu": lambda w, o: (w @ o).relu(),
    "product, rows": lambda w, o: (w @ o).softmax(-1),
    "no product": lambda w, o: (o * 2).softmax(-1),
}


@pytest.mark.parametrize("shape", [(64, 6, 32), (1, 4, 8), (2, 20, 40), (5, 9)], ids=str)
@pytest.mark.parametrize("axis", [0, -2, -1])
@pytest.mark.parametrize("work", WORK)
def test_joined_with_another_value(work: str, axis: int, shape: tuple, rng: Any) -> None:
    y, o = (pellucid.tensor(rng.normal(size=shape).astype(np.float32)) for _ in range(2))
    w = pellucid.tensor(rng.normal(size=(*shape[:-1], shape[-2])).astype(np.float32))

    def run(y: Any, w: Any, o: Any) -> Any:
        return pellucid.cat([y, WORK[work](w, o)], axis)

    assert_close(pellucid.compile(run)(y, w, o), run(y, w, o), 1e-5, 1e-5)
