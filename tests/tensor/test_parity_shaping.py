"""Creation, rearrangement, joining and cutting: values and gradients as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensor.parity import both_raise, parity

pytestmark = pytest.mark.parity

SHAPING: dict[str, Any] = {
    "reshape": lambda m, x: (
        x.reshape(4, 6),
        x.reshape((2, -1)),
        x.view(24),
        x.view(-1, 3),
        m.reshape(x, (6, 4)),
    ),
    "flatten": lambda m, x: (x.flatten(), x.flatten(1), x.flatten(0, 1), m.flatten(x, start_dim=1)),
    "unflatten": lambda m, x: (x.unflatten(2, (2, 2)), x.unflatten(-1, (-1, 2))),
    "permute": lambda m, x: (x.permute(2, 0, 1), x.permute((0, 2, 1)), m.permute(x, (1, 0, 2))),
    "transpose": lambda m, x: (
        x.transpose(0, 2),
        x.transpose(-1, -2),
        m.swapaxes(x, 0, 1),
        x.mT,
        m.swapdims(x, 0, 1),
    ),
    "movedim": lambda m, x: (x.movedim(0, 2), m.moveaxis(x, -1, 0), x.movedim((0, 1), (2, 0))),
    "squeeze": lambda m, x: (
        x.unsqueeze(0).squeeze(),
        x.unsqueeze(1).squeeze(1),
        x.squeeze(0),
        x.unsqueeze(-1).squeeze((0, 3)),
    ),
    "unsqueeze": lambda m, x: (x.unsqueeze(0), x.unsqueeze(-1), m.unsqueeze(x, 2)),
    "expand": lambda m, x: (
        x.unsqueeze(1).expand(2, 5, 3, 4),
        x.expand(7, -1, -1, -1),
        x[:, :1].expand_as(x),
        m.broadcast_to(x, (2, 2, 3, 4)),
    ),
    "repeat": lambda m, x: (x.repeat(2, 1, 3), x.repeat(2, 1, 1, 2), m.tile(x, (2, 2)), x.tile(3)),
    "repeat_interleave": lambda m, x: (
        x.repeat_interleave(2),
        x.repeat_interleave(3, 1),
        x.repeat_interleave(m.tensor([1, 0, 2]), 1),
    ),
    "flip": lambda m, x: (x.flip(0), x.flip((0, 2)), x.flip(-1, 0), m.fliplr(x), m.flipud(x)),
    "roll": lambda m, x: (
        x.roll(1),
        x.roll(2, 1),
        x.roll(-5, -1),
        x.roll((1, 2), (0, 2)),
        m.roll(x, 3, 0),
    ),
    "rot90": lambda m, x: (x.rot90(), m.rot90(x, -1), m.rot90(x, 2, (1, 2)), m.rot90(x, 3, (0, 2))),
    "narrow": lambda m, x: (x.narrow(1, 1, 2), x.narrow(-1, 0, 0), x.narrow(2, -2, 2)),
    "select": lambda m, x: (x.select(0, 1), x.select(-1, -1)),
    "split": lambda m, x: (x.split(2, 2), x.split([1, 3], -1), m.split(x, 5, dim=1), x.split(3)),
    "chunk": lambda m, x: (x.chunk(3, 2), x.chunk(2, 1), m.chunk(x, 7, dim=2)),
    "tensor_split": lambda m, x: (
        x.tensor_split(3, 2),
        x.tensor_split((1, 3), 2),
        x.tensor_split((-1,), 1),
    ),
    "unbind": lambda m, x: (x.unbind(), x.unbind(2), list(x)),
    "tril and triu": lambda m, x: (
        x.tril(),
        x.triu(),
        x.tril(-1),
        x.triu(1),
        m.tril(x, 1),
        m.triu(x, -1),
    ),
    "diagonal": lambda m, x: (
        x.diagonal(),
        x.diagonal(1),
        x.diagonal(-1, 1, 2),
        x.diagonal(2, 2, 0),
        x.diagonal(9),
    ),
    "diag": lambda m, x: (
        x[0].diag(),
        x[0].diag(1),
        x[0, 0].diag(),
        x[0, 0].diag(2),
        x[0, 0].diag(-1),
        x[0, :, :3].trace(),
    ),
    "diag_embed": lambda m, x: (
        x.diag_embed(),
        x.diag_embed(1),
        m.diag_embed(x, -2),
        x.diag_embed(0, 0, 2),
        x.diag_embed(0, 2, 0),
    ),
    "diagflat": lambda m, x: (x[0, 0].diagflat(), x[0].diagflat(1)),
    "cat": lambda m, x: (
        m.cat([x, x], 0),
        m.cat((x, x * 2, x), dim=-1),
        m.concat([x, x], 1),
        m.cat([x]),
    ),
    "stack": lambda m, x: (m.stack([x, x * 3]), m.stack((x, x), dim=-1), m.stack([x, x], 1)),
    "stacks": lambda m, x: (
        m.hstack([x, x]),
        m.vstack([x, x]),
        m.dstack([x, x]),
        m.column_stack([x[0, 0], x[0, 1]]),
        m.hstack([x[0, 0], x[1, 1]]),
        m.vstack([x[0, 0], x[0, 1]]),
    ),
    "at least": lambda m, x: (
        m.atleast_1d(x[0, 0, 0]),
        m.atleast_2d(x[0, 0]),
        m.atleast_3d(x[0]),
        m.atleast_2d(x),
    ),
    "block_diag": lambda m, x: m.block_diag(x[0], x[1, :2], x[0, 0]),
    "meshgrid": lambda m, x: (
        m.meshgrid(x[0, 0], x[0, 1], indexing="ij"),
        m.meshgrid(x[0, 0], x[:, 0, 0], indexing="xy"),
    ),
    "broadcast_tensors": lambda m, x: m.broadcast_tensors(x, x[0, 0], x[:, :1]),
    "unfold": lambda m, x: (x.unfold(2, 2, 1), x.unfold(1, 2, 2), x.unfold(-1, 4, 3)),
    "ravel": lambda m, x: (x.ravel(), m.ravel(x)),
    "views": lambda m, x: (
        x.view_as(x.permute(2, 1, 0).contiguous()),
        x.reshape_as(x.flatten()),
        x[0].t(),
        x[0].T,
        x.contiguous(),
    ),
    "clone": lambda m, x: (x.clone(), m.clone(x), x + 0),
    "cartesian": lambda m, x: (
        m.cartesian_prod(x[0, 0], x[0, 1]),
        m.combinations(x[0, 0]),
        m.combinations(x[0, 0], 3),
        m.combinations(x[0, 0], 2, True),
    ),
    "sum_to_size": lambda m, x: (x.sum_to_size(3, 1), x.sum_to_size(2, 1, 4)),
}


@pytest.mark.parametrize("name", SHAPING)
def test_rearrangements(name: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4))
    parity(SHAPING[name], x, what=name)
    parity(
        lambda m, x: SHAPING[name](m, x.permute(1, 2, 0).permute(2, 0, 1)),
        x,
        what=f"{name} of a permuted one",
    )


COMPUTES = ("clone", "cat", "stack", "sum_to_size", "stacks")


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8", "float32"])
@pytest.mark.parametrize("name", [n for n in SHAPING if n not in COMPUTES])
def test_rearrangements_of_other_dtypes(name: str, dtype: str) -> None:
    if (name, dtype) == ("diag", "bool"):
        pytest.skip("PyTorch has no trace of bool")
    x = (np.arange(24).reshape(2, 3, 4) % 5).astype(dtype)
    parity(SHAPING[name], x, gradients=False, what=name)


@pytest.mark.parametrize(
    "function",
    [
        lambda m: m.zeros(2, 3),
        lambda m: m.zeros((2, 3), dtype=m.int64),
        lambda m: m.ones(3),
        lambda m: m.ones([2, 2], dtype=m.bool),
        lambda m: m.full((2, 3), 7),
        lambda m: m.full((2,), 1.5),
        lambda m: m.full((2,), True),
        lambda m: m.full((2,), 3, dtype=m.float64),
        lambda m: m.eye(3),
        lambda m: m.eye(2, 4, dtype=m.int32),
        lambda m: m.arange(5),
        lambda m: m.arange(2, 8),
        lambda m: m.arange(8, 2, -2),
        lambda m: m.arange(0, 1, 0.1),
        lambda m: m.arange(5.0),
        lambda m: m.arange(3, dtype=m.float64),
        lambda m: m.arange(0),
        lambda m: m.linspace(0, 1, 5),
        lambda m: m.linspace(3, -3, 7, dtype=m.float64),
        lambda m: m.linspace(1, 2, 1),
        lambda m: m.logspace(0, 2, 3),
        lambda m: m.tensor(3),
        lambda m: m.tensor(2.5),
        lambda m: m.tensor(True),
        lambda m: m.tensor([1, 2.5]),
        lambda m: m.tensor([[1, 2], [3, 4]]),
        lambda m: m.tensor([]),
        lambda m: m.tensor([[], []]),
        lambda m: m.tensor([True, False]),
        lambda m: m.tensor([1, 2], dtype=m.float32),
        lambda m: m.tensor(np.arange(3, dtype=np.int16)),
        lambda m: m.tensor(np.float64(2.5)),
        lambda m: m.as_tensor([1, 2]),
        lambda m: m.from_numpy(np.arange(3.0)),
        lambda m: m.zeros_like(m.ones(2, 3, dtype=m.int64)),
        lambda m: m.ones_like(m.zeros(2), dtype=m.float64),
        lambda m: m.full_like(m.zeros(2, dtype=m.int64), 5),
        lambda m: m.zeros(2, dtype=m.int32).new_ones(3),
        lambda m: m.zeros(2).new_tensor([1, 2]),
        lambda m: m.zeros(2).new_full((2, 2), 3),
        lambda m: m.zeros(1).new_zeros(2, 3),
        lambda m: m.tril_indices(3, 4),
        lambda m: m.triu_indices(4, 3, 1),
        lambda m: m.tril_indices(3, 3, -1),
        lambda m: m.vander(m.tensor([1, 2, 3])),
        lambda m: m.vander(m.tensor([1.0, 2.0, 3.0]), 4, increasing=True),
        lambda m: m.tensor([m.tensor(1.0), m.tensor(2.0)]),
    ],
)
def test_creation(function: Any) -> None:
    parity(lambda m: function(m))


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: x.reshape(4, 2),
        lambda _, x: x.permute(0, 0),
        lambda _, x: x.expand(3, 3),
        lambda m, x: m.cat([x, x.t()]),
        lambda m, x: m.stack([x, x.t()]),
        lambda _, x: x.narrow(0, 1, 2),
        lambda _, x: x.split([1, 2], 0),
        lambda _, x: x.transpose(0, 2),
        lambda _, x: x.unsqueeze(4),
        lambda _, x: x.select(0, 2),
        lambda m, _: m.zeros(-1),
        lambda m, _: m.arange(0, 3, 0),
        lambda m, _: m.arange(0, 3, -1),
        lambda m, _: m.tensor([[1, 2], [3]]),
        lambda m, _: m.cat([]),
        lambda m, _: m.tensor("text"),
        lambda m, x: x.view(2, 2),
        lambda m, x: m.tensor([1, 2], requires_grad=True),
        lambda m, x: iter(x.sum()).__next__(),
        lambda m, x: x.item(),
        lambda m, x: x.repeat(2),
        lambda m, x: x.unflatten(1, (2, 2)),
    ],
)
def test_what_cannot_be(function: Any) -> None:
    both_raise(function, np.zeros((2, 3)))
