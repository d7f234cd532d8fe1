"""A report as an object: shown in a notebook, saved as a file.

>>> import pellucid
>>> pellucid.report("runs/titanic")                                            # doctest: +SKIP
>>> pellucid.report("runs/titanic", "runs/titanic-2").save("both.html")        # doctest: +SKIP
"""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import TypeAlias

from pellucid.base.errors import ArgumentError, FileError
from pellucid.insight.report.comparison import render_comparison
from pellucid.insight.report.page import render_report
from pellucid.training.run import Outcome
from pellucid.training.run_list import RunFacts
from pellucid.training.stored_run import StoredRun, read_run

Run: TypeAlias = str | os.PathLike[str] | StoredRun | RunFacts | Outcome
"""A run: its folder, or anything that was made from it."""

HEIGHT = 720
"""Pixels of a report in a notebook; it scrolls."""


class Report:
    """A page about runs: ``html`` is its text, complete in itself; ``name`` says of what.

    In a notebook it is shown in a frame of its own, in which nothing is loaded and
    nothing but the page's own script runs.
    """

    def __init__(self, html: str, name: str) -> None:
        self.html, self.name = html, name

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page to a file and returns its path; ``FileError`` where that fails."""
        place = Path(path)
        try:
            place.write_text(self.html, encoding="utf-8")
        except OSError as error:
            raise FileError(
                f"{place}: {error.strerror}", "Give a file in a folder that can be written."
            ) from None
        return place

    def __repr__(self) -> str:
        return f"Report({self.name!r}, {len(self.html):,} characters of HTML)"

    def _repr_html_(self) -> str:
        """The page in a notebook."""
        page, title = html.escape(self.html, quote=True), html.escape(self.name, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="{title}" '
            f'style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
        )


def report(run: Run, *others: Run, language: str | None = None) -> Report:
    """The report of a run; of several, their comparison.

    A run is given by its folder, or as what ``training.run.train`` or ``list_runs`` returned.
    ``language`` is ``"en"`` or ``"zh"``, unless given as the system says.  Raises
    ``RunFolderError`` for folders that are no runs, ``ArgumentError`` for anything else and for
    more than twelve runs.
    """
    runs = [_stored(one) for one in (run, *others)]
    if others:
        text = render_comparison(runs, language=language)
    else:
        text = render_report(runs[0], language=language)
    return Report(text, ", ".join(one.folder.name for one in runs))


def _stored(run: Run) -> StoredRun:
    if isinstance(run, StoredRun):
        return run
    if isinstance(run, RunFacts | Outcome):
        return read_run(run.folder)
    if isinstance(run, str | os.PathLike):
        return read_run(run)
    raise ArgumentError(
        f"report got {type(run).__name__} for a run",
        "Give the folder of a run, or what train or list_runs returned.",
    )
