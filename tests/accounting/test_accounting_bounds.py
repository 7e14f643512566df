"""lower <= exact <= upper: against hockey-sticks computed from the definition, and on random ledgers."""

from __future__ import annotations

import math
import random

import hockey_stick
import named_checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from named_checks import poisson

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, delta, epsilon

mpmath = pytest.importorskip("mpmath")

_RATES = st.one_of(st.floats(1e-9, 1.0), st.floats(-9, 0).map(lambda e: 10.0**e))
_SIGMAS = st.floats(math.log10(0.3), 6).map(lambda e: 10.0**e)
_DELTAS = st.floats(-300, -0.05).map(lambda e: 10.0**e)
_COUNTS = st.floats(0, 6).map(lambda e: int(10.0**e))


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    relation = draw(st.sampled_from(["add-remove", "zero-out", "replace-one"]))
    schemes = ["full-batch"]
    schemes += ["poisson", "poisson"] if relation != "replace-one" else []
    schemes += ["shuffle", "fixed-order"] if relation != "add-remove" else []
    events = []
    for _ in range(draw(st.integers(1, 5))):
        scheme, count = draw(st.sampled_from(schemes)), draw(_COUNTS)
        if scheme == "poisson":
            sampling = Sampling(scheme, rate=draw(_RATES))
        elif scheme == "full-batch":
            sampling = Sampling(scheme)
        else:
            sampling = Sampling(scheme, epochs=draw(st.integers(0, 1000)))
        events.append(GaussianEvent(draw(_SIGMAS), sampling, count))
    return Ledger(relation, tuple(events))


@given(ledgers(), _DELTAS)
@settings(max_examples=20)
def test_lower_never_above_upper(ledger: Ledger, at: float) -> None:
    bounds = epsilon(ledger, at)
    assert bounds.upper >= 0
    assert bounds.lower is None or 0 <= bounds.lower <= bounds.upper
    assert Ledger.from_json(ledger.to_json()) == ledger


@given(ledgers(), st.one_of(st.floats(0, 100), st.floats(0, 1e308)))
@settings(max_examples=15)
def test_delta_lower_never_above_upper(ledger: Ledger, at: float) -> None:
    bounds = delta(ledger, at)
    assert 0 <= bounds.upper <= 1
    assert bounds.lower is None or 0 <= bounds.lower <= bounds.upper
    for part in (bounds.rdp, bounds.gaussian):
        assert part is None or not math.isnan(part["upper"])


def _one_step_epsilon(q: float, sigma: float, at: float) -> float:
    """mpmath closed form, both directions, bisected."""
    big_q, s = mpmath.mpf(q), mpmath.mpf(sigma)

    def tail(x: object) -> object:
        return mpmath.erfc(x / mpmath.sqrt(2)) / 2

    def exact(e: object) -> object:
        found = []
        ratio = (mpmath.exp(e) - 1 + big_q) / big_q
        t = s * mpmath.log(ratio) + 1 / (2 * s)
        found.append((1 - big_q) * tail(t) + big_q * tail(t - 1 / s) - mpmath.exp(e) * tail(t))
        ratio = (mpmath.exp(-e) - 1 + big_q) / big_q
        if ratio > 0:
            t = s * mpmath.log(ratio) + 1 / (2 * s)
            found.append(tail(-t) - mpmath.exp(e) * ((1 - big_q) * tail(-t) + big_q * tail(1 / s - t)))
        return max(found)

    if exact(mpmath.mpf(0)) <= at:
        return 0.0
    low, high = mpmath.mpf(0), mpmath.mpf(1)
    while exact(high) > at:
        low, high = high, 2 * high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if exact(middle) > at else (low, middle)
    return float(high)


def test_one_step_against_mpmath() -> None:
    rng = random.Random(9)
    with mpmath.workdps(60):
        for _ in range(40):
            q, sigma = 10 ** rng.uniform(-4, -0.001), 10 ** rng.uniform(-1, 1.5)
            at = 10 ** rng.uniform(-12, -0.5)
            exact = _one_step_epsilon(q, sigma, at)
            bounds = epsilon(poisson(q, sigma, 1), at)
            assert bounds.lower <= exact * (1 + 1e-12) + 1e-15, (q, sigma, at)
            assert exact <= bounds.upper * (1 + 1e-12) + 1e-15, (q, sigma, at)


def test_two_and_three_unequal_steps() -> None:
    rng = random.Random(10)
    for trial in range(6):
        steps = [(10 ** rng.uniform(-2.5, -0.05), 10 ** rng.uniform(-0.5, 0.8)) for _ in range(2 + trial % 2)]
        at = 10 ** rng.uniform(-6, -1)
        points = 1200 if len(steps) == 2 else 250
        events = tuple(GaussianEvent(s, Sampling("poisson", q)) for q, s in steps)
        bounds = epsilon(Ledger("zero-out", events), at)
        assert bounds.lower <= bounds.upper <= bounds.lower * (1 + 1e-4) + 1e-12
        above, error = hockey_stick.delta_with_error(steps, bounds.lower, points)
        assert error < 1e-5 * at  # else the oracle says nothing
        assert bounds.lower == 0 or above >= at * (1 - 1e-9) - error, (steps, at)
        below, error = hockey_stick.delta_with_error(steps, bounds.upper, points)
        assert below <= at * (1 + 1e-9) + error, (steps, at)
        converse = delta(Ledger("zero-out", events), bounds.upper)
        assert converse.lower <= (below + error) * (1 + 1e-9)
        assert below - error <= converse.upper * (1 + 1e-9)


def test_two_steps_by_simulation() -> None:
    """Monte-Carlo of the same: at our upper epsilon the estimated delta is below delta plus five errors."""
    q, sigma, at = 0.2, 0.8, 1e-2
    upper = epsilon(poisson(q, sigma, 2), at).upper
    lower = epsilon(poisson(q, sigma, 2), at).lower
    rng = np.random.default_rng(1)
    z = rng.normal(size=(400_000, 2)) * sigma + (rng.random((400_000, 2)) < q)
    loss = np.log(1 - q + q * np.exp(z / sigma**2 - 1 / (2 * sigma**2))).sum(axis=1)
    for value, sign in ((upper, 1), (lower, -1)):
        gains = np.maximum(0.0, -np.expm1(value - loss))
        margin = 5 * gains.std() / math.sqrt(len(gains))
        assert sign * (gains.mean() - at) <= margin


def test_saturation_counterexample() -> None:
    """delta(epsilon) saturates at the sampling rate: a schedule may cost less than its harmonic constant."""
    schedule = [(0.01, 1 / 7), (0.01, 1.0)]
    assert np.mean([1 / s**2 for _, s in schedule]) == pytest.approx(1 / 0.2**2)
    assert hockey_stick.epsilon(schedule, 0.015) == 0.0
    assert hockey_stick.epsilon([(0.01, 0.2)] * 2, 0.015) > 2.5
    ledger = Ledger("add-remove", tuple(GaussianEvent(s, Sampling("poisson", q)) for q, s in schedule))
    assert epsilon(ledger, 0.015).lower == 0.0
    assert epsilon(poisson(0.01, 0.2, 2), 0.015).upper > 2.5


def test_named() -> None:
    named_checks.check_lower_below_exact()
    named_checks.check_shuffle_not_amplified()


def test_no_noise_and_nothing() -> None:
    named_checks.check_empty_is_free()
    assert epsilon(poisson(0.1, 0.0, 10), 1e-5).upper == math.inf
    assert epsilon(poisson(0.1, 0.0, 10), 1e-5).lower == math.inf
    assert epsilon(poisson(1e-9, 0.0, 10), 1e-5).lower == 0.0  # drawn with probability 1e-8 < delta
    assert (
        epsilon(Ledger("add-remove", (GaussianEvent(0.0, Sampling("full-batch")),)), 1e-5).lower == math.inf
    )
    silent = Schedule("constant", 5, 0.0)
    assert epsilon(poisson(0.1, silent, 5), 1e-5).upper == math.inf
    nothing = (
        Ledger(),
        poisson(0.0, 0.0, 10),
        poisson(0.1, 1.0, 0),
        Ledger("zero-out", (GaussianEvent(1.0, Sampling("shuffle", epochs=0)),)),
        Ledger("replace-one", (GaussianEvent(1.0, Sampling("poisson", 0.0), 7),)),
        poisson(0.1, Schedule("constant", 0, 1.0), 0),
    )
    for ledger in nothing:
        for accountant in ("all", "rdp"):
            bounds = epsilon(ledger, 1e-5, accountant)
            assert (bounds.lower, bounds.upper) == (0.0, 0.0)
        bounds = delta(ledger, 0.0)
        assert (bounds.lower, bounds.upper) == (0.0, 0.0)


@pytest.mark.parametrize("at", [5e-324, 1e-300, 1e-12, 0.5, 1 - 1e-16])
def test_extreme_delta(at: float) -> None:
    for ledger in (poisson(0.01, 1.0, 1000), poisson(1.0, 1.0, 1000), poisson(1e-9, 0.005, 10)):
        bounds = epsilon(ledger, at)
        assert 0 <= bounds.lower <= bounds.upper < math.inf


def test_beyond_the_stated_ranges() -> None:
    """Accepted all the same, so still enclosed; each of these once raised, warned or gave NaN."""
    full = Sampling("full-batch")
    for ledger in (
        poisson(1e-60, 0.005, 13),
        poisson(5e-324, 0.5, 10**9),
        poisson(0.1, 1e-200, 3),
        poisson(0.1, 1e200, 10**12),
        Ledger("add-remove", (GaussianEvent(1e-154, full), GaussianEvent(1e-154, full))),
        Ledger("add-remove", (GaussianEvent(1e-160, full),)),
        Ledger("add-remove", (GaussianEvent(1e-150, full),)),
        Ledger("add-remove", (GaussianEvent(1e200, full),)),
    ):
        for at in (1e-300, 0.1):
            bounds = epsilon(ledger, at)
            assert 0 <= bounds.lower <= bounds.upper
        assert math.isfinite(bounds.lower)
        for at in (0.0, 1.0, 1e308):
            assert 0 < delta(ledger, at).upper <= 1
    tiny = Ledger("add-remove", (GaussianEvent(1e200, full),))
    assert epsilon(tiny, 1e-300).upper > 0  # mu^2 underflows, but something was released


def test_a_tiny_multiplier_does_not_spoil_its_neighbours() -> None:
    """One grid for unequal multipliers once sent the whole group to the unsampled bound, or took 7 s."""
    both = Ledger("add-remove", poisson(0.001, 0.005, 1).events + poisson(0.001, 1.0, 1000).events)
    alone = [epsilon(poisson(0.001, s, n), 0.01, "rdp").upper for s, n in ((0.005, 1), (1.0, 1000))]
    assert epsilon(both, 0.02, "rdp").upper <= sum(alone)
    assert epsilon(both, 0.02).upper <= sum(alone)
