"""Graders of lesson 31: explanations and their error."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("31.1", asks="gap")
def gap(answer: Answer, judge: Judge) -> None:
    """|difference − sum| as a part of |difference|."""
    found = answer(np.array([1.0, 0.5]), 3.0, 1.0)
    judge.that(
        not np.isclose(found, 0.5),
        Hint(
            en="That is the amount that is missing. As a part of what?",
            zh="这是缺了多少。占谁的几分之几呢？",
        ),
    )
    judge.that(
        not np.isclose(found, 0.5 / 3) and not np.isclose(found, 1.5 / 3),
        Hint(
            en="The shares explain the difference from the baseline, not the score itself.",
            zh="份额解释的是与基线之差，得分本身不是。",
        ),
    )
    judge.close(
        found,
        0.25,
        Hint(
            en="Shares 1 and 0.5, scores 3 and 1: what should they sum to, what do they sum to?",
            zh="份额 1 和 0.5，得分 3 和 1：它们应当加起来等于多少？实际是多少？",
        ),
    )
    judge.close(
        answer(np.array([-1.0, -2.0]), -2.0, 0.0),
        0.5,
        Hint(
            en="Scores may fall below the baseline; a gap is not negative.",
            zh="得分可以低于基线，缺口却不为负。",
        ),
    )


def _slope(points: Any) -> Any:
    """The gradient of x₀² + 3 x₀ x₁."""
    return np.stack([2 * points[:, 0] + 3 * points[:, 1], 3 * points[:, 0]], axis=1)


@exercise("31.2", asks="integrated_gradients")
def integrated_gradients(answer: Answer, judge: Judge) -> None:
    """A mean, of a way that begins at the baseline, times the way's length."""
    x = np.array([2.0, 1.0])
    plain = np.asarray(answer(_slope, x, np.zeros(2)))
    judge.that(
        not np.any(np.abs(plain) > 30),
        Hint(
            en="The shares grow with the number of steps. What is an integral over 0 to 1 of a "
            "constant 5?",
            zh="步数越多，份额越大。常数 5 从 0 到 1 的积分是多少？",
        ),
    )
    judge.close(
        plain,
        [7.0, 3.0],
        Hint(
            en="Baseline 0: the two shares should sum to the difference of scores, 10.",
            zh="基线为 0：两个份额之和应当等于得分之差 10。",
        ),
        tolerance=0.02,
    )
    other = np.asarray(answer(_slope, x, np.array([1.0, 1.0])))
    judge.that(
        not np.isclose(other[1], 4.5, atol=0.1),
        Hint(
            en="Input 2 is equal to its baseline, so it can have no share. How long is its way?",
            zh="输入 2 与基线相等，不该有份额。它走了多远？",
        ),
    )
    judge.close(
        other,
        [6.0, 0.0],
        Hint(
            en="With another baseline: where does the way begin, and where does it end?",
            zh="换一个基线：路从哪里开始，到哪里结束？",
        ),
        tolerance=0.02,
    )


@exercise("31.3", asks="shapley")
def shapley(answer: Answer, judge: Judge) -> None:
    """Means over all orders; the joint gain is shared, the sum is the whole."""
    worths = {"": 0, "a": 2, "b": 1, "c": 0, "ab": 3, "ac": 2, "bc": 5, "abc": 7}

    def worth(players: Any) -> float:
        return worths["".join(sorted(players))]

    found = answer(worth, ["a", "b", "c"])
    judge.that(
        isinstance(found, dict) and set(found) == {"a", "b", "c"},
        Hint(en="A dictionary with a share for each player.", zh="要一个字典，每个玩家一个份额。"),
    )
    judge.that(
        not np.allclose([found[p] for p in "abc"], [2, 1, 0]),
        Hint(
            en="That is what each earns alone. What does each add when others are there already?",
            zh="这是各人单独挣的。别人已经在场时，他又多挣多少？",
        ),
    )
    judge.that(
        not np.allclose([found[p] for p in "abc"], [12, 18, 12]),
        Hint(en="A sum over six orders; the share is a mean.", zh="这是六种次序的和，份额是平均。"),
    )
    judge.that(
        not np.allclose([found[p] for p in "abc"], [2, 1, 4]),
        Hint(
            en="One order of arrival favours the last ones. Take all orders.",
            zh="只用一种进场次序，后到的人占便宜。要用所有次序。",
        ),
    )
    judge.close(
        [found[p] for p in "abc"],
        [2, 3, 2],
        Hint(en="Compare with the lesson's table of six orders.", zh="和本课六种次序的表对一对。"),
    )
    double = answer(lambda players: float(len(players) ** 2), [0, 1, 2, 3])
    judge.close(
        [double[p] for p in range(4)],
        [4.0] * 4,
        Hint(en="Try four players who are alike.", zh="试试四个一模一样的玩家。"),
    )


@exercise("31.4", asks="occlusion")
def occlusion(answer: Answer, judge: Judge) -> None:
    """Falls of the score, one square at a time, the image untouched."""
    image = np.arange(24.0).reshape(4, 6) + 1
    weights = np.linspace(-1, 1, 24).reshape(4, 6)

    def score(picture: Any) -> float:
        return float((weights * picture).sum())

    given = image.copy()
    found = np.asarray(answer(score, given, 2))
    judge.shape(
        found,
        (2, 3),
        Hint(en="4 × 6 pixels hold 2 × 3 squares.", zh="4 × 6 个像素有 2 × 3 个方块。"),
    )
    wanted = (weights * image).reshape(2, 2, 3, 2).sum(axis=(1, 3))
    judge.that(
        np.array_equal(given, image),
        Hint(
            en="The image has changed, so later squares are measured with earlier ones covered.",
            zh="原图变了，后面的方块是在前面的还盖着时量的。",
        ),
    )
    judge.that(
        not np.allclose(found, -wanted),
        Hint(
            en="The sign: a square that the score needs should have a positive value.",
            zh="符号反了：得分离不开的方块应当是正数。",
        ),
    )
    judge.that(
        not np.allclose(found, score(image) - wanted),
        Hint(
            en="These are the scores that are left; the fall was asked for.",
            zh="这是剩下的得分，题目要的是掉了多少。",
        ),
    )
    judge.close(
        found,
        wanted,
        Hint(en="Cover one square at a time, all of it.", zh="每次盖住一个方块，要整块盖住。"),
    )
