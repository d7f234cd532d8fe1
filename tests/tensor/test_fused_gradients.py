"""Gradients that a compiled step uses up: stored wherever the step does not update the parameter,
and not in the way of programs that throw them away."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import AutogradError


def test_a_function_that_does_not_update_leaves_its_gradients() -> None:
    """The closure of a line search: zero_grad and backward inside, the step outside."""
    weight = nn.Parameter(pellucid.tensor([1.0, 2.0]))
    optimizer = pellucid.optim.SGD([weight], lr=0.1)

    @pellucid.compile
    def objective() -> pellucid.Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    for turn in range(3):
        objective()
        assert weight.grad is not None
        np.testing.assert_allclose(weight.grad.numpy(), 2 * weight.detach().numpy(), rtol=1e-6)
        optimizer.step()
        expected = np.array([1.0, 2.0]) * 0.8 ** (turn + 1)
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-6)


def steps(compiled: bool) -> list[float]:
    """Two compiled steps in turns, as in adversarial training: the second one's backward pass also
    reaches the parameters of the first, whose gradients are thrown away before they are used."""
    pellucid.manual_seed(1)
    critic, generator = nn.Linear(3, 1), nn.Linear(2, 3)
    first = pellucid.optim.Adam(critic.parameters(), lr=0.1)
    second = pellucid.optim.Adam(generator.parameters(), lr=0.1)

    def critic_step(real: pellucid.Tensor, z: pellucid.Tensor) -> pellucid.Tensor:
        first.zero_grad()
        loss = critic(generator(z).detach()).mean() - critic(real).mean()
        loss.backward()
        first.step()
        return loss

    def generator_step(z: pellucid.Tensor) -> pellucid.Tensor:
        second.zero_grad()
        loss = -critic(generator(z)).sigmoid().mean()
        loss.backward()
        second.step()
        return loss

    if compiled:
        critic_step, generator_step = map(pellucid.compile, (critic_step, generator_step))
    losses = []
    for _ in range(4):
        losses.append(critic_step(pellucid.randn(5, 3), pellucid.randn(5, 2)).item())
        losses.append(generator_step(pellucid.randn(5, 2)).item())
    return losses


def test_steps_in_turns_train_as_they_do_without_compile() -> None:
    np.testing.assert_allclose(steps(True), steps(False), rtol=1e-5)


def test_a_sum_with_a_gradient_that_was_used_up_is_not_known() -> None:
    weight = nn.Parameter(pellucid.ones(2))
    optimizer = pellucid.optim.SGD([weight], lr=0.1)

    @pellucid.compile
    def step() -> pellucid.Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        optimizer.step()
        return loss

    step()
    weight.square().sum().backward()  # outside: no error, and no wrong number either
    with pytest.raises(AutogradError, match="used|fused"):
        _ = weight.grad
    weight.grad = None
    weight.square().sum().backward()
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad.numpy(), 2 * weight.detach().numpy(), rtol=1e-6)
    step()  # compiled anew, with gradients
    assert weight.grad is not None


def test_positions_made_inside_of_a_compiled_model_have_no_gradient_to_compute() -> None:
    """Learned positions looked up at an arange made inside, loss and backward outside."""
    tokens, places = nn.Embedding(7, 4), nn.Embedding(5, 4)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = tokens, places

        def forward(self, ids: pellucid.Tensor) -> pellucid.Tensor:
            positions = pellucid.arange(0, ids.shape[1])
            return (self.tokens(ids) + self.places(positions)).square()

    model = Model()
    ids = pellucid.randint(0, 7, (3, 5))
    found = []
    for run in (model, pellucid.compile(model)):
        model.zero_grad()
        run(ids).sum().backward()
        assert places.weight.grad is not None
        found.append(places.weight.grad.numpy().copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
