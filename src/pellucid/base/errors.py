"""The errors Pellucid raises.

Every message says three things: what happened, what was received, what to do.  Each class also
derives from the built-in exception that Python and PyTorch users expect in its place, so
``except ValueError`` keeps working.  ``exit_code`` is what the command line returns for it.
"""

from __future__ import annotations

from typing import ClassVar


class PellucidError(Exception):
    """Base class of all errors that Pellucid raises on purpose.

    ``message`` says what happened and what was received, ``hint`` what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\n  {hint}" if hint else message)


class ShapeError(PellucidError, ValueError):
    """Shapes do not fit an operation."""


class DTypeError(PellucidError, TypeError):
    """An operation does not exist for these dtypes."""


class ArgumentError(PellucidError, ValueError):
    """An argument has a value that makes no sense."""

    exit_code = 2


class GraphError(PellucidError, RuntimeError):
    """A graph breaks a rule that the verifier checks; a defect of ours, not of the user."""


class TraceError(PellucidError, RuntimeError):
    """A program needs a value that is not known while it is being compiled."""


class AutogradError(PellucidError, RuntimeError):
    """A gradient was asked for that does not exist."""


class DataError(PellucidError, ValueError):
    """Data that cannot be used as they are: a file, a column, a value."""

    exit_code = 3


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
