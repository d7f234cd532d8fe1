"""Wine, with the columns as they come from the file."""

import pellucid
from pellucid import nn, optim
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

pellucid.manual_seed(0)
X, y = load_wine(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
Xtr, Xte, ytr = pellucid.tensor(Xtr).float(), pellucid.tensor(Xte).float(), pellucid.tensor(ytr)
model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = optim.SGD(model.parameters(), lr=0.01)
for epoch in range(60):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(Xtr), ytr)
    loss.backward()
    optimizer.step()
score = (model(Xte).argmax(1).numpy() == yte).mean()
print("accuracy", score)
