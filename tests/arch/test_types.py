"""What a strict type checker sees of programs that use the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pellucid

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
