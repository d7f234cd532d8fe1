"""Typical wrong answers to lesson 9, and the hint that each must get."""

from tests.course.wrong import Wrong

_ORDER = (
    "def order_of(parents, last):\n"
    "    order, seen = [], set()\n"
    "    def visit(name):\n"
    "        if name not in seen:\n"
    "            {}\n"
    "    visit(last)\n"
    "    return order"
)
_NUMBER = (
    "class Number:\n"
    "    def __init__(self, value, parents=(), slopes=()):\n"
    "        self.value, self.parents, self.slopes = value, parents, slopes\n"
    "        self.grad = 0.0\n"
    "    def __add__(self, other):\n"
    "        return Number(self.value + other.value, (self, other), (1.0, 1.0))\n"
    "    def __mul__(self, other):\n"
    "        return Number(self.value * other.value, (self, other), (other.value, self.value))\n"
    "    def backward(self):\n"
    "        self.grad = 1.0\n"
    "        waiting = [self]\n"
    "        while waiting:\n"
    "            number = waiting.pop()\n"
    "            for parent, slope in zip(number.parents, number.slopes):\n"
    "                parent.grad {} number.grad * slope\n"
    "                waiting.append(parent)\n"
)
_MOMENTUM = (
    "import numpy as np\n"
    "class Momentum:\n"
    "    def __init__(self, parameters, learning_rate, momentum=0.9):\n"
    "        self.parameters, self.rate, self.momentum = parameters, learning_rate, momentum\n"
    "        self.v = [np.zeros_like(p.data) for p in parameters]\n"
    "    def step(self):\n"
    "        for i, p in enumerate(self.parameters):\n"
    "            {}\n"
    "            p.data = p.data - self.rate * self.v[i]\n"
)

WRONG = [
    Wrong(
        "9.1",
        _ORDER.format("seen.add(name); order.append(name); [visit(p) for p in parents[name]]"),
        "before or after",
    ),
    Wrong(
        "9.1",
        _ORDER.format("[visit(p) for p in parents[name]]; order.append(name)"),
        "stands there twice",
    ),
    Wrong("9.1", "def order_of(parents, last):\n    return list(parents)", "begin at `last`"),
    Wrong(
        "9.2",
        "def fitted_gradient(gradient, shape):\n"
        "    while gradient.ndim > len(shape):\n"
        "        gradient = gradient.mean(axis=0)\n"
        "    return gradient",
        "slopes add up",
    ),
    Wrong(
        "9.2",
        "def fitted_gradient(gradient, shape):\n"
        "    while gradient.ndim > len(shape):\n"
        "        gradient = gradient.sum(axis=0)\n"
        "    return gradient",
        "length 1",
    ),
    Wrong("9.3", _NUMBER.format("="), "second share"),
    Wrong("9.3", _NUMBER.format("+="), "complete before its turn"),
    Wrong("9.4", _MOMENTUM.format("self.v[i] = p.grad"), "roll on"),
    Wrong(
        "9.4",
        _MOMENTUM.format("self.v[i] = self.momentum * self.v[i] + (1 - self.momentum) * p.grad"),
        "plain gradient descent",
    ),
    Wrong(
        "9.4",
        "class Momentum:\n"
        "    def __init__(self, parameters, learning_rate, momentum=0.9):\n"
        "        self.parameters, self.rate, self.momentum = parameters, learning_rate, momentum\n"
        "        self.v = 0\n"
        "    def step(self):\n"
        "        for p in self.parameters:\n"
        "            self.v = self.momentum * self.v + p.grad\n"
        "            p.data = p.data - self.rate * self.v\n",
        "velocity of its own",
    ),
]
