"""Typical wrong answers to lesson 31, and the hint that each must get."""

from course.wrong import Wrong

_GRADIENTS = """
import numpy as np

def integrated_gradients(gradient, x, baseline, steps=100):
    t = (np.arange(steps) + 0.5) / steps
    points = {}
    return {} * gradient(points).{}(axis=0)
"""
_OCCLUSION = """
import numpy as np

def occlusion(score, image, size):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    result = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            covered = {}
            covered[i * size : (i + 1) * size, j * size : (j + 1) * size] = 0
            result[i, j] = {}
    return result
"""
_WAY = "baseline + t[:, None] * (x - baseline)"

WRONG = [
    Wrong(
        "31.1", "def gap(shares, score, base):\n    return score - base - sum(shares)", "missing"
    ),
    Wrong(
        "31.1",
        "def gap(shares, score, base):\n    return abs(score - base - sum(shares)) / score",
        "itself",
    ),
    Wrong(
        "31.1",
        "def gap(shares, score, base):\n"
        "    return abs(score - base - sum(shares)) / (score - base)",
        "negative",
    ),
    Wrong("31.2", _GRADIENTS.format(_WAY, "(x - baseline)", "sum"), "number of steps"),
    Wrong("31.2", _GRADIENTS.format(_WAY, "x", "mean"), "How long"),
    Wrong("31.2", _GRADIENTS.format("t[:, None] * x", "(x - baseline)", "mean"), "begin"),
    Wrong(
        "31.3",
        "def shapley(worth, players):\n    return {p: worth(frozenset([p])) for p in players}",
        "alone",
    ),
    Wrong(
        "31.3",
        "def shapley(worth, players):\n"
        "    shares, present = {}, frozenset()\n"
        "    for p in players:\n"
        "        shares[p] = worth(present | {p}) - worth(present)\n"
        "        present |= {p}\n"
        "    return shares",
        "One order",
    ),
    Wrong(
        "31.4",
        _OCCLUSION.format("image", "score(image) - score(covered)"),
        "image has changed",
    ),
    Wrong(
        "31.4",
        _OCCLUSION.format("image.copy()", "score(covered) - score(image)"),
        "sign",
    ),
    Wrong("31.4", _OCCLUSION.format("image.copy()", "score(covered)"), "that are left"),
]
