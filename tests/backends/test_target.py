"""The description of the processor, and the measurements of it."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from pellucid.backends.cpu import target as target_module
from pellucid.backends.cpu.target import (
    Target,
    host_target,
    measure_bandwidth,
    measure_peak,
    named_target,
)
from pellucid.base.errors import ArgumentError

AVX512 = {
    "sse2": True,
    "sse4.1": True,
    "avx": True,
    "avx2": True,
    "fma": True,
    "avx512f": True,
    "avx512vl": True,
    "vaes": True,
}


def make(limit: str) -> Target:
    return target_module._target_of(
        "x86_64-unknown-linux-gnu", "znver4", AVX512, limit, (1 << 15, 1 << 20, 1 << 25)
    )


@pytest.mark.parametrize(
    ("name", "lanes", "registers"),
    [
        ("x86-64-sse2", 4, 16),
        ("x86-64-avx2", 8, 16),
        ("x86-64-avx512", 16, 32),
        ("aarch64-neon", 4, 32),
    ],
)
def test_named_targets(name: str, lanes: int, registers: int) -> None:
    target = named_target(name)
    assert target.lanes("float32") == lanes
    assert target.lanes("float64") == lanes // 2
    assert target.lanes("bool") == target.lanes("int8") == 4 * lanes
    assert target.vector_registers == registers


def test_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match=r"no target called 'vax'[\s\S]*x86-64-avx2"):
        named_target("vax")


@pytest.mark.parametrize(
    ("limit", "width", "fma"),
    [
        ("", 64, True),
        ("avx512", 64, True),
        ("avx2", 32, True),
        ("avx", 32, True),
        ("sse2", 16, False),
    ],
)
def test_restriction_takes_features_away(limit: str, width: int, fma: bool) -> None:
    target = make(limit)
    assert target.vector_bytes == width
    assert target.has("fma") == fma
    assert target.has("sse2")
    assert target.has("avx512f") == (width == 64)
    assert not target.has("vaes") or width > 16


def test_restriction_never_adds() -> None:
    plain = target_module._target_of("x86_64-linux", "x86-64", {"sse2": True}, "avx512", (1, 2, 3))
    assert plain.vector_bytes == 16
    assert plain.features == "+sse2"


def test_unknown_restriction_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"PELLUCID_CPU names an unknown .*'mmx'[\s\S]*avx2"):
        make("mmx")


def test_environment_variable_restricts_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    free = host_target.__wrapped__()
    if not free.triple.startswith("x86_64"):
        pytest.skip("the restriction tested here is one of x86-64")
    monkeypatch.setenv("PELLUCID_CPU", "sse2")
    restricted = host_target.__wrapped__()
    assert restricted.vector_bytes == 16
    assert not restricted.has("avx")
    assert restricted.key() != free.key() or free.vector_bytes == 16


def test_host_target_is_read_once() -> None:
    target = host_target()
    assert target is host_target()
    assert target.vector_bytes in (16, 32, 64)
    assert 0 < target.l1_bytes <= target.l2_bytes <= target.l3_bytes


def test_key_tells_targets_apart() -> None:
    target = named_target("x86-64-avx2")
    assert target.key() == dataclasses.replace(target).key()
    for change in ({"features": "+avx"}, {"cpu": "x"}, {"l2_bytes": 1}, {"triple": "x86_64-pc"}):
        assert dataclasses.replace(target, **change).key() != target.key()  # type: ignore[arg-type]


def test_caches_from_sys(tmp_path: pathlib.Path) -> None:
    entries = [
        ("1", "Data", "48K"),
        ("1", "Instruction", "32K"),
        ("2", "Unified", "2M"),
        ("3", "", ""),
    ]
    for i, (level, kind, size) in enumerate(entries):
        folder = tmp_path / f"index{i}"
        folder.mkdir()
        (folder / "level").write_text(level + "\n")
        (folder / "type").write_text(kind + "\n")
        (folder / "size").write_text(size + "\n")
    assert target_module._caches_from_sys(tmp_path) == {1: 48 << 10, 2: 2 << 20}


def test_measurements_give_positive_rates() -> None:
    assert measure_peak(1, seconds=0.005) > 0.1
    assert measure_bandwidth(1, seconds=0.01) > 0.01


@pytest.mark.parametrize("measure", [measure_peak, measure_bandwidth])
def test_measurements_need_a_thread(measure: object) -> None:
    with pytest.raises(ArgumentError, match="threads must be at least 1, got 0"):
        measure(0)  # type: ignore[operator]
