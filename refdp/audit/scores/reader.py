"""Scores of any framework, from a file: CSV, JSON, JSON Lines or npz, by content.

G1. Whatever bytes a file holds, the answer is its scores or one RefDPError; nothing in it is run or unpickled.
G2. No more is held in memory than the limits allow: MOST scores, and of JSON one document or line of LARGEST bytes.
G3. Scores are never turned round, dropped or made up.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from refdp.audit.scores.base import Scores
from refdp.audit.scores.coins import check_coins
from refdp.audit.scores.collect import Collected
from refdp.audit.scores.csv_file import read_csv
from refdp.audit.scores.json_file import parse, read_document
from refdp.audit.scores.lines_file import read_lines
from refdp.audit.scores.npz_file import read_npz
from refdp.errors import RefDPError

LARGEST = 2**26


@dataclass(frozen=True)
class ScoreFile:
    """What a file says.

    Attributes:
        delta, claimed_epsilon: as the file states them; None where it does not.
    """

    scores: Scores
    delta: float | None = None
    claimed_epsilon: float | None = None


def read_scores(path: str | Path, *, fair_coins: bool = False, lower_is_member: bool = False) -> ScoreFile:
    """Read a file of scores; ``-`` is standard input.

    Args:
        fair_coins: each canary was planted by a fair coin of its own (where the file does not say so).
        lower_is_member: members score lower (losses); they are negated, infinities too.

    Raises:
        RefDPError: one line that begins with the file: what is wrong in it, and where.
    """
    try:
        with _opened(path) as file:
            found = _read(file)
        if found.fair_coins is False and fair_coins:
            raise RefDPError("fair_coins is false in the file, and --fair-coins says otherwise; mend one")
        scores = found.finished(bool(found.fair_coins or fair_coins), lower_is_member)
        check_coins(scores)
    except OSError as error:
        raise RefDPError(
            f"{str(path)!r}: cannot be read ({error.strerror or error}); give a readable file"
        ) from None
    except RefDPError as error:
        raise RefDPError(f"{str(path)!r}: {error}") from None
    return ScoreFile(scores, found.delta, found.claimed_epsilon)


def _opened(path: str | Path) -> BinaryIO:
    if str(path) != "-":
        return Path(path).open("rb")
    if sys.stdin is None:
        raise RefDPError("standard input is closed; give a file")
    return io.BytesIO(_limited(sys.stdin.buffer))


def _limited(file: BinaryIO) -> bytes:
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise RefDPError(f"is longer than {LARGEST:,} bytes; give CSV, npz or JSON Lines, as a file")
    return content


def _read(file: BinaryIO) -> Collected:
    start = file.read(4096)
    file.seek(0)
    if start.startswith(b"PK"):
        return read_npz(file)
    if start.startswith((b"\x93NUMPY", b"\x80")):
        raise RefDPError("is one .npy array or a pickle; write numpy.savez(file, planted=..., left_out=...)")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"["):
        return read_csv(file)
    lines = _lines(file)
    first = next(lines)
    second = next((line for line in lines if line.strip()), None)
    if second is None:
        document = parse(first)
        return read_document(first) if "schema" in document and "planted" in document else read_lines([first])
    if _whole(first):
        return read_lines(_all(first, second, lines))
    file.seek(0)
    return read_document(_text(_limited(file)))


def _whole(line: str) -> bool:
    try:
        parse(line)
    except RefDPError:
        return False
    return True


def _all(first: str, second: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield second
    yield from rest


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines of text that are not empty, each at most LARGEST bytes."""
    while line := file.readline(LARGEST + 1):
        if len(line) > LARGEST:
            raise RefDPError(f"holds a line longer than {LARGEST:,} bytes; give CSV or npz")
        if line.strip():
            yield _text(line)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefDPError("is not UTF-8 text; write it so") from None
