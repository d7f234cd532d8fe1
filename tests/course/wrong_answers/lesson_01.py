"""Typical wrong answers to lesson 1, and the hint that each must get."""

from tests.course.wrong import Wrong

ERROR = "import numpy as np\n\n\ndef mean_squared_error(answers, targets):\n    return "
LEARN = (
    "import numpy as np\n\n\ndef learn(x, t):\n    dice = np.random.default_rng(0)\n"
    "    a, c = 0.0, 0.0\n    for attempt in range({attempts}):\n"
    "        new_a, new_c = a + dice.normal(0, 0.3), c + dice.normal(0, 0.3)\n"
    "        if ((new_a * x + new_c - t) ** 2).mean() {sign} ((a * x + c - t) ** 2).mean():\n"
    "            a, c = new_a, new_c\n    return a, c"
)

WRONG = [
    Wrong("1.1", "def fare(x, a, c):\n    return a * x", "Getting in"),
    Wrong("1.1", "def fare(x, a, c):\n    return a + c * x", "for each kilometre"),
    Wrong("1.1", "def fare(x, a, c):\n    return a * float(x) + c", "line 2"),
    Wrong("1.1", "def fare(x, a, c):\n    print(a * x + c)", "plus the price"),
    Wrong("1.2", ERROR + "((answers - targets) ** 2).sum()", "sum"),
    Wrong("1.2", ERROR + "(answers - targets).mean() ** 2", "Square first"),
    Wrong("1.2", ERROR + "(answers - targets).mean()", "cancel"),
    Wrong("1.2", ERROR + "abs(answers - targets).mean()", "absolute"),
    Wrong("1.2", ERROR + "((answers - targets) ** 2).mean() / 2", "half"),
    Wrong("1.2", ERROR + "(answers - targets) ** 2", "one number"),
    Wrong("1.3", "def best_start(x, t, a):\n    return t.mean()", "kilometres first"),
    Wrong("1.3", "def best_start(x, t, a):\n    return t[0] - a * x[0]", "all leftovers"),
    Wrong("1.3", "def best_start(x, t, a):\n    return (t - a * x).sum()", "sum of the leftovers"),
    Wrong("1.3", "def best_start(x, t, a):\n    return t - a * x", "one number"),
    Wrong("1.4", LEARN.format(attempts=3000, sign=">"), "when is a turn kept"),
    Wrong("1.4", LEARN.format(attempts=40, sign="<"), "not there"),
    Wrong("1.4", "def learn(x, t):\n    return 2.5", "two numbers"),
]
