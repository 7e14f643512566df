"""Seeded faults: each is caught by the check named beside it (which passes on the library as it is)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import named_checks
import numpy as np
import pytest
from edits import edit

import refdp.accounting as acc
from refdp.accounting import (
    _quadrature,
    accountant,
    composition,
    lower,
    orders,
    rdp_poisson,
    schedules,
)
from refdp.accounting.kernels import poisson

Patch = pytest.MonkeyPatch


def _converted(patch: Patch, epsilon_from_rdp: Callable[[float, float, float], float]) -> None:
    right = accountant.CONVERSIONS[accountant.CONVERSION]
    wrong = dataclasses.replace(right, epsilon_from_rdp=epsilon_from_rdp)
    patch.setattr(accountant, "CONVERSIONS", {accountant.CONVERSION: wrong})


def _wrong_conversion_sign(patch: Patch) -> None:
    _converted(patch, lambda a, r, d: r + math.log1p(-1 / a) + (math.log(d) + math.log(a)) / (a - 1))


def _order_log_dropped_twice(patch: Patch) -> None:
    """shrink counted twice: an epsilon too small."""
    right = accountant.CONVERSIONS[accountant.CONVERSION].epsilon_from_rdp
    _converted(patch, lambda a, r, d: right(a, r, d) + 50 * math.log1p(-1 / a))


def _no_one_minus_q(patch: Patch) -> None:
    """u = q e^x instead of q (e^x - 1)."""

    def wrong(q: float, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = q * np.exp(np.minimum(x, 600.0))
        return u, np.log1p(u)

    patch.setattr(_quadrature, "_log_ratio", wrong)


def _rate_squared_lost(patch: Patch) -> None:
    right = rdp_poisson.rdp_values
    patch.setattr(rdp_poisson, "rdp_values", lambda q, s, a: right(q / 1.0000001, s, a))


def _no_error_bound_and_rounded_down(patch: Patch) -> None:
    right = rdp_poisson._from_moment
    patch.setattr(rdp_poisson, "_from_moment", lambda m, b: right(m, b) * (1 - 1e-12))


def _order_grid(patch: Patch) -> None:
    def wrong(bound: Callable[[float], float], start: float = 8.0) -> orders.BestOrder:
        return min((orders.BestOrder(bound(a), a) for a in range(2, 64)), key=lambda b: b.value)

    patch.setattr(accountant, "minimise_over_orders", wrong)


def _cancelling_moment(patch: Patch) -> None:
    """A summed first, 1 subtracted after."""
    right = rdp_poisson._from_moment

    def wrong(moment: _quadrature.Moment, beta: float) -> np.ndarray:
        a = np.exp(np.log1p(np.exp(np.minimum(moment.log_excess, 30))))
        small = moment.log_excess < 0
        with np.errstate(divide="ignore"):
            excess = np.where(small, np.log(np.maximum(a - 1, 1e-320)), moment.log_excess)
        return right(_quadrature.Moment(excess, moment.error), beta)

    patch.setattr(rdp_poisson, "_from_moment", wrong)


def _sensitivity_one(patch: Patch) -> None:
    edit(patch, composition.Composition, "of", "kernel.distance / values", "1.0 / values")


def _amplified_shuffle(patch: Patch) -> None:
    right = acc.GaussianEvent.multipliers

    def wrong(self: acc.GaussianEvent) -> Any:
        values, counts = right(self)
        return values * 10 if self.sampling.scheme == "shuffle" else values, counts

    patch.setattr(acc.GaussianEvent, "multipliers", wrong)


def _effective_multiplier(patch: Patch) -> None:
    """A schedule accounted as the constant of its harmonic mean."""

    def wrong(self: schedules.Schedule) -> np.ndarray:
        values = self.scale * self.ratios()
        return np.full_like(values, 1 / math.sqrt(np.mean(1 / values**2)))

    patch.setattr(schedules.Schedule, "noise_multipliers", wrong)


def _arithmetic_normalisation(patch: Patch) -> None:
    right = schedules.Schedule.ratios

    def wrong(self: schedules.Schedule, steps: int | None = None) -> np.ndarray:
        r = right(self, steps)
        return r / np.sqrt(np.mean(r**2))

    patch.setattr(schedules.Schedule, "ratios", wrong)


def _nothing_costs_something(patch: Patch) -> None:
    patch.setattr(composition.Composition, "is_empty", lambda self: False)


def _lower_ignores_delta(patch: Patch) -> None:
    right = lower.poisson_epsilon_lower
    patch.setattr(lower, "poisson_epsilon_lower", lambda q, s, c, d: right(q, s, c, d / 1000) * 1.2)


def _lower_takes_least_noisy(patch: Patch) -> None:
    right = lower.poisson_epsilon_lower
    patch.setattr(lower, "poisson_epsilon_lower", lambda q, s, c, d: right(q, s / 2, c, d))


def _noise_inverted(patch: Patch) -> None:
    right = poisson.rdp_values
    patch.setattr(poisson, "rdp_values", lambda q, s, a: right(q, 1 / s, a))


FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (_wrong_conversion_sign, named_checks.check_epsilon_encloses_truth),
    (_order_log_dropped_twice, named_checks.check_epsilon_encloses_truth),
    (_no_one_minus_q, named_checks.check_rdp_close_to_truth),
    (_rate_squared_lost, named_checks.check_rdp_above_truth),
    (_no_error_bound_and_rounded_down, named_checks.check_rdp_above_truth),
    (_order_grid, named_checks.check_upper_is_tight_for_rdp),
    (_cancelling_moment, named_checks.check_excess_at_tiny_rate),
    (_sensitivity_one, named_checks.check_replace_one_doubles),
    (_amplified_shuffle, named_checks.check_shuffle_not_amplified),
    (_effective_multiplier, named_checks.check_harmonic_schedule_exceeds),
    (_arithmetic_normalisation, named_checks.check_schedule_rdp_above_harmonic),
    (_nothing_costs_something, named_checks.check_empty_is_free),
    (_lower_ignores_delta, named_checks.check_lower_below_exact),
    (_lower_takes_least_noisy, named_checks.check_lower_below_exact),
    (_noise_inverted, named_checks.check_monotone_in_noise),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[f"{f.__name__[1:]}" for f, _ in FAULTS])
def test_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, acc.AccountingError)) as caught:
        check()
    # the library's own check of lower <= upper counts, a refusal of the input does not
    assert caught.type is AssertionError or "please report" in str(caught.value)


def test_every_named_check_guards_a_fault_and_passes() -> None:
    checks = {check for _, check in FAULTS}
    named = {value for name, value in vars(named_checks).items() if name.startswith("check_")}
    elsewhere = {named_checks.check_calibration_keeps_target}  # test_accounting_calibration_faults
    assert checks == named - elsewhere
    for check in (named_checks.check_excess_at_tiny_rate, named_checks.check_empty_is_free):
        check()
