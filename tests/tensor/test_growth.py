"""What a process keeps is bounded, unloaded when it is not used, and can be cleared."""

from __future__ import annotations

import gc
import re
import sys
import threading
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn, optim
from pellucid.backends.cpu import engine
from pellucid.base.caches import cache_names
from pellucid.tensor import compile as compile_module

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


def maps() -> int:
    """Areas of memory that the process has mapped."""
    return len(Path("/proc/self/maps").read_text().splitlines())


def row_sums(x: Any) -> Any:
    return (x * x + 1).sum(1)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts the maps of Linux")
@pytest.mark.filterwarnings("ignore:.*was compiled 8 times")
def test_programs_and_machine_code_of_old_shapes_are_unloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compile_module, "KEPT_PROGRAMS", 3)
    monkeypatch.setattr(engine, "KEPT_KERNELS", 3)
    compiled = pl.compile(row_sums)
    counts = []
    for n in range(2, 26):
        x = pl.full((2, n), 2.0)
        assert compiled(x).tolist() == [5.0 * n] * 2
        gc.collect()
        counts.append(maps())
    assert sum(len(known) for known in compiled._programs.values()) == 3
    assert len(engine._addresses) <= 4
    # 16 further shapes after the bound is reached; each took 5 to 10 maps and kept them.
    assert max(counts[8:]) - counts[7] < 20, counts


@pytest.mark.filterwarnings("ignore:.*was compiled 8 times")
def test_a_program_that_runs_is_not_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_module, "KEPT_PROGRAMS", 1)
    monkeypatch.setattr(engine, "KEPT_KERNELS", 1)
    compiled = pl.compile(row_sums)
    failed: list[Any] = []

    def work(n: int) -> None:
        x = pl.full((3, n), 2.0)
        for _ in range(20):
            if compiled(x).tolist() != [5.0 * n] * 3:
                failed.append(n)

    workers = [threading.Thread(target=work, args=(n,)) for n in (2, 3)]
    for worker in workers:
        worker.start()
    for _ in range(10):
        pl.clear_caches()
        gc.collect()
    for worker in workers:
        worker.join()
    assert not failed


def test_everything_works_after_the_caches_are_cleared() -> None:
    pl.manual_seed(0)
    model = nn.LSTM(3, 4)
    optimizer = optim.Adam(model.parameters())

    @pl.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x)[0].square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    x = pl.ones(5, 2, 3)
    losses = []
    for turn in range(4):
        losses.append(step(x).item())
        if turn == 1:
            kept = model(x)[0]
            pl.clear_caches()
            assert not step._programs and not engine._addresses
            assert_close(model(x)[0], kept, 1e-6, 1e-7)
    assert losses == sorted(losses, reverse=True)


def used_model() -> weakref.ref[nn.Module]:
    """A model that a compiled function has used; both are out of reach."""
    model = nn.Linear(2, 2)
    model.compiled = pl.compile(lambda x: model(x) * 2)  # a circle, too
    model.compiled(pl.ones(1, 2))
    return weakref.ref(model)


def test_programs_do_not_keep_models_alive() -> None:
    gone = used_model()
    gc.collect()
    assert gone() is None


def test_the_architecture_lists_what_is_kept() -> None:
    import pellucid.backends.cpu.general
    import pellucid.backends.cpu.load
    import pellucid.models.gpt
    import pellucid.training.trainer  # noqa: F401  (all that keep something are loaded)

    text = ARCHITECTURE.read_text(encoding="utf-8")
    section = text.split("## State of the process", 1)[1].split("\n## ", 1)[0]
    listed = set(re.findall(r"^\| ([a-z][^|]*?) \|", section, re.MULTILINE))
    assert listed - {"what"} == set(cache_names())


def test_tables_of_every_module_are_registered_or_explained() -> None:
    """A module-level dictionary, list or set that starts empty is state of the process."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    section = text.split("## State of the process", 1)[1].split("\n## ", 1)[0]
    source = Path(sys.modules["pellucid"].__file__ or "").parent
    empty = re.compile(
        r"^(_?[a-z_]+)\b[^=\n]*= (?:\{\}|\[\]|set\(\)|OrderedDict\(\)|weakref\.Weak\w+\(\))$",
        re.MULTILINE,
    )
    missing = []
    for file in sorted(source.rglob("*.py")):
        found = empty.findall(file.read_text(encoding="utf-8"))
        place = file.relative_to(source).with_suffix("").as_posix()
        missing += [f"{place}.{n}" for n in found if f"`{place}.{n}`" not in section]
    assert not missing, missing


def test_eager_operations_survive_clearing() -> None:
    x = np.linspace(-2, 2, 40_000, dtype=np.float32)
    before = pl.exp(pl.tensor(x)).numpy().copy()
    pl.clear_caches()
    np.testing.assert_array_equal(pl.exp(pl.tensor(x)).numpy(), before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pl.clear_caches()
