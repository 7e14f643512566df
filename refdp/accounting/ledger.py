"""The ledger: everything a training run released, in order, under one neighbouring relation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.charges import Charge
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.events import Release, release_from_json
from refdp.accounting.neighboring import ADD_REMOVE, NEIGHBORING

SCHEMA = "refdp-ledger/1"


@dataclass(frozen=True)
class Ledger:
    """Released events and the neighbouring relation they are accounted under.

    ``group_size`` is how many records one person may hold (1: each record is a person): neighbours then differ by
    that person's records, all on one side under add-remove.

    G1. Immutable: composing makes a new ledger, a refused composition leaves both operands as they were.
    G2. ``Ledger.from_json(ledger.to_json()) == ledger``.
    """

    neighboring: str = ADD_REMOVE
    events: tuple[Release, ...] = ()
    group_size: int = 1

    def __post_init__(self) -> None:
        _checks.option("neighboring", self.neighboring, NEIGHBORING)
        object.__setattr__(self, "group_size", _checks.whole("group_size", self.group_size, 1, 1000))
        if not isinstance(self.events, Iterable):
            raise AccountingError(f"ledger events = {self.events!r}: must be GaussianEvents")
        object.__setattr__(self, "events", tuple(self.events))
        for event in self.events:
            if not isinstance(event, Release):
                raise UnsupportedEventError(
                    f"ledger event {event!r} is not supported: must be a GaussianEvent, or another Release"
                )
            event.check(self.neighboring, self.group_size)

    def __add__(self, other: Ledger | Iterable[Release]) -> Ledger:
        """This ledger followed by another one of the same relation, or by more events."""
        if isinstance(other, Ledger):
            if other.neighboring != self.neighboring:
                raise UnsupportedEventError(
                    f"neighboring = {other.neighboring!r}: must equal the first ledger's, {self.neighboring!r}"
                )
            if other.group_size != self.group_size:
                raise UnsupportedEventError(
                    f"group_size = {other.group_size}: must equal the first ledger's, {self.group_size}"
                )
            other = other.events
        return Ledger(self.neighboring, (*self.events, *other), self.group_size)

    def charges(self) -> list[Charge]:
        """What every event costs under this ledger's relation and group size."""
        return [
            charge for event in self.events for charge in event.charges(self.neighboring, self.group_size)
        ]

    def to_json(self) -> dict[str, Any]:
        """The ledger as a JSON document (a dict)."""
        events = [event.to_json() for event in self.events]
        group = {"group_size": self.group_size} if self.group_size > 1 else {}
        return {"schema": SCHEMA, "neighboring": self.neighboring, **group, "events": events}

    @classmethod
    def from_json(cls, document: dict[str, Any] | str) -> Ledger:
        """Read a ledger from a dict or a JSON text; NaN, unknown fields, events or versions are refused."""
        if isinstance(document, str):
            document = parse(document)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            found = document.get("schema") if isinstance(document, dict) else type(document).__name__
            raise AccountingError(f"ledger schema = {found!r}: must be {SCHEMA!r}")
        unknown = sorted(set(document) - {"schema", "neighboring", "group_size", "events"})
        if unknown:
            raise UnsupportedEventError(f"ledger: unknown field {unknown[0]!r}")
        events = document.get("events")
        if not isinstance(events, list):
            raise AccountingError("ledger: 'events' must be a list")
        parsed = []
        for number, event in enumerate(events):
            try:
                parsed.append(release_from_json(event))
            except AccountingError as error:
                raise type(error)(f"ledger event {number}: {error}") from None
        return cls(document.get("neighboring", ADD_REMOVE), tuple(parsed), document.get("group_size", 1))


def parse(text: str) -> Any:
    """JSON text to a document; NaN, infinities and keys given twice are refused."""
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except AccountingError:
        raise
    except (ValueError, RecursionError) as error:
        raise AccountingError(f"ledger: not JSON ({error})") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise AccountingError(f"ledger: {twice!r} is given twice")
    return document


def _no_constant(name: str) -> float:
    raise AccountingError(f"ledger: {name} is not a number that JSON allows")
