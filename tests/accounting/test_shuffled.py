"""Lower bounds of shuffled batches against direct integration, the exact Gaussian, and faults."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edits import edit
from hypothesis import example, given
from hypothesis import strategies as st

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    epsilon,
    shuffle_epsilon_lower,
    shuffled,
)

CELLS = [(0.3, "zero-out"), (0.5, "zero-out"), (1.0, "zero-out"), (2.0, "zero-out"), (0.5, "replace-one")]


def two_batch_delta(multiplier: float, relation: str, eps: float) -> float:
    """Hockey-stick divergence of one shuffled epoch of two batches, by a sum over a grid of the plane."""
    t = np.arange(-9 * multiplier - 1, 3 + 9 * multiplier, multiplier / 40)
    density = {m: np.exp(-0.5 * ((t - m) / multiplier) ** 2) for m in (0.0, 1.0, 2.0)}
    without = 1.0 if relation == "zero-out" else 0.0

    def law(mean: float) -> np.ndarray:
        one, other = density[mean], density[0.0]
        return 0.5 * (np.outer(one, other) + np.outer(other, one))

    weight = ((t[1] - t[0]) / (multiplier * math.sqrt(2 * math.pi))) ** 2
    return float(np.maximum(law(2.0) - math.exp(eps) * law(without), 0).sum() * weight)


def check_never_above_two_batches(multiplier: float, relation: str) -> None:
    """At the bound returned the true delta is still the one asked for, or more."""
    for delta in (1e-2, 1e-4, 1e-6):
        low = shuffle_epsilon_lower(np.array([multiplier]), 2, delta, relation)
        assert low > 0
        assert two_batch_delta(multiplier, relation, low) >= delta * (
            1 - 4e-3
        )  # the sum over the grid is good to 2e-3


def check_all_cells() -> None:
    for multiplier, relation in CELLS:
        check_never_above_two_batches(multiplier, relation)


@pytest.mark.parametrize(("multiplier", "relation"), CELLS)
def test_never_above_the_truth_of_two_batches(multiplier: float, relation: str) -> None:
    check_never_above_two_batches(multiplier, relation)


@pytest.mark.parametrize(("multiplier", "relation"), CELLS)
def test_near_the_truth_of_two_batches(multiplier: float, relation: str) -> None:
    """A test of the maximum alone costs little here: at 1.25 times the bound the true delta is below."""
    low = shuffle_epsilon_lower(np.array([multiplier]), 2, 1e-4, relation)
    assert two_batch_delta(multiplier, relation, 1.25 * low + 0.1) < 1e-4


@given(
    st.floats(0.05, 50),
    st.integers(1, 40),
    st.sampled_from(["zero-out", "replace-one"]),
    st.floats(1e-12, 0.1),
)
@example(1e-5, 3, "zero-out", 1e-5)
@example(1e6, 3, "zero-out", 1e-5)
def test_one_batch_is_the_gaussian(multiplier: float, epochs: int, relation: str, delta: float) -> None:
    ledger = Ledger(relation, (GaussianEvent(multiplier, Sampling("fixed-order", epochs=epochs)),))
    exact = epsilon(ledger, delta)
    low = shuffle_epsilon_lower(np.full(epochs, multiplier), 1, delta, relation)
    assert low <= exact.upper
    assert low >= exact.lower * (1 - 1e-4) - 1e-6


@given(
    st.lists(st.floats(0.1, 20), min_size=1, max_size=12),
    st.integers(1, 500),
    st.sampled_from(["zero-out", "replace-one"]),
    st.floats(1e-10, 1e-2),
    st.floats(0.5, 1),
)
def test_never_above_the_upper_bound(
    multipliers: list[float], batches: int, relation: str, delta: float, present: float
) -> None:
    once = Sampling("shuffle", epochs=1)
    ledger = Ledger(relation, tuple(GaussianEvent(m, once) for m in multipliers))
    low = shuffle_epsilon_lower(np.array(multipliers), batches, delta, relation, takes_part=present)
    assert 0 <= low <= epsilon(ledger, delta).upper
    assert low <= shuffle_epsilon_lower(np.array(multipliers), batches, delta, relation) + 1e-9


def test_a_published_run() -> None:
    """Multiplier .2385, 5 epochs of 234 batches: within 1e-9 of the unsampled Gaussian. CIFAR-10's: at least 36."""
    assert shuffle_epsilon_lower(np.full(5, 0.2385), 234, 1e-5) == pytest.approx(83.1132683, abs=1e-6)
    assert 36 < shuffle_epsilon_lower(np.full(30, 0.6405), 195, 1e-5) < 72.23


def test_no_noise_and_nobody() -> None:
    assert shuffle_epsilon_lower(np.array([0.0, 1.0]), 10, 1e-5) == math.inf
    assert shuffle_epsilon_lower(np.array([0.0]), 10, 1e-5, takes_part=1e-6) == 0
    assert shuffle_epsilon_lower(np.array([]), 10, 1e-5) == 0
    assert shuffle_epsilon_lower(np.array([1.0]), 10, 1e-5, takes_part=0.0) == 0


@pytest.mark.parametrize(
    "given_values",
    [
        {"batches": 0},
        {"batches": 2.5},
        {"delta": 0.0},
        {"delta": math.nan},
        {"neighboring": "add-remove"},
        {"takes_part": 1.5},
        {"noise_multipliers": np.array([math.nan])},
        {"noise_multipliers": np.array([-1.0])},
    ],
)
def test_refusals(given_values: dict[str, object]) -> None:
    values: dict[str, object] = {"noise_multipliers": np.array([1.0]), "batches": 5, "delta": 1e-5}
    with pytest.raises(AccountingError):
        shuffle_epsilon_lower(**{**values, **given_values})  # type: ignore[arg-type]


FAULTS = {
    "ways_not_counted": (
        "_many",
        "np.arange(epochs + 1 if batches > 1 else 1)",
        "np.arange(1)",
    ),
    "other_batches_forgotten": (
        "_one",
        "others = (batches - 1) * log_ndtr(c / noise)",
        "others = 0 * c",
    ),
    "moved_too_far": ("_one", "log_ndtr((c - 2) / noise)", "log_ndtr((c - 3) / noise)"),
    "delta_not_subtracted": ("_best", "log_p + np.log1p(-np.exp(log_delta - log_p))", "log_p"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, shuffled, *FAULTS[fault])
    with pytest.raises(AssertionError):
        check_all_cells()
