"""Typical wrong answers to lesson 21, and the hint that each must get."""

from tests.course.wrong import Wrong

_SOFTMAX = """
import numpy as np

def softmax(scores, axis=-1):
    shifted = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
"""
_LOOKUP = _SOFTMAX + "\ndef lookup(query, keys, values):\n    scores = keys @ query\n    return "
_CAUSAL = _SOFTMAX + "\ndef causal_weights(scores):\n    return "
_ATTENTION = _SOFTMAX + "\ndef attention(q, k, v):\n    scores = q @ k.T\n    return "
_ADDITIVE = (
    _SOFTMAX + "\ndef additive_weights(state, source, w_state, w_source, w_energy):\n"
    "    inner = source @ w_source.T + w_state @ state\n    return "
)

WRONG = [
    Wrong("21.1", _LOOKUP + "softmax(scores) @ values", "not scaled"),
    Wrong("21.1", _LOOKUP + "softmax(scores / len(query)) @ values", "root of d"),
    Wrong("21.1", _LOOKUP + "values[scores.argmax()]", "mixes all"),
    Wrong("21.1", _LOOKUP + "scores / 2 @ values", "sum to 1"),
    Wrong("21.2", _CAUSAL + "softmax(scores) * np.tri(len(scores))", "before the softmax"),
    Wrong("21.2", _CAUSAL + "softmax(scores * np.tri(len(scores)))", "later place"),
    Wrong("21.2", _CAUSAL + "softmax(scores)", "later place"),
    Wrong("21.3", _ATTENTION + "softmax(scores / k.shape[1], axis=0) @ v", "Whose weights"),
    Wrong("21.3", _ATTENTION + "softmax(scores / 3, axis=0) @ v", "Whose weights"),
    Wrong("21.3", _ATTENTION + "softmax(scores / k.shape[1]) @ v", "divisor"),
    Wrong("21.4", _ADDITIVE + "np.tanh(inner) @ w_energy", "energies"),
    Wrong("21.4", _ADDITIVE + "softmax(inner @ w_energy)", "missing"),
    Wrong("21.4", _ADDITIVE + "softmax(source @ state)", "both parts"),
]
