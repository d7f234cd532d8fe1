"""Gradients that only follow what speaks for a score: guided back-propagation, deconvolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.graph.node import Node
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.rules import Reading, Region, is_relu, pulled
from pellucid.insight.explain.walks import in_inputs, walked
from pellucid.ops import elementwise
from pellucid.ops.registry import scalar


class Guided:
    """Gradients, except at ReLU: there only positive ones go on, where the operand was positive
    (guided) or everywhere (deconvolution)."""

    def __init__(self, reading: Reading, by_operand: bool) -> None:
        self.reading, self.by_operand = reading, by_operand

    def pull(self, record: Any, cotangent: Node, node: Node) -> Sequence[Any]:
        """Cotangents of an operation's operands."""
        if isinstance(record, Region) and is_relu(node, record.inputs):
            kept = elementwise.maximum(cotangent, scalar(cotangent, 0.0))
            if self.by_operand:
                root = record.inputs[0]
                open_ = elementwise.gt(root, scalar(root, 0.0))
                kept = elementwise.where(open_, kept, scalar(kept, 0.0))
            return [kept]
        return pulled(record, cotangent, node)


def _guided(
    name: str, model: Model, inputs: Inputs, target: Any, extra: Any, by_operand: bool
) -> Explanation:
    forward = Forward(model, inputs, target, extra)
    found = walked(forward, name, lambda reading: Guided(reading, by_operand))
    return forward.explanation(name, in_inputs(forward, found.arrived), kind="map")


@method
def guided_backprop(
    model: Model, inputs: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> Explanation:
    """Gradients that pass a ReLU only where both they and its operand are positive.

    Arguments as in :func:`.saliency`.  The pictures are sharp, and hardly depend on the weights
    (Adebayo and others, 2018): the check ``randomization`` tells.  (Springenberg, Dosovitskiy,
    Brox and Riedmiller, 2015.)
    """
    return _guided("guided_backprop", model, inputs, target, additional_forward_args, True)


@method
def deconvolution(
    model: Model, inputs: Inputs, target: Any = None, additional_forward_args: Any = ()
) -> Explanation:
    """Gradients of which a ReLU lets through the positive ones, whatever its operand was.

    Arguments as in :func:`.saliency`.  (Zeiler and Fergus, 2013.)
    """
    return _guided("deconvolution", model, inputs, target, additional_forward_args, False)
