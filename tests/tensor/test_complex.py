"""Complex numbers: what they are made of, gradients against difference quotients, eager and
compiled."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.fft
from helpers import assert_close, assert_same
from pellucid.base.errors import AutogradError, DTypeError, ShapeError, TraceError
from pellucid.ops.elementwise import HOLOMORPHIC

UNARY = sorted(HOLOMORPHIC - {"mul", "div", "pow"})


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def flatten(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def leaf(array: np.ndarray) -> Any:
    return pellucid.tensor(array, requires_grad=True)


# ---- what there is --------------------------------------------------------------------------


def test_numbers_in_and_out() -> None:
    x = pellucid.tensor([1 + 2j, -0.5])
    assert x.dtype is pellucid.complex64 and x.is_complex() and not x.is_floating_point()
    assert x.tolist() == [1 + 2j, -0.5 + 0j] and x[0].item() == 1 + 2j
    assert complex(x[0]) == 1 + 2j and float(x[1]) == -0.5
    with pytest.raises(RuntimeError, match="imaginary part is not 0"):
        float(x[0])
    array = np.asarray([1j, 2.0])
    shared = pellucid.from_numpy(array)
    array[0] = 5
    assert shared.dtype is pellucid.complex128 and shared[0].item() == 5
    assert_same(pellucid.from_dlpack(array), array)
    assert_same(pickle.loads(pickle.dumps(shared)), array)
    assert pellucid.zeros(2, dtype=complex).dtype is pellucid.complex128
    assert pellucid.full((2,), 1j).dtype is pellucid.complex64
    assert pellucid.finfo(pellucid.complex64).eps == pellucid.finfo(pellucid.float32).eps
    with pytest.raises(DTypeError, match="no complex numbers of 16 bits a part"):
        pellucid.zeros(1, dtype="complex32")


def test_drawn_numbers_have_variance_one() -> None:
    pellucid.manual_seed(0)
    x = pellucid.randn(200, 100, dtype=pellucid.complex128).numpy()
    assert abs(np.mean(np.abs(x) ** 2) - 1) < 0.03 and abs(np.mean(x**2)) < 0.03
    u = pellucid.rand(100, dtype=pellucid.cfloat)
    parts = pellucid.view_as_real(u).numpy()
    assert parts.dtype == np.float32 and 0 <= parts.min() and parts.max() < 1
    y = pellucid.empty(1000, dtype=pellucid.complex64).normal_(1.0, 2.0)
    assert abs(y.mean().item() - 1) < 0.3 and abs(y.var().item() - 4) < 0.8


def test_parts_are_views_that_can_be_written() -> None:
    x = pellucid.tensor([[1 + 2j, 3 - 1j], [0j, 5]])
    x.real[0, 0] = 7
    x.imag = pellucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    pellucid.view_as_real(x)[1, 1, 0] = -1
    assert x.tolist() == [[7 + 1j, 3 + 2j], [3j, -1 + 4j]]
    pairs = pellucid.zeros(3, 2)
    z = pellucid.view_as_complex(pairs)
    z[1] = 2 + 3j
    assert pairs.tolist() == [[0, 0], [2, 3], [0, 0]]
    z += 1j
    assert pairs[:, 1].tolist() == [1, 4, 1]
    assert pellucid.ones(2).real is not None and pellucid.real(pellucid.ones(2)).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="non-complex dtypes"):
        _ = pellucid.ones(2).imag
    with pytest.raises(ShapeError, match="last dimension of size 2"):
        pellucid.view_as_complex(pellucid.ones(2, 3))
    with pytest.raises(ShapeError, match="stride 1"):
        pellucid.view_as_complex(pellucid.ones(2, 3).t())
    with pytest.raises(DTypeError, match="view_as_real needs complex numbers"):
        pellucid.view_as_real(pellucid.ones(2))


def test_history_goes_through_views_that_are_written(rng: np.random.Generator) -> None:
    start = drawn(rng, 3)

    def changed(z: Any) -> Any:
        y = z * 1
        y.real[1] = 0.0
        y.imag.mul_(2.0)
        return y.abs().square().sum()

    x = leaf(start)
    changed(x).backward()
    expected = 2 * start.real * np.asarray([1, 0, 1]) + 8j * start.imag
    assert_close(x.grad, expected)
    for function in (changed, pellucid.compile(changed)):
        assert_close(
            function(pellucid.tensor(start)),
            np.sum((start.real * [1, 0, 1]) ** 2 + 4 * start.imag**2),
        )


def test_what_complex_numbers_refuse() -> None:
    x = pellucid.tensor([1 + 2j, 3j])
    for refused in (
        lambda: x < x,
        lambda: x.max(),
        lambda: x.sort(),
        lambda: x.clamp(0, 1),
        lambda: x.floor(),
        lambda: x.sign(),
        lambda: x // 2,
        lambda: x % 2,
        lambda: x.relu(),
        lambda: x.erf(),
        lambda: pellucid.arange(3, dtype=pellucid.complex64),
        lambda: x.maximum(x),
        lambda: x.div(2, rounding_mode="floor"),
    ):
        with pytest.raises(RuntimeError, match="complex"):
            refused()
    with pytest.raises(RuntimeError, match="real scalar outputs"):
        (leaf(np.ones(2)) * 1j).sum().backward()
    with pytest.raises(AutogradError, match="the gradient of a value|gradient argument"):
        leaf(np.ones(())).backward(pellucid.tensor(1j))
    with pytest.raises(RuntimeError, match="can't be cast"):
        pellucid.ones(2).add_(1j)
    with pytest.raises(RuntimeError, match="without overflow"):
        pellucid.ones(2)[0] = 1j
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        assert x.float().tolist() == [1.0, 0.0]
    assert x.bool().tolist() == [True, True] and x.cdouble().dtype is pellucid.complex128


def test_printing() -> None:
    x = pellucid.tensor([1 + 2j, -0.5, 3.25 - 1j])
    assert repr(x) == "tensor([ 1.0000+2.j, -0.5000+0.j,  3.2500-1.j])"
    assert "complex128" in repr(x.cdouble()) and "complex64" in x._repr_html_()


def test_files(tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    from pellucid.interop import safetensors

    x = pellucid.tensor([1 + 2j, 3j])
    safetensors.save_file({"x": x}, tmp_path / "x.safetensors")
    assert_same(safetensors.load_file(tmp_path / "x.safetensors")["x"], x.numpy())
    with pytest.raises(ValueError, match="complex128, which a safetensors file cannot hold"):
        safetensors.save_file({"x": x.cdouble()}, tmp_path / "y.safetensors")


# ---- values and gradients ------------------------------------------------------------------


@pytest.mark.parametrize("name", [*UNARY, "abs", "angle", "sgn", "square", "reciprocal", "norm"])
def test_functions(name: str, rng: np.random.Generator) -> None:
    x = drawn(rng, 2, 3)

    def function(z: Any) -> Any:
        return getattr(z, name)()

    direct = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "sgn": lambda z: z / np.abs(z),
        "norm": lambda z: np.linalg.norm(z.ravel()),
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "asinh": np.arcsinh,
        "acosh": np.arccosh,
        "atanh": np.arctanh,
    }
    expected = (direct.get(name) or getattr(np, name))(x)
    assert_close(function(pellucid.tensor(x)), expected)
    assert_close(pellucid.compile(function)(pellucid.tensor(x)), expected, 1e-9, 1e-12)
    assert pellucid.gradcheck(function, leaf(x)) and pellucid.gradgradcheck(function, leaf(x))


OPERATIONS: dict[str, Any] = {
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "matmul": lambda a, b: a @ b.mH,
    "einsum": lambda a, b: pellucid.einsum("ij,kj->ik", a, b),
    "vdot": lambda a, b: pellucid.vdot(a[0], b[0]),
    "outer": lambda a, b: a[0].outer(b[1]),
    "real factor": lambda a, b: a.real * b,
    "number": lambda a, b: (2 + 1j) * a - b / 3j,
    "where": lambda a, b: a.where(a.real > 0, b),
    "cat": lambda a, b: pellucid.cat([a, b.conj()], 1)[:, 1::2],
    "gather": lambda a, b: a.gather(1, pellucid.tensor([[0, 2], [1, 1]])) * b[:, :2],
    "index": lambda a, b: a[[0, 0, 1]].index_add(0, pellucid.tensor([1, 1]), b),
    "pad": lambda a, b: pellucid.nn.functional.pad(a, (1, 2), value=2.0) + b.sum(),
    "sums": lambda a, b: a.sum(0) * b.mean(0) + a.cumsum(1)[1],
    "prod": lambda a, b: a.prod(1) + b.cumprod(1)[:, 2],
    "var": lambda a, b: a.var(1) + b.std(1),
    "complex": lambda a, b: pellucid.complex(a.real, b.imag) * pellucid.polar(a.abs(), b.real),
    "pairs": lambda a, b: pellucid.view_as_complex(pellucid.view_as_real(a) * 2) * b,
    "softmax of size": lambda a, b: (a * b).abs().softmax(1) * a,
    "logsumexp": lambda a, b: a.logsumexp(1) + b.logaddexp(a).sum(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, rng: np.random.Generator) -> None:
    function = OPERATIONS[name]
    a, b = drawn(rng, 2, 3), drawn(rng, 2, 3)
    assert pellucid.gradcheck(function, (leaf(a), leaf(b)))
    assert pellucid.gradgradcheck(function, (leaf(a), leaf(b)))
    eager = function(pellucid.tensor(a), pellucid.tensor(b))
    found = pellucid.compile(function)(pellucid.tensor(a), pellucid.tensor(b))
    assert_same(found, eager, 1e-9, 1e-12)

    def slopes(x: Any, y: Any) -> Any:
        x, y = (t.detach().requires_grad_() for t in (x, y))
        return pellucid.grad(
            pellucid.view_as_real(function(x, y) * (1 + 0j)).square().sum(), (x, y)
        )

    eager = slopes(pellucid.tensor(a), pellucid.tensor(b))
    found = pellucid.compile(slopes)(pellucid.tensor(a), pellucid.tensor(b))
    for left, right in zip(found, eager, strict=True):
        assert_same(left, right, 1e-8, 1e-10)


def test_linear_algebra(rng: np.random.Generator) -> None:
    a, b = drawn(rng, 3, 3), drawn(rng, 3, 2)
    assert_close(pellucid.linalg.inv(pellucid.tensor(a)), np.linalg.inv(a))
    assert_close(
        pellucid.linalg.solve(pellucid.tensor(a), pellucid.tensor(b)), np.linalg.solve(a, b)
    )
    assert_close(pellucid.linalg.det(pellucid.tensor(a)), np.linalg.det(a))
    for function, leaves in (
        (pellucid.linalg.inv, (leaf(a),)),
        (pellucid.linalg.det, (leaf(a),)),
        (pellucid.linalg.slogdet, (leaf(a),)),
        (pellucid.linalg.solve, (leaf(a), leaf(b))),
    ):
        assert pellucid.gradcheck(function, leaves) and pellucid.gradgradcheck(function, leaves)
        inputs = [t.detach() for t in leaves]
        expected, found = function(*inputs), pellucid.compile(function)(*inputs)
        for left, right in zip(flatten(found), flatten(expected), strict=True):
            assert_close(left, right, 1e-8, 1e-10)


def test_convolution_and_linear_layers(rng: np.random.Generator) -> None:
    x, w = drawn(rng, 1, 2, 5), drawn(rng, 3, 2, 3)
    found = pellucid.nn.functional.conv1d(pellucid.tensor(x), pellucid.tensor(w))
    expected = [
        [np.sum(x[0, :, i : i + 3] * w[o]) for i in range(3)] for o in range(3)
    ]  # PyTorch's convolution conjugates nothing
    assert_close(found[0], expected)
    assert pellucid.gradcheck(pellucid.nn.functional.conv1d, (leaf(x), leaf(w)))
    layer = pellucid.nn.Linear(3, 2).to(pellucid.complex128)
    row = pellucid.tensor(drawn(rng, 4, 3))
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    assert_close(layer(row), row.numpy() @ weight.T + bias)


def test_edges_of_functions_compiled() -> None:
    """Zeros, large and small numbers, and both sides of the branch cuts."""
    parts = [0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, -2.5]
    values = np.asarray([complex(a, b) for a in parts for b in parts])
    x = pellucid.tensor(values)
    for name in ("sqrt", "log", "abs", "angle", "asin", "acos", "atanh", "sgn"):

        def function(z: Any, name: str = name) -> Any:
            return getattr(z, name)()

        with np.errstate(all="ignore"):
            eager, found = function(x).numpy(), pellucid.compile(function)(x).numpy()
        finite = np.isfinite(eager)
        assert_close(found[finite], eager[finite], 1e-9, 1e-12, name)


# ---- programs -------------------------------------------------------------------------------


def rotate(x: Any, turns: Any) -> Any:
    """Rotary embeddings as they were written first: pairs of features are complex numbers."""
    pairs = pellucid.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return pellucid.view_as_real(pairs * turns[None, :, None]).flatten(3)


def test_rotary_embeddings(rng: np.random.Generator) -> None:
    turns = pellucid.outer(pellucid.arange(5).float(), 1.0 / 10.0 ** (pellucid.arange(0, 4, 2) / 4))
    freqs = pellucid.polar(pellucid.ones_like(turns), turns)
    x = rng.standard_normal((2, 5, 3, 4)).astype("f4")
    angle = np.outer(np.arange(5), 10.0 ** (-np.arange(0, 4, 2) / 4))
    cos, sin = (f(angle)[None, :, None] for f in (np.cos, np.sin))
    even, odd = x[..., ::2], x[..., 1::2]
    expected = np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)
    assert_close(rotate(pellucid.tensor(x), freqs), expected, 1e-5, 1e-6)

    weight = rng.standard_normal(x.shape).astype("f4")

    def slope(q: Any) -> Any:
        q = q.detach().requires_grad_()
        return pellucid.grad((rotate(q, freqs) * pellucid.tensor(weight)).sum(), q)[0]

    back = np.stack(
        [
            weight[..., ::2] * cos + weight[..., 1::2] * sin,
            weight[..., 1::2] * cos - weight[..., ::2] * sin,
        ],
        -1,
    ).reshape(x.shape)
    for function in (slope, pellucid.compile(slope)):
        assert_close(function(pellucid.tensor(x)), back, 1e-5, 1e-6)


def test_compiled_functions_take_complex_arguments_and_state(rng: np.random.Generator) -> None:
    """Arguments in any layout, stacks of them, arguments and state that are written, gradients."""
    a = drawn(rng, 3, 4)

    @pellucid.compile
    def scaled(z: Any) -> Any:
        return z * 2j, z.abs().sum()

    found, total = scaled(pellucid.tensor(a).T)
    assert_close(found, a.T * 2j)
    assert_close(total, np.abs(a).sum())
    stack = np.stack([a, a + 1])
    assert_close(scaled.many(2, pellucid.tensor(stack))[0], stack * 2j)

    state = pellucid.zeros(3, dtype=pellucid.complex128)

    @pellucid.compile
    def changed(z: Any) -> Any:
        z.mul_(1j)
        state.add_(z[:, 0])
        state.real[0] = 9.0
        return z.real.sum()

    z = pellucid.tensor(a)
    assert_close(changed(z), -a.imag.sum())
    assert_close(z, a * 1j)
    assert_close(state, np.concatenate([[9 + 1j * (a[0, 0] * 1j).imag], a[1:, 0] * 1j]))
    z = leaf(a)
    pellucid.compile(lambda z: (z * z.conj()).real.sum())(z).backward()
    assert_close(z.grad, 2 * a)


class Filter(pellucid.nn.Module):
    """Filters a signal by a complex response, then classifies it."""

    def __init__(self) -> None:
        super().__init__()
        self.response = pellucid.nn.Parameter(pellucid.ones(9, dtype=pellucid.cfloat))
        self.head = pellucid.nn.Linear(16, 2)

    def forward(self, x: Any) -> Any:
        return self.head(pellucid.fft.irfft(pellucid.fft.rfft(x) * self.response, 16))


def test_networks_with_complex_parameters(rng: np.random.Generator) -> None:
    features = rng.standard_normal((64, 16)).astype("f4")
    model = Filter()
    optimizer = pellucid.optim.AdamW(model.parameters(), lr=0.05)
    trainer = pellucid.Trainer(
        model, pellucid.nn.CrossEntropyLoss(), optimizer, clip_norm=1.0, ema_decay=0.5
    )
    trainer.fit((features, (features[:, 0] > 0).astype(np.int64)), epochs=3)
    assert model.response.dtype is pellucid.complex64
    assert abs(model.response.detach().numpy() - 1).max() > 1e-3
    assert model.double().response.dtype is pellucid.complex64
    assert model.head.weight.dtype is pellucid.float64
    assert pellucid.nn.Linear(2, 3).to(pellucid.complex64).weight.dtype is pellucid.complex64


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.1},
    "Adagrad": {"lr": 0.1},
    "RMSprop": {"lr": 0.01},
    "Lion": {"lr": 0.01},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_move_parts_as_numbers_of_their_own(name: str, rng: np.random.Generator) -> None:
    """A complex parameter moves as the pair of its parts does."""
    start, goal = drawn(rng, 3), drawn(rng, 3)
    z, pairs = leaf(start), leaf(np.stack([start.real, start.imag], -1))
    kind = getattr(pellucid.optim, name)
    both = kind([z], **OPTIMIZERS[name]), kind([pairs], **OPTIMIZERS[name])
    aim = pellucid.tensor(goal)

    def step() -> None:
        for optimizer in both:
            optimizer.zero_grad()
        loss = (z * z - aim).abs().square().sum()
        twin = pellucid.view_as_complex(pairs)
        (loss + (twin * twin - aim).abs().square().sum()).backward()
        for optimizer in both:
            optimizer.step()

    for _ in range(3):
        step()
    assert_close(z, pellucid.view_as_complex(pairs.detach()))
    compiled = pellucid.compile(step)
    for _ in range(2):
        compiled()
    assert_close(z, pellucid.view_as_complex(pairs.detach()))
    state = both[0].state_dict()["state"][0]
    assert all(v.dtype.is_complex for k, v in state.items() if k != "step" and v is not None)


def test_optimizers_that_need_real_parameters_say_so() -> None:
    for kind in (pellucid.optim.Adafactor, pellucid.optim.Muon):
        with pytest.raises(RuntimeError, match="does not support complex parameters"):
            kind([leaf(np.ones((2, 2)) * 1j)])


def recurrence(rates: Any, inputs: Any) -> Any:
    """A linear recurrence of complex states whose sizes are put out."""

    def body(state: Any, row: Any) -> Any:
        state = state * rates + row
        return state, (state * state.conj()).real

    return pellucid.scan(body, pellucid.zeros(3, dtype=pellucid.complex128), inputs)


def test_loops_of_complex_states(rng: np.random.Generator) -> None:
    rates, inputs = drawn(rng, 3) * 0.5, drawn(rng, 5, 3)
    state, sizes = np.zeros(3, complex), []
    for row in inputs:
        state = state * rates + row
        sizes.append(np.abs(state) ** 2)
    for function in (recurrence, pellucid.compile(recurrence)):
        last, found = function(pellucid.tensor(rates), pellucid.tensor(inputs))
        assert_close(last, state)
        assert_close(found, np.stack(sizes))
    assert pellucid.gradcheck(recurrence, (leaf(rates), leaf(inputs)))
    assert pellucid.gradgradcheck(recurrence, (leaf(rates), leaf(inputs)))

    def slopes(rates: Any, inputs: Any) -> Any:
        leaves = [t.detach().requires_grad_() for t in (rates, inputs)]
        return pellucid.grad(recurrence(*leaves)[1].sum(), leaves)

    eager = slopes(pellucid.tensor(rates), pellucid.tensor(inputs))
    found = pellucid.compile(slopes)(pellucid.tensor(rates), pellucid.tensor(inputs))
    for left, right in zip(found, eager, strict=True):
        assert_close(left, right)


def test_what_cannot_be_compiled_is_named_with_its_line() -> None:
    def sums(x: Any) -> Any:
        return x.logcumsumexp(0)

    x = pellucid.tensor(np.full(3, 0.5 + 0.5j))
    with pytest.raises(
        TraceError, match=r"logcumsumexp of complex numbers \(.*test_complex.*\) cannot be compiled"
    ):
        pellucid.compile(sums)(x)
    assert_close(sums(x), np.log(np.cumsum(np.exp(x.numpy()))))


TURNED: dict[str, Any] = {
    "product": lambda z: z * z.conj() + z.exp(),
    "size": lambda z: z.abs(),
    "transform": lambda z: pellucid.fft.fft(z),
    "signal": lambda z: pellucid.fft.irfft(z, 6).sin(),
    "products": lambda z: z.cumprod(0) * z.prod(),
    "pairs": lambda z: pellucid.view_as_real(z) ** 2,
    "power": lambda z: z**2.5 / (z + 2),
    "logarithms": lambda z: z.logcumsumexp(0),
}


@pytest.mark.parametrize("name", TURNED)
def test_forward_mode_and_rows(name: str, rng: np.random.Generator) -> None:
    function = TURNED[name]
    z, turn = (pellucid.tensor(drawn(rng, 4)) for _ in range(2))
    _, found = pellucid.func.jvp(function, (z,), (turn,))
    step = turn * 1e-6
    assert_close(found, (function(z + step) - function(z - step)) / 2e-6, 1e-6, 1e-7)
    rows = pellucid.tensor(drawn(rng, 3, 4))
    together = pellucid.func.vmap(function)(rows)
    assert_close(together, pellucid.stack([function(row) for row in rows]))
