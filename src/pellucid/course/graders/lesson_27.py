"""Graders of lesson 27: bandits."""

from __future__ import annotations

import math
import warnings

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("27.1", asks="updated_mean")
def updated_mean(answer: Answer, judge: Judge) -> None:
    """Old value plus surprise over the new count."""
    judge.close(
        answer(0.0, 0, 1.0),
        1.0,
        Hint(
            en="The first reward is the mean by itself. Is the new reward counted?",
            zh="第一个奖励自己就是平均。新的奖励数进去了吗？",
        ),
    )
    found = answer(0.5, 2, 1.0)
    judge.that(
        not np.isclose(found, 0.75),
        Hint(
            en="You divide by the number of old rewards. How many are there with the new one?",
            zh="除以的是旧奖励的个数。加上新的，一共有几个？",
        ),
    )
    judge.close(
        found,
        2 / 3,
        Hint(
            en="Two rewards of mean 0.5 and one of 1: what is the mean of the three?",
            zh="两个平均 0.5 的奖励，加上一个 1：三个的平均是多少？",
        ),
    )


@exercise("27.2", asks="choice_chances")
def choice_chances(answer: Answer, judge: Judge) -> None:
    """1 − ε + ε/n for the best, ε/n for the others."""
    found = answer(np.array([0.2, 0.9, 0.1, 0.3]), 0.2)
    judge.shape(
        found,
        (4,),
        Hint(en="Return one probability for each machine.", zh="每台机器一个概率。"),
    )
    judge.that(
        not np.isclose(np.asarray(found)[1], 0.8),
        Hint(
            en="Exploring may land on the best machine, too.",
            zh="探索也可能碰上最好的那台。",
        ),
    )
    judge.that(
        np.isclose(np.sum(np.asarray(found)), 1.0),
        Hint(en="Probabilities should sum to 1.", zh="概率之和应该是 1。"),
    )
    judge.close(
        found,
        [0.05, 0.85, 0.05, 0.05],
        Hint(
            en="Which machine has the highest value, and what do all get from exploring?",
            zh="哪台的价值最高？探索时每台各得多少？",
        ),
    )


@exercise("27.3", asks="Player")
def player(answer: Answer, judge: Judge) -> None:
    """Explores rarely, and learns each machine's own mean."""
    one = answer.Player(3, 0.1)
    for machine, reward in ((0, 1.0), (0, 0.0), (1, 1.0), (1, 1.0), (0, 0.0)):
        one.learn(machine, reward)
    judge.that(
        np.allclose(one.counts, [3, 2, 0]),
        Hint(
            en="Each play should count once, for the machine that was played.",
            zh="每玩一次，只给玩的那台记一次。",
        ),
    )
    judge.close(
        one.values,
        [1 / 3, 1.0, 0.0],
        Hint(
            en="A machine's value should be the mean of its own rewards. How many were these?",
            zh="一台机器的价值，应该是它自己那些奖励的平均。那有几个？",
        ),
    )
    random = np.random.default_rng(0)
    chosen = np.array([one.choose(random) for _ in range(2000)])
    best = float((chosen == 1).mean())
    judge.that(
        best > 0.5,
        Hint(
            en="It explores nearly always. When should it?",
            zh="它几乎总在探索。什么时候才该探索？",
        ),
    )
    judge.that(
        abs(best - (0.9 + 0.1 / 3)) < 0.02,
        Hint(
            en="With ε = 0.1 the best machine should be played 93 times in 100.",
            zh="ε = 0.1 时，最好的那台每 100 次应玩 93 次左右。",
        ),
    )


@exercise("27.4", asks="choose_ucb")
def choose_ucb(answer: Answer, judge: Judge) -> None:
    """The largest bound, new machines first."""
    values, counts = np.array([0.6, 0.5, 0.4]), np.array([70, 20, 10])
    judge.equal(
        int(answer(values, counts, 0.0)),
        0,
        Hint(
            en="With width 0 there is no room: the highest value wins.",
            zh="宽度为 0 时没有余地，价值最高的获胜。",
        ),
    )
    judge.equal(
        int(answer(values, counts, math.sqrt(2))),
        2,
        Hint(
            en="The example of the lesson: the room of the third machine is 0.96.",
            zh="课文里的例子：第三台的余地是 0.96。",
        ),
    )
    judge.equal(
        int(answer(np.array([0.6, 0.45]), np.array([40, 10]), 0.7)),
        1
        if 0.45 + 0.7 * math.sqrt(math.log(50) / 10) > 0.6 + 0.7 * math.sqrt(math.log(50) / 40)
        else 0,
        Hint(
            en="Is the logarithm taken of all plays, and the room multiplied by width?",
            zh="对数取的是总次数吗？余地乘上 width 了吗？",
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = answer(np.array([0.9, 0.0, 0.2]), np.array([5, 0, 3]), 1.0)
    judge.equal(
        int(first),
        1,
        Hint(
            en="A machine that was never played comes first.",
            zh="从没玩过的机器优先。",
        ),
    )


@exercise("27.5", asks="preference_step")
def preference_step(answer: Answer, judge: Judge) -> None:
    """The played one moves against all the others."""
    found = np.asarray(answer(np.zeros(2), 0, 1.0, 0.5, 0.1), float)
    judge.shape(
        found,
        (2,),
        Hint(en="Return the preferences of all machines.", zh="返回所有机器的偏好。"),
    )
    judge.that(
        not np.allclose(found, [0.05, -0.05]),
        Hint(
            en="What counts is how much better the reward was than the baseline.",
            zh="要看奖励比 baseline 好多少。",
        ),
    )
    judge.that(
        not np.isclose(found[1], 0.0),
        Hint(
            en="The preferences of the machines that were not played change too.",
            zh="没有玩的那些机器，偏好也要变。",
        ),
    )
    judge.close(
        found,
        [0.025, -0.025],
        Hint(
            en="The example of the lesson: the first one rises by 0.025.",
            zh="课文里的例子：第一台上升 0.025。",
        ),
    )
    preferences = np.array([1.0, 0.0, -1.0])
    chances = np.exp(preferences) / np.exp(preferences).sum()
    judge.close(
        answer(preferences, 2, 0.0, 1.0, 0.5),
        preferences - 0.5 * (np.array([0, 0, 1]) - chances),
        Hint(
            en="The chances are the softmax of the preferences, as they were before the step.",
            zh="概率是这一步之前的偏好做 softmax。",
        ),
    )
    judge.close(
        preferences,
        [1.0, 0.0, -1.0],
        Hint(
            en="The preferences that were given have changed. Return new ones.",
            zh="传进来的偏好变了。要返回新的。",
        ),
    )
