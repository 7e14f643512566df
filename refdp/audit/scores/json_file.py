"""Scores as one JSON document (``refdp-scores/1``).

    {"schema": "refdp-scores/1", "planted": [0.83, ...], "left_out": [-0.2, ...], "references": [...],
     "fair_coins": true, "runs": 1, "delta": 1e-5, "claimed_epsilon": 4.0, "title": "...", "notes": "..."}

Required: schema, planted, and left_out or references. ``fair_coins``: each canary was planted or left out by a fair
coin of its own.
A score is a number, or the string "inf" or "-inf".
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from refdp.audit.scores.collect import CLASSES, Collected, score_from_json
from refdp.errors import RefDPError
from refdp.validate import strictly_between, whole

SCHEMA = "refdp-scores/1"
ABOUT = ("fair_coins", "delta", "claimed_epsilon", "title", "notes")
FIELDS = ("schema", *CLASSES, "runs", *ABOUT)


def read_document(text: str) -> Collected:
    """One JSON object."""
    document = parse(text)
    return from_fields(document)


def from_fields(document: dict[str, Any]) -> Collected:
    """The same from a dict whose arrays may be numpy's.

    Raises:
        RefDPError: naming the field: unknown, missing, or not what it must be.
    """
    if document.get("schema") != SCHEMA:
        raise RefDPError(f"schema = {short(document.get('schema'))}: must be {SCHEMA!r}")
    known_fields(document, FIELDS)
    found = Collected()
    about(document, found)
    if (runs := document.get("runs")) is not None:
        whole(1, runs=runs)
        found.runs = int(runs)
    if "planted" not in document:
        raise RefDPError("'planted' is missing; give its scores, a list of numbers")
    classes(document, found)
    if found.runs is not None and found.runs > max(1, len(found)):
        raise RefDPError(f"runs = {found.runs}: must not exceed the {len(found)} canaries")
    return found


def parse(text: str) -> dict[str, Any]:
    """A JSON object; a key given twice is refused. NaN and Infinity, which JSON has not but Python writes, are read."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise RefDPError(f"{twice[:40]!r} is given twice; keep one")
        return document

    try:
        document = json.loads(text, object_pairs_hook=once)
    except RefDPError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefDPError(f"not JSON ({str(error)[:120]})") from None
    if not isinstance(document, dict):
        raise RefDPError(f"is a JSON {type(document).__name__}; give an object with planted and left_out")
    return document


def about(document: dict[str, Any], found: Collected) -> None:
    """What a document says of all its scores, into ``found``."""
    coins = document.get("fair_coins")
    if coins is not None and not isinstance(coins, bool):
        raise RefDPError(f"fair_coins = {short(coins)}: must be true or false")
    found.fair_coins = coins
    if (delta := document.get("delta")) is not None:
        strictly_between(0, 1, delta=delta)
        found.delta = float(delta)
    if (claimed := document.get("claimed_epsilon")) is not None:
        found.claimed_epsilon = _claim(claimed)
    for name in ("title", "notes"):
        if not isinstance(document.get(name, ""), str):
            raise RefDPError(f"{name} = {short(document[name])}: must be text")


def _claim(value: Any) -> float:
    rule = "must be a finite number >= 0"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefDPError(f"claimed_epsilon = {short(value)}: {rule}")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not 0 <= number < float("inf"):
        raise RefDPError(f"claimed_epsilon = {short(value)}: {rule}")
    return number


def classes(document: dict[str, Any], found: Collected) -> None:
    """The scores of each class, into ``found``."""
    for name in CLASSES:
        values = document.get(name, [])
        if isinstance(values, np.ndarray):
            found.extend(name, values)
            continue
        if not isinstance(values, list):
            raise RefDPError(f"{name} = {short(values)}: must be a list of numbers")
        for place, value in enumerate(values):
            try:
                found.add(name, score_from_json(value))
            except RefDPError as error:
                raise RefDPError(f"{name}: score {place} of {len(values)} {error}") from None


def known_fields(document: dict[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a field that is not known, by its name."""
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise RefDPError(f"unknown field {unknown[0][:40]!r}; known are {', '.join(known)}")


def short(value: Any) -> str:
    """A value as it may stand in an error."""
    return repr(value)[:60]
