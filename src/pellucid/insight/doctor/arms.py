"""Copies of a program with patches in it, trained for a while from a seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.base.errors import PellucidError
from pellucid.insight.doctor.bench import EAGER_SECONDS, ModelBench
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.fitness import fitness, trivial_loss
from pellucid.insight.doctor.patches import Patch
from pellucid.insight.doctor.restoring import Kept
from pellucid.insight.doctor.standing import standing_of
from pellucid.insight.doctor.trying import redraw
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import manual_seed
from pellucid.training.batches import chosen, rows_in, tensors
from pellucid.training.capture import named_tensors, random_state, restore_random

Curve = list[tuple[int, float]]
"""(step, score) at some moments of a training."""

POINTS = 8
JUDGED_ROWS = 512
LOWEST = -1.0
"""Scores below this are no worse than this: a loss that blew up would drown everything else."""
MOST_LONGER = 2.5


class Program:
    """A case as something that copies can be made of, and how they are judged."""

    def __init__(self, case: Case) -> None:
        self.case = case
        stands = standing_of(case)
        begun = case.phase != "before"
        self.fresh = begun and (stands is None or stands.poor)
        self.is_judged = stands is not None and stands.good is not None
        self.score = "share learned" if self.is_judged else "1 − loss / first loss"
        self._start = abs(stands.start if stands and math.isfinite(stands.start) else 1.0) or 1.0

    @property
    def planned_steps(self) -> int:
        """The steps that the settings ask for; 0 where they do not."""
        settings, rows = self.case.settings, self.case.train
        size = int(settings.get("batch_size") or 0)
        epochs = int(settings.get("epochs") or 0)
        return epochs * -(-rows.number // size) if size and rows is not None else 0

    @property
    def is_redrawn(self) -> bool:
        """Whether short trainings begin with weights that the program did not begin with."""
        return self.fresh and self.case.notes.get("first weights") is None

    @property
    def has_ended(self) -> bool:
        """Whether the training is over and begins anew, so that what it has reached is known."""
        return self.fresh and self.case.phase == "after"

    def now(self) -> float:
        """The score of the program as it is now."""
        bench, held = self.case.bench, self.case.validation
        rows: Any = self.case.train if held is None or held.targets is None else held
        return self.judged(bench, rows) if isinstance(bench, ModelBench) else LOWEST

    def can_try(self, patch: Patch) -> bool:
        """Whether a patch changes anything that a short training shows; another loss only where
        answers can be judged without it."""
        return self.is_judged or patch.kind not in ("loss", "data")

    def patched(self, patches: Sequence[Patch], seed: int | None = None) -> Case:
        """A copy with these patches; with a ``seed`` from a fresh start, where nothing was
        learned."""
        case = self.case
        memo: dict[int, Any] = {}
        model = copy.deepcopy(case.model, memo)
        optimizer = copy.deepcopy(self._optimizer(), memo)
        loss = copy.deepcopy(case.loss, memo) if isinstance(case.loss, Module) else case.loss
        Kept(model, optimizer).silence()
        if seed is not None and self.fresh:
            self._begin(model)
            optimizer.state.clear()
        made = replace(
            case, model=model, optimizer=optimizer, loss=loss, settings=dict(case.settings),
            bench=None, notes={}, records=[], losses=[], history=[],
        )  # fmt: skip
        for patch in patches:
            if patch.apply is not None:
                patch.apply(made)
        known = {id(p) for group in made.optimizer.param_groups for p in group["params"]}
        new = [p for p in made.model.parameters() if id(p) not in known and _is_new(p, memo)]
        if new:
            made.optimizer.add_param_group({"params": new})
        return made

    def _begin(self, model: Any) -> None:
        """The first weights of the run where they are known, else newly drawn ones."""
        first = self.case.notes.get("first weights")
        if first is None:
            redraw(model)
            return
        with no_grad():
            for name, tensor in named_tensors(model):
                if name in first:
                    np.copyto(tensor.detach().array(), first[name])

    def _optimizer(self) -> Any:
        if self.case.optimizer is not None:
            return self.case.optimizer
        return self.case.bench.optimizer if isinstance(self.case.bench, ModelBench) else None

    def judged(self, bench: ModelBench, rows: Rows) -> float:
        """The score of a copy as it is, −1 to 1: the mean of how good its answers are and of the
        share of the trivial loss that is gone, each as far as it is known."""
        given = tensors((rows.features, rows.targets))
        count = min(rows_in((given[0],)), JUDGED_ROWS)
        batch = chosen(given, as_tensor(np.arange(count)))
        try:
            outputs, loss = bench.outputs(batch), bench.loss(batch, training=False)
        except PellucidError:
            return LOWEST
        good = fitness(outputs, batch[1]) if self.is_judged else None
        trivial = trivial_loss(bench.loss_function, outputs, batch[1])
        if trivial is None and not self.is_judged:
            trivial = self._start
        known = [good] if good is not None else []
        if trivial:
            known.append((trivial - loss) / abs(trivial) if math.isfinite(loss) else LOWEST)
        return float(np.mean([min(1.0, max(LOWEST, value)) for value in known or [LOWEST]]))


def _is_new(parameter: Any, memo: dict[int, Any]) -> bool:
    """Whether a parameter came with a patch: copies of the program's own are left out where it
    leaves them out."""
    return parameter.requires_grad and not any(parameter is value for value in memo.values())


class Arm:
    """The program with some patches: a training for each seed."""

    def __init__(self, program: Program, patches: Sequence[Patch]) -> None:
        self.program = program
        self.patches = list(patches)
        self.curves: dict[int, Curve] = {}
        self._eager = EAGER_SECONDS

    @property
    def stops_early(self) -> bool:
        """Whether a patch keeps the weights of the best moment."""
        return any(patch.name == "patience" for patch in self.patches)

    def steps_for(self, steps: int) -> int:
        """How many steps a training has that would have so many without the patches."""
        return self._length(self.program.patched(self.patches), steps)

    def score(self, seed: int) -> float:
        """The score at the end; the best one where training stops early, with the best weights."""
        curve = self.curves[seed]
        if self.stops_early:
            return max(value for _, value in curve)
        return curve[-1][1]

    def run(self, seed: int, steps: int) -> int:
        """A short training; returns how many steps it took."""
        numbers = random_state()
        try:
            manual_seed(seed)
            np.random.seed(seed)
            case = self.program.patched(self.patches, seed)
            with np.errstate(all="ignore"):
                self.curves[seed], done = self._trained(case, seed, self._length(case, steps))
        finally:
            restore_random(numbers)
        return done

    def _length(self, case: Case, steps: int) -> int:
        """More steps where a patch asks for more epochs, or for as many rows in smaller batches."""
        longer = 1.0
        for name, is_more in (("epochs", 1), ("batch_size", -1)):
            old, new = self.program.case.settings.get(name), case.settings.get(name)
            if old and new:
                longer *= (new / old) ** is_more
        return int(steps * min(MOST_LONGER, max(1.0, longer)))

    def _trained(self, case: Case, seed: int, steps: int) -> tuple[Curve, int]:
        train: Any = case.train
        held = case.validation
        judged = train if held is None or held.targets is None else held
        settings, known = case.settings, self.program.case.bench
        bench = ModelBench(
            case.model, case.loss, case.optimizer, [],
            augment=settings.get("augment"), clip_norm=float(settings.get("clip_norm") or 0.0),
            class_weights=getattr(known, "class_weights", None),
        )  # fmt: skip
        bench.eager_seconds = self._eager
        moments = set(np.linspace(0, steps, POINTS).astype(int).tolist())
        curve: Curve = []
        with bench.trial():
            for step, batch in enumerate(_batches(train, settings, seed, steps)):
                if step in moments:
                    curve.append((step, self.program.judged(bench, judged)))
                try:
                    loss = bench.step(batch)
                except PellucidError:
                    loss = math.nan
                if not math.isfinite(loss):
                    return [*curve, (step + 1, LOWEST)], step + 1
            curve.append((steps, self.program.judged(bench, judged)))
        if any(kind.programs for kind in bench._kinds.values()):
            self._eager = 0.0  # compiled once: the next one finds what was compiled
        return curve, steps


def _batches(rows: Rows, settings: dict[str, Any], seed: int, steps: int) -> Any:
    """Batches of rows in an order that the seed decides."""
    pair = tensors((rows.features, rows.targets))
    number = rows_in((pair[0],))
    size = min(int(settings.get("batch_size") or 64), number)
    random = np.random.default_rng(seed)
    made = 0
    while made < steps:
        order = random.permutation(number)
        for at in range(0, number - size + 1, size):
            if made == steps:
                return
            made += 1
            yield chosen(pair, as_tensor(np.ascontiguousarray(order[at : at + size])))
