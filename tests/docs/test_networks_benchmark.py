"""The benchmark of networks compares equal things and counts their work right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import measuring  # noqa: E402
import networks  # noqa: E402
import networks_source  # noqa: E402

WHOLE = [name for name, network in networks.NETWORKS.items() if not network.half]


def contestant(kind: str, name: str) -> Any:
    import pellucid

    network = networks.NETWORKS[name]
    return networks.CONTESTANTS[kind](network, network.small, pellucid.get_num_threads())


@pytest.mark.parity
@pytest.mark.parametrize(
    ("kind", "name"),
    [("PyTorch eager", name) for name in WHOLE]
    + [("JAX jit", name) for name in ("cnn", "gru", "dqn", "predict-gpt")],  # others compile long
)
def test_contestants_train_to_the_same_losses(kind: str, name: str) -> None:
    pytest.importorskip({"PyTorch eager": "torch", "JAX jit": "jax"}[kind])
    ours, other = contestant("ours", name), contestant(kind, name)
    losses = [[c.run(1), c.run(1)] for c in (ours, other)]
    np.testing.assert_allclose(*losses, rtol=2e-3)


@pytest.mark.parity
@pytest.mark.parametrize(
    "name", ["cnn", "nanogpt", "resnet18", "dqn", "predict-cnn", "predict-mlp", "encdec"]
)
def test_flop_are_those_that_pytorch_counts(name: str) -> None:
    pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    network = networks.NETWORKS[name]
    sizes = network.small
    step = contestant("PyTorch eager", name)
    with FlopCounterMode(display=False) as counter:
        step.run(1)
    attention = 0  # not counted there on the CPU
    if name in ("nanogpt", "encdec"):
        length = sizes.get("context", sizes.get("length", 0))
        each = 3 * 4 * sizes["batch"] * length**2 * sizes["width"]
        attention = each * sizes["layers"] * (3 if name == "encdec" else 1)
    assert network.flop(**sizes) == counter.get_total_flops() + attention


def test_flop_of_the_large_networks() -> None:
    found = {n: networks.NETWORKS[n].flop(**networks.NETWORKS[n].sizes) / 1e9 for n in WHOLE}
    wanted = {"cnn": 6.2, "lstm": 11.1, "gpt256": 67.9, "resnet18": 213.1, "encdec": 103.0}
    assert {n: round(found[n], 1) for n in wanted} == wanted


def test_channels_last_is_for_images_and_bfloat16_for_processors_that_have_it() -> None:
    with pytest.raises(measuring.Skipped):
        contestant("channels_last", "lstm")
    network = networks.NETWORKS["gpt256-bfloat16"]
    able, reasons = networks.meet(network, network.small, 1, list(networks.CONTESTANTS)[1:])
    assert able or "bfloat16" in reasons["ours"]


def test_starting_values_follow_from_names_alone() -> None:
    shapes = {"a.weight": (3, 4), "n.weight": (4,), "n.bias": (4,), "n.running_var": (4,)}
    first = networks_source.starting_values(shapes)
    again = networks_source.starting_values({"a.weight": (3, 4)})
    np.testing.assert_array_equal(first["a.weight"], again["a.weight"])
    assert [float(first[n][0]) for n in ("n.weight", "n.bias", "n.running_var")] == [1, 0, 1]


def test_rows_hold_ratios_beside_their_goals() -> None:
    network = networks.NETWORKS["cnn"]
    times = {"ours": 40.0, "PyTorch eager": 90.0, "channels_last": 80.0, "JAX jit": 200.0}
    cells = networks.speed_row(network, network.sizes, times, 200.0)
    assert cells[1:6] == ["40.0", "90.0", "80.0", "-", "200.0"]
    assert cells[7:] == ["78% (55%)", "2.00× (2.2×)", "5.00× (4×)"]
    skipped = networks.speed_row(network, network.sizes, {"PyTorch eager": 90.0}, 200.0)
    assert [skipped[1], *skipped[7:]] == ["-", "-", "-", "-"]


def test_the_quick_mode_prints_a_table(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("a\n<!-- network table -->\n<!-- end of network table -->\n")
    command = [sys.executable, str(FOLDER / "networks.py"), "--quick", "--markdown"]
    command += ["--only", "cnn,dqn,predict-gpt", "--threads", "1", "--write", str(document)]
    command += ["--without", "PyTorch eager,channels_last,torch.compile,JAX jit"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| cnn: conv" in done.stdout and "tokens a second: ours" in done.stdout
    assert "| dqn: Q-learning" in document.read_text()


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        networks.parsed(["--only", "cnm"])
    assert "got 'cnm'; there are cnn, lstm" in capsys.readouterr().err


def test_curves_are_measured_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import curves

    import pellucid

    # as if PyTorch were not installed; and without binding this process to some processors
    monkeypatch.setattr(curves, "PEERS", ("ours",))
    monkeypatch.setattr(curves, "use_cores", lambda count: count)
    before = pellucid.get_num_threads()
    try:
        curves.main(["--quick", "--rounds", "2", "--pictures", str(tmp_path)])
    finally:
        pellucid.set_num_threads(before)
    printed = capsys.readouterr().out
    assert "Transformer block" in printed and "DQN step" in printed
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == [
        f"curve-{name}.svg" for name in ("attention", "batch", "depth", "lstm", "threads")
    ]


@pytest.mark.parity
@pytest.mark.parametrize("name", ["batch", "attention", "lstm", "depth"])
def test_networks_of_the_curves_train_as_in_pytorch(name: str) -> None:
    pytest.importorskip("torch")
    import curves

    import pellucid

    curve = curves.CURVES[name]
    network = curve.network(curve.quick[-1])
    threads = pellucid.get_num_threads()
    both = [networks.CONTESTANTS[kind](network, network.sizes, threads) for kind in curves.PEERS]
    np.testing.assert_allclose(*([c.run(1), c.run(1)] for c in both), rtol=1e-4)
