"""Parameters computed from other parameters at each use (PyTorch's ``nn.utils.parametrize``).

A parametrized ``layer.weight`` is no parameter any more but the result of modules applied to the
parameters under ``layer.parametrizations.weight``; the layer itself is not changed.  Names of
states are PyTorch's: ``parametrizations.weight.original``, or ``original0``, ``original1``, ….

>>> from pellucid import nn
>>> from pellucid.nn.utils import parametrize
>>> class Symmetric(nn.Module):
...     def forward(self, x):
...         return x.triu() + x.triu(1).mT
>>> layer = parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
>>> bool((layer.weight == layer.weight.mT).all())
True
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.nn.containers import ModuleDict, ModuleList
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.state import state
from pellucid.tensor.tensor import Tensor


class _Cache:
    """What was computed inside of :func:`cached`; outside of it, nothing."""

    depth = 0
    values: dict[tuple[int, str, int], tuple[object, Tensor]] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrized tensor is computed once, when it is first read.

    Worth it where a parameter is read often, as in a loop over time.  What is changed inside,
    such as an original parameter, shows only afterwards.
    """
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


class ParametrizationList(ModuleList[Module]):
    """The modules that make a tensor of its originals: ``original``, or ``original0``, ….

    ``modules`` are applied in order; ``original`` is the value so far, from which the first
    originals are found by ``right_inverse``, last module first, where they define it; if one raises
    ``NotImplementedError``, the value itself is the original.  Where it gives several tensors, the
    first module takes all of them.  Raises ``ShapeError`` and ``DTypeError`` where the result is
    not of the original's shape and dtype, unless ``unsafe``.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not len(modules):
            raise ArgumentError("ParametrizationList got no modules", "pass at least one")
        super().__init__(modules)
        self.unsafe = unsafe
        try:
            value = self._inverse(original.detach())
        except NotImplementedError:  # no value leads back: the first one is taken as it is
            value = original.detach()
        self.is_tensor = not isinstance(value, (tuple, list))
        if self.is_tensor:
            self._keep("original", value, original)
        else:
            self.ntensors = len(value)
            for place, part in enumerate(value):
                self._keep(f"original{place}", part, original)
        if not unsafe:
            self.check(original)

    def _keep(self, name: str, value: Tensor, original: Tensor) -> None:
        """A parameter of the same kind as the original one, or a buffer."""
        found = value.detach().clone()
        if isinstance(original, Parameter):
            trained = bool(original.requires_grad) and found.dtype.is_floating_point
            self.register_parameter(name, Parameter(found, trained))
        else:
            self.register_buffer(name, found)

    def _inverse(self, value: Any) -> Any:
        """The originals that give ``value``."""
        applied: list[Any] = list(self)
        with no_grad():
            for module in reversed(applied):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        return value

    def check(self, original: Tensor) -> None:
        """Raise where the result is of another shape or dtype than ``original``."""
        with no_grad():
            made = self()
        if tuple(made.shape) != tuple(original.shape):
            raise ShapeError(
                f"the parametrization makes shape {tuple(original.shape)} into {tuple(made.shape)}",
                "keep the shape, or pass unsafe=True",
            )
        if made.dtype is not original.dtype:
            raise DTypeError(
                f"the parametrization makes {original.dtype.name} into {made.dtype.name}",
                "keep the dtype, or pass unsafe=True",
            )

    def originals(self) -> tuple[Tensor, ...]:
        """The tensors that the result is computed from."""
        if self.is_tensor:
            return (self.original,)
        return tuple(getattr(self, f"original{i}") for i in range(self.ntensors))

    def right_inverse(self, value: Tensor) -> None:
        """Give the originals the values by which the result becomes ``value``.

        Raises ``ArgumentError`` where the modules' ``right_inverse`` gives another number of
        tensors than there are.
        """
        found = self._inverse(value.detach())
        listed = [found] if isinstance(found, Tensor) else list(found)
        known = self.originals()
        if len(listed) != len(known):
            raise ArgumentError(
                f"right_inverse gave {len(listed)} tensors for {len(known)}",
                "it gives the same number at each call",
            )
        with no_grad():
            for old, new in zip(known, listed, strict=True):
                if tuple(old.shape) != tuple(new.shape):
                    raise ShapeError(
                        f"right_inverse gave shape {tuple(new.shape)} for {tuple(old.shape)}",
                        "a parametrized tensor keeps its shape",
                    )
                old.copy_(new)

    def forward(self) -> Tensor:
        """The tensor as the layer sees it."""
        first, *others = list(self)
        value = first(*self.originals())
        for module in others:
            value = module(value)
        return value


class _Parametrized:
    """A tensor of a module that its ``parametrizations`` compute."""

    def __init__(self, name: str) -> None:
        self._name = name

    def compute(self, module: Any) -> Tensor:
        """The result, or the one known inside of :func:`cached`."""
        made = module.parametrizations[self._name]
        if not _Cache.depth:
            return made()  # type: ignore[no-any-return]
        key = (id(module), self._name, id(state.trace))
        if key not in _Cache.values:
            _Cache.values[key] = (module, made())
        return _Cache.values[key][1]

    def assign(self, module: Any, value: Any) -> None:
        """The originals of ``value``."""
        module.parametrizations[self._name].right_inverse(value)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make ``module.tensor_name`` the result of ``parametrization``; returns the module.

    The name is of a parameter or a buffer.  A second parametrization is applied to the result of
    the first.  ``unsafe`` allows results of another shape or dtype.  Raises ``ArgumentError`` if
    there is no such tensor, ``ShapeError`` and ``DTypeError`` for a result that does not fit.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        made = _parametrizations(module)[tensor_name]
        now = getattr(module, tensor_name).detach()
        if made.unsafe and not unsafe:
            raise ArgumentError(
                f"the other parametrization of {tensor_name!r} was registered with unsafe=True",
                "pass unsafe=True here as well",
            )
        made.append(parametrization)
        try:
            if not unsafe:
                made.check(now)
            made.right_inverse(now)
        except Exception:
            del made[len(made) - 1]
            raise
        made.unsafe = made.unsafe or unsafe
        return module
    original = module._parameters.get(tensor_name)
    kept: Tensor | None = original if original is not None else module._buffers.get(tensor_name)
    if kept is None:
        names = [*module._parameters, *module._buffers]
        raise ArgumentError(
            f"register_parametrization got the name {tensor_name!r}",
            f"{type(module).__name__} has the parameters and buffers {names}",
        )
    made = ParametrizationList([parametrization], kept, unsafe)
    if not is_parametrized(module):
        module.add_module("parametrizations", ModuleDict())
    _parametrizations(module)[tensor_name] = made
    module.compute_from(tensor_name, _Parametrized(tensor_name))
    return module


def _parametrizations(module: Module) -> ModuleDict[ParametrizationList]:
    """Those of a module that has some, by the name of the tensor."""
    found: Any = module._modules["parametrizations"]
    return found  # type: ignore[no-any-return]


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module has parametrizations, or one of this name."""
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def type_before_parametrizations(module: Module) -> type:
    """The module's class; parametrizations do not change it here."""
    return type(module)


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make ``module.tensor_name`` a parameter (or buffer) again; returns the module.

    It keeps the computed value, or with ``leave_parametrized=False`` the original one.  Raises
    ``ArgumentError`` if the tensor is not parametrized, or made of several that are to be left.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(
            f"remove_parametrizations got the name {tensor_name!r}",
            f"{type(module).__name__} has no parametrization of it",
        )
    made = _parametrizations(module)[tensor_name]
    if not leave_parametrized and not made.is_tensor:
        raise ArgumentError(
            f"{tensor_name!r} is made of several tensors", "use leave_parametrized=True"
        )
    first = made.originals()[0]
    with no_grad():
        value = (made() if leave_parametrized else first).detach().clone()
    delattr(module, tensor_name)
    del _parametrizations(module)[tensor_name]
    if not len(_parametrizations(module)):
        del module.parametrizations
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, Parameter(value, first.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    return module


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give ``to_module`` the parametrizations of ``from_module``, and its values; returns it.

    With ``tensor_name`` those of one tensor alone.  The parametrizing modules are shared.  Raises
    ``ArgumentError`` where there is none.
    """
    if not is_parametrized(from_module, tensor_name):
        raise ArgumentError(
            f"transfer_parametrizations_and_params got a {type(from_module).__name__} without "
            f"parametrizations{'' if tensor_name is None else f' of {tensor_name!r}'}",
            "register one first",
        )
    names = list(_parametrizations(from_module)) if tensor_name is None else [tensor_name]
    for name in names:
        made = _parametrizations(from_module)[name]
        if name not in to_module._parameters and not is_parametrized(to_module, name):
            to_module.register_parameter(name, Parameter(getattr(from_module, name).detach()))
        for module in list(made):
            register_parametrization(to_module, name, module, unsafe=made.unsafe)
        with no_grad():
            own = _parametrizations(to_module)[name]
            for old, new in zip(own.originals(), made.originals(), strict=True):
                old.copy_(new)
    return to_module


__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


def __dir__() -> list[str]:
    return sorted(__all__)
