"""Convolutional networks as a setting: the network, its run folder, its report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.data.image_preprocessing import ImagePreprocessor
from pellucid.data.sources import load_source
from pellucid.insight.report import render_report
from pellucid.training.config import TrainingConfig
from pellucid.training.job import RunResult, measure, train_network
from pellucid.training.network import build_network, describe_layers, parameter_shapes
from pellucid.training.run import write_result
from pellucid.training.saved_model import SavedModel


@pytest.mark.parametrize("activation", ["relu", "prelu", "gelu"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize(
    ("shape", "channels"),
    [((8, 8), (3, 5, 2)), ((9, 13), (4,)), ((8, 10, 3), (4, 2)), ((1, 1), ())],
)
def test_declared_shapes_are_those_of_the_network(
    activation: str, dropout: float, shape: tuple[int, ...], channels: tuple[int, ...]
) -> None:
    config = TrainingConfig(
        model="cnn", channels=channels, widths=(6,), activation=activation, dropout=dropout
    )
    model = build_network(shape, config, 3)
    built = {n: tuple(p.shape) for n, p in model.named_parameters()}
    assert parameter_shapes(shape, config, 3) == built
    assert model(pellucid.zeros(2, int(np.prod(shape)))).shape == (2, 3)


def test_pixels_come_to_their_places(rng: np.random.Generator) -> None:
    """Rows of pixels, channels last, become images with channels first."""
    for shape in ((4, 6), (4, 6, 3)):
        images = rng.normal(size=(5, *shape)).astype(np.float32)
        layer = build_network(shape, TrainingConfig(model="cnn"), 2)[0]
        expected = images.reshape(5, 4, 6, -1).transpose(0, 3, 1, 2)
        assert_close(layer(pellucid.tensor(images.reshape(5, -1))), expected)


@pytest.mark.parametrize(
    "method",
    ["he_normal", "he_uniform", "xavier_normal", "lecun_normal", "orthogonal", "normal", "zeros"],
)
def test_convolutions_start_by_the_initialization_of_their_fan_in(method: str) -> None:
    config = TrainingConfig(model="cnn", channels=(64, 64), initialization=method)
    weight = build_network((8, 8), config, 2)[4].weight.detach().numpy()
    inputs = 64 * 9
    expected = {
        "he_normal": (2 / inputs) ** 0.5,
        "he_uniform": (2 / inputs) ** 0.5,
        "xavier_normal": (2 * 2 / (2 * inputs)) ** 0.5,
        "lecun_normal": inputs**-0.5,
        "orthogonal": (2 / inputs) ** 0.5,
        "normal": 0.01,
        "zeros": 0.0,
    }[method]
    assert weight.std() == pytest.approx(expected, rel=0.05)


def test_a_cnn_needs_images_and_as_many_convolutions_as_they_can_be_halved() -> None:
    config = TrainingConfig(model="cnn", channels=(4, 4, 4, 4))
    with pytest.raises(ArgumentError, match=r"the rows have shape \(30,\)[^\n]*\n.*mlp"):
        build_network((30,), config, 2)
    with pytest.raises(ArgumentError, match="8×8 can be halved 3 times[^\n]*\n.*at most 3"):
        build_network((8, 8), config, 2)
    with pytest.raises(ArgumentError, match="at most 3"):
        parameter_shapes((8, 8), config, 2)
    with pytest.raises(ArgumentError, match=r"model='cn' is unknown[^\n]*\n.*Did you mean cnn"):
        TrainingConfig(model="cn")
    with pytest.raises(ArgumentError, match="channels=0"):
        TrainingConfig(channels=(0,))


@pytest.fixture(scope="module")
def trained() -> RunResult:
    pellucid.manual_seed(0)
    config = TrainingConfig(
        model="cnn", channels=(8, 16), widths=(32,), epochs=12, learning_rate=3e-3
    )
    result = train_network(load_source("digits"), config)
    measure(result)
    result.seconds["data"] = 0.1
    return result


def test_digits_are_learned(trained: RunResult) -> None:
    assert trained.figures["test"]["accuracy"] > 0.94
    kinds = [type(layer).__name__ for layer in trained.model]
    assert kinds == ["Images", *["Conv2d", "ReLU", "MaxPool2d"] * 2, "Flatten",
                     "Linear", "ReLU", "Linear"]  # fmt: skip


def test_one_line_says_how_it_is_built(trained: RunResult) -> None:
    task, config = trained.prepared.task, trained.config
    text = "8×8 → 8 of 4×4 → 16 of 2×2 → 32 → 10, ReLU, output: softmax"
    assert describe_layers((8, 8), config, task) == text
    assert describe_layers((8, 8), TrainingConfig(), task).startswith("64 → 128 → 64 → 10, ReLU")
    assert describe_layers((64,), TrainingConfig(widths=()), task) == "64 → 10, output: softmax"


def test_its_report_shows_what_it_looks_for(trained: RunResult, tmp_path: Path) -> None:
    page = render_report(write_result(trained, tmp_path / "cnn"))
    assert "<h2>What the convolutions see</h2>" in page
    assert page.count('alt="filter ') == 8
    assert page.count('alt="layer 1 ') == 8 and page.count('alt="layer 4 ') == 16
    # 2 · 16 channels · 8 · 9 numbers · 4×4 places
    assert "<b>8×8</b>inputs" in page and f"{2 * 16 * 8 * 9 * 16:,}" in page
    dense = train_network(load_source("digits"), TrainingConfig(epochs=1, compile=False))
    measure(dense)
    assert "What the convolutions see" not in render_report(write_result(dense, tmp_path / "dense"))


def test_a_saved_network_is_the_same(trained: RunResult) -> None:
    saved = trained.saved_model()
    again = SavedModel.from_json(json.loads(json.dumps(saved.to_json())))
    assert again.config == trained.config and again.row_shape == (8, 8)
    assert again.shapes == {n: w.shape for n, w in trained.weights.items()}


def test_a_folder_that_contradicts_itself_is_refused(trained: RunResult) -> None:
    data = trained.saved_model().to_json()
    data["config"]["channels"] = [8] * 40
    with pytest.raises(RunFolderError, match="architecture: channels"):
        SavedModel.from_json(data)
    data = trained.saved_model().to_json()
    data["config"]["model"] = "mlp"
    with pytest.raises(RunFolderError, match="architecture"):
        SavedModel.from_json(data)


def test_a_table_is_no_image(tmp_path: Path) -> None:
    table = {"x": np.arange(60.0), "y": np.arange(60) % 2}
    with pytest.raises(ArgumentError, match="for images"):
        train_network(load_source(table, "y"), TrainingConfig(model="cnn"))


def test_settings_written_before_there_were_kinds_of_networks_are_read() -> None:
    later = ("model", "channels", "ema_decay", "accumulate")
    old = {k: v for k, v in TrainingConfig().to_json().items() if k not in later}
    assert TrainingConfig.from_json(old) == TrainingConfig()
    with pytest.raises(RunFolderError, match="config"):
        TrainingConfig.from_json({k: v for k, v in old.items() if k != "widths"})


def test_colour_images_are_learned(rng: np.random.Generator) -> None:
    """Which of three colours a small image has: with (height, width, channels) pixels."""
    labels = rng.integers(0, 3, 300)
    images = rng.random((300, 6, 6, 3))
    images[np.arange(300), :, :, labels] += 0.5
    features = ImagePreprocessor.fit(images, 1.5).transform(images)
    model = build_network((6, 6, 3), TrainingConfig(model="cnn", channels=(4,), widths=()), 3)
    optimizer = pellucid.optim.Adam(model.parameters(), lr=0.02)
    x, y = pellucid.tensor(features), pellucid.tensor(labels)
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert float((model(x).argmax(1) == y).float().mean()) > 0.95
