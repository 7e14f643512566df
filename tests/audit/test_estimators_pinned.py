"""What attacks on the estimators, score files and sampler tests found, pinned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from refdp.audit.estimators import Design, estimators
from refdp.audit.estimators._rates import Rates
from refdp.audit.estimators.bayesian import below
from refdp.audit.sampling import CONSISTENT, REFUTED, examine
from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.planted import examine_planted
from refdp.audit.scores import Scores, read_scores
from refdp.cli import run
from refdp.errors import RefDPError

NAMES = estimators.names()


def some_scores(planted: int, outside: int) -> Scores:
    rng = np.random.default_rng(5)
    return Scores(rng.standard_normal(planted) + 1, rng.standard_normal(outside), fair_coins=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_input_does_not_count_where_a_tenth_is_held_out(name: str) -> None:
    """Members sorted by score would make the held-out tenth their best, or worst, ones."""
    found = some_scores(200, 200)
    ascending = Scores(np.sort(found.planted), np.sort(found.left_out), fair_coins=True)
    falling = Scores(ascending.planted[::-1], ascending.left_out[::-1], fair_coins=True)
    design = Design(1e-5)
    bounds = [estimators.create(name).estimate(one, design) for one in (found, ascending, falling)]
    assert len({bound.epsilon for bound in bounds}) == 1
    assert len({bound.ceiling for bound in bounds}) == 1


@pytest.mark.parametrize(("positives", "negatives", "epsilon"), [(3, 5, 1.0), (0, 20, 2.0), (12, 0, 0.3)])
def test_the_posterior_is_integrated_from_above_and_closely(
    positives: int, negatives: int, epsilon: float
) -> None:
    rates, delta = Rates(positives, 50, negatives, 60), 1e-5
    fnr = stats.beta(negatives + 0.5, 60 - negatives + 0.5)
    fpr = stats.beta(positives + 0.5, 50 - positives + 0.5)

    def integrand(u: float) -> float:
        x = float(fpr.ppf(u))
        least = max(1 - delta - np.exp(epsilon) * x, (1 - delta - x) * np.exp(-epsilon))
        return float(fnr.sf(min(max(least, 0), 1)))

    truth = integrate.quad(integrand, 0, 1, limit=500)[0]
    found = below(epsilon, rates, delta)
    assert truth * (1 - 1e-6) <= found <= truth + 2e-3


def test_a_credible_bound_at_a_high_confidence_is_not_lost_in_one_cell() -> None:
    apart = Scores(np.arange(2000.0) + 5000, np.arange(2000.0))
    found = estimators.create("bayesian").estimate(apart, Design(1e-5, 0.9999, 4.0))
    assert found.epsilon is not None
    assert found.epsilon > 3


@pytest.mark.parametrize("name", ["one-run", "one-run-f-dp"])
@pytest.mark.parametrize("delta", [0.1, 0.24])
def test_too_few_canaries_at_a_delta_that_allows_no_more(name: str, delta: float) -> None:
    found = estimators.create(name).estimate(some_scores(1, 1), Design(delta, 0.999, 1.0))
    assert found.epsilon is None
    assert found.refused


def test_references_share_a_run_with_canaries() -> None:
    """One canary a run, and references: those of all runs may be the same records."""
    one = np.arange(3.0)
    assert Scores(one, one, runs=6).independent
    assert not Scores(one, one, one, runs=6).independent


def test_a_run_without_scores_is_none(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(
        "".join(
            json.dumps({"planted": a, "left_out": b}) + "\n" for a, b in (([1.0], []), ([], []), ([], [0.0]))
        )
    )
    assert read_scores(path).scores.runs == 2


def test_a_claim_at_one_delta_says_nothing_at_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.json"
    lists = {"planted": list(range(20, 60)), "left_out": list(range(40))}
    path.write_text(json.dumps({"schema": "refdp-scores/1", "delta": 1e-6, "claimed_epsilon": 3, **lists}))
    assert run(["audit", "scores", str(path), "--quick", "--delta", "1e-5"]) == 2
    assert "says nothing of another delta" in capsys.readouterr().err
    assert run(["audit", "scores", str(path), "--quick", "--delta", "1e-5", "--claimed-epsilon", "3"]) == 0


def batches(lists: list[list[int]], records: int) -> Batches:
    offsets = np.cumsum([0, *map(len, lists)])
    return Batches(np.array([i for one in lists for i in one], dtype=np.int64), offsets, records)


def test_batches_that_are_all_empty() -> None:
    found = examine(batches([[]] * 400, 100), "poisson", 0.1, 0.01)
    assert (found.verdict, found.sampler) == (REFUTED, "other-rate")
    assert examine(batches([[]] * 400, 100), "poisson", None, 0.01).verdict == CONSISTENT


def test_a_list_that_is_read_again_and_again_is_a_fixed_order() -> None:
    """Batches that run over the end of the list: no two are alike for 7 rounds."""
    order, lists = [4, 0, 6, 2, 5, 1, 3], []
    for step in range(30):
        lists.append([order[(3 * step + k) % 7] for k in range(3)])
    assert examine(batches(lists, 7), "fixed-order", None, 0.01).verdict == CONSISTENT
    rng = np.random.default_rng(1)
    lists = [rng.choice(50, 3, replace=False).tolist() for _ in range(60)]
    assert examine(batches(lists, 50), "fixed-order", None, 0.01).verdict == REFUTED


def test_planted_scores_whose_squares_overflow() -> None:
    scores = Scores(np.array([1e80, 2e80, 3e80, 4e80]), np.array([0.0, 1.0, 2.0, 3.0]))
    with pytest.raises(RefDPError, match="scale them"):
        examine_planted(scores, 0.1, 100)


@pytest.mark.parametrize(("planted", "outside"), [(100, 100), (20, 1000), (50, 50)])
def test_no_lot_is_lucky_with_scores_of_two_values(planted: int, outside: int) -> None:
    """Right or wrong, 97 % right: lots frozen by the data refuted 8 to 20 % of sound runs at level 5 %."""
    rng, found = np.random.default_rng(1), 0
    tool = estimators.create("gdp", replicates=199)
    for _ in range(100):
        scores = Scores((rng.random(planted) < 0.97) * 1.0, (rng.random(outside) < 0.97) * 1.0)
        found += bool(tool.estimate(scores, Design(1e-5)).epsilon)
    assert found <= 5
