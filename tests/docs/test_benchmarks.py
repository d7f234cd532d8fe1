"""The step benchmark counts right and compares equal things."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import contestants  # noqa: E402
import cores  # noqa: E402
import steps  # noqa: E402


@pytest.fixture
def threads() -> int:
    import pellucid

    return pellucid.get_num_threads()


def test_parameters_and_flop_follow_from_the_shapes() -> None:
    mnist = contestants.WORKLOADS["mnist"]
    shapes = [(784, 256), (256, 128), (128, 10)]
    assert mnist.parameters == sum(i * o + o for i, o in shapes) == 235_146
    forward = sum(2 * 64 * i * o for i, o in shapes)
    assert mnist.flop == 3 * forward - 2 * 64 * 784 * 256


def test_many_steps_a_call_give_the_losses_of_single_steps(threads: int) -> None:
    workload = contestants.WORKLOADS["tab"]
    single, many = contestants.Ours(workload, threads), contestants.OursMany(workload, threads)
    assert [single.run(1), single.run(20)] == [many.run(1), many.run(20)]


@pytest.mark.parity
@pytest.mark.parametrize("name", ["PyTorch eager", "JAX jit"])
def test_contestants_train_to_the_same_losses(name: str, threads: int) -> None:
    pytest.importorskip({"PyTorch eager": "torch", "JAX jit": "jax"}[name])
    workload = contestants.WORKLOADS["tab"]
    ours, other = (contestants.CONTESTANTS[n](workload, threads) for n in ("ours", name))
    np.testing.assert_allclose([ours.run(1), ours.run(30)], [other.run(1), other.run(30)], 1e-4)


def test_different_losses_stop_the_benchmark() -> None:
    found: dict[str, dict[str, Any]] = {"ours": {"losses": [0.7, 0.6]}}
    steps.check_losses(found | {"JAX jit": {"losses": [0.7001, 0.6]}, "PyTorch eager": {}})
    with pytest.raises(SystemExit, match="JAX jit trains to loss 0.650000 where ours has 0.600000"):
        steps.check_losses(found | {"JAX jit": {"losses": [0.7, 0.65]}})


def test_the_table_is_written_between_the_markers(tmp_path: Path) -> None:
    report = steps.Report(2, 182.0)
    times = {"ours": 0.5, "ours, many": 0.4, "PyTorch eager": 1.5}
    report.speed.append(steps.speed_row(contestants.WORKLOADS["mnist"], times, 182.0))
    document = tmp_path / "README.md"
    document.write_text("a\n<!-- speed table -->\nold\n<!-- end of speed table -->\nb\n")
    steps.write_into(document, report)
    text = document.read_text()
    assert text.startswith("a\n") and text.endswith("b\n") and "old" not in text
    row = next(line for line in text.splitlines() if line.startswith("| mnist"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:7] == ["0.500", "0.400", "1.500", "-", "-", "0.354"]
    assert cells[7:] == ["71% / 89%", "3.0× / 3.8×", "-"]
    other = tmp_path / "other.md"
    other.write_text("no markers")
    with pytest.raises(SystemExit, match="has no place for the table"):
        steps.write_into(other, report)


def test_the_price_of_moving_data_is_measured() -> None:
    (line,) = cores.measure(rounds=1, sizes=(512,))
    assert line[0] == "2" and all(float(cell) > 0 for cell in line[1:3])
