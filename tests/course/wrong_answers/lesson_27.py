"""Typical wrong answers to lesson 27, and the hint that each must get."""

from tests.course.wrong import Wrong

MEAN = "def updated_mean(value, count, reward):\n    return {value}"
CHANCES = """import numpy as np


def choice_chances(values, epsilon):
    chances = np.full(len(values), {others})
    chances[np.argmax(values)] = {best}
    return chances
"""
PLAYER = """import numpy as np


class Player:
    def __init__(self, machines, epsilon):
        self.values, self.counts = np.zeros(machines), np.zeros(machines)
        self.epsilon = epsilon

    def choose(self, random):
        if random.random() {sign} self.epsilon:
            return int(random.integers(len(self.values)))
        return int(self.values.argmax())

    def learn(self, machine, reward):
        self.counts[machine] += 1
        self.values[machine] += (reward - self.values[machine]) / {by}
"""
UCB = """import numpy as np


def choose_ucb(values, counts, width):
    {first}
    return int(np.argmax(values + {room}))
"""
STEP = """import numpy as np


def preference_step(preferences, machine, reward, baseline, rate):
    chances = {chances}
    played = np.arange(len(preferences)) == machine
    return preferences + rate * {change}
"""
ROOM = "width * np.sqrt(np.log(counts.sum()) / counts)"
SOFTMAX = "np.exp(preferences) / np.exp(preferences).sum()"

WRONG = [
    Wrong(
        "27.1",
        MEAN.format(value="value + (reward - value) / max(count, 1)"),
        "number of old rewards",
    ),
    Wrong("27.1", MEAN.format(value="(value + reward) / 2"), "first reward"),
    Wrong("27.2", CHANCES.format(others="epsilon / (len(values) - 1)", best="1 - epsilon"), "too"),
    Wrong("27.2", CHANCES.format(others="epsilon", best="1 - 3 * epsilon"), "explor"),
    Wrong("27.3", PLAYER.format(sign=">", by="self.counts[machine]"), "nearly always"),
    Wrong("27.3", PLAYER.format(sign="<", by="self.counts.sum()"), "own rewards"),
    Wrong("27.4", UCB.format(first="", room=ROOM.replace("width * ", "")), "width 0"),
    Wrong(
        "27.4",
        UCB.format(first="", room="width * np.sqrt(np.log(counts.sum()) / np.maximum(counts, 3))"),
        "comes first",
    ),
    Wrong(
        "27.5",
        STEP.format(chances=SOFTMAX, change="reward * (played - chances)"),
        "better the reward",
    ),
    Wrong(
        "27.5",
        STEP.format(chances=SOFTMAX, change="(reward - baseline) * played"),
        "not played",
    ),
    Wrong(
        "27.5",
        STEP.format(
            chances="np.full(len(preferences), 1 / len(preferences))",
            change="(reward - baseline) * (played - chances)",
        ),
        "softmax",
    ),
]
