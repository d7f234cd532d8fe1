"""Parity with PyTorch of the methods that few programs use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.base.errors import AutogradError
from tensor.parity import both_raise, compare, ours, parity, theirs, torch

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:index_reduce\\(\\) is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:The reduce argument of torch.scatter:UserWarning"),
]

DTYPES = ["float32", "float64", "int64", "int32"]


# ---- combining at places --------------------------------------------------------------------


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean", "prod", "amax", "amin"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_reduce(dtype: str, reduce: str, include_self: bool) -> None:
    rng = np.random.default_rng(3)
    for shape, places, dim in (
        ((4, 5), (7, 5), 0), ((3, 4, 2), (3, 9, 1), 1), ((6,), (5,), -1), ((3, 2), (0, 2), 0),
    ):  # fmt: skip
        index = rng.integers(0, shape[dim], places)
        x, source = (rng.integers(1, 5, s).astype(dtype) for s in (shape, places))  # many ties
        if not include_self and x.dtype.kind == "f":
            x += 0.5  # PyTorch takes a share of the gradient for what is not included, if equal
        parity(
            lambda m, x, source, index=index, dim=dim: x.scatter_reduce(
                dim, (theirs if m is torch else ours)(index), source, reduce,
                include_self=include_self,
            ),
            x, source, what=f"{shape} {reduce}",
        )  # fmt: skip


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["mean", "prod", "amax", "amin"])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_index_reduce(dtype: str, reduce: str, include_self: bool) -> None:
    rng = np.random.default_rng(4)
    index = np.array([0, 2, 2, 0, 2])
    for shape, dim in (((4, 3), 0), ((2, 4, 3), 1), ((4,), 0)):
        places = tuple(5 if i == dim else n for i, n in enumerate(shape))
        x, source = (rng.integers(1, 6, s).astype(dtype) for s in (shape, places))
        if not include_self and x.dtype.kind == "f":
            x += 0.5

        def combined(m: Any, x: Any, source: Any, dim: int = dim) -> Any:
            side = theirs if m is torch else ours
            return x.index_reduce(dim, side(index), source, reduce, include_self=include_self)

        parity(combined, x, source, what=f"{shape} {reduce}")


def test_extremes_with_nan_and_infinity() -> None:
    x = np.array([1.0, np.nan, -np.inf, 2.0])
    source = np.array([np.nan, 3.0, -np.inf, np.inf, 0.5])
    index = np.array([0, 1, 2, 3, 3])
    for reduce in ("amax", "amin"):
        for kept in (True, False):
            left, right = (
                side(x).scatter_reduce(0, side(index), side(source), reduce, include_self=kept)
                for side in (ours, theirs)
            )
            compare(left, right, f"{reduce} {kept}")


def test_products_with_zeros_have_their_gradient() -> None:
    x, source = np.array([2.0, 3.0]), np.array([0.0, 4.0, 0.0, 5.0, 0.0])
    index = np.array([0, 0, 1, 1, 1])
    parity(
        lambda m, x, s: x.scatter_reduce(
            0, (theirs if m is torch else ours)(index), s, "prod", include_self=True
        ),
        x, source,
    )  # fmt: skip


def test_combining_is_compiled_and_twice_differentiable() -> None:
    index = ours(np.array([1, 0, 1, 1]))
    x, source = ours([1.5, 2.5], True), ours([0.5, 2.0, 3.0, 1.0], True)
    for reduce in ("prod", "amax", "mean"):

        def function(x: Any, s: Any, reduce: str = reduce) -> Any:
            return x.scatter_reduce(0, index, s, reduce, include_self=True)

        assert_close(pellucid.compile(function)(x, source), function(x, source), 1e-6, 0)
        wide = [t.detach().double().requires_grad_() for t in (x, source)]
        assert pellucid.gradcheck(function, wide)
        assert pellucid.gradgradcheck(function, wide)


@pytest.mark.parametrize("accumulate", [False, True])
def test_put(accumulate: bool) -> None:
    x, source = np.arange(12.0).reshape(3, 4), np.array([[5.0, 6.0], [7.0, 8.0]])
    index = np.array([[1, -2], [4, 0]] if not accumulate else [[1, -2], [1, 0]])
    parity(lambda m, x, s: x.put((theirs if m is torch else ours)(index), s, accumulate), x, source)
    both_raise(lambda m, x: x.put((theirs if m is torch else ours)(index), x), x)


def test_scatter_multiplies_and_in_place_forms() -> None:
    index, factor = np.array([[0, 1, 0]]), np.array([[2.0, 3.0, 4.0]])
    x = np.arange(6.0).reshape(2, 3)

    def scattered(m: Any, x: Any) -> Any:
        side = theirs if m is torch else ours
        return x.scatter(0, side(index), side(factor), reduce="multiply")

    parity(scattered, x, gradients=False)

    def changed(m: Any, x: Any) -> Any:
        side = theirs if m is torch else ours
        x.put_(side(np.array([0, 3])), side(np.array([9.0, 8.0])))
        x.index_reduce_(0, side(np.array([0, 0])), x * 2, "amax")
        return x.clone(), x.swapaxes_(0, 1).clone(), x.swapdims_(0, 1)

    parity(changed, x, gradients=False)


def test_nonzero_static() -> None:
    for x in (np.array([[0, 3], [2, 0]]), np.array(5), np.zeros((2, 0))):
        for size in (0, 1, 4):
            parity(
                lambda m, x, size=size: x.nonzero_static(size=size, fill_value=-7),
                x, gradients=False, what=f"{x.shape} {size}",
            )  # fmt: skip


# ---- statistics -----------------------------------------------------------------------------

HOLES = np.array([[3.0, np.nan, 1.0, 7.0], [np.nan] * 4, [2.0, 5.0, -1.0, np.nan]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_median_of_numbers(dtype: str) -> None:
    x = HOLES.astype(dtype)
    parity(lambda m, x: x.nanmedian(), x)
    for rows in (x[[0, 2]], x[[0, 2]].T):
        for dim in (0, 1):
            full = rows[~np.isnan(rows).all(1)]
            parity(lambda m, x, dim=dim: tuple(x.nanmedian(dim, True)), full, what=str(dim))
    parity(lambda m, x: x.nanmedian(1).values, x, gradients=False)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles_of_numbers(dtype: str, interpolation: str) -> None:
    x = HOLES.astype(dtype)
    for q in (0.3, 0.5, [0.0, 0.25, 1.0]):
        for dim in (None, 0, 1):
            for keepdim in (False, True):

                def quantile(m: Any, x: Any, q: Any = q, dim: Any = dim, k: bool = keepdim) -> Any:
                    given = m.tensor(q, dtype=x.dtype) if isinstance(q, list) else q
                    return x.nanquantile(given, dim, k, interpolation=interpolation)

                parity(quantile, x, what=f"{q} {dim}", gradients=dim is None)


def test_histogram() -> None:
    rng = np.random.default_rng(8)
    x, weight = rng.normal(size=(40,)), rng.random(40)
    for dtype in ("float32", "float64"):
        for settings in ({}, {"range": (-1.0, 1.5)}, {"density": True}):
            parity(
                lambda m, x, settings=settings: tuple(x.histogram(7, **settings)),
                x.astype(dtype), gradients=False, what=str(settings),
            )  # fmt: skip
        parity(
            lambda m, x, w: tuple(x.histogram(5, weight=w)), x.astype(dtype), weight.astype(dtype),
            gradients=False,
        )  # fmt: skip
        edges = np.array([-2.0, -0.5, 0.0, 3.0], dtype)
        parity(lambda m, x, e: tuple(x.histogram(e)), x.astype(dtype), edges, gradients=False)
    parity(lambda m, x: tuple(x.histogram(4)), np.full(3, 2.0), gradients=False)


# ---- special functions ----------------------------------------------------------------------


def test_bessel_function() -> None:
    x = np.concatenate([np.linspace(-30, 30, 61) + 0.1, [0.0, 0.01, 8.0, 300.0, -500.0]])
    parity(lambda m, x: x.i0(), x, rtol=1e-9)
    parity(lambda m, x: m.i0(x), x.astype("float32")[:61], rtol=2e-5)
    parity(lambda m, x: x.i0(), np.arange(4), gradients=False)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_polygamma(n: int) -> None:
    x = np.concatenate([np.linspace(0.1, 30, 40), [-0.5, -1.3, -3.7]])
    # PyTorch's own trigamma has an error of about 1e-9.
    parity(lambda m, x: m.polygamma(n, x), x, rtol=1e-8 if n < 2 else 1e-11, gradients=n > 1)
    parity(lambda m, x: x.polygamma(n), x.astype("float32"), rtol=1e-4, gradients=False)


def test_incomplete_gamma_functions() -> None:
    a = np.array([0.1, 0.5, 1.0, 2.5, 10.0, 30.0, 300.0])
    x = np.concatenate([np.geomspace(1e-3, 500, 40), a + 1])[:, None]
    for name in ("igamma", "igammac"):

        def values(m: Any, x: Any, name: str = name) -> Any:
            return getattr(m, name)((theirs if m is torch else ours)(a.astype(dtype_of(x))), x)

        parity(values, x, rtol=3e-8, what=name)  # PyTorch is off by 1e-9 at some places
        parity(values, x.astype("float32"), rtol=3e-4, what=name)
    corners = np.array([0.0, 0.0, 1.0, np.inf, 2.0, np.inf, -1.0, 1.0, np.nan])
    places = np.array([0.0, 1.0, 0.0, 1.0, np.inf, np.inf, 1.0, -1.0, 1.0])
    for name in ("igamma", "igammac"):
        parity(lambda m, a, x, name=name: getattr(a, name)(x), corners, places, gradients=False)
    y = ours(np.array([0.3, 2.0, 7.0]), True)
    assert pellucid.gradgradcheck(lambda y: ours([0.5, 2.0, 5.0]).double().igamma(y), [y])
    with pytest.raises(pellucid.PellucidError, match="detach the first"):
        y.igamma(y)


def dtype_of(x: Any) -> str:
    return str(x.dtype).rpartition(".")[2]


def test_derivative_of_trigamma_by_differences() -> None:
    x = ours(np.linspace(0.3, 9, 20), True)
    assert pellucid.gradcheck(lambda x: x.polygamma(1), [x])
    assert pellucid.gradcheck(lambda x: x.polygamma(2), [x])


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8"])
def test_divisors_and_multiples(dtype: str) -> None:
    a, b = np.array([[12, -18, 0, 7]], dtype), np.array([[8], [0], [-6]], dtype)
    for name in ("gcd", "lcm"):
        parity(lambda m, a, b, name=name: getattr(m, name)(a, b), a, b)
    both_raise(lambda m, a: a.gcd(a), a.astype(float))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_and_neighbours_of_numbers(dtype: str) -> None:
    limits = np.finfo(dtype)
    x = np.array([0.0, -0.0, 1.0, -0.5, 3.7, limits.max, limits.tiny, -1e-30, 1e20], dtype)
    parity(lambda m, x: tuple(x.frexp()), x[[2, 3, 4, 7, 8]])
    both = ours(x).frexp()
    assert_close(both.mantissa * 2.0**60, np.frexp(x)[0] * 2.0**60, 0, 0)
    assert both.exponent.tolist() == np.frexp(x)[1].tolist()
    special = ours(np.array([np.inf, -np.inf, np.nan], dtype)).frexp()
    assert (
        special.mantissa.tolist()[:2] == [np.inf, -np.inf] and special.exponent.tolist() == [0] * 3
    )
    parity(lambda m, x: x.nextafter(x.flip(0)), x, gradients=False)


def test_complex_functions_of_real_numbers() -> None:
    x = np.array([[1.0, -2.0, 0.0], [np.nan, -0.0, np.inf]])
    for name in ("conj", "conj_physical", "adjoint", "angle", "resolve_conj", "resolve_neg"):
        parity(lambda m, x, name=name: getattr(x, name)(), x, gradients=name != "angle", what=name)
    parity(lambda m, x: m.angle(x), np.array([2, -3]))
    parity(lambda m, x: (x.mH, x.H, x.real), x)
    left, right = ours(x), theirs(x)
    for name in ("is_conj", "is_neg", "is_distributed"):
        assert getattr(left, name)() is getattr(right, name)() is False


# ---- random fills, and tensors as objects ---------------------------------------------------


def test_distributions_in_place() -> None:
    pellucid.manual_seed(5)
    count = 40_000
    x = pellucid.empty(count, dtype=pellucid.float64)
    cauchy = x.cauchy_(2.0, 3.0).numpy()
    assert np.median(cauchy) == pytest.approx(2, abs=0.1)
    spread = np.subtract(*np.quantile(cauchy, [0.75, 0.25])) / 2
    assert spread == pytest.approx(3, rel=0.05)
    logs = np.log(x.log_normal_(0.5, 0.25).numpy())
    assert logs.mean() == pytest.approx(0.5, abs=0.01) and logs.std() == pytest.approx(
        0.25, rel=0.05
    )
    trials = x.geometric_(0.2).numpy()
    assert trials.min() == 1 and (trials == np.rint(trials)).all()
    assert trials.mean() == pytest.approx(5, rel=0.05)
    assert (trials == 1).mean() == pytest.approx(0.2, abs=0.01)
    with pytest.raises(pellucid.PellucidError, match="p=1.5"):
        x.geometric_(1.5)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_random_integers_in_place(dtype: str) -> None:
    pellucid.manual_seed(6)
    x = pellucid.empty(2000, dtype=getattr(pellucid, dtype))
    assert sorted(set(x.random_(3, 6).tolist())) == [3, 4, 5]
    assert sorted(set(x.random_(2).tolist())) == [0, 1]
    wide = x.random_().double()
    most = {"float32": 2.0**24, "int64": 2.0**63, "uint8": 255.0}[dtype]
    assert 0 <= wide.min() < 0.01 * most and 0.99 * most < wide.max() <= most


def test_hooks_after_the_gradient() -> None:
    seen: dict[str, list[Any]] = {}
    for name, library in (("ours", pellucid), ("theirs", torch)):
        x = library.tensor([1.0, 2.0], requires_grad=True)
        log = seen.setdefault(name, [])
        handle = x.register_post_accumulate_grad_hook(
            lambda leaf, log=log: log.append(leaf.grad.tolist())
        )
        for _ in range(2):
            (x * x).sum().backward()
        handle.remove()
        x.sum().backward()
        log.append(x.grad.tolist())
    assert seen["ours"] == seen["theirs"] == [[2.0, 4.0], [4.0, 8.0], [5.0, 9.0]]
    with pytest.raises(AutogradError, match="register it on a parameter"):
        (pellucid.ones(2, requires_grad=True) * 2).register_post_accumulate_grad_hook(print)


def test_an_optimizer_steps_inside_of_backward() -> None:
    model = pellucid.nn.Linear(3, 2)
    expected = [p.detach() - 0.1 * 2 for p in model.parameters()]
    steps = {p: pellucid.optim.SGD([p], lr=0.1) for p in model.parameters()}

    def update(parameter: Any) -> None:
        steps[parameter].step()
        parameter.grad = None

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    model(pellucid.ones(2, 3)).sum().backward()
    for parameter, value in zip(model.parameters(), expected, strict=True):
        assert parameter.grad is None
        assert_close(parameter, value, 1e-6, 1e-6)


def test_functions_of_python_element_by_element() -> None:
    def changed(m: Any, x: Any, y: Any) -> Any:
        first = x.clone().apply_(lambda v: v * 2 + 1)
        second = x.clone().map_(y, lambda a, b: a * b)
        return first, second, x.clone().map2_(y, y, lambda a, b, c: a + b * c)

    parity(changed, np.arange(6.0).reshape(2, 3), np.full((2, 3), 3.0), gradients=False)


def test_subclasses_and_old_constructors() -> None:
    class Special(pellucid.Tensor):
        __slots__ = ()

    x = ours([1.0, 2.0], True)
    special = (x * 2).as_subclass(Special)
    assert isinstance(special, Special) and special.data_ptr() == special.const_data_ptr()
    special.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(pellucid.PellucidError, match="derived from Tensor"):
        x.as_subclass(int)
    y = ours(np.arange(3))
    assert y.new(2, 3).shape == (2, 3) and y.new([4, 5]).tolist() == [4, 5]
    assert y.new(2, 3).dtype is y.dtype and y.new().shape == (0,)
    z = ours(np.array([2.0, 3.0]))
    z.float_power_(2)
    assert z.tolist() == [4.0, 9.0] and z.dtype is pellucid.float64


CALLS = """
x.new_zeros(2, device=x.device)
x.new_ones((2, 3), device="cpu", dtype=m.float64)
x.new_full((2,), 3.0, device=x.device, requires_grad=True)
x.new_tensor([1.0, 2.0], device=x.device)
m.zeros_like(x, device="cpu", requires_grad=True)
m.ones_like(x, device="cpu", memory_format=m.preserve_format)
m.full_like(x, 2.0, device="cpu")
m.eye(3, 2, device="cpu")
m.logspace(0, 1, 3, base=2.0, device="cpu")
x.clone(memory_format=m.contiguous_format)
x.contiguous(memory_format=m.contiguous_format)
x.cumsum(0, dtype=m.float64)
x.cumprod(1, dtype=m.float64)
x.prod(0, dtype=m.float64)
x.mean(1, dtype=m.float64)
x.nansum(1, dtype=m.float64)
x.nanmean(1, dtype=m.float64)
x.scatter(1, m.tensor([[0], [1]]), value=3.0)
m.flip(x, dims=(0,))
m.empty_like(x, device="cpu").zero_()
m.rand_like(x, device="cpu", requires_grad=True) * 0
m.randn_like(x, dtype=m.float64, device="cpu") * 0
m.randint(0, 5, (2,), device="cpu") * 0
m.randint_like(x, 3) * 0
m.randperm(4, device="cpu").sort().values
m.searchsorted(m.tensor([1.0, 2.0]), x, side="right")
m.searchsorted(m.tensor([1.0, 2.0]), x, side="left", out_int32=True)
m.bucketize(x, m.tensor([0.0, 1.0]), out_int32=True)
m.cdist(x, x, p=1.0, compute_mode="use_mm_for_euclid_dist")
x.repeat_interleave(2, dim=0, output_size=4)
m.stack((x[0], x[0], x[1])).unique_consecutive(True, True, dim=0)
m.stack((x[0], x[0], x[1]), 1).unique_consecutive(dim=1)
m.tensor([1, 1, 2, 1]).unique_consecutive(True, True)
m.tensor([5]).unique_consecutive(True, True)
m.zeros(0).unique_consecutive(True, True)
""".strip().splitlines()


@pytest.mark.parametrize("call", CALLS)
def test_calls_with_devices_and_dtypes(call: str) -> None:
    x = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -3.0]], np.float32)
    parity(lambda m, x: eval(call, {"m": m, "x": x}), x, gradients=False, what=call)


def test_narrow_numbers_are_reduced_in_the_type_that_is_asked_for() -> None:
    for library in (pellucid, torch):
        x = library.full((300,), 1.25).bfloat16()
        for name in ("sum", "mean", "nansum", "nanmean"):
            assert getattr(x, name)(dtype=library.float32).dtype is library.float32, name
        assert x.softmax(0, dtype=library.float32).dtype is library.float32
        assert x.sum(dtype=library.float32).item() == 375.0
        assert x.mean().dtype is library.bfloat16


def test_a_program_that_chooses_its_device() -> None:
    device = "cuda" if pellucid.cuda.is_available() else "cpu"
    assert device == "cpu" and pellucid.cuda.device_count() == 0
    assert pellucid.ones(2).to(device).device == pellucid.device(device)
