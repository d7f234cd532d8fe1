"""Graders of lesson 12: overfitting, underfitting and five remedies."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("12.1", asks="penalized_step")
def penalized_step(answer: Answer, judge: Judge) -> None:
    """The slopes of both penalties join the gradient."""
    judge.close(
        answer(1.0, 0.5, 0.1),
        0.95,
        Hint(
            en="Without penalties it is plain SGD: against the gradient, times the rate.",
            zh="没有惩罚就是普通的 SGD：逆着梯度走，乘以学习率。",
        ),
    )
    found = answer(2.0, 0.5, 0.1, l2=0.1)
    judge.that(
        not np.isclose(found, 1.91),
        Hint(
            en="The penalty is λ/2 · w²: what becomes of the ½ in its derivative?",
            zh="惩罚是 λ/2 · w²：求导之后 ½ 到哪里去了？",
        ),
    )
    judge.that(
        not np.isclose(found, 1.97),
        Hint(
            en="This makes the weight larger. A penalty pulls it towards 0.",
            zh="这样权重反而变大了。惩罚应该把它拉向 0。",
        ),
    )
    judge.close(
        found,
        1.93,
        Hint(
            en="L2 adds its slope, λ · w, to the gradient.",
            zh="L2 把自己的斜率 λ · w 加到梯度上。",
        ),
    )
    judge.close(
        answer(np.array([2.0, -2.0]), np.array([0.5, 0.5]), 0.1, l1=0.1),
        [1.94, -2.04],
        Hint(
            en="L1 pulls with the same force whatever the size. Which way for a negative weight?",
            zh="L1 用的力与大小无关。权重为负时往哪边拉？",
        ),
    )


@exercise("12.2", asks="dropout")
def dropout(answer: Answer, judge: Judge) -> None:
    """Zeros at the right rate, the rest scaled, nothing at all in evaluation."""
    x = np.ones((200, 50))
    judge.close(
        answer(x, 0.2, np.random.default_rng(0), False),
        x,
        Hint(
            en="When not training, x comes back as it is.",
            zh="不在训练时，x 要原样返回。",
        ),
    )
    found = np.asarray(answer(x, 0.2, np.random.default_rng(0), True), float)
    judge.shape(found, (200, 50), Hint(en="Keep the shape of x.", zh="形状要与 x 相同。"))
    dropped = float((found == 0).mean())
    judge.that(
        abs(dropped - 0.8) > 0.05,
        Hint(
            en="You kept the share that should be dropped.",
            zh="该丢掉的比例，你拿来当留下的比例了。",
        ),
    )
    judge.that(
        abs(dropped - 0.2) < 0.03,
        Hint(
            en="About a fifth of the numbers should be 0, each by a chance of its own.",
            zh="大约五分之一的数应该是 0，每个数各有各的机会。",
        ),
    )
    judge.that(
        abs(found.mean() - 1.0) < 0.03,
        Hint(
            en="The mean has changed. By what must the numbers that stay be divided?",
            zh="平均值变了。留下来的数应该除以多少？",
        ),
    )
    judge.close(
        answer(np.full(50, 3.0), 0.0, np.random.default_rng(1), True),
        np.full(50, 3.0),
        Hint(en="With probability 0 nothing changes.", zh="概率为 0 时什么也不变。"),
    )


@exercise("12.3", asks="early_stop")
def early_stop(answer: Answer, judge: Judge) -> None:
    """The best epoch before the end, and the end."""
    found = answer([3.0, 2.0, 1.0, 1.5, 1.6, 0.5], 2)
    judge.that(
        isinstance(found, (tuple, list)) and len(found) == 2,
        Hint(
            en="Return two numbers: the best epoch and the last one.",
            zh="返回两个数：最好的一轮和最后的一轮。",
        ),
    )
    judge.that(
        found[0] != 6,
        Hint(
            en="Training ended before that loss was seen.",
            zh="还没看到那个损失，训练就结束了。",
        ),
    )
    judge.that(
        tuple(found) != (2, 4),
        Hint(en="Count epochs from 1.", zh="轮数要从 1 数起。"),
    )
    judge.equal(
        tuple(int(v) for v in found),
        (3, 5),
        Hint(
            en="Best in epoch 3; in epoch 5 that is two epochs ago, as long as the patience.",
            zh="第 3 轮最好；到第 5 轮，那已是两轮以前，正好等于容忍轮数。",
        ),
    )
    judge.equal(
        tuple(int(v) for v in answer([3.0, 2.5, 2.6, 2.4, 2.5, 2.3], 2)),
        (6, 6),
        Hint(
            en="A better loss begins the waiting anew. What if the patience never runs out?",
            zh="有了更好的损失，就重新开始等。要是一直没有等到头呢？",
        ),
    )
    judge.equal(
        tuple(int(v) for v in answer([1.0, 1.0, 1.0], 2)),
        (1, 3),
        Hint(
            en="A loss that is only equal is no improvement.",
            zh="只是相等，不算更好。",
        ),
    )


@exercise("12.4", asks="prepare")
def prepare(answer: Answer, judge: Judge) -> None:
    """No validation row, nor its copy, among the training rows."""
    features = np.random.default_rng(5).normal(size=(40, 6))
    labels = np.arange(40)
    found = answer(features, labels, np.random.default_rng(2))
    judge.that(
        isinstance(found, (tuple, list)) and len(found) == 4,
        Hint(
            en="Return four arrays, as the starter does.",
            zh="像原来那样返回四个数组。",
        ),
    )
    train, train_labels, validation, validation_labels = (np.asarray(part) for part in found)
    judge.that(
        not set(train_labels.tolist()) & set(validation_labels.tolist()),
        Hint(
            en="A picture and its copy are on different sides. Which comes first, split or copy?",
            zh="一张图和它的副本分到了两边。应该先划分，还是先复制？",
        ),
    )
    judge.that(
        len(validation) == 20 and np.allclose(validation, features[validation_labels]),
        Hint(
            en="The validation part is the other half of the rows, once each and unchanged.",
            zh="验证集是另一半的行，每行一次，不改动。",
        ),
    )
    judge.shape(
        train,
        (40, 6),
        Hint(
            en="The training part has 20 rows and a shifted copy of each.",
            zh="训练集有 20 行，再加上每一行平移的副本。",
        ),
    )
    rolled = np.roll(features, 1, axis=1)
    originals = sum(np.allclose(r, features[k]) for r, k in zip(train, train_labels, strict=True))
    copies = sum(np.allclose(r, rolled[k]) for r, k in zip(train, train_labels, strict=True))
    judge.that(
        originals == 20 and copies == 20,
        Hint(
            en="Each training row should be there as it is and shifted, each with its label.",
            zh="训练集的每一行都应该有原样和平移各一份，标签要对得上。",
        ),
    )
    again = np.asarray(answer(features, labels, np.random.default_rng(3))[3])
    judge.that(
        set(again.tolist()) != set(validation_labels.tolist()),
        Hint(
            en="Which rows go where should be random.",
            zh="哪些行分到哪边，应该是随机的。",
        ),
    )


@exercise("12.5", asks="best_degree")
def best_degree(answer: Answer, judge: Judge) -> None:
    """Fitted to one set of points, judged by the other."""
    random = np.random.default_rng(7)
    x, new = np.linspace(-1, 1, 12), random.uniform(-0.95, 0.95, 400)
    y = 1 - 2 * x**2 + random.normal(0, 0.2, 12)
    y_new = 1 - 2 * new**2 + random.normal(0, 0.2, 400)
    errors = []
    for degree in range(1, 10):
        weights = np.polyfit(x, y, degree)
        errors.append(float(np.mean((np.polyval(weights, new) - y_new) ** 2)))
    best = 1 + int(np.argmin(errors))
    found = answer(x, y, new, y_new, 9)
    judge.that(
        found != 9,
        Hint(
            en="The highest degree wins on the points it was fitted to. Which points decide here?",
            zh="在用来拟合的点上，最高次总会赢。这里该由哪些点来决定？",
        ),
    )
    judge.that(
        found != best - 1,
        Hint(
            en="One too low: the first of the errors belongs to degree 1, not 0.",
            zh="少了 1：第一个误差属于 1 次，不是 0 次。",
        ),
    )
    judge.equal(
        found,
        best,
        Hint(
            en="Fit to (x, y) for each degree, and compare the errors on the validation points.",
            zh="每个次数都用 (x, y) 拟合，再比较验证点上的误差。",
        ),
    )
    judge.equal(
        answer(x, y, new, y_new, 1),
        1,
        Hint(en="Try no degree above most.", zh="不要试超过 most 的次数。"),
    )
