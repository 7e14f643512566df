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
    calibrate_delta,
    calibrate_noise_multiplier,
    calibrate_sample_rate,
    calibrate_scale,
    calibrate_steps,
    delta,
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
    ("q", "steps", "tight", "by_rdp"),
    [(256 / 60000, 1170, 0.65073, 0.70228), (4096 / 50000, 1250, 4.12799, 4.42890)],
)
def test_right_values(q: float, steps: int, tight: float, by_rdp: float) -> None:
    found = calibrate_noise_multiplier(3.0, 1e-5, q, steps)
    assert found.noise_multiplier == pytest.approx(tight, rel=1e-5)
    assert found.rdp_noise_multiplier == pytest.approx(by_rdp, rel=1e-5)
    assert found.solved_for == "noise_multiplier"
    assert found.epsilon.upper <= 3.0 == found.target_epsilon
    assert found.slack == 3.0 - found.epsilon.upper
    assert epsilon(poisson(q, found.noise_multiplier / (1 + 1e-5), steps), 1e-5).upper > 3.0
    alone = calibrate_noise_multiplier(3.0, 1e-5, q, steps, accountant="rdp")
    assert alone.noise_multiplier == pytest.approx(by_rdp, rel=1e-5)
    assert alone.noise_multiplier == pytest.approx(alone.rdp_noise_multiplier, rel=2e-6)


def check_schedule(steps: int) -> None:
    """s0's rule needs 1.147 times the noise at amplitude .25 (tight, MNIST's rate and 1,170 steps)."""

    def ledger(scale: float) -> Ledger:
        return poisson(256 / 60000, Schedule("cosine", steps, scale, {"amplitude": 0.25}, "harmonic"), steps)

    found = calibrate_scale(ledger, 3.0, 1e-5)
    constant = calibrate_noise_multiplier(3.0, 1e-5, 256 / 60000, steps)
    assert found.solved_for == "scale"
    assert 1.1 < found.value / constant.value < 1.25
    assert found.value < found.rdp_noise_multiplier < 1.2 * found.value
    assert epsilon(ledger(found.value), 1e-5) == found.epsilon
    assert epsilon(ledger(found.value / (1 + 1e-5)), 1e-5).upper > 3.0
    assert epsilon_upper(ledger(constant.value), 1e-5, bins=32) > 4.0


def test_calibrated_schedule() -> None:
    check_schedule(90)


@pytest.mark.slow
def test_calibrated_mnist_schedule() -> None:
    check_schedule(1170)


@given(
    st.floats(-0.95, 0.95),
    st.integers(1, 100),
    st.floats(-4, 0).map(lambda e: 10.0**e),
    st.floats(-1, math.log10(50)).map(lambda e: 10.0**e),
    st.floats(-10, -2).map(lambda e: 10.0**e),
)
@settings(max_examples=5, deadline=None)
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
    assert epsilon_upper(one_by_one, at) <= target * (1 + 1e-9)


def check_post_condition(q: float, steps: int, target: float, at: float) -> None:
    found = calibrate_noise_multiplier(target, at, q, steps)
    again = epsilon(poisson(q, found.noise_multiplier, steps), at)
    assert again == found.epsilon
    assert again.upper <= target
    assert found.slack == target - again.upper >= 0
    assume(found.noise_multiplier > 1e-3)
    assert epsilon(poisson(q, found.noise_multiplier / (1 + 1e-5), steps), at).upper > target


RATES, TARGETS = (
    st.floats(-4, 0).map(lambda e: 10.0**e),
    st.floats(-1, 2).map(lambda e: 10.0**e),
)
MANY = st.floats(1.7, 5).map(lambda e: int(10.0**e))


@given(RATES, MANY, TARGETS, st.floats(-20, -3).map(lambda e: 10.0**e))
@settings(max_examples=8, deadline=None)
def test_post_condition_and_near_optimality(q: float, steps: int, target: float, at: float) -> None:
    check_post_condition(q, steps, target, at)


@pytest.mark.slow
@given(RATES, MANY, TARGETS, st.floats(-20, -1).map(lambda e: 10.0**e))
@settings(max_examples=30, deadline=None)
def test_post_condition_at_any_delta(q: float, steps: int, target: float, at: float) -> None:
    check_post_condition(q, steps, target, at)


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
        assert "are not searched" in found.notes[0]
    assert calibrate_noise_multiplier(1e5, 1e-5, 0.01, 1000).epsilon.upper <= 1e5
    small = calibrate_noise_multiplier(1e-6, 1e-5, 0.01, 1000)
    assert small.epsilon.upper <= 1e-6


def test_a_flat_ledger_is_refused_or_answered() -> None:
    found = calibrate_scale(lambda _: Ledger(), 1.0, 1e-5)
    assert found.epsilon.upper == 0.0
    with pytest.raises(AccountingError, match="out of reach"):
        calibrate_scale(lambda _: poisson(0.1, 0.0, 10), 1.0, 1e-5)


def test_steps() -> None:
    """The run that .65073 was solved for is the longest that it pays for."""

    def ledger(steps: int) -> Ledger:
        return poisson(256 / 60000, 0.6507336, steps)

    found = calibrate_steps(ledger, 3.0, 1e-5)
    assert (found.value, found.solved_for) == (1170, "steps")
    assert isinstance(found.value, int)
    assert found.epsilon == epsilon(ledger(1170), 1e-5)
    assert epsilon(ledger(1171), 1e-5).upper > 3.0
    most = calibrate_steps(lambda n: poisson(1e-9, 10.0, n), 3.0, 1e-5)
    assert most.value == 10**9
    assert "more than 1,000,000,000 steps" in most.notes[0]
    with pytest.raises(AccountingError, match="one step alone costs"):
        calibrate_steps(lambda n: poisson(1.0, 0.1, n), 3.0, 1e-5)
    with pytest.raises(AccountingError, match="noise_multiplier: steps was solved for"):
        _ = found.noise_multiplier


@given(st.floats(0.4, 20), st.floats(-4, 0).map(lambda e: 10.0**e), st.floats(-1, 1).map(lambda e: 10.0**e))
@settings(max_examples=5, deadline=None)
def test_one_step_more_breaks_the_target(noise: float, q: float, target: float) -> None:
    def ledger(steps: int) -> Ledger:
        return poisson(q, noise, steps)

    assume(epsilon(ledger(1), 1e-5).upper <= target)
    found = calibrate_steps(ledger, target, 1e-5)
    assert epsilon(ledger(round(found.value)), 1e-5).upper <= target
    assert found.notes or epsilon(ledger(round(found.value) + 1), 1e-5).upper > target


def test_a_schedule_keeps_its_shape_over_the_steps() -> None:
    def ledger(steps: int) -> Ledger:
        return poisson(0.05, Schedule("cosine", steps, 1.5, {"amplitude": 0.3}), steps)

    found = calibrate_steps(ledger, 2.0, 1e-5, most=10**6)
    steps = round(found.value)
    assert epsilon(ledger(steps), 1e-5).upper <= 2.0 < epsilon(ledger(steps + 1), 1e-5).upper


def test_sample_rate() -> None:
    found = calibrate_sample_rate(lambda q: poisson(q, 0.6507336, 1170), 3.0, 1e-5)
    assert found.value == pytest.approx(256 / 60000, rel=1e-5)
    assert found.epsilon == epsilon(poisson(found.value, 0.6507336, 1170), 1e-5)
    assert calibrate_sample_rate(lambda q: poisson(q, 1e4, 10), 3.0, 1e-5).value == 1.0
    with pytest.raises(AccountingError, match="no sample rate down to 1e-15 keeps it"):
        calibrate_sample_rate(lambda q: poisson(q, 0.0, 10), 3.0, 1e-5)


def test_delta() -> None:
    ledger = poisson(256 / 60000, 0.6507336, 1170)
    found = calibrate_delta(ledger, 3.0)
    assert found.value == pytest.approx(1e-5, rel=1e-4)
    assert found.epsilon == epsilon(ledger, found.value)
    assert found.epsilon.upper <= 3.0
    assert found.value >= delta(ledger, 3.0).upper * (1 - 1e-15)
    assert calibrate_delta(poisson(0.001, 100.0, 10), 3.0).value == 1e-300
    with pytest.raises(AccountingError, match="nothing is released"):
        calibrate_delta(Ledger(), 1.0)
    with pytest.raises(AccountingError, match="no delta below 1"):
        calibrate_delta(poisson(0.5, 0.0, 10), 1.0)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan, math.inf])
def test_bad_targets(target: float) -> None:
    for solve in (
        lambda: calibrate_steps(lambda n: poisson(0.1, 1.0, n), target, 1e-5),
        lambda: calibrate_sample_rate(lambda q: poisson(q, 1.0, 5), target, 1e-5),
        lambda: calibrate_delta(poisson(0.1, 1.0, 5), target),
        lambda: calibrate_scale(lambda x: poisson(0.1, x, 5), target, 1e-5),
    ):
        with pytest.raises(AccountingError, match="target_epsilon"):
            solve()
