"""Operations outside of ``compile`` give the same by native kernels as by their definition."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid.base.errors import ArgumentError, AutogradError, ShapeError
from pellucid.tensor import eager
from pellucid.tensor.nonfinite import find_first_nonfinite
from pellucid.utils.checkpoint import checkpoint

SMALL_FUNCTIONS = "erf erfc erfinv lgamma digamma".split()
FUNCTIONS = (
    "exp expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh "
    "sigmoid relu"
).split()
RANGES = {"acosh": (1.1, 4.0), "lgamma": (0.2, 6.0), "digamma": (0.2, 6.0)} | {
    name: (0.05, 0.95) for name in ("log", "log2", "log10", "asin", "acos", "atanh", "erfinv")
}


def _conv(x: Any, w: Any, b: Any) -> Any:
    return F.conv2d(x, w, b, stride=2, padding=1)


CASES: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "matmul": (lambda a, b: a @ b, [(130, 111), (111, 97)]),
    "matmul in batches": (lambda a, b: a @ b, [(3, 2, 65, 33), (2, 33, 129)]),
    "matmul, vector": (lambda a, b: a @ b, [(64, 1000, 33), (33,)]),
    "linear": (F.linear, [(65, 3, 127), (63, 127), (63,)]),
    "linear without bias": (F.linear, [(254, 127), (63, 127)]),
    "convolution": (_conv, [(3, 5, 19, 17), (7, 5, 3, 3), (7,)]),
    "convolution, one axis": (F.conv1d, [(3, 8, 257), (6, 8, 5), (6,)]),
    "depthwise": (lambda x, w: F.conv2d(x, w, groups=12), [(2, 12, 33, 31), (12, 1, 3, 3)]),
    "transposed": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2),
        [(2, 5, 17, 15), (5, 6, 3, 3), (6,)],
    ),
    "layer norm": (lambda x, w, b: F.layer_norm(x, (129,), w, b), [(5, 31, 129), (129,), (129,)]),
    "layer norm without weight": (lambda x: F.layer_norm(x, [65, 3]), [(97, 65, 3)]),
    "rms norm": (lambda x, w: F.rms_norm(x, (129,), w), [(151, 129), (129,)]),
    "group norm": (lambda x, w, b: F.group_norm(x, 3, w, b), [(9, 12, 13, 13), (12,), (12,)]),
    "batch norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        [(9, 12, 13, 13), (12,), (12,)],
    ),
    "softmax": (lambda x: x.softmax(-1), [(131, 127)]),
    "softmax, first axis": (lambda x: x.softmax(0), [(131, 127)]),
    "log softmax": (lambda x: x.log_softmax(1), [(13, 127, 11)]),
    "logsumexp": (lambda x: x.logsumexp(1), [(13, 127, 11)]),
    "gelu": (F.gelu, [(131, 127)]),
    "gelu by tanh": (lambda x: F.gelu(x, "tanh"), [(131, 127)]),
    "silu": (F.silu, [(131, 127)]),
    "softplus": (F.softplus, [(131, 127)]),
    "mish": (F.mish, [(131, 127)]),
    "leaky relu": (F.leaky_relu, [(131, 127)]),
    "glu": (F.glu, [(131, 126)]),
    "max pool": (lambda x: F.max_pool2d(x, 3, 2, 1), [(3, 5, 37, 35)]),
    "mean pool": (lambda x: F.avg_pool2d(x, 3, 2, 1), [(3, 5, 37, 35)]),
    "adaptive pool": (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), [(3, 5, 37, 35)]),
    "attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(2, 5, 65, 17), (2, 5, 65, 17), (2, 5, 65, 19)],
    ),
    "attention with a mask": (
        F.scaled_dot_product_attention,
        [(2, 5, 33, 17), (2, 5, 65, 17), (2, 5, 65, 19), (33, 65)],
    ),
    "where": (lambda x, y: pellucid.where(x > y, x, y), [(301, 111), (111,)]),
    "power": (lambda x, y: (x.abs() + 0.1) ** y, [(301, 111), (111,)]),
}


def _values(
    function: Callable[..., Any], arrays: list[np.ndarray], kernels: bool, order: int = 1
) -> list[Any]:
    """Value and gradients (or gradients of a function of the gradients)."""
    with pellucid.eager_kernels(kernels):
        inputs = [pellucid.tensor(a).requires_grad_() for a in arrays]
        value = function(*inputs)
        weights = np.cos(np.arange(value.numel())).reshape(value.shape).astype(value.dtype.numpy)
        cotangent = pellucid.tensor(weights)
        found = pellucid.grad(value, inputs, cotangent, create_graph=order == 2, allow_unused=True)
        if order == 2:
            total = sum((g * g).mean() for g in found if g is not None)
            found = pellucid.grad(total, inputs, allow_unused=True)
        return [value, *found]


def _compare(function: Callable[..., Any], arrays: list[np.ndarray], order: int = 1) -> None:
    native = _values(function, arrays, True, order)
    defined = _values(function, arrays, False, order)
    tolerance = 1e-9 if arrays[0].dtype == np.float64 else 2e-4
    for i, (a, b) in enumerate(zip(native, defined, strict=True)):
        assert (a is None) == (b is None), f"gradient {i - 1}"
        if a is not None:
            scale = float(np.abs(b.detach().numpy()).max())
            what = f"gradient {i - 1}" if i else "value"
            assert_close(a, b, tolerance, tolerance * max(scale, 1e-3), what)


WIDE = ("linear", "layer norm", "gelu")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, np.float32) for name in CASES] + [(name, np.float64) for name in WIDE],
)
def test_kernels_agree_with_the_definition(name: str, dtype: Any, rng: Any) -> None:
    function, shapes = CASES[name]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    result = function(*(pellucid.tensor(a).requires_grad_() for a in arrays))
    if name != "matmul, vector":  # a product that is reshaped
        assert result.grad_fn.kernel is not None
    _compare(function, arrays)


@pytest.mark.parametrize("name", [*FUNCTIONS, *SMALL_FUNCTIONS])
def test_functions_of_one_number(name: str, rng: Any) -> None:
    low, high = RANGES.get(name, (-0.9, 2.0))
    count = 2500 if name in SMALL_FUNCTIONS else 33000
    x = rng.uniform(low, high, (count // 11, 11)).astype(np.float32)
    y = getattr(pellucid.tensor(x).requires_grad_(), name)()
    assert y.grad_fn.kernel is not None
    _compare(lambda t: getattr(t, name)(), [x])


@pytest.mark.parametrize("name", ["convolution", "layer norm", "gelu", "attention"])
def test_gradients_of_gradients(name: str, rng: Any) -> None:
    function, shapes = CASES[name]
    _compare(function, [rng.standard_normal(s) for s in shapes], order=2)


def test_cross_entropy(rng: Any) -> None:
    scores = rng.standard_normal((301, 77)).astype(np.float32)
    ids = rng.integers(0, 77, 301)
    ids[5] = -100
    weight = rng.uniform(0.5, 2, 77).astype(np.float32)

    def loss(x: Any) -> Any:
        y, w = pellucid.tensor(ids), pellucid.tensor(weight)
        return F.cross_entropy(x, y, w, label_smoothing=0.1).reshape(1)

    assert F.cross_entropy(
        pellucid.tensor(scores).requires_grad_(), pellucid.tensor(ids)
    ).grad_fn.kernel
    _compare(loss, [scores])
    ids[7] = 77
    with pytest.raises(ArgumentError, match="class id 77 for 77 classes"):
        loss(pellucid.tensor(scores))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers(kind: str, both: bool, rng: Any) -> None:
    layer = getattr(pellucid.nn, kind)(31, 65, bidirectional=both, batch_first=True)
    x = rng.standard_normal((9, 7, 31)).astype(np.float32)
    ways = []
    for kernels in (True, False):
        given = pellucid.tensor(x).requires_grad_()
        layer.zero_grad()
        with pellucid.eager_kernels(kernels):
            output, state = layer(given)
            last = state[1] if kind == "LSTM" else state
            ((output * output).sum() + last.sum()).backward()
        gradients = [p.grad for p in layer.parameters()]
        ways.append([output, last, given.grad, *gradients])
    assert any(key[0].name == "scan" for key in eager._table.kernels)
    for native, defined in zip(*ways, strict=True):
        assert_close(native, defined, 1e-4, 1e-4)


# ---- layouts -----------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda x: x.t(),
    "every other row": lambda x: x[::2],
    "backwards": lambda x: x.flip(0),
    "stretched": lambda x: x[:1].expand(200, 200),
    "stretched and transposed": lambda x: x[:, :1].expand(200, 200).t(),
    "part of the columns": lambda x: x[:, 3:160],
    "four axes": lambda x: x.reshape(10, 20, 5, 40).permute(2, 0, 3, 1).reshape(1000, 40),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_operands_that_are_not_contiguous(layout: str, rng: Any) -> None:
    x = rng.standard_normal((200, 200)).astype(np.float32)
    w = rng.standard_normal((200, 300)).astype(np.float32)

    def function(a: Any, b: Any) -> Any:
        view = LAYOUTS[layout](a)
        product = F.softmax(view, -1) @ b[: view.shape[1]]
        return product.t().tanh().sum()  # its cotangent is one number, stretched

    _compare(function, [x, w])


def test_arrays_of_the_user_are_only_read(rng: Any) -> None:
    x = rng.standard_normal((100, 200)).astype(np.float32)
    raw = bytearray(x.nbytes + 1)
    unaligned = np.frombuffer(raw, np.float32, x.size, 0).reshape(x.shape)
    odd = np.ndarray(x.shape, np.float32, raw, 1)
    odd[...] = x
    del unaligned
    frozen = x.copy()
    frozen.flags.writeable = False
    expected = x.astype(np.float64) @ x.astype(np.float64).T
    for array in (odd, frozen, np.asfortranarray(x)):
        tensor = pellucid.from_numpy(array)
        assert_close(tensor @ tensor.t(), expected, 1e-4, 1e-3)
        assert_close(array, x)


def test_results_are_new_arrays(rng: Any) -> None:
    x = pellucid.tensor(rng.standard_normal((200, 200)).astype(np.float32))
    first = x.relu()
    second = x.relu()
    first.fill_(7.0)
    assert_close(second, np.maximum(x.numpy(), 0))


# ---- what surrounds an operation ---------------------------------------------------------------


def _weights(rng: Any) -> tuple[Any, Any]:
    x = pellucid.tensor(rng.standard_normal((100, 200)).astype(np.float32), requires_grad=True)
    w = pellucid.tensor(rng.standard_normal((300, 200)).astype(np.float32), requires_grad=True)
    return x, w


def test_hooks_and_retained_gradients(rng: Any) -> None:
    x, w = _weights(rng)
    seen = []
    y = F.linear(x, w)
    y.register_hook(lambda g: seen.append(g.shape) or g * 2)
    y.retain_grad()
    x.register_hook(lambda g: seen.append(g.shape))
    F.gelu(y).sum().backward()
    assert seen == [(100, 300), (100, 200)]
    doubled = x.grad.numpy()
    x.grad = w.grad = None
    F.gelu(F.linear(x, w)).sum().backward()
    assert_close(doubled, 2 * x.grad.numpy(), 1e-5, 1e-4)


def test_one_tensor_as_several_operands(rng: Any) -> None:
    x = rng.standard_normal((2, 5, 65, 16)).astype(np.float32)
    _compare(lambda t: F.scaled_dot_product_attention(t, t, t * 2), [x])
    _compare(lambda t: F.scaled_dot_product_attention(t, t, t), [x], order=2)


def test_an_operand_that_was_changed_is_noticed(rng: Any) -> None:
    x, w = _weights(rng)
    y = F.linear(x, w)
    with pellucid.no_grad():
        w.mul_(2)
    with pytest.raises(AutogradError, match="modified in place after the forward pass"):
        y.sum().backward()


def test_a_result_that_was_changed_is_noticed(rng: Any) -> None:
    x, _ = _weights(rng)
    y = x.softmax(-1)
    with pellucid.no_grad():
        y.mul_(2)
    with pytest.raises(AutogradError, match="modified in place after the forward pass"):
        y.sum().backward()


def test_no_history_without_gradients(rng: Any) -> None:
    x, w = _weights(rng)
    with pellucid.no_grad():
        assert F.linear(x, w).grad_fn is None
    assert F.linear(x.detach(), w.detach()).grad_fn is None
    assert repr(F.linear(x, w).grad_fn) == "<LinearBackward0>"


def test_backward_inside_a_compiled_function(rng: Any) -> None:
    x, w = _weights(rng)
    y = F.linear(x, w)

    @pellucid.compile
    def gradient(g: Any) -> Any:
        return pellucid.grad(y, [x], g)[0]

    g = pellucid.tensor(rng.standard_normal((100, 300)).astype(np.float32))
    assert_close(gradient(g), g.numpy() @ w.detach().numpy(), 1e-4, 1e-4)


def test_wrong_arguments_say_the_same() -> None:
    x = pellucid.zeros(100, 200)
    texts = []
    for kernels in (True, False):
        with pellucid.eager_kernels(kernels):
            with pytest.raises(ShapeError, match="linear expects 199 features") as first:
                F.linear(x, pellucid.zeros(300, 199))
            with pytest.raises(ArgumentError) as second:
                x.gather(1, pellucid.full((100, 300), 200, dtype=pellucid.int64))
            texts.append((str(first.value), str(second.value)))
    assert texts[0] == texts[1]


def test_random_numbers_do_not_depend_on_kernels() -> None:
    found = []
    for kernels in (True, False):
        pellucid.manual_seed(3)
        with pellucid.eager_kernels(kernels):
            found.append([pellucid.rand(300, 301).numpy(), pellucid.randperm(9000).numpy()])
    for native, defined in zip(*found, strict=True):
        np.testing.assert_array_equal(native, defined)


def test_dropout_keeps_the_same_elements(rng: Any) -> None:
    x = rng.standard_normal((151, 127)).astype(np.float32)

    def function(t: Any) -> Any:
        pellucid.manual_seed(5)
        return F.dropout(t, 0.3)

    _compare(function, [x])


def test_batch_norm_moves_its_statistics(rng: Any) -> None:
    x = pellucid.tensor(rng.standard_normal((40, 20, 5, 5)).astype(np.float32))
    states = []
    for kernels in (True, False):
        layer = pellucid.nn.BatchNorm2d(20)
        with pellucid.eager_kernels(kernels):
            trained, layer = layer(x), layer.eval()
            states.append([trained, layer(x), layer.running_mean, layer.running_var])
    for native, defined in zip(*states, strict=True):
        assert_close(native, defined, 1e-5, 1e-5)


# ---- the switch and the table ------------------------------------------------------------------


def test_the_switch(rng: Any) -> None:
    x, w = _weights(rng)

    def uses_kernel() -> bool:
        return F.linear(x, w).grad_fn.kernel is not None

    assert pellucid.are_eager_kernels_enabled() and uses_kernel()
    with pellucid.eager_kernels(False):
        assert not uses_kernel()
        with pellucid.eager_kernels():
            assert uses_kernel()
        assert not pellucid.are_eager_kernels_enabled()
    pellucid.set_eager_kernels(False)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(pellucid.are_eager_kernels_enabled()))
    thread.start()
    thread.join()
    assert seen == [False] and not uses_kernel()
    pellucid.set_eager_kernels(True)
    assert uses_kernel()


def test_small_operands_are_left_to_numpy() -> None:
    x = pellucid.ones(8, 8, requires_grad=True)
    assert F.linear(x, x).grad_fn.kernel is None
    assert F.gelu(x).grad_fn.kernel is None


def test_the_table_is_bounded(monkeypatch: Any, rng: Any) -> None:
    table = eager._Table()
    monkeypatch.setattr(eager, "_table", table)
    monkeypatch.setattr(eager, "KEPT_KERNELS", 3)
    inputs = [rng.standard_normal((n, 128)).astype(np.float32) for n in range(130, 138)]
    twice = []
    for _ in range(2):
        tensors = [pellucid.tensor(x).requires_grad_().relu() for x in inputs]
        twice.append([t.grad_fn.kernel is not None for t in tensors])
        for tensor, x in zip(tensors, inputs, strict=True):
            assert_close(tensor, np.maximum(x, 0))
    assert twice == [[True] * 8] * 2  # forgotten ones are made again
    assert len(table.kernels) <= 3


def test_kernels_do_not_keep_their_first_operands() -> None:
    import gc
    import weakref

    x = pellucid.rand(64, 513)
    F.gelu(x)
    x.tanh()
    found = weakref.ref(x)
    del x
    gc.collect()
    assert found() is None


def test_threads_share_kernels(rng: Any) -> None:
    arrays = [rng.standard_normal((97, 200)).astype(np.float32) for _ in range(4)]
    w = rng.standard_normal((200, 103)).astype(np.float32)
    wrong: list[str] = []

    def work(x: np.ndarray) -> None:
        expected = np.tanh(x.astype(np.float64) @ w)
        for _ in range(30):
            a = pellucid.tensor(x, requires_grad=True)
            y = F.softmax(a @ pellucid.tensor(w), -1)
            y.sum().backward()
            value = np.tanh((a @ pellucid.tensor(w)).detach().numpy())
            if not np.allclose(value, expected, atol=1e-3):
                wrong.append("value")
            if not np.allclose(a.grad.numpy(), 0, atol=1e-4):
                wrong.append("gradient")

    threads = [threading.Thread(target=work, args=(x,)) for x in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


PROGRAM = """
import json, os, sys
import numpy as np
import pellucid
import pellucid.nn.functional as F
small = F.gelu(pellucid.ones(4, 4)).sum().item()
before = "llvmlite" in sys.modules
x = pellucid.tensor(np.linspace(-2, 2, 40000, dtype=np.float32).reshape(200, 200))
x.requires_grad_()
F.gelu(x @ x).sum().backward()
from pellucid.backends.cpu import load
made = "analysis" in vars(load)
child = None
if hasattr(os, "fork"):
    number = os.fork()
    if not number:
        os._exit(0 if np.isfinite(F.gelu(x @ x).detach().numpy()).all() else 1)
    child = os.waitpid(number, 0)[1]
print(json.dumps([before, pellucid.are_eager_kernels_enabled(), x.grad.numpy().tobytes().hex(),
                  child]))
"""


def _process(**environment: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_processes_share_compiled_kernels(tmp_path: Any) -> None:
    """Nothing native is loaded for small work, the second process has the same bits, a child
    process goes on, and the environment switches everything off."""
    first = _process(PELLUCID_CACHE=str(tmp_path))
    files = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    second = _process(PELLUCID_CACHE=str(tmp_path))
    assert first == second and first[:2] == [False, True] and first[3] in (0, None)
    assert files and files == {p.name for p in tmp_path.rglob("*") if p.is_file()}
    off = _process(PELLUCID_EAGER_KERNELS="0", PELLUCID_CACHE=str(tmp_path / "none"))
    assert off[:2] == [False, False] and not (tmp_path / "none").exists()
    native, defined = (np.frombuffer(bytes.fromhex(x[2]), np.float32) for x in (first, off))
    assert_close(native, defined, 1e-3, 1e-2)


def test_checkpointed_values_come_again_by_the_same_kernels(rng: Any) -> None:
    x, w = _weights(rng)

    def block(t: Any) -> Any:
        return F.linear(F.gelu(F.linear(t, w)), w.t()).softmax(-1)

    def total(run: Callable[..., Any], outer: bool) -> list[np.ndarray]:
        x.grad = w.grad = None
        with pellucid.eager_kernels(outer):
            loss = (run(lambda t: run(block, t) + t, x) ** 3).sum()
        loss.backward()
        return [x.grad.numpy(), w.grad.numpy()]

    plain = total(lambda f, t: f(t), True)
    for outer in (True, False):
        again = total(lambda f, t: checkpoint(f, t, use_reentrant=False), outer)
        for a, b in zip(again, plain, strict=True):
            assert_close(a, b, 1e-3, 1e-4 * np.abs(b).max())


def test_the_search_for_nan_sees_single_operations(rng: Any) -> None:
    x, w = _weights(rng)
    with pellucid.no_grad():
        w[:] = 0.0

    def step() -> Any:
        loss = (F.linear(F.gelu(x), w) ** 2).sum().sqrt()
        loss.backward()
        return loss

    found = find_first_nonfinite(step)
    assert (found.phase, found.operation) == ("backward", "sqrt")
    found = find_first_nonfinite(lambda: F.softmax(F.gelu(x) - np.inf, -1))
    assert (found.phase, found.operation) == ("forward", "sub")
