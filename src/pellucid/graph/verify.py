"""The rules of the graph language, checked."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.base.errors import GraphError
from pellucid.graph.node import INPUT, Graph, Primitive


def verify(graph: Graph, known: Mapping[str, Primitive]) -> None:
    """Raise :class:`GraphError` unless every rule of the language holds.

    Every operation is known; every node's shape and dtype are what its primitive's rule says;
    inputs are declared and distinct; an aliased output has the spec of its input.
    """
    declared = set(graph.inputs)
    if len(declared) != len(graph.inputs):
        raise GraphError("an input is declared twice", "declare each input once")
    for node in graph.nodes():
        if node.op is INPUT:
            if node not in declared:
                raise GraphError(
                    f"{node!r} is used but not declared as an input", "add it to Graph.inputs"
                )
            continue
        if node.op.name != "constant" and known.get(node.op.name) is not node.op:
            raise GraphError(f"there is no operation {node.op.name!r}", "define it in pellucid/ops")
        found = node.op.infer(*(n.spec for n in node.inputs), **node.settings)
        if found != node.spec:
            raise GraphError(f"{node!r} should be {found}", "nodes must come from make_node")
    for output, source in graph.aliases.items():
        if graph.outputs[output].spec != graph.inputs[source].spec:
            raise GraphError(
                f"output {output} ({graph.outputs[output].spec}) cannot replace "
                f"input {source} ({graph.inputs[source].spec})",
                "both need the same shape and dtype",
            )
