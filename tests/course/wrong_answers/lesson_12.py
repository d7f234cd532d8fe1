"""Typical wrong answers to lesson 12, and the hint that each must get."""

from tests.course.wrong import Wrong

STEP = """import numpy as np


def penalized_step(weight, gradient, rate, l1=0.0, l2=0.0):
    return weight - rate * (gradient + {slope})
"""
DROPOUT = """import numpy as np


def dropout(x, probability, random, training):
    {first}
    kept = random.random(x.shape) {sign} probability
    return x * kept{scale}
"""
STOP = """def early_stop(losses, patience):
    best = {start}
    for epoch, loss in enumerate(losses, {start}):
        if loss {sign} losses[best - {start}]:
            best = epoch
        if epoch - best {over} patience:
            return best, epoch
    return best, len(losses) - 1 + {start}
"""
PREPARE = """import numpy as np


def prepare(features, labels, random):
    order = {order}
    train, validation = order[: len(order) // 2], order[len(order) // 2 :]
    copies = np.roll(features[{copied}], 1, axis=1)
    more = np.concatenate([features[train], copies])
    labels_of = np.concatenate([labels[train], labels[{copied}]])
    return more, labels_of, features[validation], labels[validation]
"""
DEGREE = """import numpy as np


def best_degree(x, y, x_validation, y_validation, most):
    errors = []
    for degree in range(1, most + 1):
        weights = np.polyfit(x, y, degree)
        errors.append(np.mean({error} ** 2))
    return {result}
"""
NEW = "(np.polyval(weights, x_validation) - y_validation)"
EVALUATION = "if not training:\n        return x"
RANDOM = "random.permutation(len(features))"

WRONG = [
    Wrong("12.1", STEP.format(slope="l1 * np.sign(weight) + 2 * l2 * weight"), "becomes of the ½"),
    Wrong("12.1", STEP.format(slope="l1 * np.sign(weight) - l2 * weight"), "towards 0"),
    Wrong("12.1", STEP.format(slope="l1 + l2 * weight"), "negative weight"),
    Wrong("12.2", DROPOUT.format(first="", sign=">=", scale="/ (1 - probability)"), "as it is"),
    Wrong("12.2", DROPOUT.format(first=EVALUATION, sign=">=", scale=""), "mean has changed"),
    Wrong(
        "12.2",
        DROPOUT.format(first=EVALUATION, sign="<", scale=" / probability"),
        "share that should be dropped",
    ),
    Wrong("12.3", STOP.format(start=0, sign="<", over=">="), "from 1"),
    Wrong("12.3", STOP.format(start=1, sign="<=", over=">="), "only equal"),
    Wrong("12.3", STOP.format(start=1, sign="<", over=">"), "before that loss"),
    Wrong(
        "12.3",
        "def early_stop(losses, patience):\n"
        "    best = 1 + losses.index(min(losses))\n    return best, len(losses)",
        "before that loss",
    ),
    Wrong("12.4", PREPARE.format(order=RANDOM, copied="validation"), "different sides"),
    Wrong("12.4", PREPARE.format(order="np.arange(len(features))", copied="train"), "random"),
    Wrong(
        "12.5",
        DEGREE.format(error="(np.polyval(weights, x) - y)", result="1 + int(np.argmin(errors))"),
        "highest degree wins",
    ),
    Wrong("12.5", DEGREE.format(error=NEW, result="int(np.argmin(errors))"), "One too low"),
]
