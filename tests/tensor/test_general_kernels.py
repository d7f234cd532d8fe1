"""Convolutions, batch norms and updates outside of ``compile`` that need no kernel of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F
from helpers import assert_close
from pellucid import nn, optim
from pellucid.backends.cpu import engine, executable
from pellucid.tensor import eager, general_blocks, general_convolution
from pellucid.tensor.general_convolution import Blockwise, Depthwise, Pointwise, Unfolded

CONVOLUTIONS: dict[str, tuple[type, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "pointwise": (Pointwise, (5, 24, 13, 11), (40, 24, 1, 1), {}),
    "pointwise, small images": (Pointwise, (33, 40, 3, 2), (72, 40, 1, 1), {}),
    "pointwise, one element": (Pointwise, (129, 64, 1, 1), (48, 64, 1, 1), {}),
    "pointwise, strided": (Pointwise, (6, 40, 15, 14), (32, 40, 1, 1), {"stride": (2, 3)}),
    "pointwise, one axis": (Pointwise, (4, 16, 257), (24, 16, 1), {}),
    "pointwise, volumes": (Pointwise, (3, 16, 5, 7, 9), (24, 16, 1, 1, 1), {}),
    "pointwise, deep": (Pointwise, (2, 300, 9, 7), (130, 300, 1, 1), {}),
    "depthwise": (Depthwise, (4, 48, 17, 19), (48, 1, 3, 3), {"padding": 1}),
    "depthwise, strided": (Depthwise, (4, 48, 18, 17), (48, 1, 3, 3), {"padding": 1, "stride": 2}),
    "depthwise, dilated": (Depthwise, (4, 32, 23, 21), (32, 1, 3, 3), {"dilation": (2, 3)}),
    "depthwise, wide frame": (Depthwise, (4, 64, 12, 13), (64, 1, 3, 3), {"padding": 4}),
    "depthwise, long window": (
        *(Depthwise, (2, 32, 18, 16), (32, 1, 5, 2)),
        {"padding": (3, 0), "stride": (1, 2), "dilation": (2, 1)},
    ),
    "depthwise, same": (Depthwise, (4, 64, 11, 12), (64, 1, 4, 3), {"padding": "same"}),
    "depthwise, tiny": (Depthwise, (64, 65, 3, 3), (65, 1, 3, 3), {"padding": 1}),
    "depthwise, one axis": (Depthwise, (4, 48, 130), (48, 1, 5), {"padding": 2, "stride": 2}),
    "unfolded": (Unfolded, (4, 3, 31, 32), (24, 3, 3, 3), {"padding": 1}),
    "unfolded, strided": (Unfolded, (4, 3, 33, 30), (24, 3, 4, 3), {"padding": 1, "stride": 3}),
    "unfolded, unread edge": (Unfolded, (4, 3, 34, 33), (24, 3, 2, 2), {"stride": 4}),
    "unfolded, dilated": (Unfolded, (4, 5, 30, 31), (24, 5, 3, 3), {"dilation": 3, "padding": 2}),
    "unfolded, groups": (Unfolded, (4, 12, 21, 20), (18, 4, 3, 3), {"padding": 1}),
    "unfolded, more filters": (Unfolded, (4, 16, 18, 17), (32, 1, 3, 3), {"stride": 2}),
    "unfolded, one axis": (Unfolded, (6, 6, 301), (12, 6, 7), {"padding": 3}),
    "blocks, patches": (Blockwise, (3, 24, 19, 18), (40, 24, 3, 3), {"padding": 1}),
    "blocks, small images": (Blockwise, (37, 72, 7, 5), (136, 72, 3, 3), {"padding": 1}),
    "blocks, few small images": (Blockwise, (5, 72, 7, 5), (136, 72, 3, 3), {"padding": 1}),
    "blocks, sums that are large": (Blockwise, (2, 96, 20, 20), (104, 96, 3, 3), {"padding": 1}),
    "blocks, strided": (Blockwise, (3, 24, 17, 20), (32, 24, 3, 5), {"stride": (2, 3)}),
    "blocks, strided, small": (Blockwise, (18, 48, 8, 9), (64, 48, 3, 3), {"stride": 2}),
    "blocks, unread edge": (Blockwise, (3, 24, 14, 15), (32, 24, 2, 2), {"stride": 3}),
    "blocks, dilated": (Blockwise, (3, 24, 17, 16), (32, 24, 3, 3), {"dilation": 2, "padding": 3}),
    "blocks, groups": (Blockwise, (3, 48, 12, 13), (64, 24, 3, 3), {"padding": (0, 2)}),
    "blocks, same": (Blockwise, (3, 24, 13, 12), (32, 24, 4, 3), {"padding": "same"}),
    "blocks, one axis": (Blockwise, (3, 24, 90), (32, 24, 5), {"padding": 2, "stride": 2}),
    "blocks, volumes": (Blockwise, (2, 8, 7, 8, 9), (16, 8, 3, 3, 3), {"padding": 1}),
    "blocks, channels of their own": (
        *(Blockwise, (3, 32, 33, 35), (32, 1, 3, 3)),
        {"stride": 3, "padding": 1},
    ),
}
TRANSPOSED: dict[str, tuple[type, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "pointwise": (Pointwise, (4, 40, 14, 13), (40, 24, 1, 1), {}),
    "depthwise": (Depthwise, (3, 48, 15, 16), (48, 1, 3, 3), {"padding": 1, "groups": 48}),
    "unfolded": (Unfolded, (3, 48, 15, 16), (48, 3, 4, 4), {"padding": 1, "stride": 2}),
    "blocks": (Blockwise, (3, 64, 10, 9), (64, 32, 4, 4), {"padding": 1, "stride": 2}),
    "blocks, from one place": (Blockwise, (20, 50, 1, 1), (50, 64, 4, 4), {}),
    "blocks, more behind": (
        *(Blockwise, (5, 64, 9, 8), (64, 24, 3, 3)),
        {"padding": 1, "stride": 2, "output_padding": 1},
    ),
    "blocks, groups, dilated": (
        *(Blockwise, (3, 64, 8, 9), (64, 12, 3, 3)),
        {"padding": 1, "dilation": 2, "groups": 4},
    ),
    "blocks, more cut off than reached": (Blockwise, (3, 24, 9, 9), (24, 32, 3, 3), {"padding": 3}),
    "blocks, one axis": (Blockwise, (3, 40, 70), (40, 32, 4), {"padding": 1, "stride": 2}),
}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type]]:
    """The classes that convolutions of this test run by; no kernel is known before."""
    found: list[type] = []
    choose = general_convolution._convolution

    def noted(*args: Any, **kwargs: Any) -> Any:
        made = choose(*args, **kwargs)
        found.append(type(made))
        return made

    monkeypatch.setattr(general_convolution, "_convolution", noted)
    eager._table.clear()
    yield found
    eager._table.clear()


def _convolve(library: Any, x: Any, w: Any, b: Any, settings: dict[str, Any]) -> Any:
    rank, groups = len(x.shape) - 2, x.shape[1] // w.shape[1]
    convolve = getattr(library.nn.functional, f"conv{rank}d")
    return convolve(x, w, b, groups=groups, **settings)


def _numbers(*shapes: tuple[int, ...], dtype: str = "float32", seed: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def _with_gradients(library: Any, arrays: list[np.ndarray], function: Any) -> list[np.ndarray]:
    """The value of a function and the gradients of its arguments for a fixed cotangent."""
    tensors = [library.from_numpy(a.copy()).requires_grad_() for a in arrays]
    value = function(*tensors)
    (cotangent,) = _numbers(tuple(value.shape), dtype=str(arrays[0].dtype), seed=9)
    value.backward(library.from_numpy(cotangent))
    return [value.detach().numpy(), *(t.grad.numpy() for t in tensors)]


def _assert_like_definition(arrays: list[np.ndarray], function: Any, rtol: float) -> None:
    made = _with_gradients(pellucid, arrays, function)
    pellucid.set_eager_kernels(False)
    try:
        known = _with_gradients(pellucid, arrays, function)
    finally:
        pellucid.set_eager_kernels(True)
    for a, b in zip(made, known, strict=True):
        assert_close(a, b, rtol=rtol, atol=rtol * float(np.abs(b).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_are_what_their_definition_says(
    name: str, dtype: str, chosen: list[type]
) -> None:
    kind, x, w, settings = CONVOLUTIONS[name]
    arrays = _numbers(x, w, w[:1], dtype=dtype)
    rtol = 2e-5 if dtype == "float32" else 1e-12

    def function(*tensors: Any) -> Any:
        return _convolve(pellucid, *tensors, settings)

    _assert_like_definition(arrays, function, rtol)
    assert chosen == [kind]


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    _, x, w, settings = CONVOLUTIONS[name]
    arrays = _numbers(x, w, w[:1], dtype="float64")
    for a, b in zip(
        *(
            _with_gradients(lib, arrays, lambda *t, lib=lib: _convolve(lib, *t, settings))
            for lib in (pellucid, torch)
        ),
        strict=True,
    ):
        assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_patches_that_are_multiplied_in_several_turns(
    chosen: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(general_blocks, "PATCH_BYTES", 3 << 20)
    for name in ("blocks, small images", "blocks, sums that are large"):
        _, x, w, settings = CONVOLUTIONS[name]
        arrays = _numbers((7 * x[0], *x[1:]), w)
        _assert_like_definition(
            arrays, lambda x, w, s=settings: _convolve(pellucid, x, w, None, s), 5e-5
        )
    assert set(chosen) == {Blockwise}


def _transposed(library: Any, x: Any, w: Any, b: Any, settings: dict[str, Any]) -> Any:
    convolve = getattr(library.nn.functional, f"conv_transpose{len(x.shape) - 2}d")
    return convolve(x, w, b, **settings)


def _arrays_of(name: str, dtype: str) -> list[np.ndarray]:
    _, x, w, settings = TRANSPOSED[name]
    return _numbers(x, w, (w[1] * settings.get("groups", 1),), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions_are_what_their_definition_says(
    name: str, dtype: str, chosen: list[type]
) -> None:
    kind, *_, settings = TRANSPOSED[name]
    rtol = 2e-5 if dtype == "float32" else 1e-12

    def function(*tensors: Any) -> Any:
        return _transposed(pellucid, *tensors, settings)

    _assert_like_definition(_arrays_of(name, dtype), function, rtol)
    assert chosen == [kind]


@pytest.mark.parity
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    arrays, settings = _arrays_of(name, "float64"), TRANSPOSED[name][3]
    ours, theirs = (
        _with_gradients(lib, arrays, lambda *t, lib=lib: _transposed(lib, *t, settings))
        for lib in (pellucid, torch)
    )
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "name", ["pointwise", "depthwise, strided", "unfolded, strided", "blocks, strided"]
)
def test_second_derivatives(name: str, chosen: list[type]) -> None:
    kind, x, w, settings = CONVOLUTIONS[name]
    arrays = _numbers(x, w, dtype="float64")

    def curvature(x: Any, w: Any) -> Any:
        value = (_convolve(pellucid, x, w, None, settings) ** 3).sum()
        to_x, to_w = pellucid.autograd.grad(value, [x, w], create_graph=True)
        return (to_x * to_x).sum() + (to_w * to_w).sum()

    _assert_like_definition(arrays, curvature, 1e-11)
    assert kind in chosen


@pytest.mark.parametrize(
    "name", ["pointwise", "depthwise", "unfolded", "unfolded, groups", "blocks, patches"]
)
def test_operands_of_any_order_in_memory(name: str, chosen: list[type]) -> None:
    kind, x, w, settings = CONVOLUTIONS[name]
    shape = (x[0], *x[2:], x[1])
    arrays = _numbers(shape, (*w[::-1],))

    def function(x: Any, w: Any) -> Any:
        moved = x.permute(0, len(shape) - 1, *range(1, len(shape) - 1))
        y = _convolve(pellucid, moved, w.permute(*range(len(shape))[::-1]), None, settings)
        return y.transpose(0, 1) * 2.0

    _assert_like_definition(arrays, function, 2e-5)
    assert chosen[0] is kind


def test_an_image_without_a_batch_axis(chosen: list[type]) -> None:
    arrays = _numbers((16, 60, 50), (16, 1, 3, 3), (16,))
    _assert_like_definition(arrays, lambda x, w, b: F.conv2d(x, w, b, groups=16), 2e-5)
    arrays = _numbers((24, 60, 50), (16, 24, 1, 1))
    _assert_like_definition(arrays, lambda x, w: F.conv2d(x, w), 2e-5)
    assert chosen == [Depthwise, Pointwise]


def test_narrow_operands_are_computed_in_float32(chosen: list[type]) -> None:
    x, w = (
        pellucid.from_numpy(a).to(pellucid.bfloat16)
        for a in _numbers((4, 32, 20, 20), (32, 1, 3, 3))
    )
    made = F.conv2d(x, w, groups=32)
    wide = F.conv2d(x.float(), w.float(), groups=32)
    assert made.dtype is pellucid.bfloat16 and chosen[0] is Depthwise
    assert_close(made.float(), wide.to(pellucid.bfloat16).float(), rtol=0, atol=0)


def test_no_images(chosen: list[type]) -> None:
    x, w = pellucid.zeros(0, 32, 40, 40, requires_grad=True), pellucid.ones(32, 1, 3, 3)
    y = F.conv2d(x, w, groups=32)
    y.sum().backward()
    assert y.shape == (0, 32, 38, 38) and x.grad is not None and x.grad.shape == x.shape


def test_only_what_needs_a_gradient_is_computed() -> None:
    x, w, b = (pellucid.from_numpy(a) for a in _numbers((4, 32, 20, 20), (32, 1, 3, 3), (32,)))
    b.requires_grad_()
    y = F.conv2d(x, w, b, groups=32)
    x.add_(1.0)  # read by the gradient of the weight alone
    y.sum().backward()
    assert x.grad is None and w.grad is None
    assert_close(b.grad, np.full(32, 4 * 18 * 18, np.float32))


def test_an_operand_that_was_overwritten_is_an_error() -> None:
    x, w = (pellucid.from_numpy(a) for a in _numbers((4, 32, 20, 20), (32, 1, 3, 3)))
    w.requires_grad_()
    y = F.conv2d(x, w, groups=32)
    x.add_(1.0)
    with pytest.raises(pellucid.base.errors.AutogradError):
        y.sum().backward()


# ---- normalization ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 40, 11, 13), (5, 33, 131), (64, 65, 2, 2), (3, 8, 9, 9, 9)])
@pytest.mark.parametrize("given", ["both", "scale", "none"])
def test_batch_norm_is_what_its_definition_says(
    shape: tuple[int, ...], given: str, dtype: str
) -> None:
    vectors = {"both": 2, "scale": 1, "none": 0}[given]
    arrays = _numbers(shape, *[shape[1:2]] * vectors, dtype=dtype)
    arrays[0] = arrays[0] * 3 + 5

    def function(x: Any, *rest: Any) -> Any:
        weight, bias = (*rest, None, None)[:2]
        return F.batch_norm(x, None, None, weight, bias, training=True)

    _assert_like_definition(arrays, function, 5e-5 if dtype == "float32" else 1e-11)


def test_running_statistics_are_those_of_numpy() -> None:
    (x,) = _numbers((16, 24, 9, 10))
    layer = nn.BatchNorm2d(24, momentum=0.25)
    layer(pellucid.from_numpy(x * 2 + 1))
    mean, variance = (x * 2 + 1).mean((0, 2, 3)), (x * 2 + 1).var((0, 2, 3), ddof=1)
    assert_close(layer.running_mean, 0.25 * mean, rtol=1e-5)
    assert_close(layer.running_var, 0.75 + 0.25 * variance, rtol=1e-5)


# ---- what is compiled ------------------------------------------------------------------------


def _network() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.Conv2d(16, 48, 1, bias=False),
        nn.BatchNorm2d(48),
        nn.Conv2d(48, 48, 3, 2, 1, groups=48, bias=False),
        nn.BatchNorm2d(48),
        nn.Conv2d(48, 24, 1, bias=False),
        nn.BatchNorm2d(24),
    )


def _deep_network() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.Conv2d(64, 128, 3, 2, padding=1),
        nn.Conv2d(128, 96, 3, padding=1),
        nn.Conv2d(96, 16, 5, padding=2),
        nn.ConvTranspose2d(16, 32, 4, 2, 1),
    )


def _gradients(model: Any, batch: int) -> list[np.ndarray]:
    (x,) = _numbers((batch, 3, 24, 24))
    model.zero_grad()
    (model(pellucid.from_numpy(x)) ** 2).mean().backward()
    return [p.grad.numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("network", [_network, _deep_network])
@pytest.mark.parametrize("batches", [(16, 23, 32, 41), (3, 1, 2, 15)])
def test_another_batch_size_compiles_and_plans_nothing(
    network: Callable[[], Any], batches: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small images come in blocks where there are 16; a batch of fewer has another kernel."""
    pellucid.manual_seed(0)
    model = network()

    def run(batch: int) -> None:
        y = model(pellucid.from_numpy(_numbers((batch, 3, 24, 24))[0]))
        y.backward(pellucid.from_numpy(_numbers(tuple(y.shape))[0]))

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("compiled")

    run(batches[0])
    monkeypatch.setattr(engine, "compile_kernel", refused)
    monkeypatch.setattr(executable, "Analysis", refused)
    for batch in batches[1:]:
        run(batch)


@pytest.mark.parametrize("network", [_network, _deep_network])
def test_bits_do_not_depend_on_the_number_of_threads(network: Callable[[], Any]) -> None:
    pellucid.manual_seed(0)
    model, before = network(), pellucid.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            pellucid.set_num_threads(threads)
            found.append(_gradients(model, 13))
    finally:
        pellucid.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_numbers_that_are_not_finite_stay_where_they_are_read() -> None:
    """Values in the frame and between rows are computed in vain and must not spread."""
    (x,) = _numbers((2, 64, 12, 12))
    x[0, 3, 5, 11] = np.inf
    w = pellucid.ones(64, 1, 3, 3)
    y = F.conv2d(pellucid.from_numpy(x), w, padding=1, groups=64).numpy()
    touched = np.zeros((12, 12), bool)
    touched[4:7, 10:12] = True
    assert np.array_equal(~np.isfinite(y[0, 3]), touched)
    assert np.isfinite(np.delete(y[0], 3, 0)).all() and np.isfinite(y[1]).all()


# ---- updates of many parameters --------------------------------------------------------------

SHAPES = [(30, 50), (64,), (12, 10, 3), (3,), (200, 30), (7, 1), (2,), (40, 40), (33,), (), (64, 9)]
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_equal_parts_planned_once_update_as_ever(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Bit for bit, and with the plans of as few arrays as there are kinds of them."""
    plan = executable.plan_of_equal_parts
    found, repeated = [], []
    for turn, spares in enumerate((True, False)):

        def spared(*args: Any, spares: bool = spares) -> Any:
            made = plan(*args) if spares else None
            repeated.append(made is not None)
            return made

        monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / str(turn)))
        monkeypatch.setattr(executable, "plan_of_equal_parts", spared)
        pellucid.clear_caches()
        pellucid.manual_seed(0)
        parameters = [nn.Parameter(pellucid.randn(shape)) for shape in SHAPES * 2]
        optimizer = OPTIMIZERS[name](parameters)
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = pellucid.randn(parameter.shape)
            optimizer.step()
        found.append([p.detach().numpy().copy() for p in parameters])
    assert any(repeated)
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
