"""Complex numbers as PyTorch has them: dtypes, values, gradients, text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close
from pellucid.insight.weights import facts_of
from tensor.parity import compare, flatten, ours, theirs, torch

pytestmark = pytest.mark.parity

NAMES = ["bool", "uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("first", NAMES)
def test_promotion(first: str) -> None:
    def outcome(library: Any, second: str) -> list[str]:
        x = library.ones(2, dtype=getattr(library, first))
        y = library.ones(2, dtype=getattr(library, second))
        results = [x * y, x * y[0], x[0] * y, library.where(x.bool(), x, y)]
        return [str(r.dtype).rpartition(".")[2] for r in results]

    def with_number(library: Any, number: Any) -> str:
        x = library.ones(2, dtype=getattr(library, first))
        return str((x * number).dtype).rpartition(".")[2]

    for second in NAMES:
        assert outcome(pellucid, second) == outcome(torch, second), second
    for number in (2, 2.0, 2j):
        assert with_number(pellucid, number) == with_number(torch, number)


TEXTS = [
    [1 + 2j, -0.5],
    [[1e-6 + 1j, 2.0], [3.5j, -1e5]],
    [complex("nan"), complex(0, float("inf"))],
    [],
    1j,
    np.arange(2000) * (1 - 1j),
    [1 + 1j, 2 - 3j],
]


@pytest.mark.parametrize("values", TEXTS, ids=lambda v: str(np.asarray(v).shape))
def test_text(values: Any) -> None:
    array = np.asarray(values, np.complex64)
    expected = repr(torch.tensor(array)).replace("torch.", "pellucid.")
    assert repr(pellucid.tensor(array)) == expected
    wide = repr(torch.tensor(array.astype(np.complex128))).replace("torch.", "pellucid.")
    assert repr(pellucid.tensor(array.astype(np.complex128))) == wide


CASES: dict[str, Any] = {
    "arithmetic": lambda m, a, b: (a + b * 2j, a - b, a * b, a / b, -a, 1 / a, a**3, a**b),
    "powers": lambda m, a, b: (a**0.5, a**-2, a**2j, 2**a, (2j) ** b, a.float_power(2)),
    "parts": lambda m, a, b: (a.real, a.imag, a.abs(), a.angle(), a.sgn(), a.conj().imag, a.mH),
    "exponentials": lambda m, a, b: (a.exp(), a.log(), a.sqrt(), a.expm1(), a.log1p(), a.rsqrt()),
    "trigonometry": lambda m, a, b: (a.sin(), a.tan(), a.asin(), a.acos(), a.atan()),
    "hyperbolic": lambda m, a, b: (a.sinh(), a.tanh(), a.asinh(), a.acosh(), a.atanh()),
    "questions": lambda m, a, b: (a == b, a != a, a.isreal(), a.isfinite(), a.isinf(), a.isnan()),
    "sums": lambda m, a, b: (a.sum(), a.mean(0), a.cumsum(1), a.prod(1), a.cumprod(0)),
    "spread": lambda m, a, b: (a.var(), a.std(1), a.norm(), m.linalg.vector_norm(b, 1)),
    "products": lambda m, a, b: (a @ b.T, m.vdot(a[0], b[1]), m.einsum("ij,kj->ik", a, b)),
    "relatives": lambda m, a, b: (m.outer(a[0], b[0]), m.linalg.vecdot(a, b), m.kron(a, b)),
    "moves": lambda m, a, b: (a.T[::2], m.cat([a, b]), m.stack([a, b], -1), a.roll(1, 0), a.tril()),
    "places": lambda m, a, b: (
        a[[1, 0, 1]],
        a.index_add(0, m.tensor([1, 1]), b),
        a.scatter_add(1, m.tensor([[0, 2, 2], [1, 1, 0]]), b),
        a.masked_fill(a.real > 0, 1j),
        a.take_along_dim(m.tensor([[2], [0]]), 1),
    ),
    "choice": lambda m, a, b: (m.where(a.real > 0, a, b), m.where(a.imag > 0, a, 2.0)),
    "mixed": lambda m, a, b: (a.real * b, b + a.abs(), a.real @ b.real.T + 1j),
    "made": lambda m, a, b: (m.complex(a.real, b.imag), m.polar(a.abs(), b.real)),
    "logs": lambda m, a, b: (a.logsumexp(1), m.logaddexp(a, b), a.logcumsumexp(1), a.log2()),
    "layers": lambda m, a, b: (m.nn.functional.linear(a, b), a.sigmoid(), b.tanh()),
    "masked": lambda m, a, b: (
        m.masked.sum(a, 1, mask=b.real > 0),
        m.masked.prod(a, 1, mask=b.real > 0),
        m.masked.mean(a, mask=m.tensor([[True, False, True], [True, True, False]])),
        m.masked.var(a, 1, mask=m.tensor([[True, True, True], [True, True, False]])),
        m.masked.std(b, 0),
        m.masked.norm(a, 2.0, 1, mask=b.imag > -9),
        m.masked.normalize(a, 2.0, 1, mask=b.imag > -9),
        m.masked.logsumexp(a, 1, mask=m.tensor([[True, True, True], [True, True, False]])),
        m.masked.logsumexp(a.sum()),
    ),
    "conversions": lambda m, a, b: (a.cfloat(memory_format=m.preserve_format), b.cdouble()),
}


@pytest.mark.parametrize("single", [False, True], ids=["complex128", "complex64"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, single: bool, rng: np.random.Generator) -> None:
    arrays = [rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3)) for _ in range(2)]
    arrays = [a.astype("c8") for a in arrays] if single else arrays
    rtol, atol = (3e-4, 3e-5) if single else (1e-9, 1e-11)
    sides = []
    for library, make in ((pellucid, ours), (torch, theirs)):
        leaves = [make(a, True) for a in arrays]
        results = flatten(CASES[name](library, *leaves))
        total: Any = 0
        for k, result in enumerate(r for r in results if r.requires_grad):
            part = (result * (1 + 0.5 * k)).sum()
            total = total + (part.real + 0.7 * part.imag if result.is_complex() else part)
        if not isinstance(total, int):
            total.backward()
        sides.append(([r.detach() for r in results], [t.grad for t in leaves]))
    for left, right in zip(sides[0][0], sides[1][0], strict=True):
        right = right.resolve_conj().resolve_neg()
        assert str(left.dtype).rpartition(".")[2] == str(right.dtype).rpartition(".")[2]
        assert_close(left, right, rtol, atol)
    for left, right in zip(sides[0][1], sides[1][1], strict=True):
        if right is not None and left is not None:
            assert_close(left, right.resolve_conj(), rtol, atol)
        assert left is not None or right is None or not right.abs().any()


def test_conversions() -> None:
    for name in NAMES:
        array = np.asarray([1 + 2j, 0j])
        kinds = getattr(pellucid, name), getattr(torch, name)
        if kinds[0].is_complex:
            compare(ours(array).to(kinds[0]), theirs(array).to(kinds[1]), name)
            continue
        if name == "bool":
            assert ours(array).to(kinds[0]).tolist() == theirs(array).to(kinds[1]).tolist()
            continue
        with pytest.warns(UserWarning, match="discards the imaginary part"):
            found = ours(array).to(kinds[0])
        assert found.tolist() == [1, 0]
        assert str(kinds[0].to_complex()).rpartition(".")[2].startswith("complex")
    assert pellucid.complex128.to_real() is pellucid.float64


def test_files(tmp_path: Any) -> None:
    """Numbers, also those that PyTorch stored with a conjugation pending."""
    x = torch.tensor([1 + 2j, -3j])
    torch.save({"x": x, "y": x.conj()}, tmp_path / "theirs.pt")
    torch.save(x.conj().imag, tmp_path / "negative.pt")
    found = pellucid.load(tmp_path / "theirs.pt")
    assert found["x"].tolist() == [1 + 2j, -3j] and found["y"].tolist() == [1 - 2j, 3j]
    assert pellucid.load(tmp_path / "negative.pt").tolist() == [-2.0, 3.0]
    pellucid.save({"x": found["y"]}, tmp_path / "ours.pt")
    assert torch.load(tmp_path / "ours.pt")["x"].tolist() == [1 - 2j, 3j]
    facts = facts_of("x", found["x"])
    assert facts.high == 3 and abs(facts.low - 5**0.5) < 1e-6


OPTIMIZERS = "SGD Adam AdamW NAdam RAdam Adamax Adagrad Adadelta RMSprop Rprop ASGD LBFGS".split()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, rng: np.random.Generator) -> None:
    start = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    goal = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    found = []
    for library, make in ((pellucid, ours), (torch, theirs)):
        parameter = make(start, True)
        optimizer = getattr(library.optim, name)([parameter])

        def closure(
            m: Any = library, p: Any = parameter, o: Any = optimizer, make: Any = make
        ) -> Any:
            o.zero_grad()
            loss = ((p * p - make(goal)).abs() ** 2).sum()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        found.append(parameter.detach())
    assert_close(found[0], found[1], 1e-6, 1e-8)
