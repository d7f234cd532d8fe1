"""Typical wrong answers to lesson 20, and the hint that each must get."""

from tests.course.wrong import Wrong

_GREEDY = """
def greedy(chances, start, end, longest=10):
    written = [start]
    for _ in range(%s):
        found = chances(%s)
        token = max(found, key=found.get)
        %s
        written.append(token)
    return %s
"""
_BEAM = """
import math

def beam(chances, start, end, width, longest=10):
    beams = [([start], 0.0)]
    for _ in range(longest):
        longer = []
        for written, log in beams:
            if %s:
                longer.append((written, log))
                continue
            for token, chance in chances(written).items():
                longer.append((written + [token], %s))
        beams = sorted(longer, key=lambda found: %s)[:width]
    return [token for token in beams[0][0] if token not in (start, end)]
"""
_INPUTS = """
import numpy as np

def decoder_inputs(goals, start):
    %s
"""
_STOP = "if token == end: break"

WRONG = [
    Wrong(
        "20.1",
        "def exact_match(written, wanted):\n"
        "    pairs = [p for a, b in zip(written, wanted) for p in zip(a, b)]\n"
        "    return sum(a == b for a, b in pairs) / len(pairs)",
        "one wrong character",
    ),
    Wrong(
        "20.1",
        "def exact_match(written, wanted):\n"
        "    return sum(a == b for a, b in zip(written, wanted))",
        "A share",
    ),
    Wrong("20.2", _INPUTS % "return goals", "very character"),
    Wrong("20.2", _INPUTS % "return np.insert(goals, 0, start, axis=1)", "As many inputs"),
    Wrong(
        "20.2",
        _INPUTS % "return np.append(goals[:, 1:], np.full((len(goals), 1), start), axis=1)",
        "the future",
    ),
    Wrong(
        "20.2",
        _INPUTS % "goals[:, 1:] = goals[:, :-1].copy(); goals[:, 0] = start; return goals",
        "must not change",
    ),
    Wrong("20.3", _GREEDY % ("longest", "written[1:]", _STOP, "written[1:]"), "first question"),
    Wrong(
        "20.3", _GREEDY % ("longest", "[start, *written[2:]]", _STOP, "written[1:]"), "Ask again"
    ),
    Wrong("20.3", _GREEDY % ("longest", "written", _STOP, "written"), "neither"),
    Wrong("20.3", _GREEDY % ("longest - 1", "written", _STOP, "written[1:]"), "exactly"),
    Wrong("20.4", _BEAM % ("written[-1] == end", "log + math.log(chance)", "found[1]"), "kept"),
    Wrong("20.4", _BEAM % ("written[-1] == end", "log - math.log(chance)", "-found[1]"), "kept"),
    Wrong(
        "20.4",
        _BEAM % ("written[-1] == end", "math.log(chance)", "-found[1]"),
        "all its factors",
    ),
    Wrong("20.4", _BEAM % ("False", "log + math.log(chance)", "-found[1]"), "after the end"),
]
