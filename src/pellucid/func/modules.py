"""Models as functions of their parameters: calls with other ones, and several models as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pellucid.base.errors import ArgumentError, ArgumentTypeError
from pellucid.nn.calling import facts_changed, guard_module
from pellucid.nn.module import Module
from pellucid.nn.normalization import _BatchNorm
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import CompiledFunction
from pellucid.tensor.core import TensorCore
from pellucid.tensor.shaping import stack
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

AnyModule = TypeVar("AnyModule", bound=Module)
Place = tuple[dict[str, Any], str, Module]
"""The table of parameters or buffers, the name in it, and the module."""


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with other parameters and buffers, named as in its state.

    The module itself is left as it is; gradients flow to the tensors that were given.  Names that
    are not given stay the module's own.  A buffer that the call changes is changed in the
    dictionary that it came from.

    Args:
        module: the model, for its ``forward``; a compiled one runs as the Python it is (compile
            the function around the call instead).
        parameter_and_buffer_dicts: name → tensor, or several such dictionaries.
        args: the arguments, a tuple; anything else is the only one.
        kwargs: those by keyword.
        tie_weights: a tensor that the module knows by several names is replaced under all of them.
        strict: raise unless the names are exactly those of the module.

    >>> import pellucid
    >>> from pellucid import nn
    >>> from pellucid.func import functional_call
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> functional_call(layer, {"weight": pellucid.tensor([[1.0, 2.0]])}, pellucid.ones(2))
    tensor([3.])
    """
    given_module: Any = module.function if isinstance(module, CompiledFunction) else module
    if not isinstance(given_module, Module):
        raise ArgumentTypeError(
            f"functional_call got {type(given_module).__name__} as its module", "pass an nn.Module"
        )
    module = given_module
    given = _merged(parameter_and_buffer_dicts)
    listed = args if isinstance(args, tuple) else () if args is None else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*listed, **(kwargs or {}))


def _merged(dicts: Any) -> dict[str, tuple[Any, Any]]:
    """Name → (tensor, the dictionary it came from)."""
    several = [dicts] if isinstance(dicts, Mapping) else dicts
    if not isinstance(several, Sequence) or not all(isinstance(d, Mapping) for d in several):
        raise ArgumentError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts).__name__}",
            "pass dict(model.named_parameters()), or such dictionaries in a tuple",
        )
    found: dict[str, tuple[Any, Any]] = {}
    for part in several:
        for name, value in part.items():
            if name in found:
                raise ArgumentError(
                    f"{name} appeared in multiple dictionaries; behavior of functional call is "
                    "ambiguous",
                    "give each name once",
                )
            if not isinstance(value, TensorCore):
                raise ArgumentTypeError(
                    f"functional_call got {type(value).__name__} for {name!r}", "pass tensors"
                )
            found[name] = (value, part)
    return found


def _places(module: Module) -> dict[str, Place]:
    """Where each parameter and buffer stands, by its path; twice what stands twice."""
    found: dict[str, Place] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        lead = f"{path}." if path else ""
        for table in (part._parameters, part._buffers):
            for name, value in table.items():
                if value is not None:
                    found[lead + name] = table, name, part
    return found


@contextmanager
def _replaced(
    module: Module, given: Mapping[str, tuple[Any, Any]], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """Inside, the module has these tensors."""
    places = _places(module)
    values = _tied(places, given) if tie_weights else {n: v for n, (v, _) in given.items()}
    unexpected = [name for name in given if name not in places]
    missing = [name for name in places if name not in values]
    if strict and (unexpected or missing):
        raise ArgumentError(
            f"functional_call with strict=True: unexpected key(s) {unexpected}, missing key(s) "
            f"{missing}",
            "give a tensor for each parameter and buffer of the module",
        )
    if is_tracing():
        guard_module(module)  # by what it is outside of this call
    before = {name: places[name][0][places[name][1]] for name in values if name in places}
    for name in before:
        table, own, _ = places[name]
        table[own] = values[name]
    _notify(places, before)
    try:
        yield
    finally:
        for name, value in before.items():
            table, own, _ = places[name]
            now = table.get(own)
            if name in given and now is not values[name] and now is not None:
                source = given[name][1]
                if isinstance(source, MutableMapping):
                    source[name] = now
            table[own] = value
        _notify(places, before)


def _notify(places: Mapping[str, Place], names: Mapping[str, Any]) -> None:
    """Programs that know a module look at it again, except while one is being made."""
    if not is_tracing():
        for part in {id(places[n][2]): places[n][2] for n in names}.values():
            facts_changed(part)


def _tied(places: Mapping[str, Place], given: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """The given tensors under all names of what they replace."""
    names: dict[int, list[str]] = {}
    for name, (table, own, _) in places.items():
        names.setdefault(id(table[own]), []).append(name)
    found = {name: value for name, (value, _) in given.items()}
    for same in names.values():
        values = [given[n][0] for n in same if n in given]
        if any(v is not values[0] for v in values):
            raise ArgumentError(
                f"functional_call got multiple values for keys {same}, which are tied",
                "give one of them, or pass tie_weights=False",
            )
        if values:
            found |= dict.fromkeys(same, values[0])
    return found


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and buffers of models of one class, stacked along a new first axis.

    Returns ``(parameters, buffers)`` by name, for ``vmap`` over :func:`functional_call`: an
    ensemble as one computation.  Parameters are leaves of their own and require gradients as the
    models' do.

    >>> from pellucid import nn
    >>> from pellucid.func import stack_module_state
    >>> parameters, buffers = stack_module_state([nn.Linear(2, 3) for _ in range(5)])
    >>> {name: tuple(p.shape) for name, p in parameters.items()}
    {'weight': (5, 3, 2), 'bias': (5, 3)}

    Raises :class:`~pellucid.base.errors.ArgumentError` for no models, models of several classes,
    or some in training and some in evaluation mode.
    """
    if len(models) == 0:
        raise ArgumentError(
            "stack_module_state: Expected at least one model, got 0.", "pass a list of models"
        )
    first = models[0]
    if any(m.training != first.training for m in models):
        raise ArgumentError(
            "stack_module_state: Expected all models to have the same training/eval mode.",
            "call train() or eval() on all of them",
        )
    if any(type(m) is not type(first) for m in models):
        raise ArgumentError(
            "stack_module_state: Expected all models to be of the same class.",
            "stack models that differ in their values alone",
        )
    parameters = _stacked([dict(m.named_parameters()) for m in models], True)
    return parameters, _stacked([dict(m.named_buffers()) for m in models], False)


def _stacked(states: Sequence[Mapping[str, Any]], leaves: bool) -> dict[str, Any]:
    found = {}
    for name in states[0]:
        values = [state[name] for state in states]
        if any(v.requires_grad != values[0].requires_grad for v in values):
            raise ArgumentError(
                f"stack_module_state: Expected {name} from each model to have the same "
                ".requires_grad",
                "freeze it in all models or in none",
            )
        with no_grad():
            whole = stack([v.detach() for v in values])
        found[name] = whole.requires_grad_(bool(values[0].requires_grad)) if leaves else whole
    return found


def replace_all_batch_norm_modules_(root: AnyModule) -> AnyModule:
    """Let every batch normalization under ``root`` use the batch alone, and return ``root``.

    Running statistics go (``running_mean``, ``running_var`` and ``num_batches_tracked`` become
    None): they are a change in place that belongs to no row of ``vmap``.
    """
    for part in root.modules():
        if isinstance(part, _BatchNorm):
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(part, name, None)
            part.track_running_stats = False
    return root
