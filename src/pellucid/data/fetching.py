"""Files from the internet, when a program asks for them: fetched once, checked, kept.

What a server sends is believed only when its hash is right.  A transfer that breaks off goes on
where it stopped, from the same server or a mirror; one that stalls is ended.  A file appears under
its name when it is whole and right, and is never fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.base.version import __version__

FOLDER_VARIABLE = "PELLUCID_DATA"
OFFLINE_VARIABLE = "PELLUCID_OFFLINE"
_CHUNK = 1 << 16
_SLOWEST = 256.0  # bytes a second, below which a transfer counts as stalled
_MOST = 1 << 40


def fetch(
    url: str,
    sha256: str,
    *,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    mirrors: Sequence[str] = (),
    offline: str | os.PathLike[str] | None = None,
    timeout: float = 30.0,
    attempts: int = 4,
) -> Path:
    """The file at ``url``, whose content has the SHA-256 ``sha256`` (64 hexadecimal digits).

    It is kept in ``folder`` (unless given that of the variable ``PELLUCID_DATA``, or
    ``~/.cache/pellucid/data``) as ``name``, by default the last part of the address, below a
    folder of its hash; a file that is there and right is not fetched again.  ``mirrors`` are
    further addresses of the same content.  Where ``offline`` (or ``PELLUCID_OFFLINE``) names a
    folder, files come from there, by their name, and nothing is ever fetched.

    A transfer that breaks off, or in which nothing arrives for ``timeout`` seconds, goes on where
    it stopped, at the next address; so does the next call.  ``attempts`` rounds in a row that bring
    nothing new are the end.
    Processes that fetch one file at a time wait for each other.

    Raises ``ArgumentError`` for addresses that are not http or https and for what is no hash,
    ``FileError`` where no address answers, and ``DataError`` where the content is another one;
    nothing is left under the file's name then.

    >>> path = pellucid.data.fetch("https://example.org/table.csv", "9f86…0a08")  # doctest: +SKIP
    """
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ArgumentError(
            f"sha256={sha256[:80]!r} is no SHA-256", "Give its 64 hexadecimal digits."
        )
    check = sha256.lower()
    label = _file_name(url) if name is None else name
    if not label or label in (".", "..") or re.search(r"[/\\\0]", label):
        raise ArgumentError(f"name={label!r} is no file name", "Give one without slashes.")
    place = offline if offline is not None else os.environ.get(OFFLINE_VARIABLE)
    if place:
        return _from_folder(Path(place), label, check)
    kept = folder if folder is not None else os.environ.get(FOLDER_VARIABLE)
    base = Path(kept) if kept else Path.home() / ".cache" / "pellucid" / "data"
    target = base / check[:16] / label
    download([url, *mirrors], target, ("sha256", check), timeout=timeout, attempts=attempts)
    return target


def _file_name(url: str) -> str:
    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return path.rstrip("/").rpartition("/")[2] or "data"


def _from_folder(folder: Path, name: str, check: str) -> Path:
    for path in (folder / name, folder / check, folder / check[:16] / name):
        if path.is_file():
            if file_digest(path, "sha256") == check:
                return path
            raise DataError(
                f"{path} holds another content than expected", "Put the right file there."
            )
    raise FileError(
        f"There is no {name} in {folder}, and nothing is fetched while a folder for working "
        "offline is named",
        f"Put the file there, or unset {OFFLINE_VARIABLE}.",
    )


def download(
    urls: Sequence[str],
    target: Path,
    check: tuple[str, str] | None,
    *,
    timeout: float = 30.0,
    attempts: int = 4,
) -> None:
    """Fetches ``target`` from one of ``urls``, unless it is there and right; see ``fetch``.

    ``check`` is the name of a hash (``sha256``, ``md5``) and its digits, or None for a content
    that is not known.
    """
    for url in urls:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ArgumentError(f"{url!r} is no address of the web", "Give http or https.")
    if _is_right(target, check):
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target) as part:
            if not _is_right(target, check):  # another process may have fetched it meanwhile
                _fetch(urls, part, target, check, timeout, attempts)
    except PermissionError as error:
        raise FileError(
            f"{error.filename or target} may not be written", "Choose another folder."
        ) from None


def _is_right(path: Path, check: tuple[str, str] | None) -> bool:
    if not path.is_file():
        return False
    return check is None or file_digest(path, check[0]) == check[1].lower()


def file_digest(path: Path, kind: str) -> str:
    """The hash of a file in hexadecimal digits."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[Path]:
    """The place of the unfinished file, which no other process writes to meanwhile."""
    part = target.with_name(f".{target.name[:100]}.part")
    with target.with_name(f".{target.name[:100]}.lock").open("a") as lock:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield part


def _fetch(
    urls: Sequence[str],
    part: Path,
    target: Path,
    check: tuple[str, str] | None,
    timeout: float,
    attempts: int,
) -> None:
    """Tries the addresses in turn until the content is there, or ``attempts`` rounds in a row
    brought nothing new."""
    said: list[str] = []
    left = list(dict.fromkeys(urls))
    idle = number = 0
    while left and idle < max(1, attempts) * len(left):
        url = left[number % len(left)]
        before = _size(part)
        try:
            _transfer(url, part, timeout)
        except _Refused as error:
            said.append(f"{url}: {error}")
            left.remove(url)
            continue
        except (_BrokenOff, OSError, http.client.HTTPException, ValueError) as error:
            said.append(f"{url}: {error or type(error).__name__}")
            number, idle = number + 1, 0 if _size(part) >= before + _CHUNK // 2 else idle + 1
            if idle >= len(left):  # every address has had its chance at once
                time.sleep(min(2.0, 0.1 * 2 ** min(idle, 5)) * min(1.0, timeout))
            continue
        if check is None or file_digest(part, check[0]) == check[1].lower():
            os.replace(part, target)
            return
        said.append(f"{url}: {_what_came(part)}")
        part.unlink()
        if not before:  # after a resumed transfer the first half may have been the wrong one
            left.remove(url)
    if check is not None and any("another content" in line for line in said):
        raise DataError(
            f"{target.name} came with another content than expected ({'; '.join(said[-4:])})",
            f"Try again, check the hash, or put the right file at {target}.",
        )
    raise FileError(
        f"{target.name} could not be fetched ({'; '.join(dict.fromkeys(said))})",
        f"Check the connection and the address, or put the file at {target} yourself.",
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


class _Refused(Exception):
    """An answer that will not change: there is no such file."""


class _BrokenOff(Exception):
    """A transfer that did not come to its end; another one may."""


def _what_came(part: Path) -> str:
    with part.open("rb") as stream:
        start = stream.read(200).lstrip().lower()
    page = " (a web page)" if start.startswith((b"<!doctype html", b"<html")) else ""
    return f"another content of {part.stat().st_size:,} bytes{page}"


def _transfer(url: str, part: Path, timeout: float) -> None:
    """Brings ``part`` to its full length, from where it stands."""
    have = _size(part)
    headers = {"User-Agent": f"pellucid/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            try:
                start, length = _extent(answer, have)
            except _BrokenOff:
                part.unlink(missing_ok=True)  # nothing can be joined to it
                raise
            with part.open("r+b" if start else "wb") as stream:
                stream.seek(start)
                _copy(answer, stream, length, timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # what is there is longer than the file: begin again
                if have:
                    part.unlink()
                raise _BrokenOff("the part that is there does not fit") from None
            if 400 <= error.code < 500 and error.code not in (408, 425, 429):
                raise _Refused(f"{error.code} {error.reason}") from None
            raise _BrokenOff(f"{error.code} {error.reason}") from None


def _extent(answer: Any, have: int) -> tuple[int, int | None]:
    """Where in the file an answer begins, and how many bytes it says to have."""
    text = answer.headers.get("Content-Length", "")
    length = int(text) if text.isdecimal() else None
    if answer.status != 206:
        return 0, length  # the whole file, whatever was asked for
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        raise _BrokenOff("the server went on at another place than asked")
    return have, length


def _copy(answer: Any, stream: IO[bytes], length: int | None, timeout: float) -> None:
    """Copies what an answer holds, up to the length that it says."""
    free = shutil.disk_usage(os.path.dirname(stream.name)).free
    if length is not None and length > free:
        raise _Refused(f"{length:,} bytes do not fit on the disk, {free:,} are free")
    left = _MOST if length is None else length
    got, since, mark = 0, time.monotonic(), 0
    while left > 0 and (piece := answer.read1(min(_CHUNK, left))):
        stream.write(piece)
        left -= len(piece)
        got += len(piece)
        now = time.monotonic()
        if now - since > timeout:
            if got - mark < _SLOWEST * timeout:
                raise _BrokenOff(f"stalled: {got - mark:,} bytes in {now - since:.0f} s")
            since, mark = now, got
    stream.truncate()
    if length is not None and left:
        raise _BrokenOff(f"broke off after {got:,} of {length:,} bytes")
