"""Scores as JSON Lines, a training run a line, in either of two forms; as ``audit run`` writes its scores.jsonl.

    {"run": 0, "planted": [0.83, ...], "left_out": [-0.2, ...], "references": [...]}
    {"run": 1, "scores": [0.83, -0.2, ...], "planted": [1, 0, ...], "references": [...]}

The second says for each score whether its canary was planted. ``test_accuracy`` and ``seconds`` may stand there too and
are not used. The first line may be a head instead, with "schema": "refdp-scores/1" and what holds of all runs:
fair_coins, delta, claimed_epsilon, title, notes. Runs without ``run`` are numbered as they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from refdp.audit.scores.collect import CLASSES, Collected, Seen
from refdp.audit.scores.json_file import ABOUT, SCHEMA, about, classes, known_fields, parse, short
from refdp.errors import RefDPError

_FIELDS = ("run", *CLASSES, "scores", "test_accuracy", "seconds")


def read_lines(lines: Iterable[str]) -> Collected:
    """All lines; one that is not whole is refused, the last one too.

    Raises:
        RefDPError: naming the line, and the field in it.
    """
    found, runs = Collected(), Seen()
    count = filled = 0
    for number, line in enumerate(lines, start=1):
        try:
            record = parse(line)
            if "schema" in record:
                _head(record, number, found)
                continue
            known_fields(record, _FIELDS)
            runs.add(_run(record, count))
            count += 1
            before = len(found)
            classes(_split(record) if "scores" in record else record, found)
            filled += len(found) > before
        except RefDPError as error:
            raise RefDPError(f"line {number}: {error}") from None
    if (again := runs.twice()) is not None:
        raise RefDPError(f"run {again + 1} of {count} has the name of a run before it; give each run once")
    found.runs = max(1, filled)  # one without scores is none of theirs
    return found


def _head(record: dict[str, Any], number: int, found: Collected) -> None:
    if number > 1:
        raise RefDPError("'schema' belongs to the first line; leave it out here")
    if record["schema"] != SCHEMA:
        raise RefDPError(f"schema = {short(record['schema'])}: must be {SCHEMA!r}")
    known_fields(record, ("schema", *ABOUT))
    about(record, found)


def _run(record: dict[str, Any], count: int) -> str:
    run = record.get("run", count)
    if isinstance(run, bool) or not isinstance(run, int | str):
        raise RefDPError(f"run = {short(run)}: must be a name or a whole number")
    return f"{type(run).__name__}{run}"


def _split(record: dict[str, Any]) -> dict[str, Any]:
    """The second form as the first."""
    scores, planted = record["scores"], record.get("planted")
    if "left_out" in record:
        raise RefDPError(
            "'left_out' stands beside 'scores'; 'planted' says which of the scores are left out: drop it"
        )
    if not isinstance(scores, list) or not isinstance(planted, list) or len(scores) != len(planted):
        raise RefDPError("scores, planted: must be lists of the same length, planted of 1 and 0")
    for place, value in enumerate(planted):
        if not (isinstance(value, bool | int) and value in (0, 1)):
            raise RefDPError(f"planted: value {place} of {len(planted)} is {short(value)}; must be 1 or 0")
    pairs = list(zip(scores, planted, strict=True))
    return {
        "planted": [score for score, member in pairs if member],
        "left_out": [score for score, member in pairs if not member],
        "references": record.get("references", []),
    }
