"""Ten slot machines: who finds the best one?

python examples/rewards/bandits.py
"""

import sys
from pathlib import Path

import numpy as np

from pellucid.insight.pictures import draw_rewards
from pellucid.rl import UCB, Bandit, EpsilonGreedy, GradientBandit, ThompsonSampling, bandit_curve

PLAYERS = {
    "greed": lambda machines: EpsilonGreedy(machines, epsilon=0.0),
    "ε-greedy": EpsilonGreedy,
    "UCB": lambda machines: UCB(machines, width=0.5),
    "gradient": lambda machines: GradientBandit(machines, rate=0.4),
    "Thompson": ThompsonSampling,
}


def machines(random: np.random.Generator) -> Bandit:
    """Ten machines with chances from 0 to 1."""
    return Bandit(random.random(10))


def main(folder: Path | None = None, steps: int = 1000, runs: int = 100) -> dict[str, float]:
    """The share of plays of the best machine at the end, by player; draws mean rewards."""
    curves, share = {}, {}
    for name, player in PLAYERS.items():
        curves[name], best = bandit_curve(machines, player, steps, runs)
        share[name] = float(best[-steps // 10 :].mean())
        print(f"{name:10s} {curves[name].mean():.3f} a play, the best machine in {share[name]:.0%}")
    if folder is not None:
        draw_rewards(curves, folder / "bandits.svg", window=steps // 20, along="play")
    return share


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
