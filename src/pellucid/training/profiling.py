"""Where the time of a training step goes, layer by layer; see ``Trainer.profile``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.base.language import Shown, translated
from pellucid.data.json_checks import json_integer, json_list, json_number, json_object, json_text
from pellucid.training.rows import ArrayRows
from pellucid.training.showing import table_html
from pellucid.training.summary import text_table
from pellucid.training.trials import _silent, _units, untouched

CALLS = 20
"""A step is measured so many times."""
UPDATE, OUTSIDE = "update", ""
"""Kinds of what belongs to no layer: the optimizer's work, and the loss and the choice of rows."""


@dataclass(frozen=True)
class LayerTime:
    """Seconds and arithmetic operations of a layer in one step: of its ``forward`` pass, and of its
    gradients (``backward``).  ``kind`` is its class; ``update`` for the optimizer; empty, as
    ``layer``, for what is outside of layers: the loss, and picking the rows."""

    layer: str
    kind: str
    forward: float
    backward: float
    forward_flop: float
    backward_flop: float

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


@dataclass(frozen=True)
class LayerProfile:
    """Where the time of a step goes; ``print`` shows a table.

    ``layers`` are in the order of the network, then the update and what is outside of layers.  Each
    kernel is timed by itself, ``calls`` times; the time of one that computes parts of several
    layers is shared out by their arithmetic.  ``seconds`` is the whole step, in which kernels also
    overlap, on ``threads`` threads and a batch of ``rows`` rows.
    """

    layers: tuple[LayerTime, ...]
    seconds: float
    threads: int
    rows: int

    def share(self, layer: LayerTime) -> float:
        """The layer's share of the time of all kernels, 0 to 1."""
        total = sum(one.seconds for one in self.layers)
        return layer.seconds / total if total else 0.0

    def cells(self) -> list[list[str]]:
        """The table as texts, its heads first, in the language of the user."""
        heads = ["layer", "kind", "forward", "backward", "time of all", "FLOP", "FLOP/s"]
        lines = [[translated(head) for head in heads]]
        for one in self.layers:
            flop = one.forward_flop + one.backward_flop
            path = one.layer or translated("outside of layers")
            kind = translated("update") if one.kind == UPDATE else one.kind
            rate = _count(flop / one.seconds) if one.seconds and flop else "–"
            lines.append(
                [path, kind, _time(one.forward), _time(one.backward), f"{self.share(one):.1%}",
                 _count(flop), rate]
            )  # fmt: skip
        return lines

    def __str__(self) -> str:
        return f"{text_table(self.cells(), left=2)}\n{translated(self.summary())}"

    def summary(self) -> str:
        """The step as a sentence."""
        step, rows, threads = _time(self.seconds), f"{self.rows:,}", str(self.threads)
        return f"one step on {rows} rows takes {step} with {threads} threads"

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        lines = self.cells()
        return table_html([Shown(head) for head in lines[0]], lines[1:])

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> LayerProfile:
        """From ``to_json``'s values; ``RunFolderError`` for anything else."""
        fields = json_object(data, "profile", ("layers", "seconds", "threads", "rows"))
        return cls(
            tuple(_layer_from_json(one) for one in json_list(fields["layers"], "profile")),
            json_number(fields["seconds"], "profile"),
            json_integer(fields["threads"], "profile", 1, 2**20),
            json_integer(fields["rows"], "profile", 0, 2**53),
        )


def _layer_from_json(data: object) -> LayerTime:
    names = ("layer", "kind", "forward", "backward", "forward_flop", "backward_flop")
    fields = json_object(data, "profile", names)
    layer, kind = (json_text(fields[name], "profile") for name in names[:2])
    return LayerTime(layer, kind, *(json_number(fields[name], "profile") for name in names[2:]))


def _time(seconds: float) -> str:
    if not seconds:
        return "–"
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def _count(value: float) -> str:
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.0f}" if value else "–"


# ---- measuring -----------------------------------------------------------------------------------


def profile(trainer: Any, train: Any, *, batch_size: int, calls: int) -> LayerProfile:
    """See ``Trainer.profile``."""
    if isinstance(calls, bool) or not isinstance(calls, int) or calls < 1:
        raise ArgumentError(f"calls={calls!r}", "Give a whole number from 1 up.")
    with untouched(trainer, train):
        trainer._begin_average()
        source = trainer._source(train, batch_size, True, None, report=_silent)
        trainer.model.train()
        source.run(next(_units(source, 1)))
        return _profile(trainer, source, calls)


def profile_of(trainer: Any, source: Any) -> LayerProfile:
    """The profile of the steps of a fit that is over, on rows in memory of a full one."""
    if not isinstance(source, ArrayRows):
        return _profile(trainer, source, CALLS)
    with untouched(trainer, None):
        source.run(next(_units(source, 1)))
        return _profile(trainer, source, CALLS)


def _profile(trainer: Any, source: Any, calls: int) -> LayerProfile:
    """The profile of the step that a source has done last."""
    found = [program.explain(calls) for program in source.steps.programs]
    kinds = {path: type(layer).__name__ for path, layer in trainer.model.named_modules()}
    layers = _by_layer((k for one in found for k in one.kernels), kinds, trainer.optimizer)
    seconds = sum(one.seconds or 0.0 for one in found)
    return LayerProfile(layers, seconds, max(one.threads for one in found), source.steps.rows)


def check_profile(compiled: bool) -> None:
    """``ArgumentError`` where there is no program to measure."""
    if not compiled:
        raise ArgumentError(
            "The steps are not compiled, and only programs know their layers",
            "Use compile=True; pellucid.profiler measures eager operations.",
        )


def _by_layer(
    kernels: Iterable[Any], kinds: Mapping[str, str], optimizer: Any
) -> tuple[LayerTime, ...]:
    """Kernels' work and time by layer, in the order of the network."""
    update = type(optimizer).__name__
    sums: dict[str, list[float]] = {}
    for kernel in kernels:
        for layer, backward, share in kernel.parts:
            known = layer if layer == update or layer in kinds else OUTSIDE
            sum_of = sums.setdefault(known, [0.0, 0.0, 0.0, 0.0])
            sum_of[int(backward)] += share * (kernel.seconds or 0.0)
            sum_of[2 + int(backward)] += share * kernel.flop
    order = [path for path in kinds if path and path in sums]
    order += [name for name in (update, OUTSIDE) if name in sums and name not in order]
    listed = {**kinds, update: UPDATE, OUTSIDE: ""}
    return tuple(LayerTime(name, listed[name], *sums[name]) for name in order)
