"""Graders of lesson 25: generative adversarial networks."""

from __future__ import annotations

import numpy as np

import pellucid
from pellucid import nn
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("25.1", asks="best_discriminator")
def best_discriminator(answer: Answer, judge: Judge) -> None:
    """p / (p + q)."""
    p, q = np.array([0.3, 0.2, 0.0, 1.5]), np.array([0.1, 0.2, 0.4, 0.5])
    received = answer(p, q)
    judge.shape(received, (4,), Hint(en="One answer for each place.", zh="每个位置一个回答。"))
    judge.that(
        not np.allclose(received, q / (p + q)),
        Hint(
            en="That is the probability of being made. 1 means real.",
            zh="那是“造的”的概率。1 表示真。",
        ),
    )
    judge.that(
        not np.allclose(received, p / q),
        Hint(
            en="A probability lies between 0 and 1. A share of what?",
            zh="概率在 0 和 1 之间。它是占谁的份额？",
        ),
    )
    judge.close(
        received,
        p / (p + q),
        Hint(
            en="Of all examples that turn up here, which share is real?",
            zh="在这里出现的所有样本中，真的占多少？",
        ),
    )


@exercise("25.2", asks="generator_loss")
def generator_loss(answer: Answer, judge: Judge) -> None:
    """The mean of softplus(-a), also far out."""
    logits = np.array([-2.0, 0.5, 3.0])
    expected = np.logaddexp(0, -logits)
    received = answer(logits)
    judge.that(np.size(received) == 1, Hint(en="Return the mean, one number.", zh="要返回平均值。"))
    judge.that(
        not np.allclose(received, -np.logaddexp(0, logits).mean()),
        Hint(
            en="That is ln(1 - D), the loss that is flat where D is sure.",
            zh="那是另一种损失，在 D 有把握的地方是平的。",
        ),
    )
    judge.that(
        not np.allclose(received, np.logaddexp(0, logits).mean()),
        Hint(
            en="That is the discriminator's loss. What does the generator want to hear?",
            zh="那是判别器的损失。生成器想听到什么？",
        ),
    )
    judge.that(
        not np.allclose(received, expected.sum()),
        Hint(en="The mean is asked for, not the sum.", zh="要的是平均，不是求和。"),
    )
    judge.close(
        received,
        expected.mean(),
        Hint(en="D is the sigmoid of the logit.", zh="D 是 logit 的 sigmoid。"),
    )
    with np.errstate(all="ignore"):
        far = answer(np.array([-1000.0, 1000.0]))
    judge.close(
        far,
        500.0,
        Hint(
            en="For a logit of -1000 the power is too large to write down. Is there a function for "
            "the logarithm of a sum of powers?",
            zh="logit 为 -1000 时，幂大得写不下。有没有函数能直接算“几个幂之和的对数”？",
        ),
    )


@exercise("25.3", asks="modes_covered")
def modes_covered(answer: Answer, judge: Judge) -> None:
    """Centres with enough points near them."""
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]])
    near = [(0, 30), (1, 10), (2, 4), (3, 9)]  # points near each centre
    random = np.random.default_rng(0)
    made = np.concatenate(
        [centres[which] + random.uniform(-0.1, 0.1, size=(count, 2)) for which, count in near]
        + [centres[3] + [1.0, 0.1] + random.uniform(-0.05, 0.05, size=(20, 2))]
    )
    received = answer(made, centres, 0.3, 10)
    judge.that(np.size(received) == 1, Hint(en="Return one number.", zh="要返回一个数。"))
    judge.that(
        received != 4,
        Hint(
            en="A few stray points do not cover a mode: how many must be near?",
            zh="零星几个点不算覆盖：附近至少要有多少个？",
        ),
    )
    judge.that(
        received != 3,
        Hint(
            en="Some points are closest to a centre and still too far from it.",
            zh="有些点离某个中心最近，却还是太远。",
        ),
    )
    judge.that(
        received != 1,
        Hint(en='"At least" includes the number itself.', zh="“至少”包括这个数本身。"),
    )
    judge.that(
        received != 40,
        Hint(en="Count the centres, not the points.", zh="要数的是中心，不是点。"),
    )
    judge.equal(
        received,
        2,
        Hint(
            en="Count for each centre the points within the radius, then the centres.",
            zh="先数每个中心在半径以内有几个点，再数中心。",
        ),
    )


@exercise("25.4", asks="discriminator_loss")
def discriminator_loss(answer: Answer, judge: Judge) -> None:
    """Targets 1 and 0, and no gradient for the made examples."""
    random = np.random.default_rng(0)
    discriminator = nn.Linear(2, 1)
    weight, bias = np.array([[0.7, -1.2]]), np.array([0.3])
    with pellucid.no_grad():
        discriminator.weight.copy_(pellucid.tensor(weight))
        discriminator.bias.copy_(pellucid.tensor(bias))
    real, fake = random.normal(size=(6, 2)) + 1, random.normal(size=(4, 2))
    made = pellucid.tensor(fake.astype(np.float32), requires_grad=True)
    loss = answer(discriminator, pellucid.tensor(real.astype(np.float32)), made)
    judge.that(
        np.size(loss.detach().numpy()) == 1, Hint(en="Return one number.", zh="要返回一个数。")
    )
    on_real, on_made = (x @ weight.T + bias for x in (real, fake))
    called_real = np.logaddexp(0, -on_real).mean()
    judge.that(
        not np.isclose(loss.item(), called_real + np.logaddexp(0, -on_made).mean(), atol=1e-4),
        Hint(
            en="Should the discriminator call forgeries real? Look at the targets.",
            zh="判别器该把赝品说成真的吗？看看目标值。",
        ),
    )
    judge.close(
        loss,
        called_real + np.logaddexp(0, on_made).mean(),
        Hint(
            en="Two means: target 1 for the real, target 0 for the made.",
            zh="两个平均值之和：真样本的目标值是 1，造的是 0。",
        ),
        tolerance=1e-4,
    )
    judge.that(
        loss.requires_grad,
        Hint(
            en="Now nothing can learn: the discriminator still needs its gradients.",
            zh="这样谁也学不了：判别器自己还要梯度。",
        ),
    )
    loss.backward()
    judge.that(
        discriminator.weight.grad is not None,
        Hint(
            en="The discriminator still needs its gradients.",
            zh="判别器自己还要梯度。",
        ),
    )
    judge.that(
        made.grad is None,
        Hint(
            en="The loss still reaches the generator. Where must the way back be cut?",
            zh="损失还是传到了生成器。该在哪里切断回去的路？",
        ),
    )
