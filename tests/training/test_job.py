"""The main job on real data: tasks, heads, figures beside simple models, equal bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.backends.cpu.threads import get_num_threads, set_num_threads
from pellucid.base.errors import ArgumentError, DataError
from pellucid.data.idx import read_idx
from pellucid.data.sources import PreparedData, load_source
from pellucid.training.config import TrainingConfig
from pellucid.training.job import RunResult, measure, train_network
from pellucid.training.network import apply_head, build_loss, build_mlp, target_array
from pellucid.training.trainer import Trainer


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = get_num_threads()
    yield
    set_num_threads(before)


def run(prepared: PreparedData, **settings: Any) -> RunResult:
    result = train_network(prepared, TrainingConfig(**settings))
    measure(result)
    return result


@pytest.fixture(scope="module")
def digits() -> RunResult:
    return run(load_source("digits"), epochs=15, patience=0)


# ---- what comes out ----------------------------------------------------------------------------


def test_B17_images_are_classified(digits: RunResult) -> None:
    assert digits.prepared.task.kind == "multiclass"
    assert digits.figures["test"]["accuracy"] > 0.93
    assert digits.prepared.image_shape == (8, 8)


def test_A25_training_validation_and_test_are_reported_apart(digits: RunResult) -> None:
    assert list(digits.figures) == ["train", "validation", "test"]
    rows = {part: figures.rows for part, figures in digits.figures.items()}
    assert sum(rows.values()) == 1797
    saved = digits.saved_model().figures
    assert saved["train"] != saved["test"] and "majority class, test" in saved


def test_A24_few_rows_show_the_gap(rng: np.random.Generator) -> None:
    """A large network on 60 noisy rows: nearly perfect on them, worse on others."""
    x = rng.normal(size=(200, 30))
    table = {f"x{i}": x[:, i] for i in range(30)}
    table["y"] = np.where(x[:, 0] + 1.5 * rng.normal(size=200) > 0, "yes", "no")
    prepared = load_source(table, "y", fractions=(0.3, 0.2, 0.5))
    result = run(prepared, epochs=60, patience=0, widths=(128,), learning_rate=0.01)
    # Early stopping keeps the best epoch; the gap is that of the last one.
    assert result.history["loss"][-1] < 0.05
    assert result.history["validation_loss"][-1] > 0.5
    assert result.history.best_epoch < 60


def test_the_simple_models_stand_beside_the_network(digits: RunResult) -> None:
    assert digits.baselines is not None and digits.baselines.constant.test is not None
    assert digits.baselines.constant.test["accuracy"] < 0.15
    better, text = digits.verdict()
    assert isinstance(better, bool) and "accuracy" in text and "regression" in text


def test_a_network_that_is_no_better_is_called_that(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 3))
    table = {"a": x[:, 0], "b": x[:, 1], "y": 2 * x[:, 0] - x[:, 1] + 0.01 * x[:, 2]}
    result = run(load_source(table, "y"), epochs=3, widths=(4,), start="random")
    better, text = result.verdict()
    assert not better and "The network is worse than linear regression" in text


def test_figures_are_those_of_the_predictions(digits: RunResult) -> None:
    predicted = digits.predictions["test"].argmax(1)
    right = float((predicted == digits.prepared.test.raw_targets).mean())
    assert digits.figures["test"]["accuracy"] == pytest.approx(right)
    np.testing.assert_allclose(digits.predictions["test"].sum(1), 1.0)


def test_activations_and_weights_are_observed_before_and_after(digits: RunResult) -> None:
    before, after = digits.before, digits.after
    assert list(before.weights) == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
        "4.weight",
        "4.bias",
    ]
    assert before.weights["0.bias"].deviation == 0 and after.weights["0.bias"].deviation > 0
    # He: variance 2 / inputs.
    assert before.weights["0.weight"].deviation == pytest.approx(np.sqrt(2 / 64), rel=0.05)
    assert 0.2 < after.outputs["1"].zero < 0.8 and after.outputs["0"].zero < 0.01
    assert sum(after.outputs["0"].counts) == 270 * 128


# ---- the four tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "units", "layer", "loss"),
    [
        ("binary", 1, "sigmoid", "binary_cross_entropy_with_logits"),
        ("multiclass", 3, "softmax", "cross_entropy"),
        ("multilabel", 2, "sigmoid per label", "binary_cross_entropy_with_logits"),
        ("regression", 1, "identity", "mse_loss"),
    ],
)
def test_B58_D41_each_task_has_its_head_and_loss(
    kind: str, units: int, layer: str, loss: str, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(240, 2))
    table: dict[str, Any] = {"a": x[:, 0], "b": x[:, 1]}
    targets = ["y"]
    if kind == "binary":
        table["y"] = x[:, 0] > 0
    elif kind == "multiclass":
        table["y"] = np.digitize(x[:, 0], [-0.5, 0.5]).astype(str)
    elif kind == "multilabel":
        table |= {"u": (x[:, 0] > 0).astype(int), "v": (x[:, 1] > 0).astype(int)}
        targets = ["u", "v"]
    else:
        table["y"] = np.sin(x[:, 0]) * 100 + 7
    prepared = load_source(table, targets)
    result = run(prepared, epochs=40, learning_rate=0.01, widths=(32,))
    task = prepared.task
    assert (task.kind, task.output_units, task.output_layer) == (kind, units, layer)
    assert result.loss_name == loss
    predicted = result.predictions["test"]
    assert predicted.shape == (len(prepared.test), units)
    if kind == "multiclass":
        np.testing.assert_allclose(predicted.sum(1), 1)
    elif kind == "multilabel":
        assert np.ptp(predicted.sum(1)) > 0.5  # labels are independent of each other
    elif kind == "regression":
        assert predicted.mean() == pytest.approx(7, abs=30)  # in the units of the data
        assert result.figures["test"]["r2"] > 0.9
    if kind != "regression":
        assert predicted.min() >= 0 and predicted.max() <= 1
        headline = result.figures["test"].headline
        assert result.figures["test"][headline] > 0.85


def test_heads_follow_their_formulas_and_are_stable() -> None:
    scores = np.array([[-1000.0, 0.0, 1000.0], [0.1, 0.2, 0.3]])
    with np.errstate(all="raise", under="ignore"):
        sigmoid, softmax = apply_head("binary", scores), apply_head("multiclass", scores)
    np.testing.assert_allclose(sigmoid[0], [0, 0.5, 1])
    np.testing.assert_allclose(sigmoid[1], 1 / (1 + np.exp(-scores[1])))
    np.testing.assert_allclose(softmax[0], [0, 0, 1])
    np.testing.assert_allclose(softmax[1], np.exp(scores[1]) / np.exp(scores[1]).sum())
    np.testing.assert_array_equal(apply_head("regression", scores), scores)


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "learning_rate": 0.1, "schedule": "cosine"},
        {"optimizer": "rmsprop", "schedule": "plateau", "activation": "tanh"},
        {"optimizer": "nadam", "schedule": "step", "activation": "prelu", "l1": 1e-4},
        {"optimizer": "lion", "learning_rate": 1e-3, "schedule": "linear", "activation": "gelu"},
        {"optimizer": "adamax", "schedule": "exponential", "dropout": 0.2, "activation": "selu"},
        {"optimizer": "radam", "initialization": "orthogonal", "activation": "silu"},
        {"optimizer": "adagrad", "initialization": "lecun_normal", "learning_rate": 0.05},
        {"optimizer": "adadelta", "initialization": "xavier_uniform", "learning_rate": 1.0},
        {"loss": "multi_margin_loss", "clip_norm": 1.0, "initialization": "he_uniform"},
        {"widths": (), "l2": 0.01, "learning_rate": 0.05},
        {"schedule": "one_cycle", "learning_rate": 0.02, "class_weight": "balanced"},
        {"schedule": "cosine", "warmup": 2.5, "loss": "focal_loss", "learning_rate": 0.02},
    ],
)
def test_C20_every_setting_is_used(settings: dict[str, Any], rng: np.random.Generator) -> None:
    """Three classes that a line can separate are learned with every one of them."""
    x = rng.normal(size=(300, 2))
    table = {"a": x[:, 0], "b": x[:, 1], "y": np.digitize(x[:, 0], [-0.5, 0.5]).astype(str)}
    result = run(
        load_source(table, "y"), **{"epochs": 40, "widths": (16,), "compile": False, **settings}
    )
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert result.figures["train"]["accuracy"] > 0.55


def test_schedules_of_steps_take_their_course(rng: np.random.Generator) -> None:
    """One cycle ends at nearly nothing; with a warm-up the rate is whole after it."""
    table = {"a": rng.normal(size=200), "y": rng.normal(size=200)}
    prepared = load_source(table, "y")
    given = {"epochs": 10, "patience": 0, "compile": False, "batch_size": 20, "start": "random"}
    cycle = train_network(prepared, TrainingConfig(schedule="one_cycle", **given))
    rates = cycle.history["learning_rate"]
    assert max(rates) == pytest.approx(1e-3, rel=0.1) and rates[-1] < 2e-6 < rates[0] < 8e-4
    warm = train_network(prepared, TrainingConfig(warmup=2.0, **given))
    expected = 1e-3 * (0.01 + 0.99 * 0.5)
    assert warm.history["learning_rate"][0] == pytest.approx(expected, rel=1e-6)
    assert warm.history["learning_rate"][1:] == pytest.approx([1e-3] * 9)
    cosine = train_network(prepared, TrainingConfig(warmup=2.0, schedule="cosine", **given))
    assert cosine.history["learning_rate"][-1] == pytest.approx(1e-5, rel=0.05)
    for wrong in ({"schedule": "plateau"}, {"schedule": "one_cycle"}):
        with pytest.raises(ArgumentError, match="warmup=1.0 with the schedule"):
            train_network(prepared, TrainingConfig(warmup=1.0, **wrong, **given))
    with pytest.raises(ArgumentError, match="class_weight='balanced' in a regression task"):
        train_network(prepared, TrainingConfig(class_weight="balanced", **given))
    late = train_network(prepared, TrainingConfig(max_minutes=1e-9, **given))
    assert late.history.status == "out of time" and late.history.steps == 0


@pytest.mark.parametrize("loss", ["soft_margin_loss", "binary_cross_entropy_with_logits"])
def test_losses_of_binary_tasks_take_the_same_targets(loss: str, rng: np.random.Generator) -> None:
    """soft_margin(s, ±1) = ln(1 + exp(∓s)) = binary cross-entropy of the sigmoid."""
    import pellucid

    scores = rng.normal(size=(9, 1))
    targets = target_array("binary", rng.integers(0, 2, 9))
    found = build_loss(loss)(pellucid.as_tensor(scores), pellucid.as_tensor(targets).double())
    expected = np.log1p(np.exp(-scores * (2 * targets - 1))).mean()
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_zero_weights_are_possible_and_biases_start_at_zero() -> None:
    model = build_mlp(3, TrainingConfig(initialization="zeros", widths=(4,)), 2)
    assert all((p.detach().numpy() == 0).all() for p in model.parameters())


# ---- the same again ----------------------------------------------------------------------------


def test_equal_seeds_give_equal_bits_on_one_and_two_threads() -> None:
    prepared = load_source("digits", seed=2)
    results = [
        train_network(prepared, TrainingConfig(seed=2, threads=t, epochs=3, dropout=0.1))
        for t in (1, 2, 1)
    ]
    for name, one in results[0].weights.items():
        np.testing.assert_array_equal(one, results[1].weights[name])
        np.testing.assert_array_equal(one, results[2].weights[name])
    assert results[0].history["validation_loss"] == results[1].history["validation_loss"]


def test_C22_the_epoch_is_chosen_by_validation_rows_never_by_test_rows(digits: RunResult) -> None:
    """Other test rows: nothing about the training changes."""
    from dataclasses import replace

    prepared = digits.prepared
    spoiled = replace(prepared.test, features=prepared.test.features * 0 + 5)
    config = TrainingConfig(epochs=4, patience=2)
    one = train_network(prepared, config)
    two = train_network(replace(prepared, test=spoiled), config)
    assert one.history.best_epoch == two.history.best_epoch
    for name, weights in one.weights.items():
        np.testing.assert_array_equal(weights, two.weights[name])


def test_early_stopping_needs_validation_rows() -> None:
    prepared = load_source("digits", fractions=(0.8, 0.0, 0.2))
    with pytest.raises(DataError, match="no validation rows"):
        train_network(prepared, TrainingConfig())
    result = run(prepared, patience=0, epochs=2)
    assert list(result.figures) == ["train", "test"]


def test_D48_adamw_by_default_and_sgd_with_momentum_both_learn(digits: RunResult) -> None:
    """One comparison on the test part: both are close to each other on digits."""
    assert digits.config.optimizer == "adamw" and digits.config.learning_rate == 0.001
    other = run(
        digits.prepared, epochs=15, patience=0, optimizer="sgd", momentum=0.9, learning_rate=0.05
    )
    figures = [r.figures["test"]["accuracy"] for r in (digits, other)]
    assert min(figures) > 0.93 and abs(figures[0] - figures[1]) < 0.04


def test_A24_three_hundred_images_are_learned_by_heart(data_folder: Path) -> None:
    """300 training images of MNIST: every one is right, far fewer of the others are."""
    folder = data_folder / "mnist"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    images = read_idx(folder / "t10k-images-idx3-ubyte.gz")[:1300].reshape(1300, -1) / 255
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz")[:1300].astype(np.int64)
    x = images.astype(np.float32)
    model = build_mlp(784, TrainingConfig(widths=(100, 100)), 10)
    trainer = Trainer(model, "cross_entropy")
    trainer.fit((x[:300], labels[:300]), epochs=40, batch_size=50)
    right = (trainer.predict_class(x).numpy() == labels).astype(float)
    assert right[:300].mean() == 1.0
    assert right[:300].mean() - right[300:].mean() > 0.1


# ---- real tables -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "target", "figure", "least"),
    [
        ("titanic", "survived", "accuracy", 0.75),
        ("penguins", "species", "accuracy", 0.93),
        ("mpg", "mpg", "r2", 0.8),
    ],
)
def test_real_tables_are_learned(
    name: str, target: str, figure: str, least: float, data_folder: Path
) -> None:
    path = data_folder / "tabular" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    result = run(load_source(path, target), epochs=60)
    assert result.figures["test"][figure] > least
