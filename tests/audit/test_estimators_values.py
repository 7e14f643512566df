"""Estimators against values of other tools, exact computation and brute force."""

from __future__ import annotations

import estimators_checks as checks
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom

from refdp.audit.estimators import Design, bayesian, one_run, one_run_f_dp
from refdp.audit.estimators._rates import Rates


def test_clopper_pearson() -> None:
    checks.check_clopper_pearson_values()


def test_one_run() -> None:
    checks.check_one_run_values()


def test_one_run_f_dp() -> None:
    checks.check_f_dp_values()


def test_gdp() -> None:
    checks.check_gdp_inversion()


@pytest.mark.parametrize("m", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0, 3.0])
def test_f_dp_never_refutes_a_gaussian_more_often_than_said(m: int, mu: float) -> None:
    """Guessing every canary of independent Gaussians is Binomial(m, Phi(mu / 2)) right: exactly."""
    for miss in (0.01, 0.05, 0.3, 0.7):
        least = next((v for v in range(m + 1) if one_run_f_dp.refuted(m, m, v, mu, miss)), None)
        if least is not None:
            assert binom.sf(least - 1, m, ndtr(mu / 2)) < miss


@pytest.mark.parametrize(("m", "guesses"), [(2, 1), (3, 2), (6, 2), (20, 5)])
def test_f_dp_with_abstention(m: int, guesses: int) -> None:
    """Guessing the surest of independent Gaussians, 200,000 draws."""
    for mu in (0.3, 1.0, 2.5):
        rng = np.random.default_rng(5)
        planted = rng.random((200_000, m)) < 0.5
        lean = rng.standard_normal(planted.shape) + mu * planted - mu / 2
        surest = np.argsort(-abs(lean), axis=1)[:, :guesses]
        right = np.take_along_axis((lean > 0) == planted, surest, axis=1).sum(axis=1)
        for miss in (0.05, 0.3, 0.6, 0.9):
            least = next(
                (v for v in range(guesses + 1) if one_run_f_dp.refuted(m, guesses, v, mu, miss)), None
            )
            if least is not None:
                share = float((right >= least).mean())
                assert share < miss + 4 * np.sqrt(miss / len(right)), (mu, miss)


def test_f_dp_is_tight_for_one_canary() -> None:
    """One canary, one guess: the most right guesses mu-GDP allows are Phi(mu / 2), and no less is refuted."""
    for mu in (0.1, 1.0, 2.0):
        most = float(ndtr(mu / 2))
        assert one_run_f_dp.refuted(1, 1, 1, mu, most + 1e-6)
        assert not one_run_f_dp.refuted(1, 1, 1, mu, most - 1e-6)


def test_more_right_guesses_show_more() -> None:
    for tool in (one_run, one_run_f_dp):
        values = [tool.bound(300, 100, v, 1e-5, 0.05) for v in range(101)]
        assert values == sorted(values)


def test_bayesian_quantile_against_draws() -> None:
    """10^6 draws from the posterior: the share below the bound is the chance to miss, or a little less."""
    rng = np.random.default_rng(3)
    for rates in (Rates(3, 500, 400, 500), Rates(0, 10_000, 450, 500), Rates(100, 500, 100, 500)):
        value = checks.make("bayesian").value(rates, Design(1e-5))  # type: ignore[attr-defined]
        false_positive = rng.beta(rates.positives + 0.5, rates.outside - rates.positives + 0.5, 10**6)
        false_negative = rng.beta(rates.negatives + 0.5, rates.planted - rates.negatives + 0.5, 10**6)
        one = np.log((1 - 1e-5 - false_negative) / false_positive)
        other = np.log((1 - 1e-5 - false_positive) / false_negative)
        share = float((np.maximum(one, other) <= value).mean())
        assert 0.05 - 2 / bayesian.CELLS - 0.001 < share < 0.05 + 0.001
