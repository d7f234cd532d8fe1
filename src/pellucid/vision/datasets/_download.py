"""Files of data sets, fetched when a program asks for them, and archives of them."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pellucid.base.errors import DataError
from pellucid.data.fetching import download, file_digest


def md5(path: Path) -> str:
    """The check sum under which data sets are published."""
    return file_digest(path, "md5")


def fetch(urls: Sequence[str], path: Path, checksum: str | None) -> None:
    """Fetch ``path`` from the first of ``urls`` that has it, unless it is there and right.

    Raises :class:`FileError` where none answers and :class:`DataError` where the content is
    another one; nothing is left behind then.
    """
    download(urls, path, None if checksum is None else ("md5", checksum))


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
