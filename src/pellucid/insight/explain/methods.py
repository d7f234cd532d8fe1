"""What all methods have in common: they can be asked again with something changed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pellucid.insight.explain.explanation import Explanation
from pellucid.nn.module import Module

Taken = ParamSpec("Taken")
Found = TypeVar("Found", bound=Explanation)


def method(function: Callable[Taken, Found]) -> Callable[Taken, Found]:
    """A method whose explanations remember how they were made: ``again(model=…, seed=…)`` is the
    same with these arguments instead.

    Arguments that the method does not take are left out; a layer given as a module is found at
    the same path of another model.
    """
    signature = inspect.signature(function)
    names = frozenset(signature.parameters)

    @functools.wraps(function)
    def explain(*args: Taken.args, **kwargs: Taken.kwargs) -> Found:
        found = function(*args, **kwargs)

        def again(**changes: Any) -> Explanation:
            given = dict(signature.bind(*args, **kwargs).arguments)
            layer = given.get("layer")
            if "model" in changes and isinstance(layer, Module):
                given["layer"] = _same_layer(given["model"], layer, changes["model"])
            given.update({k: v for k, v in changes.items() if k in signature.parameters})
            more = given.pop("settings", {}) if "settings" in given else {}
            return function(**given, **more)  # type: ignore[call-arg]

        found.again = again
        found.varies = names
        return found

    return explain


def _same_layer(model: Any, layer: Module, other: Any) -> Any:
    before = getattr(model, "function", model)
    for path, module in before.named_modules():
        if module is layer:
            return dict(getattr(other, "function", other).named_modules())[path]
    return layer
