"""Every text that commands and reports show has its Chinese, and each is found by what is shown."""

import re

import pytest

from arch import user_texts
from pellucid.base import language

PLACE = re.compile(r"\{(\d+)(?:!t)?\}")

VERBS = {
    "Column {1}: {2} {3} read as a missing {4} ({5} of {6} values)": {"3"},
    "Column {1}: {2} of {3} values {4} {5} ({6} in {7}): read as missing. To make the column "
    "categories, use {8}": {"4"},
    "{1} that training did not have {2} not used: {3}": {"2"},
    "Column {1}: {2} of {3} values {4} missing": {"4"},
}
"""Places that hold "is", "are" and the like, which Chinese does not say."""


def test_every_text_has_a_chinese_entry():
    lines = [
        f'{user_texts.quoted(text)} = ""   # {at}' for text, at in user_texts.missing().items()
    ]
    assert not lines, "base/catalogues/zh.toml lacks:\n" + "\n".join(lines)


def test_no_entry_is_left_over():
    lines = map(user_texts.quoted, user_texts.left_over())
    assert not (found := list(lines)), "no text uses these entries:\n" + "\n".join(found)


def test_an_entry_has_the_places_of_its_text():
    for english, chinese in user_texts.entries().items():
        expected = sorted(set(PLACE.findall(english)) - VERBS.get(english, set()))
        assert sorted(set(PLACE.findall(chinese)) - VERBS.get(english, set())) == expected, english


def test_no_text_has_two_entries():
    seen: dict[str, str] = {}
    for name, table in user_texts.tables().items():
        for english in table:
            assert english not in seen, f"{english!r} is in {seen[english]} and {name}"
            seen[english] = name


def test_entries_are_written_as_chinese_is():
    """Full-width marks beside Chinese characters, a blank between them and Latin letters."""
    for english, chinese in user_texts.entries().items():
        shown = PLACE.sub("1", chinese)
        assert not re.search(r"[\u4e00-\u9fff][,;:?!](?![\w.])", shown), (english, chinese)
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z]|[A-Za-z][\u4e00-\u9fff]", shown), chinese


@pytest.fixture
def chinese():
    with language.in_language("zh"):
        yield


@pytest.mark.parametrize("sample", [("'wide'", "'tall'"), ("17", "3.5")])
def test_each_template_is_the_one_that_its_text_finds(chinese, sample):
    """Names and numbers in the places: the whole text becomes Chinese, the values stay."""
    wrong = []
    for name, table in user_texts.tables().items():
        if name in ("system", "parser", "pieces", "words"):
            continue
        for english, translation in table.items():
            text = PLACE.sub(lambda place: sample[int(place[1]) % 2], english)
            expected = PLACE.sub(lambda place: sample[int(place[1]) % 2], translation)
            found = str(language.translated(text))
            if found.replace(" ", "") != expected.replace(" ", ""):
                wrong.append(f"{text}\n  {found}\n  {expected}")
    assert not wrong, "\n".join(wrong)
