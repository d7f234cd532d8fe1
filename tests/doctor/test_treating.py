"""Patches are kept where they help, taken back where they do not, and nothing else changes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.doctor.test_bench import everything, same

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor import Case, Evidence, Finding, Patch, Place, Report, Rows, remedies
from pellucid.insight.doctor.sequential import evidence_of
from pellucid.insight.doctor.treating import treat

RNG = np.random.default_rng(11)
CENTRES = 1.5 * RNG.standard_normal((3, 8))
LABELS = RNG.integers(0, 3, 160)
X = (CENTRES[LABELS] + RNG.standard_normal((160, 8))).astype(np.float32)


def report(*patches, lr=1e-5, hidden=16, act=nn.ReLU, loss="cross_entropy"):
    pellucid.manual_seed(3)
    model = nn.Sequential(nn.Linear(8, hidden), act(), nn.Linear(hidden, 3))
    optimizer = optim.Adam(model.parameters(), lr=lr)
    rows = [Rows(pellucid.tensor(X[a:b]), pellucid.tensor(LABELS[a:b]), b - a)
            for a, b in ((0, 120), (120, 160))]  # fmt: skip
    loss = getattr(nn.functional, loss)
    case = Case(model, loss, optimizer, *rows, settings={"batch_size": 24, "epochs": 60})
    findings = [
        Finding("LR_LOW", Place(setting="lr"), (Evidence("seen"),), 0.9, remedies=(patch,))
        for patch in patches
    ]
    return Report(findings, case=case)


def rate(factor, old=1e-5):
    return remedies.learning_rate(f"Learn {factor} times as fast.", old, factor)


# ---- the test ------------------------------------------------------------------------------------


def test_the_evidence_is_a_martingale_for_normal_differences():
    random = np.random.default_rng(0)
    scaled = random.standard_normal((60_000, 4)) * 7.0
    # The mean of E[M₃ | d₁ d₂] / M₂ and of M itself are 1; M is heavy-tailed, so its log-truncated
    # mean is compared: Ville's bound at several levels.
    for level in (5.0, 20.0, 60.0):
        reached = np.mean([
            max(evidence_of(row[:n].tolist()) for n in (2, 3, 4)) >= level for row in scaled[:6000]
        ])  # fmt: skip
        assert reached <= 1 / level + 3 * math.sqrt(1 / level / 6000)


def test_the_evidence_follows_its_formula():
    c = 0.15**2
    for d in ([1.0, 2.0, 4.0], [0.1, -0.2, 0.3, 0.2]):
        n, s, v = len(d), sum(d), sum(x * x for x in d)
        expected = math.sqrt(c / (n + c)) * ((n + c) * v / ((n + c) * v - s * s)) ** (n / 2)
        assert evidence_of(d) == pytest.approx(expected)
    assert evidence_of([2.0]) == 1 and evidence_of([]) == 1 and evidence_of([0.0, 0.0]) == 1
    assert evidence_of([3.0] * 4) == pytest.approx(((4 + c) / c) ** 1.5)
    assert evidence_of([1, 2, 3]) == pytest.approx(evidence_of([10, 20, 30]))


# ---- treatments ----------------------------------------------------------------------------------


def test_a_patch_that_helps_is_kept_and_the_program_stays_as_it_was():
    given = report(rate(1000.0))
    case = given.case
    before = everything(case.model, case.optimizer)
    treatment = given.treat()
    assert [patch.name for patch in treatment.kept] == ["lr"]
    (trial,) = treatment.trials
    assert trial.kept and len(trial.pairs) >= 3 and trial.gain > 0.3
    assert trial.evidence >= trial.needed == pytest.approx(3 / (2 * 0.05))
    assert treatment.diff == "- lr = 1e-05\n+ lr = 0.01"
    assert treatment.steps <= treatment.budget == 2 * 5 * 60
    assert treatment.program.optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    assert treatment.program.model is not case.model
    assert same(before, everything(case.model, case.optimizer))
    shown = json.loads(json.dumps(treatment.to_json()))
    assert shown["trials"][0]["kept"] and shown["diff"] == treatment.diff
    assert "kept: better on" in str(treatment)
    curves = treatment.curves[trial.patch.text]
    assert len(curves["patched"]) == len(curves["unpatched"]) == len(trial.pairs)
    assert [pair[0] for pair in trial.pairs] == [curve[-1][1] for curve in curves["unpatched"]]
    check = treatment.check
    assert check.lasts and check.patches == tuple(treatment.kept) and "better over" in check.reason
    assert check.pair[1] > check.pair[0] + 0.3
    assert check.patched[-1][0] == check.steps == check.unpatched[-1][0]


def test_a_patch_that_harms_is_taken_back_and_the_next_one_is_tried_without_it():
    harmful = remedies.layer("Leave the hidden layer out.", "1", report().case.model, nn.Softmax(1))
    treatment = report(rate(0.01, 1e-3), harmful, rate(10.0, 1e-3), lr=1e-3).treat()
    kept = [trial.kept for trial in treatment.trials]
    assert kept[:2] == [False, False] and len(kept) == 3
    assert all(trial.reason for trial in treatment.trials)
    assert isinstance(treatment.program.model[1], nn.ReLU)


def test_a_patch_that_changes_nothing_is_not_kept():
    nothing = Patch("setting", "Change nothing.", "note", 0, 1, lambda trial: None)
    treatment = report(nothing, lr=1e-3).treat()
    assert not treatment.kept and treatment.diff == ""


def test_new_parameters_of_a_patch_learn_and_each_training_has_its_own():
    wide = nn.Linear(8, 16)
    start = np.array(wide.weight.detach().numpy())
    patch = remedies.layer("Another first layer.", "0", report().case.model, wide)
    treat(report(patch, lr=1e-2), steps=20)
    np.testing.assert_array_equal(start, wide.weight.detach().numpy())


def test_at_most_three_trials_and_only_patches_that_can_be_tried():
    many = [remedies.advice("Think."), *(rate(f, 1e-3) for f in (1.0, 0.5, 0.7, 0.9))]
    treatment = report(*many, lr=1e-3).treat(steps=20)
    assert 1 <= len(treatment.trials) <= 3
    assert str(report(remedies.advice("Think.")).treat()).startswith("There is no patch")


def test_what_cannot_be_treated_is_said():
    with pytest.raises(ArgumentError, match="knows no model, loss and rows"):
        Report().treat()
    with pytest.raises(ArgumentError, match="seeds=2"):
        report(rate(10.0)).treat(seeds=2)


def test_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    treatment = report(rate(1000.0)).treat(seeds=3, steps=10)
    axes = treatment.draw(tmp_path / "treated.svg")
    assert (tmp_path / "treated.svg").stat().st_size > 1000
    assert len(axes.lines) >= 6 and axes.get_ylabel() == "share learned"


# ---- the whole training --------------------------------------------------------------------------


class Fading(nn.Module):
    """Good at the start of a training: after so many steps what it has learned fades."""

    def __init__(self, model, after):
        super().__init__()
        self.model, self.after = model, after
        self.register_buffer("calls", pellucid.zeros(()))

    def forward(self, x):
        if self.training:
            self.calls.add_(1.0)
            with pellucid.no_grad():
                for parameter in self.model.parameters():
                    parameter.mul_(pellucid.where(self.calls > self.after, 0.0, 1.0))
        return self.model(x)


def fading(after):
    def apply(trial):
        trial.optimizer.param_groups[0]["lr"] = 0.01
        trial.model = Fading(trial.model, after)

    return Patch("setting", "Learn fast, forget later.", "lr", 1e-5, 0.01, apply)


def test_what_wins_short_trainings_and_loses_the_whole_one_is_taken_back():
    given = report(fading(60))
    treatment = given.treat(trials=1)
    (trial,) = treatment.trials
    assert trial.gain > 0.3 and trial.evidence >= trial.needed
    assert not trial.kept and treatment.kept == [] and treatment.diff == ""
    check = treatment.check
    assert not check.lasts and check.steps > 2 * trial.patched[0][-1][0]
    assert max(score for _, score in check.patched) > check.pair[1]
    assert treatment.steps <= treatment.budget
    assert "not better over" in trial.reason and trial.reason in str(treatment)
    assert "taken back" in str(treatment)
    assert json.loads(json.dumps(treatment.to_json()))["check"]["lasts"] is False
    assert treatment.program.optimizer.param_groups[0]["lr"] == pytest.approx(1e-5)


def test_without_steps_for_it_there_is_no_check():
    treatment = report(rate(1000.0)).treat(steps=60, seeds=3, trials=1, budget=1.25)
    assert treatment.kept and treatment.check is None
