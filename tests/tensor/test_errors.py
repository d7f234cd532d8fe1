"""A mistake raises what PyTorch's programs catch: its class, or one derived from it."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.utils.checkpoint
from pellucid.base import errors

MISTAKES = r"""
T.ones(2)[5]
T.ones(2)[-3]
T.ones(2,3)[0,7]
T.ones(2,3)[0,1,2]
T.tensor(1.0)[0]
T.ones(3)[T.tensor([5])]
T.ones(3)[[0,9]]
T.ones(3)["a"]
T.ones(3)[1.5]
T.ones(3)[T.tensor([True,False])]
T.ones(3)[T.tensor([0.5])]
len(T.tensor(1.0))
iter(T.tensor(1.0))
list(T.tensor(1.0))
T.ones(2,3).sum(2)
T.ones(2,3).sum(-4)
T.ones(2,3).mean(5)
T.ones(2,3).softmax(3)
T.ones(2,3).max(4)
T.ones(2,3).argmax(4)
T.ones(2,3).transpose(0,5)
T.ones(2,3).permute(0,5)
T.ones(2,3).permute(0,0)
T.ones(2,3).permute(0)
T.ones(2,3).squeeze(5)
T.ones(2,3).unsqueeze(5)
T.ones(2,3).flatten(3)
T.ones(2,3).select(0,5)
T.ones(2,3).select(5,0)
T.ones(2,3).narrow(0,1,5)
T.ones(2,3).index_select(0,T.tensor([7]))
T.ones(2,3).index_select(0,T.tensor([0.5]))
T.ones(2,3).gather(1,T.tensor([[9],[0]]))
T.ones(2,3).gather(1,T.tensor([0]))
T.ones(3).take(T.tensor([9]))
T.ones(2,3).size(4)
T.ones(2,3).stride(4)
T.ones(2,3).reshape(4)
T.ones(2,3).reshape(-1,-1)
T.ones(2,3).view(4)
T.ones(2,3).expand(4,4)
T.ones(2,3).repeat(2)
T.ones(2,3)+T.ones(4)
T.ones(2,3)@T.ones(2,3)
T.matmul(T.tensor(1.0),T.ones(2))
T.bmm(T.ones(2,3),T.ones(2,3))
T.dot(T.ones(2),T.ones(3))
T.cat([T.ones(2,3),T.ones(3,4)])
T.cat([])
T.cat([T.ones(2,3)],5)
T.stack([T.ones(2),T.ones(3)])
T.stack([])
T.cat(T.ones(2))
T.cat([1,2])
T.ones(4).split(0)
T.ones(4).chunk(0)
T.ones(4).split([1,1])
T.einsum("ij,jk->ik",T.ones(2,3),T.ones(4,5))
T.einsum("ij,jk->iz",T.ones(2,3),T.ones(3,5))
T.einsum("ij",T.ones(2,3),T.ones(3,5))
T.ones(3).item()
bool(T.ones(3))
bool(T.ones(0))
float(T.ones(3))
int(T.ones(3))
complex(T.ones(3))
T.ones(3).__index__()
T.tensor(1.5).__index__()
range(T.tensor(2.5))
if_(T.ones(3))
format(T.ones(3),".2f")
"%d" % T.ones(3)
T.ones(2,requires_grad=True).numpy()
np.asarray(T.ones(2,requires_grad=True))
T.ones(2).backward()
T.ones(2,requires_grad=True).backward()
(T.ones(2,requires_grad=True)*2).backward()
(T.ones(2,requires_grad=True)*2).sum().backward(T.ones(3))
T.tensor([1,2],requires_grad=True)
T.ones(2,requires_grad=True).add_(1)
T.autograd.grad(T.ones(2).sum(),T.ones(2))
T.autograd.grad((T.ones(2,requires_grad=True)*2).sum(),T.ones(2,requires_grad=True))
setattr(T.ones(2,requires_grad=True),"grad",T.ones(3))
setattr(T.ones(2,requires_grad=True),"grad",5)
T.ones(2).retain_grad()
T.ones(2).register_hook(lambda g:g)
(T.ones(2,requires_grad=True)*1).requires_grad_(False)
T.ones(2).foo
T.foo
T.zeros(-1)
T.zeros(2.5)
T.zeros("a")
T.ones(2,dtype="banana")
T.ones(2).to("banana")
T.tensor([[1,2],[3]])
T.tensor("a")
T.tensor(None)
T.tensor([1,"a"])
T.tensor({"a":1})
T.tensor([300],dtype=T.uint8)
T.tensor([2**70])
T.full((2,),300,dtype=T.uint8)
T.zeros(2**40,2**40)
T.zeros(2**45)
T.arange(0,5,0)
T.arange(5,0,1)
T.linspace(0,1,-1)
T.eye(-1)
T.randint(5,5,(2,))
T.randperm(-1)
T.multinomial(T.tensor([1.,1.]),3)
T.ones(2,dtype=T.int64)+"a"
T.ones(2)+None
T.ones(2)+[1,2]
T.sum("a")
T.exp([1.0])
T.maximum(T.ones(2),T.ones(3))
T.ones(0).max()
T.ones(0,3).max(0)
T.ones(0).argmax()
T.topk(T.ones(3),5)
T.kthvalue(T.ones(3),9)
T.ones(2,3).tril_indices
T.linalg.inv(T.ones(2,3))
T.linalg.inv(T.zeros(2,2))
T.linalg.cholesky(-T.eye(2))
T.linalg.solve(T.zeros(2,2),T.ones(2))
T.bitwise_and(T.ones(2),T.ones(2))
T.ones(2).bitwise_not()
~T.ones(2)
T.ones(3).copy_(T.ones(2))
T.ones(2,3).masked_select(T.ones(2,3))
T.ones(3).masked_fill(T.tensor([True,False]),0)
T.ones(2,3).scatter(1,T.tensor([[9]]),1.0)
T.ones(3).index_add(0,T.tensor([5]),T.ones(1))
T.ones(3).clamp()
T.ones(2,3).diagonal(0,0,0)
T.ones(2,3).movedim(0,5)
T.ones(2,3).roll(1,5)
T.ones(2,3).flip(5)
T.ones(2,3).unfold(0,5,1)
T.ones(2,3).cumsum(4)
T.ones(2,3).sort(4)
T.ones(2,3).unbind(4)
T.ones(2,3).sum((0,0))
T.quantile(T.ones(3),2.0)
T.ones(2,3).t_(1)
T.ones(2,3,4).t()
T.nn.Linear(3,2)(T.ones(2,4))
T.nn.Linear(3,2)(np.ones((2,3)))
T.nn.Linear(3,2)([1.,2.,3.])
T.nn.Linear(3,2)()
T.nn.Linear(3,2)(T.ones(2,3),T.ones(2))
T.nn.Linear(3)
T.nn.Linear(-3,2)
T.nn.Linear("a",2)
T.nn.Linear(3,2).weightt
T.nn.Linear(3,2)["a"]
T.nn.Conv2d(3,4,3)(T.ones(1,2,8,8))
T.nn.Conv2d(3,4,3)(T.ones(8,8))
T.nn.Conv2d(3,4,3)(T.ones(1,3,2,2))
T.nn.Conv2d(3,4,3,groups=2)
T.nn.Conv2d(3,4,3,padding="foo")
T.nn.Conv2d(3,4,3,padding_mode="foo")
T.nn.MaxPool2d(3)(T.ones(1,1,2,2))
T.nn.BatchNorm1d(3)(T.ones(2,4))
T.nn.BatchNorm1d(3)(T.ones(1,3))
T.nn.BatchNorm2d(3)(T.ones(2,3))
T.nn.LayerNorm(3)(T.ones(2,4))
T.nn.GroupNorm(2,3)
T.nn.Dropout(2.0)
T.nn.Embedding(3,2)(T.tensor([5]))
T.nn.Embedding(3,2)(T.tensor([0.5]))
T.nn.LSTM(3,4)(T.ones(2,2,5))
T.nn.LSTM(3,4,num_layers=0)
T.nn.Sequential(T.nn.Linear(2,2))[5]
T.nn.Sequential(5)
T.nn.ModuleList([1])
T.nn.ModuleList([T.nn.ReLU()])[3]
T.nn.ModuleDict({})["a"]
T.nn.ModuleDict({"a":5})
T.nn.ParameterList([])[0]
T.nn.ReLU().register_parameter("a",5)
T.nn.ReLU().register_parameter("a.b",None)
T.nn.ReLU().register_parameter(5,None)
T.nn.Linear(1,1).register_parameter("forward",T.nn.Parameter(T.ones(1)))
T.nn.ReLU().register_buffer("a",5)
T.nn.ReLU().register_buffer("a.b",None)
T.nn.ReLU().add_module("a",5)
T.nn.ReLU().add_module("a.b",None)
T.nn.ReLU().get_parameter("x")
T.nn.ReLU().get_submodule("x")
T.nn.ReLU().get_buffer("x")
setattr(T.nn.Linear(1,1),"weight",5)
setattr(T.nn.Linear(1,1),"weight",T.ones(1))
T.nn.Linear(1,1).load_state_dict({})
T.nn.Linear(1,1).load_state_dict({"weight":T.ones(3,3),"bias":T.ones(1)})
T.nn.Linear(1,1).load_state_dict({"weight":T.ones(1,1),"bias":T.ones(1),"x":T.ones(1)})
T.nn.Linear(1,1).load_state_dict(5)
T.nn.Module()(1)
T.nn.Module().forward(1)
Forgot()
Forgot2()
T.nn.Parameter(T.tensor([1]))
T.nn.Linear(1,1).to("banana")
T.nn.Linear(1,1).to(T.int64)
T.nn.Linear(1,1).train("x")
T.nn.Linear(1,1).apply(5)
T.nn.functional.cross_entropy(T.ones(2,3),T.tensor([0,5]))
T.nn.functional.cross_entropy(T.ones(2,3),T.tensor([0,1,2]))
T.nn.functional.cross_entropy(T.ones(2,3),T.tensor([0.5,1.0]))
T.nn.functional.cross_entropy(T.ones(2,3),T.tensor([0,1]),reduction="foo")
T.nn.functional.nll_loss(T.ones(2,3),T.tensor([0,5]))
T.nn.functional.binary_cross_entropy(T.ones(2),T.ones(3))
T.nn.functional.binary_cross_entropy(T.tensor([2.0]),T.ones(1))
T.nn.functional.binary_cross_entropy_with_logits(T.ones(2),T.ones(3))
T.nn.functional.mse_loss(T.ones(2),T.ones(3))
T.nn.functional.mse_loss(T.ones(2),T.ones(2),reduction="x")
T.nn.functional.dropout(T.ones(2),p=3)
T.nn.functional.pad(T.ones(2),(1,))
T.nn.functional.pad(T.ones(2),(1,1),mode="foo")
T.nn.functional.pad(T.ones(1,2),(5,5),mode="reflect")
T.nn.functional.interpolate(T.ones(1,1,4))
T.nn.functional.interpolate(T.ones(1,1,4),scale_factor=2,mode="foo")
T.nn.functional.embedding(T.tensor([9]),T.ones(3,2))
T.nn.functional.conv2d(T.ones(1,3,8,8),T.ones(4,2,3,3))
T.nn.functional.linear(T.ones(2,3),T.ones(4,5))
T.nn.functional.foo
T.nn.Foo
T.nn.init.xavier_uniform_(T.ones(3))
T.nn.init.kaiming_normal_(T.ones(3))
T.nn.init.calculate_gain("foo")
T.nn.init.orthogonal_(T.ones(3))
T.nn.init.eye_(T.ones(3))
T.nn.init.dirac_(T.ones(3))
T.nn.utils.parameters_to_vector(5)
T.optim.SGD([],lr=0.1)
T.optim.SGD(5,lr=0.1)
T.optim.SGD(T.ones(2),lr=0.1)
T.optim.SGD([par(T)],lr=-1)
T.optim.SGD([par(T)],lr=.1,momentum=-1)
T.optim.SGD([par(T)],lr=.1,nesterov=True)
T.optim.SGD(["a"],lr=.1)
T.optim.SGD([T.ones(2,requires_grad=True)*1],lr=.1)
T.optim.Adam([par(T)],betas=(2,0.9))
T.optim.Adam([par(T)],eps=-1)
T.optim.Adam([par(T)],weight_decay=-1)
T.optim.Adam([{"a":1}])
T.optim.Adam([par(T)]).add_param_group(5)
dup(T)
T.optim.Adam([par(T)]).load_state_dict({})
T.optim.Adam([par(T)]).load_state_dict({"state":{},"param_groups":[]})
T.optim.Adam([par(T)]).param_groups[3]
T.optim.lr_scheduler.StepLR(5,1)
T.optim.lr_scheduler.OneCycleLR(T.optim.SGD([par(T)],lr=.1),max_lr=.1)
T.optim.lr_scheduler.ReduceLROnPlateau(T.optim.SGD([par(T)],lr=.1),factor=2.0)
T.optim.lr_scheduler.ReduceLROnPlateau(T.optim.SGD([par(T)],lr=.1),mode="x")
T.optim.lr_scheduler.ReduceLROnPlateau(T.optim.SGD([par(T)],lr=.1)).step()
T.optim.lr_scheduler.LambdaLR(T.optim.SGD([par(T)],lr=.1),[lambda e:1,lambda e:1])
T.optim.lr_scheduler.SequentialLR(T.optim.SGD([par(T)],lr=.1),[],[])
T.optim.lr_scheduler.CosineAnnealingWarmRestarts(T.optim.SGD([par(T)],lr=.1),0)
next(iter(T.ones(0)))
T.from_numpy([1])
T.from_numpy(np.array(["a"]))
T.from_numpy(np.ones(2,complex).astype("S"))
T.set_grad_enabled()
T.ones(2).is_foo()
T.ones(2)(3)
hash(T.ones(2)) and {}[T.ones(2)]
T.broadcast_to(T.ones(3),(2,2))
T.broadcast_tensors(T.ones(3),T.ones(2))
T.meshgrid(T.ones(2,2))
T.cross(T.ones(2),T.ones(2))
T.searchsorted(T.ones(2,2),T.ones(3,1))
T.bincount(T.tensor([-1]))
T.bincount(T.ones(3))
T.nn.functional.gumbel_softmax(T.ones(2),hard=True,dim=5)
T.nn.Unflatten(1,(2,2))(T.ones(2,5))
T.nn.PixelShuffle(2)(T.ones(1,3,2,2))
T.nn.CrossEntropyLoss(reduction="x")(T.ones(2,3),T.tensor([0,1]))
T.nn.Upsample(scale_factor=2,mode="x")(T.ones(1,1,4))
T.nn.GRU(3,4)(T.ones(5))
T.nn.RNN(3,4,nonlinearity="x")
T.nn.CosineSimilarity()(T.ones(2,3),T.ones(2,4))
T.nn.Bilinear(2,3,4)(T.ones(1,2),T.ones(1,2))
T.nn.ConvTranspose2d(1,1,3)(T.ones(1,1,2,2),output_size=(99,99))
T.nn.Softmax(dim=5)(T.ones(2))
T.utils.checkpoint.checkpoint(5)
T.ones(2).unflatten(0,(3,))
T.ones(3).reshape("a")
T.ones(3).sum("a")
T.ones(3).permute("a")
T.ones(2)**"a"
T.ones(2)@3
3@T.ones(2)
T.ones(2)/"a"
T.ones(2)<"a"
T.ones(2).expand("a")
""".strip().splitlines()
"""What goes wrong; ``T`` is either library."""

PYTHONS_OWN = (TypeError, AttributeError, KeyError, IndexError, NotImplementedError, StopIteration)
"""Classes with which Python itself answers, before any code of ours runs."""


def outcome(library: Any, code: str) -> Any:
    """What a mistake raises, or what it gives where it is none."""

    class Forgot(library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.layer = library.nn.Linear(1, 1)

    class ForgotParameter(library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.weight = library.nn.Parameter(library.ones(1))

    def par(library: Any) -> Any:
        return library.nn.Parameter(library.ones(2))

    def dup(library: Any) -> Any:
        p = par(library)
        return library.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)

    def if_(tensor: Any) -> bool:
        return True if tensor else False

    names = {"T": library, "np": np, "Forgot": Forgot, "Forgot2": ForgotParameter}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(code, names | {"par": par, "dup": dup, "if_": if_})  # noqa: S307
        except Exception as error:
            return error


@pytest.mark.parity
@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_caught_as_in_pytorch(code: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torch.utils.checkpoint")
    theirs, ours = outcome(torch, code), outcome(pellucid, code)
    if not isinstance(theirs, Exception):
        assert not isinstance(ours, Exception), f"PyTorch allows this: {ours}"
        return
    builtin = next(kind for kind in type(theirs).__mro__ if kind.__module__ == "builtins")
    assert isinstance(ours, builtin), f"PyTorch: {theirs!r}; here: {ours!r}"
    assert isinstance(ours, (errors.PellucidError, *PYTHONS_OWN)), repr(ours)


EXPECTED = {
    "T.ones(2)[5]": IndexError,
    "T.ones(3)['a']": TypeError,
    "T.ones(2, 3).sum(2)": IndexError,
    "T.ones(2) + T.ones(3)": RuntimeError,
    "T.ones(2, 3) @ T.ones(2, 3)": RuntimeError,
    "T.ones(2, 3).reshape(4)": RuntimeError,
    "T.tensor(1.0) @ T.ones(2)": TypeError,
    "T.cat([T.ones(2), 1])": TypeError,
    "T.zeros(2.5)": TypeError,
    "T.zeros(2**40, 2**40)": MemoryError,
    "T.zeros(2**45) ": RuntimeError,
    "T.tensor([300], dtype=T.uint8)": OverflowError,
    "T.ones(2).bitwise_not()": NotImplementedError,
    "T.ones(2).backward()": RuntimeError,
    "setattr(T.ones(2, requires_grad=True), 'grad', 5)": TypeError,
    "T.nn.Embedding(3, 2)(T.tensor([5]))": IndexError,
    "T.nn.functional.cross_entropy(T.ones(2, 3), T.tensor([0, 5]))": IndexError,
    "T.nn.Linear(3, 2)(T.ones(2, 4))": RuntimeError,
    "T.nn.Linear(3, 2).load_state_dict({})": RuntimeError,
    "T.nn.Linear(3, 2).register_buffer('a.b', None)": KeyError,
    "T.nn.Module()(1)": NotImplementedError,
    "T.nn.Sequential()[0]": IndexError,
    "T.nn.ModuleDict({})['a']": KeyError,
    "Forgot()": AttributeError,
    "T.optim.SGD([], lr=0.1)": ValueError,
    "T.optim.SGD(T.ones(2), lr=0.1)": TypeError,
    "T.optim.Adam([{'a': 1}])": KeyError,
    "T.nn.functional.pad(T.ones(2), (1, 1), mode='foo')": NotImplementedError,
}


@pytest.mark.parametrize("code", EXPECTED)
def test_the_class_of_a_mistake(code: str) -> None:
    error = outcome(pellucid, code)
    assert isinstance(error, EXPECTED[code]), repr(error)
    if not isinstance(error, errors.PellucidError):
        assert code == "T.nn.ModuleDict({})['a']"


def test_layers_in_a_plain_list_get_the_hint_to_use_a_module_list() -> None:
    class Net(pellucid.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [pellucid.nn.Linear(2, 2)]

    with pytest.raises(ValueError, match=r"empty list of parameters\n.*nn\.ModuleList"):
        pellucid.optim.SGD(Net().parameters(), lr=0.1)


def test_a_forgotten_init_of_the_module_is_named() -> None:
    error = outcome(pellucid, "Forgot()")
    assert "'layer' was assigned before the Forgot was set up" in str(error)
    assert error.hint == "call super().__init__() first in __init__"


@pytest.mark.parametrize(
    "kind",
    [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.PellucidError)
    ],
    ids=lambda kind: kind.__name__,
)
def test_errors_are_shown_pickled_and_copied_whole(kind: type[errors.PellucidError]) -> None:
    error = kind("what happened", "what to do")
    error.layer = "net.0"  # type: ignore[attr-defined]
    assert str(error) == "what happened\n  what to do"
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind and str(other) == str(error)
        assert (other.message, other.hint, other.layer) == (error.message, error.hint, "net.0")


def test_memory_that_is_not_there_is_told_with_its_size() -> None:
    with pytest.raises(errors.AllocationError, match=r"float32: it would take 1\.311e\+05 GiB"):
        pellucid.zeros(2**45)
    with pytest.raises(errors.AllocationError, match="no memory for a tensor of shape"):
        pellucid.ones(1).expand(2**46) + 1
