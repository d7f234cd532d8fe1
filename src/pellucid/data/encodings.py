"""From the bytes of a text file to its text, in the encoding that is named or found out.

UTF-8 is what nearly all files are, and bytes that are valid UTF-8 by accident are rare; so it comes
first.  Otherwise byte-order marks and zero bytes tell UTF-16 and UTF-32, and the characters tell
the rest: charset-normalizer decodes a sample in each encoding that people use and rates how much
the result looks like a language.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from pellucid.base.errors import ArgumentError, DataError
from pellucid.base.extras import needs
from pellucid.base.phrases import Setting, phrase

AUTO = "auto"
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, with whose mark it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_USUAL = (
    "gb18030 big5 shift_jis euc_jp euc_kr cp1252 cp1250 cp1251 koi8_r cp1253 cp1254 cp1255 cp1256"
).split()
_EUROPEAN = ("cp1252", "cp1250", "cp1254")
_SAMPLE = 200_000
_BROKEN = 0.05


def decode(data: bytes, file: Path, encoding: str, notes: list[str]) -> str:
    """The text of a file.

    ``encoding`` is a name, or ``auto``: UTF-8, or what the content shows, told in ``notes``.
    Raises ``ArgumentError`` for an unknown encoding, and ``DataError`` for bytes that are not of
    the one named, and for files that are not text.
    """
    for start, what in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise DataError(f"{file} is {what}, not a CSV file", _OTHER_HINTS[what])
    text = _by_mark(data, file, encoding, notes)
    if text is None and encoding == AUTO:
        text = _found_out(data, file, notes)
    elif text is None:
        text = _named(data, file, encoding)
    if "\0" in text:
        raise DataError(
            f"{file} is not a text file: a zero byte at position {text.index(chr(0))}",
            phrase(
                "If it is UTF-16, read it with ",
                Setting("encoding", "utf-16"),
                "; otherwise give a table: CSV, JSON lines, Excel, Arrow or Parquet.",
            ),
        )
    return text.removeprefix("\ufeff")


def encoding_of(data: bytes) -> str:
    """The encoding of a sample of text, by its mark, zero bytes and characters; empty where
    nothing fits."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    return next(_candidates(data), "")


_SHEET = "a zip archive"
_SQLITE = "an SQLite database"
_OTHER_FORMATS = {b"PK\x03\x04": _SHEET, b"SQLite format 3": _SQLITE}
_OTHER_HINTS = {
    _SHEET: "Unpack the archive.",
    _SQLITE: "Write the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE' > table.csv",
}


def _by_mark(data: bytes, file: Path, encoding: str, notes: list[str]) -> str | None:
    """The text where a byte-order mark names its encoding and none of another family is asked."""
    found = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if found is None or encoding not in (AUTO, found) and _codec(encoding) != "utf-8":
        return None
    if found != "utf-8":
        notes.append(f"{file.name} is {found.upper()}, by its byte-order mark.")
    return _named(data, file, found)


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise ArgumentError(
            f"There is no text encoding named {encoding!r}",
            "Common ones are utf-8, gb18030, big5, shift_jis, cp1252 and utf-16; "
            "auto finds it out.",
        ) from None


def _named(data: bytes, file: Path, encoding: str) -> str:
    codec = _codec(encoding)
    try:
        return data.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError as error:
        raise _encoding_error(data, file, codec, error) from None
    except (UnicodeError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{file} cannot be read as {encoding}: {error}", "Choose another encoding."
        ) from None


def _encoding_error(data: bytes, file: Path, codec: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start) + 1
    message = (
        f"{file} is not {codec.upper()}: byte 0x{data[error.start]:02x} "
        f"at position {error.start} (line {line})"
    )
    guess = encoding_of(data[:_SAMPLE]) or "cp1252"
    return DataError(
        message,
        phrase(
            f"It may be {guess}. Save the file as UTF-8 "
            f"(iconv -f {guess} -t UTF-8 {file.name} > new.csv), or read it with ",
            Setting("encoding", guess),
            ".",
        ),
    )


def _found_out(data: bytes, file: Path, notes: list[str]) -> str:
    """The text as UTF-8, or in the likeliest encoding that fits all of it."""
    try:
        if not _has_zero_bytes(data):
            return data.decode("utf-8")
    except UnicodeDecodeError as error:
        first = error
        if _is_broken_utf8(data):
            line = data.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{file} is UTF-8 with damaged characters: byte 0x{data[error.start]:02x} at "
                f"position {error.start} (line {line})",
                phrase(
                    "Correct that place, or read the file in another encoding (",
                    Setting("encoding", "cp1252"),
                    ").",
                ),
            ) from None
    else:
        first = UnicodeDecodeError("utf-8", data, data.index(0), data.index(0) + 1, "zero byte")
    for name in _candidates(_sample(data)):
        try:
            text = data.decode(name)
        except (UnicodeError, ValueError):
            continue
        notes.append(
            phrase(
                f"{file.name} is not UTF-8: read as {name.upper()}, which its characters fit. For "
                "another encoding, use ",
                Setting("encoding"),
                ".",
            )
        )
        return text
    if 0 in data:
        return data.decode("latin-1")  # not text; the caller names the place of the zero byte
    raise _encoding_error(data, file, "utf-8", first)


def _has_zero_bytes(data: bytes) -> bool:
    return 0 in data[:_SAMPLE]


def _is_broken_utf8(data: bytes) -> bool:
    """Whether nearly all characters beyond ASCII are UTF-8's, which no other encoding gives."""
    sample = _sample(data)
    beyond = len(re.findall(rb"[\xc2-\xf4][\x80-\xbf]+", sample))
    lost = sample.decode("utf-8", "replace").count("\ufffd")
    return beyond >= 20 and lost <= _BROKEN * beyond


def _sample(data: bytes) -> bytes:
    """The first lines that hold bytes beyond ASCII, or the beginning where bytes are zero."""
    if _has_zero_bytes(data):
        return data[: _SAMPLE // 2 * 2]
    lines, size = [], 0
    for found in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", data):
        lines.append(found[0])
        size += len(found[0])
        if size > _SAMPLE:
            break
    return b"".join(lines)


def _candidates(sample: bytes) -> Iterator[str]:
    """Encodings by how well a sample fits them, without UTF-8."""
    if 0 in sample:
        yield from _wide(sample)
        return
    with needs("train", "Finding out the encoding of a text"):
        from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(sample, cp_isolation=_USUAL)]
    # These three differ in few letters: the one in which most signs are letters.
    if found and found[0] in _EUROPEAN:
        letters = {name: _letters(sample, name) for name in _EUROPEAN}
        found.insert(0, max(_EUROPEAN, key=lambda name: letters[name]))
    yield from dict.fromkeys((*found, "cp1252", "latin-1"))


def _letters(sample: bytes, name: str) -> int:
    text = bytes(byte for byte in sample if byte >= 0x80).decode(name, "replace")
    return sum(character.isalpha() for character in text)


def _wide(sample: bytes) -> Iterator[str]:
    """UTF-16 or UTF-32 without a mark: where the zero bytes of Latin letters stand tells which."""
    pairs = sample[: len(sample) // 4 * 4]
    zeros = [pairs[place::4].count(0) * 4 for place in range(4)]
    most = len(pairs)
    if min(zeros[1:3]) > 0.6 * most and max(zeros[0], zeros[3]) > 0.6 * most:
        yield "utf-32-le" if zeros[3] > zeros[0] else "utf-32-be"
    elif abs(zeros[0] + zeros[2] - zeros[1] - zeros[3]) > 0.6 * most:
        yield "utf-16-le" if zeros[1] + zeros[3] > zeros[0] + zeros[2] else "utf-16-be"
