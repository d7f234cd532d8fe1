"""Lazy layers become the layers that fit their first input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ShapeError

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Linear", (5,), {"bias": False}, (2, 3, 7)),
    ("Conv1d", (6, 3), {"padding": 1, "groups": 2}, (2, 4, 9)),
    ("Conv2d", (6, 3), {"stride": 2}, (2, 4, 9, 9)),
    ("Conv2d", (6, 3), {}, (4, 9, 9)),
    ("Conv3d", (2, 2), {}, (1, 3, 4, 4, 4)),
    ("ConvTranspose1d", (6, 3), {}, (2, 4, 9)),
    ("ConvTranspose2d", (6, 3), {"output_padding": 1, "stride": 2}, (2, 4, 5, 5)),
    ("ConvTranspose3d", (2, 2), {}, (1, 3, 4, 4, 4)),
    ("BatchNorm1d", (), {"momentum": 0.2}, (5, 4)),
    ("BatchNorm2d", (), {}, (3, 4, 5, 5)),
    ("BatchNorm3d", (), {}, (3, 4, 2, 2, 2)),
    ("InstanceNorm1d", (), {"affine": True}, (3, 4, 6)),
    ("InstanceNorm2d", (), {}, (3, 4, 5, 5)),
    ("InstanceNorm3d", (), {}, (3, 4, 2, 2, 3)),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), CASES, ids=lambda c: str(c))
def test_the_first_input_makes_the_layer(name: Any, args: Any, kwargs: Any, shape: Any) -> None:
    x = pellucid.from_numpy(np.random.default_rng(1).standard_normal(shape).astype(np.float32))
    lazy = getattr(nn, f"Lazy{name}")(*args, **kwargs)
    assert lazy.has_uninitialized_params() and not list(lazy.parameters())
    pellucid.manual_seed(3)
    found = lazy(x)
    kind = getattr(nn, name)
    assert type(lazy) is kind
    channel = {"Linear": -1}.get(name, 0 if name == "Conv2d" and len(shape) == 3 else 1)
    pellucid.manual_seed(3)
    plain = kind(shape[channel], *args, **kwargs)
    assert (found.detach().numpy() == plain(x).detach().numpy()).all()
    assert list(lazy.state_dict()) == list(plain.state_dict())
    assert repr(lazy) == repr(plain)


def test_a_lazy_network_learns_after_a_first_call() -> None:
    pellucid.manual_seed(0)
    network = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )
    seen = []
    network[0].register_forward_hook(lambda *_: seen.append(1))
    network.eval()
    x = pellucid.randn(8, 1, 6, 6)
    network(x)
    assert seen == [1] and not network[1].training
    network.train()
    optimizer = optim.SGD(network.parameters(), lr=0.1)
    y = pellucid.randint(0, 2, (8,))

    @pellucid.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x, y).item() for _ in range(10)]
    assert losses[-1] < losses[0] and len(seen) > 1


def test_wrong_settings_show_at_once_and_wrong_inputs_with_the_name() -> None:
    with pytest.raises(TypeError, match="kernel"):
        nn.LazyConv2d(4)
    with pytest.raises(TypeError, match="colour"):
        nn.LazyLinear(4, colour="red")
    with pytest.raises(ShapeError, match=r"LazyConv2d got an input of shape \(3, 4\)"):
        nn.LazyConv2d(4, 3)(pellucid.zeros(3, 4))
    assert repr(nn.LazyLinear(4, bias=False)) == "LazyLinear(4, bias=False)"


def test_parameters_whose_shape_is_told_later() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.UninitializedParameter()
            self.seen = nn.UninitializedBuffer()

        def forward(self, x):
            if isinstance(self.weight, nn.UninitializedParameter):
                self.weight.materialize((x.shape[-1],))
                self.seen.materialize((1,))
                nn.init.ones_(self.weight)
                nn.init.zeros_(self.seen)
            return x * self.weight

    scale = Scale()
    with pytest.raises(RuntimeError, match="materialize"):
        scale.weight.shape  # noqa: B018
    assert scale(pellucid.ones(2, 3)).tolist() == [[1, 1, 1]] * 2
    assert type(scale.weight) is nn.Parameter and scale.weight.requires_grad
    assert type(scale.seen) is nn.Buffer
    assert {k: tuple(v.shape) for k, v in scale.state_dict().items()} == {
        "weight": (3,),
        "seen": (1,),
    }


def test_old_names_of_layers() -> None:
    with pytest.warns(FutureWarning, match="NLLLoss now"):
        loss = nn.NLLLoss2d()
    assert isinstance(loss, nn.NLLLoss)
    with pytest.warns(FutureWarning, match="derive from"):
        held = nn.Container(first=nn.ReLU())
    assert isinstance(held.first, nn.ReLU)
