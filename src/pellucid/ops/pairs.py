"""Host operations on complex numbers, for programs whose values are pairs of real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.graph.node import Primitive, Sample, Spec
from pellucid.ops.registry import PRIMITIVES, define, ramp, require_float

Settings = tuple[tuple[str, Any], ...]


def _inner(name: str, params: Settings, output: int) -> tuple[Primitive, dict[str, Any]]:
    """The operation itself, and its settings."""
    primitive = PRIMITIVES[name]
    own = dict(params)
    return primitive, own if primitive.results is None else {**own, "output": output}


def pairs_of(spec: Spec) -> Spec:
    """What a complex value is as pairs; a real one is itself."""
    return Spec((*spec.shape, 2), spec.dtype.to_real()) if spec.dtype.is_complex else spec


def _infer(
    *specs: Spec, name: str, params: Settings, complexes: tuple[bool, ...], output: int
) -> Spec:
    for spec in (s for s, c in zip(specs, complexes, strict=True) if c):
        require_float(name, spec)
    whole = [
        Spec(s.shape[:-1], s.dtype.to_complex()) if c else s
        for s, c in zip(specs, complexes, strict=True)
    ]
    primitive, own = _inner(name, params, output)
    return pairs_of(primitive.infer(*whole, **own))


def _results(
    *arrays: np.ndarray,
    name: str,
    params: Settings,
    complexes: tuple[bool, ...],
    outputs: tuple[int, ...] | None = None,
) -> dict[int, np.ndarray]:
    operands = [_joined(a) if c else a for a, c in zip(arrays, complexes, strict=True)]
    primitive = PRIMITIVES[name]
    if primitive.results is None:
        found = {0: np.asarray(primitive.evaluate(*operands, **dict(params)))}
    else:
        found = primitive.results(*operands, outputs=outputs, **dict(params))
    return {k: _parted(array) for k, array in found.items()}


def _joined(pairs: np.ndarray) -> np.ndarray:
    return np.asarray(pairs[..., 0] + 1j * pairs[..., 1])


def _parted(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "c":
        return array
    return np.stack([array.real, array.imag], -1)


IN_PAIRS = define(
    "in_pairs",
    "factors",
    "a host operation of complex numbers, which are pairs of real ones",
    infer=_infer,
    evaluate=lambda *arrays, output, **params: _results(*arrays, outputs=(output,), **params)[
        output
    ],
    gradient=None,
    samples=lambda: (
        [
            Sample(
                (0.2 * ramp(3, 3) + np.diag([1.0, 2.5, -1.0]),),
                {"name": "eig", "params": (), "complexes": (False,), "output": k},
            )
            for k in (0, 1)
        ]
        + [
            Sample(
                (ramp(3, 3, 2),), {"name": "eig", "params": (), "complexes": (True,), "output": 0}
            )
        ]
    ),
    reason="native code has no complex numbers; made by the compiler, after differentiation",
    results=_results,
    host=True,
    tangent="zero",  # what is differentiated is the operation itself, before
    batch="leading",
)
