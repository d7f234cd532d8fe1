"""From cases to one report."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.examine import examined
from pellucid.insight.doctor.findings import Finding
from pellucid.insight.doctor.probes import PROBES
from pellucid.insight.doctor.report import Report


def judged(case: Case, seconds: float = 1.0) -> Report:
    """What is wrong with a training, by all rules of its phase; probes may take so long."""
    if case.notes.get("against another"):
        case.train = None  # what it is given are no examples of an answer
    return examined(case, PROBES, seconds)


def merged(reports: Sequence[Report]) -> Report:
    """Reports on several optimizers' trainings as one: each cause and place once, the most certain
    first."""
    if len(reports) == 1:
        return reports[0]
    found: dict[tuple[str, str], Finding] = {}
    for report in reports:
        for finding in report:
            key = finding.cause, str(finding.place)
            if key not in found or found[key].confidence < finding.confidence:
                found[key] = finding
    if not reports:
        return Report()
    first = reports[0]
    ordered = sorted(found.values(), key=lambda f: -f.confidence)
    facts = {name: value for report in reversed(reports) for name, value in report.facts.items()}
    seconds = sum(report.seconds for report in reports)
    return Report(ordered, first.task, first.phase, facts, seconds, first.case)
