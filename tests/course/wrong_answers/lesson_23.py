"""Typical wrong answers to lesson 23, and the hint that each must get."""

from tests.course.wrong import Wrong

_PIECES = """
import numpy as np

def pieces(ids, starts, context):
    cut = np.stack([ids[start : start + context%s] for start in starts])
    return %s
"""
_NUCLEUS = """
import numpy as np

def nucleus(chances, share):
    order = np.argsort(%s)
    total = chances[order].cumsum()
    kept = order[%s]
    found = np.zeros(len(chances))
    found[kept] = chances[kept]
    return %s
"""
_LEAKS = """
def leaks(model, ids, place):
    changed = %s
    changed[place] += 1
    return model(ids)[%s] != model(changed)[%s]
"""
_BEFORE = "total - chances[order] < share"

WRONG = [
    Wrong("23.1", _PIECES % ("", "cut[:, :-1], cut[:, 1:]"), "as long as"),
    Wrong("23.1", _PIECES % ("", "cut, cut"), "already sees"),
    Wrong("23.1", _PIECES % (" + 1", "cut[:, 1:], cut[:, :-1]"), "own start"),
    Wrong("23.2", _NUCLEUS % ("-chances", "total < share", "found / found.sum()"), "crosses"),
    Wrong("23.2", _NUCLEUS % ("-chances", _BEFORE, "found"), "sum 1"),
    Wrong("23.2", _NUCLEUS % ("chances", _BEFORE, "found / found.sum()"), "likeliest"),
    Wrong("23.2", _NUCLEUS % ("-chances", _BEFORE, "found[order] / found.sum()"), "own place"),
    Wrong("23.3", _LEAKS % ("list(ids)", "place", "place"), "must not change"),
    Wrong("23.3", _LEAKS % ("ids", ":place", ":place"), "changed for its owner"),
    Wrong("23.3", _LEAKS % ("list(ids)", "0", "0"), "one place ahead"),
]
