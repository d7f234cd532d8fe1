"""Graders of lesson 1: a function with two knobs, its loss, and how it learns."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise

KM, PAID = np.array([2.0, 5.0, 8.0]), np.array([16.0, 22.0, 31.0])


@exercise("1.1", asks="fare")
def fare(answer: Answer, judge: Judge) -> None:
    """A price for each kilometre and one for getting in; numbers and arrays."""
    one = answer(6.0, 2.5, 10.0)
    judge.that(
        one is None or not np.allclose(one, 15.0),
        Hint(en="Getting in costs something, too.", zh="上车也要钱。"),
    )
    judge.that(
        one is None or not np.allclose(one, 62.5),
        Hint(en="Which of the two knobs is for each kilometre?", zh="两个旋钮里，哪个管每公里？"),
    )
    judge.close(
        one,
        25.0,
        Hint(
            en="Price per kilometre times kilometres, plus the price for getting in.",
            zh="每公里的价钱乘以公里数，再加上车费。",
        ),
    )
    judge.close(
        answer(KM, 2.0, 10.0),
        [14.0, 20.0, 26.0],
        Hint(en="Try it on an array of several rides.", zh="拿几趟车组成的数组试一试。"),
    )


@exercise("1.2", asks="mean_squared_error")
def mean_squared_error(answer: Answer, judge: Judge) -> None:
    """Differences, squares, mean, in this order."""
    answers = np.array([14.0, 20.0, 26.0])
    received = answer(answers, PAID)
    one = Hint(en="A loss is one number.", zh="损失是一个数。")
    judge.shape(received, (), one)
    for wrong, hint in (
        (33.0, Hint(en="This is the sum. What about the mean?", zh="这是总和。平均呢？")),
        (9.0, Hint(en="Square first, then the mean.", zh="先平方，再取平均。")),
        (-3.0, Hint(en="Errors below and above must not cancel.", zh="正负误差不能互相抵消。")),
        (3.0, Hint(en="These are absolute differences; squares are asked for.",
                   zh="这是差的绝对值，题目要的是平方。")),
        (5.5, Hint(en="There is a half too much.", zh="多了一个二分之一。")),
    ):  # fmt: skip
        judge.that(not np.allclose(received, wrong), hint)
    judge.close(
        received,
        11.0,
        Hint(en="Compare with the lesson: a = 2, c = 10 gives 11.",
             zh="和课文对一对：a = 2、c = 10 时是 11。"),
    )  # fmt: skip
    judge.close(
        answer(np.array([1.0, 2.0]), np.array([1.0, 4.0])),
        2.0,
        Hint(en="It must work for any number of examples.", zh="样本有几个都要能算。"),
    )


@exercise("1.3", asks="best_start")
def best_start(answer: Answer, judge: Judge) -> None:
    """The mean of what is left of the receipts."""
    received = answer(KM, PAID, 2.0)
    judge.shape(received, (), Hint(en="c is one number.", zh="c 是一个数。"))
    for wrong, hint in (
        (PAID.mean(), Hint(en="Pay for the kilometres first.", zh="先把里程费付清。")),
        (12.0, Hint(en="That fits one receipt. Which number is near all leftovers?",
                    zh="它只照顾了一张小票。哪个数离所有剩余都近？")),
        (39.0, Hint(en="That is the sum of the leftovers.", zh="这是剩余之和。")),
    ):  # fmt: skip
        judge.that(not np.allclose(received, wrong), hint)
    judge.close(
        received,
        13.0,
        Hint(
            en="What is left of each receipt? With another c the loss must be larger.",
            zh="每张小票还剩多少？把 c 调大或调小一点试试，损失都该上升。",
        ),
    )
    judge.close(
        answer(KM, PAID, -1.5),
        30.5,
        Hint(en="It must work for any a.", zh="a 是多少都要能算。"),
    )


@exercise("1.4", asks="learn", seconds=20.0)
def learn(answer: Answer, judge: Judge) -> None:
    """Close to the smallest loss, on tariffs that nobody knows."""
    cases = ((KM, PAID), (np.array([1.0, 3.0, 4.0, 6.0]), np.array([6.5, 9.5, 11.5, 14.0])))
    for x, t in cases:
        knobs = answer(x, t)
        two = Hint(en="Return two numbers: a and c.", zh="要返回两个数：a 和 c。")
        judge.shape(knobs, (2,), two)
        a, c = (float(knob) for knob in knobs)
        found = ((a * x + c - t) ** 2).mean()
        best = ((np.polyval(np.polyfit(x, t, 1), x) - t) ** 2).mean()
        start = (t**2).mean()
        judge.that(
            found < start,
            Hint(
                en="The loss is not smaller than at the start: when is a turn kept?",
                zh="损失没有比开始时小：什么时候才该留下一次拧动？",
            ),
        )
        judge.that(
            found < best + 0.1,
            Hint(
                en="On its way, but not there: more attempts, or turns of another size?",
                zh="方向对了，还没到：多试几次，或者换个拧动幅度？",
            ),
        )
