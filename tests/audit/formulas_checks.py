"""The checks of the formulas and of the recogniser: run by the tests, and again on seeded faults."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from formulas_golden import HARNESS, PRINTED, SWEEP, TOOLS

import refdp.audit.formulas as package
from refdp.audit.formulas import Setting, tolerance_of
from refdp.audit.formulas._recognise import true_epsilon

SMALL, LARGE = 0.01, 1e4  # epsilons worth a test


def value(name: str, setting: Setting) -> float:
    return package.formula(name).epsilon(setting)


def relative(found: float, expected: float) -> float:
    return abs(found - expected) / expected


def published_sweep() -> None:
    for noise_multiplier, expected in SWEEP.items():
        found = value("truncated-second-term", Setting(noise_multiplier, 64 / 400, 140, 1e-5))
        assert relative(found, expected) < 1e-12, (noise_multiplier, found)


def harness() -> None:
    for key, printed in HARNESS.items():
        found = package.formula("small-q-rdp-log-ratio").value(Setting(*key, 1e-5))
        assert f"{found.epsilon:.{len(printed) - 2}f}" == printed
        assert found.note == "order 8.5"


def tools() -> None:
    for key, numbers in TOOLS.items():
        for name, expected in numbers.items():
            found = value(name, Setting(*key))
            assert relative(found, expected) < 1e-9, (key, name, found, expected)


def printed() -> None:
    for (name, *key), text in PRINTED.items():
        assert f"{value(name, Setting(*key, 1e-5)):.2f}" == text, name


def extremes(every: int = 1) -> Iterator[Setting]:
    tiny, one = 5e-324, 1 - 1e-16
    grid = [
        Setting(s, q, steps, delta)
        for s in (tiny, 1e-200, 0.005, 0.04, 1.0, 1e3, 1e160, 1e300)
        for q in (tiny, 1e-12, 0.3, one, 1.0, 1)
        for steps in (1, 10**12)
        for delta in (tiny, 1e-5, 0.5, 1 - 1e-12)
    ]
    yield from grid[::every]


def rims(every: int = 47) -> None:
    for setting in extremes(every):
        for name in package.FORMULAS:
            found = package.formula(name).value(setting)
            assert found.epsilon >= 0, (name, setting)  # false for NaN
            assert found.note, (name, setting)


def random_settings(count: int, seed: int) -> Iterator[Setting]:
    """Multiplier .3 to 20, rate 1e-4 to .5, steps 10 to 20,000, delta 1e-7 to 1e-4, all log-uniform."""
    rng = np.random.default_rng(seed)
    low = np.log([0.3, 1e-4, 10, 1e-7])
    high = np.log([20, 0.5, 20001, 1e-4])
    for s, q, steps, delta in np.exp(rng.uniform(low, high, size=(count, 4))):
        yield Setting(float(s), float(q), int(steps), float(delta))


def is_true(claimed: float | str, truth: tuple[float, float] | None) -> bool:
    allowed = tolerance_of(claimed)
    return truth is not None and truth[0] - allowed <= float(claimed) <= truth[1] + allowed


def own_numbers(setting: Setting, truth: tuple[float, float] | None, tally: dict[str, list[int]]) -> None:
    """Every formula's own number, in full and to 4 digits, is recognised, unless it is the true one."""
    for name in package.FORMULAS:
        number = value(name, setting)
        if not SMALL <= number <= LARGE or is_true(number, truth):
            continue
        matches = package.recognise(number, setting, truth=truth)
        assert matches, (name, setting)
        assert name in matches[0].names, (name, setting, [m.names for m in matches])
        tally[name][0 if matches[0].formula.name == name else 1] += 1
        text = f"{number:.4g}"
        if not is_true(text, truth):
            names = [n for match in package.recognise(text, setting, truth=truth) for n in match.names]
            assert name in names, (name, setting, text)


def true_values(setting: Setting, truth: tuple[float, float] | None) -> int:
    """refdp's own epsilon, either side, in full and to 4, 5 and 6 digits, is nobody's; how many were tried."""
    if truth is None or truth[0] <= 0:
        return 0
    claims = (*truth, *(f"{truth[1]:.{digits}g}" for digits in (4, 5, 6)), float(f"{truth[0]:.4g}"))
    for claimed in claims:
        assert package.recognise(claimed, setting) == [], (setting, claimed)
    return len(claims)


def recognition(count: int = 12, seed: int = 9) -> tuple[dict[str, list[int]], int]:
    """By name, how often a formula came first and how often in the first's ``same_as``; true values tried."""
    tally = {name: [0, 0] for name in package.FORMULAS}
    tried = 0
    for setting in random_settings(count, seed):
        truth = true_epsilon(setting)
        own_numbers(setting, truth, tally)
        tried += true_values(setting, truth)
    return tally, tried


def exact_where_exact() -> None:
    """Without sampling the Gaussian curve is the truth, and no formula; the others still are."""
    setting = Setting(2.0, 1.0, 5, 1e-5)
    assert package.recognise(value("gaussian-no-sampling", setting), setting) == []
    assert package.recognise(value("rdp-opacus", setting), setting)
    assert package.recognise(
        value("gaussian-no-sampling", Setting(2.0, 0.9, 5, 1e-5)), Setting(2.0, 0.9, 5, 1e-5)
    )


def one_number_one_match() -> None:
    """At order 9 and 10 lists of orders agree: one match, the commonest tool first, the others named."""
    setting = Setting(1.0, 0.5, 30, 1e-4)
    (match, *rest) = package.recognise(value("rdp-dp-accounting", setting), setting)
    assert match.names == ("rdp-opacus", "rdp-dp-accounting", "rdp-tf-privacy")
    assert not rest


def closest_first() -> None:
    setting = Setting(0.2385, 256 / 60000, 1170, 1e-5)
    matches = package.recognise("3.12", setting)
    assert [m.formula.name for m in matches] == [
        "zcdp-q-squared",
        "small-q-rdp-mironov",
        "small-q-rdp-mironov-integers",
    ]
    assert matches[0].difference == value("zcdp-q-squared", setting) - 3.12


def digits() -> None:
    for claimed, expected in (
        ("3.00", 0.005),
        ("3.0", 0.03),
        ("3", 0.03),
        (3.0, 0.03),
        (3, 0.03),
        (3.12, 0.005),
        (1250.0, 0.5),
        ("1250.0", 0.05),
        ("1.5e-3", 1.5e-5),
        ("2.0130594", 2.0130594e-6),
        (3.0015793872, 3.0015793872e-6),
        (0, 0.0),
    ):
        assert math.isclose(tolerance_of(claimed), expected, rel_tol=1e-12), claimed
