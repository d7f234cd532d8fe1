"""Reasons why an agent does not learn: each found where it was made, none where it learns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.insight import doctor
from pellucid.rl import (
    DQN,
    PPO,
    CartPole,
    Course,
    DQNSettings,
    GridWorld,
    PPOSettings,
    Progress,
    Step,
    find_reasons,
)
from pellucid.rl.worlds import Tally

QUICK = PPOSettings(copies=4, steps=64, batch=64, epochs=4)


class Scaled(CartPole):
    """Rewards a million times as large."""

    def advance(self, m: Any, numbers: Any, action: Any) -> Any:
        after, reward, over = super().advance(m, numbers, action)
        return after, reward * 1e6, over


class Nothing(CartPole):
    """Nothing is ever earned."""

    def advance(self, m: Any, numbers: Any, action: Any) -> Any:
        after, reward, over = super().advance(m, numbers, action)
        return after, reward * 0.0, over


class Confused:
    """A limit of time that is called an end."""

    states, actions = 1, 2

    def reset(self, seed: int | None = None) -> np.ndarray:
        self.age = 0
        return np.zeros(1, np.float32)

    def step(self, action: int) -> Step:
        self.age += 1
        return Step(np.ones(1, np.float32), 1.0, self.age >= 25, False)


def names(agent: Any) -> set[str]:
    return {finding.what for finding in find_reasons(agent)}


def test_an_agent_that_learns_has_no_reasons() -> None:
    agent = PPO("CartPole-v1", QUICK).learn(12_000)
    assert agent.why_not() == []


def test_rewards_of_another_size_and_none_at_all_are_told() -> None:
    frozen = PPOSettings(copies=4, steps=64, batch=64, epochs=1, lr=0.0)
    assert "reward scale" in names(PPO(Scaled(), frozen).learn(2_000))
    assert names(PPO(Nothing(), frozen).learn(2_000)) >= {"the same reward always"}
    assert names(PPO(CartPole(), frozen).learn(2_000)) == {"more steps"}
    assert str(find_reasons(PPO(CartPole(), frozen).learn(2_000))[0]).startswith("more steps: ")


def test_a_limit_that_is_called_an_end_is_told() -> None:
    frozen = PPOSettings(copies=2, steps=64, batch=64, epochs=1, lr=0.0)
    assert "ended or broken off" in names(PPO(Confused(), frozen).learn(2_000))
    honest = PPO(CartPole(limit=25), frozen).learn(2_000)
    assert "ended or broken off" not in names(honest)


def test_episodes_without_an_end_are_told() -> None:
    world = GridWorld("S..\n###\n..G", limit=1_000_000)
    agent = PPO(world, PPOSettings(copies=2, steps=512, batch=512, epochs=1)).learn(12_000)
    assert names(agent) == {"no episode ended"}


def test_a_collapsed_policy_is_told() -> None:
    agent = PPO("CartPole-v1", PPOSettings(copies=4, steps=64, batch=64, epochs=10, lr=0.3))
    agent.learn(4_000)
    assert names(agent) & {"no exploration", "updates too large"}


def test_values_that_explode_are_told() -> None:
    agent = DQN("CartPole-v1", DQNSettings(lr=0.5, target=1, double=False, warmup=50, memory=500))
    agent.learn(3_000)
    assert "exploding values" in names(agent)


@pytest.mark.parametrize(
    ("figures", "what"),
    [
        ({"entropy": 0.001}, "no exploration"),
        ({"epsilon": 0.0}, "no exploration"),
        ({"value": 1e6}, "exploding values"),
        ({"kl": 0.4}, "updates too large"),
        ({"entropy": 0.5, "kl": 0.01, "value": 10.0}, "more steps"),
    ],
)
def test_each_figure_has_its_reason(figures: dict[str, float], what: str) -> None:
    tally = Tally(1)
    tally.sums, tally.lengths = list(np.tile([20.0, 22.0, 19.0], 20)), [20, 22, 19] * 20
    agent = SimpleNamespace(
        tally=tally,
        steps=1200,
        settings=SimpleNamespace(discount=0.99),
        world=SimpleNamespace(bounds=None, actions=2),
        progress=[Progress(1200, 2000, 60, 20.0, 1.0, figures)],
    )
    assert names(agent) == {what}


def course(**known: Any) -> Course:
    sums = list(np.tile([20.0, 22.0, 19.0], 20))
    return Course(sums, [20, 22, 19] * 20, 0, 1200, 2, **known)


def test_a_loop_of_ones_own_is_judged_like_an_agent() -> None:
    assert find_reasons(course())[0].what == "more steps"
    quiet = course()
    quiet.tell(entropy=0.001)
    assert [f.cause for f in find_reasons(quiet)] == ["ENTROPY_COLLAPSE"]
    stuck = course(taken=np.array([1200, 0]))
    assert [f.cause for f in find_reasons(stuck)] == ["EXPLORATION_DEAD"]
    rising = Course(list(np.linspace(10, 200, 60)), [20] * 60, 0, 1200, 2)
    rising.tell(entropy=0.0)
    assert find_reasons(rising) == []


def test_an_environment_is_watched() -> None:
    noted = Course()
    world = noted.watching(CartPole(limit=30))
    world.reset(seed=0)
    lengths, age = [], 0
    for number in range(400):
        step = world.step(number % 2)
        age += 1
        if step.terminated or step.truncated:
            lengths.append(age)
            age = 0
            world.reset(seed=number)
    assert noted.lengths == lengths and noted.steps == 400 and noted.actions == 2
    assert noted.taken is not None and noted.taken.tolist() == [200, 200]
    assert noted.sums == [float(n) for n in lengths]


def test_the_doctor_gives_the_reasons_as_findings() -> None:
    frozen = PPOSettings(copies=4, steps=64, batch=64, epochs=1, lr=0.0)
    report = doctor.examine_agent(PPO(Scaled(), frozen).learn(2_000))
    assert report[0].cause == "REWARD_SCALE" and report[0].evidence[0].value > 1e5
    assert report[0].remedies[0].name == "scale_rewards"
    assert doctor.examine_agent(PPO("CartPole-v1", QUICK).learn(12_000)).is_healthy
    with pytest.raises(ArgumentError, match="An agent was expected"):
        doctor.examine_agent(3)
