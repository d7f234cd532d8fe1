"""The data doctor: each fault named where it was made, with its rows; silent on clean data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.columns import Table, array_column
from pellucid.insight import doctor
from pellucid.insight.doctor.data import (
    confident_joint,
    estimated_errors,
    find_label_errors,
    material_of,
)
from pellucid.insight.doctor.data.columns import feature_columns
from pellucid.insight.doctor.data.copies import exact_copies, near_copies
from pellucid.insight.doctor.data.held_out import Ridge
from pellucid.insight.doctor.data.neighbours import _by_cells, _sorted, dimension, nearest
from pellucid.insight.doctor.data.parts import chi_square_tail, kolmogorov
from pellucid.insight.doctor.data.text_copies import text_copies
from pellucid.training.job import one_blas_thread

sklearn_data = pytest.importorskip("sklearn.datasets")
SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def clean(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = getattr(sklearn_data, f"load_{name}")()
    order = np.random.default_rng(0).permutation(len(data.data))
    return data.data[order], data.target[order]


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """The small matrices here are quicker with one, above all beside other tests."""
    with one_blas_thread():
        yield


def causes(*args: Any, **settings: Any) -> list[str]:
    return [finding.cause for finding in doctor.examine_data(*args, **settings)]


def only(cause: str, *args: Any, **settings: Any) -> doctor.Finding:
    """The one finding there is, which names this cause."""
    report = doctor.examine_data(*args, **settings)
    assert [finding.cause for finding in report] == [cause], str(report)
    return report[0]


@pytest.mark.parametrize("name", SETS)
def test_clean_data_are_left_in_peace(name: str) -> None:
    x, y = clean(name)
    assert causes((x, y)) == []
    cut = len(x) * 4 // 5
    assert causes((x[:cut], y[:cut]), validation=(x[cut:], y[cut:])) == []


@pytest.mark.parametrize(("name", "target"), [("penguins", "species"), ("mpg", "mpg")])
def test_clean_files_are_left_in_peace(name: str, target: str, tables: Path) -> None:
    assert causes(tables / f"{name}.csv", target) == []


def test_titanic_knows_who_is_alive(tables: Path) -> None:
    finding = only("DATA_LEAK", tables / "titanic.csv", "survived")
    assert finding.place.column == "alive" and finding.confidence == 1.0


@pytest.fixture
def tables() -> Path:
    import os

    folder = Path(os.environ.get("PELLUCID_TEST_DATA", "")) / "tabular"
    if not folder.is_dir():
        pytest.skip("PELLUCID_TEST_DATA names no folder with tables")
    return folder


# ---- columns -----------------------------------------------------------------------------------


def table(**more: Any) -> dict[str, Any]:
    x, y = clean("breast_cancer")
    return {**{f"f{n}": x[:, n] for n in range(8)}, "y": y, **more}


def test_columns_that_know_the_target() -> None:
    y = table()["y"]
    noise = np.random.default_rng(1).normal(size=len(y))
    assert only("DATA_LEAK", table(again=2 * y + 1), "y").place.column == "again"
    assert only("DATA_LEAK", table(nearly=y + 0.05 * noise), "y").place.column == "nearly"


def test_identifiers_and_constants() -> None:
    count = len(table()["y"])
    assert only("COLUMN_IDENTIFIER", table(id=np.arange(count)), "y").place.column == "id"
    codes = [f"{n * 7919 % 10**9:012x}" for n in range(count)]
    assert only("COLUMN_IDENTIFIER", table(code=codes), "y").place.column == "code"
    assert only("COLUMN_CONSTANT", table(same=np.ones(count)), "y").place.column == "same"


def test_an_identifier_in_the_order_of_the_classes_is_a_leak() -> None:
    made = table()
    order = np.argsort(made["y"], kind="stable")
    made = {name: np.asarray(values)[order] for name, values in made.items()}
    made["id"] = np.arange(len(order))
    assert only("DATA_LEAK", made, "y").place.column == "id"


def test_missing_values_and_what_stands_for_them() -> None:
    gone = table()
    gone["f2"] = np.where(np.arange(len(gone["y"])) % 20 == 0, np.nan, gone["f2"])
    assert only("DATA_MISSING", gone, "y").place.rows[:3] == (0, 20, 40)
    stand = table()
    stand["f2"] = np.where(np.arange(len(stand["y"])) % 20 == 0, -999.0, stand["f2"])
    finding = only("DATA_MISSING", stand, "y")
    assert finding.place.column == "f2" and finding.place.rows[:2] == (0, 20)


def test_values_far_from_all_others() -> None:
    far = table()
    far["f3"] = far["f3"].copy()
    far["f3"][7] *= 100
    finding = only("DATA_OUTLIERS", far, "y")
    assert finding.place.column == "f3" and finding.place.rows == (7,)


def test_one_category_in_several_writings(tmp_path: Path) -> None:
    words = np.random.default_rng(0).choice(["red", "green", "blue"], len(table()["y"]))
    words[[5, 9]] = "Red "
    finding = only("DATA_MIXED", table(colour=words), "y")
    assert finding.place.column == "colour" and finding.place.rows == (5, 9)
    made = {**table(), "f1": table()["f1"].astype(object)}
    made["f1"][::20] = "bad"
    lines = [",".join(made), *(",".join(map(str, row)) for row in zip(*made.values(), strict=True))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    finding = only("DATA_MIXED", tmp_path / "table.csv", "y")
    assert finding.place.column == "f1" and finding.place.rows[:2] == (2, 22)  # lines of the file


def test_scales_of_inputs() -> None:
    x, y = clean("breast_cancer")
    standard = (x - x.mean(0)) / x.std(0)
    assert causes((standard, y), prepared=True) == []
    assert causes((x, y), prepared=True) == ["INPUT_UNSCALED"]
    standard[:, 4] = x[:, 3]
    assert only("INPUT_UNSCALED", (standard, y)).place.column == "x 5"
    digits, label = clean("digits")
    assert causes((np.round(digits * 15) / 255 / 255, label)) == ["INPUT_DOUBLE_SCALED"]


# ---- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "share", "least"), [("wine", 0.1, 0.94), ("digits", 0.1, 0.94),
                                                      ("breast_cancer", 0.2, 0.87)])  # fmt: skip
def test_wrong_labels_are_ranked_first(name: str, share: float, least: float) -> None:
    x, y = clean(name)
    random = np.random.default_rng(5)
    count, classes = round(share * len(y)), int(y.max()) + 1
    wrong = random.choice(len(y), count, replace=False)
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + random.integers(1, classes, count)) % classes
    finding = only("LABEL_NOISE", (x, noisy))
    listed = finding.place.rows
    assert 0.7 * count <= len(listed) <= 1.3 * count
    first = listed[: min(count, len(listed))]
    assert np.isin(first, wrong).mean() >= least


def test_the_confident_joint_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(3), 200)
    labels = random.integers(0, 3, 200)
    limits = [chances[labels == c, c].mean() for c in range(3)]
    joint = np.zeros((3, 3), int)
    for row, label in zip(chances, labels, strict=True):
        above = [c for c in range(3) if row[c] >= limits[c]]
        if above:
            joint[label, max(above, key=lambda c: row[c])] += 1
    assert np.array_equal(confident_joint(chances, labels), joint)
    share = [1 - joint[c, c] / joint[c].sum() for c in range(3)]
    expected = sum(share[c] * (labels == c).sum() for c in range(3))
    assert estimated_errors(joint, labels) == round(expected)


def test_overlapping_classes_are_no_wrong_labels() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(800, 2)).astype(np.float32)
    y = (random.random(800) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(int)
    assert causes((x, y)) == []
    assert not find_label_errors(x, y).is_noise


def test_left_out_answers_are_those_without_the_row() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 4)), random.normal(size=(30, 1))
    found = Ridge.of(x.astype(np.float32)).left_out(y.astype(np.float32), 0.7)
    ones = np.concatenate([x, np.ones((30, 1))], axis=1)
    for row in (0, 7, 29):
        kept = np.delete(np.arange(30), row)
        gram = ones[kept].T @ ones[kept] + 0.7 * np.eye(5)
        answer = ones[row] @ np.linalg.solve(gram, ones[kept].T @ y[kept])
        assert found[row] == pytest.approx(answer, abs=2e-5)


def test_labels_in_another_order() -> None:
    x, y = clean("breast_cancer")
    random = np.random.default_rng(0)
    assert causes((x, random.permutation(y))) == ["LABEL_MISALIGNED"]
    shifted = only("LABEL_MISALIGNED", (x, np.roll(y, 1)))
    assert shifted.remedies[0].new == -1 and "Move the labels by 1" in shifted.remedy
    part = only("LABEL_MISALIGNED", (x[:400], y[:400]),
                validation=(x[400:], random.permutation(y[400:])))  # fmt: skip
    assert part.place.part == "validation" and part.place.rows[:2] == (0, 1)
    stretch = y.copy()
    stretch[200:320] = np.roll(y[200:320], 5)
    rows = np.array(only("LABEL_MISALIGNED", (x, stretch)).place.rows)
    assert 190 <= rows.min() and rows.max() < 330
    numbers, target = clean("diabetes")
    assert causes((numbers, random.permutation(target))) == ["LABEL_MISALIGNED"]


def test_targets_of_one_value_scaled_or_far() -> None:
    x, y = clean("digits")
    assert causes((x, np.ones(len(x)))) == ["SINGLE_CLASS_LABELS"]
    assert causes((x[:600], (y[:600] - 4.5) / 2.87)) == ["LABEL_SCALED"]
    numbers, target = clean("diabetes")
    target[[3, 50]] = 2500
    assert set(only("LABEL_NOISE", (numbers, target)).place.rows) == {3, 50}


def test_a_rare_class_that_is_learned_is_no_trouble() -> None:
    random = np.random.default_rng(0)
    rare = np.r_[np.zeros(950, int), np.ones(50, int)]
    x = random.normal(size=(1000, 5))
    assert causes((x + 0.3 * rare[:, None], rare)) == ["IMBALANCE"]
    assert causes((x + 3.0 * rare[:, None], rare)) == []


# ---- parts -------------------------------------------------------------------------------------


def test_parts_that_differ() -> None:
    x, y = clean("breast_cancer")
    order = np.argsort(y, kind="stable")
    first, last = order[:450], order[450:]
    assert causes((x[first], y[first]), validation=(x[last], y[last])) == ["SPLIT_UNSHUFFLED"]
    scaled = only("TRAIN_TEST_PREP_MISMATCH", (x[:400], y[:400]),
                  validation=(x[400:] / 255, y[400:]))  # fmt: skip
    assert scaled.evidence[1].value == pytest.approx(1 / 255, rel=0.5)
    moved = x[400:].copy()
    moved[:, 2] = np.random.default_rng(0).uniform(x[:, 2].min(), x[:, 2].max(), len(moved))
    finding = only("DATA_DRIFT", (x[:400], y[:400]), validation=(moved, y[400:]))
    assert finding.place.column == "x 3"


def test_a_class_without_training_rows() -> None:
    x, y = clean("digits")
    first = (np.arange(len(y)) < 1200) & (y != 7)
    found = causes((x[first], y[first]), validation=(x[1200:], y[1200:]))
    assert found[0] == "MISSING_CLASS" or "MISSING_CLASS" in found


def test_groups_and_times_in_several_parts() -> None:
    random = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 10)
    own = random.normal(size=60)[patient]
    part = random.choice(["train", "test"], 600, p=[0.7, 0.3])
    rows = {"patient": patient, "a": own + 0.1 * random.normal(size=600), "part": part}
    rows |= {"b": random.normal(size=600), "y": (own + 0.3 * random.normal(size=600) > 0) * 1}
    finding = only("DATA_LEAK", rows, "y", split="part")
    assert finding.place.column == "patient" and len(finding.place.rows) > 100
    days = np.datetime64("2020-01-01") + np.arange(500)
    walk = np.cumsum(random.normal(size=500))
    rows = {"t": days, "a": walk + random.normal(size=500), "y": walk,
            "part": random.choice(["train", "test"], 500, p=[0.7, 0.3])}  # fmt: skip
    assert only("DATA_LEAK", rows, "y", split="part").place.column == "t"


def test_kolmogorov_and_chi_square_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    one, two = random.normal(size=300), random.normal(0.3, 1.2, size=200)
    apart, sure = kolmogorov(one, two)
    known = stats.ks_2samp(one, two, method="asymp")
    assert apart == pytest.approx(known.statistic) and sure == pytest.approx(known.pvalue, rel=0.4)
    first, other = np.array([50, 30, 20]), np.array([20, 40, 60])
    exact = stats.chi2_contingency(np.stack([first, other])).pvalue
    assert np.log(chi_square_tail(first, other)) == pytest.approx(np.log(exact), rel=0.25)


# ---- copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes", "digits"])
def test_copies_across_parts(name: str) -> None:
    x, y = clean(name)
    random = np.random.default_rng(3)
    half = len(x) // 2
    source = random.choice(half, 20, replace=False)
    jitter = 0.01 * random.normal(size=(10, x.shape[1])) * x.std(0)
    more = np.concatenate([x[source[:10]], x[source[10:]] + jitter])
    validation = np.concatenate([x[half:], more]), np.append(y[half:], y[source])
    finding = only("DATA_LEAK", (x[:half], y[:half]), validation=validation)
    copied = np.arange(len(x) - half, len(x) - half + 20)
    assert set(finding.place.rows) == set(copied.tolist())
    assert finding.place.part == "validation"
    assert [item.value for item in finding.evidence[:2]] == [10, 10]


def test_rows_that_are_equal_by_chance_are_no_copies() -> None:
    random = np.random.default_rng(0)
    coarse = {f"c{n}": random.choice(list("abcd"), 500) for n in range(4)}
    made = Table("coarse", {n: array_column(n, v) for n, v in coarse.items()})
    found = exact_copies(made, np.full(500, -1, np.int8))
    assert len(found) > 100 and not found.is_copying
    normal = random.normal(size=(3000, 6)).astype(np.float32)
    assert len(near_copies(normal, np.full(3000, -1, np.int8))) <= 3


def test_copies_of_pictures() -> None:
    images = sklearn_data.load_digits().images
    labels = sklearn_data.load_digits().target
    big = np.kron(images, np.ones((3, 3))).astype(np.float32) * 15
    random = np.random.default_rng(0)
    pick = random.choice(1000, 12, replace=False)
    dark = 0.7 * big[pick[:4]] + 20
    noisy = np.clip(big[pick[4:8]] + 6 * random.normal(size=(4, 24, 24)), 0, 255)
    mirrored = big[pick[8:]][:, :, ::-1]
    more = np.concatenate([big[pick[:2]], dark, noisy, mirrored])
    answers = np.concatenate([labels[pick[:2]], labels[pick]])
    validation = (np.concatenate([big[1000:], more]).round().astype(np.uint8),
                  np.append(labels[1000:], answers))  # fmt: skip
    finding = only(
        "DATA_LEAK", (big[:1000].round().astype(np.uint8), labels[:1000]), validation=validation
    )
    copied = set(range(797, 797 + len(more)))
    assert len(copied & set(finding.place.rows)) >= 13 and set(finding.place.rows) <= copied


def test_copies_of_texts() -> None:
    random = np.random.default_rng(0)
    words = np.array([f"word{n}" for n in range(3000)])
    texts = [" ".join(random.choice(words, 30)) for _ in range(300)]
    edited = [t.replace(t.split()[3], "other") for t in texts[:20]]
    shouted = [t.upper() + "!" for t in texts[20:30]]
    given = texts + edited + shouted + texts[30:40]
    part = np.r_[np.zeros(300), np.ones(40)].astype(np.int8)
    found = text_copies(list(given), part)
    twins = dict(zip(found.rows.tolist(), found.twins.tolist(), strict=True))
    assert twins == {300 + n: n for n in range(40)} and found.exact.sum() == 10


def test_neighbours_by_cells_are_those_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(3000, 5)).astype(np.float32)
    distances, places = nearest(rows, rows, 4, own=True)
    cells = _sorted(rows, rows, _by_cells(rows, rows, 4, True))
    assert (cells[1][:, 0] == places[:, 0]).mean() > 0.98
    brute = np.sort(np.linalg.norm(rows[:50, None] - rows[None], axis=2), axis=1)[:, 1:5]
    assert np.allclose(distances[:50], brute, atol=1e-5)
    assert dimension(distances) == pytest.approx(5, abs=0.7)


# ---- forms -------------------------------------------------------------------------------------


def test_features_that_are_turned() -> None:
    x, y = clean("wine")
    assert causes((x.T, y)) == ["DATA_SHAPE"]


def test_rows_of_a_file_are_its_lines(tmp_path: Path) -> None:
    made = table()
    lines = [",".join(made), *(",".join(map(str, row)) for row in zip(*made.values(), strict=True))]
    lines.insert(5, "")  # a blank line counts
    lines.append(lines[3])
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    report = doctor.examine_data(tmp_path / "table.csv", "y")
    assert [f.cause for f in report] == ["DATA_DUPLICATES"]
    assert report[0].place.rows == (len(lines),)
    assert report.facts["rows are counted"] == "lines of the file, from 1"
    assert f"{len(lines)} = 4" in str(report)


def test_what_cannot_be_examined_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column named"):
        doctor.examine_data(table(), "price")
    with pytest.raises(ArgumentError, match="Pictures have no columns"):
        doctor.examine_data("digits", split="part")
    assert len(feature_columns(material_of(table(), "y").features)[1]) == 8
