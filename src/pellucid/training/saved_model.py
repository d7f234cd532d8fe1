"""What model.json holds: everything about a trained network except its weights."""

from __future__ import annotations

import json
import math
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from pellucid.base.errors import ArgumentError, RunFolderError
from pellucid.data.image_preprocessing import MAX_FEATURES, ImagePreprocessor
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_number,
    json_object,
    json_text,
)
from pellucid.data.preprocessing import Preprocessor, TargetScaler, preprocessor_from_json
from pellucid.data.sources import PreparedData
from pellucid.data.tasks import Task
from pellucid.training.calibration import Calibration
from pellucid.training.config import TrainingConfig
from pellucid.training.metrics import HEADLINES
from pellucid.training.network import parameter_shapes

FILE = "model.json"
FORMAT = "pellucid-run"
VERSION = 2
STATUSES = (
    "finished",
    "stopped early",
    "stopped",
    "out of time",
    "interrupted",
    "not finite",
    "failed",
)
PARTS = ("train", "validation", "test")
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."


@dataclass(frozen=True, eq=False)
class SavedModel:
    """Everything about a trained network except its weights.

    ``rows`` counts the rows of each part.  ``figures`` holds the metrics' values by part
    (``train``, ``validation``, ``test``, and the baselines).  ``fingerprint`` is the SHA-256 of
    the training data.  ``calibration`` is what its validation rows said when it was trained; None
    without such rows, before the end of the training, and of version 1.
    """

    name: str
    created: str
    status: str
    fingerprint: str
    rows: Mapping[str, int]
    inputs: int
    task: Task
    preprocessor: Preprocessor | ImagePreprocessor
    target_scaler: TargetScaler | None
    config: TrainingConfig
    figures: Mapping[str, Mapping[str, float]]
    calibration: Calibration | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: software_versions())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter by its state-dict name."""
        return parameter_shapes(self.row_shape, self.config, self.task.output_units)

    @property
    def targets(self) -> tuple[str, ...]:
        """What is predicted."""
        return tuple(self.task.targets)

    @property
    def kind(self) -> str:
        """The kind of the task."""
        return self.task.kind

    @property
    def headline(self) -> str:
        """The metric that counts first."""
        return HEADLINES[self.task.kind]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return self.config.to_json()

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of an image, or the number of features."""
        return self.preprocessor.row_shape

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        return {name: part.write(self) for name, part in _SCHEMA.items()}

    @classmethod
    def from_json(cls, data: object) -> SavedModel:
        """From ``to_json``'s values; ``RunFolderError`` for anything else, also where the parts
        contradict each other."""
        if isinstance(data, dict) and data.get("format") == FORMAT:
            version = data.get("version")
            if isinstance(version, int) and version > VERSION:
                raise RunFolderError(
                    f"The run folder has format version {version}, this Pellucid knows {VERSION}",
                    "Install a newer Pellucid: pip install -U pellucid",
                )
        fields = json_object(_upgraded(data), FILE, tuple(_SCHEMA))
        values = {name: part.read(fields[name]) for name, part in _SCHEMA.items()}
        made = cls(**{_FIELDS[name]: value for name, value in values.items() if name in _FIELDS})
        made._check(fields)
        return made

    def _check(self, fields: Mapping[str, Any]) -> None:
        """Parts of one file must agree: sizes are used for memory and for arithmetic."""
        features = (
            math.prod(self.preprocessor.shape)
            if isinstance(self.preprocessor, ImagePreprocessor)
            else sum(plan.width for plan in self.preprocessor.plans)
        )
        if features != self.inputs:
            raise json_error("inputs", f"{features}, as preprocessing gives", self.inputs)
        regression = self.task.kind == "regression"
        if regression != (self.target_scaler is not None):
            raise json_error("target_scaler", f"what a {self.task.kind} task has", "another")
        if self.target_scaler and len(self.target_scaler.mean) != self.task.output_units:
            raise json_error("target_scaler", "one mean for each target", self.target_scaler.mean)
        outputs = 1 if self.task.kind in ("binary", "multiclass") else self.task.output_units
        if self.calibration is not None and len(self.calibration.scores) != outputs:
            raise json_error("calibration", f"scores of {outputs}", len(self.calibration.scores))
        if fields["seed"] != self.config.seed:
            raise json_error("seed", f"{self.config.seed}, as config has", fields["seed"])
        try:
            listed = {name: list(shape) for name, shape in self.shapes.items()}
        except ArgumentError as error:
            raise RunFolderError(f"architecture: {error.message}", _DAMAGED) from None
        if fields["architecture"] != listed:
            raise json_error("architecture", "the shapes that config gives", fields["architecture"])


def _upgraded(data: object) -> object:
    """What a file of an earlier version says, as one of this version."""
    if isinstance(data, dict) and data.get("version") == 1 and "calibration" not in data:
        return {**data, "version": VERSION, "calibration": None}
    return data


def software_versions() -> dict[str, str]:
    """Versions of what the numbers may depend on."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    # The package that runs, which need not be the one that is installed.
    found["pellucid"] = str(getattr(sys.modules["pellucid"], "__version__", "unknown"))
    try:
        found["llvmlite"] = metadata.version("llvmlite")
    except metadata.PackageNotFoundError:
        found["llvmlite"] = "not installed"
    return found


def _counts(value: object) -> dict[str, int]:
    names = ("all", "dropped", "train", "validation", "test")
    fields = json_object(value, "rows", names)
    return {name: json_integer(fields[name], f"rows {name}", 0, 2**53) for name in names}


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 100:
        raise json_error("versions", "an object of texts", value)
    return {json_text(k, "versions"): json_text(v, "versions") for k, v in value.items()}


def _figures(value: object) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict) or len(value) > 100:
        raise json_error("figures", "an object of objects", value)
    found: dict[str, dict[str, float]] = {}
    for part, values in value.items():
        if not isinstance(values, dict) or len(values) > 100:
            raise json_error("figures", "an object of numbers", values)
        found[part] = {name: json_number(v, f"figures {part}") for name, v in values.items()}
    return found


@dataclass(frozen=True)
class _Field:
    """A key of model.json: its value for a model, and the checked value from a file."""

    write: Callable[[SavedModel], Any]
    read: Callable[[Any], Any]


def _same(name: str, read: Callable[[Any], Any]) -> _Field:
    """A key whose value is the attribute of that name."""
    return _Field(lambda model: getattr(model, name), read)


def _text(name: str, among: tuple[str, ...] = ()) -> _Field:
    return _same(name, lambda value: json_text(value, name, among))


def _scaler(value: object) -> TargetScaler | None:
    return None if value is None else TargetScaler.from_json(value)


def _calibration(value: object) -> Calibration | None:
    return None if value is None else Calibration.from_json(value)


def _architecture(model: SavedModel) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in model.shapes.items()}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(v) if isinstance(v, Mapping) else v for name, v in values.items()}


# The keys of model.json, in their order.  What stands twice (the seed, the shapes) is compared.
_SCHEMA: dict[str, _Field] = {
    "format": _Field(lambda m: FORMAT, lambda v: json_text(v, "format", (FORMAT,))),
    "version": _Field(lambda m: VERSION, lambda v: json_integer(v, "version", VERSION, VERSION)),
    "name": _text("name"),
    "created": _text("created"),
    "status": _text("status", STATUSES),
    "versions": _Field(lambda m: _plain(m.versions), _texts),
    "seed": _Field(lambda m: m.config.seed, lambda v: v),
    "fingerprint": _text("fingerprint"),
    "rows": _Field(lambda m: _plain(m.rows), _counts),
    "inputs": _same("inputs", lambda v: json_integer(v, "inputs", 1, MAX_FEATURES)),
    "architecture": _Field(_architecture, lambda v: v),
    "task": _Field(lambda m: m.task.to_json(), Task.from_json),
    "preprocessing": _Field(lambda m: m.preprocessor.to_json(), preprocessor_from_json),
    "target_scaler": _Field(lambda m: m.target_scaler and m.target_scaler.to_json(), _scaler),
    "config": _Field(lambda m: m.config.to_json(), TrainingConfig.from_json),
    "figures": _Field(lambda m: _plain(m.figures), _figures),
    "calibration": _Field(lambda m: m.calibration and m.calibration.to_json(), _calibration),
}
_FIELDS = {name: name for name in _SCHEMA if name in SavedModel.__dataclass_fields__}
_FIELDS["preprocessing"] = "preprocessor"


def describe_run(
    prepared: PreparedData,
    config: TrainingConfig,
    status: str,
    figures: Mapping[str, Mapping[str, float]],
    calibration: Calibration | None = None,
) -> SavedModel:
    """What model.json holds about a network of ``config`` on these data."""
    rows = {part: len(getattr(prepared, part)) for part in PARTS}
    rows["train"] = prepared.training_rows
    return SavedModel(
        name=prepared.name,
        created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        status=status,
        fingerprint=prepared.fingerprint,
        rows={"all": prepared.rows, "dropped": prepared.rows_dropped, **rows},
        inputs=int(prepared.train.features.shape[1]),
        task=prepared.task,
        preprocessor=prepared.preprocessor,
        target_scaler=prepared.target_scaler,
        config=config,
        figures=figures,
        calibration=calibration,
    )


# --- JSON --------------------------------------------------------------------------------------


def json_text_of(value: object) -> str:
    """The text of model.json."""
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def parse_json(content: bytes, where: str) -> Any:
    """JSON without NaN, duplicate keys or too deep nesting; ``RunFolderError`` otherwise."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise RunFolderError(f"{where} has a key twice", _DAMAGED)
        return made

    def refuse(text: str) -> Any:
        raise RunFolderError(f"{where} holds {text}, which is no number", _DAMAGED)

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except RunFolderError:
        raise
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{where} is not readable JSON: {error}", _DAMAGED) from None
