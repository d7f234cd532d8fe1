"""The older forms of weight norm and spectral norm, with their own names of states.

New programs use :mod:`pellucid.nn.utils.parametrizations`; these are here because many programs
and files of weights are written for them.
"""

from __future__ import annotations

from typing import Any

from pellucid.base.boundary import clear
from pellucid.base.errors import ArgumentError, NamingError
from pellucid.nn.functional.common import normalize
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.nn.utils.parametrizations import (
    as_matrix,
    checked_dim,
    norm_except,
    normed,
    output_axis,
    parameter_of,
    random_direction,
)
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor


class WeightNorm:
    """``name`` computed as g · v / ‖v‖ of the parameters ``name_g`` and ``name_v``."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def compute(self, module: Any) -> Tensor:
        """The weight of these lengths and directions."""
        length, direction = (getattr(module, self.name + end) for end in ("_g", "_v"))
        return normed(length, direction, self.dim)

    def assign(self, module: Any, value: Any) -> None:
        """Lengths and directions of ``value``."""
        with no_grad():
            getattr(module, f"{self.name}_g").copy_(norm_except(value, self.dim))
            getattr(module, f"{self.name}_v").copy_(value)


class SpectralNorm:
    """``name`` computed as ``name_orig`` by its largest singular value.

    Before each forward in training the power method goes on from the buffers ``name_u`` and
    ``name_v``.
    """

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def _parts(self, module: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weight = getattr(module, f"{self.name}_orig")
        u, v = (getattr(module, self.name + end) for end in ("_u", "_v"))
        return weight, as_matrix(weight, self.dim), u, v

    def compute(self, module: Any) -> Tensor:
        """The weight with the largest singular value 1, as far as u and v are known."""
        weight, matrix, u, v = self._parts(module)
        u, v = u.clone(), v.clone()
        return weight / (u * matrix.mv(v)).sum()

    def assign(self, module: Any, value: Any) -> None:
        """``value`` as the weight that is scaled."""
        with no_grad():
            getattr(module, f"{self.name}_orig").copy_(value)

    def __call__(self, module: Any, inputs: Any) -> None:
        """Iterate: the hook before each forward."""
        if not module.training:
            return
        with no_grad():
            _, matrix, u, v = self._parts(module)
            left, right = u, v
            for _ in range(self.n_power_iterations):
                right = normalize(matrix.t().mv(left), dim=0, eps=self.eps)
                left = normalize(matrix.mv(right), dim=0, eps=self.eps)
            u.copy_(left)
            v.copy_(right)


def _source(module: Module, name: str, kind: type) -> Any:
    """What computes this tensor, if it is of that kind."""
    found = module._computed.get(name)
    return found if isinstance(found, kind) else None


def _free(function: str, module: Module, name: str) -> Parameter:
    """The parameter of this name, which nothing computes yet."""
    if name in module._computed:
        raise NamingError(
            f"{function} got {name!r}, which is computed from other tensors already",
            "norm a parameter once",
        )
    parameter_of(function, module, name)
    found = module._parameters.get(name)
    if found is None:
        raise ArgumentError(f"{function} got the name {name!r}", "it must be of a parameter")
    return found


@clear
def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The parameter split into lengths g and directions v: w = g · v / ‖v‖; returns the module.

    Norms are over all axes but ``dim`` (None: over all).  States are named ``weight_g`` and
    ``weight_v``; see :func:`pellucid.nn.utils.parametrizations.weight_norm` for the newer form.
    Raises ``NamingError`` for a parameter that is normed already.  (Salimans and Kingma, 2016.)
    """
    weight = _free("weight_norm", module, name)
    source = WeightNorm(name, -1 if dim is None else dim)
    trained, value = bool(weight.requires_grad), weight.detach()
    module.compute_from(name, source)
    module.register_parameter(f"{name}_g", Parameter(norm_except(value, source.dim), trained))
    module.register_parameter(f"{name}_v", Parameter(value, trained))
    return module


@clear
def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the normed weight a parameter again, with its value; returns the module.

    Raises ``ArgumentError`` where :func:`weight_norm` was not applied.
    """
    source = _source(module, name, WeightNorm)
    if source is None:
        raise _not_there("weight_norm", module, name)
    return _fixed(module, name, ("_g", "_v"))


@clear
def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """The parameter divided by its largest singular value; returns the module.

    Each forward in training does ``n_power_iterations`` of the power method.  ``dim`` is the axis
    of outputs: 0, and 1 for transposed convolutions.  States are named ``weight_orig``,
    ``weight_u`` and ``weight_v``; see :func:`pellucid.nn.utils.parametrizations.spectral_norm`
    for the newer form.  (Miyato et al., 2018.)
    """
    weight = _free("spectral_norm", module, name)
    axis = checked_dim("spectral_norm", weight, n_power_iterations, output_axis(module, dim))
    source = SpectralNorm(name, n_power_iterations, axis, eps)
    rows, columns = as_matrix(weight.detach(), axis).shape
    module.compute_from(name, source)
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", random_direction(rows, weight, eps))
    module.register_buffer(f"{name}_v", random_direction(columns, weight, eps))
    module.register_forward_pre_hook(source)
    return module


@clear
def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the scaled weight a parameter again, with its value; returns the module.

    Raises ``ArgumentError`` where :func:`spectral_norm` was not applied.
    """
    source = _source(module, name, SpectralNorm)
    if source is None:
        raise _not_there("spectral_norm", module, name)
    for key, (hook, _) in list(module._forward_pre_hooks.items()):
        if hook is source:
            del module._forward_pre_hooks[key]
    return _fixed(module, name, ("_orig", "_u", "_v"))


def _fixed(module: Module, name: str, ends: tuple[str, ...]) -> Module:
    """``name`` as a parameter again, without what it was computed from."""
    with no_grad():
        value = getattr(module, name).detach().clone()
    trained = bool(getattr(module, name + ends[0]).requires_grad)
    delattr(module, name)
    for end in ends:
        delattr(module, name + end)
    module.register_parameter(name, Parameter(value, trained))
    return module


def _not_there(function: str, module: Module, name: str) -> ArgumentError:
    return ArgumentError(
        f"there is no {function} of {name!r} in this {type(module).__name__}",
        f"it was not applied, or removed already: it has {[*module._computed]}",
    )
