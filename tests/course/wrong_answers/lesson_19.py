"""Typical wrong answers to lesson 19, and the hint that each must get."""

from tests.course.wrong import Wrong

_PERPLEXITY = """
import numpy as np

def perplexity(chances):
    logs = np.log(chances)
    return %s
"""
_BIGRAM = """
def bigram(tokens, before, word, extra=1.0):
    pairs = list(zip(tokens, tokens[1:]))
    both = pairs.count((before, word))
    starts = sum(first == before for first, _ in pairs)
    return %s
"""
_LSTM = """
import numpy as np

def lstm_step(i, f, g, o, c):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))
    new = %s
    return %s
"""
_CLIP = """
import numpy as np

def clip_by_norm(gradients, limit):
    return [%s for g in gradients]
"""
_TEMPERATURE = """
import numpy as np

def with_temperature(scores, temperature):
    chances = np.exp(%s)
    return chances / chances.sum()
"""

WRONG = [
    Wrong("19.1", _PERPLEXITY % "-logs.mean()", "nats"),
    Wrong("19.1", _PERPLEXITY % "1 / np.mean(chances)", "Average the logarithms"),
    Wrong("19.1", _PERPLEXITY % "np.exp(-logs.sum())", "longer text"),
    Wrong("19.1", _PERPLEXITY % "np.exp(logs.mean())", "mind the sign"),
    Wrong("19.1", _PERPLEXITY % "np.exp(-np.log2(chances).mean())", "Mixing bits"),
    Wrong("19.2", _BIGRAM % "(both + extra) / (len(pairs) + extra)", "plain share"),
    Wrong("19.2", _BIGRAM % "(both + extra) / (starts + extra)", "sum to 1"),
    Wrong(
        "19.2",
        _BIGRAM % "(both + extra) / (tokens.count(before) + extra * len(set(tokens)))",
        "last token",
    ),
    Wrong("19.2", _BIGRAM % "(both + (extra > 0)) / (starts + 3 * (extra > 0))", "Use extra"),
    Wrong(
        "19.3",
        _LSTM % ("sigmoid(f) * c + sigmoid(i) * sigmoid(g)", "sigmoid(o) * np.tanh(new), new"),
        "may be negative",
    ),
    Wrong(
        "19.3",
        _LSTM % ("sigmoid(f) * c + np.tanh(g)", "sigmoid(o) * np.tanh(new), new"),
        "input gate",
    ),
    Wrong(
        "19.3",
        _LSTM % ("sigmoid(f) * c + sigmoid(i) * np.tanh(g)", "sigmoid(o) * np.tanh(c), new"),
        "old or the new",
    ),
    Wrong(
        "19.3",
        _LSTM % ("sigmoid(f) * c + sigmoid(i) * np.tanh(g)", "sigmoid(o) * new, new"),
        "tanh of the cell",
    ),
    Wrong("19.4", _CLIP % "np.clip(g, -limit, limit)", "direction"),
    Wrong("19.4", _CLIP % "g * limit / np.linalg.norm(g)", "common length"),
    Wrong(
        "19.4",
        _CLIP % "g * limit / np.sqrt(sum((p**2).sum() for p in gradients))",
        "stays as it is",
    ),
    Wrong("19.5", _TEMPERATURE % "scores * temperature", "Multiply or divide"),
    Wrong("19.5", _TEMPERATURE % "scores / temperature", "too large"),
    Wrong("19.5", _TEMPERATURE % "scores - scores.max()", "before the softmax"),
]
