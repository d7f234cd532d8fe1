"""What must not matter: other threads, what ran before, equal names, the length of a program.
And what is refused: whole numbers that become fractions, numbers of classes that do not exist.

Each function checks one circumstance on choices made by ``integer(low, high)`` and raises
:class:`Difference` with what was tried.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

import pellucid
from differential.programs import Builder, Program, tensor
from differential.running import (
    Difference,
    Failure,
    array,
    collect,
    compare,
    function_of,
    run,
    well_conditioned,
)
from differential.vocabulary import CASTS, ELEMENTWISE, INTEGERS, PRODUCTS, REDUCING
from pellucid.base.errors import PellucidError

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
    if integer(0, 1):
        for program in _programs(integer, 1):
            _one_function(program, integer(2, 6))
        return
    programs = _programs(integer, integer(2, 4))
    alone = [_bits(run(p, pellucid, pellucid.compile)) for p in programs]
    pellucid.clear_caches()
    wrong: list[str] = []
    jobs = [(p, bits) for p, bits in zip(programs, alone, strict=True)] * 3

    def work(program: Program, expected: Any) -> None:
        try:
            outcome = run(program, pellucid, pellucid.compile)
        except BaseException as error:  # CancelledError, say
            wrong.append(f"{type(error).__name__}: {error}\n{program}")
            return
        if _bits(outcome) != expected:
            shown = outcome.error if isinstance(outcome, Failure) else "other bits"
            wrong.append(f"{type(shown).__name__} {shown}\n{program}")

    _at_once([functools.partial(work, *job) for job in jobs])
    if wrong:
        raise Difference(f"with {len(jobs)} threads: {wrong[0]}")


def _at_once(jobs: Sequence[Callable[[], None]]) -> None:
    """Run each job in a thread of its own."""
    barrier = threading.Barrier(max(1, len(jobs)))

    def work(job: Callable[[], None]) -> None:
        barrier.wait()
        job()

    workers = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _one_function(program: Program, count: int) -> None:
    """Several threads that call one compiled function at once compile it once."""
    function, space = function_of(program, pellucid, True)
    for i in program.inputs:
        space[i.name] = tensor(pellucid, i.array, i.grad)
    arguments = [eval(a.text, space) for a in program.arguments]  # text of our own making

    def outcome(compiled: Any) -> Any:
        try:
            return _bits(collect(program, compiled(*arguments), pellucid, True, space))
        except Exception as error:
            return _bits(Failure(error))

    expected = outcome(pellucid.compile(function))
    shared = pellucid.compile(function)
    given: list[Any] = []
    _at_once([lambda: given.append(outcome(shared))] * count)
    if any(bits != expected for bits in given):
        raise Difference(f"threads that share a function get other bits\n{program}")
    times = len(shared.signatures)
    if times > 1:
        raise Difference(f"{count} threads compiled one function {times} times\n{program}")


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
    """
def make(k):
    from pellucid.tensor.eager import elements, unit
    if k > 0:
        @unit(elements(1))
        def scaled(x): return x.sin() * 2
    else:
        @unit(elements(1))
        def scaled(x): return x.cos() * 3
    return compile(scaled)
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


IN_PLACE = ("i.add_(k)", "i.sub_(k)", "i.mul_(k)", "i.div_(k)", "i.pow_(2)", "i += k", "i -= k",
            "i *= k", "i /= k", "i.add_(x[:, 0])", "i.mul_(x[:, 0])", "i.copy_(x[:, 0])",
            "i.fill_(k)", "i[0] = k", "i.masked_fill_(i > 0, k)", "i.clamp_(-1, 1)", "i.add_(c)",
            "i.mul_(c)", "i.neg_()", "i.abs_()", "i.sqrt_()", "i.exp_()", "i.sigmoid_()",
            "i.div_(i)", "i.zero_()", "i.square_()", "c.add_(1)", "c.mul_(k)", "c.fill_(k)",
            "c.copy_(x[:, 0])", "x.add_(i[:, None])", "x.mul_(c[:, None])",
            "x.div_(k)")  # fmt: skip
"""Statements on whole numbers ``i``, truth values ``c`` and numbers ``x``, of which PyTorch refuses
those that would squeeze fractions into ``i`` or numbers into ``c``."""

CHOICES = ("F.cross_entropy(x, i)", "F.cross_entropy(x, i, ignore_index=-1)",
           "F.cross_entropy(x, i, reduction='sum')", "F.nll_loss(x, i)", "F.embedding(i, x)",
           "F.multi_margin_loss(x, i)", "F.one_hot(i, 3)", "x.index_select(0, i)", "x[i]",
           "x.gather(1, i[:, None])", "x.scatter(1, i[:, None], 2.0)",
           "x.scatter_add(1, i[:, None], x)", "x.index_add(0, i, x)",
           "x.index_fill(0, i, 2.0)")  # fmt: skip
"""Expressions that choose among three by ``i``, some of which is 3 or less than 0."""


def refusals(integer: Choose, torch: ModuleType | None = None) -> None:
    """What PyTorch refuses is refused, compiled or not, and the rest has its value."""
    in_place = integer(0, 1) == 0
    options = IN_PLACE if in_place else CHOICES
    text = options[integer(0, len(options) - 1)]
    number = (2, 0, -1, 3, 0.5, -1.5, 2.0)[integer(0, 6)]
    rng = np.random.default_rng(integer(0, 99))
    ids = rng.integers(*((-3, 4) if in_place else (-1, 4) if integer(0, 1) else (0, 3)), 3)
    numbers, flags = rng.normal(size=(3, 3)), rng.random(3) < 0.5
    kept = text.split("[")[0].split(".")[0].split(" ")[0]
    body = f"    {text}\n    return {kept}" if in_place else f"    return {text}"

    def outcome(library: ModuleType, compile: Callable[[Any], Any] = lambda f: f) -> Any:
        space: dict[str, Any] = {"L": library, "F": library.nn.functional, "k": number}
        exec(f"def f(x, i, c):\n{body}", space)  # text of our own making
        given = [library.tensor(a.tolist(), dtype=getattr(library, str(a.dtype)))
                 for a in (numbers, ids, flags)]  # fmt: skip
        try:
            with np.errstate(all="ignore"):
                return array(compile(space["f"])(*given))
        except Exception as error:
            return error

    def same(left: Any, right: Any) -> bool:
        if isinstance(left, Exception) or isinstance(right, Exception):
            return isinstance(left, Exception) and isinstance(right, Exception)
        return left.dtype == right.dtype and np.allclose(left, right, equal_nan=True)

    eager = outcome(pellucid)
    ways = {"compiled": outcome(pellucid, pellucid.compile)}
    if torch is not None:
        ways["PyTorch"] = outcome(torch)
    for way, found in ways.items():
        if not same(eager, found):
            raise Difference(f"{text} with k = {number}, i = {ids}, c = {flags}, x = "
                             f"{numbers.tolist()}: eager {eager!r}, {way} {found!r}")  # fmt: skip


EDGES = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 0.5, -2.5)
LARGE = (3e9, -3e9, 200.0, -200.0, 70_000.0)
"""Beyond whole numbers of 32, 8 and 16 bits."""


def edges(integer: Choose) -> None:
    """NaN, infinity, zeros of both signs, nothing at all: eager and compiled agree on them."""
    choice = integer(0, 2)
    rows, values = CASTS, EDGES + LARGE
    if choice:
        table, values = REDUCING if choice == 1 else ELEMENTWISE + INTEGERS, EDGES
        rows = [table[integer(0, len(table) - 1)] for _ in range(30)]
    program = Builder(integer, [pellucid]).many(rows, values)
    _compiled_as_eager(program)


def plain_sums(integer: Choose) -> None:
    """Gradients that arrive as one number for a whole shape, compiled: those of eager."""
    builder = Builder(integer, [pellucid])
    builder.losses = ("{v}.sum()", "{v}.mean()")
    program = builder.alone(PRODUCTS[integer(0, len(PRODUCTS) - 1)])
    if program is not None and program.loss:
        _compiled_as_eager(program)


def _compiled_as_eager(program: Program) -> None:
    eager = run(program, pellucid)
    if program.loss and not isinstance(eager, Failure):
        if not well_conditioned(program, pellucid, eager):
            return
    compiled = run(program, pellucid, pellucid.compile)
    for found in (eager, compiled):
        if isinstance(found, Failure):
            if not isinstance(found.error, PellucidError):
                raise Difference(f"{type(found.error).__name__}: {found.error}\n{program}")
            return
    assert not isinstance(eager, Failure) and not isinstance(compiled, Failure)
    try:
        compare(program, compiled, eager, "compiled against eager")
    except Difference as error:
        error.add_note(str(program))
        raise
