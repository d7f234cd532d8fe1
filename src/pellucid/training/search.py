"""Search for good settings, judged by validation rows; Optuna (Akiba and others, 2019) proposes.

>>> space = {"lr": LogUniform(1e-4, 1e-1), "width": Choice(16, 32, 64)}
>>> found = search(build, space, train, validation, trials=20)                 # doctest: +SKIP
>>> found.best.settings                                                        # doctest: +SKIP
{'lr': 0.0213, 'width': 32}
>>> print(found)                                                               # doctest: +SKIP

A search with a ``storage`` can be interrupted and called again: it goes on where it was.  Several
processes share its trials, each on one core.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.backends.cpu.threads import available_cpus, get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError, FileError, NonFiniteError, PellucidError
from pellucid.base.extras import needs
from pellucid.base.language import Shown, columns_of, padded, translated
from pellucid.data.sources import PreparedData
from pellucid.tensor.random import manual_seed
from pellucid.training.history import Event, StopTraining
from pellucid.training.network import target_array
from pellucid.training.pooled import Curve, Pool, Settings, Together
from pellucid.training.showing import table_html

Build = Callable[[Settings], Any]
Objective = Callable[[Settings, int, Callable[[int, float], None]], tuple[float, float | None, int]]
"""(settings, seed, tell) → (loss, metric or None, epoch): trains with the settings, and calls
``tell(epoch, validation loss)`` after each epoch, which may raise ``StopTraining``."""

SAMPLERS: Mapping[str, str] = {
    "tpe": "ten at random, then near those that were good (Bergstra and others, 2011)",
    "random": "each by itself (Bergstra and Bengio, 2012)",
    "grid": "all combinations of listed values",
}
"""How settings are proposed, by name."""
RANDOM_FIRST = 10
"""Trials of the sampler ``tpe`` that are proposed at random."""


# ---- spaces ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogUniform:
    """Numbers between ``low`` and ``high`` whose logarithm is evenly spread: for learning rates
    and penalties, where 0.001 and 0.01 differ as much as 0.01 and 0.1."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ArgumentError(f"{self} is empty", "Use 0 < low < high.")

    def suggested(self, trial: Any, name: str) -> Any:
        """The number that a trial of Optuna gets."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Uniform:
    """Numbers evenly spread between ``low`` and ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ArgumentError(f"{self} is empty", "Use low < high.")

    def suggested(self, trial: Any, name: str) -> Any:
        """The number that a trial of Optuna gets."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class Whole:
    """Whole numbers from ``low`` to ``high``, both included; ``log`` spreads their logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high or (self.log and self.low < 1):
            raise ArgumentError(f"{self} is empty", "Use low <= high, and low from 1 up with log.")

    def suggested(self, trial: Any, name: str) -> Any:
        """The number that a trial of Optuna gets."""
        return trial.suggest_int(name, self.low, self.high, log=self.log)


class Choice:
    """One of some values, all equally likely; they may be tuples and other objects."""

    def __init__(self, *values: Any) -> None:
        if not values:
            raise ArgumentError("Choice got no values", "Name at least one.")
        self.values = values

    @property
    def labels(self) -> tuple[Any, ...]:
        """What Optuna's storage holds in place of the values."""
        plain = all(isinstance(v, None | bool | int | float | str) for v in self.values)
        return self.values if plain else tuple(map(repr, self.values))

    def suggested(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna gets."""
        label = trial.suggest_categorical(name, self.labels)
        return self.values[self.labels.index(label)]

    def __repr__(self) -> str:
        return f"Choice{self.values}"


def _kind(name: str, values: Any) -> Any:
    if hasattr(values, "suggested"):
        return values
    if isinstance(values, Sequence) and not isinstance(values, str):
        return Choice(*values)
    raise ArgumentError(
        f"The values of {name!r} are {values!r}",
        "Use LogUniform, Uniform, Whole, Choice or a list.",
    )


def _kinds(space: Mapping[str, Any]) -> dict[str, Any]:
    if not space:
        raise ArgumentError("The space to search is empty", "Name at least one setting.")
    return {name: _kind(name, values) for name, values in space.items()}


# ---- results ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """One set of settings: ``loss`` is the lowest validation loss, reached in ``epoch``; infinite
    where training did not stay finite.  ``seed`` repeats it.  A trial that was worse than most
    others after as many epochs was ended early (``pruned``)."""

    settings: Settings
    loss: float
    metric: float | None
    epoch: int
    seed: int
    pruned: bool = False


@dataclass(frozen=True)
class SearchResult:
    """The trials from the best to the worst; those that were ended early come last."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial with the lowest validation loss."""
        return self.trials[0]

    def importances(self) -> dict[str, float]:
        """How much each setting mattered, shares that sum to 1, the largest first: how far the
        values of the better half of the trials lie from those of all (PED-ANOVA, Watanabe and
        others, 2023).  Empty for fewer than four whole trials or a single setting."""
        whole = [t for t in self.trials if not t.pruned and math.isfinite(t.loss)]
        names = list(self.best.settings)
        varied = [n for n in names if len({repr(t.settings[n]) for t in whole}) > 1]
        if len(whole) < 4 or len(varied) < 2:
            return {}
        with _quiet() as optuna:
            study = _told(optuna, whole, varied)
            judge: Any = optuna.importance.PedAnovaImportanceEvaluator
            known = inspect.signature(judge).parameters
            share = "target_quantile" if "target_quantile" in known else "baseline_quantile"
            judged = optuna.importance.get_param_importances(study, evaluator=judge(**{share: 0.5}))
        return {name: float(share) for name, share in judged.items()}

    def __str__(self) -> str:
        """A leaderboard of the ten best."""
        lines = self._leaderboard()
        widths = [max(map(columns_of, column)) for column in zip(*lines, strict=True)]
        return Shown(
            "\n".join("  ".join(map(_to_the_right, line, widths)).rstrip() for line in lines)
        )

    def _repr_html_(self) -> str:
        """The leaderboard in a notebook."""
        heads, *rows = self._leaderboard()
        return table_html(heads, rows)

    def _leaderboard(self) -> list[list[str]]:
        """The heads of a table, and the ten best trials."""
        names = list(self.best.settings)
        heads = (translated(head) for head in ("rank", "loss", "metric", "epoch"))
        lines = [[*heads, *names, ""]]
        for rank, trial in enumerate(self.trials[:10], 1):
            metric = "" if trial.metric is None else f"{trial.metric:.4g}"
            values = [shown(trial.settings.get(name)) for name in names]
            ended = translated("ended early") if trial.pruned else ""
            lines.append([str(rank), f"{trial.loss:.4g}", metric, str(trial.epoch), *values, ended])
        return lines


def _to_the_right(text: str, width: int) -> str:
    return padded(text, width, right=True)


def shown(value: object) -> str:
    """A setting in a table."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple | list):
        return "-".join(map(str, value)) or "none"
    return str(value)


def _optuna() -> Any:
    """The package that proposes settings."""
    with needs("search", "A search"):
        import optuna
    return optuna


def _told(optuna: Any, trials: Sequence[Trial], names: Sequence[str]) -> Any:
    """A study in memory that knows these trials."""
    kinds = optuna.distributions
    study = optuna.create_study()
    for trial in trials:
        parameters, distributions = dict[str, Any](), dict[str, Any]()
        for name in names:
            values = [t.settings[name] for t in trials]
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                low, high = float(min(values)), float(max(values))
                logarithmic = low > 0 and high > 10 * low
                distributions[name] = kinds.FloatDistribution(low, high, log=logarithmic)
                parameters[name] = float(trial.settings[name])
            else:
                texts = list(dict.fromkeys(map(repr, values)))
                distributions[name] = kinds.CategoricalDistribution(texts)
                parameters[name] = repr(trial.settings[name])
        made = optuna.trial.create_trial(
            params=parameters, distributions=distributions, value=trial.loss
        )
        study.add_trial(made)
    return study


# ---- searching -------------------------------------------------------------------------------


def search(
    build: Build,
    space: Mapping[str, Any],
    train: Any,
    validation: Any = None,
    *,
    trials: int = 20,
    minutes: float | None = None,
    sampler: Any = "tpe",
    prune: bool = False,
    processes: int = 1,
    storage: str | os.PathLike[str] | None = None,
    name: str = "search",
    seed: int = 0,
    test: Any = None,
    **fit: Any,
) -> SearchResult:
    """Trains with settings from ``space`` and ranks them by validation loss.

    ``build(settings)`` makes an untrained ``Trainer``.  ``space`` maps names to ``LogUniform``,
    ``Uniform``, ``Whole``, ``Choice`` or a list of values.  ``train`` and ``validation`` are what
    ``Trainer.fit`` takes, and ``fit`` its other arguments (epochs, batch_size, patience);
    ``train`` may also be a whole ``PreparedData``, whose two parts are then used.  Trial i starts
    from seed ``seed`` + i, so equal arguments give equal trials in one process.

    ``sampler`` is one of ``SAMPLERS`` or a sampler of Optuna.  With ``prune``, a trial that after
    some epochs is worse than the median of the others is ended.  After ``minutes`` no new trial
    begins.  ``processes`` trials run at a time, each on one thread; 0 takes one for each core.

    ``storage`` keeps the trials: a path (a journal file, which processes of one machine may
    share) or a URL of a database, as Optuna takes it.  Called again with it, the search called
    ``name`` goes on until there are ``trials`` in all.

    The test set has no place here: settings chosen by it would make its metrics look too good.
    ``ArgumentError`` for a test set, for validation rows that are the training or test rows, and
    for settings of a kind that is not known.
    """
    rows = _rows(train, validation, test)

    def objective(
        settings: Settings, seed: int, tell: Callable[[int, float], None]
    ) -> tuple[float, float | None, int]:
        trainer = build(settings)
        trainer.callbacks = [*trainer.callbacks, telling(tell)]
        trainer.fit(*rows, **{"progress": False, **fit})  # a bar for each trial would be many
        return outcome_of(trainer.history)

    return search_objective(
        objective,
        space,
        trials=trials,
        minutes=minutes,
        sampler=sampler,
        prune=prune,
        processes=processes,
        storage=storage,
        name=name,
        seed=seed,
    )


def grid_search(
    build: Build,
    space: Mapping[str, Sequence[Any]],
    train: Any,
    validation: Any = None,
    *,
    seed: int = 0,
    test: Any = None,
    **options: Any,
) -> SearchResult:
    """All combinations of the listed values, each tried once; arguments as for :func:`search`."""
    for name, kind in _kinds(space).items():
        if not isinstance(kind, Choice):
            raise ArgumentError(
                f"grid_search got {kind} for {name!r}", "List the values, or use search."
            )
    count = math.prod(len(values.values) for values in _kinds(space).values())
    return search(
        build,
        space,
        train,
        validation,
        trials=count,
        sampler="grid",
        seed=seed,
        test=test,
        **options,
    )


def outcome_of(history: Any) -> tuple[float, float | None, int]:
    """Validation loss, metric and number of the best epoch."""
    best = history.epochs[max(0, history.best_epoch - 1)]
    return float(best.validation_loss), best.metric, best.epoch


def telling(tell: Callable[[int, float], None]) -> Callable[[Event], None]:
    """A callback that tells the validation loss of each epoch."""

    def callback(event: Event) -> None:
        if event.kind == "epoch":
            record = event.facts["record"]
            if record.validation_loss is not None:
                tell(record.epoch, float(record.validation_loss))

    return callback


def search_objective(
    objective: Objective,
    space: Mapping[str, Any],
    *,
    trials: int = 20,
    minutes: float | None = None,
    sampler: Any = "tpe",
    prune: bool = False,
    processes: int = 1,
    storage: str | os.PathLike[str] | None = None,
    name: str = "search",
    seed: int = 0,
    told: Callable[[SearchResult], None] | None = None,
    together: Together | None = None,
) -> SearchResult:
    """:func:`search` for anything that trains: see ``Objective``.  ``told`` is called with all
    results so far whenever a trial has ended, in this process.  ``together`` trains several at
    once, each as ``objective`` does: it is used for trials that do not depend on others, all of
    the sampler ``random`` and the first ten of ``tpe`` in one process."""
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ArgumentError(f"search got trials={trials!r}", "Give a whole number from 1 up.")
    if minutes is not None and not minutes > 0:
        raise ArgumentError(f"search got minutes={minutes!r}", "Give a positive number.")
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 0:
        raise ArgumentError(
            f"search got processes={processes!r}", "Give a whole number; 0 is one for each core."
        )
    kinds = _kinds(space)
    with contextlib.ExitStack() as stack:
        count = processes or available_cpus()
        if storage is None and count > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pellucid-search-"))
            storage = Path(folder) / "trials.journal"
        with _quiet():
            plan = _Plan(
                objective, kinds, sampler, prune, trials, minutes, storage, name, seed,
                together, count,
            )  # fmt: skip
            try:
                plan.run(count, told)
                return plan.result()
            finally:
                plan.close()


class _Plan:
    """What one process needs to take part in a search."""

    def __init__(
        self,
        objective: Objective,
        kinds: Mapping[str, Any],
        sampler: Any,
        prune: bool,
        trials: int,
        minutes: float | None,
        storage: str | os.PathLike[str] | None,
        name: str,
        seed: int,
        together: Together | None = None,
        processes: int = 1,
    ) -> None:
        self.objective, self.kinds = objective, kinds
        self.together, self.processes = together, processes
        self.sampler, self.prune, self.trials = sampler, prune, trials
        self.until = None if minutes is None else time.monotonic() + 60 * minutes
        self.storage, self.name, self.seed = storage, name, seed
        self.opened: Any = None
        self.study = self._study(seed)

    def _study(self, seed: int) -> Any:
        optuna = _optuna()
        pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3)
        sampler = self._sampler(seed)
        try:
            self.opened = _storage(self.storage)
            return optuna.create_study(
                study_name=self.name,
                storage=self.opened,
                sampler=sampler,
                pruner=pruner if self.prune else optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
        except (OSError, ImportError, ValueError) as error:
            raise _not_stored(self.storage, error) from error
        except Exception as error:  # SQLAlchemy's, which is loaded for databases only
            if type(error).__module__.startswith("sqlalchemy"):
                raise _not_stored(self.storage, error) from error
            raise

    def _sampler(self, seed: int) -> Any:
        samplers = _optuna().samplers
        if not isinstance(self.sampler, str):
            return self.sampler
        if self.sampler == "tpe":
            # Processes that run at a time should not all try the same.
            return samplers.TPESampler(
                n_startup_trials=RANDOM_FIRST, seed=seed, multivariate=True, constant_liar=True
            )
        if self.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if self.sampler == "grid":
            return samplers.GridSampler(self._grid(), seed=seed)
        raise ArgumentError(
            f"search got sampler={self.sampler!r}",
            f"Use {', '.join(map(repr, SAMPLERS))}, or a sampler of Optuna.",
        )

    def _grid(self) -> dict[str, Any]:
        for name, kind in self.kinds.items():
            if not isinstance(kind, Choice):
                raise ArgumentError(
                    f"The grid got {kind} for {name!r}", "List the values, or use another sampler."
                )
        return {name: list(kind.labels) for name, kind in self.kinds.items()}

    def run(self, processes: int, told: Callable[[SearchResult], None] | None) -> None:
        """All trials that are still to be made, in this process and ``processes`` − 1 others."""
        if processes == 1:
            self.work(told)
            return
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        others: list[Any] = [
            context.Process(target=_helped, args=(self, number), daemon=True)
            for number in range(1, processes)
        ]
        threads = _one_thread()
        try:
            with threads:
                for other in others:
                    other.start()
                self.work(told)
            for other in others:
                other.join()
            failed = sum(other.exitcode != 0 for other in others)
            if failed:
                warnings.warn(
                    f"{failed} of {processes} processes of the search ended with an error; the "
                    "others made its trials",
                    RuntimeWarning,
                    stacklevel=2,
                )
        finally:
            for other in others:
                if other.is_alive():
                    other.terminate()

    def work(self, told: Callable[[SearchResult], None] | None = None) -> None:
        """Trials one after the other, until there are enough or the time is over."""
        optuna = _optuna()
        states = _ended(optuna)
        if self._ended_trials() >= self.trials or self._pooled(told):
            return
        enough: list[Any] = [optuna.study.MaxTrialsCallback(self.trials, states=states)]
        if told is not None:
            enough.append(lambda study, trial: told(self.result()))
        left = None if self.until is None else max(0.0, self.until - time.monotonic())
        self.study.optimize(self._value, timeout=left, callbacks=enough)

    def _ended_trials(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=_ended(_optuna())))

    def _left(self) -> float | None:
        return None if self.until is None else self.until - time.monotonic()

    def _pooled(self, told: Callable[[SearchResult], None] | None) -> bool:
        """Trains trials together as long as they are proposed at random; whether that is all."""
        if self.together is None or self.sampler not in ("random", "tpe"):
            return False
        if self.sampler == "tpe" and self.processes > 1:
            return False
        states = _optuna().trial.TrialState

        def ended() -> None:
            if told is not None:
                told(self.result())

        pool = Pool(self.study, states, self.together, self._settings, self._replayed, self._left)
        while (done := self._ended_trials()) < self.trials:
            asked = -(-(self.trials - done) // self.processes)
            if self.sampler == "tpe":
                asked = min(asked, RANDOM_FIRST - done)
                if asked < 1:
                    return False
            if not pool.run(asked, ended):
                break
        return True

    def _replayed(self, trial: Any, curve: Curve) -> float | None:
        """What has been trained, told as if it were trained now."""
        for epoch, loss in enumerate(curve.losses, 1):
            if self.prune:
                trial.report(loss, epoch)
                if trial.should_prune():
                    best = min(range(epoch), key=lambda e: (curve.losses[e], e))
                    metric = curve.metrics[best]
                    self._noted(trial, curve.losses[best], metric, best + 1)
                    return None
        self._noted(trial, curve.loss, curve.metric, curve.epoch)
        return curve.loss

    def _settings(self, trial: Any) -> tuple[Settings, int]:
        """What a trial gets: its settings and its seed."""
        settings = {name: kind.suggested(trial, name) for name, kind in self.kinds.items()}
        seed = self.seed + trial.number
        trial.set_user_attr("seed", seed)
        return settings, seed

    def _noted(self, trial: Any, loss: float, metric: float | None, epoch: int) -> None:
        trial.set_user_attr("loss", loss)
        trial.set_user_attr("metric", metric)
        trial.set_user_attr("epoch", epoch)

    def _value(self, trial: Any) -> float:
        settings, seed = self._settings(trial)
        ended = False

        def tell(epoch: int, loss: float) -> None:
            nonlocal ended
            if self.prune:
                trial.report(loss, epoch)
                if trial.should_prune():
                    ended = True
                    raise StopTraining

        manual_seed(seed)
        try:
            loss, metric, epoch = self.objective(dict(settings), seed, tell)
        except NonFiniteError:
            loss, metric, epoch = math.inf, None, 0
        self._noted(trial, loss, metric, epoch)
        if ended:
            pruned: Exception = _optuna().TrialPruned()
            raise pruned
        return loss

    def result(self) -> SearchResult:
        """All trials that have ended."""
        found, states = [], _ended(_optuna())
        for trial in self.study.get_trials(deepcopy=False, states=states):
            known = trial.user_attrs
            settings = {}
            for name, kind in self.kinds.items():
                value = trial.params.get(name)
                if isinstance(kind, Choice) and value in kind.labels:
                    value = kind.values[kind.labels.index(value)]
                settings[name] = value
            pruned = trial.state == states[1]
            found.append(
                Trial(
                    settings,
                    float(known.get("loss", math.inf)),
                    known.get("metric"),
                    int(known.get("epoch", 0)),
                    int(known.get("seed", 0)),
                    pruned,
                )
            )
        if not found:
            raise ArgumentError(
                "No trial has ended in time", "Give the search more minutes, or fewer epochs."
            )
        return SearchResult(tuple(sorted(found, key=lambda t: (t.pruned, t.loss))))

    def close(self) -> None:
        """Ends the connections to a database."""
        if hasattr(self.opened, "engine"):
            self.opened.remove_session()
            self.opened.engine.dispose()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "study": None, "opened": None}


def _ended(optuna: Any) -> tuple[Any, Any]:
    """The states of whole trials and of those that were ended early."""
    states = optuna.trial.TrialState
    return states.COMPLETE, states.PRUNED


def _helped(plan: _Plan, number: int) -> None:
    """A further process of a search; it has its own way to the storage."""
    with _quiet(), _one_thread():
        plan.study = plan._study(plan.seed + 7919 * number)
        try:
            plan.work()
        finally:
            plan.close()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Native code on one thread: the trials that run at a time are what fills the cores."""
    before = get_num_threads()
    set_num_threads(1)
    try:
        yield
    finally:
        set_num_threads(before)


def _storage(place: str | os.PathLike[str] | None) -> Any:
    """Optuna's storage for a path, a URL or nothing."""
    storages = _optuna().storages
    if place is None:
        return None
    text = os.fspath(place)
    if "://" in text:
        return storages.RDBStorage(text, heartbeat_interval=30, grace_period=90)
    journal = storages.journal
    Path(text).parent.mkdir(parents=True, exist_ok=True)
    lock = journal.JournalFileOpenLock(text) if os.name == "nt" else None
    return storages.JournalStorage(journal.JournalFileBackend(text, lock_obj=lock))


def _not_stored(place: object, error: Exception) -> PellucidError:
    return FileError(
        f"The search cannot be stored at {place}: {str(error).splitlines()[0]}",
        "Give the path of a journal file, or the URL of a database whose driver is installed.",
    )


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Optuna without its log lines and its warnings about what is experimental."""
    optuna = _optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


# ---- rows ------------------------------------------------------------------------------------


def _rows(train: Any, validation: Any, test: Any) -> tuple[Any, Any]:
    """Training and validation rows, after a look that nothing else slips in."""
    later = "Choose by validation rows; look at the test set once, with the chosen settings."
    if test is not None:
        raise ArgumentError("search got a test set", later)
    if isinstance(train, PreparedData):
        if validation is not None and validation is not train.validation:
            which = "test" if validation is train.test else "other"
            raise ArgumentError(f"search got {which} rows of the prepared data to choose by", later)
        kind = train.task.kind
        parts = (train.train, train.validation)
        train, validation = ((p.features, target_array(kind, p.targets)) for p in parts)
    if validation is None:
        raise ArgumentError("search got no validation rows", "Give (features, targets).")
    if _same(train, validation):
        raise ArgumentError(
            "search got the training rows as validation rows",
            "Keep some rows apart: pellucid.data.splits.split_indices does.",
        )
    return train, validation


def _same(train: Any, validation: Any) -> bool:
    if train is validation:
        return True
    if not (isinstance(train, tuple | list) and isinstance(validation, tuple | list)):
        return False
    return train[0] is validation[0]
