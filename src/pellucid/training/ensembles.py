"""Many small networks as one program.

A small network leaves a processor idle: its step is over before the work is shared out.  Networks
of one shape therefore learn side by side (:mod:`pellucid.training.groups`): their step is one
program, which runs over stacks of weights, and each thread takes whole networks.  Settings that are
numbers may differ (learning rate, weight decay, dropout, seed), and each network gets what it gets
alone: its own first weights, order of rows, dropout, schedule and early stopping.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.input_layout import InputLayout
from pellucid.data.sources import PreparedData
from pellucid.tensor.crowd import can_be_crowd
from pellucid.tensor.random import get_rng_state, set_rng_state
from pellucid.training.config import TrainingConfig
from pellucid.training.groups import Group, Watch
from pellucid.training.job import RunResult, train_network
from pellucid.training.members import Template
from pellucid.training.network import parameter_shapes

FREE = frozenset(
    {"learning_rate", "l2", "l1", "momentum", "dropout", "seed", "epochs", "patience", "start"}
    | {"schedule", "warmup"}
)
"""Settings in which networks of one program may differ."""
MOST_WORK = 2e9
"""Multiplications and additions of a step from which on a network fills all threads by itself."""
MOST_EPOCH_WORK = 5e10
"""The same of an epoch: what takes longer is better trained with checkpoints."""
MOST_BYTES = 1 << 29
"""Memory for the weights and averages of networks that learn together, and for the data of each."""


def train_networks(
    prepared: PreparedData | Sequence[PreparedData],
    configs: Sequence[TrainingConfig],
    *,
    watch: Watch | None = None,
    ended: Callable[[], str] | None = None,
    train_losses: bool = False,
    repeat_failures: bool = True,
    look: bool = False,
) -> list[RunResult]:
    """The result of ``train_network`` for each of the settings, in their order; with pictures of
    the inside where ``look`` asks for them.

    ``prepared`` are the data of all networks, or those of each.  Networks whose settings differ in
    nothing but ``FREE``, and whose data have as many rows and features, are trained together where
    their rows are in memory and a step is small; the others one by one.

    ``watch(number, record)`` is told every epoch of every network and says whether it is to stop
    there (status ``stopped``).  ``ended()`` is asked between native calls whether all are to end: a
    status, such as ``out of time``, or nothing.  ``train_losses`` adds to the records the loss on
    training rows in evaluation mode, which costs time.  A network whose loss is not finite is
    trained once more by itself, which finds where that began and goes back to its last good
    weights, unless ``repeat_failures`` is False.
    """
    several = [config.ensemble for config in configs if config.ensemble > 1]
    if several:
        raise ArgumentError(
            phrase(
                "Each of these settings is one network, and one has ",
                Setting("ensemble", several[0]),
            ),
            "Give settings of single networks; train_model trains an ensemble.",
        )
    data = [prepared] * len(configs) if isinstance(prepared, PreparedData) else list(prepared)
    results: dict[int, RunResult] = {}
    for numbers in groups_of(data, configs):
        own, settings = [data[n] for n in numbers], [configs[n] for n in numbers]
        template = template_of(own, settings, train_losses)
        if template is None:
            found = [_alone(n, data[n], configs[n], watch, ended, look) for n in numbers]
        else:
            group = Group(template, own, settings, numbers, watch=watch, ended=ended, look=look)
            found = group.train()
            for place, result in enumerate(found):
                if result.failure is not None and repeat_failures:
                    found[place] = train_network(own[place], settings[place], watch=look)
        results.update(zip(numbers, found, strict=True))
    return [results[number] for number in range(len(configs))]


def groups_of(data: Sequence[PreparedData], configs: Sequence[TrainingConfig]) -> list[list[int]]:
    """Numbers of the networks that can learn together, in groups."""
    groups: dict[Any, list[int]] = {}
    for number, (prepared, config) in enumerate(zip(data, configs, strict=True)):
        groups.setdefault(_shape_of(prepared, config, number), []).append(number)
    found = []
    for numbers in groups.values():
        apart = any(data[n] is not data[numbers[0]] for n in numbers)
        most = most_together(data[numbers[0]], configs[numbers[0]], apart)
        found += [numbers[at : at + most] for at in range(0, len(numbers), most)]
    return found


def template_of(
    data: Sequence[PreparedData], configs: Sequence[TrainingConfig], train_losses: bool = False
) -> Template | None:
    """What the programs of a group are made from; None for one that has to be trained alone."""
    if len(configs) < 2:
        return None
    before = get_rng_state()
    try:
        template = Template(data[0], configs[0].for_rows(data[0].training_rows), train_losses)
    finally:
        set_rng_state(before)
    return template if all(map(can_be_crowd, template.programs())) else None


def _shape_of(prepared: PreparedData, config: TrainingConfig, number: int) -> Any:
    """Equal for networks that can be one program."""
    alone = not config.compile or config.accumulate > 1 or config.max_minutes > 0
    alone |= bool(config.base)
    if alone or prepared.stream is not None or not len(prepared.train):
        return number
    values = {n: v for n, v in dataclasses.asdict(config).items() if n not in FREE}
    switches = [bool(v) for v in (config.dropout, config.weight_decay, config.l1, config.momentum)]
    train, held, task = prepared.train, prepared.validation, prepared.task
    rows = (train.features.shape, held.features.shape, train.weights is None, held.weights is None)
    kind = (task.kind, task.output_units, task.loss, repr(prepared.row_shape))
    # What a step holds of the data besides their rows: weights of classes, what black is.
    row = prepared.row_shape
    images = prepared.image_shape is not None or (isinstance(row, InputLayout) and row.pictures)
    own = config.class_weight != "none" or images
    apart = id(prepared) if own else 0
    return repr((values, switches, rows, kind, apart))


def most_together(prepared: PreparedData, config: TrainingConfig, apart: bool) -> int:
    """How many networks of this shape may learn together; ``apart`` with data of each."""
    shapes = parameter_shapes(prepared.row_shape, config, prepared.task.output_units)
    numbers = sum(math.prod(shape) for shape in shapes.values())
    row = prepared.row_shape
    images = [row] if config.model == "cnn" else []
    if isinstance(row, InputLayout):
        images = [picture.shape for picture in row.pictures]
    if images:  # each weight is used at every place
        numbers *= max(math.prod(image[:2]) for image in images)
    rows = prepared.training_rows
    if 6 * numbers * config.batch_size > MOST_WORK or 6 * numbers * rows > MOST_EPOCH_WORK:
        return 1
    own = sum(part.features.nbytes for part in (prepared.train, prepared.validation))
    return max(1, int(MOST_BYTES // (24 * numbers + own * apart)))


def _alone(
    number: int,
    prepared: PreparedData,
    config: TrainingConfig,
    watch: Watch | None,
    ended: Callable[[], str] | None,
    look: bool,
) -> RunResult:
    """One network by itself, told and ended like the others."""
    status = ""

    def callback(event: Any) -> None:
        nonlocal status
        stops = False
        if event.kind == "epoch" and watch is not None:
            stops = watch(number, event.facts["record"])
        status = ended() if ended is not None else ""
        if stops or status:
            event.trainer.stop()

    told = [callback] if watch is not None or ended is not None else []
    result = train_network(prepared, config, told, watch=look)
    if status and result.history.status == "stopped":
        result.history.status = status
    return result
