"""What a language model would answer already in its middle: the logit lens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.explain.forward import Forward, Inputs, plain
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.tensor import Tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass
class LogitLens:
    """What each layer would answer.

    ``layers`` are their paths, ``probabilities`` float64 (layers, rows, …, answers), of which the
    last is the model's own answer; ``divergence`` (layers,) the mean of KL(own answer ‖ layer's),
    in nats, ``same`` (layers,) the share of places where both have the same first answer.
    """

    layers: tuple[str, ...]
    probabilities: Floats
    divergence: Floats
    same: Floats

    def top(self, count: int = 1) -> npt.NDArray[np.int64]:
        """The most probable answers: (layers, rows, …, count)."""
        order = np.argsort(-self.probabilities, axis=-1, kind="stable")
        return np.asarray(order[..., :count])

    def decided(self, share: float = 0.9) -> str:
        """The first layer from which on at least this share of answers is the model's own."""
        late = np.flatnonzero(self.same < share)
        place = int(late[-1]) + 1 if len(late) else 0
        return self.layers[min(place, len(self.layers) - 1)]


def logit_lens(
    model: Module,
    inputs: Inputs,
    layers: Sequence[Any] | None = None,
    head: Callable[[Any], Any] | None = None,
    additional_forward_args: Any = (),
) -> LogitLens:
    """The model's last part applied to what earlier layers make: how the answer comes about.

    ``layers`` are modules or paths whose results have the shape that ``head`` takes, by default
    the blocks of the model's longest ``ModuleList`` (or ``Sequential``); ``head`` makes scores of
    them, by default the final norm and output layer of a model like :class:`pellucid.models.GPT`.
    Raises ``ArgumentError`` where these cannot be told.  (nostalgebraist, "interpreting GPT: the
    logit lens", 2020.)
    """
    forward = Forward(model, inputs, _sum_of_outputs, additional_forward_args)
    chosen = _blocks(model) if layers is None else [_found(model, layer) for layer in layers]
    last = _head(model) if head is None else head
    kept: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(lambda m, given, made, path=path: kept.update({path: made}))
        for path, module in chosen
    ]
    try:
        with forward.looking(), no_grad():
            own = forward.run(forward.tensors)
            scores = [last(_first(kept[path])) for path, _ in chosen if path in kept]
    finally:
        for handle in handles:
            handle.remove()
    if len(scores) != len(chosen):
        missing = next(path for path, _ in chosen if path not in kept)
        raise ArgumentError(f"the model does not run {missing!r}", "name layers that it runs")
    answers = np.stack([_softmax(plain(s)) for s in [*scores, _first(own)]])
    own_answer = answers[-1]
    logs = np.log(np.maximum(own_answer, 1e-300)) - np.log(np.maximum(answers, 1e-300))
    divergence = (own_answer * logs).sum(-1).reshape(len(answers), -1).mean(1)
    same = answers.argmax(-1) == own_answer.argmax(-1)
    paths = (*(path for path, _ in chosen), "output")
    return LogitLens(paths, answers, divergence, same.reshape(len(answers), -1).mean(1))


def _sum_of_outputs(outputs: Any) -> Any:
    first = _first(outputs)
    return first.reshape(first.shape[0], -1).sum(1)


def _first(made: Any) -> Tensor:
    found: Tensor = made if isinstance(made, Tensor) else made[0]
    return found


def _softmax(scores: Array) -> Floats:
    shifted = scores.astype(np.float64) - scores.max(-1, keepdims=True)
    parts = np.exp(shifted)
    return np.asarray(parts / parts.sum(-1, keepdims=True))


def _found(model: Module, layer: Any) -> tuple[str, Any]:
    for path, module in model.named_modules():
        if module is layer or path == layer:
            return path, module
    raise ArgumentError(f"the model has no layer {layer!r}", "choose one of model.named_modules()")


def _blocks(model: Module) -> list[tuple[str, Any]]:
    """The parts of the longest list of alike modules."""
    best: list[tuple[str, Any]] = []
    for path, module in model.named_modules():
        children = list(module.named_children())
        alike = len({type(child) for _, child in children}) == 1
        if alike and len(children) > max(1, len(best)):
            best = [(f"{path}.{name}" if path else name, child) for name, child in children]
    if not best:
        raise ArgumentError(
            f"{type(model).__name__} has no list of blocks", "name layers: layers=[…]"
        )
    return best


def _head(model: Module) -> Callable[[Any], Any]:
    """The final norm, if there is one, and the output layer, by their usual names."""
    parts = dict(model.named_modules())

    def named(*names: str) -> Any:
        for name in names:
            for path, module in parts.items():
                if path == name or path.endswith(f".{name}"):
                    if not any(c.isdigit() for c in path.split(".")[:-1]):
                        return module
        return None

    out = named("lm_head", "head", "output", "out", "classifier", "decoder")
    norm = named("ln_f", "norm_f", "final_norm", "final_layer_norm", "norm")
    if out is None:
        raise ArgumentError(
            f"{type(model).__name__} has no output layer with a usual name",
            "give one: head=lambda hidden: model.out(model.norm(hidden))",
        )
    return lambda hidden: out(hidden if norm is None else norm(hidden))
