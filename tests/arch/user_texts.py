"""The texts that commands and reports show, found in the sources, and the catalogue beside them.

A text is a literal, an f-string, a sum of texts or a ``phrase``; what is not fixed in it is a
place, ``{1}``, ``{2}``, … in order.  Pages are cut into the texts between their tags.

    python tests/arch/user_texts.py            texts without a Chinese entry, as lines to fill in
    python tests/arch/user_texts.py --unused   entries that no text uses any more
    python tests/arch/user_texts.py --tidy     puts the entries in the order of the sources, each
                                               once, without unused ones: after a merge
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "pellucid"
CATALOGUE = SOURCES / "base" / "catalogues" / "zh.toml"

# Modules none of whose texts a command or a report shows: they serve programs in Python, whose
# errors are English.
PYTHON_ONLY = {
    "base": "boundary caches dtypes faces forking philox phrases shapes shared_memory version "
    "language",
    "data": "augmentation input_layout memory playground prepared resampling",
    "training": "trainer stepping observe shuffling",
    "insight": "explain features nonfinite",
    "insight/doctor": "bench ends loop_bench steps timeline watching",
    "insight/report": "shown",
    "course": "grading inside judging labels notebooks progress reading starting",
}
FOLDERS = (
    "base",
    "data",
    "training",
    "insight",
    "insight/doctor",
    "insight/doctor/data",
    "insight/doctor/probes",
    "insight/doctor/rules",
    "insight/pictures",
    "insight/report",
    "course",
    "cli",
)
FILES = (
    "insight/effects/drawing.py",
    "insight/effects/runs.py",
    "insight/effects/subject.py",
    "insight/effects/tables.py",
    "insight/explain/explanation.py",
    "insight/explain/local_lines.py",
    "insight/explain/quality.py",
    "insight/explain/verdicts.py",
    "interop/weights.py",
    "interop/safetensors.py",
    "interop/files.py",
    "interop/pytorch/names.py",
    "interop/pytorch/pickles.py",
    "tensor/nonfinite.py",
    "text/language_run.py",
    "rl/agent.py",
    "rl/deep_q.py",
    "rl/drawing.py",
    "rl/health.py",
    "rl/memory.py",
    "rl/off_policy.py",
    "rl/outside.py",
    "rl/runs.py",
    "rl/td3.py",
    "rl/tuned.py",
    "text/sequence_run.py",
)

# Calls whose arguments are shown, so that even a single word among them is a text.
SHOWN = {
    "fact", "say", "complain", "translated", "card", "told", "tell", "said", "words", "frame",
    "Evidence",
}  # fmt: skip
# Literals with blanks that nobody reads, or that are translated in the sentence around them.
NO_TEXTS = {
    "is no",  # these three: "Column {1}: …"
    "are no",
    "is the first",
    "column \\d+",
    "bytes (\\d+)-",
    "time of year",  # names of features
    "day of month",
    "{1} sin",
    "{1} cos",
    "{1} GiB",
    "probability of {1}",  # columns of predictions
    "set of {1}",
    "validation_loss",
    "classes or shares",
    "import importlib, json, sys, types",
    'importlib.import_module("pellucid.data." + sys.argv[4]).child(**json.loads(sys.argv[2]))',
    "shift flip rotate scale crop colour cutout mixup cutmix noise",
    "offset points",  # a name of matplotlib
    "flow, {1}",  # keys of the doctor's notes and names of its probes' numbers
    "{1}as it is",
    "{1}loss at {2} × rate",
    "sharpness × rate",
    "change of the loss at {1} × rate",
    "stored gradient / that of the batch",
    "own at {1} × rate",
    "lr, schedule",  # names of settings
    "lr schedule",
    "eps",
    "weight_decay",
    "nll_loss of the log",  # its first word is a name
}
NO_TEXT = re.compile(
    r"gb18030 |AED ARS |import json|sys\.|for name, folder|from pellucid|pad_sequences|"
    r"Give at least one id|Use 'start'|model channels |loss (class_weight )?l1|"
    r"optimizer learning_rate |base freeze |"
    r"seed threads |[A-Z_0-9]{3,} [A-Z_0-9]{3,}( [A-Z_0-9]+)*$|Noto |Source Han|PingFang|"
    r"Hiragino|Microsoft Ya|WenQuan"
)
"""Code for another process, lists of names, and errors of functions for programs in Python."""

KEYS = {
    "examples",
    "get",
    "getattr",
    "pop",
    "startswith",
    "endswith",
    "partition",
    "split",
    "course",
    "setdefault",
}
"""Calls whose arguments are code: keys, parts of names, lines for a shell."""


def sources() -> Iterator[Path]:
    """The modules whose texts are shown."""
    for folder in FOLDERS:
        hidden = PYTHON_ONLY.get(folder, "").split()
        for path in sorted((SOURCES / folder).glob("*.py")):
            if path.stem not in hidden and not (
                folder == "insight/report" and path.stem == "style"
            ):
                yield path
    yield from (SOURCES / name for name in FILES)


def templates(path: Path) -> dict[str, int]:
    """The texts of a module: template → line."""
    walk = _Walk(path)
    walk.visit(ast.parse(path.read_text()))
    return walk.found


_Body = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


class _Walk(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.found: dict[str, int] = {}
        self.page = "report" in path.parts
        self.commands = path.parts[-2:] == ("cli", "main.py")
        self.certain = 0

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call):
            pieces = _pieces(node)
            if pieces is not None:
                self._add(pieces, getattr(node, "lineno", 0))
                for inner in _inner(node):
                    self.visit(inner)
                return
        if isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            self._body(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        elif isinstance(node, ast.Compare):
            return
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            self.visit(node.value)
            if getattr(node.value, "id", "") == "facts":  # names of what a report shows
                self.visit(node.slice)
        elif isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            return
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            self._annotation(node.annotation)
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                self.visit(node.value)
        else:
            self.generic_visit(node)

    def _annotation(self, node: ast.expr) -> None:
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                self.visit(call)

    def _call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in KEYS:
            return self.visit(node.func)
        shown = name in SHOWN
        self.certain += shown
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in ("fg", "css", "metavar", "default", "encoding"):
                self.certain -= shown and keyword.arg is not None
                self.visit(keyword.value)
                self.certain += shown and keyword.arg is not None
        self.certain -= shown
        self.visit(node.func)

    def _body(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
    ) -> None:
        decorated = isinstance(node, ast.FunctionDef) and any(
            re.search("command|callback", ast.unparse(d)) for d in node.decorator_list
        )
        if self.commands and decorated:
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                self.found.setdefault(normal(" ".join(part.split())), node.lineno)
        self.generic_visit(node)

    def _add(self, pieces: list[str | None], line: int) -> None:
        text = "".join("\0" if piece is None else piece for piece in pieces)
        parts = _texts_of_page(text) if "<" in text and self.page else [text]
        for part in parts:
            for row in part.split("\n"):
                template = normal(row)
                if template in NO_TEXTS or NO_TEXT.match(template):
                    continue
                if template and (self.certain and _word(template) or _prose(template)):
                    self.found.setdefault(template, line)


def normal(text: str) -> str:
    """A text as a key: places numbered, blanks and punctuation around it taken off."""
    text = re.sub(r"\0+", "\0", text)
    text = text.strip().strip(",;").strip()
    text = re.sub(r"(?<=[^.])[.:]$|^: ", "", text).strip()
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"{{{count}}}"

    return re.sub("\0", place, text)


def _word(template: str) -> bool:
    return re.search(r"[A-Za-z]{2,}", re.sub(r"\{\d+\}", "", template)) is not None


def _prose(template: str) -> bool:
    """Whether a text is made of words, not a key, a format or a piece of markup."""
    rest = re.sub(r"\{\d+\}", "#", template)
    if re.search(r"[<>]|[=;]\"|^[-\w./#]+$|^[\w#.]+=|^pellucid |-src ", rest):
        return False
    return re.search(r"[A-Za-z]{2,},? \S|\S,? [A-Za-z]{2,}", rest) is not None


def _texts_of_page(text: str) -> list[str]:
    shown = re.findall(r'(?:title|aria-label|alt)="([^"]*)"', text)
    return shown + re.split(r"<[^>]*>?|[^<>]*>", text)


def _pieces(node: ast.AST) -> list[str | None] | None:
    """Fixed parts and places (None) of an expression that makes a text; None for others."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return [p.value if isinstance(p, ast.Constant) else None for p in node.values]  # type: ignore[misc]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _pieces(node.left), _pieces(node.right)
        if left is None and right is None:
            return None
        return (left or [None]) + (right or [None])
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "phrase":
        made: list[str | None] = []
        for argument in node.args:
            made += _pieces(argument) or [None]
        return made
    return None


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions in the places of a text."""
    if isinstance(node, ast.JoinedStr):
        yield from (p.value for p in node.values if isinstance(p, ast.FormattedValue))
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if _pieces(side) is None:
                yield side
            else:
                yield from _inner(side)
    elif isinstance(node, ast.Call):
        for argument in node.args:
            if _pieces(argument) is None:
                yield argument
            else:
                yield from _inner(argument)


def used() -> dict[str, str]:
    """All texts: template → the place where it is written."""
    found: dict[str, str] = {}
    for path in sources():
        for template, line in templates(path).items():
            found.setdefault(template, f"{path.relative_to(SOURCES)}:{line}")
    return found


def tables() -> dict[str, dict[str, str]]:
    """The catalogue: table → English → Chinese."""
    return tomllib.loads(CATALOGUE.read_text("utf-8"))


def entries() -> dict[str, str]:
    """All tables of the catalogue together."""
    return {english: chinese for table in tables().values() for english, chinese in table.items()}


def literals() -> str:
    """All that is written in the modules, for what is put together there."""
    return "\n".join(path.read_text("utf-8") for path in sources())


def left_over() -> list[str]:
    """Entries that no text uses any more."""
    texts, written = used(), literals()
    found = []
    for name, table in tables().items():
        if name not in ("system", "parser"):
            found += [e for e in table if e not in texts and not _made(name, e, written)]
    return found


def _made(table: str, english: str, written: str) -> bool:
    """Whether an entry is for something that is put together of what is written."""
    if table == "words":
        return any(form in written for form in (english, english.replace(" ", "_")))
    words = re.findall(r"[A-Za-z]+", re.sub(r"\{\d+\}", "", english))
    return table == "pieces" and all(word in written for word in words)


def missing() -> dict[str, str]:
    """Texts without an entry: template → the place where it is written."""
    known = entries()
    return {template: place for template, place in used().items() if template not in known}


HEADER = """\
# What people read, in Chinese.  A table for each module, in the order of its texts; what several
# modules say stands at the first.  {1}, {2}, … are what is filled in; {1!t} is translated, too.
# `python tests/arch/user_texts.py` lists the texts that have no entry yet.
"""
OTHERS = {
    "pieces": "# Texts that are put together of several, and single words of tables and headings.",
    "words": "",
    "system": "# What the system, JSON and TOML say, and the library that reads the command line.",
    "parser": "",
}


def tidy() -> None:
    """Writes the catalogue anew; a table that stands twice in it is one again."""
    seen: dict[str, tuple[str, str]] = {}
    table = ""
    for line in CATALOGUE.read_text("utf-8").splitlines():
        if line.startswith("["):
            table = line.strip('[]"')
        elif entry := re.match(r'("(?:[^"\\]|\\.)*") = (".*")$', line):
            seen.setdefault(json.loads(entry[1]), (table, json.loads(entry[2])))
    texts = used()
    made: dict[str, dict[str, str]] = {}
    for text, place in texts.items():
        if text in seen:
            made.setdefault(place.partition(":")[0], {})[text] = seen[text][1]
    for text, (table, chinese) in seen.items():
        if text not in texts and table in OTHERS:
            made.setdefault(table, {})[text] = chinese
    lines = [HEADER]
    for name in (*(n for n in made if n not in OTHERS), *(n for n in OTHERS if n in made)):
        lines += [OTHERS[name]] if OTHERS.get(name) else []
        lines += [f'["{name}"]', *(f"{quoted(a)} = {quoted(b)}" for a, b in made[name].items()), ""]
    CATALOGUE.write_text("\n".join(lines), "utf-8")


def main() -> None:
    """Prints what is missing, or with ``--unused`` what is too much; ``--tidy`` puts in order."""
    if "--tidy" in sys.argv:
        return tidy()
    if "--unused" in sys.argv:
        print("\n".join(map(quoted, left_over())))
        return
    module = ""
    for template, place in missing().items():
        file = place.partition(":")[0]
        if file != module:
            module = file
            print(f'\n["{file}"]')
        print(f'{quoted(template)} = ""')


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    main()
