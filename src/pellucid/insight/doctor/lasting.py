"""Whether patches that win short trainings win a whole one: what begins fast may end badly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.insight.doctor.arms import Arm, Curve, Program
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.thresholds import area

SEED = 0
"""The seed of the treated program, whose whole training this is."""
LONGER = 2.0
"""A check has to be so many times as long as the short trainings, or it says nothing new."""
AT_END = 3
"""So many moments at the end of a curve are looked at together: one alone is a matter of luck."""
LEAST = 0.02
"""A patch has to improve the score by more than this.  Where both ends of long trainings are the
same by that measure, who learned faster, and has not fallen since, is better."""


@dataclass(frozen=True)
class LongCheck:
    """The kept patches over ``steps``, the whole training where the budget allows it, against the
    program without them.

    ``unpatched`` is what the program has reached in the training that was examined, as a level,
    where that has ended and begins anew; else a training beside the patched one.
    """

    patches: tuple[Patch, ...]
    steps: int
    whole: int
    unpatched: Curve
    patched: Curve
    lasts: bool

    @property
    def pair(self) -> tuple[float, float]:
        """The scores at the end, unpatched and patched."""
        return at_end(self.unpatched), at_end(self.patched)

    @property
    def reason(self) -> str:
        """What was seen, in words."""
        before, after = self.pair
        if self.lasts:
            return f"better over {self.steps} steps, too: {before:.3g} without, {after:.3g} with it"
        return f"not better over {self.steps} steps: {before:.3g} without, {after:.3g} with it"

    def to_json(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "patches": [patch.to_json() for patch in self.patches],
            "steps": self.steps,
            "whole": self.whole,
            "pair": list(self.pair),
            "lasts": self.lasts,
            "curves": {"unpatched": self.unpatched, "patched": self.patched},
        }


def at_end(curve: Curve) -> float:
    """The score of the last moments of a curve."""
    return float(np.mean([score for _, score in curve[-AT_END:]]))


def check(
    program: Program, patches: Sequence[Patch], whole: int, short: int, allowed: int
) -> tuple[LongCheck | None, int]:
    """Trains the program with the patches for ``whole`` steps, or as many as ``allowed`` leaves,
    and compares; returns what was found (None where ``allowed`` is too little to see more than
    short trainings of ``short`` steps did), and the steps that it took."""
    arm = Arm(program, patches)
    level = program.now() if program.has_ended else None
    each = arm.steps_for(100) / 100 + (level is None)
    steps = min(whole, int(allowed / each))
    if steps < LONGER * short:
        return None, 0
    made = arm.run(SEED, steps)
    patched = _best(arm, SEED)
    if level is not None:
        unpatched: Curve = [(0, level), (steps, level)]
    else:
        base = Arm(program, [])
        made += base.run(SEED, steps)
        unpatched = base.curves[SEED]
    return LongCheck(
        tuple(patches), steps, whole, unpatched, patched, _is_better(patched, unpatched)
    ), made


def _best(arm: Arm, seed: int) -> Curve:
    """The curve; of a training that stops early what it would have kept."""
    curve = arm.curves[seed]
    if not arm.stops_early:
        return curve
    best = np.maximum.accumulate([score for _, score in curve])
    return [(step, float(score)) for (step, _), score in zip(curve, best, strict=True)]


def _is_better(patched: Curve, unpatched: Curve) -> bool:
    difference = at_end(patched) - at_end(unpatched)
    if abs(difference) > LEAST:
        return difference > 0
    falls = at_end(patched) < max(score for _, score in patched) - LEAST
    return not falls and _area(patched) > _area(unpatched) + LEAST


def _area(curve: Curve) -> float:
    """The mean of a curve over its steps."""
    steps, scores = np.asarray(curve, np.float64).T
    return area(steps, scores) / max(1, curve[-1][0])
