"""Typical wrong answers to lesson 8, and the hint that each must get."""

from tests.course.wrong import Wrong

_NUMBERS = "slope_w, slope_b, slope_x = {}"
_NEURON = (
    "import numpy as np\n"
    "def tanh_neuron_backward(x, w, b, slope_a):\n"
    "    a = np.tanh(w @ x + b)\n"
    "    slope_z = {}\n"
    "    return {}"
)
_XOR = (
    "import numpy as np\n"
    "def sigmoid(z):\n"
    "    return 1 / (1 + np.exp(-z))\n"
    "def forward(x, w1, b1, w2, b2):\n"
    "    hidden = sigmoid(x @ w1 + b1)\n"
    "    return hidden, sigmoid(hidden @ w2 + b2)\n"
    "def xor_gradients(x, y, w1, b1, w2, b2):\n"
    "    hidden, p = forward(x, w1, b1, w2, b2)\n"
    "    d_output = {output}\n"
    "    d_hidden = d_output @ w2.T{hidden}\n"
    "    d_w1, d_b1 = x.T @ d_hidden, d_hidden.sum(axis=0)\n"
    "    return d_w1{zero}, d_b1{zero}, hidden.T @ d_output, d_output.sum(axis=0)\n"
    "def train_xor(x, y, learning_rate=2.0, steps=3000):\n"
    "    random = np.random.default_rng(0)\n"
    "    weights = [random.normal(size=s) for s in ((2, 4), (4,), (4, 1), (1,))]\n"
    "    for _ in range(steps):\n"
    "        moves = xor_gradients(x, y, *weights)\n"
    "        weights = [w {sign} learning_rate * m for w, m in zip(weights, moves)]\n"
    "    return forward(x, *weights)[1]\n"
)
_RIGHT = {
    "output": "2 * (p - y) / 4 * p * (1 - p)",
    "hidden": " * hidden * (1 - hidden)",
    "zero": "",
    "sign": "-",
}


def _xor(**changes: str) -> str:
    return _XOR.format(**(_RIGHT | changes))


WRONG = [
    Wrong("8.1", _NUMBERS.format("3, 1, 2"), "the error itself"),
    Wrong("8.1", _NUMBERS.format("4, 2, 6"), "OTHER factor"),
    Wrong("8.1", _NUMBERS.format("2, 2, 2"), "Times what"),
    Wrong("8.2", _NEURON.format("1 - a**2", "slope_z * x, slope_z, slope_z * w"), "slope_a"),
    Wrong(
        "8.2",
        _NEURON.format("slope_a * a * (1 - a)", "slope_z * x, slope_z, slope_z * w"),
        "slope of the sigmoid",
    ),
    Wrong(
        "8.2",
        _NEURON.format("slope_a * (1 - a**2)", "slope_z * w, slope_z, slope_z * x"),
        "What does w get",
    ),
    Wrong(
        "8.3",
        "def numerical_gradient(function, place, h=1e-5):\n"
        "    return (function(place + h) - function(place - h)) / (2 * h)",
        "one number at a time",
    ),
    Wrong(
        "8.3",
        "import numpy as np\n"
        "def numerical_gradient(function, place, h=1e-5):\n"
        "    g = np.zeros(place.shape)\n"
        "    start = function(place)\n"
        "    for i in np.ndindex(place.shape):\n"
        "        moved = place.copy()\n"
        "        moved[i] += h\n"
        "        g[i] = (function(moved) - start) / h\n"
        "    return g",
        "both sides",
    ),
    Wrong("8.4", _xor(output="2 * (y - p) / 4 * p * (1 - p)", sign="+"), "look at a sign"),
    Wrong("8.4", _xor(output="2 * (p - y)"), "Where is its slope"),
    Wrong("8.4", _xor(output="2 * (p - y) * p * (1 - p)"), "mean over four rows"),
    Wrong("8.4", _xor(zero=" * 0"), "never learns"),
    Wrong("8.4", _xor(hidden=""), "pass through"),
    Wrong("8.4", _xor(sign="+"), "which way"),
]
