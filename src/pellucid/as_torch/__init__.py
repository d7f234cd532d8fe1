"""Programs written for PyTorch, run by Pellucid without a change of their text.

    python -m pellucid.as_torch train.py --epochs 3

or, in a notebook, before anything else:

    import pellucid.as_torch
    pellucid.as_torch.install()

From then on ``import torch``, ``torchvision.transforms`` and ``torchvision.datasets`` give
Pellucid's modules.  Names that the program asked for and that do not exist are noted; the command
lists them at the end, :func:`missing` at any time.  Where PyTorch is installed it is said that
Pellucid answers in its place, and nothing is replaced in a program that has imported it already.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing.spawn
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, PellucidError

PLACES: Mapping[str, str] = {
    "torch": "pellucid",
    "torch.optim._multi_tensor": "pellucid.optim",
    "torch._C": "",
    "torch._dynamo": "pellucid.tensor.compiler_controls",
    "torch._functorch": "pellucid.tensor.compiler_controls",
    "torch._inductor": "pellucid.tensor.compiler_controls",
    "torch.autograd.function": "pellucid.autograd",
    "torch.autograd.gradcheck": "pellucid.autograd",
    "torch.autograd.variable": "pellucid.autograd",
    "torch.functional": "pellucid",
    "torch.sparse.torch": "pellucid",
    "torch.utils._pytree": "pellucid.utils.pytree",
    "torchvision": "pellucid.vision",
    "torchvision.models": "pellucid.models",
}
"""Modules whose place here does not follow from their name; an empty place: there is none."""

VERSION = "2.13.0+pellucid"
"""What ``torch.__version__`` says: the version whose behaviour is the model of ours."""

_FACTS: Mapping[str, Mapping[str, object]] = {
    "torch": {"__version__": VERSION},
    "torchvision": {"__version__": "0.28.0+pellucid"},
}
"""Attributes that a program is told in place of our own."""

_missing: dict[str, int] = {}


class MissingModuleError(PellucidError, ModuleNotFoundError):
    """A program imports a module of PyTorch that does not exist here."""


def missing() -> dict[str, int]:
    """The names under ``torch`` and ``torchvision`` that were asked for and do not exist, and how
    often.  A question (``hasattr``) counts as well."""
    return dict(_missing)


class Face(types.ModuleType):
    """A module under PyTorch's name: what is asked of it, one of our modules answers."""

    def __init__(self, name: str, behind: types.ModuleType) -> None:
        super().__init__(name, behind.__doc__)
        put = super().__setattr__
        put("_behind", behind)
        put("__path__", [])
        put("__all__", list(getattr(behind, "__all__", dir(behind))))
        for key, value in _FACTS.get(name, {}).items():
            put(key, value)

    def __getattr__(self, name: str) -> Any:
        try:
            found = getattr(self._behind, name)
        except AttributeError:
            try:
                return face(f"{self.__name__}.{name}")
            except MissingModuleError:
                pass
            full = f"{self.__name__}.{name}"
            if not (name.startswith("__") and name.endswith("__")):
                _missing[full] = _missing.get(full, 0) + 1
            raise AttributeError(
                f"module {self.__name__!r} has no attribute {name!r}: Pellucid does not have it"
            ) from None
        if isinstance(found, types.ModuleType) and found.__name__.startswith("pellucid"):
            return face(f"{self.__name__}.{name}", found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Face):  # a module that was imported: a function of its name stays
            own = getattr(self._behind, name, value)
            if isinstance(own, types.ModuleType):
                super().__setattr__(name, value)
        elif name.startswith("__") and name.endswith("__"):
            super().__setattr__(name, value)
        else:
            setattr(self._behind, name, value)  # a flag, such as backends.cudnn.benchmark

    def __dir__(self) -> list[str]:
        return sorted(set(dir(self._behind)))

    def __repr__(self) -> str:
        return f"<module {self.__name__!r}, answered by {self._behind.__name__!r}>"


_faces: dict[str, Face] = {}


def face(name: str, behind: types.ModuleType | None = None) -> Face:
    """Our module under PyTorch's ``name``, such as ``"torch.nn"``.

    Raises :class:`MissingModuleError` where nothing answers to it.
    """
    if name not in _faces:
        _faces[name] = Face(name, _module_behind(name) if behind is None else behind)
    return _faces[name]


def _module_behind(name: str) -> types.ModuleType:
    place = PLACES.get(name)
    if place is None:
        parent, _, last = name.rpartition(".")
        above = face(parent)._behind if parent else None
        found = getattr(above, last, None)
        if isinstance(found, types.ModuleType):
            return found
        place = f"{getattr(above, '__name__', '')}.{last}"
    if place and _exists(place):
        return importlib.import_module(place)
    error = MissingModuleError(
        f"No module named {name!r}: Pellucid does not have it",
        "leave it out, or see pellucid.as_torch.missing()",
    )
    error.name = name  # by which ``from torch import name`` knows what is missing
    raise error


def _exists(place: str) -> bool:
    try:
        return importlib.util.find_spec(place) is not None
    except ModuleNotFoundError:  # what stands above it is no package
        return False


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers imports of ``torch`` and ``torchvision``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in ("torch", "torchvision"):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        try:
            found = face(name)
            found.__spec__, found.__loader__ = module.__spec__, self
            sys.modules[name] = found
        except MissingModuleError:
            _missing[name] = _missing.get(name, 0) + 1
            raise


_finder = _Finder()


def install(*, quiet: bool = False) -> None:
    """Let ``import torch`` and ``import torchvision`` resolve to Pellucid in this process.

    Says so on standard error where PyTorch is installed, unless ``quiet``.  Raises
    :class:`ArgumentError` in a program that has imported PyTorch already: its tensors would not be
    ours.  Calling it again changes nothing.
    """
    if _finder in sys.meta_path:
        return
    for name in ("torch", "torchvision"):
        loaded = sys.modules.get(name)
        if loaded is not None:
            raise ArgumentError(
                f"{name} is imported already, from {getattr(loaded, '__file__', 'elsewhere')}",
                "call pellucid.as_torch.install() before the first import of torch",
            )
    if not quiet and importlib.util.find_spec("torch") is not None:
        print(
            "pellucid.as_torch: PyTorch is installed; in this program Pellucid takes its place.",
            file=sys.stderr,
        )
    sys.meta_path.insert(0, _finder)
    vars(multiprocessing.spawn)[_TOLD] = _with_names(_preparation_data)


_TOLD = "get_preparation_data"
_preparation_data = multiprocessing.spawn.get_preparation_data


def _install_quietly() -> None:
    install(quiet=True)


class _Names:
    """What a process that is started afresh reads first: it installs the names there, too."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _install_quietly, ()


def _with_names(prepare: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """What a new process is told before it imports the program, with the names of PyTorch."""

    def prepared(name: str) -> dict[str, Any]:
        return {"pellucid": _Names(), **prepare(name)}

    return prepared


def uninstall() -> None:
    """Give the names back; modules that the program holds stay what they are."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    vars(multiprocessing.spawn)[_TOLD] = _preparation_data
    for name in [name for name, module in sys.modules.items() if isinstance(module, Face)]:
        del sys.modules[name]
    _faces.clear()
    _missing.clear()


def report() -> str:
    """What the program asked for in vain, as a text; empty where it found everything."""
    if not _missing:
        return ""
    names = ", ".join(sorted(_missing))
    count = "1 name" if len(_missing) == 1 else f"{len(_missing)} names"
    return f"pellucid.as_torch: the program asked for {count} that Pellucid does not have: {names}"


__all__ = ["Face", "MissingModuleError", "face", "install", "missing", "report", "uninstall"]


def __dir__() -> list[str]:
    return sorted(__all__)
