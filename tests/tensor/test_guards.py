"""A compiled function follows the Python values that it reads, as the plain function does."""

from __future__ import annotations

import dataclasses
import functools
import random
import sys
import threading
import types
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import TraceError
from pellucid.tensor.compile import KEPT_PROGRAMS, CompiledFunction
from pellucid.tensor.guards import exact

compiled_ = functools.partial(pl.compile, backend="reference")
"""What is guarded does not depend on the backend, and this one makes no machine code."""


def programs(function: CompiledFunction) -> int:
    return sum(len(known) for known in function._programs.values())


def follows(
    function: Callable[..., Any], changes: list[Callable[[], object]], *args: Any
) -> CompiledFunction:
    """Checks plain against compiled before and after each change, twice each, then once more."""
    compiled: CompiledFunction = compiled_(function)
    args = args or (pl.tensor([1.0, -2.0, 0.5]),)
    for change in (lambda: None, *changes, lambda: None):
        change()
        for _ in range(2):
            found, expected = compiled(*args), function(*args)
            np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), 1e-5)
            signs = [np.signbit(t.detach().numpy()) for t in (found, expected)]
            np.testing.assert_array_equal(*signs)
    return compiled


# ---- variables -------------------------------------------------------------------------------

scale: Any = 1.0
settings: Any = None


def shifted(x: Any) -> Any:
    return x + scale


def replaced(x: Any) -> Any:
    return x * 100.0


def set_global(name: str, value: Any) -> Callable[[], None]:
    return lambda: globals().__setitem__(name, value)


def test_globals_and_those_of_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "scale", 1.0)
    monkeypatch.setitem(globals(), "shifted", shifted)
    compiled = follows(
        lambda x: shifted(x) * scale,
        [set_global("scale", v) for v in (5.0, 5, True, 1.0, -0.0, 0.0)]
        + [set_global("shifted", replaced)],
    )
    assert programs(compiled) == 7  # 1.0 came back to the program that it had


def test_nan_is_the_same_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "scale", float("nan"))
    compiled = compiled_(lambda x: x * scale)
    for _ in range(3):
        globals()["scale"] = float("nan")
        assert np.isnan(compiled(pl.ones(2)).numpy()).all()
    assert programs(compiled) == 1


def test_equal_numbers_need_no_new_program(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compiled_(lambda x: x * scale)
    for text in ("2.5", "2.50", "25e-1"):
        monkeypatch.setitem(globals(), "scale", float(text))  # another object each time
        assert compiled(pl.ones(1)).item() == 2.5
    assert programs(compiled) == 1


def test_closures() -> None:
    k: Any = 1.0

    def helper(x: Any) -> Any:
        return x * k

    def function(x: Any) -> Any:
        return helper(x) + 1

    def change(value: Any) -> Callable[[], None]:
        def to_value() -> None:
            nonlocal k
            k = value

        return to_value

    follows(function, [change(3.0), change(None or 4), change(np.float32(2.5)), change(1.0)])


@pytest.mark.parametrize(
    ("held", "change"),
    [
        ([2.0, 1.0], lambda h: h.__setitem__(0, 3.0)),
        ([2.0, 1.0], lambda h: h.reverse()),
        ([2.0, [1.0, {"a": 4.0}]], lambda h: h[1][1].__setitem__("a", -4.0)),
        (([2.0],), lambda h: h[0].__setitem__(0, 7.0)),
        ({"k": 2.0}, lambda h: h.__setitem__("k", 2)),
        ({"k": 2.0}, lambda h: h.__setitem__("q", 2)),
        ({"k": 2.0, "q": 1.0}, lambda h: h.pop("q")),
        (OrderedDict(a=1.0, b=2.0), lambda h: h.move_to_end("a")),
        ({1.0, 2.0}, lambda h: h.add(5.0)),
        (deque([1.0, 2.0]), lambda h: h.rotate()),
        (np.array([1.0, 2.0, 3.0]), lambda h: h.__setitem__(1, 9.0)),
        (types.SimpleNamespace(k=2.0), lambda h: setattr(h, "k", 3.0)),
        (
            types.SimpleNamespace(inner=types.SimpleNamespace(k=2.0)),
            lambda h: setattr(h.inner, "k", 3),
        ),
    ],
)
def test_contents_of_what_is_held(held: Any, change: Callable[[Any], None]) -> None:
    def numbers(value: Any) -> list[float]:
        if isinstance(value, types.SimpleNamespace):
            return numbers([value.k if hasattr(value, "k") else value.inner.k])
        if isinstance(value, dict):
            return [float(len(key)) for key in value] + numbers(list(value.values()))
        if isinstance(value, np.ndarray):
            return [float(v) for v in value.ravel()]
        if isinstance(value, (list, tuple, set, deque)):
            return [n for part in value for n in numbers(part)]
        return [float(value)]

    def function(x: Any) -> Any:
        total = x * 0
        for place, number in enumerate(numbers(held)):
            total = total + x * (number * (place + 1))
        return total

    compiled = follows(function, [lambda: change(held)])
    assert programs(compiled) == 2


class Colour(Enum):
    RED = 1.0
    BLUE = 2.0


@dataclasses.dataclass
class Plain:
    k: float = 2.0
    table: dict[str, float] = dataclasses.field(default_factory=lambda: {"q": 1.0})

    def scaled(self, x: Any) -> Any:
        return x * self.k

    @property
    def twice(self) -> float:
        return 2 * self.k


@dataclasses.dataclass(slots=True)
class Slotted:
    k: float = 2.0


class Classwide:
    k: ClassVar[float] = 2.0

    @staticmethod
    def fixed(x: Any) -> Any:
        return x * Classwide.k

    def __call__(self, x: Any) -> Any:
        return x - self.k


@pytest.mark.filterwarnings("ignore:.*was compiled 8 times")
def test_objects_classes_and_enumerations(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, slotted, classwide, colour = Plain(), Slotted(), Classwide(), [Colour.RED]

    def function(x: Any) -> Any:
        y = plain.scaled(x) + plain.twice + plain.table["q"]
        y = y * slotted.k + classwide(x) + Classwide.fixed(x)
        return y * colour[0].value

    follows(
        function,
        [
            lambda: setattr(plain, "k", 3.0),
            lambda: plain.table.update(q=4.0),
            lambda: setattr(slotted, "k", 5.0),
            lambda: setattr(classwide, "k", 6.0),  # hides the class's
            lambda: monkeypatch.setattr(Classwide, "k", 7.0),
            lambda: delattr(classwide, "k"),
            lambda: monkeypatch.setattr(Plain, "scaled", lambda self, x: x - 1),
            lambda: monkeypatch.setattr(Plain, "twice", 1.5),
            lambda: monkeypatch.setattr(Classwide, "__call__", lambda self, x: x),
            lambda: colour.__setitem__(0, Colour.BLUE),
        ],
    )


@pytest.mark.filterwarnings("ignore:.*was compiled 8 times")
def test_defaults_partials_and_bound_methods() -> None:
    def scaled(x: Any, by: Any = (1.0, [2.0]), *, more: float = 1.0) -> Any:
        return x * by[0] * by[1][0] * more

    owner = Plain()
    held = {
        "partial": functools.partial(scaled, more=3.0),
        "method": owner.scaled,
        "options": {"more": 1.0},
    }

    def function(x: Any) -> Any:
        y = held["partial"](x) + scaled(x, **held["options"])  # type: ignore[operator]
        return y + held["method"](x)  # type: ignore[operator]

    follows(
        function,
        [
            lambda: scaled.__defaults__[0][1].__setitem__(0, 5.0),  # type: ignore[index]
            lambda: setattr(scaled, "__defaults__", ((3.0, [1.0]),)),
            lambda: setattr(scaled, "__kwdefaults__", {"more": 8.0}),
            lambda: held["partial"].keywords.update(more=9.0),  # type: ignore[attr-defined]
            lambda: setattr(owner, "k", 11.0),
            lambda: held.__setitem__("method", Plain(4.0).scaled),
            lambda: held["options"].update(more=0.5),  # type: ignore[attr-defined]
        ],
    )


def test_objects_as_arguments() -> None:
    config = types.SimpleNamespace(k=2.0, names=["a"])
    compiled = compiled_(lambda x, c: x * c.k * len(c.names))
    assert compiled(pl.ones(1), config).item() == 2.0
    config.k = 3.0
    assert compiled(pl.ones(1), config).item() == 3.0
    config.names.append("b")
    assert compiled(pl.ones(1), config).item() == 6.0


def test_arguments_that_are_equal_but_not_the_same() -> None:
    compiled = compiled_(lambda x, k: x * k)
    for k in (0.0, -0.0, 1, True, 1.0):
        found, expected = compiled(pl.ones(1), k), pl.ones(1) * k
        assert found.dtype is expected.dtype
        assert np.signbit(found.numpy()) == np.signbit(expected.numpy())
    before = programs(compiled)
    for _ in range(3):
        compiled(pl.ones(1), float("nan"))
    assert programs(compiled) == before + 1


def test_tensors_in_variables_are_told_apart() -> None:
    held = {"w": pl.ones(2)}
    compiled = compiled_(lambda x: x * held["w"])
    assert compiled(pl.ones(2)).tolist() == [1.0, 1.0]
    held["w"].mul_(3)  # in place: the same program reads it
    assert compiled(pl.ones(2)).tolist() == [3.0, 3.0] and programs(compiled) == 1
    held["w"] = pl.full((2,), 5.0)
    assert compiled(pl.ones(2)).tolist() == [5.0, 5.0]


def test_functions_of_a_module_made_by_the_user() -> None:
    module = types.ModuleType("user_configuration")
    module.k = 2.0  # type: ignore[attr-defined]
    sub = module.sub = types.SimpleNamespace(q=1.0)  # type: ignore[attr-defined]
    follows(
        lambda x: x * module.k + module.sub.q,
        [lambda: setattr(module, "k", 3.0), lambda: setattr(sub, "q", 9.0)],
    )


def test_decorated_helpers() -> None:
    k = [2.0]

    @pl.no_grad()
    def helper(x: Any) -> Any:
        return x * k[0]

    @functools.lru_cache
    def number() -> float:
        return 1.0

    follows(lambda x: helper(x) + number(), [lambda: k.__setitem__(0, 4.0)])


# ---- what the function itself changes --------------------------------------------------------


def test_a_counter_counts_and_is_named_once() -> None:
    count = 0

    def function(x: Any) -> Any:
        nonlocal count
        count += 1
        return x * count

    compiled = compiled_(function)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = [compiled(pl.ones(1)).item() for _ in range(20)]
    assert found == list(range(1, 21))
    texts = [str(w.message) for w in seen]
    assert len(texts) == 1 and "compiled 8 times because 'count', a variable around" in texts[0]


def test_lists_that_are_only_appended_to_are_no_input() -> None:
    shapes: list[Any] = []

    def function(x: Any) -> Any:
        shapes.append(x.shape)
        return x * 2

    compiled = compiled_(function)
    for _ in range(4):
        compiled(pl.ones(3))
    assert shapes == [(3,)] and programs(compiled) == 1


def test_a_variable_that_becomes_a_traced_value_is_refused_where_it_was_read() -> None:
    held = {"h": pl.zeros(2), "seen": None}

    def recurrent(x: Any) -> Any:
        held["h"] = held["h"] * 0.5 + x
        return held["h"] * 1

    with pytest.raises(
        TraceError, match="reads an entry of 'held' and puts a value of its own there"
    ):
        compiled_(recurrent)(pl.ones(2))

    class Remembering(nn.Module):
        def forward(self, x: Any) -> Any:
            self.last = x * 2
            return self.last + 1

    compiled = compiled_(Remembering())
    for _ in range(3):
        assert compiled(pl.ones(2)).tolist() == [3.0, 3.0]
    assert programs(compiled) <= 2


def test_iterators_are_refused_by_name() -> None:
    rates = iter([1.0, 2.0, 3.0])
    with pytest.raises(TraceError, match="reads 'rates', a list_iterator"):
        compiled_(lambda x: x * next(rates))(pl.ones(1))


def test_numbers_drawn_by_python_and_numpy_are_drawn_at_each_call() -> None:
    generator, own = np.random.default_rng(0), random.Random(0)
    compiled = [
        compiled_(lambda x: x * generator.random()),
        compiled_(lambda x: x * own.random()),
        compiled_(lambda x: x * random.random()),
        compiled_(lambda x: x * np.random.rand()),
    ]
    for function in compiled:
        assert len({function(pl.ones(1)).item() for _ in range(4)}) == 4


def test_too_many_values_are_refused_by_name() -> None:
    table = [0.5] * 200_001
    with pytest.raises(TraceError, match="more than 100000 Python values.*'table'"):
        compiled_(lambda x: x * table[3])(pl.ones(1))


# ---- hooks, optimizers -----------------------------------------------------------------------


def test_hooks_of_tensors() -> None:
    w = pl.ones(2, requires_grad=True)

    @compiled_
    def gradient(x: Any) -> Any:
        w.grad = None
        (w * x).sum().backward()
        return w.grad * 1

    x = pl.tensor([1.0, 2.0])
    assert gradient(x).tolist() == [1.0, 2.0]
    handle = w.register_hook(lambda g: g * 3)
    assert gradient(x).tolist() == [3.0, 6.0]
    handle.remove()
    assert gradient(x).tolist() == [1.0, 2.0]
    seen: list[int] = []
    handle = w.register_post_accumulate_grad_hook(lambda t: seen.append(1))
    gradient(x)
    assert seen == [1]


OPTIMIZER_CHANGES: list[Callable[[Any, Any, Any], None]] = [
    lambda o, a, b: o.state.clear(),
    lambda o, a, b: o.state.pop(a),
    lambda o, a, b: o.state.__delitem__(b),
    lambda o, a, b: setattr(o, "state", {}),
    lambda o, a, b: o.state[a].update(exp_avg=pl.ones_like(a).detach()),
    lambda o, a, b: o.state.__setitem__(
        a, {k: v.clone() for k, v in o.state[b].items()} | {"step": pl.tensor(40.0)}
    ),
    lambda o, a, b: o.state[a].clear(),
    lambda o, a, b: (o.param_groups[0]["params"].pop(), setattr(b, "grad", None)),
    lambda o, a, b: o.param_groups.__setitem__(0, type(o.param_groups[0])(o.param_groups[0], lr=1)),
]


@pytest.mark.parametrize("change", OPTIMIZER_CHANGES)
def test_the_state_of_optimizers(change: Callable[[Any, Any, Any], None]) -> None:
    found = []
    for compiled in (False, True):
        a = pl.tensor([1.0, 2.0], requires_grad=True)
        b = pl.tensor([-1.0, 0.5], requires_grad=True)
        optimizer = optim.Adam([a, b], lr=0.1)

        def step(x: Any, optimizer: Any = optimizer, a: Any = a, b: Any = b) -> Any:
            optimizer.zero_grad()
            loss = ((a * x - b) ** 2).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        function = compiled_(step) if compiled else step
        for i in range(8):
            if i == 4:
                change(optimizer, a, b)
            function(pl.tensor([1.0, float(i)]))
        found.append(np.concatenate([a.detach().numpy(), b.detach().numpy()]))
    assert_close(found[1], found[0], 1e-5, 1e-6)


def test_two_programs_that_store_gradients_of_one_parameter() -> None:
    w = pl.ones(2, requires_grad=True)

    def gradient(x: Any) -> Any:
        w.grad = None
        loss = (w * x).sum()
        loss.backward()
        return loss.detach()

    function = pl.compile(gradient, keep_gradients=True)
    for rows in (1, 3, 1, 3, 1):
        function(pl.ones(rows, 2) * rows)
        assert w.grad.tolist() == [rows * rows] * 2


# ---- the price -------------------------------------------------------------------------------


def python_calls(call: Callable[[], object]) -> int:
    count = 0

    def profile(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


def test_changes_of_other_objects_do_not_wake_a_program() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @pl.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    x = pl.ones(3, 4)
    for _ in range(3):
        step(x)
    usual = python_calls(lambda: step(x))
    assert usual <= 12  # this lambda among them
    other, unrelated = nn.Linear(2, 2), pl.ones(2)
    others = optim.Adam(other.parameters())
    for change in (
        lambda: unrelated.requires_grad_(),
        lambda: unrelated.register_hook(print),
        lambda: nn.Transformer(8, 2, 1, 1, 8),
        lambda: other.eval(),
        lambda: setattr(other, "note", 3),
        lambda: other.register_forward_hook(lambda *a: None),
        lambda: setattr(unrelated, "grad", pl.ones(2)),
        lambda: others.param_groups[0].update(lr=0.5),
        lambda: others.state.clear(),
        lambda: other.double(),
        lambda: other(pl.ones(1, 2, dtype=pl.float64)).sum().backward(),
    ):
        change()
        assert python_calls(lambda: step(x)) == usual
    with pl.autocast():
        pass
    assert python_calls(lambda: step(x)) == usual
    optimizer.param_groups[0]["lr"] = 0.05  # its own: looked up once
    assert python_calls(lambda: step(x)) > usual
    assert python_calls(lambda: step(x)) == usual


def test_a_function_that_reads_nothing_checks_nothing() -> None:
    compiled = compiled_(lambda x: x.tanh() * 2)
    compiled(pl.ones(2))
    assert compiled._last is not None and compiled._last.python is None


def test_programs_are_bounded_and_the_one_used_last_stays() -> None:
    k = [0.0]
    compiled = compiled_(lambda x: x * k[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(KEPT_PROGRAMS + 6):
            k[0] = float(i)
            assert compiled(pl.ones(2)).tolist() == [float(i)] * 2
            k[0] = 0.0
            assert compiled(pl.ones(2)).tolist() == [0.0, 0.0]
    assert programs(compiled) == KEPT_PROGRAMS == len(compiled._order)
    made = len(compiled.signatures)
    compiled(pl.ones(2))
    assert len(compiled.signatures) == made  # 0.0 was used all the time
    k[0] = 1.0
    compiled(pl.ones(2))
    assert len(compiled.signatures) == made + 1  # 1.0 was not


def test_threads_that_meet_a_signature_at_once_make_one_program() -> None:
    compiled = compiled_(lambda x: (x.tanh() + 1).softmax(-1).sum(0))
    start, failed = threading.Barrier(4), []

    def work(seed: int) -> None:
        start.wait()
        for n in range(2, 7):
            x = pl.full((3, n), float(seed))
            try:
                assert_close(compiled(x), compiled.function(x), 1e-5, 1e-6)
            except BaseException as error:
                failed.append(error)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not failed and not seen and programs(compiled) == 5


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, True, False),
        (1, 1.0, False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        ((1, 2.0), (1, 2.0), True),
        ((1, 2.0), (1, 2), False),
        (np.float32(1), np.float64(1), False),
        (slice(1, 2), slice(1, 2), True),
        ("a", b"a", False),
        ([1], [1], False),
        (Plain().scaled, Plain().scaled, False),
    ],
)
def test_when_two_values_are_the_same(a: object, b: object, same: bool) -> None:
    assert (exact(a) == exact(b)) is same


# ---- leaves that a function makes -------------------------------------------------------------


def test_a_leaf_made_inside_is_made_anew_by_the_same_program() -> None:
    def slope(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        (leaf**3).sum().backward()
        return leaf.grad

    compiled = compiled_(slope)
    for value in (1.0, 2.0, -3.0):
        assert compiled(pl.tensor([value])).tolist() == [3 * value**2]
    assert len(compiled.signatures) == 1


def test_a_leaf_that_a_function_returns_has_its_gradient_and_collects_more() -> None:
    def make(x: Any) -> Any:
        first, second = x.clone().requires_grad_(), (x + 1).requires_grad_()
        (first**2).sum().backward()
        return first, {"second": second}, x * 2

    for function in (make, compiled_(make)):
        for _ in range(2):
            first, named, double = function(pl.tensor([3.0, -1.0]))
            second = named["second"]
            assert first.is_leaf and second.is_leaf
            assert first.requires_grad and second.requires_grad and not double.requires_grad
            assert first.grad.tolist() == [6.0, -2.0] and second.grad is None
            (first * 10 + second * double).sum().backward()
            assert first.grad.tolist() == [16.0, 8.0]
            assert second.grad.tolist() == [6.0, -2.0]
