"""Checks of the tight engine by name: each passes on the library and fails on its seeded fault (test_tight_faults)."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from named_checks import poisson, rows
from scipy.special import ndtr

from refdp.accounting import contour, inversion, tight, tilt
from refdp.accounting.composition import Composition
from refdp.accounting.ledger import Ledger
from refdp.accounting.pairs import Kinked, poisson_pairs, poisson_replace_pair
from refdp.accounting.tight import Exposure
from refdp.accounting.tilt import Part

Steps = list[tuple[float, float, int]]  # rate, noise multiplier, count

# log delta at an epsilon, one direction (1: record present under P); by contour_oracle, twice, to 20 digits
TRUTHS: list[tuple[Steps, int, float, str]] = [
    ([(0.01, 1.0, 1000)], 1, 2.0, "-12.83509191745665323304"),
    ([(0.01, 1.0, 1000)], -1, 2.0, "-20.65826302857370493810"),
    ([(0.004, 1.1, 10000)], 1, 3.29047, "-27.63035312356067332617"),
    ([(0.004, 1.1, 10000)], -1, 3.29047, "-34.10613455503807218100"),
    ([(0.3, 1.0, 30)], 1, 6.0, "-4.449280591288803775644"),
    ([(0.3, 1.0, 30)], -1, 6.0, "-12.36871413627408762839"),
    ([(0.1, 0.7, 12)], 1, 9.0, "-16.48661108797093133723"),
    ([(0.001, 0.8, 100000)], -1, 4.0, "-26.65120029717011053920"),
    ([(0.5, 5.0, 2000)], 1, 40.0, "-25.52363682702191695526"),
    ([(0.5, 5.0, 2000)], -1, 40.0, "-27.07773829146117142129"),
    ([(0.9, 2.0, 20)], 1, 25.0, "-63.92948726305379447506"),
    ([(0.9, 2.0, 20)], -1, 25.0, "-93.73765590990230919023"),
    ([(0.02, 0.6, 200), (0.3, 3.0, 50), (0.9, 8.0, 10)], 1, 12.0, "-18.16222846276378193039"),
    ([(0.02, 0.6, 200), (0.3, 3.0, 50), (0.9, 8.0, 10)], -1, 12.0, "-112.1952744261755681741"),
    ([(0.2, 0.5, 40)], -1, 1.0, "-0.2589585716913426518968"),
    ([(1e-4, 2.0, 10**9)], 1, 12.0, "-24.06863940210191374232"),
    ([(1e-4, 2.0, 10**9)], -1, 12.0, "-24.07559172110038326618"),
    ([(0.05, 20.0, 5000)], 1, 0.5, "-8.747107460040441118526"),
    ([(0.05, 20.0, 5000)], -1, 0.5, "-8.767166138531965586202"),
]


def exposure(steps: Steps, mu_squared: float = 0.0) -> Exposure:
    """Poisson-sampled steps, straight to the engine."""
    sides: list[tuple[Part, ...]] = []
    for direction in (0, 1):
        sides.append(
            tuple(
                Part(poisson_pairs(q)[direction].oriented(), np.array([s]), np.array([float(n)]))
                for q, s, n in steps
            )
        )
    return Exposure(sides[0], sides[1], mu_squared)


def side(whole: Exposure, direction: int) -> tuple[Part, ...]:
    """The parts of one direction: 1, record present under P; -1, under Q."""
    return whole.remove if direction == 1 else whole.add


def inverted(parts: tuple[Part, ...], mu_squared: float, epsilon: float) -> tuple[float, float]:
    """The contour's enclosure of log delta, also where a closed form exists."""
    chosen = tilt.plan(list(parts), mu_squared, epsilon=epsilon)
    assert chosen is not None
    found = inversion.invert(list(parts), mu_squared, chosen)
    assert found is not None
    return found.log_delta(epsilon)


def epsilon_of(ledger: Ledger, direction: int, delta: float) -> tuple[float, float]:
    """One direction's enclosure of epsilon."""
    whole = Composition.of(ledger).exposure(upper=True)
    assert whole is not None
    lower, upper = tight._one_epsilon(side(whole, direction), whole.mu_squared, math.log(delta))
    if upper is None:
        assert direction == -1  # below the greatest loss by no more than can be resolved
        assert epsilon_of(ledger, 1, delta)[0] > tight._greatest_loss(whole.add, whole.mu_squared)
        return 0.0, tight._greatest_loss(whole.add, whole.mu_squared)
    assert lower is not None
    return lower, upper


def check_truths() -> None:
    """Twenty-digit values are enclosed, both directions, and closely where the arithmetic allows it."""
    for steps, direction, at, text in TRUTHS:
        lower, upper = inverted(side(exposure(steps), direction), 0.0, at)
        # decimal text to the nearest double: half a unit in the last place of log delta
        value, ulp = float(text), 2.0**-53 * abs(float(text))
        assert lower - ulp <= value <= upper + ulp, (steps, direction)
        assert upper - lower < 1e-7 + 2e-12 * max(n for *_, n in steps), (steps, direction)


def check_golden_directions() -> None:
    """Both directions' brackets of the reference file overlap the engine's, which are narrow."""
    widths = []
    for row in rows("dpsgd_eps"):
        ledger = poisson(row["q"], row["sigma"], row["steps"])
        for direction, truth in ((1, row["truth"]), (-1, row["add_direction"])):
            if direction == 1 and row["truth"]["lo"] == row["add_direction"]["lo"]:
                continue  # the larger direction of that row is the other one
            lower, upper = epsilon_of(ledger, direction, row["delta"])
            assert upper >= truth["lo"] * (1 - 1e-12), (row["id"], direction)
            assert lower <= truth["hi"] * (1 + 1e-12), (row["id"], direction)
            if truth["hi"] - truth["lo"] < 1e-3 * truth["hi"]:
                widths.append((upper - lower) / upper)
    assert float(np.median(widths)) <= 1e-4
    assert max(widths) <= 1e-2


def check_known_value() -> None:
    """Multiplier 1.1, rate .004, 10,000 steps, delta 1e-12: float64 FFT accountants say 3.2516 and 3.2768."""
    lower, upper = epsilon_of(poisson(0.004, 1.1, 10_000), 1, 1e-12)
    assert 3.29047 <= lower <= upper <= 3.29053


def check_any_plan() -> None:
    """A poor tilt, window or guard widens the enclosure and never breaks it: truncated and aliased sums included."""
    rng = random.Random(4)
    narrow = 0
    for steps, direction, at, text in TRUTHS[:15]:
        parts = list(side(exposure(steps), direction))
        chosen = tilt.plan(parts, 0.0, epsilon=at)
        assert chosen is not None
        value = float(text)
        for window in (0.05, 0.2, 0.5, 1.0):
            c = chosen.tilt * rng.uniform(0.6, 1.3)
            guard = max(chosen.guard * rng.uniform(0.8, 1.4), 1.01 * c)
            poor = dataclasses.replace(chosen, tilt=c, window=chosen.window * window, guard=guard)
            found = inversion.invert(parts, 0.0, poor)
            assert found is not None
            lower, upper = found.log_delta(at)
            narrow += upper - lower < 0.5
            assert lower <= value + 1e-14 * abs(value), (steps, direction, window)
            assert upper >= value - 1e-14 * abs(value), (steps, direction, window)
    assert narrow > 5, narrow  # and many of them still say something


def check_truncated_sum() -> None:
    """Far fewer terms than the sum needs: the bound on the rest covers them."""
    for steps, direction, at, text in TRUTHS[:15]:
        parts = list(side(exposure(steps), direction))
        chosen = tilt.plan(parts, 0.0, epsilon=at)
        assert chosen is not None
        found = inversion.invert(parts, 0.0, chosen)
        assert found is not None
        lines = [
            (inversion.line(p.law, p.sigmas, chosen.tilt, 1.0), p.law, p.sigmas, p.counts) for p in parts
        ]
        for share in (0.02, 0.1, 0.3):
            count = max(2, int(len(found.log_phi) * share))
            frequency = np.array([found.step * (count - 1)])
            log_tail = sum(
                float(inversion.decay_of(law, s, chosen.tilt, entry.log_scale).log_bounds(frequency, n)[0])
                for entry, law, s, n in lines
            ) - math.log(math.pi * frequency[0])
            cut = dataclasses.replace(
                found, log_phi=found.log_phi[:count], phi_error=found.phi_error[:count], log_tail=log_tail
            )
            lower, upper = cut.log_delta(at)
            assert lower <= float(text) <= upper, (steps, direction, share)


def check_coarse_rule() -> None:
    """A rule of few nodes is sound because its error is counted; ``repeats`` just above -1 asks for one."""
    q, s = 0.2, 0.7
    t, h = np.linspace(-14.0, 14.0 + 4 / s, 400_001, retstep=True)
    log_ratio = np.logaddexp(math.log1p(-q), math.log(q) + t / s - 1 / (2 * s * s))
    y = np.linspace(0.0, 12.0, 25)
    for direction in (0, 1):
        pair = poisson_pairs(q)[direction].oriented()
        for c in (0.5, 2.0):
            loss = log_ratio if direction == 0 else -log_ratio
            weight = np.exp(-0.5 * t * t + ((1 + c) if direction == 0 else -c) * log_ratio)
            scale = math.log(weight.sum() * float(h) / math.sqrt(2 * math.pi))
            exact = np.exp(1j * np.outer(y, loss)) @ weight / weight.sum() - 1
            for coarse in (0, 10, 20, 26, 30, 33):
                found = contour.line(pair, np.array([s]), c, math.exp(-coarse) - 1)
                assert found is not None
                assert abs(found.log_scale[0] - scale) <= found.scale_error[0] + 1e-12
                ((_, values, errors),) = found.excesses(0.5, 25)
                assert np.all(np.abs(values - exact) <= errors + 1e-11), (direction, c, coarse)


def check_single_steps_by_contour() -> None:
    """One and two steps, where the sum is long: the closed form, and two of them as one of half the variance."""
    for q, s, at in ((0.3, 1.0, 2.0), (0.05, 0.7, 3.0), (0.7, 2.0, 1.0), (0.02, 1.5, 0.05)):
        for direction in (1, -1):
            exact = _one_step(q, s, at, direction)
            if exact > 0:
                lower, upper = inverted(side(exposure([(q, s, 1)]), direction), 0.0, at)
                assert lower <= math.log(exact) + 1e-12
                assert upper >= math.log(exact) - 1e-12
                assert upper - lower < (1e-3 if direction == 1 else 0.1)


def _one_step(q: float, s: float, at: float, direction: int) -> float:
    import hockey_stick

    return float(hockey_stick.one_step_delta((q, s), np.array([at]), direction)[0])


def check_grouped_schedule() -> None:
    """Multipliers in groups: rounded down for the upper end, up for the lower one."""
    rng = np.random.default_rng(5)
    sigmas = np.sort(rng.uniform(0.8, 1.6, 60))
    counts = np.ones(60)
    remove, add = poisson_pairs(0.02)
    whole = Exposure((Part(remove.oriented(), sigmas, counts),), (Part(add.oriented(), sigmas, counts),), 0.0)
    exact = tight.epsilon_bounds(whole, whole, 1e-6, None)
    last = math.inf
    for bins in (2, 6, 20):
        coarse = tight.epsilon_bounds(whole, whole, 1e-6, bins)
        assert coarse.lower <= exact.lower * (1 + 1e-9)
        assert coarse.upper >= exact.upper * (1 - 1e-9)
        assert coarse.upper - coarse.lower < last
        last = coarse.upper - coarse.lower


def check_greatest_loss() -> None:
    """The add direction pays at most n log 1 / (1 - q), and delta is not 0 below that."""
    parts = exposure([(0.3, 1.0, 4)]).add
    most = 4 * math.log(1 / 0.7)
    assert tight._one_delta(parts, 0.0, most * (1 + 1e-9)) == (0.0, 0.0)
    lower, upper = tight._one_delta(parts, 0.0, 1.3)
    assert lower is not None
    assert upper is not None
    assert 0 < lower <= upper < 1e-2


def check_below_is_proved() -> None:
    """The other direction is left out only where its delta is below."""
    for steps, direction, at, text in TRUTHS:
        parts = side(exposure(steps), direction)
        assert not tight._below(parts, 0.0, at, float(text) - 1e-9), (steps, direction)
    assert tight._below(side(exposure([(0.01, 1.0, 1000)]), -1), 0.0, 2.0, -12.0)


def check_gaussian_part() -> None:
    """An exact Gaussian part beside a step that hardly counts: Balle and Wang's curve."""
    for mu, at in ((1.0, 2.0), (0.2, 0.9), (5.0, 30.0)):
        exact = float(ndtr(mu / 2 - at / mu) - math.exp(at) * ndtr(-mu / 2 - at / mu))
        for direction in (1, -1):
            lower, upper = inverted(side(exposure([(1e-12, 1.0, 1)]), direction), mu * mu, at)
            assert lower <= math.log(exact) + 1e-10
            assert upper >= math.log(exact) - 1e-10
            assert upper - lower < 1e-8


def check_replace_one_single_step() -> None:
    """(1 - q) N(0) + q N(-1) against (1 - q) N(0) + q N(1), once: the threshold test's closed form."""
    q, s = 0.2, 0.8
    (pair,) = poisson_replace_pair(q)
    parts = (Part(pair.oriented(), np.array([s]), np.ones(1)),)
    t = np.linspace(-12, 12, 400_001)
    p = (1 - q) * ndtr(-t) + q * ndtr(1 / s - t)
    other = (1 - q) * ndtr(-t) + q * ndtr(-1 / s - t)
    for at in (0.1, 1.0, 3.0):
        exact = float((p - math.exp(at) * other).max())
        lower, upper = inverted(parts, 0.0, at)
        assert lower <= math.log(exact) + 1e-8
        assert upper >= math.log(exact) - 1e-12
        assert upper - lower < 1e-4


def check_kinked_steps() -> None:
    """Without replacement, once and twice: H(gamma) of the sampled Gaussian at distance 2 for gamma >= 1, and
    1 - gamma + gamma H(1 / gamma) below; the second step's profile averaged over the first one's loss."""
    for q, s, at in ((0.1, 1.0, 1.0), (0.3, 2.0, 0.3), (0.02, 0.9, 0.5)):
        once = (Part(Kinked(2.0, q), np.array([s]), np.ones(1)),)
        twice = (Part(Kinked(2.0, q), np.array([s]), 2 * np.ones(1)),)
        start = 1 / s
        t = np.linspace(start, start + 14 + 2 / s, 200_001)
        log_ratio = np.logaddexp(math.log1p(-q), math.log(q) + 2 * t / s - 2 / (s * s))
        mass = np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi) * (t[1] - t[0])
        mass[0] *= 0.5
        two = mass @ (np.exp(log_ratio) * _profile(q, s, at - log_ratio) + _profile(q, s, at + log_ratio))
        two += (1 - q) * (1 - 2 * ndtr(-start)) * _profile(q, s, np.array([at]))[0]
        for parts, exact in ((once, _profile(q, s, np.array([at]))[0]), (twice, two)):
            lower, upper = inverted(parts, 0.0, at)
            assert lower <= math.log(exact) + 1e-7, (q, s, at)
            assert upper >= math.log(exact) - 1e-7, (q, s, at)
            assert upper - lower < 1e-2


def _profile(q: float, s: float, log_gamma: np.ndarray) -> np.ndarray:
    import hockey_stick

    size = np.abs(log_gamma)
    above = hockey_stick.one_step_delta((q, s / 2), size, 1)
    value: np.ndarray = np.where(log_gamma >= 0, above, -np.expm1(-size) + np.exp(-size) * above)
    return value


def checks() -> dict[str, Callable[[], Any]]:
    """All of them, by name."""
    return {name: value for name, value in globals().items() if name.startswith("check_")}
