"""Cross-validation by whole jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.training import side_by_side
from pellucid.training.folds import cross_validate
from pellucid.training.side_by_side import SideBySide
from pellucid.training.stored_run import restore


def test_k_networks_are_trained_and_measured_on_all_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    pairs = ((row, int(label)) for row, label in zip(x, y, strict=True))  # comes only once
    found = cross_validate(pairs, folds=3, output=tmp_path / "cv", epochs=5, widths=(8,))
    assert sorted(p.name for p in (tmp_path / "cv").iterdir()) == ["fold-1", "fold-2", "fold-3"]
    rows = np.concatenate([o.result.prepared.test.indices for o in found.outcomes])
    assert sorted(rows.tolist()) == list(range(90))
    accuracy = [o.result.figures["test"].values["accuracy"] for o in found.outcomes]
    mean, deviation = found.summary()["network"]["accuracy"]
    assert mean == pytest.approx(np.mean(accuracy))
    assert deviation == pytest.approx(np.std(accuracy, ddof=1))
    assert set(found.figures) == {"network", "majority class", "logistic regression"}
    assert restore(found.outcomes[1].folder)[0].rows["test"] == 30
    with pytest.raises(ArgumentError, match="folds=1"):
        cross_validate((x, y), folds=1)


def test_folds_trained_together_are_those_trained_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(121, 4))  # not all folds have as many rows
    table = {f"x{i}": x[:, i] for i in range(4)} | {"y": x[:, 0] * x[:, 1] + x[:, 2]}
    options: dict[str, Any] = {"folds": 3, "epochs": 12, "widths": (8,), "dropout": 0.2}
    groups: list[int] = []
    train = side_by_side.train_networks

    def counted(data: Any, *args: Any, **others: Any) -> Any:
        groups.append(len(data))
        return train(data, *args, **others)

    monkeypatch.setattr(side_by_side, "train_networks", counted)
    together = cross_validate(table, "y", output=tmp_path / "a", **options)
    assert groups and max(groups) > 1
    monkeypatch.setattr(SideBySide, "join", lambda self, jobs: None)
    apart = cross_validate(table, "y", output=tmp_path / "b", **options)
    for one, other in zip(together.outcomes, apart.outcomes, strict=True):
        assert one.complete and other.complete
        assert one.result.history.best_epoch == other.result.history.best_epoch
        for name in ("loss", "validation_loss", "metric", "train_loss", "steps", "learning_rate"):
            np.testing.assert_allclose(
                one.result.history[name], other.result.history[name], rtol=1e-5, err_msg=name
            )
        for name, weights in one.result.weights.items():
            np.testing.assert_allclose(weights, other.result.weights[name], rtol=1e-4, atol=1e-6)
        stored = [(o.folder / "records.jsonl").read_text().splitlines() for o in (one, other)]
        kinds = [[json.loads(line)["event"] for line in lines] for lines in stored]
        kinds = [[kind for kind in listed if kind != "findings"] for listed in kinds]
        assert kinds[0] == kinds[1]
