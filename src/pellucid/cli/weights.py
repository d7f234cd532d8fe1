"""``pellucid weights``: what is in a file of weights."""

from __future__ import annotations

import fnmatch
import json
import math
from dataclasses import asdict
from pathlib import Path

from pellucid.base.errors import ArgumentError
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import complain, say
from pellucid.insight.weights import TensorFacts, facts_of
from pellucid.interop.safetensors import PartlyReadable
from pellucid.interop.weights import load_weights
from pellucid.training.summary import text_table


def show(path: Path, match: str | None, as_json: bool) -> None:
    """Print names, shapes and figures of the tensors in ``path``."""
    tensors = load_weights(path, mmap=True)
    unreadable = tensors.unreadable if isinstance(tensors, PartlyReadable) else {}
    names = [name for name in tensors if name not in unreadable]
    chosen = [name for name in names if match is None or fnmatch.fnmatchcase(name, match)]
    if names and not chosen:
        raise ArgumentError(
            f"No tensor of {path} is called {match!r}",
            f"The first is {names[0]!r}; * stands for any text.",
        )
    facts = [facts_of(name, tensors[name]) for name in chosen]
    if as_json:
        say(Shown(json.dumps([_plain(fact) for fact in facts], indent=1)))
    else:
        _print(path, facts)
    for name, dtype in unreadable.items():
        complain(f"Note: {name} has the dtype {dtype}, which Pellucid has not.", fg="yellow")


def _plain(fact: TensorFacts) -> dict[str, object]:
    """For JSON, which has no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(fact).items()
    }


def _print(path: Path, facts: list[TensorFacts]) -> None:
    if not facts:
        say(f"{path} holds no tensors.")
        return
    heads = ("name", "shape", "dtype", "mean", "std", "min", "max", "zeros")
    rows: list[tuple[str, ...]] = [tuple(map(translated, heads))]
    for fact in facts:
        figures = [_number(value) for value in (fact.mean, fact.std, fact.low, fact.high)]
        zeros = "" if math.isnan(fact.zeros) else f"{fact.zeros:.1%}"
        rows.append((fact.name, _shape(fact.shape), fact.dtype, *figures, zeros))
    say(text_table(rows, left=3))
    count = sum(fact.count for fact in facts)
    tensors = "1 tensor" if len(facts) == 1 else f"{len(facts):,} tensors"
    say(f"\n{tensors}, {count:,} numbers")
    wrong = [fact for fact in facts if fact.suspicious]
    for fact in wrong:
        say(f"Suspicious: {fact.name}: {', '.join(fact.suspicious)}", fg="yellow")
    if not wrong:
        say("Nothing suspicious: no NaN, no infinity, no weights that are all alike.")


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"


def _number(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.4g}"
