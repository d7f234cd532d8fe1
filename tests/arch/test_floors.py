"""The house stands: imports go down, none in a circle, third parties stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from arch.source_tree import FLOORS, ROOT, floor_of, imports_of, modules

LAZY: dict[tuple[str, str], str] = {
    # (module, function): why one of our modules is imported only when the function runs
}
"""Imports inside functions that may stay.  Keep it short; each entry says why."""

LAZY_FOLDERS = {
    "cli": "each command loads what it needs, so that `pellucid --help` answers at once",
    "studio": "pages load what they show",
}

THIRD_PARTIES: dict[str, tuple[str, ...]] = {
    # package: folders (or modules) in which it may be imported
    "numpy": tuple(FLOORS),
    "llvmlite": ("backends",),
    "optuna": ("training",),
    "yaml": ("cli",),
    "polars": ("data", "training", "cli", "interop"),
    "threadpoolctl": ("training",),
    "matplotlib": ("insight", "course"),
    "markdown_it": ("course",),
    "latex2mathml": ("course",),
    "safetensors": ("interop",),
    "rich": ("cli",),
    "typer": ("cli",),
    "gymnasium": ("rl",),
    "PIL": ("vision", "data", "rl"),
    "charset_normalizer": ("data",),
    "python_calamine": ("data",),
    "tensorboardX": ("utils",),
    "sklearn": ("estimators", "insight"),
    "tokenizers": ("text",),
    "rjieba": ("text",),
    "umap": ("insight",),
}

HEAVY = (
    "llvmlite polars pandas pyarrow sklearn scipy matplotlib PIL safetensors rich typer torch "
    "optuna yaml tokenizers rjieba umap numba markdown_it latex2mathml"
).split()


def test_every_folder_has_a_floor() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    assert folders <= set(FLOORS), f"give a floor to {sorted(folders - set(FLOORS))}"


def test_imports_go_to_the_own_folder_or_down() -> None:
    wrong = []
    for name, module in modules().items():
        for found in imports_of(name):
            if found.target.split(".")[0] != "pellucid":
                continue
            own = floor_of(name)
            target = found.target
            same = module.folder and target.startswith(f"pellucid.{module.folder}")
            if not same and target != name and floor_of(target) >= own:
                if name == "pellucid" and found.inside:
                    continue  # loaded on first use
                wrong.append(
                    f"{module.place}:{found.line} imports {target} from floor {floor_of(target)}"
                )
    assert not wrong, "\n".join(wrong)


def test_our_modules_are_imported_at_the_top() -> None:
    wrong = []
    for name, module in modules().items():
        for found in imports_of(name):
            ours = found.target.split(".")[0] == "pellucid"
            if ours and found.inside and module.folder not in LAZY_FOLDERS:
                if (name, found.inside) not in LAZY:
                    wrong.append(f"{module.place}:{found.line} in {found.inside}: {found.target}")
    assert not wrong, "move these to the top, or add them to LAZY with a reason:\n" + "\n".join(
        wrong
    )


def test_the_list_of_lazy_imports_has_no_dead_entries() -> None:
    used = {(name, f.inside) for name in modules() for f in imports_of(name) if f.inside}
    assert set(LAZY) <= used, sorted(set(LAZY) - used)
    assert all(LAZY.values())


def test_no_imports_in_a_circle() -> None:
    """Imports for types count as well: a protocol below both opens such a circle."""
    edges = {
        name: sorted(
            {f.target for f in imports_of(name) if f.target in modules() and not f.inside} - {name}
        )
        for name in modules()
    }
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        state[name] = 1
        path.append(name)
        for target in edges[name]:
            if state.get(target) == 1:
                circle = [*path[path.index(target) :], target]
                pytest.fail("modules import each other: " + " -> ".join(circle))
            if target not in state:
                visit(target)
        path.pop()
        state[name] = 2

    for name in edges:
        if name not in state:
            visit(name)


def test_third_parties_are_imported_only_where_they_belong() -> None:
    wrong = []
    for name, module in modules().items():
        for found in imports_of(name):
            package = found.target.split(".")[0]
            if package in sys.stdlib_module_names or package == "pellucid":
                continue
            if module.folder not in THIRD_PARTIES.get(package, ()) and not found.for_types_only:
                wrong.append(f"{module.place}:{found.line} imports {package}")
    assert not wrong, "not allowed here:\n" + "\n".join(wrong)


def test_importing_the_package_needs_numpy_alone() -> None:
    code = f"import sys, pellucid\nprint([p for p in {HEAVY!r} if p in sys.modules])\n"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "[]", f"import pellucid loads {found.stdout.strip()}"


def test_user_input_is_never_checked_with_assert() -> None:
    wrong = [
        f"{module.place}:{node.lineno}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert)
    ]
    assert not wrong, "assert vanishes under python -O; raise one of our errors:\n" + "\n".join(
        wrong
    )


def test_no_file_is_too_long_to_read() -> None:
    long = {
        m.place: len(m.path.read_text(encoding="utf-8").splitlines()) for m in modules().values()
    }
    wrong = [f"{place}: {lines} lines" for place, lines in long.items() if lines >= 800]
    assert not wrong, "split these:\n" + "\n".join(wrong)
