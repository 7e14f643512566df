"""Epsilon after each prefix."""

from __future__ import annotations

import numpy as np
import pytest

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    epsilon,
    epsilon_after,
    prefix,
)

LEDGER = Ledger(
    "zero-out",
    (
        GaussianEvent(1.1, Sampling("poisson", 0.01), 100),
        GaussianEvent(Schedule("cosine", 50, 1.5, {"amplitude": 0.3}), Sampling("poisson", 0.02), 50),
        GaussianEvent(20.0, Sampling("full-batch"), 3),
    ),
)


def test_a_prefix_is_the_first_counts_in_order() -> None:
    assert prefix(LEDGER, 0).events == ()
    assert [event.count for event in prefix(LEDGER, 120).events] == [100, 20]
    assert prefix(LEDGER, 153) == LEDGER == prefix(LEDGER, 10**6)
    values, counts = prefix(LEDGER, 120).events[1].multipliers()
    assert counts.sum() == 20
    assert values.min() > 1.5  # the cosine's early, noisier half


def test_never_falls_and_ends_at_the_whole() -> None:
    lower, upper = epsilon_after(LEDGER, 1e-5, [0, 1, 60, 100, 130, 153])
    assert lower[0] == upper[0] == 0.0
    assert np.all(lower <= upper)
    assert np.all(np.diff(upper) >= 0)
    whole = epsilon(LEDGER, 1e-5)
    assert (lower[-1], upper[-1]) == (whole.lower, whole.upper)


def test_bad_steps() -> None:
    for steps in ([-1], [2.5], [3, 2]):
        with pytest.raises(AccountingError):
            epsilon_after(LEDGER, 1e-5, steps)
