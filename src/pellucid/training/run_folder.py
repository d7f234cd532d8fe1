"""The folder that a training run leaves behind, written so that it is whole or absent, and read
so that a damaged or hostile one is refused.

====================  ======================================================================
weights.safetensors   the parameters, by their state-dict names
model.json            everything needed to predict again: architecture, preprocessing, classes,
                      settings, versions, seed, fingerprint of the data; and the figures
records.jsonl         one JSON object a line: what happened, epoch by epoch
report.html           the report
====================  ======================================================================
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, FileError, RunFolderError
from pellucid.data.json_checks import (
    json_error,
    json_integer,
    json_list,
    json_number,
    json_object,
    json_text,
)
from pellucid.data.preprocessing import (
    MAX_FEATURES,
    ImagePreprocessor,
    Preprocessor,
    TargetScaler,
    preprocessor_from_json,
)
from pellucid.data.tasks import Task
from pellucid.training.config import TrainingConfig
from pellucid.training.files import exchange, explained, flush_folder, read_limited, write_file
from pellucid.training.network import parameter_shapes

WEIGHTS, MODEL, RECORDS, REPORT = FILES = (
    "weights.safetensors",
    "model.json",
    "records.jsonl",
    "report.html",
)
FORMAT = "pellucid-run"
VERSION = 1
STATUSES = ("finished", "stopped early", "interrupted", "not finite")
_MAX_MODEL_BYTES = 64 * 2**20
_MAX_HEADER_BYTES = 16 * 2**20
_MAX_WEIGHT_BYTES = 16 * 2**30
_DAMAGED = "The file is damaged or was changed by hand: train again, or restore it."
_KEYS = (
    "format",
    "version",
    "name",
    "created",
    "status",
    "versions",
    "seed",
    "fingerprint",
    "rows",
    "inputs",
    "architecture",
    "task",
    "preprocessing",
    "target_scaler",
    "config",
    "figures",
)

Weights = Mapping[str, npt.NDArray[np.float32]]


# --- What is kept ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SavedModel:
    """Everything about a trained network except its weights.

    ``rows`` counts the rows of each part.  ``figures`` holds the metrics' values by part
    (``train``, ``validation``, ``test``, and the baselines).  ``fingerprint`` is the SHA-256 of
    the training data.
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
    versions: Mapping[str, str] = field(default_factory=lambda: software_versions())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter by its state-dict name."""
        return parameter_shapes(self.row_shape, self.config, self.task.output_units)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of an image, or the number of features."""
        if isinstance(self.preprocessor, ImagePreprocessor):
            return self.preprocessor.shape
        return (self.inputs,)

    def to_json(self) -> dict[str, Any]:
        """The content of model.json."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "created": self.created,
            "status": self.status,
            "versions": dict(self.versions),
            "seed": self.config.seed,
            "fingerprint": self.fingerprint,
            "rows": dict(self.rows),
            "inputs": self.inputs,
            "architecture": {name: list(shape) for name, shape in self.shapes.items()},
            "task": self.task.to_json(),
            "preprocessing": self.preprocessor.to_json(),
            "target_scaler": None if self.target_scaler is None else self.target_scaler.to_json(),
            "config": self.config.to_json(),
            "figures": {part: dict(values) for part, values in self.figures.items()},
        }

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
        fields = json_object(data, MODEL, _KEYS)
        json_text(fields["format"], "format", (FORMAT,))
        json_integer(fields["version"], "version", VERSION, VERSION)
        scaler = fields["target_scaler"]
        made = cls(
            name=json_text(fields["name"], "name"),
            created=json_text(fields["created"], "created"),
            status=json_text(fields["status"], "status", STATUSES),
            fingerprint=json_text(fields["fingerprint"], "fingerprint"),
            rows=_counts(fields["rows"]),
            inputs=json_integer(fields["inputs"], "inputs", 1, MAX_FEATURES),
            task=Task.from_json(fields["task"]),
            preprocessor=preprocessor_from_json(fields["preprocessing"]),
            target_scaler=None if scaler is None else TargetScaler.from_json(scaler),
            config=TrainingConfig.from_json(fields["config"]),
            figures=_figures(fields["figures"]),
            versions=_texts(fields["versions"]),
        )
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
        if fields["seed"] != self.config.seed:
            raise json_error("seed", f"{self.config.seed}, as config has", fields["seed"])
        try:
            listed = {name: list(shape) for name, shape in self.shapes.items()}
        except ArgumentError as error:
            raise RunFolderError(f"architecture: {error.message}", _DAMAGED) from None
        if fields["architecture"] != listed:
            raise json_error("architecture", "the shapes that config gives", fields["architecture"])


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


# --- Weights -----------------------------------------------------------------------------------


def weights_to_bytes(weights: Weights) -> bytes:
    """The weights in the safetensors format (float32, little-endian)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "producer": "pellucid"}}
    at = 0
    for name, array in weights.items():
        end = at + array.size * 4
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [np.ascontiguousarray(array, "<f4").tobytes() for array in weights.values()]
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def weights_from_bytes(
    content: bytes, shapes: Mapping[str, tuple[int, ...]], where: str = WEIGHTS
) -> dict[str, npt.NDArray[np.float32]]:
    """The weights from a safetensors file that must hold exactly ``shapes``, all finite.

    Raises ``RunFolderError`` for anything else; nothing is allocated by what the file declares.
    """
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(_MAX_HEADER_BYTES, len(content) - 8):
        raise RunFolderError(
            f"{where} declares a header of {size:,} bytes, the file has {len(content):,}", _DAMAGED
        )
    header = parse_json(content[8 : 8 + size], where)
    if not isinstance(header, dict):
        raise json_error(where, "an object as header", header)
    header.pop("__metadata__", None)
    if set(header) != set(shapes):
        raise json_error(where, "the tensors " + ", ".join(shapes), list(header))
    found: dict[str, npt.NDArray[np.float32]] = {}
    used: list[tuple[int, int]] = []
    for name, shape in shapes.items():
        entry = json_object(header[name], f"{where}: {name}", ("dtype", "shape", "data_offsets"))
        if entry["dtype"] != "F32" or entry["shape"] != list(shape):
            raise json_error(f"{where}: {name}", f"F32 of shape {list(shape)}", entry)
        offsets = json_list(entry["data_offsets"], f"{where}: {name}", 2)
        bounds = [json_integer(o, f"{where}: {name}", 0, len(content)) for o in offsets]
        if len(bounds) != 2 or bounds[1] - bounds[0] != 4 * math.prod(shape):
            raise json_error(f"{where}: {name}", f"{4 * math.prod(shape)} bytes", offsets)
        used.append((bounds[0], bounds[1]))
        start = 8 + size + bounds[0]
        if start + 4 * math.prod(shape) > len(content):
            raise json_error(f"{where}: {name}", "offsets inside the file", offsets)
        array = np.frombuffer(content, "<f4", math.prod(shape), start).reshape(shape)
        if not bool(np.isfinite(array).all()):
            raise RunFolderError(f"{where}: {name} holds NaN or infinite weights", _DAMAGED)
        found[name] = array.astype(np.float32)
    used.sort()
    gaps = [a[1] != b[0] for a, b in zip(used, used[1:], strict=False)]
    if any(gaps) or (used and used[-1][1] != len(content) - 8 - size):
        raise json_error(where, "tensors one after the other", used[:4])
    return found


def parse_json(content: bytes, where: str) -> Any:
    """JSON without NaN, doubled keys or bottomless nesting; ``RunFolderError`` otherwise."""

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


# --- Reading -----------------------------------------------------------------------------------


def load_run(folder: str | os.PathLike[str]) -> tuple[SavedModel, dict[str, npt.NDArray[Any]]]:
    """A run folder's model and weights.

    No code in it is executed and no path in it is followed.  Raises ``FileError`` when there is
    no such folder and ``RunFolderError`` when it is damaged, of another version or hostile.
    """
    root = Path(folder)
    if not root.is_dir():
        what = "is a file, not a run folder" if root.exists() else "does not exist"
        raise FileError(f"{root} {what}", "Give a folder that pellucid train has written.")
    content = read_limited(root / MODEL, _MAX_MODEL_BYTES)
    model = SavedModel.from_json(parse_json(content, MODEL))
    expected = sum(4 * math.prod(shape) for shape in model.shapes.values())
    if expected > _MAX_WEIGHT_BYTES:
        raise RunFolderError(f"{MODEL} declares {expected:,} bytes of weights", _DAMAGED)
    weights = read_limited(root / WEIGHTS, expected + 8 + _MAX_HEADER_BYTES)
    return model, weights_from_bytes(weights, model.shapes)


def read_records(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The run's records, one dictionary for each line."""
    content = read_limited(Path(folder) / RECORDS, _MAX_MODEL_BYTES)
    records = [parse_json(line, RECORDS) for line in content.splitlines() if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise RunFolderError(f"{RECORDS} holds a line that is no object", _DAMAGED)
    return records


# --- Writing -----------------------------------------------------------------------------------


class RunWriter:
    """Writes a run folder: beside its place first, renamed into it by ``finish``.

    Nothing appears at ``target`` before ``finish``; without it (an error, Ctrl-C) what was
    written is removed again.  After SIGKILL a hidden folder ``.NAME.….partial`` stays, with
    whole files in it.

    Raises ``FileError`` where ``target`` exists, unless ``overwrite`` and it is a run folder, and
    where the place cannot be written.
    """

    def __init__(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.target = Path(os.path.abspath(target))
        check_target(self.target, overwrite)
        self.overwrite = overwrite
        name = f".{self.target.name}.{os.getpid()}-{secrets.token_hex(3)}.partial"
        self.folder = self.target.parent / name
        parents = [self.target.parent, *self.target.parent.parents]
        self._made = [folder for folder in parents if not folder.exists()]
        with explained(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir()
            self._records: IO[bytes] | None = open(self.folder / f".{RECORDS}.partial", "xb")

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._records is not None:
            self.discard()

    def write(self, name: str, content: bytes | str) -> None:
        """Puts one of the run's files in place, whole."""
        if name not in FILES:
            raise ArgumentError(f"{name!r} is no file of a run", f"Use one of {FILES}.")
        data = content.encode() if isinstance(content, str) else content
        write_file(self.folder / name, data)

    def record(self, event: str, **fields: Any) -> None:
        """Adds a line to the run's records: what happened, when (seconds since 1970), and more."""
        if self._records is None:
            raise ArgumentError("The run folder is closed", "Record before finish().")
        line = json.dumps({"event": event, "time": round(time.time(), 3), **plain(fields)})
        with explained(self.folder / RECORDS):
            self._records.write(line.encode() + b"\n")
            self._records.flush()

    def finish(self) -> Path:
        """Moves the folder to its place in one step and returns it."""
        if self._records is None:
            raise ArgumentError("The run folder is closed", "Call finish() once.")
        with explained(self.target):
            os.fsync(self._records.fileno())
            self._records.close()
            os.replace(self.folder / f".{RECORDS}.partial", self.folder / RECORDS)
            flush_folder(self.folder)
            self._move()
            flush_folder(self.target.parent)
        self._records = None
        return self.target

    def _move(self) -> None:
        if not self.target.exists():
            # Renaming onto a folder that appeared meanwhile fails unless it is empty.
            os.rename(self.folder, self.target)
            return
        check_target(self.target, self.overwrite)
        if exchange(self.folder, self.target):
            _remove(self.folder)
            return
        old = self.folder.with_suffix(".old")
        os.rename(self.target, old)
        os.rename(self.folder, self.target)
        _remove(old)

    def discard(self) -> None:
        """Removes what was written."""
        if self._records is not None:
            with contextlib.suppress(OSError):
                self._records.close()
        self._records = None
        _remove(self.folder)
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()  # only where it is empty


def check_target(target: Path, overwrite: bool) -> None:
    """Raises ``FileError`` where a run must not be written to ``target``."""
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise FileError(
            f"{target} exists already; nothing was changed",
            "Choose another folder with --output, or replace this one with --overwrite.",
        )
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else set()
    if target.is_symlink() or not target.is_dir() or MODEL not in names or names - set(FILES):
        extra = sorted(names - set(FILES))[:3]
        raise FileError(
            f"{target} is not a run folder"
            + (f": it holds {', '.join(extra)}" if extra else "")
            + "; nothing was changed",
            "Only run folders are replaced. Choose another folder with --output.",
        )


def default_target(name: str, root: str | os.PathLike[str] = "runs") -> Path:
    """``runs/NAME-DATE-TIME``, with a number where that is taken."""
    plain_name = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")[:60]
    stem = f"{plain_name or 'run'}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = [Path(root) / stem, *(Path(root) / f"{stem}-{n}" for n in range(2, 1000))]
    return next(path for path in candidates if not os.path.lexists(path))


def plain(value: Any) -> Any:
    """``value`` as JSON: NumPy numbers become Python's, numbers that are not finite texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _remove(folder: Path) -> None:
    """Deletes a folder of ours and the plain files in it."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                entry.unlink()
        folder.rmdir()
