"""Graders of lesson 19: language models."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("19.1", asks="perplexity")
def perplexity(answer: Answer, judge: Judge) -> None:
    """exp of the mean surprise: 4 for quarters, whatever the length."""
    chances = [0.5, 0.1, 0.25, 0.9]
    logs = np.log(chances)
    found = answer(list(chances))
    judge.that(
        not np.isclose(found, -logs.mean()),
        Hint(
            en="This is the mean surprise in nats. Perplexity is a number of "
            "equally likely tokens.",
            zh="这是平均惊奇，单位是奈特。困惑度说的是几个机会均等的词元。",
        ),
    )
    judge.that(
        not np.isclose(found, 1 / np.mean(chances)),
        Hint(
            en="Average the logarithms, not the probabilities.",
            zh="要平均的是对数，不是概率。",
        ),
    )
    judge.that(
        not np.isclose(found, np.exp(-logs.sum())),
        Hint(
            en="A longer text must not have a larger perplexity for its length alone.",
            zh="文字更长，困惑度不应当因此变大。",
        ),
    )
    judge.that(
        not np.isclose(found, np.exp(logs.mean())),
        Hint(en="Perplexity is at least 1: mind the sign.", zh="困惑度不小于 1：注意正负号。"),
    )
    judge.close(
        found,
        np.exp(-logs.mean()),
        Hint(
            en="Mean of -ln P, then exp. Mixing bits and exp gives something else.",
            zh="先求 -ln P 的平均，再取 exp。比特与 exp 混用，结果就不对。",
        ),
        tolerance=1e-4,
    )


@exercise("19.2", asks="bigram")
def bigram(answer: Answer, judge: Judge) -> None:
    """(C + extra) / (starts + extra V); a distribution."""
    tokens = "a b a c a b b a".split()
    judge.close(
        answer(tokens, "c", "a", 0.0),
        1.0,
        Hint(
            en="With extra = 0 this is a plain share: pairs (before, word) among the pairs that "
            "begin with before. Pairs are neighbours in the text.",
            zh="extra = 0 时就是普通的比例：在以 before 开头的词对里，后面跟着 word 的占多少。"
            "词对是文中相邻的两个词。",
        ),
    )
    total = sum(answer(tokens, "a", word, 1.0) for word in "abc")
    judge.close(
        total,
        1.0,
        Hint(
            en="After the same word all probabilities must sum to 1. How much was added in all? "
            "And does the last token of the text begin a pair?",
            zh="同一个词之后，各个概率之和必须是 1。一共加进去了多少？"
            "文章的最后一个词元还能开头吗？",
        ),
    )
    judge.close(
        answer(tokens, "a", "b", 0.5),
        (2 + 0.5) / (3 + 0.5 * 3),
        Hint(en="Use extra where the lesson adds 1.", zh="课文里加 1 的地方，换成加 extra。"),
    )


@exercise("19.3", asks="lstm_step")
def lstm_step(answer: Answer, judge: Judge) -> None:
    """Gates by sigmoid, content by tanh, the state from the new cell."""
    i, f, g, o, c = np.array([0.3, -1.0]), np.array([2.0, 0.5]), np.array([1.0, -2.0]), 0.7, 0.4

    def sigmoid(z: object) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-np.asarray(z, float))))

    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    both = answer(i, f, g, o, c)
    judge.that(
        isinstance(both, tuple) and len(both) == 2,
        Hint(en="Return two things: the state h and the cell c.", zh="返回两样：状态 h 和单元 c。"),
    )
    state, cell = both
    judge.that(
        not np.allclose(cell, sigmoid(f) * c + sigmoid(i) * sigmoid(g)),
        Hint(
            en="g is content, not a gate: it may be negative.",
            zh="g 是内容，不是门：它可以是负的。",
        ),
    )
    judge.close(
        cell,
        new,
        Hint(
            en="The new cell: forget gate times old cell, plus input gate times content.",
            zh="新单元：遗忘门乘旧单元，加上输入门乘新内容。",
        ),
    )
    judge.that(
        not np.allclose(state, sigmoid(o) * np.tanh(c)),
        Hint(en="Which cell is shown, the old or the new one?", zh="露出的是旧单元，还是新单元？"),
    )
    judge.close(
        state,
        sigmoid(o) * np.tanh(new),
        Hint(
            en="The state is the output gate times the tanh of the cell.",
            zh="状态等于输出门乘单元的 tanh。",
        ),
    )


@exercise("19.4", asks="clip_by_norm")
def clip_by_norm(answer: Answer, judge: Judge) -> None:
    """One factor for all arrays; short gradients stay; zeros stay zeros."""
    gradients = [np.array([3.0, 0.5]), np.array([[0.0], [4.0]])]
    length = np.sqrt(9 + 0.25 + 16)
    found = answer([part.copy() for part in gradients], 1.0)
    judge.that(
        not np.allclose(found[0], np.clip(gradients[0], -1, 1)),
        Hint(
            en="Cutting every number by itself changes the direction of the gradient.",
            zh="一个数一个数地截断，会改变梯度的方向。",
        ),
    )
    judge.that(
        not np.allclose(found[0], gradients[0] / np.linalg.norm(gradients[0])),
        Hint(
            en="The arrays have one common length: all their squares together.",
            zh="这组数组只有一个总长度：把所有的平方加在一起。",
        ),
    )
    judge.close(
        found[0],
        gradients[0] / length,
        Hint(en="Multiply all arrays by limit / length.", zh="所有数组都乘上 limit / 长度。"),
    )
    judge.close(
        answer([np.array([0.1, 0.2])], 1.0)[0],
        [0.1, 0.2],
        Hint(en="A gradient shorter than the limit stays as it is.", zh="不到上限的梯度保持原样。"),
    )
    judge.close(
        answer([np.zeros(2)], 1.0)[0],
        [0.0, 0.0],
        Hint(en="What happens to gradients that are all 0?", zh="梯度全是 0 时会怎样？"),
    )


@exercise("19.5", asks="with_temperature")
def with_temperature(answer: Answer, judge: Judge) -> None:
    """softmax(scores / temperature), safe for large scores."""
    scores = np.array([2.0, 1.0, 0.0])

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(z - z.max()) / np.exp(z - z.max()).sum())

    found = answer(scores.copy(), 0.5)
    judge.close(np.sum(found), 1.0, Hint(en="Probabilities sum to 1.", zh="概率之和应当是 1。"))
    judge.that(
        not np.allclose(found, softmax(scores * 0.5)),
        Hint(
            en="Below 1 the likeliest token must become likelier. Multiply or divide?",
            zh="温度小于 1，最可能的词元应当更可能。该乘还是该除？",
        ),
    )
    judge.that(
        not np.allclose(found, softmax(scores) / 0.5 / (softmax(scores) / 0.5).sum()),
        Hint(
            en="Divide the scores, before the softmax; dividing probabilities changes nothing.",
            zh="除的是 softmax 之前的得分；去除概率，归一之后什么也没变。",
        ),
    )
    judge.close(
        found,
        softmax(scores / 0.5),
        Hint(en="softmax(scores / T).", zh="得分除以 T，再做 softmax。"),
    )
    with np.errstate(all="ignore"):
        large = answer(np.array([1000.0, 999.0]), 1.0)
    judge.that(
        bool(np.isfinite(large).all()),
        Hint(
            en="exp(1000) is too large a number. Subtract something from all scores first.",
            zh="得分是 1000 时，指数大得装不下。先从所有得分里减去同一个数。",
        ),
    )
    judge.close(
        large,
        softmax(np.array([1000.0, 999.0])),
        Hint(en="Check large scores.", zh="检查得分很大的情形。"),
    )
