"""Files that appear under their name when they are complete."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside ``path``, open for writing and reading, that takes its place when the block has
    ended well; what stood there before stays until then, and for good where the block fails."""
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("w+b") as stream:
            yield stream
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
