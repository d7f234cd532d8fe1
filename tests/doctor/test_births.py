"""Why a value is not finite, in words, and where: compiled and not, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import optim
from pellucid.insight.doctor import watch
from pellucid.insight.nonfinite import find_first_nonfinite


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("function", "values", "cause", "value"),
    [
        (lambda x: x.log(), [0.0, 1.0], "logarithm of 0", "infinity"),
        (lambda x: x.log(), [-1.0, 1.0], "logarithm of a negative number", "NaN"),
        (lambda x: x / (x - x), [0.0, 0.0], "0 divided by 0", "NaN"),
        (lambda x: 1 / x, [0.0, 2.0], "division by 0", "infinity"),
        (lambda x: (-x).sqrt(), [1.0, 2.0], "root of a negative number", "NaN"),
        (lambda x: x.exp(), [1.0, 100.0], "overflow: the exponential of 100", "infinity"),
        (lambda x: x * x, [1.0, 1e30], "overflow: its operands reach 1e+30", "infinity"),
        (lambda x: x + 1, [1.0, np.nan], "the data hold it already", "NaN"),
    ],
)
def test_the_cause_in_words(
    function: Callable[[Any], Any], values: list[float], cause: str, value: str, native: bool
) -> None:
    run = pellucid.compile(function) if native else function
    found = find_first_nonfinite(run, pellucid.tensor(values))
    assert found is not None
    assert found.value == value
    assert found.cause.startswith(cause)


def test_a_gradient_that_is_not_finite() -> None:
    x = pellucid.tensor([0.0, 4.0], requires_grad=True)

    def step() -> Any:
        loss = x.sqrt().sum()
        loss.backward()
        return loss

    found = find_first_nonfinite(step)
    assert found is not None
    assert (found.phase, found.operation) == ("backward", "sqrt")
    assert found.cause == "the slope of sqrt at 0 is not finite"
    assert found.cause in found.message


def test_a_gradient_in_a_loop_of_its_own() -> None:
    """The loss is finite, one gradient is not: seen before the update spreads it."""
    weight = pellucid.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([weight], lr=0.1)
    shift = pellucid.tensor([1.0, 1.0])
    with watch(None, optimizer) as seen:
        for step in range(4):
            optimizer.zero_grad()
            if step == 2:
                shift = -weight.detach()
            loss = (weight + shift).sqrt().sum()
            loss.backward()
            before = np.array(weight.grad.array())  # type: ignore[union-attr]
            optimizer.step()
            if step == 2:
                break
    found = seen.case().failure
    assert (found.phase, found.operation, found.value) == ("backward", "sqrt", "infinity")
    assert found.cause == "the slope of sqrt at 0 is not finite"
    np.testing.assert_array_equal(weight.grad.array(), before)  # type: ignore[union-attr]
