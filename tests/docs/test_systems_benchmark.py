"""The table of systems: sections are found, systems chosen by name, and what cannot run is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import systems  # noqa: E402
from measuring import Skipped  # noqa: E402
from systems import Figure, System  # noqa: E402


def test_sections_are_found_and_systems_have_names_of_their_own() -> None:
    known = systems.sections()
    assert "images" in known
    names = [system.name for listed in known.values() for system in listed]
    assert len(names) == len(set(names)) and all(s.reference for v in known.values() for s in v)


def test_systems_are_chosen_by_section_and_by_the_beginning_of_their_name() -> None:
    known = {
        "images": [System(name, "1", lambda quick: Figure("1")) for name in ("DeepNet", "VAE")],
        "text": [System("Deep LSTM", "1", lambda quick: Figure("1"))],
    }
    assert [s.name for _, s in systems.chosen(known, ["deep"], [])] == ["DeepNet", "Deep LSTM"]
    assert [s.name for _, s in systems.chosen(known, [], ["images"])] == ["DeepNet", "VAE"]
    with pytest.raises(SystemExit, match="no section sound; there are images, text"):
        systems.chosen(known, [], ["sound"])


def test_lines_say_what_was_reached_and_why_something_was_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = systems.row(System("a", "0.9", lambda quick: Figure("0.95", True)), False)
    assert line[:3] == ["a", "0.9", "0.95 ✓"] and float(line[3]) < 5
    short = System("a", "0.9", lambda quick: Figure("0.5" if quick else "0.8", False))
    assert systems.row(short, True)[2] == "0.5" and systems.row(short, False)[2] == "0.8 ✗"
    monkeypatch.delenv("PELLUCID_TEST_DATA", raising=False)

    def measure(quick: bool) -> Figure:
        systems.data_folder("mnist")
        raise AssertionError

    missing = systems.row(System("a", "0.9", measure), False)
    assert missing[2].startswith("left out: needs mnist in the folder") and missing[3] == ""
    with pytest.raises(Skipped):
        systems.data_folder("mnist")
