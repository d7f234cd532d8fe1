"""Prints the oldest versions that ``pyproject.toml`` declares, for pip.

    pip install $(python tools/lowest_versions.py train excel pandas)

The core's, those of the extras named, and the packages named that any extra lists.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def lowest(wanted: list[str]) -> list[str]:
    """``name==version`` of every requirement of the core and of the extras and packages wanted."""
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    listed = [*project["dependencies"]]
    extras = project["optional-dependencies"]
    known = {r.split(">=")[0]: r for requirements in extras.values() for r in requirements}
    for name in wanted:
        listed += extras[name] if name in extras else [known[name]]
    return [requirement.replace(">=", "==") for requirement in listed]


if __name__ == "__main__":
    print(" ".join(lowest(sys.argv[1:])))
