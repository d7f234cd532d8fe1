"""Typical wrong answers to lesson 26, and the hint that each must get."""

from tests.course.wrong import Wrong

ASSIGN = """def assign(points, centres):
    differences = points[:, None, :] - centres[None, :, :]
    return {value}
"""
MOVE = """import numpy as np


def new_centres(points, labels, centres):
    return np.array([points[labels == k].mean({axis}) for k in range(len(centres))])
"""
PURITY = """import numpy as np


def purity(labels, classes):
    right = []
    for group in {groups}:
        right.append({value})
    return {result}
"""
PCA = """import numpy as np


def first_direction(points):
    points = {centred}
    values, directions = np.linalg.eigh(points.T @ points / len(points))
    return directions[{which}]
"""
COMMONEST = "np.unique(classes[labels == group], return_counts=True)[1].max()"

WRONG = [
    Wrong("26.1", ASSIGN.format(value="(differences**2).sum(axis=2).argmax(axis=1)"), "farthest"),
    Wrong("26.1", ASSIGN.format(value="(differences**2).sum(axis=2).argmin(axis=0)"), "each point"),
    Wrong("26.1", ASSIGN.format(value="abs(differences.sum(axis=2)).argmin(axis=1)"), "cancel"),
    Wrong("26.2", MOVE.format(axis=""), "which axis"),
    Wrong("26.2", MOVE.format(axis="axis=0"), "mean of nothing"),
    Wrong(
        "26.3",
        PURITY.format(
            groups="np.unique(labels)",
            value="(classes[labels == group] == group).sum()",
            result="sum(right) / len(classes)",
        ),
        "not a class",
    ),
    Wrong(
        "26.3",
        PURITY.format(
            groups="np.unique(labels)",
            value=f"{COMMONEST} / (labels == group).sum()",
            result="np.mean(right)",
        ),
        "averages over groups",
    ),
    Wrong(
        "26.3",
        PURITY.format(
            groups="range(len(np.unique(labels)))",
            value=f"{COMMONEST} if (labels == group).any() else 0",
            result="sum(right) / len(classes)",
        ),
        "need not be",
    ),
    Wrong("26.4", PCA.format(centred="points", which=":, -1"), "where the origin is"),
    Wrong("26.4", PCA.format(centred="points - points.mean(axis=0)", which=":, 0"), "differ least"),
]
