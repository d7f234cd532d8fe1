"""Errors about the tree of modules."""

from __future__ import annotations

from pellucid.base.errors import PellucidError


class RegistrationError(PellucidError, TypeError):
    """Something that is no parameter, buffer or module was given in the place of one."""


class PathError(PellucidError, AttributeError):
    """A module has no submodule, parameter or buffer of this name or path."""


class SetupError(PellucidError, AttributeError):
    """A module was used before ``super().__init__()`` had set it up."""
