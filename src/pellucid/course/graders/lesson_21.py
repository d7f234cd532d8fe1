"""Graders of lesson 21: attention."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.course.grading import Answer, Hint, Judge, exercise

Floats = npt.NDArray[np.float64]


def _softmax(scores: Floats, axis: int = -1) -> Floats:
    shifted: Floats = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=axis, keepdims=True), np.float64)


@exercise("21.1", asks="lookup")
def lookup(answer: Answer, judge: Judge) -> None:
    """Scaled scores, shares over the keys, the mean of the values."""
    query = np.array([1.0, 2.0, 0.0, -1.0])
    keys = np.array([[1.0, 0, 0, 0], [0, 2.0, 0, 1], [1, 1, 1, -1]])
    values = np.array([[1.0, 0.0], [0.0, 2.0], [5.0, -1.0]])
    scores = keys @ query
    found = answer(query, keys, values)
    judge.shape(found, (2,), Hint(en="The result is one value vector.", zh="结果是一个值向量。"))
    judge.that(
        not np.allclose(found, _softmax(scores) @ values),
        Hint(
            en="The scores are not scaled: divide them by something that depends on d.",
            zh="得分没有缩放：要除以一个与 d 有关的数。",
        ),
    )
    judge.that(
        not np.allclose(found, _softmax(scores / 4) @ values),
        Hint(
            en="Scores of length d vary by the root of d.",
            zh="长度为 d 的点积，标准差是 d 的平方根。",
        ),
    )
    judge.that(
        not np.allclose(found, values[scores.argmax()]),
        Hint(
            en="A soft dictionary mixes all values; this takes the best one alone.",
            zh="软字典要混合所有的值，这里只取了最好的一个。",
        ),
    )
    judge.close(
        found,
        _softmax(scores / 2) @ values,
        Hint(
            en="Turn scores into weights that sum to 1, then take the weighted mean of the values.",
            zh="先把得分变成和为 1 的权重，再对值求加权平均。",
        ),
    )


@exercise("21.2", asks="causal_weights")
def causal_weights(answer: Answer, judge: Judge) -> None:
    """Zero above the diagonal, rows that sum to 1."""
    scores = np.array([[0.0, 5.0, 1.0], [1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
    later = np.triu(np.ones((3, 3), bool), 1)
    found = answer(scores.copy())
    judge.shape(found, (3, 3), Hint(en="One weight for each score.", zh="每个得分对应一个权重。"))
    found = np.asarray(found, float)
    judge.that(
        bool(np.isfinite(found).all()),
        Hint(
            en="The first row may look at its own place; a row without any place gives 0/0.",
            zh="第一行可以看自己；一个位置都不能看的行，会变成 0 除以 0。",
        ),
    )
    judge.that(
        not np.any(found[later] > 1e-9),
        Hint(
            en="Some row looks at a later place. A score of 0 is not a weight of 0.",
            zh="有的行看到了后面的位置。得分为 0，权重并不是 0。",
        ),
    )
    judge.close(
        found.sum(axis=1),
        np.ones(3),
        Hint(
            en="Rows do not sum to 1: hide the scores before the softmax, not the weights "
            "after it.",
            zh="各行之和不是 1：要在 softmax 之前遮住得分，而不是之后遮住权重。",
        ),
    )
    judge.close(
        found,
        _softmax(np.where(later, -np.inf, scores)),
        Hint(en="Softmax along each row.", zh="沿着每一行做 softmax。"),
    )


@exercise("21.3", asks="attention")
def attention(answer: Answer, judge: Judge) -> None:
    """Rows sum to 1; the root of d."""
    rng = np.random.default_rng(3)
    q, k, v = rng.normal(size=(2, 9)), rng.normal(size=(3, 9)), rng.normal(size=(3, 4))
    scores = q @ k.T
    found = answer(q, k, v)
    judge.shape(found, (2, 4), Hint(en="A mixture for each query.", zh="每个查询得到一个混合。"))
    for divisor in (9, 3):
        judge.that(
            not np.allclose(found, _softmax(scores / divisor, axis=0) @ v),
            Hint(
                en="Whose weights sum to 1: those of a query, or those of a key?",
                zh="和为 1 的是哪些权重：同一个查询的，还是同一个键的？",
            ),
        )
    judge.that(
        not np.allclose(found, _softmax(scores / 9) @ v),
        Hint(
            en="One bug is found. Look at the divisor: what is the deviation of a sum of d terms?",
            zh="找到了一处。再看除数：d 项之和的标准差是多少？",
        ),
    )
    judge.close(
        found,
        _softmax(scores / 3) @ v,
        Hint(en="Compare with the formula of the lesson.", zh="与课文里的公式对照。"),
    )


@exercise("21.4", asks="additive_weights")
def additive_weights(answer: Answer, judge: Judge) -> None:
    """v tanh(W_s s + W_h h), softmax over the source."""
    rng = np.random.default_rng(4)
    state, source = rng.normal(size=3), rng.normal(size=(5, 3))
    w_state, w_source, w_energy = (rng.normal(size=s) for s in ((4, 3), (4, 3), 4))
    inner = source @ w_source.T + w_state @ state
    found = answer(state, source, w_state, w_source, w_energy)
    judge.shape(
        found, (5,), Hint(en="One weight for each source place.", zh="来源的每个位置一个权重。")
    )
    judge.that(
        not np.allclose(found, np.tanh(inner) @ w_energy),
        Hint(
            en="These are the energies. Weights are shares: they sum to 1.",
            zh="这还是得分。权重是比例，和为 1。",
        ),
    )
    judge.that(
        not np.allclose(found, _softmax(inner @ w_energy)),
        Hint(
            en="Something between the two layers is missing. Without it the state would not matter "
            "at all.",
            zh="两层之间少了点什么。少了它，状态就完全不起作用。",
        ),
    )
    judge.close(
        found,
        _softmax(np.tanh(inner) @ w_energy),
        Hint(
            en="tanh of the sum of both parts, then one number for each place, then softmax.",
            zh="两份相加取 tanh，再变成每个位置一个数，最后 softmax。",
        ),
    )
