"""Text B (深度学习基础1), the rows that no other folder shows; ids stand in the names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import pellucid
import pellucid.nn.functional as F  # noqa: N812
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, AutogradError, FileError, ShapeError
from pellucid.data.playground import GENERATORS, INPUTS, derived, playground
from pellucid.insight.diagnosis import (
    check_gradients,
    check_model,
    dead_units,
    gradient_norms,
)
from pellucid.insight.explain import grad_cam, permutation_importance, saliency, shapley_values
from pellucid.insight.pictures import (
    decision_regions,
    draw_decision,
    draw_function,
    sample_function,
)
from pellucid.models import Perceptron, mlp
from pellucid.nn.advice import (
    HEADS,
    HIDDEN,
    activation_table,
    head_table,
    suggest_activation,
    suggest_head,
)
from requirements.fitting import XOR, XOR_ROWS, accuracy, graph_of, train

LOGISTIC = F.binary_cross_entropy_with_logits


def column(labels: np.ndarray) -> np.ndarray:
    return labels.astype(np.float32)[:, None]


# ---- B1: features made by hand, and learned ones -------------------------------------------------


def test_B1_features_are_made_by_hand_or_learned() -> None:
    """On the circle a linear model fails with x, works with x²; an MLP works with x."""
    data = playground("circle", seed=3)
    found = {}
    for name, inputs, widths in (
        ("linear", ("x1", "x2"), ()),
        ("linear on squares", ("x1²", "x2²"), ()),
        ("mlp", ("x1", "x2"), (8, 4)),
    ):
        x, held = (derived(part[0], inputs) for part in (data.train, data.test))
        model = mlp(2, widths, 1, activation="tanh", initialization="xavier_normal")
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        train(model, LOGISTIC, x, column(data.train[1]), optimizer, 300)
        found[name] = accuracy(model, held, data.test[1])
    assert found["linear"] < 0.7
    assert found["linear on squares"] > 0.97 and found["mlp"] > 0.97


# ---- B2: looking into the box --------------------------------------------------------------------


def test_B2_E19_saliency_is_the_gradient_of_the_score() -> None:
    model = nn.Linear(3, 2)
    weight = model.weight.detach().numpy()
    assert_close(saliency(model, np.zeros((4, 3), np.float32), 1), np.tile(weight[1], (4, 1)))
    x = np.array([[1.0, 2, 3], [-1, -2, -3]], np.float32)
    largest = model(pellucid.tensor(x)).detach().numpy().argmax(1)
    assert_close(saliency(model, x), weight[largest])


def test_B2_E19_the_shuffled_column_that_matters_costs_accuracy(rng: np.random.Generator) -> None:
    x = rng.normal(size=(300, 3)).astype(np.float32)
    y = x[:, 1] > 0
    lost = permutation_importance(
        lambda rows: rows[:, 1] > 0, x, y, lambda a, b: float((a == b).mean()), seed=1
    )
    assert lost.shape == (3, 5)
    assert (lost[[0, 2]] == 0).all() and (np.abs(lost[1] - 0.5) < 0.1).all()
    with pytest.raises(ShapeError, match="one target for each"):
        permutation_importance(lambda rows: rows, x, y[:5], lambda a, b: 0.0)


def test_B2_E19_shapley_values_sum_to_the_answer(rng: np.random.Generator) -> None:
    model = mlp(4, (6,), 1, activation="tanh")
    background = rng.normal(size=(20, 4)).astype(np.float32)
    row = rng.normal(size=4).astype(np.float32)

    def predict(rows: np.ndarray) -> pellucid.Tensor:
        return model(pellucid.tensor(rows.astype(np.float32)))

    shares = shapley_values(predict, row, background)
    gap = predict(row[None]).item() - predict(background).mean().item()
    assert shares.sum() == pytest.approx(gap, rel=1e-4, abs=1e-6)
    weights = np.array([2.0, -1.0, 0.0])
    linear = shapley_values(lambda rows: rows @ weights, np.ones(3), np.zeros((5, 3)))
    assert_close(linear, weights, atol=1e-12)
    with pytest.raises(ArgumentError, match="at most 15 inputs"):
        shapley_values(predict, np.zeros(16), np.zeros((2, 16)))


class Places(nn.Module):
    """A layer with pictures as output: each channel is a multiple of the picture."""

    def forward(self, images: pellucid.Tensor) -> pellucid.Tensor:
        return images.relu() * pellucid.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)


def test_B2_grad_cam_shows_where_the_evidence_lies() -> None:
    picture = np.zeros((1, 1, 4, 5), np.float32)
    picture[0, 0, 1, 3], picture[0, 0, 2, 0] = 2.0, 1.0
    places = Places()
    model = nn.Sequential(places, nn.Flatten(), nn.Linear(40, 2))
    with pellucid.no_grad():
        model[2].weight.fill_(1.0)
    seen = grad_cam(model, places, picture, 0)
    assert_close(seen[0], picture[0, 0] / 2)
    with pytest.raises(ShapeError, match="channels, height, width"):
        grad_cam(model, model[1], picture)


# ---- B4 to B16: neurons and layers ---------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 3, 12])
def test_B4_B11_C7_D7_depth_and_widths_are_parameters(depth: int) -> None:
    widths = tuple(range(3, 3 + depth))
    linears = [layer for layer in mlp(2, widths, 4) if isinstance(layer, nn.Linear)]
    shapes = list(zip((2, *widths), (*widths, 4), strict=True))
    assert [(layer.in_features, layer.out_features) for layer in linears] == shapes


def test_B5_D1_a_unit_fires_above_its_threshold() -> None:
    gates = {"and": ([0.5, 0.5], -0.7), "nand": ([-0.5, -0.5], 0.7), "or": ([0.5, 0.5], -0.2)}
    table = {"and": [0, 0, 0, 1], "nand": [1, 1, 1, 0], "or": [0, 1, 1, 1]}
    rows = pellucid.tensor(XOR_ROWS)
    units = {name: Perceptron(2, *settings) for name, settings in gates.items()}
    for name, unit in units.items():
        assert unit(rows).tolist() == table[name], name
    # No single unit makes exclusive or; two layers do: AND(NAND, OR).
    both = pellucid.stack([units["nand"](rows), units["or"](rows)], dim=1)
    assert units["and"](both).tolist() == [0, 1, 1, 0]
    with pytest.raises(ShapeError, match="one weight for each input"):
        Perceptron(2, [1.0])


def test_B16_a_dense_layer_does_not_see_which_pixels_are_neighbours() -> None:
    """The same shuffle of all pixels: no change for an MLP, a loss for shared 3×3 patches."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    shuffled = images[:, np.random.default_rng(5).permutation(64)]
    cut, found = 300, {}
    patches = np.array([[8 * (r + i) + c + j for i in range(3) for j in range(3)]
                        for r in range(6) for c in range(6)])  # fmt: skip

    class Patches(nn.Module):
        """A convolution written out: one small dense layer for all 36 patches, then a maximum."""

        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(9, 16)
            self.out = nn.Linear(16 * 4, 10)

        def forward(self, pixels: pellucid.Tensor) -> pellucid.Tensor:
            features = self.shared(pixels.reshape(-1, 36, 9)).relu()
            quarters = features.reshape(-1, 2, 3, 2, 3, 16).amax((2, 4))
            return self.out(quarters.reshape(-1, 64))

    for name, x in (("as they are", images), ("shuffled", shuffled)):
        for kind in ("mlp", "patches"):
            pellucid.manual_seed(2)
            model = mlp(64, (32,), 10) if kind == "mlp" else Patches()
            rows = x if kind == "mlp" else x[:, patches].reshape(len(x), -1)
            optimizer = optim.Adam(model.parameters(), lr=0.01)
            train(model, F.cross_entropy, rows[:cut], labels[:cut].astype(np.int64), optimizer, 120)
            found[kind, name] = accuracy(model, rows[cut:], labels[cut:])
    assert abs(found["mlp", "as they are"] - found["mlp", "shuffled"]) < 0.02, found
    assert found["patches", "as they are"] > found["patches", "shuffled"] + 0.05, found


# ---- B20 to B23: equal weights, with their golden losses -----------------------------------------


@pytest.mark.parametrize(
    ("value", "golden"), [(0.0, 0.6931), (1.0, 0.4812), (0.54, 0.4813)], ids=["0", "1", "0.54"]
)
def test_B20_B22_B23_equal_weights_act_as_one_hidden_unit(value: float, golden: float) -> None:
    """A tanh 2-4-1 network on exclusive or whose weights all start equal."""
    model = mlp(2, (4,), 1, activation="tanh").double()
    for name, parameter in model.named_parameters():
        nn.init.constant_(parameter, value if name.endswith("weight") else 0.0)
    x, y = XOR_ROWS.astype(np.float64), XOR.astype(np.float64)
    losses = train(model, LOGISTIC, x, y, optim.SGD(model.parameters(), lr=0.5), 2000)
    assert losses[-1] == pytest.approx(golden, abs=1e-4)
    hidden = np.hstack([model[0].weight.detach().numpy(), model[0].bias.detach().numpy()[:, None]])
    assert (hidden == hidden[0]).all()
    assert (model[2].weight.detach().numpy() == model[2].weight[0, 0].item()).all()
    if value == 0:
        assert not hidden.any() and not model[2].weight.any().item()


def test_B21_the_diagnosis_flags_weights_that_never_become_different() -> None:
    model = mlp(2, (4, 4), 1)
    assert check_model(model) == []
    nn.init.zeros_(model[0].weight)
    nn.init.constant_(model[2].weight, 0.54)
    zero, equal = check_model(model)
    assert (zero.what, zero.where) == ("zero weights", "0")
    assert (equal.what, equal.where) == ("equal weights", "2")
    assert "zeros are for biases" in zero.remedy and "same gradients" in equal.evidence
    with pellucid.no_grad():
        model[4].weight[0, 1] = float("nan")
    assert check_model(model)[-1].what == "non-finite weights"
    single = nn.Linear(3, 2)
    nn.init.zeros_(single.weight)
    assert check_model(single) == []  # logistic regression may start at 0: nothing is hidden


# ---- B30: the playground -------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATORS)
def test_B30_playground_data_have_its_controls(name: str) -> None:
    for noise, percent in ((0, 10), (50, 90)):
        data = playground(name, samples=200, noise=noise, train_percent=percent, seed=4)
        x = np.concatenate([data.train[0], data.test[0]])
        y = np.concatenate([data.train[1], data.test[1]])
        assert len(data.train[0]) == 2 * percent and x.shape == (200, 2)
        assert x.dtype == np.float32 and np.abs(x).max() < 11
        if data.task == "regression":
            assert y.shape == (200, 1) and -1 <= y.min() < 0 < y.max() <= 1
        else:
            assert set(y) == {0, 1} and 60 <= y.sum() <= 140
    again = playground(name, samples=200, noise=50, train_percent=90, seed=4)
    np.testing.assert_array_equal(again.train[0], data.train[0])
    assert derived(x, tuple(INPUTS)).shape == (200, 7)


def test_B30_the_data_are_what_they_are_called() -> None:
    x, y = playground("circle", 400, train_percent=90).train
    np.testing.assert_array_equal(y, np.hypot(*x.T) < 2.5)
    x, y = playground("xor", 400, train_percent=90).train
    np.testing.assert_array_equal(y, x[:, 0] * x[:, 1] > 0)
    x, y = playground("plane", 400, train_percent=90).train
    assert_close(y[:, 0], np.clip(x.sum(1) / 10, -1, 1), 1e-5, 1e-6)
    x, y = playground("gauss", 400, train_percent=90).train
    assert ((x.sum(1) > 0) == y).mean() > 0.99
    x, y = playground("gauss-regression", 2000, train_percent=90).train
    assert y[np.hypot(x[:, 0], x[:, 1] - 2.5) < 0.3].mean() < -0.85
    for mistake in ({"noise": 51}, {"train_percent": 95}, {"samples": 3}, {"name": "moons"}):
        with pytest.raises(ArgumentError):
            playground(**{"name": "xor", **mistake})


def test_B30_the_picture_of_the_decision_follows_the_boundary(tmp_path: Path) -> None:
    data = playground("xor", seed=1)
    model = mlp(2, (8,), 1, activation="tanh", initialization="xavier_normal")
    # The playground's own defaults: learning rate 0.03, batch 10.
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    train(model, LOGISTIC, data.train[0], column(data.train[1]), optimizer, 300)
    draw_decision(model, *data.train, tmp_path / "regions.png", resolution=50)
    assert (tmp_path / "regions.png").read_bytes().startswith(b"\x89PNG")
    answers = decision_regions(model, *data.train, resolution=50).answers
    side = np.linspace(-1, 1, 50)
    expected = side[None] * side[:, None] > 0
    assert (answers == expected).mean() > 0.9
    with pytest.raises(FileError, match="folder that exists"):
        draw_decision(model, *data.train, tmp_path / "none" / "a.svg")
    with pytest.raises(ArgumentError, match="Name the file so"):
        draw_decision(model, *data.train, tmp_path / "a.gif")


# ---- B32 to B45: activations ---------------------------------------------------------------------


def test_B32_B57_sigmoid_in_a_hidden_layer_is_warned_of() -> None:
    hidden = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1), nn.Sigmoid())
    (finding,) = check_model(hidden)
    assert (finding.what, finding.where) == ("sigmoid in a hidden layer", "1")
    assert "tanh" in finding.remedy and "output layer" in finding.remedy
    for better in (nn.ReLU(), nn.Tanh()):
        assert check_model(nn.Sequential(nn.Linear(2, 4), better, nn.Linear(4, 1))) == []
    assert check_model(nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())) == []


def test_B34_A7_gradient_norms_are_told_for_each_layer() -> None:
    x, y = pellucid.randn(32, 20), pellucid.randint(0, 2, (32,))
    ratios = {}
    for activation, start in (("sigmoid", "xavier_normal"), ("relu", "he_normal")):
        model = mlp(20, (20,) * 19, 2, activation=activation, initialization=start)
        with pytest.raises(AutogradError, match=r"loss\.backward\(\)"):
            gradient_norms(model)
        F.cross_entropy(model(x), y).backward()
        norms = gradient_norms(model)
        assert list(norms) == [str(2 * i) for i in range(20)]
        first = np.sqrt(sum(float((p.grad.numpy() ** 2).sum()) for p in model[0].parameters()))
        assert norms["0"] == pytest.approx(first, rel=1e-5)
        ratios[activation] = norms["0"] / norms["38"]
        found = check_gradients(model)
        assert [f.what for f in found] == (["vanishing gradients"] if start[0] == "x" else [])
    assert ratios["sigmoid"] < 0.25**15 < 1e-6 < 0.01 < ratios["relu"]


def test_B36_B41_relu_needs_no_exponential() -> None:
    x = pellucid.randn(8)
    operations = {
        name: {n.op.name for n in graph_of(lambda v, f=f: f(v), x).nodes()}
        for name, f in (("relu", F.relu), ("sigmoid", F.sigmoid), ("tanh", F.tanh))
    }
    costly = {"exp", "expm1", "sigmoid", "logistic", "tanh"}
    assert not operations["relu"] & costly
    assert operations["sigmoid"] & costly and operations["tanh"] & costly


@pytest.mark.parametrize(
    ("name", "function", "low", "high", "points", "derivative"),
    [
        ("sigmoid", F.sigmoid, -10, 10, 100, lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        ("tanh", F.tanh, -10, 10, 100, lambda x: 1 - np.tanh(x) ** 2),
        ("relu", F.relu, -10, 10, 100, lambda x: (x > 0).astype(float)),
        ("leaky", lambda x: F.leaky_relu(x, 0.03), -5, 5, 200, lambda x: np.where(x > 0, 1, 0.03)),
    ],
)
def test_B37_D4_functions_are_drawn_with_their_derivatives(
    name: str, function, low: float, high: float, points: int, derivative, tmp_path: Path
) -> None:
    axes = draw_function(function, tmp_path / f"{name}.svg", low, high, points, name)
    curve = sample_function(function, low, high, points)
    drawn = [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == points]
    assert_close(np.array(drawn)[:, :, 1], [curve.value, curve.derivative], 1e-12, 1e-12)
    assert curve.x.shape == (points,) and (curve.x[0], curve.x[-1]) == (low, high)
    assert_close(curve.derivative, derivative(curve.x), 1e-6, 1e-8)
    text = (tmp_path / f"{name}.svg").read_text()
    assert "<svg" in text and text.count("<path") > 10
    if name == "sigmoid":
        draw_function(function, tmp_path / "s.png")
        assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_B37_D4_the_step_has_no_slope_to_follow() -> None:
    """From the perceptron's step to sigmoid: nearly the same curve, but with a derivative."""
    step = sample_function(lambda x: (x > 0).double())
    smooth = sample_function(F.sigmoid)
    assert not step.derivative.any() and (smooth.derivative > 0).all()
    far = np.abs(step.x) > 5
    assert np.abs(step.value - smooth.value)[far].max() < 0.01
    with pytest.raises(ShapeError, match="element by element"):
        sample_function(lambda x: x.sum())


def test_B39_E3_smooth_functions_have_derivatives_everywhere() -> None:
    """On a grid through 0, each derivative agrees with the differences of its values."""
    for function in (F.sigmoid, F.tanh):
        curve = sample_function(function, -4, 4, 8001)
        quotient = (curve.value[2:] - curve.value[:-2]) / (curve.x[2:] - curve.x[:-2])
        assert_close(curve.derivative[1:-1], quotient, rtol=0, atol=1e-6)
        assert np.abs(np.diff(curve.derivative)).max() < 1e-3


def test_B44_B56_dead_units_are_counted_over_an_epoch(rng: np.random.Generator) -> None:
    model = mlp(4, (10, 6), 2)
    x = rng.normal(size=(3000, 4)).astype(np.float32)
    with pellucid.no_grad():
        model[0].bias[2:5] = -100.0
    first, second = dead_units(model, x)
    assert (first.layer, first.units, first.total, first.rows) == ("1", (2, 3, 4), 10, 3000)
    assert first.share == pytest.approx(0.3)
    finding = first.finding()
    assert finding is not None and "3 of 10 units (30%)" in finding.evidence
    assert "LeakyReLU" in finding.remedy
    by_hand = (model[:4](pellucid.tensor(x)).detach().numpy() == 0).all(0)
    assert second.units == tuple(np.flatnonzero(by_hand)) and model.training
    # A unit that is silent in one batch only is not dead.
    quiet, loud = np.zeros((1024, 4), np.float32), 50 * np.ones((1, 4), np.float32)
    identity = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with pellucid.no_grad():
        nn.init.eye_(identity[0].weight)
        identity[0].bias.zero_()
    assert dead_units(identity, quiet)[0].units == (0, 1, 2, 3)
    assert dead_units(identity, np.concatenate([quiet, loud]))[0].units == ()
    assert dead_units(identity, np.concatenate([quiet, loud]))[0].finding() is None
    leaky = mlp(4, (10, 6), 2, activation="leaky_relu")
    assert dead_units(leaky, x) == []


def test_B52_many_classes_need_not_all_be_scored() -> None:
    """Negative sampling: of 10,000 output rows six are read, and six get a gradient."""
    classes, width, negatives = 10_000, 16, 5
    rows = pellucid.randn(classes, width, requires_grad=True)
    hidden = pellucid.randn(width, requires_grad=True)
    chosen = pellucid.tensor([17, *range(100, 100 + negatives)])
    wanted = pellucid.tensor([1.0] + [0.0] * negatives)
    loss = LOGISTIC(rows[chosen] @ hidden, wanted, reduction="sum")
    loss.backward()
    touched = np.flatnonzero(rows.grad.numpy().any(1))
    assert touched.tolist() == sorted(chosen.tolist())
    scores = rows.detach().numpy()[chosen.numpy()] @ hidden.detach().numpy()
    signs = 2 * wanted.numpy() - 1
    assert loss.item() == pytest.approx(np.logaddexp(0, -signs * scores).sum(), rel=1e-5)


# ---- B54 to B58: which to take -------------------------------------------------------------------


def test_B54_B55_B57_C20_E11_activations_for_hidden_layers_are_suggested() -> None:
    first = suggest_activation("hidden")
    assert first.choice == "ReLU" and isinstance(first.make(), nn.ReLU)
    assert first == suggest_activation()
    assert first.instead[0][0] == "LeakyReLU" and "die" in first.instead[0][1]
    assert dict(first.avoid).keys() >= {"Sigmoid"} and "Tanh" in dict(first.instead)
    table = activation_table()
    for advice in HIDDEN.values():
        assert f"**{advice.choice}**" in table
        for name in (advice.choice, *dict(advice.instead), *dict(advice.avoid)):
            assert hasattr(nn, name)
    for head in HEADS.values():
        assert f"| {head.task} | {head.units} | {head.activation} | {head.loss} |" in head_table()
    with pytest.raises(ArgumentError, match="suggest_head"):
        suggest_activation("output")
    with pytest.raises(ArgumentError, match="Use one of: hidden"):
        suggest_activation("first")


def test_B58_D41_E11_each_task_has_its_output_layer() -> None:
    expected = {
        "regression": ("Identity", "MSELoss"),
        "binary": ("Sigmoid", "BCEWithLogitsLoss"),
        "multiclass": ("Softmax", "CrossEntropyLoss"),
        "multilabel": ("Sigmoid", "BCEWithLogitsLoss"),
    }
    assert {name: (head.activation, head.loss) for name, head in HEADS.items()} == expected
    for head in HEADS.values():
        assert hasattr(nn, head.activation) and hasattr(nn, head.loss)
        assert re.search(head.loss, str(suggest_head(head.task)))
    with pytest.raises(ArgumentError, match="Use one of: regression"):
        suggest_head("ranking")
