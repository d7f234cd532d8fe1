"""Programs of the exam that are files, run as they are: what is wrong with each.

The figure ``score`` that each leaves behind shows that it is sick, or that it is not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from doctor.exam.program import CLEAN, SICK, Program

FOLDER = Path(__file__).with_name("scripts")

RIGHT = {
    "cancer_right": -0.1, "compiled_regression_right": -0.02, "housing_right": 0.95,
    "keras_right": 0.85, "sine_lstm_right": -0.01, "trainer_text_right": 0.9, "wine_right": 0.9,
    "xor_right": -0.02,
}  # fmt: skip
"""Clean scripts, and the score that each reaches at least."""

WRONG = {
    "compiled_regression_low": ("LR_LOW", "lr", "step 10", -0.2),
    "digits_lr": ("LR_HIGH", "lr", "step 10", 0.7),
    "double_softmax": ("DOUBLE_SOFTMAX", "loss output", "before", 0.8),
    "eval_forgotten_dropout": ("DROPOUT_MODE", "dropout", "end", 0.9),
    "forgotten_zero_grad": ("GRAD_NOT_RESET", "", "step 10", -0.2),
    "housing_broadcast": ("BROADCAST", "", "before", 0.5),
    "keras_habits": ("ACT_OUT LOSS_WRONG LOGITS_PROBS", "", "before", 0.8),
    "minus_gradient": ("GRAD_SIGN LR_NEGATIVE", "", "step 10", -1.0),
    "moons_raw_scores": ("LOGITS_PROBS ACT_OUT", "", "before", 0.9),
    "optimizer_of_another_model": ("WEIGHTS_STILL LR_NEGATIVE", "", "step 10", 0.8),
    "sine_lstm_relu": ("ACT_OUT", "", "before", -0.1),
    "sorted_split": ("SPLIT_UNSHUFFLED MISSING_CLASS", "", "before", 0.9),
    "target_in_thousands": ("TARGET_UNSCALED", "target", "before", 0.5),
    "trainer_images_255": ("INPUT_UNSCALED LR_HIGH", "", "step 10", 0.8),
    "wine_unscaled": ("INPUT_UNSCALED", "", "before", 0.8),
    "xor_zeros": ("INIT_SYMMETRIC", "", "before", -0.2),
}
"""Sick scripts: right causes, words of the place, when it can be known, and the score that each
stays below."""

for _name, _least in RIGHT.items():
    CLEAN.append(Program(f"script/{_name}", enough=_least, script=str(FOLDER / f"{_name}.py")))
for _name, (_causes, _place, _known, _least) in WRONG.items():
    SICK.append(Program(
        f"script/{_name}", frozenset(_causes.split()), tuple(_place.split()), _known,
        enough=_least, script=str(FOLDER / f"{_name}.py"),
    ))  # fmt: skip


# ---- strangers: many programs in a file, each a function that the first argument names


def _strangers(name: str) -> Iterator[tuple[str, str]]:
    """(name, first line of the documentation) of each program in a file."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.args.args:
            if not isinstance(node.body[-1], ast.Return):  # that is a help of others
                yield node.name, (ast.get_docstring(node) or "").partition("\n")[0]


for _file in ("clean_strangers", "more_clean_strangers"):
    for _name, _ in _strangers(_file):
        _path = str(FOLDER / f"{_file}.py")
        CLEAN.append(Program(f"stranger/{_name}", script=_path, args=(_name,)))
for _name, _causes in _strangers("sick_strangers"):
    _path = str(FOLDER / "sick_strangers.py")
    SICK.append(Program(
        f"stranger/{_name}", frozenset(_causes.split()), harm="fact", script=_path, args=(_name,),
    ))  # fmt: skip
