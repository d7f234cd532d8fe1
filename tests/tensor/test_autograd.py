"""What the tape promises: leaves, accumulation, hooks, modes, in-place changes, errors."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError, AutogradError, PellucidError
from pellucid.tensor.core import TensorCore
from pellucid.tensor.gradcheck import gradcheck, gradgradcheck, numerical_grad


def leaf(values: Any) -> Any:
    return pellucid.tensor(values, dtype=pellucid.float64, requires_grad=True)


# ---- accumulation ------------------------------------------------------------------------------


def test_a_second_backward_adds_to_the_gradient() -> None:
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert_close(x.grad, [4.0, 8.0])
    x.grad = None
    (x * x).sum().backward()
    assert_close(x.grad, [2.0, 4.0])


def test_backward_twice_on_the_same_tape() -> None:
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, [4.0, 8.0])
    for again in (y.backward, lambda: pellucid.autograd.grad(y, x)):
        with pytest.raises(RuntimeError, match="mul .* second time\n.*retain_graph=True"):
            again()


TWICE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sum": lambda t, x, w: x.sum(),
    "mean": lambda t, x, w: x.mean(),
    "shifted": lambda t, x, w: (x + 1 - w)[0],
    "views": lambda t, x, w: x.t().reshape(-1)[None].expand(2, 9),
    "joined": lambda t, x, w: t.cat([x, w, t.stack([x, w]).flatten(0, 1)]),
    "cast": lambda t, x, w: x.double().clone().flip(0).cumsum(0),
    "product": lambda t, x, w: x * w,
    "power": lambda t, x, w: (x**2).sum(),
    "matrix": lambda t, x, w: x @ w,
    "relu": lambda t, x, w: x.relu(),
    "exp": lambda t, x, w: x.exp().mean(),
    "picked": lambda t, x, w: x[t.tensor([0, 1])],
    "chosen": lambda t, x, w: t.where(w > 0, x, w),
    "softmax": lambda t, x, w: x.softmax(0),
    "cross entropy": lambda t, x, w: t.nn.functional.cross_entropy(x, t.tensor([0, 1, 2])),
    "largest": lambda t, x, w: x.max(),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("compiled", [False, True])
def test_what_may_be_walked_through_twice(name: str, compiled: bool) -> None:
    """Whether the second walk raises is PyTorch's answer, for each operation."""
    torch = pytest.importorskip("torch")

    def refused(t: Any) -> bool:
        x = t.full((3, 3), 0.5).requires_grad_()
        w = t.ones(3, 3)

        def twice() -> Any:
            y = TWICE[name](t, x, w)
            y.backward(t.ones_like(y))
            y.backward(t.ones_like(y))
            return y

        try:
            t.compile(twice)() if compiled and t is pellucid else twice()
        except RuntimeError as error:
            assert "backward through the graph a second time" in str(error)
            return True
        return False

    assert refused(pellucid) == refused(torch)


def test_losses_that_share_a_part() -> None:
    x = leaf([1.0, 2.0])
    shared = x * x
    first, second = shared.sum(), (shared * 3).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="second time"):
        second.backward()
    shared = x * x
    first, second = shared.sum(), (shared * 3).sum()
    (first + second).backward()


@pytest.mark.parity
def test_inputs_of_backward() -> None:
    torch = pytest.importorskip("torch")
    for t in (pellucid, torch):
        x, y = (t.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        middle = x * y
        loss = (middle * x).sum()
        loss.backward(inputs=[x, middle], retain_graph=True)
        assert x.grad.tolist() == [2.0, 8.0] and y.grad is None
        assert middle.grad.tolist() == [1.0, 2.0]
        loss.backward(inputs=y, retain_graph=True)
        assert y.grad.tolist() == [1.0, 4.0]
        t.autograd.backward([loss, middle], [t.tensor(1.0), t.ones(2)], inputs=[y])
        assert y.grad.tolist() == [3.0, 10.0]
        with pytest.raises(RuntimeError, match="cannot be empty"):
            loss.backward(inputs=[])


@pytest.mark.parity
def test_older_and_rare_arguments_of_grad() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for t in (pellucid, torch):
        x = t.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        unused = t.ones(2, requires_grad=True)
        y = (x**3).sum(1)
        (first,) = t.autograd.grad(y.sum(), x, create_graph=True, only_inputs=True)
        penalty = ((first.norm(2, dim=1) - 1) ** 2).mean()
        (second,) = t.autograd.grad(penalty, x)
        rows = t.autograd.grad((x**3).sum(1), x, t.eye(2), is_grads_batched=True)[0]
        zeros = t.autograd.grad((x**2).sum(), [x, unused], materialize_grads=True)[1]
        with pytest.warns(FutureWarning, match="only_inputs"):
            t.autograd.grad((x**2).sum(), x, only_inputs=False)
        with pytest.raises(RuntimeError):
            t.autograd.grad((x**2).sum(), [x, unused])
        found.append([v.detach().numpy() for v in (second, rows, zeros)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_value_used_twice_gets_both_parts() -> None:
    x = leaf(3.0)
    (x * x + x).backward()
    assert x.grad.item() == 7.0


def test_gradients_only_reach_leaves_that_require_them() -> None:
    x, y, z = leaf(2.0), pellucid.tensor(3.0), leaf(5.0)
    middle = x * y
    (middle + y).backward()
    assert x.grad.item() == 3.0 and y.grad is None and z.grad is None and middle.grad is None


def test_the_gradient_does_not_share_memory_with_the_cotangent() -> None:
    x = leaf([1.0, 2.0])
    seed = pellucid.ones(2, dtype=pellucid.float64)
    y = x + 0.0
    y.backward(seed)
    x.grad.mul_(5)
    assert_close(seed, [1.0, 1.0])


def test_two_leaves_of_a_sum_do_not_share_their_gradients() -> None:
    x, y = leaf([1.0]), leaf([1.0])
    (x + y).sum().backward()
    x.grad.mul_(10)
    assert y.grad.item() == 1.0


# ---- asking ------------------------------------------------------------------------------------


def test_a_value_with_axes_needs_a_gradient_argument() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(
        AutogradError, match=r"backward needs a gradient argument .* shape \(2,\)\n.*mean\(\)"
    ):
        (x * x).backward()
    (x * x).backward(pellucid.tensor([1.0, 10.0], dtype=pellucid.float64))
    assert_close(x.grad, [2.0, 40.0])
    with pytest.raises(
        PellucidError, match=r"the gradient argument has shape \(3,\), the output \(2,\)"
    ):
        (x * x).backward(pellucid.ones(3))


def test_nothing_to_differentiate() -> None:
    with pytest.raises(AutogradError, match="does not depend on anything that requires gradients"):
        pellucid.tensor(1.0).backward()
    with pytest.raises(AutogradError, match="does not depend on anything that requires gradients"):
        leaf(1.0).detach().backward()


def test_grad_returns_instead_of_collecting() -> None:
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = pellucid.grad(x * x * y, [x, y])
    assert (gx.item(), gy.item(), x.grad, y.grad) == (12.0, 4.0, None, None)


def test_grad_of_what_takes_no_part() -> None:
    x, y = leaf(2.0), leaf([3.0, 1.0])
    with pytest.raises(
        AutogradError, match=r"input 1 \(shape \(2,\)\) takes no part.*\n.*allow_unused"
    ):
        pellucid.grad(x * x, [x, y])
    assert pellucid.grad(x * x, [x, y], allow_unused=True)[1] is None
    assert_close(pellucid.grad(x * x, [x, y], materialize_grads=True)[1], [0.0, 0.0])


def test_grad_with_respect_to_a_value_in_between() -> None:
    x = leaf(2.0)
    middle = x * x
    assert pellucid.grad(middle.sin() * middle, middle)[0].item() == pytest.approx(
        np.cos(4) * 4 + np.sin(4)
    )


def test_grad_of_several_outputs_adds_up() -> None:
    x = leaf(2.0)
    (found,) = pellucid.grad([x * 3, x * x], [x], [pellucid.tensor(1.0), pellucid.tensor(10.0)])
    assert found.item() == 43.0


def test_gradients_of_gradients() -> None:
    x = leaf(0.5)
    value = x.sin()
    for expected in (np.cos(0.5), -np.sin(0.5), -np.cos(0.5), np.sin(0.5)):
        (value,) = pellucid.grad(value, x, create_graph=True)
        assert value.item() == pytest.approx(expected)


def test_a_gradient_penalty_reaches_the_weights() -> None:
    w, x = leaf([2.0, -1.0]), leaf([0.5, 1.5])
    (slope,) = pellucid.grad((w * x).sum().tanh(), x, create_graph=True)
    (slope**2).sum().backward()
    inner = 2 * 0.5 - 1.5

    def penalty(w: np.ndarray) -> float:
        return float((((1 - np.tanh(w @ [0.5, 1.5]) ** 2) * w) ** 2).sum())

    step = 1e-6
    for i in range(2):
        high, low = np.array([2.0, -1.0]), np.array([2.0, -1.0])
        high[i] += step
        low[i] -= step
        assert w.grad[i].item() == pytest.approx(
            (penalty(high) - penalty(low)) / (2 * step), rel=1e-6
        )
    assert inner == -0.5


# ---- leaves, detach, modes ----------------------------------------------------------------------


def test_leaves_and_what_is_made_of_them() -> None:
    x = leaf(1.0)
    assert x.is_leaf and x.grad_fn is None and x.requires_grad
    y = x * 2
    assert not y.is_leaf and repr(y.grad_fn) == "<MulBackward0>" and y.requires_grad
    assert pellucid.tensor(1.0).is_leaf and not (pellucid.tensor(1.0) * 2).requires_grad
    assert "requires_grad=True" in repr(x) and "grad_fn=<MulBackward0>" in repr(y)


def test_integers_cannot_require_gradients() -> None:
    with pytest.raises(AutogradError, match="a tensor of int64 cannot require gradients"):
        pellucid.tensor([1, 2], requires_grad=True)
    assert not (leaf([1.0]) > 0).requires_grad
    assert not leaf([1.0]).argmax().requires_grad


def test_only_leaves_can_stop_requiring_gradients() -> None:
    with pytest.raises(AutogradError, match=r"only leaves can stop.*\n.*detach"):
        (leaf(1.0) * 2).requires_grad_(False)


def test_detach_shares_memory_and_cuts_history() -> None:
    x = leaf([1.0, 2.0])
    y = x * 3
    z = y.detach()
    assert z.is_leaf and not z.requires_grad
    assert np.shares_memory(z.numpy(), y.detach().numpy())
    (y * z).sum().backward()
    assert_close(x.grad, [9.0, 18.0])


def test_numpy_of_a_tensor_that_requires_gradients() -> None:
    with pytest.raises(AutogradError, match=r"requires gradients\n.*x.detach\(\).numpy\(\)"):
        leaf([1.0]).numpy()
    assert leaf([1.0]).detach().numpy()[0] == 1.0


def records_alive() -> int:
    gc.collect()
    return sum(
        1
        for o in gc.get_objects()
        if type(o).__name__ == "Record" and type(o).__module__.endswith("core")
    )


def test_no_grad_builds_no_graph() -> None:
    """Inference: nothing is recorded, nothing is kept alive."""
    x = leaf([1.0, 2.0])
    before = records_alive()
    with pellucid.no_grad():
        y = (x * x).exp().sum()
        assert not pellucid.is_grad_enabled()
    assert pellucid.is_grad_enabled()
    assert y.grad_fn is None and not y.requires_grad and y.is_leaf
    assert records_alive() == before
    z = (x * x).exp().sum()
    assert records_alive() == before + 3
    del z
    assert records_alive() == before


def test_no_grad_forgets_values_in_between() -> None:
    x = leaf([1.0, 2.0])
    with pellucid.no_grad():
        middle = x * x
        alive = weakref.ref(middle)
        y = middle.sum()
        del middle
        gc.collect()
        assert alive() is None
    assert y.item() == 5.0


def test_modes_nest_and_survive_errors() -> None:
    x = leaf(1.0)
    with pellucid.no_grad():
        with pellucid.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    with pytest.raises(KeyError), pellucid.no_grad():
        raise KeyError
    assert pellucid.is_grad_enabled()
    with pellucid.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_modes_decorate_functions() -> None:
    @pellucid.no_grad()
    def first(x: Any) -> Any:
        """Says something."""
        return x * 2

    @pellucid.no_grad
    def second(x: Any) -> Any:
        return x * 2

    assert not first(leaf(1.0)).requires_grad and not second(leaf(1.0)).requires_grad
    assert first.__name__ == "first" and first.__doc__ == "Says something."
    assert pellucid.is_grad_enabled()


# ---- hooks and kept gradients --------------------------------------------------------------------


def test_retain_grad_keeps_a_gradient_in_between() -> None:
    x = leaf([1.0, 2.0])
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert_close(y.grad, [6.0, 12.0])
    assert_close(x.grad, [18.0, 36.0])


def test_hooks_see_and_replace_the_whole_gradient() -> None:
    x = leaf([1.0, 2.0])
    y = x * 3
    seen: list[Any] = []
    handle = y.register_hook(lambda g: seen.append(g.numpy().copy()))
    second = y.register_hook(lambda g: g * 2)
    (y * y + y).sum().backward()
    assert len(seen) == 1
    assert_close(seen[0], [7.0, 13.0])
    assert_close(x.grad, [42.0, 78.0])
    handle.remove()
    handle.remove()
    second.remove()
    x.grad = None
    y.sum().backward()
    assert len(seen) == 1
    assert_close(x.grad, [3.0, 3.0])


def test_hooks_on_leaves() -> None:
    x = leaf(2.0)
    x.register_hook(lambda g: g * 100)
    (x * 3).backward()
    assert x.grad.item() == 300.0


def test_hooks_need_gradients() -> None:
    with pytest.raises(
        AutogradError, match="a hook was registered on a tensor that does not require"
    ):
        pellucid.tensor(1.0).register_hook(lambda g: g)
    with pytest.raises(
        AutogradError, match=r"retain_grad\(\) was called on a tensor that does not"
    ):
        pellucid.tensor(1.0).retain_grad()


def test_a_gradient_must_have_the_shape_of_its_tensor() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(AutogradError, match=r"a gradient of shape \(3,\) does not fit .* \(2,\)"):
        x.grad = pellucid.zeros(3)


# ---- changes in place --------------------------------------------------------------------------


def test_a_leaf_cannot_be_changed_while_recording() -> None:
    x = leaf([1.0, 2.0])
    for change in (
        lambda: x.add_(1),
        lambda: x.mul_(2),
        lambda: x.zero_(),
        lambda: x.__setitem__(0, 5.0),
        lambda: x.copy_(x * 2),
    ):
        with pytest.raises(AutogradError, match=r"a leaf that requires gradients .*\n.*no_grad"):
            change()
    with pellucid.no_grad():
        x.add_(1)
        x[0] = 5.0
    assert_close(x, [5.0, 3.0])
    assert x.requires_grad and x.is_leaf


def test_a_parameter_changed_between_forward_and_backward_is_noticed() -> None:
    """All gradients belong to one forward pass: no update before backward has read the values."""
    w1, w2 = leaf([[0.5, -0.3]]), leaf([[1.5], [0.7]])
    x = pellucid.tensor([[2.0]], dtype=pellucid.float64)
    loss = ((x @ w1).tanh() @ w2).sum()
    with pellucid.no_grad():
        w2.sub_(0.1)
    with pytest.raises(
        AutogradError, match=r"a tensor of shape \(2, 1\) that matmul needs .* modified in place"
    ):
        loss.backward()


def test_updating_layer_by_layer_would_give_another_gradient() -> None:
    """Updating the second layer before the first has its gradient changes that gradient."""

    def gradients(early: bool) -> np.ndarray:
        w1, w2 = np.array([[0.5, -0.3]]), np.array([[1.5], [0.7]])
        x = np.array([[2.0]])
        hidden = np.tanh(x @ w1)
        if early:
            w2 = w2 - 0.1 * hidden.T
        return x.T @ ((np.ones((1, 1)) @ w2.T) * (1 - hidden**2))

    w1, w2 = leaf([[0.5, -0.3]]), leaf([[1.5], [0.7]])
    x = pellucid.tensor([[2.0]], dtype=pellucid.float64)
    ((x @ w1).tanh() @ w2).sum().backward()
    assert_close(w1.grad, gradients(False), rtol=1e-12)
    assert np.abs(gradients(True) - gradients(False)).max() > 1e-3


@pytest.mark.parametrize("change", ["setitem", "add_", "data", "numpy", "copy_"])
def test_every_way_of_overwriting_is_noticed(change: str) -> None:
    w, x = leaf([1.0, 2.0]), pellucid.tensor([3.0, 4.0], dtype=pellucid.float64)
    y = (w * x).sum()
    if change == "setitem":
        x[0] = 9.0
    elif change == "add_":
        x.add_(1)
    elif change == "data":
        x.data = pellucid.tensor([9.0, 9.0], dtype=pellucid.float64)
    elif change == "copy_":
        x.copy_(pellucid.zeros(2))
    else:
        pytest.skip("writes through NumPy cannot be seen, in PyTorch neither")
    with pytest.raises(AutogradError, match="modified in place after the forward pass"):
        y.backward()


def test_a_change_through_a_view_is_noticed() -> None:
    w, x = leaf([1.0, 2.0]), pellucid.tensor([[3.0, 4.0]], dtype=pellucid.float64)
    y = (w * x).sum()
    x.view(2)[0] = 7.0
    with pytest.raises(AutogradError, match="modified in place"):
        y.backward()


def test_a_change_of_a_value_that_no_rule_reads_is_harmless() -> None:
    w, x = leaf([1.0, 2.0]), pellucid.tensor([3.0, 4.0], dtype=pellucid.float64)
    y = (w + x).sum()
    x.zero_()
    y.backward()
    assert_close(w.grad, [1.0, 1.0])


def test_in_place_arithmetic_has_the_history_of_what_it_was_and_what_came() -> None:
    w = leaf([2.0, 3.0])
    x = pellucid.tensor([5.0, 7.0], dtype=pellucid.float64)
    x *= w
    x *= w
    x.sum().backward()
    assert_close(w.grad, [20.0, 42.0])


def test_writing_elements_has_a_history_too() -> None:
    w = leaf([2.0, 3.0])
    out = pellucid.zeros(3, dtype=pellucid.float64)
    out[0] = w[0]
    out[1] = w[1] * out[0]
    out[2] = out[1] * 2
    out.sum().backward()
    assert_close(out, [2.0, 6.0, 12.0])
    assert_close(w.grad, [1 + 3 * 3, 3 * 2])


def test_what_was_computed_before_a_change_keeps_its_past() -> None:
    w = leaf([2.0, 3.0])
    h = w * 2
    square = h * h
    h += 1
    (square.sum() + h.sum()).backward()
    assert_close(w.grad, 8 * np.array([2.0, 3.0]) + 2)


VIEW_CHANGES = {
    "reshape": lambda y: y.view(-1).add_(1.0),
    "transpose": lambda y: y.t().mul_(y.detach().t() + 1),
    "row": lambda y: y[1].mul_(3.0),
    "part of a part": lambda y: y.t()[1:].reshape(2)[::2].exp_(),
    "index of a view": lambda y: y.view(4, 1)[2:].fill_(7.0),
}


@pytest.mark.parametrize("name", VIEW_CHANGES)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_change_of_a_view_reaches_its_base_with_its_history(name: str, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    change = VIEW_CHANGES[name]
    sides = []
    for library in (pellucid, torch):
        w = library.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=library.float64, requires_grad=True)

        def run(w: Any = w) -> Any:
            y = w * 2
            change(y)
            loss = (y * y).sum()
            loss.backward()
            return loss

        if compiled and library is pellucid:
            run = pellucid.compile(run, keep_gradients=True)
        sides.append((run().item(), w.grad))
    assert sides[0][0] == pytest.approx(sides[1][0])
    assert_close(sides[0][1], sides[1][1])


def test_a_view_of_a_leaf_cannot_be_changed_while_recording() -> None:
    w = leaf([[1.0, 2.0]])
    with pytest.raises(
        AutogradError, match=r"a view of a leaf that requires gradients .*\n.*clone"
    ):
        w.view(2).add_(1)


def test_an_update_before_backward_is_noticed_in_a_compiled_step_too() -> None:
    w1, w2 = leaf([[0.5, -0.3]]), leaf([[1.5], [0.7]])

    @pellucid.compile
    def step(x: Any) -> Any:
        loss = ((x @ w1).tanh() @ w2).sum()
        with pellucid.no_grad():
            w2.sub_(0.1)
        loss.backward()
        return loss

    with pytest.raises(
        AutogradError, match="that matmul needs for its gradient was modified in place"
    ):
        step(pellucid.tensor([[2.0]], dtype=pellucid.float64))


def test_in_place_on_values_in_between() -> None:
    x = leaf([-1.0, 2.0])
    y = (x * 3).relu_().add_(1).mul_(2)
    y.sum().backward()
    assert_close(y, [2.0, 14.0])
    assert_close(x.grad, [0.0, 6.0])


def test_in_place_changes_keep_memory_shape_and_dtype() -> None:
    x = pellucid.tensor([1.0, 2.0])
    memory = x.numpy()
    x += 1
    x.mul_(2.5)
    assert_close(memory, [5.0, 7.5])
    with pytest.raises(PellucidError, match="does not broadcast|do not broadcast"):
        x.add_(pellucid.ones(3, 2))
    n = pellucid.tensor([1, 2])
    n.add_(1)
    assert n.dtype is pellucid.int64


# ---- objects ------------------------------------------------------------------------------------


def test_deep_copies_and_pickles() -> None:
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    twin = copy.deepcopy([x, x])
    assert twin[0] is twin[1] and twin[0] is not x
    assert twin[0].requires_grad and twin[0].is_leaf
    assert_close(twin[0], x)
    with pellucid.no_grad():
        twin[0].add_(1)
    assert_close(x, [1.0, 2.0])
    back = pickle.loads(pickle.dumps(x))
    assert_close(back, x)
    assert back.requires_grad
    with pytest.raises(AutogradError, match="deepcopy"):
        copy.deepcopy(x * 2)


def test_a_tape_dies_with_its_output() -> None:
    x = leaf([1.0])
    y = (x * 2).exp()
    alive = weakref.ref(y._record._tensors[0])
    del y
    gc.collect()
    assert alive() is None


def test_tensors_as_keys_and_in_lists() -> None:
    x, y = pellucid.ones(2), pellucid.ones(2)
    assert {x: 1, y: 2}[y] == 2
    assert any(t is y for t in [x, y])
    with pytest.raises(PellucidError, match="truth value of a tensor with more than one"):
        bool(x == y)


# ---- gradcheck itself --------------------------------------------------------------------------


def test_gradcheck_accepts_right_gradients() -> None:
    x, y = leaf([[0.3, -1.2], [2.0, 0.7]]), leaf([0.5, 1.5])
    assert gradcheck(lambda x, y: (x.tanh() * y, (x @ y).exp()), (x, y))
    assert gradgradcheck(lambda x, y: (x.tanh() * y, (x @ y).exp()), (x, y))


def test_gradcheck_converts_to_double_and_leaves_inputs_alone() -> None:
    x = pellucid.tensor([1.0, 2.0], requires_grad=True)
    assert gradcheck(lambda x: x * x, x)
    assert x.grad is None and x.dtype is pellucid.float32


def wrong(x: Any) -> Any:
    """x², with a history that forgets half of it at position (1, 0)."""
    half = x.detach().clone()
    mask = pellucid.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=pellucid.float64)
    return x * (x * (1 - mask) + half * mask)


def test_gradcheck_says_where_and_by_how_much() -> None:
    y, x = leaf([1.0]), leaf([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(
        AutogradError,
        match=r"gradient of input 1 \(shape \(2, 2\)\) is wrong at position \(1, 0\): "
        r"analytic [\d.]+, numeric [\d.]+, difference [\d.]+; 1 of 4",
    ):
        gradcheck(lambda y, x: y.sum() * wrong(x), (y, x))
    assert gradcheck(wrong, x, raise_exception=False) is False


def test_gradcheck_of_large_inputs_uses_directions() -> None:
    calls = 0

    def function(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return x.sin()

    x = leaf(np.linspace(-2, 2, 5000))
    assert gradcheck(function, x)
    assert calls < 20
    with pytest.raises(AutogradError, match="along random direction"):
        gradcheck(lambda x: x.sin() + x.detach(), x)


def test_gradcheck_takes_the_settings_of_pytorch() -> None:
    x = pellucid.tensor([0.5, 2.0], dtype=pellucid.float64, requires_grad=True)
    assert gradcheck(lambda x: x.sin(), (x,), check_batched_grad=True, nondet_tol=1e-9)
    assert gradgradcheck(lambda x: x.sin(), (x,), fast_mode=True)
    with pytest.raises(AutogradError, match="along random direction"):
        gradcheck(lambda x: x * x.detach(), (x,), fast_mode=True)
    with pytest.raises(TypeError, match="quick"):
        gradcheck(lambda x: x.sin(), (x,), quick=True)


def test_gradgradcheck_finds_a_second_derivative_that_is_missing() -> None:
    x = leaf([0.5, 1.5])

    def cuts(x: Any) -> Any:
        with pellucid.enable_grad():
            leaf_like = x if x.requires_grad else x.requires_grad_()
            (slope,) = pellucid.grad((leaf_like**3).sum(), x)  # a constant from here on
        return (slope * x).sum()

    assert not gradcheck(cuts, x, raise_exception=False)
    assert gradgradcheck(lambda x: (x**3).sum(), x)


def test_gradcheck_needs_something_to_check() -> None:
    with pytest.raises(ArgumentError, match="got no input that requires gradients"):
        gradcheck(lambda x: x, pellucid.ones(2))
    with pytest.raises(ArgumentError, match="keeps float64 and got float32"):
        gradcheck(lambda x: x.float(), leaf([1.0]))


def test_numerical_grad_is_the_difference_quotient() -> None:
    x = pellucid.tensor([0.5, -1.0, 2.0], dtype=pellucid.float64)
    assert_close(numerical_grad(lambda x: x**3, x), 3 * x.numpy() ** 2, rtol=1e-8)
    assert_close(numerical_grad(lambda x: (x * x).sum(), x), 2 * x.numpy(), rtol=1e-8)
    assert numerical_grad(lambda x: x.sin(), pellucid.tensor(0.0)).item() == pytest.approx(1.0)
    with pytest.raises(ArgumentError, match="eps=0"):
        numerical_grad(lambda x: x, x, eps=0)
    assert isinstance(x, TensorCore)


# ---- neurons, activations and their slopes -----------------------------------------------------


def test_sigmoid_range_slope_and_saturation() -> None:
    x = leaf([0.0, 10.0, -10.0, 1000.0, -1000.0, 20.0])
    y = x.sigmoid()
    y.sum().backward()
    values, slopes = y.detach().numpy(), x.grad.numpy()
    assert values[0] == 0.5 and values.min() >= 0 and values.max() <= 1
    assert_close(slopes, values * (1 - values), rtol=1e-12)
    assert slopes[0] == 0.25
    assert slopes[1] == pytest.approx(4.54e-5, rel=1e-3)
    assert 0 < values[5] - values[1] < 5e-5
    grid = leaf(np.linspace(-6, 6, 1001))
    grid.sigmoid().sum().backward()
    assert grid.grad.max().item() == 0.25


def test_ten_sigmoids_let_almost_no_gradient_through() -> None:
    x = leaf(0.3)
    value = x
    for _ in range(10):
        value = value.sigmoid()
    value.backward()
    assert 0 < x.grad.item() <= 0.25**10


def test_relu_passes_the_gradient_where_positive() -> None:
    x = leaf([-2.0, -0.0, 0.0, 1e-300, 3.0])
    x.relu().sum().backward()
    assert_close(x.grad, [0.0, 0.0, 0.0, 1.0, 1.0])


@pytest.mark.parametrize("n", [2, 3])
def test_a_neuron_is_its_formula(n: int, rng: np.random.Generator) -> None:
    x, w, b = rng.standard_normal(n), rng.standard_normal(n), 0.3
    found = (pellucid.tensor(x) @ pellucid.tensor(w) + b).sigmoid().item()
    by_hand = 1 / (1 + np.exp(-(sum(x[i] * w[i] for i in range(n)) + b)))
    assert found == pytest.approx(by_hand, rel=1e-14)


def test_layers_nest() -> None:
    """f(x) = g1(w3 · g2(w1·x1 + w2·x2 + b1) + b2) with different g."""
    x = pellucid.tensor([0.5, -1.0], dtype=pellucid.float64)
    w, w3 = leaf([0.3, 0.8]), leaf(1.7)
    y = ((w * x).sum() + 0.1).tanh()
    out = (w3 * y + 0.2).sigmoid()
    inner = np.tanh(0.3 * 0.5 - 0.8 + 0.1)
    assert out.item() == pytest.approx(1 / (1 + np.exp(-(1.7 * inner + 0.2))))
    out.backward()
    slope = out.item() * (1 - out.item())
    assert_close(w3.grad, slope * inner)
    assert_close(w.grad, slope * 1.7 * (1 - inner**2) * np.array([0.5, -1.0]))
