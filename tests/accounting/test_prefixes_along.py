"""Epsilon after every step of a run, and the multiplier that is for display only."""

from __future__ import annotations

import ast
import math
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp

import refdp.accounting
from refdp.accounting import (
    AccountingError,
    Bounds,
    GaussianEvent,
    Ledger,
    QuantileEvent,
    Sampling,
    Schedule,
    effective_noise_multiplier,
    epsilon,
    epsilon_after,
    epsilon_along,
    prefix,
    prefixes,
)

POISSON, UNIT, UNITS = (
    Sampling("poisson", 0.05),
    20,
    9,
)  # twenty steps at once: two to ten take the accountant longer
COSINE = Schedule("cosine", UNIT * UNITS, 1.5, {"amplitude": 0.6})
LEDGERS = {
    "constant": Ledger("add-remove", (GaussianEvent(1.2, POISSON, 180),)),
    "cosine": Ledger("add-remove", (GaussianEvent(COSINE, POISSON, 180),)),
    "counts": Ledger("zero-out", (QuantileEvent(COSINE, POISSON, 180, 2.0, 1.0),)),
    "mixed": Ledger(
        "replace-one", (GaussianEvent(1.2, POISSON, 100), GaussianEvent(9.0, Sampling("full-batch"), 80))
    ),
    "shuffle": Ledger(
        "zero-out", tuple(GaussianEvent(2.0 - t / 180, Sampling("shuffle", epochs=1)) for t in range(180))
    ),
    "no noise": Ledger("add-remove", (GaussianEvent(1.2, POISSON, 120), GaussianEvent(0.0, POISSON, 60))),
}
positive = st.floats(1e-3, 1e3)


@cache
def truths(name: str) -> list[Bounds]:
    return [epsilon(units(name, k), 1e-5) for k in range(UNITS + 1)]


def units(name: str, k: int) -> Ledger:
    return prefix(LEDGERS[name], UNIT * k)


@pytest.mark.parametrize("name", LEDGERS)
@pytest.mark.parametrize(("points", "bins"), [(2, 3), (4, 200), (9, 200)])
def test_the_epsilon_of_every_step_is_enclosed(name: str, points: int, bins: int) -> None:
    lower, upper = epsilon_along(partial(units, name), UNITS, 1e-5, points=points, bins=bins)
    found = truths(name)
    for k, truth in enumerate(found):
        assert truth.upper is not None
        assert upper[k] >= (truth.upper if truth.lower is None else truth.lower), k
        assert np.isnan(lower[k]) or lower[k] <= truth.upper, k
    assert np.all(upper[1:] >= upper[:-1])
    known = lower[~np.isnan(lower)]
    assert np.all(known[1:] >= known[:-1])
    assert lower[0] == upper[0] == 0.0
    if bins == 200:
        assert upper[-1] == found[-1].upper
    if points == UNITS:
        np.testing.assert_array_equal(upper, [f.upper for f in found])


def test_more_points_are_closer() -> None:
    few, more = (epsilon_along(partial(units, "constant"), UNITS, 1e-5, points=n)[1].sum() for n in (2, 5))
    assert more < few


def test_an_upper_bound_holds_for_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a lower one for what comes after; where a prefix has no bound of its own, it has its neighbour's."""
    ends = iter([(None, None), (2.0, 5.0), (1.0, 3.0), (None, None), (2.5, 4.0)])

    def known(ledger: Ledger, delta: float, accountant: str) -> SimpleNamespace:
        lower, upper = next(ends)
        return SimpleNamespace(lower=lower, upper=upper)

    monkeypatch.setattr(prefixes, "epsilon", known)
    lower, upper = epsilon_after(LEDGERS["constant"], 1e-5, range(5))
    np.testing.assert_array_equal(lower, [math.nan, 2.0, 2.0, 2.0, 2.5])
    np.testing.assert_array_equal(upper, [3.0, 3.0, 3.0, 4.0, 4.0])


@pytest.mark.parametrize("wrong", [{"points": 1}, {"points": 2.5}, {"bins": 0}, {"steps": -1}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    asked = {"steps": 9, **wrong}
    with pytest.raises(AccountingError, match=f"{next(iter(wrong))} = "):
        epsilon_along(partial(units, "constant"), delta=1e-5, **asked)  # type: ignore[arg-type]


def rdp(multipliers: np.ndarray, rate: float, order: int) -> float:
    """RDP at a whole order of Poisson steps: log sum_k C(a, k) (1 - q)^(a - k) q^k exp(k (k - 1) / (2 z^2)) / (a - 1)
    (Mironov, Talwar, Zhang 2019, section 3.3)."""
    k = np.arange(order + 1)
    weights = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    weights = weights + k * math.log(rate) + (order - k) * math.log1p(-rate)
    terms = weights[None, :] + (k * (k - 1))[None, :] / (2 * multipliers[:, None] ** 2)
    return float(logsumexp(terms, axis=1).sum() / (order - 1))


@given(st.lists(st.floats(0.3, 30), min_size=1, max_size=12), st.floats(1e-4, 0.9))
def test_a_schedule_costs_at_least_its_effective_multiplier(multipliers: list[float], rate: float) -> None:
    """At every order asked: why no accountant takes it."""
    varying = np.array(multipliers)
    constant = np.full(len(varying), effective_noise_multiplier(varying))
    for order in (*range(2, 17), 32, 64):
        assert rdp(varying, rate, order) >= rdp(constant, rate, order) * (1 - 1e-9) - 1e-13


@pytest.mark.parametrize("amplitude", [0.9, -0.9])
def test_epsilon_from_it_would_be_below_the_truth(amplitude: float) -> None:
    schedule = Schedule("cosine", 50, 2.0, {"amplitude": amplitude})
    shown = effective_noise_multiplier(schedule)
    for sampling, costs_more in ((Sampling("poisson", 0.01), True), (Sampling("full-batch"), False)):
        truth = epsilon(Ledger("add-remove", (GaussianEvent(schedule, sampling, 50),)), 1e-5)
        wrong = epsilon(Ledger("add-remove", (GaussianEvent(shown, sampling, 50),)), 1e-5)
        assert truth.lower is not None
        assert wrong.upper is not None
        if costs_more:
            assert truth.lower > 1.5 * wrong.upper
        else:
            assert truth.upper == pytest.approx(wrong.upper, rel=1e-9)


@given(st.lists(positive, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_it_is_the_harmonic_mean_of_squares(multipliers: list[float], random: object) -> None:
    shown = effective_noise_multiplier(multipliers)
    assert shown == pytest.approx(np.mean(np.array(multipliers) ** -2.0) ** -0.5, rel=1e-12)
    assert min(multipliers) * (1 - 1e-12) <= shown <= max(multipliers) * (1 + 1e-12)
    shuffled = sorted(multipliers, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert effective_noise_multiplier(shuffled) == pytest.approx(shown, rel=1e-12)
    constant = [multipliers[0]] * len(multipliers)
    assert effective_noise_multiplier(constant) == pytest.approx(multipliers[0], rel=1e-15)


@settings(max_examples=20)
@given(st.integers(1, 40), st.floats(-0.9, 0.9), positive)
def test_a_harmonic_schedule_shows_its_scale(steps: int, amplitude: float, scale: float) -> None:
    schedule = Schedule("cosine", steps, scale, {"amplitude": amplitude}, "harmonic")
    assert effective_noise_multiplier(schedule) == pytest.approx(scale, rel=1e-12)
    assert effective_noise_multiplier(schedule, 1) == pytest.approx(
        schedule.noise_multipliers()[0], rel=1e-15
    )


def test_its_rims() -> None:
    assert effective_noise_multiplier([1.0, 0.0, 2.0]) == 0.0
    assert effective_noise_multiplier([math.inf, math.inf]) == math.inf
    assert effective_noise_multiplier([3.0, math.inf]) == pytest.approx(3.0 * math.sqrt(2), rel=1e-15)
    assert effective_noise_multiplier([1e200, 1e200]) == 1e200
    assert effective_noise_multiplier([1e-200, 1e200]) == pytest.approx(1e-200 * math.sqrt(2), rel=1e-15)
    for wrong in ([], [-1.0], [math.nan], [[1.0]]):
        with pytest.raises(AccountingError, match="noise multipliers"):
            effective_noise_multiplier(wrong)  # type: ignore[arg-type]
    for steps in (0, 3, 1.5):
        with pytest.raises(AccountingError, match="steps"):
            effective_noise_multiplier([1.0, 2.0], steps)  # type: ignore[arg-type]


def users(root: Path, name: str = "effective_noise_multiplier") -> set[str]:
    """Files under root that call, import or otherwise name the function; its own definition does not count."""
    found = set()
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            here = getattr(node, "id", None) or getattr(node, "attr", None)
            if here == name or name in names:
                found.add(path.relative_to(root).as_posix())
    return found


def test_no_accountant_takes_it(tmp_path: Path) -> None:
    package = Path(refdp.accounting.__file__).parent
    assert users(package) == {"__init__.py"}
    for part in (*package.parent.glob("*.py"), *(package.parent / "audit").rglob("*.py")):
        assert "import effective_noise_multiplier" not in part.read_text(encoding="utf-8")
    (tmp_path / "new.py").write_text(
        "from refdp.accounting import prefixes\nprefixes.effective_noise_multiplier(x)\n"
    )
    assert users(tmp_path) == {"new.py"}  # the search finds what it looks for
