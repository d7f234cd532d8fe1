"""Graders of lesson 4: layers, and XOR solved."""

from __future__ import annotations

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
from pellucid.course.grading import Answer, Hint, Judge, exercise

_CASES = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@exercise("4.1", asks="count_parameters")
def count_parameters(answer: Answer, judge: Judge) -> None:
    """Weights and biases of each pair of neighbouring layers."""
    received = answer([3, 5, 2])
    judge.that(
        received != 25,
        Hint(en="Every unit also has a bias.", zh="每个神经元还有一个偏置。"),
    )
    judge.that(
        received != 35,
        Hint(en="The input computes nothing: has it a bias?", zh="输入什么也不算，它有偏置吗？"),
    )
    judge.equal(
        received,
        32,
        Hint(
            en="Take one pair of neighbouring layers at a time: which lines join them?",
            zh="一次只看相邻的两层：它们之间有多少条连线？",
        ),
    )
    judge.equal(
        answer([2, 8, 8, 1]),
        105,
        Hint(en="It should work for any number of layers.", zh="层数不论多少都要算得对。"),
    )


@exercise("4.2", asks="fold")
def fold(answer: Answer, judge: Judge) -> None:
    """Weight and bias of the composition."""
    random = np.random.default_rng(0)
    first, first_bias = random.normal(size=(3, 3)), random.normal(size=3)
    second, second_bias = random.normal(size=(3, 3)), random.normal(size=3)
    received = answer(first, first_bias, second, second_bias)
    judge.that(
        isinstance(received, tuple) and len(received) == 2,
        Hint(en="Return two things: the weight and the bias.", zh="要返回两样东西：权重和偏置。"),
    )
    weight, bias = received
    judge.that(
        np.shape(weight) != (3, 3) or not np.allclose(weight, first @ second),
        Hint(
            en="Which layer meets x first? It must stand next to x in the product.",
            zh="哪一层先碰到 x？在乘积里它要紧挨着 x。",
        ),
    )
    judge.close(
        weight,
        second @ first,
        Hint(
            en="Put the formula of the first layer into the second.",
            zh="把第一层的式子代入第二层。",
        ),
    )
    judge.that(
        np.shape(bias) != (3,) or not np.allclose(bias, first_bias + second_bias),
        Hint(
            en="The first bias still has to go through the second layer.",
            zh="第一层的偏置还要经过第二层。",
        ),
    )
    judge.close(
        bias,
        second @ first_bias + second_bias,
        Hint(en="What comes out when x is all zeros?", zh="x 全为零时，输出是什么？"),
    )
    weight, bias = answer(np.ones((4, 2)), np.ones(4), np.ones((1, 4)), np.ones(1))
    judge.shape(
        weight,
        (1, 2),
        Hint(
            en="Layers need not be square: from 2 over 4 to 1.",
            zh="层不一定是方的：从 2 到 4 再到 1。",
        ),
    )


@exercise("4.3", asks=("hidden_weight", "hidden_bias", "output_weight", "output_bias"))
def equal_inputs(answer: Answer, judge: Judge) -> None:
    """XNOR by hand."""
    sizes = Hint(
        en="Two units with two inputs: weights (2, 2) and (2,), biases (2,) and one number.",
        zh="隐藏层的权重是 2×2 的矩阵，偏置是两个数；输出的权重是两个数，偏置是一个数。",
    )
    judge.shape(answer.hidden_weight, (2, 2), sizes)
    judge.shape(answer.hidden_bias, (2,), sizes)
    judge.shape(np.ravel(answer.output_weight), (2,), sizes)
    judge.shape(np.ravel(answer.output_bias), (1,), sizes)
    weight, bias = np.asarray(answer.hidden_weight), np.asarray(answer.hidden_bias)
    hidden = np.maximum(_CASES @ weight.T + bias, 0.0)
    scores = hidden @ np.ravel(answer.output_weight) + np.ravel(answer.output_bias)
    judge.that(
        list(scores > 0.5) != [False, True, True, False],
        Hint(
            en="That is XOR. Its opposite is 1 where XOR is 0: what does that ask of the output?",
            zh="这是异或。同或在异或为 0 的地方是 1：输出那一层该怎么变？",
        ),
    )
    judge.equal(
        (scores > 0.5).tolist(),
        [True, False, False, True],
        Hint(
            en="Go through the four cases on paper: h of each, then the output.",
            zh="在纸上把四种情况走一遍：先算 h，再算输出。",
        ),
    )


@exercise("4.4", asks="make_model")
def make_model(answer: Answer, judge: Judge) -> None:
    """A network that learns XOR from several starts."""
    x = pellucid.tensor(_CASES, dtype=pellucid.float32)
    y = pellucid.tensor([[0.0], [1.0], [1.0], [0.0]])
    right, lowest = [], 0.0
    for seed in range(3):
        pellucid.manual_seed(seed)
        model = answer()
        judge.that(
            isinstance(model, nn.Module),
            Hint(en="Return the network itself.", zh="要返回网络本身。"),
        )
        _train(model, x, y)
        with pellucid.no_grad():
            scores = model(x).numpy()
        judge.shape(
            scores, (4, 1), Hint(en="One score for each row.", zh="每一行数据要有一个得分。")
        )
        right.append(int(((scores > 0) == (y.numpy() > 0.5)).sum()))
        lowest = min(lowest, float(scores.min()))
    judge.that(
        lowest < 0.0,
        Hint(
            en="No score is below 0: should an activation come after the last layer?",
            zh="没有一个得分小于 0：最后一层后面该不该有激活函数？",
        ),
    )
    judge.that(
        sum(n == 4 for n in right) >= 2,
        Hint(
            en="It still draws a straight border. What folds into one layer here?",
            zh="分界线还是直的。这里有哪几层会折成一层？",
        ),
    )


def _train(model: nn.Module, x: pellucid.Tensor, y: pellucid.Tensor) -> None:
    optimizer = optim.Adam(model.parameters(), lr=0.03)

    @pellucid.compile
    def step(x: pellucid.Tensor, y: pellucid.Tensor) -> None:
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(x), y).backward()
        optimizer.step()

    for _ in range(250):
        step(x, y)
