"""The report: complete in itself, every picture in it, and safe whatever the data are called."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data.sources import load_source
from pellucid.insight.report import render_report
from pellucid.insight.report.charts import (
    histogram,
    image_uri,
    line_chart,
    log_ticks,
    nice_ticks,
    thin,
)
from pellucid.insight.report.markup import number, safe, seconds_text
from pellucid.training.config import TrainingConfig
from pellucid.training.job import RunResult, measure, train_network
from pellucid.training.mistakes import worst_predictions
from pellucid.training.run import write_result
from pellucid.training.stored_run import read_run

EVIL = '<script>alert("x")</script>\'"&\x1b[0m\u202e]]>{{7*7}}'


def run(table: Any, target: Any, **settings: Any) -> RunResult:
    given = {"epochs": 4, "widths": (8,), "compile": False, **settings}
    result = train_network(load_source(table, target), TrainingConfig(**given))
    measure(result)
    result.seconds["data"] = 0.1
    return result


def certain_mistakes(result: RunResult) -> np.ndarray:
    """The worst predictions on the test part."""
    true = result.prepared.test.raw_targets
    kind = result.prepared.task.kind
    return worst_predictions(kind, result.predictions["test"], true, None, 16)


def report_of(result: RunResult) -> str:
    """The report of a result, by way of its folder."""
    with tempfile.TemporaryDirectory() as place:
        return render_report(write_result(result, Path(place) / "run"))


@pytest.fixture(scope="module")
def digits() -> RunResult:
    return run("digits", ())


class Checker(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br", "circle", "line", "polyline", "rect", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open and self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.text += data


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


# ---- complete ----------------------------------------------------------------------------------


def test_a_report_of_images_has_every_picture(digits: RunResult) -> None:
    page = report_of(digits)
    found = check(page)
    expected = [
        "Metrics", "Loss", "Validation metric", "Confusion matrix", "Each class", "ROC",
        "Precision and recall", "Reliability", "Sets of classes", "Most certain mistakes",
        "Network", "Weights", "Outputs of each layer", "Time", "Data", "Settings",
    ]  # fmt: skip
    assert headings(page) == expected
    assert found.tags.count("polyline") >= 3 + 5  # curves, and outlines of what was before
    wrong = certain_mistakes(digits)
    assert len(wrong) > 0
    examples = re.findall(r'<img alt="example"', page)
    assert 0 < len(examples) <= 48
    assert found.tags.count("img") == len(wrong) + len(examples)
    assert "64×8, bias" in page or "weight 8×64, bias 8" in page
    total = digits.parameters()
    assert total == 8 * 64 + 8 + 10 * 8 + 10 and f"{total:,}" in found.text


def test_a_report_of_a_regression_shows_predicted_against_true(rng: np.random.Generator) -> None:
    x = rng.normal(size=(120, 2))
    result = run({"a": x[:, 0], "b": x[:, 1], "y": x[:, 0] * 3 + 50}, "y")
    page = report_of(result)
    found = check(page)
    assert {"Predicted against true", "Errors", "Largest errors"} <= set(headings(page))
    assert found.tags.count("circle") >= len(result.prepared.test)
    assert "linear regression" in found.text


def test_a_report_of_labels_has_figures_of_each(rng: np.random.Generator) -> None:
    x = rng.normal(size=(160, 2))
    table = {"a": x[:, 0], "b": x[:, 1], "u": (x[:, 0] > 0) * 1, "v": (x[:, 1] > 0) * 1}
    page = report_of(run(table, ["u", "v"]))
    check(page)
    assert "Each class" in headings(page) and "multi-label" in page
    assert "Confusion matrix" not in headings(page)


def test_the_confusion_matrix_shows_the_counts(digits: RunResult) -> None:
    page = report_of(digits)
    cells = re.findall(r'title="(\d+) of class (\d) predicted as (\d)"', page)
    matrix = np.zeros((10, 10), int)
    for count, true, guess in cells:
        matrix[int(true), int(guess)] = int(count)
    np.testing.assert_array_equal(matrix, digits.figures["test"].confusion)


def test_the_most_certain_mistakes_are_wrong_and_in_order(digits: RunResult) -> None:
    worst = certain_mistakes(digits)
    predicted = digits.predictions["test"]
    true = digits.prepared.test.raw_targets
    certainty = predicted.max(1)
    wrong = np.flatnonzero(predicted.argmax(1) != true)
    assert set(worst) <= set(wrong)
    np.testing.assert_allclose(certainty[worst], np.sort(certainty[wrong])[::-1][: len(worst)])


def test_nothing_is_asked_from_elsewhere(digits: RunResult) -> None:
    page = report_of(digits)
    found = check(page)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(found.tags)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1 == found.tags.count("script")
    assert f"script-src 'sha256-{digest}'" in page
    assert not re.search(r"fetch|XMLHttp|import|eval|Function|innerHTML|cookie", scripts[0])
    for name, value in found.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert value.startswith("data:image/png;base64,")
    outside = page.replace(scripts[0], "")
    assert "http://" not in outside and "https://" not in outside and "url(" not in outside
    assert "default-src 'none'" in page


# ---- from the folder alone -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table with text, numbers and holes."""
    generator = np.random.default_rng(9)
    x = generator.normal(size=(160, 2))
    table = {
        "size": x[:, 0],
        "colour": generator.choice(["red", "green", ""], 160),
        "kind": np.where(x[:, 0] + x[:, 1] > 0, "large", "small"),
    }
    return write_result(run(table, "kind"), tmp_path_factory.mktemp("mixed") / "run")


def copied(folder: Path, place: Path) -> Path:
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place


def test_the_report_is_the_same_whoever_makes_it(mixed: Path, tmp_path: Path) -> None:
    """Another process, another place: the same bytes."""
    elsewhere = copied(mixed, tmp_path / "elsewhere")
    code = (
        "import sys; from pellucid.insight.report import render_report; "
        "sys.stdout.buffer.write(render_report(sys.argv[1]).encode())"
    )
    made = subprocess.run([sys.executable, "-c", code, elsewhere], capture_output=True, check=True)
    assert made.stdout.decode() == render_report(mixed)
    assert "What is missing" not in made.stdout.decode()


def test_the_rows_of_the_source_are_shown_as_they_stand_there(mixed: Path) -> None:
    """The cells of the worst predictions, read from the data once."""
    found = check(render_report(mixed))
    assert "colour" in found.text and ("red" in found.text or "green" in found.text)
    run = read_run(mixed)
    assert run.shown is not None and run.predictions is not None
    assert run.shown.columns == ("size", "colour")
    generator = np.random.default_rng(9)
    size = generator.normal(size=(160, 2))[:, 0]
    for position, cells in zip(run.shown.positions.tolist(), run.shown.cells, strict=True):
        assert float(str(cells[0])) == pytest.approx(size[run.predictions.rows[position]])


EVENTS = (
    "training", "data", "inside", "metrics", "baselines", "verdict", "predictions", "shown", "time"
)  # fmt: skip


@pytest.mark.parametrize("event", [*EVENTS, "epoch", "all"])
def test_a_folder_without_a_part_has_a_report_that_says_so(
    mixed: Path, tmp_path: Path, event: str
) -> None:
    folder = copied(mixed, tmp_path / "run")
    records = folder / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    kept = [line for line in lines if event != "all" and json.loads(line)["event"] != event]
    records.write_text("".join(kept))
    found = check(render_report(folder))
    assert "kind" in found.text and "Settings" in found.text
    if event != "epoch":
        assert "What is missing" in found.text and "does not hold" in found.text


HOSTILE: tuple[object, ...] = (None, "x", 10**400, [[[]]], {"a": {"b": 1}}, -1, True)


@pytest.mark.parametrize("event", [*EVENTS, "rows", "epoch"])
@pytest.mark.parametrize("value", HOSTILE, ids=lambda x: f"{x}"[:20])
def test_damaged_and_hostile_records_cost_a_part_of_the_report(
    mixed: Path, tmp_path: Path, event: str, value: object
) -> None:
    """Every field of the event in turn; never an error, never HTML of theirs.

    Each field meets a third of the values here, and all of them with PELLUCID_TEST_SLOW.
    """
    lines = [json.loads(line) for line in (mixed / "records.jsonl").read_text().splitlines()]
    record = next(line for line in lines if line["event"] == event)
    folder = copied(mixed, tmp_path / "run")
    turn = HOSTILE.index(value)
    for place, name in enumerate(sorted(set(record) - {"event", "time"})):
        if (place + turn) % 3 and not os.environ.get("PELLUCID_TEST_SLOW"):
            continue
        changed = [{**line, name: value} if line["event"] == event else line for line in lines]
        text = "\n".join(json.dumps(line) for line in changed)
        (folder / "records.jsonl").write_text(text + "\n")
        page = render_report(folder)
        assert check(page).tags.count("script") == 1


def test_damaged_weights_and_records_still_give_a_report(mixed: Path, tmp_path: Path) -> None:
    folder = copied(mixed, tmp_path / "run")
    (folder / "weights.safetensors").write_bytes(b"nothing")
    (folder / "records.jsonl").write_text("{")
    found = check(render_report(folder))
    assert "The weights could not be read" in found.text
    assert "The records could not be read" in found.text
    assert "accuracy" in found.text  # from model.json


def test_a_folder_of_an_older_version_has_a_report(mixed: Path, tmp_path: Path) -> None:
    """Records as they were written before the report was made from them."""
    folder = copied(mixed, tmp_path / "run")
    lines = [json.loads(line) for line in (mixed / "records.jsonl").read_text().splitlines()]
    kept = [line for line in lines if line["event"] in ("start", "epoch", "stop", "inside", "time")]
    model = json.loads((mixed / "model.json").read_text())
    kept.insert(-1, {"event": "figures", "time": 0.0, **model["figures"]})
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    page = render_report(folder)
    found = check(page)
    assert {"Metrics", "Loss", "Weights", "Outputs of each layer", "Time"} <= set(headings(page))
    assert "The folder does not hold the predictions" in found.text


def test_very_many_predictions_are_kept_as_a_share_with_the_worst_among_them(
    monkeypatch: pytest.MonkeyPatch, digits: RunResult, tmp_path: Path
) -> None:
    monkeypatch.setattr("pellucid.training.stored_run.MOST_NUMBERS", 400)
    stored = read_run(write_result(digits, tmp_path / "run"))
    assert stored.predictions is not None and stored.shown is not None
    assert 40 <= len(stored.predictions.rows) <= 40 + 16
    worst = certain_mistakes(digits)
    expected = digits.prepared.test.indices[worst]
    np.testing.assert_array_equal(stored.predictions.rows[stored.shown.positions], expected)


# ---- safe --------------------------------------------------------------------------------------


def test_names_from_the_data_are_text_and_nothing_else(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 2))
    table = {
        f"a{EVIL}": x[:, 0],
        f"c{EVIL}": rng.choice([f"u{EVIL}", "v"], 200),
        f"t{EVIL}": np.where(x[:, 0] + x[:, 1] > 0, f"yes{EVIL}", "no"),
    }
    result = run(table, f"t{EVIL}")
    page = report_of(result)
    found = check(page)
    assert found.tags.count("script") == 1 and page.count("<script>") == 1
    assert "\x1b" not in page and "\u202e" not in page
    assert page.count("&lt;script&gt;") > 20


def test_text_is_escaped_cleaned_and_shortened() -> None:
    assert safe("<a b='c'>&\"") == "&lt;a b=&#x27;c&#x27;&gt;&amp;&quot;"
    assert safe("a\x00b\u202ec") == "a\ufffdb\ufffdc"
    assert safe("x" * 100, 10) == "x" * 9 + "…"
    assert safe("数据") == "数据"


# ---- pieces ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1, 100, [20, 40, 60, 80, 100]), (5, 5, [5])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert nice_ticks(low, high) == expected
    assert log_ticks(0.1, 20) == pytest.approx([0.1, 0.2, 0.5, 1, 2, 5, 10, 20])


def test_long_curves_are_thinned_with_both_ends() -> None:
    chosen = thin(range(100_000))
    assert chosen[0] == 0 and chosen[-1] == 99_999 and len(chosen) <= 400
    values = list(np.exp(-np.linspace(0, 9, 100_000)))
    picture = line_chart([("loss", "a", list(range(100_000)), values)], "epoch", "loss")
    assert len(picture) < 20_000


def test_curves_with_gaps_and_single_points_are_drawn() -> None:
    picture = line_chart([("l", "a", [1, 2, 3], [1.0, float("nan"), 0.5])], "epoch", "loss", 3)
    assert "nan" not in picture
    assert "<circle" in line_chart([("l", "a", [1], [0.5])], "epoch", "loss")
    assert line_chart([("l", "a", [1], [float("nan")])], "epoch", "loss") == ""
    assert "nan" not in histogram([0] * 40, 0.0, 0.0)


def test_images_are_valid_png_files() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.linspace(0, 1, 12).reshape(3, 4)
    for array in (pixels, np.repeat(pixels[:, :, None], 3, 2)):
        content = base64.b64decode(image_uri(array).partition(",")[2])
        opened = np.asarray(image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(opened, (array * 255).round().astype(np.uint8))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (float("inf"), "∞"),
        (float("nan"), "NaN"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (1e-7, "1e-7"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert number(value) == text
    assert [seconds_text(s) for s in (0.0034, 1.234, 250)] == ["3.4 ms", "1.23 s", "4 min 10 s"]
