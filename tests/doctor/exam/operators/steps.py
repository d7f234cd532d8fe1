"""What goes wrong in the steps: learning rate, optimizer, sign, budget, batches."""

from __future__ import annotations

from typing import Any

from doctor.exam import ways
from doctor.exam.program import sick
from doctor.exam.recipe import Recipe
from pellucid import optim

RATE = "lr rate"


@sick("LR_HIGH", "digits moons friedman strokes series majority", place=RATE, known="step 10")
def adam_at_one(r: Recipe) -> None:
    r.rate = 1.0


@sick("LR_HIGH", "digits blobs tags spots tones summing", place=RATE, known="step 10")
def descent_at_twenty(r: Recipe) -> None:
    r.optimizer, r.rate = "SGD", 20.0


@sick("LR_HIGH", "friedman digits_cnn present", place=RATE, known="tenth")
def momentum_on_top(r: Recipe) -> None:
    r.optimizer, r.rate, r.options = "SGD", 0.6, {"momentum": 0.99}


@sick("LR_HIGH", "digits tally", place=RATE, known="step 10")
def rms_at_a_half(r: Recipe) -> None:
    r.optimizer, r.rate = "RMSprop", 0.5


@sick("LR_HIGH DEAD_RELU", "digits friedman", place=RATE, known="tenth")
def killed_by_large_steps(r: Recipe) -> None:
    r.depth, r.rate = 4, 0.4


@sick("LR_LOW", "digits friedman tags strokes series tally", place=RATE, known="step 10")
def adam_at_a_millionth(r: Recipe) -> None:
    r.rate = 1e-6


@sick("LR_LOW", "circles moons spots summing present", place=RATE, known="step 10")
def descent_at_a_hundred_thousandth(r: Recipe) -> None:
    r.optimizer, r.rate = "SGD", 1e-5


@sick("LR_LOW OPT_WRONG", "digits friedman", place=RATE + " optimizer", known="step 10")
def delta_of_a_thousandth(r: Recipe) -> None:
    r.optimizer, r.rate = "Adadelta", 0.0005


@sick("LR_NEGATIVE", "blobs friedman strokes", place=RATE, known="before")
def rate_of_zero(r: Recipe) -> None:
    r.rate = 0.0


@sick("LR_NEGATIVE LR_LOW", "digits tags", place=RATE + " schedule", known="step 10")
def schedule_that_starts_at_nothing(r: Recipe) -> None:
    r.schedule = lambda optimizer: optim.lr_scheduler.LambdaLR(optimizer, lambda e: e // 1000)


@sick("LR_LOW", "digits friedman", place=RATE + " schedule gamma", known="end")
def schedule_that_falls_too_fast(r: Recipe) -> None:
    r.rate = 0.001
    r.schedule = lambda optimizer: optim.lr_scheduler.ExponentialLR(optimizer, 0.05)


@sick("OPT_WRONG LR_LOW EPOCHS_FEW", "majority tally present", place=RATE + " optimizer epochs",
      known="end")  # fmt: skip
def plain_descent_on_attention(r: Recipe) -> None:
    r.optimizer, r.rate = "SGD", 0.003


@sick("OPT_EPS", "digits friedman tags series", place="eps", known="before")
def epsilon_above_all_gradients(r: Recipe) -> None:
    r.options, r.rate, r.epochs = {"eps": 10.0}, 0.003, 10


@sick("GRAD_SIGN LR_NEGATIVE", "digits friedman summing", place="maximize sign lr loss",
      known="before")  # fmt: skip
def told_to_maximize(r: Recipe) -> None:
    r.optimizer, r.rate, r.options = "SGD", 0.01, {"maximize": True}


@sick("GRAD_SIGN LR_NEGATIVE", "moons blobs spots", place="", known="step 10")
def update_with_the_wrong_sign(r: Recipe) -> None:
    r.rate, r.loop = 0.05, ways.climbing_loop


@sick("GRAD_SIGN LOSS_WRONG", "moons strokes friedman", place="", known="step 10")
def loss_with_a_minus(r: Recipe) -> None:
    r.optimizer, r.rate, r.loop = "SGD", 0.02, ways.negated_loop


def _minus(loss: Any) -> Any:
    return lambda answers, targets: -loss(answers, targets)


@sick("GRAD_SIGN LOSS_WRONG", "digits tags tally", place="", known="step 10")
def likelihood_that_is_made_small(r: Recipe) -> None:
    r.loss, r.rate = _minus(r.loss), 0.001


@sick("GRAD_NOT_RESET", "digits friedman tags strokes summing", place="", known="step 10")
def gradients_that_add_up(r: Recipe) -> None:
    r.optimizer, r.rate, r.loop = "SGD", 0.1, ways.forgetful_loop
    r.options = {"momentum": 0.5}


@sick("EPOCHS_FEW", "digits friedman tags strokes series", place="epochs", known="end")
def stopped_after_two_epochs(r: Recipe) -> None:
    r.epochs, r.rate = 2, 0.001


@sick("EPOCHS_FEW LR_LOW", "circles present", place="epochs lr", known="end")
def stopped_on_the_slope(r: Recipe) -> None:
    r.epochs, r.rate, r.optimizer, r.options = 3, 0.02, "SGD", {"momentum": 0.8}


@sick("BATCH_SIZE EPOCHS_FEW LR_LOW", "digits circles tags", place="batch epochs", known="before")
def one_batch_for_everything(r: Recipe) -> None:
    r.batch, r.rate, r.epochs = 4096, 0.001, 10


@sick("BATCH_SIZE LR_HIGH", "friedman digits", place="batch lr", known="tenth")
def one_row_at_a_time(r: Recipe) -> None:
    r.batch, r.epochs, r.optimizer, r.rate = 1, 3, "SGD", 0.15
