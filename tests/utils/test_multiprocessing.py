"""Tensors in several processes: as memory that all see, or as copies."""

from __future__ import annotations

import copy
import os
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.multiprocessing as mp
from pellucid import nn
from pellucid.base.errors import InPlaceError
from pellucid.base.shared_memory import AVAILABLE
from utils import programs

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="there is no shared memory without names")
METHODS = ("fork", "spawn")


@pytest.mark.parametrize("method", METHODS)
def test_processes_write_the_same_memory(method: str) -> None:
    total = pellucid.zeros(2).share_memory_()
    assert mp.spawn(programs.add_rank, (total,), nprocs=2, start_method=method) is None
    assert total.tolist() == [1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_queues_send_shared_tensors_as_memory_and_others_as_copies(method: str) -> None:
    context: Any = mp.get_context(method)
    mail, back, seen = context.Queue(), context.Queue(), context.Event()
    shared = nn.Parameter(pellucid.zeros(3, 2)).share_memory_()
    own = pellucid.ones(2, dtype=pellucid.bfloat16)
    process = context.Process(target=programs.answer, args=(mail, back, seen))
    process.start()
    with pellucid.no_grad():
        mail.put((shared, own))
        returned, changed, was_shared, was_not = back.get(timeout=30)
        seen.set()
        process.join(60)
        assert process.exitcode == 0
        assert was_shared and not was_not
        assert shared.tolist() == [[1, 1]] * 3 and own.float().tolist() == [1, 1]
        assert type(returned) is nn.Parameter and returned.requires_grad
        returned[0, 0] = 5
        assert shared[0, 0].item() == 5
        assert changed.dtype is pellucid.bfloat16 and changed.float().tolist() == [2, 2]
    mail.close()
    back.close()


def test_several_processes_train_one_network() -> None:
    pellucid.manual_seed(0)
    model = nn.Linear(2, 1)
    assert model.share_memory() is model and model.weight.is_shared() and model.bias.is_shared()
    mp.spawn(programs.learn, (model,), nprocs=2, start_method="fork")
    assert np.allclose(model.weight.detach().numpy(), 1, atol=0.05)
    programs.learn(0, model)
    programs.learn(1, model)
    assert model.weight.is_shared() and model(pellucid.ones(1, 2)).shape == (1, 1)


def test_what_is_shared_stays_one_tensor() -> None:
    x = pellucid.arange(6.0).reshape(2, 3).clone()
    assert not x.is_shared()
    alias = x.detach()
    assert x.share_memory_() is x and x.share_memory_() is x
    assert alias.is_shared() and x[1].is_shared() and not (x + 1).is_shared()
    x[1].fill_(7)
    assert alias.tolist() == [[0, 1, 2], [7, 7, 7]]
    base = pellucid.zeros(3)
    with pytest.raises(InPlaceError, match="on a view"):
        base[1:].share_memory_()
    for copied in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.clone()):
        assert not copied.is_shared() and copied.tolist() == x.tolist()
    assert pellucid.zeros(0).share_memory_().tolist() == []


def test_blocks_are_freed() -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(50):
        pellucid.zeros(1000).share_memory_()
    if before:
        assert len(os.listdir("/proc/self/fd")) < before + 5


def test_an_error_ends_all_processes_and_is_shown() -> None:
    with pytest.raises(mp.ProcessRaisedException, match="LookupError: nothing found") as caught:
        mp.spawn(programs.fail, nprocs=2, start_method="fork")
    assert caught.value.error_index == 1 and "Process 1 terminated" in str(caught.value)
    assert mp.active_children() == []
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_killed_process_is_noticed() -> None:
    context = mp.start_processes(programs.fail, nprocs=1, join=False, start_method="fork")
    assert context is not None and not context.join(timeout=0.05)
    os.kill(context.pids()[0], 9)
    with pytest.raises(mp.ProcessExitedException, match="signal SIGKILL") as caught:
        context.join()
    assert (caught.value.exit_code, caught.value.signal_name) == (-9, "SIGKILL")


def test_pools_take_tensors() -> None:
    with mp.get_context("fork").Pool(2) as pool:
        found = pool.map(programs.square, [pellucid.tensor([float(i)]) for i in range(4)])
    assert [x.item() for x in found] == [0, 1, 4, 9]


def test_sharing_strategies_have_names() -> None:
    before = mp.get_sharing_strategy()
    mp.set_sharing_strategy("file_system")
    assert mp.get_sharing_strategy() == "file_system"
    mp.set_sharing_strategy(before)
    with pytest.raises(AssertionError, match="'by_mail'"):
        mp.set_sharing_strategy("by_mail")
    assert before in mp.get_all_sharing_strategies()
