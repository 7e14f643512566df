"""refdp's own ledger."""

from __future__ import annotations

from typing import Any

from refdp.accounting import Ledger
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.source import Source


@formats.register("refdp-ledger")
class RefdpLedger(RecordFormat):
    """Schema refdp-ledger/1."""

    name = "refdp-ledger"
    reads = "a refdp ledger, refdp-ledger/1"

    def recognises(self, source: Source) -> bool:
        return source.is_document and _is_ledger(source.document)

    def read(self, source: Source, neighboring: str | None) -> Imported:
        return imported(Ledger.from_json(source.document), self.name, neighboring)

    def recognises_object(self, value: Any) -> bool:
        return isinstance(value, Ledger) or _is_ledger(value)

    def read_object(self, value: Any, neighboring: str | None) -> Imported:
        ledger = value if isinstance(value, Ledger) else Ledger.from_json(value)
        return imported(ledger, self.name, neighboring)


def imported(ledger: Ledger, format: str, neighboring: str | None, **more: Any) -> Imported:
    """The ledger, under the relation asked for."""
    notes: tuple[str, ...] = more.pop("notes", ())
    if neighboring is not None and neighboring != ledger.neighboring:
        notes += (f"the ledger says {ledger.neighboring}; {neighboring} was asked for and taken",)
        ledger = Ledger(neighboring, ledger.events, ledger.group_size)
    if not ledger.events:
        notes += ("the ledger is empty: nothing was released",)
    return Imported(ledger, format, notes, **more)


def _is_ledger(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("schema"))[:13] == "refdp-ledger/"
