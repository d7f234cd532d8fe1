"""Everything public says what it is, and everything raised is an error that helps."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

import pytest

from arch.source_tree import Module, modules
from pellucid.base import errors

OURS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.PellucidError)
}

ALSO_RAISED = {
    "StopIteration": "the iterator protocol",
    "KeyError": "the mapping protocol (__getitem__, __delitem__, pop)",
    "IndexError": "the sequence protocol, which ends old-style iteration",
    "AttributeError": "__getattr__ and __delattr__",
    "MissingAttribute": "the AttributeError of a module's __getattr__, cheap where it is not read",
    "NotImplementedError": "methods that subclasses must define",
    "Exit": "typer's way to end a command with an exit code",
    "typer.Exit": "typer's way to end a command with an exit code",
    "typer.BadParameter": "typer's way to reject an option",
    "click.UsageError": "the command line's own error",
    "SystemExit": "the end of a program",
    "KeyboardInterrupt": "passed on",
    "Interrupted": "KeyboardInterrupt with the signal's number",
    "StopTraining": "a callback's way to end a run, which ends in fit()",
}
INTERNAL = {
    ("backends/cpu/cache.py", "_read_file"): "caught there: like a file that cannot be read",
    ("backends/cpu/engine.py", "_make_private"): "caught there, raised as CompilationError",
    ("backends/cpu/engine.py", "_optimize_and_emit"): "caught there, raised as CompilationError",
}
"""Functions whose built-in errors never leave their module, and what becomes of them."""

PROTOCOLS = {
    "KeyError": {"__getitem__", "__delitem__", "pop", "__missing__"},
    "IndexError": {"__getitem__"},
    "AttributeError": {"__getattr__", "__delattr__", "__getattribute__", "__setattr__"},
    "MissingAttribute": {"__getattr__"},
}


def definitions(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and methods with their dotted names."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if child.name.startswith("_"):
                    continue
                yield f"{prefix}{child.name}", child
                if isinstance(child, ast.ClassDef):
                    yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                yield from walk(child, prefix)

    yield from walk(module.tree, "")


def is_overload_or_setter(node: ast.AST) -> bool:
    listed = getattr(node, "decorator_list", [])
    return any(ast.unparse(d).endswith((".setter", ".deleter", "overload")) for d in listed)


@pytest.mark.parametrize("name", modules())
def test_everything_public_has_a_docstring(name: str) -> None:
    module = modules()[name]
    missing = [
        f"{module.place}:{node.lineno} {title}"  # type: ignore[attr-defined]
        for title, node in definitions(module)
        if not ast.get_docstring(node) and not is_overload_or_setter(node)  # type: ignore[arg-type]
    ]
    if not ast.get_docstring(module.tree):
        missing.insert(0, f"{module.place}: the module itself")
    assert not missing, "without a docstring:\n" + "\n".join(missing)


def raises(module: Module) -> Iterator[tuple[int, str, str]]:
    """(line, what is raised, in which function) of every raise with a value."""

    def walk(node: ast.AST, inside: str) -> Iterator[tuple[int, str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Raise) and child.exc is not None:
                what = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
                yield child.lineno, ast.unparse(what), inside
            name = getattr(child, "name", inside) if isinstance(child, ast.FunctionDef) else inside
            yield from walk(child, name)

    yield from walk(module.tree, "")


@functools.cache
def local_errors() -> set[str]:
    """Classes anywhere in the package that derive from one of ours."""
    known = set(OURS)
    grown = True
    while grown:
        grown = False
        for module in modules().values():
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef) and node.name not in known:
                    if any(ast.unparse(b).split(".")[-1] in known for b in node.bases):
                        known.add(node.name)
                        grown = True
    return known


@pytest.mark.parametrize("name", modules())
def test_what_is_raised_is_one_of_our_errors(name: str) -> None:
    known = local_errors()
    wrong = []
    for line, what, inside in raises(modules()[name]):
        if (modules()[name].place, inside) in INTERNAL:
            continue
        last = what.split(".")[-1]
        if last in known or (what.islower() and "." not in what):
            continue  # ours, or a caught error or one made by a helper, passed on by name
        if last in known or what in ALSO_RAISED:
            if what not in PROTOCOLS or inside in PROTOCOLS[what]:
                continue
        if last.startswith("_") or last[0].islower():
            continue  # a function that makes the error
        wrong.append(f"{modules()[name].place}:{line} raises {what} in {inside or 'the module'}")
    assert not wrong, "\n".join(wrong)


def test_our_errors_say_what_to_do() -> None:
    """Every error raised with its class has a hint as second argument."""
    wrong = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                continue
            if ast.unparse(node.exc.func).split(".")[-1] in OURS:
                given = len(node.exc.args) + len(node.exc.keywords)
                starred = any(isinstance(a, ast.Starred) for a in node.exc.args)
                if given < 2 and not starred:
                    wrong.append(f"{module.place}:{node.lineno}")
    assert not wrong, "say what happened and what to do (message, hint):\n" + "\n".join(wrong)


def test_errors_are_also_the_builtin_ones_that_people_catch() -> None:
    expected = {
        "ShapeError": ValueError,
        "DTypeError": TypeError,
        "ArgumentError": ValueError,
        "AutogradError": RuntimeError,
        "DataError": ValueError,
        "FileError": OSError,
        "NonFiniteError": ArithmeticError,
    }
    for name, builtin in expected.items():
        assert issubclass(getattr(errors, name), builtin)


def test_an_error_shows_its_hint_on_a_line_of_its_own() -> None:
    error = errors.ShapeError("what happened", "what to do")
    assert str(error) == "what happened\n  what to do"
    assert (error.message, error.hint) == ("what happened", "what to do")
    assert str(errors.ShapeError("alone")) == "alone"
