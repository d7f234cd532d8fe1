"""The settings of a language model, in one object, checked, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.text.tokenizer import LEVELS
from pellucid.text.vocabulary import CHINESE

MODELS = ("lstm", "gru", "rnn", "gpt", "mlp")
"""Kinds of networks for language models."""
SCHEDULES = ("cosine", "constant", "plateau")
OPTIMIZERS = ("adamw", "sgd")
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."
# What suits each kind of network, in place of the defaults; the GPT's are nanoGPT's for CPUs.
_SUITED: dict[str, dict[str, Any]] = {
    "gpt": {"layers": 4, "features": 128, "context": 64, "batch_size": 12, "weight_decay": 0.1},
    "mlp": {"layers": 1, "features": 200, "context": 8, "batch_size": 64},
}


def _setting(default: Any, reason: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"reason": reason, "low": low, "high": high})


def _choice(default: str, reason: str, among: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"reason": reason, "among": among})


@dataclass(frozen=True)
class LanguageModelConfig:
    """Settings of a language model; ``ArgumentError`` for a value that is not allowed."""

    model: str = _choice("lstm", "kind of network", MODELS)
    level: str = _choice("char", "what a token is", LEVELS)
    vocabulary: int = _setting(0, "most tokens; 0: all, or 4,000 parts of words", 0, 2_000_000)
    chinese: str = _choice("characters", "how level word cuts Chinese", CHINESE)
    lower: bool = field(default=False, metadata={"reason": "make all letters small"})
    lines: bool = field(default=False, metadata={"reason": "each line is a text of its own"})
    layers: int = _setting(2, "recurrent layers, or blocks of a gpt", 1, 1_000)
    features: int = _setting(256, "features of a token, units of each layer", 1, 65_536)
    heads: int = _setting(4, "attention heads of a gpt", 1, 65_536)
    context: int = _setting(
        64, "tokens that a gpt sees, and over which gradients of the others go back", 1, 65_536
    )
    dropout: float = _setting(0.0, "share of features switched off in training", 0.0, 0.95)
    steps: int = _setting(2_000, "updates, at most", 1, 100_000_000)
    epochs: int = _setting(0, "passes over the text, in place of steps; 0: as steps say", 0, 10**6)
    batch_size: int = _setting(32, "texts, or places of one text, in each update", 1, 1_000_000)
    optimizer: str = _choice("adamw", "rule for the updates", OPTIMIZERS)
    learning_rate: float = _setting(0.0, "size of the updates; 0: what suits", 0.0, 1e3)
    schedule: str = _choice(
        "cosine",
        "cosine: rises over 5 % of the steps and falls to a tenth; plateau: a quarter after each "
        "epoch without a better validation loss",
        SCHEDULES,
    )
    weight_decay: float = _setting(0.01, "pull of matrices towards zero (adamw)", 0.0, 1e3)
    clip_norm: float = _setting(1.0, "longest gradient that is used as it is; 0: any", 0.0, 1e9)
    patience: int = _setting(0, "validations without a better loss before the end", 0, 1_000_000)
    every: int = _setting(250, "steps between validations, where epochs are longer", 1, 10_000_000)
    max_minutes: float = _setting(0.0, "minutes after which training ends; 0: none", 0.0, 1e7)
    train_share: float = _setting(0.9, "share of the text that is learned from", 0.01, 0.999)
    test_share: float = _setting(0.05, "share at the text's end that is for the test", 0.0, 0.9)
    order: int = _setting(0, "longest run of the n-gram model beside it; 0: what suits", 0, 20)
    seed: int = _setting(0, "decides first weights, order and dropout", 0, 2**63 - 1)

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            self._check(item, getattr(self, item.name))
        if self.model == "gpt" and self.features % self.heads:
            raise ArgumentError(
                f"a gpt got features={self.features}, heads={self.heads}",
                "features must be a multiple of heads",
            )
        if self.train_share + self.test_share >= 1:
            raise ArgumentError(
                f"train_share={self.train_share:g} and test_share={self.test_share:g} leave no "
                "text for validation",
                "Let them sum to less than 1.",
            )

    def _check(self, item: dataclasses.Field[Any], value: Any) -> None:
        among = item.metadata.get("among")
        if among is not None:
            if value not in among:
                raise ArgumentError(f"{item.name}={value!r}", f"Use {', '.join(among)}.")
            return
        kind = str(item.type)
        if kind == "bool":
            if not isinstance(value, bool):
                raise ArgumentError(f"{item.name}={value!r}", "Use True or False.")
            return
        low, high = item.metadata["low"], item.metadata["high"]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind == "int":
            number = number and isinstance(value, int)
        if not number or not math.isfinite(value) or not low <= value <= high:
            what = "a whole number" if kind == "int" else "a number"
            raise ArgumentError(f"{item.name}={value!r}", f"Use {what} from {low:g} to {high:g}.")

    @classmethod
    def suited(cls, **given: Any) -> LanguageModelConfig:
        """The settings that suit a kind of network, and those ``given``."""
        names = {item.name for item in dataclasses.fields(cls)}
        wrong = sorted(set(given) - names)
        if wrong:
            raise ArgumentError(
                f"a language model has no setting {wrong[0]!r}", f"Settings: {', '.join(names)}."
            )
        return cls(**{**_SUITED.get(given.get("model", "lstm"), {}), **given})

    @property
    def rate(self) -> float:
        """The learning rate, or what suits the network and the optimizer."""
        if self.learning_rate:
            return self.learning_rate
        if self.optimizer == "sgd":
            return 20.0 if self.model in ("lstm", "gru", "rnn") else 0.1
        return 1e-3 if self.model == "gpt" else 2e-3

    @property
    def recurrent(self) -> bool:
        """Whether the network carries a state from one part of the text to the next."""
        return self.model in ("lstm", "gru", "rnn")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> LanguageModelConfig:
        """The settings from ``to_json``'s values; ``RunFolderError`` for anything else."""
        names = {item.name for item in dataclasses.fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            raise RunFolderError("config: expected the settings of a language model", _DAMAGED)
        try:
            return cls(**data)
        except (ArgumentError, TypeError) as error:
            raise RunFolderError(f"config: {error}", _DAMAGED) from None
