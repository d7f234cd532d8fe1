"""What the public packages offer: complete lists, nothing of the cellar, all of it documented."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import types
from typing import Any

import pytest

PACKAGES = """
    pellucid
    pellucid.accelerator
    pellucid.amp
    pellucid.autograd
    pellucid.autograd.forward_ad
    pellucid.autograd.functional
    pellucid.autograd.graph
    pellucid.cpu
    pellucid.cuda
    pellucid.cuda.amp
    pellucid.data
    pellucid.distributed
    pellucid.distributions
    pellucid.estimators
    pellucid.fft
    pellucid.doctor
    pellucid.func
    pellucid.hub
    pellucid.insight
    pellucid.interop
    pellucid.jit
    pellucid.linalg
    pellucid.masked
    pellucid.models
    pellucid.mps
    pellucid.multiprocessing
    pellucid.nn
    pellucid.nn.functional
    pellucid.nn.init
    pellucid.nn.parallel
    pellucid.nn.utils
    pellucid.nn.utils.parametrizations
    pellucid.nn.utils.parametrize
    pellucid.nn.utils.prune
    pellucid.nn.utils.rnn
    pellucid.onnx
    pellucid.optim
    pellucid.optim.lr_scheduler
    pellucid.optim.swa_utils
    pellucid.profiler
    pellucid.random
    pellucid.rl
    pellucid.serialization
    pellucid.signal
    pellucid.signal.windows
    pellucid.special
    pellucid.testing
    pellucid.text
    pellucid.training
    pellucid.utils
    pellucid.utils.data
    pellucid.utils.tensorboard
    pellucid.version
    pellucid.vision
    pellucid.vision.datasets
    pellucid.vision.transforms
    pellucid.vision.utils
    pellucid.xpu
""".split()

CELLAR = ("base graph ops transforms tensor_class late parts combining assembling").split()


def _load(name: str) -> types.ModuleType:
    """A public package, which may be an attribute of another name than its file."""
    found: Any = importlib.import_module("pellucid")
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert isinstance(found, types.ModuleType)
    return found


def test_a_fresh_interpreter_offers_the_product() -> None:
    code = (
        "import sys, pellucid; print(*dir(pellucid)); print(*[m for m in sys.modules if '.' not in "
        "m], sep=' ')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    offered, loaded = (line.split() for line in done.stdout.splitlines())
    product = "nn optim Trainer models summary data insight interop rl text training utils autograd"
    assert set(product.split()) <= set(offered)
    assert not set(CELLAR) & set(offered)
    assert "numpy" in loaded and not {"llvmlite", "polars", "typer", "rich"} & set(loaded)


@pytest.mark.parametrize("name", PACKAGES)
def test_everything_listed_exists_and_nothing_else_is_shown(name: str) -> None:
    package = _load(name)
    listed = package.__all__
    assert len(set(listed)) == len(listed)
    assert [n for n in listed if not hasattr(package, n)] == []
    assert dir(package) == sorted(listed)
    assert package.__doc__


@pytest.mark.parametrize("name", [n for n in PACKAGES if n.count(".") < 2])
def test_what_a_package_imports_by_name_is_listed(name: str) -> None:
    """A function or class that a package's face imports is meant to be seen."""
    package = _load(name)
    own = {
        n
        for n, v in vars(package).items()
        if not n.startswith("_") and not isinstance(v, types.ModuleType)
    }
    if not hasattr(package, "__path__"):  # a file: what is defined there
        own = {n for n in own if getattr(vars(package)[n], "__module__", name) == package.__name__}
    assert own - {"TYPE_CHECKING", "lazy_face"} <= set(package.__all__)


def _callables() -> list[tuple[str, Any]]:
    found = []
    for name in PACKAGES:
        package = _load(name)
        for member in package.__all__:
            value = getattr(package, member)
            if getattr(value, "_is_protocol", False):
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                found.append((f"{name}.{member}", value))
    return found


def test_everything_public_is_documented() -> None:
    callables = _callables()
    assert len(callables) > 800
    assert [name for name, value in callables if not inspect.getdoc(value)] == []


TAKES_ANY_KEYWORD = {
    "Gymnasium": "keywords of gymnasium.make",
    "agent_for": "settings of the algorithm, checked by name",
    "LambdaCallback": "a function for each turn of a callback, checked by name",
    "StackDataset": "names of the data sets",
    "export": "PyTorch's keywords of an export that there is none of",
    "download_url_to_file": "PyTorch's keywords about downloads, of which there are none",
    "freeze": "PyTorch's keywords about TorchScript, of which there is none",
    "get_model": "keywords of the network's own function",
    "train_language_model": "fields of LanguageModelConfig",
    "train_sequences": "fields of SequenceConfig",
    "help": "PyTorch's keywords about downloads, of which there are none",
    "ignore": "PyTorch's keywords about TorchScript, of which there is none",
    "list": "PyTorch's keywords about downloads, of which there are none",
    "load": "keywords of the function that is called",
    "load_state_dict_from_url": "PyTorch's keywords about downloads, of which there are none",
    "optimize_for_inference": "PyTorch's keywords about TorchScript, of which there is none",
    "script": "PyTorch's keywords about TorchScript, of which there is none",
    "trace": "PyTorch's keywords about TorchScript, of which there is none",
    "trace_module": "PyTorch's keywords about TorchScript, of which there is none",
    "fork": "keywords of the function that is called",
    "Identity": "takes and forgets anything, as PyTorch's does",
    "checkpoint": "keywords of the function that is called",
    "Container": "modules by name",
    "skip_init": "keywords of the module's class",
    "global_unstructured": "keywords of the pruning method",
    "find_first_nonfinite": "keywords of the function that is called",
    "grid_search": "keywords of Trainer.fit",
    "rearrange": "extents of axes that the pattern names",
    "resnet18": "keywords of ResNet",
    "resnet34": "keywords of ResNet",
    "resnet50": "keywords of ResNet",
    "resnet101": "keywords of ResNet",
    "resnet152": "keywords of ResNet",
    "vgg11": "keywords of VGG",
    "vgg11_bn": "keywords of VGG",
    "vgg13": "keywords of VGG",
    "vgg13_bn": "keywords of VGG",
    "vgg16": "keywords of VGG",
    "vgg16_bn": "keywords of VGG",
    "vgg19": "keywords of VGG",
    "vgg19_bn": "keywords of VGG",
}
"""Callables whose keywords are somebody else's, and whose."""


def test_signatures_are_real() -> None:
    """``help`` and an editor name every keyword; unknown ones are a TypeError by Python itself."""
    opaque = []
    for name, value in _callables():
        try:
            parameters = inspect.signature(value).parameters.values()
        except ValueError:  # NamedTuples and other classes that Python builds
            continue
        hidden = [p for p in parameters if p.kind is p.VAR_KEYWORD and p.name != "execution"]
        if hidden and name.split(".")[-1] not in TAKES_ANY_KEYWORD:
            opaque.append(name)
    assert opaque == []
