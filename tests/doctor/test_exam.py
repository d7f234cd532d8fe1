"""The development exam is what it says, and the doctor passes a fast part of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from doctor.exam.judging import Verdict, judge, known_by, named, placed
from doctor.exam.program import CLEAN, SICK, Program, programs
from doctor.exam.recipe import score
from doctor.exam.sickness import train
from pellucid.insight.doctor import CAUSES

EVERY = {program.name: program for program in programs()}


def test_the_exam_is_large_and_its_halves_are_fixed_by_names() -> None:
    assert len(SICK) >= 150 and len(CLEAN) >= 60
    assert len(EVERY) == len(SICK) + len(CLEAN), "names are unique"
    for listed in (SICK, CLEAN):
        share = np.mean([program.half == "tuning" for program in listed])
        assert 0.4 < share < 0.6
    assert EVERY["adam_at_one/digits"].half == Program("adam_at_one/digits").half


def test_causes_are_those_of_the_doctor() -> None:
    for program in SICK:
        assert program.causes <= set(CAUSES), program.name


def test_a_program_is_the_same_every_time() -> None:
    make = EVERY["adam_at_one/friedman"].make
    assert make is not None
    scores = []
    for _ in range(2):
        setup = make(0).ready(0)
        setup.recipe.epochs = 2
        assert not train(setup)
        scores.append(score(setup))
    assert scores[0] == scores[1]


def _before(name: str) -> Verdict:
    verdict = judge(EVERY[name], phases=("before",))
    assert not verdict.error
    return verdict


SEEN_BEFORE = """
relu_before_signed_numbers/friedman softmax_before_several_labels/tags softmax_over_one_unit/moons
softmax_over_one_number/summing softmax_and_cross_entropy/strokes sigmoid_and_logistic_loss/tags
likelihood_of_scores/digits cross_entropy_of_several_labels/tags
logistic_loss_of_numbers/tally softmax_over_the_batch/digits
""".split()


@pytest.mark.parametrize("name", SEEN_BEFORE)
def test_a_cause_is_named_first_before_the_first_step(name: str) -> None:
    verdict = _before(name)
    assert named(verdict.findings, EVERY[name], 1), verdict.findings
    assert placed(verdict.findings, EVERY[name]), verdict.findings
    assert known_by(verdict, EVERY[name], "before")


QUIET = [program.name for program in CLEAN if program.make is not None][::7]


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_said_of_a_clean_program_before_it_begins(name: str) -> None:
    assert _before(name).findings == []


STRANGERS = """
gradients_cleared_too_late detached_in_the_middle rows_from_a_slow_disk forty_rows grades_in_order
warm_up_and_cosine sums_over_micro_batches
""".split()


@pytest.mark.parametrize("name", STRANGERS)
def test_programs_of_strangers(name: str) -> None:
    program = EVERY[f"stranger/{name}"]
    verdict = judge(program)
    assert not verdict.error
    assert named(verdict.findings, program, 1) or (program.is_clean and not verdict.findings)


def test_intervals_are_those_of_wilson(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("benchmark_of_the_doctor", folder / "doctor.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    wilson = benchmark.wilson
    assert wilson(15, 20) == "75 % (53 to 89; 15 of 20)"
    assert wilson(0, 0) == "–"
