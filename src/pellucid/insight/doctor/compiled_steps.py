"""Compiled training steps under a watch: their losses, looks at them, and where NaN began."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.graph.node import topological
from pellucid.insight.doctor.looking import Given, look
from pellucid.insight.doctor.moments import Moment
from pellucid.insight.doctor.observed_steps import ObservedStep, Statistics
from pellucid.insight.doctor.observing import glance, newest_record, norm_of
from pellucid.insight.doctor.schedule import Schedule
from pellucid.insight.doctor.tracks import Track
from pellucid.tensor.core import TensorCore
from pellucid.tensor.nonfinite import FirstNonFinite, find_first_nonfinite
from pellucid.tensor.state import state
from pellucid.tensor.trees import flatten

FEWEST_CALLS, MOST_CALLS = 64, 4096
"""Calls since the last copy of the weights that can be repeated."""
COPY_SHARE = 0.003
"""Share of the time that copies of the weights may take."""
KEPT_GIVEN = 6
MOST_BYTES = 32 * 2**20


class CompiledStep:
    """A compiled function that trains: which tracks it moves, and which result is their loss."""

    def __init__(self, function: Any, tracks: Sequence[Track]) -> None:
        self.function = function
        self.tracks = list(tracks)
        self.loss_at = 0
        """Which tensor of the result is the loss; -1 for none."""
        self.given: deque[Given] = deque(maxlen=KEPT_GIVEN)
        self.first: Given | None = None
        self.calls: list[tuple[Any, Any]] = []
        self.is_whole = True
        """Whether all calls since the copy are kept."""
        self.safety: Moment | None = None
        self._copied = 0.0
        self._cost = 0.0
        self._weights: list[np.ndarray] | None = None
        self._program: Any = None
        self._reads = False
        self._statistics: Statistics | None = None

    def losses(self, result: Any, steps: int) -> np.ndarray:
        """The loss of each step that ran, from what the function returned; NaN where it returns
        none."""
        leaves: list[TensorCore] = []
        flatten(result, leaves)
        if not 0 <= self.loss_at < len(leaves):
            return np.full(max(steps, 1), np.nan)
        array = leaves[self.loss_at]._cell.array
        per_step = array is not None and array.size == max(steps, 1)
        return array.reshape(-1) if per_step else np.full(max(steps, 1), np.nan)  # type: ignore[union-attr]

    def reads_gradients(self, program: Any) -> bool:
        """Whether a program adds to the gradients that stand in the parameters before it."""
        if self._program is not program:
            places = {place for _, place in program.gradient_places}
            nodes = [program.graph.inputs[program.first_cell + place] for place in places]
            self._program = program
            self._reads = bool(nodes) and not set(topological(program.graph.outputs)).isdisjoint(
                nodes
            )
        return self._reads

    def is_plain(self, program: Any) -> bool:
        """Whether a call of this program is one step of one optimizer, its result the loss, and
        nothing is to be done about it."""
        return (
            program is self._program
            and not self._reads
            and self._weights is None
            and len(self.tracks) == 1
            and len(self.calls) % FEWEST_CALLS != FEWEST_CALLS - 1
        )

    # ---- looking -------------------------------------------------------------------------------

    def statistics(
        self,
        given: Given,
        models: list[Any],
        optimizers: list[Any],
        schedule: Schedule,
        program: Any,
    ) -> list[tuple[Any, dict[str, Any]]]:
        """(model, its statistics) on the whole batch; empty where there is no program for that."""
        if self._statistics is None:
            function = self.function
            observed = ObservedStep(function.function, models, optimizers, function.backend)
            self._statistics = Statistics(observed)
        return self._statistics.records(given.args, given.kwargs, schedule, program.made_in)

    def keep(self, args: Any, kwargs: Any, steps: int) -> Given | None:
        """Keep what the function was called with."""
        given = Given.of(self.function, args, kwargs, steps - 1 if steps else None)
        if given.bytes > MOST_BYTES:
            return None
        if self.first is None:
            self.first = given
        else:
            self.given.append(given)
        return given

    def expand(self, models: list[Any], optimizers: list[Any]) -> None:
        """Make steps that can be repeated of what was kept."""
        kept = [given for given in (self.first, *self.given) if given is not None]
        missing = KEPT_GIVEN - len(kept)
        if missing > 0:  # what the last calls were given is still there
            listed = [Given.of(self.function, *call) for call in self.calls[-missing:]]
            kept += [given for given in listed if given.bytes <= MOST_BYTES]
        for track in self.tracks:
            track.first, track.last = [], deque(maxlen=track.last.maxlen)
        for given in kept:
            seen = look(given, models, optimizers)
            for optimizer, step in () if seen is None else seen.steps:
                for track in self.tracks:
                    if track.optimizer is optimizer and step.outputs:
                        track.remember(step)

    # ---- weights -------------------------------------------------------------------------------

    def take_weights(self) -> None:
        """Copy the parameters, to compare them with those after the next step."""
        self._weights = [np.array(p.detach().array()) for t in self.tracks for p in t.parameters]

    def updates(self, names: dict[int, str]) -> dict[str, dict[str, float]]:
        """Name → norm of the change since, and its ratio to the norm before."""
        before, self._weights = self._weights, None
        found = {}
        parameters = [p for track in self.tracks for p in track.parameters]
        for number, (parameter, old) in enumerate(zip(parameters, before or (), strict=False)):
            change = norm_of(parameter.detach().array() - old)
            ratio = change / max(norm_of(old), 1e-12)
            name = names.get(id(parameter), f"parameter {number}")
            found[name] = {"norm": change, "ratio": ratio}
        return found

    def drop_weights(self) -> dict[str, dict[str, float]]:
        """Forget the copy: nothing is known of the changes since."""
        self._weights = None
        return {}

    @property
    def waits_for_update(self) -> bool:
        """Whether weights were taken before the step that has just been made."""
        return self._weights is not None

    # ---- NaN -----------------------------------------------------------------------------------

    def protect(self, models: list[Any], optimizers: list[Any]) -> None:
        """Copy everything now and then, so that a step that ends in NaN can be made again."""
        count, first = len(self.calls), self.safety is None
        if not first and count < FEWEST_CALLS:
            return
        now = time.perf_counter()
        if first or now - self._copied >= max(0.5, self._cost / COPY_SHARE):
            self.safety = Moment(models, optimizers, with_gradients=False)
            self.calls.clear()
            self._copied = time.perf_counter()
            self._cost = self._copied - now
            self.is_whole = True
        elif count >= self._most_calls():
            self.calls.clear()  # until the next copy no step can be made again
            self.is_whole = False

    def _most_calls(self) -> int:
        leaves: list[TensorCore] = []
        flatten(self.calls[-1], leaves)
        size = sum(leaf.array().nbytes for leaf in leaves)
        return max(FEWEST_CALLS, min(MOST_CALLS, MOST_BYTES // max(1, size)))

    def birth(
        self, models: list[Any], optimizers: list[Any], names: dict[str, Any]
    ) -> FirstNonFinite | None:
        """Repeat the calls since the last copy, and look into the first that ends in NaN."""
        if self.safety is None or not self.calls or not self.is_whole:
            return None
        now = Moment(models, optimizers)
        before, state.follower = state.follower, None
        own, self.function.follower = self.function.follower, None
        try:
            self.safety.restore()
            for args, kwargs in self.calls:
                moment = Moment(models, optimizers, with_gradients=False)
                losses = self.losses(self.function(*args, **kwargs), 0)
                if np.isfinite(losses).all() and _finite(optimizers):
                    continue
                moment.restore()
                return find_first_nonfinite(self.function, *args, names=names, **kwargs)
            return None
        finally:
            now.restore()
            state.follower, self.function.follower = before, own


def _finite(optimizers: list[Any]) -> bool:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    arrays = [p.detach().array() for group in groups for p in group["params"]]
    return all(bool(np.isfinite(array).all()) for array in arrays if array.dtype.kind == "f")


def moved_tracks(program: Any, tracks: Sequence[Track]) -> list[Track]:
    """The tracks whose parameters a program changes."""
    changed = {id(cell) for cell in program.changed}
    return [t for t in tracks if any(id(p._cell) in changed for p in t.parameters)]


def statistics_of(
    given: Given, models: list[Any], optimizers: list[Any], rows: int
) -> tuple[Any, list[Any]]:
    """Run a few rows of a step as NumPy does with all layers observed: what was seen, and the
    newest record of each model."""
    observed = [(model, glance(model)) for model in models]
    try:
        seen = look(given.first_rows(rows), models, optimizers, kernels=False)
        return seen, [(model, newest_record(watched)) for model, watched in observed]
    finally:
        for _, watched in observed:
            watched.remove()
