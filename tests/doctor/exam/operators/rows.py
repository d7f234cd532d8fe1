"""What goes wrong with the rows, and in how they are fitted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import pellucid
from doctor.exam import ways
from doctor.exam.data import single
from doctor.exam.program import sick
from doctor.exam.recipe import Recipe
from pellucid import Tensor, nn
from pellucid.nn import functional as F

INPUT = "input column features data"
LABELS = "target label class"

# ---- scale


@sick("INPUT_UNSCALED", "digits friedman tags moons", place=INPUT, known="before")
def one_column_a_thousand_times_larger(r: Recipe) -> None:
    def change(x: Any) -> Any:
        x = x.copy()
        x[:, x.shape[1] // 2] = 1000 * x[:, x.shape[1] // 2] + 3000
        return x

    r.data.change(features=change)
    r.optimizer, r.rate = "SGD", 0.01


@sick("INPUT_UNSCALED", "digits strokes shapes", place=INPUT, known="before")
def pixels_up_to_255(r: Recipe) -> None:
    r.data.change(features=lambda x: 255 * x)
    r.optimizer, r.rate, r.options = "SGD", 0.05, {"momentum": 0.9}


@sick("INPUT_UNSCALED SATURATION", "friedman blobs series tones", place=INPUT, known="before")
def far_from_zero(r: Recipe) -> None:
    r.hidden = nn.Tanh
    r.data.change(features=lambda x: 100 * x + 500)


@sick("INPUT_DOUBLE_SCALED", "digits strokes spots", place=INPUT, known="before")
def divided_by_255_twice(r: Recipe) -> None:
    r.data.change(features=lambda x: x / 255)
    r.optimizer, r.rate = "SGD", 0.05


@sick("TARGET_UNSCALED", "friedman summing tally spots", place=LABELS, known="before")
def prices_as_targets(r: Recipe) -> None:
    r.data.change(targets=lambda y: 20_000 * y + 150_000)


@sick("TARGET_UNSCALED", "curve friedman", place=LABELS, known="before")
def thousands_as_targets(r: Recipe) -> None:
    r.data.change(targets=lambda y: 1000 * y + 300)
    r.optimizer, r.rate = "SGD", 0.05


@sick("TRAIN_TEST_PREP_MISMATCH", "digits friedman tags strokes", place=INPUT + " validation",
      known="before")  # fmt: skip
def validation_left_as_it_was(r: Recipe) -> None:
    r.data.change(features=lambda x: 30 * x + 20, parts=("validation", "test"))


@sick("STATS_SUBSET INPUT_UNSCALED", "friedman blobs", place=INPUT, known="before")
def standardized_by_three_rows(r: Recipe) -> None:
    x = 40 * r.data.train[0] + 7
    first = x[:3] * np.array([1.0] + [0.01] * (x.shape[1] - 1), np.float32)
    r.data.change(features=lambda part: (40 * part + 7 - x[:3].mean(0)) / (first.std(0) + 1e-3))
    r.optimizer, r.rate = "SGD", 0.01


@sick("LABEL_SCALED", "digits blobs strokes", place=LABELS + " loss", known="before")
def labels_standardized_with_the_features(r: Recipe) -> None:
    center, spread = r.data.train[1].mean(), r.data.train[1].std()
    r.data.change(targets=lambda y: single((y - center) / spread)[:, None],
                  parts=("train", "validation"))  # fmt: skip
    r.outputs, r.loss = 1, F.mse_loss


# ---- what belongs together


def _shuffled(y: Any) -> Any:
    return y[np.random.default_rng(5).permutation(len(y))]


@sick("LABEL_MISALIGNED", "digits friedman tags strokes series majority", place=LABELS + " order",
      known="tenth")  # fmt: skip
def targets_in_another_order(r: Recipe) -> None:
    r.data.change(targets=_shuffled, parts=("train",))


@sick("LABEL_MISALIGNED", "blobs moons summing", place=LABELS + " order", known="tenth")
def features_sorted_alone(r: Recipe) -> None:
    for part in ("train", "validation"):
        x, y = getattr(r.data, part)
        order = np.argsort(x.reshape(len(x), -1)[:, 0])
        setattr(r.data, part, (x[order], y))


@sick(
    "LABEL_NOISE", "digits blobs strokes majority", place=LABELS + " rows", known="end", harm="fact"
)
def two_of_five_labels_wrong(r: Recipe) -> None:
    def change(y: Any) -> Any:
        random = np.random.default_rng(3)
        wrong = random.random(len(y)) < 0.4
        return np.where(wrong, random.integers(0, r.outputs, len(y)), y)

    r.data.change(targets=change, parts=("train", "validation"))
    r.epochs *= 2


@sick("LABEL_PADDING", "tagging", place=LABELS + " loss ignore", known="before", harm="fact")
def padding_counts_as_a_class(r: Recipe) -> None:
    r.data.change(targets=lambda y: np.where(y < 0, 0, y), parts=("train", "validation"))


@sick("DATA_SHAPE LABEL_MISALIGNED", "strokes series", place=INPUT + " shape", known="tenth")
def reshaped_instead_of_transposed(r: Recipe) -> None:
    def change(x: Any) -> Any:
        turned = np.moveaxis(x, 0, -1)
        return np.ascontiguousarray(turned).reshape(x.shape)

    r.data.change(features=change)


# ---- parts


@sick("SPLIT_UNSHUFFLED MISSING_CLASS", "digits blobs strokes", place="split validation class",
      known="before")  # fmt: skip
def split_of_sorted_rows(r: Recipe) -> None:
    x, y = (np.concatenate([getattr(r.data, p)[i] for p in ("train", "validation")])
            for i in (0, 1))  # fmt: skip
    order = np.argsort(y, kind="stable")
    cut = min(3 * len(x) // 4, int((y < y.max()).sum()))
    r.data.train = (x[order[:cut]], y[order[:cut]])
    r.data.validation = (x[order[cut:]], y[order[cut:]])


@sick("SPLIT_UNSHUFFLED TRAIN_TEST_PREP_MISMATCH", "curve friedman",
      place="split validation column target", known="before")  # fmt: skip
def split_of_sorted_numbers(r: Recipe) -> None:
    x, y = (np.concatenate([getattr(r.data, p)[i] for p in ("train", "validation")])
            for i in (0, 1))  # fmt: skip
    order = np.argsort(y[:, 0])
    cut = 3 * len(x) // 4
    r.data.train = (x[order[:cut]], y[order[:cut]])
    r.data.validation = (x[order[cut:]], y[order[cut:]])


@sick("MISSING_CLASS SPLIT_UNSHUFFLED", "digits series", place="class " + LABELS, known="before")
def class_lost_by_a_filter(r: Recipe) -> None:
    x, y = r.data.train
    kept = y != 1
    r.data.train = (x[kept], y[kept])


@sick("SINGLE_CLASS_LABELS", "moons blobs strokes", place=LABELS, known="before")
def comparison_that_never_holds(r: Recipe) -> None:
    r.data.change(targets=lambda y: (y > 1000).astype(y.dtype), parts=("train", "validation"))


@sick("DATA_LEAK", "digits blobs friedman", place="validation rows", known="before", harm="fact")
def validated_on_training_rows(r: Recipe) -> None:
    x, y = r.data.train
    half = len(r.data.validation[0])
    r.data.validation = (x[:half].copy(), y[:half].copy())


@sick("DATA_LEAK", "friedman blobs", place="column", known="before", harm="fact")
def target_among_the_features(r: Recipe) -> None:
    for part in ("train", "validation", "test"):
        x, y = getattr(r.data, part)
        setattr(r.data, part, (np.concatenate([x, single(y).reshape(len(y), 1)], 1), y))


@sick("IMBALANCE MISSING_CLASS", "digits blobs moons", place=LABELS, known="before")
def rare_classes(r: Recipe) -> None:
    x, y = r.data.train
    random = np.random.default_rng(1)
    rare = y.reshape(-1) != 0
    kept = ~rare | (random.random(len(y)) < 0.03)
    r.data.train = (x[kept], y[kept])
    r.epochs, r.rate = r.epochs // 2, 0.002


@sick("AUGMENT", "strokes shapes digits", place="augment", known="tenth")
def noise_above_the_signal(r: Recipe) -> None:
    def augment(x: Tensor) -> tuple[Tensor, None]:
        return x + 4.0 * pellucid.randn(x.shape), None

    r.trainer["augment"] = augment


@sick("AUGMENT", "strokes friedman", place="augment", known="tenth")
def masks_nearly_everything(r: Recipe) -> None:
    def augment(x: Tensor) -> tuple[Tensor, None]:
        return x * (pellucid.rand(x.shape) < 0.03).float(), None

    r.trainer["augment"] = augment


# ---- fit


@sick("REG_EXCESS", "digits friedman tags strokes", place="extra dropout p", known="before")
def dropout_of_nearly_all(r: Recipe) -> None:
    r.extra = lambda width: nn.Dropout(0.95)


@sick("REG_EXCESS", "digits friedman series", place="weight_decay", known="tenth")
def decay_above_the_gradient(r: Recipe) -> None:
    r.options = {"weight_decay": 3.0}


@sick("REG_EXCESS", "digits tags summing", place="", known="tenth")
def penalty_above_the_loss(r: Recipe) -> None:
    r.loop = ways.penalized_loop(0.3)


def _few(r: Recipe, rows: int) -> None:
    r.data.train = tuple(part[:rows] for part in r.data.train)


@sick("OVERFIT REG_MISSING", "friedman tags", place="", known="end")
def large_network_on_few_rows(r: Recipe) -> None:
    _few(r, 40)
    r.width, r.epochs, r.rate = 128, 150, 0.005


@sick("OVERFIT REG_MISSING LABEL_NOISE", "blobs digits", place="", known="end", harm="score")
def noise_learned_by_heart(r: Recipe) -> None:
    def change(y: Any) -> Any:
        random = np.random.default_rng(3)
        wrong = random.random(len(y)) < 0.25
        return np.where(wrong, random.integers(0, r.outputs, len(y)), y)

    r.data.change(targets=change, parts=("train", "validation"))
    _few(r, 150)
    r.width, r.epochs, r.depth = 256, 80, 3


# ---- metric and pipeline


def _rounded(scores: np.ndarray, targets: np.ndarray) -> float:
    return float((np.rint(scores) == targets).mean())


@sick("METRIC_WRONG", "friedman curve", place="metric", known="tenth", harm="fact")
def accuracy_of_numbers(r: Recipe) -> None:
    r.trainer["metric"] = _rounded


@sick("METRIC_WRONG", "digits strokes", place="metric", known="tenth", harm="fact")
def least_likely_class_counted(r: Recipe) -> None:
    r.trainer["metric"] = lambda scores, targets: float((scores.argmin(1) == targets).mean())


class Slow:
    """Batches that are read from a slow place."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self.x), 32):
            time.sleep(0.02)
            yield self.x[start : start + 32], self.y[start : start + 32]


@sick("PIPELINE_SLOW", "digits friedman", place="", known="tenth", harm="fact")
def batches_from_a_slow_place(r: Recipe) -> None:
    r.loader, r.epochs = Slow, 5


# ---- generators


@sick("MODE_COLLAPSE LR_HIGH", "moons", place="", known="end")
def generator_with_large_steps(r: Recipe) -> None:
    from doctor.exam import loops

    loops.gan(r, generator_rate=0.02)
