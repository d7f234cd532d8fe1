"""Gradients gathered on the way from a baseline, whose values share out the difference."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.base.errors import ArgumentError
from pellucid.insight.explain.baselines import background_of, blurred, several
from pellucid.insight.explain.explanation import Explanation
from pellucid.insight.explain.forward import Forward, Inputs, Model, plain
from pellucid.insight.explain.methods import method
from pellucid.insight.explain.slopes import path_average, slopes_at
from pellucid.insight.explain.starts import all_floating, gathered

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

RULES = (
    "gausslegendre",
    "riemann_trapezoid",
    "riemann_left",
    "riemann_middle",
    "riemann_right",
)


@functools.lru_cache(maxsize=64)
def rule_of(name: str, steps: int) -> tuple[Floats, Floats]:
    """Points from 0 to 1 and weights of a rule of integration, by the name that Captum gives it.

    Gauss and Legendre's n points integrate polynomials up to degree 2 n − 1 exactly.
    """
    if name not in RULES or steps < 1:
        raise ArgumentError(
            f"a path got method={name!r} and n_steps={steps}",
            f"use one of {', '.join(RULES)} and at least 1 step",
        )
    if name == "gausslegendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return (1 + points) / 2, weights / 2
    weights = np.full(steps, 1 / steps)
    if name == "riemann_left":
        return np.linspace(0, 1 - 1 / steps, steps), weights
    if name == "riemann_middle":
        return (np.arange(steps) + 0.5) / steps, weights
    if name == "riemann_right":
        return np.linspace(1 / steps, 1, steps), weights
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, steps), weights


@method
def integrated_gradients(
    model: Model,
    inputs: Inputs,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_steps: int = 50,
    method: str = "gausslegendre",
    internal_batch_size: int | None = None,
    *,
    path: str | Callable[[float], Any] = "straight",
    multiply_by_inputs: bool = True,
    seed: int = 0,
) -> Explanation:
    """``(x − x′) ∫ ∂ score(x′ + α (x − x′)) / ∂ x dα``: shares of score(x) − score(x′).

    Args:
        inputs: as in :func:`.saliency`; whole numbers that are looked up (tokens) go from what the
            baseline's numbers are looked up as to what the input's are.
        baselines: x′: zeros, or what :func:`.baselines_of` takes; a list of several is averaged,
            with a standard error between them.
        n_steps: how many points the integral is computed from.
        method: the rule of integration: ``"gausslegendre"``, ``"riemann_trapezoid"``, ``…_left``,
            ``…_middle`` or ``…_right``.
        internal_batch_size: how many rows go through the model at once.
        path: ``"straight"``; ``"blur"``, from a blurred picture to the picture, whose baseline is
            the most blurred one (Xu, Venugopalan and Sundararajan, 2020); or a function from α to
            inputs, with the inputs themselves at 1.
        multiply_by_inputs: whether the slopes are multiplied by x − x′.

    The values sum to the difference up to ``gap``, which falls with more steps.  (Sundararajan,
    Taly and Yan, 2017.)
    """
    forward = Forward(
        model, inputs, target, additional_forward_args, batch_size=internal_batch_size
    )
    if path != "straight":
        return _along(forward, path, n_steps, seed)
    alphas, weights = rule_of(method, n_steps)
    listed = several(forward, baselines, seed)
    found = [
        _from_one(forward, baseline, alphas, weights, multiply_by_inputs) for baseline in listed
    ]
    values, errors = averaged(found)
    outputs = np.mean([forward(*baseline) for baseline in listed], axis=0)
    return forward.explanation(
        "integrated_gradients",
        values,
        kind="contribution" if multiply_by_inputs else "slope",
        is_complete=multiply_by_inputs,
        baseline=listed[0] if len(listed) == 1 else tuple(listed),
        baseline_output=outputs,
        standard_error=errors,
        seeds=(seed,),
        settings={"n_steps": n_steps, "method": method},
    )


def averaged(found: Sequence[Sequence[Array]]) -> tuple[list[Array], tuple[Array, ...] | None]:
    """Means over several baselines, and their standard errors where there are several."""
    if len(found) == 1:
        return list(found[0]), None
    parts = [np.stack(part).astype(np.float64) for part in zip(*found, strict=True)]
    errors = tuple(p.std(0, ddof=1) / np.sqrt(len(found)) for p in parts)
    return [p.mean(0) for p in parts], errors


def _from_one(
    forward: Forward, baseline: Sequence[Array], alphas: Floats, weights: Floats, multiply: bool
) -> list[Array]:
    """The values measured against one baseline."""
    found = path_average(forward, baseline, alphas, weights)
    values = []
    for tensor, slopes, there, here in zip(
        forward.tensors, found.slopes, found.there, found.here, strict=True
    ):
        parts = [
            s * (h - t) if multiply else s for s, h, t in zip(slopes, here, there, strict=True)
        ]
        values.append(gathered(parts, tuple(tensor.shape), tensor.dtype.is_floating_point))
    return values


def _along(forward: Forward, path: Any, steps: int, seed: int) -> Explanation:
    """The integral along a path of one's own, by the trapezoidal rule."""
    if not all_floating(forward):
        raise ArgumentError("a path of its own needs inputs of real numbers", 'use "straight"')
    if path == "blur":
        path = _blurring(forward)
    if not callable(path):
        raise ArgumentError(f"path={path!r}", 'use "straight", "blur" or a function of α')
    points = [_at(forward, path, alpha) for alpha in np.linspace(0, 1, steps + 1)]
    wide = [np.stack(part, 1).reshape(-1, *part[0].shape[1:]) for part in zip(*points, strict=True)]
    slopes = slopes_at(forward, wide, steps + 1)
    values = []
    for place, slope in enumerate(slopes):
        along = np.stack([p[place] for p in points], 1).astype(np.float64)
        apart = slope.reshape(along.shape)
        values.append(((apart[:, 1:] + apart[:, :-1]) / 2 * np.diff(along, axis=1)).sum(1))
    return forward.explanation(
        "integrated_gradients",
        values,
        kind="contribution",
        is_complete=True,
        baseline=tuple(points[0]),
        baseline_output=forward(*points[0]),
        seeds=(seed,),
        settings={"n_steps": steps, "path": "own"},
    )


def _at(forward: Forward, path: Callable[[float], Any], alpha: float) -> list[Array]:
    given = path(float(alpha))
    parts = given if isinstance(given, tuple) else (given,)
    return [
        np.asarray(plain(p)).astype(plain(t).dtype).reshape(tuple(t.shape))
        for p, t in zip(parts, forward.tensors, strict=True)
    ]


def _blurring(forward: Forward) -> Callable[[float], Any]:
    pictures = [plain(t) for t in forward.tensors]
    widest = min(pictures[0].shape[-2:]) / 4

    def path(alpha: float) -> Any:
        width = widest * (1 - alpha)
        return tuple(p if width <= 1e-3 else blurred(p, width) for p in pictures)

    return path


@method
def expected_gradients(
    model: Model,
    inputs: Inputs,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    n_samples: int = 50,
    stdevs: float = 0.0,
    seed: int = 0,
) -> Explanation:
    """Integrated gradients averaged over rows of data as baselines, one point drawn on each way.

    ``baselines`` (count, …) are rows of data, by default zeros; each of ``n_samples`` draws a
    baseline x′, a place α between 0 and 1, and noise of ``stdevs`` on the input, and gives
    (x − x′) ∂ score(x′ + α (x − x′)) / ∂ x.  Baselines and places are spread evenly over all
    samples of a row (stratified), which makes the error smaller than drawing freely.  The values
    estimate shares of score(x) − mean score(baselines); ``standard_error`` is their sampling
    error.  (Erion, Janizek, Sturmfels, Lundberg and Lee, 2021; SHAP's GradientExplainer.)
    """
    forward = Forward(model, inputs, target, additional_forward_args)
    if not all_floating(forward):
        raise ArgumentError(
            "expected_gradients mixes inputs with baselines, and an input is of whole numbers",
            "use integrated_gradients, which mixes what they are looked up as",
        )
    if n_samples < 2:
        raise ArgumentError(f"expected_gradients got n_samples={n_samples}", "use at least 2")
    background = background_of(forward, baselines)
    random = np.random.default_rng(seed)
    rows, count = forward.rows, len(background[0])
    draws = _Draws.of(random, rows, n_samples, count)
    points, ways = [], []
    for tensor, base in zip(forward.tensors, background, strict=True):
        x = plain(tensor)[:, None]
        noise = random.normal(0, stdevs, (rows, n_samples, *x.shape[2:])) if stdevs else 0
        end, start = x + np.asarray(noise, x.dtype), base[draws.chosen]
        steps = draws.alphas.reshape(rows, n_samples, *(1,) * (x.ndim - 2)).astype(x.dtype)
        ways.append(end - start)
        points.append((start + steps * ways[-1]).reshape(-1, *x.shape[2:]))
    slopes = slopes_at(forward, points, n_samples)
    values, errors = [], []
    for slope, way in zip(slopes, ways, strict=True):
        apart = slope.reshape(way.shape).astype(np.float64) * way
        value, error = draws.mean(apart)
        values.append(value)
        errors.append(error)
    return forward.explanation(
        "expected_gradients",
        values,
        kind="contribution",
        is_complete=True,
        baseline=mean_of(forward, background),
        baseline_output=mean_output(forward, background),
        standard_error=tuple(errors),
        seeds=(seed,),
        settings={"n_samples": n_samples, "stdevs": stdevs},
    )


gradient_shap = expected_gradients
"""SHAP's and Captum's name for :func:`expected_gradients`."""


@dataclass(frozen=True)
class _Draws:
    """Which baseline each sample of a row gets, and where on the way it lies: (rows, samples).

    With at least two samples for each baseline they lie side by side, in equal stretches of each
    way, one in each; with fewer, baselines are drawn without repetition.
    """

    chosen: npt.NDArray[np.int64]
    alphas: Floats
    sizes: npt.NDArray[np.int64]
    """Samples of each baseline, where they lie side by side; else empty."""

    @staticmethod
    def of(random: np.random.Generator, rows: int, samples: int, count: int) -> _Draws:
        """The draws for so many rows, samples and baselines."""
        uniform = random.random((rows, samples))
        if samples >= 2 * count:
            sizes = np.full(count, samples // count)
            sizes[random.permutation(count)[: samples % count]] += 1
            chosen = np.repeat(np.arange(count), sizes)
            stretch = np.concatenate([np.arange(n) for n in sizes])
            alphas = (stretch + uniform) / np.repeat(sizes, sizes)
            return _Draws(np.broadcast_to(chosen, (rows, samples)), alphas, sizes)
        whole = np.arange(samples) % count
        first = random.integers(count, size=(rows, 1))
        chosen = (random.permuted(np.tile(whole, (rows, 1)), axis=1) + first) % count
        alphas = random.permuted((np.arange(samples) + uniform) / samples, axis=1)
        return _Draws(chosen, alphas, np.zeros(0, np.int64))

    def mean(self, values: Array) -> tuple[Array, Array]:
        """The estimate from values (rows, samples, …), and its standard error."""
        samples = values.shape[1]
        if not len(self.sizes):
            return values.mean(1), values.std(1, ddof=1) / np.sqrt(samples)
        shape = (1, samples, *(1,) * (values.ndim - 2))
        weights = np.repeat(1 / (len(self.sizes) * self.sizes), self.sizes)
        mean = (values * weights.reshape(shape)).sum(1)
        # Neighbours differ by their places within stretches, which is all that is drawn.
        inside = np.diff(np.repeat(np.arange(len(self.sizes)), self.sizes)) == 0
        steps = np.diff(values, axis=1)[:, inside] ** 2 / 2
        scale = np.repeat(1 / (len(self.sizes) ** 2 * self.sizes * (self.sizes - 1)),
                          self.sizes - 1)  # fmt: skip
        variance = (steps * scale.reshape(1, -1, *shape[2:])).sum(1)
        return mean, np.sqrt(variance)


def mean_of(forward: Forward, background: Sequence[Array]) -> tuple[Array, ...]:
    """The mean row of the background for every row of the inputs."""
    return tuple(
        np.array(np.broadcast_to(b.mean(0, keepdims=True).astype(b.dtype), tuple(t.shape)))
        for b, t in zip(background, forward.tensors, strict=True)
    )


def mean_output(forward: Forward, background: Sequence[Array]) -> Floats:
    """The mean score of the background, for each row's own score."""
    count = len(background[0])
    wide = [np.tile(b, (forward.rows, *(1,) * (b.ndim - 1))) for b in background]
    return np.asarray(forward(*wide, copies=count).reshape(forward.rows, count).mean(1))
