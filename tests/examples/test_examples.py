"""Each program in examples/ runs and reaches what its text says."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.programs import FOLDER, load


def test_every_program_is_tested() -> None:
    tested = tuple(name for name in globals() if name.startswith("test_"))
    programs = {path.stem for path in FOLDER.glob("*.py")}
    assert not {name for name in programs if not any(t.endswith(f"_{name}") for t in tested)}


def test_e9_xor() -> None:
    right, error = load("xor").main()
    assert right == 4
    assert error <= 0.001


def test_digits() -> None:
    assert load("digits").main() > 0.95


def test_a15_regression() -> None:
    weight, bias = load("regression").line()
    assert weight == pytest.approx(1.93655, abs=5e-6)
    assert bias == pytest.approx(5.55808, abs=5e-6)
    assert load("regression").curve() < 0.003


def test_b1_spiral() -> None:
    linear, network = load("spiral").main()
    assert linear < 0.75
    assert network > 0.97


def test_three_spirals() -> None:
    loss, right = load("three_spirals").main()
    assert loss < 0.2 and right > 0.95


def test_noisy_sine() -> None:
    """After a fifth of the epochs both see more than the last value, also on a cosine."""
    found = load("noisy_sine").main(epochs=20)
    assert max(found["RNN"], found["LSTM"]) < 0.3 * found["the last value"], found


def test_a7_observe() -> None:
    sigmoid, relu = load("observe").main()
    assert sigmoid < 1e-4
    assert relu > 1e-2


def test_a10_c8_filters(tmp_path: Path) -> None:
    assert load("filters").main(tmp_path) > 0.92
    assert {path.name for path in tmp_path.iterdir()} == {"filters.png", "maps.png"}


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert load("pictures").main(tmp_path) > 0.85
    assert {path.name for path in tmp_path.iterdir()} == {
        "optimizers.svg", "training.png", "inside.png", "around.svg", "confusion.svg",
        "digits.png", "graph.svg", "looks_for.png",
    }  # fmt: skip


def test_E14_dna() -> None:
    """Told only which sequences hold it, the network's strongest filter spells the motif."""
    right, found = load("dna").main()
    assert right > 0.83 and "TATAAT" in found


def test_d28_cartpole() -> None:
    assert load("cartpole").main() > 100


def test_D19_sums() -> None:
    assert load("sums").main() > 0.98
