"""Typical wrong answers to lesson 5, and the hint that each must get."""

from tests.course.wrong import Wrong

_NETWORK = (
    "from pellucid import nn\n"
    "def make_network():\n"
    "    return nn.Sequential(nn.Linear(64, 50), {}nn.Linear(50, 50), {}nn.Linear(50, 10){})"
)

WRONG = [
    Wrong("5.1", "def relu_slope(x):\n    return x * (x > 0)", "value of ReLU"),
    Wrong("5.1", "def relu_slope(x):\n    return (x >= 0).astype(x.dtype)", "at 0 is 0"),
    Wrong("5.1", "def relu_slope(x):\n    return 1.0", "one slope for each"),
    Wrong(
        "5.2",
        "import numpy as np\n"
        "def slope_from_value(a):\n"
        "    s = 1 / (1 + np.exp(-a))\n"
        "    return s * (1 - s)",
        "not applied again",
    ),
    Wrong("5.2", "def slope_from_value(a):\n    return 1 - a**2", "nothing but the value"),
    Wrong(
        "5.3",
        "import numpy as np\n"
        "def dead_units(sums):\n"
        "    return np.flatnonzero((sums <= 0).any(axis=0))",
        "for every row",
    ),
    Wrong("5.3", "def dead_units(sums):\n    return (sums <= 0).all(axis=0)", "yes or no"),
    Wrong(
        "5.3",
        "import numpy as np\n"
        "def dead_units(sums):\n"
        "    return np.flatnonzero((sums <= 0).all(axis=1))",
        "Columns are units",
    ),
    Wrong(
        "5.3",
        "import numpy as np\n"
        "def dead_units(sums):\n"
        "    return np.flatnonzero((sums < 0).all(axis=0))",
        "exactly 0",
    ),
    Wrong(
        "5.4",
        "import numpy as np\ndef sigmoid(z):\n    return 1 / (1 + np.exp(-z))",
        "NumPy warned",
    ),
    Wrong(
        "5.4",
        "import numpy as np\n"
        "def sigmoid(z):\n"
        "    return np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))",
        "both of its sides",
    ),
    Wrong(
        "5.4",
        "import numpy as np\ndef sigmoid(z):\n    return 1 / (1 + np.exp(-np.clip(z, -20, 20)))",
        "neither 0 nor more",
    ),
    Wrong("5.5", _NETWORK.format("nn.Softmax(dim=1), ", "nn.ReLU(), ", ""), "compete"),
    Wrong("5.5", _NETWORK.format("nn.ReLU(), ", "nn.ReLU(), ", ", nn.ReLU()"), "negative as well"),
    Wrong("5.5", _NETWORK.format("", "nn.ReLU(), ", ""), "side by side"),
    Wrong(
        "5.5",
        _NETWORK.format("nn.ReLU(), ", "nn.ReLU(), ", ", nn.Softmax(dim=1)"),
        "applies softmax itself",
    ),
]
