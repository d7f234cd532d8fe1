"""``out=``: results written into tensors that are there."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.nn.functional as F  # noqa: N812  (its usual name)
from helpers import assert_close
from pellucid.base.errors import (
    ArgumentTypeError,
    AutogradError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TraceError,
)
from pellucid.tensor.vocabulary import names_with

X = np.array([[0.3, 0.6, 0.2], [0.9, 0.1, 0.5]], np.float32)
WHOLE = np.array([[3, 6, 2], [9, 1, 5]])

CALLS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    **dict.fromkeys(
        "addbmm baddbmm".split(), lambda m: (m.ones(2, 2), m.ones(2, 2, 3), m.ones(2, 3, 2))
    ),
    **dict.fromkeys(
        "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm".split(),
        lambda m: (m.tensor(WHOLE), m.tensor(WHOLE)),
    ),
    **dict.fromkeys(
        "clamp clip clamp_max clamp_min hardshrink".split(), lambda m: (m.tensor(X), 0.4)
    ),
    **dict.fromkeys(
        "cummax cummin cumprod cumsum diff kthvalue logcumsumexp log_softmax logsumexp max sum "
        "median min mode nanmedian prod softmax sort topk".split(),
        lambda m: (m.tensor(X), 1),
    ),
    **dict.fromkeys("dot vdot outer ger inner".split(), lambda m: (m.tensor(X[0]), m.ones(3))),
    **dict.fromkeys("mm matmul".split(), lambda m: (m.tensor(X), m.ones(3, 2))),
    **dict.fromkeys("bmm".split(), lambda m: (m.tensor(X)[None], m.ones(1, 3, 2))),
    **dict.fromkeys("addcdiv addcmul lerp".split(), lambda m: (m.tensor(X),) * 3),
    **dict.fromkeys(
        "cholesky cholesky_inverse inverse slogdet".split(), lambda m: (m.eye(2) * 4,)
    ),
    **dict.fromkeys(
        "scatter scatter_add".split(),
        lambda m: (m.tensor(X), 1, m.tensor([[0], [2]]), m.ones(2, 1)),
    ),
    **dict.fromkeys(
        "index_add index_copy".split(),
        lambda m: (m.ones(2, 3), 0, m.tensor([1]), m.tensor(X[:1])),
    ),
    "addmm": lambda m: (m.ones(2, 2), m.tensor(X), m.ones(3, 2)),
    "addmv": lambda m: (m.ones(2), m.tensor(X), m.ones(3)),
    "addr": lambda m: (m.ones(2, 3), m.ones(2), m.ones(3)),
    "as_strided_scatter": lambda m: (m.tensor(X), m.ones(2), (2,), (3,)),
    "bitwise_not": lambda m: (m.tensor(WHOLE),),
    "bucketize": lambda m: (m.tensor(X), m.tensor([0.2, 0.5])),
    "cholesky_solve": lambda m: (m.ones(2, 1), m.eye(2)),
    "cross": lambda m: (m.tensor(X), m.ones(2, 3)),
    "geqrf": lambda m: (m.tensor(X),),
    "lu": lambda m: (m.tensor(X),),
    "lu_solve": lambda m: (m.ones(2, 1), *m.linalg.lu_factor(m.tensor(X[:, :2]))),
    "orgqr": lambda m: tuple(m.geqrf(m.tensor(X).mT)),
    "ormqr": lambda m: (*m.geqrf(m.tensor(X).mT), m.ones(3, 2)),
    "qr": lambda m: (m.tensor(X),),
    "svd": lambda m: (m.tensor(X),),
    "gather": lambda m: (m.tensor(X), 1, m.tensor([[0], [2]])),
    "histogram": lambda m: (m.tensor(X), 4),
    "index_reduce": lambda m: (m.ones(2, 3), 0, m.tensor([1]), m.tensor(X[:1]), "prod"),
    "index_select": lambda m: (m.tensor(X), 1, m.tensor([2, 0])),
    "masked_select": lambda m: (m.tensor(X), m.tensor(X > 0.4)),
    "matrix_power": lambda m: (m.eye(2) * 2, 3),
    "mv": lambda m: (m.tensor(X), m.ones(3)),
    "mvlgamma": lambda m: (m.tensor(X) + 2, 2),
    "nanquantile": lambda m: (m.tensor(X), 0.5),
    "narrow_copy": lambda m: (m.tensor(X), 1, 1, 2),
    "quantile": lambda m: (m.tensor(X), 0.5),
    "renorm": lambda m: (m.tensor(X), 2, 0, 0.5),
    "scatter_reduce": lambda m: (m.tensor(X), 1, m.tensor([[0], [2]]), m.ones(2, 1), "sum"),
    "slice_scatter": lambda m: (m.tensor(X), m.ones(2, 1), 1, 0, 1),
    "take": lambda m: (m.tensor(X), m.tensor([0, 4])),
    "take_along_dim": lambda m: (m.tensor(X), m.tensor([[0], [2]]), 1),
    "triangular_solve": lambda m: (m.ones(2, 1), m.eye(2)),
}  # fmt: skip
"""Arguments of the functions that are not given by one or two tensors of one shape."""

ONE = set(
    "abs absolute acos all amax amin aminmax angle any arccos arcsin arcsinh arctan arctanh argmax "
    "argmin asin asinh atan atanh ceil conj_physical cos cosh deg2rad diag digamma erf erfc erfinv "
    "exp exp2 expm1 fix floor frac frexp histc i0 isneginf isposinf lgamma log log10 log1p log2 "
    "logical_not logit mean msort nan_to_num nanmean nansum neg negative nonzero norm rad2deg "
    "reciprocal round rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square std tan tanh "
    "tril triu trunc var".split()
)

ELSEWHERE: list[Callable[[Any, Any], Any]] = [
    lambda m, out: m.arange(5.0, out=out),
    lambda m, out: m.cat([m.ones(2), m.zeros(3)], out=out),
    lambda m, out: m.column_stack([m.ones(2), m.zeros(2)], out=out),
    lambda m, out: m.dstack([m.ones(2), m.zeros(2)], out=out),
    lambda m, out: m.eye(3, out=out),
    lambda m, out: m.full((2, 2), 7.0, out=out),
    lambda m, out: m.hstack([m.ones(2), m.zeros(2)], out=out),
    lambda m, out: m.linspace(0, 1, 5, out=out),
    lambda m, out: m.logspace(0, 1, 5, out=out),
    lambda m, out: m.ones(2, 3, out=out),
    lambda m, out: m.polygamma(1, m.tensor(X), out=out),
    lambda m, out: m.stack([m.ones(2), m.zeros(2)], out=out),
    lambda m, out: m.tensordot(m.tensor(X), m.ones(3, 4), 1, out=out),
    lambda m, out: m.vstack([m.ones(2), m.zeros(2)], out=out),
    lambda m, out: m.where(m.tensor(X > 0.4), m.tensor(X), m.ones(2, 3), out=out),
    lambda m, out: m.zeros(2, 3, out=out),
    lambda m, out: m.nn.functional.avg_pool2d(m.ones(1, 1, 4, 4), 2, out=out),
    lambda m, out: m.nn.functional.avg_pool3d(m.ones(1, 1, 4, 4, 4), 2, out=out),
    lambda m, out: m.nn.functional.gelu(m.tensor(X), out=out),
    lambda m, out: m.nn.functional.linear(m.tensor(X), m.ones(4, 3), out=out),
    lambda m, out: m.nn.functional.logsigmoid(m.tensor(X), out=out),
    lambda m, out: m.nn.functional.normalize(m.tensor(X), out=out),
    lambda m, out: m.nn.functional.softplus(m.tensor(X), out=out),
    lambda m, out: m.nn.functional.softshrink(m.tensor(X), out=out),
]


def _arguments(name: str, module: Any) -> tuple[Any, ...]:
    if name in CALLS:
        return CALLS[name](module)
    if name in ("acosh", "arccosh"):
        return (module.tensor(X) + 1,)
    if name == "nonzero_static":
        return (module.tensor(X),)
    return (module.tensor(X),) * (1 if name in ONE else 2)


def _keywords(name: str) -> dict[str, Any]:
    return {"size": 6} if name == "nonzero_static" else {}


@pytest.mark.parametrize("name", names_with("out"))
def test_functions_write_what_they_return(name: str) -> None:
    """The same values as without ``out``, which is what comes back; eager and compiled."""
    function, keywords = getattr(pellucid, name), _keywords(name)
    arguments = _arguments(name, pellucid)
    expected = function(*arguments, **keywords)
    several = not isinstance(expected, pellucid.Tensor)
    targets = [pellucid.zeros_like(e) for e in (expected if several else [expected])]
    memory = [t.detach() for t in targets]
    given = tuple(targets) if several else targets[0]
    returned = function(*arguments, **keywords, out=given)
    for target, shown, value, result in zip(
        targets,
        memory,
        expected if several else [expected],
        returned if several else [returned],
        strict=True,
    ):
        assert result is target
        assert_close(target, value, 0, 0, name)
        assert_close(shown, value, 0, 0, name)


@pytest.mark.parametrize("name", ["add", "matmul", "topk", "sum", "clamp", "index_add"])
def test_compiled_functions_write_what_they_return(name: str) -> None:
    arguments = _arguments(name, pellucid)
    function = getattr(pellucid, name)
    expected = function(*arguments)
    several = not isinstance(expected, pellucid.Tensor)
    targets = [pellucid.zeros_like(e) for e in (expected if several else [expected])]

    @pellucid.compile
    def step(*tensors: Any) -> Any:
        function(*arguments, out=tensors if several else tensors[0])
        return tensors[0] + 0

    for _ in range(2):
        seen = step(*targets)
        for target, value in zip(targets, expected if several else [expected], strict=True):
            assert_close(target, value, 1e-6, 0, name)
        assert_close(seen, targets[0], 0, 0, name)
        targets[0].zero_()


@pytest.mark.parametrize("place", range(len(ELSEWHERE)))
def test_other_functions_write_what_they_return(place: int) -> None:
    call = ELSEWHERE[place]
    expected = call(pellucid, None)
    out = pellucid.empty(0)
    assert call(pellucid, out) is out
    assert_close(out, expected, 0, 0)


@pytest.mark.parametrize("name", ["rand", "randn", "randint", "randperm", "normal", "multinomial"])
def test_random_functions_write_what_they_draw(name: str) -> None:
    arguments: tuple[Any, ...] = {
        "randint": (9, (4,)), "randperm": (4,), "normal": (0.0, 1.0, (4,)),
        "multinomial": (pellucid.ones(4), 4),
    }.get(name, (4,))  # fmt: skip
    whole = name in ("randint", "randperm", "multinomial")
    out = pellucid.zeros(4, dtype=pellucid.int64 if whole else pellucid.float32)
    pellucid.manual_seed(3)
    expected = getattr(pellucid, name)(*arguments)
    pellucid.manual_seed(3)
    assert getattr(pellucid, name)(*arguments, out=out) is out
    assert_close(out, expected, 0, 0)


def test_operands_may_be_overwritten() -> None:
    x = pellucid.arange(4.0).reshape(2, 2)
    pellucid.mm(x, x, out=x)
    assert_close(x, np.array([[2.0, 3.0], [6.0, 11.0]]))
    line = pellucid.arange(4.0)
    pellucid.add(line[1:], line[:-1], out=line[1:])
    assert_close(line, np.array([0.0, 1.0, 3.0, 5.0]))


def test_wider_and_narrower_dtypes() -> None:
    x = pellucid.tensor(X)
    wide = pellucid.zeros(2, 3, dtype=pellucid.float64)
    assert_close(pellucid.exp(x, out=wide), np.exp(X), 1e-6)
    assert wide.dtype is pellucid.float64
    # Where there is a dtype argument, that of out is meant.
    exact = pellucid.zeros((), dtype=pellucid.float64)
    assert pellucid.sum(x, (0, 1), out=exact).item() == X.astype(np.float64).sum()
    assert pellucid.zeros(3, out=pellucid.ones(3, dtype=pellucid.int64)).dtype is pellucid.int64
    with pytest.raises(InPlaceError, match="result type Float can't be cast .* type Long"):
        pellucid.add(x, x, out=pellucid.zeros(2, 3, dtype=pellucid.int64))
    with pytest.raises(InPlaceError, match="can't be cast .* type Bool"):
        pellucid.add(x.long(), 1, out=pellucid.zeros(2, 3, dtype=pellucid.bool))
    with pytest.raises(DTypeError, match="does not match dtype of out parameter"):
        pellucid.zeros(3, dtype=pellucid.int64, out=pellucid.ones(3))


def test_other_shapes_are_resized() -> None:
    out = pellucid.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pellucid.add(pellucid.ones(2, 2), 1, out=out)
    assert out.shape == (2, 2)
    with pytest.warns(UserWarning, match=r"resized since it had shape \[2, 2\]"):
        pellucid.add(pellucid.ones(3), 1, out=out)
    assert_close(out, np.full(3, 2.0))
    values, places = pellucid.empty(0), pellucid.empty(0, dtype=pellucid.int64)
    pellucid.topk(pellucid.arange(5.0), 2, out=(values, places))
    assert values.tolist() == [4, 3] and places.tolist() == [4, 3]


def test_resizing_in_a_compiled_function() -> None:
    @pellucid.compile
    def inside(x: Any) -> Any:
        out = pellucid.empty(0)
        pellucid.mul(x, 2, out=out)
        return out

    assert inside(pellucid.ones(3)).tolist() == [2, 2, 2]

    @pellucid.compile
    def outside(x: Any, out: Any) -> Any:
        return pellucid.mul(x, 2, out=out)

    given = pellucid.empty(0)
    assert outside(pellucid.ones(3), given) is given and given.tolist() == [2, 2, 2]

    state = pellucid.empty(0)
    with pytest.raises(TraceError, match=r"an out of shape \(0,\) from outside"):
        pellucid.compile(lambda x: pellucid.mul(x, 2, out=state))(pellucid.ones(3))


def test_what_cannot_be_written_to() -> None:
    x = pellucid.ones(3)
    learned = pellucid.ones(3, requires_grad=True)
    for call in (
        lambda: pellucid.add(learned, 1, out=pellucid.zeros(3)),
        lambda: pellucid.add(x, 1, out=learned),
    ):
        with pytest.raises(AutogradError, match="don't support automatic differentiation"):
            call()
    with pellucid.no_grad():
        assert pellucid.add(learned, 1, out=pellucid.zeros(3)).tolist() == [2, 2, 2]
    # What has no gradient needs none.
    assert pellucid.gt(learned, 0, out=pellucid.zeros(3, dtype=pellucid.bool)).all()
    with pytest.raises(ShapeError, match="refers to a single memory location"):
        pellucid.add(x, 1, out=pellucid.zeros(1).expand(3))
    for call in (
        lambda: pellucid.add(x, 1, out="x"),
        lambda: pellucid.max(x, 0, out=pellucid.zeros(())),
        lambda: pellucid.max(x, 0, out=(pellucid.zeros(()),)),
        lambda: pellucid.max(x, 0, out=(None, None)),
    ):
        with pytest.raises(ArgumentTypeError, match="out|tuple of 2 elements"):
            call()
    with pytest.raises(TypeError):
        x.add(1, out=x)  # type: ignore[call-arg]  # methods have none


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", names_with("out"))
def test_pytorch_takes_it_too(name: str) -> None:
    """Where there is an ``out`` here, PyTorch writes the same into its own."""
    torch = pytest.importorskip("torch")
    if name in ("cholesky", "triangular_solve", "slogdet", "lu", "qr", "svd"):
        return  # deprecated there, or only in linalg
    keywords = _keywords(name)
    ours = getattr(pellucid, name)(*_arguments(name, pellucid), **keywords)
    several = not isinstance(ours, pellucid.Tensor)
    kinds = [str(o.dtype).rpartition(".")[2] for o in (ours if several else [ours])]
    targets = tuple(torch.empty(0, dtype=getattr(torch, kind)) for kind in kinds)
    function = getattr(torch, name)
    function(*_arguments(name, torch), **keywords, out=targets if several else targets[0])
    for left, right in zip(ours if several else [ours], targets, strict=True):
        assert_close(left, right, 1e-4, 1e-5, name)


def test_functional_forms_take_it() -> None:
    out = pellucid.zeros(2, 3)
    assert F.hardshrink(pellucid.tensor(X), out=out) is out
