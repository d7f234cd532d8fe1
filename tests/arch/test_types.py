"""What a strict type checker sees of programs that use the package."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pellucid
from arch.source_tree import modules

pytest.importorskip("mypy", reason="mypy is not installed")

PROGRAMS = Path(__file__).parent / "typed"
NAMES = [path.name for path in sorted(PROGRAMS.glob("*.py"))]
SHORTENED = (
    (r"tuple\[[^\[\]]*, fallback=([\w.]+)\]", r"\1"),  # a named tuple
    (r"\b(?:[a-z_]+\.)+([A-Za-z_])", r"\1"),  # modules
    (r"\b(?:bool \| )?int \| float\b", "int | float"),
    (r"builtins\.|[?*]", ""),
)


def _short(revealed: str) -> str:
    """A type as mypy writes it, without the modules that names come from."""
    for pattern, replacement in SHORTENED:
        revealed = re.sub(pattern, replacement, revealed)
    return revealed


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, list[str]]]:
    """What ``mypy --strict`` says: file → line → notes and errors."""
    cache = tmp_path_factory.mktemp("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), *NAMES]
    source = str(Path(pellucid.__file__).parents[1])
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = {**os.environ, "PYTHONPATH": path, "MYPYPATH": source}
    done = subprocess.run(
        [*command, "--config-file="],
        cwd=PROGRAMS,
        env=settings,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert not done.stderr, done.stderr
    found: dict[str, dict[int, list[str]]] = {name: {} for name in NAMES}
    for line in done.stdout.splitlines():
        match = re.match(r"([\w.]+):(\d+): (?:note|error): (.*)", line)
        if match:
            found[match[1]].setdefault(int(match[2]), []).append(match[3])
    return found


def _expected(name: str) -> Iterator[tuple[int, str, str]]:
    """Line number, text and expectation of the lines that have one."""
    lines = (PROGRAMS / name).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        code, mark, wanted = line.partition("  # ")
        if mark and (code.strip().startswith("reveal_type") or wanted.startswith("error: ")):
            yield number, code.strip(), wanted


@pytest.mark.parametrize("name", [n for n in NAMES if n != "wrong_uses.py"])
def test_types_are_known(name: str, messages: dict[str, dict[int, list[str]]]) -> None:
    said = {number: list(texts) for number, texts in messages[name].items()}
    wrong = []
    for number, code, wanted in _expected(name):
        texts = said.pop(number, [])
        revealed = [t.partition('"')[2].rstrip('"') for t in texts if t.startswith("Revealed")]
        if [_short(t) for t in revealed] != [wanted] or len(texts) != 1:
            wrong.append(f"{name}:{number}: {code} is {texts}, not {wanted}")
    assert not wrong, "\n".join(wrong)
    assert not said, f"further messages: {said}"


def test_wrong_names_and_arguments_are_caught(
    messages: dict[str, dict[int, list[str]]],
) -> None:
    said = messages["wrong_uses.py"]
    missed = []
    for number, code, wanted in _expected("wrong_uses.py"):
        kind = wanted.removeprefix("error: ")
        if not any(text.endswith(f"[{kind}]") for text in said.get(number, [])):
            missed.append(f"{number}: {code}: {said.get(number)}, not {kind}")
    assert not missed, "\n".join(missed)
    assert set(said) == {number for number, _, _ in _expected("wrong_uses.py")}


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(pellucid.__file__).parent / "py.typed").exists()


# ---- a ratchet ----------------------------------------------------------------------------------

OPAQUE = {
    "": 2,
    "course": 1,
    "data": 1,
    "func": 3,
    "graph": 2,
    "insight": 2,
    "nn": 9,
    "optim": 1,
    "tensor": 46,
    "training": 10,
    "utils": 11,
}
"""Folder → public functions there whose result is ``Any``.  These numbers only go down: those left
call what the user gave, walk trees of anything, read whatever a file holds, hand over what
a learner's program made, or stand below the class of tensors."""


def _opaque_functions() -> Iterator[tuple[str, str]]:
    """Folder and place of public functions and methods that return ``Any``."""

    def walk(nodes: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.If):
                yield from walk(node.body, prefix)
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                if node.returns is not None and ast.unparse(node.returns) == "Any":
                    yield f"{prefix}{node.name}"

    for module in modules().values():
        for name in walk(module.tree.body, ""):
            yield module.folder, f"{module.place}: {name}"


def test_fewer_and_fewer_results_are_any() -> None:
    found: dict[str, list[str]] = {}
    for folder, place in _opaque_functions():
        found.setdefault(folder, []).append(place)
    for folder, places in found.items():
        assert len(places) <= OPAQUE.get(folder, 0), f"say what these return: {places}"
