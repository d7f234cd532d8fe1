"""Pictures: what is drawn is what was computed, into given axes, files and new figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, FileError, ShapeError
from pellucid.insight import pictures
from pellucid.insight.explain import occlusion
from pellucid.insight.features import feature_maps, maximized, oriented_edges, strongest_patches
from pellucid.insight.pictures.canvas import give_fonts, mosaic
from pellucid.training.history import EpochRecord, History

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def axes(projection: str | None = None):
    return Figure().add_subplot(1, 1, 1, projection=projection)


# ---- where pictures go -------------------------------------------------------------------------


def test_into_axes_into_a_file_or_into_a_new_figure(tmp_path: Path) -> None:
    ax = axes()
    assert pictures.draw_function(F.tanh, ax=ax) is ax and len(ax.lines) == 4
    alone = pictures.draw_function(F.tanh)
    assert alone is not ax and alone.figure is not ax.figure
    for ending, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        pictures.draw_function(F.tanh, tmp_path / f"tanh.{ending}")
        assert (tmp_path / f"tanh.{ending}").read_bytes().startswith(start)
    with pytest.raises(ArgumentError, match=r"'tanh\.gif' does not end in one of \.svg, \.png"):
        pictures.draw_function(F.tanh, tmp_path / "tanh.gif")
    with pytest.raises(FileError, match="cannot be written"):
        pictures.draw_function(F.tanh, tmp_path / "none" / "tanh.svg")


def test_axes_of_another_projection_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"needs 3d axes and got Axes\n.*projection=\"3d\""):
        pictures.draw_surface(lambda x, y: x + y, ax=axes())
    with pytest.raises(ArgumentError, match="needs plane axes and got Axes3D"):
        pictures.draw_function(F.relu, ax=axes("3d"))


def test_programs_with_pyplot_see_the_figure() -> None:
    """In a process of its own: whether pyplot is loaded decides."""
    program = (
        "import sys, matplotlib; matplotlib.use('agg')\n"
        "from pellucid.insight.pictures import draw_function\n"
        "from pellucid.nn.functional import relu\n"
        "draw_function(relu)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "from matplotlib import pyplot\n"
        "ax = draw_function(relu)\n"
        "assert pyplot.get_fignums() == [ax.figure.number]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_chinese_titles_get_a_font_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ax = axes()
    ax.set_title("损失函数")
    ax.set_xlabel("loss")
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: ["SimHei"])
    give_fonts(ax.figure)
    assert ax.title.get_fontfamily()[-1] == "SimHei" != ax.xaxis.label.get_fontfamily()[-1]
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: [])
    monkeypatch.setattr("matplotlib.font_manager.fontManager.ttflist", [])
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [])
    with pytest.warns(UserWarning, match="No installed font has the characters of '损失函数'"):
        give_fonts(ax.figure)


def test_fonts_installed_since_the_list_was_made_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """matplotlib keeps its list of fonts; here it knows none, and one file is on the system."""
    from matplotlib import font_manager

    source = font_manager.findfont("DejaVu Sans")
    new = tmp_path / "new.ttf"
    new.write_bytes(Path(source).read_bytes())
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(new)])
    from pellucid.insight.pictures.canvas import _add_new_fonts

    assert _add_new_fonts(font_manager)
    assert [entry.fname for entry in font_manager.fontManager.ttflist] == [str(new)]
    assert not _add_new_fonts(font_manager)


def test_mosaics_keep_every_pixel(rng: np.random.Generator) -> None:
    tiles = rng.uniform(size=(5, 3, 4))
    whole = mosaic(tiles, 2, gap=1, background=0.5)
    assert whole.shape == (3 * 3 + 2, 2 * 4 + 1)
    for place, tile in enumerate(tiles):
        top, left = place // 2 * 4, place % 2 * 5
        np.testing.assert_array_equal(whole[top : top + 3, left : left + 4], tile)
    assert (whole[3] == 0.5).all() and (whole[8:, 5:] == 0.5).all()


# ---- landscapes --------------------------------------------------------------------------------


def valley(x, y):
    return x**2 / 20 + y**2


def test_ways_down_are_those_of_the_formulas() -> None:
    rate, place, memory = 0.1, np.array([-7.0, 2.0]), np.zeros(2)
    plain, heavy = [place.copy()], [place.copy()]
    other = place.copy()
    for _ in range(20):
        place = place - rate * place * [0.1, 2]
        memory = 0.9 * memory + other * [0.1, 2]
        other = other - rate * memory
        plain.append(place)
        heavy.append(other)
    ways = {
        "SGD": pictures.descend(valley, (-7, 2), lambda p: optim.SGD(p, lr=rate), 20),
        "momentum": pictures.descend(
            valley, (-7, 2), lambda p: optim.SGD(p, lr=rate, momentum=0.9), 20
        ),
    }
    assert_close(ways["SGD"], plain, 1e-12, 1e-12)
    assert_close(ways["momentum"], heavy, 1e-12, 1e-12)
    ax = pictures.draw_descent(valley, ways, x=(-8, 8), y=(-4, 4), ax=axes())
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_array_equal(drawn["momentum"], ways["momentum"])
    with pytest.raises(ShapeError, match="a start of 3 numbers"):
        pictures.descend(valley, (1, 2, 3), lambda p: optim.SGD(p, lr=0.1))
    with pytest.raises(ArgumentError, match=r"\(2, 1\) by \(0, 1\) is empty"):
        pictures.draw_descent(valley, {}, x=(2, 1), y=(0, 1), ax=axes())


def test_the_surface_around_a_network_is_its_loss(rng: np.random.Generator) -> None:
    """At 0 its own loss; directions as long as the rows of the weights; the weights come back."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = pellucid.tensor(rng.normal(size=(20, 3)).astype(np.float32))

    def loss(net):
        return (net(x) ** 2).mean()

    before = [p.detach().numpy().copy() for p in model.parameters()]
    for directions in (1, 2):
        found = pictures.loss_surface(model, loss, points=5, directions=directions)
        middle = found.values[(2,) * directions]
        assert middle == pytest.approx(float(loss(model)), rel=1e-6)
        assert np.unique(found.values).size == found.values.size, "it varies along each direction"
        assert pictures.draw_loss_surface(found, ax=axes()).lines
    for p, w in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), w)
    # A linear model without bias: L(θ + a·d) with |d| = |θ| row by row is a parabola in a.
    line = nn.Linear(3, 2, bias=False).double()
    y = x.double()
    seen = pictures.loss_surface(line, lambda net: (net(y) ** 2).mean(), directions=1, points=9)
    fit = np.polyfit(seen.along, seen.values, 2)
    assert_close(np.polyval(fit, seen.along), seen.values, 1e-9, 1e-12)

    def broken(net):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        pictures.loss_surface(model, broken)
    np.testing.assert_array_equal(next(model.parameters()).detach().numpy(), before[0])
    with pytest.raises(ArgumentError, match="directions=3"):
        pictures.loss_surface(model, loss, directions=3)


def test_the_loss_over_one_weight() -> None:
    ax = pictures.draw_loss_curve(lambda w: (w - 1) ** 2, visited=[3.0, 2.0], ax=axes())
    curve, steps = (line.get_xydata() for line in ax.lines)
    np.testing.assert_allclose(curve[:, 1], (curve[:, 0] - 1) ** 2)
    np.testing.assert_array_equal(steps, [[3, 4], [2, 1]])


# ---- inside a network --------------------------------------------------------------------------


def test_values_of_layers(rng: np.random.Generator) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = rng.normal(size=(10, 3)).astype(np.float32)
    w, b = (p.detach().numpy() for p in (model[0].weight, model[0].bias))
    found = pictures.layer_values(model, x)
    assert list(found) == ["0", "1", "2"]
    assert_close(found["1"], np.maximum(x @ w.T + b, 0).ravel(), 1e-5, 1e-6)
    slopes = pictures.layer_values(model, x, "gradient", lambda scores: scores.sum())
    assert_close(slopes["2.bias"], [10, 10], 1e-6)
    assert model[2].bias.grad is None and not model[0]._forward_hooks
    assert_close(pictures.layer_values(model, x, "weight")["0.weight"], w.ravel(), 0)
    ax = pictures.draw_values({**found, "strange": [np.nan, 0.0, 1.0]}, ax=axes())
    remarks = [text.get_text() for text in ax.texts]
    zeros = (found["1"] == 0).mean()
    assert f"0: {zeros:.0%}" in remarks[1] and "NaN/∞: 33.3%" in remarks[3]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2", "strange"]
    for kind, match in (("weights", "kind='weights'"), ("gradient", "Gradients need a loss")):
        with pytest.raises(ArgumentError, match=match):
            pictures.layer_values(model, x, kind)


def test_spread_over_time_is_that_of_the_moments(rng: np.random.Generator) -> None:
    moments = {5: rng.normal(size=1000), 1: 3 + rng.normal(size=1000)}
    ax = pictures.draw_values_over_time(moments, ax=axes())
    (median,) = ax.lines
    assert_close(median.get_ydata(), [np.median(moments[1]), np.median(moments[5])], 1e-12)


def test_strongest_patches_are_where_the_channel_answers(rng: np.random.Generator) -> None:
    """A channel that looks for a cross finds the images that hold one, and the right place."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.float32)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 1, 3)
    )
    with pellucid.no_grad():
        model[0].weight[0, 0] = pellucid.tensor(cross)
        model[0].weight[1, 0] = -pellucid.tensor(cross)
        model[0].bias.fill_(0)
    images = 0.01 * rng.uniform(size=(6, 1, 16, 16)).astype(np.float32)
    for image, (top, left) in ((4, (6, 7)), (1, (10, 3)), (2, (0, 13))):
        images[image, 0, top : top + 3, left : left + 3] += cross * (1 + image)
    found = strongest_patches(model, images, channels=1, patches=3)
    assert {path: part.shape[2:] for path, part in found.items()} == {
        "0": (1, 3, 3),
        "3": (1, 8, 8),
    }
    for patch, image in zip(found["0"][0], (4, 2, 1), strict=True):
        assert_close(patch[0], cross * (1 + image), atol=0.02, rtol=0)
    with pytest.raises(ShapeError, match="at least 4 rows"):
        strongest_patches(model, images[:2])
    ax = pictures.draw_what_it_looks_for(model, images, channels=2, patches=3, ax=axes())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0", "3"]


def test_windows_of_units_follow_from_kernels_strides_and_pools() -> None:
    """Against the arithmetic of receptive fields (Dumoulin and Visin, 2016)."""
    from pellucid.insight.features import _windows_of

    model = nn.Sequential(
        nn.Conv2d(1, 3, 5, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(3, 2, 3, dilation=2),
    )  # fmt: skip
    windows = _windows_of(model, (1, 64, 48), ["0", "3"])
    assert windows["0"] == ((-1, 2, 5), (-1, 2, 5))
    assert windows["3"] == ((-1, 4, 23), (-1, 4, 23))


def test_maximized_inputs_excite_their_channel() -> None:
    """Of a linear layer the best input is its own weight."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    y, x = np.meshgrid(*[2 * np.pi * np.arange(12) / 12] * 2, indexing="ij")
    smooth = np.array([np.sin(x), np.cos(y), np.sin(x + y)]).reshape(3, 144).astype(np.float32)
    with pellucid.no_grad():  # shifts by a pixel change smooth patterns little
        model[1].weight.copy_(pellucid.tensor(smooth))
    found = maximized(model, (1, 12, 12), "1", [2, 0], steps=40)
    for picture, channel in zip(found, (2, 0), strict=True):
        w = model[1].weight[channel].detach().numpy().reshape(12, 12)
        assert np.corrcoef(picture.ravel(), w.ravel())[0, 1] > 0.9
    with pytest.raises(ArgumentError, match="no layer '7'"):
        maximized(model, (1, 12, 12), "7", [0])
    with pytest.raises(ArgumentError, match="has 3 channels and 3 was asked for"):
        maximized(model, (1, 12, 12), "1", [3])


def test_edges_score_high_and_blobs_low() -> None:
    y, x = np.meshgrid(np.arange(5) - 2.0, np.arange(5) - 2.0, indexing="ij")
    kernels = [x, x + 2 * y, np.sign(x), np.ones((5, 5)), np.exp(-(x**2 + y**2) / 2)]
    step, slant, edge, flat, blob = oriented_edges(np.array(kernels)[:, None])
    assert step == pytest.approx(1) and slant > 0.98 and edge > 0.8
    assert flat < 1e-12 and blob < 0.3


def test_occlusion_is_the_fall_of_the_score(rng: np.random.Generator) -> None:
    """Of a linear model the fall is the covered part's share of the sum."""
    w = rng.normal(size=(6, 6)).astype(np.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, bias=False))
    with pellucid.no_grad():
        model[1].weight[0] = pellucid.tensor(w.ravel())
        model[1].weight[1] = -pellucid.tensor(w.ravel())
    images = rng.normal(size=(3, 1, 6, 6)).astype(np.float32)
    drops = occlusion(model, images, output=0, size=2, stride=2, fill=0.0)
    blocks = (images[:, 0] * w).reshape(3, 3, 2, 3, 2).sum(axis=(2, 4))
    assert_close(drops, blocks, 1e-4, 1e-5)
    best = occlusion(model, images, size=2, stride=2, fill=0.0)
    sign = np.sign((images[:, 0] * w).sum(axis=(1, 2)))
    assert_close(best, blocks * sign[:, None, None], 1e-4, 1e-5)
    with pytest.raises(ShapeError, match="a square of 9"):
        occlusion(model, images, size=9)
    ax = pictures.draw_heat(images[0], drops[0], ax=axes())
    assert len(ax.images) == 2 and ax.images[1].get_array().shape == (3, 3)


def test_maps_are_drawn_with_one_row_a_layer() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 10, 3))
    image = np.eye(12, dtype=np.float32)[None]
    ax = pictures.draw_feature_maps(model, image, most=4, ax=axes())
    (shown,) = ax.images
    assert shown.get_array().shape == (2 * 10 + 1, 4 * 10 + 3)
    top = feature_maps(model, image)["0"]
    strongest = top[np.argsort(-top.clip(0).mean(axis=(1, 2)))[0]]
    tiles = [np.asarray(shown.get_array())[:10, i * 11 : i * 11 + 10] for i in range(3)]
    expected = (strongest / top.max()).clip(0, 1)
    assert min(np.abs(tile - expected).max() for tile in tiles) < 1e-6


# ---- training ----------------------------------------------------------------------------------


def record(epoch: int, loss: float, validation: float | None) -> EpochRecord:
    return EpochRecord(epoch, loss, validation, None, 0.1, 5, 100.0, float(epoch))


def test_history_with_and_without_validation() -> None:
    history = History([record(1, 2.0, 2.1), record(2, 1.0, 1.5), record(3, 0.5, 1.7)])
    history.best_epoch = 2
    ax = pictures.draw_history(history, baseline=2.3, ax=axes())
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["training"].get_ydata()) == [2, 1, 0.5]
    assert list(lines["validation"].get_ydata()) == [2.1, 1.5, 1.7]
    assert list(lines["best epoch"].get_xdata()) == [2, 2]
    assert lines["baseline"].get_ydata()[0] == 2.3
    alone = pictures.draw_history(History([record(1, 2.0, None)]), ax=axes())
    assert [line.get_label() for line in alone.lines] == ["training"]
    with pytest.raises(ArgumentError, match="no epoch yet"):
        pictures.draw_history(History(), ax=axes())


def test_confusion_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, guess = rng.integers(0, 4, (2, 200))
    expected = metrics.confusion_matrix(truth, guess)
    np.testing.assert_array_equal(pictures.confusion_matrix(truth, guess), expected)
    ax = pictures.draw_confusion(truth, guess, ["a", "b", "c", "d"], ax=axes())
    assert [t.get_text() for t in ax.texts] == [str(n) for n in expected.ravel() if n]
    assert pictures.confusion_matrix([0, 1], [1, 1], classes=3).tolist() == [
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]
    with pytest.raises(ShapeError, match="2 true classes and 3 predicted"):
        pictures.confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(ArgumentError, match="4 classes and 2 names"):
        pictures.draw_confusion(truth, guess, ["a", "b"])
    with pytest.raises(ArgumentError, match="Class -1 is below 0"):
        pictures.confusion_matrix([-1], [0])


def test_learning_curves_repeat_with_seeds() -> None:
    asked = []

    def score(size: float, seed: int) -> tuple[float, float]:
        asked.append((size, seed))
        return 1.0, size / 100 + seed / 1000

    curve = pictures.learning_curve(score, [10, 50], repeats=2)
    assert asked == [(10, 0), (10, 1), (50, 0), (50, 1)]
    np.testing.assert_allclose(curve.test, [[0.1, 0.101], [0.5, 0.501]])
    ax = pictures.draw_learning_curve(curve, ax=axes())
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.1005, 0.5005])
    assert ax.get_xscale() == "linear"
    wide = pictures.learning_curve(score, [10, 1000], repeats=1)
    assert pictures.draw_learning_curve(wide, ax=axes()).get_xscale() == "log"
    with pytest.raises(ArgumentError, match="0 values and 3 repeats"):
        pictures.learning_curve(score, [])


def test_regions_over_training_side_by_side(rng: np.random.Generator, tmp_path: Path) -> None:
    x = rng.uniform(-1, 1, (40, 2))
    y = (x[:, 0] > 0).astype(int)
    models = {"before": lambda v: v[:, 1:], "after": lambda v: 8 * v[:, :1]}
    panels = pictures.draw_decisions(models, x, y, tmp_path / "over.png", resolution=20)
    assert [ax.get_title() for ax in panels] == ["before", "after"]
    regions = pictures.decision_regions(models["after"], x, y, 20)
    assert (regions.answers == (regions.x > 0)[None]).all()
    expected = 1 / (1 + np.exp(-8 * np.abs(regions.x)))
    assert_close(regions.confidence[0], expected, 1e-6)
    three = pictures.decision_regions(
        lambda v: pellucid.cat([v, -v[:, :1]], 1), x, np.arange(40) % 3, 20
    )
    assert three.confidence.min() >= 1 / 3 and three.answers.max() == 2
    assert pictures.decision_regions(models["after"], x, x[:, 0], 20).confidence is None
    with pytest.raises(ArgumentError, match="2 pictures and 1 axes"):
        pictures.draw_decisions(models, x, y, axes=[axes()])


# ---- words and agents --------------------------------------------------------------------------


def test_attention_and_its_words() -> None:
    weights = pellucid.tensor([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    ax = pictures.draw_attention(weights, ["a", "b"], ["x", "y", "z"], ax=axes())
    np.testing.assert_array_equal(ax.images[0].get_array(), weights.numpy())
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b"]
    with pytest.raises(ShapeError, match="1 words for an axis of 2 weights"):
        pictures.draw_attention(weights, ["a"], ax=axes())
    with pytest.raises(ShapeError, match=r"weights \(1, 3, 2\)\n.*one head and one sequence"):
        pictures.draw_attention(weights[None], ax=axes())
    with pytest.raises(ArgumentError, match="no shares"):
        pictures.draw_attention(weights * 3, ax=axes())


def test_projection_keeps_the_largest_distances(rng: np.random.Generator) -> None:
    """Points of a plane in ten dimensions come out as they lay, up to turning."""
    flat = rng.normal(size=(30, 2)) * [5, 1]
    basis = np.linalg.qr(rng.normal(size=(10, 2)))[0]
    places = pictures.project(flat @ basis.T + 3)
    lengths = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (flat, places)]
    assert_close(lengths[1], lengths[0], 1e-9, 1e-9)
    assert places[:, 0].std() > places[:, 1].std()
    with pytest.raises(ArgumentError, match="method='isomap'"):
        pictures.project(flat, "isomap")
    with pytest.raises(ShapeError, match="30 vectors and 2 names"):
        pictures.draw_embeddings(flat, ["a", "b"], ax=axes())
    ax = pictures.draw_embeddings(flat, groups=np.arange(30) % 2, ax=axes())
    assert sum(len(c.get_offsets()) for c in ax.collections) == 30 and len(ax.collections) == 2


def test_neighbours_stay_neighbours_in_tsne(rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    groups = np.repeat([0, 1], 15)
    vectors = rng.normal(size=(30, 8)) + 20 * groups[:, None]
    places = pictures.project(vectors, "tsne")
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(30) * 1e9
    assert (groups[distance.argmin(axis=1)] == groups).all()


def test_worlds_of_squares() -> None:
    values = np.array([[0.5, 1.0], [np.nan, -1.0]])
    policy = np.array([[3, -1], [0, 0]])
    ax = pictures.draw_grid_world(values, policy=policy, walls=[(1, 0)], ax=axes())
    assert [t.get_text() for t in ax.texts] == ["0.50", "1.00", "-1.00"]
    assert len(ax.patches) == 3, "a wall, and arrows at two squares"
    shares = np.zeros((2, 2, 4))
    shares[0, 0] = [0.5, 0, 0, 0.5]
    assert len(pictures.draw_grid_world(values, policy=shares, ax=axes()).patches) == 2
    with pytest.raises(ShapeError, match=r"shape \(3,\) for values \(2, 2\)"):
        pictures.draw_grid_world(values, policy=[0, 1, 2], ax=axes())
    with pytest.raises(ArgumentError, match="no arrow for the action 'jump'"):
        pictures.draw_grid_world(values, policy=policy, actions=("jump",), ax=axes())


def test_rewards_are_smoothed_and_averaged() -> None:
    runs = np.array([[1.0, 3, 5, 7], [3.0, 5, 7, 9]])
    ax = pictures.draw_rewards({"two": runs, "one": runs[0]}, window=2, ax=axes())
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2, 3], [3, 5], [4, 7]])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [2, 4, 6])
    with pytest.raises(ShapeError, match="window of 9"):
        pictures.draw_rewards({"a": [1, 2]}, window=9, ax=axes())


def test_values_are_drawn_over_two_numbers_of_a_state() -> None:
    seen: list[np.ndarray] = []

    def value(states: np.ndarray) -> np.ndarray:
        seen.append(states)
        return states[:, 0] * states[:, 1]

    ax = pictures.draw_state_values(value, (-1, -2), (1, 2), rest=(7,), points=9, ax=axes())
    (states,) = seen
    assert states.shape == (81, 3) and (states[:, 2] == 7).all() and states.dtype == np.float32
    drawn = ax.collections[0].get_array()
    np.testing.assert_allclose(drawn, np.outer(np.linspace(-2, 2, 9), np.linspace(-1, 1, 9)))
    with pytest.raises(ShapeError, match="The values have shape"):
        pictures.draw_state_values(lambda states: states, (0, 0), (1, 1), ax=axes())


def test_rates_of_a_trial_are_drawn() -> None:
    found = SimpleNamespace(
        rates=[1e-3, 1e-2, 1e-1], losses=[2.0, 1.0, 5.0], smoothed=[2.0, 1.2, 4.0], suggestion=1e-2
    )
    ax = pictures.draw_learning_rates(found, ax=axes())  # type: ignore[arg-type]
    assert ax.get_xscale() == "log" and list(ax.lines[2].get_xdata()) == [1e-2, 1e-2]
