"""Language models as runs: trained from a file into a run folder, and loaded from one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pellucid
from pellucid import nn
from pellucid.base.errors import DataError, RunFolderError
from pellucid.data.encodings import AUTO, decode
from pellucid.data.files import read_bytes
from pellucid.text.language_model import (
    LanguageModel,
    TextParts,
    build_network,
    fit_tokenizer,
    measure,
    measure_ngrams,
    prepare,
)
from pellucid.text.settings import LanguageModelConfig
from pellucid.text.tokenizer import Tokenizer
from pellucid.training.checkpoints import Checkpoints
from pellucid.training.history import Callback, History
from pellucid.training.saved_model import PARTS
from pellucid.training.saved_system import SavedSystem
from pellucid.training.system_job import (
    Figures,
    fill_network,
    fingerprint_of,
    load_system,
    weights_of,
)
from pellucid.training.trainer import Trainer

KIND = "language model"
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."


class LanguageSystem:
    """A language model and the text in ``file`` that it learns from; see ``SystemJob``."""

    kind = KIND

    def __init__(self, file: Path, settings: Mapping[str, Any], encoding: str = AUTO) -> None:
        self.file = file
        self.config = LanguageModelConfig.suited(**settings)
        self.notes: list[str] = []
        text = read_text(file, encoding, self.notes)
        self.parts = TextParts.of(text, self.config)
        tokenizer = fit_tokenizer(self.parts.train, self.config)
        pellucid.manual_seed(self.config.seed)
        network = build_network(self.config, len(tokenizer))
        self.model = LanguageModel(network, tokenizer, self.config)
        self.characters = {part: sum(len(t) for t in getattr(self.parts, part)) for part in PARTS}
        self.ngram_order = 0

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, complete."""
        return self.config.to_json()

    @property
    def network(self) -> nn.Module:
        """The network."""
        return self.model.network

    def prepare(
        self, checkpoint: Checkpoints, callbacks: Sequence[Callback]
    ) -> tuple[Trainer, Callable[[bool | None], History]]:
        """A Trainer, and what runs it."""
        return prepare(self.model, self.parts, checkpoint, callbacks)

    def described(self, status: str, figures: Figures) -> SavedSystem:
        """What model.json holds."""
        shapes = {name: tuple(a.shape) for name, a in weights_of(self.network).items()}
        return SavedSystem(
            kind=KIND,
            name=self.file.stem,
            status=status,
            fingerprint=fingerprint_of(self.file),
            target=_TARGETS[self.config.level],
            headline="perplexity",
            rows=self.characters,
            architecture=shapes,
            settings=self.settings,
            parts={"tokenizer": self.model.tokenizer.to_json()},
            figures=figures,
        )

    def measured(self) -> Figures:
        """Perplexity and bits per character of validation and test, beside the n-gram model's."""
        found: Figures = {}
        for part in ("validation", "test"):
            texts = getattr(self.parts, part)
            if sum(map(len, texts)) > 1:
                found[part] = measure(self.model, texts)
                simple, order = measure_ngrams(self.parts, self.model.tokenizer, self.config, texts)
                self.ngram_order = order
                found[f"{order}-gram model, {part}"] = simple
        return found

    @property
    def simple(self) -> str:
        """The simple model beside the network."""
        return f"{self.ngram_order}-gram model"

    def sample(self) -> str:
        """Some text that the network writes."""
        return self.model.generate(length=150, temperature=0.8, seed=self.config.seed).strip()


_TARGETS = {
    "char": "next character",
    "word": "next word",
    "bpe": "next part of a word",
    "wordpiece": "next part of a word",
}


def read_text(file: Path, encoding: str = AUTO, notes: list[str] | None = None) -> str:
    """The text of a file, in the encoding that it shows."""
    text = decode(read_bytes(file), file, encoding, [] if notes is None else notes)
    if not text.strip():
        raise DataError(f"{file} is empty", "Give a file that holds text.")
    return text


def load_language_model(folder: str | os.PathLike[str]) -> LanguageModel:
    """The language model of a run folder.

    No code in it is executed; sizes and shapes are checked before a network is made.  Raises
    ``FileError`` where there is no folder, ``RunFolderError`` where it is damaged or of another
    kind.
    """
    saved, weights = load_system(folder, KIND)
    config = LanguageModelConfig.from_json(saved.settings)
    tokenizer = Tokenizer.from_json(saved.parts.get("tokenizer"))
    there = sum(math.prod(shape) for shape in saved.shapes.values())
    if _least(config, len(tokenizer)) > there:
        raise RunFolderError("settings: the network is larger than its weights", _DAMAGED)
    network = build_network(config, len(tokenizer))
    fill_network(network, weights)
    return LanguageModel(network.eval(), tokenizer, config)


def _least(config: LanguageModelConfig, tokens: int) -> int:
    """Numbers that a network of the settings has at least."""
    if config.model == "mlp":
        return tokens * config.features
    own = 12 if config.model == "gpt" else 2
    return config.features * (tokens + own * config.layers * config.features)
