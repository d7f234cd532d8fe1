"""Every row of the five texts that is due has a test that carries its id in its name.

The texts: A (32 rows), B (58), C (22), D (50), E (19).  ``LATER`` names the rows whose parts of
the framework do not exist yet; as soon as one of them has a test, take it out of the list.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

ROWS = {"A": 32, "B": 58, "C": 22, "D": 50, "E": 19}

LATER: dict[str, list[str]] = {}


def names_of_tests() -> set[str]:
    """The names of all test functions in this folder's tree."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        }
    return found


def rows_of(name: str) -> set[str]:
    """The ids at the start of a test's name: test_A7_B34_what_it_shows → {A7, B34}."""
    start = re.match(r"test((?:_[A-E]\d+)+)(?:_|$)", name)
    return set(start[1].strip("_").split("_")) if start else set()


def numbered(row: str) -> tuple[str, int]:
    return row[0], int(row[1:])


def test_every_row_that_is_due_is_shown_by_a_test() -> None:
    every = {f"{text}{n}" for text, count in ROWS.items() for n in range(1, count + 1)}
    later = {row for rows in LATER.values() for row in rows}
    shown = set().union(*(rows_of(name) for name in names_of_tests()))
    assert later <= every
    missing = sorted(every - later - shown, key=numbered)
    assert not missing, "no test carries in its name: " + ", ".join(missing)
    unknown = sorted(shown - every, key=numbered)
    assert not unknown, "there are no such rows: " + ", ".join(unknown)


def test_ids_are_read_from_names() -> None:
    assert rows_of("test_A7_B34_what_it_shows") == {"A7", "B34"}
    assert rows_of("test_C5") == {"C5"}
    assert rows_of("test_BCE_is_finite") == rows_of("test_Adam_B1") == set()
