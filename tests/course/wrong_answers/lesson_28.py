"""Typical wrong answers to lesson 28, and the hint that each must get."""

from tests.course.wrong import Wrong

RETURN = "def discounted_return(rewards, discount):\n    return {value}"
BEST = """import numpy as np


def best_values(after, earned, ends, discount):
    values = np.zeros(len(ends))
    while True:
        new = (earned + discount * values[after]).max(axis=1)
        {ended}
        if {change} < 1e-9:
            return new
        values = new
"""
GREEDY = """import numpy as np


def greedy_actions(chance, reward, values, discount):
    return np.argmax({q}, axis={axis})
"""
SOLVE = """import numpy as np


def policy_values(chance, reward, policy, discount):
    moves = {moves}
    mean_reward = (policy * reward).sum(axis=1)
    return {value}
"""
MOVES = 'np.einsum("sa,sat->st", policy, chance)'
SOLVED = "np.linalg.solve(np.eye(len(reward)) - discount * moves, mean_reward)"

WRONG = [
    Wrong(
        "28.1",
        RETURN.format(value="sum(r * discount ** (i + 1) for i, r in enumerate(rewards))"),
        "comes at once",
    ),
    Wrong("28.1", RETURN.format(value="rewards[0] + discount * sum(rewards[1:])"), "twice"),
    Wrong("28.1", RETURN.format(value="sum(rewards)"), "of the rest"),
    Wrong("28.2", "always_right = (1.0, -1.0)", "first rewards"),
    Wrong("28.2", "always_right = (-10.0, -8.0)", "L comes first"),
    Wrong("28.2", "always_right = (1.0, -10.0)", "apple first"),
    Wrong("28.3", BEST.format(ended="", change="np.abs(new - values).max()"), "all is over"),
    Wrong("28.3", BEST.format(ended="new[ends] = 0.0", change="(new - values).max()"), "costs 1"),
    Wrong("28.4", GREEDY.format(q="chance @ values", axis=1), "Are both"),
    Wrong("28.4", GREEDY.format(q="reward", axis=1), "Are both"),
    Wrong("28.4", GREEDY.format(q="reward + chance @ values", axis=1), "discounted"),
    Wrong("28.5", SOLVE.format(moves=MOVES, value="mean_reward"), "one step"),
    Wrong("28.5", SOLVE.format(moves=MOVES, value=SOLVED.replace(" - ", " + ")), "you solve"),
    Wrong("28.5", SOLVE.format(moves="chance.mean(axis=1)", value=SOLVED), "always goes right"),
]
