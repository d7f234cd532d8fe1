"""The training job: settings in, events out, a run folder left behind.

The command line, a notebook, a server or a page run the same job:

>>> from pellucid.training.run import train
>>> outcome = train("digits", output="runs/first", epochs=20)             # doctest: +SKIP
>>> outcome.folder, outcome.result.history                               # doctest: +SKIP

Nothing that was learned is lost.  Ctrl-C or SIGTERM ends the training after the step that runs, a
full disk, a read-only place, an error in a listener, in the metrics or in the report end only that
part; what is whole is kept and told.  A run that is not complete never replaces another one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, FileError, PellucidError
from pellucid.base.phrases import Setting, phrase, worded
from pellucid.data.sources import PreparedData, load_source
from pellucid.training.averaging import train_model
from pellucid.training.capture import history_of
from pellucid.training.checkpoints import Checkpoints, load_state
from pellucid.training.config import TrainingConfig
from pellucid.training.events import (
    DataLoaded,
    Examined,
    JobEvent,
    LeftBehind,
    Listener,
    Measured,
    Problem,
    Resumed,
    Trained,
    TrainerEvent,
    Written,
)
from pellucid.training.from_run import base_folder, picture_side, settings_from
from pellucid.training.history import Event, History, StopTraining
from pellucid.training.interrupts import Interrupted, Interrupts
from pellucid.training.job import (
    RunResult,
    augmentation,
    find_learning_rate,
    measure,
)
from pellucid.training.leftovers import leftovers
from pellucid.training.network import kept_tensors
from pellucid.training.resuming import Unfinished, find_unfinished
from pellucid.training.run_folder import (
    CHECKPOINTS,
    MODEL,
    REPORT,
    SETTINGS,
    WEIGHTS,
    RunWriter,
    check_target,
    default_target,
    plain,
    weights_to_bytes,
)
from pellucid.training.saved_model import describe_run, json_text_of
from pellucid.training.showing import notes_html
from pellucid.training.stored_run import metric_records, training_records
from pellucid.training.trials import LearningRates

SAVE_SECONDS = 5.0
"""The best weights are put on the disk at most this often while training goes on."""
EPOCHS_RECORDED = 50_000
"""Of longer runs every second, fourth, … epoch is recorded, so that the records stay readable."""

EXAMINATION = 1.0
"""Seconds that the doctor's experiments may take when a training is over."""

_DEFECT = 70
"""Exit code of errors that nobody foresaw."""

Report = Callable[[Path], str | Mapping[str, str]]
"""A run folder → its report: a page, such as ``pellucid.insight.report.render_report`` makes, or
the texts of ``report.html`` and ``report.json`` by name, as ``report_files`` does."""


@dataclass(eq=False)
class Outcome:
    """What a job left: the folder, what is known about the network, and what went wrong.

    ``complete`` says whether everything that was asked for is in the folder.  ``signal`` is the
    number of the signal that ended the run, 0 without one.  An error that ended the training is
    ``result.failure``.
    """

    folder: Path
    result: RunResult
    complete: bool
    signal: int = 0
    problems: tuple[Problem, ...] = ()

    def _repr_html_(self) -> str:
        """Verdict, metrics, curves and the folder in a notebook; ``pellucid.report`` shows all."""
        notes = [str(self.folder), *(problem.message for problem in self.problems)]
        return self.result._repr_html_() + notes_html(notes)


def train(
    source: object = None,
    targets: Sequence[str] | str = (),
    config: TrainingConfig | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    loading: Mapping[str, Any] | None = None,
    listeners: Iterable[Listener] = (),
    report: Report | None = None,
    settings_text: str = "",
    resume: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Outcome:
    """Trains a network on data and leaves a run folder: :class:`Job`, made and run.

    ``settings`` are fields of ``TrainingConfig`` in place of ``config``: ``epochs=20``.
    ``resume="runs/first"`` goes on with a run that was killed or interrupted.

    >>> from pellucid.insight.report import render_report
    >>> outcome = train("table.csv", "kind", report=render_report)        # doctest: +SKIP
    """
    if resume is not None and config is not None:
        settings, config = {**vars(config), **settings}, None
    elif config is not None:
        config = TrainingConfig(**{**vars(config), **settings})
    job = Job(
        source,
        targets,
        config,
        output=output,
        overwrite=overwrite,
        loading=loading,
        listeners=listeners,
        report=report,
        settings_text=settings_text,
        resume=resume,
        settings=settings,
    )
    return job.run()


def write_result(
    result: RunResult, target: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Writes a network that ``train_model`` has trained, and what ``measure`` has added, as a run
    folder; returns its place.  Raises as ``RunWriter``."""
    with RunWriter(target, overwrite=overwrite) as writer:
        writer.record("start", name=result.prepared.name, config=result.config.to_json())
        for epoch in result.history:
            writer.record("epoch", **epoch.to_json())
        writer.record("stop", status=result.history.status, steps=result.history.steps)
        for records in (training_records, metric_records):
            _record(writer, records, result)
        writer.write(WEIGHTS, weights_to_bytes(result.weights))
        writer.write(MODEL, json_text_of(result.saved_model().to_json()))
        return writer.finish()


class Job:
    """A training job.

    ``source`` and ``targets`` are what ``load_source`` takes, with its other arguments in
    ``loading``: ``{"ignore": ["id"]}``.  The folder is
    ``output``, or ``runs/NAME-TIME``; ``overwrite`` lets a complete run replace the one there.
    ``listeners`` are called with every ``JobEvent``.  ``report`` makes the report from the folder;
    without it there is none (``pellucid report FOLDER`` makes it later).  ``word`` says how the
    notes on the data name settings: ``ignore='x'``, or as options of the command line.
    ``settings_text`` is kept in the folder as settings.toml: the options that began the job.
    Without ``config`` the settings suit the data (``TrainingConfig.suited_to``), with ``settings``
    as they are given.

    ``resume`` is a run that was killed or interrupted, to go on with: from its last checkpoint, in
    its place, with its data (``source`` is needed only where they were no file) and its settings,
    of which ``settings`` may change epochs, patience and threads.  The network in the end is that
    of a run that was never interrupted, bit by bit.  Where there is no checkpoint yet, the run
    begins anew.

    ``trainer`` is called in place of ``train_model``, with the same arguments.

    ``profile`` measures where the time of a training step goes, layer by layer
    (``Outcome.result.profile``, and in the report).  ``doctor`` has the training examined when it
    is over (``Outcome.result.examination``, told as ``Examined`` and written into the records).
    """

    def __init__(
        self,
        source: object = None,
        targets: Sequence[str] | str = (),
        config: TrainingConfig | None = None,
        *,
        output: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        loading: Mapping[str, Any] | None = None,
        listeners: Iterable[Listener] = (),
        report: Report | None = None,
        word: Callable[[Setting], str] = str,
        settings_text: str = "",
        resume: str | os.PathLike[str] | None = None,
        settings: Mapping[str, Any] | None = None,
        trainer: Callable[..., RunResult] = train_model,
        profile: bool = False,
        doctor: bool = True,
    ) -> None:
        self.trainer = trainer
        self._prepared: PreparedData | None = None
        self.resume, self.settings = resume, dict(settings or {})
        self.unfinished: Unfinished | None = None
        self._resumed: Resumed | None = None
        self.source, self.targets = source, targets
        self.config = config or TrainingConfig(**(self.settings if resume is None else {}))
        self._suits = config is None and resume is None
        self.output = None if output is None else Path(os.path.abspath(output))
        self.overwrite = overwrite
        self.loading = dict(loading or {})
        self.listeners = list(listeners)
        self.report = report
        self.word = word
        self.settings_text = settings_text
        self.profile = profile
        self.doctor = doctor
        self.problems: list[Problem] = []
        self._stopping = False

    def stop(self) -> None:
        """Ends the training after the step (or the slice of steps) that runs; the run is then
        measured and written like any other.  May be called from another thread."""
        self._stopping = True

    def run(self) -> Outcome:
        """Loads, trains, measures, writes.

        Raises what ``load_source`` raises and ``FileError`` before anything was learned,
        ``Interrupted`` (a ``KeyboardInterrupt``) where a signal comes before, and ``FileError``
        where what was learned could not be written anywhere.
        """
        with Interrupts() as interrupts:
            with interrupts.raising():
                prepared = self.load()
                place = self.output or Path(os.path.abspath(default_target(prepared.name)))
                found = leftovers(place.parent)
            if found and self.unfinished is None:
                self.tell(LeftBehind(tuple(found)))
            with self._writer(place) as writer:
                return self._run(prepared, writer, interrupts)

    def load(self) -> PreparedData:
        """The data, loaded once; raises what :meth:`run` raises before anything is learned."""
        if self._prepared is None:
            self._find()
            self._prepared = self._load()
        return self._prepared

    def find_lr(self) -> tuple[str, LearningRates]:
        """Loads the data and tries learning rates (``Trainer.find_lr``) on them; the data's name,
        and what was found.  Nothing is written."""
        with Interrupts() as interrupts, interrupts.raising():
            prepared = self.load()
            return prepared.name, find_learning_rate(prepared, self.config)

    def _find(self) -> None:
        """Takes place, data and settings from the run to go on with."""
        if self.resume is None:
            if self.source is None:
                raise ArgumentError("There are no data to train on", "Give a file, or a data set.")
            return
        run = self.unfinished = find_unfinished(self.resume)
        if self.output is not None and self.output != run.target:
            raise ArgumentError(
                phrase(Setting("output", str(self.output)), f" is not {run.target}"),
                "A run that goes on stays in its place: leave this out.",
            )
        self.output, self.config = run.target, run.settings(self.settings)
        differing = {n: v for n, v in self.loading.items() if plain(v) != run.loading.get(n)}
        for name, value in differing.items():
            raise ArgumentError(
                phrase(Setting(name, value), f" differs from what {run.target} was loaded with"),
                "A run goes on with the data with which it was begun: leave this out.",
            )
        self.loading, self.settings_text = dict(run.loading), run.settings_text
        self.targets = self.targets or run.targets
        if self.source is None:
            self.source = run.source
        if self.source is None:
            raise ArgumentError(
                f"{run.folder} was trained on data that were in memory", "Give the data again."
            )

    def _writer(self, place: Path) -> RunWriter:
        run = self.unfinished
        if run is None:
            return RunWriter(place, overwrite=self.overwrite)
        history = History()
        with contextlib.suppress(FileError):  # there is no state yet
            history = history_of(load_state(run.checkpoints)[0]["history"])
        self._resumed = Resumed(run.folder, history.steps)
        records = run.kept_records(len(history))
        return RunWriter(place, overwrite=self.overwrite, adopt=run.folder, records=records)

    def described(self) -> dict[str, Any]:
        """What the data are loaded from, to go on with the run later."""
        source = self.source
        if isinstance(source, str | os.PathLike):
            there = os.path.exists(source)
            source = os.path.abspath(source) if there else os.fspath(source)
        else:
            source = None
        targets = [self.targets] if isinstance(self.targets, str) else list(self.targets)
        return {
            "source": source,
            "targets": targets,
            "loading": plain(self.loading),
            "settings": self.settings_text,
        }

    def _load(self) -> PreparedData:
        if self.output is not None and (
            self.unfinished is None or self.unfinished.folder != self.output
        ):
            check_target(self.output, self.overwrite)
        start = time.perf_counter()
        self._follow_base()
        prepared = load_source(
            self.source,
            self.targets,
            seed=self.config.seed,
            fractions=self.config.fractions,
            text=self.config.text,
            **self.loading,
        )
        prepared = replace(prepared, notes=tuple(worded(n, self.word) for n in prepared.notes))
        if self._suits:
            self.config = TrainingConfig.suited_to(prepared.row_shape, **self.settings)
        self.config = self.config.for_rows(prepared.training_rows)
        self._loaded = time.perf_counter() - start
        self.config.loss_for(prepared.task.kind, prepared.task.loss)
        augmentation(prepared, self.config)
        return prepared

    def _follow_base(self) -> None:
        """Takes what is not given, architecture and size of pictures, from the run to begin with,
        and keeps where that is."""
        if not self.config.base:
            return
        base = base_folder(self.config.base)
        known = settings_from(base)  # raises where there is none, before anything is loaded
        self.config = replace(self.config, base=base)
        if self._suits:
            self.settings = {**known, **self.settings, "base": base}
        if self.unfinished is None and self.loading.get("image_size") is None:
            side = picture_side(base)
            if side is not None and isinstance(self.source, str | os.PathLike):
                if os.path.exists(self.source):
                    self.loading["image_size"] = side

    def _run(self, prepared: PreparedData, writer: RunWriter, interrupts: Interrupts) -> Outcome:
        recorder = _Recorder(self, writer, prepared)
        self.tell(DataLoaded(prepared, self.config, self._loaded, self._resumed))
        states = Checkpoints(
            writer.folder / CHECKPOINTS, every_seconds=SAVE_SECONDS, best=False, at_end=False
        )
        extra: dict[str, Any] = {"profile": True} if self.profile else {}
        if self.doctor and self.trainer is train_model:
            extra["doctor"] = EXAMINATION
        result = self.trainer(
            prepared, self.config, [recorder], interrupts, checkpoint=states, **extra,
            report=lambda error: self._note("A checkpoint could not be written", error),
        )  # fmt: skip
        if interrupts.requested and not result.history.steps:
            raise Interrupted(interrupts.number)
        seen = interrupts.count  # what comes later ends what comes later
        result.seconds["data"] = self._loaded
        for error in result.problems:
            self._note("The inside of the network could not be looked at", error)
        writer = self._save(writer, result)
        self.tell(Trained(result))
        if result.examination is not None:
            self.tell(Examined(result.examination))
        with writer:  # perhaps another one, in another place
            complete = self._finish(writer, result, interrupts, seen)
            folder = writer.finish(complete=complete)
        self._tell_place(folder, writer, complete)
        problems = tuple(self.problems)
        return Outcome(folder, result, complete, interrupts.number, problems)

    # ---- saving ----------------------------------------------------------------------------

    def _save(self, writer: RunWriter, result: RunResult) -> RunWriter:
        """Puts weights and model on the disk, in the system's folder for temporary files where
        there is no room; returns the writer of the folder that holds them."""
        content = weights_to_bytes(result.weights)
        # Until the end it is what it would be if the process were killed now.
        model = describe_run(result.prepared, self.config, "interrupted", {})
        self._created = model.created
        try:
            writer.write(MODEL, json_text_of(model.to_json()))
            writer.write(WEIGHTS, content)
            return writer
        except FileError as error:
            first = error
        rescue = _elsewhere(writer)
        if rescue is None:
            raise first
        try:
            rescue.write(MODEL, json_text_of(model.to_json()))
            rescue.write(WEIGHTS, content)
        except FileError:
            rescue.discard()
            raise first from None
        self._note("The run is saved in another place", first)
        rescue.copy_records(writer)
        if not writer.usable:  # otherwise it holds weights of an earlier epoch
            writer.discard()
        return rescue

    def _finish(
        self, writer: RunWriter, result: RunResult, interrupts: Interrupts, seen: int
    ) -> bool:
        """Metrics, records and report; says whether the run is complete.  ``seen`` signals came
        before the training was over."""
        whole = result.failure is None and result.history.status != "interrupted"

        def leavable(what: str, work: Callable[[], None]) -> bool:
            return self._leavable(what, work, result, interrupts, seen)

        def measured() -> None:
            measure(result)
            self.tell(Measured(result))

        whole &= leavable("The network could not be measured", measured)
        if self.settings_text:
            text = self.settings_text
            whole &= self._attempt("The settings", lambda: writer.write(SETTINGS, text))
        for records in (training_records, metric_records):
            write = functools.partial(_record, writer, records, result)
            whole &= self._attempt("The records", write)
        # The report is made from the folder, which says already how the run ended.
        whole &= self._save_model(writer, result)
        report = self.report
        if report is not None and interrupts.count == seen:
            what = "The report could not be written"
            made = leavable(what, lambda: _write_report(writer, report))
            whole &= made and self._save_model(writer, result)
        for problem in list(self.problems):
            write = functools.partial(writer.record, "problem", **vars(problem))
            self._attempt("The records", write)
        return self._save_model(writer, result) and whole

    def _save_model(self, writer: RunWriter, result: RunResult) -> bool:
        """Writes model.json with status and metrics, where they are not what it says already."""
        saved = replace(result.saved_model(), created=self._created)
        return self._attempt(
            "The metrics", lambda: writer.write(MODEL, json_text_of(saved.to_json()))
        )

    def _leavable(
        self,
        what: str,
        work: Callable[[], None],
        result: RunResult,
        interrupts: Interrupts,
        seen: int,
    ) -> bool:
        """Does work that a signal may end (also one that came after ``seen`` others and before the
        work) and whose errors cost nothing else; says whether it was done."""
        try:
            with interrupts.raising():
                if interrupts.count > seen:
                    raise Interrupted(interrupts.number)
                work()
        except Interrupted:
            result.history.status = "interrupted"
            self.tell(Problem("Interrupted: the weights are kept; metrics or report are left out."))
        except Exception as error:
            self._note(what, error)
        else:
            return True
        return False

    def _attempt(self, what: str, write: Callable[[], None]) -> bool:
        try:
            write()
        except Exception as error:
            self._note(f"{what} could not be written", error)
            return False
        return True

    # ---- telling ---------------------------------------------------------------------------

    def tell(self, event: JobEvent) -> None:
        """Calls the listeners; one that fails is not called again, and the job goes on."""
        for listener in list(self.listeners):
            try:
                listener(event)
            except Exception as error:
                if listener in self.listeners:
                    self.listeners.remove(listener)
                name = getattr(listener, "__qualname__", type(listener).__name__)
                self._note(f"The listener {name} failed and was left out", error)

    def _note(self, what: str, error: BaseException) -> None:
        """An error that costs no more than a part of the run."""
        if isinstance(error, PellucidError):
            problem = Problem(f"{what}: {error.message}", error.hint, error.exit_code)
        elif isinstance(error, MemoryError):
            problem = Problem(f"{what}: there is not enough memory", "Use fewer rows.", 1)
        else:
            problem = Problem(f"{what}: {type(error).__name__}: {error}", "", _DEFECT)
        if problem not in self.problems:
            self.problems.append(problem)
            self.tell(problem)

    def _tell_place(self, folder: Path, writer: RunWriter, complete: bool) -> None:
        if folder == writer.folder:
            problem = Problem(
                f"The run could not be moved to {writer.target}; it is kept in {folder}",
                "Move it where it can stay: it is a run folder like any other.",
                FileError.exit_code,
            )
            self.problems.append(problem)
            self.tell(problem)
        elif folder != writer.target:
            kept = f"{writer.target} was kept as it is, because this run is not complete"
            self.tell(Problem(f"{kept}; it is in {folder}"))
        self.tell(Written(folder, complete))


class _Recorder:
    """Writes each epoch into the records, and the best weights to the disk now and then; passes
    the Trainer's events on."""

    def __init__(self, job: Job, writer: RunWriter, prepared: PreparedData) -> None:
        self.job, self.writer, self.prepared = job, writer, prepared
        self.saved_at = time.perf_counter()
        if job.unfinished is None:
            facts = {"config": job.config.to_json(), "job": job.described()}
            self._record("start", name=prepared.name, **facts)
        else:
            self._record("resume")

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch":
            # 1 up to the limit, then 2, 4, …: from twice as many epochs on half of them.
            step = 1 << max(0, (event.epoch - 1) // EPOCHS_RECORDED).bit_length()
            if event.epoch % step == 0:
                self._record("epoch", **event.facts["record"].to_json())
        elif event.kind == "stop":
            self._record("stop", status=event.facts["status"], steps=event.step)
        elif event.kind == "best" and time.perf_counter() - self.saved_at > SAVE_SECONDS:
            self._save(event.facts["model"])
        self.job.tell(TrainerEvent(event))
        if self.job._stopping:
            raise StopTraining

    def _record(self, event: str, **fields: Any) -> None:
        self.job._attempt("The records", lambda: self.writer.record(event, **fields))

    def _save(self, model: Any) -> None:
        weights = {n: t.detach().numpy() for n, t in kept_tensors(model).items()}
        saved = describe_run(self.prepared, self.job.config, "interrupted", {})
        content = json_text_of(saved.to_json())
        what = "The best weights so far"
        if self.job._attempt(what, lambda: self.writer.write(WEIGHTS, weights_to_bytes(weights))):
            if not self.writer.usable:
                self.job._attempt(what, lambda: self.writer.write(MODEL, content))
        self.saved_at = time.perf_counter()


def _write_report(writer: RunWriter, report: Report) -> None:
    found = report(writer.folder)
    for name, text in ({REPORT: found} if isinstance(found, str) else found).items():
        writer.write(name, text)


def _record(
    writer: RunWriter,
    records: Callable[[RunResult], Iterable[tuple[str, dict[str, Any]]]],
    result: RunResult,
) -> None:
    for event, fields in records(result):
        writer.record(event, **fields)


def _elsewhere(writer: RunWriter) -> RunWriter | None:
    """A writer in the system's folder for temporary files, for a run that has no other place."""
    try:
        root = Path(tempfile.gettempdir())
        return RunWriter(default_target(f"rescued-{writer.target.name}", root))
    except (OSError, PellucidError):
        return None
