"""The command line: ``pellucid train``, ``search``, ``predict``, ``evaluate``, ``runs``, …"""

from __future__ import annotations

import sys

from pellucid.base.extras import MissingPackageError, needs
from pellucid.base.language import translated


def main() -> None:
    """Entry point of the command ``pellucid``; says what to install where its packages are missing.

    Exit codes: see :func:`pellucid.cli.main.main`; 2 where a package is missing.
    """
    try:
        with needs("train", "The command line"):
            from pellucid.cli.main import main as run
    except MissingPackageError as error:
        sys.stderr.write(f"{translated(f'Error: {error.message}')}\n  {translated(error.hint)}\n")
        sys.exit(error.exit_code)
    run()
