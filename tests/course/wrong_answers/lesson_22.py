"""Typical wrong answers to lesson 22, and the hint that each must get."""

from tests.course.wrong import Wrong

_POSITIONS = """
import numpy as np

def positions(longest, features):
    places = np.arange(%s)[:, None]
    angles = places / 10000 ** (np.arange(0, features, 2) / %s)
    return np.%s
"""
_TURNS = "stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(longest, features)"
_PARAMETERS = "def parameters(d, feed, layers):\n    return %s"
_HEADS = """
import numpy as np

def mixed(q, k, v, divisor):
    scores = q @ k.T / divisor
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True) @ v

def multi_head(q, k, v, heads):
    cut = [np.split(each, heads, axis=%s) for each in (q, k, v)]
    return np.concatenate([mixed(a, b, c, %s) for a, b, c in zip(*cut)], axis=%s)
"""
_NORM = """
import numpy as np

def layer_norm(x, gain, shift, epsilon=1e-5):
    return %s
"""
_CENTRED = "(x - x.mean(1, keepdims=True))"

WRONG = [
    Wrong(
        "22.1",
        _POSITIONS
        % ("longest", "features", "concatenate([np.sin(angles), np.cos(angles)], axis=1)"),
        "in turn",
    ),
    Wrong("22.1", _POSITIONS % ("1, longest + 1", "features", _TURNS), "Position 0"),
    Wrong("22.1", _POSITIONS % ("longest", "(2 * features)", _TURNS), "exponent"),
    Wrong("22.2", _PARAMETERS % "layers * (4*d*d + 4*d + 2*d*feed + feed + d)", "norms are"),
    Wrong("22.2", _PARAMETERS % "layers * (4*d*d + 2*d*feed + 4*d)", "a bias"),
    Wrong("22.2", _PARAMETERS % "layers * (3*d*d + 3*d + 2*d*feed + feed + d + 4*d)", "fourth"),
    Wrong("22.2", _PARAMETERS % "4*d*d + 4*d + 2*d*feed + feed + d + 4*d", "Each layer"),
    Wrong("22.2", _PARAMETERS % "layers * (4*d*d + 4*d + 2*d*feed + feed + d + 2*d)", "gain"),
    Wrong("22.3", _HEADS.replace("heads, axis", "1, axis") % (1, "8**0.5", 1), "one large head"),
    Wrong("22.3", _HEADS % (1, "q.shape[1]**0.5", 1), "its own number"),
    Wrong("22.3", _HEADS % (1, "1", 1), "not scaled"),
    Wrong("22.3", _HEADS % (0, "2", 0), "its own columns"),
    Wrong("22.4", _NORM % "gain * (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) + shift", "axis"),
    Wrong(
        "22.4",
        _NORM % f"gain * {_CENTRED} / np.sqrt(x.std(1, keepdims=True) + epsilon) + shift",
        "too many",
    ),
    Wrong("22.4", _NORM % f"{_CENTRED} / np.sqrt(x.var(1, keepdims=True) + epsilon)", "Gain and"),
]
