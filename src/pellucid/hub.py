"""Models from a folder with a ``hubconf.py``.  Nothing is ever downloaded."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeAlias

from pellucid.base.errors import ArgumentError, FileError, UnsupportedError
from pellucid.utils.model_zoo import load_url as load_state_dict_from_url

Names: TypeAlias = list[str]
_folder = [Path.home() / ".cache" / "pellucid" / "hub"]


def _hubconf(repo_or_dir: str | Path, source: str) -> ModuleType:
    """The folder's ``hubconf.py``, run as a module."""
    if source != "local":
        raise UnsupportedError(
            f"hub was asked for {str(repo_or_dir)!r} from {source!r}: nothing is downloaded here",
            'get the folder yourself and pass its path with source="local"',
        )
    file = Path(repo_or_dir) / "hubconf.py"
    if not file.is_file():
        raise FileError(f"there is no {file}", "give the folder that holds hubconf.py")
    spec = importlib.util.spec_from_file_location("hubconf", file)
    if spec is None or spec.loader is None:
        raise FileError(f"{file} cannot be loaded", "it must be a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def load(
    repo_or_dir: str | Path, model: str, *args: Any, source: str = "github", **kwargs: Any
) -> Any:
    """What the function ``model`` of a folder's ``hubconf.py`` returns.

    The folder's Python runs.  Raises ``UnsupportedError`` unless ``source="local"``.  PyTorch's
    keywords about downloads (``trust_repo``, ``force_reload``, ``verbose``, ``skip_validation``)
    have no effect.
    """
    for name in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        kwargs.pop(name, None)
    module = _hubconf(repo_or_dir, source)
    entry = getattr(module, model, None)
    if not callable(entry):
        offered = ", ".join(_entries(module)) or "nothing"
        raise ArgumentError(f"hubconf.py has no {model!r}", f"it offers: {offered}")
    return entry(*args, **kwargs)


def _entries(module: ModuleType) -> Names:
    return [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]


def list(repo_or_dir: str | Path, *args: Any, source: str = "github", **kwargs: Any) -> Names:  # noqa: A001
    """The functions that a folder's ``hubconf.py`` offers."""
    return _entries(_hubconf(repo_or_dir, source))


def help(  # noqa: A001
    repo_or_dir: str | Path, model: str, *args: Any, source: str = "github", **kwargs: Any
) -> str | None:
    """The docstring of a function of a folder's ``hubconf.py``."""
    found: str | None = getattr(_hubconf(repo_or_dir, source), model).__doc__
    return found


def download_url_to_file(url: str, dst: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises ``UnsupportedError``: nothing is downloaded."""
    raise UnsupportedError(
        f"{url!r} was to be downloaded, and nothing is downloaded here", "get the file yourself"
    )


def get_dir() -> str:
    """The folder for downloads: none are made."""
    return str(_folder[0])


def set_dir(d: str | Path) -> None:
    """Name another folder for downloads: none are made."""
    _folder[0] = Path(d)


__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]


def __dir__() -> Names:
    return sorted(__all__)
