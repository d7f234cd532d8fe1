"""The network and its loss as a graph: what follows what."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from pellucid import nn
from pellucid.graph.node import Node, topological
from pellucid.insight.doctor import remedies
from pellucid.insight.doctor.case import Case
from pellucid.insight.doctor.ends import SHAPING, ending_of
from pellucid.insight.doctor.facts import (
    evaluated,
    features_of,
    layer_name,
    targets_of,
    task_of,
    trained,
)
from pellucid.insight.doctor.findings import Evidence, Place, Suspicion
from pellucid.insight.doctor.recording import Computation
from pellucid.insight.doctor.rules.labels import class_numbers
from pellucid.insight.doctor.straightness import bend
from pellucid.insight.doctor.walks import affine_nodes, depends_on, operand_of, weight_of

Found = Iterator[Suspicion]

STRAIGHT_ENOUGH = 0.2
POOLING = SHAPING | {"window_max", "pad", "concatenate"}


# ---- shapes that broadcast -----------------------------------------------------------------------


def broadcast(case: Case) -> Found:
    """Outputs of shape (n,) beside targets of shape (n, 1): each answer with every target."""
    run = trained(case)
    if run is None or run.loss is None or run.output is None:
        return
    nodes = run.nodes()
    own = set(run.nodes_before_output())
    answers, wanted = depends_on(nodes, {run.output}), depends_on(nodes, set(run.targets))
    for node in nodes:
        if node in own or len(node.inputs) < 2 or node.op.name in ("matmul", "convolution"):
            continue
        a = [n for n in node.inputs if n in answers and n not in wanted]
        b = [n for n in node.inputs if n in wanted and n not in answers]
        if not a or not b:
            continue
        first, second = _narrow(a[0]), _narrow(b[0])
        if node.size <= max(first.size, second.size) or min(first.size, second.size) < 2:
            if first.size * 2 <= node.size == second.size and _is_output(run, first):
                yield _stretched(case, run, node, first, second)
                return
            continue
        yield _crossed(case, run, node, first, second)
        return


def _is_output(run: Computation, node: Node) -> bool:
    """Whether a value is the output, perhaps through an activation: one number for a row."""
    shape = node.shape
    return run.output is not None and node.size == run.output.size and len(shape) == 2


def _stretched(case: Case, run: Computation, node: Node, first: Node, second: Node) -> Suspicion:
    weighted = affine_nodes(run, run.nodes_before_output())
    layer = layer_name(case, weighted[-1].origin.layer) if weighted else ""
    what = f"outputs {first.shape} are compared with targets {second.shape}: outputs of a row"
    evidence = Evidence(what, float(first.shape[-1]), str(second.shape[-1]))
    text = f"Let the last layer have {second.shape[-1]} outputs, one for each column."
    place = Place(layer=layer, setting="loss", line=node.origin.line)
    return Suspicion("OUT_UNITS", place, (evidence,), 0.95, remedies=(remedies.advice(text),))


def _narrow(node: Node) -> Node:
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    return node


def _crossed(case: Case, run: Computation, node: Node, first: Node, second: Node) -> Suspicion:
    evidence = [
        Evidence(f"outputs {first.shape} and targets {second.shape} meet as {node.shape}: numbers "
                 "that are compared", float(node.size), str(max(first.size, second.size)))
    ]  # fmt: skip
    target = run.values[run.targets[0]] if len(run.targets) == 1 else None
    answer = run.answer
    if target is not None and answer is not None and target.size == answer.size:
        perfect = run.losses([target.reshape(answer.shape).astype(answer.dtype)])[0]
        if np.isfinite(perfect):
            evidence.append(Evidence("loss of outputs that equal the targets", perfect, "0"))
    text = "Give both the same shape: targets.reshape(outputs.shape), or outputs.squeeze(1)."

    def aligned(outputs: object, targets: object) -> object:
        return case.loss(outputs, targets.reshape(outputs.shape))  # type: ignore[attr-defined]

    patch = remedies.loss(text, str(second.shape), str(first.shape), aligned)
    place = Place(setting="loss", line=node.origin.line)
    return Suspicion("BROADCAST", place, tuple(evidence), 1.0, remedies=(patch,))


# ---- hidden activations --------------------------------------------------------------------------


def hidden_activations(case: Case) -> Found:
    """Sigmoids in several hidden layers, a softmax or an exponential in one."""
    run = evaluated(case)
    if run is None or run.output is None:
        return
    kinds = _before_weights(run)
    sigmoids = [n for kind, n in kinds if kind == "sigmoid"]
    for kind in ("softmax", "exponential"):
        found = [n for k, n in kinds if k == kind]
        if found:
            yield _unsuitable(case, found, kind, 0.9 if kind == "softmax" else 0.8)
            return
    if len(sigmoids) >= 2:
        normalized = sum(n.op.name == "standardize" for n in run.nodes_before_output())
        strength = {2: 0.5}.get(len(sigmoids), 0.85) - (0.3 if normalized >= len(sigmoids) else 0)
        yield _unsuitable(case, sigmoids, "sigmoid", strength)


def _before_weights(run: Computation) -> list[tuple[str, Node]]:
    """Kind and node of the activation in front of each weighted operation."""
    parameters = set(run.parameters)
    found: list[tuple[str, Node]] = []
    for node in affine_nodes(run, run.nodes_before_output()):
        operand = operand_of(node, parameters)
        while operand is not None and operand.op.name in POOLING and operand.inputs:
            operand = operand.inputs[0]
        if operand is None or any(operand is n for _, n in found):
            continue
        kind = ending_of(operand).kind
        if kind == "relu" and operand.op.name == "exp":
            kind = "exponential"
        if kind == "softmax" and ending_of(operand).extent == 1:
            kind = "other"
        found.append((kind, operand))
    return found


def _unsuitable(case: Case, found: list[Node], kind: str, strength: float) -> Suspicion:
    paths = [layer_name(case, n.origin.layer) for n in found]
    slope = {"sigmoid": "its slope is at most 1/4", "softmax": "its outputs sum to 1 and are small",
             "exponential": "it grows without bound"}[kind]  # fmt: skip
    evidence = [Evidence(f"hidden layers with a {kind}, and {slope}", float(len(found)), "0")]
    if kind == "sigmoid":
        evidence.append(Evidence("largest factor of a gradient through them", 0.25 ** len(found)))
    text = f"Use nn.ReLU() (or GELU, tanh) in hidden layers instead of the {kind}."
    layers = dict(case.model.named_modules())
    leaves = [p for p in paths if p in layers and not list(layers[p].children())]
    patch = (
        remedies.layers(text, tuple(dict.fromkeys(leaves)), kind, nn.ReLU)
        if len(leaves) == len(paths) and leaves
        else remedies.advice(text)
    )
    place = Place(layer=", ".join(dict.fromkeys(p for p in paths if p)), line=found[0].origin.line)
    return Suspicion("ACT_HID", place, tuple(evidence), strength, ("other_activation",), (patch,))


def missing_activation(case: Case) -> Found:
    """Layers that are one linear layer together."""
    run = evaluated(case)
    if run is None or run.output is None or not isinstance(case.model, nn.Module):
        return
    pairs, layers = _straight_pairs(case, run), len(affine_nodes(run, run.nodes_before_output()))
    if not pairs:
        return
    paths = [layer_name(case, second.origin.layer) for _, second in pairs]
    evidence = [Evidence("linear layers that follow another without an activation between",
                         float(len(pairs)), "0")]  # fmt: skip
    whole = len(pairs) == layers - 1
    strength = 0.5 if whole else 0.62 if len(pairs) > 1 else 0.5
    measured = None if not whole else _bend(case)
    if measured is not None:
        straight, bent, noise = measured
        evidence.append(Evidence("error of a linear model on held rows, 1 for the mean", straight))
        evidence.append(Evidence("error of one that can bend", bent, f"about {straight:.3g}"))
        strength = 0.93 if straight - bent > max(3 * noise, 0.05) else STRAIGHT_ENOUGH
    elif whole and layers >= 3:
        strength = 0.65
    text = "Put an activation between them, such as nn.ReLU()."
    place = Place(layer=", ".join(dict.fromkeys(paths)))
    patch = remedies.activations(text, tuple(dict.fromkeys(p for p in paths if p)))
    # A task that a line does is no worse for a network that can draw nothing else.
    probes = ("one_batch",) if strength > STRAIGHT_ENOUGH else ()
    yield Suspicion("ACT_MISSING", place, tuple(evidence), strength, probes, (patch,))


def _straight_pairs(case: Case, run: Computation) -> list[tuple[Node, Node]]:
    """Pairs of linear layers (or convolutions) of which the second reads nothing but the first."""
    parameters = set(run.parameters)
    nodes = run.nodes_before_output()
    modules = dict(case.model.named_modules())
    found = []
    weighted = set(affine_nodes(run, nodes))
    for second in weighted:
        operand = operand_of(second, parameters)
        first = None if operand is None else _back(operand, second, run, weighted)
        if first is None or first not in weighted or first.origin.layer == second.origin.layer:
            continue
        kinds = [modules.get(n.origin.layer) for n in (first, second)]
        plain = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        if any(isinstance(k, nn.Module) and list(k.children()) == [] and not isinstance(k, plain)
               for k in kinds):  # fmt: skip
            continue
        if _is_bottleneck(first, second, run) or _is_grouped(first) or _is_grouped(second):
            continue
        found.append((first, second))
    order = {node: i for i, node in enumerate(nodes)}
    return sorted(found, key=lambda pair: order[pair[1]])


def _back(operand: Node, second: Node, run: Computation, weighted: Collection[Node]) -> Node | None:
    """The weighted operation that a value is a linear function of, where nothing but ``second``
    reads what it gives."""
    above = _above(operand, weighted)
    if len(above) != 1:
        return None
    (first,) = above
    nodes = run.nodes_before_output()
    below = depends_on(nodes, {first})
    for node in set(topological([operand])) & below - {first}:
        fixed = [n for n in node.inputs if n not in below]
        if node.op.name in ("add", "sub"):
            continue
        if node.op.name in POOLING or node.op.name == "sum":
            continue
        if node.op.name in ("mul", "div") and len(fixed) == 1 and fixed[0].op.name == "constant":
            continue
        return None
    without = [n for n in nodes if n is not second]
    return None if run.output in depends_on(without, {first}) else first


def _above(node: Node, weighted: Collection[Node]) -> set[Node]:
    """The nearest weighted operations that a value comes from; the features are one as well."""
    found, waiting, seen = set(), [node], {node}
    while waiting:
        current = waiting.pop()
        if current in weighted or current.settings.get("name") == "features":
            found.add(current)
            continue
        for operand in current.inputs:
            if operand not in seen:
                seen.add(operand)
                waiting.append(operand)
    return found


def _is_bottleneck(first: Node, second: Node, run: Computation) -> bool:
    """Whether the width between is smaller than before and behind, which has a purpose."""
    parameters = set(run.parameters)
    widths = []
    for node in (first, second):
        weight = weight_of(node, parameters)
        if weight is None or len(weight.shape) < 2:
            return True
        widths.append(sorted(weight.shape[:2]) if node.op.name == "convolution" else weight.shape)
    if first.op.name == "convolution":
        middle, before = first.shape[1], _channels(first, parameters)
        return middle < min(before, second.shape[1])
    middle = first.shape[-1]
    size = int(np.prod(widths[0])) // max(middle, 1)
    return middle < min(size, second.shape[-1])


def _channels(node: Node, parameters: set[Node]) -> int:
    operand = operand_of(node, parameters)
    return 0 if operand is None else operand.shape[1]


def _is_grouped(node: Node) -> bool:
    return int(node.settings.get("groups", 1)) > 1


def _bend(case: Case) -> tuple[float, float, float] | None:
    """How much better than a linear model one is that can bend."""
    parts, y = features_of(case.train), targets_of(case.train)
    if len(parts) != 1 or parts[0].dtype.kind != "f" or y is None:
        return None
    numbers = class_numbers(case)
    if numbers is not None and len(numbers) == len(parts[0]):
        return bend(parts[0], numbers, classes=True)
    if task_of(case).asks_for_classes or y.dtype.kind not in "iuf":
        return None
    return bend(parts[0], y.reshape(len(y), -1)[:, 0], classes=False)


# ---- width ---------------------------------------------------------------------------------------


def narrow_layer(case: Case) -> Found:
    """A hidden layer that lets hardly anything through."""
    run, task = evaluated(case), task_of(case)
    if run is None or run.output is None or task.kind in ("reconstruction", "none"):
        return
    weighted = affine_nodes(run, run.nodes_before_output())
    if len(weighted) < 2:
        return
    rows = run.output.shape[0] if run.output.shape else 0
    outputs = run.output.size // max(rows, 1)
    hidden = [n for n in weighted[:-1] if n.op.name == "matmul" and n.shape[:1] == (rows,)]
    narrow = [n for n in hidden if len(n.shape) == 2 and n.shape[1] <= 2]
    if not narrow:
        return
    node = min(narrow, key=lambda n: n.shape[1])
    width = node.shape[1]
    fed = max((n.shape[-1] for n in node.inputs[:1]), default=0)
    if fed <= 2 or (width == 2 and outputs <= 3):
        return
    evidence = (Evidence(f"units of a hidden layer, between {fed} inputs and {outputs} outputs",
                         float(width), "16 or more"),)  # fmt: skip
    strength = 0.8 if outputs > width + 1 else 0.64
    text = "Use 16 to 128 units in this layer."
    yield Suspicion("CAPACITY_LOW", Place(layer=layer_name(case, node.origin.layer)), evidence,
                    strength, ("one_batch",), (remedies.advice(text),))  # fmt: skip


# ---- windows -------------------------------------------------------------------------------------


def kernels(case: Case) -> Found:
    """Windows of convolutions that are larger than what they look at, or see one position only."""
    run = evaluated(case)
    if run is None or run.output is None:
        return
    parameters = set(run.parameters)
    found = [n for n in affine_nodes(run, run.nodes_before_output()) if n.op.name == "convolution"]
    sizes = []
    for node in found:
        weight, operand = weight_of(node, parameters), operand_of(node, parameters)
        if weight is None or operand is None or tuple(node.settings["stride"]) == weight.shape[2:]:
            if weight is None or any(k > 1 for k in weight.shape[2:]):
                continue
        if weight is not None and operand is not None and len(weight.shape) > 2:
            sizes.append((node, weight.shape[2:], operand.shape[2:]))
    for node, kernel, extent in sizes:
        if min(extent) >= 6 and all(2 * k > e for k, e in zip(kernel, extent, strict=True)):
            evidence = (Evidence(f"a window of {kernel} over {extent}: its share of the extent",
                                 max(kernel) / max(extent), "below 0.5"),)  # fmt: skip
            yield _window(case, node, evidence, 0.75, "Use windows of 3 × 3, or 5 × 5.")
            return
    if sizes and all(max(kernel) == 1 for _, kernel, _ in sizes) and min(sizes[0][2]) >= 4:
        evidence = (Evidence("largest window of all convolutions", 1.0, "3 or more"),)
        yield _window(
            case, sizes[0][0], evidence, 0.65, "Use windows of 3 × 3: those of 1 see no shapes."
        )


def _window(
    case: Case, node: Node, evidence: tuple[Evidence, ...], strength: float, text: str
) -> Suspicion:
    place = Place(layer=layer_name(case, node.origin.layer), setting="kernel_size")
    return Suspicion("KERNEL_SIZE", place, evidence, strength, remedies=(remedies.advice(text),))


RULES = (broadcast, hidden_activations, missing_activation, narrow_layer, kernels)
