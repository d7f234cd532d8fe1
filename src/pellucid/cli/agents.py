"""Agents among the runs that ``pellucid runs`` lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pellucid.base.language import translated
from pellucid.rl.runs import AgentFacts
from pellucid.training.summary import text_table

Listed = tuple[Path, AgentFacts | None]


def agent_json(listed: Listed) -> dict[str, Any]:
    """What the folder of an agent says, as JSON values."""
    folder, facts = listed
    said = {"problem": "damaged"} if facts is None else facts.to_json()
    return {"folder": str(folder), **said}


def agents_table(found: Sequence[Listed]) -> str:
    """Agents as a table: what they play, how they learned, what they earn."""
    heads = (
        translated("run"), translated("environment"), translated("algorithm"), translated("steps"),
        translated("reward"), "95 %", translated("status"),
    )  # fmt: skip
    rows: list[Sequence[str]] = [heads]
    for folder, facts in found:
        if facts is None:
            rows.append((folder.name, *"–––––", translated("damaged")))
            continue
        said = facts.evaluation
        known = {"mean", "low", "high"} <= set(said)
        mean = f"{said['mean']:.1f}" if known else "–"
        between = f"{said['low']:.1f} … {said['high']:.1f}" if known else "–"
        steps, status = f"{facts.steps:,}", translated(facts.status)
        row = (folder.name, facts.environment, facts.algorithm, steps, mean, between, status)
        rows.append(row)
    return text_table(rows)
