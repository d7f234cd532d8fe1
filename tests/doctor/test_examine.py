"""Before the first step: sick programs are named by their cause, clean ones not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Trainer, doctor, nn, optim
from pellucid.nn import functional as F
from pellucid.utils.data import DataLoader, TensorDataset

RNG = np.random.default_rng(7)
N = 400
X = RNG.normal(size=(N, 6)).astype(np.float32)
LINEAR = (X @ RNG.normal(size=(6, 1))).astype(np.float32)
CURVED = (np.sin(2 * X[:, :1]) + X[:, 1:2] * X[:, 2:3]).astype(np.float32)
THREE = np.digitize(np.sin(2 * X[:, 0]) + X[:, 1] ** 2, [0.2, 1.2]).astype(np.int64)
SECTORS = np.digitize(LINEAR[:, 0], [-1, 1]).astype(np.int64)
TWO = (X[:, :1] * X[:, 1:2] > 0).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[THREE]
MULTI_HOT = (X[:, :3] > 0).astype(np.float32)
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 50, np.float32)
XOR_TARGETS = (XOR[:, :1] != XOR[:, 1:]).astype(np.float32)
IMAGES = (RNG.random((N, 1, 8, 8)) * 0.2).astype(np.float32)
LABELS = RNG.integers(0, 4, N)
for _row, _label in enumerate(LABELS):
    IMAGES[_row, 0, 2 * _label : 2 * _label + 2] += 0.7
WORDS = RNG.integers(0, 50, (N, 12))
ABOUT = (WORDS < 10).any(1).astype(np.int64)
SERIES = np.cumsum(RNG.normal(size=(N, 20, 1)), 1).astype(np.float32)
SERIES /= SERIES.std()
NEXT = SERIES[:, -1] * 0.5 + SERIES[:, 0]


def net(
    *end: nn.Module,
    inputs: int = 6,
    outputs: int = 3,
    depth: int = 1,
    act: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, 32), act()]
        layers += [nn.Dropout(dropout)] if dropout else []
        inputs = 32
    return nn.Sequential(*layers, nn.Linear(inputs, outputs), *end)


def filled(model: nn.Module, value: float) -> nn.Module:
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def times(model: nn.Module, factor: float) -> nn.Module:
    with pellucid.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(factor)
    return model


class Recurrent(nn.Module):
    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.loop = nn.LSTM(1, 16, batch_first=batch_first)
        self.end = nn.Linear(16, 1)

    def forward(self, x: Any) -> Any:
        return self.end(self.loop(x)[0][:, -1])


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.end = nn.Linear(16, 2)

    def forward(self, x: Any) -> Any:
        return self.end(self.block(self.words(x)).mean(1))


class Residual(nn.Module):
    def __init__(self, depth: int = 12) -> None:
        super().__init__()
        self.start = nn.Linear(6, 32)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 32))
            for _ in range(depth)
        )
        self.end = nn.Linear(32, 3)

    def forward(self, x: Any) -> Any:
        x = self.start(x)
        for block in self.blocks:
            x = x + block(x)
        return self.end(x)


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.end = nn.Linear(6, 32), nn.Linear(6, 32), nn.Linear(32, 3)

    def forward(self, x: Any) -> Any:
        return self.end(pellucid.tanh(self.a(x)) * F.sigmoid(self.b(x)))


class Function(nn.Module):
    """A function of the tensor as a layer, so that nothing tells what it does but the graph."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def images(**kwargs: Any) -> nn.Module:
    window = {"kernel_size": 3, "padding": 1, **kwargs}
    return nn.Sequential(
        nn.Conv2d(1, 8, **window), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(4)
    )


def ready(model: nn.Module, x: Any) -> nn.Module:
    model(pellucid.tensor(x[:2]))
    return model


def adam(lr: float = 1e-3, **kwargs: Any) -> Callable[[nn.Module], Any]:
    return lambda model: optim.Adam(model.parameters(), lr=lr, **kwargs)


def sgd(lr: float = 0.1, **kwargs: Any) -> Callable[[nn.Module], Any]:
    return lambda model: optim.SGD(model.parameters(), lr=lr, **kwargs)


def negative(model: nn.Module) -> Any:
    made = optim.SGD(model.parameters(), lr=0.1)
    made.param_groups[0]["lr"] = -0.1
    return made


def squares(outputs: Any, targets: Any) -> Any:
    return ((outputs - targets) ** 2).mean()


def log_loss(p: Any, targets: Any) -> Any:
    return -(targets * (p + 1e-8).log()).sum(1).mean()


CE, MSE, BCE, LOGITS = (
    "cross_entropy",
    "mse_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
HALF = (X - X[:20].mean(0)) / X[:20].std(0)
LARGE = X * np.array([1, 1, 1000, 1, 1, 1], np.float32)
HOLE = np.where(np.arange(N)[:, None] == 5, np.nan, X).astype(np.float32)

Program = tuple[Callable[[], nn.Module], Any, Any, Any, Callable[[nn.Module], Any]]

SICK: dict[str, tuple[str, Program]] = {
    "softmax before cross_entropy": (
        "DOUBLE_SOFTMAX", (lambda: net(nn.Softmax(1)), X, THREE, CE, adam())),
    "softmax as a function before it": (
        "DOUBLE_SOFTMAX",
        (lambda: net(Function(lambda z: F.softmax(z, 1))), X, THREE, CE, adam())),
    "softmax by hand before it": (
        "DOUBLE_SOFTMAX",
        (lambda: net(Function(lambda z: z.exp() / z.exp().sum(1, keepdim=True))), X, THREE, CE,
         adam())),
    "sigmoid before logits": (
        "DOUBLE_SOFTMAX", (lambda: net(nn.Sigmoid(), outputs=1), X, TWO, LOGITS, adam())),
    "softmax over one unit": (
        "SOFTMAX_SINGLE_UNIT", (lambda: net(nn.Softmax(1), outputs=1), X, TWO, BCE, adam())),
    "softmax over rows": (
        "AXIS_WRONG", (lambda: net(nn.Softmax(0)), X, ONE_HOT, MSE, adam())),
    "softmax over rows in the loss": (
        "AXIS_WRONG",
        (net, X, THREE,
         lambda o, t: -(o - o.exp().sum(0).log()).gather(1, t.reshape(-1, 1)).mean(), adam())),
    "columns against rows": (
        "BROADCAST", (lambda: net(outputs=1), X, CURVED[:, 0], squares, adam())),
    "sum": (
        "LOSS_REDUCTION", (net, X, THREE, nn.CrossEntropyLoss(reduction="sum"), sgd())),
    "sign": (
        "GRAD_SIGN", (lambda: net(outputs=1), X, CURVED, lambda o, t: -squares(o, t), sgd())),
    "sign of a log-likelihood": (
        "GRAD_SIGN", (net, X, THREE, lambda o, t: -F.cross_entropy(o, t), sgd())),
    "maximize": ("GRAD_SIGN", (net, X, THREE, CE, sgd(maximize=True))),
    "relu at the end": (
        "ACT_OUT", (lambda: net(nn.ReLU(), outputs=1), X, CURVED, MSE, adam())),
    "sigmoid for large numbers": (
        "ACT_OUT", (lambda: net(nn.Sigmoid(), outputs=1), X, 3 * CURVED, MSE, adam())),
    "relu on scores": ("ACT_OUT", (lambda: net(nn.ReLU()), X, THREE, CE, adam())),
    "scores as probabilities": (
        "LOGITS_PROBS", (lambda: net(outputs=1), X, TWO, BCE, adam())),
    "scores as log-probabilities": ("LOGITS_PROBS", (net, X, THREE, "nll_loss", adam())),
    "too few outputs": ("OUT_UNITS", (lambda: net(outputs=2), X, THREE, CE, adam())),
    "distance to class numbers": (
        "LOSS_WRONG", (lambda: net(outputs=1), X, THREE[:, None], squares, adam())),
    "one class of several": ("LOSS_WRONG", (net, X, MULTI_HOT, CE, adam())),
    "zeros": ("INIT_SYMMETRIC", (lambda: filled(net(depth=2), 0.0), X, THREE, CE, adam())),
    "constant": ("INIT_SYMMETRIC", (lambda: filled(net(depth=2), 0.1), X, THREE, CE, adam())),
    "large start": ("INIT_SCALE", (lambda: times(net(depth=3), 20), X, THREE, CE, adam())),
    "small start": ("INIT_SCALE", (lambda: times(net(depth=4), 0.01), X, THREE, CE, adam())),
    "sigmoids": ("ACT_HID", (lambda: net(depth=5, act=nn.Sigmoid), X, THREE, CE, sgd())),
    "straight": (
        "ACT_MISSING",
        (lambda: nn.Sequential(nn.Linear(6, 32), nn.Linear(32, 32), nn.Linear(32, 3)), X, THREE,
         CE, adam())),
    "negative rate": ("LR_NEGATIVE", (net, X, THREE, CE, negative)),
    "large rate": ("LR_HIGH", (net, X, THREE, CE, sgd(100.0))),
    "small rate": ("LR_LOW", (net, X, THREE, CE, adam(1e-8))),
    "large epsilon": ("OPT_EPS", (net, X, THREE, CE, adam(eps=10.0))),
    "large column": ("INPUT_UNSCALED", (net, LARGE, THREE, CE, adam())),
    "bytes twice": (
        "INPUT_DOUBLE_SCALED",
        (lambda: ready(images(), IMAGES), IMAGES / 255, LABELS, CE, adam())),
    "large targets": (
        "TARGET_UNSCALED", (lambda: net(outputs=1), X, CURVED * 1000 + 5000, MSE, adam())),
    "few rows' statistics": ("STATS_SUBSET", (net, HALF, THREE, CE, adam())),
    "one label": ("SINGLE_CLASS_LABELS", (net, X, THREE * 0, CE, adam())),
    "labels moved by a row": (
        "LABEL_MISALIGNED", (net, X, np.roll(SECTORS, 1), CE, adam())),
    "dropout always": (
        "DROPOUT_MODE",
        (lambda: net(act=lambda: Function(lambda z: F.dropout(F.relu(z), 0.5))), X, THREE, CE,
         adam())),
    "nearly all dropped": ("REG_EXCESS", (lambda: net(dropout=0.95), X, THREE, CE, adam())),
    "decay": ("REG_EXCESS", (net, X, THREE, CE, sgd(weight_decay=1.0))),
    "no statistics": (
        "BN_MODE",
        (lambda: net(act=lambda: nn.Sequential(nn.BatchNorm1d(32, momentum=0.0), nn.ReLU())), X,
         THREE, CE, adam())),
    "steps as rows": (
        "DATA_SHAPE", (lambda: Recurrent(batch_first=False), SERIES, NEXT, MSE, adam())),
    "wide window": (
        "KERNEL_SIZE",
        (lambda: ready(images(kernel_size=7, padding=3), IMAGES), IMAGES, LABELS, CE, adam())),
    "NaN in a row": ("NUMERIC", (net, HOLE, THREE, CE, adam())),
    "log of 0": (
        "NUMERIC",
        (lambda: net(nn.ReLU(), outputs=1), X, np.abs(CURVED),
         lambda o, t: ((o.log() - (t + 1).log()) ** 2).mean(), adam())),
}  # fmt: skip


def zero_end(model: nn.Sequential) -> nn.Sequential:
    filled(model[-1], 0.0)
    return model


CLEAN: dict[str, Program] = {
    "classes": (net, X, THREE, CE, adam()),
    "deep": (lambda: net(depth=8), X, THREE, CE, adam()),
    "numbers": (lambda: net(outputs=1), X, CURVED, MSE, adam()),
    "two classes": (lambda: net(outputs=1), X, TWO, LOGITS, adam()),
    "two classes by a sigmoid": (lambda: net(nn.Sigmoid(), outputs=1), X, TWO, BCE, adam()),
    "several labels": (net, X, MULTI_HOT, LOGITS, adam()),
    "log-softmax": (lambda: net(nn.LogSoftmax(1)), X, THREE, "nll_loss", adam()),
    "own loss": (lambda: net(nn.Softmax(1)), X, ONE_HOT, log_loss, adam()),
    "logistic regression from 0": (
        lambda: filled(nn.Linear(6, 3), 0.0), X, THREE, CE, sgd()),
    "output layer from 0": (lambda: zero_end(net()), X, THREE, CE, adam()),
    "linear network": (
        lambda: nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 1)), X, LINEAR, MSE, adam()),
    "unequal classes": (lambda: net(outputs=2), X, (X[:, 0] > 1.3).astype(np.int64), CE, adam()),
    "xor": (lambda: net(nn.Sigmoid(), inputs=2, outputs=1, act=nn.Sigmoid), XOR, XOR_TARGETS,
            MSE, sgd(1.0)),
    "adadelta": (net, X, THREE, CE, lambda m: optim.Adadelta(m.parameters(), lr=1.0)),
    "images": (lambda: ready(images(), IMAGES), IMAGES, LABELS, CE, adam()),
    "series": (Recurrent, SERIES, NEXT, MSE, adam()),
    "words": (Words, WORDS, ABOUT, CE, adam()),
    "residual": (Residual, X, THREE, CE, adam()),
    "gate": (Gate, X, THREE, CE, adam()),
    "counts": (lambda: net(outputs=1), X, RNG.poisson(np.exp(X[:, :1])).astype(np.float32),
               "poisson_nll_loss", adam()),
}  # fmt: skip


def examined(program: Program, **known: Any) -> doctor.Report:
    make, x, y, loss, optimizer = program
    pellucid.manual_seed(0)
    model = make()
    return doctor.examine(
        model, (x, y), loss=loss, optimizer=optimizer(model), batch_size=32, **known
    )


@pytest.mark.parametrize("name", SICK)
def test_B44_a_sick_program_is_named_before_its_first_step(name: str) -> None:
    cause, program = SICK[name]
    report = examined(program)
    said = [finding.cause for finding in report]
    assert said[:1] == [cause], f"{said}\n{report}"
    first = report[0]
    assert first.evidence and first.remedy and str(first.place) and first.confidence >= 0.6
    assert any(item.value is not None for item in first.evidence) or first.confidence > 0.9


@pytest.mark.parametrize("name", CLEAN)
def test_B44_the_doctor_is_silent_about_a_clean_program(name: str) -> None:
    report = examined(CLEAN[name])
    assert report.is_healthy, report


def test_nothing_changes_by_an_examination() -> None:
    model = nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3)
    )
    model[1].eval()
    model[0].weight.grad = pellucid.ones_like(model[0].weight)
    before = {k: v.numpy().tobytes() for k, v in model.state_dict().items()}
    random = pellucid.random.get_rng_state().numpy().tobytes()
    python_draws = np.random.get_state()[2]
    doctor.examine(model, (X, THREE), loss=CE, optimizer=adam()(model))
    assert {k: v.numpy().tobytes() for k, v in model.state_dict().items()} == before
    assert [layer.training for layer in model.children()] == [True, False, True, True, True]
    assert pellucid.random.get_rng_state().numpy().tobytes() == random
    assert np.random.get_state()[2] == python_draws
    assert model[0].weight.grad is not None and float(model[0].weight.grad.sum().item()) == 48
    assert model[4].weight.grad is None


def test_a_trainer_a_data_set_and_a_loader_are_taken_as_well() -> None:

    rows = TensorDataset(pellucid.tensor(X), pellucid.tensor(THREE))
    trainer = Trainer(net(nn.Softmax(1)), CE)
    for data in (rows, DataLoader(rows, batch_size=50, shuffle=True), (X, THREE)):
        assert [f.cause for f in doctor.examine(trainer, data)] == ["DOUBLE_SOFTMAX"]
    used_up = iter(DataLoader(rows, batch_size=50))
    doctor.examine(trainer, used_up)
    assert len(list(used_up)) == 8


ORDER = np.argsort(THREE)


@pytest.mark.parametrize(
    ("cause", "train", "held", "known"),
    [
        ("", slice(0, 200), slice(200, 400), {}),
        ("SPLIT_UNSHUFFLED", ORDER[:300], ORDER[300:], {}),
        ("DATA_LEAK", slice(0, 200), slice(100, 300), {}),
        ("MISSING_CLASS", np.flatnonzero(THREE[:200] < 2), slice(200, 400), {}),
        ("SPLIT_UNSHUFFLED", ORDER, None, {"shuffle": False}),
    ],
)
def test_parts_are_held_beside_each_other(cause: str, train: Any, held: Any, known: Any) -> None:
    model = net()
    validation = None if held is None else (X[held], THREE[held])
    report = doctor.examine(
        model, (X[train], THREE[train]), loss=CE, optimizer=adam()(model), validation=validation,
        batch_size=32, **known,
    )  # fmt: skip
    assert [f.cause for f in report][:1] == ([cause] if cause else []), report


def test_validation_rows_prepared_in_another_way() -> None:
    model = net()
    held = (X[200:] * 50 + 3, THREE[200:])
    report = doctor.examine(model, (X[:200], THREE[:200]), loss=CE, validation=held)
    assert report[0].cause == "TRAIN_TEST_PREP_MISMATCH"
