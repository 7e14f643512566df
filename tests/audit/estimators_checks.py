"""Checks of estimators that seeded faults must fail: each is called by a test, and again on broken code."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import Design, Estimator, clopper_pearson, estimators, one_run, one_run_f_dp
from refdp.audit.estimators._rates import upper_rate
from refdp.audit.scores import Scores

NAMES = ("bayesian", "clopper-pearson", "gdp", "gdp-threshold", "one-run", "one-run-f-dp")
NO_SHAPE = ("bayesian", "clopper-pearson", "one-run")  # those that do not assume mu-GDP
REPEATS = 200
MOST = 17  # of 200 at 5 %: more happen with a chance of 0.8 %
DELTA = 1e-5
Kind = Callable[[np.random.Generator, int, float], np.ndarray]


def gaussian(rng: np.random.Generator, n: int, shift: float) -> np.ndarray:
    return rng.standard_normal(n) + shift


def skewed(rng: np.random.Generator, n: int, shift: float) -> np.ndarray:
    return np.exp(3 * (rng.standard_normal(n) + shift))


def tied(rng: np.random.Generator, n: int, shift: float) -> np.ndarray:
    return np.clip(np.floor(2 * (rng.standard_normal(n) + shift)), 0, 2)


def draw(
    seed: int, shift: float, kind: Kind = gaussian, n: int = 500, references: int = 0, coins: bool = False
) -> Scores:
    rng = np.random.default_rng([20, seed])
    n1 = int(rng.binomial(2 * n, 0.5)) if coins else n
    return Scores(
        kind(rng, n1, shift), kind(rng, 2 * n - n1, 0.0), kind(rng, references, 0.0), fair_coins=True
    )


def make(name: str) -> Estimator:
    return estimators.create(name)


def check_null(name: str, kind: Kind = gaussian, references: int = 0, expected: float | None = 4.0) -> None:
    """No leak: 0 in at least 183 of 200 repetitions."""
    estimator, design = make(name), Design(DELTA, 0.95, expected)
    coins = name.startswith("one-run")
    drawn = (draw(seed, 0.0, kind, references=references, coins=coins) for seed in range(REPEATS))
    positive = sum(estimator.exceeds(scores, design, 0.0) for scores in drawn)
    assert positive <= MOST, f"{name}: above 0 in {positive} of {REPEATS}"


def check_coverage(
    name: str, mu: float, kind: Kind = gaussian, expected: float | None = 4.0, references: int = 0
) -> None:
    """A Gaussian leak of known epsilon: the bound exceeds it in at most 17 of 200 repetitions."""
    estimator, design = make(name), Design(DELTA, 0.95, expected)
    truth = gaussian_epsilon(mu, DELTA)[1]
    coins = name.startswith("one-run")
    drawn = (draw(seed, mu, kind, references=references, coins=coins) for seed in range(REPEATS))
    above = sum(estimator.exceeds(scores, design, truth) for scores in drawn)
    assert above <= MOST, f"{name}: above the truth in {above} of {REPEATS}"


def worst_case(seed: int, epsilon: float, delta: float, n: int) -> Scores:
    """Randomised response that gives itself away with chance delta: every bound of (epsilon, delta)-DP is met."""
    rng = np.random.default_rng([30, seed])
    planted = rng.random(2 * n) < 0.5
    told = planted ^ (rng.random(2 * n) > math.exp(epsilon) / (1 + math.exp(epsilon)))
    scores = np.where(rng.random(2 * n) < delta, np.where(planted, 3.0, -3.0), np.where(told, 1.0, -1.0))
    return Scores(scores[planted], scores[~planted], fair_coins=True)


def check_worst_case(name: str, epsilon: float = 1.0, delta: float = 1e-3, n: int = 250) -> None:
    """The mechanism that leaks all it may: the bound exceeds epsilon in at most 17 of 200 repetitions."""
    estimator, design = make(name), Design(delta, 0.95, epsilon)
    drawn = (worst_case(seed, epsilon, delta, n) for seed in range(REPEATS))
    above = sum(estimator.exceeds(scores, design, epsilon) for scores in drawn)
    assert above <= MOST, f"{name}: above the truth in {above} of {REPEATS}"


# jax_privacy 2.0.0, python 3.11: auditing._clopper_pearson_upper(count, trials, miss)
UPPER = {
    (0, 500, 0.025): 0.007350610051907784,
    (3, 500, 0.025): 0.017433673725913514,
    (250, 500, 0.05): 0.5377076903470536,
    (9, 10, 0.01): 0.99899547129175,
    (10, 10, 0.01): 1.0,
}
# auditing._one_run_p_value(m, guesses, right, epsilon, delta)
P_VALUES = {
    (1000, 1000, 600, 0.2, 1e-5): 0.0010232412152254599,
    (1000, 100, 80, 0.5, 1e-5): 0.0008695565413869825,
    (100, 100, 100, 3.0, 1e-5): 0.008025390790710137,
    (5000, 400, 350, 1.5, 1e-6): 0.0015000896358107823,
    (200, 40, 39, 2.0, 1e-3): 0.10195248684671943,
}
# (m, guesses, right, delta, miss): auditing._epsilon_one_run, _epsilon_one_run_fdp (0, m, guesses, right, miss, delta)
BOUNDS = {
    (1000, 1000, 600, 1e-5, 0.05): (0.2972269575896597, 0.5835403679239116),
    (1000, 100, 80, 1e-5, 0.05): (0.9553185001776855, 1.4022146738385823),
    (100, 100, 100, 1e-5, 0.05): (3.4902158675692982, 8.216186103950786),
    (5000, 400, 350, 1e-6, 0.05): (1.6912330858373719, 2.6665845607633587),
    (200, 40, 39, 1e-3, 0.01): (0.0, 1.853754928998964),
}


def check_clopper_pearson_values() -> None:
    """Rates as jax_privacy's; half the chance to miss goes to each; both directions count."""
    for (count, trials, miss), value in UPPER.items():
        assert math.isclose(float(upper_rate(np.array(float(count)), trials, miss)), value, rel_tol=1e-9)
    few, some = UPPER[0, 500, 0.025], UPPER[3, 500, 0.025]
    for errors in ((0.0, 3.0), (3.0, 0.0)):
        counts = np.array([errors[0]]), 500, np.array([errors[1]]), 500
        assert math.isclose(
            float(clopper_pearson.bound(*counts, DELTA, 0.05)[0]),
            math.log((1 - DELTA - some) / few),
            abs_tol=1e-7,
        )


def check_one_run_values() -> None:
    """p-values and bounds as jax_privacy's, rounded down."""
    for arguments, value in P_VALUES.items():
        assert math.isclose(one_run.p_value(*arguments), value, rel_tol=1e-9)
    for arguments, (value, _) in BOUNDS.items():
        assert value - 3e-6 <= one_run.bound(*arguments) <= value + 1e-6
    p = one_run.p_value(1000, 1000, 600, one_run.bound(1000, 1000, 600, 1e-5, 0.05), 1e-5)
    assert 0.05 * (1 - 1e-5) < p <= 0.05


def check_f_dp_values() -> None:
    """Bounds as jax_privacy's."""
    for arguments, (_, value) in BOUNDS.items():
        assert value - 3e-6 <= one_run_f_dp.bound(*arguments) <= value + 2e-6


def check_gdp_inversion() -> None:
    """mu is the k-th smallest of the replicates' own, k = 50 of 999, found by brute force."""
    scores, design = draw(3, 1.0, n=12), Design(DELTA)
    won = int((scores.planted[:, None] > scores.left_out).sum())
    own = []
    for r in range(999):
        rng = np.random.default_rng([0, 2, r])
        z1, z0 = np.sort(rng.standard_normal(12)), np.sort(rng.standard_normal(12))
        own.append(np.sort((z0[:, None] - z1).ravel())[won - 1])
    expected = np.sort(own)[49]
    found = make("gdp").estimate(scores, design).details["mu"]
    assert expected - 2e-7 < found <= expected


def check_ties_are_blind() -> None:
    """A constant score tells nothing, and no order of the input makes it tell something."""
    for name in NAMES:
        constant = Scores(np.ones(500), np.ones(500), np.ones(100), fair_coins=True)
        assert make(name).estimate(constant, Design(DELTA)).epsilon == 0.0, name


def check_coins_are_needed() -> None:
    """Without fair coins, guesses are refused."""
    for name in ("one-run", "one-run-f-dp"):
        plain = Scores(np.ones(500), np.zeros(500))
        found = make(name).estimate(plain, Design(DELTA))
        assert found.epsilon is None, name
        assert found.refused is not None
        assert "fair coin" in found.refused
