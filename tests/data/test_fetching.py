"""Fetching from a server that breaks off, stalls and lies."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.base.errors import ArgumentError, DataError, FileError
from pellucid.data.fetching import download

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers each path in its own way and writes down what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.tries: dict[str, int] = {}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    """The name of the path says how the server behaves."""

    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        how, wanted = self.path.strip("/").split("/")[0], self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        number = self.server.tries[how] = self.server.tries.get(how, 0) + 1
        try:
            getattr(self, how)(wanted, number)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send(
        self,
        body: bytes,
        wanted: str | None = None,
        stop: int | None = None,
        said: int | None = None,
    ) -> None:
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(body) and wanted:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        length = len(body) - start if said is None else said
        if length >= 0:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body[start:][:stop])
        self.wfile.flush()

    def good(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, wanted)

    def breaks(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, wanted, stop=90_000)

    def dies(self, wanted: str | None, number: int) -> None:
        if number > 1:
            self.send_error(410)
        else:
            self.send(CONTENT, wanted, stop=90_000)

    def forgets(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, None, stop=90_000 if number < 3 else None)

    def elsewhere(self, wanted: str | None, number: int) -> None:
        if wanted:  # goes on at another place than asked
            self.send_response(206)
            self.send_header("Content-Range", "bytes 7-9/10")
            self.end_headers()
            return
        self.send(CONTENT, None, stop=1000 if number < 2 else None)

    def stalls(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, wanted, stop=50_000)
        if number < 3:
            time.sleep(1.5)

    def drips(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, wanted, stop=10)
        for place in range(30):
            time.sleep(0.1)
            self.wfile.write(CONTENT[10 + place : 11 + place])

    def lies(self, wanted: str | None, number: int) -> None:
        self.send(b"x" * len(CONTENT), wanted)

    def page(self, wanted: str | None, number: int) -> None:
        self.send(b"<!DOCTYPE html><p>Please log in", wanted)

    def longer(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT + b"more", wanted, said=len(CONTENT))

    def unsaid(self, wanted: str | None, number: int) -> None:
        self.send(CONTENT, wanted, said=-1)
        self.close_connection = True

    def gone(self, wanted: str | None, number: int) -> None:
        self.send_error(404)

    def busy(self, wanted: str | None, number: int) -> None:
        if number < 3:
            self.send_error(503)
        else:
            self.send(CONTENT, wanted)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("PELLUCID_OFFLINE", raising=False)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def fetched(server: Server, how: str, folder: Path, **settings: Any) -> Path:
    settings = {"timeout": 0.4, **settings}
    return pellucid.data.fetch(server.url(f"{how}/d.bin"), SHA, folder=folder, **settings)


@pytest.mark.parametrize(
    "how", ["good", "forgets", "elsewhere", "stalls", "longer", "unsaid", "busy"]
)
def test_the_right_content_comes_whatever_the_server_does(
    server: Server, tmp_path: Path, how: str
) -> None:
    path = fetched(server, how, tmp_path)
    assert path.read_bytes() == CONTENT and path.name == "d.bin"
    assert sorted(p.name for p in path.parent.iterdir()) == [".d.bin.lock", "d.bin"]


def test_it_goes_on_where_it_broke_off_and_is_fetched_once(server: Server, tmp_path: Path) -> None:
    path = fetched(server, "breaks", tmp_path)
    ranges = [wanted for _, wanted in server.asked]
    assert ranges == [None, "bytes=90000-", "bytes=180000-", "bytes=270000-"]
    assert fetched(server, "breaks", tmp_path) == path and len(server.asked) == 4
    path.write_bytes(CONTENT[:-1] + b"?")  # damaged on the disk since
    assert fetched(server, "good", tmp_path).read_bytes() == CONTENT


def test_the_next_call_goes_on_too_and_so_does_a_mirror(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"could not be fetched .*broke off after 90,000"):
        fetched(server, "dies", tmp_path)
    path = fetched(server, "gone", tmp_path, mirrors=[server.url("good/other")])
    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == ("/good/other", "bytes=90000-")


def test_a_part_of_another_content_is_thrown_away(server: Server, tmp_path: Path) -> None:
    part = tmp_path / SHA[:16] / ".d.bin.part"
    part.parent.mkdir()
    part.write_bytes(b"z" * 1000)
    assert fetched(server, "good", tmp_path).read_bytes() == CONTENT
    (tmp_path / "b").mkdir()
    longer = tmp_path / "b" / SHA[:16] / ".d.bin.part"
    longer.parent.mkdir()
    longer.write_bytes(CONTENT + b"and more")
    assert fetched(server, "good", tmp_path / "b").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("lies", DataError, "another content of 300,000 bytes"),
        ("page", DataError, r"another content of 31 bytes \(a web page\)"),
        ("gone", FileError, "404 Not Found"),
        ("drips", FileError, "stalled: |timed out"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_left(
    server: Server, tmp_path: Path, how: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        fetched(server, how, tmp_path, attempts=2)
    assert not (tmp_path / SHA[:16] / "d.bin").exists()
    assert len(server.asked) <= 2


def test_a_folder_in_place_of_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileError, match=r"There is no d\.bin in .*nothing is fetched"):
        fetched(server, "good", tmp_path, offline=tmp_path)
    (tmp_path / "d.bin").write_bytes(CONTENT)
    monkeypatch.setenv("PELLUCID_OFFLINE", str(tmp_path))
    assert fetched(server, "good", tmp_path) == tmp_path / "d.bin"
    (tmp_path / "d.bin").write_bytes(b"other")
    with pytest.raises(DataError, match="holds another content"):
        fetched(server, "good", tmp_path)
    assert not server.asked


def test_threads_that_fetch_one_file_fetch_it_once(server: Server, tmp_path: Path) -> None:
    found: list[bytes] = []

    def work() -> None:
        found.append(fetched(server, "good", tmp_path).read_bytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 4 and len(server.asked) == 1


def test_arguments(tmp_path: Path) -> None:
    for url in ("file:///etc/passwd", "ftp://a/b", "data.csv"):
        with pytest.raises(ArgumentError, match="no address of the web"):
            pellucid.data.fetch(url, SHA, folder=tmp_path)
    with pytest.raises(ArgumentError, match="is no SHA-256"):
        pellucid.data.fetch("http://a/b", "abc")
    with pytest.raises(ArgumentError, match="no file name"):
        pellucid.data.fetch("http://a/b", SHA, name="../x")
    with pytest.raises(FileError, match="could not be fetched"):
        download(["http://127.0.0.1:9/x"], tmp_path / "x", None, timeout=0.3, attempts=1)
