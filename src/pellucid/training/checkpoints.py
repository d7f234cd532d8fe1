"""Checkpoints: states of a run in a folder, written beside the training.

==========================  ================================================================
checkpoint-000007           the seventh state since the run began (``.safetensors``); the last
                            ``keep`` of them stay
best                        parameters and buffers of the best epoch (``.safetensors``), to be
                            read by ``interop.safetensors.load_file`` and ``load_state_dict``
==========================  ================================================================

A file appears when it is complete: a process that is killed, and a disk that is full, leave the
files before it as they were.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import ArgumentError, DataError, FileError, PellucidError
from pellucid.training.files import explained, no_space
from pellucid.training.run_state import RunState, write_arrays

BEST = "best.safetensors"
SHARE = 0.005
"""Copies and files together may take this share of the time."""
_NAME = re.compile(r"checkpoint-(\d{6,12})\.safetensors")
_PARTIAL = re.compile(r"\.(checkpoint-\d{6,12}|best)\.safetensors\.[0-9a-f]+\.partial")


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a Trainer saves the state of its run.

    ``folder`` is made where it is missing.  A state is saved about every ``every_seconds``, less
    often where copying and writing (in all threads) would take more than half a percent of the
    time: the wait grows with what the last one took.  Besides, where
    they are above 0, after every ``every_steps`` steps and every ``every_epochs`` epochs, whatever
    it takes; and when the run ends (with ``at_end=False`` only if it ends before its time).  The
    last ``keep`` states are kept, and with ``best`` the
    weights of the best epoch.

    >>> trainer = Trainer(model, "mse_loss", checkpoint=Checkpoints("states", keep=5))
    ... # doctest: +SKIP
    """

    folder: str | os.PathLike[str]
    every_seconds: float = 30.0
    every_steps: int = 0
    every_epochs: int = 0
    keep: int = 2
    best: bool = True
    at_end: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | os.PathLike):
            raise ArgumentError(f"folder={self.folder!r} is no path", "Give the path of a folder.")
        for name, low in (("every_steps", 0), ("every_epochs", 0), ("keep", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ArgumentError(f"{name}={value!r}", f"Give a whole number from {low} up.")
        seconds = self.every_seconds
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise ArgumentError(
                f"every_seconds={seconds!r}", 'Give a number from 0 up; float("inf") for never.'
            )

    @property
    def place(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)


def as_checkpoints(given: Checkpoints | str | os.PathLike[str] | None) -> Checkpoints | None:
    """What a Trainer is given: a folder, or all settings, or None."""
    return given if given is None or isinstance(given, Checkpoints) else Checkpoints(given)


def states_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The states in a folder, the oldest first; none where there is no folder."""
    with contextlib.suppress(OSError):
        found = [path for path in Path(folder).iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=_number)
    return []


def load_state(place: str | os.PathLike[str]) -> tuple[RunState, Path]:
    """The state in a file, or the last whole one in a folder, and its file.

    Where the last one is damaged, a warning says so and the one before is taken.  Raises
    ``FileError`` where there is none and ``DataError`` where none can be read.
    """
    path = Path(place)
    if path.is_file():
        return RunState.load(path), path
    states = states_in(path)
    if not states:
        what = "holds no checkpoint" if path.is_dir() else "does not exist"
        raise FileError(f"{path} {what}", "Give a checkpoint, or a folder of checkpoints.")
    damage = ""
    for state in reversed(states):
        try:
            loaded = RunState.load(state), state
        except DataError as error:
            damage = damage or error.message
            continue
        if damage:
            text = f"{damage}; going on from {state.name}, the one before"
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        return loaded
    raise DataError(
        f"None of the {len(states)} checkpoints in {path} can be read: {damage}",
        "Go on from another folder, or begin anew.",
    )


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 0


def warn(error: Exception) -> None:
    """Tells that a state could not be written; the training goes on."""
    text = error.message if isinstance(error, PellucidError) else f"{error!r}"
    warnings.warn(
        f"a checkpoint could not be written: {text}. The training goes on, with the checkpoints "
        "that are there",
        RuntimeWarning,
        stacklevel=2,
    )


class Writer:
    """Writes states in a thread of its own, so that training goes on meanwhile.

    ``report`` is told of errors, in the thread that trains.
    """

    def __init__(self, settings: Checkpoints, report: Callable[[Exception], None] = warn) -> None:
        self.settings = settings
        self.report = report
        self.folder = settings.place
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._clean()
        states = states_in(self.folder)
        self._next = _number(states[-1]) + 1 if states else 1
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._spare: RunState | None = None
        self._room: RunState | None = None
        self._preparing: threading.Thread | None = None
        self._best_written: Any = None
        self._cost = 0.0
        self._last = time.perf_counter()
        self._steps = self._epochs = 0
        self.seconds = 0.0
        """Time that the training waited for copies and files so far."""
        self.written = 0
        """States that have been written whole."""

    def _clean(self) -> None:
        """Removes parts that a killed process left."""
        for path in list(self.folder.iterdir()):
            if _PARTIAL.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()

    def begin(self, steps: int, epochs: int) -> None:
        """Counting starts at so many steps and epochs."""
        self._steps, self._epochs = steps, epochs
        self._last = time.perf_counter()

    def due(self, steps: int, epochs: int) -> bool:
        """Whether a state should be saved, after so many steps and epochs of the run."""
        settings = self.settings
        if settings.every_steps and steps - self._steps >= settings.every_steps:
            return True
        if settings.every_epochs and epochs - self._epochs >= settings.every_epochs:
            return True
        return self._waited(1.0) and not self.busy

    def _waited(self, share: float) -> bool:
        """Whether such a share of the time to the next state is over."""
        wait = max(self.settings.every_seconds, self._cost / SHARE)
        return time.perf_counter() - self._last >= share * wait

    @property
    def busy(self) -> bool:
        """Whether a state is being written, or memory for it made ready."""
        return any(t is not None and t.is_alive() for t in (self._thread, self._preparing))

    def prepare(self, room: Callable[[], RunState]) -> None:
        """Has memory for the first state (``room``) made ready beside the training, once half of
        the time to it is over: a copy into fresh memory takes many times as long as into memory
        whose pages the system has found already."""
        if self._spare is not None or self._room is not None or not self._waited(0.5):
            return
        try:
            self._room = room()
        except Exception:
            self._room = RunState({}, {})  # the state cannot be taken, which save() will tell
            return

        def touch(given: RunState) -> None:
            _step_back()
            given.touch()

        self._preparing = threading.Thread(target=touch, args=(self._room,), daemon=True)
        self._preparing.start()

    def _memory(self) -> RunState | None:
        """Memory to copy a state into."""
        room, thread, self._room = self._room, self._preparing, None
        if self._spare is not None or thread is None or thread.is_alive():
            return self._spare
        return room

    def save(self, capture: Callable[[RunState | None], RunState], steps: int, epochs: int) -> None:
        """Copies the state by ``capture`` (which may use the memory of an old one) and has it
        written."""
        self.wait()
        begun = time.perf_counter()
        try:
            state = capture(self._memory())
        except Exception as error:
            self.report(error)
            self.begin(steps, epochs)
            return
        self._spare = state
        spent = time.perf_counter() - begun
        self.seconds += spent
        self._cost = spent
        self.begin(steps, epochs)
        self._thread = threading.Thread(target=self._write, args=(state,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Waits for the file that is being written."""
        thread, self._thread = self._thread, None
        if thread is not None:
            begun = time.perf_counter()
            thread.join()
            self.seconds += time.perf_counter() - begun
        failure, self._failure = self._failure, None
        if failure is not None:
            self.report(failure)

    def _write(self, state: RunState) -> None:
        begun = time.thread_time()
        _step_back()
        try:
            path = self.folder / f"checkpoint-{self._next:06d}.safetensors"
            self._with_room(lambda: state.save(path))
            self._next += 1
            self.written += 1
            self._rotate(self.settings.keep)
            self._write_best(state)
        except Exception as error:
            self._failure = error
        self._cost += time.thread_time() - begun

    def _write_best(self, state: RunState) -> None:
        """Writes the best weights, where they are others than those on the disk."""
        epoch = state["history"]["best_epoch"]
        prefix = "best/"
        best = {n[len(prefix) :]: a for n, a in state.arrays.items() if n.startswith(prefix)}
        if not self.settings.best or not best or epoch == self._best_written:
            return
        facts = {"producer": "pellucid", "format": "pt", "epoch": str(epoch)}
        self._with_room(lambda: write_arrays(self.folder / BEST, best, facts))
        self._best_written = epoch

    def _with_room(self, write: Callable[[], None]) -> None:
        """Writes; where the disk is full and older states than the last one are there, they go."""
        try:
            write()
        except FileError as error:
            if not no_space(error) or len(states_in(self.folder)) < 2:
                raise
            self._rotate(1)
            write()

    def _rotate(self, keep: int) -> None:
        for path in states_in(self.folder)[:-keep]:
            with contextlib.suppress(OSError):
                path.unlink()


def _step_back() -> None:
    """Lets the threads that train go first where threads have priorities of their own (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
