"""Small file helpers: writes that are whole or not there at all, JSON without NaN."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refdp.errors import RefDPError


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file so that a reader, or a crash, meets either the old content or the new.

    Args:
        private: readable by its owner only.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Work in a directory alone: a second process is refused while the first is at it (where the system can lock)."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with open(directory / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefDPError(
                f"{str(directory)!r}: another process is at work there; wait for it to end"
            ) from None
        yield


def to_json_value(value: Any) -> Any:
    """Infinities become the string "inf"; NaN is a bug and raises."""
    if isinstance(value, dict):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def dumps(document: Any, *, indent: int | None = None) -> str:
    """JSON text of a document: numbers as numbers, infinity as "inf", NaN refused."""
    return json.dumps(to_json_value(document), indent=indent, allow_nan=False)


def read_json(path: Path, what: str) -> Any:
    """Parse a JSON file; a missing, unreadable or malformed one raises RefDPError naming it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefDPError(f"{what} {str(path)!r}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RefDPError(f"{what} {str(path)!r}: not JSON ({error})") from None
