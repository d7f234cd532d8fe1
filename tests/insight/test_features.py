"""Filters and feature maps of convolutional networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.insight.features import convolutions, feature_maps, filters
from pellucid.insight.pictures import draw_feature_maps, draw_filters
from pellucid.models import LeNet, mlp, resnet18


def test_maps_are_what_the_layers_make(rng: np.random.Generator) -> None:
    """With batch norm and ReLU after a convolution, what goes on to the next layer."""
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.Sigmoid(),
        nn.Flatten(),
    )  # fmt: skip
    image = pellucid.tensor(rng.normal(size=(1, 10, 8)).astype(np.float32))
    maps = feature_maps(model, image)
    assert model.training and [len(m._forward_hooks) for m in model] == [0] * 9
    model.eval()
    assert list(maps) == ["0", "3", "6"]
    x = image.unsqueeze(0)
    for path, end in (("0", 2), ("3", 6), ("6", 7)):
        assert_close(maps[path], model[:end](x)[0], 1e-6, 1e-6, path)


def test_layers_have_their_paths() -> None:
    model = resnet18(10, widths=(4, 4, 4, 4), small_images=True)
    paths = [path for path, _ in convolutions(model)]
    assert paths[:3] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]
    assert "layer2.0.downsample.0" in paths and len(paths) == 20
    assert filters(model, "layer2.0.downsample.0").shape == (4, 4, 1, 1)
    assert set(feature_maps(model, np.zeros((3, 16, 16), np.float32))) == set(paths)


def test_what_has_no_convolution_is_refused() -> None:
    with pytest.raises(ArgumentError, match="Sequential has no Conv2d"):
        filters(mlp(4, (3,), 2))
    with pytest.raises(ArgumentError, match="'fc1' is no convolution[^\n]*\n.*conv1, conv2"):
        filters(LeNet(), "fc1")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_filters_are_drawn_in_grey_or_colour(channels: int, tmp_path: Path) -> None:
    model = nn.Conv2d(channels, 10, 5)
    for suffix in ("png", "svg"):
        file = tmp_path / f"filters.{suffix}"
        (image,) = draw_filters(model, file, most=6).images
        assert image.get_array().shape[:2] == (5, 6 * 6 - 1 + 2 * 6)
        assert file.stat().st_size > 1000
    with pytest.raises(ArgumentError, match="does not end in"):
        draw_feature_maps(model, np.zeros((channels, 9, 9), np.float32), tmp_path / "maps.jpg")
