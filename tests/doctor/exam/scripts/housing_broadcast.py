"""A regression of generated data; y was never made a column."""

import pellucid
from pellucid import nn
from sklearn.datasets import make_regression

pellucid.manual_seed(0)
X, y = make_regression(300, 6, noise=2.0, random_state=3)
X, y = pellucid.tensor(X).float(), pellucid.tensor(y / y.std()).float()

model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
opt = pellucid.optim.Adam(model.parameters(), lr=0.01)
for step in range(150):
    pred = model(X)
    loss = pellucid.mean((pred - y) ** 2)
    opt.zero_grad()
    loss.backward()
    opt.step()
residual = (model(X).squeeze() - y).detach().numpy()
score = 1 - (residual**2).mean()
print("R2", score)
