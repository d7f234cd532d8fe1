"""Iris in the manner of Keras, as it should be."""

import numpy as np
import pellucid
from pellucid import nn, optim
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler, OneHotEncoder


def categorical_crossentropy(y_true, y_pred):
    return -(y_true * pellucid.log(y_pred + 1e-7)).sum(dim=-1).mean()


pellucid.manual_seed(0)
X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
Y = OneHotEncoder(sparse_output=False).fit_transform(y.reshape(-1, 1))
order = np.random.RandomState(0).permutation(150)
X, Y, y = X[order], Y[order], y[order]
x_train, y_train = pellucid.tensor(X[:120]).float(), pellucid.tensor(Y[:120]).float()
x_test = pellucid.tensor(X[120:]).float()

model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=-1))
optimizer = optim.Adam(model.parameters(), lr=0.01)
for epoch in range(40):
    for i in range(0, 120, 16):
        optimizer.zero_grad()
        loss = categorical_crossentropy(y_train[i : i + 16], model(x_train[i : i + 16]))
        loss.backward()
        optimizer.step()
score = (model(x_test).argmax(1).numpy() == y[120:]).mean()
print("accuracy", score, "loss", loss.item())
