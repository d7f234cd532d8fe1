"""Agents in folders: weights, settings, what was learned when, and a state to go on from.

``agent.json`` says what the agent is, ``agent.safetensors`` holds its (best) weights,
``state.safetensors`` all that learning goes on from, ``progress.jsonl`` what was told on the way,
and ``episodes.csv`` the sum of rewards and the length of every episode.  Each file appears whole.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import pellucid
from pellucid import Tensor
from pellucid.base.errors import ArgumentError, FileError, RunFolderError
from pellucid.interop import load_file, save_file
from pellucid.rl.agent import Agent, Progress
from pellucid.rl.evaluation import Evaluation
from pellucid.rl.tuned import ALGORITHMS
from pellucid.training.files import explained, read_limited, write_file
from pellucid.training.run_folder import plain

AGENT, WEIGHTS, STATE = "agent.json", "agent.safetensors", "state.safetensors"
PROGRESS, EPISODES = "progress.jsonl", "episodes.csv"
FILES = (AGENT, WEIGHTS, STATE, PROGRESS, EPISODES, "play.gif", "episodes.svg", "value.svg")
FORMAT = 1
_DAMAGED = "The folder is damaged, or no run of an agent: train again."
_MOST = 1 << 24


@dataclass(frozen=True)
class AgentFacts:
    """What agent.json of a run says."""

    algorithm: str
    environment: str
    settings: dict[str, Any]
    seed: int
    steps: int
    until: int
    status: str
    """``running``, ``finished`` or ``interrupted``."""
    created: str
    seconds: float
    evaluation: dict[str, Any]
    best: dict[str, Any]
    """The evaluation on the way that the weights are from; empty where there was none."""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return asdict(self)


def save_agent(
    agent: Agent,
    folder: str | os.PathLike[str],
    *,
    status: str = "finished",
    seconds: float = 0.0,
    evaluation: Evaluation | None = None,
) -> Path:
    """Writes an agent to a folder, which is made where it is missing; its environment must have
    been given by name.

    Raises ``FileError`` where it cannot be written.
    """
    if not isinstance(agent.environment, str):
        raise ArgumentError(
            f"the agent plays {type(agent.environment).__name__}",
            "make agents that are saved with the name of an environment",
        )
    place = Path(folder)
    facts = AgentFacts(
        agent.algorithm,
        agent.environment,
        asdict(agent.settings),
        agent.seed,
        agent.steps,
        agent.until,
        status,
        time.strftime("%Y-%m-%dT%H:%M:%S"),
        seconds,
        {} if evaluation is None else evaluation.to_json(),
        {} if agent.best is None else agent.best.to_json(),
    )
    with explained(place):
        place.mkdir(parents=True, exist_ok=True)
        save_file(agent._best_weights or agent._weights(), place / WEIGHTS)
        save_file({**agent.state(), **_positions(agent)}, place / STATE)
    lines = [json.dumps(plain(told.to_json())) for told in agent.progress]
    write_file(place / PROGRESS, "".join(line + "\n" for line in lines).encode())
    rows = zip(agent.tally.sums, agent.tally.lengths, strict=True)
    text = "reward,steps\n" + "".join(f"{earned!r},{length}\n" for earned, length in rows)
    write_file(place / EPISODES, text.encode())
    content = {"format": FORMAT, "version": pellucid.__version__, **facts.to_json()}
    write_file(place / AGENT, json.dumps(plain(content), indent=2).encode())
    return place


def agent_facts(folder: str | os.PathLike[str]) -> AgentFacts:
    """What a folder says of its agent.

    Raises ``FileError`` where there is none, ``RunFolderError`` where it is damaged.
    """
    place = Path(folder)
    if not (place / AGENT).is_file():
        raise FileError(
            f"{place} holds no agent", "Give a folder that pellucid rl train has written."
        )
    try:
        content = json.loads(read_limited(place / AGENT, _MOST))
        kinds: dict[str, Any] = {"str": str, "int": int, "float": (int, float)}
        values = {field.name: content[field.name] for field in fields(AgentFacts)}
        known = content["format"] == FORMAT and values["algorithm"] in ALGORITHMS
        typed = all(
            isinstance(values[field.name], kinds.get(str(field.type), dict))
            for field in fields(AgentFacts)
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunFolderError(f"{place / AGENT} cannot be read", _DAMAGED) from error
    if not known or not typed:
        raise RunFolderError(f"{place / AGENT} is of another format", _DAMAGED)
    return AgentFacts(**values)


def load_agent(folder: str | os.PathLike[str], resume: bool = False) -> Agent:
    """The agent of a folder, with its best weights; with ``resume`` in the state that learning goes
    on from.  Nothing of the folder is executed.

    Raises as ``agent_facts``.
    """
    facts, place = agent_facts(folder), Path(folder)
    made, kind = ALGORITHMS[facts.algorithm]
    known = {field.name: field for field in fields(kind)}
    if set(facts.settings) - set(known):
        raise RunFolderError(f"{place / AGENT} has settings that are unknown", _DAMAGED)
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in facts.settings.items()}
    try:
        agent: Agent = made(facts.environment, kind(**values), facts.seed)
        if resume:
            _resume(agent, load_file(place / STATE))
            _take_best(agent, facts, place)
            agent.tally.sums, agent.tally.lengths = read_episodes(place)
        else:
            given = load_file(place / WEIGHTS)
            own = agent._weights()
            if any(n not in given or given[n].shape != own[n].shape for n in own):
                raise RunFolderError(f"{place / WEIGHTS} does not fit", _DAMAGED)
            agent._overwrite(own, given)
            agent.steps = facts.steps
    except (TypeError, ValueError) as error:
        if isinstance(error, (ArgumentError, RunFolderError)):
            raise
        raise RunFolderError(f"{place} cannot be read: {error}", _DAMAGED) from error
    agent.until = facts.until
    return agent


def load_course(folder: str | os.PathLike[str]) -> Agent:
    """The agent of a folder with all that was recorded while it learned, to be asked ``why_not``.

    Raises as ``agent_facts``.
    """
    agent = load_agent(folder)
    agent.tally.sums, agent.tally.lengths = read_episodes(folder)
    lines = read_limited(Path(folder) / PROGRESS, 1 << 28).decode("utf-8", "replace").splitlines()
    try:
        told = [json.loads(line) for line in lines if line.strip()]
        for entry in told:
            figures = {str(n): float(v) for n, v in entry["figures"].items() if v is not None}
            agent.progress.append(
                Progress(
                    int(entry["steps"]), int(entry["until"]), int(entry["episodes"]),
                    float("nan" if entry["recent"] is None else entry["recent"]),
                    float(entry["seconds"]), figures,
                )
            )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunFolderError(f"{Path(folder) / PROGRESS} cannot be read", _DAMAGED) from error
    return agent


def list_agents(place: str | os.PathLike[str] = "runs") -> list[tuple[Path, AgentFacts | None]]:
    """The folders with agents in ``place``, the oldest first; None for those that are damaged."""
    folder = Path(place)
    found: list[tuple[Path, AgentFacts | None]] = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not entry.name.startswith(".") and (entry / AGENT).is_file():
            try:
                found.append((entry, agent_facts(entry)))
            except (FileError, RunFolderError):
                found.append((entry, None))
    return sorted(found, key=lambda pair: pair[1].created if pair[1] else "")


def read_episodes(folder: str | os.PathLike[str]) -> tuple[list[float], list[int]]:
    """Sums of rewards and lengths of all episodes of a run."""
    lines = read_limited(Path(folder) / EPISODES, 1 << 30).decode("utf-8", "replace").splitlines()
    try:
        pairs = [line.split(",") for line in lines[1:]]
        return [float(p[0]) for p in pairs], [int(p[1]) for p in pairs]
    except (ValueError, IndexError) as error:
        raise RunFolderError(f"{Path(folder) / EPISODES} cannot be read", _DAMAGED) from error


def _positions(agent: Agent) -> dict[str, Tensor]:
    """What belongs to a state and is no tensor of the agent: episodes that are open, NumPy's random
    numbers and the scale of rewards."""
    state: Any = agent.random.bit_generator.state["state"]
    words = [(state[name] >> shift) & 0xFFFFFFFF for name in ("state", "inc")
             for shift in range(0, 128, 32)]  # fmt: skip
    found = {
        "position.steps": pellucid.tensor([agent.steps]),
        "position.random": pellucid.tensor(np.array(words, np.int64)),
        "position.sums": pellucid.tensor(agent.tally._open.copy()),
        "position.ages": pellucid.tensor(agent.tally._ages.copy()),
    }
    scale = getattr(agent, "_rewards", None)
    if scale is not None:
        found["position.scale"] = pellucid.tensor(
            np.array([scale.mean, scale.variance, scale.seen, *scale.running])
        )
    return found


def delete_agent(folder: str | os.PathLike[str]) -> None:
    """Deletes the folder of an agent; one that holds other files is refused and stays as it is."""
    place = Path(folder)
    agent_facts(place)
    others = sorted({entry.name for entry in place.iterdir()} - set(FILES))
    if others or place.is_symlink():
        raise RunFolderError(
            f"{place} holds {', '.join(others[:3]) or 'a link'}; nothing was deleted",
            "Only run folders are deleted. Look at what is in it, and delete it yourself.",
        )
    with explained(place):
        for entry in list(place.iterdir()):
            entry.unlink()
        place.rmdir()


def _take_best(agent: Agent, facts: AgentFacts, place: Path) -> None:
    """What did best so far stays the best until something does better."""
    mean = facts.best.get("mean")
    if isinstance(mean, (int, float)):
        agent.best = Evaluation((float(mean),), (0,), 0)
        agent._best_weights = dict(load_file(place / WEIGHTS))


def _resume(agent: Agent, state: dict[str, Tensor]) -> None:
    try:
        positions = {n: state.pop(n).numpy() for n in list(state) if n.startswith("position.")}
        words = [int(word) for word in positions["position.random"]]
        agent.tally._open[:] = positions["position.sums"]
        agent.tally._ages[:] = positions["position.ages"]
        _ = positions["position.steps"][0]
    except (KeyError, ValueError, IndexError) as error:
        raise RunFolderError("the state of the run is not complete", _DAMAGED) from error
    whole: Any = agent.random.bit_generator.state
    for place, name in enumerate(("state", "inc")):
        parts = words[4 * place : 4 * place + 4]
        whole["state"][name] = sum(word << (32 * i) for i, word in enumerate(parts))
    agent.random.bit_generator.state = whole
    scale = getattr(agent, "_rewards", None)
    if scale is not None and "position.scale" in positions:
        scale.mean, scale.variance, scale.seen = map(float, positions["position.scale"][:3])
        scale.running[:] = positions["position.scale"][3:]
    # The files of a run that was killed may be of two moments; the state's own count is right.
    agent.restore(state, int(positions["position.steps"][0]))
