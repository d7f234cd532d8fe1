"""``python -m pellucid.as_torch SCRIPT ARGUMENTS…`` (or ``-m MODULE``) runs a program written for
PyTorch."""

from __future__ import annotations

import os
import runpy
import sys

from pellucid.as_torch import install, report

_USAGE = """usage: python -m pellucid.as_torch SCRIPT [ARGUMENTS…]
       python -m pellucid.as_torch -m MODULE [ARGUMENTS…]

Runs a program written for PyTorch: import torch, torchvision.transforms and
torchvision.datasets give Pellucid's modules.  Names that the program asked for
and that do not exist are listed at the end."""


def main(arguments: list[str]) -> int:
    """Run the program; 2 for wrong arguments.  Its own exit code or error goes through."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stderr if not arguments else sys.stdout)
        return 0 if arguments else 2
    as_module = arguments[0] == "-m"
    if as_module and len(arguments) < 2:
        print(_USAGE, file=sys.stderr)
        return 2
    if not as_module and not os.path.exists(arguments[0]):
        print(f"pellucid.as_torch: there is no file {arguments[0]!r}", file=sys.stderr)
        return 2
    install()
    try:
        if as_module:
            sys.argv = arguments[1:]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        said = report()
        if said:
            print(said, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
