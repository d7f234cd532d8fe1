"""From a Trainer to the state of its run, and back; see :mod:`pellucid.training.run_state`.

==========  ====================================================================================
part        what
==========  ====================================================================================
model       parameters and buffers by name
modes       which parameters are frozen, which modules are in evaluation mode, extra state
average     parameters and buffers of the average, None without one
optimizer   its ``state_dict``
schedule    its ``state_dict``, None without one
random      states of the default generator, of Python's and of NumPy's
trainer     whole epochs of all fits
callbacks   for each its class and, where it has ``state_dict``, its state
fit         where the run stands in its epoch, None between runs
source      where it stands in the data
history     records of the epochs
best        parameters and buffers of the best epoch, None before the first or without validation
==========  ====================================================================================
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, DataError
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.random import Generator, default_generator
from pellucid.training.history import EpochRecord, History
from pellucid.training.run_state import RunState

Array = npt.NDArray[Any]


def capture(trainer: Any, fit: Any = None, into: RunState | None = None) -> RunState:
    """The state of a trainer, and of its run that goes on; the memory of ``into`` is used again."""
    return RunState.of(parts_of(trainer, fit), into)


def parts_of(trainer: Any, fit: Any = None) -> dict[str, Any]:
    """The parts of the state, which are not copied."""
    average, schedule = trainer.average, trainer.schedule
    parts = {
        "model": _tensors(trainer.model),
        "modes": _modes(trainer.model),
        "average": None if average is None else _tensors(average),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "random": random_state(),
        "trainer": {"epochs_trained": trainer.epochs_trained, "seed": trainer.seed},
        "callbacks": [_callback_state(callback) for callback in trainer.callbacks],
        "fit": None,
        "source": None,
        "history": history_state(trainer.history),
        "best": None,
    }
    if fit is not None:
        parts |= {"fit": fit.state(), "source": fit.source.state(), "best": fit.best_arrays()}
    return parts


def restore(trainer: Any, state: RunState) -> None:
    """Puts model, optimizer, schedule, random numbers and callbacks into ``state``.

    ``ArgumentError``, and nothing is changed, where the state is that of another model.
    """
    model, average = state["model"], state["average"]
    _check(trainer.model, model)
    if state["fit"] is not None and (average is not None) != bool(trainer.ema_decay):
        with_it, without = ("with", "without") if average is not None else ("without", "with")
        raise ArgumentError(
            f"The state was saved {with_it} an average of weights, this Trainer is {without} one",
            "Give the ema_decay of then.",
        )
    if (state["schedule"] is None) != (trainer.schedule is None):
        raise ArgumentError(
            "Either the state or this Trainer has a schedule, the other has none",
            "Make the Trainer as the one that was saved.",
        )
    _restore_callbacks(trainer.callbacks, state["callbacks"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if trainer.schedule is not None:
        trainer.schedule.load_state_dict(state["schedule"])
    fill(trainer.model, model)
    _restore_modes(trainer.model, state["modes"])
    trainer.epochs_trained = int(state["trainer"]["epochs_trained"])
    trainer.history = history_of(state["history"])
    restore_random(state["random"])


# ---- models ------------------------------------------------------------------------------------


def named_tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """(name, tensor) of all parameters and buffers, also of those that are in no state_dict."""
    yield from model.named_parameters()
    yield from model.named_buffers()


def _tensors(model: Any) -> dict[str, Any]:
    return dict(named_tensors(model))


def fill(model: Any, saved: Mapping[str, Any]) -> None:
    """Copies saved tensors (or arrays) into the model's, in place."""
    with no_grad():
        for name, tensor in named_tensors(model):
            value = saved[name]
            array = value if isinstance(value, np.ndarray) else value.array()
            np.copyto(tensor.detach().array(), array)


def _check(model: Any, saved: Mapping[str, Any]) -> None:
    """``ArgumentError`` unless the names, shapes and dtypes are the model's."""
    own = {name: (tuple(t.shape), t.dtype.name) for name, t in named_tensors(model)}
    given = {name: (tuple(t.shape), t.dtype.name) for name, t in saved.items()}
    if own == given:
        return
    differing = [name for name in {**given, **own} if own.get(name) != given.get(name)]
    name = differing[0]
    shown = [f"{found[0]} {found[1]}" if found else "absent" for found in
             (given.get(name), own.get(name))]  # fmt: skip
    raise ArgumentError(
        f"The state is that of another model: {len(differing)} tensors differ, such as {name}: "
        f"{shown[0]} in the state, {shown[1]} in the model",
        "Build the model as it was when the state was saved.",
    )


def _modes(model: Any) -> dict[str, Any]:
    modules = list(model.named_modules())
    return {
        "frozen": [name for name, p in model.named_parameters() if not p.requires_grad],
        "evaluating": [path for path, module in modules if not module.training],
        "extra": {path: m.get_extra_state() for path, m in modules if _has_extra_state(m)},
    }


def _has_extra_state(module: Module) -> bool:
    return type(module).get_extra_state is not Module.get_extra_state


def _restore_modes(model: Any, saved: Mapping[str, Any]) -> None:
    frozen, evaluating = set(saved["frozen"]), set(saved["evaluating"])
    for name, parameter in model.named_parameters():
        if parameter.requires_grad == (name in frozen):
            parameter.requires_grad_(name not in frozen)
    for path, module in model.named_modules():
        if module.training == (path in evaluating):
            module.training = path not in evaluating
        if path in saved["extra"]:
            module.set_extra_state(saved["extra"][path])


# ---- callbacks ---------------------------------------------------------------------------------


def _callback_state(callback: Any) -> tuple[str, Any]:
    """Its class, and what it remembers where it says so."""
    told = getattr(callback, "state_dict", None)
    return type(callback).__qualname__, told() if callable(told) else None


def _restore_callbacks(callbacks: list[Any], saved: list[tuple[str, Any]]) -> None:
    """States go to callbacks in order; those that keep none may be others than they were."""
    mine = [c for c in callbacks if callable(getattr(c, "load_state_dict", None))]
    kept = [(name, state) for name, state in saved if state is not None]
    names = [type(callback).__qualname__ for callback in mine]
    if names != [name for name, _ in kept]:
        raise ArgumentError(
            f"The state has callbacks {[name for name, _ in kept]} that remember something, this "
            f"Trainer has {names}",
            "Give the callbacks of then, in their order.",
        )
    for callback, (_, state) in zip(mine, kept, strict=True):
        callback.load_state_dict(state)


# ---- random numbers ----------------------------------------------------------------------------


def random_state() -> dict[str, Any]:
    """States of the three generators that a program draws from without naming one."""
    return {
        "pellucid": np.array(default_generator.state.detach().array()),
        "python": random.getstate(),
        "numpy": np.random.get_state(),
    }


def restore_random(saved: Mapping[str, Any]) -> None:
    """The three generators go on from these states."""
    try:
        np.copyto(default_generator.state.detach().array(), saved["pellucid"])
        random.setstate(saved["python"])
        np.random.set_state(saved["numpy"])
    except (KeyError, TypeError, ValueError):
        raise DataError(
            "The states of random numbers cannot be used", "The file is damaged: use another."
        ) from None


def generator_state(generator: Any) -> object:
    """The state of a generator of Pellucid's or NumPy's."""
    if isinstance(generator, Generator):
        return np.array(generator.state.detach().array())
    return generator.bit_generator.state


def generators_of(loader: Any) -> list[Any]:
    """Generators that a loader and its parts hold, each once."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    parts = [loader, getattr(loader, "sampler", None), batch_sampler]
    parts += [getattr(batch_sampler, "sampler", None), getattr(loader, "dataset", None)]
    found: dict[int, Any] = {}
    for part in parts:
        for value in getattr(part, "__dict__", {}).values():
            if isinstance(value, Generator | np.random.Generator):
                found[id(value)] = value
    return list(found.values())


def restore_generator(generator: Any, saved: Any) -> None:
    """A generator goes on from a state."""
    if isinstance(generator, Generator):
        np.copyto(generator.state.detach().array(), saved)
    else:
        generator.bit_generator.state = saved


# ---- the history -------------------------------------------------------------------------------


def history_state(history: History) -> dict[str, Any]:
    """A history as plain values; each field of the records is an array over the epochs."""
    columns = {}
    names = dict.fromkeys(name for record in history.epochs for name in record.metrics)
    further = {
        name: np.array([record.metrics.get(name, math.nan) for record in history.epochs])
        for name in names
    }
    for item in fields(EpochRecord):
        if item.name == "metrics":
            continue
        values = [getattr(record, item.name) for record in history.epochs]
        missing = [value is None for value in values]
        dtype = np.int64 if item.type == "int" else np.float64
        columns[item.name] = {
            "values": np.array([0 if v is None else v for v in values], dtype),
            "missing": np.array(missing) if any(missing) else None,
        }
    kept = {name: value for name, value in vars(history).items() if name != "findings"}
    return {**kept, "epochs": columns, **({"metrics": further} if further else {})}


def history_of(saved: Mapping[str, Any]) -> History:
    """The history that :func:`history_state` was given."""
    try:
        columns = {}
        for name, column in saved["epochs"].items():
            values, missing = column["values"].tolist(), column["missing"]
            gone = [False] * len(values) if missing is None else missing.tolist()
            columns[name] = [None if m else v for v, m in zip(values, gone, strict=True)]
        lines = zip(*columns.values(), strict=True)
        further = {name: found.tolist() for name, found in saved.get("metrics", {}).items()}
        records = [
            EpochRecord(
                **dict(zip(columns, line, strict=True)),
                metrics={n: v[at] for n, v in further.items() if not math.isnan(v[at])},
            )
            for at, line in enumerate(lines)
        ]
        rest = {name: value for name, value in saved.items() if name != "metrics"}
        return History(**{**rest, "epochs": records})
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise DataError(
            "The history in the state cannot be read", "The file is damaged: use another."
        ) from None
