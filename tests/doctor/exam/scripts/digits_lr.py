"""Digits; the learning rate was copied from an SGD example."""

import numpy as np
import pellucid
import pellucid.nn as nn
import pellucid.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


pellucid.manual_seed(1)
X, y = load_digits(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split(X / 16.0, y, random_state=1)
Xtr, Xte = pellucid.tensor(Xtr).float(), pellucid.tensor(Xte).float()
ytr = pellucid.tensor(ytr)

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = pellucid.optim.Adam(net.parameters(), lr=0.5)
for epoch in range(4):
    for i in range(0, len(Xtr), 50):
        optimizer.zero_grad()
        loss = criterion(net(Xtr[i : i + 50]), ytr[i : i + 50])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
score = np.mean(net(Xte).argmax(1).numpy() == yte)
print("test accuracy", score)
