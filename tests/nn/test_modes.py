"""Looking at a network leaves every layer as it was; layers say what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.insight.diagnosis import check_model, dead_units, findings
from pellucid.insight.explain import grad_cam, saliency
from pellucid.insight.features import feature_maps
from pellucid.nn.ends import last_layer, taken_by
from pellucid.nn.modes import evaluation, training
from pellucid.nn.observing import bounds_of
from pellucid.optim.swa_utils import update_bn
from pellucid.training import observe
from pellucid.training.summary import summary
from pellucid.training.trainer import Trainer

X = np.random.default_rng(5).normal(size=(12, 4)).astype(np.float32)
IMAGES = np.random.default_rng(6).normal(size=(3, 1, 6, 6)).astype(np.float32)


def partly_frozen() -> nn.Sequential:
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Sequential(nn.Dropout(), nn.Linear(8, 3))
    )
    model.train()
    model[1].eval()
    model[3][0].eval()
    return model


def frozen_images() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)
    )
    model[1].eval()
    return model


LOOKS: dict[str, Callable[[Any], object]] = {
    "saliency": lambda m: saliency(m, X, 1),
    "dead_units": lambda m: dead_units(m, X),
    "check_model": lambda m: check_model(m, X),
    "findings": lambda m: findings(m, "cross_entropy", data=X),
    "summary": lambda m: summary(m, X),
    "observe": lambda m: observe.observe(m, X),
    "evaluate": lambda m: Trainer(m, "cross_entropy").evaluate((X, np.zeros(12, np.int64))),
    "predict": lambda m: Trainer(m, "cross_entropy").predict(X),
    "predict_class": lambda m: Trainer(m, "cross_entropy").predict_class(X),
    "fit": lambda m: Trainer(m, "cross_entropy").fit((X, np.zeros(12, np.int64)), epochs=1),
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_leaves_the_mode_of_every_layer(look: str) -> None:
    model = partly_frozen()
    before = [layer.training for layer in model.modules()]
    LOOKS[look](model)
    assert [layer.training for layer in model.modules()] == before
    model.eval()
    if look != "fit":
        LOOKS[look](model)
        assert not any(layer.training for layer in model.modules())


def test_looking_at_pictures_does_so_too() -> None:
    model = frozen_images()
    before = [layer.training for layer in model.modules()]
    feature_maps(model, IMAGES[0])
    grad_cam(model, model[0], IMAGES)
    assert [layer.training for layer in model.modules()] == before


def test_statistics_that_are_frozen_do_not_move_in_training() -> None:
    model = partly_frozen()
    mean = model[1].running_mean.clone()
    Trainer(model, "cross_entropy", seed=0).fit((X, np.zeros(12, np.int64)), epochs=2)
    assert model[1].running_mean.tolist() == mean.tolist()


def test_averaged_statistics_are_measured_in_training_mode_and_modes_come_back() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout())
    model[2].eval()
    update_bn([pellucid.tensor(X)], model)
    expected = model[0](pellucid.tensor(X)).mean(0)
    assert model[1].running_mean.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert [layer.training for layer in model] == [True, True, False]


def test_modes_come_back_after_an_error_and_through_a_class_of_ones_own() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Dropout()
            self.calls: list[bool] = []

        def train(self, mode: bool = True) -> Any:
            self.calls.append(mode)
            return super().train(mode)

    model = Own()
    with pytest.raises(KeyError):
        with evaluation(model):
            assert not model.layer.training
            raise KeyError("stop")
    assert model.layer.training and model.calls == [False, True]
    model.eval()
    with training(model):
        assert model.layer.training
    assert not model.layer.training and not model.training


# ---- what layers say of themselves ---------------------------------------------------------------


def test_bounds_are_those_the_layer_names_whatever_its_class_is_called() -> None:
    class Hardtanh(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

    class Squash(nn.Module):
        output_bounds = (0.0, 9.0)

        def forward(self, x: Any) -> Any:
            return x.clamp(0, 9)

    assert bounds_of(Hardtanh()) is None and bounds_of(Squash()) == (0, 9)
    assert bounds_of(nn.Hardtanh(-2, 3)) == (-2, 3) and bounds_of(nn.Sigmoid()) == (0, 1)
    model = nn.Sequential(nn.Linear(4, 3), Hardtanh(), Squash())
    with model.observe() as seen:
        model(pellucid.tensor(X))
    assert set(seen.latest()["output"]) == {"0", "1", "2"}


def test_bounds_hold_for_large_inputs_of_either_sign() -> None:
    x = pellucid.tensor([[-1e4, 0.0, 1e4]])
    layers = [nn.Sigmoid(), nn.Tanh(), nn.ReLU6(), nn.Hardsigmoid(), nn.Softsign(), nn.Hardtanh()]
    for layer in (*layers, nn.Softmax(1), nn.Softmin(1)):
        low, high = layer.output_bounds  # type: ignore[misc]
        made = layer(x)
        assert made.min().item() == pytest.approx(low, abs=1e-3)
        assert made.max().item() == pytest.approx(high, abs=1e-3)


def test_losses_say_what_they_take() -> None:
    F = nn.functional  # noqa: N806
    for loss, kind in (
        ("cross_entropy", "scores"),
        (F.binary_cross_entropy, "probabilities"),
        (nn.NLLLoss(), "log-probabilities"),
        (nn.BCEWithLogitsLoss(), "scores"),
        (nn.MSELoss(), ""),
        (lambda a, b: a, ""),
    ):
        assert taken_by(loss) == kind


def test_the_last_layer_is_the_one_whose_result_is_the_networks() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sigmoid()
            self.body = nn.Linear(4, 1)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x))

    model = Backwards()
    assert last_layer(model, pellucid.tensor(X)) is model.head and last_layer(model) is None
    nested = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 1)))
    assert last_layer(nested) is nested[1][1]


HEADS: dict[str, tuple[Callable[[], nn.Module | None], Any]] = {
    "a score": (lambda: None, "binary_cross_entropy_with_logits"),
    "a sigmoid": (nn.Sigmoid, "binary_cross_entropy"),
    "a sigmoid and a loss as module": (nn.Sigmoid, nn.BCELoss()),
    "a doubled sigmoid": (nn.Sigmoid, "binary_cross_entropy_with_logits"),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_head_given_as_a_layer_gets_the_right_classes(head: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2)).astype(np.float32)
    y = (x[:, :1] > 0.7).astype(np.float32)
    make, loss = HEADS[head]
    last = make()
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1), *([last] if last else []))
    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.02), seed=0)
    trainer.fit((x, y), epochs=20)
    right = (trainer.predict_class(x).numpy() == y[:, 0]).mean()
    assert right > 0.9, f"{right:.3f} of the rows, {y.mean():.3f} are of class 1"


def test_a_probability_by_a_function_is_known_by_its_loss() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 1)

        def forward(self, x: Any) -> Any:
            return pellucid.sigmoid(self.layer(x))

    trainer = Trainer(Net(), "binary_cross_entropy")
    expected = (trainer.predict(X).numpy()[:, 0] > 0.5).astype(int)
    assert 0 < expected.sum() < len(X)
    assert trainer.predict_class(X).tolist() == expected.tolist()


# ---- notebooks -----------------------------------------------------------------------------------


def test_a_module_is_shown_as_a_tree_that_opens() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
            self.out = nn.Linear(8, 2)
            self.out.weight.requires_grad_(False)

        def extra_repr(self) -> str:
            return "<script>alert(1)</script>"

    page = Net()._repr_html_()
    assert "<b>Net</b>" in page and "74 parameters" in page and "<b>out: Linear</b>" in page
    assert "<td>weight</td><td>(8, 4)</td><td>float32</td><td>learned</td>" in page
    assert "<td>weight</td><td>(2, 8)</td><td>float32</td><td>frozen</td>" in page
    assert "<td>running_mean</td><td>(8,)</td><td>float32</td><td>buffer</td>" in page
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert page.count("<details") == page.count("</details>") == 5  # ReLU holds nothing


def test_a_broken_extra_repr_does_not_hide_the_others() -> None:
    class Broken(nn.Linear):
        def extra_repr(self) -> str:
            raise ValueError("broken")

    assert "<b>0: Broken</b>" in nn.Sequential(Broken(2, 2))._repr_html_()
