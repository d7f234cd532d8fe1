"""L-BFGS: Newton's direction from the memory of recent gradients, for whole-batch problems."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from pellucid.base.errors import ArgumentError, TraceError
from pellucid.base.shapes import size_of
from pellucid.optim.optimizer import (
    NOT_NEGATIVE,
    Loss,
    Optimizer,
    Parameters,
    as_its_kind,
    as_real,
)
from pellucid.tensor.autograd import enable_grad, no_grad
from pellucid.tensor.core import TensorCore
from pellucid.tensor.creation import tensor, zeros_like
from pellucid.tensor.shaping import cat
from pellucid.tensor.state import is_tracing
from pellucid.tensor.tensor import Tensor

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9


@dataclass(frozen=True)
class Trial:
    """A point on the search line: step length, loss, flat gradient, slope along the line."""

    step: float
    loss: float
    gradient: Any
    slope: float


def cubic_minimum(a: Trial, b: Trial, low: float, high: float) -> float:
    """Where the cubic through both losses and slopes is smallest, within [low, high].

    The middle of the interval where the cubic has no minimum.  Nocedal and Wright, *Numerical
    optimization* (2006), equation 3.59.
    """
    left, right = (a, b) if a.step <= b.step else (b, a)
    width = right.step - left.step
    if width == 0:
        return (low + high) / 2
    d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.step - right.step)
    square = d1 * d1 - left.slope * right.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    divisor = right.slope - left.slope + 2 * d2
    if divisor == 0:
        return (low + high) / 2
    return min(max(right.step - width * (right.slope + d2 - d1) / divisor, low), high)


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    start: Trial,
    step: float,
    reach: float,
    tolerance_change: float,
    max_evaluations: int,
) -> tuple[Trial, int]:
    """A step with sufficient decrease and small slope (the strong Wolfe conditions).

    ``evaluate(t)`` is the trial at step t, ``start`` that at 0, ``step`` the first guess, ``reach``
    the largest element of the direction.  First an interval that must contain such a step is
    found by going further and further, then it is narrowed by cubic interpolation.  Returns the
    best trial and the number of evaluations.  Nocedal and Wright (2006), algorithms 3.5 and 3.6.
    """
    trial = evaluate(step)
    previous, evaluations, rounds = start, 1, 0
    bracket: list[Trial] | None = None
    while rounds < max_evaluations:
        if _rises(trial, start) or (rounds > 1 and trial.loss >= previous.loss):
            bracket = [previous, trial]
            break
        if abs(trial.slope) <= -CURVATURE * start.slope:
            return trial, evaluations
        if trial.slope >= 0:
            bracket = [previous, trial]
            break
        low = trial.step + 0.01 * (trial.step - previous.step)
        further = cubic_minimum(previous, trial, low, trial.step * 10)
        previous, trial = trial, evaluate(further)
        evaluations += 1
        rounds += 1
    if bracket is None:
        return min((start, trial), key=lambda t: t.loss), evaluations
    found, more = _zoom(evaluate, start, bracket, reach, tolerance_change, max_evaluations - rounds)
    return found, evaluations + more


def _rises(trial: Trial, start: Trial) -> bool:
    """Whether the loss fell by less than the slope promises (or is not a number)."""
    return not trial.loss <= start.loss + SUFFICIENT_DECREASE * trial.step * start.slope


def _zoom(
    evaluate: Callable[[float], Trial],
    start: Trial,
    bracket: list[Trial],
    reach: float,
    tolerance_change: float,
    rounds: int,
) -> tuple[Trial, int]:
    """Narrow the bracket until a trial satisfies both conditions; (best trial, evaluations)."""
    best, other = bracket if bracket[0].loss <= bracket[1].loss else bracket[::-1]
    stalled = False
    evaluations = 0
    while evaluations < rounds:
        low, high = sorted((best.step, other.step))
        if (high - low) * reach < tolerance_change:
            break
        step = cubic_minimum(best, other, low, high)
        margin = 0.1 * (high - low)
        if min(high - step, step - low) < margin:
            # Close to an end for the second time, or on it: force some progress.
            if stalled or step >= high or step <= low:
                step = high - margin if abs(step - high) < abs(step - low) else low + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        trial = evaluate(step)
        evaluations += 1
        if _rises(trial, start) or trial.loss >= best.loss:
            other = trial
            if not best.loss <= other.loss:
                best, other = other, best
            continue
        if abs(trial.slope) <= -CURVATURE * start.slope:
            return trial, evaluations
        if trial.slope * (other.step - best.step) >= 0:
            other = best
        best = trial
    return best, evaluations


class LBFGS(Optimizer):
    """θ ← θ + t·d with d = −H·g, H the inverse Hessian as the last gradient changes show it.

    ``step(closure)`` makes up to ``max_iter`` such moves; ``closure`` clears the gradients,
    computes the loss, calls ``backward()`` and returns the loss.

    ``lr`` = 1 (length t, or first guess for the line search), ``max_iter`` = 20, ``max_eval`` =
    1.25·max_iter evaluations of the closure a step, ``tolerance_grad`` = 1e-7 on max|g|,
    ``tolerance_change`` = 1e-9 on the loss and on max|t·d|, ``history_size`` = 100 pairs,
    ``line_search_fn`` = None or "strong_wolfe" (recommended).

    Use it for small problems where the loss of all data fits into one evaluation and is smooth:
    regression, fitting of physical models.  Memory: 2·history_size copies of the parameters.  One
    parameter group.  It decides by values, so it runs eagerly and cannot be compiled; compile the
    closure instead.

    Liu and Nocedal, *On the limited memory BFGS method for large scale optimization* (1989).
    """

    ranges = {
        "lr": NOT_NEGATIVE,
        "max_iter": (1, math.inf, "[)"),
        "history_size": (1, math.inf, "[)"),
        "tolerance_grad": NOT_NEGATIVE,
        "tolerance_change": NOT_NEGATIVE,
    }

    def __init__(
        self,
        params: Parameters,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            raise ArgumentError(
                f"LBFGS got line_search_fn={line_search_fn!r}", 'use None or "strong_wolfe"'
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """The one group; a second one raises :class:`ArgumentError`."""
        if self.param_groups:
            raise ArgumentError(
                "LBFGS got a second parameter group", "it treats all parameters as one vector"
            )
        super().add_param_group(param_group)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """Up to ``max_iter`` moves; returns the loss before the first."""
        if closure is None:
            raise ArgumentError(
                "LBFGS.step was called without a closure",
                "pass a function that clears gradients, computes the loss, calls backward() and "
                "returns the loss",
            )
        if is_tracing():
            raise TraceError(
                "LBFGS decides by the values of losses and cannot be compiled",
                "compile the closure and call optimizer.step outside",
            )
        with no_grad():
            loss: Loss = self._minimize(closure)
            return loss

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        memory = self.state[group["params"][0]]
        for name in ("func_evals", "n_iter"):
            memory.setdefault(name, 0)
        with enable_grad():
            first = closure()
        memory["func_evals"] += 1
        loss, gradient, evaluations = float(first), self._flat_gradient(), 1
        for iteration in range(1, group["max_iter"] + 1):
            if _largest(gradient) <= group["tolerance_grad"]:
                break
            memory["n_iter"] += 1
            direction = self._direction(memory, gradient)
            before = memory["prev_loss"] = loss
            memory["prev_flat_grad"] = gradient
            length = group.rate()
            if memory["n_iter"] == 1:
                length *= min(1.0, 1.0 / float(gradient.abs().sum()))
            slope = _dot(gradient, direction)
            if not slope <= -group["tolerance_change"]:
                memory["d"], memory["t"] = direction, length
                break
            start = Trial(0.0, loss, gradient, slope)
            last = iteration == group["max_iter"]
            end, used = self._move(closure, start, direction, length, evaluations, last)
            memory["d"], memory["t"] = direction, end.step
            loss, gradient = end.loss, end.gradient
            evaluations += used
            memory["func_evals"] += used
            if (
                evaluations >= group["max_eval"]
                or abs(end.step) * _largest(direction) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        return first

    def _direction(self, memory: dict[str, Any], gradient: Any) -> Any:
        """−H·g by the two-loop recursion, after taking in the last move.  Shape (parameters,)."""
        if memory["n_iter"] == 1:
            size = self.param_groups[0]["history_size"]
            memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0, al=[None] * size)
            return -gradient
        change = gradient - memory["prev_flat_grad"]
        move = memory["d"] * memory["t"]
        curvature = _dot(change, move)
        if curvature > 1e-10:
            if len(memory["ro"]) >= self.param_groups[0]["history_size"]:
                for name in ("old_dirs", "old_stps", "ro"):
                    memory[name].pop(0)
            memory["old_dirs"].append(change)
            memory["old_stps"].append(move)
            memory["ro"].append(1.0 / curvature)
            memory["H_diag"] = curvature / _dot(change, change)
        pairs = list(zip(memory["old_dirs"], memory["old_stps"], memory["ro"], strict=True))
        direction = -gradient
        weights = []
        for change, move, inverse in reversed(pairs):
            weights.append(_dot(move, direction) * inverse)
            direction = direction - change * weights[-1]
        memory["al"][: len(weights)] = reversed(weights)
        direction = direction * memory["H_diag"]
        for (change, move, inverse), weight in zip(pairs, reversed(weights), strict=True):
            direction = direction + move * (weight - _dot(change, direction) * inverse)
        return direction

    def _move(
        self,
        closure: Callable[[], Any],
        start: Trial,
        direction: Any,
        length: float,
        evaluations: int,
        last: bool,
    ) -> tuple[Trial, int]:
        """Go along ``direction``; the point reached and the evaluations it took."""
        group = self.param_groups[0]
        home = [parameter.clone() for parameter in group["params"]]

        def evaluate(step: float) -> Trial:
            self._go(home, direction, step)
            with enable_grad():
                loss = float(closure())
            gradient = self._flat_gradient()
            return Trial(step, loss, gradient, _dot(gradient, direction))

        if group["line_search_fn"] is not None:
            end, used = strong_wolfe(
                evaluate,
                start,
                length,
                _largest(direction),
                group["tolerance_change"],
                group["max_eval"] - evaluations,
            )
            self._go(home, direction, end.step)
            return end, used
        if last:
            # The next call of step evaluates here anyway.
            self._go(home, direction, length)
            return Trial(length, start.loss, start.gradient, start.slope), 0
        return evaluate(length), 1

    def _go(self, home: list[Any], direction: Any, step: float) -> None:
        """Set the parameters to home + step · direction."""
        offset = 0
        for parameter, origin in zip(self.param_groups[0]["params"], home, strict=True):
            shape = as_real(origin).shape
            count = size_of(shape)
            part = direction.narrow(0, offset, count).reshape(shape)
            parameter.copy_(origin + as_its_kind(origin, part) * step)
            offset += count

    def _flat_gradient(self) -> Any:
        """All gradients as one vector; zeros for parameters that have none."""
        pieces = []
        for parameter in self.param_groups[0]["params"]:
            grad = parameter.grad
            grad = zeros_like(parameter) if grad is None else grad.detach()
            pieces.append(as_real(grad).reshape(-1))
        # A copy: the next backward may reuse the memory of the gradients.
        return cat(pieces).clone()

    def _load_slots(
        self, parameter: Any, index: Any, slots: Mapping[str, Any], counters: dict[Any, Any]
    ) -> dict[str, Any]:
        return {name: _copied(value) for name, value in slots.items()}


def _copied(value: Any) -> Any:
    """A deep copy that keeps tensors tensors."""
    if isinstance(value, TensorCore):
        return value.clone()  # type: ignore[attr-defined]
    if isinstance(value, list):
        return [_copied(element) for element in value]
    if hasattr(value, "__array__"):
        return tensor(value.__array__())
    return copy.deepcopy(value)


def _dot(a: Any, b: Any) -> float:
    return float((a * b).sum().item())


def _largest(vector: Any) -> float:
    return float(vector.abs().amax().item()) if vector.numel() else 0.0
