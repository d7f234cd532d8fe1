"""What is said during and after a training: the fault that was put in, and nothing of healthy ones.

Programs are whole trainings; faults are put in one at a time.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import NonFiniteError
from pellucid.insight.doctor import Case, Rows
from pellucid.insight.doctor.adversaries import mean_distance
from pellucid.insight.doctor.examine import examined
from pellucid.insight.doctor.probes import PROBES
from pellucid.insight.doctor.rules.fit import collapse, waiting
from pellucid.insight.doctor.rules.flow import flow_of
from pellucid.insight.doctor.standing import standing_of, swing, trend
from pellucid.insight.doctor.trying import bench_of

RNG = np.random.default_rng(7)
CENTRES = 1.5 * RNG.standard_normal((3, 10))
LABELS = RNG.integers(0, 3, 240)
X = (CENTRES[LABELS] + RNG.standard_normal((240, 10))).astype(np.float32)
NUMBERS = (np.sin(X[:, :1]) + 0.5 * X[:, 1:2]).astype(np.float32)
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
EITHER = np.array([[0], [1], [1], [0]], np.float32)


def network(inputs, outputs, *, hidden=32, act=nn.ReLU, depth=2, end=None, dropout=0.0, norm=False):
    pellucid.manual_seed(4)
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, hidden)]
        layers += [nn.BatchNorm1d(hidden)] if norm else []
        layers += [act()] + ([nn.Dropout(dropout)] if dropout else [])
        inputs = hidden
    layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers, *([] if end is None else [end]))


def adam(model, lr=0.01, **settings):
    return optim.Adam(model.parameters(), lr=lr, **settings)


def sgd(model, lr=0.1, **settings):
    return optim.SGD(model.parameters(), lr=lr, **settings)


def trained(model, loss, optimizer, x=X, y=LABELS, *, epochs=10, batch=32, hold=True, **settings):
    """A case after a training whose every step's loss is known, a fifth of the rows held out."""
    kept = len(x) * 4 // 5 if hold and len(x) > 20 else len(x)
    losses = []
    trainer = Trainer(model, loss, optimizer, compile=False, **settings)
    inner = trainer.loss

    def noted(scores, targets):
        value = inner(scores, targets)
        if value.requires_grad:
            losses.append(float(value.detach().item()))
        return value

    trainer.loss = noted
    held = (x[kept:], y[kept:]) if kept < len(x) else None
    try:
        trainer.fit((x[:kept], y[:kept]), held, epochs=epochs, batch_size=batch, progress=False)
    except NonFiniteError:
        pass
    trainer.loss = inner
    rows = [Rows(pellucid.tensor(a), pellucid.tensor(b), len(a)) for a, b in
            [(x[:kept], y[:kept]), *([held] if held else [])]]  # fmt: skip
    history = [vars(record) if hasattr(record, "__dict__") else
               {n: getattr(record, n) for n in record.__dataclass_fields__}
               for record in trainer.history.epochs]  # fmt: skip
    return Case(
        model, inner, optimizer, *rows, phase="after", losses=losses, step=trainer.history.steps,
        history=history, settings={"batch_size": batch, "epochs": epochs, **settings},
    )  # fmt: skip


def with_optimizer(model, make, *args, **settings):
    loss = settings.pop("loss", "cross_entropy")
    return trained(model, loss, make(model), *args, **settings)


def dead():
    model = network(10, 3)
    model[0].bias.data.add_(-30.0)
    return with_optimizer(model, lambda m: adam(m, 1e-3))


def frozen_statistics():
    model = network(10, 1, norm=True)
    model[0].bias.data.add_(5.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 0.0
    return with_optimizer(model, adam, X, NUMBERS, loss="mse_loss", hold=False)


def noisy(features):
    return features + 10 * pellucid.randn(*features.shape), None


SICK = {
    "LR_HIGH": lambda: with_optimizer(network(10, 3), lambda m: sgd(m, 30.0)),
    "LR_HIGH, numbers": lambda: with_optimizer(
        network(10, 1), lambda m: sgd(m, 3.0), X, NUMBERS, loss="mse_loss"
    ),
    "LR_LOW": lambda: with_optimizer(network(10, 3), lambda m: adam(m, 1e-6)),
    "GRAD_SIGN": lambda: with_optimizer(
        network(10, 3), lambda m: sgd(m, 0.01, maximize=True), epochs=3
    ),
    "EPOCHS_FEW": lambda: with_optimizer(network(10, 3), lambda m: sgd(m, 0.02), epochs=5),
    "ACT_HID": lambda: with_optimizer(network(10, 3, act=nn.Sigmoid, depth=7), sgd),
    "REG_EXCESS": lambda: with_optimizer(network(10, 3), lambda m: sgd(m, weight_decay=1.0)),
    "REG_EXCESS, dropout": lambda: with_optimizer(
        network(10, 3, dropout=0.97), lambda m: adam(m, 1e-3)
    ),
    "OVERFIT": lambda: with_optimizer(
        network(10, 3, hidden=96), lambda m: adam(m, 3e-3), X[:120],
        np.where(RNG.random(120) < 0.5, LABELS[:120], RNG.integers(0, 3, 120)), epochs=40,
    ),
    "DEAD_RELU": dead,
    "BN_MODE": frozen_statistics,
    "AUGMENT": lambda: with_optimizer(network(10, 3), adam, augment=noisy),
    "WEIGHTS_STILL": lambda: with_optimizer(
        network(10, 3), lambda m: optim.Adam([m[4].bias], lr=0.01)
    ),
    "METRIC_WRONG": lambda: with_optimizer(network(10, 3), adam, metric=lambda s, t: 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_the_fault_is_named(name):
    report = examined(SICK[name](), PROBES, seconds=60)
    found = [finding.cause for finding in report]
    assert name.split(",")[0] in found, (found, [str(s) for s in report.case.notes["suspicions"]])
    finding = report[found.index(name.split(",")[0])]
    assert finding.evidence and finding.remedy
    assert str(finding.place)
    assert "refused" not in report.case.notes


def zero_start(model, layer):
    model[layer].weight.data.zero_()
    return model


CLEAN = {
    "two hidden layers": lambda: with_optimizer(network(10, 3), adam),
    "numbers": lambda: with_optimizer(network(10, 1), adam, X, NUMBERS, epochs=25, loss="mse_loss"),
    "one layer from zeros": lambda: with_optimizer(zero_start(network(10, 3, depth=0), 0), sgd),
    "last layer from zeros": lambda: with_optimizer(zero_start(network(10, 3), 4), adam),
    "linear for linear": lambda: with_optimizer(
        network(10, 1, depth=0), lambda m: sgd(m, 0.05), X, X.sum(1, keepdims=True), loss="mse_loss"
    ),
    "sigmoid and squared error on xor": lambda: with_optimizer(
        network(2, 1, hidden=8, act=nn.Tanh, depth=1, end=nn.Sigmoid()), lambda m: adam(m, 0.1),
        XOR, EITHER, epochs=200, batch=4, loss="mse_loss",
    ),
    "Adadelta at 1": lambda: with_optimizer(
        network(10, 3), lambda m: optim.Adadelta(m.parameters(), lr=1.0)
    ),
    "deep ReLU": lambda: with_optimizer(
        network(10, 3, depth=7), lambda m: adam(m, 3e-3), epochs=20
    ),
    "normalization and dropout": lambda: with_optimizer(
        network(10, 3, norm=True, dropout=0.2), adam
    ),
    "unbalanced": lambda: with_optimizer(
        network(10, 2), adam, X, ((X[:, 0] > 1.2) & (X[:, 1] > 0)).astype(int), epochs=25
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_said_of_a_healthy_training(name):
    report = examined(CLEAN[name](), PROBES, seconds=60)
    assert report.is_healthy, str(report)
    assert "refused" not in report.case.notes


# ---- the parts -----------------------------------------------------------------------------------


def test_a_trend_is_told_from_noise():
    noise = 0.1 * np.random.default_rng(0).standard_normal(30)
    flat, falling = trend(1 + noise), trend(1 - 0.05 * np.arange(30) + noise)
    assert not flat.falls and not flat.rises
    assert falling.falls and falling.slope == pytest.approx(-0.05, abs=0.01)
    assert falling.noise == pytest.approx(0.1, rel=0.3)
    assert trend([1.0, 2.0]) is None and trend([1, math.nan, 3, 4, 5]) is None
    assert swing(np.array([1, 0.1, 0.9, 0.1, 0.9, 0.1])) == pytest.approx(0.8)
    assert swing(np.linspace(1, 0, 9)) == 0


def test_gradients_are_looked_at_in_the_order_of_use():
    class Reversed(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(8, 3)
            self.middle = nn.Linear(8, 8)
            self.body = nn.Linear(10, 8)

        def forward(self, x):
            return self.out(self.middle(self.body(x) * 1e-5))

    pellucid.manual_seed(0)
    case = with_optimizer(Reversed(), sgd, epochs=1)
    bench_of(case)
    flow = flow_of(case)
    assert [layer.name for layer in flow.layers] == ["body.weight", "middle.weight", "out.weight"]
    rows = case.bench.batches[-1]
    gradients = case.bench.gradients(rows)
    for layer in flow.layers:
        expected = np.sqrt(np.square(gradients[layer.name]).mean())
        assert layer.gradient == pytest.approx(expected, rel=1e-4)


def test_a_task_that_nobody_can_learn_is_not_called_sick():
    labels = np.random.default_rng(1).integers(0, 3, 240)
    stands = standing_of(with_optimizer(network(10, 3), sgd, X, labels, epochs=2))
    assert stands.hopeless and not stands.poor


def test_answers_of_a_generator_that_hardly_differ():
    real = RNG.standard_normal((32, 3)).astype(np.float32)
    one = 1e-3 * RNG.standard_normal((32, 3)).astype(np.float32)
    case = Case(phase="after", step=500)
    for made, said in ((one, ["MODE_COLLAPSE"]), (real[::-1] + 0.1, [])):
        case.notes = {"made": made, "real": real}
        assert [s.cause for s in collapse(case)] == said
    # One of two groups is made, and made well.
    groups = real + 20 * (np.arange(32) % 2)[:, None]
    case.notes = {"made": real + 0.01, "real": groups}
    assert [s.cause for s in collapse(case)] == ["MODE_COLLAPSE"]
    case.step = 20  # it has just begun
    assert not list(collapse(case))
    assert mean_distance(np.array([[0.0], [3.0]])) == 3


def test_waiting_for_rows():
    assert [s.cause for s in waiting(Case(notes={"wait share": 0.6}))] == ["PIPELINE_SLOW"]
    assert not list(waiting(Case(notes={"wait share": 0.05}))) and not list(waiting(Case()))
