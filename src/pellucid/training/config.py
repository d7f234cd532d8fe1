"""Everything about a training run that can be set, in one object.

The allowed values stand beside each setting as data, so that the check, the error message and the
command line's help say the same thing.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.base.phrases import Setting, phrase
from pellucid.data.input_layout import InputLayout
from pellucid.data.prose import TEXT_MODELS
from pellucid.data.splits import DEFAULT_FRACTIONS
from pellucid.data.tasks import TaskKind

ACTIVATIONS: Mapping[str, str] = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "Softplus",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "identity": "Identity",
}
"""Name of an activation → its class in ``pellucid.nn``."""

INITIALIZATIONS = (
    "he_normal",
    "he_uniform",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "orthogonal",
    "normal",
    "zeros",
)

OPTIMIZERS: Mapping[str, str] = {
    "adamw": "AdamW",
    "adam": "Adam",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "nadam": "NAdam",
    "radam": "RAdam",
    "lion": "Lion",
}
"""Name of an optimizer → its class in ``pellucid.optim``."""

SCHEDULES = ("constant", "linear", "cosine", "exponential", "step", "plateau", "one_cycle")
NORMALIZATIONS = ("none", "batch")
FLIPS = ("none", "horizontal", "vertical", "both")

LOSSES: Mapping[str, tuple[TaskKind, ...]] = {
    "cross_entropy": ("multiclass",),
    "multi_margin_loss": ("multiclass",),
    "binary_cross_entropy_with_logits": ("binary", "multilabel"),
    "soft_margin_loss": ("binary", "multilabel"),
    "focal_loss": ("binary", "multiclass", "multilabel"),
    "mse_loss": ("regression",),
    "l1_loss": ("regression",),
    "smooth_l1_loss": ("regression",),
    "huber_loss": ("regression",),
}
"""Name of a loss, as ``Trainer`` takes it → the tasks it fits."""

MODELS: Mapping[str, str] = {
    "mlp": "multi-layer perceptron, which does not know which inputs are neighbours",
    "cnn": "convolutional network, for images: finds the same small pattern anywhere",
}
"""Name of a kind of network → what it is."""

MAX_WIDTH = 65_536
MAX_LAYERS = 1_000
_TINY = 1e-12
# Settings that run folders of the first version may lack, with what was done then.
_ADDED: Mapping[str, Any] = {
    "model": "mlp",
    "channels": (32, 64),
    "ema_decay": 0.0,
    "accumulate": 1,
    "start": "random",
    "normalization": "none",
    "shift": 0,
    "class_weight": "none",
    "warmup": 0.0,
    "max_minutes": 0.0,
    "flip": "none",
    "rotate": 0.0,
    "scale": 0.0,
    "crop": 1.0,
    "colour": 0.0,
    "cutout": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "noise": 0.0,
    "text": "bag",
    "ensemble": 1,
    "base": "",
    "freeze": "none",
    "taken_rate": 1.0,
}
IMAGE_SETTINGS: Mapping[str, Any] = {
    "model": "cnn",
    "channels": (16, 32, 64),
    "widths": (),
    "normalization": "batch",
    "shift": 2,
    "schedule": "one_cycle",
    "learning_rate": 0.01,
    "batch_size": 128,
    "l2": 0.01,
}
"""What is used for images unless given, in place of the defaults."""
DEFAULT_EPOCHS, DEFAULT_PATIENCE = 100, 10
MIN_STEPS = 2_000
PATIENT_STEPS = 600
DEFAULT_DECAY = 1.0
CYCLE_STEPS, LEAST_CYCLE = 4_000, 8


def _setting(
    default: Any,
    reason: str,
    *,
    low: float | None = None,
    high: float | None = None,
    among: Iterable[str] = (),
    flags: tuple[str, ...] = (),
) -> Any:
    """A field with its reason, its allowed values, and its names at the command line where these
    are not ``--name-of-the-field``."""
    facts = {"reason": reason, "low": low, "high": high, "among": tuple(among), "flags": flags}
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a run.  ``ArgumentError`` for a value that is not allowed."""

    # --- The network ---
    model: str = _setting(
        "mlp",
        "kind of network: " + "; ".join(f"{name}, a {text}" for name, text in MODELS.items()),
        among=MODELS,
    )
    channels: tuple[int, ...] = _setting(
        (32, 64),
        "channels of each convolution of a cnn: 3×3 patterns, each convolution followed by pooling "
        "that halves the image",
        low=1,
        high=MAX_WIDTH,
    )
    normalization: str = _setting(
        "none",
        "what follows each convolution: batch keeps the means and deviations of a batch's channels "
        "at 0 and 1, which allows larger learning rates",
        among=NORMALIZATIONS,
    )
    widths: tuple[int, ...] = _setting(
        (128, 64),
        "units of each hidden layer: two layers fit most tables and small images; "
        "no widths make a linear model",
        low=1,
        high=MAX_WIDTH,
        flags=("--width", "--widths"),
    )
    text: str = _setting(
        "bag",
        "how prose in a table becomes numbers: bag averages learned vectors of its words and pairs "
        "of words; transformer reads the words in their order, which takes longer and more rows",
        among=TEXT_MODELS,
    )
    activation: str = _setting(
        "relu",
        "function after each hidden layer: ReLU is cheap and does not saturate for positive input",
        among=ACTIVATIONS,
    )
    initialization: str = _setting(
        "he_normal",
        "how weights start: He's variance 2/inputs keeps signals of equal size through ReLU layers",
        among=INITIALIZATIONS,
    )
    start: str = _setting(
        "auto",
        "what the first weights compute: linear begins at the solution of the linear model, and "
        "training only adds what that misses; auto does so for tables that are not large",
        among=("auto", "linear", "random"),
    )
    dropout: float = _setting(
        0.0,
        "share of hidden units switched off at random in each step, against over-fitting",
        low=0.0,
        high=0.95,
    )
    ensemble: int = _setting(
        1,
        "networks that begin with other weights and see the rows in other orders, and whose "
        "predictions are averaged: usually better than one, and they show how sure they are",
        low=1,
        high=1000,
    )
    # --- Beginning with what was learned before ---
    base: str = _setting(
        "",
        "run folder whose network this one begins with: it is built alike unless given, layers "
        "whose shapes agree are taken, and the last is new where the classes are others",
        flags=("--from",),
    )
    freeze: str = _setting(
        "none",
        "taken layers that stay as they are: none, the first half, or the body, which is all but "
        "the last layer",
        among=("none", "half", "body"),
    )
    taken_rate: float = _setting(
        1.0,
        "learning rate of taken layers as a share of that of new ones; 0.1 keeps most of what "
        "they know",
        low=0.0,
        high=1e3,
    )
    # --- The goal ---
    loss: str = _setting(
        "auto",
        "what is minimized; auto takes the one that belongs to the task",
        among=("auto", *LOSSES),
    )
    class_weight: str = _setting(
        "none",
        "balanced makes all classes count the same, however many rows they have",
        among=("none", "balanced"),
    )
    l1: float = _setting(
        0.0,
        "weight of the sum of absolute weights added to the loss; drives weights to exactly zero",
        low=0.0,
        high=1e3,
    )
    l2: float | None = _setting(
        None,
        "weight decay (decoupled in AdamW, in the gradient elsewhere); "
        f"unless given {DEFAULT_DECAY:g} for AdamW and 0 for the others",
        low=0.0,
        high=1e3,
    )
    # --- The way there ---
    optimizer: str = _setting(
        "adamw",
        "rule for the updates: AdamW needs little tuning; SGD with momentum often generalizes best",
        among=OPTIMIZERS,
    )
    learning_rate: float = _setting(
        1e-3,
        "size of the updates: 0.001 suits Adam and its kin; SGD starts at 0.01",
        low=_TINY,
        high=1e3,
        flags=("--learning-rate", "--lr"),
    )
    momentum: float = _setting(
        0.9,
        "share of the last update that is kept (SGD and RMSprop only)",
        low=0.0,
        high=0.9999,
    )
    schedule: str = _setting(
        "constant",
        "how the learning rate falls over the epochs; one_cycle first lets it rise for a fifth of "
        "the steps",
        among=SCHEDULES,
    )
    warmup: float = _setting(
        0.0,
        "epochs in which the learning rate rises from a hundredth, step by step",
        low=0.0,
        high=1e6,
    )
    clip_norm: float = _setting(
        0.0,
        "longest gradient (norm over all parameters) that is used as it is; 0 clips nothing",
        low=0.0,
        high=1e9,
    )
    ema_decay: float = _setting(
        0.0,
        "moving average of the weights for validation and prediction: 0.99 averages over about the "
        "last 100 updates; 0 uses the weights themselves",
        low=0.0,
        high=0.999999,
    )
    accumulate: int = _setting(
        1,
        "batches whose gradients make one update: that of a larger batch, in the memory of one",
        low=1,
        high=1_000_000,
    )
    batch_size: int = _setting(
        64,
        "rows in each update: fewer make noisier, more frequent updates",
        low=1,
        high=10_000_000,
        flags=("--batch-size", "--batch"),
    )
    epochs: int | None = _setting(
        None,
        "most passes over the training rows; unless given 100, and more of few rows, so that there "
        f"are at least {MIN_STEPS:,} updates; early stopping usually ends the run before",
        low=1,
        high=10_000_000,
    )
    patience: int | None = _setting(
        None,
        "epochs without a better validation loss before the run stops; unless given 10, and more "
        f"of few rows, so that there are at least {PATIENT_STEPS} updates; 0 switches this off",
        low=0,
        high=10_000_000,
    )
    max_minutes: float = _setting(
        0.0,
        "minutes after which the training ends, with the batch that runs; 0 sets no end",
        low=0.0,
        high=1e7,
    )
    # --- Changes of the training rows, others in each step ---
    shift: int = _setting(
        0,
        "images are moved at random by up to so many pixels in each step of training, so that it "
        "does not matter where exactly something stands",
        low=0,
        high=1000,
    )
    flip: str = _setting(
        "none",
        "images are mirrored by a coin, left to right (horizontal), top to bottom (vertical) or "
        "both, where what they show stays what it is",
        among=FLIPS,
    )
    rotate: float = _setting(
        0.0,
        "images are turned by up to so many degrees either way",
        low=0.0,
        high=180.0,
    )
    scale: float = _setting(
        0.0,
        "images are enlarged or made smaller by a factor of up to 1 ± this share",
        low=0.0,
        high=0.9,
    )
    crop: float = _setting(
        1.0,
        "smallest share of an image's area that is cut out at a random place and fills the image; "
        "1 cuts nothing",
        low=0.01,
        high=1.0,
    )
    colour: float = _setting(
        0.0,
        "brightness, contrast and saturation of images change by factors of up to 1 ± this share",
        low=0.0,
        high=0.99,
        flags=("--colour", "--color"),
    )
    cutout: float = _setting(
        0.0,
        "side of a square in each image that is blanked out, as a share of the shorter side",
        low=0.0,
        high=1.0,
    )
    mixup: float = _setting(
        0.0,
        "rows are mixed with others, targets as well, by shares from Beta(this, this); 0.2 mixes "
        "a little, 1 a lot, 0 nothing; also for tables",
        low=0.0,
        high=100.0,
    )
    cutmix: float = _setting(
        0.0,
        "a rectangle of each image comes from another one, targets are mixed by the areas; from "
        "Beta(this, this), such as 1; 0 switches it off",
        low=0.0,
        high=100.0,
    )
    noise: float = _setting(
        0.0,
        "standard deviation of normal noise that is added to the numbers of a row, which have "
        "deviation 1; also for tables",
        low=0.0,
        high=100.0,
    )
    # --- Repeating it ---
    seed: int = _setting(
        0,
        "decides split, first weights, order of rows and dropout; equal seeds give equal bits",
        low=0,
        high=2**63 - 1,
    )
    threads: int = _setting(
        0,
        "threads of the native code; 0 takes what the process may use; results do not depend on it",
        low=0,
        high=4096,
    )
    fractions: tuple[float, ...] | None = _setting(
        None,
        "shares of training, validation and test; unless given "
        + " / ".join(f"{share:g}" for share in DEFAULT_FRACTIONS)
        + ", or the data set's own test part",
        low=0.0,
        high=1.0,
    )
    compile: bool = _setting(
        True,
        "run steps as native programs; without it NumPy runs them, operation by operation",
        flags=("--eager",),
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            object.__setattr__(self, item.name, _checked(item, getattr(self, item.name)))
        if len(self.widths) > MAX_LAYERS:
            raise ArgumentError(
                f"widths has {len(self.widths)} entries", f"Use at most {MAX_LAYERS} hidden layers."
            )
        if not self.base and (self.freeze != "none" or self.taken_rate != 1.0):
            name = "freeze" if self.freeze != "none" else "taken_rate"
            raise ArgumentError(
                phrase(Setting(name, getattr(self, name)), " is about layers that are taken"),
                phrase("Say from which run: ", Setting("base", "runs/first"), "."),
            )
        if self.fractions is not None and abs(sum(self.fractions) - 1) > 1e-6:
            raise ArgumentError(
                phrase(Setting("fractions", self.fractions), f" sum to {sum(self.fractions):g}"),
                "The shares of training, validation and test sum to 1, such as 0.7,0.15,0.15.",
            )

    @property
    def weight_decay(self) -> float:
        """``l2``, or the default of the optimizer."""
        if self.l2 is not None:
            return self.l2
        return DEFAULT_DECAY if self.optimizer == "adamw" else 0.0

    def for_rows(self, rows: int) -> TrainingConfig:
        """The settings with ``epochs`` and ``patience`` as numbers, for so many training rows.

        Unless given, epochs are 100 and patience is 10; where that would be fewer than 2,000 and
        600 updates, as many epochs as have so many.  With one_cycle, epochs are as many as have
        4,000 updates, from 8 to 100 (of few rows as many as have 600), and nothing stops early.
        """
        updates = max(1, -(-rows // (self.batch_size * self.accumulate)))
        epochs, patience = self.epochs, self.patience
        if self.schedule == "one_cycle":
            if epochs is None:
                most = max(DEFAULT_EPOCHS, -(-PATIENT_STEPS // updates))
                epochs = min(most, max(LEAST_CYCLE, round(CYCLE_STEPS / updates)))
            patience = patience or 0
        if epochs is None:
            epochs = max(DEFAULT_EPOCHS, -(-MIN_STEPS // updates))
        if patience is None:
            patience = max(DEFAULT_PATIENCE, -(-PATIENT_STEPS // updates))
        if (epochs, patience) == (self.epochs, self.patience):
            return self
        return dataclasses.replace(self, epochs=epochs, patience=patience)

    @classmethod
    def suited_to(cls, row_shape: tuple[int, ...], **given: Any) -> TrainingConfig:
        """The settings for rows of this shape: those ``given``, and for images (height, width) or
        (height, width, channels) ``IMAGE_SETTINGS`` in place of the defaults, with as many
        convolutions as the image can be halved; for rows with pictures beside other entries the
        same convolutions and rates, and the layers of a table."""
        if isinstance(row_shape, InputLayout) and row_shape.pictures:
            side = min(min(one.shape[:2]) for one in row_shape.pictures)
            rates = {name: IMAGE_SETTINGS[name] for name in ("learning_rate", "schedule", "l2")}
            return cls(**{**rates, **_convolved(side), **given})
        if len(row_shape) not in (2, 3) or given.get("model", "cnn") != "cnn":
            return cls(**given)
        return cls(**{**IMAGE_SETTINGS, **_convolved(min(row_shape[:2])), **given})

    def loss_for(self, kind: TaskKind, default: str) -> str:
        """The loss by its name in ``pellucid.nn.functional``; ``ArgumentError`` where ``loss``
        does not fit a task of ``kind``."""
        if self.loss == "auto":
            return default
        if kind not in LOSSES[self.loss]:
            fitting = [name for name, kinds in LOSSES.items() if kind in kinds]
            raise ArgumentError(
                phrase(Setting("loss", self.loss), f" does not fit a {kind} task"),
                "Losses for it: " + ", ".join(fitting) + ".",
            )
        return self.loss

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        listed = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in listed.items()}

    @classmethod
    def from_json(cls, data: object) -> TrainingConfig:
        """The settings from ``to_json``'s values; ``RunFolderError`` for anything else."""
        names = [item.name for item in dataclasses.fields(cls)]
        if isinstance(data, dict):
            data = dict(_ADDED) | data
        if not isinstance(data, dict) or set(data) != set(names):
            raise RunFolderError(
                "config: expected an object with the keys " + ", ".join(names),
                "The file is damaged or of another version: train again, or restore it.",
            )
        values: dict[str, Any] = {
            str(k): tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        try:
            return cls(**values)
        except (ArgumentError, TypeError) as error:
            text = error.message if isinstance(error, ArgumentError) else str(error)
            raise RunFolderError(
                f"config: {text}", "The file is damaged or was changed by hand: train again."
            ) from None


def _convolved(side: int) -> dict[str, Any]:
    """The convolutions for images whose shorter side is this long."""
    most = max(1, side.bit_length() - 1)
    channels, normalization = (IMAGE_SETTINGS[name] for name in ("channels", "normalization"))
    return {"channels": channels[-most:], "normalization": normalization}


def setting_reason(name: str) -> str:
    """Why a setting exists, with its default and allowed values, for help texts."""
    item = next(f for f in dataclasses.fields(TrainingConfig) if f.name == name)
    among = item.metadata["among"]
    text = str(item.metadata["reason"])
    return f"{text} [{', '.join(among)}]" if among else text


def nearest_option(name: str, value: str, options: Iterable[str]) -> ArgumentError:
    """The error for a value that is not among the options, with the most similar ones."""
    listed = list(options)
    close = difflib.get_close_matches(value.lower(), listed, n=3, cutoff=0.5)
    start = "Did you mean " + " or ".join(close) + "? " if close else ""
    return ArgumentError(
        phrase(Setting(name, value), " is unknown"),
        f"{start}The choices are {', '.join(listed)}.",
    )


def _checked(item: dataclasses.Field[Any], value: Any) -> Any:
    """``value`` in the type of the setting, or an error that names what is allowed."""
    kind = str(item.type)
    if value is None and "None" in kind:
        return None
    if kind == "str":
        among = item.metadata["among"]
        if not isinstance(value, str):
            raise ArgumentError(f"{item.name}={value!r} is no text", f"Use one of {among}.")
        if among and value not in among:
            raise nearest_option(item.name, value, among)
        return value
    if kind == "bool":
        if not isinstance(value, bool):
            raise ArgumentError(f"{item.name}={value!r}", "Use True or False.")
        return value
    if kind.startswith("tuple"):
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ArgumentError(f"{item.name}={value!r} is no list of numbers", _range(item))
        whole = kind.startswith("tuple[int")
        return tuple(_number(item, entry, whole) for entry in value)
    return _number(item, value, kind.startswith("int"))


def _number(item: dataclasses.Field[Any], value: Any, whole: bool) -> int | float:
    low, high = item.metadata["low"], item.metadata["high"]
    number = None
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    if usable and (isinstance(value, int) or math.isfinite(value)) and abs(value) <= 2**63:
        number = int(value) if whole and value == int(value) else float(value)
    if number is None or (whole and isinstance(number, float)) or not low <= number <= high:
        raise ArgumentError(phrase(Setting(item.name, value), " is not allowed"), _range(item))
    return number


def _range(item: dataclasses.Field[Any]) -> str:
    low, high = item.metadata["low"], item.metadata["high"]
    what = "Whole numbers" if "int" in str(item.type) else "Numbers"
    return f"{what} from {low:.10g} to {high:.10g} are allowed."
