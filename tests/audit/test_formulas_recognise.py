"""Which formula made a number: the right one, or none."""

from __future__ import annotations

import math
import statistics
import time

import formulas_checks as checks
import numpy as np
import pytest

from refdp.audit.formulas import FORMULAS, Setting, recognise, tolerance_of
from refdp.errors import RefDPError

S0 = Setting(0.2385, 256 / 60000, 1170, 1e-5)


def test_a_formulas_own_number_is_recognised_and_a_true_one_is_unknown() -> None:
    tally, true_values = checks.recognition(60, seed=1)
    assert true_values >= 300
    tried = {name: sum(counts) for name, counts in tally.items()}
    assert sum(count >= 50 for count in tried.values()) >= 20
    assert min(tried.values()) >= 10
    assert sum(first for first, _ in tally.values()) > 0.8 * sum(tried.values())


@pytest.mark.slow
def test_many_more() -> None:
    tally, true_values = checks.recognition(1000, seed=3)
    assert min(sum(counts) for counts in tally.values()) >= 100
    assert true_values >= 5000


@pytest.mark.parametrize(
    "check",
    [checks.exact_where_exact, checks.one_number_one_match, checks.closest_first, checks.digits],
)
def test_it(check: object) -> None:
    check()  # type: ignore[operator]


def test_the_benchmark_harness_is_named() -> None:
    (match,) = recognise("3.00", S0)
    assert match.names == ("small-q-rdp-log-ratio",)
    assert (match.cause, match.kind, match.note) == ("small-q-rdp", "not-a-bound", "order 8.5")
    assert match.text.startswith("min over a of T q^2 a/(2 s^2) + log(1/d)/(a-1) + log((a-1)/a) (order 8.5; ")
    assert "not a bound" in match.text


@pytest.mark.parametrize("noise_multiplier", [0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0])
def test_the_published_sweep_is_named(noise_multiplier: float) -> None:
    setting = Setting(noise_multiplier, 0.16, 140, 1e-5)
    number = FORMULAS["truncated-second-term"].epsilon(setting)
    for claimed in (number, f"{number:.3g}"):
        matches = recognise(claimed, setting)
        assert matches[0].cause == "truncated-bound"


def test_tools_that_round_are_named() -> None:
    setting = Setting(1.1, 0.004, 10000, 1e-5)
    assert recognise("2.0131", setting)[0].formula.name in ("rdp-opacus", "rdp-best-order")
    # compute_mu_uniform gives 2.36703, RDP bounds 2.36793 and 2.36682
    assert {m.cause for m in recognise("2.37", setting)} == {"clt", "classic-conversion"}


def test_kinds_of_numbers() -> None:
    for claimed in (np.float64(3.0013), 3.0013, "3.0013", " 3.0013 ", "+3.0013", "30.013e-1"):
        assert [match.formula.name for match in recognise(claimed, S0)] == ["small-q-rdp-log-ratio"]


def test_numbers_of_no_formula_are_unknown() -> None:
    for claimed in ("0", 0.0, "0.00", "2.60", 17, "1e300"):
        assert recognise(claimed, S0) == []


def test_an_explicit_tolerance_and_a_given_truth() -> None:
    assert recognise(3.0, S0, 1e-4) == []
    assert recognise(3.0, S0, 0.002)[0].formula.name == "small-q-rdp-log-ratio"
    assert recognise("3.00", S0, truth=(2.9, 3.1)) == []  # the claim is true: nothing to explain
    assert recognise("3.00", S0, truth=(86.0, 86.3))


@pytest.mark.parametrize(
    "claimed", [-1, "-1", math.nan, math.inf, "nan", "inf", "three", "", True, None, "1_0", "1e999"]
)
def test_a_claim_that_is_no_number_is_refused(claimed: float) -> None:
    for ask in (tolerance_of, lambda c: recognise(c, S0)):
        with pytest.raises(RefDPError, match=r"^claimed = "):
            ask(claimed)


@pytest.mark.slow
def test_it_is_quick() -> None:
    seconds = []
    for setting in checks.random_settings(60, seed=8):
        start = time.perf_counter()
        recognise(FORMULAS["rdp-opacus"].epsilon(setting), setting)
        seconds.append(time.perf_counter() - start)
    assert statistics.median(seconds) < 0.2
