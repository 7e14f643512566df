"""Optimizers and learning-rate schedules against their equations, written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from refdp.errors import RefDPError
from refdp.optimizers import lr_schedules, optimizers


def test_sgd_without_momentum() -> None:
    sgd = optimizers.create("sgd")
    theta, state = np.array([1.0, 2.0]), {}
    np.testing.assert_allclose(sgd.update(np, theta, np.array([0.5, -1.0]), state, 0.1), [0.95, 2.1])
    assert sgd.initial_state(np, theta) == {}


def test_momentum_is_heavy_ball_without_dampening() -> None:
    sgd = optimizers.create("sgd:momentum=0.9")
    theta = np.zeros(1)
    state = sgd.initial_state(np, theta)
    velocity, expected = 0.0, 0.0
    for gradient in (1.0, -2.0, 0.5):
        theta = sgd.update(np, theta, np.array([gradient]), state, 0.3)
        velocity = 0.9 * velocity + gradient
        expected -= 0.3 * velocity
    np.testing.assert_allclose(theta, [expected])


@pytest.mark.parametrize("momentum", ["1", "-0.1", "nan", "inf", "x", "2"])
def test_momentum_outside_its_range_is_refused(momentum: str) -> None:
    with pytest.raises(RefDPError, match="momentum"):
        optimizers.create(f"sgd:momentum={momentum}")


def test_learning_rate_schedules() -> None:
    constant, cosine = lr_schedules.create("constant"), lr_schedules.create("cosine")
    assert [constant.factor(t, 10) for t in (0, 9)] == [1.0, 1.0]
    assert cosine.factor(0, 10) == 1.0
    assert cosine.factor(5, 10) == pytest.approx(0.5)
    assert cosine.factor(9, 10) == pytest.approx((1 + math.cos(0.9 * math.pi)) / 2)


def test_warm_up_reaches_the_whole_rate_and_stays() -> None:
    warmup = lr_schedules.create("warmup:steps=4")
    assert [warmup.factor(t, 10) for t in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert lr_schedules.create("warmup:steps=1").factor(0, 10) == 1.0
    assert lr_schedules.create("warmup:steps=20").factor(9, 10) == 0.5  # never there in a shorter run


def test_warm_up_then_cosine() -> None:
    schedule, cosine = lr_schedules.create("warmup-cosine:steps=4"), lr_schedules.create("cosine")
    assert [schedule.factor(t, 12) for t in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [schedule.factor(4 + t, 12) for t in range(8)] == [cosine.factor(t, 8) for t in range(8)]
    for steps in (4, 3, 1):  # no longer than the warm-up
        assert schedule.factor(steps - 1, steps) == steps / 4


@pytest.mark.parametrize("name", lr_schedules.names())
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_factors_are_above_zero_and_at_most_one(name: str, steps: int) -> None:
    schedule = lr_schedules.create(f"{name}:steps=7" if name.startswith("warmup") else name)
    factors = [schedule.factor(t, steps) for t in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    peak = factors.index(max(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


@pytest.mark.parametrize("name", ["warmup", "warmup-cosine"])
@pytest.mark.parametrize("raw", ["", ":steps=0", ":steps=-1", ":steps=1.5", ":steps=x"])
def test_warm_up_of_no_whole_number_of_steps_is_refused(name: str, raw: str) -> None:
    with pytest.raises(RefDPError, match="steps"):
        lr_schedules.create(name + raw)
