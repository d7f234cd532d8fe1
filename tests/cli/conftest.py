"""Running commands inside the test process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.cli.main import app


class Outcome(NamedTuple):
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """A function that runs ``pellucid`` with arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PELLUCID_DEBUG", raising=False)
    before = get_num_threads()

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            app([str(a) for a in arguments])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            set_num_threads(before)
        return Outcome(code, *capsys.readouterr())

    return run
