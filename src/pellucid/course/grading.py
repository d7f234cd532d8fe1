"""What graders are made of: the learner's answer, the judge, hints in two languages.

A grader is a function of an answer and a judge, marked by :func:`exercise`::

    @exercise("5.1", asks="relu_slope")
    def relu_slope(answer, judge):
        slopes = answer(np.array([-2.0, 3.0]))
        judge.close(slopes, [0.0, 1.0], Hint(en="Where is it flat?", zh="哪一段是平的？"))

The first judgement that fails ends the exercise: the learner reads its hint and what the answer
gave, never what was expected.
"""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import NamingError, PellucidError

__all__ = [
    "Answer",
    "Exercise",
    "Hint",
    "Judge",
    "Missed",
    "by_number",
    "exercise",
    "is_open",
    "told",
]

_LONGEST = 300


@dataclass(frozen=True)
class Hint:
    """What helps the learner to the next step, in English and in Chinese."""

    en: str
    zh: str


class Missed(PellucidError):
    """An answer is not what the exercise asks for; holds the hint and what was received."""

    def __init__(self, hint: Hint, received: str = "") -> None:
        super().__init__(hint.en)
        self.advice = hint
        self.received = received


@dataclass(frozen=True)
class Exercise:
    """An exercise and who grades it.

    ``number`` is lesson.exercise, ``asks`` the names that the learner defines, ``seconds`` how long
    the grader may take.
    """

    number: str
    asks: tuple[str, ...]
    grade: Callable[[Answer, Judge], None]
    seconds: float


def exercise(
    number: str, *, asks: str | Sequence[str], seconds: float = 10.0
) -> Callable[[Callable[[Answer, Judge], None]], Exercise]:
    """Makes an :class:`Exercise` of a grader; ``asks`` is one name or several."""
    names = (asks,) if isinstance(asks, str) else tuple(asks)
    return lambda grade: Exercise(number, names, grade, seconds)


# ---- the learner's answer ------------------------------------------------------------------------


class Answer:
    """What the learner defined: ``answer(…)`` calls the function that the exercise asks for,
    ``answer.value`` is it itself; ``answer.name(…)`` where it asks for several names.

    ``last`` tells the last call and what it gave.
    """

    def __init__(self, asks: Sequence[str], namespace: dict[str, Any]) -> None:
        self._asks = tuple(asks)
        self._namespace = namespace
        self.last = ""

    @property
    def value(self) -> Any:
        """The value of the first name."""
        found = self._namespace[self._asks[0]]
        self.last = told(found)
        return found

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Calls the function of the first name."""
        return self._call(self._asks[0], args, settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._asks:
            raise AttributeError(name)
        found = self._namespace[name]
        if not callable(found) or isinstance(found, type):
            return found
        return lambda *args, **settings: self._call(name, args, settings)

    def _call(self, name: str, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        given = [told(a, 60) for a in args] + [f"{k}={told(v, 60)}" for k, v in settings.items()]
        call = f"{name}({', '.join(given)})"
        call = call if len(call) <= 100 else f"{name}(…)"
        self.last = call
        found = self._namespace[name](*args, **settings)
        self.last = f"{call} → {told(found)}"
        return found


def is_open(name: str, source: ast.Module, namespace: dict[str, Any]) -> bool:
    """Whether what ``name`` stands for is still as the starter left it: ``...``."""
    if namespace.get(name) is Ellipsis:
        return True
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for statement in source.body:
        if isinstance(statement, functions) and statement.name == name:
            return _has_no_body(statement.body)
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            methods = [node for node in statement.body if isinstance(node, functions)]
            return _has_no_body(statement.body) or any(_has_no_body(m.body) for m in methods)
    return False


def _has_no_body(statements: list[ast.stmt]) -> bool:
    """Whether there is a docstring and ``...`` at most."""
    values = [s.value for s in statements if isinstance(s, ast.Expr)]
    constants = [v.value for v in values if isinstance(v, ast.Constant)]
    return len(constants) == len(statements) and Ellipsis in constants


# ---- the judge -----------------------------------------------------------------------------------


class Judge:
    """Compares what an answer gave; the first comparison that fails raises :class:`Missed`."""

    def close(self, received: Any, expected: Any, hint: Hint, tolerance: float = 1e-6) -> None:
        """Numbers in the shape of ``expected`` that differ from it by ``tolerance`` at most, both
        absolute and relative: |received − expected| ≤ tolerance · (1 + |expected|)."""
        wanted = _array(expected)
        found = _numbers(received, hint)
        if wanted.ndim == 0 and found.size == 1:
            found = found.reshape(())
        if found.shape != wanted.shape:
            raise Missed(hint, f"{told(received)}  (shape {found.shape})")
        if not np.allclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
            raise Missed(hint, told(received))

    def equal(self, received: Any, expected: Any, hint: Hint) -> None:
        """The same value: a number, text, array, or a collection of them."""
        if not _same(received, expected):
            raise Missed(hint, told(received))

    def shape(self, received: Any, shape: Sequence[int], hint: Hint) -> None:
        """Numbers in this shape."""
        found = _numbers(received, hint)
        if found.shape != tuple(shape):
            raise Missed(hint, f"shape {found.shape}")

    def that(self, condition: Any, hint: Hint) -> None:
        """Something true."""
        if not bool(np.all(_array(condition))):
            raise Missed(hint)


def _array(value: Any) -> npt.NDArray[Any]:
    """A tensor, a number or anything like an array as an array."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, (list, tuple)):
        value = [_array(v) if hasattr(v, "detach") else v for v in value]
    return np.asarray(value)


def _numbers(value: Any, hint: Hint) -> npt.NDArray[Any]:
    """``value`` as an array of numbers; where it is none, the exercise has been missed."""
    try:
        found = _array(value)
    except (TypeError, ValueError):
        raise Missed(hint, told(value)) from None
    if found.dtype.kind not in "biufc":
        raise Missed(hint, told(value))
    return found


def _same(received: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return (
            isinstance(received, dict)
            and received.keys() == expected.keys()
            and all(_same(received[key], value) for key, value in expected.items())
        )
    if isinstance(expected, (str, bytes, set, frozenset, type(None))):
        return bool(type(received) is type(expected) and received == expected)
    if isinstance(expected, (list, tuple)) and isinstance(received, (list, tuple)):
        pairs = zip(received, expected, strict=False)
        return len(received) == len(expected) and all(_same(a, b) for a, b in pairs)
    try:
        found, wanted = _array(received), _array(expected)
    except (TypeError, ValueError):
        return False
    return found.shape == wanted.shape and bool(np.array_equal(found, wanted))


_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = 12
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


def told(value: Any, longest: int = _LONGEST) -> str:
    """A value as the learner reads it, in one short piece of text."""
    if isinstance(value, tuple) and 0 < len(value) <= 8:
        parts = ", ".join(told(part, longest // 2) for part in value)
        return f"({parts})" if len(value) > 1 else f"({parts},)"
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "detach"):
        with np.printoptions(precision=5, threshold=60, suppress=True):
            text = str(value.item()) if isinstance(value, np.generic) else repr(value)
    else:
        text = _SHORT.repr(value)
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def by_number(found: Sequence[Exercise]) -> dict[str, Exercise]:
    """Exercises by their numbers.

    Raises ``NamingError`` where two have one number or ask for one name.
    """
    names: list[str] = [name for each in found for name in each.asks]
    numbers = [each.number for each in found]
    for seen in (names, numbers):
        double = sorted({x for x in seen if seen.count(x) > 1})
        if double:
            raise NamingError(
                f"Several exercises of a lesson have {', '.join(double)}",
                "Give each its own number and names.",
            )
    return {each.number: each for each in found}
