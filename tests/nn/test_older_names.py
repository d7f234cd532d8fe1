"""Older names and paths of layers, functions and arguments; most of them warn."""

from __future__ import annotations

import copy
import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn

OLDER: dict[str, Callable[[Any], Any]] = {
    "add_": lambda t: t.ones(2).add_(2, t.ones(2)),
    "add": lambda t: t.add(t.ones(2), 2, t.ones(2)),
    "sub_": lambda t: t.ones(2).sub_(2, t.ones(2)),
    "sub": lambda t: t.sub(t.ones(2), 2, t.ones(2)),
    "addcmul_": lambda t: t.ones(2).addcmul_(2, t.ones(2), t.full((2,), 3.0)),
    "addcmul": lambda t: t.addcmul(t.ones(2), 2, t.ones(2), t.ones(2)),
    "addcdiv_": lambda t: t.ones(2).addcdiv_(-0.5, t.ones(2), t.full((2,), 4.0)),
    "addmm_": lambda t: t.ones(2, 2).addmm_(3, 2, t.ones(2, 2), t.ones(2, 2)),
    "addmm, beta": lambda t: t.ones(2, 2).addmm(3, t.ones(2, 2), t.ones(2, 2)),
    "addmm as function": lambda t: t.addmm(3, t.ones(2, 2), 2, t.ones(2, 2), t.ones(2, 2)),
    "addmm as function, beta": lambda t: t.addmm(3, t.ones(2, 2), t.ones(2, 2), t.ones(2, 2)),
    "addmv": lambda t: t.ones(2).addmv(2, t.ones(2, 2), t.ones(2)),
    "addr": lambda t: t.ones(2, 2).addr(2, t.ones(2), t.ones(2)),
    "baddbmm": lambda t: t.ones(1, 2, 2).baddbmm(2, 3, t.ones(1, 2, 2), t.ones(1, 2, 2)),
    "addbmm": lambda t: t.ones(2, 2).addbmm(2, t.ones(1, 2, 2), t.ones(1, 2, 2)),
    "range": lambda t: t.range(1, 2.5, 0.5),
    "range from 0": lambda t: t.range(0, 3),
    "Hardtanh": lambda t: t.nn.Hardtanh(min_value=-0.5, max_value=2)(t.linspace(-1, 3, 5)),
    "init": lambda t: t.nn.init.constant(t.zeros(2), 3.0),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", OLDER)
def test_older_forms(name: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.warns((UserWarning, FutureWarning), match="deprecated|older name"):
        ours = OLDER[name](pellucid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = OLDER[name](torch)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


def test_a_second_positional_number_is_refused() -> None:
    x = pellucid.ones(2)
    for call in (lambda: x.add(x, 2), lambda: pellucid.add(x, x, 2), lambda: x.addcmul(x, x, x)):  # type: ignore[arg-type, call-overload]
        with pytest.raises(TypeError, match="by position"):
            call()


def test_layers_by_pytorchs_files() -> None:
    rnn = importlib.import_module("pellucid.nn.modules.rnn")
    utils = importlib.import_module("pellucid.nn.modules.utils")
    assert rnn.LSTM is nn.LSTM and nn.modules.rnn is rnn and nn.modules.Linear is nn.Linear
    assert importlib.import_module("pellucid.nn.modules.sparse").Embedding is nn.Embedding
    assert utils._pair(3) == (3, 3) and utils._triple((1, 2, 3)) == (1, 2, 3)
    kinds = nn.modules
    assert isinstance(nn.BatchNorm2d(3), kinds.batchnorm._BatchNorm)
    assert isinstance(nn.Conv2d(1, 1, 1), kinds.conv._ConvNd)
    assert isinstance(nn.CrossEntropyLoss(), kinds.loss._WeightedLoss)
    assert isinstance(nn.Dropout2d(), kinds.dropout._DropoutNd)
    assert importlib.import_module("pellucid.nn.parameter").Parameter is nn.Parameter


@pytest.mark.parity
def test_layers_stand_in_pytorchs_files() -> None:
    pytest.importorskip("torch")
    for name in ("activation", "batchnorm", "conv", "loss", "pooling", "rnn", "padding", "linear"):
        ours = importlib.import_module(f"pellucid.nn.modules.{name}")
        theirs = importlib.import_module(f"torch.nn.modules.{name}")
        assert all(hasattr(theirs, layer) for layer in ours.__all__)


def test_small_questions() -> None:
    x = pellucid.ones(2)
    assert pellucid.typename(x) == "torch.FloatTensor" and pellucid.typename(3) == "int"
    assert pellucid.typename(nn.Linear(1, 1)).endswith(".Linear")
    assert not pellucid.is_storage(x) and pellucid.get_device(x) == -1
    assert pellucid.can_cast(pellucid.int32, pellucid.float32)
    assert not pellucid.can_cast(pellucid.float32, pellucid.int32)
    assert x[pellucid.newaxis].shape == (1, 2)


def test_asarray_shares_memory_where_it_can() -> None:
    array = np.ones(3, np.float32)
    pellucid.asarray(array)[0] = 5
    assert array[0] == 5
    pellucid.asarray(array, copy=True)[0] = 7
    assert array[0] == 5
    x = pellucid.ones(2, requires_grad=True)
    assert not pellucid.asarray(x).requires_grad and pellucid.asarray(x, requires_grad=True) is x
    assert pellucid.asarray([1, 2], dtype=pellucid.float32).dtype is pellucid.float32
    with pytest.raises(ValueError, match="copy=False"):
        pellucid.asarray([1, 2], copy=False)


def test_dense_gradients_of_sparse_embeddings() -> None:
    table = nn.Embedding(5, 3, sparse=True)
    table(pellucid.tensor([1, 1, 4])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.sum(1).tolist() == [0.0, 6.0, 0.0, 0.0, 3.0]


class Mixed(nn.Module):
    """Layers of einops as attributes."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self.turn = layers.Rearrange("b n c -> b c n")
        self.mean = layers.Reduce("b c n -> b c", "mean")
        self.mix = layers.EinMix("b c -> b d", weight_shape="c d", bias_shape="d", c=6, d=3)

    def forward(self, x: Any) -> Any:
        return self.mix(self.mean(self.turn(x)))


@pytest.mark.parity
def test_layers_of_einops_become_ours() -> None:
    """A vision transformer imports them from einops.layers.torch, whatever else it imports."""
    pytest.importorskip("torch")
    einops = pytest.importorskip("einops")
    layers = importlib.import_module("einops.layers.torch")
    x = pellucid.rand(2, 4, 6)
    assert einops.rearrange(x, "b (h w) c -> b c h w", h=2).shape == (2, 6, 2, 2)
    model = nn.Sequential(layers.Rearrange("b n c -> b (n c)"), nn.Linear(24, 2))
    assert model(x).shape == (2, 2) and isinstance(model[0], nn.Module)
    torch_mix = layers.EinMix("b c -> b d", weight_shape="c d", bias_shape="d", c=6, d=3)
    mixed = Mixed(layers)
    mixed.mix = torch_mix
    wanted = x.mean(1) @ pellucid.from_numpy(torch_mix.weight.detach().numpy())
    wanted = wanted + pellucid.from_numpy(torch_mix.bias.detach().numpy())
    for made in (mixed(x), pellucid.compile(mixed)(x), copy.deepcopy(mixed)(x)):
        np.testing.assert_allclose(made.detach().numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)
    mixed(x).sum().backward()
    assert {name for name, _ in mixed.named_parameters()} == {"mix.weight", "mix.bias"}
    assert all(p.grad is not None for p in mixed.parameters())


def test_layers_of_einops_without_pytorch() -> None:
    pytest.importorskip("einops")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "import pellucid\n"
        "n = sys.modules['pellucid.tensor.neighbours']\n"
        "n.find_spec = lambda name: None if name == 'torch' else find(name)\n"
        "from einops.layers.torch import Rearrange\n"
        "m = pellucid.nn.Sequential(Rearrange('a b -> b a'))\n"
        "print(tuple(m(pellucid.ones(2, 3)).shape), Rearrange.__module__)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.stdout.split("\n")[0] == "(3, 2) pellucid.nn.einops_layers", found.stderr


def test_opt_einsum_contracts_our_tensors() -> None:
    contract = pytest.importorskip("opt_einsum").contract
    a, b, c = (pellucid.rand(3, 3) for _ in range(3))
    found = contract("ij,jk,kl->il", a, b, c)
    np.testing.assert_allclose(found.numpy(), (a @ b @ c).numpy(), rtol=1e-5)


def test_underscored_names_of_modules() -> None:
    class Net(pellucid.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = pellucid.nn.Linear(2, 2)
            self.seen: list[str] = []

        def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
            for name in list(state_dict):
                if name.startswith("old."):
                    state_dict[name.replace("old.", "lin.")] = state_dict.pop(name)
            if "wrong" in state_dict:
                rest[-1].append("there is something wrong")
            super()._load_from_state_dict(state_dict, prefix, *rest)

    net = Net()
    assert net._get_name() == "Net"
    handle = net._register_load_state_dict_pre_hook(
        lambda state, prefix, *rest: net.seen.append(prefix)
    )
    net._register_state_dict_hook(lambda module, state, prefix, data: state.pop("lin.bias"))
    ones = {"old.weight": pellucid.ones(2, 2), "old.bias": pellucid.zeros(2)}
    net.load_state_dict(ones)
    assert net.lin.weight.tolist() == [[1.0, 1.0]] * 2 and net.seen == [""]
    assert list(net.state_dict()) == ["lin.weight"]
    with pytest.raises(RuntimeError, match="there is something wrong"):
        net.load_state_dict({**ones, "wrong": pellucid.ones(1)})
    handle.remove()
    net.lin.weight.grad = pellucid.ones(2, 2)
    assert net._apply(lambda t: t.double() * 2) is net
    assert net.lin.weight.tolist() == [[2.0, 2.0]] * 2
    assert net.lin.weight.grad.dtype is pellucid.float64
