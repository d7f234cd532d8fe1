"""A compiled step whose learning rate is far too small."""

import numpy as np
import pellucid
from pellucid import nn, optim

pellucid.manual_seed(0)
rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, (512, 1)).astype("float32")
y = np.sin(2 * x) + 0.05 * rng.normal(size=x.shape).astype("float32")
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.Adam(net.parameters(), lr=1e-7)


@pellucid.compile
def step(xb, yb):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(xb), yb)
    loss.backward()
    optimizer.step()
    return loss


for epoch in range(25):
    for i in range(0, 512, 64):
        loss = step(pellucid.tensor(x[i : i + 64]), pellucid.tensor(y[i : i + 64]))
score = -loss.item()
print("loss", loss.item())
