"""Graders of lesson 30: policy gradient and actor-critic."""

from __future__ import annotations

import numpy as np

import pellucid
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("30.1", asks="policy_gradient")
def policy_gradient(answer: Answer, judge: Judge) -> None:
    """Score times how much better the reward was."""
    preferences = np.array([np.log(3.0), 0.0])
    found = np.asarray(answer(preferences, 1, 12.0, 10.5), float)
    judge.shape(
        found,
        (2,),
        Hint(en="Return one number for each preference.", zh="每个偏好都要有一个数。"),
    )
    judge.that(
        not np.allclose(found, [-9.0, 9.0]),
        Hint(
            en="Where is the baseline? What counts is the difference to it.",
            zh="基线在哪里？要看的是与它的差。",
        ),
    )
    judge.that(
        not np.isclose(found[0], 0.0),
        Hint(
            en="The preference of the action that was not played changes, too.",
            zh="没选的那个动作，偏好也要变。",
        ),
    )
    judge.close(
        found,
        [-1.125, 1.125],
        Hint(
            en="The example of the lesson, its second action: are the chances the softmax?",
            zh="课文例子里的动作二：概率是偏好的 softmax 吗？",
        ),
    )


@exercise("30.2", asks="returns_to_go")
def returns_to_go(answer: Answer, judge: Judge) -> None:
    """From the back to the front."""
    found = answer(np.array([1.0, 2.0, 4.0]), 0.5)
    judge.shape(
        found,
        (3,),
        Hint(en="Return one sum for each step.", zh="每一步都要有一个和。"),
    )
    judge.that(
        not np.allclose(found, [7.0, 6.0, 4.0]),
        Hint(en="What does the discount do to later rewards?", zh="折扣对后面的奖励做了什么？"),
    )
    judge.that(
        not np.isclose(np.asarray(found)[0], 1.0),
        Hint(
            en="Sum from each step to the end, not from the start to the step.",
            zh="要从这一步加到结束，不是从开头加到这一步。",
        ),
    )
    judge.close(
        found,
        [3.0, 4.0, 4.0],
        Hint(
            en="The last step has its own reward only; the one before adds the discounted sum.",
            zh="最后一步只有自己的奖励；前一步再加上打过折扣的和。",
        ),
    )


@exercise("30.3", asks="td_error")
def td_error(answer: Answer, judge: Judge) -> None:
    """Nothing follows a terminated step, something a truncated one."""
    judge.close(
        answer(-1.0, -5.0, -3.0, 1.0, False, False),
        1.0,
        Hint(
            en="The example of the lesson: what came out, minus what was expected.",
            zh="课文里的例子：实际结果减去预计。",
        ),
    )
    judge.close(
        answer(1.0, 2.0, 4.0, 0.5, False, False),
        1.0,
        Hint(en="What is the discount multiplied with?", zh="折扣该乘在哪一项上？"),
    )
    judge.close(
        answer(-1.0, -5.0, -3.0, 1.0, True, False),
        4.0,
        Hint(
            en="The goal was reached. What can still be earned there?",
            zh="已经到了终点。那里还能挣到什么？",
        ),
    )
    judge.close(
        answer(-1.0, -5.0, -3.0, 1.0, False, True),
        1.0,
        Hint(
            en="A limit broke this episode off. Would the world have gone on?",
            zh="这个回合是到了上限才中断的。世界本来还会继续吗？",
        ),
    )
    judge.close(
        answer(-1.0, -5.0, -3.0, 1.0, True, True),
        4.0,
        Hint(
            en="Goal and limit in the same step: nothing follows a goal.",
            zh="同一步里既到终点又到上限：终点之后什么都没有。",
        ),
    )


@exercise("30.4", asks="actor_critic_loss")
def actor_critic_loss(answer: Answer, judge: Judge) -> None:
    """Minus in front of the actor, no gradient through the advantage."""
    logs = pellucid.tensor([-0.5, -1.0], requires_grad=True)
    values = pellucid.tensor([1.0, 2.0], requires_grad=True)
    loss = answer(logs, values, pellucid.tensor([3.0, 1.0]))
    judge.that(
        isinstance(loss, pellucid.Tensor) and loss.requires_grad,
        Hint(
            en="Return a tensor that a gradient can be taken of.",
            zh="返回一个可以求梯度的张量。",
        ),
    )
    loss.backward()
    judge.that(
        logs.grad is not None and values.grad is not None,
        Hint(
            en="Both actor and critic should get a gradient. What did you detach?",
            zh="演员和评论家都应该有梯度。你把什么 detach 了？",
        ),
    )
    judge.close(
        np.asarray(logs.grad),
        [-1.0, 0.5],
        Hint(
            en="Which way does descending the loss move a good action's chance?",
            zh="沿损失往下走，好动作的概率往哪边动？",
        ),
    )
    judge.close(
        np.asarray(values.grad),
        [-1.0, 0.5],
        Hint(
            en="The critic should learn from its squared error alone. What else reaches values?",
            zh="评论家只该从自己的平方误差学。还有什么传到了价值上？",
        ),
    )


@exercise("30.5", asks="clipped_objective")
def clipped_objective(answer: Answer, judge: Judge) -> None:
    """The smaller of the plain and the clipped gain."""
    ratios = np.array([0.5, 1.5, 0.5, 1.5])
    advantages = np.array([1.0, 1.0, -1.0, -1.0])
    found = answer(ratios, advantages, 0.2)
    judge.shape(
        found,
        (4,),
        Hint(en="Return one number for each step.", zh="每一步都要有一个数。"),
    )
    judge.that(
        not np.allclose(found, [0.8, 1.2, -0.8, -1.2]),
        Hint(
            en="You only clip. What does the minimum keep where a ratio went the wrong way?",
            zh="你只裁剪了。概率比走错方向时，取最小值留下的是什么？",
        ),
    )
    judge.that(
        not np.allclose(found, [0.5, 1.2, -0.5, -1.2]),
        Hint(
            en="With a negative advantage the order turns round. What is the minimum taken of?",
            zh="优势为负时，大小次序会反过来。最小值是对什么取的？",
        ),
    )
    judge.close(
        found,
        [0.5, 1.2, -0.8, -1.5],
        Hint(
            en="Look at the picture: where is the objective flat for each sign?",
            zh="看看图：两种符号下，目标各在哪一段是平的？",
        ),
    )
    judge.close(
        answer(ratios, 2 * advantages, 0.1),
        [1.0, 2.2, -1.8, -3.0],
        Hint(en="Are clip and advantage used as given?", zh="clip 和优势用的是传进来的吗？"),
    )
