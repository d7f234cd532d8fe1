"""Networks on tables with many categories and with prose: vectors are looked up and learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.data.input_layout import InputLayout, Lookup
from pellucid.data.sources import load_for_prediction
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
