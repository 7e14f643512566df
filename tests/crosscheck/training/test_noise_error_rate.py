"""How often sound noise fails: never more than is stated, test by test and over all of them (G1)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from noise_steps import SMALL, sound, step_of, views
from scipy import stats

from refdp.crosscheck.training.noise import correlation, distribution, moments, repeats, statistics
from refdp.crosscheck.training.noise.sample import Sample, sample
from refdp.crosscheck.training.noise.statistics import Findings, of_step, of_steps

TIMES, RAISED = 300, 0.1
CERTAIN = 1e-9
"""The chance that a rate which is as stated would be taken for a higher one."""


def samples(rng: np.random.Generator, count: int = 1, draws: int = 1, scale: float = 1.1) -> list[Sample]:
    steps = [step_of(sound(rng, SMALL, draws), rng, noise_multiplier=scale) for _ in range(count)]
    found = [sample(view, 1e-5) for view in views(*steps)]
    return [one for one in found if isinstance(one, Sample)]


def single(rng: np.random.Generator) -> Findings:
    return of_step(samples(rng)[0])


def drawn_thrice(rng: np.random.Generator) -> Findings:
    return of_step(samples(rng, draws=3)[0])


def coarsely_rounded(rng: np.random.Generator) -> Findings:
    """Rounding of up to 3 % of the noise's standard deviation."""
    return of_step(samples(rng, draws=2, scale=4e-6)[0])


def four_steps(rng: np.random.Generator) -> Findings:
    return of_steps(samples(rng, 4, draws=2), range(4))


def three_coordinates(rng: np.random.Generator) -> Findings:
    view = views(step_of({"w": rng.normal(size=(1, 2)), "b": rng.normal(size=(1,))}, rng))[0]
    found = sample(view, 1e-5)
    assert isinstance(found, Sample)
    return of_step(found)


KINDS = (single, drawn_thrice, coarsely_rounded, four_steps, three_coordinates)


def at_most(rate: float, count: int) -> bool:
    """Whether ``count`` of TIMES is what a rate of at most ``rate`` gives."""
    return bool(stats.binom.sf(count - 1, TIMES, rate) >= CERTAIN)


def check_rate(kind: Callable[[np.random.Generator], Findings]) -> None:
    rng = np.random.default_rng(21)
    found = [kind(rng) for _ in range(TIMES)]
    for name in found[0].p_values:
        for rate in (0.01, RAISED, 0.5):
            below = sum(one.p_values[name] <= rate for one in found)
            assert at_most(rate, below), f"{name}: {below} of {TIMES} at {rate}"
    assert at_most(RAISED, sum(bool(one.failed) for one in found))


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RATE", RAISED)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("raised")
def test_sound_noise_fails_no_more_often_than_stated(kind: Callable[[np.random.Generator], Findings]) -> None:
    check_rate(kind)


@pytest.mark.usefixtures("raised")
def test_tests_are_not_so_cautious_that_nothing_fails() -> None:
    """The exact ones (scale, mean, largest, distribution) are at 10 % where they should be: between 5 and 15 %."""
    rng = np.random.default_rng(22)
    found = [single(rng) for _ in range(2 * TIMES)]
    for name in ("scale", "mean", "largest", "distribution", "between parameters", "sums along axes"):
        share = np.mean([one.p_values[name] <= RAISED for one in found])
        assert 0.05 < share < 0.15, name


def no_correction(p_values: list[float]) -> float:
    return min(p_values, default=1.0)


def one_degree_less(length: float, room: float, degrees: int) -> float:
    return TRUE_CHI_SQUARE(length, room, max(1, degrees - 25))


def without_room(length: float, room: float, degrees: int) -> float:
    return TRUE_CHI_SQUARE(length, -0.05 * length, degrees)


def half_the_size(r: float, size: int, room: float = 0.0) -> float:
    return TRUE_P_VALUE(r, 2 * size, room)


TRUE_CHI_SQUARE, TRUE_P_VALUE = moments.chi_square, correlation.p_value
FAULTS = [
    (moments, "smallest", no_correction, single),
    (correlation, "smallest", no_correction, single),
    (moments, "chi_square", one_degree_less, single),
    (moments, "chi_square", without_room, single),
    (correlation, "p_value", half_the_size, four_steps),
    (distribution, "_at_most", lambda x, n: distribution.special.ndtr(x) ** n / 4, single),
    (distribution, "_at_least", lambda x, n: 1 - distribution.special.ndtr(x) ** n, single),
    (repeats, "_DENSITY", 0.01, coarsely_rounded),
]


@pytest.mark.parametrize(("place", "name", "fault", "kind"), FAULTS)
@pytest.mark.usefixtures("raised")
def test_a_seeded_fault_raises_the_rate(
    monkeypatch: pytest.MonkeyPatch,
    place: object,
    name: str,
    fault: object,
    kind: Callable[[np.random.Generator], Findings],
) -> None:
    monkeypatch.setattr(place, name, fault)
    with pytest.raises(AssertionError):
        check_rate(kind)
