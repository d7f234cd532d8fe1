"""The examples in the docstrings of src/ run and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from pellucid import nn, optim

SOURCE = Path(pellucid.__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    """Modules whose text holds a prompt."""
    files = (p for p in SOURCE.glob("pellucid/**/*.py") if ">>> " in p.read_text(encoding="utf-8"))
    parts = (file.relative_to(SOURCE).with_suffix("").parts for file in sorted(files))
    return [".".join(p for p in names if p != "__init__") for names in parts]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of(name: str) -> None:
    """Beside the module's own names, examples may use a small model and a loss."""
    module = importlib.import_module(name)
    model = nn.Linear(3, 2)
    names = {"pellucid": pellucid, "nn": nn, "optim": optim, "F": F, "model": model}
    names["loss"] = model(pellucid.ones(4, 3)).sum()
    report: list[str] = []
    for example in doctest.DocTestFinder().find(module):
        example.globs = names | example.globs
        doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert not report, "".join(report)
