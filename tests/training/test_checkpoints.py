"""States of runs: whole or absent, exact when read again, refused when they are not ours."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError, DataError, FileError, NonFiniteError
from pellucid.interop.safetensors import load_file
from pellucid.optim import lr_scheduler
from pellucid.training import Checkpoints, RunState, Trainer
from pellucid.training.checkpoints import Writer, load_state, states_in
from pellucid.training.history import Event
from pellucid.training.packing import pack, unpack
from pellucid.utils.data import DataLoader, RandomSampler, TensorDataset

resource = pytest.importorskip("resource")
GOLDEN = Path(__file__).parent / "golden"
X = np.random.default_rng(1).normal(size=(150, 4)).astype(np.float32)
Y = np.random.default_rng(2).integers(0, 3, 150)
HELD = (X[:40], Y[:40])


def trainer(folder: Any = None, seed: int = 0, **extra: Any) -> Trainer:
    """A small network with dropout, batch normalization, AdamW and an average."""
    pellucid.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(4, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3)
    )
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    checkpoint = None if folder is None else Checkpoints(folder, every_steps=4)
    settings = {"ema_decay": 0.8, "compile": False, "checkpoint": checkpoint, **extra}
    return Trainer(model, "cross_entropy", optimizer, seed=seed, **settings)


def bits(made: Trainer) -> list[bytes]:
    return [t.detach().numpy().tobytes() for t in made.model.state_dict().values()]


def stop_at(made: Trainer, step: int) -> None:
    def look(event: Event) -> None:
        if event.kind == "steps" and event.step >= step:
            made.stop()

    made.callbacks.append(look)


# ---- values ------------------------------------------------------------------------------------


def test_values_come_back_bit_by_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    value = {
        "numbers": [1, -(2**80), 0.1, float("inf"), True, None, "text", np.float32(0.1)],
        ("a", 1): {1: np.arange(3), "1": np.arange(4)},
        "empty": [(), {}, np.zeros((0, 3), np.uint16)],
        "arrays": (rng.normal(size=(2, 3)), np.array(5), rng.integers(0, 9, 4).astype(np.uint32)),
        "complex": np.array([1 + 2j]),
        "tensors": [pellucid.randn(3).to(pellucid.bfloat16), pellucid.ones(2, 2).t()],
    }
    state = RunState.of({"part": value})
    state.save(tmp_path / "state")
    found = RunState.load(tmp_path / "state")
    assert found == state
    back = found["part"]
    assert back["numbers"] == value["numbers"] and type(back["numbers"][-1]) is np.float32
    assert list(back) == list(value) and back["empty"][2].dtype == np.uint16
    for mine, theirs in zip(back["arrays"], value["arrays"], strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)
    assert back["complex"].tolist() == [1 + 2j]
    assert back[("a", 1)][1].tolist() == [0, 1, 2] and len(back[("a", 1)]["1"]) == 4
    assert back["tensors"][0].dtype is pellucid.bfloat16
    assert back["tensors"][0].tolist() == value["tensors"][0].tolist()
    assert np.isnan(unpack(pack(float("nan"), {}, "x"), {}, "x"))


@pytest.mark.parametrize("value", [{1, 2}, object(), lambda: 1, np.array(["a"]), b"x", 1j])
def test_what_cannot_come_back_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"part/here/0 holds a .* which cannot be saved"):
        RunState.of({"part": {"here": [value]}})


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    trainer().run_state().save(path)
    whole = path.read_bytes()
    generator = random.Random(4)
    for _ in range(60):
        content = bytearray(whole)
        if generator.random() < 0.3:
            content = content[: generator.randrange(len(content))]
        else:
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        try:
            found = RunState.load(path)
        except DataError:
            continue
        assert found == RunState.load(path)  # a byte of white space
    for facts, text in [
        (None, "holds no state"),
        ({"format": 99, "version": "9.0"}, "written by Pellucid 9.0, in layout 99"),
        ({"format": 1}, "lacks something"),
        ([], "none of ours"),
    ]:
        metadata = {} if facts is None else {"pellucid.run_state": json.dumps(facts)}
        content = json.dumps({"__metadata__": metadata}).encode()
        path.write_bytes(len(content).to_bytes(8, "little") + content)
        with pytest.raises(DataError, match=text):
            RunState.load(path)
    with pytest.raises(FileError, match="cannot be read"):
        RunState.load(tmp_path / "nothing")


# ---- going on ----------------------------------------------------------------------------------

SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "none": lambda o: None,
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=50),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    "warm-up": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 2), lr_scheduler.CosineAnnealingLR(o, 3)], [2]
    ),
}


@pytest.mark.parametrize(
    ("name", "step"),
    [("none", 1), ("one cycle", 10), ("plateau", 17), ("restarts", 13), ("warm-up", 20)],
)
def test_a_run_goes_on_from_the_middle_of_an_epoch(name: str, step: int, tmp_path: Path) -> None:
    """Ten steps an epoch: the run is left in an epoch, or between two."""

    def made(folder: Path | None) -> Trainer:
        one = trainer(folder)
        one.schedule = SCHEDULES[name](one.optimizer)
        return one

    once = made(None)
    expected = once.fit((X, Y), HELD, epochs=5, batch_size=16)
    first = made(tmp_path)
    stop_at(first, step)
    assert first.fit((X, Y), HELD, epochs=5, batch_size=16).steps == step
    random.random(), np.random.random(), pellucid.rand(3)
    second = made(tmp_path)
    assert second.resume()
    history = second.fit((X, Y), HELD, epochs=5, batch_size=16)
    assert bits(once) == bits(second)
    for field in ("loss", "validation_loss", "learning_rate", "steps", "epoch"):
        assert expected[field] == history[field]
    assert (history.status, history.best_epoch) == ("finished", expected.best_epoch)
    assert second.epochs_trained == once.epochs_trained == 5
    best, kept = load_file(tmp_path / "best.safetensors"), second.model.state_dict()
    assert set(best) == set(kept)
    for key, saved in best.items():
        np.testing.assert_array_equal(saved.numpy(), kept[key].numpy())


OPTIMIZERS = {
    "SGD": {"momentum": 0.9}, "Adam": {"amsgrad": True}, "RMSprop": {"centered": True},
    "Adagrad": {}, "NAdam": {}, "Muon": {}, "Rprop": {}, "ASGD": {},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_where_it_was(name: str, tmp_path: Path) -> None:
    def fitted(folder: Path | None, stop: int = 0) -> Trainer:
        one = trainer(folder, ema_decay=0.0)
        held = one.model.parameters() if name != "Muon" else [one.model[0].weight]
        one.optimizer = getattr(optim, name)(held, lr=0.01, **OPTIMIZERS[name])
        if stop:
            stop_at(one, stop)
        elif folder is not None:
            one.resume()
        one.fit((X, Y), epochs=1, batch_size=16)
        return one

    once = fitted(None)
    fitted(tmp_path, 7)
    assert bits(once) == bits(fitted(tmp_path))


@pytest.mark.parametrize("kind", ["shuffled", "own generator", "replaced", "workers"])
def test_loaders_go_on_where_they_were(kind: str, tmp_path: Path) -> None:
    def loader() -> DataLoader[Any]:
        generator = pellucid.Generator().manual_seed(5)
        rows = TensorDataset(pellucid.tensor(X), pellucid.tensor(Y))
        if kind == "replaced":
            sampler = RandomSampler(rows, replacement=True, num_samples=100)
            return DataLoader(rows, batch_size=16, sampler=sampler)
        own = generator if kind == "own generator" else None
        workers = 2 if kind == "workers" else 0
        return DataLoader(rows, 16, shuffle=True, generator=own, num_workers=workers)

    once = trainer()
    once.fit(loader(), HELD, epochs=3)
    for step in (3, 10, 12):
        folder = tmp_path / str(step)
        first = trainer(folder)
        stop_at(first, step)
        first.fit(loader(), HELD, epochs=3)
        third = trainer(folder)
        third.resume()
        stop_at(third, step + 4)  # and once more
        third.fit(loader(), HELD, epochs=3)
        second = trainer(folder)
        second.resume()
        second.fit(loader(), HELD, epochs=3)
        assert bits(once) == bits(second)


def test_on_another_number_of_threads_the_bits_are_the_same(tmp_path: Path) -> None:
    before = get_num_threads()
    try:
        set_num_threads(2)
        once = trainer(compile=True)
        once.fit((X, Y), epochs=4, batch_size=16)
        first = trainer(tmp_path, compile=True)
        stop_at(first, 17)
        first.fit((X, Y), epochs=4, batch_size=16)
        set_num_threads(1)
        second = trainer(tmp_path, compile=True)
        second.resume()
        second.fit((X, Y), epochs=4, batch_size=16)
    finally:
        set_num_threads(before)
    assert bits(once) == bits(second)


def test_a_state_in_memory_is_forked_and_gone_back_to(tmp_path: Path) -> None:
    """Two runs from one moment, another learning rate in one; the state itself stays."""
    states: list[RunState] = []
    once = trainer()

    def look(event: Event) -> None:
        if event.kind == "steps" and event.step == 13:
            states.append(once.run_state())

    once.callbacks.append(look)
    once.fit((X, Y), HELD, epochs=3, batch_size=16)
    kept = states[0].copy()
    same, other = trainer(), trainer()
    for one in (same, other):
        one.resume(states[0])
    other.optimizer.param_groups[0]["lr"] = 0.1
    for one in (same, other):
        one.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert bits(same) == bits(once) != bits(other)
    assert states[0] == kept
    once.callbacks.clear()
    once.resume(kept)  # step back
    once.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert bits(once) == bits(same)


def test_the_state_inside_of_a_step_is_refused() -> None:
    one = trainer()

    def look(event: Event) -> None:
        if event.kind == "backward":
            one.run_state()

    one.callbacks.append(look)
    with pytest.raises(ArgumentError, match="in the middle of a step"):
        one.fit((X, Y), epochs=1)


def test_a_finished_run_is_prolonged_and_one_that_is_over_stays(tmp_path: Path) -> None:
    once = trainer()
    once.fit((X, Y), HELD, epochs=6, batch_size=16)
    first = trainer(tmp_path)
    first.fit((X, Y), HELD, epochs=3, batch_size=16)
    same = trainer(tmp_path)
    same.resume()
    history = same.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert bits(same) == bits(first) and len(history) == 3 and history.steps == 30
    more = trainer(tmp_path)
    more.resume()
    more.fit((X, Y), HELD, epochs=6, batch_size=16)
    assert bits(more) == bits(once)


def test_early_stopping_goes_on_counting(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 3, 150)

    def trainer(folder: Path | None = None) -> Trainer:
        made = globals()["trainer"](ema_decay=0.0)
        made.optimizer = optim.AdamW(made.model.parameters(), lr=0.1)
        made.checkpoint = None if folder is None else Checkpoints(folder)
        return made

    once = trainer()
    expected = once.fit((X, noise), (X, Y), epochs=200, batch_size=50, patience=4)
    first = trainer(tmp_path)
    stop_at(first, (expected.best_epoch + 2) * 3 + 1)
    first.fit((X, noise), (X, Y), epochs=200, batch_size=50, patience=4)
    second = trainer(tmp_path)
    second.resume()
    history = second.fit((X, noise), (X, Y), epochs=200, batch_size=50, patience=4)
    assert history.status == expected.status == "stopped early"
    assert len(history) == len(expected) and bits(once) == bits(second)


class Counting:
    """A callback that remembers."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, event: Event) -> None:
        if event.kind == "steps":
            self.steps += event.facts["count"]

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


def test_callbacks_frozen_layers_and_modes_come_back(tmp_path: Path) -> None:
    first = trainer(tmp_path, callbacks=[Counting()])
    first.model[0].weight.requires_grad_(False)
    first.model[1].eval()
    stop_at(first, 8)
    first.fit((X, Y), epochs=2, batch_size=16)
    second = trainer(tmp_path, callbacks=[print, Counting()])
    second.callbacks.pop(0)
    second.resume()
    counting = second.callbacks[0]
    assert isinstance(counting, Counting) and counting.steps == 8
    assert not second.model[0].weight.requires_grad and second.model[0].bias.requires_grad
    assert not second.model[1].training and second.model[2].training
    with pytest.raises(ArgumentError, match=r"callbacks \['Counting'\] that remember"):
        trainer(tmp_path).resume()


# ---- what is refused ---------------------------------------------------------------------------


def test_another_model_or_run_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    stop_at(first, 13)
    first.fit((X, Y), HELD, epochs=3, batch_size=16)

    wider = Trainer(nn.Linear(4, 3), "cross_entropy", ema_decay=0.8)
    with pytest.raises(ArgumentError, match=r"state is that of another model: .* tensors differ"):
        wider.resume(tmp_path)
    with pytest.raises(ArgumentError, match="with an average of weights, this Trainer is without"):
        trainer(ema_decay=0.0).resume(tmp_path)
    scheduled = trainer()
    scheduled.schedule = lr_scheduler.StepLR(scheduled.optimizer, 1)
    with pytest.raises(ArgumentError, match="has a schedule"):
        scheduled.resume(tmp_path)
    other = trainer(seed=3)
    other.resume(tmp_path)
    with pytest.raises(ArgumentError, match="batch_size was 16 and is 20, seed was 0 and is 3"):
        other.fit((X, Y), HELD, epochs=3, batch_size=20)
    with pytest.raises(FileError, match="holds checkpoints of another run; nothing was changed"):
        trainer(tmp_path).fit((X, Y), epochs=1)
    changed = trainer(tmp_path)
    changed.resume()
    with pytest.raises(ArgumentError, match="other training data"):
        changed.fit((X + 1, Y), HELD, epochs=3, batch_size=16)


def test_places_without_checkpoints(tmp_path: Path) -> None:
    assert trainer(tmp_path).resume() is False
    with pytest.raises(ArgumentError, match="was told no place"):
        trainer().resume()
    with pytest.raises(FileError, match="holds no checkpoint"):
        trainer().resume(tmp_path)
    with pytest.raises(FileError, match="does not exist"):
        trainer().resume(tmp_path / "nothing")


@pytest.mark.parametrize(
    "settings", [{"keep": 0}, {"every_steps": -1}, {"every_seconds": -1}, {"folder": 3}]
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(settings))):
        Checkpoints(**{"folder": "x", **settings})


# ---- files -------------------------------------------------------------------------------------


def test_the_last_ones_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    one = trainer()
    one.checkpoint = Checkpoints(tmp_path, every_steps=2, keep=3)
    one.fit((X, Y), HELD, epochs=2, batch_size=16)
    names = [path.name for path in states_in(tmp_path)]
    assert len(names) == 3 and (tmp_path / "best.safetensors").exists()
    assert set(os.listdir(tmp_path)) == {*names, "best.safetensors"}
    last = tmp_path / names[-1]
    content = bytearray(last.read_bytes())
    content[-3] ^= 1
    last.write_bytes(content)
    with pytest.warns(RuntimeWarning, match=f"is damaged: .*; going on from {names[-2]}"):
        state, path = load_state(tmp_path)
    assert path.name == names[-2] and state["fit"]["position"]["steps"] in range(11)
    (tmp_path / ".checkpoint-000009.safetensors.0a1b2c3d.partial").write_bytes(b"half")
    again = trainer(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again.resume()
    again.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert not [name for name in os.listdir(tmp_path) if name.endswith("partial")]


@pytest.mark.parametrize("after", [0, 9])
def test_a_full_disk_loses_nothing(after: int, tmp_path: Path) -> None:
    """Files cannot grow beyond 2,000 bytes after so many steps; the training does not mind."""
    once = trainer()
    once.fit((X, Y), HELD, epochs=3, batch_size=16)
    first = trainer(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(event: Event) -> None:
        if event.kind == "steps" and event.step > after:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))

    first.callbacks.append(fill)
    try:
        with pytest.warns(RuntimeWarning, match="no space left on the disk .* training goes on"):
            first.fit((X, Y), HELD, epochs=3, batch_size=16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert bits(first) == bits(once)
    names = os.listdir(tmp_path)
    assert not [name for name in names if "partial" in name]
    if not after:
        assert names == []
        return
    second = trainer(tmp_path)
    second.resume()
    assert second.history.steps in (4, 8)  # files are written beside the training
    second.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert bits(second) == bits(once)


def test_a_run_that_becomes_nan_leaves_the_state_before(tmp_path: Path) -> None:
    x = X.copy()
    one = trainer(tmp_path, ema_decay=0.0)

    def spoil(event: Event) -> None:
        if event.kind == "steps" and event.step == 6:
            one.model[0].weight.detach().fill_(float("nan"))

    one.callbacks.append(spoil)
    with pytest.raises(NonFiniteError):
        one.fit((x, Y), epochs=2, batch_size=16)
    state, _ = load_state(tmp_path)
    assert all(np.isfinite(t.numpy()).all() for t in state["model"].values())


def test_files_of_the_first_layout_are_read(tmp_path: Path) -> None:
    """``golden/state-1.safetensors`` was written by the first version with states of runs: after 13
    steps of three epochs of ten."""
    folder = tmp_path / "states"
    folder.mkdir()
    shutil.copy(GOLDEN / "state-1.safetensors", folder / "checkpoint-000004.safetensors")
    one = trainer(folder)
    one.schedule = lr_scheduler.OneCycleLR(one.optimizer, 0.05, total_steps=50)
    assert one.resume()
    assert one.history.steps == 13 and len(one.history) == 1
    assert one.history["loss"] == [pytest.approx(1.2400, abs=1e-3)]
    history = one.fit((X, Y), HELD, epochs=3, batch_size=16)
    assert history.steps == 30 and [r.steps for r in history] == [10, 20, 30]


def test_the_first_state_is_copied_into_memory_that_is_ready(tmp_path: Path) -> None:
    """Made ready beside the training, with all arrays that the state has."""
    settings = Checkpoints(tmp_path, every_seconds=0.2, keep=5)
    one = trainer(checkpoint=settings)
    used: list[tuple[int, int]] = []

    class Watched(Writer):
        def save(self, capture: Any, steps: int, epochs: int) -> None:
            def told(spare: RunState | None) -> RunState:
                state = capture(spare)
                before = {} if spare is None else spare.arrays
                reused = sum(before.get(name) is a for name, a in state.arrays.items())
                if spare is not None:
                    used.append((reused, len(state.arrays)))
                return state

            super().save(told, steps, epochs)

    writer = Watched(settings)
    one._writer = lambda: writer  # type: ignore[method-assign]
    one.callbacks.append(lambda event: time.sleep(0.02) if event.kind == "steps" else None)
    one.fit((X, Y), HELD, epochs=6, batch_size=16)
    reused, count = used[0]
    assert count > 40 and reused >= count - 10, used  # the history has grown meanwhile
    state, _ = load_state(tmp_path)
    assert state["history"]["steps"] == one.history.steps


def test_a_state_that_cannot_be_taken_is_told_once_it_is_due(tmp_path: Path) -> None:
    class Broken:
        def __call__(self, event: Event) -> None:
            time.sleep(0.02)

        def state_dict(self) -> dict[str, Any]:
            raise RuntimeError("nothing to say")

    settings = Checkpoints(tmp_path, every_seconds=0.2, at_end=False)
    one = trainer(checkpoint=settings)
    one.callbacks.append(Broken())
    told: list[Exception] = []
    one.report_problem = told.append
    history = one.fit((X, Y), HELD, epochs=6, batch_size=16)
    assert history.status == "finished" and told and "nothing to say" in str(told[0])
