"""The module tree: registration, walking, state, modes, hooks, paths, text."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid import nn
from pellucid.base.errors import (
    ArgumentError,
    AutogradError,
    DTypeError,
    OutOfRangeError,
    ShapeError,
)
from pellucid.graph.node import current_layer
from pellucid.nn.errors import PathError, RegistrationError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8))
        self.heads = nn.ModuleList([nn.Linear(8, 2), nn.Linear(8, 3)])
        self.scale = nn.Parameter(pellucid.ones(1))
        self.register_buffer("steps", pellucid.zeros(1))
        self.register_buffer("scratch", pellucid.zeros(1), persistent=False)

    def forward(self, x):
        hidden = self.encoder(x)
        return [head(hidden) * self.scale for head in self.heads]


NAMES = [
    "scale",
    "encoder.0.weight",
    "encoder.0.bias",
    "encoder.2.weight",
    "encoder.2.bias",
    "heads.0.weight",
    "heads.0.bias",
    "heads.1.weight",
    "heads.1.bias",
]


def test_parameters_come_in_the_order_of_assignment() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [id(p) for p in net.parameters()] == [id(p) for _, p in net.named_parameters()]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]


def test_state_dict_holds_parameters_and_persistent_buffers() -> None:
    state = Net().state_dict()
    assert isinstance(state, OrderedDict)
    running = ["running_mean", "running_var", "num_batches_tracked"]
    expected = ["scale", "steps", *NAMES[1:5], *(f"encoder.2.{r}" for r in running), *NAMES[5:]]
    assert list(state) == expected
    assert not any(t.requires_grad for t in state.values())


def test_walks_over_the_tree() -> None:
    net = Net()
    paths = ["", "encoder", "encoder.0", "encoder.1", "encoder.2", "heads", "heads.0", "heads.1"]
    assert [path for path, _ in net.named_modules()] == paths
    assert [name for name, _ in net.named_children()] == ["encoder", "heads"]
    assert len(list(net.modules())) == 8 and len(list(net.children())) == 2
    buffers = [name for name, _ in net.named_buffers()]
    assert buffers[:2] == ["steps", "scratch"] and "encoder.2.running_var" in buffers
    assert net.get_submodule("encoder.0") is net.encoder[0]
    assert net.get_submodule("") is net
    assert net.get_parameter("heads.1.bias") is net.heads[1].bias
    assert net.get_buffer("encoder.2.running_mean") is net.encoder[2].running_mean


def test_shared_modules_and_parameters_count_once() -> None:
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(net.parameters())) == 2
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    tied = nn.Linear(3, 3)
    tied.weight = layer.weight
    assert len(list(nn.Sequential(layer, tied).parameters())) == 3


def test_missing_paths_say_what_there_is() -> None:
    net = Net()
    with pytest.raises(PathError, match="no submodule 'decoder'.*\n.*encoder, heads"):
        net.get_submodule("decoder.0")
    with pytest.raises(AttributeError, match="no parameter 'heads.1.gain'"):
        net.get_parameter("heads.1.gain")
    with pytest.raises(AttributeError, match="no buffer"):
        net.get_buffer("running_mean")
    with pytest.raises(AttributeError, match="no attribute 'encodr'; did you mean 'encoder'"):
        net.encodr  # noqa: B018


def test_the_nearest_name_is_looked_for_when_somebody_reads_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Net()
    with pytest.raises(AttributeError) as caught:
        net.encodr  # noqa: B018
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value) and "did you mean 'encoder'" in str(again)
    monkeypatch.setattr("difflib.get_close_matches", lambda *_: pytest.fail("was looked for"))
    assert not hasattr(net, "encodr") and getattr(net, "encodr", None) is None


def test_wrong_registrations_are_refused() -> None:
    net = Net()
    with pytest.raises(RegistrationError, match="cannot assign a Tensor as parameter 'scale'"):
        net.scale = pellucid.ones(1)
    with pytest.raises(TypeError, match="cannot assign a int as module 'encoder'"):
        net.encoder = 3
    with pytest.raises(TypeError, match="cannot assign a float as buffer 'steps'"):
        net.steps = 1.0
    with pytest.raises(RegistrationError, match="a layer, not a layer's class"):
        net.add_module("relu", nn.ReLU)
    with pytest.raises(ArgumentError, match="dots join the names"):
        net.add_module("a.b", nn.ReLU())
    with pytest.raises(ArgumentError, match="already has an attribute 'forward'"):
        net.register_buffer("forward", pellucid.zeros(1))
    with pytest.raises(ArgumentError, match="already has an attribute 'encoder'"):
        net.register_parameter("encoder", nn.Parameter(pellucid.zeros(1)))
    with pytest.raises(ArgumentError, match="has a history"):
        broken = nn.Parameter(pellucid.ones(2))
        broken._record = (broken * 2)._record
        net.register_parameter("other", broken)

    class Early(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first"):
        Early()


def test_attributes_can_be_replaced_and_deleted() -> None:
    net = Net()
    net.scale = nn.Parameter(pellucid.zeros(1))
    assert [name for name, _ in net.named_parameters()][0] == "scale"
    net.scale = None
    assert "scale" not in dict(net.named_parameters()) and net.scale is None
    del net.heads
    assert not hasattr(net, "heads")
    net.steps = pellucid.ones(1)
    assert net.state_dict()["steps"].item() == 1
    net.encoder = nn.Identity()
    assert list(dict(net.named_children())) == ["encoder"]
    assert "encoder" in dir(net)


# ---- state -----------------------------------------------------------------------------------


def test_state_can_be_saved_and_loaded() -> None:
    first, second = Net(), Net()
    result = second.load_state_dict(first.state_dict())
    assert result.missing_keys == result.unexpected_keys == []
    assert repr(result) == "<All keys matched successfully>"
    for name, value in first.state_dict().items():
        assert_close(second.state_dict()[name], value, 0, 0)
    with pellucid.no_grad():
        first.scale.fill_(7)
    assert second.scale.item() == 1, "the values are copied"
    assert first.state_dict()["scale"].item() == 7, "a state shares memory with its module"


def test_numpy_arrays_can_be_loaded() -> None:
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": np.array([3.0])})
    assert layer.weight.dtype is pellucid.float32
    assert layer(pellucid.tensor([1.0, 1.0])).item() == 6


def test_other_float_types_are_converted_when_loaded() -> None:
    layer = nn.Linear(2, 1, bias=False, dtype=pellucid.float64)
    assert layer.weight.dtype is pellucid.float64
    read_only = np.array([[0.5, 2.0]], np.float16)
    read_only.flags.writeable = False
    layer.load_state_dict({"weight": read_only})
    assert layer.weight.tolist() == [[0.5, 2]] and layer.weight.dtype is pellucid.float64
    layer.load_state_dict({"weight": np.array([[1, 2]], np.float16)})
    assert layer.weight.tolist() == [[1, 2]]


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    layer = nn.Linear(2, 3)
    before = layer.weight.detach().clone()
    state = {"weight": np.zeros((3, 5)), "bia": np.zeros(3)}
    with pytest.raises(ArgumentError) as caught:
        layer.load_state_dict(state)
    text = str(caught.value)
    assert "missing keys: 'bias'" in text and "unexpected keys: 'bia'" in text
    assert "shape of 'weight': (3, 5) in the state, (3, 2) in the module" in text
    with pytest.raises(ArgumentError, match="shape of 'weight'"):
        layer.load_state_dict(state, strict=False)
    with pytest.raises(DTypeError, match="'weight' is a str"):
        layer.load_state_dict({"weight": "zeros", "bias": np.zeros(3)})
    assert_close(layer.weight, before, 0, 0)
    result = layer.load_state_dict({"weight": np.ones((3, 2)), "more": 1.0}, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["more"]
    assert "missing_keys=['bias']" in repr(result)
    assert layer.weight.sum().item() == 6


def test_modules_can_be_copied_and_pickled() -> None:
    net = Net()
    sum(part.sum() for part in net(pellucid.randn(5, 4))).backward()
    x = pellucid.randn(5, 4)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(twin.state_dict()) == list(net.state_dict())
        assert isinstance(twin.scale, nn.Parameter) and twin.scale is not net.scale
        assert_close(twin.eval()(x)[1], net.eval()(x)[1], 0, 0)
        with pellucid.no_grad():
            twin.scale.fill_(3)
        assert net.scale.item() == 1
    assert_close(copy.deepcopy(net).scale.grad, net.scale.grad)


# ---- modes and conversion --------------------------------------------------------------------


def test_train_and_eval_reach_every_module() -> None:
    net = Net()
    assert all(m.training for m in net.modules())
    assert net.eval() is net and not any(m.training for m in net.modules())
    net.encoder.train()
    assert net.encoder[2].training and not net.heads[0].training
    with pytest.raises(ArgumentError, match="mode='yes'"):
        net.train("yes")


def test_conversion_keeps_the_parameter_objects() -> None:
    net = Net()
    before = list(net.parameters())
    sum(part.sum() for part in net(pellucid.randn(5, 4))).backward()
    assert net.double() is net
    assert [id(p) for p in net.parameters()] == [id(p) for p in before]
    assert all(p.dtype is pellucid.float64 and p.grad.dtype is pellucid.float64 for p in before)
    assert net.encoder[2].num_batches_tracked.dtype is pellucid.int64
    assert net(pellucid.randn(5, 4, dtype=pellucid.float64))[0].dtype is pellucid.float64
    assert net.to(pellucid.float32).scale.dtype is pellucid.float32
    assert net.to("cpu") is net and net.float().cpu() is net
    with pytest.raises(RuntimeError, match="no device 'cuda'"):
        net.to("cuda")
    with pytest.raises(DTypeError, match="cannot be converted to int64"):
        net.to(pellucid.int64)


def test_requires_grad_and_zero_grad() -> None:
    layer = nn.Linear(2, 1)
    layer(pellucid.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0, 0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    layer.requires_grad_(False)
    assert not layer(pellucid.ones(1, 2)).requires_grad


def test_apply_reaches_children_first() -> None:
    seen = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


# ---- calling ---------------------------------------------------------------------------------


class Spy(nn.Module):
    """Notes the layer path of its calls."""

    def __init__(self, seen: list) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, x):
        self.seen.append(current_layer())
        return x


def test_layers_know_their_path() -> None:
    seen: list = []
    spy = Spy(seen)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Sequential(spy), nn.ReLU())
            self.branches = nn.ModuleDict({"left": Spy(seen)})

        def forward(self, x):
            seen.append(current_layer())
            free = Spy(seen)(x)
            return self.branches["left"](self.net(free))

    outer = Outer()
    x = pellucid.ones(1)
    outer(x)
    assert seen == ["Outer", "Outer.Spy", "net.0.0", "branches.left"]
    assert current_layer() == ""
    seen.clear()
    spy(x)
    outer.net.insert(0, Spy(seen))
    outer.net(x)
    assert seen == ["Spy", "0", "1.0"], "paths follow changes of the tree"


def test_C6_shape_errors_name_the_layer_once() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))

        def forward(self, x):
            return self.encoder(x)

    with pytest.raises(ShapeError) as caught:
        Model()(pellucid.ones(3, 4))
    text = str(caught.value)
    assert "linear expects 9 features on the last axis and got an input of shape (3, 8)" in text
    assert "in layer encoder.2 (Linear(in_features=9, out_features=2, bias=True))" in text
    assert text.count("in layer") == 1
    chain = "input (3, 4) → encoder.0 Linear (3, 8) → encoder.1 ReLU (3, 8) → encoder.2 Linear"
    assert f"\n  shapes: {chain}\n" in text
    with pytest.raises(ShapeError, match="in layer MSELoss"):
        nn.MSELoss()(pellucid.ones(3), pellucid.ones(4))


def test_forward_hooks_see_and_replace() -> None:
    layer = nn.Linear(2, 2, bias=False)
    nn.init.eye_(layer.weight)
    seen = []
    handles = [
        layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        layer.register_forward_hook(
            lambda m, args, out: seen.append((args[0].tolist(), out.tolist()))
        ),
        layer.register_forward_hook(lambda m, args, out: out + 1),
    ]
    x = pellucid.tensor([1.0, 2.0])
    assert layer(x).tolist() == [3, 5]
    assert seen == [([2, 4], [2, 4])]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert layer(x).tolist() == [1, 2]
    with layer.register_forward_hook(lambda m, args, out: out * 0):
        assert layer(x).tolist() == [0, 0]
    assert layer(x).tolist() == [1, 2]


def test_hooks_with_keywords_and_prepended() -> None:
    class Scale(nn.Module):
        def forward(self, x, factor=1):
            return x * factor

    order = []
    layer = Scale()
    layer.register_forward_pre_hook(lambda m, args: order.append("second"))
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"factor": 5}), with_kwargs=True)
    layer.register_forward_pre_hook(lambda m, args: order.append("first"), prepend=True)
    layer.register_forward_hook(
        lambda m, args, kwargs, out: order.append(kwargs["factor"]), with_kwargs=True
    )
    assert layer(pellucid.ones(1), factor=2).item() == 5
    assert order == ["first", "second", 5]


def test_backward_hooks_see_and_replace_gradients() -> None:
    layer = nn.Linear(2, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    seen = []
    handle = layer.register_full_backward_hook(
        lambda m, grad_in, grad_out: seen.append((grad_in[0].tolist(), grad_out[0].tolist()))
    )
    x = pellucid.ones(1, 2, requires_grad=True)
    (layer(x) * 2 + x.sum() * 10).sum().backward()
    assert seen == [([[6, 6]], [[2]])], "only the gradient through this layer"
    assert x.grad.tolist() == [[16, 16]]
    handle.remove()
    layer.register_full_backward_hook(lambda m, grad_in, grad_out: (grad_in[0] * 0,))
    x.grad = None
    layer(x).sum().backward()
    assert x.grad.tolist() == [[0, 0]]
    first = nn.Linear(2, 1)
    first.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append(grad_in))
    first(pellucid.ones(1, 2)).sum().backward()
    assert seen[-1] == (None,), "the hook runs although no input needs a gradient"

    pair = nn.Bilinear(2, 2, 1)
    pair.register_full_backward_hook(lambda m, grad_in, grad_out: grad_in)
    with pytest.raises(AutogradError, match="replaced the gradients of several inputs"):
        pair(x, x * 2).sum().backward()


def test_forward_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\)"):
        nn.Module()(1)


# ---- containers ------------------------------------------------------------------------------


def test_sequential_is_a_list_of_steps() -> None:
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), act=nn.ReLU(), last=nn.Linear(3, 1)))
    assert [n for n, _ in net.named_children()] == ["first", "act", "last"]
    assert net.first is net[0] and net[-1] is net.last and len(net) == 3
    part = net[:2]
    assert isinstance(part, nn.Sequential) and part[0] is net[0] and list(part._modules)[1] == "act"
    assert [type(m).__name__ for m in net] == ["Linear", "ReLU", "Linear"]
    net[1] = nn.Tanh()
    assert isinstance(net.act, nn.Tanh)
    net = nn.Sequential(nn.Linear(1, 1)).append(nn.ReLU()).extend([nn.Tanh()]).insert(1, nn.ELU())
    assert [type(m).__name__ for m in net] == ["Linear", "ELU", "ReLU", "Tanh"]
    assert isinstance(net.pop(1), nn.ELU) and len(net) == 3
    del net[1:]
    assert len(net) == 1
    with pytest.raises(OutOfRangeError, match="index 4 is out of range for Sequential"):
        net[4]
    with pytest.raises(RegistrationError, match="int, not an nn.Module"):
        net.append(3)
    with pytest.raises(RegistrationError, match=r"insert\(\) got a str"):
        net.insert(0, "relu")


def test_module_list_and_dict() -> None:
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[1:], nn.ModuleList) and len(layers[1:]) == 2
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU()])) == "ModuleList(\n  (0-1): 2 x ReLU()\n)"
    table = nn.ModuleDict({"a": nn.Linear(1, 1)})
    table["b"] = nn.ReLU()
    table.update([("c", nn.Tanh())])
    assert list(table) == list(table.keys()) == ["a", "b", "c"] and "b" in table and len(table) == 3
    assert isinstance(table.pop("b"), nn.ReLU) and len(list(table.values())) == 2
    del table["c"]
    assert [name for name, _ in table.items()] == ["a"]
    table.clear()
    assert len(table) == 0


def test_parameter_list_and_dict() -> None:
    listed = nn.ParameterList([pellucid.ones(2), nn.Parameter(pellucid.zeros(1))])
    listed.append(pellucid.ones(3))
    listed[0] = pellucid.zeros(4)
    assert [tuple(p.shape) for p in listed] == [(4,), (1,), (3,)] and len(listed) == 3
    assert [name for name, _ in listed.named_parameters()] == ["0", "1", "2"]
    assert all(isinstance(p, nn.Parameter) for p in listed) and len(listed[1:]) == 2
    table = nn.ParameterDict({"a": pellucid.ones(2)})
    table["b"] = pellucid.ones(1)
    assert list(table) == ["a", "b"] and "a" in table and len(list(table.parameters())) == 2
    del table["a"]
    assert [n for n, _ in table.items()] == ["b"] == list(table.keys()) and len(
        list(table.values())
    ) == 1
    assert "(b): Parameter containing" in repr(table) and "(0): Parameter" in repr(listed)
    with pytest.raises(ArgumentError, match="got a int"):
        nn.ParameterList([3])


def test_text_of_a_model_shows_its_tree() -> None:
    expected = (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Dropout(p=0.5, inplace=False)\n"
        "  )\n"
        ")"
    )
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Dropout()))
    assert repr(net) == expected
    assert repr(nn.Sequential()) == "Sequential()"


def test_parameters_are_tensors_whose_results_are_plain() -> None:
    weight = nn.Parameter(pellucid.ones(2))
    assert weight.requires_grad and weight.is_leaf and isinstance(weight, pellucid.Tensor)
    assert not isinstance(weight * 2, nn.Parameter) and not isinstance(weight.data, nn.Parameter)
    assert not nn.Parameter(pellucid.tensor([1]), requires_grad=False).requires_grad
    assert repr(weight) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert nn.Parameter().numel() == 0 and nn.Parameter([1.0, 2.0]).tolist() == [1, 2]


def test_vectors_of_parameters() -> None:
    net = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (8,)
    nn.utils.vector_to_parameters(pellucid.arange(8.0), net.parameters())
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]] and net.bias.tolist() == [6, 7]
    with pytest.raises(ShapeError, match=r"got shape \(7,\) for 8 elements"):
        nn.utils.vector_to_parameters(pellucid.arange(7.0), net.parameters())


def test_clipping_refuses_nonsense() -> None:
    layer = nn.Linear(1, 1)
    assert nn.utils.clip_grad_norm_(layer.parameters(), 1.0).item() == 0
    layer.weight.grad = pellucid.tensor([[float("nan")]])
    with pytest.raises(ArithmeticError, match="total norm of the gradients is nan"):
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0, error_if_nonfinite=True)
    with pytest.raises(ArgumentError, match="clip_grad_value_ got -1"):
        nn.utils.clip_grad_value_(layer.parameters(), -1)
