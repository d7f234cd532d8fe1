"""Newton's method and a Hessian by torch.autograd.functional and torch.func."""

import torch
from start import COMPILE, normal
from torch.autograd.functional import hessian, hvp, jacobian
from torch.func import jacfwd, jacrev, jvp, vjp


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def main():
    newton = lambda x: x - torch.linalg.solve(hessian(rosenbrock, x), jacobian(rosenbrock, x))  # noqa: E731
    x = torch.tensor([-0.5, 0.4, 1.2])
    record = []
    for _ in range(4):
        record.append(rosenbrock(x).item())
        x = newton(x).detach()
    v = normal(3)
    record.append(hvp(rosenbrock, x, v)[1].norm().item())

    def f(x):
        return torch.stack([x.prod(), x.sin().sum(), (x**2).sum().exp()])

    derivatives = lambda x: (jacfwd(f)(x), jacrev(f)(x))  # noqa: E731
    if COMPILE:
        derivatives = torch.compile(derivatives)
    y = 0.3 * normal(3)
    forward, reverse = derivatives(y)
    assert torch.allclose(forward, reverse, atol=1e-5)
    value, tangent = jvp(f, (y,), (v,))
    _, pull = vjp(f, y)
    assert torch.allclose(tangent, forward @ v, atol=1e-5)
    assert torch.allclose(pull(v)[0], reverse.t() @ v, atol=1e-5)
    return record + [forward.norm().item(), value.sum().item()]
