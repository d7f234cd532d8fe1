"""Every Python block of the README and of docs/ runs, but lessons: they have tests of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[tuple[int, str]]:
    """Line number and text of each Python block."""
    text = path.read_text(encoding="utf-8")
    return [(text[: m.start()].count("\n") + 2, m.group(1)) for m in BLOCK.finditer(text)]


LESSONS = ROOT / "docs" / "lessons"  # tests/course runs their programs
WITH_CODE = [path for path in FILES if blocks(path) and LESSONS not in path.parents]


def test_the_documents_with_code_are_found() -> None:
    names = {path.name for path in WITH_CODE}
    assert {"README.md", "README.zh-CN.md", "guide.md", "guide.zh-CN.md"} <= names


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if path.name == "guide.zh-CN.md" and not os.environ.get("PELLUCID_TEST_SLOW"):
        pytest.skip("its programs are those of guide.md, as another test shows")
    if path.name.startswith("from-pytorch"):  # where another process's PyTorch is not imported
        whole = "\n".join(text for _, text in blocks(path))
        command = [sys.executable, "-W", "error", "-c", whole]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, text in blocks(path):  # later blocks continue earlier ones
        padded = "\n" * (line - 1) + text  # so that a traceback names the document's line
        exec(compile(padded, str(path), "exec"), namespace)


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    code = r"^```.*?^```|`[^`\n]+`|\$[^$\n]+\$"
    text = re.sub(code, "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = LINK.findall(text)
    missing = [x for x in links if "://" not in x and not (path.parent / x).exists()]
    assert not missing, f"{path.name} links to {missing}, which is not there"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_are_named_exist(path: Path) -> None:
    named = re.findall(r"`([a-z_./-]+(?:\.py|/))`", path.read_text(encoding="utf-8"))
    homes = [ROOT, ROOT / "src/pellucid", ROOT / "benchmarks"]
    homes += [ROOT / "src/pellucid/backends", ROOT / "src/pellucid/backends/cpu"]
    missing = [name for name in named if not any((home / name).exists() for home in homes)]
    assert not missing, f"{path.name} names {missing}, which is not there"


@pytest.mark.parametrize("name", ["guide.md", "guide.zh-CN.md"])
def test_options_in_the_guide_exist(name: str) -> None:
    from typer.testing import CliRunner

    from pellucid.cli.main import app

    commands = (["train"], ["lessons", "open"], ["lesson", "check"])
    shown = "".join(
        CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).output
        for command in commands
    )
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    options = set(re.findall(r"`(--[a-z0-9-]+)", text))
    assert options and all(option in shown for option in options), options


def test_both_readmes_and_guides_hold_the_same_programs() -> None:
    for name in ("README", "docs/guide", "docs/explanations"):
        english, chinese = (
            [re.sub(r"\s+#.*", "", text) for _, text in blocks(ROOT / f"{name}{suffix}.md")]
            for suffix in ("", ".zh-CN")
        )
        assert english == chinese


@pytest.mark.parametrize(
    ("marker", "end"), [("main", "pellucid train digits"), ("test", "pytest -q")]
)
def test_the_check_script_runs_the_commands_of_the_readme(marker: str, end: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(f"<!-- {marker} command -->\n```sh\n(.*)\n```", readme)
    assert len(found) == 1 and found[0].endswith(end)
    assert found[0] in (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert f"from_readme {marker}" in (ROOT / ".ci/run").read_text(encoding="utf-8")


LOSSES = {
    "MSELoss": "mse_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CrossEntropyLoss": "cross_entropy",
}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("guide.md", ["regression", "two classes", "several classes", "several labels"]),
        ("guide.zh-CN.md", ["回归", "二分类", "多分类", "多标签"]),
    ],
)
def test_b58_e11_the_guide_advises_what_the_library_does(name: str, rows: list[str]) -> None:
    from pellucid.nn.advice import HEADS, suggest_activation

    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for row, task in zip(rows, ["regression", "binary", "multiclass", "multilabel"], strict=True):
        lines = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
        assert len(lines) == 1 and f"`{LOSSES[HEADS[task].loss]}`" in lines[0]
    hidden = suggest_activation("hidden")
    first = next(x for x in text.splitlines() if x.startswith(("| hidden layers |", "| 隐藏层 |")))
    _, _, choice, instead, avoid, _ = first.split("|")
    assert hidden.choice in choice
    assert "Leaky ReLU" in instead and hidden.instead[0][0] == "LeakyReLU"
    assert "sigmoid" in avoid and hidden.avoid[0][0] == "Sigmoid"
