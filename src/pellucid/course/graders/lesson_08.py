"""Graders of lesson 8: back-propagation."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise

_CASES = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
_TARGETS = np.array([[0.0], [1.0], [1.0], [0.0]])


@exercise("8.1", asks=("slope_w", "slope_b", "slope_x"))
def on_paper(answer: Answer, judge: Judge) -> None:
    """6, 2, 4."""
    judge.that(
        not np.isclose(answer.slope_b, 1.0),
        Hint(
            en="1 is the error itself. What is the slope of its square?",
            zh="1 是误差本身。它的平方的斜率是多少？",
        ),
    )
    judge.close(
        answer.slope_b,
        2.0,
        Hint(en="Forward first: how large is the error?", zh="先向前算：误差是多少？"),
    )
    judge.that(
        not (np.isclose(answer.slope_w, 4.0) and np.isclose(answer.slope_x, 6.0)),
        Hint(
            en="A product hands each factor the slope times the OTHER factor.",
            zh="乘法交给每个因数的，是斜率乘另一个因数。",
        ),
    )
    both = Hint(
        en="The slope of the sum goes on to the product w·x. Times what?",
        zh="和的斜率传到乘积 w·x 那里，要乘上什么？",
    )
    judge.close(answer.slope_w, 6.0, both)
    judge.close(answer.slope_x, 4.0, both)


@exercise("8.2", asks="tanh_neuron_backward")
def tanh_neuron_backward(answer: Answer, judge: Judge) -> None:
    """Slopes for w, b, x."""
    x, w, b, upstream = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.2, -0.4]), 0.1, 1.5
    received = answer(x, w, b, upstream)
    judge.that(
        isinstance(received, (tuple, list)) and len(received) == 3,
        Hint(en="Return three things: for w, for b, for x.", zh="要返回三样：对 w、对 b、对 x。"),
    )
    for_w, for_b, for_x = received
    a = np.tanh(w @ x + b)
    slope = upstream * (1 - a**2)
    judge.that(
        not np.allclose(for_b, 1 - a**2),
        Hint(
            en="What arrives from behind, slope_a, has to be multiplied in.",
            zh="后面传来的 slope_a 也要乘进去。",
        ),
    )
    judge.that(
        not np.allclose(for_b, upstream * a * (1 - a)),
        Hint(en="That is the slope of the sigmoid.", zh="那是 sigmoid 的斜率。"),
    )
    judge.close(
        for_b,
        slope,
        Hint(en="First back through tanh, then through the sum.", zh="先穿过 tanh，再穿过加法。"),
    )
    judge.that(
        np.shape(for_w) != (3,) or not np.allclose(for_w, slope * w),
        Hint(en="w meets x in a product. What does w get?", zh="w 和 x 相乘。w 得到的是什么？"),
    )
    judge.close(for_w, slope * x, Hint(en="One slope for each weight.", zh="每个权重一个斜率。"))
    judge.close(for_x, slope * w, Hint(en="One slope for each input.", zh="每个输入一个斜率。"))


@exercise("8.3", asks="numerical_gradient")
def numerical_gradient(answer: Answer, judge: Judge) -> None:
    """Central differences, number by number."""
    place = np.array([[0.5, -1.0], [2.0, 0.1]])
    before = place.copy()
    received = answer(lambda p: (p**3).sum(), place, 0.1)
    judge.equal(
        place,
        before,
        Hint(
            en="place was changed. Work on a copy, or put it back.",
            zh="place 变了。用副本，或者改回去。",
        ),
    )
    judge.shape(
        received,
        (2, 2),
        Hint(
            en="The gradient has the shape of place: move one number at a time.",
            zh="梯度的形状和 place 一样：每次只动一个数。",
        ),
    )
    judge.that(
        not np.allclose(received, ((before + 0.1) ** 3 - before**3) / 0.1),
        Hint(en="Use both sides: place + h and place − h.", zh="两侧都要用：加 h 和减 h。"),
    )
    judge.close(
        received,
        3 * before**2 + 0.01,
        Hint(
            en="Difference of the two values, over the distance of the two places.",
            zh="两个函数值之差，除以两个位置的距离。",
        ),
    )


@exercise("8.4", asks=("xor_gradients", "train_xor"), seconds=20)
def repaired(answer: Answer, judge: Judge) -> None:
    """Gradients that belong to the loss, and a loop that descends to XOR."""
    random = np.random.default_rng(1)
    weights = [random.normal(size=s) for s in ((2, 4), (4,), (4, 1), (1,))]
    received = answer.xor_gradients(_CASES, _TARGETS, *weights)
    judge.that(
        isinstance(received, (tuple, list)) and len(received) == 4,
        Hint(en="Return four gradients.", zh="要返回四个梯度。"),
    )
    found = [np.asarray(g, float) for g in received]
    expected, full_slope, mean = _expected(weights)
    judge.that(
        np.sum(found[3] * expected[3]) > 0,
        Hint(
            en="With this the loss grows where the gradient says it falls: look at a sign.",
            zh="梯度说损失会下降的方向，损失却在上升：看看正负号。",
        ),
    )
    judge.that(
        not np.allclose(found[3], full_slope) and not np.allclose(found[3], full_slope / 4),
        Hint(
            en="The output goes through a sigmoid too. Where is its slope?",
            zh="输出也经过了 sigmoid。它的斜率在哪里？",
        ),
    )
    judge.that(
        not np.allclose(found[3], expected[3] * mean),
        Hint(en="The loss is a mean over four rows.", zh="损失是四行的平均。"),
    )
    for slot in (3, 2):
        judge.close(
            found[slot],
            expected[slot],
            Hint(
                en="The output layer's gradients differ from the differences of the loss.",
                zh="输出层的梯度和损失的差分对不上。",
            ),
        )
    judge.that(
        np.any(found[0]),
        Hint(en="The hidden layer never learns.", zh="隐藏层从来没有学过。"),
    )
    for slot in (0, 1):
        judge.close(
            found[slot],
            expected[slot],
            Hint(
                en="On its way to the hidden layer's sums, what does the slope pass through?",
                zh="斜率要到达隐藏层的加权和，路上要穿过什么？",
            ),
        )
    prediction = np.asarray(answer.train_xor(_CASES, _TARGETS), float)
    judge.shape(prediction, (4, 1), Hint(en="One prediction for each row.", zh="每行一个预测。"))
    judge.that(
        np.mean((prediction - _TARGETS) ** 2) < 0.01,
        Hint(
            en="The gradients are right, the loop is not: what does it train on, and which way "
            "does it step?",
            zh="梯度对了，循环还不对：它拿什么来训练，又朝哪边走？",
        ),
    )


def _expected(weights: list[Any]) -> tuple[list[Any], Any, int]:
    """The right gradients; that of the last bias without the sigmoid's slope; the rows."""
    w1, b1, w2, b2 = weights
    hidden = 1 / (1 + np.exp(-(_CASES @ w1 + b1)))
    p = 1 / (1 + np.exp(-(hidden @ w2 + b2)))
    rows = len(_CASES)
    d_output = 2 * (p - _TARGETS) / rows * p * (1 - p)
    d_hidden = d_output @ w2.T * hidden * (1 - hidden)
    gradients = [_CASES.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_output]
    return [*gradients, d_output.sum(axis=0)], 2 * (p - _TARGETS).sum(axis=0), rows
