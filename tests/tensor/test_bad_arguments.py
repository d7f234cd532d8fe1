"""Whatever a function is given, it answers or raises an error of ours."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812  (its usual name)
from pellucid.base.boundary import clear
from pellucid.base.errors import (
    ArgumentTypeError,
    OutOfRangeError,
    PellucidError,
)
from pellucid.tensor.method_functions import FUNCTIONS
from pellucid.tensor.vocabulary import CALLING_BACK

NOT_FOR_THIS = {
    "set_num_threads", "manual_seed", "compile", "load", "save", "scan", "set_rng_state",
    "set_printoptions", "printoptions", "set_eager_kernels", "set_flush_denormal", "summary",
    "set_grad_enabled", "gradcheck", "gradgradcheck", "triplet_margin_with_distance_loss",
    "numerical_grad", "vmap", "apply_primitive", "apply_results", "kernel_of", "run_results",
    "lift", "assign", "make", "grad",
    "set_default_dtype", "set_default_device", "set_default_tensor_type", "set_warn_always",
    "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_num_interop_threads",
    "set_autocast_enabled", "set_autocast_dtype", "set_autocast_cache_enabled", "seed",
    "use_deterministic_algorithms", "set_anomaly_enabled",
}  # fmt: skip
"""They set modes for everybody, call what they are given, or are no user's business."""


def _spaces() -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """(name, function, whether it is a method) of all that users call.

    Functions that call a method are left to :func:`test_functions_are_as_clear_as_methods`.
    """
    for space, module in (("", pellucid), ("F.", F)):
        for name in sorted(module.__all__):
            function = getattr(module, name)
            known = name in NOT_FOR_THIS or (module is pellucid and name in FUNCTIONS)
            if inspect.isfunction(function) and not known:
                yield space + name, function, False
    for space in ("fft", "linalg", "special", "masked", "signal.windows", "nn.init"):
        module = importlib.import_module(f"pellucid.{space}")
        for name in sorted(module.__all__):
            if inspect.isfunction(getattr(module, name)):
                yield f"{space}.{name}", getattr(module, name), False
    for name in sorted(dir(pellucid.Tensor)):
        method = inspect.getattr_static(pellucid.Tensor, name)
        known = name in CALLING_BACK | NOT_FOR_THIS
        if inspect.isfunction(method) and not name.startswith("_") and not known:
            yield f"Tensor.{name}", method, True


def _bad() -> list[Any]:
    ones = pellucid.ones(2, 3)
    return [None, "x", -7, 2.5, [], (1, "a"), object(), 10**30, ones.bool(), ones.long() + 50]


def _calls(function: Callable[..., Any], is_method: bool) -> Iterator[tuple[list[Any], dict]]:
    """Each argument bad in turn, the others good."""
    parameters = list(inspect.signature(function).parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind in kinds]
    optional = [p.name for p in parameters if p.default is not p.empty and p.name != "out"]
    places = range(1 if is_method else 0, max(len(needed), 1))
    for turn, bad in enumerate(_bad()):
        other = 1 if turn % 2 else pellucid.ones(2, 3)
        good = [pellucid.ones(2, 3), *[other] * (max(len(needed), 1) - 1)]
        for place in places:
            yield [bad if i == place else g for i, g in enumerate(good)], {}
        for name in optional:
            yield good, {name: bad}


def _fresh(value: Any) -> Any:
    return value.clone() if isinstance(value, pellucid.Tensor) else value


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvwxyz")
def test_only_errors_of_ours_come_out(letter: str) -> None:
    """Python's ``TypeError`` for calls that do not fit the signature aside."""
    wrong = []
    for name, function, is_method in _spaces():
        if name.rpartition(".")[2][0] != letter:
            continue
        for arguments, keywords in _calls(function, is_method):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    function(*map(_fresh, arguments), **keywords)
                except PellucidError:
                    pass
                except Exception as error:
                    frames = error.__traceback__
                    depth = 0
                    while frames is not None and frames.tb_next is not None:
                        frames, depth = frames.tb_next, depth + 1
                    signature = isinstance(error, TypeError) and (
                        depth == 0 or "argument" in str(error)
                    )
                    if not signature:
                        wrong.append(f"{name}({arguments}, {keywords}): {error!r}")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.filterwarnings("ignore")
def test_making_something_raises_only_errors_of_ours() -> None:
    bad: list[Any] = [None, "x", -7, [], {}, object(), 1j, np.ones((2, 2)), [None]]
    spaces = (pellucid.optim, pellucid.optim.lr_scheduler, pellucid.distributions)
    bases = (
        pellucid.optim.Optimizer,
        pellucid.optim.lr_scheduler.LRScheduler,
        pellucid.distributions.Distribution,
        pellucid.distributions.Transform,
    )
    listed = [getattr(space, name) for space in spaces for name in space.__all__]
    classes = [c for c in listed if inspect.isclass(c) and issubclass(c, bases)]
    for made in (*classes, pellucid.utils.data.ConcatDataset):
        parameters = inspect.signature(made).parameters.values()
        both = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        needed = [p for p in both if p.default is p.empty]
        for value in bad:
            for keywords in ({}, *({p.name: value} for p in parameters if p not in needed)):
                try:
                    made(*[value] * len(needed), **keywords)
                except PellucidError:
                    pass
                except TypeError as error:
                    assert "argument" in str(error), (made, value, keywords)


def test_classes_of_users_raise_what_they_raise() -> None:
    class Own(pellucid.optim.SGD):
        def __init__(self, params: Any) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Own([])


@pytest.mark.parametrize("bad", [None, "x", object(), [1.0], {}])
def test_functions_are_as_clear_as_methods(bad: Any) -> None:
    for name, function in FUNCTIONS.items():
        with pytest.raises((PellucidError, TypeError)) as caught:
            function(bad, *[bad] * 2)
            function(bad)
        error = caught.value
        assert isinstance(error, PellucidError) or "argument" in str(error), (name, error)


OPERATORS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x // y,
    lambda x, y: x % y,
    lambda x, y: x**y,
    lambda x, y: x @ y,
    lambda x, y: x < y,
    lambda x, y: x >= y,
    lambda x, y: x & y,
    lambda x, y: x | y,
    lambda x, y: x ^ y,
    lambda x, y: x << y,
    lambda x, y: y + x,
    lambda x, y: y // x,
    lambda x, y: y**x,
    lambda x, y: x[y],
    lambda x, y: x.__setitem__(y, 1),
    lambda x, y: x.__setitem__(0, y),
    lambda x, y: x.__iadd__(y),
    lambda x, y: x.__ipow__(y),
]


@pytest.mark.parametrize("place", range(len(OPERATORS)))
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "bfloat16"])
def test_operators_too(place: int, dtype: str) -> None:
    for bad in _bad():
        x = pellucid.ones(2, 3, dtype=getattr(pellucid, dtype))
        try:
            OPERATORS[place](x, _fresh(bad))
        except PellucidError:
            pass
        except TypeError as error:  # Python's own, where no operand knows the other
            assert any(
                t in str(error) for t in ("unsupported operand", "not supported", "can only")
            )


class _Strict:
    """Something like a tensor whose entries have whole numbers."""

    shape, dtype = (2,), np.dtype(np.int64)

    def __getitem__(self, place: int) -> int:
        return 1 + place


def test_what_such_errors_say() -> None:
    """The function, what it got, and of the class that fits."""

    @clear
    def pick(values: Any, place: int) -> Any:
        return values[place]

    with pytest.raises(OutOfRangeError, match=r"pick\(\[1, 2\], 5\) makes no sense") as caught:
        pick([1, 2], 5)
    assert isinstance(caught.value, IndexError)
    assert isinstance(caught.value.__cause__, IndexError)
    with pytest.raises(ArgumentTypeError, match=r"pick\(int64 tensor of shape \(2,\), 'a'"):
        pick(_Strict(), "a")
    with pytest.raises(TypeError, match="missing 1 required"):
        pick([1])  # type: ignore[call-arg]
