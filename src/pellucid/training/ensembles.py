"""Many small networks as one program.

A small network leaves a processor idle: its step is over before the work is shared out.  Networks
of one shape are therefore stacked, parameter by parameter, and one step trains all of them:
``vmap`` over the parameters, the rows of a batch and the random numbers.  Settings that are numbers
may differ (learning rate, weight decay, dropout, seed), and each network gets what it gets alone,
to rounding: its own first weights, order of rows, dropout and early stopping.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import nn, optim
from pellucid.base.errors import NonFiniteError
from pellucid.data.sources import PreparedData
from pellucid.func.modules import functional_call
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.random import default_generator, get_rng_state, rand_like, set_rng_state
from pellucid.tensor.vmap import vmap
from pellucid.training.config import DEFAULT_EPOCHS, OPTIMIZERS, TrainingConfig
from pellucid.training.history import EpochRecord, History
from pellucid.training.job import (
    RunResult,
    headline_metric,
    train_network,
    untrained_network,
)
from pellucid.training.metrics import row_losses
from pellucid.training.network import (
    build_loss,
    build_network,
    predictions_of,
    target_array,
)
from pellucid.training.stepping import SLICE_SECONDS

FREE = frozenset({"learning_rate", "l2", "dropout", "seed", "epochs", "patience", "start"})
"""Settings in which networks of one program may differ."""
_SHAPE = frozenset(
    "model channels widths activation initialization loss optimizer momentum batch_size threads "
    "fractions compile".split()
)
"""Settings that the networks of one program have in common; all others are as by default."""
_STACKABLE = ("adamw", "adam", "sgd")
_DEFAULTS = dataclasses.asdict(TrainingConfig())
_BLOCK = 4096

Arrays = dict[str, npt.NDArray[Any]]


def train_networks(prepared: PreparedData, configs: Sequence[TrainingConfig]) -> list[RunResult]:
    """The result of ``train_network`` for each of the settings, in their order, without pictures of
    the inside.

    Settings that differ in nothing but ``FREE``, with AdamW, Adam or SGD and none of L1, clipping,
    averages, accumulation, a schedule, batch norm and the like, are trained together as one program
    where rows have no weights and are in memory; the others one by one.
    """
    results: list[RunResult | None] = [None] * len(configs)
    groups: dict[Any, list[int]] = {}
    together = prepared.train.weights is None and prepared.stream is None
    for position, config in enumerate(configs):
        shape = _shape_of(config, position) if together else position
        groups.setdefault(shape, []).append(position)
    for positions in groups.values():
        if len(positions) == 1:
            at = positions[0]
            results[at] = train_network(prepared, configs[at], watch=False)
            continue
        found = _Stack(prepared, [configs[p] for p in positions]).train()
        for at, result in zip(positions, found, strict=True):
            results[at] = result
    return [result for result in results if result is not None]


def _shape_of(config: TrainingConfig, position: int) -> Any:
    """Equal for settings that can be one program."""
    values = dataclasses.asdict(config)
    plain = all(values[n] == v for n, v in _DEFAULTS.items() if n not in FREE | _SHAPE)
    if not plain or config.optimizer not in _STACKABLE or not config.compile:
        return position
    return tuple(values[name] for name in sorted(_SHAPE))


class _MemberDropout(nn.Module):
    """Dropout whose probability is a tensor: of the network at hand in a stack."""

    def __init__(self, shared: dict[str, Any]) -> None:
        super().__init__()
        self.shared = shared

    def forward(self, x: Any) -> Any:
        """The input, in training with random elements dropped."""
        if not self.training:
            return x
        kept = rand_like(x) >= self.shared["dropout"]
        return x * (kept.to(x.dtype) * self.shared["scale"])


@contextmanager
def _drawing_from(state: Any) -> Iterator[None]:
    """Inside, random numbers come from ``state``, which they move on."""
    before = default_generator._state
    default_generator._state = state
    try:
        yield
    finally:
        default_generator._state = before


class _Member:
    """One network of a stack: its settings, how far it is, and its best weights."""

    def __init__(self, prepared: PreparedData, config: TrainingConfig) -> None:
        self.config = config.for_rows(len(prepared.train))
        self.model, self.linear = untrained_network(prepared, self.config)
        self.random_state = get_rng_state().numpy()
        self.start = [np.array(p.detach().numpy()) for p in self.model.parameters()]
        self.best = self.start
        self.history = History()
        self.lowest, self.waited, self.running = math.inf, 0, True
        self.failure: Exception | None = None

    def order(self, rows: int, epoch: int) -> npt.NDArray[np.int64]:
        """The order of rows in an epoch, as ``ArrayRows`` has it."""
        return np.random.Generator(np.random.PCG64([self.config.seed, epoch])).permutation(rows)

    def finish_epoch(self, record: EpochRecord, arrays: Arrays, position: int) -> None:
        """Early stopping, as ``Fit`` does it."""
        history, config = self.history, self.config
        values = [record.loss, record.validation_loss]
        if not all(math.isfinite(v) for v in values if v is not None):
            history.status, self.running = "not finite", False
            self.failure = NonFiniteError(
                f"NaN or infinity appeared in epoch {record.epoch}",
                "Use a smaller learning rate. The best weights so far are kept.",
            )
            return
        history.epochs.append(record)
        history.steps = record.steps
        if record.validation_loss is None or record.validation_loss < self.lowest:
            self.lowest = math.inf if record.validation_loss is None else record.validation_loss
            self.waited, history.best_epoch = 0, record.epoch
            self.best = [np.array(a[position]) for a in arrays.values()]
        else:
            self.waited += 1
        if config.patience and self.waited >= config.patience:
            history.status, self.running = "stopped early", False
        elif record.epoch >= (config.epochs or DEFAULT_EPOCHS):
            self.running = False

    def load(self, weights: Sequence[npt.NDArray[Any]]) -> None:
        """These weights into the model."""
        with no_grad():
            for parameter, values in zip(self.model.parameters(), weights, strict=True):
                np.copyto(parameter.detach().numpy(), values)


class _Stack:
    """Networks of one shape that are trained in one program."""

    def __init__(self, prepared: PreparedData, configs: Sequence[TrainingConfig]) -> None:
        self.prepared = prepared
        state = get_rng_state()
        self.members = [_Member(prepared, config) for config in configs]
        task, first = prepared.task, self.members[0].config
        self.loss = build_loss(first.loss_for(task.kind, task.loss))
        self.metric = headline_metric(prepared)
        self.template = self._template()
        set_rng_state(state)
        train = prepared.train
        self.features = as_tensor(train.features)
        self.targets = as_tensor(target_array(task.kind, train.targets))
        self.compile_seconds, self._rate = 0.0, 0.0
        self._build()

    def _template(self) -> Any:
        """The network whose forward pass all share; dropout reads the member's probability."""
        configs = [m.config for m in self.members]
        most = max(c.dropout for c in configs)
        config = dataclasses.replace(configs[0], dropout=most)
        units = self.prepared.task.output_units
        model = build_network(self.prepared.row_shape, config, units)
        self.shared: dict[str, Any] = {}
        for position, layer in enumerate(model):
            if isinstance(layer, nn.Dropout):
                model[position] = _MemberDropout(self.shared)
        self.drops = most > 0
        return model

    # ---- the program -----------------------------------------------------------------------

    def _build(self) -> None:
        """Stacked parameters of the members that run, their optimizer and the programs."""
        self.running = [m for m in self.members if m.running]
        configs = [m.config for m in self.running]
        names = [name for name, _ in self.template.named_parameters()]
        stacked = zip(*(m.best for m in self.running), strict=True)
        self.arrays: Arrays = {n: np.stack(p) for n, p in zip(names, stacked, strict=True)}
        self.parameters = {n: as_tensor(a).requires_grad_() for n, a in self.arrays.items()}
        self.states = as_tensor(np.stack([m.random_state for m in self.running]))
        dropout = np.array([c.dropout for c in configs])
        self.dropout = as_tensor(dropout.astype(np.float32))
        self.scale = as_tensor((1.0 / (1.0 - dropout)).astype(np.float32))
        self.optimizer = self._optimizer(configs)
        self._scores: Any = None
        self._step = compile_function(self._learn)
        self._losses = compile_function(lambda s, t: vmap(self.loss, (0, None))(s, t))

    def _optimizer(self, configs: Sequence[TrainingConfig]) -> optim.Optimizer:
        """The optimizer of all: one group for each number of axes, with a rate for each member."""
        first = configs[0]
        make: Any = getattr(optim, OPTIMIZERS[first.optimizer])
        rates = np.array([c.learning_rate for c in configs])
        decays = np.array([c.weight_decay for c in configs])
        self.decays: dict[str, Any] = {}
        groups: dict[int, dict[str, Any]] = {}
        for name, parameter in self.parameters.items():
            shape = (-1, *[1] * (parameter.dim() - 1))
            group = groups.setdefault(parameter.dim(), {"params": [], "weight_decay": 0.0})
            group["params"].append(parameter)
            if name.endswith("weight") and decays.any():
                factor = 1.0 - rates * decays if first.optimizer == "adamw" else decays
                self.decays[name] = as_tensor(factor.astype(np.float32).reshape(shape))
        extra = {"momentum": first.momentum} if first.optimizer == "sgd" else {}
        optimizer: optim.Optimizer = make(list(groups.values()), **extra)
        for axes, group in zip(groups, optimizer.param_groups, strict=True):
            group["lr"] = as_tensor(rates.astype(np.float32).reshape(-1, *[1] * (axes - 1)))
        self.direct = first.optimizer == "adamw"
        return optimizer

    def _loss_of(self, parameters: Any, rows: Any, dropout: Any, scale: Any, state: Any) -> Any:
        """One member's loss on its batch."""
        self.shared.update(dropout=dropout, scale=scale)
        features = self.features.index_select(0, rows)
        with _drawing_from(state):
            scores = functional_call(self.template, parameters, (features,))
        return self.loss(scores, self.targets.index_select(0, rows))

    def _learn(self, rows: Any) -> Any:
        """A step of every member on its line of ``rows`` (members, batch); their losses."""
        losses = vmap(self._loss_of, randomness="different")(
            self.parameters, rows, self.dropout, self.scale, self.states
        )
        self.optimizer.zero_grad()
        losses.sum().backward()
        with no_grad():
            for name, factor in self.decays.items():
                parameter = self.parameters[name]
                if self.direct:
                    parameter.mul_(factor)
                else:
                    parameter.grad = parameter.grad + parameter * factor
        self.optimizer.step()
        return losses.detach()

    def _scored(self, features: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Scores of all members on the same rows: (members, rows, outputs)."""
        if self._scores is None:
            forward = vmap(lambda p, x: functional_call(self.template, p, (x,)), (0, None))
            self._scores = compile_function(lambda x: forward(self.parameters, x))
        self.template.eval()
        with no_grad():
            parts = [
                np.array(self._scores(as_tensor(features[at : at + _BLOCK])).numpy())
                for at in range(0, len(features), _BLOCK)
            ]
        self.template.train()
        return np.concatenate(parts, axis=1)

    # ---- training --------------------------------------------------------------------------

    def train(self) -> list[RunResult]:
        """All epochs of all members."""
        start = time.perf_counter()
        starts = self._start_losses()
        epoch = 0
        while any(m.running for m in self.members):
            epoch += 1
            before = time.perf_counter()
            losses, steps, rows = self._epoch(epoch)
            validation, metrics = self._validated()
            now = time.perf_counter()
            for position, member in enumerate(self.running):
                if member.running:
                    record = EpochRecord(
                        epoch=epoch,
                        loss=float(losses[position]),
                        validation_loss=validation[position],
                        metric=metrics[position],
                        learning_rate=member.config.learning_rate,
                        steps=steps * epoch,
                        rows_per_second=rows / max(now - before, 1e-9),
                        seconds=now - start,
                    )
                    member.finish_epoch(record, self.arrays, position)
        seconds = time.perf_counter() - start
        return [self._result(m, s, seconds) for m, s in zip(self.members, starts, strict=True)]

    def _epoch(self, epoch: int) -> tuple[npt.NDArray[Any], int, int]:
        """One pass; mean losses (members,), steps and rows."""
        count = len(self.prepared.train)
        orders = np.stack([m.order(count, epoch) for m in self.running])
        size = min(self.running[0].config.batch_size, count)
        full = count // size
        lines = orders[:, : full * size].reshape(len(orders), full, size).transpose(1, 0, 2)
        total = np.zeros(len(orders))
        for part in self._slices(lines):
            total += part.sum(axis=0, dtype=np.float64) * size
        rest = orders[:, full * size :]
        if rest.shape[1]:
            last = self._step(as_tensor(np.ascontiguousarray(rest)))
            total += last.numpy().astype(np.float64) * rest.shape[1]
        for name, parameter in self.parameters.items():
            self.arrays[name] = parameter.detach().numpy()
        return total / count, full + bool(rest.shape[1]), count

    def _slices(self, lines: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[Any]]:
        """The losses of some steps at a time (steps, members)."""
        at = 0
        while at < len(lines):
            until = min(len(lines), at + max(1, int(self._rate * SLICE_SECONDS)))
            begun = time.perf_counter()
            some = as_tensor(np.ascontiguousarray(lines[at:until]))
            if not self._rate:
                yield self._step(some[0]).numpy()[None]
                self.compile_seconds = time.perf_counter() - begun
                self._rate, at = 1.0 / SLICE_SECONDS, at + 1
                continue
            yield self._step.many(until - at, some).numpy().reshape(until - at, -1)
            self._rate = (until - at) / max(time.perf_counter() - begun, 1e-7)
            at = until

    def _validated(self) -> tuple[list[float | None], list[float | None]]:
        """Validation loss and metric of each member, None without validation rows."""
        part, empty = self.prepared.validation, [None] * len(self.running)
        if not len(part):
            return list(empty), list(empty)
        scores = self._scored(part.features)
        targets = target_array(self.prepared.task.kind, part.targets)
        with no_grad():
            losses = self._losses(as_tensor(scores), as_tensor(targets)).tolist()
        finite = [bool(np.isfinite(s).all()) for s in scores]
        pairs = zip(scores, finite, strict=True)
        return list(losses), [float(self.metric(s, targets)) if f else None for s, f in pairs]

    # ---- the start, and the end ------------------------------------------------------------

    def _row_losses(self, member: _Member, scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        part, task = self.prepared.validation, self.prepared.task
        return row_losses(task, part.targets, predictions_of(task, scores, None))

    def _start_losses(self) -> list[npt.NDArray[np.float64] | None]:
        """Losses of the validation rows before training, of members that begin as linear models."""
        if not len(self.prepared.validation) or not any(m.linear for m in self.members):
            return [None] * len(self.members)
        scores = self._scored(self.prepared.validation.features)
        pairs = zip(self.members, scores, strict=True)
        return [self._row_losses(m, s) if m.linear else None for m, s in pairs]

    def _result(
        self, member: _Member, start: npt.NDArray[np.float64] | None, seconds: float
    ) -> RunResult:
        """A member with its best weights; with the first ones where training gained nothing."""
        member.load(member.best)
        member.history.seconds = seconds
        member.history.compile_seconds = self.compile_seconds
        loss = member.config.loss_for(self.prepared.task.kind, self.prepared.task.loss)
        config = member.config
        result = RunResult(self.prepared, config, member.model, member.history, loss, None, None)
        result.failure = member.failure
        if start is not None:
            scores = self._alone(member)
            gain = start - self._row_losses(member, scores)
            if float(gain.mean()) <= float(gain.std()) / max(1.0, len(gain) - 1.0) ** 0.5:
                member.load(member.start)
                member.history.best_epoch = 0
        return result

    def _alone(self, member: _Member) -> npt.NDArray[Any]:
        """One member's scores of the validation rows, without a program."""
        member.model.eval()
        with no_grad():
            scores = member.model(as_tensor(self.prepared.validation.features)).numpy()
        member.model.train()
        return np.asarray(scores)
