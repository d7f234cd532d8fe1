"""Runs a program's text under PyTorch or under Pellucid, in this process."""

from __future__ import annotations

import builtins
import importlib
import sys
import types
from pathlib import Path
from typing import Any

from pellucid import as_torch

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.py"))


def losses(path: Path, engine: str, *, compile: bool = False) -> list[float]:
    """What the program's ``main()`` returns; ``engine`` is "torch" or "pellucid"."""
    modules: dict[str, types.ModuleType] = {}

    def load(name: str, file: Path) -> types.ModuleType:
        module = types.ModuleType(name)
        module.__file__ = str(file)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": find}
        modules[name] = module
        if name != "start":
            sys.modules[name] = module  # where dataclasses and pickle look for a class's module
        exec(compile_text(file), module.__dict__)
        return module

    def find(
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        if name == "start" and level == 0:
            return modules.get(name) or load(name, HERE / "start.py")
        if name.partition(".")[0] in ("torch", "torchvision") and engine == "pellucid":
            found = as_torch.face(name)
            for part in fromlist or ():
                if part != "*" and not hasattr(found, part):
                    as_torch.face(f"{name}.{part}")
            return found if fromlist else as_torch.face(name.partition(".")[0])
        return builtins.__import__(name, globals, locals, fromlist, level)

    start = load("start", HERE / "start.py")
    start.__dict__["COMPILE"] = compile
    program = load(f"program_{path.stem}", path)
    importlib.import_module("random").seed(0)
    return [float(value) for value in program.main()]


def compile_text(file: Path) -> types.CodeType:
    """The program's code, under its own name for tracebacks."""
    return builtins.compile(file.read_text(encoding="utf-8"), str(file), "exec")
