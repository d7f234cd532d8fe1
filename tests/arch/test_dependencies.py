"""Declared, imported and listed are the same packages; what is missing is named with its extra."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from arch.source_tree import imports_of, modules
from pellucid.base.extras import EXTRAS, MissingPackageError, needs

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = {"numpy", "llvmlite"}
DYNAMIC = {"gymnasium": "pellucid.rl.outside"}
"""Packages imported by name, not by a statement, and where."""
DISTRIBUTIONS = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
    "tensorboardX": "tensorboardx",
    "charset_normalizer": "charset-normalizer",
    "python_calamine": "python-calamine",
    "markdown_it": "markdown-it-py",
}
"""Packages that are installed under another name than they are imported by."""
HOSTS = {"einops"}
"""Packages that are only used where they are installed already, to register tensors with them."""


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", r)[0].lower() for r in requirements} - {"pellucid"}


def _imported() -> set[str]:
    found = {
        i.target.split(".")[0]
        for name in modules()
        for i in imports_of(name)
        if not i.for_types_only
    }
    others = {p for p in found if p not in sys.stdlib_module_names} - {"pellucid"} - HOSTS
    return {DISTRIBUTIONS.get(package, package) for package in others}


def test_the_core_is_numpy_and_llvmlite() -> None:
    assert _names(PROJECT["dependencies"]) == CORE


def test_what_is_imported_is_declared_and_the_reverse() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {*EXTRAS, "test", "site"}
    declared = set().union(*(_names(extras[name]) for name in EXTRAS)) | CORE
    for package, module in DYNAMIC.items():
        text = modules()[module].path.read_text(encoding="utf-8")
        assert f'import_module("{package}")' in text
    assert declared == _imported() | set(DYNAMIC)


def test_every_package_has_its_row_in_the_documents() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    extras = PROJECT["optional-dependencies"]
    declared = set().union(*map(_names, extras.values())) | CORE
    rows = {
        name.strip().lower()
        for row in re.findall(r"^\| ([^|]+) \|", text, re.M)
        for name in row.split(",")
    }
    assert rows - {"package", "---"} == declared


def test_every_requirement_has_a_lower_bound() -> None:
    extras = PROJECT["optional-dependencies"]
    listed = [*PROJECT["dependencies"], *(r for rs in extras.values() for r in rs)]
    assert [r for r in listed if ">=" not in r and not r.startswith("pellucid[")] == []


def test_a_package_of_an_extra_is_imported_where_its_absence_is_told() -> None:
    bare = []
    for name, module in modules().items():
        if name.startswith("pellucid.cli"):
            continue  # :func:`pellucid.cli.main` tells it for all of them
        lines = module.path.read_text(encoding="utf-8").splitlines()
        for found in imports_of(name):
            package = found.target.split(".")[0]
            if package in sys.stdlib_module_names or package in CORE | HOSTS | {"pellucid"}:
                continue
            before = lines[found.line - 2]
            if not found.for_types_only and "with needs(" not in before:
                bare.append(f"{module.place}:{found.line} imports {package}")
    assert bare == []


def test_a_missing_package_is_an_import_error_that_names_the_extra() -> None:
    with pytest.raises(
        MissingPackageError,
        match=r"Drawing needs the package nowhere_to_be_found, which is not installed\n"
        r'  install it with: pip install "pellucid\[plot\]"',
    ) as caught:
        with needs("plot", "Drawing"):
            import nowhere_to_be_found  # type: ignore[import-not-found]  # noqa: F401
    assert isinstance(caught.value, ImportError)


def test_the_command_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from pellucid.cli import main\n"
        "sys.argv = ['pellucid', 'train', 'digits']\n"
        "main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr == (
        "Error: The command line needs the package typer, which is not installed\n"
        '  install it with: pip install "pellucid[train]"\n'
    )


def test_networks_need_the_core_alone() -> None:
    """A training step runs where none of the extras is installed."""
    blocked = sorted(set().union(*(_names(PROJECT["optional-dependencies"][e]) for e in EXTRAS)))
    code = (
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        "import pellucid\nfrom pellucid import nn, optim, Trainer\n"
        "import pellucid.models, pellucid.insight, pellucid.text, pellucid.rl, pellucid.training\n"
        "m = nn.Linear(2, 1)\no = optim.SGD(m.parameters(), lr=0.1)\n"
        "@pellucid.compile\ndef step(x, y):\n"
        "    o.zero_grad(); loss = nn.functional.mse_loss(m(x), y); loss.backward(); o.step()\n"
        "    return loss\n"
        "x = pellucid.rand(8, 2); y = x.sum(1, keepdim=True)\n"
        "losses = [step(x, y).item() for _ in range(200)]\n"
        "assert losses[-1] < 0.1 * losses[0], losses\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
