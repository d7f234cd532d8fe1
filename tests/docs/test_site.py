"""The site: built offline in both languages, its links, search, and the title page's picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "site"

pytest.importorskip("sphinx", reason="the site is built by Sphinx: pip install pellucid[site]")
pytest.importorskip("furo", reason="the site has the theme Furo: pip install pellucid[site]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both languages, without the API reference (which takes minutes)."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(SITE / "build.py"), str(out), "--without-reference"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr  # a link that leads nowhere fails, too
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr, done.stderr
    return out


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules beside build.py can be imported."""
    monkeypatch.syspath_prepend(str(SITE))
    yield
    for name in ("docstrings", "formulas", "links", "living", "reference", "chinese"):
        sys.modules.pop(name, None)


@contextmanager
def opened(file: Path, query: str = "") -> Iterator[tuple[Any, list[str]]]:
    """The page in a browser as narrow as a phone, and the errors of its scripts."""
    pages = pytest.importorskip("playwright.sync_api", reason="pages are tested in a browser")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("Chromium is not there")
    with pages.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 800})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri() + query)
        yield page, errors
        browser.close()


def _recording(site: Path) -> dict[str, list[dict[str, list[list[float]]]]]:
    text = (site / "en" / "_static" / "recording.js").read_text(encoding="utf-8")
    read: dict[str, list[dict[str, list[list[float]]]]] = json.loads(
        text.removeprefix("const RECORDING = ").rstrip(";\n")
    )
    return read


def test_pages_of_both_languages_are_there(site: Path) -> None:
    for page in ("en/guide.html", "zh/guide.zh-CN.html", "en/lessons/index.html", "index.html"):
        assert (site / page).exists(), page
    chinese = (site / "zh" / "guide.zh-CN.html").read_text(encoding="utf-8")
    assert 'href="../en/guide.html"' in chinese
    assert 'lang="zh-CN"' in (site / "zh" / "index.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for line in page.read_text(encoding="utf-8").splitlines():
            if "<script" in line or "<link" in line or "<img" in line:
                assert "http://" not in line and "https://" not in line, f"{page}: {line}"


def test_a_link_that_leads_nowhere_is_found(tools: None, tmp_path: Path) -> None:
    import links

    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.html").write_text(
        '<a href="b.html">b</a><a href="a.html#here">x</a><a href="#gone">y</a><p id="here"></p>'
    )
    found = links.broken(tmp_path, languages=("en",))
    assert found == [("en/a.html", "b.html"), ("en/a.html", "#gone")]


def test_chinese_is_found_by_pairs_of_characters(tools: None, site: Path) -> None:
    import chinese

    words = chinese.PairsOfCharacters({}).split("反向传播 backward() 用 3 步")
    assert words == ["反向", "向传", "传播", "backward", "用", "3", "步"]
    index = (site / "zh" / "searchindex.js").read_text(encoding="utf-8")
    pairs = [json.dumps(pair).strip('"') for pair in ("优化", "化器")]  # escaped there, too
    assert all(pair in index for pair in pairs)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("y = |x| and a * b", r"y = \|x\| and a \* b"),
        ("``|x|`` stays, as does :class:`A`", "``|x|`` stays, as does :class:`A`"),
        ("``scale``², of ``x``s", r"``scale``\ ², of ``x``\ s"),
        ("A of shape (*B.shape, *X.shape)", r"A of shape (\*B.shape, \*X.shape)"),
        ("ln |det dy/dx|: ::", r"ln \|det dy/dx\|: ::"),
        ("In place: add_ and h_T", r"In place: add\_ and h_T"),
        ("(Kingma and Ba, *Adam: a method*, 2015)", "(Kingma and Ba, *Adam: a method*, 2015)"),
    ],
)
def test_signs_of_formulas_are_not_markup(tools: None, written: str, shown: str) -> None:
    import docstrings

    assert docstrings.as_restructured_text([written]) == [shown]


def test_examples_and_directives_stay_as_they_are(tools: None) -> None:
    import docstrings

    lines = [
        "a * b",
        ">>> x = 2 * 3",
        "6",
        "",
        ".. code-block:: text",
        "",
        "    a * b",
        "",
        "c * d",
    ]
    assert docstrings.as_restructured_text(lines) == [
        *[r"a \* b", "", ">>> x = 2 * 3", "6", "", ".. code-block:: text", "", "    a * b", ""],
        r"c \* d",
    ]


def test_lines_of_chinese_are_joined_without_a_space(site: Path) -> None:
    import html
    import re

    for page in (site / "zh").rglob("*zh-CN.html"):
        text = html.unescape(re.sub(r"<pre>.*?</pre>", "", page.read_text("utf-8"), flags=re.S))
        assert not re.search(r"[，。；：、？！]\n[\u4e00-\u9fff]", text), page


def test_formulas_become_mathml(tools: None) -> None:
    import formulas

    shown = formulas.mathml(r"\frac{\partial L}{\partial w}", "block")
    assert shown.startswith("<math") and "<mfrac>" in shown and 'display="block"' in shown
    assert 'rspace="0.17em">ln</mo>' in formulas.mathml(r"-\ln p", "inline")


def test_the_reference_names_each_public_thing_once(tools: None) -> None:
    import reference

    seen: dict[str, str] = {}
    for module in ("pellucid.nn", "pellucid.nn.init", "pellucid.optim"):
        for page in reference.pages_of(module, "title"):
            for name in page.names:
                assert seen.setdefault(f"{module}.{name}", page.file) == page.file
    assert {"pellucid.nn.Linear", "pellucid.nn.init.xavier_uniform_", "pellucid.optim.Adam"} <= set(
        seen
    )
    assert seen["pellucid.nn.Linear"] != seen["pellucid.nn.LSTM"]  # pages as the source is divided


@pytest.mark.parametrize(
    ("language", "question", "page"),
    [("zh", "循环网络", "guide.zh-CN.html"), ("en", "perplexity", "guide.html")],
)
def test_the_search_finds_words(site: Path, language: str, question: str, page: str) -> None:
    with opened(site / language / "search.html", f"?q={question}") as (shown, errors):
        shown.wait_for_selector(f"#search-results a[href*='{page}']", timeout=60_000)
    assert not errors


def test_the_title_page_shows_the_recorded_network(site: Path) -> None:
    """The arithmetic on the page is that of the recorded weights, computed here by NumPy."""
    with opened(site / "en" / "index.html") as (page, errors):
        page.click("#play")
        page.evaluate(
            "slider.value = 40; slider.dispatchEvent(new Event('input'));"
            "point = [0.3, -0.5]; draw()"
        )
        shown = page.inner_text("#formula")
        too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not errors and not too_wide
    values = np.array([0.3, -0.5])
    weights = [np.array(w) for w in _recording(site)["frames"][40]["weights"]]
    for matrix, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        values = np.tanh(matrix.reshape(len(bias), -1) @ values + bias)
    score = float(weights[4] @ values + weights[5][0])
    answer = 1 / (1 + np.exp(-score))
    sign = "−" if score < 0 else ""
    assert shown.endswith(f"σ({sign}{abs(score):.2f}) = {answer:.2f}"), shown
