"""Prints the oldest versions that ``pyproject.toml`` declares, for pip.

    pip install $(python tools/lowest_versions.py train)

The core's, and those of the extras named.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def lowest(extras: list[str]) -> list[str]:
    """``name==version`` of every requirement of the core and of ``extras``."""
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    listed = [*project["dependencies"]]
    for extra in extras:
        listed += project["optional-dependencies"][extra]
    return [requirement.replace(">=", "==") for requirement in listed]


if __name__ == "__main__":
    print(" ".join(lowest(sys.argv[1:])))
