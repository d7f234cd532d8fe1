"""The first NaN or infinity of a step: what made it, where, in which rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import NonFiniteError, TraceError
from pellucid.insight.nonfinite import FirstNonFinite, find_first_nonfinite


class Logarithm(nn.Module):
    """ln(x)."""

    def forward(self, x: Any) -> Any:
        return x.log()


class Root(nn.Module):
    """√x, whose derivative at 0 is infinite."""

    def forward(self, x: Any) -> Any:
        return x.sqrt()


def found(function: Any, *args: Any, **kwargs: Any) -> FirstNonFinite:
    result = find_first_nonfinite(function, *args, **kwargs)
    assert result is not None
    return result


def test_a_step_that_stays_finite_has_none(rng: np.random.Generator) -> None:
    model = nn.Linear(3, 2)
    x = pellucid.tensor(rng.normal(size=(4, 3)))
    assert find_first_nonfinite(lambda x: model(x.float()).sum(), x) is None


def test_logarithm_of_a_negative_number() -> None:
    model = nn.Sequential(nn.Identity(), Logarithm())
    x = pellucid.tensor([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0], [-7.0, -8.0]])
    first = found(model, x)
    assert (first.value, first.phase, first.layer, first.operation) == (
        "NaN",
        "forward",
        "1",
        "log",
    )
    assert (first.count, first.size) == (3, 8)
    assert list(first.rows) == [1, 3]
    assert (first.operands[0].low, first.operands[0].high) == (-8.0, 6.0)
    assert "test_nonfinite.py:" in first.line
    assert "NaN first appeared in the forward pass, layer '1', operation 'log': ln(x)" in str(first)
    assert "batch rows 1, 3; from float32[4, 2] -8 to 6" in str(first)
    assert "positive" in first.advice


def test_overflow_of_the_exponential() -> None:
    first = found(lambda x: (x.exp() / x.exp().sum()).sum(), pellucid.tensor([1.0, 100.0]))
    assert (first.value, first.operation, first.count) == ("infinity", "exp", 1)
    assert list(first.rows) == [1]
    assert "log_softmax" in first.advice


def test_what_is_made_of_it_later_is_not_the_first() -> None:
    def step(x: Any) -> Any:
        y = x.exp()  # ∞
        return (y - y).sum()  # NaN

    assert found(step, pellucid.tensor([1000.0])).operation == "exp"


def test_a_gradient_that_divides_by_zero() -> None:
    weight = pellucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    model = nn.Sequential(Root())

    def step(x: Any) -> Any:
        loss = model(weight * x).sum()
        loss.backward()
        return loss

    first = found(step, pellucid.tensor([4.0, 0.0, 1.0]), names={"weight": weight})
    assert (first.phase, first.layer, first.operation) == ("backward", "0", "sqrt")
    assert first.value == "infinity"
    assert list(first.rows) == [1]
    assert "the backward pass, layer '0', gradient of operation 'sqrt'" in first.message
    assert "test_nonfinite.py:" in first.line, "the line of the forward operation"
    assert weight.grad is None, "the gradients are as before"


def test_infinity_in_the_data() -> None:
    model = nn.Linear(2, 1)
    x = pellucid.tensor([[1.0, 2.0], [np.inf, 0.0]])
    first = found(lambda x, y: ((model(x) - y) ** 2).mean(), x, pellucid.zeros(2, 1))
    assert (first.phase, first.name, first.value) == ("data", "argument 0", "infinity")
    assert list(first.rows) == [1]
    assert "the data (argument 0); 1 of 4 elements, batch row 1" in first.message


def test_a_parameter_that_is_not_finite_is_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    with pellucid.no_grad():
        model[1].weight[0, 1] = float("nan")
    first = found(model, pellucid.ones(3, 2))
    assert (first.phase, first.name) == ("parameter", "1.weight")


def test_a_mask_of_infinity_is_not_a_mistake() -> None:
    mask = pellucid.tensor([[False, True], [False, False]])

    def attend(x: Any) -> Any:
        return x.masked_fill(mask, float("-inf")).softmax(-1).sum()

    x = pellucid.tensor([[0.5, 1.0], [2.0, 3.0]])
    assert find_first_nonfinite(attend, x) is None


def test_a_row_that_is_masked_as_a_whole_is_one() -> None:
    mask = pellucid.tensor([[True, True], [False, False]])

    def attend(x: Any) -> Any:
        return x.masked_fill(mask, float("-inf")).softmax(-1).sum()

    first = found(attend, pellucid.tensor([[0.5, 1.0], [2.0, 3.0]]))
    assert first.value == "NaN"
    assert first.operation == "sub", "−∞ − −∞"
    assert list(first.rows) == [0]


def test_the_update_can_be_the_first_and_nothing_stays_changed() -> None:
    weight = nn.Parameter(pellucid.tensor([1.0, 2.0]))
    optimizer = optim.SGD([weight], lr=1e38)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (weight * x).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    first = found(step, pellucid.tensor([100.0, 1.0]), names={"w": weight})
    assert (first.phase, first.value, first.layer) == ("update", "infinity", "SGD")
    assert weight.tolist() == [1.0, 2.0]
    assert weight.grad is None


def test_a_compiled_step_is_searched_eagerly() -> None:
    model = nn.Sequential(nn.Linear(2, 2), Logarithm())
    step = pellucid.compile(lambda x: model(x).sum())
    x = pellucid.tensor([[-9.0, 1.0], [3.0, 2.0]])
    with pellucid.no_grad():
        model[0].weight.copy_(pellucid.eye(2))
        model[0].bias.zero_()
    assert np.isnan(step(x).item())
    first = found(step, x)
    assert (first.layer, first.operation) == ("1", "log")
    assert list(first.rows) == [0]


def test_random_numbers_are_drawn_as_before() -> None:
    pellucid.manual_seed(3)
    expected = pellucid.rand(4).tolist()
    pellucid.manual_seed(3)
    find_first_nonfinite(lambda: pellucid.rand(4).sum())
    assert pellucid.rand(4).tolist() == expected


def test_the_error_carries_the_sentence_and_the_advice() -> None:
    error = found(lambda x: x.log(), pellucid.tensor([-1.0])).error()
    assert isinstance(error, NonFiniteError)
    assert "operation 'log'" in str(error) and "clamp(min=1e-12)" in str(error)


def test_not_inside_of_a_compiled_function() -> None:
    @pellucid.compile
    def step(x: Any) -> Any:
        find_first_nonfinite(lambda y: y, x)
        return x

    with pytest.raises(TraceError, match="call it from plain Python"):
        step(pellucid.ones(2))
