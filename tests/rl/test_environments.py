"""Environments: what they answer, when episodes end, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.base.extras import MissingPackageError
from pellucid.rl import CartPole, GridWorld, Gymnasium, Step, play


def test_D25_an_agent_acts_and_the_environment_answers_with_state_reward_and_done() -> None:
    """The loop of agent and environment, by hand: reset, then steps until done."""
    world = GridWorld()
    state, rewards = world.reset(), []
    assert state.shape == (12,) and state.argmax() == 8 and state.sum() == 1
    for action in (0, 0, 3, 3, 3):  # up, up, right, right, right
        answer = world.step(action)
        rewards.append(answer.reward)
        assert answer.state.dtype == np.float32
    assert rewards == [0, 0, 0, 0, 1]
    assert answer.terminated and answer.done and not answer.truncated


def test_walls_borders_and_traps_of_a_grid_world() -> None:
    world = GridWorld()
    world.reset()
    assert world.step(2).state.argmax() == 8  # the border
    world.step(0)
    assert world.step(3).state.argmax() == 4  # the wall
    for action in (1, 3, 3, 3):
        world.step(action)
    answer = world.step(0)
    assert answer.state.argmax() == 7 and answer.reward == -1 and not answer.done
    assert world.step(3).reward == -1  # bumping into the border, still in the trap


def test_a_cart_moves_by_the_equations_of_motion() -> None:
    """Against the textbook's equations solved for both accelerations at once."""
    cart = CartPole()
    state = cart.reset(seed=3).astype(float)
    for action in (1, 1, 0, 1, 0, 0, 0):
        x, v, angle, w = state
        force, m, big, length = (10 if action else -10), 0.1, 1.0, 0.5
        # (M+m) a + m l (α cos θ − ω² sin θ) = F ;  a cos θ + 4/3 l α = g sin θ
        system = [[big + m, m * length * math.cos(angle)], [math.cos(angle), 4 / 3 * length]]
        right = [force + m * length * w**2 * math.sin(angle), 9.8 * math.sin(angle)]
        a, alpha = np.linalg.solve(system, right)
        state = state + 0.02 * np.array([v, a, w, alpha])
        found = cart.step(action)
        np.testing.assert_allclose(found.state, state, rtol=1e-4, atol=1e-6)
        assert found.reward == 1 and not found.done


def test_a_cart_falls_or_is_stopped_at_the_limit() -> None:
    episode = play(CartPole(), lambda state: 1, seed=0)
    assert episode[-1].terminated and len(episode) < 15
    leaning = play(CartPole(limit=20), lambda state: int(state[2] + state[3] > 0), seed=0)
    assert len(leaning) == 20 and not leaning[-1].terminated
    steady = play(CartPole(limit=200), lambda state: int(state[2] + state[3] > 0), seed=1)
    assert len(steady) == 200  # a simple rule balances: towards where it leans and turns


def test_seeds_repeat_episodes() -> None:
    first, second = (
        play(CartPole(), lambda state: int(state[2] > 0), seed=seed) for seed in (5, 5)
    )
    assert all((a.state == b.state).all() for a, b in zip(first, second, strict=True))
    cart = CartPole()
    cart.reset(seed=5)
    assert not (cart.reset() == cart.reset()).any()


class _Space:
    def __init__(self, **facts: object) -> None:
        self.__dict__.update(facts)

    def __repr__(self) -> str:
        return f"Space({self.__dict__})"


class _Counting:
    """An environment with Gymnasium's five answers."""

    action_space = _Space(n=3)
    observation_space = _Space(shape=(2, 2))

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, dict]:
        self.count = 0
        return np.zeros((2, 2)), {}

    def step(self, action: int) -> tuple:
        self.count += action
        return np.full((2, 2), self.count), 0.5, self.count > 3, self.count == 3, {}


def test_an_environment_with_gymnasiums_interface_can_be_used() -> None:
    wrapped = Gymnasium(_Counting())
    assert (wrapped.states, wrapped.actions) == (4, 3)
    assert wrapped.reset(1).tolist() == [0, 0, 0, 0]
    answers = [wrapped.step(2), wrapped.step(1)]
    assert answers[0].state.dtype == np.float32 and answers[0].reward == 0.5
    assert [a.done for a in answers] == [False, True]
    assert not answers[1].terminated and answers[1].truncated
    wrapped.environment.action_space = wrapped.environment.observation_space
    with pytest.raises(ArgumentError, match="numbered actions"):
        Gymnasium(wrapped.environment)


def test_a_missing_gymnasium_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(MissingPackageError, match=r"package gymnasium.*\n.*pellucid\[rl\]"):
        Gymnasium("CartPole-v1")


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"no episode runs[^\n]*\n.*reset\(\) first"):
        CartPole().step(0)
    cart = CartPole(limit=1)
    cart.reset()
    for action in (2, -1, 0.5):
        with pytest.raises(ArgumentError, match="use a number from 0 to 1"):
            cart.step(action)  # type: ignore[arg-type]
    assert cart.step(0).truncated
    with pytest.raises(ArgumentError, match="no episode runs"):
        cart.step(0)
    with pytest.raises(ArgumentError, match="limit=0"):
        CartPole(limit=0)
    for plan in ("", "S.\n...", "S?", "..", "SS"):
        with pytest.raises(ArgumentError, match="the plan"):
            GridWorld(plan)


def test_a_step_is_done_when_it_ended_or_was_broken_off() -> None:
    state = np.zeros(1, np.float32)
    for ended in (False, True):
        for broken in (False, True):
            assert Step(state, 0.0, ended, broken).done == (ended or broken)
