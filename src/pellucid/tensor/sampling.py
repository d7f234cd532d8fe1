"""Draws from distributions that need more than one formula of a uniform number.

Everything here is made of tensor operations with shapes that are known, so that it is traced like
anything else.  Rejection runs for a stated number of rounds, side by side, and each element takes
its first proposal that was accepted; the chance that an element finds none is stated with each
sampler and is below 10⁻¹¹ (it then takes the last proposal).  Outside of a trace the first rounds
are looked at first: position and draw alone decide a random number, so that the result is the same.

Draws of the gamma family have derivatives: x is moved so that its place u = F(x; α) in the
distribution stays, dx/dα = −(∂F/∂α) / p(x).  (Figurnov, Mohamed and Mnih, "Implicit
Reparameterization Gradients", 2018; for Dirichlet draws Jankowiak and Obermeyer, "Pathwise
Derivatives Beyond the Reparameterization Trick", 2018.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import as_dtype, float64
from pellucid.base.errors import ArgumentError, DTypeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.ops import elementwise, structure
from pellucid.ops import random as ops_random
from pellucid.tensor import late
from pellucid.tensor.core import check_size, lift
from pellucid.tensor.function import Function
from pellucid.tensor.interface import Tensor
from pellucid.tensor.random import Generator, default_generator
from pellucid.tensor.state import is_tracing

GAMMA_ROUNDS = 10
"""Marsaglia's and Tsang's proposals are accepted with probability 0.951 or more."""

POISSON_ROUNDS = 20
"""Hörmann's proposals for the Poisson and binomial distributions: 0.74 or more."""

FEW = 10.0
"""Means below are drawn by inversion, over so many values that the rest has less than 10⁻¹⁶."""

FEW_VALUES = 52


def uniform_rounds(generator: Generator | None) -> Callable[[int, tuple[int, ...], int], Any]:
    """``uniform(rounds, shape, lane)``: float64 in [0, 1) of one draw, (rounds, *shape).

    Fewer rounds are the first of more.  Lanes 0 and 1 are independent.
    """
    draw = (generator or default_generator).draw()

    def uniform(rounds: int, shape: tuple[int, ...], lane: int) -> Any:
        check_size((rounds, *shape), float64)
        return ops_random.random_uniform(draw, (rounds, *shape), float64, lane)

    return uniform


def first_accepted(propose: Callable[[int], tuple[Any, Any]], rounds: int, few: int) -> Tensor:
    """The first accepted proposal of each element.

    ``propose(n)`` gives n rounds of proposals and whether each is accepted, both (n, *shape).
    Outside of a trace ``few`` rounds are tried before all of them.
    """
    values = accepted = None
    if not is_tracing():
        values, accepted = propose(few)
        if not accepted.any(0).all().item():
            values = None
    if values is None or accepted is None:
        values, accepted = propose(rounds)
    chosen = values[-1]
    for k in range(values.shape[0] - 2, -1, -1):
        chosen = elementwise.where(accepted[k], values[k], chosen)
    return chosen


# ---- the gamma family ---------------------------------------------------------------------------


def log_gamma_draws(concentration: Any, generator: Generator | None = None) -> Tensor:
    """ln of gamma draws, float64, of the shape of ``concentration``, without history.

    d · v with v = (1 + c · normal)³, d = α − ⅓, c = 1/√(9 d), accepted in the mean 95 to 100 times
    of 100; below α = 1 a draw for α + 1 times u^(1/α).  (Marsaglia and Tsang, "A Simple Method for
    Generating Gamma Variables", 2000.)  No draw among 10 is accepted with probability 8 · 10⁻¹⁴.
    """
    alpha = concentration.detach().double()
    shape = tuple(alpha.shape)
    small = alpha.lt(1)
    d = elementwise.where(small, alpha + 1, alpha) - 1 / 3
    c = (d * 9).rsqrt()
    turns, choices, scale = (uniform_rounds(generator) for _ in range(3))

    def propose(n: int) -> tuple[Any, Any]:
        radius = ((1 - turns(n, shape, 0)).log() * -2).sqrt()
        normal = radius * (turns(n, shape, 1) * (2 * math.pi)).cos()
        root = c * normal + 1
        good = root.gt(0)
        log_v = elementwise.where(good, root, lift(np.asarray(1.0))).log() * 3
        bound = normal * normal / 2 + d * (1 - log_v.exp() + log_v)
        return log_v, good.logical_and((1 - choices(n, shape, 0)).log().lt(bound))

    found = d.log() + first_accepted(propose, GAMMA_ROUNDS, 2)
    boost = (1 - scale(1, shape, 0)[0]).log() / alpha
    return elementwise.where(small, found + boost, found)


@cache
def _nodes(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a rule for ∫₀^∞ f(v) dv, for f that falls at least like e^−v.

    v = exp(t − e^−t) makes the integrand fall doubly exponentially on both sides, where the
    trapezoidal rule converges geometrically.  (Takahasi and Mori, 1974.)
    """
    t = np.arange(-3.5, 4.7, step)
    v = np.exp(t - np.exp(-t))
    return v, step * v * (1 + np.exp(-t))


def _slope(
    width: Any,
    direction: Any,
    change: Callable[[Any], Any],
    score: Callable[[Any], Any],
    step: float = 0.1,
) -> Tensor:
    """dz/dα of a draw z whose place in its distribution stays: −(1/p(z)) ∫_{−∞}^z p s, or
    (1/p(z)) ∫_z^∞ p s, with s = ∂ ln p/∂α, on the side where the density falls.

    ``direction`` is that side, −1 or 1; ``change(q)`` is ln p(z + q) − ln p(z), ``score(q)`` is
    s(z + q), ``width`` the length on which the density falls.
    """
    nodes, weights = (lift(part) for part in _nodes(step))
    q = (direction * width).unsqueeze(-1) * nodes
    parts = change(q).exp() * score(q) * weights
    return direction * width * parts.sum(-1)


def gamma_slope(alpha: Any, z: Any, area: bool = False) -> Tensor:
    """d ln x/dα of gamma draws x, z = ln x; float64, to 10⁻⁶ for α from 10⁻³ to 10⁶.

    With ``area``, instead, the share on the side of x where the density falls, divided by the
    density of z, to 10⁻⁸; negative where that is the lower side.
    """
    x = z.exp()
    lower = x.le(alpha)
    one = lift(np.asarray(1.0))
    direction = elementwise.where(lower, -one, one)
    bend = elementwise.where(lower, x.sqrt().minimum(alpha), x.sqrt())
    width = 1 / ((alpha - x).abs() + bend)
    width = elementwise.where(lower, width, width.minimum(((alpha + 1) / x).log1p() + 1))
    a, b, c = alpha.unsqueeze(-1), x.unsqueeze(-1), (z - alpha.digamma()).unsqueeze(-1)
    change: Callable[[Any], Any] = lambda q: a * q - b * q.expm1()  # noqa: E731
    if area:
        return _slope(width, direction, change, lambda q: 1.0, 0.05)
    return _slope(width, direction, change, lambda q: c + q)


def beta_slope(a: Any, b: Any, z: Any) -> Tensor:
    """dz/da of z = ln x − ln(1 − x) for beta draws x ~ Beta(a, b); float64, to 10⁻⁶."""
    place = z.sigmoid()
    total = a + b
    lean = a - total * place
    lower = lean.ge(0)
    one = lift(np.asarray(1.0))
    direction = elementwise.where(lower, -one, one)
    bend = (total * place * (-z).sigmoid()).sqrt().minimum(elementwise.where(lower, a, b))
    width = 1 / (lean.abs() + bend)
    wide_a, wide_b, wide_z = (t.unsqueeze(-1) for t in (a, b, z))
    below, above = _log_sigmoid(wide_z), _log_sigmoid(-wide_z)
    shift = (total.digamma() - a.digamma()).unsqueeze(-1)

    def change(q: Any) -> Any:
        moved = wide_z + q
        return wide_a * (_log_sigmoid(moved) - below) + wide_b * (_log_sigmoid(-moved) - above)

    return _slope(width, direction, change, lambda q: _log_sigmoid(wide_z + q) + shift)


def gamma_share(concentration: Tensor, x: Tensor) -> Tensor:
    """P(α, x), the distribution function of gamma draws of rate 1, with derivatives by both.

    Outside of a trace it is ``igamma``; in one, p(x) times the integral that :func:`gamma_slope`
    takes, to 10⁻⁸.
    """
    return _GammaShare.apply(concentration, x)


class _GammaShare(Function):
    """P(α, x): dP/dx is the density p, dP/dα is −p x d ln x/dα of a draw that keeps its place."""

    @staticmethod
    def forward(ctx: Any, concentration: Any, x: Any) -> Any:
        ctx.save_for_backward(concentration, x)
        if not is_tracing():
            return concentration.detach().igamma(x.detach())
        alpha, z = concentration.double(), x.double().log()
        rest = gamma_slope(alpha, z, area=True)
        part = _log_density(alpha, z).exp() * rest
        share = elementwise.where(part.lt(0), -part, 1 - part)
        return elementwise.cast(elementwise.where(x.gt(0), share, share * 0), x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        concentration, x = ctx.saved_tensors
        alpha, value = concentration.double(), x.double()
        density = _log_density(alpha, value.log()).exp() / value
        slope = -density * _GammaSlope.apply(concentration, value.log())
        along = gradient * elementwise.cast(density, gradient.dtype)
        nothing = gradient * 0
        found = elementwise.where(
            x.gt(0), gradient * elementwise.cast(slope, gradient.dtype), nothing
        )
        return found, elementwise.where(x.gt(0), along, nothing)


def _log_density(alpha: Any, z: Any) -> Any:
    """The logarithm of the density of z = ln x, x a gamma draw."""
    return alpha * z - z.exp() - alpha.lgamma()


def _log_sigmoid(x: Any) -> Any:
    return x.clamp(max=0.0) - (-x.abs()).exp().log1p()


class _StandardGamma(Function):
    """Gamma draws of rate 1 with their derivative."""

    @staticmethod
    def forward(ctx: Any, concentration: Any, generator: Any) -> Any:
        logs = log_gamma_draws(concentration, generator)
        ctx.save_for_backward(concentration, logs)
        return elementwise.cast(logs.exp(), concentration.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        concentration, logs = ctx.saved_tensors
        slope = _GammaSlope.apply(concentration, logs)
        return gradient * elementwise.cast(slope, gradient.dtype), None


class _GammaSlope(Function):
    """dx/dα of gamma draws; its own derivative is not known."""

    @staticmethod
    def forward(ctx: Any, concentration: Any, logs: Any) -> Any:
        return logs.exp() * gamma_slope(concentration.detach().double(), logs)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        raise ArgumentError(
            "a second derivative of gamma or Dirichlet draws was asked for",
            "draws have first derivatives; use log_prob for higher ones",
        )


def standard_gamma(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """Draws of density x^(α−1) e^−x / Γ(α), α = ``concentration``, in its shape and dtype.

    The draws have a derivative by α, see this file's first lines.
    """
    return _StandardGamma.apply(concentration, generator)


class _Dirichlet(Function):
    """Dirichlet draws with their derivative."""

    @staticmethod
    def forward(ctx: Any, concentration: Any, generator: Any) -> Any:
        logs = log_gamma_draws(concentration, generator).log_softmax(-1)
        x = elementwise.cast(logs.exp(), concentration.dtype)
        ctx.save_for_backward(concentration, logs, x)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        concentration, logs, x = ctx.saved_tensors
        slope = elementwise.cast(_DirichletSlope.apply(concentration, logs), gradient.dtype)
        return slope * (gradient - (gradient * x).sum(-1, keepdim=True)), None


class _DirichletSlope(Function):
    """d ln(x/(1 − x))/dα · x of each part's beta distribution."""

    @staticmethod
    def forward(ctx: Any, concentration: Any, logs: Any) -> Any:
        alpha = concentration.detach().double()
        x, count = logs.exp(), logs.shape[-1]
        others = x.matmul(lift(1 - np.eye(count)))  # no 1 − x, which is 0 where x is nearly 1
        tiny = float(np.finfo(np.float64).tiny)
        z = logs - elementwise.where(x.lt(0.5), 1 - x, others.clamp(min=tiny)).log()
        rest = alpha.matmul(lift(1 - np.eye(count)))
        return x * beta_slope(alpha, rest, z)

    backward = staticmethod(_GammaSlope.backward)


def dirichlet(concentration: Tensor, generator: Generator | None = None) -> Tensor:
    """Draws from the simplex, density ∝ Π xₖ^(αₖ−1) along the last axis of ``concentration``.

    Made in logarithms, so that parts are right where they are very small; they have a derivative.
    """
    return _Dirichlet.apply(concentration, generator)


# ---- counts -------------------------------------------------------------------------------------


@clear
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts with the elements of ``input`` as means, in its shape and dtype: λ^k e^−λ / k!.

    By inversion below a mean of 10, else by transformed rejection (Hörmann, "The Transformed
    Rejection Method for Generating Poisson Random Variables", 1993).  No proposal among 20 is
    accepted with probability 2 · 10⁻¹².  Raises ``DTypeError`` for integers and ``ArgumentError``
    for a rate below 0.
    """
    if not input.dtype.is_floating_point:
        raise DTypeError(f"poisson got rates of {input.dtype.name}", "convert with .float()")
    late.check_values(_check_rates, input)
    rate = input.detach().double()
    few, many = uniform_rounds(generator), _many_poisson(rate, generator)
    found = _split(rate.lt(FEW), lambda: _few_poisson(rate, few), many)
    return elementwise.cast(found, input.dtype)


def _split(small: Any, few: Callable[[], Any], many: Callable[[], Any]) -> Any:
    """``few`` where small, else ``many``; outside of a trace only what is needed is made."""
    if not is_tracing():
        if small.all().item():
            return few()
        if not small.any().item():
            return many()
    return elementwise.where(small, few(), many())


def _check_rates(values: np.ndarray) -> None:
    numbers = as_dtype(values.dtype).numbers(values)
    if not (numbers >= 0).all():
        raise ArgumentError(
            f"poisson got a rate of {np.nanmin(numbers):g}", "rates are numbers of at least 0"
        )


def _inverted(first: Any, ratios: Any, u: Any) -> Any:
    """How many partial sums of the probabilities p₀, p₀ r₁, p₀ r₁ r₂, … are at most u."""
    chances = structure.concatenate([first.unsqueeze(-1), ratios], -1).cumprod(-1)
    return elementwise.cast(chances.cumsum(-1).le(u.unsqueeze(-1)), float64).sum(-1)


def _few_poisson(rate: Any, uniform: Callable[[int, tuple[int, ...], int], Any]) -> Any:
    mean = rate.clamp(max=FEW)
    k = lift(np.arange(1.0, FEW_VALUES))
    u = uniform(1, tuple(rate.shape), 0)[0]
    return _inverted((-mean).exp(), mean.unsqueeze(-1) / k, u)


def _many_poisson(rate: Any, generator: Generator | None) -> Callable[[], Any]:
    uniform = uniform_rounds(generator)

    def draw() -> Any:
        mean = rate.clamp(min=FEW)
        b = mean.sqrt() * 2.53 + 0.931
        a = b * 0.02483 - 0.059
        log_alpha = (1.1328 / (b - 3.4) + 1.1239).log()
        sure = 0.9277 - 3.6224 / (b - 2)

        def propose(n: int) -> tuple[Any, Any]:
            u, v = (uniform(n, tuple(rate.shape), lane) for lane in (0, 1))
            u, v = u - 0.5, 1 - v
            edge = 0.5 - u.abs()
            edge = edge.clamp(min=2.0**-54)
            k = ((a / edge * 2 + b) * u + mean + 0.43).floor()
            good = k.ge(0).logical_and(edge.ge(0.013).logical_or(v.le(edge)))
            k = k.clamp(min=0.0)
            chance = k * mean.log() - mean - (k + 1).lgamma()
            below = (v.log() + log_alpha - (a / (edge * edge) + b).log()).le(chance)
            quick = edge.ge(0.07).logical_and(v.le(sure))
            return k, good.logical_and(quick.logical_or(below))

        return first_accepted(propose, POISSON_ROUNDS, 4)

    return draw


@clear
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of ``count`` trials succeed, each with probability ``prob``, in the dtype of both.

    Shapes broadcast.  By inversion where n · min(p, 1 − p) < 10, else by transformed rejection
    (Hörmann, "The Generation of Binomial Random Variates", 1993), with 20 proposals as
    :func:`poisson` has.  Raises ``DTypeError`` for integers and ``ArgumentError`` for a count below
    0 or a probability out of [0, 1].
    """
    if not (count.dtype.is_floating_point and prob.dtype is count.dtype):
        raise DTypeError(
            f"binomial got counts of {count.dtype.name} and probabilities of {prob.dtype.name}",
            "both have one float dtype",
        )
    late.check_values(_check_trials, count, prob)
    shape = broadcast_shapes(tuple(count.shape), tuple(prob.shape))
    n, p = (structure.broadcast_to(t.detach().double(), shape) for t in (count, prob))
    n, turned = n.floor(), p.gt(0.5)
    p = elementwise.where(turned, 1 - p, p)
    few, many = uniform_rounds(generator), _many_binomial(n, p, generator)
    found = _split((n * p).lt(FEW), lambda: _few_binomial(n, p, few), many)
    return elementwise.cast(elementwise.where(turned, n - found, found), count.dtype)


def _check_trials(count: np.ndarray, prob: np.ndarray) -> None:
    numbers = [as_dtype(values.dtype).numbers(values) for values in (count, prob)]
    if not (numbers[0] >= 0).all():
        raise ArgumentError(f"binomial got a count of {np.nanmin(numbers[0]):g}", "use 0 or more")
    if not ((numbers[1] >= 0) & (numbers[1] <= 1)).all():
        raise ArgumentError(
            f"binomial got probabilities from {numbers[1].min():g} to {numbers[1].max():g}",
            "they lie between 0 and 1: apply sigmoid",
        )


def _few_binomial(n: Any, p: Any, uniform: Callable[[int, tuple[int, ...], int], Any]) -> Any:
    few = (n * p).lt(FEW)
    trials = elementwise.where(few, n, lift(np.asarray(1.0)))
    k = lift(np.arange(1.0, FEW_VALUES))
    ratios = (trials.unsqueeze(-1) + 1 - k).clamp(min=0.0) / k * (p / (1 - p)).unsqueeze(-1)
    u = uniform(1, tuple(n.shape), 0)[0]
    return _inverted((trials * (-p).log1p()).exp(), ratios, u).minimum(trials)


def _many_binomial(n: Any, p: Any, generator: Generator | None) -> Callable[[], Any]:
    uniform = uniform_rounds(generator)

    def draw() -> Any:
        many = (n * p).ge(FEW)
        trials = elementwise.where(many, n, lift(np.asarray(20.0)))
        chance = elementwise.where(many, p, lift(np.asarray(0.5)))
        spread = (trials * chance * (1 - chance)).sqrt()
        b = spread * 2.53 + 1.15
        a = b * 0.0248 - 0.0873 + chance * 0.01
        alpha = (5.1 / b + 2.83) * spread
        sure = 0.92 - 4.2 / b
        odds = (chance / (1 - chance)).log()
        mode = ((trials + 1) * chance).floor()

        def weight(k: Any) -> Any:
            return k * odds - (k + 1).lgamma() - (trials - k + 1).lgamma()

        top = weight(mode)

        def propose(rounds: int) -> tuple[Any, Any]:
            u, v = (uniform(rounds, tuple(n.shape), lane) for lane in (0, 1))
            u, v = u - 0.5, 1 - v
            edge = (0.5 - u.abs()).clamp(min=2.0**-54)
            k = ((a / edge * 2 + b) * u + trials * chance + 0.5).floor()
            good = k.ge(0).logical_and(k.le(trials))
            k = k.clamp(min=0.0).minimum(trials)
            below = (v * alpha / (a / (edge * edge) + b)).log().le(weight(k) - top)
            quick = edge.ge(0.07).logical_and(v.le(sure))
            return k, good.logical_and(quick.logical_or(below))

        return first_accepted(propose, POISSON_ROUNDS, 4)

    return draw
