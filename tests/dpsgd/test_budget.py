"""No calibrated run costs more than its target, whatever the schedule, the sampler and the sizes."""

from __future__ import annotations

import checks
import pytest
from helpers import small_data, small_plan
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refdp.accounting import Schedule, epsilon

AMPLITUDES, STEPS, TARGETS = st.floats(-0.99, 0.99), st.integers(1, 40), st.floats(0.05, 60)
DELTAS = st.sampled_from([1e-3, 1e-5, 1e-10])


@settings(max_examples=8)
@given(amplitude=AMPLITUDES, steps=STEPS, rate=st.floats(2e-3, 1.0), target=TARGETS, delta=DELTAS)
@example(amplitude=0.25, steps=200, rate=0.005, target=3.0, delta=1e-5)  # where the harmonic rule overspends
@example(amplitude=0.99, steps=2, rate=1.0, target=1.0, delta=1e-5)
@example(amplitude=0.5, steps=2, rate=0.01, target=3.0, delta=0.015)  # delta above the sampling rate
def test_a_cosine_schedule_never_exceeds_its_target(
    amplitude: float, steps: int, rate: float, target: float, delta: float
) -> None:
    checks.check_cosine_budget(amplitude, steps, rate, target, delta)


@pytest.mark.slow
@settings(max_examples=20)
@given(amplitude=AMPLITUDES, steps=STEPS, rate=st.floats(1e-5, 1.0), target=TARGETS, delta=DELTAS)
def test_nor_at_rates_below_delta(
    amplitude: float, steps: int, rate: float, target: float, delta: float
) -> None:
    """The accountant takes seconds there: one such run is an example above."""
    checks.check_cosine_budget(amplitude, steps, rate, target, delta)


@settings(max_examples=12)
@given(
    amplitude=st.floats(-0.95, 0.95),
    steps=st.integers(1, 40),
    batch_size=st.integers(1, 60),
    target=st.floats(0.3, 20),
    sampling=st.sampled_from(["poisson", "shuffle", "fixed-order"]),
)
def test_a_plan_calibrated_to_a_target_keeps_it(
    amplitude: float, steps: int, batch_size: int, target: float, sampling: str
) -> None:
    data = small_data()
    schedule = Schedule("cosine", steps, 1.0, {"amplitude": amplitude})
    plan = small_plan(data, sampling=sampling, batch_size=batch_size, schedule=schedule).calibrated(target)
    spent = [epsilon(plan.ledger(t), plan.delta).upper for t in (0, steps // 2, steps)]
    assert spent[0] == 0.0
    assert spent[-1] <= target
    assert spent[1] <= spent[2] * (1 + 1e-9)


def test_calibration_is_sound() -> None:
    checks.sound(checks.check_calibration)
