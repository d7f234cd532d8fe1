"""Pages of the reference: every public name of every public module, in the order of the source.

A module with many names is divided by the files that define them; the first sentence of a file's
docstring is its title.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

MODULES = {
    "pellucid": ("Tensors and functions", "张量与函数"),
    "pellucid.nn": ("Layers, losses, networks", "层、损失与网络"),
    "pellucid.nn.functional": ("Functions of layers", "层的函数形式"),
    "pellucid.nn.init": ("Initializers", "初始化"),
    "pellucid.nn.utils": ("Utilities for networks", "网络的工具"),
    "pellucid.optim": ("Optimizers", "优化器"),
    "pellucid.optim.lr_scheduler": ("Learning-rate schedules", "学习率调度"),
    "pellucid.autograd": ("Derivatives", "求导"),
    "pellucid.func": ("Transformations of functions", "函数变换"),
    "pellucid.data": ("Tables and their columns", "表格数据"),
    "pellucid.utils.data": ("Data sets and loaders", "数据集与加载器"),
    "pellucid.training": ("Training", "训练"),
    "pellucid.estimators": ("Estimators for scikit-learn", "scikit-learn 估计器"),
    "pellucid.insight": ("Diagnosis and explanation", "诊断与解释"),
    "pellucid.insight.explain": ("Explanations", "解释"),
    "pellucid.insight.pictures": ("Pictures", "绘图"),
    "pellucid.doctor": ("The doctor", "训练医生"),
    "pellucid.text": ("Text", "文本"),
    "pellucid.vision.datasets": ("Image data sets", "图像数据集"),
    "pellucid.vision.utils": ("Grids of images", "图像拼图"),
    "pellucid.vision.transforms": ("Transforms of images", "图像变换"),
    "pellucid.models": ("Ready networks", "现成的网络"),
    "pellucid.rl": ("Reinforcement learning", "强化学习"),
    "pellucid.distributions": ("Distributions", "概率分布"),
    "pellucid.linalg": ("Linear algebra", "线性代数"),
    "pellucid.fft": ("Fourier transforms", "傅里叶变换"),
    "pellucid.special": ("Special functions", "特殊函数"),
    "pellucid.signal.windows": ("Windows of signals", "窗函数"),
    "pellucid.sparse": ("Sparse tensors", "稀疏张量"),
    "pellucid.random": ("Random numbers", "随机数"),
    "pellucid.amp": ("Mixed precision", "混合精度"),
    "pellucid.interop": ("Files of other frameworks", "与其他框架交换文件"),
    "pellucid.profiler": ("The profiler", "性能分析"),
    "pellucid.testing": ("Comparison of results", "结果比较"),
}
"""The public modules, with their titles in English and Chinese."""

_MOST = 30
"""Names on one page before a module is divided."""


@dataclass
class Page:
    """One page: its file name, title, the module whose names it lists, and the names."""

    file: str
    title: str
    module: str
    names: list[str] = field(default_factory=list)


def public_names(module: ModuleType) -> list[str]:
    """The names that a module offers, without modules and names of other public modules."""
    names = getattr(module, "__all__", None) or [x for x in dir(module) if not x.startswith("_")]
    found = []
    for name in names:
        thing = getattr(module, name, None)
        if thing is None or inspect.ismodule(thing) or name.startswith("_"):
            continue
        if inspect.isclass(thing) or callable(thing):
            found.append(name)
    return found


def _home(thing: Any) -> str:
    thing = inspect.unwrap(thing) if callable(thing) else thing
    return getattr(thing, "__module__", None) or ""


def _title_of(home: str) -> str:
    text = (getattr(sys.modules.get(home), "__doc__", None) or home).strip()
    first = text.split("\n\n")[0].replace("\n", " ")
    for stop in (". ", ": ", "; "):
        first = first.split(stop)[0]
    return first.rstrip(".")


@cache
def _places() -> dict[int, str]:
    """Where each public thing is shown, by its identity."""
    places: dict[int, str] = {}
    for name in sorted(MODULES, key=lambda x: x.count("."), reverse=True):
        module = importlib.import_module(name)
        for each in public_names(module):
            places.setdefault(id(getattr(module, each)), name)
    return places


def _place(thing: Any) -> str:
    return _places()[id(thing)]


def _line(thing: Any) -> int:
    """About where a function or class stands in its file (asking the source itself is slow)."""
    thing = inspect.unwrap(thing) if callable(thing) and not inspect.isclass(thing) else thing
    code = getattr(thing, "__code__", None)
    if code is not None:
        return int(code.co_firstlineno)
    inner = (
        [x for x in vars(thing).values() if hasattr(x, "__code__")]
        if inspect.isclass(thing)
        else []
    )
    return min((x.__code__.co_firstlineno for x in inner), default=0)


def pages_of(name: str, title: str) -> Iterator[Page]:
    """The pages of one module: of its names those that no more special module offers as well."""
    module = importlib.import_module(name)
    names = [x for x in public_names(module) if _place(getattr(module, x)) == name]
    short = name.removeprefix("pellucid.").replace(".", "-")
    if len(names) <= _MOST:
        if names:
            yield Page(short, title, name, sorted(names, key=str.lower))
        return
    homes: dict[str, list[str]] = {}
    for each in names:
        homes.setdefault(_home(getattr(module, each)), []).append(each)
    small: list[str] = []
    for home, members in sorted(homes.items(), key=lambda item: _title_of(item[0])):
        if len(members) < 3 or not home.startswith("pellucid"):
            small += members
            continue
        members.sort(key=lambda x: _line(getattr(module, x)))
        yield Page(f"{short}-{home.split('.')[-1]}", _title_of(home), name, members)
    if small:
        yield Page(f"{short}-more", "More", name, sorted(small, key=str.lower))


def written(page: Page, up: str) -> str:
    """The page as reStructuredText; ``up`` is the title of the list that it belongs to.

    The pages stand in no table of contents but that list: in the side bar of every page they would
    be a hundred and fifty lines, and most of the time that the site takes.
    """
    module = importlib.import_module(page.module)
    line = "=" * (2 * len(page.title) + 2)
    blocks = [":orphan:", "", f":doc:`{up} <index>` › ``{page.module}``", "", page.title, line, ""]
    blocks += [f".. currentmodule:: {page.module}", ""]
    for name in page.names:
        if inspect.isclass(getattr(module, name)):
            blocks += [f".. autoclass:: {name}", "   :members:", ""]
        else:
            blocks += [f".. autofunction:: {name}", ""]
    return "\n".join(blocks)
