"""Gradient checkpointing: the same values and gradients, less memory, eager and compiled."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError, AutogradError
from pellucid.optim import SGD
from pellucid.utils.checkpoint import checkpoint, checkpoint_sequential

WIDTH, ROWS, DEPTH = 32, 256, 8


def data(seed: int = 0, *shape: int) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape or (ROWS, WIDTH))
    return pellucid.from_numpy(values.astype(np.float32))


def deep(layer: Callable[[], nn.Module]) -> nn.ModuleList:
    pellucid.manual_seed(3)
    return nn.ModuleList([layer() for _ in range(4 if layer is attended else DEPTH)])


def residual() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.Tanh(), nn.Linear(4 * WIDTH, WIDTH))


def dropping() -> nn.Module:
    return nn.Sequential(
        nn.Linear(WIDTH, 4 * WIDTH), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 32)
    )


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.GELU())


def convolved() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())


def attended() -> nn.Module:
    return nn.TransformerEncoderLayer(WIDTH, 4, 64, 0.1, batch_first=True)


def stepper(blocks: nn.ModuleList, again: bool) -> Callable[[Any], Any]:
    optimizer = SGD(blocks.parameters(), lr=0.05)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        for block in blocks:
            x = checkpoint(block, x) if again else block(x)
        loss = x.square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def outcome(layer: Callable[[], nn.Module], x: Any, again: bool, native: bool) -> Any:
    """Losses of three steps, then parameters and buffers; and the bytes of the arena."""
    blocks = deep(layer)
    step = stepper(blocks, again)
    run = pellucid.compile(step) if native else step
    pellucid.manual_seed(11)
    losses = np.asarray([run(x).item() for _ in range(3)])
    state = {k: v.detach().numpy().copy() for k, v in blocks.state_dict().items()}
    arena = run.executable.plan.arena_bytes if native else 0
    return losses, state, arena, pellucid.get_rng_state().numpy().tolist()


LAYERS = [residual, dropping, normed, convolved, attended]


@pytest.mark.parametrize("layer", LAYERS)
def test_eager_checkpoints_change_no_bit(layer: Callable[[], nn.Module]) -> None:
    x = data(1, 4, 4, 8, 8) if layer is convolved else data(1, 6, 16, 32)
    x = data(1) if layer is normed else x
    plain, again = (outcome(layer, x, flag, False) for flag in (False, True))
    assert plain[0].tolist() == again[0].tolist()
    assert plain[3] == again[3], "random numbers were drawn twice"
    for name, value in plain[1].items():
        assert (value == again[1][name]).all(), name


@pytest.mark.parametrize("layer", LAYERS)
def test_compiled_checkpoints_give_the_same_in_less_memory(layer: Callable[[], nn.Module]) -> None:
    x = data(1, 16, 4, 8, 8) if layer is convolved else data(1, 6, 16, 32)
    x = data(1) if layer is normed else x
    plain, again = (outcome(layer, x, flag, True) for flag in (False, True))
    np.testing.assert_allclose(plain[0], again[0], rtol=2e-6)
    assert plain[3] == again[3], "random numbers were drawn twice"
    for name, value in plain[1].items():
        # Kernels fused otherwise may contract multiplications and additions otherwise.
        np.testing.assert_allclose(value, again[1][name], rtol=1e-4, atol=3e-6, err_msg=name)
    assert again[2] < 0.7 * plain[2], (again[2], plain[2])


def test_compiled_checkpoints_of_linear_layers_change_no_bit() -> None:
    plain, again = (outcome(residual, data(2), flag, True) for flag in (False, True))
    assert plain[0].tolist() == again[0].tolist()
    for name, value in plain[1].items():
        assert (value == again[1][name]).all(), name


def test_memory_of_a_deep_compiled_net_grows_with_the_segments_not_the_layers() -> None:
    x = data(3)
    bytes_of = {flag: outcome(residual, x, flag, True)[2] for flag in (False, True)}
    hidden = ROWS * 4 * WIDTH * 4
    assert bytes_of[False] > DEPTH * hidden
    assert bytes_of[True] < 0.55 * bytes_of[False]


def test_eager_memory_falls() -> None:
    x = data(4)

    def peak(again: bool) -> int:
        step = stepper(deep(residual), again)
        step(x)
        tracemalloc.start()
        step(x)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(True) < 0.5 * peak(False)


def test_a_compiled_mask_is_the_eager_one() -> None:
    x = data(5)
    native, eager = (outcome(dropping, x, True, flag) for flag in (True, False))
    np.testing.assert_allclose(native[0], eager[0], rtol=2e-6)


@pytest.mark.parametrize("segments", [1, 2, 3, 8])
@pytest.mark.parametrize("native", [False, True])
def test_sequential_in_segments(segments: int, native: bool) -> None:
    layers = nn.Sequential(*deep(residual))
    x = data(6).requires_grad_()
    layers(x).square().sum().backward()
    expected = {k: p.grad.numpy().copy() for k, p in layers.named_parameters()}
    layers.zero_grad()

    def run(x: Any) -> None:
        checkpoint_sequential(layers, segments, x).square().sum().backward()

    (pellucid.compile(run, keep_gradients=True) if native else run)(x.detach())
    for name, parameter in layers.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), expected[name], rtol=2e-5, atol=1e-5)


def test_second_derivatives_flow_through() -> None:
    weight = data(7, 5, 5).double()

    def hidden(x: Any) -> Any:
        return (x @ weight).tanh().sin()

    def twice(x: Any, again: bool) -> Any:
        y = checkpoint(hidden, x) if again else hidden(x)
        (first,) = pellucid.grad(y.sum(), x, create_graph=True)
        (second,) = pellucid.grad(first.square().sum(), x)
        return second

    x = data(8, 3, 5).double().requires_grad_()
    plain = twice(x, False).numpy()
    assert (twice(x, True).numpy() == plain).all()
    native = pellucid.compile(lambda v: twice(v.clone().requires_grad_(), True))
    np.testing.assert_allclose(native(x.detach()).numpy(), plain, rtol=1e-12, atol=1e-12)
    pellucid.gradcheck(lambda v: checkpoint(hidden, v), [x])


def test_several_results_nested_arguments_and_keywords() -> None:
    a, b = data(9, 4, 3).requires_grad_(), data(10, 4, 3).requires_grad_()

    def function(pair: tuple[Any, Any], *, scale: float) -> dict[str, Any]:
        product = (pair[0] * pair[1]).exp()
        return {"sum": product + pair[0], "more": [product.sin() * scale, 7]}

    def total(call: Callable[..., Any]) -> Any:
        found = call((a, b), scale=2.0)
        assert found["more"][1] == 7
        return (found["sum"] * found["more"][0]).sum()

    expected = pellucid.grad(total(function), [a, b])
    found = pellucid.grad(total(lambda *x, **k: checkpoint(function, *x, **k)), [a, b])
    for one, other in zip(expected, found, strict=True):
        assert (one.numpy() == other.numpy()).all()


def test_values_from_outside_of_the_function_get_their_gradients() -> None:
    x, scale = data(11, 4, 3).requires_grad_(), data(12, 3).requires_grad_()
    shifted = scale * 2

    def loss(again: bool) -> Any:
        def function(v: Any) -> Any:
            return (v * shifted).exp().cos()

        return (checkpoint(function, x) if again else function(x)).sum()

    for one, other in zip(
        pellucid.grad(loss(False), [x, scale]), pellucid.grad(loss(True), [x, scale]), strict=True
    ):
        assert (one.numpy() == other.numpy()).all()


def test_an_intermediate_value_kept_outside_can_still_be_read() -> None:
    seen = []

    def function(v: Any) -> Any:
        seen.append(v.exp())
        return seen[-1].sin()

    x = data(13, 3, 2).requires_grad_()
    y = checkpoint(function, x)
    np.testing.assert_allclose(seen[0].detach().numpy(), np.exp(x.detach().numpy()), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(
        x.grad.numpy(),
        np.cos(np.exp(x.detach().numpy())) * np.exp(x.detach().numpy()),
        rtol=1e-5,
    )


def test_checkpoints_inside_of_checkpoints() -> None:
    blocks = deep(residual)

    def pair(x: Any) -> Any:
        return checkpoint(blocks[1], checkpoint(blocks[0], x))

    x = data(14).requires_grad_()
    expected = pellucid.grad(blocks[1](blocks[0](x)).sum(), x)[0].numpy()
    assert (pellucid.grad(checkpoint(pair, x).sum(), x)[0].numpy() == expected).all()
    native = pellucid.compile(
        lambda v: pellucid.grad(checkpoint(pair, v.requires_grad_()).sum(), v)[0]
    )
    np.testing.assert_allclose(native(x.detach()).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_function_runs_again_once_for_a_backward_pass_and_not_for_inference() -> None:
    calls = []

    def function(v: Any) -> Any:
        calls.append(1)
        return v.exp().sin().cos()

    x = data(15, 4).requires_grad_()
    y = checkpoint(function, x).sum()
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2
    with pellucid.no_grad():
        checkpoint(function, x)
    assert len(calls) == 3


def test_contexts_surround_both_computations() -> None:
    entered = []

    @contextmanager
    def named(name: str) -> Any:
        entered.append(name)
        yield

    x = data(16, 4).requires_grad_()
    y = checkpoint(lambda v: v.exp().sin(), x, context_fn=lambda: (named("one"), named("two")))
    assert entered == ["one"]
    y.sum().backward()
    assert entered == ["one", "two"]


def test_random_numbers_are_drawn_anew_on_request() -> None:
    x = data(17, 64).requires_grad_()
    y = checkpoint(lambda v: (v * pellucid.rand(64)).exp().sin(), x, preserve_rng_state=False)
    pellucid.manual_seed(99)
    before = pellucid.get_rng_state().numpy()[1]
    y.sum().backward()
    assert pellucid.get_rng_state().numpy()[1] == before + 1


def test_a_function_that_changes_its_mind_is_an_error() -> None:
    widths = iter([1, 2])

    def function(v: Any) -> Any:
        return v.exp().expand(next(widths), 3).sin()

    x = data(18, 1, 3).requires_grad_()
    y = checkpoint(function, x)
    with pytest.raises(AutogradError, match=r"operation \d+ gave float32\[2, 3\] instead of"):
        y.sum().backward()


def test_another_number_of_operations_is_an_error() -> None:
    turns = iter([1, 3])

    def function(v: Any) -> Any:
        for _ in range(next(turns)):
            v = v.exp().sin()
        return v

    y = checkpoint(function, data(19, 3).requires_grad_())
    with pytest.raises(AutogradError, match=r"6 operations when it was computed again, and 2"):
        y.sum().backward()


def test_an_argument_changed_in_between_is_an_error() -> None:
    x = data(20, 3).requires_grad_()
    given = x * 2
    y = checkpoint(lambda v: (v + 1).exp().sin(), given)
    with pytest.raises(AutogradError, match="was changed in place by a checkpointed function"):
        pellucid.compile(lambda v: checkpoint(lambda u: u.add_(1.0), v))(x.detach())
    with pellucid.no_grad():
        given.add_(1.0)
    with pytest.raises(AutogradError, match="argument of shape .3,. of a checkpointed function"):
        y.sum().backward()


def test_bad_arguments() -> None:
    x = data(21, 3)
    with pytest.raises(ArgumentError, match="determinism_check='sometimes'"):
        checkpoint(lambda v: v, x, determinism_check="sometimes")
    with pytest.raises(ArgumentError, match="pass the function first"):
        checkpoint(x, x)
    with pytest.raises(ArgumentError, match="segments=4 for 2 functions"):
        checkpoint_sequential([nn.ReLU(), nn.Tanh()], 4, x)
    with pytest.raises(ArgumentError, match="segments=0 for 2 functions"):
        checkpoint_sequential([nn.ReLU(), nn.Tanh()], 0, x)


@pytest.mark.parity
def test_gradients_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint as theirs

    values, weight = data(22, 5, 4).numpy(), data(23, 4, 4).numpy()
    grads = []
    for library, call, make in (
        (pellucid, checkpoint, pellucid.tensor),
        (torch, theirs, torch.tensor),
    ):
        x, w = make(values, requires_grad=True), make(weight, requires_grad=True)
        y = call(lambda v, w=w: (v @ w).tanh().exp(), x, use_reentrant=False)
        y.square().sum().backward()
        grads.append((x.grad.numpy(), w.grad.numpy()))
        assert library is not None
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
