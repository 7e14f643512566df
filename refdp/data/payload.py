"""Open a data file, gzipped or not, with every kind of damage turned into one line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np

from refdp.data.paths import path_errors, shown, why
from refdp.errors import RefDPError

AGAIN = "copy or fetch it again"
_CHUNK = 1 << 20


@contextmanager
def open_payload(path: Path) -> Iterator[BinaryIO]:
    """The file's payload as a stream: decompressed if ``.gz`` is among the suffixes of its name.

    Raises:
        RefDPError: also for errors inside the ``with`` block, as gzip finds damage only while reading.
            Its checksum is checked when the stream is read to the end.
    """
    where = shown(path)
    with path_errors(path, "read", "check the file and its permissions"):
        if path.is_dir():
            raise RefDPError(f"{where}: is a folder where a file must be; move it away")
        if path.exists() and not path.is_file():
            raise RefDPError(f"{where}: is not a regular file; give a plain file")
        try:
            with path.open("rb") as raw:
                if ".gz" in path.suffixes:
                    with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                        yield cast(BinaryIO, stream)
                else:
                    yield raw
        except EOFError:
            raise RefDPError(f"{where}: is cut short (the gzip stream ends early); {AGAIN}") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise RefDPError(f"{where}: is damaged or not gzip ({why(error)}); {AGAIN}") from None


def fill(stream: IO[bytes], out: np.ndarray) -> int:
    """Read into the uint8 array until it is full or the stream ends; the number of bytes read."""
    view = out.data
    done = 0
    while done < len(view):
        chunk = stream.read(min(_CHUNK, len(view) - done))
        if not chunk:
            break
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done
