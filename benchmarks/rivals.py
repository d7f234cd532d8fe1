"""The published rules of other tools, on the exam's programs: our own code, their thresholds.

SageMaker Debugger (Amazon; built-in rules), AutoTrainer (Zhang et al., ICSE 2021), DeepDiagnosis
(Wardat et al., ICSE 2022), UMLAUT (Schoop et al., CHI 2021) and TheDeepChecker (Ben Braiek and
Khomh, TOSEM 2023).  Each rule names the causes that its symptom may come from, and counts as
right where one of them is; so a rule that only tells a symptom is not held against its tool.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pellucid
from doctor.exam import ways
from doctor.exam.recipe import Setup, answer
from pellucid import nn
from pellucid.tensor.tensor import Tensor

Said = tuple[str, frozenset[str]]
"""The name of a rule that fired, and the causes that it may mean."""

MOST_STEPS = 400
_SQUASHING = (nn.Sigmoid, nn.Tanh)


@dataclass
class Layer:
    """What an activation saw in one step: shares of its units, and of their inputs."""

    dead: float
    """Share of units that are active for less than 1 % of the rows."""
    not_positive: float
    quiet: float
    """Share of units whose 95 % quantile of |output| is below 1e-5."""
    beyond: float
    """Share of inputs outside of (-23, 17) for sigmoid, ±9.5 for tanh."""
    beyond_five: float
    flat: float
    """Share of units whose mean |output| (about the middle, of the range) is above 0.85."""
    kind: type


@dataclass
class Trace:
    """What the tools look at: settings, data, and some steps of a training."""

    setup: Setup
    losses: list[float] = field(default_factory=list)
    gradients: list[dict[str, np.ndarray]] = field(default_factory=list)
    before: list[dict[str, np.ndarray]] = field(default_factory=list)
    after: list[dict[str, np.ndarray]] = field(default_factory=list)
    layers: list[dict[str, Layer]] = field(default_factory=list)
    epochs: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Training loss, validation loss, training and validation accuracy."""
    outputs: np.ndarray | None = None
    problem: str = ""


class Recorder:
    """Stands where a doctor's watch does, and keeps what the tools look at."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.loss = math.nan
        self.seen: dict[str, Layer] = {}
        self.number = 0
        self.epoch_steps = max(1, trace.setup.steps // trace.setup.recipe.epochs)
        for name, module in trace.setup.model.named_modules():
            if isinstance(module, (nn.ReLU, *_SQUASHING)):
                module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, result: Any) -> None:
            if module.training:
                self.seen[name] = _layer(module, args[0].detach().numpy(), result.detach().numpy())

        return hook

    def _weights(self) -> dict[str, np.ndarray]:
        return {n: p.detach().numpy().copy() for n, p in self.trace.setup.model.named_parameters()}

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        if self.number >= MOST_STEPS:
            yield
            return
        before, self.seen, self.loss = self._weights(), {}, math.nan
        backward = Tensor.backward

        def told(tensor: Any, *args: Any, **kwargs: Any) -> Any:
            self.loss = float(tensor.detach().numpy().sum())
            return backward(tensor, *args, **kwargs)

        Tensor.backward = told  # type: ignore[method-assign]
        try:
            yield
        finally:
            Tensor.backward = backward  # type: ignore[method-assign]
            self._keep(before)

    def _keep(self, before: dict[str, np.ndarray]) -> None:
        trace = self.trace
        trace.losses.append(self.loss)
        trace.before.append(before)
        trace.after.append(self._weights())
        named = trace.setup.model.named_parameters()
        trace.gradients.append({n: p.grad.detach().numpy().copy() for n, p in named
                                if p.grad is not None})  # fmt: skip
        trace.layers.append(self.seen)
        self.number += 1
        if self.number % self.epoch_steps == 0:
            trace.epochs.append(_figures(trace.setup))


def _layer(module: Any, x: np.ndarray, y: np.ndarray) -> Layer:
    units = y.shape[1] if y.ndim != 3 else y.shape[2]
    flat = np.moveaxis(y, 1 if y.ndim != 3 else 2, 0).reshape(units, -1)
    low, high = (-23.0, 17.0) if isinstance(module, nn.Sigmoid) else (-9.5, 9.5)
    around = 2 * flat - 1 if isinstance(module, nn.Sigmoid) else flat
    return Layer(
        float(((flat > 0).mean(1) < 0.01).mean()), float((flat <= 0).mean()),
        float((np.quantile(abs(flat), 0.95, axis=1) < 1e-5).mean()),
        float(((x < low) | (x > high)).mean()), float((abs(x) > 5).mean()),
        float((abs(around).mean(1) > 0.85).mean()), type(module),
    )  # fmt: skip


def _figures(setup: Setup) -> tuple[float, float, float, float]:
    found = []
    for x, y in (setup.train, setup.recipe.data.validation):
        try:
            scores = answer(setup, x[:300])
            with pellucid.no_grad():
                given = pellucid.tensor(scores.astype(np.float32))
                loss = float(setup.loss(given, pellucid.tensor(y[:300])).item())
        except (ValueError, RuntimeError, TypeError):
            return (math.nan,) * 4
        found.append((loss, _accuracy(setup, scores, np.asarray(y[:300]))))
    return found[0][0], found[1][0], found[0][1], found[1][1]


def _accuracy(setup: Setup, scores: np.ndarray, y: np.ndarray) -> float:
    kind = setup.recipe.kind
    if kind == "classes" and scores.ndim == 2 and y.ndim == 1:
        return float((scores.argmax(1) == y).mean())
    if kind == "binary":
        return float(((scores > setup.recipe.threshold).reshape(-1) == y.reshape(-1)).mean())
    return math.nan


def trace(setup: Setup) -> Trace:
    """Trains step by step in Python and keeps what the tools look at."""
    found = Trace(setup)
    recorder = Recorder(found)
    augment = setup.recipe.trainer.get("augment")
    if augment is not None:
        inner = setup.model
        setup.model = _Augmented(inner, augment)  # type: ignore[assignment]
    try:
        with contextlib.suppress(ValueError, TypeError, RuntimeError):
            found.outputs = answer(setup, setup.train[0][:64])
        (setup.recipe.loop or ways.plain_loop)(setup, recorder)
    except (ArithmeticError, ValueError, RuntimeError, TypeError) as problem:
        found.problem = type(problem).__name__
    return found


class _Augmented(nn.Module):
    def __init__(self, model: nn.Module, augment: Any) -> None:
        super().__init__()
        self.model, self.augment = model, augment

    def forward(self, x: Any) -> Any:
        return self.model(self.augment(x)[0] if self.training else x)


# ---- measures that several tools share


def _means(found: Trace) -> list[list[float]]:
    return [[float(abs(g).mean()) for g in step.values()] for step in found.gradients]


def _matrices(found: Trace) -> list[dict[str, np.ndarray]]:
    return [{n: w for n, w in step.items() if w.ndim >= 2} for step in found.before]


def _ratios(found: Trace) -> list[list[float]]:
    rows = []
    for before, after in zip(found.before, found.after, strict=True):
        rows.append([float(np.linalg.norm(after[n] - w) / max(np.linalg.norm(w), 1e-12))
                     for n, w in before.items() if w.ndim >= 2])  # fmt: skip
    return rows


def _broken(found: Trace) -> bool:
    return found.problem in ("NonFiniteError", "FloatingPointError") or any(
        not math.isfinite(loss) for loss in found.losses
    )


def _classification(setup: Setup) -> bool:
    return setup.recipe.kind in ("classes", "binary")


def _labels(setup: Setup) -> np.ndarray:
    return np.asarray(setup.train[1]).reshape(-1)


VANISH = frozenset({"VANISHING", "ACT_HID", "INIT_SCALE", "NORM_MISSING", "SATURATION"})
EXPLODE = frozenset({"EXPLODING", "NUMERIC", "INIT_SCALE", "LR_HIGH"})
FAST, SLOW = frozenset({"LR_HIGH", "BATCH_SIZE"}), frozenset({"LR_LOW", "EPOCHS_FEW", "OPT_WRONG"})
FIRST = frozenset({"INIT_SCALE", "INIT_SYMMETRIC"})
DEAD, FLAT = frozenset({"DEAD_RELU"}), frozenset({"SATURATION", "ACT_HID", "INIT_SCALE"})
FIT, SCALE = frozenset({"OVERFIT", "REG_MISSING"}), frozenset({"INPUT_UNSCALED"})
END = frozenset({"ACT_OUT", "LOGITS_PROBS", "LOSS_WRONG", "TARGET_UNSCALED"})
RARE, NOTHING = frozenset({"IMBALANCE", "MISSING_CLASS"}), frozenset({"UNKNOWN"})


def sagemaker(found: Trace) -> Iterator[Said]:
    """SageMaker Debugger's built-in rules."""
    setup = found.setup
    x, y = setup.train
    if np.ndim(x) == 4 and abs(np.mean(x[:500])) > 0.2:
        yield "CheckInputImages", SCALE
    if _classification(setup):
        counts = np.unique(_labels(setup)[:500], return_counts=True)[1]
        if counts.max() > 10 * counts.min():
            yield "ClassImbalance", RARE
    if found.before:
        spreads = [float(w.var()) for w in _matrices(found)[0].values()]
        grads = np.concatenate([g.reshape(-1) for step in found.gradients[:10]
                                for g in step.values()] or [np.zeros(1)])  # fmt: skip
        low, high = np.quantile(grads, [0.05, 0.95])
        if max(spreads) > 10 * max(min(spreads), 1e-30) or high - low < 0.001:
            yield "PoorWeightInitialization", FIRST
        if any(not w.any() for w in _matrices(found)[0].values()):
            yield "AllZero", FIRST
    if any(layer.dead > 0.5 for step in found.layers for layer in step.values()
           if layer.kind is nn.ReLU):  # fmt: skip
        yield "DeadRelu", DEAD
    if any(layer.beyond > 0.5 for step in found.layers for layer in step.values()
           if layer.kind in _SQUASHING):  # fmt: skip
        yield "SaturatedActivation", FLAT
    if any(value < 1e-7 for step in _means(found) for value in step):
        yield "VanishingGradient", VANISH
    if _broken(found):
        yield "ExplodingTensor", EXPLODE
    ratios = [value for step in _ratios(found) for value in step]
    if any(value > 10 for value in ratios):
        yield "WeightUpdateRatio", FAST
    if any(value < 1e-8 for value in ratios):
        yield "UnchangedTensor", SLOW | {"LR_NEGATIVE"}
    if any(b >= a for a, b in zip(found.losses, found.losses[10:], strict=False)):
        yield "LossNotDecreasing", NOTHING
    if any(held > 1.1 * train > 0 for train, held, *_ in found.epochs):
        yield "Overfit", FIT


def autotrainer(found: Trace) -> Iterator[Said]:
    """AutoTrainer: only where the accuracy is not enough."""
    accuracy = [row[2] for row in found.epochs if math.isfinite(row[2])]
    if accuracy and max(accuracy) >= (0.7 if found.setup.recipe.kind == "binary" else 0.6):
        return
    norms = [[float(np.linalg.norm(g)) for n, g in step.items() if g.ndim >= 2]
             for step in found.gradients]  # fmt: skip
    norms = [row for row in norms if row]
    if any(row[0] < 1e-3 * row[-1] and row[0] < 1e-4 for row in norms):
        yield "vanish", VANISH
    if _broken(found) or any(row[0] > 70 * row[-1] for row in norms):
        yield "explode", EXPLODE
    zeros = [np.mean([float((g == 0).mean()) for g in step.values()]) for step in found.gradients
             if step]  # fmt: skip
    if any(layer.kind is nn.ReLU for step in found.layers[:1] for layer in step.values()) and any(
        share >= 0.7 for share in zeros
    ):
        yield "dying", DEAD
    swings = [b - a for a, b in zip(accuracy, accuracy[1:], strict=False)]
    if swings and np.mean([swing <= -0.03 for swing in swings]) >= 0.2:
        yield "oscillate", FAST
    if swings and max(swings) < 0.01:
        yield "slow", SLOW


def deepdiagnosis(found: Trace) -> Iterator[Said]:
    """DeepDiagnosis."""
    setup = found.setup
    x, y = setup.train
    if np.min(x) < -1 or np.max(x) > 1:
        yield "data outside [-1, 1]", SCALE
    if any(layer.not_positive >= 0.7 for step in found.layers[:1] for layer in step.values()
           if layer.kind is nn.ReLU):  # fmt: skip
        yield "dead node", DEAD
    if any(layer.beyond_five > 0.5 for step in found.layers for layer in step.values()
           if layer.kind in _SQUASHING):  # fmt: skip
        yield "saturated activation", FLAT
    if found.before and any(not 1e-5 <= w.var() <= 10 for w in _matrices(found)[0].values()):
        yield "weights at first", FIRST
    if any(value < 1e-7 for step in _means(found) for value in step):
        yield "vanishing gradient", VANISH
    if _broken(found):
        yield "numerical error", EXPLODE
    ratios = [value for step in _ratios(found) for value in step]
    if any(value > 0.1 for value in ratios):
        yield "learning rate", FAST
    if any(value < 1e-5 for value in ratios):
        yield "learning rate", SLOW
    outputs, labels = found.outputs, np.asarray(y)
    if outputs is not None and labels.dtype.kind == "f" and outputs.size:
        if np.ptp(outputs) > 10 * max(np.ptp(labels), 1e-12) or outputs.max() < labels.min():
            yield "out of range", END
    held = [row[0] for row in found.epochs if math.isfinite(row[0])]
    if any(min(held[i : i + 5]) >= before for i, before in enumerate(held[:-5], 1)):
        yield "loss does not fall", frozenset({"LOSS_WRONG", "LR_HIGH", "LR_LOW"})


def umlaut(found: Trace) -> Iterator[Said]:
    """UMLAUT."""
    setup = found.setup
    x = setup.train[0]
    if np.min(x) < -1 or np.max(x) > 1:
        yield "input not normalized", SCALE
    rate = float(setup.optimizer.param_groups[0]["lr"])
    if rate > 0.01:
        yield "learning rate high", FAST
    if rate < 1e-7:
        yield "learning rate low", SLOW | {"LR_NEGATIVE"}
    modules = list(setup.model.modules())
    name = getattr(setup.loss, "__name__", type(setup.loss).__name__).lower()
    if not any(isinstance(m, (nn.Softmax, nn.LogSoftmax)) for m in modules) and not (
        "cross_entropy" in name or "logits" in name or "crossentropy" in name
    ):
        yield "missing softmax", END
    if any(m.p > 0.5 for m in modules if isinstance(m, nn.Dropout)):
        yield "high dropout", frozenset({"REG_EXCESS"})
    plain = [m for m in modules if not list(m.children())]
    pairs = zip(plain, plain[1:], strict=False)
    if any(isinstance(a, nn.Linear) and isinstance(b, nn.Linear) for a, b in pairs):
        yield "linear between layers", frozenset({"ACT_MISSING"})
    if _broken(found):
        yield "nan loss", EXPLODE
    for a, b in zip(found.epochs, found.epochs[1:], strict=False):
        if b[1] > a[1] and b[0] < a[0]:
            yield "overfitting", FIT
            break
    if any(row[3] > 0.95 or row[3] > row[2] + 0.05 for row in found.epochs):
        yield "suspicious validation", frozenset({"DATA_LEAK"})


def deepchecker(found: Trace) -> Iterator[Said]:
    """TheDeepChecker, with the defaults of its settings."""
    yield from _checked_before(found)
    layers = [layer for step in found.layers for layer in step.values()]
    if any(layer.quiet > 0.5 for layer in layers if layer.kind is nn.ReLU):
        yield "dead units", DEAD
    if any(layer.flat > 0.5 for layer in layers if layer.kind in _SQUASHING):
        yield "saturated units", FLAT
    means = [value for step in _means(found) for value in step]
    if any(value < 1e-6 for value in means):
        yield "vanishing gradient", VANISH
    if _broken(found) or any(value > 1e6 for value in means):
        yield "exploding gradient", EXPLODE
    for name in found.before[0] if found.before else ():
        ratios = [float(np.linalg.norm(a[name] - b[name]) / max(np.linalg.norm(b[name]), 1e-12))
                  for a, b in zip(found.after, found.before, strict=True)]  # fmt: skip
        every = [value for value in ratios[::10] if value > 0]
        if len(every) >= 5 and np.median(np.log10(every)) > -1:
            yield "fast updates", FAST
        if len(every) >= 5 and np.median(np.log10(every)) < -4:
            yield "slow updates", SLOW
    losses = [loss for loss in found.losses[::10] if math.isfinite(loss)]
    if len(losses) > 5 and losses[-1] >= 2 * min(losses) > 0:
        yield "diverging loss", FAST
    if any(losses[i] - losses[i + 5] < 0.05 * abs(losses[i]) for i in range(len(losses) - 5)):
        yield "stagnating loss", SLOW
    moves = np.diff(found.losses)
    if len(moves) > 50 and abs(moves.sum()) < 0.5 * abs(moves).sum() * 0.02:
        yield "fluctuating loss", FAST
    if losses and min(losses) < 1e-5:
        yield "no regularization", FIT


def _checked_before(found: Trace) -> Iterator[Said]:
    setup = found.setup
    x, y = (np.asarray(part) for part in setup.train)
    unit = x.min() in (0, -1) and x.max() == 1
    plain = abs(x.mean()) < 0.1 and abs(x.std() - 1) < 0.1
    if x.dtype.kind == "f" and not (unit or plain):
        yield "unscaled inputs", SCALE
    if y.dtype.kind == "f" and abs(y.std() / max(abs(y.mean()), 1e-12)) < 1e-3:
        yield "constant targets", frozenset({"TARGET_UNSCALED", "SINGLE_CLASS_LABELS"})
    if _classification(setup):
        share = np.unique(_labels(setup), return_counts=True)[1] / len(y)
        if len(share) < 2 or -(share * np.log(share)).sum() / np.log(len(share)) < 0.5:
            yield "unbalanced classes", RARE | {"SINGLE_CLASS_LABELS"}
        first, count = next(iter(found.losses), math.nan), max(2, len(share))
        if setup.recipe.kind == "classes" and abs(first - np.log(count)) > np.log(count):
            yield "loss at first", END | FIRST
    if found.before:
        for w in _matrices(found)[0].values():
            flat = w.reshape(len(w), -1)
            if len(np.unique(flat.round(9), axis=0)) < len(flat):
                yield "symmetric units", FIRST
            fan_in, fan_out = flat.shape[1], len(flat)
            wanted = (2 / fan_in, 2 / (fan_in + fan_out), 1 / fan_in)
            if all(_variance_differs(flat, value) for value in wanted):
                yield "variance at first", FIRST


def _variance_differs(w: np.ndarray, wanted: float) -> bool:
    """χ²-test at 10 % of the variance (the F-test against a population)."""
    n = w.size - 1
    z = (n * w.var() / wanted - n) / math.sqrt(2 * n) if n > 0 else 0.0
    return abs(z) > 1.645


TOOLS: dict[str, Callable[[Trace], Iterator[Said]]] = {
    "SageMaker Debugger": sagemaker,
    "AutoTrainer": autotrainer,
    "DeepDiagnosis": deepdiagnosis,
    "UMLAUT": umlaut,
    "TheDeepChecker": deepchecker,
}


def judged(tool: str, setup: Setup) -> bool:
    """Whether the tool can judge this program at all, by what it needs."""
    if tool == "AutoTrainer":  # accuracy of classes, and nothing but its own training loop
        return _classification(setup) and setup.recipe.loop is None
    if tool in ("DeepDiagnosis", "UMLAUT"):  # callbacks of a training that a library runs
        return setup.recipe.loop is None
    return True


def say(tool: str, found: Trace) -> list[Said]:
    """What a tool says, each rule once, in its order."""
    with np.errstate(all="ignore"):
        return list(dict.fromkeys(TOOLS[tool](found)))
