"""An unchanged program of the user's, run under the doctor's eyes."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import runpy
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import ArgumentError, FileError
from pellucid.insight.doctor.fits import case_of_fit
from pellucid.insight.doctor.judging import judged, merged
from pellucid.insight.doctor.report import Report
from pellucid.insight.doctor.watching import Listener, Watch
from pellucid.tensor.state import state
from pellucid.training.doctoring import FitRecord, following_fits


class _Enough(BaseException):
    """Ends a program whose budget of steps or of time is used up."""


@dataclass
class ScriptRun:
    """A program that was run: what the doctor found, and how it ended.

    ``status`` is ``finished``, ``stopped`` (its budget was used up), ``failed`` (``error`` came out
    of it, whose text, as Python shows it, is ``traceback``) or ``exited`` with ``code``.
    """

    path: str
    report: Report
    status: str = "finished"
    code: int = 0
    error: BaseException | None = None
    traceback: str = ""
    steps: int = 0
    seconds: float = 0.0
    watch: Watch | None = field(default=None, repr=False)


def run_script(
    path: str | os.PathLike[str],
    args: Sequence[str] = (),
    *,
    level: str = "full",
    torch: bool | None = None,
    max_steps: int = 0,
    max_seconds: float = 0.0,
    probe_seconds: float = 10.0,
    on_finding: Listener | None = None,
) -> ScriptRun:
    """Runs ``python path args…`` under watch, and examines what it trained.

    The program is not changed, and its output is its own.  Its optimizers, modules, backward
    passes, compiled steps and Trainers are followed from outside, several of each.  ``torch``
    answers ``import torch`` with Pellucid, as ``pellucid.as_torch`` does; by default where the
    program imports it.  After ``max_steps`` training steps or ``max_seconds`` (0: no end) it is
    ended.  Experiments on what it trained may take ``probe_seconds`` afterwards.

    An error of the program ends it as ever: it is in the result, and what led to it is examined.
    ``KeyboardInterrupt`` comes out once the program has ended.  Raises :class:`FileError` where
    there is no such file, ``ArgumentError`` for a negative budget.

    >>> run = doctor.run_script("train.py", ["--epochs", "3"])   # doctest: +SKIP
    >>> print(run.report)                                        # doctest: +SKIP
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileError(f"There is no file {name}", "Give the path of a Python program.")
    for what, number in (("max_steps", max_steps), ("max_seconds", max_seconds)):
        if number < 0:
            raise ArgumentError(f"{what}={number}", "Give a number from 0 (no end) up.")
    watch = Budgeted(level, max_steps, max_seconds)
    watch.listeners = [] if on_finding is None else [on_finding]
    run = ScriptRun(name, Report(), watch=watch)
    began = time.perf_counter()
    answers = imports_torch(name) if torch is None else torch
    with _as_program(name, args), _torch_answered(answers), following_fits(watch), watch:
        interrupted = _run(run)
    run.seconds = time.perf_counter() - began
    run.steps = watch.steps + watch._unseen + watch.steps_of_fits
    run.report = _report(watch, run, probe_seconds)
    if interrupted is not None:
        raise interrupted
    return run


def _run(run: ScriptRun) -> KeyboardInterrupt | None:
    """The program, to its end however that comes."""
    try:
        runpy.run_path(run.path, run_name="__main__")
    except _Enough:
        run.status = "stopped"
    except KeyboardInterrupt as error:
        run.status, run.error = "stopped", error
        return error
    except SystemExit as error:
        code = error.code
        run.status = "exited" if code not in (None, 0) else "finished"
        run.code = code if isinstance(code, int) else int(code is not None)
    except BaseException as error:
        run.status, run.error, run.code = "failed", error, 1
        run.traceback = _own_part(error)
    return None


def _own_part(error: BaseException) -> str:
    """What Python would show of an error, without the frames around the program."""
    here = (os.path.abspath(__file__), runpy.__file__)
    step = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file not in here and "runpy" not in file:
            break
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step or error.__traceback__))


class Budgeted(Watch):
    """A watch that finds all there is, and ends a program whose budget is used up."""

    def __init__(self, level: str, max_steps: int, max_seconds: float) -> None:
        super().__init__(level=level)
        self._most = max_steps
        self._until = time.perf_counter() + max_seconds if max_seconds else float("inf")
        self.fits: list[FitRecord] = []
        self._outside: Any = None

    @property
    def steps_of_fits(self) -> int:
        """Steps of Trainers."""
        return sum(record.steps_done for record in self.fits)

    def fit_begins(self, record: FitRecord) -> None:
        """A Trainer begins, whose steps are followed by its own doctor."""
        self.fits.append(record)
        self._outside, state.follower = state.follower, None

    def fit_ran(self, record: FitRecord) -> None:
        """Some of its steps are done."""
        self.check()

    def fit_ended(self, record: FitRecord) -> None:
        """It is over."""
        state.follower = self._outside

    def entered(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called."""
        self.check()
        super().entered(function, args, kwargs)

    def ran(self, *args: Any, **kwargs: Any) -> None:
        """A compiled function ran."""
        super().ran(*args, **kwargs)
        self.check()

    def check(self) -> None:
        """End the program where its budget is used up."""
        if state.trace is not None:
            return
        done = self.steps + self._unseen + self.steps_of_fits
        if (self._most and done >= self._most) or time.perf_counter() > self._until:
            raise _Enough


@contextlib.contextmanager
def _as_program(path: str, args: Sequence[str]) -> Iterator[None]:
    """``sys.argv`` and ``sys.path`` as Python sets them for a program; both come back."""
    argv, paths = sys.argv, list(sys.path)
    sys.argv = [path, *map(str, args)]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, paths


def _is_torch(name: str) -> bool:
    return name.split(".")[0] in ("torch", "torchvision")


def imports_torch(path: str) -> bool:
    """Whether a program imports PyTorch by name."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return False
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return any(_is_torch(name) for name in names)


@contextlib.contextmanager
def _torch_answered(answered: bool) -> Iterator[None]:
    """Inside, ``import torch`` gives Pellucid's modules; what does that stands above."""
    if not answered:
        yield
        return
    names = importlib.import_module("pellucid.as_torch")
    names.install(quiet=True)
    try:
        yield
    finally:
        names.uninstall()


def _report(watch: Budgeted, run: ScriptRun, seconds: float) -> Report:
    """What is wrong with all that was trained; before the first step, with what was made."""
    cases = [case for case in watch.cases() if case.model is not None or case.step]
    cases += [case_of_fit(record) for record in watch.fits]
    for case in cases:
        case.phase = "after" if case.step else "before"
        case.notes["script"] = run.path
        if run.error is not None:
            case.notes["error"] = run.error
    share = seconds / max(1, len(cases))
    return merged([judged(case, share) for case in cases])
