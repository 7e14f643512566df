"""The tight engine against computations that share nothing with it: a grid of losses in the convex order, closed forms
at 60 digits, ball arithmetic, and simulation."""

from __future__ import annotations

import math
import random
from typing import Any

import convex_order
import numpy as np
import pytest
import tight_checks
from named_checks import poisson
from tight_checks import Steps, exposure, inverted, side

from refdp.accounting import GaussianEvent, Ledger, Sampling, delta, epsilon, inversion, tight
from refdp.accounting.gaussian import gaussian_delta
from refdp.accounting.tilt import plan

# rates, multipliers, counts; epsilons; width of the grid's cells, its reach
GRIDS: list[tuple[Steps, list[float], float, float]] = [
    ([(0.3, 1.0, 1)], [0.0, 0.2, 1.0, 3.0], 0.004, 12.0),
    ([(0.5, 0.4, 2)], [1.0, 5.0, 15.0], 0.01, 30.0),
    ([(0.1, 0.7, 3)], [0.02, 1.0, 7.0], 0.004, 14.0),
    ([(0.9, 1.5, 4)], [0.5, 4.0, 9.0], 0.005, 14.0),
    ([(0.1, 0.8, 30)], [0.5, 2.0, 4.0, 8.0], 0.005, 14.0),
    ([(0.01, 1.0, 30)], [0.02, 0.5, 2.0], 0.002, 8.0),
    ([(0.02, 0.7, 10), (0.3, 2.0, 5), (0.8, 4.0, 3)], [0.3, 2.0, 6.0], 0.005, 12.0),
    ([(0.2, 0.6, 1), (0.01, 0.5, 6), (0.6, 3.0, 1)], [0.1, 2.5, 9.0], 0.005, 16.0),
]


def _on_the_grid(steps: Steps, epsilons: list[float], h: float, reach: float) -> list[float]:
    """Asserts that brackets and enclosures overlap, both directions; returns the remove brackets' widths."""
    widths = []
    for direction in (1, -1):
        parts = side(exposure(steps), direction)
        made = [(convex_order.Step(q, s, direction), n) for q, s, n in steps]
        for at, (low, high) in zip(epsilons, convex_order.brackets(made, epsilons, h, reach), strict=True):
            lower, upper = tight._one_delta(parts, 0.0, at)
            assert lower is not None, (steps, direction, at)
            assert upper is not None, (steps, direction, at)
            assert low <= high
            assert lower <= high * (1 + 1e-10) + 1e-25, (steps, direction, at)
            assert upper >= low * (1 - 1e-10), (steps, direction, at)
            if direction == 1 and low > 0:
                widths.append(high / low - 1)
    return widths


@pytest.mark.parametrize("case", GRIDS, ids=lambda c: "-".join(str(n) for *_, n in c[0]))
def test_on_the_grid(case: tuple[Steps, list[float], float, float]) -> None:
    assert np.median(_on_the_grid(*case)) < 0.02


@pytest.mark.slow
def test_on_many_grids() -> None:
    rng = random.Random(12)
    for _ in range(60):
        steps = [
            (10 ** rng.uniform(-2, -0.02), 10 ** rng.uniform(-0.3, 0.7), rng.randint(1, 10))
            for _ in range(rng.randint(1, 3))
        ]
        sd = math.sqrt(sum(n * (q / s) ** 2 * math.exp(1 / s**2) for q, s, n in steps))
        _on_the_grid(steps, [sd * rng.uniform(0, 6) for _ in range(3)], 0.01, 30.0)


def _tail(x: Any) -> Any:
    import mpmath

    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def _one_step(q: float, sigma: float, at: float, direction: int) -> Any:
    """delta(at) of one step at the working precision."""
    import mpmath

    big_q, s, e = mpmath.mpf(q), mpmath.mpf(sigma), mpmath.mpf(at)
    ratio = (mpmath.exp(direction * e) - 1 + big_q) / big_q
    if ratio <= 0:
        return mpmath.mpf(0)
    t = s * mpmath.log(ratio) + 1 / (2 * s)
    if direction == 1:
        return (1 - big_q) * _tail(t) + big_q * _tail(t - 1 / s) - mpmath.exp(e) * _tail(t)
    return _tail(-t) - mpmath.exp(e) * ((1 - big_q) * _tail(-t) + big_q * _tail(1 / s - t))


def _single_steps(seed: int, count: int, *, near_one: bool) -> int:
    """Random single steps, by the closed form and by the contour; how many the contour resolves."""
    mpmath = pytest.importorskip("mpmath")
    rng, contour = random.Random(seed), 0
    with mpmath.workdps(60):
        for _ in range(count):
            small = 10 ** rng.uniform(-9, -0.3)
            q = 1 - small if near_one else small
            sigma, direction = 10 ** rng.uniform(-1.5, 2), rng.choice((1, -1))
            most = math.log1p(q * math.expm1(min(3 / sigma**2 + 6 / sigma, 300)))
            at = (most if direction == 1 else -math.log1p(-q)) * rng.choice(
                (rng.random(), 1 - 10 ** rng.uniform(-6, -1))
            )
            exact = _one_step(q, sigma, at, direction)
            if exact <= 1e-290:
                continue
            parts = side(exposure([(q, sigma, 1)]), direction)
            lower, upper = tight._one_delta(parts, 0.0, at)
            assert lower is not None, (q, sigma, at, direction)
            assert upper is not None, (q, sigma, at, direction)
            assert lower <= exact <= upper, (q, sigma, at, direction)
            chosen = plan(list(parts), 0.0, epsilon=at) if sigma > 0.2 else None
            if chosen is not None and contour < count // 5:
                found = inversion.invert(list(parts), 0.0, chosen)
                if found is None:  # too many nodes
                    continue
                low, high = found.log_delta(at)
                contour += high - low < 1e-3
                assert low <= mpmath.log(exact) <= high, (q, sigma, at, direction)
    return contour


@pytest.mark.parametrize("near_one", [False, True])
def test_single_steps(near_one: bool) -> None:
    """Rates 1e-9 .. 1 - 1e-9, either direction, up to the greatest loss, against 60 digits."""
    assert _single_steps(3, 80, near_one=near_one) > 5


def test_rates_near_one_add_direction() -> None:
    """Near its greatest loss, log B was once known to 1e-4 only: an upper bound .1 % below the truth."""
    mpmath = pytest.importorskip("mpmath")
    cases = (
        (0.9999999967526456, 0.2126758360809238, 19.545424661524855),
        (0.9999999965150369, 0.25697264066347153, 19.474806908386146),
        (0.99999, 0.3, 11.5),
    )
    with mpmath.workdps(60):
        for q, sigma, at in cases:
            lower, upper = tight._one_delta(side(exposure([(q, sigma, 1)]), -1), 0.0, at)
            assert lower is not None
            assert upper is not None
            assert lower <= _one_step(q, sigma, at, -1) <= upper, (q, sigma, at)


def test_subnormal_delta() -> None:
    """Below 2.2e-308 a lower end is rounded down too."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        for at in np.linspace(33.5, 34.5, 41):
            exact = _one_step(0.01, 1.0, float(at), 1)
            lower, upper = tight._one_delta(side(exposure([(0.01, 1.0, 1)]), 1), 0.0, float(at))
            assert lower is not None
            assert upper is not None
            assert lower <= exact <= upper, at


@pytest.mark.slow
def test_many_single_steps() -> None:
    for near_one in (False, True):
        _single_steps(4, 800, near_one=near_one)


def _against_balls(seed: int, count: int, most: int) -> list[float]:
    """Random compositions at deltas .5 .. 1e-30, both directions, against ball arithmetic; the widths."""
    balls = pytest.importorskip("contour_oracle", reason="needs python-flint", exc_type=ImportError)
    rng, widths = random.Random(seed), []
    while len(widths) < count:
        steps: Steps = [
            (10 ** rng.uniform(-2, -0.05), 10 ** rng.uniform(-0.2, 1), int(10 ** rng.uniform(1.7, most)))
            for _ in range(rng.randint(1, 2))
        ]
        mu_squared, direction = rng.choice((0.0, 0.3)), rng.choice((1, -1))
        parts = side(exposure(steps, mu_squared), direction)
        found = tight._one_epsilon(parts, mu_squared, rng.uniform(math.log(1e-30), math.log(0.5)))
        if not found[0] or found[1] is None:
            continue
        sampled = [balls.Sampled(q, s, n, direction == 1) for q, s, n in steps]
        try:
            oracle = balls.Oracle(sampled, found[1], mu_squared)
        except ArithmeticError:  # too slow a decay for it
            continue
        for at in found:
            lower, upper = inverted(parts, mu_squared, at)
            assert balls.holds(lower, upper, oracle.log_delta(at)), (steps, mu_squared, direction, at)
        widths.append(1 - found[0] / found[1])
    return widths


def test_against_balls() -> None:
    assert max(_against_balls(6, 12, 3)) < 1e-4


@pytest.mark.slow
def test_many_against_balls() -> None:
    assert np.median(_against_balls(7, 300, 5)) < 1e-6


def test_balls_agree_with_the_stored_values() -> None:
    """The stored values, recomputed with a tilt and window of another epsilon."""
    balls = pytest.importorskip("contour_oracle", reason="needs python-flint", exc_type=ImportError)
    for steps, direction, at, text in tight_checks.TRUTHS:
        if (steps[0][1], direction) in ((1.1, 1), (0.7, 1), (0.5, -1)):
            continue  # seconds each
        oracle = balls.Oracle([balls.Sampled(q, s, n, direction == 1) for q, s, n in steps], at * 0.97)
        assert abs(float(oracle.log_delta(at) - balls.arb(text))) < 1e-13, (steps, direction)


@pytest.mark.parametrize(
    ("steps", "epsilons", "samples"),
    [
        ([(0.2, 0.8, 2)], (0.5, 1.5, 3.0), 1_000_000),
        ([(0.05, 1.0, 8), (0.5, 4.0, 4)], (0.2, 1.0, 2.0), 200_000),
    ],
)
def test_simulation(steps: Steps, epsilons: tuple[float, ...], samples: int) -> None:
    """The mean of (1 - e^{epsilon - loss})_+ under P, within Bernstein's margin: fails by chance below 1e-10."""
    rng = np.random.default_rng(8)
    for direction in (1, -1):
        loss = np.zeros(samples)
        for q, s, n in steps:
            for _ in range(n):
                z = rng.standard_normal(samples)
                if direction == 1:
                    z += (rng.random(samples) < q) / s
                loss += direction * np.log1p(q * np.expm1(z / s - 1 / (2 * s * s)))
        for at in epsilons:
            mean = float(np.maximum(-np.expm1(at - loss), 0.0).mean())
            lower, upper = tight._one_delta(side(exposure(steps), direction), 0.0, at)
            assert lower is not None
            assert upper is not None
            log_chance = math.log(2 / 1e-11)  # values in [0, 1]: variance at most the mean
            margin = math.sqrt(2 * upper * log_chance / samples) + log_chance / (3 * samples)
            assert lower - margin <= mean <= upper + margin, (steps, direction, at)


def test_a_poisson_step_of_rate_one_is_gaussian_in_the_limit() -> None:
    """Rates 1 - 1e-3 .. 1 - 1e-12: below the exact Gaussian, and close to it."""
    for gap in (1e-3, 1e-6, 1e-9, 1e-12):
        for sigma, count, at in ((1.0, 1, 2.0), (3.0, 50, 10.0)):
            bounds = delta(poisson(1 - gap, sigma, count), at, "pld")
            low, high = gaussian_delta(math.sqrt(count) / sigma, at)
            assert bounds.lower <= high
            assert bounds.upper >= low * (1 - 30 * count * gap)


def test_round_trip() -> None:
    """delta at the enclosure of epsilon encloses delta, and the other way round."""
    rng = random.Random(11)
    for _ in range(6):
        steps = [
            (10 ** rng.uniform(-3, -0.1), 10 ** rng.uniform(-0.2, 1), rng.randint(1, 2000)) for _ in range(2)
        ]
        events = tuple(GaussianEvent(s, Sampling("poisson", q), n) for q, s, n in steps)
        ledger, at = Ledger("zero-out", events), 10 ** rng.uniform(-25, -1)
        bounds = epsilon(ledger, at)
        assert delta(ledger, bounds.upper).lower <= at * (1 + 1e-12)
        assert bounds.lower == 0 or delta(ledger, bounds.lower).upper >= at * (1 - 1e-12)
        there = delta(ledger, bounds.upper).upper
        if 0 < there < 1:
            assert epsilon(ledger, there).lower <= bounds.upper * (1 + 1e-12)
