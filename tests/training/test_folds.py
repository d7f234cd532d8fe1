"""Cross-validation by whole jobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError
from pellucid.training.folds import cross_validate
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
