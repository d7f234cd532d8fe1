"""Iris, split without shuffling: the file is sorted by class."""

import numpy as np
import pellucid
from pellucid import Trainer, nn, optim
from sklearn.datasets import load_iris

pellucid.manual_seed(0)
X, y = load_iris(return_X_y=True)
X = ((X - X.mean(0)) / X.std(0)).astype("float32")
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.01))
trainer.fit((X[:110], y[:110]), (X[110:], y[110:]), epochs=30, batch_size=16, progress=False)
score = np.mean(model(pellucid.tensor(X[110:])).argmax(1).numpy() == y[110:])
print("accuracy", score)
