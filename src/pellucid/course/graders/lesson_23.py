"""Graders of lesson 23: a GPT from zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("23.1", asks="pieces")
def pieces(answer: Answer, judge: Judge) -> None:
    """Answers are inputs one place later, both as long as the context."""
    ids = np.arange(20) * 3
    both = answer(ids, [2, 7], 4)
    judge.that(
        isinstance(both, tuple) and len(both) == 2,
        Hint(en="Return two arrays: inputs and answers.", zh="返回两个数组：输入和答案。"),
    )
    inputs, answers = both
    judge.shape(
        inputs,
        (2, 4),
        Hint(
            en="Inputs are as long as the context: cut one token more, then leave out the last.",
            zh="输入与上下文一样长：多切一个词元，再去掉最后一个。",
        ),
    )
    judge.that(
        not np.array_equal(inputs, answers),
        Hint(
            en="So the answer at each place is the token that the model already sees.",
            zh="这样每个位置的答案，正是模型已经看见的那个词元。",
        ),
    )
    judge.equal(
        np.asarray(inputs).tolist(),
        [[6, 9, 12, 15], [21, 24, 27, 30]],
        Hint(en="Each piece begins at its own start.", zh="每个片段从自己的起点开始。"),
    )
    judge.equal(
        np.asarray(answers).tolist(),
        [[9, 12, 15, 18], [24, 27, 30, 33]],
        Hint(en="The answer is the token one place later.", zh="答案是后一个位置的词元。"),
    )


@exercise("23.2", asks="nucleus")
def nucleus(answer: Answer, judge: Judge) -> None:
    """The fewest likeliest tokens that hold the share, in their places."""
    chances = np.array([0.1, 0.5, 0.15, 0.25])
    found = answer(chances.copy(), 0.6)
    judge.shape(found, (4,), Hint(en="One probability for each token.", zh="每个词元一个概率。"))
    found = np.asarray(found, float)
    judge.that(
        np.count_nonzero(found) != 1,
        Hint(
            en="The tokens that are kept must reach the share: the one that crosses the line "
            "is in.",
            zh="留下的词元合起来要达到 share：越过界线的那一个也要留下。",
        ),
    )
    judge.close(
        found.sum(), 1.0, Hint(en="What is kept is scaled to sum 1.", zh="留下的要缩放到和为 1。")
    )
    judge.that(
        not np.allclose(found, np.array([2, 1, 0, 0]) / 3),
        Hint(
            en="Every token keeps its own place in the array.",
            zh="每个词元要留在数组里自己的位置上。",
        ),
    )
    judge.close(
        found,
        np.array([0, 2, 0, 1]) / 3,
        Hint(en="Begin with the likeliest tokens.", zh="从最可能的词元开始留。"),
    )
    judge.close(
        answer(chances.copy(), 0.3),
        [0.0, 1.0, 0.0, 0.0],
        Hint(en="With a small share one token is enough.", zh="share 很小时，一个词元就够了。"),
    )


def _causal(ids: Sequence[int]) -> list[int]:
    return [sum(ids[: place + 1]) for place in range(len(ids))]


def _peeking(ids: Sequence[int]) -> list[int]:
    return [sum(ids[: place + 2]) for place in range(len(ids))]


@exercise("23.3", asks="leaks")
def leaks(answer: Answer, judge: Judge) -> None:
    """Scores before the place, two different texts, nothing changed outside."""
    ids = [3, 1, 4, 1, 5]
    judge.that(
        not answer(_causal, ids, 3),
        Hint(
            en="The score at a place may depend on the token there. Which scores must not change?",
            zh="某个位置的得分可以取决于那里的词元。哪些得分不许变？",
        ),
    )
    judge.equal(
        ids,
        [3, 1, 4, 1, 5],
        Hint(
            en="The list was changed for its owner, too: copy it.",
            zh="别人的列表也跟着变了：先复制。",
        ),
    )
    judge.that(
        bool(answer(_peeking, list(ids), 3)),
        Hint(
            en="This model looks one place ahead, and was not caught. Do both calls get different "
            "lists? Are all places before compared?",
            zh="这个模型多看了一个位置，却没有查出来。两次调用得到的列表不同吗？前面的位置都比了吗？",
        ),
    )
