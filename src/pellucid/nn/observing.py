"""Which layers and parameters of a model an observation watches."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pellucid.base.errors import ArgumentError
from pellucid.nn.tree import ModuleTree
from pellucid.tensor.core import TensorCore
from pellucid.tensor.observe import Observation


def bounds_of(module: ModuleTree) -> tuple[float, float] | None:
    """Bounds of a saturating layer's outputs, None for any other layer: what it says itself."""
    return module.output_bounds


def layer_names(model: ModuleTree) -> dict[str, ModuleTree]:
    """Path → layer, the model itself under the name of its class."""
    return {path or type(model).__name__: layer for path, layer in model.named_modules()}


def parameter_name(model: ModuleTree, path: str, layer: ModuleTree, name: str) -> str:
    """Name of a layer's parameter as in ``named_parameters()``."""
    return name if layer is model else f"{path}.{name}"


def observe(model: ModuleTree, names: str | Sequence[str], observation: Observation) -> Observation:
    """Let ``observation`` watch the layers and parameters of ``model`` that match ``names``.

    Raises :class:`ArgumentError` for a pattern that matches nothing.
    """
    patterns = [names] if isinstance(names, str) else list(names)
    layers = layer_names(model)
    own = type(model).__name__
    known = {
        parameter_name(model, path, layer, name)
        for path, layer in layers.items()
        for name in layer._parameters
    }
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in (*layers, *known)):
            near = difflib.get_close_matches(pattern, [*layers, *known]) or list(layers)[1:6]
            raise ArgumentError(
                f"no layer or parameter of {own} matches {pattern!r}",
                f"a pattern such as '*' or a path such as {', '.join(map(repr, near))}",
            )
    # The model's own output is its last layer's, unless it has no layers or is asked for by name.
    whole = own in patterns or len(layers) == 1
    handle = model.register_forward_pre_hook(lambda module, args: observation.begin(model.training))
    observation.on_remove(handle.remove)
    for path, layer in layers.items():
        chosen = any(fnmatchcase(path, pattern) for pattern in patterns)
        watcher = _Layer(observation, model, path, layer, patterns)
        if chosen and (layer is not model or whole):
            observation.on_remove(layer.register_forward_hook(watcher.see_outputs).remove)
        if watcher.parameters():
            observation.on_remove(layer.register_forward_pre_hook(watcher.see_parameters).remove)
            observation.on_remove(watcher.remove)
    return observation


class _Layer:
    """Shows one layer's values to an observation."""

    def __init__(
        self,
        observation: Observation,
        model: ModuleTree,
        path: str,
        layer: ModuleTree,
        patterns: Sequence[str],
    ) -> None:
        self.observation = observation
        self.model = model
        self.path = path
        self.layer = layer
        self.patterns = patterns
        self._hooked: dict[int, tuple[TensorCore, Any]] = {}

    def parameters(self) -> list[tuple[str, Any]]:
        """(name, parameter) of the layer's own parameters that are watched."""
        if not self.observation.of & {"parameter", "parameter_gradient"}:
            return []
        found = []
        for name, parameter in self.layer._parameters.items():
            full = parameter_name(self.model, self.path, self.layer, name)
            matches = any(fnmatchcase(full, p) or fnmatchcase(self.path, p) for p in self.patterns)
            if parameter is not None and matches:
                found.append((full, parameter))
        return found

    def see_parameters(self, module: ModuleTree, args: Any) -> None:
        """Before the layer's forward: its parameters, and hooks for their gradients."""
        observation, training = self.observation, self.model.training
        if not observation.recording:
            return
        for name, parameter in self.parameters():
            if "parameter" in observation.of and not observation.has_seen("parameter", name):
                observation.see("parameter", name, parameter, training)
            if "parameter_gradient" in observation.of and id(parameter) not in self._hooked:
                undo = observation.see_gradient("parameter_gradient", name, parameter, training)
                if undo is not None:
                    self._hooked[id(parameter)] = (parameter, undo)

    def see_outputs(self, module: ModuleTree, args: Any, output: Any) -> None:
        """After the layer's forward: its outputs, and hooks for their gradients."""
        observation, training = self.observation, self.model.training
        if not observation.recording:
            return
        for name, value in _named_outputs(self.path, output):
            if "output" in observation.of:
                observation.see("output", name, value, training, bounds_of(self.layer))
            if "gradient" in observation.of:
                observation.see_gradient("gradient", name, value, training)

    def remove(self) -> None:
        """Take the hooks off the parameters."""
        for _, undo in self._hooked.values():
            undo()
        self._hooked.clear()


def _named_outputs(path: str, output: Any) -> Iterator[tuple[str, Any]]:
    """(name, tensor) of every tensor in a layer's output; several are numbered."""
    leaves: list[Any] = []
    stack = [output]
    while stack:
        current = stack.pop()
        if isinstance(current, TensorCore):
            leaves.append(current)
        elif isinstance(current, dict):
            stack.extend(reversed(list(current.values())))
        elif isinstance(current, (list, tuple)):
            stack.extend(reversed(current))
    for number, leaf in enumerate(leaves):
        yield (path if len(leaves) == 1 else f"{path}[{number}]"), leaf
