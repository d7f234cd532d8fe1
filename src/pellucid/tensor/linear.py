"""Einstein sums and norms of matrices, composed of the matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pellucid.base.errors import ArgumentError, ShapeError
from pellucid.ops import contraction, structure
from pellucid.tensor.interface import Tensor
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import together


def einsum(equation: str, *operands: Tensor) -> Tensor:
    """Sum over the indices that the output does not name: ``einsum("bij,bjk->bik", a, b)``.

    Operands are contracted pairwise from the left, each pair as one (batched) matrix product.
    ``...`` stands for any further axes.  Without ``->`` the output has the indices that occur
    once, in alphabetical order.
    """
    tensors = (
        list(operands[0])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple))
        else list(operands)
    )
    tensors = together(*tensors)
    terms, output = _parse(equation.replace(" ", ""), tensors)
    extents = _extents(equation, terms, tensors)
    unknown = [name for name in output if name not in extents or output.count(name) > 1]
    if unknown:
        raise ArgumentError(
            f"einsum {equation!r} cannot give index {unknown[0]!r}",
            "every index of the output occurs once in it, and in an operand",
        )
    labels, result = _unique(terms[0], tensors[0])
    for position in range(1, len(tensors)):
        later = set(output).union(*terms[position + 1 :])
        other_labels, other = _unique(terms[position], tensors[position])
        labels, result = _pair(labels, result, other_labels, other, later, extents)
    drop = [i for i, name in enumerate(labels) if name not in output]
    if drop:
        result = structure.sum(result, drop)
        labels = [name for name in labels if name in output]
    return structure.transpose(result, [labels.index(name) for name in output])


def _parse(equation: str, tensors: Sequence[Any]) -> tuple[list[list[str]], list[str]]:
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ArgumentError(
            f"einsum {equation!r} names {len(terms)} operands and got {len(tensors)}",
            "one term for each",
        )
    rest = [
        len(t.shape) - len(term.replace("...", "")) for term, t in zip(terms, tensors, strict=True)
    ]
    for term, extra, tensor in zip(terms, rest, tensors, strict=True):
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(
                f"einsum term {term!r} does not fit shape {tuple(tensor.shape)}",
                "one letter for each axis",
            )
    most = max((r for r, term in zip(rest, terms, strict=True) if "..." in term), default=0)
    dots = [f"…{i}" for i in range(most)]
    split = [_letters(term, dots[most - r :]) for term, r in zip(terms, rest, strict=True)]
    if arrow:
        return split, _letters(right, dots)
    once = [name for term in split for name in term if name not in dots]
    return split, dots + sorted(n for n in set(once) if once.count(n) == 1)


def _letters(term: str, dots: list[str]) -> list[str]:
    before, found, after = term.partition("...")
    return [*before, *(dots if found else []), *after]


def _extents(equation: str, terms: list[list[str]], tensors: Sequence[Any]) -> dict[str, int]:
    extents: dict[str, int] = {}
    for term, tensor in zip(terms, tensors, strict=True):
        for name, extent in zip(term, tensor.shape, strict=True):
            if extents.setdefault(name, extent) != extent and 1 not in (extent, extents[name]):
                raise ShapeError(
                    f"einsum {equation!r}: index {name} has extents {extents[name]} and {extent}",
                    "they must agree",
                )
            extents[name] = max(extents[name], extent)
    return extents


def _unique(term: list[str], tensor: Any) -> tuple[list[str], Any]:
    """Repeated indices of one operand (a diagonal) merged."""
    labels = list(term)
    for name in dict.fromkeys(term):
        while labels.count(name) > 1:
            first = labels.index(name)
            second = labels.index(name, first + 1)
            tensor = tensor.diagonal(0, first, second)
            labels = [n for i, n in enumerate(labels) if i not in (first, second)] + [name]
    return labels, tensor


def _pair(
    la: list[str], a: Any, lb: list[str], b: Any, later: set[str], extents: dict[str, int]
) -> tuple[list[str], Any]:
    """Two operands contracted: indices shared and wanted are batch, shared and unwanted summed."""
    shared = [n for n in la if n in lb]
    batch = [n for n in shared if n in later]
    summed = [n for n in shared if n not in later]
    only_a, only_b = [n for n in la if n not in lb], [n for n in lb if n not in la]
    a = _ordered(a, la, batch, only_a, summed, extents, set(shared))
    b = _ordered(b, lb, batch, summed, only_b, extents, set(shared))
    product = contraction.matmul(a, b)
    shape = [extents[n] for n in (*batch, *only_a, *only_b)]
    return [*batch, *only_a, *only_b], structure.reshape(product, shape)


def _ordered(
    x: Any,
    labels: list[str],
    batch: list[str],
    rows: list[str],
    columns: list[str],
    extents: dict[str, int],
    shared: set[str],
) -> Any:
    """As (batch..., rows, columns), each group merged; extents of 1 stretched where shared."""
    moved = structure.transpose(x, [labels.index(n) for n in (*batch, *rows, *columns)])
    full = [extents[n] for n in (*batch, *rows, *columns)]
    wide = structure.broadcast_to(moved, full)
    groups = [math.prod(extents[n] for n in g) for g in (rows, columns)]
    return structure.reshape(wide, [*(extents[n] for n in batch), *groups])


@takes_out
def tensordot(
    a: Tensor,
    b: Tensor,
    dims: int | tuple[Sequence[int], Sequence[int]] = 2,
    *,
    axes: int | tuple[Sequence[int], Sequence[int]] | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum over ``dims`` axes: the last of ``a`` with the first of ``b``, or the named pairs.

    ``axes`` is NumPy's name for ``dims``.
    """
    dims = dims if axes is None else axes
    if isinstance(dims, int):
        axes_a = list(range(len(a.shape) - dims, len(a.shape)))
        axes_b = list(range(dims))
    else:
        axes_a = [d % len(a.shape) for d in dims[0]]
        axes_b = [d % len(b.shape) for d in dims[1]]
    names_a = [f"a{i}" for i in range(len(a.shape))]
    names_b = [f"b{i}" for i in range(len(b.shape))]
    for i, j in zip(axes_a, axes_b, strict=True):
        names_b[j] = names_a[i]
    extents = dict(zip(names_a, a.shape, strict=True)) | dict(zip(names_b, b.shape, strict=True))
    a, b = together(a, b)
    keep = {n for n in (*names_a, *names_b) if not (n in names_a and n in names_b)}
    return _pair(names_a, a, names_b, b, keep, extents)[1]
