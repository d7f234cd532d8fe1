"""Modules that hold modules or parameters."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, overload

from pellucid.base.errors import ArgumentError, OutOfRangeError
from pellucid.nn.calling import structure_changed
from pellucid.nn.errors import RegistrationError
from pellucid.nn.module import Module, described, indented
from pellucid.nn.parameter import Parameter
from pellucid.tensor.tensor import Tensor

if TYPE_CHECKING:  # type variables have defaults from Python 3.13 on
    from typing_extensions import TypeVar

    Entry = TypeVar("Entry", bound=Module, default=Module)
    """What a list or dictionary of modules holds, where a type checker can tell."""
else:
    from typing import TypeVar

    Entry = TypeVar("Entry", bound=Module)

Self = TypeVar("Self", bound="_Numbered[Any]")


def _position(index: SupportsIndex, length: int, name: str) -> int:
    """``index`` counted from the front; an IndexError where there is no such entry."""
    place = operator.index(index)
    if not -length <= place < length:
        raise OutOfRangeError(
            f"index {place} is out of range for {name} with {length} entries",
            f"use {-length} to {length - 1}" if length else "it is empty",
        )
    return place % length


class _Numbered(Module, Generic[Entry]):
    """Children named "0", "1", … ; what Sequential and ModuleList share."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._modules.values()))  # type: ignore[arg-type]  # of this kind

    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> Entry: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        entries = list(self._modules.items())
        if isinstance(index, slice):
            return self._part(entries[index])
        return entries[_position(index, len(self), type(self).__name__)][1]

    def _part(self, entries: list[tuple[str, Any]]) -> Any:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self._modules)[_position(index, len(self), type(self).__name__)]
        setattr(self, name, module)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        kept = list(self._modules.values())
        if not isinstance(index, slice):
            index = _position(index, len(self), type(self).__name__)
        del kept[index]
        self._renumber(kept)

    def _renumber(self, modules: list[Any]) -> None:
        self._modules.clear()
        self._modules.update({str(i): module for i, module in enumerate(modules)})
        structure_changed(self)

    def append(self: Self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: Self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self: Self, index: int, module: Module) -> Self:
        """Add a module before position ``index``."""
        if not isinstance(module, Module):
            raise RegistrationError(f"insert() got a {type(module).__name__}", "give an nn.Module")
        changed = list(self._modules.values())
        changed.insert(index, module)
        self._renumber(changed)
        return self

    def pop(self, index: int = -1) -> Entry:
        """Take a module out and return it."""
        taken = self[index]
        del self[index]
        return taken


class Sequential(_Numbered[Module]):
    """The modules one after the other: the result of each is the input of the next.

    f = f_n ∘ … ∘ f_1.  Shapes: input of the first module → output of the last.  Give modules,
    or one ``OrderedDict`` of name → module.  Indexing gives a module, slicing a Sequential
    with the same modules.
    """

    @overload
    def __init__(self, *args: Module) -> None: ...
    @overload
    def __init__(self, arg: Mapping[str, Module], /) -> None: ...
    def __init__(self, *args: Module | Mapping[str, Module]) -> None:
        super().__init__()
        for position, module in enumerate(args):
            if isinstance(module, Mapping) and len(args) == 1:
                for name, child in module.items():
                    self.add_module(name, child)
            else:
                self.add_module(str(position), module)  # type: ignore[arg-type]  # checked there

    def _part(self, entries: list[tuple[str, Any]]) -> Sequential:
        return Sequential(OrderedDict(entries))

    def forward(self, input: Tensor) -> Tensor:
        """Apply the modules in order."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(_Numbered[Entry]):
    """A list of modules whose parameters are found; it has no forward of its own."""

    def __init__(self, modules: Iterable[Entry] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _part(self, entries: list[tuple[str, Any]]) -> ModuleList[Entry]:
        return ModuleList(module for _, module in entries)

    def __repr__(self) -> str:
        lines = []
        position = 0
        for text, group in groupby(repr(module) for module in self._modules.values()):
            number = len(list(group))
            name = f"({position})" if number == 1 else f"({position}-{position + number - 1})"
            times = "" if number == 1 else f"{number} x "
            lines.append(f"{name}: {times}{indented(text)}")
            position += number
        return described(type(self).__name__, lines, bool(lines))


class ModuleDict(Module, Generic[Entry]):
    """A dictionary of modules whose parameters are found, in the order of insertion."""

    def __init__(
        self, modules: Mapping[str, Entry] | Iterable[tuple[str, Entry]] | None = None
    ) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Entry:
        return self._modules[key]  # type: ignore[return-value]  # None is never put in

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]
        structure_changed(self)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Entry]:
        """The modules."""
        return self._modules.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Entry]]:
        """(name, module) pairs."""
        return self._modules.items()  # type: ignore[return-value]

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()
        structure_changed(self)

    def pop(self, key: str) -> Entry:
        """Take a module out and return it."""
        module = self._modules.pop(key)
        structure_changed(self)
        return module  # type: ignore[return-value]

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module


def _as_parameter(value: Any) -> Parameter:
    if isinstance(value, Parameter):
        return value
    if isinstance(value, Tensor):
        return Parameter(value, requires_grad=value.dtype.is_differentiable)
    raise ArgumentError(
        f"a parameter container got a {type(value).__name__}",
        "give nn.Parameter objects or tensors",
    )


def _parameter_line(name: str, parameter: Any) -> str:
    extents = "x".join(map(str, parameter.shape))
    return f"({name}): Parameter containing: [{parameter.dtype!r} of size {extents}]"


class ParameterList(Module):
    """A list of parameters; plain tensors become parameters."""

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter([value for value in self._parameters.values() if value is not None])

    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    @overload
    def __getitem__(self, index: SupportsIndex) -> Parameter: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Parameter | ParameterList:
        entries = list(self)
        if isinstance(index, slice):
            return ParameterList(entries[index])
        return entries[_position(index, len(self), "ParameterList")]

    def __setitem__(self, index: int, value: Tensor) -> None:
        setattr(self, str(_position(index, len(self), "ParameterList")), _as_parameter(value))

    def append(self, value: Tensor) -> ParameterList:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Tensor]) -> ParameterList:
        """Add several parameters at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __repr__(self) -> str:
        lines = [_parameter_line(name, p) for name, p in self._parameters.items()]
        return described("ParameterList", lines, bool(lines))


class ParameterDict(Module):
    """A dictionary of parameters in the order of insertion; plain tensors become parameters."""

    def __init__(
        self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None
    ) -> None:
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Parameter:
        return self._parameters[key]  # type: ignore[return-value]  # None is never put in

    def __setitem__(self, key: str, value: Tensor) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]
        structure_changed(self)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Parameter]:
        """The parameters."""
        return self._parameters.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """(name, parameter) pairs."""
        return self._parameters.items()  # type: ignore[return-value]

    def update(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
        """Add or replace parameters."""
        for name, value in parameters.items() if isinstance(parameters, Mapping) else parameters:
            self[name] = value

    def __repr__(self) -> str:
        lines = [_parameter_line(name, p) for name, p in self._parameters.items()]
        return described("ParameterDict", lines, bool(lines))


class Container(Module):
    """Modules by name, as attributes; any :class:`Module` holds them now (``FutureWarning``)."""

    def __init__(self, **modules: Module) -> None:
        warnings.warn("Container is old: derive from nn.Module", FutureWarning, stacklevel=2)
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
