"""Loops whose rows do not need each other: a thread may take some of them through all iterations.

In a recurrent layer each row of the batch is a sequence of its own; what rows share, the weights,
no iteration changes.  Such a loop needs no meeting of the threads between its iterations: each
takes a block of rows from the first iteration to the last, and what it wrote is in its own cache
when it reads it.

before: T iterations of a few kernels, the threads waiting for each other after each; after: one
task for each block of rows.
"""

from __future__ import annotations

from pellucid.compiler.blocks import lies_in_block, place_in_block, reads_own_block
from pellucid.compiler.clusters import Cluster, Fusion
from pellucid.compiler.index import Affine, unravel
from pellucid.compiler.views import MatrixView, contiguous, matrix_view
from pellucid.graph.node import Node


def rows_apart(fusion: Fusion, varying: int) -> int:
    """The number of rows of a loop's body that do not need each other; 0 if it has none.

    The first ``varying`` inputs change from iteration to iteration (carries and columns), the
    others do not.  Row r of a value with ``rows · e`` elements is its elements from r · e on.
    """
    products = [c.anchors[0] for c in fusion.clusters if c.kind == "product"]
    if not products or len(products[0].shape) != 2:
        return 0
    finder = _Rows(fusion, varying, products[0].shape[0])
    return finder.rows if finder.rows > 1 and finder.are_apart() else 0


class _Rows:
    """Asks of every kernel whether each row reads itself only."""

    def __init__(self, fusion: Fusion, varying: int, rows: int) -> None:
        self.fusion, self.rows = fusion, rows
        inputs = set(fusion.graph.inputs[:varying])
        self.varying = inputs | fusion.anchors

    def are_apart(self) -> bool:
        """Whether no row reads another one."""
        whole = all(n.size and n.size % self.rows == 0 for n in self.varying)
        return whole and all(self._is_apart(cluster) for cluster in self.fusion.clusters)

    def _is_apart(self, cluster: Cluster) -> bool:
        if cluster.kind == "assembly":
            return True
        anchors = cluster.anchors
        if cluster.kind == "product":
            if not self._is_row_product(anchors[0]):
                return False
            anchors = anchors[1:]
        elif cluster.kind != "rows" or (not cluster.flexible and cluster.rows % self.rows):
            return False
        return all(
            reads_own_block(a, self.rows, self.varying, self.fusion)
            and self._is_written_to_its_row(a)
            for a in anchors
        )

    def _is_row_product(self, node: Node) -> bool:
        """Whether a product is of rows that vary with a matrix that does not."""
        if node.op.name != "matmul" or len(node.shape) != 2 or node.shape[0] != self.rows:
            return False
        a, b = matrix_view(node, 0), matrix_view(node, 1)
        place = self.fusion.placed.get(node) or contiguous(node)
        depth, columns = node.inputs[0].shape[1], node.shape[1]
        return (
            a.base in self.varying
            and b.base not in self.varying
            and self._stays_in_row(a, depth)
            and place.strides[-1] == 1
            and self._stays_in_row(
                MatrixView(place.base, place.offset, (), place.strides[0], 1), columns
            )
        )

    def _stays_in_row(self, view: MatrixView, columns: int) -> bool:
        """Whether row r of a view lies in row r of what it views."""
        width = view.base.size // self.rows
        last = view.offset + (columns - 1) * view.column
        return view.row == width and view.column >= 0 and 0 <= view.offset and last < width

    def _is_written_to_its_row(self, node: Node) -> bool:
        """Whether a part of an assembly lies in the same row of it."""
        place = self.fusion.placed.get(node)
        if place is None:
            return True
        index = unravel(place_in_block(node, self.rows), node.shape)
        total = Affine((), place.offset)
        for position, stride in zip(index, place.strides, strict=True):
            total = total + position * stride
        return lies_in_block(total, place.base.size // self.rows, self.rows)
