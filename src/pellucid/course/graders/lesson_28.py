"""Graders of lesson 28: worlds with rules, MDPs and dynamic programming."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("28.1", asks="discounted_return")
def discounted_return(answer: Answer, judge: Judge) -> None:
    """The first reward counts in full, each later one once more discounted."""
    found = answer([1.0, 2.0, 4.0], 0.5)
    judge.that(
        not np.isclose(found, 1.5),
        Hint(
            en="The first reward comes at once. Should it be discounted?",
            zh="第一个奖励马上就到。它该打折吗？",
        ),
    )
    judge.that(
        not np.isclose(found, 4.0),
        Hint(
            en="A reward two steps later is multiplied by the discount twice.",
            zh="晚两步的奖励，要乘两次折扣因子。",
        ),
    )
    judge.close(
        found,
        3.0,
        Hint(
            en="The return is 1 plus the discount times the return of the rest.",
            zh="回报等于 1 加上折扣因子乘以其余奖励的回报。",
        ),
    )
    judge.close(
        answer([0.0, 0.0, 0.0, 0.0, 1.0], 0.9),
        0.6561,
        Hint(
            en="The way in the lesson: four steps of waiting, then 1.",
            zh="课文里的那条路：先等四步，然后是 1。",
        ),
    )


@exercise("28.2", asks="always_right")
def always_right(answer: Answer, judge: Judge) -> None:
    """The right square feeds on itself, the left one on the right."""
    found = np.asarray(answer.value, float)
    judge.shape(found, (2,), Hint(en="Give two numbers: L, then R.", zh="给出两个数：先 L，后 R。"))
    judge.that(
        not np.allclose(found, [1.0, -1.0]),
        Hint(
            en="These are the first rewards. What follows them?",
            zh="这只是第一个奖励。后面还有什么？",
        ),
    )
    judge.that(
        not np.allclose(found, [-10.0, -8.0]),
        Hint(en="L comes first, then R.", zh="先写 L，后写 R。"),
    )
    judge.close(
        found[1],
        -10.0,
        Hint(
            en="In R one bumps into the border at every step: V(R) = -1 + 0.9 V(R).",
            zh="在 R，每一步都撞上边界：V(R) = -1 + 0.9 V(R)。",
        ),
    )
    judge.close(
        found[0],
        -8.0,
        Hint(
            en="From L there is an apple first, and then the discounted value of R.",
            zh="从 L 出发，先摘到苹果，然后是打了折的 R 的价值。",
        ),
    )


@exercise("28.3", asks="best_values")
def best_values(answer: Answer, judge: Judge) -> None:
    """Where it ends the value is 0; falling values count as change."""
    after = np.array([[0, 1], [0, 2], [2, 2]])
    ends = np.array([False, False, True])
    goal = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    judge.close(
        np.asarray(answer(after, goal, ends, 0.5), float)[2],
        0.0,
        Hint(
            en="What is still to come in a state where all is over?",
            zh="已经结束的状态，往后还会得到什么？",
        ),
    )
    judge.close(
        answer(after, goal, ends, 0.5),
        [0.5, 1.0, 0.0],
        Hint(
            en="Beside the goal the value is 1, one step earlier the discount.",
            zh="终点旁边的价值是 1，再往前一步就是折扣因子。",
        ),
    )
    judge.close(
        answer(after, -np.ones((3, 2)), ends, 0.5),
        [-1.5, -1.0, 0.0],
        Hint(
            en="Each step costs 1 here, so values fall. When may the sweeps stop?",
            zh="这里每一步都扣 1，价值在下降。什么时候才能停？",
        ),
    )


@exercise("28.4", asks="greedy_actions")
def greedy_actions(answer: Answer, judge: Judge) -> None:
    """Reward plus the discounted mean of what follows."""
    chance = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]])
    reward = np.array([[0.6, 0.0], [0.0, 0.4]])
    values = np.array([0.0, 1.0])
    judge.shape(
        answer(chance, reward, values, 0.9),
        (2,),
        Hint(
            en="Return one action for each state. Along which axis is the largest?",
            zh="每个状态一个动作。沿哪个轴找最大？",
        ),
    )
    judge.equal(
        np.asarray(answer(chance, reward, values, 0.9)).tolist(),
        [0, 0],
        Hint(
            en="Q is the reward now plus what follows. Are both in it?",
            zh="Q 是眼前的奖励加上后续。两样都算了吗？",
        ),
    )
    judge.equal(
        np.asarray(answer(chance, reward, values, 0.3)).tolist(),
        [0, 1],
        Hint(
            en="With a small discount the reward now decides. Is what follows discounted?",
            zh="折扣因子小的时候，眼前的奖励说了算。后续打折了吗？",
        ),
    )


@exercise("28.5", asks="policy_values")
def policy_values(answer: Answer, judge: Judge) -> None:
    """The two squares, and a policy with unequal probabilities."""
    chance = np.eye(2)[np.array([[0, 1], [0, 1]])]
    reward = np.array([[-1.0, 1.0], [0.0, -1.0]])
    uniform = np.full((2, 2), 0.5)
    found = answer(chance, reward, uniform, 0.9)
    judge.shape(found, (2,), Hint(en="Return one value for each state.", zh="每个状态一个价值。"))
    judge.that(
        not np.allclose(found, [0.0, -0.5]),
        Hint(
            en="This is the mean reward of one step. What follows is missing.",
            zh="这只是一步的平均奖励，后续还没算。",
        ),
    )
    judge.close(
        found,
        [-2.25, -2.75],
        Hint(
            en="The two squares of the lesson: -2.25 and -2.75. Is it V - γPV = r that you solve?",
            zh="课文里的两格：-2.25 和 -2.75。你解的是 V - γPV = r 吗？",
        ),
    )
    judge.close(
        answer(chance, reward, np.array([[0.0, 1.0], [0.0, 1.0]]), 0.9),
        [-8.0, -10.0],
        Hint(
            en="For a policy that always goes right: do P and r use the policy's probabilities?",
            zh="策略一直向右的时候：P 和 r 用上策略的概率了吗？",
        ),
    )
