"""Parameters computed from other parameters at each use: weight norm, spectral norm, or your own.

A parametrized ``layer.weight`` is no parameter any more but the result of a module applied to
the parameters under ``layer.parametrizations.weight``; the layer itself is not changed.
PyTorch's ``nn.utils.parametrize`` and ``nn.utils.parametrizations``, with its names of states.
"""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn.containers import ModuleDict, ModuleList
from pellucid.nn.functional.common import normalize
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.random import randn
from pellucid.tensor.tensor import Tensor


class ParametrizationList(ModuleList[Module]):
    """The modules that make a tensor of its originals: ``original``, or ``original0``, ….

    ``modules`` are applied in order; ``original`` is the value so far, from which the first
    originals are found by ``right_inverse``, last module first, where they define it.
    """

    def __init__(self, modules: Any, original: Any) -> None:
        super().__init__(modules)
        value = original.detach()
        applied: list[Any] = list(self)
        with no_grad():
            for module in reversed(applied):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        self.is_tensor = not isinstance(value, (tuple, list))
        trained = bool(original.requires_grad)
        if self.is_tensor:
            self.original = Parameter(value.detach().clone(), trained)
        else:
            self.ntensors = len(value)
            for place, part in enumerate(value):
                setattr(self, f"original{place}", Parameter(part.detach().clone(), trained))

    def originals(self) -> tuple[Tensor, ...]:
        """The parameters that are learned."""
        if self.is_tensor:
            return (self.original,)
        return tuple(getattr(self, f"original{i}") for i in range(self.ntensors))

    def forward(self) -> Tensor:
        """The tensor as the layer sees it."""
        first, *others = list(self)
        value = first(*self.originals())
        for module in others:
            value = module(value)
        return value


def _with_property(module: Module, name: str) -> None:
    """Give the module a class of its own in which ``name`` is computed."""
    kind = type(module)

    def compute(self: Any) -> Any:
        return self.parametrizations[name]()

    def assign(self: Any, value: Any) -> None:
        made = self.parametrizations[name]
        fresh = ParametrizationList(list(made), value)
        with no_grad():
            for old, new in zip(made.originals(), fresh.originals(), strict=True):
                old.copy_(new)

    label = kind.__name__
    label = label if label.startswith("Parametrized") else f"Parametrized{label}"
    module.__class__ = type(label, (kind,), {name: property(compute, assign)})


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make ``module.tensor_name`` the result of ``parametrization``; returns the module.

    A second one is applied to the result of the first.  ``unsafe`` allows results of another
    shape.  Raises ``ArgumentError`` if there is no such parameter, ``ShapeError`` for a result of
    another shape.
    """
    if is_parametrized(module, tensor_name):
        _parametrizations(module)[tensor_name].append(parametrization)
        return module
    original = module._parameters.get(tensor_name)
    if original is None:
        raise ArgumentError(
            f"register_parametrization got the name {tensor_name!r}",
            f"{type(module).__name__} has the parameters {list(module._parameters)}",
        )
    made = ParametrizationList([parametrization], original)
    with no_grad():
        shape = tuple(parametrization(*made.originals()).shape)
    if not unsafe and shape != tuple(original.shape):
        raise ShapeError(
            f"the parametrization makes shape {tuple(original.shape)} into {shape}",
            "keep the shape, or pass unsafe=True",
        )
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.add_module("parametrizations", ModuleDict())
    _parametrizations(module)[tensor_name] = made
    _with_property(module, tensor_name)
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


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make ``module.tensor_name`` a parameter again; returns the module.

    It keeps the computed value, or with ``leave_parametrized=False`` the original one.
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
    with no_grad():
        value = (made() if leave_parametrized else made.original).detach().clone()
    trained = made.originals()[0].requires_grad
    module.__class__ = type(module).__bases__[0]
    del _parametrizations(module)[tensor_name]
    others = list(_parametrizations(module))
    if not others:
        del module.parametrizations
    else:  # the class taken off may have been another tensor's
        while type(module).__name__.startswith("Parametrized"):
            module.__class__ = type(module).__bases__[0]
        for name in others:
            _with_property(module, name)
    module.register_parameter(tensor_name, Parameter(value, trained))
    return module


def _norm_except(v: Tensor, dim: int | None) -> Tensor:
    """Euclidean norms over all axes but ``dim``, which stay as axes of extent 1."""
    if dim is None or dim == -1:
        return v.square().sum().sqrt()
    axes = [i for i in range(v.dim()) if i != dim % v.dim()]
    return v.square().sum(axes, keepdim=True).sqrt()


class _WeightNorm(Module):
    """w = g · v / ‖v‖."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Length and direction to weight."""
        return weight_v * (weight_g / _norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Weight to length and direction."""
        return _norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The parameter split into lengths g and directions v: w = g · v / ‖v‖; returns the module.

    Norms are over all axes but ``dim`` (None: over all).  States are named
    ``parametrizations.weight.original0`` (g) and ``original1`` (v).
    (Salimans and Kingma, 2016.)
    """
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    """w / σ(w), the largest singular value by power iteration."""

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.dim = dim % weight.dim()
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.dim() > 1:
            with no_grad():
                matrix = self._matrix(weight.detach())
                rows, columns = matrix.shape
                self.register_buffer(
                    "_u", normalize(randn(rows, dtype=weight.dtype), dim=0, eps=eps)
                )
                self.register_buffer(
                    "_v", normalize(randn(columns, dtype=weight.dtype), dim=0, eps=eps)
                )
                self._iterate(matrix, 15)

    def _matrix(self, weight: Any) -> Any:
        if self.dim:
            order = [self.dim, *(i for i in range(weight.dim()) if i != self.dim)]
            weight = weight.permute(*order)
        return weight.reshape(weight.shape[0], -1)

    def _iterate(self, matrix: Any, times: int) -> None:
        u, v = self._u, self._v
        for _ in range(times):
            u = normalize(matrix.mv(v), dim=0, eps=self.eps)
            v = normalize(matrix.t().mv(u), dim=0, eps=self.eps)
        self._u.copy_(u)
        self._v.copy_(v)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the largest singular value 1."""
        if weight.dim() == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        scaled: Tensor = weight / (u * matrix.mv(v)).sum()
        return scaled

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself; it is scaled when it is used."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """The parameter divided by its largest singular value; returns the module.

    Each use in training does ``n_power_iterations`` of the power method from the vectors of the
    last one (buffers ``_u`` and ``_v``).  ``dim`` is the axis of outputs: 0, and 1 for transposed
    convolutions.  (Miyato et al., 2018.)
    """
    if n_power_iterations < 1:
        raise ArgumentError(
            f"spectral_norm got n_power_iterations={n_power_iterations}", "use at least 1"
        )
    weight = module._parameters.get(name)
    if weight is None:
        raise ArgumentError(
            f"spectral_norm got the name {name!r}",
            f"{type(module).__name__} has the parameters {list(module._parameters)}",
        )
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, dim, eps)
    )
