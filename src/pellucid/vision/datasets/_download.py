"""Files from the internet, when a program asks for them: fetched under another name, checked, and
renamed when they are right."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from pellucid.base.errors import DataError, FileError
from pellucid.interop.files import replacing

_CHUNK = 1 << 20
_SECONDS = 30


def md5(path: Path) -> str:
    """The check sum under which data sets are published."""
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def fetch(urls: Sequence[str], path: Path, checksum: str | None) -> None:
    """Fetch ``path`` from the first of ``urls`` that has it, unless it is there and right.

    Raises :class:`FileError` where none answers and :class:`DataError` where the content is
    another one; nothing is left behind then.
    """
    if path.is_file() and (checksum is None or md5(path) == checksum):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    said = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as answer, replacing(path) as file:
                shutil.copyfileobj(answer, file, _CHUNK)
                file.seek(0)
                if checksum is not None and _digest(file) != checksum:
                    raise DataError(
                        f"{url} gave another content than expected for {path.name}",
                        "Try again; or put the file there yourself.",
                    )
        except (urllib.error.URLError, OSError) as error:
            said.append(f"{url}: {error}")
            continue
        return
    raise FileError(
        f"{path.name} could not be fetched ({'; '.join(said)})",
        f"Put the file into {path.parent} yourself, and leave out download=True.",
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive.  Entries that would lie outside of ``folder``, links and devices
    are refused, before anything is written."""
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                for name in packed.namelist():
                    _check_inside(name, archive)
                packed.extractall(folder)
            return
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                _check_inside(member.name, archive)
                if not (member.isfile() or member.isdir()):
                    raise _odd(archive, member.name)
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}", "Fetch it again.") from None


def _check_inside(name: str, archive: Path) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1]:
        raise _odd(archive, name)


def _odd(archive: Path, name: str) -> DataError:
    return DataError(
        f"{archive} holds {name!r}, which is no file within its folder", "Fetch it again."
    )
