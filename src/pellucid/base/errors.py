"""The errors Pellucid raises.

Every message says three things: what happened, what was received, what to do.  Each class also
derives from the built-in exceptions that programs written for PyTorch catch in its place.  PyTorch
answers one kind of mistake now with ``RuntimeError``, now with ``ValueError``, depending on whether
C++ or Python noticed it; so :class:`ShapeError` and :class:`ArgumentError` are both, and
:class:`DTypeError` is ``TypeError`` and ``RuntimeError``.  Narrower classes add what callers tell
apart: ``IndexError``, ``KeyError``, ``TypeError``, ``NotImplementedError``, ``OverflowError``,
``MemoryError``.  ``exit_code`` is what the command line returns for it.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Self


class PellucidError(Exception):
    """Base class of all errors that Pellucid raises on purpose.

    ``message`` says what happened and what was received, ``hint`` what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message = _with_plain_sizes(message)
        self.hint = hint = _with_plain_sizes(hint)
        super().__init__(f"{message}\n  {hint}" if hint else message)

    def __str__(self) -> str:
        # Said here, because KeyError, from which some derive, would show the text in quotes.
        return str(self.args[0]) if self.args else ""

    def located(self, where: str) -> Self:
        """The same error, saying where: a layer and a line of the user's; itself if empty."""
        if not where:
            return self
        found = copy.copy(self)
        found.message = f"{self.message}, in {where}"
        found.args = (f"{found.message}\n  {self.hint}" if self.hint else found.message,)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # The text in ``args`` is made of both parts, which a copy of the error gets as they are.
        return _restored, (type(self), self.args, self.__dict__)


def _with_plain_sizes(text: str) -> str:
    """Shapes as tuples, (2, 3), where a tensor's size was written into the text as it is."""
    return _SIZE.sub(_plain_size, text) if "Size([" in text else text


_SIZE = re.compile(r"pellucid\.Size\(\[([^\]]*)\]\)")


def _plain_size(found: re.Match[str]) -> str:
    extents = found[1]
    return f"({extents},)" if extents and "," not in extents else f"({extents})"


def _restored(kind: type[PellucidError], args: tuple[Any, ...], facts: dict[str, Any]) -> Any:
    """An error as it was pickled or copied."""
    error = kind(facts["message"], facts["hint"])
    error.args = args
    error.__dict__.update(facts)
    return error


class ShapeError(PellucidError, ValueError, RuntimeError):
    """Shapes do not fit an operation."""


class AxisError(ShapeError, IndexError):
    """A tensor has no such axis, or fewer axes than were indexed."""


class ScalarError(ShapeError, TypeError):
    """A tensor without axes was taken for a sequence: it has no length and no entries."""


class DTypeError(PellucidError, TypeError, RuntimeError):
    """An operation does not exist for these dtypes."""


class DeviceError(PellucidError, RuntimeError, AssertionError):
    """A device was asked for that does not exist here: tensors live on the CPU.

    PyTorch without CUDA answers with ``AssertionError``, otherwise with ``RuntimeError``.
    """

    exit_code = 2


class DTypeUnsupportedError(DTypeError, NotImplementedError):
    """An operation on bits was asked for of numbers that have none to speak of."""


class ArgumentError(PellucidError, ValueError, RuntimeError):
    """An argument has a value that makes no sense."""

    exit_code = 2


class LinAlgError(ArgumentError):
    """A matrix for which there is no result: singular, not positive definite, not finite."""


class OutOfRangeError(ArgumentError, IndexError):
    """An index, a position or a class id lies outside of what there is."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that makes no sense in its place."""


class IndexTypeError(ArgumentTypeError, IndexError):
    """Something was used as an index that is none: a fraction, a text."""


class NamingError(ArgumentError, KeyError):
    """A name that is taken, cannot be one, or is missing where it is needed."""


class UnsupportedError(ArgumentError, NotImplementedError):
    """A mode or a kind of input that an operation does not have."""


class NumberRangeError(ArgumentError, OverflowError):
    """A number does not fit the dtype that it is to have."""


class MissingAttributeError(PellucidError, AttributeError):
    """An object does not have an attribute that others of its class have."""


class ExchangeError(PellucidError, BufferError, RuntimeError):
    """Memory cannot be shared with another library."""


class AllocationError(PellucidError, MemoryError, RuntimeError):
    """There is no memory for a tensor of this size."""


class GraphError(PellucidError, RuntimeError):
    """A graph breaks a rule that the verifier checks; a defect of ours, not of the user."""


class TraceError(PellucidError, RuntimeError):
    """A program needs a value that is not known while it is being compiled."""


class AutogradError(PellucidError, RuntimeError):
    """A gradient was asked for that does not exist."""


def unknown_keyword(owner: str, name: str, known: Iterable[str]) -> ArgumentTypeError:
    """The error for a keyword that ``owner`` does not take, with the nearest that it does."""
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(listed)}"
    return ArgumentTypeError(f"{owner} got an unexpected keyword argument {name!r}", hint)


class DataError(PellucidError, ValueError):
    """Data that cannot be used as they are: a file, a column, a value."""

    exit_code = 3


class RowsError(ShapeError, DataError, AssertionError):
    """Rows of a batch, or data sets that are put together, do not fit each other."""


class RowTypeError(DataError, TypeError):
    """Rows of a data set are of a type of which no batch is made."""


class WorkerError(PellucidError, RuntimeError):
    """A process that loads data ended, did not answer in time, or could not be started."""


class FileError(PellucidError, OSError):
    """A file or folder cannot be read or written."""

    exit_code = 4


class RunFolderError(PellucidError, ValueError):
    """A run folder is damaged, of another version, or hostile."""

    exit_code = 5


class NonFiniteError(PellucidError, ArithmeticError):
    """NaN or infinity appeared in training; says at which step, layer and operation."""

    exit_code = 6


class CompilationError(PellucidError, RuntimeError):
    """Native code could not be made for a graph; a defect of ours, not of the user."""


class InPlaceError(PellucidError, RuntimeError):
    """A change in place that the memory or the dtype of its target does not allow."""
