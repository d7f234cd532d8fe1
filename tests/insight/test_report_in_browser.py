"""The report in a real browser: values under the pointer, zooming, a phone, nothing that fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data.sources import load_source
from pellucid.insight.report import render_report
from pellucid.training.config import TrainingConfig
from pellucid.training.job import measure, train_network
from pellucid.training.run import write_result

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report in each language."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 3))
    table = {f"column {i}": x[:, i] for i in range(3)} | {"y": x[:, 0] * 3 + x[:, 1] ** 2}
    config = TrainingConfig(epochs=12, widths=(8,), compile=False)
    result = train_network(load_source(table, "y"), config)
    measure(result)
    place = tmp_path_factory.mktemp("browser")
    folder = write_result(result, place / "run")
    found = {}
    for language in ("en", "zh"):
        found[language] = place / f"{language}.html"
        found[language].write_text(render_report(folder, language=language), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Any]:
    """The English page; whatever the browser complains of fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: complaints.append(asked.url) if "http" in asked.url else None)
    page.goto(pages["en"].as_uri())
    yield page
    page.close()
    assert complaints == []


def first_chart(page: Any) -> tuple[Any, dict[str, float]]:
    chart = page.locator("figure.chart").first
    chart.scroll_into_view_if_needed()
    return chart, chart.locator("svg").bounding_box()


def ticks(chart: Any) -> list[str]:
    return [str(text) for text in chart.locator(".axes .tick").all_text_contents()]


def test_the_pointer_shows_the_values_of_an_epoch(opened: Any) -> None:
    chart, box = first_chart(opened)
    opened.mouse.move(box["x"] + box["width"] * 0.96, box["y"] + box["height"] / 2)
    text = chart.locator(".tip").inner_text()
    last = opened.evaluate("JSON.parse(document.querySelector('figure.chart').dataset.chart)")
    assert text.startswith("epoch 12\n") and "validation loss" in text
    value = last["lines"][0]["y"][-1]
    shown = next(line for line in text.split("\n") if line.startswith("training loss "))
    assert float(shown.removeprefix("training loss ")) == pytest.approx(value, rel=1e-3)
    opened.mouse.move(5, 5)
    assert not chart.locator(".tip").is_visible()


def test_a_part_is_drawn_larger_and_the_whole_comes_back(opened: Any) -> None:
    chart, box = first_chart(opened)
    before, curve = ticks(chart), chart.locator("polyline").first.get_attribute("points")
    y = box["y"] + box["height"] / 2
    opened.mouse.move(box["x"] + box["width"] * 0.5, y)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.8, y)
    opened.mouse.up()
    assert ticks(chart) != before
    assert chart.locator("polyline").first.get_attribute("points") != curve
    chart.get_by_role("button").click()
    assert chart.locator("polyline").first.get_attribute("points") == curve
    assert len(ticks(chart)) == len(before) and not chart.get_by_role("button").is_visible()


def test_a_point_of_the_scatter_names_its_row(opened: Any) -> None:
    card = opened.locator("section", has=opened.get_by_role("heading", name="Predicted against"))
    card.scroll_into_view_if_needed()
    spot = card.locator("circle.point").nth(4).bounding_box()
    opened.mouse.move(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    assert card.locator(".tip").inner_text().startswith("row ")


def test_the_keyboard_moves_along_a_curve(opened: Any) -> None:
    chart, _ = first_chart(opened)
    chart.locator("svg").focus()
    opened.keyboard.press("ArrowRight")
    assert chart.locator(".tip").inner_text().startswith("epoch 1\n")
    opened.keyboard.press("ArrowRight")
    assert chart.locator(".tip").inner_text().startswith("epoch 2\n")


def test_nothing_is_wider_than_a_phone(opened: Any) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert opened.locator(".scroll.more").count() > 0  # tables that go on say so


def test_in_the_dark_text_is_light_on_dark(opened: Any) -> None:
    opened.emulate_media(color_scheme="dark")
    sums = opened.evaluate(
        """() => ["color", "backgroundColor"].map(name =>
             getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3)
               .reduce((sum, v) => sum + Number(v), 0))"""
    )
    assert sums[0] > 550 and sums[1] < 150


def test_the_chinese_page_answers_in_chinese(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(pages["zh"].as_uri())
    chart, box = first_chart(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "训练损失" in chart.locator(".tip").inner_text()
    page.close()
