"""Graders of lesson 10: initialization and symmetry."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("10.1", asks=("he_std", "xavier_std"))
def deviations(answer: Answer, judge: Judge) -> None:
    """Roots of 2/inputs and of 2/(inputs + outputs)."""
    he = answer.he_std(50)
    judge.that(
        not np.allclose(he, 2 / 50),
        Hint(
            en="That is He's variance. A standard deviation is its square root.",
            zh="这是 He 的方差。标准差要再开方。",
        ),
    )
    judge.that(
        not np.allclose(he, np.sqrt(1 / 50)),
        Hint(
            en="That is right where no activation follows. What does ReLU do to the mean square?",
            zh="后面没有激活函数时，这样能保持大小。ReLU 会让均方值变成多少？",
        ),
    )
    judge.close(
        he,
        np.sqrt(2 / 50),
        Hint(en="Look up He's row in the table of the lesson.", zh="看看课文表格里 He 那一行。"),
    )
    xavier = answer.xavier_std(30, 70)
    judge.that(
        not np.allclose(xavier, 2 / 100),
        Hint(
            en="That is Xavier's variance. A standard deviation is its square root.",
            zh="这是 Xavier 的方差。标准差要再开方。",
        ),
    )
    judge.close(
        xavier,
        np.sqrt(2 / 100),
        Hint(
            en="Xavier looks at both ends of the layer, inputs and outputs.",
            zh="Xavier 同时考虑这一层的两头：输入和输出。",
        ),
    )


@exercise("10.2", asks="pre_activation_std")
def pre_activation(answer: Answer, judge: Judge) -> None:
    """Variances add up, deviations do not."""
    found = answer(np.array([3.0, 4.0]), 2.0)
    judge.that(
        not np.allclose(found, 100.0),
        Hint(
            en="That is the variance of z; the deviation is asked for.",
            zh="这是 z 的方差，题目问的是标准差。",
        ),
    )
    judge.that(
        not np.allclose(found, 14.0),
        Hint(
            en="You added deviations. Which quantity adds up for independent terms?",
            zh="这里把标准差相加了。独立的各项，能相加的是什么？",
        ),
    )
    judge.close(
        found,
        10.0,
        Hint(
            en="Each term has the variance weight_std² · x²; add these first.",
            zh="每一项的方差是 weight_std² · x²，先把它们加起来。",
        ),
    )
    judge.close(
        answer(np.array([-1.0, 0.5, 2.0]), 0.5, 1.5),
        np.sqrt(0.25 * 5.25 + 2.25),
        Hint(
            en="The bias adds one more variance to the sum. And do the signs of x matter?",
            zh="偏置让和里多出一项方差。另外，x 的正负号会影响结果吗？",
        ),
    )


@exercise("10.3", asks="layer_weights")
def weights(answer: Answer, judge: Judge) -> None:
    """Normal numbers of He's deviation in the shape (inputs, outputs)."""
    found = answer(400, 100, np.random.default_rng(3))
    judge.shape(
        found,
        (400, 100),
        Hint(
            en="x @ weight needs the inputs first in the shape of weight.",
            zh="要计算 x @ weight，weight 的形状里输入的个数应该在前。",
        ),
    )
    values = np.asarray(found)
    judge.that(
        values.min() < 0,
        Hint(
            en="All weights have one sign. Which numbers does random.random give?",
            zh="所有权重都是一个符号。random.random 给出的是哪些数？",
        ),
    )
    judge.that(
        abs(values.mean()) < 0.01,
        Hint(en="The mean of the weights should be 0.", zh="权重的均值应该是 0。"),
    )
    judge.that(
        not np.isclose(values.std(), np.sqrt(2 / 100), rtol=0.03),
        Hint(
            en="Which number does He count: what goes into a unit, or what the layer puts out?",
            zh="He 数的是哪一个：一个神经元收到多少输入，还是这一层有多少输出？",
        ),
    )
    judge.that(
        np.isclose(values.std(), np.sqrt(2 / 400), rtol=0.03),
        Hint(
            en="The deviation of the weights is not He's. (A variance in place of a deviation?)",
            zh="权重的标准差不是 He 的。（是不是把方差当成了标准差？）",
        ),
    )


@exercise("10.4", asks="distinct_units")
def distinct(answer: Answer, judge: Judge) -> None:
    """Columns together with their biases, counted once each."""
    ones = answer(np.ones((3, 5)), np.zeros(5))
    judge.equal(
        ones,
        1,
        Hint(
            en="Five equal columns with equal biases are one unit.",
            zh="五列相同、偏置也相同，就是一个神经元。",
        ),
    )
    wide = answer(np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]]), np.zeros(3))
    judge.equal(
        wide,
        2,
        Hint(
            en="A unit is a column of weight, not a row and not a single number.",
            zh="一个神经元是 weight 的一列，不是一行，也不是单个的数。",
        ),
    )
    judge.equal(
        answer(np.ones((2, 4)), np.array([0.0, 0.0, 0.5, 1.0])),
        3,
        Hint(
            en="Equal weights with different biases bend at different places: count the bias in.",
            zh="权重相同而偏置不同，转弯的地方就不同：偏置也要算进去。",
        ),
    )


@exercise("10.5", asks="layer_gains")
def gains(answer: Answer, judge: Judge) -> None:
    """Root mean squares layer by layer, activations included."""

    def expected(activation: Any, std: float, layers: int, width: int, seed: int) -> list[float]:
        random = np.random.default_rng(seed)
        x = random.normal(0, 1, (500, width))
        sizes = []
        for _ in range(layers):
            x = activation(x @ random.normal(0, std, (width, width)))
            sizes.append(float(np.sqrt(np.mean(x**2))))
        return sizes

    def relu(z: Any) -> Any:
        return np.maximum(z, 0)

    found = answer(relu, 0.2, layers=3, width=50, seed=1)
    judge.shape(
        found,
        (3,),
        Hint(en="Return one number for each layer.", zh="每一层返回一个数。"),
    )
    random = np.random.default_rng(1)
    start = random.normal(0, 1, (500, 50))
    first = relu(start @ random.normal(0, 0.2, (50, 50)))
    judge.that(
        not np.isclose(np.asarray(found, float)[0], first.std()),
        Hint(
            en="That is the deviation around the mean. The root of the mean of x² is asked for.",
            zh="这是围绕均值的标准差。要的是 x² 的平均再开方。",
        ),
    )
    judge.close(
        np.asarray(found, float)[:1],
        expected(relu, 0.2, 1, 50, 1),
        Hint(
            en="The first layer is off: matrix product, activation, then the root mean square.",
            zh="第一层就不对：先做矩阵乘法，再过激活函数，最后求均方根。",
        ),
    )
    judge.close(
        found,
        expected(relu, 0.2, 3, 50, 1),
        Hint(
            en="The first layer is right. Does the next one get the output of the one before it, "
            "and weights of its own?",
            zh="第一层对了。后一层的输入是前一层的输出吗？每层有自己的权重吗？",
        ),
    )
    judge.close(
        answer(np.tanh, 0.1, layers=2, width=30, seed=4),
        expected(np.tanh, 0.1, 2, 30, 4),
        Hint(
            en="Use the activation that was given, not always ReLU.",
            zh="要用传进来的激活函数，而不总是 ReLU。",
        ),
    )
