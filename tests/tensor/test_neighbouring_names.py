"""jit, onnx, hub, profiler, testing, compiler: what programs call around their network."""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid import nn
from pellucid.base.errors import ArgumentError
from pellucid.nn.attention import SDPBackend, sdpa_kernel


def test_scripts_are_the_functions_themselves() -> None:
    importlib.reload(importlib.import_module("pellucid.jit"))
    jit = pellucid.jit
    model = nn.Linear(2, 2)
    with pytest.warns(UserWarning, match="there is no TorchScript here"):
        assert jit.script(model) is model
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        assert jit.trace(model, pellucid.ones(1, 2)) is model and jit.freeze(model) is model

        @jit.script
        def double(x: Any) -> Any:
            return x * 2

        @jit.ignore
        def first() -> int:
            return 1

        @jit.ignore(drop=True)
        def second() -> int:
            return 2

        assert double(pellucid.ones(1)).item() == 2 and (first(), second()) == (1, 2)
    assert not jit.is_scripting() and jit.annotate(int, 3) == 3
    assert issubclass(jit.ScriptModule, nn.Module) and jit.export(first) is first


def test_what_there_is_not_says_so() -> None:
    with pytest.raises(RuntimeError, match="no files of ONNX are written here\n.*safetensors"):
        pellucid.onnx.export(nn.Linear(1, 1), pellucid.ones(1, 1), "x.onnx", opset_version=17)
    with pytest.raises(RuntimeError, match="nothing is downloaded here"):
        pellucid.hub.load("pytorch/vision", "resnet18", pretrained=True)
    with pytest.raises(RuntimeError, match="nothing is downloaded here"):
        pellucid.hub.load_state_dict_from_url("https://example.org/x.pt")
    with pytest.raises(RuntimeError, match="nothing is downloaded here"):
        pellucid.utils.model_zoo.load_url("https://example.org/x.pt")
    with pytest.raises(RuntimeError, match="there is no accelerator"):
        with pellucid.accelerator.device_index(0):
            pass
    with pellucid.accelerator.device_index(None):
        assert pellucid.ones(1).device.type == "cpu"


def test_the_way_of_attention_may_be_named() -> None:
    x = pellucid.randn(1, 2, 5, 4)
    wanted = nn.functional.scaled_dot_product_attention(x, x, x)
    for ways in (SDPBackend.MATH, [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]):
        with sdpa_kernel(ways):
            assert pellucid.equal(nn.functional.scaled_dot_product_attention(x, x, x), wanted)
    with pytest.raises(TypeError, match="sdpa_kernel got a str"):
        with sdpa_kernel("math"):
            pass


def test_models_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "widths_of_this_folder.py").write_text("WIDTH = 3\n")
    (tmp_path / "hubconf.py").write_text(
        "from widths_of_this_folder import WIDTH\nimport pellucid.nn as nn\n"
        'def small(bias=True):\n    "A small model."\n    return nn.Linear(2, WIDTH, bias=bias)\n'
    )
    model = pellucid.hub.load(tmp_path, "small", source="local", bias=False, trust_repo=True)
    assert model.out_features == 3 and model.bias is None
    assert pellucid.hub.list(tmp_path, source="local") == ["small"]
    assert pellucid.hub.help(tmp_path, "small", source="local") == "A small model."
    with pytest.raises(ValueError, match="has no 'large'\n.*small"):
        pellucid.hub.load(tmp_path, "large", source="local")


def test_the_profiler_measures(tmp_path: Path) -> None:
    from pellucid.profiler import ProfilerActivity, profile, record_function

    x = pellucid.rand(64, 64, requires_grad=True)
    step = pellucid.compile(lambda t: (t @ t).sum())
    before = pellucid.Tensor.apply_primitive
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        with record_function("own part"):
            loss = (x @ x).exp().sum()
        loss.backward()
        step(x.detach())
    assert pellucid.Tensor.apply_primitive is before
    averages = {event.key: event for event in prof.key_averages()}
    assert {"own part", "matmul", "exp", "backward"} <= set(averages)
    assert any(name.startswith("compiled") for name in averages)
    own = averages["own part"]
    assert own.count == 1 and own.cpu_time_total >= averages["exp"].cpu_time_total > 0
    inside = sum(e.self_cpu_time_total for e in prof.events())
    outer = sum(e.cpu_time_total for e in prof.events() if e.depth == 0)
    assert inside == pytest.approx(outer, rel=1e-6)
    table = prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=3)
    assert "Self CPU %" in table and len(table.splitlines()) == 3 + 3 + 2
    with pytest.raises(ValueError, match="sort_by='speed'"):
        prof.key_averages().table(sort_by="speed")
    prof.export_chrome_trace(tmp_path / "trace.json")
    rows = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"own part", "matmul"} <= {row["name"] for row in rows}
    assert (2, (64, 64)) in {(len(e.input_shapes), *e.input_shapes[:1]) for e in prof.events()}


def test_schedules(tmp_path: Path) -> None:
    from pellucid import profiler

    ready: list[list[str]] = []
    plan = profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    with profiler.profile(
        schedule=plan, on_trace_ready=lambda p: ready.append([e.name for e in p.events()])
    ) as prof:
        for number in range(6):
            with profiler.record_function(f"step {number}"):
                pass
            prof.step()
    assert ready == [["step 2", "step 3"]]
    handler = profiler.tensorboard_trace_handler(tmp_path / "log")
    with pellucid.autograd.profiler.profile() as older:
        pellucid.ones(2).exp()
    handler(older)
    assert len(list((tmp_path / "log").glob("*.pt.trace.json"))) == 1
    assert "exp" in str(older)


@pytest.mark.parity
def test_close_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    calls: list[Any] = [
        lambda t: (t.tensor([1.0, 2.0, 3.0]), t.tensor([1.0, 2.5, 4.0])),
        lambda t: (t.tensor(1.0), t.tensor(2.0)),
        lambda t: (1.0, 2.0),
        lambda t: ([1, t.ones(2)], [1, t.zeros(2)]),
        lambda t: ({"a": t.ones(2)}, {"a": t.zeros(2)}),
        lambda t: ({"a": t.ones(2)}, {"b": t.ones(2)}),
        lambda t: (t.tensor([1, 2]), t.tensor([1, 4])),
        lambda t: (t.tensor([float("nan")]), t.tensor([float("nan")])),
        lambda t: (t.ones(2, 2), t.zeros(2, 2)),
        lambda t: ([1], [1, 2]),
        lambda t: (t.tensor([True]), t.tensor([False])),
        lambda t: (t.tensor([float("inf"), 1.0]), t.tensor([1.0, 1.0])),
        lambda t: (t.ones(2), t.ones(2) + 1e-7),
        lambda t: (t.ones(2).half(), t.ones(2).half() * 1.0009765625),
        lambda t: (t.ones(2).double(), t.ones(2).double() * 1.000001),
        lambda t: (t.tensor([float("inf")]), t.tensor([float("inf")])),
    ]
    for call in calls:
        said = []
        for t in (pellucid, torch):
            try:
                t.testing.assert_close(*call(t))
                said.append("close")
            except AssertionError as error:
                said.append(str(error).strip())
        assert said[0] == said[1]
    close = pellucid.testing.assert_close
    with pytest.raises(AssertionError, match=r"'shape' do not match: \(2,\) != \(3,\)"):
        close(pellucid.ones(2), pellucid.ones(3))
    with pytest.raises(AssertionError, match="'dtype' do not match"):
        close(pellucid.ones(2), pellucid.ones(2).double())
    close(pellucid.ones(2), pellucid.ones(2).double(), check_dtype=False)
    with pytest.raises(AssertionError, match=r"^mine: Tensor-likes"):
        close(pellucid.ones(2), pellucid.zeros(2), msg=lambda text: f"mine: {text}")
    with pytest.raises(ValueError, match="both tolerances"):
        close(1.0, 1.0, rtol=0.1)
    with pytest.raises(TypeError, match="cannot compare a str"):
        close("a", "a")
    made = pellucid.testing.make_tensor(3, 4, dtype=pellucid.float32, low=1, high=2)
    assert made.shape == (3, 4) and 1 <= made.min().item() <= made.max().item() < 2


def test_the_compiler_answers() -> None:
    compiler = pellucid.compiler
    seen = []

    @compiler.disable(recursive=False, reason="looks at it")
    def look(x: Any) -> Any:
        seen.append(compiler.is_compiling())
        return x * 2

    assert look(pellucid.ones(1)).item() == 2 and seen == [False]
    assert pellucid.compile(lambda x: look(x) + 1)(pellucid.ones(1)).item() == 3
    assert seen == [False, True] and compiler.compile is pellucid.compile
    assert compiler.list_backends() == ["cpu", "reference"] and compiler.disable(look) is look
    compiler.cudagraph_mark_step_begin()


def test_a_stance_says_whether_programs_run() -> None:
    ran: list[bool] = []

    @pellucid.compile
    def double(x: Any) -> Any:
        ran.append(pellucid.compiler.is_compiling())
        return x * 2

    x = pellucid.ones(2)
    pellucid.func.grad(lambda x: (x**2).sum())(x)  # has run programs as Python on this thread
    with pellucid.compiler.set_stance("force_eager"):
        double(x)
    assert ran == [False]
    double(x)
    assert ran == [False, True]

    @pellucid.compiler.set_stance("force_eager")
    def outside() -> Any:
        return double(x)

    double(x)  # the program again
    assert ran == [False, True]
    outside()
    assert ran == [False, True, False]
    pellucid.compiler.set_stance("force_eager")
    double(x)
    pellucid.compiler.set_stance("default")
    double(x)
    assert ran == [False, True, False, False]
    with pytest.raises(ArgumentError, match="no stance 'slow'"):
        pellucid.compiler.set_stance("slow")


def test_gradcheck_may_leave_backward_mode_out() -> None:
    x = pellucid.ones(2, dtype=pellucid.float64, requires_grad=True)

    def wrong(x: Any) -> Any:
        return x.detach() * x

    assert not pellucid.gradcheck(wrong, (x,), raise_exception=False)
    assert pellucid.gradcheck(wrong, (x,), check_backward_ad=False, check_forward_ad=True)
    with pytest.raises(ArgumentError, match="neither backward nor forward"):
        pellucid.gradcheck(wrong, (x,), check_backward_ad=False)
