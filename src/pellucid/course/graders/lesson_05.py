"""Graders of lesson 5: activations and their slopes."""

from __future__ import annotations

import warnings

import numpy as np

from pellucid import nn
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("5.1", asks="relu_slope")
def relu_slope(answer: Answer, judge: Judge) -> None:
    """Slopes 0 and 1, an array of the input's shape."""
    slopes = answer(np.array([-2.0, 0.5, 3.0]))
    judge.shape(
        slopes,
        (3,),
        Hint(en="Return one slope for each number of x.", zh="x 里的每个数都要有一个斜率。"),
    )
    judge.that(
        not np.allclose(slopes, [0.0, 0.5, 3.0]),
        Hint(
            en="That is the value of ReLU. How steep is its curve there?",
            zh="这是 ReLU 的函数值。它的曲线在那里有多陡？",
        ),
    )
    judge.close(
        slopes,
        [0.0, 1.0, 1.0],
        Hint(
            en="Where is ReLU flat? Look at the curve left of 0, and then right of it.",
            zh="ReLU 在哪一段是平的？先看 0 左边的曲线，再看右边。",
        ),
    )
    judge.close(
        answer(np.array([[0.0, -1.0], [2.0, 0.0]])),
        [[0.0, 0.0], [1.0, 0.0]],
        Hint(en="By convention the slope at 0 is 0.", zh="按约定，0 处的斜率取 0。"),
    )


@exercise("5.2", asks="slope_from_value")
def slope_from_value(answer: Answer, judge: Judge) -> None:
    """a(1 − a)."""
    values = np.array([0.5, 0.9, 0.01])
    slopes = answer(values)
    again = 1 / (1 + np.exp(-values))
    judge.that(
        not np.allclose(slopes, again * (1 - again)),
        Hint(
            en="a is a value already: the sigmoid has been applied. It is not applied again.",
            zh="a 已经是函数值，sigmoid 已经算过了，不要再算一遍。",
        ),
    )
    judge.close(
        slopes,
        values * (1 - values),
        Hint(
            en="The formula of the slope needs nothing but the value, and the value is a.",
            zh="斜率的公式里只出现函数值，而函数值在这里就叫 a。",
        ),
    )


@exercise("5.3", asks="dead_units")
def dead_units(answer: Answer, judge: Judge) -> None:
    """Columns without a positive number."""
    sums = np.array([[1.0, -1.0, -3.0, -1.0], [-2.0, -1.0, 2.0, 0.0], [-2.0, -4.0, -3.0, -0.5]])
    found = np.ravel(answer(sums))
    judge.that(
        sorted(found.tolist()) != [0, 1, 2, 3],
        Hint(
            en="One negative sum does not kill a unit: it must be so for every row.",
            zh="一次负的加权和害不死神经元：要每一行都如此才算。",
        ),
    )
    judge.that(
        found.dtype.kind != "b" and found.tolist() != [0, 1, 0, 1],
        Hint(
            en="Return the numbers of the columns, not a yes or no for each.",
            zh="要返回列号，不是对每一列答是或否。",
        ),
    )
    judge.that(
        found.tolist() != [2],
        Hint(en="Rows are samples. Columns are units.", zh="行是样本，列才是神经元。"),
    )
    judge.that(
        found.tolist() != [1],
        Hint(
            en="What does ReLU make of a sum of exactly 0?", zh="加权和恰好是 0 时，ReLU 给出什么？"
        ),
    )
    judge.equal(
        found.tolist(),
        [1, 3],
        Hint(
            en="Which columns have no number above 0?",
            zh="哪几列里没有一个大于 0 的数？",
        ),
    )


@exercise("5.4", asks="sigmoid")
def sigmoid(answer: Answer, judge: Judge) -> None:
    """Right for small numbers, for large ones too, and without a warning."""
    z = np.array([-5.0, -2.0, 0.0, 2.0, 5.0])
    judge.close(
        answer(z),
        1 / (1 + np.exp(-z)),
        Hint(
            en="For ordinary numbers it has to remain the sigmoid.",
            zh="对平常的数，它还得是 sigmoid。",
        ),
        tolerance=1e-9,
    )
    judge.that(
        5e-14 < answer(np.array([-30.0]))[0] < 5e-13,
        Hint(
            en="Small values are to stay exact: σ(−30) is about e⁻³⁰, neither 0 nor more.",
            zh="小的值也要准：z = −30 时结果约等于 e⁻³⁰，既不是 0，也不会更大。",
        ),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        large = answer(np.array([-1000.0, 1000.0]))
    judge.that(
        not caught,
        Hint(
            en="NumPy warned. For which sign of z does the power become large? "
            "np.where computes both of its sides.",
            zh="NumPy 出了警告。z 是正还是负的时候，幂会变得很大？注意 np.where 两边都会算。",
        ),
    )
    judge.close(
        large,
        [0.0, 1.0],
        Hint(en="What are the limits on both sides?", zh="两边的极限是多少？"),
        tolerance=1e-9,
    )


@exercise("5.5", asks="make_network")
def make_network(answer: Answer, judge: Judge) -> None:
    """Three linear layers with activations between them and none after the last."""
    model = answer()
    judge.that(
        isinstance(model, nn.Sequential),
        Hint(en="Return an nn.Sequential.", zh="要返回一个 nn.Sequential。"),
    )
    layers = list(model)
    linear = [n for n, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    judge.equal(
        [(layers[n].in_features, layers[n].out_features) for n in linear],
        [(64, 50), (50, 50), (50, 10)],
        Hint(en="Keep the three linear layers as they are.", zh="三个线性层不要改。"),
    )
    judge.that(
        not any(isinstance(layer, (nn.Softmax, nn.LogSoftmax)) for layer in layers[: linear[-1]]),
        Hint(
            en="One of the activations works on a whole row and makes its units compete.",
            zh="有一个激活函数作用于一整行，让神经元互相争抢。",
        ),
    )
    judge.that(
        not any(isinstance(layer, (nn.Softmax, nn.LogSoftmax)) for layer in layers[linear[-1] :]),
        Hint(
            en="cross_entropy wants scores: it applies softmax itself.",
            zh="cross_entropy 要的是得分，softmax 由它自己来算。",
        ),
    )
    judge.equal(
        len(layers) - 1,
        linear[-1],
        Hint(
            en="Scores may be negative as well. What stands in their way?",
            zh="得分也可以是负数。是什么拦住了它们？",
        ),
    )
    judge.that(
        all(second - first >= 2 for first, second in zip(linear, linear[1:], strict=False)),
        Hint(
            en="Two linear layers side by side fold into one (lesson 4).",
            zh="两个线性层紧挨着，会折成一层（第 4 课）。",
        ),
    )
