"""Ready parametrizations: weight norm, spectral norm, orthogonal matrices."""

from __future__ import annotations

import numpy as np

from pellucid.base.errors import ArgumentError, ShapeError, UnsupportedError
from pellucid.nn.functional.common import normalize
from pellucid.nn.module import Module
from pellucid.nn.utils.parametrize import register_parametrization
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import eye, tensor, zeros
from pellucid.tensor.random import randn
from pellucid.tensor.shaping import cat
from pellucid.tensor.solving import matrix_exp, solve
from pellucid.tensor.tensor import Tensor


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """Euclidean norms over all axes but ``dim``, which stay as axes of extent 1."""
    if dim is None or dim == -1:
        return v.square().sum().sqrt()
    axes = [i for i in range(v.dim()) if i != dim % v.dim()]
    return v.square().sum(axes, keepdim=True).sqrt()


def normed(length: Tensor, direction: Tensor, dim: int | None) -> Tensor:
    """g · v / ‖v‖."""
    return direction * (length / norm_except(direction, dim))


class _WeightNorm(Module):
    """w = g · v / ‖v‖."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Length and direction to weight."""
        return normed(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Weight to length and direction."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The parameter split into lengths g and directions v: w = g · v / ‖v‖; returns the module.

    Norms are over all axes but ``dim`` (None: over all).  States are named
    ``parametrizations.weight.original0`` (g) and ``original1`` (v).
    (Salimans and Kingma, 2016.)
    """
    return register_parametrization(module, name, _WeightNorm(dim))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight with axis ``dim`` as rows and all others as columns."""
    if dim:
        weight = weight.permute(dim, *(i for i in range(weight.dim()) if i != dim))
    return weight.reshape(weight.shape[0], -1)


def random_direction(extent: int, like: Tensor, eps: float) -> Tensor:
    """A vector of norm 1 in a random direction."""
    return normalize(randn(extent, dtype=like.dtype), dim=0, eps=eps)


class _SpectralNorm(Module):
    """w / σ(w), the largest singular value by power iteration."""

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.dim = checked_dim("spectral_norm", weight, n_power_iterations, dim)
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.dim() > 1:
            with no_grad():
                matrix = as_matrix(weight.detach(), self.dim)
                rows, columns = matrix.shape
                self.register_buffer("_u", random_direction(rows, weight, eps))
                self.register_buffer("_v", random_direction(columns, weight, eps))
                self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
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
        matrix = as_matrix(weight, self.dim)
        if self.training:
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / (u * matrix.mv(v)).sum()

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself; it is scaled when it is used."""
        return value


def checked_dim(name: str, weight: Tensor, n_power_iterations: int, dim: int) -> int:
    """The axis of outputs, counted from the front."""
    if n_power_iterations < 1:
        raise ArgumentError(f"{name} got n_power_iterations={n_power_iterations}", "use at least 1")
    axes = weight.dim()
    if not -axes <= dim < axes:
        raise ShapeError(f"{name} got dim={dim}", f"the weight has {axes} axes")
    return dim % axes


def output_axis(module: Module, dim: int | None) -> int:
    """Where a layer's weight has its outputs."""
    if dim is not None:
        return dim
    return 1 if type(module).__name__.startswith("ConvTranspose") else 0


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
    weight = parameter_of("spectral_norm", module, name)
    made = _SpectralNorm(weight, n_power_iterations, output_axis(module, dim), eps)
    return register_parametrization(module, name, made)


def parameter_of(function: str, module: Module, name: str) -> Tensor:
    """The tensor of this name, parametrized or not."""
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        names = [*module._parameters, *module._buffers, *module._computed]
        raise ArgumentError(
            f"{function} got the name {name!r}",
            f"{type(module).__name__} has the parameters and buffers {names}",
        )
    return found


# ---- orthogonal matrices -------------------------------------------------------------------------


def _reflected(vectors: Tensor) -> Tensor:
    """The first columns of Π (I − 2 v vᵀ / ‖v‖²), v below the diagonal with 1 on it.

    (Householder, 1958.)
    """
    rows, columns = vectors.shape[-2:]
    below = vectors.tril(-1)
    factors = 2 / (1 + below.square().sum(-2))
    full = below + eye(rows, columns, dtype=vectors.dtype)
    made = eye(rows, columns, dtype=vectors.dtype).expand(vectors.shape)
    for place in reversed(range(columns)):
        v = full.narrow(-1, place, 1)
        made = made - factors.narrow(-1, place, 1).unsqueeze(-1) * v * (v.mT @ made)
    return made


def _nearby(matrix: np.ndarray) -> np.ndarray:
    """The orthogonal factor of a QR decomposition whose R has a positive diagonal."""
    q, r = np.linalg.qr(matrix)
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    return np.asarray(q * np.where(signs == 0, 1, signs)[..., None, :])


def _is_orthogonal(matrix: np.ndarray) -> bool:
    extent = matrix.shape[-1]
    product = np.swapaxes(matrix, -1, -2) @ matrix
    bound = 10.0 * extent * float(np.finfo(matrix.dtype).eps)
    return bool(np.allclose(product, np.eye(extent), atol=bound))


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, if these are fewer)."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        self.shape = tuple(weight.shape)
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Any matrix to an orthogonal one."""
        wide = X.shape[-2] < X.shape[-1]
        x = X.mT if wide else X
        made = _reflections(x) if self.orthogonal_map == "householder" else self._rotation(x)
        if "base" in self._buffers and self._buffers["base"] is not None:
            made = self.base @ made
        return made.mT if wide else made

    def _rotation(self, x: Tensor) -> Tensor:
        """exp(A), or Cayley's (I − A/2)⁻¹ (I + A/2), of a skew-symmetric A."""
        rows, columns = x.shape[-2:]
        x = x.tril()
        if rows != columns:
            rest = zeros(*x.shape[:-1], rows - columns, dtype=x.dtype)
            x = cat([x, rest], -1)
        skew = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            made = matrix_exp(skew)
        else:
            one = eye(rows, dtype=x.dtype)
            made = solve(one - skew / 2, one + skew / 2)
        return made.narrow(-1, 0, columns)

    def right_inverse(self, Q: Tensor) -> Tensor:  # noqa: N803
        """What the orthogonal matrix next to ``Q`` is made of."""
        if tuple(Q.shape) != self.shape:
            raise ShapeError(
                f"an orthogonal matrix of shape {self.shape} was assigned one of {tuple(Q.shape)}",
                "keep the shape",
            )
        wide = Q.shape[-2] < Q.shape[-1]
        given = np.array((Q.mT if wide else Q).detach().numpy())
        if "base" not in self._buffers:
            return self._decomposed(given, wide, Q)
        rows, columns = given.shape[-2:]
        if rows != columns:
            more = randn(*given.shape[:-1], rows - columns, dtype=Q.dtype).numpy()
            given = _nearby(np.concatenate([given, more], -1))
        elif not _is_orthogonal(given):
            given = _nearby(given)
        self.base = tensor(given.astype(Q.dtype.numpy), dtype=Q.dtype)
        start = -eye(rows, columns, dtype=Q.dtype).expand(given.shape[:-1] + (columns,)).clone()
        return start.mT if wide else start

    def _decomposed(self, given: np.ndarray, wide: bool, like: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise UnsupportedError(
                f"a value was assigned to an orthogonal weight by {self.orthogonal_map!r}",
                "use use_trivialization=True, or orthogonal_map='householder'",
            )
        flat = given.reshape(-1, *given.shape[-2:])
        made = tensor(np.stack([_reflectors(m) for m in flat]).reshape(given.shape))
        made = made.to(like.dtype)
        return made.mT if wide else made


def _reflections(x: Tensor) -> Tensor:
    """Householder's product with the signs of the diagonal, which has no gradient."""
    signs = x.diagonal(dim1=-2, dim2=-1).detach().trunc().unsqueeze(-2)
    return _reflected(x) * signs


def _reflectors(matrix: np.ndarray) -> np.ndarray:
    """Vectors below, and signs on, the diagonal, of which :func:`_reflections` makes Q again."""
    raw, factors = np.linalg.qr(matrix, mode="raw")
    packed = np.array(raw.T)
    columns = np.arange(packed.shape[1])
    signs = np.sign(packed[columns, columns])
    signs[factors == 0] *= -1
    packed[columns, columns] = signs
    return packed


_MAPS = ("matrix_exp", "cayley", "householder")


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """The parameter (…, n, k) as a matrix Q with QᵀQ = I, or QQᵀ = I if n < k; returns the module.

    ``orthogonal_map`` says how: "matrix_exp" exp(A) and "cayley" (I − A/2)⁻¹ (I + A/2) of a
    skew-symmetric A, or "householder", a product of reflections; by default "matrix_exp" for
    square matrices, else "householder".  With ``use_trivialization`` the result is B · Q(x) with
    a fixed orthogonal B (buffer ``base``) near the value that the parameter had (Lezcano-Casado,
    2019); without it a value can be assigned with "householder" alone.  Raises ``ArgumentError``
    for an unknown map or name and ``ShapeError`` for fewer than two axes.
    """
    weight = parameter_of("orthogonal", module, name)
    if weight.dim() < 2:
        raise ShapeError(
            f"orthogonal got a tensor of shape {tuple(weight.shape)}",
            "it needs a matrix or several",
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        raise ArgumentError(
            f"orthogonal got orthogonal_map={orthogonal_map!r}", f"use one of {', '.join(_MAPS)}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made)


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def __dir__() -> list[str]:
    return sorted(__all__)
