"""What is suspicious about a network before it is trained: weights, activations, its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid import nn
from pellucid.insight.finding import Finding
from pellucid.insight.heads import check_head
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.creation import as_tensor
from pellucid.tensor.tensor import Tensor

LARGEST_GAIN = 10.0
"""Standard deviation of weights times √inputs: He's start has √2."""
SMALLEST_GAIN = 0.01
SAMPLE_ROWS = 32
"""Rows of the data that are run to see in which order the layers are used."""

TRANSPARENT = (nn.Identity, nn.Dropout, nn.Flatten, nn.Unflatten)
"""Layers that pass on what they get, as far as weights and activations are concerned."""


class Use(NamedTuple):
    """One use of a layer without children: what it reads are the layers whose results it got."""

    path: str
    layer: Module
    reads: frozenset[str]
    shape: tuple[int, ...] | None


class Structure(NamedTuple):
    """The layers in the order of use, and the one whose result is the network's."""

    uses: list[Use]
    last: Use | None


def check_model(model: Any, data: Any = None, loss: Any = None) -> list[Finding]:
    """What is suspicious about a network's weights, activations and end, before any training.

    ``model`` is a network or a ``Trainer``, whose loss is then known.  ``data`` (rows, …), an
    array or tensor, is run once in evaluation mode to see the order of the layers; without it the
    order is known inside of ``nn.Sequential`` only, elsewhere layers are taken in the order in
    which the model holds them.  ``loss`` is a function, a module or a name.

    Findings: ``zero weights``, ``equal weights`` (units of a hidden layer that start equal stay
    equal, because their gradients are equal), ``non-finite weights``, ``large weights``, ``small
    weights``; ``sigmoid in a hidden layer`` (its slope is at most 1/4; gates are none), ``no
    activation between layers`` (together they are one linear layer), ``softmax over one unit``,
    ``softmax over the rows``; and with a loss ``doubled head``, ``missing head`` and
    ``activation on the scores``.
    """
    if not isinstance(model, Module) and isinstance(getattr(model, "model", None), Module):
        model, loss = model.model, model.loss if loss is None else loss
    found = _run(model, data) if data is not None else _read(model)
    weighted = [use for use in found.uses if _matrix(use.layer) is not None]
    findings: list[Finding] = []
    for use in _once(weighted):
        matrix = _matrix(use.layer)
        is_last = bool(weighted) and use.path == weighted[-1].path
        if matrix is not None:
            findings += _check_weight(use, matrix, hidden=not is_last)
    by_path = {use.path: use for use in found.uses}
    for use in found.uses:
        findings += _check_use(use, by_path)
    if found.last is not None:
        findings += check_head(found.last.path, found.last.layer, loss, _units(found))
    return findings


def _once(uses: list[Use]) -> list[Use]:
    """Each layer the first time it is used."""
    return list({id(use.layer): use for use in reversed(uses)}.values())[::-1]


# ---- the order of the layers ---------------------------------------------------------------------


def _read(model: Module) -> Structure:
    """The layers as the model holds them; what follows what is known in Sequential alone."""
    uses: list[Use] = []
    last = _follow(model, "", frozenset(), uses)
    return Structure(uses, next((u for u in reversed(uses) if u.path in last), None))


def _follow(layer: Module, path: str, reads: frozenset[str], uses: list[Use]) -> frozenset[str]:
    """Adds the uses inside of a layer and returns whose results it gives, if that is known."""
    children = list(layer.named_children())
    if not children:
        if isinstance(layer, TRANSPARENT):
            return reads
        uses.append(Use(path or type(layer).__name__, layer, reads, None))
        return frozenset([path or type(layer).__name__])
    known = isinstance(layer, nn.Sequential)
    for name, child in children:
        given = _follow(child, f"{path}.{name}" if path else name, reads, uses)
        reads = given if known else frozenset()
    return reads if known else frozenset()


def _run(model: Module, data: Any) -> Structure:
    """The layers as a run of some rows uses them."""
    rows = data.detach() if isinstance(data, Tensor) else as_tensor(np.asarray(data))
    makers: dict[int, frozenset[str]] = {}
    kept: list[Any] = []
    uses: list[Use] = []

    def watch(path: str) -> Callable[[Any, Any, Any], None]:
        def look(layer: Module, args: tuple[Any, ...], output: Any) -> None:
            reads = frozenset().union(*(makers.get(id(a), frozenset()) for a in args))
            given = output[0] if isinstance(output, tuple) and output else output
            kept.extend((given, *args))  # so that no other object gets the same id
            if isinstance(layer, TRANSPARENT):
                makers[id(given)] = reads
                return
            shape = tuple(given.shape) if isinstance(given, Tensor) else None
            uses.append(Use(path, layer, reads, shape))
            makers[id(given)] = frozenset([path])

        return look

    handles = [
        layer.register_forward_hook(watch(path or type(layer).__name__))
        for path, layer in model.named_modules()
        if next(layer.children(), None) is None
    ]
    try:
        with evaluation(model), no_grad():
            result = model(rows[:SAMPLE_ROWS])
    finally:
        for handle in handles:
            handle.remove()
    last = makers.get(id(result), frozenset())
    return Structure(uses, next((u for u in reversed(uses) if u.path in last), None))


def _units(found: Structure) -> int | None:
    """How many outputs the network has, where its last layer tells."""
    last = found.last
    if last is None:
        return None
    if last.shape is not None:
        return last.shape[1] if len(last.shape) == 2 else None
    matrix = _matrix(last.layer)
    return None if matrix is None else len(matrix)


# ---- weights -------------------------------------------------------------------------------------


def _matrix(layer: Any) -> npt.NDArray[Any] | None:
    """The weight of a layer as (units, inputs), or None where it has no such weight."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or len(weight.shape) < 2 or not weight.numel():
        return None
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        return None  # rows are looked up, not multiplied
    return np.asarray(weight.detach().float().numpy()).reshape(weight.shape[0], -1)


_RANDOM = "Use nn.init.kaiming_normal_ (ReLU) or xavier_normal_ (tanh); zeros are for biases."


def _check_weight(use: Use, weight: npt.NDArray[Any], hidden: bool) -> list[Finding]:
    units, inputs = weight.shape
    size = f"{units} units of {inputs} inputs"
    if not np.isfinite(weight).all():
        bad = int((~np.isfinite(weight)).sum())
        text = f"{bad} of {weight.size} weights are NaN or infinite"
        advice = "Load good weights, or train again with a smaller learning rate or clip_norm."
        return [Finding("non-finite weights", use.path, text, advice)]
    if not hidden:
        return []  # a last layer may start anyhow: its units learn different things
    if not weight.any():
        text = f"all weights are 0 ({size}): no gradient passes to the layers before it"
        return [Finding("zero weights", use.path, text, _RANDOM)]
    used = weight[weight.any(axis=1)]
    equal = len(used) - len(np.unique(used, axis=0))
    if equal and len(used) > 1:
        text = f"all units start with the same weights ({size})"
        if equal < len(weight) - 1:
            text = f"{equal + 1} of {units} units (or more) start with the weights of another"
        return [Finding("equal weights", use.path, f"{text} and get the same gradients", _RANDOM)]
    return _check_gain(use, weight, size)


def _check_gain(use: Use, weight: npt.NDArray[Any], size: str) -> list[Finding]:
    """Weights far larger or smaller than any usual start."""
    gain = float(weight.std()) * math.sqrt(weight.shape[1])
    if weight.size < 8 or SMALLEST_GAIN <= gain <= LARGEST_GAIN:
        return []
    what = "large weights" if gain > LARGEST_GAIN else "small weights"
    text = (
        f"their standard deviation is {float(weight.std()):.3g} ({size}); He's start has "
        f"{math.sqrt(2 / weight.shape[1]):.3g}, and signals change by their ratio in each layer"
    )
    return [Finding(what, use.path, text, _RANDOM)]


# ---- activations ---------------------------------------------------------------------------------


def _check_use(use: Use, by_path: dict[str, Use]) -> list[Finding]:
    layer = use.layer
    found: list[Finding] = []
    for source in (by_path[path] for path in use.reads if path in by_path):
        if _matrix(layer) is not None and isinstance(source.layer, nn.Sigmoid):
            found.append(_hidden_sigmoid(source.path))
        if isinstance(layer, nn.Linear) and isinstance(source.layer, nn.Linear):
            found += _check_pair(source, use)
        if isinstance(layer, (nn.Softmax, nn.LogSoftmax)):
            found += _check_softmax(use, source)
    return found


def _hidden_sigmoid(path: str) -> Finding:
    return Finding(
        "sigmoid in a hidden layer",
        path,
        "its slope is at most 1/4, so gradients shrink from layer to layer, and its outputs are "
        "not centred at 0",
        "Use ReLU, or tanh where the output must be bounded; keep sigmoid for the output layer "
        "of binary tasks.",
    )


def _check_pair(first: Use, second: Use) -> list[Finding]:
    """Two linear layers in a row, unless the first is a bottleneck, which has a purpose."""
    inputs, middle = first.layer.in_features, first.layer.out_features
    outputs = second.layer.out_features
    if middle < min(inputs, outputs):
        return []
    text = f"{first.path} and {second.path} are linear, so together they are one linear layer"
    advice = "Put an activation between them, such as nn.ReLU(), or leave one out."
    return [Finding("no activation between layers", second.path, text, advice)]


def _check_softmax(use: Use, source: Use) -> list[Finding]:
    """A softmax whose result does not depend on anything, or that mixes the rows."""
    layer: Any = use.layer
    matrix = _matrix(source.layer)
    single = matrix is not None and len(matrix) == 1
    if use.shape is not None:
        single = use.shape[layer.dim] == 1
    if single:
        text = "a single number divided by itself is always 1"
        advice = "Use nn.Sigmoid() for one output, or an output for each class."
        return [Finding("softmax over one unit", use.path, text, advice)]
    if layer.dim == 0:
        text = "dim=0 are the rows, so the answers of one batch sum to 1"
        return [Finding("softmax over the rows", use.path, text, "Use dim=1, or dim=-1.")]
    return []
