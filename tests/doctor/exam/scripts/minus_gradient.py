"""A logistic regression whose update adds the gradient."""

import pellucid
from sklearn.datasets import make_blobs

pellucid.manual_seed(0)
X, y = make_blobs(200, centers=2, random_state=2)
X = pellucid.tensor((X - X.mean(0)) / X.std(0)).float()
y = pellucid.tensor(y).float()
w = pellucid.zeros(2, requires_grad=True)
b = pellucid.zeros(1, requires_grad=True)
for step in range(100):
    p = pellucid.sigmoid(X @ w + b)
    loss = -(y * pellucid.log(p + 1e-7) + (1 - y) * pellucid.log(1 - p + 1e-7)).mean()
    loss.backward()
    with pellucid.no_grad():
        w += 0.1 * w.grad
        b += 0.1 * b.grad
    w.grad = None
    b.grad = None
score = -loss.item()
print("loss", loss.item())
