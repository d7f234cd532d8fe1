"""Graders of lesson 29: Q-learning and DQN."""

from __future__ import annotations

import numpy as np

from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("29.1", asks="td_error")
def td_error(answer: Answer, judge: Judge) -> None:
    """Reward plus discounted maximum, minus the old value."""
    found = answer(0.5, 1.0, np.array([0.2, 0.8, -1.0]), False, 0.9)
    judge.that(
        not np.isclose(found, 1.72),
        Hint(
            en="That is the target. The error is how far it is from the old value.",
            zh="这是目标。误差是它离旧的价值有多远。",
        ),
    )
    judge.close(
        found,
        1.22,
        Hint(
            en="Reward, plus the discounted best of the next row, minus what?",
            zh="奖励，加上下一行里最好的打折扣，再减去什么？",
        ),
    )
    judge.close(
        answer(0.5, 1.0, np.array([0.2, 0.8, -1.0]), True, 0.9),
        0.5,
        Hint(en="What follows after a terminal state?", zh="终点之后还有什么？"),
    )


@exercise("29.2", asks="targets")
def targets(answer: Answer, judge: Judge) -> None:
    """The maximum, and the action that is taken next."""
    found = answer(1.0, np.array([0.5, 2.0, -1.0]), 2, 0.5)
    judge.shape(found, (2,), Hint(en="Return two numbers.", zh="返回两个数。"))
    judge.that(
        not np.allclose(found, [0.5, 2.0]),
        Hint(
            en="You have both, in the other order: Q-learning first.",
            zh="两个都有，顺序反了：先是 Q 学习的。",
        ),
    )
    judge.close(
        found[0],
        2.0,
        Hint(
            en="Q-learning's target asks for the best next action, discounted.",
            zh="Q 学习的目标问的是下一步最好的动作，还要打折扣。",
        ),
    )
    judge.close(
        found[1],
        0.5,
        Hint(
            en="SARSA's target asks for the action that is really taken next.",
            zh="SARSA 的目标问的是下一步真正要做的动作。",
        ),
    )


@exercise("29.3", asks="dqn_targets")
def dqn_targets(answer: Answer, judge: Judge) -> None:
    """A maximum for each state, and only terminated ends."""
    rewards, no = np.array([1.0, 2.0, 3.0]), np.zeros(3, bool)
    rows = np.array([[1.0, 4.0], [2.0, 0.0], [6.0, 8.0]])
    plain = answer(rewards, rows, no, no, 0.5)
    judge.shape(plain, (3,), Hint(en="Return one target for each step.", zh="每一步一个目标。"))
    judge.close(
        plain,
        [3.0, 3.0, 7.0],
        Hint(
            en="Each state should have a maximum of its own. Over which axis is yours?",
            zh="每个状态要有自己的最大值。你的最大值是沿哪个轴取的？",
        ),
    )
    judge.close(
        answer(rewards, rows, no, np.array([False, True, False]), 0.5),
        [3.0, 3.0, 7.0],
        Hint(
            en="If only the clock ended the episode, would rewards have followed?",
            zh="如果只是时间到了，后面本来还有没有奖励？",
        ),
    )
    judge.close(
        answer(rewards, rows, np.array([True, False, False]), no, 0.5),
        [1.0, 3.0, 7.0],
        Hint(en="Nothing follows a terminated step.", zh="终止之后什么也没有。"),
    )


@exercise("29.4", asks="Replay")
def replay(answer: Answer, judge: Judge) -> None:
    """Keeps the latest, draws at random."""
    memory = answer.Replay(3)
    for step in range(2):
        memory.add(step)
    judge.equal(len(memory), 2, Hint(en="How many steps are stored so far?", zh="现在存了多少步？"))
    for step in range(2, 5):
        memory.add(step)
    judge.equal(
        len(memory),
        3,
        Hint(
            en="The buffer should never hold more than its capacity.", zh="存的步数不能超过容量。"
        ),
    )
    drawn = memory.sample(60, np.random.default_rng(0))
    judge.equal(
        len(drawn),
        60,
        Hint(en="Draw as many steps as asked for, with repetition.", zh="要多少抽多少，可以重复。"),
    )
    judge.that(
        set(drawn) <= {2, 3, 4},
        Hint(en="When it is full, which step should go?", zh="满了以后，该丢掉哪一步？"),
    )
    judge.that(
        set(drawn) == {2, 3, 4},
        Hint(
            en="Every stored step should have a chance to be drawn.",
            zh="存着的每一步都要有机会抽到。",
        ),
    )


@exercise("29.5", asks="double_targets")
def double_targets(answer: Answer, judge: Judge) -> None:
    """The network chooses, the copy values."""
    rewards, no = np.array([0.0, 1.0]), np.zeros(2, bool)
    online, target = np.array([[1.0, 5.0], [4.0, 2.0]]), np.array([[8.0, 3.0], [2.0, 6.0]])
    found = answer(rewards, online, target, no, 0.5)
    judge.shape(found, (2,), Hint(en="Return one target for each step.", zh="每一步一个目标。"))
    judge.that(
        not np.allclose(found, [4.0, 4.0]),
        Hint(
            en="Here the copy both chooses and values: that is plain DQN. Who should choose?",
            zh="这里副本既挑又估，那是普通的 DQN。该由谁来挑？",
        ),
    )
    judge.that(
        not np.allclose(found, [2.5, 3.0]),
        Hint(
            en="Here the network values its own choice. Who should value it?",
            zh="这里网络给自己挑的动作估价。该由谁来估？",
        ),
    )
    judge.close(
        found,
        [1.5, 2.0],
        Hint(
            en="Take from each row of the copy the action that the network prefers.",
            zh="从副本的每一行里，取网络最看好的那个动作。",
        ),
    )
    judge.close(
        answer(rewards, online, target, np.array([False, True]), 0.5),
        [1.5, 1.0],
        Hint(en="Nothing follows a terminated step.", zh="终止之后什么也没有。"),
    )
