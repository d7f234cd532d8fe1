"""The causes that can be named, and which of them explains which.

A cause is a thing that somebody can change.  What merely follows from it (a vanishing gradient
from unscaled inputs) is named as its symptom and never beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.base.errors import ArgumentError


@dataclass(frozen=True)
class Cause:
    """A cause: its ``code``, a ``title`` for headings, what it ``means``, and the codes of the
    causes that it ``explains`` where both are seen."""

    code: str
    title: str
    means: str
    explains: tuple[str, ...] = ()


def _causes(*listed: Cause) -> dict[str, Cause]:
    return {cause.code: cause for cause in listed}


_UNSTABLE = ("EXPLODING", "NUMERIC", "SATURATION", "DEAD_RELU", "VANISHING")
_SLOW = ("EPOCHS_FEW", "CAPACITY_LOW", "LR_LOW")

CAUSES = _causes(
    # ---- the end of the network and its loss
    Cause(
        "ACT_OUT",
        "output activation does not fit the targets",
        "the last activation cannot give the values that the targets have, or not what the loss "
        "expects",
        ("SATURATION", "VANISHING", "DEAD_RELU", *_SLOW),
    ),
    Cause(
        "SOFTMAX_SINGLE_UNIT",
        "softmax over one unit",
        "a softmax over a single unit is 1 whatever comes in, so nothing is learned",
        ("ACT_OUT", "LOSS_WRONG", "OUT_UNITS", "VANISHING", *_SLOW),
    ),
    Cause(
        "DOUBLE_SOFTMAX",
        "softmax applied twice",
        "the loss applies a softmax (or sigmoid) to outputs that are probabilities already",
        ("ACT_OUT", "VANISHING", "SATURATION", *_SLOW),
    ),
    Cause(
        "LOGITS_PROBS",
        "scores where probabilities are expected",
        "the loss expects probabilities or log-probabilities and gets raw scores",
        ("ACT_OUT", "LOSS_WRONG", "GRAD_SIGN", *_UNSTABLE, *_SLOW),
    ),
    Cause(
        "OUT_UNITS",
        "number of outputs does not match the targets",
        "the network has fewer or many more outputs than the targets have classes or columns",
        ("BROADCAST",),
    ),
    Cause(
        "LOSS_WRONG",
        "loss does not fit the task",
        "the loss measures something else than what the targets ask for",
        ("ACT_OUT", "METRIC_WRONG", "GRAD_SIGN", *_UNSTABLE, *_SLOW),
    ),
    Cause(
        "LOSS_REDUCTION",
        "loss summed instead of averaged",
        "gradients grow with the size of the batch, as if the learning rate did",
        ("LR_HIGH", "OVERFIT", *_UNSTABLE),
    ),
    Cause(
        "AXIS_WRONG",
        "softmax or reduction along the wrong axis",
        "rows of a batch influence each other, or the answers of a row do not sum to 1",
        ("ACT_OUT", "VANISHING", *_SLOW),
    ),
    Cause(
        "BROADCAST",
        "shapes of outputs and targets broadcast",
        "(n,) against (n, 1) becomes (n, n): each answer is compared with every target",
        ("LOSS_WRONG", "LABEL_MISALIGNED", "GRAD_SIGN", *_SLOW),
    ),
    Cause(
        "NUMERIC",
        "number outside the range of its type",
        "a logarithm, exponential or division gave NaN or infinity",
        ("EXPLODING",),
    ),
    # ---- the layers
    Cause(
        "ACT_HID",
        "unsuitable activation in hidden layers",
        "its slope is small nearly everywhere, so gradients shrink from layer to layer",
        ("VANISHING", "SATURATION", *_SLOW),
    ),
    Cause(
        "ACT_MISSING",
        "layers without an activation between them",
        "linear layers in a row are one linear layer",
        ("CAPACITY_LOW", "EPOCHS_FEW"),
    ),
    Cause(
        "INIT_SYMMETRIC",
        "units start equal",
        "units with equal weights get equal gradients and stay equal",
        ("VANISHING", "DEAD_RELU", *_SLOW),
    ),
    Cause(
        "INIT_SCALE",
        "first weights too large or too small",
        "signals grow or shrink from layer to layer",
        (*_UNSTABLE, "LR_LOW", "LR_HIGH", "EPOCHS_FEW"),
    ),
    Cause(
        "VANISHING",
        "gradients vanish with depth or time",
        "the first layers hardly change",
        _SLOW,
    ),
    Cause(
        "EXPLODING",
        "gradients grow with depth or time",
        "single steps become so large that what was learned is lost",
        ("NUMERIC", "LR_HIGH"),
    ),
    Cause(
        "DEAD_RELU",
        "units that never answer",
        "their output is 0 for every row, so no gradient reaches them",
        ("EPOCHS_FEW",),
    ),
    Cause(
        "SATURATION",
        "units at the flat ends of their activation",
        "their slope is nearly 0, so they learn slowly or not at all",
        ("VANISHING", *_SLOW),
    ),
    Cause(
        "NORM_MISSING",
        "deep network without normalization",
        "activations drift from layer to layer while training",
        (*_UNSTABLE, *_SLOW),
    ),
    Cause(
        "BN_MODE",
        "batch normalization in the wrong mode",
        "running statistics are not used, not updated, or made from too few rows",
        ("OVERFIT", "TRAIN_TEST_PREP_MISMATCH"),
    ),
    Cause(
        "DROPOUT_MODE",
        "dropout in the wrong mode",
        "dropout is on while the model is measured, or off while it learns",
        ("OVERFIT", "REG_EXCESS"),
    ),
    Cause(
        "KERNEL_SIZE",
        "windows of convolutions do not fit",
        "they are larger than what they look at, or too small to see it",
        ("CAPACITY_LOW",),
    ),
    Cause(
        "CAPACITY_LOW",
        "network too small",
        "it cannot even learn one batch by heart",
        ("EPOCHS_FEW",),
    ),
    # ---- the optimizer
    Cause(
        "LR_HIGH",
        "learning rate too high",
        "steps overshoot: the loss jumps, rises or ends in NaN",
        (*_UNSTABLE, "BATCH_SIZE", "EPOCHS_FEW", "OVERFIT"),
    ),
    Cause("LR_LOW", "learning rate too low", "weights hardly change", _SLOW[:2]),
    Cause(
        "LR_NEGATIVE",
        "learning rate is negative or zero",
        "steps lead uphill, or nowhere",
        ("GRAD_SIGN", *_UNSTABLE, *_SLOW),
    ),
    Cause(
        "OPT_WRONG",
        "unsuitable optimizer",
        "another optimizer learns much faster from the same start",
        ("EPOCHS_FEW", "LR_LOW"),
    ),
    Cause(
        "OPT_EPS",
        "epsilon of the optimizer does not fit",
        "it underflows in the number type, or is larger than what it guards",
        ("NUMERIC", *_SLOW),
    ),
    Cause(
        "GRAD_SIGN",
        "steps lead uphill",
        "the loss of a batch rises by the step made from it, however small",
        ("ACT_OUT", *_UNSTABLE, *_SLOW),
    ),
    Cause(
        "GRAD_NOT_RESET",
        "gradients add up over steps",
        "each step follows the sum of all gradients so far",
        ("LR_HIGH", *_UNSTABLE, *_SLOW),
    ),
    Cause(
        "WEIGHTS_STILL",
        "weights that do not move",
        "they are frozen, not in the optimizer, or no path leads from the loss to them",
        ("VANISHING", *_SLOW),
    ),
    Cause(
        "EPOCHS_FEW",
        "stopped while still improving",
        "the loss was still falling at the end",
        ("LR_LOW",),
    ),
    Cause(
        "BATCH_SIZE",
        "batch too small or too large",
        "gradients are mostly noise, or there are too few steps",
        ("EPOCHS_FEW", "BN_MODE"),
    ),
    # ---- inputs and targets
    Cause(
        "INPUT_UNSCALED",
        "inputs of large or unequal scale",
        "some columns drown the others, and steps that fit one are wrong for another",
        (*_UNSTABLE, *_SLOW, "LR_HIGH", "INIT_SCALE"),
    ),
    Cause(
        "INPUT_DOUBLE_SCALED",
        "inputs scaled twice",
        "they hardly differ from row to row",
        ("VANISHING", *_SLOW, "INIT_SCALE"),
    ),
    Cause(
        "TARGET_UNSCALED",
        "targets far from unit scale",
        "the output layer has to grow before anything else is learned",
        (*_UNSTABLE, *_SLOW, "LR_HIGH"),
    ),
    Cause(
        "TRAIN_TEST_PREP_MISMATCH",
        "validation rows prepared in another way",
        "their columns have other means or deviations than those of the training rows",
        ("OVERFIT", "SPLIT_UNSHUFFLED", "DATA_DRIFT", "DATA_OUTLIERS"),
    ),
    Cause(
        "STATS_SUBSET",
        "scaled with statistics of too few rows",
        "columns that were standardized do not have a standard deviation near 1",
        ("INPUT_UNSCALED",),
    ),
    Cause(
        "LABEL_SCALED",
        "labels changed by scaling",
        "class numbers are no whole numbers any more",
        ("LOSS_WRONG", "ACT_OUT", "OUT_UNITS"),
    ),
    Cause(
        "LABEL_MISALIGNED",
        "features and labels are not in the same order",
        "neighbours do not share labels, and only memorizing lowers the loss",
        ("OVERFIT", "LABEL_NOISE", "REG_MISSING", *_SLOW),
    ),
    Cause(
        "LABEL_PADDING",
        "padding counted as a class",
        "padded positions carry a class number and rule the loss",
        ("IMBALANCE",),
    ),
    Cause(
        "LABEL_NOISE", "wrong labels", "some rows carry the label of another class", ("OVERFIT",)
    ),
    Cause("DATA_SHAPE", "axes of the data in the wrong order", "the model reads rows as columns"),
    Cause(
        "SPLIT_UNSHUFFLED",
        "parts come from different ends of ordered data",
        "training and validation rows do not have the same classes or range",
        ("OVERFIT", "MISSING_CLASS", "IMBALANCE", "TRAIN_TEST_PREP_MISMATCH", "DATA_DRIFT"),
    ),
    Cause("MISSING_CLASS", "class without training rows", "what is never seen cannot be learned"),
    Cause(
        "SINGLE_CLASS_LABELS",
        "all labels are equal",
        "there is nothing to tell apart",
        ("IMBALANCE", "MISSING_CLASS", "METRIC_WRONG"),
    ),
    Cause(
        "DATA_LEAK",
        "same rows in training and validation, or a column that knows the target",
        "the validation figure is better than it will be on new rows",
    ),
    Cause("IMBALANCE", "classes of very unequal size", "a rare class is never answered"),
    Cause(
        "DATA_DUPLICATES",
        "rows that occur several times",
        "cut at random, copies of one row come into training and validation",
    ),
    Cause(
        "DATA_DRIFT",
        "parts differ",
        "training and validation rows do not come from the same distribution",
    ),
    Cause(
        "DATA_OUTLIERS",
        "values far from all others",
        "a slip of the pen or of a device; a single one can rule scales and gradients",
    ),
    Cause(
        "DATA_MISSING",
        "missing values",
        "NaN, empty cells, or a number that stands for them",
    ),
    Cause(
        "DATA_MIXED",
        "values of several kinds in one column",
        "numbers beside texts, or one category written in several ways",
    ),
    Cause(
        "COLUMN_CONSTANT",
        "column with one value",
        "it tells nothing, and standardizing it divides by 0",
    ),
    Cause(
        "COLUMN_IDENTIFIER",
        "column that names or counts the rows",
        "a network can learn it by heart, and new rows have new names",
    ),
    Cause(
        "AUGMENT",
        "augmentation destroys the signal",
        "changed rows no longer show what their label says",
        ("EPOCHS_FEW", "REG_EXCESS", "CAPACITY_LOW"),
    ),
    # ---- fit
    Cause(
        "REG_EXCESS",
        "too much regularization",
        "dropout or penalties outweigh the data",
        ("EPOCHS_FEW", "CAPACITY_LOW", "LR_LOW", "VANISHING"),
    ),
    Cause("REG_MISSING", "no regularization", "the gap to validation grows from the start"),
    Cause(
        "OVERFIT",
        "over-fitting",
        "the validation loss rises while the training loss falls",
        ("REG_MISSING",),
    ),
    Cause(
        "METRIC_WRONG", "metric does not follow the loss", "one improves while the other does not"
    ),
    Cause("PIPELINE_SLOW", "loading data takes most of the time", "the model waits for its rows"),
    Cause("MODE_COLLAPSE", "generator gives nearly one answer", "its outputs hardly differ"),
    # ---- learning from rewards
    Cause("REWARD_SCALE", "rewards of unsuitable scale", "values and gradients follow their scale"),
    Cause(
        "ENTROPY_COLLAPSE",
        "policy has become certain too early",
        "it always takes the same action and sees nothing new",
    ),
    Cause("Q_OVERESTIMATE", "values are over-estimated", "they exceed what returns can reach"),
    Cause(
        "TERMINATION",
        "end of an episode confused with its time limit",
        "values stop where only the clock did, or go on where the episode ended",
    ),
    Cause("EXPLORATION_DEAD", "no exploration", "actions that were never tried stay unknown"),
    Cause("UNKNOWN", "cause not known", "the training is sick, and no known cause was confirmed"),
)
"""Code → cause; the codes are those that a report gives in ``finding.cause``."""


def cause(code: str) -> Cause:
    """The cause of a code; ``ArgumentError`` for an unknown one."""
    if code not in CAUSES:
        raise ArgumentError(f"There is no cause {code!r}", f"Choose from {', '.join(CAUSES)}.")
    return CAUSES[code]
