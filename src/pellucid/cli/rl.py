"""``pellucid rl``: agents that learn from rewards, at the command line."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from pellucid.base.errors import ArgumentError, FileError
from pellucid.base.language import Shown, translated
from pellucid.cli.reporting import complain, fact, say, say_json
from pellucid.insight.doctor import examine_agent
from pellucid.insight.pictures import draw_rewards
from pellucid.rl import (
    Agent,
    Evaluation,
    Gymnasium,
    Progress,
    agent_for,
    load_agent,
    make,
    recipe,
    save_agent,
)
from pellucid.rl.drawing import film, save_gif
from pellucid.rl.runs import FILES
from pellucid.rl.tuned import ALGORITHMS
from pellucid.training.interrupts import Interrupts
from pellucid.training.run_folder import default_target
from pellucid.training.summary import text_table


def train(
    environment: str | None,
    *,
    algorithm: str | None,
    steps: int | None,
    seed: int,
    changes: Sequence[str],
    output: Path | None,
    overwrite: bool,
    resume: Path | None,
    episodes: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Learns, writes a run folder, prints how good the agent is or why it is not."""
    if resume is not None:
        agent, target = load_agent(resume, resume=True), resume
        total = steps or agent.until
        if total <= agent.steps:
            raise ArgumentError(
                f"{resume} has learned from {agent.steps:,} steps already",
                "Ask for more with --steps.",
            )
    else:
        if environment is None:
            raise ArgumentError("No environment was given", "Name one, such as CartPole-v1.")
        agent = _new(environment, algorithm, seed, changes)
        total = steps or recipe(agent.algorithm, environment).steps
        target = output or default_target(environment.removeprefix("gymnasium:"))
        _free(target, overwrite)
    face = _Face(quiet or as_json)
    began = time.monotonic()
    with Interrupts() as interrupts:  # a round is finished, so that the state is whole
        _learn(agent, total, target, episodes, face, interrupts)
        face.close()
        if interrupts.requested:
            seconds = time.monotonic() - began
            save_agent(agent, target, status="interrupted", seconds=seconds)
            complain(f"Interrupted; what was learned is kept in {target}", fg="yellow")
            say(f"Go on with pellucid rl train --resume {target}")
            raise typer.Exit(128 + interrupts.number)
    found = agent.evaluate(episodes)
    seconds = time.monotonic() - began
    save_agent(agent, target, seconds=seconds, evaluation=found)
    sums, lengths = agent.tally.sums, agent.tally.lengths
    if sums:
        window = max(len(sums) // 20, 1)
        draw_rewards({agent.algorithm: sums}, target / "episodes.svg", window=window)
    _tell(agent, found, target, seconds, as_json)
    if lengths and not as_json:
        fact("Play", f"pellucid rl play {target}")


def _learn(
    agent: Agent, total: int, target: Path, episodes: int, face: _Face, interrupts: Interrupts
) -> None:
    """Learns in ten parts, after each of which the folder is written."""
    part = max(total // 10, 1)

    def watch(progress: Progress) -> None:
        face.show(progress)
        if agent.steps - watch.saved >= part:  # type: ignore[attr-defined]
            watch.saved = agent.steps  # type: ignore[attr-defined]
            save_agent(agent, target, status="running")

    watch.saved = agent.steps  # type: ignore[attr-defined]
    agent.learn(
        total - agent.steps,
        evaluate_every=part,
        evaluation_episodes=min(episodes, 20),
        watch=watch,
        stop=lambda: interrupts.requested,
    )


def _new(environment: str, algorithm: str | None, seed: int, changes: Sequence[str]) -> Agent:
    if algorithm is None:
        algorithm = "ppo"
    if algorithm not in ALGORITHMS:
        raise ArgumentError(
            f"There is no algorithm {algorithm}", f"Use one of {', '.join(ALGORITHMS)}."
        )
    given = dict(_change(text, algorithm) for text in changes)
    return agent_for(algorithm, environment, seed=seed, **given)


def _change(text: str, algorithm: str) -> tuple[str, Any]:
    """``name=value`` as a setting of the algorithm."""
    name, sign, value = text.partition("=")
    kinds = {field.name: field for field in fields(ALGORITHMS[algorithm][1])}
    if not sign or name not in kinds:
        raise ArgumentError(
            f"--set {text}: {algorithm} has no such setting", f"It has {', '.join(kinds)}."
        )
    before = kinds[name].default
    try:
        read = ast.literal_eval(value.capitalize() if isinstance(before, bool) else value)
        read = tuple(read) if isinstance(read, (list, tuple)) else read
        if isinstance(before, tuple):
            read = read if isinstance(read, tuple) else (read,)
            fits = bool(read) and all(type(n) is int and n > 0 for n in read)
        elif isinstance(before, bool) or isinstance(before, int):
            fits = type(read) is type(before)
        else:
            fits = type(read) in (int, float)
    except (ValueError, SyntaxError):
        fits = False
    if not fits:
        raise ArgumentError(
            f"--set {text}: a value like {before} was expected", "Give one of that kind."
        )
    return name, read


def _free(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else {""}
    if not overwrite or names - set(FILES):
        raise FileError(
            f"{target} exists already; nothing was changed",
            "Choose another folder with --output, or replace a run with --overwrite.",
        )


def _tell(agent: Agent, found: Evaluation, target: Path, seconds: float, as_json: bool) -> None:
    reasons = examine_agent(agent)
    if as_json:
        say_json(
            {
                "run": str(target),
                "algorithm": agent.algorithm,
                "environment": agent.environment,
                "steps": agent.steps,
                "seconds": seconds,
                "episodes": len(agent.tally.sums),
                "evaluation": found.to_json(),
                "findings": reasons.to_json()["findings"],
            }
        )
        return
    fact("Learned", f"{agent.steps:,} steps, {len(agent.tally.sums):,} episodes, {seconds:.1f} s")
    fact("Earned", _earned(found))
    for finding in reasons:
        fact("Finding", Shown(f"{translated(finding.title)} ({finding.cause})"))
        for item in finding.evidence:
            say("            " + item.text + ".")
        say("            " + finding.remedy)
    fact("Run", str(target))


def _earned(found: Evaluation) -> str:
    low, high = found.interval()
    return (
        f"{found.mean:.1f} an episode (95 %: {low:.1f} to {high:.1f}; {len(found.sums)} episodes)"
    )


def play(run: Path, episodes: int, seed: int, gif: Path | None, as_json: bool) -> None:
    """Plays whole episodes with a trained agent; prints them, or draws one as a GIF."""
    agent = load_agent(run)
    found = agent.evaluate(episodes, seed)
    if gif is not None:
        name = str(agent.environment)
        world: Any = make(name)
        if isinstance(world, Gymnasium):
            world = Gymnasium(name.removeprefix("gymnasium:"), render_mode="rgb_array")
        save_gif(film(agent.act, world, seed), gif)
    if as_json:
        rows = [
            {"reward": earned, "steps": length}
            for earned, length in zip(found.sums, found.lengths, strict=True)
        ]
        say_json({**found.to_json(), "played": rows, "gif": None if gif is None else str(gif)})
        return
    table: list[Sequence[str]] = [
        (translated("episode"), translated("reward"), translated("steps"))
    ]
    for number, (earned, length) in enumerate(zip(found.sums, found.lengths, strict=True), 1):
        table.append((str(number), f"{earned:.1f}", str(length)))
    say(text_table(table))
    fact("Earned", _earned(found))
    if gif is not None:
        fact("Drawn", str(gif))


class _Face:
    """One line of progress that is written over."""

    def __init__(self, quiet: bool) -> None:
        self._stream = sys.stderr
        self.quiet = quiet or not self._stream.isatty()

    def show(self, progress: Progress) -> None:
        """Steps, episodes and what they earned."""
        if self.quiet:
            return
        text = (
            f"{progress.steps:,}/{progress.until:,} · "
            f"{progress.episodes:,} {translated('episodes')} · "
            f"{translated('reward')} {progress.recent:.1f} · {progress.seconds:.0f} s"
        )
        self._stream.write("\r\x1b[K" + text)
        self._stream.flush()

    def close(self) -> None:
        """Ends the line."""
        if not self.quiet:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
