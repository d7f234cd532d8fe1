"""Graphs as text and as drawings."""

from __future__ import annotations

from pellucid.graph.node import CONSTANT, INPUT, Graph, Node, constant_value


def format_graph(graph: Graph) -> str:
    """One line per node: name, shape, operation, operands, and the layer it came from."""
    names: dict[Node, str] = {}
    lines = []
    for position, node in enumerate(graph.inputs):
        names[node] = str(node.settings["name"] or f"in{position}")
    for node in graph.nodes():
        if node.op is INPUT:
            continue
        if node.op is CONSTANT:
            names[node] = _constant_text(node)
            continue
        names[node] = f"%{len(names)}"
        settings = ", ".join(f"{k}={v}" for k, v in node.params)
        operands = ", ".join(names[n] for n in node.inputs)
        listed = f"{operands}; {settings}" if settings else operands
        text = f"{names[node]} : {node.spec} = {node.op.name}({listed})"
        lines.append(f"{text}  # {node.origin.layer}" if node.origin.layer else text)
    lines.append("return " + ", ".join(names[n] for n in graph.outputs))
    return "\n".join(lines)


def _constant_text(node: Node) -> str:
    value = constant_value(node)
    return repr(value.item()) if value.size == 1 else f"constant {node.spec}"


def to_dot(graph: Graph, backward: Graph | None = None) -> str:
    """The graph in the DOT language: data flow in black and, if given, gradient flow in red."""
    lines = ["digraph {", "  rankdir=TB; node [shape=box, fontname=Helvetica];"]
    drawn: dict[Node, str] = {}
    for part, colour in ((graph, "black"), (backward, "red")):
        if part is None:
            continue
        for node in part.nodes():
            if node in drawn:
                continue
            drawn[node] = f"n{len(drawn)}"
            title = str(node.settings.get("name") or node.op.name).replace('"', "'")
            label = f"{title}\\n{node.spec}"
            lines.append(f'  {drawn[node]} [label="{label}", color={colour}];')
            lines.extend(f"  {drawn[n]} -> {drawn[node]} [color={colour}];" for n in node.inputs)
    return "\n".join([*lines, "}"])
