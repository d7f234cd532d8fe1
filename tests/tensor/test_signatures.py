"""What help() and inspect.signature say of tensors and functions, and arguments that are wrong."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import DeviceError, DTypeError
from pellucid.tensor.method_functions import FUNCTIONS
from pellucid.tensor.vocabulary import FORMS, IN_PLACE_FUNCTIONS, names_with

ROOT = Path(__file__).resolve().parents[2]


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_functions_name_what_they_take() -> None:
    assert _parameters(pellucid.sum) == ["input", "dim", "keepdim", "dtype", "out"]
    assert _parameters(pellucid.add) == ["input", "other", "older", "alpha", "out"]
    assert _parameters(pellucid.Tensor.add_) == ["self", "other", "older", "alpha"]
    assert _parameters(pellucid.Tensor.mean) == ["self", "dim", "keepdim", "dtype"]
    assert inspect.signature(pellucid.mean).return_annotation == "Tensor"
    assert inspect.signature(pellucid.max).return_annotation == "Tensor | ValuesIndices"


def _is_opaque(function: Callable[..., Any]) -> bool:
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def test_no_function_hides_its_keywords() -> None:
    names = [n for n in pellucid.__all__ if inspect.isfunction(vars(pellucid).get(n))]
    assert len(names) > 300
    opaque = [n for n in names if _is_opaque(getattr(pellucid, n))]
    assert not opaque


def test_no_method_hides_its_keywords() -> None:
    names = [n for n in dir(pellucid.Tensor) if not n.startswith("_")]
    methods = [n for n in names if inspect.isfunction(getattr(pellucid.Tensor, n))]
    assert len(methods) > 450
    opaque = [n for n in methods if _is_opaque(getattr(pellucid.Tensor, n))]
    assert not opaque


def test_every_function_and_method_is_documented() -> None:
    poor = [
        n
        for n in pellucid.__all__
        if callable(vars(pellucid).get(n)) and not inspect.getdoc(vars(pellucid)[n])
    ]
    assert not poor
    names = [n for n in dir(pellucid.Tensor) if not n.startswith("_")]
    assert not [
        n
        for n in names
        if not inspect.getdoc(getattr(pellucid.Tensor, n)) and callable(getattr(pellucid.Tensor, n))
    ]


def test_the_table_of_forms_names_methods_that_exist() -> None:
    for name, forms in FORMS.items():
        assert hasattr(pellucid.Tensor, name), name
        assert forms <= {"function", "out", "in_place", "rounded"}, name
    assert list(FUNCTIONS) == [*names_with("function"), *IN_PLACE_FUNCTIONS]
    for name in names_with("in_place"):
        assert hasattr(pellucid.Tensor, f"{name}_")


def test_stubs_are_current() -> None:
    """``tools/write_stubs.py`` would write what is there."""
    spec = importlib.util.spec_from_file_location("write_stubs", ROOT / "tools" / "write_stubs.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for name, written in tool.STUBS.items():
        path = ROOT / "src" / "pellucid" / name
        assert path.read_text(encoding="utf-8") == written(), "run tools/write_stubs.py"


# ---- wrong arguments ------------------------------------------------------------------------

MISSPELLED: list[Callable[[pellucid.Tensor], Any]] = [
    lambda x: x.to(dtyp=pellucid.float64),
    lambda x: x.sum(dimm=0),
    lambda x: x.add_(x, alpa=2),
    lambda x: pellucid.sum(x, keepdimm=True),
    lambda x: pellucid.zeros(2, dtyp=pellucid.float64),
    lambda x: pellucid.randn(2, devic="cpu"),
    lambda x: pellucid.softmax(x, dim=0, dtyp=None),
]


@pytest.mark.parametrize("call", MISSPELLED)
def test_a_keyword_that_does_not_exist_is_refused(call: Callable[[pellucid.Tensor], Any]) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument '(dtyp|dimm|alpa|kee|devic)"):
        call(pellucid.ones(2, 2))


PLACES = ["cuda", "cuda:0", "gpu", "banana", "meta", "mps", 0]
WITH_DEVICE: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda d: pellucid.zeros(2, device=d),
    "ones": lambda d: pellucid.ones(2, device=d),
    "empty": lambda d: pellucid.empty(2, device=d),
    "full": lambda d: pellucid.full((2,), 1.0, device=d),
    "eye": lambda d: pellucid.eye(2, device=d),
    "arange": lambda d: pellucid.arange(3, device=d),
    "linspace": lambda d: pellucid.linspace(0, 1, 3, device=d),
    "logspace": lambda d: pellucid.logspace(0, 1, 3, device=d),
    "tensor": lambda d: pellucid.tensor([1.0], device=d),
    "as_tensor": lambda d: pellucid.as_tensor([1.0], device=d),
    "zeros_like": lambda d: pellucid.zeros_like(pellucid.ones(2), device=d),
    "full_like": lambda d: pellucid.full_like(pellucid.ones(2), 3, device=d),
    "rand": lambda d: pellucid.rand(2, device=d),
    "randn": lambda d: pellucid.randn(2, device=d),
    "randint": lambda d: pellucid.randint(0, 3, (2,), device=d),
    "randperm": lambda d: pellucid.randperm(3, device=d),
    "rand_like": lambda d: pellucid.rand_like(pellucid.ones(2), device=d),
    "Generator": lambda d: pellucid.Generator(device=d),
    "new_zeros": lambda d: pellucid.ones(2).new_zeros(2, device=d),
    "new_tensor": lambda d: pellucid.ones(2).new_tensor([1.0], device=d),
    "to": lambda d: pellucid.ones(2).to(d),
    "to device": lambda d: pellucid.ones(2).to(device=d),
}


@pytest.mark.parametrize("name", WITH_DEVICE)
def test_only_the_cpu_exists(name: str) -> None:
    call = WITH_DEVICE[name]
    for place in ("cpu", pellucid.device("cpu"), "cpu:0", "cpu:1"):
        call(place)
    for place in PLACES:
        with pytest.raises(RuntimeError, match=f"there is no device {place!r}: only the CPU"):
            call(place)


def test_cuda_says_that_there_is_none() -> None:
    with pytest.raises(DeviceError, match="only the CPU exists here"):
        pellucid.ones(2).cuda()


def test_to_reads_pytorchs_forms() -> None:
    x = pellucid.ones(2)
    double, other = pellucid.float64, pellucid.zeros(1, dtype=pellucid.float64)
    forms = [
        x.to(double), x.to("cpu", double), x.to("cpu", dtype=double), x.to(other),
        x.to(dtype=double), x.to(device="cpu", dtype=double), x.to(None, double),
        x.to(other=other), x.to(np.float64), x.to("cpu", double, False, True),
    ]  # fmt: skip
    assert all(t.dtype is double for t in forms)
    assert x.to("cpu") is x and x.to(pellucid.float32) is x and x.to() is x
    assert x.to(pellucid.float32, False, True) is not x


def test_a_string_is_a_device_and_no_dtype() -> None:
    with pytest.raises(RuntimeError, match="for the dtype pass pellucid.float64"):
        pellucid.ones(2).to("float64")
    with pytest.raises(DTypeError, match=r"to\(\) got 3.5"):
        pellucid.ones(2).to(3.5)  # type: ignore[call-overload]
