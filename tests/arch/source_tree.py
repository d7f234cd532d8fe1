"""The package's source, parsed once: modules, their imports, and where in the code these stand."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2] / "src" / "pellucid"

FLOORS = {
    "base": 0,
    "graph": 1,
    "ops": 2,
    "transforms": 3,
    "compiler": 4,
    "backends": 5,
    "tensor": 6,
    "distributed": 6.5,  # layers and samplers ask for the number of processes
    "multiprocessing": 7,
    "nn": 7,
    "autograd": 7,
    "func": 7.2,  # models as functions of their parameters
    "optim": 7.2,  # an average of weights is itself a network
    "distributions": 7.2,  # densities are made of losses and activations
    "data": 7.2,  # its face offers the data sets and loaders of utils
    "utils": 7,
    "interop": 7.3,  # files hold parameters and modules
    "signal": 7,
    "amp": 7.3,  # scales losses for optimizers
    "cuda": 7.4,  # has names for what amp defines
    "testing": 7,
    "jit": 7.6,  # saves by pellucid.serialization
    "training": 8,
    "insight": 9,
    "models": 8.5,  # which text/ and rl/ train
    "vision": 9,
    "text": 9,
    "rl": 9,
    "estimators": 9,
    "doctor": 9.5,  # the doctor of insight by a short name
    "course": 9.8,  # graders may use everything that learners use
    "cli": 10,
    "studio": 10,
    "as_torch": 10,
}
"""Folder → floor.  A module imports from its own folder and from lower floors only."""

ROOT_FLOOR = 7.5
"""``pellucid`` and the modules directly in it gather floors 0 to 7; what stands above may use
them like anybody else."""


class Import(NamedTuple):
    """One imported module, and where."""

    target: str
    line: int
    inside: str
    """The function it stands in, empty at module level."""
    for_types_only: bool


class Module(NamedTuple):
    """A parsed source file."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The folder under ``pellucid`` it belongs to; empty for the package itself."""
        return "" if self.path.parent == ROOT else self.path.relative_to(ROOT).parts[0]

    @property
    def place(self) -> str:
        """Path inside the package, for messages."""
        return str(self.path.relative_to(ROOT))


@functools.cache
def modules() -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["pellucid", *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


DOORS = {"pellucid._starting": -1, "pellucid.__main__": 11}
"""Modules directly in the package that are no part of its floors: what runs before everything, and
what runs the command line."""


def floor_of(name: str) -> float:
    """Floor of a module of ours."""
    if name in DOORS:
        return DOORS[name]
    parts = name.split(".")
    if len(parts) == 1 or (ROOT / f"{parts[1]}.py").exists():
        return ROOT_FLOOR
    return FLOORS[parts[1]]


@functools.cache
def imports_of(name: str) -> tuple[Import, ...]:
    """What a module imports, anywhere in its code."""
    module = modules()[name]
    found: list[Import] = []

    def walk(node: ast.AST, inside: str, types: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend(Import(a.name, child.lineno, inside, types) for a in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.extend(
                    Import(t, child.lineno, inside, types) for t in _targets(module, child)
                )
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                walk(child, child.name, types)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                walk(child, inside, True)
            else:
                walk(child, inside, types)

    walk(module.tree, "", False)
    return tuple(found)


def _targets(module: Module, node: ast.ImportFrom) -> list[str]:
    """The modules that ``from X import a, b`` names: X.a where that is a module, else X."""
    base = node.module or ""
    if node.level:
        package = (
            module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
        )
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        base = f"{package}.{base}" if base else package
    listed = [f"{base}.{a.name}" if f"{base}.{a.name}" in modules() else base for a in node.names]
    return list(dict.fromkeys(listed))
