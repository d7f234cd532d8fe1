"""What goes wrong between the last layer, the loss and the targets."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

import pellucid
from doctor.exam.data import single
from doctor.exam.program import sick
from doctor.exam.recipe import Recipe
from pellucid import Tensor, nn
from pellucid.nn import functional as F

END = "end out head loss"


def softmax_over_classes() -> nn.Module:
    return nn.Softmax(dim=-1)


def one_hot(recipe: Recipe) -> None:
    """Targets as rows of 0 and 1 for learning and validation."""
    count = recipe.outputs
    recipe.data.change(targets=lambda y: single(np.eye(count)[y]), parts=("train", "validation"))


def categorical(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Keras' categorical cross-entropy, written by hand: -Σ y·log p."""
    return -(targets * pellucid.log(probabilities.clamp(1e-7, 1.0))).sum(dim=1).mean()


def binary(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, written by hand with a guard."""
    p = probabilities.clamp(1e-7, 1 - 1e-7)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def squared(answers: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error, written by hand."""
    return ((answers - targets) ** 2).mean()


# ---- output activation


@sick("ACT_OUT", "friedman curve summing tally", place=END, known="before")
def relu_before_signed_numbers(r: Recipe) -> None:
    r.end = (nn.ReLU,)


@sick("ACT_OUT", "friedman summing spots", place=END, known="before")
def sigmoid_before_signed_numbers(r: Recipe) -> None:
    r.end = (nn.Sigmoid,)


@sick("ACT_OUT TARGET_UNSCALED", "friedman tally", place=END, known="before")
def tanh_before_large_numbers(r: Recipe) -> None:
    r.end = (nn.Tanh,)
    r.data.change(targets=lambda y: 5 * y + 10)


@sick("ACT_OUT LOSS_WRONG", "spots", place=END, known="before")
def softmax_before_numbers(r: Recipe) -> None:
    r.end = (softmax_over_classes,)


@sick("ACT_OUT LOSS_WRONG DOUBLE_SOFTMAX", "tags shapes tones present", place=END, known="before")
def softmax_before_several_labels(r: Recipe) -> None:
    r.end, r.loss, r.threshold = (softmax_over_classes,), F.binary_cross_entropy, 0.5


@sick("ACT_OUT", "moons", place=END, known="before", harm="loss")
def relu_before_logistic_loss(r: Recipe) -> None:
    r.end = (nn.ReLU,)


@sick("ACT_OUT LOSS_WRONG LOGITS_PROBS", "digits blobs strokes series", place=END, known="before")
def sigmoid_with_categorical_loss(r: Recipe) -> None:
    r.end, r.loss = (nn.Sigmoid,), categorical
    one_hot(r)


@sick("ACT_OUT", "digits strokes series", place=END, known="before")
def relu_before_cross_entropy(r: Recipe) -> None:
    r.end = (nn.ReLU,)
    r.touch.append(lambda model: _lower_bias(model, -1.0))


def _lower_bias(model: nn.Module, value: float) -> None:
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    with pellucid.no_grad():
        last.bias.fill_(value)


@sick("SOFTMAX_SINGLE_UNIT", "moons", place=END, known="before")
def softmax_over_one_unit(r: Recipe) -> None:
    r.end, r.loss, r.threshold = (softmax_over_classes,), F.binary_cross_entropy, 0.5


@sick("SOFTMAX_SINGLE_UNIT", "moons friedman summing tally", place=END, known="before")
def softmax_over_one_number(r: Recipe) -> None:
    r.end, r.loss, r.threshold = (softmax_over_classes,), squared, 0.5


# ---- probabilities and scores


@sick("DOUBLE_SOFTMAX", "digits strokes series majority", place=END, known="before")
def softmax_and_cross_entropy(r: Recipe) -> None:
    r.end, r.rate, r.epochs = (softmax_over_classes,), r.rate / 10, max(4, r.epochs // 2)


@sick("DOUBLE_SOFTMAX", "tags moons shapes tones", place=END, known="before", harm="loss")
def sigmoid_and_logistic_loss(r: Recipe) -> None:
    r.end, r.loss = (nn.Sigmoid,), nn.BCEWithLogitsLoss()
    r.threshold = 0.5


@sick("LOGITS_PROBS", "digits blobs strokes majority", place=END, known="before")
def likelihood_of_scores(r: Recipe) -> None:
    r.loss = F.nll_loss


@sick("LOGITS_PROBS ACT_OUT", "digits series", place=END, known="before")
def likelihood_of_probabilities(r: Recipe) -> None:
    r.end, r.loss = (softmax_over_classes,), nn.NLLLoss()
    r.rate, r.epochs = r.rate / 10, max(4, r.epochs // 2)


@sick("LOGITS_PROBS ACT_OUT", "blobs series", place=END, known="before")
def categorical_loss_of_scores(r: Recipe) -> None:
    r.loss = categorical
    one_hot(r)


@sick("LOGITS_PROBS ACT_OUT", "tags tones", place=END, known="before")
def binary_loss_of_scores(r: Recipe) -> None:
    r.loss = binary


@sick("LOGITS_PROBS NUMERIC ACT_OUT", "circles", place=END, known="before")
def bare_logarithm_of_scores(r: Recipe) -> None:
    r.loss = lambda scores, targets: -(targets * scores.log()).sum(1).mean()
    one_hot(r)


# ---- width and kind


@sick("OUT_UNITS LOSS_WRONG", "blobs strokes", place=END, known="before")
def one_unit_for_three_classes(r: Recipe) -> None:
    r.outputs, r.end, r.loss = 1, (nn.Sigmoid,), binary
    r.data.change(targets=lambda y: single(y)[:, None], parts=("train", "validation"))


@sick("OUT_UNITS BROADCAST", "tags present", place=END, known="before")
def one_unit_for_all_labels(r: Recipe) -> None:
    r.outputs, r.end, r.loss, r.threshold = 1, (nn.Sigmoid,), binary, 0.5


@sick("OUT_UNITS BROADCAST", "spots", place=END, known="before")
def one_unit_for_two_numbers(r: Recipe) -> None:
    r.outputs, r.loss = 1, squared


@sick("LOSS_WRONG OUT_UNITS", "digits digits_cnn", place=END, known="before")
def squares_of_class_numbers(r: Recipe) -> None:
    r.outputs, r.loss = 1, F.mse_loss
    r.data.change(targets=lambda y: single(y)[:, None], parts=("train", "validation"))


@sick("LOSS_WRONG", "tags shapes", place=END, known="before")
def cross_entropy_of_several_labels(r: Recipe) -> None:
    r.loss = F.cross_entropy


@sick("LOSS_WRONG ACT_OUT", "friedman summing tally", place=END, known="before")
def logistic_loss_of_numbers(r: Recipe) -> None:
    r.loss = F.binary_cross_entropy_with_logits


@sick("LOSS_WRONG", "moons", place=END, known="before")
def hinge_of_zero_and_one(r: Recipe) -> None:
    r.loss = lambda scores, targets: (1 - targets * scores).clamp(min=0).mean()


@sick("LOSS_WRONG", "friedman curve", place=END, known="before")
def mean_error_without_square(r: Recipe) -> None:
    r.loss = lambda answers, targets: (answers - targets).mean()


# ---- size of the loss, axes and shapes


def _sum(loss: Any) -> Any:
    return lambda answers, targets: loss(answers, targets, reduction="sum")


@sick("LOSS_REDUCTION", "digits strokes friedman summing tags", place="loss reduction",
      known="step 10")  # fmt: skip
def summed_loss(r: Recipe) -> None:
    r.loss, r.optimizer, r.rate, r.batch = _sum(r.loss), "SGD", 0.05, 128


@sick("LOSS_REDUCTION", "friedman curve spots", place="loss reduction", known="step 10")
def sum_of_squares(r: Recipe) -> None:
    r.loss = lambda answers, targets: ((answers - targets) ** 2).sum()
    r.optimizer, r.rate, r.batch = "SGD", 0.05, 100


@sick("AXIS_WRONG", "digits strokes majority", place=END, known="before", harm="fact")
def softmax_over_the_batch(r: Recipe) -> None:
    r.end, r.loss = (lambda: nn.LogSoftmax(dim=0),), F.nll_loss


@sick("AXIS_WRONG", "blobs series", place=END, known="before", harm="fact")
def probabilities_over_the_batch(r: Recipe) -> None:
    r.end, r.loss = (lambda: nn.Softmax(dim=0),), categorical
    one_hot(r)


@sick("AXIS_WRONG DATA_SHAPE", "series summing", place="rnn batch_first", known="before")
def time_first_in_recurrence(r: Recipe) -> None:
    r.batch_first = False


@sick("AXIS_WRONG DATA_SHAPE", "majority tally present", place="encoder attn batch_first",
      known="before", harm="fact")  # fmt: skip
def time_first_in_attention(r: Recipe) -> None:
    r.batch_first = False


def flat_targets(r: Recipe) -> None:
    """Targets (rows,) as they come from a table."""
    r.data.change(targets=lambda y: y.reshape(-1))


@sick("BROADCAST", "friedman curve summing tally", place="loss out targets shape", known="before")
def column_against_row(r: Recipe) -> None:
    flat_targets(r)
    r.loss = squared


@sick("BROADCAST", "moons", place="loss out targets shape", known="before")
def probabilities_against_row(r: Recipe) -> None:
    flat_targets(r)
    r.end, r.loss, r.threshold = (nn.Sigmoid,), binary, 0.5


@sick("BROADCAST", "friedman summing", place="loss out targets shape", known="before")
def row_against_column(r: Recipe) -> None:
    r.end, r.loss = (lambda: nn.Flatten(0),), lambda answers, y: (answers - y).abs().mean()


# ---- numbers outside of their type


@sick("NUMERIC INPUT_UNSCALED", "circles strokes", place=END + " column feature", known="tenth")
def logarithm_of_softmax(r: Recipe) -> None:
    r.end = (softmax_over_classes,)
    r.loss = lambda p, targets: -(targets * p.log()).sum(1).mean()
    r.data.change(features=lambda x: 2000 * x)
    one_hot(r)


@sick("NUMERIC INPUT_UNSCALED", "moons", place=END + " column feature", known="tenth")
def logarithm_of_one_minus_sigmoid(r: Recipe) -> None:
    r.end = (nn.Sigmoid,)
    r.loss = lambda p, y: -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    r.data.change(features=lambda x: 2000 * x)
    r.threshold = 0.5


@sick("NUMERIC INPUT_UNSCALED", "moons tags", place=END + " column feature", known="before")
def softplus_by_exponential(r: Recipe) -> None:
    r.loss = lambda s, y: ((1 + s.exp()).log() - y * s).mean()
    r.data.change(features=lambda x: 300 * x)


@sick("NUMERIC", "friedman curve", place="loss", known="step 10")
def root_at_zero(r: Recipe) -> None:
    r.loss = lambda a, y: (((a - y) ** 2).sum(1) * (y > 0).float().reshape(-1)).sqrt().mean()


class Standardizing(nn.Module):
    """Divides each column by its deviation in the batch, without a guard."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / x.std(0)


@sick("NUMERIC", "friedman tags", place="first", known="before")
def division_by_no_deviation(r: Recipe) -> None:
    def constant(x: Any) -> Any:
        x = x.copy()
        x[:, -1] = 1.0
        return x

    r.data.change(features=constant)
    inner = r.network

    def network(recipe: Recipe) -> nn.Module:
        model = inner(recipe)
        found = [("first", Standardizing()), *model.named_children()]
        return nn.Sequential(OrderedDict(found))

    r.network = network
