"""The first steps, made before the training and taken back: which way does the loss go?"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import Evidence, Suspicion
from pellucid.insight.doctor.rules.course import place_of_rate, rate_of
from pellucid.insight.doctor.rules.optimizer import update_ratio
from pellucid.insight.doctor.standing import quiet
from pellucid.insight.doctor.trying import bench_of, course, span_of

Found = Iterator[Suspicion]


def tried_rates(case: Case) -> Found:
    """Before the first step: the loss rises at the rate as it is, and falls at a tenth of it; or
    stays where it is, and falls at a hundred times it."""
    if case.phase != "before" or bench_of(case) is None or not rate_of(case) > 0:
        return
    plain = course(case, "as it is")
    span = span_of(case)
    if plain.gain > 0.02 * span:
        return
    rose = plain.end > plain.start + 0.02 * span
    moved = abs(plain.gain) > 1e-3 * span
    told = Evidence(f"loss after {len(plain.losses)} steps", plain.end, f"below {plain.start:.4g}")
    place, rate = place_of_rate(case), rate_of(case)
    if rose or moved:
        patch = remedies.learning_rate("Lower the learning rate.", rate, 0.1)
        yield Suspicion(
            "LR_HIGH", place, (told,), 0.5 if rose else 0.3, ("learning_rate",), (patch,)
        )
    ratio = update_ratio(case)  # a plateau at the start is no proof where weights do move
    if not rose and case.settings.get("schedule") is None and ratio is not None and ratio < 1e-3:
        patch = remedies.learning_rate("Raise the learning rate.", rate, 100.0)
        yield Suspicion("LR_LOW", place, (told,), 0.4, ("learning_rate",), (patch,))


RULES = quiet(tried_rates)
