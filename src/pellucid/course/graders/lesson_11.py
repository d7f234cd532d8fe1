"""Graders of lesson 11: optimizers."""

from __future__ import annotations

import math

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("11.1", asks="momentum_step")
def momentum(answer: Answer, judge: Judge) -> None:
    """The buffer first, then a step with the new buffer."""
    found = answer(1.0, 2.0, 4.0, 0.1)
    judge.that(
        isinstance(found, tuple) and len(found) == 2,
        Hint(
            en="Return two things: the new weight and the new buffer.",
            zh="要返回两样东西：新的权重和新的 buffer。",
        ),
    )
    weight, buffer = found
    judge.that(
        not np.isclose(buffer, 0.9 * 4.0 + 0.1 * 2.0),
        Hint(
            en="This takes a mean. In SGD's momentum the new gradient is added whole.",
            zh="这样求的是平均。SGD 的动量把新梯度整个加进去。",
        ),
    )
    judge.close(
        buffer,
        5.6,
        Hint(
            en="The new buffer is mu times the old one, plus the gradient.",
            zh="新的 buffer 是旧的乘以 mu，再加上梯度。",
        ),
    )
    judge.that(
        not np.isclose(weight, 1.0 - 0.1 * 4.0),
        Hint(
            en="The step used the old buffer. Which one does the table use?",
            zh="这一步用了旧的 buffer。表里用的是哪一个？",
        ),
    )
    judge.that(
        not np.isclose(weight, 1.0 + 0.56),
        Hint(en="This walks uphill. Look at the sign.", zh="这是往上坡走。看看正负号。"),
    )
    judge.close(
        weight,
        0.44,
        Hint(
            en="The weight goes down by the learning rate times the new buffer.",
            zh="权重减去学习率乘以新的 buffer。",
        ),
    )
    judge.close(
        answer(0.0, 1.0, 1.0, 1.0, mu=0.5)[0],
        -1.5,
        Hint(en="Use the mu that is given.", zh="要用传进来的 mu。"),
    )


@exercise("11.2", asks="first_step")
def first_step(answer: Answer, judge: Judge) -> None:
    """SGD feels the size of the gradient, the others its sign alone."""
    judge.that(
        answer("SGD", 4.0, 0.1) < 0,
        Hint(
            en="The weight changes against the gradient: a positive gradient makes it smaller.",
            zh="权重逆着梯度变：梯度为正，权重变小。",
        ),
    )
    judge.close(
        answer("SGD", 4.0, 0.1),
        -0.4,
        Hint(en="SGD: learning rate times gradient.", zh="SGD：学习率乘以梯度。"),
    )
    judge.close(
        answer("AdaGrad", 4.0, 0.1),
        -0.1,
        Hint(
            en="AdaGrad: after the first gradient, what is s, and what is its square root?",
            zh="AdaGrad：收到第一个梯度之后，s 是多少？开方呢？",
        ),
    )
    judge.that(
        not np.isclose(answer("RMSProp", 4.0, 0.1), -0.1),
        Hint(
            en="RMSProp keeps only a hundredth of the first square, and does not make up for it.",
            zh="RMSProp 只记下第一个平方的百分之一，而且没有补回来。",
        ),
    )
    judge.close(
        answer("RMSProp", 4.0, 0.1),
        -1.0,
        Hint(
            en="RMSProp: s is (1 - 0.99) g². Take its root and divide.",
            zh="RMSProp：s 是 (1 - 0.99) g²。开方，再除。",
        ),
    )
    judge.close(
        answer("Adam", 4.0, 0.1),
        -0.1,
        Hint(
            en="Adam: after the corrections, what are m and s at t = 1?",
            zh="Adam：t = 1 时，修正之后的 m 和 s 是多少？",
        ),
    )
    for name in ("AdaGrad", "RMSProp", "Adam"):
        judge.that(
            answer(name, -0.5, 0.1) > 0,
            Hint(
                en="With a negative gradient the weight must grow: the square root loses the sign.",
                zh="梯度为负时权重应该变大：平方再开方会丢掉符号。",
            ),
        )
    judge.close(
        answer("Adam", -0.5, 0.2),
        0.2,
        Hint(
            en="Adam's first step has the length of the learning rate, whatever the gradient.",
            zh="不管梯度多大，Adam 第一步的长度就是学习率。",
        ),
    )


def _adam(gradients: list[float], rate: float) -> list[float]:
    weight, m, s, places = 1.0, 0.0, 0.0, []
    for t, g in enumerate(gradients, 1):
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
        weight -= rate * (m / (1 - 0.9**t)) / (math.sqrt(s / (1 - 0.999**t)) + 1e-8)
        places.append(weight)
    return places


@exercise("11.3", asks="adam_step")
def adam(answer: Answer, judge: Judge) -> None:
    """Squares in the second memory, its own β in the correction, t that grows."""
    memory = {"t": 0, "m": 0.0, "s": 0.0}
    weight = answer(1.0, 4.0, memory, rate=0.1)
    judge.that(
        not np.isclose(memory["s"], 0.004),
        Hint(
            en="The second memory should hold something that does not know the gradient's sign.",
            zh="第二份记忆里的东西，不该看得出梯度的正负。",
        ),
    )
    judge.close(
        [memory["m"], memory["s"]],
        [0.4, 0.016],
        Hint(
            en="After one step with g = 4, m should be 0.4 and s 0.016, as in the lesson.",
            zh="g = 4 走一步之后，m 应是 0.4，s 应是 0.016，课文里算过。",
        ),
    )
    judge.that(
        memory["t"] == 1,
        Hint(
            en="After one step t should be 1. Who counts the steps?",
            zh="走了一步，t 应该是 1。谁来数步数？",
        ),
    )
    judge.that(
        not np.isclose(weight, 1.0 - 0.1 * 4 / math.sqrt(0.16), atol=1e-4),
        Hint(
            en="m and s fade at different speeds. Are both corrected by their own β?",
            zh="m 和 s 淡忘的快慢不同。它们的修正用的是各自的 β 吗？",
        ),
    )
    places = _adam([4.0, 2.0, -1.0], 0.1)
    judge.close(
        weight,
        places[0],
        Hint(
            en="The first step should have the length of the learning rate.",
            zh="第一步的长度应该等于学习率。",
        ),
    )
    for g, place in zip([2.0, -1.0], places[1:], strict=True):
        weight = answer(weight, g, memory, rate=0.1)
        judge.close(
            weight,
            place,
            Hint(
                en="The first step is right, a later one is not: which t is in the corrections?",
                zh="第一步对，后面不对：修正里用的是哪个 t？",
            ),
        )


@exercise("11.4", asks="still_weight")
def still_weight(answer: Answer, judge: Judge) -> None:
    """(1 − ηλ) to the power of the steps."""
    found = answer(0.1, 0.5, 2)
    judge.that(
        not np.isclose(found, 0.25),
        Hint(
            en="The decay is multiplied by the learning rate before it is taken off.",
            zh="衰减系数要先乘以学习率，再从权重里减去。",
        ),
    )
    judge.that(
        not np.isclose(found, 0.9),
        Hint(
            en="Each step takes its share of what is left, not of the first value.",
            zh="每一步减去的是剩下部分的一个比例，不是最初那个值的。",
        ),
    )
    judge.close(
        found,
        0.9025,
        Hint(
            en="Do two steps on paper: θ ← θ - ηλθ, twice.",
            zh="在纸上走两步：θ ← θ - ηλθ，做两次。",
        ),
    )
    judge.close(
        answer(0.01, 0.1, 1000),
        0.999**1000,
        Hint(en="Check it for many steps.", zh="步数很多时再检查一下。"),
    )


@exercise("11.5", asks="best_rates")
def best_rates(answer: Answer, judge: Judge) -> None:
    """The lowest loss of each optimizer, NaN left out."""
    plain = {("SGD", 0.1): 0.5, ("SGD", 0.3): 0.2, ("Adam", 0.01): 0.3, ("Adam", 0.1): 0.9}
    found = answer(plain)
    judge.that(
        isinstance(found, dict),
        Hint(en="Return a dict from optimizer to rate.", zh="返回一个字典，从优化器到学习率。"),
    )
    judge.that(
        found != {"SGD": 0.2, "Adam": 0.3},
        Hint(
            en="These are the lowest losses. The rates that led to them are asked for.",
            zh="这些是最低的损失。题目要的是得到它们的学习率。",
        ),
    )
    judge.that(
        found != {"SGD": 0.1, "Adam": 0.1},
        Hint(en="These rates have the highest losses.", zh="这些学习率的损失是最高的。"),
    )
    judge.equal(
        found,
        {"SGD": 0.3, "Adam": 0.01},
        Hint(
            en="Each optimizer gets the rate whose validation loss is lowest.",
            zh="每个优化器取验证损失最低的那个学习率。",
        ),
    )
    nan = float("nan")
    broken = {("SGD", 3.0): nan, ("SGD", 0.3): 0.2, ("SGD", 1.0): nan}
    judge.equal(
        answer(broken),
        {"SGD": 0.3},
        Hint(
            en="What happens when the first loss is NaN? Every comparison with NaN is False.",
            zh="第一个损失就是 NaN 会怎样？与 NaN 的任何比较都得 False。",
        ),
    )
