"""Packages that only some purposes need, and what to install where one is missing.

The core is NumPy and llvmlite.  Everything else belongs to an extra of ``pyproject.toml``; the
module that imports such a package does so inside of :func:`needs`, so that users who lack it read
which extra brings it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.base.errors import PellucidError

EXTRAS = (
    "train",
    "excel",
    "plot",
    "search",
    "weights",
    "rl",
    "vision",
    "tensorboard",
    "sklearn",
    "text",
    "umap",
    "course",
)
"""The extras that users install; ``test`` is for the project itself."""


class MissingPackageError(PellucidError, ImportError):
    """A package of an extra is not installed."""

    exit_code = 2


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Imports inside say, where the package is missing, which ``extra`` to install.

    ``purpose`` begins the sentence: "Reading tables needs the package polars, …".  Raises
    :class:`MissingPackageError`, an ``ImportError``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{purpose} needs the package {error.name}, which is not installed",
            f'install it with: pip install "pellucid[{extra}]"',
        ) from error
