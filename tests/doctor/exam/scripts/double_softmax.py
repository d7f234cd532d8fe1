"""Digits by a class whose forward ends with a softmax, and CrossEntropyLoss."""

import pellucid
import pellucid.nn as nn
import pellucid.nn.functional as F
from pellucid.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.output = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return F.softmax(self.output(x), dim=1)


pellucid.manual_seed(0)
X, y = load_digits(return_X_y=True)
data = TensorDataset(pellucid.tensor(X / 16).float(), pellucid.tensor(y))
loader = DataLoader(data, batch_size=64, shuffle=True)
model = Classifier()
loss_fn = nn.CrossEntropyLoss()
optimizer = pellucid.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(6):
    for xb, yb in loader:
        pred = model(xb)
        loss = loss_fn(pred, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
score = (model(pellucid.tensor(X / 16).float()).argmax(1).numpy() == y).mean()
print("accuracy", score)
