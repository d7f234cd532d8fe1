"""A deep Q-network learns to balance a pole, from nothing but a reward for each step.

python examples/cartpole.py
"""

import numpy as np

import pellucid
from pellucid import optim
from pellucid.models import DQN
from pellucid.rl import CartPole, play, train_dqn


def main() -> float:
    """Train until ten episodes last long; return how long the pole then stands without chance."""
    pellucid.manual_seed(0)
    network = DQN(states=4, actions=2)
    sums = train_dqn(
        CartPole(limit=200),
        network,
        optim.Adam(network.parameters(), lr=1e-3),
        epsilon=lambda episode: max(0.05, 0.5 * 0.97**episode),  # explore less and less
        soft=0.01,  # the target network follows the network slowly
        double=True,
        enough=lambda sums: len(sums) > 20 and np.mean(sums[-10:]) >= 190,
    )
    for start in range(0, len(sums), 10):
        part = sums[start : start + 10]
        print(f"episodes {start + 1:3d} to {start + len(part):3d}: {np.mean(part):5.1f} steps")

    def best(state: np.ndarray) -> int:
        with pellucid.no_grad():
            return int(network(pellucid.tensor(state)).argmax())

    steps = float(np.mean([len(play(CartPole(200), best, seed=seed)) for seed in range(5)]))
    print(f"without exploration it stands for {steps:.0f} of 200 steps")
    return steps


if __name__ == "__main__":
    main()
