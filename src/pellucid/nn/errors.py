"""Errors about the tree of modules."""

from __future__ import annotations

import difflib

from pellucid.base.errors import PellucidError


class RegistrationError(PellucidError, TypeError):
    """Something that is no parameter, buffer or module was given in the place of one."""


class PathError(PellucidError, AttributeError):
    """A module has no submodule, parameter or buffer of this name or path."""


class SetupError(PellucidError, AttributeError):
    """A module was used before ``super().__init__()`` had set it up."""


class MissingAttribute(AttributeError):
    """A module has no such attribute; the one that was probably meant is looked for when the
    message is read: most of these errors are answers to ``hasattr`` or ``getattr``, which nobody
    reads."""

    def __init__(self, module: object, name: str) -> None:
        super().__init__(f"{type(module).__name__!r} object has no attribute {name!r}")
        self._module, self._name = module, name

    def __str__(self) -> str:
        private = self._name.startswith("_")
        near = [] if private else difflib.get_close_matches(self._name, dir(self._module), 1)
        return str(self.args[0]) + (f"; did you mean {near[0]!r}?" if near else "")

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)
