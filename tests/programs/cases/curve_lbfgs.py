"""A curve fitted by L-BFGS with a strong Wolfe line search, in double precision."""

import torch
from start import COMPILE, normal


def main():
    torch.set_default_dtype(torch.float64)
    try:
        x = torch.linspace(0, 4, 25)
        y = 2.5 * torch.exp(-1.3 * x) + 0.5 + 0.01 * normal(25).double()
        a = torch.tensor(1.0, requires_grad=True)
        b = torch.tensor(0.5, requires_grad=True)
        c = torch.tensor(0.0, requires_grad=True)
        assert a.dtype == torch.float64
        optimizer = torch.optim.LBFGS([a, b, c], lr=1, max_iter=5, line_search_fn="strong_wolfe")

        def objective():
            optimizer.zero_grad()
            loss = ((a * torch.exp(-b * x) + c - y) ** 2).sum()
            loss.backward()
            return loss

        if COMPILE:
            objective = torch.compile(objective)
        record = [optimizer.step(objective).item() for _ in range(4)]
        return record + [a.item(), b.item(), c.item()]
    finally:
        torch.set_default_dtype(torch.float32)
