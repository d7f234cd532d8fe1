"""Graders of lesson 24: autoencoders and the VAE."""

from __future__ import annotations

import numpy as np

import pellucid
from pellucid.course.grading import Answer, Hint, Judge, exercise


@exercise("24.1", asks="kl")
def kl(answer: Answer, judge: Judge) -> None:
    """−½ Σ (1 + ln σ² − μ² − σ²)."""
    mean, log_variance = np.array([1.0, -0.5, 0.0]), np.log([0.25, 2.0, 1.0])
    terms = 1 + log_variance - mean**2 - np.exp(log_variance)
    received = answer(mean, log_variance)
    judge.that(
        not np.allclose(received, 0.5 * terms.sum()),
        Hint(en="A price is never negative: mind the sign.", zh="代价不会是负的：注意正负号。"),
    )
    judge.that(
        np.size(received) == 1,
        Hint(
            en="The prices of all numbers of the code are added.", zh="编码里每个数的代价要加起来。"
        ),
    )
    judge.that(
        not np.allclose(received, -0.5 * terms.mean()),
        Hint(en="They are added, not averaged.", zh="是相加，不是平均。"),
    )
    judge.that(
        not np.allclose(received, -0.5 * (1 + log_variance - mean**2 - log_variance**2).sum())
        and not np.allclose(received, -0.5 * (1 + log_variance - mean**2 - log_variance).sum()),
        Hint(
            en="You are given the logarithm of σ². How does one get σ² from it?",
            zh="给出的是 σ² 的对数。怎样由它得到 σ²？",
        ),
    )
    judge.close(
        received,
        -0.5 * terms.sum(),
        Hint(
            en="Try mean 1 and variance 0.25: the lesson has the result.",
            zh="拿平均值 1、方差 0.25 试试：课文里有结果。",
        ),
    )


@exercise("24.2", asks="draw_code")
def draw_code(answer: Answer, judge: Judge) -> None:
    """μ + σ ε."""
    mean, log_variance, noise = np.array([1.0, 2.0]), np.log([0.25, 9.0]), np.array([2.0, -1.0])
    received = answer(mean, log_variance, noise)
    judge.that(
        not np.allclose(received, mean + np.exp(log_variance) * noise),
        Hint(
            en="That is the variance. The point needs the standard deviation.",
            zh="那是方差。取点要用标准差。",
        ),
    )
    judge.that(
        not np.allclose(received, mean + log_variance * noise),
        Hint(en="log_variance is a logarithm: undo it.", zh="log_variance 是对数：先还原。"),
    )
    judge.close(
        received,
        [2.0, -1.0],
        Hint(
            en="The mean, and noise stretched by the deviation.",
            zh="平均值，加上按标准差伸缩的噪声。",
        ),
    )


@exercise("24.3", asks="squeeze")
def squeeze(answer: Answer, judge: Judge) -> None:
    """PCA there and back."""
    random = np.random.default_rng(0)
    images = 3 + random.normal(size=(40, 2)) @ random.normal(size=(2, 6))
    images = images + 0.1 * random.normal(size=images.shape)
    center = images.mean(axis=0)
    _, _, directions = np.linalg.svd(images - center, full_matrices=False)
    received = answer(images, 2)
    judge.that(
        np.shape(received) != (40, 2),
        Hint(en="These are the codes. Decode them too.", zh="这是编码，还要解码。"),
    )
    judge.shape(
        received,
        (40, 6),
        Hint(en="Images of the same shape come back.", zh="返回的图要和原来形状相同。"),
    )
    coded = (images - center) @ directions[:2].T @ directions[:2]
    judge.that(
        not np.allclose(received, coded),
        Hint(
            en="The mean was taken off and never put back.",
            zh="平均图减掉了，没有加回来。",
        ),
    )
    _, _, uncentred = np.linalg.svd(images, full_matrices=False)
    judge.that(
        not np.allclose(received, images @ uncentred[:2].T @ uncentred[:2]),
        Hint(
            en="The images are far from 0: variance is measured around the mean.",
            zh="这些图离 0 很远：方差是围绕平均值来量的。",
        ),
    )
    judge.close(
        received,
        center + coded,
        Hint(
            en="Which directions does the singular value decomposition list first?",
            zh="奇异值分解最先列出的是哪些方向？",
        ),
    )
    judge.close(
        answer(images, 6),
        images,
        Hint(en="With all directions nothing is lost.", zh="方向全都用上，就什么也不会丢。"),
    )


@exercise("24.4", asks="vae_loss")
def vae_loss(answer: Answer, judge: Judge) -> None:
    """Error summed over pixels plus KL, averaged over images."""
    random = np.random.default_rng(0)
    logits, x = random.normal(size=(5, 8)), random.uniform(size=(5, 8))
    mean, log_variance = random.normal(size=(5, 3)), random.normal(size=(5, 3))
    error = (np.log1p(np.exp(logits)) - x * logits).sum(axis=1).mean()
    price = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum(axis=1).mean()
    received = answer(*[pellucid.tensor(a) for a in (logits, x, mean, log_variance)])
    judge.that(
        np.size(received.detach().numpy()) == 1,
        Hint(en="Return one number.", zh="要返回一个数。"),
    )
    value = received.item()
    judge.that(
        not np.isclose(value, error - price) and not np.isclose(value, error / 8 - price),
        Hint(
            en="Should strange clouds be rewarded? Look at the sign of the divergence.",
            zh="古怪的云该得奖赏吗？看看散度的正负号。",
        ),
    )
    judge.that(
        not np.isclose(value, error / 8 + price),
        Hint(
            en="One part counts a pixel, the other a whole image.",
            zh="一部分按一个像素计，另一部分按整张图计。",
        ),
    )
    judge.that(
        not np.isclose(value, 5 * (error + price)) and not np.isclose(value, 5 * error + price),
        Hint(en="The mean over the images is asked for.", zh="要的是对各图的平均。"),
    )
    judge.close(
        received,
        error + price,
        Hint(
            en="Error of an image, summed over its pixels, plus KL; then the mean over images.",
            zh="一张图的误差对像素求和，加上 KL，再对各图取平均。",
        ),
        tolerance=1e-5,
    )
