"""Graders of lesson 2: one neuron, its answer and its slopes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.course.grading import Answer, Hint, Judge, exercise

Floats = npt.NDArray[np.float64]

ROWS = np.array([[0.8, 0.3], [0.1, 0.9], [0.5, 0.5]])
TARGETS = np.array([1.0, 0.0, 1.0])
WEIGHTS, BIAS = np.array([2.0, 1.0]), -1.0


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))


def _slopes(x: Floats, t: Floats, w: Floats, b: float) -> tuple[Floats, float]:
    y = _sigmoid(x @ w + b)
    delta = 2 * (y - t) * y * (1 - y) / len(x)
    return x.T @ delta, float(delta.sum())


@exercise("2.1", asks=("z", "y"))
def on_paper(answer: Answer, judge: Judge) -> None:
    """The sum 0.5 and its sigmoid, four digits."""
    judge.that(
        not _is(answer.z, 1.5),
        Hint(en="What does the bias add to the sum?", zh="偏置给加权和加上了什么？"),
    )
    judge.close(
        answer.z,
        0.5,
        Hint(
            en="Each weight times its input, added up, plus the bias.",
            zh="每个权重乘以它的输入，加起来，再加偏置。",
        ),
    )
    judge.that(
        not _is(answer.y, 0.3775),
        Hint(
            en="The sign in the exponent: for a positive sum the answer is above 0.5.",
            zh="看看指数上的符号：加权和为正时，输出应该大于 0.5。",
        ),
    )
    judge.close(
        answer.y,
        0.6225,
        Hint(en="Send z through the sigmoid, `1 / (1 + e^-z)`, and give four digits.",
             zh="把 z 代入 sigmoid，也就是 `1 / (1 + e^-z)`，保留四位小数。"),
        tolerance=1e-4,
    )  # fmt: skip


def _is(value: object, number: float) -> bool:
    return isinstance(value, (int, float)) and abs(value - number) < 5e-4


@exercise("2.2", asks="neuron")
def neuron(answer: Answer, judge: Judge) -> None:
    """The sigmoid of each row's weighted sum with its bias."""
    received = answer(ROWS, WEIGHTS, BIAS)
    judge.shape(
        received,
        (3,),
        Hint(en="One answer for each row of x.", zh="x 的每一行都要有一个输出。"),
    )
    found = np.asarray(received, float)
    sums = ROWS @ WEIGHTS + BIAS
    judge.that(
        not np.allclose(found, sums),
        Hint(
            en="This is the weighted sum. What bends it into the range from 0 to 1?",
            zh="这是加权和。是什么把它弯到 0 和 1 之间？",
        ),
    )
    judge.that(
        not np.allclose(found, _sigmoid(ROWS @ WEIGHTS)),
        Hint(en="Something is left out of the sum.", zh="加权和里漏了一样东西。"),
    )
    judge.that(
        not np.allclose(found, _sigmoid(-sums)),
        Hint(
            en="A larger sum must give a larger answer: look at the sign in the exponent.",
            zh="加权和越大，输出应当越大：看看指数上的符号。",
        ),
    )
    judge.close(
        received,
        _sigmoid(sums),
        Hint(
            en="Compare with the lesson's mango: 0.8 and 0.3 must give 0.7109.",
            zh="和课文里的芒果比一比：0.8 和 0.3 应当得到 0.7109。",
        ),
    )
    other = answer(ROWS[:2, :1], np.array([-3.0]), 0.5)
    judge.close(
        other,
        _sigmoid(ROWS[:2, :1] @ np.array([-3.0]) + 0.5),
        Hint(
            en="It must also work with one input, or with thirty: use x, w and b as given.",
            zh="换成一个输入或三十个输入也要能用：x、w、b 给什么就用什么。",
        ),
    )


@exercise("2.3", asks="gradients")
def gradients(answer: Answer, judge: Judge) -> None:
    """Slopes of the mean squared error, of the weights and of the bias."""
    pair = answer(ROWS, TARGETS, WEIGHTS, BIAS)
    two = Hint(en="Return two things: dw and db.", zh="要返回两样东西：dw 和 db。")
    judge.that(isinstance(pair, (tuple, list)) and len(pair) == 2, two)
    dw, db = pair
    judge.shape(
        dw, (2,), Hint(en="dw has a slope for each weight.", zh="每个权重在 dw 里都有一个斜率。")
    )
    expected, of_bias = _slopes(ROWS, TARGETS, WEIGHTS, BIAS)
    found = np.asarray(dw, float)
    y = _sigmoid(ROWS @ WEIGHTS + BIAS)
    for wrong, hint in (
        (
            expected * len(ROWS),
            Hint(en="That is the sum over the rows. What does the mean do to it?",
                 zh="这是各行之和。取平均还差什么？"),
        ),
        (
            -expected,
            Hint(en="The right size, the wrong direction: look at y - t.",
                 zh="大小对，方向反了：看看 y - t。"),
        ),
        (
            expected / 2,
            Hint(en="The derivative of a square has a factor in front.",
                 zh="平方求导，前面有个因子。"),
        ),
        (
            2 * ROWS.T @ (y - TARGETS) / len(ROWS),
            Hint(en="A link of the chain is missing: how steep is the sigmoid at y?",
                 zh="链条少了一环：sigmoid 在 y 处有多陡？"),
        ),
    ):  # fmt: skip
        judge.that(not np.allclose(found, wrong), hint)
    three = Hint(
        en="Three factors for each row, then times its inputs, then the mean. Check by nudging.",
        zh="每行三个因子相乘，乘上该行的输入，再取平均。拨一拨权重来核对。",
    )
    judge.close(dw, expected, three)
    judge.close(
        db,
        of_bias,
        Hint(en="The bias has the input 1 in every row.", zh="可以把偏置看成每一行输入都是 1。"),
    )


@exercise("2.4", asks="train")
def train(answer: Answer, judge: Judge) -> None:
    """Steps down the loss, the answers computed anew in each."""
    w, b = WEIGHTS, BIAS
    states = [(w, b)]
    for _ in range(20):
        dw, db = _slopes(ROWS, TARGETS, w, b)
        w, b = w - 0.5 * dw, b - 0.5 * db
        states.append((w, b))
    once, _ = answer(ROWS, TARGETS, WEIGHTS, BIAS, 0.5, 1)
    upwards = 2 * WEIGHTS - states[1][0]
    judge.that(
        not np.allclose(once, upwards),
        Hint(
            en="After one step the loss is higher than before. Which way does the step go?",
            zh="走了一步，损失反而更高。这一步朝哪边走的？",
        ),
    )
    judge.close(
        once,
        states[1][0],
        Hint(en="Already the first step is wrong.", zh="第一步就不对。"),
    )
    many, bias = answer(ROWS, TARGETS, WEIGHTS, BIAS, 0.5, 20)
    judge.close(
        many,
        states[20][0],
        Hint(
            en="The first step is right, later ones are not: what must be new in each step?",
            zh="第一步对了，后面的不对：每一步里什么东西必须重新算？",
        ),
    )
    judge.close(bias, states[20][1], Hint(en="And the bias?", zh="偏置呢？"))
