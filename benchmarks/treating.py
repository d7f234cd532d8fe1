"""Remedies with proof against random search over the same settings, at equal budget.

    python benchmarks/treating.py [--half tuning|measuring] [--only WORDS] [--every 1] [--seed 0]
        [--draws 3]

Sick programs of the development exam (``tests/doctor/exam``) that a Trainer trains.  Each is
trained, examined and treated: at most three patches, patched against unpatched on paired seeds, at
most twice the steps of one training.  Random search draws as many configurations of the same
settings as the treatment's steps allow (learning rate, optimizer, batch, clipping, penalties,
dropout, hidden activation, last activation and loss, scale of features and targets), tries each as
long as a patch is tried, and takes the best.  Then every program is trained as long as it was
meant to be: as it is, with the patches that were kept, with the best random configuration (the mean
of some draws), and its healthy twin.  Figures are shares learned of validation rows (0: what an
answer reaches that ignores the features, 1: perfect; below −1 counts as −1).
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measuring import table

import pellucid
from doctor.exam import ways
from doctor.exam.program import Program, programs
from pellucid import Trainer, nn
from pellucid.base.errors import PellucidError
from pellucid.insight.doctor import Case, Patch, remedies
from pellucid.insight.doctor.arms import Arm
from pellucid.insight.doctor.arms import Program as Treated
from pellucid.insight.doctor.fitness import as_array, fitness
from pellucid.insight.doctor.probes.ends import end_path, loss_for, replace
from pellucid.insight.doctor.trying import drop_nothing, fixed_rows
from pellucid.tensor.creation import as_tensor

WORST = -1.0


def trained(program: Program, seed: int, healthy: bool = False) -> tuple[Any, float]:
    """The Trainer after the program's training, and what it has learned."""
    make: Any = program.healthy if healthy else program.make
    setup = make(seed).ready(seed)
    trainer = ways.by_trainer(setup)
    try:
        ways.fit(trainer, setup)
    except (PellucidError, ArithmeticError, ValueError, RuntimeError):
        return trainer, WORST
    return trainer, learned(trainer.model, *(setup.validation or setup.train))


def learned(model: Any, x: Any, y: Any) -> float:
    """The share learned of some rows, in evaluation mode."""
    model.eval()
    with pellucid.no_grad(), np.errstate(all="ignore"):
        found = fitness(model(as_tensor(x)), as_array(as_tensor(y)))
    return WORST if found is None or not math.isfinite(found) else max(WORST, found)


def finished(case: Case, seed: int) -> float:
    """What a copy of the program has learned after its whole training."""
    settings, rows = case.settings, (case.train.features, case.train.targets)
    held = case.validation or case.train
    trainer = Trainer(
        case.model, case.loss, case.optimizer, seed=seed,
        clip_norm=float(settings.get("clip_norm") or 0.0), augment=settings.get("augment"),
    )  # fmt: skip
    epochs, batch = int(settings.get("epochs") or 20), int(settings.get("batch_size") or 32)
    try:
        trainer.fit(
            rows, (held.features, held.targets), epochs=epochs, batch_size=batch,
            progress=False,
        )  # fmt: skip
    except (PellucidError, ArithmeticError, ValueError, RuntimeError):
        return WORST
    return learned(trainer.model, held.features, held.targets)


# ---- random search -------------------------------------------------------------------------------


def drawn(case: Case, random: np.random.Generator) -> list[Patch]:
    """A random configuration of the settings that patches change, as patches."""
    found: list[Patch] = []
    if random.random() < 0.5:
        rate = float(10 ** random.uniform(-4, 0))
        name, more = (("Adam", {}), ("SGD", {"momentum": 0.9}))[int(random.integers(2))]
        found.append(
            remedies.optimizer("Another optimizer.", case.optimizer, name, lr=rate, **more)
        )
    else:
        factor = float(10 ** random.uniform(-4, 4))
        found.append(remedies.learning_rate("Another rate.", 1.0, factor))
    options = (
        lambda: remedies.setting("", "batch_size", 0, int(2 ** random.integers(2, 8))),
        lambda: remedies.setting("", "clip_norm", 0.0, 1.0),
        lambda: remedies.optimizer_setting("", "weight_decay", 0.0, 0.0),
        lambda: Patch(
            "layer", "No dropout.", apply=lambda trial: drop_nothing(trial.model) and None
        ),
        lambda: Patch("layer", "ReLU.", apply=_relu),
        lambda: Patch("loss", "The loss that fits.", apply=lambda trial: _end(case, trial)),
        lambda: remedies.standardized("", "as it is"),
        lambda: remedies.standardized_targets("", "as they are"),
    )
    return found + [make() for make in options if random.random() < 0.4]


def _no_dropout(trial: Case) -> None:
    drop_nothing(trial.model)


def _relu(trial: Case) -> None:
    for path, module in list(trial.model.named_modules()):
        if isinstance(module, (nn.Sigmoid, nn.Tanh)) and path:
            replace(trial.model, path, nn.ReLU())


def _end(case: Case, trial: Case) -> None:
    rows = fixed_rows(case)
    path = end_path(trial.model, rows)
    if path is not None:
        replace(trial.model, path, nn.Identity())
    outputs, wanted = as_array(case.bench.outputs(rows)), as_array(rows[1])
    better = None if outputs is None or wanted is None else loss_for(outputs, wanted)
    trial.loss = better or trial.loss


def random_search(case: Case, steps: int, length: int, seed: int) -> float:
    """What the best of so many random configurations reaches, tried as long as patches are."""
    random, program = np.random.default_rng(seed), Treated(case)
    best: tuple[float, list[Patch]] = (-math.inf, [])
    spent = 0
    while spent + length <= steps:
        patches = drawn(case, random)
        arm = Arm(program, patches)
        try:
            spent += arm.run(0, length)
        except (PellucidError, ArithmeticError, ValueError, TypeError, IndexError):
            spent += length
            continue
        best = max(best, (arm.score(0), patches), key=lambda pair: pair[0])
    return finished(program.patched(best[1], 0), seed)


# ---- the benchmark -------------------------------------------------------------------------------


def compared(program: Program, seed: int, draws: int) -> dict[str, Any] | None:
    """The four figures of a program; None where the doctor has nothing to try."""
    trainer, before = trained(program, seed)
    report = trainer.report()
    if report.case is None or report.case.train is None:
        return None
    treatment = report.treat()
    tried = [trial for trial in treatment.trials if trial.pairs]
    after = finished(treatment.program, seed) if treatment.kept else before
    whole = max(report.case.step, Treated(report.case).planned_steps) or 400
    length = max(20, min(40, whole // 2), whole // 8)  # as a treatment's
    budget = max(treatment.steps, length)
    searched = [random_search(report.case, budget, length, draw) for draw in range(draws)]
    return {
        "program": program.name,
        "said": ", ".join(finding.cause for finding in report) or "nothing",
        "tried": len(tried),
        "kept": "; ".join(patch.diff().replace("\n", " ") for patch in treatment.kept),
        "as it is": before,
        "treated": after,
        "random search": float(np.mean(searched)),
        "healthy": trained(program, seed, healthy=True)[1],
        "steps": treatment.steps / whole,
    }


def takes_part(program: Program) -> bool:
    """Whether a Trainer trains it, on rows in memory, and it learns less than it could."""
    if program.is_clean or program.make is None or program.harm != "score" or program.script:
        return False
    recipe = program.make(0)
    plain = recipe.way in ("trainer", "eager") and recipe.loader is None and recipe.loop is None
    return plain and recipe.supervised and recipe.kind != "tokens"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--half", choices=("tuning", "measuring", "both"), default="measuring")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    listed = [p for p in programs() if options.half in ("both", p.half) and takes_part(p)]
    if options.only:
        listed = [p for p in listed if any(word in p.name for word in options.only)]
    rows: list[dict[str, Any]] = []
    for program in listed[:: options.every]:
        found = compared(program, options.seed, options.draws)
        if found is not None:
            rows.append(found)
            shown = {k: f"{v:.2f}" if isinstance(v, float) else v for k, v in found.items()}
            print(" · ".join(f"{k}: {v}" for k, v in shown.items()), flush=True)
    summary(rows)


def summary(rows: list[dict[str, Any]]) -> None:
    """The means, and how often a remedy does as well as the others."""
    if not rows:
        return
    ways_ = ("as it is", "treated", "random search", "healthy")
    print()
    print(table(["mean share learned", *ways_], [
        ["all", *(f"{np.mean([row[way] for row in rows]):.3f}" for way in ways_)],
    ], markdown=False))  # fmt: skip
    near = np.mean([row["treated"] >= row["healthy"] - 0.05 for row in rows])
    worse = sum(row["treated"] < row["as it is"] - 0.05 for row in rows)
    beats = np.mean([row["treated"] >= row["random search"] for row in rows])
    print(f"\n{len(rows)} programs; as good as healthy (within 0.05): {near:.0%}; at least as good "
          f"as random search: {beats:.0%}; made worse: {worse}; most steps of one training: "
          f"{max(row['steps'] for row in rows):.2f} times")  # fmt: skip


if __name__ == "__main__":
    main()
