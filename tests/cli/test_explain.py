"""``pellucid explain``: what it prints agrees with what the network does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Outcome
from pellucid.insight.explain import permutation_importance
from pellucid.training.stored_run import restore

Run = Callable[..., Outcome]


def table(path: Path) -> None:
    """Plan decides, age a little, noise nothing."""
    draw = random.Random(0)
    lines = ["plan,age,noise,stays"]
    for _ in range(240):
        plan, age = draw.choice(["free", "basic", "gold"]), draw.randint(20, 60)
        stays = plan == "gold" or (plan == "basic" and age > 40)
        lines.append(f"{plan},{age},{draw.random():.3f},{'yes' if stays else 'no'}")
    path.write_text("\n".join(lines))


def test_a_row_of_a_table(command: Run, tmp_path: Path) -> None:
    table(tmp_path / "plans.csv")
    made = command("train", "plans.csv", "-t", "stays", "-o", "run", "--epochs", 12, "-q")
    assert made.code == 0, made.err
    shown = command("explain", "run", "plans.csv", "--row", 3, "--json", "-p", "why.svg")
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    assert [one["name"] for one in found["shares"]] == ["plan", "age", "noise"]
    total = sum(one["share"] for one in found["shares"])
    assert total == pytest.approx(found["answer"] - found["base"], abs=1e-4)
    size = {one["name"]: abs(one["share"]) for one in found["shares"]}
    assert size["plan"] > 3 * size["noise"] and found["kind"] == "table"
    assert (tmp_path / "why.svg").stat().st_size > 1000
    predicted = json.loads(command("predict", "run", "plans.csv", "--json").out.splitlines()[3])
    assert predicted[f"probability of {found['output']}"] == pytest.approx(
        found["answer"], abs=1e-4
    )
    other = "no" if found["output"] == "yes" else "yes"
    opposite = json.loads(
        command("explain", "run", "plans.csv", "--row", 3, "--output", other, "--json").out
    )
    for a, b in zip(found["shares"], opposite["shares"], strict=True):
        assert a["share"] == pytest.approx(-b["share"], abs=1e-4)
    text = command("explain", "run", "plans.csv", "--row", 3)
    assert "The run says stays = " in text.out and "Verdict" in text.out and "│" in text.out
    chinese = command("--lang", "zh", "explain", "run", "plans.csv", "--row", 3)
    assert "判断" in chinese.out and "抽样误差" in chinese.out
    inside = command("explain", "run", "plans.csv", "--row", 3, "--method", "saliency", "--json")
    assert len(json.loads(inside.out)["shares"]) == 3
    importance = permutation_importance(tmp_path / "run", tmp_path / "plans.csv", repeats=2)
    assert importance.features[importance.order[0]] == "plan"
    assert importance.metric == "accuracy"


def test_one_row_alone_is_held_against_the_training_means(command: Run, tmp_path: Path) -> None:
    table(tmp_path / "plans.csv")
    command("train", "plans.csv", "-t", "stays", "-o", "run", "--epochs", 3, "-q")
    lines = (tmp_path / "plans.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join(lines[:2]))
    alone = json.loads(command("explain", "run", "one.csv", "--json").out)
    assert alone["background"] == "means"
    saved, network = restore(tmp_path / "run")
    assert alone["gap"] < 1e-3 and saved.inputs == 5 and network is not None
    held = json.loads(
        command("explain", "run", "one.csv", "--json", "--background", "plans.csv").out
    )
    assert held["background"] == "rows"
    for arguments, text in (
        (("--row", 5), "Row 5 of 1"),
        (("--output", "maybe"), "no output 'maybe'"),
        (("--method", "guess"), "method='guess'"),
    ):
        refused = command("explain", "run", "one.csv", *arguments)
        assert refused.code == 2 and text in refused.err


def test_words_of_a_text_and_pixels_of_a_picture(command: Run, tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = ["review,label"]
    for row in range(120):
        words = [draw.choice("the film was quite long and set in a town".split()) for _ in range(6)]
        words[draw.randrange(6)] = "superb" if row % 2 else "boring"
        lines.append(f"{' '.join(words)},{'good' if row % 2 else 'bad'}")
    (tmp_path / "reviews.csv").write_text("\n".join(lines))
    made = command("train", "reviews.csv", "-t", "label", "-o", "run", "--epochs", 30, "-q")
    assert made.code == 0, made.err
    shown = command("explain", "run", "reviews.csv", "--row", 1, "--json")
    found = json.loads(shown.out)
    words = {one["name"]: one["share"] for one in found["words"]["review"]}
    assert found["kind"] == "text" and len(words) <= 6
    assert max(words, key=lambda word: words[word]) == "superb"
    made = command("train", "digits", "-o", "pictures", "--epochs", 1, "-q")
    assert made.code == 0, made.err
    shown = command("explain", "pictures", "digits", "--row", 7, "--json", "-p", "seven.png")
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    assert len(found["shares"]) == 64 and found["kind"] == "image"
    total = sum(one["share"] for one in found["shares"])
    assert total == pytest.approx(found["answer"] - found["base"], abs=1e-3)
    assert (tmp_path / "seven.png").exists()
    assert "# and + speak for it" in command("explain", "pictures", "digits", "--row", 7).out


def test_tokens_of_a_language_model(command: Run, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("\n".join(["abcabcabcabcabc"] * 40))
    made = command(
        "train", "letters.txt", "--model", "rnn", "--level", "char", "-o", "run", "--width", 8,
        "--layers", 1, "--steps", 20, "--batch-size", 4, "-q",
    )  # fmt: skip
    assert made.code == 0, made.err
    shown = command("explain", "run", "letters.txt", "--json")
    found = json.loads(shown.out)
    assert found["kind"] == "language model" and len(found["shares"]) == 15
    total = sum(one["share"] for one in found["shares"])
    assert total == pytest.approx(np.log(found["answer"] / found["base"]), abs=1e-4)
    refused = command("explain", "run", "letters.txt", "--row", 99)
    assert refused.code == 2 and "Row 99 of 40" in refused.err
