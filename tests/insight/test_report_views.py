"""What the report's newer views show: the numbers behind them, and what stays of the rows."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import RunFolderError
from pellucid.data.sources import load_source
from pellucid.insight.doctor import Evidence, Finding, Patch, Place, ProbeResult, Report
from pellucid.insight.report import render_report, report_data, report_files
from pellucid.insight.report.charts import line_chart
from pellucid.training.config import TrainingConfig
from pellucid.training.job import RunResult, measure, train_network
from pellucid.training.run import write_result
from pellucid.training.stored_rows import rows_from_json
from pellucid.training.stored_run import StoredRun, read_run

metrics = pytest.importorskip("sklearn.metrics")


def trained(source: Any, target: Any, place: Path, **settings: Any) -> tuple[RunResult, StoredRun]:
    given = {"epochs": 6, "widths": (8,), "compile": False, **settings}
    result = train_network(load_source(source, target), TrainingConfig(**given))
    measure(result)
    return result, read_run(write_result(result, place / "run"))


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, StoredRun]:
    """Two classes; one ward whose answers are turned round, which no column explains."""
    rng = np.random.default_rng(11)
    age, dose = rng.uniform(20, 80, 900), rng.normal(size=900)
    ward = rng.choice(["north", "south", "east"], 900)
    ill = dose + rng.normal(scale=0.3, size=900) > 0
    ill = np.where((ward == "east") & (rng.random(900) < 0.5), ~ill, ill)
    table = {"age": np.where(rng.random(900) < 0.1, np.nan, age), "dose": dose, "ward": ward}
    place = tmp_path_factory.mktemp("patients")
    return trained(table | {"ill": np.where(ill, "yes", "no")}, "ill", place, epochs=20)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, StoredRun]:
    rng = np.random.default_rng(12)
    size = rng.uniform(30, 200, 400)
    table = {"size": size, "kind": rng.choice(["flat", "house"], 400)}
    price = 3 * size + rng.normal(scale=10, size=400)
    return trained(table | {"price": price}, "price", tmp_path_factory.mktemp("houses"))


# ---- numbers -----------------------------------------------------------------------------------


def test_the_numbers_of_classes_are_those_of_scikit_learn(
    patients: tuple[RunResult, StoredRun],
) -> None:
    result, run = patients
    true, scores = result.prepared.test.raw_targets, result.predictions["test"][:, 0]
    found = report_data(run)
    assert found["roc"]["yes"]["area"] == pytest.approx(metrics.roc_auc_score(true, scores))
    precision = found["precision_recall"]["yes"]["average_precision"]
    assert precision == pytest.approx(metrics.average_precision_score(true, scores))
    assert found["metrics"]["test"]["values"]["accuracy"] == pytest.approx(
        metrics.accuracy_score(true, scores > 0.5)
    )
    assert [record["epoch"] for record in found["history"]] == list(range(1, 21))
    low, high = found["intervals"]["accuracy"]
    assert low < found["metrics"]["test"]["values"]["accuracy"] < high


def test_the_ward_that_is_a_riddle_is_the_worst_group(
    patients: tuple[RunResult, StoredRun],
) -> None:
    result, run = patients
    worst = report_data(run)["segments"][0]
    true, scores = result.prepared.test.raw_targets, result.predictions["test"][:, 0]
    assert run.rows is not None and run.rows.table["ward"].kind == "text"
    east = np.array(run.rows.table["ward"].texts()) == "east"
    assert worst["conditions"] == ["ward = east"] and worst["rows"] == east.sum()
    assert worst["error"] == pytest.approx(((scores > 0.5) != true)[east].mean())
    page = render_report(run, language="en")
    assert "ward = east" in page and page.index("Worst groups") < page.index("ward = east")


def test_the_numbers_of_a_regression(houses: tuple[RunResult, StoredRun]) -> None:
    result, run = houses
    true = result.prepared.test.raw_targets.reshape(-1)
    errors = result.predictions["test"][:, 0] - true
    found = report_data(run)
    assert found["errors"]["price"]["mean"] == pytest.approx(errors.mean())
    assert found["errors"]["price"]["quantiles"]["0.5"] == pytest.approx(np.median(errors))
    levels = {one["level"]: one for one in found["errors_by_column"]["kind"]}
    assert run.rows is not None
    flats = np.array(run.rows.table["kind"].texts()) == "flat"
    assert levels["flat"]["error"] == pytest.approx(errors[flats].mean())
    assert levels["flat"]["rows"] == flats.sum()
    for level in found["coverage"]:
        half, share = level["size"], level["held"]
        assert share == pytest.approx((np.abs(errors) <= half + 1e-9).mean(), abs=0.02)


def test_the_file_of_numbers_is_json_and_names_the_same_verdict(
    houses: tuple[RunResult, StoredRun],
) -> None:
    files = report_files(houses[1].folder)
    found = json.loads(files["report.json"], parse_constant=lambda text: pytest.fail(text))
    assert set(files) == {"report.html", "report.json"}
    assert houses[1].verdict is not None
    assert found["verdict"]["text"] == houses[1].verdict.text
    assert found["settings"]["epochs"] == 6 and found["rows"]["all"] == 400


# ---- rows --------------------------------------------------------------------------------------


def test_stored_rows_are_the_rows_of_the_source(patients: tuple[RunResult, StoredRun]) -> None:
    result, run = patients
    shown = result.prepared.shown_rows
    assert shown is not None and run.rows is not None
    assert list(run.rows.table.columns) == ["age", "dose", "ward"]
    for name, column in run.rows.table.columns.items():
        assert column.texts() == shown[name].texts()


FAR = {"dtype": "<i8", "shape": [1], "data": "/////////38="}
"""The position 2⁶³ - 1."""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(kind="picture"), "kind"),
        (lambda c: c.update(categories=["a"] * 9), "category|entries"),
        (lambda c: c["values"].update(data="AAAA"), "bytes"),
        (lambda c: c["values"].update(shape=[7]), "bytes|numbers"),
        (
            lambda c: c.update(missing={"dtype": "<i8", "shape": [1], "data": "/////////38="}),
            "miss",
        ),
        (lambda c: c.pop("missing"), "keys"),
    ],
)
def test_hostile_rows_are_refused(change: Any, said: str) -> None:
    number = {"dtype": "<f8", "shape": [1], "data": "AAAAAAAA8D8="}
    nothing = {"dtype": "<i8", "shape": [0], "data": ""}
    column = {
        "name": "a", "kind": "number", "values": dict(number), "missing": nothing, "categories": [],
    }  # fmt: skip
    positions = {"dtype": "<i8", "shape": [1], "data": "AAAAAAAAAAA="}
    record = {"positions": positions, "columns": [column]}
    assert rows_from_json(record, "t", 1).table["a"].values.tolist() == [1.0]
    change(column)
    with pytest.raises(RunFolderError, match=said):
        rows_from_json(record, "t", 1)


# ---- charts ------------------------------------------------------------------------------------


def chart_of(page: str) -> dict[str, Any]:
    found = re.search(r'data-chart="([^"]*)"', page)
    assert found is not None
    chart: dict[str, Any] = json.loads(html.unescape(found[1]))
    return chart


def test_a_chart_carries_what_it_was_drawn_from() -> None:
    xs, ys = [1.0, 2.0, 3.0], [0.5, math.nan, 0.25]
    page = line_chart([('loss "<b>', "a", xs, ys)], "epoch", "loss", 3.0)
    chart = chart_of(page)
    line = chart["lines"][0]
    assert line["x"] == xs and line["y"] == [0.5, None, 0.25]
    assert line["name"] == 'loss "<b>' and "<b>" not in page
    # The first point of the picture is where the chart's own frame puts it.
    left, right, top, bottom = chart["pad"]
    share = (0.5 - chart["y"][0]) / (chart["y"][1] - chart["y"][0])
    height = chart["h"] - bottom - share * (chart["h"] - top - bottom)
    assert f'points="{left:.1f},{height:.1f} {chart["w"] - right:.1f},' in page


def test_a_logarithmic_axis_says_so_and_shares_have_none() -> None:
    lines = [("loss", "a", [1.0, 2.0], [1.0, 0.001])]
    assert (
        "logarithmic" in line_chart(lines, "epoch", "loss")
        and chart_of(line_chart(lines, "epoch", "loss"))["log"]
    )
    assert "logarithmic" not in line_chart(lines, "x", "share", shares=True)


# ---- effects -----------------------------------------------------------------------------------


def test_the_column_that_decides_is_the_most_important(houses: tuple[RunResult, StoredRun]) -> None:
    """The price follows the size alone, by three for each square metre."""
    run = houses[1]
    found = report_data(run)
    columns = {one["column"]: one for one in found["importance"]["columns"]}
    assert found["importance"]["columns"][0]["column"] == "size"
    assert columns["size"]["interval"][0] > 0.5 > columns["kind"]["interval"][1]
    curve = next(one for one in found["effects"] if one["column"] == "size")
    slope = np.polyfit(curve["values"], curve["average"], 1)[0]
    assert slope == pytest.approx(3, rel=0.15)
    page = render_report(run, language="en")
    assert page.index("What the answers rest on") < page.index("Effects of the columns")


# ---- the doctor --------------------------------------------------------------------------------


def test_findings_stand_with_evidence_place_and_remedy(
    houses: tuple[RunResult, StoredRun],
) -> None:
    run = read_run(houses[1].folder)
    finding = Finding(
        "LR_HIGH",
        Place(setting="lr"),
        (Evidence("update of the weights, as a share of them", 0.42, "0.0001 to 0.03"),),
        0.93,
        (ProbeResult("learning_rate", "?", {}, True, "a tenth of the rate reaches 0.1"),),
        (Patch("setting", "Divide the learning rate by ten.", "lr", 3.0, 0.3),),
        unchanged="<b>data</b> stay",
    )
    run.examination = Report([finding], "numbers", "after").to_json()
    page = render_report(run, language="en")
    for text in (
        "Learning rate too high", "<code>lr</code>", "<b>0.42</b>", "0.0001 to 0.03",
        "a tenth of the rate reaches 0.1", "Divide the learning rate by ten", "- lr = 3.0",
        "+ lr = 0.3", "width:93%", "&lt;b&gt;data",
    ):  # fmt: skip
        assert text in page, text
    run.examination = Report([], "numbers", "after", {"loss at the start": 1.5}).to_json()
    page = render_report(run, language="en")
    assert (
        "Nothing is wrong as far as the doctor can see" in page and "Loss at the start 1.5" in page
    )
