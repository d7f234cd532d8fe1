"""Convolutions of 3 × 3 with a quarter of the multiplications: F(4 × 4, 3 × 3).

After Winograd, "Arithmetic Complexity of Computations" (1980), and Lavin and Gray, "Fast
Algorithms for Convolutional Neural Networks" (2016).  A square of 4 × 4 results comes from a patch
of 6 × 6 inputs.  As polynomials, a convolution along one axis is a product, and a product of degree
5 is known from its values at six points: the patch's and the kernel's values there are multiplied,
one by one, and the results are found from them.  In two dimensions::

    Y = Aᵀ [(Bᵀ D B) ∘ (G W Gᵀ)] A        D 6×6, W 3×3, Y 4×4

36 multiplications instead of 144; summed over channels they are 36 matrix products.  The gradient
of the weights is the same identity read backwards, with a sum over all patches::

    dW = Gᵀ [Σ (Bᵀ D B) ∘ (A dY Aᵀ)] G

The points are 0, ±3/4, ±3/2 and infinity.  Both the elements of A and B are exact in binary, and
the errors are half those of the usual 0, ±1, ±2 (points near one keep powers from growing; see
Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the Accuracy of Winograd
Convolution for Deep Neural Networks", 2020): in float32 about 5 times the rounding error of the
sum written out, 1e-6 of the results' size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from pellucid.base.dtypes import float32
from pellucid.base.shapes import Shape, contiguous_strides
from pellucid.compiler.machine import DEFAULT, Machine
from pellucid.compiler.placement import ASSEMBLY
from pellucid.graph.node import Node, Primitive, Spec, make_node, placeholder
from pellucid.ops import structure
from pellucid.ops.contraction import matmul, swap
from pellucid.ops.scan_body import make_body, scan

Matrix = tuple[tuple[float, ...], ...]

KERNEL = 3
SQUARE = 4
"""Results along an axis that one patch gives."""
PATCH = SQUARE + KERNEL - 1
POINTS = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))
"""Where polynomials are evaluated, besides infinity."""


def _product(factors: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of Π (x - factor), the constant first."""
    result = [Fraction(1)]
    for factor in factors:
        moved = [Fraction(0), *result]
        result = [
            high - factor * low for high, low in zip(moved, [*result, Fraction(0)], strict=True)
        ]
    return result


def _matrices() -> tuple[Matrix, Matrix, Matrix]:
    """Bᵀ (6×6), G (6×3) and Aᵀ (4×6).

    With Mᵢ = Πⱼ≠ᵢ (x - pⱼ): row i of Bᵀ are the coefficients of Mᵢ, row i of G the powers of pᵢ
    divided by Mᵢ(pᵢ), column i of Aᵀ the powers of pᵢ; infinity keeps the highest power alone.
    """
    of_patch, of_kernel, of_result = [], [], []
    for i, point in enumerate(POINTS):
        others = POINTS[:i] + POINTS[i + 1 :]
        of_patch.append([*_product(others), Fraction(0)])
        scale = math.prod((point - other for other in others), start=Fraction(1))
        of_kernel.append([point**k / scale for k in range(KERNEL)])
        of_result.append([point**k for k in range(SQUARE)])
    of_patch.append(_product(POINTS))
    of_kernel.append([Fraction(k == KERNEL - 1) for k in range(KERNEL)])
    of_result.append([Fraction(k == SQUARE - 1) for k in range(SQUARE)])
    return _floats(of_patch), _floats(of_kernel), _turned(_floats(of_result))


def _floats(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(float(x) for x in row) for row in rows)


def _turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


OF_PATCH, OF_KERNEL, OF_RESULT = _matrices()
"""Bᵀ, G and Aᵀ."""


# ---- the operation ----------------------------------------------------------------------------


def _infer(x: Spec, *, shape: Shape, **settings: Any) -> Spec:
    return Spec(shape, x.dtype)


def _evaluate(
    x: np.ndarray,
    *,
    matrix: Matrix,
    batch: tuple[tuple[int, int, int], ...],
    read: tuple[int, int],
    write: tuple[int, int],
    columns: int,
    offset: int,
    shape: Shape,
    use: str,
) -> np.ndarray:
    left = np.array(matrix, x.dtype)
    results, terms = left.shape
    first, last = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for extent, step_in, step_out in batch:
        count = np.arange(extent)
        first = (first[:, None] + count * step_in).reshape(-1)  # (b, extent) -> (b·extent,)
        last = (last[:, None] + count * step_out).reshape(-1)

    def places(start: np.ndarray, steps: tuple[int, int], count: int) -> np.ndarray:
        n = np.arange(count)
        square = n[:, None] * steps[0] + n * steps[1]
        found: np.ndarray = start[:, None, None, None] + square[:, :, None] + np.arange(columns)
        return found

    patches = x.reshape(-1)[offset + places(first, read, terms)]  # (b, p, p, columns)
    made = np.einsum("ik,bklc,jl->bijc", left, patches, left, optimize=True)
    flat = np.zeros(math.prod(shape), x.dtype)
    flat[places(last, write, results)] = made
    return flat.reshape(shape)  # all elements -> shape


PATCH_TRANSFORM = Primitive(
    "patch_transform",
    "contraction",
    "y.flat[out(b) + i·w₀ + j·w₁ + c] = Σₖₗ L[i, k] L[j, l] x.flat[o + in(b) + k·r₀ + l·r₁ + c]",
    _infer,
    _evaluate,
    None,
    lambda: (),
    "what convolutions of 3 × 3 become; it is made by the compiler alone, after differentiation",
)


def patch_transform(
    x: Node,
    matrix: Matrix,
    batch: Sequence[tuple[int, int, int]],
    read: tuple[int, int],
    write: tuple[int, int],
    columns: int,
    shape: Shape,
    offset: int = 0,
    use: str = "",
) -> Node:
    """L X Lᵀ for every patch X of x, element by element of the last axis.

    ``batch`` are axes of patches as (extent, step in x, step in the result); ``read`` and
    ``write`` the steps between rows and columns of a patch and of its result, in elements, and
    ``columns`` is how many patches lie side by side.  What no patch writes is undefined.  Values of
    different ``use`` are computed apart, so that none is kept for another.
    """
    settings = {
        "matrix": matrix,
        "batch": tuple(batch),
        "read": read,
        "write": write,
        "columns": columns,
        "offset": offset,
        "shape": shape,
        "use": use,
    }
    return make_node(PATCH_TRANSFORM, (x,), settings)


# ---- convolutions -----------------------------------------------------------------------------

SPREAD = 16
"""Elements by which the 36 planes of a value are moved against each other: a power of two apart,
their lines would push each other out of the caches."""


def squares(extent: int) -> int:
    """Patches that give ``extent`` results along an axis."""
    return -(-extent // SQUARE)


def fits(
    node: Node,
    kernel: Shape,
    out: Shape,
    channels: int,
    filters: int,
    images: int,
    machine: Machine,
) -> bool:
    """Whether a convolution with these extents is computed by patches: it can be, and that costs
    less than multiplying."""
    settings = node.settings
    plain = tuple(settings["stride"]) == tuple(settings["dilation"]) == (1, 1)
    if node.dtype is not float32 or kernel != (KERNEL,) * 2 or settings["groups"] > 1 or not plain:
        return False
    direct = images * math.prod(out) * KERNEL**2 * channels * filters / machine.direct_share
    patches = images * math.prod(squares(n) for n in out)
    each = channels * filters + machine.transform * (channels + filters)
    return direct > PATCH**2 * (patches * each + machine.transform_of_weights * channels * filters)


def _spread(rows: int, columns: int) -> int:
    """Rows that a plane of ``rows`` × ``columns`` gets more, so that planes lie apart."""
    return -(-SPREAD // columns) if rows * columns % (SPREAD * 16) == 0 else 0


def _planes(x: Node, rows: int) -> Node:
    """The planes without the rows that only keep them apart."""
    if x.shape[1] == rows:
        return x
    kept: Node = structure.slice_(x, (0, 0, 0), (x.shape[0], rows, x.shape[2]), (1, 1, 1))
    return kept


def _of_pictures(x: Node, matrix: Matrix, out: tuple[int, int], offset: int, use: str = "") -> Node:
    """Patches of pictures (N, H, W, C), 4 apart in both directions → (36, patches, C)."""
    images, _, _, channels = x.shape
    high, wide = squares(out[0]), squares(out[1])
    rows = images * high * wide
    plane = rows + _spread(rows, channels)
    _, *steps, _ = contiguous_strides(x.shape)
    batch = (
        (images, x.size // images, high * wide * channels),
        (high, SQUARE * steps[0], wide * channels),
        (wide, SQUARE * steps[1], channels),
    )
    made = patch_transform(
        x,
        matrix,
        batch,
        (steps[0], steps[1]),
        (PATCH * plane * channels, plane * channels),
        channels,
        (PATCH**2, plane, channels),
        offset,
        use,
    )
    return _planes(made, rows)


def _of_weights(w: Node) -> Node:
    """Weights (3, 3, C, O) → planes (36, C or a little more, O)."""
    channels, filters = w.shape[2:]
    plane = channels + _spread(channels, filters)
    return patch_transform(
        w,
        OF_KERNEL,
        (),
        (KERNEL * channels * filters, channels * filters),
        (PATCH * plane * filters, plane * filters),
        channels * filters,
        (PATCH**2, plane, filters),
    )


def _product_of(left: Node, right: Node) -> tuple[Node, int]:
    """36 matrix products, and how many elements lie between their results."""
    product: Node = matmul(left, right)
    count, rows, columns = product.shape
    plane = rows + _spread(rows, columns)
    if plane == rows:
        return product, rows * columns
    shape = (count, plane, columns)
    places = ((0, contiguous_strides(shape)),)
    return make_node(ASSEMBLY, (product,), {"shape": shape, "places": places}), plane * columns


def _share(images: int, bytes_of_image: int, bytes_of_weights: int, least: int, fewest: int) -> int:
    """Images of which the planes are made at once: so many that planes stay in a core's cache, but
    not so few that weights cost more; all, where that gives few shares."""
    wanted = max(1, max(least, bytes_of_weights) // bytes_of_image)
    share = max(d for d in range(1, images + 1) if images % d == 0 and d <= wanted)
    return share if images // share >= fewest else images


def _in_shares(
    share: int, whole: Sequence[Node], constants: Sequence[Node], compute: Callable[..., Node]
) -> Node:
    """``compute(*whole, *constants)`` for ``share`` images after the other, results stacked.

    One loop runs the same kernels for each share: what is between them stays in cache and needs
    little memory.
    """
    count = whole[0].shape[0] // share
    columns = [structure.reshape(x, (count, share, *x.shape[1:])) for x in whole]
    specs = [Spec(x.shape[1:], x.dtype) for x in columns] + [x.spec for x in constants]
    places = [placeholder(spec, i) for i, spec in enumerate(specs)]
    body = make_body(0, len(columns), places, [compute(*places)])
    stacked: Node = scan(body, [*columns, *constants], count, False, [0])[0]
    return stacked


def convolve(
    x: Node, offset: int, w: Node, out: tuple[int, int], machine: Machine = DEFAULT
) -> Node:
    """Framed pictures (N, H, W, C), read from ``offset`` on, and weights (3, 3, C, O).

    The result is (N, out…, O).
    """
    images, filters = x.shape[0], w.shape[3]
    weights = _of_weights(w)
    each = _bytes_of_image(x, out, filters)
    share = _share(
        images, each, weights.size * x.dtype.itemsize, machine.share_bytes, machine.fewest_shares
    )

    def compute(pictures: Node, weights: Node) -> Node:
        return _convolved(pictures, offset, weights, out)

    if share == images:
        return compute(x, weights)
    stacked = _in_shares(share, [x], [weights], compute)  # (images / share, share, out…, O)
    whole: Node = structure.reshape(stacked, (images, *stacked.shape[2:]))
    return whole


def _bytes_of_image(x: Node, out: tuple[int, int], filters: int) -> int:
    """Bytes of the planes that an image needs, before and after the products."""
    patches = squares(out[0]) * squares(out[1])
    return patches * PATCH**2 * (x.shape[3] + filters) * x.dtype.itemsize


def _convolved(x: Node, offset: int, weights: Node, out: tuple[int, int]) -> Node:
    """Some framed pictures, and planes of weights → (N, out…, O)."""
    images, filters = x.shape[0], weights.shape[2]
    pictures = _of_pictures(x, OF_PATCH, out, offset)
    product, plane = _product_of(pictures, _planes(weights, x.shape[3]))
    high, wide = squares(out[0]), squares(out[1])
    shape = (images, SQUARE * high, SQUARE * wide, filters)
    line = shape[2] * filters
    batch = (
        (images, high * wide * filters, SQUARE * high * line),
        (high, wide * filters, SQUARE * line),
        (wide, filters, SQUARE * filters),
    )
    made = patch_transform(
        product, OF_RESULT, batch, (PATCH * plane, plane), (line, filters), filters, shape
    )
    if shape[1:3] == out:
        return made
    cropped: Node = structure.slice_(made, (0, 0, 0, 0), (images, *out, filters), (1, 1, 1, 1))
    return cropped


def weights_gradient(x: Node, offset: int, gradient: Node, machine: Machine = DEFAULT) -> Node:
    """Framed pictures (N, H, W, C) and the gradient (N, h, w, O) of their convolution.

    The result is (3, 3, C, O).
    """
    out = (gradient.shape[1], gradient.shape[2])
    images, channels, filters = x.shape[0], x.shape[3], gradient.shape[3]
    missing = [SQUARE * squares(n) - n for n in out]
    if any(missing):
        gradient = structure.pad(gradient, (0,) * 4, (0, *missing, 0))
    each = _bytes_of_image(x, out, filters)
    of_weights = PATCH**2 * channels * filters * x.dtype.itemsize
    share = _share(images, each, of_weights, machine.gradient_share_bytes, machine.fewest_shares)

    def compute(pictures: Node, gradient: Node) -> Node:
        return _gradient_of_some(pictures, offset, gradient, out)

    if share == images:
        return compute(x, gradient)
    total: Node = structure.sum(_in_shares(share, [x, gradient], [], compute), (0,))
    return total


def _gradient_of_some(x: Node, offset: int, gradient: Node, out: tuple[int, int]) -> Node:
    """What some pictures add to the gradient of the weights."""
    pictures = _of_pictures(x, OF_PATCH, out, offset, "gradient")
    of_gradient = _of_pictures(gradient, _turned(OF_RESULT), out, 0)
    product, plane = _product_of(swap(pictures), of_gradient)
    channels, filters = x.shape[3], gradient.shape[3]
    columns = channels * filters
    return patch_transform(
        product,
        _turned(OF_KERNEL),
        (),
        (PATCH * plane, plane),
        (KERNEL * columns, columns),
        columns,
        (KERNEL, KERNEL, channels, filters),
    )


def reach(start: int, out: int) -> int:
    """What a framed axis must have, so that all patches from ``start`` on lie inside."""
    return start + SQUARE * squares(out) + KERNEL - 1
