"""Learning from rewards: bandits, known worlds, episodes, and agents with networks.

References: "Deep Learning from Scratch 4" (Saitoh, 2022; chapter), and the scores that the RL zoo
of Stable-Baselines3 publishes (``benchmark.md``: mean and deviation, one run, deterministic
actions).  Ours are the mean of 100 whole episodes with the best weights of the run, seed 0, in the
steps that are named.  A score counts as reached where its interval (95 %) touches the reference's
mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Skipped
from systems import Figure, System

PLAYED = 100


def agent(
    algorithm: str, environment: str, reference: float, steps: int, **changes: Any
) -> Callable[[bool], Figure]:
    """Learns and plays ``PLAYED`` episodes."""

    def measure(quick: bool) -> Figure:
        from pellucid.base.errors import ArgumentError
        from pellucid.base.extras import MissingPackageError
        from pellucid.rl import agent_for

        try:
            made = agent_for(algorithm, environment, seed=0, **changes)
        except (ArgumentError, MissingPackageError) as problem:
            raise Skipped(problem.message) from problem
        began = time.perf_counter()
        made.learn(steps // 20 if quick else steps, evaluate_every=max(steps // 20, 1))
        seconds = time.perf_counter() - began
        found = made.evaluate(PLAYED)
        low, high = found.interval()
        text = f"{found.mean:.1f} ± {found.deviation:.1f} ({made.steps:,} steps, {seconds:.0f} s)"
        return Figure(text, high >= reference)

    return measure


def bandit(quick: bool) -> Figure:
    from pellucid.rl import Bandit, EpsilonGreedy, bandit_curve

    rewards, _ = bandit_curve(
        lambda random: Bandit(random.random(10)), EpsilonGreedy, 1000, 20 if quick else 200
    )
    return Figure(f"{rewards.sum():.0f} in the mean of 200 runs", 820 < rewards.sum() < 880)


def grid(quick: bool) -> Figure:
    from pellucid.rl import GridWorld, evaluate_policy, iterate_values

    mdp = GridWorld().mdp(0.9)
    best = iterate_values(mdp, 1e-3, in_place=True)
    walk = evaluate_policy(mdp, np.full((12, 4), 0.25), 1e-3, in_place=True)
    expected = [0.81, 0.9, 1, 0, 0.729, 0, 0.9, 1, 0.6561, 0.729, 0.81, 0.729]
    exact = np.allclose(best.values, expected, atol=1e-9)
    text = f"V* in {best.sweeps} sweeps, the uniform policy in {walk.sweeps}"
    return Figure(text, exact and (best.sweeps, walk.sweeps) == (4, 23))


def sampling(quick: bool) -> Figure:
    from pellucid.rl import importance_moments

    mean, variance = importance_moments([1, 2, 3], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6])
    return Figure(f"mean {mean:.2f}, variance {variance:.2f}", abs(variance - 2.56) < 1e-9)


def speed(algorithm: str) -> Callable[[bool], Figure]:
    """Steps per second of ours and of Stable-Baselines3, on CartPole with its own defaults."""

    def measure(quick: bool) -> Figure:
        ours, theirs = own_speed(algorithm, quick), their_speed(algorithm, quick)
        text = f"{ours:,.0f} steps/s, Stable-Baselines3 {theirs:,.0f}: {ours / theirs:.0f} times"
        return Figure(text, ours >= 5 * theirs)

    return measure


def own_speed(algorithm: str, quick: bool) -> float:
    """Steps of learning per second, compiling left out."""
    from pellucid.rl import DQN, PPO, DQNSettings

    # Double Q-learning is off, as there.
    made: Any = (
        PPO("CartPole-v1") if algorithm == "ppo" else DQN("CartPole-v1", DQNSettings(double=False))
    )
    made.learn(2048)
    steps = 4096 if quick else 81_920
    began = time.perf_counter()
    made.learn(steps)
    return steps / (time.perf_counter() - began)


def their_speed(algorithm: str, quick: bool) -> float:
    """The same of Stable-Baselines3."""
    try:
        import stable_baselines3
        import torch
    except ImportError as problem:
        raise Skipped("needs stable_baselines3") from problem

    import pellucid

    torch.set_num_threads(pellucid.get_num_threads())
    kind = getattr(stable_baselines3, algorithm.upper())
    made = kind("MlpPolicy", "CartPole-v1", device="cpu", seed=0)
    made.learn(2048)
    steps = 2048 if quick else 10_240
    began = time.perf_counter()
    made.learn(steps)
    return steps / (time.perf_counter() - began)


SYSTEMS = [
    System("Bandit, ε = 0.1", "865 of 1000, one run (book 4, ch. 1)", bandit),
    System("Grid world, known", "4 and 23 sweeps, V* exact (ch. 4)", grid),
    System("Importance sampling", "2.70, variance 2.56 (ch. 5)", sampling),
    System("CartPole-v0, DQN", "200 (ch. 8)", agent("dqn", "CartPole-v0", 200, 50_000, lr=2.3e-3,
           batch=64, memory=100_000, warmup=1000, target=10, every=256, updates=128,
           explore_share=0.16, explore_least=0.04, widths=(256, 256))),
    System("CartPole-v0, REINFORCE", "200 (ch. 9)",
           agent("reinforce", "CartPole-v0", 200, 200_000)),
    System("CartPole-v1, A2C", "500 (zoo)", agent("a2c", "CartPole-v1", 500, 200_000)),
    System("CartPole-v1, PPO", "500 (zoo)", agent("ppo", "CartPole-v1", 500, 100_000)),
    System("CartPole-v1, DQN", "500 (zoo)", agent("dqn", "CartPole-v1", 500, 50_000)),
    System("Acrobot-v1, PPO", "−73.5 ± 18.2 (zoo)", agent("ppo", "Acrobot-v1", -73.5, 1_000_000)),
    System("Acrobot-v1, DQN", "−76.6 ± 11.8 (zoo)", agent("dqn", "Acrobot-v1", -76.6, 100_000)),
    System("MountainCar-v0, DQN", "−100.8 ± 9.9 (zoo)",
           agent("dqn", "MountainCar-v0", -100.8, 120_000)),
    System("MountainCar-v0, PPO", "−110.4 ± 19.5 (zoo)",
           agent("ppo", "MountainCar-v0", -110.4, 1_000_000)),
    System("Pendulum-v1, PPO", "−172.2 ± 104.2 (zoo)",
           agent("ppo", "Pendulum-v1", -172.2, 200_000)),
    System("Pendulum-v1, SAC", "−157.0 ± 88.7 (zoo)", agent("sac", "Pendulum-v1", -157.0, 20_000)),
    System("Pendulum-v1, TD3", "−151.9 ± 90.2 (zoo)", agent("td3", "Pendulum-v1", -151.9, 20_000)),
    System("LunarLander-v3, PPO", "242.1 ± 31.8 (zoo, v2)",
           agent("ppo", "LunarLander-v3", 242.1, 1_000_000)),
    System("PPO, speed", "5 × Stable-Baselines3", speed("ppo")),
    System("DQN, speed", "5 × Stable-Baselines3", speed("dqn")),
]  # fmt: skip
