"""Positions: attention treats its inputs as a set, so where each one stands must be told."""

from __future__ import annotations

import numpy as np

from pellucid.base.dtypes import DTypeLike
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.nn import init
from pellucid.nn.functional.checks import need_tensor
from pellucid.nn.linear import check_sizes
from pellucid.nn.module import Module
from pellucid.nn.parameter import Parameter
from pellucid.tensor.core import lift
from pellucid.tensor.creation import empty
from pellucid.tensor.shaping import stack
from pellucid.tensor.tensor import Tensor


def _check_places(name: str, start: int, length: int, max_len: int) -> None:
    if start < 0 or start + length > max_len:
        raise ShapeError(
            f"{name} got positions {start} to {start + length - 1} and knows 0 to {max_len - 1}",
            f"use max_len={max(start, 0) + length}, or shorten the sequence to "
            f"{max(max_len - start, 0)}",
        )


def _angles(width: int, max_len: int, base: float) -> np.ndarray:
    """t / base^(2i / width) for positions t and pairs i: float64 (max_len, ⌈width / 2⌉)."""
    rates = base ** (-np.arange(0, width, 2) / width)
    return np.asarray(np.arange(max_len)[:, None] * rates)


class _Added(Module):
    """Rows of a table added to the sequence, shared by fixed and learned positions."""

    def __init__(self, d_model: int, max_len: int, batch_first: bool) -> None:
        super().__init__()
        check_sizes(f"nn.{type(self).__name__}", d_model=d_model, max_len=max_len)
        self.d_model = d_model
        self.max_len = max_len
        self.batch_first = batch_first

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        """The input with position ``start`` + t added at place t; same shape."""
        name = f"nn.{type(self).__name__}"
        need_tensor(name, input)
        if input.dim() not in (2, 3) or input.shape[-1] != self.d_model:
            raise ShapeError(
                f"{name} expects {self.d_model} features and got shape {tuple(input.shape)}",
                f"inputs are (N, T, {self.d_model}) with batch_first, else (T, N, {self.d_model}), "
                f"or (T, {self.d_model})"
                + (f"; d_model={input.shape[-1]} fits this one" if input.dim() in (2, 3) else ""),
            )
        axis = 1 if self.batch_first and input.dim() == 3 else 0
        length = input.shape[axis]
        _check_places(name, start, length, self.max_len)
        rows = self.weight.narrow(0, start, length)
        return input + (rows.unsqueeze(1) if axis == 0 and input.dim() == 3 else rows)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.d_model}, max_len={self.max_len}, batch_first={self.batch_first}"


class SinusoidalPositions(_Added):
    """x_t + p_t with p_t[2i] = sin(t / base^(2i/D)), p_t[2i+1] = cos(the same); nothing learned.

    A shift by k turns each pair (sin, cos) by the same angle at every t, so that relative
    positions are linear in p.  Shapes: (N, T, D) with ``batch_first`` (the default), else
    (T, N, D), or (T, D) → the same.  ``weight`` (max_len, D) is a buffer that is not saved.
    (Vaswani et al., 2017.)
    """

    def __init__(
        self, d_model: int, max_len: int = 5000, base: float = 10000.0, batch_first: bool = True
    ) -> None:
        super().__init__(d_model, max_len, batch_first)
        angles = _angles(d_model, max_len, base)
        table = np.zeros((max_len, d_model), np.float32)
        table[:, 0::2] = np.sin(angles)
        table[:, 1::2] = np.cos(angles)[:, : d_model // 2]
        self.register_buffer("weight", lift(table), persistent=False)


class LearnedPositions(_Added):
    """x_t + weight[t]: one learned vector for each position, normal with deviation ``std`` first.

    Shapes: (N, T, D) with ``batch_first`` (the default), else (T, N, D), or (T, D) → the same;
    ``weight`` (max_len, D).  Positions from ``max_len`` on are unknown.  (Gehring et al., 2017.)
    """

    def __init__(
        self,
        d_model: int,
        max_len: int,
        std: float = 0.02,
        batch_first: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(d_model, max_len, batch_first)
        self.weight = Parameter(empty(max_len, d_model, dtype=dtype))
        init.normal_(self.weight, 0.0, std)


class RotaryPositions(Module):
    """Turns each pair of features by the angle t / base^(2i/d), in queries and in keys.

    The product of a query at t and a key at s then depends on t − s alone.  Pairs are neighbours
    (x₂ᵢ, x₂ᵢ₊₁), as published; ``interleaved=False`` pairs xᵢ with xᵢ₊d/2, as many programs do.
    Shapes: (…, T, d) → the same, d = ``head_dim`` even.  Nothing is learned; lengths of vectors
    stay.  (Su et al., 2021.)
    """

    def __init__(
        self,
        head_dim: int,
        max_len: int = 4096,
        base: float = 10000.0,
        interleaved: bool = True,
    ) -> None:
        super().__init__()
        check_sizes("nn.RotaryPositions", head_dim=head_dim, max_len=max_len)
        if head_dim % 2:
            raise ArgumentError(
                f"nn.RotaryPositions got head_dim={head_dim}", "features are turned in pairs: even"
            )
        self.head_dim = head_dim
        self.max_len = max_len
        self.interleaved = interleaved
        angles = _angles(head_dim, max_len, base)  # (max_len, d/2)
        self.register_buffer("cos", lift(np.cos(angles).astype(np.float32)), persistent=False)
        self.register_buffer("sin", lift(np.sin(angles).astype(np.float32)), persistent=False)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        """(…, T, d) turned as positions ``start``, ``start`` + 1, …"""
        need_tensor("nn.RotaryPositions", input)
        if input.dim() < 2 or input.shape[-1] != self.head_dim:
            raise ShapeError(
                f"nn.RotaryPositions expects {self.head_dim} features and got shape "
                f"{tuple(input.shape)}",
                f"inputs are (…, T, {self.head_dim}), each head by itself: split the features "
                "into heads before",
            )
        length = input.shape[-2]
        _check_places("nn.RotaryPositions", start, length, self.max_len)
        cos = self.cos.narrow(0, start, length).to(input.dtype)  # (T, d/2)
        sin = self.sin.narrow(0, start, length).to(input.dtype)
        axis = -1 if self.interleaved else -2
        half = self.head_dim // 2
        sizes = (half, 2) if self.interleaved else (2, half)
        pairs = input.reshape(*input.shape[:-1], *sizes)
        first, second = pairs.select(axis, 0), pairs.select(axis, 1)
        turned = stack([first * cos - second * sin, first * sin + second * cos], axis)
        return turned.reshape(*input.shape)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.head_dim}, max_len={self.max_len}, interleaved={self.interleaved}"
