"""From one sequence to another: sums, words read backwards, beams, alignments, runs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.insight.pictures import draw_attention
from pellucid.models import EncoderDecoder, Seq2Seq
from pellucid.models.beam_search import beam_search
from pellucid.text import SequenceConfig, load_sequences, train_sequences
from pellucid.text.sequence_run import SequenceSystem, read_pairs
from pellucid.text.sequences import PairParts, new_model
from pellucid.training.system_job import SystemJob


def test_D19_the_share_that_is_watched_is_that_of_writing_freely() -> None:
    """Under the right tokens a row is right in full if and only if it is written so freely; sums
    at full size are in examples/sums.py."""
    pairs = [(f"{a}+{b}", str(a + b)) for a in range(25) for b in range(25)]
    model, history = train_sequences(
        pairs, attention="peek", hidden=32, features=8, epochs=25, batch_size=32,
        learning_rate=0.01, train_share=0.8, test_share=0.1, progress=False,
    )  # fmt: skip
    parts = PairParts.of(pairs, model.config)
    assert not set(parts.train) & set(parts.test)
    assert history["metric"][history.best_epoch - 1] == pytest.approx(
        model.exact_match(parts.validation)
    )
    greedy, beams = (model.exact_match(parts.train[:300], n) for n in (1, 3))
    assert greedy > 0.2 and beams >= greedy - 0.03


def test_D21_attention_looks_where_the_answer_stands(tmp_path: Path) -> None:
    """Words read backwards: letter i is letter n - 1 - i of the source, and attention says so."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), rng.integers(3, 7))) for _ in range(1500)]
    pairs = [(word, word[::-1]) for word in words]
    model, _ = train_sequences(
        pairs, attention="bahdanau", hidden=48, features=16, epochs=24, batch_size=64,
        learning_rate=0.01, train_share=0.8, test_share=0.1, progress=False,
    )  # fmt: skip
    test = PairParts.of(pairs, model.config).test
    assert model.exact_match(test) > 0.95
    looked = []
    for source, target in test[:40]:
        weights, of, to = model.alignment(source)
        assert weights.shape == (len(to), len(of)) and to[-1] == "</s>"
        assert_close(weights.sum(1), np.ones(len(to)), 1e-5)
        looked += [weights[i].argmax() == len(source) - 1 - i for i in range(len(target))]
    assert np.mean(looked) > 0.9
    draw_attention(*model.alignment("abc"), path=tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_beams_find_what_a_greedy_choice_misses() -> None:
    """Against all sequences: with as many beams as beginnings the likeliest one is found."""
    rng = np.random.default_rng(3)
    tables = rng.normal(size=(2, 4, 5, 5))  # (row, step, before, token): end is token 1

    def logs(rows: Any, begun: Any) -> Any:
        scores = tables[rows, begun.shape[1] - 1, begun[:, -1]]
        return scores - np.log(np.exp(scores).sum(-1, keepdims=True))

    def total(row: int, tokens: tuple[int, ...]) -> float:
        value, before = 0.0, 0
        for step, token in enumerate(tokens):
            value += logs(np.array([row]), np.array([[0] * step + [before]]))[0, token]
            before = token
            if token == 1:
                break
        return value

    best, chance = beam_search(logs, 2, start=0, end=1, length=4, beams=200)
    greedy, other = beam_search(logs, 2, start=0, end=1, length=4, beams=1)
    for row in range(2):
        every = {t: total(row, t) for t in itertools.product(range(5), repeat=4)}
        found = max(every.values())
        assert chance[row] == pytest.approx(found) == total(row, tuple(best[row]))
        assert other[row] == pytest.approx(total(row, tuple(greedy[row]))) and other[row] <= found
    assert (other < chance - 1e-9).any()
    with pytest.raises(ArgumentError, match="beams=0"):
        beam_search(logs, 2, 0, 1, 4, 0)


@pytest.mark.parametrize("network", ["peek", "attention", "bahdanau", "state", "transformer"])
def test_D34_what_fills_up_changes_nothing(network: str, rng: np.random.Generator) -> None:
    if network == "transformer":
        model: Any = EncoderDecoder(9, 8, 2, 1, longest=9).eval()
    else:
        model = Seq2Seq(9, 4, 6, view=network)
    source, target = (pellucid.tensor(rng.integers(0, 9, (2, n))) for n in (5, 4))
    lengths = pellucid.tensor([5, 3])
    scores = model(source, target, lengths).detach()
    source[1, 3:] = 7  # other filling
    assert_close(model(source, target, lengths).detach(), scores, 1e-5, 1e-6)
    alone = model(source[1:, :3], target[1:], pellucid.tensor([3])).detach()
    assert_close(alone, scores[1:], 1e-5, 1e-6)
    if network in ("attention", "bahdanau", "transformer"):
        maps = model.attention(source, target, lengths)
        weights = (maps[0] if isinstance(maps, list) else maps).numpy()
        assert weights.shape == (2, 4, 5) and (weights[1, :, 3:] == 0).all()


def test_a_decoder_that_writes_step_by_step_gives_the_scores_of_the_whole(
    rng: np.random.Generator,
) -> None:
    """Teacher forcing over the whole target is what translating does one token at a time."""
    for view in ("peek", "attention", "bahdanau"):
        model = Seq2Seq(8, 4, 6, cell="GRU", view=view)
        source = pellucid.tensor(rng.integers(0, 8, (3, 6)))
        written = model.translate(source, 2, 5)
        begun = pellucid.cat([pellucid.full((3, 1), 2, dtype=pellucid.int64), written[:, :-1]], 1)
        assert np.array_equal(model(source, begun).argmax(-1).numpy(), written.numpy())


def test_F3_there_is_no_picture_of_attention_without_attention() -> None:
    for attention in ("none", "peek"):
        parts = PairParts([("ab", "b")], [("a", "b")], [], 0)
        model = new_model(parts, SequenceConfig(attention=attention, hidden=4, features=4))
        with pytest.raises(ArgumentError, match="without attention"):
            model.alignment("ab")


def test_no_source_is_learned_and_tested() -> None:
    pairs = [(str(i % 50), str(i)) for i in range(100)]
    parts = PairParts.of(pairs, SequenceConfig(train_share=0.8, test_share=0.1))
    every = [source for part in (parts.train, parts.validation, parts.test) for source, _ in part]
    assert len(every) == len(set(every)) == 50 and parts.dropped == 50


@pytest.mark.parametrize(("text", "pairs"), [
    ("a b\tc\nd\te\n", [("a b", "c"), ("d", "e")]),
    ("16+75  _91  \n52+607 _659 \n", [("16+75", "91"), ("52+607", "659")]),
    ("x=y\n\nz=w\n", [("x", "y"), ("z", "w")]),
])  # fmt: skip
def test_pairs_are_read_with_any_sign_between_them(
    text: str, pairs: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "p.txt").write_text(text)
    assert read_pairs(tmp_path / "p.txt") == pairs


def test_runs_are_kept_loaded_and_refused(tmp_path: Path) -> None:
    file = tmp_path / "sums.txt"
    file.write_text("\n".join(f"{a}+{b}_{a + b}" for a in range(20) for b in range(20)))
    settings = {"hidden": 8, "features": 8, "epochs": 2, "attention": "bahdanau"}
    outcome = SystemJob(SequenceSystem, file, settings, output=tmp_path / "run").run()
    assert set(outcome.figures) == {"train", "validation", "test"}
    model = load_sequences(outcome.folder)
    assert model.translate(["3+4"]) == outcome.system.model.translate(["3+4"])
    path = outcome.folder / "model.json"
    good = json.loads(path.read_text())
    for change in (
        {"settings": {**good["settings"], "hidden": 60_000}},
        {"parts": {**good["parts"], "longest": 0}},
        {"parts": {**good["parts"], "tokenizer": {}}},
        {"kind": "language model"},
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(RunFolderError):
            load_sequences(outcome.folder)


def test_errors_say_what_was_received(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a b\nc\n")
    with pytest.raises(DataError, match="no pairs"):
        read_pairs(tmp_path / "p.txt")
    with pytest.raises(ArgumentError, match="attention='x'"):
        SequenceConfig(attention="x")
    with pytest.raises(ArgumentError, match="features=6, heads=4"):
        SequenceConfig(model="transformer", features=6)
    with pytest.raises(DataError, match="1 different pairs"):
        train_sequences([("a", "b")] * 9)
    parts = PairParts([("ab", "b")], [("a", "b")], [], 0)
    model = new_model(parts, SequenceConfig(hidden=4, features=4))
    with pytest.raises(DataError, match="source 1 is empty"):
        model.translate(["a", ""])
    with pytest.raises(ArgumentError, match="beams=0"):
        model.translate(["a"], beams=0)
    with pytest.raises(ArgumentError, match="no pairs"):
        model.exact_match([])
    small = SequenceConfig.suited(model="transformer", features=8, heads=2, layers=1)
    with pytest.raises(DataError, match="a source has 9 tokens"):
        new_model(parts, small).translate(["ababababa"])
