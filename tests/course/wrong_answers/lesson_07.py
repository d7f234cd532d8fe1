"""Typical wrong answers to lesson 7, and the hint that each must get."""

from tests.course.wrong import Wrong

_DESCENT = (
    "import numpy as np\n"
    "def fit_line(x, y, learning_rate=0.02, steps=2000):\n"
    "    w, b = 0.0, 0.0\n"
    "    for _ in range(steps):\n"
    "        error = w * x + b - y\n"
    "        w = w {sign} learning_rate * (2 * error * x).mean()\n"
    "        {again}\n"
    "        b = b {sign} learning_rate * (2 * error).{how}()\n"
    "    return w, b\n"
)
_AGAIN = "error = w * x + b - y"

WRONG = [
    Wrong(
        "7.1",
        "def step(w, slope, learning_rate):\n    return w + learning_rate * slope",
        "uphill",
    ),
    Wrong(
        "7.1",
        "def step(w, slope, learning_rate):\n    return -learning_rate * slope",
        "Where does it lead",
    ),
    Wrong(
        "7.2",
        "def largest_rate(curvature):\n    return 2 / curvature.diagonal().max()",
        "eigenvalues",
    ),
    Wrong(
        "7.2",
        "import numpy as np\n"
        "def largest_rate(curvature):\n"
        "    return 2 / np.linalg.eigvalsh(curvature).min()",
        "flattest or the steepest",
    ),
    Wrong(
        "7.2",
        "import numpy as np\n"
        "def largest_rate(curvature):\n"
        "    return 1 / np.linalg.eigvalsh(curvature).max()",
        "between −1 and 1",
    ),
    Wrong(
        "7.3",
        "def numerical_slope(function, w, h=1e-5):\n    return (function(w + h) - function(w)) / h",
        "One side only",
    ),
    Wrong(
        "7.3",
        "def numerical_slope(function, w, h=1e-5):\n"
        "    return (function(w + h) - function(w - h)) / h",
        "How far apart",
    ),
    Wrong("7.4", _DESCENT.format(sign="+", again=_AGAIN, how="sum"), "which way"),
    Wrong("7.4", _DESCENT.format(sign="-", again=_AGAIN, how="sum"), "The loss is a mean"),
    Wrong("7.4", _DESCENT.format(sign="-", again=_AGAIN, how="mean"), "before or after"),
]
