"""Typical wrong answers to lesson 32, and the hint that each must get."""

from course.wrong import Wrong

_FIT = """
import pellucid.nn.functional as F

def fit(network, optimizer, x, y, steps):
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy({}, y)
        {}
        loss.backward()
        optimizer.step()
        losses.append(loss{})
    return losses
"""

WRONG = [
    Wrong(
        "32.1",
        "import math\ndef lowest_loss(classes):\n    return math.log(classes)",
        "knowing nothing",
    ),
    Wrong("32.1", "def lowest_loss(classes):\n    return 0.0", "without bounds"),
    Wrong(
        "32.1",
        "import math\ndef lowest_loss(classes):\n    return math.log(1 + classes / math.e)",
        "nine others",
    ),
    Wrong(
        "32.2",
        "def dead_units(outputs):\n    return (outputs == 0).any(axis=0).nonzero()[0]",
        "at least one row",
    ),
    Wrong(
        "32.2",
        "def dead_units(outputs):\n    return (outputs == 0).all(axis=1).nonzero()[0]",
        "which axis",
    ),
    Wrong("32.2", "def dead_units(outputs):\n    return (outputs == 0).all(axis=0)", "numbers"),
    Wrong("32.3", _FIT.format("network(x)", "pass", ".item()"), "adds up"),
    Wrong(
        "32.3",
        _FIT.format("network(x).softmax(dim=1)", "optimizer.zero_grad()", ".item()"),
        "expect",
    ),
    Wrong("32.3", _FIT.format("network(x)", "optimizer.zero_grad()", ""), "keep their graphs"),
    Wrong(
        "32.4",
        "import numpy as np\n"
        "def prepare(train, test):\n"
        "    both = np.concatenate([train, test])\n"
        "    mean, deviation = both.mean(axis=0), both.std(axis=0)\n"
        "    return (train - mean) / deviation, (test - mean) / deviation",
        "whose mean",
    ),
    Wrong(
        "32.4",
        "def prepare(train, test):\n"
        "    return ((train - train.mean(axis=0)) / train.std(axis=0),\n"
        "            (test - test.mean(axis=0)) / test.std(axis=0))",
        "one new row",
    ),
]
