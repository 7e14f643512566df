"""Faults put into the formulas and the recogniser on purpose: each must be caught by the named check."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import formulas_checks as checks
import numpy as np
import pytest

from refdp.audit.formulas import (
    FORMULAS,
    Formula,
    Setting,
    Value,
    _base,
    _recognise,
    _registry,
    gdp,
    rdp_dp_accounting,
    truncated_second_term,
    without_replacement,
)
from refdp.audit.formulas._grids import OPACUS, TENTHS, balle, best, gaussian, log_ratio, mironov, poisson

Patch = pytest.MonkeyPatch
Check = Callable[[], object]
FAULTS: list[tuple[Callable[[Patch], None], Check]] = []


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No number survives from, or into, a faulty formula."""
    clear = _base._value.cache_clear
    clear()
    yield
    clear()


def caught_by(check: Check) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def note(fault: Callable[[Patch], None]) -> Callable[[Patch], None]:
        FAULTS.append((fault, check))
        return fault

    return note


def replace(patch: Patch, name: str, evaluate: Callable[[Setting], Value]) -> None:
    import refdp.audit.formulas as package

    changed = dict(FORMULAS) | {name: dataclasses.replace(FORMULAS[name], evaluate=evaluate)}
    for module in (package, _registry, _recognise):
        patch.setattr(module, "FORMULAS", changed)


def small_q(setting: Setting) -> Callable[[float], float]:
    return gaussian(setting.steps * setting.sample_rate**2 * setting.snr)


@caught_by(checks.harness)
def the_harness_with_the_conversion_of_2017(patch: Patch) -> None:
    replace(patch, "small-q-rdp-log-ratio", lambda x: best(small_q(x), OPACUS, mironov, x.delta))


@caught_by(checks.harness)
def the_harness_on_whole_orders(patch: Patch) -> None:
    whole = tuple(map(float, range(2, 64)))
    replace(patch, "small-q-rdp-log-ratio", lambda x: best(small_q(x), whole, log_ratio, x.delta))


@caught_by(checks.published_sweep)
def the_sweep_without_its_overflow_branch(patch: Patch) -> None:
    def step(setting: Setting, order: float) -> tuple[float, str]:
        inner = 4 * math.expm1(min(setting.snr, 700))
        return math.log1p(setting.sample_rate**2 * math.comb(int(order), 2) * inner) / (order - 1), ""

    patch.setattr(truncated_second_term, "_step", step)


@caught_by(checks.published_sweep)
def the_sweep_with_a_binomial_of_real_orders(patch: Patch) -> None:
    step = truncated_second_term._step

    def scaled(setting: Setting, order: float) -> tuple[float, str]:
        rdp, branch = step(setting, order)
        return max(rdp, setting.sample_rate**2 * order * (order - 1) / 2), branch

    patch.setattr(truncated_second_term, "_step", scaled)


@caught_by(checks.tools)
def opacus_with_another_list_of_orders(patch: Patch) -> None:
    orders = (*TENTHS, *(float(a) for a in range(11, 63)))
    replace(patch, "rdp-opacus", lambda x: best(poisson(x), orders, balle, x.delta))


@caught_by(checks.tools)
def opacus_without_its_improved_conversion(patch: Patch) -> None:
    replace(patch, "rdp-opacus", lambda x: best(poisson(x), OPACUS, mironov, x.delta))


@caught_by(checks.tools)
def dp_accounting_with_exact_fractional_orders(patch: Patch) -> None:
    def exact(q: float, sigma: float, order: float) -> float:
        return poisson(Setting(sigma, q, 1, 0.5))(order) * (order - 1)

    patch.setattr(rdp_dp_accounting, "_log_moment", exact)


@caught_by(checks.tools)
def the_limit_theorem_without_its_exponential(patch: Patch) -> None:
    replace(patch, "gdp-clt-poisson", lambda x: gdp.dual(x.sample_rate * math.sqrt(x.steps * x.snr), x.delta))


@caught_by(checks.tools)
def one_differences_sign(patch: Patch) -> None:
    central = without_replacement._log_central

    def wrong(snr: float, highest: int) -> np.ndarray:
        return central(snr, highest) + np.log(2.0)

    patch.setattr(without_replacement, "_log_central", wrong)


@caught_by(checks.printed)
def moments_to_sixteen(patch: Patch) -> None:
    orders = tuple(map(float, range(2, 18)))
    replace(patch, "moments-accountant", lambda x: best(poisson(x), orders, mironov, x.delta))


@caught_by(checks.rims)
def numbers_not_guarded(patch: Patch) -> None:
    def bare(formula: Formula, setting: Setting) -> Value:
        return formula.evaluate(setting)

    patch.setattr(_base, "_value", bare)


@caught_by(checks.recognition)
def two_formulas_are_mixed_up(patch: Patch) -> None:
    other = FORMULAS["gdp-clt-poisson"].evaluate
    patch.setattr(_recognise, "FORMULAS", dict(FORMULAS) | {
        "gdp-naive": dataclasses.replace(FORMULAS["gdp-naive"], evaluate=other)
    })  # fmt: skip


@caught_by(checks.recognition)
def a_formula_is_not_asked(patch: Patch) -> None:
    patch.setattr(_recognise, "FORMULAS", {n: f for n, f in FORMULAS.items() if n != "linear-q-rdp"})


@caught_by(checks.exact_where_exact)
def the_truth_is_not_asked(patch: Patch) -> None:
    patch.setattr(_recognise, "true_epsilon", lambda setting: None)


@caught_by(checks.recognition)
def everything_near_matches(patch: Patch) -> None:
    patch.setattr(_recognise, "TIGHTEST", 0.2)
    patch.setattr(_recognise, "LOOSEST", 0.2)
    patch.setattr(_recognise, "true_epsilon", lambda setting: None)


@caught_by(checks.one_number_one_match)
def equal_numbers_are_not_merged(patch: Patch) -> None:
    patch.setattr(_recognise, "SAME", -1.0)


@caught_by(checks.closest_first)
def the_commonest_comes_first(patch: Patch) -> None:
    patch.setattr(_recognise, "abs", lambda x: float(x > 0.01 or x < -0.01), raising=False)


@caught_by(checks.digits)
def a_bare_three_spans_a_unit(patch: Patch) -> None:
    patch.setattr(_recognise, "LOOSEST", 1.0)


@caught_by(checks.digits)
def long_floats_count_as_rounded(patch: Patch) -> None:
    patch.setattr(_recognise, "TIGHTEST", 0.0)


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_caught(fault: Callable[[Patch], None], check: Check, monkeypatch: Patch) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, ArithmeticError, ValueError)):
        check()
