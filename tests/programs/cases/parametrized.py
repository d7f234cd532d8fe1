"""Parametrizations: a symmetric matrix, an orthogonal recurrent matrix, both trained."""

import torch
import torch.nn.utils.parametrize as parametrize
from start import compiled, fill, normal
from torch import nn


class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)

    def right_inverse(self, A):
        return A.triu()


class Cayley(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.register_buffer("Id", torch.eye(n))

    def forward(self, X):
        skew = X.triu(1) - X.triu(1).transpose(-1, -2)
        return torch.linalg.solve(self.Id + skew, self.Id - skew)


def main():
    layer = fill(nn.Linear(4, 4))
    parametrize.register_parametrization(layer, "weight", Symmetric())
    rnn = fill(nn.RNNCell(4, 4))
    parametrize.register_parametrization(rnn, "weight_hh", Cayley(4))
    model = nn.ModuleList([layer, rnn])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def step(x, y):
        optimizer.zero_grad()
        h = torch.zeros(x.size(1), 4)
        for t in range(x.size(0)):
            h = rnn(layer(x[t]), h)
        loss = (h - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    record = [step(normal(3, 5, 4), normal(5, 4)).item() for _ in range(4)]
    assert torch.allclose(layer.weight, layer.weight.t())
    Q = rnn.weight_hh
    assert torch.allclose(Q @ Q.t(), torch.eye(4), atol=1e-5)
    assert parametrize.is_parametrized(layer, "weight")
    parametrize.remove_parametrizations(layer, "weight")
    return record + [layer.weight.sum().item()]
