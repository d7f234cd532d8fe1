"""bfloat16 and float16: storage, rounding, arithmetic in float32, autocasting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import nn, optim
from pellucid.base.errors import ArgumentError, DataError, DTypeError
from pellucid.interop.safetensors import load_file, load_metadata, save_file

F = nn.functional
NARROW = [pellucid.bfloat16, pellucid.float16]
RNG = np.random.default_rng(3)
X = (RNG.standard_normal((6, 8)) * 3).astype(np.float32)
HARD = np.array(
    [0.0, -0.0, 1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-11, 1 + 3 * 2**-11, 65504, 65519.99, 65520]
    + [3.4e38, 3.39e38, np.inf, -np.inf, np.nan, 2**-24, 2**-25, 2**-25 * 1.001, 6.1e-5, 6e-5]
    + [1e-38, 1e-40, 1e-45, -1e-45, 5.9e-8, 2.9e-8, 0.1, -0.3, 1e5],
    np.float32,
)


def rounded(values: np.ndarray, dtype: Any) -> np.ndarray:
    """The nearest narrow value, ties to even, by the definition: no integer tricks."""
    bits, low = (8, -126) if dtype is pellucid.bfloat16 else (11, -14)
    top = float(np.float32(3.3895314e38)) if dtype is pellucid.bfloat16 else 65504.0
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64)
        exponent = np.maximum(np.floor(np.log2(np.abs(wide))), low)
        step = 2.0 ** (exponent - bits + 1)
        near = np.round(wide / step) * step
    near = np.where(np.isfinite(wide) & (wide != 0), near, wide)
    return np.where(np.isfinite(wide) & (np.abs(near) > top), np.copysign(np.inf, wide), near)


def floats(tensor: Any) -> np.ndarray:
    return tensor.detach().float().numpy()


def samples() -> np.ndarray:
    """Floats of every exponent, and the hard ones."""
    bits = np.random.default_rng(5).integers(0, 1 << 32, 20_000, np.uint64).astype(np.uint32)
    return np.concatenate([HARD, bits.view(np.float32)])


# ---- storage and conversion --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("native", [False, True])
def test_rounding_is_to_nearest_ties_to_even(dtype: Any, native: bool) -> None:
    values = samples()
    convert = pellucid.compile(lambda t: t.to(dtype)) if native else lambda t: t.to(dtype)
    found = convert(pellucid.from_numpy(values))
    assert found.dtype is dtype
    with np.errstate(invalid="ignore"):  # NaN of either kind
        wide = floats(found).astype(np.float64)
    np.testing.assert_array_equal(wide, rounded(values, dtype))
    zeros = floats(found)[:2]
    assert np.signbit(zeros).tolist() == [False, True]


@pytest.mark.parametrize("dtype", NARROW)
def test_every_narrow_value_comes_back(dtype: Any) -> None:
    bits = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    stored = pellucid.from_numpy(bits.view(dtype.numpy))
    wide = stored.float()
    native = pellucid.compile(lambda t: t.float())(stored)
    np.testing.assert_array_equal(wide.numpy(), native.numpy())
    if dtype is pellucid.float16:
        np.testing.assert_array_equal(wide.numpy(), bits.view(np.float16).astype(np.float32))
    else:
        np.testing.assert_array_equal(wide.numpy(), (bits.astype(np.uint32) << 16).view(np.float32))
    again = wide.to(dtype).array().view(np.uint16)
    number = ~np.isnan(wide.numpy())
    assert (again[number] == bits[number]).all()
    assert np.isnan(floats(wide.to(dtype))[~number]).all()
    through = pellucid.compile(lambda t: t.to(dtype))(wide).array().view(np.uint16)
    assert (through[number] == bits[number]).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_sixteen_bits_an_element(dtype: Any) -> None:
    x = pellucid.tensor(X).to(dtype)
    assert (x.element_size(), x.nbytes, x.array().nbytes) == (2, 2 * X.size, 2 * X.size)
    assert x.is_floating_point() and dtype.is_floating_point
    assert pellucid.zeros(3, dtype=dtype).tolist() == [0, 0, 0]
    assert pellucid.full((2,), 1.5, dtype=dtype).tolist() == [1.5, 1.5]
    assert pellucid.arange(0, 3, dtype=dtype).tolist() == [0, 1, 2]
    assert pellucid.eye(2, dtype=dtype).tolist() == [[1, 0], [0, 1]]
    assert pellucid.tensor([0.5, 2], dtype=dtype).dtype is dtype
    assert x.half().dtype is pellucid.float16 and x.bfloat16().dtype is pellucid.bfloat16
    assert pellucid.rand(5, dtype=dtype).dtype is pellucid.randn(5, dtype=dtype).dtype is dtype
    assert x.int().dtype is pellucid.int32
    assert (x.int().numpy() == floats(x).astype(np.int32)).all()
    assert copy.deepcopy(x).tolist() == x.tolist()


def test_printing_and_numpy() -> None:
    x = pellucid.tensor([1.0, 0.1]).bfloat16()
    assert repr(x) == "tensor([1.0000, 0.1001], dtype=pellucid.bfloat16)"
    assert x[1].item() == 0.10009765625
    with pytest.raises(DTypeError, match=r"NumPy has no bfloat16\n  convert first: x\.float"):
        x.numpy()
    with pytest.raises(DTypeError, match="NumPy has no bfloat16"):
        np.asarray(x)
    assert x.half().numpy().dtype == np.float16
    assert pellucid.from_numpy(np.ones(2, np.float16)).dtype is pellucid.float16


def test_dtypes_that_do_not_exist_are_named_with_those_that_do() -> None:
    with pytest.raises(DTypeError, match="float8(.|\n)*bfloat16, float16"):
        pellucid.zeros(2, dtype="float8")


# ---- arithmetic --------------------------------------------------------------------------------


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "number": lambda t: t * 0.1,
    "reversed": lambda t: 2 - t,
    "twice": lambda t: t + t,
    "exp": lambda t: t.exp(),
    "sum": lambda t: t.sum(0),
    "mean": lambda t: t.mean(-1),
    "var": lambda t: t.var(0),
    "product": lambda t: t @ t.T,
    "compare": lambda t: (t > 0.1).float(),
    "slice": lambda t: t[1:3, ::2],
    "maximum": lambda t: t.amax(0),
    "turned": lambda t: t.reshape(8, 6).T,
    "softmax": lambda t: t.softmax(-1),
    "divide": lambda t: t / 3,
    "where": lambda t: t.clamp(min=0.0),
    "abs": lambda t: t.abs() - t.neg(),
    "gather": lambda t: t.sort(0)[0],
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parity
def test_arithmetic_is_pytorchs(name: str, kind: str) -> None:
    torch = pytest.importorskip("torch")
    mine = pellucid.tensor(X).to(getattr(pellucid, kind))
    theirs = torch.tensor(X).to(getattr(torch, kind))
    function = OPERATIONS[name]
    expected = function(theirs)
    for call in (function, pellucid.compile(function)):
        found = call(mine)
        assert found.dtype.name == str(expected.dtype).split(".")[1]
        unit = 2.0**-7 if kind == "bfloat16" else 2.0**-10
        exact = name not in ("product", "sum", "mean", "var", "softmax", "exp")
        np.testing.assert_allclose(
            floats(found), expected.float().numpy(), rtol=0 if exact else unit, atol=0
        )


def test_mixed_operands_follow_pytorch() -> None:
    """1 + 2⁻¹⁰ is a number of float32 and none of bfloat16, which has seven bits after the 1."""
    narrow, small = pellucid.ones(2, dtype=pellucid.bfloat16), 2.0**-10
    cases = [
        (narrow + pellucid.full((2,), small), pellucid.float32, 1 + small),
        (narrow + pellucid.full((2,), small).half(), pellucid.float32, 1 + small),
        (narrow + small, pellucid.bfloat16, 1.0),
        (narrow * pellucid.tensor(1 + small), pellucid.bfloat16, 1.0),
        (narrow + pellucid.tensor([1, 300]), pellucid.bfloat16, [2.0, 300.0]),
        (narrow.double() + narrow * small, pellucid.float64, 1 + small),
    ]
    for found, dtype, value in cases:
        assert found.dtype is dtype
        np.testing.assert_array_equal(floats(found), np.broadcast_to(value, 2))


@pytest.mark.parametrize("name", ["gelu", "silu", "softplus", "mish", "elu", "layer_norm"])
@pytest.mark.parity
def test_functions_of_several_steps_round_once(name: str) -> None:
    torch = pytest.importorskip("torch")
    more = ((8,),) if name == "layer_norm" else ()
    mine = getattr(F, name)(pellucid.tensor(X).bfloat16(), *more)
    theirs = getattr(torch.nn.functional, name)(torch.tensor(X).bfloat16(), *more)
    np.testing.assert_allclose(floats(mine), theirs.float().numpy(), rtol=2**-8, atol=1e-6)
    assert (floats(mine) == theirs.float().numpy()).mean() > 0.95


@pytest.mark.parametrize("dtype", NARROW)
def test_gradients_have_the_dtype_of_their_tensor(dtype: Any) -> None:
    x = pellucid.tensor(X).to(dtype).requires_grad_()
    (x * x).sum().backward()
    assert x.grad.dtype is dtype
    np.testing.assert_array_equal(floats(x.grad), 2 * floats(x))


@pytest.mark.parametrize("native", [False, True])
def test_a_whole_model_in_bfloat16_learns(native: bool) -> None:
    pellucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 1))
    model = model.bfloat16()
    optimizer = optim.AdamW(model.parameters(), lr=0.02)
    x = pellucid.tensor(X).bfloat16()
    y = x.sum(1, keepdim=True)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    call = pellucid.compile(step) if native else step
    losses = [call(x, y).item() for _ in range(30)]
    assert losses[-1] < 0.4 * losses[0]
    assert {p.dtype for p in model.parameters()} == {pellucid.bfloat16}
    assert nn.Linear(2, 2).half().weight.dtype is pellucid.float16


# ---- autocasting -------------------------------------------------------------------------------


def mixed_model(library: Any) -> Any:
    n = library.nn
    return n.Sequential(
        n.Conv2d(1, 4, 3), n.BatchNorm2d(4), n.ReLU(), n.Flatten(), n.Linear(64, 10)
    )


@pytest.mark.parity
@pytest.mark.parametrize("native", [False, True])
def test_autocasting_is_pytorchs(native: bool) -> None:
    torch = pytest.importorskip("torch")
    pellucid.manual_seed(4)
    start = {k: v.numpy().copy() for k, v in mixed_model(pellucid).state_dict().items()}
    images = RNG.standard_normal((5, 1, 6, 6)).astype(np.float32)
    labels = np.arange(5)
    outcomes = []
    for library in (pellucid, torch):
        model = mixed_model(library)
        model.load_state_dict({k: library.tensor(v) for k, v in start.items()})

        def step(x: Any, y: Any, model: Any = model, library: Any = library) -> Any:
            with library.autocast("cpu", dtype=library.bfloat16):
                scores = model(x)
                loss = library.nn.functional.cross_entropy(scores, y)
            loss.backward()
            return loss, scores

        mine = library is pellucid
        call = pellucid.compile(step, keep_gradients=True) if native and mine else step
        loss, scores = call(library.tensor(images), library.tensor(labels))
        assert str(scores.dtype).endswith("bfloat16") and str(loss.dtype).endswith("float32")
        grads = {k: p.grad for k, p in model.named_parameters()}
        assert all(str(g.dtype).endswith("float32") for g in grads.values())
        outcomes.append((loss.item(), {k: g.numpy() for k, g in grads.items()}))
    assert outcomes[0][0] == pytest.approx(outcomes[1][0], rel=5e-3)
    for key, value in outcomes[1][1].items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(outcomes[0][1][key], value, atol=0.02 * scale, err_msg=key)


def test_what_autocasting_touches() -> None:
    x, w = pellucid.tensor(X), pellucid.randn(4, 8)
    q = pellucid.randn(2, 2, 7, 4)
    with pellucid.autocast("cpu"):
        assert pellucid.is_autocast_enabled()
        scores = x @ w.t()
        assert scores.dtype is pellucid.bfloat16
        assert F.linear(x, w, pellucid.randn(4)).dtype is pellucid.bfloat16
        assert F.scaled_dot_product_attention(q, q, q).dtype is pellucid.bfloat16
        for result in (
            F.softmax(scores, -1),
            F.layer_norm(scores, (4,)),
            F.cross_entropy(scores, pellucid.arange(4).repeat(2)[:6]),
            scores + w[:, 0],
        ):
            assert result.dtype is pellucid.float32
        assert (x.double() @ w.double().t()).dtype is pellucid.float64
        with pellucid.autocast("cpu", enabled=False):
            assert (x @ w.t()).dtype is pellucid.float32
        with pellucid.autocast("cpu", dtype=pellucid.float16):
            assert (x @ w.t()).dtype is pellucid.float16
    assert not pellucid.is_autocast_enabled()
    expected = rounded(rounded(X, pellucid.bfloat16) @ rounded(w.t().numpy(), pellucid.bfloat16),
                       pellucid.bfloat16)  # fmt: skip
    np.testing.assert_allclose(floats(scores), expected, rtol=2**-8)


def test_autocasting_as_a_decorator_and_in_compiled_functions() -> None:
    x = pellucid.tensor(X)
    rows = rounded(X, pellucid.bfloat16)
    short = rounded(rows @ rows.T, pellucid.bfloat16)

    def check(found: pellucid.Tensor, dtype: pellucid.dtype) -> None:
        assert found.dtype is dtype
        wide = dtype is pellucid.float32
        np.testing.assert_allclose(
            floats(found), X @ X.T if wide else short, rtol=1e-5 if wide else 2**-8, atol=1e-6
        )

    check(pellucid.autocast("cpu")(lambda t: t @ t.T)(x), pellucid.bfloat16)
    product = pellucid.compile(lambda t: t @ t.T)
    check(product(x), pellucid.float32)
    with pellucid.autocast("cpu"):
        check(product(x), pellucid.bfloat16)
    check(product(x), pellucid.float32)


def test_bad_arguments_of_autocast() -> None:
    x = pellucid.ones(2, 2)
    with pytest.warns(UserWarning, match="'cuda', but only the CPU exists"):
        there = pellucid.autocast("cuda")
    with there:
        assert (x @ x).dtype is pellucid.float32
    with pytest.warns(UserWarning, match="dtype=float64 and is switched off"):
        wide = pellucid.autocast("cpu", dtype=pellucid.float64)
    with wide:
        assert (x @ x).dtype is pellucid.float32
    with pellucid.autocast("cpu"), pellucid.autocast("cuda", enabled=False):
        assert (x @ x).dtype is pellucid.bfloat16  # a mode of another device
    with pytest.raises(RuntimeError, match="there is no device 'gpu'"):
        pellucid.autocast("gpu")
    with pytest.raises(TypeError, match="name the kind of device"):
        pellucid.autocast(pellucid.device("cpu"))  # type: ignore[arg-type]


# ---- files -------------------------------------------------------------------------------------


def test_safetensors_files_go_both_ways(tmp_path: Path) -> None:
    tensors = {
        "a": pellucid.tensor(X).bfloat16(),
        "b": pellucid.tensor(X).half(),
        "c": pellucid.tensor([True, False]),
        "d": pellucid.tensor(3),
        "e": pellucid.zeros(0, 4),
        "f": pellucid.tensor(X).t(),
    }
    save_file(tensors, tmp_path / "x.safetensors", {"note": "ok"})
    found = load_file(tmp_path / "x.safetensors")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype is tensor.dtype and found[name].shape == tensor.shape
        assert found[name].array().tobytes() == np.ascontiguousarray(tensor.array()).tobytes()
    assert load_metadata(tmp_path / "x.safetensors") == {"note": "ok"}
    with pytest.raises(ArgumentError, match="got a int as 'a'"):
        save_file({"a": 3}, tmp_path / "y.safetensors")


@pytest.mark.parity
def test_safetensors_files_are_read_by_others(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    save_file({"a": pellucid.tensor(X).bfloat16()}, tmp_path / "x.safetensors")
    read = theirs.load_file(tmp_path / "x.safetensors")["a"]
    assert torch.equal(read, torch.tensor(X).bfloat16())
    theirs.save_file({"b": read * 2}, tmp_path / "y.safetensors")
    assert (floats(load_file(tmp_path / "y.safetensors")["b"]) == (read * 2).float().numpy()).all()


@pytest.mark.parametrize("cut", [0, 4, 20, -1])
def test_damaged_files_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": pellucid.tensor(X)}, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"x\.safetensors is no safetensors file"):
        load_file(path)
