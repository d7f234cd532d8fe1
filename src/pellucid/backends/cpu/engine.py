"""From LLVM IR text to native code in this process.

A kernel is one module text that defines one function of its own name; everything else in it
becomes private, so any number of kernels can be linked together.  :func:`load_kernels` looks in
the process's table, then in the cache on disk, and compiles what is left on as many threads as
the process may use.  The object code is position-independent and holds no address of this
process; LLVM's loader resolves what it references (``memset`` and its like) each time.

Why not the plain llvmlite calls: llvmlite takes one lock around every call into LLVM, so two
threads compile no faster than one.  LLVM itself needs no such lock as long as no two threads
share a context, which holds here; the two long calls (optimize, emit) therefore go to the same
shared library without that lock.  Measured: 15 kernels, 0.37 s on one thread, 0.20 s on two.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pellucid.backends.cpu import cache
from pellucid.backends.cpu.threads import available_cpus
from pellucid.base.caches import register_cache
from pellucid.base.errors import CompilationError
from pellucid.base.forking import PATIENCE

if TYPE_CHECKING:  # importing it would import llvmlite, which a process without kernels spares
    from pellucid.backends.cpu.target import Target

PIPELINE = "level=1 vectorize-loops no-unroll codegen=3 pic"
"""Name of the optimization pipeline, part of every cache key.

Loop unrolling is off unless a loop asks for it (``llvm.loop.unroll.full`` metadata): on fused
loops it doubled the compile time and the code size and gave no speed.  Level 2 and vectors from
straight-line code took a fifth longer; of 212 kernels (gpt256, ResNet-18) level 2 changed a tenth,
by a few bytes, and vectors from straight-line code none.
"""

PLAIN = "; plain\n"
"""A text that begins so is written as it shall run (register tiles): LLVM's passes are skipped,
which takes more than half of the compile time away and changes nothing in the speed."""

KEPT_KERNELS = 256
"""Kernels that stay loaded although no program uses them; those not asked for longest go first."""


class KernelAddress(int):
    """The native address of a kernel, whose code stays loaded as long as this object lives."""

    library: Any
    """LLVM's handle of what was linked together; the code is unloaded with the last reference."""


_lock = threading.Lock()
_addresses: dict[bytes, KernelAddress] = {}
_linker: Any = None
_library_numbers = itertools.count()
_initialized = False


def load_kernels(kernels: Mapping[str, str], target: Target) -> dict[str, KernelAddress]:
    """Native addresses of ``kernels`` (name → IR module text), valid while they are kept.

    The function called like the kernel must be defined in its text.  Kernels made before in this
    process cost a look-up, kernels in the disk cache a file read, the others are compiled.
    ``target`` must be the machine this process runs on.

    Raises :class:`~pellucid.base.errors.CompilationError` with the kernel's name and LLVM's
    message if a text is not valid IR or does not define the kernel.
    """
    keys = kernel_keys(kernels, target)
    with _lock:
        missing = {name: key for name, key in keys.items() if key not in _addresses}
        if missing:
            objects = _stored_objects(missing)
            absent = [name for name in missing if name not in objects]
            if absent:
                objects |= _compile_and_store({n: (kernels[n], missing[n]) for n in absent}, target)
            found = _link(objects, target)
            _addresses.update({missing[name]: address for name, address in found.items()})
        for key in keys.values():
            _early.pop(key, None)  # found on disk meanwhile
        return _used(keys)


def _used(keys: Mapping[str, bytes]) -> dict[str, KernelAddress]:
    """The addresses of these kernels, which are loaded; the oldest others may be unloaded."""
    result = {name: _addresses.pop(key) for name, key in keys.items()}
    _addresses.update({keys[name]: address for name, address in result.items()})
    while len(_addresses) > max(KEPT_KERNELS, len(keys)):
        del _addresses[next(iter(_addresses))]
    return result


def unload_kernels() -> None:
    """Forget all kernels; those that no program uses are unloaded."""
    with _lock:
        _addresses.clear()


register_cache("native kernels", unload_kernels)


class EarlyCompilation:
    """Kernels compiled while the program that they belong to is still being written.

    Writing texts keeps one processor busy; :meth:`add` lets the others begin with LLVM's work.
    :func:`load_kernels` takes what is done, waits for what is being done, and does the rest.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen: set[str] = set()
        self._own: dict[bytes, Any] = {}
        self._pool: Any = None
        if available_cpus() > 1:
            from concurrent.futures import ThreadPoolExecutor

            workers = available_cpus() - 1
            self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pellucid-early")

    def add(self, name: str, text: str) -> None:
        """Begin with a kernel, unless it is known, or stored on disk."""
        if self._pool is None or name in self._seen:
            return
        self._seen.add(name)
        key = kernel_keys({name: text}, self._target)[name]
        if key not in _addresses and key not in _early:
            _early[key] = self._own[key] = self._pool.submit(self._make, name, text, key)

    def _make(self, name: str, text: str, key: bytes) -> bytes:
        known = cache.read_object(key)
        return compile_kernel(name, text, self._target) if known is None else known

    def close(self) -> None:
        """Nothing more will be added; what nobody began with is left to :func:`load_kernels`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for key, future in self._own.items():
                if future.cancelled() and _early.get(key) is future:
                    _early.pop(key, None)


_early: dict[bytes, Any] = {}
"""Kernels under way, by their keys in the cache."""


def kernel_keys(kernels: Mapping[str, str], target: Target) -> dict[str, bytes]:
    """The cache keys of ``kernels`` (name → IR module text), by which they can be found again."""
    prefix = _key_prefix(target)
    return {name: _digest(prefix, name, text) for name, text in kernels.items()}


def find_kernels(keys: Mapping[str, bytes], target: Target) -> dict[str, KernelAddress] | None:
    """Addresses of kernels made before, by their cache keys; None if one is not to be found."""
    with _lock:
        missing = {name: key for name, key in keys.items() if key not in _addresses}
        if missing:
            objects = _stored_objects(missing)
            if len(objects) < len(missing):
                return None
            found = _link(objects, target)
            _addresses.update({missing[name]: address for name, address in found.items()})
        return _used(keys)


def compile_kernel(name: str, text: str, target: Target) -> bytes:
    """Object code of one kernel; may run on several threads at once.

    Also makes code for other machines than this one.  Raises
    :class:`~pellucid.base.errors.CompilationError`.
    """
    llvm = _initialize(target)
    machine = _machine_of_thread(target)
    context = llvm.create_context()
    try:
        module = llvm.parse_assembly(text, context)
        try:
            module.triple = machine.triple
            module.data_layout = str(machine.target_data)
            module.verify()  # before any pass: a wrong intrinsic call would crash inside a pass
            _make_private(name, module)
            return _optimize_and_emit(module, machine, text.startswith(PLAIN))
        finally:
            module.close()
    except RuntimeError as error:
        raise CompilationError(
            f"Kernel {name!r} could not be compiled: {str(error).strip()}",
            "This is a defect of Pellucid; please report it with the program that caused it.",
        ) from error
    finally:
        context.close()


def _key_prefix(target: Target) -> bytes:
    """Everything besides the text that decides what the object code is."""
    import llvmlite
    import llvmlite.binding as llvm

    version = getattr(sys.modules.get("pellucid"), "__version__", "")
    llvm_version = ".".join(map(str, llvm.llvm_version_info))
    parts = (version, llvmlite.__version__, llvm_version, PIPELINE, target.key())
    return "\0".join(parts).encode()


def _digest(prefix: bytes, name: str, text: str) -> bytes:
    return hashlib.sha256(b"\0".join((prefix, name.encode(), text.encode()))).digest()


def _stored_objects(missing: Mapping[str, bytes]) -> dict[str, bytes]:
    """Object code of those kernels that the disk cache holds."""
    stored = {name: cache.read_object(key) for name, key in missing.items()}
    return {name: content for name, content in stored.items() if content is not None}


def _compile_and_store(work: Mapping[str, tuple[str, bytes]], target: Target) -> dict[str, bytes]:
    """Compile name → (text, key) on all threads, longest text first, and write the cache."""

    def make(name: str) -> tuple[str, bytes]:
        text, key = work[name]
        content = _early_result(_early.pop(key, None))
        if content is None:
            content = compile_kernel(name, text, target)
        cache.write_object(key, content)
        return name, content

    longest_first = sorted(work, key=lambda name: -len(work[name][0]))
    objects = dict(_in_threads(make, longest_first))
    cache.trim_cache_at_times()
    return objects


def _early_result(early: Any) -> bytes | None:
    """What an early compilation made; None if there is none or nobody has begun with it.

    Asked first and then waited for, it may be taken back in between: another program's writing
    ended, and with it what that program had only queued.
    """
    if early is None:
        return None
    from concurrent.futures import CancelledError

    try:
        result: bytes = early.result()
    except CancelledError:
        return None
    return result


def _in_threads(
    make: Callable[[str], tuple[str, bytes]], names: list[str]
) -> Iterable[tuple[str, bytes]]:
    workers = min(len(names), available_cpus())
    if workers == 1:
        return [make(name) for name in names]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers, thread_name_prefix="pellucid-compile") as pool:
        return list(pool.map(make, names))


def _link(objects: Mapping[str, bytes], target: Target) -> dict[str, KernelAddress]:
    """Load object code into this process; addresses of the functions named like the objects.

    LLVM's newer loader (JITLink) places the code and the constants of an object side by side,
    within reach of relative addresses, and reports what it cannot resolve; the older ones may
    do neither.
    """
    global _linker
    llvm = _initialize(target)
    if _linker is None:
        _linker = llvm.create_lljit_compiler(
            _target_machine(target, jit=True), use_jit_link=sys.platform != "win32"
        )
    library = llvm.JITLibraryBuilder().add_current_process()
    for name, content in objects.items():
        library.add_object_img(content).export_symbol(name)
    try:
        tracker = library.link(_linker, f"kernels-{next(_library_numbers)}")
    except RuntimeError as error:
        raise CompilationError(
            f"Kernels {', '.join(objects)} could not be linked: {str(error).strip()}",
            "If the cache folder comes from another machine, clear it; else please report this.",
        ) from error
    addresses = {name: KernelAddress(tracker[name]) for name in objects}
    for address in addresses.values():
        address.library = tracker
    return addresses


def _initialize(target: Target) -> Any:
    """llvmlite's binding module, with the code generators that ``target`` needs set up."""
    global _initialized
    import llvmlite.binding as llvm

    if not _initialized:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _initialized = True
    if target.triple.split("-")[0] != llvm.get_process_triple().split("-")[0]:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    return llvm


def _target_machine(target: Target, jit: bool = False) -> Any:
    import llvmlite.binding as llvm

    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=3,
        reloc="pic",
        codemodel="jitdefault" if jit else "default",
        jit=jit,
    )


_of_thread = threading.local()


def _machine_of_thread(target: Target) -> Any:
    """This thread's code generator, which takes a millisecond to set up and is not shared."""
    key = target.key()
    if getattr(_of_thread, "key", None) != key:
        _of_thread.key, _of_thread.machine = key, _target_machine(target)
    return _of_thread.machine


def _make_private(name: str, module: Any) -> None:
    """Give every definition but the kernel internal linkage, so that helpers cannot clash."""
    defined = [f for f in module.functions if not f.is_declaration]
    if name not in [f.name for f in defined]:
        names = ", ".join(f.name for f in defined) or "nothing"
        raise RuntimeError(f"its text defines {names}, but no function of that name")
    for symbol in (*defined, *module.global_variables):
        if symbol.name != name and not symbol.is_declaration:
            symbol.linkage = "internal"


def _optimize_and_emit(module: Any, machine: Any, plain: bool) -> bytes:
    """Run the pass pipeline, if it is wanted, over a verified module and return its object code."""
    import llvmlite.binding as llvm
    from llvmlite.binding import ffi

    options = llvm.create_pipeline_tuning_options(speed_level=0 if plain else 1)
    options.loop_vectorization = not plain
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)
    message = ctypes.c_char_p(None)
    emit = _unlocked("LLVMPY_TargetMachineEmitToMemory")
    buffer = emit(machine, module, 1, ctypes.byref(message))
    if not buffer:
        raise RuntimeError((message.value or b"no object code was emitted").decode())
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


_unlocked_functions: dict[str, Any] = {}


def _unlocked(name: str) -> Any:
    """The function ``name`` of llvmlite's shared library, called without llvmlite's lock."""
    from llvmlite.binding import ffi

    function = _unlocked_functions.get(name)
    if function is None:
        locked = getattr(ffi.lib, name)
        function = locked
        with contextlib.suppress(OSError, AttributeError):
            function = getattr(ctypes.CDLL(ffi.lib._name), name)
            function.argtypes, function.restype = locked.argtypes, locked.restype
        _unlocked_functions[name] = function
    return function


_held_for_fork = False


def _before_fork() -> None:
    """Let another thread end its work in LLVM, whose own locks a copied process would inherit."""
    global _held_for_fork
    _held_for_fork = _lock.acquire(timeout=PATIENCE)


def _after_fork_in_parent() -> None:
    if _held_for_fork:
        _lock.release()


def _after_fork_in_child() -> None:
    """Another thread may have held the lock while the process was copied, or have been at work."""
    global _lock
    _lock = threading.Lock()
    _early.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
