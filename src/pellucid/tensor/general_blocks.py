"""Kernels made for a few images that serve every batch (see :mod:`.general`).

A kernel made for its shapes needs the fewest multiplications and moves, but the batch is one of
its extents.  Here it is made for a *block* of images, and a batch runs block by block; the last
block is filled up with zeros.  A block is one image, or of small images :data:`SEVERAL`.

What follows from the weight alone, such as its order in memory or its transform for patches, is
computed once before the blocks.  A gradient for the weight is a sum over the images: what comes
before the sum is done block by block, what comes after it once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pellucid.backends import general_columns, prepared
from pellucid.graph.node import Graph, Node, Spec, consumers, new_input, topological
from pellucid.graph.replay import substitute
from pellucid.ops.convolution import convolution
from pellucid.ops.elementwise import add
from pellucid.ops.structure import pad
from pellucid.tensor.general import NANOSECONDS, Program, new, rounded_up
from pellucid.tensor.general_products import PACKED
from pellucid.tensor.native import NativeFunction

SEVERAL = 16
"""Small images are computed so many at a time, where the batch has as many."""
SMALL_PLANE, SMALL_WORK = 128, 1 << 26
"""An image is small if its result has fewer positions, or takes fewer operations."""
CACHED_BYTES = 1 << 20
"""A sum that is no larger stays in a core's cache, and each block's product is added at once."""
PATCH_BYTES = 1 << 25
"""Patches are kept for a sum over images up to this size."""
LEAST_PART = 96
"""A chunk of a sum over patches has so many columns, where there are as many."""


def images_of_block(batch: int, positions: int, flop: int) -> int:
    """How many images are computed at a time, by the positions and operations of one."""
    small = positions < SMALL_PLANE or flop < SMALL_WORK
    return SEVERAL if small and batch >= SEVERAL else 1


# ---- graphs of a block -----------------------------------------------------------------------


def value_graph(x: Spec, weight: Spec, settings: dict[str, Any]) -> Graph:
    """x, weight → their convolution."""
    inputs = new_input(x), new_input(weight)
    return Graph(inputs, (convolution(*inputs, **settings),))


def gradient_graph(x: Spec, weight: Spec, settings: dict[str, Any], of: int) -> Graph:
    """The cotangent g and the weight → the gradient for x (``of`` 0), or x and g → that for the
    weight (1)."""
    image, kernel = new_input(x), new_input(weight)
    value = convolution(image, kernel, **settings)
    given = new_input(value.spec)
    rule: Any = value.op.gradient
    found = rule(given, value, image, kernel, **settings)[of]
    return Graph((image, given) if of else (given, kernel), (found,))


def _depending(outputs: Iterable[Node], on: Node) -> set[Node]:
    """The nodes that a node goes into, itself among them."""
    found: set[Node] = {on}
    for node in topological(tuple(outputs)):
        if not found.isdisjoint(node.inputs):
            found.add(node)
    return found


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _blocks(
    arrays: Sequence[np.ndarray], images: int, body: Callable[[int, list[np.ndarray]], None]
) -> None:
    """``body(first, blocks)`` for the images from ``first`` on; the last block ends with zeros."""
    batch = len(arrays[0])
    for first in range(0, batch, images):
        parts = [a[first : first + images] for a in arrays]
        if first + images > batch:
            filled = [new((images, *p.shape[1:]), p.dtype) for p in parts]
            for whole, part in zip(filled, parts, strict=True):
                whole[: len(part)] = part
                whole[len(part) :] = 0
            parts = filled
        body(first, parts)


# ---- what runs -------------------------------------------------------------------------------


class BlockMap:
    """A function of images, each for itself, and a weight, from its graph for a block of images."""

    def __init__(self, graph: Graph) -> None:
        graph = prepared(graph)
        images, weight = graph.inputs
        moving, fixed = (_depending(graph.outputs, node) for node in graph.inputs)
        kept = [
            node
            for node in dict.fromkeys(n for m in graph.nodes() if m in moving for n in m.inputs)
            if node in fixed and node not in moving
        ]
        self._images = images.shape[0]
        self._before = None if kept == [weight] else NativeFunction(Graph((weight,), tuple(kept)))
        known = {node: new_input(node.spec) for node in kept}
        outputs = substitute(graph.outputs, known)
        self._block = NativeFunction(Graph((images, *known.values()), tuple(outputs)))

    def __call__(self, x: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
        """Write the results of all images, contiguous as the operands are."""
        held = [w] if self._before is None else self._before([_address(w)])
        weights = [_address(a) for a in held]

        def block(first: int, parts: list[np.ndarray]) -> None:
            (images,) = parts
            target = out[first : first + self._images]
            whole = len(target) == self._images
            made = target if whole else new((self._images, *out.shape[1:]), out.dtype)
            self._block.write([_address(images), *weights], [_address(made)])
            if not whole:
                target[:] = made[: len(target)]

        _blocks([x], self._images, block)


Sum = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From two arrays of images to a sum over them."""


def block_sum(graph: Graph) -> Sum:
    """A sum over images that is bilinear in two values of each, from its graph for a block."""
    graph = prepared(graph)
    meeting = _meeting(graph)
    bytes_of_sum = meeting.size * meeting.dtype.itemsize
    if bytes_of_sum > CACHED_BYTES and _is_of_patches(meeting):
        return PatchSum(graph, meeting)
    return RunningSum(graph, meeting)


def _meeting(graph: Graph) -> Node:
    """The product in which both inputs meet; the result if there are several."""
    first, second = (_depending(graph.outputs, node) for node in graph.inputs)
    both = first & second
    found = [node for node in graph.nodes() if node in both and both.isdisjoint(node.inputs)]
    return found[0] if len(found) == 1 else graph.outputs[0]


def _is_of_patches(product: Node) -> bool:
    """Whether it is Aᵀ B for each of some patches, A and B with a line for each place."""
    if product.op.name != "matmul" or len(product.shape) != 3:
        return False
    left, right = product.inputs
    turned = left.op.name == "transpose" and left.settings["axes"] == (0, 2, 1)
    return turned and len(right.shape) == 3


def _assembly_of(graph: Graph, product: Node) -> Node | None:
    """Where the lines of a product lie further apart, the value that has them so."""
    users = consumers(graph.nodes()).get(product, [])
    return users[0] if len(users) == 1 and users[0].op.name == "assembly" else None


class _Finished:
    """What follows the sum."""

    def __init__(self, graph: Graph, total: Node, place: Node | None = None) -> None:
        """``place`` is the total with lines further apart, as what follows reads it."""
        self._shape, self._dtype = total.shape, total.dtype.numpy
        self._after: NativeFunction | None = None
        if total is not graph.outputs[0]:
            made = new_input(total.spec)
            known = {total: made}
            if place is not None:
                behind = [m - n for m, n in zip(place.shape, total.shape, strict=True)]
                known = {place: pad(made, (0,) * len(behind), behind)}
            outputs = substitute(graph.outputs, known)
            self._after = NativeFunction(Graph((made,), tuple(outputs)))

    def _zeros(self) -> np.ndarray:
        total = new(self._shape, self._dtype)
        total.fill(0)
        return total

    def _result(self, total: np.ndarray) -> np.ndarray:
        return total if self._after is None else self._after([_address(total)])[0]


class RunningSum(_Finished):
    """A sum to which each block's product is added by the kernel that computes it."""

    def __init__(self, graph: Graph, meeting: Node) -> None:
        super().__init__(graph, meeting, _assembly_of(graph, meeting))
        self._images = graph.inputs[0].shape[0]
        before = new_input(meeting.spec)
        self._block = NativeFunction(Graph((*graph.inputs, before), (add(before, meeting),)))

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sum over all images."""
        totals = [self._zeros(), new(self._shape, self._dtype)]

        def block(first: int, parts: list[np.ndarray]) -> None:
            before, after = (_address(t) for t in totals)
            self._block.write([*map(_address, parts), before], [after])
            totals.reverse()

        _blocks([a, b], self._images, block)
        return self._result(totals[0])


class PatchSum(_Finished):
    """A sum of products of patches, which are kept for many images and then multiplied."""

    def __init__(self, graph: Graph, meeting: Node) -> None:
        super().__init__(graph, _assembly_of(graph, meeting) or meeting)
        turned, right = meeting.inputs
        sides = turned.inputs[0], right
        self._images = graph.inputs[0].shape[0]
        self._sides = [
            NativeFunction(Graph((source,), (side,)))
            for source, side in zip(graph.inputs, sides, strict=True)
        ]
        self._shapes = [side.shape for side in sides]
        elements = sum(side.size for side in sides)
        self._together = max(1, PATCH_BYTES // (elements * self._dtype.itemsize))
        self._programs: dict[int, Program] = {}

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The sum over all images."""
        total = self._zeros()
        count = min(self._together, -(-len(a) // self._images))
        kept = [new((count, *shape), self._dtype) for shape in self._shapes]
        waiting = 0

        def block(first: int, parts: list[np.ndarray]) -> None:
            nonlocal waiting
            for side, part, place in zip(self._sides, parts, kept, strict=True):
                side.write([_address(part)], [_address(place[waiting])])
            waiting += 1
            if waiting == count or first + self._images >= len(a):
                self._product(waiting)(*kept, total)
                waiting = 0

        _blocks([a, b], self._images, block)
        return self._result(total)

    def _product(self, blocks: int) -> Program:
        """total += Aᵀ B of so many blocks."""
        found = self._programs.get(blocks)
        if found is None:
            found = self._programs[blocks] = self._made(blocks)
        return found

    def _made(self, blocks: int) -> Program:
        (patches, length, rows), (_, _, columns) = self._shapes
        lanes, across = general_columns(self._dtype.name)
        together = rounded_up(max(1, min(columns, LEAST_PART)), lanes * across)
        parts = -(-columns // together)
        block = max(1, PACKED // length)
        words = {
            "together": together,
            "scratch": block * length * across * lanes,
            "block": block,
            "parts": parts,
            "images": blocks,
            "rows": rows,
            "columns": columns,
            "length": length,
            "row_step": 1,
            "row_depth": rows,
            "a_patch": length * rows,
            "a_image": patches * length * rows,
            "out_patch": math.prod(self._shape[1:]),
            "b_patch": length * columns,
            "b_image": patches * length * columns,
        }
        cost = blocks * patches * length * rows * columns * NANOSECONDS / 4
        return Program("patch_sums", self._dtype.name, words, patches * parts, cost)
