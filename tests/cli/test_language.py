"""Commands in Chinese: what they print holds no English but names, options, metrics and code."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.base.errors import ArgumentError
from pellucid.base.language import (
    Shown,
    columns_of,
    in_language,
    language,
    padded,
    translated,
    use_language,
)
from pellucid.cli.progress import Progress
from pellucid.insight.pictures.canvas import words
from pellucid.insight.report import render_comparison, render_report
from pellucid.training.config import TrainingConfig
from pellucid.training.history import Event
from pellucid.training.stored_run import read_run

Command = Callable[..., Any]

NAMES = """
    rows test train accuracy table kind when price id csv toml json jsonl html safetensors model
    weights records settings report runs run comparison RUN NAME TIME
    ReLU relu sigmoid softmax Linear Sequential mlp cnn AdamW adamw Adam SGD RMSprop He dropout
    binary_cross_entropy_with_logits FLOP KiB MiB GiB float32 bfloat16 GFLOP GB LLVM NumPy SHA
    ROC AUC NaN L1 L2 TOML YAML JSON CSV Excel Parquet Arrow MNIST idx UTF Pellucid pellucid
    nowhere leaky_relu prelu elu selu gelu silu mish softplus tanh identity rely NA PLACE
    PyTorch Ctrl en zh days time of year day month weekday sin cos python numpy llvmlite std
"""
CODE = re.compile(
    r"--?[a-z][-\w]*|'[^']*'|\"[^\"]*\"|/[-\w./]+|\w+[._][\w.*]+|<[^>]*>|\[[^\]]*\]|\{[^}]*\}|"
    r"pellucid( [-\w./]+)+"
)


def english_words(text: str) -> list[str]:
    """Words of two letters or more that are no names."""
    known = {word.lower() for word in NAMES.split()}
    found = re.findall(r"(?<![\w-])[A-Za-z]{2,}(?![\w])", CODE.sub(" ", text))
    return [word for word in found if word.lower() not in known]


def write_table(path: Path, rows: int = 120) -> None:
    """A table whose columns and classes are named like texts of ours."""
    lines = ["id,age,price,when,rows"]
    for i in range(rows):
        age = (i * 37) % 61
        name = "rows" if age > 30 else "accuracy"
        lines.append(f'{i + 1},{age}.5,"${1000 + 17 * i:,}",{i % 12 + 1}/{i % 28 + 1}/2020,{name}')
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def trained(command: Command, tmp_path: Path) -> Iterator[Any]:
    """What training printed in Chinese, and its folder ``a``."""
    write_table(tmp_path / "table.csv")
    arguments = ("train", "table.csv", "-t", "rows", "--epochs", 2, "--eager", "-q")
    yield command("--lang", "zh", *arguments, "-o", "a")


def shown_texts(page: str) -> str:
    """Texts and labels of a page."""
    page = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
    labels = re.findall(r' (?:title|aria-label|alt)="([^"]*)"', page)
    return html.unescape("\n".join(re.split(r"<[^>]*>", page) + labels))


# ---- which language ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"PELLUCID_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("PELLUCID_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_a_language_is_chosen_for_a_while_or_for_good() -> None:
    try:
        use_language("zh")
        assert language() == "zh"
        with in_language("en"):
            assert translated("validation loss") == "validation loss"
        assert translated("validation loss") == "验证损失"
    finally:
        use_language(None)
    with pytest.raises(ArgumentError, match="There is no language 'fr'"):
        use_language("fr")


def test_the_option_comes_before_the_environment(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_LANG", "zh")
    assert command("--lang", "en", "runs", "--in", ".").out == "There are no runs in ..\n"
    assert command("runs", "--in", ".").out == ". 中没有运行。\n"
    assert command("--lang=zh", "runs", "--help").out != command("--lang=en", "runs", "--help").out
    assert language() == "zh"


# ---- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "stopped early, 10 epochs without a better loss, kept epoch 5",
            "已早停，连续 10 轮损失没有改善，保留第 5 轮的权重",
        ),
        ("64 → 128 → 10, ReLU, output: softmax", "64 → 128 → 10, ReLU，输出：softmax"),
        (
            "3 distinct text values (rows, test, b): multi-class, so softmax and cross-entropy",
            "3 个不同的文本（rows, test, b）：多分类，因此用 softmax 和交叉熵",
        ),
        (
            "Column 'training loss' only counts the rows; left out.",
            "列 'training loss' 只是行的编号；不使用。",
        ),
        ("There is no file rows and test.csv", "没有文件 rows and test.csv"),
        ("x.csv has no column named 'validation loss'", "x.csv 没有名为 'validation loss' 的列"),
        (
            "mean 0.1, deviation 2, 5% exactly zero; all 0 before",
            "均值 0.1，标准差 2，5% 恰好为零；训练前全为 0",
        ),
        ("a sentence that is in no catalogue", "a sentence that is in no catalogue"),
    ],
)
def test_texts_that_are_put_together(english: str, chinese: str) -> None:
    with in_language("zh"):
        assert translated(english) == chinese
        assert translated(Shown(english)) == english
        assert translated(translated(english)) == chinese
    with in_language("en"):
        assert translated(english) is english


def test_columns_are_aligned_by_width() -> None:
    assert columns_of("验证集 a") == 8 and columns_of("abc") == 3
    assert padded("中文", 6) == "中文  " and padded("中文", 6, right=True) == "  中文"


# ---- commands ------------------------------------------------------------------------------------


def test_training_is_told_in_chinese(trained: Any) -> None:
    assert trained.code == 0, trained.err
    said = re.sub(r"位置 .*", "", trained.out)  # where a finding lies is the name of a setting
    assert english_words(said) == []
    assert "rows：2 个不同的文本（accuracy, rows）：二分类" in trained.out
    assert "列 'id' 只是行的编号；不使用。" in trained.out


SPOKEN = """
    evaluate a table.csv
    summary a
    runs --in .
    runs compare a a
    runs diff a a
    report a
    report a a
    recover
    weights a/weights.safetensors
    train nowhere.csv
    train table.csv -t nothing
    train table.csv -t rows --activation rely
    train table.csv -t rows --fractions 1,2
    train table.csv -t rows -o a
    train table.csv -t when --task binary
    predict a nowhere.csv
    predict nowhere table.csv
    predict a table.csv -o x.doc
    train
    train table.csv --epochs few
    train table.csv --nothing
    trian table.csv
"""


def test_commands_speak_chinese(trained: Any, command: Command) -> None:
    for line in SPOKEN.strip().splitlines():
        outcome = command("--lang", "zh", *line.split())
        text = without_usage(outcome.out + outcome.err)
        assert re.search("[\u4e00-\u9fff]", text), line
        assert english_words(text) == [], (line, text)


def without_usage(text: str) -> str:
    """Without the lines that name the program, and the names of commands in panels."""
    lines = [line for line in text.splitlines() if not line.strip().startswith(("用法", "帮助"))]
    names = "train|search|predict|evaluate|recover|summary|report|weights|machine|runs|rl|doctor"
    names += "|explain|compare|diff|delete|source|run|file|match|place|folders"
    first = rf"^│ \*? *(?:{names}) "
    return re.sub(first, "", "\n".join(lines), flags=re.M)


SICK_PROGRAM = """
import numpy as np, pellucid as pl
from pellucid import nn
from pellucid.nn import functional as F
rng = np.random.default_rng(0)
x = rng.normal(size=(128, 4)).astype("float32")
y = pl.tensor((x[:, 0] > 0).astype("int64"))
x = pl.tensor(x)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(1))
optimizer = pl.optim.SGD(model.parameters(), lr=0.5)
for step in range(40):
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""


def test_the_doctor_speaks_chinese(command: Command) -> None:
    """What was seen, what it should be, what was tried and what to do, not only titles."""
    Path("sick.py").write_text(SICK_PROGRAM)
    said = command("--lang", "zh", "doctor", "sick.py").out
    assert "DOUBLE_SOFTMAX" in said and "正常值" in said and "请" in said
    text = re.sub(r"（[A-Z_]+）|[\w.]+\(.*?\)", "", said)  # causes and calls
    assert english_words(text) == [], said


INNER_TEXTS = {
    "targets are class index, 3 classes; mse_loss measures the distance to class numbers": (
        "目标是类别编号，3 个类别；mse_loss 衡量的是与类别编号的距离"
    ),
    "targets are real, -1.5 to 2; the loss is for classes": (
        "目标是实数，-1.5 到 2；损失函数是用于分类的"
    ),
    "the loss takes log-probabilities, and the network gives numbers from 0 up": (
        "损失函数需要对数概率，网络给出的却是非负数"
    ),
    "after 40 steps the loss is 0.69 at the rate as it is and 0.09 at 0.3 times it": (
        "在原来的学习率下，40 步之后损失是 0.69；学习率改为 0.3 倍时是 0.09"
    ),
    "the loss ends at 0.1 with Adam(lr=0.001), at best at 0.3 with its own": (
        "最终的损失：用 Adam(lr=0.001) 时是 0.1，用原来的优化器最好是 0.3"
    ),
    "with the features of other rows the loss is 0.7 instead of 0.7: the network does not look at "
    "them": "输入其他样本的特征时，损失是 0.7，原来是 0.7：网络根本没有利用特征",
    "with the fitting loss the answers reach 0.9, as they are 0.1": (
        "改用适合目标的损失函数后，预测达到 0.9，原样只有 0.1"
    ),
    "they died while training; the biases of 2 are -3 in the mean": (
        "它们是在训练中死亡的；层 2 的偏置平均为 -3"
    ),
    "share of 5 neighbours with the same label, of 400 rows": (
        "5 个近邻中标签相同的比例，共 400 行"
    ),
    "the same with labels moved by -2 rows": "标签移动 -2 行后，同一指标",
    "Move the labels by 1: row i has the label that stands 1 row later.": (
        "把标签移动 1 位：第 i 行的标签位于后 1 行处。"
    ),
    "the first: validation 89 = training 56; validation 90 ≈ training 60": (
        "最前面的几个：验证集 89 = 训练集 56；验证集 90 ≈ 训练集 60"
    ),
    "values of the features that are NaN or infinite": "特征中 NaN 或无穷大的个数",
    "0.weight, 2.weight are frozen": "0.weight, 2.weight 被冻结了",
    "Use dim=1: axis 0 is the rows of the batch.": "请用 dim=1：轴 0 是批次中的各行。",
    "expected 0.016, as in a fresh start": "正常值：0.016，与重新初始化时一样",
}


@pytest.mark.parametrize("english", INNER_TEXTS)
def test_texts_of_the_doctor_that_hold_others(english: str) -> None:
    with in_language("zh"):
        assert translated(english) == INNER_TEXTS[english]


HELP_NAMES = set(
    """digits lines tpe random auto born fan balanced batch linear one_cycle bool str int float path
    list adam binary multiclass multilabel regression classification TMPDIR pt bin npz trian
    validation true epochs patience threads file horizontal vertical both half body bag
    transformer lesson lessons generate char word bpe wordpiece lstm gpt characters words luong
    bahdanau peek none""".split()
)


@pytest.mark.parametrize(
    "name",
    ["", *"train search predict evaluate recover summary report weights machine runs".split()],
)
def test_help_is_chinese(command: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 400)
    text = without_usage(command("--lang", "zh", *name.split(), "--help").out)
    text = re.split("示例", text)[0]
    assert re.search("[\u4e00-\u9fff]", text)
    assert set(english_words(text)) - HELP_NAMES == set()


def test_data_named_like_texts_stay_and_json_is_english(trained: Any, command: Command) -> None:
    table = command("--lang", "zh", "evaluate", "a", "table.csv").out
    assert re.search(r"^accuracy +", table, re.M) and re.search(r"^rows +", table, re.M)
    chinese = command("--lang", "zh", "evaluate", "a", "table.csv", "--json").out
    assert json.loads(chinese) == json.loads(command("evaluate", "a", "table.csv", "--json").out)
    predicted = command("--lang", "zh", "predict", "a", "table.csv").out
    assert predicted == command("predict", "a", "table.csv").out
    assert predicted.startswith("row,predicted rows,probability,")


SETTINGS = {field.name for field in dataclasses.fields(TrainingConfig)} | set(
    """age True False none auto batch balanced constant horizontal vertical both half body bag
    transformer""".split()
)
"""What a report names as it is written in Python and in the data."""


def test_reports_are_chinese_when_asked(trained: Any, tmp_path: Path) -> None:
    run = read_run(tmp_path / "a")
    pages = [render_report(run, language="zh"), render_comparison([run, run], language="zh")]
    assert (tmp_path / "a" / "report.html").read_text() == pages[0]
    for page in pages:
        assert '<html lang="zh-CN">' in page and not re.search("[\ue000-\uf8ff]", page)
        left = english_words(re.sub("[a-z]+ [\\d×]+", "", shown_texts(page)))
        assert set(left) - SETTINGS == set()
    assert ">accuracy</th>" in pages[0] and ">rows</th>" in pages[0]  # the classes
    english = render_report(run, language="en")
    assert '<html lang="en">' in english and not re.search("[\u4e00-\u9fff]", english)


def test_the_progress_bar_is_chinese() -> None:
    progress = Progress("accuracy", clock=iter(range(0, 1000, 5)).__next__)
    progress(Event("start", 0, 0, {"epochs": 4, "batches": 10, "rows": 320}))
    for _ in range(3):
        progress(Event("steps", 5, 1, {"count": 5, "loss": 0.5, "rows": 64}))
        with in_language("zh"):
            text = progress.figures()
    assert text.startswith("第 1/4 轮  损失 0.5") and english_words(text) == []


def test_labels_of_pictures_are_chinese_where_a_font_has_the_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib")
    with in_language("zh"):
        monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: ["DejaVu Sans"])
        monkeypatch.setattr("matplotlib.font_manager.fontManager.ttflist", [])
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [])
        assert words("learning rate") == "learning rate"
        monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: ["SimHei"])
        assert words("learning rate") == "学习率"
    assert words("learning rate") == "learning rate"
