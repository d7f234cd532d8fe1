"""Typical wrong answers to lesson 4, and the hint that each must get."""

from tests.course.wrong import Wrong

WRONG = [
    Wrong(
        "4.1",
        "def count_parameters(widths):\n    return sum(a * b for a, b in zip(widths, widths[1:]))",
        "also has a bias",
    ),
    Wrong(
        "4.1",
        "def count_parameters(widths):\n"
        "    return sum(a * b for a, b in zip(widths, widths[1:])) + sum(widths)",
        "computes nothing",
    ),
    Wrong(
        "4.1",
        "def count_parameters(widths):\n"
        "    return widths[0] * widths[1] + widths[1] + widths[1] * widths[2] + widths[2]",
        "any number of layers",
    ),
    Wrong(
        "4.2",
        "def fold(first_weight, first_bias, second_weight, second_bias):\n"
        "    return first_weight @ second_weight, second_weight @ first_bias + second_bias",
        "meets x first",
    ),
    Wrong(
        "4.2",
        "def fold(first_weight, first_bias, second_weight, second_bias):\n"
        "    return second_weight @ first_weight, first_bias + second_bias",
        "go through the second layer",
    ),
    Wrong(
        "4.3",
        "import numpy as np\n"
        "hidden_weight = np.array([[1.0, 1.0], [1.0, 1.0]])\n"
        "hidden_bias = np.array([0.0, -1.0])\n"
        "output_weight = np.array([1.0, -2.0])\n"
        "output_bias = 0.0",
        "That is XOR",
    ),
    Wrong(
        "4.4",
        "from pellucid import nn\n"
        "def make_model():\n"
        "    return nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 1))",
        "straight border",
    ),
    Wrong(
        "4.4",
        "from pellucid import nn\n"
        "def make_model():\n"
        "    return nn.Sequential(\n"
        "        nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid()\n"
        "    )",
        "below 0",
    ),
]
