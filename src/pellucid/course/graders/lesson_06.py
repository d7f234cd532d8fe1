"""Graders of lesson 6: what a loss measures."""

from __future__ import annotations

import warnings

import numpy as np

import pellucid
from pellucid import nn
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("6.1", asks="squared_errors")
def squared_errors(answer: Answer, judge: Judge) -> None:
    """Sum, mean, half the sum."""
    received = answer(np.array([1.0, 2.0, 5.0]), np.array([0.0, 4.0, 4.0]))
    judge.that(
        isinstance(received, (tuple, list)) and len(received) == 3,
        Hint(
            en="Return three numbers: sum, mean, half the sum.",
            zh="要返回三个数：和、平均、和的一半。",
        ),
    )
    total, mean, half = received
    judge.that(
        not np.allclose(total, 0.0),
        Hint(
            en="Errors of both signs cancel each other. Square first, then add.",
            zh="正负误差互相抵消了。先平方，再相加。",
        ),
    )
    judge.close(
        total, 6.0, Hint(en="Begin with the errors: 1, −2, 1.", zh="从误差开始：1、−2、1。")
    )
    judge.close(
        mean,
        2.0,
        Hint(en="The mean divides by the number of elements.", zh="平均要除以元素的个数。"),
    )
    judge.that(
        not np.allclose(half, 1.0),
        Hint(en="Half of the sum, not of the mean.", zh="是和的一半，不是平均的一半。"),
    )
    judge.close(half, 3.0, Hint(en="Half of the sum.", zh="是和的一半。"))
    judge.close(
        answer(np.ones((2, 2)), np.zeros((2, 2)))[1],
        1.0,
        Hint(
            en="With a table, count its elements, not its rows.",
            zh="遇到表格，数的是元素，不是行。",
        ),
    )


@exercise("6.2", asks="rate_for_mean")
def rate_for_mean(answer: Answer, judge: Judge) -> None:
    """rate · rows."""
    received = answer(0.01, 50)
    judge.that(
        not np.allclose(received, 0.01 / 50),
        Hint(
            en="The mean has the smaller slope. Should the learning rate shrink as well?",
            zh="平均的斜率更小。学习率也该跟着变小吗？",
        ),
    )
    judge.close(
        received,
        0.5,
        Hint(
            en="A step is learning rate times slope. What happens to the slope?",
            zh="一步是学习率乘斜率。斜率变成了多少？",
        ),
    )


@exercise("6.3", asks="cross_entropy")
def cross_entropy(answer: Answer, judge: Judge) -> None:
    """Log of the sum of powers, minus the score of the right class."""
    scores = np.array([2.0, 1.0, -1.0])
    received = answer(scores, 1)
    expected = np.log(np.exp(scores).sum()) - scores[1]
    judge.that(
        not np.allclose(received, -expected),
        Hint(
            en="A loss is small when things go well: mind the sign.",
            zh="事情顺利，损失才小：注意正负号。",
        ),
    )
    judge.that(
        not np.allclose(received, np.exp(-expected)),
        Hint(en="That is the probability. How surprising is it?", zh="这是概率。它有多让人惊讶？"),
    )
    judge.close(
        received,
        expected,
        Hint(
            en="Softmax first, then −ln of the probability at target.",
            zh="先算 softmax，再对 target 处的概率取 −ln。",
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        high = answer(np.array([1000.0, 998.0, 0.0]), 0)
        low = answer(np.array([1000.0, 0.0]), 1)
    judge.close(
        high,
        np.log1p(np.exp(-2.0)),
        Hint(
            en="e¹⁰⁰⁰ is too large for a float. What may be subtracted from all scores?",
            zh="e¹⁰⁰⁰ 太大，浮点数装不下。所有得分可以同时减去什么？",
        ),
    )
    judge.close(
        low,
        1000.0,
        Hint(
            en="The probability has become 0. Take the logarithm apart before computing it.",
            zh="概率变成 0 了。先把对数拆开，再去算。",
        ),
    )


@exercise("6.4", asks=("make_model", "loss_of"))
def softmax_once(answer: Answer, judge: Judge) -> None:
    """Scores out of the model, softmax inside the loss alone."""
    model = answer.make_model()
    x = pellucid.randn(20, 4)
    y = pellucid.tensor([0, 1, 2, 1] * 5)
    with pellucid.no_grad():
        outputs = model(x).numpy()
    judge.shape(outputs, (20, 3), Hint(en="Three scores for each row.", zh="每行三个得分。"))
    judge.that(
        not np.allclose(outputs.sum(axis=1), 1.0, atol=1e-4),
        Hint(
            en="The model's outputs add up to 1: these are no scores.",
            zh="模型的输出加起来等于 1，这可不是得分。",
        ),
    )
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    received = answer.loss_of(model, x, y)
    judge.close(
        received,
        -logs[np.arange(20), y.numpy()].mean(),
        Hint(
            en="cross_entropy wants the model's scores as they are.",
            zh="cross_entropy 要的就是模型给出的得分，不用再加工。",
        ),
        tolerance=1e-5,
    )
    judge.that(
        any(isinstance(layer, nn.ReLU) for layer in model.modules()),
        Hint(en="Keep the hidden layer and its ReLU.", zh="隐藏层和它的 ReLU 要留着。"),
    )
