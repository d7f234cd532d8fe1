"""Settings that are known to work, and the agents by their names.

The numbers follow those that are published for Stable-Baselines3 (its "RL zoo"), where it learns
these environments.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.rl.a2c import A2C, A2CSettings
from pellucid.rl.agent import Agent
from pellucid.rl.deep_q import DQN, DQNSettings
from pellucid.rl.ppo import PPO, PPOSettings
from pellucid.rl.reinforce import REINFORCE, REINFORCESettings
from pellucid.rl.sac import SAC, SACSettings
from pellucid.rl.td3 import TD3, TD3Settings

ALGORITHMS: dict[str, tuple[Any, Any]] = {
    "a2c": (A2C, A2CSettings),
    "dqn": (DQN, DQNSettings),
    "ppo": (PPO, PPOSettings),
    "reinforce": (REINFORCE, REINFORCESettings),
    "sac": (SAC, SACSettings),
    "td3": (TD3, TD3Settings),
}
"""Name → the agent's class and its settings' class."""


@dataclass(frozen=True)
class Recipe:
    """Settings for an environment, and how many steps they need."""

    settings: Any
    steps: int


_LANDER = PPOSettings(
    copies=16, steps=1024, batch=64, trace=0.98, discount=0.999, epochs=4, entropy=0.01
)
_SPARSE = DQNSettings(
    lr=4e-3, batch=128, memory=10_000, warmup=1000, discount=0.98, target=600, every=16, updates=8,
    explore_share=0.2, explore_least=0.07, widths=(256, 256),
)  # fmt: skip
_SWING = DQNSettings(
    lr=6.3e-4, batch=128, memory=50_000, warmup=0, target=250, every=4, updates=4,
    explore_share=0.12, explore_least=0.1, widths=(256, 256),
)  # fmt: skip

RECIPES: dict[tuple[str, str], Recipe] = {
    ("ppo", "CartPole-v1"): Recipe(
        PPOSettings(
            copies=8, steps=32, batch=256, trace=0.8, discount=0.98, epochs=20, lr=1e-3, decay=True
        ),
        100_000,
    ),
    ("ppo", "Pendulum-v1"): Recipe(
        PPOSettings(copies=4, steps=1024, discount=0.9, lr=1e-3), 200_000
    ),
    ("ppo", "Acrobot-v1"): Recipe(
        PPOSettings(
            copies=16, steps=256, trace=0.94, epochs=4, normalize=True, scale_rewards=True
        ),
        1_000_000,
    ),
    ("ppo", "MountainCar-v0"): Recipe(
        PPOSettings(
            copies=16, steps=64, trace=0.98, epochs=4, lr=1e-3, entropy=0.003, decay=True,
            normalize=True, scale_rewards=True,
        ),
        1_000_000,
    ),
    ("ppo", "LunarLander-v3"): Recipe(_LANDER, 1_000_000),
    ("ppo", "LunarLanderContinuous-v3"): Recipe(_LANDER, 1_000_000),
    ("dqn", "CartPole-v1"): Recipe(
        DQNSettings(
            lr=2.3e-3, batch=64, memory=100_000, warmup=1000, target=10, every=256, updates=128,
            explore_share=0.16, explore_least=0.04, widths=(256, 256),
        ),
        50_000,
    ),
    ("dqn", "MountainCar-v0"): Recipe(_SPARSE, 120_000),
    ("dqn", "Acrobot-v1"): Recipe(_SWING, 100_000),
    ("a2c", "CartPole-v1"): Recipe(A2CSettings(), 200_000),
    ("reinforce", "CartPole-v0"): Recipe(REINFORCESettings(), 200_000),
    ("reinforce", "CartPole-v1"): Recipe(REINFORCESettings(discount=0.99), 500_000),
    ("sac", "Pendulum-v1"): Recipe(SACSettings(lr=1e-3), 20_000),
    ("td3", "Pendulum-v1"): Recipe(TD3Settings(), 20_000),
}  # fmt: skip
"""(algorithm, environment) → settings that work."""

DEFAULT_STEPS = 100_000


def recipe(algorithm: str, environment: str) -> Recipe:
    """The settings for an environment, an algorithm's defaults where none are known."""
    if algorithm not in ALGORITHMS:
        raise ArgumentError(f"algorithm={algorithm!r}", f"use one of {', '.join(ALGORITHMS)}")
    found = RECIPES.get((algorithm, environment.removeprefix("gymnasium:")))
    return found or Recipe(ALGORITHMS[algorithm][1](), DEFAULT_STEPS)


def agent_for(
    algorithm: str, environment: Any, settings: Any = None, seed: int = 0, **changes: Any
) -> Agent:
    """An agent by its algorithm's name, with the settings known for the environment, or given ones;
    ``changes`` replace single settings.

    >>> agent_for("ppo", "CartPole-v1").settings.copies
    8
    """
    if settings is None:
        settings = recipe(algorithm, environment if isinstance(environment, str) else "").settings
    known = {field.name for field in fields(settings)}
    unknown = set(changes) - known
    if unknown:
        raise ArgumentError(
            f"{algorithm} has no setting {', '.join(sorted(unknown))}",
            f"its settings are {', '.join(sorted(known))}",
        )
    made: Agent = ALGORITHMS[algorithm][0](environment, replace(settings, **changes), seed)
    return made
