"""Graders of lesson 17: augmentation and fine-tuning."""

from __future__ import annotations

import numpy as np

from pellucid import nn, optim
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("17.1", asks="shift")
def shift(answer: Answer, judge: Judge) -> None:
    """Zeros come in, nothing comes back on the other side, both directions."""
    image = np.arange(1.0, 13.0).reshape(3, 4)
    down = np.asarray(answer(image, 1, 0))
    judge.shape(down, (3, 4), Hint(en="The size stays the same.", zh="大小不变。"))
    judge.that(
        not np.allclose(down, np.roll(image, 1, axis=0)),
        Hint(
            en="What left at the bottom came back at the top; zeros should come in.",
            zh="从下面出去的，又从上面回来了。补进来的应当是零。",
        ),
    )
    judge.that(
        not np.allclose(down[:-1], image[1:]),
        Hint(en="Yours moved up; down was asked for.", zh="你的图往上移了，题目要往下。"),
    )
    wanted = np.zeros_like(image)
    wanted[1:] = image[:-1]
    judge.close(
        down,
        wanted,
        Hint(
            en="Shifted down by 1, the first row is 0 and the second is the old first.",
            zh="下移 1 格，第一行是零，第二行是原来的第一行。",
        ),
    )
    back = np.zeros_like(image)
    back[:, :-2] = image[:, 2:]
    judge.close(
        answer(image, 0, -2),
        back,
        Hint(
            en="Try a negative number: -2 to the right is 2 to the left.",
            zh="试试负数：向右 -2 就是向左 2。",
        ),
    )
    both = np.zeros_like(image)
    both[:2, 3:] = image[1:, :1]
    judge.close(
        answer(image, -1, 3),
        both,
        Hint(en="Try both directions at a time.", zh="两个方向同时移动试试。"),
    )


@exercise("17.2", asks="half_turn")
def half_turn(answer: Answer, judge: Judge) -> None:
    """0, 1 and 8 stay; 6 and 9 change places."""
    found = answer.value
    judge.that(
        isinstance(found, dict) and bool(found),
        Hint(en="A dictionary, such as {2: 2}.", zh="要一个字典，例如 {2: 2}。"),
    )
    judge.that(
        not ({2, 3, 4, 5, 7} & set(found)),
        Hint(
            en="Write the digits 2, 3, 4, 5 and 7 on paper and turn the sheet: leave out "
            "what is no digit any more.",
            zh="在纸上写下 2、3、4、5、7，把纸倒过来：不再是数字的不要写。",
        ),
    )
    judge.that(
        found.get(6) != 6 and found.get(9) != 9,
        Hint(en="Turn a 6 by half a turn. What do you read?", zh="把 6 转半圈，读出来是什么？"),
    )
    judge.that(
        6 in found and 9 in found,
        Hint(
            en="The question is not which digits stay themselves, but which are still a digit.",
            zh="问的不是哪些还是自己，而是哪些仍然是数字。",
        ),
    )
    judge.equal(
        {int(k): int(v) for k, v in found.items()},
        {0: 0, 1: 1, 6: 9, 8: 8, 9: 6},
        Hint(en="Go through all ten digits once more.", zh="把十个数字再过一遍。"),
    )


@exercise("17.3", asks="parameter_groups")
def parameter_groups(answer: Answer, judge: Judge) -> None:
    """The head at the rate, the body at a tenth; an optimizer takes them."""
    body, head = nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Linear(4, 2)
    groups = answer(body, head, 0.02)
    judge.that(
        isinstance(groups, list) and all(isinstance(g, dict) for g in groups),
        Hint(
            en="A list of dictionaries, as in the lesson's tune.",
            zh="由字典组成的列表，像本课的 `tune` 里那样。",
        ),
    )
    judge.that(
        len(groups) == 2 and all("params" in g for g in groups),
        Hint(
            en="Two groups, each with its parameters under 'params'.",
            zh="两组，各自的参数放在 'params' 之下。",
        ),
    )
    optimizer = optim.SGD(groups, lr=1.0)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    of_head = {rates.get(id(p)) for p in head.parameters()}
    of_body = {rates.get(id(p)) for p in body.parameters()}
    judge.that(
        1.0 not in of_head | of_body,
        Hint(
            en="A group without its own rate takes the optimizer's; give both theirs under 'lr'.",
            zh="没有写学习率的组会用优化器的。两组都用 'lr' 写明。",
        ),
    )
    judge.that(
        not (of_head == {0.002} and of_body == {0.02}),
        Hint(
            en="The other way round: which part is new and has the most to learn?",
            zh="反了：哪一部分是新的，要学的最多？",
        ),
    )
    judge.that(
        len(of_head) == len(of_body) == 1
        and np.isclose(of_head.pop() or 0.0, 0.02)
        and np.isclose(of_body.pop() or 0.0, 0.002),
        Hint(
            en="With rate 0.02: which rate has the head, and which the body?",
            zh="rate 是 0.02 时，输出头和主体的学习率各是多少？",
        ),
    )


@exercise("17.4", asks="parts")
def parts(answer: Answer, judge: Judge) -> None:
    """Originals to test on, no copy of them to learn from, all labels with their pictures."""
    random = np.random.default_rng(1)
    images, labels = random.random((40, 4, 4)), np.arange(40)
    (train, train_labels), (test, test_labels) = answer(images, labels)
    train_labels, test_labels = np.asarray(train_labels), np.asarray(test_labels)
    judge.that(
        not set(train_labels.tolist()) & set(test_labels.tolist()),
        Hint(
            en="A picture that is tested has its mirror image in training. What has to come first, "
            "the copies or the split?",
            zh="测试里的图，它的镜像却在训练集里。复制和划分，哪个应当在前？",
        ),
    )
    judge.that(
        all(np.array_equal(x, images[n]) for x, n in zip(test, test_labels, strict=True)),
        Hint(
            en="The test part should hold pictures as they were collected.",
            zh="测试集里应当是收集来的原图。",
        ),
    )
    judge.that(
        len(test) == 10,
        Hint(en="A quarter of the pictures is for testing.", zh="四分之一的图片用来测试。"),
    )
    judge.that(
        len(train) == len(train_labels) == 60,
        Hint(
            en="Where are the mirrored copies? Training should hold each of its pictures twice.",
            zh="镜像的副本呢？训练集里每张图应当有两份。",
        ),
    )
    judge.that(
        all(
            np.array_equal(x, images[n]) or np.array_equal(x, images[n][:, ::-1])
            for x, n in zip(train, train_labels, strict=True)
        ),
        Hint(
            en="Some pictures in training have the label of another one.",
            zh="训练集里有的图配上了别人的标签。",
        ),
    )
