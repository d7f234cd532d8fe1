"""A table of learned vectors, looked up by integer ids."""

from __future__ import annotations

from typing import Any, Self

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.channels import embedding_bag
from pellucid.nn.functional.common import embedding
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import empty
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.tensor import Tensor


class _Table(Module):
    """What single and bagged vectors share: the weight, its padding row, and where it is from."""

    def _make_table(
        self,
        rows: int,
        columns: int,
        padding_idx: int | None,
        sparse: bool,
        weight: Any,
        dtype: Any,
    ) -> None:
        name = f"nn.{type(self).__name__}"
        check_sizes(name, num_embeddings=rows, embedding_dim=columns)
        if padding_idx is not None:
            if not -rows <= padding_idx < rows:
                raise ArgumentError(
                    f"{name} got padding_idx={padding_idx} for {rows} rows",
                    "it must be the number of a row",
                )
            padding_idx %= rows
        if weight is not None and tuple(weight.shape) != (rows, columns):
            raise ShapeError(
                f"{name} got a weight of shape {tuple(weight.shape)}",
                f"num_embeddings and embedding_dim ask for ({rows}, {columns})",
            )
        self.num_embeddings = rows
        self.embedding_dim = columns
        self.padding_idx = padding_idx
        self.sparse = sparse
        self.weight = Parameter(empty(rows, columns, dtype=dtype) if weight is None else weight)
        if weight is None:
            self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, **settings: Any) -> Self:
        """A layer around a known table (V, D), not trained unless ``freeze=False``."""
        if embeddings.dim() != 2:
            raise ShapeError(
                f"from_pretrained got shape {tuple(embeddings.shape)}", "a table has 2 axes: (V, D)"
            )
        rows, columns = embeddings.shape
        layer = cls(rows, columns, _weight=embeddings, **settings)  # type: ignore[call-arg]
        layer.weight.requires_grad_(not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draw the table again; the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0


class Embedding(_Table):
    """y = weight[x]: each id becomes a vector of fixed length.

    Shapes: input (*) integers in [0, num_embeddings) → (*, embedding_dim); ``weight``
    (num_embeddings, embedding_dim), by default standard normal.  Gradients of an id that occurs
    several times add up.  The row ``padding_idx`` starts at 0 and gets no gradient; ``max_norm``
    rescales looked-up rows that are longer, in place, in the ``norm_type`` norm;
    ``scale_grad_by_freq`` divides each row's gradient by the number of times it was used.
    ``sparse=True`` is accepted; the gradient is a dense tensor all the same.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self._make_table(num_embeddings, embedding_dim, padding_idx, sparse, _weight, dtype)
        self.weight.requires_grad_(not _freeze)

    def forward(self, input: Tensor) -> Tensor:
        """(*) → (*, embedding_dim)."""
        return embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Sizes and settings that are not the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2.0),
            ("scale_grad_by_freq", False),
            ("sparse", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class EmbeddingBag(_Table):
    """Sum, mean or maximum of the vectors of each bag of ids, without storing them one by one.

    Shapes: ids (B, n), or (n,) with ``offsets`` (B,) where each bag starts → (B, D); ``weight``
    (V, D), by default standard normal.  ``mode`` "mean" (default), "sum" (with optional
    ``per_sample_weights``) or "max"; ``include_last_offset`` adds the end to the offsets; ids
    equal to ``padding_idx`` do not count; the others as in :class:`Embedding`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        check_device(device)
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.include_last_offset = include_last_offset
        self._make_table(num_embeddings, embedding_dim, padding_idx, sparse, _weight, dtype)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Ids → (B, embedding_dim)."""
        return embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Sizes and settings that are not the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text
