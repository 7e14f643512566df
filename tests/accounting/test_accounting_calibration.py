"""Schedules and calibration."""

from __future__ import annotations

import math

import named_checks
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from named_checks import poisson

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    calibrate_noise_multiplier,
    calibrate_scale,
    epsilon,
)
from refdp.accounting.accountant import epsilon_upper


def test_named() -> None:
    named_checks.check_schedule_rdp_above_harmonic()
    named_checks.check_harmonic_schedule_exceeds()
    named_checks.check_calibration_keeps_target()


@given(st.floats(-0.95, 0.95), st.integers(1, 3000), st.floats(0.01, 100))
def test_harmonic_normalisation(amplitude: float, steps: int, scale: float) -> None:
    schedule = Schedule("cosine", steps, scale, {"amplitude": amplitude}, "harmonic")
    assert np.mean(1 / schedule.ratios() ** 2) == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(schedule.noise_multipliers(), scale * schedule.ratios(), rtol=1e-15)
    p = (np.arange(steps) + 0.5) / steps
    plain = Schedule("cosine", steps, scale, {"amplitude": amplitude}).ratios()
    np.testing.assert_allclose(plain, 1 + amplitude * np.cos(np.pi * p), rtol=1e-15)


@pytest.mark.parametrize(
    ("q", "steps", "expected"), [(256 / 60000, 1170, 0.7023), (4096 / 50000, 1250, 4.429)]
)
def test_right_values(q: float, steps: int, expected: float) -> None:
    found = calibrate_noise_multiplier(3.0, 1e-5, q, steps)
    assert found.noise_multiplier == pytest.approx(expected, rel=1e-4)
    assert found.epsilon.upper <= 3.0 == found.target_epsilon
    assert found.slack == 3.0 - found.epsilon.upper
    assert epsilon_upper(poisson(q, found.noise_multiplier / (1 + 1e-5), steps), 1e-5) > 3.0


def test_calibrated_mnist_schedule() -> None:
    """s0's rule needs 1.147 times the noise at amplitude .25 (tight); RDP says about as much."""

    def ledger(scale: float) -> Ledger:
        return poisson(256 / 60000, Schedule("cosine", 1170, scale, {"amplitude": 0.25}, "harmonic"), 1170)

    found = calibrate_scale(ledger, 3.0, 1e-5)
    constant = calibrate_noise_multiplier(3.0, 1e-5, 256 / 60000, 1170)
    assert 1.1 < found.noise_multiplier / constant.noise_multiplier < 1.25
    assert epsilon(ledger(constant.noise_multiplier), 1e-5).upper > 4.0


@given(
    st.floats(-0.95, 0.95),
    st.integers(1, 2000),
    st.floats(-4, 0).map(lambda e: 10.0**e),
    st.floats(-1, math.log10(50)).map(lambda e: 10.0**e),
    st.floats(-10, -2).map(lambda e: 10.0**e),
)
@settings(max_examples=6)
def test_calibrated_schedules_keep_the_target(
    amplitude: float, steps: int, q: float, target: float, at: float
) -> None:
    def ledger(scale: float) -> Ledger:
        return poisson(q, Schedule("cosine", steps, scale, {"amplitude": amplitude}), steps)

    found = calibrate_scale(ledger, target, at)
    scale = found.noise_multiplier
    assert epsilon(ledger(scale), at).upper == found.epsilon.upper <= target
    values = Schedule("cosine", steps, scale, {"amplitude": amplitude}).noise_multipliers()
    one_by_one = Ledger("add-remove", tuple(GaussianEvent(s, Sampling("poisson", q)) for s in values))
    assert epsilon_upper(one_by_one, at) <= target * (1 + 1e-12)


@given(
    st.floats(-5, 0).map(lambda e: 10.0**e),
    st.floats(0, 5).map(lambda e: int(10.0**e)),
    st.floats(-2, 2).map(lambda e: 10.0**e),
    st.floats(-20, -1).map(lambda e: 10.0**e),
)
@settings(max_examples=8)
def test_post_condition_and_near_optimality(q: float, steps: int, target: float, at: float) -> None:
    found = calibrate_noise_multiplier(target, at, q, steps)
    again = epsilon(poisson(q, found.noise_multiplier, steps), at)
    assert again == found.epsilon
    assert again.upper <= target
    assert found.slack == target - again.upper >= 0
    assume(found.noise_multiplier > 1e-3)
    assert epsilon_upper(poisson(q, found.noise_multiplier / (1 + 1e-5), steps), at) > target


@pytest.mark.parametrize("accountant", ["all", "rdp", "gaussian"])
def test_full_batch(accountant: str) -> None:
    found = calibrate_noise_multiplier(1.0, 1e-5, 1.0, 1, sampling="full-batch", accountant=accountant)
    exact = 3.730631634816464  # analytic Gaussian at (1, 1e-5)
    assert found.noise_multiplier >= exact * (1 - 1e-12)
    if accountant != "rdp":
        assert found.noise_multiplier == pytest.approx(exact, rel=1e-6)
    doubled = calibrate_noise_multiplier(1.0, 1e-5, 1.0, 1, neighboring="replace-one", accountant=accountant)
    assert doubled.noise_multiplier == pytest.approx(2 * found.noise_multiplier, rel=1e-6)


def test_targets_out_of_reach_and_huge() -> None:
    with pytest.raises(AccountingError, match="out of reach with noise multipliers up to 1e\\+08"):
        calibrate_noise_multiplier(1e-12, 1e-15, 1.0, 1000)
    for target in (1e8, 1e300):
        found = calibrate_noise_multiplier(target, 1e-5, 1.0, 10)
        assert found.epsilon.upper <= target
        assert found.noise_multiplier == 1e-3
    assert calibrate_noise_multiplier(1e5, 1e-5, 0.01, 10).epsilon.upper <= 1e5
    small = calibrate_noise_multiplier(1e-6, 1e-5, 0.01, 1000)
    assert small.epsilon.upper <= 1e-6


def test_a_flat_ledger_is_refused_or_answered() -> None:
    found = calibrate_scale(lambda _: Ledger(), 1.0, 1e-5)
    assert found.epsilon.upper == 0.0
    with pytest.raises(AccountingError, match="out of reach"):
        calibrate_scale(lambda _: poisson(0.1, 0.0, 10), 1.0, 1e-5)
