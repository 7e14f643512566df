"""The file a record is in, read within limits."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from refdp.audit.importers.binary import refuse_binary
from refdp.audit.importers.pytext import parse_python
from refdp.audit.importers.words import one_line, short
from refdp.errors import RefDPError

TEXT_LIMIT = 32 * 2**20
_DOCUMENT = re.compile(r"\s*+(?:[{\[(]|[A-Za-z_][\w.]*\()")


@dataclass(frozen=True)
class Source:
    """A regular file or a directory; what is in it is read when asked for.

    Attributes:
        path: as it was given.
        head: the first bytes (none of a directory).
        size: in bytes.
    """

    path: Path
    head: bytes
    size: int
    is_directory: bool = False

    @property
    def is_zip(self) -> bool:
        """Whether it begins as zip archives do (torch.save writes one)."""
        return self.head.startswith(b"PK\x03\x04")

    @cached_property
    def text(self) -> str:
        """The whole file as UTF-8 text, a byte order mark left out; binary files are refused by what they are."""
        refuse_binary(self.head)
        if self.size > TEXT_LIMIT:
            raise RefDPError(
                f"is {self.size:,} bytes: at most {TEXT_LIMIT:,} of text are read; keep the accountant's part alone"
            )
        raw = read_bytes(self.path, TEXT_LIMIT)
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RefDPError(
                f"is not UTF-8 text (byte {error.start:,} is 0x{raw[error.start]:02x}); save it as UTF-8"
            ) from None

    @cached_property
    def is_document(self) -> bool:
        """Whether the text begins as JSON does, or as Python's way of writing a value."""
        return not self.is_directory and not self.is_zip and bool(_DOCUMENT.match(self.text))

    @cached_property
    def document(self) -> Any:
        """The text's value: JSON, or else what Python's repr of a value says, read and never evaluated."""
        if self.text.lstrip()[:1] not in ("{", "["):
            return parse_python(self.text)
        try:
            return json.loads(self.text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
        except RefDPError:
            raise
        except RecursionError:
            raise RefDPError(
                "JSON nested too deeply to be a record; keep the accountant's part alone"
            ) from None
        except ValueError as error:
            json_says = one_line(str(error))
        try:
            return parse_python(self.text)
        except RefDPError as error:
            raise RefDPError(f"not JSON ({json_says}), nor a Python value ({error})") from None


def _no_constant(name: str) -> float:
    raise RefDPError(f"holds {name}, which is not a number that JSON allows; every figure must be finite")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise RefDPError(f"{short(twice)} is given twice in one object; keep one")
    return document


def read_bytes(path: Path, limit: int) -> bytes:
    """A file's bytes, at most ``limit`` of them even if it grows meanwhile."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise RefDPError(f"cannot be read ({error.strerror}); give a readable file") from None


def open_source(path: str | Path) -> Source:
    """Look at a path; what is missing, unreadable, or no file (a device, a pipe) is refused in one line."""
    try:
        where = Path(path)
        status = where.stat()
    except OSError as error:
        raise RefDPError(f"cannot be read ({error.strerror}); give a readable file") from None
    except (TypeError, ValueError):  # no path at all; a NUL in it
        raise RefDPError("is no path; give a file's name") from None
    if stat.S_ISDIR(status.st_mode):
        return Source(where, b"", 0, is_directory=True)
    if not stat.S_ISREG(status.st_mode):
        raise RefDPError("is neither a file nor a directory; save the record to a file")
    if not status.st_size:
        raise RefDPError("is empty; a record has at least one line")
    return Source(where, read_bytes(where, 512), status.st_size)
