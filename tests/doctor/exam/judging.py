"""The doctor on a program of the exam: what it says before, during and after training."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from doctor.exam import ways
from doctor.exam.program import PHASES, Program
from doctor.exam.recipe import Setup
from pellucid.base.errors import PellucidError


@dataclass
class Said:
    """A finding, as far as the exam looks at it."""

    cause: str
    place: str
    confidence: float
    step: int | None
    text: str = ""


@dataclass
class Verdict:
    """What the doctor said of a program in each phase, the seconds it took, and an error of its
    own (which is never the program's)."""

    program: str
    said: dict[str, list[Said]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    error: str = ""
    ended: str = ""
    """The error that ended the training, if one did."""

    @property
    def findings(self) -> list[Said]:
        """What stands in the last report."""
        return next((self.said[p] for p in reversed(PHASES) if p in self.said), [])


def said(report: Any) -> list[Said]:
    """The findings of a report."""
    return [Said(f.cause, str(f.place), round(float(f.confidence), 3), f.step, str(f))
            for f in report]  # fmt: skip


def named(findings: list[Said], program: Program, first: int = 3) -> bool:
    """Whether a right cause is among the first findings."""
    return any(f.cause in program.causes for f in findings[:first])


def placed(findings: list[Said], program: Program) -> bool:
    """Whether the first finding with a right cause names a right place."""
    for finding in findings[:3]:
        if finding.cause in program.causes:
            return any(word in finding.place.lower() for word in program.places)
    return False


def known_by(verdict: Verdict, program: Program, phase: str) -> bool:
    """Whether a right cause was named by that phase: in its report, or in a later one with the
    step of that phase."""
    order = PHASES[: PHASES.index(phase) + 1]
    if any(named(verdict.said[p], program) for p in order if p in verdict.said):
        return True
    limit = {"before": 0, "step 10": 10, "tenth": max(10, verdict.steps // 10)}.get(phase, 10**9)
    return any(f.cause in program.causes and (f.step or 0) <= limit for f in verdict.findings[:3])


def judge(program: Program, seed: int = 0, *, phases: tuple[str, ...] = PHASES) -> Verdict:
    """Trains a program under watch; errors of the doctor are kept, never raised."""
    verdict = Verdict(program.name)
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        try:
            if program.script:
                _script(program, verdict)
            else:
                _made(program.make, seed, phases, verdict)
        except Exception as problem:  # whatever it is, the doctor has failed
            place = problem.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            line = "" if place is None else (
                f" at {place.tb_frame.f_code.co_filename.split('/src/')[-1]}:{place.tb_lineno}"
            )  # fmt: skip
            verdict.error = f"{type(problem).__name__}: {problem}{line}"
    return verdict


def _made(make: Any, seed: int, phases: tuple[str, ...], verdict: Verdict) -> None:
    setup = make(seed).ready(seed)
    if "before" in phases and setup.recipe.supervised:
        _before(setup, verdict)
    if set(phases) - {"before"}:
        _trained(make(seed).ready(seed), verdict)


def settings(setup: Setup) -> dict[str, Any]:
    """What a program's author would tell the doctor beside model, data, loss and optimizer."""
    recipe = setup.recipe
    told: dict[str, Any] = dict(recipe.trainer)
    if setup.validation is not None:
        told["validation"] = setup.validation
    if recipe.schedule is not None:
        told["schedule"] = recipe.schedule(setup.optimizer)
    return {**told, "batch_size": recipe.batch, "epochs": recipe.epochs, "shuffle": recipe.shuffle}


def _before(setup: Setup, verdict: Verdict) -> None:
    from pellucid.insight import doctor

    told = settings(setup)
    started = time.perf_counter()
    report = doctor.examine(
        setup.model, setup.train, loss=setup.loss, optimizer=setup.optimizer, **told
    )  # fmt: skip
    verdict.seconds["before"] = time.perf_counter() - started
    verdict.said["before"] = said(report)


class Asking:
    """Stands where the watch does, and asks for its report at the steps of the phases."""

    def __init__(self, watch: Any, verdict: Verdict) -> None:
        self.watch, self.verdict, self.number = watch, verdict, 0
        self.asked = {10: "step 10", max(10, verdict.steps // 10): "tenth"}

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        with self.watch.step():
            yield
        self.number += 1
        if self.number in self.asked and self.number < self.verdict.steps:
            ask(self.watch.report, self.verdict, self.asked[self.number])


def ask(report: Any, verdict: Verdict, phase: str) -> None:
    """Takes what a report says down, and how long it took."""
    started = time.perf_counter()
    found = report()
    verdict.seconds[phase] = time.perf_counter() - started
    verdict.said[phase] = said(found)


def _trained(setup: Setup, verdict: Verdict) -> None:
    from pellucid.insight import doctor

    verdict.steps = setup.steps
    recipe = setup.recipe
    if recipe.way in ("trainer", "eager"):
        trainer = ways.by_trainer(setup, doctor=True)
        try:
            ways.fit(trainer, setup)
        except (PellucidError, ArithmeticError, ValueError, RuntimeError) as problem:
            verdict.ended = f"{type(problem).__name__}: {problem}"
        ask(trainer.report, verdict, "end")
        return
    optimizer = setup.optimizer if recipe.supervised else None  # the loop has more than one
    with doctor.watch(setup.model, optimizer, validation=setup.validation) as watch:
        loop = recipe.loop or (ways.compiled_loop if recipe.way == "compiled" else ways.plain_loop)
        try:
            loop(setup, Asking(watch, verdict))
        except (PellucidError, ArithmeticError, ValueError, RuntimeError) as problem:
            verdict.ended = f"{type(problem).__name__}: {problem}"
        ask(watch.report, verdict, "end")


def _script(program: Program, verdict: Verdict) -> None:
    from pellucid.insight import doctor

    started = time.perf_counter()
    ran = doctor.run_script(program.script, program.args)
    verdict.seconds["end"] = time.perf_counter() - started
    verdict.said["end"], verdict.steps = said(ran.report), ran.steps


__all__ = ["Said", "Verdict", "judge", "known_by", "named", "placed", "said", "ways"]
