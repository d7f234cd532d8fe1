"""Typical wrong answers to lesson 2, and the hint that each must get."""

from tests.course.wrong import Wrong

NEURON = "import numpy as np\n\n\ndef neuron(x, w, b):\n    return "
SLOPES = (
    "import numpy as np\n\n\ndef gradients(x, t, w, b):\n    y = 1 / (1 + np.exp(-(x @ w + b)))\n"
)
LOOP = "import numpy as np\n\n\ndef train(x, t, w, b, rate, steps):\n"

WRONG = [
    Wrong("2.1", "z = 1.5\ny = 0.8176", "the bias add"),
    Wrong("2.1", "z = 0.5\ny = 0.3775", "sign in the exponent"),
    Wrong("2.1", "z = 0.5\ny = 0.62", "four digits"),
    Wrong("2.2", NEURON + "x @ w + b", "bends it"),
    Wrong("2.2", NEURON + "1 / (1 + np.exp(-(x @ w)))", "left out"),
    Wrong("2.2", NEURON + "1 / (1 + np.exp(x @ w + b))", "sign in the exponent"),
    Wrong("2.2", NEURON + "1 / (1 + np.exp(-(w[0] * x[0] + w[1] * x[1] + b)))", "each row"),
    Wrong("2.3", SLOPES + "    d = 2 * (y - t) * y * (1 - y)\n    return x.T @ d, d.sum()", "mean"),
    Wrong(
        "2.3",
        SLOPES + "    d = 2 * (t - y) * y * (1 - y) / len(x)\n    return x.T @ d, d.sum()",
        "wrong direction",
    ),
    Wrong(
        "2.3",
        SLOPES + "    d = (y - t) * y * (1 - y) / len(x)\n    return x.T @ d, d.sum()",
        "factor in front",
    ),
    Wrong("2.3", SLOPES + "    d = 2 * (y - t) / len(x)\n    return x.T @ d, d.sum()", "how steep"),
    Wrong(
        "2.3",
        SLOPES + "    d = 2 * (y - t) * y * (1 - y) / len(x)\n    return x.T @ d, 0.0",
        "input 1",
    ),
    Wrong("2.3", SLOPES + "    return x.T @ y", "two things"),
    Wrong(
        "2.4",
        LOOP + "    for step in range(steps):\n"
        "        y = 1 / (1 + np.exp(-(x @ w + b)))\n"
        "        delta = 2 * (y - t) * y * (1 - y) / len(x)\n"
        "        w = w + rate * (x.T @ delta)\n        b = b + rate * delta.sum()\n"
        "    return w, b",
        "Which way",
    ),
    Wrong(
        "2.4",
        LOOP + "    y = 1 / (1 + np.exp(-(x @ w + b)))\n    for step in range(steps):\n"
        "        delta = 2 * (y - t) * y * (1 - y) / len(x)\n"
        "        w = w - rate * (x.T @ delta)\n        b = b - rate * delta.sum()\n"
        "    return w, b",
        "must be new",
    ),
]
