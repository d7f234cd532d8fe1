"""Methods of modules that old and rare programs use, held against PyTorch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def test_conversions() -> None:
    model = net()
    assert model.type(pellucid.DoubleTensor)[0].weight.dtype is pellucid.float64
    assert model.type("torch.FloatTensor").half()[0].weight.dtype is pellucid.float16
    assert net().type(pellucid.float64)[1].num_batches_tracked.dtype is pellucid.float64
    assert model.share_memory() is model.to_empty(device="cpu") is model
    with pytest.raises(RuntimeError, match=r"the CPU as device\n.*x\.to\(device\)"):
        pellucid.ones(1).cuda("cpu")
    with pytest.raises(RuntimeError, match="no device 'cuda'"):
        model.to_empty(device="cuda")


def test_state_dict_takes_older_arguments() -> None:
    model, kept = net(), {}
    assert model.state_dict(kept, "m.") is kept and set(kept) >= {"m.0.weight", "m.1.running_mean"}
    assert model.state_dict(destination=kept) is kept and "0.weight" in kept
    assert model.state_dict(prefix="a.", keep_vars=True)["a.0.weight"] is model[0].weight


def test_assigned_states() -> None:
    model, other = net(), net().double()
    state = other.state_dict()
    model.load_state_dict(state, assign=True)
    assert model[0].weight.dtype is pellucid.float64 and isinstance(model[0].weight, nn.Parameter)
    model[0].weight.data[0, 0] = 7.0
    assert state["0.weight"][0, 0].item() == 7.0


class WithCount(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(1, 1)
        self.count = 0

    def get_extra_state(self) -> Any:
        return {"count": self.count}

    def set_extra_state(self, state: Any) -> None:
        self.count = state["count"]


def test_extra_state_and_hooks() -> None:
    model, heard = nn.Sequential(WithCount()), []
    model[0].count = 5
    model.register_state_dict_pre_hook(lambda m, prefix, keep: heard.append("before"))
    handle = model[0].register_state_dict_post_hook(
        lambda m, state, prefix, meta: state.__setitem__(f"{prefix}note", pellucid.ones(1))
    )
    state = model.state_dict()
    assert state["0._extra_state"] == {"count": 5} and "0.note" in state and heard == ["before"]
    handle.remove()
    assert "0.note" not in model.state_dict()
    other = nn.Sequential(WithCount())
    other[0].register_load_state_dict_pre_hook(
        lambda m, state, prefix, *_: state.pop("0.note", None)
    )
    other.register_load_state_dict_post_hook(lambda m, keys: heard.append(keys))
    other.load_state_dict(state)
    assert other[0].count == 5 and "0.note" in state and heard[-1].missing_keys == []
    with pytest.raises(RuntimeError, match="missing keys: '0._extra_state'"):
        other.load_state_dict({k: v for k, v in model.state_dict().items() if "extra" not in k})


def test_parts_can_be_replaced_by_path() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU()))
    model.set_submodule("0.0", nn.Tanh())
    assert isinstance(model[0][0], nn.Tanh)
    with pytest.raises(AttributeError, match="no submodule '5'"):
        model.set_submodule("0.5", nn.Tanh(), strict=True)
    shared = nn.ReLU()
    twice = nn.Sequential(shared, shared)
    assert len(list(twice.modules())) == 2 and len(list(twice.modules(remove_duplicate=False))) == 3


def test_older_backward_hooks() -> None:
    model, seen = net(), []
    model[0].register_backward_hook(lambda m, gi, go: seen.append(go[0].shape))
    model(pellucid.randn(4, 2)).sum().backward()
    assert seen == [(4, 3)]


def test_a_module_compiles_itself() -> None:
    model = net()
    x = pellucid.randn(4, 2)
    plain = copy.deepcopy(model)
    model.compile(mode="default")
    model(x).sum().backward()
    plain(x).sum().backward()
    np.testing.assert_allclose(model[1].running_mean.numpy(), plain[1].running_mean.numpy())
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert model._compiled_call is not None and model._compiled_call.signatures
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied._compiled_call is None and copied.eval()(x).shape == (4, 1)
