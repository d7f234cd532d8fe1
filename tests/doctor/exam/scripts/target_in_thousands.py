"""Diabetes-like regression whose targets are prices."""

import numpy as np
import pellucid
from pellucid import nn, optim
from sklearn.datasets import make_friedman1

pellucid.manual_seed(0)
X, y = make_friedman1(400, 6, random_state=0)
prices = 25_000 * y
X, Y = pellucid.tensor(X).float(), pellucid.tensor(prices).float().reshape(-1, 1)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = optim.Adam(model.parameters(), lr=0.001)
for epoch in range(30):
    for i in range(0, 400, 40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(X[i : i + 40]), Y[i : i + 40])
        loss.backward()
        optimizer.step()
residual = (model(X) - Y).detach().numpy()
score = 1 - (residual**2).mean() / np.var(prices)
print("R2", score)
