"""Tensors: operators, indexing, reductions, creation, changes in place."""

import numpy as np

import pellucid
from pellucid import Tensor

x = pellucid.randn(5, 4, requires_grad=True)

reveal_type(x + 1)  # Tensor
reveal_type(2.0 * x)  # Tensor
reveal_type(x @ x.T)  # Tensor
reveal_type(-x)  # Tensor
reveal_type(x**2)  # Tensor
reveal_type(x == 1)  # Tensor
reveal_type(x > 0)  # Tensor
reveal_type(x[0])  # Tensor
reveal_type(x[1:, None, ..., 0])  # Tensor
reveal_type(x[x > 0])  # Tensor
reveal_type(x.shape)  # Size
reveal_type(x.size(0))  # int
reveal_type(x.dtype)  # DType
reveal_type(x.device)  # Device
reveal_type(x.grad)  # Tensor | None
reveal_type(x.item())  # int | float
reveal_type(x.numpy().shape)  # tuple[Any, ...]
reveal_type(len(x))  # int
reveal_type(float(x.sum()))  # float

reveal_type(x.sum())  # Tensor
reveal_type(x.mean(dim=0, keepdim=True))  # Tensor
reveal_type(x.max())  # Tensor
reveal_type(x.max(1))  # ValuesIndices
reveal_type(x.max(1).values)  # Tensor
reveal_type(pellucid.max(x))  # Tensor
reveal_type(pellucid.max(x, 1))  # ValuesIndices
reveal_type(pellucid.median(x, 0))  # ValuesIndices
reveal_type(x.sort())  # ValuesIndices
reveal_type(x.topk(2).indices)  # Tensor
reveal_type(x.var_mean(0))  # tuple[Tensor, Tensor]
reveal_type(x.unique())  # Tensor
reveal_type(x.nonzero())  # Tensor
reveal_type(x.nonzero(as_tuple=True))  # tuple[Tensor, ...]
reveal_type(x.split(2))  # tuple[Tensor, ...]
reveal_type(x.allclose(x))  # bool
reveal_type(pellucid.where(x > 0, x, 0.0))  # Tensor
reveal_type(pellucid.cat([x, x]))  # Tensor
reveal_type(pellucid.einsum("ij,kj->ik", x, x))  # Tensor

reveal_type(pellucid.zeros(2, 3))  # Tensor
reveal_type(pellucid.zeros((2, 3), dtype=pellucid.int64, device="cpu"))  # Tensor
reveal_type(pellucid.tensor([[1.0], [2.0]]))  # Tensor
reveal_type(pellucid.arange(3))  # Tensor
reveal_type(pellucid.from_numpy(np.ones(3)))  # Tensor
reveal_type(pellucid.Generator().manual_seed(0))  # Generator
reveal_type(pellucid.linalg.inv(x))  # Tensor

reveal_type(x.exp().add_(1).mul_(2))  # Tensor
reveal_type(x.to(pellucid.float64))  # Tensor
reveal_type(x.to("cpu", pellucid.float64, copy=True))  # Tensor
reveal_type(x.detach().requires_grad_())  # Tensor
reveal_type(pellucid.autograd.grad(x.sum(), [x]))  # tuple[Tensor, ...]
x.backward(pellucid.ones_like(x))
x[0] = 1.0


def mix(first: Tensor, second: Tensor) -> Tensor:
    first += second
    return first
