"""``pellucid doctor``: programs, runs, agents and data, exit codes, JSON, both languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pellucid.cli.main import app
from pellucid.rl import PPO, PPOSettings, save_agent

FOUND = 7


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in args])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    a, b, c = random.normal(size=(3, 200))
    y = (a + b > 0).astype(int)
    rows = np.stack([a, b, c, y], axis=1)
    good = ["a,b,c,y", *(f"{p:.4f},{q:.4f},{r:.4f},{int(s)}" for p, q, r, s in rows)]
    (folder / "good.csv").write_text("\n".join(good) + "\n")
    leaky = [good[0] + ",again", *(f"{line},{2 * int(line[-1]) + 1}" for line in good[1:])]
    (folder / "leaky.csv").write_text("\n".join(leaky) + "\n")
    (folder / "other.csv").write_text("\n".join([good[0], *good[5:25]]) + "\n")
    return folder


def test_data_that_are_healthy_and_data_that_are_not(tables: Path) -> None:
    code, text = run("doctor", "--data", tables / "good.csv", "-t", "y")
    assert code == 0 and "Nothing is wrong" in text
    code, text = run("doctor", "--data", tables / "leaky.csv", "--target", "y")
    assert code == FOUND and "(DATA_LEAK)" in text and "column again" in text
    assert "Leave column 'again' out" in text


def test_parts_of_their_own_and_lines_of_files(tables: Path) -> None:
    code, text = run(
        "doctor", "--data", tables / "good.csv", "--validation", tables / "other.csv", "-t", "y",
        "--json",
    )  # fmt: skip
    found = json.loads(text)
    assert code == FOUND and [f["cause"] for f in found["findings"]] == ["DATA_LEAK"]
    place = found["findings"][0]["place"]
    assert place["rows"] == list(range(2, 22)) and place["part"] == "validation"


def test_findings_are_told_in_chinese(tables: Path) -> None:
    code, text = run("--lang", "zh", "doctor", "--data", tables / "leaky.csv", "-t", "y")
    assert code == FOUND
    for words in ("训练集与验证集有相同的行", "位置", "请去掉列 'again'", "发现 1 个问题"):
        assert words in text


def test_a_finished_run(tables: Path, tmp_path: Path) -> None:
    target = tmp_path / "run"
    made = run("train", tables / "leaky.csv", "-t", "y", "--epochs", 2, "-o", target, "-q")
    assert made[0] == 0, made[1]
    code, text = run("doctor", target, "--seconds", 0)
    assert code == FOUND and "DATA_LEAK" in text  # the data are still where they were
    assert run("doctor", target, "--epochs", 3)[0] == 2  # a run takes no arguments


def test_a_program(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import sys\n"
        "import pellucid\n"
        "from pellucid import nn, optim\n"
        "from pellucid.nn import functional as F\n"
        "pellucid.manual_seed(0)\n"
        "x = pellucid.randn(64, 4)\n"
        "y = (x[:, 0] > 0).long()\n"
        "net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(dim=1))\n"
        "optimizer = optim.Adam(net.parameters(), lr=1e-3)\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    optimizer.zero_grad()\n"
        "    F.cross_entropy(net(x), y).backward()\n"
        "    optimizer.step()\n"
    )
    code, text = run("doctor", tmp_path / "train.py", "--count", 12)
    assert code == FOUND and "DOUBLE_SOFTMAX" in text and "12 steps" in text


def test_an_agent_that_does_not_learn(tmp_path: Path) -> None:
    settings = PPOSettings(copies=4, steps=64, batch=64, epochs=10, lr=0.3)
    agent = PPO("CartPole-v1", settings).learn(4_000)
    save_agent(agent, tmp_path / "agent")
    code, text = run("doctor", tmp_path / "agent", "--json")
    causes = [f["cause"] for f in json.loads(text)["findings"]]
    assert code == FOUND and set(causes) & {"ENTROPY_COLLAPSE", "LR_HIGH"}


def test_what_cannot_be_examined(tables: Path, tmp_path: Path) -> None:
    assert run("doctor")[0] == 2
    assert run("doctor", tmp_path, "--data", tables / "good.csv")[0] == 2
    assert run("doctor", tmp_path)[0] == 4
    assert run("doctor", "--data", tables / "good.csv", "-t", "price")[0] == 3
    assert run("doctor", "--data", tables / "good.csv", "-t", "y", "--treat")[0] == 2
