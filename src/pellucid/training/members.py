"""One network of a group that learns together, and the network whose programs serve all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.base.errors import NonFiniteError
from pellucid.data.sources import PreparedData
from pellucid.nn.modes import evaluation
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.functions import where
from pellucid.tensor.program import Program
from pellucid.tensor.random import get_rng_state, rand_like
from pellucid.tensor.state import host_value, watch
from pellucid.training.capture import named_tensors
from pellucid.training.config import DEFAULT_EPOCHS, TrainingConfig
from pellucid.training.fitting import SAMPLE_ROWS, interval_of
from pellucid.training.history import History
from pellucid.training.inference import MAX_BLOCK
from pellucid.training.job import (
    check_settings,
    look_inside,
    part_rows,
    run_trainer,
    untrained_network,
)
from pellucid.training.metrics import HEADLINES
from pellucid.training.network import build_optimizer, build_schedule

Array = npt.NDArray[Any]
Rows = tuple[Array, ...]
_NUMBERS = ("lr", "momentum", "betas", "weight_decay", "l1")
"""What settings and schedules change in an optimizer's groups."""


class MemberDropout(nn.Module):
    """Dropout whose probability is a number that the program reads: that of the member at hand."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """The input, in training with random elements dropped, as by ``nn.Dropout``."""
        if not self.training:
            return x
        watch(self)
        p, scale = host_value(lambda: self.p), host_value(lambda: 1.0 / (1.0 - self.p))
        kept = (rand_like(x) >= p.to(x.dtype)).to(x.dtype)
        return x * (kept * scale.to(x.dtype))


class Member:
    """One network of a group: its settings, how far it is, and what it has reached."""

    def __init__(
        self,
        number: int,
        prepared: PreparedData,
        config: TrainingConfig,
        solution: Any = None,
        look: bool = False,
    ) -> None:
        self.number, self.prepared = number, prepared
        self.config = config.for_rows(prepared.training_rows)
        check_settings(prepared, self.config)
        self.model, self.linear = untrained_network(prepared, self.config, solution=solution)
        self.random_state = get_rng_state().numpy()
        self.problems: list[Exception] = []
        self.before = look_inside(self.model, prepared, self.problems) if look else None
        self.start = {n: np.array(t.detach().numpy()) for n, t in named_tensors(self.model)}
        self.optimizer = build_optimizer(self.model, self.config)
        rows = prepared.training_rows
        self.schedule = build_schedule(self.optimizer, self.config, rows)
        self.optimizer._stepped = True  # by the native program, for the schedule to know
        asked = "step" if self.config.warmup or self.config.schedule == "one_cycle" else None
        by = None if self.schedule is None else interval_of(self.schedule, asked)
        self.by_step = by == "step"
        """Whether the schedule goes on after every step."""
        self.by_loss = bool(getattr(self.schedule, "watches_metric", False))
        """Whether it goes by the loss of an epoch."""
        self.rates = [self.rate]
        """Learning rates of the epochs that are run next, as records show them."""
        self.history = History(metric_name=HEADLINES[prepared.task.kind])
        self.failure: Exception | None = None
        self.start_losses: npt.NDArray[np.float64] | None = None
        self.best_scores: Array | None = None

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def epochs(self) -> int:
        """How many there are at most."""
        return self.config.epochs or DEFAULT_EPOCHS

    def fail(self, epoch: int) -> None:
        """A loss was not finite."""
        self.history.status = "not finite"
        self.failure = NonFiniteError(
            f"NaN or infinity appeared in epoch {epoch}",
            "Use a smaller learning rate. The best weights so far are kept.",
        )

    def load(self, weights: Mapping[str, Array]) -> None:
        """These weights into the model."""
        with no_grad():
            for name, tensor in named_tensors(self.model):
                np.copyto(tensor.detach().numpy(), weights[name])


class Template:
    """The network whose step and validation are compiled, once for all members."""

    def __init__(self, prepared: PreparedData, config: TrainingConfig, train_losses: bool) -> None:
        plain = dataclasses.replace(config, start="random")
        self.model, _ = untrained_network(prepared, plain)
        self.drops = [i for i, layer in enumerate(self.model) if isinstance(layer, nn.Dropout)]
        for place in self.drops:
            self.model[place] = MemberDropout(self.model[place].p)
        self.trainer = run_trainer(prepared, config, self.model)
        self.trainer._begin_average()
        self.validated = self.trainer.validated
        rows = part_rows(prepared, prepared.train)
        source: Any = self.trainer._source(rows, config.batch_size, True, None)
        self.data = source.arrays
        self.rows, self.size = source.rows, source.size
        self.full, self.ragged = divmod(self.rows, self.size)
        self.model.train()
        self.steps = [(source.steps.program(self.size), self.full)]
        if self.ragged:
            self.steps.append((source.steps.program(self.ragged), 1))
        self.measures: list[tuple[Program, Program]] = []
        self.kept = [tensor for _, tensor in named_tensors(self.validated)]
        self.best = [as_tensor(np.zeros(t.shape, t.detach().numpy().dtype)) for t in self.kept]
        self.lowest = as_tensor(np.float32(np.inf))
        self.waited, self.patience = as_tensor(np.int64(0)), as_tensor(np.int64(0))
        self.keep: Program | None = None
        if len(prepared.validation):
            self._measure(part_rows(prepared, prepared.validation))
            with no_grad():
                self.keep = compile_function(self._keep).program_for(self.lowest.clone())
            if train_losses:
                self._measure(sample_of(rows))

    def _measure(self, rows: Rows) -> None:
        """Programs for the scores of a block of rows, and for the loss of all rows."""
        block = min(len(rows[0]), MAX_BLOCK)
        with evaluation(self.validated), no_grad():
            features = as_tensor(np.zeros((block, *rows[0].shape[1:]), rows[0].dtype))
            validated = self.validated
            score = compile_function(lambda x: validated(x)).program_for(features)
            (_, *units), dtype = score.result_specs[0]
            scores = as_tensor(np.zeros((len(rows[0]), *units), dtype.numpy))
            loss = compile_function(self.trainer.loss_of_scores)
            made = (score, loss.program_for(scores, *(as_tensor(part) for part in rows[1:])))
        self.measures.append(made)

    def _keep(self, loss: Any) -> None:
        """After an epoch, in native code: the best weights so far, until early stopping."""
        runs = (self.patience == 0) | (self.waited < self.patience)
        better = runs & (loss < self.lowest)
        for best, tensor in zip(self.best, self.kept, strict=True):
            best.copy_(where(better, tensor.detach(), best))
        self.lowest.copy_(where(better, loss, self.lowest))
        self.waited.copy_(where(better, self.waited * 0, self.waited + 1))

    def programs(self) -> list[Program]:
        """All of them."""
        found = [program for program, _ in self.steps] + [p for two in self.measures for p in two]
        return found if self.keep is None else [*found, self.keep]

    def take_numbers(self, member: Member) -> None:
        """The member's learning rate, weight decay, dropout and the like."""
        groups = self.trainer.optimizer.param_groups
        for group, own in zip(groups, member.optimizer.param_groups, strict=True):
            for name in _NUMBERS:
                if name in own and group[name] != own[name]:
                    group[name] = own[name]
        for place in self.drops:
            self.model[place].p = member.config.dropout


def sample_of(rows: Rows) -> Rows:
    """The training rows on which the loss is measured in evaluation mode, as by ``Trainer.fit``."""
    count = len(rows[0])
    chosen = np.unique(np.linspace(0, count - 1, min(SAMPLE_ROWS, count)).astype(np.int64))
    return tuple(part[chosen] for part in rows)


def in_blocks(features: Array, block: int) -> Array:
    """(rows, …) → (blocks, block, …); rows that are missing are copies of the last."""
    count = -(-len(features) // block)
    missing = count * block - len(features)
    if missing:
        features = np.concatenate([features, np.repeat(features[-1:], missing, axis=0)])
    return np.ascontiguousarray(features).reshape(count, block, *features.shape[1:])
