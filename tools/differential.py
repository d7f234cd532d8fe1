"""Searches for disagreements between eager, compiled, reference and PyTorch, as long as one likes.

    python tools/differential.py --minutes 60
    python tools/differential.py --minutes 5 --only writes --seed 7

Alternates between all kinds of checks of ``tests/differential``.  Each finding is printed once,
shrunk, as a program that can be run, and the search goes on; at the end a table says how often what
was tried.  The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

# In place of the folder of this file, whose own name hides the package of the tests.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from hypothesis import HealthCheck, given, seed, settings

import pellucid
import pellucid.nn
import pellucid.optim
from differential import changes, circumstances
from differential.programs import Builder, programs
from differential.running import Difference, Tally, check
from differential.vocabulary import VALUES

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

LIBRARIES = [pellucid] + ([torch] if torch is not None else [])
TALLY = Tally()
EXAMPLES = 50


def _shrunk(strategy: Any, judge: Callable[[Any], None]) -> Callable[[int], None]:
    """A check of some random examples; hypothesis shrinks what fails."""

    def search(number: int) -> None:
        @seed(number)
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(strategy)
        def examples(example: Any) -> None:
            try:
                judge(example)
            except Difference as error:
                error.add_note(str(example))
                raise

        examples()

    return search


def _program(program: Any) -> None:
    check(program, torch, TALLY)


def _history(history: Any) -> None:
    changes.check(history, torch)
    TALLY.add("history")


def _alone(number: int) -> None:
    """Each of some operations alone, in every way."""
    choices = random.Random(number)
    for row in choices.sample(VALUES, 10):
        program = Builder(choices.randint, LIBRARIES).alone(row)
        if program is not None:
            try:
                _program(program)
            except Difference as error:
                error.add_note(str(program))
                raise


def _circumstance(function: Callable[..., None], **settings: Any) -> Callable[[int], None]:
    def search(number: int) -> None:
        function(random.Random(number).randint, **settings)
        TALLY.add(function.__name__)

    return search


KINDS: dict[str, Callable[[int], None]] = {
    "alone": _alone,
    "values": _shrunk(programs(LIBRARIES), _program),
    "writes": _shrunk(programs(LIBRARIES, writes=True), _program),
    "overlap": _shrunk(programs(LIBRARIES, writes=True, overlap=True), _program),
    "state": _shrunk(changes.histories(), _history),
    "training": _shrunk(changes.histories(training=True), _history),
    "threads": _circumstance(circumstances.threads),
    "before": _circumstance(circumstances.what_ran_before),
    "namesakes": _circumstance(circumstances.namesakes),
    "chains": _circumstance(circumstances.long_chains, most=10_000),
    "precision": _circumstance(circumstances.precision, torch=torch),
    "sums": _circumstance(circumstances.plain_sums),
    "edges": _circumstance(circumstances.edges),
    "refusals": _circumstance(circumstances.refusals, torch=torch),
}


def search(minutes: float, first: int, kinds: list[str]) -> Counter[str]:
    """Alternate between kinds until the time is over; how often each found something."""
    found: Counter[str] = Counter()
    seen: set[str] = set()
    end = time.monotonic() + 60 * minutes
    number = first
    while time.monotonic() < end:
        for kind in kinds:
            try:
                KINDS[kind](number)
            except Exception as error:  # one that is no Difference came out of growing a program
                notes = [n for n in getattr(error, "__notes__", []) if "Explanation" not in n]
                name = "" if isinstance(error, Difference) else f"{type(error).__name__}: "
                text = (name + str(error)).splitlines()[0]
                found[kind] += 1
                if text not in seen:
                    seen.add(text)
                    shown = f"\n== {kind}, seed {number}: {name}{error}"
                    print(shown, *notes[:1], sep="\n", flush=True)
        number += 1
    return found


def main() -> int:
    """Search, print what was found and how often what was tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--only", choices=[*KINDS], action="append")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"seed {options.seed}, {options.minutes:g} minutes, PyTorch: {'yes' if torch else 'no'}")
    found = search(options.minutes, options.seed, options.only or [*KINDS])
    print("\ntried:")
    for what, count in sorted(TALLY.compared.items(), key=lambda item: -item[1]):
        print(f"{count:8}  {what}")
    print("findings:", dict(found) or "none")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
