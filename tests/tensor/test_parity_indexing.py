"""Reading and writing elements: the grid of keys, against PyTorch (and NumPy's rules with it)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from tensor.parity import both_raise, ours, parity, theirs, torch

pytestmark = pytest.mark.parity

ROWS, GRID = np.array([1, 0, -1]), np.array([[0, 2], [-1, 1]])
KEYS: dict[str, Any] = {
    # name: key for an array of shape (4, 3, 5); arrays become tensors of each library
    "int": 2,
    "negative int": -1,
    "ints": (1, 2, -5),
    "slice": slice(1, 3),
    "slice with step": slice(None, None, 2),
    "slices": (slice(1, None), slice(None, 2), slice(-3, -1)),
    "empty slice": slice(3, 1),
    "slice beyond": slice(2, 100),
    "new axis": None,
    "new axes": (None, 1, None, slice(None), None),
    "ellipsis": (..., 1),
    "ellipsis inside": (1, ..., slice(2, 4)),
    "ellipsis of nothing": (1, 2, ..., 3),
    "all": ...,
    "nothing": (),
    "list": [0, 2],
    "tensor": ROWS,
    "tensor of two axes": GRID,
    "tensor and int": (ROWS, 1),
    "int and tensor": (1, ROWS),
    "tensor in the middle": (slice(None), ROWS),
    "tensor last": (..., ROWS),
    "two tensors": (ROWS, ROWS),
    "two tensors broadcast": (ROWS[:, None], GRID[0]),
    "two tensors apart": (ROWS, slice(None), ROWS),
    "int and tensor apart": (0, slice(None), ROWS),
    "tensor and int apart": (ROWS, slice(None), 2),
    "new axis between": (ROWS, None, ROWS),
    "three tensors": (ROWS, ROWS, ROWS),
    "slice and two tensors": (slice(0, 2), ROWS, ROWS),
    "slice and tensor": (slice(0, 4, 2), ROWS),
    "tensor and slice": (ROWS, slice(0, 2), slice(None, None, 2)),
    "ellipsis and tensors": (ROWS, ..., ROWS),
    "empty tensor": np.zeros(0, np.int64),
    "mask": np.array([True, False, True, True]),
    "mask of nothing": np.zeros(4, bool),
    "mask of two axes": np.arange(12).reshape(4, 3) % 2 == 0,
    "mask of all": np.arange(60).reshape(4, 3, 5) % 7 == 0,
    "mask in the middle": (slice(None), np.array([True, False, True])),
    "mask and int": (np.array([True, False, True, False]), 1),
    "mask and tensor": (np.array([True, False, True, True]), ROWS),
    "scalar tensor": np.array(2),
    "int32 tensor": np.array([0, 3], np.int32),
    "uint8 range": (slice(None), np.array([0, 1])),
}  # fmt: skip
IDS = list(KEYS)


def keyed(key: Any, make: Any) -> Any:
    """The key with its arrays as tensors."""
    if isinstance(key, tuple):
        return tuple(keyed(part, make) for part in key)
    return make(key) if isinstance(key, np.ndarray) else key


def side(m: Any) -> Any:
    return theirs if m is torch else ours


@pytest.mark.parametrize("name", IDS)
def test_reading(name: str, rng: np.random.Generator) -> None:
    parity(lambda m, x: x[keyed(KEYS[name], side(m))], rng.standard_normal((4, 3, 5)), what=name)


@pytest.mark.parametrize("name", IDS)
def test_reading_after_a_permutation(name: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4, 3))
    parity(lambda m, x: x.permute(1, 2, 0)[keyed(KEYS[name], side(m))], x, what=name)


@pytest.mark.parametrize("name", [n for n in IDS if n != "int and tensor apart"])
def test_numpy_keys_do_the_same(name: str) -> None:
    x = np.arange(60.0).reshape(4, 3, 5)
    assert_close(ours(x)[KEYS[name]], x[KEYS[name]], what=name)


@pytest.mark.parametrize("name", IDS)
def test_writing_a_number(name: str) -> None:
    for number in (7.5, 2, True):

        def write(m: Any, x: Any, number: Any = number) -> Any:
            y = x.clone()
            y[keyed(KEYS[name], side(m))] = number
            return y

        parity(write, np.arange(60.0).reshape(4, 3, 5), what=name)
        parity(write, np.arange(60).reshape(4, 3, 5), gradients=False, what=name)


def distinct(name: str) -> bool:
    """Whether the key names no element twice: PyTorch leaves open which of two writes stays."""
    places = np.arange(60).reshape(4, 3, 5)[KEYS[name]]
    return np.unique(places).size == places.size


@pytest.mark.parametrize("name", IDS)
def test_writing_a_tensor(name: str, rng: np.random.Generator) -> None:
    if not distinct(name):
        pytest.skip("names an element twice")
    x = rng.standard_normal((4, 3, 5))
    shape = x[KEYS[name]].shape

    def write(m: Any, x: Any, v: Any) -> Any:
        y = x.clone()
        y[keyed(KEYS[name], side(m))] = v
        return y

    parity(write, x, rng.standard_normal(shape), what=name)
    parity(
        write, x, rng.standard_normal(shape[-1:]) if shape else rng.standard_normal(()), what=name
    )
    parity(
        write, x, rng.standard_normal((1, *shape)) if len(shape) < 3 else x[KEYS[name]], what=name
    )


@pytest.mark.parametrize("name", IDS)
def test_writing_without_gradients_touches_the_memory_itself(name: str) -> None:
    x = ours(np.arange(60.0).reshape(4, 3, 5))
    memory = x.numpy()
    expected = memory.copy()
    x[keyed(KEYS[name], ours)] = -1.0
    expected[KEYS[name]] = -1.0
    assert_close(memory, expected, what=name)
    assert np.shares_memory(memory, x.numpy())


def test_changing_what_an_index_names_in_place() -> None:
    def change(m: Any, x: Any) -> Any:
        y = x.clone()
        y[1] += 2
        y[:, 0] *= 3
        y[y > 5] = 0
        return y

    parity(change, np.arange(12.0).reshape(4, 3))


@pytest.mark.parametrize(
    "key",
    [
        5,
        -5,
        (0, 3),
        (0, 0, 0, 0),
        np.array([4]),
        np.array([-5]),
        np.zeros(3, bool),
        np.zeros((4, 2), bool),
        np.array([0.5]),
    ],
    ids=str,
)
def test_keys_that_name_nothing(key: Any) -> None:
    x = np.zeros((4, 3, 5))
    both_raise(lambda m, x: x[keyed(key, side(m))], x)
    with pytest.raises(pellucid.PellucidError):
        ours(x)[keyed(key, ours)] = 1.0


def test_the_error_names_the_index_and_the_extent() -> None:
    x = ours(np.zeros((4, 3)))
    with pytest.raises(
        ValueError, match="index 7 is out of range for axis 1 of extent 3\n.*-3 to 2"
    ):
        x[0, 7]
    with pytest.raises(ValueError, match="too many indices: 3 for a tensor with 2 axes"):
        x[0, 0, 0]
    with pytest.raises(ValueError, match=r"a mask of shape \(3,\) on axes of shape \(4,\)"):
        x[ours(np.zeros(3, bool))]
    with pytest.raises(ValueError, match=r"a value of shape \(2,\) does not fit"):
        x[0] = ours(np.zeros(2))


def test_gather_scatter_and_relatives(rng: np.random.Generator) -> None:
    x, index = rng.standard_normal((4, 5)), np.array([[0, 4, 2], [1, 1, 3]])
    source = rng.standard_normal((2, 3))
    parity(
        lambda m, x, i: (x.gather(1, i), m.gather(x, 1, i), x.gather(0, i[:, :2].clamp(max=3))),
        x,
        index,
    )
    parity(
        lambda m, x, i, s: (x.scatter(1, i[:, :1], s[:, :1]), x.scatter_add(1, i, s)),
        x,
        index,
        source,
    )
    parity(
        lambda m, x, i: (x.scatter(1, i, 2.5), x.scatter(1, i, 1.5, reduce="add").detach()),
        x,
        index,
    )
    rows = np.array([3, 0, 3])
    parity(lambda m, x, i: (x.index_select(0, i), m.index_select(x, 1, i)), x, rows)
    parity(
        lambda m, x, i, s: (x.index_add(0, i, s), x.index_add(0, i, s, alpha=0.5)),
        x,
        rows,
        rng.standard_normal((3, 5)),
    )
    parity(lambda m, x, i, s: x.index_copy(0, i[:2], s[:2]), x, rows, rng.standard_normal((3, 5)))
    parity(lambda m, x, i: (x.index_fill(0, i, -1.0), x.index_fill(1, i, 2)), x, rows)
    parity(lambda m, x, i: (m.take(x, i), x.take(i)), x, np.array([[0, 19], [7, -1]]))
    parity(lambda m, x, i: m.take_along_dim(x, i, 1), x, np.argsort(x, 1))
    parity(lambda m, x, i: m.take_along_dim(x, i, 0), x, np.array([[0, 1, 2, 3, 0]]))
    parity(
        lambda m, x: (
            x.masked_select(x > 0),
            m.masked_select(x, m.tensor([True, False, True, False, True])),
        ),
        x,
    )
    parity(lambda m, x: x.masked_scatter(x > 0, m.arange(20.0, dtype=m.float64)), x)
    parity(lambda m, x, i: x.index_put((i,), m.tensor(3.0, dtype=m.float64)), x, rows)
    parity(
        lambda m, x, i: x.index_put((i, i), m.tensor([1.0, 2.0, 4.0], dtype=m.float64), True),
        x,
        rows,
    )
    for reduce in ("sum", "mean"):
        for own in (True, False):
            parity(
                lambda m, x, i, s, r=reduce, o=own: x.scatter_reduce(1, i, s, r, include_self=o),
                x,
                index,
                source,
            )


def test_one_hot_and_in_place_relatives(rng: np.random.Generator) -> None:
    def change(m: Any, x: Any) -> Any:
        y = x.clone()
        y.masked_fill_(y > 0.5, 0.0)
        y.scatter_(1, m.tensor([[0], [1]]), 5.0)
        y.index_add_(0, m.tensor([1]), m.ones(1, 3, dtype=m.float64))
        y.index_fill_(1, m.tensor([2]), 9.0)
        y.clamp_(-1, 6).mul_(2).add_(1)
        return y

    parity(change, rng.standard_normal((2, 3)))
