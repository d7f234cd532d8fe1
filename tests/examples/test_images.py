"""Each program in examples/images runs, in few steps here; what it reaches is tested where the
rows and the books are (tests/requirements)."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from examples.programs import FOLDER, load
from pellucid.data.sources import load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.job import untrained_network


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


def test_autoencoders(tmp_path: Path) -> None:
    errors, cleaned, area = load("images/autoencoders").main(folder=tmp_path, epochs=4)
    assert len(errors) == 2 and len(cleaned) == 3 and 0 <= area <= 1
    assert {path.stem for path in tmp_path.iterdir()} == {
        "reconstructions",
        "denoised",
        "anomalies",
    }


def test_vae(tmp_path: Path) -> None:
    error, divergence = load("images/vae").main(folder=tmp_path, epochs=3)
    assert error > 0 and divergence > 0 and (tmp_path / "manifold.png").stat().st_size > 1000


def test_dcgan(tmp_path: Path) -> None:
    load("images/dcgan").main(folder=tmp_path, epochs=1)
    assert (tmp_path / "generated.png").stat().st_size > 1000


def test_clusters(tmp_path: Path) -> None:
    """With PELLUCID_TEST_SLOW also by UMAP, which compiles itself for half a minute first."""
    methods = ("t-SNE", "UMAP") if os.environ.get("PELLUCID_TEST_SLOW") else ("t-SNE",)
    program = load("images/clusters")
    pure, kept = program.main(folder=tmp_path, rows=200, methods=methods)
    assert pure[30] > pure[10] > 0.4 and kept["pixels"] > 0.8
    assert min(kept[name] for name in methods) > 0.7 > kept["principal components"]
    for name in ("centres.png", "maps.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_fine_tuning(capsys: pytest.CaptureFixture[str]) -> None:
    """From ten images: a network that has seen digits needs fewer of them."""
    found = load("images/fine_tuning").main(shots=1)
    nothing, head, slowly = found.values()
    assert head > nothing + 0.03 and slowly > nothing + 0.03 and head > 0.85, found
    assert "10 images, head alone" in capsys.readouterr().out


def test_shapes(tmp_path: Path) -> None:
    """The network tells shapes apart and looks at them; with weights that learned nothing it looks
    at the cross as often."""
    program = load("images/shapes")
    right, share = program.main(tmp_path, count=100)
    assert right > 0.8 and share > 0.8, (right, share)
    assert (tmp_path / "shapes.png").stat().st_size > 1000
    assert (tmp_path / "place.png").stat().st_size > 1000
    centres = program.draw_folder(tmp_path / "new", 20)
    prepared = load_source(tmp_path / "new")
    shares = []
    for seed in range(2):
        config = TrainingConfig.suited_to(prepared.row_shape, seed=seed)
        result = SimpleNamespace(prepared=prepared, model=untrained_network(prepared, config)[0])
        shares.append(program.looked_at(result, centres)[0])
    assert 0.2 < np.mean(shares) < 0.75, shares


def test_style(tmp_path: Path) -> None:
    """The ring stays where it is, in the texture of the stripes: both are there at once."""
    content, made, before, after = load("images/style").main(tmp_path, steps=120)
    assert after < before / 20
    grey, drawn = (picture[0].mean(0).ravel() for picture in (content, made))
    assert np.corrcoef(grey, drawn)[0, 1] > 0.7
    blue = made[0, 2] - made[0, 0]  # orange and blue, of which the content has nothing
    assert blue.min() < -0.3 and blue.max() > 0.2 and abs(content[0, 2] - content[0, 0]).max() < 0.2
    assert (tmp_path / "style.png").stat().st_size > 1000
