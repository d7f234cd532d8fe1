"""Tensors as text, in the form that PyTorch prints: what a value looks like, and what it is.

Floats of one tensor share a number of digits and a width; a tensor of whole numbers shows them
with a point alone; far-apart magnitudes are written with exponents.  Of large tensors only the
ends of each axis are shown.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.base.dtypes import DType, bool_, get_default_dtype, int64
from pellucid.base.errors import ArgumentError

if TYPE_CHECKING:
    from pellucid.tensor.core import TensorCore


@dataclass
class PrintOptions:
    """How tensors are printed; see :func:`set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


OPTIONS = PrintOptions()
PROFILES: dict[str, PrintOptions] = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed.

    ``precision`` digits after the point (4); more than ``threshold`` (1000) elements are
    summarized to ``edgeitems`` (3) at each end of an axis; lines are broken at ``linewidth`` (80)
    characters.  ``sci_mode`` True or False fixes whether exponents are written; None (which it
    becomes unless given) decides by the values.  ``profile`` sets all of them first: "default",
    "short" or "full".  Raises ``ArgumentError`` for another profile or a negative number.
    """
    if profile is not None:
        if profile not in PROFILES:
            raise ArgumentError(f"set_printoptions got profile={profile!r}", _one_of(PROFILES))
        for name, value in asdict(PROFILES[profile]).items():
            setattr(OPTIONS, name, value)
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, number in given.items():
        if number is None:
            continue
        if not isinstance(number, (int, float)) or number < 0:
            raise ArgumentError(f"set_printoptions got {name}={number!r}", "use a number from 0 up")
        setattr(OPTIONS, name, number)
    OPTIONS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options by name, as :func:`set_printoptions` takes them."""
    return asdict(OPTIONS)


@contextmanager
def printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> Iterator[None]:
    """The options of :func:`set_printoptions` inside a ``with`` block."""
    before = get_printoptions()
    set_printoptions(precision, threshold, edgeitems, linewidth, profile, sci_mode)
    try:
        yield
    finally:
        set_printoptions(**before)


def _one_of(names: dict[str, PrintOptions]) -> str:
    return "use one of " + ", ".join(map(repr, names))


class _Format:
    """One width and one number of digits for all elements of a tensor."""

    def __init__(self, values: np.ndarray) -> None:
        self.is_float = values.dtype.kind == "f"
        self.whole, self.exponents, self.width = True, False, 1
        if not self.is_float:
            self.width = max([1, *(len(str(v)) for v in values.ravel().tolist())])
            return
        shown = values[np.isfinite(values) & (values != 0)].astype(np.float64)
        if not shown.size:
            return
        self.whole = bool((shown == np.ceil(shown)).all())
        low, high = float(np.abs(shown).min()), float(np.abs(shown).max())
        if OPTIONS.sci_mode is None:
            self.exponents = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        else:
            self.exponents = OPTIONS.sci_mode
        # A whole number is followed by its point, which counts to the width.
        point = int(self.whole and not self.exponents)
        self.width = max(1, *(len(self._digits(v)) + point for v in shown.tolist()))

    def _digits(self, value: float) -> str:
        if self.exponents:
            return f"{value:.{OPTIONS.precision}e}"
        return f"{value:.0f}" if self.whole else f"{value:.{OPTIONS.precision}f}"

    def __call__(self, value: Any) -> str:
        if not self.is_float:
            return str(value).rjust(self.width)
        text = self._digits(value)
        if self.whole and not self.exponents and math.isfinite(value):
            text += "."
        return text.rjust(self.width)


class _ComplexFormat:
    """Real and imaginary parts, each with a width and a number of digits of their own."""

    def __init__(self, values: np.ndarray) -> None:
        self.real, self.imag = _Format(values.real), _Format(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: Any) -> str:
        imaginary = self.imag(value.imag).lstrip() + "j"
        sign = "" if imaginary[0] in "+-" else "+"
        return self.real(value.real) + sign + imaginary


_Writer = _Format | _ComplexFormat
"""Writes one element."""


def _ends(values: np.ndarray) -> np.ndarray:
    """The elements that are shown of a large tensor: those at the ends of every axis."""
    edge = OPTIONS.edgeitems
    for axis, extent in enumerate(values.shape):
        if extent > 2 * edge:
            kept = [*range(edge), *range(extent - edge, extent)]
            values = np.take(values, kept, axis)
    return values


def _body(values: np.ndarray, indent: int, short: bool, write: _Writer) -> str:
    """The elements in nested brackets; ``indent`` characters stand before them."""
    if values.ndim == 0:
        return write(values.item())
    edge = OPTIONS.edgeitems
    cut = short and len(values) > 2 * edge
    if values.ndim == 1:
        return _line(values, indent, short, cut, write)
    if cut:
        first, last = values[:edge], values[len(values) - edge :]
        parts = [_body(v, indent + 1, short, write) for v in first] + ["..."]
        parts += [_body(v, indent + 1, short, write) for v in last]
    else:
        parts = [_body(v, indent + 1, short, write) for v in values]
    return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def _line(values: np.ndarray, indent: int, short: bool, cut: bool, write: _Writer) -> str:
    """The elements of a vector, in as many lines as they need."""
    edge = OPTIONS.edgeitems
    if short and not edge:
        texts = ["..."]
    elif cut:
        first, last = values[:edge].tolist(), values[-edge:].tolist()
        texts = [*map(write, first), " ...", *map(write, last)]
    else:
        texts = [write(v) for v in values.tolist()]
    each = max(1, (OPTIONS.linewidth - indent) // (write.width + 2))
    lines = [", ".join(texts[i : i + each]) for i in range(0, len(texts), each)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def tensor_text(tensor: TensorCore, prefix: str = "tensor(") -> str:
    """What ``repr`` gives: the elements, then size, dtype, and what autograd knows of it."""
    array = tensor._cell.array
    facts: list[str] = []
    known: tuple[DType, ...] = (get_default_dtype(), int64, bool_, get_default_dtype().to_complex())
    if array is None:
        body = "<traced>"
        facts += [f"shape={tuple(tensor.shape)}", f"dtype={tensor.dtype.name}"]
        return f"{prefix}{body}, {', '.join(facts)})"
    values = tensor.dtype.numbers(array)
    if not values.size:
        body, known = "[]", (get_default_dtype(),)
        if values.ndim != 1:
            facts.append(f"size={tuple(tensor.shape)}")
    else:
        short = values.size > OPTIONS.threshold
        if not OPTIONS.edgeitems:
            facts.append(f"size={tuple(tensor.shape)}")
        shown = _ends(values) if short else values
        write = (_ComplexFormat if tensor.dtype.is_complex else _Format)(shown)
        body = _body(values, len(prefix), short, write)
    if tensor.dtype not in known:
        facts.append(f"dtype={tensor.dtype!r}")
    if tensor._record is not None:
        facts.append(f"grad_fn={tensor._record!r}")
    elif tensor._requires_grad:
        facts.append("requires_grad=True")
    return _with_facts(prefix + body, facts, len(prefix))


def _with_facts(text: str, facts: list[str], indent: int) -> str:
    """The facts after the elements, on a new line where they would be too long."""
    used = len(text) - text.rfind("\n") + 1
    for fact in facts:
        if used + len(fact) + 2 > OPTIONS.linewidth:
            text += ",\n" + " " * indent + fact
            used = indent + len(fact)
        else:
            text += ", " + fact
            used += len(fact) + 2
    return text + ")"


def tensor_html(tensor: TensorCore) -> str:
    """The tensor for a notebook: shape, dtype and statistics in a table, the elements below."""
    facts = {"shape": str(tuple(tensor.shape)), "dtype": tensor.dtype.name}
    if tensor._record is not None:
        facts["grad_fn"] = repr(tensor._record)
    elif tensor._requires_grad:
        facts["requires_grad"] = "True"
    if tensor._cell.array is not None:
        facts |= _statistics(tensor.dtype.numbers(tensor._cell.array))
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in facts)
    cells = "".join(f"<td>{html.escape(value)}</td>" for value in facts.values())
    return (
        f'<table class="pellucid-tensor"><tr>{heads}</tr><tr>{cells}</tr></table>'
        f"<pre>{html.escape(tensor_text(tensor))}</pre>"
    )


def _statistics(values: np.ndarray) -> dict[str, str]:
    """Least, greatest and mean element, and how many are not finite."""
    if values.dtype.kind == "b":
        return {"true": f"{int(values.sum()):,} of {values.size:,}"}
    if values.dtype.kind == "c":
        return _statistics(np.abs(values))
    finite = values[np.isfinite(values)]
    found = {}
    if finite.size:
        wide = finite.astype(np.float64)
        numbers = {"min": wide.min(), "max": wide.max(), "mean": wide.mean(), "std": wide.std()}
        found = {name: f"{float(number):.4g}" for name, number in numbers.items()}
    if finite.size < values.size:
        found["NaN or infinite"] = f"{values.size - finite.size:,}"
    return found
