"""Typical wrong answers to lesson 18, and the hint that each must get."""

from tests.course.wrong import Wrong

_NEIGHBOURS = """
def neighbours(tokens, word, window):
    found = {}
    for place, token in enumerate(tokens):
        if token == word:
            for other in range(%s):
                if %s:
                    found[tokens[other]] = found.get(tokens[other], 0) + 1
    return found
"""
_PPMI = """
import numpy as np

def ppmi(counts):
    each = counts.sum(axis=0)
    ratio = counts * counts.sum() / np.outer(each, each)
    with np.errstate(divide="ignore"):
        return %s
"""
_SIMILAR = """
import numpy as np

def most_similar(word, words, vectors):
    place = words.index(word)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = %s
    %s
    return words[int(scores.argmax())]
"""
_LOSS = """
import numpy as np

def negative_sampling_loss(centre, right, wrong):
    def cost(score):
        return np.log1p(np.exp(-score))
    return cost(centre @ right) + %s
"""
_LEFT = "max(0, place - window), place"
_BOTH = "max(0, place - window), min(len(tokens), place + window + 1)"

WRONG = [
    Wrong("18.1", _NEIGHBOURS % (_LEFT, "True"), "both sides"),
    Wrong("18.1", _NEIGHBOURS % (_BOTH, "True"), "itself is not one"),
    Wrong(
        "18.1",
        _NEIGHBOURS % ("place - window, min(len(tokens), place + window + 1)", "other != place"),
        "both ends of the text",
    ),
    Wrong("18.1", _NEIGHBOURS % (_BOTH, "tokens[other] != word"), "at another place"),
    Wrong("18.2", _PPMI % "np.log2(ratio)", "infinity"),
    Wrong("18.2", _PPMI % "np.where(counts > 0, np.log2(ratio), 0)", "positive part"),
    Wrong("18.2", _PPMI % "np.maximum(np.log(ratio), 0)", "Bits"),
    Wrong("18.2", _PPMI % "np.maximum(np.log2(counts / counts.sum()), 0)", "chance alone"),
    Wrong("18.3", _SIMILAR % ("unit @ unit[place]", ""), "itself"),
    Wrong("18.3", _SIMILAR % ("vectors @ vectors[place]", "scores[place] = -9e9"), "directions"),
    Wrong("18.3", _SIMILAR % ("unit @ unit[place]", "scores[place] = 0"), "negative"),
    Wrong("18.4", _LOSS % "cost(wrong @ centre).sum()", "what we want"),
    Wrong("18.4", _LOSS % "cost(-wrong @ centre).mean()", "averaged"),
]
