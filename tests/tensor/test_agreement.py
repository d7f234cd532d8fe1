"""Values, dtypes, shapes and refusals that agree with PyTorch's: a table, run in both libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import as_array, assert_close

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore::UserWarning")]

NAN, INF = float("nan"), float("inf")
X = [[0.5, -1.5, 2.0], [3.0, 0.0, -2.5]]

Call = Callable[[Any], Any]

VALUES: dict[str, list[Call]] = {
    "numbers without axes": [
        lambda m: m.tensor(3.0).gather(0, m.tensor([0, 0])),
        lambda m: m.tensor(3.0).gather(0, m.tensor(0)),
        lambda m: m.ones(5).gather(0, m.zeros(2, 0, dtype=m.int64)),
        lambda m: m.tensor(3.0).scatter(0, m.tensor([0]), m.tensor([5.0])),
        lambda m: m.ones(3).scatter(0, m.tensor(1), m.tensor(5.0)),
        lambda m: m.tensor(3.0).scatter_add(0, m.tensor(0), m.tensor(2.0)),
        lambda m: m.tensor(3.0).index_select(0, m.tensor([0])),
        lambda m: m.ones(2, 3).index_select(0, m.tensor(1)),
        lambda m: m.tensor(3.0).index_add(0, m.tensor([0]), m.tensor(2.0)),
        lambda m: m.tensor(3.0).index_copy(0, m.tensor([0]), m.tensor([2.0])),
        lambda m: m.tensor(3.0).index_fill(0, m.tensor([0]), 2),
        lambda m: m.tensor(3.0).index_reduce(0, m.tensor([0]), m.tensor(2.0), "prod"),
        lambda m: m.tensor(3.0).unfold(0, 1, 1),
        lambda m: m.tensor(3.0).unfold(0, 0, 1),
        lambda m: m.quantile(m.tensor(3.0), 0.5, dim=0),
        lambda m: m.nanquantile(m.tensor(3.0), 0.5, dim=0, keepdim=True),
        lambda m: m.nonzero(m.tensor(0.0)),
        lambda m: m.nonzero(m.tensor(2.0)),
        lambda m: m.nonzero(m.tensor(2.0), as_tuple=True)[0],
        lambda m: m.argwhere(m.tensor(2.0)),
        lambda m: m.tensor(3.0).masked_select(m.tensor(True)),
        lambda m: m.argmax(m.tensor(3.0), 0, keepdim=True),
        lambda m: m.argmin(m.tensor(3.0), 0, keepdim=True),
        lambda m: m.nn.functional.multilabel_margin_loss(m.tensor(2.0), m.tensor(0)),
        lambda m: m.nn.functional.multi_margin_loss(m.tensor(X[0]), m.tensor([1])),
        lambda m: m.repeat_interleave(m.tensor(3.0), 2),
    ],
    "joining and cutting": [
        lambda m: m.cat([m.tensor([]), m.ones(2, 3)]),
        lambda m: m.cat([m.tensor([]), m.ones(2, 3)], 1),
        lambda m: m.cat([m.zeros(0, dtype=m.float64), m.ones(2, 3)], 1),
        lambda m: m.cat([m.tensor([]), m.tensor([])]),
        lambda m: m.meshgrid([m.tensor([1.0, 2.0]), m.ones(3)], indexing="ij")[0],
        lambda m: m.meshgrid([m.tensor([1.0, 2.0]), m.ones(3)], indexing="xy")[0],
        lambda m: m.meshgrid(m.tensor(1.0), m.ones(2), indexing="xy")[1],
        lambda m: m.narrow(m.tensor(X), 1, m.tensor(1), 2),
        lambda m: m.tensor_split(m.tensor(X), m.tensor([1, 2]), 1)[1],
        lambda m: m.tensor_split(m.tensor(X), m.tensor(2), 1)[0],
        lambda m: m.tensor(X).masked_scatter(m.tensor([True, False, True]), m.arange(6.0)),
        lambda m: m.ones(3).masked_scatter(m.tensor(X) > 0, m.arange(6.0)),
        lambda m: m.diff(m.tensor(X), n=0, prepend=m.ones(2, 1)),
        lambda m: m.diff(m.tensor([True, False, False])),
        lambda m: m.tril_indices(3, 3, device="cpu"),
        lambda m: m.triu_indices(3, 2, -1, dtype=m.int32, device="cpu"),
        lambda m: m.block_diag(m.ones(1, 2).bfloat16(), m.ones(2, 1).bfloat16()),
        lambda m: m.diagonal_scatter(m.zeros(3, 3).bfloat16(), m.ones(3).bfloat16()),
    ],
    "requested dtypes": [
        lambda m: m.tensor([100, 100, 100]).sum(dtype=m.uint8),
        lambda m: m.tensor([1, 2]).sum(dtype=m.bool),
        lambda m: m.tensor([[3, 2], [5, 0]]).prod(1, dtype=m.int16),
        lambda m: m.tensor([True, True]).prod(0, dtype=m.bool),
        lambda m: m.tensor([1, 2, 3]).cumsum(0, dtype=m.int32),
        lambda m: m.tensor([1, 2, 3]).cumprod(0, dtype=m.uint8),
        lambda m: m.tensor([1, 2, 3]).mean(dtype=m.float64),
        lambda m: m.scalar_tensor(3, dtype=m.int32, device="cpu"),
        lambda m: m.zeros(2, 3).normal_().mul(0).add(m.normal(1.0, 0.0, (2, 3), dtype=m.float32)),
        lambda m: m.normal(m.ones(2).bfloat16(), 0.0),
    ],
    "integers": [
        lambda m: m.dot(m.tensor([1, 2], dtype=m.int32), m.tensor([3, 4], dtype=m.int32)),
        lambda m: m.vdot(*[m.tensor([20, 2], dtype=m.uint8)] * 2),
        lambda m: m.addmv(m.tensor([5]), m.tensor([[2, 3]]), m.tensor([1, 4]), beta=1.7, alpha=2.9),
        lambda m: m.addbmm(*(m.ones(*s, dtype=m.int32) for s in ((2, 2), (3, 2, 4), (3, 4, 2)))),
        lambda m: m.baddbmm(*(m.ones(2, 2, 2, dtype=m.int64) for _ in range(3)), beta=0.4),
        lambda m: m.nn.functional.relu6(m.tensor([-3, 4, 9])),
        lambda m: m.nn.functional.hardtanh(m.tensor([-3, 4, 9]), -2.5, 5.5),
        lambda m: m.nn.functional.hardtanh(m.tensor(X), 0.0, 0.0),
        lambda m: m.nn.functional.avg_pool1d(m.tensor([[-3, 4, 9, 1]]), 2),
        lambda m: m.nn.functional.avg_pool2d(m.arange(16).reshape(1, 4, 4), 3, 2, 1, True),
        lambda m: m.nn.functional.bilinear(
            *(m.ones(*s, dtype=m.int32) for s in ((3,), (4,), (5, 3, 4)))
        ),
        lambda m: m.square(m.tensor([True, False])),
        lambda m: m.sgn(m.tensor([True, False])),
        lambda m: m.any(m.tensor([0, 3], dtype=m.uint8)),
        lambda m: m.all(m.tensor([[0, 3]], dtype=m.uint8), 1),
        lambda m: m.pow(m.tensor([0, 1, -1, 2, -1, 3]), m.tensor([-1, -3, -3, -1, -2, 100])),
        lambda m: m.pow(m.tensor([3], dtype=m.uint8), 200),
        lambda m: 2 ** m.tensor([-1, 3, 62]),
        lambda m: m.div(m.tensor([2**62 + 1, -7]), m.tensor([1, 2]), rounding_mode="trunc"),
        lambda m: m.tensor([1], dtype=m.uint8) + 300,
        lambda m: m.tensor([255, 1], dtype=m.uint8) == -1,
        lambda m: m.arange(0.1, -7.9, -4.0, dtype=m.int32),
        lambda m: m.arange(0.0, -8.000001, -4.0, dtype=m.int64),
        lambda m: m.linspace(4.3, 1, 50, dtype=m.int64),
        lambda m: m.logspace(2, 1.2, 2, dtype=m.int64),
        lambda m: m.sort(m.tensor([True, False, True]), descending=True).values,
        lambda m: m.trapezoid(m.tensor([200, 100], dtype=m.uint8)),
    ],
    "numbers at the edge": [
        lambda m: m.sign(m.tensor([NAN, -0.0, -2.0])),
        lambda m: m.heaviside(m.tensor([NAN, 0.0, 1.0]), m.tensor([5.0, 6.0, 7.0])),
        lambda m: m.clamp(m.tensor([1.0, 2.0]), max=NAN),
        lambda m: m.clamp(m.tensor([1.0, 2.0]), m.tensor([NAN, 0.0]), m.tensor([3.0, NAN])),
        lambda m: m.clamp_min(m.tensor([1.0]), NAN),
        lambda m: m.addmm(m.full((1, 1), NAN), m.ones(1, 1), m.ones(1, 1), beta=0),
        lambda m: m.addr(m.full((1, 1), INF), m.ones(1), m.ones(1), beta=0),
        lambda m: m.addmv(m.full((2,), NAN), m.ones(2, 2), m.ones(2), beta=0, alpha=3),
        lambda m: m.polygamma(4, m.tensor([-1001.2, -0.3, 0.0, -3.0, 2.5]).double()),
        lambda m: m.polygamma(3, m.tensor([-1001.2, -0.3, 0.0, -3.0, 2.5]).double()),
        lambda m: m.polygamma(1, m.tensor([-9.25, 3.0]).bfloat16()),
        lambda m: m.histogram(m.zeros(0), 2).bin_edges,
        lambda m: m.nextafter(m.tensor([1.0, 0.0, -2.0]).bfloat16(), m.tensor([INF]).bfloat16()),
        lambda m: m.nextafter(m.tensor([1.0, 0.0]).half(), m.tensor([-INF]).half()),
    ],
    "bfloat16 in order": [
        lambda m: m.searchsorted(
            m.tensor([-2.0, -1, 1, 3]).bfloat16(), m.tensor([0.0, -5]).bfloat16()
        ),
        lambda m: m.bucketize(m.tensor([0.0, -5]).bfloat16(), m.tensor([-2.0, 3]).bfloat16()),
        lambda m: m.unique(m.tensor([1.0, -8.5, 3, 1]).bfloat16()),
        lambda m: m.unique_consecutive(m.tensor([-8.5, -8.5, 3]).bfloat16()),
    ],
    "combined at places": [
        lambda m: m.tensor([0, 9, 9], dtype=m.uint8).scatter_reduce(
            0, m.tensor([0, 1]), m.tensor([6, 6], dtype=m.uint8), "amin"
        ),
        lambda m: m.tensor([True, True]).scatter_reduce(
            0, m.tensor([0]), m.tensor([False]), "amin"
        ),
        lambda m: m.tensor([1.0, 4.0]).bfloat16().scatter_reduce(
            0, m.tensor([0, 0]), m.tensor([6.0, 8.0]).bfloat16(), "amax", include_self=False
        ),
        lambda m: m.tensor([1.0, 4.0]).half().index_reduce(
            0, m.tensor([0, 0]), m.tensor([6.0, 8.0]).half(), "mean"
        ),
        lambda m: m.tensor([5], dtype=m.uint8).index_add(
            0, m.tensor([0]), m.tensor([2], dtype=m.uint8), alpha=-1
        ),
    ],
    "statistics": [
        lambda m: m.var_mean(m.tensor(X), True)[0],
        lambda m: m.std_mean(m.tensor(X), dim=1, unbiased=False, keepdim=True)[0],
        lambda m: m.std(m.tensor(X), correction=None),
        lambda m: m.cov(m.tensor(X), fweights=m.tensor([1, 2, 3])),
        lambda m: m.cov(m.tensor(X), aweights=m.tensor([0.5, 2.0, 1.0]), correction=0),
        lambda m: m.cov(
            m.tensor(X), fweights=m.tensor([1, 2, 3]), aweights=m.tensor([0.5, 2.0, 1.0])
        ),
        lambda m: m.corrcoef(m.tensor(X[:1])),
        lambda m: m.nn.functional.batch_norm(m.zeros(0), m.zeros(0), m.zeros(0) + 1),
        lambda m: m.nn.functional.feature_alpha_dropout(m.ones(5), training=False),
        lambda m: m.nn.functional.cross_entropy(
            m.tensor(X).bfloat16(), m.tensor([0, 2]), weight=m.tensor([1.0, 2, 3]).bfloat16()
        ),
    ],
}  # fmt: skip
"""What is right → calls that show it."""

CASES = [(kind, i) for kind, calls in VALUES.items() for i in range(len(calls))]


def _agree(got: Any, want: Any, what: str) -> None:
    name = str(want.dtype).rpartition(".")[2]
    assert str(got.dtype).rpartition(".")[2] == name, what
    narrow = name in ("bfloat16", "float16")
    if narrow:
        got, want = got.float(), want.float()
    assert_close(got, want, 1e-2 if narrow else 2e-5, 1e-7, what)


@pytest.mark.parametrize(("kind", "place"), CASES)
def test_values_agree(kind: str, place: int) -> None:
    call = VALUES[kind][place]
    _agree(call(pellucid), call(torch), kind)


@pytest.mark.parametrize("kind", ["integers", "numbers at the edge", "combined at places"])
def test_compiled_programs_agree_too(kind: str) -> None:
    skipped = {10, 11, 12, 13}  # kinds whose values have to be known: nextafter, edges of data
    for place, call in enumerate(VALUES[kind]):
        if kind == "numbers at the edge" and place in skipped:
            continue
        _agree(pellucid.compile(lambda call=call: call(pellucid))(), call(torch), f"{kind} {place}")


REFUSED: list[Call] = [
    lambda m: m.rot90(m.ones(2, 2), dims=(1, 1)),
    lambda m: m.roll(m.ones(2), ()),
    lambda m: m.roll(m.ones(2, 2), (1, 2), (0,)),
    lambda m: m.movedim(m.ones(1, 2, 3), (1, 0, 2), (0, 2, -3)),
    lambda m: m.diag(m.ones(1, 2, 3)),
    lambda m: m.trace(m.ones(3, 4, 5)),
    lambda m: m.flipud(m.tensor(1.0)),
    lambda m: m.fliplr(m.ones(3)),
    lambda m: m.hsplit(m.ones(2, 4), 0),
    lambda m: m.vsplit(m.ones(4, 2), 3),
    lambda m: m.diff(m.ones(3), -1),
    lambda m: m.renorm(m.tensor(1.0), 0.5, 0, 1.0),
    lambda m: m.mean(m.tensor([1, 2])),
    lambda m: m.mean(m.ones(2, 2, dtype=m.int64), []),
    lambda m: -m.tensor([True]),
    lambda m: m.isclose(m.ones(1), m.ones(1), rtol=-0.4),
    lambda m: m.masked_fill(m.ones(2), m.tensor([True, False]), m.ones(1)),
    lambda m: m.mm(m.ones(2, 2, 2), m.ones(2, 2)),
    lambda m: m.bmm(m.ones(2, 2), m.ones(2, 2)),
    lambda m: m.mv(m.ones(2, 2), m.ones(2, 2)),
    lambda m: m.dot(m.ones(2), m.ones(2).double()),
    lambda m: m.outer(m.ones(2, 2), m.ones(2)),
    lambda m: m.cross(m.ones(4, 3), m.ones(3)),
    lambda m: m.cov(m.ones(3), fweights=m.tensor([-1, 2, 1])),
    lambda m: m.logspace(m.tensor([1, 1]), m.tensor([3, 3]), 1),
    lambda m: m.narrow(m.ones(3), 0, m.tensor(True), 1),
    lambda m: m.narrow(m.tensor(1.0), 0, 0, 1),
    lambda m: m.bucketize(m.ones(2), m.ones(2, 2)),
    lambda m: m.cat([m.tensor(1.0), m.ones(1)]),
    lambda m: m.pow(m.tensor([2]), -1),
    lambda m: m.nn.functional.prelu(m.ones(2, 8, 3), m.ones(2, 4)),
    lambda m: m.nn.functional.rrelu(m.ones(2), 0.3, 0.1),
    lambda m: m.nn.functional.embedding(m.tensor([0]), m.ones(1, 1, 1)),
    lambda m: m.nn.functional.cross_entropy(m.ones(2, 3), m.ones(2, 3) / 3, ignore_index=1),
    lambda m: m.nn.functional.conv1d(
        m.ones(1, 1, 4, dtype=m.int64), m.ones(1, 1, 2, dtype=m.int64), m.ones(1)
    ),
    lambda m: m.ones(3).scatter(0, m.tensor([0]), m.ones(1).double()),
    lambda m: m.ones(3).index_add(0, m.tensor([0]), m.ones(1).double()),
    lambda m: m.ones(3).index_add(0, m.tensor([0, 1]), m.ones(3)),
    lambda m: m.ones(3).masked_scatter(m.tensor([True, True, True]), m.ones(2)),
    lambda m: m.tensor(1.0).index_select(0, m.tensor([0, 0])),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(REFUSED)))
def test_what_pytorch_refuses(place: int) -> None:
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)) as theirs:
        REFUSED[place](torch)
    with pytest.raises(pellucid.PellucidError) as ours:
        REFUSED[place](pellucid)
    assert isinstance(ours.value, type(theirs.value))


CONVOLUTIONS: list[Call] = [
    lambda m: m.nn.functional.conv1d(
        _whole(m, 2, 4, 9), _whole(m, 6, 2, 3), _whole(m, 6), 2, 1, 2, 2
    ),
    lambda m: m.nn.functional.conv2d(_whole(m, 1, 2, 5, 6), _whole(m, 3, 2, 2, 3), padding="same"),
    lambda m: m.nn.functional.conv3d(_whole(m, 2, 3, 4, 3), _whole(m, 1, 2, 1, 2, 2)),
    lambda m: m.nn.functional.conv_transpose1d(
        _whole(m, 2, 4, 5), _whole(m, 4, 3, 3), _whole(m, 6), 3, 2, 1, 2, 2
    ),
    lambda m: m.nn.functional.conv_transpose2d(
        _whole(m, 1, 2, 3, 4), _whole(m, 2, 3, 2, 3), None, 2
    ),
]  # fmt: skip


def _whole(module: Any, *shape: int) -> Any:
    rng = np.random.default_rng(len(shape))
    return module.tensor(rng.integers(-9, 9, shape))


@pytest.mark.parametrize("place", range(len(CONVOLUTIONS)))
def test_convolutions_of_integers(place: int) -> None:
    call = CONVOLUTIONS[place]
    _agree(call(pellucid), call(torch), "convolution")
    _agree(pellucid.compile(lambda: call(pellucid))(), call(torch), "compiled")


def test_gradients_that_are_zero_not_none() -> None:
    for call in (
        lambda m, x: m.div(x, 2.0, rounding_mode="floor"),
        lambda m, x: m.nextafter(x, x.detach() + 1),
        lambda m, x: m.addmm(x, m.ones(2, 2), m.ones(2, 3), beta=0),
    ):
        sides = []
        for module in (pellucid, torch):
            x = module.tensor(X, requires_grad=True)
            call(module, x).sum().backward()
            sides.append(x.grad)
        assert_close(sides[0], sides[1])


def test_the_incomplete_gamma_function_of_large_arguments() -> None:
    special = pytest.importorskip("scipy.special")
    for a in (1e5, 1e8, 1e30):
        x = np.concatenate([a + np.sqrt(a) * np.array([-30, -3, -0.1, 0, 1, 8]), [a / 2, a * 2, 1]])
        shape = pellucid.tensor(np.full(x.shape, a))
        lower = pellucid.igamma(shape, pellucid.tensor(x))
        upper = pellucid.igammac(shape, pellucid.tensor(x))
        assert_close(lower, special.gammainc(a, x), 1e-9, 1e-12)
        assert_close(upper, special.gammaincc(a, x), 1e-9, 1e-12)


def test_shapes_given_as_numbers() -> None:
    assert pellucid.broadcast_shapes((5, 1), 5) == (5, 5)
    assert pellucid.broadcast_shapes(3) == (3,)
    assert pellucid.broadcast_shapes([2, 1], (1, 4)) == (2, 4)


def test_activations_in_place() -> None:
    for name, settings in (
        ("relu_", ()), ("leaky_relu_", (0.1,)), ("elu_", (0.5,)), ("celu_", (0.5,)), ("selu_", ()),
        ("rrelu_", (0.1, 0.3, False)), ("threshold_", (0.2, 9.0)), ("hardtanh_", (-0.5, 0.7)),
    ):  # fmt: skip
        sides = []
        for module in (pellucid, torch):
            x = module.tensor(X)
            assert getattr(module.nn.functional, name)(x, *settings) is x
            sides.append(as_array(x))
        assert_close(sides[0], sides[1], what=name)


def test_interpolation_of_narrow_types_and_bytes() -> None:
    image = (np.arange(48) * 5 % 251).reshape(1, 1, 6, 8)
    for dtype in ("bfloat16", "float16", "uint8"):
        for mode in ("nearest", "nearest-exact") + (
            ("bilinear", "bicubic", "area") if dtype != "uint8" else ()
        ):
            sides = [
                module.nn.functional.interpolate(
                    module.tensor(image).to(getattr(module, dtype)), (3, 5), mode=mode
                )
                for module in (pellucid, torch)
            ]
            _agree(*sides, f"{dtype} {mode}")
