"""Long sums in compiled programs: the parts of a split product meet in one scratch buffer."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid


@pytest.mark.parametrize(("depth", "rows", "columns"), [(4096, 16, 16), (8192, 16, 9)])
def test_products_with_long_sums(depth: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(8)
    arrays = [random.normal(size=(depth, n)).astype(np.float32) for n in (rows, columns, rows)]
    a, b, c = (pellucid.tensor(x) for x in arrays)
    # Two split products in one program must not share their scratch.
    first, second = pellucid.compile(lambda a, b, c: (a.T @ b, c.T @ a))(a, b, c)
    wide = [x.astype(np.float64) for x in arrays]
    np.testing.assert_allclose(first.numpy(), wide[0].T @ wide[1], atol=2e-3)
    np.testing.assert_allclose(second.numpy(), wide[2].T @ wide[0], atol=2e-3)


def test_a_small_product_reads_the_weights_where_they_are_updated() -> None:
    from pellucid import nn, optim

    pellucid.manual_seed(4)
    net = nn.Sequential(nn.Linear(5, 128), nn.Tanh(), nn.Linear(128, 128), nn.Linear(128, 3))
    weights = [p.detach().numpy().astype(np.float64) for p in net.parameters()]
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    x = np.random.default_rng(6).normal(size=(32, 5)).astype(np.float32)

    @pellucid.compile
    def step(x):  # type: ignore[no-untyped-def]
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    loss = step(pellucid.tensor(x))
    w1, b1, w2, b2, w3, b3 = weights
    h = np.tanh(x @ w1.T + b1)
    z = h @ w2.T + b2
    y = z @ w3.T + b3
    assert float(loss) == pytest.approx(float(np.square(y).mean()), rel=1e-5)
    dy = 2 * y / y.size
    dz = dy @ w3
    dh = dz @ w2 * (1 - h**2)
    gradients = [dh.T @ x, dh.sum(0), dz.T @ h, dz.sum(0), dy.T @ z, dy.sum(0)]
    for parameter, before, gradient in zip(net.parameters(), weights, gradients, strict=True):
        found = parameter.detach().numpy()
        np.testing.assert_allclose(found, before - 0.5 * gradient, rtol=1e-4, atol=1e-6)
    uses = [u.cluster for uses in step.executable.region_uses for u in uses]
    in_parts = [c for c in uses if uses.count(c) == 2]
    assert {c.anchors[0].shape for c in in_parts} == {(32, 128)}  # dz·W, and what adds the parts
