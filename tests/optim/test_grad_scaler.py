"""Scaled losses: the factor, skipped steps and the order of calls, held against PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.amp import GradScaler

SCALES = [1.0, 1.0, float("inf"), 1.0, 1.0, 1.0, float("nan"), 1.0, 1.0, 1.0]


def run(t: Any, optimizer: str, compiled: bool = False, unscale: bool = False) -> list[Any]:
    """Parameters, factor and its count after each of ten steps, of which two overflow."""
    weight = t.nn.Parameter(t.tensor([1.0, -2.0, 3.0]))
    made = getattr(t.optim, optimizer)([weight], lr=0.1)
    scaler = t.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)

    def step(factor: Any) -> Any:
        made.zero_grad()
        loss = (weight**2 * factor).sum()
        scaler.scale(loss).backward()
        if unscale:
            scaler.unscale_(made)
            t.nn.utils.clip_grad_norm_([weight], 0.5)
        scaler.step(made)
        scaler.update()
        return loss

    run_step = t.compile(step) if compiled else step
    found = []
    for number in SCALES:
        run_step(t.tensor(number))
        found.append((weight.detach().clone().numpy(), scaler.state_dict()))
    return found


@pytest.mark.parity
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
def test_steps_are_pytorchs(optimizer: str, unscale: bool, compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    ours = run(pellucid, optimizer, compiled, unscale)
    theirs = run(torch, optimizer, unscale=unscale)
    for (values, state), (wanted, reference) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(values, wanted, rtol=2e-6, atol=1e-6)
        assert state == reference


def test_the_order_of_calls() -> None:
    weight = pellucid.nn.Parameter(pellucid.ones(2))
    optimizer = pellucid.optim.SGD([weight], lr=0.1)
    scaler = GradScaler("cpu")
    for call in (scaler.update, lambda: scaler.step(optimizer), lambda: scaler.unscale_(optimizer)):
        for kind in (AssertionError, RuntimeError):
            with pytest.raises(kind, match="before any loss was scaled"):
                call()
    assert scaler.scale(pellucid.ones(2)).tolist() == [65536.0, 65536.0]
    scaler.scale(weight.sum()).backward()
    with pytest.raises(RuntimeError, match="before any step"):
        scaler.update()
    scaler.unscale_(optimizer)
    assert weight.grad is not None and weight.grad.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called since"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"called after step\(\)"):
        scaler.unscale_(optimizer)
    scaler.update()
    scaler.update(4.0)
    assert scaler.get_scale() == 4.0
    with pytest.raises(RuntimeError, match="closure"):
        scaler.step(optimizer, closure=lambda: weight.sum())


def test_state_goes_on() -> None:
    scaler = GradScaler("cpu", init_scale=8.0)
    scaler.scale(pellucid.ones(1))
    other = GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 8.0 and other.state_dict() == scaler.state_dict()
    assert copy.deepcopy(scaler).get_scale() == 8.0
    with pytest.raises(RuntimeError, match="lacks entries"):
        other.load_state_dict({})
    with pytest.raises(ValueError, match="growth_factor"):
        GradScaler("cpu", growth_factor=1.0)


def test_switched_off_it_passes_everything_through() -> None:
    with pytest.warns(UserWarning, match="'cuda', but only the CPU"):
        absent = GradScaler()
    with pytest.warns(UserWarning, match="'cuda'"):
        older = pellucid.cuda.amp.GradScaler()
    for scaler in (absent, older, GradScaler("cpu", enabled=False)):
        weight = pellucid.nn.Parameter(pellucid.ones(2))
        optimizer = pellucid.optim.SGD([weight], lr=0.5)
        loss = weight.sum()
        assert scaler.scale(loss) is loss and not scaler.is_enabled()
        loss.backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert weight.tolist() == [0.5, 0.5] and scaler.get_scale() == 1.0
        assert scaler.state_dict() == {}


def test_gradients_of_ones_own_under_autocast() -> None:
    seen = {}

    class Product(pellucid.autograd.Function):
        @staticmethod
        @pellucid.amp.custom_fwd(device_type="cpu", cast_inputs=pellucid.float32)
        def forward(ctx: Any, x: Any) -> Any:
            seen["forward"] = (x.dtype, pellucid.is_autocast_enabled())
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @pellucid.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            seen["backward"] = pellucid.is_autocast_enabled()
            (x,) = ctx.saved_tensors
            return g @ x.t() + x.t() @ g

    x = pellucid.rand(2, 2, requires_grad=True)
    with pellucid.autocast("cpu"):
        y = Product.apply(x.bfloat16())
    y.sum().backward()
    assert seen == {"forward": (pellucid.float32, False), "backward": False}
    assert x.grad is not None and y.dtype is pellucid.float32
