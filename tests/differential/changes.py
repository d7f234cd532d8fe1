"""Random histories of Python state: calls of a function, and changes of what it reads between them.

Each :class:`Item` is something that a function can rely on (a global, an attribute, a hook, an
optimizer's state), how the function reads it, and ways to change it.  A history is a script that
logs what each call gives; eagerly, compiled and in PyTorch the log must be the same.
"""

from __future__ import annotations

import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st

import pellucid
from differential.running import Difference, array

Choose = Callable[[int, int], int]


@dataclass(frozen=True)
class Item:
    """``setup`` makes it, ``use`` turns ``y`` into a new ``y`` inside of the function, each of
    ``changes`` alters it.  ``N`` is replaced by the item's number."""

    setup: str
    use: str
    changes: tuple[str, ...]


ITEMS = (
    Item("kN = 1.5", "y = y * kN", ("kN = 2.5", "kN = -0.5", "kN = 2", "kN = True")),
    Item("modeN = 'sin'", "y = getattr(y, modeN)()", ("modeN = 'cos'", "modeN = 'tanh'")),
    Item("flagN = None", "y = y + 1 if flagN is None else y - 1", ("flagN = 0", "flagN = None")),
    Item("ksN = [2.0, 3.0]", "y = y * ksN[0] + sum(ksN)",
         ("ksN[0] = 4.0", "ksN.append(1.0)", "if len(ksN) > 1: ksN.pop()",
          "ksN = [0.5]", "ksN.reverse()")),
    Item("pairN = (1.0, (2.0, 3.0))", "y = y * pairN[1][0]", ("pairN = (1.0, (5.0, 3.0))",)),
    Item("cfgN = {'a': 1.0, 'in': {'b': 2.0}}", "y = y * cfgN['a'] + cfgN['in']['b']",
         ("cfgN['a'] = 3.0", "cfgN['in']['b'] = 5.0", "cfgN['in'] = {'b': 7.0}",
          "cfgN = {'a': 0.5, 'in': {'b': 0.0}}")),
    Item("setN = {1.0, 2.0}", "y = y * len(setN)", ("setN.add(3.0)", "setN.discard(1.0)")),
    Item("class CN:\n    scale = 2.0\n    @staticmethod\n    def act(v): return v.sin()\noN = CN()",
         "y = CN.act(y * oN.scale)",
         ("oN.scale = 3.0", "CN.scale = 4.0", "CN.act = staticmethod(lambda v: v.cos())",
          "oN = CN()")),
    Item("import dataclasses\n@dataclasses.dataclass\nclass DN:\n    rate: float = 0.5\n"
         "    inner: list = dataclasses.field(default_factory=lambda: [1.0])\ndN = DN()",
         "y = y * dN.rate + dN.inner[0]", ("dN.rate = 0.25", "dN.inner[0] = 2.0", "dN = DN(3.0)")),
    Item("import types\nnsN = types.SimpleNamespace(a=1.0)", "y = y + nsN.a", ("nsN.a = 2.0",)),
    Item("import numpy\narrN = numpy.array([1.0, 2.0, 3.0])", "y = y * float(arrN.sum())",
         ("arrN[0] = 5.0", "arrN += 1", "arrN = numpy.array([0.5])")),
    Item("def actN(v): return v.sin()", "y = actN(y)",
         ("actN = lambda v: v.cos()", "actN = L.tanh")),
    Item("innerN = 2.0\ndef helperN(v): return v * innerN", "y = helperN(y)",
         ("innerN = 3.0", "innerN = -1.0")),
    Item("def makeN():\n    c = 2.0\n    def use(v): return v * c\n    def set(w):\n"
         "        nonlocal c\n        c = w\n    return use, set\nuseN, setterN = makeN()",
         "y = useN(y)", ("setterN(4.0)", "setterN(0.5)")),
    Item("def defN(v, by=2.0, *, more=1.0): return v * by + more", "y = defN(y)",
         ("defN.__defaults__ = (3.0,)", "defN.__kwdefaults__ = {'more': 5.0}")),
    Item("import functools\npN = functools.partial(lambda v, by: v * by, by=2.0)", "y = pN(y)",
         ("pN = functools.partial(lambda v, by: v * by, by=4.0)", "pN.keywords['by'] = 3.0")),
    Item("class MN(L.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.act = L.sin\n        self.gain = 2.0\n        self.sizes = [1.0]\n"
         "    def forward(self, v): return self.act(v) * self.gain + self.sizes[0]\nmN = MN()",
         "y = mN(y)",
         ("mN.act = L.cos", "mN.gain = 3.0", "mN.sizes[0] = 2.0", "mN.sizes = [5.0]",
          "mN.forward = lambda v: v * 0.5", "MN.forward = lambda self, v: v + self.gain")),
    Item("class LN(L.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
         "        self.parts = L.nn.ModuleList([L.nn.Tanh()])\n    def forward(self, v):\n"
         "        for p in self.parts: v = p(v)\n        return v\nlN = LN()", "y = lN(y)",
         ("lN.parts.append(L.nn.Sigmoid())", "lN.parts.insert(0, L.nn.ReLU())",
          "if len(lN.parts): lN.parts[0] = L.nn.Softplus()",
          "if len(lN.parts): del lN.parts[0]", "lN.parts.extend([L.nn.Tanh()])")),
    Item("qN = L.nn.Sequential(L.nn.Tanh())", "y = qN(y)",
         ("qN.append(L.nn.Sigmoid())", "qN[0] = L.nn.ReLU()",
          "qN.add_module('x', L.nn.Softplus())")),
    Item("dictN = L.nn.ModuleDict({'a': L.nn.Tanh()})",
         "for part in dictN.values(): y = part(y)",
         ("dictN['b'] = L.nn.Sigmoid()", "dictN['a'] = L.nn.ReLU()", "dictN.clear()")),
    Item("wN = L.nn.Parameter(L.ones(3, dtype=L.float64))\nhandlesN = []",
         "loss = (wN * y).sum(); y = y + L.autograd.grad(loss, wN)[0] if not handlesN else "
         "y + L.autograd.grad(loss, wN)[0] * 2",
         ("handlesN.append(1)", "handlesN.clear()")),
    Item("hookedN = L.nn.Tanh()\nhN = []", "y = hookedN(y)",
         ("hN.append(hookedN.register_forward_hook(lambda m, a, o: o * 2))",
          "hN.append(hookedN.register_forward_pre_hook(lambda m, a: (a[0] + 1,)))",
          "hN and hN.pop().remove()")),
    Item("bnN = L.nn.Dropout(0.0)", "y = y * 2 if bnN.training else y",
         ("bnN.eval()", "bnN.train()")),
    Item("tN = L.ones(3, dtype=L.float64)", "y = y * tN",
         ("tN.fill_(2.0)", "tN = L.full((3,), 3.0, dtype=L.float64)", "tN.mul_(0.5)")),
    Item("bufN = L.nn.Module()\nbufN.register_buffer('b', L.ones(3, dtype=L.float64))",
         "y = y + bufN.b",
         ("bufN.b = L.zeros(3, dtype=L.float64)", "bufN.b.add_(1)",
          "bufN.register_buffer('b', L.full((3,), 4.0, dtype=L.float64))")),
)  # fmt: skip
"""What a pure function reads."""

TRAINING = (
    Item("optN = L.optim.SGD([w], lr=0.1, momentum=0.9)", "",
         ("optN.state.clear()", "optN.param_groups[0]['lr'] = 0.01",
          "optN.param_groups[0]['momentum'] = 0.5", "optN.param_groups[0]['weight_decay'] = 0.1",
          "optN.param_groups[0]['nesterov'] = True", "optN = L.optim.SGD([w], lr=0.2)",
          "optN.load_state_dict(optN.state_dict())")),
    Item("optN = L.optim.Adam([w], lr=0.1)", "",
         ("optN.state.clear()", "if optN.state: optN.state[w]['exp_avg'].zero_()",
          "optN.param_groups[0]['betas'] = (0.5, 0.9)", "optN.param_groups[0]['amsgrad'] = False",
          "optN.param_groups[0]['eps'] = 0.1")),
)  # fmt: skip
"""Optimizers: the function then is a training step over the parameter ``w``."""

PARAMETER_CHANGES = (
    "handles.append(w.register_hook(lambda g: g * 2))",
    "handles and handles.pop().remove()",
    "L.nn.init.constant_(w, 0.3)",
    "w.data.mul_(0.5)",
    "w.grad = None",
    "handles.append(w.register_hook(lambda g: g + 1))",
)


@dataclass
class History:
    """A script that logs the results of its calls."""

    text: str

    def __str__(self) -> str:
        return self.text


def build(integer: Choose, training: bool) -> History:
    """A history over a few items, chosen by ``integer(low, high)``."""
    chosen = [ITEMS[integer(0, len(ITEMS) - 1)] for _ in range(integer(1, 2))]
    if training:
        chosen.append(TRAINING[integer(0, len(TRAINING) - 1)])
    numbered = [_numbered(item, n) for n, item in enumerate(chosen)]
    setup = "\n".join(item.setup for item in numbered)
    uses = [item.use for item in numbered if item.use]
    body = ["y = x", *uses]
    if training:
        optimizer = f"opt{len(numbered) - 1}"
        body = ["y = x * w", *uses, f"{optimizer}.zero_grad()", "loss = y.square().sum()",
                "loss.backward()", f"{optimizer}.step()", "y = y.detach()"]  # fmt: skip
    lines = ["log.append(f(x))"]
    for _ in range(integer(1, 4)):
        options = [c for item in numbered for c in item.changes]
        options += list(PARAMETER_CHANGES) if training else []
        lines += [options[integer(0, len(options) - 1)], "log.append(f(x))"]
        if training:
            lines.append("log.append(w)")
    head = textwrap.dedent("""\
        w = L.nn.Parameter(L.tensor([0.5, -1.0, 2.0], dtype=L.float64))
        x = L.tensor([1.0, 2.0, 3.0], dtype=L.float64)
        log, handles = Log(), []
        """)
    function = "\n".join(["def f(x):", *(f"    {line}" for line in body), "    return y"])
    return History("\n".join([head + setup, function, "f = compile(f)", *lines]))


def _numbered(item: Item, number: int) -> Item:
    """The item with its number in the place of ``N`` at the end of names."""

    def put(text: str) -> str:
        return re.sub(r"(?<=[a-zA-Z])N\b", str(number), text)

    return Item(put(item.setup), put(item.use), tuple(put(c) for c in item.changes))


class Log(list[np.ndarray]):
    """Copies of the tensors that are appended."""

    def append(self, value: Any) -> None:
        super().append(array(value))


def run(history: History, library: ModuleType, compile: Callable[[Any], Any]) -> list[np.ndarray]:
    """The log of a history."""
    module = sys.modules["history"] = ModuleType("history")  # as if it were a file of its own
    space = vars(module)
    space |= {"L": library, "compile": compile, "Log": Log}
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(history.text, space)  # text of our own making
    return list(space["log"])


def check(history: History, torch: ModuleType | None) -> None:
    """Compare the log of the compiled function with the eager ones."""
    eager = run(history, pellucid, lambda f: f)
    # Adam divides by what it has seen: of a slope near 0, few digits of which are exact, it makes a
    # step like any other.
    rtol, atol = (1e-6, 1e-6) if "L.optim" in history.text else (1e-9, 1e-12)
    others = {"compiled": run(history, pellucid, pellucid.compile)}
    if torch is not None:
        others["PyTorch"] = run(history, torch, lambda f: f)
    for name, log in others.items():
        for call, (left, right) in enumerate(zip(log, eager, strict=True)):
            if not np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True):
                raise Difference(f"entry {call} of the log is {left} ({name}), {right} (eager)")


@st.composite
def histories(draw: Any, training: bool = False) -> History:
    """Histories as hypothesis draws and shrinks them."""
    return build(lambda low, high: draw(st.integers(low, high)), training)
