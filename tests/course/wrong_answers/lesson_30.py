"""Typical wrong answers to lesson 30, and the hint that each must get."""

from tests.course.wrong import Wrong

GRADIENT = """import numpy as np


def policy_gradient(preferences, action, reward, baseline):
    chances = {chances}
    played = np.arange(len(preferences)) == action
    return {result}
"""
SOFTMAX = "np.exp(preferences) / np.exp(preferences).sum()"
RETURNS = """import numpy as np


def returns_to_go(rewards, discount):
    return {result}
"""
ERROR = """def td_error(reward, value, next_value, discount, terminated, truncated):
    following = {following}
    return {result}
"""
LOSS = """def actor_critic_loss(logs, values, returns):
    advantages = {advantages}
    return {sign}(logs * advantages).mean() + 0.5 * ({error} ** 2).mean()
"""
CLIP = """import numpy as np


def clipped_objective(ratios, advantages, clip):
    return {result}
"""

WRONG = [
    Wrong(
        "30.1",
        GRADIENT.format(chances=SOFTMAX, result="reward * (played - chances)"),
        "Where is the baseline",
    ),
    Wrong(
        "30.1",
        GRADIENT.format(chances=SOFTMAX, result="(reward - baseline) * played * (1 - chances)"),
        "not played",
    ),
    Wrong(
        "30.1",
        GRADIENT.format(
            chances="preferences / preferences.sum() * 0.5",
            result="(reward - baseline) * (played - chances)",
        ),
        "softmax",
    ),
    Wrong("30.2", RETURNS.format(result="np.cumsum(rewards[::-1])[::-1]"), "discount do"),
    Wrong("30.2", RETURNS.format(result="np.cumsum(rewards)"), "to the end"),
    Wrong(
        "30.3",
        ERROR.format(following="discount * next_value", result="reward + following - value"),
        "goal was reached",
    ),
    Wrong(
        "30.3",
        ERROR.format(
            following="0.0 if terminated or truncated else discount * next_value",
            result="reward + following - value",
        ),
        "broke this episode off",
    ),
    Wrong(
        "30.3",
        ERROR.format(
            following="0.0 if terminated else next_value",
            result="reward + discount * (following - value)",
        ),
        "discount multiplied",
    ),
    Wrong(
        "30.4",
        LOSS.format(advantages="(returns - values).detach()", sign="", error="(returns - values)"),
        "Which way",
    ),
    Wrong(
        "30.4",
        LOSS.format(advantages="returns - values", sign="-", error="(returns - values)"),
        "What else reaches",
    ),
    Wrong(
        "30.4",
        LOSS.format(advantages="(returns - values).detach()", sign="-", error="advantages"),
        "What did you detach",
    ),
    Wrong(
        "30.5",
        CLIP.format(result="np.clip(ratios, 1 - clip, 1 + clip) * advantages"),
        "only clip",
    ),
    Wrong(
        "30.5",
        CLIP.format(result="np.minimum(ratios, np.clip(ratios, 1 - clip, 1 + clip)) * advantages"),
        "order turns round",
    ),
]
