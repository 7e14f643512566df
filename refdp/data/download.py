"""One file over HTTP into a ``.part`` file, going on where an earlier attempt stopped."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from refdp import __version__
from refdp.data.paths import path_errors, why
from refdp.errors import RefDPError

Progress = Callable[[str, int, int | None], None]
"""Called with (file, bytes so far, bytes in all or None where the server does not say)."""

_CHUNK = 1 << 16
_WRITABLE = "free some space or name a writable folder with --data-dir"
_NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)


def check_url(url: str) -> None:
    """Raise RefDPError unless the address is a plain http or https one."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise RefDPError(f"url = {url!r}: must be an http:// or https:// address")


@contextmanager
def _response(url: str, offset: int, timeout: float) -> Iterator[Any]:
    """The server's answer from byte ``offset`` on; a 416 (nothing after offset) is an answer too."""
    headers = {"User-Agent": f"refdp/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        answer: Any = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not offset:
            error.close()
            raise RefDPError(
                f"{url}: the server answers {error.code} {why(error)}; check the address or give --base-url"
            ) from None
        answer = error
    except _NETWORK_ERRORS as error:
        raise RefDPError(
            f"{url}: cannot be reached ({why(error)}); check the network or give --base-url"
        ) from None
    with answer:
        yield answer


def _range(answer: Any) -> tuple[int | None, int | None]:
    """(first byte, bytes in all) as Content-Range has them."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    start, total = match.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)


def _copy(answer: Any, part: BinaryIO, url: str, done: int, max_bytes: int, report: Progress | None) -> None:
    """Append the answer's body to the part file, of which ``done`` bytes are there already."""
    length = answer.headers.get("Content-Length", "")
    total = done + int(length) if length.isdecimal() else None
    file = url.rpartition("/")[2]
    while True:
        try:
            chunk = answer.read1(_CHUNK)
        except _NETWORK_ERRORS as error:
            cause = why(error)
            break
        if not chunk:
            cause = "connection closed early"
            if total is None or done >= total:
                return
            break
        part.write(chunk)
        done += len(chunk)
        if done > max_bytes:
            raise RefDPError(f"{url}: sends more than {max_bytes} bytes, too many; check the address")
        if report is not None:
            report(file, done, total)
    raise RefDPError(
        f"{url}: download stopped at {done} of {total or 'unknown'} bytes ({cause}); "
        "run the same command again to go on from there"
    )


def download(url: str, part: Path, *, timeout: float, max_bytes: int, progress: Progress | None) -> None:
    """Complete the file ``part`` from ``url``.

    What is there already is kept if the server can go on from its end (206); otherwise the file is begun
    again. The contents are not judged here.

    Args:
        timeout: seconds that the server may stay silent.
        max_bytes: more than this is refused.

    Raises:
        RefDPError: the server cannot be reached, refuses, falls silent or stops early, or the disk does.
            The bytes got so far stay in ``part``.
    """
    check_url(url)
    with path_errors(part, "read", "move it away"):
        offset = part.stat().st_size if part.exists() else 0
    if offset:
        with _response(url, offset, timeout) as answer:
            start, total = _range(answer)
            if answer.status == 416 and total == offset:
                return
            fresh = answer.status == 200
            if fresh or (answer.status == 206 and start == offset):
                _write(answer, part, url, 0 if fresh else offset, max_bytes, progress)
                return
    with _response(url, 0, timeout) as answer:
        _write(answer, part, url, 0, max_bytes, progress)


def _write(answer: Any, part: Path, url: str, offset: int, max_bytes: int, progress: Progress | None) -> None:
    with path_errors(part, "written", _WRITABLE), part.open("ab" if offset else "wb") as stream:
        _copy(answer, stream, url, offset, max_bytes, progress)
