"""The order is found on steep schedules too, where a few steps carry almost all of the cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, epsilon
from refdp.accounting.conversions.balle2020 import epsilon_from_rdp
from refdp.accounting.rdp_poisson import rdp_values


@pytest.mark.parametrize(
    ("amplitude", "scale"), [(0.99, 50.0), (0.999, 400.0), (0.9999, 4000.0), (0.25, 0.8)]
)
def test_a_scan_of_orders_on_the_true_multipliers_finds_nothing_much_better(
    amplitude: float, scale: float
) -> None:
    steps, rate = 1500, 0.004
    schedule = Schedule("cosine", steps, scale, {"amplitude": amplitude})
    found = epsilon(
        Ledger("add-remove", (GaussianEvent(schedule, Sampling("poisson", rate), steps),)), 1e-5, "rdp"
    ).upper  # the accountant "all" takes the least of this and others
    values = schedule.noise_multipliers()
    scan = [
        epsilon_from_rdp(order, math.fsum(rdp_values(rate, values, order)), 1e-5)
        for order in 1 + np.geomspace(0.05, 60, 40)
    ]
    assert found is not None
    assert found <= min(scan) * 1.01
