"""Graders of lesson 3: the perceptron, its rule, and two layers for XOR."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


@exercise("3.1", asks=("w", "b"))
def gate(answer: Answer, judge: Judge) -> None:
    """Only (1, 0) gets above 0."""
    judge.shape(answer.w, (2,), Hint(en="w holds two weights.", zh="w 里是两个权重。"))
    judge.shape(answer.b, (), Hint(en="b is one number.", zh="b 是一个数。"))
    sums = CORNERS @ np.asarray(answer.w, float) + float(answer.b)
    said = sums > 0
    judge.that(
        not said[0],
        Hint(
            en="For `(0, 0)` the sum is the bias alone. It must not be above 0.",
            zh="对 `(0, 0)`，和就是偏置本身，它不能大于 0。",
        ),
    )
    judge.that(
        said[2],
        Hint(en="For `(1, 0)` the sum is not above 0.", zh="对 `(1, 0)`，和没有超过 0。"),
    )
    judge.that(
        not said[1] and not said[3],
        Hint(
            en="The second switch should vote against. What sign has its weight?",
            zh="第二个开关应当投反对票。它的权重是什么符号？",
        ),
    )


@exercise("3.2", asks="push")
def push(answer: Answer, judge: Judge) -> None:
    """Nothing after a right answer; towards the target after a wrong one."""
    two = Hint(en="Return two things: weights and bias.", zh="要返回两样东西：权重和偏置。")
    given = np.array([0.5, -1.0])
    pair = answer(given, 0.25, np.array([1.0, 1.0]), 1)
    judge.that(isinstance(pair, (tuple, list)) and len(pair) == 2, two)
    judge.that(
        np.array_equal(given, [0.5, -1.0]),
        Hint(
            en="The array w that was handed over has changed. Make a new one.",
            zh="传进来的数组 w 被改动了。请另做一个新的。",
        ),
    )
    w, b = pair
    judge.that(
        not np.allclose(w, [-0.5, -2.0]),
        Hint(
            en="It should have said yes, and the sum was pushed down: look at t - y.",
            zh="本该说“是”，和却被往下推了：看看 t - y。",
        ),
    )
    judge.close(
        w,
        [1.5, 0.0],
        Hint(
            en="The answer was 0, the target 1: the weights of active inputs rise by 1.",
            zh="输出是 0，目标值是 1：输入为 1 的权重各加 1。",
        ),
    )
    judge.close(b, 1.25, Hint(en="The bias is pushed, too.", zh="偏置也要推。"))
    w, b = answer(np.array([1.0, 1.0]), 0.0, np.array([1.0, 0.0]), 1)
    judge.close(
        w,
        [1.0, 1.0],
        Hint(en="After a right answer nothing changes.", zh="答对了，什么都不该变。"),
    )
    judge.close(
        b, 0.0, Hint(en="After a right answer nothing changes.", zh="答对了，什么都不该变。")
    )
    w, b = answer(np.array([1.0, 1.0]), 0.0, np.array([2.0, 0.0]), 0)
    judge.close(
        w,
        [-1.0, 1.0],
        Hint(
            en="A weight changes in proportion to its input; inputs of 0 change nothing.",
            zh="权重的改动与它的输入成正比；输入是 0，权重不动。",
        ),
    )
    w, b = answer(np.array([0.0, 0.0]), 0.0, np.array([1.0, 1.0]), 0)
    judge.close(
        w,
        [0.0, 0.0],
        Hint(en="A sum of exactly 0 is a no.", zh="和恰好是 0，答案是“否”。"),
    )


@exercise("3.3", asks="xor")
def xor(answer: Answer, judge: Judge) -> None:
    """Exactly one of the two."""
    received = answer(CORNERS)
    judge.shape(received, (4,), Hint(en="One answer for each row.", zh="每一行要有一个答案。"))
    found = np.asarray(received).astype(int)
    judge.that(
        not np.array_equal(found, [0, 1, 1, 1]),
        Hint(
            en="That is OR. What must vote against it when both are on?",
            zh="这是“或”。两个都是 1 的时候，谁来投反对票？",
        ),
    )
    judge.that(
        not np.array_equal(found, [1, 0, 0, 1]),
        Hint(en="Yes and no are exchanged.", zh="“是”和“否”弄反了。"),
    )
    judge.close(
        found,
        [0, 1, 1, 0],
        Hint(
            en="Print what each unit of the first layer says for the four rows.",
            zh="把第一层每个单元对四行的输出打印出来看看。",
        ),
    )
    judge.close(
        np.asarray(answer(CORNERS[[3, 1]])).astype(int),
        [0, 1],
        Hint(en="It must work for any rows, in any order.", zh="行数和顺序变了也要对。"),
    )


@exercise("3.4", asks="pocket", seconds=20.0)
def pocket(answer: Answer, judge: Judge) -> None:
    """Better than the last weights where no line separates the examples."""
    dice = np.random.default_rng(3)
    x = np.concatenate([dice.normal(0, 1, (60, 2)), dice.normal(1.6, 1, (60, 2))])
    t = np.repeat([0, 1], 60)
    order = dice.permutation(120)
    x, t = x[order], t[order]
    pair = answer(x, t, 20)
    judge.that(
        isinstance(pair, (tuple, list)) and len(pair) == 2,
        Hint(en="Return two things: weights and bias.", zh="要返回两样东西：权重和偏置。"),
    )
    w, b = np.asarray(pair[0], float), float(pair[1])
    judge.shape(w, (2,), Hint(en="A weight for each input.", zh="每个输入一个权重。"))
    mistakes = int(((x @ w + b > 0).astype(int) != t).sum())
    last, fewest = _plain(x, t, 20)
    judge.that(
        mistakes != last,
        Hint(
            en="These are the last weights. Were there better ones on the way?",
            zh="这是最后的权重。一路上有没有更好的？",
        ),
    )
    judge.that(
        mistakes <= fewest,
        Hint(
            en="There were better ones on the way. When do you count, and over which examples?",
            zh="一路上有更好的。你在什么时候数错误，数的是哪些样本？",
        ),
    )


def _plain(x: np.ndarray, t: np.ndarray, epochs: int) -> tuple[int, int]:
    """Mistakes of the last weights of Rosenblatt's rule, and of the best on the way."""
    w, b, fewest, mistakes = np.zeros(x.shape[1]), 0.0, len(x), len(x)
    for _ in range(epochs):
        for row, target in zip(x, t, strict=True):
            change = int(target) - int(row @ w + b > 0)
            w, b = w + change * row, b + change
            mistakes = int(((x @ w + b > 0).astype(int) != t).sum())
            fewest = min(fewest, mistakes)
    return mistakes, fewest
