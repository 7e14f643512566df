"""Sees what the interpreter does while a record is read: starting programs, loading pickles, connecting, writing."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from refdp.audit.importers import record_formats

_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.mkdir",
)
_FORBIDDEN += (
    "subprocess.",
    "pickle.",
    "marshal.",
    "socket.",
    "ctypes.",
    "exec",
    "compile",
    "code.",
    "import",
)
_watching: list[list[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and (event.startswith(_FORBIDDEN) or (event == "open" and "w" in str(arguments[1]))):
        _watching[-1].append(f"{event} {arguments[0] if event == 'import' else ''}")


sys.addaudithook(_hook)


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Fail where anything was executed, imported, compiled, unpickled, started or written."""
    record_formats()  # the importers are imported when first used, and the codecs of zip and pickle
    for codec in ("cp437", "raw-unicode-escape", "utf-8-sig"):
        codecs.lookup(codec)
    seen: list[str] = []
    _watching.append(seen)
    modules = set(sys.modules)
    try:
        yield
    finally:
        _watching.pop()
    assert not seen, seen
    assert set(sys.modules) == modules
