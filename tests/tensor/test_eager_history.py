"""Outside of ``compile`` bits follow from the program, and kernels belong to one operation."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import ArgumentError
from pellucid.graph.node import Primitive
from pellucid.tensor import eager
from pellucid.tensor.eager import elements, unit


def _scaled(k: Any) -> Callable[..., Any]:
    @unit(elements(1))
    def scaled(x: Any) -> Any:
        return x * k

    return scaled


# ---- kernels by identity ------------------------------------------------------------------------


def test_two_functions_of_one_name_have_kernels_of_their_own() -> None:
    twice, thrice = _scaled(2.0), _scaled(3.0)
    x = pellucid.ones(4, requires_grad=True)
    for function, factor in ((twice, 2.0), (thrice, 3.0), (twice, 2.0)):
        y = function(x)
        assert_close(y, np.full(4, factor, np.float32))
        assert_close(pellucid.autograd.grad(y.sum(), x)[0], np.full(4, factor, np.float32))


def test_what_a_unit_takes_from_outside_belongs_to_its_signature() -> None:
    k: Any = 2.0

    @unit(elements(1))
    def scaled(x: Any) -> Any:
        return x * k

    for k in (2.0, 5.0, -0.0, 0.0, 3, True, 2.0):
        with pellucid.eager_kernels(False):
            expected = scaled(pellucid.ones(4)).numpy()
        found = scaled(pellucid.ones(4)).numpy()
        assert found.tobytes() == expected.tobytes(), k


def test_an_object_from_outside_is_refused_when_the_unit_is_made() -> None:
    with pytest.raises(ArgumentError, match="scaled, reads k from outside, a list") as caught:
        _scaled([2.0])
    assert "pass it as an argument" in caught.value.hint


@pytest.mark.parametrize(
    ("one", "other"), [(0.0, -0.0), (1, 1.0), (1, True), ((1, 2.0), (1, 2)), (None, False)]
)
def test_settings_that_python_takes_for_equal_are_not(one: Any, other: Any) -> None:
    assert eager.exact(one) != eager.exact(other)
    assert eager.exact(one) == eager.exact(one)


def test_not_a_number_is_one_setting() -> None:
    assert eager.exact(float("nan")) == eager.exact(float("nan") * 2)


def test_a_zero_keeps_its_sign_from_kernel_to_kernel() -> None:
    @unit(elements(1))
    def at_most(x: Any, bound: float) -> Any:
        return x.clamp(max=bound)

    signs = [np.signbit(at_most(pellucid.ones(3), bound).numpy()) for bound in (0.0, -0.0)]
    assert not signs[0].any() and signs[1].all()


def test_a_compiled_function_tells_zeros_apart() -> None:
    scaled = pellucid.compile(lambda x, k: x * k)
    signs = [np.signbit(scaled(pellucid.ones(3), k).numpy()) for k in (0.0, -0.0)]
    assert not signs[0].any() and signs[1].all()


def _units() -> Iterator[tuple[Callable[..., Any], Primitive]]:
    """Every function and method of the package that was marked as a unit, with its operation."""
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid."):
        if not module.name.startswith(("pellucid.tensor.", "pellucid.nn.", "pellucid.ops.")):
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            inside = vars(thing).values() if isinstance(thing, type) else [thing]
            for function in inside:
                if isinstance(getattr(function, "unit", None), Primitive):
                    yield inspect.unwrap(function), function.unit


def test_each_unit_is_an_operation_of_its_own() -> None:
    found = set(_units())
    assert len(found) >= 40
    assert len({function for function, _ in found}) == len(found)
    assert len({op for _, op in found}) == len(found)


def test_kernels_are_found_by_operation() -> None:
    x = pellucid.rand(3, 20000, requires_grad=True)
    for function in (pellucid.exp, pellucid.nn.functional.gelu, lambda t: t.softmax(-1)):
        function(x)
    assert all(isinstance(key[0], Primitive) for key in eager._table.kernels)


# ---- bits ---------------------------------------------------------------------------------------

PROGRAM = """
import hashlib, sys
import numpy as np
import pellucid as p
import pellucid.nn.functional as F

def data(*shape):
    count = int(np.prod(shape))
    return p.tensor(np.sin(np.arange(count) * 0.7).reshape(shape).astype(np.float32))

p.set_num_threads(1)
w, filters = data(40, 64), data(6, 8, 3, 3)
CASES = {
    "exp": lambda n: data(n).exp(),
    "pow": lambda n: data(n).abs() ** 1.7,
    "gelu": lambda n: F.gelu(data(n // 10, 10)),
    "silu": lambda n: F.silu(data(n)),
    "softmax": lambda n: data(n // 100, 100).softmax(-1),
    "log_softmax": lambda n: data(100, n // 100).log_softmax(-1),
    "logsumexp": lambda n: data(n // 100, 100).logsumexp(0),
    "layer norm": lambda n: F.layer_norm(data(n // 64, 64), (64,)),
    "batch norm": lambda n: F.batch_norm(data(n // 64, 64), None, None, training=True),
    "linear": lambda n: F.linear(data(n // 40, 64), w),
    "matmul": lambda n: data(n // 300, 300) @ data(300, 90),
    "convolution": lambda n: F.conv2d(data(n // 4096, 8, 16, 32), filters),
    "max pool": lambda n: F.max_pool2d(data(n // 4096, 8, 16, 32), 2),
    "cross-entropy": lambda n: F.cross_entropy(
        data(n // 50, 50), p.tensor(np.arange(n // 50) % 50)),
    "attention": lambda n: F.scaled_dot_product_attention(*[data(2, 2, n // 256, 32)] * 3),
}
LENGTHS = [33010, 40000, 34567]
if "history" in sys.argv:
    p.set_num_threads(2)
    for name in ("exp", "gelu", "layer norm"):
        for n in range(35000, 35000 + 26 * 64, 64):
            CASES[name](n)
    LENGTHS = LENGTHS[::-1]
names = sorted(CASES, reverse="history" in sys.argv)
found = {}
for name in names:
    for n in LENGTHS:
        bits = CASES[name](n).detach().numpy().tobytes()
        found[name, n] = hashlib.sha256(bits).hexdigest()[:12]
for key in sorted(found):
    print(key, found[key])
"""


def test_bits_do_not_depend_on_what_ran_before() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = []
    for extra in ([], ["history"]):
        run = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), *extra],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        runs.append(run.stdout.splitlines())
    assert len(runs[0]) == 45
    assert runs[0] == runs[1]


def test_ever_new_lengths_of_long_sequences_are_left_to_numpy() -> None:
    """A rule of the shape: regular extents have kernels, each of them, others have none."""
    for extent, regular in ((200, True), (256, True), (257, False), (510, True), (1000, True)):
        assert eager.is_regular(extent) == regular
    weight = pellucid.rand(64, 64, requires_grad=True)
    kernels = [
        pellucid.nn.functional.linear(pellucid.rand(n, 64), weight).grad_fn.kernel is not None
        for n in (256, 257, 258, 259, 260, 512, 513, 514, 516)
    ]
    assert kernels == [True, False, True, False, True, True, False, False, True]


def test_regular_extents_are_few_in_each_octave() -> None:
    for low in (256, 1024, 65536):
        assert sum(map(eager.is_regular, range(low, 2 * low))) <= 129
