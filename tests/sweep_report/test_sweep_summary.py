"""The summary against examples worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sweep_synthetic import make_config, make_run, make_runs

from refdp.sweep.summary import SELECTION_NOTE, mean_std, summarise


def _sweep(
    cells: dict[tuple[str, float, float], float], uppers: dict[float, Any], baseline: float | None = 1.0
) -> dict[str, Any]:
    """Summary of one-seed cells {(clipping, clip norm, noise): accuracy} with {noise: upper bound}."""
    runs = [] if baseline is None else [make_run(0, None, 1, baseline)]
    for (clipping, norm, noise), accuracy in cells.items():
        epsilon = {"lower": None, "upper": uppers[noise]}
        runs.append(make_run(noise, norm, 1, accuracy, clipping=clipping, epsilon=epsilon))
    config = make_config(
        noise_multipliers=sorted(uppers),
        clip_norms=sorted({norm for _, norm, _ in cells}),
        clippings=sorted({clipping for clipping, _, _ in cells}),
        seeds=[1],
        baselines=baseline is not None,
    )
    return summarise(config, runs)


def test_mean_and_spread() -> None:
    assert mean_std([0.25]) == (0.25, None)
    mean, std = mean_std([0.9, 1.0, 0.8])
    assert mean == pytest.approx(0.9)
    assert std == pytest.approx(0.1)  # ddof = 1: sqrt((0 + .01 + .01) / 2)


def test_s1() -> None:
    summary = summarise(make_config(), make_runs())
    assert summary["baseline"] == {
        "mean": pytest.approx(0.995),
        "std": pytest.approx(0.005),
        "n": 3,
        "reason": None,
    }
    order = [(cell["clipping"], cell["clip_norm"], cell["noise_multiplier"]) for cell in summary["cells"]]
    assert order == sorted(order)
    assert len(order) == 21
    assert summary["runs"] == {"done": 66, "expected": 66}
    best = summary["best_clip_norm"]["flat"]
    assert (best["clip_norm"], best["over"]) == (1.0, 7)
    assert best["mean"] == pytest.approx((0.99 + 0.9933 + 0.9867 * 2 + 0.9833 * 2 + 0.9467) / 7, abs=1e-4)
    assert summary["privacy_cliff"]["exists"] is False
    region = summary["safe_region"]
    assert (region["starts_at_epsilon"], region["noise_multiplier"], region["clip_norm"]) == (1.76, 10.0, 1.0)
    assert summary["notes"] == []
    assert summary["selection_note"] == SELECTION_NOTE


def test_gap_and_epsilon_of_a_cell() -> None:
    cell = summarise(make_config(), make_runs())["cells"][-1]
    assert cell["epsilon"] == {"lower": pytest.approx(0.97 * 1.76), "upper": 1.76}
    assert cell["gap"] == pytest.approx(0.995 - 0.6267)
    assert (cell["n"], cell["target_epsilon"]) == (3, None)


def test_cliff_is_strictly_below_half() -> None:
    cells = {("flat", 1.0, 1.0): 0.4, ("flat", 1.0, 2.0): 0.39999}
    cliff = _sweep(cells, {1.0: 8.0, 2.0: 3.0}, baseline=0.8)["privacy_cliff"]
    assert (cliff["exists"], cliff["threshold"]) == (True, 0.4)
    assert [found["noise_multiplier"] for found in cliff["configurations"]] == [2.0]


def test_safe_region_starts_above_the_last_failure() -> None:
    """At the best clip norm: .95 at 10, .91 at 5, .85 at 3, .92 at 1. The .92 is luck: 3 fails above it."""
    cells = {("flat", 1.0, noise): a for noise, a in ((1.0, 0.95), (2.0, 0.91), (3.0, 0.85), (4.0, 0.92))}
    cells |= {("flat", 9.0, noise): 0.5 for noise in (1.0, 2.0, 3.0, 4.0)}
    region = _sweep(cells, {1.0: 10.0, 2.0: 5.0, 3.0: 3.0, 4.0: 1.0})["safe_region"]
    assert region == {
        "exists": True, "starts_at_epsilon": 5.0, "noise_multiplier": 2.0, "clip_norm": 1.0,
        "clipping": "flat", "threshold": 0.9, "reason": None,
    }  # fmt: skip


def test_exactly_ninety_percent_is_safe() -> None:
    """0.9 * 0.7 is 0.63 only but for the last bit."""
    assert _sweep({("flat", 1.0, 1.0): 0.63}, {1.0: 8.0}, baseline=0.7)["safe_region"]["exists"] is True


def test_no_safe_region_when_the_largest_epsilon_fails() -> None:
    cells = {("flat", 1.0, 1.0): 0.5, ("flat", 1.0, 2.0): 0.99}
    region = _sweep(cells, {1.0: 8.0, 2.0: 3.0})["safe_region"]
    assert (region["exists"], region["starts_at_epsilon"]) == (False, None)
    assert region["reason"] == (
        "no finite epsilon from which every larger one keeps 90% of the baseline at flat, clip norm 1"
    )


def test_an_infinite_epsilon_counts_as_largest_but_never_as_private() -> None:
    uppers = {0.0: "inf", 1.0: 8.0}
    good = {("flat", 1.0, 0.0): 0.99, ("flat", 1.0, 1.0): 0.95}
    assert _sweep(good, uppers)["safe_region"]["starts_at_epsilon"] == 8.0
    assert _sweep({**good, ("flat", 1.0, 0.0): 0.2}, uppers)["safe_region"]["exists"] is False
    assert _sweep({**good, ("flat", 1.0, 1.0): 0.2}, uppers)["safe_region"]["exists"] is False


def test_unknown_epsilon_is_left_out_with_a_note() -> None:
    cells = {("flat", 1.0, 1.0): 0.95, ("flat", 1.0, 2.0): 0.94}
    summary = _sweep(cells, {1.0: 8.0, 2.0: None})
    assert summary["safe_region"]["starts_at_epsilon"] == 8.0
    assert summary["notes"] == [
        "1 of 2 configurations at flat, clip norm 1 have no upper bound on epsilon and are left out of the safe region"
    ]
    assert _sweep(cells, {1.0: None, 2.0: None})["safe_region"]["exists"] is False


def test_equal_epsilons_stand_or_fall_together() -> None:
    cells = {("flat", 1.0, 1.0): 0.95, ("flat", 1.0, 1.5): 0.5, ("flat", 1.0, 0.5): 0.95}
    region = _sweep(cells, {1.0: 8.0, 1.5: 8.0, 0.5: 20.0})["safe_region"]
    assert region["starts_at_epsilon"] == 20.0


def test_best_pair_is_over_all_clippings_and_ties_go_to_the_smaller_norm() -> None:
    cells = {("flat", 1.0, 1.0): 0.9, ("flat", 0.1, 1.0): 0.9, ("auto-s", 5.0, 1.0): 0.95}
    summary = _sweep(cells, {1.0: 8.0})
    assert summary["best_clip_norm"]["flat"] == {"clip_norm": 0.1, "mean": 0.9, "over": 1}
    assert (summary["safe_region"]["clipping"], summary["safe_region"]["clip_norm"]) == ("auto-s", 5.0)


def test_an_unfinished_clip_norm_does_not_win_by_its_easy_levels() -> None:
    cells = {("flat", 1.0, 1.0): 0.95, ("flat", 1.0, 9.0): 0.5, ("flat", 2.0, 1.0): 0.94}
    summary = _sweep(cells, {1.0: 8.0, 9.0: 1.0})
    assert summary["best_clip_norm"]["flat"] == {"clip_norm": 1.0, "mean": 0.95, "over": 1}
    assert summary["notes"] == ["1 of 5 runs are missing: the sweep is not finished"]


def test_without_a_baseline_there_is_nothing_to_compare_with() -> None:
    summary = _sweep({("flat", 1.0, 1.0): 0.95}, {1.0: 8.0}, baseline=None)
    for part in ("baseline", "privacy_cliff", "safe_region"):
        assert "no baseline" in summary[part]["reason"]
    assert summary["baseline"]["mean"] is summary["privacy_cliff"]["exists"] is None
    assert summary["safe_region"]["exists"] is summary["cells"][0]["gap"] is None


def test_a_cell_has_the_bounds_that_hold_for_all_of_its_runs() -> None:
    bounds = [{"lower": 1.0, "upper": 2.0}, {"lower": 0.5, "upper": "inf"}, {"lower": None, "upper": 3.0}]
    runs = [make_run(1.0, 1.0, seed, 0.9, epsilon=epsilon) for seed, epsilon in enumerate(bounds)]
    assert summarise(make_config(), runs[:2])["cells"][0]["epsilon"] == {"lower": 0.5, "upper": "inf"}
    assert summarise(make_config(), runs)["cells"][0]["epsilon"] == {"lower": None, "upper": "inf"}
