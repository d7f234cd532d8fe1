"""What a watch knows of each optimizer's training: losses, sampled steps, statistics."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.case import Case, Rows
from pellucid.insight.doctor.loop_bench import LoopBench
from pellucid.insight.doctor.steps import Call, Constant, Leaf, RecordedStep
from pellucid.nn.module import Module
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import joined, leaves
from pellucid.training.doctoring import first_weights

KEPT_FIRST = 2
KEPT_LAST = 6
"""Steps that are kept to be repeated: the first ones and the newest."""
MOST_RECORDS = 500
"""Records of statistics that are kept; of more, every second is dropped."""
MOST_ROWS = 4096
"""Rows of recorded batches that are put together."""
OFTEN = 200_000
"""Gradients of networks up to this size are looked at in every step."""
NEVER_RESET = 3
"""Gradients that were still there at so many steps were forgotten."""


@dataclass
class Track:
    """The training of one optimizer, as it is seen from outside.

    ``losses`` is the loss of each step, ``fresh`` whether gradients began anew since the last
    step, ``kept`` at how many steps they did not; ``shortened`` are norms of gradients before and
    after what the program did to them between ``backward()`` and the step.
    """

    optimizer: Any
    model: Any = None
    losses: list[float] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    first: list[RecordedStep] = field(default_factory=list)
    last: deque[RecordedStep] = field(default_factory=lambda: deque(maxlen=KEPT_LAST))
    steps: int = 0
    rows: int = 0
    kept: int = 0
    fresh: bool = False
    backwards: int = 0
    most_backwards: int = 0
    cleared: int = 0
    """Steps that followed a backward pass and found all gradients 0."""
    evaluating: int = 0
    """Steps in which the model was in evaluation mode."""
    _elements: int = 0
    shortened: list[tuple[float, float]] = field(default_factory=list)
    begun: dict[int, Any] = field(default_factory=dict)
    """id of a parameter → its value when the watch began."""
    rates: list[float] = field(default_factory=list)
    """The largest learning rate of each step that was seen."""
    span: list[int] = field(default_factory=list)
    """The watch's steps in which this optimizer made its first and its last one."""

    def __post_init__(self) -> None:
        if self.optimizer is not None:
            self.begun = first_weights({id(p): p for p in self.parameters})

    @property
    def parameters(self) -> list[Any]:
        """What the optimizer changes, in its order."""
        if self.optimizer is None:
            return [] if self.model is None else list(self.model.parameters())
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def recorded(self) -> list[RecordedStep]:
        """The steps that can be repeated, oldest first."""
        return [*self.first, *self.last]

    def remember(self, step: RecordedStep) -> None:
        """Keep a step."""
        (self.first if len(self.first) < KEPT_FIRST else self.last).append(step)

    def record(self, found: dict[str, Any]) -> None:
        """Keep statistics of a step."""
        self.records.append(found)
        if len(self.records) > MOST_RECORDS:
            middle = self.records[MOST_RECORDS // 10 :: 2]
            self.records[MOST_RECORDS // 10 :] = middle

    # ---- gradients -----------------------------------------------------------------------------

    def look_at_gradients(self) -> None:
        """Before a backward pass: whether gradients begin anew."""
        self.backwards += 1
        if not self.fresh:
            self.fresh = not any(stands(parameter) for parameter in self.parameters[:8])

    def look_before_step(self, is_pending: bool) -> None:
        """Before the optimizer's step: whether what a backward pass gave is still there."""
        if is_pending and not any(stands(parameter) for parameter in self.parameters[:8]):
            self.cleared += 1

    def has_finite_gradients(self, always: bool) -> bool:
        """Whether all gradients are finite; large networks are looked at now and then, unless
        ``always``."""
        if not always and self._size() > OFTEN and self.steps % 10:
            return True
        for parameter in self.parameters:
            gradient = parameter._grad
            array = gradient._cell.array if isinstance(gradient, TensorCore) else None
            if array is None or array.dtype.kind != "f":
                continue
            flat = array.reshape(-1)
            if not math.isfinite(float(np.dot(flat, flat))) and not np.isfinite(flat).all():
                return False
        return True

    def _size(self) -> int:
        if not self._elements:
            self._elements = sum(int(p.numel()) for p in self.parameters)
        return self._elements

    def stepped(self, loss: float) -> None:
        """The optimizer has made a step."""
        if self.steps and self.backwards and not self.fresh:
            self.kept += 1
        self.most_backwards = max(self.most_backwards, self.backwards)
        self.losses.append(loss)
        self.steps += 1
        self.backwards, self.fresh = 0, False
        if self.optimizer is not None:
            self.rates.append(max(map(_rate, self.optimizer.param_groups), default=math.nan))

    def ends_before(self, other: Track) -> bool:
        """Whether the other one trains the same weights, or some of them, after this one's last
        step: a second phase, on whose weights the first one cannot be judged."""
        if not self.span or not other.span or self.span[1] >= other.span[0]:
            return False
        mine = {id(p) for p in self.parameters}
        shares = any(id(p) in mine for p in other.parameters)
        return shares or (self.model is not None and self.model is other.model)

    @property
    def clip_norm(self) -> float:
        """The norm that the program shortens gradients to, 0 where it does not."""
        cut = [b for a, b in self.shortened if a > b * 1.001]
        whole = [b for a, b in self.shortened if a <= b * 1.001]
        if not cut or max(cut) - min(cut) > 0.01 * max(cut):
            return 0.0
        return float(np.mean(cut)) if all(b <= cut[0] * 1.01 for b in whole) else 0.0

    def see_clipping(self, record: dict[str, Any]) -> None:
        """Compare the gradients as ``backward()`` made them with those that the optimizer got."""
        made = [v["norm"] for v in record.get("parameter_gradient", {}).values()]
        got = [p._grad.array() for p in self.parameters if isinstance(p._grad, TensorCore)]
        if made and len(made) == len(got):
            norm = float(np.sqrt(sum(float(np.vdot(g, g).real) for g in got)))
            self.shortened.append((float(np.linalg.norm(made)), norm))

    # ---- the case ------------------------------------------------------------------------------

    def case(self, names: dict[int, str], others: list[Any], loss: Any = None) -> Case:
        """What is known of this training."""
        case = Case(model=self.model, loss=loss, optimizer=self.optimizer)
        case.step, case.losses, case.records = self.steps, list(self.losses), list(self.records)
        case.phase = "during" if self.steps else "before"
        if self.recorded:
            self._fill(case, names, others)
        case.settings["clip_norm"] = self.clip_norm
        case.settings["accumulate"] = max(1, self.most_backwards)
        own = {} if self.model is None else {id(p): n for n, p in self.model.named_parameters()}
        first = {own[key]: value for key, value in self.begun.items() if key in own}
        if first:
            case.notes["first weights"] = first
        case.notes["rates"] = self.rates
        case.notes["gradients cleared"] = self.cleared if self.cleared >= self.steps > 2 else 0
        case.notes["gradients kept"] = self.kept
        case.notes["gradients never reset"] = self.steps > NEVER_RESET and (
            self.kept >= max(NEVER_RESET, self.steps - 2)
        )
        case.notes["trained in evaluation mode"] = self.evaluating
        return case

    def _fill(self, case: Case, names: dict[int, str], others: list[Any]) -> None:
        steps = self.recorded
        newest = steps[-1]
        case.line = newest.line
        models = [m for m in (self.model, *others) if isinstance(m, Module)]
        case.bench = LoopBench(models, self.optimizer, steps, names, self.clip_norm)
        calls = newest.calls_of(self.model)
        if not calls:
            return
        call = calls[-1]
        found = newest.loss_after(calls)
        if case.loss is None:
            bare = found.form is not None and not found.lead and found.form.is_bare(call)
            case.loss = found.function if bare else found
            case.notes["loss name"] = found.__name__
        case.train = self._rows(steps)
        if case.train is None:
            return
        case.settings["batch_size"] = _rows_of(newest, call)
        if self._is_plain(newest, call, found):
            batches = [batch for step in steps for batch in _batches(step, self.model)]
            case.bench = ModelBench(
                self.model, case.loss, self.optimizer, batches, clip_norm=self.clip_norm
            )

    def _is_plain(self, step: RecordedStep, call: int, found: Any) -> bool:
        """Whether a step is the loss of (outputs, targets) and nothing else."""
        alone = len(step.outputs) == 1 and step.outputs[0][1] is None
        constant = all(isinstance(source, Constant) for source in step.steps[call].sources)
        whole = step.steps[call].function is self.model
        calls = [n for n in step._needed() if isinstance(step.steps[n], Call)]
        trained = [n for n in calls if any(True for _ in _parameters(step.steps[n]))]
        repeatable = found.form is not None and found.form.is_repeatable(call)
        return alone and constant and whole and trained == [call] and repeatable

    def _rows(self, steps: list[RecordedStep]) -> Rows | None:
        """Features and targets of the recorded steps, put together where their shapes agree."""
        batches: list[Any] = []
        count = 0
        for step in steps:
            for batch in _batches(step, self.model):
                if batches and _form(batches[0]) != _form(batch):
                    continue
                batches.append(batch)
                count += int(next(leaves(batch[0])).shape[0])
            if count >= MOST_ROWS:
                break
        if not batches:
            return None
        whole = joined(batches) if len(batches) > 1 else batches[0]
        return Rows(whole[0], whole[1], max(self.rows, count))


def _rate(group: Any) -> float:
    try:
        return float(group.get("lr", math.nan))
    except (TypeError, ValueError):
        return math.nan


def _parameters(call: Any) -> Any:
    function = call.function
    return function.parameters() if hasattr(function, "parameters") else ()


def _batches(step: RecordedStep, model: Any) -> list[Any]:
    """(features, targets) of a step: one pair for each call of the model, where each has targets
    of its own."""
    calls = step.calls_of(model)
    # What gradients are asked for is no example, and what other weights follow is no answer yet.
    if not calls or any(_is_asked(step, call) for call in calls) or _goes_on(step, calls, model):
        return []
    targets = step.loss_after(calls).targets
    if targets is None:
        return []
    if len(calls) == 1:
        several = isinstance(targets, tuple)
        listed = [tuple(map(as_tensor, targets)) if several else as_tensor(targets)]
    elif isinstance(targets, tuple) and len(targets) == len(calls):
        listed = [as_tensor(target) for target in targets]
    else:
        return []
    features = [_features(step, call) for call in calls]
    if any(found is None for found in features):
        return []
    return list(zip(features, listed, strict=True))


def _is_asked(step: RecordedStep, call: int) -> bool:
    """Whether gradients are asked for what a call was given, as equations of physics do."""
    made: Any = step.steps[call]
    return any(isinstance(s, Leaf) and not _is_weight(s.tensor) for s in made.sources)


def _is_weight(tensor: Any) -> bool:
    return type(tensor).__name__ == "Parameter"


def _goes_on(step: RecordedStep, calls: list[int], model: Any) -> bool:
    """Whether weights that are not the model's stand between its answer and the loss."""
    if not isinstance(model, Module):
        return False
    own = {id(p) for p in model.parameters()}
    needed = step._needed()
    return any(
        isinstance(source, Leaf) and id(source.tensor) not in own
        for number in range(max(calls) + 1, len(step.steps)) if number in needed
        for source in step.steps[number].sources
    )  # fmt: skip


def _features(step: RecordedStep, call: int) -> Any:
    """What a call was given, None where its first tensor has no rows."""
    args, kwargs = step.inputs_of(call)
    found: Any = args[0] if len(args) == 1 and not kwargs else (args or kwargs)
    first = next((t for t in leaves((found,)) if isinstance(t, TensorCore)), None)
    plain = all(isinstance(t, TensorCore) for t in leaves((found,)))
    return found if first is not None and first.shape and plain else None


def _form(batch: Any) -> list[tuple[int, ...]]:
    return [tuple(t.shape[1:]) for t in leaves(batch)]


def _rows_of(step: RecordedStep, call: int) -> int:
    args, kwargs = step.inputs_of(call)
    first = next((t for t in leaves((args, kwargs)) if isinstance(t, TensorCore)), None)
    return int(first.shape[0]) if first is not None and first.shape else 1


def stands(parameter: Any) -> bool:
    """Whether a gradient stands in a parameter, and is not all zeros."""
    known = parameter._grad
    if known is None:
        return False
    if not isinstance(known, TensorCore):
        return True
    array = known._cell.array
    return array is None or bool(array.reshape(-1)[:256].any())
