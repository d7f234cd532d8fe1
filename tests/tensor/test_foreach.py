"""Operations on lists of tensors against the operation on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError
from pellucid.tensor import foreach

SHAPES = ((2, 3), (4,), ())


def lists(engine: Any, count: int) -> list[list[Any]]:
    random = np.random.default_rng(3)
    return [
        [engine.tensor((random.random(s) + 0.2).astype(np.float32)) for s in SHAPES]
        for _ in range(count)
    ]


def all_of(engine: Any) -> dict[str, Sequence[Any]]:
    """Results of every function, also in place, under a name."""
    found: dict[str, Sequence[Any]] = {}

    def call(name: str, *arguments: Any, **options: Any) -> None:
        key = f"{name} {len(found)}"
        found[key] = getattr(engine, f"_foreach_{name}")(*arguments, **options)
        if name not in ("norm", "max", "clone"):
            own = [t.clone() for t in arguments[0]]
            getattr(engine, f"_foreach_{name}_")(own, *arguments[1:], **options)
            found[f"{key} in place"] = own

    a, b, c = lists(engine, 3)
    for name in foreach.UNARY:
        call(name, [t / 2 for t in a])
    for name in foreach.BINARY:
        call(name, a, b)
        call(name, a, 0.5)
        call(name, a, [0.1, 0.2, 0.3])
    call("add", a, b, alpha=2)
    for name in ("addcdiv", "addcmul"):
        call(name, a, b, c)
        call(name, a, b, c, value=0.3)
        call(name, a, b, c, [0.1, 0.2, 0.3])
        call(name, a, b, c, engine.tensor([1.0, 2.0, 3.0]))
    call("lerp", a, b, c)
    call("lerp", a, b, 0.3)
    call("norm", a)
    call("norm", a, 1)
    call("max", a)
    call("clone", a)
    found["number to powers"] = engine._foreach_pow(2.0, a)
    own = [t.clone() for t in a]
    engine._foreach_copy_(own, b)
    engine._foreach_zero_(own[:1])
    found["copy_ and zero_"] = own
    return found


def test_they_are_the_operation_on_each() -> None:
    a, b = lists(pellucid, 2)
    for x, y, found in zip(a, b, pellucid._foreach_sub(a, b), strict=True):
        assert_close(found, x.numpy() - y.numpy())
    for x, y, found in zip(a, b, pellucid._foreach_addcdiv(a, b, b, value=2), strict=True):
        assert_close(found, x.numpy() + 2 * np.ones(y.shape))
    with pytest.raises(ArgumentError, match="lists of 3 and 2"):
        pellucid._foreach_add(a, b[:2])


@pytest.mark.parity
def test_all_are_pytorchs() -> None:
    theirs = all_of(pytest.importorskip("torch"))
    for name, ours in all_of(pellucid).items():
        for own, other in zip(ours, theirs[name], strict=True):
            assert_close(own, other, 1e-5, 1e-6, name)
