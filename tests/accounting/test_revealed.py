"""The upper bound of shuffled epochs of changing noise against direct sums over all placements, and faults."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from edits import edit
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    epsilon,
    revealed,
    shuffle_epsilon_lower,
    shuffle_epsilon_upper,
)
from refdp.accounting.gaussian import gaussian_delta

TABLES = [
    np.array([[100.0, 100.0, 0.5], [1.0, 2.0, 3.0]]),
    np.array([[1.0, 1.5, 2.0, 2.5]] * 3),
    np.array([[0.7, 5.0], [0.7, 5.0], [np.inf, 0.9]]),
]


def mixture_delta(table: np.ndarray, eps: float, distance: float = 1.0) -> float:
    """Sum over every way the record can fall, batches equally likely, lower values."""
    total = []
    for fall in itertools.product(*table):
        mu = distance * math.sqrt(sum(1 / s**2 for s in fall))
        total.append(gaussian_delta(mu, eps)[0] if mu > 0 else 0.0)
    return math.fsum(total) / table.shape[1] ** table.shape[0]


def check_never_below() -> None:
    """At the bound the mixture's delta is at most the one asked for, and not much less."""
    for table in TABLES:
        for delta in (1e-2, 1e-5):
            for relation, distance in (("zero-out", 1.0), ("replace-one", 2.0)):
                high = shuffle_epsilon_upper(table, delta, relation)
                assert mixture_delta(table, high, distance) <= delta
                assert mixture_delta(table, high * 0.98 - 1e-3, distance) > delta


def test_never_below_the_mixture() -> None:
    check_never_below()


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.floats(0.2, 20), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(1e-9, 1e-2),
    st.sampled_from(["zero-out", "replace-one"]),
)
def test_between_the_lower_bound_and_the_least_noise(
    rows: list[list[float]], delta: float, relation: str
) -> None:
    table = np.array(rows)
    high = shuffle_epsilon_upper(table, delta, relation)
    once = Sampling("shuffle", epochs=1)
    ledger = Ledger(relation, tuple(GaussianEvent(float(m), once) for m in table.min(axis=1)))
    assert high <= epsilon(ledger, delta).upper * (1 + 1e-3) + 1e-6
    assert shuffle_epsilon_lower(table.max(axis=1), 3, delta, relation) <= high


def test_constant_noise_is_the_gaussian() -> None:
    ledger = Ledger("zero-out", (GaussianEvent(1.1, Sampling("fixed-order", epochs=5)),))
    exact = epsilon(ledger, 1e-5)
    assert exact.upper <= shuffle_epsilon_upper(np.full((5, 7), 1.1), 1e-5) <= exact.upper * (1 + 1e-3)


def test_a_published_schedule() -> None:
    """Four epochs of 99 steps at 100 and one at .5: at most 9.5; the least noise of each epoch says 24.4."""
    table = np.full((4, 100), 100.0)
    table[:, -1] = 0.5
    assert 9.4 < shuffle_epsilon_upper(table, 1e-5) < 9.5


def test_chances() -> None:
    table = np.array([[0.5, 50.0]])
    rare = shuffle_epsilon_upper(table, 1e-5, chances=np.array([1e-6, 1 - 1e-6]))
    often = shuffle_epsilon_upper(table, 1e-5, chances=np.array([0.5, 0.5]))
    assert rare < 0.1 < 5 < often
    assert shuffle_epsilon_upper(table, 1e-5, chances=np.array([0.0, 0.0])) == 0


def test_edges() -> None:
    assert shuffle_epsilon_upper(np.array([[0.0, 1.0]]), 1e-5) == math.inf
    assert shuffle_epsilon_upper(np.array([[np.inf, np.inf]]), 1e-5) == 0
    assert shuffle_epsilon_upper(np.array([[1e6, 1e6]]), 1e-2) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"noise_multipliers": np.array([1.0])},
        {"noise_multipliers": np.array([[math.nan]])},
        {"noise_multipliers": np.array([[-1.0]])},
        {"noise_multipliers": np.empty((0, 0))},
        {"delta": 0.0},
        {"neighboring": "add-remove"},
        {"chances": np.array([0.7, 0.7])},
        {"chances": np.array([1.0])},
        {"chances": np.array([-0.1, 0.5])},
    ],
)
def test_refusals(bad: dict[str, object]) -> None:
    given_values: dict[str, object] = {"noise_multipliers": np.array([[1.0, 2.0]]), "delta": 1e-5}
    with pytest.raises(AccountingError):
        shuffle_epsilon_upper(**{**given_values, **bad})  # type: ignore[arg-type]


FAULTS = {
    "rounded_down": ("_spread", "np.ceil(row / step)", "np.floor(row / step * 0.9)"),
    "one_epoch_forgotten": ("_spread", "for row in cost:", "for row in cost[1:]:"),
    "the_least_of_a_block": (
        "_spread",
        "block[-1] for block in blocks",
        "block[0] * 0.9 for block in blocks",
    ),
    "replace_one_moves_once": (
        "shuffle_epsilon_upper",
        "2.0 if neighboring == REPLACE_ONE else 1.0",
        "1.0",
    ),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, revealed, *FAULTS[fault])
    monkeypatch.setitem(globals(), "shuffle_epsilon_upper", revealed.shuffle_epsilon_upper)
    with pytest.raises(AssertionError):
        check_never_below()
