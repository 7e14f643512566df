"""Scores as CSV: ``score,member`` and, where they are known, ``run`` and ``canary``; a canary a row.

    score,member,run,canary
    0.83,1,0,17
    -0.2,0,0,18
    0.11,reference,0,19

``member``: 1, true, yes, in, member, planted; 0, false, no, out, non-member, left_out; reference. In any case.
A row without ``run`` is of the one run there was; without ``canary``, of a canary of its own. Read as a stream.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from refdp.audit.scores.collect import Collected, Seen, score_from_text
from refdp.errors import RefDPError

COLUMNS = ("score", "member", "run", "canary")
LONGEST = 2**16
_WORDS = {
    "planted": ("1", "1.0", "true", "yes", "in", "member", "planted"),
    "left_out": (
        "0",
        "0.0",
        "false",
        "no",
        "out",
        "non-member",
        "nonmember",
        "non_member",
        "left_out",
        "left-out",
    ),
    "references": ("reference", "references"),
}
_CLASS = {word: name for name, words in _WORDS.items() for word in words}


def read_csv(file: BinaryIO) -> Collected:
    """All rows.

    Raises:
        RefDPError: naming the line: a column that is unknown, missing or given twice; a row of another length; a score
            or a member that is none; a canary given twice in a run.
    """
    found, runs, canaries = Collected(), Seen(), Seen()
    rows = csv.reader(_lines(file), strict=True)
    places: dict[str, int] | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if places is None:
                places = _head(row)
                continue
            try:
                _row(row, places, found, runs, canaries)
            except RefDPError as error:
                raise RefDPError(f"line {rows.line_num}: {error}") from None
    except csv.Error as error:
        raise RefDPError(f"line {rows.line_num}: not CSV ({error})") from None
    if places is None:
        raise RefDPError("is empty; give a line 'score,member' and a line for each canary")
    if (again := canaries.twice()) is not None:
        raise RefDPError(
            f"row {again + 1}: its canary stood in the same run before; give each canary once a run"
        )
    if "run" in places:
        found.runs = max(1, runs.distinct())
    return found


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines as text, with a limit on their length."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise RefDPError(f"line {number}: is longer than {LONGEST:,} bytes; one row a canary is needed")
        if b"\0" in line:
            raise RefDPError(f"line {number}: holds a NUL; give text, UTF-8")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise RefDPError(f"line {number}: is not UTF-8 text; write it so") from None
        yield text


def _head(row: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in row]
    for name in names:
        if name not in COLUMNS:
            raise RefDPError(
                f"line 1: unknown column {name[:40]!r}; columns are {', '.join(COLUMNS)}, split by commas"
            )
        if names.count(name) > 1:
            raise RefDPError(f"line 1: column {name!r} is given twice; keep one")
    for name in COLUMNS[:2]:
        if name not in names:
            raise RefDPError(f"line 1: column {name!r} is missing; 'score' and 'member' are required")
    return {name: place for place, name in enumerate(names)}


def _row(row: list[str], places: dict[str, int], found: Collected, runs: Seen, canaries: Seen) -> None:
    if len(row) != len(places):
        raise RefDPError(f"has {len(row)} cells; the first line has {len(places)} columns")
    word = row[places["member"]].strip().lower()
    if word not in _CLASS:
        raise RefDPError(f"member = {word[:40]!r}: must be 1 (planted), 0 (left out) or reference")
    try:
        value = score_from_text(row[places["score"]])
    except RefDPError as error:
        raise RefDPError(f"score {error}") from None
    found.add(_CLASS[word], value)
    run = row[places["run"]].strip() if "run" in places else ""
    if "run" in places:
        if not run:
            raise RefDPError("run is empty; name the run of every row, or leave the column out")
        runs.add(run)
    if "canary" in places:
        canary = row[places["canary"]].strip()
        if not canary:
            raise RefDPError("canary is empty; name the canary of every row, or leave the column out")
        canaries.add(run, canary)
