"""The settings of language models and of networks from sequence to sequence, as checked objects."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.text.tokenizer import LEVELS
from pellucid.text.vocabulary import CHINESE

MODELS = ("lstm", "gru", "rnn", "gpt", "mlp")
"""Kinds of networks for language models."""
SEQUENCE_MODELS = ("lstm", "gru", "transformer")
ATTENTIONS = ("luong", "bahdanau", "peek", "none")
"""What the decoder of a recurrent network sees of the source."""
SCHEDULES = ("cosine", "constant", "plateau")
OPTIMIZERS = ("adamw", "sgd")
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."


def _setting(default: Any, reason: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"reason": reason, "low": low, "high": high})


def _choice(default: str, reason: str, among: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"reason": reason, "among": among})


class Settings:
    """What all settings have: they are checked, and become JSON values and come back."""

    _SUITED: ClassVar[dict[str, dict[str, Any]]] = {}
    """What suits each kind of network, in place of the defaults."""

    def __post_init__(self) -> None:
        for item in _fields(self):
            _check(item, getattr(self, item.name))
        shares = [getattr(self, name) for name in ("train_share", "test_share")]
        if sum(shares) >= 1:
            raise ArgumentError(
                f"train_share={shares[0]:g} and test_share={shares[1]:g} leave nothing for "
                "validation",
                "Let them sum to less than 1.",
            )

    @classmethod
    def suited(cls, **given: Any) -> Self:
        """The settings that suit a kind of network, and those ``given``."""
        names = {item.name for item in _fields(cls)}
        wrong = sorted(set(given) - names)
        if wrong:
            raise ArgumentError(
                f"there is no setting {wrong[0]!r}", f"Settings: {', '.join(sorted(names))}."
            )
        return cls(**{**cls._SUITED.get(str(given.get("model")), {}), **given})

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {item.name: getattr(self, item.name) for item in _fields(self)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The settings from ``to_json``'s values; ``RunFolderError`` for anything else."""
        if not isinstance(data, dict) or set(data) != {item.name for item in _fields(cls)}:
            raise RunFolderError("config: expected the settings of this kind of run", _DAMAGED)
        try:
            return cls(**data)
        except (ArgumentError, TypeError) as error:
            raise RunFolderError(f"config: {error}", _DAMAGED) from None


def _fields(settings: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(settings)


def _check(item: dataclasses.Field[Any], value: Any) -> None:
    """``ArgumentError`` for a value that is not allowed."""
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


@dataclass(frozen=True)
class LanguageModelConfig(Settings):
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

    _SUITED = {
        "gpt": {"layers": 4, "features": 128, "batch_size": 12, "weight_decay": 0.1},
        "mlp": {"layers": 1, "features": 200, "context": 8, "batch_size": 64},
    }  # the gpt's are nanoGPT's for CPUs

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "gpt" and self.features % self.heads:
            raise ArgumentError(
                f"a gpt got features={self.features}, heads={self.heads}",
                "features must be a multiple of heads",
            )

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


@dataclass(frozen=True)
class SequenceConfig(Settings):
    """Settings of a network from sequence to sequence; ``ArgumentError`` for a wrong value."""

    model: str = _choice("lstm", "kind of network", SEQUENCE_MODELS)
    attention: str = _choice(
        "luong", "what the decoder of an lstm or gru sees of the source", ATTENTIONS
    )
    reverse: bool = field(default=True, metadata={"reason": "read the source backwards"})
    level: str = _choice("char", "what a token is", LEVELS)
    vocabulary: int = _setting(0, "most tokens; 0: all", 0, 2_000_000)
    features: int = _setting(64, "features of a token", 1, 65_536)
    hidden: int = _setting(128, "units of a layer", 1, 65_536)
    layers: int = _setting(2, "layers of a transformer", 1, 1_000)
    heads: int = _setting(4, "attention heads of a transformer", 1, 65_536)
    dropout: float = _setting(0.0, "share switched off (transformer)", 0.0, 0.95)
    epochs: int = _setting(20, "passes over the pairs", 1, 1_000_000)
    batch_size: int = _setting(128, "pairs in each update", 1, 1_000_000)
    learning_rate: float = _setting(0.003, "highest size of the updates", 1e-12, 1e3)
    clip_norm: float = _setting(5.0, "longest gradient used as it is; 0: any", 0.0, 1e9)
    weight_decay: float = _setting(0.01, "pull of matrices towards zero", 0.0, 1e3)
    patience: int = _setting(0, "epochs without a better loss before the end", 0, 10**6)
    max_minutes: float = _setting(0.0, "minutes after which training ends", 0.0, 1e7)
    train_share: float = _setting(0.9, "share of pairs to learn from", 0.01, 0.999)
    test_share: float = _setting(0.05, "share of pairs for the test", 0.0, 0.9)
    seed: int = _setting(0, "decides split, first weights and order", 0, 2**63 - 1)

    _SUITED = {
        "transformer": {"reverse": False, "learning_rate": 0.001, "epochs": 30},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "transformer" and self.features % self.heads:
            raise ArgumentError(
                f"a transformer got features={self.features}, heads={self.heads}",
                "features must be a multiple of heads",
            )
