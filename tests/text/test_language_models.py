"""Language models: trained on texts whose entropy is known, measured, sampled, stored, resumed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import Generator
from pellucid.base.errors import ArgumentError, DataError, RunFolderError
from pellucid.models import MLPLanguageModel, RecurrentLanguageModel
from pellucid.models.sampling import sampled
from pellucid.text import (
    LanguageModel,
    LanguageModelConfig,
    Tokenizer,
    load_language_model,
    train_language_model,
)
from pellucid.text.language_model import IGNORED, TokenLosses, measure, rows_of
from pellucid.text.language_run import LanguageSystem
from pellucid.training.run_folder import load_weights
from pellucid.training.run_list import list_runs
from pellucid.training.system_job import SystemJob

ENTROPY = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))


def letters(length: int, seed: int = 1) -> str:
    """Letters of which each is followed by one of two, 3 : 1: ``ENTROPY`` nats a letter."""
    rng = np.random.default_rng(seed)
    text = [0]
    for choice in rng.random(length - 1) < 0.75:
        text.append((text[-1] + (1 if choice else 3)) % 8)
    return "".join("abcdefgh"[i] for i in text)


@pytest.mark.parametrize(("model", "settings"), [
    ("lstm", {"steps": 200, "batch_size": 16, "context": 16, "learning_rate": 0.01}),
    ("rnn", {"steps": 150, "batch_size": 16, "context": 16, "learning_rate": 0.01}),
    ("gpt", {"steps": 150, "batch_size": 16, "context": 16, "learning_rate": 0.01, "every": 75}),
    ("mlp", {"steps": 150, "batch_size": 16, "context": 16, "learning_rate": 0.01, "every": 75}),
])  # fmt: skip
def test_D14_perplexity_comes_near_to_that_of_the_source(
    model: str, settings: dict[str, Any]
) -> None:
    text = letters(12_000)
    made, history = train_language_model(
        text, model=model, features=24, layers=1, seed=1, progress=False, **settings
    )
    held = letters(3000, seed=9)
    found = made.perplexity(held)
    assert math.exp(ENTROPY) - 0.08 < found < 1.08 * math.exp(ENTROPY), found
    assert history["validation_loss"][-1] < 1.1 * ENTROPY
    # Bits per character are the same figure in another unit: every letter is a token.
    logs = made.log_probabilities(held)
    assert made.bits_per_character(held) == pytest.approx(-logs.sum() / math.log(2) / len(held))
    # D13: what it writes has the statistics of the source, and is not a copy of it.
    written = made.generate("a", 400, seed=2)
    assert written == made.generate("a", 400, seed=2) != made.generate("a", 400, seed=3)
    assert written[0] == "a" and set(written) <= set("abcdefgh")
    pairs = {text[i : i + 2] for i in range(len(text) - 1)}
    assert np.mean([written[i : i + 2] in pairs for i in range(400)]) > 0.95
    assert written[:60] not in text


def test_a_state_is_carried_from_row_to_row_and_begins_anew_when_told(
    rng: np.random.Generator,
) -> None:
    """Two parts one after the other have the losses of one text; ``fresh`` forgets."""
    for cell in ("LSTM", "GRU"):
        losses = TokenLosses(RecurrentLanguageModel(9, 8, 2, cell=cell), batch=3).train()
        ids = pellucid.tensor(rng.integers(0, 9, (3, 12)))
        after = pellucid.tensor(rng.integers(0, 9, (3, 12)))
        new, old = pellucid.ones(3), pellucid.zeros(3)
        whole = losses(ids, after, new)
        parts = [losses(ids[:, :5], after[:, :5], new), losses(ids[:, 5:], after[:, 5:], old)]
        assert_close(pellucid.cat(parts, 1), whole, 1e-5, 1e-6)
        again = losses(ids, after, new).detach()  # the state before does not matter
        assert_close(again, whole, 1e-6, 1e-7)
        assert not np.allclose(losses(ids, after, old).detach().numpy(), whole.detach().numpy())


def test_drawing_follows_the_chances() -> None:
    scores = pellucid.tensor(np.log([[0.5, 0.3, 0.15, 0.05]])).float().expand(20_000, 4)
    generator = Generator().manual_seed(1)
    cases = [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 2}, [0.625, 0.375, 0, 0]),
        ({"top_p": 0.7}, [0.625, 0.375, 0, 0]),  # the fewest that have at least 0.7
        ({"top_p": 0.81}, [10 / 19, 6 / 19, 3 / 19, 0]),
        ({"temperature": 0.5}, np.square([0.5, 0.3, 0.15, 0.05]) / 0.365),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
    ]
    for settings, expected in cases:
        drawn = sampled(scores, **settings, generator=generator).numpy().ravel()
        shares = np.bincount(drawn, minlength=4) / 20_000
        assert np.abs(shares - expected).max() < 0.015, settings


def test_lines_are_texts_of_their_own() -> None:
    """Names: each begins and ends; perplexity counts the end; what is written ends with a line."""
    names = "\n".join(["anna", "bob", "carl", "dora"] * 60)
    model, _ = train_language_model(
        names, model="gpt", lines=True, features=16, layers=1, heads=2, steps=150, context=8,
        batch_size=32, learning_rate=0.02, progress=False,
    )  # fmt: skip
    written = {model.generate(seed=seed) for seed in range(12)}
    assert written <= {"anna", "bob", "carl", "dora"} and len(written) > 1
    assert model.generate("do", seed=0) == "dora"
    assert model.log_probabilities("bob").shape == (4,)  # three letters and the end
    assert 1.2 < model.perplexity("anna") < 1.6  # one choice of four in five tokens
    ids, targets, _ = rows_of(["bob", "a"], model.tokenizer, model.config, 8)
    assert ids.shape == (2, 4) and (targets[1, 2:] == IGNORED).all()


def test_the_window_of_an_mlp_is_its_context(rng: np.random.Generator) -> None:
    model = MLPLanguageModel(7, context=3)
    ids = rng.integers(0, 7, (2, 9))
    scores = model(pellucid.tensor(ids)).detach().numpy()
    ids[:, 2] = (ids[:, 2] + 1) % 7
    moved = np.abs(model(pellucid.tensor(ids)).detach().numpy() - scores).max((0, 2)) > 1e-6
    assert moved.tolist() == [False, False, True, True, True, False, False, False, False]


def test_errors_say_what_was_received() -> None:
    for settings, message in [
        ({"model": "cnn"}, "model='cnn'"),
        ({"dropout": 2.0}, "dropout=2.0"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"lines": 1}, "lines=1"),
        ({"model": "gpt", "features": 10, "heads": 4}, "features=10, heads=4"),
        ({"train_share": 0.9, "test_share": 0.2}, "leave nothing for validation"),
        ({"width": 3}, "no setting 'width'"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            LanguageModelConfig.suited(**settings)
    with pytest.raises(DataError, match="empty"):
        train_language_model("  ")
    with pytest.raises(DataError, match="too short"):
        train_language_model("abc " * 20)
    config = LanguageModelConfig()
    tokenizer = Tokenizer.fit("ab", "char")
    model = LanguageModel(RecurrentLanguageModel(len(tokenizer), 4, 1), tokenizer, config)
    for settings in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"length": -1}):
        with pytest.raises(ArgumentError, match="generate got"):
            model.generate("a", **settings)


SETTINGS: dict[str, Any] = {
    "model": "lstm", "features": 12, "layers": 1, "steps": 60, "batch_size": 8, "context": 16,
    "dropout": 0.1,
}  # fmt: skip
KILLED = """
import os, signal, sys
from pellucid.training import checkpoints, system_job
from pellucid.text.language_run import LanguageSystem
system_job.SAVE_SECONDS, checkpoints.SHARE = 0.001, 1.0

def listen(kind, fact):
    if kind == "event" and fact.kind == "steps" and fact.step >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

job = system_job.SystemJob(LanguageSystem, sys.argv[1], eval(sys.argv[4]), output=sys.argv[2],
                           listener=listen)
job.run()
"""


@pytest.mark.parametrize("settings", [
    SETTINGS, {**SETTINGS, "model": "gpt", "heads": 2, "every": 20},
])  # fmt: skip
def test_a_killed_run_goes_on_with_the_same_bits(settings: dict[str, Any], tmp_path: Path) -> None:
    text = tmp_path / "letters.txt"
    text.write_text(letters(3000))
    whole = SystemJob(LanguageSystem, text, settings, output=tmp_path / "whole").run()
    arguments = [sys.executable, "-c", KILLED, str(text), str(tmp_path / "run"), "35"]
    assert subprocess.run([*arguments, repr(settings)]).returncode == -signal.SIGKILL
    assert not os.path.exists(tmp_path / "run")
    with pytest.raises(ArgumentError, match="differs from the run's"):
        SystemJob(LanguageSystem, None, {"steps": 9}, resume=tmp_path / "run").run()
    steps: list[int] = []

    def listen(kind: str, fact: Any) -> None:
        if kind == "event" and fact.kind == "start":
            steps.append(fact.step)

    job = SystemJob(LanguageSystem, None, {}, resume=tmp_path / "run", listener=listen)
    outcome = job.run()
    assert steps and steps[0] > 0  # it did not begin anew
    saved, other = (load_language_model(tmp_path / n) for n in ("whole", "run"))
    assert outcome.folder == tmp_path / "run" and outcome.history.status == "finished"
    for name, tensor in saved.network.state_dict().items():
        assert np.array_equal(tensor.numpy(), other.network.state_dict()[name].numpy()), name
    assert outcome.figures == whole.figures


def test_runs_are_listed_loaded_and_refused(tmp_path: Path) -> None:
    text = tmp_path / "letters.txt"
    text.write_text(letters(3000))
    outcome = SystemJob(LanguageSystem, text, SETTINGS, output=tmp_path / "runs" / "a").run()
    (listed,) = list_runs(tmp_path / "runs")
    assert listed.headline == "perplexity" and listed.saved is not None
    assert listed.figures["test"] == pytest.approx(outcome.figures["test"]["perplexity"])
    assert listed.to_json()["targets"] == ["next character"]
    model = load_language_model(outcome.folder)
    assert model.generate("a", 50, seed=1) == outcome.system.model.generate("a", 50, seed=1)
    assert set(load_weights(outcome.folder, listed.saved)) == set(listed.saved.architecture)
    path = outcome.folder / "model.json"
    good = json.loads(path.read_text())
    for change in (
        {"settings": {**good["settings"], "features": 60_000}},
        {"settings": {}},
        {"parts": {}},
        {"architecture": {**good["architecture"], "x": [2**31, 2**31]}},
        {"kind": "agent"},
        {"rows": {"train": -1}},
        {"version": 2},
        {"figures": {"test": {"loss": "low"}}},
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(RunFolderError):
            load_language_model(outcome.folder)


@pytest.mark.parametrize("model", ["gru", "lstm"])
def test_lines_that_leave_a_smaller_last_batch(model: str) -> None:
    """Thirty lines in batches of eight; each begins anew, whatever came before."""
    text = "\n".join("abcdef"[k % 3 :] for k in range(30))
    made, history = train_language_model(
        text, model=model, lines=True, features=8, layers=1, batch_size=8, steps=24, context=8,
        learning_rate=0.05, train_share=0.8, test_share=0.1, progress=False,
    )  # fmt: skip
    losses = history["loss"]
    assert len(losses) > 1 and losses[-1] < losses[0]
    one = measure(made, ["bcdef"])["loss"]
    assert measure(made, ["abcdef", "bcdef", "cdef"])["loss"] > 0
    assert measure(made, ["bcdef"])["loss"] == one
