"""A small world of fields: solved exactly where it is known, learned by trying where it is not.

python examples/rewards/grid_world.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

from pellucid.insight.pictures import draw_grid_world
from pellucid.rl import (
    GridWorld,
    cliff_walking,
    expected_sarsa,
    iterate_values,
    monte_carlo_control,
    play,
    q_learning,
    sarsa,
)


def main(folder: Path | None = None, episodes: int = 3000) -> dict[str, float]:
    """How far the learned value of the start is from the exact one, by method."""
    world = GridWorld()
    best = iterate_values(world.mdp(0.9))
    print("exact values:", *np.round(best.values.reshape(3, 4), 2), sep="\n")
    apart = {}
    for learn in (monte_carlo_control, q_learning, sarsa, expected_sarsa):
        values = learn(world, episodes, np.random.default_rng(0), discount=0.9, rate=0.1)
        start = values[8].max()
        apart[learn.__name__] = float(abs(start - best.values[8]))
        print(f"{learn.__name__:20s} {start:.3f} at the start, {best.values[8]:.3f} is best")
    if folder is not None:
        draw_grid_world(
            values.max(1).reshape(3, 4),
            folder / "values.svg",
            policy=values.argmax(1).reshape(3, 4),
            walls=[(1, 1)],
        )
    return apart


def cliff(episodes: int = 2000) -> tuple[float, float]:
    """What the ways of SARSA and of Q-learning earn along a cliff, while they still explore: who
    values what it really does keeps away from the edge."""
    earned = []
    for learn in (sarsa, q_learning):
        values = learn(cliff_walking(), episodes, np.random.default_rng(0), discount=1.0, rate=0.3)
        random, world = np.random.default_rng(1), cliff_walking()

        def often_best(state: np.ndarray, values: np.ndarray = values) -> int:
            if random.random() < 0.1:  # noqa: B023
                return int(random.integers(4))  # noqa: B023
            return int(values[state.argmax()].argmax())

        sums = [sum(step.reward for step in play(world, often_best)) for _ in range(300)]
        earned.append(float(np.mean(sums)))
        print(f"{learn.__name__:11s} {earned[-1]:.1f} an episode along the cliff")
    return earned[0], earned[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    cliff()
