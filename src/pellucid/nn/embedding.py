"""A table of learned vectors, looked up by integer ids."""

from __future__ import annotations

from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.channels import embedding_bag
from pellucid.nn.functional.common import embedding, refuse_sparse
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import empty


class Embedding(Module):
    """y = weight[x]: each id becomes a vector of fixed length.

    Shapes: input (*) integers in [0, num_embeddings) → (*, embedding_dim); ``weight``
    (num_embeddings, embedding_dim), by default standard normal.  Gradients of an id that occurs
    several times add up.  The row ``padding_idx`` starts at 0 and gets no gradient; ``max_norm``
    rescales looked-up rows that are longer, in place, in the ``norm_type`` norm;
    ``scale_grad_by_freq`` divides each row's gradient by the number of times it was used.
    ``sparse=True`` is refused: gradients are dense.
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
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        refuse_sparse("nn.Embedding", sparse)
        check_sizes("nn.Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ArgumentError(
                    f"nn.Embedding got padding_idx={padding_idx} for {num_embeddings} rows",
                    "it must be the number of a row",
                )
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype), not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ShapeError(
                    f"nn.Embedding got a weight of shape {tuple(_weight.shape)}",
                    f"num_embeddings and embedding_dim ask for ({num_embeddings}, {embedding_dim})",
                )
            self.weight = Parameter(_weight, not _freeze)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **settings: Any) -> Embedding:
        """A layer around a known table (V, D), not trained unless ``freeze=False``."""
        if embeddings.dim() != 2:
            raise ShapeError(
                f"from_pretrained got shape {tuple(embeddings.shape)}", "a table has 2 axes: (V, D)"
            )
        rows, columns = embeddings.shape
        return cls(rows, columns, _weight=embeddings, _freeze=freeze, **settings)

    def reset_parameters(self) -> None:
        """Draw the table again; the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Any) -> Any:
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


class EmbeddingBag(Module):
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
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        refuse_sparse("nn.EmbeddingBag", sparse)
        check_sizes("nn.EmbeddingBag", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ArgumentError(
                    f"nn.EmbeddingBag got padding_idx={padding_idx} for {num_embeddings} rows",
                    "it must be the number of a row",
                )
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = padding_idx
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        if _weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype))
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ShapeError(
                    f"nn.EmbeddingBag got a weight of shape {tuple(_weight.shape)}",
                    f"num_embeddings and embedding_dim ask for ({num_embeddings}, {embedding_dim})",
                )
            self.weight = Parameter(_weight)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **settings: Any) -> EmbeddingBag:
        """A layer around a known table (V, D), not trained unless ``freeze=False``."""
        if embeddings.dim() != 2:
            raise ShapeError(
                f"from_pretrained got shape {tuple(embeddings.shape)}", "a table has 2 axes: (V, D)"
            )
        rows, columns = embeddings.shape
        layer = cls(rows, columns, _weight=embeddings, **settings)
        layer.weight.requires_grad_(not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draw the table again; the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
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
