"""How explanations call a model: any model, any inputs, and which of its scores is explained.

A model is a module, compiled or not, or any function.  It takes one input, several (a tuple) or a
dictionary of them; integers as well as floating-point numbers.  What is explained is one score of
each row: a position among the row's outputs, one position for each row, or whatever a function
makes of the outputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, OutOfRangeError, ShapeError
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.programs import program
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Model = Callable[..., Any]
Inputs = Any
"""One array or tensor, a tuple of them, or a dictionary of them; rows lie along the first axis."""


class Output(NamedTuple):
    """The target of a model with several outputs: which of them, then the score in it.

    ``key`` is a position in a tuple or a key of a dictionary; ``target`` is what it would be for
    a model with this output alone.
    """

    key: int | str
    target: Any = None


Target = int | tuple[int, ...] | Sequence[Any] | npt.NDArray[Any] | Callable[[Any], Any] | None
"""Which score of each row is explained: a position (with several axes a tuple), one for each row,
a function from outputs (rows, …) to scores (rows,), an :class:`Output`, or None: the largest."""

Outputs = Any
"""Whatever a model gives: a tensor, or several in a tuple, a list or a dictionary."""

ELEMENTS = 1 << 21
"""Elements of input that go through a model at once where nobody says how many rows."""


class Forward:
    """A model, the inputs that are explained, and the score that is.

    ``inputs`` are what the values of an explanation belong to, ``extra`` further arguments of the
    model, of which tensors with as many rows go along with their rows.  The score is fixed by
    these inputs: with ``target=None`` it is, for each row, the one that is largest for them.

    ``tensors`` are the inputs, ``names`` their names, ``rows`` how many rows they have, ``places``
    int64 (rows,) the position of each row's score among its outputs in one line (None where a
    function makes it), ``output`` the scores themselves, float64 (rows,).  Raises ``ShapeError``
    and ``OutOfRangeError`` for targets that do not fit, ``ArgumentError`` for a model with several
    outputs of which none is chosen, ``NonFiniteError`` for scores that are no numbers.
    """

    def __init__(
        self,
        model: Model,
        inputs: Inputs,
        target: Any = None,
        extra: Any = (),
        *,
        compiled: bool = True,
        batch_size: int | None = None,
    ) -> None:
        self.model = model
        self.module = _module(model)
        self.layers = [] if self.module is None else list(self.module.modules())
        self.kind, self.names, self.tensors = _taken_apart(inputs)
        self.rows = _rows(self.names, self.tensors)
        further = extra if isinstance(extra, tuple | list) else (extra,)
        self.extra = tuple(as_tensor(e) if isinstance(e, np.ndarray) else e for e in further)
        self.key = target.key if isinstance(target, Output) else None
        self.target = target.target if isinstance(target, Output) else target
        self.function = self.target if callable(self.target) else None
        self.compiled = compiled and self.module is not None and self._extra_can_be_kept()
        self.batch_size = batch_size or self._rows_at_once()
        self.shape: tuple[int, ...] = ()
        self.places: npt.NDArray[np.int64] | None = None
        scores = self._first_run()
        self.shape = scores.shape[1:]
        if self.function is None:
            self.places = positions(self.target, scores)
            rows = np.arange(self.rows)
            found = scores.reshape(self.rows, -1)[rows, self.places]
        else:
            found = scores
        self.output = np.asarray(found, np.float64)
        if not np.isfinite(self.output).all():
            row = int(np.flatnonzero(~np.isfinite(self.output))[0])
            raise NonFiniteError(
                f"the score of row {row} is {self.output[row]}",
                "look at the inputs and the weights of the model",
            )

    def _first_run(self) -> Array:
        """All scores of each row, or what the target function makes of them."""
        light = self.light()

        def run(tensors: Any, extra: Any) -> Any:
            return light.picked(light.run(tensors, extra))

        with no_grad(), self.looking():
            found = self.kept("outputs", lambda: run)(list(self.tensors), list(self.extra))
        if found.dim() == 0 or found.shape[0] != self.rows or (self.function and found.dim() != 1):
            what = "target function" if self.function else "model"
            raise ShapeError(
                f"the {what} gave {tuple(found.shape)} for {self.rows} rows",
                "a score for each row is needed: leave the rows along the first axis",
            )
        return np.array(found.detach().numpy())

    # ---- calling -----------------------------------------------------------------------------

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Evaluation mode inside; then every layer has the mode it had before."""
        learning = [layer for layer in self.layers if layer.training]
        if not learning:
            yield
            return
        if type(self.module).train is not Module.train:  # the class may do more than set modes
            with evaluation(self.module):
                yield
            return
        try:
            for layer in learning:
                layer.training = False
            yield
        finally:
            for layer in learning:
                layer.training = True

    def run(self, tensors: Sequence[Any], extra: Sequence[Any] | None = None) -> Outputs:
        """What the model gives for inputs in the order of ``names``, as it gives it."""
        further = self.extra if extra is None else extra
        if self.kind == "dictionary":
            given = dict(zip(self.names, tensors, strict=True))
            if self._takes_names():
                return self.model(*further, **given)
            return self.model(given, *further)
        return self.model(*tensors, *further)

    def picked(self, outputs: Outputs) -> Tensor:
        """The output whose scores are explained, as a tensor (rows, …)."""
        found = outputs
        if self.key is not None:
            try:
                found = outputs[self.key]
            except (LookupError, TypeError):
                raise ArgumentError(
                    f"target names the output {self.key!r} of a model that gave {_told(outputs)}",
                    "name a position in the tuple, or a key of the dictionary",
                ) from None
        elif isinstance(outputs, tuple | list | Mapping):
            if self.function is not None:
                return as_tensor(self.function(outputs))
            raise ArgumentError(
                f"the model gave several outputs, {_told(outputs)}",
                "choose one: target=explain.Output(0, 3), or a function of the outputs",
            )
        if self.function is not None:
            return as_tensor(self.function(found))
        return as_tensor(found)

    def scored(self, outputs: Tensor, places: Any) -> Tensor:
        """The score of each row, (rows,): from :meth:`picked` outputs and int64 positions."""
        if self.function is not None or places is None:
            if outputs.dim() != 1:
                raise ShapeError(
                    f"the target function gave {tuple(outputs.shape)}",
                    "it has to give one number for each row: (rows,)",
                )
            return outputs
        flat = outputs.reshape(outputs.shape[0], -1)
        return flat.gather(1, as_tensor(places).reshape(-1, 1))[:, 0]

    def score(self, tensors: Sequence[Any], places: Any = None, extra: Any = None) -> Tensor:
        """The score of each row of these inputs as a tensor through which gradients flow.

        ``places`` are the positions of the scores where the rows are others than those of
        ``tensors``; ``extra`` likewise.
        """
        chosen_places = self.places if places is None else places
        return self.scored(self.picked(self.run(tensors, extra)), chosen_places)

    def __call__(self, *arrays: Any, copies: int = 1) -> Floats:
        """The scores of changed inputs, float64 (rows · copies,), without gradients.

        Each of the arrays has ``copies`` lines for each row, those of one row beside each other:
        (rows · copies, …).  So many rows at once as ``batch_size`` says, in one compiled program.
        """
        total = self.rows * copies
        given = [np.asarray(a.detach().numpy() if isinstance(a, Tensor) else a) for a in arrays]
        for name, array in zip(self.names, given, strict=True):
            if len(array) != total:
                raise ShapeError(
                    f"{name} has {len(array)} rows for {self.rows} rows in {copies} copies",
                    f"give {total}",
                )
        places = self.repeated_places(copies)
        extra = self.repeated(copies)
        run = self._program()
        size = min(self.batch_size, total)
        found = np.empty(total)
        with no_grad(), self.looking():
            for start in range(0, total, size):
                stop = min(start + size, total)
                # A short last batch is filled up, so that it needs no program of its own.
                lines = np.minimum(np.arange(start, start + size), total - 1)
                part = [as_tensor(a[lines]) for a in given]
                spot = None if places is None else as_tensor(places[lines])
                rest = [as_tensor(e[lines]) if moves else e for e, moves in extra]
                scores = run(part, spot, rest)
                found[start:stop] = np.asarray(scores.detach().numpy())[: stop - start]
        return found

    def of_rows(self, rows: Array) -> Forward:
        """The same for some of the rows, in this order."""
        twin = Forward.__new__(Forward)
        twin.__dict__.update(self.__dict__)
        twin.rows, twin.tensors = len(rows), tuple(t[as_tensor(rows)] for t in self.tensors)
        twin.places = None if self.places is None else self.places[rows]
        twin.output = self.output[rows]
        twin.extra = tuple(
            as_tensor(plain(e)[rows])
            if isinstance(e, Tensor | np.ndarray) and self._goes_along(e)
            else e
            for e in self.extra
        )
        return twin

    def rebuilt(self, arrays: Sequence[Any]) -> Inputs:
        """Inputs as they were given, one, a tuple or a dictionary, of these arrays."""
        if self.kind == "dictionary":
            return dict(zip(self.names, arrays, strict=True))
        return tuple(arrays) if self.kind == "several" else arrays[0]

    def repeated_target(self, copies: int) -> Target | Output:
        """The target of rows in copies, as methods take it."""
        if self.places is None:
            chosen: Any = self.function
        else:
            flat = np.repeat(self.places, copies)
            several = len(self.shape) > 1
            chosen = np.stack(np.unravel_index(flat, self.shape), 1) if several else flat
        return chosen if self.key is None else Output(self.key, chosen)

    def repeated_places(self, copies: int) -> npt.NDArray[np.int64] | None:
        """Positions of the scores of rows in copies."""
        return None if self.places is None else np.repeat(self.places, copies)

    def repeated(self, copies: int) -> list[tuple[Any, bool]]:
        """Further arguments for rows in copies: (as an array, whether it has a line a row)."""
        found: list[tuple[Any, bool]] = []
        for value in self.extra:
            moves = isinstance(value, Tensor | np.ndarray) and self._goes_along(value)
            if moves:
                array = np.asarray(value.detach().numpy() if isinstance(value, Tensor) else value)
                found.append((np.repeat(array, copies, axis=0), True))
            else:
                found.append((value, False))
        return found

    def explanation(
        self, method: str, values: Sequence[Array], names: Sequence[str] = (), **further: Any
    ) -> Explanation:
        """The result of a method with what is known here: inputs, target, output."""
        own = names or (self.names if len(values) == len(self.names) else ())
        return Explanation(
            method,
            tuple(values),
            tuple(own),
            inputs=tuple(np.array(t.numpy()) for t in self.tensors),
            target="a function" if self.places is None else self.places,
            output=self.output,
            forward=self,
            **further,
        )

    # ---- programs ----------------------------------------------------------------------------

    def kept(self, key: Any, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The compiled function for this model and target, made by ``make`` at first use; what
        ``make`` gives where nothing is compiled."""
        if not self.compiled:
            return make()
        fixed = tuple(e for e in self.extra if not isinstance(e, Tensor | np.ndarray))
        own = (key, self.kind, self.names, self.key, self.function, fixed)
        return program(self.model, own, make)

    def _program(self) -> Callable[..., Any]:
        if self.module is None:
            return self.light().score
        light = self.light()

        def scores(tensors: Any, places: Any, extra: Any) -> Any:
            return light.score(tensors, places, extra)

        return self.kept("scores", lambda: scores)

    def light(self) -> Forward:
        """The same without inputs, for programs: they are kept and must not hold arrays."""
        twin = Forward.__new__(Forward)
        twin.__dict__.update(self.__dict__)
        twin.tensors, twin.places, twin.target = (), None, None
        twin.extra = tuple(None if isinstance(e, Tensor | np.ndarray) else e for e in self.extra)
        twin.output = np.empty(0)
        return twin

    def _takes_names(self) -> bool:
        """Whether the model takes the keys of the dictionary as the names of its arguments."""
        function = self.module.forward if self.module is not None else self.model
        try:
            known = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return False
        free = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        return all(name in known for name in self.names) or (free and len(known) == 1)

    def _goes_along(self, value: Any) -> bool:
        return len(value.shape) > 0 and value.shape[0] == self.rows

    def _extra_can_be_kept(self) -> bool:
        for value in (*self.extra, self.function):
            try:
                hash(value)
            except TypeError:
                if not isinstance(value, Tensor | np.ndarray):
                    return False
        return True

    def _rows_at_once(self) -> int:
        size = sum(int(np.prod(t.shape[1:])) for t in self.tensors)
        return int(np.clip(ELEMENTS // max(size, 1), 1, 4096))


def _module(model: Any) -> Any:
    """The module behind a model, compiled or not; None for another function."""
    found = model.function if isinstance(model, CompiledFunction) else model
    return found if isinstance(found, Module) else None


def _taken_apart(inputs: Inputs) -> tuple[str, tuple[str, ...], tuple[Tensor, ...]]:
    """How inputs are given, their names, and the tensors."""
    if isinstance(inputs, Mapping):
        names = tuple(map(str, inputs))
        return "dictionary", names, tuple(as_tensor(v).detach() for v in inputs.values())
    if isinstance(inputs, tuple):
        names = tuple(f"input {k}" for k in range(len(inputs)))
        return "several", names, tuple(as_tensor(v).detach() for v in inputs)
    return "one", ("input",), (as_tensor(inputs).detach(),)


def _rows(names: Sequence[str], tensors: Sequence[Tensor]) -> int:
    if not tensors or any(t.dim() == 0 for t in tensors):
        raise ShapeError(
            "explanations need inputs with rows along the first axis, and got "
            + (", ".join(str(tuple(t.shape)) for t in tensors) or "none"),
            "add an axis in front for a single row: x[None]",
        )
    rows = {int(t.shape[0]) for t in tensors}
    if len(rows) > 1 or rows == {0}:
        listed = ", ".join(f"{n} {tuple(t.shape)}" for n, t in zip(names, tensors, strict=True))
        raise ShapeError(f"the inputs are {listed}", "all need the same number of rows, at least 1")
    return rows.pop()


def _told(outputs: Any) -> str:
    if isinstance(outputs, Mapping):
        return "a dictionary of " + ", ".join(map(repr, outputs))
    if isinstance(outputs, tuple | list):
        return f"a {type(outputs).__name__} of {len(outputs)}"
    return f"a {type(outputs).__name__}"


# ---- targets -----------------------------------------------------------------------------------


def positions(target: Any, scores: Array) -> npt.NDArray[np.int64]:
    """The position of each row's score among its scores (rows, …) in one line: int64 (rows,).

    ``target`` is a position (a tuple where scores have several axes), a sequence with one for
    each row, or None for the largest.
    """
    rows, shape = len(scores), scores.shape[1:]
    if target is None:
        return np.asarray(scores.reshape(rows, -1).argmax(1), np.int64)
    if isinstance(target, int | tuple | np.integer):
        return np.full(rows, position(target, shape), np.int64)
    array = np.asarray(plain(target))
    listed = array.tolist()
    if array.dtype.kind in "iu" and len(array.shape) and len(array) == rows:
        found = _looked_up(array, shape)
        if found is not None:
            return found
    if not isinstance(listed, list):  # an array without axes
        return np.full(rows, position(listed, shape), np.int64)
    if len(listed) != rows:
        raise ShapeError(
            f"target has {len(listed)} positions for {rows} rows",
            "Give one position, or one for each row.",
        )
    placed = [position(tuple(p) if isinstance(p, list) else p, shape) for p in listed]
    return np.array(placed, np.int64)


def _looked_up(array: Array, shape: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
    """Positions of all rows at once; None where one of them does not fit."""
    places = array.reshape(len(array), -1)
    extents = np.array(shape or (1,))
    if array.ndim > 2 or places.shape[1] != len(extents):
        return None
    if (places < -extents).any() or (places >= extents).any():
        return None
    inside = tuple((places % extents).T)
    return np.asarray(np.ravel_multi_index(inside, tuple(extents)), np.int64)


def chosen(scores: Tensor, target: Any) -> Tensor:
    """The score of each row that is explained, (rows,), of a tensor (rows, …)."""
    flat = scores.reshape(scores.shape[0], -1)
    if target is None:
        return flat.amax(1)
    places = positions(target, np.empty(tuple(scores.shape), np.bool_))
    return flat.gather(1, as_tensor(places[:, None]))[:, 0]


def position(target: Any, shape: tuple[int, ...]) -> int:
    """The place of a score among a row's scores of this shape, laid out in one line."""
    place = target if isinstance(target, tuple) else (target,)
    whole = all(isinstance(p, int | np.integer) and not isinstance(p, bool) for p in place)
    if not whole or (len(place) != len(shape) and not (len(place) == 1 and not shape)):
        raise ShapeError(
            f"target={target!r} is no position among scores of shape {shape} for each row",
            "Give one whole number for each axis after the rows: target=2, or target=(2, 0, 5).",
        )
    extents = shape or (1,)
    for index, extent in zip(place, extents, strict=True):
        if not -extent <= index < extent:
            raise OutOfRangeError(
                f"target={target!r} for scores of shape {shape} for each row",
                f"Use positions from 0 to {extent - 1}.",
            )
    inside = tuple(i % n for i, n in zip(place, extents, strict=True))
    return int(np.ravel_multi_index(inside, extents))


def plain(value: Any) -> Array:
    """A tensor or anything NumPy takes, as an array."""
    with no_grad():
        return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)
