"""A deep Q-network learns to balance a pole, from nothing but a reward for each step.

python examples/cartpole.py
"""

import numpy as np

from pellucid.rl import DQN, DQNSettings


def main() -> float:
    """Learn for some thousand steps; return how long the pole then stands without chance."""
    settings = DQNSettings(
        lr=2.3e-3,
        batch=64,
        memory=20_000,
        warmup=500,
        every=64,
        updates=32,
        target=10,  # the slower network is made equal to the network every 10 steps
        explore_share=0.3,  # explore less and less
        explore_least=0.04,
        double=True,
    )
    agent = DQN("CartPole-v0", settings, seed=0)
    agent.learn(12_000, evaluate_every=1_500)
    sums = agent.tally.sums
    for start in range(0, len(sums), 50):
        part = sums[start : start + 50]
        print(f"episodes {start + 1:3d} to {start + len(part):3d}: {np.mean(part):5.1f} steps")
    steps = agent.evaluate(5, seed=1).mean
    print(f"without exploration it stands for {steps:.0f} of 200 steps")
    return steps


if __name__ == "__main__":
    main()
