"""Programs with which nothing is wrong, though some of them look as if.

Each reaches what its task allows; a doctor that says anything of them raises a false alarm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import pellucid
from doctor.exam import data, ways
from doctor.exam.bases import BASES, Attentive, dense
from doctor.exam.data import single, split
from doctor.exam.operators.ends import binary, categorical, one_hot, softmax_over_classes, squared
from doctor.exam.operators.layers import each_weight
from doctor.exam.program import clean
from doctor.exam.recipe import Recipe, Setup, answer, chain
from pellucid import Tensor, nn, optim
from pellucid.nn import functional as F

EVERY = " ".join(BASES)


@clean(EVERY)
def as_it_is(r: Recipe) -> None:
    """The healthy programs themselves."""


@clean("digits friedman tags strokes series tally")
def in_a_loop_of_its_own(r: Recipe) -> None:
    r.loop = ways.plain_loop


# ---- first weights and layers


def _zero(layer: Any) -> None:
    layer.weight.fill_(0.0)
    layer.bias.fill_(0.0)


@clean("blobs", enough=0.75)
def single_layer_from_zero(r: Recipe) -> None:
    r.depth = 0
    r.touch.append(each_weight(_zero))


@clean("digits friedman tags")
def last_layer_from_zero(r: Recipe) -> None:
    def touch(model: Any) -> None:
        with pellucid.no_grad():
            _zero(model.out)

    r.touch.append(touch)


def _linear_target(r: Recipe) -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(500, 5))
    y = x @ random.normal(size=(5, 1)) + 0.1 * random.normal(size=(500, 1))
    r.data = split(single(x), single(y), random)


@clean("friedman", enough=0.95)
def linear_network_for_a_line(r: Recipe) -> None:
    _linear_target(r)
    r.hidden = nn.Identity


@clean("friedman", enough=0.95)
def one_linear_layer_for_a_line(r: Recipe) -> None:
    _linear_target(r)
    r.depth, r.optimizer, r.rate = 0, "SGD", 0.05


@clean("digits circles")
def eight_relu_layers_that_train(r: Recipe) -> None:
    r.depth, r.width, r.rate, r.epochs = 8, 64, 0.001, 30
    r.touch.append(each_weight(lambda layer: nn.init.kaiming_normal_(layer.weight)))


class Residual(nn.Module):
    """Blocks that add to what comes in, the last layer of each from zero."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.first = nn.Linear(recipe.data.train[0].shape[1], 32)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(5)
        )
        self.out = nn.Linear(32, recipe.outputs)
        with pellucid.no_grad():
            for block in self.blocks:
                _zero(block[2])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


@clean("digits friedman")
def residual_blocks_from_zero(r: Recipe) -> None:
    r.network, r.rate = Residual, 0.003


@clean("digits friedman tags")
def normalized_layers(r: Recipe) -> None:
    r.extra = nn.BatchNorm1d


@clean("digits strokes friedman")
def some_dropout(r: Recipe) -> None:
    r.extra = lambda width: nn.Dropout(0.2)
    r.epochs *= 2


@clean("moons friedman tags", enough=0.8)
def tanh_layers(r: Recipe) -> None:
    r.hidden = nn.Tanh


@clean("moons digits", enough=0.85)
def one_sigmoid_layer(r: Recipe) -> None:
    r.hidden, r.depth, r.rate, r.epochs = nn.Sigmoid, 1, 0.03, 30


@clean("digits friedman")
def first_layer_left_random(r: Recipe) -> None:
    """Random features: the first layer is frozen on purpose."""
    r.width, r.depth, r.epochs = 256, 1, 40
    r.touch.append(lambda model: model.fc1.requires_grad_(False))
    r.learned = lambda model: [p for p in model.parameters() if p.requires_grad]


class Gated(nn.Module):
    """x·σ(W·x): a sigmoid that is a gate."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.value, self.gate = (nn.Linear(recipe.data.train[0].shape[1], 32) for _ in range(2))
        self.out = nn.Linear(32, recipe.outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.value(x) * self.gate(x).sigmoid())


@clean("circles tags friedman")
def gated_units(r: Recipe) -> None:
    r.network, r.epochs = Gated, 40


# ---- ends and losses


def _between_zero_and_one(y: Any) -> Any:
    return (y + 3) / 6


@clean("friedman curve", enough=0.85)
def sigmoid_for_shares(r: Recipe) -> None:
    r.data.change(targets=lambda y: 0.5 + 0.45 * np.tanh(y / 2))
    r.end, r.epochs = (nn.Sigmoid,), 40


@clean("friedman tally", enough=0.8)
def relu_for_counts(r: Recipe) -> None:
    r.data.change(targets=lambda y: y + 4)
    r.end = (nn.Softplus,)


@clean("spots", enough=0.85)
def tanh_for_places(r: Recipe) -> None:
    r.end = (nn.Tanh,)


@clean("digits strokes majority")
def logarithms_and_likelihood(r: Recipe) -> None:
    r.end, r.loss = (lambda: nn.LogSoftmax(dim=1),), F.nll_loss


@clean("digits series")
def softmax_and_categorical_loss(r: Recipe) -> None:
    r.end, r.loss = (softmax_over_classes,), categorical
    one_hot(r)


@clean("moons tags")
def sigmoid_and_binary_loss(r: Recipe) -> None:
    r.end, r.loss, r.threshold = (nn.Sigmoid,), nn.BCELoss(), 0.5


@clean("moons")
def sigmoid_and_binary_loss_by_hand(r: Recipe) -> None:
    r.end, r.loss, r.threshold = (nn.Sigmoid,), binary, 0.5


@clean("friedman summing")
def squares_by_hand(r: Recipe) -> None:
    r.loss = squared


@clean("friedman curve")
def rows_against_rows(r: Recipe) -> None:
    r.data.change(targets=lambda y: y.reshape(-1))
    r.loss = lambda answers, targets: squared(answers.squeeze(-1), targets)


@clean("digits")
def softened_labels(r: Recipe) -> None:
    r.loss = nn.CrossEntropyLoss(label_smoothing=0.1)


@clean("friedman", enough=0.75)
def absolute_errors(r: Recipe) -> None:
    r.loss = nn.L1Loss()


@clean("digits friedman")
def summed_loss_with_a_small_rate(r: Recipe) -> None:
    loss = r.loss
    r.loss = lambda answers, targets: loss(answers, targets, reduction="sum")
    r.optimizer, r.rate, r.options = "SGD", 0.003, {"momentum": 0.9}
    r.epochs = 30


def _gaussian(answers: Tensor, targets: Tensor) -> Tensor:
    return F.gaussian_nll_loss(answers[:, :1], targets, F.softplus(answers[:, 1:]) + 1e-3)


@clean("friedman", enough=0.75)
def likelihood_below_zero(r: Recipe) -> None:
    """Mean and variance: the loss may be negative."""
    r.outputs, r.loss, r.epochs = 2, _gaussian, 30
    r.score = _score_of_means


def _score_of_means(setup: Setup) -> float:
    x, y = setup.recipe.data.test
    return float(1 - ((answer(setup, x)[:, :1] - y) ** 2).mean() / y.var())


def _exclusive_or(r: Recipe) -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    r.data = data.Parts((x, y), (x, y), (x, y))


@clean("moons", enough=1.0)
def exclusive_or_with_squares(r: Recipe) -> None:
    _exclusive_or(r)
    r.hidden, r.end, r.loss, r.threshold = nn.Tanh, (nn.Sigmoid,), F.mse_loss, 0.5
    r.width, r.depth, r.batch, r.epochs, r.rate, r.validate = 8, 1, 4, 400, 0.05, False


# ---- optimizers and schedules


@clean("digits friedman")
def delta_at_one(r: Recipe) -> None:
    r.optimizer, r.rate, r.epochs = "Adadelta", 1.0, 30


@clean("digits friedman majority")
def warming_up(r: Recipe) -> None:
    r.schedule = lambda optimizer: optim.lr_scheduler.LinearLR(
        optimizer, start_factor=0.01, total_iters=5
    )


@clean("digits strokes")
def one_cycle(r: Recipe) -> None:
    steps = r.epochs * -(-len(r.data.train[0]) // r.batch)
    r.schedule = lambda optimizer: optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=steps
    )


@clean("digits friedman tags")
def descent_with_momentum(r: Recipe) -> None:
    r.optimizer, r.rate, r.options, r.epochs = "SGD", 0.05, {"momentum": 0.9}, 30


@clean("friedman summing")
def scaled_by_squares(r: Recipe) -> None:
    r.optimizer, r.rate = "RMSprop", 0.003


@clean("digits friedman")
def weights_decay_a_little(r: Recipe) -> None:
    r.optimizer, r.options = "AdamW", {"weight_decay": 0.01}


@clean("digits tally")
def gradients_are_shortened(r: Recipe) -> None:
    r.trainer["clip_norm"] = 1.0


@clean("digits friedman")
def gradients_of_four_batches(r: Recipe) -> None:
    """Sums gradients on purpose: one update for four batches."""
    r.loop, r.batch, r.epochs = accumulating_loop, 16, 40


def accumulating_loop(setup: Setup, watch: Any) -> None:
    """One update for the gradients of four batches."""
    for number, (x, y) in enumerate(ways.batches(setup), 1):
        with watch.step():
            loss = setup.loss(setup.model(x), y) / 4
            loss.backward()
            if number % 4 == 0:
                setup.optimizer.step()
                setup.optimizer.zero_grad()


@clean("moons spots")
def reward_is_maximized(r: Recipe) -> None:
    loss = r.loss
    r.loss = lambda answers, targets: -loss(answers, targets)
    r.options = {"maximize": True}


@clean("digits friedman")
def all_rows_at_once(r: Recipe) -> None:
    r.batch, r.epochs, r.rate = 4096, 150, 0.01


@clean("digits friedman")
def eight_rows_at_a_time(r: Recipe) -> None:
    r.batch, r.rate = 8, 0.002


# ---- data


@clean("blobs moons", enough=0.75)
def few_of_one_class_but_learnable(r: Recipe) -> None:
    for part in ("train", "validation"):
        x, y = getattr(r.data, part)
        kept = (y.reshape(-1) != 0) | (np.arange(len(y)) % 6 == 0)
        setattr(r.data, part, (x[kept], y[kept]))
    r.epochs *= 2


@clean("digits", enough=0.85)
def pixels_from_0_to_16(r: Recipe) -> None:
    r.data.change(features=lambda x: 16 * x)


@clean("friedman tags")
def large_numbers_that_are_normalized_first(r: Recipe) -> None:
    r.data.change(features=lambda x: 100 * x + 50)
    inner = r.network

    def network(recipe: Recipe) -> nn.Module:
        model = inner(recipe)
        width = recipe.data.train[0].shape[1]
        return nn.Sequential(nn.BatchNorm1d(width), *model.children())

    r.network = network


@clean("friedman", enough=0.8)
def targets_of_a_few_units(r: Recipe) -> None:
    r.data.change(targets=lambda y: 3 * y + 5)


@clean("friedman", enough=0.2)
def as_noisy_as_it_is(r: Recipe) -> None:
    """Half of the variance is noise; the loss ends at it."""
    random = np.random.default_rng(4)
    x = random.normal(size=(1500, 4))
    y = x[:, :1] - x[:, 1:2] + 1.4 * random.normal(size=(1500, 1))
    r.data = split(single(x), single(y / y.std()), random)
    r.width, r.depth, r.epochs, r.rate, r.batch = 8, 1, 15, 0.003, 64


@clean("blobs", enough=0.6)
def coins_that_are_slightly_bent(r: Recipe) -> None:
    """A class that the features tell in three of four rows at best."""
    random = np.random.default_rng(4)
    x = random.normal(size=(1600, 4))
    y = np.where(random.random(1600) < 0.72, x[:, 0] > 0, x[:, 0] <= 0).astype(np.int64)
    r.data = split(single(x), y, random)
    r.outputs, r.width, r.depth, r.epochs, r.rate, r.batch = 2, 8, 1, 15, 0.003, 64


@clean("tags", enough=0.7)
def words_that_mostly_miss(r: Recipe) -> None:
    """Counts of words: nearly all are 0."""
    random = np.random.default_rng(6)
    x = (random.random((800, 60)) < 0.06) * random.integers(1, 4, (800, 60))
    y = np.stack([x[:, :10].sum(1) > 1, x[:, 10:20].sum(1) > 1, x[:, 20:25].sum(1) > 0], 1)
    r.data, r.outputs, r.epochs = split(single(x), single(y), random), 3, 30


# ---- other kinds of networks


class Codes(nn.Module):
    """A picture through a narrow place and back."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 12))
        self.decoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


@clean("digits", enough=0.4)
def pictures_and_back(r: Recipe) -> None:
    for part in ("train", "validation", "test"):
        x = getattr(r.data, part)[0]
        setattr(r.data, part, (x, x))
    r.network, r.loss, r.kind, r.epochs = Codes, F.mse_loss, "numbers", 40
    r.score = lambda setup: _explained(setup)


def _explained(setup: Setup) -> float:
    x, y = setup.recipe.data.test
    return float(1 - ((answer(setup, x) - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())


@clean("series tones", enough=0.75)
def gated_recurrence(r: Recipe) -> None:
    r.recurrent, r.epochs = "GRU", 40


@clean("majority", enough=0.75)
def some_attention_dropout(r: Recipe) -> None:
    def network(recipe: Recipe) -> nn.Module:
        model = Attentive(recipe)
        model.head = nn.Sequential(nn.Dropout(0.1), *chain(recipe, ("out", model.head.out)))
        return model

    r.network = network


@clean("moons")
def generator_that_works(r: Recipe) -> None:
    from doctor.exam import loops

    loops.gan(r)


@clean("moons")
def values_that_are_learned_by_playing(r: Recipe) -> None:
    from doctor.exam import loops

    loops.dqn(r)


__all__ = ["dense"]
