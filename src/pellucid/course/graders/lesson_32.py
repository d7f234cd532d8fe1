"""Graders of lesson 32: sick trainings."""

from __future__ import annotations

import numpy as np

import pellucid
import pellucid.nn.functional as F
from pellucid import nn, optim
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("32.1", asks="lowest_loss")
def lowest_loss(answer: Answer, judge: Judge) -> None:
    """log(1 + (classes − 1)/e)."""
    found = answer(10)
    judge.that(
        not np.isclose(float(found or 0.0), np.log(10)),
        Hint(
            en="That is the loss of knowing nothing. What are the best outputs of a softmax?",
            zh="这是一无所知的损失。softmax 最好的输出是什么样的？",
        ),
    )
    judge.that(
        found != 0,
        Hint(
            en="0 is for scores without bounds. Here the right one is 1 at most, the others 0.",
            zh="得分没有上限时才能到 0。这里正确的类最多是 1，其余是 0。",
        ),
    )
    judge.close(
        found,
        np.log(1 + 9 / np.e),
        Hint(
            en="Put 1 for the right class and 0 for nine others into the cross-entropy.",
            zh="把正确的类取 1、另外九个取 0，代入交叉熵。",
        ),
    )
    judge.close(
        answer(2),
        np.log(1 + 1 / np.e),
        Hint(
            en="How many other classes are there besides the right one?",
            zh="除了正确的类，还有几个类？",
        ),
    )


@exercise("32.2", asks="dead_units")
def dead_units(answer: Answer, judge: Judge) -> None:
    """Columns that are 0 in every row."""
    outputs = np.array([[0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 3.0, 0.0, 0.0]])
    found = np.asarray(answer(outputs)).tolist()
    judge.that(
        found != [0, 1, 2, 3],
        Hint(
            en="A unit that answers at least one row is alive. Ask whether all are 0, not any.",
            zh="只要对一行有应答就是活的。你问的是有零，还是全零？",
        ),
    )
    judge.that(
        found != [True, False, True, False],
        Hint(
            en="The numbers of the units are asked for, not true and false.",
            zh="要的是单元的编号，不要真假。",
        ),
    )
    judge.that(
        found != [],
        Hint(
            en="Rows go downwards, units across: along which axis do you look?",
            zh="行是样本，列是单元：应当沿哪个轴看？",
        ),
    )
    judge.equal(found, [0, 2], Hint(en="Look at each column of the table.", zh="逐列看这张表。"))


@exercise("32.3", asks="fit", seconds=30)
def fit(answer: Answer, judge: Judge) -> None:
    """Numbers, and the weights of plain gradient descent on the cross-entropy."""
    random = np.random.default_rng(0)
    x = pellucid.tensor(random.normal(size=(30, 2)), dtype=pellucid.float32)
    y = pellucid.tensor((x[:, 0] > x[:, 1]).long().tolist())

    def fresh() -> nn.Linear:
        network = nn.Linear(2, 2)
        with pellucid.no_grad():
            network.weight.fill_(0.1)
            network.bias.zero_()
        return network

    wanted = {}
    for clear in (True, False):
        network = fresh()
        optimizer = optim.SGD(network.parameters(), lr=0.5)
        losses = []
        for _ in range(40):
            loss = F.cross_entropy(network(x), y)
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        wanted[clear] = losses
    network = fresh()
    found = answer(network, optim.SGD(network.parameters(), lr=0.5), x, y, 40)
    judge.that(
        isinstance(found, list) and len(found) == 40,
        Hint(en="A list with one loss for each step.", zh="每一步一个损失，放在列表里。"),
    )
    first = [float(loss) for loss in found]
    judge.that(
        not np.isclose(first[1], wanted[False][1]) or not np.isclose(first[3], wanted[False][3]),
        Hint(
            en="The first step is right, later ones go too far. What adds up from step to step?",
            zh="第一步是对的，后面走得太远。有什么东西一步步累加起来了？",
        ),
    )
    judge.close(
        first,
        wanted[True],
        Hint(
            en="The losses are not those of plain training. What does cross_entropy expect, and "
            "what does it get?",
            zh="这些损失和正常训练的不一样。cross_entropy 要的是什么？得到的又是什么？",
        ),
        tolerance=1e-4,
    )
    judge.that(
        all(isinstance(loss, float) for loss in found),
        Hint(
            en="It learns. But the losses are tensors that keep their graphs: make them numbers.",
            zh="学会了。不过这些损失是带着计算图的张量，请取出数值。",
        ),
    )


@exercise("32.4", asks="prepare")
def prepare(answer: Answer, judge: Judge) -> None:
    """Mean and deviation of the training rows for both parts."""
    random = np.random.default_rng(0)
    train, test = random.normal(3, 2, (50, 2)), random.normal(5, 4, (20, 2))
    first, second = (np.asarray(part) for part in answer(train, test))
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    judge.that(
        np.allclose(first.mean(axis=0), 0) and np.allclose(first.std(axis=0), 1),
        Hint(
            en="The training part is not standardized by itself: whose mean is in it?",
            zh="训练集没有用自己的统计量标准化：里面用的是谁的均值和标准差？",
        ),
    )
    judge.that(
        not np.allclose(second, (test - test.mean(axis=0)) / test.std(axis=0)),
        Hint(
            en="The test part has its own statistics. What would you do with one new row?",
            zh="测试集用了自己的统计量。如果只来一行新数据，你怎么办？",
        ),
    )
    judge.close(
        second,
        (test - mean) / deviation,
        Hint(
            en="The same change for both parts: the one learned from the training rows.",
            zh="两份数据做同样的变换，就是从训练集学来的那个。",
        ),
    )
