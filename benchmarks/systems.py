"""Every system of the courses: the figure of the reference, ours, and the time it took.

    python benchmarks/systems.py [--quick] [--only NAME …] [--section images …] [--list]
                                 [--threads 2] [--markdown] [--write FILE …]

The systems stand in ``systems_*.py`` beside this file, a section each: a module with a list
``SYSTEMS`` is found by its name.  Each runs the recipe that the examples show, at the settings of
its reference; ``--quick`` runs it on less data or for fewer steps, to see that all of it works:
figures are then not those of the reference.  ``--only`` takes beginnings of names.  What needs data
that are not there (``PELLUCID_TEST_DATA`` names their folder) or a package that is not installed is
listed with the reason.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from measuring import Skipped, table, use_cores, write_between

HEAD = ["system", "reference", "ours", "seconds"]


@dataclass(frozen=True)
class Figure:
    """What a system reached, as text, and whether that is what the reference reaches; None where
    there is nothing to be compared with."""

    text: str
    reached: bool | None = None


@dataclass(frozen=True)
class System:
    """``measure(quick)`` trains and measures; ``reference`` is the published figure with its
    place.  ``Skipped`` says why a system cannot run here."""

    name: str
    reference: str
    measure: Callable[[bool], Figure]


def data_folder(name: str) -> Path:
    """A folder of the test data; ``Skipped`` where there is none."""
    named = os.environ.get("PELLUCID_TEST_DATA")
    folder = Path(named or ".") / name
    if not named or not folder.exists():
        raise Skipped(f"needs {name} in the folder that PELLUCID_TEST_DATA names")
    return folder


def sections() -> dict[str, list[System]]:
    """The systems of each module ``systems_*`` of this folder."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("systems_*.py"))
    found = {}
    for name in names:
        found[name.removeprefix("systems_")] = list(importlib.import_module(name).SYSTEMS)
    return found


def chosen(
    known: dict[str, list[System]], only: Iterable[str], of: Iterable[str]
) -> list[tuple[str, System]]:
    """(section, system) of the sections ``of`` (all unless given) whose name begins like one of
    ``only`` (all unless given)."""
    beginnings, wanted = tuple(text.casefold() for text in only), set(of) or set(known)
    if unknown := wanted - set(known):
        raise SystemExit(f"there is no section {', '.join(unknown)}; there are {', '.join(known)}")
    return [
        (section, system)
        for section, systems in known.items()
        for system in systems
        if section in wanted and (not beginnings or system.name.casefold().startswith(beginnings))
    ]


def row(system: System, quick: bool) -> list[str]:
    """The table's line of a system."""
    began = time.perf_counter()
    try:
        figure = system.measure(quick)
    except (Skipped, ImportError) as problem:
        return [system.name, system.reference, f"left out: {problem}", ""]
    mark = "" if quick or figure.reached is None else " ✓" if figure.reached else " ✗"
    return [
        system.name,
        system.reference,
        figure.text + mark,
        f"{time.perf_counter() - began:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less data, fewer steps")
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of names")
    parser.add_argument("--section", nargs="*", default=[])
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", type=Path, nargs="*", default=[], help="documents to write into")
    options = parser.parse_args()
    systems = chosen(sections(), options.only, options.section)
    if options.list:
        print("\n".join(f"{section:10s} {system.name}" for section, system in systems))
        return

    import pellucid

    pellucid.set_num_threads(use_cores(options.threads))
    rows = []
    for _, system in systems:
        rows.append(row(system, options.quick))
        print(" | ".join(rows[-1]), flush=True)
    print()
    print(table(HEAD, rows, options.markdown))
    for path in options.write:
        write_between(path, "systems table", table(HEAD, rows, True) + "\n")


if __name__ == "__main__":
    main()
