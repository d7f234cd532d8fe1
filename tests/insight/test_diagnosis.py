"""Diagnosis: what is wrong is named, and what is right is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.insight.diagnosis import (
    DeadUnits,
    check_gradients,
    check_model,
    dead_units,
    diagnose_curves,
    findings,
    gradient_norms,
)

LOG2, LOG10 = float(np.log(2)), float(np.log(10))
E = np.arange(40)
RISING = np.r_[0.45, 0.44, 0.435, np.linspace(0.4316, 0.4498, 11)]

RUNS: dict[str, tuple[str, Any, dict[str, float]]] = {
    "rose ten thousand times": ("diverged", ([733, 1e5, 7.6e6], [800, 1e5, 7.6e6]), {}),
    "infinite": ("diverged", ([1.0, np.inf], [1.0, 2.0]), {}),
    "to 1e32": ("diverged", ([1.5, 1e12, 3e32], [1.4, 1e12, 3e32]), {"baseline": 1.0}),
    "validation rose 3.6 times": (
        "overfitting",
        ([0.69, 0.5, 0.36], [0.69, 0.9, 2.5]),
        {"baseline": LOG2},
    ),
    "validation rose a little": (
        "overfitting",
        (np.linspace(0.39, 0.348, 14), RISING),
        {"baseline": 0.66},
    ),
    "far above, and flat": ("overfitting", (2.3 * 0.8**E, np.maximum(2.3 * 0.8**E, 1.2)), {}),
    "the best there is": (
        "at the noise floor",
        ([0.66, 0.62, 0.611, 0.611], [0.65, 0.62, 0.612, 0.612]),
        {"baseline": LOG2},
    ),
    "as good as the linear model": (
        "at the noise floor",
        ([0.66, 0.62, 0.611, 0.611], [0.65, 0.62, 0.612, 0.612]),
        {"baseline": LOG2, "reference": 0.612},
    ),
    "worse than the linear model": (
        "worse than a simple model",
        ([0.66, 0.62, 0.611, 0.611], [0.65, 0.62, 0.612, 0.612]),
        {"baseline": LOG2, "reference": 0.4},
    ),
    "up and down": ("oscillating", ([1, 0.1, 0.9, 0.1, 0.9, 0.1],) * 2, {}),
    "in a straight line": ("not finished", ([1, 0.9, 0.8, 0.7, 0.6, 0.49],) * 2, {}),
    "both falling": ("not finished", ([2.3, 1.5, 1.0], [2.3, 1.8, 1.5]), {}),
    "just begun": (
        "not finished",
        ([1.0209, 1.015, 1.009, 1.004, 0.9997], [3.099, 3.08, 3.06, 3.04, 3.02]),
        {},
    ),
    "slow": ("underfitting", (2.3 * 0.99**E, 2.32 * 0.99**E), {}),
    "at chance": ("underfitting", ([2.3, 2.3, 2.3], [2.3, 2.31, 2.3]), {"baseline": LOG10}),
    "thrown away in the first steps": (
        "diverged",
        ([2.6e8, 2.5, 2.4, 2.39], [14.3, 2.4, 2.36, 2.345]),
        {"baseline": LOG10, "reference": 0.1067},
    ),
    "nothing falls": ("underfitting", ([2.303, 2.3029, 2.3028],) * 2, {"baseline": LOG10}),
    "on the way to the linear model": (
        "not finished",
        ([1.82, 0.6, 0.3, 0.2, 0.17, 0.148], [1.25, 0.5, 0.3, 0.2, 0.17, 0.153]),
        {"baseline": LOG10, "reference": 0.1067},
    ),
    "falls for ever": ("loss below zero", ([1, -1e3, -8e9], [1, -1e3, -8e9]), {"baseline": LOG10}),
    "learned": ("good fit", (2.3 * 0.85**E + 0.05, 2.3 * 0.85**E + 0.12), {}),
    "learned in the first epoch": (
        "good fit",
        ([0.2, 0.15, 0.13], [0.21, 0.17, 0.16]),
        {"baseline": LOG10},
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_learning_curves(name: str) -> None:
    wanted, curves, known = RUNS[name]
    found = diagnose_curves(curves, **known)
    assert found.what == wanted, str(found)


def test_the_sentence_has_the_numbers_of_the_curves() -> None:
    text = diagnose_curves(([0.31, 0.2, 0.05], [0.3, 0.25, 0.2]), baseline=1.0).evidence
    assert "training loss went from 0.31 to 0.05" in text
    assert "validation loss from 0.3 to 0.2 (lowest 0.2 in epoch 3)" in text
    assert "a model that knows nothing has 1" in text
    remedy = diagnose_curves(RUNS["learned"][1]).remedy
    assert "test set" not in remedy and "has never seen" in remedy


def test_a_noisy_task_learned_as_well_as_it_can_be() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2)).astype(np.float32)
    y = (rng.random(3000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.float32)[:, None]
    model = nn.Linear(2, 1)
    adam = optim.Adam(model.parameters(), lr=0.05)
    trainer = Trainer(model, "binary_cross_entropy_with_logits", adam)
    history = trainer.fit((x[:2000], y[:2000]), (x[2000:], y[2000:]), epochs=20, batch_size=100)
    assert diagnose_curves(history, baseline=LOG2).what == "at the noise floor"


# ---- the network ---------------------------------------------------------------------------------


def whats(found: Any) -> list[str]:
    return [finding.what for finding in found]


def test_heads_and_losses_that_do_not_belong_together() -> None:
    def net(*head: nn.Module, units: int = 3) -> nn.Sequential:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, units), *head)

    softmax, sigmoid, log = nn.Softmax(dim=1), nn.Sigmoid(), nn.LogSoftmax(dim=1)
    cases: list[tuple[nn.Module, Any, list[str]]] = [
        (net(softmax), "cross_entropy", ["doubled head"]),
        (net(softmax), nn.CrossEntropyLoss(), ["doubled head"]),
        (net(sigmoid, units=1), "binary_cross_entropy_with_logits", ["doubled head"]),
        (net(nn.LogSigmoid(), units=1), nn.BCEWithLogitsLoss(), ["doubled head"]),
        (net(), "nll_loss", ["missing head"]),
        (net(softmax), "nll_loss", ["missing head"]),
        (net(units=1), "binary_cross_entropy", ["missing head"]),
        (net(units=1), "cross_entropy", ["softmax over one unit"]),
        (net(nn.ReLU()), "cross_entropy", ["activation on the scores"]),
        (net(nn.Softmax(dim=1), units=1), None, ["softmax over one unit"]),
        (net(nn.Softmax(dim=0)), None, ["softmax over the rows"]),
        (net(), "cross_entropy", []),
        (net(log), "nll_loss", []),
        (net(log), "cross_entropy", []),  # its logarithm is applied twice, which changes nothing
        (net(sigmoid, units=1), "binary_cross_entropy", []),
        (net(units=1), "binary_cross_entropy_with_logits", []),
        (net(), "mse_loss", []),
        (net(softmax), None, []),
    ]
    for model, loss, wanted in cases:
        assert whats(check_model(model, loss=loss)) == wanted, f"{model} {loss}"
        x = np.ones((5, 4), np.float32)
        assert whats(check_model(model, x, loss)) == wanted, f"{model} {loss}, run"
    assert whats(check_model(Trainer(net(softmax), "cross_entropy"))) == ["doubled head"]


def test_a_head_in_a_class_of_ones_own_is_found_with_data() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.softmax = nn.Softmax(dim=1)
            self.layer = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.softmax(self.layer(x))

    (found,) = check_model(Net(), np.ones((2, 4), np.float32), "cross_entropy")
    assert (found.what, found.where) == ("doubled head", "softmax")
    assert "nn.LogSoftmax with nll_loss" in found.remedy


def test_units_that_start_equal_are_found_pair_by_pair() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    assert check_model(model) == []
    with pellucid.no_grad():
        model[0].weight[0:6] = model[0].weight[0]
    (found,) = check_model(model)
    assert found.what == "equal weights" and "6 of 8 units" in found.evidence
    nn.init.constant_(model[0].weight, 0.3)
    with pellucid.no_grad():
        model[0].weight[0, 0] = 1.0
    (found,) = check_model(model)
    assert found.what == "equal weights" and "7 of 8 units" in found.evidence


def test_weights_of_another_size_than_any_start() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    for deviation, wanted in ((10.0, ["large weights"]), (1e-4, ["small weights"]), (0.5, [])):
        nn.init.normal_(model[2].weight, 0.0, deviation)
        assert whats(check_model(model)) == wanted


def test_linear_layers_in_a_row() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4), nn.Linear(4, 4))
    found = check_model(model)
    assert whats(found) == ["no activation between layers"] * 2
    assert [f.where for f in found] == ["2", "3"]
    bottleneck = nn.Sequential(nn.Linear(64, 4, bias=False), nn.Linear(4, 64))
    assert check_model(bottleneck) == []


def test_good_models_are_left_alone() -> None:
    zero_output = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.zeros_(zero_output[2].weight)
    assert check_model(zero_output) == []
    zero_output(pellucid.ones(2, 4)).square().sum().backward()
    assert whats(check_gradients(zero_output)) in ([], ["zero gradients"])

    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.sigmoid = nn.Linear(4, 4), nn.Sigmoid()
            self.out = nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.out(x * self.sigmoid(self.gate(x)))

    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    assert check_model(Gate()) == [] and check_model(Gate(), x) == []
    assert DeadUnits("0", (3,), 500, 1000).finding() is None
    assert DeadUnits("0", (3, 4), 20, 1000).finding() is not None
    for model in (nn.LSTM(4, 8), nn.MultiheadAttention(8, 2), nn.TransformerEncoderLayer(8, 2)):
        assert check_model(model) == []
    assert check_model(nn.Sequential(nn.Embedding(10, 64), nn.Linear(64, 3))) == []


# ---- gradients and units -------------------------------------------------------------------------


class Scaled(nn.Module):
    """The layer used last stands first."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.out = nn.Linear(8, 1)
        self.body = nn.Linear(4, 8)
        with pellucid.no_grad():
            self.out.weight.mul_(factor)

    def forward(self, x: Any) -> Any:
        return self.out(self.body(x))


@pytest.mark.parametrize(("factor", "wanted"), [(1e-5, "vanishing"), (1e5, "exploding")])
def test_gradients_are_compared_in_the_order_of_use(factor: float, wanted: str) -> None:
    pellucid.manual_seed(3)
    model = Scaled(factor)
    model(pellucid.rand(50, 4)).sum().backward()
    assert list(gradient_norms(model)) == ["body", "out"]
    (found,) = check_gradients(model)
    assert (found.what, found.where) == (f"{wanted} gradients", "body")
    assert "in body and" in found.evidence


def test_layers_without_gradient_are_named() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 1)

        def forward(self, x: Any) -> Any:
            return self.second(self.first(x).detach())

    model = Cut()
    model(pellucid.rand(5, 4)).sum().backward()
    (found,) = check_gradients(model)
    assert (found.what, found.where) == ("no gradient", "first")
    assert "weight, bias" in found.evidence and "detach()" in found.remedy
    model.first.requires_grad_(False)
    assert check_gradients(model) == []


def test_gradients_that_are_all_zero() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Softmax(dim=1))
    model(pellucid.rand(5, 4)).sum().backward()
    assert "zero gradients" in whats(check_gradients(model))
    dead = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    with pellucid.no_grad():
        dead[0].bias.fill_(-100.0)
    dead(pellucid.rand(5, 4)).square().sum().backward()
    (found,) = check_gradients(dead)
    assert (found.what, found.where) == ("zero gradients", "0") and "dead units" in found.remedy


def test_units_of_relu_as_a_function_can_be_dead_too() -> None:
    class Net(nn.Module):
        def __init__(self, call: Any) -> None:
            super().__init__()
            self.a, self.b, self.relu, self.call = nn.Linear(4, 8), nn.Linear(8, 6), nn.ReLU(), call

        def forward(self, x: Any) -> Any:
            return self.relu(self.b(self.call(self.a(x))))

    x = np.random.default_rng(2).random((50, 4)).astype(np.float32)
    pellucid.manual_seed(4)
    for call in (nn.functional.relu, lambda x: x.relu(), pellucid.relu):
        model = Net(call)
        with pellucid.no_grad():
            model.a.bias[2:5] = -100.0
        layers = {layer.layer: layer for layer in dead_units(model, x)}
        assert sorted(layers) == ["relu", "relu (function)"]
        spoke = (model.a(pellucid.tensor(x)).detach().numpy() > 0).any(axis=0)
        assert layers["relu (function)"].units == tuple(np.flatnonzero(~spoke))
        assert {2, 3, 4} <= set(layers["relu (function)"].units)
        assert layers["relu (function)"].total == 8 and layers["relu"].total == 6


def test_all_findings_of_a_run_in_the_order_in_which_to_mend_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = rng.integers(0, 3, 60)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
    with pellucid.no_grad():
        model[0].bias[:4] = -100.0
    trainer = Trainer(model, "cross_entropy", seed=0)
    history = trainer.fit((x[:40], y[:40]), (x[40:], y[40:]), epochs=3)
    found = findings(model, trainer.loss, history, x, baseline=float(np.log(3)))
    assert whats(found)[:2] == ["doubled head", "dead units"] and len(found) == 3
    assert whats(findings(model, trainer.loss)) == ["doubled head"]
