"""Programs of the exam: what is wrong with each, where, and when it can be known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from doctor.exam.bases import BASES
from doctor.exam.recipe import Recipe

PHASES = ("before", "step 10", "tenth", "end")
"""When a cause can be known at the earliest: before the first step, by the tenth step, within a
tenth of the budget, at the end."""

Operator = Callable[[Recipe], None]


@dataclass(frozen=True)
class Program:
    """A program: how it is made, and what a doctor should say of it.

    ``causes`` are the right ones (any of them; empty for a clean program), ``places`` words of
    which the finding's place must contain one (empty where nobody could tell), ``known`` the
    phase.  ``harm`` says how it is sick: ``score`` (it learns less than its healthy twin), or
    ``fact`` (its figures mislead, whatever it learns).  ``enough`` is what a clean program must
    reach.  ``script`` names the file of a program that is run unchanged, with ``args``.
    """

    name: str
    causes: frozenset[str] = frozenset()
    places: tuple[str, ...] = ()
    known: str = "end"
    harm: str = "score"
    make: Callable[[int], Recipe] | None = None
    healthy: Callable[[int], Recipe] | None = None
    enough: float = 0.0
    script: str = ""
    args: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.causes

    @property
    def half(self) -> str:
        """The half that it belongs to, by a hash of its name alone."""
        digest = hashlib.sha256(self.name.encode()).digest()
        return "tuning" if digest[0] % 2 else "measuring"


SICK: list[Program] = []
CLEAN: list[Program] = []

_WAYS = ("trainer", "loop", "trainer", "compiled", "trainer", "trainer", "compiled", "eager")


def way_of(name: str) -> str:
    """The way in which a program is trained that does not say so itself."""
    return _WAYS[hashlib.sha256(name.encode()).digest()[1] % len(_WAYS)]


def _maker(operator: Operator, base: str, name: str) -> Callable[[int], Recipe]:
    def make(seed: int) -> Recipe:
        recipe = BASES[base].make(seed)
        recipe.way = way_of(name)
        operator(recipe)
        if recipe.loop is not None:
            recipe.way = "loop"
        elif recipe.way in ("loop", "compiled") and (recipe.trainer or recipe.loader):
            recipe.way = "trainer"
        return recipe

    return make


def sick(causes: str, on: str, *, place: str = "", known: str = "end",
         harm: str = "score") -> Callable[[Operator], Operator]:  # fmt: skip
    """Makes programs of an operator: one for each base in ``on``."""

    def register(operator: Operator) -> Operator:
        for base in on.split():
            name = f"{operator.__name__}/{base}"
            SICK.append(Program(
                name, frozenset(causes.split()), tuple(place.split()), known, harm,
                _maker(operator, base, name), BASES[base].make,
            ))  # fmt: skip
        return operator

    return register


def clean(on: str, *, enough: float | None = None) -> Callable[[Operator], Operator]:
    """Makes clean programs of a change that does no harm."""

    def register(operator: Operator) -> Operator:
        for base in on.split():
            name = f"{operator.__name__}/{base}"
            least = BASES[base].enough if enough is None else enough
            CLEAN.append(Program(name, make=_maker(operator, base, name), enough=least))
        return operator

    return register


def programs() -> Iterator[Program]:
    """All programs, the sick ones first."""
    import doctor.exam.clean
    import doctor.exam.operators.ends
    import doctor.exam.operators.layers
    import doctor.exam.operators.rows
    import doctor.exam.operators.steps
    import doctor.exam.script_list  # noqa: F401

    yield from SICK
    yield from CLEAN
