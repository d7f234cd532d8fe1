"""Agents with networks: a pole balanced by PPO, a pendulum swung up by SAC.

python examples/rewards/agents.py [FOLDER]
"""

import sys
from pathlib import Path

from pellucid.rl import SAC, CartPole, Evaluation, SACSettings, agent_for, film, save_gif


def pole(folder: Path | None = None, steps: int = 30_000) -> Evaluation:
    """PPO with the settings that are known for it; 500 steps are all there are."""
    agent = agent_for("ppo", "CartPole-v1", seed=0)
    agent.learn(steps, evaluate_every=steps // 5)
    found = agent.evaluate(episodes=20)
    low, high = found.interval()
    print(f"the pole stands for {found.mean:.0f} steps (95 %: {low:.0f} to {high:.0f})")
    for reason in agent.why_not():
        print(reason)
    if folder is not None:
        save_gif(film(agent.act, CartPole(), seed=0, most=200), folder / "pole.gif")
    return found


def pendulum(steps: int = 15_000) -> Evaluation:
    """SAC; a torque that is too weak to lift the pendulum at once."""
    agent = SAC("Pendulum-v1", SACSettings(lr=1e-3, widths=(64, 64)), seed=0)
    agent.learn(steps, evaluate_every=steps // 5)
    found = agent.evaluate(episodes=20)
    print(f"the pendulum earns {found.mean:.0f}; hanging still it would be about −1,600")
    return found


if __name__ == "__main__":
    pole(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    pendulum()
