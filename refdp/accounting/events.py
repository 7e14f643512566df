"""Events of a ledger: what was released (``releases``), on which records (``sampling``)."""

from refdp.accounting.releases import (
    MECHANISMS,
    BandMFEvent,
    GaussianEvent,
    HistogramEvent,
    QuantileEvent,
    Release,
    release_from_json,
)
from refdp.accounting.sampling import SCHEMES, Sampling

__all__ = [
    "MECHANISMS",
    "SCHEMES",
    "BandMFEvent",
    "GaussianEvent",
    "HistogramEvent",
    "QuantileEvent",
    "Release",
    "Sampling",
    "release_from_json",
]
