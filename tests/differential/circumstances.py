"""What must not matter: other threads, what ran before, equal names, the length of a program.

Each function checks one circumstance on choices made by ``integer(low, high)`` and raises
:class:`Difference` with what was tried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

import pellucid
from differential.programs import Builder, Program
from differential.running import Difference, Failure, array, run

Choose = Callable[[int, int], int]


def _programs(integer: Choose, count: int) -> list[Program]:
    """Programs that differentiate a loss."""
    found = (Builder(integer, [pellucid]).build(False, False) for _ in range(4 * count))
    return [program for program in found if program.loss][:count]


def _bits(outcome: Any) -> Any:
    if isinstance(outcome, Failure):
        return type(outcome.error).__name__
    return {k: None if v is None else v.tobytes() for k, v in outcome.items()}


def threads(integer: Choose) -> None:
    """Programs compiled and run by several threads at once give the bits that they give alone."""
    programs = _programs(integer, integer(2, 4))
    alone = [_bits(run(p, pellucid, pellucid.compile)) for p in programs]
    pellucid.clear_caches()
    wrong: list[str] = []
    jobs = [(p, bits) for p, bits in zip(programs, alone, strict=True)] * 3
    barrier = threading.Barrier(len(jobs)) if jobs else None

    def work(program: Program, expected: Any) -> None:
        assert barrier is not None
        barrier.wait()
        try:
            outcome = run(program, pellucid, pellucid.compile)
        except BaseException as error:  # CancelledError, say
            wrong.append(f"{type(error).__name__}: {error}\n{program}")
            return
        if _bits(outcome) != expected:
            shown = outcome.error if isinstance(outcome, Failure) else "other bits"
            wrong.append(f"{type(shown).__name__} {shown}\n{program}")

    workers = [threading.Thread(target=work, args=job) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if wrong:
        raise Difference(f"with {len(jobs)} threads: {wrong[0]}")


POINTWISE = ("exp", "tanh", "sigmoid", "sin", "erf", "log1p", "softmax(-1)",
             "log_softmax(-1)", "sum(-1)", "mean(-1)", "var(-1)", "cumsum(-1)", "logsumexp(-1)",
             "square", "abs", "sqrt")  # fmt: skip


def what_ran_before(integer: Choose) -> None:
    """An operation outside of ``compile`` gives the same bits whatever ran before it."""
    name = POINTWISE[integer(0, len(POINTWISE) - 1)]
    name += "" if name.endswith(")") else "()"
    length = integer(17, 50_000)
    rng = np.random.default_rng(integer(0, 9))
    x = pellucid.tensor(rng.normal(size=length).astype(np.float32))

    def result() -> bytes:
        return array(eval(f"x.{name}", {"x": x})).tobytes()  # text of our own making

    pellucid.clear_caches()
    alone = result()
    pellucid.clear_caches()
    for other in range(integer(0, 40)):
        eval(f"x.{name}", {"x": pellucid.zeros(length + 1 + other)})
    if result() != alone:
        raise Difference(f"{name} of {length} numbers depends on what ran before")
    threads_then = pellucid.get_num_threads()
    try:
        pellucid.set_num_threads(integer(1, 4))
        if result() != alone:
            raise Difference(f"{name} of {length} numbers depends on the number of threads")
    finally:
        pellucid.set_num_threads(threads_then)


NAMESAKES = (
    """
def make(k):
    def scaled(x): return (x * k).tanh()
    return compile(scaled)
""",
    """
def make(k):
    class Scale(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * k
        @staticmethod
        def backward(ctx, g): return g * k
    return compile(lambda x: Scale.apply(x).sin())
""",
    """
def make(k):
    class Layer(L.nn.Module):
        def forward(self, x): return x * k + x.sum()
    return compile(Layer())
""",
    """
def make(k):
    optimizer = L.optim.SGD([L.nn.Parameter(L.ones(3))], lr=abs(float(k)))
    def step(x):
        w = optimizer.param_groups[0]['params'][0]
        optimizer.zero_grad(); (w * x).sum().backward(); optimizer.step()
        return w.detach() * 1
    return compile(step)
""",
)


def namesakes(integer: Choose) -> None:
    """Functions, classes and steps of equal names never share what is compiled."""
    text = NAMESAKES[integer(0, len(NAMESAKES) - 1)]
    numbers = [integer(-4, 4) or 5 for _ in range(3)]
    logs = []
    for compile in (lambda f: f, pellucid.compile):
        space: dict[str, Any] = {"L": pellucid, "compile": compile, "__name__": "namesakes"}
        exec(text, space)  # text of our own making
        x = pellucid.tensor([0.5, -1.0, 2.0], requires_grad="Parameter" not in text)
        made = [space["make"](k) for k in numbers]
        logs.append([array(f(x)) for f in made])
    for number, eager, compiled in zip(numbers, *logs, strict=True):
        if not np.allclose(eager, compiled, rtol=1e-5):
            raise Difference(f"k = {number} gives {compiled}, expected {eager}, in{text}")


LINKS = ("(v * 1.0001).sin() + 0.1", "v + x", "v * 0.999", "v - v.mean()",
         "(v @ m).tanh()", "v.roll(1)", "v.clamp(-2, 2)", "v / (1 + v.abs())", "v.softmax(0) + v",
         "pellucid.cat([v[1:], v[:1]])")  # fmt: skip


def long_chains(integer: Choose, most: int = 2000) -> None:
    """A loop written out in Python compiles, whatever its length, and keeps its gradient."""
    links = [LINKS[integer(0, len(LINKS) - 1)] for _ in range(integer(1, 3))]
    turns = max(1, int(most ** (integer(0, 100) / 100)) // len(links))
    text = "\n".join(
        [
            "def f(x):",
            "    v = x",
            f"    for _ in range({turns}):",
            *(f"        v = {k}" for k in links),
            "    return v.sum(), pellucid.autograd.grad(v.square().sum(), x)[0]",
        ]  # fmt: skip
    )
    rng = np.random.default_rng(0)
    space: dict[str, Any] = {
        "pellucid": pellucid,
        "m": pellucid.tensor(rng.normal(size=(4, 4)) * 0.4, dtype=pellucid.float64),
    }
    exec(text, space)  # text of our own making
    x = pellucid.tensor(rng.normal(size=4), dtype=pellucid.float64, requires_grad=True)
    expected = [array(v) for v in space["f"](x)]
    try:
        given = [array(v) for v in pellucid.compile(space["f"])(x)]
    except RecursionError as error:
        raise Difference(f"RecursionError in\n{text}") from error
    for left, right in zip(given, expected, strict=True):
        if not np.allclose(left, right, rtol=1e-6, atol=1e-9):
            raise Difference(f"{left}, expected {right}, in\n{text}")


SUMS = {
    "var()": lambda a: a.var(ddof=1),
    "std()": lambda a: a.std(ddof=1),
    "mean()": lambda a: a.mean(),
    "sum()": lambda a: a.sum(),
    "norm()": lambda a: np.sqrt((a * a).sum()),
    "cumsum(0)": lambda a: a.cumsum(),
    "logsumexp(0)": lambda a: a.max() + np.log(np.exp(a - a.max()).sum()),
    "norm(3)": lambda a: (np.abs(a) ** 3).sum() ** (1 / 3),
}


def precision(integer: Choose, torch: ModuleType | None = None) -> None:
    """Sums and moments of many float32 numbers around a large mean are as near to those in float64
    as PyTorch's (or, without it, as eight times the rounding of the result)."""
    name = [*SUMS][integer(0, len(SUMS) - 1)]
    length = (1_000, 30_000, 300_000, 1_000_000)[integer(0, 3)]
    mean = (0.0, 1.0, 1e3, 1e5, 1e6)[integer(0, 4)]
    values = np.random.default_rng(integer(0, 9)).normal(mean, 1.0, length).astype(np.float32)
    exact = SUMS[name](values.astype(np.float64))

    def error(library: ModuleType, compile: Callable[[Any], Any] = lambda f: f) -> float:
        function = compile(eval(f"lambda x: x.{name}"))  # text of our own making
        given = array(function(library.tensor(values))).astype(np.float64)
        return float(np.max(np.abs(given - exact) / np.maximum(np.abs(exact), 1e-30)))

    allowed = 8 * float(np.finfo(np.float32).eps)
    if torch is not None:
        allowed = max(allowed, 2 * error(torch))
    for way, reached in (
        ("eager", error(pellucid)),
        ("compiled", error(pellucid, pellucid.compile)),
    ):
        if not reached <= allowed:
            raise Difference(
                f"{way} {name} of {length} numbers around {mean:g}: relative error {reached:.2g}, "
                f"allowed {allowed:.2g}"
            )
