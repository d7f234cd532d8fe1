"""An agent that does not learn: why?  Reasons are read off what was recorded while it learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

EPISODES = 20
"""So many episodes are needed to say anything."""


@dataclass(frozen=True)
class Finding:
    """A reason, with the figures it was read off and what to do."""

    what: str
    """A short name: ``reward scale``, ``no exploration``, ``exploding values``, …"""
    text: str
    """What was seen."""
    remedy: str
    """What to try."""

    def __str__(self) -> str:
        return f"{self.what}: {self.text} {self.remedy}"


def improved(sums: list[float]) -> bool:
    """Whether the last fifth of the episodes earned more than the first by more than chance."""
    part = max(len(sums) // 5, 5)
    first, last = np.array(sums[:part]), np.array(sums[-part:])
    error = math.sqrt(first.var() / len(first) + last.var() / len(last))
    return bool(last.mean() - first.mean() > max(3 * error, 1e-9))


def find_reasons(agent: Any) -> list[Finding]:
    """Reasons why an agent does not learn; none where its episodes earn more and more.

    - *no episode ended*: nothing says how much was earned; limits are missing or too far away.
    - *the same reward always*: nothing that was tried changes what is earned.
    - *reward scale*: sums of rewards beyond thousands, or below a hundredth.
    - *no exploration*: the entropy of the policy has fallen to almost 0 while little is earned.
    - *exploding values*: the values of a critic are beyond anything that rewards can sum up to.
    - *ended or broken off*: nearly all episodes are broken off at one length and yet reported as
      terminated, so that the critic learns an end that is none.
    - *updates too large*: the policy changes far more than the clip allows.
    """
    sums, lengths = agent.tally.sums, agent.tally.lengths
    if len(sums) < EPISODES:
        return [] if agent.steps < 10_000 else [_no_ends(agent)]
    if improved(sums):
        return []
    checks: tuple[Callable[[Any], Finding | None], ...] = (
        _same_rewards,
        _scale,
        _ends,
        _exploding,
        _collapse,
        _too_large,
    )
    found = [finding for finding in (check(agent) for check in checks) if finding is not None]
    if not found:
        found.append(
            Finding(
                "more steps",
                f"{len(sums)} episodes of {np.mean(lengths):.0f} steps show no progress and no "
                "fault.",
                "Learn longer, try another seed, or a higher learning rate.",
            )
        )
    return found


def _no_ends(agent: Any) -> Finding:
    return Finding(
        "no episode ended",
        f"Only {len(agent.tally.sums)} episodes ended in {agent.steps:,} steps.",
        "Give the environment a limit of steps.",
    )


def _same_rewards(agent: Any) -> Finding | None:
    sums = np.array(agent.tally.sums)
    if np.ptp(sums) > 1e-9:
        return None
    return Finding(
        "the same reward always",
        f"All {len(sums)} episodes earned {sums[0]:g}: nothing that was tried changes the reward.",
        "Explore more (entropy, a longer explore_share, several copies), or reward steps on the "
        "way.",
    )


def _scale(agent: Any) -> Finding | None:
    size = float(np.abs(agent.tally.sums).mean()) / max(float(np.mean(agent.tally.lengths)), 1.0)
    if 1e-3 <= size <= 50 or getattr(agent.settings, "scale_rewards", False):
        return None
    return Finding(
        "reward scale",
        f"A step earns about {size:.3g}; networks learn values near 1.",
        "Divide the rewards, or use scale_rewards=True.",
    )


def _ends(agent: Any) -> Finding | None:
    lengths = np.array(agent.tally.lengths)
    longest = lengths.max()
    share = float((lengths == longest).mean())
    if share < 0.6 or longest < 20 or agent.tally.broken_off > 0.1 * len(lengths):
        return None
    return Finding(
        "ended or broken off",
        f"{share:.0%} of the episodes end after {longest} steps and are called terminated.",
        "If that is a limit of time, report it as truncated: otherwise the value of good states is "
        "learned as 0.",
    )


def _exploding(agent: Any) -> Finding | None:
    values = _last(agent, "value")
    if math.isnan(values):
        return None
    steps = np.maximum(np.array(agent.tally.lengths, float), 1)
    reward = float(np.abs(np.array(agent.tally.sums) / steps).max())
    most = reward * min(1 / max(1 - agent.settings.discount, 1e-3), float(steps.max()))
    if abs(values) <= 3 * most + 1:
        return None
    return Finding(
        "exploding values",
        f"The critic promises {values:.3g}; rewards sum up to {most:.3g} at most.",
        "Use a lower learning rate, a slower target, double Q-learning, or smaller rewards.",
    )


def _collapse(agent: Any) -> Finding | None:
    entropy = _last(agent, "entropy")
    if math.isnan(entropy) or agent.world.bounds is not None:
        epsilon = _last(agent, "epsilon")
        if math.isnan(epsilon) or epsilon > 0.005:
            return None
        return Finding(
            "no exploration",
            f"ε is {epsilon:.3g}: nothing new is tried.",
            "Use a higher explore_least, or a longer explore_share.",
        )
    if entropy > 0.02 * math.log(agent.world.actions):
        return None
    return Finding(
        "no exploration",
        f"The policy's entropy is {entropy:.3g} of {math.log(agent.world.actions):.3g}: it does "
        "the same always.",
        "Use a higher entropy weight, a lower learning rate, or scaled rewards.",
    )


def _too_large(agent: Any) -> Finding | None:
    divergence = _last(agent, "kl")
    if math.isnan(divergence) or divergence < 0.1:
        return None
    return Finding(
        "updates too large",
        f"An update changes the policy by {divergence:.2g} nats; 0.01 to 0.03 are usual.",
        "Use a lower learning rate, fewer epochs, or larger batches.",
    )


def _last(agent: Any, name: str) -> float:
    told = [p.figures[name] for p in agent.progress if name in p.figures]
    return float(np.mean(told[-5:])) if told else float("nan")
