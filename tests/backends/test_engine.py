"""From IR text to addresses: right results, errors that name the kernel, and three ways to hit."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import CancelledError, Future
from pathlib import Path

import numpy as np
import pytest

from pellucid.backends.cpu import cache, engine, runtime_ir
from pellucid.backends.cpu.ir import Function, Value, module_text
from pellucid.backends.cpu.target import Target, host_target, named_target
from pellucid.base.errors import CompilationError

SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder for the cache, and a process that has loaded nothing yet."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(engine, "_addresses", {})


def operand(f: Function, k: int) -> Value:
    """Address of the kernel's k-th operand."""
    slot = f.load("i32", f.gep(f.argument("slots"), k, "i32"))
    return f.load("ptr", f.gep(f.argument("table"), f.cast("sext", slot, "i64"), "ptr"))


def kernel_function(name: str) -> Function:
    parameters = [("ptr", "table"), ("ptr", "slots"), ("i64", "begin"), ("i64", "end")]
    return Function(name, parameters)


def affine(name: str, scale: float, helper: str = "helper") -> str:
    """y = scale·x + 1, through a public helper function."""
    inner = Function(helper, [("float", "x")], returns="float")
    product = inner.fmul(inner.argument("x"), inner.constant("float", scale), "")
    inner.ret(inner.fadd(product, inner.constant("float", 1.0), ""))
    f = kernel_function(name)
    x, y = operand(f, 0), operand(f, 1)
    with f.loop(f.argument("begin"), f.argument("end")) as loop:
        value = f.load("float", f.gep(x, loop.index, "float"))
        f.store(f.call("float", helper, value), f.gep(y, loop.index, "float"))
    f.ret()
    return module_text([inner, f])


def call(address: int, *arrays: np.ndarray, chunks: tuple[int, int]) -> None:
    table = np.array([a.ctypes.data for a in arrays], dtype=np.uint64)
    slots = np.arange(len(arrays), dtype=np.int32)
    SIGNATURE(address)(table.ctypes.data, slots.ctypes.data, *chunks)


def check_affine(address: int, scale: float) -> None:
    x = np.linspace(-3, 3, 1001, dtype=np.float32)
    y = np.zeros_like(x)
    call(address, x, y, chunks=(0, 1000))
    expected = x * np.float32(scale) + np.float32(1)
    expected[1000] = 0
    np.testing.assert_array_equal(y, expected)


def test_kernels_compute_what_their_text_says() -> None:
    scales = {f"affine_{i}": float(i) for i in range(6)}
    texts = {name: affine(name, scale) for name, scale in scales.items()}
    addresses = engine.load_kernels(texts, host_target())
    assert list(addresses) == list(texts)
    for name, address in addresses.items():
        check_affine(address, scales[name])


def test_nothing_to_load() -> None:
    assert engine.load_kernels({}, host_target()) == {}


def test_a_loaded_kernel_keeps_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"affine_a": affine("affine_a", 2.0)}
    first = engine.load_kernels(texts, host_target())
    monkeypatch.setattr(cache, "read_object", None)  # would raise if it were called
    assert engine.load_kernels(texts, host_target()) == first
    # The same name with another text is another kernel.
    monkeypatch.undo()
    other = engine.load_kernels({"affine_a": affine("affine_a", 3.0)}, host_target())
    check_affine(first["affine_a"], 2.0)
    check_affine(other["affine_a"], 3.0)


def test_stored_kernels_are_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "kept"))
    texts = {f"affine_{i}": affine(f"affine_{i}", float(i)) for i in range(3)}
    engine.load_kernels(texts, host_target())
    assert cache.cache_state().entries == 3
    engine._addresses.clear()
    monkeypatch.setattr(engine, "compile_kernel", None)  # would raise if it were called
    for i, address in enumerate(engine.load_kernels(texts, host_target()).values()):
        check_affine(address, float(i))


def test_damaged_entry_is_compiled_again(tmp_path: Path) -> None:
    texts = {"affine_a": affine("affine_a", 2.0)}
    engine.load_kernels(texts, host_target())
    (path,) = (tmp_path / "cache" / "objects").iterdir()
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[len(damaged) // 2] ^= 0x10
    path.write_bytes(damaged)
    engine._addresses.clear()
    check_affine(engine.load_kernels(texts, host_target())["affine_a"], 2.0)
    assert path.read_bytes() == sound


def test_works_without_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PELLUCID_CACHE", "0")
    texts = {"affine_a": affine("affine_a", 2.0)}
    check_affine(engine.load_kernels(texts, host_target())["affine_a"], 2.0)
    assert not (tmp_path / "cache").exists()


def test_key_depends_on_text_name_target_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(name: str = "k", text: str = "t", target: str = "x86-64-avx2") -> bytes:
        return engine._digest(engine._key_prefix(named_target(target)), name, text)

    keys = [key(), key(name="l"), key(text="u"), key(target="x86-64-avx512")]
    monkeypatch.setattr(engine, "PIPELINE", "another")
    keys.append(key())
    monkeypatch.undo()
    monkeypatch.setattr("llvmlite.__version__", "0.0.1")
    keys.append(key())
    monkeypatch.undo()
    monkeypatch.setattr(sys.modules["pellucid"], "__version__", "0.0.1-test", raising=False)
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_text_that_is_not_ir() -> None:
    with pytest.raises(CompilationError, match=r"(?s)Kernel 'broken_1'.*expected top-level entity"):
        engine.load_kernels({"broken_1": "this is not IR"}, host_target())


def test_wrong_intrinsic_is_caught_before_a_pass_crashes() -> None:
    text = (
        "declare float @llvm.fma.f32(float, float)\n"
        "define float @bad_2(float %x) {\n"
        "  %y = call float @llvm.fma.f32(float %x, float %x)\n"
        "  ret float %y\n}\n"
    )
    with pytest.raises(CompilationError, match=r"(?s)Kernel 'bad_2'.*llvm\.fma\.f32"):
        engine.load_kernels({"bad_2": text}, host_target())


def test_text_without_the_kernel() -> None:
    with pytest.raises(CompilationError, match=r"'wanted'.*defines other, but no function"):
        engine.load_kernels({"wanted": "define void @other() {\n  ret void\n}\n"}, host_target())


def test_good_kernels_still_load_after_a_bad_one() -> None:
    texts = {"affine_a": affine("affine_a", 2.0), "broken_3": "define"}
    with pytest.raises(CompilationError, match="broken_3"):
        engine.load_kernels(texts, host_target())
    del texts["broken_3"]
    check_affine(engine.load_kernels(texts, host_target())["affine_a"], 2.0)


def test_library_calls_that_llvm_makes_are_resolved() -> None:
    f = kernel_function("clear_1")
    x = operand(f, 0)
    count = f.argument("end")
    with f.loop(0, count) as loop:  # becomes a call of memset
        f.store(f.constant("i8", 0), f.gep(x, loop.index, "i8"))
    f.ret()
    address = engine.load_kernels({"clear_1": module_text([f])}, host_target())["clear_1"]
    x_values = np.full(5000, 7, dtype=np.uint8)
    call(address, x_values, chunks=(0, 4999))
    assert not x_values[:4999].any() and x_values[4999] == 7


def test_unknown_symbol_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    text = (
        "declare void @no_such_function_anywhere()\n"
        "define void @lost_1() {\n  call void @no_such_function_anywhere()\n  ret void\n}\n"
    )
    for _ in range(2):
        with pytest.raises(CompilationError, match="lost_1 could not be linked"):
            engine.load_kernels({"lost_1": text}, host_target())
        assert "no_such_function_anywhere" in capfd.readouterr().err
    check_affine(
        engine.load_kernels({"affine_a": affine("affine_a", 2.0)}, host_target())["affine_a"], 2.0
    )


def test_object_code_is_the_same_in_every_process() -> None:
    text = affine("affine_a", 2.5)
    script = (
        "import sys, hashlib\n"
        "from pellucid.backends.cpu.engine import compile_kernel\n"
        "from pellucid.backends.cpu.target import host_target\n"
        "code = compile_kernel('affine_a', sys.stdin.read(), host_target())\n"
        "print(hashlib.sha256(code).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=text, capture_output=True, text=True, check=True
    )
    here = engine.compile_kernel("affine_a", text, host_target())
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()


@pytest.mark.parametrize("name", ["x86-64-sse2", "x86-64-avx512", "aarch64-neon"])
def test_code_for_other_machines(name: str) -> None:
    target = named_target(name)
    code = engine.compile_kernel("affine_a", affine("affine_a", 2.0), target)
    machine = int.from_bytes(code[18:20], "little")  # e_machine of the ELF header
    assert machine == (183 if "aarch64" in name else 62)
    for kernel, text in runtime_ir.driver_kernels(target.triple.split("-")[0]).items():
        assert engine.compile_kernel(kernel, text, target)[:4] == b"\x7fELF"


def test_many_threads_load_at_once() -> None:
    texts = {f"affine_{i}": affine(f"affine_{i}", float(i)) for i in range(4)}
    found: list[dict[str, int]] = []

    def load() -> None:
        found.append(engine.load_kernels(texts, host_target()))

    loaders = [threading.Thread(target=load) for _ in range(4)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    assert found == [found[0]] * 4
    for i, address in enumerate(found[0].values()):
        check_affine(address, float(i))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_can_compile() -> None:
    texts = {"affine_a": affine("affine_a", 2.0)}
    before = engine.load_kernels(texts, host_target())
    child = os.fork()
    if child == 0:
        status = 1
        try:
            more = {**texts, "affine_b": affine("affine_b", 3.0)}
            after = engine.load_kernels(more, host_target())
            check_affine(after["affine_a"], 2.0)
            check_affine(after["affine_b"], 3.0)
            status = 0 if after["affine_a"] == before["affine_a"] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---- kernels compiled while others are being written --------------------------------------------


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of kernels in the order in which LLVM was asked for them; two processors."""
    names: list[str] = []
    original = engine.compile_kernel

    def counting(name: str, text: str, target: Target) -> bytes:
        names.append(name)
        return original(name, text, target)

    monkeypatch.setattr(engine, "compile_kernel", counting)
    monkeypatch.setattr(engine, "available_cpus", lambda: 2)
    return names


def test_early_kernels_are_compiled_once(compiled: list[str]) -> None:
    texts = {f"early{i}": affine(f"early{i}", float(i)) for i in range(5)}
    early = engine.EarlyCompilation(host_target())
    for name, text in texts.items():
        early.add(name, text)
        early.add(name, text)
    early.close()
    addresses = engine.load_kernels(texts, host_target())
    assert sorted(compiled) == sorted(texts)
    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    for i in range(5):
        call(addresses[f"early{i}"], x, y, chunks=(0, 4))
        np.testing.assert_array_equal(y, i * x + 1)
    assert not engine._early


def test_what_is_known_or_stored_is_not_begun_with(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"known": affine("known", 3.0)}
    engine.load_kernels(texts, host_target())
    for known in (True, False):
        if not known:
            monkeypatch.setattr(engine, "_addresses", {})  # as in another process
        early = engine.EarlyCompilation(host_target())
        early.add("known", texts["known"])
        early.close()
        engine.load_kernels(texts, host_target())
    assert compiled == ["known"] and not engine._early


def test_an_early_kernel_that_is_wrong_raises_when_it_is_loaded(compiled: list[str]) -> None:
    early = engine.EarlyCompilation(host_target())
    early.add("broken", "define void @broken( {")
    early.close()
    with pytest.raises(CompilationError, match="Kernel 'broken' could not be compiled"):
        engine.load_kernels({"broken": "define void @broken( {"}, host_target())


def test_one_processor_has_nothing_to_begin_early_on(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "available_cpus", lambda: 1)
    early = engine.EarlyCompilation(host_target())
    early.add("alone", affine("alone", 2.0))
    early.close()
    assert compiled == [] and not engine._early


class _CancelledWhileWaiting(Future[bytes]):
    """Not cancelled when it is asked, cancelled while its result is waited for."""

    def cancelled(self) -> bool:
        return False

    def result(self, timeout: float | None = None) -> bytes:
        raise CancelledError


def test_an_early_kernel_may_be_taken_back_while_another_thread_waits_for_it(
    compiled: list[str],
) -> None:
    texts = {"taken_back": affine("taken_back", 2.0)}
    (key,) = engine.kernel_keys(texts, host_target()).values()
    engine._early[key] = _CancelledWhileWaiting()
    check_affine(engine.load_kernels(texts, host_target())["taken_back"], 2.0)
    assert compiled == ["taken_back"] and not engine._early


def test_threads_that_write_the_same_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    original = engine.compile_kernel

    def slow(name: str, text: str, target: Target) -> bytes:
        time.sleep(0.02)  # others come to an end in the meantime, and take back what they queued
        return original(name, text, target)

    monkeypatch.setenv("PELLUCID_CACHE", "0")
    monkeypatch.setattr(engine, "compile_kernel", slow)
    monkeypatch.setattr(engine, "available_cpus", lambda: 2)
    failed: list[BaseException] = []

    def work(turn: int) -> None:
        texts = {f"same{turn}_{i}": affine(f"same{turn}_{i}", float(i)) for i in range(4)}
        try:
            early = engine.EarlyCompilation(host_target())
            for name, text in texts.items():
                early.add(name, text)
            early.close()
            for i, address in enumerate(engine.load_kernels(texts, host_target()).values()):
                check_affine(address, float(i))
        except BaseException as error:
            failed.append(error)

    for turn in range(6):
        workers = [threading.Thread(target=work, args=(turn,)) for _ in range(5)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not failed and not engine._early


# ---- unloading ----------------------------------------------------------------------------------


def test_kernels_are_unloaded_with_their_last_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "KEPT_KERNELS", 2)
    texts = {f"kept{i}": affine(f"kept{i}", float(i)) for i in range(5)}
    used = engine.load_kernels({"kept0": texts["kept0"]}, host_target())["kept0"]
    disposed: list[str] = []
    for name, text in texts.items():
        address = engine.load_kernels({name: text}, host_target())[name]
        weakref.finalize(address.library, disposed.append, name)
    del address
    gc.collect()
    assert disposed == ["kept1", "kept2"]  # kept3 and kept4 are the newest, kept0 is in use
    check_affine(used, 0.0)
    engine.unload_kernels()
    gc.collect()
    assert sorted(disposed) == ["kept1", "kept2", "kept3", "kept4"]
    check_affine(used, 0.0)
    check_affine(engine.load_kernels(texts, host_target())["kept2"], 2.0)
