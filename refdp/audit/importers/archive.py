"""The pickle of a torch checkpoint: one member of a zip archive, read within limits; no tensor is."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from refdp.audit.importers.pickles import PICKLE_LIMIT, REMEDY
from refdp.audit.importers.words import one_line, short
from refdp.errors import RefDPError

DIRECTORY_LIMIT = 16 * 2**20
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def read_member(path: Path) -> bytes:
    """The bytes of the archive's ``data.pkl``.

    Raises:
        RefDPError: no such member or several, damaged, encrypted, or larger than its limit, declared or real.
    """
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return _member(archive)
    except RefDPError:
        raise
    except _FAULTS as error:
        raise RefDPError(
            f"is a damaged zip archive ({one_line(str(error)) or type(error).__name__}); save it again"
        ) from None


def _check_directory(path: Path) -> None:
    """Refuse an archive whose list of members alone is too long to read (its size stands at the file's end)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2**16 - 200))
        tail = file.read(2**16 + 200)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or end + 22 > len(tail):
        raise RefDPError("is a zip archive that was cut off (its end is missing); save or copy it again")
    sizes = [struct.unpack_from("<L", tail, end + 12)[0]]
    if tail[end - 20 : end - 16] == b"PK\x06\x07" and tail[end - 76 : end - 72] == b"PK\x06\x06":
        sizes = [struct.unpack_from("<Q", tail, end - 76 + 40)[0]]
    if max(sizes) > DIRECTORY_LIMIT:
        raise RefDPError(
            f"is a zip archive whose list of members takes {max(sizes):,} bytes: at most {DIRECTORY_LIMIT:,} are "
            f"read; {REMEDY}"
        )


def _member(archive: zipfile.ZipFile) -> bytes:
    names = archive.namelist()
    found = [name for name in names if name.split("/")[-1] == "data.pkl" and name.count("/") <= 1]
    if not found:
        some = ", ".join(names[:3]) or "nothing"
        raise RefDPError(
            f"is a zip archive without data.pkl (it holds {short(some, 80)}): no torch checkpoint; {REMEDY}"
        )
    if len(found) > 1:
        raise RefDPError(f"is a zip archive with {len(found)} data.pkl: ambiguous, not read; {REMEDY}")
    info = archive.getinfo(found[0])
    if info.flag_bits & 1:
        raise RefDPError("is an encrypted zip archive; decrypt it first")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefDPError(
            f"data.pkl is compressed by method {info.compress_type}, not as torch does; {REMEDY}"
        )
    if info.file_size > PICKLE_LIMIT:
        raise RefDPError(
            f"data.pkl declares {info.file_size:,} bytes: at most {PICKLE_LIMIT:,} are read; {REMEDY}"
        )
    with archive.open(info) as member:
        data = member.read(PICKLE_LIMIT + 1)
    if len(data) > PICKLE_LIMIT:
        raise RefDPError(f"data.pkl unpacks to over {PICKLE_LIMIT:,} bytes, more than it declares; {REMEDY}")
    return data
