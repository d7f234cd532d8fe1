"""Networks on tables with many categories and with prose: vectors are looked up and learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.data.input_layout import InputLayout, Lookup
from pellucid.data.preprocessing import ColumnPlan, Preprocessor
from pellucid.data.prose import ProseRule, words_of
from pellucid.data.sources import load_for_prediction, load_source
from pellucid.insight.report import render_report
from pellucid.training.config import TrainingConfig
from pellucid.training.inference import Scorer
from pellucid.training.network import (
    Lookups,
    build_network,
    describe_layers,
    parameter_shapes,
    predictions_of,
)
from pellucid.training.run import train
from pellucid.training.stored_run import restore
from pellucid.training.word_reader import WordReader

LAYOUT = InputLayout(2, [Lookup(2, 1, 4, 3), Lookup(3, 4, 9, 5)])


def rows(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.zeros((6, 7), np.float32)
    found[:, :2] = rng.normal(size=(6, 2))
    found[:, 2] = rng.integers(0, 4, 6)
    for row in range(1, 6):  # the first one has no words
        found[row, 3 : 3 + row % 5] = rng.integers(1, 9, row % 5)
    return found


@pytest.mark.parametrize("compiled", [False, True])
def test_vectors_are_looked_up_and_words_averaged(compiled: bool) -> None:
    layer = Lookups(LAYOUT)
    category, words = (table.weight.detach().numpy() for table in layer.tables)
    x = rows()
    expected = np.zeros((6, 10), np.float32)
    for row, entries in enumerate(x):
        known = [words[int(code)] for code in entries[3:] if code]
        mean = np.mean(known, axis=0) if known else np.zeros(5)
        expected[row] = np.concatenate([entries[:2], category[int(entries[2])], mean])
    call = pellucid.compile(lambda t: layer(t)) if compiled else layer
    assert_close(call(pellucid.tensor(x)), expected, 1e-6, 1e-6)
    assert not category[0].any() and not words[0].any()


def test_the_shapes_are_known_without_building() -> None:
    config = TrainingConfig(widths=(8, 4), dropout=0.1)
    built = build_network(LAYOUT, config, 3)
    assert parameter_shapes(LAYOUT, config, 3) == {
        name: tuple(parameter.shape) for name, parameter in built.named_parameters()
    }
    assert built(pellucid.tensor(rows())).shape == (6, 3)


def table(tmp_path: Path, seed: int = 0) -> Path:
    """The class follows from the category, or from a word of the text."""
    rng = np.random.default_rng(seed)
    lines = ["x,city,review,y"]
    openings = ["the meal was", "our table found it", "today it seemed", "i thought it was"]
    for _ in range(900):
        city = int(rng.integers(0, 150))
        good = rng.random() < 0.5
        word = rng.choice(["tasty", "lovely", "fresh"] if good else ["stale", "awful", "cold"])
        text = f"{rng.choice(openings)} {word} on day {rng.integers(0, 200)}"
        lines.append(f"{rng.normal():.3f},c{city},{text},{int(good) if city % 2 else 'ab'[good]}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "t.csv"


def test_a_table_of_categories_and_prose_is_learned_stored_and_used(tmp_path: Path) -> None:
    outcome = train(table(tmp_path), "y", output=tmp_path / "run", epochs=30, seed=1)
    result = outcome.result
    assert outcome.complete and result.prepared.task.kind == "multiclass"
    notes = " ".join(map(str, result.prepared.notes))
    assert "'review' holds prose" in notes and "'city' has 145 categories" in notes
    assert result.figures["test"].values["accuracy"] > 0.9
    text = describe_layers(result.prepared.row_shape, result.config, result.prepared.task)
    assert text.startswith("1 + 135 vectors of 25 + ") and "vectors of 32 → 128 → 64 → 4" in text
    saved, network = restore(outcome.folder)
    new = load_for_prediction(saved.preprocessor, tmp_path / "t.csv", saved.task)
    scores = Scorer(network)(new.features)
    again = predictions_of(saved.task, scores, None)[result.prepared.test.indices]
    np.testing.assert_allclose(again, result.predictions["test"], atol=1e-6)


# ---- words in their order ------------------------------------------------------------------------

ORDERED = InputLayout(2, [Lookup(2, 1, 4, 3), Lookup(3, 4, 9, 8, True)])


def test_words_are_told_in_their_order_and_again() -> None:
    ordered, bag = ProseRule(6, 1 << 12, ordered=True), ProseRule(6, 1 << 12)
    one, other = ordered.codes("The dog bit the man"), ordered.codes("the MAN bit the dog")
    assert one != other and sorted(one) == sorted(other)
    assert one == [ordered.codes(word)[0] for word in ("the", "dog", "bit", "the", "man")]
    assert bag.codes("The dog bit the man")[:4] == list(dict.fromkeys(one))
    assert words_of("好吃! ok") == ["好", "吃", "!", "ok"]
    assert len(ordered.codes("a b c d e f g h")) == 6


@pytest.mark.parametrize("compiled", [False, True])
def test_a_reader_sees_order_and_nothing_behind_the_text(compiled: bool) -> None:
    pellucid.manual_seed(0)
    reader = WordReader(ORDERED.lookups[1]).eval()
    call = pellucid.compile(lambda t: reader(t)) if compiled else reader
    codes = pellucid.tensor([[1, 2, 3, 0], [3, 2, 1, 0], [1, 2, 3, 4], [0, 0, 0, 0]])
    found = call(codes).detach().numpy()
    assert found.shape == (4, 8) and np.isfinite(found).all()
    assert np.abs(found[0] - found[1]).max() > 1e-3  # a bag gives both the same
    # The same text beside others, and with less room behind it.
    shorter = WordReader(Lookup(0, 3, 9, 8, True))
    state = reader.state_dict()
    state["places.weight"] = state["places.weight"][:4]
    shorter.load_state_dict(state)
    assert_close(shorter.eval()(codes[:1, :3]), found[:1], 1e-5, 1e-6)
    with pellucid.no_grad():
        reader.words.weight[0] += 7.0  # what stands for no word is not read
    assert_close(call(codes), found, 1e-5, 1e-6)


def test_the_shapes_of_a_reader_are_known_without_building() -> None:
    config = TrainingConfig(widths=(8,), text="transformer")
    built = build_network(ORDERED, config, 3)
    assert parameter_shapes(ORDERED, config, 3) == {
        name: tuple(parameter.shape) for name, parameter in built.named_parameters()
    }
    built(pellucid.tensor(rows())).sum().backward()
    for name, parameter in built[0].tables[1].named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def who_came_first(count: int, seed: int = 0) -> dict[str, list[str]]:
    """Sentences with two names among other words; which comes first no bag of words tells."""
    rng = np.random.default_rng(seed)
    others = "we met at noon near the old bridge while rain fell on green hills".split()
    texts, first = [], []
    for _ in range(count):
        words = list(rng.choice(others, size=rng.integers(5, 9)))
        names = ["anna", "ben"] if rng.random() < 0.5 else ["ben", "anna"]
        early, late = sorted(rng.choice(len(words), 2, replace=False))
        words.insert(late + 1, names[1])
        words.insert(early, names[0])
        texts.append(" ".join(words))
        first.append(names[0])
    return {"text": texts, "first": first}


def test_a_transformer_learns_what_a_bag_cannot(tmp_path: Path) -> None:
    table = who_came_first(700)
    settings = {"widths": (16,), "learning_rate": 2e-3, "batch_size": 32, "patience": 0}
    bag = train(table, "first", output=tmp_path / "bag", epochs=3, **settings)
    told = train(
        table, "first", output=tmp_path / "told", epochs=14, text="transformer", **settings
    )
    figures = [run.result.figures["test"]["accuracy"] for run in (bag, told)]
    assert figures[0] < 0.7 < 0.95 < figures[1]
    assert any("in their order by a transformer" in note for note in told.result.prepared.notes)
    # The folder predicts the same again, and new texts rightly.
    saved, model = restore(told.folder)
    assert saved.preprocessor == told.result.prepared.preprocessor
    assert saved.config.text == "transformer"
    new = who_came_first(100, seed=1)
    data = load_for_prediction(saved.preprocessor, {"text": new["text"]})
    scores = Scorer(model)(data.features)[:, 0]
    right = (scores > 0) == (np.array(new["first"]) == saved.task.classes[1])
    assert right.mean() > 0.95
    shown = render_report(told.folder)
    assert "a transformer" in shown or "TransformerEncoder" in shown


def test_columns_of_an_earlier_version_are_a_bag() -> None:
    plan = ColumnPlan("text", "prose", slots=8, buckets=256)
    data = Preprocessor((plan,)).to_json()
    columns = [{k: v for k, v in c.items() if k != "ordered"} for c in data["columns"]]
    assert Preprocessor.from_json(data | {"columns": columns}).plans == (plan,)
    ordered = dataclasses.replace(plan, ordered=True)
    assert Preprocessor.from_json(Preprocessor((ordered,)).to_json()).plans == (ordered,)
    number = {**data["columns"][0], "kind": "embedding", "slots": 1, "buckets": 0, "ordered": True}
    with pytest.raises(RunFolderError):
        Preprocessor.from_json(data | {"columns": [{**number, "categories": ["a"]}]})


def test_other_ways_to_read_text_are_refused() -> None:
    with pytest.raises(ArgumentError, match="text.*'tree' is unknown"):
        load_source(who_came_first(60), "first", text="tree")
    with pytest.raises(ArgumentError, match="bag, transformer"):
        TrainingConfig(text="tree")
