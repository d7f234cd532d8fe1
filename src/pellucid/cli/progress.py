"""The progress bar of the command line, drawn by rich; the numbers are the Trainer's."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from pellucid.base.language import columns_of
from pellucid.training import progress as numbers
from pellucid.training.progress import BAR_WIDTH, REFRESHES_PER_SECOND


class Progress(numbers.Progress):
    """A callback of the Trainer that keeps the latest numbers; rich draws it."""

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The bar and the numbers as they are now: in one line if they fit, else in two."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = [[self._place(), *self._quality(), *self._speed()]]
        if BAR_WIDTH + 2 + columns_of("  ".join(rows[0])) > options.max_width:
            rows = [[self._place(), *self._speed()], self._quality()]
        grid = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=1.0, completed=self.share, width=BAR_WIDTH)
        grid.add_row(bar, "  ".join(rows[0]))
        yield grid
        for row in rows[1:]:
            yield Text("  ".join(row))


@contextlib.contextmanager
def shown(progress: Progress, quiet: bool) -> Iterator[None]:
    """Draws the bar on standard error while the block runs; where that is no terminal (a log
    file), the numbers are written as a line now and then."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        with numbers.lines(progress):
            yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(
        console=console,
        get_renderable=lambda: progress,
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
    ):
        yield
