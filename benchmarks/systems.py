"""The systems of the course, end to end: one command, one table.

    python benchmarks/systems.py [--only addition,dates] [--section text] [--quick] [--data FOLDER]

A row: the system, what is known of it elsewhere, what Pellucid reaches here, and the seconds that
took.  Data are the folder that PELLUCID_TEST_DATA names (or ``--data``); a system whose data or
whose reference library is missing says so.  ``--quick`` runs each for a small share of its length:
it shows that everything works, not how good it is.

To add systems write a function ``system(context) -> str`` in a file of their own beside this one
and name it in ``SYSTEMS``: section, name, reference, function.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Context:
    """What a system is told: the folder of data, and whether a short run will do."""

    data: Path
    quick: bool

    def file(self, name: str) -> Path:
        """A file of data; ``Missing`` where there is none."""
        found = self.data / name
        if not found.exists():
            raise Missing(f"no {name} in {self.data}")
        return found


class Missing(Exception):
    """What a system needs is not there."""


@dataclass(frozen=True)
class System:
    """A system: its section, name and reference, and the function that says what is reached."""

    section: str
    name: str
    reference: str
    place: str
    """``module:function`` beside this file, imported when it runs."""

    def run(self, context: Context) -> str:
        """What is reached, in a few words."""
        module, _, function = self.place.partition(":")
        reached: Callable[[Context], str] = getattr(importlib.import_module(module), function)
        return reached(context)


SYSTEMS = (
    System("text", "shakespeare-gpt", "nanoGPT on CPU: loss 1.88", "systems_text:shakespeare"),
    System("text", "gpt-speed", "PyTorch, same steps", "systems_text:gpt_speed"),
    System("text", "names-mlp", "makemore MLP: loss 2.17", "systems_text:names_mlp"),
    System("text", "names-rnn", "counts of pairs: loss 2.45", "systems_text:names_rnn"),
    System("text", "names-gpt", "counts of pairs: loss 2.45", "systems_text:names_gpt"),
    System("text", "addition", "book: 98 %", "systems_text:addition"),
    System("text", "dates", "book: about 100 %", "systems_text:dates"),
    System("text", "word2vec", "gensim, same text", "systems_text:word2vec"),
    System("text", "meanings", "gensim, same text", "systems_text:meanings"),
    System("text", "waimai", "TF-IDF + logistic regression", "systems_text:waimai"),
)
"""All systems, in the order of the table."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--section", default="", help="text, images, rewards")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", default=os.environ.get("PELLUCID_TEST_DATA", ""))
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name]
    unknown = sorted(set(names) - {system.name for system in SYSTEMS})
    if unknown:
        sys.exit(f"There is no system {unknown[0]}: " + ", ".join(s.name for s in SYSTEMS))
    context = Context(Path(given.data or "."), given.quick)
    print(f"{'system':18} {'reference':32} {'ours':58} {'s':>6}")
    failed = False
    for system in SYSTEMS:
        if (names and system.name not in names) or (
            given.section and system.section != given.section
        ):
            continue
        begun = time.perf_counter()
        try:
            ours = system.run(context)
        except (Missing, ImportError) as error:
            ours = f"left out: {error}"
        except Exception:
            traceback.print_exc()
            ours, failed = "failed", True
        seconds = time.perf_counter() - begun
        print(f"{system.name:18} {system.reference:32} {ours:58} {seconds:6.1f}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
