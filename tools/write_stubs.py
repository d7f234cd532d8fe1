"""Writes what type checkers and editors read of classes and functions that are made in loops.

    python tools/write_stubs.py          # write the stubs
    python tools/write_stubs.py --check  # exit code 1 if one is not current

``__init__.pyi`` is the package with the parts that it loads when they are first used,
``tensor/interface.pyi`` the class ``Tensor`` with every method, ``tensor/method_functions.pyi``
every function that calls one.  They are made from the signatures, the overloads and the
docstrings that the running package has: change those, then run this.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pellucid
from pellucid.base import dtypes, shapes
from pellucid.tensor import arguments, device, method_functions
from pellucid.tensor.core import TensorCore

FOLDER = Path(pellucid.__file__).parent
HEADER = "# Written by tools/write_stubs.py from the running package; do not edit.\n"
WIDTH = 100
ALIASES = {
    name: module.__name__
    for module in (arguments, device, dtypes, shapes)
    for name in (
        "TensorClass",
        "Axes",
        "Extents",
        "Index",
        "Number",
        "Operand",
        "DeviceLike",
        "DTypeLike",
        "Shape",
    )
    if name in vars(module)
}
"""Names of types that are no classes, and where they are defined."""


UNLISTED = {"__annotations__", "__slots__", "__module__", "__doc__", "__reduce_ex__"}
"""Names with two underscores that are none of a user's business."""


class Imports:
    """The import lines that the annotations of a stub need."""

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.names: dict[str, set[str]] = {}
        self.modules: set[str] = set()

    def need(self, name: str, scope: dict[str, Any]) -> str:
        """Note that ``name`` is used; returns how the stub writes it."""
        if name == "TensorCore":
            return self.need("Tensor", scope)
        if name in self.own or name == "self":
            return name
        if name == "Tensor":
            self.names.setdefault("pellucid.tensor.interface", set()).add(name)
        elif name in ALIASES:
            self.names.setdefault(ALIASES[name], set()).add(name)
        elif name in scope:
            self._need_object(name, scope[name])
        elif hasattr(builtins, name):
            self.modules.add("builtins")
            return f"builtins.{name}"
        else:
            raise LookupError(f"nothing is called {name!r} where an annotation uses it")
        return name

    def _need_object(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType):
            short = value.__name__ if value.__name__ == name else f"{value.__name__} as {name}"
            self.modules.add(short)
        else:
            self.names.setdefault(value.__module__, set()).add(name)

    def lines(self) -> str:
        """The import statements, sorted."""
        plain = [f"import {m}\n" for m in sorted(self.modules)]
        named = [
            f"from {m} import {n} as {n}\n"
            for m in sorted(self.names)
            for n in sorted(self.names[m])
        ]
        return "".join([*plain, *named])


class _Qualify(ast.NodeTransformer):
    """Names as the stub has to write them: a method called ``float`` must not hide the type."""

    def __init__(self, imports: Imports, scope: dict[str, Any]) -> None:
        self.imports, self.scope = imports, scope

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802  (the visitor's protocol)
        """A name in an annotation."""
        return ast.parse(self.imports.need(node.id, self.scope), mode="eval").body


def _scope(function: Callable[..., Any]) -> dict[str, Any]:
    """The names that the annotations of a function were written among."""
    found = inspect.unwrap(function)
    return getattr(found, "__globals__", {})


def _annotation(text: object, imports: Imports, scope: dict[str, Any]) -> str:
    if not isinstance(text, str):
        raise TypeError(f"an annotation is no text: {text!r}")
    tree = _Qualify(imports, scope).visit(ast.parse(text, mode="eval"))
    return ast.unparse(tree)


def _default(value: object) -> str:
    plain = isinstance(value, (bool, int, str, type(None))) or value == ()
    return repr(value) if plain else "..."


def _parameters(
    signature: inspect.Signature, imports: Imports, scope: dict[str, Any]
) -> Iterator[str]:
    starred = False
    for name, parameter in signature.parameters.items():
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        if name == "self":
            yield name
            continue
        kind = _annotation(parameter.annotation, imports, scope)
        shown = f"{stars}{name}: {kind}"
        if parameter.default is not parameter.empty:
            shown += f" = {_default(parameter.default)}"
        yield shown
        if parameter.kind is parameter.POSITIONAL_ONLY:
            yield "/"


def _definition(
    name: str,
    signature: inspect.Signature,
    doc: str | None,
    imports: Imports,
    scope: dict[str, Any],
    indent: str,
    decorators: tuple[str, ...] = (),
) -> str:
    """A function's lines: decorators, signature, docstring."""
    given = list(_parameters(signature, imports, scope))
    returned = _annotation(signature.return_annotation, imports, scope)
    lines = [f"{indent}@{d}" for d in decorators]
    head = f"{indent}def {name}({', '.join(given)}) -> {returned}:"
    if len(head) + 4 > WIDTH:
        lines.append(f"{indent}def {name}(")
        lines += [f"{indent}    {part}," if part != "/" else f"{indent}    /," for part in given]
        lines.append(f"{indent}) -> {returned}:")
    else:
        lines.append(head)
    if doc:
        text = inspect.cleandoc(doc).splitlines()
        quoted = [f"{indent}    {line}".rstrip() for line in text]
        quoted[0] = f'{indent}    """{text[0]}'
        quoted[-1] += '"""' if len(text) == 1 else f'\n{indent}    """'
        lines += quoted
    lines.append(f"{indent}    ...")
    return "\n".join(lines) + "\n"


def _functions(
    name: str,
    function: Callable[..., Any],
    imports: Imports,
    indent: str,
    change: Callable[[inspect.Signature], inspect.Signature] = lambda s: s,
) -> str:
    """A function's definition, or those of its overloads."""
    scope, doc = _scope(function), function.__doc__
    forms = typing.get_overloads(inspect.unwrap(function))
    if not forms:
        signature = inspect.signature(function)
        return _definition(name, signature, doc, imports, scope, indent)
    imports.names.setdefault("typing", set()).add("overload")
    return "".join(
        _definition(
            name, change(inspect.signature(form)), doc, imports, scope, indent, ("overload",)
        )
        for form in forms
    )


def _property(name: str, value: property, imports: Imports) -> str:
    getter = value.fget
    if getter is None:
        raise TypeError(f"{name} cannot be read")
    found = _definition(
        name,
        inspect.signature(getter),
        getter.__doc__,
        imports,
        _scope(getter),
        "    ",
        ("property",),
    )
    if value.fset is not None:
        signature = inspect.signature(value.fset)
        scope = _scope(value.fset)
        found += _definition(name, signature, None, imports, scope, "    ", (f"{name}.setter",))
    return found


SHARED = {"_shadow", "_update", "_with"}
"""Private methods of the class that the files below it call."""


def _is_listed(name: str) -> bool:
    public = not name.startswith("_") or (name.startswith("__") and name.endswith("__"))
    return (public or name in SHARED) and name not in UNLISTED


def _members() -> Iterator[tuple[str, Any]]:
    """Public names of the class with what they are, the base's own facts left out."""
    kept = {"grad"}  # in the base it is typed as the base itself
    for name in sorted(dir(pellucid.Tensor)):
        owner = next(k for k in pellucid.Tensor.__mro__ if name in vars(k))
        if owner is object or (owner is TensorCore and name not in kept):
            continue
        if _is_listed(name):
            yield name, inspect.getattr_static(pellucid.Tensor, name)


def class_stub() -> str:
    """The text of ``interface.pyi``."""
    imports = Imports({"Tensor"})
    body = [f'    """{line}' for line in [inspect.cleandoc(pellucid.Tensor.__doc__ or "")]]
    parts = [body[0].replace("\n", "\n    ") + '\n    """\n']
    for name, value in _members():
        if isinstance(value, property):
            parts.append(_property(name, value, imports))
        elif callable(value):
            parts.append(_functions(name, value, imports, "    "))
        else:
            imports.modules.add("builtins")
            parts.append(f"    {name}: builtins.{type(value).__name__}\n")
    imports.names.setdefault("pellucid.tensor.core", set()).add("TensorCore")
    note = '# mypy: disable-error-code="override, misc"\n'
    return f"{HEADER}{note}\n{imports.lines()}\nclass Tensor(TensorCore):\n" + "\n".join(parts)


def functions_stub() -> str:
    """The text of ``method_functions.pyi``."""
    from pellucid.tensor.out import with_out
    from pellucid.tensor.signatures import as_function
    from pellucid.tensor.vocabulary import FORMS

    def with_out_of(signature: inspect.Signature) -> inspect.Signature:
        return with_out(as_function(signature))

    names = method_functions.__all__
    imports = Imports(set())
    parts = [
        _functions(
            name,
            getattr(method_functions, name),
            imports,
            "",
            with_out_of if "out" in FORMS.get(name, ()) else as_function,
        )
        for name in names
    ]
    listed = "".join(f'    "{name}",\n' for name in names)
    kinds = imports.lines()
    tail = "FUNCTIONS: dict[str, Callable[..., Any]]\n"
    extra = "from collections.abc import Callable\nfrom typing import Any\n"
    return f"{HEADER}\n{extra}{kinds}\n__all__ = [\n{listed}]\n\n{tail}\n" + "\n".join(parts)


def package_stub() -> str:
    """The text of ``__init__.pyi``: the package's own imports and definitions, and its parts."""
    lines, names = [], set(pellucid.__all__)
    for node in ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    lines.append(f"from {node.module} import *")
                elif (name := alias.asname or alias.name) in names:
                    lines.append(f"from {node.module} import {alias.name} as {name}")
        elif isinstance(node, ast.Assign) and names.issuperset(map(ast.unparse, node.targets)):
            lines.append(ast.unparse(node))
    for name, place in sorted(pellucid._PLACES.items()):
        home = place.removesuffix(f".{name}") if place == f"pellucid.{name}" else place
        lines.append(f"from {home} import {name} as {name}")
    listed = "".join(f'    "{name}",\n' for name in sorted(names))
    return f"{HEADER}\n" + "\n".join(lines) + f"\n\n__all__ = [\n{listed}]\n"


STUBS = {
    "__init__.pyi": package_stub,
    "tensor/interface.pyi": class_stub,
    "tensor/method_functions.pyi": functions_stub,
}


def main(arguments: list[str]) -> int:
    """Write the stubs, or say which are not current."""
    stale = []
    for name, made in STUBS.items():
        path, text = FOLDER / name, made()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    print(f"{', '.join(stale) or 'nothing'} {'is stale' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
