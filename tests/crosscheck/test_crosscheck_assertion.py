"""``assert_valid_epsilon``: its guarantees, in and out of its range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from fake_peers import full_batch, mutated, poisson
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from peer_cases import WITHOUT_REPLACEMENT

from refdp.accounting import AccountingError, GaussianEvent, Ledger, Sampling, epsilon
from refdp.crosscheck import assert_valid_epsilon, assertion
from refdp.errors import RefDPError

RUN = poisson(1.1, 0.01, 500)
BOUNDS = epsilon(RUN, 1e-5)
SHUFFLED = Ledger("zero-out", (GaussianEvent(1.1, Sampling("shuffle", epochs=5)),))


def passes(ledger: Any, value: float, **options: Any) -> bool:
    try:
        assert_valid_epsilon(ledger, 1e-5, value, **options)
    except AssertionError:
        return False
    return True


EPSILONS = st.floats(0, 1e6)


def check_standing(standing: Callable[..., str]) -> None:
    """G1, G2: on random enclosures, claims and tolerances."""

    @settings(max_examples=300, phases=[Phase.generate])
    @given(EPSILONS, EPSILONS, EPSILONS, st.floats(0, 0.999))
    def holds(value: float, one: float, other: float, tolerance: float) -> None:
        low, high = sorted((one, other))
        upper, lower = (standing(value, low, high, side, tolerance) for side in ("upper", "lower"))
        assert (upper == "refuted") == (value < low * (1 - 1e-9))
        assert (lower == "refuted") == (value > high * (1 + 1e-9))
        if value >= high:
            assert upper == "valid"
        if value <= low:
            assert lower == "valid"
        if upper == "unconfirmed":
            assert low * (1 - 1e-9) <= value < high * (1 - tolerance)
        if upper == "valid":
            assert value >= high * (1 - tolerance)
        if lower == "valid":
            assert value <= low * (1 + tolerance)

    holds()


def test_what_is_refuted_and_what_is_confirmed() -> None:
    check_standing(assertion.standing)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("claimed < lower * (1 - ROUNDING)", "claimed > lower * (1 - ROUNDING)"),
        ("claimed < lower * (1 - ROUNDING)", "claimed < lower * (1 - tolerance)"),
        ("claimed >= upper * (1 - tolerance)", "True"),
        ("claimed > upper * (1 + ROUNDING)", "claimed > lower"),
        ("claimed <= lower * (1 + tolerance)", "claimed <= upper"),
        ('"refuted" if refuted else "valid" if confirmed', '"valid" if confirmed else "refuted" if refuted'),
    ],
)
def test_a_seeded_fault_in_the_decision_is_found(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        check_standing(mutated(assertion.standing, old, new))


@settings(max_examples=5)
@given(st.floats(0.5, 30), st.floats(0.001, 1), st.integers(1, 50), st.sampled_from([0.5, 0.999, 1.0, 1.5]))
def test_runs_at_random(noise: float, rate: float, steps: int, share: float) -> None:
    ledger = poisson(noise, rate, steps)
    bounds = epsilon(ledger, 1e-5)
    assert bounds.lower is not None
    assert bounds.upper is not None
    value = share * bounds.upper
    found = assertion.standing(value, bounds.lower, bounds.upper, "upper", 1e-3)
    assert passes(ledger, value) == (found == "valid")
    assert passes(ledger, bounds.upper)
    assert passes(ledger, bounds.lower, side="lower")


def test_infinity() -> None:
    """G5."""
    assert passes(RUN, math.inf)
    assert not passes(RUN, math.inf, side="lower")
    noiseless = full_batch(0.0, 1)
    assert passes(noiseless, math.inf)
    assert passes(noiseless, math.inf, side="lower")
    assert not passes(noiseless, 1e9)
    assert passes(noiseless, 1e9, side="lower")


def test_nothing_released_is_zero() -> None:
    assert passes(Ledger(), 0.0)
    assert passes(Ledger(), 0.0, side="lower")
    assert not passes(Ledger(), 0.1, side="lower")


@pytest.mark.parametrize("value", [math.nan, -1.0, -1e-300, -math.inf, None, "1", True, [1.0], 1j])
def test_what_is_no_epsilon_is_malformed(value: Any) -> None:
    """G4."""
    for side in ("upper", "lower"):
        with pytest.raises(AccountingError, match="epsilon = "):
            assert_valid_epsilon(RUN, 1e-5, value, side=side)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"delta": 0.0}, "delta = 0.0"),
        ({"delta": math.nan}, "delta = nan"),
        ({"delta": 1}, "delta = 1"),
        ({"side": "both"}, "side = 'both': must be upper or lower"),
        ({"tolerance": -0.1}, "tolerance = -0.1"),
        ({"tolerance": 1.0}, "tolerance = 1.0"),
        ({"tolerance": math.nan}, "tolerance = nan"),
        ({"ledger": "not json"}, "not JSON"),
        ({"ledger": {"schema": "x"}}, "ledger schema"),
        ({"ledger": 3}, "ledger schema"),
    ],
)
def test_malformed_arguments(change: dict[str, Any], text: str) -> None:
    arguments = {"ledger": RUN, "delta": 1e-5, "epsilon": 1.0, **change}
    with pytest.raises(ValueError, match=text):
        assert_valid_epsilon(**arguments)


def test_documents_are_ledgers_too() -> None:
    assert passes(RUN.to_json(), BOUNDS.upper)
    with pytest.raises((AccountingError, RefDPError), match="laplace"):
        assert_valid_epsilon({**RUN.to_json(), "events": [{"mechanism": "laplace"}]}, 1e-5, 1.0)


@pytest.mark.parametrize(
    ("ledger", "delta", "value", "cause"),
    [
        (full_batch(1.0, 1, "replace-one"), 1e-5, 4.7285, "neighbouring relation ignored"),
        (full_batch(1.0, 1, "replace-one"), 1e-5, 4.3772, "neighbouring relation ignored"),
        (poisson(1.1, 0.004, 10_000), 1e-12, 3.276822, "float64 rounding: a probability of"),
        (poisson(1.1, 256 / 60000, 1170), 1e-5, 0.5897593309, "CLT limit"),
        (poisson(1.0, 1 / 75, 225), 1e-5, epsilon(poisson(1.0, 1 / 75, 224), 1e-5).upper, "224 steps have"),
        (WITHOUT_REPLACEMENT, 1e-5, 1.48253, "sensitivity C instead of 2 C"),
        (poisson(1.1, 256 / 60000, 1170), 1e-5, 0.1, "no cause that refdp knows"),
    ],
)
def test_the_text_says_how_far_and_why(ledger: Ledger, delta: float, value: float, cause: str) -> None:
    """G3."""
    bounds = epsilon(ledger, delta)
    with pytest.raises(AssertionError) as caught:
        assert_valid_epsilon(ledger, delta, value)
    text = str(caught.value)
    assert cause in text
    assert f"[{bounds.lower:.9g}, {bounds.upper:.9g}]" in text
    assert "% below the lower end" in text
    assert "\n" not in text


def test_what_cannot_be_confirmed_says_so() -> None:
    bounds = epsilon(SHUFFLED, 1e-5)
    assert bounds.upper is not None
    with pytest.raises(
        AssertionError, match=r"cannot be confirmed as upper bound.*shuffle: no amplification"
    ):
        assert_valid_epsilon(SHUFFLED, 1e-5, 1.1)
    assert passes(SHUFFLED, bounds.upper)
    assert passes(SHUFFLED, 0.9 * bounds.upper, tolerance=0.2) == (0.9 * bounds.upper >= (bounds.lower or 0))
    wide = epsilon(WITHOUT_REPLACEMENT, 1e-5)
    assert wide.lower is not None
    assert not passes(WITHOUT_REPLACEMENT, (wide.lower + wide.upper) / 2)
    assert not passes(WITHOUT_REPLACEMENT, (wide.lower + wide.upper) / 2, side="lower")
    assert passes(WITHOUT_REPLACEMENT, (wide.lower + wide.upper) / 2, tolerance=0.1)
