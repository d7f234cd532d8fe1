"""Layer-wise relevance propagation: a score handed back, operation by operation, and kept whole.

What is carried is the multiplier m = R / value, so that a linear operation hands it on as it hands
on gradients, and a function of one value, which keeps its relevance, multiplies it by output over
input.  (Bach, Binder, Montavon, Klauschen, Müller and Samek, 2015; Montavon and others, 2019.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, UnsupportedError
from pellucid.graph.node import Node, topological
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.rules import (
    Reading,
    Region,
    evaluated,
    is_softmax,
    nature_of,
    pulled,
    slope_inside,
)
from pellucid.insight.explain.starts import Layer
from pellucid.insight.explain.verdicts import Check
from pellucid.insight.explain.walks import in_inputs, walked
from pellucid.ops import elementwise, structure
from pellucid.ops.normalization import mean_over, variance_over
from pellucid.ops.registry import scalar, sum_to
from pellucid.transforms.differentiate import Record
from pellucid.transforms.forward import tangent_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class EpsilonRule:
    """``R_i = Σ_j z_ij / (z_j + ε sign z_j) R_j`` with z_ij = a_i w_ij; ε swallows relevance that
    rests on next to nothing."""

    epsilon: float = 1e-9


@dataclass(frozen=True)
class GammaRule:
    """As ε's, with weights w + γ max(w, 0): what speaks for a value counts more."""

    gamma: float = 0.25
    epsilon: float = 1e-9


@dataclass(frozen=True)
class AlphaBetaRule:
    """``R_i = Σ_j (α z⁺_ij / Σ z⁺ − β z⁻_ij / Σ z⁻) R_j``: what speaks for a value and against it,
    apart.  ``alpha - beta`` must be 1, so that the whole is kept."""

    alpha: float = 1.0
    beta: float = 0.0
    epsilon: float = 1e-9


Rule = EpsilonRule | GammaRule | AlphaBetaRule
NAMED: dict[str, Rule] = {
    "epsilon": EpsilonRule(),
    "gamma": GammaRule(),
    "alpha_beta": AlphaBetaRule(),
    "alpha1_beta0": AlphaBetaRule(1.0, 0.0),
    "alpha2_beta1": AlphaBetaRule(2.0, 1.0),
}


def rule_named(rule: Rule | str) -> Rule:
    """A rule by its name, or itself; ``ArgumentError`` for others and for α − β ≠ 1."""
    found = NAMED.get(rule) if isinstance(rule, str) else rule
    if not isinstance(found, Rule):
        raise ArgumentError(f"lrp got rule={rule!r}", f"use one of {', '.join(NAMED)}")
    if isinstance(found, AlphaBetaRule) and abs(found.alpha - found.beta - 1) > 1e-6:
        raise ArgumentError(
            f"alpha={found.alpha} and beta={found.beta} change the sum", "alpha − beta must be 1"
        )
    return found


TINY = 1e-9
"""Keeps from dividing by 0 where nothing is to be swallowed."""


class Affine(Region):
    """A product with weights and the bias behind it, as one operation of its operand."""


class Relevance:
    """The rules, as what stands in for gradients in a walk backwards."""

    def __init__(self, reading: Reading, rule: Rule, rules: Mapping[str, Rule]) -> None:
        self.reading, self.rule, self.rules = reading, rule, dict(rules)
        self._used = Counter(n for v in topological([reading.score]) for n in v.inputs)
        self._products: dict[Node, Node] = {}
        self._plain = reading.record_of
        reading.record_of = self.record_of  # type: ignore[method-assign]

    def record_of(self, node: Node) -> Record | None:
        """As the reading's, with products and their bias taken together."""
        record = self._plain(node)
        if record is node:
            product = self._product_of(node)
            if product is not None:
                self._products[node] = product
                return Affine(node, tuple(self.reading.data(product)))
        return record

    def _product_of(self, node: Node) -> Node | None:
        """The product with weights that a node is, or adds a bias to."""
        inner = node
        if node.op.name == "add" and len(self.reading.data(node)) == 1:
            inner = self.reading.data(node)[0]
            while inner.op.name in ("reshape", "transpose") and self._used[inner] == 1:
                inner = inner.inputs[0]
            if self._used[inner] != 1:
                return None
        product = inner.op.name in ("matmul", "convolution") and self.reading.is_linear(inner)
        return inner if product and inner not in self.reading.starts else None

    def rule_at(self, node: Node) -> Rule:
        """The rule of the layer that an operation belongs to: by the longest path that fits."""
        layer = node.origin.layer
        fitting = [p for p in self.rules if layer == p or layer.startswith(f"{p}.")]
        return self.rules[max(fitting, key=len)] if fitting else self.rule

    def pull(self, record: Any, m: Node, node: Node) -> Sequence[Any]:
        """Multipliers of an operation's operands from that of its result."""
        epsilon = self.rule_at(node).epsilon
        if isinstance(record, Affine):
            return [self._affine(node, record.inputs[0], m)]
        if isinstance(record, Region):
            return self._function(node, record.inputs, m)
        nature = nature_of(node.op)
        if node.op.name == "detach":
            return [m]
        if nature in ("whole", "source"):
            return [None] * len(node.inputs)
        if node.op.name == "add" and len(self.reading.data(node)) == 1:  # a bias of its own
            relevance = elementwise.mul(m, node)
            part = elementwise.div(relevance, stabilized(node, epsilon))
            return self._kept(node, pulled(node, part, node))
        if self.reading.is_linear(node) or nature in ("largest", "choice"):
            return self._kept(node, pulled(node, m, node))
        if self.reading.chooses(node):  # to the elements that were read
            return self._kept(node, pulled(node, m, node))
        if nature == "multilinear":
            return self._product(node, m)
        if nature == "quotient":  # what is divided by counts as a scale
            top, bottom = node.inputs
            scaled = elementwise.div(m, structure.broadcast_to(bottom, node.shape))
            return [sum_to(scaled, top.shape), None]
        if nature == "standardize":
            return [self._standardized(node, m)]
        if nature == "attention":  # the weights count as given (Ali and others, 2022)
            parts = pulled(node, m, node)
            return self._kept(node, [None, None, *parts[2:3], *[None] * (len(parts) - 3)])
        return self._homogeneous(node, m, epsilon)

    def _kept(self, node: Node, parts: Sequence[Any]) -> list[Any]:
        kept = self.reading.depends
        return [p if n in kept else None for n, p in zip(node.inputs, parts, strict=True)]

    def _function(self, node: Node, roots: Sequence[Node], m: Node) -> Sequence[Any]:
        """Of one value: all relevance goes on.  Of a few: to the chosen, else in equal parts."""
        if len(roots) > 1 and nature_of(node.op) == "choice":
            return slope_inside(node, roots, m)
        relevance = elementwise.mul(m, node)
        share = elementwise.mul(relevance, scalar(m, 1 / len(roots)))
        return [elementwise.div(share, stabilized(r, TINY)) for r in roots]

    def _product(self, node: Node, m: Node) -> list[Any]:
        """Two values multiplied: half to each; none to a gate, nor to weights from softmax."""
        data = [n in self.reading.depends for n in node.inputs]
        gates = [
            d and (n.op.name == "sigmoid" or is_softmax(n))
            for n, d in zip(node.inputs, data, strict=True)
        ]
        taking = [d and not g for d, g in zip(data, gates, strict=True)]
        if not any(taking):
            taking = data
        share = elementwise.mul(m, scalar(m, 1 / sum(taking)))
        parts = pulled(node, share, node)
        return [p if t else None for p, t in zip(parts, taking, strict=True)]

    def _standardized(self, node: Node, m: Node) -> Node:
        """The mean is taken away as any linear operation; the deviation counts as a scale."""
        x, (axes, eps) = node.inputs[0], (node.settings["axes"], node.settings["eps"])
        deviation = elementwise.sqrt(elementwise.add(variance_over(x, axes), scalar(x, eps)))
        centred = elementwise.sub(m, mean_over(m, axes))
        found: Node = elementwise.div(centred, deviation)
        return found

    def _homogeneous(self, node: Node, m: Node, epsilon: float) -> list[Any]:
        """Any other smooth operation: in the proportions of slope times value, the whole kept."""
        if node.op.results is not None or node.op.gradient is None:
            raise UnsupportedError(f"lrp has no rule for {node.op.name!r}", "use another method")
        tangents = [n if n in self.reading.depends else None for n in node.inputs]
        whole: Any = tangent_of(node.op, tangents, node, node.inputs, node.settings)
        scaled = elementwise.div(elementwise.mul(m, node), stabilized(whole, epsilon))
        return self._kept(node, pulled(node, scaled, node))

    def _affine(self, node: Node, root: Node, m: Node) -> Any:
        """A product with weights, and its bias, by the layer's rule."""
        rule, product = self.rule_at(node), self._products[node]
        weights = next(n for n in product.inputs if n is not root)
        bias = [n for n in node.inputs if n not in self.reading.depends] * (node is not product)
        relevance = elementwise.mul(m, node)
        if isinstance(rule, EpsilonRule):
            return slope_inside(
                node, [root], elementwise.div(relevance, stabilized(node, rule.epsilon))
            )[0]
        positive = _above(weights)
        if isinstance(rule, GammaRule):
            grown = elementwise.add(weights, elementwise.mul(positive, scalar(weights, rule.gamma)))
            other = evaluated(node, {root: root, weights: grown})
            part = elementwise.div(relevance, stabilized(other, rule.epsilon))
            return slope_inside(other, [root], part)[0]
        return self._alpha_beta(node, root, weights, bias, relevance, rule)

    def _alpha_beta(
        self,
        node: Node,
        root: Node,
        weights: Node,
        bias: Sequence[Node],
        relevance: Node,
        rule: AlphaBetaRule,
    ) -> Any:
        high, low = _above(root), _below(root)
        more, less = _above(weights), _below(weights)

        def sums(with_high: Node, with_low: Node, cut: Any) -> Node:
            first = evaluated(node, {root: high, weights: with_high, **{b: cut(b) for b in bias}})
            none = {b: elementwise.mul(b, scalar(b, 0.0)) for b in bias}
            second = evaluated(node, {root: low, weights: with_low, **none})
            return elementwise.add(first, second)  # type: ignore[no-any-return]

        def back(w: Node, part: Node) -> Any:
            return slope_inside(evaluated(node, {root: root, weights: w}), [root], part)[0]

        for_it, alpha = sums(more, less, _above), scalar(relevance, rule.alpha)
        if not rule.beta:
            plus = elementwise.mul(
                alpha, elementwise.div(relevance, stabilized(for_it, rule.epsilon))
            )
            to_high, to_low = back(more, plus), back(less, plus)
        else:  # where one side has nothing, the other takes all
            against, none = sums(less, more, _below), scalar(relevance, 0.0)
            one, beta = scalar(relevance, 1.0), scalar(relevance, -rule.beta)
            alpha = elementwise.where(elementwise.eq(against, none), one, alpha)
            beta = elementwise.where(elementwise.eq(for_it, none), one, beta)
            plus = elementwise.div(relevance, stabilized(for_it, rule.epsilon))
            minus = elementwise.div(relevance, stabilized(against, rule.epsilon))
            plus, minus = elementwise.mul(alpha, plus), elementwise.mul(beta, minus)
            to_high = elementwise.add(back(more, plus), back(less, minus))
            to_low = elementwise.add(back(less, plus), back(more, minus))
        return elementwise.where(elementwise.gt(root, scalar(root, 0.0)), to_high, to_low)


def _above(x: Node) -> Any:
    return elementwise.maximum(x, scalar(x, 0.0))


def _below(x: Node) -> Any:
    return elementwise.minimum(x, scalar(x, 0.0))


def stabilized(x: Node, epsilon: float) -> Node:
    """x + ε sign x, with sign 0 = 1."""
    low = elementwise.lt(x, scalar(x, 0.0))
    away = elementwise.where(low, scalar(x, -epsilon), scalar(x, epsilon))
    found: Node = elementwise.add(x, away)
    return found


def relevances(
    forward: Forward, rule: Rule, rules: Mapping[str, Rule], layer: Layer | None = None
) -> tuple[list[list[Array]], set[str]]:
    """R for each input (the layer), a list of arrays each, and operations that ended the walk."""
    stopped: set[str] = set()

    def made(reading: Reading) -> Any:
        stopped.update(reading.stopped)
        return Relevance(reading, rule, rules)

    key = ("lrp", rule, tuple(sorted(rules.items())))
    found = walked(forward, key, made, layer, softmax_is_one=True)
    return [
        [m * h for m, h in zip(a, b, strict=True)]
        for a, b in zip(found.arrived, found.here, strict=True)
    ], stopped


@method
def lrp(
    model: Model,
    inputs: Inputs,
    target: Any = None,
    additional_forward_args: Any = (),
    rule: Rule | str = "epsilon",
    rules: Mapping[str, Rule | str] | None = None,
) -> Explanation:
    """The score handed back to the inputs: layer-wise relevance propagation.

    ``rule`` is that of all products with weights: ``"epsilon"``, ``"gamma"``, ``"alpha_beta"``, or
    :class:`EpsilonRule`, :class:`GammaRule`, :class:`AlphaBetaRule` with their settings; ``rules``
    gives layers, by their path, rules of their own.  Other arguments as in :func:`.saliency`.

    Functions of one value hand on all they have; largest elements to the largest, sorted ones to
    where they stood; products of two
    values half to each, but nothing to a sigmoid gate (Arras and others, 2017) or to attention's
    weights; normalization treats the deviation as a scale (Ali and others, 2022).  No operation is
    passed over: one without a rule raises ``UnsupportedError``.  Biases take their share, so the
    values sum to the score less that; the check ``conservation`` says how much.
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    own = {path: rule_named(r) for path, r in (rules or {}).items()}
    found, stopped = relevances(forward, rule_named(rule), own)
    made = forward.explanation(
        "lrp", in_inputs(forward, found), kind="contribution", settings={"rule": rule}
    )
    made.checks["conservation"] = conserved(made)
    if stopped:
        made.checks["operations"] = ended(stopped)
    return made


def conserved(explanation: Explanation) -> Check:
    """How much of the score arrived at the inputs; a figure that decides nothing."""
    output = np.asarray(explanation.output)
    whole = np.abs(output)
    lost = np.abs(output - explanation.totals) / np.where(whole > 0, whole, 1)
    value = float(np.median(lost))
    return Check(
        "conservation", None, value, 0.0, f"{value:.1%} of the score stays with biases and ε"
    )


def ended(stopped: set[str]) -> Check:
    """That relevance ends where whole numbers are made of real ones."""
    listed = ", ".join(sorted(stopped))
    text = f"what goes through {listed} is not followed: the score depends on it by positions alone"
    return Check("operations", False, float(len(stopped)), 0.0, text)
