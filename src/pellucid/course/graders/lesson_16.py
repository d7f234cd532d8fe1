"""Graders of lesson 16: a network that reads digits."""

from __future__ import annotations

import numpy as np

import pellucid
from pellucid.course.grading import Answer, Hint, Judge, exercise

_TABLE = np.array([[8, 2, 0], [1, 3, 6], [0, 4, 16]])


@exercise("16.1", asks=("accuracy", "recall"))
def accuracy(answer: Answer, judge: Judge) -> None:
    """The diagonal over everything, and over each row."""
    judge.close(
        answer.accuracy(_TABLE),
        27 / 40,
        Hint(
            en="Which cells of the table hold right answers? How many answers are there in all?",
            zh="表里哪些格子是答对的？一共有多少个回答？",
        ),
    )
    found = answer.recall(_TABLE)
    judge.shape(found, (3,), Hint(en="One number for each class.", zh="每一类一个数。"))
    judge.that(
        not np.allclose(found, np.diagonal(_TABLE) / _TABLE.sum(axis=0)),
        Hint(
            en="You divide by the number of times each class was said; that is the precision. "
            "Recall asks how many there were.",
            zh="你除以的是各类说出的次数，那是精确率。召回率问的是实际有多少。",
        ),
    )
    judge.close(
        found,
        [0.8, 0.3, 0.8],
        Hint(
            en="Take class 1 by hand: how many rows of it are there, how many were recognized?",
            zh="拿第 1 类手算：一共有几个？认出了几个？",
        ),
    )


@exercise("16.2", asks="most_confused")
def most_confused(answer: Answer, judge: Judge) -> None:
    """The largest cell off the diagonal, row first; the table stays as it was."""
    table = _TABLE.copy()
    found = tuple(int(n) for n in answer(table))
    judge.that(
        found[0] != found[1],
        Hint(
            en="A class with itself is no confusion: leave the diagonal out.",
            zh="自己对自己不算混淆，对角线要排除在外。",
        ),
    )
    judge.that(
        found != (2, 1),
        Hint(
            en="Which comes first, what it is or what was said? Rows are the truth.",
            zh="哪个在前，真值还是回答？行是真值。",
        ),
    )
    judge.equal(
        found,
        (1, 2),
        Hint(en="Look for the largest number off the diagonal.", zh="找对角线以外最大的数。"),
    )
    judge.that(
        np.array_equal(table, _TABLE),
        Hint(
            en="The answer is right, but the caller's table has changed. Work on a copy.",
            zh="答案对了，可是调用者的表改了样。请在副本上操作。",
        ),
    )


@exercise("16.3", asks="centred")
def centred(answer: Answer, judge: Judge) -> None:
    """Cropped on all sides, in the middle of the smallest square."""
    ink = np.zeros((9, 7))
    ink[2:7, 4:6] = np.arange(1.0, 11.0).reshape(5, 2)
    ink[3, 4] = 0.0
    found = np.asarray(answer(ink))
    judge.that(
        found.shape != (5, 2),
        Hint(
            en="That is cropped, but no square yet. How long must its sides be?",
            zh="裁好了，但还不是正方形。边长应当是多少？",
        ),
    )
    judge.shape(
        found,
        (5, 5),
        Hint(
            en="The ink is 5 high and 2 wide: the smallest square around it is 5 × 5.",
            zh="墨迹高 5 宽 2，能装下它的最小正方形是 5 × 5。",
        ),
    )
    wanted = np.zeros((5, 5))
    wanted[:, 1:3] = ink[2:7, 4:6]
    judge.that(
        not np.allclose(found[:, :2], wanted[:, 1:3]),
        Hint(en="The ink touches the left side; centre it.", zh="墨迹贴着左边，请把它居中。"),
    )
    judge.close(
        found,
        wanted,
        Hint(
            en="Three columns are missing: one goes to the left, two to the right. The ink itself "
            "must not change, its empty spots included.",
            zh="缺三列：左边一列，右边两列。墨迹本身不能变，里面的空白也要保留。",
        ),
    )
    wide = np.zeros((4, 8))
    wide[1, 1:7] = 1.0
    judge.shape(
        answer(wide),
        (6, 6),
        Hint(en="Try ink that is wider than high.", zh="试试宽大于高的墨迹。"),
    )


@exercise("16.4", asks="network")
def network(answer: Answer, judge: Judge) -> None:
    """Ten scores for each picture of 28 × 28, not probabilities."""
    model = answer()
    scores = model(pellucid.rand(3, 1, 28, 28)).detach().numpy()
    judge.shape(scores, (3, 10), Hint(en="Ten numbers for each picture.", zh="每张图片十个数。"))
    judge.that(
        not np.allclose(scores.sum(axis=1), 1.0, atol=1e-4),
        Hint(
            en="It runs. Now look at what comes out: each row sums to 1. What does cross_entropy "
            "expect?",
            zh="跑起来了。看看输出：每行的和都是 1。cross_entropy 要的是什么？",
        ),
    )
    judge.that(
        not np.allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-4),
        Hint(
            en="Logarithms of probabilities leave cross_entropy nothing to do; let it do its part.",
            zh="输出概率的对数，等于替 cross_entropy 做了它的事。让它自己来。",
        ),
    )
    kinds = [type(layer).__name__ for layer in model.modules()]
    judge.that(
        kinds.count("Conv2d") == 2 and kinds.count("MaxPool2d") == 2,
        Hint(
            en="Keep the two convolutions and the two poolings; only two lines are wrong.",
            zh="两层卷积和两次池化都保留，只有两行有错。",
        ),
    )
