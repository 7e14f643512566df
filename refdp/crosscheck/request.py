"""What a peer is told of a ledger: every schedule expanded, every event one kind of sampling.

Peers that know only Poisson sampling are given the Poisson run that their users would take a ledger of another
sampler for ("read as"); the report says so, and whether that is safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.accounting import GaussianEvent, Ledger, Release, Sampling

STATED = ("poisson", "full-batch")


@dataclass(frozen=True)
class Request:
    """The events for a peer, and in what sense they are the ledger's.

    Attributes:
        ledger: what refdp accounts for to explain the peer's answer: the ledger, or the reading of it.
        read_as: None, or what another sampler was taken for.
    """

    ledger: Ledger
    read_as: str | None

    def to_json(self, delta: float) -> dict[str, Any]:
        """The peer's case."""
        events = [entry for event in self.ledger.events for entry in _entries(event, self.ledger)]
        merged: dict[str, dict[str, Any]] = {}
        for entry in events:
            key = repr({name: value for name, value in entry.items() if name != "steps"})
            merged.setdefault(key, {**entry, "steps": {}})
            steps = merged[key]["steps"]
            for noise, count in entry["steps"]:
                steps[noise] = steps.get(noise, 0) + count
        for entry in merged.values():
            entry["steps"] = [[noise, count] for noise, count in entry["steps"].items()]
        return {"delta": delta, "neighboring": self.ledger.neighboring, "events": list(merged.values())}


def _entries(event: Release, ledger: Ledger) -> list[dict[str, Any]]:
    sampling = event.sampling.to_json()
    if sampling["scheme"] == "full-batch":
        sampling["rate"] = 1.0
    return [
        {**sampling, "steps": [[float(s), int(n)] for s, n in zip(c.multipliers, c.counts, strict=True)]}
        for c in event.charges(ledger.neighboring, ledger.group_size)
    ]


def requests(ledger: Ledger, poisson: Ledger | None) -> tuple[Request, Request | None]:
    """The ledger as it is, and the Poisson run it is commonly taken for (None where it holds nothing else).

    Args:
        poisson: that run where the ledger alone does not tell it (shuffled batches of a known size).
    """
    own = Request(ledger, None)
    if all(event.sampling.scheme in STATED for event in ledger.events):
        return own, own
    if poisson is not None:
        return own, Request(poisson, _name(ledger, poisson))
    reading = _reading(ledger)
    return own, None if reading is None else Request(reading, _name(ledger, reading))


def _name(ledger: Ledger, reading: Ledger) -> str:
    was = ", ".join(dict.fromkeys(event.sampling.scheme for event in ledger.events))
    kinds = dict.fromkeys(event.sampling for event in reading.events)
    return f"{was} taken for " + ", ".join(
        f"poisson at rate {kind.rate:.6g}" if kind.scheme == "poisson" else "one full batch an epoch"
        for kind in kinds
    )


def _reading(ledger: Ledger) -> Ledger | None:
    """Every event as Poisson steps of the same rate; once-an-epoch batches of unknown size as a full batch."""
    events: list[Release] = []
    for event in ledger.events:
        scheme, of = event.sampling.scheme, event.sampling
        if scheme in STATED:
            events.append(event)
            continue
        if not isinstance(event, GaussianEvent):
            return None
        count = event.count
        if scheme == "without-replacement" and of.batch_size is not None and of.dataset_size:
            sampling = Sampling("poisson", of.batch_size / of.dataset_size)
        elif scheme == "truncated-poisson":
            sampling = Sampling("poisson", of.rate)
        elif scheme == "balls-and-bins" and of.bins and of.epochs is not None:
            sampling, count = Sampling("poisson", 1 / of.bins), count * of.epochs * of.bins
        elif of.epochs is not None:
            sampling, count = Sampling("full-batch"), count * of.epochs
        else:
            return None
        events.append(GaussianEvent(event.noise, sampling, count))
    return Ledger(ledger.neighboring, tuple(events), ledger.group_size)
