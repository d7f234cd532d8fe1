"""Programs for several processes run in one: groups, what is sent, and the wrappers of networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.distributed as dist
from helpers import assert_close, assert_same
from pellucid import nn
from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.distributed import nn as with_gradients
from pellucid.utils.data import DataLoader, DistributedSampler, TensorDataset


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("nccl", init_method="env://")
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dist.is_available() and not dist.is_initialized() and dist.group.WORLD is None
    for ask in (dist.get_rank, dist.get_world_size, dist.barrier, dist.get_backend):
        with pytest.raises(ValueError, match="has not been initialized"):
            ask()
    with pytest.raises(AssertionError):
        dist.destroy_process_group()
    with pytest.raises(NotImplementedError, match="world of 4 processes"):
        dist.init_process_group("gloo", rank=0, world_size=4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="world of 2 processes"):
        dist.init_process_group()
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(ValueError, match="rank 1 of 1"):
        dist.init_process_group(rank=1)
    with pytest.raises(ValueError, match="'carrier-pigeon' is no backend"):
        dist.init_process_group("carrier-pigeon")
    dist.init_process_group("cpu:gloo,cuda:nccl", rank=0, world_size=1)
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group()
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (
        0, 1, "cpu:gloo,cuda:nccl",
    )  # fmt: skip
    part = dist.new_group([0], backend="gloo")
    assert dist.get_backend(part) == dist.Backend.GLOO and dist.get_rank(part) == 0
    assert dist.get_process_group_ranks(dist.group.WORLD) == [0]
    with pytest.raises(ValueError, match="ranks"):
        dist.new_group([0, 1])
    dist.destroy_process_group()
    assert not dist.is_initialized()


def test_what_members_send_is_what_the_one_has(group: None) -> None:
    x, y = pellucid.tensor([1.0, 2.0]), pellucid.zeros(2)
    for op in dist.ReduceOp:
        assert dist.all_reduce(x, op) is None
    work = dist.all_reduce(x, async_op=True)
    assert work is not None and work.wait() and work.is_completed()
    dist.broadcast(x, 0)
    dist.reduce(x, dst=0)
    assert x.tolist() == [1, 2]
    dist.all_gather([y], x)
    assert y.tolist() == [1, 2]
    dist.scatter(y, [x * 2], src=0)
    assert y.tolist() == [2, 4]
    dist.gather(x * 3, [y])
    assert y.tolist() == [3, 6]
    dist.all_gather_into_tensor(y, x)
    dist.reduce_scatter(y, [x * 4])
    assert y.tolist() == [4, 8]
    dist.all_to_all_single(y, x)
    assert y.tolist() == [1, 2]
    objects: list[Any] = [None]
    dist.all_gather_object(objects, {"a": [1]})
    assert objects == [{"a": [1]}]
    dist.broadcast_object_list(objects, src=0)
    dist.barrier()
    dist.monitored_barrier()


def test_mistakes_are_named(group: None) -> None:
    x = pellucid.ones(2)
    with pytest.raises(TypeError, match="tensor is a int"):
        dist.all_reduce(3)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="invalid rank 1"):
        dist.broadcast(x, 1)
    with pytest.raises(RuntimeError, match="0 entries for 1"):
        dist.all_gather([], x)
    with pytest.raises(ShapeError, match="invalid tensor size"):
        dist.all_gather([pellucid.zeros(3)], x)
    with pytest.raises(ValueError, match="the process itself"):
        dist.send(x, 0)
    with pytest.raises(ArgumentError, match="gather_list"):
        dist.gather(x)


@pytest.mark.parametrize("wrapper", ["DataParallel", "DistributedDataParallel"])
@pytest.mark.parametrize("compiled", [False, True])
def test_wrapped_networks_train_as_the_network_itself(
    group: None, wrapper: str, compiled: bool, rng: np.random.Generator
) -> None:
    x, y = rng.normal(size=(12, 3)).astype(np.float32), rng.normal(size=(12, 1)).astype(np.float32)

    def train(wrap: Any) -> Any:
        pellucid.manual_seed(1)
        net = wrap(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
        optimizer = pellucid.optim.SGD(net.parameters(), lr=0.1)

        def step(a: Any, b: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(a), b)
            loss.backward()
            optimizer.step()
            return loss

        run = pellucid.compile(step) if compiled else step
        sampler = DistributedSampler(TensorDataset(x), shuffle=False)
        loader = DataLoader(TensorDataset(x, y), 4, sampler=sampler)
        return net, [run(a, b).item() for _ in range(2) for a, b in loader]

    plain, expected = train(lambda net: net)
    kind = getattr(nn.parallel, wrapper)
    wrapped, losses = train(lambda net: kind(net, device_ids=[0]))
    assert_close(losses, expected)
    assert list(wrapped.state_dict()) == [f"module.{name}" for name in plain.state_dict()]
    for name, value in wrapped.module.state_dict().items():
        assert_close(value, plain.state_dict()[name])
    wrapped.load_state_dict({f"module.{k}": v for k, v in plain.state_dict().items()})


def test_what_ddp_offers_beside(group: None) -> None:
    net = nn.Linear(2, 1)
    wrapped = nn.parallel.DistributedDataParallel(net, find_unused_parameters=True)
    with wrapped.no_sync():
        assert not wrapped.require_backward_grad_sync
        wrapped(pellucid.ones(1, 2)).sum().backward()
    with wrapped.join():
        wrapped(pellucid.ones(1, 2)).sum().backward()
    assert net.weight.grad is not None and net.weight.grad.tolist() == [[2, 2]]
    assert wrapped.require_backward_grad_sync and "(module): Linear" in repr(wrapped)
    with pytest.raises(RuntimeError, match="is not needed"):
        nn.parallel.DistributedDataParallel(nn.ReLU())
    dist.destroy_process_group()
    with pytest.raises(ValueError, match="init_process_group"):
        nn.parallel.DistributedDataParallel(net)


def test_synchronized_batch_norm_is_batch_norm(rng: np.random.Generator) -> None:
    inner = nn.Sequential(nn.BatchNorm1d(4, affine=False))
    net = nn.Sequential(nn.BatchNorm2d(3), inner, nn.ReLU())
    first = net[0]
    made: Any = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert made is net and isinstance(made[0], nn.SyncBatchNorm)
    assert isinstance(made[1][0], nn.SyncBatchNorm) and made[1][0].weight is None
    assert made[0].weight is first.weight and made[0].running_mean is first.running_mean
    x = pellucid.tensor(rng.normal(size=(5, 3, 2, 4)).astype(np.float32))
    twin = nn.BatchNorm2d(3)
    assert_same(made[0](x), twin(x))
    assert_same(made[0].running_var, twin.running_var)
    made.eval()
    assert_same(made[0](x), twin.eval()(x))
    layer = nn.SyncBatchNorm(3)
    assert layer(x[0].permute(1, 0, 2)).shape == (2, 3, 4) and layer(x[:, :, 0, 0]).shape == (5, 3)
    with pytest.raises(ValueError, match="at least 2D"):
        layer(pellucid.ones(3))
    alone = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm1d(2, momentum=None))
    assert isinstance(alone, nn.SyncBatchNorm) and alone.momentum is None


def test_collective_calls_with_gradients() -> None:
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        x = pellucid.ones(3, requires_grad=True)
        (gathered,) = with_gradients.all_gather(x)
        total = with_gradients.all_reduce(2 * x) + with_gradients.broadcast(gathered, 0)
        total.sum().backward()
        assert x.grad is not None and x.grad.tolist() == [3.0, 3.0, 3.0]
    finally:
        dist.destroy_process_group()
    with pytest.raises(ValueError, match="has not been initialized"):
        with_gradients.all_reduce(x)
