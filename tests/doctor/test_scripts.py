"""Unchanged programs under the doctor: their output is theirs, what they train is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import ArgumentError, FileError
from pellucid.insight.doctor import run_script
from pellucid.insight.doctor.scripts import imports_torch

LOOP = """
import sys
import pellucid
from pellucid import nn, optim
from pellucid.nn import functional as F

pellucid.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = optim.SGD(model.parameters(), lr=0.1)
x = pellucid.randn(90, 6)
y = x[:, :3].argmax(1)

def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

if "compiled" in sys.argv:
    step = pellucid.compile(step)
for epoch in range(3):
    for at in range(0, 90, 30):
        loss = step(x[at : at + 30], y[at : at + 30])
print(f"{loss.item():.9f}", *sys.argv[1:], __name__)
if "fail" in sys.argv:
    raise ValueError("mine")
if "leave" in sys.argv:
    sys.exit(3)
"""

FIT = """
import numpy as np
from pellucid import Trainer, nn

x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
trainer = Trainer(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), "mse_loss")
print(trainer.fit((x, x[:, :1]), epochs=2, batch_size=16, progress=False).steps)
"""


def program(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("how", [[], ["compiled"]])
def test_a_loop(how: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = program(tmp_path, LOOP)
    alone = subprocess.run([sys.executable, path, *how], capture_output=True, text=True, check=True)
    run = run_script(path, how, probe_seconds=1.0)
    assert capsys.readouterr().out == alone.stdout
    assert (run.status, run.code, run.steps) == ("finished", 0, 9)
    assert run.watch is not None and run.watch.trouble is None
    case = run.watch.case()
    assert type(case.model).__name__ == "Sequential"
    assert case.notes["loss name"] == "cross_entropy"
    assert case.line.startswith(path)
    assert {finding.cause for finding in run.report} <= {"EPOCHS_FEW"}, str(run.report)
    assert sys.argv[0] != path


def test_a_trainer_inside(tmp_path: Path) -> None:
    run = run_script(program(tmp_path, FIT), probe_seconds=1.0)
    assert run.steps == 8
    assert run.report.case is not None and len(run.report.case.losses) == 8
    assert run.report.case.records


@pytest.mark.parametrize(
    ("word", "status", "code"), [("fail", "failed", 1), ("leave", "exited", 3)]
)
def test_how_a_program_ends(word: str, status: str, code: int, tmp_path: Path) -> None:
    run = run_script(program(tmp_path, LOOP), [word], probe_seconds=1.0)
    assert (run.status, run.code, run.steps) == (status, code, 9)
    if word == "fail":
        assert isinstance(run.error, ValueError)
        shown = run.traceback
        assert shown.splitlines()[1].startswith('  File "') and "program.py" in shown
        assert "runpy" not in shown and shown.rstrip().endswith("ValueError: mine")


@pytest.mark.parametrize("text", [LOOP, FIT])
def test_a_budget_of_steps(text: str, tmp_path: Path) -> None:
    run = run_script(program(tmp_path, text), max_steps=4, probe_seconds=1.0)
    assert run.status == "stopped"
    assert 4 <= run.steps <= 5


def test_a_program_that_ends_before_it_trains(tmp_path: Path) -> None:
    text = "from pellucid import nn\nmodel = nn.Linear(2, 1)\nmodel.weight + 'a'\n"
    run = run_script(program(tmp_path, text))
    assert run.status == "failed" and run.steps == 0


def test_what_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        run_script(tmp_path / "absent.py")
    with pytest.raises(ArgumentError):
        run_script(program(tmp_path, LOOP), max_steps=-1)


def test_pytorchs_names(tmp_path: Path) -> None:
    words = LOOP.replace("import pellucid\n", "import torch\n").replace(
        "from pellucid import nn, optim", "from torch import nn, optim"
    )
    words = words.replace("from pellucid.nn import functional", "from torch.nn import functional")
    path = program(tmp_path, words.replace("pellucid.", "torch."))
    assert imports_torch(path)
    (tmp_path / "other").mkdir()
    assert not imports_torch(program(tmp_path / "other", LOOP))
    code = (
        "from pellucid.insight.doctor import run_script\n"
        f"run = run_script({path!r}, ['once'], probe_seconds=1.0)\n"
        "print(run.status, run.steps, run.watch.case().notes['loss name'])\n"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.stderr == ""
    told: Any = made.stdout.splitlines()
    assert told[0].endswith("once __main__")
    assert told[1] == "finished 9 cross_entropy"
