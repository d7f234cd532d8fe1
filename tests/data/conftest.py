"""Where the real data sets lie: the folder named by PELLUCID_TEST_DATA."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """A function from a name to the path of a real file; skips the test where it is not there."""

    def find(name: str) -> Path:
        folder = os.environ.get("PELLUCID_TEST_DATA")
        if not folder:
            pytest.skip("PELLUCID_TEST_DATA does not name the folder with the real data sets")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"{path} is not there")
        return path

    return find
