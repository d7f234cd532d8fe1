"""Views and changes in place: eager mode, the tape and compiled programs agree, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import AutogradError, InPlaceError, TraceError
from pellucid.ops.views import VIEWS, reshaped_strides, strides_of_view
from tensor.alias_programs import random_program, run_program

MODES = ("eager", "reference", "cpu")


def running(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """The function itself, or compiled for a backend."""
    return function if mode == "eager" else pellucid.compile(function, backend=mode)


def leaf(*shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng([seed, *shape])
    return pellucid.tensor(rng.uniform(0.5, 1.5, shape), requires_grad=True)


# ---- random programs --------------------------------------------------------------------------


def _as_numbers(found: list[Any]) -> list[Any]:
    return [None if t is None else np.asarray(t.tolist()) for t in found]


def _check_program(seed: int, length: int, mode: str) -> str:
    """Compare one random program with PyTorch; says what PyTorch did."""
    torch = pytest.importorskip("torch")
    draws, value = random_program(seed, length)
    lines: list[str] = []
    try:
        expected = _as_numbers(
            run_program(torch, draws, torch.tensor(value, requires_grad=True), lines)
        )
    except RuntimeError:
        expected = None
    w = pellucid.tensor(value, requires_grad=True)
    run = running(lambda: run_program(pellucid, draws, w), mode)
    told = f"seed {seed}, {mode}: " + "; ".join(lines)
    if expected is None:
        # Ours may know better: an old value that is still there gives the right gradient.
        try:
            run()
        except AutogradError:
            return "refused by both"
        except InPlaceError:
            return "refused by both"
        return "refused by PyTorch"
    found = _as_numbers(run())
    assert len(found) == len(expected), told
    for k, (left, right) in enumerate(zip(found, expected, strict=True)):
        assert (left is None) == (right is None), told
        if left is not None:
            assert_close(left, right, 1e-9, 1e-12, f"{told}: result {k}")
    return "equal"


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Use of")
@pytest.mark.parametrize("block", range(8))
def test_random_programs_are_as_in_pytorch(block: int) -> None:
    outcomes = [_check_program(seed, 7, "eager") for seed in range(40 * block, 40 * block + 40)]
    assert outcomes.count("equal") >= 8  # the comparison compares something


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Use of")
@pytest.mark.parametrize("block", range(4))
def test_random_compiled_programs_are_as_in_pytorch(block: int) -> None:
    first = 10_000 + 30 * block
    outcomes = [_check_program(seed, 8, "reference") for seed in range(first, first + 30)]
    outcomes += [_check_program(first, 8, "cpu")]
    assert outcomes.count("equal") >= 5


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_need_no_gradients_to_give_the_same_values(seed: int) -> None:
    """A twin without PyTorch: NumPy's memory is the definition of what views show."""
    draws, value = random_program(seed)
    try:
        recorded = run_program(pellucid, draws, pellucid.tensor(value, requires_grad=True))
    except (AutogradError, InPlaceError):
        pytest.skip("refused on the tape")
    plain = pellucid.tensor(value)
    loss: list[Any] = []

    class Unrecorded:
        """The library, whose gradient is left out."""

        class autograd:  # noqa: N801
            @staticmethod
            def grad(output: Any, inputs: Any, allow_unused: bool) -> tuple[None]:
                loss.append(output)
                return (None,)

        def __getattr__(self, name: str) -> Any:
            return getattr(pellucid, name)

    values = run_program(Unrecorded(), draws, plain)
    for k, (left, right) in enumerate(zip(recorded[:-1], values[:-1], strict=True)):
        assert_close(left, right, 1e-12, 1e-12, f"seed {seed}, result {k}")


# ---- views before a change --------------------------------------------------------------------

WAYS: dict[str, Callable[[Any], Any]] = {
    "slice": lambda x: x[0:2],
    "step": lambda x: x[::2],
    "index": lambda x: x[1],
    "several indices": lambda x: x[1:, 0],
    "ellipsis": lambda x: x[...],
    "new axis": lambda x: x[None],
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(0, -1),
    "view": lambda x: x.view(-1),
    "view of its own shape": lambda x: x.view(3, 3),
    "view_as": lambda x: x.view_as(x),
    "reshape": lambda x: x.reshape(9),
    "t": lambda x: x.t(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "transpose": lambda x: x.transpose(0, 1),
    "permute": lambda x: x.permute(1, 0),
    "movedim": lambda x: x.movedim(0, 1),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "expand": lambda x: x.unsqueeze(0).expand(1, 3, 3),
    "unsqueeze and squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "flatten": lambda x: x.flatten(),
    "unflatten": lambda x: x.flatten().unflatten(0, (3, 3)),
    "diagonal": lambda x: x.diagonal(),
    "diagonal of a transposed one": lambda x: x.t().diagonal(1),
    "unfold": lambda x: x.unfold(0, 1, 2),
    "view of a view": lambda x: x.t()[1:].unsqueeze(-1)[:, ::2],
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_view_follows_its_base_and_the_base_its_view(way: str, mode: str) -> None:
    """Values and gradients from a composition that has no views: a mask of what is shown."""
    view = WAYS[way]
    shown = np.zeros((3, 3))
    view(pellucid.from_numpy(shown)).fill_(1.0)  # writes through, so `shown` is the mask
    w = leaf(3, 3)

    def base_is_written(w: Any) -> Any:
        x = w * 1
        v = view(x)
        x.mul_(3)
        loss = (v * v).sum()
        return loss, v.requires_grad, pellucid.grad(loss, [w])[0]

    def view_is_written(w: Any) -> Any:
        x = w * 1
        v = view(x)
        x *= 2
        v.mul_(v.detach() + 1).add_(1)
        loss = (x * x).sum()
        return loss, v.requires_grad, pellucid.grad(loss, [w])[0]

    value = w.detach().numpy()
    loss, flag, gradient = running(lambda: base_is_written(w), mode)()
    assert flag
    assert_close(loss, (9 * value**2 * shown).sum(), 1e-9)
    assert_close(gradient, 18 * value * shown, 1e-9)
    loss, flag, gradient = running(lambda: view_is_written(w), mode)()
    slope = 2 * (1 + shown * 2 * value)
    final = 2 * value * (1 + shown * 2 * value) + shown
    assert flag
    assert_close(loss, (final**2).sum(), 1e-9)
    assert_close(gradient, 2 * final * slope, 1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_a_change_without_gradients_and_one_with_them_give_the_same(mode: str) -> None:
    def f(w: Any) -> Any:
        x = w * 1
        v = x[0:2]
        x.mul_(2)
        return (v * v).sum()

    for needs in (False, True):
        w = pellucid.ones(3, requires_grad=needs)
        assert running(f, mode)(w).item() == 8.0


@pytest.mark.parametrize("mode", MODES)
def test_a_tensor_without_gradients_gets_a_history_and_so_do_its_views(mode: str) -> None:
    def f() -> Any:
        x = pellucid.zeros(3, dtype=pellucid.float64)
        v, d = x[:2], x.detach()
        x[1] = w[1] * 2
        x.add_(w)
        loss = (v * v).sum()
        return loss, d.clone(), v.requires_grad, d.requires_grad, pellucid.grad(loss, [w])[0]

    w = leaf(3)
    a, b, c = w.tolist()
    loss, detached, view_flag, detached_flag, gradient = running(f, mode)()
    assert (view_flag, detached_flag) == (True, False)
    assert_close(loss, a**2 + (3 * b) ** 2, 1e-9)
    assert_close(detached, [a, 3 * b, c], 1e-9)
    assert_close(gradient, [2 * a, 18 * b, 0.0], 1e-9)


def test_memory_stays_where_it_is_for_everyone_who_shows_it() -> None:
    w = leaf(4)
    array = np.ones(4)
    x = pellucid.from_numpy(array)
    x.mul_(w)
    assert_close(array, w.detach(), 1e-12)
    y = w * 1
    d = y.detach()
    y.exp_()
    assert_close(d, np.exp(w.detach().numpy()), 1e-12)
    d.zero_()
    assert y.tolist() == [0.0] * 4


def test_an_old_value_is_still_there_for_what_was_computed_from_it() -> None:
    w = leaf(3)
    value = w.detach().numpy()
    x = w * 2
    square = x * x
    first = x[0] * x[1]
    x.sin_()
    x[2] = 0.0
    gradient = pellucid.grad(square.sum() + first + x.sum(), [w])[0]
    expected = 8 * value + 2 * np.cos(2 * value) * [1, 1, 0]
    expected += 4 * np.array([value[1], value[0], 0])
    assert_close(gradient, expected, 1e-9)


def test_what_no_rule_reads_may_be_overwritten() -> None:
    """As in PyTorch, which saves only what gradients are made of."""
    w, b = leaf(3), pellucid.full((3,), 2.0, dtype=pellucid.float64)
    y = pellucid.where(pellucid.tensor([True, False, True]), w, b)
    b.zero_()
    assert_close(pellucid.grad(y.sum(), [w])[0], [1.0, 0.0, 1.0])
    v = leaf(3, seed=1)
    product = v * pellucid.ones(3, dtype=pellucid.float64)
    with pellucid.no_grad():
        v.mul_(5)  # the slope of v is the constant
    assert_close(pellucid.grad(product.sum(), [v])[0], [1.0, 1.0, 1.0])
    e = leaf(3).exp()
    with pellucid.no_grad():
        e.zero_()  # the slope of exp is its result
    with pytest.raises(AutogradError, match="exp needs for its gradient was modified in place"):
        e.sum().backward()


def test_overwritten_values_have_slope_zero() -> None:
    u, w = leaf(3), leaf(3, seed=1)
    h = u * 2
    h.copy_(w)
    assert h.requires_grad and not h.is_leaf
    h.sum().backward()
    assert_close(u.grad, np.zeros(3))
    assert_close(w.grad, np.ones(3))
    z = u * 2
    z.zero_()
    assert_close(pellucid.grad(z.sum(), [u])[0], np.zeros(3))


def test_hooks_belong_to_the_value_they_were_put_on() -> None:
    w = leaf(2)
    x = w * 1
    seen: list[Any] = []
    x.register_hook(lambda g: seen.append(("before", g.tolist())))
    x.mul_(3)
    x.register_hook(lambda g: seen.append(("after", g.tolist())))
    x.sum().backward()
    assert seen == [("after", [1.0, 1.0]), ("before", [3.0, 3.0])]


def test_second_derivatives_through_a_written_view() -> None:
    w = leaf(3)
    x = w * 1
    x[:2].mul_(w[1:])
    x.mul_(x)
    (first,) = pellucid.grad(x.sum(), [w], create_graph=True)
    (second,) = pellucid.grad(first.sum(), [w])
    a, b, c = w.tolist()
    # x = (a²b², b²c², c²)
    assert_close(first, [2 * a * b * b, 2 * b * (a * a + c * c), 2 * c * b * b + 2 * c], 1e-9)
    hessian = [
        [2 * b * b, 4 * a * b, 0],
        [4 * a * b, 2 * (a * a + c * c), 4 * b * c],
        [0, 4 * b * c, 2 * b * b + 2],
    ]
    assert_close(second, np.sum(hessian, 0), 1e-9)


def test_shape_changes_in_place_leave_views_alone() -> None:
    w = leaf(2, 3)
    x = w * 1
    row = x[0]
    x.t_()
    x.mul_(2)
    assert tuple(x.shape) == (3, 2)
    assert_close(row, 2 * w.detach().numpy()[0], 1e-12)
    assert_close(pellucid.grad((row * row).sum(), [w])[0][0], 8 * w.detach().numpy()[0], 1e-9)


# ---- copies that look like views, and the reverse ----------------------------------------------

COPIES: dict[str, Callable[[Any], Any]] = {
    "flip": lambda x: x.flip(0),
    "fliplr": lambda x: x.fliplr(),
    "rot90": lambda x: x.rot90(),
    "rot90 by nothing": lambda x: x.rot90(0),
    "roll by nothing": lambda x: x.roll(0, 0),
    "repeat once": lambda x: x.repeat(1, 1),
    "tile once": lambda x: x.tile(1),
    "repeat_interleave once": lambda x: x.repeat_interleave(1, 0),
    "reshape of a transposed one": lambda x: x.t().reshape(-1),
    "contiguous of a transposed one": lambda x: x.t().contiguous(),
    "diag": lambda x: x.diag(),
    "clone": lambda x: x.clone(),
    "index": lambda x: x[[0, 1]],
    "mask": lambda x: x[x > 0],
    "full": lambda x: pellucid.full((2, 2), x[0, 0]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", COPIES)
def test_copies_have_memory_of_their_own(name: str, mode: str) -> None:
    if name == "mask" and mode != "eager":
        pytest.skip("a mask's values have to be known")

    def f(x: Any) -> Any:
        y = x * 1
        c = COPIES[name](y)
        before = c.clone()
        y.mul_(2)
        c.add_(1)
        return y, c - before

    x = pellucid.tensor(np.arange(1.0, 5.0).reshape(2, 2))
    y, change = running(f, mode)(x)
    assert_close(y, 2 * x.numpy())
    assert_close(change, np.ones(change.shape))


def test_strides_of_views_are_numpys() -> None:
    rng = np.random.default_rng(3)
    base = np.zeros((4, 6, 5), np.int8)
    for _ in range(200):
        shown = base[:: int(rng.integers(1, 3)), :: int(rng.integers(1, 4))]
        shown = shown.transpose(rng.permutation(3))
        size = shown.size
        target = [(-1,), (size,), (1, size), (*shown.shape, 1), shown.shape[::-1]][
            int(rng.integers(5))
        ]
        target = shown.reshape(target).shape
        copied = shown.reshape(target)
        expected = copied.strides if np.shares_memory(copied, shown) else None
        found = reshaped_strides(shown.shape, shown.strides, target)
        if expected is None:
            assert found is None, (shown.shape, shown.strides, target)
        else:
            assert found is not None
            sizes = [(s, n) for s, n in zip(found, target, strict=True) if n > 1]
            assert sizes == [(s, n) for s, n in zip(expected, target, strict=True) if n > 1]


def test_the_table_of_views_says_how_values_go_back() -> None:
    rng = np.random.default_rng(0)
    x = pellucid.tensor(rng.standard_normal((3, 4)))
    examples = {
        "reshape": x.reshape(4, 3),
        "transpose": x.t(),
        "slice": x[1:, ::2],
        "broadcast_to": x.expand(1, 3, 4),
        "diagonal": x.diagonal(1),
        "unfold": x.unfold(1, 2, 2),
        "view_as_real": pellucid.view_as_real(x + 1j),
        "view_as_complex": pellucid.view_as_complex(x.reshape(3, 2, 2)),
        "as_strided": x.as_strided((2, 3), (5, 1), 1),
    }
    assert set(examples) == set(VIEWS)
    for name, view in examples.items():
        op, params, base = view._view.op, view._view.params, view._view.base
        assert op.name == name
        value = np.asarray(rng.standard_normal(view.shape)).astype(view.numpy().dtype)
        back = VIEWS[name].put_back(base.clone(), pellucid.tensor(value), **params)
        expected = base.numpy().copy()
        op.evaluate(expected, **params).flags.writeable  # noqa: B018
        shown = op.evaluate(expected, **params)
        if not shown.flags.writeable:
            shown.flags.writeable = True
        shown[...] = value
        assert_close(back, expected, 1e-12)
        before = tuple(s // expected.itemsize for s in expected.strides)
        strides = strides_of_view(op, expected.shape, before, params)
        assert strides == tuple(s // shown.itemsize for s in shown.strides)


# ---- what cannot be done ---------------------------------------------------------------------

STRETCHED: dict[str, Callable[[Any], Any]] = {
    "add_": lambda e: e.add_(1),
    "relu_": lambda e: e.relu_(),
    "copy_": lambda e: e.copy_(pellucid.ones(3, 4)),
    "index": lambda e: e.__setitem__(0, pellucid.ones(4)),
    "row": lambda e: e[0].mul_(2),
    "index_add_": lambda e: e.index_add_(0, pellucid.tensor([0]), pellucid.ones(1, 4)),
    "normal_": lambda e: e.normal_(),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", STRETCHED)
def test_a_stretched_tensor_cannot_be_changed(change: str, mode: str) -> None:
    def f(b: Any) -> Any:
        STRETCHED[change](b.expand(3, 4))
        return b * 1

    b = pellucid.zeros(3, 1)
    with pytest.raises(RuntimeError, match=r"single memory location\n.*clone"):
        running(f, mode)(b)
    assert b.tolist() == [[0.0]] * 3
    with pytest.raises(InPlaceError, match="single memory location"):
        running(lambda e: e.add_(1), mode)(b.expand(3, 4))


@pytest.mark.parametrize("mode", MODES)
def test_a_stretched_tensor_can_be_filled(mode: str) -> None:
    b = pellucid.zeros(3, 1)
    running(lambda b: b.expand(3, 4).fill_(2), mode)(b)
    assert b.tolist() == [[2.0]] * 3


@pytest.mark.parametrize("mode", MODES)
def test_errors_of_the_tape_are_those_of_pytorch(mode: str) -> None:
    w = leaf(3)

    def refused(function: Callable[[], Any], text: str) -> None:
        with pytest.raises(RuntimeError, match=text):
            running(function, mode)()

    refused(lambda: w.add_(1), "a leaf Variable that requires grad is being used in an in-place")
    refused(lambda: w[0].add_(1), "a view of a leaf Variable that requires grad is being used")
    refused(lambda: w.view(-1)[1:].zero_(), "a view of a leaf Variable that requires grad")

    def one_of_several() -> None:
        (w * 1).split(1)[0].mul_(2)

    def row() -> None:
        for part in w * 1:
            part.mul_(2)

    refused(one_of_several, "one of several views that a function returned")
    refused(row, "one of several views that a function returned")

    def unrecorded_view() -> None:
        x = w * 1
        with pellucid.no_grad():
            v = x[:2]
        v.mul_(2)

    refused(unrecorded_view, "a view was created in no_grad mode")

    def stale() -> Any:
        x = w * 1
        with pellucid.no_grad():
            v = x[:2]
        x.mul_(2)
        return v * 2

    refused(stale, "a view was created in no_grad mode")


def test_views_of_parameters_show_what_an_optimizer_writes() -> None:
    layer = pellucid.nn.Linear(2, 2)
    with pellucid.no_grad():
        row = layer.weight[0]
    optimizer = pellucid.optim.SGD(layer.parameters(), lr=0.5)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = layer(x).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for run in (step, pellucid.compile(step)):
        before = row.clone()
        run(pellucid.ones(1, 2))
        assert_close(row, before.numpy() - 0.5, 1e-6)
    with pellucid.no_grad():
        layer.weight[1].zero_()
        layer.weight.view(-1)[0] = 7.0
    assert layer.weight.tolist()[1] == [0.0, 0.0] and row[0].item() == 7.0


# ---- arguments that share memory ---------------------------------------------------------------


def _add_and_read(a: Any, b: Any) -> Any:
    a.add_(1)
    return b * 10


OVERLAPS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "parts": lambda z: (z[:3], z[1:]),
    "whole and part": lambda z: (z, z[1:]),
    "part and whole": lambda z: (z[1:], z),
    "transposed": lambda z: (z.view(2, 2), z.view(2, 2).t()),
    "reshaped": lambda z: (z, z.reshape(2, 2)),
    "the same": lambda z: (z, z),
    "detached": lambda z: (z, z.detach()),
    "apart": lambda z: (z[:2], z[2:]),
    "interleaved": lambda z: (z[::2], z[1::2]),
    "NumPy's": lambda z: (
        pellucid.from_numpy(z.numpy()[:3]),
        pellucid.from_numpy(z.numpy()[1:]),
    ),
    "arrays": lambda z: (z.numpy()[:3], z.numpy()[1:]),
}


@pytest.mark.parametrize("backend", ("reference", "cpu"))
@pytest.mark.parametrize("name", OVERLAPS)
def test_a_compiled_function_whose_arguments_share_memory(name: str, backend: str) -> None:
    function = pellucid.compile(_add_and_read, backend=backend)
    for _ in range(3):
        ours, plain = pellucid.arange(4.0), pellucid.arange(4.0)
        expected = _add_and_read(*(pellucid.as_tensor(a) for a in OVERLAPS[name](plain)))
        assert_close(function(*OVERLAPS[name](ours)), expected)
        assert_close(ours, plain)
    apart = (pellucid.zeros(3), pellucid.ones(3))
    assert function(*apart).tolist() == [10.0] * 3  # and separate ones, with the same programs


def test_three_arguments_that_share_memory() -> None:
    def f(a: Any, b: Any, c: Any) -> Any:
        a.mul_(2)
        c.add_(b.sum())
        return a + 0

    ours, plain = pellucid.arange(6.0), pellucid.arange(6.0)
    compiled = pellucid.compile(f)
    for _ in range(2):
        found = compiled(ours[:4], ours[1:5], ours[2:])
        assert_close(found, f(plain[:4], plain[1:5], plain[2:]))
        assert_close(ours, plain)


def test_an_argument_that_shares_memory_with_state() -> None:
    base = pellucid.zeros(4)
    row = base[1:3]

    def write_state(x: Any) -> Any:
        row.add_(1)
        return x * 2

    def write_argument(x: Any) -> Any:
        x.add_(1)
        return row * 2

    writes_state, writes_argument = pellucid.compile(write_state), pellucid.compile(write_argument)
    for k in range(1, 3):
        assert writes_state(pellucid.ones(4)).tolist() == [2.0] * 4
        assert writes_state(base).tolist() == [0.0, 4.0 * k, 4.0 * k, 0.0]
    base.zero_()
    assert writes_argument(pellucid.ones(4)).tolist() == [0.0, 0.0]
    assert writes_argument(base).tolist() == [2.0, 2.0]
    assert writes_argument(base[:2]).tolist() == [4.0, 2.0]


@pytest.mark.parametrize("mode", MODES)
def test_results_that_show_an_argument(mode: str) -> None:
    def f(a: Any, b: Any) -> Any:
        a.add_(1)
        return a, a[0], a.t()[1:], a.detach(), b.reshape(-1), a * 1

    function = running(f, mode)
    for _ in range(2):
        a, b = pellucid.zeros(2, 3), pellucid.ones(3, 2)
        same, row, part, detached, flat, copied = function(a, b)
        assert same is a and detached is not a
        row.mul_(5)
        part.sub_(1)
        detached[0, 0] = 9.0
        flat[0] = 7.0
        copied.zero_()
        assert a.tolist() == [[9.0, 4.0, 4.0], [1.0, 0.0, 0.0]]
        assert b.tolist() == [[7.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
        turned = pellucid.ones(2, 3).t()
        assert_close(function(pellucid.zeros(2, 3), turned)[4].mul_(3), np.full(6, 3.0))
        assert_close(turned, np.ones((3, 2)))  # reshaping a transposed one copies
    single = running(lambda x: x.view(-1), mode)
    x = pellucid.zeros(2, 2)
    single(x).add_(1)
    assert x.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_state_that_shares_memory_with_state() -> None:
    base = pellucid.zeros(3, 3)
    row = base[1]
    function = pellucid.compile(lambda x: row.add_(x).sum() + base.sum())
    assert function(pellucid.ones(3)).item() == 6.0
    assert function(pellucid.ones(3)).item() == 12.0
    assert base.tolist() == [[0.0] * 3, [2.0] * 3, [0.0] * 3]


def test_an_argument_with_a_history_that_is_changed_keeps_one() -> None:
    w = leaf(3)
    function = pellucid.compile(lambda x: x.mul_(x.detach()).sum())
    for _ in range(2):
        x = w * 1
        loss = function(x)
        assert_close(
            pellucid.grad(loss + x.sum(), [w])[0], 2 * w.detach().numpy(), 1e-9, what="gradient"
        )


def test_a_state_without_history_gets_the_value_alone() -> None:
    """What a program does to tensors from outside is not recorded: their value changes."""
    w, memory = leaf(3), pellucid.zeros(3, dtype=pellucid.float64)
    shown = memory[1:]
    function = pellucid.compile(lambda: memory.add_(w).sum().detach())
    for k in range(1, 3):
        function()
        assert_close(memory, k * w.detach().numpy(), 1e-12)
        assert memory.grad_fn is None and not memory.requires_grad and not shown.requires_grad


def test_many_steps_refuse_arguments_that_share_memory() -> None:
    function = pellucid.compile(lambda a, b: a.add_(1) + b)
    z = pellucid.zeros(3, 4)
    with pytest.raises(TraceError, match="many.. got arguments that share memory"):
        function.many(2, z[:2], z[1:])


OPERATORS: dict[str, tuple[Any, Callable[[Any], Any], Any]] = {
    "+=": ([5.0, 6.0], lambda x: x.__iadd__(2), [7.0, 8.0]),
    "-=": ([5.0, 6.0], lambda x: x.__isub__(2), [3.0, 4.0]),
    "*=": ([5.0, 6.0], lambda x: x.__imul__(2), [10.0, 12.0]),
    "/=": ([5.0, 6.0], lambda x: x.__itruediv__(2), [2.5, 3.0]),
    "//=": ([5.0, 6.0], lambda x: x.__ifloordiv__(2), [2.0, 3.0]),
    "%=": ([5.0, 6.0], lambda x: x.__imod__(4), [1.0, 2.0]),
    "**=": ([5.0, 6.0], lambda x: x.__ipow__(2), [25.0, 36.0]),
    "&=": ([5, 6], lambda x: x.__iand__(4), [4, 4]),
    "|=": ([5, 6], lambda x: x.__ior__(1), [5, 7]),
    "^=": ([5, 6], lambda x: x.__ixor__(1), [4, 7]),
    "<<=": ([5, 6], lambda x: x.__ilshift__(1), [10, 12]),
    ">>=": ([5, 6], lambda x: x.__irshift__(1), [2, 3]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sign", OPERATORS)
def test_operators_with_assignment_write_into_the_memory(sign: str, mode: str) -> None:
    before, change, after = OPERATORS[sign]
    x = pellucid.tensor(before)
    shown = x[:]
    running(lambda x: change(x) is x, mode)(x)
    assert x.tolist() == after and shown.tolist() == after


# ---- in place, and the kind of number --------------------------------------------------------

NARROWING: dict[str, Callable[[Any], Any]] = {
    "/=": lambda x: x.__itruediv__(2),
    "*= 0.5": lambda x: x.__imul__(0.5),
    "+= 0.5": lambda x: x.__iadd__(0.5),
    "-= 0.5": lambda x: x.__isub__(0.5),
    "+= float tensor": lambda x: x.__iadd__(pellucid.ones(2)),
    "+= float scalar tensor": lambda x: x.__iadd__(pellucid.tensor(0.5)),
    "div_": lambda x: x.div_(2),
    "sqrt_": lambda x: x.sqrt_(),
    "exp_": lambda x: x.exp_(),
    "sigmoid_": lambda x: x.sigmoid_(),
    "reciprocal_": lambda x: x.reciprocal_(),
    "pow_": lambda x: x.pow_(0.5),
    "clamp_": lambda x: x.clamp_(0.5),
    "fmod_": lambda x: x.fmod_(2.5),
    "floor_divide_": lambda x: x.floor_divide_(2.5),
    "remainder_": lambda x: x.remainder_(2.5),
    "lerp_": lambda x: x.lerp_(x, 0.5),
    "atan2_": lambda x: x.atan2_(x),
    "float_power_": lambda x: x.float_power_(2),
    "addcdiv_": lambda x: x.addcdiv_(x, x),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NARROWING)
def test_whole_numbers_do_not_become_fractions_in_place(name: str, mode: str) -> None:
    x = pellucid.tensor([3, 5])
    with pytest.raises(RuntimeError, match=r"can't be cast to the desired output type Long"):
        running(lambda x: NARROWING[name](x), mode)(x)
    assert x.tolist() == [3, 5]


def test_truth_does_not_become_a_number_in_place() -> None:
    for change in (lambda b: b.add_(1), lambda b: b.mul_(2), lambda b: b.floor_divide_(2)):
        b = pellucid.tensor([True, False])
        with pytest.raises(
            RuntimeError, match="result type Long can't be cast to the desired output type Bool"
        ):
            change(b)
        assert b.tolist() == [True, False]


SOURCES: dict[str, Callable[[Any], Any]] = {
    "index_put_": lambda x: x.index_put_((pellucid.tensor([0]),), pellucid.tensor([0.5])),
    "index_add_": lambda x: x.index_add_(0, pellucid.tensor([0]), pellucid.tensor([0.5])),
    "index_copy_": lambda x: x.index_copy_(0, pellucid.tensor([0]), pellucid.tensor([0.5])),
    "put_": lambda x: x.put_(pellucid.tensor([0]), pellucid.tensor([0.5])),
    "scatter_": lambda x: x.scatter_(0, pellucid.tensor([0]), pellucid.tensor([0.5])),
    "scatter_add_": lambda x: x.scatter_add_(0, pellucid.tensor([0]), pellucid.tensor([0.5])),
    "scatter_reduce_": lambda x: x.scatter_reduce_(
        0, pellucid.tensor([0]), pellucid.tensor([0.5]), "sum"
    ),
    "masked_scatter_": lambda x: x.masked_scatter_(x > 0, pellucid.tensor([0.5, 0.5])),
    "normal_": lambda x: x.normal_(),
    "uniform_": lambda x: x.uniform_(),
    "exponential_": lambda x: x.exponential_(),
}


@pytest.mark.parametrize("name", SOURCES)
def test_fractions_are_not_written_into_whole_numbers(name: str) -> None:
    x = pellucid.tensor([3, 5])
    with pytest.raises(RuntimeError):
        SOURCES[name](x)
    assert x.tolist() == [3, 5]


def test_what_pytorch_converts_in_place_is_converted() -> None:
    f32, f64 = pellucid.float32, pellucid.float64
    x = pellucid.ones(2)
    x += 1
    x += pellucid.tensor([1, 2])
    x += pellucid.tensor([0.5, 0.5], dtype=f64)
    assert x.dtype is f32 and x.tolist() == [3.5, 4.5]
    n = pellucid.tensor([1, 2], dtype=pellucid.int32)
    n += pellucid.tensor([1, 2])
    n *= True
    n //= 1
    assert n.dtype is pellucid.int32 and n.tolist() == [2, 4]
    for change, expected in (
        (lambda k: k.fill_(1.7), [1, 1]),
        (lambda k: k.copy_(pellucid.tensor([1.7, -2.7])), [1, -2]),
        (lambda k: k.__setitem__(0, 9.9), [9, 5]),
        (lambda k: k.masked_fill_(k > 3, 0.5), [3, 0]),
        (lambda k: k.eq_(3), [1, 0]),
        (lambda k: k.sign_(), [1, 1]),
        (lambda k: k.floor_(), [3, 5]),
    ):
        k = pellucid.tensor([3, 5])
        change(k)
        assert k.tolist() == expected
    b = pellucid.tensor([True, False])
    assert b.sign_().tolist() == [True, False] and b.mul_(True).tolist() == [True, False]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_view_can_be_a_leaf(backend: str) -> None:
    """w = x.reshape(…).requires_grad_() is a leaf, and a compiled function finds its gradient."""
    storage = pellucid.tensor([1.0, -2.0, 3.0, -4.0])
    w = storage[1:].requires_grad_()

    def gradients() -> Any:
        return pellucid.autograd.grad((w * w).sum(), [w])[0]

    def step() -> Any:
        loss = (w.abs() * w).sum()
        loss.backward()
        return loss

    expected = [-4.0, 6.0, -8.0]
    assert gradients().tolist() == expected
    assert pellucid.compile(gradients, backend=backend)().tolist() == expected
    pellucid.compile(step, backend=backend, keep_gradients=True)()
    assert w.grad.tolist() == [4.0, 6.0, 8.0]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_nothing_is_not_stretched(backend: str) -> None:
    """Of no elements none shares its memory: a change in place is a change of nothing."""

    def change(x: Any) -> Any:
        view = x.unsqueeze(0)
        view.add_(1)
        return view

    x = pellucid.zeros(2, 0)
    assert change(x).tolist() == [[[], []]]
    assert pellucid.compile(change, backend=backend)(x).tolist() == [[[], []]]


def _windows(t: Any) -> Any:
    return t.unfold(0, 3, 1)


def _stacked(t: Any) -> Any:
    return t.expand(2, 5)


@pytest.mark.parametrize(
    ("show", "write", "expected"),
    [
        (_stacked, lambda e: e[0].add_(1), [1, 1, 1, 1, 1]),
        (_stacked, lambda e: e[1, 3].add_(2), [0, 0, 0, 2, 0]),
        (_stacked, lambda e: e[:1].sub_(1), [-1, -1, -1, -1, -1]),
        (_stacked, lambda e: e.t()[2, 0].add_(1), [0, 0, 1, 0, 0]),
        (_stacked, lambda e: e.__setitem__(1, pellucid.arange(5.0)), [0, 1, 2, 3, 4]),
        (_stacked, lambda e: e.view(2, 5)[1].narrow(0, 3, 2).fill_(7), [0, 0, 0, 7, 7]),
        (_windows, lambda u: u[1].add_(1), [0, 1, 1, 1, 0]),
        (_windows, lambda u: u[:, 0].add_(1), [1, 1, 1, 0, 0]),
        (_windows, lambda u: u[0, 2].add_(5), [0, 0, 5, 0, 0]),
        (_windows, lambda u: u.__setitem__(2, 9.0), [0, 0, 9, 9, 9]),
    ],
)
@pytest.mark.parametrize("mode", ["eager", "argument"])
def test_a_part_of_a_stretched_tensor_writes_through(
    show: Any, write: Any, expected: list[float], mode: str
) -> None:
    """Rows of a stretched tensor and single windows have each element once, and show the base."""
    t = pellucid.zeros(5)
    shown = show(t)
    if mode == "eager":
        write(shown)
    else:
        pellucid.compile(lambda e: (write(e), e.sum())[1])(shown)
    assert t.tolist() == expected
    assert_close(shown, show(pellucid.tensor(expected, dtype=pellucid.float32)), 0.0)


@pytest.mark.parametrize(
    "write",
    [
        lambda t: _stacked(t).add_(1),
        lambda t: _stacked(t)[:, 0].add_(1),
        lambda t: _stacked(t).__setitem__(slice(None), 1.0),
        lambda t: _windows(t).mul_(2),
        lambda t: _windows(t)[:2].add_(1),
    ],
)
def test_elements_that_are_one_in_memory_cannot_be_changed(write: Any) -> None:
    t = pellucid.zeros(5)
    with pytest.raises(InPlaceError, match="more than one of its elements refers to a single"):
        write(t)
    assert t.tolist() == [0.0] * 5


def test_a_view_whose_history_is_lost_says_so_each_time() -> None:
    """One of several views, after a change of the base: facts can be read, gradients cannot."""
    x = pellucid.ones(4, requires_grad=True)
    base = x * 1
    first, _ = base.split(2)
    base.add_(1)
    for _ in range(2):
        assert first.requires_grad and not first.is_leaf and first.tolist() == [2.0, 2.0]
        with pytest.raises(AutogradError, match="one of several views that a function returned"):
            (first * 2).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("count", [4, 50_000])  # by NumPy, and by native kernels
@pytest.mark.parametrize("name", ["exp", "tanh", "sqrt", "div", "abs"])
def test_a_result_written_through_a_view_is_read_or_refused(
    name: str, count: int, create_graph: bool
) -> None:
    """Where PyTorch's rule reads the result it is an error; elsewhere the gradient is right."""
    values = np.linspace(0.1, 1, count)
    x = pellucid.tensor(values, requires_grad=True)
    y = 1.5 / x if name == "div" else getattr(x, name)()
    y[0].add_(1)
    loss = (y * y).sum()
    if name in ("exp", "tanh", "sqrt"):
        with pytest.raises(AutogradError, match=f"{name} needs for its gradient was modified"):
            pellucid.grad(loss, [x], create_graph=create_graph)
        return
    found = pellucid.grad(loss, [x], create_graph=create_graph)[0].detach().numpy()
    first = np.eye(1, count)[0]
    if name == "abs":
        expected = 2 * (values + first)
    else:
        expected = -2 * (1.5 / values + first) * 1.5 / values**2
    assert_close(found, expected, 1e-9, 1e-12)
