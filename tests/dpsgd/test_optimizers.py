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
