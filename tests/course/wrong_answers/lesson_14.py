"""Typical wrong answers to lesson 14, and the hint that each must get."""

from tests.course.wrong import Wrong

DRAW = """import numpy as np


def log_uniform(low, high, random):
    return {value}
"""
ERRORS = """import math


def standard_error(accuracy, rows):
    return {error}


def rows_needed(accuracy, error):
    return {rows}
"""
REPORT = """def report(trials):
    best = max(trials, key=lambda trial: trial["{chosen}"])
    return best["settings"], {told}
"""
FLATTERY = """def flattery(models, rows, accuracy, random):
    right = random.binomial({rows}, accuracy, (1000, models)) / {rows}
    return float({value})
"""
PAIRS = """def all_settings(space):
    return [dict(zip(space, values)) for values in zip(*space.values())]
"""
TWO = """def all_settings(space):
    return [{"rate": r, "width": w} for r in space["rate"] for w in space["width"]]
"""
RIGHT = "math.sqrt(accuracy * (1 - accuracy) / rows)"
NEEDED = "accuracy * (1 - accuracy) / error**2"

WRONG = [
    Wrong("14.1", DRAW.format(value="random.uniform(low, high)"), "themselves are evenly spread"),
    Wrong("14.1", DRAW.format(value="random.uniform(np.log(low), np.log(high))"), "turned back"),
    Wrong(
        "14.1",
        DRAW.format(value="10 ** random.uniform(np.log(low), np.log(high))"),
        "the same base",
    ),
    Wrong("14.2", PAIRS, "one by one"),
    Wrong("14.2", TWO.replace("for w in", "for w in 2 *"), "six different"),
    Wrong("14.3", ERRORS.format(error="accuracy * (1 - accuracy) / rows", rows="0"), "variance"),
    Wrong("14.3", ERRORS.format(error="math.sqrt(accuracy * (1 - accuracy))", rows="0"), "single"),
    Wrong("14.3", ERRORS.format(error=RIGHT, rows=f"{NEEDED} + 0.25"), "round up"),
    Wrong("14.3", ERRORS.format(error=RIGHT, rows=f"int({NEEDED} + 1e-9)"), "Rounding down"),
    Wrong("14.3", ERRORS.format(error=RIGHT, rows="round(0.16 / error**2)"), "depend on"),
    Wrong("14.4", REPORT.format(chosen="test", told='best["test"]'), "Which rows may choose"),
    Wrong("14.4", REPORT.format(chosen="validation", told='best["validation"]'), "flattered"),
    Wrong(
        "14.4",
        REPORT.format(chosen="validation", told='max(trial["test"] for trial in trials)'),
        "not the best of all",
    ),
    Wrong("14.5", FLATTERY.format(rows="rows", value="right.max(axis=1).mean()"), "was measured"),
    Wrong("14.5", FLATTERY.format(rows="rows", value="right.mean() - accuracy"), "maximum in each"),
    Wrong("14.5", FLATTERY.format(rows="100", value="right.max(axis=1).mean() - accuracy"), "used"),
]
