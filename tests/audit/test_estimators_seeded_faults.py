"""Estimators broken on purpose: for each fault the check named beside it must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import estimators_checks as checks
import numpy as np
import pytest

from refdp.audit.estimators import (
    _guesses,
    _mann_whitney,
    _one_threshold,
    _rates,
    clopper_pearson,
    gdp,
    gdp_threshold,
    one_run,
    one_run_f_dp,
)
from refdp.audit.estimators.base import Design
from refdp.audit.scores import Scores

Patch = pytest.MonkeyPatch


def clear() -> None:
    for cached in (_rates.lay_out, _guesses.plan, one_run.bound, one_run_f_dp.bound):
        cached.cache_clear()
    _mann_whitney._at.cache_clear()
    _mann_whitney._gaps.cache_clear()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    clear()
    yield
    clear()


def whole_miss_for_each_rate(patch: Patch) -> None:
    patch.setattr(clopper_pearson, "upper_rate", lambda count, n, miss: _rates.upper_rate(count, n, 2 * miss))


def two_sided_rates(patch: Patch) -> None:
    patch.setattr(clopper_pearson, "upper_rate", lambda count, n, miss: _rates.upper_rate(count, n, miss / 2))


def one_direction_only(patch: Patch) -> None:
    def bound(positives, outside, negatives, planted, delta, miss):  # type: ignore[no-untyped-def]
        up, down = (
            _rates.upper_rate(positives, outside, miss / 2),
            _rates.upper_rate(negatives, planted, miss / 2),
        )
        return np.log(np.maximum(1 - delta - down, 0)) - np.log(up)

    patch.setattr(clopper_pearson, "bound", bound)


def threshold_chosen_on_what_is_counted(patch: Patch) -> None:
    def count(scores: Scores, design: Design, bound: _rates.Bound) -> _rates.Rates:
        outside, planted = np.sort(scores.outside), scores.planted
        ranks = np.unique(np.round(np.geomspace(1, len(outside), 60)).astype(int))
        found = [
            _rates.Rates(int(j) - 1, len(outside), int((planted <= outside[-j]).sum()), len(planted))
            for j in ranks
        ]
        return max(found, key=lambda rates: rates.bound(bound, design))

    patch.setattr(_one_threshold, "count", count)


def point_rates(patch: Patch) -> None:
    patch.setattr(gdp_threshold, "upper_rate", lambda count, n, miss: (count + 1) / (n + 1))


def rank_counts_one_too_few(patch: Patch) -> None:
    """With one outside score above, the chance of another is not that of none above."""
    real = _rates.upper_rate
    patch.setattr(gdp_threshold, "upper_rate", lambda count, n, miss: real(np.maximum(count - 3, 0), n, miss))


def abstained_canaries_left_out_of_m(patch: Patch) -> None:
    real = one_run.p_value
    patch.setattr(one_run, "p_value", lambda m, guesses, *rest: real(guesses, guesses, *rest))


def no_delta_term(patch: Patch) -> None:
    real = one_run.p_value
    patch.setattr(
        one_run, "p_value", lambda m, guesses, right, epsilon, delta: real(m, guesses, right, epsilon, 0.0)
    )


def strictly_more_right_guesses(patch: Patch) -> None:
    real = one_run.p_value
    patch.setattr(one_run, "p_value", lambda m, guesses, right, *rest: real(m, guesses, right + 1, *rest))


def many_numbers_of_guesses_uncorrected(patch: Patch) -> None:
    def plan(bound: _guesses.Bound, m: int, design: Design) -> _guesses.Plan:
        return _guesses.Plan(tuple((k, design.miss) for k in range(10, m // 2, 12)))

    plan.cache_clear = lambda: None  # type: ignore[attr-defined]
    patch.setattr(_guesses, "plan", plan)


def f_dp_abstained_left_out_of_m(patch: Patch) -> None:
    real = one_run_f_dp.refuted
    patch.setattr(one_run_f_dp, "refuted", lambda m, guesses, *rest: real(guesses, guesses, *rest))


def f_dp_mass_started_too_high(patch: Patch) -> None:
    real = one_run_f_dp.refuted
    patch.setattr(one_run_f_dp, "refuted", lambda m, guesses, v, mu, miss: real(m, guesses, v, mu, 2 * miss))


def in_given_order(patch: Patch) -> None:
    """Ties as a stable sort leaves them: planted canaries, first in the input, are above the rest."""

    def order(scores: Scores, seed: int) -> Scores:
        sizes = np.cumsum([len(scores.planted), len(scores.left_out)])
        pooled = np.concatenate([scores.planted, scores.left_out, scores.references])
        places = np.empty(len(pooled))
        places[np.lexsort((-np.arange(len(pooled)), pooled))] = np.arange(len(pooled))
        return Scores(*np.split(places, sizes), scores.fair_coins, scores.runs)

    for module in (_rates, _guesses):
        patch.setattr(module, "untied", order)


def ties_count_as_wins(patch: Patch) -> None:
    patch.setattr(gdp, "wins", lambda p, o: int(np.searchsorted(np.sort(o), p, side="right").sum()))


def half_of_the_miss(patch: Patch) -> None:
    real = gdp.Gdp._replicates

    def halved(self: gdp.Gdp, *sizes_and_design: object) -> tuple[_mann_whitney.Replicates, int]:
        replicates, k = real(self, *sizes_and_design)  # type: ignore[arg-type]
        return replicates, k // 2

    patch.setattr(gdp.Gdp, "_replicates", halved)


def largest_instead_of_smallest(patch: Patch) -> None:
    """The upper end of the interval in place of the lower one."""
    real = gdp.Gdp._replicates

    def turned(self: gdp.Gdp, *sizes_and_design: object) -> tuple[_mann_whitney.Replicates, int]:
        replicates, k = real(self, *sizes_and_design)  # type: ignore[arg-type]
        return replicates, replicates.number + 1 - k

    patch.setattr(gdp.Gdp, "_replicates", turned)


def observed_one_too_many(patch: Patch) -> None:
    real = _mann_whitney.wins
    patch.setattr(gdp, "wins", lambda planted, outside: real(planted, outside) + 1)


def coins_not_asked_for(patch: Patch) -> None:
    real = _guesses.one_run

    def trusting(name, bound, scores, design, assumes):  # type: ignore[no-untyped-def]
        trusted = Scores(scores.planted, scores.left_out, scores.references, True)
        return real(name, bound, trusted, design, assumes)

    for module in (one_run, one_run_f_dp):
        patch.setattr(module, "one_run", trusting)


FAULTS: tuple[tuple[Callable[[Patch], None], Callable[[], None]], ...] = (
    (whole_miss_for_each_rate, checks.check_clopper_pearson_values),
    (two_sided_rates, checks.check_clopper_pearson_values),
    (one_direction_only, checks.check_clopper_pearson_values),
    (threshold_chosen_on_what_is_counted, lambda: checks.check_null("bayesian")),
    (point_rates, lambda: checks.check_null("gdp-threshold")),
    (rank_counts_one_too_few, lambda: checks.check_coverage("gdp-threshold", 2.0, expected=10.0)),
    (abstained_canaries_left_out_of_m, checks.check_one_run_values),
    (no_delta_term, checks.check_one_run_values),
    (strictly_more_right_guesses, checks.check_one_run_values),
    (many_numbers_of_guesses_uncorrected, lambda: checks.check_null("one-run")),
    (f_dp_abstained_left_out_of_m, checks.check_f_dp_values),
    (f_dp_mass_started_too_high, checks.check_f_dp_values),
    (in_given_order, checks.check_ties_are_blind),
    (in_given_order, lambda: checks.check_null("clopper-pearson", checks.tied)),
    (in_given_order, lambda: checks.check_null("one-run", checks.tied)),
    (ties_count_as_wins, lambda: checks.check_null("gdp", checks.tied)),
    (half_of_the_miss, checks.check_gdp_inversion),
    (largest_instead_of_smallest, checks.check_gdp_inversion),
    (largest_instead_of_smallest, lambda: checks.check_coverage("gdp", 1.0)),
    (observed_one_too_many, checks.check_gdp_inversion),
    (coins_not_asked_for, checks.check_coins_are_needed),
)


@pytest.mark.parametrize(
    ("fault", "check"), FAULTS, ids=[f"{i}-{fault.__name__}" for i, (fault, _) in enumerate(FAULTS)]
)
def test_a_fault_is_found(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch
) -> None:
    check()
    clear()
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()
