"""XOR by weights of one's own, without any module."""

import pellucid

pellucid.manual_seed(3)
X = pellucid.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = pellucid.tensor([[0.0], [1.0], [1.0], [0.0]])
W1 = pellucid.randn(2, 8).requires_grad_()
b1 = pellucid.zeros(8).requires_grad_()
W2 = pellucid.randn(8, 1).requires_grad_()
b2 = pellucid.zeros(1).requires_grad_()
optimizer = pellucid.optim.SGD([W1, b1, W2, b2], lr=2.0)
for i in range(800):
    hidden = pellucid.tanh(X @ W1 + b1)
    out = pellucid.sigmoid(hidden @ W2 + b2)
    loss = ((out - Y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
score = -loss.item()
print("loss", loss.item())
