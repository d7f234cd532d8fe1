"""Going back in time: snapshots of a training within a memory budget, and branches from them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.insight.doctor.moments import Moment
from pellucid.training.history import Event

MEMORY = 256 * 2**20
"""Bytes of snapshots that are kept unless another budget is given."""


@dataclass
class Branch:
    """A course of the training: its ``name``, the step ``at`` which it left its ``parent``, what
    was changed there, and how many steps it has come to."""

    name: str
    parent: Branch | None = None
    at: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    steps: int = 0

    def is_on(self, other: Branch, step: int) -> bool:
        """Whether this branch went through a step of another (or the same) one."""
        branch: Branch | None = self
        limit = step
        while branch is not None:
            if branch is other:
                return step <= limit
            limit, branch = min(branch.at, limit), branch.parent
            if step > limit:
                return False
        return False


@dataclass(eq=False)
class Point:
    """A snapshot: before the step ``step`` (from 0) of a branch; ``position`` is what the loop
    said of where it stood in its data."""

    step: int
    branch: Branch
    position: Any
    state: Any
    bytes: int

    def __repr__(self) -> str:
        return f"<point before step {self.step} of {self.branch.name}, {self.bytes:,} bytes>"


class _Points:
    """Snapshots within a budget of memory; the first and the newest always stay."""

    def __init__(self, memory: int) -> None:
        if memory < 1:
            raise ArgumentError(f"memory={memory!r}", "Give a number of bytes.")
        self.memory = memory
        self.points: list[Point] = []
        self.trunk = self.branch = Branch("main")
        self.branches = [self.trunk]

    @property
    def bytes(self) -> int:
        """What the snapshots take."""
        return sum(point.bytes for point in self.points)

    def add(self, point: Point) -> Point:
        """Keep a snapshot, in place of an earlier one of the same step."""
        if point.bytes > self.memory:
            raise ArgumentError(
                f"A snapshot takes {point.bytes:,} bytes and the timeline has {self.memory:,}",
                "Give it more: memory=…",
            )
        here = point.branch, point.step
        self.points = [p for p in self.points if (p.branch, p.step) != here]
        self.points.append(point)
        point.branch.steps = max(point.branch.steps, point.step)
        while self.bytes > self.memory and len(self.points) > 2:
            self._drop()
        return point

    def _drop(self) -> None:
        """Forget the snapshot that is missed least: the one with the nearest neighbours, of those
        the oldest, so that they thin out with age."""
        last = len(self.points) - 1

        def missed(number: int) -> tuple[float, int]:
            before, here, after = self.points[number - 1 : number + 2]
            if before.branch is not after.branch:
                return float("inf"), number
            age = max(1, self.points[last].step - here.step)
            return (after.step - before.step) / age, number

        self.points.pop(min(range(1, last), key=missed))

    def before(self, step: int) -> Point:
        """The last snapshot on the way of the branch of now that is not behind a step."""
        own = [p for p in self.points if p.step <= step and self.branch.is_on(p.branch, p.step)]
        if not own:
            raise ArgumentError(
                f"There is no snapshot at or before step {step}",
                "Mark steps from the beginning, or give more memory.",
            )
        return max(own, key=lambda point: point.step)

    def start_branch(self, name: str, at: int, settings: dict[str, Any]) -> Branch:
        """A branch that leaves the one of now."""
        if any(branch.name == name for branch in self.branches):
            raise ArgumentError(f"There is a branch {name!r} already", "Choose another name.")
        made = Branch(name, self.branch, at, settings, at)
        self.branches.append(made)
        return made

    def tree(self) -> str:
        """The branches as a text, each below the one that it left."""
        lines: list[str] = []

        def show(branch: Branch, depth: int) -> None:
            changed = ", ".join(f"{name}={value}" for name, value in branch.settings.items())
            left = f", from step {branch.at}" if branch.parent is not None else ""
            text = f"{branch.name}: {branch.steps} steps{left}"
            lines.append("  " * depth + text + (f" with {changed}" if changed else ""))
            for child in self.branches:
                if child.parent is branch:
                    show(child, depth + 1)

        show(self.trunk, 0)
        return "\n".join(lines)


class Timeline:
    """Snapshots of a loop of one's own: weights, buffers, modes, the optimizers with all that they
    remember, random numbers, and the position in the data.

    ``models`` and ``optimizers`` are one or several; ``others`` are what has ``state_dict`` and
    ``load_state_dict`` beside them, such as schedules.  Values are put back in place, so that
    tensors, optimizers and compiled programs stay what they are, and a step from a snapshot gives
    the bits that it gave.  Of more snapshots than ``memory`` (bytes) holds those are forgotten that
    have near neighbours, the older first; the first and the newest stay.

    >>> timeline = doctor.Timeline(model, optimizer)                 # doctest: +SKIP
    >>> for number, (x, y) in enumerate(batches):                    # doctest: +SKIP
    ...     timeline.mark(number)
    ...     step(x, y)
    >>> timeline.go_to(40)                   # as it was before step 40   # doctest: +SKIP
    >>> timeline.start("slower", lr=1e-4)    # goes on from there         # doctest: +SKIP
    >>> timeline.replay(lambda number: step(*batches[number]), 60)   # doctest: +SKIP
    >>> print(timeline.tree())                                       # doctest: +SKIP

    Raises ``ArgumentError`` where a single snapshot is larger than ``memory``.
    """

    def __init__(
        self, models: Any, optimizers: Any = (), *, others: Iterable[Any] = (), memory: int = MEMORY
    ) -> None:
        self._models = list(models) if isinstance(models, (list, tuple)) else [models]
        several = isinstance(optimizers, (list, tuple))
        self._optimizers = list(optimizers) if several else [optimizers]
        self._others = list(others)
        self._kept = _Points(memory)
        self.step = 0
        """The step that comes next."""

    @property
    def points(self) -> list[Point]:
        """The snapshots that are kept, in the order in which they were taken."""
        return list(self._kept.points)

    @property
    def branch(self) -> Branch:
        """The branch of now."""
        return self._kept.branch

    @property
    def bytes(self) -> int:
        """Memory that the snapshots take."""
        return self._kept.bytes

    def mark(self, position: Any = None) -> Point:
        """Take a snapshot before the next step; ``position`` is where the loop stands in its data,
        the number of the step unless given."""
        moment = Moment(self._models, self._optimizers)
        others = [copy.deepcopy(each.state_dict()) for each in self._others]
        where = self.step if position is None else position
        point = Point(self.step, self.branch, where, (moment, others), moment.bytes)
        self.step += 1
        return self._kept.add(point)

    def go_to(self, step: int) -> Point:
        """Go back to the last snapshot at or before a step (counted as :meth:`mark` did), and
        return it; replay the steps between to be there exactly."""
        point = self._kept.before(step)
        moment, others = point.state
        moment.restore()
        for each, saved in zip(self._others, others, strict=True):
            each.load_state_dict(copy.deepcopy(saved))
        self.step = point.step
        return point

    def back(self, steps: int = 1) -> Point:
        """Go back so many steps, or to the snapshot before."""
        return self.go_to(self.step - steps)

    def start(self, name: str, **settings: Any) -> Branch:
        """From here on a branch of its own, with these settings of the optimizers' groups
        (``lr=1e-4``).  What was marked before stays: ``go_to`` before this step leads back to it.

        Raises ``ArgumentError`` for a name that there is, and for settings that no group has.
        """
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        for setting in settings:
            if not any(setting in group for group in groups):
                raise ArgumentError(
                    f"The optimizer has no setting {setting!r}",
                    f"It has {', '.join(sorted(n for n in groups[0] if n != 'params'))}.",
                )
        made = self._kept.start_branch(name, self.step, settings)
        for group in groups:
            for setting, value in settings.items():
                if setting == "lr":
                    group.set_rate(value)
                elif setting in group:
                    group[setting] = value
        self._kept.branch = made
        return made

    def switch(self, branch: Branch | str) -> Point:
        """Go to the last snapshot of a branch, which becomes the one of now."""
        found = next((b for b in self._kept.branches if branch in (b, b.name)), None)
        if found is None:
            names = ", ".join(b.name for b in self._kept.branches)
            raise ArgumentError(f"There is no branch {branch!r}", f"There are {names}.")
        self._kept.branch = found
        return self.go_to(found.steps)

    def replay(self, step: Callable[[Any], Any], until: int) -> list[Any]:
        """Run ``step(position)`` from here up to before the step ``until``, marking each; what the
        steps returned.  Positions are those that were marked, the number of a step otherwise."""
        known = {p.step: p.position for p in self._kept.points}
        results = []
        while self.step < until:
            position = known.get(self.step, self.step)
            self.mark(position)
            results.append(step(position))
        return results

    def tree(self) -> str:
        """The branches as a text."""
        return self._kept.tree()


class TrainerTimeline:
    """Snapshots of a Trainer's run, taken after every ``every`` steps (or where the native call
    that runs ends) and after each epoch.

    Make it before ``fit``.  ``go_to(step)`` puts the Trainer into the last snapshot at or before a
    step; the same ``fit`` then goes on from there, to the bits that it had.  ``branch(name,
    step, lr=…)`` gives another Trainer that begins there with other settings.

    >>> timeline = doctor.TrainerTimeline(trainer)                      # doctest: +SKIP
    >>> trainer.fit(train, validation, epochs=20)                       # doctest: +SKIP
    >>> slower = timeline.branch("slower", 400, lr=1e-4)                # doctest: +SKIP
    >>> slower.fit(train, validation, epochs=20)                        # doctest: +SKIP
    """

    def __init__(self, trainer: Any, *, every: int = 100, memory: int = MEMORY) -> None:
        if every < 1:
            raise ArgumentError(f"every={every!r}", "Give a number of steps from 1 up.")
        self.trainer = trainer
        self.every = every
        self._kept = _Points(memory)
        self._last = -1
        trainer.callbacks.append(self)

    def __call__(self, event: Event) -> None:
        """Take a snapshot where it is time for one."""
        due = event.kind == "steps" and event.step - max(self._last, 0) >= self.every
        if not due and event.kind != "epoch":
            return
        state = self.trainer.run_state()
        self._last = event.step
        self._kept.add(Point(event.step, self._kept.branch, event.epoch, state, state.nbytes))

    @property
    def points(self) -> list[Point]:
        """The snapshots that are kept."""
        return list(self._kept.points)

    def go_to(self, step: int) -> Point:
        """The Trainer goes back to the last snapshot at or before a step."""
        point = self._kept.before(step)
        self.trainer.resume(point.state)
        self._last = point.step
        return point

    def branch(self, name: str, step: int, **settings: Any) -> Any:
        """Another Trainer, which begins at the last snapshot at or before a step with these
        settings of its optimizer; its own timeline is the last of its callbacks."""
        point = self._kept.before(step)
        groups = self.trainer.optimizer.param_groups
        for setting in settings:
            if not any(setting in group for group in groups):
                raise ArgumentError(f"The optimizer has no setting {setting!r}", "See its groups.")
        made_branch = self._kept.start_branch(name, point.step, settings)
        callbacks = self.trainer.callbacks
        self.trainer.callbacks = [each for each in callbacks if each is not self]
        try:
            made = copy.deepcopy(self.trainer)
        finally:
            self.trainer.callbacks = callbacks
        made.resume(point.state)
        for group in made.optimizer.param_groups:
            for setting, value in settings.items():
                if setting == "lr":
                    group.set_rate(value)
                elif setting in group:
                    group[setting] = value
        own = TrainerTimeline(made, every=self.every, memory=self._kept.memory)
        own._kept.trunk, own._kept.branches = self._kept.trunk, self._kept.branches
        own._kept.branch, own._last = made_branch, point.step
        return made

    def tree(self) -> str:
        """The branches as a text."""
        return self._kept.tree()
