"""What all tests share: a generator with a known seed, the data folder, a fresh default seed."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pellucid
import turns

os.environ["PELLUCID_LANG"] = "en"  # whatever the machine's language is; also for processes

SEED = int(os.environ.get("PELLUCID_TEST_SEED", "20260"))
"""Seed of the ``rng`` fixture; set PELLUCID_TEST_SEED to try another."""


QUICK = ("arch", "compiler", "graph", "ops", "transforms")
"""Folders that ``--quick`` runs: the rules of the house and what everything else stands on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--quick``."""
    parser.addoption("--quick", action="store_true", help=f"only tests of {', '.join(QUICK)}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--quick``, leaves out what is in other folders."""
    below = Path(__file__).parent
    if not config.getoption("--quick") or below not in collection_path.parents:
        return None
    return True if collection_path.relative_to(below).parts[0] not in QUICK else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long demonstrations take turns."""
    for item in items:
        if turns.wait(item):
            item.add_marker(pytest.mark.skip(reason="its turn is another day: PELLUCID_TEST_SLOW"))


def pytest_report_header(config: pytest.Config) -> str:
    """Says how long it takes, before it begins."""
    if config.getoption("--quick"):
        return "quick: about two minutes on two cores"
    return "all tests take 10 to 25 minutes on two cores, --quick about two; -n 0 for one process"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Takes what was collected out of the garbage collector's sight, which looks at it often."""
    if not session.config.option.collectonly:
        gc.collect()
        gc.freeze()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A NumPy generator; a failing test's report says with which seed to run it again."""
    request.node.user_properties.append(("PELLUCID_TEST_SEED", SEED))
    return np.random.default_rng(SEED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the seed to the report of a failed test that uses ``rng``."""
    report = yield
    if report.failed and "rng" in getattr(item, "fixturenames", ()):
        report.sections.append(("random seed", f"PELLUCID_TEST_SEED={SEED}"))
    return report


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of data sets named by PELLUCID_TEST_DATA; skips where there is none."""
    named = os.environ.get("PELLUCID_TEST_DATA")
    if not named:
        pytest.skip("PELLUCID_TEST_DATA names no folder of data sets")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"PELLUCID_TEST_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(autouse=True)
def _default_seed() -> None:
    """Every test starts with the default generator at seed 0."""
    pellucid.manual_seed(0)
