"""Shuffle or Poisson from canaries' scores alone: both errors, power, and black-box runs of refdp's own training."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from refdp.audit.sampling.planted import examine_planted
from refdp.audit.scores import Scores
from refdp.cli.sampler_demonstration import RATE, STEPS, demonstrate
from refdp.errors import RefDPError


def scores(sampling: str, canaries: int, rate: float, steps: int, signal: float, seed: int) -> Scores:
    """Scores as the test assumes them; ``signal`` in standard deviations of the noise."""
    rng = np.random.default_rng(seed)
    mean = rate * steps
    counts = rng.binomial(steps, rate, canaries).astype(float)
    if sampling == "shuffle":
        counts = np.floor(mean + 1e-9) + (rng.random(canaries) < mean % 1 - 1e-9)
    noise = rng.standard_normal((2, canaries))
    return Scores(5 + 3 * (signal / mean * counts + noise[0]), 5 + 3 * noise[1])


def verdicts(sampling: str, canaries: int, rate: float, steps: int, signal: float, runs: int) -> Counter[str]:
    return Counter(
        examine_planted(scores(sampling, canaries, rate, steps, signal, seed), rate, steps).verdict
        for seed in range(runs)
    )


@pytest.mark.parametrize(("rate", "steps"), [(0.1, 100), (0.1, 105), (0.02, 500)])
def test_told_where_the_signal_is_strong(rate: float, steps: int) -> None:
    assert verdicts("poisson", 60, rate, steps, 15.0, 6)["poisson"] == 6
    assert verdicts("shuffle", 60, rate, steps, 15.0, 6)["equally-often"] >= 5


@pytest.mark.parametrize("signal", [0.0, 2.0, 4.0])
def test_false_verdicts_are_rare_where_it_is_weak(signal: float) -> None:
    assert verdicts("poisson", 40, 0.1, 100, signal, 15)["equally-often"] <= 1
    assert verdicts("shuffle", 40, 0.1, 100, signal, 15)["poisson"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("canaries", [12, 40, 200])
@pytest.mark.parametrize("signal", [0.0, 3.0, 8.0])
def test_both_errors_are_at_most_one_percent(canaries: int, signal: float) -> None:
    """At most 11 of 400: a chance of 1 in 1,000 at 1 %."""
    poisson, shuffle = (verdicts(s, canaries, 0.1, 103, signal, 400) for s in ("poisson", "shuffle"))
    print(canaries, signal, poisson, shuffle)
    assert poisson["equally-often"] + poisson["neither"] <= 11
    assert shuffle["poisson"] + shuffle["neither"] <= 11


@pytest.mark.parametrize("sampling", ["poisson", "shuffle"])
def test_a_black_box_run(sampling: str) -> None:
    """refdp's own training; of the run nothing is seen but the final model's losses on canaries."""
    wanted = {"poisson": "poisson", "shuffle": "equally-often"}[sampling]
    for seed in range(3):
        found = examine_planted(demonstrate(sampling, seed), RATE, STEPS)
        assert found.verdict == wanted
        assert found.signal > found.signal_needed


def test_a_black_box_run_under_much_noise_tells_nothing_and_says_so() -> None:
    found = examine_planted(demonstrate("shuffle", 0, noise_multiplier=3.0), RATE, STEPS)
    assert found.verdict in ("cannot-tell", "neither")
    assert found.signal < found.signal_needed


def test_power_is_true() -> None:
    """At the signal that is said to be needed, most runs are told; at a third of it, few."""
    needed = examine_planted(scores("poisson", 100, 0.1, 100, 5.0, 0), 0.1, 100).signal_needed
    assert verdicts("poisson", 100, 0.1, 100, 1.3 * needed, 8)["poisson"] >= 7
    assert verdicts("shuffle", 100, 0.1, 100, 1.3 * needed, 8)["equally-often"] >= 6
    assert verdicts("shuffle", 100, 0.1, 100, needed / 3, 8)["equally-often"] <= 2
    told = examine_planted(scores("poisson", 100, 0.1, 100, 8.0, 0), 0.1, 100)
    assert told.canaries_needed is not None
    assert told.canaries_needed < 60


def test_what_breaks_the_assumptions_is_said() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(100)
    cauchy = examine_planted(Scores(noise + 9, rng.standard_cauchy(100)), 0.1, 100)
    assert cauchy.verdict == "cannot-tell"
    assert "not Gaussian" in cauchy.why[0]
    same = examine_planted(Scores(noise, np.ones(50)), 0.1, 100)
    assert (same.verdict, same.ratio) == ("cannot-tell", None)
    wide = examine_planted(Scores(2 + 1.7 * noise, rng.standard_normal(100)), 0.5, 10_000)
    assert wide.verdict != "equally-often"
    neither = examine_planted(Scores(20 + 1.6 * noise, rng.standard_normal(100)), 0.1, 100)
    assert neither.verdict == "neither"


def test_bad_input() -> None:
    noise = np.random.default_rng(0).standard_normal(10)
    good = Scores(noise + 3, noise)
    for match, call in (
        ("at least 3", lambda: examine_planted(Scores(noise[:2], noise), 0.1, 10)),
        ("at least 3", lambda: examine_planted(Scores(noise, noise[:2]), 0.1, 10)),
        ("infinite", lambda: examine_planted(Scores(np.append(noise, np.inf), noise), 0.1, 10)),
        ("one run", lambda: examine_planted(Scores(noise, noise, runs=20), 0.1, 10)),
        ("sample_rate", lambda: examine_planted(good, 1.0, 10)),
        ("steps", lambda: examine_planted(good, 0.1, 0)),
        ("level", lambda: examine_planted(good, 0.1, 10, level=1e-5)),
    ):
        with pytest.raises(RefDPError, match=match):
            call()
