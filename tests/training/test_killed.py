"""Runs that are killed at random moments end with the bits of those that are not.

A handful of moments here; ``PELLUCID_TEST_KILLS=50 pytest -n 0 tests/training/test_killed.py`` is
50 for each of the four networks.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import SEED
from training import killed_run

KILLS = int(os.environ.get("PELLUCID_TEST_KILLS", "1"))


def start(name: str, folder: Path, threads: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, killed_run.__file__, name, str(folder), str(threads)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kill_after(child: subprocess.Popen[str], lines: int, seconds: float) -> str:
    """Kills the child so many seconds after so many lines; what it said last."""
    last = ""
    with child as opened:
        for number, line in enumerate(opened.stdout or ()):
            last = line
            if number == lines:
                threading.Timer(seconds, child.send_signal, [signal.SIGKILL]).start()
    return last


@pytest.mark.parametrize("name", killed_run.MODELS)
def test_a_killed_run_ends_with_the_bits_of_one_that_was_not(name: str, tmp_path: Path) -> None:
    expected = killed_run.run(name, None, threads=2)
    generator = random.Random(f"{SEED} {name}")
    print(f"PELLUCID_TEST_SEED={SEED}")
    kills = threads = 0
    attempt = 0
    last = ""
    while not last.startswith("done"):
        folder = tmp_path / f"states-{attempt}"
        threads = 1 + kills % 2
        child = start(name, folder, threads)
        moment = generator.randrange(0, 8) if kills < KILLS else 10**9
        last = kill_after(child, moment, generator.uniform(0, 0.03))
        if child.returncode == -signal.SIGKILL:
            kills += 1
            print(f"kill {kills}: after {last.strip()}")
            last = ""
        elif kills < KILLS and last.startswith("done"):
            assert last.split()[1] == expected
            attempt, last = attempt + 1, ""  # it was over: begin another run
        assert child.returncode in (0, -signal.SIGKILL)
    assert last.split()[1] == expected, f"{name} after {kills} kills, {threads} threads"
