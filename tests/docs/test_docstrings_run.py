"""The examples in the docstrings of src/ run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import nn, optim


def examples() -> list[doctest.DocTest]:
    """Every docstring with an example."""
    found: list[doctest.DocTest] = []
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid."):
        loaded = importlib.import_module(module.name)
        found += [t for t in doctest.DocTestFinder().find(loaded) if t.examples]
    return [t for t in doctest.DocTestFinder().find(pellucid) if t.examples] + found


@pytest.mark.parametrize("example", examples(), ids=lambda t: t.name)
def test_example(example: doctest.DocTest) -> None:
    """Beside the module's own names, examples may use a small model and a loss."""
    model = nn.Linear(3, 2)
    names = {"pellucid": pellucid, "nn": nn, "optim": optim, "F": F, "model": model}
    names["loss"] = model(pellucid.ones(4, 3)).sum()
    example.globs = names | example.globs
    report: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append)
    assert not failed, "".join(report)
