"""An agent that does not learn: why?  Reasons are read off what was recorded while it learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
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
    cause: str = "UNKNOWN"
    """The cause by the doctor's code: ``REWARD_SCALE``, ``ENTROPY_COLLAPSE``, …"""
    value: float | None = None
    """The figure that it was read off, and what it should be."""
    expected: str = ""
    setting: str = ""
    """The setting that the remedy changes, empty where none does by itself."""

    def __str__(self) -> str:
        return f"{self.what}: {self.text} {self.remedy}"


@dataclass
class Course:
    """What learning from rewards has shown so far, of an agent or of a loop of one's own.

    ``sums`` and ``lengths`` are those of the episodes that ended, ``broken_off`` how many of them
    ended by a limit of time.  ``figures`` holds what was measured on the way by name: ``entropy``
    (of the policy, in nats), ``epsilon``, ``value`` (mean of the critic), ``kl``.  ``taken``
    (actions,) counts the actions.  What is not known is empty.
    """

    sums: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    broken_off: int = 0
    steps: int = 0
    actions: int = 0
    discount: float = 0.99
    figures: dict[str, list[float]] = field(default_factory=dict)
    taken: np.ndarray[Any, np.dtype[np.int64]] | None = None
    scaled: bool = False

    @classmethod
    def of(cls, agent: Any) -> Course:
        """That of an agent of this package."""
        figures: dict[str, list[float]] = {}
        for told in agent.progress:
            for name, value in told.figures.items():
                figures.setdefault(name, []).append(float(value))
        discrete = agent.world.bounds is None
        return cls(
            agent.tally.sums, agent.tally.lengths, agent.tally.broken_off, agent.steps,
            agent.world.actions if discrete else 0, agent.settings.discount, figures, None,
            bool(getattr(agent.settings, "scale_rewards", False)),
        )  # fmt: skip

    def tell(self, **figures: float) -> None:
        """Takes note of figures of an update: ``course.tell(entropy=1.1, value=3.0)``."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(float(value))

    def last(self, name: str) -> float:
        """The mean of the last five of a figure; NaN where there is none."""
        told = self.figures.get(name, ())
        return float(np.mean(told[-5:])) if told else float("nan")

    def watching(self, environment: Any) -> _Noted:
        """The environment (with ``reset`` and Gymnasium's ``step``), its episodes noted here."""
        return _Noted(environment, self)


class _Noted:
    """An environment whose steps are noted in a course."""

    def __init__(self, environment: Any, course: Course) -> None:
        self._environment, self._course = environment, course
        self._sum, self._length = 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)

    def reset(self, *args: Any, **settings: Any) -> Any:
        """Begins an episode."""
        self._sum, self._length = 0.0, 0
        return self._environment.reset(*args, **settings)

    def step(self, action: Any) -> Any:
        """Moves on, and takes note of reward, action and end."""
        answer = self._environment.step(action)
        _, reward, terminated, truncated = tuple(answer)[:4]
        course = self._course
        course.steps += 1
        self._sum += float(reward)
        self._length += 1
        self._note_action(action)
        if terminated or truncated:
            course.sums.append(self._sum)
            course.lengths.append(self._length)
            course.broken_off += int(bool(truncated) and not terminated)
            self._sum, self._length = 0.0, 0
        return answer

    def _note_action(self, action: Any) -> None:
        number = np.asarray(action)
        if number.dtype.kind not in "iu" or number.size != 1 or not 0 <= number.item() < 10_000:
            return
        course, place = self._course, int(number.item())
        known = self._known_actions()
        course.actions = max(course.actions, place + 1, known)
        if course.taken is None or len(course.taken) < course.actions:
            before = np.zeros(0, np.int64) if course.taken is None else course.taken
            course.taken = np.append(before, np.zeros(course.actions - len(before), np.int64))
        course.taken[place] += 1

    def _known_actions(self) -> int:
        space = getattr(self._environment, "action_space", None)
        count = getattr(space, "n", getattr(self._environment, "actions", 0))
        return int(count) if isinstance(count, (int, np.integer)) else 0


def improved(sums: list[float]) -> bool:
    """Whether the last fifth of the episodes earned more than the first by more than chance."""
    part = max(len(sums) // 5, 5)
    first, last = np.array(sums[:part]), np.array(sums[-part:])
    error = math.sqrt(first.var() / len(first) + last.var() / len(last))
    return bool(last.mean() - first.mean() > max(3 * error, 1e-9))


def find_reasons(agent: Any) -> list[Finding]:
    """Reasons why an agent, or what a ``Course`` tells of, does not learn; none where its episodes
    earn more and more.

    - *no episode ended*: nothing says how much was earned; limits are missing or too far away.
    - *the same reward always*: nothing that was tried changes what is earned.
    - *reward scale*: sums of rewards beyond thousands, or below a hundredth.
    - *no exploration*: the entropy of the policy has fallen to almost 0 while little is earned, ε
      is 0, or there are actions that were hardly ever tried.
    - *exploding values*: the values of a critic are beyond anything that rewards can sum up to.
    - *ended or broken off*: nearly all episodes are broken off at one length and yet reported as
      terminated, so that the critic learns an end that is none.
    - *updates too large*: the policy changes far more than the clip allows.
    """
    course = agent if isinstance(agent, Course) else Course.of(agent)
    if len(course.sums) < EPISODES:
        return [] if course.steps < 10_000 else [_no_ends(course)]
    if improved(course.sums):
        return []
    checks: tuple[Callable[[Course], Finding | None], ...] = (
        _same_rewards,
        _scale,
        _ends,
        _exploding,
        _collapse,
        _greedy,
        _untried,
        _too_large,
    )
    found = [finding for finding in (check(course) for check in checks) if finding is not None]
    if not found:
        found.append(
            Finding(
                "more steps",
                f"{len(course.sums)} episodes of {np.mean(course.lengths):.0f} steps show no "
                "progress and no fault.",
                "Learn longer, try another seed, or a higher learning rate.",
            )
        )
    return found


def _no_ends(course: Course) -> Finding:
    return Finding(
        "no episode ended",
        f"Only {len(course.sums)} episodes ended in {course.steps:,} steps.",
        "Give the environment a limit of steps.",
        "TERMINATION",
        float(len(course.sums)),
        f"at least {EPISODES}",
    )


def _same_rewards(course: Course) -> Finding | None:
    sums = np.array(course.sums)
    if np.ptp(sums) > 1e-9:
        return None
    return Finding(
        "the same reward always",
        f"All {len(sums)} episodes earned {sums[0]:g}: nothing that was tried changes the reward.",
        "Explore more (entropy, a longer explore_share, several copies), or reward steps on the "
        "way.",
        "EXPLORATION_DEAD",
        0.0,
        "above 0",
    )


def _scale(course: Course) -> Finding | None:
    size = float(np.abs(course.sums).mean()) / max(float(np.mean(course.lengths)), 1.0)
    if 1e-3 <= size <= 50 or course.scaled:
        return None
    return Finding(
        "reward scale",
        f"A step earns about {size:.3g}; networks learn values near 1.",
        "Divide the rewards, or use scale_rewards=True.",
        "REWARD_SCALE",
        size,
        "0.001 to 50",
        "scale_rewards",
    )


def _ends(course: Course) -> Finding | None:
    lengths = np.array(course.lengths)
    longest = lengths.max()
    share = float((lengths == longest).mean())
    if share < 0.6 or longest < 20 or course.broken_off > 0.1 * len(lengths):
        return None
    return Finding(
        "ended or broken off",
        f"{share:.0%} of the episodes end after {longest} steps and are called terminated.",
        "If that is a limit of time, report it as truncated: otherwise the value of good states is "
        "learned as 0.",
        "TERMINATION",
        share,
        "0",
    )


def _exploding(course: Course) -> Finding | None:
    values = course.last("value")
    if math.isnan(values):
        return None
    steps = np.maximum(np.array(course.lengths, float), 1)
    reward = float(np.abs(np.array(course.sums) / steps).max())
    most = reward * min(1 / max(1 - course.discount, 1e-3), float(steps.max()))
    if abs(values) <= 3 * most + 1:
        return None
    return Finding(
        "exploding values",
        f"The critic promises {values:.3g}; rewards sum up to {most:.3g} at most.",
        "Use a lower learning rate, a slower target, double Q-learning, or smaller rewards.",
        "Q_OVERESTIMATE",
        values,
        f"at most {most:.3g}",
        "lr",
    )


def _collapse(course: Course) -> Finding | None:
    entropy = course.last("entropy")
    if math.isnan(entropy) or course.actions < 2 or entropy > 0.02 * math.log(course.actions):
        return None
    return Finding(
        "no exploration",
        f"The policy's entropy is {entropy:.3g} of {math.log(course.actions):.3g}: it does "
        "the same always.",
        "Use a higher entropy weight, a lower learning rate, or scaled rewards.",
        "ENTROPY_COLLAPSE",
        entropy,
        f"well above 0, at most {math.log(course.actions):.3g}",
        "entropy",
    )


def _greedy(course: Course) -> Finding | None:
    epsilon = course.last("epsilon")
    if math.isnan(epsilon) or epsilon > 0.005:
        return None
    return Finding(
        "no exploration",
        f"ε is {epsilon:.3g}: nothing new is tried.",
        "Use a higher explore_least, or a longer explore_share.",
        "EXPLORATION_DEAD",
        epsilon,
        "0.01 to 1",
        "explore_least",
    )


def _untried(course: Course) -> Finding | None:
    """Actions that a loop of one's own has hardly ever taken."""
    if course.taken is None or course.actions < 2 or course.taken.sum() < 200 * course.actions:
        return None
    share = float(course.taken.min()) / float(course.taken.sum())
    if share > 0.01 / course.actions:
        return None
    return Finding(
        "no exploration",
        f"Action {int(course.taken.argmin())} was taken in {share:.2%} of the steps.",
        "Explore: draw actions at random now and then, or reward the entropy of the policy.",
        "EXPLORATION_DEAD",
        share,
        f"above {0.01 / course.actions:.2g}",
    )


def _too_large(course: Course) -> Finding | None:
    divergence = course.last("kl")
    if math.isnan(divergence) or divergence < 0.1:
        return None
    return Finding(
        "updates too large",
        f"An update changes the policy by {divergence:.2g} nats; 0.01 to 0.03 are usual.",
        "Use a lower learning rate, fewer epochs, or larger batches.",
        "LR_HIGH",
        divergence,
        "0.01 to 0.03",
        "lr",
    )
