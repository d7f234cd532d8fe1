"""Typical wrong answers to lesson 29, and the hint that each must get."""

from tests.course.wrong import Wrong

ERROR = "def td_error(value, reward, next_values, terminated, discount):\n    return {value}"
TARGETS = "def targets(reward, next_values, next_action, discount):\n    return {value}"
DQN = """def dqn_targets(rewards, next_values, terminated, truncated, discount):
    return rewards + discount * {maximum} * ~({end})
"""
REPLAY = """class Replay:
    def __init__(self, capacity):
        self.steps, self.capacity = [], capacity

    def __len__(self):
        return len(self.steps)

    def add(self, step):
        {full}
        self.steps.append(step)

    def sample(self, count, random):
        return {drawn}
"""
DROP = "self.steps = self.steps[-(self.capacity - 1):]"
ANY = "[self.steps[i] for i in random.integers(len(self.steps), size=count)]"
DOUBLE = """import numpy as np


def double_targets(rewards, online, target, terminated, discount):
    return rewards + discount * {follows} * {left}
"""
GOOD = "target[np.arange(len(online)), online.argmax(axis=1)]"

WRONG = [
    Wrong(
        "29.1",
        ERROR.format(value="reward + discount * max(next_values)"),
        "That is the target",
    ),
    Wrong("29.1", ERROR.format(value="reward + max(next_values) - value"), "minus what"),
    Wrong(
        "29.1",
        ERROR.format(value="reward + discount * max(next_values) - value"),
        "after a terminal state",
    ),
    Wrong(
        "29.2",
        TARGETS.format(value="(reward + discount * max(next_values),) * 2"),
        "really taken next",
    ),
    Wrong(
        "29.2",
        TARGETS.format(
            value="reward + discount * next_values[next_action],"
            " reward + discount * max(next_values)"
        ),
        "the other order",
    ),
    Wrong(
        "29.2",
        TARGETS.format(
            value="reward + max(next_values), reward + discount * next_values[next_action]"
        ),
        "discounted",
    ),
    Wrong("29.3", DQN.format(maximum="next_values.max()", end="terminated"), "of its own"),
    Wrong(
        "29.3",
        DQN.format(maximum="next_values.max(axis=1)", end="terminated | truncated"),
        "only the clock",
    ),
    Wrong(
        "29.3",
        DQN.format(maximum="next_values.max(axis=1)", end="terminated & truncated"),
        "Nothing follows",
    ),
    Wrong("29.4", REPLAY.format(full="pass", drawn=ANY), "more than its capacity"),
    Wrong(
        "29.4",
        REPLAY.format(full="if len(self.steps) == self.capacity: return", drawn=ANY),
        "which step should go",
    ),
    Wrong(
        "29.4",
        REPLAY.format(full=DROP, drawn="self.steps[-count:]"),
        "with repetition",
    ),
    Wrong(
        "29.4",
        REPLAY.format(full=DROP, drawn="self.steps[-1:] * count"),
        "a chance to be drawn",
    ),
    Wrong("29.5", DOUBLE.format(follows="target.max(axis=1)", left="~terminated"), "plain DQN"),
    Wrong("29.5", DOUBLE.format(follows="online.max(axis=1)", left="~terminated"), "own choice"),
    Wrong("29.5", DOUBLE.format(follows=GOOD, left="1"), "Nothing follows"),
]
