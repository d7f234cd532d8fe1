"""What model.json holds about a trained system that learns from other data than rows of a table: a
language model, a network that turns one sequence into another, and their like.

``settings`` and ``parts`` (such as a tokenizer) are JSON values that only the package of that
``kind`` understands and checks; everything else is the same for all kinds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import RunFolderError
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_number,
    json_object,
    json_text,
)
from pellucid.training.saved_model import FILE, STATUSES, software_versions

FORMAT = "pellucid-system"
VERSION = 1
_MOST_PARAMETERS = 2**32
_KEYS = (
    "format", "version", "kind", "name", "created", "status", "versions", "fingerprint", "target",
    "headline", "rows", "architecture", "settings", "parts", "figures",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SavedSystem:
    """Everything about a trained system except its weights.

    ``target`` and ``headline`` are what lists of runs show: what is predicted, and the metric that
    counts first.  ``rows`` counts what each part holds.  ``architecture`` is the shape of each
    tensor by its name.  ``figures`` holds the metrics' values by part.
    """

    kind: str
    name: str
    status: str
    fingerprint: str
    target: str
    headline: str
    rows: Mapping[str, int]
    architecture: Mapping[str, tuple[int, ...]]
    settings: Mapping[str, Any]
    parts: Mapping[str, Any]
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    created: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    versions: Mapping[str, str] = field(default_factory=software_versions)

    @property
    def targets(self) -> tuple[str, ...]:
        """What is predicted."""
        return (self.target,)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each tensor by its name."""
        return self.architecture

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        return {
            "format": FORMAT,
            "version": VERSION,
            **{name: getattr(self, name) for name in _KEYS[2:] if name != "architecture"},
            "architecture": {n: list(shape) for n, shape in self.architecture.items()},
        }

    @classmethod
    def from_json(cls, data: object) -> SavedSystem:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        if isinstance(data, dict) and isinstance(data.get("version"), int):
            if data["version"] > VERSION:
                raise RunFolderError(
                    f"The run folder has format version {data['version']}, this Pellucid knows "
                    f"{VERSION}",
                    "Install a newer Pellucid: pip install -U pellucid",
                )
        fields = json_object(data, FILE, tuple(_KEYS))
        json_text(fields["format"], "format", (FORMAT,))
        json_integer(fields["version"], "version", VERSION, VERSION)
        texts = ("kind", "name", "created", "fingerprint", "target", "headline")
        read: dict[str, Any] = {name: json_text(fields[name], name) for name in texts}
        read["status"] = json_text(fields["status"], "status", STATUSES)
        read["rows"] = {
            name: json_integer(value, f"rows {name}", 0, 2**53)
            for name, value in _named(fields["rows"], "rows", 20).items()
        }
        read["versions"] = {
            name: json_text(value, "versions")
            for name, value in _named(fields["versions"], "versions", 100).items()
        }
        read["architecture"] = {
            name: _shape(value, name)
            for name, value in _named(fields["architecture"], "architecture", 100_000).items()
        }
        if sum(map(math.prod, read["architecture"].values())) > _MOST_PARAMETERS:
            raise json_error("architecture", "a network that fits into memory", "a larger one")
        read["settings"] = _named(fields["settings"], "settings", 1000)
        read["parts"] = _named(fields["parts"], "parts", 20)
        read["figures"] = {
            part: {
                n: json_number(v, f"figures {part}") for n, v in _named(values, part, 100).items()
            }
            for part, values in _named(fields["figures"], "figures", 100).items()
        }
        return cls(**read)


def _named(value: object, where: str, limit: int) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > limit:
        raise json_error(where, f"an object of at most {limit} keys", value)
    return {json_text(name, where): entry for name, entry in value.items()}


def _shape(value: object, name: str) -> tuple[int, ...]:
    return tuple(
        json_integer(n, f"architecture {name}", 0, 2**31) for n in json_list(value, name, 8)
    )
