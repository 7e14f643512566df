"""Corners where a statistic of the audit was once wrong: each of these fails on the code before it was mended."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from refdp.audit.estimators import Design, estimators
from refdp.audit.sampling import CONSISTENT, REFUTED, Batches, examine
from refdp.audit.sampling.planted import EQUALLY, NEITHER, POISSON, examine_planted
from refdp.audit.sampling.power import Power
from refdp.audit.sampling.structure import period
from refdp.audit.sampling.text import as_text
from refdp.audit.scores import Scores, read_scores
from refdp.cli import run

THRESHOLDS = ("bayesian", "clopper-pearson", "gdp-threshold")


def perfect(planted: int, left_out: int) -> Scores:
    """Every planted canary above every other."""
    return Scores(np.arange(planted) + 1.0, -1.0 - np.arange(left_out), fair_coins=True)


@pytest.mark.parametrize("name", THRESHOLDS)
def test_without_a_claim_no_scores_show_more_than_the_ceiling(name: str) -> None:
    rng = np.random.default_rng(1)
    nothing = Scores(rng.standard_normal(500), rng.standard_normal(500))
    tool, design = estimators.create(name), Design(1e-5)
    best = tool.estimate(perfect(500, 500), design)
    assert best.epsilon is not None
    assert tool.estimate(nothing, design).ceiling == best.ceiling >= best.epsilon  # type: ignore[operator]


@pytest.mark.parametrize("name", [*THRESHOLDS, "gdp", "one-run", "one-run-f-dp"])
@pytest.mark.parametrize(("delta", "confidence"), [(0.3, 0.95), (0.9, 0.5), (0.1, 0.95), (1e-5, 0.95)])
@pytest.mark.parametrize("expected", [None, 1.0])
def test_so_many_times_the_canaries_do_show_a_leak(
    name: str, delta: float, confidence: float, expected: float | None
) -> None:
    tool, design = estimators.create(name), Design(delta, confidence, expected)
    refused = tool.estimate(perfect(1, 1), design).refused
    if refused is not None and (times := re.search(r"(\d+) times as many could", refused)):
        assert tool.estimate(perfect(int(times[1]), int(times[1])), design).epsilon
    elif refused is not None:
        sizes = [k for k in range(2, 9) if name not in ("one-run", "one-run-f-dp") or 4 * k * delta <= 1]
        assert not any(tool.estimate(perfect(k, k), design).epsilon for k in sizes)


def test_bayesian_has_a_bound_at_high_confidence() -> None:
    found = estimators.create("bayesian").estimate(perfect(500, 500), Design(1e-5, 0.9999, 1.0))
    assert found.epsilon is not None
    assert 2 < found.epsilon < 6


@pytest.mark.parametrize("name", THRESHOLDS)
def test_held_out_scores_do_not_depend_on_what_the_input_is_sorted_by(name: str) -> None:
    rng = np.random.default_rng(3)
    planted, left_out = rng.standard_normal(200) + 1, rng.standard_normal(200)
    tool, design = estimators.create(name), Design(1e-5)
    one = tool.estimate(Scores(planted, left_out), design)
    assert one == tool.estimate(Scores(np.sort(planted), np.sort(left_out)[::-1]), design)


def test_references_of_a_canary_s_run_are_not_independent_of_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shared = Scores(rng.standard_normal(30), rng.standard_normal(30), rng.standard_normal(60), runs=60)
    assert not shared.independent
    assert Scores(shared.planted, shared.left_out, runs=60).independent
    file = tmp_path / "runs.jsonl"  # a run without scores is no canary's run
    file.write_text('{"run": 0, "planted": [1], "left_out": [0]}\n{"run": 1, "planted": []}\n')
    assert not read_scores(file).scores.independent


def test_a_claim_at_another_delta_is_not_tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Epsilon 0.5 at delta 0.1 says nothing of delta 1e-5; exit 3 would accuse a run that is as claimed."""
    scores = perfect(100, 100)
    document = {
        "schema": "refdp-scores/1",
        "planted": list(scores.planted),
        "left_out": list(scores.left_out),
    }
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(document | {"delta": 0.1, "claimed_epsilon": 0.5}))
    assert run(["audit", "scores", str(file), "--quick", "--delta", "1e-5"]) == 2
    assert "says nothing of another delta" in capsys.readouterr().err
    assert run(["audit", "scores", str(file), "--quick", "--delta", "1e-5", "--claimed-epsilon", "0.5"]) == 3


@pytest.mark.parametrize("size", [3, 4, 7])
@pytest.mark.parametrize("steps", [4, 9, 40])
def test_a_fixed_order_that_runs_on_in_the_middle_of_a_batch_is_not_refuted(size: int, steps: int) -> None:
    records = np.tile(np.random.default_rng(size).permutation(10), 40)
    batches = Batches.of([records[k * size : (k + 1) * size] for k in range(steps)], 10)
    assert examine(batches, "fixed-order").verdict == CONSISTENT


def test_a_list_of_random_batches_that_is_replayed_has_its_period() -> None:
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(rng.random(500) < 0.1) for _ in range(200)]
    again = Batches.of(rows * 3, 500)
    assert period(again, 300) == 200
    assert examine(again, "fixed-order").verdict == CONSISTENT
    assert examine(Batches.of(rows, 500), "fixed-order").verdict == REFUTED
    orders = [rng.permutation(100)[k : k + 10] for _ in range(3) for k in range(0, 100, 10)]
    assert examine(Batches.of(orders, 100), "fixed-order").verdict == REFUTED


def test_empty_batches_only_belong_to_another_rate() -> None:
    assert examine(Batches.of([[]] * 20, 10), "poisson", 0.5).sampler == "other-rate"


def test_a_run_longer_than_any_played_is_not_called_worthless() -> None:
    batches = Batches.of([[0], [1], [], [2, 3]] * 5, 10)
    found = examine(batches, "poisson")
    short = Power("balls-and-bins", None, 10, 0.1)
    shown = " ".join(as_text(type(found)(**{**vars(found), "power": (short,)})).split())
    assert "is not known" in shown
    assert "no evidence" not in shown
    assert "record more steps" not in shown


@pytest.mark.parametrize(
    ("planted", "rate", "steps"), [(3, 0.5, 1), (5, 0.02, 10), (3, 0.2, 3), (10, 0.01, 20)]
)
def test_canaries_that_may_never_have_been_drawn_accuse_nobody(planted: int, rate: float, steps: int) -> None:
    """No D is too large for them; an infinite one times no draws was NaN once, and NaN a p-value of 1 / 3001."""
    rng = np.random.default_rng(4)
    accused = 0
    for _ in range(5):
        signal = 5 / (rate * steps) * rng.binomial(steps, rate, planted)
        scores = Scores(rng.standard_normal(planted) + signal, rng.standard_normal(50))
        found = examine_planted(scores, rate, steps)
        accused += found.verdict in (EQUALLY, NEITHER)
        poisson_only = found.verdict == POISSON
        assert not poisson_only or found.p_equally <= 0.01
    assert accused == 0


def test_scores_whose_squares_overflow_are_refused() -> None:
    from refdp.errors import RefDPError

    with pytest.raises(RefDPError, match="no float64; scale them"):
        examine_planted(Scores([1e200, -1e200, 3e200], np.arange(5.0)), 0.1, 100)  # type: ignore[arg-type]
