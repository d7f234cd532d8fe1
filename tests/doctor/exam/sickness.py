"""Whether a program is really sick, or really clean: by what it learns, not by its name.

    PYTHONPATH=src:tests python -m doctor.exam.sickness [--only WORDS] [--seeds 3]

A sick program must learn clearly less than its healthy twin on the same seeds, or end with a
clearly larger loss (where its harm is a fact, it must train); a clean one must reach what its task
allows, a script the score that is noted beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

import pellucid
from doctor.exam import ways
from doctor.exam.program import Program, programs
from doctor.exam.recipe import Setup, score
from pellucid.base.errors import PellucidError


class Unwatched:
    """What a loop is given where nobody watches."""

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        yield


def train(setup: Setup) -> str:
    """Trains without a doctor; the answer is the error that ended it, or nothing."""
    try:
        if setup.recipe.way in ("trainer", "eager"):
            ways.fit(ways.by_trainer(setup), setup)
        else:
            loop = ways.compiled_loop if setup.recipe.way == "compiled" else ways.plain_loop
            (setup.recipe.loop or loop)(setup, Unwatched())
    except (PellucidError, ArithmeticError, ValueError, RuntimeError) as problem:
        return f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
    return ""


def reached(make: Any, seed: int) -> tuple[float, str]:
    """The score after training with a seed, and the error if one ended it (then -1)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setup = make(seed).ready(seed)
        problem = train(setup)
        return (-1.0 if problem else score(setup)), problem


def _loss(make: Any, seed: int) -> float:
    """The loss on rows that were never seen, after training."""
    setup = make(seed).ready(seed)
    train(setup)
    x, y = setup.recipe.data.test
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setup.model.eval()
        return float(setup.loss(setup.model(pellucid.tensor(x)), pellucid.tensor(y)).item())


@cache
def healthy(make: Any, seed: int) -> float:
    """The score of a healthy twin."""
    return reached(make, seed)[0]


def judge(program: Program, seeds: int = 3) -> tuple[bool, list[float], list[float], str]:
    """Whether the program is what it says, its scores, its twin's, and an error if there was."""
    found = [reached(program.make, seed) for seed in range(seeds)]
    scores, problem = [value for value, _ in found], next((p for _, p in found if p), "")
    if program.is_clean:
        return float(np.median(scores)) >= program.enough, scores, [program.enough], problem
    twins = [healthy(program.healthy, seed) for seed in range(seeds)]
    if program.harm == "loss":
        losses = [[_loss(make, seed) for seed in range(seeds)]
                  for make in (program.make, program.healthy)]  # fmt: skip
        return float(np.mean(losses[0])) > 1.3 * float(np.mean(losses[1])), *losses, problem
    if program.harm == "fact":
        return not problem, scores, twins, problem
    worse = float(np.mean(twins) - np.mean(scores))
    return worse >= 0.04, scores, twins, problem


def main() -> None:
    """Prints a line for each program, those that are not what they say with a cross."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    wrong = 0
    for program in programs():
        if program.make is None or not all(word in program.name for word in options.only):
            continue
        good, scores, twins, problem = judge(program, options.seeds)
        wrong += not good
        shown = " ".join(f"{value:.2f}" for value in scores)
        beside = " ".join(f"{value:.2f}" for value in twins)
        print("ok " if good else "BAD", program.name, f"{shown} against {beside}", problem[:150],
              flush=True)  # fmt: skip
    print(f"{wrong} are not what they say")


if __name__ == "__main__":
    main()
