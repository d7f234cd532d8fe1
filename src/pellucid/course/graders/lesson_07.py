"""Graders of lesson 7: gradient descent."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("7.1", asks="step")
def step(answer: Answer, judge: Judge) -> None:
    """w − η · slope."""
    received = answer(2.0, 3.0, 0.1)
    judge.that(
        not np.allclose(received, 2.3),
        Hint(en="That goes uphill.", zh="这是往上坡走。"),
    )
    judge.that(
        not np.allclose(received, -0.3),
        Hint(en="That is the step. Where does it lead to?", zh="这是步子本身。走完到了哪里？"),
    )
    judge.close(
        received,
        1.7,
        Hint(
            en="A step is learning rate times slope, and goes against the slope.",
            zh="一步等于学习率乘斜率，方向与斜率相反。",
        ),
    )


@exercise("7.2", asks="largest_rate")
def largest_rate(answer: Answer, judge: Judge) -> None:
    """2 / λmax."""
    received = answer(np.array([[3.0, 1.0], [1.0, 3.0]]))
    judge.that(
        not np.allclose(received, 2 / 3),
        Hint(
            en="The steepest direction need not be one of the axes: think of eigenvalues.",
            zh="最陡的方向不一定是坐标轴：想想特征值。",
        ),
    )
    judge.that(
        not np.allclose(received, 1.0),
        Hint(
            en="Which direction gets into trouble first, the flattest or the steepest?",
            zh="最先出问题的是哪个方向，最平的还是最陡的？",
        ),
    )
    judge.close(
        received,
        0.5,
        Hint(
            en="The factor 1 − ηλ must lie between −1 and 1 in every direction.",
            zh="在每个方向上，系数 1 − ηλ 都要在 −1 和 1 之间。",
        ),
    )


@exercise("7.3", asks="numerical_slope")
def numerical_slope(answer: Answer, judge: Judge) -> None:
    """The central difference."""
    received = answer(lambda w: w**3, 2.0, 0.1)
    judge.that(
        not np.allclose(received, 12.61),
        Hint(
            en="One side only: use w − h as well as w + h.",
            zh="只用了一侧：w + h 和 w − h 都要用。",
        ),
    )
    judge.that(
        not np.allclose(received, 24.02),
        Hint(
            en="How far apart are w + h and w − h?",
            zh="w + h 和 w − h 相距多远？",
        ),
    )
    judge.close(
        received,
        12.01,
        Hint(
            en="A slope is a difference of heights over a difference of places.",
            zh="斜率是高度之差除以位置之差。",
        ),
    )
    judge.close(
        answer(np.sin, 0.0),
        1.0,
        Hint(en="h is to be 1e-5 unless it is given.", zh="没有给出 h 时，h 取 1e-5。"),
    )


@exercise("7.4", asks="fit_line")
def fit_line(answer: Answer, judge: Judge) -> None:
    """The repaired descent, step by step like the formula."""
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([1.0, 2.0, 6.0, 9.0])
    with np.errstate(all="ignore"):
        first = np.array(answer(x, y, learning_rate=0.01, steps=1))
    error = -y
    slopes = np.array([(2 * error * x).mean(), (2 * error).mean()])
    judge.that(
        first.shape == (2,) and np.all(np.isfinite(first)),
        Hint(en="Return two numbers, w and b.", zh="要返回两个数：w 和 b。"),
    )
    judge.that(
        np.all(np.sign(first) == np.sign(-slopes)),
        Hint(
            en="After one step it is further from the points than before: which way does it go?",
            zh="走了一步，离数据点反而更远：它在朝哪边走？",
        ),
    )
    judge.close(
        first[0],
        -0.01 * slopes[0],
        Hint(
            en="Compare the first step of w with the formula for the mean.",
            zh="拿 w 的第一步和平均误差的公式比一比。",
        ),
    )
    judge.that(
        not np.isclose(first[1], -0.01 * 4 * slopes[1])
        and not np.isclose(first[1], -0.01 * (2 * (first[0] * x - y)).sum()),
        Hint(
            en="The loss is a mean. Is the slope of b one?",
            zh="损失是平均。b 的斜率也是平均吗？",
        ),
    )
    judge.close(
        first[1],
        -0.01 * slopes[1],
        Hint(
            en="At which place is the slope of b taken: before or after w has moved?",
            zh="b 的斜率是在哪里算的：w 动之前，还是动之后？",
        ),
    )
    w, b = np.polyfit(x, y, 1)
    judge.close(
        answer(x, y, steps=5000),
        [w, b],
        Hint(
            en="Given time, it should arrive at the best line.",
            zh="给足时间，它应当走到最好的直线。",
        ),
        tolerance=1e-3,
    )
