"""Ledgers with fewer distinct noise multipliers: a schedule's steps in groups of neighbours.

G1. ``grouped(ledger, bins, "down")`` dominates the ledger and ``"up"`` is dominated by it: less noise dominates more
    (post-processing). ``"mean"`` is close, and no bound.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from refdp.accounting.bins import regrouped
from refdp.accounting.events import GaussianEvent, Release
from refdp.accounting.ledger import Ledger
from refdp.accounting.schedules import Schedule


def grouped(ledger: Ledger, bins: int, how: str) -> Ledger:
    """At most about ``bins`` multipliers of each kind of event, moved to the least ("down") or greatest ("up") of
    their group, or to its mean of 1 / multiplier^2 ("mean")."""
    events: list[Release] = []
    alike: dict[Release, list[tuple[np.ndarray, np.ndarray]]] = {}
    for event in ledger.events:
        scheduled = isinstance(event.noise, Schedule)
        if event.is_no_op() or not (scheduled or type(event) is GaussianEvent):
            events.append(event)
        else:
            alike.setdefault(dataclasses.replace(event, noise=1.0, count=1), []).append(event.multipliers())
    for kind, parts in alike.items():
        values, index = np.unique(np.concatenate([p[0] for p in parts]), return_inverse=True)
        counts = np.bincount(index, np.concatenate([p[1] for p in parts])) / (kind.sampling.passes or 1)
        fewer = (values, counts) if values[0] == 0 else regrouped(values, counts, bins, how)
        events += [
            dataclasses.replace(kind, noise=float(value), count=round(count))
            for value, count in zip(*fewer, strict=True)
        ]
    return Ledger(ledger.neighboring, tuple(events), ledger.group_size)


def distinct(ledger: Ledger) -> int:
    """How many noise multipliers the ledger's events have, at most."""
    return sum(len(event.multipliers()[0]) for event in ledger.events)
