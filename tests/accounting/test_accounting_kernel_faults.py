"""Seeded faults in kernels, conversions and events: each is caught by the check named beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpmath")
import kernel_checks

from refdp.accounting import _half_line
from refdp.accounting.conversions import CONVERSIONS, asoodeh2020
from refdp.accounting.kernels import (
    BallsAndBins,
    PoissonGroup,
    TruncatedPoisson,
    Unsampled,
    WithoutReplacement,
    balls_and_bins,
)
from refdp.accounting.releases import band_mf, histogram, quantile
from refdp.accounting.schemes import full_batch

Patch = pytest.MonkeyPatch


def _denominator_forgotten(patch: Patch) -> None:
    """Replace-one as if the other data set had no record."""
    right = _half_line._Grid._loss

    def wrong(self: Any, x: np.ndarray, c: np.ndarray) -> Any:
        log_a, loss, size = right(self, x, c)
        return log_a, np.maximum(log_a, 0.5 * loss) if self.mirrored else loss, size

    patch.setattr(_half_line._Grid, "_loss", wrong)


def _rounded_down(patch: Patch) -> None:
    right = _half_line._Grid.evaluate
    patch.setattr(
        _half_line._Grid, "evaluate", lambda self, rows: (right(self, rows)[0] - 1e-10, np.zeros(1))
    )


def _coarse_rule(patch: Patch) -> None:
    right = _half_line._Grid.__init__

    def wrong(self: Any, *args: Any) -> None:
        right(self, *args)
        self.h = 12 * self.h

    patch.setattr(_half_line._Grid, "__init__", wrong)


def _distance_one(patch: Patch) -> None:
    patch.setattr(WithoutReplacement, "distance", 1.0)


def _group_of_one(patch: Patch) -> None:
    right = PoissonGroup._mixture
    patch.setattr(PoissonGroup, "_mixture", lambda self: right(dataclasses.replace(self, size=self.size - 1)))


def _cut_ignored(patch: Patch) -> None:
    patch.setattr(TruncatedPoisson, "cut", lambda self, records: (0.0, self.rate))


def _one_bin_more(patch: Patch) -> None:
    right = balls_and_bins._log_moments
    patch.setattr(balls_and_bins, "_log_moments", lambda bins, *rest: right(bins + 1, *rest))


def _add_bound_halved_and_no_remove(patch: Patch) -> None:
    patch.setattr(BallsAndBins, "_remove", lambda self, sigma, order: 0.3 / sigma**2)


def _tangent_too_low(patch: Patch) -> None:
    patch.setattr(asoodeh2020, "_log_room", lambda beta, rdp, v: (math.log(math.expm1(beta * rdp)), 0.0))


def _best_conversion_by_half(patch: Patch) -> None:
    right = CONVERSIONS["asoodeh2020"]
    wrong = dataclasses.replace(
        right, log_delta_from_rdp=lambda a, r, e: right.log_delta_from_rdp(a, r, e) - 0.01
    )
    patch.setattr(kernel_checks, "CONVERSIONS", {"asoodeh2020": wrong})


def _count_for_free(patch: Patch) -> None:
    patch.setattr(quantile, "joined", lambda charge, sensitivity, noise: charge)


def _raw_indicator(patch: Patch) -> None:
    right = quantile.joined
    patch.setattr(
        quantile, "joined", lambda charge, sensitivity, noise: right(charge, 2 * sensitivity, noise)
    )


def _replaced_counts_move_less(patch: Patch) -> None:
    right = histogram.joined
    patch.setattr(histogram, "joined", lambda charge, reach, noise: right(charge, min(reach, 0.5), noise))


def _antipodal_histograms(patch: Patch) -> None:
    patch.setattr(histogram, "replace", lambda kernel, attained: kernel)


def _bands_rounded_down(patch: Patch) -> None:
    right = band_mf.Release.multipliers
    patch.setattr(
        band_mf.BandMFEvent,
        "multipliers",
        lambda self: (right(self)[0], np.array([float(max(self.count // self.bands, 1))])),
    )


def _group_ignored(patch: Patch) -> None:
    patch.setattr(
        full_batch,
        "SCHEME",
        dataclasses.replace(full_batch.SCHEME, kernel=lambda sampling, neighbours: Unsampled(1.0)),
    )
    from refdp.accounting import sampling

    patch.setitem(sampling.SCHEME_BY_NAME, "full-batch", full_batch.SCHEME)


FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (_denominator_forgotten, kernel_checks.check_replace_one_encloses_truth),
    (_rounded_down, kernel_checks.check_profile_encloses_truth),
    (_coarse_rule, kernel_checks.check_replace_one_encloses_truth),
    (_distance_one, kernel_checks.check_profile_encloses_truth),
    (_distance_one, kernel_checks.check_without_replacement_covers_data_sets),
    (_group_of_one, kernel_checks.check_group_encloses_truth),
    (_cut_ignored, kernel_checks.check_truncated_covers_data_sets),
    (_one_bin_more, kernel_checks.check_balls_and_bins_cover_truth),
    (_add_bound_halved_and_no_remove, kernel_checks.check_balls_and_bins_cover_truth),
    (_tangent_too_low, kernel_checks.check_best_conversion_is_attained),
    (_best_conversion_by_half, kernel_checks.check_best_conversion_is_attained),
    (_count_for_free, kernel_checks.check_count_joins_the_gradient),
    (_raw_indicator, kernel_checks.check_count_joins_the_gradient),
    (_replaced_counts_move_less, kernel_checks.check_histogram_distances),
    (_antipodal_histograms, kernel_checks.check_histogram_distances),
    (_bands_rounded_down, kernel_checks.check_band_mf_rounds_up),
    (_group_ignored, kernel_checks.check_group_reaches_further),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[f.__name__[1:] for f, _ in FAULTS])
def test_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()


def test_every_check_guards_a_fault() -> None:
    named = {value for name, value in vars(kernel_checks).items() if name.startswith("check_")}
    assert named == {check for _, check in FAULTS}
