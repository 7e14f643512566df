"""The published formulas: numbers of the tools they come from, and behaviour at the rims."""

from __future__ import annotations

import dataclasses
import itertools
import math

import formulas_checks as checks
import pytest

from refdp.audit.formulas import CAUSES, FORMULAS, KINDS, Formula, Setting, Value, formula
from refdp.audit.formulas._grids import balle, best, mironov, poisson
from refdp.audit.formulas._recognise import true_epsilon
from refdp.errors import RefDPError


@pytest.mark.parametrize(
    "check", [checks.published_sweep, checks.harness, checks.tools, checks.printed, checks.rims]
)
def test_it(check: object) -> None:
    check()  # type: ignore[operator]


@pytest.mark.slow
def test_all_rims() -> None:
    checks.rims(1)


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_less_noise_more_steps_and_smaller_delta_cost_more(name: str) -> None:
    at = formula(name).epsilon
    for q in (1e-3, 0.1, 1.0):
        if name == "truncated-second-term" and q < 1:
            continue  # see below
        slack = 1.1 if name == "pyvacy" else 1 + 1e-12  # its search stops where it stops
        for costs in (
            [at(Setting(s, q, 100, 1e-5)) for s in (0.5, 1.0, 2.0, 8.0, 40.0)],
            [at(Setting(2.0, q, t, 1e-5)) for t in (5000, 100, 10, 1)],
            [at(Setting(2.0, q, 100, d)) for d in (1e-12, 1e-8, 1e-5, 1e-2)],
        ):
            for more, less in itertools.pairwise(costs):
                assert more * slack >= less


def test_the_sweeps_accountant_charges_more_for_more_noise() -> None:
    at = formula("truncated-second-term").epsilon
    assert at(Setting(0.1, 0.16, 140, 1e-5)) == pytest.approx(2 * math.log(1e5))
    assert at(Setting(1.6, 0.001, 100, 1e-5)) > at(Setting(1.4, 0.001, 100, 1e-5))


def test_what_is_called_a_bound_is_one() -> None:
    bounds = [entry for entry in FORMULAS.values() if entry.kind == "bound"]
    assert len(bounds) >= 10
    for setting in checks.random_settings(20, seed=5):
        truth = true_epsilon(setting)
        assert truth is not None
        for entry in bounds:
            assert entry.epsilon(setting) >= truth[0] * (1 - 1e-9), (entry.name, setting)


def test_what_is_not_called_a_bound_falls_below_the_truth_somewhere() -> None:
    """By at least 1 % and 0.01, except for those that are mostly far too large."""
    never = {"advanced-composition", "advanced-composition-naive"}
    settings = [Setting(0.2385, 256 / 60000, 1170, 1e-5), Setting(0.02, 1e-6, 100, 1e-5)]
    settings += [Setting(0.5, 0.01, 100, 1e-5), Setting(0.3, 1e-3, 300, 1e-6), Setting(0.05, 1.0, 1, 1e-5)]
    settings += list(checks.random_settings(12, seed=6))
    below = set()
    for setting in settings:
        truth = true_epsilon(setting)
        if truth is not None:
            below |= {n for n, f in FORMULAS.items() if f.epsilon(setting) < 0.99 * truth[0] - 0.01}
    claimed = {n for n, f in FORMULAS.items() if f.kind != "bound"}
    assert below <= claimed
    assert claimed - below <= never, claimed - below


def test_bisection_finds_the_least_of_a_list() -> None:
    orders = (*(1 + x / 7 for x in range(1, 60)), 12.0, 40.0, 200.0)
    for setting in checks.random_settings(30, seed=7):
        rdp = poisson(setting)
        for convert in (balle, mironov):
            least = min(convert(a, rdp(a), setting.delta) for a in orders)
            assert best(rdp, orders, convert, setting.delta).epsilon == least


def test_every_formula_says_what_it_is() -> None:
    assert len(FORMULAS) >= 16
    for name, entry in FORMULAS.items():
        assert name == entry.name == name.lower()
        assert " " not in name
        assert entry.kind in KINDS
        for text in (entry.symbols, entry.source, entry.worth):
            assert text
            assert "|" not in text  # a table's cell
    assert {entry.cause for entry in FORMULAS.values()} == set(CAUSES)


@pytest.mark.parametrize(
    "bad",
    [
        {"noise_multiplier": 0.0},
        {"noise_multiplier": -1.0},
        {"noise_multiplier": math.nan},
        {"noise_multiplier": math.inf},
        {"sample_rate": 0.0},
        {"sample_rate": 1.5},
        {"sample_rate": math.nan},
        {"steps": 0},
        {"steps": 2.5},
        {"steps": True},
        {"steps": 10**13},
        {"delta": 0.0},
        {"delta": 1.0},
        {"delta": math.nan},
    ],
)
def test_a_setting_outside_its_ranges_is_refused(bad: dict[str, float]) -> None:
    fine = Setting(1.0, 0.1, 10, 1e-5)
    with pytest.raises(RefDPError, match=f"^{next(iter(bad))} = "):
        dataclasses.replace(fine, **bad)  # type: ignore[arg-type]


def test_an_unknown_name_and_an_unknown_kind_are_refused() -> None:
    with pytest.raises(RefDPError, match="choose one of"):
        formula("nothing")
    with pytest.raises(RefDPError, match="must be one of"):
        Formula("x", "clt", "good", "", "", "", lambda setting: Value(1.0, ""))
