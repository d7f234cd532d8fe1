"""Graders of lesson 13: batches, learning rates and normalization."""

from __future__ import annotations

import math

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("13.1", asks=("noise_for", "scaled_rate"))
def noise_and_rate(answer: Answer, judge: Judge) -> None:
    """Noise by the root, the rate in proportion."""
    noise = answer.noise_for(2.0, 16, 64)
    judge.that(
        not np.isclose(noise, 0.5),
        Hint(
            en="The variance falls like that. Noise is told as a deviation here.",
            zh="这样下降的是方差。这里的噪声说的是标准差。",
        ),
    )
    judge.that(
        noise < 2.0,
        Hint(en="More rows, less noise.", zh="行数越多，噪声越小。"),
    )
    judge.close(
        noise,
        1.0,
        Hint(
            en="Four times as many rows: by what is the noise divided? Look at the picture.",
            zh="行数变成四倍，噪声要除以几？看看课文里的图。",
        ),
    )
    rate = answer.scaled_rate(0.1, 32, 128)
    judge.that(
        not np.isclose(rate, 0.2),
        Hint(
            en="That is the rule with the root. The linear rule is asked for.",
            zh="这是按平方根换算。题目要的是线性规则。",
        ),
    )
    judge.that(
        not np.isclose(rate, 0.025),
        Hint(
            en="Larger batches make fewer steps. Should each be shorter or longer?",
            zh="批量大，步数就少。每一步该更短还是更长？",
        ),
    )
    judge.close(
        rate,
        0.4,
        Hint(
            en="Learning rate in proportion to the batch size.",
            zh="学习率与批量大小成正比。",
        ),
    )


@exercise("13.2", asks="standardized")
def standardize(answer: Answer, judge: Judge) -> None:
    """Both tables by the statistics of the training rows."""
    train = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    test = np.array([[11.0, 7.0], [3.0, 5.0]])
    found = answer(train[:, :1], test[:, :1])
    judge.that(
        isinstance(found, (tuple, list)) and len(found) == 2,
        Hint(en="Return two tables, train and test.", zh="返回两张表：训练集和测试集。"),
    )
    deviation = math.sqrt(8 / 3)
    judge.close(
        found[0],
        (train[:, :1] - 3) / deviation,
        Hint(
            en="Each column of train: minus its mean, by its deviation (np.std).",
            zh="train 的每一列：减去均值，除以标准差（np.std）。",
        ),
    )
    judge.that(
        not np.allclose(np.asarray(found[1]), [[1.0], [-1.0]]),
        Hint(
            en="The test rows were standardized by themselves. Whose statistics are allowed?",
            zh="测试集用了自己的统计量。只许用谁的均值和标准差？",
        ),
    )
    judge.close(
        found[1],
        (test[:, :1] - 3) / deviation,
        Hint(
            en="The test rows use the same two numbers as the training rows.",
            zh="测试集用的是与训练集相同的两个数。",
        ),
    )
    with np.errstate(all="ignore"):
        both = answer(train, test)
    judge.that(
        np.isfinite(np.asarray(both[0])).all() and np.isfinite(np.asarray(both[1])).all(),
        Hint(
            en="A constant column has deviation 0. What happens when you divide?",
            zh="常数列的标准差是 0。拿它做除数会怎样？",
        ),
    )
    judge.close(
        both[1],
        np.stack([(test[:, 0] - 3) / deviation, test[:, 1] - 5], axis=1),
        Hint(
            en="The deviation of a constant column counts as 1; treat each column by itself.",
            zh="常数列的标准差当作 1；每一列单独处理。",
        ),
    )


@exercise("13.3", asks="BatchNorm")
def batch_norm(answer: Answer, judge: Judge) -> None:
    """Down the rows, by the root, with running values in evaluation."""
    layer = answer.BatchNorm(2)
    x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0], [7.0, 20.0]])
    judge.that(
        isinstance(layer.mean, np.ndarray),
        Hint(en="Keep the attributes mean and variance.", zh="保留 mean 和 variance 两个属性。"),
    )
    found = np.asarray(layer(x, True), float)
    judge.shape(found, (4, 2), Hint(en="Keep the shape of x.", zh="形状要与 x 相同。"))
    judge.that(
        not np.allclose(found.sum(axis=1), 0, atol=1e-6),
        Hint(
            en="Every row has mean 0: that is the axis of layer normalization.",
            zh="每一行的均值是 0：这是层归一化的方向。",
        ),
    )
    judge.that(
        np.allclose(found.mean(axis=0), 0, atol=1e-6),
        Hint(en="In training each column should have mean 0.", zh="训练时每一列的均值应为 0。"),
    )
    judge.that(
        np.allclose(found.std(axis=0), 1, atol=1e-3),
        Hint(
            en="The columns do not have deviation 1. By what do you divide?",
            zh="各列的标准差不是 1。你除以的是什么？",
        ),
    )
    judge.close(
        [layer.mean[0], layer.variance[0]],
        [0.4, 0.9 + 0.1 * 20 / 3],
        Hint(
            en="The running values were right in the starter: do not change them.",
            zh="滑动平均原来就是对的，不用改。",
        ),
    )
    still = np.asarray(layer(np.array([[5.0, 0.0]]), False), float)
    judge.that(
        not np.allclose(still, 0, atol=1e-6),
        Hint(
            en="In evaluation a single row became all 0: it was compared with itself.",
            zh="评估时，单独一行变成了全 0：它在跟自己比。",
        ),
    )
    judge.close(
        still[0, 0],
        4.6 / math.sqrt(0.9 + 0.1 * 20 / 3 + 1e-5),
        Hint(
            en="In evaluation use the running mean and variance, and leave them as they are.",
            zh="评估时用滑动的均值和方差，并且不改动它们。",
        ),
        tolerance=1e-5,
    )


@exercise("13.4", asks="rate_at")
def rate_at(answer: Answer, judge: Judge) -> None:
    """A line up to the top, then half a cosine."""
    judge.that(
        answer(0, 100, 1.0, 10) != 0,
        Hint(
            en="In step 0 the rate is 0, so this step is wasted. The text says top / warm.",
            zh="第 0 步的学习率是 0，这一步就白走了。题目说的是 top / warm。",
        ),
    )
    judge.close(
        [answer(step, 100, 1.0, 10) for step in (0, 4, 9)],
        [0.1, 0.5, 1.0],
        Hint(
            en="The warm-up rises evenly and reaches top in step warm - 1.",
            zh="预热匀速上升，到第 warm - 1 步达到 top。",
        ),
    )
    judge.that(
        not np.isclose(answer(55, 100, 1.0, 10), (1 + math.cos(math.pi * 0.55)) / 2),
        Hint(
            en="The cosine should begin when the warm-up is over. How many steps are left then?",
            zh="余弦应该在预热结束时才开始。那时还剩多少步？",
        ),
    )
    judge.close(
        [answer(step, 100, 1.0, 10) for step in (10, 55, 100)],
        [1.0, 0.5, 0.0],
        Hint(
            en="After the warm-up: top at once, half in the middle of what is left, 0 at the end.",
            zh="预热之后：先是 top，到剩余部分的一半处减半，最后是 0。",
        ),
    )
    judge.close(
        answer(5, 20, 0.4, 0),
        0.4 * (1 + math.cos(math.pi / 4)) / 2,
        Hint(
            en="It should work without a warm-up too (warm = 0), and for any top.",
            zh="没有预热（warm = 0）也要能用，top 也可以是别的数。",
        ),
    )


@exercise("13.5", asks="fold")
def fold(answer: Answer, judge: Judge) -> None:
    """One affine map for two."""
    random = np.random.default_rng(9)
    weight, bias = random.normal(size=(3, 2)), random.normal(size=2)
    mean, variance = random.normal(size=2), np.array([4.0, 0.25])
    gamma, beta = np.array([2.0, -1.0]), np.array([0.5, 3.0])
    found = answer(weight, bias, mean, variance, gamma, beta)
    judge.that(
        isinstance(found, (tuple, list)) and len(found) == 2,
        Hint(en="Return two things: weight and bias.", zh="返回两样东西：权重和偏置。"),
    )
    new_weight, new_bias = (np.asarray(part, float) for part in found)
    judge.shape(new_weight, (3, 2), Hint(en="The weight keeps its shape.", zh="权重的形状不变。"))
    scale = gamma / np.sqrt(variance + 1e-5)
    judge.that(
        not np.allclose(new_weight, weight * gamma / (variance + 1e-5)),
        Hint(
            en="You divided by the variance; batch normalization divides by its root.",
            zh="你除以了方差；批归一化除以的是方差的平方根。",
        ),
    )
    judge.close(
        new_weight,
        weight * scale,
        Hint(
            en="Write the formula with x @ weight + bias in it. What multiplies each column?",
            zh="把 x @ weight + bias 代进公式。每一列乘上了什么？",
        ),
    )
    judge.that(
        not np.allclose(new_bias, bias * scale + beta),
        Hint(
            en="Where has the running mean gone?",
            zh="滑动均值到哪里去了？",
        ),
    )
    judge.close(
        new_bias,
        (bias - mean) * scale + beta,
        Hint(
            en="What does the folded layer give for x = 0? That is its bias.",
            zh="x = 0 时，并好的层给出什么？那就是它的偏置。",
        ),
    )
