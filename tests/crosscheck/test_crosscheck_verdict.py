"""Judging a figure, and the faults that these checks would find."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from fake_peers import mutated
from hypothesis import given
from hypothesis import strategies as st

from refdp.crosscheck.verdict import VERDICTS, figures, judge

Judge = Callable[..., Any]


def upper(value: float) -> dict[str, float | None]:
    return figures("upper", {"epsilon": value})


def check_unsafe(judge: Judge) -> None:
    assert judge(upper(0.9), 1.0, 1.000001).word == "unsafe"
    assert judge(figures("estimate", {"epsilon": 0.9}), 1.0, 1.000001).word == "unsafe"
    assert judge(figures("interval", {"lower": 0.5, "epsilon": 0.6, "upper": 0.9}), 1.0, 1.1).word == "unsafe"
    assert judge(upper(0.9), 1.0, 1.000001).distance == pytest.approx(-0.1)
    assert judge(upper(1.0 - 1e-8), 1.0, 1.000001).word == "unsafe"


def check_safe(judge: Judge) -> None:
    assert judge(upper(1.2), 1.0, 1.000001).word == "above"
    assert judge(upper(1.0005), 1.0, 1.000001).word == "agrees"
    assert judge(upper(1.0 - 1e-10), 1.0, 1.000001).word == "agrees"
    assert judge(upper(math.inf), math.inf, math.inf).word == "agrees"
    assert judge(upper(math.inf), 1.0, 1.1).word == "above"
    assert judge(upper(0.0), 0.0, 0.0).word == "agrees"


def check_wide(judge: Judge) -> None:
    assert judge(upper(1.5), 1.0, 2.0).word == "undecided"
    assert judge(upper(1.5), None, 2.0).word == "undecided"
    assert judge(upper(2.0), None, 2.0).word == "agrees"
    assert judge(upper(2.5), None, 2.0).word == "above"


def check_lower(judge: Judge) -> None:
    assert judge({"lower": 1.2, "estimate": None, "upper": None}, 1.0, 1.000001).word == "overstated"
    assert judge({"lower": 0.5, "estimate": None, "upper": None}, 1.0, 1.000001).word == "below"
    assert judge({"lower": 0.9999, "estimate": None, "upper": None}, 1.0, 1.000001).word == "agrees"
    assert judge({"lower": 1.2, "estimate": 1.3, "upper": 1.4}, 1.0, 1.1).word == "overstated"
    assert judge({"lower": 0.5, "estimate": None, "upper": None}, None, 2.0).word == "undecided"


CHECKS = (check_unsafe, check_safe, check_wide, check_lower)


@pytest.mark.parametrize("check", CHECKS)
def test_verdicts(check: Callable[[Judge], None]) -> None:
    check(judge)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("claimed < lower * (1 - ROUNDING)", "claimed > lower * (1 - ROUNDING)", check_unsafe),
        ("claimed < lower * (1 - ROUNDING)", "claimed < lower * (1 - 0.5)", check_unsafe),
        ("claimed < lower * (1 - ROUNDING)", "claimed < upper", check_safe),
        (
            'given["upper"] if given["upper"] is not None else given["estimate"]',
            'given["upper"]',
            check_unsafe,
        ),
        ("low > upper * (1 + ROUNDING)", "low < upper * (1 + ROUNDING)", check_lower),
        ("upper - floor <= CLOSE * upper", "True", check_wide),
        ("-math.inf if lower is None else lower", "upper if lower is None else lower", check_wide),
    ],
)
def test_a_seeded_fault_is_found(old: str, new: str, check: Callable[[Judge], None]) -> None:
    broken = mutated(judge, old, new)
    with pytest.raises((AssertionError, TypeError)):
        check(broken)


EPSILONS = st.floats(0, 1e6)


@given(EPSILONS, EPSILONS, EPSILONS)
def test_only_what_is_refuted_is_called_unsafe(value: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = judge(upper(value), low, high)
    assert found.word in VERDICTS
    assert (found.word == "unsafe") == (value < low * (1 - 1e-9))
    assert found.wrong == (found.word == "unsafe")
    if low <= value <= high:
        assert found.distance <= 0
        assert found.word in ("agrees", "undecided")
    if value > high:
        assert found.distance == value - high


@given(EPSILONS, EPSILONS, EPSILONS)
def test_a_lower_bound_is_wrong_only_above_the_truth(value: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = judge(figures("lower", {"lower": value}), low, high)
    assert (found.word == "overstated") == (value > high * (1 + 1e-9))


@pytest.mark.parametrize("value", [math.nan, -1.0, None, "1", True, [1]])
def test_what_is_no_epsilon_is_no_figure(value: Any) -> None:
    for side in ("upper", "estimate"):
        with pytest.raises(ValueError, match="its epsilon is"):
            figures(side, {"epsilon": value})
    with pytest.raises(ValueError, match="its upper is"):
        figures("interval", {"lower": 0.0, "epsilon": 0.1, "upper": value})


def test_missing_figures_and_negative_lower_ends() -> None:
    with pytest.raises(ValueError, match="its epsilon is None"):
        figures("upper", {})
    assert figures("interval", {"lower": -0.01, "epsilon": -1e-5, "upper": 0.01})["lower"] == -0.01
    assert figures("lower", {"lower": -0.01})["lower"] == -0.01
