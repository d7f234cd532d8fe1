"""Packages whose parts are loaded when they are first used, and say what they have to offer."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_face(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    ``names`` says of each public name in which module it is defined; a module under its own name
    stands for itself.  Type checkers see the package's imports under ``TYPE_CHECKING`` instead.
    """

    def __getattr__(name: str) -> Any:
        place = names.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(place)
        return module if place == f"{package}.{name}" else getattr(module, name)

    def __dir__() -> list[str]:
        return sorted(names)

    return __getattr__, __dir__
