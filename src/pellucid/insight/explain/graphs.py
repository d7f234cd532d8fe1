"""A model as a graph of operations, in which explanations follow a score back to the inputs.

The model's Python runs once, on tensors without values (as the body of a loop does).  What comes
out are nodes: the inputs, the score of each row, and what layers made on the way.  Methods build
further nodes from these (gradients, relevances, the same operations at a baseline) and compute
them in the world of the caller: at once, or in the program that is being compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.base.errors import UnsupportedError
from pellucid.graph.node import Node, Spec, topological
from pellucid.graph.replay import replay
from pellucid.insight.explain.forward import Forward
from pellucid.insight.explain.rules import unrolled
from pellucid.nn.calling import guard_module
from pellucid.tensor.autograd import enable_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.differentials import as_outside
from pellucid.tensor.scan_trace import BodyTrace
from pellucid.tensor.state import state


@dataclass
class ModelGraph:
    """One model on inputs of given shapes.

    ``inputs`` are the nodes of its inputs, ``score`` (rows,) that of the explained score,
    ``outside`` parameters and whatever else was read, as node → tensor; ``layers`` the results of
    the layers asked for, ``layer_inputs`` what they were given, by place in the question;
    ``functions`` names of the user's own ``autograd.Function``, whose derivatives a graph lacks.
    """

    inputs: list[Node]
    score: Node
    outside: dict[Node, Any]
    layers: list[list[Node]] = field(default_factory=list)
    layer_inputs: list[list[Node]] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)

    def written_out(self) -> ModelGraph:
        """The same with loops over time written out step by step, as rules read them."""
        inner = [n for made in (*self.layers, *self.layer_inputs) for n in made]
        flat = unrolled([self.score, *self.inputs, *inner])
        rest = iter(flat[1 + len(self.inputs) :])
        layers = [[next(rest) for _ in made] for made in self.layers]
        layer_inputs = [[next(rest) for _ in made] for made in self.layer_inputs]
        inputs = flat[1 : 1 + len(self.inputs)]
        return ModelGraph(inputs, flat[0], self.outside, layers, layer_inputs, self.functions)

    def refuse_functions(self) -> None:
        """Raise where the user's own ``autograd.Function`` takes part: a graph has the operations
        of its ``forward`` and lacks its ``backward``."""
        if self.functions:
            raise UnsupportedError(
                f"the model applies autograd.Function {self.functions[0]}, whose own derivative "
                "is not known inside of a graph",
                "explain floating-point inputs, not a layer, with a gradient method",
            )

    def depends(self, starts: Sequence[Node]) -> set[Node]:
        """All nodes on which ``starts`` have an influence, they themselves included."""
        found = set(starts)
        for node in topological([self.score, *(n for made in self.layers for n in made)]):
            if any(n in found for n in node.inputs):
                found.add(node)
        return found

    def compute(self, nodes: Sequence[Node], known: Mapping[Node, Any]) -> list[Any]:
        """Values of nodes as tensors, from those of the inputs (and of what stands in for inner
        nodes)."""
        like = next(iter(known.values()))
        return replay(nodes, {**self.outside, **known}, like)


def graph_of(
    forward: Forward,
    tensors: Sequence[Any],
    places: Any,
    extra: Sequence[Any],
    layers: Sequence[Any] = (),
) -> ModelGraph:
    """The model on inputs shaped as ``tensors``, with the scores at ``places``."""
    trace = BodyTrace(state.trace)
    given = [trace.add_argument(Spec(tuple(t.shape), t.dtype), "input") for t in tensors]
    made: list[list[Node]] = [[] for _ in layers]
    taken: list[list[Node]] = [[] for _ in layers]
    handles = []
    if layers and forward.module is not None:
        guard_module(forward.module)  # as it is without these hooks
    for place, layer in enumerate(layers):

        def look(module: Any, args: Any, result: Any, place: int = place) -> None:
            taken[place] += [trace.node_of_tensor(t) for t in args if isinstance(t, TensorCore)]
            kept = result if isinstance(result, tuple | list) else (result,)
            made[place] += [trace.node_of_tensor(t) for t in kept if isinstance(t, TensorCore)]

        handles.append(layer.register_forward_hook(look))
    try:
        with enable_grad():
            score = trace.run(lambda *args: forward.score(args, places, extra), *given)
        node = trace.node_of_tensor(score)
    finally:
        for handle in handles:
            handle.remove()
    outside: dict[Node, Any] = {n: as_outside(t) for t, n in trace.captured.values()}
    return ModelGraph(list(trace.argument_nodes), node, outside, made, taken, trace.functions)
