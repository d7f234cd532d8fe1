"""Graders of lesson 22: the Transformer."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pellucid.course.grading import Answer, Hint, Judge, exercise

Floats = npt.NDArray[np.float64]


@exercise("22.1", asks="positions")
def positions(answer: Answer, judge: Judge) -> None:
    """Sine and cosine of the same angle in turn, frequencies 10000^(-2i/d)."""
    angles = np.arange(7)[:, None] / 10000 ** (np.arange(0, 6, 2) / 6)
    wanted = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(7, 6)
    found = answer(7, 6)
    judge.shape(found, (7, 6), Hint(en="A row for each position.", zh="每个位置一行。"))
    judge.that(
        not np.allclose(found, np.concatenate([np.sin(angles), np.cos(angles)], axis=1)),
        Hint(
            en="All sines, then all cosines: the lesson has them in turn.",
            zh="这是先全部正弦、再全部余弦；课文里两者是相间的。",
        ),
    )
    judge.close(
        np.asarray(found)[0],
        wanted[0],
        Hint(
            en="Position 0 has sines 0 and cosines 1: count positions from 0, sine first.",
            zh="位置 0 的正弦是 0，余弦是 1：位置从 0 数起，正弦在前。",
        ),
    )
    judge.close(
        found,
        wanted,
        Hint(
            en="The exponent is 2i/d for the pair i: 0, 2, 4, … over the number of features.",
            zh="第 i 对的指数是 2i/d：0、2、4……除以特征数。",
        ),
    )


@exercise("22.2", asks="parameters")
def parameters(answer: Answer, judge: Judge) -> None:
    """Four square matrices, two rectangular ones, two norms; all with biases."""
    whole = 4 * (256 + 16) + 16 * 48 + 48 + 48 * 16 + 16 + 4 * 16
    found = answer(16, 48, 1)
    hints = (
        (
            whole - 4 * 16,
            Hint(en="Two layer norms are missing.", zh="少了两个层归一化。"),
        ),
        (
            4 * 256 + 2 * 16 * 48 + 4 * 16,
            Hint(en="Every linear layer has a bias, too.", zh="每个线性层还有偏置。"),
        ),
        (
            whole - 272,
            Hint(
                en="Query, key and value are three matrices; which fourth one mixes the heads?",
                zh="查询、键、值是三个矩阵，把各个头混合起来的第四个呢？",
            ),
        ),
        (
            whole - 2 * 16,
            Hint(en="A layer norm has a gain and a shift.", zh="层归一化有增益，也有平移。"),
        ),
    )
    for wrong, hint in hints:
        judge.that(found != wrong, hint)
    judge.equal(
        found,
        whole,
        Hint(
            en="Count part by part: four matrices of attention, two of the network, two norms.",
            zh="一部分一部分地数：注意力四个矩阵，前馈网络两个，归一化两个。",
        ),
    )
    judge.equal(
        answer(512, 2048, 6),
        6 * 3152384,
        Hint(en="Each layer has its own parameters.", zh="每一层都有自己的参数。"),
    )


def _mixed(q: Floats, k: Floats, v: Floats, divisor: float) -> Floats:
    scores = q @ k.T / divisor
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True) @ v, np.float64)


def _heads(parts: list[Floats], heads: int, divisor: float) -> Floats:
    cut = [np.split(part, heads, axis=1) for part in parts]
    return np.concatenate([_mixed(a, b, c, divisor) for a, b, c in zip(*cut, strict=True)], axis=1)


@exercise("22.3", asks="multi_head")
def multi_head(answer: Answer, judge: Judge) -> None:
    """Columns in groups, each with its own softmax and its own root."""
    rng = np.random.default_rng(5)
    parts = [np.asarray(part) for part in rng.normal(size=(3, 4, 8))]
    found = answer(*(part.copy() for part in parts), 2)
    judge.shape(found, (4, 8), Hint(en="A row for each word.", zh="每个词一行。"))
    judge.that(
        not np.allclose(found, _mixed(parts[0], parts[1], parts[2], math.sqrt(8))),
        Hint(
            en="This is one large head. Cut the features into groups first.",
            zh="这是一个大头。先把特征分成几组。",
        ),
    )
    judge.that(
        not np.allclose(found, _heads(parts, 2, np.sqrt(8))),
        Hint(
            en="Each head scales by the root of its own number of features.",
            zh="每个头按自己的特征数的平方根缩放。",
        ),
    )
    judge.that(
        not np.allclose(found, _heads(parts, 2, 1.0)),
        Hint(en="The scores are not scaled.", zh="得分没有缩放。"),
    )
    judge.close(
        found,
        _heads(parts, 2, 2.0),
        Hint(
            en="Each head mixes its own columns of v with its own weights; join them in order.",
            zh="每个头用自己的权重混合 v 里自己的那几列，再按次序拼起来。",
        ),
    )


@exercise("22.4", asks="layer_norm")
def layer_norm(answer: Answer, judge: Judge) -> None:
    """Mean and variance of each row; the root of the variance."""
    x = np.array([[4.0, -2.0, 1.0, 1.0], [30.0, 10.0, 0.0, 20.0]])
    gain, shift = np.array([1.0, 2.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 0.0])
    wanted = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    found = answer(x.copy(), gain, shift)
    judge.shape(found, (2, 4), Hint(en="The shape does not change.", zh="形状不变。"))
    row = answer(x[:1].copy(), gain, shift)
    judge.close(
        np.asarray(found)[0],
        np.asarray(row)[0],
        Hint(
            en="A row's result changes when other rows are there. Over which axis is the mean, "
            "over which the deviation?",
            zh="有没有别的行，结果竟然不同。均值沿哪个轴取？标准差呢？",
        ),
    )
    judge.that(
        not np.allclose(
            found,
            gain * (x - x.mean(1, keepdims=True)) / np.sqrt(x.std(1, keepdims=True) + 1e-5) + shift,
        ),
        Hint(
            en="The root of the standard deviation is one root too many.",
            zh="对标准差再开平方，多开了一次。",
        ),
    )
    judge.that(
        not np.allclose(found, wanted),
        Hint(en="Gain and shift belong to it.", zh="别忘了增益和平移。"),
    )
    judge.close(
        found,
        gain * wanted + shift,
        Hint(
            en="Each row: minus its mean, over the root of its variance, times gain, plus shift.",
            zh="每一行：减去均值，除以方差的平方根，乘增益，加平移。",
        ),
        tolerance=1e-4,
    )
