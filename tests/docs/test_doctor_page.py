"""The doctor's pages name every cause, in both languages, with what to do."""

from pathlib import Path

import pytest

from pellucid.base.language import in_language, translated
from pellucid.insight.doctor import CAUSES

DOCS = Path(__file__).parents[2] / "docs"


def rows_of(page: str) -> dict[str, list[str]]:
    """Code → the other cells of its row."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if "| `" in line]
    return {row[0].strip("`| "): row[1:] for row in cells if row[0].strip("`| ") in CAUSES}


@pytest.mark.parametrize(("page", "language"), [("doctor.md", "en"), ("doctor.zh-CN.md", "zh")])
def test_every_cause_is_told_with_what_to_do(page: str, language: str) -> None:
    found = rows_of(page)
    assert list(found) == list(CAUSES)
    with in_language(language):
        for code, cause in CAUSES.items():
            assert found[code][:2] == [translated(cause.title), translated(cause.means)], code
            assert len(found[code][2]) >= 5, code


def test_chinese_titles_and_meanings_are_chinese() -> None:
    with in_language("zh"):
        for cause in CAUSES.values():
            for text in (cause.title, cause.means):
                assert any("\u4e00" <= c <= "\u9fff" for c in translated(text)), text
