"""Runs the programs of the lessons, and compares what they print and draw with the texts.

    python tools/lessons.py 5                   both languages of lesson 5
    python tools/lessons.py 5 6 --lang zh       lessons 5 and 6, the Chinese text
    python tools/lessons.py 5 --write           writes what was printed into the text, and the
                                                pictures beside it
    python tools/lessons.py --notebooks         writes docs/lessons/notebooks
    python tools/lessons.py --glossary          writes docs/glossary.md from glossary.toml

A program is all blocks of Python of a text; it runs in a process of its own, in an empty folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from pellucid.course.lessons import SECTIONS, Block, Text, lesson, lessons  # noqa: E402
from pellucid.course.notebooks import notebook  # noqa: E402

NUMBER = re.compile(r"(?<![\w.])[-−+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


# ---- running -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A program that ran: what each of its blocks printed, and the files it left, by name."""

    printed: list[str]
    files: dict[str, bytes]
    seconds: float


class ProgramFailed(Exception):
    """A program that ended with an error, and how it says so."""


def run(text: Text, seconds: float = 600.0) -> Ran:
    """Runs the program of a text."""
    blocks = [[block.line, block.code] for block, _ in text.program]
    with tempfile.TemporaryDirectory() as place:
        asked, told, work = (Path(place) / name for name in ("asked", "told", "work"))
        work.mkdir()
        asked.write_text(json.dumps({"file": str(text.path), "blocks": blocks}), "utf-8")
        environment = os.environ | {
            "MPLBACKEND": "Agg",
            "PYTHONPATH": str(ROOT / "src"),
            "PELLUCID_LANG": text.language,
            "PYTHONUTF8": "1",
        }
        command = [sys.executable, "-P", __file__, "--child", asked, told]
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        took = time.monotonic() - began
        if done.returncode:
            raise ProgramFailed(f"{text.path.name} ({text.language}):\n{done.stderr}")
        if done.stderr.strip():
            raise ProgramFailed(f"{text.path.name} ({text.language}) warns:\n{done.stderr}")
        files = {p.name: p.read_bytes() for p in sorted(work.iterdir()) if p.is_file()}
        return Ran(json.loads(told.read_text("utf-8")), files, took)


def child(asked: str, told: str) -> None:
    """Runs blocks as one program, ``__main__``, and writes what each printed."""
    task = json.loads(Path(asked).read_text("utf-8"))
    main = types.ModuleType("__main__")
    names = main.__dict__
    names["__file__"] = task["file"]
    tool, sys.modules["__main__"] = sys.modules["__main__"], main
    printed = []
    for line, code in task["blocks"]:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            # Empty lines in front, so that a traceback names the text's lines.
            exec(compile("\n" * (line - 1) + code, task["file"], "exec"), names)
        printed.append(shown.getvalue())
    Path(told).write_text(json.dumps(printed), "utf-8")
    sys.modules["__main__"] = tool


# ---- comparing -----------------------------------------------------------------------------------


def tolerance_of(info: str) -> float:
    """The relative tolerance that a block of output asks for."""
    found = re.search(r"tolerance=([0-9.]+)", info)
    return float(found[1]) if found else 0.0


def unit(number: str) -> float:
    """One unit of the last digit of a printed number."""
    mantissa, _, exponent = number.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - digits)


def numbers_differ(expected: str, printed: str, tolerance: float) -> str:
    """The first pair of numbers that differ by more than a unit of the last digit; "" if none."""
    pairs = NUMBER.findall(expected), NUMBER.findall(printed)
    if len(pairs[0]) != len(pairs[1]):
        return f"{len(pairs[0])} numbers, {len(pairs[1])} were printed"
    for wanted, found in zip(*pairs, strict=True):
        first, second = (float(x.replace("−", "-")) for x in (wanted, found))
        whole = "." not in wanted and "e" not in wanted.lower()
        allowed = 0.0 if whole else max(unit(wanted), unit(found)) * (1 + 1e-6)
        allowed = max(allowed, tolerance * max(abs(first), abs(second)))
        if not math.isclose(first, second, rel_tol=0, abs_tol=allowed):
            return f"{wanted}, {found} was printed"
    return ""


def differs(expected: str, printed: str, tolerance: float) -> str:
    """In what a block's output differs from the text; "" where it does not."""
    wanted, found = (
        [" ".join(line.split()) for line in text.rstrip().splitlines()]
        for text in (expected, printed)
    )
    if len(wanted) != len(found):
        return f"{len(wanted)} lines, {len(found)} were printed:\n" + "\n".join(found)
    for first, second in zip(wanted, found, strict=True):
        words = [re.sub(r"\s+", "", NUMBER.sub("#", line)) for line in (first, second)]
        if words[0] != words[1]:
            return f"{first!r}\n{second!r} was printed"
        if problem := numbers_differ(first, second, tolerance):
            return f"{first!r}: {problem}\n{second!r}"
    return ""


def compare(text: Text, ran: Ran) -> list[str]:
    """In what a text differs from what its program did."""
    wrong = []
    for (block, output), printed in zip(text.program, ran.printed, strict=True):
        place = f"{text.path.name} ({text.language}), line {block.line}"
        if output is None:
            if printed.strip():
                wrong.append(f"{place}: no ```text block says what is printed:\n{printed}")
        elif "sample" in output.info.split():  # drawn at random by a trained network
            continue
        elif problem := differs(output.code, printed, tolerance_of(output.info)):
            wrong.append(f"{place}: {problem}")
    shown = {Path(name).name for name in text.pictures}
    if missing := sorted(shown - set(ran.files)):
        wrong.append(f"{text.path.name} ({text.language}): the program does not draw {missing}")
    if unseen := sorted({n for n in ran.files if n.endswith(".png")} - shown):
        wrong.append(f"{text.path.name} ({text.language}): the text does not show {unseen}")
    return wrong


# ---- writing -------------------------------------------------------------------------------------


def write(text: Text, ran: Ran) -> None:
    """Puts what was printed into the text, and the pictures beside it."""
    lines = text.source.splitlines()
    changes: list[tuple[Block, Block | None, list[str]]] = []
    for (block, output), printed in zip(text.program, ran.printed, strict=True):
        shown = [line.rstrip() for line in printed.rstrip("\n").splitlines()]
        changes.append((block, output, shown))
    for block, output, shown in reversed(changes):
        if output is not None:
            lines[output.line - 1 : output.end - 1] = shown
            if not shown:  # nothing is printed any more
                del lines[output.line - 2 : output.line]
        elif shown:
            lines[block.end : block.end] = ["", "```text", *shown, "```"]
    text.path.write_text("\n".join(lines) + "\n", "utf-8")
    folder = text.path.parent / "images"
    for name in {Path(name).name for name in text.pictures} & set(ran.files):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(ran.files[name])


# ---- notebooks -----------------------------------------------------------------------------------


def notebooks() -> dict[Path, str]:
    """The notebooks of the lessons that are there: file → text."""
    folder = ROOT / "docs/lessons/notebooks"
    return {
        folder / language / f"{each.name}.ipynb": json.dumps(
            notebook(each, language), ensure_ascii=False, indent=1
        )
        + "\n"
        for each in lessons()
        if each.is_there
        for language in sorted(SECTIONS)
    }


# ---- the glossary --------------------------------------------------------------------------------


def glossary() -> list[dict[str, object]]:
    """The terms, in the order of the file."""
    import tomllib

    path = ROOT / "docs/lessons/glossary.toml"
    return list(tomllib.loads(path.read_text("utf-8"))["term"])


def glossary_page() -> str:
    """docs/glossary.md: both languages in one table, in the order of the English words."""
    lines = [
        "# Glossary · 术语表",
        "",
        "The words of the lessons in English and in Chinese.",
        "课程里用到的词，中英对照。",
        "",
        "| English | 中文 | meaning | 意思 |",
        "| --- | --- | --- | --- |",
    ]
    for term in sorted(glossary(), key=lambda t: str(t["en"]).lower()):
        cells = [str(term[name]) for name in ("en", "zh", "meaning_en", "meaning_zh")]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


# ---- the command ---------------------------------------------------------------------------------


def main() -> int:
    """Runs, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument("numbers", nargs="*", type=int, help="lessons; all without any")
    parser.add_argument("--lang", choices=sorted(SECTIONS), help="one language")
    parser.add_argument("--write", action="store_true", help="write outputs and pictures")
    parser.add_argument("--notebooks", action="store_true", help="write the notebooks")
    parser.add_argument("--glossary", action="store_true", help="write docs/glossary.md")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.glossary:
        (ROOT / "docs/glossary.md").write_text(glossary_page(), "utf-8")
        return 0
    if chosen.notebooks:
        for path, content in notebooks().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
        return 0
    wrong: list[str] = []
    for each in [lesson(n) for n in chosen.numbers] or [x for x in lessons() if x.is_there]:
        for language in [chosen.lang] if chosen.lang else sorted(SECTIONS):
            text = each.text(language)
            try:
                ran = run(text)
            except ProgramFailed as error:
                wrong.append(str(error))
                continue
            print(f"{each.name} ({language}): {ran.seconds:.1f} s", flush=True)
            for name, content in ran.files.items():
                if name.endswith(".png") and len(content) > 60 * 1024:
                    wrong.append(f"{name} ({language}): {len(content) // 1024} KB, 60 at most")
            if chosen.write:
                write(text, ran)
                text = each.text(language)
            wrong += compare(text, ran)
    print("\n\n".join(wrong))
    return bool(wrong)


class _Raw(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(main())
