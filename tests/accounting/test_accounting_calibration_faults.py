"""Seeded faults of calibration, each caught by the check beside it (which passes on the library as it is)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import refdp.accounting as acc
from refdp.accounting import (
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    calibrate,
    calibrate_run,
    calibration,
    search,
)

Patch = pytest.MonkeyPatch


def poisson(noise: float | Schedule, rate: float, count: int) -> Ledger:
    return Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", rate), count),))


def check_multiplier() -> None:
    found = calibrate.calibrate_noise_multiplier(3.0, 1e-5, 0.01, 500)
    assert acc.epsilon(poisson(found.value, 0.01, 500), 1e-5).upper <= 3.0
    assert acc.epsilon(poisson(found.value / (1 + 1e-5), 0.01, 500), 1e-5).upper > 3.0
    assert 1.05 < found.rdp_noise_multiplier / found.value < 1.15


def check_scale() -> None:
    def ledger(scale: float) -> Ledger:
        return poisson(Schedule("cosine", 70, scale, {"amplitude": 0.4}), 0.05, 70)

    assert acc.epsilon(ledger(calibrate.calibrate_scale(ledger, 3.0, 1e-5).value), 1e-5).upper <= 3.0


def check_steps() -> None:
    found = calibrate_run.calibrate_steps(lambda n: poisson(1.0, 0.01, n), 2.0, 1e-5)
    assert acc.epsilon(poisson(1.0, 0.01, int(found.value)), 1e-5).upper <= 2.0
    assert acc.epsilon(poisson(1.0, 0.01, int(found.value) + 1), 1e-5).upper > 2.0


def check_rate() -> None:
    found = calibrate_run.calibrate_sample_rate(lambda q: poisson(1.0, q, 100), 2.0, 1e-5)
    assert acc.epsilon(poisson(1.0, found.value, 100), 1e-5).upper <= 2.0
    assert acc.epsilon(poisson(1.0, found.value * (1 + 1e-5), 100), 1e-5).upper > 2.0


def check_delta() -> None:
    found = calibrate_run.calibrate_delta(poisson(1.0, 0.01, 100), 1.0)
    assert acc.epsilon(poisson(1.0, 0.01, 100), found.value).upper <= 1.0


def _no_post_condition(patch: Patch) -> None:
    def answer(
        self: Any, x: float, target: float, name: str, rdp: Any = None, notes: Any = ()
    ) -> acc.Calibration:
        self.full(x)
        return acc.Calibration(x, self.seen[x], target, 0.0, name, rdp, notes)

    patch.setattr(calibration.Upper, "answer", answer)


def _moved(patch: Patch, factor: float, whole: int = 0) -> None:
    """The answer of each search, moved to the unsafe side."""
    _no_post_condition(patch)
    right, rightly = search.least, search.greatest_whole

    def least(*a: Any, **k: Any) -> search.Found | None:
        found = right(*a, **k)
        return found and dataclasses.replace(found, x=found.x * factor)

    def greatest_whole(*a: Any, **k: Any) -> search.Found | None:
        found = rightly(*a, **k)
        return found and dataclasses.replace(found, x=found.x + whole)

    for module in (calibrate, calibrate_run):
        patch.setattr(module, "least", least)
    patch.setattr(calibrate_run, "greatest_whole", greatest_whole)


def _broken_end(patch: Patch) -> None:
    _moved(patch, 1 - 2e-6, 1)


def _safe_but_wasteful(patch: Patch) -> None:
    _moved(patch, 1.001, -1)


def _interval_midpoint(patch: Patch) -> None:
    """The middle of the enclosure: indistinguishable where it is tight, so made wide first."""
    _no_post_condition(patch)

    def middle(self: calibration.Upper, x: float) -> float:
        self.seen[x] = found = acc.epsilon(self.ledger_of(x), self.delta, "all")
        return (0.9 * found.upper + found.upper) / 2

    patch.setattr(calibration.Upper, "full", middle)


def _lower_bound(patch: Patch) -> None:
    _no_post_condition(patch)

    def lower(self: calibration.Upper, x: float) -> float:
        self.seen[x] = found = acc.epsilon(self.ledger_of(x), self.delta, "all")
        return found.lower * (1 - 1e-5)

    patch.setattr(calibration.Upper, "full", lower)


def _stand_in_believed(patch: Patch) -> None:
    """A few multipliers in place of the schedule, and the post-condition checked on these."""
    patch.setattr(calibration, "_SURROGATE", 2)

    def rough(self: calibration.Upper, x: float) -> float:
        few = calibration.grouped(self.ledger_of(x), 2, "mean")
        self.seen[x] = found = acc.epsilon(few, self.delta, "all")
        return found.upper

    patch.setattr(calibration.Upper, "full", rough)


def _delta_from_below(patch: Patch) -> None:
    right = calibrate_run.delta_of

    def lower(*a: Any) -> acc.Bounds:
        found = right(*a)
        return dataclasses.replace(found, upper=found.lower * (1 - 1e-6))

    patch.setattr(calibrate_run, "delta_of", lower)
    patch.setattr(calibrate_run, "epsilon", lambda *a: dataclasses.replace(acc.epsilon(*a), upper=0.0))


def _rdp_by_the_tight_bound(patch: Patch) -> None:
    patch.setattr(
        calibrate, "epsilon_upper", lambda ledger, delta, accountant: acc.epsilon_upper(ledger, delta)
    )


FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (_broken_end, check_multiplier),
    (_broken_end, check_steps),
    (_broken_end, check_rate),
    (_safe_but_wasteful, check_multiplier),
    (_safe_but_wasteful, check_steps),
    (_safe_but_wasteful, check_rate),
    (_interval_midpoint, check_multiplier),
    (_interval_midpoint, check_steps),
    (_lower_bound, check_multiplier),
    (_lower_bound, check_rate),
    (_stand_in_believed, check_scale),
    (_delta_from_below, check_delta),
    (_rdp_by_the_tight_bound, check_multiplier),
]


@pytest.mark.parametrize(
    ("fault", "check"), FAULTS, ids=[f"{f.__name__[1:]}-{c.__name__}" for f, c in FAULTS]
)
def test_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("check", [check_multiplier, check_scale, check_steps, check_rate, check_delta])
def test_checks_pass(check: Callable[[], None]) -> None:
    check()


def test_the_post_condition_is_checked(monkeypatch: Patch) -> None:
    monkeypatch.setattr(calibrate, "least", lambda *a, **k: search.Found(0.5, None))
    with pytest.raises(acc.AccountingError, match="broke its post-condition"):
        calibrate.calibrate_noise_multiplier(3.0, 1e-5, 0.01, 500)
