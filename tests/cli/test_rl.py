"""``pellucid rl``: train, play, list, go on, delete; in both languages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.rl import agent_facts, load_agent, save_agent

Command = Callable[..., Any]
SMALL = ("--set", "copies=4", "--set", "steps=32", "--set", "batch=64", "--quiet")


def test_an_agent_is_trained_listed_played_and_deleted(command: Command) -> None:
    done = command("rl", "train", "CartPole-v1", "--steps", "1024", "-o", "runs/cart", *SMALL)
    assert done.code == 0 and "1,024 steps" in done.out and "95 %" in done.out
    names = {entry.name for entry in Path("runs/cart").iterdir()}
    assert {"agent.json", "agent.safetensors", "state.safetensors", "episodes.csv"} <= names
    listed = command("runs")
    assert "cart" in listed.out and "CartPole-v1" in listed.out and "finished" in listed.out
    facts = json.loads(command("runs", "--json").out)[0]
    assert facts["algorithm"] == "ppo" and facts["settings"]["copies"] == 4
    pytest.importorskip("PIL", reason="Pillow is not installed")
    played = command("rl", "play", "runs/cart", "--episodes", "3", "--gif", "cart.gif", "--json")
    answer = json.loads(played.out)
    assert len(answer["played"]) == answer["episodes"] == 3
    assert answer["mean"] == sum(row["reward"] for row in answer["played"]) / 3
    agent = load_agent("runs/cart")
    assert list(agent.evaluate(3, seed=0).sums) == [row["reward"] for row in answer["played"]]
    from PIL import Image

    with Image.open("cart.gif") as film:
        frames = getattr(film, "n_frames", 1)
    steps = len(_episode(agent))
    assert steps * 0.5 < frames <= steps + 1  # equal frames that follow each other are one
    assert "3 episodes" in command("rl", "play", "runs/cart", "--episodes", "3").out
    assert command("rl", "train", "CartPole-v1", "-o", "runs/cart").code == 4
    assert command("runs", "delete", "runs/cart", "--yes").code == 0
    assert not Path("runs/cart").exists()


def _episode(agent: Any) -> list[Any]:
    from pellucid.rl import CartPole, play

    return play(CartPole(), lambda state: int(agent.act(state)), seed=0)


def test_a_run_goes_on_and_json_tells_all(command: Command) -> None:
    first = command("rl", "train", "Pendulum-v1", "-a", "sac", "--steps", "300", "-o", "p",
                    "--set", "widths=16,16", "--set", "batch=16", "--episodes", "2",
                    "--json")  # fmt: skip
    told = json.loads(first.out)
    assert told["algorithm"] == "sac" and told["steps"] == 300 and told["evaluation"]["mean"] < 0
    assert command("rl", "train", "--resume", "p").code == 2  # it is done
    again = json.loads(command("rl", "train", "--resume", "p", "--steps", "700", "--episodes",
                               "2", "--json").out)  # fmt: skip
    assert again["steps"] == 700 and again["episodes"] == 3
    assert agent_facts("p").settings["widths"] == [16, 16]


def test_an_interrupted_run_is_kept_and_goes_on(tmp_path: Path) -> None:
    arguments = ["rl", "train", "CartPole-v1", "--steps", "100000000", "-o", "long", "--quiet"]
    child = subprocess.Popen([sys.executable, "-m", "pellucid.cli.main", *arguments],
                             cwd=tmp_path, stderr=subprocess.PIPE, text=True)  # fmt: skip
    time.sleep(0.5)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and "cpu" not in _maps(child.pid):
        time.sleep(0.3)
    time.sleep(2)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Interrupted" in err
    facts = agent_facts(tmp_path / "long")
    assert facts.status == "interrupted" and 0 < facts.steps < facts.until == 100_000_000
    agent = load_agent(tmp_path / "long", resume=True)
    assert agent.steps == facts.steps
    assert agent.learn(256).steps > facts.steps


def test_a_run_that_goes_on_ends_with_the_bits_of_one_that_never_ended(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved on the way, as before a kill, and gone on with: weights, episodes and evaluation."""
    whole = ("rl", "train", "CartPole-v1", "--steps", "4096", *SMALL, "--set", "decay=true")
    kept = []

    def save(agent: Any, folder: Any, **options: Any) -> Any:
        if options.get("status") == "running" and not kept and agent.steps >= 1500:
            save_agent(agent, "half", **options)
            kept.append(agent.steps)
        return save_agent(agent, folder, **options)

    from pellucid.cli import rl as job

    with monkeypatch.context() as patch:
        patch.setattr(job, "save_agent", save)
        assert command(*whole, "-o", "whole").code == 0
    assert 1500 <= kept[0] < 3000
    assert command("rl", "train", "--resume", "half", "--quiet").code == 0
    one, two = load_agent("whole", resume=True), load_agent("half", resume=True)
    assert one.steps == two.steps == 4096
    first, second = one.state(), two.state()
    assert all((first[name].numpy() == second[name].numpy()).all() for name in first)
    assert Path("whole/episodes.csv").read_text() == Path("half/episodes.csv").read_text()
    assert agent_facts("whole").evaluation == agent_facts("half").evaluation


def _maps(pid: int) -> str:
    """The files that a process has loaded: LLVM comes with the first program."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return "cpu" if not os.path.isdir("/proc") else ""
    return "cpu" if "llvmlite" in text else ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("train",), "No environment was given"),
        (("train", "CartPole-v1", "-a", "magic"), "There is no algorithm magic"),
        (("train", "CartPole-v1", "--set", "speed=1"), "ppo has no such setting"),
        (("train", "CartPole-v1", "--set", "lr=fast"), "a value like 0.0003"),
        (("train", "CartPole-v1", "--set", "copies=2.5"), "a value like 1"),
        (("train", "CartPole-v1", "--set", "discount=3"), "discount=3"),
        (("train", "Pendulum-v1", "-a", "dqn"), "DQN needs numbered actions"),
        (("play", "nowhere"), "holds no agent"),
    ],
)
def test_what_cannot_be_is_said(command: Command, arguments: tuple[str, ...], text: str) -> None:
    done = command("rl", *arguments)
    assert done.code in (2, 4) and text in done.err


def test_a_damaged_run_is_told(command: Command) -> None:
    command("rl", "train", "CartPole-v1", "--steps", "128", "-o", "runs/c", *SMALL)
    whole = Path("runs/c/agent.json").read_text()
    for damaged in ("", "{}", "[1]", whole.replace('"ppo"', '"x"'), whole.replace("1,", '"1",', 1),
                    whole.replace('"copies"', '"kopies"')):  # fmt: skip
        Path("runs/c/agent.json").write_text(damaged)
        assert command("rl", "play", "runs/c").code == 5
        assert command("runs").code == 0
    Path("runs/c/agent.json").write_text(whole)
    Path("runs/c/agent.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0nothing")
    assert command("rl", "play", "runs/c").code in (3, 5)


def test_chinese_is_spoken(command: Command) -> None:
    done = command("--lang", "zh", "rl", "train", "GridWorld", "--steps", "256", "-o", "g", *SMALL)
    assert "每回合" in done.out and "步" in done.out
    played = command("--lang", "zh", "rl", "play", "g", "--episodes", "2")
    assert "回合" in played.out and "奖励" in played.out and "episode" not in played.out
    assert "智能体" in command("--lang", "zh", "rl", "train", "--help").out
