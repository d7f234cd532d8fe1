"""A traced network as the graph that TensorBoard draws."""

from __future__ import annotations

from typing import Any

from pellucid.base.extras import needs
from pellucid.graph.node import CONSTANT, INPUT, Graph, Node


def graph_definition(graph: Graph, names: dict[int, str]) -> Any:
    """The protocol buffer: one box for each operation, inside of the box of its layer.

    ``names`` has the names of inputs by their position in ``graph.inputs``.
    """
    with needs("tensorboard", "Drawing graphs for TensorBoard"):
        from tensorboardX.proto.attr_value_pb2 import AttrValue
    with needs("tensorboard", "Drawing graphs for TensorBoard"):
        from tensorboardX.proto.graph_pb2 import GraphDef
    with needs("tensorboard", "Drawing graphs for TensorBoard"):
        from tensorboardX.proto.node_def_pb2 import NodeDef
    with needs("tensorboard", "Drawing graphs for TensorBoard"):
        from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
    with needs("tensorboard", "Drawing graphs for TensorBoard"):
        from tensorboardX.proto.versions_pb2 import VersionDef

    def boxed(name: str, op: str, node: Node, inputs: list[str]) -> Any:
        extents = [TensorShapeProto.Dim(size=extent) for extent in node.shape]
        shape = AttrValue(list=AttrValue.ListValue(shape=[TensorShapeProto(dim=extents)]))
        shown = {"_output_shapes": shape}
        for key, value in {"dtype": node.dtype.name, **node.settings}.items():
            if key not in ("data", "shape", "name"):
                shown[key] = AttrValue(s=str(value).encode())
        return NodeDef(name=name, op=op, input=inputs, attr=shown)

    known: dict[Node, str] = {}
    boxes = []
    for position, node in enumerate(graph.inputs):
        known[node] = names.get(position, f"input_{position}")
        boxes.append(boxed(known[node], "Input", node, []))
    for node in graph.nodes():
        if node.op is INPUT:
            continue
        folder = node.origin.layer.replace(".", "/")
        title = f"{node.op.name}_{len(known)}"
        known[node] = f"{folder}/{title}" if folder else title
        op = "Const" if node.op is CONSTANT else node.op.name
        boxes.append(boxed(known[node], op, node, [known[n] for n in node.inputs]))
    for position, node in enumerate(graph.outputs):
        state = graph.aliases.get(position)  # an input that the program overwrites
        name = f"output_{position}" if state is None else f"{known[graph.inputs[state]]}_new"
        boxes.append(boxed(name, "Output" if state is None else "Assign", node, [known[node]]))
    return GraphDef(node=boxes, versions=VersionDef(producer=22))
