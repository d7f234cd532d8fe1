"""Each program in examples/images runs, in few steps here; what it reaches is tested where the
rows and the books are (tests/requirements)."""

from __future__ import annotations

import pytest

from examples.programs import FOLDER, load


def test_every_program_is_run() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in FOLDER.glob("images/*.py")} <= tested


def test_dense(capsys: pytest.CaptureFixture[str]) -> None:
    nets, losses, starts, pairs = load("images/dense").main(steps=100)
    assert nets["relu"] > 0.5 and len(losses) == 4 and len(starts) == 3 and len(pairs) == 16
    assert capsys.readouterr().out.count("\n") == 21


def test_overfitting(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna")
    found, curve, ranked = load("images/overfitting").main(epochs=20, trials=2)
    assert len(found) == 3 and len(curve) == 3 and len(ranked.trials) == 2
    assert "weight decay 0.1" in capsys.readouterr().out


def test_convolutions(capsys: pytest.CaptureFixture[str]) -> None:
    found = load("images/convolutions").main(epochs=1)
    assert set(found) == {"SimpleConvNet", "DeepConvNet", "dense", "convolutional"}
    assert "pixels in order" in capsys.readouterr().out
