"""Window functions against SciPy's, printed values and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid
from helpers import assert_close, assert_same
from pellucid.base.errors import ArgumentError, ArgumentTypeError, DTypeError
from pellucid.signal import windows

CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("bartlett", {}, "bartlett"),
    ("blackman", {}, "blackman"),
    ("cosine", {}, "cosine"),
    ("exponential", {"tau": 1.5}, ("exponential", None, 1.5)),
    ("gaussian", {"std": 1.7}, ("gaussian", 1.7)),
    ("general_cosine", {"a": [0.5, 0.3, 0.2]}, ("general_cosine", [0.5, 0.3, 0.2])),
    ("general_hamming", {"alpha": 0.6}, ("general_hamming", 0.6)),
    ("hamming", {}, "hamming"),
    ("hann", {}, "hann"),
    ("kaiser", {"beta": 5.0}, ("kaiser", 5.0)),
    ("nuttall", {}, "nuttall"),
]


@pytest.mark.parametrize(("name", "settings", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_windows_are_scipys(name: str, settings: dict[str, Any], wanted: Any) -> None:
    scipy = pytest.importorskip("scipy.signal.windows")
    for length in (0, 1, 2, 3, 8, 9, 64):
        for sym in (True, False):
            found = getattr(windows, name)(length, sym=sym, dtype=pellucid.float64, **settings)
            expected = scipy.get_window(wanted, length, fftbins=not sym) if length else []
            assert_close(found, np.asarray(expected), 1e-12, 1e-15, f"{name} {length} {sym}")


def test_printed_values() -> None:
    assert_close(windows.hann(5), np.array([0, 0.5, 1, 0.5, 0], np.float32))
    assert_close(windows.bartlett(5, sym=False), np.array([0, 0.4, 0.8, 0.8, 0.4], np.float32))
    assert_close(windows.hamming(3), np.array([0.08, 1, 0.08], np.float32))
    assert windows.kaiser(4).dtype is pellucid.float32
    assert windows.hann(4, requires_grad=True).requires_grad
    moved = windows.exponential(3, center=0, tau=2.0, sym=False, dtype=pellucid.float64)
    assert_close(moved, np.exp([0, -0.5, -1.0]), 1e-15)


@pytest.mark.parity
@pytest.mark.parametrize(
    "name", "bartlett_window blackman_window hamming_window hann_window kaiser_window".split()
)
def test_the_top_level_windows(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
    for length in (0, 1, 2, 7, 8):
        for periodic in (True, False):
            for dtype in ("float32", "float64"):
                found = getattr(pellucid, name)(length, periodic, dtype=getattr(pellucid, dtype))
                expected = getattr(torch, name)(length, periodic, dtype=getattr(torch, dtype))
                assert_same(found, expected, 2e-6, 2e-7, f"{name} {length} {periodic}")
    assert pellucid.hann_window(4, dtype=pellucid.bfloat16).dtype is pellucid.bfloat16


def test_a_window_inside_a_compiled_function() -> None:
    x = pellucid.arange(8.0)
    framed = pellucid.compile(lambda t: t * pellucid.hann_window(8))
    assert_close(framed(x), x * windows.hann(8, sym=False))


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="negative"):
        windows.hann(-1)
    with pytest.raises(ArgumentTypeError, match="whole number"):
        windows.hann(2.5)  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="float32 or float64"):
        windows.hann(3, dtype=pellucid.bfloat16)
    with pytest.raises(ArgumentError, match="tau=-1"):
        windows.exponential(3, tau=-1)
    with pytest.raises(ArgumentError, match="in the middle"):
        windows.exponential(3, center=1.0)
    with pytest.raises(ArgumentError, match="std=-1"):
        windows.gaussian(3, std=-1)
    with pytest.raises(ArgumentError, match="beta=-1"):
        windows.kaiser(3, beta=-1)
    with pytest.raises(ArgumentError, match="no coefficients"):
        windows.general_cosine(3, a=[])
    with pytest.raises(ArgumentTypeError, match="list or tuple"):
        windows.general_cosine(3, a=None)  # type: ignore[arg-type]
    with pytest.raises(DTypeError, match="floating-point"):
        pellucid.hann_window(3, dtype=pellucid.int64)
