"""The optimizer is made before the model is made anew."""

import pellucid
from pellucid import nn, optim
from sklearn.datasets import make_classification

pellucid.manual_seed(0)
X, y = make_classification(400, 10, n_informative=6, random_state=1)
X, y = pellucid.tensor(X).float(), pellucid.tensor(y)


def build():
    return nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 2))


model = build()
optimizer = optim.Adam(model.parameters(), lr=0.01)
model = build()  # with fresh weights
for epoch in range(60):
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(X), y)
    loss.backward()
    optimizer.step()
score = (model(X).argmax(1).numpy() == y.numpy()).mean()
print("accuracy", score)
