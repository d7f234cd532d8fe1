"""The Trainer under the doctor: no bit changes, findings are told, looks stay within their time."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError, NonFiniteError
from pellucid.insight.doctor import fits
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.findings import Finding, Place
from pellucid.insight.doctor.report import Report
from pellucid.utils.data import DataLoader, TensorDataset


def data(rows: int = 120) -> tuple[Any, Any]:
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, 5)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def trainer(doctor: bool | str, **settings: Any) -> Trainer:
    pellucid.manual_seed(2)
    model = nn.Sequential(
        nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.1), nn.BatchNorm1d(16), nn.Linear(16, 2)
    )
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    return Trainer(model, "cross_entropy", optimizer, doctor=doctor, **settings)


@pytest.mark.parametrize(
    "settings", [{}, {"compile": False}, {"accumulate": 2}, {"ema_decay": 0.9, "clip_norm": 1.0}]
)
def test_no_bit_changes(settings: Any) -> None:
    weights, losses = [], []
    for doctor in (False, "full"):
        made = trainer(doctor, **settings)
        x, y = data()
        history = made.fit((x, y), (x[:40], y[:40]), epochs=3, batch_size=16, progress=False)
        weights.append([np.array(v.array()) for v in made.model.state_dict().values()])
        losses.append(history["loss"] + history["validation_loss"])
        if doctor:
            assert made.fitted is not None and made.fitted.trouble is None
            assert made.fitted.doctor.schedule.looks >= 2
    assert losses[0] == losses[1]
    for mine, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_case_of_a_fit() -> None:
    made = trainer("full")
    x, y = data()
    made.fit((x, y), (x[:40], y[:40]), epochs=2, batch_size=16, progress=False)
    assert made.fitted is not None
    case = fits.case_of_fit(made.fitted)
    assert len(case.losses) == made.history.steps == 16
    assert case.train is not None and case.train.number == 120
    assert case.validation is not None and case.validation.number == 40
    assert [record["loss"] for record in case.history] == made.history["loss"]
    assert case.settings["batch_size"] == 16 and case.settings["epochs"] == 2
    assert case.line.split(":")[0].endswith("test_fits.py")
    assert isinstance(case.bench, ModelBench)
    with case.bench.trial():
        assert case.bench.step(case.bench.batches[0]) > 0
    update = case.records[0]["update"]
    assert update.keys() == {name for name, _ in made.model.named_parameters()}
    assert all(0 < entry["ratio"] < 10 for name, entry in update.items() if "0." in name)
    assert made.fitted.source is None


def test_a_loader_has_a_case_as_well() -> None:
    made = trainer(True)
    x, y = (pellucid.tensor(part) for part in data())
    made.fit(DataLoader(TensorDataset(x, y), batch_size=16), epochs=2, progress=False)
    assert made.fitted is not None
    case = fits.case_of_fit(made.fitted)
    assert case.train is not None and len(case.train.targets) >= 32
    assert len(case.losses) == 16


def test_findings_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding("LR_HIGH", Place(setting="lr"), (), 0.9)
    monkeypatch.setattr(fits, "judged", lambda case, seconds: Report([finding], case=case))
    told: list[Any] = []

    def listen(event: Any) -> None:
        if event.kind == "finding":
            told.append(event.facts["finding"])

    made = trainer("full", callbacks=[listen])
    history = made.fit(data(), epochs=3, batch_size=16, progress=False)
    assert told == [finding]
    assert history.findings == [finding]
    assert made.report().findings == [finding]


def test_an_error_of_the_doctor_is_not_one_of_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(case: Any, seconds: float) -> Report:
        raise KeyError("a rule")

    monkeypatch.setattr(fits, "judged", broken)
    made = trainer("full")
    history = made.fit(data(), epochs=3, batch_size=16, progress=False)
    assert history.status == "finished"
    assert made.fitted is not None and isinstance(made.fitted.trouble, KeyError)


def test_an_error_of_a_callback_is_one_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding("LR_HIGH", Place(setting="lr"), (), 0.9)
    monkeypatch.setattr(fits, "judged", lambda case, seconds: Report([finding], case=case))

    def refuse(event: Any) -> None:
        if event.kind == "finding":
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        trainer("full", callbacks=[refuse]).fit(data(), epochs=3, batch_size=16, progress=False)


def test_the_birth_of_a_nan_is_in_the_case() -> None:
    made = trainer(True)
    x, y = data()
    x[7, 2] = np.nan
    with pytest.raises(NonFiniteError):
        made.fit((x, y), epochs=1, progress=False)
    assert made.fitted is not None
    failure = fits.case_of_fit(made.fitted).failure
    assert failure is not None and failure.phase == "data"


def test_a_short_fit_is_not_looked_at_by_default() -> None:
    """The doctor is loaded where he may cost something, and asked for a report at any time."""
    made = trainer(True)
    made.fit(data(), epochs=1, progress=False)
    assert made.fitted is not None and made.fitted.losses.shape == (2,)
    assert isinstance(made.report(seconds=1.0), Report)
    off = trainer(False)
    off.fit(data(), epochs=1, progress=False)
    assert off.fitted is None


def test_trainers_are_still_copied_and_pickled() -> None:
    made = trainer("full")
    made.fit(data(), epochs=1, progress=False)
    assert copy.deepcopy(made).doctor == "full"
    assert pickle.loads(pickle.dumps(made)).doctor == "full"


def test_another_word_is_refused() -> None:
    with pytest.raises(ArgumentError, match="doctor"):
        trainer("heavy")
