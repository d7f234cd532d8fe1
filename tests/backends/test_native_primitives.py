"""Native code of every primitive against its definition: samples, shapes, special values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import pellucid
from native_graphs import assert_native_is_reference, run
from pellucid import backends
from pellucid.base.dtypes import ALL, as_dtype, bool_, float32, float64, int32, uint8
from pellucid.base.errors import ArgumentError, DTypeError
from pellucid.graph.node import Graph, Node, Primitive, Sample, Spec, new_input
from pellucid.ops import PRIMITIVES
from scan_bodies import retyped

FLOATS = (float32, float64)
AWKWARD_SHAPES = ((), (1,), (0,), (2, 0, 3), (1, 1, 1), (5, 1, 3), (3, 67))
PAIRS = (
    ((), ()),
    ((3, 1), (1, 4)),
    ((5,), (2, 1, 5)),
    ((1,), (0,)),
    ((4, 1, 3), (2, 1)),
    ((33,), ()),
)


def values(shape: tuple[int, ...], dtype: Any, seed: int) -> np.ndarray:
    """Numbers of ``dtype`` in the range where most functions are defined: (0.05, 0.95)."""
    rng = np.random.default_rng([seed, *shape])
    if dtype is bool_:
        return rng.random(shape) < 0.5
    if dtype.is_floating_point:
        return (0.05 + 0.9 * rng.random(shape)).astype(dtype.numpy)
    return rng.integers(0 if dtype is uint8 else -9, 10, shape).astype(dtype.numpy)


def converted(sample: Sample, dtype: Any) -> Sample:
    """The sample with its real inputs in another floating-point type."""
    arrays = (np.asarray(a) for a in sample.inputs)
    inputs = tuple(a.astype(dtype.numpy) if a.dtype.kind == "f" else a for a in arrays)
    return Sample(inputs, retyped(sample.params, inputs, dtype), sample.second_order)


def many(primitive: Primitive, samples: Sequence[Sample]) -> tuple[Graph, list[np.ndarray]]:
    """One graph that applies the primitive to every sample."""
    inputs: list[Node] = []
    outputs: list[Node] = []
    arrays: list[np.ndarray] = []
    for sample in samples:
        own = [np.asarray(a) for a in sample.inputs]
        nodes = [new_input(Spec(a.shape, as_dtype(a.dtype))) for a in own]
        anchor = nodes if nodes else [new_input(Spec((), float32))]
        outputs.append(anchor[0].apply_primitive(primitive, nodes, sample.params))
        inputs += nodes
        arrays += own
    return Graph(tuple(inputs), tuple(outputs)), arrays


def allowed(primitive: Primitive, samples: Sequence[Sample]) -> list[Sample]:
    """Those samples whose types the primitive accepts."""
    result = []
    for sample in samples:
        specs = [Spec(np.shape(a), as_dtype(np.asarray(a).dtype)) for a in sample.inputs]
        try:
            primitive.infer(*specs, **sample.params)
        except DTypeError:
            continue
        result.append(sample)
    return result


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
@pytest.mark.parametrize("name", PRIMITIVES)
def test_samples(name: str, dtype: Any) -> None:
    primitive = PRIMITIVES[name]
    samples = [converted(s, dtype) for s in primitive.samples()]
    assert_native_is_reference(*many(primitive, allowed(primitive, samples)))


def elementwise_cases(primitive: Primitive, dtype: Any) -> Iterator[Sample]:
    """Awkward shapes for a primitive whose samples have one or two inputs."""
    first = next(iter(primitive.samples()))
    if len(first.inputs) == 1:
        for seed, shape in enumerate(AWKWARD_SHAPES):
            yield Sample((values(shape, dtype, seed),), first.params)
    elif len(first.inputs) == 2:
        for seed, (left, right) in enumerate(PAIRS):
            pair = values(left, dtype, seed), values(right, dtype, seed + 50)
            yield Sample(pair, first.params)
    else:
        for seed, (left, right) in enumerate(PAIRS):
            chosen = values(left, bool_, seed)
            pair = values(right, dtype, seed), values(left, dtype, seed + 50)
            yield Sample((chosen, *pair), first.params)


ELEMENTWISE = [n for n, p in PRIMITIVES.items() if p.family == "elementwise"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_on_awkward_shapes_in_every_dtype(name: str) -> None:
    primitive = PRIMITIVES[name]
    samples = [s for dtype in ALL for s in elementwise_cases(primitive, dtype)]
    assert_native_is_reference(*many(primitive, allowed(primitive, samples)))


REDUCED_SHAPES = ((3, 67), (2, 3, 5, 7), (1,), (17,), (4, 1, 9), (6, 300), (2, 65, 130))


def reduction_cases(name: str, dtype: Any) -> Iterator[Sample]:
    single = PRIMITIVES[name].family in ("scan", "sort") or name in ("argmax", "argmin")
    # The ways through a loop are those of float32; other dtypes differ in their instructions.
    for seed, shape in enumerate(REDUCED_SHAPES if dtype is float32 else REDUCED_SHAPES[:2]):
        array = values(shape, dtype, seed)
        for axis in range(len(shape)):
            params: dict[str, Any] = {"axis": axis} if single else {"axes": (axis,)}
            if name == "argsort":
                if dtype is bool_:
                    params["descending"] = False
                else:
                    params["descending"] = bool(axis % 2)
            yield Sample((array,), params)
        if not single:
            yield Sample((array,), {"axes": tuple(range(len(shape)))})
            yield Sample((array,), {"axes": ()})
            if len(shape) > 2:
                yield Sample((array,), {"axes": (0, len(shape) - 1)})
                yield Sample((array,), {"axes": (0, 1)})
    for shape, axis in (((0, 3), 1), ((3, 0), 0), ((2, 0, 4), 2)):
        array = values(shape, dtype, 1)
        params = {"axis": axis} if single else {"axes": (axis,)}
        yield Sample((array,), params | ({"descending": False} if name == "argsort" else {}))
    if name in ("sum", "prod", "cumsum", "cumprod"):
        for shape, axis in (((0, 3), 0), ((3, 0), 1), ((2, 0, 4), 1), ((0,), 0)):
            yield Sample(
                (values(shape, dtype, 1),), {"axis": axis} if single else {"axes": (axis,)}
            )


REDUCTIONS = [n for n, p in PRIMITIVES.items() if p.family in ("reduction", "scan", "sort")]


@pytest.mark.parametrize("dtype", (float32, float64, int32, uint8, bool_), ids=lambda d: d.name)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_scans_and_sorts_on_awkward_shapes(name: str, dtype: Any) -> None:
    primitive = PRIMITIVES[name]
    samples = list(reduction_cases(name, dtype))
    if name == "logcumsumexp" and not dtype.is_floating_point:
        with pytest.raises(TypeError, match="logcumsumexp needs floating-point"):
            primitive.infer(Spec((3,), dtype), axis=0)
        return
    if name in ("prod", "cumprod") and dtype is not bool_:
        # Products of many numbers below 1 underflow: keep them near 1.
        scale = (lambda a: a * 0 + 1 - a * 0.01) if dtype.is_floating_point else (lambda a: a % 3)
        samples = [s._replace(inputs=(scale(s.inputs[0]).astype(dtype.numpy),)) for s in samples]
    assert_native_is_reference(*many(primitive, allowed(primitive, samples)))


SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e30, -1e30, 1e-40, 0.5, -2.5, 3.0, 88.0, -104]
)
"""1e-40 is subnormal in float32, exp(88) almost overflows and exp(-104) vanishes there."""


def to_dtype(array: np.ndarray, dtype: Any) -> np.ndarray:
    return array.astype(dtype.numpy)


@pytest.fixture
def subnormals() -> Iterator[None]:
    """Native code computes with subnormal numbers, as NumPy does."""
    pellucid.set_flush_denormal(False)
    yield
    pellucid.set_flush_denormal(True)


@pytest.mark.usefixtures("subnormals")
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_values_follow_numpy(name: str, dtype: Any) -> None:
    primitive = PRIMITIVES[name]
    special = to_dtype(SPECIAL, dtype)
    if name in ("sin", "cos", "tan"):
        special = special[~(np.abs(special) > 1e29)]  # beyond their stated range
    first = next(iter(primitive.samples()))
    if name == "cast":
        pytest.skip("casts have their own test")
    if name == "where":
        case = Sample((special > 0, special, -special))
    elif len(first.inputs) == 1:
        case = Sample((special,))
    else:
        case = Sample((special[:, None], special[None, :]))
    assert_native_is_reference(*many(primitive, allowed(primitive, [case])))


def test_signs_of_zero_are_kept() -> None:
    zeros = np.array([0.0, -0.0], np.float32)
    for name in "neg copy sqrt floor ceil trunc round sin tanh asinh expm1".split():
        graph, arrays = many(PRIMITIVES[name], [Sample((zeros,))])
        np.testing.assert_array_equal(
            np.signbit(run(graph, arrays)[0]), np.signbit(run(graph, arrays, "reference")[0]), name
        )


@pytest.mark.usefixtures("subnormals")
@pytest.mark.parametrize("target", ALL, ids=lambda d: d.name)
def test_casts_between_all_dtypes(target: Any) -> None:
    primitive = PRIMITIVES["cast"]
    samples = []
    for seed, source in enumerate(ALL):
        array = values((3, 11), source, seed)
        if source.is_floating_point:
            array = (array * 300).astype(source.numpy)
            array[0] *= -1
        samples.append(Sample((array,), {"dtype": target}))
        if source.is_floating_point:
            samples.append(Sample((to_dtype(SPECIAL, source),), {"dtype": target}))
    assert_native_is_reference(*many(primitive, samples))


@pytest.mark.parametrize("source", FLOATS, ids=lambda d: d.name)
def test_casts_out_of_range_on_every_processor(source: Any) -> None:
    """By int32 or int64, whose lowest number stands for what lies outside; narrower ones wrap."""
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9, -3e9, 300.7, -1.5, 200], source.numpy)
    low, lowest = -(2**31), -(2**63)
    expected = {
        "int64": [lowest] * 5 + [int(source.numpy.type(3e9)), -int(source.numpy.type(3e9)), 300],
        "int32": [low] * 7 + [300],
        "int16": [0] * 7 + [300],
        "int8": [0] * 7 + [44],
        "uint8": [0] * 7 + [44],
    }
    ends = {"int8": [-1, -56], "uint8": [255, 200]}
    for name, numbers in expected.items():
        target = next(d for d in ALL if d.name == name)
        graph, arrays = many(PRIMITIVES["cast"], [Sample((x,), {"dtype": target})])
        for backend in ("cpu", "reference"):
            (found,) = run(graph, arrays, backend)
            assert found.tolist() == numbers + ends.get(name, [-1, 200]), (name, backend)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "sum", "prod", "argsort"])
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
def test_reductions_carry_nan_and_infinity(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(3)
    table = rng.standard_normal((24, 40)).astype(dtype.numpy)
    for value in (np.nan, np.inf, -np.inf):
        places = rng.integers(0, table.size, 12)
        table.reshape(-1)[places] = value
    table[5] = -np.inf
    table[6] = np.inf
    table[7] = np.nan
    samples = []
    for axis in (0, 1):
        if name == "argsort":
            for descending in (False, True):
                samples.append(Sample((table,), {"axis": axis, "descending": descending}))
        elif name.startswith("arg"):
            samples.append(Sample((table,), {"axis": axis}))
        else:
            samples.append(Sample((table,), {"axes": (axis,)}))
    assert_native_is_reference(*many(PRIMITIVES[name], samples))


# ---- errors ----------------------------------------------------------------------------------


OUT_OF_RANGE: tuple[tuple[str, Any], ...] = (
    ("take", [0, 5]),
    ("take", [-1, 2]),
    ("gather", [[0, 9, 1]]),
    ("put", [0, 7]),
    ("scatter", [[0, 0, 5]]),
)


def test_positions_out_of_range_are_reported_and_the_program_stays_usable() -> None:
    for name, index in OUT_OF_RANGE:
        table = np.arange(12.0).reshape(4, 3)
        where = np.asarray(index, np.int64)
        arrays = [table, where]
        params: dict[str, Any] = {"axis": 0}
        if name in ("put", "scatter"):
            arrays.append(np.ones((*where.shape, 3) if name == "put" else where.shape))
            params["mode"] = "add"
        graph, arrays = many(PRIMITIVES[name], [Sample(tuple(arrays), params)])
        executable = backends.load(graph, "cpu")
        out = np.zeros(graph.outputs[0].shape)
        executable.bind_output(0, out.ctypes.data)
        for position, array in enumerate(arrays):
            executable.bind_input(position, array.ctypes.data)
        with pytest.raises(ArgumentError, match="position is out of range in " + name):
            executable.run()
        arrays[1][...] = 0
        executable.run()
        np.testing.assert_allclose(out, PRIMITIVES[name].evaluate(*arrays, **params))
