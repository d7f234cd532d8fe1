"""What a compiled function promises: the same as the plain one, and errors where it cannot."""

from __future__ import annotations

import copy
import threading
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import pellucid as pl
from helpers import assert_close
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, AutogradError, TraceError
from pellucid.tensor.compile import CompiledFunction


def programs(function: CompiledFunction) -> int:
    return sum(len(known) for known in function._programs.values())


def numbers(*shape: int, seed: int = 0) -> Any:
    values = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return pl.tensor(values.astype(np.float32))


def leaf(*shape: int, seed: int = 0) -> Any:
    return numbers(*shape, seed=seed).requires_grad_()


# ---- arguments and results -------------------------------------------------------------------


def test_nested_arguments_and_results() -> None:
    Pair = namedtuple("Pair", ["first", "second"])

    def plain(batch: dict[str, Any], pair: Any, *, scale: float, flags: list[bool]) -> Any:
        total = batch["x"] * scale + pair.first - pair.second
        if flags[0]:
            total = total.tanh()
        return {"total": total, "parts": (batch["x"], [total.sum(), 3, "text"])}, Pair(total, None)

    function = pl.compile(plain)
    x, a, b = numbers(3, 4), numbers(4, seed=1), numbers(3, 1, seed=2)
    for scale, flag in ((2.0, True), (2.0, False), (-1.5, True)):
        found = function({"x": x}, Pair(a, b), scale=scale, flags=[flag])
        expected = plain({"x": x}, Pair(a, b), scale=scale, flags=[flag])
        assert isinstance(found[1], Pair) and found[1].second is None
        assert found[0]["parts"][1][1:] == [3, "text"]
        assert_close(found[0]["total"], expected[0]["total"], 1e-6, 1e-6)
        assert_close(found[0]["parts"][0], x)
        assert_close(found[0]["parts"][1][0], expected[0]["parts"][1][0], 1e-5, 1e-5)
        assert_close(found[1].first, expected[1].first, 1e-6, 1e-6)
    assert programs(function) == 3


def test_numpy_arrays_and_views_as_arguments() -> None:
    function = pl.compile(lambda x, y: x * 2 + y)
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    tensor = pl.tensor(base)
    y = pl.ones(3, 4)
    for view in (base.T[::2], base[:3, 1:5], base[::-1][:3, :4], base[:3, ::-1][:, :4]):
        assert_close(function(view, y), view * 2 + 1)
    for tensor_view, expected in (
        (tensor.t()[::2], base.T[::2]),
        (tensor[:3, 1:5], base[:3, 1:5]),
        (tensor[1:, 2:], base[1:, 2:]),
    ):
        assert_close(function(tensor_view, y), expected * 2 + 1)
    assert programs(function) == 1


def test_the_same_tensor_as_two_arguments() -> None:
    function = pl.compile(lambda x, y: x - 2 * y)
    x, y = numbers(5), numbers(5, seed=1)
    assert_close(function(x, x), -x.numpy(), 1e-6)
    assert_close(function(x, y), x.numpy() - 2 * y.numpy(), 1e-6, 1e-6)


def test_arguments_changed_in_place() -> None:
    def add_to(x: Any, y: Any) -> Any:
        before = x.sum()
        x.add_(y)
        x.mul_(2.0)
        return before

    function = pl.compile(add_to)
    x, y = numbers(4, 5), numbers(4, 5, seed=1)
    expected = x.numpy().copy()
    for _ in range(3):
        before = function(x, y)
        assert_close(before, expected.sum(), 1e-5, 1e-5)
        expected = (expected + y.numpy()) * 2
        assert_close(x, expected, 1e-5, 1e-5)


def test_an_argument_changed_through_a_view_argument() -> None:
    function = pl.compile(lambda x, y: x.add_(y))
    base = pl.zeros(4, 6)
    y = pl.ones(6, 4)
    function(base.t(), y)
    function(base.t(), y)
    assert_close(base, np.full((4, 6), 2.0))


def test_index_assignment_to_an_argument() -> None:
    def write(x: Any, value: Any) -> Any:
        x[1] = value
        x[:, 0] += 1.0
        return x.sum()

    function = pl.compile(write)
    x, other = numbers(3, 4), None
    other = pl.tensor(x.numpy().copy())
    value = numbers(4, seed=3)
    assert_close(function(x, value), write(other, value), 1e-6, 1e-6)
    assert_close(x, other, 1e-6)


def test_results_that_are_arguments_constants_and_repeated() -> None:
    function = pl.compile(lambda x: (x, x, pl.ones(2, 3), x + 0.0, x.reshape(-1)))
    x = numbers(2, 3)
    first, second, ones, same, flat = function(x)
    for found in (first, second, same):
        assert_close(found, x)
    assert_close(ones, np.ones((2, 3)))
    assert_close(flat, x.numpy().reshape(-1))
    first.add_(1.0)
    assert_close(second, x)


def test_results_of_earlier_calls_stay_as_they_were() -> None:
    function = pl.compile(lambda x: (x * 2, x.sum(), x.expand(300, *x.shape)))
    kept = [function(numbers(3, 4, seed=i)) for i in range(4)]
    for i, (doubled, total, wide) in enumerate(kept):
        x = numbers(3, 4, seed=i).numpy()
        assert_close(doubled, x * 2)
        assert_close(total, x.sum(), 1e-5, 1e-6)
        assert_close(wide, np.broadcast_to(x, (300, 3, 4)))


def test_empty_and_zero_dimensional_arguments() -> None:
    function = pl.compile(lambda x, y: (x + y, x.sum()))
    total, one = function(pl.zeros(0, 3), pl.tensor(2.0))
    assert total.shape == (0, 3) and one.item() == 0.0
    total, one = function(pl.tensor(1.5), pl.tensor(2.0))
    assert total.item() == 3.5 and total.shape == ()


# ---- one program per signature ---------------------------------------------------------------


def test_a_new_program_for_each_shape_dtype_and_mode() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 2))
    function = pl.compile(lambda x: model(x))
    model.eval()
    x = numbers(8, 4)
    for _ in range(3):
        assert_close(function(x), model(x), 1e-5, 1e-6)
    assert programs(function) == 1
    assert_close(function(x[:5]), model(x[:5]), 1e-5, 1e-6)
    assert programs(function) == 2
    model.train()
    function(x)
    assert programs(function) == 3
    model.eval()
    assert_close(function(x), model(x), 1e-5, 1e-6)
    assert programs(function) == 3
    double = pl.compile(lambda x: x * 2)
    assert double(x).dtype is pl.float32 and double(x.double()).dtype is pl.float64
    assert programs(double) == 2


def test_freezing_a_parameter_is_noticed() -> None:
    first, second = leaf(3), leaf(3, seed=1)
    optimizer = optim.SGD([first, second], lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = ((first * x + second) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    function = pl.compile(step)
    x = numbers(3, seed=2)
    function(x)
    first.requires_grad_(False)
    before = first.numpy().copy(), second.detach().numpy().copy()
    function(x)
    np.testing.assert_array_equal(first.numpy(), before[0])
    assert (second.detach().numpy() != before[1]).all()
    first.requires_grad_()
    function(x)
    assert (first.detach().numpy() != before[0]).all()


def test_gradient_mode_is_part_of_the_signature() -> None:
    w = leaf(3)
    seen = []

    def f(x: Any) -> Any:
        y = x * w
        seen.append(y.requires_grad)
        return y

    function = pl.compile(f)
    function(numbers(3))
    with pl.no_grad():
        function(numbers(3))
    function(numbers(3))
    assert seen == [True, False]


def test_parameters_changed_between_calls_are_noticed() -> None:
    model = nn.Linear(3, 2)
    function = pl.compile(lambda x: model(x))
    x = numbers(5, 3)

    def check() -> None:
        assert_close(function(x), model(x), 1e-5, 1e-6)

    check()
    model.load_state_dict({"weight": numbers(2, 3, seed=5), "bias": numbers(2, seed=6)})
    check()
    model.weight.data = numbers(2, 3, seed=7)
    check()
    with pl.no_grad():
        model.weight.copy_(numbers(2, 3, seed=8))
        check()
        model.bias.zero_()
    check()
    model.weight = nn.Parameter(numbers(2, 3, seed=9))
    check()
    model.weight.detach().numpy()[...] = 1.0
    check()
    assert programs(function) <= 3


def test_learning_rates_change_without_a_new_program() -> None:
    results = []
    for compiled in (False, True):
        w = leaf(4, 3)
        optimizer = optim.SGD([w], lr=0.5, momentum=0.9)
        schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.1)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (x.matmul(w) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        function = pl.compile(step) if compiled else step
        for i in range(8):
            function(numbers(6, 4, seed=i))
            schedule.step()
            if i == 5:
                optimizer.param_groups[0]["lr"] = 0.3
        results.append(w.detach().numpy())
        if compiled:
            assert programs(function) == 1
    assert_close(results[1], results[0], 1e-5, 1e-6)


def test_many_programs_are_reported_with_what_changes() -> None:
    function = pl.compile(lambda x, y: x + y.sum())
    with pytest.warns(
        RuntimeWarning, match=r"compiled 8 times because argument 1 .* keeps changing"
    ):
        for n in range(1, 9):
            function(numbers(3), numbers(n))


def test_plain_python_values_are_part_of_the_signature() -> None:
    function = pl.compile(lambda x, n, name: x * n if name == "times" else x + n)
    x = numbers(3)
    assert_close(function(x, 2, "times"), x.numpy() * 2)
    assert_close(function(x, 3, "times"), x.numpy() * 3)
    assert_close(function(x, 3, "plus"), x.numpy() + 3)
    assert_close(function(x, 3.0, "plus"), x.numpy() + 3)
    assert_close(function(x, True, "plus"), x.numpy() + 1)


# ---- errors ----------------------------------------------------------------------------------


def test_an_if_on_a_value_names_the_line() -> None:
    def branches(x: Any) -> Any:
        if x.sum() > 0:
            return x
        return -x

    with pytest.raises(
        TraceError, match=r"not known while the program is being compiled at .*test_compile\.py:\d+"
    ):
        pl.compile(branches)(numbers(3))
    for read in (
        lambda x: x.item(),
        lambda x: float(x.sum()),
        lambda x: x.numpy(),
        lambda x: x.tolist(),
    ):
        with pytest.raises(TraceError, match="not known while the program is being compiled"):
            pl.compile(read)(numbers(1))
    assert_close(pl.compile(lambda x: x + 1)(numbers(3)), numbers(3).numpy() + 1)


def test_a_state_s_value_read_by_python_does_not_become_a_constant_unseen() -> None:
    scale = pl.tensor(2.0)
    function = pl.compile(lambda x: x * scale.item())
    try:
        first = function(numbers(3))
    except TraceError:
        return
    assert_close(first, numbers(3).numpy() * 2)
    scale.fill_(5.0)
    assert_close(function(numbers(3)), numbers(3).numpy() * 5)


def test_a_tensor_kept_from_inside_raises_when_used() -> None:
    kept = []

    def leaks(x: Any) -> Any:
        y = x * 2
        kept.append(y)
        return y.sum()

    pl.compile(leaks)(numbers(3))
    with pytest.raises(TraceError, match="not known|kept and used"):
        kept[0].numpy()
    with pytest.raises(TraceError, match="not known|kept and used"):
        kept[0] + 1
    with pytest.raises(TraceError, match="kept and used"):
        pl.compile(lambda x: x + kept[0])(numbers(3))


def test_an_error_while_tracing_leaves_everything_usable() -> None:
    w = leaf(3)

    def broken(x: Any) -> Any:
        y = x * w
        raise ValueError("user error")
        return y

    with pytest.raises(ValueError, match="user error"):
        pl.compile(broken)(numbers(3))
    assert not pl.is_tensor(None)
    y = (w * 2).sum()
    y.backward()
    assert_close(w.grad, np.full(3, 2.0))


def test_positions_out_of_range_raise() -> None:
    table = numbers(5, 3)
    function = pl.compile(lambda i: table[i])
    assert_close(function(pl.tensor([0, 4])), table.numpy()[[0, 4]])
    with pytest.raises(ArgumentError, match="position is out of range"):
        function(pl.tensor([0, 5]))
    assert_close(function(pl.tensor([1, 2])), table.numpy()[[1, 2]])
    embedding = nn.Embedding(4, 2)
    with pytest.raises(ArgumentError, match="embedding got the id 7 for 4 rows, in layer Embed"):
        pl.compile(lambda i: embedding(i))(pl.tensor([7]))


def test_a_class_out_of_range_raises() -> None:
    function = pl.compile(lambda x, t: nn.functional.cross_entropy(x, t))
    x = numbers(4, 3)
    function(x, pl.tensor([0, 1, 2, 0]))
    with pytest.raises(ArgumentError, match="cross_entropy got the class id 3 for 3 classes"):
        function(x, pl.tensor([0, 1, 3, 0]))


# ---- gradients -------------------------------------------------------------------------------


def squares(w: Any, x: Any) -> Any:
    return ((x.matmul(w)) ** 2).mean()


def test_gradients_of_a_compiled_forward_and_backward() -> None:
    w = leaf(4, 3)

    def step(x: Any) -> Any:
        w.grad = None
        loss = squares(w, x)
        loss.backward()
        return loss

    function = pl.compile(step, keep_gradients=True)
    for i in range(3):
        x = numbers(6, 4, seed=i)
        function(x)
        found = w.grad.numpy().copy()
        step(x)
        assert_close(found, w.grad, 1e-5, 1e-6)


def test_gradients_accumulate_over_calls_as_eagerly() -> None:
    compiled, eager = leaf(4, 3), leaf(4, 3)
    function = pl.compile(lambda x: squares(compiled, x).backward())
    for i in range(5):
        x = numbers(6, 4, seed=i)
        function(x)
        squares(eager, x).backward()
        assert_close(compiled.grad, eager.grad, 1e-5, 1e-6, f"after call {i}")
    compiled.grad = None
    eager.grad = None
    for i in range(3):
        x = numbers(6, 4, seed=i)
        function(x)
        squares(eager, x).backward()
        assert_close(compiled.grad, eager.grad, 1e-5, 1e-6, f"after clearing, call {i}")


def test_gradient_accumulation_within_a_step() -> None:
    found = []
    for compiled in (False, True):
        w = leaf(4, 3)
        optimizer = optim.Adam([w], lr=0.1)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            total = 0.0
            for part in x:
                loss = squares(w, part)
                loss.backward()
                total = total + loss
            optimizer.step()
            return total

        function = pl.compile(step) if compiled else step
        for i in range(4):
            function(numbers(3, 6, 4, seed=i))
        found.append(w.detach().numpy())
    assert_close(found[1], found[0], 1e-5, 1e-6)


def test_accumulating_in_one_function_and_stepping_in_another() -> None:
    found = []
    for compiled in (False, True):
        w = leaf(4, 3)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

        def collect(x: Any, w: Any = w) -> Any:
            loss = squares(w, x)
            loss.backward()
            return loss

        def update(optimizer: Any = optimizer) -> None:
            optimizer.step()
            optimizer.zero_grad()

        if compiled:
            collect, update = pl.compile(collect), pl.compile(update)
        for i in range(6):
            collect(numbers(6, 4, seed=i))
            if i % 2:
                update()
        found.append(w.detach().numpy())
    assert_close(found[1], found[0], 1e-5, 1e-6)


def test_a_fused_gradient_says_so_and_is_there_next_time() -> None:
    w = leaf(4, 3)
    optimizer = optim.SGD([w], lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = squares(w, x)
        loss.backward()
        optimizer.step()
        return loss

    function = pl.compile(step)
    x = numbers(6, 4)
    function(x)
    with pytest.raises(
        AutogradError,
        match=r"fused into the compiled step's update and not stored[\s\S]*keep_gradients=True",
    ):
        _ = w.grad
    before = pl.tensor(w.detach().numpy().copy()).requires_grad_()
    function(x)
    squares(before, x).backward()
    assert_close(w.grad, before.grad, 1e-5, 1e-6)
    assert_close(w, before.detach().numpy() - 0.1 * before.grad.numpy(), 1e-5, 1e-6)


def test_eager_steps_between_compiled_ones() -> None:
    found = []
    for compiled in (False, True):
        w = leaf(4, 3)
        optimizer = optim.Adam([w], lr=0.05)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = squares(w, x)
            loss.backward()
            optimizer.step()
            return loss

        function = pl.compile(step) if compiled else step
        for i in range(9):
            (step if i % 3 == 1 else function)(numbers(6, 4, seed=i))
        found.append(w.detach().numpy())
    assert_close(found[1], found[0], 1e-5, 1e-6)


def test_results_carry_history_unless_the_function_itself_went_backward() -> None:
    w = leaf(3)
    assert pl.compile(lambda x: x * w)(numbers(3)).requires_grad

    def step(x: Any) -> Any:
        y = x * w
        loss = y.sum()
        loss.backward()
        return loss, y, y.exp()

    assert not any(t.requires_grad for t in pl.compile(step)(numbers(3)))


def test_grad_function_and_higher_orders_inside() -> None:
    def curvature(x: Any) -> Any:
        point = x.detach().requires_grad_()
        value = (point.sin() * point).sum()
        (first,) = pl.grad(value, [point], create_graph=True)
        (second,) = pl.grad((first**2).sum(), [point])
        return second

    x = numbers(7)
    assert_close(pl.compile(curvature)(x), curvature(x), 1e-4, 1e-5)


# ---- several functions, several threads ------------------------------------------------------


def test_a_compiled_function_inside_another() -> None:
    w = leaf(3)
    inner = pl.compile(lambda x: (x * w).tanh())
    outer = pl.compile(lambda x: inner(x).sum() + inner(2 * x).sum())
    x = numbers(3)
    expected = np.tanh(x.numpy() * w.detach().numpy()).sum()
    expected += np.tanh(2 * x.numpy() * w.detach().numpy()).sum()
    assert_close(outer(x), expected, 1e-5, 1e-6)
    assert_close(inner(x), np.tanh(x.numpy() * w.detach().numpy()), 1e-5, 1e-6)


def test_two_functions_share_parameters() -> None:
    found = []
    for compiled in (False, True):
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        for i, p in enumerate(model.parameters()):
            p.data = numbers(*p.shape, seed=i)
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        def predict(x: Any, model: Any = model) -> Any:
            return model(x)

        if compiled:
            step, predict = pl.compile(step), pl.compile(predict)
        outputs = []
        for i in range(6):
            x = numbers(5, 4, seed=i)
            step(x)
            with pl.no_grad():
                outputs.append(predict(x).numpy())
        found.append(np.stack(outputs))
    assert_close(found[1], found[0], 1e-4, 1e-5)


def test_two_python_threads_at_once() -> None:
    shared = numbers(40, 40)
    function = pl.compile(lambda x: (x.matmul(shared).tanh().sum(1), x * 2))
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for turn in range(30):
                x = numbers(8 + 4 * (turn % 2), 40, seed=seed * 100 + turn)
                sums, doubled = function(x)
                assert_close(doubled, x.numpy() * 2)
                expected = np.tanh(x.numpy() @ shared.numpy()).sum(1)
                assert_close(sums, expected, 1e-4, 1e-4)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_the_reference_backend_runs_the_same_program() -> None:
    x = numbers(5, 4)
    native = pl.compile(lambda x: (x.softmax(1), x.argmax(1)))
    slow = pl.compile(lambda x: (x.softmax(1), x.argmax(1)), backend="reference")
    for left, right in zip(native(x), slow(x), strict=True):
        assert_close(left, right, 1e-5, 1e-6)


def test_an_unknown_backend() -> None:
    with pytest.raises(ArgumentError, match="there is no backend 'abacus'"):
        pl.compile(lambda x: x, backend="abacus")(numbers(3))


# ---- many ------------------------------------------------------------------------------------


def noisy_training(seed: int) -> tuple[Any, Any]:
    """(parameters, compiled step) with dropout, Adam and a running mean."""
    pl.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    for i, p in enumerate(model.parameters()):
        p.data = numbers(*p.shape, seed=i) * 0.3
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return list(model.parameters()), pl.compile(step)


def test_many_equals_repeated_calls_bit_for_bit() -> None:
    stack = numbers(7, 10, 6)
    classes = pl.tensor(np.random.default_rng(0).integers(0, 3, (7, 10)))
    ragged, ragged_classes = numbers(4, 6, seed=9), pl.tensor([0, 1, 2, 1])
    runs = []
    for whole in (False, True):
        parameters, step = noisy_training(3)
        losses: list[Any] = []
        for _ in range(3):
            if whole:
                losses += list(step.many(7, stack, classes).numpy())
            else:
                losses += [step(stack[i], classes[i]).item() for i in range(7)]
            losses.append(step(ragged, ragged_classes).item())
        runs.append((np.array(losses, np.float32), [p.detach().numpy().copy() for p in parameters]))
        runs[-1][1].append(pl.rand(3).numpy())
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    for left, right in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_many_with_large_results_and_then_single_calls() -> None:
    function = pl.compile(lambda x: (x * 2, x.sum(), x.expand(200, 5)))
    stack = numbers(6, 5)
    doubled, totals, wide = function.many(6, stack)
    assert_close(doubled, stack.numpy() * 2)
    assert_close(totals, stack.numpy().sum(1), 1e-5, 1e-6)
    assert_close(wide, np.broadcast_to(stack.numpy()[:, None], (6, 200, 5)))
    assert_close(function(stack[2])[0], stack.numpy()[2] * 2)
    again = function.many(2, stack[:2])
    assert_close(again[1], totals.numpy()[:2])


def test_many_checks_its_arguments() -> None:
    function = pl.compile(lambda x: x * 2)
    with pytest.raises(ArgumentError, match=r"many\(3, …\) got an argument of shape \(2, 5\)"):
        function.many(3, numbers(2, 5))
    with pytest.raises(ArgumentError, match="many.* got 0 steps"):
        function.many(0, pl.zeros(0, 5))


# ---- random numbers --------------------------------------------------------------------------


def test_random_numbers_are_those_of_eager_code() -> None:
    def draws(x: Any) -> Any:
        return pl.rand(3, 4), pl.randn(5), x + pl.rand_like(x), pl.randint(0, 9, (6,))

    function = pl.compile(draws)
    x = numbers(7)
    for _ in range(2):
        pl.manual_seed(11)
        compiled = [function(x) for _ in range(3)]
        after = pl.rand(2)
        pl.manual_seed(11)
        eager = [draws(x) for _ in range(3)]
        for left, right in zip(compiled, eager, strict=True):
            for a, b in zip(left, right, strict=True):
                assert_close(a, b, 1e-6, 1e-6)
        np.testing.assert_array_equal(after.numpy(), pl.rand(2).numpy())
    assert (compiled[0][0].numpy() != compiled[1][0].numpy()).all()


# ---- memory that several tensors show --------------------------------------------------------


def test_one_tensor_in_two_places_and_changed_in_place() -> None:
    def change(x: Any, y: Any) -> Any:
        return x.add_(y).mul_(2) + y

    function = pl.compile(change)
    for same in (True, False, True, False):
        x, y = numbers(3), numbers(3, seed=1)
        a, b = pl.tensor(x.numpy().copy()), pl.tensor(y.numpy().copy())
        expected = change(x, x if same else y)
        assert_close(function(a, a if same else b), expected, 1e-6)
        assert_close(a, x, 1e-6)
    assert programs(function) == 2


def test_state_that_is_a_column_of_a_table() -> None:
    base = pl.zeros(4, 3)
    column = base[:, 1]
    function = pl.compile(lambda x: column.add_(x).sum())
    assert_close(function(pl.ones(4)), 4.0)
    assert_close(function(pl.ones(4)), 8.0)
    assert_close(base, np.array([[0.0, 2.0, 0.0]] * 4))
    base.fill_(1.0)
    assert_close(function(pl.ones(4)), 8.0)
    assert_close(base, np.array([[1.0, 2.0, 1.0]] * 4))
    totals = function.many(2, pl.ones(2, 4))
    assert_close(totals, [12.0, 16.0])
    assert_close(base[:, 1], np.full(4, 4.0))


def test_overlapping_state_changed_in_place() -> None:
    """Runs eagerly, since a program takes two tensors of the state for two values."""
    base = pl.zeros(3, 3)
    row = base[1]
    function = pl.compile(lambda x: row.add_(x).sum() + base.sum())
    assert_close(function(pl.ones(3)), 6.0)
    assert_close(function(pl.ones(3)), 12.0)
    assert_close(base, [[0.0] * 3, [2.0] * 3, [0.0] * 3])
    assert_close(pl.compile(lambda x: row.sum() + base.sum() + x)(pl.ones(1)), [13.0])


def test_filling_a_table_made_inside() -> None:
    def fill(x: Any) -> Any:
        table = pl.zeros(5, 4)
        line = pl.full((4,), 2.0)
        for t in range(5):
            table[t] = x[t] * t + line
        line += 1.0
        table[:, 2] = 0.0
        table[table > 1] = 1.0
        return table + line

    x = numbers(5, 4)
    assert_close(pl.compile(fill)(x), fill(x), 1e-6, 1e-6)


def test_changes_of_copies_and_views_made_inside() -> None:
    def change(x: Any, y: Any) -> Any:
        copied = x.clone()
        copied[0] = 5.0
        copied[1:] += x[1:]
        turned = copied.t()
        turned *= 2
        joined = pl.cat([x, y])
        joined += 1.0
        return copied, turned.sum(), joined, x + 0

    x, y = numbers(3, 4), numbers(2, 4, seed=1)
    for found, expected in zip(pl.compile(change)(x, y), change(x, y), strict=True):
        assert_close(found, expected, 1e-5, 1e-5)


def test_a_result_that_still_has_history_is_an_ordinary_argument() -> None:
    w = leaf(3)
    function = pl.compile(lambda y: (y * 3).sum())
    for i in range(3):
        x = numbers(3, seed=i)
        assert_close(function(x * w), (x.numpy() * w.detach().numpy() * 3).sum(), 1e-5, 1e-6)
    assert programs(function) == 1


# ---- settings and state of optimizers between calls ------------------------------------------


def test_settings_of_the_optimizer_change_between_calls() -> None:
    found = []
    for compiled in (False, True):
        w, later = leaf(4, 3), leaf(4, 3, seed=1)
        optimizer = optim.AdamW([w], lr=0.1)

        def step(x: Any, w: Any = w, later: Any = later, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = squares(w, x) + squares(later, x)
            loss.backward()
            optimizer.step()
            return loss

        function = pl.compile(step) if compiled else step
        for i in range(8):
            function(numbers(6, 4, seed=i))
            group = optimizer.param_groups[0]
            if i == 1:
                group["weight_decay"] = 0.5
            if i == 2:
                group["betas"] = (0.5, 0.9)
            if i == 3:
                optimizer.add_param_group({"params": [later], "lr": 0.01})
            if i == 4:
                group["lr"] = 0.01
        found.append(np.stack([w.detach().numpy(), later.detach().numpy()]))
    assert_close(found[1], found[0], 1e-4, 1e-5)


def test_going_back_to_a_saved_state() -> None:
    w = leaf(4, 3)
    optimizer = optim.Adam([w], lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = squares(w, x)
        loss.backward()
        optimizer.step()
        return loss

    function = pl.compile(step)
    function(numbers(6, 4))
    saved, weights = copy.deepcopy(optimizer.state_dict()), w.detach().clone()
    ends = []
    for _ in range(2):
        optimizer.load_state_dict(copy.deepcopy(saved))
        w.data = weights.clone()
        for i in range(3):
            function(numbers(6, 4, seed=i))
        ends.append(w.detach().numpy().copy())
    np.testing.assert_array_equal(ends[0], ends[1])


def test_gradients_set_to_zero_instead_of_none() -> None:
    found = []
    for compiled in (False, True):
        w = leaf(4, 3)
        optimizer = optim.SGD([w], lr=0.1, momentum=0.5)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad(set_to_none=False)
            loss = squares(w, x)
            loss.backward()
            optimizer.step()
            return loss

        function = pl.compile(step) if compiled else step
        for i in range(5):
            function(numbers(6, 4, seed=i))
        found.append(np.stack([w.detach().numpy(), w.grad.numpy()]))
    assert_close(found[1], found[0], 1e-5, 1e-6)


def test_an_argument_without_a_hash_is_recognized_by_identity() -> None:
    function = pl.compile(lambda x, names: x * len(names))
    x = numbers(3)
    for count in range(1, 6):
        # Each set dies before the next is made: its address may be used again, its program not.
        assert_close(function(x, set(range(count))), x.numpy() * count)


def test_a_result_may_read_what_another_one_overwrites() -> None:
    state, x = pl.full((40,), 0.5), pl.linspace(-1, 1, 40)

    @pl.compile
    def step(x: pl.Tensor) -> pl.Tensor:
        new = x.tanh()
        product = new * state  # the first read of the state's element, after the new one is known
        state.copy_(new)
        return product

    expected = np.tanh(x.numpy())
    np.testing.assert_allclose(step(x).numpy(), expected * 0.5, rtol=1e-5)
    np.testing.assert_allclose(state.numpy(), expected, rtol=1e-5)
