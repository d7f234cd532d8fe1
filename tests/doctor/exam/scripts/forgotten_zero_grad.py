"""Breast cancer; gradients are never set back."""

import pellucid
from pellucid import nn, optim
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

pellucid.manual_seed(0)
X, y = load_breast_cancer(return_X_y=True)
X = pellucid.tensor(StandardScaler().fit_transform(X)).float()
target = pellucid.tensor(y).float().unsqueeze(1)

model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = optim.SGD(model.parameters(), lr=0.5)
losses = []
for epoch in range(20):
    for i in range(0, 569, 32):
        loss = loss_fn(model(X[i : i + 32]), target[i : i + 32])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
score = -sum(losses[-18:]) / 18
print("mean loss of the last epoch", -score)
