"""Labels in another order than their rows: of all rows, of a part, or of a stretch of a file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pellucid.insight.doctor.data.held_out import (
    Codes,
    Floats,
    HeldOut,
    Numbers,
    Ridge,
    held_out_numbers,
)
from pellucid.insight.doctor.data.material import Material
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.patches import Patch

_FEWEST = 100
_SHIFTS = (1, -1, 2, -2, 3, -3)
_STRETCH = 30
_ONE_CLASS = 0.85
_ANEW = Patch("data", "Take features and labels from one table, or shuffle them together.")


def skill_of_classes(probabilities: Numbers, labels: Codes) -> tuple[float, float]:
    """How much better than the commonest class the likeliest classes are, as a share of what is
    left, and its standard error."""
    hits = probabilities.argmax(axis=1) == labels
    common = float(np.bincount(labels).max()) / len(labels)
    room = max(1 - common, 1e-9)
    error = float(np.sqrt(max(hits.var(), common * room) / len(labels)))
    return (float(hits.mean()) - common) / room, error / room


def misaligned_classes(
    data: Material, places: Codes, labels: Codes, found: HeldOut
) -> Iterator[Suspicion]:
    """LABEL_MISALIGNED for classes: nothing is foretold, or what is foretold is the label of
    another row, for all rows, those of a part, or a stretch; ``places`` are the rows judged."""
    if len(labels) < _FEWEST:
        return
    skill, error = skill_of_classes(found.probabilities, labels)
    classes = found.probabilities.shape[1]
    log_gain = _gain(found.probabilities, labels)
    if skill < 2 * error and log_gain < 0.01 and _order(found.probabilities, labels) < 3:
        shifted = []
        for shift in _SHIFTS:
            moved = np.roll(labels, shift)
            other, _ = skill_of_classes(found.again(moved, classes), moved)
            shifted.append((other, shift))
        best, shift = max(shifted)
        evidence = Evidence("left-out accuracy above the commonest class, of what is left", skill,
                            "well above 0")  # fmt: skip
        if best > max(8 * error, 0.2):
            yield _shifted(evidence, best, shift)
        elif np.bincount(labels).max() < _ONE_CLASS * len(labels):
            yield Suspicion(
                "LABEL_MISALIGNED", Place(), (evidence,), 0.6, ("neighbours",), (_ANEW,)
            )
        return
    if skill > 0.5:
        wrong = found.probabilities.argmax(axis=1) != labels
        yield from _stretch(data, places, wrong, labels)


def _order(probabilities: Numbers, labels: Codes) -> float:
    """By how many standard errors rows of a class have a higher probability of it than others (the
    rank sum of Wilcoxon and of Mann and Whitney), for the class where it is most: rare classes are
    ordered long before they are likeliest."""
    most = 0.0
    ranks = np.empty(len(labels))
    for number in range(probabilities.shape[1]):
        own = labels == number
        count = int(own.sum())
        rest = len(labels) - count
        if not count or not rest:
            continue
        ranks[np.argsort(probabilities[:, number], kind="stable")] = np.arange(len(labels))
        wins = float(ranks[own].sum()) - count * (count - 1) / 2
        spread = np.sqrt(count * rest * (len(labels) + 1) / 12)
        most = max(most, (wins - count * rest / 2) / spread)
    return most


def _steps_away(shift: int) -> str:
    rows = abs(shift)
    if shift < 0:
        return "1 row later" if rows == 1 else f"{rows} rows later"
    return "1 row earlier" if rows == 1 else f"{rows} rows earlier"


def _shifted(evidence: Evidence, best: float, shift: int) -> Suspicion:
    """Labels that belong to a row some places before or after."""
    where = _steps_away(shift)
    text = f"Move the labels by {abs(shift)}: row i has the label that stands {where}."
    told = Evidence(f"the same with the label that stands {where}", best)
    patch = Patch("data", text, "shift", 0, shift)
    return Suspicion("LABEL_MISALIGNED", Place(), (evidence, told), 0.98, (), (patch,))


def _gain(probabilities: Numbers, labels: Codes) -> float:
    """The share of the entropy of the classes that the probabilities explain."""
    own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-6)
    shares = np.bincount(labels) / len(labels)
    entropy = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    return 1 - float(-np.log(own).mean()) / max(entropy, 1e-9)


def _stretch(
    data: Material, places: Codes, wrong: npt.NDArray[np.bool_], labels: Codes
) -> Iterator[Suspicion]:
    """Rows of a part, or a stretch of rows in their order, nearly all of whose labels are wrong."""
    tried = [data.part[places] == number for number in (0, 1, 2) if data.has_parts]
    shares = np.bincount(labels) / len(labels)
    chance = 1 - float(np.square(shares).sum())
    if (found := _worst_stretch(wrong, 0.5 * chance)) is not None:
        inside = np.zeros(len(wrong), np.bool_)
        inside[found[0] : found[1]] = True
        tried.append(inside)
    for inside in tried:
        if not _STRETCH <= inside.sum() <= 0.8 * len(wrong):
            continue
        own = np.bincount(labels[inside]) / inside.sum()
        mixed = 1 - float(np.square(own).sum())
        within, outside = float(wrong[inside].mean()), float(wrong[~inside].mean())
        if within < 0.75 * chance or outside > 0.4 * chance or mixed < 0.6 * chance:
            continue
        rows = places[inside]
        evidence = (
            Evidence(f"share of labels that the other rows contradict, in {len(rows)} rows", within,
                     f"{outside:.2f}, as elsewhere"),
        )  # fmt: skip
        place = Place(rows=tuple(data.lines[rows].tolist()), part=data.part_name(int(rows[0])))
        yield Suspicion("LABEL_MISALIGNED", place, evidence, 0.9, (), (_ANEW,))
        return


def _worst_stretch(wrong: npt.NDArray[np.bool_], usual: float) -> tuple[int, int] | None:
    """The stretch with most wrong rows beyond the share ``usual`` (Kadane), if it is long."""
    weights = np.where(wrong, 1.0, 0.0) - usual
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    begin = int(np.argmin(sums[: end + 1]))
    return (begin, end) if _STRETCH <= end - begin <= 0.8 * len(wrong) else None


def misaligned_numbers(data: Material, rows: Floats, truth: Numbers) -> Iterator[Suspicion]:
    """LABEL_MISALIGNED for numbers."""
    if len(truth) < _FEWEST:
        return
    model, answers = held_out_numbers(rows, truth)
    skill = _explained(truth, answers)
    error = 2 / np.sqrt(len(truth))
    if skill > 0.01 or float(np.abs(_correlation(truth, answers))) > 2 * error:
        return
    evidence = Evidence("left-out R²", skill, "well above 0")
    best, shift = max((_shifted_skill(model, rows, truth, shift), shift) for shift in _SHIFTS)
    if best > max(0.1, 4 * error):
        yield _shifted(evidence, best, shift)
    else:
        yield Suspicion("LABEL_MISALIGNED", Place(), (evidence,), 0.5, ("neighbours",), (_ANEW,))


def _explained(truth: Numbers, answers: Numbers) -> float:
    total = np.square(truth - truth.mean(axis=0)).sum(axis=0)
    return float((1 - np.square(truth - answers).sum(axis=0) / np.maximum(total, 1e-30)).max())


def _correlation(truth: Numbers, answers: Numbers) -> float:
    one, two = truth[:, 0] - truth[:, 0].mean(), answers[:, 0] - answers[:, 0].mean()
    return float((one * two).sum() / max(float(np.sqrt((one**2).sum() * (two**2).sum())), 1e-30))


def _shifted_skill(model: Ridge, rows: Floats, truth: Numbers, shift: int) -> float:
    moved = np.roll(truth, shift, axis=0)
    spread = moved.std(axis=0)
    scaled = np.asarray((moved - moved.mean(axis=0)) / np.where(spread > 0, spread, 1), np.float32)
    found = [1 - m.best(scaled)[0] / max(float(np.square(scaled).mean()), 1e-30)
             for m in (model, Ridge.of(rows))]  # fmt: skip
    return max(found)
