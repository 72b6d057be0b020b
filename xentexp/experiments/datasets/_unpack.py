"""Bytes of a file: decompressed within a limit of size, and decoded."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from xentexp.errors import InputError, printable

_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PACKED = (*_OPEN, ".zip")
_NAMES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}
DAMAGED = (
    *(EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile),
    NotImplementedError,  # a compression that zipfile does not know
)
"""What the readers of compressed files raise for damaged ones, beside OSError."""

_MARKS = (  # UTF-32 before UTF-16, whose mark is the beginning of its own
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def check_file(path: Path, where: str) -> None:
    """Raise an InputError unless the path is a regular file."""
    if not path.exists():
        raise InputError(f"{where}: the file {path.absolute()} does not exist; check the path")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{where}: path must be a file; got the folder {path.absolute()}")
    if not stat.S_ISREG(mode):
        kind = "pipe" if stat.S_ISFIFO(mode) else "device"
        raise InputError(
            f"{where}: path must be a file; got the {kind} {path.absolute()}; write its content to "
            f"a file first"
        )


class Limit:
    """Largest size of a table in memory; every check names the parameter that raises it."""

    def __init__(self, where: str, name: str, megabytes: float) -> None:
        self.where, self.name, self.bytes = where, name, int(megabytes * 1e6)

    def check(self, size: int, unpacked: str = "") -> None:
        """Raise an InputError if the size in bytes is above the limit."""
        if size > self.bytes:
            raise self.error(f"{size / 1e6:,.0f} MB", unpacked)

    def error(self, size: str, unpacked: str = "") -> InputError:
        """Error for a file that is too large."""
        return InputError(
            f"{self.where}: {self.name} must have at most {self.bytes / 1e6:,g} MB{unpacked}; got "
            f"{size}; set max_megabytes to a larger number if the file is right and fits in memory"
        )


def read_bytes(path: Path, limit: Limit) -> bytes:
    """Content of a text file, decompressed as the name of the file says."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _from_zip(path, limit)
    limit.check(path.stat().st_size)
    with _OPEN.get(suffix, open)(path, "rb") as stream:
        return _read(stream, limit, " when decompressed" if suffix in _OPEN else "")


def damaged(path: Path, where: str, error: Exception) -> InputError:
    """Error for a compressed file that cannot be decompressed."""
    kind = _NAMES.get(path.suffix.lower(), path.suffix[1:])
    return InputError(
        f"{where}: {path.name} is not a complete {kind} file ({error}); download it again"
    )


def _read(stream: IO[bytes], limit: Limit, unpacked: str) -> bytes:
    content = stream.read(limit.bytes + 1)
    if len(content) > limit.bytes:
        raise limit.error("more", unpacked)
    return content


def _from_zip(path: Path, limit: Limit) -> bytes:
    with zipfile.ZipFile(path) as archive:
        member = _only_file(archive, path, limit.where)
        limit.check(member.file_size, " when decompressed")
        with archive.open(member) as stream:
            return _read(stream, limit, " when decompressed")


def _only_file(archive: zipfile.ZipFile, path: Path, where: str) -> zipfile.ZipInfo:
    files = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        if not Path(info.filename).name.startswith(".")
    ]
    if len(files) != 1:
        names = ", ".join(printable(info.filename) for info in files[:10]) or "no file"
        raise InputError(
            f"{where}: {path.name} must contain exactly one file; got {names}; unpack it "
            f"and set path to one of its files"
        )
    if files[0].flag_bits & 1:
        raise InputError(f"{where}: {path.name} is encrypted; unpack it first")
    return files[0]


@contextlib.contextmanager
def open_bytes(path: Path, where: str) -> Iterator[IO[bytes]]:
    """Content of a text file of any size, decompressed as the name of the file says."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(_only_file(archive, path, where)) as member,
        ):
            yield member
    else:
        with _OPEN.get(suffix, open)(path, "rb") as stream:
            yield stream


def find_encoding(
    start: bytes,
    pieces: Callable[[], Iterable[bytes]],
    encoding: str | None,
    where: str,
    name: str,
) -> tuple[str, str | None]:
    """Encoding of a text of any size, as `decode` finds it, and a note if it was assumed."""
    # `start`: first bytes, at least four; `pieces` gives the content from its beginning.
    for mark, marked in _MARKS:
        if encoding is None and start.startswith(mark):
            encoding = marked
    codec = "utf-8" if encoding is None else _codec(encoding, where)
    decoder = codecs.getincrementaldecoder(codec)()
    place = 0
    try:
        for piece in pieces():
            place -= len(decoder.getstate()[0])
            decoder.decode(piece)
            place += len(piece) + len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        if encoding is not None:
            raise _other_encoding(encoding, error, where, name) from error
        if not _is_korean_text(pieces()):
            raise _not_utf8(error, where, name, place) from error
        return "cp949", _KOREAN_NOTE
    return codec, None


def decode(content: bytes, encoding: str | None, where: str, name: str) -> tuple[str, str | None]:
    """Text, and a note if the encoding was assumed. `name` is that of the file."""
    for mark, marked in _MARKS:
        if encoding is None and content.startswith(mark):
            encoding = marked
    if encoding is not None:
        return _decode_as(content, encoding, where, name), None
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if not _is_korean_text([content]):
            raise _not_utf8(error, where, name) from error
    return content.decode("cp949"), _KOREAN_NOTE


_KOREAN_NOTE = "the text is not UTF-8; it was read as CP949 (Korean); set encoding to change it"


def _not_utf8(error: UnicodeError, where: str, name: str, place: int = 0) -> InputError:
    reason = str(error)
    if isinstance(error, UnicodeDecodeError):
        reason = f"{error.reason} at byte {place + error.start}"
    return InputError(
        f"{where}: {name} must be UTF-8 text ({reason}), or "
        f"UTF-16 with a byte order mark, or Korean CP949; save it in UTF-8, or set "
        f"encoding, e.g. encoding=cp1252 for Western European text"
    )


def _decode_as(content: bytes, encoding: str, where: str, name: str) -> str:
    try:
        return content.decode(_codec(encoding, where)).removeprefix("\ufeff")
    except UnicodeError as error:
        raise _other_encoding(encoding, error, where, name) from error


def _codec(encoding: str, where: str) -> str:
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not getattr(codec, "_is_text_encoding", True):
        raise InputError(
            f"{where}: encoding must be the name of a text encoding such as utf-8, cp949, cp1252 "
            f"or utf-16; got {encoding!r}"
        )
    return encoding


def _other_encoding(encoding: str, error: UnicodeError, where: str, name: str) -> InputError:
    return InputError(
        f"{where}: {name} is not {encoding} text ({error}); set encoding to another one"
    )


def _is_korean_text(pieces: Iterable[bytes]) -> bool:
    """Whether nearly all distinct non-ASCII characters of a CP949 text are common Hangul."""
    # Letters of Western Europe, Japanese and Chinese can be valid CP949 too, but become rare
    # syllables, which KS X 1001 (EUC-KR) lacks, or Hanja.
    foreign: set[str] = set()
    try:
        for text in codecs.iterdecode(pieces, "cp949"):
            foreign.update(character for character in set(text) if not character.isascii())
    except UnicodeError:
        return False
    common = [c for c in foreign if "가" <= c <= "힣" and _in_ks_x_1001(c)]
    return len(common) >= 0.9 * len(foreign)


def _in_ks_x_1001(character: str) -> bool:
    try:
        return len(character.encode("euc_kr")) == 2  # other syllables take eight bytes
    except UnicodeEncodeError:
        return False


def as_file(text: str) -> IO[bytes]:
    """Text as a file in UTF-8."""
    return io.BytesIO(text.encode("utf-8"))
