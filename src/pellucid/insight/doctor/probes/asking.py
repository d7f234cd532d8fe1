"""What all probes share: a name, a question, an answer, and an end where there is none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.findings import ProbeResult, Suspicion
from pellucid.insight.doctor.trying import CLEAR, Course, bench_of, out_of_time, span_of

MUCH = 2.0

Probe = Callable[[Case, Suspicion], ProbeResult]


class Answer(NamedTuple):
    """What an experiment gave: its numbers, whether they confirm, and a sentence."""

    numbers: dict[str, float]
    confirms: bool | None
    text: str


Experiment = Callable[[Case, Suspicion], Answer | None]


def probe(name: str, question: str, *, needs_model: bool = True) -> Callable[[Experiment], Probe]:
    """Makes a probe of an experiment.

    Where there is no bench, time is over, the experiment answers None, or what is tried does not
    run, the result confirms nothing.  ``needs_model``: it changes model, loss or rows, which only
    a bench that calls them can do.
    """

    def make(experiment: Experiment) -> Probe:
        @functools.wraps(experiment)
        def ask(case: Case, suspicion: Suspicion) -> ProbeResult:
            answer = None
            bench: Any = bench_of(case) if case.bench is None else case.bench
            usable = isinstance(bench, ModelBench) if needs_model else bench is not None
            if usable and bench.batches and not out_of_time(case):
                try:
                    with np.errstate(all="ignore"):
                        answer = experiment(case, suspicion)
                except Exception as error:  # a user's model may refuse what is tried in any way
                    case.notes.setdefault("refused", []).append((name, error))
                    answer = None
            if answer is None:
                return ProbeResult(name, question, {}, None)
            return ProbeResult(name, question, answer.numbers, answer.confirms, answer.text)

        return ask

    return make


def helped(case: Case, plain: Course, changed: Course) -> bool:
    """Whether a change has helped clearly: the loss ends lower by a tenth of what there is to
    learn, and has fallen more than twice as far.  What only speeds up a training that learns
    anyway is no cause."""
    if changed.end == float("inf") or changed.gain <= 0:
        return False
    falls = plain.gain if plain.end < float("inf") else 0.0
    return advantage(case, plain, changed) > CLEAR and changed.gain > MUCH * falls


def advantage(case: Case, plain: Course, changed: Course) -> float:
    """By how much of what there is to learn the changed course is better, where both are measured
    by the same loss."""
    if changed.end == float("inf"):
        return 0.0
    if plain.end == float("inf"):
        return 1.0
    return (plain.end - changed.end) / span_of(case)


def better_answers(plain: Course, changed: Course) -> float | None:
    """By how much the answers became better where the losses cannot be compared; None where
    they cannot be judged."""
    if plain.fitness is None or changed.fitness is None:
        return None
    return max(changed.fitness, -1.0) - max(plain.fitness, -1.0)


def answers_helped(plain: Course, changed: Course) -> bool:
    """Whether answers became clearly better, where losses cannot be compared: by a tenth, and
    twice as good as those of a plain course where these were better than nothing."""
    better = better_answers(plain, changed)
    if better is None or changed.fitness is None or plain.fitness is None:
        return False
    return better > CLEAR and changed.fitness > MUCH * max(plain.fitness, 0.0)


def figures(**numbers: Any) -> dict[str, float]:
    """Numbers by name, without those that are not known."""
    return {name: float(value) for name, value in numbers.items() if value is not None}
