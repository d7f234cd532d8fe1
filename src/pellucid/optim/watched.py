"""Collections that say when they change, so that compiled steps which use them look again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pellucid.tensor.autograd import no_grad
from pellucid.tensor.state import concrete
from pellucid.tensor.tensor import Tensor
from pellucid.tensor.validity import changed


def _telling(base: type, name: str) -> Callable[..., Any]:
    """The method ``name`` of ``base``, which changes the collection, followed by word of it."""
    method = getattr(base, name)

    def telling(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            changed(self)

    telling.__name__, telling.__doc__ = name, f"As ``{base.__name__}.{name}``."
    return telling


def _watched(cls: type, base: type, names: str) -> None:
    for name in names.split():
        setattr(cls, name, _telling(base, name))


_OF_DICTIONARIES = "__setitem__ __delitem__ __ior__ update setdefault pop popitem clear"


class WatchedDict(dict[str, Any]):
    """A dictionary that says when it changes."""


class WatchedList(list[Any]):
    """A list that says when it changes."""


_watched(WatchedDict, dict, _OF_DICTIONARIES)
_watched(
    WatchedList,
    list,
    "__setitem__ __delitem__ __iadd__ __imul__ append extend insert pop remove clear sort reverse",
)


class ParameterGroup(WatchedDict):
    """Parameters with their hyperparameters: ``group["lr"] = 0.01`` changes one of these.

    A dictionary that says when it changes, so that compiled steps read new values before they run.
    The learning rate may be a tensor of one element, which programs read where it is.
    """

    def rate(self) -> float:
        """The learning rate as a number, also where it is a tensor."""
        with concrete():
            known = self["lr"]
            return float(known.item()) if isinstance(known, Tensor) else known

    def set_rate(self, value: float) -> None:
        """Give the learning rate another value; a tensor stays the tensor it is."""
        known = self["lr"]
        if isinstance(known, Tensor):
            with concrete(), no_grad():
                known.fill_(value)
        else:
            self["lr"] = value


class StateTable(defaultdict[Any, dict[str, Any]]):
    """What an optimizer remembers about each parameter: parameter → name → value.

    The inner dictionaries are :class:`WatchedDict`, also where a plain one is assigned.
    """

    def __setitem__(self, key: Any, value: dict[str, Any]) -> None:
        kept = value if isinstance(value, WatchedDict) else WatchedDict(value)
        defaultdict.__setitem__(self, key, kept)
        changed(self)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As ``dict.update``."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


_watched(StateTable, defaultdict, "__delitem__ pop popitem clear")
