"""Networks from sequence to sequence as runs: trained from a file of pairs, and loaded from one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid import nn
from pellucid.base.errors import DataError, RunFolderError
from pellucid.data.encodings import AUTO, decode
from pellucid.data.files import read_bytes, unpack_gzip
from pellucid.data.json_checks import json_integer
from pellucid.text.sequences import (
    Pair,
    PairParts,
    SequenceModel,
    build_network,
    new_model,
    prepare,
)
from pellucid.text.settings import SequenceConfig
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

KIND = "network from sequence to sequence"
SEPARATORS = ("\t", "_", ";", "=", ",")
"""What stands between a source and its target: the first of these that each line has once."""
EXACT = "exact matches"
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."


class SequenceSystem:
    """A network from sequence to sequence and the pairs in ``file`` that it learns from; see
    ``SystemJob``."""

    kind = KIND
    simple = ""

    def __init__(self, file: Path, settings: Mapping[str, Any], encoding: str = AUTO) -> None:
        self.file = file
        self.config = SequenceConfig.suited(**settings)
        self.notes: list[str] = []
        self.parts = PairParts.of(read_pairs(file, encoding, self.notes), self.config)
        if self.parts.dropped:
            self.notes.append(
                f"{self.parts.dropped:,} pairs have the source of another one: left out, so that "
                "none of them is learned and tested"
            )
        self.model = new_model(self.parts, self.config)
        self.pairs = {part: len(getattr(self.parts, part)) for part in PARTS}

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
        return SavedSystem(
            kind=KIND,
            name=self.file.stem,
            status=status,
            fingerprint=fingerprint_of(self.file),
            target="target sequence",
            headline=EXACT,
            rows=self.pairs,
            architecture={name: tuple(a.shape) for name, a in weights_of(self.network).items()},
            settings=self.settings,
            parts={
                "tokenizer": self.model.tokenizer.to_json(),
                "longest": self.model.longest,
                "written": self.model.written,
            },
            figures=figures,
        )

    def measured(self) -> Figures:
        """The share of exact matches, on up to 5,000 pairs of each part."""
        found: Figures = {}
        for part in PARTS:
            pairs = getattr(self.parts, part)[:5000]
            if pairs:
                found[part] = {EXACT: self.model.exact_match(pairs)}
        return found

    def sample(self) -> str:
        """Some sources of the test part, and what the network writes for them."""
        pairs = (self.parts.test or self.parts.validation)[:5]
        written = self.model.translate([source for source, _ in pairs])
        marks = ("" if w == t else f"   ({t})" for w, (_, t) in zip(written, pairs, strict=True))
        lines = zip(pairs, written, marks, strict=True)
        return "\n".join(f"{source} → {text}{mark}" for (source, _), text, mark in lines)


def read_pairs(file: Path, encoding: str = AUTO, notes: list[str] | None = None) -> list[Pair]:
    """The pairs of a file, one a line: source and target with a tab, _, ;, = or , between them.

    Blanks around both are left out; the file may be packed by gzip.
    """
    data = read_bytes(file)
    if data[:2] == b"\x1f\x8b":
        data = unpack_gzip(data, file)
    text = decode(data, file, encoding, [] if notes is None else notes)
    lines = [line for line in text.splitlines() if line.strip()]
    for separator in SEPARATORS:
        if lines and all(line.count(separator) == 1 for line in lines):
            split = (line.split(separator) for line in lines)
            pairs = [(source.strip(), target.strip()) for source, target in split]
            return [pair for pair in pairs if all(pair)]
    raise DataError(
        f"{file} has no pairs: no sign stands once on each of its {len(lines)} lines",
        "Write a pair on each line, with a tab between source and target.",
    )


def read_sources(file: Path, encoding: str = AUTO) -> list[str]:
    """The sequences of a file, one a line, without blanks around them."""
    text = decode(read_bytes(file), file, encoding, [])
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise DataError(f"{file} is empty", "Write a sequence on each line.")
    return found


def load_sequences(folder: str | os.PathLike[str]) -> SequenceModel:
    """The network of a run folder; raises as ``load_language_model``."""
    saved, weights = load_system(folder, KIND)
    config = SequenceConfig.from_json(saved.settings)
    tokenizer = Tokenizer.from_json(saved.parts.get("tokenizer"))
    longest = json_integer(saved.parts.get("longest"), "longest", 1, 1_000_000)
    written = json_integer(saved.parts.get("written"), "written", 1, longest)
    there = sum(math.prod(shape) for shape in saved.shapes.values())
    least = config.features * len(tokenizer)
    if config.model == "transformer":
        least += config.layers * 8 * config.features**2
    else:
        least += config.hidden * (config.hidden + config.features)
    if least > there:
        raise RunFolderError("settings: the network is larger than its weights", _DAMAGED)
    network = build_network(config, len(tokenizer), longest)
    fill_network(network, weights)
    return SequenceModel(network.eval(), tokenizer, config, longest, written)
