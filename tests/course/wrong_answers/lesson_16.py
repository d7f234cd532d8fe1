"""Typical wrong answers to lesson 16, and the hint that each must get."""

from course.wrong import Wrong

_NETWORK = """
from pellucid import nn

def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 4 * 4, 10), nn.{}(dim=1),
    )
"""

WRONG = [
    Wrong(
        "16.1",
        "import numpy as np\n"
        "def accuracy(confusion):\n    return np.trace(confusion) / len(confusion)\n"
        "def recall(confusion):\n    return np.diagonal(confusion) / confusion.sum(axis=1)",
        "Which cells",
    ),
    Wrong(
        "16.1",
        "import numpy as np\n"
        "def accuracy(confusion):\n    return np.trace(confusion) / confusion.sum()\n"
        "def recall(confusion):\n    return np.diagonal(confusion) / confusion.sum(axis=0)",
        "precision",
    ),
    Wrong(
        "16.2",
        "import numpy as np\n"
        "def most_confused(confusion):\n"
        "    return np.unravel_index(confusion.argmax(), confusion.shape)",
        "diagonal",
    ),
    Wrong(
        "16.2",
        "import numpy as np\n"
        "def most_confused(confusion):\n"
        "    mistakes = confusion - np.diag(np.diagonal(confusion))\n"
        "    said, truth = divmod(int(mistakes.argmax()), len(mistakes))\n"
        "    return truth, said",
        "Rows are the truth",
    ),
    Wrong(
        "16.2",
        "import numpy as np\n"
        "def most_confused(confusion):\n"
        "    np.fill_diagonal(confusion, 0)\n"
        "    return np.unravel_index(confusion.argmax(), confusion.shape)",
        "copy",
    ),
    Wrong(
        "16.3",
        "def centred(ink):\n"
        "    rows, columns = ink.any(axis=1).nonzero()[0], ink.any(axis=0).nonzero()[0]\n"
        "    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]",
        "no square yet",
    ),
    Wrong(
        "16.3",
        "import numpy as np\n"
        "def centred(ink):\n"
        "    rows, columns = ink.any(axis=1).nonzero()[0], ink.any(axis=0).nonzero()[0]\n"
        "    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]\n"
        "    square = np.zeros((max(ink.shape),) * 2)\n"
        "    square[: ink.shape[0], : ink.shape[1]] = ink\n"
        "    return square",
        "touches the left",
    ),
    Wrong(
        "16.3",
        "import numpy as np\n"
        "def centred(ink):\n"
        "    rows, columns = ink.any(axis=1).nonzero()[0], ink.any(axis=0).nonzero()[0]\n"
        "    ink = ink[rows[0] : rows[-1], columns[0] : columns[-1]]\n"
        "    square = np.zeros((max(ink.shape),) * 2)\n"
        "    square[: ink.shape[0], : ink.shape[1]] = ink\n"
        "    return square",
        "5 high and 2 wide",
    ),
    Wrong("16.4", _NETWORK.format("Softmax"), "sums to 1"),
    Wrong("16.4", _NETWORK.format("LogSoftmax"), "Logarithms"),
]
