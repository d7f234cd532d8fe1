"""Typical wrong answers to lesson 6, and the hint that each must get."""

from tests.course.wrong import Wrong

_PROGRAM = (
    "import pellucid.nn.functional as F\n"
    "from pellucid import nn\n"
    "def make_model():\n"
    "    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3){})\n"
    "def loss_of(model, x, y):\n"
    "    return F.cross_entropy({}, y)\n"
)
_ENTROPY = (
    "import numpy as np\n"
    "def cross_entropy(scores, target):\n"
    "    p = np.exp(scores{0}) / np.exp(scores{0}).sum()\n"
    "    return {1}"
)

WRONG = [
    Wrong(
        "6.1",
        "def squared_errors(predictions, targets):\n"
        "    e = predictions - targets\n"
        "    return e.sum() ** 2, e.mean() ** 2, e.sum() ** 2 / 2",
        "cancel each other",
    ),
    Wrong(
        "6.1",
        "def squared_errors(predictions, targets):\n"
        "    s = (predictions - targets) ** 2\n"
        "    return s.sum(), s.mean(), s.mean() / 2",
        "not of the mean",
    ),
    Wrong(
        "6.1",
        "def squared_errors(predictions, targets):\n"
        "    s = (predictions - targets) ** 2\n"
        "    return s.sum(), s.sum() / len(s), s.sum() / 2",
        "count its elements",
    ),
    Wrong(
        "6.2",
        "def rate_for_mean(rate_for_sum, rows):\n    return rate_for_sum / rows",
        "shrink as well",
    ),
    Wrong(
        "6.2",
        "def rate_for_mean(rate_for_sum, rows):\n    return rate_for_sum",
        "What happens to the slope",
    ),
    Wrong("6.3", _ENTROPY.format("", "np.log(p[target])"), "mind the sign"),
    Wrong("6.3", _ENTROPY.format("", "p[target]"), "How surprising"),
    Wrong("6.3", _ENTROPY.format("", "-np.log(p[target])"), "too large for a float"),
    Wrong(
        "6.3",
        _ENTROPY.format(" - scores.max()", "-np.log(p[target])"),
        "Take the logarithm apart",
    ),
    Wrong("6.4", _PROGRAM.format(", nn.Softmax(dim=1)", "model(x)"), "add up to 1"),
    Wrong("6.4", _PROGRAM.format("", "F.softmax(model(x), dim=1)"), "as they are"),
]
