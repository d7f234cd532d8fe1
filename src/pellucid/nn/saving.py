"""The state of a module as a dictionary, and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pellucid.base.errors import ArgumentError
from pellucid.nn.parameter import Parameter, as_values
from pellucid.nn.tree import ModuleTree
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

EXTRA = "_extra_state"
"""What the entry of a module is called whose class defines ``get_extra_state``."""

STAGES = ("state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")
"""When hooks of a module are called."""


class IncompatibleKeys(NamedTuple):
    """What did not fit in :meth:`Module.load_state_dict`."""

    missing_keys: list[str]
    """Names the module has and the state lacked."""
    unexpected_keys: list[str]
    """Names the state had and the module lacks."""

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self.missing_keys, self.unexpected_keys
        return f"IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"


def hooks_of(module: Any, stage: str) -> dict[int, Callable[..., Any]]:
    """The hooks of a module for one of :data:`STAGES`, a dictionary to be added to."""
    found: dict[int, Callable[..., Any]] = module.__dict__.setdefault(f"_{stage}_hooks", {})
    return found


def _hooks(module: Any, stage: str) -> tuple[Callable[..., Any], ...]:
    return tuple(module.__dict__.get(f"_{stage}_hooks", {}).values())


def state_of(
    module: Any, destination: Any, prefix: str, keep_vars: bool, has_extra: Any, own: bool = False
) -> OrderedDict[str, Tensor]:
    """Path → tensor of parameters and persistent buffers, in order, and what modules add.

    ``own``: without what hooks and classes make of it.
    """
    state: OrderedDict[str, Any] = OrderedDict() if destination is None else destination
    walked = list(module.named_modules(prefix=prefix.rstrip("."), remove_duplicate=False))
    for path, part in walked:
        lead = f"{path}." if path else ""
        for hook in () if own else _hooks(part, "state_dict_pre"):
            hook(part, lead, keep_vars)
        for name, parameter in part._parameters.items():
            if parameter is not None:
                state[lead + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in part._buffers.items():
            if buffer is not None and name not in part._non_persistent:
                state[lead + name] = buffer if keep_vars else buffer.detach()
        if has_extra(part):
            state[lead + EXTRA] = part.get_extra_state()
        if not own:
            part._save_to_state_dict(state, lead, keep_vars)
    for path, part in () if own else reversed(walked):
        for hook in _hooks(part, "state_dict_post"):
            hook(part, state, f"{path}." if path else "", {"version": 1})
    return state


def load_state(
    module: Any, state_dict: Mapping[str, object], strict: bool, assign: bool, has_extra: Any
) -> IncompatibleKeys:
    """Copy (or with ``assign`` put) the values of a state into a module, all or nothing."""
    given = dict(state_dict)
    wrong: list[str] = []
    walked = list(module.named_modules(remove_duplicate=False))
    for path, part in walked:
        lead = f"{path}." if path else ""
        for hook in _hooks(part, "load_state_dict_pre"):
            hook(part, given, lead, {"version": 1}, strict, [], [], wrong)
        part._load_from_state_dict(given, lead, {"version": 1}, strict, [], [], wrong)
    if wrong:
        raise ArgumentError(
            f"the state does not fit {type(module).__name__}: " + "; ".join(wrong),
            "nothing of it was read",
        )
    extras = {
        f"{path}.{EXTRA}" if path else EXTRA: part for path, part in walked if has_extra(part)
    }
    own = state_of(module, None, "", True, lambda part: False, own=True)
    keys = [*own, *extras]
    missing = [name for name in keys if name not in given]
    unexpected = [name for name in given if name not in own and name not in extras]
    values = {name: as_values(name, given[name]) for name in own if name in given}
    _check(module, own, values, missing if strict else [], unexpected if strict else [])
    with no_grad():
        for name, value in values.items():
            if assign:
                _assign(module, name, given[name], value)
            else:
                own[name].copy_(value)
    for name, part in extras.items():
        if name in given:
            part.set_extra_state(given[name])
    found = IncompatibleKeys(missing, unexpected)
    for _, part in walked:
        for hook in _hooks(part, "load_state_dict_post"):
            hook(part, found)
    return found


def _check(
    module: ModuleTree,
    own: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
    missing: list[str],
    unexpected: list[str],
) -> None:
    problems = []
    if missing:
        problems.append("missing keys: " + ", ".join(map(repr, missing)))
    if unexpected:
        problems.append("unexpected keys: " + ", ".join(map(repr, unexpected)))
    for name, value in values.items():
        if tuple(value.shape) != tuple(own[name].shape):
            problems.append(
                f"shape of {name!r}: {tuple(value.shape)} in the state, "
                f"{tuple(own[name].shape)} in the module"
            )
    if problems:
        raise ArgumentError(
            f"the state does not fit {type(module).__name__}: " + "; ".join(problems),
            "build the module with the sizes the state was saved from, "
            "or pass strict=False to ignore missing and unexpected names; nothing was changed",
        )


def _assign(module: Any, name: str, given: object, value: Tensor) -> None:
    """Put a tensor of the state itself in the place of a parameter or buffer."""
    path, _, last = name.rpartition(".")
    owner = module.get_submodule(path)
    known = owner._parameters.get(last)
    if known is None:
        setattr(owner, last, value)
    elif isinstance(given, Parameter):
        setattr(owner, last, given)
    else:
        setattr(owner, last, Parameter(value, requires_grad=known.requires_grad))
