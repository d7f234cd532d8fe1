"""What goes wrong in the layers: activations, first weights, depth, normalization, size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pellucid
from doctor.exam.program import sick
from doctor.exam.recipe import Recipe
from pellucid import Tensor, nn
from pellucid.nn import functional as F

WEIGHTS = "fc conv out rnn embedding encoder weight"


def each_weight(change: Callable[[Any], Any], *, last: bool = True) -> Callable[[Any], None]:
    """Applies ``change`` to the weights of all linear and convolutional layers."""

    def touch(model: nn.Module) -> None:
        layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
        with pellucid.no_grad():
            for layer in layers if last else layers[:-1]:
                change(layer)

    return touch


# ---- activations


@sick(
    "ACT_HID VANISHING SATURATION", "digits circles friedman tags", place="act fc", known="before"
)
def seven_sigmoid_layers(r: Recipe) -> None:
    r.hidden, r.depth, r.optimizer, r.rate = nn.Sigmoid, 7, "SGD", 0.1


@sick("ACT_HID", "digits friedman tags strokes", place="act", known="before")
def softmax_between_layers(r: Recipe) -> None:
    r.hidden = lambda: nn.Softmax(dim=1)
    r.optimizer, r.rate = "SGD", 0.1


class Exponential(nn.Module):
    """Keras' "exponential" activation."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


@sick("ACT_HID NUMERIC EXPLODING", "friedman blobs strokes", place="act", known="before")
def exponential_between_layers(r: Recipe) -> None:
    r.hidden, r.depth = Exponential, 3


@sick("ACT_MISSING", "circles friedman moons tags", place="act fc", known="before")
def no_activation(r: Recipe) -> None:
    r.hidden = nn.Identity


@sick("ACT_MISSING", "curve", place="act fc", known="before")
def deep_without_activation(r: Recipe) -> None:
    r.hidden, r.depth = nn.Identity, 5


@sick("ACT_MISSING", "strokes shapes", place="act conv", known="before")
def convolutions_without_activation(r: Recipe) -> None:
    r.hidden = nn.Identity
    inner = r.network

    def network(recipe: Recipe) -> nn.Module:
        model = inner(recipe)
        for number in (1, 2):
            setattr(model, f"pool{number}", nn.AvgPool2d(2))
        return model

    r.network = network


# ---- first weights


def _fill(value: float) -> Callable[[Any], None]:
    def change(layer: Any) -> None:
        layer.weight.fill_(value)
        layer.bias.fill_(0.0)

    return change


@sick("INIT_SYMMETRIC", "digits moons friedman strokes", place=WEIGHTS, known="before")
def zeros_everywhere(r: Recipe) -> None:
    r.touch.append(each_weight(_fill(0.0)))


@sick("INIT_SYMMETRIC", "blobs circles tags spots", place=WEIGHTS, known="before")
def one_constant_everywhere(r: Recipe) -> None:
    r.touch.append(each_weight(_fill(0.05)))


def _times(factor: float) -> Callable[[Any], None]:
    def change(layer: Any) -> None:
        layer.weight.mul_(factor)

    return change


@sick("INIT_SCALE", "digits friedman tags strokes", place=WEIGHTS, known="before")
def weights_far_too_large(r: Recipe) -> None:
    r.touch.append(each_weight(_times(30.0)))


def _normal(spread: float) -> Callable[[Any], None]:
    return lambda layer: nn.init.normal_(layer.weight, 0.0, spread)


@sick("INIT_SCALE", "digits friedman spots", place=WEIGHTS, known="before")
def unit_normal_weights(r: Recipe) -> None:
    r.width, r.depth = 64, 4
    r.touch.append(each_weight(_normal(2.0)))


@sick("INIT_SCALE VANISHING", "digits friedman circles", place=WEIGHTS, known="before")
def weights_far_too_small(r: Recipe) -> None:
    r.depth, r.optimizer, r.rate, r.options = 4, "SGD", 0.05, {"momentum": 0.9}
    r.touch.append(each_weight(_times(0.02)))


@sick("INIT_SCALE", "digits tags", place=WEIGHTS, known="before")
def uniform_from_zero_to_one(r: Recipe) -> None:
    r.depth = 3
    r.touch.append(each_weight(lambda layer: nn.init.uniform_(layer.weight, 0.0, 1.0)))


@sick("INIT_SCALE SATURATION", "circles friedman", place=WEIGHTS, known="before")
def saturated_from_the_start(r: Recipe) -> None:
    r.hidden = nn.Tanh
    r.touch.append(each_weight(_times(60.0), last=False))


# ---- depth and time


@sick("VANISHING NORM_MISSING INIT_SCALE", "digits circles friedman", place=WEIGHTS, known="before")
def thirty_layers(r: Recipe) -> None:
    r.depth, r.rate = 30, 0.001


@sick("VANISHING ACT_HID", "series", place="rnn", known="tenth")
def plain_recurrence_over_long_series(r: Recipe) -> None:
    from doctor.exam import data

    r.data, r.outputs, r.recurrent, r.optimizer = data.first_sign(0), 2, "RNN", "SGD"
    r.rate, r.epochs = 0.05, 12


def _recurrent(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def touch(model: Any) -> None:
        with pellucid.no_grad():
            for name, weight in model.rnn.named_parameters():
                if name.startswith("weight_hh"):
                    change(weight)

    return touch


@sick("EXPLODING INIT_SCALE SATURATION", "series summing", place="rnn", known="before")
def growing_recurrence(r: Recipe) -> None:
    r.recurrent, r.optimizer, r.rate = "RNN", "SGD", 0.05
    r.touch.append(_recurrent(lambda weight: weight.mul_(12.0)))


@sick("DEAD_RELU INIT_SCALE", "digits friedman strokes", place=WEIGHTS + " act bias",
      known="before")  # fmt: skip
def biases_far_below_zero(r: Recipe) -> None:
    def change(layer: Any) -> None:
        layer.bias.fill_(-6.0)

    r.touch.append(each_weight(change, last=False))


@sick("DEAD_RELU INPUT_UNSCALED", "blobs", place="fc act", known="before")
def dead_by_negative_inputs(r: Recipe) -> None:
    r.data.change(features=lambda x: -abs(x) - 5.0)
    r.touch.append(each_weight(lambda layer: layer.weight.abs_(), last=False))


# ---- normalization and dropout


@sick("BN_MODE", "digits friedman tags", place="extra momentum", known="before")
def statistics_that_never_move(r: Recipe) -> None:
    r.extra = lambda width: nn.BatchNorm1d(width, momentum=0.0005)


@sick("BN_MODE", "strokes", place="extra momentum", known="before")
def statistics_of_pictures_that_never_move(r: Recipe) -> None:
    r.extra = lambda width: nn.BatchNorm2d(width, momentum=0.0)


@sick("BATCH_SIZE BN_MODE", "digits friedman", place="extra batch", known="before")
def normalized_over_two_rows(r: Recipe) -> None:
    r.extra, r.batch, r.epochs = nn.BatchNorm1d, 2, 3


class Forgetful(nn.Module):
    """Dropout by the function, which is on unless it is told otherwise."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, training=True)


@sick("DROPOUT_MODE", "digits friedman tags", place="extra act", known="before")
def dropout_that_never_stops(r: Recipe) -> None:
    r.extra = lambda width: Forgetful(0.5)


# ---- size


@sick("CAPACITY_LOW", "digits circles friedman", place="fc out", known="end")
def one_hidden_unit(r: Recipe) -> None:
    r.width, r.depth = 1, 1


@sick("CAPACITY_LOW", "tags", place="fc rnn out", known="end")
def two_hidden_units(r: Recipe) -> None:
    r.width, r.depth = 2, 1


@sick("KERNEL_SIZE CAPACITY_LOW", "strokes", place="conv", known="before")
def windows_of_one_pixel(r: Recipe) -> None:
    r.kernel = 1
    inner = r.network

    def network(recipe: Recipe) -> nn.Module:
        model: Any = inner(recipe)
        model.pool1, model.pool2 = nn.Identity(), nn.AdaptiveAvgPool2d(1)
        model.out = nn.Linear(16, recipe.outputs)
        return model

    r.network = network
