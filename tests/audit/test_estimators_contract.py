"""What every estimator promises whatever the scores: order only, ties, infinities, refusals."""

from __future__ import annotations

import dataclasses

import estimators_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.audit.estimators import Design, estimators
from refdp.audit.scores import Scores
from refdp.errors import RefDPError

DESIGN = Design(1e-5, 0.95, 4.0)


def test_all_are_known() -> None:
    assert estimators.names() == checks.NAMES


def moved(scores: Scores, change: object) -> Scores:
    parts = (change(part) for part in (scores.planted, scores.left_out, scores.references))  # type: ignore[operator]
    return Scores(*parts, fair_coins=scores.fair_coins)


@settings(max_examples=3, deadline=None)
@given(
    st.integers(0, 99), st.sampled_from([checks.gaussian, checks.tied]), st.floats(0, 3), st.integers(0, 30)
)
def test_only_the_order_counts(seed: int, kind: checks.Kind, mu: float, references: int) -> None:
    scores = checks.draw(seed, mu, kind, n=40, references=references)
    for design in (DESIGN, dataclasses.replace(DESIGN, expected_epsilon=None)):
        for name in checks.NAMES:
            tool = checks.make(name)
            assert tool.estimate(scores, design) == tool.estimate(
                moved(scores, lambda x: np.arctan(x) * 7 - 3), design
            )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_whatever_the_scores_a_bound_or_a_reason(n1: int, n0: int, nr: int, coins: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([-np.inf, -1.0, 0.0, 2.0, np.inf], n1 + n0 + nr)
    scores = Scores(values[:n1], values[n1 : n1 + n0], values[n1 + n0 :], coins)
    for name in checks.NAMES:
        found = checks.make(name).estimate(scores, DESIGN)
        assert (found.epsilon is None) == (found.ceiling is None) == (found.refused is not None)
        if found.epsilon is not None and found.ceiling is not None:
            assert 0 <= found.epsilon <= found.ceiling


@pytest.mark.parametrize("name", checks.NAMES)
def test_every_one_right_is_the_ceiling(name: str) -> None:
    scores = Scores(np.full(300, np.inf), np.full(300, -np.inf), fair_coins=True)
    found = checks.make(name).estimate(scores, DESIGN)
    assert found.epsilon == pytest.approx(found.ceiling, abs=1e-5)
    assert found.epsilon > 1


@pytest.mark.parametrize("name", checks.NAMES)
def test_the_reverse_is_never_turned_round(name: str) -> None:
    scores = Scores(np.arange(300.0), 1000 + np.arange(300.0), fair_coins=True)
    assert checks.make(name).estimate(scores, DESIGN).epsilon == 0.0


def test_ties_are_blind() -> None:
    checks.check_ties_are_blind()


def test_fair_coins_are_needed() -> None:
    checks.check_coins_are_needed()


@pytest.mark.parametrize("name", ["bayesian", "clopper-pearson", "gdp", "gdp-threshold"])
def test_an_empty_class(name: str) -> None:
    tool, some, none = checks.make(name), np.arange(9.0), np.zeros(0)
    assert "was planted" in (tool.estimate(Scores(none, some), DESIGN).refused or "")
    assert "left out" in (tool.estimate(Scores(some, none), DESIGN).refused or "")
    assert not tool.exceeds(Scores(none, some), DESIGN, 0.0)
    assert tool.estimate(Scores(np.arange(100.0), none, np.arange(100.0)), DESIGN).epsilon == 0.0


@pytest.mark.parametrize("name", checks.NAMES)
def test_too_few_canaries_says_how_many_would_do(name: str) -> None:
    tool = checks.make(name)
    few = Scores(np.array([1.0]), np.array([0.0]), fair_coins=True)
    found = tool.estimate(few, DESIGN)
    assert found.refused is not None
    times = int(found.refused.rpartition("; ")[2].split()[0])

    def at(n: int) -> float | None:
        return tool.estimate(Scores(1.0 + np.arange(n), -1.0 - np.arange(n), fair_coins=True), DESIGN).epsilon

    assert at(times)
    assert at(times - 1) is None


def test_delta_too_large_for_one_run() -> None:
    found = checks.make("one-run").estimate(checks.draw(0, 1.0), Design(1e-3))
    assert "2 m delta = 2 with m = 1000" in (found.refused or "")


def test_replicates_follow_the_confidence() -> None:
    scores = checks.draw(0, 1.0, n=20)
    found = checks.make("gdp").estimate(scores, Design(1e-5, 0.9995))
    assert found.details["replicates"] == 1999
    assert "replicates" in (checks.make("gdp").estimate(scores, Design(1e-5, 1 - 1e-7)).refused or "")


def test_assumptions_are_said() -> None:
    apart = "canaries of one run score independently of each other"
    for name in checks.NAMES:
        together = checks.make(name).estimate(checks.draw(0, 1.0), DESIGN).assumes
        alone = (
            checks.make(name).estimate(dataclasses.replace(checks.draw(0, 1.0), runs=1000), DESIGN).assumes
        )
        assert (apart in together) == (not name.startswith("one-run"))
        assert apart not in alone
        assert any("mu-GDP" in line for line in alone) == ("gdp" in name or "f-dp" in name)


@pytest.mark.parametrize("name", checks.NAMES)
@pytest.mark.parametrize("claim", [0.0, 1.0, 3.0])
def test_quick_answers_agree_with_the_bound(name: str, claim: float) -> None:
    tool = checks.make(name)
    for seed in range(6):
        scores = checks.draw(seed, 1.0, n=100)
        bound = tool.estimate(scores, DESIGN).epsilon
        assert bound is not None
        if abs(bound - claim) > 1e-5 or claim == 0:
            assert tool.exceeds(scores, DESIGN, claim) == (bound > claim)


@pytest.mark.parametrize(
    "wrong", [{"delta": 0.0}, {"delta": 1.0}, {"confidence": 1.0}, {"seed": -1}, {"expected_epsilon": -1.0}]
)
def test_a_bad_design_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RefDPError, match=next(iter(wrong))):
        Design(**{"delta": 1e-5, **wrong})  # type: ignore[arg-type]
