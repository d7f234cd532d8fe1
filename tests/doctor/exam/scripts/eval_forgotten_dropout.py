"""A network whose dropout is a function, which nothing switches off."""

import numpy as np
import pellucid
from pellucid import nn, optim
from pellucid.nn import functional as F
from sklearn.datasets import load_digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 10)

    def forward(self, x):
        return self.b(F.dropout(F.relu(self.a(x)), p=0.6))


pellucid.manual_seed(0)
X, y = load_digits(return_X_y=True)
X = pellucid.tensor(X / 16).float()
net = Net()
optimizer = optim.Adam(net.parameters(), lr=0.005)
for epoch in range(8):
    net.train()
    for i in range(0, 1400, 64):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(X[i : i + 64]), pellucid.tensor(y[i : i + 64]))
        loss.backward()
        optimizer.step()
    net.eval()
    with pellucid.no_grad():
        print(epoch, F.cross_entropy(net(X[1400:]), pellucid.tensor(y[1400:])).item())
score = np.mean(net(X[1400:]).argmax(1).numpy() == y[1400:])
print("accuracy", score)
