"""The privacy curve, and ledgers with grouped multipliers."""

from __future__ import annotations

import numpy as np
import pytest

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    delta,
    epsilon,
    privacy_curve,
)
from refdp.accounting.grouping import distinct, grouped

CONSTANT = Ledger("add-remove", (GaussianEvent(1.1, Sampling("poisson", 0.01), 100),))


def scheduled(kind: str = "cosine", **parameters: float) -> Ledger:
    noise = Schedule(kind, 60, 1.2, parameters or {"amplitude": 0.4})
    return Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", 0.05), 60),))


def test_a_curve_is_its_points() -> None:
    epsilons, deltas = [0.0, 0.5, 1.0], [1e-3, 1e-7]
    curve = privacy_curve(CONSTANT, epsilons=epsilons)
    for at, low, high, rdp in zip(epsilons, curve.lower, curve.upper, curve.rdp, strict=True):
        point = delta(CONSTANT, at)
        assert (low, high, rdp) == (point.lower, point.upper, point.rdp["upper"])
    assert np.all(np.diff(curve.upper) < 0)
    back = privacy_curve(CONSTANT, deltas=iter(deltas), accountant="pld")
    assert back.quantity == "epsilon"
    assert np.all(np.isnan(back.rdp))
    assert back.upper.tolist() == [epsilon(CONSTANT, at, "pld").upper for at in deltas]


def test_grouped_curves_enclose() -> None:
    whole = scheduled()
    exact = privacy_curve(whole, epsilons=[0.5, 2.0])
    coarse = privacy_curve(whole, epsilons=[0.5, 2.0], bins=6)
    assert np.all(coarse.lower < exact.lower)
    assert np.all(coarse.upper > exact.upper)
    assert np.all(coarse.upper < 2 * exact.upper)


def test_grouped_ledgers_are_on_their_sides() -> None:
    whole = scheduled()
    values = whole.events[0].multipliers()[0]
    uppers = {}
    for how in ("down", "mean", "up"):
        few = grouped(whole, 6, how)
        assert distinct(few) <= 6 < distinct(whole)
        assert sum(event.count for event in few.events) == 60
        uppers[how] = epsilon(few, 1e-5).upper
        assert all(values[0] <= event.noise <= values[-1] for event in few.events)
    true = epsilon(whole, 1e-5)
    assert uppers["down"] > true.upper
    assert uppers["up"] < true.lower
    assert uppers["mean"] == pytest.approx(true.upper, rel=0.05)


def test_grouping_leaves_short_ledgers_alone() -> None:
    assert grouped(CONSTANT, 4, "down") == CONSTANT
    assert grouped(Ledger(), 4, "up") == Ledger()
    assert epsilon(grouped(scheduled(), 100, "mean"), 1e-5) == epsilon(scheduled(), 1e-5)


def test_epochs_are_counted_once() -> None:
    events = [GaussianEvent(1.0 + i / 10, Sampling("fixed-order", epochs=2)) for i in range(5)]
    whole = Ledger("zero-out", tuple(events))
    assert epsilon(grouped(whole, 50, "down"), 1e-5).upper == pytest.approx(
        epsilon(whole, 1e-5).upper, rel=1e-12
    )


def test_refusals() -> None:
    for asked in ({}, {"epsilons": [1.0], "deltas": [0.1]}):
        with pytest.raises(AccountingError, match="give either epsilons or deltas"):
            privacy_curve(CONSTANT, **asked)
    with pytest.raises(AccountingError, match="must be finite and >= 0"):
        privacy_curve(CONSTANT, epsilons=[-1.0])
