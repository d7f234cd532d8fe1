"""What a training run reports while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pellucid.base.errors import NamingError
from pellucid.training.showing import history_html

EVENTS = (
    "start",
    "forward",
    "loss",
    "backward",
    "update",
    "steps",
    "epoch",
    "best",
    "finding",
    "stop",
)


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    ========  ================================================  ==========================
    kind      when                                              facts
    ========  ================================================  ==========================
    start     before the first step                             epochs, rows, batches, baseline
    forward   the model has made its scores                     traced
    loss      the loss has been computed                        traced
    backward  the gradients have been computed                  traced
    update    the optimizer has changed the parameters          traced
    steps     some steps are done (about ten times a second)    count, loss, rows
    epoch     an epoch is over                                  record (``EpochRecord``)
    best      the validation loss is the lowest so far          record, model
    finding   the doctor has found something (once each)        finding
    stop      the run is over                                   status
    ========  ================================================  ==========================

    ``forward``, ``loss``, ``backward`` and ``update`` come in this order in every step that
    Python runs.  A compiled step is one native program: it sends them once, with ``traced``,
    when it is made.  ``step`` counts from 0, ``epoch`` from 1; where a run goes on, both do.
    ``trainer`` is the Trainer.
    """

    kind: str
    step: int
    epoch: int
    facts: dict[str, Any] = field(default_factory=dict)
    trainer: Any = field(default=None, repr=False, compare=False)


Callback = Callable[[Event], None]


class StopTraining(Exception):
    """Raised by a callback, ends the run after the step (or the slice of steps) that runs.

    The run ends as one that was stopped early does: with the best weights in the model, and the
    status ``stopped``.  ``trainer.stop()`` does the same from anywhere, also another thread.

    >>> from pellucid.training.history import StopTraining
    >>> def good_enough(event):
    ...     if event.kind == "epoch" and event.facts["record"].loss < 0.1:
    ...         raise StopTraining
    """


@dataclass(frozen=True)
class EpochRecord:
    """Metrics of one epoch.

    ``loss`` is the mean over the training rows while they were learned from (penalties not
    included); ``validation_loss`` and ``metric`` were measured after the epoch and are None
    without validation data, as is ``train_loss``: the loss on up to 512 training rows in evaluation
    mode, to be compared with the former; ``seconds`` since the start of the run.  ``metrics`` are
    those of ``Trainer(metrics=…)`` by name: ``accuracy`` on the training rows of ``train_loss``,
    ``validation_accuracy`` on validation data.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    metric: float | None
    learning_rate: float
    steps: int
    rows_per_second: float
    seconds: float
    train_loss: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, the further metrics by their names."""
        values = asdict(self)
        further: dict[str, Any] = values.pop("metrics")
        return values | further


@dataclass(repr=False)
class History:
    """The epochs of a run and how it ended.

    ``status`` is ``finished``, ``stopped early`` (no better validation loss for ``patience``
    epochs), ``stopped`` (by a callback or ``trainer.stop()``), ``out of time``, ``interrupted``,
    ``not finite`` or ``failed`` (an error that is none of the training's, such as one in a
    callback).
    ``best_epoch`` is the epoch whose weights the model holds now.  ``history["loss"]`` gives one
    metric over the epochs, and ``history.history`` all of them by name: ``loss``,
    ``validation_loss``, and, of ``Trainer(metrics={"auc": …})``, ``auc`` and ``validation_auc``.
    """

    epochs: list[EpochRecord] = field(default_factory=list)
    status: str = "finished"
    best_epoch: int = 0
    steps: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    metric_name: str = "metric"
    findings: list[Any] = field(default_factory=list)
    """What the doctor has found, the most likely cause first (``Finding``)."""

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.epochs)

    def __getitem__(self, name: str) -> list[Any]:
        if name in EpochRecord.__dataclass_fields__:
            return [getattr(record, name) for record in self.epochs]
        if not any(name in record.metrics for record in self.epochs):
            raise NamingError(
                f"The history holds no {name!r}", f"Use one of {', '.join(self.history)}."
            )
        return [record.metrics.get(name) for record in self.epochs]

    @property
    def history(self) -> dict[str, list[Any]]:
        """What was measured over the epochs, by name; without what was measured in none of them."""
        names = dict.fromkeys(name for record in self.epochs for name in record.to_json())
        found = {name: self[name] for name in names}
        return {n: v for n, v in found.items() if any(one is not None for one in v)}

    def __repr__(self) -> str:
        text = f"{len(self)} epochs, {self.steps:,} steps, {self.seconds:.3g} s, {self.status}"
        if (best := self.best) is not None:
            text += f"; best epoch {best.epoch}: loss {best.loss:.4g}"
            if best.validation_loss is not None:
                text += f", validation loss {best.validation_loss:.4g}"
            if best.metric is not None:
                text += f", {self.metric_name} {best.metric:.4g}"
        return f"History({text})"

    def _repr_html_(self) -> str:
        """The history in a notebook: its curves and last epochs."""
        return history_html(self)

    @property
    def best(self) -> EpochRecord | None:
        """The record of the best epoch, None before the first is over."""
        return next((r for r in self.epochs if r.epoch == self.best_epoch), None)
