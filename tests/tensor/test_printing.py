"""Tensors as text: letter by letter as PyTorch prints them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, PellucidError

RANDOM = np.random.default_rng(7)


def arrays() -> dict[str, np.ndarray]:
    """What is printed, by name: about a hundred tensors of all kinds."""
    found: dict[str, np.ndarray] = {
        "nothing": np.zeros(0, np.float32),
        "no rows": np.zeros((0, 3), np.float32),
        "no columns": np.zeros((2, 0), np.float64),
        "no integers": np.zeros(0, np.int64),
        "no bools": np.zeros((0, 2), np.bool_),
        "negative zero": np.array([-0.0, 0.0], np.float32),
        "one zero": np.array(-0.0, np.float32),
        "whole numbers": np.array([1.0, 2.0, -30.0], np.float32),
        "whole and infinite": np.array([1.0, np.inf, -np.inf, np.nan], np.float32),
        "all NaN": np.full(3, np.nan, np.float32),
        "fractions and NaN": np.array([1.5, np.nan, -np.inf], np.float32),
        "a thousand apart": np.array([1.0, 1000.0, 0.5], np.float32),
        "more than that apart": np.array([1.0, 1001.0, 0.5], np.float32),
        "large": np.array([1e9, 2e9], np.float32),
        "large and whole": np.array([123456789.0, 5.0], np.float64),
        "small": np.array([1e-5, 2e-5], np.float32),
        "0.3990": np.array([[0.399, 0.9722]], np.float32),
        "rounds to zero": np.array([0.00004, 1.0], np.float32),
        "bools": np.array([[True, False], [False, False]]),
        "unsigned": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "negative integers": np.array([-1, 20, -300], np.int64),
        "int8": np.array([-128, 127], np.int8),
        "int16": np.array([1, 2], np.int16),
        "int32": np.array([[1], [2]], np.int32),
        "largest integer": np.array([2**63 - 1, -(2**63)], np.int64),
        "a thousand": np.arange(1000, dtype=np.float32),
        "a thousand and one": np.arange(1001, dtype=np.float32),
        "two thousand": np.arange(2000, dtype=np.int64).reshape(2, 1000),
        "a large matrix": RANDOM.normal(size=(60, 60)).astype(np.float32),
        "four axes": RANDOM.normal(size=(8, 7, 6, 9)).astype(np.float32),
        "long lines": RANDOM.normal(size=(3, 40)).astype(np.float32),
        "cut on one axis": np.arange(4 * 900, dtype=np.float64).reshape(4, 900),
        "cut on the other": np.arange(4 * 900, dtype=np.float64).reshape(900, 4),
        "six rows": RANDOM.normal(size=(6, 400)).astype(np.float32),
        "float16": np.array([0.1, 65504.0], np.float16),
    }
    for rank in range(5):
        shape = (2, 3, 1, 4)[:rank]
        for name, dtype in (("float32", np.float32), ("float64", np.float64), ("int", np.int64)):
            values = RANDOM.normal(size=shape) * 10.0 ** RANDOM.integers(-3, 4)
            found[f"{name}, {rank} axes"] = np.asarray(values).astype(dtype)
    for power in range(-8, 10):
        values = RANDOM.normal(size=4) * 10.0**power
        found[f"about 1e{power}"] = values.astype(np.float32)
        found[f"about 1e{power}, some 0"] = np.array([values[0], 0.0, 1.0], np.float32)
        found[f"whole, about 1e{power}"] = np.rint(values).astype(np.float64)
    return found


CASES = arrays()


def text(tensor: Any) -> str:
    """A tensor as text, without the library's name: what follows it may stand on a new line
    because the name is longer."""
    found = re.sub(r"dtype=(torch|pellucid)\.", "dtype=", repr(tensor))
    return re.sub(r",\s+(dtype|grad_fn|requires_grad)=", r", \1=", found)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    pellucid.set_printoptions(profile="default")


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_text_is_that_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    array = CASES[name]
    assert text(pellucid.from_numpy(array.copy())) == text(torch.from_numpy(array.copy()))


@pytest.mark.parity
@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"precision": 8},
        {"threshold": 5},
        {"edgeitems": 1, "threshold": 5},
        {"edgeitems": 0, "threshold": 5},
        {"linewidth": 40},
        {"sci_mode": True},
        {"sci_mode": False},
        {"profile": "short"},
        {"profile": "full"},
        {"profile": "short", "precision": 6},
    ],
)
def test_options_mean_what_they_mean_in_pytorch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    try:
        for library in (torch, pellucid):
            library.set_printoptions(**options)
        for name, array in CASES.items():
            if array.size > 4000:
                continue
            made, expected = pellucid.from_numpy(array.copy()), torch.from_numpy(array.copy())
            assert text(made) == text(expected), name
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.parity
def test_what_autograd_knows_is_shown_as_by_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for make in (
        lambda t: t.ones(2, requires_grad=True),
        lambda t: t.ones(2, requires_grad=True) * 2,
        lambda t: (t.ones(2, requires_grad=True) + 1).sum(),
        lambda t: t.ones(2, 30, requires_grad=True).exp(),
        lambda t: t.ones(1, 9, requires_grad=True, dtype=t.float64) / 3,
        lambda t: t.tensor([1.0, 0.1]).to(t.bfloat16),
        lambda t: t.nn.Parameter(t.ones(2)),
    ):
        assert text(make(pellucid)) == text(make(torch))


def test_texts_that_people_know() -> None:
    assert repr(pellucid.tensor([[0.399, 0.9722]])) == "tensor([[0.3990, 0.9722]])"
    assert repr(pellucid.tensor([1.0, float("inf")])) == "tensor([1., inf])"
    assert repr(pellucid.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(pellucid.tensor(-0.0)) == "tensor(-0.)"
    assert repr(pellucid.tensor([1e-5, 1.0])) == "tensor([1.0000e-05, 1.0000e+00])"
    long = repr(pellucid.ones(2, 9, dtype=pellucid.float64, requires_grad=True) * 1.5)
    assert long.endswith("1.5000]],\n       dtype=pellucid.float64, grad_fn=<MulBackward0>)")
    matrix = "tensor([[0, 1],\n        [2, 3]])"
    assert repr(pellucid.arange(4).reshape(2, 2)) == matrix
    assert repr(pellucid.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"


def test_options_by_name_and_for_a_while() -> None:
    with pellucid.printoptions(precision=1):
        assert repr(pellucid.tensor([0.25])) == "tensor([0.2])"
        assert pellucid.get_printoptions()["precision"] == 1
    assert repr(pellucid.tensor([0.25])) == "tensor([0.2500])"
    with pytest.raises(ArgumentError, match="use one of 'default', 'short', 'full'"):
        pellucid.set_printoptions(profile="tiny")
    with pytest.raises(ArgumentError, match="precision=-1"):
        pellucid.set_printoptions(precision=-1)


def test_format_of_one_element_and_of_many() -> None:
    assert f"{pellucid.tensor(2.5):.3f}" == "2.500" and f"{pellucid.tensor(7):>4}" == "   7"
    assert "%.2f" % pellucid.tensor(2.5) == "2.50"  # noqa: UP031
    assert f"{pellucid.ones(2)}" == "tensor([1., 1.])"
    with pytest.raises(TypeError, match=r"'\.3f' was asked of a tensor of shape \(2,\)") as caught:
        f"{pellucid.ones(2):.3f}"
    assert isinstance(caught.value, PellucidError)


def test_the_value_of_a_traced_tensor_is_not_printed() -> None:
    seen = []

    @pellucid.compile
    def step(x: Any) -> Any:
        seen.append((repr(x * 2), (x * 2)._repr_html_()))
        return x * 2

    step(pellucid.ones(2, 3))
    text, page = seen[0]
    assert text == "tensor(<traced>, shape=(2, 3), dtype=float32)"
    assert "&lt;traced&gt;" in page and "<traced>" not in page


def test_notebooks_show_facts_above_the_elements() -> None:
    page = pellucid.tensor([[1.0, 2.0], [float("nan"), 6.0]], requires_grad=True)._repr_html_()
    cells = re.findall(r"<t[hd]>(.*?)</t[hd]>", page)
    assert dict(zip(cells[: len(cells) // 2], cells[len(cells) // 2 :], strict=True)) == {
        "shape": "(2, 2)",
        "dtype": "float32",
        "requires_grad": "True",
        "min": "1",
        "max": "6",
        "mean": "3",
        "std": "2.16",
        "NaN or infinite": "1",
    }
    assert "<pre>tensor([[1., 2.],\n        [nan, 6.]], requires_grad=True)</pre>" in page
    made = (pellucid.ones(1, requires_grad=True) * 2)._repr_html_()
    assert "&lt;MulBackward0&gt;" in made and "<MulBackward0>" not in made
    assert "3 of 4" in pellucid.tensor([True, True, True, False])._repr_html_()
    assert "(0,)" in pellucid.zeros(0)._repr_html_()
