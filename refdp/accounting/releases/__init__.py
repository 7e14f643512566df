"""What a step releases, one mechanism a file."""

from __future__ import annotations

from typing import Any

from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.releases.band_mf import BandMFEvent
from refdp.accounting.releases.base import Release
from refdp.accounting.releases.gaussian import GaussianEvent
from refdp.accounting.releases.histogram import HistogramEvent
from refdp.accounting.releases.quantile import QuantileEvent

MECHANISMS: dict[str, type[Release]] = {
    kind.mechanism: kind for kind in (GaussianEvent, QuantileEvent, HistogramEvent, BandMFEvent)
}


def release_from_json(document: Any) -> Release:
    """Read one entry of a ledger's ``events``; an unknown mechanism or field is refused by name."""
    if not isinstance(document, dict) or "mechanism" not in document:
        raise AccountingError(f"event {document!r}: must be an object with a 'mechanism'")
    mechanism = document["mechanism"]
    if not isinstance(mechanism, str) or mechanism not in MECHANISMS:
        raise UnsupportedEventError(
            f"mechanism {mechanism!r} is not supported: it must be one of {', '.join(MECHANISMS)}"
        )
    return MECHANISMS[mechanism].from_json(document)


__all__ = [
    "MECHANISMS",
    "BandMFEvent",
    "GaussianEvent",
    "HistogramEvent",
    "QuantileEvent",
    "Release",
    "release_from_json",
]
