"""Devices are names: naming one never fails, using one that is not there does, clearly."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable

import pytest

import pellucid
from pellucid.base.errors import DeviceError

NAMES = ["cpu", "cpu:0", "cuda", "cuda:1", "mps", "meta", "xpu:3", "xla", "privateuseone"]


@pytest.mark.parity
def test_names_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for name in NAMES:
        ours, theirs = pellucid.device(name), torch.device(name)
        assert (ours.type, ours.index) == (theirs.type, theirs.index)
        assert (str(ours), repr(ours)) == (str(theirs), repr(theirs))
    for name in NAMES:
        for other in NAMES:
            same = torch.device(name) == torch.device(other)
            assert (pellucid.device(name) == pellucid.device(other)) is same
            if same:
                assert hash(pellucid.device(name)) == hash(pellucid.device(other))
    assert (pellucid.device("cpu") == "cpu") is (torch.device("cpu") == "cpu")  # noqa: SIM300
    for bad in ("foo", "cuda:-1", "cuda:x", "cuda:01", "", "CPU"):
        with pytest.raises(RuntimeError):
            torch.device(bad)
        with pytest.raises(DeviceError, match="there is no device"):
            pellucid.device(bad)


def test_parts_of_a_name() -> None:
    device = pellucid.device
    assert device("cuda", 1) == device("cuda:1") == device(type="cuda", index=1)
    assert device(device("mps")) == device("mps") and len({device("cuda"), device("cuda")}) == 1
    assert pickle.loads(pickle.dumps(device("cuda:1"))) == device("cuda:1")
    assert copy.deepcopy(device("cuda:1")) == device("cuda:1")
    with pytest.raises(RuntimeError, match="got an index beside it"):
        device("cuda:1", 0)
    with pytest.raises(RuntimeError, match="there is none"):
        device(0)
    with pytest.raises(TypeError, match="named by"):
        device(1.5)  # type: ignore[arg-type]
    assert pellucid.ones(2).device == device("cpu") and pellucid.ones(2).device.index is None


USES: dict[str, Callable[[], object]] = {
    "zeros": lambda: pellucid.zeros(2, device="cuda"),
    "zeros of a device": lambda: pellucid.zeros(2, device=pellucid.device("cuda:0")),
    "zeros by number": lambda: pellucid.zeros(2, device=0),
    "to": lambda: pellucid.ones(2).to("cuda"),
    "to by number": lambda: pellucid.ones(2).to(0),
    "cuda": lambda: pellucid.ones(2).cuda(),
    "cuda by number": lambda: pellucid.ones(2).cuda(0),
    "xpu": lambda: pellucid.ones(2).xpu(),
    "module": lambda: pellucid.nn.Linear(2, 2).cuda(),
    "module to": lambda: pellucid.nn.Linear(2, 2).to(pellucid.device("mps")),
    "layer": lambda: pellucid.nn.Linear(2, 2, device="meta"),
    "generator": lambda: pellucid.Generator("cuda"),
    "name": lambda: pellucid.cuda.get_device_name(0),
    "properties": lambda: pellucid.cuda.get_device_properties("cuda:0"),
    "set": lambda: pellucid.cuda.set_device(0),
    "current": lambda: pellucid.cuda.current_device(),
    "stream": lambda: pellucid.cuda.Stream(),
    "event": lambda: pellucid.cuda.Event(enable_timing=True),
    "type": lambda: pellucid.ones(2).type("torch.cuda.FloatTensor"),
    "accelerator": lambda: pellucid.accelerator.current_device_index(),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("kind", [RuntimeError, AssertionError])
def test_use_of_an_absent_device_is_refused(name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="only the CPU|tensors live on the CPU|there is none"):
        USES[name]()


def test_default_devices() -> None:
    cpu = pellucid.device("cpu")
    with cpu as entered:
        assert entered is cpu and pellucid.zeros(2).device == cpu
    with pellucid.device("cuda"):
        assert pellucid.get_default_device() == pellucid.device("cuda")
        with pytest.raises(RuntimeError, match="there is no device 'cuda'"):
            pellucid.zeros(2)
        with pellucid.device("cpu"):
            assert pellucid.zeros(2).shape == (2,)
        assert pellucid.zeros(2, device="cpu").to(pellucid.float64).dtype is pellucid.float64
    pellucid.set_default_device("mps")
    try:
        with pytest.raises(RuntimeError, match="there is no device 'mps'"):
            pellucid.tensor([1.0])
    finally:
        pellucid.set_default_device(None)
    assert pellucid.get_default_device() == cpu and pellucid.ones(1).item() == 1.0


def test_a_program_chooses_its_device() -> None:
    """What nearly every training script begins with."""
    device = pellucid.device("cuda:0" if pellucid.cuda.is_available() else "cpu")
    found = pellucid.accelerator.current_accelerator() or device
    model = pellucid.nn.Linear(3, 2).to(found)
    x = pellucid.randn(4, 3).to(device, non_blocking=True)
    assert model(x).device.type == "cpu" and not x.is_cuda and x.is_cpu
    assert not (x.is_mps or x.is_xpu or x.is_sparse or x.is_quantized or x.is_meta)


def test_what_is_told_to_processors_that_are_not_there() -> None:
    cuda = pellucid.cuda
    assert not cuda.is_available() and cuda.device_count() == 0 and not cuda.is_initialized()
    for call in (cuda.empty_cache, cuda.synchronize, cuda.reset_peak_memory_stats, cuda.seed_all):
        call()
    cuda.manual_seed(1)
    cuda.manual_seed_all(1)
    assert cuda.max_memory_allocated() == cuda.memory_reserved() == 0 and not cuda.memory_stats()
    with cuda.stream(None), cuda.device_of(pellucid.ones(1)), cuda.device(-1):
        pass
    assert not (pellucid.mps.is_available() or pellucid.xpu.is_available())
    pellucid.mps.empty_cache()
    pellucid.xpu.manual_seed(3)
    pellucid.accelerator.synchronize()
    assert pellucid.version.cuda is None
    assert isinstance(pellucid.version.__version__, str)


def test_settings_of_libraries_are_kept() -> None:
    cudnn = importlib.import_module("pellucid.backends.cudnn")
    assert pellucid.backends.cudnn is cudnn
    try:
        cudnn.benchmark, cudnn.deterministic = True, True
        assert pellucid.backends.cudnn.benchmark and cudnn.deterministic
        with cudnn.flags(enabled=False, benchmark=False):
            assert not cudnn.enabled and not cudnn.benchmark
        assert cudnn.enabled and cudnn.benchmark
    finally:
        cudnn.benchmark, cudnn.deterministic = False, False
    pellucid.backends.cuda.matmul.allow_tf32 = True
    assert pellucid.backends.cuda.matmul.allow_tf32
    pellucid.backends.cuda.matmul.allow_tf32 = False
    with pellucid.backends.cuda.sdp_kernel(enable_flash=False):
        assert not pellucid.backends.cuda.flash_sdp_enabled()
    assert pellucid.backends.cuda.flash_sdp_enabled()
    for name in ("cuda", "mps"):
        assert not getattr(pellucid.backends, name).is_built()
    for name in ("cudnn", "mps", "mkl", "mkldnn", "openmp", "opt_einsum", "nnpack"):
        assert not getattr(pellucid.backends, name).is_available()


def test_random_states_can_be_set_aside() -> None:
    pellucid.manual_seed(3)
    first = pellucid.rand(2)
    pellucid.manual_seed(3)
    with pellucid.random.fork_rng():
        pellucid.manual_seed(99)
        pellucid.rand(5)
    assert pellucid.equal(pellucid.rand(2), first)
    generator = pellucid.Generator("cpu").manual_seed(5)
    generator.draw()
    twin = generator.clone_state()
    assert generator.get_offset() == 1 and generator.device == pellucid.device("cpu")
    assert pellucid.equal(pellucid.rand(3, generator=generator), pellucid.rand(3, generator=twin))
    twin.set_offset(1)
    assert twin.get_offset() == 1 and pellucid.random.seed() == pellucid.initial_seed()


def test_settings_are_kept_and_checked() -> None:
    assert pellucid.get_float32_matmul_precision() == "highest"
    pellucid.set_float32_matmul_precision("high")
    assert pellucid.get_float32_matmul_precision() == "high"
    pellucid.set_float32_matmul_precision("highest")
    with pytest.raises(ValueError, match="use one of highest"):
        pellucid.set_float32_matmul_precision("low")
    pellucid.use_deterministic_algorithms(True, warn_only=True)
    assert pellucid.are_deterministic_algorithms_enabled()
    assert pellucid.get_deterministic_debug_mode() == 1
    pellucid.set_deterministic_debug_mode("default")
    assert not pellucid.are_deterministic_algorithms_enabled()
    pellucid.set_num_interop_threads(1)
    assert pellucid.get_num_interop_threads() == 1


FACTORIES: dict[str, Callable[..., pellucid.Tensor]] = {
    "zeros": lambda **k: pellucid.zeros(2, 3, **k),
    "ones": lambda **k: pellucid.ones(2, 3, **k),
    "empty": lambda **k: pellucid.empty(2, 3, **k),
    "full": lambda **k: pellucid.full((2, 3), 1.0, **k),
    "eye": lambda **k: pellucid.eye(2, 3, **k),
    "arange": lambda **k: pellucid.arange(6.0, **k).reshape(2, 3),
    "linspace": lambda **k: pellucid.linspace(0, 1, 6, **k).reshape(2, 3),
    "rand": lambda **k: pellucid.rand(2, 3, **k),
    "randn": lambda **k: pellucid.randn(2, 3, **k),
    "randint": lambda **k: pellucid.randint(3, (2, 3), dtype=pellucid.float32, **k),
    "randperm": lambda **k: pellucid.randperm(6, dtype=pellucid.float32, **k).reshape(2, 3),
    "zeros_like": lambda **k: pellucid.zeros_like(pellucid.ones(2, 3), **k),
    "randn_like": lambda **k: pellucid.randn_like(pellucid.ones(2, 3), **k),
    "new_zeros": lambda **k: pellucid.ones(1).new_zeros(2, 3, **k),
    "by keyword": lambda **k: pellucid.zeros(size=(2, 3), **k),
    "random by keyword": lambda **k: pellucid.randn(size=(2, 3), **k),
    "new by keyword": lambda **k: pellucid.ones(1).new_ones(size=(2, 3), **k),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_keywords_of_factories(name: str) -> None:
    made = FACTORIES[name](
        layout=pellucid.strided, pin_memory=True, device="cpu", requires_grad=True
    )
    assert made.shape == (2, 3) and made.requires_grad and made.layout is pellucid.strided
    assert made.pin_memory() is made and not made.is_pinned()
    with pytest.raises(RuntimeError, match="no tensors of layout pellucid.sparse_coo"):
        FACTORIES[name](layout=pellucid.sparse_coo)


def test_random_tensors_like_others_take_a_generator() -> None:
    x = pellucid.ones(3)
    for draw in (pellucid.rand_like, pellucid.randn_like):
        first, second = (draw(x, generator=pellucid.Generator().manual_seed(4)) for _ in range(2))
        assert pellucid.equal(first, second)
    assert pellucid.arange(6.0)[2:].storage_offset() == 2
    assert x.to("cpu", memory_format=pellucid.channels_last) is x
