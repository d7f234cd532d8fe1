"""Typical wrong answers to lesson 3, and the hint that each must get."""

from tests.course.wrong import Wrong

PUSH = "import numpy as np\n\n\ndef push(w, b, x, t):\n    y = int(x @ w + b > 0)\n"
POCKET = (
    "import numpy as np\n\n\ndef pocket(x, t, epochs):\n    w, b = np.zeros(x.shape[1]), 0.0\n"
    "    best, fewest = (w, b), len(x) + 1\n    for epoch in range(epochs):\n"
    "        for row, target in zip(x, t):\n            answer = int(row @ w + b > 0)\n"
    "            w, b = w + (target - answer) * row, b + (target - answer)\n"
)

WRONG = [
    Wrong("3.1", "w = [1.0, -1.0]\nb = 0.5", "the bias alone"),
    Wrong("3.1", "w = [1.0, 1.0]\nb = -0.5", "vote against"),
    Wrong("3.1", "w = [1.0, -1.0]\nb = -1.0", "not above 0"),
    Wrong("3.2", PUSH + "    return w - (t - y) * x, b - (t - y)", "pushed down"),
    Wrong("3.2", PUSH + "    return w + (t - y) * x, b", "pushed, too"),
    Wrong("3.2", PUSH + "    w += (t - y) * x\n    return w, b + (t - y)", "Make a new one"),
    Wrong("3.2", PUSH + "    return w + (t - y), b + (t - y)", "in proportion"),
    Wrong("3.2", PUSH + "    return w + (2 * t - 1) * x, b + 2 * t - 1", "nothing changes"),
    Wrong(
        "3.2",
        PUSH.replace("> 0", ">= 0") + "    return w + (t - y) * x, b + (t - y)",
        "exactly 0",
    ),
    Wrong("3.3", "def xor(x):\n    return (x[:, 0] + x[:, 1] - 0.5 > 0).astype(int)", "That is OR"),
    Wrong("3.3", "def xor(x):\n    return (x[:, 0] == x[:, 1]).astype(int)", "exchanged"),
    Wrong("3.3", "def xor(x):\n    return x[:, 0] * x[:, 1]", "first layer"),
    Wrong("3.4", POCKET + "    return w, b", "on the way"),
    Wrong(
        "3.4",
        POCKET + "        mistakes = ((x @ w + b > 0).astype(int) != t).sum()\n"
        "        if mistakes < fewest:\n            best, fewest = (w, b), mistakes\n"
        "    return best",
        "When do you count",
    ),
]
