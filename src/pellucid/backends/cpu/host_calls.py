"""Calls of the host: tasks of a program that run in Python.

An operation without native code, such as a singular value decomposition, is computed by its NumPy
meaning on arrays that lie where the program has its values.  The native driver calls one function
of ctypes, which takes the interpreter lock, with the number of the call; always on the thread that
started the program, between two regions.  What goes wrong is kept and ends the run: nothing is ever
raised through native code, and the pool's threads, which wait for regions, notice nothing.
"""

from __future__ import annotations

import ctypes
import itertools
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.backends import array_at
from pellucid.backends.cpu.plan import ArrayPlan, HostPlan
from pellucid.base.dtypes import as_dtype
from pellucid.base.errors import GraphError
from pellucid.graph.node import Primitive
from pellucid.ops.registry import PRIMITIVES


@dataclass(frozen=True)
class _Place:
    """A table entry and the array it points to."""

    slot: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @staticmethod
    def of(plan: ArrayPlan) -> _Place:
        return _Place(plan.slot, plan.shape, as_dtype(plan.dtype).numpy)


@dataclass(eq=False)
class Failure:
    """What went wrong in a run: the error, and which of the program's calls raised it."""

    call: int = -1
    error: BaseException | None = None

    def take(self) -> BaseException:
        """The error, which is forgotten here."""
        found, self.error = self.error, None
        return found if found is not None else GraphError("a call of the host ended a run unseen")


class HostCall:
    """A call of a program: how it finds its operands in the ``table`` and what it computes.

    ``position`` counts the calls of the program; ``failure`` is where errors go.
    """

    def __init__(
        self, plan: HostPlan, table: npt.NDArray[np.uint64], position: int, failure: Failure
    ) -> None:
        self._primitive = PRIMITIVES[plan.primitive]
        self._params = dict(plan.params)
        self._operands = [_Place.of(array) for array in plan.operands]
        self._results = [(number, _Place.of(array)) for number, array in plan.results]
        self._table, self._position, self._failure = table, position, failure
        self.number = next(_serial)
        _calls[self.number] = self

    def run(self) -> int:
        """Compute and store the results; 1 if that failed."""
        try:
            values = self._values()
            for (_, place), value in zip(self._results, values, strict=True):
                np.copyto(self._array(place), value)
        except BaseException as error:  # Ctrl-C, too: it cannot pass through native code
            self._failure.call, self._failure.error = self._position, error
            return 1
        return 0

    def _values(self) -> list[np.ndarray]:
        operands = [self._array(place) for place in self._operands]
        for array in operands:
            array.flags.writeable = False
        numbers = tuple(number for number, _ in self._results)
        values = _computed(self._primitive, operands, numbers, self._params)
        for value, (_, place) in zip(values, self._results, strict=True):
            if value.shape != place.shape:
                raise GraphError(
                    f"{self._primitive.name} gave a result of shape {value.shape} where its shape "
                    f"rule says {place.shape}",
                    "infer and evaluate of a primitive have to agree",
                )
        return values

    def _array(self, place: _Place) -> np.ndarray:
        return array_at(int(self._table[place.slot]), place.shape, place.dtype)


def _computed(
    primitive: Primitive,
    operands: list[np.ndarray],
    numbers: tuple[int, ...],
    params: dict[str, Any],
) -> list[np.ndarray]:
    """The wanted results, by NumPy."""
    if primitive.results is None:
        return [np.asarray(primitive.evaluate(*operands, **params))]
    found = primitive.results(*operands, outputs=numbers, **params)
    return [np.asarray(found[number]) for number in numbers]


_serial = itertools.count(1)
_calls: weakref.WeakValueDictionary[int, HostCall] = weakref.WeakValueDictionary()
"""Calls of all programs there are, by their number."""


def _answer(number: int) -> int:
    call = _calls.get(number)
    return 1 if call is None else call.run()


_callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(_answer)


def callback_address() -> int:
    """Native address of ``i64 f(i64 number)``, which runs a call."""
    return ctypes.cast(_callback, ctypes.c_void_p).value or 0
