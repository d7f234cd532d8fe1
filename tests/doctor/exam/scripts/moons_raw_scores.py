"""Two moons with a home-made cross-entropy on raw scores."""

import pellucid
from pellucid import nn, optim
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

pellucid.manual_seed(0)
X, y = make_moons(400, noise=0.15, random_state=0)
X = StandardScaler().fit_transform(X)
X = pellucid.tensor(X).float()
onehot = pellucid.tensor([[1.0, 0.0] if c == 0 else [0.0, 1.0] for c in y])

model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
opt = optim.SGD(model.parameters(), lr=0.1)
for epoch in range(60):
    out = model(X)
    loss = -(onehot * pellucid.log(pellucid.clamp(out, min=1e-8))).sum(1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
score = (model(X).argmax(1).numpy() == y).mean()
print("accuracy", score)
