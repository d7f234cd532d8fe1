"""Whether two results are close, and what to say if they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.base.dtypes import DType, DTypeLike, as_dtype, bfloat16, float16, float32, float64
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError, PellucidError
from pellucid.tensor.creation import tensor
from pellucid.tensor.device import DeviceLike, check_device
from pellucid.tensor.random import rand, randint
from pellucid.tensor.tensor import Tensor

TOLERANCES: dict[DType, tuple[float, float]] = {
    float16: (1e-3, 1e-5),
    bfloat16: (1.6e-2, 1e-5),
    float32: (1.3e-6, 1e-5),
    float64: (1e-7, 1e-7),
}
"""Dtype → relative and absolute difference that count as close; others must be equal."""


class MismatchError(PellucidError, AssertionError):
    """Two results that were to be close are not."""


class _Settings:
    """What a comparison was asked for."""

    def __init__(
        self,
        rtol: float | None,
        atol: float | None,
        equal_nan: bool,
        check_dtype: bool,
        msg: str | Callable[[str], str] | None,
    ) -> None:
        self.rtol, self.atol = rtol, atol
        self.equal_nan, self.check_dtype, self.msg = equal_nan, check_dtype, msg

    def tolerances(self, *dtypes: DType) -> tuple[float, float]:
        """The larger tolerances of these dtypes, or those that were given."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
        return max(p[0] for p in pairs), max(p[1] for p in pairs)

    def fail(self, text: str, path: str) -> MismatchError:
        """The error, with the place within containers and the caller's own words."""
        text += f"\n\nThe failure occurred for item {path}" if path else ""
        if callable(self.msg):
            text = self.msg(text)
        elif self.msg is not None:
            text = self.msg
        return MismatchError(text, "")


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise unless |actual − expected| ≤ atol + rtol · |expected| for all elements.

    Compares tensors, arrays and numbers, and sequences and mappings of these part by part.  The
    tolerances depend on the dtypes (:data:`TOLERANCES`); give both or none.  NaN equals NaN with
    ``equal_nan``.  Shapes, and dtypes unless ``check_dtype=False``, must agree; device, layout and
    strides always do.  ``msg`` replaces the text, or makes it from the usual one.

    Raises :class:`MismatchError` (an ``AssertionError``), ``ArgumentError`` (a ``ValueError``) for
    one tolerance alone, ``ArgumentTypeError`` (a ``TypeError``) for what cannot be compared.
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(
            f"assert_close got {'rtol' if atol is None else 'atol'} alone",
            "both tolerances must be either specified or omitted",
        )
    _compare(actual, expected, _Settings(rtol, atol, equal_nan, check_dtype, msg), "")


def _compare(actual: Any, expected: Any, settings: _Settings, path: str) -> None:
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing = sorted(map(repr, expected.keys() - actual.keys()))
        more = sorted(map(repr, actual.keys() - expected.keys()))
        if missing or more:
            raise settings.fail(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: [{', '.join(missing)}]\n"
                f"Additional keys in the actual mapping: [{', '.join(more)}]",
                path,
            )
        for key in expected:
            _compare(actual[key], expected[key], settings, f"{path}[{key!r}]")
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise settings.fail(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path
            )
        for place, (one, other) in enumerate(zip(actual, expected, strict=True)):
            _compare(one, other, settings, f"{path}[{place}]")
    elif actual is None and expected is None:
        return
    else:
        _compare_values(actual, expected, settings, path)


def _is_sequence(value: object) -> bool:
    plain = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return plain and not isinstance(value, Tensor)


def _compare_values(actual: Any, expected: Any, settings: _Settings, path: str) -> None:
    kinds = (Tensor, np.ndarray)
    numbers = (int, float, np.generic)
    if isinstance(actual, numbers) and isinstance(expected, numbers):
        own = tensor(actual, dtype=float64 if isinstance(actual, float) else None)
        other = tensor(expected, dtype=float64 if isinstance(expected, float) else None)
        alike = True
    elif isinstance(actual, kinds) and isinstance(expected, kinds):
        own = actual.detach() if isinstance(actual, Tensor) else tensor(actual)
        other = expected.detach() if isinstance(expected, Tensor) else tensor(expected)
        alike = False
    else:
        raise ArgumentTypeError(
            f"assert_close cannot compare a {type(actual).__name__} and a "
            f"{type(expected).__name__}",
            "pass two tensors, two arrays, two numbers, or containers of these",
        )
    if tuple(own.shape) != tuple(other.shape):
        raise settings.fail(
            "The values for attribute 'shape' do not match: "
            f"{tuple(own.shape)} != {tuple(other.shape)}.",
            path,
        )
    if settings.check_dtype and not alike and own.dtype is not other.dtype:
        raise settings.fail(
            f"The values for attribute 'dtype' do not match: {own.dtype!r} != {other.dtype!r}.",
            path,
        )
    rtol, atol = settings.tolerances(own.dtype, other.dtype)
    _compare_numbers(own, other, rtol, atol, alike, settings, path)


def _compare_numbers(
    actual: Tensor,
    expected: Tensor,
    rtol: float,
    atol: float,
    scalars: bool,
    settings: _Settings,
    path: str,
) -> None:
    whole = not (actual.is_floating_point() or expected.is_floating_point())
    kind: Any = np.int64 if whole else np.float64
    a, b = (
        t.dtype.numbers(t.numpy() if t.dtype is not bfloat16 else t.array()).astype(kind)
        for t in (actual, expected)
    )
    with np.errstate(all="ignore"):
        close = (a == b) | (np.isfinite(a) & np.isfinite(b) & (abs(a - b) <= atol + rtol * abs(b)))
        if settings.equal_nan:
            close |= np.isnan(a) & np.isnan(b)
        if close.all():
            return
        difference = np.where(close & (a == b), 0, abs(a - b))
        relative = difference / abs(b)
    difference, relative = (np.where(close, 0, d) for d in (difference, relative))
    exact = rtol == atol == 0
    word = "equal" if exact else "close"
    if actual.dim() == 0:
        head = "Scalars" if scalars or actual.dim() == 0 else "Tensor-likes"
        allowed = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
        text = (
            f"{head} are not {word}!\n\nExpected {b.item()} but got {a.item()}.\n"
            f"Absolute difference: {difference.item()}{allowed[0]}\n"
            f"Relative difference: {relative.item()}{allowed[1]}"
        )
    else:
        count, bad = close.size, int((~close).sum())
        text = (
            f"Tensor-likes are not {word}!\n\n"
            f"Mismatched elements: {bad} / {count} ({bad / count:.1%})\n"
            f"{_greatest('absolute', difference, None if exact else atol)}\n"
            f"{_greatest('relative', relative, None if exact else rtol)}"
        )
    raise settings.fail(text, path)


def _greatest(name: str, values: np.ndarray, allowed: float | None) -> str:
    """Where the greatest difference is, NaN counting as the greatest of all."""
    ranked = np.where(np.isnan(values), np.inf, values)
    place = np.unravel_index(int(ranked.argmax()), values.shape)
    at = f"({', '.join(map(str, map(int, place)))}{',' if len(place) == 1 else ''})"
    limit = "" if allowed is None else f" (up to {allowed} allowed)"
    return f"Greatest {name} difference: {values[place].item()} at index {at}{limit}"


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """:func:`assert_close` by its older name: dtypes may differ, and NaN equals NaN."""
    own = actual if isinstance(actual, Tensor) else tensor(actual)
    other = expected if isinstance(expected, Tensor) else tensor(expected, dtype=own.dtype)
    assert_close(
        own,
        other,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        msg=msg or None,
    )


def make_tensor(
    *shape: Any,
    dtype: DTypeLike,
    device: DeviceLike = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: object = None,
) -> Tensor:
    """A tensor of evenly random numbers in [low, high), by default [−9, 9) (uint8: [0, 10)).

    With ``exclude_zero`` zeros become the smallest positive number (1 for whole numbers).
    """
    check_device(device)
    kind = as_dtype(dtype)
    size = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    if kind.kind == "bool":
        return randint(0, 2, size).bool()
    if kind.kind == "int":
        unsigned = not np.issubdtype(kind.numpy, np.signedinteger)
        first = int(low) if low is not None else 0 if unsigned else -9
        made = randint(first, int(high) if high is not None else 10, size).to(kind)
        least = 1.0
    elif kind.is_floating_point:
        first_, last = -9.0 if low is None else low, 9.0 if high is None else high
        made = (rand(size, dtype=float64) * (last - first_) + first_).to(kind)
        least = float(np.finfo(np.float64 if kind is float64 else np.float32).tiny)
    else:
        raise DTypeError(f"make_tensor got {kind.name}", "use a dtype of numbers")
    if exclude_zero:
        made = made.masked_fill(made == 0, least)
    return made.requires_grad_(requires_grad)
