"""Random tensors, reproducible bit for bit: the same seed gives the same numbers, eager or
compiled, on any number of threads."""

from __future__ import annotations

import math
import time
from typing import Any, SupportsIndex

import numpy as np

from pellucid.base.boundary import clear
from pellucid.base.dtypes import DTypeLike, as_dtype, float32, float64, get_default_dtype, int64
from pellucid.base.errors import ArgumentError, DTypeError, ShapeError
from pellucid.base.shapes import broadcast_shapes
from pellucid.ops import elementwise
from pellucid.ops import random as ops_random
from pellucid.ops.complex import imag, real, view_as_complex
from pellucid.tensor import late
from pellucid.tensor.arguments import Extents
from pellucid.tensor.core import TensorCore, check_size, lift
from pellucid.tensor.creation import _shape_of
from pellucid.tensor.device import Device, DeviceLike, check_device
from pellucid.tensor.interface import Tensor
from pellucid.tensor.layout import Layout, check_layout
from pellucid.tensor.limits import iinfo
from pellucid.tensor.out import takes_out
from pellucid.tensor.promotion import as_operand
from pellucid.tensor.state import concrete, is_tracing, is_watched


class Generator:
    """A source of random numbers: a seed and a count of draws, kept in a tensor.

    ``state`` is int64[2]: (seed, number of the next draw).  A compiled program reads and
    advances it like a parameter.
    """

    device = Device("cpu")

    def __init__(self, device: DeviceLike | None = None) -> None:
        check_device(device)
        self._state: Any = None

    def __repr__(self) -> str:
        seed, draws = self.state.array().tolist()
        return f"Generator(seed={seed}, draws={draws})"

    @property
    def state(self) -> Tensor:
        """int64[2]: seed and number of the next draw."""
        if self._state is None:
            with concrete():
                self._state = lift(np.asarray([0, 0], np.int64))
        return self._state

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed`` (any Python integer; 64 bits of it count)."""
        folded = (int(seed) & 0xFFFFFFFFFFFFFFFF) - ((int(seed) & (1 << 63)) << 1)
        with concrete():
            self.state.assign(lift(np.asarray([folded, 0], np.int64)))
        return self

    def initial_seed(self) -> int:
        """The seed in use."""
        return int(self.state.array()[0])

    def seed(self) -> int:
        """Start from the clock; returns the seed."""
        value = time.time_ns() & 0x7FFFFFFFFFFFFFFF
        self.manual_seed(value)
        return value

    def get_state(self) -> Tensor:
        """A copy of the state, to be given to :meth:`set_state` later."""
        return self.state.clone()

    def set_state(self, value: Tensor) -> None:
        """Continue from a state that :meth:`get_state` returned."""
        self.state.assign(value)

    def clone_state(self) -> Generator:
        """Another generator that goes on from the same state."""
        copied = Generator()
        copied.set_state(self.get_state())
        return copied

    def get_offset(self) -> int:
        """How many draws were made since it was seeded."""
        return int(self.state.array()[1])

    def set_offset(self, offset: int) -> None:
        """Go on as if so many draws had been made since it was seeded."""
        with concrete():
            self.state.assign(lift(np.asarray([self.initial_seed(), offset], np.int64)))

    graphsafe_get_state = get_state
    graphsafe_set_state = set_state

    def draw(self) -> Tensor:
        """The state for one draw; the generator moves on to the next."""
        if is_tracing() or is_watched():
            current = self.state.clone()
            self.state.assign(self.state + lift(np.asarray([0, 1], np.int64)))
            return current
        values = self.state.array().copy()
        self.state.assign(lift(values + _NEXT))
        return lift(values)


_NEXT = np.asarray([0, 1], np.int64)
"""How a state moves on."""

default_generator = Generator()
"""The generator used where none is given."""


def manual_seed(seed: int) -> Generator:
    """Start the default generator from ``seed`` and return it."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator from the clock; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Seed of the default generator."""
    return default_generator.initial_seed()


@clear
def get_rng_state() -> Tensor:
    """State of the default generator."""
    return default_generator.get_state()


@clear
def set_rng_state(value: Tensor) -> None:
    """Continue the default generator from a saved state."""
    default_generator.set_state(value)


def _uniform(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Any:
    kind = as_dtype(dtype or get_default_dtype())
    check_size(shape, kind)
    if kind.is_complex:
        return view_as_complex(_uniform((*shape, 2), kind.to_real(), generator))
    state = (generator or default_generator).draw()
    made = ops_random.random_uniform(state, shape, float32 if kind.is_narrow else kind)
    return elementwise.cast(made, kind)


MOST_AT_ONCE = 1 << 15
"""Fewer normal numbers are computed without an operation for each step: NumPy would be called for
each of them in the same way."""


def _normal(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Any:
    """Box and Muller (1958): √(−2 ln u) · cos(2π v) with two lanes of one draw; u in (0, 1]."""
    wanted = as_dtype(dtype or get_default_dtype())
    if wanted.is_complex:  # of variance 1: ½ for each part
        return view_as_complex(_normal((*shape, 2), wanted.to_real(), generator) * math.sqrt(0.5))
    kind = float32 if wanted.is_narrow else wanted
    check_size(shape, kind)
    draw = (generator or default_generator).draw()
    u = ops_random.random_uniform(draw, shape, kind, 0)
    v = ops_random.random_uniform(draw, shape, kind, 1)
    if math.prod(shape) >= MOST_AT_ONCE or is_tracing() or is_watched():
        return elementwise.cast(_box_muller(u, v, elementwise), wanted)
    made = lift(np.asarray(_box_muller(u.array(), v.array(), np)))
    return made if wanted is kind else elementwise.cast(made, wanted)


def _box_muller(u: Any, v: Any, of: Any) -> Any:
    """Of tensors with ``elementwise``, of arrays with NumPy."""
    return of.sqrt(of.log(1 - u) * -2.0) * of.cos(v * (2 * math.pi))


@takes_out
def rand(
    *shape: Extents,
    size: Extents | None = None,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Uniform in [0, 1)."""
    check_device(device)
    check_layout(layout)
    return _uniform(_shape_of(shape if size is None else (size,)), dtype, generator).requires_grad_(
        requires_grad
    )


@takes_out
def randn(
    *shape: Extents,
    size: Extents | None = None,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Standard normal."""
    check_device(device)
    check_layout(layout)
    return _normal(_shape_of(shape if size is None else (size,)), dtype, generator).requires_grad_(
        requires_grad
    )


@clear
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Uniform in [0, 1), in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    made = _uniform(tuple(input.shape), dtype or input.dtype, generator)
    return made.requires_grad_(requires_grad)


@clear
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Standard normal, in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    made = _normal(tuple(input.shape), dtype or input.dtype, generator)
    return made.requires_grad_(requires_grad)


@takes_out
def randint(
    low: int | None = None,
    high: int | Extents | None = None,
    size: Extents | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Integers evenly in [low, high); without ``low`` they start at 0. int64 by default.

    Calls are ``randint(low, high, size)`` and ``randint(high, size)``, each by name as well.

    From 53 random bits: with ranges under 2^40 no value is off by more than 2^-13 of its share.
    """
    check_device(device)
    check_layout(layout)
    if size is None:
        low, high, size = None, low, high  # randint(high, size)
    elif high is None:
        low, high = None, low  # randint(high, size=size)
    if not isinstance(high, SupportsIndex) or size is None:
        raise ArgumentError(
            f"randint got high={high!r} and size={size!r}",
            "use randint(high, size) or randint(low, high, size)",
        )
    low, high = 0 if low is None else int(low), int(high)
    if high <= low:
        raise ArgumentError(
            f"randint got the empty range [{low}, {high})", "high must be larger than low"
        )
    u = _uniform(_shape_of((size,)) if not isinstance(size, int) else (size,), float64, generator)
    made = elementwise.cast((u * (high - low)).floor() + low, as_dtype(dtype or int64))
    return made.requires_grad_(requires_grad)


@clear
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Integers evenly in [low, high), or [0, low), in the shape and dtype of ``input``."""
    check_device(device)
    check_layout(layout)
    bounds = (0, low) if high is None else (low, high)
    made = randint(*bounds, tuple(input.shape), generator=generator, dtype=dtype or input.dtype)
    return made.requires_grad_(requires_grad)


@takes_out
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    layout: Layout | None = None,
    pin_memory: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """0 … n − 1 in random order, int64 by default."""
    check_device(device)
    check_layout(layout)
    if n < 0:
        raise ArgumentError(f"randperm got n={n}", "use 0 or more")
    order = _uniform((n,), float64, generator).argsort(0)
    return elementwise.cast(order, as_dtype(dtype or int64)).requires_grad_(requires_grad)


@takes_out
def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """1 with probability ``input`` (or ``p``), else 0, in the dtype of ``input``."""
    if p is not None:
        check_share("bernoulli", p)
    else:
        late.check_values(_check_shares, input)
    u = _uniform(tuple(input.shape), float32, generator)
    return elementwise.cast(u.lt(input if p is None else p), input.dtype)


def check_share(name: str, p: float) -> None:
    """Raise unless a probability lies in [0, 1]."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name} got p={p}", "p is a probability: from 0 to 1")


def _check_shares(values: np.ndarray) -> None:
    numbers = as_dtype(values.dtype).numbers(values)
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise ArgumentError(
            f"bernoulli got probabilities from {numbers.min():g} to {numbers.max():g}",
            "they lie between 0 and 1: apply sigmoid",
        )


def _check_weights(values: np.ndarray) -> None:
    """Raise unless the rows are weights of which at least one is positive."""
    numbers = as_dtype(values.dtype).numbers(values)
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ArgumentError(
            f"multinomial got weights from {numbers.min():g} to {numbers.max():g}",
            "they are finite and at least 0: apply softmax to scores",
        )
    if not numbers.any(-1).all():
        raise ArgumentError("multinomial got only weights of 0", "one must be positive")


def _check_positive(
    name: str, what: str, value: float | Tensor, least: float = math.ulp(0)
) -> None:
    """Raise unless a parameter of a distribution is positive (at least ``least``)."""
    if not isinstance(value, TensorCore) and not value >= least:
        bound = "at least 0" if least == 0 else "positive"
        raise ArgumentError(f"{name} got {what}={value}", f"it is {bound}")


@takes_out
def normal(
    mean: Tensor | float = 0.0,
    std: Tensor | float = 1.0,
    size: Extents | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike | None = None,
    layout: Layout | None = None,
    requires_grad: bool = False,
    device: DeviceLike | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Normal with this mean and standard deviation (numbers, or tensors that broadcast).

    Raises ``ArgumentError`` for a deviation below 0.
    """
    check_device(device)
    check_layout(layout)
    if isinstance(std, TensorCore):
        late.check_values(lambda values: _check_positive("normal", "std", values.min(), 0.0), std)
    _check_positive("normal", "std", std, 0.0)
    if size is None:
        size = broadcast_shapes(*(tuple(as_operand(v).shape) for v in (mean, std)))
    given = [v.dtype for v in (mean, std) if isinstance(v, TensorCore)]
    kind = as_dtype(dtype) if dtype is not None else given[0] if given else get_default_dtype()
    drawn = _normal(_shape_of((size,)), float32 if kind.is_narrow else kind, generator)
    made = elementwise.cast(drawn * std + mean, kind)
    return made.requires_grad_(True) if requires_grad else made


@takes_out
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Positions drawn with probabilities proportional to the rows of ``input``: (..., n) int64.

    Without replacement by the exponential race (Efraimidis and Spirakis, 2006).
    """
    if not replacement and num_samples > input.shape[-1]:
        raise ArgumentError(
            f"multinomial got num_samples={num_samples} for {input.shape[-1]} categories "
            "without replacement",
            "pass replacement=True",
        )
    if num_samples < 1:
        raise ArgumentError(f"multinomial got num_samples={num_samples}", "draw at least 1")
    if not input.dtype.is_floating_point:
        raise DTypeError(f"multinomial got {input.dtype.name}", "convert with .float()")
    if len(input.shape) not in (1, 2):
        raise ShapeError(
            f"multinomial got weights of shape {tuple(input.shape)}", "give (n,) or (rows, n)"
        )
    late.check_values(_check_weights, input)
    if not replacement:
        clock = -(1 - _uniform(tuple(input.shape), float64, generator)).log() / input.double()
        order = clock.argsort(-1)
        return order.narrow(-1, 0, num_samples)
    return draw_positions(input.unsqueeze(-2), (*input.shape[:-1], num_samples), generator)


def draw_positions(
    weights: Any, shape: tuple[int, ...], generator: Generator | None = None
) -> Tensor:
    """Positions along the last axis of ``weights``, drawn in proportion: int64 of ``shape``.

    The other axes of ``weights`` broadcast to ``shape``.  By inversion of the running sum.
    """
    total = weights.double().cumsum(-1)  # (…, categories)
    most = weights.shape[-1] - 1
    u = _uniform(shape, float64, generator) * total.narrow(-1, most, 1).squeeze(-1)
    return u.unsqueeze(-1).ge(total).sum(-1).clamp(max=most)


def shuffle_rows(count: int, generator: Generator) -> np.ndarray:
    """A permutation of ``count`` rows as a NumPy array, drawn from ``generator``."""
    with concrete():
        order: np.ndarray = randperm(count, generator=generator).array()
        return order


def _fill(tensor: Any, value: Any) -> Any:
    return tensor.copy_(value)


def _check_takes_fractions(name: str, tensor: Tensor) -> None:
    """Raise if a tensor could not hold what a continuous distribution draws."""
    if tensor.dtype.kind != "float":
        raise DTypeError(
            f"{name} draws fractions and got a tensor of {tensor.dtype.name}",
            "draw into a float tensor, or use random_(low, high) for whole numbers",
        )


class RandomMethods(Tensor):
    """In-place random fills of tensors."""

    __slots__ = ()

    def uniform_(
        self, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with values evenly distributed in [a, b), both parts of complex ones."""
        if not a <= b:
            raise ArgumentError(f"uniform_ got the range [{a}, {b})", "b must not be smaller")
        if self.dtype.is_complex:
            real(self).uniform_(a, b, generator=generator)
            imag(self).uniform_(a, b, generator=generator)
            return self
        _check_takes_fractions("uniform_", self)
        return _fill(self, _uniform(self.shape, self.dtype, generator) * (b - a) + a)

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with normally distributed values; complex ones have the variance std²."""
        _check_positive("normal_", "std", std, 0.0)
        if not self.dtype.is_complex:
            _check_takes_fractions("normal_", self)
        return _fill(self, _normal(self.shape, self.dtype, generator) * std + mean)

    def bernoulli_(self, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Overwrite with 1 (with probability ``p``) or 0, drawn from ``generator``."""
        check_share("bernoulli_", p)
        u = _uniform(self.shape, float32, generator)
        return _fill(self, elementwise.cast(u.lt(p), self.dtype))

    def exponential_(self, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Overwrite with exponentially distributed values of rate ``lambd``."""
        _check_positive("exponential_", "lambd", lambd)
        _check_takes_fractions("exponential_", self)
        return _fill(self, -(1 - _uniform(self.shape, self.dtype, generator)).log() / lambd)

    def random_(
        self, low: int = 0, high: int | None = None, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with integers evenly in [low, high); ``random_(high)`` starts at 0.

        Without bounds: all integers up to the largest of the dtype, or up to which a float has
        all integers (2²⁴ in float32).
        """
        if high is None:
            mantissa = {"float64": 53, "bfloat16": 8, "float16": 11}.get(self.dtype.name, 24)
            whole = self.dtype.kind == "int"
            most = int(iinfo(self.dtype).max) if whole else 2**mantissa
            low, high = 0, low or (2 if self.dtype.kind == "bool" else most + 1)
        return _fill(self, randint(low, high, tuple(self.shape), generator=generator))

    def cauchy_(
        self, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with draws of density σ / (π (σ² + (x − median)²))."""
        _check_positive("cauchy_", "sigma", sigma)
        _check_takes_fractions("cauchy_", self)
        turn = (_uniform(self.shape, self.dtype, generator) - 0.5) * math.pi
        return _fill(self, turn.tan() * sigma + median)

    def log_normal_(
        self, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with e^z, z normal with this mean and standard deviation."""
        _check_positive("log_normal_", "std", std)
        _check_takes_fractions("log_normal_", self)
        return _fill(self, (_normal(self.shape, self.dtype, generator) * std + mean).exp())

    def geometric_(self, p: float, *, generator: Generator | None = None) -> Tensor:
        """Overwrite with the number of the first success, which has probability p each time."""
        if not 0 < p < 1:
            raise ArgumentError(f"geometric_ got p={p}", "use a probability between 0 and 1")
        dtype = self.dtype if self.dtype.is_floating_point else float32
        share = 1 - _uniform(self.shape, dtype, generator)  # in (0, 1]
        return _fill(self, (share.log() / math.log1p(-p)).ceil().clamp(min=1))

    def multinomial(
        self, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
    ) -> Tensor:
        """Positions drawn in proportion to these weights, see :func:`pellucid.multinomial`."""
        return multinomial(self, num_samples, replacement, generator=generator)

    def bernoulli(self, *, generator: Generator | None = None) -> Tensor:
        """1 with the tensor's elements as probabilities, else 0; see :func:`pellucid.bernoulli`."""
        return bernoulli(self, generator=generator)
