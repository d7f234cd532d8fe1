"""Graders of lesson 9: a framework in a hundred lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("9.1", asks="order_of")
def order_of(answer: Answer, judge: Judge) -> None:
    """Parents before children, nothing twice, nothing that is not needed."""
    parents: dict[str, list[str]] = {
        "y": ["d", "a"],
        "d": ["c"],
        "c": ["a", "b"],
        "a": ["x"],
        "b": ["x"],
        "x": [],
        "unused": ["y"],
    }
    received = answer(parents, "y")
    judge.that(
        isinstance(received, (list, tuple)),
        Hint(en="Return a list of names.", zh="要返回名字的列表。"),
    )
    order = list(received)
    judge.that(
        "unused" not in order,
        Hint(
            en="Only what the last value depends on belongs in the list: begin at `last`.",
            zh="名单里只放 last 所依赖的：从 last 开始往回找。",
        ),
    )
    judge.that(
        len(set(order)) == len(order),
        Hint(
            en="A name stands there twice. Remember what has been seen.",
            zh="有名字重复了。记下已经见过的。",
        ),
    )
    judge.that(
        set(order) == set(parents) - {"unused"},
        Hint(
            en="Something is missing: `last` itself, or values far back.",
            zh="少了什么：last 自己，或者更早的值。",
        ),
    )
    judge.that(
        all(order.index(p) < order.index(n) for n in order for p in parents[n]),
        Hint(
            en="A parent comes after its child. When is a name appended: before or after its "
            "parents are visited?",
            zh="有父节点排到了子节点后面。一个名字该在访问父节点之前进名单，还是之后？",
        ),
    )


@exercise("9.2", asks="fitted_gradient")
def fitted_gradient(answer: Answer, judge: Judge) -> None:
    """Sums over the repeated axes."""
    gradient = np.arange(6.0).reshape(2, 3)
    received = answer(gradient, (3,))
    judge.that(
        np.shape(received) != (3,) or not np.allclose(received, gradient.mean(axis=0)),
        Hint(
            en="A mean: but the value has been used twice, and the slopes add up.",
            zh="这是平均。可是值用了两次，斜率要相加。",
        ),
    )
    judge.close(
        received,
        gradient.sum(axis=0),
        Hint(
            en="A bias (3,) was added to each row of (2, 3). What comes back to it?",
            zh="偏置 (3,) 加到了 (2, 3) 的每一行上。传回来的是什么？",
        ),
    )
    judge.close(
        answer(gradient, (2, 1)),
        gradient.sum(axis=1, keepdims=True),
        Hint(
            en="An axis of length 1 was repeated as well, and it has to stay.",
            zh="长度为 1 的轴也重复过，而且这个轴要留着。",
        ),
    )
    judge.close(
        answer(gradient, ()),
        15.0,
        Hint(en="A single number was used everywhere.", zh="单个数用在了每一处。"),
    )
    judge.close(
        answer(gradient, (2, 3)),
        gradient,
        Hint(en="Where nothing was repeated nothing is summed.", zh="没有重复过，就不用求和。"),
    )


@exercise("9.3", asks="Number")
def number(answer: Answer, judge: Judge) -> None:
    """Adds gradients, in topological order."""
    make = answer.Number
    x, y = make(3.0), make(2.0)
    product = x * y
    product.backward()
    judge.close(
        [x.grad, y.grad],
        [2.0, 3.0],
        Hint(
            en="Chains worked before: keep what is right.", zh="简单的链本来是对的：对的地方别动。"
        ),
    )
    x = make(3.0)
    square = x * x
    square.backward()
    judge.close(
        x.grad,
        6.0,
        Hint(
            en="In x * x the number x is both parents. Is its second share kept with the first?",
            zh="x * x 里，x 一身兼两个父节点。第二份梯度和第一份合在一起了吗？",
        ),
    )
    x = make(2.0)
    a = x * x
    b = a + x
    c = a * b
    d = c + a
    d.backward()
    # d = x²(x² + x) + x² = x⁴ + x³ + x², and its slope at 2 is 32 + 12 + 4.
    judge.close(
        x.grad,
        48.0,
        Hint(
            en="Some share was handed on twice: a number must be complete before its turn.",
            zh="有一份梯度交了两遍：轮到一个数的时候，它的梯度要已经完整。",
        ),
    )


@exercise("9.4", asks="Momentum")
def momentum(answer: Answer, judge: Judge) -> None:
    """Velocities that outlast a step, one for each parameter."""
    first = SimpleNamespace(data=np.array([1.0, 2.0]), grad=np.array([1.0, -1.0]))
    second = SimpleNamespace(data=np.array([[5.0]]), grad=np.array([[10.0]]))
    optimizer = answer.Momentum([first, second], 0.1, momentum=0.5)
    _step(optimizer, judge)
    judge.close(
        first.data,
        [0.9, 2.1],
        Hint(
            en="The first step is that of plain gradient descent, as v begins at 0.",
            zh="v 从 0 开始，所以第一步和普通的梯度下降一样。",
        ),
    )
    judge.close(
        second.data,
        [[4.0]],
        Hint(en="Each parameter needs a velocity of its own.", zh="每个参数要有自己的速度。"),
    )
    first.grad = np.zeros(2)
    _step(optimizer, judge)
    judge.that(
        not np.allclose(first.data, [0.9, 2.1]),
        Hint(
            en="Without a gradient it should roll on: the velocity outlasts the step.",
            zh="没有梯度，它也该继续往前滚：速度走完一步还在。",
        ),
    )
    judge.close(
        first.data,
        [0.85, 2.15],
        Hint(
            en="v is momentum times the old v, plus the gradient.",
            zh="v 等于 momentum 乘旧的 v，再加梯度。",
        ),
    )
    judge.close(
        second.data,
        [[2.5]],
        Hint(en="v grows by the whole gradient in each step.", zh="每一步，v 都加上整个梯度。"),
    )


def _step(optimizer: Any, judge: Judge) -> None:
    judge.that(
        hasattr(optimizer, "step"),
        Hint(en="Momentum needs a method step().", zh="Momentum 要有方法 step()。"),
    )
    optimizer.step()
