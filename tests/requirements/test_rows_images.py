"""Rows about images: convolutions, what they find, and what dense layers do not see."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import pellucid
from models.learning import Arrays, accuracy, fit_classes, mnist
from pellucid import nn, optim
from pellucid.data.sources import Part, load_source
from pellucid.insight.features import feature_maps, filters, oriented_edges, strongest_patches
from pellucid.insight.pictures import draw_feature_maps, draw_filters
from pellucid.models import LeNet


def test_C8_the_first_layer_learns_edges_which_an_untrained_one_has_not() -> None:
    """A LeNet on the digits at hand, enlarged threefold: how much its first filters are edges of
    some direction, before and after training."""
    data = load_source("digits")

    def images(part: Part, rows: int | None = None) -> Arrays:
        enlarged = np.kron(part.features.reshape(-1, 8, 8), np.ones((3, 3), np.float32))
        return np.pad(enlarged, ((0, 0), (2, 2), (2, 2)))[:rows, None], part.targets[:rows]

    pellucid.manual_seed(0)
    model = LeNet()
    before = oriented_edges(filters(model, "conv1")).mean()
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.3)
    fit_classes(model, optimizer, images(data.train, 800), 8, 40)
    after = oriented_edges(filters(model, "conv1")).mean()
    assert accuracy(model, images(data.test)) > 0.9
    assert before < 0.2 and after > 0.3 and after > 2 * before, (before, after)


def test_A10_C8_a_cnn_finds_edges_first_and_larger_forms_later(
    data_folder: Path, tmp_path: Path
) -> None:
    """Trained on digits, it names new ones; pictures of its filters and of what they find."""
    train, held = mnist(data_folder, 1_500, 500)
    model = LeNet()
    untrained = oriented_edges(filters(model)).mean()
    fit_classes(model, optim.Adam(model.parameters(), lr=2e-3), train, 6, 50)
    assert accuracy(model, held) > 0.88
    assert oriented_edges(filters(model)).mean() > 1.5 * untrained
    # What excites units most is larger in the second layer: 5 pixels, then 5 + 1 + 4 · 2 = 14.
    patches = strongest_patches(model, held[0])
    assert {path: p.shape[2:] for path, p in patches.items()} == {
        "conv1": (1, 5, 5),
        "conv2": (1, 14, 14),
    }
    draw_filters(model, tmp_path / "filters.png")
    shown = filters(model)
    np.testing.assert_array_equal(shown, model.conv1.weight.detach().numpy())
    draw_feature_maps(model, held[0][0], tmp_path / "maps.png")
    maps = feature_maps(model, held[0][0])
    assert {path: m.shape for path, m in maps.items()} == {
        "conv1": (6, 28, 28),
        "conv2": (16, 10, 10),
    }
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("filters.png", "maps.png"))
    # The first layer answers at edges, not in plain areas: its filters add up to little beside
    # what they weigh, and a place of an image far from any stroke gets the bias alone.
    corner = maps["conv1"][:, 0, 0]
    np.testing.assert_allclose(corner, model.conv1.bias.detach().numpy(), atol=1e-5)
    # Later channels see more of the image: a changed pixel reaches 5 places of the first layer
    # each way, and after pooling more than that of the image through the second.
    changed = held[0][0].copy()
    changed[0, 14, 14] += 1
    moved = feature_maps(model, changed)
    reach = {path: int(np.any(moved[path] != maps[path], axis=(0, 1)).sum()) for path in maps}
    assert reach["conv1"] == 5 and reach["conv2"] * 2 > 5
    assert filters(model, "conv2").shape == (16, 6, 5, 5)


def test_E13_images_are_recognized(data_folder: Path) -> None:
    """One network for all ten digits, on images it has never seen."""
    train, held = mnist(data_folder, 2_000, 1_000)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 49, 10),
    )  # fmt: skip
    fit_classes(model, optim.Adam(model.parameters(), lr=5e-3), train, 5, 50)
    assert accuracy(model, held) > 0.88
