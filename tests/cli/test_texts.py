"""``pellucid train FILE.txt --model …`` and ``pellucid generate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.text.language_model import measure
from pellucid.text.language_run import load_language_model
from pellucid.text.sequence_run import load_sequences

Command = Callable[..., Any]
TEXT = "the cat sat on the mat. the dog sat on the log. " * 60


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_a_language_model_is_trained_listed_and_writes(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cats.txt").write_text(TEXT)
    small = ("--width", 16, "--layers", 1, "--steps", 60, "--batch-size", 8, "--lr", 0.02)
    done = command("train", "cats.txt", "--model", "lstm", *small, "-q", "--output", "runs/cats")
    assert done.code == 0, done.err
    for text in ("2,880 characters", "lstm, 1 layers of 16", "perplexity", "6-gram model, test"):
        assert text in done.out
    assert "bits per character" in done.out and "Sample" in done.out
    written = command("generate", "runs/cats", "--prompt", "the ", "--length", 40, "--seed", 3)
    assert written.code == 0 and written.out.startswith("the ")
    assert command("generate", "runs/cats", "-p", "the ", "--length", 40, "--seed", 3) == written
    texts = json.loads(command("generate", "runs/cats", "--count", 3, "--json").out)
    assert len({one["text"] for one in texts}) == 3
    assert "next character" in command("runs").out
    chinese = command("--lang", "zh", "runs").out
    assert "下一个字符" in chinese and "困惑度" in chinese
    again = command("train", "--config", "runs/cats/settings.toml", "--output", "runs/b", "--json")
    facts = json.loads(again.out)
    assert facts["kind"] == "language model" and facts["status"] == "finished"
    assert command("runs", "compare", "runs/cats", "runs/b").code == 0
    _used(command, tmp_path)


def _used(command: Command, root: Path) -> None:
    """Summary, evaluation, page and refusals of the language model runs/cats."""
    told = command("summary", "runs/cats")
    assert told.code == 0, told.err
    for text in ("language model", "6-gram model, test", "bits per character", "SHA-256", "all"):
        assert text in told.out
    facts = json.loads(command("summary", "runs/cats", "--json").out)
    assert sum(map(len, facts["parameters"].values())) > 4

    (root / "new.txt").write_text(TEXT[:400])
    model = load_language_model(root / "runs/cats")
    own = measure(model, [TEXT[:400]])
    found = json.loads(command("evaluate", "runs/cats", "new.txt", "--json").out)
    assert found["metrics"] == pytest.approx(own)
    told = command("evaluate", "runs/cats", "new.txt")
    assert "perplexity" in told.out and "test part of training" in told.out
    (root / "strange.txt").write_text("zqx " * 100)
    strange = json.loads(command("evaluate", "runs/cats", "strange.txt", "--json").out)
    assert strange["metrics"]["loss"] > 2 * own["loss"]

    left = (root / "runs/cats/report.html").read_text()  # by the training
    done = command("report", "runs/cats")
    page = (root / "runs/cats/report.html").read_text()
    assert page == left
    assert done.code == 0 and "bits per character" in page and "validation loss" in page
    assert page.count("<pre>") == 3 and "6-gram model" in page and "<svg" in page
    chinese = command("--lang", "zh", "report", "runs/cats", "-o", "zh.html")
    page = (root / "zh.html").read_text()
    assert chinese.code == 0 and "困惑度" in page and "训练报告" in page and "Samples" not in page
    done = command("predict", "runs/cats", "new.txt")
    assert done.code == 5 and "pellucid generate runs/cats" in done.err
    assert command("report", "runs/cats", "runs/b").code == 5


def test_words_and_options_that_do_not_fit(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cats.txt").write_text(TEXT)
    fast = ("--model", "gpt", "--width", 8, "--layers", 1, "--heads", 2, "--steps", 4)
    done = command("train", "cats.txt", *fast, "--level", "word", "--context", 8, "-q")
    assert done.code == 0 and "by word" in done.out and "3-gram model" in done.out
    for options, message in (
        (("--width", "8,16"), "does not fit a language model"),
        (("--activation", "tanh"), "--activation is not for texts and sequences"),
        (("--fractions", "0.5,0.5"), "2 shares"),
        (("--level", "letter"), "level='letter'"),
    ):
        done = command("train", "cats.txt", "--model", "lstm", *options, "--output", "x")
        assert done.code == 2 and message in done.err, done.err
    done = command("train", "digits", "--level", "char")
    assert done.code == 2 and "--level is for texts" in done.err
    done = command("train", "none.txt", "--model", "gpt")
    assert done.code == 4 and "none.txt" in done.err
    (tmp_path / "empty.txt").write_text(" \n")
    assert command("train", "empty.txt", "--model", "gpt").code == 3
    runs = [path.name for path in (tmp_path / "runs").iterdir()]
    assert len(runs) == 1
    done = command("predict", f"runs/{runs[0]}", "cats.txt")
    assert done.code == 5 and "holds a language model" in done.err and "generate" in done.err
    assert command("generate", f"runs/{runs[0]}", "--count", 0).code == 2


def test_sequences_are_learned_from_a_file_of_pairs(command: Command, tmp_path: Path) -> None:
    lines = [f"{a}+{b}_{a + b}" for a in range(20) for b in range(20)] + ["1+1_2"]
    (tmp_path / "sums.txt").write_text("\n".join(lines))
    fast = ("--width", 8, "--epochs", 2, "--attention", "bahdanau", "--no-reverse", "-q")
    done = command("train", "sums.txt", "--task", "seq2seq", *fast, "--output", "runs/sums")
    assert done.code == 0, done.err
    assert "400 pairs" in done.out and "exact matches" in done.out and "1 pairs have" in done.out
    assert "lstm of 8 units, attention: bahdanau" in done.out
    done = command("generate", "runs/sums", "-p", "1+2", "--alignment", "a.svg", "--beams", 2)
    assert done.code == 0 and (tmp_path / "a.svg").exists()
    assert json.loads(command("generate", "runs/sums", "-p", "1+2", "--json").out)["source"]
    assert "no-reverse = true" in (tmp_path / "runs/sums/settings.toml").read_text()
    assert "精确匹配" in command("--lang", "zh", "runs").out
    (tmp_path / "questions.txt").write_text("1+2\n3+4\n")
    answers = command("predict", "runs/sums", "questions.txt").out.splitlines()
    model = load_sequences(tmp_path / "runs/sums")
    written = model.translate(["1+2", "3+4"])
    assert answers[0] == "row,source,text" and answers[1] == f"0,1+2,{written[0]}"
    lines = command("predict", "runs/sums", "questions.txt", "--json").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == written
    done = command("predict", "runs/sums", "questions.txt", "--interval", 0.9)
    assert done.code == 5 and "--interval is for rows of data" in done.err
    pairs = [tuple(line.split("_")) for line in lines_of(tmp_path / "sums.txt")]
    found = json.loads(command("evaluate", "runs/sums", "sums.txt", "--json").out)
    assert found["metrics"] == {"exact matches": model.exact_match(pairs)}
    assert command("summary", "runs/sums").code == 0
    page = (tmp_path / "runs/sums/report.html").read_text()
    assert "exact matches" in page and "bahdanau" in page
