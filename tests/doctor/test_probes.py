"""Each experiment tells a program that has the fault from one that has not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.doctor.test_bench import everything, same

import pellucid
from pellucid import Trainer, nn, optim
from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor import Case, Place, Rows, Suspicion
from pellucid.insight.doctor.bench import ModelBench
from pellucid.insight.doctor.fitness import fitness, kind_of, simple_fitness, trivial_loss
from pellucid.insight.doctor.probes import PROBES, run
from pellucid.insight.doctor.trying import bench_of, trivial_of
from pellucid.nn import functional as F

RNG = np.random.default_rng(5)
CENTRES = 1.5 * RNG.standard_normal((3, 8))
CLASSES = RNG.integers(0, 3, 200)
X = (CENTRES[CLASSES] + RNG.standard_normal((200, 8))).astype(np.float32)
NUMBERS = (np.sin(X[:, :1]) + 0.5 * X[:, 1:2]).astype(np.float32)


def network(outputs, *, end=None, hidden=24, act=nn.ReLU, depth=1):
    pellucid.manual_seed(2)
    layers, width = [], 8
    for _ in range(depth):
        layers += [nn.Linear(width, hidden), act()]
        width = hidden
    layers.append(nn.Linear(width, outputs))
    return nn.Sequential(*layers, *([end] if end is not None else []))


def adam(model, rate=0.01, **settings):
    return optim.Adam(model.parameters(), lr=rate, **settings)


def sgd(model, rate=0.1, **settings):
    return optim.SGD(model.parameters(), lr=rate, **settings)


def case(model, loss, optimizer, x=X, y=CLASSES, epochs=0, **settings):
    trainer = Trainer(model, loss, optimizer, compile=False, **settings)
    rows = Rows(pellucid.tensor(x), pellucid.tensor(y), len(x))
    made = Case(model, trainer.loss, optimizer, rows, settings={"batch_size": 32, **settings})
    bench = bench_of(made)
    bench.compile = False
    if epochs:
        trainer.fit((x, y), epochs=epochs, batch_size=32, progress=False)
        made.phase, made.step = "after", trainer.history.steps
    return made


def summed(scores, targets):
    return F.cross_entropy(scores, targets, reduction="sum")


def broadcast(scores, targets):
    return ((scores - targets.reshape(-1)) ** 2).mean()


def plain(outputs=3, loss="cross_entropy", y=CLASSES, epochs=0):
    model = network(outputs)
    return case(model, loss, adam(model), y=y, epochs=epochs)


def numbers(epochs=0):
    return plain(1, "mse_loss", NUMBERS, epochs)


def faulty(model, loss, optimizer, *args, **settings):
    return case(model, loss, optimizer(model), *args, **settings)


FAULTS = {
    "learning_rate LR_HIGH": lambda: faulty(
        network(3), "cross_entropy", lambda m: sgd(m, 30.0)
    ),
    "learning_rate LR_LOW": lambda: faulty(
        network(3), "cross_entropy", lambda m: adam(m, 1e-6), epochs=2
    ),
    "gradient_sign GRAD_SIGN": lambda: faulty(
        network(3), "cross_entropy", lambda m: sgd(m, maximize=True)
    ),
    "other_optimizer OPT_WRONG": lambda: faulty(
        network(3), "cross_entropy", lambda m: optim.Adadelta(m.parameters(), lr=1e-4, eps=1e-14)
    ),
    "one_batch CAPACITY_LOW": lambda: faulty(
        network(3, hidden=1), "cross_entropy", adam, X, RNG.integers(0, 3, 200)
    ),
    "longer EPOCHS_FEW": lambda: faulty(
        network(3), "cross_entropy", lambda m: sgd(m, 0.02), epochs=1
    ),
    "standardized_input INPUT_UNSCALED": lambda: faulty(
        network(3), "cross_entropy", lambda m: adam(m, 1e-3), X * np.float32(1e-3)
    ),
    "standardized_targets TARGET_UNSCALED": lambda: faulty(
        network(1), "mse_loss", adam, X, NUMBERS * 1000 + 5000
    ),
    "batch_doubled LOSS_REDUCTION": lambda: faulty(network(3), summed, adam),
    "perfect_prediction BROADCAST": lambda: faulty(network(1), broadcast, adam, X, NUMBERS),
    "other_output ACT_OUT": lambda: faulty(
        network(1, end=nn.ReLU()), "mse_loss", adam, X, NUMBERS - 3
    ),
    "row_mixing AXIS_WRONG": lambda: faulty(
        network(3, end=nn.Softmax(0)), "mse_loss", adam, X, np.eye(3, dtype=np.float32)[CLASSES]
    ),
    "normalized NORM_MISSING": lambda: faulty(
        network(3, act=nn.Sigmoid, depth=6), "cross_entropy", sgd
    ),
    "unregularized REG_EXCESS": lambda: faulty(
        network(3), "cross_entropy", lambda m: sgd(m, weight_decay=1.0), epochs=2
    ),
    "neighbours LABEL_MISALIGNED": lambda: faulty(
        network(3), "cross_entropy", adam, X, RNG.permutation(CLASSES)
    ),
}  # fmt: skip


def suspicion(cause):
    return Suspicion(cause, Place(), (), 0.4)


@pytest.mark.parametrize("key", FAULTS)
def test_a_fault_is_confirmed_and_its_absence_too(key):
    name, cause = key.split()
    found = run(name, FAULTS[key](), suspicion(cause), seconds=60)
    assert found.confirms is True, (found.text, found.numbers)
    assert found.numbers and found.text and found.question
    of_numbers = cause in ("TARGET_UNSCALED", "BROADCAST", "ACT_OUT")
    healthy = numbers() if of_numbers else plain(epochs=4 if cause != "LR_HIGH" else 0)
    found = run(name, healthy, suspicion(cause), seconds=60)
    assert found.confirms is not True, (found.text, found.numbers)


def test_all_probes_together_leave_no_trace():
    made = plain(epochs=1)
    model = made.model
    model[0].eval()
    before = everything(model, made.optimizer)
    for name in PROBES:
        run(name, made, suspicion("LR_HIGH"), seconds=0.2)
    assert same(before, everything(model, made.optimizer))


def test_dropout_that_stays_on_in_evaluation_is_seen():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.end = nn.Linear(8, 3)

        def forward(self, x):
            return self.end(F.dropout(x, 0.5, training=True))

    model = Noisy()
    wrong = case(model, "cross_entropy", sgd(model))
    assert run("repeated_evaluation", wrong, suspicion("DROPOUT_MODE")).confirms is True
    assert run("repeated_evaluation", plain(), suspicion("DROPOUT_MODE")).confirms is False


def test_running_statistics_that_were_never_updated_are_seen():
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16, momentum=0.0), nn.Linear(16, 3))
    model[0].bias.data.add_(50.0)
    made = case(model, "cross_entropy", adam(model), epochs=3)
    assert run("mode_gap", made, suspicion("BN_MODE")).confirms is True
    assert run("mode_gap", plain(epochs=3), suspicion("BN_MODE")).confirms is False


def test_gradients_that_add_up_are_seen():
    model = network(3)
    made = case(model, "cross_entropy", sgd(model))
    for _ in range(4):
        F.cross_entropy(model(made.train.features), made.train.targets).backward()
    assert run("reset_gradients", made, suspicion("GRAD_NOT_RESET")).confirms is True
    model.zero_grad()
    F.cross_entropy(model(made.train.features), made.train.targets).backward()
    assert run("reset_gradients", made, suspicion("GRAD_NOT_RESET")).confirms is False


def test_probes_without_a_bench_or_time_say_nothing():
    assert run("learning_rate", Case(), suspicion("LR_HIGH")).confirms is None
    assert run("one_batch", plain(), suspicion("CAPACITY_LOW"), seconds=-1).confirms is None
    with pytest.raises(ArgumentError, match="no probe 'guess'"):
        run("guess", plain(), suspicion("LR_HIGH"))


def test_a_bench_is_made_of_a_case_and_takes_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 3)

        def forward(self, left, right):
            return self.a(left) + self.b(right)

    model = Two()
    pair = (pellucid.tensor(X), pellucid.tensor(X[::-1].copy()))
    made = Case(model, F.cross_entropy, adam(model), Rows(pair, pellucid.tensor(CLASSES), 200))
    assert isinstance(bench_of(made), ModelBench)
    assert run("standardized_input", made, suspicion("INPUT_UNSCALED")).confirms is False
    assert run("shuffled_input", made, suspicion("LABEL_MISALIGNED")).numbers


# ---- how good answers are ------------------------------------------------------------------------


def test_fitness_is_0_for_the_trivial_answer_and_1_for_a_perfect_one():
    labels = np.array([0, 0, 0, 1, 2, 1])
    assert fitness(np.eye(3)[labels], labels) == 1
    assert fitness(np.tile([1.0, 0, 0], (6, 1)), labels) == 0
    assert fitness(np.eye(3)[[0, 0, 0, 1, 1, 1]], labels) == pytest.approx(2 / 3)
    assert fitness(NUMBERS, NUMBERS) == 1
    mean = np.full_like(NUMBERS, NUMBERS.mean())
    assert fitness(mean, NUMBERS) == pytest.approx(0, abs=1e-5)
    many = np.array([[1, 1], [0, 1], [1, 0.0]])
    assert kind_of(many) == "multi-hot" and fitness(many * 7 - 3, many) == 1
    assert fitness(np.full(3, np.nan), np.array([0.1, 0.2, 0.4])) == -np.inf


def test_fitness_of_one_score_is_ginis_coefficient():
    labels = RNG.integers(0, 2, 80).astype(np.float32)
    scores = np.round(RNG.standard_normal(80) + labels, 1)
    apart = np.sign(scores[labels == 1][:, None] - scores[labels == 0])
    assert fitness(scores, labels) == pytest.approx(apart.mean())


def test_the_trivial_loss_is_that_of_shares_or_mean():
    labels = np.array([0, 0, 0, 1])
    scores = np.zeros((4, 2), np.float32)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert trivial_loss(F.cross_entropy, scores, labels) == pytest.approx(entropy, rel=1e-5)
    assert trivial_loss(F.nll_loss, scores, labels) == pytest.approx(entropy, rel=1e-5)
    y = labels.astype(np.float32)[:, None]
    one = np.zeros((4, 1), np.float32)
    logits = F.binary_cross_entropy_with_logits
    assert trivial_loss(logits, one, y) == pytest.approx(entropy, rel=1e-5)
    assert trivial_loss(F.binary_cross_entropy, one, y) == pytest.approx(entropy, rel=1e-5)
    assert trivial_loss(F.mse_loss, one, y) == pytest.approx(float(y.var()), rel=1e-5)
    assert trivial_of(numbers()) == pytest.approx(float(NUMBERS.var()), rel=0.05)


def test_simple_models_are_judged_on_rows_they_have_not_seen():
    found = simple_fitness(X, CLASSES)
    assert found["linear"] > 0.8 and found["neighbours"] > 0.8
    chance = simple_fitness(X, RNG.permutation(CLASSES))
    assert max(chance.values()) < 0.15
