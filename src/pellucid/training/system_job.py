"""The job of a system that learns from other data than rows of a table: it reads, trains, measures
and leaves a run folder like any other, so that it is listed, resumed and recovered like them.

What a kind of system knows of itself (its data, its network, its metrics) is a :class:`System`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pellucid.backends.cpu.threads import available_cpus, set_num_threads
from pellucid.base.errors import ArgumentError, PellucidError, RunFolderError
from pellucid.data.files import read_bytes
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.training.capture import history_of
from pellucid.training.checkpoints import Checkpoints, load_state, states_in
from pellucid.training.history import Callback, Event, History
from pellucid.training.interrupts import Interrupted, Interrupts
from pellucid.training.resuming import first_records, start_record, unfinished_folder
from pellucid.training.run_folder import (
    CHECKPOINTS,
    MODEL,
    REPORT,
    SETTINGS,
    WEIGHTS,
    RunWriter,
    default_target,
    load_description,
    load_weights,
    weights_to_bytes,
)
from pellucid.training.saved_model import json_text_of
from pellucid.training.saved_system import SavedSystem
from pellucid.training.trainer import Trainer

SAVE_SECONDS = 5.0
"""The best weights, and states to go on from, are put on the disk at most this often."""

Figures = dict[str, dict[str, float]]


class System(Protocol):
    """What a kind of system knows of itself.  Made anew for each job."""

    kind: str
    """Its name: "language model"."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its settings as JSON values, complete: what a run that goes on is made of."""

    @property
    def network(self) -> Module:
        """The network."""

    def prepare(
        self, checkpoint: Checkpoints, callbacks: Sequence[Callback]
    ) -> tuple[Trainer, Callable[[bool | None], History]]:
        """A Trainer, and the function that runs it (``progress`` says whether a bar is drawn)."""

    def described(self, status: str, figures: Figures) -> SavedSystem:
        """What model.json holds."""

    def measured(self) -> Figures:
        """The metrics by part, those of simple models beside them."""


@dataclass(eq=False)
class SystemOutcome:
    """What a job left; ``failure`` is the error that ended the training, if one did."""

    folder: Path
    system: Any
    history: History
    figures: Figures = field(default_factory=dict)
    failure: Exception | None = None
    signal: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def weights_of(network: Module) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a network by their names, each once."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    seen: set[int] = set()
    for name, tensor in network.state_dict().items():
        array = np.asarray(tensor.detach().numpy(), np.float32)
        if array.__array_interface__["data"][0] in seen and array.size:
            continue  # tied: it is there under its first name
        seen.add(array.__array_interface__["data"][0])
        found[name] = array
    return found


def load_system(folder: str | os.PathLike[str], kind: str) -> tuple[SavedSystem, dict[str, Any]]:
    """A run folder's description and weights; ``RunFolderError`` where it is of another kind."""
    saved = load_description(folder)
    if not isinstance(saved, SavedSystem) or saved.kind != kind:
        found = saved.kind if isinstance(saved, SavedSystem) else "network for rows of data"
        raise RunFolderError(
            f"{folder} holds a {found}, not a {kind}", "Give the folder of another run."
        )
    return saved, load_weights(folder, saved)


def fill_network(network: Module, weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Puts the weights of a run folder into a network that has their shapes."""
    own = weights_of(network)
    if {n: a.shape for n, a in own.items()} != {n: a.shape for n, a in weights.items()}:
        raise RunFolderError(
            "architecture: the weights are not those of the settings",
            "The file is damaged or was changed by hand: train again, or restore it.",
        )
    tensors = network.state_dict()
    with no_grad():
        for name, array in weights.items():
            np.copyto(tensors[name].detach().numpy(), array)


def kind_of_unfinished(place: str | os.PathLike[str]) -> str:
    """The kind of system whose run at ``place`` is to go on; empty for networks on rows."""
    folder, _ = unfinished_folder(place)
    job = start_record(folder)[0].get("job")
    return str(job.get("system", "")) if isinstance(job, dict) else ""


class SystemJob:
    """Trains a system and leaves a run folder.

    ``make(source, settings)`` gives the :class:`System`.  ``source`` is the file it learns from.
    ``resume`` goes on with a run that was killed or interrupted, from its last checkpoint, with
    its file and its settings; the network in the end is that of a run that was never interrupted,
    bit by bit.  ``listener(kind, fact)`` hears ("loaded", system), ("event", Event), ("trained",
    history), ("measured", figures), ("problem", text).  ``report(folder, system)`` makes the page
    of a run that has come to its end.
    """

    def __init__(
        self,
        make: Callable[[Path, Mapping[str, Any]], System],
        source: str | os.PathLike[str] | None,
        settings: Mapping[str, Any],
        *,
        output: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        resume: str | os.PathLike[str] | None = None,
        threads: int = 0,
        listener: Callable[[str, Any], None] = lambda kind, fact: None,
        progress: bool | None = False,
        settings_text: str = "",
        report: Callable[[Path, Any], str] | None = None,
    ) -> None:
        self.make, self.source, self.settings = make, source, dict(settings)
        self.output = None if output is None else Path(os.path.abspath(output))
        self.overwrite, self.resume, self.threads = overwrite, resume, threads
        self.listener, self.progress, self.settings_text = listener, progress, settings_text
        self.report = report
        self._records: list[dict[str, Any]] = []
        self._adopted: Path | None = None

    def run(self) -> SystemOutcome:
        """Reads, trains, measures, writes.

        Raises what the system raises for its data, and ``FileError`` before anything was learned.
        """
        with Interrupts() as interrupts:
            with interrupts.raising():
                self._find()
                if self.source is None:
                    raise ArgumentError("There are no data to train on", "Give a file.")
                begun = time.perf_counter()
                set_num_threads(self.threads or available_cpus())
                system = self.make(Path(self.source), self.settings)
                loaded = time.perf_counter() - begun
                name = Path(self.source).stem
                place = self.output or Path(os.path.abspath(default_target(name)))
                writer = self._writer(place)
            with writer:
                return self._run(system, writer, interrupts, loaded)

    def _find(self) -> None:
        """Takes file and settings from the run to go on with."""
        if self.resume is None:
            return
        folder, target = unfinished_folder(self.resume)
        start, records = start_record(folder)
        job = start.get("job")
        config = start["config"]
        if not isinstance(job, dict) or not isinstance(config, dict):
            raise RunFolderError(f"{folder} does not say how the run was begun", "Train it again.")
        changed = [n for n, v in self.settings.items() if n in config and config[n] != v]
        if changed:
            raise ArgumentError(
                f"{changed[0]}={self.settings[changed[0]]!r} differs from the run's "
                f"{config[changed[0]]!r}",
                "A run goes on with the settings with which it was begun: leave this out.",
            )
        self.settings, self.output = config, target
        self.source = self.source or job.get("source")
        self.settings_text = str(job.get("settings", ""))
        self._adopted, self._records = folder, records

    def _writer(self, place: Path) -> RunWriter:
        if self._adopted is None:
            return RunWriter(place, overwrite=self.overwrite)
        epochs = 0
        with contextlib.suppress(PellucidError):  # there is no state yet
            epochs = len(history_of(load_state(self._adopted / CHECKPOINTS)[0]["history"]))
        kept = first_records(self._records, epochs)
        return RunWriter(place, overwrite=self.overwrite, adopt=self._adopted, records=kept)

    def _run(
        self, system: System, writer: RunWriter, interrupts: Interrupts, loaded: float
    ) -> SystemOutcome:
        if self._adopted is None:
            job = {"system": system.kind, "source": os.path.abspath(str(self.source))}
            job["settings"] = self.settings_text
            writer.record(
                "start", name=Path(str(self.source)).stem, config=system.settings, job=job
            )
        else:
            writer.record("resume")
        self.listener("loaded", system)
        recorder = _Recorder(self, writer, system)
        states = Checkpoints(
            writer.folder / CHECKPOINTS, every_seconds=SAVE_SECONDS, best=False, at_end=False
        )
        trainer, fit = system.prepare(states, [recorder])
        if self._adopted is not None and states_in(states.place):
            trainer.resume()
        outcome = SystemOutcome(writer.target, system, trainer.history)
        try:
            outcome.history = fit(self.progress)
        except Exception as error:
            outcome.failure, outcome.history = error, trainer.history
        outcome.seconds = {"data": loaded, "training": outcome.history.seconds}
        if interrupts.requested and not outcome.history.steps:
            raise Interrupted(interrupts.number)
        outcome.signal = interrupts.number if interrupts.requested else 0
        self._finish(system, writer, outcome)
        return outcome

    def _finish(self, system: System, writer: RunWriter, outcome: SystemOutcome) -> None:
        """Weights first, then metrics; the folder goes to its place."""
        history = outcome.history
        writer.write(WEIGHTS, weights_to_bytes(weights_of(system.network)))
        saved = system.described(history.status, {})
        writer.write(MODEL, json_text_of(saved.to_json()))
        if self.settings_text:
            writer.write(SETTINGS, self.settings_text)
        self.listener("trained", history)
        whole = outcome.failure is None and history.status != "interrupted"
        if whole:
            try:
                begun = time.perf_counter()
                outcome.figures = system.measured()
                outcome.seconds["measuring"] = time.perf_counter() - begun
                writer.record("metrics", parts=outcome.figures)
                saved = replace(saved, figures=outcome.figures)
                writer.write(MODEL, json_text_of(saved.to_json()))
                self.listener("measured", outcome.figures)
            except Exception as error:
                whole = False
                self.listener("problem", f"The network could not be measured: {error}")
            self._write_report(writer, system)
        outcome.folder = writer.finish(complete=whole)

    def _write_report(self, writer: RunWriter, system: System) -> None:
        """The page; a run without it is complete all the same."""
        if self.report is None:
            return
        try:
            writer.write(REPORT, self.report(writer.folder, system))
        except Exception as error:
            self.listener("problem", f"The report could not be written: {error}")


class _Recorder:
    """Writes each epoch into the records, and the best weights to the disk now and then."""

    def __init__(self, job: SystemJob, writer: RunWriter, system: System) -> None:
        self.job, self.writer, self.system = job, writer, system
        self.saved_at = time.perf_counter()

    def __call__(self, event: Event) -> None:
        if event.kind == "epoch":
            self.writer.record("epoch", **event.facts["record"].to_json())
        elif event.kind == "stop":
            self.writer.record("stop", status=event.facts["status"], steps=event.step)
        elif event.kind == "best" and time.perf_counter() - self.saved_at > SAVE_SECONDS:
            self.writer.write(WEIGHTS, weights_to_bytes(weights_of(self.system.network)))
            if not self.writer.usable:
                saved = self.system.described("interrupted", {})
                self.writer.write(MODEL, json_text_of(saved.to_json()))
            self.saved_at = time.perf_counter()
        self.job.listener("event", event)


def fingerprint_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
