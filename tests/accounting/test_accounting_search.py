"""The search behind every calibration: safe ends only, few evaluations, whatever the curve looks like."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.accounting.search import BUDGET, greatest_whole, least

TARGETS = st.floats(-3, 3).map(lambda e: 10.0**e)


@given(
    st.floats(0.1, 3),
    st.floats(-3, 3).map(lambda e: 10.0**e),
    st.floats(-2, 6).map(lambda e: 10.0**e),
    st.sampled_from(["power", "falls to zero", "infinite below", "steepening", "stairs"]),
    TARGETS,
)
@settings(max_examples=300)
def test_least(power: float, factor: float, knee: float, kind: str, target: float) -> None:
    calls = 0

    def cost(x: float) -> float:
        value = factor * x**-power
        if kind == "falls to zero":
            value *= math.sqrt(max(0.0, 1 - x / knee))
        elif kind == "infinite below" and x < knee:
            value = math.inf
        elif kind == "steepening":
            value += factor * x ** (-3 * power)
        elif kind == "stairs":
            value = math.pi / 3 * 2.0 ** math.floor(math.log2(value))
        return value

    def counted(x: float) -> float:
        nonlocal calls
        calls += 1
        assert 1e-3 <= x <= 1e8
        return cost(x)

    found = least(counted, target, 1e-3, 1e8, 1.0)
    assert calls <= BUDGET
    if found is None:
        assert cost(1e8) > target
    else:
        assert cost(found.x) <= target
        near = 1e-5 if kind in ("power", "falls to zero", "steepening") else 2e-3
        assert found.x == 1e-3 or cost(found.x / (1 + near)) > target


@given(st.floats(0.02, 2), st.floats(-6, 3).map(lambda e: 10.0**e), TARGETS)
@settings(max_examples=300)
def test_greatest_whole(power: float, factor: float, target: float) -> None:
    calls = 0

    def cost(n: int) -> float:
        nonlocal calls
        calls += 1
        assert isinstance(n, int)
        assert 1 <= n <= 10**9
        return factor * float(n) ** power

    found = greatest_whole(cost, target, 10**9, 1000)
    assert calls <= 40
    if found is None:
        assert cost(1) > target
    else:
        n = round(found.x)
        assert cost(n) <= target
        assert n == 10**9 or cost(n + 1) > target


def test_a_bound_that_is_never_finite() -> None:
    assert least(lambda x: math.inf, 1.0, 1e-3, 1e8, 1.0) is None
    assert greatest_whole(lambda n: math.inf, 1.0, 10**9, 1000) is None


def test_a_bound_that_is_always_kept() -> None:
    assert least(lambda x: 0.0, 1.0, 1e-3, 1e8, 1.0).x == 1e-3
    assert greatest_whole(lambda n: 0.0, 1.0, 10**9, 1000).x == 10**9
