"""Fragments of beginners' texts written for PyTorch, run after changing only the import."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

INITIALIZERS = """
import pellucid as torch
import pellucid.nn as nn

linear = nn.Linear(in_features=6, out_features=4)
nn.init.zeros_(linear.weight)
print(linear.weight)
nn.init.ones_(linear.weight)
print(linear.weight)
nn.init.constant_(linear.weight, 0.54)
print(linear.weight)
nn.init.uniform_(linear.weight)
print(linear.weight.data)
nn.init.normal_(linear.weight, mean=4, std=2)
print(linear.weight)
nn.init.xavier_normal_(linear.weight)
print(linear.weight)
nn.init.xavier_uniform_(linear.weight)
print(linear.weight)
nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
print(linear.weight.data)
nn.init.kaiming_uniform_(linear.weight, mode="fan_in", nonlinearity="relu")
print(linear.weight)
print(linear.bias, linear)
"""

PLOT = """
import pellucid as torch
import pellucid.nn.functional as F
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2)
x = torch.linspace(LOW, HIGH, COUNT)
axes[0].plot(x, FUNCTION)
x = torch.linspace(LOW, HIGH, COUNT, requires_grad=True)
y = FUNCTION
y.sum().backward()
axes[1].plot(x.detach().numpy(), x.grad.detach().numpy())
figure.savefig(picture, format="png")
plt.close(figure)
slope = x.grad.numpy()
"""

LOOP = """
import pellucid as torch
from pellucid import nn

torch.manual_seed(0)
x = torch.linspace(-1, 1, 64).unsqueeze(1)
y = x.pow(2) + 0.05 * torch.randn(64, 1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(1, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        x = torch.tanh(self.hidden(x))
        return self.out(x)

model = Net()
criterion = nn.MSELoss()
optimizer = OPTIMIZER
losses = []
for epoch in range(200):
    optimizer.zero_grad()
    output = model(x)
    loss = criterion(output, y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
model.eval()
with torch.no_grad():
    prediction = model(x)
"""


def test_building_a_layer_and_calling_each_initializer() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(INITIALIZERS, {})
    text = printed.getvalue()
    assert text.count("Parameter containing:") == 8 and text.count("tensor(") == 10
    assert "0.54" in text and "requires_grad=True" in text
    assert "Linear(in_features=6, out_features=4, bias=True)" in text


@pytest.mark.parametrize(
    ("function", "low", "high", "count", "derivative"),
    [
        ("torch.sigmoid(x)", -10, 10, 100, lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
        ("torch.tanh(x)", -10, 10, 100, lambda x: 1 - np.tanh(x) ** 2),
        ("F.relu(x)", -10, 10, 100, lambda x: (x > 0).astype(float)),
        ("F.leaky_relu(x, 0.03)", -5, 5, 200, lambda x: np.where(x > 0, 1, 0.03)),
    ],
)
def test_B37_plotting_a_function_and_its_derivative(function, low, high, count, derivative) -> None:
    picture = io.BytesIO()
    source = PLOT.replace("FUNCTION", function).replace("LOW", str(low))
    names: dict = {"picture": picture}
    exec(source.replace("HIGH", str(high)).replace("COUNT", str(count)), names)
    assert picture.getvalue().startswith(b"\x89PNG")
    expected = derivative(np.linspace(low, high, count))
    np.testing.assert_allclose(names["slope"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer", ["SGD(model.parameters(), lr=0.3)", "Adam(model.parameters())"]
)
def test_a_plain_training_loop(optimizer: str) -> None:
    source = LOOP.replace("OPTIMIZER", "optim." + optimizer)
    names: dict = {}
    exec(source.replace("from pellucid import nn", "from pellucid import nn, optim"), names)
    assert names["losses"][-1] < 0.6 * names["losses"][0]
    assert not names["prediction"].requires_grad
