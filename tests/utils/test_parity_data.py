"""Data sets, samplers, batches and refusals are PyTorch's."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.utils.data as ours
from helpers import as_array

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
theirs = pytest.importorskip("torch.utils.data")
pytestmark = pytest.mark.parity

Pair = collections.namedtuple("Pair", "x y")


class Bag(dict):
    """A mapping of a class of its own."""


ROWS: dict[str, Callable[[Any], list[Any]]] = {
    "ints": lambda t: [1, 2, 3],
    "floats": lambda t: [1.0, 2.5],
    "truths": lambda t: [True, False],
    "ints and floats": lambda t: [1, 2.5],
    "texts": lambda t: ["a", "b"],
    "bytes": lambda t: [b"a"],
    "tensors": lambda t: [t.arange(3), t.arange(3) + 1],
    "scalars": lambda t: [t.tensor(1.5), t.tensor(2.0)],
    "half": lambda t: [t.ones(2, dtype=t.float16)] * 2,
    "arrays": lambda t: [np.arange(4).reshape(2, 2)] * 3,
    "float arrays": lambda t: [np.ones(2)] * 2,
    "numpy numbers": lambda t: [np.float32(1), np.float32(2)],
    "numpy truths": lambda t: [np.True_, np.False_],
    "tuples": lambda t: [(1, "a", 2.0), (3, "b", 4.0)],
    "lists": lambda t: [[1, 2], [3, 4]],
    "named": lambda t: [Pair(1, t.zeros(2)), Pair(2, t.ones(2))],
    "mappings": lambda t: [{"a": 1, "b": {"c": [1.0, 2.0]}}, {"a": 2, "b": {"c": [3.0, 4.0]}}],
    "ordered": lambda t: [collections.OrderedDict(a=1, b=2)] * 2,
    "own mapping": lambda t: [Bag(a=1), Bag(a=2)],
    "ranges": lambda t: [range(2), range(2)],
    "empty tuples": lambda t: [(), ()],
    "other": lambda t: [object()],
    "none": lambda t: [None, None],
    "shapes": lambda t: [t.zeros(2), t.zeros(3)],
    "array shapes": lambda t: [np.zeros(2), np.zeros(3)],
    "lengths": lambda t: [(1, 2), (3,)],
    "keys": lambda t: [{"a": 1}, {"b": 1}],
    "text arrays": lambda t: [np.array("x")],
    "objects": lambda t: [np.array([None])],
    "mixed": lambda t: [t.ones(1), 2.0],
    "nothing": lambda t: [],
    "complex": lambda t: [object, 1j],
}


def told(made: Any) -> Any:
    """Types, dtypes and values, comparable between the two."""
    if hasattr(made, "detach"):
        return str(made.dtype).split(".")[-1], as_array(made).tolist(), tuple(made.shape)
    if isinstance(made, dict):
        return type(made).__name__, {key: told(value) for key, value in made.items()}
    if isinstance(made, list | tuple):
        return type(made).__name__, [told(value) for value in made]
    return made


def outcome(run: Callable[[], Any]) -> Any:
    """What a call gives, or the class of its error."""
    try:
        return told(run())
    except Exception as error:
        return type(error)


def check(ours_says: Any, theirs_says: Any) -> None:
    if isinstance(theirs_says, type) and issubclass(theirs_says, Exception):
        assert isinstance(ours_says, type), f"{ours_says}, PyTorch raises {theirs_says}"
        assert issubclass(ours_says, theirs_says), f"{ours_says.__mro__}, not {theirs_says}"
        assert issubclass(ours_says, pellucid.PellucidError)
    else:
        assert ours_says == theirs_says


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
def test_batches(name: str, function: str) -> None:
    convert = function == "default_convert"
    mine, other = ROWS[name](pellucid), ROWS[name](torch)
    for a, b in zip(mine, other, strict=True) if convert else [(mine, other)]:
        if type(b) in (object, type, range) or (convert and name == "objects"):
            continue
        check(
            outcome(lambda a=a: getattr(ours, function)(a)),
            outcome(lambda b=b: getattr(theirs, function)(b)),
        )


def in_turn(library: Any, rows: int = 3, length: int | None = None) -> Any:
    members: dict[str, Any] = {"__iter__": lambda self: iter(range(rows))}
    if length is not None:
        members["__len__"] = lambda self: length
    return type("InTurn", (library.IterableDataset,), members)()


def by_place(library: Any, rows: int = 5) -> Any:
    members = {"__getitem__": lambda self, i: range(rows)[i] * 10, "__len__": lambda self: rows}
    return type("ByPlace", (library.Dataset,), members)()


CASES: dict[str, Callable[[Any, Any], Any]] = {
    # name: of the library (utils.data) and its tensors
    "workers below 0": lambda d, t: d.DataLoader(by_place(d), num_workers=-1),
    "timeout below 0": lambda d, t: d.DataLoader(by_place(d), timeout=-1),
    "prefetch without workers": lambda d, t: d.DataLoader(by_place(d), prefetch_factor=2),
    "prefetch below 0": lambda d, t: d.DataLoader(by_place(d), num_workers=1, prefetch_factor=-1),
    "persistent without": lambda d, t: d.DataLoader(by_place(d), persistent_workers=True),
    "context without": lambda d, t: d.DataLoader(by_place(d), multiprocessing_context="spawn"),
    "context": lambda d, t: d.DataLoader(
        by_place(d), num_workers=1, multiprocessing_context="thread"
    ),
    "context type": lambda d, t: d.DataLoader(
        by_place(d), num_workers=1, multiprocessing_context=3
    ),
    "shuffle in turn": lambda d, t: d.DataLoader(in_turn(d), shuffle=True),
    "sampler in turn": lambda d, t: d.DataLoader(in_turn(d), sampler=[1]),
    "batch sampler in turn": lambda d, t: d.DataLoader(in_turn(d), batch_sampler=[[1]]),
    "batch size 0": lambda d, t: d.DataLoader(by_place(d), batch_size=0),
    "batch size 1.5": lambda d, t: d.DataLoader(by_place(d), batch_size=1.5),
    "no batches and drop": lambda d, t: d.DataLoader(by_place(d), batch_size=None, drop_last=True),
    "batch sampler and size": lambda d, t: d.DataLoader(
        by_place(d), batch_sampler=[[1]], batch_size=2
    ),
    "batch sampler and drop": lambda d, t: d.DataLoader(
        by_place(d), batch_sampler=[[1]], drop_last=True
    ),
    "shuffle and sampler": lambda d, t: d.DataLoader(by_place(d), shuffle=True, sampler=[1]),
    "shuffle nothing": lambda d, t: d.DataLoader([], shuffle=True),
    "length in turn": lambda d, t: len(d.DataLoader(in_turn(d, 3, 3), 2)),
    "length in turn, dropped": lambda d, t: len(d.DataLoader(in_turn(d, 3, 3), 2, drop_last=True)),
    "set batch_size": lambda d, t: setattr(d.DataLoader(by_place(d)), "batch_size", 3),
    "set sampler": lambda d, t: setattr(d.DataLoader(by_place(d)), "sampler", [3]),
    "sampler": lambda d, t: list(d.DataLoader(by_place(d), 2, sampler=[4, 0, 2])),
    "sampler once": lambda d, t: list(d.DataLoader(by_place(d), sampler=iter([1, 2]))),
    "batch sampler": lambda d, t: list(d.DataLoader(by_place(d), batch_sampler=[[1, 2], [3]])),
    "rows": lambda d, t: list(d.DataLoader(by_place(d), batch_size=None)),
    "rows in turn": lambda d, t: list(d.DataLoader(in_turn(d), batch_size=None)),
    "batches in turn": lambda d, t: list(d.DataLoader(in_turn(d), 2)),
    "batches in turn, dropped": lambda d, t: list(d.DataLoader(in_turn(d), 2, drop_last=True)),
    "list": lambda d, t: list(d.DataLoader([1, 2, 3], 2)),
    "dict": lambda d, t: list(d.DataLoader({0: 1, 1: 4}, 2)),
    "tensor rows": lambda d, t: list(
        d.DataLoader(d.TensorDataset(t.arange(6).reshape(3, 2), t.arange(3)), 2)
    ),
    "subset of tensor rows": lambda d, t: list(
        d.DataLoader(d.Subset(d.Subset(d.TensorDataset(t.arange(9)), [8, 6, 4]), [2, 0]), 2)
    ),
    "tensor rows alone": lambda d, t: list(
        d.DataLoader(d.TensorDataset(t.arange(3)), batch_size=None)
    ),
    "tensor rows beyond": lambda d, t: list(
        d.DataLoader(d.TensorDataset(t.arange(3)), sampler=[5])
    ),
    "random replacement": lambda d, t: d.RandomSampler(by_place(d), replacement=1),
    "random samples 0": lambda d, t: d.RandomSampler(by_place(d), num_samples=0),
    "random samples 1.5": lambda d, t: d.RandomSampler(by_place(d), num_samples=1.5),
    "random length": lambda d, t: len(d.RandomSampler(by_place(d), num_samples=12)),
    "weighted samples": lambda d, t: d.WeightedRandomSampler([1.0], 0),
    "weighted replacement": lambda d, t: d.WeightedRandomSampler([1.0], 1, replacement=1),
    "weighted too many": lambda d, t: list(d.WeightedRandomSampler([1.0, 2.0], 3, False)),
    "weighted shape": lambda d, t: d.WeightedRandomSampler([[1.0, 2.0]], 3),
    "weighted negative": lambda d, t: list(d.WeightedRandomSampler([-1.0, 2.0], 1)),
    "weighted sure": lambda d, t: list(d.WeightedRandomSampler([0.0, 2.0, 0.0], 3)),
    "batch size of sampler": lambda d, t: d.BatchSampler([1], 0, False),
    "drop of sampler": lambda d, t: d.BatchSampler([1], 1, 1),
    "batches": lambda d, t: list(d.BatchSampler([1, 2, 3], 2, False)),
    "batches dropped": lambda d, t: list(d.BatchSampler([1, 2, 3], 2, True)),
    "batches length": lambda d, t: len(d.BatchSampler(d.SequentialSampler(range(7)), 2, False)),
    "subset sampler": lambda d, t: sorted(d.SubsetRandomSampler([4, 2, 9])),
    "tensors of unequal length": lambda d, t: d.TensorDataset(t.zeros(2), t.zeros(3)),
    "concat nothing": lambda d, t: d.ConcatDataset([]),
    "concat in turn": lambda d, t: d.ConcatDataset([in_turn(d)]),
    "concat": lambda d, t: list(by_place(d) + by_place(d, 2)),
    "concat sizes": lambda d, t: (by_place(d) + by_place(d, 2)).cumulative_sizes,
    "concat from behind": lambda d, t: (by_place(d) + by_place(d, 2))[-3],
    "concat far behind": lambda d, t: d.ConcatDataset([by_place(d)])[-7],
    "concat beyond": lambda d, t: d.ConcatDataset([by_place(d)])[7],
    "stack": lambda d, t: d.StackDataset(by_place(d), range(5))[2],
    "stack by name": lambda d, t: d.StackDataset(a=by_place(d), b=range(5))[2],
    "stack rows": lambda d, t: list(d.DataLoader(d.StackDataset(a=by_place(d), b=range(5)), 2)),
    "stack nothing": lambda d, t: d.StackDataset(),
    "stack both": lambda d, t: d.StackDataset(by_place(d), b=by_place(d)),
    "stack lengths": lambda d, t: d.StackDataset(by_place(d), [1]),
    "chain": lambda d, t: list(in_turn(d) + in_turn(d, 2)),
    "chain length": lambda d, t: len(d.ChainDataset([in_turn(d, 3, 3), in_turn(d, 2, 2)])),
    "chain other": lambda d, t: list(d.ChainDataset([by_place(d)])),
    "subset": lambda d, t: d.Subset(by_place(d), [3, 4])[1],
    "subset rows": lambda d, t: d.Subset(by_place(d), [3, 4]).__getitems__([1, 0]),
    "split sum": lambda d, t: d.random_split(by_place(d), [1, 1]),
    "split shares": lambda d, t: d.random_split(by_place(d), [0.5, 0.6]),
    "split": lambda d, t: [len(s) for s in d.random_split(by_place(d, 11), [0.5, 0.3, 0.2])],
    "no rows": lambda d, t: d.Dataset()[0],
    "wrong rank": lambda d, t: d.DistributedSampler(by_place(d), 2, 2),
    "no group": lambda d, t: d.DistributedSampler(by_place(d)),
    "shares": lambda d, t: [
        list(d.DistributedSampler(by_place(d, n), r, i, shuffle=False, drop_last=drop))
        for n in (1, 5, 6) for r in (1, 2, 4) for i in range(r) for drop in (False, True)
    ],
    "worker info": lambda d, t: d.get_worker_info(),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_results_and_refusals(name: str) -> None:
    case = CASES[name]
    found = outcome(lambda: case(ours, pellucid))
    expected = outcome(lambda: case(theirs, torch))
    plain = (int, float, str, bool, list, tuple, dict, type, type(None))
    if not isinstance(expected, plain):  # an object was made: so was ours
        assert not isinstance(found, type), found
        return
    check(found, expected)


def test_the_names_of_pytorch_are_there() -> None:
    pipes = {n for n in theirs.__all__ if "Pipe" in n or "_" in n or n == "DataChunk"}
    kept = {"random_split", "default_collate", "default_convert", "get_worker_info"}
    assert set(theirs.__all__) - (pipes - kept) <= set(ours.__all__)
    for path in ("dataset", "sampler", "dataloader", "distributed", "_utils.collate"):
        mine, other = ours, theirs
        for part in path.split("."):
            mine, other = getattr(mine, part), getattr(other, part)
        listed = getattr(other, "__all__", ["default_collate", "default_convert", "collate"])
        gone = [n for n in listed if n[0] != "_" and not hasattr(mine, n)]
        assert gone == [], path


def test_signatures_are_pytorchs() -> None:
    import inspect

    for name in set(ours.__all__) & set(theirs.__all__):
        mine, other = (list(inspect.signature(getattr(d, name)).parameters) for d in (ours, theirs))
        assert mine[: len(other)] == other or name in ("Dataset", "IterableDataset"), name


def test_two_loaders_read_the_same_program() -> None:
    """A whole small training with sampler, collate_fn and two data sets."""

    def losses(library: Any, data: Any) -> list[float]:
        x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
        y = x @ np.array([1.0, -2.0, 0.5], np.float32)
        tensors = library.tensor(x), library.tensor(y)
        rows = data.ConcatDataset(
            [data.Subset(data.TensorDataset(*tensors), range(0, 40, 2)),
             data.TensorDataset(tensors[0][1::2], tensors[1][1::2])]
        )  # fmt: skip
        order = [(i * 7) % 40 for i in range(40)]
        loader = data.DataLoader(rows, batch_size=6, sampler=order, num_workers=2)
        weight = library.zeros(3, requires_grad=True)
        found = []
        for _ in range(2):
            for batch_x, batch_y in loader:
                loss = ((batch_x @ weight - batch_y) ** 2).mean()
                loss.backward()
                with library.no_grad():
                    weight -= 0.1 * weight.grad
                weight.grad = None
                found.append(loss.item())
        return found

    assert losses(pellucid, ours) == pytest.approx(losses(torch, theirs), rel=1e-4)
