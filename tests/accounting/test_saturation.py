"""delta saturates at the chance that a record takes part at all, whatever the noise."""

from __future__ import annotations

import hockey_stick
import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, delta, epsilon
from refdp.accounting.kernels.poisson import Poisson


def run(rate: float, noise_multiplier: float, steps: int) -> Ledger:
    return Ledger("add-remove", (GaussianEvent(noise_multiplier, Sampling("poisson", rate), steps),))


@pytest.mark.parametrize(
    ("rate", "sigma", "steps"), [(1e-9, 0.115, 10), (2.66e-4, 0.0088, 2), (0.1, 0.005, 3)]
)
def test_delta_never_exceeds_the_chance_of_being_drawn(rate: float, sigma: float, steps: int) -> None:
    chance = 1 - (1 - rate) ** steps
    bounds = epsilon(run(rate, sigma, steps), min(chance * 1.01, 0.99))
    assert (bounds.lower, bounds.upper) == (0.0, 0.0)
    for at in (0.0, 1.0, 30.0):
        found = delta(run(rate, sigma, steps), at)
        assert found.lower is not None
        assert found.upper is not None
        assert 0.0 <= found.lower <= found.upper <= chance * (1 + 1e-6)


def test_and_attains_it_where_there_is_next_to_no_noise() -> None:
    rate, sigma = 0.3, 0.05
    assert hockey_stick.delta([(rate, sigma)], 1.0) == pytest.approx(rate, rel=1e-6)
    assert delta(run(rate, sigma, 1), 1.0).upper == pytest.approx(rate, rel=1e-6)


def test_the_harmonic_mean_counterexample() -> None:
    """(1/7, 1) and (.2, .2) have the same mean of 1 / multiplier^2: .2 twice costs about 3, the schedule nothing."""
    rate, at = 0.01, 0.015
    constant = epsilon(run(rate, 0.2, 2), at)
    schedule = epsilon(run(rate, 1 / 7, 1) + run(rate, 1.0, 1), at)
    assert constant.lower > 3
    assert schedule.upper == 0.0


def test_a_chance_too_small_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Poisson, "chance", property(lambda self: self.rate / 2))
    ledger = run(0.3, 0.05, 1)
    with pytest.raises(Exception, match="lower bound"):
        delta(ledger, 1.0)
