"""The committed list of covered names is the one the tool writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coverage.md"


@pytest.mark.parity
def test_the_page_is_up_to_date() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    version = ".".join(torch.__version__.split("+")[0].split(".")[:2])
    if f"PyTorch {version};" not in PAGE.read_text(encoding="utf-8"):
        pytest.skip("the page was written with another version of PyTorch")
    command = [sys.executable, str(ROOT / "tools" / "coverage.py"), "--check"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, "run python tools/coverage.py\n" + result.stderr


def test_what_is_not_covered_has_a_reason() -> None:
    assert "not written yet" not in PAGE.read_text(encoding="utf-8")
