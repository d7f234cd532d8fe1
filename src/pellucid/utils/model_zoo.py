"""Weights by address, in PyTorch's older place; :mod:`pellucid.hub` has the newer name."""

from __future__ import annotations

from typing import Any, NoReturn

from pellucid.base.errors import UnsupportedError


def load_url(url: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises ``UnsupportedError``: nothing is downloaded."""
    raise UnsupportedError(
        f"{url!r} was to be downloaded, and nothing is downloaded here",
        "get the file yourself and read it with pellucid.load",
    )


__all__ = ["load_url"]


def __dir__() -> list[str]:
    return sorted(__all__)
