"""Which training rows made an answer what it is: TracIn from checkpoints, and for linear models
what leaving each row out changes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError, NonFiniteError, ShapeError
from pellucid.func import functional_call, grad, jvp
from pellucid.insight.effects.subject import Floats, as_rows, row_count
from pellucid.insight.effects.verdict import Reasons
from pellucid.insight.explain.forward import plain
from pellucid.insight.explain.programs import kept
from pellucid.insight.explain.verdicts import Verdict, rank_correlation
from pellucid.nn import functional
from pellucid.nn.modes import evaluation
from pellucid.nn.module import Module
from pellucid.tensor.autograd import no_grad
from pellucid.tensor.compile import compile as compile_function
from pellucid.tensor.creation import as_tensor
from pellucid.training.batches import mapped
from pellucid.training.checkpoints import states_in
from pellucid.training.linear_models import logistic_regression, ridge
from pellucid.training.run_state import RunState
from pellucid.training.weighting import row_loss

_GAP, _AGREEMENT = 0.2, 0.7
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Influence:
    """How much each training row lowered the loss of each row that is asked about.

    ``values`` (training rows, rows asked about): above 0 the training row helped, below 0 it
    spoke against.  ``expected`` (rows asked about,) is their sum where it should be a loss's fall,
    ``measured`` the fall itself; None where that is not known.  ``agreement`` is the rank
    correlation between the halves of the checkpoints, NaN where there are fewer than 4.
    """

    method: str
    values: Floats
    measured: Floats | None
    agreement: float
    verdict: Verdict

    @property
    def expected(self) -> Floats:
        """The sum over the training rows, (rows asked about,)."""
        return np.asarray(self.values.sum(axis=0))

    @property
    def gap(self) -> Floats | None:
        """The measured fall of the loss less the sum of the influences."""
        return None if self.measured is None else np.asarray(self.measured - self.expected)

    def helpful(self, row: int = 0, count: int = 10) -> list[int]:
        """The training rows that helped most, best first (proponents)."""
        return [int(i) for i in np.argsort(-self.values[:, row], kind="stable")[:count]]

    def harmful(self, row: int = 0, count: int = 10) -> list[int]:
        """The training rows that spoke most against it, worst first (opponents)."""
        return [int(i) for i in np.argsort(self.values[:, row], kind="stable")[:count]]


@dataclass(frozen=True, eq=False)
class _Moment:
    """A checkpoint: parameters and buffers by name, the learning rate, and the step it was at."""

    tensors: Mapping[str, Any]
    rate: float
    step: int
    plain_steps: bool


def tracin(
    model: Module,
    loss: Any,
    checkpoints: Any,
    train: tuple[Any, Any],
    asked: tuple[Any, Any],
    *,
    learning_rates: Sequence[float] | float | None = None,
    steps: Sequence[int] | None = None,
    layers: Sequence[str] | None = None,
    compile: bool = True,
) -> Influence:
    """What training on each row did to the loss of others: Σ_k η_k ∇ℓ(w_k, train) · ∇ℓ(w_k, asked).

    ``loss`` is a name of ``nn.functional``, a function or module of (scores, targets) with
    ``reduction``; ``train`` and ``asked`` are (features, targets).  ``checkpoints`` is a folder
    that a Trainer wrote, or a list of files, or of ``state_dict``s in the order of training, with
    ``learning_rates`` for each (or one), and ``steps`` at which each was taken.  Where the steps
    are known, what lies between two checkpoints counts for its length, (s_{k+1} − s_k) / n times
    the mean of both ends, and the influences of all rows sum to the fall of the loss from the first
    checkpoint to the last, up to what lies unseen between them, which is the ``gap``.  Without
    steps each checkpoint counts η_k, as in the paper.  ``layers`` takes the parameters of these
    layers only (their paths), such as the last one.

    Products with the gradients of all training rows are one derivative forward along the gradient
    of the row asked about, in a compiled program, so that no gradient of a single row is stored.
    (Pruthi, Liu, Sundararajan and Kale, "Estimating training data influence by tracing gradient
    descent", 2020.)  Raises ``NonFiniteError`` for gradients that are no numbers.
    """
    moments = _moments(checkpoints, learning_rates, steps)
    each = row_loss(getattr(functional, loss) if isinstance(loss, str) else loss)
    data = [tuple(mapped(as_rows(part), as_tensor) for part in pair) for pair in (train, asked)]
    for features, wanted in data:
        if row_count(features) != row_count(wanted):
            raise ShapeError(
                f"{row_count(features)} rows and {row_count(wanted)} targets",
                "Give a target for each row.",
            )
    names = _parameters(model, layers)
    traced = _traced(model, loss, each, names, compile)
    found = []
    with evaluation(model):
        for moment in moments:
            found.append(traced.products(moment.tensors, *data[0], *data[1]))
        first, last = (traced.losses(m.tensors, *data[1]) for m in (moments[0], moments[-1]))
    count = row_count(data[0][1])
    known = all(moment.step >= 0 for moment in moments) and len(moments) > 1
    rates = np.array([moment.rate for moment in moments])
    if known:  # the trapezoid rule, between checkpoints
        lengths = np.diff([moment.step for moment in moments]) / count
        scaled = [rate * product for rate, product in zip(rates, found, strict=True)]
        parts = [n * (a + b) / 2 for n, a, b in zip(lengths, scaled[:-1], scaled[1:], strict=True)]
    else:
        parts = [rate * product for rate, product in zip(rates, found, strict=True)]
    values = np.sum(parts, axis=0)
    if not np.isfinite(values).all():
        raise NonFiniteError(
            "The gradients of the losses are NaN or infinite",
            "Look at the checkpoints and the rows: np.isfinite(...).",
        )
    whole = known and layers is None
    measured = first - last if whole else None
    agreement = _agreement(parts)
    verdict = _verdict(values, measured, agreement, moments, known)
    return Influence("TracIn", values, measured, agreement, verdict)


def _traced(model: Module, loss: Any, each: Any, names: Sequence[str], compile: bool) -> _Traced:
    """The programs of a model, which the next call finds again where the loss can be told by."""
    key = ("tracin", loss, tuple(names), compile)
    try:
        hash(key)
    except TypeError:
        return _Traced(model, each, names, compile)
    found: _Traced = kept(model, key, lambda: _Traced(model, each, names, compile))
    return found


class _Traced:
    """The program that multiplies the gradients of two sets of rows."""

    def __init__(self, model: Module, each: Any, names: Sequence[str], compile: bool) -> None:
        self.model, self.each, self.names = model, each, tuple(names)
        parts: list[Any] = [self._grad, self._jvp, self._own]
        built = [compile_function(part) if compile else part for part in parts]
        self._slope, self._along, self._loss = built

    def _own(self, tensors: Any, features: Any, targets: Any) -> Any:
        given = features if isinstance(features, tuple) else (features,)
        if isinstance(features, dict):
            return self.each(functional_call(self.model, tensors, (), features), targets)
        return self.each(functional_call(self.model, tensors, given), targets)

    def _split(self, tensors: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        inside = {name: tensors[name] for name in self.names}
        return inside, {name: t for name, t in tensors.items() if name not in inside}

    def _grad(self, tensors: Any, features: Any, targets: Any) -> Any:
        inside, rest = self._split(tensors)
        return grad(lambda p: self._own({**rest, **p}, features, targets).sum())(inside)

    def _jvp(self, tensors: Any, direction: Any, features: Any, targets: Any) -> Any:
        inside, rest = self._split(tensors)
        return jvp(lambda p: self._own({**rest, **p}, features, targets), (inside,), (direction,))[
            1
        ]

    def losses(self, tensors: Any, features: Any, targets: Any) -> Floats:
        """The loss of each row."""
        with no_grad():
            return np.asarray(plain(self._loss(tensors, features, targets)), np.float64)

    def products(self, tensors: Any, x: Any, y: Any, asked: Any, wanted: Any) -> Floats:
        """∇ℓ(train) · ∇ℓ(asked), (training rows, rows asked about)."""
        columns = []
        for row in range(row_count(wanted)):
            one = slice(row, row + 1)
            slope = self._slope(tensors, mapped(asked, itemgetter(one)), wanted[one])
            direction = {name: value.detach() for name, value in slope.items()}
            parts = [
                plain(self._along(tensors, direction, mapped(x, itemgetter(at)), y[at]))
                for at in _blocks(row_count(y))
            ]
            columns.append(np.concatenate(parts).astype(np.float64))
        return np.stack(columns, axis=1)


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + _ROWS, count)) for start in range(0, count, _ROWS)]


def _parameters(model: Module, layers: Sequence[str] | None) -> list[str]:
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    if layers is None:
        return names
    found = [n for n in names if any(n == one or n.startswith(f"{one}.") for one in layers)]
    if not found:
        known = ", ".join(name for name, _ in model.named_modules() if name)
        raise ArgumentError(f"layers={list(layers)!r} have no parameters", f"There are {known}.")
    return found


def _moments(
    given: Any, rates: Sequence[float] | float | None, steps: Sequence[int] | None
) -> list[_Moment]:
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        given = [path] if path.is_file() else states_in(path)
    states = list(given)
    if not states:
        raise ArgumentError(
            "There are no checkpoints to trace",
            "Train with checkpoint=Checkpoints(folder, every_epochs=1, keep=100).",
        )
    several = isinstance(rates, Sequence | np.ndarray)
    listed: list[Any] = list(rates) if several else [rates] * len(states)  # type: ignore[arg-type]
    places = [-1] * len(states) if steps is None else list(steps)
    if len(listed) != len(states) or len(places) != len(states):
        raise ArgumentError(
            f"{len(states)} checkpoints, {len(listed)} learning rates and {len(places)} steps",
            "Give one of each for every checkpoint.",
        )
    return [_moment(s, r, p) for s, r, p in zip(states, listed, places, strict=True)]


def _moment(state: Any, rate: float | None, step: int) -> _Moment:
    if isinstance(state, Mapping):
        if rate is None:
            raise ArgumentError(
                "A state_dict does not tell the learning rate",
                "Give learning_rates=0.1, or a list.",
            )
        tensors = {name: as_tensor(plain(value)) for name, value in state.items()}
        return _Moment(tensors, float(rate), step, True)
    loaded = RunState.load(Path(state))
    groups = loaded["optimizer"]["param_groups"]
    own = float(groups[0]["lr"])
    momentum = float(groups[0].get("momentum", 0.0))
    plainly = "betas" not in groups[0] and "alpha" not in groups[0]
    own = own / (1 - momentum) if plainly and momentum < 1 else own
    tensors = {name: as_tensor(plain(value)) for name, value in loaded["model"].items()}
    taken = int(loaded["history"].get("steps", -1)) if step < 0 else step
    return _Moment(tensors, own if rate is None else float(rate), taken, plainly)


def _agreement(parts: Sequence[Floats]) -> float:
    """The mean rank correlation of what every other checkpoint says with what the rest say."""
    if len(parts) < 4:
        return float("nan")
    halves = np.sum(parts[0::2], axis=0), np.sum(parts[1::2], axis=0)
    columns = range(halves[0].shape[1])
    return float(np.mean([rank_correlation(halves[0][:, c], halves[1][:, c]) for c in columns]))


def _verdict(
    values: Floats,
    measured: Floats | None,
    agreement: float,
    moments: Sequence[_Moment],
    known: bool,
) -> Verdict:
    reasons = Reasons()
    if not all(moment.plain_steps for moment in moments):
        reasons.add(
            "the optimizer scales every step (as Adam does), which plain gradients leave out"
        )
    if measured is not None:
        size = float(np.abs(measured).mean())
        gap = float(np.abs(measured - values.sum(axis=0)).mean()) / size if size else np.inf
        text = f"the influences miss {gap:.0%} of what the losses fell by between the checkpoints"
        (reasons.add if gap > _GAP else reasons.support)(text)
    elif not known and len(moments) == 1:
        reasons.add("it rests on one checkpoint")
    if np.isfinite(agreement):
        text = f"both halves of the checkpoints order the rows alike (correlation {agreement:.2f})"
        if agreement < _AGREEMENT:
            reasons.add(
                "the halves of the checkpoints order the rows differently "
                f"(correlation {agreement:.2f}): use more of them"
            )
        else:
            reasons.support(text)
    if not (reasons.against or reasons.towards):
        reasons.add("it was not held against anything: give the steps of the checkpoints")
    return reasons.verdict()


# ---- linear models -----------------------------------------------------------------------------


def leave_one_out(
    train: tuple[npt.ArrayLike, npt.ArrayLike],
    asked: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    kind: str = "regression",
    penalty: float = 1.0,
) -> Influence:
    """What leaving each training row out changes, exactly: the loss of the rows asked about of a
    linear model fitted without the row, less that of the one fitted with it.

    ``kind="regression"`` fits ridge regression (squared error, ``penalty`` · ‖w‖²),
    ``"classification"`` logistic regression (log-loss, ‖w‖² · penalty / 2) on class numbers.
    Features (rows, columns).  Above 0 the row helped, as in :func:`tracin`, which this is to be
    held against: it refits the model for every row, so that it is for small models.
    """
    if kind not in ("regression", "classification"):
        raise ArgumentError(f"kind={kind!r}", "Use regression or classification.")
    x, y = (np.asarray(part) for part in train)
    new, wanted = (np.asarray(part) for part in asked)
    if x.ndim != 2 or len(x) != len(y) or len(x) < 3 or len(new) != len(wanted):
        raise ShapeError(
            f"leave_one_out got features {x.shape}, targets {y.shape} and rows {new.shape}",
            "Give (rows, columns) and a target for each of at least 3 rows.",
        )
    kept = np.ones(len(x), np.bool_)
    whole = _linear_losses(x, y, new, wanted, kind, penalty)
    values = np.empty((len(x), len(new)))
    for row in range(len(x)):
        kept[row] = False
        values[row] = _linear_losses(x[kept], y[kept], new, wanted, kind, penalty) - whole
        kept[row] = True
    verdict = Verdict(True, ["every row was left out and the model fitted again"])
    return Influence("leave one out", values, None, float("nan"), verdict)


def _linear_losses(x: Any, y: Any, new: Any, wanted: Any, kind: str, penalty: float) -> Floats:
    if kind == "regression":
        weights, shift = ridge(x, np.asarray(y, np.float64).reshape(len(y), -1), penalty)
        errors = new @ weights + shift - np.asarray(wanted, np.float64).reshape(len(wanted), -1)
        return np.asarray((errors**2).mean(axis=1))
    classes = int(max(y.max(), wanted.max())) + 1
    weights, shift = logistic_regression(
        x, y, classes, c=1 / penalty, iterations=1000, tolerance=1e-10
    )
    scores = new @ weights + shift
    highest = scores.max(axis=1)
    total = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return np.asarray(total - scores[np.arange(len(new)), wanted])
