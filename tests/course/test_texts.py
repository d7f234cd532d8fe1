"""Every lesson has the same order in both languages, one program, and Chinese set as Chinese is."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from course.lesson_files import LESSONS, ROOT, TEXTS, lesson_id, text_id, tool
from course.typography import faults, plain
from pellucid.course.graders import exercises_of
from pellucid.course.lessons import SECTIONS, Lesson, Text, lessons

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lesson_id)
each_text = pytest.mark.parametrize("text", TEXTS, ids=text_id)


def test_the_course_is_whole() -> None:
    """Every lesson of the list is there in both languages, with graders, and nothing else is."""
    for language in SECTIONS:
        folder = ROOT / "docs" / "lessons" / language
        named = {each.path(language).name for each in lessons()}
        assert {path.name for path in folder.glob("*.md")} == named
    assert [each.name for each in lessons() if not exercises_of(each.number)] == []
    assert len(lessons()) >= 33


@each_text
def test_headings_are_those_of_every_lesson(text: Text) -> None:
    (each,) = [x for x in LESSONS if text.path.name == f"{x.name}.md"]
    assert text.title == each.heading(text.language)
    assert text.headings == SECTIONS[text.language]
    numbers = [task.number for task in text.tasks]
    assert numbers == [f"{each.number}.{n}" for n in range(1, len(numbers) + 1)]
    assert 3 <= len(numbers) <= 5
    assert len(re.findall(r"<details>", text.source)) == len(numbers)
    for task in text.tasks:
        assert task.asked and task.title


@each_text
def test_length_is_that_of_a_lesson(text: Text) -> None:
    prose = "\n".join(plain(line) for line in text.prose.splitlines())
    if text.language == "zh":
        length, least, most = len(re.findall(r"[\u3400-\u9fff]", prose)), 1600, 4600
    else:
        length, least, most = len(re.findall(r"[A-Za-z][\w'’-]*", prose)), 1000, 2900
    assert least <= length <= most, length


def bare(code: str) -> str:
    """A program without its words: its syntax tree with empty texts and no ``chinese_labels``."""
    tree = ast.parse(code)
    tree.body = [node for node in tree.body if "chinese_labels" not in ast.dump(node)]

    class Words(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant("") if isinstance(node.value, str) else node

        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
            places = [self.visit(v) for v in node.values if isinstance(v, ast.FormattedValue)]
            return ast.JoinedStr(places)

        def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.FormattedValue:
            # What is filled in may have another width, as its column's heading has.
            return ast.FormattedValue(self.visit(node.value), node.conversion, None)

        def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
            docstring = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            return None if docstring else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Words().visit(tree)))


def bare_lines(blocks: Any) -> list[str]:
    return [bare(block.code) for block in blocks]


@each_lesson
def test_both_languages_hold_the_same_programs(lesson: Lesson) -> None:
    english, chinese = lesson.text("en"), lesson.text("zh")
    first, second = ([block for block, _ in text.program] for text in (english, chinese))
    whole = [bare("\n".join(block.code for block in blocks)) for blocks in (first, second)]
    assert whole[0].splitlines() == whole[1].splitlines()
    assert len(first) == len(second)
    assert english.pictures == chinese.pictures
    for kind in ("starter", "solution"):
        codes = [[bare(getattr(t, kind)) for t in text.tasks] for text in (english, chinese)]
        assert codes[0] == codes[1]


@each_lesson
def test_both_languages_quote_the_same_figures(lesson: Lesson) -> None:
    """But blocks ``text own``, of programs that read texts of their language."""
    wrong = []
    pairs = zip(lesson.text("en").program, lesson.text("zh").program, strict=True)
    for (block, english), (_, chinese) in pairs:
        if english is None or chinese is None:
            assert english is chinese, block.line
        elif "own" not in english.info.split():
            tolerance = tool().tolerance_of(english.info)
            assert english.info == chinese.info
            problem = tool().numbers_differ(english.code, chinese.code, tolerance)
            if problem:
                wrong.append(f"line {block.line}: {problem}")
    assert wrong == []


@each_text
def test_emphasis_and_code_end_where_they_should(text: Text) -> None:
    """Markdown takes ** beside full-width punctuation for two asterisks."""
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    formulas = r"\$\$.*?\$\$|\$[^$]+\$"
    prose = re.sub(formulas, lambda m: "C" + "\n" * m[0].count("\n"), text.prose, flags=re.S)
    wrong = []
    for token in markdown_it.MarkdownIt().parse(prose):
        for part in token.children or ():
            if part.type == "text" and re.search(r"[*`$]|\]\(", part.content):
                wrong.append(part.content)
    assert wrong == []


@each_text
def test_code_is_python_as_this_house_writes_it(text: Text) -> None:
    for block in text.blocks:
        if block.language == "python":
            ast.parse(block.code)
            assert block.info in ("", "starter", "solution"), block.info
            for number, line in enumerate(block.code.splitlines(), block.line):
                wide = sum(2 if "\u2e80" <= c <= "\uffef" else 1 for c in line)
                assert wide <= 100, f"line {number} is {wide} columns wide"
        else:
            assert block.language in ("text", "sh"), f"line {block.line}: {block.language!r}"
    program = "\n".join(block.code for block, _ in text.program)
    assert ("chinese_labels()" in program) == (text.language == "zh" and bool(text.pictures))


@each_text
def test_figures_in_the_prose_are_printed_or_computed(text: Text) -> None:
    """Numbers with two decimals or more stand in the program, its outputs or a formula."""
    before, _, after = text.prose.partition(f"## {SECTIONS[text.language][5]}")
    read = before + after.partition(f"## {SECTIONS[text.language][6]}")[2]
    formulas = r"\$\$.*?\$\$|\$[^$]+\$"
    shown = " ".join([*re.findall(formulas, read, re.S), *(block.code for block in text.blocks)])
    prose = re.sub(r"\]\([^)]*\)", "]", re.sub(formulas, " ", read, flags=re.S))
    figure = r"(?<![\w.])\d+\.\d{2,}(?![\w.]*\w)"
    known = set(re.findall(r"\d+\.\d+", shown))
    assert [number for number in re.findall(figure, prose) if number not in known] == []


CHINESE = [text for text in TEXTS if text.language == "zh"]


@pytest.mark.parametrize("text", CHINESE, ids=text_id)
def test_chinese_is_set_as_chinese_is(text: Text) -> None:
    found = faults(text.prose)
    for task in text.tasks:
        found += [f"exercise {task.number}: {fault}" for fault in faults(task.title)]
    assert found == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("权重,偏置", "half-width punctuation"),
        ("这是权重.", "half-width punctuation"),
        ("权重(weight)是", "half-width brackets"),
        ("用ReLU激活", "no space"),
        ("有3个数", "no space"),
        ("用`ReLU`激活", "no space"),
        ("权重$w$与", "no space"),
        ('所谓"权重"', "straight quotes"),
        ("权重 ，偏置", "a space before"),
        ("权重， 偏置", "a space behind"),
        ("权重 偏置", "a space between"),
        ("等等...", "ellipsis"),
        ("权重—偏置", "dash"),
        ("「权重」", "quotation"),
        ("一行到这里\n还没完", "line break"),
    ],
)
def test_faults_of_typography_are_found(line: str, fault: str) -> None:
    assert any(fault in told for told in faults(line)), faults(line)


def test_good_typography_has_no_faults() -> None:
    good = (
        "**权重**（weight）乘以输入，再加上偏置 $b$：得到 0.5。\n"
        "用 `ReLU` 激活，见[第 3 课](x.md)。\n“学习”是什么？调整 3 个数——直到损失变小……\n\n"
        "- 一项，两项；\n- 第 2 项。\n\n| 步 | 损失 |\n| --- | --- |\n| 1 | 0.5 |\n\n"
        "$$\ny = w x + b, \\quad (1)\n$$\n\n行末是标点，\n下一行开始。用 $x$\n和 $y$ 表示。"
    )
    assert faults(good) == []


# ---- the glossary --------------------------------------------------------------------------------


def test_the_glossary_is_whole() -> None:
    terms = tool().glossary()
    assert len(terms) >= 120
    for name in ("en", "zh"):
        values = [term[name] for term in terms]
        assert len(set(values)) == len(values), sorted(v for v in values if values.count(v) > 1)
    for term in terms:
        assert set(term) - {"avoid"} == {"en", "zh", "meaning_en", "meaning_zh"}
        assert term["meaning_en"].endswith(".") and term["meaning_zh"].endswith("。")
        assert faults(f"{term['zh']}，{term['meaning_zh']}") == [], term["zh"]
        assert not set(term.get("avoid", [])) & {other["zh"] for other in terms}


def test_the_page_of_the_glossary_is_made_of_it() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert page == tool().glossary_page(), "run python tools/lessons.py --glossary"


@pytest.mark.parametrize("text", CHINESE, ids=text_id)
def test_terms_are_those_of_the_glossary(text: Text) -> None:
    lines = [plain(line) for line in text.prose.splitlines()]
    wrong = [
        f"line {number}: {wording!r}, say {term['zh']!r}"
        for term in tool().glossary()
        for wording in term.get("avoid", [])
        for number, line in enumerate(lines, 1)
        if re.search(wording, line)
    ]
    assert wrong == []
