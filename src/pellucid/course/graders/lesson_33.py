"""Graders of lesson 33: a project of one's own."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("33.1", asks="split_by_group")
def split_by_group(answer: Answer, judge: Judge) -> None:
    """Whole groups, as many as asked for, by the seed."""
    groups = np.repeat([f"h{n}" for n in range(20)], np.arange(20) % 5 + 1)
    found = np.asarray(answer(groups, 0.25))
    judge.that(
        found.shape == groups.shape and found.dtype == bool,
        Hint(
            en="One true or false for each row is asked for.",
            zh="要的是每一行一个真假值。",
        ),
    )
    inside, outside = set(groups[found]), set(groups[~found])
    judge.that(
        not inside & outside,
        Hint(
            en="A group stands on both sides. Deal out the names, not the rows.",
            zh="有的组两边都有。要抽的是组名，不是行。",
        ),
    )
    judge.that(
        len(inside) == 5,
        Hint(
            en="A quarter of 20 groups is 5. Count groups, not rows.",
            zh="20 个组的四分之一是 5 个。数的是组，不是行。",
        ),
    )
    judge.that(
        np.array_equal(found, np.asarray(answer(groups, 0.25))),
        Hint(en="Equal seeds should give equal splits.", zh="种子相同，划分就该相同。"),
    )
    others = [np.asarray(answer(groups, 0.25, seed=seed)) for seed in range(1, 5)]
    judge.that(
        any(not np.array_equal(found, other) for other in others),
        Hint(
            en="It is always the same groups. Draw them at random, by the seed.",
            zh="每次都是同样的组。要按种子随机抽取。",
        ),
    )


@exercise("33.2", asks="half_width")
def half_width(answer: Answer, judge: Judge) -> None:
    """The error at place ⌈(n + 1) c⌉ of the sorted sizes, or infinity."""
    errors = np.array([-40.0, 10, 80, -30, 60, 20, -90, 50, 70])
    found = answer(errors, 0.8)
    judge.that(
        not np.isclose(found, 60.0),
        Hint(
            en="An error of -90 is a large one: sort the sizes, without signs.",
            zh="-90 是很大的误差：按大小排序，不看正负。",
        ),
    )
    judge.that(
        not np.isclose(found, 90.0),
        Hint(
            en="Places are counted from 1, positions in Python from 0.",
            zh="位次从 1 数起，Python 的下标从 0 数起。",
        ),
    )
    judge.close(
        found,
        80.0,
        Hint(
            en="Do the lesson's example of nine errors on paper: which place, which error?",
            zh="在纸上做本课九个误差的例子：第几位，哪个误差？",
        ),
    )
    judge.close(
        answer(errors, 0.62),
        70.0,
        Hint(
            en="The place is rounded up, and the new row counts as well: (n + 1) c.",
            zh="位次要向上取整，新来的一行也算在内：`(n + 1) * c`。",
        ),
    )
    judge.that(
        np.isinf(answer(errors, 0.95)),
        Hint(
            en="Nine errors cannot promise 95 %: the place is the tenth. What is honest then?",
            zh="九个误差许诺不了 95%：位次是第十。这时怎么回答才老实？",
        ),
    )


@exercise("33.3", asks="baseline")
def baseline(answer: Answer, judge: Judge) -> None:
    """The median of training, the mean absolute error of testing."""
    train, test = [1.0, 2.0, 3.0, 10.0, 34.0], [4.0, 8.0, 6.0]
    found = answer(train, test)
    judge.that(
        not np.isclose(found, np.abs(np.array(test) - 10.0).mean()),
        Hint(
            en="That is the mean of the targets; the median was asked for.",
            zh="这是目标的平均数，题目要中位数。",
        ),
    )
    judge.that(
        not np.isclose(found, np.abs(np.array(test) - 6.0).mean()),
        Hint(
            en="That is the median of the test targets. Are they known when the rule is made?",
            zh="这是测试集的中位数。定规则的时候，它们知道吗？",
        ),
    )
    judge.close(
        found,
        3.0,
        Hint(
            en="Always answer 3, the median of training: how far off is that in each test row?",
            zh="一律回答训练集的中位数 3：每个测试行各差多少？",
        ),
    )


@exercise("33.4", asks="claims")
def claims(answer: Answer, judge: Judge) -> None:
    """What the project shows, and what it does not."""
    found = answer.value
    judge.that(
        isinstance(found, dict) and len(found) == 5,
        Hint(
            en="Keep the five claims, and change their values alone.",
            zh="五句话都留着，只改后面的值。",
        ),
    )
    town, lift, nine, elsewhere, bound = found.values()
    judge.that(
        not lift,
        Hint(
            en="The lift: do houses with lifts differ from others in nothing else?",
            zh="再看看关于电梯的那句：有电梯的楼，别的地方都一样吗？",
        ),
    )
    judge.that(
        not elsewhere,
        Hint(en="Which rows of the test part lie in the next town?", zh="测试集里哪些行在邻市？"),
    )
    judge.that(
        not bound,
        Hint(
            en="The test error is a mean. Can a single flat be further off than the mean?",
            zh="测试误差是平均值。单独一套房子，会不会差得更多？",
        ),
    )
    judge.that(
        town and nine,
        Hint(
            en="Some claims are covered: by the test by house, and by the count on new flats.",
            zh="有的话站得住：有按楼的测试，也有在新房子上数过的份额。",
        ),
    )
